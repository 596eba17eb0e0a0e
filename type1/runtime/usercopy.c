/* SPDX-License-Identifier: MIT */
/*
 * usercopy.c - copies from and to the memory of the current process.
 */
#include <linux/errno.h>

#include "lib/bits.h"
#include "type1/runtime/process.h"

#define WORD sizeof(uint64_t)

uint64_t usercopy_raw(void *to, const void *from, uint64_t size);

/* One of the two is the process's: at user, to which is written if write. */
static int copy(void *to, const void *from, uint64_t user, size_t size, bool write)
{
	struct process *process = process_current();
	struct table_entry entry;
	uint64_t left, tries = size / PAGE_SIZE + 2; /* a page that goes each time is given up */

	if (!size)
		return 0;
	if (!process || user >= USER_END || size > USER_END - user)
		return -EFAULT;
	while ((left = usercopy_raw(to, from, size))) {
		uint64_t done = size - left;

		/* The word that it ended at may be in two pages. */
		if (!tries-- || space_find(&process->space, user + done, write, &entry) ||
		    space_find(&process->space, user + done + MIN(left, WORD) - 1, write, &entry))
			return -EFAULT;
		to = (char *)to + done;
		from = (const char *)from + done;
		user += done;
		size = left;
	}
	return 0;
}

int user_copy_in(void *to, uint64_t from, size_t size)
{
	return copy(to, (const void *)from, from, size, false);
}

int user_copy_out(uint64_t to, const void *from, size_t size)
{
	return copy((void *)to, from, to, size, true);
}
