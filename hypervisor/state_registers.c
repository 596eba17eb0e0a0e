/* SPDX-License-Identifier: MIT */
/*
 * state_registers.c - general, segment, control and debug registers.
 */
#include <linux/errno.h>

#include "hw/msr.h"
#include "hw/x86.h"
#include "hypervisor/irqchip/irqchip.h"
#include "hypervisor/state.h"
#include "hypervisor/vm.h"
#include "lib/bits.h"
#include "lib/bytes.h"

#define RFLAGS_KNOWN                                                                               \
	(RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_TF | RFLAGS_IF |       \
	 RFLAGS_DF | RFLAGS_OF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM | RFLAGS_AC |     \
	 RFLAGS_VIF | RFLAGS_VIP | RFLAGS_ID)
#define CR0_KNOWN                                                                                  \
	(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | \
	 CR0_PG)
#define EFER_KNOWN (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_FFXSR | EFER_AIBRSE)

/* The CPL is SS's, but where there is none. */
static void update_cpl(struct cpu_state *state)
{
	if (!(state->cr0 & CR0_PE))
		state->cpl = 0;
	else if (state->rflags & RFLAGS_VM)
		state->cpl = 3;
	else
		state->cpl = state->segment[CPU_SS].dpl;
}

/* --- General registers ------------------------------------------------------------------------ */

void state_get_regs(struct vcpu *vcpu, struct kvm_regs *regs)
{
	const uint64_t *gpr = vcpu->state.gpr;

	*regs = (struct kvm_regs){
		.rax = gpr[CPU_RAX],
		.rbx = gpr[CPU_RBX],
		.rcx = gpr[CPU_RCX],
		.rdx = gpr[CPU_RDX],
		.rsi = gpr[CPU_RSI],
		.rdi = gpr[CPU_RDI],
		.rsp = gpr[CPU_RSP],
		.rbp = gpr[CPU_RBP],
		.r8 = gpr[CPU_R8],
		.r9 = gpr[CPU_R9],
		.r10 = gpr[CPU_R10],
		.r11 = gpr[CPU_R11],
		.r12 = gpr[CPU_R12],
		.r13 = gpr[CPU_R13],
		.r14 = gpr[CPU_R14],
		.r15 = gpr[CPU_R15],
		.rip = vcpu->state.rip,
		.rflags = vcpu->state.rflags,
	};
}

int state_set_regs(struct vcpu *vcpu, const struct kvm_regs *regs)
{
	uint64_t *gpr = vcpu->state.gpr;

	gpr[CPU_RAX] = regs->rax;
	gpr[CPU_RBX] = regs->rbx;
	gpr[CPU_RCX] = regs->rcx;
	gpr[CPU_RDX] = regs->rdx;
	gpr[CPU_RSI] = regs->rsi;
	gpr[CPU_RDI] = regs->rdi;
	gpr[CPU_RSP] = regs->rsp;
	gpr[CPU_RBP] = regs->rbp;
	gpr[CPU_R8] = regs->r8;
	gpr[CPU_R9] = regs->r9;
	gpr[CPU_R10] = regs->r10;
	gpr[CPU_R11] = regs->r11;
	gpr[CPU_R12] = regs->r12;
	gpr[CPU_R13] = regs->r13;
	gpr[CPU_R14] = regs->r14;
	gpr[CPU_R15] = regs->r15;
	vcpu->state.rip = regs->rip;
	vcpu->state.rflags = (regs->rflags & RFLAGS_KNOWN) | RFLAGS_RESERVED_ONE;
	update_cpl(&vcpu->state);
	/* As the ABI has it: what was going to be raised at the old place isn't any more. */
	vcpu->exception.kind = CPU_EVENT_NONE;
	vcpu->vm->backend->state_changed(vcpu);
	return 0;
}

/* --- Segments and control registers ----------------------------------------------------------- */

