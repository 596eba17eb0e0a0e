/* SPDX-License-Identifier: MIT */
/*
 * The instruction decoder: prefixes, opcode, the tree of what an opcode depends on, then operands
 * (decode_operands.c).  AMD APM volume 3, chapter 1; Intel SDM volume 2, chapter 2.
 */
#include "lib/decode.h"
#include "lib/decode_internal.h"

#include "lib/decode_data.h"

enum prefix {
	PREFIX_NONE,
	PREFIX_SEGMENT, /* these six: from ES on, in the order of segment numbers */
	PREFIX_SEGMENT_LAST = PREFIX_SEGMENT + 5,
	PREFIX_OPERAND,
	PREFIX_ADDRESS,
	PREFIX_LOCK,
	PREFIX_REP,
	PREFIX_REX,
};

static const uint8_t prefixes[256] = {
	[0x26] = PREFIX_SEGMENT,     [0x2e] = PREFIX_SEGMENT + 1, [0x36] = PREFIX_SEGMENT + 2,
	[0x3e] = PREFIX_SEGMENT + 3, [0x64] = PREFIX_SEGMENT + 4, [0x65] = PREFIX_SEGMENT + 5,
	[0x66] = PREFIX_OPERAND,     [0x67] = PREFIX_ADDRESS,     [0xf0] = PREFIX_LOCK,
	[0xf2] = PREFIX_REP,         [0xf3] = PREFIX_REP,         [0x40 ... 0x4f] = PREFIX_REX,
};

#define REX_W 8
#define REX_R 4
#define REX_X 2
#define REX_B 1

/* Reads the prefixes; *byte is the first that is none. */
static bool read_prefixes(struct decode_state *state, struct decode_insn *insn, uint8_t *byte)
{
	uint8_t rex = 0, kind;

	for (;;) {
		if (!decode_byte(state, byte))
			return false;
		kind = prefixes[*byte];
		if (kind == PREFIX_NONE)
			break;
		if (kind == PREFIX_REX) {
			if (!state->mode64)
				break;
			rex = *byte;
			continue;
		}
		rex = 0; /* counts right before the opcode alone */
		switch (kind) {
		case PREFIX_OPERAND:
			insn->operand_override = true;
			break;
		case PREFIX_ADDRESS:
			insn->address_override = true;
			break;
		case PREFIX_LOCK:
			insn->lock = true;
			break;
		case PREFIX_REP:
			insn->rep = *byte;
			break;
		default: /* of a segment; in 64-bit mode the first four are as if they weren't there
			  */
			if (!state->mode64 || kind >= PREFIX_SEGMENT + 4)
				insn->segment_override = kind - PREFIX_SEGMENT;
			break;
		}
	}
	insn->rex = rex;
	return true;
}

/*
 * C4 or C5 was read: VEX, or (but in 64-bit mode) LES or LDS if what follows names memory.
 */
static enum decode_result read_vex(struct decode_state *state, struct decode_insn *insn,
				   uint8_t first)
{
	uint8_t byte, last;

	if (!decode_peek(state, &byte))
		return decode_ended(state);
	if (!state->mode64 && byte < 0xc0) {
		insn->map = 0;
		insn->opcode = first;
		return DECODE_OK;
	}
	if (insn->lock || insn->rep || insn->operand_override || insn->rex)
		return DECODE_INVALID;
	decode_byte(state, &byte);
	insn->encoding = DECODE_VEX;
	insn->rex = 0x40;
	last = byte;
	insn->map = 1;
	if (first == 0xc4) {
		insn->map = byte & 0x1f;
		if (insn->map < 1 || insn->map > 3)
			return DECODE_INVALID;
		if (!decode_byte(state, &last))
			return decode_ended(state);
		if (!(byte & 0x40))
			insn->rex |= REX_X;
		if (!(byte & 0x20) && state->mode64)
			insn->rex |= REX_B;
		if (last & 0x80)
			insn->rex |= REX_W;
	}
	if (!(byte & 0x80))
		insn->rex |= REX_R;
	insn->vex_vvvv = ~last >> 3 & 15;
	insn->vex_l = last >> 2 & 1;
	insn->vex_pp = state->prefix = last & 3;
	insn->opcode_at = state->at;
	if (!decode_byte(state, &insn->opcode))
		return decode_ended(state);
	return DECODE_OK;
}

