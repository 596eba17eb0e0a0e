/* SPDX-License-Identifier: MIT */
/*
 * switch_host.h - what the world switch does before its first return (type1.mk includes it there):
 * on CPUs whose returns a guest could have trained, predictions are dropped by MSR PRED_CMD's IBPB.
 * The LFENCE keeps a wrong guess of the branch from reaching the return.
 */
#ifndef DYAD_TYPE1_HOST_SWITCH_HOST_H
#define DYAD_TYPE1_HOST_SWITCH_HOST_H

#define HOST_MSR_PRED_CMD $0x49
#define HOST_PRED_CMD_IBPB $1

/* clang-format off */
#define SWITCH_RETURN ret; int3
#define SWITCH_BEFORE_RETURN                                                                          \
	cmpb $0, host_untrain_returns(%rip);                                                       \
	je 9f;                                                                                     \
	mov HOST_MSR_PRED_CMD, %ecx;                                                               \
	mov HOST_PRED_CMD_IBPB, %eax;                                                              \
	xor %edx, %edx;                                                                            \
	wrmsr;                                                                                     \
9:	lfence
/* clang-format on */

#endif
