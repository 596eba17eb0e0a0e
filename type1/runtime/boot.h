/* SPDX-License-Identifier: MIT */
/*
 * boot.h - what the boot loader told (Multiboot2 specification 2.0, section 3.6), copied and
 * checked; and the firmware's tables.  [const] after boot.
 */
#ifndef DYAD_TYPE1_BOOT_H
#define DYAD_TYPE1_BOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/type1.h"

#define BOOT_MODULES_MAX 64
#define BOOT_NAME_MAX 64

/* A file that came with the image: its memory is the runtime's own until the machine ends. */
struct boot_module {
	char name[BOOT_NAME_MAX]; /* the first word of its command line, ended by a zero */
	char arguments[256];      /* the rest of it */
	uint64_t physical, size;  /* it begins on a page, and nothing else is in its last one */
};
extern struct boot_module boot_modules[BOOT_MODULES_MAX];
extern unsigned boot_module_count;
const struct boot_module *boot_module_find(const char *name, size_t size); /* or NULL */

extern char boot_arguments[256]; /* the runtime's command line */

/* Memory that the firmware leaves, in whole pages; the image and modules are in it. */
#define BOOT_RANGES_MAX 128
struct boot_range {
	uint64_t start, end;
};
extern struct boot_range boot_memory[BOOT_RANGES_MAX];
extern unsigned boot_memory_count;

/* The screen that the boot loader left, if its kind is another than none; and its memory, whole
 * pages. */
extern struct type1_screen boot_screen;
extern uint64_t boot_screen_at, boot_screen_size; /* physical, bytes */

#define BOOT_RSDP_SIZE 40
extern uint64_t boot_rsdp[BOOT_RSDP_SIZE / 8]; /* a copy; zeros: there is none */

/* physical: of the boot information.  With start.S's page tables. */
void boot_init(uint32_t physical);
/* What of the memory between from and to nobody has: not the first MiB, nor the image and modules.
 */
void boot_each_free(uint64_t from, uint64_t to, void (*each)(uint64_t start, uint64_t end));
uint64_t boot_low_page(void); /* a page below 1 MiB for the other CPUs' start; 0: none */

/* --- acpi.c: what a static reader finds (MADT, MCFG, FADT, \_S5 in the DSDT) */

struct acpi_machine {
	uint32_t apic_ids[64];
	unsigned cpu_count;
	uint64_t apic_base;
	uint16_t pm1a_control, pm1b_control; /* ports; 0: none */
	uint16_t pm_timer;
	uint8_t sleep_type_a, sleep_type_b; /* of S5 */
	bool can_power_off;
	uint8_t reset_space, reset_value;
	uint64_t reset_address; /* 0: none */
};
extern struct acpi_machine acpi_machine;
void acpi_init(void); /* with start.S's page tables */

_Noreturn void machine_power_off(void);
_Noreturn void machine_reset(void);

#endif
