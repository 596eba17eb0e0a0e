/* SPDX-License-Identifier: MIT */
/*
 * native.c - instructions to ops of the native part, and what of the guest's floating point state
 * is loaded in the CPU while ops run.  See native.h.
 */
#include <linux/errno.h>

#include "hypervisor/x86/soft/native.h"

/* --- What is loaded ------------------------------------------------------------------------ */

static void gate_set(struct soft_vcpu *c, unsigned bits)
{
	c->native_gate |= (uint8_t)bits;
}

static void gate_clear(struct soft_vcpu *c, unsigned bits)
{
	c->native_gate &= (uint8_t)~bits;
}

static uint32_t area_mxcsr(struct soft_vcpu *c)
{
	return load_le32(native_area(c) + CPU_XSAVE_MXCSR);
}

uint32_t native_mxcsr_get(void)
{
	uint32_t mxcsr;

	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	return mxcsr;
}

void native_mxcsr_set(struct soft_vcpu *c, uint32_t mxcsr)
{
	struct native *native = native_of(c);

	if (!native->mxcsr_owned) {
		native->host_mxcsr = native_mxcsr_get();
		native->mxcsr_owned = true;
	}
	__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
}

bool native_pending(void)
{
	uint16_t fsw;

	__asm__ volatile("fnstsw %0" : "=a"(fsw));
	return fsw & FSW_ES;
}

/* With all exceptions masked none is ever pending. */
void native_fcw_changed(struct soft_vcpu *c, uint16_t fcw)
{
	if ((fcw & FCW_MASKS) == FCW_MASKS)
		gate_clear(c, GATE_PENDING);
	else
		gate_set(c, GATE_PENDING);
}

/* FXRSTOR takes MXCSR from the area, too, and no reserved bit in it. */
static void st_load(struct soft_vcpu *c)
{
	struct native *native = native_of(c);
	uint32_t mxcsr = native_mxcsr_get();

	if (!native->st_owned) {
		__asm__ volatile("fnstcw %0" : "=m"(native->host_fcw));
		native->st_owned = true;
	}
	memcpy(native->fx, native_area(c), CPU_XSAVE_XMM);
	store_le32(native->fx + CPU_XSAVE_MXCSR, MXCSR_INIT);
	__asm__ volatile("fxrstor64 %0\n\tldmxcsr %1" : : "m"(native->fx), "m"(mxcsr));
	gate_clear(c, GATE_ST);
	native_fcw_changed(c, load_le16(native->fx + CPU_XSAVE_FCW));
}

/* The last instruction's pointers are kept in state by whoever runs one. */
void native_save_st(struct soft_vcpu *c)
{
	struct native *native = native_of(c);
	uint8_t *area = native_area(c);

	if (c->native_gate & GATE_ST)
		return;
	__asm__ volatile("fxsave64 %0" : "=m"(native->fx));
	memcpy(area + CPU_XSAVE_FCW, native->fx + CPU_XSAVE_FCW, CPU_XSAVE_FOP - CPU_XSAVE_FCW);
	memcpy(area + CPU_XSAVE_ST, native->fx + CPU_XSAVE_ST, CPU_XSAVE_XMM - CPU_XSAVE_ST);
}

void native_save_mxcsr(struct soft_vcpu *c)
{
	if (!(c->native_gate & GATE_MXCSR))
		store_le32(native_area(c) + CPU_XSAVE_MXCSR, native_mxcsr_get());
}

void native_drop_st(struct soft_vcpu *c)
{
	gate_set(c, GATE_ST);
}

void native_drop_mxcsr(struct soft_vcpu *c)
{
	gate_set(c, GATE_MXCSR);
}

void soft_native_changed(struct soft_vcpu *c)
{
	const struct cpu_state *s = &c->vcpu.state;
	unsigned gate = 0;

	if (s->cr0 & (CR0_EM | CR0_TS))
		gate |= GATE_X87 | GATE_MMX;
	if (s->cr0 & (CR0_EM | CR0_TS) || !(s->cr4 & CR4_OSFXSR))
		gate |= GATE_SSE;
	if (s->cr0 & CR0_TS || !(s->cr4 & CR4_OSXSAVE) ||
	    (s->xcr0 & (XCR0_SSE | XCR0_AVX)) != (XCR0_SSE | XCR0_AVX))
		gate |= GATE_AVX;
	gate_clear(c, GATE_BLOCKED);
	gate_set(c, gate);
}

