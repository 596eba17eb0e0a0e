/* SPDX-License-Identifier: MIT */
/*
 * Real mode and the ways into and out of it: addresses, the interrupt vector table, exceptions
 * without error codes, limits that protected mode left behind, LMSW; what CR0 and CR4 refuse, and
 * that caches can be off.
 */
#include "tests/guest/support/traps.h"

#define REAL_BASE 0x8000 /* the code's copy, as segment 0x0800 */
#define NOTES ((volatile uint16_t *)0x9000)

/*
 * In real mode, CS 0x0800, other segments 0, SP 0x7000.  BX: the offset of what is to be called;
 * it ends by RET.  Notes stand at 0x9000.
 */
__asm__(".code16\n"
	"real_begin:\n"
	"real_enter:\n"
	"	movw $0x38, %ax\n" /* GDT_DATA16 */
	"	movw %ax, %ds\n"
	"	movw %ax, %es\n"
	"	movw %ax, %ss\n"
	"	movl %cr0, %eax\n"
	"	andl $~1, %eax\n"
	"	movl %eax, %cr0\n"
	"	ljmp $0x0800, $1f - real_begin\n"
	"1:	xorw %ax, %ax\n"
	"	movw %ax, %ds\n"
	"	movw %ax, %es\n"
	"	movw %ax, %ss\n"
	"	movw $0x7000, %sp\n"
	"	lidtw %cs:real_idtr - real_begin\n"
	"	call *%bx\n"
	"	movl %cr0, %eax\n"
	"	orb $1, %al\n"
	"	movl %eax, %cr0\n"
	"	ljmpl $0x08, $real_back\n"
	"real_idtr:\n"
	"	.word 0x3ff\n"
	"	.long 0\n"

	/* Sets vector BX to CS:AX. */
	"set_vector:\n"
	"	shlw $2, %bx\n"
	"	movw %ax, (%bx)\n"
	"	movw %cs, 2(%bx)\n"
	"	ret\n"

	/* INT 0x60: what its handler finds. */
	"real_int:\n"
	"	movw $0x60, %bx\n"
	"	movw $1f - real_begin, %ax\n"
	"	call set_vector\n"
	"	pushw $0x0302\n" /* IF, TF; TF's first trap would come behind INT */
	"	movw %sp, 0x9000\n"
	"	popfw\n"
	"	int $0x60\n"
	"2:	movw %sp, 0x9002\n"
	"	cli\n"
	"	ret\n"
	"1:	pushfw\n"
	"	popw 0x9004\n" /* flags in the handler */
	"	movw %sp, 0x9006\n"
	"	pushw %bp\n"
	"	movw %sp, %bp\n"
	"	movw 2(%bp), %ax\n"
	"	movw %ax, 0x9008\n"
	"	movw 4(%bp), %ax\n"
	"	movw %ax, 0x900a\n"
	"	movw 6(%bp), %ax\n"
	"	movw %ax, 0x900c\n"
	"	movw $2b - real_begin, 0x900e\n"
	"	andw $0xfcff, 6(%bp)\n"
	"	popw %bp\n"
	"	iretw\n"

	/* Catches vector BX, calls AX, and notes IP and how much was pushed. */
	"catch:\n"
	"	movw %ax, %di\n"
	"	movw $1f - real_begin, %ax\n"
	"	call set_vector\n"
	"	movw $0xffff, 0x9000\n"
	"	movw %sp, 0x9002\n"
	"	jmp *%di\n"
	"1:	movw %sp, 0x9004\n"
	"	popw 0x9000\n"
	"	movw 0x9002, %sp\n"
	"	ret\n"

	"real_divide:\n"
	"	movw $0, %bx\n"
	"	movw $1f - real_begin, %ax\n"
	"	movw $1f - real_begin, 0x9006\n"
	"	jmp catch\n"
	"1:	divb 0x8ffe\n"

	"real_limit:\n"
	"	movw $13, %bx\n"
	"	movw $1f - real_begin, %ax\n"
	"	movw $1f - real_begin, 0x9006\n"
	"	jmp catch\n"
	"1:	movw 0xffff, %ax\n"
	"	ret\n"

	"real_stack_limit:\n"
	"	movw $0xffff, %bp\n"
	"	movw $12, %bx\n"
	"	movw $1f - real_begin, %ax\n"
	"	movw $1f - real_begin, 0x9006\n"
	"	jmp catch\n"
	"1:	movw (%bp), %ax\n"
	"	ret\n"

	"real_undefined:\n"
	"	movw $6, %bx\n"
	"	movw $1f - real_begin, %ax\n"
	"	movw $1f - real_begin, 0x9006\n"
	"	jmp catch\n"
	"1:	lldt %ax\n"
	"	ret\n"

	/* FS keeps the limit that it came with, also when it is loaded here. */
	"real_unreal:\n"
	"	movw $0x1234, %ax\n"
	"	movw %ax, %fs\n"
	"	movl $0x200000 - 0x12340, %ebx\n"
	"	movl %fs:(%ebx), %eax\n"
	"	movl %eax, 0x9000\n"
	"	ret\n"

	/* Addresses go on behind 1 MiB: 0xffff:0x10. */
	"real_high:\n"
	"	movw $0xffff, %ax\n"
	"	movw %ax, %es\n"
	"	movl %es:0x10, %eax\n"
	"	movl %eax, 0x9000\n"
	"	ret\n"

	/* LMSW sets PE, and does not clear it. */
	"real_lmsw:\n"
	"	smsw %ax\n"
	"	movw %ax, 0x9000\n"
	"	orb $1, %al\n"
	"	lmsw %ax\n"
	"	smsw %ax\n"
	"	movw %ax, 0x9002\n"
	"	andb $0xfe, %al\n"
	"	lmsw %ax\n"
	"	smsw %ax\n"
	"	movw %ax, 0x9004\n"
	"	movl %cr0, %eax\n"
	"	andb $0xfe, %al\n"
	"	movl %eax, %cr0\n"
	"	smsw %ax\n"
	"	movw %ax, 0x9006\n"
	"	ret\n"

	/* Far calls and returns push the segment. */
	"real_far:\n"
	"	movw %sp, 0x9000\n"
	"	lcall $0x0800, $1f - real_begin\n"
	"	movw %sp, 0x9002\n"
	"	ret\n"
	"1:	movw %sp, 0x9004\n"
	"	movw %sp, %bp\n"
	"	movw 2(%bp), %ax\n"
	"	movw %ax, 0x9006\n"
	"	lretw\n"
	"real_end:\n"
	".code32\n"

	"call_real:\n"
	"	pushal\n"
	"	movl 36(%esp), %ebx\n"
	"	movl %esp, real_esp\n"
	"	ljmp $0x50, $0\n" /* GDT_FREE: 16 bits, at REAL_BASE */
	"real_back:\n"
	"	movw $0x10, %ax\n"
	"	movw %ax, %ds\n"
	"	movw %ax, %es\n"
	"	movw %ax, %ss\n"
	"	movw %ax, %fs\n"
	"	movw %ax, %gs\n"
	"	movl real_esp, %esp\n"
	"	popal\n"
	"	ret\n");

