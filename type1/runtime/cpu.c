/* SPDX-License-Identifier: MIT */
/*
 * cpu.c - a CPU's own tables and control registers (APM2 sections 3.1, 4.8 and 12.2.5).
 */
#include "hw/cpuid.h"
#include "hw/i8042.h"
#include "hw/uart.h"
#include "hw/vga.h"
#include "hw/x86.h"
#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/runtime/apic.h"
#include "type1/runtime/cpu_init.h"
#include "type1/runtime/instructions.h"
#include "type1/runtime/layout.h"
#include "type1/runtime/memory.h"
#include "type1/runtime/trap.h"

_Static_assert(offsetof(struct cpu, self) == CPU_SELF, "CPU_SELF");
_Static_assert(offsetof(struct cpu, kernel_stack) == CPU_KERNEL_STACK, "CPU_KERNEL_STACK");
_Static_assert(offsetof(struct cpu, user_stack) == CPU_USER_STACK, "CPU_USER_STACK");
_Static_assert(offsetof(struct cpu, preempt_off) == CPU_PREEMPT_OFF, "CPU_PREEMPT_OFF");
_Static_assert(offsetof(struct cpu, reschedule) == CPU_RESCHEDULE, "CPU_RESCHEDULE");

#define PORTS 0x400 /* that the map speaks of: ring 3 has none beyond */

/* APM2 section 12.2.5 */
struct tss {
	uint32_t reserved_0;
	uint64_t rsp[3];
	uint64_t reserved_1c;
	uint64_t ist[7];
	uint64_t reserved_5c;
	uint16_t reserved_64;
	uint16_t io_map; /* its offset; beyond the limit: there is none */
	/* [const] a bit that is 0: ring 3 may; the last byte's are 1 */
	uint8_t ports[PORTS / 8 + 1];
} __attribute__((packed));
_Static_assert(offsetof(struct tss, ports) == TSS_LIMIT + 1, "tss");
_Static_assert(offsetof(struct tss, ist) == TSS64_IST1, "tss.ist");

#define GDT_ENTRIES 7
#define GDT_CODE64                                                                                 \
	(DESCRIPTOR_P | DESCRIPTOR_S | DESCRIPTOR_L |                                              \
	 (uint64_t)SEGMENT_TYPE_CODE_READABLE << DESCRIPTOR_TYPE_SHIFT)
#define GDT_DATA                                                                                   \
	(DESCRIPTOR_P | DESCRIPTOR_S |                                                             \
	 (uint64_t)SEGMENT_TYPE_DATA_WRITABLE << DESCRIPTOR_TYPE_SHIFT)
#define GDT_USER (UINT64_C(3) << DESCRIPTOR_DPL_SHIFT)

struct cpu_tables {
	uint64_t gdt[GDT_ENTRIES];
	struct tss tss;
};

/* What stands at the top of a stack of traps that can arrive anywhere: trap_entry.S takes GS of it.
 */
struct trap_stack_top {
	struct cpu *cpu;
	uint64_t reserved_8; /* the stack is aligned to 16 */
};

struct cpu *cpus[CPUS_MAX];
unsigned cpu_count;
uint8_t cpu_has_smap;

/* What type1_info.has_console stands for. */
static const uint16_t console_ports[] = {
	I8042_DATA_PORT,    I8042_COMMAND_PORT, VGA_CRTC_PORT,      VGA_CRTC_PORT + 1,
	UART_COM1_PORT,     UART_COM1_PORT + 1, UART_COM1_PORT + 2, UART_COM1_PORT + 3,
	UART_COM1_PORT + 4, UART_COM1_PORT + 5, UART_COM1_PORT + 6, UART_COM1_PORT + 7,
};

static void fill_tables(struct cpu *cpu, uint64_t stacks)
{
	struct cpu_tables *tables = cpu->tables;
	struct tss *tss = &tables->tss;
	uint64_t base = (uint64_t)tss;

	for (unsigned i = 0; i < TRAP_STACKS; i++) {
		struct trap_stack_top *top = physical_at(stacks + (i + 1) * PAGE_SIZE);

		top--;
		top->cpu = cpu;
		tss->ist[i] = (uint64_t)top;
	}
	tss->io_map = sizeof(*tss);
	memset(tss->ports, UINT8_MAX, sizeof(tss->ports));
	for (unsigned i = 0; i < ARRAY_COUNT(console_ports); i++)
		tss->ports[console_ports[i] / 8] &= (uint8_t)~BIT(console_ports[i] % 8);
	tables->gdt[SELECTOR_KERNEL_CODE / 8] = GDT_CODE64;
	tables->gdt[SELECTOR_KERNEL_DATA / 8] = GDT_DATA;
	tables->gdt[SELECTOR_USER_DATA / 8] = GDT_DATA | GDT_USER;
	tables->gdt[SELECTOR_USER_CODE / 8] = GDT_CODE64 | GDT_USER;
	/* Limit, base in three parts, type. */
	tables->gdt[SELECTOR_TSS / 8] = (sizeof(*tss) - 1) | (base & 0xffffff) << 16 |
					(uint64_t)SYSTEM_TYPE_TSS32 << DESCRIPTOR_TYPE_SHIFT |
					DESCRIPTOR_P | (base >> 24 & 0xff) << 56;
	tables->gdt[SELECTOR_TSS / 8 + 1] = base >> 32;
}