static struct kvm_segment get_segment(const struct cpu_segment *from)
{
	return (struct kvm_segment){
		.base = from->base,
		.limit = from->limit,
		.selector = from->selector,
		.type = from->type,
		.present = from->present,
		.dpl = from->dpl,
		.db = from->db,
		.s = from->s,
		.l = from->l,
		.g = from->g,
		.avl = from->avl,
		.unusable = from->unusable,
	};
}

static struct cpu_segment set_segment(const struct kvm_segment *from)
{
	return (struct cpu_segment){
		.base = from->base,
		.limit = from->limit,
		.selector = from->selector,
		.type = from->type & 0xf,
		.present = from->present,
		.dpl = from->dpl & 3,
		.db = from->db,
		.s = from->s,
		.l = from->l,
		.g = from->g,
		.avl = from->avl,
		.unusable = from->unusable || !from->present,
	};
}

static struct kvm_dtable get_table(const struct cpu_table *from)
{
	return (struct kvm_dtable){.base = from->base, .limit = from->limit};
}

/* What kvm_sregs and kvm_sregs2 have in common is the beginning of both. */
_Static_assert(offsetof(struct kvm_sregs, interrupt_bitmap) == offsetof(struct kvm_sregs2, flags),
	       "the ABI's");

static void get_common(struct vcpu *vcpu, struct kvm_sregs *sregs)
{
	const struct cpu_state *state = &vcpu->state;

	memset(sregs, 0, sizeof(*sregs));
	sregs->cs = get_segment(&state->segment[CPU_CS]);
	sregs->ds = get_segment(&state->segment[CPU_DS]);
	sregs->es = get_segment(&state->segment[CPU_ES]);
	sregs->fs = get_segment(&state->segment[CPU_FS]);
	sregs->gs = get_segment(&state->segment[CPU_GS]);
	sregs->ss = get_segment(&state->segment[CPU_SS]);
	/* It is SS that carries the CPL in this ABI. */
	sregs->ss.dpl = state->cpl;
	sregs->tr = get_segment(&state->tr);
	sregs->ldt = get_segment(&state->ldtr);
	sregs->gdt = get_table(&state->gdtr);
	sregs->idt = get_table(&state->idtr);
	sregs->cr0 = state->cr0;
	sregs->cr2 = state->cr2;
	sregs->cr3 = state->cr3;
	sregs->cr4 = state->cr4;
	sregs->cr8 = vcpu->lapic ? lapic_get_tpr(vcpu->lapic) : vcpu->cr8;
	sregs->efer = state->efer;
	sregs->apic_base = vcpu->lapic ? lapic_get_base(vcpu->lapic) : vcpu->apic_base;
}

/* Whether a CPU could have these control registers together (APM2 sections 3.1, 14.6). */
static bool are_valid(const struct vcpu *vcpu, const struct kvm_sregs *sregs)
{
	bool paging = sregs->cr0 & CR0_PG, long_mode = sregs->efer & EFER_LME;

	if (sregs->cr0 & ~CR0_KNOWN || sregs->efer & ~EFER_KNOWN ||
	    sregs->cr4 & ~vcpu->limits.cr4 || sregs->cr8 > 0xf)
		return false;
	if ((paging && !(sregs->cr0 & CR0_PE)) || ((sregs->cr0 & CR0_NW) && !(sregs->cr0 & CR0_CD)))
		return false;
	if (paging && long_mode)
		return (sregs->cr4 & CR4_PAE) && (sregs->efer & EFER_LMA) &&
		       !(sregs->cr3 & ~(BIT(vcpu->limits.physical_bits) - 1));
	return !(sregs->efer & EFER_LMA) && !(sregs->cr4 & CR4_PCIDE);
}

