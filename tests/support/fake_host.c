/* SPDX-License-Identifier: MIT */
#include "tests/support/fake_host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define START_MONOTONIC UINT64_C(1000000000)
#define START_WALL INT64_C(1700000000000000000)
#define TICKS_PER_NS 2
#define TIMERS_MAX 512
#define EVENTS_MAX 256
#define ALLOCATION_MAX (64u << 20)

uint64_t fake_host_monotonic = START_MONOTONIC;
int64_t fake_host_wall = START_WALL;
bool fake_host_interrupted;
unsigned fake_host_yields;
int fake_host_allocations_left = -1;
size_t fake_host_allocated;
bool fake_host_no_user_pointer;
unsigned fake_host_log_lines;
char fake_host_last_log[256];

static unsigned spins_held;

static void fail(const char *what)
{
	fprintf(stderr, "fake host: %s\n", what);
	abort();
}

static void check_may_sleep(const char *where)
{
	if (spins_held) {
		fprintf(stderr, "fake host: %s with a spin lock held\n", where);
		abort();
	}
}

/* --- Memory ----------------------------------------------------------------------------------- */

static uintptr_t user_start, user_end;

void fake_host_set_user_range(const void *start, size_t size)
{
	user_start = (uintptr_t)start;
	user_end = user_start + size;
}

static bool is_user(uint64_t user, size_t size)
{
	if (!user_end)
		return user >= 4096;
	return user >= user_start && user <= user_end && size <= user_end - user;
}

void *host_alloc(size_t size)
{
	void *memory;

	check_may_sleep("host_alloc()");
	if (fake_host_allocations_left == 0 || size > ALLOCATION_MAX)
		return NULL;
	if (fake_host_allocations_left > 0)
		fake_host_allocations_left--;
	/* Not rounded up: an access behind the end is found. */
	if (posix_memalign(&memory, 64, size ? size : 1))
		fail("out of memory");
	memset(memory, 0, size);
	fake_host_allocated++;
	return memory;
}

void host_free(void *memory)
{
	check_may_sleep("host_free()");
	if (memory)
		fake_host_allocated--;
	free(memory);
}

int host_copy_in(void *to, uint64_t user, size_t size)
{
	check_may_sleep("host_copy_in()");
	if (!is_user(user, size))
		return -EFAULT;
	memcpy(to, (const void *)(uintptr_t)user, size);
	return 0;
}

int host_copy_out(uint64_t user, const void *from, size_t size)
{
	check_may_sleep("host_copy_out()");
	if (!is_user(user, size))
		return -EFAULT;
	memcpy((void *)(uintptr_t)user, from, size);
	return 0;
}

int host_compare_exchange(uint64_t user, unsigned size, uint64_t *expected, uint64_t value)
{
	uint64_t old = 0;

	check_may_sleep("host_compare_exchange()");
	if (!is_user(user, size))
		return -EFAULT;
	memcpy(&old, (const void *)(uintptr_t)user, size);
	if (old == *expected)
		memcpy((void *)(uintptr_t)user, &value, size);
	*expected = old;
	return 0;
}

void *host_user_pointer(uint64_t user)
{
	return is_user(user, 1) && !fake_host_no_user_pointer ? (void *)(uintptr_t)user : NULL;
}

/* --- Locks ------------------------------------------------------------------------------------ */

void host_mutex_init(struct host_mutex *mutex)
{
	memset(mutex, 0, sizeof(*mutex));
}

void host_mutex_lock(struct host_mutex *mutex)
{
	check_may_sleep("host_mutex_lock()");
	if (mutex->opaque[0]++)
		fail("a mutex was taken twice");
}

int host_mutex_lock_killable(struct host_mutex *mutex)
{
	host_mutex_lock(mutex);
	return 0;
}

void host_mutex_unlock(struct host_mutex *mutex)
{
	if (mutex->opaque[0]-- != 1)
		fail("a mutex was given back that was not held");
}

void host_spin_init(struct host_spin *spin)
{
	memset(spin, 0, sizeof(*spin));
}

