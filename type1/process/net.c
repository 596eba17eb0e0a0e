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
#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/process/channel.h"
#include "type1/process/frame_queue.h"
#include "type1/process/process.h"

#define NET_MTU 1500
#define NET_HEADER sizeof(struct virtio_net_hdr_v1)
#define NET_ETHERNET_HEADER 14
#define MAC_SIZE sizeof(((struct switch_port *)0)->mac)

/* All on the loop thread. */
struct os_net {
	struct os_loop *loop;
	struct channel channel; /* handle 0: the switch is gone for good */
	struct switch_channel *shared;
	struct frame_queue transmit, receive;
	struct os_event *again; /* frames wait for a receiver that is new */
	uint64_t offloads;      /* what the guest takes in frames that it receives */
	bool refused;           /* and told */
	uint8_t mac[MAC_SIZE];
	uint64_t rate;
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

/* All of them. */
static void iov_read(const struct os_iov *iov, unsigned count, uint8_t *to)
{
	for (unsigned i = 0; i < count; i++) {
		memcpy(to, iov[i].base, iov[i].length);
		to += iov[i].length;
	}
}

/* size bytes, which they have. */
static void iov_write(const struct os_iov *iov, const uint8_t *from, size_t size)
{
	for (; size; iov++) {
		size_t part = MIN(iov->length, size);

		memcpy(iov->base, from, part);
		from += part;
		size -= part;
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
	frame_queue_init(&net->transmit, &net->shared->transmit, net->shared->sent);
	frame_queue_init(&net->receive, &net->shared->receive, net->shared->received);
	net->shared->offloads = net->offloads;
	memcpy(net->shared->port.mac, net->mac, MAC_SIZE);
	net->shared->port.rate = net->rate;
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
	net->rate = options->rate;
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
	if (readable && net->channel.handle && !frame_queue_wait(&net->receive))
		os_event_signal(net->again);
}

void os_net_set_offloads(struct os_net *net, uint64_t guest_features)
{
	net->offloads = guest_features;
	if (net->channel.handle)
		__atomic_store_n(&net->shared->offloads, guest_features, __ATOMIC_RELAXED);
}

int os_net_send(struct os_net *net, const struct os_iov *iov, unsigned count)
{
	size_t size = iov_size(iov, count);
	uint8_t *bytes;

	if (size < NET_HEADER + NET_ETHERNET_HEADER || size > SWITCH_FRAME_MAX)
		return -EINVAL;
	bytes = net->channel.handle ? frame_queue_add(&net->transmit, (uint32_t)size) : NULL;
	if (!bytes)
		return -EAGAIN;
	iov_read(iov, count, bytes);
	if (frame_queue_publish(&net->transmit))
		(void)channel_signal(&net->channel);
	return 0;
}

/* The next frame that the guest takes; NULL: none waits.  What came before it last changed what it
 * takes may be one that it doesn't. */
static const uint8_t *net_next(struct os_net *net, uint32_t *size)
{
	struct virtio_net_hdr_v1 header;
	const uint8_t *bytes;

	while ((bytes = frame_queue_next(&net->receive, size))) {
		if (*size < NET_HEADER)
			continue;
		memcpy(&header, bytes, NET_HEADER);
		if (!(frame_needs(&header) & ~net->offloads))
			return bytes;
	}
	return NULL;
}

int64_t os_net_receive(struct os_net *net, const struct os_iov *iov, unsigned count)
{
	const uint8_t *bytes;
	uint32_t size;

	if (!net->channel.handle)
		return -EAGAIN;
	while (!(bytes = net_next(net, &size))) {
		frame_queue_release(&net->receive);
		if (frame_queue_wait(&net->receive))
			return -EAGAIN;
	}
	if (iov_size(iov, count) >= size)
		iov_write(iov, bytes, size);
	frame_queue_release(&net->receive);
	return iov_size(iov, count) < size ? -EMSGSIZE : (int64_t)size;
}
