/* SPDX-License-Identifier: MIT */
/*
 * echo.h - the simplest virtio device, for tests of the transport: it fills what a chain lets it
 * write with ECHO_BYTE and gives it back.  It notes how it was called.
 */
#ifndef DYAD_TESTS_ECHO_H
#define DYAD_TESTS_ECHO_H

#include "monitor/virtio/virtio.h"

#define ECHO_ID 42
#define ECHO_BYTE 0x5a
#define ECHO_QUEUES 2
#define ECHO_QUEUE_MAX 64
#define ECHO_CONFIG_SIZE 12
#define ECHO_FEATURE 5 /* bit number of the one feature it has besides the transport's */

struct echo {
	struct virtio_device virtio;
	uint8_t config[ECHO_CONFIG_SIZE];
	unsigned activations, notifies, resets, chains;
	bool in_reset;                       /* within ops->reset: nothing else may run */
	void (*on_reset)(struct echo *echo); /* called from within ops->reset, no lock held */
	void *context;
};

void echo_init(struct echo *echo, const struct guest_memory *memory);

#endif
