/* SPDX-License-Identifier: MIT */
/*
 * task.c - hardware task switches, between 16 and 32-bit tasks.  APM2 chapter 12; SDM volume 3,
 * section 7.3, whose steps this follows.
 *
 * What can fault in the old task does so before anything has changed.  From the load of the new
 * task's registers on, faults are the new task's: state.rip is its own then.
 */
#include "hypervisor/x86/soft/system.h"

#define TASK_REGISTERS 8

/* A TSS of either form, as a task has its state. */
struct task {
	uint32_t cr3, rip, rflags;
	uint32_t gpr[TASK_REGISTERS];
	uint16_t segment[CPU_SEGMENTS];
	uint16_t ldt, back_link;
	bool trap, wide;
};

/* What of a TSS the CPU writes when it leaves the task: from the instruction pointer to GS or DS.
 */
struct image32 {
	uint32_t rip, rflags, gpr[TASK_REGISTERS], segment[CPU_SEGMENTS];
};
_Static_assert(sizeof(struct image32) == TSS32_LDT - TSS32_EIP, "the order of APM2 section 12.2.3");

#define TSS16_SEGMENTS 4
struct image16 {
	uint16_t rip, rflags, gpr[TASK_REGISTERS], segment[TSS16_SEGMENTS];
};
_Static_assert(sizeof(struct image16) == TSS16_LDT - TSS16_IP, "the order of APM2 section 12.2.4");

static bool is_wide(unsigned type)
{
	return type & 8;
}

static bool read_tss(struct soft_vcpu *c, const struct descriptor *tss, struct task *task)
{
	uint64_t base = descriptor_base(tss);
	uint8_t bytes[TSS32_SIZE];
	struct image32 image32;
	struct image16 image16;

	*task = (struct task){.wide = is_wide(descriptor_type(tss))};
	if (!soft_read_linear(c, SOFT_SYSTEM, base, bytes, task->wide ? TSS32_SIZE : TSS16_SIZE))
		return false;
	task->back_link = (uint16_t)(bytes[0] | bytes[1] << 8);
	if (!task->wide) {
		__builtin_memcpy(&image16, bytes + TSS16_IP, sizeof(image16));
		task->rip = image16.rip;
		task->rflags = image16.rflags;
		for (unsigned i = 0; i < TASK_REGISTERS; i++)
			task->gpr[i] = image16.gpr[i] | UINT32_C(0xffff0000);
		for (unsigned i = 0; i < TSS16_SEGMENTS; i++)
			task->segment[i] = image16.segment[i];
		__builtin_memcpy(&task->ldt, bytes + TSS16_LDT, sizeof(task->ldt));
		return true;
	}
	__builtin_memcpy(&image32, bytes + TSS32_EIP, sizeof(image32));
	__builtin_memcpy(&task->cr3, bytes + TSS32_CR3, sizeof(task->cr3));
	task->rip = image32.rip;
	task->rflags = image32.rflags;
	for (unsigned i = 0; i < TASK_REGISTERS; i++)
		task->gpr[i] = image32.gpr[i];
	for (unsigned i = 0; i < CPU_SEGMENTS; i++)
		task->segment[i] = (uint16_t)image32.segment[i];
	__builtin_memcpy(&task->ldt, bytes + TSS32_LDT, sizeof(task->ldt));
	task->trap = bytes[TSS32_TRAP] & 1;
	return true;
}

/* Where the old task's TSS is written to. */
static unsigned saved_offset(const struct cpu_segment *tr)
{
	return is_wide(tr->type) ? TSS32_EIP : TSS16_IP;
}

static unsigned saved_size(const struct cpu_segment *tr)
{
	return is_wide(tr->type) ? sizeof(struct image32) : sizeof(struct image16);
}

static bool save_task(struct soft_vcpu *c, uint64_t rip, uint64_t rflags)
{
	const struct cpu_state *state = &c->vcpu.state;
	const struct cpu_segment *tr = &state->tr;
	struct image32 image32;
	struct image16 image16;

	if (is_wide(tr->type)) {
		image32.rip = (uint32_t)rip;
		image32.rflags = (uint32_t)rflags;
		for (unsigned i = 0; i < TASK_REGISTERS; i++)
			image32.gpr[i] = (uint32_t)state->gpr[i];
		for (unsigned i = 0; i < CPU_SEGMENTS; i++)
			image32.segment[i] = state->segment[i].selector;
		return soft_write_linear(c, SOFT_SYSTEM, tr->base + TSS32_EIP, &image32,
					 sizeof(image32));
	}
	image16.rip = (uint16_t)rip;
	image16.rflags = (uint16_t)rflags;
	for (unsigned i = 0; i < TASK_REGISTERS; i++)
		image16.gpr[i] = (uint16_t)state->gpr[i];
	for (unsigned i = 0; i < TSS16_SEGMENTS; i++)
		image16.segment[i] = state->segment[i].selector;
	return soft_write_linear(c, SOFT_SYSTEM, tr->base + TSS16_IP, &image16, sizeof(image16));
}

