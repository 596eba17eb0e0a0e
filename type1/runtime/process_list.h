/* SPDX-License-Identifier: MIT */
/*
 * process_list.h - the handle of the image's processes, and who asked by it to be told of them.
 */
#ifndef DYAD_TYPE1_PROCESS_LIST_H
#define DYAD_TYPE1_PROCESS_LIST_H

#include "type1/runtime/process.h"

/* -ENOMEM. */
int process_list_create(struct account *account, struct object **object);
/* A process has begun or ended.  Any context. */
void process_list_tell(void);

#endif
