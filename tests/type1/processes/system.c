/* SPDX-License-Identifier: MIT */
/*
 * system.c - a process of the bare-metal runtime that tries its system calls: memory, threads,
 * futexes, events, ports, deadlines; and what a hostile process would try.
 *
 * Its name says what it does besides: "fault-*" ends by an exception, "leave" ends with threads in
 * all states, "spin-*" wants a CPU in a while that all of these begin at once, "late-*" sleeps in
 * that while for a time again and again, and says how late it woke.
 */
#include <linux/errno.h>

#include "hw/uart.h"
#include "lib/bits.h"
#include "lib/bytes.h"
#include "tests/type1/processes/check.h"
#include "type1/process/ports.h"

#define PAGE (4 * KIB)
#define LARGE (2 * MIB)
#define SECOND UINT64_C(1000000000)
#define MILLISECOND (SECOND / 1000)
#define KERNEL_ADDRESS UINT64_C(0xffff800000000000)
#define NOT_CANONICAL UINT64_C(0x8000000000000000)
#define LAST_USER_PAGE UINT64_C(0x00007fffffffe000)
#define PAST 1 /* a deadline that is over */
#define THREADS 4u
#define DELAY_PORT 0x80 /* whatever is written there does nothing */
#define SCRATCH 0x3c
#define KEYS_MAX 32u /* that a wait at a port takes */

static uint8_t *map(uint64_t size, unsigned flags)
{
	int64_t address = call2(TYPE1_MEMORY_MAP, size, flags);

	EXPECT_THAT(address > 0);
	return address > 0 ? (uint8_t *)address : NULL;
}

static int64_t unmap(const void *at, uint64_t size)
{
	return call2(TYPE1_MEMORY_UNMAP, call_address(at), size);
}

static int64_t discard(const void *at, uint64_t size)
{
	return call2(TYPE1_MEMORY_DISCARD, call_address(at), size);
}

static bool all_are(const uint8_t *bytes, uint64_t size, uint8_t value)
{
	for (uint64_t i = 0; i < size; i++) {
		if (bytes[i] != value)
			return false;
	}
	return true;
}

static uint64_t create(enum type1_call call)
{
	int64_t handle = call0(call);

	EXPECT_THAT(handle > 0);
	return (uint64_t)handle;
}

/* What the runtime does when it is to write there: count keys of 8 bytes, all ones. */
static int64_t have_written(uint64_t to, unsigned count)
{
	uint64_t port = create(TYPE1_PORT_CREATE), events[KEYS_MAX];
	int64_t result;

	for (unsigned i = 0; i < count; i++) {
		events[i] = create(TYPE1_EVENT_CREATE);
		EXPECT(call3(TYPE1_PORT_WATCH, port, events[i], UINT64_MAX), 0);
		EXPECT(call1(TYPE1_EVENT_SIGNAL, events[i]), 0);
	}
	result = call4(TYPE1_PORT_WAIT, port, PAST, to, count);
	for (unsigned i = 0; i < count; i++)
		EXPECT(call1(TYPE1_CLOSE, events[i]), 0);
	EXPECT(call1(TYPE1_CLOSE, port), 0);
	return result;
}

/* --- Memory ----------------------------------------------------------------------------------- */