static enum decode_result read_opcode(struct decode_state *state, struct decode_insn *insn)
{
	uint8_t byte;

	if (!read_prefixes(state, insn, &byte))
		return decode_ended(state);
	insn->opcode_at = state->at - 1;
	if (byte == 0xc4 || byte == 0xc5)
		return read_vex(state, insn, byte);
	if (byte == 0x0f) {
		insn->map = 1;
		insn->opcode_at = state->at;
		if (!decode_byte(state, &byte))
			return decode_ended(state);
		if (byte == 0x38 || byte == 0x3a) {
			insn->map = byte == 0x38 ? 2 : 3;
			insn->opcode_at = state->at;
			if (!decode_byte(state, &byte))
				return decode_ended(state);
		}
	}
	insn->opcode = byte;
	return DECODE_OK;
}

/* The values that nodes split by, 4 bits for each. */
static uint64_t split_values(const struct decode_state *state, const struct decode_insn *insn)
{
	uint64_t w = insn->rex >> 3 & 1;

	return state->mode64 << 4 * DECODE_SPLIT_MODE64 | state->prefix << 4 * DECODE_SPLIT_PREFIX |
	       (insn->modrm >> 3 & 7) << 4 * DECODE_SPLIT_REG |
	       (insn->modrm >= 0xc0) << 4 * DECODE_SPLIT_MOD3 |
	       (insn->modrm & 7) << 4 * DECODE_SPLIT_RM | w << 4 * DECODE_SPLIT_W |
	       (uint64_t)insn->vex_l << 4 * DECODE_SPLIT_L |
	       (uint64_t)(insn->rex & REX_B) << 4 * DECODE_SPLIT_B |
	       (uint64_t)insn->lock << 4 * DECODE_SPLIT_LOCK;
}

static const struct decode_entry *find_entry(const struct decode_state *state,
					     const struct decode_insn *insn, unsigned node)
{
	if (node & DECODE_NODE_SPLIT) {
		uint64_t values = split_values(state, insn);

		do {
			const uint16_t *split = &decode_nodes[node & ~DECODE_NODE_SPLIT];

			node = split[1 + (values >> 4 * split[0] & 7)];
		} while (node & DECODE_NODE_SPLIT);
	}
	return node ? &decode_entries[node] : NULL;
}

static void set_sizes(struct decode_insn *insn, unsigned rule)
{
	bool mode64 = insn->mode == DECODE_64, w = insn->rex & REX_W;
	bool narrow = (insn->mode == DECODE_16) != insn->operand_override;
	unsigned size = w && mode64 ? 8 : narrow ? 2 : 4;

	switch (rule) {
	case DECODE_RULE_V:
		break;
	case DECODE_RULE_Z:
		if (size == 8)
			size = 4;
		break;
	case DECODE_RULE_B:
		size = 1;
		break;
	case DECODE_RULE_Y:
		size = w && mode64 ? 8 : 4;
		break;
	case DECODE_RULE_N64:
		size = mode64 ? 8 : 4;
		break;
	case DECODE_RULE_D64:
		if (size == 4 && mode64)
			size = 8;
		break;
	}
	insn->operand_size = size;
}

/* What AMD and Intel do differently. */
static unsigned vendor_rule(unsigned rule, bool intel)
{
	if (rule == DECODE_RULE_F64)
		return intel ? DECODE_RULE_N64 : DECODE_RULE_D64;
	return intel ? DECODE_RULE_V : DECODE_RULE_Z;
}

