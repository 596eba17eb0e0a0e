/* SPDX-License-Identifier: MIT */
/*
 * task.c - hardware task switches, between 16 and 32-bit tasks: the CPU has found the new task's
 * TSS and checked the right to it, and leaves the rest to us.  SDM3 sections 26.4.2 and 8.3 (whose
 * steps this follows).
 *
 * What can fault in the old task does so before anything has changed.  From the load of the new
 * task's registers on, faults are the new task's: state.rip is its own then.
 */
#include "hypervisor/x86/vmx/task.h"

#include "hypervisor/x86/walk.h"

#define TASK_REGISTERS 8
#define TSS16_SEGMENTS 4
#define ATTRIBUTES_BYTE 5 /* P, DPL, S and type of a descriptor */

/* A TSS of either form, as a task has its state. */
struct state {
	uint32_t cr3, rip, rflags;
	uint32_t gpr[TASK_REGISTERS];
	uint16_t segment[CPU_SEGMENTS];
	uint16_t ldt;
	bool trap;
};

/* --- Memory ----------------------------------------------------------------------------------- */

enum access { ACCESS_READ, ACCESS_WRITE, ACCESS_PROBE };

/* By the system's rights; false: a fault has been raised, or *t has failed. */
static bool access(struct task_switch *t, enum access how, uint64_t linear, void *data, size_t size)
{
	unsigned intent = WALK_SYSTEM | WALK_MARK | (how == ACCESS_READ ? 0 : WALK_WRITE);
	uint8_t *bytes = data;

	for (size_t at = 0; at < size;) {
		uint64_t from = (uint32_t)(linear + at), gpa;
		size_t part = MIN(size - at, PAGE_SIZE - (from & PAGE_MASK));
		uint32_t error;
		int err = 0;

		if (!walk(t->vcpu, from, intent, &gpa, &error)) {
			t->vcpu->exception_address = from;
			vcpu_raise(t->vcpu, CPU_VECTOR_PF, true, error);
			return false;
		}
		if (how == ACCESS_READ)
			err = memory_read(t->vcpu->vm, gpa, bytes + at, part);
		else if (how == ACCESS_WRITE)
			err = memory_write(t->vcpu->vm, gpa, bytes + at, part);
		if (err < 0) {
			t->failed = true;
			return false;
		}
		at += part;
	}
	return true;
}

bool task_read(struct task_switch *t, uint64_t linear, void *data, size_t size)
{
	return access(t, ACCESS_READ, linear, data, size);
}

static bool task_write(struct task_switch *t, uint64_t linear, void *data, size_t size)
{
	return access(t, ACCESS_WRITE, linear, data, size);
}

bool task_fault(struct task_switch *t, uint8_t vector, uint16_t selector)
{
	vcpu_raise(t->vcpu, vector, true,
		   (selector & ~SELECTOR_RPL) | (t->external ? ERROR_CODE_EXT : 0));
	return false;
}

bool task_set_attributes(struct task_switch *t, uint64_t descriptor, uint8_t clear, uint8_t set)
{
	uint8_t attributes;

	descriptor += ATTRIBUTES_BYTE;
	if (!task_read(t, descriptor, &attributes, sizeof(attributes)))
		return false;
	attributes = (uint8_t)((attributes & ~clear) | set);
	return task_write(t, descriptor, &attributes, sizeof(attributes));
}

/* --- The two TSSs ----------------------------------------------------------------------------- */

static bool is_wide(unsigned type)
{
	return type & 8;
}

static bool read_tss(struct task_switch *t, struct state *new)
{
	uint8_t b[TSS32_SIZE];
	bool wide = is_wide(t->tss.type);

	*new = (struct state){0};
	if (!task_read(t, t->tss.base, b, wide ? TSS32_SIZE : TSS16_SIZE))
		return false;
	if (!wide) {
		new->rip = load_le16(b + TSS16_IP);
		new->rflags = load_le16(b + TSS16_FLAGS);
		for (unsigned i = 0; i < TASK_REGISTERS; i++)
			new->gpr[i] = load_le16(b + TSS16_AX + 2 * i) | UINT32_C(0xffff0000);
		for (unsigned i = 0; i < TSS16_SEGMENTS; i++)
			new->segment[i] = load_le16(b + TSS16_ES + 2 * i);
		new->ldt = load_le16(b + TSS16_LDT);
		return true;
	}
	new->cr3 = load_le32(b + TSS32_CR3);
	new->rip = load_le32(b + TSS32_EIP);
	new->rflags = load_le32(b + TSS32_EFLAGS);
	for (unsigned i = 0; i < TASK_REGISTERS; i++)
		new->gpr[i] = load_le32(b + TSS32_EAX + 4 * i);
	for (unsigned i = 0; i < CPU_SEGMENTS; i++)
		new->segment[i] = load_le16(b + TSS32_ES + 4 * i);
	new->ldt = load_le16(b + TSS32_LDT);
	new->trap = b[TSS32_TRAP] & 1;
	return true;
}