struct cpu *cpu_create(uint32_t apic_id)
{
	const unsigned order = 2; /* TRAP_STACKS pages, of 4 */
	struct cpu *cpu = heap_alloc(sizeof(*cpu), &runtime_account);
	uint64_t stacks;

	_Static_assert(TRAP_STACKS <= 1 << 2, "order");
	if (!cpu)
		return NULL;
	cpu->self = cpu;
	cpu->apic_id = apic_id;
	cpu->number = cpu_count;
	cpu->tables = heap_alloc(sizeof(*cpu->tables), &runtime_account);
	stacks = frames_alloc(order, &runtime_account);
	if (!cpu->tables || !stacks) {
		heap_free(cpu->tables);
		if (stacks)
			frames_free(stacks, order, &runtime_account);
		heap_free(cpu);
		return NULL;
	}
	fill_tables(cpu, stacks);
	cpus[cpu_count] = cpu;
	return cpu;
}

void cpu_set_kernel_stack(uint64_t top)
{
	struct cpu *cpu = this_cpu();

	cpu->kernel_stack = top;
	cpu->tables->tss.rsp[0] = top;
}

void cpu_set_ports(bool allowed)
{
	struct tss *tss = &this_cpu()->tables->tss;

	tss->io_map = allowed ? offsetof(struct tss, ports) : sizeof(*tss);
}

static void load_segments(struct cpu *cpu)
{
	const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed))
	pointer = {sizeof(cpu->tables->gdt) - 1, (uint64_t)cpu->tables->gdt};

	/* CS by a far return; the others are data, FS and GS null. */
	__asm__ volatile("lgdt %0\n\t"
			 "pushq %1\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "pushq %%rax\n\t"
			 "lretq\n"
			 "1:\n\t"
			 "movl %2, %%eax\n\t"
			 "movl %%eax, %%ss\n\t"
			 "xorl %%eax, %%eax\n\t"
			 "movl %%eax, %%ds\n\t"
			 "movl %%eax, %%es\n\t"
			 "movl %%eax, %%fs\n\t"
			 "movl %%eax, %%gs\n\t"
			 "ltr %w3"
			 :
			 : "m"(pointer), "i"(SELECTOR_KERNEL_CODE), "i"(SELECTOR_KERNEL_DATA),
			   "r"(SELECTOR_TSS)
			 : "rax", "memory");
}

/* What the CPU has of what keeps ring 3 out. */
static void load_control(void)
{
	struct cpuid_result features = cpuid(CPUID_LEAF_FEATURES, 0);
	struct cpuid_result structured = {0};
	uint64_t cr4 = CR4_PAE | CR4_PGE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT;

	if (cpuid(CPUID_LEAF_VENDOR, 0).eax >= CPUID_LEAF_STRUCTURED)
		structured = cpuid(CPUID_LEAF_STRUCTURED, 0);
	if (features.ecx & CPUID_1_ECX_XSAVE)
		cr4 |= CR4_OSXSAVE;
	if (structured.ebx & CPUID_7_EBX_FSGSBASE)
		cr4 |= CR4_FSGSBASE;
	if (structured.ebx & CPUID_7_EBX_SMEP)
		cr4 |= CR4_SMEP;
	if (structured.ebx & CPUID_7_EBX_SMAP)
		cr4 |= CR4_SMAP;
	if (structured.ecx & CPUID_7_ECX_UMIP)
		cr4 |= CR4_UMIP;
	if ((cr4 & CR4_OSXSAVE) && (structured.ecx & CPUID_7_ECX_PKU))
		cr4 |= CR4_PKE; /* for guests; what ring 3 does with it is its own */
	write_cr0(CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG);
	write_cr4(cr4);
	cpu_has_smap = !!(cr4 & CR4_SMAP);
	write_msr(MSR_EFER, read_msr(MSR_EFER) | EFER_NXE);
}

void cpu_load(struct cpu *cpu)
{
	load_segments(cpu);
	write_msr(MSR_GS_BASE, (uint64_t)cpu);
	write_msr(MSR_KERNEL_GS_BASE, 0);
	trap_init_cpu();
	load_control();
}

void cpu_init_boot(void)
{
	struct cpu *cpu = cpu_create(0);

	if (!cpu)
		panic(NULL, "cpu: no memory");
	cpu_load(cpu);
	cpu->online = true;
	cpu_count = 1;
}