/* LOCK is for a destination in memory; on AMD it makes CR8 of CR0, too. */
static bool lock_allowed(const struct decode_insn *insn)
{
	if (insn->op == OP_MOV_CR)
		return insn->feature == FEATURE_ALTMOVCR8;
	return insn->attributes & DECODE_LOCKABLE && insn->operand[0].kind == DECODE_MEMORY;
}

/* A shift whose immediate count is 0 leaves the flags. */
static void check_count(struct decode_insn *insn)
{
	if (!(insn->immediate & (insn->operand_size == 8 ? 63 : 31)))
		insn->flags_read = insn->flags_written = insn->flags_undefined = 0;
}

/* In two parts: for all at once the compiler takes a string instruction, which starts slowly. */
static void clear(struct decode_insn *insn)
{
	const size_t half = sizeof(*insn) / 2;

	__builtin_memset(insn, 0, half);
	__builtin_memset((uint8_t *)insn + half, 0, sizeof(*insn) - half);
}

enum decode_result decode(enum decode_mode mode, const uint8_t *bytes, size_t size,
			  struct decode_insn *insn)
{
	struct decode_state state = {
		.bytes = bytes,
		.limit = size < DECODE_LENGTH_MAX ? size : DECODE_LENGTH_MAX,
		.mode64 = mode >= DECODE_64,
	};
	const struct decode_entry *entry;
	enum decode_result result;
	unsigned map, node, rule;

	clear(insn);
	insn->mode = state.mode64 ? DECODE_64 : mode;
	insn->segment_override = DECODE_NO_REG;
	result = read_opcode(&state, insn);
	if (result != DECODE_OK)
		goto out;
	map = insn->map;
	if (insn->encoding == DECODE_VEX)
		map += DECODE_MAP_VEX;
	else if (insn->rep)
		state.prefix = insn->rep == 0xf3 ? 2 : 3;
	else
		state.prefix = insn->operand_override;

	result = DECODE_INVALID;
	node = decode_roots[map][insn->opcode];
	if (!node)
		goto out;
	if (decode_has_modrm[map][insn->opcode]) {
		insn->has_modrm = true;
		insn->modrm_at = state.at;
		if (!decode_byte(&state, &insn->modrm)) {
			result = decode_ended(&state);
			goto out;
		}
	}
	entry = find_entry(&state, insn, node);
	if (!entry)
		goto out;
	if (insn->vex_vvvv && !(entry->attributes & DECODE_ENTRY_VVVV))
		goto out;

	insn->op = entry->op;
	insn->feature = entry->feature;
	insn->attributes = entry->attributes & ~(DECODE_ENTRY_VVVV | DECODE_ENTRY_SHIFT);
	insn->flags_read = decode_flag_sets[entry->flags].read;
	insn->flags_written = decode_flag_sets[entry->flags].written;
	insn->flags_undefined = decode_flag_sets[entry->flags].undefined;
	rule = entry->rule;
	if (rule >= DECODE_RULE_F64)
		rule = vendor_rule(rule, mode == DECODE_64_INTEL);
	set_sizes(insn, rule);
	insn->stack_size = insn->operand_size;
	/* Repeated no times they leave the flags as they are. */
	if (insn->attributes & DECODE_REPEATABLE && insn->rep)
		insn->flags_read |= insn->flags_written;
	if (state.mode64)
		insn->address_size = insn->address_override ? 4 : 8;
	else
		insn->address_size = (mode == DECODE_16) != insn->address_override ? 2 : 4;

	result = decode_operands(&state, &decode_forms[entry->form], insn);
	if (result == DECODE_OK && insn->lock && !lock_allowed(insn))
		result = DECODE_INVALID;
	if (entry->attributes & DECODE_ENTRY_SHIFT)
		check_count(insn);
out:
	insn->length = state.at;
	return result;
}

const char *decode_op_name(enum decode_op op)
{
	return op < OP_COUNT ? decode_names[op] : "";
}
