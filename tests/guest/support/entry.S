/* SPDX-License-Identifier: MIT */
/*
 * entry.S - where traps come in, and the ways to code that may trap.
 *
 *     unsigned trap_call(void (*code)(uintptr_t), uintptr_t argument);
 *     unsigned trap_call_user(void (*code)(uintptr_t), uintptr_t argument, uint32_t eflags);
 *
 * Both save the callee's registers and note ESP; a trap that its hook doesn't take comes back there.
 */
#define CODE 0x08
#define DATA 0x10
#define USER_CODE 0x1b
#define USER_DATA 0x23
#define TRAP_LEAVE_USER 0x81
#define TRAP_NONE 0x100
#define FRAME_VECTOR 48

	.text
	.globl trap_call, trap_call_user, trap_entries

trap_call:
	pushl %ebp
	pushl %ebx
	pushl %esi
	pushl %edi
	movl 20(%esp), %eax
	movl 24(%esp), %edx
	pushl trap_resume
	movl %esp, trap_resume
	pushl %edx
	call *%eax
	movl $TRAP_NONE, %eax
	jmp trap_return

trap_call_user:
	pushl %ebp
	pushl %ebx
	pushl %esi
	pushl %edi
	movl 20(%esp), %eax
	movl 24(%esp), %edx
	movl 28(%esp), %ecx
	pushl trap_resume
	movl %esp, trap_resume
	movl $USER_DATA, %ebx
	movl %ebx, %ds
	movl %ebx, %es
	movl %ebx, %fs
	movl %ebx, %gs
	movl $user_stack_top - 8, %esi
	movl $user_leave, %ss:(%esi)
	movl %edx, %ss:4(%esi)
	pushl %ebx
	pushl %esi
	pushl %ecx
	pushl $USER_CODE
	pushl %eax
	iretl
user_leave:
	int $TRAP_LEAVE_USER

/* EAX: the vector.  Back in trap_call()'s or trap_call_user()'s caller. */
trap_return:
	movl trap_resume, %esp
	popl trap_resume
	popl %edi
	popl %esi
	popl %ebx
	popl %ebp
	pushl $2
	popfl
	ret

/* 256 entries of 16 bytes: a missing error code is made 0. */
	.align 16
trap_entries:
	.set vector, 0
	.rept 256
	.align 16
	.if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17)
	pushl $0
	.endif
	pushl $vector
	jmp trap_common
	.set vector, vector + 1
	.endr

trap_common:
	pushal
	pushl %ds
	pushl %es
	pushl %fs
	pushl %gs
	movl $DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	cld
	pushl %esp
	call trap_taken
	addl $4, %esp
	testb %al, %al
	jz 1f
	popl %gs
	popl %fs
	popl %es
	popl %ds
	popal
	addl $8, %esp
	iretl
1:	movl FRAME_VECTOR(%esp), %ecx
	movl $DATA, %eax
	movl %eax, %ss
	movl trap_resume, %esp
	movl %eax, %fs
	movl %eax, %gs
	movl %ecx, %eax
	jmp trap_return

	.bss
	.align 16
	.skip 8192
user_stack_top:
	.globl trap_stack_top, user_stack_top
	.skip 8192
trap_stack_top:
	.globl trap_resume
trap_resume:
	.skip 4

	.section .note.GNU-stack, "", @progbits
