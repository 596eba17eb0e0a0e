/* SPDX-License-Identifier: MIT */
/*
 * virtio_net.c - a virtio network card (virtio 1.2 section 5.1): a receive and a transmit queue,
 * each entry one buffer of ours that has the header and the frame.
 *
 * No offloads are agreed on, so each received frame is whole, in one buffer, and its header says
 * nothing.  Without VIRTIO_NET_F_CTRL_RX the card filters nothing out.
 */
#include <linux/errno.h>

#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/drivers/nic.h"
#include "type1/drivers/virtio_pci.h"

#define NET_RECEIVE_BUFFERS 256
#define NET_TRANSMIT_BUFFERS 256
#define NET_BUFFER 2048
#define NET_HEADER sizeof(struct virtio_net_hdr_v1)
/* Of interrupts. */
#define NET_INTERRUPT_RECEIVE 0
#define NET_INTERRUPT_CONFIG 1

struct virtio_net {
	struct nic nic;
	struct device device;
	struct virtio_pci virtio;
	struct virtio_queue receive, transmit;
	uint8_t *received, *sent; /* a buffer for each descriptor */
	uint16_t current;         /* whose frame is being read */
	/* Descriptors that the transmit queue doesn't have. */
	uint16_t free[NET_TRANSMIT_BUFFERS];
	unsigned free_count;
	bool queued, given; /* since the queue was last kicked */
};

static struct virtio_net *net_of(struct nic *nic)
{
	return CONTAINER_OF(nic, struct virtio_net, nic);
}

/* --- Sending */

/* The card's buffers that it has sent are ours again. */
static void net_reclaim(struct virtio_net *net)
{
	struct virtq_used_element element;

	while (net->free_count < net->transmit.size && virtio_queue_take(&net->transmit, &element))
		net->free[net->free_count++] =
			(uint16_t)(element.id & (uint32_t)(net->transmit.size - 1));
}

static uint8_t *net_transmit_buffer(struct nic *nic)
{
	struct virtio_net *net = net_of(nic);

	if (!net->free_count)
		net_reclaim(net);
	if (!net->free_count)
		return NULL;
	return net->sent + (size_t)net->free[net->free_count - 1] * NET_BUFFER + NET_HEADER;
}

static void net_transmit(struct nic *nic, uint32_t size)
{
	struct virtio_net *net = net_of(nic);
	uint16_t id = net->free[--net->free_count];

	net->transmit.descriptors[id].length = (uint32_t)NET_HEADER + size;
	virtio_queue_put(&net->transmit, id);
	net->queued = true;
}

static void net_transmit_start(struct nic *nic)
{
	struct virtio_net *net = net_of(nic);

	if (net->queued)
		virtio_queue_kick(&net->transmit);
	net->queued = false;
}

/* --- Receiving */

static uint32_t net_receive(struct nic *nic, const uint8_t **frame)
{
	struct virtio_net *net = net_of(nic);
	struct virtq_used_element element;

	if (!virtio_queue_take(&net->receive, &element))
		return 0;
	net->current = (uint16_t)(element.id & (uint32_t)(net->receive.size - 1));
	*frame = net->received + (size_t)net->current * NET_BUFFER + NET_HEADER;
	/* One byte is no frame, and is given back as all are. */
	return element.length > NET_HEADER && element.length <= NET_BUFFER
		       ? element.length - (uint32_t)NET_HEADER
		       : 1;
}

static void net_receive_done(struct nic *nic)
{
	struct virtio_net *net = net_of(nic);

	virtio_queue_put(&net->receive, net->current);
	net->given = true;
}

static bool net_wait(struct nic *nic)
{
	struct virtio_net *net = net_of(nic);

	if (net->given)
		virtio_queue_kick(&net->receive);
	net->given = false;
	__atomic_store_n(&net->receive.available->flags, 0, __ATOMIC_RELAXED);
	/* The flag before the index, against the device's index before flag (2.7.14). */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&net->receive.used->index, __ATOMIC_RELAXED) == net->receive.used_index)
		return true;
	__atomic_store_n(&net->receive.available->flags, VIRTQ_AVAIL_F_NO_INTERRUPT,
			 __ATOMIC_RELAXED);
	return false;
}

static void net_interrupt(void *arg)
{
	struct virtio_net *net = arg;

	__atomic_store_n(&net->receive.available->flags, VIRTQ_AVAIL_F_NO_INTERRUPT,
			 __ATOMIC_RELAXED);
	net->nic.received(net->nic.arg);
}

/* --- The card */

