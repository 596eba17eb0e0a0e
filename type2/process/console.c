/* SPDX-License-Identifier: MIT */
/*
 * console.c - the person's terminal as the guest's console.
 *
 * Output is written by vCPU threads, often byte by byte: it goes into a ring, and the loop thread
 * writes the ring out about a millisecond after the first byte came, so that a boot's log is
 * written in pieces that are worth a system call.  Input is read by the loop thread into a ring
 * that any thread may empty; when it is full, reading pauses.
 *
 * Locks: (l) lock; all else belongs to the loop thread.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bits.h"
#include "type2/process/loop.h"
#include "type2/process/stream.h"
#include "type2/process/terminal.h"

#define OUTPUT_SIZE (64 * KIB) /* a power of two, as INPUT_SIZE is */
#define INPUT_SIZE (4 * KIB)
#define INPUT_PIECE 512

#define COALESCE_NANOSECONDS 1000000
#define FLUSH_NANOSECONDS UINT64_C(2000000000)

/* Positions count bytes from the start and wrap at 2^32, which both sizes divide. */
struct console_ring {
	uint8_t *bytes;
	uint32_t size;
	uint32_t head, tail; /* the next to take, the next to fill */
};

struct os_console {
	struct os_loop *loop;
	struct process_console_options options;
	void (*changed)(void *arg);
	void *arg;

	struct stream input;
	struct process_watch *input_watch;
	bool input_raw; /* it is a terminal, and we have changed it */
	bool input_ended;
	bool input_always_ready; /* a file: the loop can't wait for it, and need not */
	bool escaped;            /* the escape key was the last one */
	struct os_event *resume; /* there is space for input again */

	struct stream output;
	struct process_watch *output_watch;
	struct os_timer *timer; /* when output is written */

	struct os_mutex lock;
	struct console_ring in;  /* (l) */
	bool input_paused;       /* (l) */
	struct console_ring out; /* (l); the loop thread reads from head without it */
	bool output_pending;     /* (l) the loop thread will write, or waits until it can */
	bool output_hurried;     /* (l) and has been told to do so at once */
	bool output_short;       /* (l) a write found no space for all of it */
	bool output_dead;        /* (l) nobody reads any more: all is dropped */
};

static uint32_t ring_used(const struct console_ring *ring)
{
	return ring->tail - ring->head;
}

static size_t ring_put(struct console_ring *ring, const uint8_t *bytes, size_t count)
{
	uint32_t space = ring->size - ring_used(ring), at = ring->tail % ring->size;
	uint32_t total = (uint32_t)MIN(count, space), first = MIN(total, ring->size - at);

	memcpy(ring->bytes + at, bytes, first);
	memcpy(ring->bytes, bytes + first, total - first);
	ring->tail += total;
	return total;
}

static size_t ring_take(struct console_ring *ring, uint8_t *bytes, size_t count)
{
	uint32_t at = ring->head % ring->size;
	uint32_t total = (uint32_t)MIN(count, ring_used(ring)), first = MIN(total, ring->size - at);

	memcpy(bytes, ring->bytes + at, first);
	memcpy(bytes + first, ring->bytes, total - first);
	ring->head += total;
	return total;
}

static void console_tell(struct os_console *console)
{
	if (console->changed)
		console->changed(console->arg);
}

/* --- Output
 * ---------------------------------------------------------------------------------------- */

size_t os_console_write(struct os_console *console, const void *bytes, size_t count)
{
	bool wake = false, hurry = false;
	size_t taken;

	os_mutex_lock(&console->lock);
	if (console->output_dead) {
		os_mutex_unlock(&console->lock);
		return count;
	}
	taken = ring_put(&console->out, bytes, count);
	if (taken < count)
		console->output_short = true;
	if (!console->output_pending && taken)
		wake = console->output_pending = true;
	if (!console->output_hurried && ring_used(&console->out) >= OUTPUT_SIZE / 2)
		hurry = console->output_hurried = true;
	os_mutex_unlock(&console->lock);
	if (wake || hurry)
		os_timer_set(console->timer,
			     os_clock_monotonic() + (hurry ? 0 : COALESCE_NANOSECONDS));
	return taken;
}

/* The bytes that can be written in one piece; 0: there are none, and none are pending any more. */
static uint32_t console_next_piece(struct os_console *console, const uint8_t **piece)
{
	struct console_ring *out = &console->out;
	uint32_t at, used;

	os_mutex_lock(&console->lock);
	at = out->head % out->size;
	used = ring_used(out);
	if (!used)
		console->output_pending = console->output_hurried = false;
	os_mutex_unlock(&console->lock);
	/* Writers only add behind tail, so these stay as they are until we take them. */
	*piece = out->bytes + at;
	return MIN(used, out->size - at);
}

