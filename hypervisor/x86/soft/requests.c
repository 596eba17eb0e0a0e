/* SPDX-License-Identifier: MIT */
/*
 * requests.c - what other threads ask of a vCPU's thread.
 */
#include "hypervisor/x86/soft/requests.h"
#include "hypervisor/x86/soft/blocks.h"
#include "hypervisor/x86/soft/tlb.h"

#define RANGES_MAX 32

enum request_kind { REQUEST_CODE, REQUEST_PROTECT, REQUEST_FLUSH };

struct request_list {
	bool overflow; /* more than there was room for: everything is void */
	unsigned count;
	struct {
		enum request_kind kind;
		uint64_t gpa, size;
	} range[RANGES_MAX];
};

struct soft_requests {
	struct host_spin lock;    /* guards sequence and list */
	uint64_t sequence;        /* of the last request; [any] read without the lock, too */
	uint64_t served;          /* [any] those up to this one are served */
	bool inside;              /* [any] in run(), and not waiting for others */
	struct request_list list; /* those behind served */
};

int soft_requests_create(struct soft_vcpu *c)
{
	c->requests = host_alloc(sizeof(*c->requests));
	if (!c->requests)
		return -ENOMEM;
	host_spin_init(&c->requests->lock);
	return 0;
}

void soft_requests_destroy(struct soft_vcpu *c)
{
	host_free(c->requests);
	c->requests = NULL;
}

void soft_interrupt(struct soft_vcpu *c)
{
	__atomic_store_n(&c->enter, soft_leave, __ATOMIC_RELAXED);
	__atomic_store_n(&c->enter_far, soft_leave, __ATOMIC_RELAXED);
	__atomic_store_n(&c->enter_indirect, soft_leave_indirect, __ATOMIC_SEQ_CST);
}

static uint64_t request(struct soft_vcpu *c, enum request_kind kind, uint64_t gpa, uint64_t size)
{
	struct soft_requests *r = c->requests;
	struct request_list *list = &r->list;
	uint64_t sequence;

	host_spin_lock(&r->lock);
	if (list->count == RANGES_MAX) {
		list->overflow = true;
	} else {
		list->range[list->count].kind = kind;
		list->range[list->count].gpa = gpa;
		list->range[list->count].size = size;
		list->count++;
	}
	sequence = r->sequence + 1;
	__atomic_store_n(&r->sequence, sequence, __ATOMIC_SEQ_CST);
	host_spin_unlock(&r->lock);
	soft_interrupt(c);
	return sequence;
}

uint64_t soft_request_code(struct soft_vcpu *c, uint64_t gpa, uint64_t count)
{
	return request(c, REQUEST_CODE, gpa, count * PAGE_SIZE);
}

uint64_t soft_request_protect(struct soft_vcpu *c, uint64_t gpa)
{
	return request(c, REQUEST_PROTECT, gpa & ~PAGE_MASK, PAGE_SIZE);
}

uint64_t soft_request_flush(struct soft_vcpu *c, uint64_t gpa, uint64_t size)
{
	return request(c, REQUEST_FLUSH, gpa, size);
}

static void serve_all(struct soft_vcpu *c, const struct request_list *list)
{
	if (list->overflow) {
		soft_tlb_flush_all(c);
		soft_blocks_flush(c);
		return;
	}
	for (unsigned i = 0; i < list->count; i++) {
		switch (list->range[i].kind) {
		case REQUEST_CODE:
			soft_blocks_void(c, list->range[i].gpa, list->range[i].size);
			break;
		case REQUEST_PROTECT:
			soft_tlb_protect(c, list->range[i].gpa);
			break;
		case REQUEST_FLUSH:
			soft_tlb_flush_all(c);
			soft_blocks_void(c, list->range[i].gpa, list->range[i].size);
			break;
		}
	}
}

void soft_requests_serve(struct soft_vcpu *c)
{
	struct soft_requests *r = c->requests;
	struct request_list taken;
	uint64_t sequence;

	if (SOFT_LIKELY(__atomic_load_n(&r->sequence, __ATOMIC_SEQ_CST) ==
			__atomic_load_n(&r->served, __ATOMIC_RELAXED)))
		return;
	host_spin_lock(&r->lock);
	taken = r->list;
	sequence = r->sequence;
	r->list.count = 0;
	r->list.overflow = false;
	host_spin_unlock(&r->lock);
	serve_all(c, &taken);
	__atomic_store_n(&r->served, sequence, __ATOMIC_SEQ_CST);
}

void soft_requests_enter(struct soft_vcpu *c)
{
	/* Before the look at the requests: who asks after that look sees us inside. */
	__atomic_store_n(&c->requests->inside, true, __ATOMIC_SEQ_CST);
	soft_requests_serve(c);
}

void soft_requests_leave(struct soft_vcpu *c)
{
	__atomic_store_n(&c->requests->inside, false, __ATOMIC_SEQ_CST);
}

static bool is_served(const struct soft_requests *r, uint64_t sequence)
{
	return !__atomic_load_n(&r->inside, __ATOMIC_SEQ_CST) ||
	       __atomic_load_n(&r->served, __ATOMIC_SEQ_CST) >= sequence;
}

void soft_request_wait(struct soft_vcpu *c, uint64_t sequence, struct soft_vcpu *self)
{
	if (is_served(c->requests, sequence))
		return;
	if (self)
		soft_requests_leave(self);
	while (!is_served(c->requests, sequence))
		host_yield();
	if (self)
		soft_requests_enter(self);
}
