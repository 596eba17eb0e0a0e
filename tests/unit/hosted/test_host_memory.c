/* SPDX-License-Identifier: MIT */
/*
 * test_host_memory.c - the core's memory in a process, its events, and who is told of DMA.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "host.h"
#include "os.h"
#include "type2/process/process.h"
#include "type2/process/written.h"

#define PAGE 4096

static uint64_t user_address(const void *pointer)
{
	return (uintptr_t)pointer;
}

static void test_allocated_is_zero_and_aligned(void **state)
{
	static const size_t sizes[] = {1, 63, 64, 4096, 1 << 20};

	(void)state;
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint8_t *memory = host_alloc(sizes[i]);

		assert_non_null(memory);
		assert_int_equal(user_address(memory) % 64, 0);
		for (size_t at = 0; at < sizes[i]; at++)
			assert_int_equal(memory[at], 0);
		memset(memory, 0xff, sizes[i]);
		host_free(memory);
	}
	host_free(NULL);
	assert_null(host_alloc(SIZE_MAX));
}

static void test_copies(void **state)
{
	char user[] = "the caller's", copy[sizeof(user)] = "";

	(void)state;
	assert_int_equal(host_copy_in(copy, user_address(user), sizeof(user)), 0);
	assert_string_equal(copy, user);
	copy[0] = 'T';
	assert_int_equal(host_copy_out(user_address(user), copy, sizeof(copy)), 0);
	assert_string_equal(user, "The caller's");
	assert_int_equal(host_copy_in(copy, 0, 0), 0);
}

/* What a caller says is an address may be anything. */
static void test_bad_addresses_are_refused(void **state)
{
	uint8_t *pages =
		mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t copy[2 * PAGE] = {0};
	const uint64_t bad[] = {
		0, 1, 8, UINT64_MAX, UINT64_MAX - 7, UINT64_C(1) << 63, UINT64_C(0x800000000000),
	};

	(void)state;
	assert_ptr_not_equal(pages, MAP_FAILED);
	assert_int_equal(munmap(pages + PAGE, PAGE), 0);
	assert_int_equal(mprotect(pages + 2 * PAGE, PAGE, PROT_READ), 0);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(host_copy_in(copy, bad[i], 16), -EFAULT);
		assert_int_equal(host_copy_out(bad[i], copy, 16), -EFAULT);
		assert_null(host_user_pointer(bad[i]));
	}
	/* Not there, there in part, read-only. */
	assert_int_equal(host_copy_in(copy, user_address(pages + PAGE), 1), -EFAULT);
	assert_int_equal(host_copy_in(copy, user_address(pages + PAGE - 8), 16), -EFAULT);
	assert_int_equal(host_copy_in(copy, user_address(pages), SIZE_MAX), -EFAULT);
	assert_int_equal(host_copy_out(user_address(pages + 2 * PAGE), copy, 1), -EFAULT);
	assert_int_equal(host_copy_in(copy, user_address(pages + 2 * PAGE), PAGE), 0);
	assert_null(host_user_pointer(user_address(pages + PAGE)));
	assert_ptr_equal(host_user_pointer(user_address(pages + 5)), pages + 5);
	munmap(pages, PAGE);
	munmap(pages + 2 * PAGE, PAGE);
}

static void test_code_is_written_here_and_run_there(void **state)
{
	static const uint8_t code[] = {0xb8, 0x2a, 0, 0, 0, 0xc3}; /* mov $42, %eax; ret */
	void *writable, *executable;

	(void)state;
	assert_int_equal(host_code_map(2 * PAGE, &writable, &executable), 0);
	memcpy((uint8_t *)writable + PAGE, code, sizeof(code));
	assert_int_equal(((int (*)(void))((uintptr_t)executable + PAGE))(), 42);
	/* Never both at one address. */
	assert_int_equal(host_copy_out(user_address(executable), code, 1), -EFAULT);
	host_code_unmap(writable, executable, 2 * PAGE);
}

/* --- Events ----------------------------------------------------------------------------------- */

struct seen {
	struct host_event_watch watch; /* first */
	atomic_uint count;
	struct os_event *next; /* signalled from within */
};

static void seen_signal(struct host_event_watch *watch)
{
	struct seen *seen = (struct seen *)watch;

	atomic_fetch_add(&seen->count, 1);
	if (seen->next)
		os_event_signal(seen->next);
}

