/* SPDX-License-Identifier: MIT */
/*
 * test_os_loop.c - the process host's loop, events, timers, signals, threads and locks.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/hosted/signals.h"
#include "type2/process/process.h"

#define MILLISECOND UINT64_C(1000000)

struct count {
	struct os_loop *loop;
	unsigned calls, stop_at;
	unsigned last_events;
	int last_signal;
};

static void count_call(void *arg)
{
	struct count *count = arg;

	if (++count->calls == count->stop_at)
		os_loop_stop(count->loop);
}

static void count_ready(void *arg, unsigned events)
{
	((struct count *)arg)->last_events = events;
	count_call(arg);
}

static void count_signal(void *arg, int signal)
{
	((struct count *)arg)->last_signal = signal;
	count_call(arg);
}

static void stop_loop(void *arg)
{
	os_loop_stop(arg);
}

static int setup(void **state)
{
	struct os_loop *loop;

	assert_int_equal(os_loop_create(&loop), 0);
	*state = loop;
	return 0;
}

static int teardown(void **state)
{
	os_loop_destroy(*state);
	return 0;
}

/* Runs the loop for what is due now, and a while longer. */
static void run_for(struct os_loop *loop, uint64_t nanoseconds)
{
	struct os_timer *timer;

	assert_int_equal(os_timer_create(loop, stop_loop, loop, &timer), 0);
	os_timer_set(timer, os_clock_monotonic() + nanoseconds);
	os_loop_run(loop);
	os_timer_destroy(timer);
}

static void test_stop_before_run_ends_it_at_once(void **state)
{
	struct count count = {.loop = *state};
	struct os_event *event;

	assert_int_equal(os_event_create(&event), 0);
	assert_int_equal(os_loop_watch(*state, event, count_call, &count), 0);
	os_event_signal(event);
	os_loop_stop(*state);
	os_loop_run(*state);
	assert_int_equal(count.calls, 0);
	/* The stop is used up; what was signalled is not lost. */
	count.stop_at = 1;
	os_loop_run(*state);
	assert_int_equal(count.calls, 1);
	os_loop_unwatch(*state, event);
	os_event_destroy(event);
}

static void test_signals_before_a_wake_up_are_one_call(void **state)
{
	struct count count = {.loop = *state};
	struct os_event *event;

	assert_int_equal(os_event_create(&event), 0);
	assert_int_equal(os_loop_watch(*state, event, count_call, &count), 0);
	for (int i = 0; i < 5; i++)
		os_event_signal(event);
	run_for(*state, 2 * MILLISECOND);
	assert_int_equal(count.calls, 1);
	run_for(*state, 2 * MILLISECOND);
	assert_int_equal(count.calls, 1);
	os_event_signal(event);
	run_for(*state, 2 * MILLISECOND);
	assert_int_equal(count.calls, 2);
	os_event_destroy(event);
}

static void test_unwatched_event_is_silent_and_not_repeated_later(void **state)
{
	struct count count = {.loop = *state};
	struct os_event *event;

	assert_int_equal(os_event_create(&event), 0);
	assert_int_equal(os_loop_watch(*state, event, count_call, &count), 0);
	assert_int_equal(os_loop_watch(*state, event, count_call, &count), -EBUSY);
	os_event_signal(event);
	run_for(*state, 2 * MILLISECOND);
	os_loop_unwatch(*state, event);
	os_loop_unwatch(*state, event);
	run_for(*state, 2 * MILLISECOND);
	assert_int_equal(count.calls, 1);
	assert_int_equal(os_loop_watch(*state, event, count_call, &count), 0);
	run_for(*state, 2 * MILLISECOND);
	assert_int_equal(count.calls, 1);
	os_event_signal(event);
	run_for(*state, 2 * MILLISECOND);
	assert_int_equal(count.calls, 2);
	os_event_destroy(event);
}

static void test_event_handle_works_as_the_kernel_uses_it(void **state)
{
	struct count count = {.loop = *state};
	struct os_event *event;
	uint64_t one = 1;

	assert_int_equal(os_event_create(&event), 0);
	assert_int_equal(os_loop_watch(*state, event, count_call, &count), 0);
	assert_int_equal(write(os_event_handle(event), &one, sizeof(one)), sizeof(one));
	run_for(*state, 2 * MILLISECOND);
	assert_int_equal(count.calls, 1);
	os_event_destroy(event);
}

