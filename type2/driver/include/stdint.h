/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * stdint.h - the kernel has these types under its own header's name; contracts name the standard
 * one.
 */
#ifndef DYAD_TYPE2_DRIVER_STDINT_H
#define DYAD_TYPE2_DRIVER_STDINT_H

#include <linux/types.h>

#define UINT64_C(number) number##ULL

#endif
