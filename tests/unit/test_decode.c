/* SPDX-License-Identifier: MIT */
/*
 * The decoder on encodings that were checked by hand against AMD's APM volumes 3 and 4 and Intel's
 * SDM volume 2.  tests/decode compares it with another decoder on all the others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "lib/decode.h"

struct text {
	size_t at;
	char bytes[256];
};

__attribute__((format(printf, 2, 3))) static void put(struct text *text, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	text->at += vsnprintf(text->bytes + text->at, sizeof(text->bytes) - text->at, format,
			      arguments);
	va_end(arguments);
	assert_true(text->at < sizeof(text->bytes));
}

static const char *const segments[] = {"es", "cs", "ss", "ds", "fs", "gs"};

static void put_memory(struct text *text, const struct decode_insn *insn)
{
	const struct decode_memory *memory = &insn->memory;

	put(text, "[%s", segments[memory->segment]);
	if (memory->base == DECODE_RIP)
		put(text, " rip");
	else if (memory->base != DECODE_NO_REG)
		put(text, " r%u", memory->base);
	if (memory->index != DECODE_NO_REG)
		put(text, " %s%u*%u", memory->index_class == DECODE_GPR ? "r" : "v", memory->index,
		    memory->scale);
	if (memory->displacement || insn->displacement_size)
		put(text, " %lld", (long long)memory->displacement);
	put(text, "]%u", insn->address_size);
}

static void put_operand(struct text *text, const struct decode_insn *insn,
			const struct decode_operand *operand)
{
	static const char *const classes[] = {"r", "h", "s", "cr", "dr", "st", "mm", "x", "y"};
	static const char *const access[] = {"~", "", "=", "+"};

	put(text, " %s%s", operand->implicit ? ":" : "", access[operand->access]);
	switch (operand->kind) {
	case DECODE_REGISTER:
		put(text, "%s%u", classes[operand->class], operand->reg);
		break;
	case DECODE_MEMORY:
		put_memory(text, insn);
		break;
	case DECODE_IMMEDIATE:
	case DECODE_RELATIVE:
		put(text, "%s%lld", operand->kind == DECODE_RELATIVE ? "." : "#",
		    (long long)insn->immediate);
		return;
	case DECODE_IMMEDIATE2:
		put(text, "#%lld", (long long)insn->immediate2);
		return;
	case DECODE_FAR:
		put(text, "%llx:%llx", (long long)insn->immediate2, (long long)insn->immediate);
		return;
	case DECODE_STRING:
		put(text, "[%s r%u]%u", operand->reg == 7 ? "es" : segments[insn->memory.segment],
		    operand->reg, insn->address_size);
		break;
	}
	put(text, "/%u", operand->size);
}

/* An instruction as text: name, operands (with / size), operand size. */
static void describe(const struct decode_insn *insn, struct text *text)
{
	unsigned i;

	text->at = 0;
	put(text, "%s%s", insn->lock ? "lock " : "", decode_op_name(insn->op));
	for (i = 0; i < insn->operand_count; i++)
		put_operand(text, insn, &insn->operand[i]);
	put(text, " %u", insn->operand_size);
}

static size_t from_hex(const char *hex, uint8_t bytes[static 16])
{
	size_t count = 0;
	unsigned byte;

	for (; sscanf(hex, "%2x", &byte) == 1; hex += 2) {
		assert_true(count < 16);
		bytes[count++] = byte;
	}
	return count;
}

/* Decodes all of hex, which must be one instruction and its length. */
static void expect(enum decode_mode mode, const char *hex, const char *expected)
{
	struct decode_insn insn;
	struct text text;
	uint8_t bytes[16];
	size_t size = from_hex(hex, bytes), shorter;

	assert_int_equal(decode(mode, bytes, size, &insn), DECODE_OK);
	assert_int_equal(insn.length, size);
	describe(&insn, &text);
	assert_string_equal(text.bytes, expected);
	for (shorter = 1; shorter < size; shorter++)
		assert_int_equal(decode(mode, bytes, shorter, &insn), DECODE_SHORT);
}

static void invalid(enum decode_mode mode, const char *hex)
{
	struct decode_insn insn;
	uint8_t bytes[16];
	size_t size = from_hex(hex, bytes);

	assert_int_equal(decode(mode, bytes, size, &insn), DECODE_INVALID);
}

