/* SPDX-License-Identifier: MIT */
/*
 * memory.c - accesses to guest memory, the slow way: segments' rights, page crossings, devices,
 * pages with code in them, breakpoints, the dirty log.
 */
#include "hypervisor/x86/soft/code_pages.h"
#include "hypervisor/x86/soft/requests.h"
#include "hypervisor/x86/soft/tlb.h"
#include "lib/bytes.h"

/* Where a part of an access that lies within one page goes. */
struct place {
	uint8_t *host; /* NULL: a device's */
	uint64_t gpa;
	bool code; /* blocks may have been decoded from this page */
};

static enum soft_view current_view(const struct soft_vcpu *c)
{
	return (enum soft_view)((c->tlb - c->tlbs->current->entry[0]) / SOFT_TLB_ENTRIES);
}

static enum soft_view view_of(const struct soft_vcpu *c, enum soft_privilege privilege)
{
	const struct cpu_state *s = &c->vcpu.state;

	if (privilege == SOFT_USER)
		return SOFT_VIEW_USER;
	return privilege == SOFT_SUPERVISOR && (s->rflags & RFLAGS_AC) && (s->cr4 & CR4_SMAP)
		       ? SOFT_VIEW_AC
		       : SOFT_VIEW_SUPERVISOR;
}

static void fault_segment(struct soft_vcpu *c, unsigned segment)
{
	soft_fault_error(c, segment == CPU_SS ? CPU_VECTOR_SS : CPU_VECTOR_GP, 0);
}

/* In legacy modes linear addresses wrap at 4 GiB. */
static uint64_t wrap(const struct soft_vcpu *c, uint64_t linear)
{
	return c->vcpu.state.efer & EFER_LMA ? linear : (uint32_t)linear;
}

static bool locate_cached(struct soft_vcpu *c, enum soft_view view, uint64_t linear, bool write,
			  struct place *place)
{
	const struct soft_tlb_entry *entry = soft_tlb_at(c->tlbs->current->entry[view], linear);

	if ((linear | PAGE_MASK) != (write ? entry->write : entry->read))
		return false;
	place->host = (uint8_t *)(uintptr_t)(linear + entry->addend);
	place->gpa = entry->page & ~PAGE_MASK;
	place->code = false;
	return true;
}

/* Enters what was found into the TLB, as far as no later access of the page needs notice. */
static void remember(struct soft_vcpu *c, enum soft_view view, uint64_t linear,
		     const struct soft_walk *walk, const struct memory_slot *slot, bool write,
		     bool *code)
{
	bool writable = walk->writable && !slot->read_only && (write || !slot->log);

	if (writable)
		soft_code_note_writer(c, walk->gpa);
	*code = soft_code_in_page(slot, walk->gpa);
	if (c->watching && soft_debug_watched(c, linear))
		return;
	soft_tlb_fill(c, view, linear, walk, slot, writable && !*code);
}

/* In long mode a canonical one; elsewhere any. */
static bool is_address(const struct soft_vcpu *c, uint64_t linear)
{
	return !(c->vcpu.state.efer & EFER_LMA) || soft_canonical(c, linear);
}

static bool locate(struct soft_vcpu *c, enum soft_view view, unsigned segment, uint64_t linear,
		   bool write, struct place *place)
{
	const struct memory_slot *slot;
	struct soft_walk walk;

	if (view == SOFT_VIEW_STRICT)
		view = SOFT_VIEW_USER;
	if (locate_cached(c, view, linear, write, place))
		return true;
	if (!is_address(c, linear)) {
		fault_segment(c, segment);
		return false;
	}
	if (!soft_walk(c, view, linear, write ? SOFT_WRITE : SOFT_READ, &walk)) {
		soft_fault_page(c, linear, walk.error);
		return false;
	}
	slot = soft_slot(c, walk.gpa);
	place->gpa = walk.gpa;
	if (!slot || !slot->host || (write && slot->read_only)) {
		place->host = NULL;
		place->code = false;
		return true;
	}
	if (write)
		memory_mark_dirty(slot, walk.gpa);
	place->host = slot->host + (walk.gpa - slot->gpa);
	remember(c, view, linear, &walk, slot, write, &place->code);
	return true;
}

/* An access of up to 4096 bytes: its parts in one or two pages. */
struct span {
	struct place place[2];
	size_t size[2]; /* the second may be 0 */
};

