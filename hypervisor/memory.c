/* SPDX-License-Identifier: MIT */
/*
 * memory.c - the slots of a VM's guest-physical memory.
 *
 * All slots stand in one table, sorted by address, which is never changed once published: a command
 * builds the next table, publishes it, has the backend forget what it had cached of the old one,
 * and frees that when nobody can be reading it any more.
 */
#include "hypervisor/memory.h"

#include <linux/errno.h>

#include "hypervisor/hypervisor.h"
#include "hypervisor/vm.h"
#include "lib/bits.h"
#include "lib/bytes.h"

#define REGION_FLAGS (KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY)
#define SLOT_PAGES_MAX (BIT(31) - 1)

struct memory_slots {
	uint32_t count;
	struct memory_slot slots[];
};

static struct memory_slots *table_of(struct vm *vm)
{
	return __atomic_load_n(&vm->slots, __ATOMIC_ACQUIRE);
}

static const struct memory_slot *find_in(const struct memory_slots *table, uint64_t gpa)
{
	uint32_t low = 0, high = table->count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;
		const struct memory_slot *slot = &table->slots[middle];

		if (gpa < slot->gpa)
			high = middle;
		else if (gpa - slot->gpa >= slot->size)
			low = middle + 1;
		else
			return slot;
	}
	return NULL;
}

const struct memory_slot *memory_find(struct vm *vm, uint64_t gpa)
{
	return find_in(table_of(vm), gpa);
}

const struct memory_slot *memory_slot_by_id(struct vm *vm, uint32_t id)
{
	const struct memory_slots *table = table_of(vm);

	for (uint32_t i = 0; i < table->count; i++)
		if (table->slots[i].id == id)
			return &table->slots[i];
	return NULL;
}

void memory_mark_dirty(const struct memory_slot *slot, uint64_t gpa)
{
	uint64_t page = (gpa - slot->gpa) >> PAGE_SHIFT;

	if (!slot->dirty)
		return;
	if (!(__atomic_load_n(&slot->dirty[page / 64], __ATOMIC_RELAXED) & BIT(page % 64)))
		__atomic_fetch_or(&slot->dirty[page / 64], BIT(page % 64), __ATOMIC_SEQ_CST);
}

/* --- The core's own accesses ------------------------------------------------------------------ */

/* What of size bytes at gpa lies in the slot. */
static size_t size_within(const struct memory_slot *slot, uint64_t gpa, size_t size)
{
	uint64_t left = slot->gpa + slot->size - gpa;

	return left < size ? (size_t)left : size;
}

/* By the slot's own pointer where there is one: a copy by the host may be a system call. */
static int copy_in(const struct memory_slot *slot, uint64_t gpa, void *to, size_t size)
{
	if (!slot->host)
		return host_copy_in(to, slot->user + (gpa - slot->gpa), size);
	memcpy(to, slot->host + (gpa - slot->gpa), size);
	return 0;
}

static int copy_out(const struct memory_slot *slot, uint64_t gpa, const void *from, size_t size)
{
	if (!slot->host)
		return host_copy_out(slot->user + (gpa - slot->gpa), from, size);
	memcpy(slot->host + (gpa - slot->gpa), from, size);
	return 0;
}

int memory_read(struct vm *vm, uint64_t gpa, void *to, size_t size)
{
	uint32_t epoch = vm_read_begin(vm);
	const struct memory_slots *table = table_of(vm);
	uint8_t *at = to;
	int err = 0;

	while (size && !err) {
		const struct memory_slot *slot = find_in(table, gpa);
		size_t part;

		if (!slot) {
			err = -EFAULT;
			break;
		}
		part = size_within(slot, gpa, size);
		err = copy_in(slot, gpa, at, part);
		gpa += part;
		at += part;
		size -= part;
	}
	vm_read_end(vm, epoch);
	return err;
}

int memory_write(struct vm *vm, uint64_t gpa, const void *from, size_t size)
{
	uint32_t epoch = vm_read_begin(vm);
	const struct memory_slots *table = table_of(vm);
	const uint8_t *at = from;
	int err = 0;

	while (size && !err) {
		const struct memory_slot *slot = find_in(table, gpa);
		size_t part;

		if (!slot || slot->read_only) {
			err = -EFAULT;
			break;
		}
		part = size_within(slot, gpa, size);
		if (part > PAGE_SIZE - (gpa & PAGE_MASK))
			part = PAGE_SIZE - (gpa & PAGE_MASK); /* each page is logged */
		err = copy_out(slot, gpa, at, part);
		if (!err) {
			memory_mark_dirty(slot, gpa);
			vm->backend->memory_written(vm, gpa, part);
		}
		gpa += part;
		at += part;
		size -= part;
	}
	vm_read_end(vm, epoch);
	return err;
}

