/* SPDX-License-Identifier: MIT */
/*
 * Writes nonsense to every port but those that end the VM, and over all of the PCI devices'
 * configuration and registers, then says that it is still there.  The monitor must live, and log
 * little.
 */
#include "tests/guest/guest.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA 0xcfc
#define ROUNDS 1

static uint32_t seed = 12345;

static uint32_t next_random(void)
{
	seed = seed * 1664525 + 1013904223;
	return seed >> 3;
}

/* i8042 and port 0x92 reset, the power-management block powers off, 0xcf9 resets, 0xf4 exits. */
static int ends_the_vm(uint32_t port)
{
	return port == 0x64 || port == 0x60 || port == 0x92 || (port >= 0x600 && port < 0x610) ||
	       (port >= 0xcf8 && port < 0xd00) || (port >= 0xf1 && port < 0xf8);
}

static void write_ports(void)
{
	for (uint32_t port = 0; port < 0x10000; port++) {
		if (ends_the_vm(port) || (port >= GUEST_SERIAL && port < GUEST_SERIAL + 8) ||
		    port == 0xe9 || (port >= 0x2000 && port < 0x2020))
			continue;
		out8((uint16_t)port, (uint8_t)next_random());
		in8((uint16_t)port);
		if (port % 4 == 0 && !ends_the_vm(port + 3)) {
			out32((uint16_t)port, next_random());
			in32((uint16_t)port);
		}
	}
}

static void write_config(void)
{
	for (uint32_t slot = 0; slot < 32; slot++) {
		for (uint32_t offset = 0; offset < 256; offset += 4) {
			out32(CONFIG_ADDRESS, 0x80000000u | slot << 11 | offset);
			out32(CONFIG_DATA, next_random());
			in32(CONFIG_DATA);
		}
	}
}

/* Back to sensible BARs, decoding on, then nonsense into the registers behind them. */
static void write_registers(void)
{
	for (uint32_t slot = 1; slot < 32; slot++) {
		volatile uint32_t *registers;
		uint32_t base = 0xc0000000u + slot * 0x100000;

		out32(CONFIG_ADDRESS, 0x80000000u | slot << 11);
		if (in32(CONFIG_DATA) == 0xffffffffu)
			continue;
		for (uint32_t bar = 0x10; bar < 0x28; bar += 4) {
			out32(CONFIG_ADDRESS, 0x80000000u | slot << 11 | bar);
			out32(CONFIG_DATA, bar == 0x10 || bar == 0x20 ? base : 0);
		}
		out32(CONFIG_ADDRESS, 0x80000000u | slot << 11 | 4);
		out32(CONFIG_DATA, 7);
		registers = (volatile uint32_t *)(uintptr_t)base;
		for (uint32_t i = 0; i < 0x4000 / 4; i++) {
			registers[i] = next_random();
			(void)registers[i];
		}
	}
}

void guest_main(uint32_t magic, const void *multiboot_info)
{
	(void)magic;
	(void)multiboot_info;
	for (uint32_t round = 0; round < ROUNDS; round++) {
		write_ports();
		write_config();
		write_registers();
	}
	guest_print("still here\n");
	guest_exit(5);
}
