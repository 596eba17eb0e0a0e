/* SPDX-License-Identifier: MIT */
/*
 * control.c - control registers.
 *
 * The bits that the guest has as its own change without an exit (SDM3 section 25.6.6), the others
 * stand in the read shadow, and a write that changes one of those exits, to be emulated.  Caches
 * stay on, as after RESET the guest wants them off: all memory is written back.
 */
#include "hypervisor/x86/vmx/vmx.h"

#define CR0_HIDDEN (CR0_CD | CR0_NW)
#define PDPTE_RESERVED UINT64_C(0x1e6) /* bits 2:1 and 8:5 */
#define PDPT_ADDRESS UINT64_C(0xffffffe0)

static uint64_t real_cr0(const struct cpu_state *s)
{
	/* What VMX wants fixed: an unrestricted guest is free of PE and PG. */
	return (s->cr0 & ~CR0_HIDDEN) | (vmx_features.cr0_fixed0 & ~(CR0_PE | CR0_PG));
}

void vmx_control_write(const struct cpu_state *s)
{
	bool lma = s->efer & EFER_LMA;

	vmwrite(VMCS_GUEST_CR0, real_cr0(s));
	vmwrite(VMCS_CR0_SHADOW, s->cr0);
	vmwrite(VMCS_GUEST_CR3, s->cr3);
	vmwrite(VMCS_GUEST_CR4, s->cr4 | vmx_features.cr4_fixed0);
	vmwrite(VMCS_CR4_SHADOW, s->cr4);
	vmwrite(VMCS_GUEST_EFER, s->efer);
	vmwrite(VMCS_ENTRY_CONTROLS, vmx_features.entry | (lma ? VMX_ENTRY_IA32E_GUEST : 0));
}

void vmx_control_read(struct cpu_state *s)
{
	s->cr0 = (s->cr0 & ~VMX_CR0_GUEST) | (vmread(VMCS_GUEST_CR0) & VMX_CR0_GUEST);
	s->cr3 = vmread(VMCS_GUEST_CR3);
	s->cr4 = (s->cr4 & ~VMX_CR4_GUEST) | (vmread(VMCS_GUEST_CR4) & VMX_CR4_GUEST);
}

/* --- Page directory pointers ------------------------------------------------------------------ */

bool vmx_control_has_pdptes(const struct cpu_state *s)
{
	return (s->cr0 & CR0_PG) && (s->cr4 & CR4_PAE) && !(s->efer & EFER_LMA);
}

bool vmx_control_read_pdptes(struct vmx_vcpu *c, uint64_t pdptes[4])
{
	const struct vcpu *vcpu = &c->vcpu;
	uint64_t beyond = ~(BIT(vcpu->limits.physical_bits) - 1);

	if (memory_read(vcpu->vm, vcpu->state.cr3 & PDPT_ADDRESS, pdptes, 4 * sizeof(*pdptes)) < 0)
		memset(pdptes, 0, 4 * sizeof(*pdptes));
	for (unsigned i = 0; i < 4; i++)
		if ((pdptes[i] & PTE_P) && (pdptes[i] & (PDPTE_RESERVED | beyond)))
			return false;
	return true;
}

/* --- Exits ------------------------------------------------------------------------------------ */

/* What of the state an instruction that writes control registers changes. */
struct control_state {
	uint64_t rip, rflags, cr0, cr4, efer, dr6;
	bool sti_shadow, mov_ss_shadow;
};

static struct control_state keep(const struct cpu_state *s)
{
	return (struct control_state){s->rip,  s->rflags, s->cr0,        s->cr4,
				      s->efer, s->dr6,    s->sti_shadow, s->mov_ss_shadow};
}

static void give_back(struct cpu_state *s, const struct control_state *kept)
{
	s->rip = kept->rip;
	s->rflags = kept->rflags;
	s->cr0 = kept->cr0;
	s->cr4 = kept->cr4;
	s->efer = kept->efer;
	s->dr6 = kept->dr6;
	s->sti_shadow = kept->sti_shadow;
	s->mov_ss_shadow = kept->mov_ss_shadow;
}

bool vmx_control_exit(struct vmx_vcpu *c, struct exit *exit)
{
	struct vcpu *vcpu = &c->vcpu;
	struct control_state before;
	uint64_t pdptes[4];
	bool result;

	vmx_state_changes(c);
	c->vpid_generation = 0; /* what the TLB has may be of another mode */
	before = keep(&vcpu->state);
	result = vmx_emulate(c, exit);
	if (vcpu->state.rip == before.rip || !vmx_control_has_pdptes(&vcpu->state))
		return result;
	/* As the instruction loads them; SDM3 section 4.4.1. */
	c->load_pdptes = true;
	if (vmx_control_read_pdptes(c, pdptes))
		return result;
	give_back(&vcpu->state, &before);
	c->load_pdptes = c->access.step_done = false;
	vcpu_raise(vcpu, CPU_VECTOR_GP, true, 0);
	return true;
}