static int set_common(struct vcpu *vcpu, const struct kvm_sregs *sregs)
{
	struct cpu_state *state = &vcpu->state;

	if (!are_valid(vcpu, sregs))
		return -EINVAL;
	if (!vcpu->lapic)
		vcpu->apic_base = sregs->apic_base;
	else if (!lapic_set_base(vcpu->lapic, sregs->apic_base, false))
		return -EINVAL;
	if (vcpu->lapic)
		lapic_set_tpr(vcpu->lapic, sregs->cr8);
	vcpu->cr8 = sregs->cr8;
	state->segment[CPU_CS] = set_segment(&sregs->cs);
	state->segment[CPU_DS] = set_segment(&sregs->ds);
	state->segment[CPU_ES] = set_segment(&sregs->es);
	state->segment[CPU_FS] = set_segment(&sregs->fs);
	state->segment[CPU_GS] = set_segment(&sregs->gs);
	state->segment[CPU_SS] = set_segment(&sregs->ss);
	state->tr = set_segment(&sregs->tr);
	state->ldtr = set_segment(&sregs->ldt);
	state->gdtr = (struct cpu_table){.base = sregs->gdt.base, .limit = sregs->gdt.limit};
	state->idtr = (struct cpu_table){.base = sregs->idt.base, .limit = sregs->idt.limit};
	state->cr0 = sregs->cr0 | CR0_ET;
	state->cr2 = sregs->cr2;
	state->cr3 = sregs->cr3;
	state->cr4 = sregs->cr4;
	state->efer = sregs->efer;
	update_cpl(state);
	return 0;
}

void state_get_sregs(struct vcpu *vcpu, struct kvm_sregs *sregs)
{
	int vector = vcpu->inject.kind == CPU_EVENT_INTERRUPT ? vcpu->inject.vector
							      : vcpu->queued_interrupt;

	get_common(vcpu, sregs);
	if (vector >= 0)
		sregs->interrupt_bitmap[vector / 64] |= BIT(vector % 64);
}

int state_set_sregs(struct vcpu *vcpu, const struct kvm_sregs *sregs)
{
	int err = set_common(vcpu, sregs);

	if (err < 0)
		return err;
	for (unsigned i = 0; i < ARRAY_COUNT(sregs->interrupt_bitmap); i++)
		if (sregs->interrupt_bitmap[i]) {
			vcpu->queued_interrupt =
				(int32_t)(64 * i) + __builtin_ctzll(sregs->interrupt_bitmap[i]);
			break;
		}
	vcpu->vm->backend->state_changed(vcpu);
	return 0;
}

void state_get_sregs2(struct vcpu *vcpu, struct kvm_sregs2 *sregs)
{
	struct kvm_sregs common;

	get_common(vcpu, &common);
	memset(sregs, 0, sizeof(*sregs));
	memcpy(sregs, &common, offsetof(struct kvm_sregs2, flags));
}

int state_set_sregs2(struct vcpu *vcpu, const struct kvm_sregs2 *sregs)
{
	struct kvm_sregs common = {0};
	int err;

	/* Page directory pointers are read from memory again: it has been set before. */
	if (sregs->flags & ~(uint64_t)KVM_SREGS2_FLAGS_PDPTRS_VALID)
		return -EINVAL;
	memcpy(&common, sregs, offsetof(struct kvm_sregs2, flags));
	err = set_common(vcpu, &common);
	if (!err)
		vcpu->vm->backend->state_changed(vcpu);
	return err;
}

/* --- Debug registers -------------------------------------------------------------------------- */

void state_get_debug(struct vcpu *vcpu, struct kvm_debugregs *debug)
{
	memset(debug, 0, sizeof(*debug));
	memcpy(debug->db, vcpu->state.dr, sizeof(debug->db));
	debug->dr6 = vcpu->state.dr6;
	debug->dr7 = vcpu->state.dr7;
}

int state_set_debug(struct vcpu *vcpu, const struct kvm_debugregs *debug)
{
	if (debug->flags || debug->dr6 >> 32 || debug->dr7 >> 32)
		return -EINVAL;
	memcpy(vcpu->state.dr, debug->db, sizeof(debug->db));
	vcpu->state.dr6 = debug->dr6;
	vcpu->state.dr7 = (debug->dr7 & DR7_WRITABLE) | DR7_ONES;
	vcpu->vm->backend->state_changed(vcpu);
	return 0;
}
