/* SPDX-License-Identifier: MIT */
/* The state of a vCPU through its VMCB and back, and events through its fields. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hw/msr.h"
#include "hypervisor/x86/svm/layout.h"
#include "hypervisor/x86/svm/svm.h"
#include "tests/support/fake_kernel.h"

static struct svm_vm vm;
static struct svm_vcpu *c;

static int set_up(void **state)
{
	(void)state;
	fake_kernel_reset();
	memset(&vm, 0, sizeof(vm));
	vm.vm.backend = &svm_backend;
	c = aligned_alloc(64, sizeof(*c));
	memset(c, 0, sizeof(*c));
	c->vcpu.vm = &vm.vm;
	c->vmcb = host_pages_alloc(0, &c->vmcb_physical);
	svm_vmcb_init(c);
	return 0;
}

static int set_up_vnmi(void **state)
{
	svm_features.vnmi = true;
	return set_up(state);
}

static int tear_down(void **state)
{
	(void)state;
	host_pages_free(c->vmcb, 0);
	free(c);
	svm_features.vnmi = false;
	return 0;
}

/* All different, and each as a CPU could have it. */
static void fill(struct cpu_state *s)
{
	uint64_t next = 0x1000;

	memset(s, 0, sizeof(*s));
	for (unsigned i = 0; i < CPU_REGISTERS; i++)
		s->gpr[i] = next++;
	s->rip = next++;
	s->rflags = RFLAGS_RESERVED_ONE | RFLAGS_IF;
	for (unsigned i = 0; i < CPU_SEGMENTS; i++)
		s->segment[i] = (struct cpu_segment){.base = next++,
						     .limit = UINT32_MAX - i,
						     .selector = (uint16_t)(0x2000 + i),
						     .type = SEGMENT_TYPE_DATA_WRITABLE,
						     .dpl = 3,
						     .s = true,
						     .present = true,
						     .db = true,
						     .g = true};
	s->segment[CPU_CS].l = true;
	s->segment[CPU_CS].db = false;
	s->segment[CPU_CS].type = SEGMENT_TYPE_CODE_READABLE;
	s->segment[CPU_ES] = (struct cpu_segment){.unusable = true};
	s->tr = (struct cpu_segment){.base = next++,
				     .limit = 0x67,
				     .selector = 0x40,
				     .type = SYSTEM_TYPE_TSS32_BUSY,
				     .present = true};
	s->ldtr = (struct cpu_segment){.unusable = true, .selector = 0};
	s->gdtr = (struct cpu_table){next++, 0x7f};
	s->idtr = (struct cpu_table){next++, 0xfff};
	s->cr0 = CR0_PE | CR0_PG | CR0_ET;
	s->cr2 = next++;
	s->cr3 = next++ << 12;
	s->cr4 = CR4_PAE;
	s->efer = EFER_LME | EFER_LMA | EFER_SCE;
	s->dr6 = DR6_ONES;
	s->dr7 = DR7_ONES;
	s->star = next++;
	s->lstar = next++;
	s->cstar = next++;
	s->sfmask = next++;
	s->kernel_gs_base = next++;
	s->sysenter_cs = next++;
	s->sysenter_esp = next++;
	s->sysenter_eip = next++;
	s->pat = next++;
	s->cpl = 3;
}

