/* SPDX-License-Identifier: MIT */
/*
 * emulate.h - one instruction of the guest's, done in software: for hardware backends, when it
 * reached a device's memory, a port with a string, or a register that exits.
 *
 * It fetches at CS:RIP through the guest's own page tables, decodes, and changes vcpu->state, which
 * must be whole.  Guest memory is reached by the VM's slots; what isn't in one is a device's, and
 * an access to it ends the call: the same instruction is called again with the answer, and goes the
 * same way to the next access.  So devices see each access once, in order.
 *
 * Done are those instructions that move between memory and registers, vector registers, too, and
 * integer ones; no far transfers.  Task context; by the vCPU's thread.
 */
#ifndef DYAD_HYPERVISOR_X86_EMULATE_H
#define DYAD_HYPERVISOR_X86_EMULATE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/decode.h"

struct exit;
struct vcpu;

/* An instruction has no more accesses to devices: 32 bytes at an odd address, of which a page has
 * an odd part; a repeated one counts by elements. */
#define EMULATE_ACCESSES 16

struct emulate {
	bool active; /* an instruction is under way, and insn is it */
	struct decode_insn insn;
	uint8_t answered;                /* accesses that devices have answered */
	uint8_t next;                    /* the one that comes next, of this call */
	uint64_t data[EMULATE_ACCESSES]; /* what was read by each */
};

enum emulate_result {
	EMULATE_DONE,    /* RIP is behind it (or at it, for the next part of a repeated one) */
	EMULATE_ACCESS,  /* exit is what a device is asked */
	EMULATE_FAULT,   /* vcpu->exception is raised, RIP at it */
	EMULATE_UNKNOWN, /* not one of those that are done */
};

enum emulate_result emulate_instruction(struct emulate *e, struct vcpu *vcpu, struct exit *exit);

/* The device's answer to EMULATE_ACCESS. */
void emulate_answer(struct emulate *e, uint64_t data);

/* Gives up the one that is under way. */
static inline void emulate_forget(struct emulate *e)
{
	e->active = false;
	e->answered = 0;
}

/* The instruction at CS:RIP; false: it can't be fetched or decoded. */
bool emulate_decode(struct vcpu *vcpu, struct decode_insn *insn);
/* Bytes of the instruction at CS:RIP; 0: it can't be fetched or decoded. */
unsigned emulate_length(struct vcpu *vcpu);

#endif
