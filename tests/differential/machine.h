/* SPDX-License-Identifier: MIT */
/*
 * machine.h - the state that a test compares, and the two machines that an instruction runs on:
 * the host's CPU and the soft one.
 */
#ifndef DYAD_TESTS_DIFFERENTIAL_MACHINE_H
#define DYAD_TESTS_DIFFERENTIAL_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/differential/layout.h"

#define MACHINE_XSAVE_SIZE 832 /* x87, SSE and AVX in XSAVE's standard form */
#define NO_VECTOR 0xff

struct machine {
	uint64_t gpr[16];
	uint64_t rip, rflags;
	uint8_t vector; /* of the exception that ended it, or NO_VECTOR */
	uint32_t error;
	uint64_t address; /* CR2 of a page fault */
	_Alignas(64) uint8_t xsave[MACHINE_XSAVE_SIZE];
};

/*
 * One instruction, or some that follow each other.  code32: not in a 64-bit code segment; code16:
 * in one of 16 bits.
 */
struct test {
	uint8_t bytes[128];
	uint8_t length;
	bool single;
	bool code32, code16;
	uint64_t rip;
};

/* The memory at an area's address in each; contents are the caller's to keep the same. */
struct areas {
	uint8_t *data, *stack; /* AREA_PAGES pages and, of data, one more that is read-only */
};
#define AREA_READ_ONLY_BYTE 0x5a
#define AREA_READABLE ((AREA_PAGES + 1) * AREA_PAGE)
#define AREA_WRITABLE (AREA_PAGES * AREA_PAGE)

/* The code area is full of INT3s; at is where test->rip is. */
#define CODE_BYTE 0xcc
void write_code(const struct test *test, uint8_t *at); /* and a way out behind it */
void erase_code(const struct test *test, uint8_t *at);

/* Prepare the areas.  false: this machine can't (the reason is printed). */
bool native_open(struct areas *areas);
bool soft_open(struct areas *areas);
/* Whether this kernel lets a 64-bit process run 32-bit code, and 16-bit code. */
bool native_runs(bool code16);

/* Runs it on state. */
void native_run_test(const struct test *test, struct machine *state);
void soft_run_test(const struct test *test, struct machine *state);

#endif
