/* SPDX-License-Identifier: MIT */
/*
 * traps.h - what guests that test the CPU share: a GDT and an IDT of their own, code that may trap,
 * code at level 3, and checks that are counted.
 *
 * Everything starts in flat 32-bit protected mode at level 0 with interrupts off.
 */
#ifndef DYAD_TESTS_GUEST_TRAPS_H
#define DYAD_TESTS_GUEST_TRAPS_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/guest/guest.h"

/* The GDT: entries from GDT_FREE on are the test's. */
enum {
	GDT_NULL,
	GDT_CODE,
	GDT_DATA,
	GDT_USER_CODE,
	GDT_USER_DATA,
	GDT_TSS,
	GDT_CODE16,
	GDT_DATA16,
	GDT_CODE64,
	GDT_LDT,
	GDT_FREE,
	GDT_ENTRIES = 32
};
#define SELECTOR(index) ((index)*8)
#define CODE SELECTOR(GDT_CODE)
#define DATA SELECTOR(GDT_DATA)
#define USER_CODE (SELECTOR(GDT_USER_CODE) | 3)
#define USER_DATA (SELECTOR(GDT_USER_DATA) | 3)

/* Access bytes, with P. */
#define ACCESS_CODE 0x9a
#define ACCESS_CONFORMING 0x9e
#define ACCESS_DATA 0x92
#define ACCESS_EXPAND_DOWN 0x96
#define ACCESS_LDT 0x82
#define ACCESS_TSS16 0x81
#define ACCESS_TSS32 0x89
#define ACCESS_CALL_GATE16 0x84
#define ACCESS_TASK_GATE 0x85
#define ACCESS_CALL_GATE32 0x8c
#define ACCESS_INTERRUPT_GATE 0x8e
#define ACCESS_TRAP_GATE 0x8f
#define ACCESS_DPL(dpl) ((dpl) << 5)
#define ACCESS_PRESENT 0x80
/* Bits 52 to 55. */
#define FLAGS_16 0x0
#define FLAGS_32 0x4
#define FLAGS_64 0x2
#define FLAGS_PAGES 0x8

#define EFLAGS_CF 0x1u
#define EFLAGS_ZF 0x40u
#define EFLAGS_TF 0x100u
#define EFLAGS_IF 0x200u
#define EFLAGS_NT 0x4000u
#define EFLAGS_RF 0x10000u
#define EFLAGS_VM 0x20000u
#define EFLAGS_AC 0x40000u
#define EFLAGS_IOPL 0x3000u

enum {
	TRAP_DE = 0,
	TRAP_DB = 1,
	TRAP_NMI = 2,
	TRAP_BP = 3,
	TRAP_OF = 4,
	TRAP_UD = 6,
	TRAP_DF = 8,
	TRAP_TS = 10,
	TRAP_NP = 11,
	TRAP_SS = 12,
	TRAP_GP = 13,
	TRAP_PF = 14,
	TRAP_LEAVE_USER = 0x81, /* ends what runs at level 3 */
	TRAP_NONE = 0x100
};

extern uint64_t gdt[GDT_ENTRIES];
extern uint64_t idt[256];

struct tss32 {
	uint32_t link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags;
	uint32_t eax, ecx, edx, ebx, esp, ebp, esi, edi;
	uint32_t es, cs, ss, ds, fs, gs, ldt;
	uint16_t trap, io_map;
};
extern struct tss32 tss; /* the current task's, with a stack for level 0 */

/* As pushed, lowest address first; esp and on from other levels alone, es and on from
 * virtual-8086 mode alone. */
struct trap_frame {
	uint32_t gs, fs, es, ds, edi, esi, ebp, unused, ebx, edx, ecx, eax;
	uint32_t vector, error, eip, cs, eflags, esp, ss, v_es, v_ds, v_fs, v_gs;
};
extern struct trap_frame trap; /* the last one that trap_hook didn't take */
extern unsigned trap_count;    /* all of them, also those it took */

/* May look at a trap first: true to go on with the frame as it is by then. */
extern bool (*trap_hook)(struct trap_frame *frame);

/* Loads GDT, IDT (all gates lead to traps) and TR.  Once, first of all; others may use it again. */
void traps_init(void);
void traps_load(void);

/*
 * Calls code; the first trap that trap_hook doesn't take ends it, wherever it comes from.  Returns
 * its vector, or TRAP_NONE.
 */
unsigned trap_call(void (*code)(uintptr_t), uintptr_t argument);
/* The same at level 3, with eflags (IOPL, AC, TF...); code ends by a trap, or by returning (then
 * the vector is TRAP_LEAVE_USER). */
unsigned trap_call_user(void (*code)(uintptr_t), uintptr_t argument, uint32_t eflags);

uint64_t segment(uint32_t base, uint32_t limit, unsigned access, unsigned flags);
uint64_t gate(uint16_t selector, uint32_t offset, unsigned access, unsigned parameters);

/* A check, counted; says what failed. */
#define CHECK(condition) check(condition, #condition, __FILE__, __LINE__)
bool check(bool right, const char *what, const char *file, int line);
/* Two values that should be the same, printed if they are not. */
#define CHECK_EQUAL(value, expected)                                                               \
	check_equal((uint32_t)(value), (uint32_t)(expected), #value, __FILE__, __LINE__)
bool check_equal(uint32_t value, uint32_t expected, const char *what, const char *file, int line);
/* A trap with that vector and error code. */
#define CHECK_TRAP(call, wanted, code) check_trap(call, wanted, code, #call, __FILE__, __LINE__)
bool check_trap(unsigned vector, unsigned wanted, uint32_t error, const char *what,
		const char *file, int line);
/* Ends the VM: the debug exit's status tells whether all was right. */
__attribute__((noreturn)) void checks_end(void);

void print_hex(uint32_t value);

/* Whether the CPU says that it is QEMU's emulated one. */
bool cpu_is_emulated(void);

static inline uint32_t read_eflags(void)
{
	uint32_t flags;

	__asm__ volatile("pushfl; popl %0" : "=r"(flags));
	return flags;
}

static inline uint32_t read_cr0(void)
{
	uint32_t value;

	__asm__ volatile("movl %%cr0, %0" : "=r"(value));
	return value;
}

static inline void write_cr0(uint32_t value)
{
	__asm__ volatile("movl %0, %%cr0" : : "r"(value) : "memory");
}

static inline uint32_t read_cr2(void)
{
	uint32_t value;

	__asm__ volatile("movl %%cr2, %0" : "=r"(value));
	return value;
}

static inline void write_cr3(uint32_t value)
{
	__asm__ volatile("movl %0, %%cr3" : : "r"(value) : "memory");
}

static inline uint32_t read_cr4(void)
{
	uint32_t value;

	__asm__ volatile("movl %%cr4, %0" : "=r"(value));
	return value;
}

static inline void write_cr4(uint32_t value)
{
	__asm__ volatile("movl %0, %%cr4" : : "r"(value) : "memory");
}

static inline void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t registers[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(registers[0]), "=b"(registers[1]), "=c"(registers[2]),
			   "=d"(registers[3])
			 : "a"(leaf), "c"(subleaf));
}

static inline uint64_t read_msr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

static inline void write_msr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
}

#endif
