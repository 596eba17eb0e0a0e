/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * stdbool.h - bool, true and false as the kernel has them.
 */
#ifndef DYAD_TYPE2_DRIVER_STDBOOL_H
#define DYAD_TYPE2_DRIVER_STDBOOL_H

#include <linux/stddef.h>
#include <linux/types.h>

#endif
