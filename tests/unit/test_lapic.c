/* SPDX-License-Identifier: MIT */
/* The local APIC: priorities, ends of interrupts, IPIs of all kinds, its timer, both modes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hw/msr.h"
#include "lib/bits.h"
#include "tests/support/chips.h"

#define MODE(mode) ((uint32_t)(mode) << APIC_MODE_SHIFT)
#define SHORTHAND(which) ((uint32_t)(which) << APIC_ICR_SHORTHAND_SHIFT)
#define MS UINT64_C(1000000)

static struct chips *create(unsigned count)
{
	struct chips *chips = chips_create(count, NULL);

	for (unsigned i = 0; i < count; i++)
		apic_enable(chips, i);
	return chips;
}

static void to_x2apic(struct chips *chips, unsigned cpu)
{
	struct lapic *lapic = chips_lapic(chips, cpu);

	assert_true(lapic_set_base(lapic, lapic_get_base(lapic) | APIC_BASE_X2APIC, true));
}

static uint64_t msr(struct chips *chips, unsigned cpu, unsigned offset)
{
	uint64_t value;

	return lapic_msr_read(chips_lapic(chips, cpu), MSR_X2APIC_FIRST + offset / 16, &value)
		       ? value
		       : UINT64_C(0xdeaddead);
}

static bool set_msr(struct chips *chips, unsigned cpu, unsigned offset, uint64_t value)
{
	return lapic_msr_write(chips_lapic(chips, cpu), MSR_X2APIC_FIRST + offset / 16, value);
}

static void self(struct chips *chips, uint8_t vector)
{
	ipi(chips, 0, 0, vector | SHORTHAND(APIC_SHORTHAND_SELF));
}

static uint32_t signals(struct chips *chips, unsigned cpu, uint8_t *vector)
{
	return lapic_take_signals(chips_lapic(chips, cpu), vector);
}

/* --- State after reset ------------------------------------------------------------------------ */

static void reset_state_is_the_manuals(void **state)
{
	struct chips *chips = chips_create(2, NULL);

	(void)state;
	assert_int_equal(apic_in(chips, 1, APIC_ID), 1u << 24);
	assert_int_equal(apic_in(chips, 0, APIC_VERSION), 0x50014);
	assert_int_equal(apic_in(chips, 0, APIC_SVR), 0xff);
	assert_int_equal(apic_in(chips, 0, APIC_DFR), 0xffffffff);
	assert_int_equal(apic_in(chips, 0, APIC_LDR), 0);
	assert_int_equal(apic_in(chips, 0, APIC_LVT_LINT0), 0x700);
	assert_int_equal(apic_in(chips, 1, APIC_LVT_LINT0), 0x10000);
	assert_int_equal(apic_in(chips, 0, APIC_LVT_TIMER), 0x10000);
	assert_int_equal(lapic_get_base(chips_lapic(chips, 0)), 0xfee00900);
	assert_int_equal(lapic_get_base(chips_lapic(chips, 1)), 0xfee00800);
	chips_destroy(chips);
	assert_int_equal(fake_host_allocated, 0);
}

static void init_keeps_mode_and_id(void **state)
{
	struct chips *chips = create(2);

	(void)state;
	apic_out(chips, 1, APIC_ID, 7u << 24);
	apic_out(chips, 1, APIC_TPR, 0x50);
	lapic_init(chips_lapic(chips, 1));
	assert_int_equal(apic_in(chips, 1, APIC_ID), 7u << 24);
	assert_int_equal(apic_in(chips, 1, APIC_TPR), 0);
	assert_int_equal(apic_in(chips, 1, APIC_SVR), 0xff);
	to_x2apic(chips, 0);
	lapic_init(chips_lapic(chips, 0));
	assert_int_equal(msr(chips, 0, APIC_LDR), 1);
	chips_destroy(chips);
}

/* --- Priorities ------------------------------------------------------------------------------- */

static void higher_class_goes_first_and_nests(void **state)
{
	struct chips *chips = create(1);

	(void)state;
	self(chips, 0x41);
	self(chips, 0x61);
	assert_int_equal(chips_take(chips, 0), 0x61);
	assert_int_equal(apic_in(chips, 0, APIC_PPR), 0x60);
	assert_int_equal(chips_take(chips, 0), -1);
	self(chips, 0x6f); /* the same class waits */
	assert_int_equal(chips_take(chips, 0), -1);
	self(chips, 0x72);
	assert_int_equal(chips_take(chips, 0), 0x72);
	chips_eoi(chips, 0); /* of 0x72 */
	assert_int_equal(chips_take(chips, 0), -1);
	chips_eoi(chips, 0); /* of 0x61 */
	assert_int_equal(chips_take(chips, 0), 0x6f);
	chips_eoi(chips, 0);
	assert_int_equal(chips_take(chips, 0), 0x41);
	chips_eoi(chips, 0);
	assert_int_equal(chips_take(chips, 0), -1);
	assert_int_equal(apic_in(chips, 0, APIC_PPR), 0);
	chips_destroy(chips);
}

static void tpr_holds_back_its_class_and_those_below(void **state)
{
	struct chips *chips = create(1);
	struct lapic *lapic = chips_lapic(chips, 0);

	(void)state;
	self(chips, 0x5f);
	assert_true(lapic_set_tpr(lapic, 5));
	assert_int_equal(apic_in(chips, 0, APIC_TPR), 0x50);
	assert_int_equal(lapic_pending(lapic), -1);
	assert_false(lapic_has_work(lapic));
	apic_out(chips, 0, APIC_TPR, 0x4f);
	assert_int_equal(lapic_get_tpr(lapic), 4);
	assert_int_equal(apic_in(chips, 0, APIC_PPR), 0x4f);
	assert_true(lapic_has_work(lapic));
	assert_int_equal(lapic_pending(lapic), 0x5f);
	assert_false(lapic_set_tpr(lapic, 16));
	assert_int_equal(lapic_get_tpr(lapic), 4);
	chips_destroy(chips);
}