__attribute__((used)) static uint32_t real_esp;
extern const uint8_t real_begin[], real_end[];
void call_real(uint32_t offset);

#define REAL(name)                                                                                 \
	({                                                                                         \
		extern const uint8_t name[];                                                       \
                                                                                                   \
		call_real((uint32_t)(name - real_begin));                                          \
		traps_load();                                                                      \
	})

static void caught(int line)
{
	check_equal(NOTES[0], NOTES[3], "IP", __FILE__, line);
	/* FLAGS, CS, IP, and no error code */
	check_equal((uint16_t)(NOTES[1] - NOTES[2]), 6, "pushed", __FILE__, line);
}

static void interrupts(void)
{
	REAL(real_int);
	CHECK_EQUAL(NOTES[1], NOTES[0] + 2);    /* SP is as it was */
	CHECK_EQUAL(NOTES[2] & 0x0300, 0);      /* no IF, no TF */
	CHECK_EQUAL(NOTES[3], NOTES[1] - 6);    /* three words */
	CHECK_EQUAL(NOTES[4], NOTES[7]);        /* IP */
	CHECK_EQUAL(NOTES[5], REAL_BASE >> 4);  /* CS */
	CHECK_EQUAL(NOTES[6] & 0x0300, 0x0300); /* FLAGS */
}

