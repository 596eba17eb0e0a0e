/* SPDX-License-Identifier: MIT */
/*
 * apic.c - the local APIC (Intel SDM volume 3, chapter 11): x2APIC mode where the CPU has it, by
 * MSRs; else registers in memory.  Its timer is by TSC deadline where there is such a thing, else
 * one shot of a counter whose rate is measured against the TSC.
 */
#include "type1/runtime/apic.h"

#include "hw/cpuid.h"
#include "hw/pic.h"
#include "lib/bits.h"
#include "type1/runtime/boot.h"
#include "type1/runtime/cpu.h"
#include "type1/runtime/instructions.h"
#include "type1/runtime/memory.h"

#define MEASURE_NS UINT64_C(10000000)
#define ICR_POLLS 1000000u
#define PIC_VECTOR 0x20 /* where the 8259s' spurious ones end up: below VECTOR_DEVICE, nobody's */
#define PIC_CASCADE_MASK (1u << PIC_CASCADE)
#define PIC_ALL_MASKED 0xffu
#define DIVIDE_BY_16 0x3u /* APIC_DIVIDE, SDM figure 11-10 */

/* [const] after apic_init() */
static struct {
	bool x2apic, deadline;
	volatile uint32_t *registers; /* without x2apic */
	uint64_t ticks_to_count;      /* TSC ticks to the counter's, times 2^32 */
} apic;

static uint32_t apic_read(enum apic_register reg)
{
	if (apic.x2apic)
		return (uint32_t)read_msr(MSR_X2APIC_FIRST + reg / 16);
	return apic.registers[reg / 4];
}

static void apic_write(enum apic_register reg, uint32_t value)
{
	if (apic.x2apic)
		write_msr(MSR_X2APIC_FIRST + reg / 16, value);
	else
		apic.registers[reg / 4] = value;
}

uint32_t apic_own_id(void)
{
	uint32_t id = apic_read(APIC_ID);

	return apic.x2apic ? id : id >> APIC_ID_SHIFT;
}

void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

void apic_send_mode(uint32_t apic_id, enum apic_mode mode, uint8_t vector)
{
	uint32_t low = APIC_ICR_ASSERT | mode << APIC_MODE_SHIFT | vector;
	uint64_t flags;

	if (apic.x2apic) {
		/* The write is not serializing: what was stored before is seen by who is
		 * interrupted (SDM 11.12.3). */
		__asm__ volatile("mfence; lfence" : : : "memory");
		write_msr(MSR_X2APIC_FIRST + APIC_ICR / 16, (uint64_t)apic_id << 32 | low);
		return;
	}
	flags = irq_save();
	for (unsigned i = 0; i < ICR_POLLS && (apic_read(APIC_ICR) & APIC_ICR_PENDING); i++)
		cpu_relax();
	apic_write(APIC_ICR_HIGH, apic_id << APIC_ID_SHIFT);
	apic_write(APIC_ICR, low);
	irq_restore(flags);
}

void apic_send(unsigned cpu, uint8_t vector)
{
	apic_send_mode(cpus[cpu]->apic_id, APIC_MODE_FIXED, vector);
}

void apic_timer_set(uint64_t tsc)
{
	uint64_t now, count = 0;

	if (apic.deadline) {
		write_msr(MSR_TSC_DEADLINE, tsc);
		return;
	}
	if (tsc) {
		now = read_tsc();
		if (tsc > now)
			count = (unsigned __int128)(tsc - now) * apic.ticks_to_count >> 32;
		count = MAX(MIN(count, UINT32_MAX), 1);
	}
	apic_write(APIC_INITIAL_COUNT, (uint32_t)count);
}

/* The 8259s stay masked; a spurious interrupt of theirs is none of an exception's number. */
static void mask_pics(void)
{
	static const uint16_t ports[] = {PIC_MASTER_PORT, PIC_SLAVE_PORT};
	static const uint8_t wiring[] = {PIC_CASCADE_MASK, PIC_CASCADE};

	for (unsigned i = 0; i < ARRAY_COUNT(ports); i++) {
		out8(ports[i], PIC_ICW1 | PIC_ICW1_ICW4);
		out8(ports[i] + 1, (uint8_t)(PIC_VECTOR + i * PIC_PINS));
		out8(ports[i] + 1, wiring[i]);
		out8(ports[i] + 1, 1); /* ICW4: an 8086 */
		out8(ports[i] + 1, PIC_ALL_MASKED);
	}
}

static void measure_timer(void)
{
	uint64_t start, end;
	uint32_t counted;

	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
	apic_write(APIC_INITIAL_COUNT, UINT32_MAX);
	start = read_tsc();
	end = start + clock_to_tsc(MEASURE_NS) - clock_to_tsc(0);
	while (read_tsc() < end)
		cpu_relax();
	counted = UINT32_MAX - apic_read(APIC_CURRENT_COUNT);
	apic_write(APIC_INITIAL_COUNT, 0);
	apic.ticks_to_count = ((uint64_t)counted << 32) / (read_tsc() - start);
	if (!apic.ticks_to_count)
		panic(NULL, "apic: the timer doesn't count");
}

void apic_init_cpu(void)
{
	uint64_t base = read_msr(MSR_APIC_BASE) | APIC_BASE_ENABLE;

	write_msr(MSR_APIC_BASE, base);
	if (apic.x2apic)
		write_msr(MSR_APIC_BASE, base | APIC_BASE_X2APIC);
	apic_write(APIC_TPR, 0);
	apic_write(APIC_SVR, APIC_SVR_ENABLE | VECTOR_SPURIOUS);
	apic_write(APIC_LVT_LINT0, APIC_LVT_MASKED);
	apic_write(APIC_LVT_LINT1, APIC_MODE_NMI << APIC_MODE_SHIFT);
	apic_write(APIC_DIVIDE, DIVIDE_BY_16);
	apic_write(APIC_LVT_TIMER, VECTOR_TIMER | (apic.deadline ? APIC_TIMER_DEADLINE : 0));
	/* The mode is in force before a deadline is written (SDM 11.5.4.1). */
	__asm__ volatile("mfence" : : : "memory");
}

static void take_kick(struct trap_frame *frame)
{
	(void)frame;
	apic_eoi();
}

void apic_init(void)
{
	uint32_t features = cpuid(CPUID_LEAF_FEATURES, 0).ecx;

	mask_pics();
	apic.x2apic = features & CPUID_1_ECX_X2APIC;
	apic.deadline = features & CPUID_1_ECX_TSC_DEADLINE;
	if (!apic.x2apic)
		apic.registers = map_device(acpi_machine.apic_base, APIC_SIZE);
	if (!apic.x2apic && !apic.registers)
		panic(NULL, "apic: no memory");
	apic_init_cpu();
	if (!apic.deadline) {
		measure_timer();
		apic_init_cpu();
	}
	trap_set_handler(VECTOR_KICK, take_kick);
}
