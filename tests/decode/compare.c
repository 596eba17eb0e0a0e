/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "lib/bits.h"
#include "tests/decode/compare.h"

void comparer_init(struct comparer *comparer)
{
	static const ZydisMachineMode modes[MODES] = {
		[DECODE_16] = ZYDIS_MACHINE_MODE_LONG_COMPAT_16,
		[DECODE_32] = ZYDIS_MACHINE_MODE_LONG_COMPAT_32,
		[DECODE_64] = ZYDIS_MACHINE_MODE_LONG_64,
		[DECODE_64_INTEL] = ZYDIS_MACHINE_MODE_LONG_64,
	};
	static const ZydisStackWidth widths[MODES] = {
		[DECODE_16] = ZYDIS_STACK_WIDTH_16,
		[DECODE_32] = ZYDIS_STACK_WIDTH_32,
		[DECODE_64] = ZYDIS_STACK_WIDTH_64,
		[DECODE_64_INTEL] = ZYDIS_STACK_WIDTH_64,
	};
	unsigned i;

	memset(comparer, 0, sizeof(*comparer));
	for (i = 0; i < MODES; i++) {
		ZydisDecoder *decoder = &comparer->decoder[i];

		ZydisDecoderInit(decoder, modes[i], widths[i]);
		ZydisDecoderEnableMode(decoder, ZYDIS_DECODER_MODE_AMD_BRANCHES, i == DECODE_64);
		ZydisDecoderEnableMode(decoder, ZYDIS_DECODER_MODE_MPX, ZYAN_FALSE);
		ZydisDecoderEnableMode(decoder, ZYDIS_DECODER_MODE_CET, ZYAN_FALSE);
		ZydisDecoderEnableMode(decoder, ZYDIS_DECODER_MODE_KNC, ZYAN_FALSE);
		ZydisDecoderEnableMode(decoder, ZYDIS_DECODER_MODE_CLDEMOTE, ZYAN_FALSE);
	}
}

/* --- names -------------------------------------------------------------------------------------
 */

/* Ops whose mnemonic depends on the operand size: of 1, 2, 4, 8 bytes. */
static const struct {
	enum decode_op op;
	const char *name[4];
} sized[] = {
	{OP_MOVS, {"movsb", "movsw", "movsd", "movsq"}},
	{OP_CMPS, {"cmpsb", "cmpsw", "cmpsd", "cmpsq"}},
	{OP_STOS, {"stosb", "stosw", "stosd", "stosq"}},
	{OP_LODS, {"lodsb", "lodsw", "lodsd", "lodsq"}},
	{OP_SCAS, {"scasb", "scasw", "scasd", "scasq"}},
	{OP_INS, {"insb", "insw", "insd", NULL}},
	{OP_OUTS, {"outsb", "outsw", "outsd", NULL}},
	{OP_CBW, {NULL, "cbw", "cwde", "cdqe"}},
	{OP_CWD, {NULL, "cwd", "cdq", "cqo"}},
	{OP_PUSHA, {NULL, "pusha", "pushad", NULL}},
	{OP_POPA, {NULL, "popa", "popad", NULL}},
	{OP_PUSHF, {NULL, "pushf", "pushfd", "pushfq"}},
	{OP_POPF, {NULL, "popf", "popfd", "popfq"}},
	{OP_IRET, {NULL, "iret", "iretd", "iretq"}},
	{OP_MOVD, {NULL, NULL, "movd", "movq"}},
	{OP_PINSRD, {NULL, NULL, "pinsrd", "pinsrq"}},
	{OP_PEXTRD, {NULL, NULL, "pextrd", "pextrq"}},
	{OP_FXSAVE, {NULL, "fxsave", "fxsave", "fxsave64"}},
	{OP_FXRSTOR, {NULL, "fxrstor", "fxrstor", "fxrstor64"}},
	{OP_XSAVE, {NULL, "xsave", "xsave", "xsave64"}},
	{OP_XRSTOR, {NULL, "xrstor", "xrstor", "xrstor64"}},
	{OP_XSAVEOPT, {NULL, "xsaveopt", "xsaveopt", "xsaveopt64"}},
	{OP_XSAVEC, {NULL, "xsavec", "xsavec", "xsavec64"}},
	{OP_XSAVES, {NULL, "xsaves", "xsaves", "xsaves64"}},
	{OP_XRSTORS, {NULL, "xrstors", "xrstors", "xrstors64"}},
};

