/* SPDX-License-Identifier: MIT */
/*
 * maps.c - which MSRs and ports exit: all ports, and all MSRs but those that the VMCB switches with
 * the guest.  APM2 sections 15.10 and 15.11.  With AVIC on, those registers of the APIC that it
 * works on don't, either (15.29.10).
 */
#include "hw/apic.h"
#include "hw/msr.h"
#include "hypervisor/x86/svm/svm.h"

#define IO_MAP_USED 0x3000u /* bytes; the last three bits beyond 64 Ki ports count, too */
#define MSR_BITS 2u         /* an MSR: */
#define MSR_READ 1u
#define MSR_WRITE 2u

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

static const uint32_t x2avic_writes[] = {
	MSR_X2APIC_FIRST + APIC_TPR / 16,
	MSR_X2APIC_FIRST + APIC_EOI / 16,
	MSR_X2APIC_FIRST + APIC_ICR / 16,
	MSR_X2APIC_FIRST + APIC_SELF_IPI / 16,
};

static void open(uint8_t *map, unsigned bit, unsigned bits)
{
	map[bit / 8] &= (uint8_t) ~(bits << bit % 8);
}

static void *make_msr_map(uint64_t *physical)
{
	uint8_t *map = host_pages_alloc(SVM_MSR_MAP_ORDER, physical);

	if (!map)
		return NULL;
	memset(map, 0xff, (size_t)PAGE_SIZE << SVM_MSR_MAP_ORDER);
	for (unsigned i = 0; i < ARRAY_COUNT(own); i++)
		open(map, bit_of(own[i]), MSR_READ | MSR_WRITE);
	return map;
}

static void *make_x2avic_msr_map(uint64_t *physical)
{
	void *map = make_msr_map(physical);

	for (unsigned i = 0; map && i < ARRAY_COUNT(x2avic_writes); i++)
		open(map, bit_of(x2avic_writes[i]), MSR_WRITE);
	return map;
}

int svm_maps_create(void)
{
	svm_maps.io = host_pages_alloc(SVM_IO_MAP_ORDER, &svm_maps.io_physical);
	svm_maps.msr = make_msr_map(&svm_maps.msr_physical);
	if (!svm_maps.io || !svm_maps.msr)
		return -ENOMEM;
	memset(svm_maps.io, 0xff, IO_MAP_USED);
	if (!svm_features.avic)
		return 0;
	svm_maps.x2avic_msr = make_x2avic_msr_map(&svm_maps.x2avic_msr_physical);
	return svm_maps.x2avic_msr ? 0 : -ENOMEM;
}

void svm_maps_destroy(void)
{
	if (svm_maps.io)
		host_pages_free(svm_maps.io, SVM_IO_MAP_ORDER);
	if (svm_maps.msr)
		host_pages_free(svm_maps.msr, SVM_MSR_MAP_ORDER);
	if (svm_maps.x2avic_msr)
		host_pages_free(svm_maps.x2avic_msr, SVM_MSR_MAP_ORDER);
	svm_maps = (struct svm_maps){0};
}
