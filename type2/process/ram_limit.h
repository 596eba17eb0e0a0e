/* SPDX-License-Identifier: MIT */
/*
 * ram_limit.h - how much memory this process may hope for.
 */
#ifndef DYAD_TYPE2_PROCESS_RAM_LIMIT_H
#define DYAD_TYPE2_PROCESS_RAM_LIMIT_H

#include <stdint.h>

struct ram_limit {
	uint64_t host;      /* bytes of RAM and swap that the host has; UINT64_MAX: not known */
	uint64_t available; /* of these, what could be had now without pushing others out */
	uint64_t cgroup; /* the tightest memory limit on the process's cgroups; UINT64_MAX: none */
};

/* root stands before every path: "" for the host that we run on, a directory in tests. */
void ram_limit_read(const char *root, struct ram_limit *limit);

#endif
