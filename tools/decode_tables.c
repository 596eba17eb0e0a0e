/* SPDX-License-Identifier: MIT */
/*
 * Makes the decoder's enumerations and tables of lib/decode/instructions.txt, which says what it
 * looks like.
 *
 *   decode_tables INSTRUCTIONS DECODE_OP_H DECODE_DATA_H
 */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/decode_attributes.h"
#include "lib/decode_entry.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NAMES_MAX 1024
#define LINES_MAX 4096
#define NODES_MAX 16384

/* One line for one encoding; of a line of the list up to three (legacy, VEX.128, VEX.256), or 16.
 */
struct line {
	unsigned number;
	unsigned map, opcode;
	uint8_t mask[DECODE_SPLITS]; /* the values of each that it's for */
	bool modrm;
	struct decode_entry entry;
};

struct names {
	unsigned count;
	char *name[NAMES_MAX];
};

static struct names ops, features;
static struct line lines[LINES_MAX];
static unsigned line_count;
static struct decode_form forms[1024];
static unsigned form_count;
static struct decode_flags flags[256];
static unsigned flags_count;
static uint16_t roots[DECODE_MAPS][256], nodes[NODES_MAX];
static unsigned node_count;

static const uint8_t split_values[DECODE_SPLITS] = {
	[DECODE_SPLIT_MODE64] = 2, [DECODE_SPLIT_PREFIX] = 4, [DECODE_SPLIT_REG] = 8,
	[DECODE_SPLIT_MOD3] = 2,   [DECODE_SPLIT_RM] = 8,     [DECODE_SPLIT_W] = 2,
	[DECODE_SPLIT_L] = 2,      [DECODE_SPLIT_B] = 2,      [DECODE_SPLIT_LOCK] = 2,
};

static unsigned number; /* of the line being read */

static void fail(const char *what, const char *which)
{
	fprintf(stderr, "decode_tables: line %u: %s %s\n", number, what, which);
	exit(1);
}

static unsigned name_number(struct names *names, const char *name)
{
	unsigned i;

	for (i = 0; i < names->count; i++)
		if (!strcmp(names->name[i], name))
			return i + 1;
	if (names->count == NAMES_MAX)
		fail("too many names at", name);
	names->name[names->count++] = strdup(name);
	return names->count;
}

/* --- fields ------------------------------------------------------------------------------------
 */

static bool read_prefix(struct line *line, const char *token)
{
	static const char *const prefix[] = {"np", "66", "f3", "f2"};
	unsigned i, mask = 0;

	while (*token) {
		for (i = 0; i < COUNT(prefix); i++)
			if (!strncmp(token, prefix[i], 2))
				break;
		if (i == COUNT(prefix))
			return false;
		mask |= 1u << i;
		token += 2;
		if (*token == ',')
			token++;
	}
	line->mask[DECODE_SPLIT_PREFIX] = mask;
	return true;
}

static void read_constraint(struct line *line, const char *token)
{
	if (*token == '/') {
		line->mask[DECODE_SPLIT_REG] = 1u << (token[1] - '0');
		line->modrm = true;
	} else if (*token == '=') {
		unsigned modrm = strtoul(token + 1, NULL, 16);

		line->mask[DECODE_SPLIT_MOD3] = 2;
		line->mask[DECODE_SPLIT_REG] = 1u << (modrm >> 3 & 7);
		line->mask[DECODE_SPLIT_RM] = 1u << (modrm & 7);
		line->modrm = true;
	} else if (!strcmp(token, "mem") || !strcmp(token, "reg")) {
		line->mask[DECODE_SPLIT_MOD3] = *token == 'r' ? 2 : 1;
		line->modrm = true;
	} else if (!strcmp(token, "b0")) {
		line->mask[DECODE_SPLIT_B] = 1;
	} else if (!strcmp(token, "lock")) {
		line->mask[DECODE_SPLIT_LOCK] = 2;
	} else if (!strcmp(token, "w0") || !strcmp(token, "w1")) {
		line->mask[DECODE_SPLIT_W] = token[1] == '1' ? 2 : 1;
	} else {
		fail("unknown constraint", token);
	}
}

