/* SPDX-License-Identifier: MIT */
/*
 * nic.h - a network card, as the switch sees one: frames are written into and read from the
 * driver's own buffers, by one thread.
 *
 * All that arrives is received, whatever its destination.  Received frames may be longer than
 * Ethernet's: who reads them judges their size.
 */
#ifndef DYAD_TYPE1_DRIVERS_NIC_H
#define DYAD_TYPE1_DRIVERS_NIC_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/type1.h"
#include "lib/error.h"
#include "os.h"

#define NIC_FRAME_MAX 1518 /* to be sent: without the FCS, which the card appends */
#define NIC_ADDRESS 6

struct nic;

struct nic_ops {
	const char *name;
	/* Where the next frame is to be written; NULL: all buffers wait to be sent. */
	uint8_t *(*transmit_buffer)(struct nic *nic);
	/* What was written there is a frame of size bytes. */
	void (*transmit)(struct nic *nic, uint32_t size);
	/* Starts what was queued. */
	void (*transmit_start)(struct nic *nic);
	/* The size of the next received frame, 0: there is none.  It stays until
	 * receive_done(). */
	uint32_t (*receive)(struct nic *nic, const uint8_t **frame);
	void (*receive_done)(struct nic *nic);
	/* Gives the card the buffers of what was received, and asks for a call back when there is
	 * more.  False: there is already. */
	bool (*wait)(struct nic *nic);
	bool (*link)(struct nic *nic);
	void (*close)(struct nic *nic);
};

/* The beginning of each driver's own structure. */
struct nic {
	const struct nic_ops *ops;
	uint8_t address[NIC_ADDRESS];
	/* On the loop thread; of the opener. */
	void (*received)(void *arg);
	void (*link_changed)(void *arg);
	void *arg;
};

struct nic_options {
	struct os_loop *loop;
	uint32_t devices; /* the handle that the process was started with */
	void (*received)(void *arg);
	void (*link_changed)(void *arg);
	void *arg;
};

/* The card that a device of TYPE1_DEVICE_LIST is.  -ENODEV: none that a driver knows. */
int nic_open(const struct nic_options *options, const struct type1_device *info, struct nic **nic,
	     struct error *why);

/* --- The drivers */

bool virtio_net_matches(const struct type1_device *info);
int virtio_net_open(const struct nic_options *options, const struct type1_device *info,
		    struct nic **nic, struct error *why);
bool e1000e_matches(const struct type1_device *info);
int e1000e_open(const struct nic_options *options, const struct type1_device *info,
		struct nic **nic, struct error *why);

#endif
