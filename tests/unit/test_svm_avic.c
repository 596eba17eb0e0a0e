/* SPDX-License-Identifier: MIT */
/*
 * AVIC: what the backend does before entries and after exits, with a model of the CPU.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hw/msr.h"
#include "hypervisor/irqchip/chips.h"
#include "hypervisor/run.h"
#include "hypervisor/x86/svm/svm.h"
#include "tests/support/avic_cpu.h"
#include "tests/support/fake_host.h"
#include "tests/support/fake_kernel.h"

#define VECTOR 0x61
#define ICR(destination, low) ((uint64_t)(destination) << 32 | (low))
#define SHORTHAND(which) ((uint64_t)(which) << APIC_ICR_SHORTHAND_SHIFT)
#define CR8_ACCESSES (SVM_INTERCEPT_CR_READ(8) | SVM_INTERCEPT_CR_WRITE(8))

static struct svm_vm vm;
static struct svm_vcpu *vcpus[AVIC_CPUS];

/* --- The machine: entries and exits as run.c does them ---------------------------------------- */

static bool is_on(unsigned i)
{
	return vcpus[i]->vmcb->control.virtual_interrupt & SVM_AVIC_ENABLE;
}

/* What a CPU may have kept of a VMCB, where the clean bits say so (APM2 section 15.15.3). */
static struct vmcb_control kept[AVIC_CPUS];

static void check_clean_bits(unsigned i)
{
	const struct vmcb_control *v = &vcpus[i]->vmcb->control;
	uint32_t clean = vcpus[i]->clean;

	if (clean & SVM_CLEAN_VIRTUAL_INTERRUPT)
		assert_int_equal(v->virtual_interrupt, kept[i].virtual_interrupt);
	if (clean & SVM_CLEAN_INTERCEPTS)
		assert_int_equal(v->intercept_cr, kept[i].intercept_cr);
	if (clean & SVM_CLEAN_MAPS)
		assert_int_equal(v->msr_map, kept[i].msr_map);
}

/* False: something came for the vCPU. */
static bool enter(unsigned i)
{
	struct svm_vcpu *c = vcpus[i];

	inside_begin(&c->vcpu, c->cpu);
	if (c->vcpu.kicked) {
		inside_give_up(&c->vcpu);
		return false;
	}
	svm_inject(c);
	svm_vmcb_enter(c);
	check_clean_bits(i);
	avic_cpu_vmrun(&avic_cpus[i], c->vmcb);
	return true;
}

static void leave(unsigned i)
{
	struct svm_vcpu *c = vcpus[i];

	assert_null(avic_cpus[i].v);
	kept[i] = c->vmcb->control;
	inside_end(&c->vcpu);
	svm_vmcb_leave(c);
	if (c->exit_work || (c->vmcb->control.exit_interrupt & SVM_EVENT_VALID))
		svm_take_back(c);
}

/* Out by an interrupt of the host's. */
static void interrupt(unsigned i)
{
	avic_cpu_exit(&avic_cpus[i], SVM_EXIT_INTR, 0, 0);
	leave(i);
}

/* After an exit of the CPU's. */
static enum svm_next handle(unsigned i)
{
	struct exit exit = {.kind = EXIT_NONE};

	leave(i);
	return svm_exit_inside(vcpus[i], &exit);
}

static void look(unsigned i)
{
	vcpus[i]->vcpu.state.rflags = avic_cpus[i].interrupts ? RFLAGS_IF : 0;
	assert_true(run_look_fast(&vcpus[i]->vcpu));
}

/* Into the guest, with what it takes. */
static void run(unsigned i)
{
	while (!enter(i))
		look(i);
}

static void write_register(unsigned i, unsigned offset, uint64_t value)
{
	assert_true(lapic_msr_write(vcpus[i]->vcpu.lapic, MSR_X2APIC_FIRST + offset / 16, value));
}

