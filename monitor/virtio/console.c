/* SPDX-License-Identifier: MIT */
/*
 * console.c - the console device (virtio 1.2 section 5.3) with one port: the transmit queue goes to
 * the person's terminal, what is typed goes to the receive queue.
 *
 * Nothing is buffered here.  A chain that the terminal did not take whole stays with the device
 * until the terminal has space again; a receive buffer stays until something is typed.  Without a
 * terminal what the guest says is thrown away.
 */
#include <linux/errno.h>

#include "hw/virtio.h"
#include "lib/bits.h"
#include "lib/bytes.h"
#include "monitor/virtio/chain.h"
#include "monitor/virtio/devices.h"

#define CONSOLE_CLASS 0x078000 /* PCI: communication controller, other */
#define CONSOLE_QUEUES 2
#define CONSOLE_QUEUE_SIZE 64
/* What one call back moves in one direction at the most, and what a chain counts besides its bytes.
 */
#define CONSOLE_TURN_MAX (64 * KIB)
#define CONSOLE_CHAIN_COST 64

/* A queue, and the chain of it that is under way. */
struct console_stream {
	bool held;
	struct virtqueue_chain chain;
	/* What is left of the chain. */
	struct os_iov *rest;
	unsigned rest_count;
	struct os_iov iov[CONSOLE_QUEUE_SIZE];
};

struct virtio_console {
	struct virtio_device virtio;
	struct os_console *console;                    /* or NULL */
	struct console_stream streams[CONSOLE_QUEUES]; /* virtio.lock */
};

static struct virtio_console *to_console(struct virtio_device *virtio)
{
	return CONTAINER_OF(virtio, struct virtio_console, virtio);
}

/* Sees to it that the stream holds a chain; false when there is none. */
static bool stream_take(struct virtio_console *console, unsigned index)
{
	struct console_stream *stream = &console->streams[index];

	if (stream->held)
		return true;
	stream->chain.iov = stream->iov;
	if (!virtio_take_chain(&console->virtio, index, &stream->chain, ARRAY_COUNT(stream->iov)))
		return false;
	stream->held = true;
	stream->rest = stream->iov;
	stream->rest_count = index == VIRTIO_CONSOLE_QUEUE_RECEIVE ? stream->chain.writable_count
								   : stream->chain.readable_count;
	return true;
}

static void stream_push(struct virtio_console *console, unsigned index, uint32_t written)
{
	console->streams[index].held = false;
	virtqueue_push(&console->virtio.queues[index], console->streams[index].chain.head, written);
}

static size_t console_write(struct virtio_console *console, const struct os_iov *iov, size_t size)
{
	return console->console ? os_console_write(console->console, iov->base, size) : size;
}

/* Goes on until the queue is empty, the terminal is full (its listener goes on) or the turn is
 * over. */
static void console_transmit(struct virtio_console *console, unsigned index)
{
	struct console_stream *stream = &console->streams[index];
	uint64_t turn = 0;

	while (turn < CONSOLE_TURN_MAX) {
		if (!stream_take(console, index))
			return;
		if (stream->rest_count == 0) {
			stream_push(console, index, 0);
			turn += CONSOLE_CHAIN_COST;
			continue;
		}

		size_t size = MIN(stream->rest->length, CONSOLE_TURN_MAX - turn);
		size_t taken = console_write(console, stream->rest, size);

		iov_drop_front(&stream->rest, &stream->rest_count, taken);
		turn += taken;
		if (taken < size)
			return;
	}
	virtio_notify_again(&console->virtio, index);
}

/* Fills one chain with what was typed; 0 when there is nothing more. */
static uint32_t console_fill(struct virtio_console *console, struct console_stream *stream)
{
	uint32_t filled = 0;

	while (stream->rest_count > 0 && filled < CONSOLE_TURN_MAX) {
		size_t size = MIN(stream->rest->length, CONSOLE_TURN_MAX - filled);
		size_t got = os_console_read(console->console, stream->rest->base, size);

		iov_drop_front(&stream->rest, &stream->rest_count, got);
		filled += (uint32_t)got;
		if (got < size)
			break;
	}
	return filled;
}

static void console_receive(struct virtio_console *console, unsigned index)
{
	struct virtio_device *virtio = &console->virtio;
	struct console_stream *stream = &console->streams[index];
	uint64_t turn = 0;

	if (!console->console)
		return;
	while (turn < CONSOLE_TURN_MAX) {
		if (!stream_take(console, index))
			return;
		if (stream->chain.readable_count > 0 || stream->chain.writable_count == 0) {
			virtio_fail(virtio, "a receive buffer is not to be written");
			return;
		}

		uint32_t filled = console_fill(console, stream);

		if (filled == 0)
			return;
		stream_push(console, index, filled);
		turn += filled + CONSOLE_CHAIN_COST;
	}
	virtio_notify_again(virtio, index);
}

static void console_notify(struct virtio_device *virtio, unsigned index)
{
	struct virtio_console *console = to_console(virtio);

	if (!virtio_queue_usable(virtio, index))
		return;
	virtqueue_disable_doorbell(&virtio->queues[index]);
	if (index == VIRTIO_CONSOLE_QUEUE_RECEIVE)
		console_receive(console, index);
	else
		console_transmit(console, index);
	virtio_queue_interrupt(virtio, index);
}

static void console_serve(struct virtio_device *virtio)
{
	for (unsigned i = 0; i < CONSOLE_QUEUES; i++)
		console_notify(virtio, i);
}

/* The terminal has something to read, or space again. */
static void console_changed(void *arg)
{
	struct virtio_console *console = arg;

	os_mutex_lock(&console->virtio.lock);
	console_serve(&console->virtio);
	os_mutex_unlock(&console->virtio.lock);
}

static void console_reset(struct virtio_device *virtio)
{
	struct virtio_console *console = to_console(virtio);

	os_mutex_lock(&virtio->lock);
	for (unsigned i = 0; i < CONSOLE_QUEUES; i++)
		console->streams[i].held = false;
	os_mutex_unlock(&virtio->lock);
}

/* No field is valid without a feature that is not offered (5.3.4). */
static void console_config_read(struct virtio_device *virtio, uint32_t offset, void *buffer,
				uint32_t size)
{
	(void)virtio;
	(void)offset;
	memset(buffer, 0, size);
}

static const struct virtio_device_ops console_ops = {
	.name = "virtio-console",
	.id = VIRTIO_ID_CONSOLE,
	.class_code = CONSOLE_CLASS,
	.config_read = console_config_read,
	.activate = console_serve,
	.notify = console_notify,
	.reset = console_reset,
};

int virtio_console_create(const struct guest_memory *memory, struct os_console *terminal,
			  struct virtio_device **out)
{
	struct virtio_console *console = os_alloc(sizeof(*console));

	if (!console)
		return -ENOMEM;
	os_mutex_init(&console->virtio.lock);
	console->virtio.ops = &console_ops;
	console->virtio.memory = memory;
	console->virtio.config_size = sizeof(struct virtio_console_config);
	console->virtio.queue_count = CONSOLE_QUEUES;
	for (unsigned i = 0; i < CONSOLE_QUEUES; i++)
		console->virtio.queue_max[i] = CONSOLE_QUEUE_SIZE;
	console->console = terminal;
	if (terminal)
		os_console_set_listener(terminal, console_changed, console);
	*out = &console->virtio;
	return 0;
}

void virtio_console_destroy(struct virtio_device *virtio)
{
	struct virtio_console *console;

	if (!virtio)
		return;
	console = to_console(virtio);
	if (console->console)
		os_console_set_listener(console->console, NULL, NULL);
	os_free(console);
}
