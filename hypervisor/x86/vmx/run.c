/* SPDX-License-Identifier: MIT */
/*
 * run.c - the loops.  The inner one goes between the guest and exits that need nothing of the host:
 * preemption is off, the guest's vector state is in the registers, its VMCS is the current one. The
 * outer one, which may sleep, maps memory and emulates instructions.
 *
 * Interrupts are off from before the last look at what there is to do until the guest is entered,
 * so that who changes that and sends an interrupt is not missed.  In the guest each of the host's
 * exits, and is taken when they are on again.
 */
#include "hypervisor/run.h"
#include "hypervisor/x86/privileged.h"
#include "hypervisor/x86/vmx/layout.h"
#include "hypervisor/x86/vmx/vmx.h"

#define VPID_LIMIT 0x10000u /* 0 is the host's */

/* --- The CPU ---------------------------------------------------------------------------------- */

/* A VPID that no other vCPU has had on this CPU since its TLB was last flushed. */
static void take_vpid(struct vmx_vcpu *c, struct vmx_cpu *cpu)
{
	if (cpu->next_vpid >= VPID_LIMIT) {
		cpu->next_vpid = 1;
		cpu->vpid_generation++;
		invvpid(INVVPID_ALL, 0);
	}
	c->vpid_generation = cpu->vpid_generation;
	vmwrite(VMCS_VPID, cpu->next_vpid++);
}

static void flush_ept(const struct vmx_vcpu *c)
{
	uint64_t pointer = vmx_features.ept_pointer | vmx_vm_of(c->vcpu.vm)->stage2.root_physical;

	invept(vmx_features.invept_single ? INVEPT_SINGLE : INVEPT_ALL, pointer);
}

/* With interrupts off: who raises the generation after this look waits for the guest's exit. */
static void check_tlb(struct vmx_vcpu *c)
{
	const struct stage2 *s = &vmx_vm_of(c->vcpu.vm)->stage2;
	uint64_t generation = __atomic_load_n(&s->generation, __ATOMIC_SEQ_CST);

	if (c->flushed == generation)
		return;
	flush_ept(c);
	c->flushed = generation;
}

/*
 * What the EPT maps is in the TLB by the EPT's address, whatever the VPID: of what this CPU has
 * kept from when the vCPU was last here some may have gone since.
 */
static void arrive(struct vmx_vcpu *c, struct vmx_cpu *cpu, unsigned number)
{
	c->cpu = number;
	c->cpu_epoch = cpu->epoch;
	c->vpid_generation = 0;
	c->flushed = ~__atomic_load_n(&vmx_vm_of(c->vcpu.vm)->stage2.generation, __ATOMIC_SEQ_CST);
}

static struct vmx_cpu *load_cpu(struct vmx_vcpu *c, const uint64_t pdptes[4])
{
	unsigned number = host_cpu();
	struct vmx_cpu *cpu = &vmx_cpus[number];
	bool moved;

	if (!cpu->enabled || !vmx_vmcs_activate(c))
		return NULL;
	moved = c->cpu != number || c->cpu_epoch != cpu->epoch;
	if (moved)
		arrive(c, cpu, number);
	if ((vmx_features.secondary & VMX_SECONDARY_VPID) &&
	    c->vpid_generation != cpu->vpid_generation)
		take_vpid(c, cpu);
	vmx_mitigations_enter(cpu, vmx_vm_of(c->vcpu.vm)->id);
	vmx_vmcs_load(c, pdptes);
	vmx_host_load(c, cpu, moved);
	guest_vector_load(&vmx_features.vector, &c->vcpu.state, &c->host_vector);
	vmx_debug_load(c);
	return cpu;
}

static void put_cpu(struct vmx_vcpu *c, struct vmx_cpu *cpu)
{
	vmx_vmcs_take_level(c);
	vmx_debug_put(c);
	guest_vector_put(&vmx_features.vector, &c->vcpu.state, &c->host_vector);
	vmx_host_put(c, cpu);
}

/* --- The inner loop --------------------------------------------------------------------------- */

enum entry {
	ENTRY_DONE,   /* the guest has run */
	ENTRY_HOST,   /* not: the host wants the thread */
	ENTRY_LOOK,   /* not: something came for the vCPU */
	ENTRY_FAILED, /* not: the CPU refuses the VMCS */
};

/* What the host's own handlers must do before its interrupts are on: with these the CPU has begun
 * what it would have done in front of their first instruction. */
static void let_host_handle(struct vmx_vcpu *c)
{
	if (c->reason == VMX_REASON_MACHINE_CHECK) {
		__asm__ volatile("int $18" : : : "memory");
		return;
	}
	c->interruption = vmread32(VMCS_EXIT_INTERRUPTION);
	if (VMX_INTERRUPTION_TYPE(c->interruption) == VMX_INTERRUPTION_NMI)
		__asm__ volatile("int $2" : : : "memory"); /* NMIs are masked until its IRET */
	else if ((c->interruption & VMX_INTERRUPTION_VECTOR) == CPU_VECTOR_MC)
		__asm__ volatile("int $18" : : : "memory");
}

