/* SPDX-License-Identifier: MIT */
/*
 * msr.c - reads and writes model-specific registers by the table, and the commands that list, get
 * and set them.
 */
#include "hypervisor/msr.h"

#include <linux/errno.h>
#include <linux/kvm.h>

#include "hw/msr.h"
#include "hypervisor/irqchip/irqchip.h"
#include "hypervisor/msr_table.h"
#include "hypervisor/vm.h"
#include "lib/bits.h"

#define LIST_MAX 256

static bool exists(const struct msr *msr)
{
	return !(msr->flags & MSR_ASYNC_FAULT) || host_fetcher;
}

static const struct msr *find(uint32_t index)
{
	unsigned low = 0, high = msr_table_count;

	while (low < high) {
		unsigned middle = (low + high) / 2;
		const struct msr *msr = &msr_table[middle];

		if (index < msr->first)
			high = middle;
		else if (index - msr->first >= msr->count)
			low = middle + 1;
		else
			return exists(msr) ? msr : NULL;
	}
	return NULL;
}

static uint64_t *place(struct vcpu *vcpu, const struct msr *msr, uint32_t index)
{
	return (uint64_t *)(void *)((uint8_t *)vcpu + msr->offset) + (index - msr->first);
}

bool msr_is_lapic(uint32_t index)
{
	return index == MSR_TSC_DEADLINE || (index >= MSR_X2APIC_FIRST && index <= MSR_X2APIC_LAST);
}

bool msr_read(struct vcpu *vcpu, uint32_t index, bool by_guest, uint64_t *value)
{
	const struct msr *msr;

	if (msr_is_lapic(index))
		return vcpu->lapic && lapic_msr_read(vcpu->lapic, index, value);
	msr = find(index);
	if (!msr)
		return false;
	if (msr->read)
		return msr->read(vcpu, index, by_guest, value);
	*value = msr->offset ? *place(vcpu, msr, index) : msr->constant;
	return true;
}

bool msr_write(struct vcpu *vcpu, uint32_t index, uint64_t value, bool by_guest)
{
	const struct msr *msr;

	if (msr_is_lapic(index))
		return vcpu->lapic && lapic_msr_write(vcpu->lapic, index, value);
	msr = find(index);
	if (!msr || (by_guest && (msr->flags & MSR_READ_ONLY)))
		return false;
	if (by_guest && (msr->flags & MSR_IGNORE))
		return true;
	if (msr->write)
		return msr->write(vcpu, index, value, by_guest);
	if (!msr->offset) /* a constant: the caller may give back what it read */
		return value == msr->constant;
	if (value & ~msr->writable)
		return false;
	*place(vcpu, msr, index) = value;
	return true;
}

/* --- Commands --------------------------------------------------------------------------------- */

/* Works through the caller's list until op says no: how many went well. */
static int64_t each_entry(struct vcpu *vcpu, uint64_t user, bool write_back,
			  bool (*op)(struct vcpu *vcpu, struct kvm_msr_entry *entry))
{
	struct kvm_msr_entry entry;
	struct kvm_msrs head;
	int err = host_copy_in(&head, user, sizeof(head));
	uint32_t done;

	if (err < 0)
		return err;
	if (head.nmsrs > LIST_MAX)
		return -E2BIG;
	user += sizeof(head);
	for (done = 0; done < head.nmsrs; done++, user += sizeof(entry)) {
		err = host_copy_in(&entry, user, sizeof(entry));
		if (err < 0)
			return err;
		if (!op(vcpu, &entry))
			break;
		if (write_back)
			err = host_copy_out(user, &entry, sizeof(entry));
		if (err < 0)
			return err;
	}
	return done;
}

static bool get_one(struct vcpu *vcpu, struct kvm_msr_entry *entry)
{
	uint64_t value;

	if (!msr_read(vcpu, entry->index, false, &value))
		return false;
	entry->data = value;
	return true;
}

static bool set_one(struct vcpu *vcpu, struct kvm_msr_entry *entry)
{
	return msr_write(vcpu, entry->index, entry->data, false);
}

static bool get_feature(struct vcpu *vcpu, struct kvm_msr_entry *entry)
{
	const struct msr *msr = find(entry->index);

	(void)vcpu;
	if (!msr || !(msr->flags & MSR_FEATURE))
		return false;
	entry->data = msr->constant;
	return true;
}

int64_t msr_get_list(struct vcpu *vcpu, uint64_t user)
{
	return each_entry(vcpu, user, true, get_one);
}

int64_t msr_set_list(struct vcpu *vcpu, uint64_t user)
{
	int64_t done = each_entry(vcpu, user, false, set_one);

	vcpu->vm->backend->state_changed(vcpu);
	return done;
}

int64_t msr_get_features(uint64_t user)
{
	return each_entry(NULL, user, true, get_feature);
}

static int give_indices(uint64_t user, uint32_t flag)
{
	struct kvm_msr_list head;
	uint32_t count = 0, room;
	int err = host_copy_in(&head, user, sizeof(head));

	if (err < 0)
		return err;
	room = head.nmsrs;
	for (unsigned i = 0; i < msr_table_count; i++)
		if ((msr_table[i].flags & flag) && exists(&msr_table[i]))
			count += msr_table[i].count;
	head.nmsrs = count;
	err = host_copy_out(user, &head, sizeof(head));
	if (err < 0)
		return err;
	if (room < count)
		return -E2BIG;
	user += sizeof(head);
	for (unsigned i = 0; i < msr_table_count; i++) {
		if (!(msr_table[i].flags & flag) || !exists(&msr_table[i]))
			continue;
		for (uint32_t n = 0; n < msr_table[i].count; n++, user += sizeof(uint32_t)) {
			uint32_t index = msr_table[i].first + n;

			err = host_copy_out(user, &index, sizeof(index));
			if (err < 0)
				return err;
		}
	}
	return 0;
}

int msr_index_list(uint64_t user)
{
	return give_indices(user, MSR_SAVE);
}

int msr_feature_index_list(uint64_t user)
{
	return give_indices(user, MSR_FEATURE);
}
