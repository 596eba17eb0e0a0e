/* SPDX-License-Identifier: MIT */
/*
 * kvm_object.h - the KVM ABI's objects (the system, VMs, vCPUs) as what handles name.  Handles may
 * be closed in any order: each holds its own reference to what it stands for.
 */
#ifndef DYAD_TYPE1_HOST_KVM_OBJECT_H
#define DYAD_TYPE1_HOST_KVM_OBJECT_H

#include <stdint.h>

struct object;

/*
 * Looks for the CPU's virtualization and turns it on; says in the log what it found.  During boot,
 * on a thread, with all CPUs running.
 */
void kvm_object_init(void);

/* A new reference to the system object, of kind OBJECT_KVM as all here. */
struct object *kvm_object_system(void);

/*
 * TYPE1_KVM of the current process, and TYPE1_KVM_MAP_RUN.  Besides what the command returns:
 * -EIO: the object is another process's; -EOPNOTSUPP: this machine runs no guests; -ENOTTY,
 * -EINVAL: the object takes no such command.
 */
int64_t kvm_object_command(struct object *object, uint32_t command, uint64_t argument);
int64_t kvm_object_map_run(struct object *object);

#endif
