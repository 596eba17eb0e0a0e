/* SPDX-License-Identifier: MIT */
/*
 * vmcs.c - the state of a vCPU from and to its VMCS.
 *
 * The hot part, what instructions that exit need, goes over at each entry and exit, if it has
 * changed; a little more where the inner loop ends; the rest when the core asks for it or has
 * changed it.
 */
#include "hypervisor/x86/privileged.h"
#include "hypervisor/x86/vmx/layout.h"
#include "hypervisor/x86/vmx/vmx.h"

_Static_assert(VMX_RAX == 8 * CPU_RAX && VMX_RCX == 8 * CPU_RCX && VMX_RDX == 8 * CPU_RDX &&
		       VMX_RBX == 8 * CPU_RBX && VMX_RBP == 8 * CPU_RBP && VMX_RSI == 8 * CPU_RSI &&
		       VMX_RDI == 8 * CPU_RDI && VMX_R(8) == 8 * CPU_R8 &&
		       VMX_R(15) == 8 * CPU_R15 && VMX_FIELD_HOST_RSP == VMCS_HOST_RSP,
	       "what switch.S knows");

/* PAUSEs so many TSC ticks apart are of one loop; one that takes more ticks than the window exits.
 */
#define PAUSE_GAP 128u
#define PAUSE_WINDOW 4096u

/*
 * The guest exits at the latest after so long.  The CPU has each interrupt of the host's make it
 * exit, but Bochs 2.7 doesn't where interrupts were off at the entry and are in the guest, until it
 * changes that.
 */
#define GUEST_MILLISECONDS 4u

/* --- Which VMCS is the current one ------------------------------------------------------------ */

bool vmx_vmcs_activate(struct vmx_vcpu *c)
{
	if (c->active)
		return true;
	if (!vmx_cpus[host_cpu()].enabled || !vmptrld(c->vmcs_physical))
		return false;
	c->active = true;
	return true;
}

void vmx_vmcs_clear(struct vmx_vcpu *c)
{
	if (!c->active)
		return;
	vmclear(c->vmcs_physical);
	c->active = c->launched = false;
}

/* --- The rest --------------------------------------------------------------------------------- */

static void read_rest(struct vmx_vcpu *c, struct cpu_state *s)
{
	s->gpr[CPU_RSP] = c->rsp = vmread(VMCS_GUEST_RSP);
	vmx_control_read(s);
	vmx_segments_read(s);
	s->gdtr = (struct cpu_table){.base = vmread(VMCS_GUEST_GDTR_BASE),
				     .limit = (uint16_t)vmread(VMCS_GUEST_GDTR_LIMIT)};
	s->idtr = (struct cpu_table){.base = vmread(VMCS_GUEST_IDTR_BASE),
				     .limit = (uint16_t)vmread(VMCS_GUEST_IDTR_LIMIT)};
	s->sysenter_cs = vmread(VMCS_GUEST_SYSENTER_CS);
	s->sysenter_esp = vmread(VMCS_GUEST_SYSENTER_ESP);
	s->sysenter_eip = vmread(VMCS_GUEST_SYSENTER_EIP);
}

void vmx_sync_state(struct vcpu *vcpu)
{
	struct vmx_vcpu *c = vmx_of(vcpu);

	if (!c->stale)
		return;
	host_preempt_off();
	if (vmx_vmcs_activate(c)) {
		read_rest(c, &vcpu->state);
		c->stale = false;
		if (!c->in_run)
			vmx_vmcs_clear(c);
	}
	host_preempt_on();
}

void vmx_state_changes(struct vmx_vcpu *c)
{
	vmx_sync_state(&c->vcpu);
	c->load = true;
}

static void set_exceptions(struct vmx_vcpu *c, uint32_t exceptions)
{
	if (c->exceptions == exceptions)
		return;
	c->exceptions = exceptions;
	vmwrite(VMCS_EXCEPTIONS, exceptions);
}

