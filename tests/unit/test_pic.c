/* SPDX-License-Identifier: MIT */
/* The 8259A pair: initialization, priorities, rotation, masks, polls, the cascade, and LINT0. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "tests/support/chips.h"

#define MASTER PIC_MASTER_PORT
#define SLAVE PIC_SLAVE_PORT
#define OCW2(command) ((uint8_t)((command) << PIC_OCW2_COMMAND_SHIFT))

static void init_chip(struct chips *chips, uint16_t port, uint8_t base, uint8_t icw4)
{
	chips_out(chips, port, PIC_ICW1 | PIC_ICW1_ICW4);
	chips_out(chips, port + 1, base);
	chips_out(chips, port + 1, port == MASTER ? 1u << PIC_CASCADE : PIC_CASCADE);
	chips_out(chips, port + 1, icw4);
	chips_out(chips, port + 1, 0); /* nothing masked */
}

/* As a PC sets them up, and a CPU without a local APIC, which has INTR to itself. */
static struct chips *create(uint8_t icw4)
{
	struct chips *chips = chips_create(2, NULL);

	lapic_set_base(chips_lapic(chips, 0), APIC_BASE_DEFAULT | APIC_BASE_BOOT_CPU, true);
	init_chip(chips, MASTER, 0x20, icw4);
	init_chip(chips, SLAVE, 0x28, icw4);
	return chips;
}

static void pulse(struct chips *chips, uint32_t gsi)
{
	chips_line(chips, gsi, true);
	chips_line(chips, gsi, false);
}

static void eoi(struct chips *chips, uint16_t port)
{
	chips_out(chips, port, OCW2(PIC_EOI));
}

static uint8_t in_service(struct chips *chips, uint16_t port)
{
	chips_out(chips, port, PIC_OCW3 | PIC_OCW3_READ | PIC_OCW3_READ_ISR);
	return (uint8_t)chips_in(chips, port);
}

static uint8_t requested(struct chips *chips, uint16_t port)
{
	chips_out(chips, port, PIC_OCW3 | PIC_OCW3_READ);
	return (uint8_t)chips_in(chips, port);
}

static void lower_inputs_go_first(void **state)
{
	struct chips *chips = create(1);

	(void)state;
	pulse(chips, 5);
	pulse(chips, 3);
	assert_int_equal(requested(chips, MASTER), 0x28);
	assert_int_equal(chips_take(chips, 0), 0x23);
	assert_int_equal(in_service(chips, MASTER), 0x08);
	assert_int_equal(chips_take(chips, 0), -1);
	pulse(chips, 1);
	assert_int_equal(chips_take(chips, 0), 0x21);
	eoi(chips, MASTER); /* of 1 */
	assert_int_equal(in_service(chips, MASTER), 0x08);
	assert_int_equal(chips_take(chips, 0), -1);
	eoi(chips, MASTER);
	assert_int_equal(chips_take(chips, 0), 0x25);
	chips_out(chips, MASTER, OCW2(PIC_EOI_SPECIFIC) | 5);
	assert_int_equal(in_service(chips, MASTER), 0);
	chips_destroy(chips);
}

static void the_slave_stands_at_input_2(void **state)
{
	struct chips *chips = create(1);

	(void)state;
	pulse(chips, 3);
	pulse(chips, 12);
	pulse(chips, 9);
	assert_int_equal(chips_take(chips, 0), 0x29);
	assert_int_equal(in_service(chips, MASTER), 0x04);
	assert_int_equal(in_service(chips, SLAVE), 0x02);
	eoi(chips, SLAVE);
	assert_int_equal(chips_take(chips, 0), -1); /* the master's is not ended */
	eoi(chips, MASTER);
	assert_int_equal(chips_take(chips, 0), 0x2c);
	eoi(chips, SLAVE);
	eoi(chips, MASTER);
	assert_int_equal(chips_take(chips, 0), 0x23);
	/* Masking the cascade holds all of the slave's back. */
	eoi(chips, MASTER);
	chips_out(chips, MASTER + 1, 0x04);
	pulse(chips, 8);
	assert_int_equal(chips_take(chips, 0), -1);
	chips_out(chips, MASTER + 1, 0);
	assert_int_equal(chips_take(chips, 0), 0x28);
	chips_destroy(chips);
}

