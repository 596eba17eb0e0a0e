/* SPDX-License-Identifier: MIT */
/*
 * native_xsave.c - LDMXCSR and STMXCSR, FXSAVE and FXRSTOR, XSAVE, XSAVEOPT, XSAVEC, XSAVES,
 * XRSTOR and XRSTORS over the guest's state (Intel SDM volume 1, chapters 10.5 and 13; AMD APM
 * volume 2, sections 11.4 and 11.5).
 *
 * A component counts as in use when it isn't as it is after reset.  The modified optimization of
 * XSAVEOPT and XSAVES is not made.
 */
#include "hypervisor/x86/soft/native.h"

#define LEGACY_SIZE 512
#define FXSAVE_SIZE 416    /* what is written of it in 64-bit mode ... */
#define FXSAVE_SIZE_32 288 /* ... and with eight registers */
#define HEADER_SIZE 64
#define XSTATE_COMPACT BIT(63)
#define XMM_SIZE 256
#define YMM_SIZE 256
#define PKRU_SIZE 8
#define AREA_SIZE_MAX (LEGACY_SIZE + HEADER_SIZE + YMM_SIZE + PKRU_SIZE)
#define MXCSR_MASK 0xffffu /* of the valid bits, as FXSAVE tells it: without MM */

static bool general_protection(struct soft_vcpu *c)
{
	soft_fault_error(c, CPU_VECTOR_GP, 0);
	return false;
}

static bool aligned_to(struct soft_vcpu *c, const struct soft_op *op, uint64_t offset,
		       unsigned alignment)
{
	return is_aligned(c->segment[op->segment].base + offset, alignment) ||
	       general_protection(c);
}

/* --- MXCSR --------------------------------------------------------------------------------- */

static bool ldmxcsr(struct soft_vcpu *c, const struct soft_op *op, const struct decode_insn *insn)
{
	uint8_t bytes[4];

	(void)insn;
	if (!soft_read(c, op->segment, soft_offset(c, op), bytes, sizeof(bytes)))
		return false;
	if (load_le32(bytes) & ~MXCSR_VALID)
		return general_protection(c);
	store_le32(native_area(c) + CPU_XSAVE_MXCSR, load_le32(bytes));
	native_drop_mxcsr(c);
	return true;
}

static bool stmxcsr(struct soft_vcpu *c, const struct soft_op *op, const struct decode_insn *insn)
{
	(void)insn;
	native_save_mxcsr(c);
	return soft_write(c, op->segment, soft_offset(c, op), native_area(c) + CPU_XSAVE_MXCSR, 4);
}

/* --- The legacy area ----------------------------------------------------------------------- */

static unsigned xmm_size(struct soft_vcpu *c)
{
	return c->long64 ? XMM_SIZE : XMM_SIZE / 2;
}

/* Bytes 0 to 23 and 32 to 159, and MXCSR with its mask, as they are written. */
static void legacy_get(struct soft_vcpu *c, bool wide, uint8_t *to)
{
	const uint8_t *area = native_area(c);

	native_save_st(c);
	native_save_mxcsr(c);
	memcpy(to, area, CPU_XSAVE_XMM);
	store_le32(to + CPU_XSAVE_MXCSR + 4, MXCSR_MASK);
	if (c->long64 && !wide) { /* the selectors of 64-bit code aren't kept */
		store_le32(to + CPU_XSAVE_FIP + 4, 0);
		store_le32(to + CPU_XSAVE_FDP + 4, 0);
	}
}

static void x87_put(struct soft_vcpu *c, const uint8_t *from)
{
	uint8_t *area = native_area(c);

	memcpy(area, from, CPU_XSAVE_MXCSR);
	area[CPU_XSAVE_FTW + 1] = 0;
	native_control_put(c, load_le16(from + CPU_XSAVE_FCW), load_le16(from + CPU_XSAVE_FSW));
	for (unsigned i = 0; i < 8; i++) {
		uint8_t *st = area + CPU_XSAVE_ST + i * 16u;

		memcpy(st, from + CPU_XSAVE_ST + i * 16u, 10);
		memset(st + 10, 0, 6);
	}
}

static bool x87_is_init(struct soft_vcpu *c)
{
	static const uint8_t zero[CPU_XSAVE_XMM];
	const uint8_t *area = native_area(c);

	return load_le16(area + CPU_XSAVE_FCW) == FCW_INIT &&
	       memcmp(area + CPU_XSAVE_FSW, zero, CPU_XSAVE_MXCSR - CPU_XSAVE_FSW) == 0 &&
	       memcmp(area + CPU_XSAVE_ST, zero, CPU_XSAVE_XMM - CPU_XSAVE_ST) == 0;
}

