/* SPDX-License-Identifier: MIT */
/*
 * system.h - what the files of the soft CPU's system part share: modes, descriptors, stacks,
 * transfers of control.
 *
 * Functions that return bool are false when the instruction, or the delivery of the event, stops: a
 * fault or an exit has been raised then (soft.h), and no register has changed.
 */
#ifndef DYAD_SOFT_SYSTEM_H
#define DYAD_SOFT_SYSTEM_H

#include "hypervisor/x86/soft/soft.h"

/* --- Modes ------------------------------------------------------------------------------------ */

static inline bool system_protected(const struct soft_vcpu *c) /* and not virtual-8086 */
{
	return c->vcpu.state.cr0 & CR0_PE && !(c->vcpu.state.rflags & RFLAGS_VM);
}

static inline bool system_v8086(const struct soft_vcpu *c)
{
	return c->vcpu.state.rflags & RFLAGS_VM;
}

static inline bool system_long_mode(const struct soft_vcpu *c) /* compatibility mode, too */
{
	return c->vcpu.state.efer & EFER_LMA;
}

static inline unsigned system_iopl(const struct soft_vcpu *c)
{
	return (c->vcpu.state.rflags & RFLAGS_IOPL) >> RFLAGS_IOPL_SHIFT;
}

/* The instruction pointer behind the instruction at hand. */
static inline uint64_t system_next_rip(const struct soft_vcpu *c, const struct decode_insn *insn)
{
	uint64_t rip = c->vcpu.state.rip + insn->length;

	return c->long64 ? rip : (uint32_t)rip;
}

/* The low size bytes of value. */
static inline uint64_t system_truncate(uint64_t value, unsigned size)
{
	return size == 8 ? value : value & ((UINT64_C(1) << (8 * size)) - 1);
}

/* --- Faults ----------------------------------------------------------------------------------- */

/*
 * Raises a fault whose error code names a selector (its RPL does not count), with EXT set while an
 * event from outside is delivered.  Returns false.
 */
static inline bool system_fault(struct soft_vcpu *c, uint8_t vector, uint32_t selector)
{
	soft_fault_error(c, vector,
			 (selector & (SELECTOR_INDEX | SELECTOR_LDT)) |
				 (c->external ? ERROR_CODE_EXT : 0));
	return false;
}

/* What an instruction returns whose fault has no error code, or 0. */
static inline enum soft_result system_ud(struct soft_vcpu *c)
{
	soft_fault(c, CPU_VECTOR_UD);
	return SOFT_STOPPED;
}

static inline enum soft_result system_gp(struct soft_vcpu *c)
{
	soft_fault_error(c, CPU_VECTOR_GP, 0);
	return SOFT_STOPPED;
}

/* --- Descriptors (descriptor.c) --------------------------------------------------------------- */

struct descriptor {
	uint64_t low, high; /* high: of system descriptors of 16 bytes, else 0 */
	uint64_t linear;    /* where it stands */
	uint16_t selector;
};

static inline unsigned descriptor_type(const struct descriptor *d)
{
	return d->low >> DESCRIPTOR_TYPE_SHIFT & 0xf;
}

static inline unsigned descriptor_dpl(const struct descriptor *d)
{
	return d->low >> DESCRIPTOR_DPL_SHIFT & 3;
}

static inline bool descriptor_present(const struct descriptor *d)
{
	return d->low & DESCRIPTOR_P;
}

static inline bool descriptor_is_segment(const struct descriptor *d) /* code or data */
{
	return d->low & DESCRIPTOR_S;
}

static inline bool descriptor_is_code(const struct descriptor *d)
{
	return descriptor_is_segment(d) && descriptor_type(d) & SEGMENT_TYPE_CODE;
}

static inline bool descriptor_is_conforming(const struct descriptor *d)
{
	return descriptor_is_code(d) && descriptor_type(d) & SEGMENT_TYPE_CONFORMING;
}

static inline bool descriptor_is_writable_data(const struct descriptor *d)
{
	return descriptor_is_segment(d) &&
	       (descriptor_type(d) & (SEGMENT_TYPE_CODE | SEGMENT_TYPE_WRITABLE)) ==
		       SEGMENT_TYPE_WRITABLE;
}

