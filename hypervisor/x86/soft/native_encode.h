/* SPDX-License-Identifier: MIT */
/*
 * native_encode.h - machine code for stubs (native_stub.c).  A stub has the vCPU in RDI, its op in
 * RSI, the host address of the memory operand in RDX (then R9); R10 is for offsets from RDI.
 */
#ifndef DYAD_HYPERVISOR_X86_SOFT_NATIVE_ENCODE_H
#define DYAD_HYPERVISOR_X86_SOFT_NATIVE_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/bits.h"
#include "lib/bytes.h"
#include "lib/decode.h"

/* Code is written to at, never up to end; what did not fit is remembered. */
struct emit {
	uint8_t *at, *end;
	bool overflow;
};

/* Where branches to a place ahead stand. */
struct emit_label {
	unsigned count;
	uint8_t *from[3];
};

/*
 * The numbers of the registers in the fields of an instruction.  A stub's own are these, chosen so
 * that none is the same as another: what stands where can be seen in the decoded form.
 */
#define NATIVE_REG 1  /* ModRM.reg: xmm1, rcx */
#define NATIVE_RM 2   /* ModRM.rm: xmm2, rdx */
#define NATIVE_VVVV 8 /* xmm8, r8 */
#define NATIVE_IS4 4  /* immediate's high four bits: xmm4 */
#define NATIVE_MEMORY_BASE 9

struct native_fields {
	uint8_t reg, rm, vvvv;
	uint8_t immediate;
	bool w, memory;
};

void emit_bytes(struct emit *e, const void *bytes, size_t count);
void emit_insn(struct emit *e, const struct decode_insn *insn, const struct native_fields *fields);

/* Branches to label when a bit of mask is set in the byte at RDI + gate. */
void emit_gate(struct emit *e, uint32_t gate, uint8_t mask, struct emit_label *label);
void emit_branch(struct emit *e, struct emit_label *label); /* jnz */
void emit_label(struct emit *e, struct emit_label *label);
void emit_jump(struct emit *e, uint32_t pointer); /* through the pointer at RDI + pointer */
/* Goes on with the next op, of op_size bytes, whose function's address stands at run. */
void emit_next(struct emit *e, uint8_t op_size, uint8_t run);

void emit_memory_base(struct emit *e);
/* R10 = the byte at RSI + field */
void emit_offset(struct emit *e, uint8_t field);
/*
 * Where a guest's register stands: at RDI + displacement or, if it is indexed, R10 further: in
 * bytes for general registers, in units of 8 for vector registers.
 */
struct emit_place {
	bool indexed;
	uint32_t displacement;
};
void emit_gpr(struct emit *e, unsigned reg, const struct emit_place *place, bool store);
void emit_xmm(struct emit *e, unsigned reg, const struct emit_place *place, bool store);
void emit_vex_xmm(struct emit *e, unsigned reg, const struct emit_place *place, bool store);
void emit_vex_high(struct emit *e, unsigned reg, const struct emit_place *place, bool store);
void emit_vzeroupper(struct emit *e);
/* As LAHF and SETO AL leave them in AX. */
void emit_flags_load(struct emit *e, uint32_t flags);
void emit_flags_store(struct emit *e, uint32_t flags);
/* x87's last instruction: [rdi + fip] = the op's RIP, [rdi + fop] = opcode. */
void emit_x87_pointers(struct emit *e, uint8_t at, uint32_t rip, uint32_t fip, uint32_t fop,
		       uint16_t opcode);

#endif
