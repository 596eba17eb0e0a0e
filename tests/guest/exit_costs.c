/* SPDX-License-Identifier: MIT */
/*
 * How long the commonest exits take, and interrupts from what causes them to their handler, in
 * ticks of the time-stamp counter: under the lab's --icount a tick is an instruction.  A line each;
 * what needs a second CPU is left out without one.
 */
#include "tests/guest/support/other.h"
#include "tests/guest/support/traps.h"

#define TIMES 2000
#define WARM_UP 200
#define LINE_STATUS (GUEST_SERIAL + 5)
#define PIC_MASK 0x21
#define MSR_APIC_BASE 0x1b
#define APIC_BASE_X2APIC 0x400u
#define MSR_TSC_DEADLINE 0x6e0
#define MSR_X2APIC(offset) (0x800 + (offset) / 16)
#define X2APIC_EOI MSR_X2APIC(0xb0)
#define X2APIC_SVR MSR_X2APIC(0xf0)
#define X2APIC_ICR MSR_X2APIC(0x300)
#define X2APIC_LVT_TIMER MSR_X2APIC(0x320)
#define X2APIC_SELF_IPI MSR_X2APIC(0x3f0)
#define SVR_ENABLE 0x1ff
#define TIMER_DEADLINE 0x40000u
#define VECTOR_MEASURED 0x50
#define VECTOR_WAKE 0x60
#define OTHER_ID 1
#define HALTS 200
#define HALT_TICKS 1000000 /* long enough for the other CPU to have halted again */
#define NO_HYPERCALL 0xffff
#define VENDOR_INTEL 0x756e6547u /* "Genu", in EBX */
#define FRESH_MEMORY 0x2000000   /* up to 32 MiB + 9 MiB: the machine has more */
#define PAGE 4096

static void nothing(void)
{
	__asm__ volatile("" : : : "memory");
}

static void ask_cpuid(void)
{
	uint32_t registers[4];

	cpuid(0, 0, registers);
}

/* Each maker has an instruction of its own; the other's is #UD, which hypervisors help out with. */
static bool is_intel(void)
{
	static int known = -1;
	uint32_t r[4];

	if (known < 0) {
		cpuid(0, 0, r);
		known = r[1] == VENDOR_INTEL;
	}
	return known;
}

static void hypercall(void)
{
	uint32_t a = NO_HYPERCALL;

	if (is_intel())
		__asm__ volatile("vmcall" : "+a"(a) : : "memory");
	else
		__asm__ volatile("vmmcall" : "+a"(a) : : "memory");
}

static void read_apic_base(void)
{
	read_msr(MSR_APIC_BASE);
}

static void read_core_port(void)
{
	in8(PIC_MASK);
}

static void read_monitor_port(void)
{
	in8(LINE_STATUS);
}

/* Each time a page that nothing has touched yet. */
static void touch_page(void)
{
	static volatile uint8_t *page = (uint8_t *)FRESH_MEMORY;

	*page = 1;
	page += PAGE;
}

static uint32_t ticks_of(void (*what)(void), uint32_t times)
{
	uint64_t start = read_tsc();

	for (uint32_t i = 0; i < times; i++)
		what();
	return (uint32_t)(read_tsc() - start);
}

static void tell(const char *name, uint32_t ticks)
{
	guest_print(name);
	guest_print(": ");
	guest_print_number(ticks);
	guest_print("\n");
}

static void measure(const char *name, void (*what)(void))
{
	uint32_t loop;

	ticks_of(what, WARM_UP);
	ticks_of(nothing, WARM_UP);
	loop = ticks_of(nothing, TIMES);
	tell(name, (ticks_of(what, TIMES) - loop) / TIMES);
}

/* --- Interrupts ------------------------------------------------------------------------------- */

static volatile uint64_t arrived; /* when the measured interrupt's handler began; 0: not yet */
static volatile bool woken;

static bool take(struct trap_frame *frame)
{
	if (frame->vector != VECTOR_WAKE)
		return false;
	woken = true;
	write_msr(X2APIC_EOI, 0);
	return true;
}

struct interrupt_frame;
__attribute__((interrupt)) static void note_arrival(struct interrupt_frame *frame)
{
	(void)frame;
	arrived = read_tsc();
	write_msr(X2APIC_EOI, 0);
}

static void x2apic_init(void)
{
	write_msr(MSR_APIC_BASE, read_msr(MSR_APIC_BASE) | APIC_BASE_X2APIC);
	write_msr(X2APIC_SVR, SVR_ENABLE);
}

static void set_past_deadline(void)
{
	write_msr(MSR_TSC_DEADLINE, 1);
}

static void send_self(void)
{
	write_msr(X2APIC_SELF_IPI, VECTOR_MEASURED);
}

static uint32_t ticks_to_interrupt(void (*cause)(void), uint32_t times)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < times; i++) {
		uint64_t start;

		arrived = 0;
		start = read_tsc();
		cause();
		while (!arrived)
			;
		sum += arrived - start;
	}
	return (uint32_t)sum;
}

static void measure_interrupt(const char *name, void (*cause)(void))
{
	ticks_to_interrupt(cause, WARM_UP);
	tell(name, ticks_to_interrupt(cause, TIMES) / TIMES);
}

/* Ends by the timer, which is set before: meanwhile the other CPU has this one's, if they share. */
static uint32_t ticks_to_halted(uint32_t times)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < times; i++) {
		uint64_t start;

		arrived = 0;
		woken = false;
		write_msr(MSR_TSC_DEADLINE, read_tsc() + HALT_TICKS);
		start = read_tsc();
		write_msr(X2APIC_ICR, (uint64_t)OTHER_ID << 32 | VECTOR_MEASURED);
		while (!woken)
			__asm__ volatile("sti; hlt; cli" : : : "memory");
		while (!arrived)
			__asm__ volatile("pause" : : : "memory");
		sum += arrived - start;
	}
	return (uint32_t)sum;
}

static void run_other(void)
{
	traps_load();
	x2apic_init();
	for (;;)
		__asm__ volatile("sti; hlt" : : : "memory");
}

static void measure_interrupts(void)
{
	bool has_other;

	traps_init();
	trap_hook = take;
	idt[VECTOR_MEASURED] =
		gate(CODE, (uint32_t)(uintptr_t)note_arrival, ACCESS_INTERRUPT_GATE, 0);
	has_other = other_start(run_other);
	x2apic_init();
	__asm__ volatile("sti" : : : "memory");
	measure_interrupt("self-IPI", send_self);
	write_msr(X2APIC_LVT_TIMER, TIMER_DEADLINE | VECTOR_MEASURED);
	measure_interrupt("deadline in the past", set_past_deadline);
	__asm__ volatile("cli" : : : "memory");
	if (!has_other)
		return;
	write_msr(X2APIC_LVT_TIMER, TIMER_DEADLINE | VECTOR_WAKE);
	ticks_to_halted(HALTS / 10);
	tell("IPI to a halted CPU", ticks_to_halted(HALTS) / HALTS);
}

void guest_main(uint32_t magic, const void *multiboot_info)
{
	(void)magic;
	(void)multiboot_info;
	measure("cpuid", ask_cpuid);
	measure("hypercall", hypercall);
	measure("msr read", read_apic_base);
	measure("port read in the core", read_core_port);
	measure("port read by the monitor", read_monitor_port);
	measure("first touch of 4 KiB", touch_page);
	measure_interrupts();
	guest_exit(0);
}
