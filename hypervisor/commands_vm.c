/* SPDX-License-Identifier: MIT */
/*
 * commands_vm.c - the commands of the system and of VMs: from a command's argument to the part of
 * the core that does it.
 */
#include <linux/errno.h>
#include <linux/kvm.h>

#include "hw/msr.h"
#include "hypervisor/clock.h"
#include "hypervisor/commands.h"
#include "hypervisor/cpuid.h"
#include "hypervisor/ioevent.h"
#include "hypervisor/irqchip/irqchip.h"
#include "hypervisor/memory.h"
#include "hypervisor/msr.h"
#include "hypervisor/run.h"
#include "hypervisor/vm.h"

/* --- The system ------------------------------------------------------------------------------- */

int64_t command_get_api_version(const struct backend *backend, uint64_t value, void *data)
{
	(void)backend;
	(void)data;
	return value ? -EINVAL : KVM_API_VERSION;
}

int64_t command_get_run_size(const struct backend *backend, uint64_t value, void *data)
{
	(void)backend;
	(void)data;
	return value ? -EINVAL : RUN_SIZE;
}

int64_t command_check_extension(const struct backend *backend, uint64_t value, void *data)
{
	(void)data;
	return extension_check(backend, value);
}

int64_t command_get_supported_cpuid(const struct backend *backend, uint64_t value, void *data)
{
	(void)data;
	return cpuid_supported(backend, value);
}

int64_t command_get_emulated_cpuid(const struct backend *backend, uint64_t value, void *data)
{
	(void)data;
	return cpuid_emulated(backend, value);
}

int64_t command_get_msr_index_list(const struct backend *backend, uint64_t value, void *data)
{
	(void)backend;
	(void)data;
	return msr_index_list(value);
}

int64_t command_get_msr_feature_list(const struct backend *backend, uint64_t value, void *data)
{
	(void)backend;
	(void)data;
	return msr_feature_index_list(value);
}

int64_t command_get_msr_features(const struct backend *backend, uint64_t value, void *data)
{
	(void)backend;
	(void)data;
	return msr_get_features(value);
}

int64_t command_get_mce_cap(const struct backend *backend, uint64_t value, void *data)
{
	(void)backend;
	(void)value;
	*(uint64_t *)data = MCE_CAP_SUPPORTED;
	return 0;
}

/* --- VMs -------------------------------------------------------------------------------------- */

int64_t command_check_vm_extension(struct vm *vm, uint64_t value, void *data)
{
	(void)data;
	return extension_check(vm->backend, value);
}

int64_t command_set_memory_region(struct vm *vm, uint64_t value, void *data)
{
	(void)value;
	return memory_set_region(vm, data);
}

int64_t command_get_dirty_log(struct vm *vm, uint64_t value, void *data)
{
	(void)value;
	return memory_get_log(vm, data);
}

int64_t command_clear_dirty_log(struct vm *vm, uint64_t value, void *data)
{
	(void)value;
	return vm->manual_dirty_log ? memory_clear_log(vm, data) : -EINVAL;
}

/* Where a hypervisor on Intel keeps what it needs to run real mode: this one needs none of it. */
int64_t command_set_tss_address(struct vm *vm, uint64_t value, void *data)
{
	(void)vm;
	(void)data;
	return value > UINT32_MAX - 3 * PAGE_SIZE ? -EINVAL : 0;
}

int64_t command_set_identity_map_address(struct vm *vm, uint64_t value, void *data)
{
	(void)vm;
	(void)value;
	(void)data;
	return 0;
}

/* Guests' page tables are the backend's affair: there is nothing to size. */
int64_t command_set_mmu_pages(struct vm *vm, uint64_t value, void *data)
{
	(void)vm;
	(void)data;
	return value ? 0 : -EINVAL;
}

int64_t command_set_boot_cpu(struct vm *vm, uint64_t value, void *data)
{
	(void)data;
	if (vm->vcpu_count)
		return -EBUSY;
	if (value >= VCPU_ID_LIMIT)
		return -EINVAL;
	vm->boot_cpu = (uint32_t)value;
	return 0;
}

