/* SPDX-License-Identifier: MIT */
/*
 * notice.h - what one process at a time wants to know of, by an event; a timer looks for it, since
 * it has no interrupt, or comes where no event can be signalled.
 */
#ifndef DYAD_TYPE1_NOTICE_H
#define DYAD_TYPE1_NOTICE_H

#include "type1/runtime/process.h"

struct notice {
	struct spin lock;
	bool (*look)(void);                         /* [const] with the lock: whether it is there */
	void (*ended)(const struct object *handle); /* [const] with the lock; or NULL */
	struct notice_handle *listener;             /* [lock] who asked for an event last */
	struct timer timer;
};
extern struct notice screen_notice;  /* syscall_machine.c: something was typed */
extern struct notice process_notice; /* process_list.c */

/* What a process asks by.  -ENOMEM. */
int notice_handle_create(struct notice *notice, enum object_kind kind, struct account *account,
			 struct object **object);
/* It is there.  Task. */
void notice_tell(struct notice *notice);

#endif
