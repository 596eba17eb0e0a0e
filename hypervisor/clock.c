/* SPDX-License-Identifier: MIT */
/*
 * clock.c - the VM's clock counts the host's TSC from one base for all vCPUs, so that what guests
 * compute from their pages agrees between them as long as their TSCs do (PVCLOCK_TSC_STABLE).
 *
 * A TSC is what it was set to and what the host's has counted since, at the vCPU's rate.
 */
#include "hypervisor/clock.h"

#include <linux/errno.h>
#include <linux/kvm_para.h>

#include "hypervisor/irqchip/irqchip.h"
#include "hypervisor/memory.h"
#include "hypervisor/vm.h"
#include "lib/bits.h"
#include "lib/bytes.h"

#define NS_PER_S UINT64_C(1000000000)

/* What a guest finds at the address in MSR_KVM_SYSTEM_TIME (Linux, virt/kvm/x86/msr.rst). */
struct clock_page {
	uint32_t version; /* odd while it changes */
	uint32_t padding0;
	uint64_t tsc;  /* at that TSC ... */
	uint64_t time; /* ... it was that many ns, and since then (ticks << shift) * mul >> 32 */
	uint32_t mul;
	int8_t shift;
	uint8_t flags;
	uint8_t padding1[2];
};
_Static_assert(sizeof(struct clock_page) == 32, "the ABI's");

#define CLOCK_PAGE_TSC_STABLE 1u
#define CLOCK_PAGE_STOPPED 2u
#define SYSTEM_TIME_ENABLED UINT64_C(1)

struct wall_clock {
	uint32_t version, seconds, nanoseconds;
};
_Static_assert(sizeof(struct wall_clock) == 12, "the ABI's");

/* --- Ticks and nanoseconds -------------------------------------------------------------------- */

/* The factor 10^6/khz as mul * 2^(shift - 32), mul with its highest bit set. */
static void scale_of(uint32_t khz, uint32_t *mul, int8_t *shift)
{
	uint64_t ticks = (uint64_t)(khz ? khz : 1) * 1000, ns = NS_PER_S;

	*shift = 0;
	while (ticks > 2 * ns) {
		ticks >>= 1;
		--*shift;
	}
	while (ticks <= ns) {
		ticks <<= 1;
		++*shift;
	}
	*mul = (uint32_t)((ns << 32) / ticks);
}

static uint64_t ticks_to_ns(uint64_t ticks)
{
	uint32_t mul;
	int8_t shift;

	scale_of(host_tsc_khz(), &mul, &shift);
	ticks = shift < 0 ? ticks >> -shift : ticks << shift;
	return (uint64_t)(((unsigned __int128)ticks * mul) >> 32);
}

static int64_t now_at(const struct vm_clock *clock, uint64_t tsc)
{
	return clock->base_ns + (int64_t)ticks_to_ns(tsc - clock->base_tsc);
}

/* --- TSC -------------------------------------------------------------------------------------- */

void clock_create(struct vm *vm)
{
	host_spin_init(&vm->clock.lock);
	vm->clock.base_tsc = vm->clock.set_host_tsc = host_tsc();
	vm->clock.set_value = 0;
	vm->clock.tsc_khz = 0;
}

uint64_t clock_tsc(const struct vcpu *vcpu)
{
	return cpu_tsc_at(&vcpu->state, host_tsc());
}

/* The offset of a vCPU whose TSC goes on from what was set last. [lock] */
static uint64_t offset_of_last_set(const struct vm_clock *clock, const struct vcpu *vcpu)
{
	return clock->set_value - cpu_scale_tsc(vcpu->state.tsc_ratio, clock->set_host_tsc);
}

static void request_pages(struct vm *vm)
{
	uint32_t count = __atomic_load_n(&vm->vcpu_count, __ATOMIC_ACQUIRE);

	for (uint32_t i = 0; i < count; i++) {
		__atomic_fetch_or(&vm->vcpus[i]->requests, VCPU_REQUEST_CLOCK, __ATOMIC_SEQ_CST);
		vcpu_kick(vm->vcpus[i]);
	}
}

static void tsc_changed(struct vcpu *vcpu)
{
	if (vcpu->lapic)
		lapic_tsc_changed(vcpu->lapic);
	request_pages(vcpu->vm);
}

void clock_set_tsc_offset(struct vcpu *vcpu, uint64_t offset)
{
	if (offset == vcpu->state.tsc_offset)
		return;
	__atomic_store_n(&vcpu->state.tsc_offset, offset, __ATOMIC_RELAXED);
	tsc_changed(vcpu);
}

