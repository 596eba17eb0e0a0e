/* SPDX-License-Identifier: MIT */
/*
 * privileged.h - instructions of ring 0 that hardware backends need, and those for vector state
 * that the compiler must not use on its own.
 */
#ifndef DYAD_HYPERVISOR_X86_PRIVILEGED_H
#define DYAD_HYPERVISOR_X86_PRIVILEGED_H

#include <stdint.h>

static inline uint64_t read_msr(uint32_t index)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index));
	return low | (uint64_t)high << 32;
}

static inline void write_msr(uint32_t index, uint64_t value)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
}

#define PRIVILEGED_CONTROL_REGISTER(n)                                                             \
	static inline uint64_t read_cr##n(void)                                                    \
	{                                                                                          \
		uint64_t value;                                                                    \
                                                                                                   \
		__asm__ volatile("mov %%cr" #n ", %0" : "=r"(value));                              \
		return value;                                                                      \
	}
PRIVILEGED_CONTROL_REGISTER(0)
PRIVILEGED_CONTROL_REGISTER(2)
PRIVILEGED_CONTROL_REGISTER(3)
PRIVILEGED_CONTROL_REGISTER(4)

static inline void write_cr2(uint64_t value)
{
	__asm__ volatile("mov %0, %%cr2" : : "r"(value) : "memory");
}

#define PRIVILEGED_DEBUG_REGISTER(n)                                                               \
	static inline uint64_t read_dr##n(void)                                                    \
	{                                                                                          \
		uint64_t value;                                                                    \
                                                                                                   \
		__asm__ volatile("mov %%dr" #n ", %0" : "=r"(value));                              \
		return value;                                                                      \
	}                                                                                          \
	static inline void write_dr##n(uint64_t value)                                             \
	{                                                                                          \
		__asm__ volatile("mov %0, %%dr" #n : : "r"(value) : "memory");                     \
	}
PRIVILEGED_DEBUG_REGISTER(0)
PRIVILEGED_DEBUG_REGISTER(1)
PRIVILEGED_DEBUG_REGISTER(2)
PRIVILEGED_DEBUG_REGISTER(3)
PRIVILEGED_DEBUG_REGISTER(6)
PRIVILEGED_DEBUG_REGISTER(7)

static inline uint64_t read_xcr0(void)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low | (uint64_t)high << 32;
}

static inline void write_xcr0(uint64_t value)
{
	__asm__ volatile("xsetbv"
			 :
			 : "c"(0), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
}

struct vector_area {
	uint8_t bytes[4096];
};

/* The area's header must be one that the CPU takes: #GP otherwise. */
static inline void load_vector_state(const void *area, uint64_t components)
{
	__asm__ volatile("xrstor64 %0"
			 :
			 : "m"(*(const struct vector_area *)area), "a"((uint32_t)components),
			   "d"((uint32_t)(components >> 32)));
}

static inline void save_vector_state(void *area, uint64_t components)
{
	__asm__ volatile("xsave64 %0"
			 : "+m"(*(struct vector_area *)area)
			 : "a"((uint32_t)components), "d"((uint32_t)(components >> 32)));
}

/*
 * The x87's pointers to its last instruction and operand become those of a load here: where XRSTOR
 * doesn't set them they would tell of who used it before.  With the registers free to be loaded.
 */
static inline void clear_fp_pointers(void)
{
	static const uint32_t zero;

	__asm__ volatile("fnclex; emms; fildl %0" : : "m"(zero));
}

static inline uint32_t read_pkru(void)
{
	uint32_t value, high;

	__asm__ volatile("rdpkru" : "=a"(value), "=d"(high) : "c"(0));
	return value;
}

static inline void write_pkru(uint32_t value)
{
	__asm__ volatile("wrpkru" : : "a"(value), "c"(0), "d"(0) : "memory");
}

#endif