/* Returns how many opcodes the line is for. */
static unsigned read_encoding(struct line *line, char *text)
{
	unsigned count = 1;
	bool mapped = false, done = false;
	char *token, *end;

	while ((token = strsep(&text, " \t"))) {
		if (!*token)
			continue;
		if (done) {
			read_constraint(line, token);
			continue;
		}
		if (!mapped) {
			if (!strcmp(token, "i64") || !strcmp(token, "o64")) {
				line->mask[DECODE_SPLIT_MODE64] = *token == 'i' ? 1 : 2;
				continue;
			}
			if (read_prefix(line, token))
				continue;
			mapped = true;
			line->map = !strcmp(token, "0f")     ? 1
				    : !strcmp(token, "0f38") ? 2
				    : !strcmp(token, "0f3a") ? 3
							     : 0;
			if (line->map)
				continue;
		}
		line->opcode = strtoul(token, &end, 16);
		if (!strcmp(end, "+r"))
			count = 8;
		else if (!strcmp(end, "+c"))
			count = 16;
		else if (*end)
			fail("unknown opcode", token);
		done = true;
	}
	if (!done)
		fail("no opcode", "");
	return count;
}

static unsigned read_size(const char *text)
{
	static const char sizes[] = "0bwdqtouvzapynsmxhke";
	const char *at = *text ? strchr(sizes, *text) : NULL;

	if (!at || text[1])
		fail("unknown size", text);
	return (unsigned)(at - sizes);
}

static void set(struct decode_form_operand *operand, unsigned kind, unsigned class, unsigned type,
		unsigned source)
{
	operand->operand.kind = kind;
	operand->operand.class = class;
	operand->type = type;
	operand->source = source;
}

static bool read_fixed(const char *name, struct decode_form_operand *operand)
{
	static const struct {
		const char *name;
		uint8_t class, size, reg;
	} fixed[] = {
		{"AL", DECODE_GPR, DECODE_SIZE_B, 0},      {"CL", DECODE_GPR, DECODE_SIZE_B, 1},
		{"AH", DECODE_GPR_HIGH, DECODE_SIZE_B, 0}, {"RCX", DECODE_GPR, DECODE_SIZE_Q, 1},
		{"R11", DECODE_GPR, DECODE_SIZE_Q, 11},    {"ES", DECODE_SEGMENT, DECODE_SIZE_W, 0},
		{"CS", DECODE_SEGMENT, DECODE_SIZE_W, 1},  {"SS", DECODE_SEGMENT, DECODE_SIZE_W, 2},
		{"DS", DECODE_SEGMENT, DECODE_SIZE_W, 3},  {"FS", DECODE_SEGMENT, DECODE_SIZE_W, 4},
		{"GS", DECODE_SEGMENT, DECODE_SIZE_W, 5},  {"ST0", DECODE_X87, DECODE_SIZE_T, 0},
		{"XMM0", DECODE_XMM, DECODE_SIZE_O, 0},
	};
	static const char *const wide[] = {"AX", "CX", "DX", "BX"};
	static const char prefixes[] = "Erzany", sizes[] = "dvzmny";
	const char *at;
	unsigned i;

	set(operand, DECODE_REGISTER, DECODE_GPR, DECODE_TYPE_REGISTER, DECODE_SOURCE_FIXED);
	for (i = 0; i < COUNT(fixed); i++)
		if (!strcmp(name, fixed[i].name)) {
			operand->operand.class = fixed[i].class;
			operand->operand.reg = fixed[i].reg;
			operand->size = fixed[i].size;
			return true;
		}
	for (i = 0; i < COUNT(wide); i++) {
		if (strlen(name) > 3 || strcmp(name + strlen(name) - 2, wide[i]))
			continue;
		operand->operand.reg = i;
		operand->size = DECODE_SIZE_W;
		if (name[2]) {
			at = strchr(prefixes, *name);
			if (!at)
				fail("unknown register", name);
			operand->size = read_size((const char[]){sizes[at - prefixes], 0});
		}
		return true;
	}
	return false;
}

