/* SPDX-License-Identifier: MIT */
/*
 * random.c - random values that are often near what instructions treat specially.
 */
#include <string.h>

#include "hw/x86.h"
#include "lib/bits.h"
#include "tests/differential/generate.h"

#define XSAVE_ST 32
#define XSAVE_XMM 160
#define XSAVE_YMM 576
#define XSAVE_HEADER 512
#define XSAVE_MXCSR 24

/* splitmix64 */
uint64_t random_next(struct random *r)
{
	uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint64_t random_integer(struct random *r)
{
	uint64_t bits = random_next(r), value = random_next(r);

	switch (bits & 7) {
	case 0: /* near zero, or near a power of two */
		return (value & 7) - 4;
	case 1:
		return (UINT64_C(1) << (bits >> 8 & 63)) + (value & 3) - 2;
	case 2: /* few bits */
		return value >> (bits >> 8 & 63);
	case 3: /* sign-extended from some size */
		return (uint64_t)((int64_t)value >> (bits >> 8 & 63));
	case 4: /* the same byte everywhere */
		return (value & 0xff) * UINT64_C(0x0101010101010101);
	default:
		return value;
	}
}

static uint32_t random_single(struct random *r)
{
	static const uint32_t corners[] = {
		0x00000000, 0x00000001, 0x007fffff, 0x00800000, 0x00800001, 0x3f800000,
		0x3fffffff, 0x3effffff, 0x4b000000, 0x4effffff, 0x4f000000, 0x5f000000,
		0x7f7fffff, 0x7f800000, 0x7f800001, 0x7fbfffff, 0x7fc00000, 0x7fffffff,
	};
	uint64_t bits = random_next(r);
	uint32_t sign = (uint32_t)(bits >> 63) << 31;

	switch (bits & 3) {
	case 0:
		return corners[(bits >> 8) % ARRAY_COUNT(corners)] | sign;
	case 1: /* about one */
		return (uint32_t)(0x3f800000 + (int32_t)(bits >> 8 & 0x7ffffff) - 0x4000000) | sign;
	case 2: /* a small whole number */
		return (uint32_t)(0x3f800000 + (bits >> 8 & 15) * 0x400000) | sign;
	default:
		return (uint32_t)(bits >> 8);
	}
}

static uint64_t random_double(struct random *r)
{
	static const uint64_t corners[] = {
		UINT64_C(0),
		UINT64_C(1),
		UINT64_C(0x000fffffffffffff),
		UINT64_C(0x0010000000000000),
		UINT64_C(0x36a0000000000000),
		UINT64_C(0x380fffffffffffff),
		UINT64_C(0x3ff0000000000000),
		UINT64_C(0x3fefffffffffffff),
		UINT64_C(0x41dfffffffc00000),
		UINT64_C(0x41e0000000000000),
		UINT64_C(0x43e0000000000000),
		UINT64_C(0x47efffffe0000000),
		UINT64_C(0x47effffff0000000),
		UINT64_C(0x7fefffffffffffff),
		UINT64_C(0x7ff0000000000000),
		UINT64_C(0x7ff0000000000001),
		UINT64_C(0x7ff7ffffffffffff),
		UINT64_C(0x7ff8000000000000),
	};
	uint64_t bits = random_next(r), sign = bits >> 63 << 63;

	switch (bits & 3) {
	case 0:
		return corners[(bits >> 8) % ARRAY_COUNT(corners)] | sign;
	case 1: /* within what a single holds, more or less */
		return (UINT64_C(0x3ff0000000000000) + (bits >> 8 & 0xfffffffffffffff) -
			UINT64_C(0x0800000000000000)) |
		       sign;
	case 2:
		return (UINT64_C(0x3ff0000000000000) + (bits >> 8 & 15) * (UINT64_C(1) << 51)) |
		       sign;
	default:
		return random_next(r);
	}
}

void random_vector(struct random *r, uint8_t bytes[16])
{
	switch (random_below(r, 4)) {
	case 0:
		for (unsigned i = 0; i < 16; i += 4)
			store_le32(bytes + i, random_single(r));
		break;
	case 1:
		for (unsigned i = 0; i < 16; i += 8)
			store_le64(bytes + i, random_double(r));
		break;
	default:
		for (unsigned i = 0; i < 16; i += 8)
			store_le64(bytes + i, random_integer(r));
		break;
	}
}

static void random_extended(struct random *r, uint8_t st[16])
{
	static const uint16_t exponents[] = {0,      1,      0x3bcd, 0x3c01, 0x3f81,
					     0x3ffe, 0x3fff, 0x4000, 0x401e, 0x403e,
					     0x407e, 0x43fe, 0x7ffe, 0x7fff};
	static const uint64_t mantissas[] = {
		UINT64_C(0),
		UINT64_C(1),
		UINT64_C(0x8000000000000000),
		UINT64_C(0x8000000000000001),
		UINT64_C(0x7fffffffffffffff),
		UINT64_C(0xc000000000000000),
		UINT64_C(0xbfffffffffffffff),
		UINT64_C(0xffffffffffffffff),
		UINT64_C(0xfffffffffffff800),
	};
	uint64_t bits = random_next(r), mantissa = random_next(r);
	uint16_t exponent = (uint16_t)(bits >> 16);

	memset(st, 0, 16);
	if (bits & 1) /* about one, normal */
		exponent = (uint16_t)((exponent & 0x8000) | (0x3fe0 + (exponent & 63)));
	else if (bits & 2)
		exponent = (uint16_t)((exponent & 0x8000) |
				      exponents[(bits >> 8 & 0xff) % ARRAY_COUNT(exponents)]);
	if (bits & 4)
		mantissa = mantissas[mantissa % ARRAY_COUNT(mantissas)];
	else if (bits & 0x78) /* but for some, normal */
		mantissa |= UINT64_C(1) << 63;
	store_le64(st, mantissa);
	store_le16(st + 8, exponent);
}

void random_x87(struct random *r, uint8_t *xsave)
{
	uint64_t bits = random_next(r);
	unsigned fcw = 0x7f | (unsigned)(bits & 0xc00) | ((bits >> 16 & 7) ? 0x300 : 0x200);
	unsigned fsw = (unsigned)(bits >> 24 & 0x7f7f);
	unsigned tags = bits >> 40 & 7 ? 0xff : bits >> 48 & 0xff;

	if ((bits >> 56 & 31) == 0)
		fcw &= ~(unsigned)random_below(r, 64);
	if ((bits >> 56 & 31) == 1)
		fcw &= ~0x300u;
	if (random_below(r, 256)) /* but rarely is one pending */
		fsw &= ~0x3fu | (fcw & 0x3f);
	if (fsw & ~fcw & 0x3f)
		fsw |= 0x8080;
	memset(xsave, 0, XSAVE_MXCSR);
	store_le16(xsave, (uint16_t)fcw);
	store_le16(xsave + 2, (uint16_t)fsw);
	xsave[4] = (uint8_t)tags;
	for (unsigned i = 0; i < 8; i++)
		random_extended(r, xsave + XSAVE_ST + (size_t)i * 16);
}

void random_machine(struct random *r, struct machine *machine, bool code32)
{
	memset(machine, 0, sizeof(*machine));
	for (unsigned i = 0; i < 16; i++)
		machine->gpr[i] = random_integer(r);
	for (unsigned i = 0; i < 8 && code32; i++) {
		machine->gpr[i] = (uint32_t)machine->gpr[i];
		machine->gpr[i + 8] = 0;
	}
	machine->rflags = RFLAGS_RESERVED_ONE | RFLAGS_IF;
	random_x87(r, machine->xsave);
	store_le32(machine->xsave + XSAVE_MXCSR, 0x1f80);
	store_le32(machine->xsave + XSAVE_MXCSR + 4, 0xffff);
	store_le64(machine->xsave + XSAVE_HEADER, 7);
	for (unsigned i = 0; i < 16; i++) {
		random_vector(r, machine->xsave + XSAVE_XMM + (size_t)i * 16);
		random_vector(r, machine->xsave + XSAVE_YMM + (size_t)i * 16);
	}
}
