/* SPDX-License-Identifier: MIT */
/*
 * native_x87.c - the x87 instructions that see the unit as a whole: FNINIT, FNSTSW AX, FWAIT, and
 * the environments of FNSTENV, FLDENV, FNSAVE and FRSTOR in their four formats (Intel SDM volume
 * 1, figures 8-9 to 8-12).
 */
#include "hypervisor/x86/soft/native.h"

#define FCW_VALID 0x1f7fu
#define FCW_ONES 0x0040u
#define FSW_EXCEPTIONS 0x3fu
#define FSW_BUSY 0x8000u
#define FSW_TOP_SHIFT 11
#define FOP_MASK 0x7ffu
#define ST_SIZE 10u

enum { TAG_VALID, TAG_ZERO, TAG_SPECIAL, TAG_EMPTY };

/* --- Registers -------------------------------------------------------------------------------- */

/* Register i of the stack, as the area has them. */
static uint8_t *stack_register(struct soft_vcpu *c, unsigned i)
{
	return native_area(c) + CPU_XSAVE_ST + (size_t)i * 16;
}

static unsigned stack_top(struct soft_vcpu *c)
{
	return load_le16(native_area(c) + CPU_XSAVE_FSW) >> FSW_TOP_SHIFT & 7;
}

/* Another register becomes the top of the stack; each keeps its value. */
static void turn(struct soft_vcpu *c, unsigned top)
{
	unsigned by = top - stack_top(c);
	uint8_t st[8][16];

	for (unsigned i = 0; i < 8; i++)
		memcpy(st[i], stack_register(c, (i + by) & 7), sizeof(st[i]));
	memcpy(stack_register(c, 0), st, sizeof(st));
}

/* --- Control and status ------------------------------------------------------------------- */

void native_control_put(struct soft_vcpu *c, uint16_t fcw, uint16_t fsw)
{
	uint8_t *area = native_area(c);
	unsigned summary = FSW_ES | FSW_BUSY;

	fcw = (uint16_t)((fcw & FCW_VALID) | FCW_ONES);
	fsw = (uint16_t)(fsw & ~summary);
	if (fsw & ~fcw & FSW_EXCEPTIONS)
		fsw = (uint16_t)(fsw | summary);
	store_le16(area + CPU_XSAVE_FCW, fcw);
	store_le16(area + CPU_XSAVE_FSW, fsw);
	native_drop_st(c);
}

static uint16_t status(struct soft_vcpu *c)
{
	uint16_t fsw;

	if (c->native_gate & GATE_ST)
		return load_le16(native_area(c) + CPU_XSAVE_FSW);
	__asm__ volatile("fnstsw %0" : "=a"(fsw));
	return fsw;
}

/* Those that wait raise what is pending.  True if so. */
static bool pending(struct soft_vcpu *c)
{
	if (!(status(c) & FSW_ES))
		return false;
	soft_fault(c, CPU_VECTOR_MF);
	return true;
}

static bool fwait(struct soft_vcpu *c, const struct soft_op *op, const struct decode_insn *insn)
{
	(void)op;
	(void)insn;
	if ((c->vcpu.state.cr0 & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS)) {
		soft_fault(c, CPU_VECTOR_NM);
		return false;
	}
	return !pending(c);
}

static bool fldcw(struct soft_vcpu *c, const struct soft_op *op, const struct decode_insn *insn)
{
	uint8_t bytes[2];
	uint16_t fcw;

	(void)insn;
	if (native_prepare(c, GATE_ST) == NATIVE_STOP || pending(c) ||
	    !soft_read(c, op->segment, soft_offset(c, op), bytes, sizeof(bytes)))
		return false;
	fcw = load_le16(bytes);
	__asm__ volatile("fldcw %0" : : "m"(fcw));
	native_fcw_changed(c, fcw);
	return true;
}

static bool fninit(struct soft_vcpu *c, const struct soft_op *op, const struct decode_insn *insn)
{
	uint8_t *area = native_area(c);

	(void)op;
	(void)insn;
	/* The registers keep what they have, and are empty. */
	native_save_st(c);
	turn(c, 0);
	memset(area, 0, CPU_XSAVE_MXCSR);
	native_control_put(c, FCW_INIT, 0);
	return true;
}

static bool fnstsw_ax(struct soft_vcpu *c, const struct soft_op *op, const struct decode_insn *insn)
{
	(void)op;
	(void)insn;
	store_le16(&c->vcpu.state.gpr[CPU_RAX], status(c));
	return true;
}