struct pair {
	struct os_loop *loop;
	struct os_event *events[2];
	unsigned calls;
};

static void destroy_both(void *arg)
{
	struct pair *pair = arg;

	pair->calls++;
	for (int i = 0; i < 2; i++) {
		os_loop_unwatch(pair->loop, pair->events[i]);
		os_event_destroy(pair->events[i]);
	}
	os_loop_stop(pair->loop);
}

static void test_call_back_may_end_others_of_the_same_batch(void **state)
{
	struct pair pair = {.loop = *state};

	for (int i = 0; i < 2; i++) {
		assert_int_equal(os_event_create(&pair.events[i]), 0);
		assert_int_equal(os_loop_watch(*state, pair.events[i], destroy_both, &pair), 0);
		os_event_signal(pair.events[i]);
	}
	os_loop_run(*state);
	assert_int_equal(pair.calls, 1);
}

static void test_timer_fires_once_and_not_early(void **state)
{
	struct count count = {.loop = *state, .stop_at = 1};
	struct os_timer *timer;
	uint64_t deadline = os_clock_monotonic() + 5 * MILLISECOND;

	assert_int_equal(os_timer_create(*state, count_call, &count, &timer), 0);
	os_timer_set(timer, deadline);
	os_loop_run(*state);
	assert_true(os_clock_monotonic() >= deadline);
	run_for(*state, 5 * MILLISECOND);
	assert_int_equal(count.calls, 1);
	/* The past is due at once. */
	os_timer_set(timer, 1);
	run_for(*state, 2 * MILLISECOND);
	assert_int_equal(count.calls, 2);
	os_timer_destroy(timer);
}

static void test_timer_is_replaced_and_disarmed(void **state)
{
	struct count count = {.loop = *state};
	struct os_timer *timer;

	assert_int_equal(os_timer_create(*state, count_call, &count, &timer), 0);
	os_timer_set(timer, os_clock_monotonic() + 1 * MILLISECOND);
	os_timer_set(timer, os_clock_monotonic() + 3600 * 1000 * MILLISECOND);
	run_for(*state, 4 * MILLISECOND);
	assert_int_equal(count.calls, 0);
	os_timer_set(timer, os_clock_monotonic() + 1 * MILLISECOND);
	os_timer_set(timer, 0);
	run_for(*state, 4 * MILLISECOND);
	assert_int_equal(count.calls, 0);
	os_timer_destroy(timer);
}

struct disarm {
	struct os_timer *other;
	unsigned calls;
};

static void disarm_other(void *arg)
{
	struct disarm *disarm = arg;

	disarm->calls++;
	os_timer_set(disarm->other, 0);
}

static void test_timer_disarmed_in_the_batch_that_reports_it_stays_silent(void **state)
{
	struct disarm first = {0}, second = {0};

	assert_int_equal(os_timer_create(*state, disarm_other, &first, &second.other), 0);
	assert_int_equal(os_timer_create(*state, disarm_other, &second, &first.other), 0);
	os_timer_set(first.other, 1);
	os_timer_set(second.other, 1);
	run_for(*state, 3 * MILLISECOND);
	assert_int_equal(first.calls + second.calls, 1);
	os_timer_destroy(first.other);
	os_timer_destroy(second.other);
}

