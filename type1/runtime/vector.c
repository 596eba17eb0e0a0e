/* SPDX-License-Identifier: MIT */
/*
 * vector.c - the vector registers of ring 3, and its PKRU: a thread's are in the CPU's registers
 * while it runs, in ring 0 too, which has no use for them; when it loses the CPU they are saved.
 * Only the core, which loads a guest's, borrows them between.
 */
#include "hw/cpuid.h"
#include "hw/x86.h"
#include "type1/runtime/instructions.h"
#include "type1/runtime/thread_private.h"

/* What of it ring 3 has: what an XSAVE area in standard form has room for, and no more. */
#define COMPONENTS (XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512 | XCR0_PKRU)
#define XCR0_AVX512 (UINT64_C(7) << 5) /* opmask and both parts of ZMM */
#define AREA_MXCSR 24                  /* APM2 section 11.4.4 */
#define MXCSR_DEFAULT 0x1f80u

static uint64_t components; /* [const] after boot, as is the next */
static uint32_t area_size;

void vector_init_cpu(void)
{
	struct cpuid_result leaf = cpuid(CPUID_LEAF_XSAVE, 0);
	uint64_t supported = leaf.eax & COMPONENTS;

	if (!(cpuid(CPUID_LEAF_FEATURES, 0).ecx & CPUID_1_ECX_XSAVE))
		panic(NULL, "the CPU has no XSAVE, which the runtime needs");
	if (!(supported & XCR0_AVX))
		supported &= ~XCR0_AVX512;
	if (this_cpu()->number == 0)
		components = supported;
	write_xcr0(components);
	/* With XCR0 set, EBX is the size of an area for what it has. */
	if (this_cpu()->number == 0)
		area_size = cpuid(CPUID_LEAF_XSAVE, 0).ebx;
}

/* An area of zeroes is that of registers in their initial state, but for MXCSR. */
bool vector_create(struct thread *thread)
{
	static const uint32_t mxcsr = MXCSR_DEFAULT;

	thread->vector = heap_alloc(area_size, &thread->process->account);
	if (thread->vector)
		__builtin_memcpy((uint8_t *)thread->vector + AREA_MXCSR, &mxcsr, sizeof(mxcsr));
	return thread->vector;
}

void thread_save_vector(struct thread *thread)
{
	save_vector_state(thread->vector, components);
}

/* They may still be there, if since then only threads ran here that have none. */
void thread_load_vector(struct thread *thread)
{
	struct run_queue *queue = this_cpu()->queue;

	if (queue->vector_owner != thread || thread->vector_queue != queue)
		load_vector_state(thread->vector, components);
	queue->vector_owner = thread;
	thread->vector_queue = queue;
}

void vector_borrow(void)
{
	struct thread *thread = thread_current();

	if (thread->vector)
		thread_save_vector(thread);
	this_cpu()->queue->vector_owner = NULL;
}

void vector_return(void)
{
	struct thread *thread = thread_current();

	if (thread->vector)
		thread_load_vector(thread);
}
