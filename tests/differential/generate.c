/* SPDX-License-Identifier: MIT */
/*
 * generate.c - random instructions of a form, with operands that are mostly where they should be:
 * exceptions are worth testing, but each costs as much as fifty other tests.
 */
#include <string.h>

#include "hw/x86.h"
#include "hypervisor/x86/cpu.h"
#include "lib/bits.h"
#include "tests/differential/generator.h"

#define XSAVE_XMM 160
#define XSAVE_YMM 576

#define FLAGS_RANDOM UINT64_C(0x8d5) /* OF SF ZF AF PF CF */

/* --- Memory -------------------------------------------------------------------------------- */

void generator_patch(struct generator *g, unsigned at, unsigned size, uint64_t value)
{
	memcpy(g->test->bytes + at, &value, size);
}

/* In 16-bit code all segments but the stack's begin at the data. */
static uint64_t segment_base(const struct test *test, unsigned segment)
{
	return test->code16 && segment != CPU_SS ? DATA16_BASE : 0;
}

static void set_register(struct generator *g, unsigned reg, uint64_t value)
{
	if (g->insn->address_size == 2)
		value = (g->state->gpr[reg] & ~UINT64_C(0xffff)) | (uint16_t)value;
	if (g->insn->address_size == 4 && !g->test->code32 && random_percent(g->r, 50))
		value = (uint32_t)value | random_next(g->r) << 32;
	g->state->gpr[reg] = g->test->code32 ? (uint32_t)value : value;
}

/* Where an operand of size bytes is to be: mostly aligned, and mostly there. */
static uint64_t target(struct generator *g, unsigned size)
{
	uint64_t bits = random_next(g->r);
	uint64_t at = AREA_DATA + 512 + (bits >> 16) % (AREA_WRITABLE - 1536);
	bool aligned = g->insn->attributes & DECODE_ALIGNED;

	if ((bits & 0xff) < (aligned ? 0xfau : 0x80u))
		at &= ~UINT64_C(63) | (bits >> 40 & (size >= 16 ? 0x30 : 0x3f & ~(size - 1)));
	if ((bits >> 8 & 0xff) < 8) /* at the boundary of the pages */
		at = AREA_DATA + AREA_PAGE - (bits >> 40 & 31);
	if ((bits >> 8 & 0xff) == 8) /* at the end, or where nothing can be written */
		at = AREA_DATA + AREA_READABLE - (bits >> 40 & 31);
	if ((bits >> 8 & 0xff) == 9)
		at = AREA_DATA + AREA_WRITABLE + (bits >> 40 & 0xff) - 32;
	return at;
}

/* Changes registers and the displacement so that the address is at, or about it. */
static bool aim(struct generator *g, uint64_t at)
{
	struct decode_insn *insn = g->insn;
	struct decode_memory *m = &insn->memory;
	uint64_t *gpr = g->state->gpr;
	uint64_t displacement = (uint64_t)m->displacement;
	bool vector = m->index != DECODE_NO_REG && m->index_class >= DECODE_XMM;
	uint64_t index = 0;

	at -= segment_base(g->test, m->segment);
	if (insn->address_size == 2 && at > UINT16_MAX)
		return false;
	if (m->base == DECODE_RIP) {
		generator_patch(g, insn->displacement_at, 4, at - (g->test->rip + insn->length));
		return true;
	}
	if (m->index != DECODE_NO_REG && !vector) {
		if (m->base == m->index) {
			set_register(g, m->base, (at - displacement) / (m->scale + 1u));
			return true;
		}
		if (m->base == DECODE_NO_REG)
			gpr[m->index] = random_below(g->r, 256);
		index = gpr[m->index] * m->scale;
	}
	if (m->base == DECODE_NO_REG)
		generator_patch(g, insn->displacement_at, insn->displacement_size, at - index);
	else
		set_register(g, m->base, at - displacement - index);
	return true;
}

