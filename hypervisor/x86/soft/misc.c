/* SPDX-License-Identifier: MIT */
/*
 * misc.c - IN, OUT; RDTSC, RDTSCP, RDRAND, RDSEED; hints, barriers and cache control, which have
 * nothing to do here; PAUSE; UD0 to UD2.
 */
#include "hypervisor/x86/soft/integer.h"

#define RAX (c->vcpu.state.gpr[CPU_RAX])
#define RCX (c->vcpu.state.gpr[CPU_RCX])
#define RDX (c->vcpu.state.gpr[CPU_RDX])

/* --- Ports: op->size; the number is DX's if op->spare[0], else immediate
 * -------------------------- */

static uint16_t port_of(struct soft_vcpu *c, const struct soft_op *op)
{
	return (uint16_t)(op->spare[0] ? RDX : (uint64_t)op->immediate);
}

static SOFT_APART bool in_work(struct soft_vcpu *c, const struct soft_op *op)
{
	uint16_t port = port_of(c, op);
	uint64_t value = 0;

	if (!soft_port_allowed(c, port, op->size) ||
	    !soft_access(c, EXIT_SPACE_PORT, false, port, op->size, &value))
		return false;
	soft_debug_port(c, port, op->size);
	soft_put(c, CPU_RAX * 8, value, op->size);
	return true;
}

static void in(struct soft_vcpu *c, const struct soft_op *op)
{
	soft_next_if(c, op, in_work(c, op));
}

static SOFT_APART bool out_work(struct soft_vcpu *c, const struct soft_op *op)
{
	uint16_t port = port_of(c, op);
	uint64_t value = RAX;

	if (!soft_port_allowed(c, port, op->size) ||
	    !soft_access(c, EXIT_SPACE_PORT, true, port, op->size, &value))
		return false;
	soft_debug_port(c, port, op->size);
	return true;
}

static void out(struct soft_vcpu *c, const struct soft_op *op)
{
	soft_next_if(c, op, out_work(c, op));
}

static bool compile_port(struct soft_compile *k, const struct decode_insn *insn)
{
	bool is_in = insn->op == OP_IN;
	struct soft_op *op = soft_compile_op(k);

	op->size = (uint8_t)insn->operand[!is_in].size;
	op->spare[0] = insn->operand[is_in].kind == DECODE_REGISTER;
	op->immediate = (uint8_t)insn->immediate;
	soft_compile_emit(k, is_in ? in : out);
	return true;
}

bool soft_compile_port(struct soft_compile *k, const struct decode_insn *insn)
{
	return (insn->op == OP_IN || insn->op == OP_OUT) && compile_port(k, insn);
}

/* --- Time, chance
 * ------------------------------------------------------------------------------- */

static bool read_tsc(struct soft_vcpu *c)
{
	uint64_t tsc;

	if ((c->vcpu.state.cr4 & CR4_TSD) && c->vcpu.state.cpl != 0) {
		soft_fault_error(c, CPU_VECTOR_GP, 0);
		return false;
	}
	tsc = cpu_tsc_at(&c->vcpu.state, host_tsc());
	RAX = (uint32_t)tsc;
	RDX = tsc >> 32;
	return true;
}

static void rdtsc(struct soft_vcpu *c, const struct soft_op *op)
{
	if (!read_tsc(c)) {
		soft_stop(c, op);
		return;
	}
	soft_next(c, op);
}

static void rdtscp(struct soft_vcpu *c, const struct soft_op *op)
{
	if (!read_tsc(c)) {
		soft_stop(c, op);
		return;
	}
	RCX = (uint32_t)c->vcpu.state.tsc_aux;
	soft_next(c, op);
}

static void put_random(struct soft_vcpu *c, const struct soft_op *op, uint64_t value, bool there)
{
	soft_put(c, op->a, there ? value : 0, op->size);
	c->flags = 0x200 | (there ? SOFT_FLAG_CF : 0);
	soft_next(c, op);
}

static void rdrand(struct soft_vcpu *c, const struct soft_op *op)
{
	uint64_t value;
	bool there;

	__asm__ volatile("rdrand %0" : "=r"(value), "=@ccc"(there));
	put_random(c, op, value, there);
}

static void rdseed(struct soft_vcpu *c, const struct soft_op *op)
{
	uint64_t value;
	bool there;

	__asm__ volatile("rdseed %0" : "=r"(value), "=@ccc"(there));
	put_random(c, op, value, there);
}

/* --- Nothing to do
 * ------------------------------------------------------------------------------ */

static void nop(struct soft_vcpu *c, const struct soft_op *op)
{
	soft_next(c, op);
}

static void mfence(struct soft_vcpu *c, const struct soft_op *op)
{
	__asm__ volatile("mfence" : : : "memory");
	soft_next(c, op);
}

/* Cache control of a line: the access is one byte's read. */
static void flush_line(struct soft_vcpu *c, const struct soft_op *op)
{
	if (!soft_probe(c, op->segment, soft_offset(c, op), 1, false)) {
		soft_stop(c, op);
		return;
	}
	soft_next(c, op);
}

/* The guest spins: others may have the host's CPU. */
static void pause(struct soft_vcpu *c, const struct soft_op *op)
{
	soft_exit(c, EXIT_PAUSE, op->length);
	soft_stop(c, op);
}

static bool compile_run(struct soft_compile *k, soft_handler *run)
{
	soft_compile_op(k);
	soft_compile_emit(k, run);
	return true;
}

static bool compile_random(struct soft_compile *k, const struct decode_insn *insn,
			   soft_handler *run)
{
	struct soft_op *op = soft_compile_op(k);

	op->a = soft_compile_register(&insn->operand[0]);
	op->size = (uint8_t)insn->operand[0].size;
	soft_compile_emit(k, run);
	return true;
}

bool soft_compile_misc(struct soft_compile *k, const struct decode_insn *insn)
{
	switch (insn->op) {
	case OP_NOP:
	case OP_NOP_HINT:
	case OP_PREFETCHNTA:
	case OP_PREFETCHT0:
	case OP_PREFETCHT1:
	case OP_PREFETCHT2:
	case OP_PREFETCH:
	case OP_PREFETCHW:
	case OP_PREFETCHWT1:
	case OP_ENDBR64:
	case OP_ENDBR32:
	case OP_LFENCE:
	case OP_SFENCE:
		return compile_run(k, nop);
	case OP_MFENCE:
		return compile_run(k, mfence);
	case OP_CLFLUSH:
	case OP_CLFLUSHOPT:
	case OP_CLWB:
		soft_compile_op(k);
		soft_compile_memory(k, insn);
		soft_compile_emit(k, flush_line);
		return true;
	case OP_PAUSE:
		k->ended = true;
		return compile_run(k, pause);
	case OP_RDTSC:
		return compile_run(k, rdtsc);
	case OP_RDTSCP:
		return compile_run(k, rdtscp);
	case OP_RDRAND:
		return compile_random(k, insn, rdrand);
	case OP_RDSEED:
		return compile_random(k, insn, rdseed);
	case OP_UD0:
	case OP_UD1:
	case OP_UD2:
		soft_compile_fault(k, CPU_VECTOR_UD, false);
		return true;
	default:
		return false;
	}
}
