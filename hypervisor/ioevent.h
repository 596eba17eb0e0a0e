/* SPDX-License-Identifier: MIT */
/*
 * ioevent.h - events that a guest's write to a port or an address signals (KVM_IOEVENTFD), without
 * an exit to the caller.
 */
#ifndef DYAD_HYPERVISOR_IOEVENT_H
#define DYAD_HYPERVISOR_IOEVENT_H

#include <linux/kvm.h>
#include <stdbool.h>

#include "hypervisor/x86/backend.h"

struct vm;

int ioevent_create(struct vm *vm);
void ioevent_destroy(struct vm *vm);
/* KVM_IOEVENTFD.  With the VM's mutex. */
int ioevent_set(struct vm *vm, const struct kvm_ioeventfd *wish);
/* True when a write was an event's, which is signalled then.  By a vCPU's thread, not in the guest.
 */
bool ioevent_access(struct vm *vm, const struct exit_access *access);

#endif
