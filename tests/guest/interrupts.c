/* SPDX-License-Identifier: MIT */
/*
 * Interrupts: both PICs and the PIT as a PC without APICs has them, then the local APIC's
 * priorities, its timer in all modes, NMIs, and the I/O APIC's edges and levels.  Lines are pulled
 * by the test device.
 */
#include "tests/guest/support/traps.h"

#define LINE_PORT 0x2000 /* of the test device: a port for each line */
#define PIC_MASTER 0x20
#define PIC_SLAVE 0xa0
#define PIC_END 0x20
#define PIC_BASE 0x20 /* vectors of the master; the slave's follow */
#define PIT_PORT 0x40
#define PIT_CONTROL 0x43
#define PIT_HZ 1193182u

#define APIC(offset) (*(volatile uint32_t *)(uintptr_t)(0xfee00000u + (offset)))
#define APIC_TPR APIC(0x80)
#define APIC_PPR APIC(0xa0)
#define APIC_EOI APIC(0xb0)
#define APIC_SVR APIC(0xf0)
#define APIC_ICR APIC(0x300)
#define APIC_LVT_TIMER APIC(0x320)
#define APIC_LVT_LINT0 APIC(0x350)
#define APIC_INITIAL APIC(0x380)
#define APIC_CURRENT APIC(0x390)
#define APIC_DIVIDE APIC(0x3e0)
#define APIC_MASKED 0x10000u
#define ICR_SELF 0x40000u
#define ICR_NMI 0x400u
#define TIMER_PERIODIC 0x20000u
#define TIMER_DEADLINE 0x40000u
#define MSR_DEADLINE 0x6e0u
#define CPUID_DEADLINE (1u << 24)

#define IOAPIC_SELECT (*(volatile uint32_t *)(uintptr_t)0xfec00000u)
#define IOAPIC_WINDOW (*(volatile uint32_t *)(uintptr_t)0xfec00010u)
#define RTE_LEVEL 0x8000u
#define RTE_REMOTE_IRR 0x4000u
#define GSI 20

#define TAKEN_MAX 64
static volatile uint8_t taken[TAKEN_MAX];
static volatile unsigned taken_count;
static volatile unsigned fall_after; /* the level line is let go at this many */
static volatile uint64_t taken_tsc;

static void line(unsigned gsi, bool level)
{
	out8((uint16_t)(LINE_PORT + gsi), level);
}

static bool take(struct trap_frame *frame)
{
	if (frame->vector != TRAP_NMI && frame->vector < PIC_BASE)
		return false;
	taken_tsc = read_tsc();
	if (taken_count < TAKEN_MAX)
		taken[taken_count] = (uint8_t)frame->vector;
	taken_count++;
	if (fall_after && taken_count == fall_after)
		line(GSI, false);
	if (frame->vector == TRAP_NMI)
		return true;
	if (frame->vector >= PIC_BASE + 16) {
		APIC_EOI = 0;
		return true;
	}
	if (frame->vector >= PIC_BASE + 8)
		out8(PIC_SLAVE, PIC_END);
	out8(PIC_MASTER, PIC_END);
	return true;
}

static void forget(void)
{
	taken_count = 0;
	fall_after = 0;
}

/* Lets in what is pending now. */
static void let_in(void)
{
	__asm__ volatile("sti; nop; nop; cli" : : : "memory");
}

static void halt(void)
{
	__asm__ volatile("sti; hlt; cli" : : : "memory");
}

static void pulse(unsigned gsi)
{
	line(gsi, true);
	line(gsi, false);
}

/* --- As a PC without APICs -------------------------------------------------------------------- */

static void pic_init(void)
{
	out8(PIC_MASTER, 0x11);
	out8(PIC_MASTER + 1, PIC_BASE);
	out8(PIC_MASTER + 1, 0x04);
	out8(PIC_MASTER + 1, 0x01);
	out8(PIC_SLAVE, 0x11);
	out8(PIC_SLAVE + 1, PIC_BASE + 8);
	out8(PIC_SLAVE + 1, 0x02);
	out8(PIC_SLAVE + 1, 0x01);
	out8(PIC_MASTER + 1, 0x00);
	out8(PIC_SLAVE + 1, 0x00);
}

static void pic_priorities(void)
{
	forget();
	pulse(10);
	pulse(5);
	pulse(1);
	pulse(13);
	CHECK_EQUAL(taken_count, 0);
	let_in();
	CHECK_EQUAL(taken_count, 4);
	CHECK_EQUAL(taken[0], PIC_BASE + 1);
	CHECK_EQUAL(taken[1], PIC_BASE + 10);
	CHECK_EQUAL(taken[2], PIC_BASE + 13);
	CHECK_EQUAL(taken[3], PIC_BASE + 5);
}

