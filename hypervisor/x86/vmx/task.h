/* SPDX-License-Identifier: MIT */
/*
 * task.h - what the files of task switches share: task.c has the switch, task_segments.c the new
 * task's segments.  Functions return false when a fault has been raised, or the VM can't go on.
 */
#ifndef DYAD_HYPERVISOR_X86_VMX_TASK_H
#define DYAD_HYPERVISOR_X86_VMX_TASK_H

#include "hypervisor/x86/vmx/vmx.h"

/* As the exit qualification has it. */
enum task_source { TASK_CALL, TASK_RETURN, TASK_JUMP, TASK_GATE };

struct task_switch {
	struct vcpu *vcpu;
	enum task_source source;
	bool external; /* an event from outside, or an exception, is being delivered */
	bool has_error;
	uint32_t error;
	uint64_t next_rip;      /* of the old task */
	struct cpu_segment tss; /* the new one's */
	uint64_t descriptor;    /* where its descriptor stands */
	bool failed;            /* what it needs is a device's */
};

bool task_read(struct task_switch *t, uint64_t linear, void *data, size_t size);
/* Bits of a descriptor's byte that has the type. */
bool task_set_attributes(struct task_switch *t, uint64_t descriptor, uint8_t clear, uint8_t set);
/* Raises an exception whose error code names the selector; returns false. */
bool task_fault(struct task_switch *t, uint8_t vector, uint16_t selector);

/* The new task's TSS, by its selector. */
bool task_find(struct task_switch *t);
void task_segment_null(struct cpu_segment *segment, uint16_t selector);
/* All segment registers; the state has RFLAGS and the CPL already. */
bool task_load_segments(struct task_switch *t, const uint16_t selectors[CPU_SEGMENTS],
			uint16_t ldt);

#endif