/* What tells more of the exit than its reason, where that isn't the hottest. */
static void take_exit(struct vmx_vcpu *c)
{
	switch (c->reason) {
	case VMX_REASON_EPT_VIOLATION:
		c->qualification = vmread(VMCS_EXIT_QUALIFICATION);
		c->gpa = vmread(VMCS_GUEST_PHYSICAL);
		break;
	case VMX_REASON_TASK_SWITCH:
		c->qualification = vmread(VMCS_EXIT_QUALIFICATION);
		c->instruction_length = (uint8_t)vmread(VMCS_EXIT_LENGTH);
		break;
	case VMX_REASON_EXCEPTION:
	case VMX_REASON_EPT_MISCONFIGURED:
		break;
	default:
		return; /* on no event's way to its handler */
	}
	vmx_take_back(c);
}

/* Once into the guest. */
static enum entry enter(struct vmx_vcpu *c)
{
	bool host, entered;

	inside_begin(&c->vcpu, c->cpu);
	host_irq_off();
	host = host_irq_pending_or_resched();
	if (host || __atomic_load_n(&c->vcpu.kicked, __ATOMIC_SEQ_CST)) {
		inside_give_up(&c->vcpu);
		host_irq_on();
		return host ? ENTRY_HOST : ENTRY_LOOK;
	}
	vmx_inject(c);
	vmx_debug_enter(c);
	vmx_vmcs_enter(c);
	vmx_host_enter(c);
	check_tlb(c);
	entered = vmx_switch(c->vcpu.state.gpr, &c->host.rsp,
			     vmx_features.switch_flags | (c->launched ? VMX_SWITCH_LAUNCHED : 0));
	if (entered) {
		vmx_host_leave(c);
		vmx_vmcs_leave(c);
		if (c->reason == VMX_REASON_EXCEPTION || c->reason == VMX_REASON_MACHINE_CHECK)
			let_host_handle(c);
	}
	inside_end(&c->vcpu);
	host_irq_on();
	if (!entered)
		return ENTRY_FAILED;
	c->launched = true;
	vmx_debug_leave(c);
	take_exit(c);
	return ENTRY_DONE;
}

/* Whether all that the core would do now is look at what came. */
static bool is_look(const struct exit *exit)
{
	return exit->kind == EXIT_NONE || exit->kind == EXIT_INTERRUPT_WINDOW;
}

/* An entry, its exit, and what needs nothing of the host. */
static enum vmx_next go(struct vmx_vcpu *c, struct exit *exit)
{
	enum vmx_next next = VMX_CORE;

	switch (enter(c)) {
	case ENTRY_HOST:
		return VMX_CORE;
	case ENTRY_LOOK:
		break;
	case ENTRY_FAILED:
		c->reason = vmread32(VMCS_INSTRUCTION_ERROR);
		return vmx_fail(c, exit, "the CPU refuses the VMCS: its error is");
	case ENTRY_DONE:
		next = vmx_exit_inside(c, exit);
		break;
	}
	if (next != VMX_CORE || !is_look(exit) || !run_look_fast(&c->vcpu))
		return next;
	exit->kind = EXIT_NONE;
	return VMX_AGAIN;
}

static enum vmx_next run_inside(struct vmx_vcpu *c, struct exit *exit)
{
	enum vmx_next next = VMX_AGAIN;
	uint64_t pdptes[4];
	struct vmx_cpu *cpu;
	bool load = c->load_pdptes && vmx_control_has_pdptes(&c->vcpu.state);

	/* What the CPU wouldn't take is not checked again: the entry fails, and tells of it. */
	if (load)
		vmx_control_read_pdptes(c, pdptes);
	host_preempt_off();
	cpu = load_cpu(c, load ? pdptes : NULL);
	if (!cpu) {
		host_preempt_on();
		c->reason = 0;
		return vmx_fail(c, exit, "Intel VMX is off on this CPU");
	}
	while (next == VMX_AGAIN)
		next = go(c, exit);
	put_cpu(c, cpu);
	host_preempt_on();
	host_reschedule();
	return next;
}

/* --- The outer loop --------------------------------------------------------------------------- */

static void run(struct vmx_vcpu *c, struct exit *exit)
{
	if (c->access.step_done && vmx_debug_step_done(c, exit))
		return;
	if (c->access.kind == DEVICE_ACCESS_EMULATION && vmx_go_on_emulating(c, exit))
		return;
	while (!__atomic_load_n(&c->vcpu.kicked, __ATOMIC_SEQ_CST)) {
		if (run_inside(c, exit) != VMX_OUTSIDE || vmx_exit_outside(c, exit))
			return;
	}
}

void vmx_run(struct vcpu *vcpu, struct exit *exit)
{
	struct vmx_vcpu *c = vmx_of(vcpu);

	exit->kind = EXIT_NONE;
	c->in_run = true;
	run(c, exit);
	if (vcpu->debug_step)
		vmx_sync_state(vcpu); /* the core says where the next instruction is */
}

/* --- The thread loses its CPU ----------------------------------------------------------------- */

/* With preemption off. */
static void leave_cpu(struct vmx_vcpu *c)
{
	vmx_vmcs_clear(c);
	vmx_mitigations_leave(&vmx_cpus[host_cpu()]);
}

void vmx_left(struct vcpu *vcpu)
{
	struct vmx_vcpu *c = vmx_of(vcpu);

	host_preempt_off();
	leave_cpu(c);
	c->in_run = false;
	host_preempt_on();
}

void vmx_scheduled_out(struct host_run *run)
{
	leave_cpu(vmx_of(CONTAINER_OF(run, struct vcpu, run_state)));
}
