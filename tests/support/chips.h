/* SPDX-License-Identifier: MIT */
/*
 * chips.h - the interrupt chips of a small VM on the fake host: vCPUs that only count their kicks,
 * and a page of guest memory at 0.  Included by one file of a program, since it stands in for what
 * the chips need of the rest of the core.
 */
#ifndef DYAD_TESTS_CHIPS_H
#define DYAD_TESTS_CHIPS_H

#include <errno.h>
#include <linux/kvm_para.h>
#include <stdlib.h>
#include <string.h>

#include "hw/apic.h"
#include "hw/ioapic.h"
#include "hw/pic.h"
#include "hw/pit.h"
#include "hypervisor/irqchip/irqchip.h"
#include "hypervisor/memory.h"
#include "hypervisor/vm.h"
#include "tests/support/fake_host.h"

#define CHIPS_CPUS_MAX 16
#define CHIPS_MEMORY 4096

struct chips {
	struct vm vm;
	struct vcpu *cpu; /* of count */
	unsigned count;
	unsigned kicks[VM_VCPUS_MAX];
	uint8_t memory[CHIPS_MEMORY];
};

static const struct backend chips_no_backend;

static inline struct chips *chips_of(struct vm *vm)
{
	return (struct chips *)vm;
}

void vcpu_kick(struct vcpu *vcpu)
{
	chips_of(vcpu->vm)->kicks[vcpu->index]++;
}

int memory_read(struct vm *vm, uint64_t gpa, void *to, size_t size)
{
	if (gpa >= CHIPS_MEMORY || size > CHIPS_MEMORY - gpa)
		return -EFAULT;
	memcpy(to, chips_of(vm)->memory + gpa, size);
	return 0;
}

int memory_write(struct vm *vm, uint64_t gpa, const void *from, size_t size)
{
	if (gpa >= CHIPS_MEMORY || size > CHIPS_MEMORY - gpa)
		return -EFAULT;
	memcpy(chips_of(vm)->memory + gpa, from, size);
	return 0;
}

/* vCPU n has the ID ids[n], or n. */
static inline struct chips *chips_create(unsigned count, const uint32_t *ids)
{
	const struct kvm_pit_config pit = {.flags = KVM_PIT_SPEAKER_DUMMY};
	struct chips *chips = calloc(1, sizeof(*chips));

	chips->vm.backend = &chips_no_backend;
	chips->count = count;
	chips->cpu = aligned_alloc(64, sizeof(struct vcpu) * count);
	memset(chips->cpu, 0, sizeof(struct vcpu) * count);
	if (irqchip_create(&chips->vm, &chips->vm.irqchip) ||
	    irqchip_create_pit(chips->vm.irqchip, &pit))
		abort();
	for (unsigned i = 0; i < count; i++) {
		chips->cpu[i].vm = &chips->vm;
		chips->cpu[i].id = ids ? ids[i] : i;
		chips->cpu[i].index = i;
		if (lapic_create(&chips->cpu[i], &chips->cpu[i].lapic))
			abort();
		chips->vm.vcpus[i] = &chips->cpu[i];
		chips->vm.vcpu_count = i + 1;
	}
	return chips;
}

static inline void chips_destroy(struct chips *chips)
{
	irqchip_stop(chips->vm.irqchip);
	for (unsigned i = 0; i < chips->count; i++)
		lapic_destroy(chips->cpu[i].lapic);
	irqchip_destroy(chips->vm.irqchip);
	free(chips->cpu);
	free(chips);
}

static inline struct lapic *chips_lapic(struct chips *chips, unsigned cpu)
{
	return chips->cpu[cpu].lapic;
}

/* --- Accesses of a vCPU; one that nobody answers is 0xdead -------------------------------------
 */

static inline uint64_t chips_in(struct chips *chips, uint16_t port)
{
	uint64_t data = 0;

	return irqchip_port(&chips->cpu[0], port, 1, false, &data) ? data : 0xdead;
}

static inline void chips_out(struct chips *chips, uint16_t port, uint8_t value)
{
	uint64_t data = value;

	irqchip_port(&chips->cpu[0], port, 1, true, &data);
}

static inline uint32_t chips_load(struct chips *chips, unsigned cpu, uint64_t gpa)
{
	uint64_t data = 0;

	return irqchip_memory(&chips->cpu[cpu], gpa, 4, false, &data) ? (uint32_t)data : 0xdead;
}

static inline void chips_store(struct chips *chips, unsigned cpu, uint64_t gpa, uint32_t value)
{
	uint64_t data = value;

	irqchip_memory(&chips->cpu[cpu], gpa, 4, true, &data);
}

static inline uint32_t apic_in(struct chips *chips, unsigned cpu, unsigned offset)
{
	return chips_load(chips, cpu, APIC_BASE_DEFAULT + offset);
}

static inline void apic_out(struct chips *chips, unsigned cpu, unsigned offset, uint32_t value)
{
	chips_store(chips, cpu, APIC_BASE_DEFAULT + offset, value);
}

static inline void apic_enable(struct chips *chips, unsigned cpu)
{
	apic_out(chips, cpu, APIC_SVR, APIC_SVR_ENABLE | 0xff);
}

static inline void ipi(struct chips *chips, unsigned from, uint32_t destination, uint32_t low)
{
	apic_out(chips, from, APIC_ICR_HIGH, destination << APIC_ID_SHIFT);
	apic_out(chips, from, APIC_ICR, low);
}

static inline uint32_t ioapic_in(struct chips *chips, uint8_t index)
{
	chips_store(chips, 0, IOAPIC_BASE_DEFAULT + IOAPIC_SELECT, index);
	return chips_load(chips, 0, IOAPIC_BASE_DEFAULT + IOAPIC_WINDOW);
}

static inline void ioapic_out(struct chips *chips, uint8_t index, uint32_t value)
{
	chips_store(chips, 0, IOAPIC_BASE_DEFAULT + IOAPIC_SELECT, index);
	chips_store(chips, 0, IOAPIC_BASE_DEFAULT + IOAPIC_WINDOW, value);
}

static inline void ioapic_route(struct chips *chips, unsigned pin, uint64_t rte)
{
	ioapic_out(chips, (uint8_t)(IOAPIC_REDIRECTION + 2 * pin + 1), (uint32_t)(rte >> 32));
	ioapic_out(chips, (uint8_t)(IOAPIC_REDIRECTION + 2 * pin), (uint32_t)rte);
}

static inline uint64_t ioapic_entry(struct chips *chips, unsigned pin)
{
	return ioapic_in(chips, (uint8_t)(IOAPIC_REDIRECTION + 2 * pin)) |
	       (uint64_t)ioapic_in(chips, (uint8_t)(IOAPIC_REDIRECTION + 2 * pin + 1)) << 32;
}

/* What the vCPU takes now; -1: nothing. */
static inline int chips_take(struct chips *chips, unsigned cpu)
{
	int pending = lapic_pending(chips_lapic(chips, cpu));

	if (pending < 0)
		return -1;
	return lapic_acknowledge(chips_lapic(chips, cpu), true).vector == pending ? pending : -2;
}

static inline void chips_eoi(struct chips *chips, unsigned cpu)
{
	apic_out(chips, cpu, APIC_EOI, 0);
}

static inline int chips_line(struct chips *chips, uint32_t gsi, bool level)
{
	return irqchip_set_line(chips->vm.irqchip, gsi, level);
}

#endif
