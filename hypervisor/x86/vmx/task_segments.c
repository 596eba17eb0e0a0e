/* SPDX-License-Identifier: MIT */
/*
 * task_segments.c - the segments of a task that is switched to.  SDM3 table 8-1: what is wrong with
 * them is told as #TS, #NP or #SS, in the new task.
 */
#include "hypervisor/x86/vmx/task.h"

static bool is_null(uint16_t selector)
{
	return !(selector & ~SELECTOR_RPL);
}

void task_segment_null(struct cpu_segment *segment, uint16_t selector)
{
	*segment = (struct cpu_segment){
		.selector = selector, .dpl = selector & SELECTOR_RPL, .unusable = true};
}

static void set_v8086(struct cpu_segment *segment, uint16_t selector)
{
	*segment = (struct cpu_segment){
		.base = (uint32_t)selector << 4,
		.limit = 0xffff,
		.selector = selector,
		.type = SEGMENT_TYPE_DATA_WRITABLE,
		.dpl = 3,
		.s = true,
		.present = true,
	};
}

static void unpack(struct cpu_segment *segment, uint64_t d, uint16_t selector)
{
	uint32_t limit = (uint32_t)(d & 0xffff) | (uint32_t)(d >> 32 & 0xf0000);

	*segment = (struct cpu_segment){
		.base = (d >> 16 & 0xffffff) | (d >> 32 & 0xff000000),
		.limit = d & DESCRIPTOR_G ? limit << PAGE_SHIFT | PAGE_MASK : limit,
		.selector = selector,
		.type = d >> DESCRIPTOR_TYPE_SHIFT & 0xf,
		.dpl = d >> DESCRIPTOR_DPL_SHIFT & 3,
		.s = d & DESCRIPTOR_S,
		.present = d & DESCRIPTOR_P,
		.avl = d & DESCRIPTOR_AVL,
		.l = d & DESCRIPTOR_L,
		.db = d & DESCRIPTOR_DB,
		.g = d & DESCRIPTOR_G,
	};
}

/* What the selector names, and where that stands. */
static bool fetch(struct task_switch *t, uint16_t selector, uint8_t vector,
		  struct cpu_segment *segment, uint64_t *at)
{
	const struct cpu_state *s = &t->vcpu->state;
	bool local = selector & SELECTOR_LDT;
	uint64_t base = local ? s->ldtr.base : s->gdtr.base, d = 0;
	uint32_t limit = local ? s->ldtr.limit : s->gdtr.limit, offset = selector & SELECTOR_INDEX;

	if ((local && s->ldtr.unusable) || offset + 7 > limit)
		return task_fault(t, vector, selector);
	*at = (uint32_t)(base + offset);
	if (!task_read(t, *at, &d, sizeof(d)))
		return false;
	unpack(segment, d, selector);
	return true;
}

bool task_find(struct task_switch *t)
{
	uint16_t selector = t->tss.selector;
	unsigned free = t->source == TASK_RETURN ? SYSTEM_TYPE_TSS16_BUSY : SYSTEM_TYPE_TSS16;
	uint8_t vector = t->source == TASK_RETURN ? CPU_VECTOR_TS : CPU_VECTOR_GP;

	if (is_null(selector) || (selector & SELECTOR_LDT))
		return task_fault(t, vector, selector);
	if (!fetch(t, selector, vector, &t->tss, &t->descriptor))
		return false;
	if (t->tss.s || (t->tss.type & ~8u) != free)
		return task_fault(t, vector, selector);
	return t->tss.present || task_fault(t, CPU_VECTOR_NP, selector);
}

static bool load_ldt(struct task_switch *t, uint16_t selector)
{
	struct cpu_segment *ldtr = &t->vcpu->state.ldtr, segment = {0};
	uint64_t at = 0;

	task_segment_null(ldtr, selector);
	if (is_null(selector))
		return true;
	if (selector & SELECTOR_LDT)
		return task_fault(t, CPU_VECTOR_TS, selector);
	if (!fetch(t, selector, CPU_VECTOR_TS, &segment, &at))
		return false;
	if (segment.s || segment.type != SYSTEM_TYPE_LDT || !segment.present)
		return task_fault(t, CPU_VECTOR_TS, selector);
	*ldtr = segment;
	return true;
}

