/* SPDX-License-Identifier: MIT */
/*
 * commands.h - what a command of the KVM ABI is to the core: one line of the table in commands.c.
 */
#ifndef DYAD_HYPERVISOR_COMMANDS_H
#define DYAD_HYPERVISOR_COMMANDS_H

#include <stdint.h>

struct backend;
struct vcpu;
struct vm;

/* What a command finds at its argument. */
enum command_argument {
	ARGUMENT_VALUE, /* it is the value itself, or isn't used */
	ARGUMENT_IN,    /* the address of a structure, which the command reads */
	ARGUMENT_OUT,   /* writes */
	ARGUMENT_BOTH,  /* reads, then writes */
	ARGUMENT_LIST,  /* of a list of the caller's length, which the command copies itself */
};

/* Preconditions, and what the command does not do then: bits of command.needs. */
#define NEEDS_IRQCHIP 1u    /* -ENXIO without one */
#define NEEDS_NO_IRQCHIP 2u /* -ENXIO with one: it would be the caller's */
#define NEEDS_NO_VCPUS 4u   /* -EINVAL once there is a vCPU */
#define NEEDS_LOCK 8u       /* runs with the VM's mutex */

/* The structure, where there is one, is a copy at data; otherwise value is the argument. */
struct command {
	uint32_t number;
	enum command_argument argument;
	uint32_t needs;
	int64_t (*system)(const struct backend *backend, uint64_t value, void *data);
	int64_t (*vm)(struct vm *vm, uint64_t value, void *data);
	int64_t (*vcpu)(struct vcpu *vcpu, uint64_t value, void *data);
};

/* The banks of machine checks that a vCPU can have, and their features. */
#define MCE_CAP_SUPPORTED (MCG_CAP_CTL_P | MCG_CAP_SER_P | MSR_MCE_BANKS_MAX)

/* commands_vm.c: those of the system and of VMs, named as the ABI names them */
int64_t command_get_api_version(const struct backend *backend, uint64_t value, void *data);
int64_t command_get_run_size(const struct backend *backend, uint64_t value, void *data);
int64_t command_check_extension(const struct backend *backend, uint64_t value, void *data);
int64_t command_get_supported_cpuid(const struct backend *backend, uint64_t value, void *data);
int64_t command_get_emulated_cpuid(const struct backend *backend, uint64_t value, void *data);
int64_t command_get_msr_index_list(const struct backend *backend, uint64_t value, void *data);
int64_t command_get_msr_feature_list(const struct backend *backend, uint64_t value, void *data);
int64_t command_get_msr_features(const struct backend *backend, uint64_t value, void *data);
int64_t command_get_mce_cap(const struct backend *backend, uint64_t value, void *data);
int64_t command_check_vm_extension(struct vm *vm, uint64_t value, void *data);
int64_t command_set_memory_region(struct vm *vm, uint64_t value, void *data);
int64_t command_get_dirty_log(struct vm *vm, uint64_t value, void *data);
int64_t command_clear_dirty_log(struct vm *vm, uint64_t value, void *data);
int64_t command_set_tss_address(struct vm *vm, uint64_t value, void *data);
int64_t command_set_identity_map_address(struct vm *vm, uint64_t value, void *data);
int64_t command_set_mmu_pages(struct vm *vm, uint64_t value, void *data);
int64_t command_set_boot_cpu(struct vm *vm, uint64_t value, void *data);
int64_t command_create_irqchip(struct vm *vm, uint64_t value, void *data);
int64_t command_create_pit(struct vm *vm, uint64_t value, void *data);
int64_t command_get_irqchip(struct vm *vm, uint64_t value, void *data);
int64_t command_set_irqchip(struct vm *vm, uint64_t value, void *data);
int64_t command_get_pit(struct vm *vm, uint64_t value, void *data);
int64_t command_set_pit(struct vm *vm, uint64_t value, void *data);
int64_t command_control_reinjection(struct vm *vm, uint64_t value, void *data);
int64_t command_set_irq_line(struct vm *vm, uint64_t value, void *data);
int64_t command_set_irq_line_status(struct vm *vm, uint64_t value, void *data);
int64_t command_signal_msi(struct vm *vm, uint64_t value, void *data);
int64_t command_set_irqfd(struct vm *vm, uint64_t value, void *data);
int64_t command_set_ioeventfd(struct vm *vm, uint64_t value, void *data);
int64_t command_set_routing(struct vm *vm, uint64_t value, void *data);
int64_t command_get_clock(struct vm *vm, uint64_t value, void *data);
int64_t command_set_clock(struct vm *vm, uint64_t value, void *data);
int64_t command_vm_set_tsc_khz(struct vm *vm, uint64_t value, void *data);
int64_t command_vm_get_tsc_khz(struct vm *vm, uint64_t value, void *data);

/* KVM_CHECK_EXTENSION: 0 for what isn't served. */
int64_t extension_check(const struct backend *backend, uint64_t number);
/* KVM_ENABLE_CAP on a VM. */
int64_t extension_enable(struct vm *vm, uint64_t value, void *data);

#endif
