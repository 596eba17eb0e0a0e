/* SPDX-License-Identifier: MIT */
/*
 * Virtual-8086 mode: entry and exit, addresses, IOPL-sensitive instructions, interrupts to level 0,
 * ports by the permission map, what is not to be had there.
 */
#include "tests/guest/support/traps.h"

#define CODE_PARAGRAPH 0x2000 /* the code's segment: linear 0x20000 */
#define DATA_PARAGRAPH 0x3000
#define STACK_PARAGRAPH 0x4000
#define STACK_POINTER 0x1000

extern uint32_t trap_resume;

/* A TSS with a permission map for the first ports. */
static struct {
	struct tss32 tss;
	uint8_t map[0x2001];
} __attribute__((packed)) big;

__attribute__((used)) static uint32_t enter_flags;

/* Leaves for CODE_PARAGRAPH:0; comes back by a trap. */
__attribute__((naked)) static void enter(uintptr_t unused)
{
	(void)unused;
	__asm__("pushl $0x6000\n" /* GS FS DS ES */
		"pushl $0x5000\n"
		"pushl $0x3000\n"
		"pushl $0x3100\n"
		"pushl $0x4000\n" /* SS ESP */
		"pushl $0x1000\n"
		"pushl enter_flags\n"
		"pushl $0x2000\n" /* CS EIP */
		"pushl $0\n"
		"iretl");
}

static unsigned run(const uint8_t *code, unsigned size, uint32_t flags)
{
	uint8_t *at = (uint8_t *)(CODE_PARAGRAPH << 4);

	for (unsigned i = 0; i < size; i++)
		at[i] = code[i];
	enter_flags = flags | EFLAGS_VM | 2;
	return trap_call(enter, 0);
}

#define RUN(flags, ...)                                                                            \
	({                                                                                         \
		static const uint8_t code[] = {__VA_ARGS__};                                       \
		run(code, sizeof(code), flags);                                                    \
	})

#define IOPL3 EFLAGS_IOPL
#define INT_81 0xcd, 0x81

static void entry(void)
{
	uint32_t *stack = (uint32_t *)(STACK_PARAGRAPH << 4);

	CHECK_TRAP(RUN(IOPL3, INT_81), TRAP_LEAVE_USER, 0);
	CHECK(trap.eflags & EFLAGS_VM);
	CHECK_EQUAL(trap.cs, CODE_PARAGRAPH);
	CHECK_EQUAL(trap.eip, 2);
	CHECK_EQUAL(trap.ss, STACK_PARAGRAPH);
	CHECK_EQUAL(trap.esp, STACK_POINTER);
	CHECK_EQUAL(trap.v_es, 0x3100);
	CHECK_EQUAL(trap.v_ds, DATA_PARAGRAPH);
	CHECK_EQUAL(trap.v_fs, 0x5000);
	CHECK_EQUAL(trap.v_gs, 0x6000);
	CHECK_EQUAL(trap.ds, 0); /* the handler began with null selectors */
	CHECK_EQUAL(trap.gs, 0);
	CHECK(!(read_eflags() & EFLAGS_VM));
	/* push 0x1234; mov [0x10], word 0x5678; mov ax, ds; add ax, 0x10; mov es, ax */
	CHECK_TRAP(RUN(IOPL3, 0x68, 0x34, 0x12, 0xc7, 0x06, 0x10, 0x00, 0x78, 0x56, 0x8c, 0xd8,
		       0x05, 0x10, 0x00, 0x8e, 0xc0, INT_81),
		   TRAP_LEAVE_USER, 0);
	CHECK_EQUAL(trap.esp, STACK_POINTER - 2);
	CHECK_EQUAL(stack[STACK_POINTER / 4 - 1] >> 16, 0x1234);
	CHECK_EQUAL(*(uint16_t *)((DATA_PARAGRAPH << 4) + 0x10), 0x5678);
	CHECK_EQUAL(trap.v_es, DATA_PARAGRAPH + 0x10);
}

