/* SPDX-License-Identifier: MIT */
/* KVM_RUN: what is delivered when, what goes to the caller, and how it comes back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <linux/kvm_para.h>

#include "hw/msr.h"
#include "hw/x86.h"
#include "hypervisor/irqchip/irqchip.h"
#include "hypervisor/run.h"
#include "tests/support/core_machine.h"
#include "tests/support/fake_backend.h"
#include "tests/support/fake_host.h"

static int set_up_with(void **state, bool irqchip, unsigned vcpus)
{
	struct core_machine *machine = malloc(sizeof(*machine));

	core_machine_create(machine, &fake_backend, irqchip, vcpus);
	*state = machine;
	return 0;
}

static int set_up(void **state)
{
	return set_up_with(state, true, 2);
}

static int set_up_without_irqchip(void **state)
{
	return set_up_with(state, false, 1);
}

static int tear_down(void **state)
{
	core_machine_destroy(*state);
	free(*state);
	return 0;
}

static int64_t run(struct core_machine *m, unsigned i)
{
	int64_t result = core_vcpu(m, i, KVM_RUN, NULL);

	fake_host_interrupted = false;
	return result;
}

static struct kvm_run *page(struct core_machine *m, unsigned i)
{
	return hypervisor_vcpu_run(m->vcpus[i]);
}

static struct exit access_exit(enum exit_space space, bool write, uint64_t address, uint8_t size,
			       uint64_t data)
{
	return (struct exit){.kind = EXIT_ACCESS,
			     .access = {.space = space,
					.write = write,
					.size = size,
					.address = address,
					.data = data}};
}

/* --- Devices ---------------------------------------------------------------------------------- */

static void test_port_read(void **state)
{
	struct core_machine *m = *state;
	struct exit exit = access_exit(EXIT_SPACE_PORT, false, 0x1234, 2, 0);
	struct kvm_run *kvm_run = page(m, 0);

	fake_backend_exit(&exit);
	assert_int_equal(run(m, 0), 0);
	assert_int_equal(kvm_run->exit_reason, KVM_EXIT_IO);
	assert_int_equal(kvm_run->io.direction, KVM_EXIT_IO_IN);
	assert_int_equal(kvm_run->io.port, 0x1234);
	assert_int_equal(kvm_run->io.size, 2);
	assert_int_equal(kvm_run->io.count, 1);
	memcpy((uint8_t *)kvm_run + kvm_run->io.data_offset, "\x34\x12\xff\xff", 4);
	/* What else the caller writes there is nothing to the core. */
	kvm_run->io.size = 200;
	kvm_run->io.data_offset = UINT64_MAX;
	kvm_run->exit_reason = KVM_EXIT_MMIO;
	assert_int_equal(run(m, 0), -EINTR);
	assert_int_equal(fake_backend_completions, 1);
	assert_int_equal(fake_backend_completed_data, 0x1234);
	assert_int_equal(run(m, 0), -EINTR);
	assert_int_equal(fake_backend_completions, 1);
}

static void test_memory_write_and_read(void **state)
{
	struct core_machine *m = *state;
	struct exit write = access_exit(EXIT_SPACE_MEMORY, true, 0xd0000000, 8, 0x1122334455667788);
	struct exit read = access_exit(EXIT_SPACE_MEMORY, false, 0xd0000008, 4, 0);
	struct kvm_run *kvm_run = page(m, 0);

	fake_backend_exit(&write);
	fake_backend_exit(&read);
	assert_int_equal(run(m, 0), 0);
	assert_int_equal(kvm_run->exit_reason, KVM_EXIT_MMIO);
	assert_int_equal(kvm_run->mmio.phys_addr, 0xd0000000);
	assert_int_equal(kvm_run->mmio.len, 8);
	assert_int_equal(kvm_run->mmio.is_write, 1);
	assert_memory_equal(kvm_run->mmio.data, "\x88\x77\x66\x55\x44\x33\x22\x11", 8);
	assert_int_equal(run(m, 0), 0);
	assert_int_equal(fake_backend_completions, 1);
	assert_int_equal(kvm_run->mmio.is_write, 0);
	memset(kvm_run->mmio.data, 0xee, 8);
	assert_int_equal(run(m, 0), -EINTR);
	assert_int_equal(fake_backend_completed_data, 0xeeeeeeee);
}