static uint64_t read_register(unsigned i, unsigned offset)
{
	uint64_t value = 0;

	assert_true(lapic_msr_read(vcpus[i]->vcpu.lapic, MSR_X2APIC_FIRST + offset / 16, &value));
	return value;
}

static bool requested(unsigned i, unsigned vector)
{
	return read_register(i, APIC_IRR + vector / 32 * 16) >> vector % 32 & 1;
}

/* As a device does. */
static void post(unsigned i, uint8_t vector)
{
	assert_true(apic_deliver_vector(vm.vm.irqchip, i, vector));
}

static void create_vcpu(unsigned i)
{
	struct svm_vcpu *c = aligned_alloc(64, sizeof(*c));
	struct vcpu *vcpu = &c->vcpu;

	memset(c, 0, sizeof(*c));
	vcpu->vm = &vm.vm;
	vcpu->id = vcpu->index = i;
	vcpu->queued_interrupt = -1;
	c->vmcb = host_pages_alloc(0, &c->vmcb_physical);
	svm_vmcb_init(c);
	assert_int_equal(svm_avic_create(c), 0);
	assert_int_equal(lapic_create(vcpu, &vcpu->lapic), 0);
	vcpu_enter_guest(vcpu); /* so that kicks reach the backend */
	vcpus[i] = c;
	vm.vm.vcpus[i] = vcpu;
	vm.vm.vcpu_count = i + 1;
	avic_cpus[i].interrupts = true;
}

static void to_x2apic(unsigned i)
{
	struct lapic *lapic = vcpus[i]->vcpu.lapic;

	assert_true(lapic_set_base(lapic, lapic_get_base(lapic) | APIC_BASE_X2APIC, true));
	write_register(i, APIC_SVR, APIC_SVR_ENABLE | 0xff);
	write_register(i, APIC_LVT_LINT0, APIC_LVT_MASKED);
}

static int set_up_machine(bool avic)
{
	fake_host_reset();
	fake_kernel_reset();
	memset(&vm, 0, sizeof(vm));
	memset(avic_cpus, 0, sizeof(avic_cpus));
	svm_features.avic = avic;
	svm_cpus_init();
	assert_int_equal(svm_cpus_get(), 0);
	svm_cpus[0].apic_id = AVIC_HOST_ID;
	vm.vm.backend = &svm_backend;
	assert_int_equal(svm_avic_create_vm(&vm), 0);
	assert_int_equal(irqchip_create(&vm.vm, &vm.vm.irqchip), 0);
	for (unsigned i = 0; i < AVIC_CPUS; i++)
		create_vcpu(i);
	for (unsigned i = 0; i < AVIC_CPUS; i++)
		to_x2apic(i);
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	return set_up_machine(true);
}

static int set_up_off(void **state)
{
	(void)state;
	return set_up_machine(false);
}

static int tear_down(void **state)
{
	(void)state;
	irqchip_stop(vm.vm.irqchip);
	for (unsigned i = 0; i < AVIC_CPUS; i++) {
		svm_avic_destroy(vcpus[i]);
		host_pages_free(vcpus[i]->vmcb, 0);
		lapic_destroy(vcpus[i]->vcpu.lapic);
		free(vcpus[i]);
	}
	irqchip_destroy(vm.vm.irqchip);
	svm_avic_destroy_vm(&vm);
	svm_cpus_put();
	svm_features.avic = false;
	assert_int_equal(fake_kernel_pages, 0);
	assert_int_equal(fake_host_allocated, 0);
	return 0;
}

/* --- When it is on ---------------------------------------------------------------------------- */