void native_x87_init(struct soft_vcpu *c)
{
	uint8_t *area = native_area(c);

	memset(area, 0, CPU_XSAVE_MXCSR);
	store_le16(area + CPU_XSAVE_FCW, FCW_INIT);
	memset(area + CPU_XSAVE_ST, 0, CPU_XSAVE_XMM - CPU_XSAVE_ST);
	native_drop_st(c);
}

/* Of these #NM is by CR0.EM, too, and no CR4 bit counts. */
static bool fx_blocked(struct soft_vcpu *c)
{
	if (!(c->vcpu.state.cr0 & (CR0_EM | CR0_TS)))
		return false;
	soft_fault(c, CPU_VECTOR_NM);
	return true;
}

static bool fxsave(struct soft_vcpu *c, const struct soft_op *op, const struct decode_insn *insn)
{
	uint64_t offset = soft_offset(c, op);
	uint8_t to[FXSAVE_SIZE];

	if (fx_blocked(c) || !aligned_to(c, op, offset, 16))
		return false;
	legacy_get(c, insn->rex & 8, to);
	memcpy(to + CPU_XSAVE_XMM, native_area(c) + CPU_XSAVE_XMM, 256);
	return soft_write(c, op->segment, offset, to, c->long64 ? FXSAVE_SIZE : FXSAVE_SIZE_32);
}

static bool fxrstor(struct soft_vcpu *c, const struct soft_op *op, const struct decode_insn *insn)
{
	uint64_t offset = soft_offset(c, op);
	uint8_t *area = native_area(c);
	uint8_t from[LEGACY_SIZE];

	if (fx_blocked(c) || !aligned_to(c, op, offset, 16) ||
	    !soft_read(c, op->segment, offset, from, sizeof(from)))
		return false;
	if (load_le32(from + CPU_XSAVE_MXCSR) & ~MXCSR_VALID)
		return general_protection(c);
	if (c->long64 && !(insn->rex & 8)) {
		store_le32(from + CPU_XSAVE_FIP + 4, 0);
		store_le32(from + CPU_XSAVE_FDP + 4, 0);
	}
	x87_put(c, from);
	memcpy(area + CPU_XSAVE_MXCSR, from + CPU_XSAVE_MXCSR, 4);
	native_drop_mxcsr(c);
	memcpy(area + CPU_XSAVE_XMM, from + CPU_XSAVE_XMM, xmm_size(c));
	return true;
}

/* --- XSAVE and its kin --------------------------------------------------------------------- */

static bool xsave_blocked(struct soft_vcpu *c)
{
	const struct cpu_state *s = &c->vcpu.state;

	if (!(s->cr4 & CR4_OSXSAVE))
		soft_fault(c, CPU_VECTOR_UD);
	else if (s->cr0 & CR0_TS)
		soft_fault(c, CPU_VECTOR_NM);
	else
		return false;
	return true;
}

static bool is_supervisors(const struct decode_insn *insn)
{
	return insn->op == OP_XSAVES || insn->op == OP_XRSTORS;
}

/* The components asked for. */
static uint64_t requested(struct soft_vcpu *c, const struct decode_insn *insn)
{
	const struct cpu_state *s = &c->vcpu.state;
	uint64_t bits = (uint32_t)s->gpr[CPU_RAX] | s->gpr[CPU_RDX] << 32;

	return bits & (s->xcr0 | (is_supervisors(insn) ? s->xss : 0));
}

static bool is_zero(const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i += 8)
		if (load_le64(bytes + i))
			return false;
	return true;
}

static uint64_t in_use(struct soft_vcpu *c)
{
	uint8_t *area = native_area(c);
	uint64_t use = 0;

	if (!x87_is_init(c))
		use |= XCR0_X87;
	if (!is_zero(area + CPU_XSAVE_XMM, XMM_SIZE))
		use |= XCR0_SSE;
	if (!is_zero(area + CPU_XSAVE_YMM, YMM_SIZE))
		use |= XCR0_AVX;
	if (c->vcpu.state.pkru)
		use |= XCR0_PKRU;
	return use;
}

/* Where a component behind the header stands, and where the next one may. */
static unsigned component_at(uint64_t component, bool compact, unsigned *end)
{
	unsigned at = compact ? *end : component == XCR0_AVX ? CPU_XSAVE_YMM : CPU_XSAVE_PKRU;

	*end = at + (component == XCR0_AVX ? YMM_SIZE : PKRU_SIZE);
	return at;
}

struct xsave {
	struct soft_vcpu *c;
	unsigned segment;
	uint64_t offset;
	uint64_t components; /* asked for */
	bool compact, wide;
};