/* The part of the old TSS that is written: from the instruction pointer to the last selector. */
static unsigned saved_first(const struct cpu_segment *tr)
{
	return is_wide(tr->type) ? TSS32_EIP : TSS16_IP;
}

static unsigned saved_size(const struct cpu_segment *tr)
{
	return is_wide(tr->type) ? TSS32_LDT - TSS32_EIP : TSS16_LDT - TSS16_IP;
}

static bool save_task(struct task_switch *t, uint64_t rflags)
{
	const struct cpu_state *s = &t->vcpu->state;
	uint8_t b[TSS32_LDT] = {0};

	if (is_wide(s->tr.type)) {
		store_le32(b + TSS32_EIP, (uint32_t)t->next_rip);
		store_le32(b + TSS32_EFLAGS, (uint32_t)rflags);
		for (unsigned i = 0; i < TASK_REGISTERS; i++)
			store_le32(b + TSS32_EAX + 4 * i, (uint32_t)s->gpr[i]);
		for (unsigned i = 0; i < CPU_SEGMENTS; i++)
			store_le32(b + TSS32_ES + 4 * i, s->segment[i].selector);
	} else {
		store_le16(b + TSS16_IP, (uint16_t)t->next_rip);
		store_le16(b + TSS16_FLAGS, (uint16_t)rflags);
		for (unsigned i = 0; i < TASK_REGISTERS; i++)
			store_le16(b + TSS16_AX + 2 * i, (uint16_t)s->gpr[i]);
		for (unsigned i = 0; i < TSS16_SEGMENTS; i++)
			store_le16(b + TSS16_ES + 2 * i, s->segment[i].selector);
	}
	return task_write(t, s->tr.base + saved_first(&s->tr), b + saved_first(&s->tr),
			  saved_size(&s->tr));
}

/* TR's own is known to be in the GDT. */
static uint64_t old_descriptor(const struct task_switch *t)
{
	const struct cpu_state *s = &t->vcpu->state;

	return s->gdtr.base + (s->tr.selector & SELECTOR_INDEX);
}

static bool is_nested(const struct task_switch *t)
{
	return t->source == TASK_CALL || t->source == TASK_GATE;
}

/* Whether all that the switch writes can be written: what fails after this is the new task's. */
static bool probe(struct task_switch *t)
{
	const struct cpu_segment *tr = &t->vcpu->state.tr;

	return access(t, ACCESS_PROBE, tr->base + saved_first(tr), NULL, saved_size(tr)) &&
	       access(t, ACCESS_PROBE, t->descriptor, NULL, 8) &&
	       access(t, ACCESS_PROBE, old_descriptor(t), NULL, 8) &&
	       (!is_nested(t) || access(t, ACCESS_PROBE, t->tss.base, NULL, sizeof(uint16_t)));
}

/* Writes the old task, and the links between the two. */
static bool leave_task(struct task_switch *t)
{
	const struct cpu_state *s = &t->vcpu->state;
	uint64_t rflags = t->source == TASK_RETURN ? s->rflags & ~RFLAGS_NT : s->rflags;
	uint16_t link = s->tr.selector;

	if (!save_task(t, rflags) ||
	    (is_nested(t) && !task_write(t, t->tss.base, &link, sizeof(link))) ||
	    (!is_nested(t) && !task_set_attributes(t, old_descriptor(t), SYSTEM_TYPE_TSS_BUSY, 0)))
		return false;
	return t->source == TASK_RETURN ||
	       task_set_attributes(t, t->descriptor, 0, SYSTEM_TYPE_TSS_BUSY);
}