static bool locate_span(struct soft_vcpu *c, enum soft_view view, unsigned segment, uint64_t linear,
			size_t size, bool write, struct span *span)
{
	size_t room = PAGE_SIZE - (linear & PAGE_MASK);

	linear = wrap(c, linear);
	span->size[0] = MIN(size, room);
	span->size[1] = size - span->size[0];
	/* The whole address counts before any page does (APM2 section 8.5). */
	if (span->size[1] && !is_address(c, wrap(c, linear + room))) {
		fault_segment(c, segment);
		return false;
	}
	if (!locate(c, view, segment, linear, write, &span->place[0]))
		return false;
	if (span->size[1] &&
	    !locate(c, view, segment, wrap(c, linear + room), write, &span->place[1]))
		return false;
	if (view == SOFT_VIEW_STRICT && is_power_of_two(size) && !is_aligned(linear, size)) {
		soft_fault_error(c, CPU_VECTOR_AC, 0);
		return false;
	}
	if (c->watching)
		soft_debug_data(c, linear, size, write);
	return true;
}

/* Reads into to or, if that is NULL, writes from: in parts of 8, 4, 2 and 1 bytes, as they fit. */
static bool access_device(struct soft_vcpu *c, uint64_t gpa, uint8_t *to, const uint8_t *from,
			  size_t size)
{
	for (size_t done = 0; done < size;) {
		size_t left = size - done;
		uint8_t part = left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
		uint64_t value = 0;

		if (!to)
			__builtin_memcpy(&value, from + done, part);
		if (!soft_access(c, EXIT_SPACE_MEMORY, !to, gpa + done, part, &value))
			return false;
		if (to)
			__builtin_memcpy(to + done, &value, part);
		done += part;
	}
	return true;
}

/* Of 1, 2, 4 or 8 bytes at once, as other CPUs see it; more in parts of 8. */
static void copy_in_parts(uint8_t *to, const uint8_t *from, size_t size)
{
	for (; size >= 8; to += 8, from += 8, size -= 8)
		__atomic_store_n((uint64_t *)(void *)to, load_le64(from), __ATOMIC_RELAXED);
	if (size & 4) {
		__atomic_store_n((uint32_t *)(void *)to, load_le32(from), __ATOMIC_RELAXED);
		to += 4;
		from += 4;
	}
	if (size & 2) {
		__atomic_store_n((uint16_t *)(void *)to, load_le16(from), __ATOMIC_RELAXED);
		to += 2;
		from += 2;
	}
	if (size & 1)
		__atomic_store_n(to, *from, __ATOMIC_RELAXED);
}

static bool read_span(struct soft_vcpu *c, const struct span *span, uint8_t *to)
{
	for (unsigned i = 0; i < 2 && span->size[i]; i++) {
		if (span->place[i].host)
			copy_in_parts(to, span->place[i].host, span->size[i]);
		else if (!access_device(c, span->place[i].gpa, to, NULL, span->size[i]))
			return false;
		to += span->size[i];
	}
	return true;
}

static bool write_span(struct soft_vcpu *c, const struct span *span, const uint8_t *from)
{
	/* A device first: nothing must have been written when it is asked. */
	for (unsigned i = 0; i < 2 && span->size[i]; i++)
		if (!span->place[i].host &&
		    !access_device(c, span->place[i].gpa, NULL, from + (i ? span->size[0] : 0),
				   span->size[i]))
			return false;
	for (unsigned i = 0; i < 2 && span->size[i]; i++) {
		const struct place *place = &span->place[i];
		const uint8_t *part = from + (i ? span->size[0] : 0);

		if (!place->host)
			continue;
		/* Code that is written as it is stays what it is. */
		if (place->code && !memcmp(place->host, part, span->size[i]))
			continue;
		copy_in_parts(place->host, part, span->size[i]);
		if (place->code)
			soft_code_written(c, place->gpa, span->size[i]);
	}
	return true;
}

static bool read_bytes(struct soft_vcpu *c, enum soft_view view, unsigned segment, uint64_t linear,
		       void *to, size_t size)
{
	struct span span;

	return locate_span(c, view, segment, linear, size, false, &span) && read_span(c, &span, to);
}

static bool write_bytes(struct soft_vcpu *c, enum soft_view view, unsigned segment, uint64_t linear,
			const void *from, size_t size)
{
	struct span span;

	return locate_span(c, view, segment, linear, size, true, &span) &&
	       write_span(c, &span, from);
}

/* --- The slow way of the short ones
 * ------------------------------------------------------------- */

const void *soft_read_slow(struct soft_vcpu *c, unsigned segment, uint64_t linear, unsigned size)
{
	struct span span;

	if (!locate_span(c, current_view(c), segment, linear, size, false, &span))
		return NULL;
	if (span.place[0].host && !span.size[1])
		return span.place[0].host;
	return read_span(c, &span, c->bounce) ? c->bounce : NULL;
}