static void masks_hold_back_but_do_not_forget(void **state)
{
	struct chips *chips = create(1);

	(void)state;
	chips_out(chips, MASTER + 1, 0x10);
	assert_int_equal(chips_in(chips, MASTER + 1), 0x10);
	assert_int_equal(chips_line(chips, 4, true), -1);
	chips_line(chips, 4, false);
	assert_int_equal(chips_take(chips, 0), -1);
	chips_out(chips, MASTER + 1, 0);
	assert_int_equal(chips_take(chips, 0), 0x24);
	assert_int_equal(chips_line(chips, 6, true), 1);
	chips_line(chips, 6, false);
	assert_int_equal(chips_line(chips, 6, true), 0); /* it waits already */
	chips_destroy(chips);
}

static void level_inputs_follow_their_lines(void **state)
{
	struct chips *chips = create(1);

	(void)state;
	chips_out(chips, PIC_ELCR_PORT, 0xff);
	chips_out(chips, PIC_ELCR_PORT + 1, 0xff);
	assert_int_equal(chips_in(chips, PIC_ELCR_PORT), 0xf8);
	assert_int_equal(chips_in(chips, PIC_ELCR_PORT + 1), 0xde);
	pulse(chips, 10); /* gone before it was taken */
	assert_int_equal(chips_take(chips, 0), -1);
	chips_line(chips, 10, true);
	assert_int_equal(chips_take(chips, 0), 0x2a);
	eoi(chips, SLAVE);
	eoi(chips, MASTER);
	assert_int_equal(chips_take(chips, 0), 0x2a);
	chips_line(chips, 10, false);
	eoi(chips, SLAVE);
	eoi(chips, MASTER);
	assert_int_equal(chips_take(chips, 0), -1);
	/* An edge that stays high does not come again. */
	chips_line(chips, 1, true);
	assert_int_equal(chips_take(chips, 0), 0x21);
	eoi(chips, MASTER);
	chips_line(chips, 1, true);
	assert_int_equal(chips_take(chips, 0), -1);
	chips_destroy(chips);
}

static void priorities_rotate(void **state)
{
	struct chips *chips = create(1);

	(void)state;
	chips_out(chips, MASTER, OCW2(PIC_SET_PRIORITY) | 3); /* 3 is last now, 4 first */
	pulse(chips, 1);
	pulse(chips, 3);
	pulse(chips, 5);
	assert_int_equal(chips_take(chips, 0), 0x25);
	chips_out(chips, MASTER, OCW2(PIC_EOI_ROTATE)); /* 5 last */
	assert_int_equal(in_service(chips, MASTER), 0);
	pulse(chips, 5);
	assert_int_equal(chips_take(chips, 0), 0x21);
	chips_out(chips, MASTER, OCW2(PIC_EOI_SPECIFIC_ROTATE) | 1);
	assert_int_equal(chips_take(chips, 0), 0x23);
	eoi(chips, MASTER);
	assert_int_equal(chips_take(chips, 0), 0x25);
	chips_destroy(chips);
}

static void automatic_ends(void **state)
{
	struct chips *chips = create(1 | PIC_ICW4_AEOI);

	(void)state;
	pulse(chips, 0);
	pulse(chips, 8);
	assert_int_equal(chips_take(chips, 0), 0x20);
	assert_int_equal(in_service(chips, MASTER), 0);
	assert_int_equal(chips_take(chips, 0), 0x28);
	chips_out(chips, MASTER, OCW2(PIC_ROTATE_AEOI_SET));
	pulse(chips, 0);
	assert_int_equal(chips_take(chips, 0), 0x20); /* now 0 is last */
	pulse(chips, 0);
	pulse(chips, 7);
	assert_int_equal(chips_take(chips, 0), 0x27);
	chips_out(chips, MASTER, OCW2(PIC_ROTATE_AEOI_CLEAR));
	assert_int_equal(chips_take(chips, 0), 0x20);
	chips_destroy(chips);
}