static void test_immediate_exit_ends_the_instruction(void **state)
{
	struct core_machine *m = *state;
	struct exit exit = access_exit(EXIT_SPACE_PORT, true, 0x80, 1, 0x55);

	page(m, 0)->immediate_exit = 1;
	assert_int_equal(run(m, 0), -EINTR);
	assert_int_equal(page(m, 0)->exit_reason, KVM_EXIT_INTR);
	assert_int_equal(fake_backend_runs, 0);
	page(m, 0)->immediate_exit = 0;
	fake_backend_exit(&exit);
	assert_int_equal(run(m, 0), 0);
	page(m, 0)->immediate_exit = 1;
	assert_int_equal(run(m, 0), -EINTR);
	assert_int_equal(fake_backend_completions, 1);
	assert_int_equal(fake_backend_runs, 2);
}

static void test_ioeventfd(void **state)
{
	struct core_machine *m = *state;
	int32_t any = fake_host_event_create(), one = fake_host_event_create();
	struct kvm_ioeventfd wild = {.addr = 0xd0000000, .len = 0, .fd = any};
	struct kvm_ioeventfd match = {.addr = 0xd0000004,
				      .len = 4,
				      .fd = one,
				      .datamatch = 7,
				      .flags = KVM_IOEVENTFD_FLAG_DATAMATCH};
	struct exit exits[] = {
		access_exit(EXIT_SPACE_MEMORY, true, 0xd0000000, 2, 99),
		access_exit(EXIT_SPACE_MEMORY, true, 0xd0000004, 4, 7),
		access_exit(EXIT_SPACE_MEMORY, true, 0xd0000004, 4, 8),
	};

	assert_int_equal(core_vm(m, KVM_IOEVENTFD, &wild), 0);
	assert_int_equal(core_vm(m, KVM_IOEVENTFD, &match), 0);
	assert_int_equal(core_vm(m, KVM_IOEVENTFD, &match), -EEXIST);
	for (unsigned i = 0; i < 3; i++)
		fake_backend_exit(&exits[i]);
	assert_int_equal(run(m, 0), 0); /* the last alone goes to the caller */
	assert_int_equal(page(m, 0)->mmio.data[0], 8);
	assert_int_equal(fake_backend_completions, 2);
	assert_int_equal(fake_host_event_count(any), 1);
	assert_int_equal(fake_host_event_count(one), 1);
	match.flags |= KVM_IOEVENTFD_FLAG_DEASSIGN;
	assert_int_equal(core_vm(m, KVM_IOEVENTFD, &match), 0);
	assert_int_equal(core_vm(m, KVM_IOEVENTFD, &match), -ENOENT);
	match.flags = 0x80;
	assert_int_equal(core_vm(m, KVM_IOEVENTFD, &match), -EINVAL);
	match.flags = 0;
	match.len = 3;
	assert_int_equal(core_vm(m, KVM_IOEVENTFD, &match), -EINVAL);
	match.len = 1;
	match.fd = 200;
	assert_int_equal(core_vm(m, KVM_IOEVENTFD, &match), -EBADF);
}

static void test_ioeventfd_on_a_port(void **state)
{
	struct core_machine *m = *state;
	int32_t number = fake_host_event_create();
	struct kvm_ioeventfd wish = {
		.addr = 0x600, .len = 1, .fd = number, .flags = KVM_IOEVENTFD_FLAG_PIO};
	struct exit write = access_exit(EXIT_SPACE_PORT, true, 0x600, 1, 3);
	struct exit read = access_exit(EXIT_SPACE_PORT, false, 0x600, 1, 0);

	assert_int_equal(core_vm(m, KVM_IOEVENTFD, &wish), 0);
	fake_backend_exit(&write);
	fake_backend_exit(&read);
	assert_int_equal(run(m, 0), 0);
	assert_int_equal(page(m, 0)->io.direction, KVM_EXIT_IO_IN);
	assert_int_equal(fake_host_event_count(number), 1);
}