static void test_memory(void)
{
	uint8_t *at = map(8 * PAGE, TYPE1_MEMORY_WRITE);

	EXPECT_THAT(all_are(at, 8 * PAGE, 0));
	memset(at, 1, 8 * PAGE);
	EXPECT(discard(at + PAGE, 2 * PAGE), 0);
	EXPECT_THAT(all_are(at, PAGE, 1));
	EXPECT_THAT(all_are(at + PAGE, 2 * PAGE, 0));
	EXPECT_THAT(all_are(at + 3 * PAGE, 5 * PAGE, 1));
	/* The runtime's own accesses find discarded pages, too, across a boundary. */
	EXPECT(discard(at + PAGE, 2 * PAGE), 0);
	EXPECT(have_written(call_address(at + 2 * PAGE - 100), KEYS_MAX), KEYS_MAX);
	EXPECT_THAT(all_are(at + 2 * PAGE - 100, KEYS_MAX * 8, UINT8_MAX));
	EXPECT(unmap(at + 3 * PAGE, PAGE), 0);
	EXPECT(unmap(at + 3 * PAGE, PAGE), -EINVAL);
	EXPECT(unmap(at, 8 * PAGE), -EINVAL);
	EXPECT(unmap(at, 3 * PAGE), 0);
	EXPECT_THAT(all_are(at + 4 * PAGE, 4 * PAGE, 1));
	EXPECT(unmap(at + 4 * PAGE, 4 * PAGE), 0);

	EXPECT(call2(TYPE1_MEMORY_MAP, 0, TYPE1_MEMORY_WRITE), -EINVAL);
	EXPECT(call2(TYPE1_MEMORY_MAP, 1, TYPE1_MEMORY_WRITE), -EINVAL);
	EXPECT(call2(TYPE1_MEMORY_MAP, UINT64_MAX, TYPE1_MEMORY_WRITE), -EINVAL);
	EXPECT(call2(TYPE1_MEMORY_MAP, align_down(UINT64_MAX, PAGE), 0), -EINVAL);
	EXPECT(call2(TYPE1_MEMORY_MAP, UINT64_C(1) << 46, TYPE1_MEMORY_WRITE), -ENOMEM);
	EXPECT(call2(TYPE1_MEMORY_MAP, PAGE, TYPE1_MEMORY_WRITE | TYPE1_MEMORY_EXECUTE), -EINVAL);
	EXPECT(call2(TYPE1_MEMORY_MAP, PAGE, 1 << 10), -EINVAL);
	EXPECT(call2(TYPE1_MEMORY_UNMAP, KERNEL_ADDRESS, PAGE), -EINVAL);
	EXPECT(call2(TYPE1_MEMORY_UNMAP, PAGE, UINT64_MAX - PAGE + 1), -EINVAL);
	EXPECT(call2(TYPE1_MEMORY_DISCARD, KERNEL_ADDRESS, PAGE), -EINVAL);
	EXPECT(discard(process_info, PAGE), -EINVAL);
}

static void test_large_pages(void)
{
	uint8_t *at = map(2 * LARGE, TYPE1_MEMORY_WRITE | TYPE1_MEMORY_LARGE);

	EXPECT_THAT(is_aligned(call_address(at), LARGE));
	memset(at, 1, 2 * LARGE);
	EXPECT(discard(at + LARGE / 2, PAGE), 0);
	EXPECT_THAT(all_are(at, LARGE / 2, 1));
	EXPECT_THAT(all_are(at + LARGE / 2, PAGE, 0));
	EXPECT_THAT(all_are(at + LARGE / 2 + PAGE, 3 * LARGE / 2 - PAGE, 1));
	EXPECT(discard(at, 2 * LARGE), 0);
	EXPECT_THAT(all_are(at, 2 * LARGE, 0));
	EXPECT(unmap(at + PAGE, LARGE), 0);
	EXPECT(unmap(at, PAGE), 0);
	EXPECT(unmap(at + LARGE + PAGE, LARGE - PAGE), 0);
	/* All of it can be had again, often. */
	for (int i = 0; i < 20; i++) {
		uint64_t most = process_info->memory / 2;

		at = map(align_down(most, PAGE), TYPE1_MEMORY_WRITE | TYPE1_MEMORY_LARGE);
		EXPECT(unmap(at, align_down(most, PAGE)), 0);
	}
}

/* More than the account has, of which little is touched. */
static void test_memory_on_demand(void)
{
	uint64_t most = align_down(process_info->memory / 4 * 3, PAGE);
	uint8_t *first = map(most, TYPE1_MEMORY_WRITE), *second = map(most, TYPE1_MEMORY_WRITE);

	first[most - 1] = 1;
	second[most / 2] = 2;
	/* The runtime's own accesses have pages come, too. */
	EXPECT(have_written(call_address(second + PAGE - 8), 2), 2);
	EXPECT_THAT(all_are(first, PAGE, 0) && first[most - 1] == 1 && second[most / 2] == 2);
	EXPECT(unmap(first, most), 0);
	EXPECT(unmap(second, most), 0);
}