/* The linear address of a TSS's descriptor: TR's own is known to be in the GDT. */
static uint64_t descriptor_linear(const struct soft_vcpu *c, uint16_t selector)
{
	return (uint32_t)(c->vcpu.state.gdtr.base + (selector & SELECTOR_INDEX));
}

/* Whether all that the switch writes can be written: what fails after this is the new task's. */
static bool probe(struct soft_vcpu *c, const struct descriptor *tss, enum task_source source)
{
	const struct cpu_segment *tr = &c->vcpu.state.tr;

	if (!soft_probe_linear(c, SOFT_SYSTEM, tr->base + saved_offset(tr), saved_size(tr), true) ||
	    !soft_probe_linear(c, SOFT_SYSTEM, tss->linear, 8, true) ||
	    !soft_probe_linear(c, SOFT_SYSTEM, descriptor_linear(c, tr->selector), 8, true))
		return false;
	if (source != TASK_CALL && source != TASK_EVENT)
		return true;
	return soft_probe_linear(c, SOFT_SYSTEM, descriptor_base(tss), sizeof(uint16_t), true);
}

/* The new task's LDT, in the GDT: APM2 section 12.2.5, with #TS for all that is wrong. */
static bool load_ldt(struct soft_vcpu *c, uint16_t selector)
{
	struct descriptor d;

	segment_set_null(&c->vcpu.state.ldtr, selector);
	if (selector_is_null(selector))
		return true;
	if (selector & SELECTOR_LDT)
		return system_fault(c, CPU_VECTOR_TS, selector);
	if (!descriptor_fetch(c, selector, CPU_VECTOR_TS, &d))
		return false;
	if (descriptor_is_segment(&d) || descriptor_type(&d) != SYSTEM_TYPE_LDT ||
	    !descriptor_present(&d))
		return system_fault(c, CPU_VECTOR_TS, selector);
	segment_from_descriptor(&c->vcpu.state.ldtr, &d, selector);
	return true;
}

static bool load_code(struct soft_vcpu *c, uint16_t selector)
{
	unsigned rpl = selector & SELECTOR_RPL;
	struct descriptor d;

	if (selector_is_null(selector))
		return system_fault(c, CPU_VECTOR_TS, 0);
	if (!descriptor_fetch(c, selector, CPU_VECTOR_TS, &d))
		return false;
	if (!descriptor_is_code(&d) ||
	    (descriptor_is_conforming(&d) ? descriptor_dpl(&d) > rpl : descriptor_dpl(&d) != rpl))
		return system_fault(c, CPU_VECTOR_TS, selector);
	if (!descriptor_present(&d))
		return system_fault(c, CPU_VECTOR_NP, selector);
	if (!descriptor_access(c, &d))
		return false;
	segment_from_descriptor(&c->vcpu.state.segment[CPU_CS], &d, selector);
	return true;
}

/* Selectors are in the registers already, as no segments: a fault's handler sees what is loaded. */
static bool load_segments(struct soft_vcpu *c, const struct task *task)
{
	static const uint8_t data[] = {CPU_DS, CPU_ES, CPU_FS, CPU_GS};
	struct cpu_state *state = &c->vcpu.state;

	if (!load_ldt(c, task->ldt))
		return false;
	if (state->rflags & RFLAGS_VM) {
		for (unsigned i = 0; i < CPU_SEGMENTS; i++)
			segment_set_v8086(&state->segment[i], task->segment[i]);
		return true;
	}
	if (!load_code(c, task->segment[CPU_CS]) ||
	    !segment_check_stack(c, task->segment[CPU_SS], state->cpl, CPU_VECTOR_TS, false,
				 &state->segment[CPU_SS]))
		return false;
	for (unsigned i = 0; i < sizeof(data); i++)
		if (!segment_check_data(c, task->segment[data[i]], state->cpl, CPU_VECTOR_TS,
					&state->segment[data[i]]))
			return false;
	return true;
}

/* All that can't fault.  The new task is the current one afterwards. */
static bool enter_task(struct soft_vcpu *c, const struct descriptor *tss, const struct task *task,
		       bool nested)
{
	struct cpu_state *state = &c->vcpu.state;
	bool paging = state->cr0 & CR0_PG && task->wide;

	/* PAE's page directory pointers come with CR3, and can be wrong. */
	if (paging && state->cr4 & CR4_PAE && !soft_load_pdptes(c, task->cr3))
		return system_fault(c, CPU_VECTOR_TS, tss->selector);
	segment_from_descriptor(&state->tr, tss, tss->selector);
	state->tr.type |= SYSTEM_TYPE_TSS_BUSY;
	state->cr0 |= CR0_TS;
	state->dr7 &= ~DR7_LOCAL;
	if (paging) {
		state->cr3 = task->cr3;
		soft_cr3_changed(c, false);
	}
	for (unsigned i = 0; i < TASK_REGISTERS; i++)
		state->gpr[i] = task->gpr[i];
	for (unsigned i = 0; i < CPU_SEGMENTS; i++)
		segment_set_null(&state->segment[i], task->segment[i]);
	soft_flags_put(c, (task->rflags & RFLAGS_LOADABLE) | RFLAGS_RESERVED_ONE |
				  (nested ? RFLAGS_NT : 0));
	state->rip = task->rip;
	state->cpl = state->rflags & RFLAGS_VM ? 3 : task->segment[CPU_CS] & SELECTOR_RPL;
	return true;
}

