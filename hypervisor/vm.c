/* SPDX-License-Identifier: MIT */
/*
 * vm.c - a VM's life: made, shared by those who hold it and its vCPUs, ended with the last of them;
 * and how what its vCPUs may be reading is replaced.
 */
#include "hypervisor/vm.h"

#include <linux/errno.h>
#include <stdarg.h>

#include "hypervisor/clock.h"
#include "hypervisor/hypervisor.h"
#include "hypervisor/ioevent.h"
#include "hypervisor/irqchip/irqchip.h"
#include "hypervisor/memory.h"
#include "hypervisor/vcpu_life.h"
#include "lib/bits.h"
#include "lib/format.h"

#define GUEST_LOG_LINES 64

/* --- Life ------------------------------------------------------------------------------------- */

static void destroy(struct vm *vm)
{
	if (vm->irqchip)
		irqchip_stop(vm->irqchip);
	if (vm->backend->vm_stop)
		vm->backend->vm_stop(vm);
	for (uint32_t i = 0; i < vm->vcpu_count; i++)
		vcpu_end(vm->vcpus[i]);
	ioevent_destroy(vm);
	if (vm->irqchip)
		irqchip_destroy(vm->irqchip);
	vm->backend->vm_destroy(vm);
	memory_destroy(vm);
	host_free(vm);
}

int hypervisor_create_vm(const struct backend *backend, uint64_t type, struct vm **vm)
{
	struct vm *made;
	int err;

	if (type)
		return -EINVAL;
	made = host_alloc(backend->vm_size);
	if (!made)
		return -ENOMEM;
	made->backend = backend;
	made->references = 1;
	made->log_budget = GUEST_LOG_LINES;
	host_mutex_init(&made->mutex);
	host_spin_init(&made->waiting_lock);
	clock_create(made);
	err = memory_create(made);
	if (!err)
		err = ioevent_create(made);
	if (!err)
		err = backend->vm_create(made);
	if (err < 0) {
		ioevent_destroy(made);
		memory_destroy(made);
		host_free(made);
		return err;
	}
	*vm = made;
	return 0;
}

void vm_get(struct vm *vm)
{
	__atomic_fetch_add(&vm->references, 1, __ATOMIC_RELAXED);
}

void hypervisor_put_vm(struct vm *vm)
{
	/* Release what was done with it before; whoever ends it acquires all of that. */
	if (__atomic_sub_fetch(&vm->references, 1, __ATOMIC_ACQ_REL) == 0)
		destroy(vm);
}

void vm_log(struct vm *vm, const char *format, ...)
{
	uint64_t left = __atomic_load_n(&vm->log_budget, __ATOMIC_RELAXED);
	char text[160];
	va_list args;

	do {
		if (!left)
			return;
	} while (!__atomic_compare_exchange_n(&vm->log_budget, &left, left - 1, true,
					      __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	va_start(args, format);
	format_text_args(text, sizeof(text), format, args);
	va_end(args);
	host_log(HOST_LOG_DEBUG, text);
}

/* --- Readers outside the guest ---------------------------------------------------------------- */

uint32_t vm_read_begin(struct vm *vm)
{
	uint32_t epoch = __atomic_load_n(&vm->epoch, __ATOMIC_RELAXED) & 1;

	/* Before the reader's look at the table: who waits sees it, or it sees the new table. */
	__atomic_fetch_add(&vm->readers[epoch], 1, __ATOMIC_SEQ_CST);
	return epoch;
}

void vm_read_end(struct vm *vm, uint32_t epoch)
{
	__atomic_fetch_sub(&vm->readers[epoch], 1, __ATOMIC_RELEASE);
}

/*
 * A reader may have read the epoch before and count itself only after the look at its count: it is
 * then in the count of the other parity, for which the second round waits.
 */
void vm_wait_for_readers(struct vm *vm)
{
	for (unsigned round = 0; round < 2; round++) {
		uint32_t old = __atomic_fetch_add(&vm->epoch, 1, __ATOMIC_SEQ_CST) & 1;

		while (__atomic_load_n(&vm->readers[old], __ATOMIC_SEQ_CST))
			host_yield();
	}
}

/* --- vCPUs in the guest ----------------------------------------------------------------------- */

struct vm_waiting {
	struct host_waiter waiter;
	struct vm_waiting *next;
};

void vm_wake_waiting(struct vm *vm)
{
	if (!__atomic_load_n(&vm->waiting_count, __ATOMIC_SEQ_CST))
		return;
	host_spin_lock(&vm->waiting_lock);
	for (struct vm_waiting *each = vm->waiting; each; each = each->next)
		host_wake(&each->waiter);
	host_spin_unlock(&vm->waiting_lock);
}

static void begin_waiting(struct vm *vm, struct vm_waiting *self)
{
	host_waiter_init(&self->waiter);
	host_spin_lock(&vm->waiting_lock);
	self->next = vm->waiting;
	vm->waiting = self;
	host_spin_unlock(&vm->waiting_lock);
	__atomic_fetch_add(&vm->waiting_count, 1, __ATOMIC_SEQ_CST);
}

static void end_waiting(struct vm *vm, struct vm_waiting *self)
{
	struct vm_waiting **each = &vm->waiting;

	__atomic_fetch_sub(&vm->waiting_count, 1, __ATOMIC_SEQ_CST);
	host_spin_lock(&vm->waiting_lock);
	while (*each != self)
		each = &(*each)->next;
	*each = self->next;
	host_spin_unlock(&vm->waiting_lock);
}

static void wait_for_vcpu(struct vcpu *vcpu, struct vm_waiting *self)
{
	uint32_t exits = __atomic_load_n(&vcpu->guest_exits, __ATOMIC_SEQ_CST);

	if (!__atomic_load_n(&vcpu->in_guest, __ATOMIC_SEQ_CST))
		return;
	vcpu_kick(vcpu);
	while (__atomic_load_n(&vcpu->in_guest, __ATOMIC_SEQ_CST) &&
	       __atomic_load_n(&vcpu->guest_exits, __ATOMIC_SEQ_CST) == exits)
		if (host_wait(&self->waiter) < 0)
			host_yield(); /* a signal is for who comes after us */
}

void vm_synchronize(struct vm *vm)
{
	uint32_t count = __atomic_load_n(&vm->vcpu_count, __ATOMIC_ACQUIRE);
	struct vm_waiting waiting = {0};
	bool begun = false;

	for (uint32_t i = 0; i < count; i++) {
		struct vcpu *vcpu = vm->vcpus[i];

		if (!__atomic_load_n(&vcpu->in_guest, __ATOMIC_SEQ_CST))
			continue;
		if (!begun)
			begin_waiting(vm, &waiting);
		begun = true;
		wait_for_vcpu(vcpu, &waiting);
	}
	if (begun)
		end_waiting(vm, &waiting);
}
