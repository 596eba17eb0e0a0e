/* SPDX-License-Identifier: MIT */
/*
 * apic_page.h - a vCPU's local APIC lent to hardware: CPUs that do some of its work keep its
 * registers in a page, each where the manual has it (Intel SDM volume 3, table 11-1).
 *
 * While the page is lent it has the registers that the guest's accesses and interrupts change: TPR,
 * PPR, ISR, IRR, ICR.  The core posts interrupts to the APIC as ever, and kicks: they are in the
 * page after the next lend.  IRR in the page is [any], as hardware that sends to the vCPU sets bits
 * there, whether it is lent or not.
 */
#ifndef DYAD_HYPERVISOR_APIC_PAGE_H
#define DYAD_HYPERVISOR_APIC_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/apic.h"

struct vcpu;

#define APIC_PAGE_WORDS (APIC_VECTORS / 32) /* of IRR, ISR, TMR: 16 bytes from one to the next */

static inline uint32_t *apic_page_word(uint32_t *page, unsigned field, unsigned word)
{
	return &page[(field + word * 16) / 4];
}

/*
 * Whether hardware could stand in for it now: it takes interrupts, and all APICs of the VM that are
 * on are in x2APIC mode, so that each has the ID that it was made with, and the logical ID that
 * follows from that.  [own] of the vCPU; atomic.
 */
bool apic_page_can_lend(const struct vcpu *vcpu);

/*
 * Fills the page; what IRR has there already stays.  Interrupts whose end the core wants to hear of
 * have their bit in TMR, level-triggered or not.  [own]; atomic.
 */
void apic_page_lend(struct vcpu *vcpu, uint32_t *page);

/* The core's registers are those that count again; IRR in the page is empty.  [own]; atomic. */
void apic_page_take_back(struct vcpu *vcpu, uint32_t *page);

/* Interrupts that came to the page while it was not lent: edge-triggered messages.  Any context. */
void apic_page_accept(struct vcpu *vcpu, const uint32_t irr[APIC_PAGE_WORDS]);

#endif