void host_spin_lock(struct host_spin *spin)
{
	if (spin->opaque[0]++)
		fail("a spin lock was taken twice");
	spins_held++;
}

void host_spin_unlock(struct host_spin *spin)
{
	if (spin->opaque[0]-- != 1)
		fail("a spin lock was given back that was not held");
	spins_held--;
}

/* --- Clocks and timers ------------------------------------------------------------------------ */

struct timer_state {
	uint64_t deadline;
	bool known, set;
};
_Static_assert(sizeof(struct timer_state) <= sizeof(((struct host_timer *)0)->opaque), "fits");

static struct host_timer *timers[TIMERS_MAX];

static struct timer_state *state_of(struct host_timer *timer)
{
	return (struct timer_state *)timer->opaque;
}

uint64_t host_clock_monotonic(void)
{
	return fake_host_monotonic;
}

int64_t host_clock_wall(void)
{
	return fake_host_wall;
}

uint64_t host_tsc(void)
{
	return fake_host_monotonic * TICKS_PER_NS;
}

uint32_t host_tsc_khz(void)
{
	return FAKE_HOST_TSC_KHZ;
}

void host_timer_init(struct host_timer *timer, void (*fired)(struct host_timer *timer))
{
	memset(timer, 0, sizeof(*timer));
	timer->fired = fired;
	for (unsigned i = 0; i < TIMERS_MAX; i++)
		if (!timers[i]) {
			timers[i] = timer;
			state_of(timer)->known = true;
			return;
		}
	fail("too many timers");
}

void host_timer_set(struct host_timer *timer, uint64_t deadline)
{
	if (!state_of(timer)->known)
		fail("a timer was set that isn't");
	state_of(timer)->deadline = deadline;
	state_of(timer)->set = true;
}

void host_timer_cancel(struct host_timer *timer)
{
	state_of(timer)->set = false;
}

void host_timer_destroy(struct host_timer *timer)
{
	check_may_sleep("host_timer_destroy()");
	for (unsigned i = 0; i < TIMERS_MAX; i++)
		if (timers[i] == timer)
			timers[i] = NULL;
	state_of(timer)->set = state_of(timer)->known = false;
}

static struct host_timer *next_timer(void)
{
	struct host_timer *next = NULL;

	for (unsigned i = 0; i < TIMERS_MAX; i++)
		if (timers[i] && state_of(timers[i])->set &&
		    (!next || state_of(timers[i])->deadline < state_of(next)->deadline))
			next = timers[i];
	return next;
}

uint64_t fake_host_next_timer(void)
{
	struct host_timer *next = next_timer();

	return next ? state_of(next)->deadline : UINT64_MAX;
}

static void fire(struct host_timer *timer)
{
	state_of(timer)->set = false;
	timer->fired(timer);
}

void fake_host_advance(uint64_t ns)
{
	uint64_t end = fake_host_monotonic + ns;

	/* A timer that sets itself in the past again and again must not hang the test. */
	for (unsigned fired = 0; fake_host_next_timer() <= end && fired < 100000; fired++) {
		struct host_timer *timer = next_timer();

		if (state_of(timer)->deadline > fake_host_monotonic)
			fake_host_monotonic = state_of(timer)->deadline;
		fire(timer);
	}
	fake_host_monotonic = end;
	fake_host_wall += (int64_t)ns;
}

/* --- vCPU threads ----------------------------------------------------------------------------- */

static int idle_until_next_timer(struct host_waiter *waiter)
{
	uint64_t next = fake_host_next_timer();

	(void)waiter;
	if (next == UINT64_MAX)
		return -EINTR;
	fake_host_advance(next > fake_host_monotonic ? next - fake_host_monotonic : 0);
	return 0;
}

int (*fake_host_idle)(struct host_waiter *waiter) = idle_until_next_timer;

void host_waiter_init(struct host_waiter *waiter)
{
	memset(waiter, 0, sizeof(*waiter));
}

int host_wait(struct host_waiter *waiter)
{
	check_may_sleep("host_wait()");
	if (waiter->opaque[0]) {
		waiter->opaque[0] = 0;
		return 0;
	}
	return fake_host_interrupted ? -EINTR : fake_host_idle(waiter);
}