/* Ops that Zydis calls otherwise. */
static const struct {
	enum decode_op op;
	const char *name;
} renamed[] = {
	{OP_MOV_SREG, "mov"},       {OP_MOV_CR, "mov"},           {OP_MOV_DR, "mov"},
	{OP_PUSH_SREG, "push"},     {OP_POP_SREG, "pop"},         {OP_CALL_NEAR, "call"},
	{OP_CALL_FAR, "call"},      {OP_JMP_NEAR, "jmp"},         {OP_JMP_FAR, "jmp"},
	{OP_RET_NEAR, "ret"},       {OP_RET_FAR, "ret"},          {OP_NOP_HINT, "nop"},
	{OP_FNENI, "feni8087_nop"}, {OP_FNDISI, "fdisi8087_nop"}, {OP_FNSETPM, "fsetpm287_nop"},
};

static const char *const conditions[16] = {"o", "no", "b", "nb", "z", "nz", "be", "nbe",
					   "s", "ns", "p", "np", "l", "nl", "le", "nle"};

static void expected_name(const struct decode_insn *insn, char name[static 32])
{
	static const char *const count_register[] = {[2] = "jcxz", [4] = "jecxz", [8] = "jrcxz"};
	const char *plain = decode_op_name(insn->op);
	unsigned i;

	for (i = 0; i < ARRAY_COUNT(sized); i++)
		if (sized[i].op == insn->op)
			plain = sized[i].name[__builtin_ctz(insn->operand_size)];
	for (i = 0; i < ARRAY_COUNT(renamed); i++)
		if (renamed[i].op == insn->op)
			plain = renamed[i].name;
	if (insn->op == OP_JCXZ)
		plain = count_register[insn->address_size];
	if (!plain)
		plain = "(none of that size)";
	if (insn->attributes & DECODE_CONDITIONAL)
		snprintf(name, 32, "%.*s%s", (int)strlen(plain) - 2, plain,
			 conditions[insn->opcode & 15]);
	else
		snprintf(name, 32, "%s%s",
			 insn->attributes & DECODE_AVX_INSN && *plain != 'v' ? "v" : "", plain);
}

static bool names_agree(struct comparer *comparer)
{
	const struct compared *last = &comparer->last;
	unsigned op = last->ours.op, mnemonic = last->theirs.mnemonic;
	uint8_t *known = &comparer->named[op][last->ours.encoding][mnemonic];
	char name[32];

	if (*known)
		return true;
	expected_name(&last->ours, name);
	if (strcmp(name, ZydisMnemonicGetString(mnemonic)))
		return false;
	*known = !(last->ours.attributes & DECODE_CONDITIONAL) && op != OP_JCXZ;
	for (unsigned i = 0; i < ARRAY_COUNT(sized); i++)
		if (sized[i].op == op)
			*known = 0;
	return true;
}

/* --- operands ----------------------------------------------------------------------------------
 */

static ZydisRegister general_register(unsigned reg, unsigned size)
{
	if (reg == DECODE_NO_REG)
		return ZYDIS_REGISTER_NONE;
	if (reg == DECODE_RIP)
		return size == 8 ? ZYDIS_REGISTER_RIP : ZYDIS_REGISTER_EIP;
	switch (size) {
	case 1:
		return reg < 4 ? ZYDIS_REGISTER_AL + reg : ZYDIS_REGISTER_SPL + reg - 4;
	case 2:
		return ZYDIS_REGISTER_AX + reg;
	case 4:
		return ZYDIS_REGISTER_EAX + reg;
	default:
		return ZYDIS_REGISTER_RAX + reg;
	}
}

