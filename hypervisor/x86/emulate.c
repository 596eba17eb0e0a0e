/* SPDX-License-Identifier: MIT */
/*
 * emulate.c - the instruction at CS:RIP: fetched, decoded, its operands reached.
 */
#include "hypervisor/x86/emulate.h"

#include "hw/x86.h"
#include "hypervisor/memory.h"
#include "hypervisor/run.h"
#include "hypervisor/vm.h"
#include "hypervisor/x86/emulate_internal.h"
#include "hypervisor/x86/mode.h"
#include "hypervisor/x86/walk.h"
#include "lib/bytes.h"

/* --- Faults ----------------------------------------------------------------------------------- */

enum emulate_result emulation_fault(struct emulation *m, uint8_t vector)
{
	vcpu_raise(m->vcpu, vector, vector == CPU_VECTOR_SS || vector == CPU_VECTOR_GP, 0);
	return EMULATE_FAULT;
}

static enum emulate_result page_fault(struct vcpu *vcpu, uint64_t linear, uint32_t error)
{
	vcpu->exception_address = linear;
	vcpu_raise(vcpu, CPU_VECTOR_PF, true, error);
	return EMULATE_FAULT;
}

/* --- Instructions ----------------------------------------------------------------------------- */

static enum decode_mode mode_of(const struct vcpu *vcpu)
{
	if (cpu_is_64_bit(&vcpu->state))
		return DECODE_64;
	return vcpu->state.segment[CPU_CS].db ? DECODE_32 : DECODE_16;
}

/* Bytes of code at linear, up to the end of its page. */
static size_t fetch_page(struct vcpu *vcpu, uint64_t linear, uint8_t *to, size_t size)
{
	size_t part = MIN(size, PAGE_SIZE - (linear & PAGE_MASK));
	unsigned intent = WALK_FETCH | (vcpu->state.cpl == 3 ? WALK_USER : 0);
	uint64_t gpa;
	uint32_t error;

	if (!walk(vcpu, linear, intent, &gpa, &error) || memory_read(vcpu->vm, gpa, to, part) < 0)
		return 0;
	return part;
}

bool emulate_decode(struct vcpu *vcpu, struct decode_insn *insn)
{
	const struct cpu_state *s = &vcpu->state;
	uint64_t linear =
		cpu_is_64_bit(&vcpu->state) ? s->rip : (uint32_t)(s->segment[CPU_CS].base + s->rip);
	uint8_t bytes[DECODE_LENGTH_MAX];
	size_t size = fetch_page(vcpu, linear, bytes, sizeof(bytes));
	enum decode_result result;

	if (!size)
		return false;
	result = decode(mode_of(vcpu), bytes, size, insn);
	if (result == DECODE_SHORT && size < sizeof(bytes)) {
		size += fetch_page(vcpu, linear + size, bytes + size, sizeof(bytes) - size);
		result = decode(mode_of(vcpu), bytes, size, insn);
	}
	return result == DECODE_OK;
}

unsigned emulate_length(struct vcpu *vcpu)
{
	struct decode_insn insn;

	return emulate_decode(vcpu, &insn) ? insn.length : 0;
}

/* --- Devices ---------------------------------------------------------------------------------- */

static enum emulate_result ask(struct emulation *m, enum exit_space space, uint64_t address,
			       unsigned size, bool write, uint64_t *value)
{
	struct emulate *e = m->e;

	if (e->next < e->answered) {
		if (!write)
			*value = e->data[e->next] & size_mask(size);
		e->next++;
		return EMULATE_DONE;
	}
	if (e->next == EMULATE_ACCESSES)
		return EMULATE_UNKNOWN;
	m->exit->kind = EXIT_ACCESS;
	m->exit->access = (struct exit_access){.space = space,
					       .write = write,
					       .size = (uint8_t)size,
					       .address = address,
					       .data = write ? *value & size_mask(size) : 0};
	return EMULATE_ACCESS;
}

void emulate_answer(struct emulate *e, uint64_t data)
{
	if (e->active && e->answered < EMULATE_ACCESSES)
		e->data[e->answered++] = data;
}

