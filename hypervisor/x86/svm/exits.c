/* SPDX-License-Identifier: MIT */
/*
 * exits.c - from the VMCB's exit to backend.h's, or to what is done about it here.  APM2 appendix
 * C.
 */
#include "hypervisor/msr.h"
#include "hypervisor/run.h"
#include "hypervisor/x86/svm/svm.h"

/* --- Lengths of instructions ------------------------------------------------------------------ */

/*
 * Where the CPU doesn't tell an instruction's length it is decoded, and remembered for as long as
 * it is met once in LENGTH_RUNS run()s: the exit code says which instruction stands there, so all
 * that could be wrong is the number of its prefixes, were it replaced by the same with others.
 */
#define LENGTH_RUNS 64

static struct svm_length *length_place(struct svm_vcpu *c)
{
	uint64_t rip = c->vcpu.state.rip;

	return &c->lengths[(rip ^ rip >> 4) % SVM_LENGTHS];
}

/* 0: unknown. */
static uint8_t find_length(struct svm_vcpu *c)
{
	const struct cpu_state *s = &c->vcpu.state;
	struct svm_length *l;

	if (svm_features.next_rip)
		return (uint8_t)(c->vmcb->control.next_rip - s->rip);
	l = length_place(c);
	if (l->rip != s->rip || l->cr3 != s->cr3 || c->length_epoch - l->epoch > LENGTH_RUNS ||
	    l->exit_code != (uint32_t)c->vmcb->control.exit_code)
		return 0;
	l->epoch = c->length_epoch;
	return l->length;
}

static uint8_t decode_length(struct svm_vcpu *c)
{
	unsigned length;

	if (svm_features.next_rip)
		return find_length(c);
	svm_sync_state(&c->vcpu);
	length = emulate_length(&c->vcpu);
	if (length)
		*length_place(c) = (struct svm_length){
			.rip = c->vcpu.state.rip,
			.cr3 = c->vcpu.state.cr3,
			.exit_code = (uint32_t)c->vmcb->control.exit_code,
			.epoch = c->length_epoch,
			.length = (uint8_t)length,
		};
	return (uint8_t)length;
}

/* --- The core's exits ------------------------------------------------------------------------- */

static enum svm_next fail(struct svm_vcpu *c, struct exit *exit, const char *text)
{
	exit->kind = EXIT_FAILED;
	exit->failure.reason = c->vmcb->control.exit_code;
	exit->failure.text = text;
	return SVM_CORE;
}

/* What the core does about an instruction; false: it isn't one of those. */
static bool find_kind(const struct vmcb_control *control, enum exit_kind *kind)
{
	switch ((uint32_t)control->exit_code) {
	case SVM_EXIT_CPUID:
		*kind = EXIT_CPUID;
		return true;
	case SVM_EXIT_MSR:
		*kind = control->exit_info1 & SVM_MSR_WRITE ? EXIT_MSR_WRITE : EXIT_MSR_READ;
		return true;
	case SVM_EXIT_HLT:
		*kind = EXIT_HLT;
		return true;
	case SVM_EXIT_PAUSE:
		*kind = EXIT_PAUSE;
		return true;
	case SVM_EXIT_VMMCALL:
		*kind = EXIT_HYPERCALL;
		return true;
	case SVM_EXIT_XSETBV:
		*kind = EXIT_XSETBV;
		return true;
	default:
		return false;
	}
}

/* The exit goes to the core.  Registers of the local APIC are in no VMCB. */
static enum svm_next give(struct svm_vcpu *c, struct exit *exit)
{
	uint32_t msr = (uint32_t)c->vcpu.state.gpr[CPU_RCX];

	if (exit->kind == EXIT_MSR_READ)
		svm_sync_state(&c->vcpu);
	else if (exit->kind == EXIT_MSR_WRITE && !msr_is_lapic(msr))
		svm_state_changes(c);
	return SVM_CORE;
}

static enum svm_next try_fast(struct svm_vcpu *c, struct exit *exit)
{
	enum run_fast fast = run_handle_fast(&c->vcpu, exit);

	if (fast == RUN_FAST_NO)
		return give(c, exit);
	exit->kind = EXIT_NONE;
	return fast == RUN_FAST_AGAIN ? SVM_AGAIN : SVM_CORE;
}

static enum svm_next handle_instruction(struct svm_vcpu *c, struct exit *exit, enum exit_kind kind)
{
	exit->length = find_length(c);
	if (!exit->length)
		return SVM_OUTSIDE;
	if (kind == EXIT_CPUID)
		guest_vector_take_xcr0(&c->vcpu.state); /* it tells of XCR0 */
	exit->kind = kind;
	return try_fast(c, exit);
}

static enum svm_next handle_port(struct svm_vcpu *c, struct exit *exit)
{
	const struct vmcb_control *control = &c->vmcb->control;
	uint32_t info = (uint32_t)control->exit_info1;

