/* SPDX-License-Identifier: MIT */
/*
 * commands.c - all commands of the KVM ABI that the core serves, in one table but for KVM_RUN: the
 * object that each is sent to, its argument, what must hold before it, and who does it. docs/abi.md
 * tells what callers can rely on.  A command that isn't here is -ENOTTY.
 */
#include "hypervisor/commands.h"

#include <linux/errno.h>
#include <linux/kvm.h>

#include "hw/msr.h"
#include "hypervisor/clock.h"
#include "hypervisor/cpuid.h"
#include "hypervisor/hypervisor.h"
#include "hypervisor/irqchip/irqchip.h"
#include "hypervisor/msr.h"
#include "hypervisor/run.h"
#include "hypervisor/state.h"
#include "hypervisor/vm.h"
#include "lib/bits.h"
#include "lib/bytes.h"

/* --- vCPUs ------------------------------------------------------------------------------------ */

/* Commands that only get or set a structure. */
#define GETTER(name, function)                                                                     \
	static int64_t name(struct vcpu *vcpu, uint64_t value, void *data)                         \
	{                                                                                          \
		(void)value;                                                                       \
		function(vcpu, data);                                                              \
		return 0;                                                                          \
	}
#define SETTER(name, function)                                                                     \
	static int64_t name(struct vcpu *vcpu, uint64_t value, void *data)                         \
	{                                                                                          \
		(void)value;                                                                       \
		return function(vcpu, data);                                                       \
	}

GETTER(get_regs, state_get_regs)
SETTER(set_regs, state_set_regs)
GETTER(get_sregs, state_get_sregs)
SETTER(set_sregs, state_set_sregs)
GETTER(get_sregs2, state_get_sregs2)
SETTER(set_sregs2, state_set_sregs2)
GETTER(get_debugregs, state_get_debug)
SETTER(set_debugregs, state_set_debug)
GETTER(get_fpu, state_get_fpu)
SETTER(set_fpu, state_set_fpu)
GETTER(get_xsave, state_get_xsave)
SETTER(set_xsave, state_set_xsave)
GETTER(get_xcrs, state_get_xcrs)
SETTER(set_xcrs, state_set_xcrs)
GETTER(get_events, state_get_events)
SETTER(set_events, state_set_events)
GETTER(get_mp_state, state_get_mp)
SETTER(set_mp_state, state_set_mp)
SETTER(queue_interrupt, state_queue_interrupt)
SETTER(set_guest_debug, state_set_guest_debug)
GETTER(translate, state_translate)

static int64_t queue_nmi(struct vcpu *vcpu, uint64_t value, void *data)
{
	(void)value;
	(void)data;
	return state_queue_nmi(vcpu);
}

static int64_t get_lapic(struct vcpu *vcpu, uint64_t value, void *data)
{
	(void)value;
	return lapic_get(vcpu->lapic, data);
}

static int64_t set_lapic(struct vcpu *vcpu, uint64_t value, void *data)
{
	(void)value;
	return lapic_set(vcpu->lapic, data);
}

static int64_t get_msrs(struct vcpu *vcpu, uint64_t value, void *data)
{
	(void)data;
	return msr_get_list(vcpu, value);
}

static int64_t set_msrs(struct vcpu *vcpu, uint64_t value, void *data)
{
	(void)data;
	return msr_set_list(vcpu, value);
}

static int64_t set_cpuid(struct vcpu *vcpu, uint64_t value, void *data)
{
	(void)data;
	return cpuid_set(vcpu, value);
}

static int64_t set_cpuid2(struct vcpu *vcpu, uint64_t value, void *data)
{
	(void)data;
	return cpuid_set2(vcpu, value);
}

static int64_t get_cpuid2(struct vcpu *vcpu, uint64_t value, void *data)
{
	(void)data;
	return cpuid_get2(vcpu, value);
}

static int64_t set_tsc_khz(struct vcpu *vcpu, uint64_t value, void *data)
{
	(void)data;
	return clock_set_tsc_khz(vcpu, value);
}

static int64_t get_tsc_khz(struct vcpu *vcpu, uint64_t value, void *data)
{
	(void)value;
	(void)data;
	return clock_tsc_khz(vcpu);
}

/* The guest's watchdogs learn that it was stopped, once. */
static int64_t tell_paused(struct vcpu *vcpu, uint64_t value, void *data)
{
	(void)value;
	(void)data;
	if (!(vcpu->msr.kvm_system_time & 1))
		return -EINVAL;
	vcpu->msr.kvm_paused = true;
	clock_write_page(vcpu);
	return 0;
}