enum emulate_result emulation_port(struct emulation *m, unsigned size, bool write, uint64_t *value)
{
	uint16_t port = (uint16_t)m->vcpu->state.gpr[CPU_RDX];

	return ask(m, EXIT_SPACE_PORT, port, size, write, value);
}

/* --- Memory ----------------------------------------------------------------------------------- */

/* The part of an access that lies in one page. */
static enum emulate_result access_page(struct emulation *m, uint64_t gpa, unsigned size, bool write,
				       uint64_t *value)
{
	struct vm *vm = m->vcpu->vm;
	uint64_t whole = write ? *value : 0;

	if (!write)
		*value = 0;
	if ((write ? memory_write(vm, gpa, value, size) : memory_read(vm, gpa, value, size)) == 0)
		return EMULATE_DONE;
	/* A device's, by parts that a bus can have. */
	for (unsigned at = 0; at < size;) {
		unsigned part = 8;
		enum emulate_result result;
		uint64_t data;

		while (part > size - at)
			part /= 2;
		data = whole >> (8 * at) & size_mask(part);
		result = ask(m, EXIT_SPACE_MEMORY, gpa + at, part, write, &data);
		if (result != EMULATE_DONE)
			return result;
		if (!write)
			whole |= data << (8 * at);
		at += part;
	}
	*value = whole;
	return EMULATE_DONE;
}

bool emulation_is_code(const struct vcpu *vcpu, uint64_t offset)
{
	return cpu_is_64_bit(&vcpu->state) ? cpu_is_canonical(&vcpu->state, offset)
					   : offset <= vcpu->state.segment[CPU_CS].limit;
}

/* Limits and rights of a segment outside of 64-bit mode; APM2 section 4.12. */
static bool segment_allows(const struct vcpu *vcpu, unsigned segment, uint64_t offset,
			   unsigned size, bool write)
{
	const struct cpu_segment *s = &vcpu->state.segment[segment];
	bool down = !(s->type & SEGMENT_TYPE_CODE) && (s->type & SEGMENT_TYPE_EXPAND_DOWN);
	uint64_t last = offset + size - 1;

	if (!(vcpu->state.cr0 & CR0_PE) || (vcpu->state.rflags & RFLAGS_VM))
		return last <= s->limit;
	if (s->unusable)
		return false;
	if (write ? (s->type & SEGMENT_TYPE_CODE) || !(s->type & SEGMENT_TYPE_WRITABLE)
		  : (s->type & SEGMENT_TYPE_CODE) && !(s->type & SEGMENT_TYPE_READABLE))
		return false;
	if (down)
		return offset > s->limit && last <= (s->db ? UINT32_MAX : UINT16_MAX);
	return last <= s->limit;
}

static enum emulate_result linear_of(struct emulation *m, unsigned segment, uint64_t offset,
				     unsigned size, bool write, uint64_t *linear)
{
	struct vcpu *vcpu = m->vcpu;
	uint8_t vector = segment == CPU_SS ? CPU_VECTOR_SS : CPU_VECTOR_GP;

	if (cpu_is_64_bit(&vcpu->state)) {
		*linear = offset;
		if (segment == CPU_FS || segment == CPU_GS)
			*linear += vcpu->state.segment[segment].base;
		if (!cpu_is_canonical(&vcpu->state, *linear) ||
		    !cpu_is_canonical(&vcpu->state, *linear + size - 1))
			return emulation_fault(m, vector);
		return EMULATE_DONE;
	}
	if (!segment_allows(vcpu, segment, offset, size, write))
		return emulation_fault(m, vector);
	*linear = (uint32_t)(vcpu->state.segment[segment].base + offset);
	return EMULATE_DONE;
}

