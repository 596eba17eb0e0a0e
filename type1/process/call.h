/* SPDX-License-Identifier: MIT */
/*
 * call.h - the system calls of abi/type1.h from ring 3.
 */
#ifndef DYAD_TYPE1_PROCESS_CALL_H
#define DYAD_TYPE1_PROCESS_CALL_H

#include <stdint.h>

#include "abi/type1.h"

static inline int64_t call6(enum type1_call number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
			    uint64_t e, uint64_t f)
{
	register uint64_t fourth __asm__("r10") = d;
	register uint64_t fifth __asm__("r8") = e;
	register uint64_t sixth __asm__("r9") = f;
	int64_t result = number;

	__asm__ volatile("syscall"
			 : "+a"(result)
			 : "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth), "r"(sixth)
			 : "rcx", "r11", "memory");
	return result;
}

static inline int64_t call4(enum type1_call number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	register uint64_t fourth __asm__("r10") = d;
	int64_t result = number;

	__asm__ volatile("syscall"
			 : "+a"(result)
			 : "D"(a), "S"(b), "d"(c), "r"(fourth)
			 : "rcx", "r11", "memory");
	return result;
}

static inline int64_t call3(enum type1_call number, uint64_t a, uint64_t b, uint64_t c)
{
	int64_t result = number;

	__asm__ volatile("syscall"
			 : "+a"(result)
			 : "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return result;
}

static inline int64_t call2(enum type1_call number, uint64_t a, uint64_t b)
{
	int64_t result = number;

	__asm__ volatile("syscall" : "+a"(result) : "D"(a), "S"(b) : "rcx", "r11", "memory");
	return result;
}

static inline int64_t call1(enum type1_call number, uint64_t a)
{
	return call2(number, a, 0);
}

static inline int64_t call0(enum type1_call number)
{
	return call2(number, 0, 0);
}

static inline uint64_t call_address(const volatile void *pointer)
{
	return (uint64_t)(uintptr_t)pointer;
}

#endif
