/* SPDX-License-Identifier: MIT */
/*
 * device_access.c - an instruction that reaches a device (device_access.h).
 */
#include "hypervisor/x86/device_access.h"

#include "hypervisor/run.h"
#include "hypervisor/x86/debug_registers.h"

bool device_access_go_on(struct device_access *a, struct vcpu *vcpu, struct exit *exit,
			 const char **why)
{
	enum emulate_result result = emulate_instruction(&a->emulate, vcpu, exit);

	*why = NULL;
	a->kind = result == EMULATE_ACCESS ? DEVICE_ACCESS_EMULATION : DEVICE_ACCESS_NONE;
	a->rip = vcpu->state.rip;
	switch (result) {
	case EMULATE_ACCESS:
		return true;
	case EMULATE_DONE:
		return device_access_finished(a, vcpu);
	case EMULATE_FAULT:
		/* An event that the core has taken already comes first; the fault comes again. */
		if (vcpu->inject.kind != CPU_EVENT_NONE)
			vcpu->exception.kind = CPU_EVENT_NONE;
		return true;
	default:
		*why = "an instruction that is not emulated reached a device";
		return true;
	}
}

bool device_access_emulate(struct device_access *a, struct vcpu *vcpu, struct exit *exit,
			   const char **why)
{
	if (vcpu->inject.kind != CPU_EVENT_NONE) {
		*why = "the delivery of an event reached a device";
		return true;
	}
	emulate_forget(&a->emulate);
	return device_access_go_on(a, vcpu, exit, why);
}

/* The guest may have a breakpoint on the port. */
static void check_breakpoints(const struct device_access *a, struct vcpu *vcpu, bool live)
{
	uint64_t hits;

	if (vcpu->debug_hardware)
		return;
	if (live)
		save_debug_addresses(vcpu->state.dr);
	hits = find_port_breakpoints(&vcpu->state, a->port, a->size);
	if (!hits)
		return;
	vcpu->state.dr6 |= hits;
	vcpu_raise(vcpu, CPU_VECTOR_DB, false, 0);
}

void device_access_complete(struct device_access *a, struct vcpu *vcpu, uint64_t data, bool live)
{
	uint64_t *rax = &vcpu->state.gpr[CPU_RAX], mask = size_mask(a->size);

	if (vcpu->state.rip != a->rip)
		device_access_forget(a);
	if (a->kind == DEVICE_ACCESS_EMULATION) {
		emulate_answer(&a->emulate, data);
		return;
	}
	if (a->kind != DEVICE_ACCESS_PORT)
		return; /* the vCPU was reset meanwhile, or sent elsewhere */
	a->kind = DEVICE_ACCESS_NONE;
	if (!a->write)
		*rax = a->size == 4 ? (uint32_t)data : (*rax & ~mask) | (data & mask);
	run_finish(vcpu, a->length);
	if (vcpu->state.dr7 & DR7_ANY)
		check_breakpoints(a, vcpu, live);
	a->step_done = vcpu->debug_step;
}

void device_access_forget(struct device_access *a)
{
	a->kind = DEVICE_ACCESS_NONE;
	emulate_forget(&a->emulate);
}