static void a_vector_waits_once(void **state)
{
	struct chips *chips = create(1);
	struct kvm_msi msi = {.address_lo = 0xfee00000, .data = 0x44};

	(void)state;
	assert_int_equal(irqchip_signal_msi(chips->vm.irqchip, &msi), 1);
	assert_int_equal(chips->kicks[0], 1);
	assert_int_equal(irqchip_signal_msi(chips->vm.irqchip, &msi), 0);
	assert_int_equal(chips_take(chips, 0), 0x44);
	assert_int_equal(irqchip_signal_msi(chips->vm.irqchip, &msi), 1); /* while in service */
	assert_int_equal(chips_take(chips, 0), -1);
	chips_eoi(chips, 0);
	assert_int_equal(chips_take(chips, 0), 0x44);
	chips_destroy(chips);
}

static void all_vectors_come_in_order(void **state)
{
	struct chips *chips = create(1);

	(void)state;
	for (unsigned vector = 16; vector < 256; vector++)
		self(chips, (uint8_t)vector);
	for (int vector = 255; vector >= 16; vector--) {
		assert_int_equal(chips_take(chips, 0), vector);
		chips_eoi(chips, 0);
	}
	assert_int_equal(chips_take(chips, 0), -1);
	chips_eoi(chips, 0); /* of nothing */
	chips_destroy(chips);
}

/* --- Off -------------------------------------------------------------------------------------- */

static void software_disabled_takes_signals_only(void **state)
{
	struct chips *chips = create(2);
	uint8_t vector;

	(void)state;
	apic_out(chips, 1, APIC_LVT_ERROR, 0x40);
	ipi(chips, 0, 1, 0x55);
	apic_out(chips, 1, APIC_SVR, 0xff);
	assert_int_equal(apic_in(chips, 1, APIC_LVT_ERROR), 0x10040);
	apic_out(chips, 1, APIC_LVT_ERROR, 0x41); /* stays masked */
	assert_int_equal(apic_in(chips, 1, APIC_LVT_ERROR), 0x10041);
	ipi(chips, 0, 1, 0x66);
	ipi(chips, 0, 1, MODE(APIC_MODE_NMI));
	assert_int_equal(signals(chips, 1, &vector), LAPIC_SIGNAL_NMI);
	assert_int_equal(chips_take(chips, 1), 0x55); /* what was there stays */
	chips_eoi(chips, 1);
	assert_int_equal(chips_take(chips, 1), -1);
	chips_destroy(chips);
}

static void globally_disabled_is_not_there(void **state)
{
	struct chips *chips = create(2);
	struct lapic *lapic = chips_lapic(chips, 1);

	(void)state;
	assert_true(lapic_set_base(lapic, APIC_BASE_DEFAULT, true));
	assert_int_equal(apic_in(chips, 1, APIC_VERSION), 0xffffffff);
	apic_out(chips, 1, APIC_TPR, 0x70);
	assert_int_equal(lapic_get_tpr(lapic), 0);
	ipi(chips, 0, 1, 0x55);
	assert_int_equal(chips_take(chips, 1), -1);
	assert_true(lapic_set_tpr(lapic, 3)); /* CR8 is the CPU's */
	assert_true(lapic_set_base(lapic, APIC_BASE_DEFAULT | APIC_BASE_ENABLE, true));
	assert_int_equal(apic_in(chips, 1, APIC_TPR), 0x30);
	ipi(chips, 0, 1, 0x56);
	assert_int_equal(chips_take(chips, 1), 0x56);
	chips_destroy(chips);
}

static void base_takes_legal_transitions_only(void **state)
{
	struct chips *chips = create(1);
	struct lapic *lapic = chips_lapic(chips, 0);
	const uint64_t off = APIC_BASE_DEFAULT, x = off | APIC_BASE_ENABLE,
		       x2 = x | APIC_BASE_X2APIC;

	(void)state;
	assert_false(lapic_set_base(lapic, off | APIC_BASE_X2APIC, true));
	assert_true(lapic_set_base(lapic, off, true));
	assert_false(lapic_set_base(lapic, x2, true));
	assert_true(lapic_set_base(lapic, x, true));
	assert_true(lapic_set_base(lapic, x2, true));
	assert_false(lapic_set_base(lapic, x, true));
	assert_true(lapic_set_base(lapic, x, false)); /* the caller may */
	assert_false(lapic_set_base(lapic, x | 1, true));
	assert_false(lapic_set_base(lapic, x | BIT(52), true));
	lapic_set_features(lapic, false, false, 40);
	assert_false(lapic_set_base(lapic, x2, true));
	assert_false(lapic_set_base(lapic, x | BIT(40), true));
	assert_true(lapic_set_base(lapic, x | BIT(39), true));
	assert_int_equal(chips_load(chips, 0, (UINT64_C(1) << 39) + (off | APIC_VERSION)), 0x50014);
	assert_int_equal(apic_in(chips, 0, APIC_VERSION), 0xdead);
	chips_destroy(chips);
}

/* --- IPIs ------------------------------------------------------------------------------------- */

static unsigned taken(struct chips *chips, uint8_t vector)
{
	unsigned set = 0;

	for (unsigned i = 0; i < chips->count; i++) {
		int got = chips_take(chips, i);

		if (got < 0)
			continue;
		assert_int_equal(got, vector);
		if (lapic_get_base(chips_lapic(chips, i)) & APIC_BASE_X2APIC)
			set_msr(chips, i, APIC_EOI, 0);
		else
			chips_eoi(chips, i);
		set |= 1u << i;
	}
	return set;
}

