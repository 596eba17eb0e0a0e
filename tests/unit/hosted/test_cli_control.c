/* SPDX-License-Identifier: MIT */
/*
 * Signals and keys: the first presses the power button, the next stops the guest, and afterwards
 * all signals are what they were.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cli/control.h"
#include "tests/unit/hosted/signals.h"

/* A guest that notes what is done to it. */
struct guest {
	struct os_loop *loop;
	struct control control;
	unsigned pressed, stopped;
	bool deaf;      /* nothing comes of the power button */
	int then_raise; /* raised from within the power button */
};

static struct error why;

static void guest_power_button(void *context)
{
	struct guest *guest = context;

	guest->pressed++;
	if (guest->then_raise != 0)
		raise(guest->then_raise);
	else if (!guest->deaf)
		os_loop_stop(guest->loop);
}

static void guest_stop(void *context)
{
	struct guest *guest = context;

	guest->stopped++;
	os_loop_stop(guest->loop);
}

static void guest_begin_with(struct guest *guest, unsigned grace_seconds)
{
	const struct control_target target = {guest_power_button, guest_stop, guest};

	assert_int_equal(os_loop_create(&guest->loop), 0);
	assert_int_equal(control_begin(&guest->control, guest->loop, &target, grace_seconds, &why),
			 0);
}

static void guest_begin(struct guest *guest)
{
	guest_begin_with(guest, 3600);
}

static void guest_end(struct guest *guest)
{
	control_end(&guest->control);
	os_loop_destroy(guest->loop);
}

static void the_first_signal_presses_the_power_button(void **state)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct guest guest = {0};

		guest_begin(&guest);
		raise(signals[i]);
		os_loop_run(guest.loop);
		assert_int_equal(guest.pressed, 1);
		assert_int_equal(guest.stopped, 0);
		assert_int_equal(guest.control.signal, signals[i]);
		assert_false(guest.control.stopped);
		guest_end(&guest);
	}
}

static void the_second_signal_stops_the_guest(void **state)
{
	struct guest guest = {.then_raise = SIGTERM};

	(void)state;
	guest_begin(&guest);
	raise(SIGINT);
	os_loop_run(guest.loop);
	assert_int_equal(guest.pressed, 1);
	assert_int_equal(guest.stopped, 1);
	assert_int_equal(guest.control.signal, SIGINT);
	assert_true(guest.control.stopped);
	guest_end(&guest);
}

static void a_guest_that_ignores_the_power_button_is_stopped_in_the_end(void **state)
{
	struct guest guest = {.deaf = true};

	(void)state;
	guest_begin_with(&guest, 0);
	raise(SIGTERM);
	os_loop_run(guest.loop);
	assert_int_equal(guest.pressed, 1);
	assert_int_equal(guest.stopped, 1);
	assert_int_equal(guest.control.signal, SIGTERM);
	assert_true(guest.control.stopped);
	guest_end(&guest);
}

static volatile sig_atomic_t seen;

static void see(int signal)
{
	seen = signal;
}

static void signals_do_afterwards_what_they_did_before(void **state)
{
	struct guest guest = {0};

	(void)state;
	signal(SIGTERM, see);
	guest_begin(&guest);
	guest_end(&guest);
	raise(SIGTERM);
	assert_int_equal(seen, SIGTERM);
	signal(SIGTERM, SIG_DFL);
}

static void a_signal_that_was_ignored_stays_ignored(void **state)
{
	struct guest guest = {0};

	(void)state;
	signal(SIGHUP, SIG_IGN);
	guest_begin(&guest);
	raise(SIGHUP);
	raise(SIGINT);
	os_loop_run(guest.loop);
	assert_int_equal(guest.pressed, 1);
	assert_int_equal(guest.stopped, 0);
	assert_int_equal(guest.control.signal, SIGINT);
	guest_end(&guest);
	signal(SIGHUP, SIG_DFL);
}

static void keys_press_the_power_button_any_number_of_times(void **state)
{
	struct guest guest = {0};

	(void)state;
	guest_begin(&guest);
	control_key(&guest.control, PROCESS_CONSOLE_POWER_BUTTON);
	control_key(&guest.control, PROCESS_CONSOLE_POWER_BUTTON);
	assert_int_equal(guest.pressed, 2);
	assert_int_equal(guest.stopped, 0);
	guest_end(&guest);
}

static void the_stop_key_stops_the_guest_without_a_signal(void **state)
{
	struct guest guest = {0};

	(void)state;
	guest_begin(&guest);
	control_key(&guest.control, PROCESS_CONSOLE_STOP);
	assert_int_equal(guest.stopped, 1);
	assert_true(guest.control.stopped);
	assert_int_equal(guest.control.signal, 0);
	guest_end(&guest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_signal_presses_the_power_button),
		cmocka_unit_test(the_second_signal_stops_the_guest),
		cmocka_unit_test(a_guest_that_ignores_the_power_button_is_stopped_in_the_end),
		cmocka_unit_test(signals_do_afterwards_what_they_did_before),
		cmocka_unit_test(a_signal_that_was_ignored_stays_ignored),
		cmocka_unit_test(keys_press_the_power_button_any_number_of_times),
		cmocka_unit_test(the_stop_key_stops_the_guest_without_a_signal),
	};

	process_init();
	process_log_configure(2, OS_LOG_ERROR);
	signals_to_default();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
