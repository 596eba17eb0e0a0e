/* SPDX-License-Identifier: MIT */
/* decode_internal.h - what the decoder's two parts share: the bytes being read, and the operands.
 */
#ifndef DYAD_LIB_DECODE_INTERNAL_H
#define DYAD_LIB_DECODE_INTERNAL_H

#include "lib/decode.h"
#include "lib/decode_entry.h"

struct decode_state {
	const uint8_t *bytes;
	uint8_t at, limit; /* at <= limit <= DECODE_LENGTH_MAX */
	bool mode64;
	uint8_t prefix; /* the mandatory one, as VEX.pp has it */
};

/* The next byte; false if the bytes have ended. */
static inline bool decode_peek(const struct decode_state *state, uint8_t *byte)
{
	if (state->at == state->limit)
		return false;
	*byte = state->bytes[state->at];
	return true;
}

static inline bool decode_byte(struct decode_state *state, uint8_t *byte)
{
	if (!decode_peek(state, byte))
		return false;
	state->at++;
	return true;
}

/* What it means that the bytes have ended. */
static inline enum decode_result decode_ended(const struct decode_state *state)
{
	return state->limit == DECODE_LENGTH_MAX ? DECODE_TOO_LONG : DECODE_SHORT;
}

/* Reads what follows ModRM and fills in the operands. insn has its prefixes, ModRM and sizes. */
enum decode_result decode_operands(struct decode_state *state, const struct decode_form *form,
				   struct decode_insn *insn);

#endif
