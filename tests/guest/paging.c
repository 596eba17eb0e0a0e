/* SPDX-License-Identifier: MIT */
/*
 * Paging: what faults with which error code, accessed and dirty bits, WP, NX, SMEP and SMAP, pages
 * that are remembered until they are invalidated, accesses that cross pages, in 32-bit and in PAE
 * paging.
 */
#include "tests/guest/support/traps.h"

#define PAGE 4096u
#define P 1u
#define RW 2u
#define US 4u
#define A 0x20u
#define D 0x40u
#define PS 0x80u
#define G 0x100u
#define NX (UINT64_C(1) << 63)

#define PF_P 1u
#define PF_W 2u
#define PF_U 4u
#define PF_RSVD 8u
#define PF_I 0x10u

#define CR0_WP 0x10000u
#define CR0_PG 0x80000000u
#define CR4_PSE 0x10u
#define CR4_PAE 0x20u
#define CR4_PGE 0x80u
#define CR4_SMEP 0x100000u
#define CR4_SMAP 0x200000u
#define MSR_EFER 0xc0000080
#define EFER_NXE 0x800u

/* The pages that are tried stand at WINDOW, their frames follow each other. */
#define WINDOW 0x40000000u
#define PAGES 8u

static uint32_t directory[1024] __attribute__((aligned(4096)));
static uint32_t table[1024] __attribute__((aligned(4096)));
static uint64_t pdpt[4] __attribute__((aligned(4096)));
static uint64_t pae_directory[4][512] __attribute__((aligned(4096)));
static uint64_t pae_table[512] __attribute__((aligned(4096)));
static uint8_t frames[PAGES][PAGE] __attribute__((aligned(4096)));
static uint8_t *const window = (uint8_t *)WINDOW;
static bool pae;

static uint32_t frame(unsigned i)
{
	return (uint32_t)(uintptr_t)frames[i];
}

static void invalidate(unsigned i)
{
	__asm__ volatile("invlpg (%0)" : : "r"(window + i * PAGE) : "memory");
}

/* Maps page i to its frame with flags (0: not at all), and forgets what was known. */
static void map(unsigned i, uint64_t flags)
{
	if (pae)
		pae_table[i] = flags ? frame(i) | flags : 0;
	else
		table[i] = flags ? frame(i) | (uint32_t)flags : 0;
	invalidate(i);
}

static uint32_t entry(unsigned i)
{
	return pae ? (uint32_t)pae_table[i] : table[i];
}

static void read_byte(uintptr_t address)
{
	(void)*(volatile uint8_t *)address;
}

static void write_byte(uintptr_t address)
{
	*(volatile uint8_t *)address = 1;
}

static void write_long(uintptr_t address)
{
	*(volatile uint32_t *)address = 0x11223344;
}

static void add_byte(uintptr_t address)
{
	__asm__ volatile("addb $1, (%0)" : : "r"(address) : "memory", "cc");
}

static void lock_add(uintptr_t address)
{
	__asm__ volatile("lock addl $1, (%0)" : : "r"(address) : "memory", "cc");
}

static void compare(uintptr_t address)
{
	uint32_t eax = 0x99;

	__asm__ volatile("lock cmpxchgl %%ecx, (%1)"
			 : "+a"(eax)
			 : "r"(address), "c"(0)
			 : "memory", "cc");
}

static void call(uintptr_t address)
{
	((void (*)(void))address)();
}

static void fault(unsigned vector, uint32_t error, uint32_t address, int line)
{
	check_trap(vector, TRAP_PF, error, "access", __FILE__, line);
	check_equal(read_cr2(), address, "cr2", __FILE__, line);
}
#define FAULT(call, error, address) fault(call, error, address, __LINE__)

