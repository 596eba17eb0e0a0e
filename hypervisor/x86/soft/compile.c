/* SPDX-License-Identifier: MIT */
/*
 * compile.c - from a decoded instruction to operations: what all files of instructions share, and
 * who is asked for what.
 */
#include "hypervisor/x86/soft/compile.h"
#include "hypervisor/x86/soft/integer.h"

#define ABSENT SOFT_OFFSET(zero)
_Static_assert(ABSENT % 8 && ABSENT > 4 * 8,
	       "is not that of a register operand, AH to BH included");
#define ADDRESS SOFT_OFFSET(address)

struct soft_op *soft_compile_op(struct soft_compile *k)
{
	*k->op = (struct soft_op){
		.at = k->at,
		.length = k->length,
		.a = ABSENT,
		.b = ABSENT,
		.base = ABSENT,
		.index = ABSENT,
		.segment = CPU_DS,
	};
	return k->op;
}

void soft_compile_emit(struct soft_compile *k, soft_handler *run)
{
	k->op->run = run;
	k->op++;
}

const struct decode_insn *soft_compile_keep(struct soft_compile *k, const struct decode_insn *insn)
{
	struct decode_insn *copy = soft_block_alloc(k->c, sizeof(*copy));

	if (!copy) {
		k->no_memory = true;
		return insn; /* of a block that won't be */
	}
	*copy = *insn;
	return copy;
}

uint8_t soft_compile_register(const struct decode_operand *operand)
{
	if (operand->class == DECODE_GPR_HIGH)
		return (uint8_t)(operand->reg * 8 + 1);
	return (uint8_t)(operand->reg * 8);
}

/* --- Addresses
 * ---------------------------------------------------------------------------------- */

static uint8_t register_unit(uint8_t reg)
{
	if (reg == DECODE_NO_REG)
		return ABSENT;
	return reg == DECODE_RIP ? SOFT_OFFSET(rip) : reg;
}

static uint8_t scale_shift(uint8_t scale)
{
	return scale == 8 ? 3 : scale == 4 ? 2 : scale == 2 ? 1 : 0;
}

/* Computes the address that no form can say. */
static void run_address_16(struct soft_vcpu *c, const struct soft_op *op)
{
	c->vcpu.state.address = (uint16_t)(soft_get64(c, op->base * 8u) +
					   soft_get64(c, op->index * 8u) + (uint64_t)op->immediate);
	soft_next(c, op);
}

static void run_address_32(struct soft_vcpu *c, const struct soft_op *op)
{
	c->vcpu.state.address =
		(uint32_t)(soft_get64(c, op->base * 8u) +
			   (soft_get64(c, op->index * 8u) << op->scale) + (uint64_t)op->immediate);
	soft_next(c, op);
}

static void run_address_64(struct soft_vcpu *c, const struct soft_op *op)
{
	c->vcpu.state.address = soft_get64(c, op->base * 8u) +
				(soft_get64(c, op->index * 8u) << op->scale) +
				(uint64_t)op->immediate;
	soft_next(c, op);
}

static soft_handler *address_handler(unsigned address_size)
{
	return address_size == 2   ? run_address_16
	       : address_size == 4 ? run_address_32
				   : run_address_64;
}

enum soft_address soft_compile_memory(struct soft_compile *k, const struct decode_insn *insn)
{
	const struct decode_memory *memory = &insn->memory;
	int64_t displacement = memory->displacement;
	bool long64 = insn->mode == DECODE_64;
	struct soft_op copy = *k->op;

	if (memory->base == DECODE_RIP)
		displacement += k->at + insn->length;
	k->op->base = register_unit(memory->base);
	k->op->index = register_unit(memory->index);
	k->op->scale = scale_shift(memory->scale);
	if (insn->address_size == 2 || (insn->address_size == 4 && long64) ||
	    displacement != (int32_t)displacement) {
		k->op->immediate = displacement;
		soft_compile_emit(k, address_handler(insn->address_size));
		*k->op = copy;
		k->op->base = ADDRESS;
		k->op->index = ABSENT;
		displacement = 0;
	}
	k->op->displacement = (int32_t)displacement;
	k->op->segment = memory->segment;
	if (!long64 || memory->segment >= CPU_FS)
		return SOFT_GENERAL;
	return k->op->index == ABSENT ? SOFT_FLAT : SOFT_INDEXED;
}