void clock_set_tsc(struct vcpu *vcpu, uint64_t value)
{
	struct vm_clock *clock = &vcpu->vm->clock;
	uint64_t now = host_tsc(), expected, apart, offset;

	host_spin_lock(&clock->lock);
	expected = cpu_scale_tsc(vcpu->state.tsc_ratio, now) + offset_of_last_set(clock, vcpu);
	apart = expected - value;
	if ((int64_t)apart < 0)
		apart = -apart;
	/*
	 * A caller that sets what it read a moment ago on each vCPU in turn means the same for all:
	 * less than a second from what the last one's would be now is as that one is.
	 */
	if (apart >= (uint64_t)clock_tsc_khz(vcpu) * 1000) {
		clock->set_value = value;
		clock->set_host_tsc = now;
	}
	offset = offset_of_last_set(clock, vcpu);
	host_spin_unlock(&clock->lock);
	clock_set_tsc_offset(vcpu, offset);
}

/* --- Their rate ------------------------------------------------------------------------------- */

/* In units of 2^-32: AMD's has 8 bits in front of the point (APM2 section 15.30.5). */
#define TSC_RATIO_LIMIT (UINT64_C(1) << 40)

/* *ratio is a tsc_ratio; 0 with khz or -EINVAL. */
static int find_ratio(const struct backend *backend, uint64_t khz, uint64_t *ratio)
{
	uint64_t host = host_tsc_khz(), apart = khz > host ? khz - host : host - khz;

	*ratio = 0;
	/* A caller that computed the host's rate from elsewhere is within 250 in a million. */
	if (!khz || apart * 4000 <= host)
		return 0;
	if (khz > UINT32_MAX || !backend->scales_tsc || !backend->scales_tsc())
		return -EINVAL;
	*ratio = (khz << 32) / host;
	return *ratio && *ratio < TSC_RATIO_LIMIT ? 0 : -EINVAL;
}

int clock_set_vm_tsc_khz(struct vm *vm, uint64_t khz)
{
	uint64_t ratio;
	int err = find_ratio(vm->backend, khz, &ratio);

	if (err < 0)
		return err;
	host_spin_lock(&vm->clock.lock);
	vm->clock.tsc_khz = ratio ? (uint32_t)khz : 0;
	host_spin_unlock(&vm->clock.lock);
	return 0;
}

uint32_t clock_vm_tsc_khz(struct vm *vm)
{
	uint32_t khz;

	host_spin_lock(&vm->clock.lock);
	khz = vm->clock.tsc_khz;
	host_spin_unlock(&vm->clock.lock);
	return khz ? khz : host_tsc_khz();
}

/* The vCPU's rate and offset; its timer and the clock pages don't know of them yet. */
static int set_rate(struct vcpu *vcpu, uint64_t khz)
{
	struct vm_clock *clock = &vcpu->vm->clock;
	uint64_t ratio, offset;
	int err = find_ratio(vcpu->vm->backend, khz, &ratio);

	if (err < 0)
		return err;
	vcpu->tsc_khz = ratio ? (uint32_t)khz : 0;
	__atomic_store_n(&vcpu->state.tsc_ratio, ratio, __ATOMIC_RELAXED);
	host_spin_lock(&clock->lock);
	offset = offset_of_last_set(clock, vcpu);
	host_spin_unlock(&clock->lock);
	__atomic_store_n(&vcpu->state.tsc_offset, offset, __ATOMIC_RELAXED);
	return 0;
}

void clock_create_tsc(struct vcpu *vcpu)
{
	set_rate(vcpu, clock_vm_tsc_khz(vcpu->vm)); /* which the VM has taken, so it can't fail */
}

int clock_set_tsc_khz(struct vcpu *vcpu, uint64_t khz)
{
	int err = set_rate(vcpu, khz);

	if (err == 0)
		tsc_changed(vcpu);
	return err;
}

uint32_t clock_tsc_khz(const struct vcpu *vcpu)
{
	return vcpu->tsc_khz ? vcpu->tsc_khz : host_tsc_khz();
}

/* Whether all vCPUs' TSCs are the same. */
static bool is_stable(struct vm *vm)
{
	uint32_t count = __atomic_load_n(&vm->vcpu_count, __ATOMIC_ACQUIRE);
	uint64_t first_offset = 0, first_ratio = 0;

	for (uint32_t i = 0; i < count; i++) {
		const struct cpu_state *s = &vm->vcpus[i]->state;
		uint64_t offset = __atomic_load_n(&s->tsc_offset, __ATOMIC_RELAXED);
		uint64_t ratio = __atomic_load_n(&s->tsc_ratio, __ATOMIC_RELAXED);

		if (i == 0) {
			first_offset = offset;
			first_ratio = ratio;
		} else if (offset != first_offset || ratio != first_ratio) {
			return false;
		}
	}
	return true;
}