static void test_a_chips_port_stays_in_the_core(void **state)
{
	struct core_machine *m = *state;
	struct exit exits[] = {
		access_exit(EXIT_SPACE_PORT, true, 0x21, 1, 0xa5),
		access_exit(EXIT_SPACE_PORT, false, 0x21, 1, 0),
		access_exit(EXIT_SPACE_MEMORY, false, APIC_BASE_DEFAULT + 0x30, 4, 0),
	};

	fake_backend_exit(&exits[0]);
	fake_backend_exit(&exits[1]);
	assert_int_equal(run(m, 0), -EINTR);
	assert_int_equal(fake_backend_completed_data, 0xa5);
	fake_backend_exit(&exits[2]);
	assert_int_equal(run(m, 0), -EINTR);
	assert_int_equal(fake_backend_completed_data & 0xff, 0x14);
}

/* --- Events ----------------------------------------------------------------------------------- */

static void set_interrupts(struct core_machine *m, bool on)
{
	m->vcpus[0]->state.rflags = RFLAGS_RESERVED_ONE | (on ? RFLAGS_IF : 0);
}

/* An interrupt at the local APIC of vCPU 0. */
static void send(struct core_machine *m, uint8_t vector)
{
	struct kvm_msi msi = {.address_lo = 0xfee00000, .data = vector};

	assert_int_equal(core_vm(m, KVM_SIGNAL_MSI, &msi), 1);
}

static void enable_apic(struct core_machine *m)
{
	struct kvm_lapic_state state;

	assert_int_equal(core_vcpu(m, 0, KVM_GET_LAPIC, &state), 0);
	state.regs[0xf1] |= 1;
	assert_int_equal(core_vcpu(m, 0, KVM_SET_LAPIC, &state), 0);
}

static void test_interrupts_wait_for_a_window(void **state)
{
	struct core_machine *m = *state;

	enable_apic(m);
	send(m, 0x40);
	send(m, 0x50);
	set_interrupts(m, false);
	assert_int_equal(run(m, 0), -EINTR);
	assert_int_equal(fake_backend_injected.kind, CPU_EVENT_NONE);
	assert_true(fake_backend_wanted_window);
	set_interrupts(m, true);
	m->vcpus[0]->state.sti_shadow = true;
	assert_int_equal(run(m, 0), -EINTR);
	assert_int_equal(fake_backend_injected.kind, CPU_EVENT_NONE);
	assert_true(fake_backend_wanted_window);
	m->vcpus[0]->state.sti_shadow = false;
	assert_int_equal(run(m, 0), -EINTR);
	assert_int_equal(fake_backend_injected.kind, CPU_EVENT_INTERRUPT);
	assert_int_equal(fake_backend_injected.vector, 0x50);
	/* The lower one waits for the EOI of the higher. */
	assert_false(fake_backend_wanted_window);
}

static void test_exceptions_come_before_nmis_before_interrupts(void **state)
{
	struct core_machine *m = *state;

	enable_apic(m);
	send(m, 0x40);
	set_interrupts(m, true);
	assert_int_equal(core_vcpu(m, 0, KVM_NMI, NULL), 0);
	vcpu_raise(m->vcpus[0], CPU_VECTOR_GP, true, 0x18);
	assert_int_equal(run(m, 0), -EINTR);
	assert_int_equal(fake_backend_injected.kind, CPU_EVENT_EXCEPTION);
	assert_int_equal(fake_backend_injected.error, 0x18);
	assert_true(fake_backend_wanted_window && fake_backend_wanted_nmi_window);
	assert_int_equal(run(m, 0), -EINTR);
	assert_int_equal(fake_backend_injected.kind, CPU_EVENT_NMI);
	assert_int_equal(run(m, 0), -EINTR);
	assert_int_equal(fake_backend_injected.kind, CPU_EVENT_INTERRUPT);
	assert_int_equal(fake_backend_injected.vector, 0x40);
}

