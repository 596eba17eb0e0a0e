/* SPDX-License-Identifier: MIT */
/*
 * failure.c - why an entry failed: what the VMCS has of the guest is held against the rules.
 */
#include "hw/cpuid.h"
#include "hypervisor/x86/vmx/vmx.h"

enum { EAX, EBX, ECX, EDX };

#define EFER_KNOWN (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)

static void read_segments(struct vmx_guest_state *guest)
{
	for (unsigned n = 0; n < VMX_SEGMENTS; n++)
		guest->segment[n] = (struct vmx_segment){
			.selector = (uint16_t)vmread(VMCS_GUEST_SELECTOR(n)),
			.access_rights = vmread32(VMCS_GUEST_ACCESS_RIGHTS(n)),
			.limit = vmread32(VMCS_GUEST_LIMIT(n)),
			.base = vmread(VMCS_GUEST_BASE(n)),
		};
	guest->gdtr =
		(struct vmx_table){vmread(VMCS_GUEST_GDTR_BASE), vmread32(VMCS_GUEST_GDTR_LIMIT)};
	guest->idtr =
		(struct vmx_table){vmread(VMCS_GUEST_IDTR_BASE), vmread32(VMCS_GUEST_IDTR_LIMIT)};
}

static void read_guest(struct vmx_guest_state *guest)
{
	read_segments(guest);
	guest->cr0 = vmread(VMCS_GUEST_CR0);
	guest->cr3 = vmread(VMCS_GUEST_CR3);
	guest->cr4 = vmread(VMCS_GUEST_CR4);
	guest->dr7 = vmread(VMCS_GUEST_DR7);
	guest->rip = vmread(VMCS_GUEST_RIP);
	guest->rflags = vmread(VMCS_GUEST_RFLAGS);
	guest->debugctl = vmread(VMCS_GUEST_DEBUGCTL);
	guest->sysenter_esp = vmread(VMCS_GUEST_SYSENTER_ESP);
	guest->sysenter_eip = vmread(VMCS_GUEST_SYSENTER_EIP);
	guest->efer = vmread(VMCS_GUEST_EFER);
	guest->activity = vmread32(VMCS_GUEST_ACTIVITY);
	guest->interruptibility = vmread32(VMCS_GUEST_INTERRUPTIBILITY);
	guest->pending_debug = vmread(VMCS_GUEST_PENDING_DEBUG);
	guest->link_pointer = vmread(VMCS_LINK_POINTER);
	for (unsigned i = 0; i < 4; i++)
		guest->pdpte[i] = vmread(VMCS_GUEST_PDPTE(i));
}

static void describe_cpu(struct vmx_check_cpu *cpu, const struct vmx_vcpu *c)
{
	uint32_t r[4];

	host_cpuid(CPUID_LEAF_ADDRESS_SIZES, 0, r);
	*cpu = (struct vmx_check_cpu){
		.cr0_fixed0 = vmx_features.cr0_fixed0,
		.cr0_fixed1 = vmx_features.cr0_fixed1,
		.cr4_fixed0 = vmx_features.cr4_fixed0,
		.cr4_fixed1 = vmx_features.cr4_fixed1,
		.misc = vmx_features.misc,
		.revision = vmx_features.revision,
		.vmcs = c->vmcs_physical,
		.physical_bits = r[EAX] & 0xff,
		.linear_bits = r[EAX] >> 8 & 0xff,
		.efer_reserved = ~EFER_KNOWN,
	};
}

enum vmx_next vmx_entry_failed(struct vmx_vcpu *c, struct exit *exit)
{
	struct vmx_check check = {
		.controls =
			{
				.pin = vmx_features.pin,
				.secondary = vmx_features.secondary,
				.entry = vmread32(VMCS_ENTRY_CONTROLS),
				.entry_interruption = vmread32(VMCS_ENTRY_INTERRUPTION),
			},
	};
	struct vmx_violation violation;

	read_guest(&check.guest);
	describe_cpu(&check.cpu, c);
	if ((c->reason & VMX_REASON_BASIC) != VMX_REASON_INVALID_STATE)
		return vmx_fail(c, exit, "the CPU can't enter the guest");
	if (vmx_check_guest_state(&check, &violation))
		vm_log(c->vcpu.vm, "vCPU %u: an entry's rules: %s is 0x%llx: %s", c->vcpu.id,
		       violation.field, (unsigned long long)violation.value, violation.rule);
	return vmx_fail(c, exit, "the CPU can't run a guest in this state");
}
