/* SPDX-License-Identifier: MIT */
/*
 * net_log.c - what libslirp says of itself, by GLib's log: it goes to ours, and is bounded, since a
 * guest or its peers may cause it.
 */
#include <glib.h>
#include <stdatomic.h>

#include "lib/format.h"
#include "type2/process/net.h"

#define LIBRARY_LINES_MAX 16 /* of all networks together */

static void library_said(const char *domain, GLogLevelFlags level, const char *message,
			 void *opaque)
{
	static atomic_uint lines;
	unsigned before = atomic_load(&lines);
	char text[256];

	(void)domain;
	(void)level;
	(void)opaque;
	do {
		if (before >= LIBRARY_LINES_MAX)
			return;
	} while (!atomic_compare_exchange_weak(&lines, &before, before + 1));
	format_text(text, sizeof(text), "user network: %s%s", message,
		    before + 1 == LIBRARY_LINES_MAX ? " (no more of these will be shown)" : "");
	os_log(OS_LOG_WARNING, text);
}

void net_bound_library_log(void)
{
	g_log_set_default_handler(library_said, NULL);
}
