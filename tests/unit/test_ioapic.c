/* SPDX-License-Identifier: MIT */
/* The I/O APIC: edges, levels, masks, ends of interrupts, and its registers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "tests/support/chips.h"

#define GSI 19 /* of the I/O APIC alone */
#define TO(id) ((uint64_t)(id) << IOAPIC_RTE_DESTINATION_SHIFT)
#define MODE(mode) ((uint64_t)(mode) << IOAPIC_RTE_MODE_SHIFT)

static struct chips *create(void)
{
	struct chips *chips = chips_create(3, NULL);

	for (unsigned i = 0; i < 3; i++) {
		apic_enable(chips, i);
		apic_out(chips, i, APIC_LDR, 1u << (24 + i));
	}
	return chips;
}

static void pulse(struct chips *chips, uint32_t gsi)
{
	chips_line(chips, gsi, true);
	chips_line(chips, gsi, false);
}

static void registers_are_the_data_sheets(void **state)
{
	struct chips *chips = create();

	(void)state;
	assert_int_equal(ioapic_in(chips, IOAPIC_VERSION), 0x170011);
	ioapic_out(chips, IOAPIC_VERSION, 0);
	ioapic_out(chips, IOAPIC_ID, 0xffffffff);
	assert_int_equal(ioapic_in(chips, IOAPIC_ID), 0x0f000000);
	assert_int_equal(ioapic_in(chips, IOAPIC_ARBITRATION), 0x0f000000);
	assert_int_equal(ioapic_in(chips, IOAPIC_VERSION), 0x170011);
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
		assert_true(ioapic_entry(chips, pin) == IOAPIC_RTE_MASKED);
	ioapic_route(chips, 5, UINT64_MAX);
	assert_true(ioapic_entry(chips, 5) == UINT64_C(0xff0000000001afff));
	ioapic_route(chips, 5, 0);
	assert_true(ioapic_entry(chips, 5) == 0);
	/* Behind the last pin, and in the gaps, is nothing. */
	for (unsigned index = 3; index < 256; index++) {
		if (index >= 0x10 && index < 0x40)
			continue;
		ioapic_out(chips, (uint8_t)index, 0xffffffff);
		assert_int_equal(ioapic_in(chips, (uint8_t)index), 0);
	}
	assert_int_equal(chips_load(chips, 0, IOAPIC_BASE_DEFAULT + 0x20), 0);
	assert_int_equal(chips_load(chips, 0, IOAPIC_BASE_DEFAULT + 0x100), 0xdead);
	chips_destroy(chips);
}

static void an_edge_is_one_interrupt(void **state)
{
	struct chips *chips = create();

	(void)state;
	ioapic_route(chips, GSI, TO(1) | 0x61);
	assert_int_equal(chips_line(chips, GSI, true), 1);
	assert_int_equal(chips_line(chips, GSI, true), 0); /* no edge */
	assert_int_equal(chips_take(chips, 1), 0x61);
	chips_eoi(chips, 1);
	assert_int_equal(chips_take(chips, 1), -1);
	chips_line(chips, GSI, false);
	assert_int_equal(chips_line(chips, GSI, true), 1);
	assert_int_equal(apic_in(chips, 1, APIC_TMR + 0x30), 0);
	assert_int_equal(chips_take(chips, 1), 0x61);
	chips_destroy(chips);
}

static void a_masked_edge_is_lost(void **state)
{
	struct chips *chips = create();

	(void)state;
	ioapic_route(chips, GSI, IOAPIC_RTE_MASKED | 0x61);
	assert_int_equal(chips_line(chips, GSI, true), -1);
	chips_line(chips, GSI, false);
	ioapic_route(chips, GSI, 0x61);
	assert_int_equal(chips_take(chips, 0), -1);
	pulse(chips, GSI);
	assert_int_equal(chips_take(chips, 0), 0x61);
	chips_destroy(chips);
}

