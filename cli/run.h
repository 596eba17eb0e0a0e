/* SPDX-License-Identifier: MIT */
/*
 * run.h - what of 'dyad run' tests look at by itself.
 */
#ifndef DYAD_CLI_RUN_H
#define DYAD_CLI_RUN_H

#include "cli/control.h"
#include "cli/definition.h"
#include "monitor/vm.h"

/* The exit status of dyad for what became of the guest and what the person did. */
int run_exit_status(const struct vm_outcome *outcome, const struct control *control);

/* Runs a finished definition on the process's terminal; an exit status, with everything said. */
int run_vm(const struct definition *definition);

#endif