static void integers_in_64_bit_mode(void **state)
{
	(void)state;
	expect(DECODE_64, "90", "nop 4");
	expect(DECODE_64, "4190", "xchg +r8/4 +r0/4 4");
	expect(DECODE_64, "4801d8", "add +r0/8 r3/8 8");
	expect(DECODE_64, "00642410", "add +[ss r4 16]8/1 h0/1 1");
	expect(DECODE_64, "4000642410", "add +[ss r4 16]8/1 r4/1 1");
	expect(DECODE_64, "66430fb60c97", "movzx =r1/2 [ds r15 r10*4]8/1 2");
	expect(DECODE_64, "48c7c0ffffffff", "mov =r0/8 #-1 8");
	expect(DECODE_64, "48b88877665544332211", "mov =r0/8 #1234605616436508552 8");
	expect(DECODE_64, "648b0425d8ffffff", "mov =r0/4 [fs -40]8/4 4");
	expect(DECODE_64, "8b0510000000", "mov =r0/4 [ds rip 16]8/4 4");
	expect(DECODE_64, "48a11122334455667788", "mov =r0/8 [ds -8613303245920329199]8/8 8");
	expect(DECODE_64, "6748a111223344", "mov =r0/8 [ds 1144201745]4/8 8");
	expect(DECODE_64, "488d04c5f0ffffff", "lea =r0/8 ~[ds r0*8 -16]8/0 8");
	expect(DECODE_64, "83c0ff", "add +r0/4 #-1 4");
	expect(DECODE_64, "c1e0ff", "shl +r0/4 #255 4");
	expect(DECODE_64, "d1e0", "shl +r0/4 #1 4");
	expect(DECODE_64, "d3e0", "shl +r0/4 r1/1 4");
	expect(DECODE_64, "48f7e3", "mul r3/8 :+r0/8 :=r2/8 8");
	expect(DECODE_64, "f6f3", "div r3/1 :+r0/2 1");
	expect(DECODE_64, "f0480fb10b", "lock cmpxchg +[ds r3]8/8 r1/8 :+r0/8 8");
	expect(DECODE_64, "f0480fc70e", "lock cmpxchg16b +[ds r6]8/16 :+r2/8 :+r0/8 :r1/8 :r3/8 8");
	expect(DECODE_64, "4863c1", "movsxd =r0/8 r1/4 8");
	expect(DECODE_64, "480f44c1", "cmovcc +r0/8 r1/8 8");
	expect(DECODE_64, "0f9fc4", "setcc =h0/1 1");
	expect(DECODE_64, "f348a5", "movs =[es r7]8/8 [ds r6]8/8 8");
	expect(DECODE_64, "6764ac", "lods =r0/1 [fs r6]4/1 1");
	expect(DECODE_64, "f2480f38f1c1", "crc32 +r0/8 r1/8 8");
}

static void branches_and_stack(void **state)
{
	(void)state;
	expect(DECODE_64, "ebfe", "jmp_near .-2 8");
	expect(DECODE_64, "0f8500010000", "jcc .256 8");
	expect(DECODE_64, "e8fbffffff", "call_near .-5 8");
	expect(DECODE_64, "66e90002", "jmp_near .512 2");
	expect(DECODE_64_INTEL, "66e900020000", "jmp_near .512 8");
	expect(DECODE_64, "ff2500000000", "jmp_near [ds rip 0]8/8 8");
	expect(DECODE_64, "ff28", "jmp_far [ds r0]8/6 4");
	expect(DECODE_64, "48ff28", "jmp_far [ds r0]8/6 4");
	expect(DECODE_64_INTEL, "48ff28", "jmp_far [ds r0]8/10 8");
	expect(DECODE_64, "48cb", "ret_far 8");
	expect(DECODE_64, "48cf", "iret 8");
	expect(DECODE_64, "c20800", "ret_near #8 8");
	expect(DECODE_64, "c8100001", "enter #16 #1 8");
	expect(DECODE_64, "6aff", "push #-1 8");
	expect(DECODE_64, "666aff", "push #-1 2");
	expect(DECODE_64, "6800000080", "push #-2147483648 8");
	expect(DECODE_64, "4154", "push r12/8 8");
	expect(DECODE_64, "0fa1", "pop_sreg =s4/2 8");
	expect(DECODE_64, "67e300", "jcxz .0 :r1/4 8");
	expect(DECODE_32, "ea785634121000", "jmp_far 10:12345678 4");
	expect(DECODE_16, "9a34121000", "call_far 10:1234 2");
	expect(DECODE_16, "e9fcff", "jmp_near .-4 2");
	expect(DECODE_16, "66e9fcffffff", "jmp_near .-4 4");
	expect(DECODE_16, "06", "push_sreg s0/2 2");
}