static void is_used_only_where_it_is_wanted_and_present(void **state)
{
	const uint32_t all = SVM_FEATURE_AVIC | SVM_FEATURE_X2AVIC | SVM_FEATURE_VNMI;

	(void)state;
	fake_host_reset();
	svm_features_choose(0, all);
	assert_false(svm_features.avic || svm_features.vnmi);
	assert_int_equal(fake_host_log_lines, 0);
	svm_features_choose(BACKEND_VIRTUAL_APIC, all);
	assert_true(svm_features.avic && !svm_features.vnmi);
	svm_features_choose(BACKEND_VIRTUAL_NMI, all);
	assert_true(svm_features.vnmi && !svm_features.avic);
	svm_features_choose(BACKEND_VIRTUAL_APIC | BACKEND_VIRTUAL_NMI, SVM_FEATURE_AVIC);
	assert_false(svm_features.avic || svm_features.vnmi);
	assert_int_equal(fake_host_log_lines, 4);
}

static void leaves_nothing_to_do_when_off(void **state)
{
	(void)state;
	assert_null(vm.avic_ids);
	assert_null(svm_maps.x2avic_msr);
	for (unsigned i = 0; i < AVIC_CPUS; i++) {
		assert_null(vcpus[i]->avic.page);
		assert_true(enter(i) || (vcpus[i]->vcpu.kicked = false, enter(i)));
		assert_int_equal(vcpus[i]->entry_work, 0);
		assert_int_equal(vcpus[i]->exit_work, 0);
		assert_int_equal(vcpus[i]->vmcb->control.virtual_interrupt, SVM_V_INTR_MASKING);
		interrupt(i);
	}
}

/* Only the writes that AVIC works on are the guest's, and of those TPR's by CR8, too. */
static void opens_what_it_works_on(void **state)
{
	static const unsigned own[] = {APIC_TPR, APIC_EOI, APIC_ICR, APIC_SELF_IPI};
	const struct vmcb_control *v = &vcpus[0]->vmcb->control;
	unsigned open = 0;

	(void)state;
	run(0);
	assert_true(is_on(0));
	for (uint32_t msr = MSR_X2APIC_FIRST; msr <= MSR_X2APIC_LAST; msr++)
		open += !avic_is_intercepted(v, msr, true) + !avic_is_intercepted(v, msr, false);
	assert_int_equal(open, ARRAY_COUNT(own));
	for (unsigned i = 0; i < ARRAY_COUNT(own); i++)
		assert_false(avic_is_intercepted(v, MSR_X2APIC_FIRST + own[i] / 16, true));
	assert_true(avic_is_intercepted(v, MSR_APIC_BASE, true));
	assert_true(avic_is_intercepted(v, MSR_TSC_DEADLINE, true));
	assert_false(avic_is_intercepted(v, MSR_SYSENTER_EIP, true));
	assert_false(v->intercept_cr & CR8_ACCESSES);
	interrupt(0);
	vcpus[0]->vcpu.debug_step = true;
	assert_true(enter(0));
	assert_int_equal(v->msr_map, svm_maps.msr_physical);
	assert_int_equal(v->intercept_cr & CR8_ACCESSES, CR8_ACCESSES);
	assert_int_equal(vcpus[0]->clean, 0);
}

static void table_says_where_it_runs(void **state)
{
	const uint64_t *entry = &vm.avic_ids[1];

	(void)state;
	assert_int_equal(*entry >> 62, 2);
	run(1);
	assert_int_equal(*entry, SVM_AVIC_VALID | SVM_AVIC_RUNNING | AVIC_HOST_ID |
					 vcpus[1]->vmcb->control.avic_page);
	interrupt(1);
	assert_int_equal(*entry, SVM_AVIC_VALID | vcpus[1]->vmcb->control.avic_page);
	svm_cpus[0].apic_id = 0x1000; /* no room for it */
	run(1);
	assert_false(is_on(1));
	assert_int_equal(*entry >> 62, 2);
}

static void debugger_sees_the_core_alone(void **state)
{
	struct vcpu *vcpu = &vcpus[0]->vcpu;
	bool *const flags[] = {&vcpu->debug_step, &vcpu->debug_hardware, &vcpu->debug_software,
			       &vcpu->debug_block_interrupts};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(flags); i++) {
		*flags[i] = true;
		vcpu->kicked = false;
		assert_true(enter(0));
		assert_false(is_on(0));
		interrupt(0);
		*flags[i] = false;
		run(0);
		assert_true(is_on(0));
		interrupt(0);
	}
}