/* Those whose name is not a letter and a size. */
static bool read_special(struct line *line, const char *token, struct decode_form_operand *operand)
{
	static const char strings[] = "XYTK";
	static const uint8_t string_reg[] = {6, 7, 3, 7};
	const char *at = strchr(strings, *token);

	if (at) {
		set(operand, DECODE_STRING, DECODE_GPR, DECODE_TYPE_STRING, DECODE_SOURCE_FIXED);
		operand->operand.reg = string_reg[at - strings];
		operand->size = read_size(token + 1);
		if (*token == 'K' && operand->size == DECODE_SIZE_0)
			operand->operand.reg = 0; /* MONITOR's */
		return true;
	}
	if (!strcmp(token, "STi")) {
		set(operand, DECODE_REGISTER, DECODE_X87, DECODE_TYPE_REGISTER, DECODE_SOURCE_RM8);
		operand->size = DECODE_SIZE_T;
		line->modrm = true;
		return true;
	}
	operand->size = DECODE_SIZE_B;
	if (!strcmp(token, "1")) {
		set(operand, DECODE_IMMEDIATE, 0, DECODE_TYPE_ONE, 0);
		return true;
	}
	if (!strcmp(token, "Is")) {
		set(operand, DECODE_IMMEDIATE, 0, DECODE_TYPE_IMMEDIATE_SIGNED, 0);
		return true;
	}
	if (!strcmp(token, "Js")) {
		set(operand, DECODE_RELATIVE, 0, DECODE_TYPE_RELATIVE, 0);
		return true;
	}
	if (!strncmp(token, "MX", 2) || !strncmp(token, "MH", 2)) {
		set(operand, DECODE_MEMORY, 0, token[1] == 'X' ? DECODE_TYPE_MX : DECODE_TYPE_MH,
		    0);
		operand->size = read_size(token + 2);
		line->mask[DECODE_SPLIT_MOD3] = 1;
		line->modrm = true;
		return true;
	}
	return false;
}

static const struct letter {
	char letter;
	uint8_t kind, class, type, source;
	uint8_t mod3; /* its mask of DECODE_SPLIT_MOD3, 0: none */
} letters[] = {
	{'E', DECODE_REGISTER, DECODE_GPR, DECODE_TYPE_RM, DECODE_SOURCE_RM, 0},
	{'M', DECODE_REGISTER, DECODE_GPR, DECODE_TYPE_RM, DECODE_SOURCE_RM, 1},
	{'G', DECODE_REGISTER, DECODE_GPR, DECODE_TYPE_REGISTER, DECODE_SOURCE_REG, 0},
	{'R', DECODE_REGISTER, DECODE_GPR, DECODE_TYPE_REGISTER, DECODE_SOURCE_RM, 0},
	{'Z', DECODE_REGISTER, DECODE_GPR, DECODE_TYPE_REGISTER, DECODE_SOURCE_OPCODE, 0},
	{'B', DECODE_REGISTER, DECODE_GPR, DECODE_TYPE_REGISTER, DECODE_SOURCE_VVVV, 0},
	{'C', DECODE_REGISTER, DECODE_CONTROL, DECODE_TYPE_CONTROL, DECODE_SOURCE_REG, 0},
	{'D', DECODE_REGISTER, DECODE_DEBUG, DECODE_TYPE_DEBUG, DECODE_SOURCE_REG, 0},
	{'S', DECODE_REGISTER, DECODE_SEGMENT, DECODE_TYPE_SEGMENT, DECODE_SOURCE_REG8, 0},
	{'P', DECODE_REGISTER, DECODE_MMX, DECODE_TYPE_REGISTER, DECODE_SOURCE_REG8, 0},
	{'Q', DECODE_REGISTER, DECODE_MMX, DECODE_TYPE_RM, DECODE_SOURCE_RM8, 0},
	{'N', DECODE_REGISTER, DECODE_MMX, DECODE_TYPE_RM, DECODE_SOURCE_RM8, 2},
	{'V', DECODE_REGISTER, DECODE_XMM, DECODE_TYPE_REGISTER, DECODE_SOURCE_REG, 0},
	{'W', DECODE_REGISTER, DECODE_XMM, DECODE_TYPE_RM, DECODE_SOURCE_RM, 0},
	{'U', DECODE_REGISTER, DECODE_XMM, DECODE_TYPE_RM, DECODE_SOURCE_RM, 2},
	{'H', DECODE_REGISTER, DECODE_XMM, DECODE_TYPE_REGISTER, DECODE_SOURCE_VVVV, 0},
	{'L', DECODE_REGISTER, DECODE_XMM, DECODE_TYPE_L, DECODE_SOURCE_FIXED, 0},
	{'I', DECODE_IMMEDIATE, 0, DECODE_TYPE_IMMEDIATE_UNSIGNED, 0, 0},
	{'J', DECODE_RELATIVE, 0, DECODE_TYPE_RELATIVE, 0, 0},
	{'A', DECODE_FAR, 0, DECODE_TYPE_FAR, 0, 0},
	{'O', DECODE_MEMORY, 0, DECODE_TYPE_OFFSET, 0, 0},
};

