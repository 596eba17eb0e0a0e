/* SPDX-License-Identifier: MIT */
/*
 * access.h - VMX's instructions.  Those of the VMCS are about the current one of the CPU that
 * executes them.  SDM3 chapters 25 and 31.
 */
#ifndef DYAD_HYPERVISOR_X86_VMX_ACCESS_H
#define DYAD_HYPERVISOR_X86_VMX_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

/* A field that the CPU doesn't have reads as 0. */
static inline uint64_t vmread(uint32_t field)
{
	uint64_t value = 0;

	__asm__ volatile("vmread %1, %0" : "+r"(value) : "r"((uint64_t)field) : "cc");
	return value;
}

static inline uint32_t vmread32(uint32_t field)
{
	return (uint32_t)vmread(field);
}

static inline void vmwrite(uint32_t field, uint64_t value)
{
	__asm__ volatile("vmwrite %1, %0" : : "r"((uint64_t)field), "r"(value) : "cc", "memory");
}

/* The others return whether they were done. */
#define VMX_DEFINE(name, instruction)                                                              \
	static inline bool name(uint64_t physical)                                                 \
	{                                                                                          \
		bool done;                                                                         \
                                                                                                   \
		__asm__ volatile(instruction " %1" : "=@cca"(done) : "m"(physical) : "memory");    \
		return done;                                                                       \
	}
VMX_DEFINE(vmxon, "vmxon")
VMX_DEFINE(vmptrld, "vmptrld")
VMX_DEFINE(vmclear, "vmclear")

static inline void vmxoff(void)
{
	__asm__ volatile("vmxoff" : : : "cc", "memory");
}

struct invalidate {
	uint64_t context, address;
};

static inline void invept(uint64_t type, uint64_t ept_pointer)
{
	struct invalidate what = {.context = ept_pointer};

	__asm__ volatile("invept %1, %0" : : "r"(type), "m"(what) : "cc", "memory");
}

static inline void invvpid(uint64_t type, uint64_t vpid)
{
	struct invalidate what = {.context = vpid};

	__asm__ volatile("invvpid %1, %0" : : "r"(type), "m"(what) : "cc", "memory");
}

#endif