static void shorthands_and_physical_ids(void **state)
{
	struct chips *chips = create(4);

	(void)state;
	ipi(chips, 1, 2, 0x50);
	assert_int_equal(taken(chips, 0x50), 4);
	ipi(chips, 1, 9, 0x50);
	assert_int_equal(taken(chips, 0x50), 0);
	ipi(chips, 1, 0xff, 0x51);
	assert_int_equal(taken(chips, 0x51), 15);
	ipi(chips, 1, 3, 0x52 | SHORTHAND(APIC_SHORTHAND_SELF));
	assert_int_equal(taken(chips, 0x52), 2);
	ipi(chips, 1, 0, 0x53 | SHORTHAND(APIC_SHORTHAND_ALL));
	assert_int_equal(taken(chips, 0x53), 15);
	ipi(chips, 1, 0, 0x54 | SHORTHAND(APIC_SHORTHAND_OTHERS));
	assert_int_equal(taken(chips, 0x54), 13);
	apic_out(chips, 2, APIC_ID, 9u << 24);
	ipi(chips, 1, 2, 0x50);
	assert_int_equal(taken(chips, 0x50), 0);
	ipi(chips, 1, 9, 0x50);
	assert_int_equal(taken(chips, 0x50), 4);
	assert_int_equal(apic_in(chips, 1, APIC_ICR), 0x50);
	assert_int_equal(apic_in(chips, 1, APIC_ICR_HIGH), 9u << 24);
	chips_destroy(chips);
}

static void flat_logical_destinations(void **state)
{
	struct chips *chips = create(4);

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		apic_out(chips, i, APIC_LDR, 1u << (24 + i));
	ipi(chips, 0, 0x0a, 0x60 | APIC_ICR_LOGICAL);
	assert_int_equal(taken(chips, 0x60), 0x0a);
	ipi(chips, 0, 0xf0, 0x60 | APIC_ICR_LOGICAL);
	assert_int_equal(taken(chips, 0x60), 0);
	ipi(chips, 0, 0xff, 0x60 | APIC_ICR_LOGICAL);
	assert_int_equal(taken(chips, 0x60), 0x0f);
	/* Two may have one name, and one may have two. */
	apic_out(chips, 3, APIC_LDR, 0x03000000);
	ipi(chips, 0, 0x02, 0x61 | APIC_ICR_LOGICAL);
	assert_int_equal(taken(chips, 0x61), 0x0a);
	chips_destroy(chips);
}

static void cluster_logical_destinations(void **state)
{
	struct chips *chips = create(4);

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		apic_out(chips, i, APIC_DFR, 0);
		assert_int_equal(apic_in(chips, i, APIC_DFR), 0x0fffffff);
		apic_out(chips, i, APIC_LDR, (i / 2) << 28 | 1u << (24 + i % 2));
	}
	ipi(chips, 0, 0x03, 0x60 | APIC_ICR_LOGICAL);
	assert_int_equal(taken(chips, 0x60), 0x03);
	ipi(chips, 0, 0x12, 0x60 | APIC_ICR_LOGICAL);
	assert_int_equal(taken(chips, 0x60), 0x08);
	ipi(chips, 0, 0x23, 0x60 | APIC_ICR_LOGICAL);
	assert_int_equal(taken(chips, 0x60), 0);
	apic_out(chips, 3, APIC_DFR, 0xffffffff); /* back to flat: LDR 0x12 */
	ipi(chips, 0, 0x12, 0x60 | APIC_ICR_LOGICAL);
	assert_int_equal(taken(chips, 0x60), 0x08);
	ipi(chips, 0, 0x02, 0x60 | APIC_ICR_LOGICAL);
	assert_int_equal(taken(chips, 0x60), 0x0a);
	chips_destroy(chips);
}

static void x2apic_destinations(void **state)
{
	const uint32_t ids[] = {0, 1, 17, 18, 300};
	struct chips *chips = chips_create(5, ids);

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		to_x2apic(chips, i);
		assert_true(set_msr(chips, i, APIC_SVR, 0x1ff));
		assert_int_equal(msr(chips, i, APIC_ID), ids[i]);
		assert_int_equal(msr(chips, i, APIC_LDR), ids[i] / 16 << 16 | 1u << ids[i] % 16);
	}
	assert_true(set_msr(chips, 0, APIC_ICR, UINT64_C(300) << 32 | 0x50));
	assert_int_equal(taken(chips, 0x50), 16);
	assert_true(set_msr(chips, 0, APIC_ICR, UINT64_C(17) << 32 | 0x50));
	assert_int_equal(taken(chips, 0x50), 4);
	assert_true(set_msr(chips, 0, APIC_ICR, UINT64_C(0xffffffff) << 32 | 0x51));
	assert_int_equal(taken(chips, 0x51), 31);
	assert_true(set_msr(chips, 0, APIC_ICR, UINT64_C(0xff) << 32 | 0x51)); /* only an ID */
	assert_int_equal(taken(chips, 0x51), 0);
	assert_true(set_msr(chips, 0, APIC_ICR, UINT64_C(0x10006) << 32 | 0x852));
	assert_int_equal(taken(chips, 0x52), 12);
	assert_true(set_msr(chips, 0, APIC_ICR, UINT64_C(0x3) << 32 | 0x852));
	assert_int_equal(taken(chips, 0x52), 3);
	assert_true(set_msr(chips, 0, APIC_ICR,
			    (uint64_t)(300 / 16 * 65536 + (1 << 300 % 16)) << 32 | 0x852));
	assert_int_equal(taken(chips, 0x52), 16);
	assert_true(set_msr(chips, 3, APIC_SELF_IPI, 0x77));
	assert_int_equal(taken(chips, 0x77), 8);
	assert_int_equal(msr(chips, 0, APIC_ICR),
			 (uint64_t)(300 / 16 * 65536 + (1 << 300 % 16)) << 32 | 0x852);
	chips_destroy(chips);
}