static void test_a_masked_nmi_waits(void **state)
{
	struct core_machine *m = *state;

	m->vcpus[0]->state.nmi_masked = true;
	assert_int_equal(core_vcpu(m, 0, KVM_NMI, NULL), 0);
	assert_int_equal(run(m, 0), -EINTR);
	assert_int_equal(fake_backend_injected.kind, CPU_EVENT_NONE);
	assert_true(fake_backend_wanted_nmi_window);
	m->vcpus[0]->state.nmi_masked = false;
	assert_int_equal(run(m, 0), -EINTR);
	assert_int_equal(fake_backend_injected.kind, CPU_EVENT_NMI);
	assert_false(fake_backend_wanted_nmi_window);
}

static void test_a_look_between_exit_and_entry(void **state)
{
	struct core_machine *m = *state;
	struct vcpu *vcpu = m->vcpus[0];

	enable_apic(m);
	set_interrupts(m, true);
	run_take_signals(vcpu);
	vcpu->kicked = false;
	send(m, 0x40);
	assert_true(vcpu->kicked);
	assert_true(run_look_fast(vcpu));
	assert_false(vcpu->kicked);
	assert_int_equal(vcpu->inject.kind, CPU_EVENT_INTERRUPT);
	assert_int_equal(vcpu->inject.vector, 0x40);
	/* The next is above it, and comes behind it. */
	send(m, 0x50);
	assert_true(run_look_fast(vcpu));
	assert_int_equal(vcpu->inject.vector, 0x40);
	assert_true(vcpu->want_window);
	vcpu->inject.kind = CPU_EVENT_NONE;
	vcpu_raise(vcpu, CPU_VECTOR_GP, true, 0x18);
	assert_true(run_look_fast(vcpu));
	assert_int_equal(vcpu->inject.kind, CPU_EVENT_EXCEPTION);
}

/* What the core alone can do, or what needs the vCPU to leave the guest. */
static void test_what_a_look_leaves_to_the_core(void **state)
{
	struct core_machine *m = *state;
	struct vcpu *vcpu = m->vcpus[0];

	enable_apic(m);
	set_interrupts(m, true);
	send(m, 0x40);
	vcpu->vm->waiting_count = 1;
	assert_false(run_look_fast(vcpu));
	vcpu->vm->waiting_count = 0;
	vcpu->requests = VCPU_REQUEST_UNHALT;
	assert_false(run_look_fast(vcpu));
	vcpu->requests = 0;
	vcpu->nmi_pending = 1;
	assert_false(run_look_fast(vcpu));
	vcpu->nmi_pending = 0;
	vcpu->debug_step = true;
	assert_false(run_look_fast(vcpu));
	vcpu->debug_step = false;
	lapic_raise_nmi(vcpu->lapic);
	assert_false(run_look_fast(vcpu));
	run_take_signals(vcpu);
	vcpu->nmi_pending = 0;
	assert_int_equal(vcpu->inject.kind, CPU_EVENT_NONE);
	assert_true(run_look_fast(vcpu));
	assert_int_equal(vcpu->inject.vector, 0x40);
}

/* --- Halts and starts ------------------------------------------------------------------------- */

static int wake_by_interrupt(struct host_waiter *waiter)
{
	static const struct kvm_msi msi = {.address_lo = 0xfee00000, .data = 0x61};
	struct vcpu *vcpu = (struct vcpu *)((char *)waiter - offsetof(struct vcpu, waiter));

	assert_int_equal(vcpu->mp_state, KVM_MP_STATE_HALTED);
	assert_int_equal(irqchip_signal_msi(vcpu->vm->irqchip, &msi), 1);
	return 0;
}

static void test_a_halt_ends_with_an_interrupt(void **state)
{
	struct core_machine *m = *state;
	struct exit halt = {.kind = EXIT_HLT, .length = 1};

	enable_apic(m);
	set_interrupts(m, true);
	m->vcpus[0]->state.rip = 0x1000;
	fake_backend_exit(&halt);
	fake_host_idle = wake_by_interrupt;
	assert_int_equal(run(m, 0), -EINTR);
	assert_int_equal(m->vcpus[0]->state.rip, 0x1001);
	assert_int_equal(fake_backend_injected.vector, 0x61);
	assert_int_equal(m->vcpus[0]->mp_state, KVM_MP_STATE_RUNNABLE);
}

