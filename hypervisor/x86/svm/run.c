/* SPDX-License-Identifier: MIT */
/*
 * run.c - the loops.  The inner one goes between the guest and exits that need nothing of the host:
 * preemption is off, the guest's vector state is in the registers.  The outer one, which may sleep,
 * maps memory and emulates instructions.
 *
 * Interrupts.  The guest runs with the host's interrupts on, each of which exits; GIF is clear from
 * before the last look at what there is to do until the guest is entered, so that who changes that
 * and sends an interrupt is not missed.  They are taken when GIF is set again after the exit.
 */
#include "hypervisor/run.h"
#include "hw/msr.h"
#include "hypervisor/x86/privileged.h"
#include "hypervisor/x86/svm/svm.h"

static inline void clear_gif(void)
{
	__asm__ volatile("clgi" : : : "memory");
}

static inline void set_gif(void)
{
	__asm__ volatile("stgi" : : : "memory");
}

/* --- The CPU ---------------------------------------------------------------------------------- */

/* An ASID that no other vCPU has had on this CPU since its TLB was last flushed. */
static void take_asid(struct svm_vcpu *c, struct svm_cpu *cpu)
{
	struct vmcb_control *control = &c->vmcb->control;

	if (cpu->next_asid >= svm_features.asids) {
		cpu->next_asid = 1;
		cpu->asid_generation++;
		control->tlb_control = SVM_TLB_FLUSH_ALL;
	}
	control->asid = cpu->next_asid++;
	c->asid_generation = cpu->asid_generation;
	c->clean &= ~SVM_CLEAN_ASID;
}

/* With GIF clear: who raises the generation after this look waits for the guest's exit. */
static void check_tlb(struct svm_vcpu *c, struct svm_cpu *cpu)
{
	const struct stage2 *s = &svm_vm_of(c->vcpu.vm)->stage2;
	uint64_t generation = __atomic_load_n(&s->generation, __ATOMIC_SEQ_CST);

	if (c->asid_generation != cpu->asid_generation) {
		take_asid(c, cpu);
		c->clean = 0; /* the CPU may have been off meanwhile */
	} else if (c->flushed != generation) {
		if (svm_features.flush_by_asid)
			c->vmcb->control.tlb_control = SVM_TLB_FLUSH_ASID;
		else
			take_asid(c, cpu);
	}
	c->flushed = generation;
}

static inline void save_host(uint64_t host_physical)
{
	__asm__ volatile("vmsave %%rax" : : "a"(host_physical) : "memory");
}

static struct svm_cpu *load_cpu(struct svm_vcpu *c)
{
	unsigned number = host_cpu();
	struct svm_cpu *cpu = &svm_cpus[number];
	uint64_t id = svm_vm_of(c->vcpu.vm)->id;

	if (!cpu->enabled)
		return NULL;
	if (c->cpu != number) {
		c->cpu = number;
		c->clean = 0;
		c->asid_generation = 0;
	}
	svm_mitigations_enter(cpu, id);
	save_host(cpu->host_physical);
	if (svm_features.rdtscp && c->vcpu.state.tsc_aux != cpu->host_tsc_aux)
		write_msr(MSR_TSC_AUX, c->vcpu.state.tsc_aux);
	if (svm_features.tsc_ratio && c->vcpu.state.tsc_ratio != cpu->tsc_ratio)
		svm_cpu_set_tsc_ratio(cpu, c->vcpu.state.tsc_ratio);
	if (cpu->host_xss) /* a guest's XSAVES and XRSTORS would have the host's state */
		write_msr(MSR_XSS, c->vcpu.state.xss);
	guest_vector_load(&svm_features.vector, &c->vcpu.state, &c->host_vector);
	svm_debug_load(c);
	return cpu;
}

static void put_cpu(struct svm_vcpu *c, struct svm_cpu *cpu)
{
	svm_debug_put(c);
	/* QEMU's emulated SVM has no exit for XSETBV: what the guest has set is found in the
	 * register. */
	guest_vector_put(&svm_features.vector, &c->vcpu.state, &c->host_vector);
	if (svm_features.rdtscp && c->vcpu.state.tsc_aux != cpu->host_tsc_aux)
		write_msr(MSR_TSC_AUX, cpu->host_tsc_aux);
	if (cpu->host_xss)
		write_msr(MSR_XSS, cpu->host_xss);
}

/* --- The inner loop --------------------------------------------------------------------------- */