static bool net_link(struct nic *nic)
{
	struct virtio_net *net = net_of(nic);
	uint16_t status;

	/* Section 5.1.4: one that can't say has a link. */
	if (!virtio_pci_has(&net->virtio, VIRTIO_NET_F_STATUS))
		return true;
	virtio_pci_config(&net->virtio, offsetof(struct virtio_net_config, status), &status,
			  sizeof(status));
	return status & VIRTIO_NET_S_LINK_UP;
}

static void net_config_changed(void *arg)
{
	struct virtio_net *net = arg;

	net->nic.link_changed(net->nic.arg);
}

static void net_close(struct nic *nic)
{
	struct virtio_net *net = net_of(nic);

	if (net->virtio.common)
		virtio_pci_reset(&net->virtio);
	device_close(&net->device);
	os_free(net);
}

static const struct nic_ops net_ops = {
	.name = "virtio-net",
	.transmit_buffer = net_transmit_buffer,
	.transmit = net_transmit,
	.transmit_start = net_transmit_start,
	.receive = net_receive,
	.receive_done = net_receive_done,
	.wait = net_wait,
	.link = net_link,
	.close = net_close,
};

/* A queue, and a buffer for each of its descriptors. */
static int net_queue_create(struct virtio_net *net, struct virtio_queue *queue, uint16_t index,
			    uint16_t size_max, uint16_t interrupt, uint16_t flags,
			    uint8_t **buffers)
{
	int error = virtio_pci_queue(&net->virtio, queue, index, size_max, interrupt);
	uint64_t physical;

	if (error < 0)
		return error;
	*buffers = device_dma(&net->device, (uint64_t)queue->size * NET_BUFFER, &physical);
	if (!*buffers)
		return -ENOMEM;
	for (uint16_t i = 0; i < queue->size; i++)
		queue->descriptors[i] = (struct virtq_desc){
			.address = physical + (uint64_t)i * NET_BUFFER,
			.length = NET_BUFFER,
			.flags = flags,
		};
	return 0;
}

static int net_queues_create(struct virtio_net *net)
{
	int error =
		net_queue_create(net, &net->receive, VIRTIO_NET_QUEUE_RECEIVE, NET_RECEIVE_BUFFERS,
				 NET_INTERRUPT_RECEIVE, VIRTQ_DESC_F_WRITE, &net->received);

	if (error < 0)
		return error;
	error = net_queue_create(net, &net->transmit, VIRTIO_NET_QUEUE_TRANSMIT,
				 NET_TRANSMIT_BUFFERS, VIRTIO_MSI_NO_VECTOR, 0, &net->sent);
	if (error < 0)
		return error;
	net->transmit.available->flags = VIRTQ_AVAIL_F_NO_INTERRUPT;
	for (uint16_t i = 0; i < net->transmit.size; i++)
		net->free[net->free_count++] = i;
	for (uint16_t i = 0; i < net->receive.size; i++)
		virtio_queue_put(&net->receive, i);
	return 0;
}

bool virtio_net_matches(const struct type1_device *info)
{
	return virtio_pci_matches(info, VIRTIO_ID_NET);
}

int virtio_net_open(const struct nic_options *options, const struct type1_device *info,
		    struct nic **out, struct error *why)
{
	struct virtio_net *net = os_alloc(sizeof(*net));
	int error;

	if (!net)
		return error_set(why, -ENOMEM, "a network card can't be used: out of memory");
	net->nic = (struct nic){
		.ops = &net_ops,
		.received = options->received,
		.link_changed = options->link_changed,
		.arg = options->arg,
	};
	error = device_open(&net->device, options->devices, info);
	if (error < 0) {
		error_set(why, error, "a virtio network card can't be taken (error %d)", -error);
		goto close_net;
	}
	error = virtio_pci_open(&net->virtio, &net->device,
				BIT(VIRTIO_NET_F_MAC) | BIT(VIRTIO_NET_F_STATUS), why);
	if (error < 0)
		goto close_net;
	virtio_pci_config(&net->virtio, offsetof(struct virtio_net_config, mac), net->nic.address,
			  sizeof(net->nic.address));
	error = device_interrupt(&net->device, NET_INTERRUPT_RECEIVE, options->loop, net_interrupt,
				 net);
	if (!error)
		error = device_interrupt(&net->device, NET_INTERRUPT_CONFIG, options->loop,
					 net_config_changed, net);
	if (!error)
		error = net_queues_create(net);
	if (error < 0) {
		error_set(why, error, "a virtio network card can't be set up (error %d)", -error);
		goto close_net;
	}
	net->virtio.common->config_msix_vector = NET_INTERRUPT_CONFIG;
	virtio_pci_start(&net->virtio);
	virtio_queue_kick(&net->receive);
	*out = &net->nic;
	return 0;
close_net:
	net_close(&net->nic);
	return error;
}
