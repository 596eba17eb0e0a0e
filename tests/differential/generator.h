/* SPDX-License-Identifier: MIT */
/* generator.h - what the parts of the generator of tests share. */
#ifndef DYAD_TESTS_DIFFERENTIAL_GENERATOR_H
#define DYAD_TESTS_DIFFERENTIAL_GENERATOR_H

#include "tests/differential/generate.h"

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };

#define XSAVE_MXCSR 24
#define XSAVE_HEADER 512

struct generator {
	struct random *r;
	struct test *test;
	struct decode_insn *insn;
	struct machine *state;
	struct areas *areas; /* of both machines */
};

const struct form *generator_any_form(struct random *r, const struct forms *forms);
/* Makes an instruction of the form, with random fields; false: those can't be. */
bool generator_try(struct generator *g, const struct form *form);
/* Changes a number in its bytes. */
void generator_patch(struct generator *g, unsigned at, unsigned size, uint64_t value);
/* Writes to both machines' memory, if it is an area's. */
void generator_poke(struct generator *g, uint64_t at, const void *bytes, size_t size);
/* New values for the instruction's registers, flags and control words. */
void generator_refresh(struct generator *g);
bool generator_has_memory(const struct decode_insn *insn);
/* FXSAVE, XSAVE and their like. */
bool generator_is_area(const struct decode_insn *insn);

#endif