static void a_level_comes_again_until_it_falls(void **state)
{
	struct chips *chips = create();

	(void)state;
	ioapic_route(chips, GSI, IOAPIC_RTE_LEVEL | 0x61);
	assert_int_equal(chips_line(chips, GSI, true), 1);
	assert_true(ioapic_entry(chips, GSI) & IOAPIC_RTE_REMOTE_IRR);
	assert_int_equal(chips_line(chips, GSI, true), 0);
	assert_int_equal(apic_in(chips, 0, APIC_TMR + 0x30), 2);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(chips_take(chips, 0), 0x61);
		assert_int_equal(chips_take(chips, 0), -1);
		chips_eoi(chips, 0);
	}
	assert_int_equal(chips_take(chips, 0), 0x61);
	chips_line(chips, GSI, false);
	chips_eoi(chips, 0);
	assert_int_equal(chips_take(chips, 0), -1);
	assert_false(ioapic_entry(chips, GSI) & IOAPIC_RTE_REMOTE_IRR);
	/* High before its end, and again: one more. */
	chips_line(chips, GSI, true);
	assert_int_equal(chips_take(chips, 0), 0x61);
	chips_line(chips, GSI, false);
	chips_line(chips, GSI, true);
	chips_eoi(chips, 0);
	assert_int_equal(chips_take(chips, 0), 0x61);
	chips_line(chips, GSI, false);
	chips_eoi(chips, 0);
	assert_int_equal(chips_take(chips, 0), -1);
	chips_destroy(chips);
}

static void a_masked_level_waits(void **state)
{
	struct chips *chips = create();

	(void)state;
	ioapic_route(chips, GSI, IOAPIC_RTE_LEVEL | IOAPIC_RTE_MASKED | 0x61);
	assert_int_equal(chips_line(chips, GSI, true), -1);
	assert_int_equal(chips_take(chips, 0), -1);
	ioapic_route(chips, GSI, IOAPIC_RTE_LEVEL | 0x61);
	assert_int_equal(chips_take(chips, 0), 0x61);
	/* Masked before its end, it is not sent again before it is unmasked. */
	ioapic_route(chips, GSI, IOAPIC_RTE_LEVEL | IOAPIC_RTE_MASKED | 0x61);
	chips_eoi(chips, 0);
	assert_int_equal(chips_take(chips, 0), -1);
	ioapic_route(chips, GSI, IOAPIC_RTE_LEVEL | 0x61);
	assert_int_equal(chips_take(chips, 0), 0x61);
	chips_destroy(chips);
}

static void turning_to_edge_clears_remote_irr(void **state)
{
	struct chips *chips = create();

	(void)state;
	ioapic_route(chips, GSI, IOAPIC_RTE_LEVEL | 0x61);
	chips_line(chips, GSI, true);
	assert_int_equal(chips_take(chips, 0), 0x61);
	ioapic_route(chips, GSI, IOAPIC_RTE_MASKED | 0x61);
	assert_false(ioapic_entry(chips, GSI) & IOAPIC_RTE_REMOTE_IRR);
	ioapic_route(chips, GSI, IOAPIC_RTE_LEVEL | 0x62);
	assert_int_equal(chips_take(chips, 0), -1); /* the same class is in service */
	chips_eoi(chips, 0);
	assert_int_equal(chips_take(chips, 0), 0x62);
	chips_destroy(chips);
}

static void an_end_of_another_vector_changes_nothing(void **state)
{
	struct chips *chips = create();

	(void)state;
	ioapic_route(chips, GSI, IOAPIC_RTE_LEVEL | 0x61);
	ioapic_route(chips, GSI + 1, IOAPIC_RTE_LEVEL | 0x71);
	chips_line(chips, GSI, true);
	chips_line(chips, GSI + 1, true);
	assert_int_equal(chips_take(chips, 0), 0x71);
	chips_line(chips, GSI + 1, false);
	chips_eoi(chips, 0);
	assert_true(ioapic_entry(chips, GSI) & IOAPIC_RTE_REMOTE_IRR);
	assert_false(ioapic_entry(chips, GSI + 1) & IOAPIC_RTE_REMOTE_IRR);
	assert_int_equal(chips_take(chips, 0), 0x61);
	chips_destroy(chips);
}

static void pins_may_share_a_vector(void **state)
{
	struct chips *chips = create();

	(void)state;
	ioapic_route(chips, GSI, IOAPIC_RTE_LEVEL | 0x61);
	ioapic_route(chips, GSI + 1, IOAPIC_RTE_LEVEL | 0x61);
	chips_line(chips, GSI, true);
	assert_int_equal(chips_line(chips, GSI + 1, true), 0);
	assert_int_equal(chips_take(chips, 0), 0x61);
	chips_line(chips, GSI, false);
	chips_eoi(chips, 0);
	assert_int_equal(chips_take(chips, 0), 0x61);
	chips_line(chips, GSI + 1, false);
	chips_eoi(chips, 0);
	assert_int_equal(chips_take(chips, 0), -1);
	chips_destroy(chips);
}

