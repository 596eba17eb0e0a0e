/* SPDX-License-Identifier: MIT */
/*
 * hypervisor.h - the core's face to its host: the objects of the KVM ABI and the commands they
 * take.
 *
 * The host makes handles (file descriptors, numbers) of these objects and passes on what callers
 * send to them: command is a KVM_* number of <linux/kvm.h>, arg its argument, a value or an address
 * in the caller's memory.  What each command needs and does stands in one table,
 * hypervisor/commands.c, and in docs/abi.md.  Callers are hostile: any command may come at any
 * time, from any thread, with any bytes.
 */
#ifndef DYAD_HYPERVISOR_HYPERVISOR_H
#define DYAD_HYPERVISOR_HYPERVISOR_H

#include <stdint.h>

#include "hypervisor/x86/backend.h"

struct vm;
struct vcpu;

/* The backends that a host links, the best first, ended by NULL: the host defines it. */
extern const struct backend *const host_backends[];

/* The first of them that this machine can run; NULL: none.  wanted: BACKEND_*.  Once, before all
 * else. */
const struct backend *hypervisor_probe(uint32_t wanted);

/* Result, or -errno.  KVM_CREATE_VM is hypervisor_create_vm()'s, which the host calls for it. */
int64_t hypervisor_system_command(const struct backend *backend, uint32_t command, uint64_t arg);

/* One reference, the caller's; the VM ends when the last one of it and of its vCPUs is put. */
int hypervisor_create_vm(const struct backend *backend, uint64_t type, struct vm **vm);
int64_t hypervisor_vm_command(struct vm *vm, uint32_t command, uint64_t arg);
void hypervisor_put_vm(struct vm *vm);

/* KVM_CREATE_VCPU: run is the page(s) shared with the caller, host_alloc()ed by the core with the
 * vCPU. */
int hypervisor_create_vcpu(struct vm *vm, uint64_t id, struct vcpu **vcpu);
int64_t hypervisor_vcpu_command(struct vcpu *vcpu, uint32_t command, uint64_t arg);
struct kvm_run *hypervisor_vcpu_run(struct vcpu *vcpu); /* KVM_GET_VCPU_MMAP_SIZE bytes */
void hypervisor_put_vcpu(struct vcpu *vcpu);

/*
 * A device of the caller's wrote to its memory at user: what was decoded from there is void.  Hosts
 * call it where they know of such writes and the backend can't see them (the soft one).
 */
void hypervisor_memory_written(struct vm *vm, uint64_t user, uint64_t size);

#endif
