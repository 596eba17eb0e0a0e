/* SPDX-License-Identifier: MIT */
/*
 * machine.h - what the console asks of the runtime: its processes, its memory and CPUs, its log,
 * its power, and its screen.
 */
#ifndef DYAD_TYPE1_CONSOLE_MACHINE_H
#define DYAD_TYPE1_CONSOLE_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/type1.h"
#include "os.h"

#define MACHINE_PROCESSES 64 /* as many as an image has modules */

/* The image's process of that index; false: behind the last. */
bool machine_process(unsigned index, struct type1_process *process);
/* 0 or -errno */
int machine_start(unsigned index);
int machine_kill(unsigned index);
void machine_statistics(struct type1_machine *machine);
/* The next line of the log from *number on, ended by a zero, and its number; false: there is none
 * yet. */
bool machine_log_line(uint64_t *number, char line[TYPE1_LOG_LINE + 1]);
/* The event is signalled when a process begins or ends, or the log has another line. */
int machine_watch(struct os_event *event);
/* Returns only if the machine can't do it. */
void machine_power(enum type1_power operation);

/* The first cell or pixel of the screen, mapped; NULL: there is none. */
void *machine_map_screen(void);

#endif
