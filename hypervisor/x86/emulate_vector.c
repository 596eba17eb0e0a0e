/* SPDX-License-Identifier: MIT */
/*
 * emulate_vector.c - moves between memory and vector registers, all of them or parts: MMX, SSE,
 * AVX.
 *
 * The registers are in vcpu->state.xsave.  Whether the guest may use them (TS, EM, CR4, XCR0) the
 * CPU has looked at before it came to the access.
 */
#include "hw/x86.h"
#include "hypervisor/x86/emulate_internal.h"
#include "lib/bytes.h"

#define XMM_SIZE 16u
#define ST_SIZE 16u /* of one in the XSAVE area */
#define MMX_SIZE 8u /* the low part of an x87 register, whose other bits become ones */
#define MMX_COUNT 8u
#define FCW_INITIAL 0x37fu
#define FSW_ES 0x80u /* an x87 exception waits */
#define FSW_TOP_SHIFT 11
#define FSW_TOP 0x3800u

/* --- SSE and AVX ------------------------------------------------------------------------------ */

static bool is_in_use(const struct cpu_state *s, uint64_t component)
{
	return load_le64(s->xsave + CPU_XSAVE_HEADER) & component;
}

/* What isn't in use is zero, whatever stands in its place. */
static void use(struct cpu_state *s, uint64_t component, unsigned at)
{
	uint64_t used = load_le64(s->xsave + CPU_XSAVE_HEADER);

	if (used & component)
		return;
	memset(s->xsave + at, 0, XMM_SIZE * CPU_REGISTERS);
	store_le64(s->xsave + CPU_XSAVE_HEADER, used | component);
}

static void get_register(const struct cpu_state *s, unsigned reg, uint8_t value[EMULATE_BYTES_MAX])
{
	memset(value, 0, EMULATE_BYTES_MAX);
	if (is_in_use(s, XCR0_SSE))
		memcpy(value, s->xsave + CPU_XSAVE_XMM + reg * XMM_SIZE, XMM_SIZE);
	if (is_in_use(s, XCR0_AVX))
		memcpy(value + XMM_SIZE, s->xsave + CPU_XSAVE_YMM + reg * XMM_SIZE, XMM_SIZE);
}

/* An instruction of SSE leaves the upper half alone, those of AVX clear what they don't set. */
static void set_register(struct cpu_state *s, unsigned reg, const uint8_t value[EMULATE_BYTES_MAX],
			 bool avx)
{
	use(s, XCR0_SSE, CPU_XSAVE_XMM);
	memcpy(s->xsave + CPU_XSAVE_XMM + reg * XMM_SIZE, value, XMM_SIZE);
	if (!avx)
		return;
	use(s, XCR0_AVX, CPU_XSAVE_YMM);
	memcpy(s->xsave + CPU_XSAVE_YMM + reg * XMM_SIZE, value + XMM_SIZE, XMM_SIZE);
}

/* Where of the register the memory is, for those that move a half. */
static unsigned half_of(const struct decode_insn *insn)
{
	return insn->op == OP_MOVHPS || insn->op == OP_MOVHPD ? 8 : 0;
}

static bool is_half(const struct decode_insn *insn)
{
	return half_of(insn) || insn->op == OP_MOVLPS || insn->op == OP_MOVLPD;
}

static enum emulate_result load(struct emulation *m, const struct decode_operand *from)
{
	const struct decode_operand *to = &m->insn->operand[0], *other = &m->insn->operand[1];
	struct cpu_state *s = &m->vcpu->state;
	bool avx = m->insn->encoding == DECODE_VEX;
	uint8_t value[EMULATE_BYTES_MAX] = {0}, data[EMULATE_BYTES_MAX] = {0};
	enum emulate_result done = emulation_read_bytes(m, from->size, data);

	if (done != EMULATE_DONE)
		return done;
	if (is_half(m->insn)) {
		get_register(s, other->kind == DECODE_REGISTER ? other->reg : to->reg, value);
		memset(value + XMM_SIZE, 0, XMM_SIZE);
	}
	memcpy(value + half_of(m->insn), data, from->size);
	set_register(s, to->reg, value, avx);
	return done;
}

static enum emulate_result store(struct emulation *m, const struct decode_operand *to,
				 const struct decode_operand *from)
{
	uint8_t value[EMULATE_BYTES_MAX];

	get_register(&m->vcpu->state, from->reg, value);
	return emulation_write_bytes(m, to->size, value + half_of(m->insn));
}

/* --- MMX -------------------------------------------------------------------------------------- */

