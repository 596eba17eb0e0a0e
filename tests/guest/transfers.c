/* SPDX-License-Identifier: MIT */
/*
 * Far jumps, calls and returns in protected mode: call gates, between levels with
 * parameters, conforming code, what each of them checks; SYSENTER.
 */
#include "tests/guest/support/traps.h"

#define FREE SELECTOR(GDT_FREE)
#define GATE SELECTOR(GDT_FREE + 1)
#define GATE_USER (GATE | 3)
#define GATE_DPL3 ACCESS_DPL(3)

__attribute__((used)) static struct {
	uint32_t offset;
	uint16_t selector;
} __attribute__((packed)) target;

__attribute__((used)) static volatile uint32_t seen_cs, seen_ss, seen_esp, seen[8];

/* Notes what stands on the stack, and returns to where the gate's caller was. */
__attribute__((naked, used)) static void gate_handler(void)
{
	__asm__("movl %cs, %eax\n"
		"movl %eax, %ss:seen_cs\n"
		"movl %ss, %eax\n"
		"movl %eax, %ss:seen_ss\n"
		"movl %esp, %ss:seen_esp\n"
		"movl (%esp), %eax\n"
		"movl %eax, %ss:seen\n"
		"movl 4(%esp), %eax\n"
		"movl %eax, %ss:seen + 4\n"
		"movl 8(%esp), %eax\n"
		"movl %eax, %ss:seen + 8\n"
		"movl 12(%esp), %eax\n"
		"movl %eax, %ss:seen + 12\n"
		"movl 16(%esp), %eax\n"
		"movl %eax, %ss:seen + 16\n"
		"movl 20(%esp), %eax\n"
		"movl %eax, %ss:seen + 20\n"
		"lret $8");
}

__attribute__((used)) static volatile uint32_t esp_before, esp_after;

/* Calls through target with two parameters. */
__attribute__((naked)) static void call_gate(uintptr_t unused)
{
	(void)unused;
	__asm__("pushl $0x11111111\n"
		"pushl $0x22222222\n"
		"movl %esp, esp_before\n"
		"lcall *target\n"
		"movl %esp, esp_after\n"
		"ret");
}

static void call_target(uintptr_t unused)
{
	(void)unused;
	__asm__ volatile("lcall *target" : : : "eax", "memory");
}

static void jump_target(uintptr_t unused)
{
	(void)unused;
	__asm__ volatile("ljmp *target");
}

__attribute__((naked, used)) static void jump_end(void)
{
	__asm__("ret");
}

extern const uint8_t trap_stack_top[];

static void same_level(void)
{
	gdt[GDT_FREE + 1] = gate(CODE, (uint32_t)(uintptr_t)gate_handler, ACCESS_CALL_GATE32, 2);
	target.selector = GATE;
	CHECK_TRAP(trap_call(call_gate, 0), TRAP_NONE, 0);
	CHECK_EQUAL(seen_cs, CODE);
	CHECK_EQUAL(seen[1], CODE);
	CHECK_EQUAL(seen[2], 0x22222222); /* nothing is copied at the same level */
	CHECK_EQUAL(seen_esp, esp_before - 8);
	CHECK_EQUAL(esp_after, esp_before + 8);
}

static void inner_level(void)
{
	gdt[GDT_FREE + 1] =
		gate(CODE, (uint32_t)(uintptr_t)gate_handler, ACCESS_CALL_GATE32 | GATE_DPL3, 2);
	target.selector = GATE_USER;
	CHECK_TRAP(trap_call_user(call_gate, 0, 2), TRAP_LEAVE_USER, 0);
	CHECK_EQUAL(seen_cs, CODE);
	CHECK_EQUAL(seen_ss, DATA);
	CHECK_EQUAL(seen_esp, (uint32_t)(uintptr_t)trap_stack_top - 24);
	CHECK_EQUAL(seen[1], USER_CODE);
	CHECK_EQUAL(seen[2], 0x22222222);
	CHECK_EQUAL(seen[3], 0x11111111);
	CHECK_EQUAL(seen[4], esp_before);
	CHECK_EQUAL(seen[5], USER_DATA);
	CHECK_EQUAL(esp_after, esp_before + 8);
	/* Level 0's data segments don't come back with us. */
	CHECK_EQUAL(trap.ds, USER_DATA);
}