static void test_a_halt_without_interrupts_lasts(void **state)
{
	struct core_machine *m = *state;
	struct exit halt = {.kind = EXIT_HLT, .length = 1};
	struct kvm_mp_state mp;

	enable_apic(m);
	set_interrupts(m, false);
	send(m, 0x40);
	fake_backend_exit(&halt);
	assert_int_equal(run(m, 0), -EINTR);
	assert_int_equal(fake_backend_runs, 1);
	assert_int_equal(core_vcpu(m, 0, KVM_GET_MP_STATE, &mp), 0);
	assert_int_equal(mp.mp_state, KVM_MP_STATE_HALTED);
	/* An NMI ends it all the same. */
	assert_int_equal(core_vcpu(m, 0, KVM_NMI, NULL), 0);
	assert_int_equal(run(m, 0), -EINTR);
	assert_int_equal(fake_backend_injected.kind, CPU_EVENT_NMI);
}

/* By x2APIC's command register, as vCPU 0's kernel would. */
static void send_ipi(struct core_machine *m, uint64_t command)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msrs = {.head = {.nmsrs = 1},
		  .entry = {.index = MSR_APIC_BASE,
			    .data = APIC_BASE_DEFAULT | APIC_BASE_ENABLE | APIC_BASE_X2APIC |
				    APIC_BASE_BOOT_CPU}};

	assert_int_equal(core_vcpu(m, 0, KVM_SET_MSRS, &msrs), 1);
	msrs.entry.index = 0x830;
	msrs.entry.data = command;
	assert_int_equal(core_vcpu(m, 0, KVM_SET_MSRS, &msrs), 1);
}

static void test_start_up(void **state)
{
	struct core_machine *m = *state;
	const struct cpu_state *cpu = &m->vcpus[1]->state;
	struct kvm_mp_state mp;

	assert_int_equal(core_vcpu(m, 1, KVM_GET_MP_STATE, &mp), 0);
	assert_int_equal(mp.mp_state, KVM_MP_STATE_UNINITIALIZED);
	assert_int_equal(run(m, 1), -EINTR);
	assert_int_equal(fake_backend_runs, 0);
	/* A start-up IPI before INIT is nothing. */
	send_ipi(m, UINT64_C(1) << 32 | 0x4600 | 0x9a);
	assert_int_equal(run(m, 1), -EINTR);
	assert_int_equal(fake_backend_runs, 0);
	send_ipi(m, UINT64_C(1) << 32 | 0x4500);
	assert_int_equal(core_vcpu(m, 1, KVM_GET_MP_STATE, &mp), 0);
	assert_int_equal(mp.mp_state, KVM_MP_STATE_INIT_RECEIVED);
	send_ipi(m, UINT64_C(1) << 32 | 0x4600 | 0x9a);
	assert_int_equal(run(m, 1), -EINTR);
	assert_int_equal(fake_backend_runs, 1);
	assert_int_equal(cpu->segment[CPU_CS].selector, 0x9a00);
	assert_int_equal(cpu->segment[CPU_CS].base, 0x9a000);
	assert_int_equal(cpu->rip, 0);
	/* A second one is nothing again. */
	m->vcpus[1]->state.rip = 0x77;
	send_ipi(m, UINT64_C(1) << 32 | 0x4600 | 0x9b);
	assert_int_equal(run(m, 1), -EINTR);
	assert_int_equal(cpu->rip, 0x77);
}

/* --- Instructions ----------------------------------------------------------------------------- */