static void rights(void)
{
	map(0, 0);
	FAULT(trap_call(read_byte, WINDOW + 5), 0, WINDOW + 5);
	FAULT(trap_call(write_byte, WINDOW + 5), PF_W, WINDOW + 5);
	FAULT(trap_call_user(read_byte, WINDOW, 2), PF_U, WINDOW);
	FAULT(trap_call_user(write_byte, WINDOW, 2), PF_U | PF_W, WINDOW);
	map(0, P | RW);
	FAULT(trap_call_user(read_byte, WINDOW, 2), PF_P | PF_U, WINDOW);
	FAULT(trap_call_user(write_byte, WINDOW, 2), PF_P | PF_U | PF_W, WINDOW);
	CHECK_TRAP(trap_call(write_byte, WINDOW), TRAP_NONE, 0);
	map(0, P | US);
	CHECK_TRAP(trap_call_user(read_byte, WINDOW, 2), TRAP_LEAVE_USER, 0);
	FAULT(trap_call_user(write_byte, WINDOW, 2), PF_P | PF_U | PF_W, WINDOW);
	/* Level 0 writes to read-only pages, unless WP. */
	write_cr0(read_cr0() & ~CR0_WP);
	CHECK_TRAP(trap_call(write_byte, WINDOW), TRAP_NONE, 0);
	write_cr0(read_cr0() | CR0_WP);
	FAULT(trap_call(write_byte, WINDOW), PF_P | PF_W, WINDOW);
	FAULT(trap_call(add_byte, WINDOW), PF_P | PF_W, WINDOW);
	FAULT(trap_call(lock_add, WINDOW), PF_P | PF_W, WINDOW);
	FAULT(trap_call(compare, WINDOW), PF_P | PF_W, WINDOW); /* a write, even if not equal */
	CHECK_TRAP(trap_call(read_byte, WINDOW), TRAP_NONE, 0);
}

static void bits(void)
{
	map(0, P | RW | US);
	CHECK_EQUAL(entry(0) & (A | D), 0);
	read_byte(WINDOW);
	CHECK_EQUAL(entry(0) & (A | D), A);
	write_byte(WINDOW);
	CHECK_EQUAL(entry(0) & (A | D), A | D);
	map(0, P | RW | US | A);
	read_byte(WINDOW);
	CHECK_EQUAL(entry(0) & (A | D), A);
	add_byte(WINDOW);
	CHECK_EQUAL(entry(0) & (A | D), A | D);
	/* A refused write marks nothing dirty. */
	map(0, P | US);
	CHECK_TRAP(trap_call_user(write_byte, WINDOW, 2), TRAP_PF, PF_P | PF_U | PF_W);
	CHECK_EQUAL(entry(0) & D, 0);
}

static void crossing(void)
{
	map(0, P | RW | US);
	map(1, 0);
	frames[0][PAGE - 1] = frames[0][PAGE - 2] = 0;
	FAULT(trap_call(write_long, WINDOW + PAGE - 2), PF_W, WINDOW + PAGE);
	CHECK_EQUAL(frames[0][PAGE - 2], 0); /* not even the first half */
	map(1, P | US);
	FAULT(trap_call(write_long, WINDOW + PAGE - 2), PF_P | PF_W, WINDOW + PAGE);
	CHECK_EQUAL(frames[0][PAGE - 2], 0);
	FAULT(trap_call(lock_add, WINDOW + PAGE - 2), PF_P | PF_W, WINDOW + PAGE);
	CHECK_EQUAL(frames[0][PAGE - 2], 0);
	map(1, P | RW | US);
	CHECK_TRAP(trap_call(write_long, WINDOW + PAGE - 2), TRAP_NONE, 0);
	CHECK_EQUAL(frames[0][PAGE - 2], 0x44);
	CHECK_EQUAL(frames[1][0], 0x22);
	map(0, 0);
	FAULT(trap_call(write_long, WINDOW + PAGE - 2), PF_W, WINDOW + PAGE - 2);
}

/* Code whose last byte is in a page that isn't there. */
static void fetches(void)
{
	static const uint8_t mov_eax[] = {0xb8, 1, 2, 3, 4, 0xc3};

	map(0, P | RW | US);
	map(1, 0);
	for (unsigned i = 0; i < sizeof(mov_eax); i++)
		(i < 3 ? frames[0] + PAGE - 3 : frames[1] - 3)[i] = mov_eax[i];
	FAULT(trap_call(call, WINDOW + PAGE - 3), 0, WINDOW + PAGE);
	CHECK_EQUAL(trap.eip, WINDOW + PAGE - 3);
	map(1, P | RW | US);
	CHECK_TRAP(trap_call(call, WINDOW + PAGE - 3), TRAP_NONE, 0);
	/* The second half is another page's now. */
	if (pae)
		pae_table[1] = frame(2) | P | RW | US;
	else
		table[1] = frame(2) | P | RW | US;
	invalidate(1);
	frames[2][0] = 9;
	frames[2][1] = 9;
	frames[2][2] = 0x0f; /* ud2 */
	frames[2][3] = 0x0b;
	CHECK_TRAP(trap_call(call, WINDOW + PAGE - 3), TRAP_UD, 0);
	CHECK_EQUAL(trap.eip, WINDOW + PAGE + 2);
	CHECK_EQUAL(trap.eax, 0x09090201);
}

