/*
 * The first sector of the Intel host's disk: the BIOS loads it.  It loads the second part, asks the BIOS
 * for the memory's map, and goes to load.c in protected mode.  A failure ends in a triple fault, and
 * so in the emulator's end.
 */
#include "layout.h"

#define CODE 8
#define DATA 16
#define BIOS_READ 0x42        /* int 0x13: sectors by number, DL the drive */
#define BIOS_MEMORY_MAP 0xe820 /* int 0x15 */
#define SMAP 0x534d4150
#define PORT_A20 0x92

	.code16
	.section .boot, "ax"
	ljmp	$0, $start
start:
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movw	$BOOT_SECTOR, %sp

	movw	$packet, %si
	movb	$BIOS_READ, %ah
	int	$0x13
	jc	fail

	xorl	%ebx, %ebx
	movw	$MEMORY_MAP, %di
1:	movl	$BIOS_MEMORY_MAP, %eax
	movl	$MEMORY_MAP_ENTRY, %ecx
	movl	$SMAP, %edx
	int	$0x15
	jc	2f
	addw	$MEMORY_MAP_ENTRY, %di
	testl	%ebx, %ebx
	jnz	1b
2:
	cli
	inb	$PORT_A20, %al
	orb	$2, %al
	outb	%al, $PORT_A20
	lgdtl	gdt_register
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	ljmpl	$CODE, $LOADER

fail:
	lidtl	no_idt
	int3

	.balign	8
gdt:
	.quad	0
	.quad	0x00cf9b000000ffff
	.quad	0x00cf93000000ffff
gdt_register:
	.word	. - gdt - 1
	.long	gdt
no_idt:
	.word	0
	.long	0

	/* What to read, in the BIOS's form; the last 8 bytes, the sector, are lab/bochs.sh's to write. */
	.org	0x1b0
packet:
	.byte	16, 0
	.word	LOADER_SECTORS, LOADER, 0
	.quad	0
	.org	510
	.word	0xaa55

	.code32
	.section .loader, "ax"
	movl	$DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	$BOOT_SECTOR, %esp
	movzwl	%di, %edi
	pushl	%edi
	call	load

	.section .note.GNU-stack, "", @progbits