static void devices_reach_all_in_either_mode(void **state)
{
	struct chips *chips = create(2);
	struct kvm_msi msi = {.address_lo = 0xfeeff000, .data = 0x71};

	(void)state;
	to_x2apic(chips, 1);
	assert_int_equal(irqchip_signal_msi(chips->vm.irqchip, &msi), 2);
	assert_int_equal(taken(chips, 0x71), 3);
	ipi(chips, 0, 0xff, 0x71); /* an IPI's 0xff is xAPIC's broadcast */
	assert_int_equal(taken(chips, 0x71), 1);
	chips_destroy(chips);
}

static void lowest_priority_goes_to_the_idlest_in_turns(void **state)
{
	struct chips *chips = create(3);
	unsigned counts[3] = {0};

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		apic_out(chips, i, APIC_LDR, 1u << (24 + i));
	apic_out(chips, 1, APIC_TPR, 0x20);
	for (unsigned i = 0; i < 64; i++) {
		unsigned set;

		ipi(chips, 0, 7, 0x60 | APIC_ICR_LOGICAL | MODE(APIC_MODE_LOWEST));
		set = taken(chips, 0x60);
		assert_true(set == 1 || set == 4);
		counts[set / 2]++;
	}
	assert_true(counts[0] > 8 && counts[2] > 8);
	apic_out(chips, 0, APIC_SVR, 0xff); /* one that is off takes none */
	apic_out(chips, 2, APIC_SVR, 0xff);
	ipi(chips, 0, 7, 0x60 | APIC_ICR_LOGICAL | MODE(APIC_MODE_LOWEST));
	assert_int_equal(taken(chips, 0x60), 2);
	chips_destroy(chips);
}

static void start_up_sequence(void **state)
{
	struct chips *chips = create(2);
	uint8_t vector = 0;

	(void)state;
	ipi(chips, 0, 1, MODE(APIC_MODE_STARTUP) | 0x12);
	ipi(chips, 0, 1, MODE(APIC_MODE_INIT) | APIC_ICR_ASSERT); /* voids what was before */
	assert_true(lapic_has_work(chips_lapic(chips, 1)));
	assert_int_equal(signals(chips, 1, &vector), LAPIC_SIGNAL_INIT);
	ipi(chips, 0, 1, MODE(APIC_MODE_INIT) | APIC_ICR_LEVEL); /* de-assert: nothing */
	assert_int_equal(signals(chips, 1, &vector), 0);
	lapic_init(chips_lapic(chips, 1));
	ipi(chips, 0, 1, MODE(APIC_MODE_STARTUP) | 0x9a);
	assert_int_equal(signals(chips, 1, &vector), LAPIC_SIGNAL_SIPI);
	assert_int_equal(vector, 0x9a);
	ipi(chips, 0, 1, MODE(APIC_MODE_SMI));
	ipi(chips, 0, 1, MODE(APIC_MODE_NMI) | 3); /* its vector does not matter */
	assert_int_equal(signals(chips, 1, &vector), LAPIC_SIGNAL_SMI | LAPIC_SIGNAL_NMI);
	ipi(chips, 0, 1, MODE(3) | 0x40); /* reserved */
	ipi(chips, 0, 1, MODE(APIC_MODE_EXTINT) | 0x40);
	assert_int_equal(signals(chips, 1, &vector), 0);
	assert_int_equal(chips_take(chips, 1), -1);
	for (unsigned i = 0; i < 3; i++)
		lapic_raise_nmi(chips_lapic(chips, 0)); /* one is served, one latched */
	assert_int_equal(signals(chips, 0, &vector), LAPIC_SIGNAL_NMI | LAPIC_SIGNAL_NMI_SECOND);
	chips_destroy(chips);
}

static void pv_ipi_reaches_a_window_of_ids(void **state)
{
	struct chips *chips = create(6);
	struct lapic *lapic = chips_lapic(chips, 0);

	(void)state;
	assert_int_equal(lapic_send_pv_ipi(lapic, 0x15, 0, 1, 0x70, true), 3);
	assert_int_equal(taken(chips, 0x70), 0x2a);
	assert_int_equal(lapic_send_pv_ipi(lapic, UINT64_MAX, UINT64_MAX, 0, 0x71, true), 6);
	assert_int_equal(taken(chips, 0x71), 0x3f);
	/* 32-bit callers' sets are 32 bits each. */
	assert_int_equal(lapic_send_pv_ipi(lapic, UINT64_C(0xff00000000), 0, 0, 0x71, false), 0);
	assert_int_equal(lapic_send_pv_ipi(lapic, 0xffffffff, 0, 0xffffffff, 0, true), 0);
	assert_int_equal(lapic_send_pv_ipi(lapic, 1, 0, 0xff, 0x71, true), 0); /* no broadcast */
	assert_int_equal(taken(chips, 0x71), 0);
	assert_int_equal(lapic_send_pv_ipi(lapic, 1, 0, 0, 0x40071, true), -KVM_EINVAL);
	assert_int_equal(lapic_send_pv_ipi(lapic, 1, 0, 0, 0x3, true), 0);
	chips_destroy(chips);
}

/* --- Errors ----------------------------------------------------------------------------------- */