static void special_mask_mode_lets_all_others_in(void **state)
{
	struct chips *chips = create(1);

	(void)state;
	pulse(chips, 1);
	assert_int_equal(chips_take(chips, 0), 0x21);
	pulse(chips, 6);
	assert_int_equal(chips_take(chips, 0), -1);
	chips_out(chips, MASTER + 1, 0x02);
	chips_out(chips, MASTER, PIC_OCW3 | PIC_OCW3_SMM | PIC_OCW3_SMM_SET);
	assert_int_equal(chips_take(chips, 0), 0x26);
	/* A non-specific EOI is not for the masked one. */
	eoi(chips, MASTER);
	assert_int_equal(in_service(chips, MASTER), 0x02);
	chips_out(chips, MASTER, PIC_OCW3 | PIC_OCW3_SMM);
	pulse(chips, 6);
	assert_int_equal(chips_take(chips, 0), -1);
	eoi(chips, MASTER);
	assert_int_equal(chips_take(chips, 0), 0x26);
	chips_destroy(chips);
}

static void special_fully_nested_mode_nests_the_slave(void **state)
{
	struct chips *chips = create(1);

	(void)state;
	init_chip(chips, MASTER, 0x20, 1 | PIC_ICW4_SFNM);
	pulse(chips, 13);
	assert_int_equal(chips_take(chips, 0), 0x2d);
	pulse(chips, 9);
	assert_int_equal(chips_take(chips, 0), 0x29);
	pulse(chips, 14);
	assert_int_equal(chips_take(chips, 0), -1);
	eoi(chips, SLAVE);
	eoi(chips, SLAVE);
	assert_int_equal(chips_take(chips, 0), 0x2e);
	chips_destroy(chips);
}

static void a_poll_is_an_acknowledge_cycle(void **state)
{
	struct chips *chips = create(1);

	(void)state;
	pulse(chips, 6);
	pulse(chips, 4);
	chips_out(chips, MASTER, PIC_OCW3 | PIC_OCW3_POLL);
	assert_int_equal(chips_in(chips, MASTER), 0x84);
	assert_int_equal(in_service(chips, MASTER), 0x10);
	assert_int_equal(chips_take(chips, 0), -1);
	chips_out(chips, MASTER, PIC_OCW3 | PIC_OCW3_POLL);
	assert_int_equal(chips_in(chips, MASTER) & 0x80, 0);
	assert_int_equal(chips_in(chips, MASTER), 0x10); /* ISR again */
	chips_destroy(chips);
}

static void initialization_forgets_and_takes_its_words_in_order(void **state)
{
	struct chips *chips = create(1);

	(void)state;
	pulse(chips, 1);
	assert_int_equal(chips_take(chips, 0), 0x21);
	pulse(chips, 3);
	chips_out(chips, MASTER + 1, 0xf7);
	chips_out(chips, MASTER, PIC_ICW1); /* no ICW4: no automatic ends */
	assert_int_equal(chips_in(chips, MASTER + 1), 0);
	assert_int_equal(in_service(chips, MASTER), 0);
	assert_int_equal(requested(chips, MASTER), 0);
	chips_out(chips, MASTER + 1, 0x57); /* its low bits are the input's */
	chips_out(chips, MASTER + 1, 0x04);
	chips_out(chips, MASTER + 1, 0xbf); /* the mask already */
	pulse(chips, 6);
	assert_int_equal(chips_take(chips, 0), 0x56);
	chips_out(chips, MASTER, PIC_ICW1 | PIC_ICW1_SINGLE);
	chips_out(chips, MASTER + 1, 0x60);
	chips_out(chips, MASTER + 1, 0xfd); /* no ICW3 either */
	assert_int_equal(chips_in(chips, MASTER + 1), 0xfd);
	pulse(chips, 1);
	assert_int_equal(chips_take(chips, 0), 0x61);
	chips_destroy(chips);
}