static void addresses_of_16_and_32_bits(void **state)
{
	(void)state;
	expect(DECODE_16, "8b00", "mov =r0/2 [ds r3 r6*1]2/2 2");
	expect(DECODE_16, "8b4202", "mov =r0/2 [ss r5 r6*1 2]2/2 2");
	expect(DECODE_16, "8b0634f2", "mov =r0/2 [ds -3532]2/2 2");
	expect(DECODE_16, "8b4600", "mov =r0/2 [ss r5 0]2/2 2");
	expect(DECODE_16, "266667668b0500000001", "mov =r0/4 [es 16777216]4/4 4");
	expect(DECODE_32, "8b0578563412", "mov =r0/4 [ds 305419896]4/4 4");
	expect(DECODE_32, "8b4424fc", "mov =r0/4 [ss r4 -4]4/4 4");
	expect(DECODE_32, "678b07", "mov =r0/4 [ds r3]2/4 4");
	expect(DECODE_32, "48", "dec +r0/4 4");
	expect(DECODE_32, "c406", "les =r0/4 [ds r6]4/6 4");
	expect(DECODE_32, "63d8", "arpl +r0/2 r3/2 4");
	expect(DECODE_32, "d7", "xlat :[ds r3]4/1 :+r0/1 1");
}

static void system_instructions(void **state)
{
	(void)state;
	expect(DECODE_64, "0f22d8", "mov_cr =cr3/8 r0/8 8");
	expect(DECODE_64, "440f20c0", "mov_cr =r0/8 cr8/8 8");
	expect(DECODE_32, "f00f20c0", "lock mov_cr =r0/4 cr8/4 4");
	expect(DECODE_32, "0f23f8", "mov_dr =dr7/4 r0/4 4");
	expect(DECODE_64, "8ed8", "mov_sreg =s3/2 r0/2 4");
	expect(DECODE_64, "668cd8", "mov_sreg =r0/2 s3/2 2");
	expect(DECODE_64, "488cd8", "mov_sreg =r0/8 s3/2 8");
	expect(DECODE_64, "8c18", "mov_sreg =[ds r0]8/2 s3/2 4");
	expect(DECODE_64, "0f0110", "lgdt [ds r0]8/10 4");
	expect(DECODE_32, "0f0118", "lidt [ds r0]4/6 4");
	expect(DECODE_64, "0f01f8", "swapgs 4");
	expect(DECODE_64, "0f0138", "invlpg ~[ds r0]8/1 1");
	expect(DECODE_64, "0f01d9", "vmmcall 4");
	expect(DECODE_64, "0f01ca", "clac 4");
	expect(DECODE_64, "f3480faed8", "wrgsbase r0/8 8");
	expect(DECODE_64, "480fae21", "xsave +[ds r1]8/0 :r0/4 :r2/4 8");
	expect(DECODE_64, "0fc721", "xsavec =[ds r1]8/0 :r0/4 :r2/4 4");
	expect(DECODE_64, "660f388201", "invpcid r0/8 [ds r1]8/16 8");
	expect(DECODE_64, "f30f1efa", "endbr64 4");
	expect(DECODE_64, "f390", "pause 4");
	expect(DECODE_64, "ed", "in =r0/4 r2/2 4");
	expect(DECODE_64, "e664", "out #100 r0/1 1");
	expect(DECODE_64, "f36c", "ins =[es r7]8/1 r2/2 1");
}

static void vectors(void **state)
{
	(void)state;
	expect(DECODE_64, "0f28c1", "movaps =x0/16 x1/16 4");
	expect(DECODE_64, "f20f1000", "movsd =x0/16 [ds r0]8/8 4");
	expect(DECODE_64, "f20f10c1", "movsd +x0/16 x1/8 4");
	expect(DECODE_64, "c5fb10c1", "movsd =x0/16 x0/16 x1/8 4");
	expect(DECODE_64, "0ffcc1", "paddb +mm0/8 mm1/8 4");
	expect(DECODE_64, "66450ffcc1", "paddb +x8/16 x9/16 2");
	expect(DECODE_64, "c5f5fcc2", "paddb =y0/32 y1/32 y2/32 4");
	expect(DECODE_64, "66480f6ec0", "movd =x0/16 r0/8 8");
	expect(DECODE_32, "c4e1f96ec0", "movd =x0/16 r0/4 4");
	expect(DECODE_64, "c4e27d5a00", "vbroadcasti128 =y0/32 [ds r0]8/16 4");
}