static void needs_an_apic_that_takes_interrupts(void **state)
{
	(void)state;
	write_register(0, APIC_SVR, 0xff);
	run(0);
	assert_false(is_on(0));
	interrupt(0);
	write_register(0, APIC_SVR, APIC_SVR_ENABLE | 0xff);
	run(0);
	assert_true(is_on(0));
	interrupt(0);
}

static void leave_by_kick(unsigned cpu)
{
	(void)cpu;
	if (avic_cpus[1].v)
		interrupt(1);
}

/* While an APIC is in xAPIC mode nobody's messages go by AVIC, from the change on. */
static void needs_all_in_x2apic_mode(void **state)
{
	struct lapic *lapic = vcpus[0]->vcpu.lapic;
	uint64_t base = lapic_get_base(lapic);

	(void)state;
	run(1);
	assert_true(is_on(1));
	fake_kernel_kicked = leave_by_kick;
	assert_true(lapic_set_base(lapic, base & ~(APIC_BASE_X2APIC | APIC_BASE_ENABLE), true));
	assert_null(avic_cpus[1].v); /* it has left */
	run(1);
	assert_true(is_on(1)); /* one that is off gets nothing */
	base &= ~APIC_BASE_X2APIC;
	assert_true(lapic_set_base(lapic, base, true));
	assert_null(avic_cpus[1].v);
	run(0);
	assert_false(is_on(0));
	run(1);
	assert_false(is_on(1));
}

/* --- Interrupts from the core ----------------------------------------------------------------- */

static void takes_what_the_core_posts(void **state)
{
	struct avic_cpu *cpu = &avic_cpus[0];

	(void)state;
	cpu->interrupts = false;
	run(0);
	post(0, VECTOR);
	assert_true(vcpus[0]->vcpu.kicked);
	assert_true(fake_kernel_kicks > 0);
	interrupt(0);
	/* The core must see when it can be taken: a window, without AVIC. */
	run(0);
	assert_false(is_on(0));
	avic_cpu_sti(cpu);
	assert_null(cpu->v);
	assert_int_equal(handle(0), SVM_CORE);
	look(0);
	run(0);
	assert_true(is_on(0));
	assert_int_equal(cpu->taken[VECTOR], 1);
	/* Its end is AVIC's, and what came meanwhile is taken then. */
	post(0, VECTOR + 1);
	interrupt(0);
	look(0);
	run(0);
	assert_true(is_on(0));
	avic_cpu_sti(cpu);
	assert_int_equal(cpu->taken[VECTOR + 1], 0);
	avic_cpu_eoi(cpu);
	assert_int_equal(cpu->taken[VECTOR + 1], 1);
	assert_int_equal(cpu->exits, 0);
	interrupt(0);
	assert_int_equal(read_register(0, APIC_ISR + 0x30), 1u << (VECTOR + 1) % 32);
	assert_int_equal(read_register(0, APIC_IRR + 0x30), 0);
	assert_int_equal(lapic_ppr(vcpus[0]->vcpu.lapic), VECTOR & 0xf0);
}

/* It is the core's turn again where AVIC can't go on: it looks at what AVIC had not delivered. */
static void hands_over_what_waits(void **state)
{
	(void)state;
	avic_cpus[0].interrupts = false;
	run(0);
	avic_set(avic_cpus[0].page, APIC_IRR, VECTOR, true);
	interrupt(0);
	assert_true(requested(0, VECTOR));
	assert_false(vcpus[0]->vcpu.kicked);
	vcpus[0]->vcpu.debug_hardware = true;
	assert_true(enter(0));
	assert_true(vcpus[0]->vcpu.kicked);
	interrupt(0);
	look(0);
	assert_true(enter(0));
	assert_false(is_on(0));
	avic_cpu_sti(&avic_cpus[0]);
	assert_int_equal(vcpus[0]->vmcb->control.exit_code, SVM_EXIT_VINTR);
}