/* Where REP stops, and what its registers are then. */
static void strings(void)
{
	uint32_t ecx = 32, edi = WINDOW + PAGE - 16;

	map(0, P | RW | US);
	map(1, 0);
	for (unsigned i = PAGE - 16; i < PAGE; i++)
		frames[0][i] = 0;
	extern const uint8_t string_fault[];
	__asm__ volatile("pushl %%ebp\n"
			 "movl $string_resume, string_target\n"
			 "movb $0x77, %%al\n"
			 "string_fault: rep stosb\n"
			 "string_resume: popl %%ebp"
			 : "+c"(ecx), "+D"(edi)
			 :
			 : "eax", "memory");
	CHECK_EQUAL(ecx, 16);
	CHECK_EQUAL(edi, WINDOW + PAGE);
	CHECK_EQUAL(read_cr2(), WINDOW + PAGE);
	CHECK_EQUAL(frames[0][PAGE - 1], 0x77);
	CHECK_EQUAL(trap.eip, (uint32_t)(uintptr_t)string_fault);
}

__attribute__((used)) static volatile uint32_t string_target;

static bool resume_string(struct trap_frame *frame)
{
	if (frame->vector != TRAP_PF || !string_target)
		return false;
	trap = *frame;
	frame->eip = string_target;
	string_target = 0;
	return true;
}

/* PUSH changes ESP only if it could. */
__attribute__((naked)) static void push_at(uintptr_t address)
{
	(void)address;
	__asm__("movl 4(%esp), %ecx\n"
		"movl %esp, %ebx\n"
		"movl %ecx, %esp\n"
		"pushl %eax\n"
		"movl %ebx, %esp\n"
		"ret");
}

static void pushes(void)
{
	map(0, P);
	map(1, P | RW | US);
	FAULT(trap_call_user(push_at, WINDOW + PAGE, 2), PF_P | PF_U | PF_W, WINDOW + PAGE - 4);
	CHECK_EQUAL(trap.esp, WINDOW + PAGE);
}

static void remembered(void)
{
	map(0, P | RW | US);
	frames[0][0] = 1;
	frames[3][0] = 2;
	CHECK_EQUAL(*(volatile uint8_t *)window, 1);
	if (pae)
		pae_table[0] = frame(3) | P | RW | US;
	else
		table[0] = frame(3) | P | RW | US;
	invalidate(0);
	CHECK_EQUAL(*(volatile uint8_t *)window, 2);
	if (pae)
		pae_table[0] = frame(0) | P | RW | US;
	else
		table[0] = frame(0) | P | RW | US;
	write_cr3(pae ? (uint32_t)(uintptr_t)pdpt : (uint32_t)(uintptr_t)directory);
	CHECK_EQUAL(*(volatile uint8_t *)window, 1);
	/* A global page outlives CR3, and not CR4.PGE. */
	write_cr4(read_cr4() | CR4_PGE);
	map(0, P | RW | US | G);
	CHECK_EQUAL(*(volatile uint8_t *)window, 1);
	if (pae)
		pae_table[0] = frame(3) | P | RW | US | G;
	else
		table[0] = frame(3) | P | RW | US | G;
	write_cr4(read_cr4() & ~CR4_PGE);
	CHECK_EQUAL(*(volatile uint8_t *)window, 2);
	/* Fewer rights than before are seen after INVLPG. */
	map(0, P | RW | US);
	write_byte(WINDOW);
	map(0, P | US);
	FAULT(trap_call(write_byte, WINDOW), PF_P | PF_W, WINDOW);
}

/* Two pages, one frame. */
static void aliases(void)
{
	map(0, P | RW | US);
	if (pae)
		pae_table[1] = frame(0) | P | RW | US;
	else
		table[1] = frame(0) | P | RW | US;
	invalidate(1);
	window[0] = 0xb8;
	window[1] = 5;
	window[2] = window[3] = window[4] = 0;
	window[5] = 0xc3;
	CHECK_EQUAL(((uint32_t(*)(void))WINDOW)(), 5);
	window[PAGE + 1] = 6; /* the same code, by its other name */
	CHECK_EQUAL(((uint32_t(*)(void))WINDOW)(), 6);
	CHECK_EQUAL(((uint32_t(*)(void))(WINDOW + PAGE))(), 6);
}

