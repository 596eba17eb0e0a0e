/* SPDX-License-Identifier: MIT */
/*
 * process.h - what the library of bare-metal processes offers besides os.h: what the process was
 * started with, its end, the system object of the KVM ABI, and a console.
 *
 * A process's own part is int main(const struct type1_info *info), whose result is its status.
 */
#ifndef DYAD_TYPE1_PROCESS_PROCESS_H
#define DYAD_TYPE1_PROCESS_PROCESS_H

#include <stdint.h>

#include "abi/type1.h"
#include "lib/error.h"
#include "os.h"

int main(const struct type1_info *info);

/* Of start.S, before main() begins. */
extern const struct type1_info *process_info;

_Noreturn void process_exit(int status);
/* Says why in the log, and ends the process: for what must not go on. */
_Noreturn void process_abort(const char *why);
/* A number that nobody can guess, by the CPU, which has been asked whether it has them. */
uint64_t process_random(void);

/* os_log() of a formatted line (lib/format.h). */
__attribute__((format(printf, 2, 3))) void process_log(enum os_log_level level, const char *format,
						       ...);

/* The memory behind a handle, to be read only; -errno.  process_unmap() with the same size. */
int process_map(uint64_t handle, const void **bytes, uint64_t *size);
void process_unmap(const void *bytes, uint64_t size);

/* Makes an object of the handle of the KVM ABI's system object. */
int process_kvm_open(uint32_t handle, struct os_kvm **kvm, struct error *why);

/* The machine's own console if the process was given it, else a terminal at the console service,
 * else the log, a line at a time. */
int process_console_open(struct os_loop *loop, struct os_console **console, struct error *why);
void process_console_close(struct os_console *console);

/* What the person at the console service asks of the VM, on the loop thread. */
struct process_console_control {
	void (*power_button)(void *context);
	void (*stop)(void *context);
	void *context;
};
void process_console_set_control(struct os_console *console,
				 const struct process_console_control *control);

#endif