uint64_t operand_address(const struct test *test, const struct decode_insn *insn,
			 const struct machine *state)
{
	const struct decode_memory *m = &insn->memory;
	uint64_t at = (uint64_t)m->displacement, base = segment_base(test, m->segment);

	if (m->base == DECODE_RIP)
		at += test->rip + insn->length;
	else if (m->base != DECODE_NO_REG)
		at += state->gpr[m->base];
	if (m->index != DECODE_NO_REG && m->index_class < DECODE_XMM)
		at += state->gpr[m->index] * m->scale;
	if (insn->address_size == 2)
		return base + (uint16_t)at;
	return insn->address_size == 8 ? at : (uint32_t)(base + (uint32_t)at);
}

static uint64_t address(const struct generator *g)
{
	return operand_address(g->test, g->insn, g->state);
}

/* Writes to both machines' memory, if it is an area's. */
void generator_poke(struct generator *g, uint64_t at, const void *bytes, size_t size)
{
	for (unsigned i = 0; i < 2; i++) {
		if (at >= AREA_DATA && at + size <= AREA_DATA + AREA_WRITABLE)
			memcpy(g->areas[i].data + (at - AREA_DATA), bytes, size);
		else if (at >= AREA_STACK && at + size <= AREA_STACK + AREA_WRITABLE)
			memcpy(g->areas[i].stack + (at - AREA_STACK), bytes, size);
	}
}

static void poke_random(struct generator *g, uint64_t at, unsigned size)
{
	uint8_t bytes[64];

	for (unsigned i = 0; i < sizeof(bytes); i += 16)
		random_vector(g->r, bytes + i);
	generator_poke(g, at, bytes, size < sizeof(bytes) ? size : sizeof(bytes));
}

static bool is_xsave(const struct decode_insn *insn)
{
	return insn->op == OP_XSAVE || insn->op == OP_XSAVEC || insn->op == OP_XSAVEOPT ||
	       insn->op == OP_XRSTOR;
}

/* FXSAVE, XSAVE and their like. */
bool generator_is_area(const struct decode_insn *insn)
{
	return is_xsave(insn) || insn->op == OP_FXSAVE || insn->op == OP_FXRSTOR;
}

static unsigned memory_size(const struct decode_insn *insn)
{
	for (unsigned i = 0; i < insn->operand_count; i++)
		if (insn->operand[i].kind == DECODE_MEMORY)
			return insn->operand[i].size ? insn->operand[i].size : 64;
	return 0;
}

static bool uses_register(const struct decode_insn *insn, unsigned reg)
{
	return insn->memory.base == reg || insn->memory.index == reg;
}

bool generator_has_memory(const struct decode_insn *insn)
{
	for (unsigned i = 0; i < insn->operand_count; i++)
		if (insn->operand[i].kind == DECODE_MEMORY)
			return true;
	return false;
}

/* --- What some instructions need ----------------------------------------------------------- */

/* Somewhere in the INT3s, or where there is nothing. */
static uint64_t branch_target(struct generator *g)
{
	uint64_t bits = random_next(g->r);

	return (bits & 7 ? AREA_CODE + 0x80000 : 0x24000000) + (bits >> 8 & 0xffff);
}

static void fix_branch(struct generator *g)
{
	struct decode_insn *insn = g->insn;
	struct decode_operand *operand = &insn->operand[0];
	uint64_t to = branch_target(g);

	if (operand->kind == DECODE_RELATIVE && insn->immediate_size == 1)
		generator_patch(g, insn->immediate_at, 1,
				random_percent(g->r, 50) ? 32 + random_below(g->r, 64)
							 : 0x80 + random_below(g->r, 64));
	else if (operand->kind == DECODE_RELATIVE)
		generator_patch(g, insn->immediate_at, insn->immediate_size,
				to - (g->test->rip + insn->length));
	else if (operand->kind == DECODE_MEMORY)
		generator_poke(g, address(g), &to, 8);
	else if (operand->kind == DECODE_REGISTER && operand->class == DECODE_GPR &&
		 insn->opcode == 0xff)
		g->state->gpr[operand->reg] = to;
	else /* RET */
		generator_poke(g, g->state->gpr[RSP], &to, 8);
	if (operand->kind == DECODE_RELATIVE)
		g->state->gpr[RCX] = random_below(g->r, 3);
}

