/* SPDX-License-Identifier: MIT */
/*
 * event.c - events that come between instructions: interrupts, exceptions, and what becomes of a
 * fault while one is being delivered.  APM2 section 8.2.9 (double faults); SDM volume 3, section
 * 6.15, table 6-5.
 */
#include "hypervisor/x86/soft/interrupt.h"

enum event_class { EVENT_BENIGN, EVENT_CONTRIBUTORY, EVENT_PAGE_FAULT, EVENT_DOUBLE_FAULT };

static enum event_class event_class(const struct cpu_event *event)
{
	if (event->kind != CPU_EVENT_EXCEPTION)
		return EVENT_BENIGN;
	switch (event->vector) {
	case CPU_VECTOR_DE:
	case CPU_VECTOR_TS:
	case CPU_VECTOR_NP:
	case CPU_VECTOR_SS:
	case CPU_VECTOR_GP:
		return EVENT_CONTRIBUTORY;
	case CPU_VECTOR_PF:
		return EVENT_PAGE_FAULT;
	case CPU_VECTOR_DF:
		return EVENT_DOUBLE_FAULT;
	default:
		return EVENT_BENIGN;
	}
}

/* Exceptions whose RIP is the instruction's, and which set RF in what they push: SDM volume 3,
 * section 17.3.1.1.  Who raises a #DB that is a fault says so by RF itself. */
static bool is_fault(const struct cpu_event *event)
{
	if (event->kind != CPU_EVENT_EXCEPTION)
		return false;
	switch (event->vector) {
	case CPU_VECTOR_DB:
	case CPU_VECTOR_NMI:
	case CPU_VECTOR_BP:
	case CPU_VECTOR_OF:
	case CPU_VECTOR_DF:
	case CPU_VECTOR_MC:
		return false;
	default:
		return true;
	}
}

static void describe(struct soft_vcpu *c, const struct cpu_event *event, struct delivery *delivery)
{
	*delivery = (struct delivery){
		.vector = event->vector,
		.has_error = event->kind == CPU_EVENT_EXCEPTION && event->has_error,
		.error = event->error,
		.software = event->kind == CPU_EVENT_SOFTWARE,
		.external = event->kind != CPU_EVENT_SOFTWARE,
		.resume = is_fault(event),
		.rip = c->vcpu.state.rip,
	};
}

/* What was to be delivered, and in the end was, changes what the CPU takes next. */
static void note_delivered(struct soft_vcpu *c, const struct cpu_event *event,
			   const struct cpu_event *delivered)
{
	struct cpu_state *state = &c->vcpu.state;

	state->sti_shadow = false;
	state->mov_ss_shadow = false;
	if (event->kind == CPU_EVENT_NMI)
		state->nmi_masked = true;
	if (delivered->kind == CPU_EVENT_EXCEPTION && delivered->vector == CPU_VECTOR_DB)
		state->dr7 &= ~DR7_GD;
}

/* event met c->fault on its way: what is to be delivered then.  false: a triple fault. */
static bool combine(struct soft_vcpu *c, struct cpu_event *event)
{
	enum event_class first = event_class(event), second = event_class(&c->fault);
	bool serious = second == EVENT_CONTRIBUTORY || second == EVENT_PAGE_FAULT;

	if (first == EVENT_DOUBLE_FAULT && serious)
		return false;
	if ((first == EVENT_CONTRIBUTORY && second == EVENT_CONTRIBUTORY) ||
	    (first == EVENT_PAGE_FAULT && serious))
		*event = (struct cpu_event){
			.kind = CPU_EVENT_EXCEPTION,
			.vector = CPU_VECTOR_DF,
			.has_error = true,
		};
	else
		*event = c->fault;
	return true;
}

bool soft_deliver(struct soft_vcpu *c, const struct cpu_event *event, uint64_t fault_address)
{
	struct cpu_event current = *event;
	struct delivery delivery;

	for (;;) {
		if (current.kind == CPU_EVENT_EXCEPTION && current.vector == CPU_VECTOR_PF)
			c->vcpu.state.cr2 = fault_address;
		c->stop = SOFT_RUNNING;
		describe(c, &current, &delivery);
		if (interrupt_deliver(c, &delivery)) {
			note_delivered(c, event, &current);
			soft_changed(c);
			return true;
		}
		if (c->stop == SOFT_EXIT)
			return false;
		/* A #PF that becomes a double fault still leaves its address in CR2. */
		fault_address = c->fault_address;
		if (c->fault.vector == CPU_VECTOR_PF)
			c->vcpu.state.cr2 = fault_address;
		if (!combine(c, &current)) {
			soft_exit(c, EXIT_SHUTDOWN, 0);
			return false;
		}
	}
}