static void errors_are_told_after_a_write(void **state)
{
	struct chips *chips = create(2);

	(void)state;
	apic_out(chips, 0, APIC_LVT_ERROR, 0xf0);
	ipi(chips, 0, 1, 0x05);
	assert_int_equal(apic_in(chips, 0, APIC_ESR), 0);
	assert_int_equal(chips_take(chips, 0), 0xf0);
	chips_eoi(chips, 0);
	ipi(chips, 0, 1, 0x05); /* noted already: no more interrupts */
	assert_int_equal(chips_take(chips, 0), -1);
	apic_out(chips, 0, APIC_ESR, 0);
	assert_int_equal(apic_in(chips, 0, APIC_ESR), APIC_ESR_SEND_ILLEGAL);
	apic_out(chips, 0, APIC_ESR, 0);
	assert_int_equal(apic_in(chips, 0, APIC_ESR), 0);
	assert_int_equal(apic_in(chips, 0, 0x50), 0);
	apic_out(chips, 0, APIC_ESR, 0);
	assert_int_equal(apic_in(chips, 0, APIC_ESR), APIC_ESR_ILLEGAL_REGISTER);
	chips_destroy(chips);
}

static void an_illegal_error_vector_does_not_recurse(void **state)
{
	struct chips *chips = create(1);
	struct kvm_msi msi = {.address_lo = 0xfee00000, .data = 0x04};

	(void)state;
	apic_out(chips, 0, APIC_LVT_ERROR, 0x01);
	assert_int_equal(irqchip_signal_msi(chips->vm.irqchip, &msi), -1);
	apic_out(chips, 0, APIC_ESR, 0);
	assert_int_equal(apic_in(chips, 0, APIC_ESR), APIC_ESR_RECEIVE_ILLEGAL);
	assert_int_equal(chips_take(chips, 0), -2 + 1);
	chips_destroy(chips);
}

/* --- The timer -------------------------------------------------------------------------------- */

static void one_shot_counts_down_once(void **state)
{
	struct chips *chips = create(1);

	(void)state;
	apic_out(chips, 0, APIC_LVT_TIMER, 0x30);
	apic_out(chips, 0, APIC_DIVIDE, 0xb); /* by 1 */
	apic_out(chips, 0, APIC_INITIAL_COUNT, 1000000);
	assert_int_equal(apic_in(chips, 0, APIC_CURRENT_COUNT), 1000000);
	fake_host_advance(400000);
	assert_int_equal(apic_in(chips, 0, APIC_CURRENT_COUNT), 600000);
	fake_host_advance(599999);
	assert_int_equal(chips_take(chips, 0), -1);
	fake_host_advance(1);
	assert_int_equal(chips_take(chips, 0), 0x30);
	chips_eoi(chips, 0);
	assert_int_equal(apic_in(chips, 0, APIC_CURRENT_COUNT), 0);
	assert_int_equal(apic_in(chips, 0, APIC_INITIAL_COUNT), 1000000);
	fake_host_advance(10 * MS);
	assert_int_equal(chips_take(chips, 0), -1);
	apic_out(chips, 0, APIC_INITIAL_COUNT, 1000);
	apic_out(chips, 0, APIC_INITIAL_COUNT, 0); /* stops it */
	fake_host_advance(MS);
	assert_int_equal(chips_take(chips, 0), -1);
	assert_int_equal(fake_host_next_timer() == UINT64_MAX, true);
	chips_destroy(chips);
}

static void all_divisors(void **state)
{
	static const struct {
		uint8_t value, by;
	} divisors[] = {{0, 2}, {1, 4}, {2, 8}, {3, 16}, {8, 32}, {9, 64}, {10, 128}, {11, 1}};
	struct chips *chips = create(1);

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(divisors); i++) {
		apic_out(chips, 0, APIC_LVT_TIMER, 0x30);
		apic_out(chips, 0, APIC_DIVIDE, divisors[i].value | 0xfffffff4);
		assert_int_equal(apic_in(chips, 0, APIC_DIVIDE), divisors[i].value);
		apic_out(chips, 0, APIC_INITIAL_COUNT, 1000);
		fake_host_advance(1000u * divisors[i].by - 1);
		assert_int_equal(chips_take(chips, 0), -1);
		fake_host_advance(1);
		assert_int_equal(chips_take(chips, 0), 0x30);
		chips_eoi(chips, 0);
	}
	/* A new divisor changes the rate of what is left. */
	apic_out(chips, 0, APIC_INITIAL_COUNT, 1000000);
	fake_host_advance(500000);
	apic_out(chips, 0, APIC_DIVIDE, 0);
	assert_int_equal(apic_in(chips, 0, APIC_CURRENT_COUNT), 500000);
	fake_host_advance(999999);
	assert_int_equal(chips_take(chips, 0), -1);
	fake_host_advance(1);
	assert_int_equal(chips_take(chips, 0), 0x30);
	chips_destroy(chips);
}

static void periodic_keeps_its_beat(void **state)
{
	struct chips *chips = create(1);

	(void)state;
	apic_out(chips, 0, APIC_LVT_TIMER, 0x20031);
	apic_out(chips, 0, APIC_DIVIDE, 0xb);
	apic_out(chips, 0, APIC_INITIAL_COUNT, 1000000);
	for (unsigned i = 0; i < 10; i++) {
		fake_host_advance(MS - 1);
		assert_int_equal(chips_take(chips, 0), -1);
		fake_host_advance(1);
		assert_int_equal(chips_take(chips, 0), 0x31);
		chips_eoi(chips, 0);
	}
	fake_host_advance(MS / 4);
	assert_int_equal(apic_in(chips, 0, APIC_CURRENT_COUNT), 750000);
	/* Masked it goes on silently; as a one-shot it ends. */
	apic_out(chips, 0, APIC_LVT_TIMER, 0x30031);
	fake_host_advance(MS);
	assert_int_equal(chips_take(chips, 0), -1);
	assert_int_equal(apic_in(chips, 0, APIC_CURRENT_COUNT), 750000);
	apic_out(chips, 0, APIC_LVT_TIMER, 0x31);
	fake_host_advance(MS);
	assert_int_equal(chips_take(chips, 0), 0x31);
	chips_eoi(chips, 0);
	fake_host_advance(5 * MS);
	assert_int_equal(chips_take(chips, 0), -1);
	chips_destroy(chips);
}