static void test_watched_event_is_a_call(void **state)
{
	struct seen first = {0}, second = {0}, third = {0};
	struct os_event *events[2];
	struct host_event *handles[2], *none;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(os_event_create(&events[i]), 0);
		assert_int_equal(host_event_get(os_event_handle(events[i]), &handles[i]), 0);
	}
	assert_int_equal(host_event_get(-1, &none), -EBADF);
	assert_int_equal(host_event_get(0, &none), -EBADF); /* a descriptor, but no event */

	/* What came before the watch counts once. */
	os_event_signal(events[0]);
	os_event_signal(events[0]);
	assert_int_equal(host_event_watch(handles[0], &first.watch, seen_signal), 0);
	assert_int_equal(atomic_load(&first.count), 1);
	assert_int_equal(host_event_watch(handles[0], &third.watch, seen_signal), -EBUSY);
	first.next = events[1];
	assert_int_equal(host_event_watch(handles[1], &second.watch, seen_signal), 0);
	os_event_signal(events[0]);
	host_event_signal(handles[0]);
	assert_int_equal(atomic_load(&first.count), 3);
	assert_int_equal(atomic_load(&second.count), 2);

	host_event_unwatch(&first.watch);
	os_event_signal(events[0]);
	assert_int_equal(atomic_load(&first.count), 3);
	assert_int_equal(host_event_watch(handles[0], &third.watch, seen_signal), 0);
	assert_int_equal(atomic_load(&third.count), 1);
	/* The owner's end comes first: what the core still holds stays valid. */
	os_event_destroy(events[0]);
	host_event_signal(handles[0]);
	assert_int_equal(atomic_load(&third.count), 2);
	host_event_unwatch(&third.watch);
	host_event_put(handles[0]);
	host_event_unwatch(&second.watch);
	host_event_put(handles[1]);
	os_event_destroy(events[1]);
}

struct loop_signal {
	struct os_loop *loop;
	unsigned count;
};

static void loop_signalled(void *arg)
{
	struct loop_signal *signal = arg;

	signal->count++;
	os_loop_stop(signal->loop);
}

static void test_core_wakes_the_loop(void **state)
{
	struct loop_signal signal = {0};
	struct host_event *handle;
	struct os_event *event;

	(void)state;
	assert_int_equal(os_loop_create(&signal.loop), 0);
	assert_int_equal(os_event_create(&event), 0);
	assert_int_equal(os_loop_watch(signal.loop, event, loop_signalled, &signal), 0);
	assert_int_equal(host_event_get(os_event_handle(event), &handle), 0);
	host_event_signal(handle);
	os_loop_run(signal.loop);
	assert_int_equal(signal.count, 1);
	host_event_put(handle);
	os_event_destroy(event);
	os_loop_destroy(signal.loop);
}

struct signaller {
	struct os_event *event;
	atomic_bool ending;
};

static void signal_all_the_time(void *arg)
{
	struct signaller *signaller = arg;

	while (!atomic_load(&signaller->ending))
		os_event_signal(signaller->event);
}

/* Under a sanitizer this also shows that nothing is called any more. */
static void test_unwatch_waits_for_the_call(void **state)
{
	struct signaller signaller = {.ending = false};
	struct host_event *handle;
	struct os_thread *thread;

	(void)state;
	assert_int_equal(os_event_create(&signaller.event), 0);
	assert_int_equal(host_event_get(os_event_handle(signaller.event), &handle), 0);
	assert_int_equal(os_thread_start(&thread, "signal", signal_all_the_time, &signaller), 0);
	for (unsigned i = 0; i < 200; i++) {
		struct seen seen = {0};

		assert_int_equal(host_event_watch(handle, &seen.watch, seen_signal), 0);
		while (!atomic_load(&seen.count))
			host_yield();
		host_event_unwatch(&seen.watch);
		seen.watch.signalled = NULL;
	}
	atomic_store(&signaller.ending, true);
	os_thread_join(thread);
	host_event_put(handle);
	os_event_destroy(signaller.event);
}

/* --- Writes by devices ------------------------------------------------------------------------ */

struct noted {
	struct written_listener listener; /* first */
	const uint8_t *start;
	size_t size;
	unsigned count;
};

static void note_written(struct written_listener *listener, const void *start, size_t size)
{
	struct noted *noted = (struct noted *)listener;

	noted->start = start;
	noted->size = size;
	noted->count++;
}

static void test_writes_by_the_host_are_told(void **state)
{
	struct noted noted = {.listener.written = note_written};
	uint8_t bytes[64];
	struct os_iov iov[2] = {{bytes, 16}, {bytes + 32, 16}};

	(void)state;
	os_random(bytes, sizeof(bytes));
	assert_int_equal(noted.count, 0);
	written_listen(&noted.listener);
	os_random(bytes + 1, 7);
	assert_ptr_equal(noted.start, bytes + 1);
	assert_int_equal(noted.size, 7);
	os_memory_written(bytes, 0);
	assert_int_equal(noted.count, 1);
	written_iov(iov, 2, 20);
	assert_int_equal(noted.count, 3);
	assert_ptr_equal(noted.start, bytes + 32);
	assert_int_equal(noted.size, 4);
	written_leave(&noted.listener);
	os_random(bytes, sizeof(bytes));
	assert_int_equal(noted.count, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_allocated_is_zero_and_aligned),
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_bad_addresses_are_refused),
		cmocka_unit_test(test_code_is_written_here_and_run_there),
		cmocka_unit_test(test_watched_event_is_a_call),
		cmocka_unit_test(test_core_wakes_the_loop),
		cmocka_unit_test(test_unwatch_waits_for_the_call),
		cmocka_unit_test(test_writes_by_the_host_are_told),
	};

	process_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
