/* SPDX-License-Identifier: MIT */
/*
 * Decodes with lib/decode.h and with Zydis, and tells where they differ.
 *
 *   oracle exhaustive [legacy | vex]   all opcodes, prefixes that matter and ModRM bytes, in all
 * modes oracle random COUNT [SEED]         COUNT random strings of bytes, most of them valid
 *
 * Shows one of each kind of difference that known.c has no reason for, and closes with 'N passed,
 * N failed': one for each mode.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bits.h"
#include "tests/decode/compare.h"

#define SHOWN_MAX 200

static struct comparer comparer;
static unsigned long long strings, known, unknown, valid;
static unsigned failed[MODES];

/* Differences of one kind are shown once. */
static struct {
	const char *what;
	unsigned op, mnemonic;
} shown[SHOWN_MAX];
static unsigned shown_count;

static const char *const mode_names[MODES] = {"16", "32", "64", "64 (Intel)"};

static void show(const char *what)
{
	const struct compared *last = &comparer.last;
	unsigned op = last->result == DECODE_OK ? last->ours.op : 0, i;
	unsigned mnemonic = ZYAN_SUCCESS(last->status) ? last->theirs.mnemonic : 0;

	unknown++;
	failed[last->mode] = 1;
	for (i = 0; i < shown_count; i++)
		if (shown[i].what == what && shown[i].op == op && shown[i].mnemonic == mnemonic)
			return;
	if (shown_count == SHOWN_MAX)
		return;
	shown[shown_count].what = what;
	shown[shown_count].op = op;
	shown[shown_count++].mnemonic = mnemonic;
	printf("%s: ", what);
	for (i = 0; i < 15 && i < last->size; i++)
		printf("%02x", last->bytes[i]);
	printf(" in mode %s: ", mode_names[last->mode]);
	if (last->result == DECODE_OK)
		printf("%s of %u", decode_op_name(last->ours.op), last->ours.length);
	else
		printf("invalid (%d)", last->result);
	if (ZYAN_SUCCESS(last->status))
		printf(", Zydis %s of %u", ZydisMnemonicGetString(last->theirs.mnemonic),
		       last->theirs.length);
	else
		printf(", Zydis invalid (%x)", last->status);
	if (*what == 'f' && last->theirs.cpu_flags) {
		const ZydisAccessedFlags *flags = last->theirs.cpu_flags;

		printf(", ours r%x w%x u%x, Zydis' r%x w%x u%x", last->ours.flags_read,
		       last->ours.flags_written, last->ours.flags_undefined, flags->tested,
		       flags->modified | flags->set_0 | flags->set_1 | flags->undefined,
		       flags->undefined);
	}
	printf("\n");
}

/* Returns how many bytes had to be looked at by the one that went further. */
static unsigned look(enum decode_mode mode, const uint8_t *bytes, size_t size)
{
	const char *what = compare(&comparer, mode, bytes, size);

	strings++;
	if (comparer.last.result == DECODE_OK)
		valid++;
	if (what) {
		if (known_difference(&comparer.last, what))
			known++;
		else
			show(what);
	}
	if (ZYAN_SUCCESS(comparer.last.status) &&
	    comparer.last.theirs.length > comparer.last.ours.length)
		return comparer.last.theirs.length;
	return comparer.last.ours.length;
}

/* All opcodes of a map behind some prefixes, with all ModRM bytes if they matter. */
static void all_opcodes(enum decode_mode mode, const uint8_t *start, unsigned length)
{
	/* A SIB byte, displacements and immediates. */
	static const uint8_t rest[] = {0x65, 0x87, 0x12, 0x93, 0xe4, 0x45,
				       0x36, 0x67, 0x98, 0x09, 0x0a, 0x7b};
	uint8_t bytes[32];
	unsigned opcode, modrm, used;

	memcpy(bytes, start, length);
	memcpy(bytes + length + 2, rest, sizeof(rest));
	for (opcode = 0; opcode < 256; opcode++) {
		bytes[length] = opcode;
		for (modrm = 0; modrm < 256; modrm++) {
			bytes[length + 1] = modrm;
			used = look(mode, bytes, 15);
			if (used <= length + 1)
				break;
		}
	}
}

static void exhaustive_legacy(void)
{
	static const uint8_t maps[][2] = {{0}, {0x0f}, {0x0f, 0x38}, {0x0f, 0x3a}};
	static const uint8_t segments[] = {0, 0x26, 0x36, 0x64};
	static const uint8_t rexes[] = {0, 0x40, 0x41, 0x44, 0x48, 0x4f};
	static const uint8_t reps[] = {0, 0xf2, 0xf3};
	unsigned mode, map, set, rep, rex, segment, length;
	uint8_t bytes[16];

	for (mode = 0; mode < MODES; mode++)
		for (map = 0; map < ARRAY_COUNT(maps); map++)
			for (set = 0; set < 8; set++)
				for (rep = 0; rep < ARRAY_COUNT(reps); rep++)
					for (rex = 0; rex < ARRAY_COUNT(rexes); rex++)
						for (segment = 0; segment < ARRAY_COUNT(segments);
						     segment++) {
							if (mode < DECODE_64 && rex)
								continue;
							if (segment && (set & 6))
								continue;
							length = 0;
							if (segments[segment])
								bytes[length++] = segments[segment];
							if (set & 1)
								bytes[length++] = 0x66;
							if (set & 2)
								bytes[length++] = 0x67;
							if (set & 4)
								bytes[length++] = 0xf0;
							if (reps[rep])
								bytes[length++] = reps[rep];
							if (rexes[rex])
								bytes[length++] = rexes[rex];
							if (map)
								bytes[length++] = maps[map][0];
							if (map > 1)
								bytes[length++] = maps[map][1];
							all_opcodes(mode, bytes, length);
						}
}