enum entry {
	ENTRY_DONE, /* the guest has run */
	ENTRY_HOST, /* not: the host wants the thread */
	ENTRY_LOOK, /* not: something came for the vCPU */
};

/* Once into the guest. */
static enum entry enter(struct svm_vcpu *c, struct svm_cpu *cpu)
{
	struct vmcb_control *control = &c->vmcb->control;
	bool host;

	inside_begin(&c->vcpu, c->cpu);
	clear_gif();
	host = host_irq_pending_or_resched();
	if (host || __atomic_load_n(&c->vcpu.kicked, __ATOMIC_SEQ_CST)) {
		inside_give_up(&c->vcpu);
		set_gif();
		return host ? ENTRY_HOST : ENTRY_LOOK;
	}
	svm_inject(c);
	svm_vmcb_enter(c);
	svm_debug_enter(c);
	check_tlb(c, cpu);
	control->clean = svm_features.clean_bits ? c->clean : 0;
	svm_switch(c->vcpu.state.gpr, c->vmcb_physical, cpu->host_physical,
		   svm_features.switch_flags);
	control->tlb_control = SVM_TLB_KEEP;
	inside_end(&c->vcpu);
	set_gif();
	svm_vmcb_leave(c);
	svm_debug_leave(c);
	if (c->exit_work || (control->exit_interrupt & SVM_EVENT_VALID))
		svm_take_back(c);
	return ENTRY_DONE;
}

/* Whether all that the core would do now is look at what came. */
static bool is_look(const struct exit *exit)
{
	return exit->kind == EXIT_NONE || exit->kind == EXIT_INTERRUPT_WINDOW;
}

/* An entry, its exit, and what needs nothing of the host. */
static enum svm_next go(struct svm_vcpu *c, struct svm_cpu *cpu, struct exit *exit)
{
	enum svm_next next = SVM_CORE;

	switch (enter(c, cpu)) {
	case ENTRY_HOST:
		return SVM_CORE;
	case ENTRY_LOOK:
		break;
	case ENTRY_DONE:
		next = svm_exit_inside(c, exit);
		break;
	}
	if (next != SVM_CORE || !is_look(exit) || !run_look_fast(&c->vcpu))
		return next;
	exit->kind = EXIT_NONE;
	return SVM_AGAIN;
}

static enum svm_next run_inside(struct svm_vcpu *c, struct exit *exit)
{
	enum svm_next next = SVM_AGAIN;
	struct svm_cpu *cpu;

	host_preempt_off();
	cpu = load_cpu(c);
	if (!cpu) {
		host_preempt_on();
		exit->kind = EXIT_FAILED;
		exit->failure.reason = 0;
		exit->failure.text = "AMD SVM is off on this CPU";
		return SVM_CORE;
	}
	while (next == SVM_AGAIN)
		next = go(c, cpu, exit);
	put_cpu(c, cpu);
	host_preempt_on();
	host_reschedule();
	return next;
}

/* --- The outer loop --------------------------------------------------------------------------- */

/* An NMI that the core holds back could be taken where the vCPU is now. */
static bool is_nmi_window(const struct svm_vcpu *c)
{
	const struct vcpu *vcpu = &c->vcpu;

	return vcpu->want_nmi_window && vcpu->inject.kind == CPU_EVENT_NONE &&
	       !vcpu->state.nmi_masked && !vcpu->state.sti_shadow && !vcpu->state.mov_ss_shadow;
}

static void run(struct svm_vcpu *c, struct exit *exit)
{
	if (c->access.step_done && svm_debug_step_done(c, exit))
		return;
	if (c->access.kind == DEVICE_ACCESS_EMULATION && svm_go_on_emulating(c, exit))
		return;
	while (!__atomic_load_n(&c->vcpu.kicked, __ATOMIC_SEQ_CST)) {
		if (is_nmi_window(c)) {
			exit->kind = EXIT_NMI_WINDOW;
			return;
		}
		switch (run_inside(c, exit)) {
		case SVM_OUTSIDE:
			if (svm_exit_outside(c, exit))
				return;
			break;
		default:
			return;
		}
	}
}

void svm_run(struct vcpu *vcpu, struct exit *exit)
{
	struct svm_vcpu *c = svm_of(vcpu);

	exit->kind = EXIT_NONE;
	c->length_epoch++;
	run(c, exit);
	if (vcpu->debug_step)
		svm_sync_state(vcpu); /* the core says where the next instruction is */
}

void svm_left(struct vcpu *vcpu)
{
	(void)vcpu;
	svm_mitigations_leave();
}