static void a_late_host_does_not_make_a_one_shot_periodic(void **state)
{
	struct chips *chips = create(1);

	(void)state;
	apic_out(chips, 0, APIC_LVT_TIMER, 0x31);
	apic_out(chips, 0, APIC_DIVIDE, 0xb);
	apic_out(chips, 0, APIC_INITIAL_COUNT, 1000000);
	fake_host_monotonic += MS + 10; /* and no timer has fired yet */
	assert_int_equal(apic_in(chips, 0, APIC_CURRENT_COUNT), 0);
	apic_out(chips, 0, APIC_LVT_TIMER, 0x20032);
	assert_int_equal(apic_in(chips, 0, APIC_CURRENT_COUNT), 0);
	assert_int_equal(chips_take(chips, 0), 0x31);
	chips_eoi(chips, 0);
	fake_host_advance(10 * MS);
	assert_int_equal(chips_take(chips, 0), -1);
	assert_int_equal(apic_in(chips, 0, APIC_CURRENT_COUNT), 0);
	chips_destroy(chips);
}

static void a_tiny_period_does_not_keep_the_host_busy(void **state)
{
	struct chips *chips = create(1);

	(void)state;
	apic_out(chips, 0, APIC_LVT_TIMER, 0x20031);
	apic_out(chips, 0, APIC_DIVIDE, 0xb);
	apic_out(chips, 0, APIC_INITIAL_COUNT, 1);
	for (unsigned i = 0; i < 100; i++) {
		assert_in_range(fake_host_next_timer() - fake_host_monotonic, 200000, 300000);
		fake_host_advance(fake_host_next_timer() - fake_host_monotonic);
	}
	assert_int_equal(chips_take(chips, 0), 0x31);
	chips_destroy(chips);
}

static uint64_t deadline(struct chips *chips)
{
	uint64_t value;

	assert_true(lapic_msr_read(chips_lapic(chips, 0), MSR_TSC_DEADLINE, &value));
	return value;
}

static void set_deadline(struct chips *chips, uint64_t value)
{
	assert_true(lapic_msr_write(chips_lapic(chips, 0), MSR_TSC_DEADLINE, value));
}

static void tsc_deadline_comes_neither_early_nor_twice(void **state)
{
	struct chips *chips = create(1);
	uint64_t tsc;

	(void)state;
	chips->cpu[0].state.tsc_offset = (uint64_t)-12345678;
	set_deadline(chips, host_tsc() + 1000); /* in another mode: ignored */
	assert_int_equal(deadline(chips), 0);
	apic_out(chips, 0, APIC_LVT_TIMER, 0x40032);
	apic_out(chips, 0, APIC_INITIAL_COUNT, 1000); /* ignored in this one */
	assert_int_equal(apic_in(chips, 0, APIC_INITIAL_COUNT), 0);
	tsc = host_tsc() - 12345678 + 5000001;
	set_deadline(chips, tsc);
	assert_true(deadline(chips) == tsc);
	while (chips_take(chips, 0) < 0) {
		assert_true(fake_host_next_timer() != UINT64_MAX);
		fake_host_advance(fake_host_next_timer() - fake_host_monotonic);
	}
	assert_in_range(host_tsc() - 12345678 - tsc, 0, 10000);
	chips_eoi(chips, 0);
	assert_int_equal(deadline(chips), 0);
	fake_host_advance(100 * MS);
	assert_int_equal(chips_take(chips, 0), -1);
	/* One that has passed comes at once; 0 disarms. */
	set_deadline(chips, 1);
	assert_int_equal(chips_take(chips, 0), 0x32);
	chips_eoi(chips, 0);
	set_deadline(chips, host_tsc() + 1000000);
	set_deadline(chips, 0);
	fake_host_advance(100 * MS);
	assert_int_equal(chips_take(chips, 0), -1);
	chips_destroy(chips);
}

static void deadline_follows_the_tsc(void **state)
{
	struct chips *chips = create(1);

	(void)state;
	apic_out(chips, 0, APIC_LVT_TIMER, 0x40032);
	set_deadline(chips, host_tsc() + 200000000); /* 100 ms */
	chips->cpu[0].state.tsc_offset = 198000000;
	lapic_tsc_changed(chips_lapic(chips, 0));
	fake_host_advance(2 * MS);
	assert_int_equal(chips_take(chips, 0), 0x32);
	chips_eoi(chips, 0);
	set_deadline(chips, UINT64_MAX);
	fake_host_advance(1000 * MS);
	assert_int_equal(chips_take(chips, 0), -1);
	apic_out(chips, 0, APIC_LVT_TIMER, 0x32); /* another mode disarms */
	assert_int_equal(deadline(chips), 0);
	assert_true(fake_host_next_timer() == UINT64_MAX);
	lapic_set_features(chips_lapic(chips, 0), true, false, 46);
	assert_false(lapic_msr_write(chips_lapic(chips, 0), MSR_TSC_DEADLINE, 0));
	apic_out(chips, 0, APIC_LVT_TIMER, 0x40032);
	assert_int_equal(apic_in(chips, 0, APIC_LVT_TIMER), 0x32);
	chips_destroy(chips);
}

