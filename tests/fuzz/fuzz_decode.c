/* SPDX-License-Identifier: MIT */
/* Decodes anything: no more bytes are read than there are, and what comes out is within bounds. */
#include <stdlib.h>
#include <string.h>

#include "lib/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check_operand(const struct decode_operand *operand)
{
	require(operand->kind > DECODE_NONE && operand->kind <= DECODE_STRING);
	require(operand->access <= (DECODE_READ | DECODE_WRITE));
	require(operand->size <= 32);
	if (operand->kind != DECODE_REGISTER)
		return;
	require(operand->class <= DECODE_YMM);
	require(operand->reg < 16);
	if (operand->class == DECODE_GPR_HIGH)
		require(operand->reg < 4);
	if (operand->class == DECODE_X87 || operand->class == DECODE_MMX)
		require(operand->reg < 8);
	if (operand->class == DECODE_SEGMENT)
		require(operand->reg < 6);
}

static void check(const struct decode_insn *insn, size_t size)
{
	const struct decode_memory *memory = &insn->memory;
	unsigned i;

	require(insn->length >= 1 && insn->length <= size && insn->length <= DECODE_LENGTH_MAX);
	require(insn->op > OP_NONE && insn->op < OP_COUNT);
	require(insn->feature < FEATURE_COUNT);
	require(insn->mode <= DECODE_64);
	require(insn->operand_count <= DECODE_OPERANDS_MAX);
	for (i = 0; i < insn->operand_count; i++)
		check_operand(&insn->operand[i]);
	require(memory->segment < 6);
	require(memory->base < 16 || memory->base == DECODE_RIP || memory->base == DECODE_NO_REG);
	require(memory->index < 16 || memory->index == DECODE_NO_REG);
	require(insn->opcode_at < insn->length && insn->modrm_at < insn->length);
	require(insn->displacement_at + insn->displacement_size <= insn->length);
	require(insn->immediate_at + insn->immediate_size <= insn->length);
	require(!(insn->flags_undefined & ~insn->flags_written));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct decode_insn insn, again;
	uint8_t *copy;
	unsigned mode;

	if (size < 1)
		return 0;
	copy = malloc(size); /* of the exact size, for the sanitizer */
	memcpy(copy, data, size);
	for (mode = DECODE_16; mode <= DECODE_64_INTEL; mode++) {
		if (decode(mode, copy, size, &insn) != DECODE_OK) {
			require(insn.length <= DECODE_LENGTH_MAX && insn.length <= size);
			continue;
		}
		check(&insn, size);
		/* What lies behind it does not matter, and nothing less will do. */
		require(decode(mode, copy, insn.length, &again) == DECODE_OK);
		require(!memcmp(&insn, &again, sizeof(insn)));
		if (insn.length > 1)
			require(decode(mode, copy, insn.length - 1, &again) == DECODE_SHORT);
	}
	free(copy);
	return 0;
}