/* As FNINIT leaves it, while it isn't in use. */
static void use_x87(struct cpu_state *s)
{
	if (is_in_use(s, XCR0_X87))
		return;
	memset(s->xsave + CPU_XSAVE_ST, 0, MMX_COUNT * ST_SIZE);
	store_le16(s->xsave + CPU_XSAVE_FCW, FCW_INITIAL);
	store_le16(s->xsave + CPU_XSAVE_FSW, 0);
	s->xsave[CPU_XSAVE_FTW] = 0;
	store_le64(s->xsave + CPU_XSAVE_HEADER, load_le64(s->xsave + CPU_XSAVE_HEADER) | XCR0_X87);
}

/* MMX registers are x87's by number, which stand in the area from the stack's top on: it becomes 0.
 */
static void enter_mmx(struct cpu_state *s)
{
	uint8_t old[MMX_COUNT * ST_SIZE], *st = s->xsave + CPU_XSAVE_ST;
	uint16_t fsw = load_le16(s->xsave + CPU_XSAVE_FSW);
	unsigned top = (fsw & FSW_TOP) >> FSW_TOP_SHIFT;

	memcpy(old, st, sizeof(old));
	for (unsigned i = 0; i < MMX_COUNT; i++)
		memcpy(st + (i + top) % MMX_COUNT * ST_SIZE, old + i * ST_SIZE, ST_SIZE);
	store_le16(s->xsave + CPU_XSAVE_FSW, (uint16_t)(fsw & ~FSW_TOP));
	s->xsave[CPU_XSAVE_FTW] = 0xff; /* none is empty */
}

static enum emulate_result move_mmx(struct emulation *m, const struct decode_operand *memory,
				    unsigned reg, bool write)
{
	struct cpu_state *s = &m->vcpu->state;
	uint8_t value[EMULATE_BYTES_MAX] = {0}, *st = s->xsave + CPU_XSAVE_ST;
	enum emulate_result done;
	unsigned top;

	use_x87(s);
	top = (load_le16(s->xsave + CPU_XSAVE_FSW) & FSW_TOP) >> FSW_TOP_SHIFT;
	if (load_le16(s->xsave + CPU_XSAVE_FSW) & FSW_ES)
		return emulation_fault(m, CPU_VECTOR_MF);
	if (write) {
		memcpy(value, st + (reg - top) % MMX_COUNT * ST_SIZE, MMX_SIZE);
		done = emulation_write_bytes(m, memory->size, value);
	} else {
		done = emulation_read_bytes(m, memory->size, value);
	}
	if (done != EMULATE_DONE)
		return done;
	enter_mmx(s);
	if (write)
		return done;
	memcpy(st + reg * ST_SIZE, value, MMX_SIZE);
	memset(st + reg * ST_SIZE + MMX_SIZE, 0xff, 2);
	return done;
}

/* --- All -------------------------------------------------------------------------------------- */

static bool is_vector(const struct decode_operand *operand)
{
	return operand->kind == DECODE_REGISTER &&
	       (operand->class == DECODE_XMM || operand->class == DECODE_YMM);
}

static bool is_mmx(const struct decode_operand *operand)
{
	return operand->kind == DECODE_REGISTER && operand->class == DECODE_MMX;
}

static enum emulate_result move(struct emulation *m)
{
	const struct decode_operand *to = &m->insn->operand[0];
	const struct decode_operand *from = &m->insn->operand[1];

	if (to->kind == DECODE_MEMORY)
		return is_mmx(from)      ? move_mmx(m, to, from->reg, true)
		       : is_vector(from) ? store(m, to, from)
					 : EMULATE_UNKNOWN;
	if (from->kind == DECODE_REGISTER && m->insn->encoding == DECODE_VEX)
		from++;
	if (from->kind != DECODE_MEMORY)
		return EMULATE_UNKNOWN;
	return is_mmx(to)      ? move_mmx(m, from, to->reg, false)
	       : is_vector(to) ? load(m, from)
			       : EMULATE_UNKNOWN;
}

enum emulate_result emulation_vector(struct emulation *m)
{
	switch (m->insn->op) {
	case OP_MOVAPS:
	case OP_MOVAPD:
	case OP_MOVUPS:
	case OP_MOVUPD:
	case OP_MOVDQA:
	case OP_MOVDQU:
	case OP_LDDQU:
	case OP_MOVNTPS:
	case OP_MOVNTPD:
	case OP_MOVNTDQ:
	case OP_MOVNTDQA:
	case OP_MOVNTQ:
	case OP_MOVD:
	case OP_MOVQ:
	case OP_MOVSS:
	case OP_MOVSD:
	case OP_MOVLPS:
	case OP_MOVLPD:
	case OP_MOVHPS:
	case OP_MOVHPD:
		return move(m);
	default:
		return EMULATE_UNKNOWN;
	}
}