void soft_native_enter(struct soft_vcpu *c)
{
	/* The caller of the core may have put anything there. */
	store_le32(native_area(c) + CPU_XSAVE_MXCSR, area_mxcsr(c) & MXCSR_VALID);
	gate_set(c, GATE_ST | GATE_MXCSR);
	soft_native_changed(c);
}

void soft_native_leave(struct soft_vcpu *c)
{
	struct native *native = native_of(c);

	native_save_st(c);
	native_save_mxcsr(c);
	gate_set(c, GATE_ST | GATE_MXCSR);
	if (native->st_owned)
		__asm__ volatile("fninit\n\tfldcw %0" : : "m"(native->host_fcw));
	if (native->mxcsr_owned)
		__asm__ volatile("ldmxcsr %0" : : "m"(native->host_mxcsr));
	native->st_owned = native->mxcsr_owned = false;
}

/* #UD comes before #NM. */
static bool gate_blocked(struct soft_vcpu *c, unsigned gate)
{
	const struct cpu_state *s = &c->vcpu.state;
	bool undefined = false;

	if (!(c->native_gate & gate & GATE_BLOCKED))
		return false;
	if (gate & (GATE_MMX | GATE_SSE))
		undefined |= s->cr0 & CR0_EM;
	if (gate & GATE_SSE)
		undefined |= !(s->cr4 & CR4_OSFXSR);
	if (gate & GATE_AVX)
		undefined |= !(s->cr4 & CR4_OSXSAVE) ||
			     (s->xcr0 & (XCR0_SSE | XCR0_AVX)) != (XCR0_SSE | XCR0_AVX);
	soft_fault(c, undefined ? CPU_VECTOR_UD : CPU_VECTOR_NM);
	return true;
}

bool soft_native_blocked(struct soft_vcpu *c, const struct decode_insn *insn)
{
	return gate_blocked(c, (insn->attributes & DECODE_X87_INSN ? GATE_X87 : 0) |
				       (insn->attributes & DECODE_MMX_INSN ? GATE_MMX : 0) |
				       (insn->attributes & DECODE_SSE_INSN ? GATE_SSE : 0) |
				       (insn->attributes & DECODE_AVX_INSN ? GATE_AVX : 0));
}

enum native_ready native_prepare(struct soft_vcpu *c, unsigned gate)
{
	uint32_t mxcsr;

	if (gate_blocked(c, gate))
		return NATIVE_STOP;
	gate &= c->native_gate;
	if (gate & GATE_ST)
		st_load(c);
	if (gate & GATE_MXCSR) {
		mxcsr = area_mxcsr(c);
		if ((mxcsr & MXCSR_MASKS) != MXCSR_MASKS)
			return NATIVE_UNMASKED;
		native_mxcsr_set(c, mxcsr);
		gate_clear(c, GATE_MXCSR);
	}
	return NATIVE_GO;
}

/* --- Running ------------------------------------------------------------------------------- */

/* Behind an op that is run alone. */
static void native_end(struct soft_vcpu *c, const struct soft_op *op)
{
	(void)c;
	(void)op;
}

void native_run(struct soft_vcpu *c, const struct soft_op *op, void *memory)
{
	struct native *native = native_of(c);
	const struct native_op *n = op->data;

	native->single[0] = *op;
	native->single[1].run = native_end;
	n->stub(c, &native->single[0], memory);
}

/* Where a stub of registers alone goes when its gate isn't open, or an exception is pending. */
static void native_slow(struct soft_vcpu *c, const struct soft_op *op)
{
	const struct native_op *n = op->data;
	enum native_ready ready = native_prepare(c, n->gate);

	if (ready == NATIVE_STOP)
		return soft_stop(c, op);
	if (n->waits && native_pending()) {
		soft_fault(c, CPU_VECTOR_MF);
		return soft_stop(c, op);
	}
	if (ready == NATIVE_GO)
		return n->stub(c, op, NULL);
	if (!native_run_unmasked(c, op, NULL))
		return soft_stop(c, op);
	soft_next(c, op);
}