static void read_operand(struct line *line, const char *token, bool implicit,
			 struct decode_form_operand *operand)
{
	unsigned i;

	memset(operand, 0, sizeof(*operand));
	operand->operand.implicit = implicit;
	operand->operand.access = DECODE_READ;
	if (*token == '=')
		operand->operand.access = DECODE_WRITE;
	else if (*token == '+')
		operand->operand.access = DECODE_READ | DECODE_WRITE;
	else if (*token == '~')
		operand->operand.access = 0;
	if (strchr("=+~", *token))
		token++;
	if (read_fixed(token, operand) || read_special(line, token, operand))
		return;
	for (i = 0; i < COUNT(letters); i++)
		if (*token == letters[i].letter)
			break;
	if (i == COUNT(letters))
		fail("unknown operand", token);
	set(operand, letters[i].kind, letters[i].class, letters[i].type, letters[i].source);
	operand->size = read_size(token + 1);
	if (operand->type == DECODE_TYPE_IMMEDIATE_UNSIGNED && operand->size >= DECODE_SIZE_V)
		operand->type = DECODE_TYPE_IMMEDIATE_SIGNED;
	if (letters[i].mod3)
		line->mask[DECODE_SPLIT_MOD3] = letters[i].mod3;
	line->modrm |= letters[i].kind == DECODE_REGISTER && *token != 'Z';
}

/* Of MOV to and from control and debug registers ModRM.mod says nothing: there is no memory. */
static void finish_form(const struct line *line, struct decode_form *form)
{
	unsigned i, type;

	form->memory = line->modrm;
	for (i = 0; i < form->count; i++) {
		type = form->operand[i].type;
		if (type == DECODE_TYPE_CONTROL || type == DECODE_TYPE_DEBUG)
			form->memory = false;
		if (type == DECODE_TYPE_MX || type == DECODE_TYPE_MH)
			form->vector = true;
	}
}

static void read_operands(struct line *line, char *text, struct decode_form *form)
{
	bool implicit = false;
	char *token;

	memset(form, 0, sizeof(*form));
	while ((token = strsep(&text, " \t"))) {
		if (!strcmp(token, ":")) {
			implicit = true;
		} else if (*token) {
			if (form->count == COUNT(form->operand))
				fail("too many operands", "");
			read_operand(line, token, implicit, &form->operand[form->count++]);
		}
	}
	finish_form(line, form);
}