/*
 * A page by which a guest that its caller has patched sets TPR without an exit.  Callers patch what
 * KVM_EXIT_TPR_ACCESS tells them of, which there is none of here, and QEMU gives up without this.
 */
static int64_t set_vapic_address(struct vcpu *vcpu, uint64_t value, void *data)
{
	(void)vcpu;
	(void)value;
	(void)data;
	return 0;
}

static int64_t setup_mce(struct vcpu *vcpu, uint64_t value, void *data)
{
	uint64_t cap = *(uint64_t *)data;

	(void)value;
	if (!(cap & MCG_CAP_BANKS) || (cap & MCG_CAP_BANKS) > MSR_MCE_BANKS_MAX ||
	    cap & ~(MCE_CAP_SUPPORTED | MCG_CAP_BANKS))
		return -EINVAL;
	vcpu->msr.mcg_cap = cap;
	if (cap & MCG_CAP_CTL_P)
		vcpu->msr.mcg_ctl = UINT64_MAX;
	for (unsigned i = 0; i < (cap & MCG_CAP_BANKS); i++)
		vcpu->msr.mce[4 * i] = UINT64_MAX;
	return 0;
}

/* --- The table -------------------------------------------------------------------------------- */

#define SYSTEM(command, argument, function)                                                        \
	{                                                                                          \
		command, ARGUMENT_##argument, 0, .system = (function)                              \
	}
#define VM(command, argument, needs, function)                                                     \
	{                                                                                          \
		command, ARGUMENT_##argument, needs, .vm = (function)                              \
	}
#define VCPU(command, argument, needs, function)                                                   \
	{                                                                                          \
		command, ARGUMENT_##argument, needs, .vcpu = (function)                            \
	}

