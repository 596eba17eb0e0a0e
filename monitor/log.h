/* SPDX-License-Identifier: MIT */
/*
 * log.h - the monitor's log: formatted lines to os_log(), bounded wherever a guest can cause them.
 */
#ifndef DYAD_MONITOR_LOG_H
#define DYAD_MONITOR_LOG_H

#include <stdint.h>

#include "os.h"

/* For what a guest cannot cause, or only once in a VM's life. */
__attribute__((format(printf, 2, 3))) void log_print(enum os_log_level level, const char *format,
						     ...);

/*
 * For what a guest can cause: each device has one budget, and once LOG_BUDGET lines are spent
 * nothing more is written (the last line says so).  Guarded by the device's lock.
 */
#define LOG_BUDGET 16

struct log_budget {
	uint32_t spent;
};

__attribute__((format(printf, 4, 5))) void log_guest(struct log_budget *budget,
						     enum os_log_level level, const char *device,
						     const char *format, ...);

#endif