static void read_flags(const char *text, struct decode_flags *set)
{
	static const struct {
		char letter;
		uint8_t bit;
	} bits[] = {{'O', 11}, {'S', 7},  {'Z', 6},  {'A', 4},  {'P', 2},  {'C', 0},
		    {'D', 10}, {'I', 9},  {'T', 8},  {'L', 12}, {'N', 14}, {'R', 16},
		    {'V', 17}, {'K', 18}, {'F', 19}, {'G', 20}, {'U', 21}};
	uint32_t *to = NULL;
	unsigned i;

	memset(set, 0, sizeof(*set));
	for (; *text; text++) {
		if (*text == ' ' || *text == '\t')
			continue;
		if (*text == 'r' || *text == 'w' || *text == 'u') {
			to = *text == 'r'   ? &set->read
			     : *text == 'w' ? &set->written
					    : &set->undefined;
			continue;
		}
		for (i = 0; i < COUNT(bits); i++)
			if (bits[i].letter == *text)
				break;
		if (i == COUNT(bits) || !to)
			fail("unknown flag", text);
		*to |= (*text == 'L' ? 3u : 1u) << bits[i].bit;
	}
	set->written |= set->undefined;
}

static const struct {
	const char *name;
	uint32_t bit;
} attributes[] = {
	{"branch", DECODE_BRANCH},
	{"far_transfer", DECODE_FAR_TRANSFER},
	{"privileged", DECODE_PRIVILEGED},
	{"io", DECODE_IO},
	{"conditional", DECODE_CONDITIONAL},
	{"lock", DECODE_LOCKABLE},
	{"x87_insn", DECODE_X87_INSN},
	{"mmx_insn", DECODE_MMX_INSN},
	{"sse_insn", DECODE_SSE_INSN},
	{"avx_insn", DECODE_AVX_INSN},
	{"aligned", DECODE_ALIGNED},
	{"simd_fp", DECODE_SIMD_FP},
	{"serializing", DECODE_SERIALIZING},
	{"repeatable", DECODE_REPEATABLE},
	{"protected_only", DECODE_PROTECTED_ONLY},
	{"stack", DECODE_STACK},
	{"shift", DECODE_ENTRY_SHIFT},
};

/* What the attributes say besides the bits of decode.h. */
struct said {
	bool unaligned;
	int rule; /* -1: none */
};

static void read_attributes(struct line *line, char *text, struct said *said)
{
	static const struct {
		const char *name;
		uint8_t rule;
	} rules[] = {{"d64", DECODE_RULE_D64},
		     {"f64", DECODE_RULE_F64},
		     {"n64", DECODE_RULE_N64},
		     {"farm", DECODE_RULE_FARM}};
	char *token;
	unsigned i;

	said->rule = -1;
	said->unaligned = false;
	while ((token = strsep(&text, " \t"))) {
		bool known = !*token;

		for (i = 0; i < COUNT(attributes); i++)
			if (!strcmp(token, attributes[i].name)) {
				line->entry.attributes |= attributes[i].bit;
				known = true;
			}
		for (i = 0; i < COUNT(rules); i++)
			if (!strcmp(token, rules[i].name)) {
				said->rule = rules[i].rule;
				known = true;
			}
		if (!strcmp(token, "unaligned"))
			said->unaligned = known = true;
		if (!known)
			fail("unknown attribute", token);
	}
}

/* --- lines -------------------------------------------------------------------------------------
 */

static bool has_size(const struct decode_form *form, const char *sizes)
{
	unsigned i;

	for (; *sizes; sizes++)
		for (i = 0; i < form->count; i++)
			if (form->operand[i].size == read_size((const char[]){*sizes, 0}))
				return true;
	return false;
}

static unsigned size_rule(const struct decode_form *form)
{
	if (has_size(form, "vpa"))
		return DECODE_RULE_V;
	if (has_size(form, "z"))
		return DECODE_RULE_Z;
	if (has_size(form, "y"))
		return DECODE_RULE_Y;
	return has_size(form, "b") ? DECODE_RULE_B : DECODE_RULE_V;
}

