/* SPDX-License-Identifier: MIT */
/*
 * long_entry.S - into 64-bit mode and back:
 *     unsigned long_call(const void *code);
 * saves the callee's registers; a trap comes back to it.
 */
#define CODE 0x08
#define DATA 0x10
#define CODE64 0x40
#define LONG_TSS 0xf0
#define TSS_BUSY_BYTE (LONG_TSS + 5)
#define TSS32 0x28
#define TRAP_NONE 0x100
#define MSR_EFER 0xc0000080
#define EFER_SCE_LME_NXE 0x901
#define CR4_PAE 0x20
#define CR0_PG 0x80000000
#define HAS_ERROR(vector) ((vector) == 8 || ((vector) >= 10 && (vector) <= 14) || (vector) == 17)

	.text
	.globl long_call, long_entries
long_call:
	pushl %ebp
	pushl %ebx
	pushl %esi
	pushl %edi
	movl 20(%esp), %edi
	movl %cr4, %eax
	movl %eax, saved_cr4
	orl $CR4_PAE, %eax
	movl %eax, %cr4
	movl $long_pml4, %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	rdmsr
	orl $EFER_SCE_LME_NXE, %eax
	wrmsr
	movl %cr0, %eax
	orl $CR0_PG, %eax
	movl %eax, %cr0
	ljmp $CODE64, $1f
	.code64
1:	lidt long_idtr(%rip)
	andb $0xfd, gdt + TSS_BUSY_BYTE(%rip)
	movl $LONG_TSS, %eax
	ltr %ax
	movl %esp, %esp
	movq %rsp, long_resume(%rip)
	call *%rdi
	movl $TRAP_NONE, %ebx
long_return:
	movq long_resume(%rip), %rsp
	lea 2f(%rip), %rax
	pushq $CODE
	pushq %rax
	lretq
	.code32
2:	movl %cr0, %eax
	andl $~CR0_PG, %eax
	movl %eax, %cr0
	movl $MSR_EFER, %ecx
	rdmsr
	andl $~EFER_SCE_LME_NXE, %eax
	wrmsr
	movl saved_cr4, %eax
	movl %eax, %cr4
	movl $DATA, %eax
	movl %eax, %ss
	andb $0xfd, gdt + TSS32 + 5
	movl $TSS32, %eax
	ltr %ax
	call traps_load
	movl %ebx, %eax
	popl %edi
	popl %esi
	popl %ebx
	popl %ebp
	ret

	.code64
	.align 16
long_entries:
	.set vector, 0
	.rept 256
	.align 16
	.if !HAS_ERROR(vector)
	pushq $0
	.endif
	pushq $vector
	jmp long_common
	.set vector, vector + 1
	.endr

/* Notes all of it, on whatever stack. */
long_common:
	pushq %rax
	movq %rax, long_trap(%rip)
	movq %rcx, long_trap+8(%rip)
	movq %rdx, long_trap+16(%rip)
	movq %rbx, long_trap+24(%rip)
	movq %rbp, long_trap+40(%rip)
	movq %rsi, long_trap+48(%rip)
	movq %rdi, long_trap+56(%rip)
	movq %r8, long_trap+64(%rip)
	movq %r9, long_trap+72(%rip)
	movq %r10, long_trap+80(%rip)
	movq %r11, long_trap+88(%rip)
	movq %r12, long_trap+96(%rip)
	movq %r13, long_trap+104(%rip)
	movq %r14, long_trap+112(%rip)
	movq %r15, long_trap+120(%rip)
	movq %rsp, long_trap+32(%rip)
	xorl %eax, %eax
	movl %ss, %eax
	movq %rax, long_trap+128(%rip)
	lea 8(%rsp), %rsi
	movl $long_trap + 136, %edi
	movl $7, %ecx
	cld
	rep movsq
	movl $DATA, %eax
	movl %eax, %ss
	movl %eax, %ds
	movl %eax, %es
	movl long_trap+136(%rip), %ebx
	jmp long_return
	.code32

	.data
	.align 8
	.globl long_idtr
long_idtr:
	.word 256 * 16 - 1
	.long long_idt
	.long 0
	.bss
	.align 8
long_resume:
	.skip 8
saved_cr4:
	.skip 4
	.align 16
	.globl long_stack_top, long_ist_top, long_user_stack_top
	.skip 4096
long_stack_top:
	.skip 4096
long_ist_top:
	.skip 4096
long_user_stack_top:

	.section .note.GNU-stack, "", @progbits