bool soft_store_slow(struct soft_vcpu *c, unsigned segment, uint64_t linear, uint64_t value,
		     unsigned size)
{
	struct span span;

	return locate_span(c, current_view(c), segment, linear, size, true, &span) &&
	       write_span(c, &span, (const uint8_t *)&value);
}

static void *update(struct soft_vcpu *c, unsigned segment, uint64_t linear, unsigned size,
		    bool locked)
{
	struct span span;
	bool whole;

	if (!locate_span(c, current_view(c), segment, linear, size, true, &span))
		return NULL;
	whole = span.place[0].host && !span.size[1];
	if (whole && span.place[0].code && locked)
		soft_code_drop(c, span.place[0].gpa);
	if (whole && (!span.place[0].code || locked))
		return span.place[0].host;
	c->bounced.linear = linear;
	c->bounced.size = (uint8_t)size;
	c->bounced.locked = locked && (span.place[0].host || (span.size[1] && span.place[1].host));
	if (c->bounced.locked)
		host_mutex_lock(&soft_vm_of(c)->split_lock);
	if (read_span(c, &span, c->bounce))
		return c->bounce;
	if (c->bounced.locked)
		host_mutex_unlock(&soft_vm_of(c)->split_lock);
	return NULL;
}

void *soft_update_slow(struct soft_vcpu *c, unsigned segment, uint64_t linear, unsigned size)
{
	return update(c, segment, linear, size, false);
}

bool soft_update_end_slow(struct soft_vcpu *c)
{
	bool done = write_bytes(c, current_view(c), CPU_DS, c->bounced.linear, c->bounce,
				c->bounced.size);

	if (c->bounced.locked)
		host_mutex_unlock(&soft_vm_of(c)->split_lock);
	return done;
}

void *soft_locked_at(struct soft_vcpu *c, unsigned segment, uint64_t offset, size_t size)
{
	struct soft_linear linear = soft_linear(c, segment, offset, size, true);
	const struct soft_tlb_entry *entry;

	if (!linear.ok)
		return NULL;
	entry = soft_tlb_at(c->tlb, linear.address);
	if (((linear.address + size - 1) | PAGE_MASK) == entry->write)
		return (void *)(uintptr_t)(linear.address + entry->addend);
	return update(c, segment, linear.address, (unsigned)size, true);
}

/* --- By segment
 * --------------------------------------------------------------------------------- */

/* What the short way doesn't decide: data segments that expand down, and whose fault it is. */
static bool segment_allows(struct soft_vcpu *c, unsigned number, uint64_t offset, size_t size,
			   bool write)
{
	const struct cpu_segment *segment = &c->vcpu.state.segment[number];
	uint64_t top = segment->db ? UINT32_MAX : UINT16_MAX;
	bool code = segment->type & SEGMENT_TYPE_CODE;

	if (segment->unusable || !segment->present || !segment->s)
		return false;
	if (code || !(segment->type & SEGMENT_TYPE_EXPAND_DOWN))
		return false;
	if (write && !(segment->type & SEGMENT_TYPE_WRITABLE))
		return false;
	return offset > segment->limit && offset + size - 1 <= top;
}

struct soft_linear soft_linear(struct soft_vcpu *c, unsigned segment, uint64_t offset, size_t size,
			       bool write)
{
	const struct soft_segment *derived = &c->segment[segment];
	uint64_t address = derived->base + offset;

	if (c->long64)
		return (struct soft_linear){address, true};
	if (SOFT_LIKELY(offset + size <= (write ? derived->write_end : derived->read_end)) ||
	    segment_allows(c, segment, offset, size, write))
		return (struct soft_linear){(uint32_t)address, true};
	fault_segment(c, segment);
	return (struct soft_linear){0, false};
}

bool soft_read(struct soft_vcpu *c, unsigned segment, uint64_t offset, void *to, size_t size)
{
	struct soft_linear linear = soft_linear(c, segment, offset, size, false);

	return linear.ok && read_bytes(c, current_view(c), segment, linear.address, to, size);
}

bool soft_write(struct soft_vcpu *c, unsigned segment, uint64_t offset, const void *from,
		size_t size)
{
	struct soft_linear linear = soft_linear(c, segment, offset, size, true);

	return linear.ok && write_bytes(c, current_view(c), segment, linear.address, from, size);
}

bool soft_probe(struct soft_vcpu *c, unsigned segment, uint64_t offset, size_t size, bool write)
{
	struct soft_linear linear = soft_linear(c, segment, offset, size, write);
	struct span span;

	return linear.ok &&
	       locate_span(c, current_view(c), segment, linear.address, size, write, &span);
}