/* The error code of the exception that switched, on the new task's stack. */
static bool push_error(struct soft_vcpu *c, bool wide, uint32_t error)
{
	struct stack stack;

	stack_current(c, &stack);
	if (!stack_push(c, &stack, error, wide ? 4 : 2))
		return false;
	c->vcpu.state.gpr[CPU_RSP] = stack_pointer(&stack, c->vcpu.state.gpr[CPU_RSP]);
	return true;
}

/* Writes the old task, and the links between the two; all of it has been probed. */
static bool leave_task(struct soft_vcpu *c, const struct descriptor *tss, enum task_source source,
		       uint64_t next_rip)
{
	const struct cpu_state *state = &c->vcpu.state;
	bool nested = source == TASK_CALL || source == TASK_EVENT;
	uint64_t rflags = soft_flags_get(c);
	uint16_t link = state->tr.selector;

	if (source == TASK_RETURN)
		rflags &= ~RFLAGS_NT;
	if (!save_task(c, next_rip, rflags) ||
	    (nested &&
	     !soft_write_linear(c, SOFT_SYSTEM, descriptor_base(tss), &link, sizeof(link))) ||
	    (!nested && !descriptor_set_busy(c, descriptor_linear(c, link), false)))
		return false;
	return source == TASK_RETURN || descriptor_set_busy(c, tss->linear, true);
}

bool task_switch(struct soft_vcpu *c, struct descriptor *tss, enum task_source source,
		 uint64_t next_rip, bool has_error, uint32_t error)
{
	bool wide = is_wide(descriptor_type(tss));
	bool traced = c->vcpu.state.rflags & RFLAGS_TF;
	struct task task;

	if (descriptor_limit(tss) < (wide ? TSS32_SIZE : TSS16_SIZE) - 1)
		return system_fault(c, CPU_VECTOR_TS, tss->selector);
	if (!read_tss(c, tss, &task) || !probe(c, tss, source) ||
	    !leave_task(c, tss, source, next_rip) ||
	    !enter_task(c, tss, &task, source == TASK_CALL || source == TASK_EVENT))
		return false;
	soft_changed(c);
	if (!load_segments(c, &task))
		return false;
	soft_changed(c);
	if (!transfer_check_limit(c, &c->vcpu.state.segment[CPU_CS], task.rip) ||
	    (has_error && !push_error(c, wide, error)))
		return false;
	c->traced = traced;
	if (task.trap)
		c->debug_hits |= DR6_BT;
	return true;
}

/* The TSS that a task gate, or a back link, names: type is what it must be. */
static bool fetch_tss(struct soft_vcpu *c, uint16_t selector, bool busy, uint8_t vector,
		      struct descriptor *tss)
{
	unsigned type;

	if (selector_is_null(selector) || selector & SELECTOR_LDT)
		return system_fault(c, vector, selector);
	if (!descriptor_fetch(c, selector, vector, tss))
		return false;
	type = descriptor_type(tss);
	if (descriptor_is_segment(tss) ||
	    (type & ~8u) != (busy ? SYSTEM_TYPE_TSS16_BUSY : SYSTEM_TYPE_TSS16))
		return system_fault(c, vector, selector);
	return descriptor_present(tss) || system_fault(c, CPU_VECTOR_NP, selector);
}

bool task_switch_gate(struct soft_vcpu *c, const struct descriptor *gate, enum task_source source,
		      uint64_t next_rip, bool has_error, uint32_t error)
{
	struct descriptor tss;

	return fetch_tss(c, gate_selector(gate), false, CPU_VECTOR_GP, &tss) &&
	       task_switch(c, &tss, source, next_rip, has_error, error);
}

bool task_return(struct soft_vcpu *c, uint64_t next_rip)
{
	uint64_t base = c->vcpu.state.tr.base;
	struct descriptor tss;
	uint16_t link;

	return soft_read_linear(c, SOFT_SYSTEM, base + TSS32_BACK_LINK, &link, sizeof(link)) &&
	       fetch_tss(c, link, true, CPU_VECTOR_TS, &tss) &&
	       task_switch(c, &tss, TASK_RETURN, next_rip, false, 0);
}
