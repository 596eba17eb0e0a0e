/* SPDX-License-Identifier: MIT */
/*
 * native_stub.c - stubs: machine code that loads an op's operands from the vCPU's state into
 * registers of its own, runs the guest's instruction on them, and stores the results.
 *
 * Instructions that differ in their registers alone are of one form and can share a stub: the op
 * has the numbers.  But MMX and x87 registers are in the CPU itself, and stand in the form.  Forms
 * are found again through a hash table of the vCPU's own, of which nothing is taken out but all at
 * once (soft_native_flush()).
 */
#include "hypervisor/x86/soft/native.h"
#include "hypervisor/x86/soft/native_encode.h"

_Static_assert(offsetof(struct soft_vcpu, vcpu.state.gpr) == 0, "what stubs count from");

#define STUB_SIZE_MAX 256
#define YMM_FROM_XMM (CPU_XSAVE_YMM - CPU_XSAVE_XMM)
#define XMM_AREA ((uint32_t)(offsetof(struct soft_vcpu, vcpu.state.xsave) + CPU_XSAVE_XMM))
#define YMM_AREA ((uint32_t)(offsetof(struct soft_vcpu, vcpu.state.xsave) + CPU_XSAVE_YMM))
#define FLAGS ((uint32_t)offsetof(struct soft_vcpu, flags))

/* ModRM.reg is a part of the opcode. */
static bool extends_opcode(const struct decode_insn *insn)
{
	if (insn->map == 0)
		return true;
	if (insn->map != 1)
		return false;
	return (insn->opcode >= 0x71 && insn->opcode <= 0x73) ||
	       (insn->opcode == 0x78 && insn->operand_override && !insn->rep);
}

/* A register stands in the immediate's high four bits. */
static bool has_is4(const struct decode_insn *insn)
{
	return insn->encoding == DECODE_VEX && insn->map == 3 && insn->opcode >= 0x4a &&
	       insn->opcode <= 0x4c;
}

static bool has_class(const struct decode_insn *insn, enum decode_class class)
{
	for (unsigned i = 0; i < insn->operand_count; i++)
		if (insn->operand[i].kind == DECODE_REGISTER && insn->operand[i].class == class)
			return true;
	return false;
}

static bool has_memory(const struct decode_insn *insn)
{
	return insn->has_modrm && insn->modrm >> 6 != 3;
}

static unsigned modrm_reg(const struct decode_insn *insn)
{
	return insn->modrm >> 3 & 7;
}

/*
 * In 32-bit code VEX.W doesn't make general registers, and their like in memory, wider.  It counts
 * where it says what the operation is; VPINSRQ and VPEXTRQ (0x16, 0x22) are not for such code.
 */
static bool wide(const struct decode_insn *insn)
{
	if (!(insn->rex & 8))
		return false;
	return insn->mode == DECODE_64 || insn->map == 2 ||
	       (insn->map == 3 && insn->opcode != 0x60 && insn->opcode != 0x61);
}

bool native_stub_valid(const struct decode_insn *insn)
{
	return insn->mode == DECODE_64 || insn->map != 3 || !(insn->rex & 8) ||
	       (insn->opcode != 0x16 && insn->opcode != 0x22);
}

static uint8_t form_immediate(const struct decode_insn *insn)
{
	if (has_is4(insn))
		return NATIVE_IS4 << 4 | ((uint8_t)insn->immediate & 15);
	return insn->immediate_size ? (uint8_t)insn->immediate : 0;
}

static uint64_t form_key(const struct decode_insn *insn)
{
	uint64_t key = insn->opcode | (uint64_t)insn->map << 8 |
		       (uint64_t)(insn->encoding == DECODE_VEX) << 10 |
		       (uint64_t)insn->vex_l << 11 | (uint64_t)wide(insn) << 12 |
		       (uint64_t)insn->operand_override << 13 |
		       (uint64_t)(insn->rep == 0xf2) << 14 | (uint64_t)(insn->rep == 0xf3) << 15 |
		       (uint64_t)has_memory(insn) << 16 | (uint64_t)form_immediate(insn) << 17 |
		       (uint64_t)(uint8_t)insn->immediate2 << 25 | (uint64_t)insn->vex_pp << 41;

	if (has_class(insn, DECODE_MMX) || (insn->map == 0 && !has_memory(insn)))
		key |= (uint64_t)insn->modrm << 33;
	else if (extends_opcode(insn))
		key |= (uint64_t)modrm_reg(insn) << 36;
	return key | BIT(63);
}

