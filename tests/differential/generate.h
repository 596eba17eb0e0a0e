/* SPDX-License-Identifier: MIT */
/*
 * generate.h - random tests: an instruction of a form, and a state in which its operands are where
 * they can be.
 */
#ifndef DYAD_TESTS_DIFFERENTIAL_GENERATE_H
#define DYAD_TESTS_DIFFERENTIAL_GENERATE_H

#include "tests/differential/forms.h"
#include "tests/differential/machine.h"

struct random {
	uint64_t state;
};
uint64_t random_next(struct random *r);
static inline uint64_t random_below(struct random *r, uint64_t limit)
{
	return (random_next(r) >> 11) % limit;
}
static inline bool random_percent(struct random *r, unsigned percent)
{
	return random_below(r, 100) < percent;
}

/* Numbers near the corners of all sizes, and any. */
uint64_t random_integer(struct random *r);
void random_vector(struct random *r, uint8_t bytes[16]);
void random_x87(struct random *r, uint8_t *xsave);
/* All of it, with control words that mask everything. */
void random_machine(struct random *r, struct machine *machine, bool code32);

static inline enum decode_mode test_mode(const struct test *test)
{
	return test->code16 ? DECODE_16 : test->code32 ? DECODE_32 : DECODE_64;
}

/* Where the memory operand is: its linear address. */
uint64_t operand_address(const struct test *test, const struct decode_insn *insn,
			 const struct machine *state);

/*
 * Makes test, of one of forms, at test->rip (given), and changes what its operands need in state
 * and in both machines' memory.
 */
void generate(struct random *r, const struct forms *forms, struct test *test,
	      struct decode_insn *insn, struct machine *state, struct areas areas[2]);

/* Where a sequence's memory is: operands, what is saved and what is loaded as a whole. */
#define SEQUENCE_BASE (AREA_DATA + 512)
#define SEQUENCE_OPERANDS 1024
#define SEQUENCE_SAVE 2048
#define SEQUENCE_ENVIRONMENT 3072
#define SEQUENCE_AREA 4096

/*
 * The same for a sequence of instructions without branches or stack, all of whose operands in
 * memory are at RBX: what is loaded in the CPU between them is seen to be right.  insn has the
 * flags of all of them.
 */
void generate_sequence(struct random *r, const struct forms *forms, struct test *test,
		       struct decode_insn *insn, struct machine *state, struct areas areas[2]);

#endif