static void write_rest(struct vmx_vcpu *c)
{
	const struct cpu_state *s = &c->vcpu.state;

	vmx_segments_write(s);
	vmx_control_write(s);
	vmwrite(VMCS_GUEST_GDTR_BASE, s->gdtr.base);
	vmwrite(VMCS_GUEST_GDTR_LIMIT, s->gdtr.limit);
	vmwrite(VMCS_GUEST_IDTR_BASE, s->idtr.base);
	vmwrite(VMCS_GUEST_IDTR_LIMIT, s->idtr.limit);
	vmwrite(VMCS_GUEST_SYSENTER_CS, s->sysenter_cs);
	vmwrite(VMCS_GUEST_SYSENTER_ESP, s->sysenter_esp);
	vmwrite(VMCS_GUEST_SYSENTER_EIP, s->sysenter_eip);
	vmwrite(VMCS_TSC_OFFSET, s->tsc_offset);
	if (vmx_features.secondary & VMX_SECONDARY_TSC_SCALING)
		vmwrite(VMCS_TSC_MULTIPLIER,
			s->tsc_ratio ? s->tsc_ratio << (VMX_TSC_MULTIPLIER_BITS - 32)
				     : BIT(VMX_TSC_MULTIPLIER_BITS));
	set_exceptions(c, 1u << CPU_VECTOR_DB | 1u << CPU_VECTOR_UD | 1u << CPU_VECTOR_AC |
				  1u << CPU_VECTOR_MC |
				  (c->vcpu.debug_software ? 1u << CPU_VECTOR_BP : 0));
}

static void write_pdptes(struct vmx_vcpu *c, const uint64_t pdptes[4])
{
	for (unsigned i = 0; i < 4; i++)
		vmwrite(VMCS_GUEST_PDPTE(i), pdptes[i]);
	c->load_pdptes = false;
}

void vmx_vmcs_load(struct vmx_vcpu *c, const uint64_t pdptes[4])
{
	const struct cpu_state *s = &c->vcpu.state;

	if (c->load) {
		c->load = false;
		write_rest(c);
	}
	if (pdptes)
		write_pdptes(c, pdptes);
	if (!c->stale && c->rsp != s->gpr[CPU_RSP]) {
		c->rsp = s->gpr[CPU_RSP];
		vmwrite(VMCS_GUEST_RSP, c->rsp);
	}
}

/* --- The hot part ----------------------------------------------------------------------------- */

void vmx_set_primary(struct vmx_vcpu *c, uint32_t bits, bool want)
{
	uint32_t value = want ? c->primary | bits : c->primary & ~bits;

	if (value == c->primary)
		return;
	c->primary = value;
	vmwrite(VMCS_PRIMARY, value);
}

static uint32_t find_interruptibility(const struct vmx_vcpu *c, const struct cpu_state *s)
{
	uint32_t value = s->nmi_masked ? VMX_BLOCKING_BY_NMI : 0;

	/* A step that is the debugger's comes before the next instruction. */
	if (c->stepping)
		return value;
	if (s->mov_ss_shadow)
		return value | VMX_BLOCKING_BY_MOV_SS;
	return s->sti_shadow && (s->rflags & RFLAGS_IF) ? value | VMX_BLOCKING_BY_STI : value;
}

/*
 * With TF set.  Where events are blocked a step waits as a pending debug exception, as an entry's
 * rules have it (SDM3 section 27.3.1.5); elsewhere none waits: Bochs leaves one behind exits in the
 * middle of an instruction.
 */
static void set_pending_step(struct vmx_vcpu *c)
{
	bool blocked = c->interruptibility & (VMX_BLOCKING_BY_STI | VMX_BLOCKING_BY_MOV_SS);

	c->pending_step = blocked && (c->rflags & RFLAGS_TF);
	vmwrite(VMCS_GUEST_PENDING_DEBUG, c->pending_step ? VMX_PENDING_DEBUG_BS : 0);
}

void vmx_vmcs_enter(struct vmx_vcpu *c)
{
	const struct cpu_state *s = &c->vcpu.state;
	uint64_t rflags = c->stepping ? s->rflags | RFLAGS_TF | RFLAGS_RF : s->rflags;
	uint32_t interruptibility = find_interruptibility(c, s);

	if (c->rip != s->rip) {
		c->rip = s->rip;
		vmwrite(VMCS_GUEST_RIP, s->rip);
	}
	if (c->rflags != rflags) {
		c->rflags = rflags;
		vmwrite(VMCS_GUEST_RFLAGS, rflags);
	}
	if (c->interruptibility != interruptibility) {
		c->interruptibility = interruptibility;
		vmwrite(VMCS_GUEST_INTERRUPTIBILITY, interruptibility);
	}
	if (c->pending_step || (c->rflags & RFLAGS_TF))
		set_pending_step(c);
	if (s->cr2 != read_cr2())
		write_cr2(s->cr2);
}

/* Above 4 GiB there is no other code. */
static bool is_64_bit(const struct cpu_state *s)
{
	return (s->efer & EFER_LMA) &&
	       (s->rip > UINT32_MAX || (vmread32(VMCS_GUEST_ACCESS_RIGHTS(VMX_CS)) & VMX_AR_L));
}

