/* SPDX-License-Identifier: MIT */
/*
 * forms.h - which instruction forms there are to test: the decoder is asked for all opcodes.
 */
#ifndef DYAD_TESTS_DIFFERENTIAL_FORMS_H
#define DYAD_TESTS_DIFFERENTIAL_FORMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/decode.h"

/* All of an instruction that isn't registers, addresses or immediates. */
struct form {
	uint16_t op;
	uint8_t encoding, map, opcode;
	uint8_t prefix; /* as VEX.pp: none, 66, F3, F2 */
	bool w, l, has_modrm;
	uint8_t modrm; /* mod is 0 or 3; reg counts, rm if mod is 3 */
};

struct forms {
	struct form *form;
	size_t count;
	/* Those of one op stand together: from first[i] up to first[i + 1]. */
	size_t *first;
	size_t ops;
};

/* only: an op's name, or NULL for all. */
bool forms_list(struct forms *forms, enum decode_mode mode, const char *only);
void forms_free(struct forms *forms);

/* The form's bytes, without any prefix that isn't its own; returns how many. */
unsigned form_bytes(const struct form *form, uint8_t bytes[DECODE_LENGTH_MAX]);

#endif