static void console_drop_piece(struct os_console *console, uint32_t count)
{
	os_mutex_lock(&console->lock);
	console->out.head += count;
	os_mutex_unlock(&console->lock);
}

static void console_end_output(struct os_console *console)
{
	os_mutex_lock(&console->lock);
	console->output_dead = true;
	console->out.head = console->out.tail;
	console->output_pending = false;
	os_mutex_unlock(&console->lock);
}

/* Writes all there is; -EAGAIN: the rest must wait. */
static int console_write_out(struct os_console *console)
{
	const uint8_t *piece;
	uint32_t length;

	while ((length = console_next_piece(console, &piece))) {
		ssize_t written = stream_write(&console->output, piece, length);

		if (written == -EAGAIN)
			return -EAGAIN;
		if (written < 0) {
			console_end_output(console);
			return 0;
		}
		console_drop_piece(console, (uint32_t)written);
	}
	return 0;
}

static void console_output_ready(void *arg, unsigned events);

/* Has the loop wait until output can be written, or not. */
static void console_await_output(struct os_console *console, bool await)
{
	if (console->output_watch)
		(void)process_watch_change(console->output_watch, await ? PROCESS_WRITABLE : 0);
	else if (await &&
		 process_loop_watch_fd(console->loop, console->output.fd, PROCESS_WRITABLE,
				       console_output_ready, console, &console->output_watch))
		/* What can't be waited for is tried again later. */
		os_timer_set(console->timer, os_clock_monotonic() + 10 * COALESCE_NANOSECONDS);
}

static void console_drain(void *arg)
{
	struct os_console *console = arg;
	bool tell = false;

	console_await_output(console, console_write_out(console) == -EAGAIN);
	os_mutex_lock(&console->lock);
	if (console->output_short && ring_used(&console->out) < OUTPUT_SIZE) {
		console->output_short = false;
		tell = true;
	}
	os_mutex_unlock(&console->lock);
	if (tell)
		console_tell(console);
}

static void console_output_ready(void *arg, unsigned events)
{
	(void)events;
	console_drain(arg);
}

/* The last of the output, for a while. */
static void console_flush(struct os_console *console)
{
	uint64_t deadline = os_clock_monotonic() + FLUSH_NANOSECONDS, now;

	if (console->output_dead)
		return;
	while (console_write_out(console) == -EAGAIN) {
		struct pollfd wait = {.fd = console->output.fd, .events = POLLOUT};

		now = os_clock_monotonic();
		if (now >= deadline || poll(&wait, 1, (int)((deadline - now) / 1000000) + 1) == 0)
			return;
	}
}

/* --- Input
 * ----------------------------------------------------------------------------------------- */

static void console_help(struct os_console *console)
{
	char help[] = "\r\n"
		      "C-@ h    this help\r\n"
		      "C-@ x    stop the virtual machine at once\r\n"
		      "C-@ p    press its power button\r\n"
		      "C-@ C-@  send C-@\r\n";
	char *at = help;

	while ((at = strchr(at, '@')))
		*at++ = (char)(console->options.escape + '@');
	os_console_write(console, help, strlen(help));
}

static void console_command(struct os_console *console, enum process_console_command command)
{
	if (console->options.command)
		console->options.command(console->options.arg, command);
}

/* The key behind the escape key; true: it goes to the guest. */
static bool console_escaped_key(struct os_console *console, uint8_t key)
{
	switch (key) {
	case 'x':
	case 'X':
		console_command(console, PROCESS_CONSOLE_STOP);
		return false;
	case 'p':
	case 'P':
		console_command(console, PROCESS_CONSOLE_POWER_BUTTON);
		return false;
	case 'h':
	case 'H':
	case '?':
		console_help(console);
		return false;
	default:
		return key == console->options.escape;
	}
}

/* Carries out commands among what was typed; what is left, for the guest. */
static size_t console_filter(struct os_console *console, uint8_t *bytes, size_t count)
{
	size_t kept = 0;

	if (!console->options.escape || !console->input.terminal)
		return count;
	for (size_t i = 0; i < count; i++) {
		uint8_t key = bytes[i];

		if (console->escaped) {
			console->escaped = false;
			if (console_escaped_key(console, key))
				bytes[kept++] = key;
		} else if (key == console->options.escape) {
			console->escaped = true;
		} else {
			bytes[kept++] = key;
		}
	}
	return kept;
}

/* How much may be read now; 0: reading pauses until somebody takes something. */
static size_t console_input_space(struct os_console *console)
{
	size_t space;

	os_mutex_lock(&console->lock);
	space = INPUT_SIZE - ring_used(&console->in);
	console->input_paused = !space;
	os_mutex_unlock(&console->lock);
	return space;
}

static void console_await_input(struct os_console *console, bool await)
{
	if (console->input_always_ready) {
		if (await)
			os_event_signal(console->resume);
	} else if (console->input_watch) {
		(void)process_watch_change(console->input_watch, await ? PROCESS_READABLE : 0);
	}
}

