/* SPDX-License-Identifier: MIT */
#include "tests/guest/support/long.h"

#define LARGE_USER_PAGE 0x87u /* present, writable, level 3's, large */
#define TABLE 7u
#define ENTRY_SIZE 16

extern const uint8_t long_entries[];

struct long_frame long_trap;
uint64_t long_pml4[512] __attribute__((aligned(4096)));
uint64_t long_pdpt[512] __attribute__((aligned(4096)));
uint64_t long_pd[4][512] __attribute__((aligned(4096)));
volatile uint64_t long_notes[16];
struct tss64 long_tss;
struct gate64 long_idt[256];

static uint64_t address(const void *pointer)
{
	return (uintptr_t)pointer;
}

void long_init(void)
{
	unsigned entry = LONG_TSS / 8;

	long_pml4[0] = address(long_pdpt) | TABLE;
	for (unsigned i = 0; i < 4; i++) {
		long_pdpt[i] = address(long_pd[i]) | TABLE;
		for (unsigned k = 0; k < 512; k++)
			long_pd[i][k] = (uint64_t)i << 30 | (uint64_t)k << 21 | LARGE_USER_PAGE;
	}
	for (unsigned i = 0; i < 256; i++)
		long_idt[i].low =
			gate(SELECTOR(GDT_CODE64), (uint32_t)address(long_entries + ENTRY_SIZE * i),
			     ACCESS_INTERRUPT_GATE, 0);
	long_tss.rsp[0] = address(long_stack_top);
	long_tss.ist[0] = address(long_ist_top);
	long_tss.io_map = sizeof(long_tss);
	gdt[entry] = segment((uint32_t)address(&long_tss), sizeof(long_tss) - 1, ACCESS_TSS32, 0);
	gdt[entry + 1] = 0;
}
