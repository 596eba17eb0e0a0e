/* SPDX-License-Identifier: MIT */
/*
 * vmcb.c - the state of a vCPU from and to its VMCB.
 *
 * The hot part, what instructions that exit need, goes over at each entry and exit; the rest when
 * the core asks for it or has changed it.
 */
#include "hw/msr.h"
#include "hypervisor/x86/svm/layout.h"
#include "hypervisor/x86/svm/svm.h"

_Static_assert(SVM_RCX == 8 * CPU_RCX && SVM_RDX == 8 * CPU_RDX && SVM_RBX == 8 * CPU_RBX &&
		       SVM_RBP == 8 * CPU_RBP && SVM_RSI == 8 * CPU_RSI && SVM_RDI == 8 * CPU_RDI &&
		       SVM_R(8) == 8 * CPU_R8 && SVM_R(15) == 8 * CPU_R15,
	       "what switch.S knows");

#define LIMIT_BYTES_MAX 0xfffffu /* that a segment without granularity can have */

/* Caches stay on, as after RESET the guest wants them off: all memory is written back.  While it
 * does its accesses to CR0 exit. */
#define CR0_HIDDEN (CR0_CD | CR0_NW)
#define CR0_ACCESSES (SVM_INTERCEPT_CR_READ(0) | SVM_INTERCEPT_CR_WRITE(0))

/* --- Segments --------------------------------------------------------------------------------- */

static struct vmcb_segment pack(const struct cpu_segment *from)
{
	struct vmcb_segment to = {
		.selector = from->selector, .limit = from->limit, .base = from->base};

	/* One that is not usable has no attributes: P is clear. */
	if (!from->unusable)
		to.attributes = (uint16_t)(from->type | (from->s ? VMCB_SEGMENT_S : 0) |
					   from->dpl << VMCB_SEGMENT_DPL_SHIFT |
					   (from->present ? VMCB_SEGMENT_P : 0) |
					   (from->avl ? VMCB_SEGMENT_AVL : 0) |
					   (from->l ? VMCB_SEGMENT_L : 0) |
					   (from->db ? VMCB_SEGMENT_DB : 0) |
					   (from->g ? VMCB_SEGMENT_G : 0));
	return to;
}

static void unpack(struct cpu_segment *to, const struct vmcb_segment *from)
{
	unsigned a = from->attributes;

	*to = (struct cpu_segment){
		.base = from->base,
		.limit = from->limit,
		.selector = from->selector,
		.type = a & VMCB_SEGMENT_TYPE,
		.dpl = a >> VMCB_SEGMENT_DPL_SHIFT & 3,
		.s = a & VMCB_SEGMENT_S,
		.present = a & VMCB_SEGMENT_P,
		.avl = a & VMCB_SEGMENT_AVL,
		.l = a & VMCB_SEGMENT_L,
		.db = a & VMCB_SEGMENT_DB,
		/* Some CPUs keep it of CS alone. */
		.g = (a & VMCB_SEGMENT_G) || from->limit > LIMIT_BYTES_MAX,
		.unusable = !(a & VMCB_SEGMENT_P),
	};
}

/* --- The rest --------------------------------------------------------------------------------- */

void svm_sync_state(struct vcpu *vcpu)
{
	struct svm_vcpu *c = svm_of(vcpu);
	const struct vmcb_save *v = &c->vmcb->save;
	struct cpu_state *s = &vcpu->state;

	if (!c->stale)
		return;
	c->stale = false;
	unpack(&s->segment[CPU_ES], &v->es);
	unpack(&s->segment[CPU_CS], &v->cs);
	unpack(&s->segment[CPU_SS], &v->ss);
	unpack(&s->segment[CPU_DS], &v->ds);
	unpack(&s->segment[CPU_FS], &v->fs);
	unpack(&s->segment[CPU_GS], &v->gs);
	unpack(&s->tr, &v->tr);
	unpack(&s->ldtr, &v->ldtr);
	if (!s->tr.unusable)
		s->tr.type |= SYSTEM_TYPE_TSS_BUSY;
	s->gdtr = (struct cpu_table){.base = v->gdtr.base, .limit = (uint16_t)v->gdtr.limit};
	s->idtr = (struct cpu_table){.base = v->idtr.base, .limit = (uint16_t)v->idtr.limit};
	s->star = v->star;
	s->lstar = v->lstar;
	s->cstar = v->cstar;
	s->sfmask = v->sfmask;
	s->kernel_gs_base = v->kernel_gs_base;
	s->sysenter_cs = v->sysenter_cs;
	s->sysenter_esp = v->sysenter_esp;
	s->sysenter_eip = v->sysenter_eip;
}

