/* SPDX-License-Identifier: MIT */
/*
 * net.c - the network device (virtio 1.2 section 5.1): one receive and one transmit queue between
 * the guest and a port (os_net), without a control queue.
 *
 * Frames go from and to guest buffers without a copy of ours; only the twelve bytes of header in
 * front of a sent frame are read once, checked and passed on as a copy.
 *
 * Sending: a frame that the port has no room for is dropped and counted, as a network card does
 * whose link is slower than its host; the port has no way to say that it has room again, and
 * holding the frame would only move the queue from the port, which may drop the oldest, into the
 * guest.
 *
 * With a rate the line is busy for as long as what was sent takes on it; while it is busy for more
 * than a little to come, frames wait in the guest's queue, whose own queues see that they do.
 *
 * Receiving: the device holds receive buffers for at least one frame of the largest size, where the
 * driver gives that many, and receives straight into them.  While it holds less than the MTU asks
 * for, and the driver has given more before, it takes nothing from the port, and frames wait there.
 *
 * The driver is told of each frame when it is done, if it wants to know, not at the end of a turn:
 * a sender with two frames under way makes the next while the second is sent.
 */
#include <linux/errno.h>

#include "hw/virtio.h"
#include "lib/bits.h"
#include "lib/bytes.h"
#include "monitor/virtio/chain.h"
#include "monitor/virtio/devices.h"

#define NET_CLASS 0x020000 /* PCI: Ethernet controller */
#define NET_QUEUES 2
#define NET_QUEUE_SIZE 256
#define NET_HEADER_SIZE sizeof(struct virtio_net_hdr_v1)
#define NET_LINK_HEADER_MAX 18 /* Ethernet with a VLAN tag */
#define NET_MTU_DEFAULT 1500   /* of a driver that does not ask */
#define NET_SEGMENT_MAX 65535  /* an IP packet that is left to be cut up */
#define NET_TURN_FRAMES 256    /* what one call back moves in one direction at the most */
#define NET_TURN_BYTES (4 * MIB)
#define NET_HELD_CHAINS 256
#define NET_LINE_AHEAD                                                                             \
	UINT64_C(5000000) /* ns that the line may be busy for when one more is sent */
#define NET_SECOND UINT64_C(1000000000)
#define NET_BITS_PER_BYTE 8
#define NET_HELD_SEGMENTS (2 * NET_QUEUE_SIZE) /* a chain has NET_QUEUE_SIZE at the most */

#define NET_GUEST_OFFLOADS                                                                         \
	(BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4) |                             \
	 BIT(VIRTIO_NET_F_GUEST_TSO6) | BIT(VIRTIO_NET_F_GUEST_ECN))
#define NET_HOST_OFFLOADS                                                                          \
	(BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6) |      \
	 BIT(VIRTIO_NET_F_HOST_ECN))

struct net_chain {
	uint16_t head, segments;
	uint32_t bytes;
};

/*
 * Receive buffers taken from the queue and not used yet: chains and segments in two arrays, in
 * order, from first on; moved to the front when room behind the last is needed.
 */
struct net_held {
	unsigned chain_first, chain_count;
	unsigned segment_first, segment_count;
	uint64_t bytes, most_bytes; /* now; since activation */
	struct net_chain chains[NET_HELD_CHAINS];
	struct os_iov segments[NET_HELD_SEGMENTS];
};

struct virtio_net {
	struct virtio_device virtio;
	struct os_net *net;
	struct os_net_info info;
	struct os_timer *line; /* with a rate: the line is nearly free */
	uint64_t rate;         /* bits a second; 0: no limit */
	uint8_t mac[6];
	/* All below: virtio.lock. */
	uint32_t frame_min, frame_max; /* with header: what is held before, and for, a frame */
	bool starved;                  /* the port waits until the driver gives buffers */
	uint64_t line_free;            /* os_clock_monotonic(), when all that was sent is gone */
	uint64_t sent, send_drops, received, receive_drops;
	struct net_held held;
	/* One in front, for the copy of the header. */
	struct os_iov transmit_iov[1 + NET_QUEUE_SIZE];
};