void vmx_vmcs_leave(struct vmx_vcpu *c)
{
	struct cpu_state *s = &c->vcpu.state;

	c->stale = true;
	c->reason = vmread32(VMCS_EXIT_REASON);
	s->rip = c->rip = vmread(VMCS_GUEST_RIP);
	s->rflags = c->rflags = vmread(VMCS_GUEST_RFLAGS);
	c->interruptibility = vmread32(VMCS_GUEST_INTERRUPTIBILITY);
	s->sti_shadow = c->interruptibility & VMX_BLOCKING_BY_STI;
	s->mov_ss_shadow = c->interruptibility & VMX_BLOCKING_BY_MOV_SS;
	s->nmi_masked = c->interruptibility & VMX_BLOCKING_BY_NMI;
	s->segment[CPU_CS].l = is_64_bit(s);
	s->cr2 = read_cr2();
}

void vmx_vmcs_take_level(struct vmx_vcpu *c)
{
	c->vcpu.state.cpl = VMX_AR_DPL(vmread32(VMCS_GUEST_ACCESS_RIGHTS(VMX_SS)));
}

/* --- Its beginning ---------------------------------------------------------------------------- */

static void write_secondary(const struct vmx_vcpu *c)
{
	uint32_t secondary = vmx_features.secondary;

	vmwrite(VMCS_SECONDARY, secondary);
	vmwrite(VMCS_EPT_POINTER,
		vmx_features.ept_pointer | vmx_vm_of(c->vcpu.vm)->stage2.root_physical);
	if (secondary & VMX_SECONDARY_PAUSE_LOOP) {
		vmwrite(VMCS_PAUSE_GAP, PAUSE_GAP);
		vmwrite(VMCS_PAUSE_WINDOW, PAUSE_WINDOW);
	}
	if (secondary & VMX_SECONDARY_XSAVES)
		vmwrite(VMCS_XSS_EXITING, 0);
	if (secondary & VMX_SECONDARY_ENCLS)
		vmwrite(VMCS_ENCLS_EXITING, UINT64_MAX);
}

void vmx_vmcs_init(struct vmx_vcpu *c)
{
	c->primary = vmx_features.primary;
	vmwrite(VMCS_PIN, vmx_features.pin);
	if (vmx_features.pin & VMX_PIN_PREEMPTION_TIMER)
		vmwrite(VMCS_PREEMPTION_TIMER, (uint64_t)host_tsc_khz() * GUEST_MILLISECONDS >>
						       VMX_MISC_TIMER_SHIFT(vmx_features.misc));
	vmwrite(VMCS_PRIMARY, c->primary);
	write_secondary(c);
	vmwrite(VMCS_EXIT_CONTROLS, vmx_features.exit);
	vmwrite(VMCS_EXIT_MSR_STORES, 0);
	vmwrite(VMCS_EXIT_MSR_LOADS, 0);
	vmwrite(VMCS_ENTRY_MSR_LOADS, 0);
	vmwrite(VMCS_ENTRY_INTERRUPTION, 0);
	vmwrite(VMCS_MSR_BITMAPS, vmx_msr_map_physical);
	/* With bit 14 of the exceptions clear none of the page faults exits. */
	vmwrite(VMCS_PAGE_FAULT_MASK, 0);
	vmwrite(VMCS_PAGE_FAULT_MATCH, 0);
	vmwrite(VMCS_CR3_TARGETS, 0);
	vmwrite(VMCS_CR0_MASK, ~VMX_CR0_GUEST);
	vmwrite(VMCS_CR4_MASK, ~VMX_CR4_GUEST);
	vmwrite(VMCS_LINK_POINTER, VMX_LINK_POINTER_NONE);
	vmwrite(VMCS_GUEST_DEBUGCTL, 0);
	vmwrite(VMCS_GUEST_ACTIVITY, VMX_ACTIVITY_ACTIVE);
	vmwrite(VMCS_GUEST_PENDING_DEBUG, 0);
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY, 0);
	/* What the caches of what the VMCS has say, and what they don't. */
	vmwrite(VMCS_GUEST_RIP, c->rip);
	vmwrite(VMCS_GUEST_RSP, c->rsp);
	vmwrite(VMCS_GUEST_RFLAGS, c->rflags);
	vmwrite(VMCS_GUEST_DR7, c->dr7);
	vmwrite(VMCS_EXCEPTIONS, c->exceptions);
	vmx_host_init();
	c->load = true;
}