/* --- Tags ---------------------------------------------------------------------------------- */

static unsigned tag(const uint8_t *st)
{
	uint64_t mantissa = load_le64(st);
	unsigned exponent = load_le16(st + 8) & 0x7fffu;

	if (exponent == 0 && mantissa == 0)
		return TAG_ZERO;
	if (exponent == 0 || exponent == 0x7fff || !(mantissa >> 63))
		return TAG_SPECIAL;
	return TAG_VALID;
}

/* Two bits for each physical register. */
static uint16_t tags_get(struct soft_vcpu *c)
{
	unsigned abridged = native_area(c)[CPU_XSAVE_FTW], tags = 0;

	for (unsigned i = 0; i < 8; i++) {
		unsigned t = TAG_EMPTY;

		if (abridged >> i & 1)
			t = tag(stack_register(c, (i - stack_top(c)) & 7));
		tags |= t << (i * 2);
	}
	return (uint16_t)tags;
}

static void tags_put(struct soft_vcpu *c, uint16_t tags)
{
	unsigned abridged = 0;

	for (unsigned i = 0; i < 8; i++)
		if ((tags >> (i * 2) & 3) != TAG_EMPTY)
			abridged |= 1u << i;
	native_area(c)[CPU_XSAVE_FTW] = (uint8_t)abridged;
}

void native_mmx_enter(struct soft_vcpu *c)
{
	uint8_t *area = native_area(c);

	turn(c, 0);
	area[CPU_XSAVE_FTW] = 0xff;
	store_le16(area + CPU_XSAVE_FSW,
		   (uint16_t)(load_le16(area + CPU_XSAVE_FSW) & ~(7u << FSW_TOP_SHIFT)));
	native_drop_st(c);
}

/* --- Environments -------------------------------------------------------------------------- */

struct pointers {
	uint32_t ip, dp;
	uint16_t cs, ds, fop;
};

static bool is_real(struct soft_vcpu *c)
{
	return !(c->vcpu.state.cr0 & CR0_PE) || c->vcpu.state.rflags & RFLAGS_VM;
}

static unsigned environment_size(const struct decode_insn *insn)
{
	return insn->operand_size == 2 ? 14 : 28;
}

static struct pointers pointers_get(struct soft_vcpu *c)
{
	const uint8_t *area = native_area(c);
	struct pointers p = {
		.ip = load_le32(area + CPU_XSAVE_FIP),
		.dp = load_le32(area + CPU_XSAVE_FDP),
		.fop = load_le16(area + CPU_XSAVE_FOP) & FOP_MASK,
	};

	if (!c->long64) {
		p.cs = load_le16(area + CPU_XSAVE_FIP + 4);
		p.ds = load_le16(area + CPU_XSAVE_FDP + 4);
	}
	return p;
}

static void environment_get(struct soft_vcpu *c, const struct decode_insn *insn, uint8_t *to)
{
	const uint8_t *area = native_area(c);
	unsigned step = environment_size(insn) / 7;
	struct pointers p = pointers_get(c);

	memset(to, 0, 28);
	for (unsigned i = 0; i < 7 && step == 4; i++)
		store_le16(to + i * 4 + 2, i < 3 || i == 6 ? 0xffff : 0);
	store_le16(to, load_le16(area + CPU_XSAVE_FCW));
	store_le16(to + step, load_le16(area + CPU_XSAVE_FSW));
	store_le16(to + 2 * step, tags_get(c));
	if (is_real(c)) {
		p.ip += (uint32_t)p.cs << 4;
		p.dp += (uint32_t)p.ds << 4;
		store_le16(to + 3 * step, (uint16_t)p.ip);
		store_le16(to + 5 * step, (uint16_t)p.dp);
		if (step == 4) {
			store_le32(to + 16, (p.ip >> 16) << 12 | p.fop);
			store_le32(to + 24, (p.dp >> 16) << 12);
		} else {
			store_le16(to + 8, (uint16_t)((p.ip >> 16 & 15) << 12 | p.fop));
			store_le16(to + 12, (uint16_t)((p.dp >> 16 & 15) << 12));
		}
	} else if (step == 4) {
		store_le32(to + 12, p.ip);
		store_le32(to + 16, p.cs | (uint32_t)p.fop << 16);
		store_le32(to + 20, p.dp);
		store_le16(to + 24, p.ds);
	} else {
		store_le16(to + 6, (uint16_t)p.ip);
		store_le16(to + 8, p.cs);
		store_le16(to + 10, (uint16_t)p.dp);
		store_le16(to + 12, p.ds);
	}
}

