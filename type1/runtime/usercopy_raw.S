/* SPDX-License-Identifier: MIT */
/*
 * usercopy_raw.S - the only instructions of ring 0 that touch a process's memory at its own addresses.
 *
 *	uint64_t usercopy_raw(void *to, const void *from, uint64_t size)
 *
 * Copies in rising order, with SMAP off meanwhile; returns how many bytes were not copied: where that
 * begins a page was not there.
 */
	.text
	.globl	usercopy_raw
	.type	usercopy_raw, @function
usercopy_raw:
	cmpb	$0, cpu_has_smap(%rip)
	je	copy
	stac
copy:	mov	%rdx, %rcx
	shr	$3, %rcx
copy_words:
	rep movsq
	mov	%edx, %ecx
	and	$7, %ecx
copy_bytes:
	rep movsb
end:	cmpb	$0, cpu_has_smap(%rip)
	je	1f
	clac
1:	mov	%rcx, %rax
	ret
	/* A fault left in RCX how many words were not copied. */
words_failed:
	and	$7, %edx
	lea	(%rdx, %rcx, 8), %rcx
	jmp	end
	.size	usercopy_raw, . - usercopy_raw

	.section .fixups, "a"
	.quad	copy_words, words_failed
	.quad	copy_bytes, end

	.section .note.GNU-stack, "", @progbits