static void round_trip(void **state)
{
	struct cpu_state *s = &c->vcpu.state, *expected = aligned_alloc(64, sizeof(*s));

	(void)state;
	fill(s);
	memcpy(expected, s, sizeof(*s));
	svm_vmcb_enter(c);
	svm_debug_enter(c);
	assert_int_equal(c->vmcb->save.efer, s->efer | EFER_SVME);
	assert_int_equal(c->vmcb->save.cr4, s->cr4);
	/* What the VMCB holds, and no more, goes. */
	memset(s->segment, 0xee, sizeof(s->segment));
	s->tr.base = s->ldtr.base = s->gdtr.base = s->idtr.base = 0;
	c->loaded_cr0 = 0;
	s->cr0 = s->cr2 = s->cr3 = s->rip = s->rflags = 0;
	s->gpr[CPU_RAX] = s->gpr[CPU_RSP] = 0;
	s->star = s->lstar = s->cstar = s->sfmask = s->kernel_gs_base = 0;
	s->sysenter_cs = s->sysenter_esp = s->sysenter_eip = 0;
	s->dr6 = s->dr7 = 0;
	s->cpl = 0;
	svm_vmcb_leave(c);
	svm_debug_leave(c);
	assert_int_equal(s->rip, expected->rip);
	assert_true(s->segment[CPU_CS].l);
	svm_sync_state(&c->vcpu);
	for (unsigned i = 0; i < CPU_SEGMENTS; i++) {
		assert_int_equal(s->segment[i].base, expected->segment[i].base);
		assert_int_equal(s->segment[i].limit, expected->segment[i].limit);
		assert_int_equal(s->segment[i].selector, expected->segment[i].selector);
		assert_int_equal(s->segment[i].type, expected->segment[i].type);
		assert_int_equal(s->segment[i].dpl, expected->segment[i].dpl);
		assert_int_equal(s->segment[i].l, expected->segment[i].l);
		assert_int_equal(s->segment[i].db, expected->segment[i].db);
		assert_int_equal(s->segment[i].g, expected->segment[i].g);
		assert_int_equal(s->segment[i].unusable, expected->segment[i].unusable);
	}
	assert_memory_equal(&s->gdtr, &expected->gdtr, sizeof(s->gdtr.base));
	assert_int_equal(s->idtr.limit, expected->idtr.limit);
	assert_int_equal(s->tr.base, expected->tr.base);
	assert_int_equal(s->tr.type, expected->tr.type);
	assert_true(s->ldtr.unusable);
	assert_memory_equal(s->gpr, expected->gpr, sizeof(s->gpr));
	assert_int_equal(s->cr0, expected->cr0);
	assert_int_equal(s->cr2, expected->cr2);
	assert_int_equal(s->cr3, expected->cr3);
	assert_int_equal(s->cr4, expected->cr4);
	assert_int_equal(s->efer, expected->efer);
	assert_int_equal(s->star, expected->star);
	assert_int_equal(s->sysenter_eip, expected->sysenter_eip);
	assert_int_equal(s->kernel_gs_base, expected->kernel_gs_base);
	assert_int_equal(s->dr6, expected->dr6);
	assert_int_equal(s->dr7, expected->dr7);
	assert_int_equal(s->cpl, expected->cpl);
	free(expected);
}

static void injects(void **state)
{
	struct vmcb_control *control = &c->vmcb->control;
	struct vcpu *vcpu = &c->vcpu;

	(void)state;
	vcpu->inject = (struct cpu_event){CPU_EVENT_EXCEPTION, CPU_VECTOR_PF, true, 0x6};
	vcpu->exception_address = 0x1234;
	svm_inject(c);
	assert_int_equal(vcpu->inject.kind, CPU_EVENT_NONE);
	assert_int_equal(control->event_injection, UINT64_C(0x680000b0e));
	assert_int_equal(vcpu->state.cr2, 0x1234);
	/* It comes back when its delivery exits. */
	control->exit_interrupt = control->event_injection;
	svm_take_back(c);
	assert_int_equal(vcpu->inject.kind, CPU_EVENT_EXCEPTION);
	assert_int_equal(vcpu->inject.vector, CPU_VECTOR_PF);
	assert_int_equal(vcpu->inject.error, 6);
	assert_int_equal(vcpu->exception_address, 0x1234);
}

/* Injects an interrupt; true: as a virtual one. */
static bool injects_virtual(uint8_t vector)
{
	struct vmcb_control *control = &c->vmcb->control;

	c->vcpu.inject = (struct cpu_event){.kind = CPU_EVENT_INTERRUPT, .vector = vector};
	svm_inject(c);
	assert_int_equal(c->vcpu.inject.kind, CPU_EVENT_NONE);
	if (control->event_injection) {
		assert_int_equal(control->event_injection, SVM_EVENT_VALID | vector);
		return false;
	}
	assert_true(control->virtual_interrupt & SVM_V_IRQ);
	assert_true(control->virtual_interrupt & SVM_V_IGNORE_TPR);
	assert_int_equal(control->virtual_interrupt >> 32, vector);
	assert_false(control->intercept_misc1 & SVM_INTERCEPT_VINTR);
	return true;
}

