/* SPDX-License-Identifier: MIT */
/*
 * trap_entry.S - where interrupts and exceptions arrive (APM2 section 8.9).  Each of the 256 entries pushes
 * what makes a struct trap_frame and calls trap_handle(frame) with interrupts off.
 *
 * GS is the running CPU's in ring 0 and the process's own in ring 3; a trap from ring 3 swaps them.
 * That tells nothing in traps that can arrive anywhere (NMI, #MC, #DF): between SYSCALL and its SWAPGS
 * too.  They have stacks of their own, whose top has the CPU's address (cpu.c): they take GS from
 * there, and put back what it was.
 */
#include "type1/runtime/layout.h"

#define VECTORS 256
#define ENTRY_SIZE 16
#define MSR_GS_BASE 0xc0000101
/* The exceptions that push an error code, APM2 table 8-1; a bit each. */
#define WITH_ERROR 0x60227d00
#define NMI 2
#define DOUBLE_FAULT 8
#define MACHINE_CHECK 18

	.text
	.balign	ENTRY_SIZE
	.globl	trap_entries
trap_entries:
	.set	vector, 0
	.rept	VECTORS
	.balign	ENTRY_SIZE
	.if	vector >= 32 || !((WITH_ERROR >> (vector & 31)) & 1)
	push	$0
	.endif
	push	$vector
	.if	vector == NMI || vector == DOUBLE_FAULT || vector == MACHINE_CHECK
	jmp	trap_anywhere
	.else
	jmp	trap_common
	.endif
	.set	vector, vector + 1
	.endr

	.macro	push_registers
	push	%rax
	push	%rbx
	push	%rcx
	push	%rdx
	push	%rsi
	push	%rdi
	push	%rbp
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	/* The process's values don't go on into speculation; its AC would turn SMAP off. */
	xor	%ebx, %ebx
	xor	%ebp, %ebp
	xor	%r12d, %r12d
	xor	%r13d, %r13d
	xor	%r14d, %r14d
	xor	%r15d, %r15d
	cld
	cmpb	$0, cpu_has_smap(%rip)
	je	9f
	clac
9:
	.endm

	.macro	pop_registers
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rbp
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%rcx
	pop	%rbx
	pop	%rax
	add	$16, %rsp			/* the vector and the error code */
	.endm

trap_common:
	push_registers
	testb	$3, TRAP_FRAME_CS(%rsp)
	jz	1f
	swapgs
1:	/* No access by GS before it is known to be swapped. */
	lfence
	mov	%rsp, %rdi
	call	trap_handle
	/* void trap_return(void), by a jump with a struct trap_frame at RSP, interrupts off. */
	.globl	trap_return
trap_return:
	testb	$3, TRAP_FRAME_CS(%rsp)
	jz	2f
	swapgs
2:	pop_registers
	iretq

trap_anywhere:
	push_registers
	mov	$MSR_GS_BASE, %ecx
	rdmsr
	mov	%eax, %r12d
	mov	%edx, %r13d
	mov	TRAP_FRAME_SIZE(%rsp), %rax
	mov	%rax, %rdx
	shr	$32, %rdx
	wrmsr
	mov	%rsp, %rdi
	call	trap_handle
	mov	$MSR_GS_BASE, %ecx
	mov	%r12d, %eax
	mov	%r13d, %edx
	wrmsr
	pop_registers
	iretq

	.section .note.GNU-stack, "", @progbits