void svm_state_changes(struct svm_vcpu *c)
{
	svm_sync_state(&c->vcpu);
	c->entry_work |= SVM_WORK_LOAD;
}

/* Whether a TSS that is in use says that it is busy depends on the CPU: it stays as the CPU has it.
 */
static void set_task(struct vmcb_segment *tr, struct vmcb_segment value)
{
	uint16_t differs = tr->attributes ^ value.attributes;

	if (!(differs & ~SYSTEM_TYPE_TSS_BUSY))
		value.attributes = tr->attributes;
	*tr = value;
}

static void load(struct svm_vcpu *c)
{
	struct vmcb_save *v = &c->vmcb->save;
	const struct cpu_state *s = &c->vcpu.state;

	c->entry_work &= (uint8_t)~SVM_WORK_LOAD;
	/* What the TLB has is of other rules. */
	if (v->efer != (s->efer | EFER_SVME) || v->pat != s->pat)
		c->asid_generation = 0;
	v->es = pack(&s->segment[CPU_ES]);
	v->cs = pack(&s->segment[CPU_CS]);
	v->ss = pack(&s->segment[CPU_SS]);
	v->ds = pack(&s->segment[CPU_DS]);
	v->fs = pack(&s->segment[CPU_FS]);
	v->gs = pack(&s->segment[CPU_GS]);
	set_task(&v->tr, pack(&s->tr));
	v->ldtr = pack(&s->ldtr);
	v->gdtr = (struct vmcb_segment){.base = s->gdtr.base, .limit = s->gdtr.limit};
	v->idtr = (struct vmcb_segment){.base = s->idtr.base, .limit = s->idtr.limit};
	v->cpl = s->cpl;
	v->cr0 = c->loaded_cr0 = s->cr0 & ~CR0_HIDDEN;
	if (s->cr0 & CR0_HIDDEN)
		c->vmcb->control.intercept_cr |= CR0_ACCESSES;
	else
		c->vmcb->control.intercept_cr &= ~CR0_ACCESSES;
	v->cr3 = s->cr3;
	v->cr4 = s->cr4;
	v->efer = s->efer | EFER_SVME;
	v->star = s->star;
	v->lstar = s->lstar;
	v->cstar = s->cstar;
	v->sfmask = s->sfmask;
	v->kernel_gs_base = s->kernel_gs_base;
	v->sysenter_cs = s->sysenter_cs;
	v->sysenter_esp = s->sysenter_esp;
	v->sysenter_eip = s->sysenter_eip;
	v->pat = s->pat;
	c->vmcb->control.tsc_offset = s->tsc_offset;
	c->vmcb->control.intercept_exceptions &= ~(1u << CPU_VECTOR_BP);
	if (c->vcpu.debug_software)
		c->vmcb->control.intercept_exceptions |= 1u << CPU_VECTOR_BP;
	c->clean = 0;
}

/* --- The hot part ----------------------------------------------------------------------------- */

/* Kept out of the way of the commonest. */
__attribute__((noinline)) static void work(struct svm_vcpu *c)
{
	if (c->entry_work & SVM_WORK_LOAD)
		load(c);
	if (c->entry_work & SVM_WORK_VNMI)
		svm_vnmi_enter(c);
	if (c->entry_work & SVM_WORK_AVIC)
		svm_avic_enter(c);
}

void svm_vmcb_enter(struct svm_vcpu *c)
{
	struct vmcb_save *v = &c->vmcb->save;
	const struct cpu_state *s = &c->vcpu.state;

	v->rax = s->gpr[CPU_RAX];
	v->rsp = s->gpr[CPU_RSP];
	v->rip = s->rip;
	v->rflags = s->rflags;
	if (v->cr2 != s->cr2) {
		v->cr2 = s->cr2;
		c->clean &= ~SVM_CLEAN_CR2;
	}
	c->vmcb->control.interrupt_shadow = s->sti_shadow | s->mov_ss_shadow;
	c->shadowed = s->sti_shadow | s->mov_ss_shadow;
	if (c->shadowed)
		c->shadowed_rip = s->rip;
	if (c->entry_work)
		work(c);
}