/* The registers of the stub, which tell where in the instruction an operand stands. */
static void form_fields(const struct decode_insn *insn, struct native_fields *fields)
{
	*fields = (struct native_fields){
		.reg = extends_opcode(insn) ? (uint8_t)modrm_reg(insn) : NATIVE_REG,
		.rm = insn->map == 0 ? insn->modrm & 7 : NATIVE_RM,
		.vvvv = NATIVE_VVVV,
		.immediate = form_immediate(insn),
		.w = wide(insn),
		.memory = has_memory(insn),
	};
}

static bool form_decode(const struct decode_insn *insn, const struct native_fields *fields,
			struct decode_insn *form)
{
	uint8_t bytes[DECODE_LENGTH_MAX];
	struct emit e = {.at = bytes, .end = bytes + sizeof(bytes)};

	emit_insn(&e, insn, fields);
	return !e.overflow && decode(DECODE_64, bytes, (size_t)(e.at - bytes), form) == DECODE_OK &&
	       form->op == insn->op;
}

/* MMX registers are the CPU's own: the instruction names them as the guest's does. */
static void form_mmx(const struct decode_insn *insn, const struct decode_insn *form,
		     struct native_fields *fields)
{
	for (unsigned i = 0; i < form->operand_count; i++) {
		const struct decode_operand *operand = &form->operand[i];

		if (operand->kind != DECODE_REGISTER || operand->class != DECODE_MMX)
			continue;
		if (operand->reg == NATIVE_REG)
			fields->reg = (uint8_t)modrm_reg(insn);
		else
			fields->rm = insn->modrm & 7;
	}
}

static bool is_vector(const struct decode_operand *operand)
{
	return operand->kind == DECODE_REGISTER &&
	       (operand->class == DECODE_XMM || operand->class == DECODE_YMM);
}

static bool is_gpr(const struct decode_operand *operand)
{
	return operand->kind == DECODE_REGISTER && operand->class == DECODE_GPR;
}

/* What is to be made: the instruction with the stub's registers, and, if it is of one choice of
 * the guest's registers alone, these. */
struct making {
	struct decode_insn form;
	struct native_fields fields;
	bool special;
	struct native_numbers numbers;
};

static unsigned number_of(const struct making *m, unsigned field)
{
	return field == NATIVE_REG    ? m->numbers.reg
	       : field == NATIVE_RM   ? m->numbers.rm
	       : field == NATIVE_VVVV ? m->numbers.vvvv
				      : m->numbers.is4;
}

/* Where the guest's register is; vectors stand at area. */
static struct emit_place find_place(struct emit *e, const struct making *m,
				    const struct decode_operand *operand, uint32_t area)
{
	unsigned size = is_gpr(operand) ? 8 : 16;

	if (operand->implicit)
		return (struct emit_place){.displacement = area + operand->reg * size};
	if (m->special)
		return (struct emit_place){.displacement =
						   area + number_of(m, operand->reg) * size};
	emit_offset(e, operand->reg == NATIVE_REG    ? offsetof(struct soft_op, a)
		       : operand->reg == NATIVE_RM   ? offsetof(struct soft_op, b)
		       : operand->reg == NATIVE_VVVV ? offsetof(struct soft_op, spare[0])
						     : offsetof(struct soft_op, spare[1]));
	return (struct emit_place){.indexed = true, .displacement = area};
}

static void emit_load(struct emit *e, const struct making *m, const struct decode_operand *operand)
{
	bool vex = m->form.encoding == DECODE_VEX;
	struct emit_place place;

	if (is_gpr(operand)) {
		if (!(operand->access & DECODE_READ))
			return;
		place = find_place(e, m, operand, 0);
		emit_gpr(e, operand->reg, &place, false);
	} else if (is_vector(operand)) {
		/* Without VEX what isn't written stays as it was. */
		if (!(operand->access & DECODE_READ) && (vex || operand->size == 16))
			return;
		place = find_place(e, m, operand, XMM_AREA);
		if (vex)
			emit_vex_xmm(e, operand->reg, &place, false);
		else
			emit_xmm(e, operand->reg, &place, false);
		place.displacement += YMM_AREA - XMM_AREA;
		if (operand->class == DECODE_YMM)
			emit_vex_high(e, operand->reg, &place, false);
	}
}