enum soft_place soft_compile_place(struct soft_compile *k, const struct decode_insn *insn,
				   unsigned operand)
{
	if (insn->operand[operand].kind == DECODE_MEMORY)
		return SOFT_M + soft_compile_memory(k, insn);
	k->op->a = soft_compile_register(&insn->operand[operand]);
	return SOFT_R;
}

enum soft_form soft_compile_form(struct soft_compile *k, const struct decode_insn *insn)
{
	const struct decode_operand *first = &insn->operand[0], *second = &insn->operand[1];
	enum soft_form memory = second->kind == DECODE_IMMEDIATE ? SOFT_MI
				: first->kind == DECODE_MEMORY   ? SOFT_MR
								 : SOFT_RM;

	if (first->kind == DECODE_REGISTER)
		k->op->a = soft_compile_register(first);
	if (second->kind == DECODE_REGISTER)
		k->op->b = soft_compile_register(second);
	if (first->kind == DECODE_MEMORY || second->kind == DECODE_MEMORY)
		memory += soft_compile_memory(k, insn);
	if (second->kind == DECODE_IMMEDIATE)
		k->op->immediate = insn->immediate;
	if (first->kind == DECODE_MEMORY || second->kind == DECODE_MEMORY)
		return memory;
	return second->kind == DECODE_IMMEDIATE ? SOFT_RI : SOFT_RR;
}

/* --- Links
 * -------------------------------------------------------------------------------------- */

struct soft_link *soft_compile_link(struct soft_compile *k, int64_t target, bool near)
{
	struct soft_link *link = soft_block_alloc(k->c, sizeof(*link));

	if (!link) {
		k->no_memory = true;
		return NULL;
	}
	*link = (struct soft_link){.stamp = near ? 0 : UINT64_MAX, .target = target};
	return link;
}

bool soft_compile_is_near(const struct soft_compile *k, int64_t target)
{
	int64_t place = (int64_t)k->offset + target;

	return place >= 0 && place < (int64_t)PAGE_SIZE;
}

static void run_continue_near(struct soft_vcpu *c, const struct soft_op *op)
{
	soft_rip_advance(c, op->at);
	soft_go(c, op->link);
}

static void run_continue_far(struct soft_vcpu *c, const struct soft_op *op)
{
	soft_rip_advance(c, op->at);
	soft_go_far(c, op->link);
}

static void run_continue_legacy(struct soft_vcpu *c, const struct soft_op *op)
{
	soft_rip_advance(c, op->at);
	soft_go_indirect(c);
}

void soft_compile_continue(struct soft_compile *k, bool near)
{
	struct soft_op *op = soft_compile_op(k);

	k->ended = true;
	if (!k->c->long64) {
		soft_compile_emit(k, run_continue_legacy);
		return;
	}
	op->link = soft_compile_link(k, k->at, near);
	soft_compile_emit(k, near ? run_continue_near : run_continue_far);
}

/* --- Faults, checks, system instructions
 * -------------------------------------------------------- */

static void run_fault(struct soft_vcpu *c, const struct soft_op *op)
{
	soft_fault(c, op->a);
	soft_stop(c, op);
}

static void run_fault_zero(struct soft_vcpu *c, const struct soft_op *op)
{
	soft_fault_error(c, op->a, 0);
	soft_stop(c, op);
}

void soft_compile_fault(struct soft_compile *k, uint8_t vector, bool has_error)
{
	soft_compile_op(k)->a = vector;
	soft_compile_emit(k, has_error ? run_fault_zero : run_fault);
	k->ended = true;
	k->at++; /* a block is never empty */
}