static void pit_ticks(void)
{
	const unsigned reload = PIT_HZ / 1000;
	uint64_t start;

	forget();
	out8(PIT_CONTROL, 0x34); /* channel 0, both bytes, mode 2 */
	out8(PIT_PORT, reload & 0xff);
	out8(PIT_PORT, reload >> 8);
	start = read_tsc();
	while (taken_count < 20)
		halt();
	CHECK(read_tsc() > start);
	for (unsigned i = 0; i < 20; i++)
		CHECK_EQUAL(taken[i], PIC_BASE);
	out8(PIT_CONTROL, 0x30); /* mode 0 without a count: no more */
	let_in();
	out8(PIC_MASTER + 1, 0xff);
	out8(PIC_SLAVE + 1, 0xff);
}

/* --- The local APIC --------------------------------------------------------------------------- */

static void apic_priorities(void)
{
	APIC_SVR = 0x1ff;
	APIC_LVT_LINT0 = APIC_MASKED;
	forget();
	APIC_ICR = ICR_SELF | 0x41;
	APIC_ICR = ICR_SELF | 0x71;
	APIC_ICR = ICR_SELF | 0x78;
	APIC_TPR = 0x50;
	CHECK_EQUAL(APIC_PPR, 0x50);
	let_in();
	CHECK_EQUAL(taken_count, 2);
	CHECK_EQUAL(taken[0], 0x78);
	CHECK_EQUAL(taken[1], 0x71);
	APIC_TPR = 0;
	let_in();
	CHECK_EQUAL(taken_count, 3);
	CHECK_EQUAL(taken[2], 0x41);
	APIC_ICR = ICR_SELF | ICR_NMI; /* interrupts off don't hold it back */
	CHECK_EQUAL(taken_count, 4);
	CHECK_EQUAL(taken[3], TRAP_NMI);
}

static void apic_timer(void)
{
	forget();
	APIC_DIVIDE = 0xb;
	APIC_LVT_TIMER = 0x50;
	APIC_INITIAL = 50000000; /* 50 ms: the host may be busy */
	CHECK(APIC_CURRENT > 0);
	halt();
	CHECK_EQUAL(taken_count, 1);
	CHECK_EQUAL(taken[0], 0x50);
	CHECK_EQUAL(APIC_CURRENT, 0);
	APIC_LVT_TIMER = TIMER_PERIODIC | 0x51;
	APIC_INITIAL = 1000000;
	while (taken_count < 11)
		halt();
	for (unsigned i = 1; i < 11; i++)
		CHECK_EQUAL(taken[i], 0x51);
	APIC_INITIAL = 0;
	let_in();
}

static void deadline(void)
{
	uint32_t registers[4];
	uint64_t at;

	cpuid(1, 0, registers);
	if (!(registers[2] & CPUID_DEADLINE))
		return;
	APIC_LVT_TIMER = TIMER_DEADLINE | 0x52;
	for (unsigned i = 0; i < 10; i++) {
		forget();
		at = read_tsc() + 1000000;
		write_msr(MSR_DEADLINE, at);
		while (!taken_count)
			halt();
		CHECK(taken_tsc >= at);
		CHECK(read_msr(MSR_DEADLINE) == 0);
	}
	forget();
	write_msr(MSR_DEADLINE, 1); /* long ago */
	let_in();
	CHECK_EQUAL(taken_count, 1);
	APIC_LVT_TIMER = APIC_MASKED;
}

/* --- The I/O APIC ----------------------------------------------------------------------------- */

static void route(uint32_t low)
{
	IOAPIC_SELECT = 0x10 + 2 * GSI + 1;
	IOAPIC_WINDOW = 0;
	IOAPIC_SELECT = 0x10 + 2 * GSI;
	IOAPIC_WINDOW = low;
}

static void edges_and_levels(void)
{
	forget();
	route(0x61);
	pulse(GSI);
	let_in();
	pulse(GSI);
	let_in();
	CHECK_EQUAL(taken_count, 2);
	CHECK_EQUAL(taken[1], 0x61);

	forget();
	fall_after = 5;
	route(RTE_LEVEL | 0x62);
	line(GSI, true);
	CHECK(IOAPIC_WINDOW & RTE_REMOTE_IRR);
	for (unsigned i = 0; i < 10; i++)
		let_in();
	CHECK_EQUAL(taken_count, 5);
	CHECK(!(IOAPIC_WINDOW & RTE_REMOTE_IRR));

	/* Masked it waits. */
	forget();
	fall_after = 1;
	route(APIC_MASKED | RTE_LEVEL | 0x63);
	line(GSI, true);
	let_in();
	CHECK_EQUAL(taken_count, 0);
	route(RTE_LEVEL | 0x63);
	let_in();
	CHECK_EQUAL(taken_count, 1);
	route(APIC_MASKED);
}

void guest_main(uint32_t magic, const void *multiboot_info)
{
	(void)magic;
	(void)multiboot_info;
	traps_init();
	trap_hook = take;
	pic_init();
	pic_priorities();
	pit_ticks();
	apic_priorities();
	apic_timer();
	deadline();
	edges_and_levels();
	checks_end();
}
