/* SPDX-License-Identifier: MIT */
/*
 * message.h - what the command says to the person, and the exit statuses that say the rest.
 */
#ifndef DYAD_CLI_MESSAGE_H
#define DYAD_CLI_MESSAGE_H

#include "lib/error.h"

enum exit_status {
	EXIT_OK = 0,        /* done; the guest powered off */
	EXIT_INTERNAL = 1,  /* the host, the hypervisor or dyad itself failed */
	EXIT_BAD_INPUT = 2, /* what was given can't be run */
	EXIT_CRASHED = 3,   /* the guest crashed */
	EXIT_SIGNAL = 128,  /* and the signal's number: a person ended the guest */
};

/*
 * Writes "dyad: " and the sentence to standard error, whatever of it could play tricks on a
 * terminal replaced; returns status, so that it can end a function.
 */
int message_fail(enum exit_status status, const struct error *why);
/* Flushes standard output; EXIT_OK, or EXIT_INTERNAL with the sentence if it could not be written.
 */
int message_finish_output(void);

#endif
