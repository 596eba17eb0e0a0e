/* SPDX-License-Identifier: MIT */
/*
 * apic.h - how the local APICs are set up, and messages to CPUs that have no number yet.
 */
#ifndef DYAD_TYPE1_APIC_H
#define DYAD_TYPE1_APIC_H

#include <stdint.h>

#include "hw/apic.h"

void apic_init(void);       /* once; clock_now() works */
void apic_init_cpu(void);   /* each CPU */
uint32_t apic_own_id(void); /* of the running CPU */
/* Any context; xAPIC: waits until the last one left. */
void apic_send_mode(uint32_t apic_id, enum apic_mode mode, uint8_t vector);

#endif