static void add(const struct line *from, const struct decode_form *form, const struct said *said,
		const struct decode_flags *set, const char *feature, unsigned count)
{
	struct line line = *from;
	bool vex = line.map > DECODE_MAP_VEX;
	unsigned i, opcode;

	line.number = number;
	line.entry.feature = *feature ? name_number(&features, feature) : 0;
	line.entry.rule = said->rule >= 0 ? (unsigned)said->rule : size_rule(form);
	if (!strcmp(feature, "X87"))
		line.entry.attributes |= DECODE_X87_INSN;
	if (vex)
		line.entry.attributes |= DECODE_PROTECTED_ONLY;
	for (i = 0; i < form->count; i++) {
		const struct decode_form_operand *operand = &form->operand[i];
		bool wide = operand->size == DECODE_SIZE_X || operand->size == DECODE_SIZE_O;

		if (operand->operand.implicit)
			continue;
		if (operand->operand.class == DECODE_MMX)
			line.entry.attributes |= DECODE_MMX_INSN;
		if (operand->operand.class == DECODE_XMM)
			line.entry.attributes |= vex ? DECODE_AVX_INSN : DECODE_SSE_INSN;
		if (operand->source == DECODE_SOURCE_VVVV)
			line.entry.attributes |= DECODE_ENTRY_VVVV;
		if (!vex && !said->unaligned && operand->type == DECODE_TYPE_RM && wide &&
		    (operand->operand.class == DECODE_XMM || operand->size == DECODE_SIZE_X))
			line.entry.attributes |= DECODE_ALIGNED;
	}
	if (vex && (line.entry.attributes & DECODE_SSE_INSN))
		line.entry.attributes ^= DECODE_SSE_INSN | DECODE_AVX_INSN;

	for (i = 0; i < form_count; i++)
		if (!memcmp(&forms[i], form, sizeof(*form)))
			break;
	if (i == COUNT(forms))
		fail("too many forms", "");
	forms[i] = *form;
	if (i == form_count)
		form_count++;
	line.entry.form = i;

	for (opcode = 0; opcode < count; opcode++) {
		static const char *const condition[] = {"rO", "rC", "rZ",  "rZC",
							"rS", "rP", "rOS", "rOSZ"};
		struct decode_flags these = *set;

		if (line.entry.attributes & DECODE_CONDITIONAL)
			read_flags(condition[opcode / 2], &these);
		for (i = 0; i < flags_count; i++)
			if (!memcmp(&flags[i], &these, sizeof(these)))
				break;
		if (i == COUNT(flags) || line_count == LINES_MAX)
			fail("too many lines", "");
		flags[i] = these;
		if (i == flags_count)
			flags_count++;
		line.entry.flags = i;
		lines[line_count++] = line;
		line.opcode++;
	}
}

/* The legacy form of one with H: its first operand is the source, too. */
static void drop_vvvv(struct decode_form *form)
{
	unsigned i;

	for (i = 0; i < form->count; i++)
		if (form->operand[i].operand.class == DECODE_XMM &&
		    form->operand[i].source == DECODE_SOURCE_VVVV)
			break;
	if (i == form->count)
		return;
	form->count--;
	memmove(&form->operand[i], &form->operand[i + 1],
		(form->count - i) * sizeof(form->operand[0]));
	memset(&form->operand[form->count], 0, sizeof(form->operand[0]));
	form->operand[0].operand.access = DECODE_READ | DECODE_WRITE;
}

static void read_line(char *text)
{
	struct line line = {0}, vex;
	struct decode_form form, legacy;
	struct decode_flags set;
	struct said said;
	char *field[5], *part[3] = {NULL};
	unsigned i, count;

	for (i = 0; i < DECODE_SPLITS; i++)
		line.mask[i] = (1u << split_values[i]) - 1;
	for (i = 0; i < COUNT(field); i++) {
		field[i] = strsep(&text, "|");
		if (!field[i])
			fail("not five fields", "");
		field[i] += strspn(field[i], " \t");
	}
	count = read_encoding(&line, field[0]);
	line.entry.op = name_number(&ops, strsep(&field[1], " \t"));
	read_operands(&line, field[1], &form);
	read_flags(field[2], &set);
	read_attributes(&line, field[3], &said);
	for (i = 0; i < COUNT(part) && (part[i] = strsep(&field[4], "/")); i++)
		part[i][strcspn(part[i], " \t")] = 0;

	if (!part[1] || *part[0]) {
		legacy = form;
		drop_vvvv(&legacy);
		add(&line, &legacy, &said, &set, part[0], count);
	}
	if (!part[1])
		return;
	vex = line;
	vex.map += DECODE_MAP_VEX;
	if (!part[2] || !strcmp(part[1], part[2])) {
		add(&vex, &form, &said, &set, part[1], count);
		return;
	}
	for (i = 0; i < 2; i++) {
		vex.mask[DECODE_SPLIT_L] = 1u << i;
		if (strcmp(part[1 + i], "-"))
			add(&vex, &form, &said, &set, part[1 + i], count);
	}
}

