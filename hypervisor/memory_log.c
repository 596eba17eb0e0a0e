/* SPDX-License-Identifier: MIT */
/*
 * memory_log.c - the log of pages that were written, as a caller that copies a running guest needs
 * it (KVM_GET_DIRTY_LOG, KVM_CLEAR_DIRTY_LOG).
 *
 * A page leaves the log before the backend withdraws what lets the guest write to it unseen: a
 * write in between is in the page when the caller copies it, since that is after the command.
 */
#include <linux/errno.h>

#include "hypervisor/memory.h"
#include "hypervisor/vm.h"
#include "lib/bits.h"

#define CHUNK 32 /* words that are copied at a time */

int memory_get_log(struct vm *vm, const struct kvm_dirty_log *log)
{
	const struct memory_slot *slot = memory_slot_by_id(vm, log->slot);
	uint64_t user = (uintptr_t)log->dirty_bitmap;
	bool cleared = false;
	uint64_t words;
	int err = 0;

	if (log->slot >= MEMORY_SLOTS_MAX)
		return -EINVAL;
	if (!slot || !slot->dirty)
		return -ENOENT;
	words = (memory_slot_pages(slot) + 63) / 64;
	for (uint64_t at = 0; at < words && !err; at += CHUNK) {
		unsigned count = (unsigned)MIN(words - at, CHUNK);
		uint64_t copy[CHUNK];

		for (unsigned i = 0; i < count; i++) {
			uint64_t *word = &slot->dirty[at + i];

			copy[i] = __atomic_load_n(word, __ATOMIC_RELAXED);
			if (copy[i] && !vm->manual_dirty_log) {
				copy[i] = __atomic_exchange_n(word, 0, __ATOMIC_SEQ_CST);
				cleared = true;
			}
		}
		err = host_copy_out(user + at * sizeof(uint64_t), copy, count * sizeof(uint64_t));
		for (unsigned i = 0; err && !vm->manual_dirty_log && i < count; i++)
			__atomic_fetch_or(&slot->dirty[at + i], copy[i], __ATOMIC_SEQ_CST);
	}
	if (cleared)
		vm->backend->memory_changed(vm, slot->gpa, slot->size);
	return err;
}

int memory_clear_log(struct vm *vm, const struct kvm_clear_dirty_log *log)
{
	const struct memory_slot *slot = memory_slot_by_id(vm, log->slot);
	uint64_t user = (uintptr_t)log->dirty_bitmap;
	uint64_t first = log->first_page, count = log->num_pages;
	uint64_t words, pages;
	bool cleared = false;
	int err = 0;

	if (log->slot >= MEMORY_SLOTS_MAX || first % 64)
		return -EINVAL;
	if (!slot || !slot->dirty)
		return -ENOENT;
	pages = memory_slot_pages(slot);
	if (first > pages || count > pages - first || (count % 64 && count != pages - first))
		return -EINVAL;
	words = (count + 63) / 64;
	for (uint64_t at = 0; at < words && !err; at += CHUNK) {
		unsigned part = (unsigned)MIN(words - at, CHUNK);
		uint64_t copy[CHUNK];

		err = host_copy_in(copy, user + at * sizeof(uint64_t), part * sizeof(uint64_t));
		for (unsigned i = 0; !err && i < part; i++) {
			uint64_t *word = &slot->dirty[first / 64 + at + i];

			if (copy[i] & __atomic_fetch_and(word, ~copy[i], __ATOMIC_SEQ_CST))
				cleared = true;
		}
	}
	if (cleared)
		vm->backend->memory_changed(vm, slot->gpa + (first << PAGE_SHIFT),
					    count << PAGE_SHIFT);
	return err;
}