static void test_memory_objects(void)
{
	int64_t handle = call1(TYPE1_MEMORY_CREATE, 3 * PAGE), module, first, second;

	EXPECT_THAT(handle > 0);
	EXPECT(call1(TYPE1_MEMORY_SIZE, (uint64_t)handle), 3 * PAGE);
	first = call4(TYPE1_MEMORY_ATTACH, (uint64_t)handle, 0, 3 * PAGE, TYPE1_MEMORY_WRITE);
	second = call4(TYPE1_MEMORY_ATTACH, (uint64_t)handle, PAGE, PAGE, 0);
	EXPECT_THAT(first > 0 && second > 0);
	memset((uint8_t *)first + PAGE, 7, PAGE);
	EXPECT_THAT(all_are((const uint8_t *)second, PAGE, 7));
	EXPECT(call4(TYPE1_MEMORY_ATTACH, (uint64_t)handle, PAGE, 3 * PAGE, 0), -EINVAL);
	EXPECT(call4(TYPE1_MEMORY_ATTACH, (uint64_t)handle, UINT64_MAX - PAGE + 1, PAGE, 0),
	       -EINVAL);
	EXPECT(call4(TYPE1_MEMORY_ATTACH, (uint64_t)handle, 0, PAGE, TYPE1_MEMORY_EXECUTE),
	       -EINVAL);
	EXPECT(discard((const void *)first, PAGE), -EINVAL);
	EXPECT(call1(TYPE1_CLOSE, (uint64_t)handle), 0);
	EXPECT(call1(TYPE1_CLOSE, (uint64_t)handle), -EBADF);
	EXPECT_THAT(all_are((const uint8_t *)second, PAGE, 7)); /* mappings keep it */
	EXPECT(unmap((const void *)first, 3 * PAGE), 0);
	EXPECT(unmap((const void *)second, PAGE), 0);
	EXPECT(call1(TYPE1_MEMORY_CREATE, 0), -EINVAL);
	EXPECT(call1(TYPE1_MEMORY_CREATE, UINT64_C(1) << 62), -ENOMEM);

	module = call2(TYPE1_MODULE_OPEN, call_address(process_info->name),
		       text_length(process_info->name));
	EXPECT_THAT(module > 0);
	EXPECT(call4(TYPE1_MEMORY_ATTACH, (uint64_t)module, 0, PAGE, TYPE1_MEMORY_WRITE), -EINVAL);
	first = call4(TYPE1_MEMORY_ATTACH, (uint64_t)module, 0, PAGE, 0);
	EXPECT_THAT(first > 0 && ((const uint8_t *)first)[1] == 'E');
	EXPECT(unmap((const void *)first, PAGE), 0);
	EXPECT(call1(TYPE1_CLOSE, (uint64_t)module), 0);
	EXPECT(call2(TYPE1_MODULE_OPEN, call_address("none"), 4), -ENOENT);
}

/* --- Threads, futexes, vector state ----------------------------------------------------------- */

static struct os_thread *start(void (*run)(void *), void *arg)
{
	struct os_thread *thread = NULL;

	EXPECT(os_thread_start(&thread, "test", run, arg), 0);
	return thread;
}

static uint32_t turn; /* whose it is */
#define TURNS 2000u

static void take_turns(uint32_t own)
{
	for (uint32_t i = 0; i < TURNS; i++) {
		uint32_t now;

		while ((now = __atomic_load_n(&turn, __ATOMIC_SEQ_CST)) != own)
			call3(TYPE1_FUTEX_WAIT, call_address(&turn), now, 0);
		__atomic_store_n(&turn, !own, __ATOMIC_SEQ_CST);
		call2(TYPE1_FUTEX_WAKE, call_address(&turn), 1);
	}
}

static void other_turns(void *unused)
{
	(void)unused;
	take_turns(1);
}

