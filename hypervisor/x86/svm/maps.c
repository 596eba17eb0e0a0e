/* SPDX-License-Identifier: MIT */
/*
 * maps.c - which MSRs and ports exit: all ports, and all MSRs but those that the VMCB switches with
 * the guest.  APM2 sections 15.10 and 15.11.
 */
#include "hw/msr.h"
#include "hypervisor/x86/svm/svm.h"

#define IO_MAP_USED 0x3000u /* bytes; the last three bits beyond 64 Ki ports count, too */
#define MSR_BITS 2u         /* read, write */

struct svm_maps svm_maps;

static const uint32_t own[] = {
	MSR_STAR,        MSR_LSTAR,        MSR_CSTAR,   MSR_SFMASK,  MSR_KERNEL_GS_BASE,
	MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_FS_BASE, MSR_GS_BASE, MSR_SYSENTER_EIP,
};

/* The bit of the MSR's read; that of its write follows. */
static unsigned bit_of(uint32_t msr)
{
	unsigned range = msr >= 0xc0010000 ? 2 : msr >= 0xc0000000 ? 1 : 0;

	return range * SVM_MSR_MAP_RANGE * 8 + (msr & 0x1fff) * MSR_BITS;
}

int svm_maps_create(void)
{
	uint8_t *msr;

	svm_maps.io = host_pages_alloc(SVM_IO_MAP_ORDER, &svm_maps.io_physical);
	svm_maps.msr = host_pages_alloc(SVM_MSR_MAP_ORDER, &svm_maps.msr_physical);
	if (!svm_maps.io || !svm_maps.msr)
		return -ENOMEM;
	memset(svm_maps.io, 0xff, IO_MAP_USED);
	memset(svm_maps.msr, 0xff, (size_t)PAGE_SIZE << SVM_MSR_MAP_ORDER);
	msr = svm_maps.msr;
	for (unsigned i = 0; i < ARRAY_COUNT(own); i++) {
		unsigned bit = bit_of(own[i]);

		msr[bit / 8] &= (uint8_t) ~(3u << bit % 8);
	}
	return 0;
}

void svm_maps_destroy(void)
{
	if (svm_maps.io)
		host_pages_free(svm_maps.io, SVM_IO_MAP_ORDER);
	if (svm_maps.msr)
		host_pages_free(svm_maps.msr, SVM_MSR_MAP_ORDER);
	svm_maps = (struct svm_maps){0};
}
