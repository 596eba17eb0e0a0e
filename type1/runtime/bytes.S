/* SPDX-License-Identifier: MIT */
/*
 * bytes.S - the four functions that a compiler may call on its own (lib/bytes.h), in ring 0:
 *
 *	void *memcpy(void *to, const void *from, size_t count)
 *	void *memmove(void *to, const void *from, size_t count)
 *	void *memset(void *to, int byte, size_t count)
 *	int memcmp(const void *a, const void *b, size_t count)
 *
 * By string instructions, which CPUs with fast strings do in whole lines.  DF is clear, here and after.
 */
	.text
	.globl	memcpy, memmove, memset, memcmp
	.type	memcpy, @function
	.type	memmove, @function
	.type	memset, @function
	.type	memcmp, @function

memmove:
	mov	%rdi, %rax
	sub	%rsi, %rax
	cmp	%rdx, %rax		/* to - from, unsigned, below count: the end first */
	jb	1f
memcpy:
	mov	%rdi, %rax
	mov	%rdx, %rcx
	rep movsb
	ret
1:	mov	%rdi, %rax
	mov	%rdx, %rcx
	lea	-1(%rdi, %rcx), %rdi
	lea	-1(%rsi, %rcx), %rsi
	std
	rep movsb
	cld
	ret

memset:
	mov	%rdi, %r8
	mov	%esi, %eax
	mov	%rdx, %rcx
	rep stosb
	mov	%r8, %rax
	ret

memcmp:
	mov	%rdx, %rcx
	xor	%eax, %eax
	cmp	%eax, %eax		/* of no bytes: equal */
	repe cmpsb
	je	1f
	movzbl	-1(%rdi), %eax
	movzbl	-1(%rsi), %ecx
	sub	%ecx, %eax
1:	ret

	.section .note.GNU-stack, "", @progbits
