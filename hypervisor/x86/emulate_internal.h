/* SPDX-License-Identifier: MIT */
/*
 * emulate_internal.h - what the files of the emulator share: operands, and the operations.
 */
#ifndef DYAD_HYPERVISOR_X86_EMULATE_INTERNAL_H
#define DYAD_HYPERVISOR_X86_EMULATE_INTERNAL_H

#include "hypervisor/vcpu.h"
#include "hypervisor/x86/emulate.h"
#include "lib/bits.h"

struct emulation {
	struct emulate *e;
	struct vcpu *vcpu;
	struct exit *exit;
	const struct decode_insn *insn;
};

/* All give EMULATE_DONE, or what ends the call; size is 1, 2, 4 or 8 bytes. */
enum emulate_result emulation_read(struct emulation *m, unsigned segment, uint64_t offset,
				   unsigned size, uint64_t *value);
enum emulate_result emulation_write(struct emulation *m, unsigned segment, uint64_t offset,
				    unsigned size, uint64_t value);
enum emulate_result emulation_port(struct emulation *m, unsigned size, bool write, uint64_t *value);

enum emulate_result emulation_get(struct emulation *m, const struct decode_operand *operand,
				  uint64_t *value);
enum emulate_result emulation_put(struct emulation *m, const struct decode_operand *operand,
				  uint64_t value);

/*
 * The memory operand, up to EMULATE_BYTES_MAX, lowest address first.  All of it is looked for
 * before any is touched; one that must be aligned is #GP if it isn't.
 */
#define EMULATE_BYTES_MAX 32
enum emulate_result emulation_read_bytes(struct emulation *m, unsigned size, uint8_t *to);
enum emulate_result emulation_write_bytes(struct emulation *m, unsigned size, const uint8_t *from);

/* Registers as operands of 1 to 8 bytes: 4 clear the upper half. */
void emulation_set_register(struct vcpu *vcpu, unsigned reg, unsigned size, uint64_t value);

/* RFLAGS with the arithmetic ones as a - b leaves them. */
uint64_t emulation_compare(uint64_t rflags, uint64_t a, uint64_t b, unsigned size);

/* Whether code can be at that offset of CS: within its limit, or canonical. */
bool emulation_is_code(const struct vcpu *vcpu, uint64_t offset);

/* An exception that has no error code, or 0; nothing has been changed. */
enum emulate_result emulation_fault(struct emulation *m, uint8_t vector);

/*
 * The instructions, in parts.  UNKNOWN: it isn't one of these; emulation_integer(), the last to be
 * asked, may have read its operands before it says so.
 *
 *     emulate_vector.c   moves to and from vector registers
 *     emulate_native.c   shifts, multiplication, division, bit scans
 *     emulate_stack.c    pushes and pops, near branches, frames
 *     emulate_control.c  CR0 and CR4; the backend has what follows from them take place
 *     emulate_integer.c  arithmetic, moves, bits, conditions; debug registers
 */
enum emulate_result emulation_vector(struct emulation *m);
enum emulate_result emulation_native(struct emulation *m);
enum emulate_result emulation_stack(struct emulation *m);
enum emulate_result emulation_control(struct emulation *m);
enum emulate_result emulation_integer(struct emulation *m);

/* emulate_string.c: DONE: it ends; *goes_on: it has not done all of its count. */
enum emulate_result emulation_string(struct emulation *m, bool *goes_on);

#endif