static struct virtio_net *to_net(struct virtio_device *virtio)
{
	return CONTAINER_OF(virtio, struct virtio_net, virtio);
}

/* --- Sending --------------------------------------------------------------------------------- */

/* Whether the header asks only for what was negotiated and is about bytes of the frame (5.1.6.2).
 */
static bool header_valid(const struct virtio_net *net, const struct virtio_net_hdr_v1 *header,
			 uint32_t frame_size)
{
	const struct virtio_device *virtio = &net->virtio;
	uint8_t gso = header->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;

	if (header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		if (!virtio_has_feature(virtio, VIRTIO_NET_F_CSUM))
			return false;
		if ((uint32_t)header->checksum_start + header->checksum_offset + sizeof(uint16_t) >
		    frame_size)
			return false;
	}
	if (header->gso_type == VIRTIO_NET_HDR_GSO_NONE)
		return true;
	if (header->gso_type & VIRTIO_NET_HDR_GSO_ECN &&
	    !virtio_has_feature(virtio, VIRTIO_NET_F_HOST_ECN))
		return false;
	if (gso == VIRTIO_NET_HDR_GSO_TCPV4) {
		if (!virtio_has_feature(virtio, VIRTIO_NET_F_HOST_TSO4))
			return false;
	} else if (gso == VIRTIO_NET_HDR_GSO_TCPV6) {
		if (!virtio_has_feature(virtio, VIRTIO_NET_F_HOST_TSO6))
			return false;
	} else {
		return false;
	}
	return header->gso_size > 0 && header->header_length <= frame_size;
}

/* Whether the next frame is to wait: net_line_free() is called when it need not any more. */
static bool net_line_busy(struct virtio_net *net)
{
	if (!net->rate || net->line_free <= os_clock_monotonic() + NET_LINE_AHEAD)
		return false;
	os_timer_set(net->line, net->line_free - NET_LINE_AHEAD);
	return true;
}

/* A frame goes on the line, cut up if it is to be: each part with headers of its own. */
static void net_occupy_line(struct virtio_net *net, const struct virtio_net_hdr_v1 *header,
			    uint32_t size)
{
	uint64_t bytes = size;

	if (!net->rate)
		return;
	if (header->gso_type != VIRTIO_NET_HDR_GSO_NONE)
		bytes += (uint64_t)(size / header->gso_size) * header->header_length;
	net->line_free = MAX(net->line_free, os_clock_monotonic()) +
			 bytes * NET_BITS_PER_BYTE * NET_SECOND / net->rate;
}

/* Sends the frame of a chain, or drops it; false: it is no frame, and the device has failed. */
static bool net_send(struct virtio_net *net, const struct virtqueue_chain *chain)
{
	struct os_iov *iov = chain->iov;
	unsigned count = chain->readable_count;
	struct virtio_net_hdr_v1 header;
	uint32_t size;

	if (chain->writable_count > 0 ||
	    iov_read(iov, count, 0, &header, NET_HEADER_SIZE) < NET_HEADER_SIZE) {
		virtio_fail(&net->virtio, "a frame to send has no header, or is not to be read");
		return false;
	}
	size = chain->readable_bytes - NET_HEADER_SIZE;
	if (size > NET_SEGMENT_MAX + NET_LINK_HEADER_MAX || !header_valid(net, &header, size)) {
		net->send_drops++;
		return true;
	}
	if (header.gso_type == VIRTIO_NET_HDR_GSO_NONE)
		header.gso_size = header.header_length = 0;
	header.flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM;
	header.num_buffers = 0;
	net_occupy_line(net, &header, size);
	/* The segment in front of the first that is left is there, or was the header's own. */
	iov_drop_front(&iov, &count, NET_HEADER_SIZE);
	iov--;
	*iov = (struct os_iov){&header, NET_HEADER_SIZE};
	if (os_net_send(net->net, iov, count + 1) < 0)
		net->send_drops++;
	else
		net->sent++;
	return true;
}

