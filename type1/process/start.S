/* SPDX-License-Identifier: MIT */
/*
 * start.S - where a process begins: RDI is the address of its struct type1_info (abi/type1.h), RSP
 * the top of its stack.
 *
 * Calls _Noreturn void process_begin(const struct type1_info *info) with a stack as C wants it, and
 * RBP 0, where a chain of frames ends.
 */
	.text
	.globl _start
	.type _start, @function
_start:
	xorl %ebp, %ebp
	andq $-16, %rsp
	call process_begin
	ud2
	.size _start, . - _start

	.section .note.GNU-stack, "", @progbits
