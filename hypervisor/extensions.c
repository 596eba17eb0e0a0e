/* SPDX-License-Identifier: MIT */
/*
 * extensions.c - what KVM_CHECK_EXTENSION says of the core, and what KVM_ENABLE_CAP can switch on.
 * An extension that isn't in the table isn't served: 0.
 */
#include <linux/errno.h>
#include <linux/kvm.h>

#include "hypervisor/commands.h"
#include "hypervisor/memory.h"
#include "hypervisor/vm.h"
#include "lib/bits.h"

#define DIRTY_LOG_FLAGS (KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET)
#define GUEST_DEBUG_FLAGS                                                                          \
	(KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_USE_SW_BP |                  \
	 KVM_GUESTDBG_USE_HW_BP | KVM_GUESTDBG_INJECT_DB | KVM_GUESTDBG_INJECT_BP |                \
	 KVM_GUESTDBG_BLOCKIRQ)
#define MCE_BANKS 32

static const struct extension {
	uint32_t number;
	int32_t value;
} extensions[] = {
	{KVM_CAP_IRQCHIP, 1},
	{KVM_CAP_HLT, 1},
	{KVM_CAP_MMU_SHADOW_CACHE_CONTROL, 1},
	{KVM_CAP_USER_MEMORY, 1},
	{KVM_CAP_SET_TSS_ADDR, 1},
	{KVM_CAP_EXT_CPUID, 1},
	{KVM_CAP_CLOCKSOURCE, 1},
	{KVM_CAP_NR_VCPUS, VM_VCPUS_MAX},
	{KVM_CAP_NR_MEMSLOTS, MEMORY_SLOTS_MAX},
	{KVM_CAP_NOP_IO_DELAY, 1},
	{KVM_CAP_MP_STATE, 1},
	{KVM_CAP_SYNC_MMU, 1},
	{KVM_CAP_DESTROY_MEMORY_REGION_WORKS, 1},
	{KVM_CAP_USER_NMI, 1},
	{KVM_CAP_SET_GUEST_DEBUG, 1},
	{KVM_CAP_REINJECT_CONTROL, 1},
	{KVM_CAP_IRQ_ROUTING, 4096},
	{KVM_CAP_IRQ_INJECT_STATUS, 1},
	{KVM_CAP_JOIN_MEMORY_REGIONS_WORKS, 1},
	{KVM_CAP_MCE, MCE_BANKS},
	{KVM_CAP_IRQFD, 1},
	{KVM_CAP_PIT2, 1},
	{KVM_CAP_SET_BOOT_CPU_ID, 1},
	{KVM_CAP_PIT_STATE2, 1},
	{KVM_CAP_IOEVENTFD, 1},
	{KVM_CAP_SET_IDENTITY_MAP_ADDR, 1},
	{KVM_CAP_ADJUST_CLOCK, KVM_CLOCK_TSC_STABLE | KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC},
	{KVM_CAP_INTERNAL_ERROR_DATA, 1},
	{KVM_CAP_VCPU_EVENTS, 1},
	{KVM_CAP_INTR_SHADOW, 1},
	{KVM_CAP_DEBUGREGS, 1},
	{KVM_CAP_X86_ROBUST_SINGLESTEP, 1},
	{KVM_CAP_ENABLE_CAP, 1},
	{KVM_CAP_XSAVE, 1},
	{KVM_CAP_XCRS, 1},
	{KVM_CAP_GET_TSC_KHZ, 1},
	{KVM_CAP_MAX_VCPUS, VM_VCPUS_MAX},
	{KVM_CAP_TSC_DEADLINE_TIMER, 1},
	{KVM_CAP_KVMCLOCK_CTRL, 1},
	{KVM_CAP_SIGNAL_MSI, 1},
	{KVM_CAP_READONLY_MEM, 1},
	{KVM_CAP_EXT_EMUL_CPUID, 1},
	{KVM_CAP_IOAPIC_POLARITY_IGNORED, 1},
	{KVM_CAP_ENABLE_CAP_VM, 1},
	{KVM_CAP_IOEVENTFD_NO_LENGTH, 1},
	{KVM_CAP_CHECK_EXTENSION_VM, 1},
	{KVM_CAP_IOEVENTFD_ANY_LENGTH, 1},
	{KVM_CAP_MAX_VCPU_ID, VCPU_ID_LIMIT},
	{KVM_CAP_IMMEDIATE_EXIT, 1},
	{KVM_CAP_GET_MSR_FEATURES, 1},
	{KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, DIRTY_LOG_FLAGS},
	{KVM_CAP_SET_GUEST_DEBUG2, GUEST_DEBUG_FLAGS},
	{KVM_CAP_SREGS2, 1},
	{KVM_CAP_XSAVE2, sizeof(struct kvm_xsave)},
};

int64_t extension_check(const struct backend *backend, uint64_t number)
{
	if (number == KVM_CAP_TSC_CONTROL || number == KVM_CAP_VM_TSC_CONTROL)
		return backend->scales_tsc && backend->scales_tsc();
	if (number == KVM_CAP_ASYNC_PF || number == KVM_CAP_ASYNC_PF_INT)
		return host_fetcher != NULL;
	for (unsigned i = 0; i < ARRAY_COUNT(extensions); i++)
		if (extensions[i].number == number)
			return extensions[i].value;
	return 0;
}

int64_t extension_enable(struct vm *vm, uint64_t value, void *data)
{
	const struct kvm_enable_cap *wish = data;

	(void)value;
	if (wish->cap != KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 || wish->flags ||
	    wish->args[0] & ~(uint64_t)DIRTY_LOG_FLAGS)
		return -EINVAL;
	if (wish->args[0] == KVM_DIRTY_LOG_INITIALLY_SET)
		return -EINVAL; /* only with the other */
	vm->manual_dirty_log = wish->args[0] & KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE;
	vm->dirty_initially_set = wish->args[0] & KVM_DIRTY_LOG_INITIALLY_SET;
	return 0;
}
