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

/* KVM_CHECK_EXTENSION: 0 for what isn't served. */
int64_t extension_check(const struct backend *backend, uint64_t number);
/* KVM_ENABLE_CAP on a VM. */
int64_t extension_enable(struct vm *vm, uint64_t value, void *data);

#endif
