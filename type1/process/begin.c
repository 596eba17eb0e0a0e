/* SPDX-License-Identifier: MIT */
/*
 * begin.c - the beginning of a process in C, its end, and the end that the stack protector wants.
 */
#include <cpuid.h>

#include "hw/cpuid.h"
#include "lib/bits.h"
#include "type1/process/call.h"
#include "type1/process/process.h"
#include "type1/process/thread.h"

#define STATUS_ABORTED 1

struct thread_block process_thread_block;
const struct type1_info *process_info;

_Noreturn void process_begin(const struct type1_info *info);

static _Noreturn void begin_main(const struct type1_info *info)
{
	process_exit(main(info));
}

/*
 * A processor without WRFSBASE (AMD APM volume 2, 3.1.3, CR4.FSGSBASE): only threads that are
 * started have a base.  So main() runs on one, on the far half of the first one's stack, which
 * sleeps for as long as the process lives.
 */
static _Noreturn void begin_main_on_thread(const struct type1_info *info)
{
	uint64_t top = align_down(call_address(__builtin_frame_address(0)) - TYPE1_STACK / 2,
				  THREAD_STACK_ALIGNMENT);
	int64_t handle =
		call4(TYPE1_THREAD_START, (uint64_t)(uintptr_t)begin_main, top - THREAD_STACK_BEGIN,
		      call_address(info), call_address(&process_thread_block));

	if (handle < 0)
		process_abort("the first thread can't be started: the process ends");
	for (;;)
		call1(TYPE1_THREAD_JOIN, (uint64_t)handle);
}

/* Changes the canary, which so must not be looked at on its own way out. */
__attribute__((no_stack_protector)) _Noreturn void process_begin(const struct type1_info *info)
{
	uint8_t *canary = (uint8_t *)&process_thread_block.canary;
	unsigned eax, ebx = 0, ecx, edx;

	process_info = info;
	if (!__get_cpuid(CPUID_LEAF_FEATURES, &eax, &ebx, &ecx, &edx) ||
	    !(ecx & CPUID_1_ECX_RDRAND))
		process_abort("the CPU has no random numbers (RDRAND): the process ends");
	process_thread_block.canary = process_random();
	canary[0] = 0; /* an overrun by a string can't write it and go on */
	/* The runtime turns it on wherever it is there. */
	if (__get_cpuid_count(CPUID_LEAF_STRUCTURED, 0, &eax, &ebx, &ecx, &edx) &&
	    (ebx & CPUID_7_EBX_FSGSBASE))
		__asm__ volatile("wrfsbase %0" : : "r"(&process_thread_block));
	else
		begin_main_on_thread(info);
	begin_main(info);
}

_Noreturn void process_exit(int status)
{
	for (;;)
		call1(TYPE1_EXIT, (uint64_t)status);
}

_Noreturn void process_abort(const char *why)
{
	os_log(OS_LOG_ERROR, why);
	process_exit(STATUS_ABORTED);
}

/* Called by functions that find their canary changed. */
_Noreturn void __stack_chk_fail(void);
_Noreturn void __stack_chk_fail(void)
{
	process_abort("a stack was overwritten: the process ends");
}
