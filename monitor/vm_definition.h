/* SPDX-License-Identifier: MIT */
/*
 * vm_definition.h - a struct vm_config from a compiled definition (abi/definition.h).
 */
#ifndef DYAD_MONITOR_VM_DEFINITION_H
#define DYAD_MONITOR_VM_DEFINITION_H

#include <stddef.h>

#include "lib/error.h"
#include "monitor/vm_config.h"

/*
 * Nothing is assumed of the bytes, at any alignment; what is accepted obeys all limits of
 * vm_config.h.  The strings of config lie in bytes, which must stay as they are while it is used.
 * -EINVAL; config is then not to be used.
 */
int vm_definition_read(const void *bytes, size_t size, struct vm_config *config, struct error *why);

#endif
