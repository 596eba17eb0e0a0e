/* SPDX-License-Identifier: MIT */
/*
 * test_host_timer.c - the core's timers and clocks in a process.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host.h"
#include "os.h"
#include "type2/process/host_process.h"
#include "type2/process/process.h"

#define MILLISECOND UINT64_C(1000000)

struct shot {
	struct host_timer timer; /* first */
	atomic_uint fired;
	unsigned again; /* times that it sets itself anew */
	atomic_uint *order;
	unsigned place;
};

static void shot_fired(struct host_timer *timer)
{
	struct shot *shot = (struct shot *)timer;

	if (shot->order)
		shot->place = atomic_fetch_add(shot->order, 1);
	if (atomic_fetch_add(&shot->fired, 1) < shot->again)
		host_timer_set(timer, host_clock_monotonic());
}

static void wait_for_shots(struct shot *shot, unsigned count)
{
	while (atomic_load(&shot->fired) < count)
		host_yield();
}

static int setup(void **state)
{
	struct error why;

	(void)state;
	return host_timers_start(&why);
}

static int teardown(void **state)
{
	(void)state;
	host_timers_stop();
	return 0;
}

static void test_fires_at_its_deadline_and_once(void **state)
{
	struct shot shot = {.again = 0};
	uint64_t deadline = host_clock_monotonic() + 5 * MILLISECOND;

	(void)state;
	host_timer_init(&shot.timer, shot_fired);
	host_timer_set(&shot.timer, deadline);
	wait_for_shots(&shot, 1);
	assert_true(host_clock_monotonic() >= deadline);
	deadline = host_clock_monotonic() + 5 * MILLISECOND;
	while (host_clock_monotonic() < deadline)
		host_yield();
	assert_int_equal(atomic_load(&shot.fired), 1);
	host_timer_destroy(&shot.timer);
}

static void test_fires_at_once_when_late(void **state)
{
	struct shot shot = {.again = 0};

	(void)state;
	host_timer_init(&shot.timer, shot_fired);
	host_timer_set(&shot.timer, 0);
	wait_for_shots(&shot, 1);
	host_timer_set(&shot.timer, 1);
	wait_for_shots(&shot, 2);
	host_timer_destroy(&shot.timer);
}

static void test_fires_in_order_of_deadlines(void **state)
{
	static const unsigned delays[] = {7, 3, 9, 5, 1};
	static const unsigned places[] = {3, 1, 4, 2, 0};
	struct shot shots[5] = {0};
	atomic_uint order = 0;
	uint64_t now = host_clock_monotonic();

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		host_timer_init(&shots[i].timer, shot_fired);
		shots[i].order = &order;
		host_timer_set(&shots[i].timer, now + (5 + delays[i]) * MILLISECOND);
	}
	for (unsigned i = 0; i < 5; i++)
		wait_for_shots(&shots[i], 1);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(shots[i].place, places[i]);
		host_timer_destroy(&shots[i].timer);
	}
}

static void test_set_replaces_and_cancel_ends(void **state)
{
	struct shot early = {.again = 0}, late = {.again = 0};
	uint64_t now = host_clock_monotonic();

	(void)state;
	host_timer_init(&early.timer, shot_fired);
	host_timer_init(&late.timer, shot_fired);
	host_timer_set(&early.timer, now + 3 * MILLISECOND);
	host_timer_set(&early.timer, now + 3600 * 1000 * MILLISECOND);
	host_timer_set(&late.timer, now + 6 * MILLISECOND);
	wait_for_shots(&late, 1);
	assert_int_equal(atomic_load(&early.fired), 0);
	host_timer_set(&early.timer, now + 3 * MILLISECOND);
	wait_for_shots(&early, 1);
	host_timer_set(&early.timer, host_clock_monotonic() + 20 * MILLISECOND);
	host_timer_cancel(&early.timer);
	host_timer_cancel(&early.timer);
	host_timer_set(&late.timer, host_clock_monotonic() + 25 * MILLISECOND);
	wait_for_shots(&late, 2);
	assert_int_equal(atomic_load(&early.fired), 1);
	host_timer_destroy(&early.timer);
	host_timer_destroy(&late.timer);
}

/* Under a sanitizer this also shows that destroy waits for the call under way. */
static void test_destroy_ends_a_timer_that_sets_itself(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		struct shot shot = {.again = UINT32_MAX};

		host_timer_init(&shot.timer, shot_fired);
		host_timer_set(&shot.timer, 1);
		wait_for_shots(&shot, i % 3 + 1);
		host_timer_destroy(&shot.timer);
		shot.timer.fired = NULL;
	}
}

static void test_tsc_agrees_with_the_clock(void **state)
{
	uint64_t tsc = host_tsc(), clock = host_clock_monotonic(), ticks, expected;

	(void)state;
	while (host_clock_monotonic() - clock < 50 * MILLISECOND)
		;
	ticks = host_tsc() - tsc;
	expected = (host_clock_monotonic() - clock) * host_tsc_khz() / MILLISECOND;
	assert_in_range(ticks, expected - expected / 20, expected + expected / 20);
	assert_int_equal(host_tsc_khz(), host_tsc_khz());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fires_at_its_deadline_and_once),
		cmocka_unit_test(test_fires_at_once_when_late),
		cmocka_unit_test(test_fires_in_order_of_deadlines),
		cmocka_unit_test(test_set_replaces_and_cancel_ends),
		cmocka_unit_test(test_destroy_ends_a_timer_that_sets_itself),
		cmocka_unit_test(test_tsc_agrees_with_the_clock),
	};

	process_init();
	return cmocka_run_group_tests(tests, setup, teardown);
}