static void data_segments_are_dropped(uintptr_t unused)
{
	(void)unused;
	__asm__ volatile("lcall *target\n"
			 "movl %%fs, %%eax\n"
			 "movl %%eax, seen\n"
			 "movl %%gs, %%eax\n"
			 "movl %%eax, seen + 4"
			 :
			 :
			 : "eax", "memory");
}

__attribute__((naked, used)) static void load_inner_data(void)
{
	__asm__("movl $0x10, %eax\n"
		"movl %eax, %fs\n"
		"movl $0x23, %eax\n"
		"movl %eax, %gs\n"
		"lret");
}

static void dropped(void)
{
	gdt[GDT_FREE + 1] =
		gate(CODE, (uint32_t)(uintptr_t)load_inner_data, ACCESS_CALL_GATE32 | GATE_DPL3, 0);
	CHECK_TRAP(trap_call_user(data_segments_are_dropped, 0, 2), TRAP_LEAVE_USER, 0);
	CHECK_EQUAL(seen[0], 0);
	CHECK_EQUAL(seen[1], USER_DATA);
}

/* What lies beyond a limit of 0xff: it ends by a trap on a CPU that does not check limits, too. */
__attribute__((naked, used)) static void beyond(void)
{
	__asm__("ud2");
}

static uint64_t short_code(void)
{
	return segment((uint32_t)(uintptr_t)beyond - 0x100, 0xff, ACCESS_CODE, FLAGS_32);
}

static void gate_checks(void)
{
	uint32_t handler = (uint32_t)(uintptr_t)gate_handler;

	target.selector = GATE_USER;
	gdt[GDT_FREE + 1] = gate(CODE, handler, ACCESS_CALL_GATE32, 0);
	CHECK_TRAP(trap_call_user(call_target, 0, 2), TRAP_GP, GATE);
	CHECK_TRAP(trap_call(call_target, 0), TRAP_GP, GATE); /* the RPL counts, too */
	gdt[GDT_FREE + 1] =
		gate(CODE, handler, (ACCESS_CALL_GATE32 | GATE_DPL3) & ~ACCESS_PRESENT, 0);
	CHECK_TRAP(trap_call_user(call_target, 0, 2), TRAP_NP, GATE);
	gdt[GDT_FREE + 1] = gate(0, handler, ACCESS_CALL_GATE32 | GATE_DPL3, 0);
	CHECK_TRAP(trap_call_user(call_target, 0, 2), TRAP_GP, 0);
	gdt[GDT_FREE + 1] = gate(DATA, handler, ACCESS_CALL_GATE32 | GATE_DPL3, 0);
	CHECK_TRAP(trap_call_user(call_target, 0, 2), TRAP_GP, DATA);
	gdt[GDT_FREE + 1] = gate(USER_CODE, handler, ACCESS_CALL_GATE32, 0);
	target.selector = GATE;
	CHECK_TRAP(trap_call(call_target, 0), TRAP_GP, SELECTOR(GDT_USER_CODE));
	/* A jump can't go to an inner level. */
	gdt[GDT_FREE + 1] = gate(CODE, handler, ACCESS_CALL_GATE32 | GATE_DPL3, 0);
	target.selector = GATE_USER;
	CHECK_TRAP(trap_call_user(jump_target, 0, 2), TRAP_GP, CODE);
	gdt[GDT_FREE] = short_code();
	gdt[GDT_FREE + 1] = gate(FREE, 0x100, ACCESS_CALL_GATE32 | GATE_DPL3, 0);
	CHECK_TRAP(trap_call_user(call_target, 0, 2), TRAP_GP, 0);
}