static void net_transmit(struct virtio_net *net, unsigned index)
{
	struct virtio_device *virtio = &net->virtio;
	struct virtqueue *queue = &virtio->queues[index];
	struct virtqueue_chain chain = {.iov = net->transmit_iov + 1};
	uint64_t bytes = 0;

	virtqueue_disable_doorbell(queue);
	for (unsigned i = 0; i < NET_TURN_FRAMES && bytes < NET_TURN_BYTES; i++) {
		if (net_line_busy(net) ||
		    !virtio_take_chain(virtio, index, &chain, NET_QUEUE_SIZE) ||
		    !net_send(net, &chain))
			return;
		virtqueue_push(queue, chain.head, 0);
		virtio_queue_interrupt(virtio, index);
		bytes += MIN(chain.readable_bytes, NET_SEGMENT_MAX);
	}
	virtio_notify_again(virtio, index);
}

static void net_line_free(void *arg)
{
	struct virtio_net *net = arg;

	os_mutex_lock(&net->virtio.lock);
	if (virtio_queue_usable(&net->virtio, VIRTIO_NET_QUEUE_TRANSMIT))
		net_transmit(net, VIRTIO_NET_QUEUE_TRANSMIT);
	os_mutex_unlock(&net->virtio.lock);
}

/* --- Receiving ------------------------------------------------------------------------------- */

/* Moves what is held to the front of its arrays; false when one more chain has no room even so. */
static bool held_make_room(struct net_held *held)
{
	if (held->chain_first + held->chain_count < NET_HELD_CHAINS &&
	    held->segment_first + held->segment_count <= NET_HELD_SEGMENTS - NET_QUEUE_SIZE)
		return true;
	memmove(held->chains, held->chains + held->chain_first,
		held->chain_count * sizeof(held->chains[0]));
	memmove(held->segments, held->segments + held->segment_first,
		held->segment_count * sizeof(held->segments[0]));
	held->chain_first = held->segment_first = 0;
	return held->chain_count < NET_HELD_CHAINS &&
	       held->segment_count <= NET_HELD_SEGMENTS - NET_QUEUE_SIZE;
}

/* Takes one more receive buffer; false: there is none, no room for one, or the device has failed.
 */
static bool net_hold_one(struct virtio_net *net, unsigned index)
{
	struct net_held *held = &net->held;
	struct virtqueue_chain chain;

	if (!held_make_room(held))
		return false;
	chain.iov = held->segments + held->segment_first + held->segment_count;
	if (!virtio_take_chain(&net->virtio, index, &chain, NET_QUEUE_SIZE))
		return false;
	/* The header stands in the first buffer (5.1.6.3.1). */
	if (chain.readable_count > 0 || chain.writable_bytes < NET_HEADER_SIZE) {
		virtio_fail(&net->virtio, "a receive buffer cannot take a frame's header");
		return false;
	}
	held->chains[held->chain_first + held->chain_count++] = (struct net_chain){
		.head = chain.head,
		.segments = chain.writable_count,
		.bytes = chain.writable_bytes,
	};
	held->segment_count += chain.writable_count;
	held->bytes += chain.writable_bytes;
	return true;
}

/* Holds buffers for the next frame; false when it must wait for more, or the device has failed. */
static bool net_hold(struct virtio_net *net, unsigned index)
{
	struct net_held *held = &net->held;

	if (!virtio_has_feature(&net->virtio, VIRTIO_NET_F_MRG_RXBUF))
		return held->chain_count > 0 || net_hold_one(net, index);
	while (held->bytes < net->frame_max && net_hold_one(net, index))
		;
	if (net->virtio.failed || held->chain_count == 0)
		return false;
	held->most_bytes = MAX(held->most_bytes, held->bytes);
	/* What a driver has not given before it may never give, nor is there room for more than
	 * that. */
	return held->bytes >= MIN(net->frame_min, held->most_bytes) || !held_make_room(held);
}

