/* SPDX-License-Identifier: MIT */
/*
 * descriptor.c - segment and system descriptors: reading them from their tables, what their bits
 * say, the bits that the CPU writes back.  APM2 sections 4.6 to 4.8; SDM volume 3 chapter 3.
 */
#include "hypervisor/x86/soft/system.h"

#define ATTRIBUTES_BYTE 5 /* P, DPL, S and type of a descriptor */

uint32_t descriptor_limit(const struct descriptor *d)
{
	uint32_t limit = (uint32_t)(d->low & 0xffff) | (uint32_t)(d->low >> 32 & 0xf0000);

	return d->low & DESCRIPTOR_G ? limit << PAGE_SHIFT | PAGE_MASK : limit;
}

uint64_t descriptor_base(const struct descriptor *d)
{
	return (d->low >> 16 & 0xffffff) | (d->low >> 32 & 0xff000000) | d->high << 32;
}

uint64_t gate_offset(const struct descriptor *d, bool wide)
{
	uint64_t offset = d->low & 0xffff;

	if (wide)
		offset |= (d->low >> 32 & 0xffff0000) | d->high << 32;
	return offset;
}

bool descriptor_fetch(struct soft_vcpu *c, uint16_t selector, uint8_t vector, struct descriptor *d)
{
	const struct cpu_state *state = &c->vcpu.state;
	uint32_t offset = selector & SELECTOR_INDEX;
	uint64_t base = state->gdtr.base;
	uint32_t limit = state->gdtr.limit;

	if (selector & SELECTOR_LDT) {
		if (state->ldtr.unusable)
			return system_fault(c, vector, selector);
		base = state->ldtr.base;
		limit = state->ldtr.limit;
	}
	if (offset + 7 > limit)
		return system_fault(c, vector, selector);
	d->high = 0;
	d->selector = selector;
	d->linear = base + offset;
	if (!system_long_mode(c))
		d->linear = (uint32_t)d->linear;
	return soft_read_linear(c, SOFT_SYSTEM, d->linear, &d->low, sizeof(d->low));
}

bool descriptor_fetch_high(struct soft_vcpu *c, uint8_t vector, struct descriptor *d)
{
	const struct cpu_state *state = &c->vcpu.state;
	uint32_t limit = d->selector & SELECTOR_LDT ? state->ldtr.limit : state->gdtr.limit;

	if ((uint32_t)(d->selector & SELECTOR_INDEX) + 15 > limit)
		return system_fault(c, vector, d->selector);
	return soft_read_linear(c, SOFT_SYSTEM, d->linear + 8, &d->high, sizeof(d->high));
}

static bool change_attributes(struct soft_vcpu *c, uint64_t linear, uint8_t clear, uint8_t set)
{
	uint8_t attributes;

	linear += ATTRIBUTES_BYTE;
	if (!soft_read_linear(c, SOFT_SYSTEM, linear, &attributes, sizeof(attributes)))
		return false;
	attributes = (uint8_t)((attributes & ~clear) | set);
	return soft_write_linear(c, SOFT_SYSTEM, linear, &attributes, sizeof(attributes));
}

bool descriptor_access(struct soft_vcpu *c, struct descriptor *d)
{
	if (d->low & DESCRIPTOR_ACCESSED)
		return true;
	if (!change_attributes(c, d->linear, 0, SEGMENT_TYPE_ACCESSED))
		return false;
	d->low |= DESCRIPTOR_ACCESSED;
	return true;
}

bool descriptor_set_busy(struct soft_vcpu *c, uint64_t linear, bool busy)
{
	return change_attributes(c, linear, busy ? 0 : SYSTEM_TYPE_TSS_BUSY,
				 busy ? SYSTEM_TYPE_TSS_BUSY : 0);
}

void segment_from_descriptor(struct cpu_segment *segment, const struct descriptor *d,
			     uint16_t selector)
{
	*segment = (struct cpu_segment){
		.base = descriptor_base(d),
		.limit = descriptor_limit(d),
		.selector = selector,
		.type = (uint8_t)descriptor_type(d),
		.dpl = (uint8_t)descriptor_dpl(d),
		.s = descriptor_is_segment(d),
		.present = descriptor_present(d),
		.avl = d->low & DESCRIPTOR_AVL,
		.l = d->low & DESCRIPTOR_L,
		.db = d->low & DESCRIPTOR_DB,
		.g = d->low & DESCRIPTOR_G,
	};
}

void segment_set_null(struct cpu_segment *segment, uint16_t selector)
{
	*segment = (struct cpu_segment){
		.selector = selector,
		.dpl = selector & SELECTOR_RPL,
		.unusable = true,
	};
}

void segment_set_real(struct cpu_segment *segment, uint16_t selector)
{
	/* Only the base follows in real mode (APM2 section 4.5.3): limit and rights stay as
	 * protected mode left them, but of what was no segment. */
	if (segment->unusable)
		segment_set_v8086(segment, selector);
	segment->selector = selector;
	segment->base = (uint32_t)selector << 4;
}

void segment_set_v8086(struct cpu_segment *segment, uint16_t selector)
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