static void native_rare(struct soft_vcpu *c, const struct soft_op *op)
{
	const struct native_rare *rare = op->data;

	/* FWAIT has a rule of its own. */
	if ((rare->insn.op != OP_FWAIT && soft_native_blocked(c, &rare->insn)) ||
	    !rare->execute(c, op, &rare->insn))
		return soft_stop(c, op);
	soft_next(c, op);
}

/* --- Compiling ----------------------------------------------------------------------------- */

static const struct decode_operand *memory_operand(const struct decode_insn *insn)
{
	for (unsigned i = 0; i < insn->operand_count; i++)
		if (insn->operand[i].kind == DECODE_MEMORY)
			return &insn->operand[i];
	return NULL;
}

static bool compile_rare(struct soft_vcpu *c, const struct decode_insn *insn,
			 native_execute *execute, struct soft_op *op)
{
	struct native_rare *rare = soft_block_alloc(c, sizeof(*rare));

	if (rare) {
		rare->execute = execute;
		rare->insn = *insn;
		op->run = native_rare;
		op->data = rare;
	}
	return true;
}

static native_execute *find_rare(const struct decode_insn *insn)
{
	native_execute *execute = native_xsave_find(insn);

	if (!execute)
		execute = native_x87_find(insn);
	return execute ? execute : native_mask_find(insn);
}

static bool is_native(const struct decode_insn *insn)
{
	return insn->attributes &
	       (DECODE_X87_INSN | DECODE_MMX_INSN | DECODE_SSE_INSN | DECODE_AVX_INSN);
}

bool soft_native_compile(struct soft_vcpu *c, const struct decode_insn *insn, struct soft_op *op)
{
	struct native *native = native_of(c);
	const struct decode_operand *memory = memory_operand(insn);
	native_execute *execute = find_rare(insn);
	const struct native_form *form;
	struct native_op *n;
	union {
		const void *code;
		native_stub *stub;
		soft_handler *run;
	} entry, body;

	op->run = NULL;
	if (!(native->features & BIT(insn->feature)))
		return false;
	if (execute)
		return compile_rare(c, insn, execute, op);
	if (!is_native(insn) || !native_stub_valid(insn))
		return false;
	form = native_stub_get(c, insn);
	if (!form)
		return !native_stub_room(native);
	n = soft_block_alloc(c, sizeof(*n));
	if (!n)
		return true;
	entry.code = native->executable + form->code;
	body.code = native->executable + form->code + form->body;
	*n = (struct native_op){
		.stub = body.stub,
		.fop = (uint16_t)((insn->opcode & 7) << 8 | insn->modrm),
		.gate = form->gate,
		.waits = form->waits,
		.pointers = form->pointers,
		.x87 = insn->attributes & DECODE_X87_INSN,
	};
	native_simd_results(insn, n);
	native_stub_fields(form, insn, op);
	op->data = n;
	op->run = entry.run;
	if (memory) {
		n->size = (uint8_t)memory->size;
		n->align = insn->attributes & DECODE_ALIGNED ? (uint8_t)(memory->size - 1) : 0;
		op->run = memory->access & DECODE_WRITE ? native_store : native_load;
	}
	return true;
}

/* --- vCPUs --------------------------------------------------------------------------------- */

int soft_native_vcpu_create(struct soft_vcpu *c)
{
	struct native *native = host_alloc(sizeof(*native));
	void *writable, *executable;
	int error;

	if (!native)
		return -ENOMEM;
	error = host_code_map(NATIVE_CODE_SIZE, &writable, &executable);
	if (error) {
		host_free(native);
		return error;
	}
	native->writable = writable;
	native->executable = executable;
	native->features = native_features();
	native->special_max = NATIVE_SPECIAL_MAX;
	c->native = native;
	c->native_slow = native_slow;
	c->native_gate = GATE_ST | GATE_MXCSR;
	return 0;
}

void soft_native_vcpu_destroy(struct soft_vcpu *c)
{
	struct native *native = native_of(c);

	if (!native)
		return;
	host_code_unmap(native->writable, native->executable, NATIVE_CODE_SIZE);
	host_free(native);
	c->native = NULL;
}

void soft_native_flush(struct soft_vcpu *c)
{
	struct native *native = native_of(c);

	memset(native->form, 0, sizeof(native->form));
	native->form_count = 0;
	native->used = 0;
	native->reused = true;
}
