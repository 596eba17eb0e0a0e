/* SPDX-License-Identifier: MIT */
/*
 * engine.h - chooses what guests run on.
 *
 * Relies on type2/process for the engines.
 */
#ifndef DYAD_CLI_ENGINE_H
#define DYAD_CLI_ENGINE_H

#include "lib/error.h"
#include "os.h"

enum engine_choice {
	ENGINE_AUTO, /* the first of the others that can run unmodified guests here */
	ENGINE_DYAD, /* Dyad's driver, /dev/dyad */
	ENGINE_KVM,  /* Linux's /dev/kvm */
	ENGINE_SOFT, /* the core in this process, on a CPU in software */
};

extern const char *const engine_names[]; /* by enum engine_choice; ends with NULL */

/*
 * Opens the chosen engine's system object, and logs in one line which it is and why.  Where it
 * can't run unmodified guests, -ENOTSUP or the like with the reason.
 */
int engine_open(enum engine_choice choice, struct os_kvm **system, struct error *why);

/*
 * Opens one engine (not auto), without a word in the log.  Auto tries them in the order of enum
 * engine_choice.
 */
int engine_try(enum engine_choice choice, struct os_kvm **system, struct error *why);

/* The engine's node; NULL: it needs none. */
const char *engine_node(enum engine_choice choice);

#endif
