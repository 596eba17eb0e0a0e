/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the interrupt chips: any access to their ports, registers and MSRs by any vCPU, lines and
 * messages, state from outside, while time passes and vCPUs take what comes.
 *
 * Input: operations of an opcode byte and what it needs.  What must hold besides memory safety and
 * the fake host's rules for locks: reads stay within their width, an interrupt that is pending can
 * be taken, its class is above the CPU's priority, and timers don't fire without bounds.
 */
#include <stddef.h>
#include <stdint.h>

#include "hw/msr.h"
#include "lib/bits.h"
#include "tests/support/chips.h"
#include "tests/support/fuzz_input.h"

#define CPUS 4
#define EVENTS 2
#define TIMERS_PER_STEP 20000 /* 1 s, all timers at their shortest period */

enum operation {
	PORT_READ,
	PORT_WRITE,
	APIC_READ,
	APIC_WRITE,
	IOAPIC_READ,
	IOAPIC_WRITE,
	MSR_READ,
	MSR_WRITE,
	SET_BASE,
	SET_CR8,
	LINE,
	MESSAGE,
	TAKE,
	TAKE_ALL,
	PASS_TIME,
	SIGNAL_EVENT,
	SET_TSC,
	RESET,
	SET_STATE,
	SET_LAPIC,
	SET_PIT,
	PV_EOI,
	PV_IPI,
	MEMORY,
	OPERATIONS,
};

static void fuzz_take_bytes(struct fuzz_input *input, void *to, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((uint8_t *)to)[i] = (uint8_t)fuzz_take(input, 1);
}

static uint16_t choose_port(struct fuzz_input *input)
{
	static const uint16_t ports[] = {0x20, 0x21,  0xa0,  0xa1, 0x40, 0x41, 0x42,
					 0x43, 0x4d0, 0x4d1, 0x61, 0x3f, 0x60, 0x44};

	return ports[fuzz_take(input, 1) % ARRAY_COUNT(ports)];
}

static void take(struct chips *chips, unsigned cpu)
{
	struct lapic *lapic = chips_lapic(chips, cpu);
	int pending = lapic_pending(lapic);
	uint8_t vector;
	struct lapic_taken taken;

	lapic_take_signals(lapic, &vector);
	fuzz_check(pending >= -1 && pending < 256);
	if (pending < 0)
		return;
	fuzz_check(lapic_has_work(lapic));
	taken = lapic_acknowledge(lapic, true);
	fuzz_check(taken.vector == pending);
	fuzz_check(taken.others || lapic_pending(lapic) < 0);
}

/* Time goes on by up to a second, timer by timer. */
static void pass_time(struct fuzz_input *input)
{
	uint64_t end = fake_host_monotonic + fuzz_take(input, 4) % 1000000000;

	for (unsigned timers = 0; fake_host_next_timer() <= end; timers++) {
		uint64_t next = fake_host_next_timer();

		fuzz_check(timers < TIMERS_PER_STEP);
		fake_host_advance(next > fake_host_monotonic ? next - fake_host_monotonic : 0);
	}
	fake_host_advance(end - fake_host_monotonic);
}

static void access(struct chips *chips, struct fuzz_input *input, unsigned cpu, uint64_t gpa,
		   bool write)
{
	uint8_t size = (uint8_t)(1u << fuzz_take(input, 1) % 4);
	uint64_t data = write ? fuzz_take(input, size) : 0;

	if (irqchip_memory(&chips->cpu[cpu], gpa, size, write, &data) && !write)
		fuzz_check(data <= size_mask(size));
}

static void set_state(struct chips *chips, struct fuzz_input *input)
{
	struct kvm_irqchip state = {.chip_id = (uint32_t)fuzz_take(input, 1) % 4};

	fuzz_take_bytes(input, &state.chip, sizeof(state.chip));
	/* Lest the others' accesses never meet it again. */
	if (state.chip_id == KVM_IRQCHIP_IOAPIC && fuzz_take(input, 1) % 4)
		state.chip.ioapic.base_address = IOAPIC_BASE_DEFAULT;
	irqchip_set(chips->vm.irqchip, &state);
	irqchip_get(chips->vm.irqchip, &state);
}

static void set_lapic(struct chips *chips, struct fuzz_input *input, unsigned cpu)
{
	struct kvm_lapic_state state;

	fuzz_take_bytes(input, &state, sizeof(state));
	lapic_set(chips_lapic(chips, cpu), &state);
	lapic_get(chips_lapic(chips, cpu), &state);
}

static void set_pit(struct chips *chips, struct fuzz_input *input)
{
	struct kvm_reinject_control control = {.pit_reinject = fuzz_take(input, 1) & 1};
	struct kvm_pit_state2 state;

	fuzz_take_bytes(input, &state, sizeof(state));
	irqchip_set_pit(chips->vm.irqchip, &state);
	irqchip_get_pit(chips->vm.irqchip, &state);
	irqchip_reinject_control(chips->vm.irqchip, &control);
}

