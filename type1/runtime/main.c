/* SPDX-License-Identifier: MIT */
/*
 * main.c - the order in which the runtime comes to life, on the first CPU and on the others.
 */
#include "hw/cpuid.h"
#include "lib/bits.h"
#include "type1/runtime/apic.h"
#include "type1/runtime/boot.h"
#include "type1/runtime/clock.h"
#include "type1/runtime/cpu_init.h"
#include "type1/runtime/frames.h"
#include "type1/runtime/image.h"
#include "type1/runtime/instructions.h"
#include "type1/runtime/log.h"
#include "type1/runtime/memory.h"
#include "type1/runtime/process_private.h"
#include "type1/runtime/serial.h"
#include "type1/runtime/start.h"
#include "type1/runtime/tables.h"
#include "type1/runtime/thread.h"
#include "type1/runtime/trap.h"
#include "type1/runtime/words.h"

#define FIRST_TABLES_END (4 * GIB) /* what start.S maps */

extern uintptr_t __stack_chk_guard;
_Noreturn void runtime_main(uint32_t boot_information); /* of start.S */

/* Unlike for each boot; its lowest byte is 0, which ends strings.  Before the first frame that is
 * guarded, so it is part of one that never returns. */
static inline __attribute__((always_inline)) void choose_canary(void)
{
	uint64_t value = 0;

	if (cpuid(CPUID_LEAF_FEATURES, 0).ecx & CPUID_1_ECX_RDRAND)
		__asm__ volatile("rdrand %0" : "=r"(value) : : "cc");
	__stack_chk_guard = (value ^ read_tsc() << 16) & ~UINT64_C(0xff);
}

static void take_options(void)
{
	const char *line = boot_arguments;
	char text[WORD_TEXT];
	struct word word;

	while (word_next(&line, &word)) {
		if (word_is(&word, "debug"))
			log_set_limit(LOG_DEBUG);
		else
			log_line(LOG_WARNING, "no such option: %s", word_text(&word, text));
	}
}

/* --- Memory, in the order of what needs what */

static uint64_t frames_state_size;
static uint64_t frames_state_at;

static void find_room(uint64_t start, uint64_t end)
{
	if (!frames_state_at && end - start >= frames_state_size)
		frames_state_at = start;
}

static void add_free(uint64_t start, uint64_t end)
{
	uint64_t state_end = frames_state_at + frames_state_size;

	if (start == frames_state_at)
		start = state_end;
	if (start < end)
		frames_add(start, end);
}

/* What is mapped now makes the tables that map all. */
static void init_memory(void)
{
	uint64_t last = 0;
	uint64_t image = (uint64_t)image_start - IMAGE_MAP;
	uint64_t end = (uint64_t)image_end - IMAGE_MAP;

	for (unsigned i = 0; i < boot_memory_count; i++)
		last = MAX(last, boot_memory[i].end);
	frames_state_size = align_up(last / PAGE_SIZE, PAGE_SIZE);
	boot_each_free(0, FIRST_TABLES_END, find_room);
	if (!frames_state_at)
		panic(NULL, "main: not enough memory below 4 GiB");
	frames_init(physical_at(frames_state_at), last / PAGE_SIZE);
	boot_each_free(0, FIRST_TABLES_END, add_free);
	tables_init();
	/* The image only has its own place: nothing else leads to its text, writable. */
	for (unsigned i = 0; i < boot_memory_count; i++) {
		const struct boot_range *range = &boot_memory[i];

		if (image >= range->start && end <= range->end) {
			tables_add_memory(range->start, image);
			tables_add_memory(end, range->end);
		} else {
			tables_add_memory(range->start, range->end);
		}
	}
	write_cr3(table_root);
	boot_each_free(FIRST_TABLES_END, UINT64_MAX, add_free);
}

/* --- CPUs */

static bool all_are_here; /* [atomic] and the first one has done all that is done once */

/* The others. */
static void enter(void)
{
	while (!__atomic_load_n(&all_are_here, __ATOMIC_ACQUIRE))
		cpu_relax();
	syscall_init_cpu();
	scheduler_enter();
}

_Noreturn void runtime_main(uint32_t boot_information)
{
	uint64_t total, free;

	choose_canary();
	clock_tsc_base = read_tsc();
	trap_init();
	trap_init_cpu();
	serial_init();
	boot_init(boot_information);
	take_options();
	acpi_init();
	init_memory();
	screen_init();
	cpu_init_boot();
	clock_init();
	apic_init();
	cpus[0]->apic_id = apic_own_id();
	smp_init();
	smp_start(enter);
	scheduler_init();
	shootdown_init();
	thread_init();
	frames_statistics(&total, &free);
	log_line(LOG_INFO, "%u CPUs, %llu MiB", cpu_count, (unsigned long long)(total / MIB));
	if (thread_start_kernel("start", start_processes, NULL) < 0)
		panic(NULL, "main: no memory for the first thread");
	syscall_init_cpu();
	__atomic_store_n(&all_are_here, true, __ATOMIC_RELEASE);
	scheduler_enter();
}
