/* SPDX-License-Identifier: MIT */
/*
 * run_exit.c - what the core does about each exit of the guest, or what it asks of the caller.
 */
#include <linux/errno.h>

#include "hw/x86.h"
#include "hypervisor/cpuid.h"
#include "hypervisor/cpuid_table.h"
#include "hypervisor/ioevent.h"
#include "hypervisor/irqchip/irqchip.h"
#include "hypervisor/msr.h"
#include "hypervisor/run.h"
#include "hypervisor/vm.h"
#include "lib/bits.h"
#include "lib/bytes.h"

static enum run_step leave_debug(struct vcpu *vcpu, uint32_t vector, uint64_t rip, uint64_t dr6,
				 uint64_t dr7)
{
	struct kvm_debug_exit_arch arch = {.exception = vector, .pc = rip, .dr6 = dr6, .dr7 = dr7};

	vcpu->run->exit_reason = KVM_EXIT_DEBUG;
	vcpu->run->debug.arch = arch;
	return RUN_LEAVE;
}

void run_finish(struct vcpu *vcpu, uint8_t length)
{
	struct cpu_state *state = &vcpu->state;
	bool trace = state->rflags & RFLAGS_TF;

	state->rip += length;
	if (!((state->efer & EFER_LMA) && state->segment[CPU_CS].l))
		state->rip = (uint32_t)state->rip;
	state->rflags &= ~RFLAGS_RF;
	state->sti_shadow = state->mov_ss_shadow = false;
	if (trace && !vcpu->debug_step) {
		state->dr6 |= DR6_BS;
		vcpu_raise(vcpu, CPU_VECTOR_DB, false, 0);
	}
}

/* The instruction that exited is done: what every instruction does at its end. */
static enum run_step finish(struct vcpu *vcpu, uint8_t length)
{
	const struct cpu_state *state = &vcpu->state;

	run_finish(vcpu, length);
	if (vcpu->debug_step)
		return leave_debug(vcpu, CPU_VECTOR_DB, state->segment[CPU_CS].base + state->rip,
				   DR6_ONES | DR6_BS, state->dr7);
	return RUN_GO_ON;
}

static enum run_step finish_or_fault(struct vcpu *vcpu, uint8_t length, bool well)
{
	if (well)
		return finish(vcpu, length);
	vcpu_raise(vcpu, CPU_VECTOR_GP, true, 0);
	return RUN_GO_ON;
}

/* --- Devices ---------------------------------------------------------------------------------- */

static enum run_step leave_access(struct vcpu *vcpu, const struct exit_access *access)
{
	struct kvm_run *run = vcpu->run;

	vcpu->access_pending = true;
	if (access->space == EXIT_SPACE_PORT) {
		run->exit_reason = KVM_EXIT_IO;
		run->io.direction = access->write ? KVM_EXIT_IO_OUT : KVM_EXIT_IO_IN;
		run->io.size = access->size;
		run->io.port = (uint16_t)access->address;
		run->io.count = 1;
		run->io.data_offset = RUN_PORT_DATA;
		if (access->write)
			memcpy((uint8_t *)run + RUN_PORT_DATA, &access->data, access->size);
	} else {
		run->exit_reason = KVM_EXIT_MMIO;
		run->mmio.phys_addr = access->address;
		run->mmio.len = access->size;
		run->mmio.is_write = access->write;
		if (access->write)
			memcpy(run->mmio.data, &access->data, sizeof(run->mmio.data));
	}
	return RUN_LEAVE;
}

static enum run_step handle_access(struct vcpu *vcpu, const struct exit_access *access)
{
	uint64_t data = access->write ? access->data & size_mask(access->size) : 0;
	bool done = false;

	if (access->space == EXIT_SPACE_MEMORY && vcpu->lapic)
		done = irqchip_memory(vcpu, access->address, access->size, access->write, &data);
	else if (vcpu->vm->irqchip)
		done = irqchip_port(vcpu, (uint16_t)access->address, access->size, access->write,
				    &data);
	if (!done)
		done = ioevent_access(vcpu->vm, access);
	if (!done)
		return leave_access(vcpu, access);
	vcpu->vm->backend->complete_access(vcpu, access->write ? 0 : data);
	return RUN_GO_ON;
}

/* --- Instructions ----------------------------------------------------------------------------- */

static enum run_step handle_cpuid(struct vcpu *vcpu, uint8_t length)
{
	uint64_t *gpr = vcpu->state.gpr;
	uint32_t values[4];

	cpuid_execute(vcpu, (uint32_t)gpr[CPU_RAX], (uint32_t)gpr[CPU_RCX], values);
	gpr[CPU_RAX] = values[CPUID_EAX];
	gpr[CPU_RBX] = values[CPUID_EBX];
	gpr[CPU_RCX] = values[CPUID_ECX];
	gpr[CPU_RDX] = values[CPUID_EDX];
	return finish(vcpu, length);
}

