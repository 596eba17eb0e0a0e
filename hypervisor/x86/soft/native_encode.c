/* SPDX-License-Identifier: MIT */
/*
 * native_encode.c - writes a guest's instruction again with the registers that stubs use, and the
 * few host instructions that stubs consist of besides.  Knows nothing of vCPUs.
 */
#include "hypervisor/x86/soft/native_encode.h"

#define REX 0x40
#define REX_W 0x08
#define REX_R 0x04
#define REX_X 0x02
#define REX_B 0x01

#define RDI_BASE 7
#define OFFSET_REGISTER 10 /* r10 holds the offset of the register that is loaded or stored */

void emit_bytes(struct emit *e, const void *bytes, size_t count)
{
	if ((size_t)(e->end - e->at) < count) {
		e->overflow = true;
		return;
	}
	memcpy(e->at, bytes, count);
	e->at += count;
}

static void emit_byte(struct emit *e, unsigned byte)
{
	uint8_t b = (uint8_t)byte;

	emit_bytes(e, &b, 1);
}

static void emit_32(struct emit *e, uint32_t value)
{
	emit_bytes(e, &value, sizeof(value));
}

#define EMIT(e, ...) emit_bytes(e, (const uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}))

void emit_gate(struct emit *e, uint32_t gate, uint8_t mask, struct emit_label *label)
{
	EMIT(e, 0xf6, 0x87); /* test byte [rdi + gate], mask */
	emit_32(e, gate);
	emit_byte(e, mask);
	emit_branch(e, label);
}

void emit_branch(struct emit *e, struct emit_label *label)
{
	EMIT(e, 0x0f, 0x85); /* jnz rel32 */
	if (label->count < ARRAY_COUNT(label->from))
		label->from[label->count++] = e->at;
	else
		e->overflow = true;
	emit_32(e, 0);
}

void emit_label(struct emit *e, struct emit_label *label)
{
	for (unsigned i = 0; i < label->count && !e->overflow; i++)
		store_le32(label->from[i], (uint32_t)(e->at - (label->from[i] + 4)));
}

void emit_jump(struct emit *e, uint32_t pointer)
{
	EMIT(e, 0xff, 0xa7); /* jmp [rdi + pointer] */
	emit_32(e, pointer);
}

void emit_next(struct emit *e, uint8_t op_size, uint8_t run)
{
	EMIT(e, 0x48, 0x83, 0xc6, op_size); /* add rsi, op_size */
	EMIT(e, 0xff, 0x66, run);           /* jmp [rsi + run] */
}

void emit_memory_base(struct emit *e)
{
	EMIT(e, 0x49, 0x89, 0xd1); /* mov r9, rdx */
}

void emit_offset(struct emit *e, uint8_t field)
{
	EMIT(e, 0x44, 0x0f, 0xb6, 0x56, field); /* movzx r10d, byte [rsi + field] */
}

void emit_flags_load(struct emit *e, uint32_t flags)
{
	EMIT(e, 0x66, 0x8b, 0x87); /* mov ax, [rdi + flags] */
	emit_32(e, flags);
	EMIT(e, 0x04, 0x7f); /* add al, 0x7f: overflows if AL is 1, and OF is to be set */
	emit_byte(e, 0x9e);  /* sahf */
}

void emit_flags_store(struct emit *e, uint32_t flags)
{
	emit_byte(e, 0x9f);        /* lahf */
	EMIT(e, 0x0f, 0x90, 0xc0); /* seto al */
	EMIT(e, 0x66, 0x89, 0x87); /* mov [rdi + flags], ax */
	emit_32(e, flags);
}

void emit_x87_pointers(struct emit *e, uint8_t at, uint32_t rip, uint32_t fip, uint32_t fop,
		       uint16_t opcode)
{
	EMIT(e, 0x0f, 0xb7, 0x46, at); /* movzx eax, word [rsi + at] */
	EMIT(e, 0x48, 0x03, 0x87);     /* add rax, [rdi + rip] */
	emit_32(e, rip);
	EMIT(e, 0x48, 0x89, 0x87); /* mov [rdi + fip], rax */
	emit_32(e, fip);
	EMIT(e, 0x66, 0xc7, 0x87); /* mov word [rdi + fop], opcode */
	emit_32(e, fop);
	emit_bytes(e, &opcode, sizeof(opcode));
}

