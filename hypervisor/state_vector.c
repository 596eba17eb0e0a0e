/* SPDX-License-Identifier: MIT */
/*
 * state_vector.c - x87, SSE and AVX registers, XCR0 and PKRU: the XSAVE area in its standard form.
 */
#include <linux/errno.h>

#include "hypervisor/cpuid.h"
#include "hypervisor/cpuid_table.h"
#include "hypervisor/state.h"
#include "hypervisor/vm.h"
#include "lib/bits.h"
#include "lib/bytes.h"

#define MXCSR_KNOWN 0xffffu

/* The legacy region's fields (Intel SDM volume 1, section 10.5.1). */
#define FSW_AT 2
#define FTW_AT 4
#define FOP_AT 6
#define FIP_AT 8
#define FDP_AT 16

_Static_assert(CPU_XSAVE_SIZE == sizeof(struct kvm_xsave), "the ABI's");

void state_get_fpu(struct vcpu *vcpu, struct kvm_fpu *fpu)
{
	const uint8_t *area = vcpu->state.xsave;

	memset(fpu, 0, sizeof(*fpu));
	memcpy(fpu->fpr, area + CPU_XSAVE_ST, sizeof(fpu->fpr));
	memcpy(fpu->xmm, area + CPU_XSAVE_XMM, sizeof(fpu->xmm));
	fpu->fcw = load_le16(area + CPU_XSAVE_FCW);
	fpu->fsw = load_le16(area + FSW_AT);
	fpu->ftwx = area[FTW_AT];
	fpu->last_opcode = load_le16(area + FOP_AT);
	fpu->last_ip = load_le64(area + FIP_AT);
	fpu->last_dp = load_le64(area + FDP_AT);
	fpu->mxcsr = load_le32(area + CPU_XSAVE_MXCSR);
}

int state_set_fpu(struct vcpu *vcpu, const struct kvm_fpu *fpu)
{
	uint8_t *area = vcpu->state.xsave;

	if (fpu->mxcsr & ~MXCSR_KNOWN)
		return -EINVAL;
	memcpy(area + CPU_XSAVE_ST, fpu->fpr, sizeof(fpu->fpr));
	memcpy(area + CPU_XSAVE_XMM, fpu->xmm, sizeof(fpu->xmm));
	store_le16(area + CPU_XSAVE_FCW, fpu->fcw);
	store_le16(area + FSW_AT, fpu->fsw);
	area[FTW_AT] = fpu->ftwx;
	store_le16(area + FOP_AT, fpu->last_opcode);
	store_le64(area + FIP_AT, fpu->last_ip);
	store_le64(area + FDP_AT, fpu->last_dp);
	store_le32(area + CPU_XSAVE_MXCSR, fpu->mxcsr);
	store_le64(area + CPU_XSAVE_HEADER,
		   load_le64(area + CPU_XSAVE_HEADER) | XCR0_X87 | XCR0_SSE);
	vcpu->vm->backend->state_changed(vcpu);
	return 0;
}

void state_get_xsave(struct vcpu *vcpu, struct kvm_xsave *xsave)
{
	uint8_t *area = (uint8_t *)xsave->region;
	uint64_t components = vcpu->limits.xcr0 | XCR0_X87 | XCR0_SSE;

	memcpy(area, vcpu->state.xsave, CPU_XSAVE_SIZE);
	memset(area + CPU_XSAVE_HEADER, 0, XSAVE_HEADER_SIZE);
	/* The registers are all there, in use or not. */
	store_le64(area + CPU_XSAVE_HEADER, components);
	if (components & XCR0_PKRU)
		store_le64(area + CPU_XSAVE_PKRU, vcpu->state.pkru);
}

/* A component that is not in use is in its initial state (section 13.8 of the SDM's volume 1). */
static void clear_unused(uint8_t *area, uint64_t used)
{
	if (!(used & XCR0_X87)) {
		memset(area, 0, CPU_XSAVE_MXCSR);
		store_le16(area + CPU_XSAVE_FCW, XSAVE_INITIAL_FCW);
		memset(area + CPU_XSAVE_ST, 0, CPU_XSAVE_XMM - CPU_XSAVE_ST);
	}
	if (!(used & XCR0_SSE))
		memset(area + CPU_XSAVE_XMM, 0, XSAVE_XMM_SIZE);
	if (!(used & XCR0_AVX))
		memset(area + CPU_XSAVE_YMM, 0, XSAVE_YMM_SIZE);
}

int state_set_xsave(struct vcpu *vcpu, const struct kvm_xsave *xsave)
{
	const uint8_t *from = (const uint8_t *)xsave->region;
	uint64_t used = load_le64(from + CPU_XSAVE_HEADER);
	uint64_t known = cpuid_supported_xcr0(vcpu->vm->backend);
	uint8_t *area = vcpu->state.xsave;

	if (used & ~known || load_le64(from + CPU_XSAVE_HEADER + 8) ||
	    load_le32(from + CPU_XSAVE_MXCSR) & ~MXCSR_KNOWN)
		return -EINVAL;
	memcpy(area, from, CPU_XSAVE_SIZE);
	clear_unused(area, used);
	memset(area + CPU_XSAVE_HEADER, 0, XSAVE_HEADER_SIZE);
	store_le64(area + CPU_XSAVE_HEADER, used & ~XCR0_PKRU);
	vcpu->state.pkru = used & XCR0_PKRU ? load_le32(from + CPU_XSAVE_PKRU) : 0;
	vcpu->vm->backend->state_changed(vcpu);
	return 0;
}

void state_get_xcrs(struct vcpu *vcpu, struct kvm_xcrs *xcrs)
{
	memset(xcrs, 0, sizeof(*xcrs));
	xcrs->nr_xcrs = 1;
	xcrs->xcrs[0].value = vcpu->state.xcr0;
}

int state_set_xcrs(struct vcpu *vcpu, const struct kvm_xcrs *xcrs)
{
	uint64_t known = cpuid_supported_xcr0(vcpu->vm->backend);

	if (xcrs->nr_xcrs > KVM_MAX_XCRS || xcrs->flags)
		return -EINVAL;
	for (uint32_t i = 0; i < xcrs->nr_xcrs; i++) {
		uint64_t value = xcrs->xcrs[i].value;

		if (xcrs->xcrs[i].xcr)
			continue;
		if (value & ~known || !(value & XCR0_X87) ||
		    ((value & XCR0_AVX) && !(value & XCR0_SSE)))
			return -EINVAL;
		vcpu->state.xcr0 = value;
		vcpu->vm->backend->state_changed(vcpu);
		break;
	}
	return 0;
}
