/* SPDX-License-Identifier: MIT */
/*
 * enter.S - the way into code under test and out of it, with the whole state of the CPU.
 *
 *   void native_enter64(void), native_enter32(void)
 *       Load what stands in the control page and go to its RIP.  Return when the code jumps through
 *       CONTROL_EXIT, with its state in the control page.  All registers that the ABI preserves
 *       are preserved.
 *   native_resume
 *       Where a signal's handler goes on, with RSP from CONTROL_HOST_RSP, having stored the state.
 */
#include "tests/differential/layout.h"

	.text

	.macro save
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, CONTROL_HOST_RSP
	stmxcsr CONTROL_MXCSR
	fnstcw CONTROL_FCW
	/* All components: those that aren't in there get their initial state. */
	mov $-1, %eax
	mov $-1, %edx
	xrstor64 CONTROL_XSAVE
	mov $CONTROL_RFLAGS, %esp
	popfq
	mov CONTROL_GPR + 0x00, %rax
	mov CONTROL_GPR + 0x08, %rcx
	mov CONTROL_GPR + 0x10, %rdx
	mov CONTROL_GPR + 0x18, %rbx
	mov CONTROL_GPR + 0x20, %rsp
	mov CONTROL_GPR + 0x28, %rbp
	mov CONTROL_GPR + 0x30, %rsi
	mov CONTROL_GPR + 0x38, %rdi
	mov CONTROL_GPR + 0x40, %r8
	mov CONTROL_GPR + 0x48, %r9
	mov CONTROL_GPR + 0x50, %r10
	mov CONTROL_GPR + 0x58, %r11
	mov CONTROL_GPR + 0x60, %r12
	mov CONTROL_GPR + 0x68, %r13
	mov CONTROL_GPR + 0x70, %r14
	mov CONTROL_GPR + 0x78, %r15
	.endm

	.globl native_enter64
	.type native_enter64, @function
native_enter64:
	save
	jmp *CONTROL_RIP
	.size native_enter64, . - native_enter64

	.globl native_enter32
	.type native_enter32, @function
native_enter32:
	save
	ljmp *CONTROL_FAR
	.size native_enter32, . - native_enter32

	.globl native_exit
	.type native_exit, @function
native_exit:
	mov %rax, CONTROL_GPR + 0x00
	mov %rcx, CONTROL_GPR + 0x08
	mov %rdx, CONTROL_GPR + 0x10
	mov %rbx, CONTROL_GPR + 0x18
	mov %rsp, CONTROL_GPR + 0x20
	mov %rbp, CONTROL_GPR + 0x28
	mov %rsi, CONTROL_GPR + 0x30
	mov %rdi, CONTROL_GPR + 0x38
	mov %r8, CONTROL_GPR + 0x40
	mov %r9, CONTROL_GPR + 0x48
	mov %r10, CONTROL_GPR + 0x50
	mov %r11, CONTROL_GPR + 0x58
	mov %r12, CONTROL_GPR + 0x60
	mov %r13, CONTROL_GPR + 0x68
	mov %r14, CONTROL_GPR + 0x70
	mov %r15, CONTROL_GPR + 0x78
	mov CONTROL_HOST_RSP, %rsp
	pushfq
	popq CONTROL_RFLAGS
	mov $7, %eax
	xor %edx, %edx
	xsave64 CONTROL_XSAVE
	.globl native_resume
native_resume:
	cld
	fninit
	fldcw CONTROL_FCW
	ldmxcsr CONTROL_MXCSR
	vzeroupper
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret
	.size native_exit, . - native_exit

	.section .note.GNU-stack, "", @progbits
