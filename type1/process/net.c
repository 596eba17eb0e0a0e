/* SPDX-License-Identifier: MIT */
/*
 * net.c - network ports: each a port of the switch service, whatever kind of network a VM's
 * definition asks for.
 *
 * The port is there at once, whether the switch is or not: frames wait in its channel.  When the
 * switch dies the port connects anew, and the frames that were under way are lost, as on a cable.
 */
#include <linux/errno.h>

#include "abi/switch.h"
#include "hw/virtio.h"
#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/process/channel.h"
#include "type1/process/process.h"
#include "type1/process/ring.h"

#define NET_MTU 1500
#define NET_HEADER 12 /* struct virtio_net_hdr_v1, virtio 1.2 section 5.1.6 */
#define NET_ETHERNET_HEADER 14
#define NET_FRAME_MAX (NET_HEADER + SWITCH_PACKET_MAX) /* the switch takes no longer ones */
#define MAC_SIZE sizeof(((struct switch_port *)0)->mac)

/* All on the loop thread. */
struct os_net {
	struct os_loop *loop;
	struct channel channel; /* handle 0: the switch is gone for good */
	struct switch_channel *shared;
	struct ring transmit, receive;
	struct os_event *again; /* frames wait for a receiver that is new */
	bool refused;           /* and told */
	uint32_t accepts;       /* as in the channel */
	uint8_t mac[MAC_SIZE];
	void (*readable)(void *arg);
	void *arg;
};

/* --- Segments */

static size_t iov_size(const struct os_iov *iov, unsigned count)
{
	size_t size = 0;

	for (unsigned i = 0; i < count; i++)
		size += iov[i].length;
	return size;
}

/* A place in them. */
struct iov_place {
	const struct os_iov *iov;
	size_t offset;
};

/* The next size bytes, which they have, to or from there. */
static void iov_copy(struct iov_place *place, uint8_t *bytes, size_t size, bool write)
{
	while (size) {
		const struct os_iov *iov = place->iov;
		size_t part = MIN(iov->length - place->offset, size);
		uint8_t *at = (uint8_t *)iov->base + place->offset;

		memcpy(write ? at : bytes, write ? bytes : at, part);
		bytes += part;
		size -= part;
		place->offset += part;
		if (place->offset == iov->length)
			*place = (struct iov_place){iov + 1, 0};
	}
}

/* --- The channel */

static void net_event(void *arg);

static int net_connect(struct os_net *net)
{
	int error = channel_connect(&net->channel, process_info->handles.network,
				    sizeof(struct switch_channel));

	if (!error)
		error = channel_watch(&net->channel, net->loop, net_event, net);
	if (error < 0) {
		channel_close(&net->channel);
		return error;
	}
	net->shared = net->channel.memory;
	ring_init(&net->transmit, &net->shared->transmit, SWITCH_RING);
	ring_init(&net->receive, &net->shared->receive, SWITCH_RING);
	memcpy(net->shared->port.mac, net->mac, MAC_SIZE);
	net->shared->accepts = net->accepts;
	/* Behind the rest, for the switch may be looking. */
	__atomic_store_n(&net->shared->port.ready, 1, __ATOMIC_RELEASE);
	(void)channel_signal(&net->channel);
	return 0;
}

static void net_reconnect(struct os_net *net)
{
	channel_close(&net->channel);
	if (net_connect(net) < 0)
		os_log(OS_LOG_ERROR, "the switch is gone: the network card has no link any more");
}

static void net_event(void *arg)
{
	struct os_net *net = arg;
	int state;

	if (channel_gone(&net->channel)) {
		net_reconnect(net);
		return;
	}
	state = (int)__atomic_load_n(&net->shared->state, __ATOMIC_ACQUIRE);
	if (state < 0 && !net->refused) {
		net->refused = true;
		process_log(OS_LOG_ERROR,
			    "the switch refuses a port with the MAC "
			    "%02x:%02x:%02x:%02x:%02x:%02x%s: the network card has no link",
			    net->mac[0], net->mac[1], net->mac[2], net->mac[3], net->mac[4],
			    net->mac[5], state == -EADDRINUSE ? ", which another has" : "");
	}
	if (net->readable)
		net->readable(net->arg);
}

static void net_again(void *arg)
{
	struct os_net *net = arg;

	if (net->readable)
		net->readable(net->arg);
}

/* --- os.h */

int os_net_open(struct os_loop *loop, const struct os_net_options *options, struct os_net **out,
		struct error *why)
{
	struct os_net *net;
	int error;

