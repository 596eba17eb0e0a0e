/* SPDX-License-Identifier: MIT */
/* compare.h - decodes bytes with lib/decode.h and with Zydis, and says where the two differ. */
#ifndef DYAD_TESTS_DECODE_COMPARE_H
#define DYAD_TESTS_DECODE_COMPARE_H

#include <Zydis/Zydis.h>

#include "lib/decode.h"

#define MODES 4 /* those of enum decode_mode */

struct compared {
	enum decode_mode mode;
	const uint8_t *bytes;
	size_t size;
	enum decode_result result;
	struct decode_insn ours;
	ZyanStatus status;
	ZydisDecodedInstruction theirs;
	ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];
};

struct comparer {
	ZydisDecoder decoder[MODES];
	uint8_t named[OP_COUNT][2][ZYDIS_MNEMONIC_MAX_VALUE + 1]; /* 1: the names agree */
	struct compared last;
};

void comparer_init(struct comparer *comparer);

/* Returns what differs, for comparer->last; NULL: nothing does. */
const char *compare(struct comparer *comparer, enum decode_mode mode, const uint8_t *bytes,
		    size_t size);

/* Why that difference is right as it is; NULL: it isn't known. (known.c) */
const char *known_difference(const struct compared *compared, const char *what);

#endif