/* Half as fast, from the host's 0. */
static void deadline_is_of_the_guests_rate(void **state)
{
	struct chips *chips = create(1);
	struct cpu_state *s = &chips->cpu[0].state;
	uint64_t began;

	(void)state;
	s->tsc_ratio = UINT64_C(1) << 31;
	s->tsc_offset = 77;
	chips->cpu[0].tsc_khz = FAKE_HOST_TSC_KHZ / 2;
	apic_out(chips, 0, APIC_LVT_TIMER, 0x40032);
	began = fake_host_monotonic;
	set_deadline(chips, cpu_tsc_at(s, host_tsc()) + 5 * FAKE_HOST_TSC_KHZ); /* 10 ms */
	while (chips_take(chips, 0) < 0) {
		assert_true(fake_host_next_timer() != UINT64_MAX);
		fake_host_advance(fake_host_next_timer() - fake_host_monotonic);
	}
	assert_in_range(fake_host_monotonic - began, 10 * MS - 1, 10 * MS + 1000);
	chips_destroy(chips);
}

/* --- Registers, hostile ----------------------------------------------------------------------- */

static void xapic_accesses_of_odd_sizes(void **state)
{
	struct chips *chips = create(1);
	uint64_t data = 0;

	(void)state;
	apic_out(chips, 0, APIC_LVT_LINT1, 0xffffffff);
	assert_int_equal(apic_in(chips, 0, APIC_LVT_LINT1), 0x1a7ff);
	assert_true(irqchip_memory(&chips->cpu[0], APIC_BASE_DEFAULT + APIC_LVT_LINT1 + 1, 1, false,
				   &data));
	assert_int_equal(data, 0xa7);
	assert_true(irqchip_memory(&chips->cpu[0], APIC_BASE_DEFAULT + APIC_LVT_LINT1 + 2, 4, false,
				   &data));
	assert_int_equal(data, 0);
	data = 0x77;
	assert_true(irqchip_memory(&chips->cpu[0], APIC_BASE_DEFAULT + APIC_TPR, 1, true, &data));
	assert_true(irqchip_memory(&chips->cpu[0], APIC_BASE_DEFAULT + APIC_TPR, 8, true, &data));
	assert_int_equal(apic_in(chips, 0, APIC_TPR), 0);
	for (unsigned offset = 0; offset < 0x1000; offset += 4)
		apic_out(chips, 0, offset, 0xffffffff);
	assert_int_equal(apic_in(chips, 0, APIC_VERSION), 0x50014);
	chips_destroy(chips);
}

static void x2apic_msrs_fault_as_the_manual_says(void **state)
{
	static const unsigned readable[] = {APIC_ID,
					    APIC_VERSION,
					    APIC_TPR,
					    APIC_PPR,
					    APIC_LDR,
					    APIC_SVR,
					    APIC_ESR,
					    APIC_ICR,
					    APIC_LVT_TIMER,
					    APIC_LVT_THERMAL,
					    APIC_LVT_PERFORMANCE,
					    APIC_LVT_LINT0,
					    APIC_LVT_LINT1,
					    APIC_LVT_ERROR,
					    APIC_INITIAL_COUNT,
					    APIC_CURRENT_COUNT,
					    APIC_DIVIDE};
	struct chips *chips = create(1);
	unsigned count = 0;

	(void)state;
	assert_false(set_msr(chips, 0, APIC_TPR, 0)); /* not in xAPIC mode */
	to_x2apic(chips, 0);
	for (unsigned i = 0; i < ARRAY_COUNT(readable); i++)
		assert_true(msr(chips, 0, readable[i]) != 0xdeaddead);
	for (unsigned offset = 0; offset < 0x1000; offset += 16)
		count += msr(chips, 0, offset) != 0xdeaddead;
	assert_int_equal(count, ARRAY_COUNT(readable) + 24);
	assert_false(set_msr(chips, 0, APIC_ID, 0));
	assert_false(set_msr(chips, 0, APIC_LDR, 0));
	assert_false(set_msr(chips, 0, APIC_DFR, 0));
	assert_false(set_msr(chips, 0, APIC_ICR_HIGH, 0));
	assert_false(set_msr(chips, 0, APIC_IRR, 0));
	assert_false(set_msr(chips, 0, APIC_EOI, 1));
	assert_false(set_msr(chips, 0, APIC_ESR, 1));
	assert_false(set_msr(chips, 0, APIC_TPR, 0x100));
	assert_false(set_msr(chips, 0, APIC_SELF_IPI, 0x100));
	assert_false(set_msr(chips, 0, APIC_SVR, BIT(40)));
	assert_true(set_msr(chips, 0, APIC_EOI, 0));
	assert_int_equal(apic_in(chips, 0, APIC_ID), 0xffffffff); /* no page any more */
	chips_destroy(chips);
}

/* --- pv EOI ----------------------------------------------------------------------------------- */

static void pv_eoi_spares_the_register(void **state)
{
	struct chips *chips = create(1);
	struct lapic *lapic = chips_lapic(chips, 0);

	(void)state;
	lapic_set_pv_eoi(lapic, 0x40);
	self(chips, 0x41);
	assert_int_equal(chips_take(chips, 0), 0x41);
	assert_int_equal(chips->memory[0x40] & 1, 1);
	chips->memory[0x40] &= 0xfe; /* the guest's EOI */
	assert_int_equal(lapic_pending(lapic), -1);
	assert_int_equal(apic_in(chips, 0, APIC_PPR), 0);
	/* One that comes while the flag stands takes it back: the guest writes EOI. */
	self(chips, 0x41);
	assert_int_equal(chips_take(chips, 0), 0x41);
	self(chips, 0x42);
	assert_int_equal(lapic_pending(lapic), -1);
	assert_int_equal(chips->memory[0x40] & 1, 0);
	chips_eoi(chips, 0);
	assert_int_equal(chips_take(chips, 0), 0x42);
	/* Nor is it offered while another waits, or where the page is gone. */
	chips_eoi(chips, 0);
	chips->memory[0x40] = 0;
	self(chips, 0x41);
	self(chips, 0x51);
	assert_int_equal(chips_take(chips, 0), 0x51);
	assert_int_equal(chips->memory[0x40], 0);
	lapic_set_pv_eoi(lapic, 0x100000);
	chips_eoi(chips, 0);
	assert_int_equal(chips_take(chips, 0), 0x41);
	chips_eoi(chips, 0);
	assert_int_equal(apic_in(chips, 0, APIC_PPR), 0);
	chips_destroy(chips);
}

