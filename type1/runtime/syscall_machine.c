/* SPDX-License-Identifier: MIT */
/*
 * syscall_machine.c - system calls: the machine's console and its power.
 *
 * The serial line is looked at by a timer as long as an event wants to know of what is typed, and
 * what it has given waits in a buffer until it is read.
 */
#include <linux/errno.h>

#include "lib/bits.h"
#include "type1/runtime/machine_object.h"
#include "type1/runtime/notice.h"
#include "type1/runtime/serial.h"
#include "type1/runtime/syscall.h"

#define PART 256                       /* bytes that are copied at a time */
#define WRITE_PERIOD UINT64_C(1000000) /* ns: what the line's FIFO takes 1.4 of to be empty */
#define TYPED_MAX 256

static struct object the_power = {.kind = OBJECT_POWER, .references = 1};

static struct {
	uint8_t typed[TYPED_MAX];
	unsigned first, count; /* in typed */
} console;                     /* [screen_notice.lock] */

struct object *power_object(void)
{
	object_get(&the_power);
	return &the_power;
}

int64_t syscall_power(const struct call *call)
{
	if (call->args[1] == TYPE1_POWER_OFF)
		machine_power_off();
	if (call->args[1] == TYPE1_POWER_RESET)
		machine_reset();
	return -EINVAL;
}

/* Piece by piece: a line of 115,200 baud takes 22 ms for PART bytes, in which interrupts must come.
 */
static int write_part(const char *bytes, size_t size)
{
	struct waiter waiter;
	int err = 0;

	waiter_init(&waiter);
	while (size && !err) {
		size_t count;

		spin_lock(&screen_notice.lock);
		count = serial_write_some(bytes, size);
		screen_write(bytes, count);
		spin_unlock(&screen_notice.lock);
		bytes += count;
		size -= count;
		if (!count)
			err = waiter_wait_killable(&waiter, clock_now() + WRITE_PERIOD);
		if (err == -ETIMEDOUT)
			err = 0;
	}
	return err;
}

int64_t syscall_screen_write(const struct call *call)
{
	uint64_t from = call->args[1], left = call->args[2];
	char bytes[PART];
	int err = 0;

	while (left && !err) {
		uint64_t part = MIN(left, (uint64_t)PART);

		err = thread_dying(thread_current()) ? -EINTR : user_copy_in(bytes, from, part);
		if (err)
			break;
		err = write_part(bytes, part);
		from += part;
		left -= part;
	}
	return err;
}

/* With the lock: what has come by now; whether there is something to read. */
static bool take_typed(void)
{
	int byte;

	while (console.count < TYPED_MAX && (byte = serial_read()) >= 0)
		console.typed[(console.first + console.count++) % TYPED_MAX] = (uint8_t)byte;
	return console.count;
}

struct notice screen_notice = {.lock = SPIN_INIT, .look = take_typed};

int64_t syscall_screen_read(const struct call *call)
{
	uint8_t bytes[PART];
	uint64_t room = MIN(call->args[2], (uint64_t)PART), count = 0;
	int err;

	spin_lock(&screen_notice.lock);
	take_typed();
	for (; count < room && console.count; console.count--) {
		bytes[count++] = console.typed[console.first];
		console.first = (console.first + 1) % TYPED_MAX;
	}
	spin_unlock(&screen_notice.lock);
	err = user_copy_out(call->args[1], bytes, count);
	return err ? err : (int64_t)count;
}
