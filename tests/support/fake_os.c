/* SPDX-License-Identifier: MIT */
/* The part of fake_os.h without back ends: memory, clock, log, locks, threads, loop, events,
 * timers. */
#include "tests/support/fake_os.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/error.h"

uint64_t fake_os_monotonic = 1000000000;
int64_t fake_os_wall = 1700000000000000000;
unsigned fake_os_log_lines;
char fake_os_last_log[512];

/* What may be watched or timed; small, so that a leak is noticed. */
#define WATCHED_MAX 256

struct os_event {
	unsigned count;
	struct os_loop *loop;
	void (*fired)(void *);
	void *arg;
};

struct os_timer {
	uint64_t deadline;
	struct os_loop *loop;
	void (*fired)(void *);
	void *arg;
};

struct os_loop {
	struct os_event *events[WATCHED_MAX];
	struct os_timer *timers[WATCHED_MAX];
	bool stopped;
};

void os_log(enum os_log_level level, const char *text)
{
	(void)level;
	fake_os_log_lines++;
	snprintf(fake_os_last_log, sizeof(fake_os_last_log), "%s", text);
}

void *os_alloc(size_t size)
{
	return calloc(1, size);
}

void os_free(void *memory)
{
	free(memory);
}

int os_ram_map(uint64_t size, void **ram, struct error *why)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		return error_set(why, -ENOMEM, "no %llu bytes of memory", (unsigned long long)size);
	*ram = at;
	return 0;
}

void os_ram_unmap(void *ram, uint64_t size)
{
	munmap(ram, size);
}

void os_ram_discard(void *start, uint64_t size)
{
	madvise(start, size, MADV_DONTNEED);
}

void os_memory_written(const void *start, size_t size)
{
	(void)start;
	(void)size;
}

void os_random(void *buffer, size_t size)
{
	memset(buffer, 0xa5, size);
}

uint64_t os_clock_monotonic(void)
{
	return fake_os_monotonic;
}

int64_t os_clock_wall(void)
{
	return fake_os_wall;
}

/* One thread: a lock that is taken twice or given back by nobody is a bug in what is tested. */
void os_mutex_init(struct os_mutex *mutex)
{
	memset(mutex, 0, sizeof(*mutex));
}

void os_mutex_lock(struct os_mutex *mutex)
{
	if (mutex->opaque[0]++) {
		fprintf(stderr, "a lock was taken twice\n");
		abort();
	}
}

void os_mutex_unlock(struct os_mutex *mutex)
{
	if (mutex->opaque[0]-- != 1) {
		fprintf(stderr, "a lock was given back that was not held\n");
		abort();
	}
}

bool fake_os_mutex_is_locked(const struct os_mutex *mutex)
{
	return mutex->opaque[0] != 0;
}

int os_loop_create(struct os_loop **loop)
{
	*loop = calloc(1, sizeof(**loop));
	return *loop ? 0 : -ENOMEM;
}

void os_loop_destroy(struct os_loop *loop)
{
	free(loop);
}

static bool deliver_one(struct os_loop *loop)
{
	for (int i = 0; i < WATCHED_MAX; i++) {
		struct os_event *event = loop->events[i];
		struct os_timer *timer = loop->timers[i];

		if (event && event->count) {
			event->count = 0;
			event->fired(event->arg);
			return true;
		}
		if (timer && timer->deadline && timer->deadline <= fake_os_monotonic) {
			timer->deadline = 0;
			timer->fired(timer->arg);
			return true;
		}
	}
	return false;
}

void fake_os_run(struct os_loop *loop)
{
	/* A device that always finds more to do is a device that hangs the loop. */
	for (int i = 0; i < 100000; i++)
		if (!deliver_one(loop))
			return;
	fprintf(stderr, "the loop never came to rest\n");
	abort();
}

void os_loop_run(struct os_loop *loop)
{
	while (!loop->stopped && deliver_one(loop))
		;
	loop->stopped = false;
}

void os_loop_stop(struct os_loop *loop)
{
	loop->stopped = true;
}

int os_event_create(struct os_event **event)
{
	*event = calloc(1, sizeof(**event));
	return *event ? 0 : -ENOMEM;
}

void os_event_destroy(struct os_event *event)
{
	if (event && event->loop)
		os_loop_unwatch(event->loop, event);
	free(event);
}

void os_event_signal(struct os_event *event)
{
	event->count++;
}

int32_t os_event_handle(const struct os_event *event)
{
	return (int32_t)((uintptr_t)event >> 4 & 0x7fffffff);
}

unsigned fake_os_event_count(const struct os_event *event)
{
	return event->count;
}

int os_loop_watch(struct os_loop *loop, struct os_event *event, void (*fired)(void *), void *arg)
{
	for (int i = 0; i < WATCHED_MAX; i++) {
		if (loop->events[i])
			continue;
		event->loop = loop;
		event->fired = fired;
		event->arg = arg;
		loop->events[i] = event;
		return 0;
	}
	return -ENOSPC;
}

void os_loop_unwatch(struct os_loop *loop, struct os_event *event)
{
	for (int i = 0; i < WATCHED_MAX; i++)
		if (loop->events[i] == event)
			loop->events[i] = NULL;
	event->loop = NULL;
}

int os_timer_create(struct os_loop *loop, void (*fired)(void *), void *arg, struct os_timer **timer)
{
	for (int i = 0; i < WATCHED_MAX; i++) {
		if (loop->timers[i])
			continue;
		*timer = calloc(1, sizeof(**timer));
		if (!*timer)
			return -ENOMEM;
		**timer = (struct os_timer){.loop = loop, .fired = fired, .arg = arg};
		loop->timers[i] = *timer;
		return 0;
	}
	return -ENOSPC;
}

void os_timer_destroy(struct os_timer *timer)
{
	if (!timer)
		return;
	for (int i = 0; i < WATCHED_MAX; i++)
		if (timer->loop->timers[i] == timer)
			timer->loop->timers[i] = NULL;
	free(timer);
}

void os_timer_set(struct os_timer *timer, uint64_t deadline)
{
	timer->deadline = deadline;
}