	if (info & SVM_IO_STRING)
		return SVM_OUTSIDE;
	c->access.port = (uint16_t)(info >> SVM_IO_PORT_SHIFT);
	c->access.size = info >> SVM_IO_SIZE_SHIFT & 7;
	c->access.length = (uint8_t)(control->exit_info2 - c->vcpu.state.rip);
	c->access.write = !(info & SVM_IO_IN);
	if (device_access_port(&c->access, &c->vcpu, exit)) {
		svm_complete_access(&c->vcpu, 0);
		return SVM_CORE;
	}
	return try_fast(c, exit);
}

static enum svm_next raise(struct svm_vcpu *c, uint8_t vector, bool has_error, uint32_t error)
{
	vcpu_raise(&c->vcpu, vector, has_error, error);
	return SVM_CORE;
}

/* Runs the host's handler as the interrupt would have: it looks for what the machine reports. */
static void handle_machine_check(void)
{
	__asm__ volatile("int $18" : : : "memory");
}

static enum svm_next handle_exception(struct svm_vcpu *c, struct exit *exit, unsigned vector)
{
	switch (vector) {
	case CPU_VECTOR_DB:
	case CPU_VECTOR_BP:
		return svm_debug_exception(c, vector, exit);
	case CPU_VECTOR_UD:
		return SVM_OUTSIDE;
	case CPU_VECTOR_MC:
		handle_machine_check();
		return SVM_AGAIN;
	default:
		return raise(c, (uint8_t)vector, true, (uint32_t)c->vmcb->control.exit_info1);
	}
}

static bool is_debug_register(uint32_t code)
{
	return code >= SVM_EXIT_DR_READ(0) && code <= SVM_EXIT_DR_WRITE(15);
}

enum svm_next svm_exit_inside(struct svm_vcpu *c, struct exit *exit)
{
	uint32_t code = (uint32_t)c->vmcb->control.exit_code;
	enum exit_kind kind;

	/* These two are most exits. */
	if (code == SVM_EXIT_MSR)
		return handle_instruction(c, exit,
					  c->vmcb->control.exit_info1 & SVM_MSR_WRITE
						  ? EXIT_MSR_WRITE
						  : EXIT_MSR_READ);
	if (code == SVM_EXIT_IOIO)
		return handle_port(c, exit);
	switch (code) {
	case SVM_EXIT_INTR:
	case SVM_EXIT_NMI:
	case SVM_EXIT_SMI:
	case SVM_EXIT_INIT:
		return c->vcpu.inject.kind == CPU_EVENT_NONE && !c->vcpu.want_nmi_window ? SVM_AGAIN
											 : SVM_CORE;
	case SVM_EXIT_VINTR:
		exit->kind = EXIT_INTERRUPT_WINDOW;
		return SVM_CORE;
	case SVM_EXIT_FERR_FREEZE:
		return SVM_AGAIN; /* the CPU would wait for an interrupt, in front of the x87's */
	case SVM_EXIT_IRET:
		svm_iret(c);
		return SVM_AGAIN;
	case SVM_EXIT_SHUTDOWN:
		exit->kind = EXIT_SHUTDOWN;
		return SVM_CORE;
	case SVM_EXIT_INVALID:
		return fail(c, exit, "the CPU can't run a guest in this state");
	case SVM_EXIT_RDPMC:
		return raise(c, CPU_VECTOR_GP, true, 0);
	case SVM_EXIT_RSM:
	case SVM_EXIT_INVLPGA:
	case SVM_EXIT_VMRUN:
	case SVM_EXIT_VMLOAD:
	case SVM_EXIT_VMSAVE:
	case SVM_EXIT_STGI:
	case SVM_EXIT_CLGI:
	case SVM_EXIT_SKINIT:
	case SVM_EXIT_MONITOR:
	case SVM_EXIT_MWAIT:
	case SVM_EXIT_RDPRU:
		return raise(c, CPU_VECTOR_UD, false, 0);
	default:
		break;
	}
	if (find_kind(&c->vmcb->control, &kind))
		return handle_instruction(c, exit, kind);
	if (code >= SVM_EXIT_EXCEPTION(0) && code < SVM_EXIT_INTR)
		return handle_exception(c, exit, code - SVM_EXIT_EXCEPTION(0));
	if (is_debug_register(code) && !c->vcpu.debug_hardware) {
		svm_debug_take(c);
		return SVM_AGAIN;
	}
	/* Only while stepping: the interrupt can't come behind these. */
	if (code == SVM_EXIT_PUSHF || code == SVM_EXIT_POPF || code == SVM_EXIT_INT_N) {
		exit->kind = EXIT_INTERRUPT_WINDOW;
		return SVM_CORE;
	}
	if (code == SVM_EXIT_AVIC_INCOMPLETE_IPI || code == SVM_EXIT_AVIC_NOACCEL)
		return svm_avic_exit(c);
	return SVM_OUTSIDE;
}

/* --- Outside the inner loop ------------------------------------------------------------------- */