const void *soft_read_at(struct soft_vcpu *c, unsigned segment, uint64_t offset, size_t size)
{
	struct soft_linear linear = soft_linear(c, segment, offset, size, false);

	return linear.ok ? soft_read_page(c, segment, linear.address, (unsigned)size) : NULL;
}

void *soft_update_at(struct soft_vcpu *c, unsigned segment, uint64_t offset, size_t size)
{
	struct soft_linear linear = soft_linear(c, segment, offset, size, true);

	return linear.ok ? soft_update_page(c, segment, linear.address, (unsigned)size) : NULL;
}

/* --- By linear address
 * -------------------------------------------------------------------------- */

bool soft_read_linear(struct soft_vcpu *c, enum soft_privilege privilege, uint64_t linear, void *to,
		      size_t size)
{
	return read_bytes(c, view_of(c, privilege), CPU_DS, linear, to, size);
}

bool soft_write_linear(struct soft_vcpu *c, enum soft_privilege privilege, uint64_t linear,
		       const void *from, size_t size)
{
	return write_bytes(c, view_of(c, privilege), CPU_DS, linear, from, size);
}

bool soft_probe_linear(struct soft_vcpu *c, enum soft_privilege privilege, uint64_t linear,
		       size_t size, bool write)
{
	struct span span;

	return locate_span(c, view_of(c, privilege), CPU_DS, linear, size, write, &span);
}

/* --- The stack
 * ---------------------------------------------------------------------------------- */

static uint64_t stack_at(const struct soft_vcpu *c, uint64_t offset)
{
	return (c->vcpu.state.gpr[CPU_RSP] + offset) & c->stack_mask;
}

void soft_stack_move(struct soft_vcpu *c, int64_t bytes)
{
	uint64_t *rsp = &c->vcpu.state.gpr[CPU_RSP];

	*rsp = (*rsp & ~c->stack_mask) | ((*rsp + (uint64_t)bytes) & c->stack_mask);
}

bool soft_push(struct soft_vcpu *c, uint64_t value, uint8_t size)
{
	if (!soft_write(c, CPU_SS, stack_at(c, -(uint64_t)size), &value, size))
		return false;
	soft_stack_move(c, -(int64_t)size);
	return true;
}

bool soft_peek(struct soft_vcpu *c, uint64_t offset, uint64_t *value, uint8_t size)
{
	*value = 0;
	return soft_read(c, CPU_SS, stack_at(c, offset), value, size);
}

bool soft_pop(struct soft_vcpu *c, uint64_t *value, uint8_t size)
{
	if (!soft_peek(c, 0, value, size))
		return false;
	soft_stack_move(c, size);
	return true;
}

/* --- Faults and exits
 * --------------------------------------------------------------------------- */

void soft_fault(struct soft_vcpu *c, uint8_t vector)
{
	c->stop = SOFT_FAULT;
	c->fault = (struct cpu_event){.kind = CPU_EVENT_EXCEPTION, .vector = vector};
}

void soft_fault_error(struct soft_vcpu *c, uint8_t vector, uint32_t error)
{
	soft_fault(c, vector);
	c->fault.has_error = true;
	c->fault.error = error;
}

void soft_fault_page(struct soft_vcpu *c, uint64_t linear, uint32_t error)
{
	soft_fault_error(c, CPU_VECTOR_PF, error);
	c->fault_address = linear;
}

void soft_exit(struct soft_vcpu *c, enum exit_kind kind, uint8_t length)
{
	c->stop = SOFT_EXIT;
	c->exit->kind = kind;
	c->exit->length = length;
}

bool soft_access(struct soft_vcpu *c, enum exit_space space, bool write, uint64_t address,
		 uint8_t size, uint64_t *data)
{
	unsigned i = c->access_next;

	if (i < c->accesses && c->access[i].space == space && c->access[i].write == write &&
	    c->access[i].address == address && c->access[i].size == size) {
		if (!write)
			*data = c->access[i].data & size_mask(size);
		c->access_next++;
		return true;
	}
	if (i == SOFT_ACCESS_LOG) {
		soft_exit(c, EXIT_FAILED, 0);
		c->exit->failure.reason = address;
		c->exit->failure.text = "an instruction with too many accesses to a device";
		return false;
	}
	c->accesses = (uint8_t)i;
	c->access[i].space = space;
	c->access[i].write = write;
	c->access[i].address = address;
	c->access[i].size = size;
	c->access[i].data = write ? *data & size_mask(size) : 0;
	soft_exit(c, EXIT_ACCESS, 0);
	c->exit->access.space = space;
	c->exit->access.write = write;
	c->exit->access.size = size;
	c->exit->access.address = address;
	c->exit->access.data = c->access[i].data;
	return false;
}