int64_t command_create_irqchip(struct vm *vm, uint64_t value, void *data)
{
	struct irqchip *chip;
	int err;

	(void)value;
	(void)data;
	if (vm->irqchip)
		return -EEXIST;
	err = irqchip_create(vm, &chip);
	if (err < 0)
		return err;
	__atomic_store_n(&vm->irqchip, chip, __ATOMIC_RELEASE); /* with what is in it */
	return 0;
}

int64_t command_create_pit(struct vm *vm, uint64_t value, void *data)
{
	(void)value;
	return irqchip_create_pit(vm->irqchip, data);
}

int64_t command_get_irqchip(struct vm *vm, uint64_t value, void *data)
{
	(void)value;
	return irqchip_get(vm->irqchip, data);
}

int64_t command_set_irqchip(struct vm *vm, uint64_t value, void *data)
{
	(void)value;
	return irqchip_set(vm->irqchip, data);
}

int64_t command_get_pit(struct vm *vm, uint64_t value, void *data)
{
	(void)value;
	return irqchip_get_pit(vm->irqchip, data);
}

int64_t command_set_pit(struct vm *vm, uint64_t value, void *data)
{
	(void)value;
	return irqchip_set_pit(vm->irqchip, data);
}

int64_t command_control_reinjection(struct vm *vm, uint64_t value, void *data)
{
	(void)value;
	return irqchip_reinject_control(vm->irqchip, data);
}

int64_t command_set_irq_line(struct vm *vm, uint64_t value, void *data)
{
	const struct kvm_irq_level *line = data;

	(void)value;
	irqchip_set_line(vm->irqchip, line->irq, line->level != 0);
	return 0;
}

int64_t command_set_irq_line_status(struct vm *vm, uint64_t value, void *data)
{
	struct kvm_irq_level *line = data;

	(void)value;
	line->status = irqchip_set_line(vm->irqchip, line->irq, line->level != 0);
	return 0;
}

int64_t command_signal_msi(struct vm *vm, uint64_t value, void *data)
{
	(void)value;
	return irqchip_signal_msi(vm->irqchip, data);
}

int64_t command_set_irqfd(struct vm *vm, uint64_t value, void *data)
{
	(void)value;
	return irqchip_irqfd(vm->irqchip, data);
}

int64_t command_set_ioeventfd(struct vm *vm, uint64_t value, void *data)
{
	(void)value;
	return ioevent_set(vm, data);
}

#define ROUTES_MAX 4096

int64_t command_set_routing(struct vm *vm, uint64_t value, void *data)
{
	struct kvm_irq_routing_entry *entries;
	struct kvm_irq_routing head;
	int err = host_copy_in(&head, value, sizeof(head));
	size_t size;

	(void)data;
	if (err < 0)
		return err;
	if (head.nr > ROUTES_MAX || head.flags)
		return -EINVAL;
	size = head.nr * sizeof(*entries);
	entries = host_alloc(size ? size : sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	err = host_copy_in(entries, value + sizeof(head), size);
	if (!err)
		err = irqchip_set_routing(vm->irqchip, entries, head.nr);
	host_free(entries);
	return err;
}

int64_t command_get_clock(struct vm *vm, uint64_t value, void *data)
{
	(void)value;
	clock_get(vm, data);
	return 0;
}

int64_t command_set_clock(struct vm *vm, uint64_t value, void *data)
{
	(void)value;
	return clock_set(vm, data);
}

int64_t command_vm_set_tsc_khz(struct vm *vm, uint64_t value, void *data)
{
	(void)data;
	return clock_set_vm_tsc_khz(vm, value);
}

int64_t command_vm_get_tsc_khz(struct vm *vm, uint64_t value, void *data)
{
	(void)value;
	(void)data;
	return clock_vm_tsc_khz(vm);
}
