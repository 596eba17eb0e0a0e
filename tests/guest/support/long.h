/* SPDX-License-Identifier: MIT */
/*
 * long.h - code that runs in 64-bit mode, at level 0, and may trap: it is written in assembly
 * language, the guest's C is of 32 bits.
 *
 * The first 4 GiB are mapped one to one, by pages of 2 MiB that level 3 may use.
 */
#ifndef DYAD_TESTS_GUEST_LONG_H
#define DYAD_TESTS_GUEST_LONG_H

#include "tests/guest/support/traps.h"

struct long_frame {
	uint64_t gpr[16]; /* in the order of instructions' numbers; RSP's place is unused */
	uint64_t handler_ss, vector, error, rip, cs, rflags, rsp, ss;
};
extern struct long_frame long_trap; /* the last one */

extern uint64_t long_pml4[512], long_pdpt[512], long_pd[4][512];
/* What code notes for the C around it. */
extern volatile uint64_t long_notes[16];

struct tss64 {
	uint32_t reserved0;
	uint64_t rsp[3], reserved28, ist[7], reserved92;
	uint16_t reserved100, io_map;
} __attribute__((packed));
extern struct tss64 long_tss;
struct gate64 {
	uint64_t low, high;
};
extern struct gate64 long_idt[256];

#define LONG_TSS SELECTOR(GDT_ENTRIES - 2) /* and the entry behind it */

/* Once, behind traps_init(). */
void long_init(void);
/* Calls code in 64-bit mode; the first trap ends it.  Its vector, or TRAP_NONE. */
unsigned long_call(const void *code);

extern const uint8_t long_stack_top[], long_ist_top[], long_user_stack_top[];

/* A function of 64-bit code, for long_call(). */
#define CODE64(name, code)                                                                         \
	extern const uint8_t name[];                                                               \
	__asm__(".code64\n" #name ":\n" code "\n ret\n .code32")

#endif
