/* SPDX-License-Identifier: MIT */
/*
 * apic.h - registers of the local APIC (Intel SDM volume 3, chapter 11; AMD APM volume 2, chapter
 * 16), and the messages that reach it (section 11.11).
 */
#ifndef DYAD_HW_APIC_H
#define DYAD_HW_APIC_H

#include <stdint.h>

#include "hw/msr.h"

/* Within IA32_APIC_BASE (hw/msr.h), SDM 11.4.4: up to the CPU's physical address width. */
#define APIC_BASE_ADDRESS (~UINT64_C(0xfff))
#define APIC_SIZE 0x1000u

/*
 * Registers, by their offset from the base; each is 32 bits at a multiple of 16, SDM table 11-1.
 * In x2APIC mode the register at offset n is MSR MSR_X2APIC_FIRST + n / 16, SDM 11.12.1.2.
 */
enum apic_register {
	APIC_ID = 0x020,
	APIC_VERSION = 0x030,
	APIC_TPR = 0x080,
	APIC_APR = 0x090,
	APIC_PPR = 0x0a0,
	APIC_EOI = 0x0b0,
	APIC_RRD = 0x0c0,
	APIC_LDR = 0x0d0,
	APIC_DFR = 0x0e0,
	APIC_SVR = 0x0f0,
	APIC_ISR = 0x100, /* and the next seven: 256 bits, one a vector; so for TMR and IRR */
	APIC_TMR = 0x180,
	APIC_IRR = 0x200,
	APIC_ESR = 0x280,
	APIC_LVT_CMCI = 0x2f0,
	APIC_ICR = 0x300,
	APIC_ICR_HIGH = 0x310,
	APIC_LVT_TIMER = 0x320,
	APIC_LVT_THERMAL = 0x330,
	APIC_LVT_PERFORMANCE = 0x340,
	APIC_LVT_LINT0 = 0x350,
	APIC_LVT_LINT1 = 0x360,
	APIC_LVT_ERROR = 0x370,
	APIC_INITIAL_COUNT = 0x380,
	APIC_CURRENT_COUNT = 0x390,
	APIC_DIVIDE = 0x3e0,
	APIC_SELF_IPI = 0x3f0, /* x2APIC only */
};

#define APIC_VECTORS 256
#define APIC_VECTOR_FIRST 16 /* those below are illegal, SDM 11.5.2 */

/* Version 0x14 (an integrated APIC), the last LVT is number 5: SDM 11.4.8. */
#define APIC_VERSION_VALUE (5u << 16 | 0x14u)

#define APIC_ID_SHIFT 24 /* of the ID and the destination in xAPIC mode */
#define APIC_BROADCAST 0xffu
#define X2APIC_BROADCAST UINT32_MAX

/* Logical destinations, SDM 11.6.2.2 and 11.12.10. */
#define APIC_LDR_SHIFT 24
#define APIC_LDR_MASK 0xff000000u
#define APIC_DFR_FLAT 0xffffffffu
#define APIC_DFR_CLUSTER 0x0fffffffu /* what a cluster-mode DFR reads; the rest is ones */
#define X2APIC_CLUSTER_SHIFT 16
#define X2APIC_CLUSTER_CPUS 16

/* Spurious-interrupt vector register, SDM 11.9. */
#define APIC_SVR_VECTOR 0xffu
#define APIC_SVR_ENABLE (1u << 8)
#define APIC_SVR_FOCUS (1u << 9)

/* Local vector table, SDM 11.5.1; the delivery mode is shared with the ICR and with messages. */
#define APIC_VECTOR_MASK 0xffu
#define APIC_MODE_SHIFT 8
#define APIC_MODE_MASK (7u << APIC_MODE_SHIFT)
enum apic_mode {
	APIC_MODE_FIXED = 0,
	APIC_MODE_LOWEST = 1,
	APIC_MODE_SMI = 2,
	APIC_MODE_NMI = 4,
	APIC_MODE_INIT = 5,
	APIC_MODE_STARTUP = 6,
	APIC_MODE_EXTINT = 7,
};
#define APIC_LVT_PENDING (1u << 12) /* read-only */
#define APIC_LVT_POLARITY (1u << 13)
#define APIC_LVT_REMOTE_IRR (1u << 14)
#define APIC_LVT_LEVEL (1u << 15)
#define APIC_LVT_MASKED (1u << 16)
#define APIC_TIMER_MODE_MASK (3u << 17)
#define APIC_TIMER_PERIODIC (1u << 17)
#define APIC_TIMER_DEADLINE (2u << 17)

/* Interrupt command register, low half, SDM 11.6.1. */
#define APIC_ICR_LOGICAL (1u << 11)
#define APIC_ICR_PENDING (1u << 12)
#define APIC_ICR_ASSERT (1u << 14)
#define APIC_ICR_LEVEL (1u << 15)
#define APIC_ICR_SHORTHAND_SHIFT 18
#define APIC_ICR_SHORTHAND_MASK (3u << APIC_ICR_SHORTHAND_SHIFT)
enum apic_shorthand {
	APIC_SHORTHAND_NONE,
	APIC_SHORTHAND_SELF,
	APIC_SHORTHAND_ALL,
	APIC_SHORTHAND_OTHERS,
};
#define APIC_ICR_WRITABLE 0x000ccfffu

/* Error status register, SDM 11.5.3. */
#define APIC_ESR_SEND_ILLEGAL (1u << 5)
#define APIC_ESR_RECEIVE_ILLEGAL (1u << 6)
#define APIC_ESR_ILLEGAL_REGISTER (1u << 7)

#define APIC_DIVIDE_MASK 0xbu /* bits 0, 1 and 3, SDM figure 11-10 */

/* A message-signalled interrupt, SDM 11.11. */
#define MSI_ADDRESS_LOGICAL (1u << 2)
#define MSI_ADDRESS_REDIRECT (1u << 3)
#define MSI_ADDRESS_DESTINATION_SHIFT 12
#define MSI_DATA_MODE_SHIFT 8
#define MSI_DATA_LEVEL (1u << 15)

#endif
