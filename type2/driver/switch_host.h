/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * switch_host.h - how this kernel returns from functions.  Kbuild includes it before the world
 * switch: on CPUs whose returns a guest could have trained, the kernel has a return of its own and
 * something to do before the first one, and it patches both when the module is loaded.
 */
#ifndef DYAD_TYPE2_DRIVER_SWITCH_HOST_H
#define DYAD_TYPE2_DRIVER_SWITCH_HOST_H

#include <linux/linkage.h>

#include <asm/nospec-branch.h>

#ifdef UNTRAIN_RET_VM
#define SWITCH_BEFORE_RETURN UNTRAIN_RET_VM
#else
#define SWITCH_BEFORE_RETURN UNTRAIN_RET
#endif
#define SWITCH_RETURN RET

#endif