static bool put(const struct xsave *x, unsigned at, const void *from, size_t size)
{
	return soft_write(x->c, x->segment, x->offset + at, from, size);
}

static bool xsave_legacy(const struct xsave *x, uint64_t write, bool mxcsr)
{
	uint8_t legacy[CPU_XSAVE_XMM];

	legacy_get(x->c, x->wide, legacy);
	if (write & XCR0_X87 &&
	    (!put(x, 0, legacy, CPU_XSAVE_MXCSR) ||
	     !put(x, CPU_XSAVE_ST, legacy + CPU_XSAVE_ST, CPU_XSAVE_XMM - CPU_XSAVE_ST)))
		return false;
	if (mxcsr && !put(x, CPU_XSAVE_MXCSR, legacy + CPU_XSAVE_MXCSR, 8))
		return false;
	return !(write & XCR0_SSE) ||
	       put(x, CPU_XSAVE_XMM, native_area(x->c) + CPU_XSAVE_XMM, xmm_size(x->c));
}

static bool xsave_rest(const struct xsave *x, uint64_t write)
{
	unsigned end = LEGACY_SIZE + HEADER_SIZE;
	uint64_t pkru = x->c->vcpu.state.pkru;

	if (x->components & XCR0_AVX) {
		unsigned at = component_at(XCR0_AVX, x->compact, &end);

		if (write & XCR0_AVX &&
		    !put(x, at, native_area(x->c) + CPU_XSAVE_YMM, xmm_size(x->c)))
			return false;
	}
	if (x->components & XCR0_PKRU) {
		unsigned at = component_at(XCR0_PKRU, x->compact, &end);

		if (write & XCR0_PKRU && !put(x, at, &pkru, sizeof(pkru)))
			return false;
	}
	return true;
}

/* Up to where the area is accessed. */
static unsigned xsave_size(const struct xsave *x)
{
	unsigned end = LEGACY_SIZE + HEADER_SIZE;

	if (x->components & XCR0_AVX)
		component_at(XCR0_AVX, x->compact, &end);
	if (x->components & XCR0_PKRU)
		component_at(XCR0_PKRU, x->compact, &end);
	return end;
}

static bool xsave(struct soft_vcpu *c, const struct soft_op *op, const struct decode_insn *insn)
{
	struct xsave x = {.c = c,
			  .segment = op->segment,
			  .offset = soft_offset(c, op),
			  .components = requested(c, insn),
			  .compact = insn->op == OP_XSAVEC || insn->op == OP_XSAVES,
			  .wide = insn->rex & 8};
	uint64_t use, write, header[2] = {0, 0};
	bool mxcsr;

	if (xsave_blocked(c) || !aligned_to(c, op, x.offset, 64) ||
	    !soft_probe(c, x.segment, x.offset, xsave_size(&x), true))
		return false;
	native_save_st(c);
	native_save_mxcsr(c);
	use = in_use(c);
	mxcsr = x.components & (XCR0_SSE | XCR0_AVX);
	if (x.compact) {
		/* With them MXCSR is a part of SSE. */
		if (load_le32(native_area(c) + CPU_XSAVE_MXCSR) != MXCSR_INIT)
			use |= XCR0_SSE;
		mxcsr = x.components & use & XCR0_SSE;
	} else if (!soft_read(c, x.segment, x.offset + CPU_XSAVE_HEADER, header, 8)) {
		return false;
	}
	write = insn->op == OP_XSAVE ? x.components : x.components & use;
	header[0] = (x.compact ? 0 : header[0] & ~x.components) | (x.components & use);
	header[1] = x.components | XSTATE_COMPACT;
	return xsave_legacy(&x, write, mxcsr) && xsave_rest(&x, write) &&
	       put(&x, CPU_XSAVE_HEADER, header, x.compact ? 16 : 8);
}

/* #GP for what the header may not say. */
static bool header_valid(struct soft_vcpu *c, const struct decode_insn *insn,
			 const uint8_t header[HEADER_SIZE])
{
	const struct cpu_state *s = &c->vcpu.state;
	uint64_t enabled = s->xcr0 | (is_supervisors(insn) ? s->xss : 0);
	uint64_t xstate = load_le64(header), xcomp = load_le64(header + 8);

	if (!is_zero(header + 16, HEADER_SIZE - 16))
		/* Of the standard form bytes 24 on are not looked at. */
		if (xcomp & XSTATE_COMPACT || load_le64(header + 16))
			return false;
	if (xcomp & XSTATE_COMPACT)
		return !(xcomp & ~XSTATE_COMPACT & ~enabled) && !(xstate & ~xcomp) &&
		       !(xstate & XSTATE_COMPACT);
	return !is_supervisors(insn) && !xcomp && !(xstate & ~enabled);
}

