/* SPDX-License-Identifier: MIT */
/*
 * exits.c - from the VMCS's exit to backend.h's, or to what is done about it here.  SDM3 chapter 28
 * and appendix C.
 */
#include "hypervisor/msr.h"
#include "hypervisor/run.h"
#include "hypervisor/x86/vmx/vmx.h"

/* --- The core's exits ------------------------------------------------------------------------- */

enum vmx_next vmx_fail(struct vmx_vcpu *c, struct exit *exit, const char *text)
{
	exit->kind = EXIT_FAILED;
	exit->failure.reason = c->reason;
	exit->failure.text = text;
	return VMX_CORE;
}

static enum vmx_next raise(struct vmx_vcpu *c, uint8_t vector, bool has_error, uint32_t error)
{
	vcpu_raise(&c->vcpu, vector, has_error, error);
	return VMX_CORE;
}

/* The exit goes to the core, who changes more than the hot part by a write to an MSR; but those of
 * the local APIC are in no VMCS. */
static enum vmx_next give(struct vmx_vcpu *c, struct exit *exit)
{
	if (exit->kind == EXIT_MSR_WRITE && !msr_is_lapic((uint32_t)c->vcpu.state.gpr[CPU_RCX]))
		vmx_state_changes(c);
	return VMX_CORE;
}

static enum vmx_next try_fast(struct vmx_vcpu *c, struct exit *exit)
{
	enum run_fast fast = run_handle_fast(&c->vcpu, exit);

	if (fast == RUN_FAST_NO)
		return give(c, exit);
	exit->kind = EXIT_NONE;
	return fast == RUN_FAST_AGAIN ? VMX_AGAIN : VMX_CORE;
}

static enum vmx_next handle_instruction(struct vmx_vcpu *c, struct exit *exit, enum exit_kind kind)
{
	exit->kind = kind;
	exit->length = (uint8_t)vmread(VMCS_EXIT_LENGTH);
	return try_fast(c, exit);
}

static enum vmx_next handle_port(struct vmx_vcpu *c, struct exit *exit)
{
	uint32_t info = vmread32(VMCS_EXIT_QUALIFICATION);

	if (info & VMX_IO_STRING)
		return VMX_OUTSIDE;
	c->access.port = (uint16_t)(info >> VMX_IO_PORT_SHIFT);
	c->access.size = VMX_IO_SIZE(info);
	c->access.length = (uint8_t)vmread(VMCS_EXIT_LENGTH);
	c->access.write = !(info & VMX_IO_IN);
	if (device_access_port(&c->access, &c->vcpu, exit)) {
		vmx_complete_access(&c->vcpu, 0);
		return VMX_CORE;
	}
	return try_fast(c, exit);
}

static enum vmx_next handle_exception(struct vmx_vcpu *c, struct exit *exit)
{
	unsigned vector = c->interruption & VMX_INTERRUPTION_VECTOR;

	if (VMX_INTERRUPTION_TYPE(c->interruption) == VMX_INTERRUPTION_NMI)
		return VMX_AGAIN; /* the host's; run.c has seen to it */
	switch (vector) {
	case CPU_VECTOR_DB:
	case CPU_VECTOR_BP:
		return vmx_debug_exception(c, vector, exit);
	case CPU_VECTOR_UD:
		return VMX_OUTSIDE;
	case CPU_VECTOR_MC:
		return VMX_AGAIN; /* as an NMI */
	default:
		return raise(c, (uint8_t)vector, true, vmread32(VMCS_EXIT_ERROR));
	}
}

/* A cache that is coherent has nothing to write back for the guest. */
static enum vmx_next skip(struct vmx_vcpu *c)
{
	run_finish(&c->vcpu, (uint8_t)vmread(VMCS_EXIT_LENGTH));
	return device_access_finished(&c->access, &c->vcpu) ? VMX_CORE : VMX_AGAIN;
}

static enum vmx_next handle_control_register(struct exit *exit)
{
	uint64_t q = vmread(VMCS_EXIT_QUALIFICATION);

	if (VMX_CONTROL_REGISTER(q) != 8 || VMX_CONTROL_ACCESS(q) > VMX_CONTROL_ACCESS_FROM)
		return VMX_OUTSIDE;
	exit->kind =
		VMX_CONTROL_ACCESS(q) == VMX_CONTROL_ACCESS_TO ? EXIT_CR8_WRITE : EXIT_CR8_READ;
	exit->length = (uint8_t)vmread(VMCS_EXIT_LENGTH);
	exit->reg = (uint8_t)VMX_CONTROL_GENERAL(q);
	return VMX_CORE;
}

static enum vmx_next handle_debug_register(struct vmx_vcpu *c)
{
	if (c->vcpu.debug_hardware)
		return VMX_OUTSIDE;
	vmx_debug_take(c);
	return VMX_AGAIN;
}

/* Of those that exit whatever the guest's CPUID says. */
static bool is_refused(uint32_t reason)
{
	return (reason >= VMX_REASON_VMCLEAR && reason <= VMX_REASON_VMXON) ||
	       reason == VMX_REASON_GETSEC || reason == VMX_REASON_RSM ||
	       reason == VMX_REASON_MONITOR || reason == VMX_REASON_MWAIT ||
	       reason == VMX_REASON_INVEPT || reason == VMX_REASON_INVVPID ||
	       reason == VMX_REASON_ENCLS;
}