/* The memory operand of an instruction with reg in ModRM; r10 counts in units of 1 << scale. */
static void emit_place(struct emit *e, unsigned reg, const struct emit_place *place, unsigned scale)
{
	if (place->indexed)
		EMIT(e, (uint8_t)(0x80 | (reg & 7) << 3 | 4),
		     (uint8_t)(scale << 6 | (OFFSET_REGISTER & 7) << 3 | RDI_BASE));
	else
		EMIT(e, (uint8_t)(0x80 | (reg & 7) << 3 | RDI_BASE));
	emit_32(e, place->displacement);
}

static uint8_t rex_of(unsigned reg, const struct emit_place *place)
{
	return (uint8_t)(REX | (place->indexed ? REX_X : 0) | (reg & 8 ? REX_R : 0));
}

void emit_gpr(struct emit *e, unsigned reg, const struct emit_place *place, bool store)
{
	EMIT(e, rex_of(reg, place) | REX_W, store ? 0x89 : 0x8b);
	emit_place(e, reg, place, 0);
}

void emit_xmm(struct emit *e, unsigned reg, const struct emit_place *place, bool store)
{
	EMIT(e, rex_of(reg, place), 0x0f, store ? 0x11 : 0x10); /* movups */
	emit_place(e, reg, place, 3);
}

/* VEX in its form of three bytes. */
static void emit_vex(struct emit *e, unsigned reg, const struct emit_place *place, unsigned map,
		     unsigned vvvv, unsigned l_pp, unsigned opcode)
{
	EMIT(e, 0xc4, (uint8_t)((reg & 8 ? 0 : 0x80) | (place->indexed ? 0 : 0x40) | 0x20 | map),
	     (uint8_t)((~vvvv & 15) << 3 | l_pp), (uint8_t)opcode);
	emit_place(e, reg, place, 3);
}

void emit_vex_xmm(struct emit *e, unsigned reg, const struct emit_place *place, bool store)
{
	emit_vex(e, reg, place, 1, 0, 0, store ? 0x11 : 0x10); /* vmovups */
}

void emit_vex_high(struct emit *e, unsigned reg, const struct emit_place *place, bool store)
{
	if (store)
		emit_vex(e, reg, place, 3, 0, 5, 0x19); /* vextractf128 */
	else
		emit_vex(e, reg, place, 3, reg, 5, 0x18); /* vinsertf128 */
	emit_byte(e, 1);
}

void emit_vzeroupper(struct emit *e)
{
	EMIT(e, 0xc5, 0xf8, 0x77);
}

static bool has_immediate2(const struct decode_insn *insn)
{
	for (unsigned i = 0; i < insn->operand_count; i++)
		if (insn->operand[i].kind == DECODE_IMMEDIATE2)
			return true;
	return false;
}

static void encode_legacy(struct emit *e, const struct decode_insn *insn,
			  const struct native_fields *fields)
{
	unsigned rex = (fields->w ? REX_W : 0) | (fields->reg & 8 ? REX_R : 0) |
		       ((fields->memory ? NATIVE_MEMORY_BASE : fields->rm) & 8 ? REX_B : 0);

	/* x87 instructions have no use for prefixes, but for those of the environment. */
	if (insn->operand_override && insn->map)
		emit_byte(e, 0x66);
	if (insn->rep && insn->map)
		emit_byte(e, insn->rep);
	if (rex)
		emit_byte(e, REX | rex);
	if (insn->map)
		emit_byte(e, 0x0f);
	if (insn->map == 2)
		emit_byte(e, 0x38);
	if (insn->map == 3)
		emit_byte(e, 0x3a);
}

static void encode_vex(struct emit *e, const struct decode_insn *insn,
		       const struct native_fields *fields)
{
	unsigned rm = fields->memory ? NATIVE_MEMORY_BASE : fields->rm;

	EMIT(e, 0xc4,
	     (uint8_t)((fields->reg & 8 ? 0 : 0x80) | 0x40 | (rm & 8 ? 0 : 0x20) | insn->map),
	     (uint8_t)((fields->w ? 0x80 : 0) | (~fields->vvvv & 15) << 3 | insn->vex_l << 2 |
		       insn->vex_pp));
}

void emit_insn(struct emit *e, const struct decode_insn *insn, const struct native_fields *fields)
{
	if (insn->encoding == DECODE_VEX)
		encode_vex(e, insn, fields);
	else
		encode_legacy(e, insn, fields);
	emit_byte(e, insn->opcode);
	if (insn->has_modrm)
		emit_byte(e, (fields->memory ? 0 : 0xc0) | (fields->reg & 7) << 3 |
				     ((fields->memory ? NATIVE_MEMORY_BASE : fields->rm) & 7));
	if (insn->immediate_size)
		emit_byte(e, fields->immediate);
	if (has_immediate2(insn))
		emit_byte(e, (uint8_t)insn->immediate2);
}
