/* SPDX-License-Identifier: MIT */
/*
 * maps.c - which MSRs exit: all but those that the guest has as its own while it runs.  Of the
 * targets of SYSCALL and the like only writes do: the values of the host take their place without a
 * look at the guest's.  SDM3 section 25.6.9.
 */
#include "hw/msr.h"
#include "hypervisor/x86/vmx/vmx.h"

/* Offsets of the four maps, each of 8192 MSRs: from 0 on, or from 0xc0000000. */
#define READ_LOW 0u
#define READ_HIGH 1024u
#define WRITE_LOW 2048u
#define WRITE_HIGH 3072u
#define HIGH_FIRST 0xc0000000u

uint64_t vmx_msr_map_physical;
static uint8_t *map;

static const uint32_t own[] = {
	MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP,
	MSR_FS_BASE,     MSR_GS_BASE,      MSR_KERNEL_GS_BASE,
};
static const uint32_t read_only[] = {MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_SFMASK};

static void open(uint32_t msr, unsigned low, unsigned high)
{
	unsigned first = msr >= HIGH_FIRST ? high : low, bit = msr & 0x1fff;

	map[first + bit / 8] &= (uint8_t) ~(1u << bit % 8);
}

int vmx_maps_create(void)
{
	map = host_pages_alloc(0, &vmx_msr_map_physical);
	if (!map)
		return -ENOMEM;
	memset(map, 0xff, PAGE_SIZE);
	for (unsigned i = 0; i < ARRAY_COUNT(own); i++) {
		open(own[i], READ_LOW, READ_HIGH);
		open(own[i], WRITE_LOW, WRITE_HIGH);
	}
	for (unsigned i = 0; i < ARRAY_COUNT(read_only); i++)
		open(read_only[i], READ_LOW, READ_HIGH);
	return 0;
}

void vmx_maps_destroy(void)
{
	if (map)
		host_pages_free(map, 0);
	map = NULL;
}