void host_wake(struct host_waiter *waiter)
{
	waiter->opaque[0] = 1;
}

void host_run_begin(struct host_run *run, void (*interrupted)(struct host_run *run))
{
	run->interrupted = interrupted;
}

void host_run_end(struct host_run *run)
{
	run->interrupted = NULL;
}

bool host_run_interrupted(struct host_run *run)
{
	if (!run->interrupted)
		fail("host_run_interrupted() outside of a run");
	return fake_host_interrupted;
}

void host_yield(void)
{
	check_may_sleep("host_yield()");
	fake_host_yields++;
}

/* --- Events ----------------------------------------------------------------------------------- */

struct host_event {
	bool open;
	unsigned references, count;
	struct host_event_watch *watch;
};

static struct host_event events[EVENTS_MAX];

int32_t fake_host_event_create(void)
{
	for (int32_t i = 0; i < EVENTS_MAX; i++)
		if (!events[i].references) {
			events[i] = (struct host_event){.open = true, .references = 1};
			return i;
		}
	fail("too many events");
	return -1;
}

int host_event_get(int32_t number, struct host_event **event)
{
	if (number < 0 || number >= EVENTS_MAX || !events[number].open)
		return -EBADF;
	events[number].references++;
	*event = &events[number];
	return 0;
}

void host_event_put(struct host_event *event)
{
	if (!event->references--)
		fail("an event was put too often");
}

void fake_host_event_close(int32_t number)
{
	events[number].open = false;
	host_event_put(&events[number]);
}

void host_event_signal(struct host_event *event)
{
	if (!event->references)
		fail("an event was signalled that is gone");
	if (event->watch)
		event->watch->signalled(event->watch);
	else
		event->count++;
}

void fake_host_event_signal(int32_t number)
{
	host_event_signal(&events[number]);
}

unsigned fake_host_event_count(int32_t number)
{
	unsigned count = events[number].count;

	events[number].count = 0;
	return count;
}

int host_event_watch(struct host_event *event, struct host_event_watch *watch,
		     void (*signalled)(struct host_event_watch *watch))
{
	if (event->watch)
		return -EBUSY;
	memset(watch, 0, sizeof(*watch));
	watch->signalled = signalled;
	watch->opaque[0] = (uintptr_t)event;
	event->watch = watch;
	if (event->count) {
		event->count = 0;
		signalled(watch);
	}
	return 0;
}

void host_event_unwatch(struct host_event_watch *watch)
{
	struct host_event *event = (struct host_event *)(uintptr_t)watch->opaque[0];

	check_may_sleep("host_event_unwatch()");
	event->watch = NULL;
}

/* --- Pages that are fetched meanwhile --------------------------------------------------------- */

unsigned fake_host_fetches;
int fake_host_fetch_error;
uint64_t fake_host_fetch_user[FAKE_HOST_FETCHES_MAX];
static struct host_fetch *fetches[FAKE_HOST_FETCHES_MAX];

static void fetch_init(struct host_fetch *fetch, void (*done)(struct host_fetch *fetch))
{
	fetch->done = done;
}

static int fetch_begin(struct host_fetch *fetch, struct host_memory *memory, uint64_t user,
		       bool write)
{
	(void)memory;
	(void)write;
	check_may_sleep("a fetch's begin");
	for (unsigned i = 0; i < fake_host_fetches; i++)
		if (fetches[i] == fetch)
			fail("a fetch began twice");
	if (fake_host_fetch_error)
		return fake_host_fetch_error;
	if (fake_host_fetches == FAKE_HOST_FETCHES_MAX)
		fail("too many fetches");
	fake_host_fetch_user[fake_host_fetches] = user;
	fetches[fake_host_fetches++] = fetch;
	return 0;
}

static struct host_fetch *fetch_take(unsigned i)
{
	struct host_fetch *fetch = fetches[i];

	fake_host_fetches--;
	for (; i < fake_host_fetches; i++) {
		fetches[i] = fetches[i + 1];
		fake_host_fetch_user[i] = fake_host_fetch_user[i + 1];
	}
	return fetch;
}

