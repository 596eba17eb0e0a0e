/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * stddef.h - size_t, NULL and offsetof as the kernel has them.
 */
#ifndef DYAD_TYPE2_DRIVER_STDDEF_H
#define DYAD_TYPE2_DRIVER_STDDEF_H

#include <linux/stddef.h>
#include <linux/types.h>

#endif