static enum emulate_result access(struct emulation *m, unsigned segment, uint64_t offset,
				  unsigned size, bool write, uint64_t *value)
{
	struct vcpu *vcpu = m->vcpu;
	unsigned intent =
		WALK_MARK | (write ? WALK_WRITE : 0) | (vcpu->state.cpl == 3 ? WALK_USER : 0);
	uint64_t linear, second, gpa[2] = {0}, data;
	unsigned first;
	uint32_t error;
	enum emulate_result result = linear_of(m, segment, offset, size, write, &linear);

	if (result != EMULATE_DONE)
		return result;
	first = (unsigned)MIN(size, PAGE_SIZE - (linear & PAGE_MASK));
	second = cpu_is_64_bit(&vcpu->state) ? linear + first : (uint32_t)(linear + first);
	/* Both parts are looked for before one is touched. */
	if (!walk(vcpu, linear, intent, &gpa[0], &error))
		return page_fault(vcpu, linear, error);
	if (first < size && !walk(vcpu, second, intent, &gpa[1], &error))
		return page_fault(vcpu, second, error);
	data = *value;
	result = access_page(m, gpa[0], first, write, &data);
	if (result != EMULATE_DONE || first == size) {
		*value = data;
		return result;
	}
	second = *value >> (8 * first);
	result = access_page(m, gpa[1], size - first, write, &second);
	*value = (data & size_mask(first)) | second << (8 * first);
	return result;
}

enum emulate_result emulation_read(struct emulation *m, unsigned segment, uint64_t offset,
				   unsigned size, uint64_t *value)
{
	*value = 0;
	return access(m, segment, offset, size, false, value);
}

enum emulate_result emulation_write(struct emulation *m, unsigned segment, uint64_t offset,
				    unsigned size, uint64_t value)
{
	value &= size_mask(size);
	return access(m, segment, offset, size, true, &value);
}

/* --- Operands --------------------------------------------------------------------------------- */

void emulation_set_register(struct vcpu *vcpu, unsigned reg, unsigned size, uint64_t value)
{
	uint64_t *at = &vcpu->state.gpr[reg], mask = size_mask(size);

	*at = size == 4 ? (uint32_t)value : (*at & ~mask) | (value & mask);
}

static uint64_t offset_of(const struct emulation *m)
{
	const struct decode_memory *memory = &m->insn->memory;
	const uint64_t *gpr = m->vcpu->state.gpr;
	uint64_t offset = (uint64_t)memory->displacement;

	if (memory->base == DECODE_RIP)
		offset += m->vcpu->state.rip + m->insn->length;
	else if (memory->base != DECODE_NO_REG)
		offset += gpr[memory->base];
	if (memory->index != DECODE_NO_REG)
		offset += gpr[memory->index] * memory->scale;
	return offset & size_mask(m->insn->address_size);
}

/* What an access would fault with, if its first or last byte can't be reached. */
static enum emulate_result probe(struct emulation *m, uint64_t offset, unsigned size, bool write)
{
	struct vcpu *vcpu = m->vcpu;
	unsigned intent = (write ? WALK_WRITE : 0) | (vcpu->state.cpl == 3 ? WALK_USER : 0);
	uint64_t linear, last, gpa;
	uint32_t error;
	enum emulate_result result =
		linear_of(m, m->insn->memory.segment, offset, size, write, &linear);

	if (result != EMULATE_DONE)
		return result;
	if ((m->insn->attributes & DECODE_ALIGNED) && (linear & (size - 1)))
		return emulation_fault(m, CPU_VECTOR_GP);
	last = linear + size - 1;
	if (!cpu_is_64_bit(&vcpu->state))
		last = (uint32_t)last;
	if (!walk(vcpu, linear, intent, &gpa, &error))
		return page_fault(vcpu, linear, error);
	if ((last ^ linear) & ~PAGE_MASK && !walk(vcpu, last, intent, &gpa, &error))
		return page_fault(vcpu, last & ~PAGE_MASK, error);
	return EMULATE_DONE;
}

enum emulate_result emulation_read_bytes(struct emulation *m, unsigned size, uint8_t *to)
{
	uint64_t offset = offset_of(m), value;
	enum emulate_result result = probe(m, offset, size, false);

	for (unsigned at = 0; at < size && result == EMULATE_DONE; at += 8) {
		unsigned part = MIN(size - at, 8u);

		result = emulation_read(m, m->insn->memory.segment, offset + at, part, &value);
		memcpy(to + at, &value, part);
	}
	return result;
}