static void emit_store(struct emit *e, const struct making *m, const struct decode_operand *operand)
{
	struct emit_place place;

	if (!(operand->access & DECODE_WRITE))
		return;
	if (is_gpr(operand)) {
		place = find_place(e, m, operand, 0);
		emit_gpr(e, operand->reg, &place, true);
	} else if (is_vector(operand)) {
		place = find_place(e, m, operand, XMM_AREA);
		if (m->form.encoding == DECODE_VEX) {
			emit_vex_xmm(e, operand->reg, &place, true);
			place.displacement += YMM_AREA - XMM_AREA;
			emit_vex_high(e, operand->reg, &place, true);
		} else {
			emit_xmm(e, operand->reg, &place, true);
		}
	}
}

/* Conversions of two integers in memory don't touch the unit, although their like in MMX do. */
static bool uses_st(const struct decode_insn *form)
{
	return form->attributes & DECODE_X87_INSN || has_class(form, DECODE_MMX) ||
	       (form->attributes & DECODE_MMX_INSN && !(form->attributes & DECODE_SSE_INSN));
}

static uint8_t form_gate(const struct decode_insn *form)
{
	uint32_t attributes = form->attributes;

	return (attributes & DECODE_X87_INSN ? GATE_X87 : 0) |
	       (attributes & DECODE_MMX_INSN ? GATE_MMX : 0) |
	       (attributes & DECODE_SSE_INSN ? GATE_SSE : 0) |
	       (attributes & DECODE_AVX_INSN ? GATE_AVX : 0) |
	       (attributes & DECODE_SIMD_FP ? GATE_MXCSR : 0) | (uses_st(form) ? GATE_ST : 0);
}

/* The x87 instructions that run with an exception pending. */
static bool is_waiting(const struct decode_insn *form)
{
	switch (form->op) {
	case OP_FNSTCW:
	case OP_FNSTSW:
	case OP_FNCLEX:
	case OP_FNENI:
	case OP_FNDISI:
	case OP_FNSETPM:
		return false;
	default:
		return uses_st(form);
	}
}

static bool sets_pointers(const struct decode_insn *form)
{
	return form->attributes & DECODE_X87_INSN && is_waiting(form);
}

static void emit_form(struct emit *e, const struct making *m, struct native_form *made,
		      uint8_t *start)
{
	const struct decode_insn *form = &m->form;
	struct emit_label slow = {0};
	bool x87 = form->attributes & DECODE_X87_INSN;

	if (!m->fields.memory) {
		if (made->gate)
			emit_gate(e, offsetof(struct soft_vcpu, native_gate), made->gate, &slow);
		made->body = (uint8_t)(e->at - start);
		if (made->pointers)
			emit_x87_pointers(
				e, offsetof(struct soft_op, at),
				offsetof(struct soft_vcpu, vcpu.state.rip),
				offsetof(struct soft_vcpu, vcpu.state.xsave) + CPU_XSAVE_FIP,
				offsetof(struct soft_vcpu, vcpu.state.xsave) + CPU_XSAVE_FOP,
				(uint16_t)((form->opcode & 7) << 8 | form->modrm));
	} else {
		emit_memory_base(e);
	}
	for (unsigned i = 0; i < form->operand_count; i++)
		emit_load(e, m, &form->operand[i]);
	if (form->flags_read || (x87 && form->flags_written))
		emit_flags_load(e, FLAGS);
	emit_insn(e, form, &m->fields);
	if (form->flags_written)
		emit_flags_store(e, FLAGS);
	for (unsigned i = 0; i < form->operand_count; i++)
		emit_store(e, m, &form->operand[i]);
	if (form->encoding == DECODE_VEX)
		emit_vzeroupper(e);
	emit_next(e, sizeof(struct soft_op), offsetof(struct soft_op, run));
	emit_label(e, &slow);
	if (slow.count)
		emit_jump(e, offsetof(struct soft_vcpu, native_slow));
}

static bool form_make(struct native *native, const struct decode_insn *insn, struct making *m,
		      struct native_form *made)
{
	uint8_t *start = native->writable + native->used;
	struct emit e = {.at = start, .end = native->writable + NATIVE_CODE_SIZE};

	form_fields(insn, &m->fields);
	if (!form_decode(insn, &m->fields, &m->form)) {
		m->fields.vvvv = 0; /* has no operand there, where another number would be #UD */
		if (!form_decode(insn, &m->fields, &m->form))
			return false;
	}
	for (unsigned i = 0; i < m->form.operand_count; i++) {
		const struct decode_operand *operand = &m->form.operand[i];

		if (is_gpr(operand) && !operand->implicit)
			made->gprs |= operand->reg == NATIVE_REG ? 1 : 2;
	}
	made->waits = is_waiting(&m->form);
	made->gate = (uint8_t)(form_gate(&m->form) | (made->waits ? GATE_PENDING : 0));
	made->pointers = sets_pointers(&m->form);
	if (has_class(insn, DECODE_MMX))
		form_mmx(insn, &m->form, &m->fields);
	emit_form(&e, m, made, start);
	if (e.overflow)
		return false;
	made->code = (uint32_t)native->used;
	native->used = align_up(native->used + (size_t)(e.at - start), 16);
	return true;
}