static void test_futexes(void)
{
	uint32_t word = 5;
	uint64_t at = call_address(&word), begin = os_clock_monotonic();
	struct os_thread *other = start(other_turns, NULL);

	take_turns(0);
	os_thread_join(other);
	EXPECT(turn, 0);
	check_say("%u wakes by futex took %llu us each", 2 * TURNS,
		  (unsigned long long)((os_clock_monotonic() - begin) / (2 * TURNS) / 1000));
	EXPECT(call3(TYPE1_FUTEX_WAIT, at, 6, 0), -EAGAIN);
	EXPECT(call3(TYPE1_FUTEX_WAIT, at, 5, PAST), -ETIMEDOUT);
	EXPECT(call3(TYPE1_FUTEX_WAIT, at + 1, 5, PAST), -EINVAL);
	EXPECT(call3(TYPE1_FUTEX_WAIT, KERNEL_ADDRESS, 5, PAST), -EFAULT);
	EXPECT(call3(TYPE1_FUTEX_WAIT, 0, 5, PAST), -EFAULT);
	EXPECT(call2(TYPE1_FUTEX_WAKE, at, UINT64_MAX), 0);
	begin = os_clock_monotonic();
	EXPECT(call3(TYPE1_FUTEX_WAIT, at, 5, begin + 20 * MILLISECOND), -ETIMEDOUT);
	EXPECT_THAT(os_clock_monotonic() >= begin + 20 * MILLISECOND);
	check_say("a deadline of 20 ms was kept %llu us late",
		  (unsigned long long)((os_clock_monotonic() - begin - 20 * MILLISECOND) / 1000));
}

/* Keeps numbers of its own in vector registers while others do so on the same CPU. */
static void keep_vectors(void *arg)
{
	uint64_t own = call_address(arg) * 0x9e3779b97f4a7c15, found;
	uint64_t end = os_clock_monotonic() + 100 * MILLISECOND;
	bool kept = true;

	do {
		__asm__ volatile("movq %1, %%xmm7\n"
				 "mov $20000, %%ecx\n"
				 "1: dec %%ecx\n"
				 "jnz 1b\n"
				 "mov $%c2, %%eax\n"
				 "syscall\n"
				 "movq %%xmm7, %0"
				 : "=r"(found)
				 : "r"(own), "i"(TYPE1_CALLS)
				 : "rax", "rcx", "r11", "xmm7", "cc", "memory");
		kept = kept && found == own;
	} while (os_clock_monotonic() < end);
	EXPECT_THAT(kept);
}

static void test_threads(void)
{
	struct os_thread *threads[2 * THREADS];
	static uint8_t keys[2 * THREADS];
	uint64_t handle;

	for (unsigned i = 0; i < 2 * THREADS; i++)
		threads[i] = start(keep_vectors, &keys[i]);
	for (unsigned i = 0; i < 2 * THREADS; i++)
		os_thread_join(threads[i]);
	EXPECT(call4(TYPE1_THREAD_START, KERNEL_ADDRESS, 0, 0, 0), -EINVAL);
	EXPECT(call4(TYPE1_THREAD_START, PAGE, KERNEL_ADDRESS, 0, 0), -EINVAL);
	EXPECT(call4(TYPE1_THREAD_START, PAGE, PAGE, 0, NOT_CANONICAL), -EINVAL);
	EXPECT(call1(TYPE1_THREAD_JOIN, 0), -EBADF);
	EXPECT(call1(TYPE1_THREAD_KICK, 0), -EBADF);
	handle = (uint64_t)call0(TYPE1_EVENT_CREATE);
	EXPECT(call1(TYPE1_THREAD_JOIN, handle), -EBADF);
	EXPECT(call1(TYPE1_CLOSE, handle), 0);
}

/* With several CPUs two threads see what the other does at once, not a slice later. */
#define HANDOVERS 20u
#define QUICK (MILLISECOND / 2)
static uint32_t ball, quick;

static void play(uint32_t own)
{
	uint64_t end = os_clock_monotonic() + 10 * SECOND, threw = end, now;

	while ((now = os_clock_monotonic()) < end &&
	       __atomic_load_n(&quick, __ATOMIC_SEQ_CST) < HANDOVERS) {
		if (__atomic_load_n(&ball, __ATOMIC_SEQ_CST) % 2 != own)
			continue;
		if (now < threw + QUICK)
			__atomic_add_fetch(&quick, now > threw, __ATOMIC_SEQ_CST);
		threw = now;
		__atomic_add_fetch(&ball, 1, __ATOMIC_SEQ_CST);
	}
}