static void test_cpuid_and_single_step(void **state)
{
	struct core_machine *m = *state;
	struct cpu_state *cpu = &m->vcpus[0]->state;
	struct exit exit = {.kind = EXIT_CPUID, .length = 2};
	struct kvm_guest_debug debug = {.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP};

	cpu->gpr[CPU_RAX] = UINT64_MAX << 32 | KVM_CPUID_SIGNATURE;
	cpu->rip = 0x2000;
	cpu->sti_shadow = true;
	fake_backend_exit(&exit);
	assert_int_equal(run(m, 0), -EINTR);
	assert_int_equal(cpu->gpr[CPU_RAX], KVM_CPUID_FEATURES);
	assert_memory_equal(&cpu->gpr[CPU_RBX], "KVMK\0\0\0\0", 8);
	assert_int_equal(cpu->rip, 0x2002);
	assert_false(cpu->sti_shadow);
	/* TF: a trap behind it. */
	cpu->rflags |= RFLAGS_TF;
	fake_backend_exit(&exit);
	assert_int_equal(run(m, 0), -EINTR);
	assert_int_equal(fake_backend_injected.kind, CPU_EVENT_EXCEPTION);
	assert_int_equal(fake_backend_injected.vector, CPU_VECTOR_DB);
	assert_true(cpu->dr6 & DR6_BS);
	/* The debugger outside comes first. */
	assert_int_equal(core_vcpu(m, 0, KVM_SET_GUEST_DEBUG, &debug), 0);
	fake_backend_exit(&exit);
	assert_int_equal(run(m, 0), 0);
	assert_int_equal(page(m, 0)->exit_reason, KVM_EXIT_DEBUG);
	assert_int_equal(page(m, 0)->debug.arch.exception, CPU_VECTOR_DB);
	assert_int_equal(page(m, 0)->debug.arch.pc, cpu->segment[CPU_CS].base + cpu->rip);
}

static void test_msrs(void **state)
{
	struct core_machine *m = *state;
	struct cpu_state *cpu = &m->vcpus[0]->state;
	struct exit write = {.kind = EXIT_MSR_WRITE, .length = 2};
	struct exit read = {.kind = EXIT_MSR_READ, .length = 2};

	cpu->rip = 0;
	cpu->gpr[CPU_RCX] = MSR_STAR;
	cpu->gpr[CPU_RAX] = 0xffffffff11223344;
	cpu->gpr[CPU_RDX] = 0xffffffff55667788;
	fake_backend_exit(&write);
	assert_int_equal(run(m, 0), -EINTR);
	assert_int_equal(cpu->star, 0x5566778811223344);
	assert_int_equal(cpu->rip, 2);
	fake_backend_exit(&read);
	assert_int_equal(run(m, 0), -EINTR);
	assert_int_equal(cpu->gpr[CPU_RAX], 0x11223344);
	assert_int_equal(cpu->gpr[CPU_RDX], 0x55667788);
	/* One that isn't: #GP(0) at the instruction, and a few lines in the log at the most. */
	cpu->gpr[CPU_RCX] = 0x12345;
	for (unsigned i = 0; i < 500; i++) {
		fake_backend_exit(&read);
		assert_int_equal(run(m, 0), -EINTR);
		assert_int_equal(fake_backend_injected.vector, CPU_VECTOR_GP);
		assert_true(fake_backend_injected.has_error);
		assert_int_equal(cpu->rip, 4);
		fake_backend_reset();
	}
	assert_in_range(fake_host_log_lines, 1, 100);
}

static void test_xsetbv(void **state)
{
	struct core_machine *m = *state;
	struct cpu_state *cpu = &m->vcpus[0]->state;
	struct exit exit = {.kind = EXIT_XSETBV, .length = 3};
	static const struct {
		uint64_t value;
		bool good;
	} cases[] = {{7, true},  {1, true},  {3, true},    {0, false},
		     {6, false}, {5, false}, {0xf, false}, {UINT64_C(1) << 40 | 1, false}};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fake_backend_reset();
		cpu->xcr0 = 1;
		cpu->gpr[CPU_RCX] = 0;
		cpu->gpr[CPU_RAX] = (uint32_t)cases[i].value;
		cpu->gpr[CPU_RDX] = cases[i].value >> 32;
		fake_backend_exit(&exit);
		assert_int_equal(run(m, 0), -EINTR);
		assert_int_equal(cpu->xcr0, cases[i].good ? cases[i].value : 1);
		assert_int_equal(fake_backend_injected.kind,
				 cases[i].good ? CPU_EVENT_NONE : CPU_EVENT_EXCEPTION);
	}
	cpu->gpr[CPU_RCX] = 1;
	cpu->gpr[CPU_RAX] = 1;
	fake_backend_exit(&exit);
	assert_int_equal(run(m, 0), -EINTR);
	assert_int_equal(fake_backend_injected.vector, CPU_VECTOR_GP);
}

