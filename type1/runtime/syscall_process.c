/* SPDX-License-Identifier: MIT */
/*
 * syscall_process.c - system calls: the process itself, its log, and modules.
 */
#include <linux/errno.h>

#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/runtime/syscall.h"

#define FIRST_PRINTABLE ' '
#define LAST_PRINTABLE '~'

int64_t syscall_exit(const struct call *call)
{
	process_exit((int)call->args[0]);
}

int64_t syscall_log(const struct call *call)
{
	static const enum log_level levels[] = {LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG};
	uint64_t level = call->args[0], size = call->args[2];
	char text[TYPE1_LOG_LINE + 1];
	int err;

	if (level >= ARRAY_COUNT(levels) || size > TYPE1_LOG_LINE)
		return -EINVAL;
	err = user_copy_in(text, call->args[1], size);
	if (err)
		return err;
	text[size] = '\0';
	/* Nothing in it may look like another line, or command the terminal. */
	for (uint64_t i = 0; i < size; i++) {
		if (text[i] < FIRST_PRINTABLE || text[i] > LAST_PRINTABLE)
			text[i] = '?';
	}
	log_line(levels[level], "%s: %s", call->process->name, text);
	return 0;
}

int64_t syscall_close(const struct call *call)
{
	return handle_close(call->process, call->args[0]);
}

int64_t syscall_module_open(const struct call *call)
{
	const struct boot_module *module;
	struct object *object;
	char name[BOOT_NAME_MAX];
	uint64_t size = call->args[1];
	int err;

	if (size > sizeof(name))
		return -ENOENT;
	err = user_copy_in(name, call->args[0], size);
	if (err)
		return err;
	module = boot_module_find(name, size);
	if (!module)
		return -ENOENT;
	err = memory_object_of_module(module, &call->process->account, &object);
	return err ? err : handle_add(call->process, object);
}