/* QEMU's emulated SVM forgets the shadow at VMRUN: an interrupt of the host's that comes before the
 * guest's instruction leaves it where it was. */
static bool is_still_shadowed(const struct svm_vcpu *c)
{
	return c->shadowed && c->vcpu.state.rip == c->shadowed_rip &&
	       (uint32_t)c->vmcb->control.exit_code == SVM_EXIT_INTR;
}

/* What the guest changes by itself: CR4 and EFER change by exits alone. */
void svm_vmcb_leave(struct svm_vcpu *c)
{
	const struct vmcb_save *v = &c->vmcb->save;
	struct cpu_state *s = &c->vcpu.state;

	c->stale = true;
	c->clean = SVM_CLEAN_ALL;
	s->gpr[CPU_RAX] = v->rax;
	s->gpr[CPU_RSP] = v->rsp;
	s->rip = v->rip;
	s->rflags = v->rflags;
	if (v->cr0 != c->loaded_cr0) {
		c->loaded_cr0 = v->cr0;
		s->cr0 = v->cr0 | (s->cr0 & CR0_HIDDEN);
	}
	s->cr2 = v->cr2;
	s->cr3 = v->cr3;
	s->cpl = v->cpl;
	s->segment[CPU_CS].l = v->cs.attributes & VMCB_SEGMENT_L;
	s->sti_shadow =
		(c->vmcb->control.interrupt_shadow & SVM_INTERRUPT_SHADOW) || is_still_shadowed(c);
	s->mov_ss_shadow = false;
}

void svm_vmcb_init(struct svm_vcpu *c)
{
	struct vmcb_control *control = &c->vmcb->control;

	control->intercept_cr =
		SVM_INTERCEPT_CR_READ(8) | SVM_INTERCEPT_CR_WRITE(8) | SVM_INTERCEPT_CR_WRITE(4);
	control->intercept_dr = SVM_INTERCEPT_DR_ALL;
	control->intercept_exceptions = 1u << CPU_VECTOR_DB | 1u << CPU_VECTOR_UD |
					1u << CPU_VECTOR_AC | 1u << CPU_VECTOR_MC;
	control->intercept_misc1 = SVM_INTERCEPT_INTR | SVM_INTERCEPT_NMI | SVM_INTERCEPT_SMI |
				   SVM_INTERCEPT_INIT | SVM_INTERCEPT_CR0_SELECTIVE |
				   SVM_INTERCEPT_RDPMC | SVM_INTERCEPT_CPUID | SVM_INTERCEPT_RSM |
				   SVM_INTERCEPT_INVD | SVM_INTERCEPT_HLT | SVM_INTERCEPT_INVLPGA |
				   SVM_INTERCEPT_IOIO | SVM_INTERCEPT_MSR |
				   SVM_INTERCEPT_FERR_FREEZE | SVM_INTERCEPT_SHUTDOWN;
	control->intercept_misc2 = SVM_INTERCEPT_VMRUN | SVM_INTERCEPT_VMMCALL |
				   SVM_INTERCEPT_VMLOAD | SVM_INTERCEPT_VMSAVE |
				   SVM_INTERCEPT_STGI | SVM_INTERCEPT_CLGI | SVM_INTERCEPT_SKINIT |
				   SVM_INTERCEPT_WBINVD | SVM_INTERCEPT_MONITOR |
				   SVM_INTERCEPT_MWAIT | SVM_INTERCEPT_XSETBV | SVM_INTERCEPT_RDPRU;
	control->io_map = svm_maps.io_physical;
	control->msr_map = svm_maps.msr_physical;
	control->virtual_interrupt = SVM_V_INTR_MASKING;
	control->nested_paging = SVM_NESTED_PAGING;
	control->nested_cr3 = svm_vm_of(c->vcpu.vm)->stage2.root_physical;
	if (svm_features.pause_filter) {
		control->intercept_misc1 |= SVM_INTERCEPT_PAUSE;
		control->pause_count = 3000; /* PAUSEs, about as many as a short lock is held */
	}
	if (svm_features.vnmi) {
		control->virtual_interrupt |= SVM_V_NMI_ENABLE;
		c->entry_work |= SVM_WORK_VNMI;
		c->exit_work |= SVM_WORK_VNMI;
	}
	c->entry_work |= SVM_WORK_LOAD;
}