/*
 * Code was written where other code ran before, by another address: the CPU must be told (AMD APM
 * volume 2, section 7.6.1).  Returning from an interrupt to where one is serializes anywhere.
 */
static void serialize(void)
{
	uint64_t stack, at;

	__asm__ volatile("mov %%rsp, %[stack]\n\t"
			 "sub $128, %%rsp\n\t" /* what may stand below it */
			 "mov %%ss, %k[at]\n\t"
			 "push %[at]\n\t"
			 "push %[stack]\n\t"
			 "pushfq\n\t"
			 "mov %%cs, %k[at]\n\t"
			 "push %[at]\n\t"
			 "lea 1f(%%rip), %[at]\n\t"
			 "push %[at]\n\t"
			 "iretq\n"
			 "1:"
			 : [stack] "=&r"(stack), [at] "=&r"(at)
			 :
			 : "memory", "cc");
}

static size_t form_hash(uint64_t key)
{
	return (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> (64 - NATIVE_FORMS_LOG));
}

bool native_stub_room(const struct native *native)
{
	return native->used + STUB_SIZE_MAX <= NATIVE_CODE_SIZE &&
	       native->form_count < NATIVE_FORMS / 4 * 3;
}

static struct native_form *find_form(struct native *native, uint64_t key)
{
	size_t i = form_hash(key);

	while (native->form[i].key && native->form[i].key != key)
		i = (i + 1) % NATIVE_FORMS;
	return &native->form[i];
}

static struct native_numbers numbers_of(const struct decode_insn *insn)
{
	unsigned mask = insn->mode == DECODE_64 ? 15 : 7;

	return (struct native_numbers){
		.reg = (uint8_t)((modrm_reg(insn) | (insn->rex & 4u ? 8u : 0)) & mask),
		.rm = (uint8_t)(((insn->modrm & 7u) | (insn->rex & 1u ? 8u : 0)) & mask),
		.vvvv = (uint8_t)(insn->vex_vvvv & mask),
		.is4 = (uint8_t)((uint8_t)insn->immediate >> 4 & mask),
	};
}

/* The key of a stub that is for these registers alone. */
static uint64_t special_key(const struct decode_insn *insn, uint64_t key,
			    const struct native_numbers *numbers)
{
	unsigned rm = has_memory(insn) ? 0 : numbers->rm;
	unsigned is4 = has_is4(insn) ? numbers->is4 : 0;

	return key | BIT(62) | (uint64_t)numbers->reg << 43 | (uint64_t)rm << 47 |
	       (uint64_t)numbers->vvvv << 51 | (uint64_t)is4 << 55;
}

/*
 * A stub for one choice of registers is quicker, and is made as long as there are few.  Those that
 * all choices share take over then.
 */
const struct native_form *native_stub_get(struct soft_vcpu *c, const struct decode_insn *insn)
{
	struct native *native = native_of(c);
	struct making m = {.numbers = numbers_of(insn)};
	uint64_t key = form_key(insn), special = special_key(insn, key, &m.numbers);
	struct native_form made = {0}, *form = find_form(native, special);

	m.special = !form->key && native->form_count < native->special_max;
	if (!form->key && !m.special)
		form = find_form(native, key);
	if (form->key)
		return form;
	made.key = m.special ? special : key;
	if (!native_stub_room(native) || !form_make(native, insn, &m, &made))
		return NULL;
	if (native->reused)
		serialize();
	native->form_count++;
	*form = made;
	return form;
}

void native_stub_fields(const struct native_form *form, const struct decode_insn *insn,
			struct soft_op *op)
{
	struct native_numbers numbers = numbers_of(insn);

	op->a = (uint8_t)(numbers.reg * (form->gprs & 1 ? 8 : 2));
	op->b = (uint8_t)(numbers.rm * (form->gprs & 2 ? 8 : 2));
	op->spare[0] = (uint8_t)(numbers.vvvv * 2);
	op->spare[1] = (uint8_t)(numbers.is4 * 2);
}