static void play_other(void *unused)
{
	(void)unused;
	play(1);
}

static void test_parallel(void)
{
	struct os_thread *other;

	if (process_info->cpus < 2)
		return;
	other = start(play_other, NULL);
	play(0);
	os_thread_join(other);
	EXPECT_THAT(quick >= HANDOVERS);
}

/* As many threads as there can be. */
static uint32_t gate;

static void wait_at_gate(void *unused)
{
	(void)unused;
	while (!__atomic_load_n(&gate, __ATOMIC_SEQ_CST))
		call3(TYPE1_FUTEX_WAIT, call_address(&gate), 0, 0);
}

static void test_many_threads(void)
{
	static struct os_thread *threads[1024];
	unsigned count = 0;

	while (count < ARRAY_COUNT(threads) &&
	       os_thread_start(&threads[count], "many", wait_at_gate, NULL) == 0)
		count++;
	EXPECT_THAT(count > 16 && count < ARRAY_COUNT(threads));
	check_say("%u threads, then no more", count);
	__atomic_store_n(&gate, 1, __ATOMIC_SEQ_CST);
	call2(TYPE1_FUTEX_WAKE, call_address(&gate), UINT64_MAX);
	while (count--)
		os_thread_join(threads[count]);
}

/* --- Events and ports ------------------------------------------------------------------------- */

static void signal_twice(void *arg)
{
	const uint64_t *event = arg;
	uint64_t until = os_clock_monotonic() + 10 * MILLISECOND;
	uint32_t word = 0;

	call3(TYPE1_FUTEX_WAIT, call_address(&word), 0, until);
	EXPECT(call1(TYPE1_EVENT_SIGNAL, *event), 0);
	EXPECT(call1(TYPE1_EVENT_SIGNAL, *event), 0);
}

static void test_ports(void)
{
	uint64_t port = create(TYPE1_PORT_CREATE), other = create(TYPE1_PORT_CREATE);
	uint64_t a = create(TYPE1_EVENT_CREATE), b = create(TYPE1_EVENT_CREATE);
	uint64_t keys[4] = {0}, at = call_address(keys), begin = os_clock_monotonic();
	struct os_thread *thread;

	EXPECT(call1(TYPE1_EVENT_SIGNAL, b), 0);
	EXPECT(call3(TYPE1_PORT_WATCH, port, a, 11), 0);
	EXPECT(call3(TYPE1_PORT_WATCH, other, a, 11), -EBUSY);
	EXPECT(call4(TYPE1_PORT_WAIT, port, PAST, at, 4), 0);
	EXPECT(call3(TYPE1_PORT_WATCH, port, b, 22), 0); /* was signalled before */
	EXPECT(call1(TYPE1_EVENT_SIGNAL, a), 0);
	EXPECT(call1(TYPE1_EVENT_SIGNAL, a), 0);
	EXPECT(call4(TYPE1_PORT_WAIT, port, 0, at, 1), 1);
	EXPECT(keys[0], 22);
	EXPECT(call4(TYPE1_PORT_WAIT, port, 0, at, 4), 1);
	EXPECT(keys[0], 11);
	EXPECT(call4(TYPE1_PORT_WAIT, port, begin + 20 * MILLISECOND, at, 4), 0);
	EXPECT_THAT(os_clock_monotonic() >= begin + 20 * MILLISECOND);
	thread = start(signal_twice, &a);
	EXPECT(call4(TYPE1_PORT_WAIT, port, 0, at, 4), 1);
	os_thread_join(thread);
	EXPECT(call1(TYPE1_EVENT_SIGNAL, b), 0);
	EXPECT(call2(TYPE1_PORT_UNWATCH, port, b), 0);
	EXPECT(call2(TYPE1_PORT_UNWATCH, port, b), -ENOENT);
	call4(TYPE1_PORT_WAIT, port, PAST, at, 4);
	EXPECT(call4(TYPE1_PORT_WAIT, port, PAST, at, 4), 0);
	EXPECT(call3(TYPE1_PORT_WATCH, other, b, 33), 0);
	EXPECT(call4(TYPE1_PORT_WAIT, other, PAST, KERNEL_ADDRESS, 4), -EFAULT);
	EXPECT(call1(TYPE1_EVENT_SIGNAL, b), 0);
	EXPECT(call4(TYPE1_PORT_WAIT, other, PAST, at, 0), -EINVAL);
	EXPECT(call4(TYPE1_PORT_WAIT, other, PAST, at, UINT64_MAX), 1);
	EXPECT(call4(TYPE1_PORT_WAIT, a, PAST, at, 4), -EBADF);
	EXPECT(call1(TYPE1_EVENT_SIGNAL, port), -EBADF);
	/* In any order: a is watched still. */
	EXPECT(call1(TYPE1_CLOSE, a), 0);
	EXPECT(call1(TYPE1_CLOSE, port), 0);
	EXPECT(call1(TYPE1_CLOSE, other), 0);
	EXPECT(call1(TYPE1_CLOSE, b), 0);
}