static void interrupts_are_virtual(void **state)
{
	struct vmcb_control *control = &c->vmcb->control;
	struct vcpu *vcpu = &c->vcpu;

	(void)state;
	vcpu->state.rflags = RFLAGS_RESERVED_ONE | RFLAGS_IF;
	assert_true(injects_virtual(0x31));
	/* The guest has taken it. */
	control->virtual_interrupt &= ~SVM_V_IRQ;
	svm_take_back(c);
	assert_int_equal(vcpu->inject.kind, CPU_EVENT_NONE);
	/* It has not; and an emulated CPU calls it an exception when its delivery exits. */
	c->clean = UINT32_MAX;
	assert_true(injects_virtual(0xfe));
	assert_false(c->clean & SVM_CLEAN_VIRTUAL_INTERRUPT);
	control->exit_interrupt =
		SVM_EVENT_VALID | 0xfe | SVM_EVENT_EXCEPTION << SVM_EVENT_TYPE_SHIFT;
	c->clean = UINT32_MAX;
	svm_take_back(c);
	assert_int_equal(vcpu->inject.kind, CPU_EVENT_INTERRUPT);
	assert_int_equal(vcpu->inject.vector, 0xfe);
	assert_false(vcpu->inject.has_error);
	assert_false(control->virtual_interrupt & SVM_V_IRQ);
	assert_false(c->clean & SVM_CLEAN_VIRTUAL_INTERRUPT);
	/* One that had waited for its window. */
	vcpu->inject.kind = CPU_EVENT_NONE;
	vcpu->want_window = true;
	svm_inject(c);
	vcpu->want_window = false;
	assert_true(injects_virtual(0x31));
}

static void some_interrupts_are_not(void **state)
{
	struct vmcb_control *control = &c->vmcb->control;
	struct vcpu *vcpu = &c->vcpu;

	(void)state;
	/* As KVM_SET_VCPU_EVENTS may want it. */
	vcpu->state.rflags = RFLAGS_RESERVED_ONE;
	assert_false(injects_virtual(0x31));
	vcpu->state.rflags = RFLAGS_RESERVED_ONE | RFLAGS_IF;
	vcpu->state.sti_shadow = true;
	assert_false(injects_virtual(0x31));
	vcpu->state.sti_shadow = false;
	/* V_IRQ is what tells when the next one can be taken. */
	vcpu->want_window = true;
	vcpu->inject = (struct cpu_event){.kind = CPU_EVENT_INTERRUPT, .vector = 0x31};
	svm_inject(c);
	assert_int_equal(control->event_injection, SVM_EVENT_VALID | 0x31);
	assert_true(control->intercept_misc1 & SVM_INTERCEPT_VINTR);
	vcpu->want_window = false;
	vcpu->want_nmi_window = true;
	assert_false(injects_virtual(0x31));
	vcpu->want_nmi_window = false;
	c->entry_work |= SVM_WORK_AVIC;
	assert_false(injects_virtual(0x31));
}

/* A CPU that forgets its shadow at VMRUN would exit for the window at once. */
static void a_window_behind_sti_is_a_step_away(void **state)
{
	struct vmcb_control *control = &c->vmcb->control;
	struct vcpu *vcpu = &c->vcpu;
	bool next_rip = svm_features.next_rip;

	(void)state;
	vcpu->state.rflags = RFLAGS_RESERVED_ONE | RFLAGS_IF;
	vcpu->state.sti_shadow = true;
	vcpu->want_window = true;
	svm_features.next_rip = false;
	svm_inject(c);
	assert_false(control->virtual_interrupt & SVM_V_IRQ);
	assert_true(c->stepping_event);
	vcpu->state.sti_shadow = false;
	svm_inject(c);
	assert_true(control->virtual_interrupt & SVM_V_IRQ);
	assert_false(c->stepping_event);
	svm_features.next_rip = true;
	vcpu->state.sti_shadow = true;
	svm_inject(c);
	assert_true(control->virtual_interrupt & SVM_V_IRQ);
	assert_false(c->stepping_event);
	svm_features.next_rip = next_rip;
	vcpu->want_window = false;
}