int memory_compare_exchange(struct vm *vm, uint64_t gpa, unsigned size, uint64_t *expected,
			    uint64_t value)
{
	uint32_t epoch = vm_read_begin(vm);
	const struct memory_slot *slot = find_in(table_of(vm), gpa);
	uint64_t before = *expected;
	int err = -EFAULT;

	if (slot && !slot->read_only && size_within(slot, gpa, size) == size)
		err = host_compare_exchange(slot->user + (gpa - slot->gpa), size, expected, value);
	if (!err && *expected == before) {
		memory_mark_dirty(slot, gpa);
		vm->backend->memory_written(vm, gpa, size);
	}
	vm_read_end(vm, epoch);
	return err;
}

/* --- Changes ---------------------------------------------------------------------------------- */

static int bitmap_create(uint64_t pages, uint64_t **bitmap)
{
	*bitmap = host_alloc((pages + 63) / 64 * sizeof(uint64_t));
	return *bitmap ? 0 : -ENOMEM;
}

/* A dirty log of the slot, empty, or full as KVM_DIRTY_LOG_INITIALLY_SET asks. */
static int log_create(struct vm *vm, struct memory_slot *slot)
{
	uint64_t pages = memory_slot_pages(slot);
	int err = bitmap_create(pages, &slot->dirty);

	if (err < 0)
		return err;
	if (vm->manual_dirty_log && vm->dirty_initially_set) {
		memset(slot->dirty, 0xff, (pages + 63) / 64 * sizeof(uint64_t));
		if (pages % 64)
			slot->dirty[pages / 64] = BIT(pages % 64) - 1;
	}
	return 0;
}

/* The table without the slot numbered without, and with the slot with (NULL: none). */
static int table_create(const struct memory_slots *from, uint32_t without,
			const struct memory_slot *with, struct memory_slots **table)
{
	struct memory_slots *next =
		host_alloc(sizeof(*next) + (from->count + 1) * sizeof(next->slots[0]));

	if (!next)
		return -ENOMEM;
	for (uint32_t i = 0; i < from->count; i++) {
		const struct memory_slot *slot = &from->slots[i];

		if (slot->id == without)
			continue;
		if (with && with->gpa < slot->gpa) {
			next->slots[next->count++] = *with;
			with = NULL;
		}
		next->slots[next->count++] = *slot;
	}
	if (with)
		next->slots[next->count++] = *with;
	*table = next;
	return 0;
}

static bool overlaps_another(const struct memory_slots *table, const struct memory_slot *slot)
{
	for (uint32_t i = 0; i < table->count; i++) {
		const struct memory_slot *other = &table->slots[i];

		if (other->id != slot->id && slot->gpa < other->gpa + other->size &&
		    other->gpa < slot->gpa + slot->size)
			return true;
	}
	return false;
}

/* Publishes the table and frees the one before; old and now are what the change is about. */
static void publish(struct vm *vm, struct memory_slots *table, const struct memory_slot *old,
		    const struct memory_slot *now)
{
	struct memory_slots *before = vm->slots;

	__atomic_store_n(&vm->slots, table, __ATOMIC_SEQ_CST);
	if (old)
		vm->backend->memory_changed(vm, old->gpa, old->size);
	if (now && !(old && old->gpa == now->gpa))
		vm->backend->memory_changed(vm, now->gpa, now->size);
	vm_synchronize(vm);
	vm_wait_for_readers(vm);
	host_free(before);
}

static int delete_slot(struct vm *vm, const struct memory_slot *old)
{
	struct memory_slot gone = *old;
	struct memory_slots *table;
	int err = table_create(vm->slots, gone.id, NULL, &table);

	if (err < 0)
		return err;
	publish(vm, table, &gone, NULL);
	host_free(gone.dirty);
	host_free(gone.code);
	return 0;
}