static bool has(unsigned index, unsigned reg, unsigned bit)
{
	uint32_t registers[4];

	cpuid(index, 0, registers);
	return registers[reg] >> bit & 1;
}

/* Whose the pages of the guest itself are: all that is mapped one to one. */
static void own_pages(uint32_t us)
{
	for (uint32_t i = 0; i < 4 && pae; i++)
		for (uint32_t k = 0; k < 512; k++)
			if (pae_directory[i][k] & PS)
				pae_directory[i][k] = (pae_directory[i][k] & ~(uint64_t)US) | us;
	for (uint32_t i = 0; i < 1024 && !pae; i++)
		if (directory[i] & PS)
			directory[i] = (directory[i] & ~US) | us;
	write_cr3(pae ? (uint32_t)(uintptr_t)pdpt : (uint32_t)(uintptr_t)directory);
}

static void supervisor_modes(void)
{
	own_pages(0);
	frames[0][0] = 0xc3;
	if (has(7, 1, 7)) {
		map(0, P | RW | US);
		CHECK_TRAP(trap_call(call, WINDOW), TRAP_NONE, 0);
		write_cr4(read_cr4() | CR4_SMEP);
		/* The I bit is there for SMEP even without NX. */
		FAULT(trap_call(call, WINDOW), PF_P | PF_I, WINDOW);
		frames[0][0] = 0xcd; /* int */
		frames[0][1] = TRAP_LEAVE_USER;
		CHECK_TRAP(trap_call_user((void (*)(uintptr_t))WINDOW, 0, 2), TRAP_LEAVE_USER, 0);
		write_cr4(read_cr4() & ~CR4_SMEP);
	}
	if (has(7, 1, 20)) {
		map(0, P | RW | US);
		write_cr4(read_cr4() | CR4_SMAP);
		FAULT(trap_call(read_byte, WINDOW), PF_P, WINDOW);
		FAULT(trap_call(write_byte, WINDOW), PF_P | PF_W, WINDOW);
		__asm__ volatile(".byte 0x0f, 0x01, 0xcb"); /* stac */
		read_byte(WINDOW);
		write_byte(WINDOW);
		__asm__ volatile(".byte 0x0f, 0x01, 0xca"); /* clac */
		FAULT(trap_call(read_byte, WINDOW), PF_P, WINDOW);
		frames[0][0] = 0xc3;
		CHECK_TRAP(trap_call(call, WINDOW), TRAP_NONE, 0); /* fetches are SMEP's */
		write_cr4(read_cr4() & ~CR4_SMAP);
	}
	own_pages(US);
}

static void no_execute(void)
{
	map(0, P | RW | US);
	frames[0][0] = 0xc3;
	CHECK_TRAP(trap_call(call, WINDOW), TRAP_NONE, 0);
	pae_table[0] |= NX;
	invalidate(0);
	FAULT(trap_call(call, WINDOW), PF_P | PF_RSVD, WINDOW); /* NXE is off */
	write_msr(MSR_EFER, read_msr(MSR_EFER) | EFER_NXE);
	FAULT(trap_call(call, WINDOW), PF_P | PF_I, WINDOW);
	FAULT(trap_call_user(call, WINDOW, 2), PF_P | PF_I | PF_U, WINDOW);
	CHECK_TRAP(trap_call(read_byte, WINDOW), TRAP_NONE, 0);
	write_msr(MSR_EFER, read_msr(MSR_EFER) & ~(uint64_t)EFER_NXE);
	map(0, P | RW | US);
}

static void load_cr3(uintptr_t value)
{
	write_cr3(value);
}

