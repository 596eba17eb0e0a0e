/* SPDX-License-Identifier: MIT */
/*
 * Long mode: entry and exit, exceptions and their frames, IST, level 3 and back by interrupt, call
 * gate and SYSCALL, compatibility mode, canonical addresses, what control registers refuse.
 */
#include "tests/guest/support/long.h"

#define USER_CODE64 (SELECTOR(GDT_FREE + 1) | 3)
#define GATE64 SELECTOR(GDT_FREE + 2) /* of 16 bytes */
#define GATE_DPL3 ACCESS_DPL(3)
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_SFMASK 0xc0000084
#define MSR_KERNEL_GS_BASE 0xc0000102

#define NOTE(i) long_notes[i]

#define CHECK_EQUAL64(value, high, low)                                                            \
	({                                                                                         \
		uint64_t v = (value);                                                              \
                                                                                                   \
		CHECK_EQUAL(v >> 32, high);                                                        \
		CHECK_EQUAL(v, low);                                                               \
	})
#define CHECK_LONG(code, wanted, error_code)                                                       \
	({                                                                                         \
		unsigned vector = long_call(code);                                                 \
                                                                                                   \
		check_equal(vector, wanted, #code, __FILE__, __LINE__);                            \
		if (vector != TRAP_NONE)                                                           \
			check_equal((uint32_t)long_trap.error, error_code, #code " error",         \
				    __FILE__, __LINE__);                                           \
	})

/* --- Plain exceptions --------------------------------------------------------------------------
 */

CODE64(code_nothing, "movabsq $0x123456789abcdef0, %rax\n movq %rax, long_notes(%rip)");
CODE64(code_undefined, "movq %rsp, %r12\n ud2");
CODE64(code_odd_stack, "pushq $0\n popq %rax\n lea -3(%rsp), %rsp\n movq %rsp, %r12\n ud2");
CODE64(code_read_hole, "movabsq $0x0000800000000000, %rax\n movb (%rax), %cl");
CODE64(code_stack_hole, "movabsq $0x0000800000000000, %rbp\n movb (%rbp), %cl");
CODE64(code_push_hole, "movabsq $0xffff7fffffffffff, %rsp\n pushq %rax");
CODE64(code_jump_hole, "movabsq $0x8000000000000000, %rax\n jmp *%rax");
CODE64(code_return_hole, "movabsq $0x0000800000000000, %rax\n pushq %rax\n ret");
CODE64(code_divide, "xorl %ecx, %ecx\n divq %rcx");
CODE64(code_no_page, "movabsq $0x0000400000001234, %rax\n movb %cl, (%rax)");
CODE64(code_push_es, ".byte 0x06");
CODE64(code_int_ff, "int $0xff");

static void plain(void)
{
	CHECK_LONG(code_nothing, TRAP_NONE, 0);
	CHECK_EQUAL64(NOTE(0), 0x12345678, 0x9abcdef0);
	CHECK_LONG(code_undefined, TRAP_UD, 0);
	CHECK_EQUAL64(long_trap.cs, 0, SELECTOR(GDT_CODE64));
	CHECK_EQUAL64(long_trap.rsp, 0, (uint32_t)long_trap.gpr[12]);
	CHECK_EQUAL64(long_trap.ss, 0, DATA);
	CHECK_EQUAL64(long_trap.handler_ss, 0, DATA);
	CHECK_EQUAL(long_trap.rflags & EFLAGS_RF, EFLAGS_RF);
	CHECK_LONG(code_odd_stack, TRAP_UD, 0);
	CHECK_EQUAL64(long_trap.rsp, 0, (uint32_t)long_trap.gpr[12]);
	/* 8 pushes of 8 bytes below 16 bytes' alignment: with the zero error code, vector, RAX */
	CHECK_EQUAL((long_trap.gpr[4] + 8 * 8) & 15, 0);
	CHECK_LONG(code_read_hole, TRAP_GP, 0);
	CHECK_LONG(code_stack_hole, TRAP_SS, 0);
	CHECK_LONG(code_jump_hole, TRAP_GP, 0);
	CHECK_LONG(code_return_hole, TRAP_GP, 0);
	CHECK_LONG(code_divide, TRAP_DE, 0);
	CHECK_LONG(code_no_page, TRAP_PF, 2);
	CHECK_LONG(code_push_es, TRAP_UD, 0);
	CHECK_LONG(code_int_ff, 0xff, 0);
	/* There is no stack left: whatever trap it is has another. */
	long_idt[TRAP_SS].low |= (uint64_t)1 << 32;
	long_idt[TRAP_GP].low |= (uint64_t)1 << 32;
	CHECK_LONG(code_push_hole, TRAP_SS, 0);
	long_idt[TRAP_SS].low &= ~((uint64_t)7 << 32);
	long_idt[TRAP_GP].low &= ~((uint64_t)7 << 32);
}

static void ist(void)
{
	long_idt[TRAP_UD].low |= (uint64_t)1 << 32;
	CHECK_LONG(code_undefined, TRAP_UD, 0);
	/* SS RSP RFLAGS CS RIP 0 vector RAX */
	CHECK_EQUAL64(long_trap.gpr[4], 0, (uint32_t)(uintptr_t)long_ist_top - 64);
	CHECK_EQUAL64(long_trap.handler_ss, 0, DATA); /* the same level: SS stays */
	long_idt[TRAP_UD].low &= ~((uint64_t)7 << 32);
	long_tss.ist[1] = UINT64_C(0x0000800000000000);
	long_idt[TRAP_UD].low |= (uint64_t)2 << 32;
	CHECK_LONG(code_undefined, TRAP_SS, 1);
	long_idt[TRAP_UD].low &= ~((uint64_t)7 << 32);
}

static void gates(void)
{
	struct gate64 saved = long_idt[0xff];

	long_idt[0xff].low = gate(CODE, 0, ACCESS_INTERRUPT_GATE, 0); /* of 32 bits */
	CHECK_LONG(code_int_ff, TRAP_GP, CODE);
	long_idt[0xff].low = gate(SELECTOR(GDT_CODE64), 0, 0x86, 0); /* a 16-bit gate */
	CHECK_LONG(code_int_ff, TRAP_GP, 0xff * 8 + 2);
	long_idt[0xff] = saved;
	long_idt[0xff].high = 0x8000;
	CHECK_LONG(code_int_ff, TRAP_GP, 0);
	long_idt[0xff] = saved;
}

/* --- Level 3 -----------------------------------------------------------------------------------
 */

#define TO_USER                                                                                    \
	"pushq $0x23\n movl $long_user_stack_top, %eax\n pushq %rax\n pushq $2\n pushq $0x5b\n "   \
	"movl $1f, %eax\n "                                                                        \
	"pushq %rax\n iretq\n "                                                                    \
	"1:"

CODE64(code_user_int, TO_USER "movl %cs, %ebx\n int $0x81");
CODE64(code_user_hlt, TO_USER "hlt");
CODE64(code_user_cr, TO_USER "movq %cr0, %rax");
CODE64(code_user_gate, TO_USER "movq %rsp, %r12\n lcall *gate64_pointer(%rip)\n movl $0x55, %ebx\n"
			       "int $0x81");
CODE64(code_gate_target, "movq %rsp, long_notes(%rip)\n"
			 "movl %cs, %eax\n movq %rax, long_notes+8(%rip)\n"
			 "movl %ss, %eax\n movq %rax, long_notes+16(%rip)\n"
			 "movq (%rsp), %rax\n movq %rax, long_notes+24(%rip)\n"
			 "movq 8(%rsp), %rax\n movq %rax, long_notes+32(%rip)\n"
			 "movq 16(%rsp), %rax\n movq %rax, long_notes+40(%rip)\n"
			 "movq 24(%rsp), %rax\n movq %rax, long_notes+48(%rip)\n"
			 "lretq");
CODE64(code_user_syscall, TO_USER "movq $0x202, %r8\n movl $0x111, %ecx\n"
				  "syscall\n"
				  "2: movl %cs, %ebx\n movl %ss, %edx\n int $0x81");
CODE64(code_syscall_target, "movq %rcx, long_notes(%rip)\n movq %r11, long_notes+8(%rip)\n"
			    "pushfq\n popq long_notes+16(%rip)\n"
			    "movl %cs, %eax\n movq %rax, long_notes+24(%rip)\n"
			    "movl %ss, %eax\n movq %rax, long_notes+32(%rip)\n"
			    "sysretq");
CODE64(code_user_write_idt, TO_USER "lidt long_idtr(%rip)");

__attribute__((used)) static struct {
	uint32_t offset;
	uint16_t selector;
} __attribute__((packed)) gate64_pointer = {0, GATE64 | 3};

static void levels(void)
{
	CHECK_LONG(code_user_int, TRAP_GP, 0x81 * 8 + 2);
	long_idt[0x81].low |= (uint64_t)GATE_DPL3 << 40;
	CHECK_LONG(code_user_int, 0x81, 0);
	CHECK_EQUAL64(long_trap.cs, 0, USER_CODE64);
	CHECK_EQUAL64(long_trap.gpr[3], 0, USER_CODE64);
	CHECK_EQUAL64(long_trap.ss, 0, USER_DATA);
	CHECK_EQUAL64(long_trap.rsp, 0, (uint32_t)(uintptr_t)long_user_stack_top);
	CHECK_EQUAL64(long_trap.handler_ss, 0, 0); /* a null selector */
	CHECK_EQUAL64(long_trap.gpr[4], 0, (uint32_t)(uintptr_t)long_stack_top - 64);
	CHECK_LONG(code_user_hlt, TRAP_GP, 0);
	CHECK_LONG(code_user_cr, TRAP_GP, 0);
	CHECK_LONG(code_user_write_idt, TRAP_GP, 0);
}

static void call_gate(void)
{
	gdt[GDT_FREE + 2] = gate(SELECTOR(GDT_CODE64), (uint32_t)(uintptr_t)code_gate_target,
				 ACCESS_CALL_GATE32 | GATE_DPL3, 3);
	gdt[GDT_FREE + 3] = 0;
	CHECK_LONG(code_user_gate, 0x81, 0);
	CHECK_EQUAL(long_trap.gpr[3], 0x55);
	CHECK_EQUAL64(NOTE(0), 0, (uint32_t)(uintptr_t)long_stack_top - 32);
	CHECK_EQUAL64(NOTE(1), 0, SELECTOR(GDT_CODE64));
	CHECK_EQUAL64(NOTE(2), 0, 0);
	CHECK_EQUAL64(NOTE(4), 0, USER_CODE64);
	CHECK_EQUAL64(NOTE(5), 0, (uint32_t)(uintptr_t)long_user_stack_top);
	CHECK_EQUAL64(NOTE(6), 0, USER_DATA);
	CHECK_EQUAL64(long_trap.rsp, 0, (uint32_t)(uintptr_t)long_user_stack_top);
	/* The type of its second half must be 0. */
	gdt[GDT_FREE + 3] = (uint64_t)1 << 40;
	CHECK_LONG(code_user_gate, TRAP_GP, GATE64);
	gdt[GDT_FREE + 3] = 0x8000; /* not canonical */
	CHECK_LONG(code_user_gate, TRAP_GP, 0);
	gdt[GDT_FREE + 3] = 0;
}

static void syscalls(void)
{
	/* SYSRET's: the 64-bit code stands 16, the stack 8 behind. */
	gdt[GDT_FREE + 5] = gdt[GDT_USER_CODE];
	gdt[GDT_FREE + 6] = gdt[GDT_USER_DATA];
	gdt[GDT_FREE + 7] = gdt[GDT_FREE + 1];
	gdt[GDT_FREE + 8] = gdt[GDT_CODE64];
	gdt[GDT_FREE + 9] = gdt[GDT_DATA];
	write_msr(MSR_STAR, (uint64_t)(SELECTOR(GDT_FREE + 5) | 3) << 48 |
				    (uint64_t)SELECTOR(GDT_FREE + 8) << 32);
	write_msr(MSR_LSTAR, (uint32_t)(uintptr_t)code_syscall_target);
	write_msr(MSR_SFMASK, EFLAGS_IF | EFLAGS_TF);
	CHECK_LONG(code_user_syscall, 0x81, 0);
	CHECK_EQUAL(NOTE(1), 2);
	CHECK_EQUAL(NOTE(2), 2);
	CHECK_EQUAL64(NOTE(3), 0, SELECTOR(GDT_FREE + 8));
	CHECK_EQUAL64(NOTE(4), 0, SELECTOR(GDT_FREE + 9));
	CHECK_EQUAL(long_trap.gpr[3], SELECTOR(GDT_FREE + 7) | 3);
	CHECK_EQUAL(long_trap.gpr[2], SELECTOR(GDT_FREE + 6) | 3);
	CHECK_EQUAL64(long_trap.gpr[1], 0, (uint32_t)NOTE(0));
}

/* --- Compatibility mode ------------------------------------------------------------------------
 */

/* To a 32-bit code segment at level 0, where 0x41 is INC ECX, and back. */
CODE64(code_compatibility, "movl $5, %ecx\n"
			   "pushq $0x08\n movl $1f, %eax\n pushq %rax\n lretq\n"
			   ".code32\n"
			   "1: .byte 0x41\n"
			   "ljmp $0x40, $2f\n"
			   ".code64\n"
			   "2: movq %rcx, long_notes(%rip)");
CODE64(code_compatibility_trap, "pushq $0x08\n movl $1f, %eax\n pushq %rax\n lretq\n"
				".code32\n"
				"1: .byte 0x0f, 0x0b\n"
				".code64");
CODE64(code_both, "pushq $0x70\n movl $1f, %eax\n pushq %rax\n lretq\n 1:");

static void compatibility(void)
{
	CHECK_LONG(code_compatibility, TRAP_NONE, 0);
	CHECK_EQUAL64(NOTE(0), 0, 6);
	CHECK_LONG(code_compatibility_trap, TRAP_UD, 0);
	CHECK_EQUAL64(long_trap.cs, 0, CODE);
	/* L and D together are wrong. */
	gdt[14] = segment(0, 0xfffff, ACCESS_CODE, FLAGS_32 | FLAGS_64 | FLAGS_PAGES);
	CHECK_LONG(code_both, TRAP_GP, 0x70);
}

/* --- Registers ---------------------------------------------------------------------------------
 */

CODE64(code_clear_pg, "movq %cr0, %rax\n btrq $31, %rax\n movq %rax, %cr0");
CODE64(code_clear_pae, "movq %cr4, %rax\n btrq $5, %rax\n movq %rax, %cr4");
CODE64(code_high_cr0, "movq %cr0, %rax\n btsq $40, %rax\n movq %rax, %cr0");
CODE64(code_nw_alone, "movq %cr0, %rax\n orl $0x20000000, %eax\n movq %rax, %cr0");
CODE64(code_high_cr3, "movq %cr3, %rax\n btsq $62, %rax\n movq %rax, %cr3");
CODE64(code_cr4_reserved, "movq %cr4, %rax\n btsq $35, %rax\n movq %rax, %cr4");
CODE64(code_cr1, ".byte 0x0f, 0x20, 0xc8");
CODE64(code_high_dr7, "movabsq $0x100000400, %rax\n movq %rax, %dr7");
CODE64(code_lstar, "movl $0xc0000082, %ecx\n xorl %eax, %eax\n movl $0x8000, %edx\n wrmsr");
CODE64(code_swapgs,
       "movl $0xc0000102, %ecx\n movl $0x1000, %eax\n xorl %edx, %edx\n wrmsr\n"
       "swapgs\n movl $0xc0000101, %ecx\n rdmsr\n movq %rax, long_notes(%rip)\n swapgs");
CODE64(code_iret_hole, "pushq $0x10\n pushq %rsp\n pushq $2\n pushq $0x40\n"
		       "movabsq $0x0000800000000000, %rax\n pushq %rax\n iretq");
CODE64(code_iret_nested, "pushq $0x4002\n popfq\n iretq");
CODE64(code_iret_null_ss,
       "movq %rsp, %rbx\n pushq $0\n pushq %rbx\n pushq $2\n pushq $0x40\n"
       "movl $1f, %eax\n pushq %rax\n iretq\n 1: movl %ss, %eax\n movq %rax, long_notes(%rip)\n"
       "movl $0x10, %eax\n movl %eax, %ss");

static void registers(void)
{
	CHECK_LONG(code_clear_pg, TRAP_GP, 0);
	CHECK_LONG(code_clear_pae, TRAP_GP, 0);
	CHECK_LONG(code_high_cr0, TRAP_GP, 0);
	CHECK_LONG(code_nw_alone, TRAP_GP, 0);
	if (!cpu_is_emulated()) /* it takes what stands there for an address, and finds no tables */
		CHECK_LONG(code_high_cr3, TRAP_GP, 0);
	CHECK_LONG(code_cr4_reserved, TRAP_GP, 0);
	CHECK_LONG(code_cr1, TRAP_UD, 0);
	CHECK_LONG(code_high_dr7, TRAP_GP, 0);
	CHECK_LONG(code_lstar, TRAP_GP, 0);
	CHECK_LONG(code_swapgs, TRAP_NONE, 0);
	CHECK_EQUAL64(NOTE(0), 0, 0x1000);
	CHECK_LONG(code_iret_hole, TRAP_GP, 0);
	CHECK_LONG(code_iret_nested, TRAP_GP, 0);
	NOTE(0) = 1;
	CHECK_LONG(code_iret_null_ss, TRAP_NONE, 0);
	CHECK_EQUAL64(NOTE(0), 0, 0);
}

void guest_main(uint32_t magic, const void *multiboot_info)
{
	(void)magic;
	(void)multiboot_info;
	traps_init();
	long_init();
	gdt[GDT_FREE + 1] =
		segment(0, 0xfffff, ACCESS_CODE | ACCESS_DPL(3), FLAGS_64 | FLAGS_PAGES);
	plain();
	ist();
	gates();
	levels();
	call_gate();
	syscalls();
	compatibility();
	registers();
	checks_end();
}