/* Addresses wrap at no megabyte, offsets fault behind 64 KiB. */
static void limits(void)
{
	/* mov al, [0xffff]; mov ax, [0xffff] */
	CHECK_TRAP(RUN(IOPL3, 0xa0, 0xff, 0xff, 0xa1, 0xff, 0xff), TRAP_GP, 0);
	CHECK_EQUAL(trap.eip, 3);
	/* mov eax, 0x10000; mov al, [eax] (32-bit address) */
	CHECK_TRAP(RUN(IOPL3, 0x66, 0xb8, 0, 0, 1, 0, 0x67, 0x8a, 0x00), TRAP_GP, 0);
	CHECK_EQUAL(trap.eip, 6);
	/* jmp far 0xffff:0x0010 is address 0x100000: the Multiboot header, so only that it gets
	 * there (and not to 0) counts. */
	CHECK(RUN(IOPL3, 0xea, 0x10, 0x00, 0xff, 0xff) != TRAP_NONE);
	CHECK_EQUAL(trap.cs, 0xffff);
}

static void sensitive(void)
{
	CHECK_TRAP(RUN(0, 0xfa), TRAP_GP, 0);       /* cli */
	CHECK_TRAP(RUN(0, 0xfb), TRAP_GP, 0);       /* sti */
	CHECK_TRAP(RUN(0, 0x9c), TRAP_GP, 0);       /* pushf */
	CHECK_TRAP(RUN(0, 0x9d), TRAP_GP, 0);       /* popf */
	CHECK_TRAP(RUN(0, 0xcf), TRAP_GP, 0);       /* iret */
	CHECK_TRAP(RUN(0, 0xcd, 0x81), TRAP_GP, 0); /* int 0x81 */
	CHECK_EQUAL(trap.eip, 0);
	/* pushf; popf; cli; sti; cli */
	CHECK_TRAP(RUN(IOPL3, 0x9c, 0x9d, 0xfa, 0xfb, 0xfa, INT_81), TRAP_LEAVE_USER, 0);
	CHECK_EQUAL(trap.eflags & EFLAGS_IF, 0);
	CHECK_EQUAL(trap.eflags & EFLAGS_IOPL, EFLAGS_IOPL);
	/* push 0; popf: neither VM nor IOPL goes */
	CHECK_TRAP(RUN(IOPL3, 0x6a, 0, 0x9d, INT_81), TRAP_LEAVE_USER, 0);
	CHECK_EQUAL(trap.eflags & (EFLAGS_IOPL | EFLAGS_VM), EFLAGS_IOPL | EFLAGS_VM);
	/* push 0; push CODE_PARAGRAPH; push 0x10; iret: to 0x10, in the same mode */
	CHECK_TRAP(RUN(IOPL3, 0x6a, 0, 0x68, 0x00, 0x20, 0x6a, 0x10, 0xcf, 0x90, 0x90, 0x90, 0x90,
		       0x90, 0x90, 0x90, 0x90, INT_81),
		   TRAP_LEAVE_USER, 0);
	CHECK_EQUAL(trap.eip, 0x12);
	CHECK(trap.eflags & EFLAGS_VM);
	/* INT n by a gate of DPL 0; INT3 needs no IOPL, but the DPL. */
	CHECK_TRAP(RUN(IOPL3, 0xcd, 0x40), TRAP_GP, 0x40 * 8 + 2);
	CHECK_TRAP(RUN(0, 0xcc), TRAP_GP, TRAP_BP * 8 + 2);
	idt[TRAP_BP] |= (uint64_t)ACCESS_DPL(3) << 40;
	CHECK_TRAP(RUN(0, 0xcc), TRAP_BP, 0);
	CHECK_EQUAL(trap.eip, 1);
	idt[TRAP_BP] &= ~((uint64_t)ACCESS_DPL(3) << 40);
}

