/* SPDX-License-Identifier: MIT */
/*
 * bits.c - BT, BTS, BTR, BTC; BSF, BSR, TZCNT, LZCNT, POPCNT; CRC32, ADCX, ADOX.
 */
#include "hypervisor/x86/soft/integer.h"

/* --- One bit: a with bit number b changed; the carry flag is what it was
 * -------------------------- */

#define BIT_COMPUTE(name, bits, suffix)                                                            \
	static uint64_t name##_##bits(uint64_t a, uint64_t b, uint16_t *flags)                     \
	{                                                                                          \
		uint##bits##_t value = (uint##bits##_t)a;                                          \
		uint16_t ax = *flags;                                                              \
                                                                                                   \
		__asm__(SOFT_FLAGS_FROM_AX #name suffix " %[b], %[a]\n\t" SOFT_FLAGS_TO_AX         \
			: [a] "+r"(value), [ax] "+&a"(ax)                                          \
			: [b] "r"((uint##bits##_t)b)                                               \
			: "cc");                                                                   \
		*flags = ax;                                                                       \
		return value;                                                                      \
	}

typedef uint64_t bit_compute(uint64_t a, uint64_t b, uint16_t *flags);

/* op->size; the number is in register op->b, or the immediate if op->spare[0]. */
static inline uint64_t bit_number(struct soft_vcpu *c, const struct soft_op *op)
{
	return op->spare[0] ? (uint64_t)op->immediate : soft_get(c, op->b, op->size);
}

static inline void bit_r(struct soft_vcpu *c, const struct soft_op *op,
			 bit_compute *const compute[SOFT_SIZES], bool writes)
{
	uint64_t result = compute[soft_size_index(op->size)](soft_get(c, op->a, op->size),
							     bit_number(c, op), &c->flags);

	if (writes)
		soft_put(c, op->a, result, op->size);
	soft_next(c, op);
}

/* With a number in a register, memory is a string of bits that goes on on both sides. */
static uint64_t bit_offset(struct soft_vcpu *c, const struct soft_op *op)
{
	uint64_t offset = soft_offset(c, op);
	uint64_t number;
	int64_t units;

	if (op->spare[0])
		return offset;
	number = soft_get(c, op->b, op->size);
	units = op->size == 8   ? (int64_t)number >> 6
		: op->size == 4 ? (int32_t)number >> 5
				: (int16_t)number >> 4;
	offset += (uint64_t)(units * op->size);
	return op->spare[1] < 8 ? offset & size_mask(op->spare[1]) : offset;
}

static SOFT_APART bool bit_m_work(struct soft_vcpu *c, const struct soft_op *op,
				  bit_compute *const compute[SOFT_SIZES], bool writes)
{
	uint64_t offset = bit_offset(c, op);
	uint16_t flags = c->flags;
	uint64_t result;
	const void *at;
	void *to = NULL;

	if (writes)
		at = to = soft_update_at(c, op->segment, offset, op->size);
	else
		at = soft_read_at(c, op->segment, offset, op->size);
	if (!at)
		return false;
	result = compute[soft_size_index(op->size)](soft_load(at, op->size), bit_number(c, op),
						    &flags);
	if (writes) {
		soft_save(to, result, op->size);
		if (!soft_update_end(c, to))
			return false;
	}
	c->flags = flags;
	return true;
}

static inline void bit_m(struct soft_vcpu *c, const struct soft_op *op,
			 bit_compute *const compute[SOFT_SIZES], bool writes)
{
	soft_next_if(c, op, bit_m_work(c, op, compute, writes));
}

#define BIT_HANDLERS(name, writes)                                                                 \
	BIT_COMPUTE(name, 16, "w")                                                                 \
	BIT_COMPUTE(name, 32, "l")                                                                 \
	BIT_COMPUTE(name, 64, "q")                                                                 \
	static bit_compute *const name[SOFT_SIZES] = SOFT_WIDE_SIZES(name);                        \
	static void name##_r(struct soft_vcpu *c, const struct soft_op *op)                        \
	{                                                                                          \
		bit_r(c, op, name, writes);                                                        \
	}                                                                                          \
	static void name##_m(struct soft_vcpu *c, const struct soft_op *op)                        \
	{                                                                                          \
		bit_m(c, op, name, writes);                                                        \
	}

BIT_HANDLERS(bt, false)
BIT_HANDLERS(bts, true)
BIT_HANDLERS(btr, true)
BIT_HANDLERS(btc, true)

/* --- Scans and counts: the destination is a source, too: of 0, BSF and BSR leave it
 * --------------- */

#define SCAN(name, bits, suffix)                                                                   \
	static uint64_t name##_##bits(uint64_t a, uint64_t b, uint16_t *flags)                     \
	{                                                                                          \
		uint16_t ax = *flags;                                                              \
                                                                                                   \
		__asm__(SOFT_FLAGS_FROM_AX #name suffix "\n\t" SOFT_FLAGS_TO_AX                    \
			: [a] "+&r"(a), [ax] "+&a"(ax)                                             \
			: [b] "r"(b)                                                               \
			: "cc");                                                                   \
		*flags = ax;                                                                       \
		return a;                                                                          \
	}

#define SCAN_ALL(name)                                                                             \
	SCAN(name, 16, "w %w[b], %w[a]")                                                           \
	SCAN(name, 32, "l %k[b], %k[a]")                                                           \
	SCAN(name, 64, "q %q[b], %q[a]")                                                           \
	static bit_compute *const name[SOFT_SIZES] = SOFT_WIDE_SIZES(name);

SCAN_ALL(bsf)
SCAN_ALL(bsr)
SCAN_ALL(tzcnt)
SCAN_ALL(lzcnt)
SCAN_ALL(popcnt)
SCAN(crc32, 8, "b %b[b], %q[a]")
SCAN(crc32, 16, "w %w[b], %k[a]")
SCAN(crc32, 32, "l %k[b], %k[a]")
SCAN(crc32, 64, "q %q[b], %q[a]")
static bit_compute *const crc32[SOFT_SIZES] = SOFT_ALL_SIZES(crc32);
SCAN(adcx, 32, "l %k[b], %k[a]")
SCAN(adcx, 64, "q %q[b], %q[a]")
static bit_compute *const adcx[SOFT_SIZES] = {NULL, NULL, adcx_32, adcx_64};
SCAN(adox, 32, "l %k[b], %k[a]")
SCAN(adox, 64, "q %q[b], %q[a]")
static bit_compute *const adox[SOFT_SIZES] = {NULL, NULL, adox_32, adox_64};

/* op->size is the source's; the result is all of the destination's register as the host has it. */
static inline void scan_r(struct soft_vcpu *c, const struct soft_op *op,
			  bit_compute *const compute[SOFT_SIZES])
{
	soft_put64(c, op->a,
		   compute[soft_size_index(op->size)](soft_get64(c, op->a),
						      soft_get(c, op->b, op->size), &c->flags));
	soft_next(c, op);
}

static inline void scan_m(struct soft_vcpu *c, const struct soft_op *op,
			  bit_compute *const compute[SOFT_SIZES])
{
	const void *at = soft_read_at(c, op->segment, soft_offset(c, op), op->size);

	if (!at) {
		soft_stop(c, op);
		return;
	}
	soft_put64(c, op->a,
		   compute[soft_size_index(op->size)](soft_get64(c, op->a), soft_load(at, op->size),
						      &c->flags));
	soft_next(c, op);
}

#define SCAN_HANDLERS(name)                                                                        \
	static void name##_r(struct soft_vcpu *c, const struct soft_op *op)                        \
	{                                                                                          \
		scan_r(c, op, name);                                                               \
	}                                                                                          \
	static void name##_m(struct soft_vcpu *c, const struct soft_op *op)                        \
	{                                                                                          \
		scan_m(c, op, name);                                                               \
	}

SCAN_HANDLERS(bsf)
SCAN_HANDLERS(bsr)
SCAN_HANDLERS(tzcnt)
SCAN_HANDLERS(lzcnt)
SCAN_HANDLERS(popcnt)
SCAN_HANDLERS(crc32)
SCAN_HANDLERS(adcx)
SCAN_HANDLERS(adox)

/* --- Compiling
 * ---------------------------------------------------------------------------------- */

static bool compile_bit(struct soft_compile *k, const struct decode_insn *insn, soft_handler *r,
			soft_handler *m)
{
	struct soft_op *op = soft_compile_op(k);
	bool immediate = insn->operand[1].kind == DECODE_IMMEDIATE;
	enum soft_place place;

	op->size = (uint8_t)insn->operand[0].size;
	op->spare[0] = immediate;
	op->spare[1] = insn->address_size;
	if (!immediate)
		op->b = soft_compile_register(&insn->operand[1]);
	place = soft_compile_place(k, insn, 0);
	k->op->immediate = insn->immediate;
	soft_compile_emit(k, place == SOFT_R ? r : m);
	return true;
}

static bool compile_scan(struct soft_compile *k, const struct decode_insn *insn, soft_handler *r,
			 soft_handler *m)
{
	enum soft_place place;

	soft_compile_op(k)->size = (uint8_t)insn->operand[1].size;
	place = soft_compile_place(k, insn, 1);
	if (place == SOFT_R)
		k->op->b = k->op->a;
	k->op->a = soft_compile_register(&insn->operand[0]);
	soft_compile_emit(k, place == SOFT_R ? r : m);
	return true;
}

bool soft_compile_bits(struct soft_compile *k, const struct decode_insn *insn)
{
	switch (insn->op) {
	case OP_BT:
		return compile_bit(k, insn, bt_r, bt_m);
	case OP_BTS:
		return compile_bit(k, insn, bts_r, bts_m);
	case OP_BTR:
		return compile_bit(k, insn, btr_r, btr_m);
	case OP_BTC:
		return compile_bit(k, insn, btc_r, btc_m);
	case OP_BSF:
		return compile_scan(k, insn, bsf_r, bsf_m);
	case OP_BSR:
		return compile_scan(k, insn, bsr_r, bsr_m);
	case OP_TZCNT:
		return compile_scan(k, insn, tzcnt_r, tzcnt_m);
	case OP_LZCNT:
		return compile_scan(k, insn, lzcnt_r, lzcnt_m);
	case OP_POPCNT:
		return compile_scan(k, insn, popcnt_r, popcnt_m);
	case OP_CRC32:
		return compile_scan(k, insn, crc32_r, crc32_m);
	case OP_ADCX:
		return compile_scan(k, insn, adcx_r, adcx_m);
	case OP_ADOX:
		return compile_scan(k, insn, adox_r, adox_m);
	default:
		return false;
	}
}
