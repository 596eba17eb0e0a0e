/* SPDX-License-Identifier: MIT */
/*
 * test_host_run.c - the core's host in a process: locks, waiting, and the kick that ends a KVM_RUN.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "host.h"
#include "os.h"
#include "type2/process/process.h"

#define ROUNDS 20000

/* --- Locks ------------------------------------------------------------------------------------ */

struct counted {
	struct host_mutex mutex;
	struct host_spin spin;
	unsigned by_mutex, by_spin;
};

static void count_with_locks(void *arg)
{
	struct counted *counted = arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		host_mutex_lock(&counted->mutex);
		counted->by_mutex++;
		host_mutex_unlock(&counted->mutex);
		host_spin_lock(&counted->spin);
		counted->by_spin++;
		host_spin_unlock(&counted->spin);
	}
}

static void test_locks_exclude(void **state)
{
	struct counted counted = {.by_mutex = 0};
	struct os_thread *threads[3];

	(void)state;
	host_mutex_init(&counted.mutex);
	host_spin_init(&counted.spin);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(os_thread_start(&threads[i], "count", count_with_locks, &counted),
				 0);
	for (unsigned i = 0; i < 3; i++)
		os_thread_join(threads[i]);
	assert_int_equal(counted.by_mutex, 3 * ROUNDS);
	assert_int_equal(counted.by_spin, 3 * ROUNDS);
}

/* --- Waiting ---------------------------------------------------------------------------------- */

static void test_wake_before_wait_is_kept(void **state)
{
	struct host_waiter waiter;

	(void)state;
	host_waiter_init(&waiter);
	host_wake(&waiter);
	host_wake(&waiter);
	assert_int_equal(host_wait(&waiter), 0);
}

struct ping_pong {
	struct host_waiter to, from;
	atomic_uint given, seen;
};

static void answer_all(void *arg)
{
	struct ping_pong *game = arg;

	while (atomic_load(&game->seen) < ROUNDS) {
		while (atomic_load(&game->given) == atomic_load(&game->seen))
			host_wait(&game->to);
		atomic_fetch_add(&game->seen, 1);
		host_wake(&game->from);
	}
}

/* No wake is lost between a look at what is to be done and the sleep. */
static void test_no_wake_is_lost(void **state)
{
	struct ping_pong game = {.given = 0};
	struct os_thread *thread;

	(void)state;
	host_waiter_init(&game.to);
	host_waiter_init(&game.from);
	assert_int_equal(os_thread_start(&thread, "answer", answer_all, &game), 0);
	for (unsigned i = 1; i <= ROUNDS; i++) {
		atomic_store(&game.given, i);
		host_wake(&game.to);
		while (atomic_load(&game.seen) < i)
			host_wait(&game.from);
	}
	os_thread_join(thread);
}

/* --- The kick --------------------------------------------------------------------------------- */

struct runner {
	struct host_run run;
	struct host_waiter waiter;
	atomic_bool began, told;
	bool waits;
	int result;
	atomic_bool allowed;
};

static void runner_interrupted(struct host_run *run)
{
	atomic_store(&((struct runner *)run)->told, true);
}

static void run_until_kicked(void *arg)
{
	struct runner *runner = arg;

	host_run_begin(&runner->run, runner_interrupted);
	atomic_store(&runner->began, true);
	if (runner->waits)
		runner->result = host_wait(&runner->waiter);
	else
		while (!atomic_load(&runner->told))
			host_yield();
	if (!host_run_interrupted(&runner->run))
		runner->result = -1;
	host_run_end(&runner->run);
}

static void kick_a_runner(bool waits)
{
	struct runner runner = {.waits = waits};
	struct os_thread *thread;

	host_waiter_init(&runner.waiter);
	assert_int_equal(os_thread_start(&thread, "run", run_until_kicked, &runner), 0);
	while (!atomic_load(&runner.began))
		host_yield();
	os_thread_kick(thread);
	os_thread_join(thread);
	assert_true(atomic_load(&runner.told));
	assert_int_equal(runner.result, waits ? -EINTR : 0);
}

static void test_kick_ends_a_run(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 200; i++)
		kick_a_runner(false);
}

static void test_kick_ends_a_wait(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 200; i++)
		kick_a_runner(true);
}

static void run_when_allowed(void *arg)
{
	struct runner *runner = arg;

	atomic_store(&runner->began, true);
	while (!atomic_load(&runner->allowed))
		host_yield();
	host_run_begin(&runner->run, runner_interrupted);
	runner->result = host_run_interrupted(&runner->run);
	/* A wait is not ended by what came before, either. */
	host_wake(&runner->waiter);
	if (host_wait(&runner->waiter) != 0)
		runner->result = -1;
	host_run_end(&runner->run);
}

/* As os.h says: who must not lose such a kick sets kvm_run.immediate_exit. */
static void test_kick_before_a_run_is_none(void **state)
{
	struct runner runner = {.result = -1};
	struct os_thread *thread;

	(void)state;
	host_waiter_init(&runner.waiter);
	assert_int_equal(os_thread_start(&thread, "run", run_when_allowed, &runner), 0);
	while (!atomic_load(&runner.began))
		host_yield();
	os_thread_kick(thread);
	/* Its delivery to a thread that runs takes less than this. */
	for (unsigned i = 0; i < 1000; i++)
		host_yield();
	atomic_store(&runner.allowed, true);
	os_thread_join(thread);
	assert_int_equal(runner.result, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_locks_exclude),
		cmocka_unit_test(test_wake_before_wait_is_kept),
		cmocka_unit_test(test_no_wake_is_lost),
		cmocka_unit_test(test_kick_ends_a_run),
		cmocka_unit_test(test_kick_ends_a_wait),
		cmocka_unit_test(test_kick_before_a_run_is_none),
	};

	process_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