static void environment_put(struct soft_vcpu *c, const struct decode_insn *insn,
			    const uint8_t *from)
{
	uint8_t *area = native_area(c);
	unsigned step = environment_size(insn) / 7;
	struct pointers p = {0};

	native_save_st(c);
	if (is_real(c)) {
		unsigned mask = step == 4 ? 0xffff : 15;

		p.ip = load_le16(from + 3 * step) | (load_le32(from + 4 * step) >> 12 & mask) << 16;
		p.dp = load_le16(from + 5 * step) | (step == 4 ? load_le32(from + 24) >> 12 & mask
							       : load_le16(from + 12) >> 12 & mask)
							    << 16;
		p.fop = load_le16(from + 4 * step) & FOP_MASK;
	} else if (step == 4) {
		p.ip = load_le32(from + 12);
		p.cs = load_le16(from + 16);
		p.fop = load_le16(from + 18) & FOP_MASK;
		p.dp = load_le32(from + 20);
		p.ds = load_le16(from + 24);
	} else {
		p.ip = load_le16(from + 6);
		p.cs = load_le16(from + 8);
		p.dp = load_le16(from + 10);
		p.ds = load_le16(from + 12);
	}
	turn(c, load_le16(from + step) >> FSW_TOP_SHIFT & 7);
	native_control_put(c, load_le16(from), load_le16(from + step));
	tags_put(c, load_le16(from + 2 * step));
	store_le16(area + CPU_XSAVE_FOP, p.fop);
	store_le64(area + CPU_XSAVE_FIP, p.ip | (c->long64 ? 0 : (uint64_t)p.cs << 32));
	store_le64(area + CPU_XSAVE_FDP, p.dp | (c->long64 ? 0 : (uint64_t)p.ds << 32));
}

/* Masks all exceptions, once they are stored. */
static bool fnstenv(struct soft_vcpu *c, const struct soft_op *op, const struct decode_insn *insn)
{
	uint8_t *area = native_area(c);
	uint8_t to[28];

	native_save_st(c);
	environment_get(c, insn, to);
	if (!soft_write(c, op->segment, soft_offset(c, op), to, environment_size(insn)))
		return false;
	native_control_put(c, load_le16(area + CPU_XSAVE_FCW) | FCW_MASKS,
			   load_le16(area + CPU_XSAVE_FSW));
	return true;
}

static bool fldenv(struct soft_vcpu *c, const struct soft_op *op, const struct decode_insn *insn)
{
	uint8_t from[28];

	if (pending(c) ||
	    !soft_read(c, op->segment, soft_offset(c, op), from, environment_size(insn)))
		return false;
	environment_put(c, insn, from);
	return true;
}

static bool fnsave(struct soft_vcpu *c, const struct soft_op *op, const struct decode_insn *insn)
{
	unsigned size = environment_size(insn);
	uint8_t to[28 + 8 * ST_SIZE];

	native_save_st(c);
	environment_get(c, insn, to);
	for (unsigned i = 0; i < 8; i++)
		memcpy(to + size + i * ST_SIZE, stack_register(c, i), ST_SIZE);
	if (!soft_write(c, op->segment, soft_offset(c, op), to, size + 8 * ST_SIZE))
		return false;
	return fninit(c, op, insn);
}

static bool frstor(struct soft_vcpu *c, const struct soft_op *op, const struct decode_insn *insn)
{
	unsigned size = environment_size(insn);
	uint8_t from[28 + 8 * ST_SIZE];

	if (pending(c) || !soft_read(c, op->segment, soft_offset(c, op), from, size + 8 * ST_SIZE))
		return false;
	environment_put(c, insn, from);
	for (unsigned i = 0; i < 8; i++)
		memcpy(stack_register(c, i), from + size + i * ST_SIZE, ST_SIZE);
	return true;
}

native_execute *native_x87_find(const struct decode_insn *insn)
{
	switch (insn->op) {
	case OP_FWAIT:
		return fwait;
	case OP_FNINIT:
		return fninit;
	case OP_FLDCW:
		return fldcw;
	case OP_FNSTSW:
		return insn->modrm >> 6 == 3 ? fnstsw_ax : NULL;
	case OP_FNSTENV:
		return fnstenv;
	case OP_FLDENV:
		return fldenv;
	case OP_FNSAVE:
		return fnsave;
	case OP_FRSTOR:
		return frstor;
	default:
		return NULL;
	}
}