static void masks_nmis_until_iret(void **state)
{
	struct vmcb_control *control = &c->vmcb->control;
	struct vcpu *vcpu = &c->vcpu;

	(void)state;
	vcpu->inject = (struct cpu_event){.kind = CPU_EVENT_NMI, .vector = CPU_VECTOR_NMI};
	svm_inject(c);
	assert_true(vcpu->state.nmi_masked);
	assert_true(control->intercept_misc1 & SVM_INTERCEPT_IRET);
	vcpu->state.rip = 0x100;
	svm_iret(c);
	vcpu->want_nmi_window = true;
	svm_inject(c);
	assert_false(control->intercept_misc1 & SVM_INTERCEPT_IRET);
	assert_true(c->stepping_event);
	svm_take_back(c); /* an exit in front of it */
	assert_true(vcpu->state.nmi_masked);
	vcpu->state.rip = 0x200;
	svm_take_back(c);
	assert_false(vcpu->state.nmi_masked);
}

/* What a guest does on a CPU with virtual NMIs. */
enum { GUEST_RUNS, GUEST_ENDS_NMI, GUEST_EXITS_IN_DELIVERY };

/*
 * An entry, the CPU as APM2 section 15.21.10 has it, and the exit: how many NMIs the guest has
 * taken meanwhile.
 */
static unsigned run_with_vnmi(unsigned guest)
{
	struct vmcb_control *control = &c->vmcb->control;
	uint64_t kept = control->virtual_interrupt;
	bool injected, waits, masked;
	unsigned taken = 0;

	svm_inject(c);
	svm_vmcb_enter(c);
	injected = control->event_injection ==
		   (SVM_EVENT_VALID | SVM_EVENT_NMI << SVM_EVENT_TYPE_SHIFT | CPU_VECTOR_NMI);
	waits = control->virtual_interrupt & SVM_V_NMI;
	masked = control->virtual_interrupt & SVM_V_NMI_MASK;
	if (c->clean & SVM_CLEAN_VIRTUAL_INTERRUPT)
		assert_int_equal(control->virtual_interrupt, kept);
	assert_true(control->virtual_interrupt & SVM_V_NMI_ENABLE);
	assert_true(control->intercept_misc1 & SVM_INTERCEPT_NMI); /* or VMRUN fails */
	assert_false(control->intercept_misc1 & SVM_INTERCEPT_IRET);
	control->exit_interrupt = 0;
	if (injected) {
		masked = true;
		taken++;
	}
	for (unsigned i = 0; i < 2; i++) {
		if (waits && !masked) {
			waits = false;
			masked = true;
			taken++;
		}
		if (i == 0 && guest == GUEST_ENDS_NMI)
			masked = false;
	}
	if (guest == GUEST_EXITS_IN_DELIVERY) {
		assert_int_equal(taken--, 1);
		masked = false;
		control->exit_interrupt =
			SVM_EVENT_VALID | SVM_EVENT_NMI << SVM_EVENT_TYPE_SHIFT | CPU_VECTOR_NMI;
	}
	control->virtual_interrupt &= ~(SVM_V_NMI | SVM_V_NMI_MASK);
	control->virtual_interrupt |= (waits ? SVM_V_NMI : 0) | (masked ? SVM_V_NMI_MASK : 0);
	svm_vmcb_leave(c);
	if (c->exit_work || (control->exit_interrupt & SVM_EVENT_VALID))
		svm_take_back(c);
	return taken;
}

static void cpu_keeps_an_nmi(void **state)
{
	struct vcpu *vcpu = &c->vcpu;

	(void)state;
	vcpu->inject = (struct cpu_event){.kind = CPU_EVENT_NMI, .vector = CPU_VECTOR_NMI};
	vcpu->nmi_pending = 1;
	vcpu->want_nmi_window = true;
	assert_int_equal(run_with_vnmi(GUEST_RUNS), 1);
	assert_int_equal(fake_kernel_kicks, 0);
	assert_true(vcpu->state.nmi_masked);
	assert_int_equal(vcpu->nmi_pending, 1);
	assert_true(vcpu->want_nmi_window);
	/* It is taken with no exit in between, and counted off. */
	assert_int_equal(run_with_vnmi(GUEST_ENDS_NMI), 1);
	assert_false(c->stepping_event);
	assert_true(vcpu->state.nmi_masked);
	assert_int_equal(vcpu->nmi_pending, 0);
	assert_false(vcpu->want_nmi_window);
	assert_int_equal(run_with_vnmi(GUEST_ENDS_NMI), 0);
	assert_false(vcpu->state.nmi_masked);
}

