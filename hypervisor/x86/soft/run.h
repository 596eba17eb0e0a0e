/* SPDX-License-Identifier: MIT */
/*
 * run.h - the run loop of a vCPU: backend->run().
 */
#ifndef DYAD_SOFT_RUN_H
#define DYAD_SOFT_RUN_H

#include "hypervisor/x86/soft/soft.h"

void soft_run(struct vcpu *vcpu, struct exit *exit);

#endif
