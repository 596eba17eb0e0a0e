/* SPDX-License-Identifier: MIT */
/*
 * written.h - who wants to know of writes to guest memory that no vCPU did: devices' DMA.
 */
#ifndef DYAD_TYPE2_PROCESS_WRITTEN_H
#define DYAD_TYPE2_PROCESS_WRITTEN_H

#include "os.h"

struct written_listener {
	/* By the thread that wrote, after it did. */
	void (*written)(struct written_listener *listener, const void *start, size_t size);
	struct written_listener *next; /* written.c's */
};

void written_listen(struct written_listener *listener);
/* When it returns, written() runs no more. */
void written_leave(struct written_listener *listener);

/* Tells of up to size bytes at the beginning of an iov. */
void written_iov(const struct os_iov *iov, unsigned count, uint64_t size);

#endif
