/* SPDX-License-Identifier: MIT */
/*
 * fake_net.c - os.h's network port: what is sent is recorded, what is delivered waits to be
 * received. The receiver is called from fake_net_deliver(), as if the loop did.
 */
#include <assert.h>
#include <linux/errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/error.h"
#include "tests/support/fake_os.h"

#define NET_FRAMES_MAX 4096
#define NET_HEADER_SIZE 12 /* struct virtio_net_hdr_v1 */
#define NET_OPENED_MTU 1500

struct frame {
	struct frame *next;
	size_t size;
	uint8_t bytes[];
};

struct os_net {
	struct os_net_info info;
	void (*readable)(void *);
	void *arg;
	uint64_t offloads;
	struct frame *first, *last;
	size_t waiting;
	bool full;
	size_t sent;
	uint8_t *last_sent;
	size_t last_size;
};

struct os_net *fake_net_create(uint16_t mtu, bool offloads)
{
	struct os_net *net = calloc(1, sizeof(*net));

	assert(net);
	net->info.mtu = mtu;
	net->info.offloads = offloads;
	return net;
}

void fake_net_deliver(struct os_net *net, const void *bytes, size_t size)
{
	struct frame *frame;

	assert(size >= NET_HEADER_SIZE);
	if (net->waiting == NET_FRAMES_MAX)
		return;
	frame = malloc(sizeof(*frame) + size);
	assert(frame);
	frame->next = NULL;
	frame->size = size;
	memcpy(frame->bytes, bytes, size);
	if (net->last)
		net->last->next = frame;
	else
		net->first = frame;
	net->last = frame;
	net->waiting++;
	if (net->readable)
		net->readable(net->arg);
}

size_t fake_net_sent(const struct os_net *net, const uint8_t **last_frame)
{
	if (last_frame)
		*last_frame = net->last_sent;
	return net->sent;
}

size_t fake_net_last_size(const struct os_net *net)
{
	return net->last_size;
}

size_t fake_net_waiting(const struct os_net *net)
{
	return net->waiting;
}

uint64_t fake_net_offloads(const struct os_net *net)
{
	return net->offloads;
}

void fake_net_set_full(struct os_net *net, bool full)
{
	net->full = full;
}

int os_net_open(struct os_loop *loop, const struct os_net_options *options, struct os_net **net,
		struct error *why)
{
	(void)loop;
	(void)options;
	(void)why;
	*net = fake_net_create(NET_OPENED_MTU, false);
	return 0;
}

static struct frame *net_take(struct os_net *net)
{
	struct frame *frame = net->first;

	if (!frame)
		return NULL;
	net->first = frame->next;
	if (!net->first)
		net->last = NULL;
	net->waiting--;
	return frame;
}

void os_net_close(struct os_net *net)
{
	struct frame *frame;

	if (!net)
		return;
	while ((frame = net_take(net)))
		free(frame);
	free(net->last_sent);
	free(net);
}

void os_net_get_info(const struct os_net *net, struct os_net_info *info)
{
	*info = net->info;
}

void os_net_set_receiver(struct os_net *net, void (*readable)(void *), void *arg)
{
	net->readable = readable;
	net->arg = arg;
}

void os_net_set_offloads(struct os_net *net, uint64_t guest_features)
{
	net->offloads = guest_features;
}

int os_net_send(struct os_net *net, const struct os_iov *iov, unsigned count)
{
	size_t size = 0, at = 0;

	for (unsigned i = 0; i < count; i++)
		size += iov[i].length;
	if (size <= NET_HEADER_SIZE)
		return -EINVAL;
	if (net->full)
		return -EAGAIN;
	free(net->last_sent);
	net->last_sent = malloc(size);
	assert(net->last_sent);
	for (unsigned i = 0; i < count; at += iov[i].length, i++)
		memcpy(net->last_sent + at, iov[i].base, iov[i].length);
	net->last_size = size;
	net->sent++;
	return 0;
}

int64_t os_net_receive(struct os_net *net, const struct os_iov *iov, unsigned count)
{
	struct frame *frame = net_take(net);
	size_t at = 0;
	int64_t result;

	if (!frame)
		return -EAGAIN;
	for (unsigned i = 0; i < count && at < frame->size; i++) {
		size_t part = iov[i].length < frame->size - at ? iov[i].length : frame->size - at;

		memcpy(iov[i].base, frame->bytes + at, part);
		at += part;
	}
	result = at == frame->size ? (int64_t)at : -EMSGSIZE;
	free(frame);
	return result;
}