static void gathers_and_others(void **state)
{
	(void)state;
	expect(DECODE_64, "c4e269900408", "vpgatherdd +x0/16 [ds r0 v1*1]8/4 +x2/16 4");
	expect(DECODE_64, "c4e2ed900408", "vpgatherdq +y0/32 [ds r0 v1*1]8/8 +y2/32 8");
	expect(DECODE_64, "c4e3714ac230", "vblendvps =x0/16 x1/16 x2/16 x3/16 4");
	expect(DECODE_64, "c4e2f0f2c2", "andn =r0/8 r1/8 r2/8 8");
	expect(DECODE_64, "c4e3fbf0c010", "rorx =r0/8 r0/8 #16 8");
	expect(DECODE_64, "660f78c00408", "extrq +x0/16 #4 #8 1");
	expect(DECODE_64, "d9c1", "fld st1/10 :=st0/10 4");
	expect(DECODE_64, "dd00", "fld [ds r0]8/8 :=st0/10 4");
	expect(DECODE_64, "db28", "fld [ds r0]8/10 :=st0/10 4");
}

static void what_is_invalid(void **state)
{
	static const char *const in_64[] = {
		"06",         "27",         "60",           "62f17c4858c1", "82c000",   "9a",
		"c4e17c4858", "ce",         "d6",           "ea",           "0f0e",     "0f0fc0bf",
		"8ec8",       "8cf0",       "0f20c8",       "f089c8",       "f08908",   "f0a4",
		"8dc0",       "fed0",       "0f0dc0",       "0fc7c8",       "0f01d5",   "c6f800",
		"66c5f877",   "48c5f877",   "f0c5f877",     "c4e07877",     "c5f0ae10", "c5fcae10",
		"c4e2f918c0", "c4e26990c0", "c4e279900408", "8fe878c0",     "f20f28c0", "0f3820c0",
		"f30f3800c0",
	};
	unsigned i;

	(void)state;
	for (i = 0; i < ARRAY_COUNT(in_64); i++)
		invalid(DECODE_64, in_64[i]);
	invalid(DECODE_32, "62c0");
	invalid(DECODE_32, "8ff0");
	invalid(DECODE_32, "0f01f8");
	invalid(DECODE_16, "c4c0");
	invalid(DECODE_32, "f30faec0");
}

static void lengths(void **state)
{
	uint8_t bytes[16];
	struct decode_insn insn;

	(void)state;
	memset(bytes, 0x66, sizeof(bytes));
	assert_int_equal(decode(DECODE_64, bytes, 14, &insn), DECODE_SHORT);
	assert_int_equal(decode(DECODE_64, bytes, 15, &insn), DECODE_TOO_LONG);
	bytes[14] = 0x90;
	assert_int_equal(decode(DECODE_64, bytes, 16, &insn), DECODE_OK);
	assert_int_equal(insn.length, 15);
	bytes[14] = 0xb0;
	assert_int_equal(decode(DECODE_64, bytes, 16, &insn), DECODE_TOO_LONG);
}

static void prefixes(void **state)
{
	struct decode_insn insn;
	uint8_t bytes[16];

	(void)state;
	/* The last segment counts, but in 64-bit mode FS and GS alone; a REX before another prefix
	 * does not. */
	assert_int_equal(decode(DECODE_64, bytes, from_hex("642e488b00", bytes), &insn), DECODE_OK);
	assert_int_equal(insn.memory.segment, 4);
	assert_int_equal(insn.operand_size, 8);
	assert_int_equal(decode(DECODE_32, bytes, from_hex("642e8b00", bytes), &insn), DECODE_OK);
	assert_int_equal(insn.memory.segment, 1);
	assert_int_equal(decode(DECODE_64, bytes, from_hex("48668b00", bytes), &insn), DECODE_OK);
	assert_int_equal(insn.operand_size, 2);
	assert_int_equal(insn.rex, 0);
	assert_int_equal(decode(DECODE_64, bytes, from_hex("f2f3a4", bytes), &insn), DECODE_OK);
	assert_int_equal(insn.rep, 0xf3);
}

