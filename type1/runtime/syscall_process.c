/* SPDX-License-Identifier: MIT */
/*
 * syscall_process.c - system calls: the process itself, its log, modules and randomness.
 */
#include <linux/errno.h>

#include "hw/cpuid.h"
#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/runtime/instructions.h"
#include "type1/runtime/syscall.h"

#define RANDOM_PART 64u /* bytes that are copied at a time */
#define RANDOM_TRIES 10 /* after so many a sound CPU has given a number, as its makers say */
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

/* A number from the CPU's generator; false: it gives none. */
/* NOLINTNEXTLINE(readability-non-const-parameter): it is written */
static bool random_number(uint64_t *number)
{
	bool given = false;

	for (int i = 0; i < RANDOM_TRIES && !given; i++)
		__asm__ volatile("rdrand %0" : "=r"(*number), "=@ccc"(given));
	return given;
}

/* -EOPNOTSUPP: the CPU has no generator. */
int64_t syscall_random(const struct call *call)
{
	uint64_t to = call->args[0], left = call->args[1];
	uint64_t numbers[RANDOM_PART / sizeof(uint64_t)];
	int err;

	if (!(cpuid(CPUID_LEAF_FEATURES, 0).ecx & CPUID_1_ECX_RDRAND))
		return -EOPNOTSUPP;
	while (left) {
		uint64_t part = MIN(left, RANDOM_PART);

		if (thread_dying(thread_current()))
			return -EINTR;
		for (unsigned i = 0; i < ARRAY_COUNT(numbers); i++) {
			if (!random_number(&numbers[i]))
				return -EIO;
		}
		err = user_copy_out(to, numbers, part);
		if (err)
			return err;
		to += part;
		left -= part;
	}
	return 0;
}