static void modes_and_destinations(void **state)
{
	struct chips *chips = create();
	uint8_t vector;

	(void)state;
	ioapic_route(chips, GSI, TO(6) | IOAPIC_RTE_LOGICAL | 0x61);
	assert_int_equal(chips_line(chips, GSI, true), 2);
	assert_int_equal(chips_take(chips, 0), -1);
	assert_int_equal(chips_take(chips, 1), 0x61);
	assert_int_equal(chips_take(chips, 2), 0x61);
	chips_line(chips, GSI, false);
	ioapic_route(chips, GSI, TO(0xff) | 0x71);
	assert_int_equal(chips_line(chips, GSI, true), 3);
	chips_line(chips, GSI, false);
	ioapic_route(chips, GSI, TO(7) | IOAPIC_RTE_LOGICAL | MODE(APIC_MODE_LOWEST) | 0x81);
	assert_int_equal(chips_line(chips, GSI, true), 1);
	chips_line(chips, GSI, false);
	ioapic_route(chips, GSI, TO(9) | 0x81);
	assert_int_equal(chips_line(chips, GSI, true), -1);
	chips_line(chips, GSI, false);
	ioapic_route(chips, GSI, TO(2) | MODE(APIC_MODE_NMI));
	pulse(chips, GSI);
	ioapic_route(chips, GSI, TO(2) | MODE(APIC_MODE_INIT));
	pulse(chips, GSI);
	assert_int_equal(lapic_take_signals(chips_lapic(chips, 2), &vector),
			 LAPIC_SIGNAL_NMI | LAPIC_SIGNAL_INIT);
	ioapic_route(chips, GSI, TO(2) | MODE(APIC_MODE_EXTINT) | 0x91);
	pulse(chips, GSI);
	assert_int_equal(lapic_take_signals(chips_lapic(chips, 2), &vector), 0);
	chips_destroy(chips);
}

static void a_level_that_nobody_takes_is_sent_when_its_entry_is_written(void **state)
{
	struct chips *chips = create();

	(void)state;
	ioapic_route(chips, GSI, TO(9) | IOAPIC_RTE_LEVEL | 0x61);
	assert_int_equal(chips_line(chips, GSI, true), -1);
	assert_false(ioapic_entry(chips, GSI) & IOAPIC_RTE_REMOTE_IRR);
	ioapic_route(chips, GSI, TO(1) | IOAPIC_RTE_LEVEL | 0x61);
	assert_int_equal(chips_take(chips, 1), 0x61);
	chips_destroy(chips);
}

static void state_goes_to_another_and_on(void **state)
{
	struct chips *from = create(), *to = create();
	struct kvm_irqchip saved = {.chip_id = KVM_IRQCHIP_IOAPIC};

	(void)state;
	ioapic_route(from, GSI, IOAPIC_RTE_LEVEL | 0x61);
	ioapic_route(from, GSI + 1, 0x71); /* sent on already: not again */
	ioapic_route(from, GSI + 2, IOAPIC_RTE_LEVEL | 0x81);
	chips_line(from, GSI + 1, true);
	chips_line(from, GSI, true);
	ioapic_out(from, IOAPIC_ID, 5u << 24);
	assert_int_equal(irqchip_get(from->vm.irqchip, &saved), 0);
	assert_int_equal(saved.chip.ioapic.irr, 1u << GSI);
	saved.chip.ioapic.irr |= 1u << (GSI + 2);
	assert_int_equal(irqchip_set(to->vm.irqchip, &saved), 0);
	assert_int_equal(chips_take(to, 0), 0x81);
	assert_int_equal(chips_take(to, 0), -1);
	assert_true(ioapic_entry(to, GSI) & IOAPIC_RTE_REMOTE_IRR);
	memset(&saved.chip, 0xff, sizeof(saved.chip)); /* nonsense */
	assert_int_equal(irqchip_set(to->vm.irqchip, &saved), 0);
	saved.chip_id = 3;
	assert_int_equal(irqchip_set(to->vm.irqchip, &saved), -EINVAL);
	assert_int_equal(irqchip_get(to->vm.irqchip, &saved), -EINVAL);
	chips_destroy(from);
	chips_destroy(to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers_are_the_data_sheets),
		cmocka_unit_test(an_edge_is_one_interrupt),
		cmocka_unit_test(a_masked_edge_is_lost),
		cmocka_unit_test(a_level_comes_again_until_it_falls),
		cmocka_unit_test(a_masked_level_waits),
		cmocka_unit_test(turning_to_edge_clears_remote_irr),
		cmocka_unit_test(an_end_of_another_vector_changes_nothing),
		cmocka_unit_test(pins_may_share_a_vector),
		cmocka_unit_test(modes_and_destinations),
		cmocka_unit_test(a_level_that_nobody_takes_is_sent_when_its_entry_is_written),
		cmocka_unit_test(state_goes_to_another_and_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
