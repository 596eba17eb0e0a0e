/* SPDX-License-Identifier: MIT */
/*
 * start.S - where GRUB enters, by BIOS and by UEFI alike: in 32-bit protected mode without paging, the
 * magic in EAX, the physical address of the boot information in EBX (Multiboot2 2.0, section 3.3).
 *
 * Builds the first page tables, which map the low 4 GiB three times with 2 MiB pages: at 0, at
 * PHYSICAL_MAP and, as far as the image can reach, at IMAGE_MAP; enters long mode and calls
 * runtime_main() on the boot stack.  tables.c makes those that stay.  The other CPUs come from
 * trampoline.S by the same tables.
 */
#include "hw/multiboot2.h"
#include "type1/runtime/layout.h"

#define PHYSICAL(symbol) ((symbol) - LAYOUT_IMAGE_MAP)
#define ENTRIES 512
#define PAGE 4096
#define TABLE (1 << 0 | 1 << 1)			/* present, writable */
#define LARGE (TABLE | 1 << 7)
#define LARGE_SIZE 0x200000
#define FIRST_GIBS 4
#define EXTENDED_MAX 0x80000000
#define EXTENDED_FEATURES 0x80000001
#define FEATURE_LONG_MODE (1 << 29)
#define FEATURE_NX (1 << 20)
#define CR4_PAE (1 << 5)
#define CR0_PG_WP (1 << 31 | 1 << 16)
#define MSR_EFER 0xc0000080
#define EFER_LME_NXE (1 << 8 | 1 << 11)
#define STACK_SIZE (16 * 1024)
#define SERIAL_PORT 0x3f8
/* What is wanted of a screen of pixels, where the boot loader can set one: legible, 128 by 48 characters. */
#define SCREEN_WIDTH 1024
#define SCREEN_HEIGHT 768
#define SCREEN_BITS 32

	.section .boot.header, "a"
	.balign	8
header:
	.long	MULTIBOOT2_HEADER_MAGIC, MULTIBOOT2_ARCHITECTURE_I386, header_end - header
	.long	-(MULTIBOOT2_HEADER_MAGIC + MULTIBOOT2_ARCHITECTURE_I386 + (header_end - header))
	.balign	8
	.short	MULTIBOOT2_HEADER_TAG_MODULE_ALIGN, 0
	.long	8
	.balign	8
	.short	MULTIBOOT2_HEADER_TAG_FRAMEBUFFER, MULTIBOOT2_HEADER_OPTIONAL
	.long	20
	.long	SCREEN_WIDTH, SCREEN_HEIGHT, SCREEN_BITS
	.balign	8
	.short	MULTIBOOT2_HEADER_TAG_END, 0
	.long	8
header_end:

	.section .boot.text, "ax"
	.code32
	.globl	start
start:
	cli
	cld
	cmp	$MULTIBOOT2_BOOTLOADER_MAGIC, %eax
	jne	refuse
	mov	$PHYSICAL(boot_stack_top), %esp
	mov	%ebx, %ebp
	mov	$EXTENDED_MAX, %eax
	cpuid
	cmp	$EXTENDED_FEATURES, %eax
	jb	refuse
	mov	$EXTENDED_FEATURES, %eax
	cpuid
	and	$(FEATURE_LONG_MODE | FEATURE_NX), %edx
	cmp	$(FEATURE_LONG_MODE | FEATURE_NX), %edx
	jne	refuse

	/* The page directories: FIRST_GIBS tables of 2 MiB pages, one behind the other. */
	mov	$PHYSICAL(boot_directories), %edi
	mov	$LARGE, %eax
	mov	$(FIRST_GIBS * ENTRIES), %ecx
1:	mov	%eax, (%edi)
	add	$LARGE_SIZE, %eax
	add	$8, %edi
	loop	1b
	mov	$PHYSICAL(boot_pointers), %edi
	mov	$(PHYSICAL(boot_directories) + TABLE), %eax
	mov	$FIRST_GIBS, %ecx
2:	mov	%eax, (%edi)
	add	$PAGE, %eax
	add	$8, %edi
	loop	2b
	/* IMAGE_MAP is the last but one GiB. */
	movl	$(PHYSICAL(boot_directories) + TABLE), PHYSICAL(boot_pointers_image) + (ENTRIES - 2) * 8
	movl	$(PHYSICAL(boot_pointers) + TABLE), PHYSICAL(boot_root)
	movl	$(PHYSICAL(boot_pointers) + TABLE), PHYSICAL(boot_root) + ENTRIES / 2 * 8
	movl	$(PHYSICAL(boot_pointers_image) + TABLE), PHYSICAL(boot_root) + (ENTRIES - 1) * 8

	mov	%cr4, %eax
	or	$CR4_PAE, %eax
	mov	%eax, %cr4
	mov	$PHYSICAL(boot_root), %eax
	mov	%eax, %cr3
	mov	$MSR_EFER, %ecx
	rdmsr
	or	$EFER_LME_NXE, %eax
	wrmsr
	mov	%cr0, %eax
	or	$CR0_PG_WP, %eax
	mov	%eax, %cr0
	lgdt	PHYSICAL(boot_gdt_register)
	ljmp	$SELECTOR_KERNEL_CODE, $PHYSICAL(start64)

	/* No screen is known here; the serial line may be there. */
refuse:	mov	$PHYSICAL(refusal), %esi
3:	lodsb
	test	%al, %al
	jz	4f
	mov	$SERIAL_PORT, %dx
	out	%al, %dx
	jmp	3b
4:	hlt
	jmp	4b

	.code64
start64:
	mov	$SELECTOR_KERNEL_DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	xor	%eax, %eax
	mov	%eax, %fs
	mov	%eax, %gs
	movabs	$1f, %rax
	jmp	*%rax
1:	mov	$boot_stack_top, %rsp
	mov	%ebp, %edi
	xor	%ebp, %ebp
	call	runtime_main
	ud2

	.section .rodata
refusal: .asciz "dyad: needs Multiboot2 and a CPU with long mode and NX\r\n"

	.balign	8
	.globl	boot_gdt
boot_gdt:
	.quad	0
	.quad	0x00af9b000000ffff		/* ring 0 code of 64 bits, accessed */
	.quad	0x00cf93000000ffff		/* ring 0 data */
boot_gdt_end:
boot_gdt_register:
	.short	boot_gdt_end - boot_gdt - 1
	.long	PHYSICAL(boot_gdt)
	.long	0

	.bss
	.balign	PAGE
	.globl	boot_root
boot_root:		.skip	PAGE
boot_pointers:		.skip	PAGE
boot_pointers_image:	.skip	PAGE
boot_directories:	.skip	PAGE * FIRST_GIBS

	/* tables.c leaves the page below the stack out. */
	.section .bss.stack, "aw", @nobits
	.balign	PAGE
	.globl	boot_stack_guard, boot_stack_top
boot_stack_guard:	.skip	PAGE
			.skip	STACK_SIZE
boot_stack_top:

	.section .note.GNU-stack, "", @progbits