static const struct command commands[] = {
	SYSTEM(KVM_GET_API_VERSION, VALUE, command_get_api_version),
	SYSTEM(KVM_CHECK_EXTENSION, VALUE, command_check_extension),
	SYSTEM(KVM_GET_VCPU_MMAP_SIZE, VALUE, command_get_run_size),
	SYSTEM(KVM_GET_SUPPORTED_CPUID, LIST, command_get_supported_cpuid),
	SYSTEM(KVM_GET_EMULATED_CPUID, LIST, command_get_emulated_cpuid),
	SYSTEM(KVM_GET_MSR_INDEX_LIST, LIST, command_get_msr_index_list),
	SYSTEM(KVM_GET_MSR_FEATURE_INDEX_LIST, LIST, command_get_msr_feature_list),
	SYSTEM(KVM_GET_MSRS, LIST, command_get_msr_features),
	SYSTEM(KVM_X86_GET_MCE_CAP_SUPPORTED, OUT, command_get_mce_cap),

	VM(KVM_CHECK_EXTENSION, VALUE, 0, command_check_vm_extension),
	VM(KVM_ENABLE_CAP, IN, NEEDS_LOCK, extension_enable),
	VM(KVM_SET_USER_MEMORY_REGION, IN, NEEDS_LOCK, command_set_memory_region),
	VM(KVM_GET_DIRTY_LOG, IN, NEEDS_LOCK, command_get_dirty_log),
	VM(KVM_CLEAR_DIRTY_LOG, IN, NEEDS_LOCK, command_clear_dirty_log),
	VM(KVM_SET_NR_MMU_PAGES, VALUE, 0, command_set_mmu_pages),
	VM(KVM_SET_TSS_ADDR, VALUE, 0, command_set_tss_address),
	VM(KVM_SET_IDENTITY_MAP_ADDR, IN, NEEDS_LOCK | NEEDS_NO_VCPUS,
	   command_set_identity_map_address),
	VM(KVM_SET_BOOT_CPU_ID, VALUE, NEEDS_LOCK, command_set_boot_cpu),
	VM(KVM_CREATE_IRQCHIP, VALUE, NEEDS_LOCK | NEEDS_NO_VCPUS, command_create_irqchip),
	VM(KVM_GET_IRQCHIP, BOTH, NEEDS_IRQCHIP, command_get_irqchip),
	VM(KVM_SET_IRQCHIP, IN, NEEDS_IRQCHIP, command_set_irqchip),
	VM(KVM_CREATE_PIT2, IN, NEEDS_LOCK | NEEDS_IRQCHIP, command_create_pit),
	VM(KVM_GET_PIT2, OUT, NEEDS_IRQCHIP, command_get_pit),
	VM(KVM_SET_PIT2, IN, NEEDS_IRQCHIP, command_set_pit),
	VM(KVM_REINJECT_CONTROL, IN, NEEDS_IRQCHIP, command_control_reinjection),
	VM(KVM_IRQ_LINE, IN, NEEDS_IRQCHIP, command_set_irq_line),
	VM(KVM_IRQ_LINE_STATUS, BOTH, NEEDS_IRQCHIP, command_set_irq_line_status),
	VM(KVM_SIGNAL_MSI, IN, NEEDS_IRQCHIP, command_signal_msi),
	VM(KVM_SET_GSI_ROUTING, LIST, NEEDS_IRQCHIP, command_set_routing),
	VM(KVM_IRQFD, IN, NEEDS_IRQCHIP, command_set_irqfd),
	VM(KVM_IOEVENTFD, IN, NEEDS_LOCK, command_set_ioeventfd),
	VM(KVM_GET_CLOCK, OUT, 0, command_get_clock),
	VM(KVM_SET_CLOCK, IN, 0, command_set_clock),
	VM(KVM_SET_TSC_KHZ, VALUE, NEEDS_LOCK | NEEDS_NO_VCPUS, command_vm_set_tsc_khz),
	VM(KVM_GET_TSC_KHZ, VALUE, 0, command_vm_get_tsc_khz),

	VCPU(KVM_GET_REGS, OUT, 0, get_regs),
	VCPU(KVM_SET_REGS, IN, 0, set_regs),
	VCPU(KVM_GET_SREGS, OUT, 0, get_sregs),
	VCPU(KVM_SET_SREGS, IN, 0, set_sregs),
	VCPU(KVM_GET_SREGS2, OUT, 0, get_sregs2),
	VCPU(KVM_SET_SREGS2, IN, 0, set_sregs2),
	VCPU(KVM_GET_DEBUGREGS, OUT, 0, get_debugregs),
	VCPU(KVM_SET_DEBUGREGS, IN, 0, set_debugregs),
	VCPU(KVM_GET_FPU, OUT, 0, get_fpu),
	VCPU(KVM_SET_FPU, IN, 0, set_fpu),
	VCPU(KVM_GET_XSAVE, OUT, 0, get_xsave),
	VCPU(KVM_GET_XSAVE2, OUT, 0, get_xsave),
	VCPU(KVM_SET_XSAVE, IN, 0, set_xsave),
	VCPU(KVM_GET_XCRS, OUT, 0, get_xcrs),
	VCPU(KVM_SET_XCRS, IN, 0, set_xcrs),
	VCPU(KVM_GET_MSRS, LIST, 0, get_msrs),
	VCPU(KVM_SET_MSRS, LIST, 0, set_msrs),
	VCPU(KVM_SET_CPUID, LIST, 0, set_cpuid),
	VCPU(KVM_SET_CPUID2, LIST, 0, set_cpuid2),
	VCPU(KVM_GET_CPUID2, LIST, 0, get_cpuid2),
	VCPU(KVM_GET_LAPIC, OUT, NEEDS_IRQCHIP, get_lapic),
	VCPU(KVM_SET_LAPIC, IN, NEEDS_IRQCHIP, set_lapic),
	VCPU(KVM_SET_VAPIC_ADDR, IN, NEEDS_IRQCHIP, set_vapic_address),
	VCPU(KVM_GET_VCPU_EVENTS, OUT, 0, get_events),
	VCPU(KVM_SET_VCPU_EVENTS, IN, 0, set_events),
	VCPU(KVM_GET_MP_STATE, OUT, 0, get_mp_state),
	VCPU(KVM_SET_MP_STATE, IN, 0, set_mp_state),
	VCPU(KVM_INTERRUPT, IN, NEEDS_NO_IRQCHIP, queue_interrupt),
	VCPU(KVM_NMI, VALUE, 0, queue_nmi),
	VCPU(KVM_TRANSLATE, BOTH, 0, translate),
	VCPU(KVM_SET_GUEST_DEBUG, IN, 0, set_guest_debug),
	VCPU(KVM_SET_TSC_KHZ, VALUE, 0, set_tsc_khz),
	VCPU(KVM_GET_TSC_KHZ, VALUE, 0, get_tsc_khz),
	VCPU(KVM_KVMCLOCK_CTRL, VALUE, 0, tell_paused),
	VCPU(KVM_X86_SETUP_MCE, IN, 0, setup_mce),
};

/* --- From a command to who does it ------------------------------------------------------------ */

/* Not inlined where KVM_RUN is, which needs none of what they have on the stack. */
#define APART __attribute__((noinline))

enum object { OBJECT_SYSTEM, OBJECT_VM, OBJECT_VCPU };

static bool is_for(const struct command *command, enum object object)
{
	switch (object) {
	case OBJECT_SYSTEM:
		return command->system;
	case OBJECT_VM:
		return command->vm;
	default:
		return command->vcpu;
	}
}