/* --- State ------------------------------------------------------------------------------------ */

static void state_goes_to_another_and_on(void **state)
{
	struct chips *from = create(2), *to = chips_create(2, NULL);
	struct kvm_lapic_state saved;

	(void)state;
	apic_out(from, 1, APIC_LDR, 2u << 24);
	apic_out(from, 1, APIC_LVT_TIMER, 0x20031);
	apic_out(from, 1, APIC_DIVIDE, 0xb);
	apic_out(from, 1, APIC_INITIAL_COUNT, 1000000);
	apic_out(from, 1, APIC_TPR, 0x20);
	ipi(from, 0, 1, 0x61);
	assert_int_equal(chips_take(from, 1), 0x61);
	ipi(from, 0, 1, 0x55);
	fake_host_advance(300000);
	assert_int_equal(lapic_get(chips_lapic(from, 1), &saved), 0);
	assert_int_equal(lapic_set(chips_lapic(to, 1), &saved), 0);
	assert_int_equal(apic_in(to, 1, APIC_CURRENT_COUNT), 700000);
	assert_int_equal(apic_in(to, 1, APIC_PPR), 0x60);
	apic_enable(to, 0);
	ipi(to, 0, 2, 0x71 | APIC_ICR_LOGICAL);
	assert_int_equal(chips_take(to, 1), 0x71);
	chips_eoi(to, 1);
	chips_eoi(to, 1);
	assert_int_equal(chips_take(to, 1), 0x55);
	chips_eoi(to, 1);
	fake_host_advance(700000);
	assert_int_equal(chips_take(to, 1), 0x31);
	chips_destroy(from);
	chips_destroy(to);
}

static void x2apic_state_has_the_id_where_xapic_has_it(void **state)
{
	struct chips *chips = create(3);
	struct kvm_lapic_state saved;

	(void)state;
	to_x2apic(chips, 2);
	set_msr(chips, 2, APIC_ICR, UINT64_C(7) << 32 | 0x40);
	lapic_get(chips_lapic(chips, 2), &saved);
	assert_int_equal(load_le32(saved.regs + APIC_ID), 2u << 24);
	assert_int_equal(load_le32(saved.regs + APIC_ICR_HIGH), 7);
	memset(&saved, 0xff, sizeof(saved)); /* and nonsense is tamed */
	assert_int_equal(lapic_set(chips_lapic(chips, 2), &saved), 0);
	assert_int_equal(msr(chips, 2, APIC_ID), 2);
	assert_int_equal(msr(chips, 2, APIC_VERSION), 0x50014);
	assert_int_equal(msr(chips, 2, APIC_IRR), 0xffff0000);
	assert_int_equal(chips_take(chips, 2), -1); /* all classes are in service */
	for (unsigned i = 0; i < 300; i++)
		set_msr(chips, 2, APIC_EOI, 0);
	set_msr(chips, 2, APIC_TPR, 0);
	assert_int_equal(chips_take(chips, 2), 0xff);
	chips_destroy(chips);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reset_state_is_the_manuals),
		cmocka_unit_test(init_keeps_mode_and_id),
		cmocka_unit_test(higher_class_goes_first_and_nests),
		cmocka_unit_test(tpr_holds_back_its_class_and_those_below),
		cmocka_unit_test(a_vector_waits_once),
		cmocka_unit_test(all_vectors_come_in_order),
		cmocka_unit_test(software_disabled_takes_signals_only),
		cmocka_unit_test(globally_disabled_is_not_there),
		cmocka_unit_test(base_takes_legal_transitions_only),
		cmocka_unit_test(shorthands_and_physical_ids),
		cmocka_unit_test(flat_logical_destinations),
		cmocka_unit_test(cluster_logical_destinations),
		cmocka_unit_test(x2apic_destinations),
		cmocka_unit_test(devices_reach_all_in_either_mode),
		cmocka_unit_test(lowest_priority_goes_to_the_idlest_in_turns),
		cmocka_unit_test(start_up_sequence),
		cmocka_unit_test(pv_ipi_reaches_a_window_of_ids),
		cmocka_unit_test(errors_are_told_after_a_write),
		cmocka_unit_test(an_illegal_error_vector_does_not_recurse),
		cmocka_unit_test(one_shot_counts_down_once),
		cmocka_unit_test(all_divisors),
		cmocka_unit_test(periodic_keeps_its_beat),
		cmocka_unit_test(a_late_host_does_not_make_a_one_shot_periodic),
		cmocka_unit_test(a_tiny_period_does_not_keep_the_host_busy),
		cmocka_unit_test(tsc_deadline_comes_neither_early_nor_twice),
		cmocka_unit_test(deadline_follows_the_tsc),
		cmocka_unit_test(deadline_is_of_the_guests_rate),
		cmocka_unit_test(xapic_accesses_of_odd_sizes),
		cmocka_unit_test(x2apic_msrs_fault_as_the_manual_says),
		cmocka_unit_test(pv_eoi_spares_the_register),
		cmocka_unit_test(state_goes_to_another_and_on),
		cmocka_unit_test(x2apic_state_has_the_id_where_xapic_has_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
