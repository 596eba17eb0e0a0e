/* SPDX-License-Identifier: MIT */
/*
 * devices.h - the virtio device models.  Each *_create makes a device ready to be attached to a
 * transport; the back end (block, net, console) is the caller's and outlives the device.  *_destroy
 * comes after the transport's, on the loop thread.
 */
#ifndef DYAD_MONITOR_VIRTIO_DEVICES_H
#define DYAD_MONITOR_VIRTIO_DEVICES_H

#include "monitor/virtio/virtio.h"

/* Block (virtio 1.2 section 5.2). serial: up to 20 bytes shown to the guest, or NULL. */
struct virtio_blk_options {
	struct os_block *block;
	const char *serial;
	bool discard; /* offer DISCARD and WRITE_ZEROES if the back end can */
};
int virtio_blk_create(const struct guest_memory *memory, const struct virtio_blk_options *options,
		      struct virtio_device **out);
void virtio_blk_destroy(struct virtio_device *virtio);

/* Network (5.1): one pair of queues and no control queue, merged receive buffers, MTU. */
struct virtio_net_options {
	struct os_net *net;
	struct os_loop *loop;
	const uint8_t *mac; /* 6 bytes */
	uint64_t rate;      /* bits a second that it sends at the most; 0: no limit */
};
int virtio_net_create(const struct guest_memory *memory, const struct virtio_net_options *options,
		      struct virtio_device **out);
void virtio_net_destroy(struct virtio_device *virtio);

/* Console (5.3): one port; without a console (NULL) what the guest says is thrown away. */
int virtio_console_create(const struct guest_memory *memory, struct os_console *console,
			  struct virtio_device **out);
void virtio_console_destroy(struct virtio_device *virtio);

/* Entropy (5.4). */
int virtio_rng_create(const struct guest_memory *memory, struct virtio_device **out);
void virtio_rng_destroy(struct virtio_device *virtio);

/* Traditional balloon (5.5) with deflate on OOM and free page reporting; empty after a reset. */
int virtio_balloon_create(const struct guest_memory *memory, struct virtio_device **out);
/* Asks the guest to give up pages until it has given up count of 4096 bytes.  Any thread. */
void virtio_balloon_set_target(struct virtio_device *virtio, uint32_t pages);
/* How many pages of 4096 bytes it has given up.  Any thread. */
uint32_t virtio_balloon_get_actual(struct virtio_device *virtio);
void virtio_balloon_destroy(struct virtio_device *virtio);

#endif