static void reserved(void)
{
	uint64_t saved;

	pae_table[0] = frame(0) | P | RW | US | UINT64_C(1) << 51;
	invalidate(0);
	FAULT(trap_call(read_byte, WINDOW), PF_P | PF_RSVD, WINDOW);
	FAULT(trap_call_user(write_byte, WINDOW, 2), PF_P | PF_RSVD | PF_U | PF_W, WINDOW);
	map(0, P | RW | US);
	/* A page directory pointer is looked at when CR3 is loaded. */
	saved = pdpt[1];
	pdpt[1] = 0;
	CHECK_TRAP(trap_call(read_byte, WINDOW), TRAP_NONE, 0);
	pdpt[1] = saved | RW; /* reserved there */
	CHECK_TRAP(trap_call(load_cr3, (uintptr_t)pdpt), TRAP_GP, 0);
	CHECK_TRAP(trap_call(read_byte, WINDOW), TRAP_NONE, 0);
	pdpt[1] = 0;
	write_cr3((uint32_t)(uintptr_t)pdpt);
	FAULT(trap_call(read_byte, WINDOW), 0, WINDOW);
	pdpt[1] = saved;
	write_cr3((uint32_t)(uintptr_t)pdpt);
	CHECK_TRAP(trap_call(read_byte, WINDOW), TRAP_NONE, 0);
}

/* Of the upper levels the least rights count; large pages have bits of their own. */
static void upper_levels(void)
{
	uint32_t *pde = &directory[WINDOW >> 22];
	uint32_t saved = *pde;

	map(0, P | RW | US);
	*pde = saved & ~RW;
	write_cr3((uint32_t)(uintptr_t)directory);
	FAULT(trap_call(write_byte, WINDOW), PF_P | PF_W, WINDOW);
	*pde = saved & ~US;
	write_cr3((uint32_t)(uintptr_t)directory);
	FAULT(trap_call_user(read_byte, WINDOW, 2), PF_P | PF_U, WINDOW);
	*pde = 0;
	write_cr3((uint32_t)(uintptr_t)directory);
	FAULT(trap_call(read_byte, WINDOW), 0, WINDOW);
	*pde = P | RW | US | PS | 1 << 21;
	write_cr3((uint32_t)(uintptr_t)directory);
	FAULT(trap_call(read_byte, WINDOW), PF_P | PF_RSVD, WINDOW);
	*pde = (frame(0) & 0xffc00000u) | P | RW | US | PS;
	write_cr3((uint32_t)(uintptr_t)directory);
	frames[0][0] = 0x5c;
	CHECK_EQUAL(*(volatile uint8_t *)(WINDOW + (frame(0) & 0x3fffff)), 0x5c);
	CHECK_EQUAL(*pde & (A | D), A);
	write_byte(WINDOW + (frame(0) & 0x3fffff));
	CHECK_EQUAL(*pde & (A | D), A | D);
	*pde = saved;
	write_cr3((uint32_t)(uintptr_t)directory);
}

static void both_modes(void)
{
	rights();
	bits();
	crossing();
	fetches();
	strings();
	pushes();
	remembered();
	aliases();
	supervisor_modes();
}

static void legacy(void)
{
	for (uint32_t i = 0; i < 1024; i++)
		directory[i] = i << 22 | P | RW | US | PS;
	directory[WINDOW >> 22] = (uint32_t)(uintptr_t)table | P | RW | US;
	write_cr4(read_cr4() | CR4_PSE);
	write_cr3((uint32_t)(uintptr_t)directory);
	write_cr0(read_cr0() | CR0_PG | CR0_WP);
	both_modes();
}

/* The tables of 32-bit paging hold for what is mapped one to one, until it is off. */
static void extended(void)
{
	for (uint32_t i = 0; i < 4; i++) {
		pdpt[i] = (uint32_t)(uintptr_t)pae_directory[i] | P;
		for (uint32_t k = 0; k < 512; k++)
			pae_directory[i][k] = i << 30 | k << 21 | P | RW | US | PS;
	}
	pae_directory[WINDOW >> 30][0] = (uint32_t)(uintptr_t)pae_table | P | RW | US;
	pae = true;
	write_cr0(read_cr0() & ~CR0_PG);
	write_cr4(read_cr4() | CR4_PAE);
	write_cr3((uint32_t)(uintptr_t)pdpt);
	write_cr0(read_cr0() | CR0_PG | CR0_WP);
	both_modes();
	no_execute();
	reserved();
}

void guest_main(uint32_t magic, const void *multiboot_info)
{
	(void)magic;
	(void)multiboot_info;
	traps_init();
	trap_hook = resume_string;
	legacy();
	upper_levels();
	extended();
	checks_end();
}