static ZydisRegister zydis_register(unsigned class, unsigned reg, unsigned size)
{
	switch (class) {
	case DECODE_GPR:
		return general_register(reg, size);
	case DECODE_GPR_HIGH:
		return ZYDIS_REGISTER_AH + reg;
	case DECODE_SEGMENT:
		return ZYDIS_REGISTER_ES + reg;
	case DECODE_CONTROL:
		return ZYDIS_REGISTER_CR0 + reg;
	case DECODE_DEBUG:
		return ZYDIS_REGISTER_DR0 + reg;
	case DECODE_X87:
		return ZYDIS_REGISTER_ST0 + reg;
	case DECODE_MMX:
		return ZYDIS_REGISTER_MM0 + reg;
	case DECODE_XMM:
		return ZYDIS_REGISTER_XMM0 + reg;
	default:
		return ZYDIS_REGISTER_YMM0 + reg;
	}
}

static const char *compare_memory(const struct decode_insn *insn, const struct decode_operand *ours,
				  const ZydisDecodedOperand *theirs)
{
	const struct decode_memory *memory = &insn->memory;
	unsigned index_class = memory->index_class;
	ZydisRegister index = ZYDIS_REGISTER_NONE;
	int64_t displacement = memory->displacement, their_displacement;

	if (theirs->type != ZYDIS_OPERAND_TYPE_MEMORY)
		return "operand: memory or not";
	if (memory->index != DECODE_NO_REG)
		index = zydis_register(index_class, memory->index, insn->address_size);
	if (theirs->mem.segment != (ZydisRegister)(ZYDIS_REGISTER_ES + memory->segment) &&
	    insn->op != OP_LEA)
		return "memory: segment";
	if (theirs->mem.base != general_register(memory->base, insn->address_size))
		return "memory: base";
	if (theirs->mem.index != index)
		return "memory: index";
	if (index != ZYDIS_REGISTER_NONE && theirs->mem.scale != memory->scale)
		return "memory: scale";
	their_displacement = theirs->mem.disp.has_displacement ? theirs->mem.disp.value : 0;
	if (insn->address_size == 2) {
		displacement &= 0xffff;
		their_displacement &= 0xffff;
	} else if (insn->address_size == 4) {
		displacement &= 0xffffffff;
		their_displacement &= 0xffffffff;
	}
	if (displacement != their_displacement)
		return "memory: displacement";
	if (ours->size && ours->access && ours->size != theirs->size / 8)
		return "memory: size";
	return NULL;
}

static const char *compare_string(const struct decode_insn *insn, const struct decode_operand *ours,
				  const ZydisDecodedOperand *theirs)
{
	unsigned segment = ours->reg == 7 && !(insn->op == OP_MASKMOVQ || insn->op == OP_MASKMOVDQU)
				   ? 0
				   : insn->memory.segment;

	if (theirs->type != ZYDIS_OPERAND_TYPE_MEMORY)
		return "operand: string or not";
	if (theirs->mem.base != general_register(ours->reg, insn->address_size))
		return "string: base";
	if (theirs->mem.segment != (ZydisRegister)(ZYDIS_REGISTER_ES + segment))
		return "string: segment";
	if (ours->size && ours->size != theirs->size / 8)
		return "string: size";
	return NULL;
}

static const char *compare_number(const struct decode_operand *ours, int64_t number,
				  const ZydisDecodedOperand *theirs)
{
	uint64_t mask = ours->size >= 8 ? ~0ull : (1ull << 8 * ours->size) - 1;

	if (theirs->type != ZYDIS_OPERAND_TYPE_IMMEDIATE)
		return "operand: immediate or not";
	return ((uint64_t)number ^ theirs->imm.value.u) & mask ? "immediate: value" : NULL;
}