enum emulate_result emulation_write_bytes(struct emulation *m, unsigned size, const uint8_t *from)
{
	uint64_t offset = offset_of(m);
	enum emulate_result result = probe(m, offset, size, true);

	for (unsigned at = 0; at < size && result == EMULATE_DONE; at += 8) {
		unsigned part = MIN(size - at, 8u);
		uint64_t value = 0;

		memcpy(&value, from + at, part);
		result = emulation_write(m, m->insn->memory.segment, offset + at, part, value);
	}
	return result;
}

enum emulate_result emulation_get(struct emulation *m, const struct decode_operand *operand,
				  uint64_t *value)
{
	const struct cpu_state *s = &m->vcpu->state;

	if (operand->size > 8)
		return EMULATE_UNKNOWN;
	switch (operand->kind) {
	case DECODE_REGISTER:
		if (operand->class == DECODE_GPR_HIGH)
			*value = s->gpr[operand->reg] >> 8 & 0xff;
		else if (operand->class == DECODE_GPR)
			*value = s->gpr[operand->reg] & size_mask(operand->size);
		else
			return EMULATE_UNKNOWN;
		return EMULATE_DONE;
	case DECODE_MEMORY:
		return emulation_read(m, m->insn->memory.segment, offset_of(m), operand->size,
				      value);
	case DECODE_IMMEDIATE:
		*value = (uint64_t)m->insn->immediate;
		return EMULATE_DONE;
	default:
		return EMULATE_UNKNOWN;
	}
}

enum emulate_result emulation_put(struct emulation *m, const struct decode_operand *operand,
				  uint64_t value)
{
	uint64_t *gpr = m->vcpu->state.gpr;

	if (operand->size > 8)
		return EMULATE_UNKNOWN;
	switch (operand->kind) {
	case DECODE_REGISTER:
		if (operand->class == DECODE_GPR_HIGH)
			gpr[operand->reg] = (gpr[operand->reg] & ~UINT64_C(0xff00)) | (value & 0xff)
											      << 8;
		else if (operand->class == DECODE_GPR)
			emulation_set_register(m->vcpu, operand->reg, operand->size, value);
		else
			return EMULATE_UNKNOWN;
		return EMULATE_DONE;
	case DECODE_MEMORY:
		return emulation_write(m, m->insn->memory.segment, offset_of(m), operand->size,
				       value);
	default:
		return EMULATE_UNKNOWN;
	}
}

/* --- All of it -------------------------------------------------------------------------------- */

static bool is_string(const struct decode_insn *insn)
{
	return insn->attributes & DECODE_REPEATABLE;
}

/* The first that knows the instruction does it; the last touches operands before it says no. */
static enum emulate_result emulate_plain(struct emulation *m)
{
	static enum emulate_result (*const parts[])(struct emulation * m) = {
		emulation_vector,  emulation_native,  emulation_stack,
		emulation_control, emulation_integer,
	};
	enum emulate_result result = EMULATE_UNKNOWN;

	for (unsigned i = 0; i < ARRAY_COUNT(parts) && result == EMULATE_UNKNOWN; i++)
		result = parts[i](m);
	return result;
}

enum emulate_result emulate_instruction(struct emulate *e, struct vcpu *vcpu, struct exit *exit)
{
	struct emulation m = {.e = e, .vcpu = vcpu, .exit = exit, .insn = &e->insn};
	enum emulate_result result;
	bool goes_on = false;

	if (!e->active) {
		if (!emulate_decode(vcpu, &e->insn))
			return EMULATE_UNKNOWN;
		e->active = true;
		e->answered = 0;
	}
	e->next = 0;
	result = is_string(&e->insn) ? emulation_string(&m, &goes_on) : emulate_plain(&m);
	if (result == EMULATE_ACCESS)
		return result;
	if (result == EMULATE_DONE && !goes_on)
		run_finish(vcpu, e->insn.length);
	emulate_forget(e);
	return result;
}
