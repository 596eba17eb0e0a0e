/* SPDX-License-Identifier: MIT */
/*
 * probe.c - which of the backends that the host links this machine can run.
 */
#include "hypervisor/hypervisor.h"

const struct backend *hypervisor_probe(uint32_t wanted)
{
	for (const struct backend *const *each = host_backends; *each; each++)
		if ((*each)->probe(wanted) == 0)
			return *each;
	return NULL;
}
