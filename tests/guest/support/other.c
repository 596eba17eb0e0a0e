/* SPDX-License-Identifier: MIT */
#include "tests/guest/support/other.h"

#include "tests/guest/support/traps.h"

#define LAPIC 0xfee00000u
#define LAPIC_ICR_LOW (*(volatile uint32_t *)(LAPIC + 0x300))
#define LAPIC_SPURIOUS (*(volatile uint32_t *)(LAPIC + 0xf0))
#define ICR_INIT_OTHERS 0xc4500u
#define ICR_STARTUP_OTHERS 0xc4600u
#define TRAMPOLINE 0x8000u
#define LOGICAL_COUNT_SHIFT 16 /* in EBX of CPUID's leaf 1 */

static void (*volatile other_main)(void);
static volatile bool started;

/* The other CPU's first instructions, at TRAMPOLINE, in real mode. */
__asm__(".code16\n"
	"other_begin: cli\n"
	"	xorw %ax, %ax\n"
	"	movw %ax, %ds\n"
	"	lgdtl other_gdtr - other_begin + 0x8000\n"
	"	movl %cr0, %eax\n"
	"	orb $1, %al\n"
	"	movl %eax, %cr0\n"
	"	ljmpl $0x08, $other_start_32\n"
	"other_gdtr: .word 0xff\n"
	"	.long gdt\n"
	"other_end:\n"
	".code32\n"
	"other_start_32: movw $0x10, %ax\n"
	"	movw %ax, %ds\n"
	"	movw %ax, %es\n"
	"	movw %ax, %ss\n"
	"	movl $other_stack + 4096, %esp\n"
	"	call other_begun\n");
__attribute__((used)) static uint8_t other_stack[4096] __attribute__((aligned(16)));
extern const uint8_t other_begin[], other_end[];

__attribute__((used, noreturn)) static void other_begun(void)
{
	started = true;
	other_main();
	for (;;)
		__asm__ volatile("cli; hlt");
}

static void wait_until(uint64_t until)
{
	while (!started && read_tsc() < until)
		__asm__ volatile("pause" : : : "memory");
}

bool other_start(void (*main)(void))
{
	unsigned size = (unsigned)(other_end - other_begin);
	uint32_t registers[4];

	cpuid(1, 0, registers);
	if ((registers[1] >> LOGICAL_COUNT_SHIFT & 0xff) < 2)
		return false;
	other_main = main;
	for (unsigned i = 0; i < size; i++)
		((volatile uint8_t *)TRAMPOLINE)[i] = other_begin[i];
	LAPIC_SPURIOUS = 0x1ff;
	LAPIC_ICR_LOW = ICR_INIT_OTHERS;
	wait_until(read_tsc() + 1000000);
	LAPIC_ICR_LOW = ICR_STARTUP_OTHERS | TRAMPOLINE >> 12;
	wait_until(read_tsc() + 2000000000);
	return started;
}
