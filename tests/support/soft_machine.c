/* SPDX-License-Identifier: MIT */
#include "tests/support/soft_machine.h"

#include <string.h>

#include "tests/support/fake_host.h"

#define CODE64 0x00209b0000000000u
#define CODE_SELECTOR 8u
#define VECTORS 256u
#define HANDLER_SIZE 16u
#define GATE_INTERRUPT (UINT64_C(0x8e) << 40)

static void put64(struct core_machine *machine, uint64_t gpa, uint64_t value)
{
	memcpy(machine->ram + gpa, &value, sizeof(value));
}

static void set_tables(struct core_machine *machine)
{
	put64(machine, SOFT_MACHINE_PML4, SOFT_MACHINE_PDPT | PTE_P | PTE_RW | PTE_US);
	put64(machine, SOFT_MACHINE_PDPT, SOFT_MACHINE_PD | PTE_P | PTE_RW | PTE_US);
	put64(machine, SOFT_MACHINE_PD, PTE_PS | PTE_P | PTE_RW | PTE_US);
	put64(machine, SOFT_MACHINE_GDT + CODE_SELECTOR, CODE64);
	for (unsigned i = 0; i < VECTORS; i++) {
		uint64_t handler = SOFT_MACHINE_HANDLERS + i * HANDLER_SIZE;

		put64(machine, SOFT_MACHINE_IDT + i * 16,
		      (handler & 0xffff) | CODE_SELECTOR << 16 | GATE_INTERRUPT |
			      (handler & 0xffff0000) << 32);
		machine->ram[handler] = 0xf4; /* hlt */
	}
}

static void set_registers(struct soft_vcpu *c)
{
	struct cpu_state *s = &c->vcpu.state;
	struct cpu_segment data = {
		.limit = UINT32_MAX,
		.type = SEGMENT_TYPE_DATA_WRITABLE,
		.s = true,
		.present = true,
		.db = true,
		.g = true,
	};

	for (unsigned i = 0; i < CPU_SEGMENTS; i++)
		s->segment[i] = data;
	s->segment[CPU_CS].type = SEGMENT_TYPE_CODE_READABLE;
	s->segment[CPU_CS].selector = CODE_SELECTOR;
	s->segment[CPU_CS].l = true;
	s->segment[CPU_CS].db = false;
	s->gdtr = (struct cpu_table){SOFT_MACHINE_GDT, 15};
	s->idtr = (struct cpu_table){SOFT_MACHINE_IDT, VECTORS * 16 - 1};
	s->cr0 = CR0_PE | CR0_PG | CR0_WP | CR0_ET | CR0_NE;
	s->cr4 = CR4_PAE | CR4_PGE | CR4_OSFXSR;
	s->cr3 = SOFT_MACHINE_PML4;
	s->efer = EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE;
	s->gpr[CPU_RSP] = SOFT_MACHINE_STACK;
	soft_backend.state_changed(&c->vcpu);
}

void soft_machine_create(struct core_machine *machine, unsigned vcpus)
{
	core_machine_create(machine, &soft_backend, false, vcpus);
	set_tables(machine);
	for (unsigned i = 0; i < vcpus; i++)
		set_registers(soft_machine_vcpu(machine, i));
}

void soft_machine_code(struct core_machine *machine, uint64_t gpa, const void *code, size_t size)
{
	memcpy(machine->ram + gpa, code, size);
	hypervisor_memory_written(machine->vm, (uintptr_t)(machine->ram + gpa), size);
}

uint32_t soft_machine_run(struct core_machine *machine, unsigned i, uint64_t rip)
{
	struct kvm_run *run = hypervisor_vcpu_run(machine->vcpus[i]);

	machine->vcpus[i]->state.rip = rip;
	if (core_vcpu(machine, i, KVM_RUN, NULL) < 0)
		return KVM_EXIT_INTR;
	return run->exit_reason == KVM_EXIT_HLT ? 0 : run->exit_reason;
}

int soft_machine_vector(struct core_machine *machine, unsigned i)
{
	uint64_t at = machine->vcpus[i]->state.rip - 1;

	if (at < SOFT_MACHINE_HANDLERS ||
	    at >= SOFT_MACHINE_HANDLERS + (uint64_t)VECTORS * HANDLER_SIZE)
		return -1;
	return (int)((at - SOFT_MACHINE_HANDLERS) / HANDLER_SIZE);
}