static void test_cr8(void **state)
{
	struct core_machine *m = *state;
	struct cpu_state *cpu = &m->vcpus[0]->state;
	struct exit write = {.kind = EXIT_CR8_WRITE, .length = 3, .reg = CPU_R9};
	struct exit read = {.kind = EXIT_CR8_READ, .length = 3, .reg = CPU_R10};

	cpu->gpr[CPU_R9] = 9;
	fake_backend_exit(&write);
	fake_backend_exit(&read);
	assert_int_equal(run(m, 0), -EINTR);
	assert_int_equal(cpu->gpr[CPU_R10], 9);
	assert_int_equal(page(m, 0)->cr8, 9);
	cpu->gpr[CPU_R9] = 16;
	fake_backend_exit(&write);
	assert_int_equal(run(m, 0), -EINTR);
	assert_int_equal(fake_backend_injected.vector, CPU_VECTOR_GP);
}

static uint64_t hypercall(struct core_machine *m, uint64_t number, uint64_t a0, uint64_t a1)
{
	struct cpu_state *cpu = &m->vcpus[0]->state;
	struct exit exit = {.kind = EXIT_HYPERCALL, .length = 3};

	fake_backend_reset();
	cpu->efer = EFER_LME | EFER_LMA;
	cpu->segment[CPU_CS].l = true;
	cpu->gpr[CPU_RAX] = number;
	cpu->gpr[CPU_RBX] = a0;
	cpu->gpr[CPU_RCX] = a1;
	cpu->gpr[CPU_RDX] = 0;
	cpu->gpr[CPU_RSI] = 0x41;
	fake_backend_exit(&exit);
	assert_int_equal(run(m, 0), -EINTR);
	return cpu->gpr[CPU_RAX];
}

static void test_hypercalls(void **state)
{
	struct core_machine *m = *state;
	struct kvm_clock_pairing *pairing = (void *)(m->ram + 0x3000);

	assert_int_equal(hypercall(m, KVM_HC_VAPIC_POLL_IRQ, 0, 0), 0);
	assert_int_equal(hypercall(m, 77, 0, 0), (uint64_t)-KVM_ENOSYS);
	assert_int_equal(hypercall(m, KVM_HC_CLOCK_PAIRING, 0x3000, 0), 0);
	assert_int_equal(pairing->sec, fake_host_wall / 1000000000);
	assert_int_equal(pairing->tsc, host_tsc() + m->vcpus[0]->state.tsc_offset);
	assert_int_equal(hypercall(m, KVM_HC_CLOCK_PAIRING, UINT64_C(1) << 50, 0),
			 (uint64_t)-KVM_EFAULT);
	m->vcpus[1]->mp_state = KVM_MP_STATE_HALTED;
	assert_int_equal(hypercall(m, KVM_HC_KICK_CPU, 0, 1), 0);
	assert_int_equal(run(m, 1), -EINTR);
	assert_int_equal(m->vcpus[1]->mp_state, KVM_MP_STATE_RUNNABLE);
	m->vcpus[0]->state.cpl = 3;
	assert_int_equal(hypercall(m, KVM_HC_VAPIC_POLL_IRQ, 0, 0), (uint64_t)-KVM_EPERM);
}

static void test_ends(void **state)
{
	struct core_machine *m = *state;
	struct exit shutdown = {.kind = EXIT_SHUTDOWN};
	struct exit failed = {.kind = EXIT_FAILED, .failure = {.reason = 12, .text = "no way"}};

	fake_backend_exit(&shutdown);
	fake_backend_exit(&failed);
	assert_int_equal(run(m, 0), 0);
	assert_int_equal(page(m, 0)->exit_reason, KVM_EXIT_SHUTDOWN);
	assert_int_equal(run(m, 0), 0);
	assert_int_equal(page(m, 0)->exit_reason, KVM_EXIT_INTERNAL_ERROR);
	assert_int_equal(page(m, 0)->internal.suberror, KVM_INTERNAL_ERROR_EMULATION);
	assert_int_equal(page(m, 0)->internal.data[0], 12);
	page(m, 0)->kvm_dirty_regs = 1;
	assert_int_equal(run(m, 0), -EINVAL);
}