/* The mask is the caller's to set, too. */
static void cpu_masks_as_the_state_says(void **state)
{
	struct vcpu *vcpu = &c->vcpu;

	(void)state;
	vcpu->state.nmi_masked = true;
	vcpu->nmi_pending = 2;
	vcpu->want_nmi_window = true;
	assert_int_equal(run_with_vnmi(GUEST_RUNS), 0);
	assert_true(vcpu->state.nmi_masked);
	assert_int_equal(vcpu->nmi_pending, 2);
	assert_int_equal(run_with_vnmi(GUEST_ENDS_NMI), 1);
	assert_int_equal(vcpu->nmi_pending, 1);
	assert_true(vcpu->want_nmi_window);
	vcpu->state.nmi_masked = false;
	assert_int_equal(run_with_vnmi(GUEST_RUNS), 1);
	assert_int_equal(vcpu->nmi_pending, 0);
}

static void nmi_comes_back_from_its_delivery(void **state)
{
	struct vcpu *vcpu = &c->vcpu;

	(void)state;
	vcpu->nmi_pending = 1;
	vcpu->want_nmi_window = true;
	assert_int_equal(run_with_vnmi(GUEST_EXITS_IN_DELIVERY), 0);
	assert_int_equal(vcpu->inject.kind, CPU_EVENT_NMI);
	assert_int_equal(vcpu->nmi_pending, 0);
	assert_false(vcpu->state.nmi_masked);
	assert_int_equal(run_with_vnmi(GUEST_RUNS), 1);
	assert_true(vcpu->state.nmi_masked);
	assert_int_equal(run_with_vnmi(GUEST_RUNS), 0);
}

/* The CPU has room for one: the first of two goes by an exit, as without. */
static void two_nmis_are_two(void **state)
{
	struct vcpu *vcpu = &c->vcpu;

	(void)state;
	vcpu->nmi_pending = 2;
	vcpu->want_nmi_window = true;
	vcpu->state.sti_shadow = true;
	assert_int_equal(run_with_vnmi(GUEST_RUNS), 0);
	assert_true(c->stepping_event);
	assert_int_equal(vcpu->nmi_pending, 2);
}

static void asks_for_windows(void **state)
{
	struct vmcb_control *control = &c->vmcb->control;

	(void)state;
	c->vcpu.want_window = true;
	svm_inject(c);
	assert_true(control->virtual_interrupt & SVM_V_IRQ);
	assert_true(control->intercept_misc1 & SVM_INTERCEPT_VINTR);
	c->vcpu.want_window = false;
	svm_inject(c);
	assert_int_equal(control->virtual_interrupt, SVM_V_INTR_MASKING);
	assert_false(control->intercept_misc1 & SVM_INTERCEPT_VINTR);
}

/* What exits because a debugger outside asked for it goes to it, and what is the guest's to the
 * guest. */
static void tells_the_debugger(void **state)
{
	struct exit exit = {.kind = EXIT_NONE};
	struct vcpu *vcpu = &c->vcpu;

	(void)state;
	fill(&vcpu->state);
	vcpu->state.rip = 0x1234;
	vcpu->state.dr6 = DR6_ONES;
	vcpu->state.segment[CPU_CS].base = 0x10000;
	vcpu->debug_hardware = vcpu->debug_software = true;
	vcpu->debug_dr7 = 1;
	svm_vmcb_enter(c);
	svm_debug_enter(c);
	assert_int_equal(c->vmcb->save.dr7, DR7_ONES | 1);
	assert_int_equal(svm_debug_exception(c, CPU_VECTOR_BP, &exit), SVM_CORE);
	assert_int_equal(exit.kind, EXIT_DEBUG);
	assert_int_equal(exit.debug.vector, CPU_VECTOR_BP);
	assert_int_equal(exit.debug.rip, 0x11234);

	exit.kind = EXIT_NONE;
	c->vmcb->save.dr6 = DR6_ONES | 1;
	svm_debug_leave(c);
	assert_int_equal(svm_debug_exception(c, CPU_VECTOR_DB, &exit), SVM_CORE);
	assert_int_equal(exit.kind, EXIT_DEBUG);
	assert_int_equal(exit.debug.dr6, DR6_ONES | 1);
	assert_int_equal(vcpu->state.dr6, DR6_ONES);
	assert_int_equal(vcpu->exception.kind, CPU_EVENT_NONE);

	exit.kind = EXIT_NONE;
	vcpu->debug_hardware = vcpu->debug_software = false;
	svm_debug_enter(c);
	c->vmcb->save.dr6 = DR6_ONES | 1;
	svm_debug_leave(c);
	assert_int_equal(svm_debug_exception(c, CPU_VECTOR_DB, &exit), SVM_CORE);
	assert_int_equal(exit.kind, EXIT_NONE);
	assert_int_equal(vcpu->exception.vector, CPU_VECTOR_DB);
	assert_int_equal(vcpu->state.dr6, DR6_ONES | 1);
}

