/* SPDX-License-Identifier: MIT */
/*
 * load.h - what stands in guest memory and in the boot CPU's registers when a guest starts.
 *
 * load_guest() finds out what kind of kernel a file is and loads it by the protocol that fits:
 *   bzImage    Linux x86 boot protocol 2.12 or later, entered in 64-bit mode: the payload is
 *              unpacked by the monitor and entered directly, or with kaslr the guest's own
 *              decompressor is entered
 *   ELF with a PVH note          Xen's PVH start of day (32-bit protected mode)
 *   Multiboot 1 header in the first 8192 bytes   Multiboot 0.6.96 (32-bit protected mode):
 *              an ELF, or any file whose header says where it goes
 *   ELF64 without either         Linux's vmlinux, entered as a bzImage's payload is
 */
#ifndef DYAD_MONITOR_LOAD_LOAD_H
#define DYAD_MONITOR_LOAD_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/machine/memory.h"
#include "os.h"

struct error;

#define LOAD_MODULES_MAX 16

enum memory_map_type { MEMORY_MAP_RAM = 1, MEMORY_MAP_RESERVED = 2 };

struct memory_map_entry { /* as in an e820 map */
	gpa_t start;
	uint64_t size;
	enum memory_map_type type;
};

struct load_file {
	struct os_file *file;
	const char *name;      /* for messages */
	const char *arguments; /* Multiboot modules: behind the name in their string; or NULL */
};

struct load_request {
	struct load_file kernel;
	struct load_file initrd;                    /* .file NULL: none */
	struct load_file modules[LOAD_MODULES_MAX]; /* Multiboot: behind the initrd */
	unsigned module_count;
	const char *command_line; /* never NULL */
	bool kaslr;
	const struct memory_map_entry *map;
	unsigned map_count;
	gpa_t rsdp; /* ACPI's root pointer, already in memory */
};

enum load_mode {
	LOAD_MODE_LONG64,     /* 64-bit, paging on with cr3's tables, flat segments */
	LOAD_MODE_PROTECTED32 /* 32-bit, paging off, flat segments */
};

/* Of the GDT that every protocol here is started with: null, null, code, data, busy TSS. */
#define LOAD_CODE_SELECTOR 0x10
#define LOAD_DATA_SELECTOR 0x18
#define LOAD_TASK_SELECTOR 0x20

/* How the boot CPU starts; all that is not named is as after reset, interrupts off. */
struct load_entry {
	enum load_mode mode;
	uint64_t rip, rsp;
	uint64_t rsi;      /* LONG64: boot_params */
	uint64_t rax, rbx; /* PROTECTED32: what the protocol passes */
	uint64_t cr3;      /* LONG64 */
	gpa_t gdt;         /* null, null, 64- or 32-bit code, data, busy TSS */
	uint16_t gdt_limit;
	const char *protocol; /* for the log: "Linux 64-bit", "PVH", "Multiboot" */
};

/*
 * Loads everything into guest memory and says how to start.  Errors name the file and what is wrong
 * with it.  Nothing is assumed of any file's content.
 */
int load_guest(const struct guest_memory *memory, const struct load_request *request,
	       struct load_entry *entry, struct error *why);

#endif
