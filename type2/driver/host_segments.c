// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * host_segments.c - what Intel's VMX changes of a CPU's registers, and Linux keeps books of: CR4,
 * and what an exit leaves of segment registers.
 */
#include <asm/desc.h>
#include <asm/msr.h>
#include <asm/segment.h>
#include <asm/special_insns.h>
#include <asm/tlbflush.h>

#include "type2/driver/driver.h"

void host_cr4_change(uint64_t set, uint64_t clear)
{
	unsigned long flags;

	local_irq_save(flags);
	cr4_update_irqsoff(set, clear);
	local_irq_restore(flags);
}

/* A thread of 64 bits has selectors of 0, those of 32 bits their own. */
static void restore_selectors(const struct host_segments *before)
{
	loadsegment(ds, before->ds);
	loadsegment(es, before->es);
	if (before->fs) {
		loadsegment(fs, before->fs);
		wrmsrl(MSR_FS_BASE, before->fs_base);
	}
	if (before->gs) {
		load_gs_index(before->gs);
		wrmsrl(MSR_KERNEL_GS_BASE, before->kernel_gs_base);
	}
}

void host_segments_lost(const struct host_segments *before)
{
	if (before->ds | before->es | before->fs | before->gs)
		restore_selectors(before);
	if (before->ldtr)
		asm volatile("lldt %0" : : "m"(before->ldtr));
	invalidate_tss_limit();
}