/* What is owed, by the CPU's family and leaf 0x80000021. */
static void chooses_mitigations(void **state)
{
	static const struct {
		uint32_t family, eax, ecx, flags;
	} cpus[] = {
		{0x17, 0, 0, SVM_SWITCH_FILL_RETURNS},
		{0x19, 0, 0, SVM_SWITCH_FILL_RETURNS | SVM_SWITCH_CLEAR_BUFFERS},
		{0x19, 1 << 5, 0, SVM_SWITCH_FILL_RETURNS | SVM_SWITCH_CLEAR_BUFFERS},
		{0x1a, 1 << 5, 0, SVM_SWITCH_FILL_RETURNS | SVM_SWITCH_CLEAR_BUFFERS},
		{0x19, 1 << 5, 2, SVM_SWITCH_FILL_RETURNS | SVM_SWITCH_CLEAR_BUFFERS},
		{0x19, 1 << 5, 6, SVM_SWITCH_FILL_RETURNS},
		{0x1a, 1 << 24, 6, 0},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(cpus); i++) {
		const uint32_t leaf[4] = {cpus[i].eax, 0, cpus[i].ecx, 0};

		assert_int_equal(svm_mitigations_choose(cpus[i].family, leaf), cpus[i].flags);
	}
}

/* Whether a guest's access to the MSR exits: two bits each, read and write (APM2 15.11). */
static unsigned intercepts_of(uint32_t msr)
{
	const uint8_t *map = svm_maps.msr;
	unsigned range = msr >= 0xc0010000 ? 0x1000 : msr >= 0xc0000000 ? 0x800 : 0;

	return map[range + (msr & 0x1fff) / 4] >> (msr % 4 * 2) & 3;
}

static void intercepts_all_but_the_guests_own(void **state)
{
	static const uint32_t own[] = {MSR_STAR,           MSR_LSTAR,       MSR_CSTAR,
				       MSR_SFMASK,         MSR_FS_BASE,     MSR_GS_BASE,
				       MSR_KERNEL_GS_BASE, MSR_SYSENTER_CS, MSR_SYSENTER_ESP,
				       MSR_SYSENTER_EIP};
	static const uint32_t firsts[] = {0, 0xc0000000, 0xc0010000};
	unsigned open = 0;

	(void)state;
	assert_int_equal(svm_maps_create(), 0);
	for (unsigned i = 0; i < ARRAY_COUNT(firsts); i++)
		for (uint32_t msr = firsts[i]; msr < firsts[i] + 0x2000; msr++)
			open += intercepts_of(msr) != 3;
	assert_int_equal(open, ARRAY_COUNT(own));
	for (unsigned i = 0; i < ARRAY_COUNT(own); i++)
		assert_int_equal(intercepts_of(own[i]), 0);
	/* 64 Ki ports, and the three bytes behind the last one that a wide access touches. */
	for (unsigned i = 0; i < 0x2001; i++)
		assert_int_equal(((uint8_t *)svm_maps.io)[i], 0xff);
	svm_maps_destroy();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(round_trip),
		TEST(injects),
		TEST(interrupts_are_virtual),
		TEST(some_interrupts_are_not),
		TEST(a_window_behind_sti_is_a_step_away),
		TEST(masks_nmis_until_iret),
#define VNMI_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_vnmi, tear_down)
		VNMI_TEST(cpu_keeps_an_nmi),
		VNMI_TEST(cpu_masks_as_the_state_says),
		VNMI_TEST(nmi_comes_back_from_its_delivery),
		VNMI_TEST(two_nmis_are_two),
		TEST(asks_for_windows),
		TEST(tells_the_debugger),
		TEST(chooses_mitigations),
		TEST(intercepts_all_but_the_guests_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