static const struct command *find(enum object object, uint32_t number)
{
	for (unsigned i = 0; i < ARRAY_COUNT(commands); i++)
		if (commands[i].number == number && is_for(&commands[i], object))
			return &commands[i];
	return NULL;
}

/* One of the three, by what the command is for. */
struct target {
	const struct backend *backend;
	struct vm *vm;
	struct vcpu *vcpu;
};

static int64_t perform(const struct command *command, const struct target *target, uint64_t value,
		       void *data)
{
	if (command->system)
		return command->system(target->backend, value, data);
	if (command->vm)
		return command->vm(target->vm, value, data);
	return command->vcpu(target->vcpu, value, data);
}

#define SMALL_ARGUMENT 512 /* bytes; larger ones don't go on a kernel's stack */

/* Copies the structure in and out around the command. */
static int64_t perform_with_copy(const struct command *command, const struct target *target,
				 uint64_t user)
{
	size_t size = _IOC_SIZE(command->number);
	_Alignas(16) uint8_t small[SMALL_ARGUMENT];
	void *data = size > sizeof(small) ? host_alloc(size) : small;
	int64_t result = 0;

	if (!data)
		return -ENOMEM;
	memset(data, 0, size);
	if (command->argument != ARGUMENT_OUT)
		result = host_copy_in(data, user, size);
	if (!result)
		result = perform(command, target, user, data);
	if (result >= 0 && command->argument != ARGUMENT_IN) {
		int err = host_copy_out(user, data, size);

		if (err < 0)
			result = err;
	}
	if (data != small)
		host_free(data);
	return result;
}

static int64_t dispatch(const struct command *command, const struct target *target, uint64_t arg)
{
	switch (command->argument) {
	case ARGUMENT_IN:
	case ARGUMENT_OUT:
	case ARGUMENT_BOTH:
		return perform_with_copy(command, target, arg);
	default:
		return perform(command, target, arg, NULL);
	}
}

APART int64_t hypervisor_system_command(const struct backend *backend, uint32_t number,
					uint64_t arg)
{
	const struct command *command = find(OBJECT_SYSTEM, number);
	struct target target = {.backend = backend};

	return command ? dispatch(command, &target, arg) : -ENOTTY;
}

static int64_t check_needs(const struct vm *vm, uint32_t needs, bool irqchip)
{
	if ((needs & NEEDS_IRQCHIP) && !irqchip)
		return -ENXIO;
	if ((needs & NEEDS_NO_IRQCHIP) && irqchip)
		return -ENXIO;
	if ((needs & NEEDS_NO_VCPUS) && __atomic_load_n(&vm->vcpu_count, __ATOMIC_ACQUIRE))
		return -EINVAL;
	return 0;
}

APART int64_t hypervisor_vm_command(struct vm *vm, uint32_t number, uint64_t arg)
{
	const struct command *command = find(OBJECT_VM, number);
	struct target target = {.vm = vm};
	int64_t result;

	if (!command)
		return -ENOTTY;
	if ((command->needs & NEEDS_LOCK) && host_mutex_lock_killable(&vm->mutex) < 0)
		return -EINTR;
	result = check_needs(vm, command->needs,
			     __atomic_load_n(&vm->irqchip, __ATOMIC_ACQUIRE) != NULL);
	if (!result)
		result = dispatch(command, &target, arg);
	if (command->needs & NEEDS_LOCK)
		host_mutex_unlock(&vm->mutex);
	return result;
}

/* KVM_RUN, without a search: it is most of all commands. */
static int64_t run(struct vcpu *vcpu, uint64_t arg)
{
	int64_t result;

	if (arg)
		return -EINVAL;
	host_mutex_lock(&vcpu->mutex);
	result = run_vcpu(vcpu);
	host_mutex_unlock(&vcpu->mutex);
	return result;
}

APART static int64_t perform_vcpu_command(struct vcpu *vcpu, uint32_t number, uint64_t arg)
{
	const struct command *command = find(OBJECT_VCPU, number);
	struct target target = {.vcpu = vcpu};
	int64_t result;

	if (!command)
		return -ENOTTY;
	/* Behind a KVM_RUN of another thread's it may take for ever. */
	if (host_mutex_lock_killable(&vcpu->mutex) < 0)
		return -EINTR;
	result = check_needs(vcpu->vm, command->needs, vcpu->lapic != NULL);
	vcpu_sync_state(vcpu);
	if (!result)
		result = dispatch(command, &target, arg);
	host_mutex_unlock(&vcpu->mutex);
	return result;
}

int64_t hypervisor_vcpu_command(struct vcpu *vcpu, uint32_t number, uint64_t arg)
{
	return number == KVM_RUN ? run(vcpu, arg) : perform_vcpu_command(vcpu, number, arg);
}