static inline bool selector_is_null(uint16_t selector)
{
	return !(selector & ~SELECTOR_RPL);
}

uint32_t descriptor_limit(const struct descriptor *d);
uint64_t descriptor_base(const struct descriptor *d);

/* Gates: the fields that a descriptor has then. */
static inline uint16_t gate_selector(const struct descriptor *d)
{
	return (uint16_t)(d->low >> 16);
}
uint64_t gate_offset(const struct descriptor *d, bool wide);

/* Reads 8 bytes of GDT or LDT; behind its limit vector is raised.  A null selector is the caller's
 * to look for. */
bool descriptor_fetch(struct soft_vcpu *c, uint16_t selector, uint8_t vector, struct descriptor *d);
/* The second 8 bytes of a system descriptor in long mode. */
bool descriptor_fetch_high(struct soft_vcpu *c, uint8_t vector, struct descriptor *d);
/* Sets the accessed bit in memory, if it is clear. */
bool descriptor_access(struct soft_vcpu *c, struct descriptor *d);
/* Sets or clears the busy bit of a TSS's descriptor in memory. */
bool descriptor_set_busy(struct soft_vcpu *c, uint64_t linear, bool busy);

/* What a segment register holds of it. */
void segment_from_descriptor(struct cpu_segment *segment, const struct descriptor *d,
			     uint16_t selector);
/* A null selector, or one that a return to an outer level took away. */
void segment_set_null(struct cpu_segment *segment, uint16_t selector);
/* What real and virtual-8086 mode make of a selector. */
void segment_set_real(struct cpu_segment *segment, uint16_t selector);
/* All of them, on entry to virtual-8086 mode: in the order of enum cpu_segment_register. */
void segment_set_v8086(struct cpu_segment *segment, uint16_t selector);

/* --- Segment registers (segment.c) ------------------------------------------------------------ */

/* A load of ES, SS, DS, FS or GS, in every mode, with all its checks: at once. */
bool segment_load(struct soft_vcpu *c, unsigned which, uint16_t selector);
/*
 * Checks a selector for SS at privilege level cpl, and reads its descriptor: general is what is
 * raised for a wrong one (#GP, #TS).  null_allowed: a null selector is right, and *segment null.
 */
bool segment_check_stack(struct soft_vcpu *c, uint16_t selector, unsigned cpl, uint8_t general,
			 bool null_allowed, struct cpu_segment *segment);

/* The same for ES, DS, FS and GS, where null is always right. */
bool segment_check_data(struct soft_vcpu *c, uint16_t selector, unsigned cpl, uint8_t general,
			struct cpu_segment *segment);
/* On a return to level cpl: what that level may not have becomes null. */
void segment_drop_inner(struct soft_vcpu *c, unsigned cpl);

/* --- Stacks (stack.c) ------------------------------------------------------------------------- */

/* A stack that is being pushed to or popped from, and is not, or not yet, the current one. */
struct stack {
	struct cpu_segment segment;
	uint64_t sp, mask;
	bool flat; /* of 64-bit mode: no segment, canonical addresses */
	enum soft_privilege privilege;
	uint16_t error; /* the selector that an #SS names */
};

/* SS:RSP as they are. */
void stack_current(struct soft_vcpu *c, struct stack *stack);
/* Another one, with SS as checked, in legacy or compatibility mode. */
void stack_other(struct stack *stack, const struct cpu_segment *segment, uint64_t sp, unsigned cpl);
/* Another one of 64-bit mode. */
void stack_other64(struct stack *stack, uint64_t sp, unsigned cpl);
bool stack_push(struct soft_vcpu *c, struct stack *stack, uint64_t value, unsigned size);
bool stack_pop(struct soft_vcpu *c, struct stack *stack, uint64_t *value, unsigned size);
void stack_drop(struct stack *stack, uint64_t bytes);
/* Raises #SS unless size bytes can be pushed by the segment's limit. */
bool stack_room(struct soft_vcpu *c, const struct stack *stack, unsigned size);
/* RSP as that stack has it now: of a 16-bit stack SP alone changes. */
uint64_t stack_pointer(const struct stack *stack, uint64_t rsp);
/* The stack that the current TSS has for level cpl (or, in long mode, entry ist if that is not 0):
 * checked as for an inner level. */