/* ExtINT of the PICs. */
static void waits_for_the_pic_without_avic(void **state)
{
	(void)state;
	write_register(0, APIC_LVT_LINT0, APIC_MODE_EXTINT << APIC_MODE_SHIFT);
	pic_write(vm.vm.irqchip, 0x20, 0x11);
	pic_write(vm.vm.irqchip, 0x21, 0x30);
	pic_write(vm.vm.irqchip, 0x21, 0x04);
	pic_write(vm.vm.irqchip, 0x21, 0x01);
	pic_write(vm.vm.irqchip, 0x21, 0x00);
	avic_cpus[0].interrupts = false;
	run(0);
	assert_true(is_on(0));
	irqchip_set_line(vm.vm.irqchip, 1, true);
	interrupt(0);
	run(0);
	assert_false(is_on(0));
	avic_cpu_sti(&avic_cpus[0]);
	assert_int_equal(handle(0), SVM_CORE);
	look(0);
	run(0);
	assert_int_equal(avic_cpus[0].taken[0x31], 1);
	assert_true(is_on(0));
}

/* --- Registers -------------------------------------------------------------------------------- */

static void tpr_goes_both_ways(void **state)
{
	(void)state;
	write_register(0, APIC_TPR, 0x70);
	run(0);
	post(0, VECTOR); /* of a lower class */
	interrupt(0);
	look(0);
	vcpus[0]->vcpu.want_window = false;
	assert_true(enter(0));
	assert_int_equal(avic_cpus[0].taken[VECTOR], 0);
	avic_cpu_set_cr8(&avic_cpus[0], 5);
	assert_int_equal(avic_cpus[0].taken[VECTOR], 1);
	interrupt(0);
	assert_int_equal(read_register(0, APIC_TPR), 0x50);
	assert_int_equal(lapic_get_tpr(vcpus[0]->vcpu.lapic), 5);
	write_register(0, APIC_TPR, 0x20);
	run(0);
	assert_true(is_on(0));
	interrupt(0);
	vcpus[0]->vcpu.debug_hardware = true;
	assert_true(enter(0));
	assert_int_equal(vcpus[0]->vmcb->control.virtual_interrupt, SVM_V_INTR_MASKING);
}

static void core_reads_what_the_guest_has_written(void **state)
{
	(void)state;
	run(0);
	avic_cpu_send(&avic_cpus[0], ICR(0, SHORTHAND(APIC_SHORTHAND_SELF) | VECTOR));
	assert_int_equal(avic_cpus[0].taken[VECTOR], 1);
	interrupt(0);
	assert_int_equal(read_register(0, APIC_ICR), SHORTHAND(APIC_SHORTHAND_SELF) | VECTOR);
	assert_int_equal(lapic_highest(vcpus[0]->vcpu.lapic, APIC_ISR), VECTOR);
	assert_int_equal(vcpus[0]->vcpu.lapic->in_service, 1);
}

/* --- Ends of interrupts ----------------------------------------------------------------------- */

#define GSI 19

static void route(uint64_t entry)
{
	ioapic_write(vm.vm.irqchip, IOAPIC_SELECT, IOAPIC_REDIRECTION + 2 * GSI + 1);
	ioapic_write(vm.vm.irqchip, IOAPIC_WINDOW, (uint32_t)(entry >> 32));
	ioapic_write(vm.vm.irqchip, IOAPIC_SELECT, IOAPIC_REDIRECTION + 2 * GSI);
	ioapic_write(vm.vm.irqchip, IOAPIC_WINDOW, (uint32_t)entry);
}