static void test_descriptor_is_watched_until_paused(void **state)
{
	struct count count = {.loop = *state, .stop_at = 1};
	struct process_watch *watch;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(process_loop_watch_fd(*state, fds[0], PROCESS_READABLE, count_ready,
					       &count, &watch),
			 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	os_loop_run(*state);
	assert_int_equal(count.last_events, PROCESS_READABLE);
	/* Level: it is reported again as long as it lasts. */
	count.stop_at = 3;
	os_loop_run(*state);
	assert_int_equal(count.calls, 3);
	assert_int_equal(process_watch_change(watch, 0), 0);
	close(fds[1]);
	run_for(*state, 2 * MILLISECOND);
	assert_int_equal(count.calls, 3);
	assert_int_equal(process_watch_change(watch, PROCESS_READABLE), 0);
	count.stop_at = 4;
	os_loop_run(*state);
	assert_int_equal(count.last_events, PROCESS_READABLE | PROCESS_HANGUP);
	process_loop_unwatch_fd(watch);
	close(fds[0]);
}

static void test_file_that_cannot_be_waited_for_is_refused(void **state)
{
	struct process_watch *watch;
	char name[] = "/tmp/dyad-test-XXXXXX";
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	unlink(name);
	assert_int_equal(
		process_loop_watch_fd(*state, fd, PROCESS_READABLE, count_ready, NULL, &watch),
		-EPERM);
	close(fd);
}

static void test_signal_comes_on_the_loop(void **state)
{
	struct count count = {.loop = *state, .stop_at = 1};

	assert_int_equal(process_loop_watch_signal(*state, SIGUSR1, count_signal, &count), 0);
	assert_int_equal(process_loop_watch_signal(*state, SIGUSR1, count_signal, &count), -EBUSY);
	assert_int_equal(process_loop_watch_signal(*state, 0, count_signal, &count), -EINVAL);
	raise(SIGUSR1);
	os_loop_run(*state);
	assert_int_equal(count.last_signal, SIGUSR1);
	process_loop_unwatch_signal(*state, SIGUSR1);
}

static void test_unwatched_signal_does_again_what_it_did(void **state)
{
	struct count count = {.loop = *state};
	struct sigaction action;

	signal(SIGUSR2, SIG_IGN);
	assert_int_equal(process_loop_watch_signal(*state, SIGUSR2, count_signal, &count), 0);
	process_loop_unwatch_signal(*state, SIGUSR2);
	assert_int_equal(sigaction(SIGUSR2, NULL, &action), 0);
	assert_true(action.sa_handler == SIG_IGN);
	signal(SIGUSR2, SIG_DFL);
}

/* --- Threads and locks
 * ----------------------------------------------------------------------------- */

static void stop_from_thread(void *arg)
{
	os_loop_stop(arg);
}

static void test_other_thread_stops_the_loop(void **state)
{
	struct os_thread *thread;

	assert_int_equal(
		os_thread_start(&thread, "a name longer than 15", stop_from_thread, *state), 0);
	os_loop_run(*state);
	os_thread_join(thread);
}

static void check_mask_and_stack(void *arg)
{
	sigset_t mask;
	char big[48 * 1024];

	memset(big, 1, sizeof(big));
	__asm__ volatile("" : : "r"(big) : "memory");
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	*(int *)arg = sigismember(&mask, SIGTERM) && sigismember(&mask, SIGINT) &&
		      !sigismember(&mask, SIGSEGV) && !sigismember(&mask, SIGRTMIN);
}

static void test_thread_leaves_signals_to_the_main_thread(void **state)
{
	struct os_thread *thread;
	int right = 0;

	(void)state;
	assert_int_equal(os_thread_start(&thread, "mask", check_mask_and_stack, &right), 0);
	os_thread_join(thread);
	os_thread_join(NULL);
	assert_true(right);
}

struct kick {
	int fds[2];
	atomic_bool started;
	int result;
};

static void read_until_kicked(void *arg)
{
	struct kick *kick = arg;
	char byte;

	atomic_store(&kick->started, true);
	kick->result = read(kick->fds[0], &byte, 1) < 0 ? -errno : 0;
}

static void test_kick_interrupts_a_system_call(void **state)
{
	struct kick kick = {.result = 1};
	struct os_thread *thread;
	unsigned kicks = 0;

	(void)state;
	assert_int_equal(pipe(kick.fds), 0);
	assert_int_equal(os_thread_start(&thread, "kicked", read_until_kicked, &kick), 0);
	while (!atomic_load(&kick.started))
		sched_yield();
	/* A kick that comes before the call is lost by contract: so, some of them. */
	for (; kicks < 100; kicks++) {
		os_thread_kick(thread);
		usleep(100);
	}
	os_thread_join(thread);
	assert_int_equal(kick.result, -EINTR);
	close(kick.fds[0]);
	close(kick.fds[1]);
}

#define INCREMENTS 20000

struct counter {
	struct os_mutex lock;
	unsigned value;
};

static void increment(void *arg)
{
	struct counter *counter = arg;

	for (int i = 0; i < INCREMENTS; i++) {
		os_mutex_lock(&counter->lock);
		counter->value++;
		os_mutex_unlock(&counter->lock);
	}
}

static void test_mutex_excludes(void **state)
{
	struct counter counter = {.value = 0};
	struct os_thread *threads[4];

	(void)state;
	os_mutex_init(&counter.lock);
	for (int i = 0; i < 4; i++)
		assert_int_equal(os_thread_start(&threads[i], "count", increment, &counter), 0);
	for (int i = 0; i < 4; i++)
		os_thread_join(threads[i]);
	assert_int_equal(counter.value, 4 * INCREMENTS);
}

struct setter {
	struct os_timer *timer;
	uint64_t deadline;
};

static void set_timer_often(void *arg)
{
	struct setter *setter = arg;

	for (int i = 0; i < 1000; i++)
		os_timer_set(setter->timer, setter->deadline + (uint64_t)(i % 3));
}

static void test_timer_set_by_several_threads_still_fires(void **state)
{
	struct count count = {.loop = *state};
	struct os_thread *threads[2];
	struct setter setter;

	assert_int_equal(os_timer_create(*state, count_call, &count, &setter.timer), 0);
	setter.deadline = os_clock_monotonic() + 100 * MILLISECOND;
	for (int i = 0; i < 2; i++)
		assert_int_equal(os_thread_start(&threads[i], "set", set_timer_often, &setter), 0);
	for (int i = 0; i < 2; i++)
		os_thread_join(threads[i]);
	count.stop_at = count.calls + 1;
	os_loop_run(*state);
	os_timer_destroy(setter.timer);
}

static void test_random_and_clocks(void **state)
{
	uint8_t bytes[1024] = {0};
	unsigned different = 0;
	uint64_t before = os_clock_monotonic();

	(void)state;
	os_random(bytes, sizeof(bytes));
	for (size_t i = 1; i < sizeof(bytes); i++)
		different += bytes[i] != bytes[0];
	assert_true(different > 900);
	assert_true(os_clock_monotonic() >= before);
	/* 2020 and later */
	assert_true(os_clock_wall() > INT64_C(1577836800) * 1000000000);
}

static void test_log_line_is_written_whole_and_filtered(void **state)
{
	char text[256] = "";
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	process_log_configure(fds[1], OS_LOG_WARNING);
	os_log(OS_LOG_INFO, "not this");
	os_log(OS_LOG_WARNING, "this");
	process_log_configure(STDERR_FILENO, OS_LOG_INFO);
	assert_true(read(fds[0], text, sizeof(text) - 1) > 0);
	assert_string_equal(text, "dyad: warning: this\n");
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_stop_before_run_ends_it_at_once, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_signals_before_a_wake_up_are_one_call, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			test_unwatched_event_is_silent_and_not_repeated_later, setup, teardown),
		cmocka_unit_test_setup_teardown(test_event_handle_works_as_the_kernel_uses_it,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_call_back_may_end_others_of_the_same_batch,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_timer_fires_once_and_not_early, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_timer_is_replaced_and_disarmed, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			test_timer_disarmed_in_the_batch_that_reports_it_stays_silent, setup,
			teardown),
		cmocka_unit_test_setup_teardown(test_descriptor_is_watched_until_paused, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_file_that_cannot_be_waited_for_is_refused,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_signal_comes_on_the_loop, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unwatched_signal_does_again_what_it_did, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_other_thread_stops_the_loop, setup, teardown),
		cmocka_unit_test(test_thread_leaves_signals_to_the_main_thread),
		cmocka_unit_test(test_kick_interrupts_a_system_call),
		cmocka_unit_test(test_mutex_excludes),
		cmocka_unit_test_setup_teardown(test_timer_set_by_several_threads_still_fires,
						setup, teardown),
		cmocka_unit_test(test_random_and_clocks),
		cmocka_unit_test(test_log_line_is_written_whole_and_filtered),
	};

	process_init();
	signals_to_default();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
