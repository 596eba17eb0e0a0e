/* SPDX-License-Identifier: MIT */
/*
 * msr.h - model-specific registers that Dyad sets or reads (Intel SDM volume 4; AMD APM volume 2,
 * appendix A).
 */
#ifndef DYAD_HW_MSR_H
#define DYAD_HW_MSR_H

#define MSR_MISC_ENABLE 0x1a0u
#define MISC_ENABLE_FAST_STRINGS (1u << 0)

#define MSR_MTRR_DEF_TYPE 0x2ffu
#define MTRR_TYPE_WRITE_BACK 6u
#define MTRR_DEF_TYPE_ENABLE (1u << 11)

#endif