static enum run_step handle_msr_read(struct vcpu *vcpu, uint8_t length)
{
	uint64_t *gpr = vcpu->state.gpr, value = 0;
	bool well = msr_read(vcpu, (uint32_t)gpr[CPU_RCX], true, &value);

	if (well) {
		gpr[CPU_RAX] = (uint32_t)value;
		gpr[CPU_RDX] = value >> 32;
	} else {
		vm_log(vcpu->vm, "vCPU %u reads an unknown MSR 0x%x", vcpu->id,
		       (uint32_t)gpr[CPU_RCX]);
	}
	return finish_or_fault(vcpu, length, well);
}

static enum run_step handle_msr_write(struct vcpu *vcpu, uint8_t length)
{
	const uint64_t *gpr = vcpu->state.gpr;
	uint64_t value = (uint32_t)gpr[CPU_RAX] | gpr[CPU_RDX] << 32;
	bool well = msr_write(vcpu, (uint32_t)gpr[CPU_RCX], value, true);

	if (!well)
		vm_log(vcpu->vm, "vCPU %u is refused to write 0x%llx to MSR 0x%x", vcpu->id,
		       (unsigned long long)value, (uint32_t)gpr[CPU_RCX]);
	return finish_or_fault(vcpu, length, well);
}

static enum run_step handle_cr8_write(struct vcpu *vcpu, uint8_t length, uint64_t value)
{
	uint64_t before = vcpu->cr8;
	enum run_step step;

	if (vcpu->lapic)
		return finish_or_fault(vcpu, length, lapic_set_tpr(vcpu->lapic, value));
	if (value & ~UINT64_C(0xf))
		return finish_or_fault(vcpu, length, false);
	vcpu->cr8 = value;
	step = finish(vcpu, length);
	if (step == RUN_LEAVE || value >= before)
		return step;
	vcpu->run->exit_reason = KVM_EXIT_SET_TPR; /* the caller may have an interrupt now */
	return RUN_LEAVE;
}

static bool set_xcr(struct vcpu *vcpu, uint32_t index, uint64_t value)
{
	if (index || vcpu->state.cpl || value & ~vcpu->limits.xcr0 || !(value & XCR0_X87) ||
	    ((value & XCR0_AVX) && !(value & XCR0_SSE)))
		return false;
	vcpu->state.xcr0 = value;
	return true;
}

static enum run_step handle_xsetbv(struct vcpu *vcpu, uint8_t length)
{
	const uint64_t *gpr = vcpu->state.gpr;
	uint64_t value = (uint32_t)gpr[CPU_RAX] | gpr[CPU_RDX] << 32;

	return finish_or_fault(vcpu, length, set_xcr(vcpu, (uint32_t)gpr[CPU_RCX], value));
}

static enum run_step handle_hlt(struct vcpu *vcpu, uint8_t length)
{
	enum run_step step = finish(vcpu, length);

	if (vcpu->lapic) {
		vcpu->mp_state = KVM_MP_STATE_HALTED;
		return step;
	}
	if (step == RUN_GO_ON)
		vcpu->run->exit_reason = KVM_EXIT_HLT;
	return RUN_LEAVE;
}

/* --- Ends ------------------------------------------------------------------------------------- */

static enum run_step leave_failed(struct vcpu *vcpu, const struct exit *exit)
{
	struct kvm_run *run = vcpu->run;

	vm_log(vcpu->vm, "vCPU %u can't go on at 0x%llx: %s (0x%llx)", vcpu->id,
	       (unsigned long long)vcpu->state.rip, exit->failure.text,
	       (unsigned long long)exit->failure.reason);
	run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	run->internal.suberror = KVM_INTERNAL_ERROR_EMULATION;
	run->internal.ndata = 1;
	run->internal.data[0] = exit->failure.reason;
	return RUN_LEAVE;
}

