/* SPDX-License-Identifier: MIT */
/*
 * loop.h - the loop as the other files of the process host see it.
 */
#ifndef DYAD_TYPE2_PROCESS_LOOP_H
#define DYAD_TYPE2_PROCESS_LOOP_H

#include "type2/process/process.h"

/* Called on the loop thread each time before it waits: the place to settle what a batch has
 * changed. */
struct loop_hook {
	void (*before_wait)(void *arg);
	void *arg;
	struct loop_hook *next; /* the loop's */
};

void loop_add_hook(struct os_loop *loop, struct loop_hook *hook);
void loop_remove_hook(struct os_loop *loop, struct loop_hook *hook);

#endif