static bool xrstor_read(struct xsave *x, const struct decode_insn *insn, uint8_t *from)
{
	const uint8_t *header = from + CPU_XSAVE_HEADER;
	uint64_t xcomp, xstate;
	unsigned end = LEGACY_SIZE + HEADER_SIZE;

	if (!soft_read(x->c, x->segment, x->offset, from, LEGACY_SIZE + HEADER_SIZE))
		return false;
	if (!header_valid(x->c, insn, header))
		return general_protection(x->c);
	xstate = load_le64(header);
	xcomp = load_le64(header + 8);
	x->compact = xcomp & XSTATE_COMPACT;
	for (uint64_t component = XCR0_AVX; component <= XCR0_PKRU; component <<= 1) {
		unsigned at;

		if (!((x->compact ? xcomp : XCR0_AVX | XCR0_PKRU) & component) ||
		    !(component & (XCR0_AVX | XCR0_PKRU)))
			continue;
		at = component_at(component, x->compact, &end);
		if (!(x->components & xstate & component))
			continue;
		if (!soft_read(x->c, x->segment, x->offset + at,
			       from + LEGACY_SIZE + HEADER_SIZE +
				       (component == XCR0_AVX ? 0 : YMM_SIZE),
			       component == XCR0_AVX ? xmm_size(x->c) : PKRU_SIZE))
			return false;
	}
	return true;
}

static void load_or_clear(uint8_t *to, const uint8_t *from, size_t size, bool load)
{
	if (load)
		memcpy(to, from, size);
	else
		memset(to, 0, size);
}

static bool xrstor(struct soft_vcpu *c, const struct soft_op *op, const struct decode_insn *insn)
{
	struct xsave x = {.c = c,
			  .segment = op->segment,
			  .offset = soft_offset(c, op),
			  .components = requested(c, insn),
			  .wide = insn->rex & 8};
	uint8_t from[AREA_SIZE_MAX], *area = native_area(c);
	uint32_t mxcsr;
	uint64_t load;
	bool take_mxcsr;

	if (xsave_blocked(c) || !aligned_to(c, op, x.offset, 64) || !xrstor_read(&x, insn, from))
		return false;
	load = load_le64(from + CPU_XSAVE_HEADER) & x.components;
	mxcsr = load_le32(from + CPU_XSAVE_MXCSR);
	take_mxcsr = x.components & (XCR0_SSE | XCR0_AVX);
	if (x.compact) {
		take_mxcsr = x.components & XCR0_SSE;
		if (!(load & XCR0_SSE))
			mxcsr = MXCSR_INIT;
	}
	if (take_mxcsr && mxcsr & ~MXCSR_VALID)
		return general_protection(c);
	if (take_mxcsr) {
		store_le32(area + CPU_XSAVE_MXCSR, mxcsr);
		native_drop_mxcsr(c);
	}
	if (load & XCR0_X87) {
		if (c->long64 && !x.wide) {
			store_le32(from + CPU_XSAVE_FIP + 4, 0);
			store_le32(from + CPU_XSAVE_FDP + 4, 0);
		}
		x87_put(c, from);
	} else if (x.components & XCR0_X87) {
		native_x87_init(c);
	}
	if (x.components & XCR0_SSE)
		load_or_clear(area + CPU_XSAVE_XMM, from + CPU_XSAVE_XMM, xmm_size(c),
			      load & XCR0_SSE);
	if (x.components & XCR0_AVX)
		load_or_clear(area + CPU_XSAVE_YMM, from + LEGACY_SIZE + HEADER_SIZE, xmm_size(c),
			      load & XCR0_AVX);
	if (x.components & XCR0_PKRU) {
		c->vcpu.state.pkru =
			load & XCR0_PKRU ? load_le32(from + LEGACY_SIZE + HEADER_SIZE + YMM_SIZE)
					 : 0;
		soft_tlb_flush_all(c); /* what its entries allow */
	}
	return true;
}

native_execute *native_xsave_find(const struct decode_insn *insn)
{
	switch (insn->op) {
	case OP_LDMXCSR:
		return ldmxcsr;
	case OP_STMXCSR:
		return stmxcsr;
	case OP_FXSAVE:
		return fxsave;
	case OP_FXRSTOR:
		return fxrstor;
	case OP_XSAVE:
	case OP_XSAVEOPT:
	case OP_XSAVEC:
	case OP_XSAVES:
		return xsave;
	case OP_XRSTOR:
	case OP_XRSTORS:
		return xrstor;
	default:
		return NULL;
	}
}