static void exhaustive_vex(void)
{
	static const uint8_t before[] = {0, 0x66, 0xf2, 0xf3, 0xf0, 0x48, 0x64, 0x67};
	static const uint8_t vvvv[] = {0x78, 0x00, 0x50, 0x38};
	unsigned mode, map, prefix, i, j, registers, length;
	uint8_t bytes[16];

	for (mode = 0; mode < MODES; mode++)
		for (prefix = 0; prefix < ARRAY_COUNT(before); prefix++)
			for (map = 0; map < 32; map++)
				for (registers = 0; registers < 8; registers++)
					for (i = 0; i < ARRAY_COUNT(vvvv); i++)
						for (j = 0; j < 16; j++) {
							/* Prefixes and strange maps need not all.
							 */
							if ((prefix || map < 1 || map > 3) &&
							    (i || registers != 7))
								continue;
							if (mode < DECODE_64 && registers < 6)
								continue;
							length = 0;
							if (before[prefix])
								bytes[length++] = before[prefix];
							bytes[length++] = 0xc4;
							bytes[length++] = registers << 5 | map;
							bytes[length++] =
								(j & 8) << 4 | vvvv[i] | (j & 7);
							all_opcodes(mode, bytes, length);
							if (map != 1 || (j & 8) || !(registers & 1))
								continue;
							bytes[length - 3] = 0xc5;
							bytes[length - 2] = (registers & 4) << 5 |
									    vvvv[i] | (j & 7);
							all_opcodes(mode, bytes, length - 1);
						}
}

static uint64_t random_state;

static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* Prefixes in any order, then an opcode of some map, then anything. */
static void random_string(uint8_t bytes[static 16])
{
	static const uint8_t prefixes[] = {0x66, 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e,
					   0x26, 0x36, 0x3e, 0x64, 0x65, 0x48, 0x40};
	uint64_t random = next_random(), bits[2] = {next_random(), next_random()};
	unsigned at = 0, count = random & 3, i;

	memcpy(bytes, bits, 16);
	random >>= 2;
	if (!(random & 63))
		count = random >> 6 & 15;
	random >>= 10;
	if (!(random & 3))
		count = 0;
	random >>= 2;
	for (i = 0; i < count; i++) {
		bytes[at++] = prefixes[next_random() % ARRAY_COUNT(prefixes)];
		if (bytes[at - 1] == 0x48)
			bytes[at - 1] = 0x40 | (random >> 20 & 15);
	}
	if (at > 12)
		return;
	switch (random & 7) {
	case 0:
	case 1:
		bytes[at] = 0x0f;
		break;
	case 2:
		bytes[at] = 0x0f;
		bytes[at + 1] = random & 8 ? 0x38 : 0x3a;
		break;
	case 3:
		bytes[at] = 0xc5;
		if (random & 0x100)
			bytes[at + 1] |= 0x78;
		break;
	case 4:
		bytes[at] = 0xc4;
		bytes[at + 1] = (bytes[at + 1] & 0xe0) | (1 + (random >> 3) % 3);
		if (random & 0x100)
			bytes[at + 2] |= 0x78;
		break;
	}
}

static void random_strings(unsigned long long count)
{
	uint8_t bytes[16];
	unsigned mode;

	while (strings < count) {
		random_string(bytes);
		for (mode = 0; mode < MODES; mode++)
			look(mode, bytes, 1 + (next_random() & 31 ? 15 : next_random() % 15));
	}
}

int main(int argc, char **argv)
{
	unsigned mode, bad = 0;

	comparer_init(&comparer);
	if (argc >= 2 && !strcmp(argv[1], "exhaustive")) {
		if (argc < 3 || !strcmp(argv[2], "legacy"))
			exhaustive_legacy();
		if (argc < 3 || !strcmp(argv[2], "vex"))
			exhaustive_vex();
	} else if (argc >= 3 && !strcmp(argv[1], "random")) {
		random_state = 0x9e3779b97f4a7c15 ^ (argc > 3 ? strtoull(argv[3], NULL, 0) : 0);
		printf("seed %s\n", argc > 3 ? argv[3] : "0");
		random_strings(strtoull(argv[2], NULL, 0));
	} else {
		fprintf(stderr, "usage: oracle exhaustive [legacy | vex]\n"
				"       oracle random COUNT [SEED]\n");
		return 2;
	}
	for (mode = 0; mode < MODES; mode++)
		bad += failed[mode];
	printf("%llu strings, %llu valid, %llu known differences, %llu unknown\n", strings, valid,
	       known, unknown);
	printf("%u passed, %u failed\n", MODES - bad, bad);
	return bad != 0;
}