/* What could not be emulated, if anything, ends the VM. */
static bool emulated(struct svm_vcpu *c, struct exit *exit, bool look, const char *why)
{
	if (why)
		fail(c, exit, why);
	return look;
}

bool svm_go_on_emulating(struct svm_vcpu *c, struct exit *exit)
{
	const char *why;
	bool look;

	svm_sync_state(&c->vcpu);
	look = device_access_go_on(&c->access, &c->vcpu, exit, &why);
	return emulated(c, exit, look, why);
}

static bool emulate(struct svm_vcpu *c, struct exit *exit)
{
	const char *why;
	bool look;

	svm_sync_state(&c->vcpu);
	look = device_access_emulate(&c->access, &c->vcpu, exit, &why);
	return emulated(c, exit, look, why);
}

static bool handle_nested_fault(struct svm_vcpu *c, struct exit *exit)
{
	const struct vmcb_control *control = &c->vmcb->control;
	struct stage2 *stage2 = &svm_vm_of(c->vcpu.vm)->stage2;
	bool write = control->exit_info1 & PAGE_FAULT_WRITE;
	int err;

	err = stage2_fault_of(stage2, &c->spare, &c->vcpu, control->exit_info2, write);
	if (err == -ENOENT && !(control->exit_info1 & SVM_NESTED_FAULT_TABLE))
		return emulate(c, exit);
	if (err && err != -EINTR)
		fail(c, exit, stage2_failure(err));
	return err;
}

/* A cache that is coherent has nothing to write back for the guest. */
static bool skip(struct svm_vcpu *c, struct exit *exit)
{
	uint8_t length = decode_length(c);

	if (!length) {
		fail(c, exit, "an instruction can't be read");
		return true;
	}
	exit->kind = EXIT_NONE;
	run_finish(&c->vcpu, length);
	return device_access_finished(&c->access, &c->vcpu);
}

static bool handle_cr8(struct svm_vcpu *c, struct exit *exit, bool write)
{
	struct decode_insn insn;

	svm_sync_state(&c->vcpu);
	if (!emulate_decode(&c->vcpu, &insn) || insn.op != OP_MOV_CR)
		return false; /* it has changed meanwhile, and runs again */
	exit->kind = write ? EXIT_CR8_WRITE : EXIT_CR8_READ;
	exit->length = insn.length;
	exit->reg = insn.operand[write ? 1 : 0].reg;
	return true;
}

/* The guest's CPUID has fewer bits than the CPU. */
static bool handle_control(struct svm_vcpu *c, struct exit *exit)
{
	svm_state_changes(c);
	c->asid_generation = 0; /* what the TLB has may be of another mode */
	return emulate(c, exit);
}

/* VMCALL is another maker's VMMCALL: a guest may have come from its CPU, or not look whose it is
 * on. */
static bool handle_undefined(struct svm_vcpu *c, struct exit *exit)
{
	struct decode_insn insn;

	svm_sync_state(&c->vcpu);
	if (emulate_decode(&c->vcpu, &insn) && insn.op == OP_VMCALL) {
		exit->kind = EXIT_HYPERCALL;
		exit->length = insn.length;
	} else {
		raise(c, CPU_VECTOR_UD, false, 0);
	}
	return true;
}

bool svm_exit_outside(struct svm_vcpu *c, struct exit *exit)
{
	uint32_t code = (uint32_t)c->vmcb->control.exit_code;
	enum exit_kind kind;

	if (find_kind(&c->vmcb->control, &kind)) {
		exit->length = decode_length(c);
		if (!exit->length)
			return false; /* its page has gone meanwhile: it faults there */
		exit->kind = kind;
		give(c, exit);
		return true;
	}
	switch (code) {
	case SVM_EXIT_NESTED_FAULT:
		return handle_nested_fault(c, exit);
	case SVM_EXIT_WBINVD:
	case SVM_EXIT_INVD:
		return skip(c, exit);
	case SVM_EXIT_EXCEPTION(CPU_VECTOR_UD):
		return handle_undefined(c, exit);
	case SVM_EXIT_CR_READ(0):
		return emulate(c, exit);
	case SVM_EXIT_CR0_SELECTIVE:
	case SVM_EXIT_CR_WRITE(0):
	case SVM_EXIT_CR_WRITE(4):
		return handle_control(c, exit);
	case SVM_EXIT_CR_READ(8):
		return handle_cr8(c, exit, false);
	case SVM_EXIT_CR_WRITE(8):
		return handle_cr8(c, exit, true);
	case SVM_EXIT_IOIO:
		return emulate(c, exit);
	default:
		if (is_debug_register(code))
			return emulate(c, exit);
		fail(c, exit, "an exit that is not known");
		return true;
	}
}

/* --- The core's answer ------------------------------------------------------------------------ */

void svm_complete_access(struct vcpu *vcpu, uint64_t data)
{
	struct svm_vcpu *c = svm_of(vcpu);

	device_access_complete(&c->access, vcpu, data, c->debug_live);
}