static void lint0_decides_who_is_interrupted(void **state)
{
	struct chips *chips = create(1);
	uint8_t vector;

	(void)state;
	/* After reset it is the boot CPU with its LINT0 as ExtINT. */
	lapic_set_base(chips_lapic(chips, 0), APIC_BASE_DEFAULT | APIC_BASE_ENABLE, true);
	chips->kicks[0] = chips->kicks[1] = 0;
	pulse(chips, 4);
	assert_int_equal(chips->kicks[0], 1);
	assert_int_equal(chips->kicks[1], 0);
	assert_true(lapic_has_work(chips_lapic(chips, 0)));
	assert_false(lapic_has_work(chips_lapic(chips, 1)));
	assert_int_equal(chips_take(chips, 1), -1);
	lapic_set_tpr(chips_lapic(chips, 0), 15); /* no priority holds ExtINT back */
	assert_int_equal(chips_take(chips, 0), 0x24);
	eoi(chips, MASTER);
	lapic_set_tpr(chips_lapic(chips, 0), 0);
	apic_enable(chips, 0);
	apic_out(chips, 0, APIC_LVT_LINT0, APIC_LVT_MASKED);
	pulse(chips, 4);
	assert_int_equal(chips_take(chips, 0), -1);
	apic_out(chips, 0, APIC_LVT_LINT0, APIC_MODE_EXTINT << APIC_MODE_SHIFT);
	assert_int_equal(chips_take(chips, 0), 0x24);
	eoi(chips, MASTER);
	apic_out(chips, 0, APIC_LVT_LINT0, APIC_MODE_NMI << APIC_MODE_SHIFT);
	pulse(chips, 4);
	assert_int_equal(lapic_take_signals(chips_lapic(chips, 0), &vector), LAPIC_SIGNAL_NMI);
	chips_destroy(chips);
}

static void wide_accesses_are_several(void **state)
{
	struct chips *chips = create(1);
	uint64_t data = 0x5a0b; /* OCW3, and the mask */

	(void)state;
	assert_true(irqchip_port(&chips->cpu[0], MASTER, 2, true, &data));
	assert_int_equal(chips_in(chips, MASTER + 1), 0x5a);
	assert_true(irqchip_port(&chips->cpu[0], MASTER, 4, false, &data));
	assert_int_equal(data >> 8, 0xffff5a);
	assert_int_equal(chips_in(chips, 0x22), 0xdead);
	assert_int_equal(chips_in(chips, 0x4d2), 0xdead);
	chips_destroy(chips);
}

static void state_goes_to_another_and_on(void **state)
{
	struct chips *from = create(1), *to = chips_create(2, NULL);
	struct kvm_irqchip saved;

	(void)state;
	pulse(from, 9);
	pulse(from, 5);
	assert_int_equal(chips_take(from, 0), 0x29);
	for (unsigned id = 0; id < 2; id++) {
		saved = (struct kvm_irqchip){.chip_id = id};
		assert_int_equal(irqchip_get(from->vm.irqchip, &saved), 0);
		assert_int_equal(irqchip_set(to->vm.irqchip, &saved), 0);
	}
	assert_int_equal(chips_take(to, 0), -1);
	eoi(to, SLAVE);
	eoi(to, MASTER);
	assert_int_equal(chips_take(to, 0), 0x25);
	memset(&saved.chip, 0xff, sizeof(saved.chip));
	assert_int_equal(irqchip_set(to->vm.irqchip, &saved), 0);
	assert_int_equal(chips_in(to, PIC_ELCR_PORT + 1), 0xde);
	for (unsigned i = 0; i < 20; i++) {
		chips_in(to, SLAVE);
		chips_take(to, 0);
		eoi(to, SLAVE);
	}
	chips_destroy(from);
	chips_destroy(to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lower_inputs_go_first),
		cmocka_unit_test(the_slave_stands_at_input_2),
		cmocka_unit_test(masks_hold_back_but_do_not_forget),
		cmocka_unit_test(level_inputs_follow_their_lines),
		cmocka_unit_test(priorities_rotate),
		cmocka_unit_test(automatic_ends),
		cmocka_unit_test(special_mask_mode_lets_all_others_in),
		cmocka_unit_test(special_fully_nested_mode_nests_the_slave),
		cmocka_unit_test(a_poll_is_an_acknowledge_cycle),
		cmocka_unit_test(initialization_forgets_and_takes_its_words_in_order),
		cmocka_unit_test(lint0_decides_who_is_interrupted),
		cmocka_unit_test(wide_accesses_are_several),
		cmocka_unit_test(state_goes_to_another_and_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
