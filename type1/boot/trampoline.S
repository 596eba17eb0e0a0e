/* SPDX-License-Identifier: MIT */
/*
 * trampoline.S - the way of the other CPUs.  smp.c copies trampoline..trampoline_end to a page below
 * 1 MiB, writes that page's address into the copy's places, and sends the startup interrupt (Intel SDM
 * volume 3, section 9.4): the CPU begins here in real mode with CS = page / 16.
 *
 * Through start.S's tables, which map the page where it is, it enters long mode; then it takes the
 * runtime's own, the stack and struct cpu that smp.c left, and calls smp_entered(cpu).
 */
#include "type1/runtime/layout.h"

#define PHYSICAL(symbol) ((symbol) - LAYOUT_IMAGE_MAP)
#define AT(symbol) ((symbol) - trampoline)
#define CR0_PE (1 << 0)
#define CR0_PG_WP (1 << 31 | 1 << 16)
#define CR4_PAE (1 << 5)
#define MSR_EFER 0xc0000080
#define EFER_LME_NXE (1 << 8 | 1 << 11)

	.section .rodata
	.balign	16
	.globl	trampoline, trampoline_end, trampoline_gdt_base, trampoline_far32
	.code16
trampoline:
	cli
	cld
	mov	%cs, %ax
	mov	%ax, %ds
	lgdtl	AT(gdt_register)
	mov	%cr0, %eax
	or	$CR0_PE, %eax
	mov	%eax, %cr0
	ljmpl	*AT(trampoline_far32)

	.code32
protected:
	mov	$SELECTOR_KERNEL_DATA, %eax
	mov	%eax, %ds
	mov	%eax, %ss
	mov	%cr4, %eax
	or	$CR4_PAE, %eax
	mov	%eax, %cr4
	mov	$PHYSICAL(boot_root), %eax
	mov	%eax, %cr3
	mov	$MSR_EFER, %ecx
	rdmsr
	or	$EFER_LME_NXE, %eax
	wrmsr
	/* The cache and write-through bits that INIT left go as well. */
	mov	$(CR0_PG_WP | CR0_PE), %eax
	mov	%eax, %cr0
	ljmp	*PHYSICAL(far64)

	.balign	8
gdt:	.quad	0
	.quad	0x00cf9b000000ffff		/* ring 0 code of 32 bits */
	.quad	0x00cf93000000ffff		/* ring 0 data */
	.quad	0x00af9b000000ffff		/* ring 0 code of 64 bits */
gdt_register:
	.short	. - gdt - 1
trampoline_gdt_base:
	.long	AT(gdt)				/* + the page */
trampoline_far32:
	.long	AT(protected)			/* + the page */
	.short	SELECTOR_KERNEL_CODE
trampoline_end:

	.set	SELECTOR_CODE64, 0x18
	.section .rodata
	.balign	8
far64:	.long	PHYSICAL(long_mode)
	.short	SELECTOR_CODE64

	.section .boot.text, "ax"
	.code64
long_mode:
	movabs	$1f, %rax
	jmp	*%rax
1:	xor	%eax, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	%eax, %fs
	mov	%eax, %gs
	mov	table_root(%rip), %rax
	mov	%rax, %cr3
	mov	smp_stack(%rip), %rsp
	mov	smp_cpu(%rip), %rdi
	xor	%ebp, %ebp
	call	smp_entered
	ud2

	.section .note.GNU-stack, "", @progbits
