/* SPDX-License-Identifier: MIT */
/*
 * ioevent.c - the table of a VM's ioeventfds: sorted by address, and published whole as the memory
 * slots are, so that vCPUs look into it without a lock.
 */
#include "hypervisor/ioevent.h"

#include <linux/errno.h>

#include "hypervisor/vm.h"
#include "lib/bits.h"

#define IOEVENTS_MAX 1024
#define PORTS 0x10000u
#define VALID_FLAGS                                                                                \
	(KVM_IOEVENTFD_FLAG_DATAMATCH | KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DEASSIGN)

struct ioevent {
	enum exit_space space;
	uint64_t address;
	uint32_t length; /* 0: any */
	bool any_data;
	uint64_t data;
	struct host_event *event;
};

struct ioevents {
	uint32_t count;
	struct ioevent events[];
};

static struct ioevents *table_of(struct vm *vm)
{
	return __atomic_load_n(&vm->ioevents, __ATOMIC_ACQUIRE);
}

static bool precedes(const struct ioevent *event, enum exit_space space, uint64_t address)
{
	return event->space != space ? event->space < space : event->address < address;
}

/* The first that stands at the address or behind it. */
static uint32_t lower_bound(const struct ioevents *table, enum exit_space space, uint64_t address)
{
	uint32_t low = 0, high = table->count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (precedes(&table->events[middle], space, address))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool at(const struct ioevents *table, uint32_t i, enum exit_space space, uint64_t address)
{
	return i < table->count && table->events[i].space == space &&
	       table->events[i].address == address;
}

bool ioevent_access(struct vm *vm, const struct exit_access *access)
{
	struct ioevents *table;
	bool found = false;
	uint32_t epoch;

	if (!access->write)
		return false;
	epoch = vm_read_begin(vm);
	table = table_of(vm);
	for (uint32_t i = lower_bound(table, access->space, access->address);
	     !found && at(table, i, access->space, access->address); i++) {
		const struct ioevent *event = &table->events[i];

		found = !event->length || (event->length == access->size &&
					   (event->any_data || event->data == access->data));
		if (found)
			host_event_signal(event->event);
	}
	vm_read_end(vm, epoch);
	return found;
}

/* Whether a write could belong to both. */
static bool collide(const struct ioevent *a, const struct ioevent *b)
{
	if (a->space != b->space || a->address != b->address)
		return false;
	if (!a->length || !b->length)
		return true;
	return a->length == b->length && (a->any_data || b->any_data || a->data == b->data);
}

static void publish(struct vm *vm, struct ioevents *table)
{
	struct ioevents *before = vm->ioevents;

	__atomic_store_n(&vm->ioevents, table, __ATOMIC_SEQ_CST);
	vm_wait_for_readers(vm);
	host_free(before);
}

static int assign(struct vm *vm, const struct ioevent *wish)
{
	const struct ioevents *from = vm->ioevents;
	struct ioevents *table;
	uint32_t place;

	for (uint32_t i = 0; i < from->count; i++)
		if (collide(&from->events[i], wish))
			return -EEXIST;
	if (from->count >= IOEVENTS_MAX)
		return -ENOSPC;
	table = host_alloc(sizeof(*table) + (from->count + 1) * sizeof(table->events[0]));
	if (!table)
		return -ENOMEM;
	place = lower_bound(from, wish->space, wish->address);
	for (uint32_t i = 0; i < from->count; i++)
		table->events[i < place ? i : i + 1] = from->events[i];
	table->events[place] = *wish;
	table->count = from->count + 1;
	publish(vm, table);
	return 0;
}

static int deassign(struct vm *vm, const struct ioevent *wish)
{
	const struct ioevents *from = vm->ioevents;
	struct host_event *event = NULL;
	struct ioevents *table;

	table = host_alloc(sizeof(*table) + (from->count + 1) * sizeof(table->events[0]));
	if (!table)
		return -ENOMEM;
	for (uint32_t i = 0; i < from->count; i++) {
		const struct ioevent *each = &from->events[i];

		if (!event && each->event == wish->event && each->space == wish->space &&
		    each->address == wish->address && each->length == wish->length &&
		    each->any_data == wish->any_data &&
		    (each->any_data || each->data == wish->data))
			event = each->event;
		else
			table->events[table->count++] = *each;
	}
	if (!event) {
		host_free(table);
		return -ENOENT;
	}
	publish(vm, table);
	host_event_put(event);
	return 0;
}

int ioevent_set(struct vm *vm, const struct kvm_ioeventfd *wish)
{
	struct ioevent event = {
		.space = wish->flags & KVM_IOEVENTFD_FLAG_PIO ? EXIT_SPACE_PORT : EXIT_SPACE_MEMORY,
		.address = wish->addr,
		.length = wish->len,
		.any_data = !(wish->flags & KVM_IOEVENTFD_FLAG_DATAMATCH),
		.data = wish->datamatch & size_mask(wish->len),
	};
	int err;

	if (wish->flags & ~VALID_FLAGS || (wish->len && !is_power_of_two(wish->len)) ||
	    wish->len > 8 || wish->addr + wish->len < wish->addr || (!wish->len && !event.any_data))
		return -EINVAL;
	if (event.space == EXIT_SPACE_PORT && (wish->addr >= PORTS || wish->len > 4))
		return -EINVAL;
	if (event.any_data)
		event.data = 0;
	err = host_event_get(wish->fd, &event.event);
	if (err < 0)
		return err;
	if (wish->flags & KVM_IOEVENTFD_FLAG_DEASSIGN) {
		err = deassign(vm, &event);
		host_event_put(event.event);
		return err;
	}
	err = assign(vm, &event);
	if (err < 0)
		host_event_put(event.event);
	return err;
}

int ioevent_create(struct vm *vm)
{
	vm->ioevents = host_alloc(sizeof(*vm->ioevents));
	return vm->ioevents ? 0 : -ENOMEM;
}

void ioevent_destroy(struct vm *vm)
{
	if (!vm->ioevents)
		return;
	for (uint32_t i = 0; i < vm->ioevents->count; i++)
		host_event_put(vm->ioevents->events[i].event);
	host_free(vm->ioevents);
	vm->ioevents = NULL;
}
