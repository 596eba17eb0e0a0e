/* SPDX-License-Identifier: MIT */
/*
 * machine_object.h - what stands for the machine itself: its console, the right to turn it off, and
 * the processes of its image.
 */
#ifndef DYAD_TYPE1_MACHINE_OBJECT_H
#define DYAD_TYPE1_MACHINE_OBJECT_H

#include "type1/runtime/process.h"

/* Of kind OBJECT_SCREEN, for one process.  -ENOMEM. */
int screen_object_create(struct account *account, struct object **object);
/* A new reference to the one that there is, of kind OBJECT_POWER. */
struct object *power_object(void);
/* Of kind OBJECT_PROCESSES, for one process.  -ENOMEM. */
int processes_object_create(struct account *account, struct object **object);
/* process_list.c: one has begun or ended.  Task. */
void process_list_changed(void);

#endif