/* --- A caller with its own interrupt controller ----------------------------------------------- */

/* The host may tell the backend of the caller's memory at any time, and that looks at all vCPUs. */
static void test_a_vm_is_stopped_before_its_vcpus_go(void **state)
{
	struct core_machine m;

	(void)state;
	core_machine_create(&m, &fake_backend, true, 2);
	core_machine_destroy(&m);
	assert_int_equal(fake_backend_stops, 1);
	assert_int_equal(fake_backend_ended_vcpus, 2);
}

static void test_callers_interrupts(void **state)
{
	struct core_machine *m = *state;
	struct kvm_interrupt interrupt = {.irq = 0x33};
	struct exit halt = {.kind = EXIT_HLT, .length = 1};
	struct exit cr8 = {.kind = EXIT_CR8_WRITE, .length = 3, .reg = CPU_RAX};

	set_interrupts(m, false);
	page(m, 0)->request_interrupt_window = 1;
	assert_int_equal(run(m, 0), -EINTR);
	assert_true(fake_backend_wanted_window);
	assert_int_equal(page(m, 0)->ready_for_interrupt_injection, 0);
	set_interrupts(m, true);
	assert_int_equal(run(m, 0), 0);
	assert_int_equal(page(m, 0)->exit_reason, KVM_EXIT_IRQ_WINDOW_OPEN);
	assert_int_equal(page(m, 0)->ready_for_interrupt_injection, 1);
	assert_int_equal(page(m, 0)->if_flag, 1);
	page(m, 0)->request_interrupt_window = 0;
	assert_int_equal(core_vcpu(m, 0, KVM_INTERRUPT, &interrupt), 0);
	assert_int_equal(core_vcpu(m, 0, KVM_INTERRUPT, &interrupt), -EEXIST);
	interrupt.irq = 256;
	assert_int_equal(core_vcpu(m, 0, KVM_INTERRUPT, &interrupt), -EINVAL);
	assert_int_equal(run(m, 0), -EINTR);
	assert_int_equal(fake_backend_injected.vector, 0x33);
	fake_backend_exit(&halt);
	assert_int_equal(run(m, 0), 0);
	assert_int_equal(page(m, 0)->exit_reason, KVM_EXIT_HLT);
	page(m, 0)->cr8 = 5;
	m->vcpus[0]->state.gpr[CPU_RAX] = 3;
	fake_backend_exit(&cr8);
	assert_int_equal(run(m, 0), 0);
	assert_int_equal(page(m, 0)->exit_reason, KVM_EXIT_SET_TPR);
	assert_int_equal(page(m, 0)->cr8, 3);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_port_read),
		TEST(test_memory_write_and_read),
		TEST(test_immediate_exit_ends_the_instruction),
		TEST(test_ioeventfd),
		TEST(test_ioeventfd_on_a_port),
		TEST(test_a_chips_port_stays_in_the_core),
		TEST(test_interrupts_wait_for_a_window),
		TEST(test_exceptions_come_before_nmis_before_interrupts),
		TEST(test_a_masked_nmi_waits),
		TEST(test_a_look_between_exit_and_entry),
		TEST(test_what_a_look_leaves_to_the_core),
		TEST(test_a_halt_ends_with_an_interrupt),
		TEST(test_a_halt_without_interrupts_lasts),
		TEST(test_start_up),
		TEST(test_cpuid_and_single_step),
		TEST(test_msrs),
		TEST(test_xsetbv),
		TEST(test_cr8),
		TEST(test_hypercalls),
		TEST(test_ends),
		cmocka_unit_test(test_a_vm_is_stopped_before_its_vcpus_go),
		cmocka_unit_test_setup_teardown(test_callers_interrupts, set_up_without_irqchip,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