static void console_read_in(struct os_console *console)
{
	uint8_t piece[INPUT_PIECE];
	size_t space = console_input_space(console), kept;
	ssize_t count;

	if (!space) {
		console_await_input(console, false);
		return;
	}
	count = stream_read(&console->input, piece, MIN(space, sizeof(piece)));
	if (count == 0 || (count < 0 && count != -EAGAIN)) {
		console->input_ended = true;
		console_await_input(console, false);
		return;
	}
	console_await_input(console, true);
	if (count < 0)
		return;
	kept = console_filter(console, piece, (size_t)count);
	if (!kept)
		return;
	os_mutex_lock(&console->lock);
	ring_put(&console->in, piece, kept);
	os_mutex_unlock(&console->lock);
	console_tell(console);
}

static void console_input_ready(void *arg, unsigned events)
{
	(void)events;
	console_read_in(arg);
}

static void console_resume_input(void *arg)
{
	struct os_console *console = arg;
	bool waits;

	if (!console->input_ended)
		console_read_in(console);
	os_mutex_lock(&console->lock);
	waits = console->in.head != console->in.tail;
	os_mutex_unlock(&console->lock);
	if (waits)
		console_tell(console);
}

size_t os_console_read(struct os_console *console, void *bytes, size_t count)
{
	bool resume;
	size_t taken;

	os_mutex_lock(&console->lock);
	taken = ring_take(&console->in, bytes, count);
	resume = taken && console->input_paused;
	if (resume)
		console->input_paused = false;
	os_mutex_unlock(&console->lock);
	os_memory_written(bytes, taken);
	if (resume)
		os_event_signal(console->resume);
	return taken;
}

void os_console_set_listener(struct os_console *console, void (*changed)(void *), void *arg)
{
	console->changed = changed;
	console->arg = arg;
	/* What came before is announced to the new one. */
	if (changed)
		os_event_signal(console->resume);
}

/* --- Opening and closing
 * ---------------------------------------------------------------------------- */

static int console_open_input(struct os_console *console)
{
	int error;

	if (console->options.input < 0)
		return 0;
	error = stream_open(&console->input, console->options.input, false);
	if (error)
		return error;
	if (console->input.terminal) {
		error = terminal_set_raw(console->input.fd);
		if (error)
			return error;
		console->input_raw = true;
	}
	error = process_loop_watch_fd(console->loop, console->input.fd, PROCESS_READABLE,
				      console_input_ready, console, &console->input_watch);
	if (error == -EPERM) {
		console->input_always_ready = true;
		console_await_input(console, true);
		return 0;
	}
	return error;
}

static int console_open_output(struct os_console *console)
{
	if (console->options.output < 0) {
		console->output_dead = true;
		return 0;
	}
	return stream_open(&console->output, console->options.output, true);
}

static void console_free(struct os_console *console)
{
	if (console->input_raw)
		terminal_restore();
	process_loop_unwatch_fd(console->input_watch);
	process_loop_unwatch_fd(console->output_watch);
	os_timer_destroy(console->timer);
	os_event_destroy(console->resume);
	stream_close(&console->input);
	stream_close(&console->output);
	free(console->in.bytes);
	free(console->out.bytes);
	free(console);
}

int process_console_open(struct os_loop *loop, const struct process_console_options *options,
			 struct os_console **out, struct error *why)
{
	struct os_console *console = calloc(1, sizeof(*console));
	int error = -ENOMEM;

	if (!console)
		return error_set(why, error, "cannot open the console: out of memory");
	console->loop = loop;
	console->options = *options;
	console->input.fd = console->output.fd = -1;
	os_mutex_init(&console->lock);
	console->in = (struct console_ring){.bytes = malloc(INPUT_SIZE), .size = INPUT_SIZE};
	console->out = (struct console_ring){.bytes = malloc(OUTPUT_SIZE), .size = OUTPUT_SIZE};
	if (!console->in.bytes || !console->out.bytes)
		goto fail;
	error = os_event_create(&console->resume);
	if (!error)
		error = os_loop_watch(loop, console->resume, console_resume_input, console);
	if (!error)
		error = os_timer_create(loop, console_drain, console, &console->timer);
	if (!error)
		error = console_open_output(console);
	/* Last, for it changes the terminal. */
	if (!error)
		error = console_open_input(console);
	if (error)
		goto fail;
	*out = console;
	return 0;
fail:
	console_free(console);
	if (error == -EBUSY)
		return error_set(why, error,
				 "cannot open the console: the terminal is another console's");
	return error_set(why, error, "cannot open the console: %s", strerror(-error));
}

void process_console_close(struct os_console *console)
{
	if (!console)
		return;
	console_flush(console);
	console_free(console);
}