static void absent(void)
{
	CHECK_TRAP(RUN(IOPL3, 0xf4), TRAP_GP, 0);                             /* hlt */
	CHECK_TRAP(RUN(IOPL3, 0x0f, 0x20, 0xc0), TRAP_GP, 0);                 /* mov eax, cr0 */
	CHECK_TRAP(RUN(IOPL3, 0x0f, 0x06), TRAP_GP, 0);                       /* clts */
	CHECK_TRAP(RUN(IOPL3, 0x0f, 0x00, 0xd8), TRAP_UD, 0);                 /* ltr ax */
	CHECK_TRAP(RUN(IOPL3, 0x0f, 0x02, 0xc0), TRAP_UD, 0);                 /* lar ax, ax */
	CHECK_TRAP(RUN(IOPL3, 0x63, 0xc0), TRAP_UD, 0);                       /* arpl */
	CHECK_TRAP(RUN(IOPL3, 0x0f, 0x0b), TRAP_UD, 0);                       /* ud2 */
	CHECK_TRAP(RUN(IOPL3, 0x0f, 0x01, 0xe0, INT_81), TRAP_LEAVE_USER, 0); /* smsw ax */
	CHECK(trap.eax & 1);
	CHECK_TRAP(RUN(IOPL3, 0x33, 0xc9, 0xf7, 0xf1), TRAP_DE, 0); /* div cx */
	CHECK_EQUAL(trap.eip, 2);
}

static void ports(void)
{
	big.tss = tss;
	big.tss.io_map = sizeof(big.tss);
	gdt[GDT_FREE] = segment((uint32_t)(uintptr_t)&big, sizeof(big) - 1, ACCESS_TSS32, 0);
	for (unsigned i = 0; i < sizeof(big.map); i++)
		big.map[i] = 0xff;
	big.map[0x80 / 8] = 0xfe;
	big.map[0xa8 / 8] = 0x7f; /* 0xaf, but not 0xb0 */
	__asm__ volatile("ltr %w0" : : "r"(SELECTOR(GDT_FREE)));
	/* IOPL does not matter here. */
	CHECK_TRAP(RUN(IOPL3, 0xe6, 0x81), TRAP_GP, 0);
	CHECK_TRAP(RUN(0, 0xe4, 0x81), TRAP_GP, 0);
	CHECK_TRAP(RUN(0, 0xe6, 0x80, 0xcc), TRAP_GP, TRAP_BP * 8 + 2);
	CHECK_EQUAL(trap.eip, 2);
	CHECK_TRAP(RUN(0, 0xe7, 0x80), TRAP_GP, 0); /* of 2 bytes */
	CHECK_EQUAL(trap.eip, 0);
	CHECK_TRAP(RUN(0, 0xe7, 0xaf), TRAP_GP, 0);
	CHECK_EQUAL(trap.eip, 0);
	CHECK_TRAP(RUN(0, 0xba, 0xff, 0xff, 0xec), TRAP_GP, 0); /* in al, dx: 0xffff */
	gdt[GDT_TSS] &= ~((uint64_t)2 << 40);
	__asm__ volatile("ltr %w0" : : "r"(SELECTOR(GDT_TSS)));
	CHECK_TRAP(RUN(0, 0xe6, 0x80), TRAP_GP, 0); /* no map */
}

/* A handler that goes back: IRET from level 0 restores all of it. */
static unsigned hooked;

static bool skip_hlt(struct trap_frame *frame)
{
	if (frame->vector != TRAP_GP || !(frame->eflags & EFLAGS_VM))
		return false;
	hooked++;
	frame->eip++;
	frame->v_es = 0x7777;
	return true;
}

static void monitor(void)
{
	trap_hook = skip_hlt;
	/* hlt; hlt; mov ax, es; ud2 */
	CHECK_TRAP(RUN(0, 0xf4, 0xf4, 0x8c, 0xc0, 0x0f, 0x0b), TRAP_UD, 0);
	CHECK_EQUAL(hooked, 2);
	CHECK_EQUAL(trap.eip, 4);
	CHECK_EQUAL(trap.eax & 0xffff, 0x7777);
	CHECK_EQUAL(trap.v_ds, DATA_PARAGRAPH);
	trap_hook = 0;
}

void guest_main(uint32_t magic, const void *multiboot_info)
{
	(void)magic;
	(void)multiboot_info;
	traps_init();
	entry();
	limits();
	sensitive();
	absent();
	ports();
	monitor();
	checks_end();
}