bool stack_from_tss(struct soft_vcpu *c, unsigned cpl, unsigned ist, struct stack *stack);

/* --- Transfers (transfer.c, far.c, return.c)
 * -------------------------------------------------------- */

/* Whether rip may be the instruction pointer in a code segment: else #GP(0). */
bool transfer_check_rip(struct soft_vcpu *c, const struct descriptor *code, uint64_t rip);
/* The same of a segment register. */
bool transfer_check_limit(struct soft_vcpu *c, const struct cpu_segment *code, uint64_t rip);
/* Loads CS, RIP and CPL; everything has been checked. */
void transfer_commit(struct soft_vcpu *c, const struct descriptor *code, unsigned cpl,
		     uint64_t rip);

/* What a return popped, and from where: RFLAGS, whose old IOPL counts, are the caller's. */
struct transfer_return {
	uint64_t rip;
	uint16_t cs;
	unsigned size; /* of what is popped */
	struct stack stack;
	uint64_t release;  /* bytes of parameters to drop, from both stacks */
	bool always_stack; /* SS:RSP are popped at the same level, too: IRET in 64-bit mode */
};
bool transfer_return(struct soft_vcpu *c, struct transfer_return *to);

/* --- Tasks (task.c) --------------------------------------------------------------------------- */

enum task_source { TASK_JUMP, TASK_CALL, TASK_EVENT, TASK_RETURN };

/*
 * Switches to the task whose TSS tss describes (its privilege has been checked); next_rip is saved
 * in the old one.  false: a fault, in the old task or, with state committed, in the new one.
 */
bool task_switch(struct soft_vcpu *c, struct descriptor *tss, enum task_source source,
		 uint64_t next_rip, bool has_error, uint32_t error);
/* Through a task gate, whose own checks have been done. */
bool task_switch_gate(struct soft_vcpu *c, const struct descriptor *gate, enum task_source source,
		      uint64_t next_rip, bool has_error, uint32_t error);
/* IRET with NT set. */
bool task_return(struct soft_vcpu *c, uint64_t next_rip);

/* --- Operands of instructions (operand.c) ----------------------------------------------------- */

/* The memory operand's offset in its segment. */
uint64_t operand_offset(struct soft_vcpu *c, const struct decode_insn *insn);
/* Register or memory operand number i, of size bytes. */
bool operand_read(struct soft_vcpu *c, const struct decode_insn *insn, unsigned i, unsigned size,
		  uint64_t *value);
/* A register of size 4 is zero-extended, one of 2 merged. */
bool operand_write(struct soft_vcpu *c, const struct decode_insn *insn, unsigned i, unsigned size,
		   uint64_t value);
/* A far pointer in memory, its offset of the operand size. */
bool operand_far_pointer(struct soft_vcpu *c, const struct decode_insn *insn, uint64_t *offset,
			 uint16_t *selector);
/* General register number reg. */
void register_write(struct soft_vcpu *c, unsigned reg, unsigned size, uint64_t value);

/* --- Tables of the instructions, by file ------------------------------------------------------ */

soft_system_op *segment_find(const struct decode_insn *insn);   /* segment_insn.c */
soft_system_op *table_find(const struct decode_insn *insn);     /* table.c */
soft_system_op *interrupt_find(const struct decode_insn *insn); /* interrupt_insn.c */
soft_system_op *far_find(const struct decode_insn *insn);       /* far.c */
soft_system_op *return_find(const struct decode_insn *insn);    /* return.c */
soft_system_op *syscall_find(const struct decode_insn *insn);   /* syscall.c */
soft_system_op *control_find(const struct decode_insn *insn);   /* control.c */
soft_system_op *debug_find(const struct decode_insn *insn);     /* debug.c */
soft_system_op *exits_find(const struct decode_insn *insn);     /* exits.c */

#endif