static void run_privileged(struct soft_vcpu *c, const struct soft_op *op)
{
	if (SOFT_LIKELY(c->vcpu.state.cpl == 0)) {
		soft_next(c, op);
		return;
	}
	soft_fault_error(c, CPU_VECTOR_GP, 0);
	soft_stop(c, op);
}

struct system_insn {
	soft_system_op *run;
	struct decode_insn insn;
};

static void run_system(struct soft_vcpu *c, const struct soft_op *op)
{
	const struct system_insn *system = op->data;

	soft_rip_advance(c, op->at);
	soft_flags_sync(c);
	if (system->run(c, &system->insn) == SOFT_RETIRED)
		soft_rip_advance(c, op->length);
	soft_flags_load(c);
	soft_changed(c);
}

static bool compile_system(struct soft_compile *k, const struct decode_insn *insn)
{
	soft_system_op *run = soft_system_find(insn);
	struct system_insn *system;

	if (!run)
		return false;
	if (insn->attributes & DECODE_PRIVILEGED) {
		soft_compile_op(k);
		soft_compile_emit(k, run_privileged);
	}
	system = soft_block_alloc(k->c, sizeof(*system));
	if (system)
		*system = (struct system_insn){.run = run, .insn = *insn};
	else
		k->no_memory = true;
	soft_compile_op(k)->data = system;
	soft_compile_emit(k, run_system);
	k->ended = true;
	return true;
}

static bool compile_native(struct soft_compile *k, const struct decode_insn *insn)
{
	struct soft_op *op;

	soft_compile_op(k);
	for (unsigned i = 0; i < insn->operand_count; i++)
		if (insn->operand[i].kind == DECODE_MEMORY) {
			soft_compile_memory(k, insn);
			break;
		}
	op = k->op;
	if (!soft_native_compile(k->c, insn, op))
		return false;
	if (!op->run)
		k->no_memory = true; /* of the native part's own, perhaps */
	k->op++;
	return true;
}

/* Whether the instruction may be executed in this mode, with these prefixes. */
static bool is_allowed(const struct soft_compile *k, const struct decode_insn *insn)
{
	const struct cpu_state *s = &k->c->vcpu.state;
	bool protected = (s->cr0 & CR0_PE) && !(s->rflags & RFLAGS_VM);

	if ((insn->attributes & DECODE_PROTECTED_ONLY) && !protected)
		return false;
	return !insn->lock || ((insn->attributes & DECODE_LOCKABLE) && insn->operand_count &&
			       insn->operand[0].kind == DECODE_MEMORY);
}

static bool compile_integer(struct soft_compile *k, const struct decode_insn *insn)
{
	return soft_compile_locked(k, insn) || soft_compile_move(k, insn) ||
	       soft_compile_alu(k, insn) || soft_compile_branch(k, insn) ||
	       soft_compile_condition(k, insn) || soft_compile_stack(k, insn) ||
	       soft_compile_shift(k, insn) || soft_compile_multiply(k, insn) ||
	       soft_compile_bits(k, insn) || soft_compile_bmi(k, insn) ||
	       soft_compile_string(k, insn) || soft_compile_flags(k, insn) ||
	       soft_compile_port(k, insn) || soft_compile_misc(k, insn);
}

void soft_compile(struct soft_compile *k, const struct decode_insn *insn)
{
	struct soft_op *begin = k->op;

	k->length = insn->length;
	if (is_allowed(k, insn) && compile_integer(k, insn)) {
		k->at += insn->length;
		return;
	}
	k->op = begin;
	if (is_allowed(k, insn) && compile_native(k, insn)) {
		k->at += insn->length;
		return;
	}
	k->op = begin;
	if (is_allowed(k, insn) && compile_system(k, insn)) {
		k->at += insn->length;
		return;
	}
	k->op = begin;
	soft_compile_fault(k, CPU_VECTOR_UD, false);
}
