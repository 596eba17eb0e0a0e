/* SPDX-License-Identifier: MIT */
/*
 * syscall_entry.S - SYSCALL and SYSRET (APM2 section 6.1.1; APM3).
 *
 * SYSCALL has left the caller's RIP in RCX and its flags in R11, and turned interrupts off (SFMASK);
 * RSP and GS are still the caller's.  The stack, from above: the caller's RSP, RIP, flags, and what it
 * gets back of the registers that C may change: the arguments, with which struct call
 * ends.  C keeps the others.
 */
#include "type1/runtime/layout.h"

#define CANONICAL_BITS 47	/* of an address of ring 3 */

	.text
	.globl	syscall_entry
	.type	syscall_entry, @function
syscall_entry:
	swapgs
	mov	%rsp, %gs:CPU_USER_STACK
	mov	%gs:CPU_KERNEL_STACK, %rsp
	push	%gs:CPU_USER_STACK
	push	%rcx
	push	%r11
	push	%r9
	push	%r8
	push	%r10
	push	%rdx
	push	%rsi
	push	%rdi
	sub	$24, %rsp		/* the rest of struct call, and 16-byte alignment */
	lea	8(%rsp), %rdi		/* syscall_dispatch(call, number), with a stack of C's */
	mov	%rax, %rsi
	/* The caller's values don't go on into speculation. */
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	call	syscall_dispatch	/* returns with interrupts off */
	add	$24, %rsp
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%r10
	pop	%r8
	pop	%r9
	pop	%r11
	pop	%rcx
	/* SYSRET to an address that is not canonical would fault in ring 0 on Intel's CPUs, with the
	 * caller's stack. */
	push	%rcx
	shr	$CANONICAL_BITS, %rcx
	pop	%rcx
	jnz	1f
	pop	%rsp
	swapgs
	sysretq
1:	call	syscall_bad_return
	ud2
	.size	syscall_entry, . - syscall_entry

	.section .note.GNU-stack, "", @progbits