/* All that can't fault but by PAE's page directory pointers, which come with CR3. */
static bool enter_task(struct task_switch *t, const struct state *new)
{
	struct cpu_state *s = &t->vcpu->state;
	struct vmx_vcpu *c = vmx_of(t->vcpu);
	uint64_t pdptes[4], cr3 = s->cr3;

	if ((s->cr0 & CR0_PG) && is_wide(t->tss.type)) {
		s->cr3 = new->cr3;
		c->load_pdptes = true;
		if (vmx_control_has_pdptes(s) && !vmx_control_read_pdptes(c, pdptes)) {
			s->cr3 = cr3;
			c->load_pdptes = false;
			return task_fault(t, CPU_VECTOR_TS, t->tss.selector);
		}
	}
	s->tr = t->tss;
	s->tr.type |= SYSTEM_TYPE_TSS_BUSY;
	s->cr0 |= CR0_TS;
	s->dr7 &= ~DR7_LOCAL;
	for (unsigned i = 0; i < TASK_REGISTERS; i++)
		s->gpr[i] = new->gpr[i];
	for (unsigned i = 0; i < CPU_SEGMENTS; i++)
		task_segment_null(&s->segment[i], new->segment[i]);
	s->rflags = (new->rflags &RFLAGS_LOADABLE) | RFLAGS_RESERVED_ONE |
		    (is_nested(t) ? RFLAGS_NT : 0);
	s->rip = new->rip;
	s->cpl = s->rflags & RFLAGS_VM ? 3 : new->segment[CPU_CS] & SELECTOR_RPL;
	s->sti_shadow = s->mov_ss_shadow = false;
	return true;
}

/* The error code of the exception that switched, on the new task's stack. */
static bool push_error(struct task_switch *t)
{
	struct cpu_state *s = &t->vcpu->state;
	const struct cpu_segment *ss = &s->segment[CPU_SS];
	uint64_t mask = ss->db ? UINT32_MAX : UINT16_MAX;
	unsigned size = is_wide(t->tss.type) ? 4 : 2;
	uint64_t rsp = (s->gpr[CPU_RSP] - size) & mask;
	bool down = ss->type & SEGMENT_TYPE_EXPAND_DOWN;
	uint32_t error = t->error;

	if (down ? rsp <= ss->limit || rsp + size - 1 > mask : rsp + size - 1 > ss->limit)
		return task_fault(t, CPU_VECTOR_SS, 0);
	if (!task_write(t, ss->base + rsp, &error, size))
		return false;
	s->gpr[CPU_RSP] = (s->gpr[CPU_RSP] & ~mask) | rsp;
	return true;
}

/* --- The switch ------------------------------------------------------------------------------- */

static bool switch_task(struct task_switch *t)
{
	struct cpu_state *s = &t->vcpu->state;
	bool traced = s->rflags & RFLAGS_TF;
	struct state new;

	if (!task_find(t))
		return false;
	if (t->tss.limit < (is_wide(t->tss.type) ? TSS32_SIZE : TSS16_SIZE) - 1u)
		return task_fault(t, CPU_VECTOR_TS, t->tss.selector);
	if (!read_tss(t, &new) || !probe(t) || !leave_task(t) || !enter_task(t, &new) ||
	    !task_load_segments(t, new.segment, new.ldt))
		return false;
	if (s->rip > s->segment[CPU_CS].limit)
		return task_fault(t, CPU_VECTOR_GP, 0);
	if (t->has_error && !push_error(t))
		return false;
	s->dr6 |= (new.trap ? DR6_BT : 0) | (traced ? DR6_BS : 0);
	if (new.trap || traced)
		vcpu_raise(t->vcpu, CPU_VECTOR_DB, false, 0);
	return true;
}

/* What caused it: an instruction, which it stands behind in the old task, or an event. */
static void describe(struct task_switch *t, struct vmx_vcpu *c)
{
	uint32_t type = VMX_INTERRUPTION_TYPE(c->vectoring);
	bool event = t->source == TASK_GATE && (c->vectoring & VMX_INTERRUPTION_VALID);

	t->next_rip = t->vcpu->state.rip;
	t->external = event && type <= VMX_INTERRUPTION_HARD_EXCEPTION;
	if (!t->external)
		t->next_rip += c->instruction_length;
	if (!event)
		return;
	t->has_error = c->vectoring & VMX_INTERRUPTION_ERROR_CODE;
	t->error = t->has_error ? c->vcpu.inject.error : 0;
	if (type == VMX_INTERRUPTION_NMI)
		c->vcpu.state.nmi_masked = true;
	c->vcpu.inject.kind = CPU_EVENT_NONE; /* the switch is its delivery */
}

bool vmx_task_switch(struct vmx_vcpu *c, struct exit *exit)
{
	struct task_switch t = {
		.vcpu = &c->vcpu,
		.source = VMX_TASK_SOURCE(c->qualification),
		.tss.selector = (uint16_t)c->qualification,
	};

	vmx_state_changes(c);
	c->vpid_generation = 0; /* other tables, maybe */
	describe(&t, c);
	if (switch_task(&t))
		return device_access_finished(&c->access, &c->vcpu);
	if (t.failed)
		vmx_fail(c, exit, "a task's state is not in memory");
	return true;
}
