/* SPDX-License-Identifier: MIT */
/*
 * async_fault.c - asynchronous page faults: what is under way for a vCPU, and what its guest knows.
 */
#include "hypervisor/async_fault.h"

#include <linux/kvm_para.h>
#include <stddef.h>

#include "hw/x86.h"
#include "hypervisor/irqchip/irqchip.h"
#include "hypervisor/memory.h"
#include "hypervisor/vm.h"
#include "lib/bits.h"

#define AREA_ADDRESS (~UINT64_C(0x3f))
#define AREA_ON (KVM_ASYNC_PF_ENABLED | KVM_ASYNC_PF_DELIVERY_AS_INT)
/* Bits 4 and 5 are reserved; bit 2 is of nested virtualization, which there is none of. */
#define AREA_REFUSED (UINT64_C(0x30) | KVM_ASYNC_PF_DELIVERY_AS_PF_VMEXIT)

/* The area: two words, then what is reserved. */
#define AREA_FLAGS 0u
#define AREA_TOKEN 4u

#define TOKEN_ALL                                                                                  \
	UINT32_MAX       /* everything that the guest waits for is there, or will fault anew       \
			  */
#define TOKEN_ID_BITS 12 /* the vCPU's number + 1, so that no token is 0 or TOKEN_ALL */
_Static_assert(VCPU_ID_LIMIT + 1 < (1u << TOKEN_ID_BITS) - 1, "a vCPU's number in a token");

#define VECTOR_FIRST 16 /* those below can't be an interrupt's */
#define VECTOR_MAX 255

enum progress { FREE, FETCHING, FETCHED };

struct async_fault {
	struct host_fetch fetch;
	struct vcpu *vcpu;      /* [const] */
	enum progress progress; /* [any] FETCHED is another thread's to set, the others [own] */
	bool dropped;           /* the guest doesn't wait for it any more */
	uint32_t token;
	uint64_t gpa; /* of the page */
};

struct async_faults {
	struct async_fault each[ASYNC_FAULTS_MAX];
	uint32_t used;  /* of those, not FREE */
	uint32_t begun; /* ever: tokens are made of it */
	bool wake_all;  /* the guest is to be told TOKEN_ALL */
	bool untaken;   /* it has been told of a page, and not acknowledged that */
};

static enum progress progress_of(const struct async_fault *fault)
{
	return __atomic_load_n(&fault->progress, __ATOMIC_ACQUIRE);
}

static void request(struct vcpu *vcpu)
{
	__atomic_fetch_or(&vcpu->requests, VCPU_REQUEST_ASYNC, __ATOMIC_SEQ_CST);
	vcpu_kick(vcpu);
}

/* On a thread of the host's. */
static void fetched(struct host_fetch *fetch)
{
	struct async_fault *fault = CONTAINER_OF(fetch, struct async_fault, fetch);
	struct vcpu *vcpu = fault->vcpu;

	__atomic_store_n(&fault->progress, FETCHED, __ATOMIC_RELEASE);
	request(vcpu);
}

static void release(struct async_faults *faults, struct async_fault *fault)
{
	fault->progress = FREE;
	faults->used--;
}

/* --- Its registers ---------------------------------------------------------------------------- */

static bool is_on(const struct vcpu *vcpu)
{
	return (vcpu->msr.kvm_async_area & AREA_ON) == AREA_ON;
}

static uint64_t area_of(const struct vcpu *vcpu)
{
	return vcpu->msr.kvm_async_area & AREA_ADDRESS;
}

static bool create(struct vcpu *vcpu)
{
	struct async_faults *faults = host_alloc(sizeof(*faults));

	if (!faults)
		return false;
	for (unsigned i = 0; i < ASYNC_FAULTS_MAX; i++) {
		faults->each[i].vcpu = vcpu;
		host_fetcher->init(&faults->each[i].fetch, fetched);
	}
	vcpu->async_faults = faults;
	return true;
}

static void drop_all(struct async_faults *faults)
{
	for (unsigned i = 0; i < ASYNC_FAULTS_MAX; i++)
		faults->each[i].dropped = true;
	faults->wake_all = faults->untaken = false;
}

bool async_fault_set_area(struct vcpu *vcpu, uint64_t value)
{
	bool on = (value & AREA_ON) == AREA_ON;
	uint64_t words;

	if (value & AREA_REFUSED)
		return false;
	if (!vcpu->lapic)
		return !value;
	if (on && (memory_read(vcpu->vm, value & AREA_ADDRESS, &words, sizeof(words)) < 0 ||
		   (!vcpu->async_faults && !create(vcpu))))
		return false;
	vcpu->msr.kvm_async_area = value;
	if (!vcpu->async_faults)
		return true;
	drop_all(vcpu->async_faults);
	if (on) {
		/* Who turned it off, or came here from another host, may have waiting tasks. */
		vcpu->async_faults->wake_all = true;
		request(vcpu);
	}
	return true;
}

bool async_fault_set_vector(struct vcpu *vcpu, uint64_t value)
{
	if (value > VECTOR_MAX || (!vcpu->lapic && value))
		return false;
	vcpu->msr.kvm_async_vector = value;
	if (vcpu->async_faults)
		request(vcpu);
	return true;
}

