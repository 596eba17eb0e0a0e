/* SPDX-License-Identifier: MIT */
/*
 * sequence.c - random instructions one after another, with operands that none of them moves.
 */
#include <string.h>

#include "hw/x86.h"
#include "lib/bits.h"
#include "tests/differential/generator.h"

#define SEQUENCE_MAX 8

static bool saves_state(const struct decode_insn *insn)
{
	return insn->op == OP_FXSAVE || insn->op == OP_FNSTENV || insn->op == OP_FNSAVE;
}

static bool loads_state(const struct decode_insn *insn)
{
	return insn->op == OP_LDMXCSR || insn->op == OP_FXRSTOR || insn->op == OP_XRSTOR ||
	       insn->op == OP_FRSTOR || insn->op == OP_FLDENV || insn->op == OP_FLDCW;
}

static bool keeps_rbx(const struct decode_insn *insn)
{
	for (unsigned i = 0; i < insn->operand_count; i++) {
		const struct decode_operand *operand = &insn->operand[i];
		bool general = operand->kind == DECODE_REGISTER &&
			       (operand->class == DECODE_GPR || operand->class == DECODE_GPR_HIGH);

		if (operand->kind == DECODE_STRING)
			return false;
		if (general && operand->access & DECODE_WRITE && operand->reg == RBX)
			return false;
	}
	return true;
}

/* Those that can follow any other. */
static bool follows(const struct decode_insn *insn)
{
	static const uint16_t others[] = {
		OP_DIV,    OP_IDIV,     OP_BT,    OP_BTC,
		OP_BTR,    OP_BTS,      OP_BOUND, /* fault too often */
		OP_DPPS,   OP_DPPD,               /* see refresh_mxcsr() */
		OP_XSAVEC, OP_XSAVEOPT,           /* what was cleared may be in use or not */
		OP_XSAVE, /* any EAX: of components that only the host has */
	};

	for (size_t i = 0; i < ARRAY_COUNT(others); i++)
		if (insn->op == others[i])
			return false;
	if (insn->attributes & (DECODE_STACK | DECODE_BRANCH) || insn->lock || !keeps_rbx(insn))
		return false;
	return !generator_has_memory(insn) ||
	       (insn->memory.base == RBX && insn->memory.index == DECODE_NO_REG &&
		insn->displacement_size == 4 && insn->address_size != 2);
}

static void sequence_operand(struct generator *g)
{
	struct decode_insn *insn = g->insn;
	uint64_t at = random_below(g->r, SEQUENCE_OPERANDS);

	if (!generator_has_memory(insn))
		return;
	if (insn->attributes & DECODE_ALIGNED || generator_is_area(insn) ||
	    insn->feature == FEATURE_SHA || random_percent(g->r, 60))
		at &= ~UINT64_C(63);
	if (saves_state(insn))
		at = insn->attributes & DECODE_X87_INSN ? SEQUENCE_ENVIRONMENT : SEQUENCE_SAVE;
	else if (insn->op == OP_XRSTOR || insn->op == OP_FXRSTOR)
		at = SEQUENCE_AREA;
	else if (insn->op == OP_LDMXCSR)
		at = SEQUENCE_AREA + XSAVE_MXCSR;
	else if (loads_state(insn))
		at = SEQUENCE_AREA + 1024;
	generator_patch(g, insn->displacement_at, 4, at);
}

static void sequence_areas(struct generator *g)
{
	struct machine other;
	uint8_t environment[128] = {0};
	uint64_t at = SEQUENCE_BASE + SEQUENCE_AREA;

	random_machine(g->r, &other, g->test->code32);
	store_le64(other.xsave + XSAVE_HEADER, random_below(g->r, 8));
	generator_poke(g, at, other.xsave, sizeof(other.xsave));
	memcpy(environment, other.xsave, 2);
	generator_poke(g, at + 1024, environment, sizeof(environment));
}

void generate_sequence(struct random *r, const struct forms *forms, struct test *test,
		       struct decode_insn *insn, struct machine *state, struct areas areas[2])
{
	struct test one = {.code32 = test->code32, .code16 = test->code16};
	struct generator g = {.r = r, .test = &one, .insn = insn, .state = state, .areas = areas};
	uint32_t undefined = 0;
	unsigned count = 2 + (unsigned)random_below(r, SEQUENCE_MAX - 1);

	test->single = false;
	test->length = 0;
	while (count) {
		if (!generator_try(&g, generator_any_form(r, forms)) || !follows(insn) ||
		    insn->flags_read & undefined || (test->code16 && generator_has_memory(insn)))
			continue;
		sequence_operand(&g);
		memcpy(test->bytes + test->length, one.bytes, one.length);
		test->length += one.length;
		undefined &= ~insn->flags_written;
		undefined |= insn->flags_undefined;
		count--;
	}
	generator_refresh(&g);
	sequence_areas(&g);
	random_x87(r, state->xsave);
	state->gpr[RBX] = SEQUENCE_BASE;
	state->rip = test->rip;
	insn->flags_undefined = undefined;
}
