/* SPDX-License-Identifier: MIT */
#include "tests/support/avic_cpu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "hw/apic.h"
#include "hw/msr.h"

#define CR8_ACCESSES (SVM_INTERCEPT_CR_READ(8) | SVM_INTERCEPT_CR_WRITE(8))

struct avic_cpu avic_cpus[AVIC_CPUS];

static uint32_t *word(uint32_t *page, unsigned field, unsigned vector)
{
	return page + (field + vector / 32 * 16) / 4;
}

static bool bit(uint32_t *page, unsigned field, unsigned vector)
{
	return *word(page, field, vector) >> vector % 32 & 1;
}

void avic_set(uint32_t *page, unsigned field, unsigned vector, bool value)
{
	*word(page, field, vector) &= ~(1u << vector % 32);
	*word(page, field, vector) |= (uint32_t)value << vector % 32;
}

int avic_highest(uint32_t *page, unsigned field)
{
	for (int vector = 255; vector >= 0; vector--)
		if (bit(page, field, (unsigned)vector))
			return vector;
	return -1;
}

static bool has_avic(const struct avic_cpu *cpu)
{
	return cpu->v && (cpu->v->virtual_interrupt & SVM_AVIC_ENABLE);
}

static unsigned find_ppr(uint32_t *page)
{
	int in_service = avic_highest(page, APIC_ISR);
	unsigned tpr = page[APIC_TPR / 4], class = in_service < 0 ? 0 : (unsigned)in_service & 0xf0;

	return (tpr & 0xf0) >= class ? tpr : class;
}

/* Sections 15.29.8.2 and 15.29.8.3: the highest request, if masking and priority allow. */
static void evaluate(struct avic_cpu *cpu)
{
	int vector = avic_highest(cpu->page, APIC_IRR);

	cpu->page[APIC_PPR / 4] = find_ppr(cpu->page);
	if (vector < 0 || !cpu->interrupts || (unsigned)vector >> 4 <= cpu->page[APIC_PPR / 4] >> 4)
		return;
	avic_set(cpu->page, APIC_IRR, (unsigned)vector, false);
	avic_set(cpu->page, APIC_ISR, (unsigned)vector, true);
	cpu->page[APIC_PPR / 4] = find_ppr(cpu->page);
	cpu->taken[vector]++;
	cpu->interrupts = false; /* an interrupt gate */
}

void avic_cpu_exit(struct avic_cpu *cpu, uint32_t code, uint64_t info1, uint64_t info2)
{
	assert_non_null(cpu->v);
	cpu->v->exit_code = code;
	cpu->v->exit_info1 = info1;
	cpu->v->exit_info2 = info2;
	cpu->v->exit_interrupt = 0;
	cpu->exits += code == SVM_EXIT_AVIC_INCOMPLETE_IPI || code == SVM_EXIT_AVIC_NOACCEL;
	cpu->v = NULL;
}

/* 15.21.4 */
static void take_virtual(struct avic_cpu *cpu)
{
	if (cpu->v->intercept_misc1 & SVM_INTERCEPT_VINTR) {
		avic_cpu_exit(cpu, SVM_EXIT_VINTR, 0, 0);
		return;
	}
	cpu->taken[cpu->v->virtual_interrupt >> 32 & 0xff]++;
	cpu->v->virtual_interrupt &= ~SVM_V_IRQ;
	cpu->interrupts = false;
}

/* What VMRUN asks of AVIC's fields (15.29.4), and what it does. */
void avic_cpu_vmrun(struct avic_cpu *cpu, struct vmcb *vmcb)
{
	struct vmcb_control *v = &vmcb->control;
	uint64_t event = v->event_injection;

	cpu->v = v;
	if (has_avic(cpu)) {
		assert_true(v->nested_paging & SVM_NESTED_PAGING);
		assert_true(v->virtual_interrupt & SVM_X2AVIC_ENABLE); /* no other is used here */
		assert_true((v->avic_physical_ids & 0xfff) <= 511);
		assert_true((v->avic_page & 0xfff) == 0 && v->avic_page);
		assert_true((v->avic_logical_ids & 0xfff) == 0);
		cpu->page = (uint32_t *)(uintptr_t)v->avic_page;
		assert_int_equal(v->virtual_interrupt & SVM_V_TPR, cpu->page[APIC_TPR / 4] >> 4);
		assert_int_equal(cpu->page[APIC_PPR / 4], find_ppr(cpu->page));
	} else {
		assert_false(v->virtual_interrupt & SVM_X2AVIC_ENABLE);
	}
	if (event & SVM_EVENT_VALID) {
		cpu->taken[event & SVM_EVENT_VECTOR]++;
		cpu->interrupts = false;
	}
	if (has_avic(cpu))
		evaluate(cpu);
	else if ((v->virtual_interrupt & SVM_V_IRQ) && cpu->interrupts)
		take_virtual(cpu);
}

bool avic_is_intercepted(const struct vmcb_control *v, uint32_t msr, bool write)
{
	const uint8_t *map = (const uint8_t *)(uintptr_t)v->msr_map;

	return map[msr / 4] >> (msr % 4 * 2 + write) & 1;
}

/* The intercept comes before AVIC: 15.29.10. */
static bool reaches_avic(struct avic_cpu *cpu, unsigned offset)
{
	assert_non_null(cpu->v);
	if (!avic_is_intercepted(cpu->v, MSR_X2APIC_FIRST + offset / 16, true))
		return has_avic(cpu);
	avic_cpu_exit(cpu, SVM_EXIT_MSR, SVM_MSR_WRITE, 0);
	return false;
}

