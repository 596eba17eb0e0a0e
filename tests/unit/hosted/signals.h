/* SPDX-License-Identifier: MIT */
/*
 * signals.h - signals as a program has them that was started on a terminal.  A shell's background
 * jobs and nohup leave some ignored, which is inherited and which dyad honours; tests that raise
 * them begin with this.
 */
#ifndef DYAD_TESTS_SIGNALS_H
#define DYAD_TESTS_SIGNALS_H

#include <signal.h>
#include <stddef.h>

static inline void signals_to_default(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], SIG_DFL);
}

#endif