/* --- kvmclock --------------------------------------------------------------------------------- */

void clock_write_page(struct vcpu *vcpu)
{
	uint64_t gpa = vcpu->msr.kvm_system_time & ~SYSTEM_TIME_ENABLED;
	struct vm_clock *clock = &vcpu->vm->clock;
	struct clock_page page;
	uint32_t version;

	if (!(vcpu->msr.kvm_system_time & SYSTEM_TIME_ENABLED) ||
	    memory_read(vcpu->vm, gpa, &page, sizeof(page)) < 0)
		return;
	version = (page.version & ~1u) + 1;
	page.version = version;
	if (memory_write(vcpu->vm, gpa, &page.version, sizeof(page.version)) < 0)
		return;
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* odd before what is within changes */
	host_spin_lock(&clock->lock);
	page.tsc = cpu_tsc_at(&vcpu->state, clock->base_tsc);
	page.time = (uint64_t)clock->base_ns;
	host_spin_unlock(&clock->lock);
	scale_of(clock_tsc_khz(vcpu), &page.mul, &page.shift);
	page.flags &= CLOCK_PAGE_STOPPED; /* stands until the guest has seen it */
	if (vcpu->msr.kvm_paused)
		page.flags |= CLOCK_PAGE_STOPPED;
	vcpu->msr.kvm_paused = false;
	if (is_stable(vcpu->vm))
		page.flags |= CLOCK_PAGE_TSC_STABLE;
	if (memory_write(vcpu->vm, gpa, &page, sizeof(page)) < 0)
		return;
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* even after all of it */
	page.version = version + 1;
	memory_write(vcpu->vm, gpa, &page.version, sizeof(page.version));
}

void clock_write_wall(struct vm *vm, uint64_t gpa)
{
	struct wall_clock wall;
	uint32_t version;
	uint64_t start;
	int64_t now;

	if (!gpa || memory_read(vm, gpa, &version, sizeof(version)) < 0)
		return;
	host_spin_lock(&vm->clock.lock);
	now = now_at(&vm->clock, host_tsc());
	host_spin_unlock(&vm->clock.lock);
	start = (uint64_t)(host_clock_wall() - now);
	wall.version = (version & ~1u) + 1;
	wall.seconds = (uint32_t)(start / NS_PER_S);
	wall.nanoseconds = (uint32_t)(start % NS_PER_S);
	if (memory_write(vm, gpa, &wall, sizeof(wall)) < 0)
		return;
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* even after all of it */
	wall.version++;
	memory_write(vm, gpa, &wall.version, sizeof(wall.version));
}

void clock_get(struct vm *vm, struct kvm_clock_data *data)
{
	uint64_t tsc = host_tsc();
	int64_t wall = host_clock_wall();

	memset(data, 0, sizeof(*data));
	host_spin_lock(&vm->clock.lock);
	data->clock = (uint64_t)now_at(&vm->clock, tsc);
	host_spin_unlock(&vm->clock.lock);
	data->flags = KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC;
	if (is_stable(vm))
		data->flags |= KVM_CLOCK_TSC_STABLE;
	data->realtime = (uint64_t)wall;
	data->host_tsc = tsc;
}

int clock_set(struct vm *vm, const struct kvm_clock_data *data)
{
	uint64_t value = data->clock;

	if (data->flags & ~(uint32_t)KVM_CLOCK_REALTIME)
		return -EINVAL;
	if (data->flags & KVM_CLOCK_REALTIME) {
		uint64_t wall = (uint64_t)host_clock_wall();

		if (wall > data->realtime) /* the time since it was read passes for the guest */
			value += wall - data->realtime;
	}
	host_spin_lock(&vm->clock.lock);
	vm->clock.base_tsc = host_tsc();
	vm->clock.base_ns = (int64_t)value;
	host_spin_unlock(&vm->clock.lock);
	request_pages(vm);
	return 0;
}

int64_t clock_pairing(struct vcpu *vcpu, uint64_t gpa, uint64_t type)
{
	uint64_t tsc = host_tsc();
	int64_t wall = host_clock_wall();
	struct kvm_clock_pairing pairing = {
		.sec = wall / (int64_t)NS_PER_S,
		.nsec = wall % (int64_t)NS_PER_S,
		.tsc = cpu_tsc_at(&vcpu->state, tsc),
	};

	if (type != KVM_CLOCK_PAIRING_WALLCLOCK)
		return -KVM_EOPNOTSUPP;
	return memory_write(vcpu->vm, gpa, &pairing, sizeof(pairing)) < 0 ? -KVM_EFAULT : 0;
}