/* --- What a hostile process would try --------------------------------------------------------- */

static const uint64_t numbers[] = {
	0,
	1,
	2,
	7,
	PAGE,
	PAGE - 1,
	LARGE,
	GIB,
	4096,
	UINT32_MAX,
	KERNEL_ADDRESS,
	KERNEL_ADDRESS - PAGE,
	NOT_CANONICAL,
	LAST_USER_PAGE,
	LAST_USER_PAGE + PAGE - 4,
	LAST_USER_PAGE + PAGE,
	UINT64_C(0xffffffff80200000),
	UINT64_C(1) << 47,
	UINT64_MAX,
	UINT64_MAX - PAGE + 1,
	(uint64_t)INT64_MAX,
};

static uint64_t state = 88172645463325252;

static uint64_t some_number(void)
{
	state ^= state << 13; /* xorshift64: Marsaglia 2003 */
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* Where a pointer is wanted: nothing of this may be reached. */
static void test_pointers(void)
{
	static const uint64_t bad[] = {0,
				       KERNEL_ADDRESS,
				       NOT_CANONICAL,
				       LAST_USER_PAGE,
				       LAST_USER_PAGE + PAGE,
				       UINT64_C(0xffffffff80200000),
				       UINT64_MAX - 7};

	for (unsigned i = 0; i < ARRAY_COUNT(bad); i++) {
		EXPECT(have_written(bad[i], 1), -EFAULT);
		EXPECT(call3(TYPE1_LOG, 0, bad[i], 8), -EFAULT);
		EXPECT(call2(TYPE1_MODULE_OPEN, bad[i], 8), -EFAULT);
	}
	EXPECT(have_written(call_address(process_info), 1), -EFAULT); /* read-only */
	EXPECT(have_written(call_address(test_pointers), 1), -EFAULT);
	EXPECT(have_written(LAST_USER_PAGE + PAGE - 4, 1), -EFAULT);
	EXPECT(call3(TYPE1_LOG, 0, call_address(numbers), TYPE1_LOG_LINE + 1), -EINVAL);
	EXPECT(call3(TYPE1_LOG, 4, call_address(numbers), 1), -EINVAL);
	EXPECT(call0(TYPE1_CALLS), -ENOSYS);
	EXPECT(call0((enum type1_call)UINT32_MAX), -ENOSYS);
	EXPECT(call2(TYPE1_POWER, 0, TYPE1_POWER_OFF), -EBADF);
	EXPECT(call3(TYPE1_KVM, 0, 0, 0), -EBADF);
	EXPECT(call1(TYPE1_KVM_MAP_RUN, 0), -EBADF);
	for (unsigned i = 0; i < ARRAY_COUNT(numbers); i++) {
		if (numbers[i] - 1 >= 16)
			EXPECT(call1(TYPE1_CLOSE, numbers[i]), -EBADF);
	}
}

static void test_handles(void)
{
	unsigned count = 0, closed = 0;
	int64_t handle, last = 0;

	while ((handle = call0(TYPE1_EVENT_CREATE)) > 0) {
		last = handle;
		count++;
	}
	EXPECT_THAT(handle == -EMFILE || handle == -ENOMEM);
	EXPECT_THAT(count > 1000);
	for (handle = last; handle > 0; handle--)
		closed += call1(TYPE1_CLOSE, (uint64_t)handle) == 0;
	EXPECT_THAT(closed >= count);
}

/* Calls at random, of those that return; what they make is closed again by chance alone. */
#define RANDOM_CALLS 20000
static void test_random_calls(void)
{
	static const enum type1_call calls[] = {
		TYPE1_CLOSE,         TYPE1_MEMORY_MAP,    TYPE1_MEMORY_UNMAP, TYPE1_MEMORY_DISCARD,
		TYPE1_MEMORY_CREATE, TYPE1_MEMORY_ATTACH, TYPE1_MEMORY_SIZE,  TYPE1_THREAD_KICK,
		TYPE1_FUTEX_WAKE,    TYPE1_EVENT_CREATE,  TYPE1_EVENT_SIGNAL, TYPE1_PORT_CREATE,
		TYPE1_PORT_WATCH,    TYPE1_PORT_UNWATCH,  TYPE1_PORT_WAIT,    TYPE1_KVM,
		TYPE1_KVM_MAP_RUN,   TYPE1_MODULE_OPEN,   TYPE1_POWER,        TYPE1_CALLS,
	};
	unsigned done = 0;

	for (; done < RANDOM_CALLS; done++) {
		enum type1_call call = calls[some_number() % ARRAY_COUNT(calls)];
		uint64_t a[4];

		for (unsigned i = 0; i < ARRAY_COUNT(a); i++) {
			a[i] = numbers[some_number() % ARRAY_COUNT(numbers)];
			if (some_number() % 2)
				a[i] = some_number() % 64;
		}
		if (call == TYPE1_PORT_WAIT)
			a[1] = PAST;
		call4(call, a[0], a[1], a[2], a[3]);
	}
	EXPECT(done, RANDOM_CALLS);
}

/* --- Other ends ------------------------------------------------------------------------------- */

static void spin(void *unused)
{
	(void)unused;
	for (;;)
		__asm__ volatile("pause");
}

static void sleep(void *arg)
{
	call4(TYPE1_PORT_WAIT, *(const uint64_t *)arg, 0, call_address(arg), 1);
	EXPECT_THAT(false);
}

#define STATUS_LEFT 7
static _Noreturn void leave(void)
{
	static uint64_t port;
	uint32_t word = 0;

	port = create(TYPE1_PORT_CREATE);
	start(spin, NULL);
	start(spin, NULL);
	start(sleep, &port);
	start(wait_at_gate, NULL);
	map(LARGE, TYPE1_MEMORY_WRITE | TYPE1_MEMORY_LARGE);
	call3(TYPE1_FUTEX_WAIT, call_address(&word), 0, os_clock_monotonic() + 50 * MILLISECOND);
	process_exit(STATUS_LEFT);
}

/* More than the account has, all of which is touched. */
static void use_up_memory(void)
{
	uint64_t size = align_down(process_info->memory / 4 * 3, PAGE);
	volatile uint8_t *parts[] = {map(size, TYPE1_MEMORY_WRITE), map(size, TYPE1_MEMORY_WRITE)};

	for (uint64_t at = 0; at < size; at += PAGE)
		parts[0][at] = parts[1][at] = 1;
}

/* A process with the machine's console: its ports are there, and its screen, uncached, but to be
 * run; the port that it then uses isn't one of them. */
static void test_console(void)
{
	uint64_t screen = process_info->handles.screen, size;

	EXPECT(process_info->has_console, 1);
	port_out(UART_COM1_PORT + UART_SCR, SCRATCH);
	EXPECT(port_in(UART_COM1_PORT + UART_SCR), SCRATCH);
	EXPECT(process_info->screen.kind, TYPE1_SCREEN_TEXT);
	size = (uint64_t)call1(TYPE1_MEMORY_SIZE, screen);
	EXPECT(size, PAGE);
	EXPECT(call4(TYPE1_MEMORY_ATTACH, screen, 0, size, TYPE1_MEMORY_EXECUTE), -EINVAL);
	EXPECT(call4(TYPE1_MEMORY_ATTACH, screen, 0, 2 * size, TYPE1_MEMORY_WRITE), -EINVAL);
	EXPECT_THAT(call4(TYPE1_MEMORY_ATTACH, screen, 0, size, TYPE1_MEMORY_WRITE) > 0);
	if (!check_end())
		port_out(DELAY_PORT, 0);
}

static void fault(const char *how)
{
	if (text_equal(how, "kernel"))
		*(volatile uint8_t *)KERNEL_ADDRESS = 1;
	else if (text_equal(how, "null"))
		*(volatile uint8_t *)PAGE = 1;
	else if (text_equal(how, "text"))
		*(volatile uint8_t *)call_address(main) = 1;
	else if (text_equal(how, "constant"))
		*(volatile uint8_t *)call_address("constant") = 1;
	else if (text_equal(how, "memory"))
		use_up_memory();
	else if (text_equal(how, "execute"))
		((void (*)(void))map(PAGE, TYPE1_MEMORY_WRITE))();
	else if (text_equal(how, "privileged"))
		__asm__ volatile("hlt");
	else if (text_equal(how, "port"))
		port_out(DELAY_PORT, 0);
	else if (text_equal(how, "console"))
		test_console();
	else if (text_equal(how, "jump")) /* SYSCALL and SYSRET at the end of what is canonical */
		__asm__ volatile("jmp *%0" : : "r"(NOT_CANONICAL));
}

/* In a while that all such processes begin together; the runtime says what each had of it. */
#define SPIN_BEGIN (3 * SECOND)
#define SPIN_TIME (3 * SECOND)
static void spin_together(void)
{
	uint32_t word = 0;

	call3(TYPE1_FUTEX_WAIT, call_address(&word), 0, SPIN_BEGIN);
	while (os_clock_monotonic() < SPIN_BEGIN + SPIN_TIME)
		__asm__ volatile("pause");
}

#define SLEEP_TIME (2 * MILLISECOND)
static void sleep_and_look(void)
{
	uint64_t at = SPIN_BEGIN + SPIN_TIME / 10, late, sum = 0, most = 0, count = 0;
	uint32_t word = 0;

	for (; at < SPIN_BEGIN + SPIN_TIME; at = os_clock_monotonic() + SLEEP_TIME) {
		call3(TYPE1_FUTEX_WAIT, call_address(&word), 0, at);
		late = os_clock_monotonic() - at;
		if (!count)
			check_say("begins");
		sum += late;
		most = MAX(most, late);
		count++;
	}
	check_say("woke %llu times, %llu us late on average, %llu us at most",
		  (unsigned long long)count, (unsigned long long)(sum / count / 1000),
		  (unsigned long long)(most / 1000));
}

static const char *without(const char *name, const char *prefix)
{
	size_t size = text_length(prefix);

	return text_length(name) > size && memcmp(name, prefix, size) == 0 ? name + size : NULL;
}

int main(const struct type1_info *info)
{
	const char *how = without(info->name, "fault-");

	if (how)
		fault(how);
	if (text_equal(info->name, "leave"))
		leave();
	if (without(info->name, "spin-")) {
		spin_together();
		return 0;
	}
	if (without(info->name, "late-")) {
		sleep_and_look();
		return 0;
	}
	EXPECT(info->version, TYPE1_VERSION);
	EXPECT(info->has_console, 0);
	EXPECT(info->screen.kind, TYPE1_SCREEN_NONE);
	EXPECT(info->handles.screen, 0);
	test_memory();
	test_large_pages();
	test_memory_on_demand();
	test_memory_objects();
	test_futexes();
	test_threads();
	test_parallel();
	test_many_threads();
	test_ports();
	test_pointers();
	test_handles();
	test_random_calls();
	return check_end();
}
