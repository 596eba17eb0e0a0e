/* SPDX-License-Identifier: MIT */
/*
 * start.S - the first instructions of a test guest: a Multiboot 1 kernel in flat 32-bit protected
 * mode, as the loader leaves it, with a stack of its own.  Calls
 *     void guest_main(uint32_t magic, const void *multiboot_info);
 * and ends the VM with what it printed if it comes back.
 */
#define MULTIBOOT_MAGIC 0x1badb002
#define MULTIBOOT_FLAGS 0x00000003 /* modules on page boundaries, memory information */

	.section .multiboot, "a"
	.align 4
	.long MULTIBOOT_MAGIC
	.long MULTIBOOT_FLAGS
	.long -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

	.text
	.globl guest_start
guest_start:
	movl $stack_top, %esp
	pushl %ebx
	pushl %eax
	call guest_main
	pushl $0
	call guest_exit

	.bss
	.align 16
	.skip 16384
stack_top:

	.section .note.GNU-stack, "", @progbits