/* A line that stays high interrupts again after each end. */
static void ends_levels(bool ended_by_cpu)
{
	struct avic_cpu *cpu = &avic_cpus[0];

	cpu->ends_level_eoi = ended_by_cpu;
	route(IOAPIC_RTE_LEVEL | VECTOR);
	irqchip_set_line(vm.vm.irqchip, GSI, true);
	for (unsigned round = 1; round < 4; round++) {
		cpu->interrupts = true;
		run(0);
		assert_int_equal(cpu->taken[VECTOR], round);
		assert_true(is_on(0));
		avic_cpu_eoi(cpu);
		assert_int_equal(cpu->exits, round);
		assert_int_equal(handle(0), SVM_AGAIN);
		assert_int_equal(vcpus[0]->vcpu.lapic->in_service, 0);
		assert_true(requested(0, VECTOR));
	}
	irqchip_set_line(vm.vm.irqchip, GSI, false);
}

static void ends_levels_at_the_ioapic(void **state)
{
	(void)state;
	ends_levels(false);
}

static void ends_levels_that_the_cpu_has_ended(void **state)
{
	(void)state;
	ends_levels(true);
}

/* Who counts the I/O APIC's edges hears of their ends, too; of messages' nobody does. */
static void tells_the_end_of_the_ioapics_edges(void **state)
{
	(void)state;
	route(VECTOR);
	irqchip_set_line(vm.vm.irqchip, GSI, true);
	run(0);
	assert_int_equal(avic_cpus[0].taken[VECTOR], 1);
	avic_cpu_eoi(&avic_cpus[0]);
	assert_int_equal(handle(0), SVM_AGAIN);
	assert_int_equal(avic_cpus[0].exits, 1);
	assert_int_equal(vcpus[0]->vcpu.lapic->in_service, 0);
	assert_int_equal(read_register(0, APIC_TMR + VECTOR / 32 * 16), 0);
	avic_cpus[0].interrupts = true;
	post(0, VECTOR + 0x10);
	run(0);
	avic_cpu_eoi(&avic_cpus[0]);
	assert_int_equal(avic_cpus[0].exits, 1);
	/* Of a level-triggered message's the APIC itself knows. */
	interrupt(0);
	assert_int_equal(lapic_accept_vector(vcpus[0]->vcpu.lapic, VECTOR + 0x20, true), 1);
	avic_cpus[0].interrupts = true;
	run(0);
	avic_cpu_eoi(&avic_cpus[0]);
	assert_int_equal(avic_cpus[0].exits, 2);
}

/* --- Messages between vCPUs ------------------------------------------------------------------- */

static void sends_to_one_that_runs_without_exit(void **state)
{
	(void)state;
	run(0);
	run(1);
	avic_cpu_send(&avic_cpus[0], ICR(1, VECTOR));
	assert_int_equal(avic_cpus[1].taken[VECTOR], 1);
	assert_int_equal(avic_cpus[1].doorbells, 1);
	assert_int_equal(avic_cpus[0].exits, 0);
	avic_cpu_send(&avic_cpus[0], ICR(1 << 2 | 1 << 1, APIC_ICR_LOGICAL | (VECTOR + 0x20)));
	assert_int_equal(avic_cpus[0].exits, 1); /* vCPU 2 doesn't run */
	assert_int_equal(handle(0), SVM_AGAIN);
	avic_cpu_sti(&avic_cpus[1]);
	assert_int_equal(avic_cpus[1].taken[VECTOR + 0x20], 1);
	assert_false(vcpus[1]->vcpu.kicked);
	assert_true(vcpus[2]->vcpu.kicked);
	run(2);
	assert_int_equal(avic_cpus[2].taken[VECTOR + 0x20], 1);
}

static void wakes_one_that_does_not_run(void **state)
{
	(void)state;
	run(0);
	vcpus[1]->vcpu.kicked = false;
	avic_cpu_send(&avic_cpus[0], ICR(1, VECTOR));
	assert_int_equal(avic_cpus[0].exits, 1);
	assert_int_equal(handle(0), SVM_AGAIN);
	assert_true(vcpus[1]->vcpu.kicked);
	assert_true(requested(1, VECTOR));
	run(1);
	assert_int_equal(avic_cpus[1].taken[VECTOR], 1);
	interrupt(1);
	avic_cpus[1].interrupts = true;
	run(1);
	assert_int_equal(avic_cpus[1].taken[VECTOR], 1);
}

