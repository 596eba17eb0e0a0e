/* SPDX-License-Identifier: MIT */
/* ACPI's fixed hardware: the power button and its SCI, S5, the PM timer, the reset register. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "hw/acpi.h"
#include "monitor/devices/devices.h"
#include "tests/support/bus_access.h"
#include "tests/support/fake_os.h"

#define NS UINT64_C(1000000000)
#define STATUS ACPI_PM1_EVENT_PORT
#define ENABLE (ACPI_PM1_EVENT_PORT + 2)
#define S5 (ACPI_SLEEP_TYPE_S5 << ACPI_PM1_SLEEP_TYPE_SHIFT)

struct fixture {
	struct bus ports;
	struct acpi_pm pm;
	struct machine_requests requests;
	unsigned resets, power_offs;
	bool level;
};

static void reset(void *context)
{
	((struct fixture *)context)->resets++;
}

static void power_off(void *context)
{
	((struct fixture *)context)->power_offs++;
}

static void irq_set(void *context, uint32_t gsi, bool level)
{
	struct fixture *f = context;

	assert_int_equal(gsi, ACPI_SCI_GSI);
	assert_int_not_equal(level, f->level);
	f->level = level;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct irq_pin sci = {.set = irq_set, .context = f, .gsi = ACPI_SCI_GSI};

	assert_non_null(f);
	f->requests =
		(struct machine_requests){.reset = reset, .power_off = power_off, .context = f};
	fake_os_monotonic = 12345;
	bus_init(&f->ports);
	assert_int_equal(acpi_pm_init(&f->pm, &f->ports, &sci, &f->requests), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static uint64_t in(struct fixture *f, uint16_t port, unsigned size)
{
	return access_read(&f->ports, port, size);
}

static void out(struct fixture *f, uint16_t port, unsigned size, uint64_t value)
{
	access_write(&f->ports, port, size, value);
}

static void power_button_raises_the_sci_until_it_is_acknowledged(void **state)
{
	struct fixture *f = *state;

	out(f, ENABLE, 2, ACPI_PM1_POWER_BUTTON);
	assert_false(f->level);
	acpi_pm_power_button(&f->pm);
	assert_true(f->level);
	assert_int_equal(in(f, STATUS, 2), ACPI_PM1_POWER_BUTTON);
	acpi_pm_power_button(&f->pm);    /* again: the level stays */
	out(f, STATUS, 2, ACPI_PM1_RTC); /* another event's bit */
	assert_true(f->level);
	out(f, STATUS, 2, ACPI_PM1_POWER_BUTTON);
	assert_false(f->level);
	assert_int_equal(in(f, STATUS, 2), 0);
}

static void power_button_waits_until_it_is_enabled(void **state)
{
	struct fixture *f = *state;

	acpi_pm_power_button(&f->pm);
	assert_false(f->level);
	out(f, ENABLE + 1, 1, ACPI_PM1_POWER_BUTTON >> 8);
	assert_true(f->level);
	out(f, ENABLE + 1, 1, 0);
	assert_false(f->level);
}

static void event_registers_take_every_width(void **state)
{
	struct fixture *f = *state;

	acpi_pm_power_button(&f->pm);
	out(f, STATUS, 4, 0xffffffff); /* clears all status, sets all enables that there are */
	assert_int_equal(in(f, STATUS, 4), 0x07210000);
	acpi_pm_power_button(&f->pm);
	out(f, STATUS + 1, 2, 0); /* enables of the low byte, status of the high byte untouched */
	assert_int_equal(in(f, STATUS, 4), 0x07000100);
	assert_int_equal(in(f, STATUS + 1, 1), 0x01);
	assert_int_equal(in(f, ENABLE + 1, 1), 0x07);
}

static void sci_enable_is_always_on(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(in(f, ACPI_PM1_CONTROL_PORT, 2), ACPI_PM1_SCI_ENABLE);
	out(f, ACPI_PM1_CONTROL_PORT, 2, 0);
	assert_int_equal(in(f, ACPI_PM1_CONTROL_PORT, 2), ACPI_PM1_SCI_ENABLE);
}