static void places_of_parts(void **state)
{
	struct decode_insn insn;
	uint8_t bytes[16];

	(void)state;
	from_hex("6648c784880403020199887766", bytes);
	assert_int_equal(decode(DECODE_64, bytes, 13, &insn), DECODE_OK);
	assert_int_equal(insn.opcode_at, 2);
	assert_int_equal(insn.modrm_at, 3);
	assert_int_equal(insn.displacement_at, 5);
	assert_int_equal(insn.displacement_size, 4);
	assert_int_equal(insn.immediate_at, 9);
	assert_int_equal(insn.immediate_size, 4);
	from_hex("c4e3714a480830", bytes);
	assert_int_equal(decode(DECODE_64, bytes, 7, &insn), DECODE_OK);
	assert_int_equal(insn.opcode_at, 3);
	assert_int_equal(insn.modrm_at, 4);
	assert_int_equal(insn.displacement_at, 5);
	assert_int_equal(insn.immediate_at, 6);
}

static void flags_and_attributes(void **state)
{
	static const struct {
		const char *hex;
		uint32_t attributes, read, written, undefined;
	} cases[] = {
		{"01c8", DECODE_LOCKABLE, 0, 0x8d5, 0},
		{"11c8", DECODE_LOCKABLE, 1, 0x8d5, 0},
		{"ffc0", DECODE_LOCKABLE, 0, 0x8d4, 0},
		{"7700", DECODE_BRANCH | DECODE_CONDITIONAL, 0x41, 0, 0},
		{"d3e0", 0, 0x8d5, 0x8d5, 0x810},
		{"c1e003", 0, 0, 0x8d5, 0x810},
		{"c1e020", 0, 0, 0, 0},
		{"48c1e020", 0, 0, 0x8d5, 0x810},
		{"d1e0", 0, 0, 0x8d5, 0x10},
		{"f3a6", DECODE_REPEATABLE, 0xcd5, 0x8d5, 0},
		{"0f22d8", DECODE_PRIVILEGED | DECODE_SERIALIZING, 0, 0, 0},
		{"ec", DECODE_IO, 0, 0, 0},
		{"0f2800", DECODE_SSE_INSN | DECODE_ALIGNED, 0, 0, 0},
		{"0f1000", DECODE_SSE_INSN, 0, 0, 0},
		{"0f5800", DECODE_SSE_INSN | DECODE_ALIGNED | DECODE_SIMD_FP, 0, 0, 0},
		{"c5f85800", DECODE_AVX_INSN | DECODE_PROTECTED_ONLY | DECODE_SIMD_FP, 0, 0, 0},
		{"c5f82800", DECODE_AVX_INSN | DECODE_PROTECTED_ONLY | DECODE_ALIGNED, 0, 0, 0},
		{"0ffc00", DECODE_MMX_INSN, 0, 0, 0},
		{"d800", DECODE_X87_INSN, 0, 0, 0},
		{"50", DECODE_STACK, 0, 0, 0},
	};
	struct decode_insn insn;
	uint8_t bytes[16];
	unsigned i;

	(void)state;
	for (i = 0; i < ARRAY_COUNT(cases); i++) {
		size_t size = from_hex(cases[i].hex, bytes);

		assert_int_equal(decode(DECODE_64, bytes, size, &insn), DECODE_OK);
		assert_int_equal(insn.attributes, cases[i].attributes);
		assert_int_equal(insn.flags_read, cases[i].read);
		assert_int_equal(insn.flags_written, cases[i].written);
		assert_int_equal(insn.flags_undefined, cases[i].undefined);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_in_64_bit_mode),
		cmocka_unit_test(branches_and_stack),
		cmocka_unit_test(addresses_of_16_and_32_bits),
		cmocka_unit_test(system_instructions),
		cmocka_unit_test(vectors),
		cmocka_unit_test(gathers_and_others),
		cmocka_unit_test(what_is_invalid),
		cmocka_unit_test(lengths),
		cmocka_unit_test(prefixes),
		cmocka_unit_test(places_of_parts),
		cmocka_unit_test(flags_and_attributes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
