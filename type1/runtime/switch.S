/* SPDX-License-Identifier: MIT */
/*
 * switch.S - from one thread to another, and a thread's first steps.
 */
#include "type1/runtime/layout.h"

	.text
/*
 * void thread_switch(uint64_t *save, uint64_t load)
 *
 * Stores RSP at save when all that a function keeps is on the stack, and goes on with the stack load,
 * which was left so.  Flags go with the thread, since one may lose its CPU while it has AC set.
 * Interrupts off.
 */
	.globl	thread_switch
	.type	thread_switch, @function
thread_switch:
	pushfq
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, (%rdi)
	mov	%rsi, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	popfq
	ret
	.size	thread_switch, . - thread_switch

/* void thread_first(void): returned to by thread_switch() on a new stack. */
	.globl	thread_first
	.type	thread_first, @function
thread_first:
	xor	%ebp, %ebp
	call	thread_begin
	ud2
	.size	thread_first, . - thread_first

/*
 * void thread_enter_user(uint64_t entry, uint64_t stack, uint64_t argument)
 *
 * Begins in ring 3 with RDI = argument and no other value in a register.  Interrupts off.
 */
	.globl	thread_enter_user
	.type	thread_enter_user, @function
thread_enter_user:
	push	$SELECTOR_USER_DATA
	push	%rsi
	push	$THREAD_FLAGS
	push	$SELECTOR_USER_CODE
	push	%rdi
	mov	%rdx, %rdi
	xor	%eax, %eax
	xor	%ebx, %ebx
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%esi, %esi
	xor	%ebp, %ebp
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	xor	%r12d, %r12d
	xor	%r13d, %r13d
	xor	%r14d, %r14d
	xor	%r15d, %r15d
	swapgs
	iretq
	.size	thread_enter_user, . - thread_enter_user
	.set	THREAD_FLAGS, 0x202		/* RFLAGS: IF, and the bit that is always set */

	.section .note.GNU-stack, "", @progbits