static void direct_checks(void)
{
	target.selector = 0;
	CHECK_TRAP(trap_call(call_target, 0), TRAP_GP, 0);
	CHECK_TRAP(trap_call(jump_target, 0), TRAP_GP, 0);
	target.selector = DATA;
	CHECK_TRAP(trap_call(jump_target, 0), TRAP_GP, DATA);
	target.selector = 0x7ff8;
	CHECK_TRAP(trap_call(jump_target, 0), TRAP_GP, 0x7ff8);
	target.selector = USER_CODE;
	CHECK_TRAP(trap_call(jump_target, 0), TRAP_GP, SELECTOR(GDT_USER_CODE));
	target.selector = CODE;
	CHECK_TRAP(trap_call_user(jump_target, 0, 2), TRAP_GP, CODE);
	gdt[GDT_FREE] = segment(0, 0xfffff, ACCESS_CODE & ~ACCESS_PRESENT, FLAGS_32 | FLAGS_PAGES);
	target.selector = FREE;
	CHECK_TRAP(trap_call(jump_target, 0), TRAP_NP, FREE);
	gdt[GDT_FREE] = short_code();
	target.offset = 0x100;
	CHECK_TRAP(trap_call(jump_target, 0), TRAP_GP, 0);
	/* Conforming code runs at the caller's level. */
	gdt[GDT_FREE] = segment(0, 0xfffff, ACCESS_CONFORMING, FLAGS_32 | FLAGS_PAGES);
	target.offset = (uint32_t)(uintptr_t)jump_end;
	CHECK_TRAP(trap_call_user(jump_target, 0, 2), TRAP_LEAVE_USER, 0);
}

__attribute__((naked)) static void return_to_inner(uintptr_t selector)
{
	(void)selector;
	__asm__("movl 4(%esp), %eax\n"
		"pushl %eax\n"
		"pushl $1f\n"
		"lret\n"
		"1: ret");
}

static void return_checks(void)
{
	CHECK_TRAP(trap_call(return_to_inner, CODE), TRAP_NONE, 0);
	CHECK_TRAP(trap_call_user(return_to_inner, CODE, 2), TRAP_GP, CODE);
	CHECK_TRAP(trap_call(return_to_inner, 0), TRAP_GP, 0);
	CHECK_TRAP(trap_call(return_to_inner, DATA), TRAP_GP, DATA);
	CHECK_TRAP(trap_call(return_to_inner, 0x7ff8), TRAP_GP, 0x7ff8);
}

#define MSR_SYSENTER_CS 0x174
#define MSR_SYSENTER_ESP 0x175
#define MSR_SYSENTER_EIP 0x176

__attribute__((naked, used)) static void sysenter_target(void)
{
	__asm__("movl %cs, %eax\n"
		"movl %eax, seen\n"
		"movl %ss, %eax\n"
		"movl %eax, seen + 4\n"
		"movl %esp, seen + 8\n"
		"pushfl\n"
		"popl seen + 12\n"
		"movl esp_before, %ecx\n"
		"movl $sysexit_target, %edx\n"
		"sysexit\n"
		"sysexit_target:\n"
		"movl %cs, %eax\n"
		"movl %eax, seen + 16\n"
		"ret");
}

static void enter(uintptr_t unused)
{
	(void)unused;
	__asm__ volatile("pushl $1f\n"
			 "movl %%esp, esp_before\n"
			 "sysenter\n"
			 "1:"
			 :
			 :
			 : "eax", "ecx", "edx", "memory");
}

static void fast_calls(void)
{
	/* The four segments that SYSENTER and SYSEXIT take for granted stand in a row. */
	write_msr(MSR_SYSENTER_CS, 0);
	CHECK_TRAP(trap_call_user(enter, 0, 2), TRAP_GP, 0);
	write_msr(MSR_SYSENTER_CS, CODE);
	write_msr(MSR_SYSENTER_ESP, (uint32_t)(uintptr_t)trap_stack_top);
	write_msr(MSR_SYSENTER_EIP, (uint32_t)(uintptr_t)sysenter_target);
	CHECK_TRAP(trap_call_user(enter, 0, 2 | EFLAGS_IF), TRAP_LEAVE_USER, 0);
	CHECK_EQUAL(seen[0], CODE);
	CHECK_EQUAL(seen[1], DATA);
	CHECK_EQUAL(seen[2], (uint32_t)(uintptr_t)trap_stack_top);
	CHECK_EQUAL(seen[3] & EFLAGS_IF, 0);
	CHECK_EQUAL(seen[4], USER_CODE);
}

void guest_main(uint32_t magic, const void *multiboot_info)
{
	(void)magic;
	(void)multiboot_info;
	traps_init();
	same_level();
	inner_level();
	dropped();
	gate_checks();
	direct_checks();
	return_checks();
	fast_calls();
	checks_end();
}