static bool is_code(const struct cpu_segment *s)
{
	return s->s && (s->type & SEGMENT_TYPE_CODE);
}

static bool is_conforming(const struct cpu_segment *s)
{
	return is_code(s) && (s->type & SEGMENT_TYPE_CONFORMING);
}

/* Its rights have been checked. */
static bool take(struct task_switch *t, unsigned which, struct cpu_segment *segment, uint64_t at)
{
	if (!(segment->type & SEGMENT_TYPE_ACCESSED) &&
	    !task_set_attributes(t, at, 0, SEGMENT_TYPE_ACCESSED))
		return false;
	segment->type |= SEGMENT_TYPE_ACCESSED;
	t->vcpu->state.segment[which] = *segment;
	return true;
}

static bool load_code(struct task_switch *t, uint16_t selector)
{
	unsigned rpl = selector & SELECTOR_RPL;
	struct cpu_segment segment = {0};
	uint64_t at = 0;

	if (is_null(selector))
		return task_fault(t, CPU_VECTOR_TS, 0);
	if (!fetch(t, selector, CPU_VECTOR_TS, &segment, &at))
		return false;
	if (!is_code(&segment) ||
	    (is_conforming(&segment) ? segment.dpl > rpl : segment.dpl != rpl))
		return task_fault(t, CPU_VECTOR_TS, selector);
	if (!segment.present)
		return task_fault(t, CPU_VECTOR_NP, selector);
	return take(t, CPU_CS, &segment, at);
}

static bool load_stack(struct task_switch *t, uint16_t selector)
{
	const struct cpu_state *s = &t->vcpu->state;
	struct cpu_segment segment = {0};
	uint64_t at = 0;

	if (is_null(selector))
		return task_fault(t, CPU_VECTOR_TS, 0);
	if (!fetch(t, selector, CPU_VECTOR_TS, &segment, &at))
		return false;
	if ((selector & SELECTOR_RPL) != s->cpl || segment.dpl != s->cpl || !segment.s ||
	    is_code(&segment) || !(segment.type & SEGMENT_TYPE_WRITABLE))
		return task_fault(t, CPU_VECTOR_TS, selector);
	if (!segment.present)
		return task_fault(t, CPU_VECTOR_SS, selector);
	return take(t, CPU_SS, &segment, at);
}

static bool load_data(struct task_switch *t, unsigned which, uint16_t selector)
{
	unsigned level = MAX(t->vcpu->state.cpl, selector & SELECTOR_RPL);
	struct cpu_segment segment = {0};
	uint64_t at = 0;

	if (is_null(selector))
		return true;
	if (!fetch(t, selector, CPU_VECTOR_TS, &segment, &at))
		return false;
	if (!segment.s || (is_code(&segment) && !(segment.type & SEGMENT_TYPE_READABLE)) ||
	    (!is_conforming(&segment) && segment.dpl < level))
		return task_fault(t, CPU_VECTOR_TS, selector);
	if (!segment.present)
		return task_fault(t, CPU_VECTOR_NP, selector);
	return take(t, which, &segment, at);
}

bool task_load_segments(struct task_switch *t, const uint16_t selectors[CPU_SEGMENTS], uint16_t ldt)
{
	static const uint8_t data[] = {CPU_DS, CPU_ES, CPU_FS, CPU_GS};
	struct cpu_state *s = &t->vcpu->state;

	if (!load_ldt(t, ldt))
		return false;
	if (s->rflags & RFLAGS_VM) {
		for (unsigned i = 0; i < CPU_SEGMENTS; i++)
			set_v8086(&s->segment[i], selectors[i]);
		return true;
	}
	if (!load_code(t, selectors[CPU_CS]) || !load_stack(t, selectors[CPU_SS]))
		return false;
	for (unsigned i = 0; i < ARRAY_COUNT(data); i++)
		if (!load_data(t, data[i], selectors[data[i]]))
			return false;
	return true;
}
