/* SPDX-License-Identifier: MIT */
/*
 * ports.h - the ports that a process with the machine's console reaches (type1_info.has_console).
 */
#ifndef DYAD_TYPE1_PROCESS_PORTS_H
#define DYAD_TYPE1_PROCESS_PORTS_H

#include <stdint.h>

static inline uint8_t port_in(unsigned port)
{
	uint8_t value;

	__asm__ volatile("inb %w1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline void port_out(unsigned port, uint8_t value)
{
	__asm__ volatile("outb %0, %w1" : : "a"(value), "Nd"(port) : "memory");
}

#endif
