/* SPDX-License-Identifier: MIT */
/*
 * inside.c - reaching vCPUs that are inside the guest (inside.h).
 */
#include "hypervisor/x86/inside.h"

#include "host.h"
#include "hypervisor/vm.h"

void inside_kick(struct vcpu *vcpu)
{
	uint32_t inside = __atomic_load_n(&vcpu->inside, __ATOMIC_SEQ_CST);

	if (inside)
		host_kick_cpu(inside - 1);
}

void inside_flush(struct vm *vm)
{
	uint32_t count = __atomic_load_n(&vm->vcpu_count, __ATOMIC_ACQUIRE);

	for (uint32_t i = 0; i < count; i++) {
		struct vcpu *vcpu = vm->vcpus[i];
		uint32_t entries = __atomic_load_n(&vcpu->entries, __ATOMIC_SEQ_CST);
		uint32_t inside = __atomic_load_n(&vcpu->inside, __ATOMIC_SEQ_CST);

		if (!inside)
			continue;
		host_kick_cpu(inside - 1);
		while (__atomic_load_n(&vcpu->inside, __ATOMIC_ACQUIRE) == inside &&
		       __atomic_load_n(&vcpu->entries, __ATOMIC_ACQUIRE) == entries)
			__builtin_ia32_pause();
	}
}
