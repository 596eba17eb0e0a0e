/* SPDX-License-Identifier: MIT */
/*
 * error.h - an error with a sentence for the person: what was tried, on what, why it failed and
 * what to do about it.  Whoever finds the fault writes the sentence; whoever owns the terminal
 * prints it.
 */
#ifndef DYAD_LIB_ERROR_H
#define DYAD_LIB_ERROR_H

#define ERROR_TEXT_MAX 512

struct error {
	char text[ERROR_TEXT_MAX]; /* one sentence without a full stop or newline at its end */
};

/* Formats (lib/format.h) the sentence and returns code, a negative errno, so that it can end a
 * function. */
__attribute__((format(printf, 3, 4))) int error_set(struct error *error, int code,
						    const char *format, ...);

#endif
