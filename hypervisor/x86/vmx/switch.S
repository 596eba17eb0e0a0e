/* SPDX-License-Identifier: MIT */
/*
 * switch.S - into the guest and back.
 *
 *	bool vmx_switch(uint64_t gpr[CPU_REGISTERS], uint64_t *host_rsp, uint32_t flags)
 *
 * In ring 0 with interrupts off, the vCPU's VMCS current, the guest's vector state loaded.  gpr is the
 * guest's general registers but RSP; host_rsp what of the host's RSP the VMCS has; flags are of layout.h.
 * False: the entry has failed, all is as it was.  An exit comes to vmx_switch_exit.  All but the registers
 * that a function keeps is clobbered.  No register has a value of the guest's left when it returns.
 */
#include "hypervisor/x86/vmx/layout.h"

/* A host may have returns of its own, and something to do before the first after a guest: it may clobber
 * RAX, RCX, RDX and flags. */
#ifndef SWITCH_RETURN
#define SWITCH_RETURN ret
#define SWITCH_BEFORE_RETURN
#endif

	.text
	.globl	vmx_switch, vmx_switch_exit
	.hidden	vmx_switch, vmx_switch_exit
	.type	vmx_switch, @function
vmx_switch:
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%ss, %eax
	push	%rax			/* 16(%rsp) from here on: a selector of writable data */
	push	%rdi			/* 8(%rsp) */
	push	%rdx			/* (%rsp) */
	cmp	%rsp, (%rsi)
	je	1f
	mov	%rsp, (%rsi)
	mov	$VMX_FIELD_HOST_RSP, %eax
	vmwrite	%rsp, %rax
1:	mov	VMX_RAX(%rdi), %rax
	mov	VMX_RCX(%rdi), %rcx
	mov	VMX_RDX(%rdi), %rdx
	mov	VMX_RBX(%rdi), %rbx
	mov	VMX_RBP(%rdi), %rbp
	mov	VMX_RSI(%rdi), %rsi
	mov	VMX_R(8)(%rdi), %r8
	mov	VMX_R(9)(%rdi), %r9
	mov	VMX_R(10)(%rdi), %r10
	mov	VMX_R(11)(%rdi), %r11
	mov	VMX_R(12)(%rdi), %r12
	mov	VMX_R(13)(%rdi), %r13
	mov	VMX_R(14)(%rdi), %r14
	mov	VMX_R(15)(%rdi), %r15
	mov	VMX_RDI(%rdi), %rdi
	/* VERW of such a selector overwrites the CPU's buffers: after the last load of the host's. */
	testl	$VMX_SWITCH_CLEAR_BUFFERS, (%rsp)
	jz	2f
	verw	16(%rsp)
2:	testl	$VMX_SWITCH_LAUNCHED, (%rsp)
	jz	3f
	vmresume
	jmp	.Lfailed
3:	vmlaunch
.Lfailed:
	xor	%eax, %eax
	jmp	4f

vmx_switch_exit:
	push	%rax
	mov	16(%rsp), %rax		/* 8(%rsp) before the push */
	mov	%rcx, VMX_RCX(%rax)
	mov	%rdx, VMX_RDX(%rax)
	mov	%rbx, VMX_RBX(%rax)
	mov	%rbp, VMX_RBP(%rax)
	mov	%rsi, VMX_RSI(%rax)
	mov	%rdi, VMX_RDI(%rax)
	mov	%r8, VMX_R(8)(%rax)
	mov	%r9, VMX_R(9)(%rax)
	mov	%r10, VMX_R(10)(%rax)
	mov	%r11, VMX_R(11)(%rax)
	mov	%r12, VMX_R(12)(%rax)
	mov	%r13, VMX_R(13)(%rax)
	mov	%r14, VMX_R(14)(%rax)
	mov	%r15, VMX_R(15)(%rax)
	pop	%rcx
	mov	%rcx, VMX_RAX(%rax)
	mov	$1, %eax
	/* Nothing that the guest chose goes on into speculation. */
4:	xor	%ecx, %ecx
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
	mov	%eax, %ebx		/* the result */
	/* The return stack: 32 entries that lead to where speculation stops, before the first RET. */
	testl	$VMX_SWITCH_FILL_RETURNS, (%rsp)
	jz	6f
	.rept	32
	call	5f
	int3
5:
	.endr
	lfence
	add	$256, %rsp		/* the 32 addresses */
	/* The history of branches, before the first indirect one: more taken ones than any CPU remembers, all
	 * of them ours. */
6:	testl	$VMX_SWITCH_CLEAR_HISTORY, (%rsp)
	jz	8f
	mov	$194, %ecx
7:	jmp	9f
	int3
9:	dec	%ecx
	jnz	7b
	lfence
	/* The host's restriction of indirect branches, which holds from its write on: not over a guest. */
8:	testl	$VMX_SWITCH_RENEW_IBRS, (%rsp)
	jz	10f
	mov	$VMX_MSR_SPEC_CTRL, %ecx
	rdmsr
	wrmsr
10:	SWITCH_BEFORE_RETURN
	mov	%ebx, %eax
	add	$24, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	SWITCH_RETURN
	.size	vmx_switch, . - vmx_switch

	/*
	 * For the checker of a Linux driver: the calls above are no calls.  Nothing unwinds this function's
	 * stack either, because nothing interrupts it.  It must see the file all the same: it is what notes
	 * where the return is, which the kernel patches.
	 */
	.section .discard.func_stack_frame_non_standard, "", @progbits
	.quad	vmx_switch

	.section .note.GNU-stack, "", @progbits