/* ACPICA writes the type first and then type and SLP_EN together. */
static void s5_powers_off(void **state)
{
	struct fixture *f = *state;

	out(f, ACPI_PM1_CONTROL_PORT, 2, S5 | ACPI_PM1_SCI_ENABLE);
	assert_int_equal(f->power_offs, 0);
	assert_int_equal(in(f, ACPI_PM1_CONTROL_PORT, 2), S5 | ACPI_PM1_SCI_ENABLE);
	out(f, ACPI_PM1_CONTROL_PORT, 2, S5 | ACPI_PM1_SLEEP_ENABLE | ACPI_PM1_SCI_ENABLE);
	assert_int_equal(f->power_offs, 1);
	assert_int_equal(in(f, ACPI_PM1_CONTROL_PORT, 2) & ACPI_PM1_SLEEP_ENABLE, 0);
	out(f, ACPI_PM1_CONTROL_PORT + 1, 1, (S5 | ACPI_PM1_SLEEP_ENABLE) >> 8);
	assert_int_equal(f->power_offs, 2);
}

static void sleep_states_that_there_are_not_do_nothing(void **state)
{
	struct fixture *f = *state;

	for (unsigned type = 0; type < 8; type++)
		if (type != ACPI_SLEEP_TYPE_S5)
			out(f, ACPI_PM1_CONTROL_PORT, 2,
			    type << ACPI_PM1_SLEEP_TYPE_SHIFT | ACPI_PM1_SLEEP_ENABLE);
	assert_int_equal(f->power_offs, 0);
	assert_int_equal(f->resets, 0);
}

static void pm_timer_counts_at_its_frequency(void **state)
{
	struct fixture *f = *state;
	uint64_t start = fake_os_monotonic;

	assert_int_equal(in(f, ACPI_PM_TIMER_PORT, 4), 0);
	fake_os_monotonic = start + NS;
	assert_int_equal(in(f, ACPI_PM_TIMER_PORT, 4), 3579545);
	assert_int_equal(in(f, ACPI_PM_TIMER_PORT + 1, 2), 3579545 >> 8 & 0xffff);
	out(f, ACPI_PM_TIMER_PORT, 4, 0); /* read only */
	assert_int_equal(in(f, ACPI_PM_TIMER_PORT, 4), 3579545);
	/* Ten years later it has gone round and is still exact. */
	fake_os_monotonic = start + UINT64_C(315360000) * NS;
	assert_int_equal(in(f, ACPI_PM_TIMER_PORT, 4), UINT64_C(315360000) * 3579545 & 0xffffffff);
}

static void pm_timer_tells_of_its_carry(void **state)
{
	struct fixture *f = *state;

	out(f, ENABLE, 2, ACPI_PM1_TIMER);
	fake_os_monotonic += 599 * NS;
	assert_int_equal(in(f, STATUS, 2), 0);
	fake_os_monotonic += 2 * NS; /* 2^31 ticks are 599.9 s */
	assert_true(in(f, ACPI_PM_TIMER_PORT, 4) & 0x80000000);
	assert_true(f->level);
	assert_int_equal(in(f, STATUS, 2), ACPI_PM1_TIMER);
	out(f, STATUS, 2, ACPI_PM1_TIMER);
	assert_false(f->level);
	assert_int_equal(in(f, STATUS, 2), 0);
}

static void reset_register_resets_by_its_value_only(void **state)
{
	struct fixture *f = *state;

	for (unsigned value = 0; value < 256; value++)
		out(f, ACPI_RESET_PORT, 1, value);
	assert_int_equal(f->resets, 1);
	out(f, ACPI_RESET_PORT, 1, ACPI_RESET_VALUE);
	assert_int_equal(f->resets, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(power_button_raises_the_sci_until_it_is_acknowledged),
		TEST(power_button_waits_until_it_is_enabled),
		TEST(event_registers_take_every_width),
		TEST(sci_enable_is_always_on),
		TEST(s5_powers_off),
		TEST(sleep_states_that_there_are_not_do_nothing),
		TEST(pm_timer_counts_at_its_frequency),
		TEST(pm_timer_tells_of_its_carry),
		TEST(reset_register_resets_by_its_value_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
