/* SPDX-License-Identifier: MIT */
/*
 * message.c - sentences to standard error.
 */
#include "cli/message.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int message_fail(enum exit_status status, const struct error *why)
{
	struct error clean = *why;

	/* File names and keys come from anywhere: no control characters. */
	for (char *c = clean.text; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	fprintf(stderr, "dyad: %s\n", clean.text);
	return status;
}

int message_finish_output(void)
{
	struct error why;

	if (fflush(stdout) == 0 && !ferror(stdout))
		return EXIT_OK;
	error_set(&why, -errno, "can't write to standard output: %s", strerror(errno));
	return message_fail(EXIT_INTERNAL, &why);
}