enum vmx_next vmx_exit_inside(struct vmx_vcpu *c, struct exit *exit)
{
	switch (c->reason) {
	case VMX_REASON_WRMSR:
		return handle_instruction(c, exit, EXIT_MSR_WRITE);
	case VMX_REASON_RDMSR:
		return handle_instruction(c, exit, EXIT_MSR_READ);
	case VMX_REASON_IO:
		return handle_port(c, exit);
	case VMX_REASON_CPUID:
		return handle_instruction(c, exit, EXIT_CPUID);
	case VMX_REASON_EXTERNAL_INTERRUPT:
	case VMX_REASON_INIT:
	case VMX_REASON_SIPI:
	case VMX_REASON_MACHINE_CHECK:
	case VMX_REASON_PREEMPTION_TIMER:
		return VMX_AGAIN;
	case VMX_REASON_INTERRUPT_WINDOW:
		exit->kind = EXIT_INTERRUPT_WINDOW;
		return VMX_CORE;
	case VMX_REASON_NMI_WINDOW:
		exit->kind = EXIT_NMI_WINDOW;
		return VMX_CORE;
	case VMX_REASON_HLT:
		return handle_instruction(c, exit, EXIT_HLT);
	case VMX_REASON_VMCALL:
		vmx_vmcs_take_level(c);
		return handle_instruction(c, exit, EXIT_HYPERCALL);
	case VMX_REASON_PAUSE:
		return handle_instruction(c, exit, EXIT_PAUSE);
	case VMX_REASON_XSETBV:
		return handle_instruction(c, exit, EXIT_XSETBV);
	case VMX_REASON_EXCEPTION:
		return handle_exception(c, exit);
	case VMX_REASON_CONTROL_REGISTER:
		return handle_control_register(exit);
	case VMX_REASON_DEBUG_REGISTER:
		return handle_debug_register(c);
	case VMX_REASON_INVD:
	case VMX_REASON_WBINVD:
		return skip(c);
	case VMX_REASON_RDPMC:
		return raise(c, CPU_VECTOR_GP, true, 0);
	case VMX_REASON_TRIPLE_FAULT:
		exit->kind = EXIT_SHUTDOWN;
		return VMX_CORE;
	default:
		if (is_refused(c->reason))
			return raise(c, CPU_VECTOR_UD, false, 0);
		return c->reason & VMX_REASON_ENTRY_FAILED ? vmx_entry_failed(c, exit)
							   : VMX_OUTSIDE;
	}
}

/* --- Outside the inner loop ------------------------------------------------------------------- */

/* What could not be emulated, if anything, ends the VM. */
static bool emulated(struct vmx_vcpu *c, struct exit *exit, bool look, const char *why)
{
	if (why)
		vmx_fail(c, exit, why);
	return look;
}

bool vmx_go_on_emulating(struct vmx_vcpu *c, struct exit *exit)
{
	const char *why;
	bool look;

	vmx_sync_state(&c->vcpu);
	look = device_access_go_on(&c->access, &c->vcpu, exit, &why);
	return emulated(c, exit, look, why);
}

bool vmx_emulate(struct vmx_vcpu *c, struct exit *exit)
{
	const char *why;
	bool look;

	vmx_sync_state(&c->vcpu);
	look = device_access_emulate(&c->access, &c->vcpu, exit, &why);
	return emulated(c, exit, look, why);
}

static bool is_walk(uint64_t qualification)
{
	return (qualification & VMX_EPT_VIOLATION_LINEAR) &&
	       !(qualification & VMX_EPT_VIOLATION_TRANSLATED);
}

static bool handle_ept_violation(struct vmx_vcpu *c, struct exit *exit)
{
	struct stage2 *stage2 = &vmx_vm_of(c->vcpu.vm)->stage2;
	bool write = c->qualification & VMX_EPT_VIOLATION_WRITE;
	int err;

	if (c->vcpu.async_faults)
		vmx_vmcs_take_level(c); /* whether it can be told depends on it */
	err = stage2_fault_of(stage2, &c->spare, &c->vcpu, c->gpa, write);
	if (err == -ENOENT && !is_walk(c->qualification))
		return vmx_emulate(c, exit);
	if (err && err != -EINTR)
		vmx_fail(c, exit, stage2_failure(err));
	return err;
}

/* VMMCALL is another maker's VMCALL: a guest may have come from its CPU, or not look whose it is
 * on. */
static bool handle_undefined(struct vmx_vcpu *c, struct exit *exit)
{
	struct decode_insn insn;

	vmx_sync_state(&c->vcpu);
	if (emulate_decode(&c->vcpu, &insn) && insn.op == OP_VMMCALL) {
		exit->kind = EXIT_HYPERCALL;
		exit->length = insn.length;
	} else {
		raise(c, CPU_VECTOR_UD, false, 0);
	}
	return true;
}

bool vmx_exit_outside(struct vmx_vcpu *c, struct exit *exit)
{
	switch (c->reason) {
	case VMX_REASON_EPT_VIOLATION:
		return handle_ept_violation(c, exit);
	case VMX_REASON_EXCEPTION:
		return handle_undefined(c, exit);
	case VMX_REASON_CONTROL_REGISTER:
		return vmx_control_exit(c, exit);
	case VMX_REASON_IO:
	case VMX_REASON_DEBUG_REGISTER:
		return vmx_emulate(c, exit);
	case VMX_REASON_TASK_SWITCH:
		return vmx_task_switch(c, exit);
	default:
		vmx_fail(c, exit, "an exit that is not known");
		return true;
	}
}

/* --- The core's answer ------------------------------------------------------------------------ */

void vmx_complete_access(struct vcpu *vcpu, uint64_t data)
{
	struct vmx_vcpu *c = vmx_of(vcpu);

	device_access_complete(&c->access, vcpu, data, c->debug_live);
}