/* Gives the buffers of a frame of size bytes to the driver. */
static void net_receive_done(struct virtio_net *net, struct virtqueue *queue, uint32_t size)
{
	struct net_held *held = &net->held;
	const struct os_iov *segments = held->segments + held->segment_first;
	unsigned used_segments = 0;
	uint16_t used = 0;
	uint32_t left = size;

	while (left > 0) {
		const struct net_chain *chain = &held->chains[held->chain_first + used];
		uint32_t part = MIN(chain->bytes, left);

		virtqueue_fill(queue, used, chain->head, part);
		left -= part;
		used_segments += chain->segments;
		held->bytes -= chain->bytes;
		used++;
	}
	iov_write(segments, used_segments, offsetof(struct virtio_net_hdr_v1, num_buffers), &used,
		  sizeof(used));
	virtqueue_publish(queue, used);
	held->chain_first += used;
	held->chain_count -= used;
	held->segment_first += used_segments;
	held->segment_count -= used_segments;
}

/* The segments that the next frame may fill. */
static unsigned net_receive_segments(const struct virtio_net *net)
{
	const struct net_held *held = &net->held;

	if (virtio_has_feature(&net->virtio, VIRTIO_NET_F_MRG_RXBUF))
		return held->segment_count;
	return held->chains[held->chain_first].segments;
}

static void net_readable(void *arg);

/* The port keeps its frames, and does not call, until the driver gives buffers. */
static void net_set_starved(struct virtio_net *net, bool starved)
{
	if (net->starved == starved)
		return;
	net->starved = starved;
	os_net_set_receiver(net->net, starved ? NULL : net_readable, net);
}

static void net_receive(struct virtio_net *net, unsigned index)
{
	struct virtio_device *virtio = &net->virtio;
	struct virtqueue *queue = &virtio->queues[index];
	struct net_held *held = &net->held;
	uint64_t bytes = 0;

	virtqueue_disable_doorbell(queue);
	for (unsigned i = 0; i < NET_TURN_FRAMES && bytes < NET_TURN_BYTES; i++) {
		bool ready = net_hold(net, index);
		int64_t size;

		net_set_starved(net, !ready);
		if (!ready)
			return;
		size = os_net_receive(net->net, held->segments + held->segment_first,
				      net_receive_segments(net));
		if (size == -EMSGSIZE) {
			net->receive_drops++;
			continue;
		}
		if (size < (int64_t)NET_HEADER_SIZE)
			return;
		net_receive_done(net, queue, (uint32_t)size);
		virtio_queue_interrupt(virtio, index);
		net->received++;
		bytes += (uint64_t)size;
	}
	virtio_notify_again(virtio, index);
}

static void net_readable(void *arg)
{
	struct virtio_net *net = arg;

	os_mutex_lock(&net->virtio.lock);
	if (virtio_queue_usable(&net->virtio, VIRTIO_NET_QUEUE_RECEIVE))
		net_receive(net, VIRTIO_NET_QUEUE_RECEIVE);
	else
		net_set_starved(net, true);
	os_mutex_unlock(&net->virtio.lock);
}

/* --- The device ------------------------------------------------------------------------------ */

static void net_notify(struct virtio_device *virtio, unsigned index)
{
	struct virtio_net *net = to_net(virtio);

	if (!virtio_queue_usable(virtio, index))
		return;
	if (index == VIRTIO_NET_QUEUE_RECEIVE)
		net_receive(net, index);
	else
		net_transmit(net, index);
}