static void fetch_end(struct host_fetch *fetch)
{
	check_may_sleep("a fetch's end");
	for (unsigned i = 0; i < fake_host_fetches; i++)
		if (fetches[i] == fetch)
			fetch_take(i);
}

void fake_host_fetch_done(unsigned i)
{
	struct host_fetch *fetch;

	if (i >= fake_host_fetches)
		fail("a fetch that isn't under way is done");
	fetch = fetch_take(i);
	fetch->done(fetch);
}

static const struct host_fetcher fetcher = {
	.init = fetch_init, .begin = fetch_begin, .end = fetch_end};
const struct host_fetcher *const host_fetcher = &fetcher;

/* --- The rest --------------------------------------------------------------------------------- */

/* An AMD CPU of family 25 with AVX2, as CPUID tells of it. */
static const struct {
	uint32_t leaf, subleaf, registers[4];
} cpu[] = {
	{0x0, 0, {0xd, 0x68747541, 0x444d4163, 0x69746e65}},
	{0x1, 0, {0x00a00f11, 0x01020800, 0xfffa3203, 0x178bfbff}},
	{0x7, 0, {0, 0x219c07ab, 0x00400684, 0x00000010}},
	{0xd, 0, {0x7, 0x340, 0x340, 0}},
	{0xd, 1, {0xf, 0x368, 0x1800, 0}},
	{0xd, 2, {0x100, 0x240, 0, 0}},
	{0x80000000, 0, {0x80000021, 0x68747541, 0x444d4163, 0x69746e65}},
	{0x80000001, 0, {0x00a00f11, 0x40000000, 0x004003f7, 0x2fd3fbff}},
	{0x80000002, 0, {0x656b6146, 0x00555043, 0, 0}},
	{0x80000007, 0, {0, 0, 0, 0x100}},
	{0x80000008, 0, {0x00003030, 0x10000005, 0x7001, 0}},
	{0x80000021, 0, {0x204, 0, 0, 0}},
};

static void cpuid_of_table(uint32_t leaf, uint32_t subleaf, uint32_t registers[4])
{
	memset(registers, 0, 4 * sizeof(registers[0]));
	for (unsigned i = 0; i < sizeof(cpu) / sizeof(cpu[0]); i++)
		if (cpu[i].leaf == leaf && cpu[i].subleaf == subleaf)
			memcpy(registers, cpu[i].registers, sizeof(cpu[i].registers));
}

void (*fake_host_cpuid)(uint32_t leaf, uint32_t subleaf, uint32_t registers[4]) = cpuid_of_table;

void host_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t registers[4])
{
	fake_host_cpuid(leaf, subleaf, registers);
}

int host_code_map(size_t size, void **writable, void **executable)
{
	int fd = memfd_create("code", 0);

	check_may_sleep("host_code_map()");
	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		fail("no memory for code");
	*writable = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	*executable = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	close(fd);
	if (*writable == MAP_FAILED || *executable == MAP_FAILED)
		fail("code can't be mapped");
	return 0;
}

void host_code_unmap(void *writable, void *executable, size_t size)
{
	munmap(writable, size);
	munmap(executable, size);
}

void host_log(enum host_log_level level, const char *text)
{
	(void)level;
	fake_host_log_lines++;
	snprintf(fake_host_last_log, sizeof(fake_host_last_log), "%s", text);
}

void fake_host_reset(void)
{
	fake_host_monotonic = START_MONOTONIC;
	fake_host_wall = START_WALL;
	fake_host_interrupted = false;
	fake_host_idle = idle_until_next_timer;
	fake_host_yields = 0;
	fake_host_allocations_left = -1;
	fake_host_allocated = 0;
	fake_host_set_user_range(NULL, 0);
	fake_host_no_user_pointer = false;
	fake_host_cpuid = cpuid_of_table;
	fake_host_log_lines = 0;
	fake_host_fetches = 0;
	fake_host_fetch_error = 0;
	memset(timers, 0, sizeof(timers));
	memset(events, 0, sizeof(events));
	spins_held = 0;
}