static void broadcasts(void **state)
{
	(void)state;
	run(0);
	run(1);
	avic_cpu_send(&avic_cpus[0], SHORTHAND(APIC_SHORTHAND_OTHERS) | VECTOR);
	assert_int_equal(handle(0), SVM_AGAIN);
	run(2);
	assert_int_equal(avic_cpus[0].taken[VECTOR], 0);
	assert_int_equal(avic_cpus[1].taken[VECTOR], 1);
	assert_int_equal(avic_cpus[2].taken[VECTOR], 1);
}

/* The core sends what AVIC doesn't. */
static void leaves_other_messages_to_the_core(void **state)
{
	const uint32_t modes[] = {APIC_MODE_NMI, APIC_MODE_INIT, APIC_MODE_STARTUP};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(modes); i++) {
		uint8_t vector;

		run(0);
		avic_cpu_send(&avic_cpus[0], ICR(2, modes[i] << APIC_MODE_SHIFT | APIC_ICR_ASSERT));
		assert_int_equal(handle(0), SVM_AGAIN);
		assert_int_equal(lapic_take_signals(vcpus[2]->vcpu.lapic, &vector),
				 modes[i] == APIC_MODE_NMI    ? LAPIC_SIGNAL_NMI
				 : modes[i] == APIC_MODE_INIT ? LAPIC_SIGNAL_INIT
							      : LAPIC_SIGNAL_SIPI);
	}
	/* One to nobody, one with somebody and nobody, one without a vector. */
	run(0);
	avic_cpu_send(&avic_cpus[0], ICR(77, VECTOR));
	assert_int_equal(handle(0), SVM_AGAIN);
	run(0);
	avic_cpu_send(&avic_cpus[0], ICR(1 << 9 | 1 << 1, APIC_ICR_LOGICAL | VECTOR));
	assert_false(requested(1, VECTOR));
	assert_int_equal(handle(0), SVM_AGAIN);
	assert_true(requested(1, VECTOR));
	assert_false(requested(2, VECTOR));
	run(0);
	avic_cpu_send(&avic_cpus[0], ICR(1, 5));
	assert_int_equal(handle(0), SVM_AGAIN);
	write_register(0, APIC_ESR, 0);
	assert_int_equal(read_register(0, APIC_ESR), APIC_ESR_SEND_ILLEGAL);
}

/* To one whose APIC is off, or off by software, nothing goes, by AVIC neither. */
static void gives_nothing_to_an_apic_that_is_off(void **state)
{
	(void)state;
	write_register(2, APIC_SVR, 0xff);
	assert_true(lapic_set_base(vcpus[1]->vcpu.lapic, APIC_BASE_DEFAULT, true));
	run(0);
	assert_true(is_on(0));
	avic_cpu_send(&avic_cpus[0], SHORTHAND(APIC_SHORTHAND_OTHERS) | VECTOR);
	assert_int_equal(handle(0), SVM_AGAIN);
	assert_int_equal(lapic_highest(vcpus[1]->vcpu.lapic, APIC_IRR), -1);
	assert_int_equal(lapic_highest(vcpus[2]->vcpu.lapic, APIC_IRR), -1);
	for (unsigned i = 1; i < AVIC_CPUS; i++)
		assert_int_equal(avic_highest(vcpus[i]->avic.page, APIC_IRR), -1);
}

/* --- No wake-up is lost ----------------------------------------------------------------------- */

/*
 * A sender's steps: the bit, the look at the table with the doorbell or the exit, the exit's
 * handling.  A target's: what it does on its way out of the guest and to sleep, or back in.
 */
enum { SENDER_STEPS = 3 };