static const char *compare_access(uint32_t attributes, const struct decode_operand *ours,
				  const ZydisDecodedOperand *theirs)
{
	unsigned access = 0;

	if (theirs->actions & ZYDIS_OPERAND_ACTION_MASK_READ)
		access |= DECODE_READ;
	if (theirs->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
		access |= DECODE_WRITE;
	if (theirs->actions & ZYDIS_OPERAND_ACTION_CONDWRITE && !(attributes & DECODE_REPEATABLE))
		access |= DECODE_READ;
	/* Hints and addresses access nothing, whatever Zydis calls them. */
	return ours->access && access != ours->access ? "operand: access" : NULL;
}

static const char *compare_operand(const struct decode_insn *insn,
				   const struct decode_operand *ours,
				   const ZydisDecodedOperand *theirs)
{
	const char *what = NULL;

	switch (ours->kind) {
	case DECODE_REGISTER:
		if (theirs->type != ZYDIS_OPERAND_TYPE_REGISTER)
			return "operand: register or not";
		if (theirs->reg.value != zydis_register(ours->class, ours->reg, ours->size))
			what = "operand: register";
		break;
	case DECODE_MEMORY:
		what = compare_memory(insn, ours, theirs);
		break;
	case DECODE_IMMEDIATE:
	case DECODE_RELATIVE:
		what = compare_number(ours, insn->immediate, theirs);
		break;
	case DECODE_IMMEDIATE2:
		what = compare_number(ours, insn->immediate2, theirs);
		break;
	case DECODE_STRING:
		what = compare_string(insn, ours, theirs);
		break;
	case DECODE_FAR:
		if (theirs->type != ZYDIS_OPERAND_TYPE_POINTER)
			what = "operand: pointer or not";
		else if (theirs->ptr.offset != (uint32_t)insn->immediate ||
			 theirs->ptr.segment != insn->immediate2)
			what = "pointer: value";
		break;
	}
	return what ? what : compare_access(insn->attributes, ours, theirs);
}

/* General registers that an instruction reads (low half) and writes without naming them. */
static uint32_t hidden_access(unsigned reg, unsigned access)
{
	return (access & DECODE_READ ? 1u << reg : 0) |
	       (access & DECODE_WRITE ? 0x10000u << reg : 0);
}

static const char *compare_hidden(const struct compared *last)
{
	const uint32_t address = 1u << 4 | 1u << 5 | 1u << 6 | 1u << 7, counts = 1u << 1;
	uint32_t ours = 0, theirs = 0, ignored = address | address << 16;
	unsigned i;

	if (last->ours.attributes & DECODE_REPEATABLE)
		ignored |= counts | counts << 16 | 1 | 1 << 16;
	for (i = 0; i < last->ours.operand_count; i++) {
		const struct decode_operand *operand = &last->ours.operand[i];

		if (i >= last->theirs.operand_count_visible && operand->kind == DECODE_REGISTER &&
		    operand->class <= DECODE_GPR_HIGH)
			ours |= hidden_access(operand->reg, operand->access);
	}
	for (i = last->theirs.operand_count_visible; i < last->theirs.operand_count; i++) {
		const ZydisDecodedOperand *operand = &last->operand[i];
		unsigned access = 0;

		if (operand->type != ZYDIS_OPERAND_TYPE_REGISTER ||
		    operand->reg.value < ZYDIS_REGISTER_AL ||
		    operand->reg.value > ZYDIS_REGISTER_R15)
			continue;
		if (operand->actions &
		    (ZYDIS_OPERAND_ACTION_MASK_READ | ZYDIS_OPERAND_ACTION_CONDWRITE))
			access |= DECODE_READ;
		if (operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
			access |= DECODE_WRITE;
		theirs |= hidden_access(operand->reg.value == ZYDIS_REGISTER_AH
						? 0
						: (unsigned)ZydisRegisterGetId(operand->reg.value),
					access);
	}
	return (ours ^ theirs) & ~ignored ? "implicit registers" : NULL;
}

static const char *compare_operands(const struct compared *last)
{
	const char *what;
	unsigned i, count = 0;

	while (count < last->ours.operand_count && !last->ours.operand[count].implicit)
		count++;
	if (last->ours.op == OP_NOP_HINT)
		return NULL; /* its operands mean nothing */
	if (last->ours.attributes & DECODE_X87_INSN) {
		/* Which of an x87 instruction's registers are named is a matter of taste. */
		if (last->ours.operand[0].kind == DECODE_MEMORY)
			return compare_operand(
				&last->ours, &last->ours.operand[0],
				&last->operand[last->theirs.operand_count_visible - 1]);
		return NULL;
	}
	/* Zydis hides the operands of string instructions, and shows some that we call implicit. */
	if (!(last->ours.attributes & DECODE_REPEATABLE)) {
		if (count > last->theirs.operand_count_visible ||
		    last->ours.operand_count < last->theirs.operand_count_visible)
			return "number of operands";
		count = last->theirs.operand_count_visible;
	}
	for (i = 0; i < count; i++) {
		what = compare_operand(&last->ours, &last->ours.operand[i], &last->operand[i]);
		if (what)
			return what;
	}
	return compare_hidden(last);
}

static const char *compare_flags(const struct compared *last)
{
	/* The others Zydis has as read by what checks them, as IOPL by IN. */
	const uint32_t mask = ZYDIS_CPUFLAG_CF | ZYDIS_CPUFLAG_PF | ZYDIS_CPUFLAG_AF |
			      ZYDIS_CPUFLAG_ZF | ZYDIS_CPUFLAG_SF | ZYDIS_CPUFLAG_OF |
			      ZYDIS_CPUFLAG_DF | ZYDIS_CPUFLAG_IF | ZYDIS_CPUFLAG_AC;
	const ZydisAccessedFlags *flags = last->theirs.cpu_flags;
	uint32_t written;

	if (!flags)
		return last->ours.flags_read | last->ours.flags_written ? "flags: any" : NULL;
	written = flags->modified | flags->set_0 | flags->set_1 | flags->undefined;
	if ((last->ours.flags_read ^ flags->tested) & mask)
		return "flags: read";
	if ((last->ours.flags_written ^ written) & mask)
		return "flags: written";
	if ((last->ours.flags_undefined ^ flags->undefined) & mask)
		return "flags: undefined";
	return NULL;
}

static const char *compare_all(struct comparer *comparer)
{
	struct compared *last = &comparer->last;
	const char *what;
	bool privileged;

	if ((last->result == DECODE_OK) != ZYAN_SUCCESS(last->status))
		return last->result == DECODE_OK ? "valid for us alone" : "valid for Zydis alone";
	if (last->result != DECODE_OK)
		return NULL;
	if (last->ours.length != last->theirs.length)
		return "length";
	if (!names_agree(comparer))
		return "mnemonic";
	what = compare_operands(last);
	if (!what)
		what = compare_flags(last);
	privileged = last->ours.attributes & DECODE_PRIVILEGED;
	if (!what && privileged != !!(last->theirs.attributes & ZYDIS_ATTRIB_IS_PRIVILEGED))
		what = "privileged";
	return what;
}

const char *compare(struct comparer *comparer, enum decode_mode mode, const uint8_t *bytes,
		    size_t size)
{
	struct compared *last = &comparer->last;

	last->mode = mode;
	last->bytes = bytes;
	last->size = size;
	last->result = decode(mode, bytes, size, &last->ours);
	last->status = ZydisDecoderDecodeFull(&comparer->decoder[mode], bytes, size, &last->theirs,
					      last->operand);
	return compare_all(comparer);
}
