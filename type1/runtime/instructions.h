/* SPDX-License-Identifier: MIT */
/*
 * instructions.h - instructions of ring 0 that the compiler has no words for, besides those that
 * the core's hypervisor/x86/privileged.h has.
 */
#ifndef DYAD_TYPE1_INSTRUCTIONS_H
#define DYAD_TYPE1_INSTRUCTIONS_H

#include <stdint.h>

#include "hypervisor/x86/privileged.h"

#define PORT_ACCESS(bits, suffix)                                                                  \
	static inline uint##bits##_t in##bits(uint16_t port)                                       \
	{                                                                                          \
		uint##bits##_t value;                                                              \
                                                                                                   \
		__asm__ volatile("in" suffix " %w1, %0" : "=a"(value) : "Nd"(port) : "memory");    \
		return value;                                                                      \
	}                                                                                          \
	static inline void out##bits(uint16_t port, uint##bits##_t value)                          \
	{                                                                                          \
		__asm__ volatile("out" suffix " %0, %w1" : : "a"(value), "Nd"(port) : "memory");   \
	}
PORT_ACCESS(8, "b")
PORT_ACCESS(16, "w")
PORT_ACCESS(32, "l")

static inline uint64_t read_tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return low | (uint64_t)high << 32;
}

struct cpuid_result {
	uint32_t eax, ebx, ecx, edx;
};
static inline struct cpuid_result cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_result r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(subleaf));
	return r;
}

static inline void write_cr0(uint64_t value)
{
	__asm__ volatile("mov %0, %%cr0" : : "r"(value) : "memory");
}
static inline void write_cr4(uint64_t value)
{
	__asm__ volatile("mov %0, %%cr4" : : "r"(value) : "memory");
}
static inline void write_cr3(uint64_t value)
{
	__asm__ volatile("mov %0, %%cr3" : : "r"(value) : "memory");
}

static inline void cpu_relax(void)
{
	__asm__ volatile("pause" : : : "memory");
}
_Noreturn static inline void cpu_stop(void)
{
	for (;;)
		__asm__ volatile("cli; hlt" : : : "memory");
}

#endif
