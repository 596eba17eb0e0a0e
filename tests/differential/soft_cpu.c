/* SPDX-License-Identifier: MIT */
/*
 * soft_cpu.c - one instruction on the soft CPU: a VM whose page tables map the areas for user mode,
 * as the kernel does for native_cpu.c.  Events are not delivered: what stops an instruction is
 * looked at as the backend notes it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "hw/x86.h"
#include "hypervisor/hypervisor.h"
#include "hypervisor/x86/soft/blocks.h"
#include "hypervisor/x86/soft/native.h"
#include "hypervisor/x86/soft/run.h"
#include "hypervisor/x86/soft/soft.h"
#include "tests/differential/machine.h"

/* Guest-physical memory */
#define RAM_SIZE 0x400000
#define PML4 0x1000
#define PDPT 0x2000
#define PD 0x3000
#define TABLES 0x4000 /* one for each area */
#define RAM_CODE 0x100000
#define RAM_DATA 0x200000
#define RAM_STACK 0x210000

#define TABLE_BITS (PTE_P | PTE_RW | PTE_US | PTE_A)
#define SEGMENT_LIMIT_MAX UINT32_MAX
#define CPUID_ENTRIES 256

static struct {
	uint8_t *ram;
	struct soft_vcpu *c;
	uint64_t last;
} soft;

static void put_entry(uint64_t table, uint64_t index, uint64_t entry)
{
	store_le64(soft.ram + table + index * 8, entry);
}

static void map_area(uint64_t table, uint64_t address, uint64_t gpa, unsigned pages, bool write)
{
	put_entry(PD, address >> 21 & 511, table | TABLE_BITS);
	for (unsigned i = 0; i < pages; i++)
		put_entry(table, (address >> PAGE_SHIFT & 511) + i,
			  (gpa + i * PAGE_SIZE) | PTE_P | PTE_US | PTE_A | PTE_D |
				  (write ? PTE_RW : 0));
}

static void map_areas(void)
{
	put_entry(PML4, 0, PDPT | TABLE_BITS);
	put_entry(PDPT, 0, PD | TABLE_BITS);
	map_area(TABLES, AREA_CODE, RAM_CODE, AREA_CODE_SIZE >> PAGE_SHIFT, false);
	map_area(TABLES + PAGE_SIZE, AREA_DATA, RAM_DATA, AREA_PAGES, true);
	map_area(TABLES + PAGE_SIZE, AREA_DATA + AREA_WRITABLE, RAM_DATA + AREA_WRITABLE, 1, false);
	map_area(TABLES + 2 * PAGE_SIZE, AREA_STACK, RAM_STACK, AREA_PAGES, true);
}

static struct cpu_segment flat(uint16_t selector, uint8_t type)
{
	return (struct cpu_segment){.limit = SEGMENT_LIMIT_MAX,
				    .selector = selector,
				    .type = type,
				    .dpl = 3,
				    .s = true,
				    .present = true,
				    .db = true,
				    .g = true};
}

static void set_segments(struct cpu_state *s, const struct test *test)
{
	struct cpu_segment *cs = &s->segment[CPU_CS], *ds = &s->segment[CPU_DS];

	*cs = flat(test->code16   ? SELECTOR_CODE16
		   : test->code32 ? SELECTOR_CODE32
				  : SELECTOR_CODE64,
		   SEGMENT_TYPE_CODE_READABLE);
	cs->l = !test->code32;
	cs->db = test->code32 && !test->code16;
	*ds = flat(SELECTOR_DATA, SEGMENT_TYPE_DATA_WRITABLE);
	if (test->code16) {
		ds->selector = SELECTOR_DATA16;
		ds->base = DATA16_BASE;
		ds->limit = DATA16_LIMIT;
		ds->db = ds->g = false;
	}
	s->segment[CPU_ES] = *ds;
}

static void set_state(struct cpu_state *s)
{
	s->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG;
	s->cr4 = CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE;
	s->efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
	s->cr3 = PML4;
	s->xcr0 = XCR0_X87 | XCR0_SSE | XCR0_AVX;
	s->cpl = 3;
	for (unsigned i = 0; i < CPU_SEGMENTS; i++)
		s->segment[i] = flat(SELECTOR_DATA, SEGMENT_TYPE_DATA_WRITABLE);
	s->segment[CPU_FS] = s->segment[CPU_GS] = (struct cpu_segment){.unusable = true};
	set_segments(s, &(const struct test){.single = true});
}

