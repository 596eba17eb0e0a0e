/* SPDX-License-Identifier: MIT */
/*
 * net.c - network ports: what the back ends share.
 */
#include "type2/process/net.h"

#include <errno.h>
#include <string.h>

#include "lib/bits.h"
#include "type2/process/written.h"

int os_net_open(struct os_loop *loop, const struct os_net_options *options, struct os_net **net,
		struct error *why)
{
	switch (options->kind) {
	case OS_NET_USER:
		return net_user_open(loop, options, net, why);
	case OS_NET_TAP:
		return net_tap_open(loop, options, net, why);
	default:
		return error_set(why, -EINVAL, "there is no such kind of network");
	}
}

void os_net_close(struct os_net *net)
{
	if (net)
		net->ops->close(net);
}

void os_net_get_info(const struct os_net *net, struct os_net_info *info)
{
	*info = net->info;
}

void os_net_set_receiver(struct os_net *net, void (*readable)(void *), void *arg)
{
	net->readable = readable;
	net->arg = arg;
	net->ops->receiver_changed(net);
}

void os_net_set_offloads(struct os_net *net, uint64_t guest_features)
{
	net->ops->set_offloads(net, guest_features);
}

int os_net_send(struct os_net *net, const struct os_iov *iov, unsigned count)
{
	return net->ops->send(net, iov, count);
}

int64_t os_net_receive(struct os_net *net, const struct os_iov *iov, unsigned count)
{
	int64_t size = net->ops->receive(net, iov, count);

	/* A frame that did not fit may have filled all there was. */
	if (size > 0 || size == -EMSGSIZE)
		written_iov(iov, count, size > 0 ? (uint64_t)size : UINT64_MAX);
	return size;
}

size_t net_iov_size(const struct os_iov *iov, unsigned count)
{
	size_t size = 0;

	for (unsigned i = 0; i < count; i++)
		size += iov[i].length;
	return size;
}

/* The next piece of the segments from position at on; its size, 0 behind the end. */
static size_t net_iov_piece(const struct os_iov *iov, unsigned count, size_t at, uint8_t **piece)
{
	for (unsigned i = 0; i < count; i++) {
		if (at < iov[i].length) {
			*piece = (uint8_t *)iov[i].base + at;
			return iov[i].length - at;
		}
		at -= iov[i].length;
	}
	return 0;
}

void net_iov_read(const struct os_iov *iov, unsigned count, size_t at, void *bytes, size_t size)
{
	uint8_t *to = bytes, *piece;

	while (size) {
		size_t part = net_iov_piece(iov, count, at, &piece);

		if (!part)
			return;
		part = MIN(part, size);
		memcpy(to, piece, part);
		to += part;
		at += part;
		size -= part;
	}
}

void net_iov_write(const struct os_iov *iov, unsigned count, size_t at, const void *bytes,
		   size_t size)
{
	const uint8_t *from = bytes;
	uint8_t *piece;

	while (size) {
		size_t part = net_iov_piece(iov, count, at, &piece);

		if (!part)
			return;
		part = MIN(part, size);
		memcpy(piece, from, part);
		from += part;
		at += part;
		size -= part;
	}
}