/* --- tree --------------------------------------------------------------------------------------
 */

static bool constrains(const struct line *line, unsigned split)
{
	return line->mask[split] != (1u << split_values[split]) - 1;
}

static unsigned weight(const struct line *line)
{
	unsigned split, count = 0;

	for (split = 0; split < DECODE_SPLITS; split++)
		count += constrains(line, split);
	return count;
}

static unsigned leaf(const unsigned *set, unsigned count)
{
	unsigned i, best = 0;

	for (i = 1; i < count; i++)
		if (weight(&lines[set[i]]) > weight(&lines[set[best]]))
			best = i;
	for (i = 0; i < count; i++) {
		number = lines[set[i]].number;
		if (i != best && weight(&lines[set[i]]) == weight(&lines[set[best]]))
			fail("means the same encoding as another", "");
	}
	return set[best] + 1;
}

static unsigned build(const unsigned *set, unsigned count, unsigned split)
{
	unsigned subset[256], value, i, subcount, at;
	uint16_t node[1 + 8];

	if (!count)
		return 0;
	for (; split < DECODE_SPLITS; split++) {
		for (i = 0; i < count; i++)
			if (constrains(&lines[set[i]], split))
				break;
		if (i < count)
			break;
	}
	if (split == DECODE_SPLITS)
		return leaf(set, count);
	node[0] = split;
	for (value = 0; value < split_values[split]; value++) {
		subcount = 0;
		for (i = 0; i < count; i++)
			if (lines[set[i]].mask[split] >> value & 1)
				subset[subcount++] = set[i];
		node[1 + value] = build(subset, subcount, split + 1);
	}
	count = 1 + split_values[split];
	for (at = 0; at + count <= node_count; at++)
		if (!memcmp(&nodes[at], node, count * sizeof(node[0])))
			return DECODE_NODE_SPLIT | at;
	if (node_count + count > NODES_MAX)
		fail("too many nodes", "");
	memcpy(&nodes[node_count], node, count * sizeof(node[0]));
	node_count += count;
	return DECODE_NODE_SPLIT | (node_count - count);
}

static bool build_opcode(unsigned map, unsigned opcode)
{
	unsigned set[256], count = 0, i;
	bool modrm = false;

	for (i = 0; i < line_count; i++)
		if (lines[i].map == map && lines[i].opcode == opcode) {
			set[count++] = i;
			modrm |= lines[i].modrm;
		}
	roots[map][opcode] = build(set, count, 0);
	return modrm;
}

/* --- output ------------------------------------------------------------------------------------
 */

static void print_enum(FILE *out, const char *tag, const char *prefix, const struct names *names,
		       const char *first)
{
	const char *c;
	unsigned i;

	fprintf(out, "enum %s {\n\t%s_%s,\n", tag, prefix, first);
	for (i = 0; i < names->count; i++) {
		fprintf(out, "\t%s_", prefix);
		for (c = names->name[i]; *c; c++)
			fputc(toupper((unsigned char)*c), out);
		fprintf(out, ",\n");
	}
	fprintf(out, "\t%s_COUNT\n};\n\n", prefix);
}

