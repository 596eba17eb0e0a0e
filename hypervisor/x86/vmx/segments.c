/* SPDX-License-Identifier: MIT */
/*
 * segments.c - segment registers from and to the VMCS.
 *
 * Where the rules of an entry want more than instructions would see (SDM3 section 27.3.1.2) they
 * get it: what differs doesn't show in the guest.
 */
#include "hypervisor/x86/vmx/vmx.h"

#define LIMIT_BYTES_MAX 0xfffffu /* that a segment without granularity can have */
#define LIMIT_LOW 0xfffu

static const struct cpu_segment *segment_of(const struct cpu_state *s, enum vmx_segment_register n)
{
	_Static_assert((int)VMX_ES == CPU_ES && (int)VMX_CS == CPU_CS && (int)VMX_SS == CPU_SS &&
			       (int)VMX_DS == CPU_DS && (int)VMX_FS == CPU_FS &&
			       (int)VMX_GS == CPU_GS,
		       "the order");
	return n == VMX_TR ? &s->tr : n == VMX_LDTR ? &s->ldtr : &s->segment[n];
}

static uint32_t rights_of(const struct cpu_segment *from)
{
	return from->type | (from->s ? VMX_AR_S : 0) | (uint32_t)from->dpl << VMX_AR_DPL_SHIFT |
	       (from->present ? VMX_AR_P : 0) | (from->avl ? VMX_AR_AVL : 0) |
	       (from->l ? VMX_AR_L : 0) | (from->db ? VMX_AR_DB : 0) | (from->g ? VMX_AR_G : 0);
}

/* The granularity bit and the limit tell the same. */
static void fit_limit(struct vmx_segment *to)
{
	if (to->limit > LIMIT_BYTES_MAX) {
		to->access_rights |= VMX_AR_G;
		to->limit |= LIMIT_LOW;
	} else if ((to->limit & LIMIT_LOW) != LIMIT_LOW) {
		to->access_rights &= ~VMX_AR_G;
	}
}

static void fit_task(struct vmx_segment *to, const struct cpu_state *s)
{
	bool tss16 = (to->access_rights & VMX_AR_TYPE) <= SYSTEM_TYPE_TSS16_BUSY;

	/* It is never unusable, and always busy. */
	to->access_rights &= ~(VMX_AR_TYPE | VMX_AR_S | VMX_AR_UNUSABLE);
	to->access_rights |= VMX_AR_P;
	to->access_rights |=
		tss16 && !(s->efer & EFER_LMA) ? SYSTEM_TYPE_TSS16_BUSY : SYSTEM_TYPE_TSS32_BUSY;
}

static void fit_v8086(struct vmx_segment *to)
{
	to->base = (uint64_t)to->selector << 4;
	to->limit = UINT16_MAX;
	to->access_rights = VMX_AR_V8086;
}

/* The privilege level is SS's DPL here, whatever SS is. */
static void fit_level(struct vmx_segment *to, const struct cpu_state *s)
{
	to->access_rights &= ~(3u << VMX_AR_DPL_SHIFT);
	to->access_rights |= (uint32_t)s->cpl << VMX_AR_DPL_SHIFT;
}

struct vmx_segment vmx_segment_pack(const struct cpu_state *s, enum vmx_segment_register n)
{
	const struct cpu_segment *from = segment_of(s, n);
	struct vmx_segment to = {
		.selector = from->selector,
		.limit = from->limit,
		.base = from->base,
		.access_rights = rights_of(from),
	};

	if (n == VMX_TR) {
		fit_task(&to, s);
		fit_limit(&to);
		return to;
	}
	if ((s->rflags & RFLAGS_VM) && n != VMX_LDTR) {
		fit_v8086(&to);
		return to;
	}
	if (from->unusable || !from->present)
		to.access_rights |= VMX_AR_UNUSABLE;
	else if (n != VMX_LDTR)
		to.access_rights |= SEGMENT_TYPE_ACCESSED;
	if (n == VMX_SS)
		fit_level(&to, s);
	fit_limit(&to);
	return to;
}

void vmx_segment_unpack(struct cpu_segment *to, const struct vmx_segment *from)
{
	uint32_t ar = from->access_rights;

	*to = (struct cpu_segment){
		.base = from->base,
		.limit = from->limit,
		.selector = from->selector,
		.unusable = (ar & VMX_AR_UNUSABLE) || !(ar & VMX_AR_P),
	};
	if (to->unusable)
		return; /* the rest is undefined */
	to->type = ar & VMX_AR_TYPE;
	to->s = ar & VMX_AR_S;
	to->dpl = VMX_AR_DPL(ar);
	to->present = true;
	to->avl = ar & VMX_AR_AVL;
	to->l = ar & VMX_AR_L;
	to->db = ar & VMX_AR_DB;
	to->g = ar & VMX_AR_G;
}

void vmx_segments_write(const struct cpu_state *s)
{
	for (unsigned n = 0; n < VMX_SEGMENTS; n++) {
		struct vmx_segment to = vmx_segment_pack(s, n);

		vmwrite(VMCS_GUEST_SELECTOR(n), to.selector);
		vmwrite(VMCS_GUEST_ACCESS_RIGHTS(n), to.access_rights);
		vmwrite(VMCS_GUEST_LIMIT(n), to.limit);
		vmwrite(VMCS_GUEST_BASE(n), to.base);
	}
}

static void read_segment(struct cpu_segment *to, unsigned n)
{
	struct vmx_segment from = {
		.selector = (uint16_t)vmread(VMCS_GUEST_SELECTOR(n)),
		.access_rights = vmread32(VMCS_GUEST_ACCESS_RIGHTS(n)),
		.limit = vmread32(VMCS_GUEST_LIMIT(n)),
		.base = vmread(VMCS_GUEST_BASE(n)),
	};

	vmx_segment_unpack(to, &from);
}

void vmx_segments_read(struct cpu_state *s)
{
	for (unsigned n = VMX_ES; n <= VMX_GS; n++)
		read_segment(&s->segment[n], n);
	read_segment(&s->ldtr, VMX_LDTR);
	read_segment(&s->tr, VMX_TR);
}