static void fix_stack(struct generator *g)
{
	uint64_t flags =
		(random_next(g->r) & (FLAGS_RANDOM | RFLAGS_DF)) | RFLAGS_RESERVED_ONE | RFLAGS_IF;
	uint64_t top = AREA_STACK + 1024 + random_below(g->r, AREA_WRITABLE - 2048);

	if (random_percent(g->r, 90))
		top &= ~UINT64_C(7);
	if (g->insn->op == OP_LEAVE || g->insn->op == OP_ENTER) {
		g->state->gpr[RBP] = top;
		top -= random_below(g->r, 512);
	}
	g->state->gpr[RSP] = top;
	if (g->insn->op == OP_POPF)
		generator_poke(g, top, &flags, 8);
}

static void fix_strings(struct generator *g)
{
	struct decode_insn *insn = g->insn;

	for (unsigned i = 0; i < insn->operand_count; i++) {
		struct decode_operand *operand = &insn->operand[i];

		if (operand->kind != DECODE_STRING)
			continue;
		set_register(g, operand->reg,
			     target(g, operand->size ? operand->size : 1) -
				     segment_base(g->test, CPU_DS));
	}
	if (insn->rep && insn->attributes & DECODE_REPEATABLE)
		set_register(g, RCX, random_below(g->r, 12));
}

/* An offset in bits that stays within the area, more or less. */
static void fix_bit_offset(struct generator *g)
{
	struct decode_operand *offset = &g->insn->operand[1];

	if (offset->kind == DECODE_REGISTER)
		g->state->gpr[offset->reg] = random_below(g->r, 4096) - 2048;
	if (g->test->code32 && offset->kind == DECODE_REGISTER)
		g->state->gpr[offset->reg] &= UINT32_MAX;
}

/* Mostly a quotient that fits. */
static void fix_division(struct generator *g)
{
	uint64_t *gpr = g->state->gpr;

	if (random_percent(g->r, 5))
		return;
	gpr[RDX] = 0;
	gpr[RAX] = g->insn->operand_size == 1 ? random_next(g->r) & 0x7f : gpr[RAX];
	if (g->insn->op == OP_IDIV && g->insn->operand_size > 1) {
		unsigned bits = g->insn->operand_size * 8u;

		gpr[RDX] = gpr[RAX] >> (bits - 1) & 1 ? UINT64_MAX : 0;
	}
	if (g->test->code32)
		gpr[RDX] = (uint32_t)gpr[RDX];
}

static void fix_gather(struct generator *g)
{
	struct decode_memory *m = &g->insn->memory;
	unsigned size = g->insn->opcode & 1 ? 8 : 4;

	for (unsigned i = 0; i < 32; i += size) {
		int64_t index = (int64_t)random_below(g->r, 64) - 8;
		uint8_t *at = g->state->xsave + (i < 16 ? XSAVE_XMM : XSAVE_YMM) +
			      (size_t)m->index * 16 + i % 16;

		if (random_percent(g->r, 1))
			index = 0x20000;
		memcpy(at, &index, size);
	}
}

/* Half of the comparisons are to find the same. */
static void fix_compare(struct generator *g)
{
	struct decode_operand *to = &g->insn->operand[0];

	if (random_percent(g->r, 50))
		return;
	if (to->kind == DECODE_REGISTER && to->class == DECODE_GPR) {
		g->state->gpr[RAX] = g->state->gpr[to->reg];
	} else if (to->kind == DECODE_MEMORY) {
		uint64_t value[2] = {g->state->gpr[RAX], g->state->gpr[RDX]};

		if (g->insn->op == OP_CMPXCHG8B)
			value[0] = (uint32_t)value[0] | value[1] << 32;
		generator_poke(g, address(g), value, to->size);
	}
}

