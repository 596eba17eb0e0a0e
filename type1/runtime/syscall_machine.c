/* SPDX-License-Identifier: MIT */
/*
 * syscall_machine.c - system calls: the machine's power.
 */
#include <linux/errno.h>

#include "type1/runtime/machine_object.h"
#include "type1/runtime/syscall.h"

static struct object the_power = {.kind = OBJECT_POWER, .references = 1};

struct object *power_object(void)
{
	object_get(&the_power);
	return &the_power;
}

int64_t syscall_power(const struct call *call)
{
	if (call->args[1] == TYPE1_POWER_OFF)
		machine_power_off();
	if (call->args[1] == TYPE1_POWER_RESET)
		machine_reset();
	return -EINVAL;
}
