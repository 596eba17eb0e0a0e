/* SPDX-License-Identifier: MIT */
/*
 * machine.h - what the tests of the driver's node share: how a test says what is wrong, a machine
 * of one vCPU in real mode, and a thread that runs it.
 */
#ifndef DYAD_TESTS_DRIVER_MACHINE_H
#define DYAD_TESTS_DRIVER_MACHINE_H

#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>

#define PAGE 4096u
#define LARGE (2u << 20)
#define RAM_SIZE (2 * LARGE)
#define MAPPING_SIZE (RAM_SIZE + LARGE)
#define CODE 0x1000u
#define COUNTER 0x8000u /* where guests count: a page of its own */
#define PORT 0x3f0u

extern const char *node_path;
extern bool test_ok;
extern const char *skipped; /* why; NULL: it is not */
extern bool large_pages;    /* machines' memory is of these */

void complain(const char *what, int line, long got);
/* This CPU can't run the rest of the test, which counts neither as passed nor as failed. */
void skip(const char *why);

/* The call succeeds, or fails for that reason. */
#define WORKS(call)                                                                                \
	do {                                                                                       \
		long got_ = (call);                                                                \
		if (got_ < 0)                                                                      \
			complain(#call, __LINE__, got_);                                           \
	} while (0)
#define FAILS(reason, call)                                                                        \
	do {                                                                                       \
		long got_ = (errno = 0, (call));                                                   \
		if (got_ != -1 || errno != (reason))                                               \
			complain(#call " is not " #reason, __LINE__, got_);                        \
	} while (0)
#define HOLDS(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			complain(#condition, __LINE__, 0);                                         \
	} while (0)

/* Code in real mode, at CODE: writes 0x5a to PORT and halts; counts in COUNTER for ever. */
extern const uint8_t code_port[7];
extern const uint8_t code_count[7];

struct machine {
	int system, vm, vcpu;
	uint8_t *mapping, *ram; /* a mapping larger than RAM, in which that is aligned to 2 MiB */
	struct kvm_run *run;
	size_t run_size;
};

int add_slot(int vm, unsigned id, unsigned flags, uint64_t gpa, uint64_t size, uint64_t user);
int machine_begin(struct machine *m, bool irqchip, const uint8_t *code, size_t size);
void machine_end(struct machine *m);
volatile uint32_t *counter_of(const struct machine *m);
void sleep_ms(long ms);
/* The guest goes on counting; on a slow and busy host it may take its time. */
bool counts(const struct machine *m);

/* Runs the machine until something else than a signal ends that; SIGUSR1 must have a handler. */
struct runner {
	struct machine *m;
	pthread_t thread;
	atomic_bool stop;
	int result, error;
};

void runner_begin(struct runner *r, struct machine *m);
void runner_end(struct runner *r);

/* --- debug.c, fuzz.c, kexec.c: what node.c's main() calls */

void test_single_steps(void);
void test_software_breakpoints(void);
void test_hardware_breakpoints(void);
int churn(unsigned count);
int fuzz(unsigned seconds, uint64_t seed);
int start_kernel(const char *kernel, const char *initrd, const char *words);

#endif
