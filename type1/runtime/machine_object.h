/* SPDX-License-Identifier: MIT */
/*
 * machine_object.h - what stands for the right to turn the machine off.
 */
#ifndef DYAD_TYPE1_MACHINE_OBJECT_H
#define DYAD_TYPE1_MACHINE_OBJECT_H

#include "type1/runtime/process.h"

/* A new reference to the one that there is, of kind OBJECT_POWER. */
struct object *power_object(void);

#endif