/* Headers of both forms, with what isn't there left out. */
static void fix_xrstor(struct generator *g, uint64_t at, struct machine *other)
{
	uint64_t bits = random_next(g->r), xstate = bits & 7, compact = xstate | (bits >> 8 & 7);
	uint8_t *header = other->xsave + XSAVE_HEADER;

	store_le64(header, xstate);
	if (bits & 0x10000)
		store_le64(header + 8, compact | UINT64_C(1) << 63);
	if ((bits >> 20 & 0xff) == 0) /* something that isn't valid */
		store_le64(header + (bits >> 28 & 7) * 8, bits >> 32);
	if ((bits >> 20 & 0xff) == 1)
		store_le32(other->xsave + XSAVE_MXCSR, (uint32_t)bits);
	generator_poke(g, at, other->xsave, sizeof(other->xsave));
}

/* What is loaded is mostly a state that can be. */
static void fix_area(struct generator *g)
{
	struct machine other;
	uint64_t at = address(g);

	random_machine(g->r, &other, g->test->code32);
	if (is_xsave(g->insn)) {
		/* Components 3 to 18 are left out: the host's CPU may have them. */
		g->state->gpr[RAX] =
			(random_next(g->r) & ~UINT64_C(0x7ffff)) | random_below(g->r, 8);
		if (random_percent(g->r, 50))
			g->state->gpr[RAX] |= 7;
		if (g->test->code32)
			g->state->gpr[RAX] &= UINT32_MAX;
		at = address(g);
	}
	if (g->insn->op == OP_XRSTOR)
		fix_xrstor(g, at, &other);
	if (g->insn->op == OP_FXRSTOR)
		generator_poke(g, at, other.xsave, 512);
	if (g->insn->op == OP_LDMXCSR) {
		uint32_t mxcsr = (uint32_t)(random_next(g->r) & 0xe03f) | 0x1f80;

		if (random_percent(g->r, 2))
			mxcsr = (uint32_t)random_next(g->r) & 0x1ffff;
		generator_poke(g, at, &mxcsr, 4);
	}
	if (g->insn->op == OP_FRSTOR || g->insn->op == OP_FLDENV) {
		uint16_t control[2] = {load_le16(other.xsave), load_le16(other.xsave + 2)};

		if (g->insn->operand_size != 2)
			generator_poke(g, at, &control[0], 2);
		generator_poke(g, at + (g->insn->operand_size == 2 ? 2 : 4), &control[1], 2);
		generator_poke(g, at, &control[0], 2);
	}
	if (g->insn->op == OP_FLDCW)
		generator_poke(g, at, other.xsave, 2);
}

static void fix_operands(struct generator *g)
{
	struct decode_insn *insn = g->insn;

	if (insn->attributes & DECODE_STACK)
		fix_stack(g);
	if (insn->attributes & DECODE_BRANCH)
		fix_branch(g);
	switch (insn->op) {
	case OP_BT:
	case OP_BTC:
	case OP_BTR:
	case OP_BTS:
		fix_bit_offset(g);
		break;
	case OP_DIV:
	case OP_IDIV:
		fix_division(g);
		break;
	case OP_CMPXCHG:
	case OP_CMPXCHG8B:
	case OP_CMPXCHG16B:
		fix_compare(g);
		break;
	case OP_XSAVE:
	case OP_XSAVEC:
	case OP_XSAVEOPT:
	case OP_XRSTOR:
	case OP_FXRSTOR:
	case OP_LDMXCSR:
	case OP_FRSTOR:
	case OP_FLDENV:
	case OP_FLDCW:
		fix_area(g);
		break;
	}
}

/* --- State --------------------------------------------------------------------------------- */