void avic_cpu_eoi(struct avic_cpu *cpu)
{
	int vector = avic_highest(cpu->page, APIC_ISR);
	bool level;

	assert_true(reaches_avic(cpu, APIC_EOI));
	assert_true(vector >= 0);
	level = bit(cpu->page, APIC_TMR, (unsigned)vector);
	if (!level || cpu->ends_level_eoi)
		avic_set(cpu->page, APIC_ISR, (unsigned)vector, false);
	if (level)
		avic_cpu_exit(cpu, SVM_EXIT_AVIC_NOACCEL, SVM_AVIC_WRITE | APIC_EOI,
			      (uint64_t)vector);
	else
		evaluate(cpu);
}

void avic_cpu_sti(struct avic_cpu *cpu)
{
	cpu->interrupts = true;
	if (has_avic(cpu))
		evaluate(cpu);
	else if (cpu->v->virtual_interrupt & SVM_V_IRQ)
		avic_cpu_exit(cpu, SVM_EXIT_VINTR, 0, 0);
}

/* MOV to CR8: 15.29.3.1. */
void avic_cpu_set_cr8(struct avic_cpu *cpu, unsigned value)
{
	assert_false(cpu->v->intercept_cr & CR8_ACCESSES);
	cpu->page[APIC_TPR / 4] = value << 4;
	cpu->v->virtual_interrupt = (cpu->v->virtual_interrupt & ~SVM_V_TPR) | value;
	evaluate(cpu);
}

static uint64_t entry_of(const struct vmcb_control *v, unsigned id)
{
	return ((const uint64_t *)(uintptr_t)(v->avic_physical_ids & ~UINT64_C(0xfff)))[id];
}

static uint32_t *page_of(uint64_t entry)
{
	return (uint32_t *)(uintptr_t)(entry & UINT64_C(0x000ffffffffff000));
}

static void incomplete(struct avic_sending *s, unsigned reason, unsigned index)
{
	/* The message is on its way still: whoever looks at the delivery status sees that. */
	avic_cpu_exit(s->from, SVM_EXIT_AVIC_INCOMPLETE_IPI, s->icr | APIC_ICR_PENDING,
		      (uint64_t)reason << SVM_AVIC_REASON_SHIFT | index);
}

static bool is_valid(const struct vmcb_control *v, unsigned id)
{
	return id <= (v->avic_physical_ids & 0xfff) && (entry_of(v, id) & SVM_AVIC_VALID);
}

/* Steps 2 to 4; false: it has exited, with nothing delivered. */
static bool find_targets(struct avic_sending *s)
{
	const struct vmcb_control *v = s->from->v;
	uint32_t destination = (uint32_t)(s->icr >> 32), low = (uint32_t)s->icr;
	unsigned shorthand = low >> APIC_ICR_SHORTHAND_SHIFT & 3;

	for (unsigned id = 0; id < 512; id++) {
		bool logical = id >> 4 == destination >> 16 && (destination >> id % 16 & 1);
		bool chosen = low & APIC_ICR_LOGICAL ? logical : id == destination;

		if (shorthand == APIC_SHORTHAND_NONE && chosen && !is_valid(v, id)) {
			incomplete(s, 2, id);
			return false;
		}
		if (shorthand)
			chosen = is_valid(v, id) && !(shorthand == APIC_SHORTHAND_OTHERS &&
						      page_of(entry_of(v, id)) == s->from->page);
		if (chosen)
			s->ids[s->count++] = id;
	}
	if (!s->count)
		incomplete(s, 2, 0);
	return s->count;
}

bool avic_send_begin(struct avic_sending *s, struct avic_cpu *from, uint64_t icr)
{
	uint32_t low = (uint32_t)icr;

	*s = (struct avic_sending){.from = from, .icr = icr};
	if (!reaches_avic(from, APIC_ICR))
		return false;
	from->page[APIC_ICR / 4] = low;
	from->page[APIC_ICR_HIGH / 4] = (uint32_t)(icr >> 32);
	if (low & (APIC_MODE_MASK | APIC_ICR_LEVEL)) {
		incomplete(s, 0, 0);
		return false;
	}
	if ((low & APIC_VECTOR_MASK) < 16) {
		incomplete(s, 4, 0);
		return false;
	}
	if ((low >> APIC_ICR_SHORTHAND_SHIFT & 3) == APIC_SHORTHAND_SELF) {
		avic_set(from->page, APIC_IRR, low & APIC_VECTOR_MASK, true);
		evaluate(from);
		return false;
	}
	return find_targets(s);
}

void avic_send_set_irr(struct avic_sending *s)
{
	for (unsigned i = 0; i < s->count; i++)
		avic_set(page_of(entry_of(s->from->v, s->ids[i])), APIC_IRR,
			 s->icr & APIC_VECTOR_MASK, true);
}

void avic_send_doorbells(struct avic_sending *s)
{
	for (unsigned i = 0; i < s->count; i++) {
		uint64_t entry = entry_of(s->from->v, s->ids[i]);

		s->not_running |= !(entry & SVM_AVIC_RUNNING);
		if (!(entry & SVM_AVIC_RUNNING))
			continue;
		assert_int_equal(entry & SVM_AVIC_HOST_ID, AVIC_HOST_ID);
		for (unsigned n = 0; n < AVIC_CPUS; n++) {
			if (!avic_cpus[n].v || avic_cpus[n].page != page_of(entry))
				continue;
			avic_cpus[n].doorbells++;
			evaluate(&avic_cpus[n]);
		}
	}
	if (s->not_running)
		incomplete(s, SVM_AVIC_NOT_RUNNING, s->ids[0]);
}

void avic_cpu_send(struct avic_cpu *cpu, uint64_t icr)
{
	struct avic_sending s;

	if (!avic_send_begin(&s, cpu, icr))
		return;
	avic_send_set_irr(&s);
	avic_send_doorbells(&s);
}