/* Moves a slot, or changes whether it is logged: nothing else of one can change. */
static int change_slot(struct vm *vm, const struct memory_slot *old, const struct memory_slot *wish)
{
	struct memory_slot before = *old, slot = *old;
	struct memory_slots *table;
	int err = 0;

	if (wish->size != old->size || wish->user != old->user || wish->read_only != old->read_only)
		return -EINVAL;
	if (wish->gpa == old->gpa && wish->log == old->log)
		return 0;
	slot.gpa = wish->gpa;
	slot.log = wish->log;
	if (overlaps_another(vm->slots, &slot))
		return -EEXIST;
	if (!slot.log)
		slot.dirty = NULL;
	else if (!old->log)
		err = log_create(vm, &slot);
	if (!err)
		err = table_create(vm->slots, slot.id, &slot, &table);
	if (err < 0) {
		if (slot.dirty != before.dirty)
			host_free(slot.dirty);
		return err;
	}
	publish(vm, table, &before, &slot);
	if (before.dirty != slot.dirty)
		host_free(before.dirty);
	return 0;
}

static int add_slot(struct vm *vm, const struct memory_slot *wish)
{
	struct memory_slot slot = *wish;
	struct memory_slots *table;
	int err = 0;

	if (overlaps_another(vm->slots, &slot))
		return -EEXIST;
	if (host_user_pointer(slot.user + slot.size - 1))
		slot.host = host_user_pointer(slot.user);
	/* Where the core reaches the memory directly a backend may run code from it itself. */
	if (slot.host)
		err = bitmap_create(memory_slot_pages(&slot), &slot.code);
	if (!err && slot.log)
		err = log_create(vm, &slot);
	if (!err)
		err = table_create(vm->slots, slot.id, &slot, &table);
	if (err < 0) {
		host_free(slot.dirty);
		host_free(slot.code);
		return err;
	}
	publish(vm, table, NULL, &slot);
	return 0;
}

int memory_set_region(struct vm *vm, const struct kvm_userspace_memory_region *region)
{
	struct memory_slot wish = {
		.gpa = region->guest_phys_addr,
		.size = region->memory_size,
		.user = region->userspace_addr,
		.id = region->slot,
		.read_only = region->flags & KVM_MEM_READONLY,
		.log = region->flags & KVM_MEM_LOG_DIRTY_PAGES,
	};
	const struct memory_slot *old;

	if (region->flags & ~REGION_FLAGS || wish.id >= MEMORY_SLOTS_MAX ||
	    ((wish.gpa | wish.size | wish.user) & PAGE_MASK) ||
	    wish.size >> PAGE_SHIFT > SLOT_PAGES_MAX || wish.gpa + wish.size < wish.gpa ||
	    wish.user + wish.size < wish.user)
		return -EINVAL;
	old = memory_slot_by_id(vm, wish.id);
	if (!wish.size)
		return old ? delete_slot(vm, old) : -EINVAL;
	return old ? change_slot(vm, old, &wish) : add_slot(vm, &wish);
}

int memory_create(struct vm *vm)
{
	vm->slots = host_alloc(sizeof(*vm->slots));
	return vm->slots ? 0 : -ENOMEM;
}

void memory_destroy(struct vm *vm)
{
	if (!vm->slots)
		return;
	for (uint32_t i = 0; i < vm->slots->count; i++) {
		host_free(vm->slots->slots[i].dirty);
		host_free(vm->slots->slots[i].code);
	}
	host_free(vm->slots);
	vm->slots = NULL;
}

void memory_each_of_user(struct vm *vm, uint64_t user, uint64_t size,
			 void (*each)(const struct memory_slot *slot, uint64_t gpa, uint64_t size,
				      void *opaque),
			 void *opaque)
{
	uint32_t epoch = vm_read_begin(vm);
	const struct memory_slots *table = table_of(vm);

	for (uint32_t i = 0; i < table->count; i++) {
		const struct memory_slot *slot = &table->slots[i];
		uint64_t start = MAX(user, slot->user);
		uint64_t end = MIN(user + size, slot->user + slot->size);

		if (start < end)
			each(slot, slot->gpa + (start - slot->user), end - start, opaque);
	}
	vm_read_end(vm, epoch);
}

static void written(const struct memory_slot *slot, uint64_t gpa, uint64_t size, void *opaque)
{
	struct vm *vm = opaque;

	(void)slot;
	vm->backend->memory_written(vm, gpa, size);
}

void hypervisor_memory_written(struct vm *vm, uint64_t user, uint64_t size)
{
	memory_each_of_user(vm, user, size, written, vm);
}