static void net_activate(struct virtio_device *virtio)
{
	struct virtio_net *net = to_net(virtio);
	const uint64_t segmented = BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO6);
	uint32_t overhead = NET_HEADER_SIZE + NET_LINK_HEADER_MAX;

	net->frame_max = overhead + net->info.mtu;
	net->frame_min = net->frame_max;
	if (!virtio_has_feature(virtio, VIRTIO_NET_F_MTU))
		net->frame_min = MIN(net->frame_min, overhead + NET_MTU_DEFAULT);
	if (virtio->negotiated & segmented)
		net->frame_max = overhead + NET_SEGMENT_MAX;
	/* Without checksums left open nothing else can be (5.1.3.1). */
	os_net_set_offloads(net->net, virtio_has_feature(virtio, VIRTIO_NET_F_GUEST_CSUM)
					      ? virtio->negotiated & NET_GUEST_OFFLOADS
					      : 0);
	net->starved = false;
	os_net_set_receiver(net->net, net_readable, net);
	for (unsigned i = 0; i < NET_QUEUES; i++)
		net_notify(virtio, i);
}

static void net_reset(struct virtio_device *virtio)
{
	struct virtio_net *net = to_net(virtio);
	struct net_held *held = &net->held;

	os_mutex_lock(&virtio->lock);
	os_net_set_receiver(net->net, NULL, NULL);
	os_net_set_offloads(net->net, 0);
	held->chain_first = held->chain_count = 0;
	held->segment_first = held->segment_count = 0;
	held->bytes = held->most_bytes = 0;
	os_mutex_unlock(&virtio->lock);
}

static void net_config_read(struct virtio_device *virtio, uint32_t offset, void *buffer,
			    uint32_t size)
{
	const struct virtio_net *net = to_net(virtio);
	struct virtio_net_config config = {
		.status = VIRTIO_NET_S_LINK_UP,
		.max_virtqueue_pairs = 1,
		.mtu = net->info.mtu,
	};

	memcpy(config.mac, net->mac, sizeof(config.mac));
	memcpy(buffer, (const uint8_t *)&config + offset, size);
}

static const struct virtio_device_ops net_ops = {
	.name = "virtio-net",
	.id = VIRTIO_ID_NET,
	.class_code = NET_CLASS,
	.config_read = net_config_read,
	.activate = net_activate,
	.notify = net_notify,
	.reset = net_reset,
};

int virtio_net_create(const struct guest_memory *memory, const struct virtio_net_options *options,
		      struct virtio_device **out)
{
	struct virtio_net *net = os_alloc(sizeof(*net));

	if (!net)
		return -ENOMEM;
	net->rate = options->rate;
	if (net->rate) {
		int err = os_timer_create(options->loop, net_line_free, net, &net->line);

		if (err < 0) {
			os_free(net);
			return err;
		}
	}
	os_mutex_init(&net->virtio.lock);
	net->net = options->net;
	os_net_get_info(net->net, &net->info);
	memcpy(net->mac, options->mac, sizeof(net->mac));
	net->virtio.ops = &net_ops;
	net->virtio.memory = memory;
	net->virtio.offered = BIT(VIRTIO_NET_F_MAC) | BIT(VIRTIO_NET_F_MTU) |
			      BIT(VIRTIO_NET_F_STATUS) | BIT(VIRTIO_NET_F_MRG_RXBUF);
	if (net->info.offloads)
		net->virtio.offered |= NET_GUEST_OFFLOADS | NET_HOST_OFFLOADS;
	net->virtio.config_size = offsetof(struct virtio_net_config, speed);
	net->virtio.queue_count = NET_QUEUES;
	for (unsigned i = 0; i < NET_QUEUES; i++)
		net->virtio.queue_max[i] = NET_QUEUE_SIZE;
	*out = &net->virtio;
	return 0;
}

void virtio_net_destroy(struct virtio_device *virtio)
{
	struct virtio_net *net;

	if (!virtio)
		return;
	net = to_net(virtio);
	os_net_set_receiver(net->net, NULL, NULL);
	if (net->line)
		os_timer_destroy(net->line);
	log_print(OS_LOG_DEBUG, "virtio-net: sent %llu frames (%llu dropped), received %llu (%llu)",
		  (unsigned long long)net->sent, (unsigned long long)net->send_drops,
		  (unsigned long long)net->received, (unsigned long long)net->receive_drops);
	os_free(net);
}