static void real(void)
{
	interrupts();
	REAL(real_divide);
	caught(__LINE__);
	REAL(real_limit);
	caught(__LINE__);
	REAL(real_stack_limit);
	caught(__LINE__);
	REAL(real_undefined);
	caught(__LINE__);
	*(volatile uint32_t *)0x200000 = 0x13572468;
	REAL(real_unreal);
	CHECK_EQUAL(*(volatile uint32_t *)NOTES, 0x13572468);
	REAL(real_high);
	CHECK_EQUAL(*(volatile uint32_t *)NOTES, *(volatile uint32_t *)0x100000);
	REAL(real_lmsw);
	CHECK_EQUAL(NOTES[0] & 1, 0);
	CHECK_EQUAL(NOTES[1] & 1, 1);
	CHECK_EQUAL(NOTES[2] & 1, 1);
	CHECK_EQUAL(NOTES[3] & 1, 0);
	REAL(real_far);
	CHECK_EQUAL(NOTES[1], NOTES[0]);
	CHECK_EQUAL(NOTES[2], NOTES[0] - 4);
	CHECK_EQUAL(NOTES[3], REAL_BASE >> 4);
}

static void set_cr0(uintptr_t value)
{
	write_cr0(value);
}

static void set_cr4(uintptr_t value)
{
	write_cr4(value);
}

static void refused(void)
{
	uint32_t cr0 = read_cr0(), cr4 = read_cr4();

	CHECK_TRAP(trap_call(set_cr0, (cr0 | 0x80000000u) & ~1u), TRAP_GP, 0);
	CHECK_TRAP(trap_call(set_cr0, (cr0 | 0x20000000u) & ~0x40000000u), TRAP_GP, 0);
	CHECK_EQUAL(read_cr0(), cr0);
	CHECK_TRAP(trap_call(set_cr0, cr0 & ~0x10u), TRAP_NONE, 0);
	CHECK_EQUAL(read_cr0(), cr0); /* ET is always one */
	CHECK_TRAP(trap_call(set_cr4, cr4 | 0x80000000u), TRAP_GP, 0);
	CHECK_TRAP(trap_call(set_cr4, cr4 | 0x20000u), TRAP_GP, 0); /* PCIDE outside long mode */
	CHECK_EQUAL(read_cr4(), cr4);
}

#define CR0_TS 0x8u
#define CR0_CD 0x40000000u
#define CR0_NW 0x20000000u

/* What is set is read, by all instructions that read it, whatever a hypervisor makes of it. */
static void caches_off(void)
{
	uint32_t cr0 = read_cr0(), word;

	write_cr0(cr0 | CR0_CD | CR0_NW);
	CHECK_EQUAL(read_cr0(), cr0 | CR0_CD | CR0_NW);
	__asm__ volatile("smswl %0" : "=r"(word));
	CHECK_EQUAL(word, cr0 | CR0_CD | CR0_NW);
	write_cr0(read_cr0() | CR0_TS);
	CHECK_EQUAL(read_cr0(), cr0 | CR0_CD | CR0_NW | CR0_TS);
	__asm__ volatile("clts");
	CHECK_EQUAL(read_cr0(), cr0 | CR0_CD | CR0_NW);
	write_cr0(cr0 | CR0_CD);
	CHECK_EQUAL(read_cr0(), cr0 | CR0_CD);
	write_cr0(cr0);
	CHECK_EQUAL(read_cr0(), cr0);
}

void guest_main(uint32_t magic, const void *multiboot_info)
{
	uint8_t *to = (uint8_t *)REAL_BASE;

	(void)magic;
	(void)multiboot_info;
	traps_init();
	gdt[GDT_FREE] = segment(REAL_BASE, 0xffff, ACCESS_CODE, FLAGS_16);
	for (const uint8_t *from = real_begin; from < real_end; from++)
		*to++ = *from;
	real();
	refused();
	caches_off();
	checks_end();
}
