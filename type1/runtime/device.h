/* SPDX-License-Identifier: MIT */
/*
 * device.h - devices as objects.
 */
#ifndef DYAD_TYPE1_DEVICE_H
#define DYAD_TYPE1_DEVICE_H

#include "type1/runtime/process.h"

/* A new reference to what stands for all of them, of kind OBJECT_DEVICES. */
struct object *devices_object(void);

#endif