static void step(struct chips *chips, const int32_t *events, struct fuzz_input *input)
{
	uint8_t opcode = (uint8_t)fuzz_take(input, 1);
	unsigned cpu = opcode >> 6;
	struct lapic *lapic = chips_lapic(chips, cpu);
	struct kvm_msi msi = {0};
	uint64_t value = 0;
	uint16_t port;
	uint8_t size;

	switch (opcode % 64 % OPERATIONS) {
	case PORT_READ:
		port = choose_port(input);
		size = (uint8_t)(1u << fuzz_take(input, 1) % 3);
		if (irqchip_port(&chips->cpu[cpu], port, size, false, &value))
			fuzz_check(value <= size_mask(size));
		break;
	case PORT_WRITE:
		port = choose_port(input);
		size = (uint8_t)(1u << fuzz_take(input, 1) % 3);
		value = fuzz_take(input, size);
		irqchip_port(&chips->cpu[cpu], port, size, true, &value);
		break;
	case APIC_READ:
	case APIC_WRITE:
		value = (lapic_get_base(lapic) & APIC_BASE_ADDRESS) + fuzz_take(input, 1) * 16;
		if (fuzz_take(input, 1) % 8 == 0)
			value += fuzz_take(input, 1) % 16;
		access(chips, input, cpu, value, opcode % 64 % OPERATIONS == APIC_WRITE);
		break;
	case IOAPIC_READ:
		access(chips, input, cpu, IOAPIC_BASE_DEFAULT + fuzz_take(input, 1), false);
		break;
	case IOAPIC_WRITE:
		access(chips, input, cpu, IOAPIC_BASE_DEFAULT + fuzz_take(input, 1) % 32 / 16 * 16,
		       true);
		break;
	case MSR_READ:
		lapic_msr_read(lapic, MSR_X2APIC_FIRST + (uint32_t)fuzz_take(input, 1), &value);
		lapic_msr_read(lapic, MSR_TSC_DEADLINE, &value);
		break;
	case MSR_WRITE:
		port = (uint16_t)fuzz_take(input, 1);
		value = fuzz_take(input, 8);
		lapic_msr_write(lapic, port == 0xff ? MSR_TSC_DEADLINE : MSR_X2APIC_FIRST + port,
				value);
		break;
	case SET_BASE:
		value = APIC_BASE_DEFAULT | fuzz_take(input, 1) << 8;
		if (fuzz_take(input, 1) % 8 == 0)
			value = fuzz_take(input, 8);
		lapic_set_base(lapic, value, fuzz_take(input, 1) & 1);
		break;
	case SET_CR8:
		lapic_set_tpr(lapic, fuzz_take(input, 1));
		break;
	case LINE:
		chips_line(chips, (uint32_t)fuzz_take(input, 1) % 32, fuzz_take(input, 1) & 1);
		break;
	case MESSAGE:
		msi.address_lo = 0xfee00000 | (uint32_t)fuzz_take(input, 3);
		msi.data = (uint32_t)fuzz_take(input, 2);
		irqchip_signal_msi(chips->vm.irqchip, &msi);
		break;
	case TAKE:
		take(chips, cpu);
		break;
	case TAKE_ALL:
		for (unsigned i = 0; i < CPUS * 4; i++)
			take(chips, i % CPUS);
		break;
	case PASS_TIME:
		pass_time(input);
		break;
	case SIGNAL_EVENT:
		fake_host_event_signal(events[fuzz_take(input, 1) % EVENTS]);
		break;
	case SET_TSC:
		chips->cpu[cpu].state.tsc_offset = fuzz_take(input, 8);
		lapic_tsc_changed(lapic);
		break;
	case RESET:
		if (fuzz_take(input, 1) & 1)
			lapic_init(lapic);
		else
			lapic_reset(lapic);
		break;
	case SET_STATE:
		set_state(chips, input);
		break;
	case SET_LAPIC:
		set_lapic(chips, input, cpu);
		break;
	case SET_PIT:
		set_pit(chips, input);
		break;
	case PV_EOI:
		lapic_set_pv_eoi(lapic, fuzz_take(input, 2));
		break;
	case PV_IPI:
		value = fuzz_take(input, 8);
		lapic_send_pv_ipi(lapic, value, fuzz_take(input, 8), fuzz_take(input, 5),
				  fuzz_take(input, 4), fuzz_take(input, 1) & 1);
		break;
	case MEMORY: /* the guest's EOI by its flag, wherever that is */
		value = fuzz_take(input, 2) % CHIPS_MEMORY;
		chips->memory[value] = (uint8_t)fuzz_take(input, 1);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t ids[CPUS] = {0, 1, 17, 300};
	struct fuzz_input input = {data, size};
	struct chips *chips;
	int32_t events[EVENTS];

	fake_host_reset();
	chips = chips_create(CPUS, ids);
	for (unsigned i = 0; i < EVENTS; i++)
		events[i] = fake_host_event_create();
	for (unsigned i = 0; i < EVENTS; i++) {
		struct kvm_irqfd irqfd = {.fd = (uint32_t)events[i],
					  .gsi = 9 + 10 * i,
					  .resamplefd = (uint32_t)events[(i + 1) % EVENTS],
					  .flags = i ? KVM_IRQFD_FLAG_RESAMPLE : 0};

		fuzz_check(!irqchip_irqfd(chips->vm.irqchip, &irqfd));
	}
	for (unsigned i = 0; i < CPUS; i++)
		apic_enable(chips, i);
	while (input.left)
		step(chips, events, &input);
	chips_destroy(chips);
	for (unsigned i = 0; i < EVENTS; i++)
		fake_host_event_close(events[i]);
	fuzz_check(fake_host_allocated == 0);
	return 0;
}
