/* SPDX-License-Identifier: MIT */
/*
 * report.h - what the shell tells of processes, CPUs and memory, as tables.
 */
#ifndef DYAD_TYPE1_CONSOLE_REPORT_H
#define DYAD_TYPE1_CONSOLE_REPORT_H

#include "type1/services/console/machine.h"
#include "type1/services/console/output.h"

/* The machine at one moment. */
struct sample {
	struct type1_machine machine;
	struct type1_process process[MACHINE_PROCESSES];
	unsigned count;
};

void sample_take(struct sample *sample);

void report_processes(const struct output *out, const struct sample *sample);
/* What was done between two samples. */
void report_statistics(const struct output *out, const struct sample *before,
		       const struct sample *after);
void report_cores(const struct output *out, const struct sample *before,
		  const struct sample *after);
void report_memory(const struct output *out, const struct sample *sample);

#define REPORT_TEXT 24
/* As 640K, 1.5G: rounded down; in text, which is returned. */
const char *report_size(char text[REPORT_TEXT], uint64_t bytes);
/* Minutes, seconds and hundredths, as 1:02.03. */
const char *report_time(char text[REPORT_TEXT], uint64_t nanoseconds);
/* CPUs of a set, as 0,2-3; all: when it has all of the machine's. */
const char *report_set(char text[REPORT_TEXT], uint64_t set, unsigned cpus);

#endif
