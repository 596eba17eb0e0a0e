/* SPDX-License-Identifier: MIT */
/*
 * smp.c - starts the other CPUs (Intel SDM volume 3, section 9.4.4), and calls functions on all.
 */
#include "lib/bytes.h"
#include "type1/runtime/apic.h"
#include "type1/runtime/boot.h"
#include "type1/runtime/cpu_init.h"
#include "type1/runtime/instructions.h"
#include "type1/runtime/memory.h"
#include "type1/runtime/tables.h"

#define INIT_WAIT_NS UINT64_C(10000000)
#define STARTUP_WAIT_NS UINT64_C(200000)
#define ONLINE_WAIT_NS UINT64_C(1000000000)
#define STARTUPS 2
#define PAGE_SHIFT 12

/* Of trampoline.S; the last three are copied with it, and hold offsets from its start. */
extern const char trampoline[], trampoline_end[], trampoline_gdt_base[], trampoline_far32[];
extern uint64_t smp_stack; /* for the CPU that starts: the top */
extern struct cpu *smp_cpu;
_Noreturn void smp_entered(struct cpu *cpu); /* of trampoline.S */

uint64_t smp_stack;
struct cpu *smp_cpu;
static void (*smp_enter)(void);

static void delay(uint64_t nanoseconds)
{
	uint64_t end = clock_now() + nanoseconds;

	while (clock_now() < end)
		cpu_relax();
}

_Noreturn void smp_entered(struct cpu *cpu)
{
	cpu_load(cpu);
	apic_init_cpu();
	__atomic_store_n(&cpu->online, true, __ATOMIC_RELEASE);
	smp_enter();
	panic(NULL, "smp: CPU %u came back", cpu->number);
}

static bool is_online(const struct cpu *cpu)
{
	return __atomic_load_n(&cpu->online, __ATOMIC_ACQUIRE);
}

static void start(uint32_t apic_id, uint64_t page)
{
	struct cpu *cpu = cpu_create(apic_id);
	char *stack = stack_alloc(&runtime_account);
	uint64_t end;

	if (!cpu || !stack)
		panic(NULL, "smp: no memory");
	smp_cpu = cpu;
	smp_stack = (uint64_t)(stack + KERNEL_STACK);
	apic_send_mode(apic_id, APIC_MODE_INIT, 0);
	delay(INIT_WAIT_NS);
	for (unsigned i = 0; i < STARTUPS && !is_online(cpu); i++) {
		apic_send_mode(apic_id, APIC_MODE_STARTUP, (uint8_t)(page >> PAGE_SHIFT));
		delay(STARTUP_WAIT_NS);
	}
	end = clock_now() + ONLINE_WAIT_NS;
	while (!is_online(cpu) && clock_now() < end)
		cpu_relax();
	/* One that is late would run on a stack and as a CPU that are another's. */
	if (!is_online(cpu))
		panic(NULL, "smp: the CPU with APIC ID %u doesn't start", apic_id);
	cpu_count++;
}

static void add_to_copy(char *copy, const char *place, uint64_t page)
{
	uint32_t value;

	memcpy(&value, place, sizeof(value));
	value += (uint32_t)page;
	memcpy(copy + (place - trampoline), &value, sizeof(value));
}

void smp_start(void (*entered)(void))
{
	uint64_t page = boot_low_page();
	char *copy = physical_at(page);

	smp_enter = entered;
	if (acpi_machine.cpu_count > 1 && !page)
		panic(NULL, "smp: no memory below 1 MiB");
	if (!page)
		return;
	memcpy(copy, trampoline, (size_t)(trampoline_end - trampoline));
	add_to_copy(copy, trampoline_gdt_base, page);
	add_to_copy(copy, trampoline_far32, page);
	for (unsigned i = 0; i < acpi_machine.cpu_count; i++) {
		if (acpi_machine.apic_ids[i] != cpus[0]->apic_id)
			start(acpi_machine.apic_ids[i], page);
	}
}

/* --- Calls */

static struct {
	bool busy; /* [atomic] who set it has all of this */
	void (*call)(void *);
	void *arg;
	uint32_t left; /* [atomic] who haven't called yet */
} smp_call;

static void take_call(struct trap_frame *frame)
{
	(void)frame;
	apic_eoi();
	smp_call.call(smp_call.arg);
	/* Release: the caller sees what was done. */
	__atomic_sub_fetch(&smp_call.left, 1, __ATOMIC_RELEASE);
}

void cpus_call(void (*call)(void *), void *arg)
{
	preempt_off();
	/* Interrupts are on: the one who has it may be waiting for this CPU. */
	while (__atomic_exchange_n(&smp_call.busy, true, __ATOMIC_ACQUIRE))
		cpu_relax();
	smp_call.call = call;
	smp_call.arg = arg;
	__atomic_store_n(&smp_call.left, cpu_count - 1, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < cpu_count; i++) {
		if (i != this_cpu()->number)
			apic_send(i, VECTOR_CALL);
	}
	while (__atomic_load_n(&smp_call.left, __ATOMIC_ACQUIRE))
		cpu_relax();
	__atomic_store_n(&smp_call.busy, false, __ATOMIC_RELEASE);
	preempt_on();
}

void smp_init(void)
{
	trap_set_handler(VECTOR_CALL, take_call);
}