	if (!process_info->handles.network)
		return error_set(why, -EOPNOTSUPP,
				 "a network card can't be connected: this image has no switch");
	if (!options->mac)
		return error_set(why, -EINVAL, "a network card can't be connected without a MAC");
	net = os_alloc(sizeof(*net));
	if (!net)
		return error_set(why, -ENOMEM, "a network card can't be connected: out of memory");
	net->loop = loop;
	memcpy(net->mac, options->mac, MAC_SIZE);
	error = os_event_create(&net->again);
	if (!error)
		error = os_loop_watch(loop, net->again, net_again, net);
	if (!error)
		error = net_connect(net);
	if (error < 0) {
		os_net_close(net);
		return error_set(why, error,
				 "a network card can't be connected to the switch (error %d)",
				 -error);
	}
	if (options->forward_count)
		os_log(OS_LOG_INFO, "port forwards mean nothing on bare metal: the guest is on the "
				    "network itself");
	*out = net;
	return 0;
}

void os_net_close(struct os_net *net)
{
	if (!net)
		return;
	channel_close(&net->channel);
	os_event_destroy(net->again);
	os_free(net);
}

void os_net_get_info(const struct os_net *net, struct os_net_info *info)
{
	(void)net;
	*info = (struct os_net_info){.mtu = NET_MTU, .offloads = true};
}

void os_net_set_receiver(struct os_net *net, void (*readable)(void *), void *arg)
{
	net->readable = readable;
	net->arg = arg;
	/* Signals are asked for anew: the receiver before may have stopped in between. */
	if (readable && net->channel.handle && !ring_wait(&net->receive, 0))
		os_event_signal(net->again);
}

void os_net_set_offloads(struct os_net *net, uint64_t guest_features)
{
	static const struct {
		unsigned feature;
		uint32_t accepts;
	} table[] = {
		{VIRTIO_NET_F_GUEST_CSUM, SWITCH_ACCEPTS_CHECKSUM},
		{VIRTIO_NET_F_GUEST_TSO4, SWITCH_ACCEPTS_TCP4},
		{VIRTIO_NET_F_GUEST_TSO6, SWITCH_ACCEPTS_TCP6},
		{VIRTIO_NET_F_GUEST_ECN, SWITCH_ACCEPTS_ECN},
	};

	net->accepts = 0;
	for (unsigned i = 0; i < ARRAY_COUNT(table); i++)
		if (guest_features & BIT(table[i].feature))
			net->accepts |= table[i].accepts;
	if (net->channel.handle)
		__atomic_store_n(&net->shared->accepts, net->accepts, __ATOMIC_RELAXED);
}

int os_net_send(struct os_net *net, const struct os_iov *iov, unsigned count)
{
	size_t size = iov_size(iov, count);
	uint32_t parts = (uint32_t)((size + SWITCH_PART - 1) / SWITCH_PART);
	struct iov_place place = {iov, 0};

	if (size < NET_HEADER + NET_ETHERNET_HEADER || size > NET_FRAME_MAX)
		return -EINVAL;
	if (!net->channel.handle || ring_room(&net->transmit) < parts)
		return -EAGAIN;
	for (uint32_t i = 0; i < parts; i++) {
		struct switch_frame *entry = &net->shared->sent[ring_place(&net->transmit, i)];
		size_t part = MIN(size, SWITCH_PART);

		iov_copy(&place, entry->bytes, part, false);
		size -= part;
		entry->size = (uint16_t)(part | (size ? SWITCH_MORE : 0));
	}
	if (ring_produce(&net->transmit, parts))
		(void)channel_signal(&net->channel);
	return 0;
}

/* The parts of the next frame, 0: they are none; and its size.  A switch that has lost its mind can
 * give a guest nonsense, but not memory. */
static uint32_t find_parts(struct os_net *net, uint32_t filled, size_t *size)
{
	*size = 0;
	for (uint32_t parts = 0; parts < MIN(filled, SWITCH_PARTS_MAX);) {
		uint32_t part = __atomic_load_n(
			&net->shared->received[ring_place(&net->receive, parts)].size,
			__ATOMIC_RELAXED);

		parts++;
		if ((part & ~SWITCH_MORE) > SWITCH_PART)
			return 0;
		*size += part & ~SWITCH_MORE;
		if (!(part & SWITCH_MORE))
			return *size == (size_t)(parts - 1) * SWITCH_PART + part ? parts : 0;
	}
	return 0;
}

int64_t os_net_receive(struct os_net *net, const struct os_iov *iov, unsigned count)
{
	struct iov_place place = {iov, 0};
	uint32_t filled, parts;
	size_t size, left;

	if (!net->channel.handle)
		return -EAGAIN;
	while (!(filled = ring_filled(&net->receive)))
		if (ring_wait(&net->receive, 0))
			return -EAGAIN;
	parts = find_parts(net, filled, &size);
	if (!parts || size < NET_HEADER || iov_size(iov, count) < size) {
		(void)ring_consume(&net->receive, MAX(parts, 1u));
		return -EMSGSIZE;
	}
	left = size;
	for (uint32_t i = 0; i < parts; i++) {
		size_t part = MIN(left, SWITCH_PART);

		iov_copy(&place, net->shared->received[ring_place(&net->receive, i)].bytes, part,
			 true);
		left -= part;
	}
	(void)ring_consume(&net->receive, parts);
	return (int64_t)size;
}
