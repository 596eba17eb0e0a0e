/* SPDX-License-Identifier: MIT */
/*
 * fault.c - exceptions of ring 3: a page that was discarded comes again; for anything else the
 * process ends, and the log says why.
 */
#include "hw/x86.h"
#include "type1/runtime/instructions.h"
#include "type1/runtime/process.h"
#include "type1/runtime/trap.h"

#define STATUS_FAULT (-1)

/* APM2 table 8-1 */
static const char *const exception_names[TRAP_EXCEPTIONS] = {
	[0] = "divide error",         [1] = "debug trap",
	[3] = "breakpoint",           [4] = "overflow",
	[5] = "bound range",          [6] = "invalid opcode",
	[7] = "device not available", [10] = "invalid TSS",
	[11] = "segment not present", [12] = "stack fault",
	[13] = "general protection",  [TRAP_PAGE_FAULT] = "page fault",
	[16] = "x87 error",           [17] = "alignment check",
	[19] = "SIMD error",          [21] = "control protection",
};

/* Whether the page is there and has the rights now: another thread may have been faster. */
static bool page_comes(struct process *process, uint64_t address, uint64_t error)
{
	struct table_entry entry;
	bool write = error & PAGE_FAULT_WRITE;

	if (error & (PAGE_FAULT_RESERVED | PAGE_FAULT_PK))
		return false;
	return !space_find(&process->space, address, write, &entry) &&
	       (!(error & PAGE_FAULT_FETCH) || (entry.rights & TABLE_EXECUTE));
}

void process_fault(struct trap_frame *frame)
{
	struct process *process = process_current();
	const char *name = exception_names[frame->vector];
	uint64_t address = read_cr2();

	__asm__ volatile("sti" : : : "memory");
	if (frame->vector == TRAP_PAGE_FAULT) {
		if (page_comes(process, address, frame->error))
			return;
		log_line(LOG_ERROR, "process %s ends: page fault at %llx, which wanted to %s %llx",
			 process->name, (unsigned long long)frame->rip,
			 frame->error & PAGE_FAULT_WRITE   ? "write"
			 : frame->error & PAGE_FAULT_FETCH ? "run"
							   : "read",
			 (unsigned long long)address);
	} else {
		log_line(LOG_ERROR, "process %s ends: %s at %llx, error code %llx", process->name,
			 name ? name : "an exception", (unsigned long long)frame->rip,
			 (unsigned long long)frame->error);
	}
	process_exit(STATUS_FAULT);
}
