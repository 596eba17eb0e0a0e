/* SPDX-License-Identifier: MIT */
/*
 * forms.c - all opcodes with all prefixes, through the decoder; what it knows, and can be run in
 * user mode with the same result at any time and place, is a form to test.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/bits.h"
#include "tests/differential/forms.h"

/* Behind a form's bytes: as SIB it names registers that gathers accept beside most others. */
#define FILLER 0x10

static const uint16_t excluded[] = {
	/* Different each time, or in each place. */
	OP_CPUID,
	OP_RDTSC,
	OP_RDTSCP,
	OP_RDPMC,
	OP_RDRAND,
	OP_RDSEED,
	OP_RDPID,
	OP_RDPRU,
	OP_XGETBV,
	OP_SGDT,
	OP_SIDT,
	OP_SLDT,
	OP_STR,
	OP_SMSW,
	OP_LAR,
	OP_LSL,
	OP_VERR,
	OP_VERW,
	OP_MONITOR,
	OP_MWAIT,
	OP_MONITORX,
	OP_MWAITX,
	OP_RDPKRU,
	OP_WRPKRU,
	OP_RDFSBASE,
	OP_RDGSBASE,
	OP_WRFSBASE,
	OP_WRGSBASE,
	/* Segments, and what may take the test's own process away. */
	OP_LDS,
	OP_LES,
	OP_LSS,
	OP_LFS,
	OP_LGS,
	OP_VMCALL,
	OP_VMMCALL,
	OP_CLZERO,
	/* No fault but in the kernel's hands. */
	OP_INT1,
	OP_INT3,
	OP_INTO,
	OP_CLI,
	OP_STI,
	OP_PAUSE,
};

static bool segment_operand(const struct decode_insn *insn)
{
	for (unsigned i = 0; i < insn->operand_count; i++)
		if (insn->operand[i].kind == DECODE_REGISTER &&
		    insn->operand[i].class >= DECODE_SEGMENT &&
		    insn->operand[i].class <= DECODE_DEBUG)
			return true;
	return false;
}

static bool testable(const struct decode_insn *insn)
{
	/* AMD's CPUs take REP prefixes for the condition. */
	if (insn->rep && (insn->op == OP_LOOPE || insn->op == OP_LOOPNE))
		return false;
	if (insn->attributes & (DECODE_PRIVILEGED | DECODE_IO | DECODE_FAR_TRANSFER) ||
	    insn->feature == FEATURE_VMX || insn->feature == FEATURE_SVM || segment_operand(insn))
		return false;
	for (size_t i = 0; i < ARRAY_COUNT(excluded); i++)
		if (insn->op == excluded[i])
			return false;
	return true;
}

unsigned form_bytes(const struct form *form, uint8_t bytes[DECODE_LENGTH_MAX])
{
	static const uint8_t prefixes[] = {0, 0x66, 0xf3, 0xf2};
	unsigned at = 0;

	if (form->encoding == DECODE_VEX) {
		bytes[at++] = 0xc4;
		bytes[at++] = 0xe0 | form->map;
		bytes[at++] =
			(uint8_t)((form->w ? 0x80 : 0) | 0x78 | (form->l ? 4 : 0) | form->prefix);
	} else {
		if (form->prefix)
			bytes[at++] = prefixes[form->prefix];
		if (form->w)
			bytes[at++] = 0x48;
		if (form->map)
			bytes[at++] = 0x0f;
		if (form->map > 1)
			bytes[at++] = form->map == 2 ? 0x38 : 0x3a;
	}
	bytes[at++] = form->opcode;
	if (form->has_modrm)
		bytes[at++] = form->modrm;
	return at;
}

static bool is_prefix(const struct form *form, enum decode_mode mode)
{
	static const uint8_t prefixes[] = {0x0f, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65,
					   0x66, 0x67, 0xf0, 0xf2, 0xf3, 0xc4, 0xc5};

	if (form->encoding == DECODE_VEX || form->map > 1)
		return false;
	if (form->map == 1)
		return form->opcode == 0x38 || form->opcode == 0x3a;
	if (mode == DECODE_64 && form->opcode >> 4 == 4)
		return true;
	for (size_t i = 0; i < sizeof(prefixes); i++)
		if (form->opcode == prefixes[i])
			return true;
	return false;
}

/* Adds the form if there is such an instruction.  false: no memory. */
static bool add(struct forms *forms, struct form *form, enum decode_mode mode, const char *only)
{
	uint8_t bytes[DECODE_LENGTH_MAX];
	struct decode_insn insn;
	struct form *grown;

	memset(bytes, FILLER, sizeof(bytes));
	form_bytes(form, bytes);
	if (decode(mode, bytes, sizeof(bytes), &insn) != DECODE_OK)
		return true;
	/* Without ModRM its bits are none of the instruction's: once is enough. */
	if (insn.has_modrm != form->has_modrm || !testable(&insn) ||
	    (only && strcmp(only, decode_op_name(insn.op)) != 0))
		return true;
	if (!(forms->count & (forms->count - 1))) {
		grown = realloc(forms->form,
				(forms->count ? forms->count * 2 : 1) * sizeof(*grown));
		if (!grown)
			return false;
		forms->form = grown;
	}
	form->op = insn.op;
	forms->form[forms->count++] = *form;
	return true;
}

static bool add_opcode(struct forms *forms, struct form *form, enum decode_mode mode,
		       const char *only)
{
	form->has_modrm = false;
	if (!add(forms, form, mode, only))
		return false;
	form->has_modrm = true;
	for (unsigned reg = 0; reg < 8; reg++) {
		form->modrm = (uint8_t)(reg << 3 | 4);
		if (!add(forms, form, mode, only))
			return false;
		for (unsigned rm = 0; rm < 8; rm++) {
			form->modrm = (uint8_t)(0xc0 | reg << 3 | rm);
			if (!add(forms, form, mode, only))
				return false;
		}
	}
	return true;
}

static int by_op(const void *a, const void *b)
{
	const struct form *x = a, *y = b;

	return x->op != y->op ? x->op - y->op : memcmp(x, y, sizeof(*x));
}

static bool group(struct forms *forms)
{
	forms->first = calloc(OP_COUNT + 1, sizeof(*forms->first));
	if (!forms->first)
		return false;
	qsort(forms->form, forms->count, sizeof(*forms->form), by_op);
	for (size_t i = 0; i < forms->count; i++)
		if (!i || forms->form[i].op != forms->form[i - 1].op)
			forms->first[forms->ops++] = i;
	forms->first[forms->ops] = forms->count;
	return true;
}

bool forms_list(struct forms *forms, enum decode_mode mode, const char *only)
{
	*forms = (struct forms){0};
	for (unsigned bits = 0; bits < 1u << 16; bits++) {
		struct form form = {
			.opcode = (uint8_t)bits,
			.map = bits >> 8 & 3,
			.prefix = bits >> 10 & 3,
			.w = bits >> 12 & 1,
			.l = bits >> 13 & 1,
			.encoding = bits >> 14 & 1 ? DECODE_VEX : DECODE_LEGACY,
		};

		if (bits >> 15 || is_prefix(&form, mode) ||
		    (form.encoding == DECODE_VEX ? !form.map
						 : form.l || (form.w && mode != DECODE_64)))
			continue;
		if (!add_opcode(forms, &form, mode, only)) {
			forms_free(forms);
			return false;
		}
	}
	return group(forms);
}

void forms_free(struct forms *forms)
{
	free(forms->form);
	free(forms->first);
	*forms = (struct forms){0};
}
