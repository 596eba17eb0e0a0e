/* SPDX-License-Identifier: MIT */
/*
 * segment.c - what loads of data and stack segment registers check, in every mode.  APM2 sections
 * 4.5 and 4.10 to 4.12; SDM volume 2, MOV.
 */
#include "hypervisor/x86/soft/system.h"

bool segment_check_stack(struct soft_vcpu *c, uint16_t selector, unsigned cpl, uint8_t general,
			 bool null_allowed, struct cpu_segment *segment)
{
	struct descriptor d;

	if (selector_is_null(selector)) {
		if (!null_allowed || (selector & SELECTOR_RPL) != cpl)
			return system_fault(c, general, 0);
		segment_set_null(segment, selector);
		return true;
	}
	if (!descriptor_fetch(c, selector, general, &d))
		return false;
	if ((selector & SELECTOR_RPL) != cpl || !descriptor_is_writable_data(&d) ||
	    descriptor_dpl(&d) != cpl)
		return system_fault(c, general, selector);
	if (!descriptor_present(&d))
		return system_fault(c, CPU_VECTOR_SS, selector);
	if (!descriptor_access(c, &d))
		return false;
	segment_from_descriptor(segment, &d, selector);
	return true;
}

bool segment_check_data(struct soft_vcpu *c, uint16_t selector, unsigned cpl, uint8_t general,
			struct cpu_segment *segment)
{
	unsigned rpl = selector & SELECTOR_RPL;
	struct descriptor d;
	unsigned type;

	if (selector_is_null(selector)) {
		segment_set_null(segment, selector);
		return true;
	}
	if (!descriptor_fetch(c, selector, general, &d))
		return false;
	type = descriptor_type(&d);
	if (!descriptor_is_segment(&d) ||
	    (type & (SEGMENT_TYPE_CODE | SEGMENT_TYPE_READABLE)) == SEGMENT_TYPE_CODE)
		return system_fault(c, general, selector);
	if (!descriptor_is_conforming(&d) && (rpl > descriptor_dpl(&d) || cpl > descriptor_dpl(&d)))
		return system_fault(c, general, selector);
	if (!descriptor_present(&d))
		return system_fault(c, CPU_VECTOR_NP, selector);
	if (!descriptor_access(c, &d))
		return false;
	segment_from_descriptor(segment, &d, selector);
	return true;
}

bool segment_load(struct soft_vcpu *c, unsigned which, uint16_t selector)
{
	struct cpu_state *state = &c->vcpu.state;
	struct cpu_segment segment;

	if (system_v8086(c)) {
		segment_set_v8086(&state->segment[which], selector);
		return true;
	}
	if (!(state->cr0 & CR0_PE)) {
		segment_set_real(&state->segment[which], selector);
		return true;
	}
	if (which == CPU_SS) {
		if (!segment_check_stack(c, selector, state->cpl, CPU_VECTOR_GP,
					 c->long64 && state->cpl != 3, &segment))
			return false;
	} else if (!segment_check_data(c, selector, state->cpl, CPU_VECTOR_GP, &segment)) {
		return false;
	}
	state->segment[which] = segment;
	return true;
}

void segment_drop_inner(struct soft_vcpu *c, unsigned cpl)
{
	static const uint8_t data[] = {CPU_ES, CPU_DS, CPU_FS, CPU_GS};

	for (unsigned i = 0; i < sizeof(data); i++) {
		struct cpu_segment *segment = &c->vcpu.state.segment[data[i]];
		unsigned code = SEGMENT_TYPE_CODE | SEGMENT_TYPE_CONFORMING;

		if (!segment->unusable && segment->dpl < cpl && (segment->type & code) != code) {
			uint64_t base = segment->base;

			/* Unlike a load of a null selector it leaves the base, which is FS's and
			 * GS's in 64-bit mode all the same. */
			segment_set_null(segment, 0);
			segment->base = base;
		}
	}
}
