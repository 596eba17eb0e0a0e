/* SPDX-License-Identifier: MIT */
/*
 * start.h - the image's processes, in the order of its modules: a thread of the runtime's starts
 * them, and those that are services again when they end.
 */
#ifndef DYAD_TYPE1_START_H
#define DYAD_TYPE1_START_H

#include "type1/runtime/channel.h"

struct image_process {
	struct process_options options; /* [const] after boot */
	const char *uses;               /* [const] its word "use", or NULL */
	struct service service;         /* of those that are one: options.service */
	/* [image_mutex] */
	struct process *process; /* NULL: it has ended, or was not started */
	bool wanted;             /* it is to be started at start_at */
	uint64_t start_at, started_at;
	uint64_t delay; /* ns, of the next start: of a service that ended soon */
	int status;     /* of its last end */
	uint32_t starts;
};

extern struct mutex image_mutex; /* before all other locks */
extern struct image_process image_processes[BOOT_MODULES_MAX];
extern unsigned image_process_count; /* [const] after boot */

void start_processes(void *unused); /* the thread; never returns */
/* With the mutex: it is started soon. */
void start_request(struct image_process *image, uint64_t delay);

#endif
