/* SPDX-License-Identifier: MIT */
/*
 * log.h - how the log gets along with a terminal in raw mode.
 */
#ifndef DYAD_TYPE2_PROCESS_LOG_H
#define DYAD_TYPE2_PROCESS_LOG_H

#include <stdbool.h>

/* While a terminal is raw it doesn't return the carriage at a line's end, so the log does.  Any
 * thread. */
void log_set_raw_terminal(bool raw);

#endif