static void print_maps(FILE *out)
{
	uint8_t modrm[DECODE_MAPS][256];
	unsigned map, opcode;

	fprintf(out, "static const uint16_t decode_roots[%u][256] = {\n", DECODE_MAPS);
	for (map = 0; map < DECODE_MAPS; map++) {
		fprintf(out, "\t{");
		for (opcode = 0; opcode < 256; opcode++) {
			modrm[map][opcode] = build_opcode(map, opcode);
			fprintf(out, "%s%u,", opcode % 16 ? " " : "\n\t\t", roots[map][opcode]);
		}
		fprintf(out, "\n\t},\n");
	}
	fprintf(out, "};\n\nstatic const uint8_t decode_has_modrm[%u][256] = {\n", DECODE_MAPS);
	for (map = 0; map < DECODE_MAPS; map++) {
		fprintf(out, "\t{");
		for (opcode = 0; opcode < 256; opcode++)
			fprintf(out, "%s%u,", opcode % 16 ? " " : "\n\t\t", modrm[map][opcode]);
		fprintf(out, "\n\t},\n");
	}
	fprintf(out, "};\n\nstatic const uint16_t decode_nodes[%u] = {", node_count);
	for (opcode = 0; opcode < node_count; opcode++)
		fprintf(out, "%s%u,", opcode % 12 ? " " : "\n\t", nodes[opcode]);
	fprintf(out, "\n};\n\n");
}

static void print_data(FILE *out)
{
	unsigned i, j;

	print_maps(out);
	fprintf(out, "static const struct decode_entry decode_entries[%u] = {\n\t{0},\n",
		line_count + 1);
	for (i = 0; i < line_count; i++) {
		const struct decode_entry *entry = &lines[i].entry;

		fprintf(out, "\t{%u, %u, %u, %u, %u, 0x%x},\n", entry->op, entry->form,
			entry->flags, entry->feature, entry->rule, entry->attributes);
	}
	fprintf(out, "};\n\nstatic const struct decode_form decode_forms[%u] = {\n", form_count);
	for (i = 0; i < form_count; i++) {
		fprintf(out, "\t{{");
		for (j = 0; j < COUNT(forms[i].operand); j++) {
			const struct decode_form_operand *operand = &forms[i].operand[j];
			const struct decode_operand *is = &operand->operand;

			fprintf(out, "{{%u, %u, %u, %u, 0, %u}, %u, %u, %u}, ", is->kind, is->class,
				is->reg, is->access, is->implicit, operand->type, operand->size,
				operand->source);
		}
		fprintf(out, "}, %u, %u, %u},\n", forms[i].count, forms[i].memory, forms[i].vector);
	}
	fprintf(out, "};\n\nstatic const struct decode_flags decode_flag_sets[%u] = {\n",
		flags_count);
	for (i = 0; i < flags_count; i++)
		fprintf(out, "\t{0x%x, 0x%x, 0x%x},\n", flags[i].read, flags[i].written,
			flags[i].undefined);
	fprintf(out, "};\n\nstatic const char *const decode_names[%u] = {\n\t\"\",\n",
		ops.count + 1);
	for (i = 0; i < ops.count; i++)
		fprintf(out, "\t\"%s\",\n", ops.name[i]);
	fprintf(out, "};\n");
}

static FILE *must_open(const char *path, const char *mode)
{
	FILE *file = fopen(path, mode);

	if (!file) {
		fprintf(stderr, "decode_tables: %s: %s\n", path, strerror(errno));
		exit(1);
	}
	return file;
}

int main(int argc, char **argv)
{
	static const char head[] = "/* Generated from lib/decode/instructions.txt. */\n";
	FILE *in, *op, *data;
	char line[256];

	if (argc != 4) {
		fprintf(stderr, "usage: decode_tables INSTRUCTIONS DECODE_OP_H DECODE_DATA_H\n");
		return 2;
	}
	in = must_open(argv[1], "r");
	op = must_open(argv[2], "w");
	data = must_open(argv[3], "w");
	while (fgets(line, sizeof(line), in)) {
		number++;
		line[strcspn(line, "\n")] = 0;
		if (*line && *line != '#')
			read_line(line);
	}
	fprintf(op, "%s#ifndef DYAD_LIB_DECODE_OP_H\n#define DYAD_LIB_DECODE_OP_H\n\n", head);
	print_enum(op, "decode_op", "OP", &ops, "NONE");
	print_enum(op, "decode_feature", "FEATURE", &features, "BASE");
	fprintf(op, "#endif\n");
	fprintf(data, "%s", head);
	print_data(data);
	return fclose(op) || fclose(data) ? 1 : 0;
}
