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

#endif
