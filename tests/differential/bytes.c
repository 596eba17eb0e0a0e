/* SPDX-License-Identifier: MIT */
/*
 * bytes.c - the bytes of a random instruction: prefixes, registers, forms of addresses, immediates.
 */
#include <string.h>

#include "lib/bits.h"
#include "tests/differential/generator.h"

static unsigned put_prefixes(struct random *r, const struct form *form, const struct test *test,
			     uint8_t *bytes)
{
	static const uint8_t segments64[] = {0x26, 0x2e, 0x36, 0x3e, 0x65};
	static const uint8_t segments32[] = {0x26, 0x36, 0x3e};
	static const uint8_t mandatory[] = {0, 0x66, 0xf3, 0xf2};
	bool memory = !form->has_modrm || form->modrm < 0xc0;
	unsigned at = 0;

	if (random_percent(r, 6))
		bytes[at++] = test->code32 ? segments32[random_below(r, sizeof(segments32))]
					   : segments64[random_below(r, sizeof(segments64))];
	if (test->code16 ? random_percent(r, 40) : !test->code32 && random_percent(r, 6))
		bytes[at++] = 0x67;
	if (memory && form->encoding == DECODE_LEGACY && random_percent(r, 10))
		bytes[at++] = 0xf0;
	if (form->encoding == DECODE_LEGACY && form->prefix)
		bytes[at++] = mandatory[form->prefix];
	return at;
}

static unsigned put_vex(struct random *r, const struct form *form, bool code32, uint8_t *bytes)
{
	uint64_t bits = random_next(r);
	/* Inverted: R, X, B. */
	uint8_t rxb = code32 ? 0xe0 : (uint8_t)(bits & 0xe0);
	uint8_t vvvv = (uint8_t)((bits & 0x300 ? bits >> 16 & 15 : 15) << 3);
	uint8_t l_pp = (uint8_t)((form->l ? 4 : 0) | form->prefix);

	if (code32)
		vvvv |= 0x40;
	if (form->map == 1 && !form->w && (rxb & 0x60) == 0x60 && bits >> 20 & 1) {
		bytes[0] = 0xc5;
		bytes[1] = (rxb & 0x80) | vvvv | l_pp;
		return 2;
	}
	bytes[0] = 0xc4;
	bytes[1] = rxb | form->map;
	bytes[2] = (uint8_t)(form->w ? 0x80 : 0) | vvvv | l_pp;
	return 3;
}

static unsigned put_modrm(struct random *r, const struct form *form, uint8_t *bytes)
{
	uint64_t bits = random_next(r);
	unsigned mod = bits % 3, rm = bits >> 8 & 7, at = 0;

	if (form->modrm >= 0xc0) {
		bytes[0] = form->modrm;
		return 1;
	}
	bytes[at++] = (uint8_t)(mod << 6 | (form->modrm & 0x38) | rm);
	if (rm == 4)
		bytes[at++] = (uint8_t)(bits >> 16);
	return at;
}

static unsigned put_bytes(struct random *r, const struct form *form, const struct test *test,
			  uint8_t *bytes)
{
	bool code32 = test->code32;
	unsigned at = put_prefixes(r, form, test, bytes), rex;

	if (form->encoding == DECODE_VEX) {
		at += put_vex(r, form, code32, bytes + at);
	} else {
		rex = (form->w ? 8 : 0) | (random_percent(r, 60) ? random_below(r, 8) : 0);
		if (!code32 && (rex || random_percent(r, 20)))
			bytes[at++] = (uint8_t)(0x40 | rex);
		if (form->map)
			bytes[at++] = 0x0f;
		if (form->map > 1)
			bytes[at++] = form->map == 2 ? 0x38 : 0x3a;
	}
	bytes[at++] = form->opcode;
	if (form->has_modrm)
		at += put_modrm(r, form, bytes + at);
	return at;
}

bool generator_try(struct generator *g, const struct form *form)
{
	struct test *test = g->test;
	unsigned at;

	for (unsigned i = 0; i < 16; i += 8)
		store_le64(test->bytes + i, random_integer(g->r));
	at = put_bytes(g->r, form, test, test->bytes);
	if (decode(test_mode(test), test->bytes, DECODE_LENGTH_MAX, g->insn) != DECODE_OK ||
	    g->insn->op != form->op || g->insn->length < at)
		return false;
	test->length = g->insn->length;
	return true;
}