/* The guest's CPU is the host's: makers differ in what their CPUs do. */
static bool set_cpuid(struct vcpu *vcpu)
{
	struct kvm_cpuid2 *cpuid =
		calloc(1, sizeof(*cpuid) + CPUID_ENTRIES * sizeof(cpuid->entries[0]));
	bool done;

	if (!cpuid)
		return false;
	cpuid->nent = CPUID_ENTRIES;
	done = hypervisor_system_command(&soft_backend, (uint32_t)KVM_GET_SUPPORTED_CPUID,
					 (uintptr_t)cpuid) == 0 &&
	       hypervisor_vcpu_command(vcpu, (uint32_t)KVM_SET_CPUID2, (uintptr_t)cpuid) == 0;
	free(cpuid);
	return done;
}

bool soft_open(struct areas *areas)
{
	struct kvm_userspace_memory_region region = {.memory_size = RAM_SIZE};
	struct exit exit;
	struct vcpu *vcpu;
	struct vm *vm;

	soft.ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (soft.ram == MAP_FAILED || hypervisor_create_vm(&soft_backend, 0, &vm) != 0)
		return false;
	region.userspace_addr = (uintptr_t)soft.ram;
	if (hypervisor_vm_command(vm, (uint32_t)KVM_SET_USER_MEMORY_REGION, (uintptr_t)&region) !=
		    0 ||
	    hypervisor_create_vcpu(vm, 0, &vcpu) != 0 || !set_cpuid(vcpu)) {
		fprintf(stderr, "differential: can't make a VM\n");
		return false;
	}
	soft.c = soft_of(vcpu);
	map_areas();
	set_state(&vcpu->state);
	/* Takes over what the state and CPUID say, and comes back at once. */
	vcpu->kicked = true;
	soft_run(vcpu, &exit);
	vcpu->kicked = false;
	memset(soft.ram + RAM_CODE, CODE_BYTE, AREA_CODE_SIZE);
	memset(soft.ram + RAM_DATA, AREA_READ_ONLY_BYTE, AREA_READABLE);
	areas->data = soft.ram + RAM_DATA;
	areas->stack = soft.ram + RAM_STACK;
	return true;
}

static bool is_inside(const struct test *test, uint64_t rip)
{
	return test->single ? rip == test->rip : rip >= test->rip && rip < test->rip + test->length;
}

/* Until it has retired or stopped: repeated ones may come back in between. */
static void run_to_end(struct soft_vcpu *c, const struct test *test)
{
	struct exit exit = {.kind = EXIT_NONE};
	const struct soft_op *op;

	c->exit = &exit;
	do {
		op = soft_block_find(c, test->single);
		if (!op)
			return;
		op->run(c, op);
	} while (c->stop == SOFT_RUNNING && is_inside(test, c->vcpu.state.rip));
}

static void get_result(struct soft_vcpu *c, const struct test *test, struct machine *machine)
{
	const struct cpu_state *s = &c->vcpu.state;

	memcpy(machine->gpr, s->gpr, sizeof(machine->gpr));
	machine->rip = s->rip;
	machine->rflags = s->rflags;
	memcpy(machine->xsave, s->xsave, sizeof(machine->xsave));
	machine->vector = NO_VECTOR;
	machine->error = 0;
	machine->address = 0;
	/* The way out behind a sequence is none for a guest. */
	if (c->stop == SOFT_RUNNING || (!test->single && !is_inside(test, s->rip)))
		return;
	machine->vector = c->stop == SOFT_EXIT ? 0xfe : c->fault.vector;
	machine->error = c->fault.has_error ? c->fault.error : 0;
	machine->address = c->fault.vector == CPU_VECTOR_PF ? c->fault_address : 0;
}

void soft_run_test(const struct test *test, struct machine *machine)
{
	struct soft_vcpu *c = soft.c;
	struct cpu_state *s = &c->vcpu.state;
	uint8_t *code = soft.ram + RAM_CODE + (test->rip - AREA_CODE);

	if (test->rip <= soft.last) {
		soft_blocks_flush(c);
		/* Stubs of both kinds, in turn. */
		native_of(c)->special_max ^= NATIVE_SPECIAL_MAX;
	}
	soft.last = test->rip;
	write_code(test, code);
	set_segments(s, test);
	memcpy(s->gpr, machine->gpr, sizeof(machine->gpr));
	s->rip = machine->rip;
	s->rflags = machine->rflags;
	memcpy(s->xsave, machine->xsave, sizeof(machine->xsave));
	c->stop = SOFT_RUNNING;
	c->pending = NULL;
	soft_flags_load(c);
	soft_native_enter(c);
	soft_changed(c);
	run_to_end(c, test);
	soft_native_leave(c);
	soft_flags_sync(c);
	get_result(c, test, machine);
	c->stop = SOFT_RUNNING;
	erase_code(test, code);
}