bool async_fault_acknowledge(struct vcpu *vcpu, uint64_t value)
{
	if (!(value & 1) || !vcpu->async_faults)
		return true;
	vcpu->async_faults->untaken = false;
	async_fault_deliver(vcpu);
	return true;
}

/* --- A page that isn't there ------------------------------------------------------------------ */

bool async_fault_is_possible(const struct vcpu *vcpu)
{
	const struct cpu_state *state = &vcpu->state;

	return is_on(vcpu) && vcpu->async_faults->used < ASYNC_FAULTS_MAX &&
	       (state->cpl || (vcpu->msr.kvm_async_area & KVM_ASYNC_PF_SEND_ALWAYS)) &&
	       (state->rflags & RFLAGS_IF) && !state->sti_shadow && !state->mov_ss_shadow &&
	       vcpu->inject.kind == CPU_EVENT_NONE && vcpu->exception.kind == CPU_EVENT_NONE &&
	       !vcpu->debug_step && !vcpu->debug_block_interrupts;
}

/* A free one; NULL where the page is under way already: another of the guest's tasks needs it. */
static struct async_fault *choose(struct async_faults *faults, uint64_t gpa)
{
	struct async_fault *chosen = NULL;

	for (unsigned i = 0; i < ASYNC_FAULTS_MAX; i++) {
		struct async_fault *fault = &faults->each[i];

		if (progress_of(fault) == FREE)
			chosen = fault;
		else if (!fault->dropped && fault->gpa == gpa)
			return NULL;
	}
	return chosen;
}

bool async_fault_begin(struct vcpu *vcpu, struct host_memory *memory, uint64_t gpa, bool write)
{
	struct async_faults *faults = vcpu->async_faults;
	const struct memory_slot *slot = memory_find(vcpu->vm, gpa);
	uint64_t page = align_down(gpa, PAGE_SIZE), area = area_of(vcpu) + AREA_FLAGS;
	struct async_fault *fault = choose(faults, page);
	uint32_t flags;

	if (!slot || !fault || memory_read(vcpu->vm, area, &flags, sizeof(flags)) < 0 || flags)
		return false;
	fault->gpa = page;
	fault->dropped = false;
	fault->token = ++faults->begun << TOKEN_ID_BITS | (vcpu->id + 1);
	fault->progress = FETCHING; /* before it may be done */
	faults->used++;
	if (host_fetcher->begin(&fault->fetch, memory, slot->user + (page - slot->gpa), write) <
	    0) {
		release(faults, fault);
		return false;
	}
	flags = KVM_PV_REASON_PAGE_NOT_PRESENT;
	if (memory_write(vcpu->vm, area, &flags, sizeof(flags)) < 0) {
		fault->dropped = true;
		return false;
	}
	vcpu_raise(vcpu, CPU_VECTOR_PF, true, 0);
	vcpu->exception_address = vcpu->state.cr2 = fault->token;
	return true;
}

/* --- Pages that are there --------------------------------------------------------------------- */

/* What the guest is told next: a token, or 0. */
static uint32_t take_token(struct async_faults *faults)
{
	if (faults->wake_all) {
		faults->wake_all = false;
		return TOKEN_ALL;
	}
	for (unsigned i = 0; i < ASYNC_FAULTS_MAX; i++)
		if (progress_of(&faults->each[i]) == FETCHED) {
			release(faults, &faults->each[i]);
			return faults->each[i].token;
		}
	return 0;
}

void async_fault_deliver(struct vcpu *vcpu)
{
	struct async_faults *faults = vcpu->async_faults;
	uint64_t area = area_of(vcpu) + AREA_TOKEN;
	uint32_t token;

	if (!faults)
		return;
	for (unsigned i = 0; i < ASYNC_FAULTS_MAX; i++)
		if (faults->each[i].dropped && progress_of(&faults->each[i]) == FETCHED)
			release(faults, &faults->each[i]);
	if (!is_on(vcpu) || faults->untaken || vcpu->msr.kvm_async_vector < VECTOR_FIRST ||
	    memory_read(vcpu->vm, area, &token, sizeof(token)) < 0 || token)
		return;
	token = take_token(faults);
	if (!token || memory_write(vcpu->vm, area, &token, sizeof(token)) < 0)
		return;
	faults->untaken = true;
	lapic_raise_vector(vcpu->lapic, (uint8_t)vcpu->msr.kvm_async_vector);
}

/* --- Life ------------------------------------------------------------------------------------- */

void async_fault_reset(struct vcpu *vcpu)
{
	vcpu->msr.kvm_async_area = vcpu->msr.kvm_async_vector = 0;
	if (vcpu->async_faults)
		drop_all(vcpu->async_faults);
}

void async_fault_destroy(struct vcpu *vcpu)
{
	struct async_faults *faults = vcpu->async_faults;

	if (!faults)
		return;
	for (unsigned i = 0; i < ASYNC_FAULTS_MAX; i++)
		host_fetcher->end(&faults->each[i].fetch);
	host_free(faults);
	vcpu->async_faults = NULL;
}
