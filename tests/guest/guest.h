/* SPDX-License-Identifier: MIT */
/*
 * guest.h - what the small test guests share: ports, the serial line, and the way out.  Everything
 * runs in flat 32-bit protected mode with interrupts off.
 */
#ifndef DYAD_TESTS_GUEST_H
#define DYAD_TESTS_GUEST_H

#include <stdint.h>

#define GUEST_SERIAL 0x3f8
#define GUEST_DEBUG_EXIT 0xf4 /* the machine needs its test device for it */

static inline void out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void out16(uint16_t port, uint16_t value)
{
	__asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline void out32(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t in8(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline uint32_t in32(uint16_t port)
{
	uint32_t value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

/* The time-stamp counter, ordered behind what came before. */
static inline uint64_t read_tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

void guest_main(uint32_t magic, const void *multiboot_info);

void guest_print(const char *text);
void guest_print_number(uint32_t number);
/* Ends the VM with status in the debug-exit port; stops the CPU where there is none. */
__attribute__((noreturn)) void guest_exit(uint32_t status);

#endif
