/* SPDX-License-Identifier: MIT */
/*
 * host_process.h - host.h on a Linux process: what its files and those of os.h share.
 */
#ifndef DYAD_TYPE2_PROCESS_HOST_PROCESS_H
#define DYAD_TYPE2_PROCESS_HOST_PROCESS_H

#include <stdbool.h>

#include "lib/error.h"

struct os_event;

/* Before the core is used and after: starts and ends the thread of the timers.  Counted. */
int host_timers_start(struct error *why);
void host_timers_stop(void);

/* In the handler of the signal that os_thread_kick() sends. */
void host_run_kicked(void);

/* Gives a signal of event to the core, if it watches the event: then true. */
bool host_event_deliver(struct os_event *event);

#endif