static void sender_step(struct avic_sending *s, unsigned step)
{
	switch (step) {
	case 0:
		assert_true(avic_send_begin(s, &avic_cpus[0], ICR(1, VECTOR)));
		avic_send_set_irr(s);
		break;
	case 1:
		avic_send_doorbells(s);
		break;
	default:
		if (!avic_cpus[0].v)
			assert_int_equal(handle(0), SVM_AGAIN);
		break;
	}
}

/* Out, then as run_until_exit() and block() do: kicked is cleared, then IRR looked at. */
static void target_sleeps(unsigned step, bool *sleeps)
{
	struct vcpu *vcpu = &vcpus[1]->vcpu;

	switch (step) {
	case 0:
		interrupt(1);
		break;
	case 1:
		vcpu->kicked = false;
		break;
	case 2:
		*sleeps = lapic_pending(vcpu->lapic) < 0;
		break;
	default: /* it sleeps, if that is still so */
		break;
	}
}

static void target_enters(unsigned step, bool *sleeps)
{
	struct svm_vcpu *c = vcpus[1];

	(void)sleeps;
	switch (step) {
	case 0:
		inside_begin(&c->vcpu, c->cpu);
		svm_inject(c);
		break;
	case 1:
		svm_vmcb_enter(c);
		break;
	case 2:
		avic_cpu_vmrun(&avic_cpus[1], c->vmcb);
		break;
	default:
		if (avic_cpus[1].v && c->vcpu.kicked)
			interrupt(1);
		break;
	}
}

/* One interleaving: bit n of order says whose step is next. */
static void interleave(unsigned order, unsigned target_steps, bool runs,
		       void (*target)(unsigned step, bool *sleeps))
{
	unsigned sent = 0, stepped = 0, count;
	struct avic_sending s;
	bool sleeps = false;

	set_up_machine(true);
	run(0);
	vcpus[1]->vcpu.kicked = false;
	if (runs)
		run(1);
	for (unsigned i = 0; i < SENDER_STEPS + target_steps; i++) {
		if (order >> i & 1)
			target(stepped++, &sleeps);
		else
			sender_step(&s, sent++);
	}
	/* One that sleeps has had it, or is woken. */
	if (sleeps && !avic_cpus[1].taken[VECTOR])
		assert_true(vcpus[1]->vcpu.kicked);
	if (avic_cpus[1].v)
		interrupt(1);
	avic_cpus[1].interrupts = true;
	run(1);
	count = avic_cpus[1].taken[VECTOR];
	assert_int_equal(count, 1);
	interrupt(1);
	tear_down(NULL);
}

static void loses_no_wake_up(void **state)
{
	unsigned orders = 0;

	(void)state;
	for (unsigned order = 0; order < 1u << (SENDER_STEPS + 4); order++) {
		if (__builtin_popcount(order) != 4)
			continue;
		interleave(order, 4, true, target_sleeps);
		interleave(order, 4, false, target_enters);
		orders++;
	}
	assert_int_equal(orders, 35);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_used_only_where_it_is_wanted_and_present),
		cmocka_unit_test_setup_teardown(leaves_nothing_to_do_when_off, set_up_off,
						tear_down),
		TEST(opens_what_it_works_on),
		TEST(table_says_where_it_runs),
		TEST(debugger_sees_the_core_alone),
		TEST(needs_an_apic_that_takes_interrupts),
		TEST(needs_all_in_x2apic_mode),
		TEST(takes_what_the_core_posts),
		TEST(hands_over_what_waits),
		TEST(waits_for_the_pic_without_avic),
		TEST(tpr_goes_both_ways),
		TEST(core_reads_what_the_guest_has_written),
		TEST(ends_levels_at_the_ioapic),
		TEST(ends_levels_that_the_cpu_has_ended),
		TEST(tells_the_end_of_the_ioapics_edges),
		TEST(sends_to_one_that_runs_without_exit),
		TEST(wakes_one_that_does_not_run),
		TEST(broadcasts),
		TEST(leaves_other_messages_to_the_core),
		TEST(gives_nothing_to_an_apic_that_is_off),
		cmocka_unit_test(loses_no_wake_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
