/* SPDX-License-Identifier: MIT */
/*
 * switch.S - into the guest and back.
 *
 *	void svm_switch(uint64_t gpr[CPU_REGISTERS], uint64_t vmcb, uint64_t host_vmcb, uint32_t flags)
 *
 * With GIF clear, in ring 0, the guest's vector state loaded.  gpr is the guest's general registers but
 * RAX and RSP, vmcb and host_vmcb are physical addresses, host_vmcb of where VMSAVE has put the host's
 * state; flags are of layout.h.  All but the registers that a function keeps is clobbered.  No register
 * has a value of the guest's left when it returns.
 */
#include "hypervisor/x86/svm/layout.h"

/* A host may have returns of its own, and something to do before the first after a guest: it may clobber
 * RAX, RCX, RDX and flags. */
#ifndef SWITCH_RETURN
#define SWITCH_RETURN ret
#define SWITCH_BEFORE_RETURN
#endif

	.text
	.globl	svm_switch
	.hidden	svm_switch
	.type	svm_switch, @function
svm_switch:
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%ss, %eax
	push	%rax			/* 24(%rsp) from here on: a selector of writable data */
	push	%rdi			/* 16(%rsp) */
	push	%rdx			/* 8(%rsp) */
	push	%rcx			/* (%rsp) */
	mov	%rsi, %rax
	vmload	%rax
	mov	SVM_RCX(%rdi), %rcx
	mov	SVM_RDX(%rdi), %rdx
	mov	SVM_RBX(%rdi), %rbx
	mov	SVM_RBP(%rdi), %rbp
	mov	SVM_RSI(%rdi), %rsi
	mov	SVM_R(8)(%rdi), %r8
	mov	SVM_R(9)(%rdi), %r9
	mov	SVM_R(10)(%rdi), %r10
	mov	SVM_R(11)(%rdi), %r11
	mov	SVM_R(12)(%rdi), %r12
	mov	SVM_R(13)(%rdi), %r13
	mov	SVM_R(14)(%rdi), %r14
	mov	SVM_R(15)(%rdi), %r15
	mov	SVM_RDI(%rdi), %rdi
	/* VERW of such a selector overwrites the CPU's buffers: after the last load of the host's. */
	testl	$SVM_SWITCH_CLEAR_BUFFERS, (%rsp)
	jz	1f
	verw	24(%rsp)
1:	vmrun	%rax
	/* RAX and RSP are the host's again, GIF is clear. */
	vmsave	%rax
	mov	8(%rsp), %rax
	vmload	%rax
	mov	16(%rsp), %rax
	mov	%rcx, SVM_RCX(%rax)
	mov	%rdx, SVM_RDX(%rax)
	mov	%rbx, SVM_RBX(%rax)
	mov	%rbp, SVM_RBP(%rax)
	mov	%rsi, SVM_RSI(%rax)
	mov	%rdi, SVM_RDI(%rax)
	mov	%r8, SVM_R(8)(%rax)
	mov	%r9, SVM_R(9)(%rax)
	mov	%r10, SVM_R(10)(%rax)
	mov	%r11, SVM_R(11)(%rax)
	mov	%r12, SVM_R(12)(%rax)
	mov	%r13, SVM_R(13)(%rax)
	mov	%r14, SVM_R(14)(%rax)
	mov	%r15, SVM_R(15)(%rax)
	/* Nothing that the guest chose goes on into speculation. */
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%ebx, %ebx
	xor	%ebp, %ebp
	xor	%esi, %esi
	xor	%edi, %edi
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	xor	%r12d, %r12d
	xor	%r13d, %r13d
	xor	%r14d, %r14d
	xor	%r15d, %r15d
	/* The return stack: 32 entries that lead to where speculation stops, before the first RET. */
	testl	$SVM_SWITCH_FILL_RETURNS, (%rsp)
	jz	3f
	.rept	32
	call	2f
	int3
2:
	.endr
	lfence
	add	$256, %rsp		/* the 32 addresses */
3:	SWITCH_BEFORE_RETURN
	add	$32, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	SWITCH_RETURN
	.size	svm_switch, . - svm_switch

	/*
	 * For the checker of a Linux driver: the calls above are no calls.  Nothing unwinds this function's
	 * stack either, because nothing interrupts it.  It must see the file all the same: it is what notes
	 * where the return is, which the kernel patches.
	 */
	.section .discard.func_stack_frame_non_standard, "", @progbits
	.quad	svm_switch

	.section .note.GNU-stack, "", @progbits