/* Kept out of the way of the commonest. */
__attribute__((noinline)) static enum run_step handle(struct vcpu *vcpu, const struct exit *exit)
{
	switch (exit->kind) {
	case EXIT_NONE:
	case EXIT_INTERRUPT_WINDOW:
	case EXIT_NMI_WINDOW:
		return RUN_GO_ON;
	case EXIT_ACCESS:
		return handle_access(vcpu, &exit->access);
	case EXIT_CPUID:
		return handle_cpuid(vcpu, exit->length);
	case EXIT_MSR_READ:
		return handle_msr_read(vcpu, exit->length);
	case EXIT_MSR_WRITE:
		return handle_msr_write(vcpu, exit->length);
	case EXIT_CR8_READ:
		vcpu->state.gpr[exit->reg] = vcpu->lapic ? lapic_get_tpr(vcpu->lapic) : vcpu->cr8;
		return finish(vcpu, exit->length);
	case EXIT_CR8_WRITE:
		return handle_cr8_write(vcpu, exit->length, vcpu->state.gpr[exit->reg]);
	case EXIT_XSETBV:
		return handle_xsetbv(vcpu, exit->length);
	case EXIT_HLT:
		return handle_hlt(vcpu, exit->length);
	case EXIT_PAUSE:
		host_yield();
		return finish(vcpu, exit->length);
	case EXIT_HYPERCALL:
		run_hypercall(vcpu);
		return finish(vcpu, exit->length);
	case EXIT_DEBUG:
		return leave_debug(vcpu, exit->debug.vector, exit->debug.rip, exit->debug.dr6,
				   exit->debug.dr7);
	case EXIT_SHUTDOWN:
		vcpu->run->exit_reason = KVM_EXIT_SHUTDOWN;
		return RUN_LEAVE;
	case EXIT_FAILED:
		return leave_failed(vcpu, exit);
	}
	return RUN_GO_ON;
}

enum run_step run_handle_exit(struct vcpu *vcpu, const struct exit *exit)
{
	if (exit->kind == EXIT_ACCESS && exit->access.refused)
		return leave_access(vcpu, &exit->access);
	return handle(vcpu, exit);
}

/* --- Exits that need nothing but the vCPU ----------------------------------------------------- */

/* What an interrupt controller was asked for may have an interrupt come: the core looks. */
static enum run_fast after_chips(const struct vcpu *vcpu)
{
	return vcpu->lapic && lapic_has_work(vcpu->lapic) ? RUN_FAST_LEAVE : RUN_FAST_AGAIN;
}

static enum run_fast fast_access(struct vcpu *vcpu, struct exit_access *access)
{
	uint64_t data = access->write ? access->data & size_mask(access->size) : 0;
	bool done = false;

	if (access->space != EXIT_SPACE_PORT)
		return RUN_FAST_NO;
	if (vcpu->vm->irqchip)
		done = irqchip_port(vcpu, (uint16_t)access->address, access->size, access->write,
				    &data);
	if (!done)
		done = ioevent_access(vcpu->vm, access);
	access->refused = !done;
	if (!done)
		return RUN_FAST_NO;
	vcpu->vm->backend->complete_access(vcpu, access->write ? 0 : data);
	return after_chips(vcpu);
}

static enum run_fast fast_msr_read(struct vcpu *vcpu, const struct exit *exit)
{
	if (vcpu->lapic && lapic_has_flag(vcpu->lapic))
		return RUN_FAST_NO;
	handle_msr_read(vcpu, exit->length);
	return after_chips(vcpu);
}

/* What a write to MSRs but the APIC's does may need memory, and backends know of it. */
static enum run_fast fast_msr_write(struct vcpu *vcpu, const struct exit *exit)
{
	const uint64_t *gpr = vcpu->state.gpr;
	uint64_t value = (uint32_t)gpr[CPU_RAX] | gpr[CPU_RDX] << 32;

	if (!msr_is_lapic((uint32_t)gpr[CPU_RCX]) || !vcpu->lapic || lapic_has_flag(vcpu->lapic))
		return RUN_FAST_NO;
	/* One that is refused does nothing here, and faults outside. */
	if (!lapic_msr_write(vcpu->lapic, (uint32_t)gpr[CPU_RCX], value))
		return RUN_FAST_NO;
	run_finish(vcpu, exit->length);
	return after_chips(vcpu);
}

static enum run_fast fast(struct vcpu *vcpu, struct exit *exit)
{
	switch (exit->kind) {
	case EXIT_CPUID:
		handle_cpuid(vcpu, exit->length);
		return RUN_FAST_AGAIN;
	case EXIT_MSR_READ:
		return fast_msr_read(vcpu, exit);
	case EXIT_MSR_WRITE:
		return fast_msr_write(vcpu, exit);
	case EXIT_HYPERCALL:
		if (!run_hypercall_is_atomic(vcpu))
			return RUN_FAST_NO;
		run_hypercall(vcpu);
		finish(vcpu, exit->length);
		return after_chips(vcpu);
	default:
		return RUN_FAST_NO;
	}
}

enum run_fast run_handle_fast(struct vcpu *vcpu, struct exit *exit)
{
	enum run_fast result;

	if (vcpu->debug_step)
		return RUN_FAST_NO;
	result = exit->kind == EXIT_ACCESS ? fast_access(vcpu, &exit->access) : fast(vcpu, exit);
	if (result == RUN_FAST_AGAIN && vcpu->exception.kind != CPU_EVENT_NONE)
		return RUN_FAST_LEAVE;
	return result;
}