static void refresh_operand(struct generator *g, const struct decode_operand *operand)
{
	struct machine *state = g->state;

	if (operand->kind != DECODE_REGISTER || random_percent(g->r, 20))
		return;
	switch (operand->class) {
	case DECODE_GPR:
		state->gpr[operand->reg & 15] = random_integer(g->r);
		break;
	case DECODE_GPR_HIGH:
		state->gpr[operand->reg & 3] = random_integer(g->r);
		break;
	case DECODE_XMM:
	case DECODE_YMM:
		random_vector(g->r, state->xsave + XSAVE_XMM + (operand->reg & 15) * 16u);
		random_vector(g->r, state->xsave + XSAVE_YMM + (operand->reg & 15) * 16u);
		break;
	default:
		break;
	}
}

/* What dot products raise on their way, with exceptions unmasked, is the CPU's own. */
static void refresh_mxcsr(struct generator *g)
{
	bool dot = g->insn->op == OP_DPPS || g->insn->op == OP_DPPD;
	uint64_t bits = random_next(g->r);
	uint32_t mxcsr = 0x1f80;

	if (bits & 1)
		mxcsr |= bits >> 8 & 0xe07f; /* rounding, FTZ, DAZ, flags */
	if (bits >> 32 < 0x04000000 && !dot)
		mxcsr &= ~(uint32_t)(random_next(g->r) & 0x1f80);
	store_le32(g->state->xsave + XSAVE_MXCSR, mxcsr);
}

void generator_refresh(struct generator *g)
{
	struct decode_insn *insn = g->insn;
	struct machine *state = g->state;

	for (unsigned i = 0; i < insn->operand_count; i++)
		refresh_operand(g, &insn->operand[i]);
	if (g->test->code32)
		for (unsigned i = 0; i < 8; i++) {
			state->gpr[i] = (uint32_t)state->gpr[i];
			state->gpr[i + 8] = 0;
		}
	state->rflags = (random_next(g->r) & FLAGS_RANDOM) | RFLAGS_RESERVED_ONE | RFLAGS_IF;
	if (random_percent(g->r, 15))
		state->rflags |= RFLAGS_DF;
	if (insn->attributes & (DECODE_X87_INSN | DECODE_MMX_INSN) && random_percent(g->r, 80))
		random_x87(g->r, state->xsave);
	refresh_mxcsr(g);
}

const struct form *generator_any_form(struct random *r, const struct forms *forms)
{
	size_t op = random_below(r, forms->ops), first = forms->first[op];

	return &forms->form[first + random_below(r, forms->first[op + 1] - first)];
}

void generate(struct random *r, const struct forms *forms, struct test *test,
	      struct decode_insn *insn, struct machine *state, struct areas areas[2])
{
	struct generator g = {.r = r, .test = test, .insn = insn, .state = state, .areas = areas};

	test->single = true;
	for (;;) {
		uint64_t at;

		if (!generator_try(&g, generator_any_form(r, forms)))
			continue;
		generator_refresh(&g);
		if (!generator_has_memory(insn))
			break;
		if (insn->memory.index_class >= DECODE_XMM && insn->memory.index != DECODE_NO_REG)
			fix_gather(&g);
		at = target(&g, memory_size(insn));
		if (generator_is_area(insn) && random_percent(r, 97))
			at &= ~UINT64_C(63);
		/* SHA's want alignment on Intel's CPUs alone. */
		if (insn->feature == FEATURE_SHA)
			at &= ~UINT64_C(15);
		/* EDX:EAX says which components. */
		if (is_xsave(insn) && uses_register(insn, RAX))
			continue;
		if (aim(&g, at) && (insn->feature != FEATURE_SHA || !(address(&g) & 15))) {
			if (random_percent(r, 70))
				poke_random(&g, at, memory_size(insn));
			break;
		}
	}
	fix_strings(&g);
	/* The displacement may have been changed. */
	decode(test_mode(test), test->bytes, DECODE_LENGTH_MAX, insn);
	fix_operands(&g);
	decode(test_mode(test), test->bytes, DECODE_LENGTH_MAX, insn);
	state->rip = test->rip;
}
