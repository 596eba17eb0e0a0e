/* SPDX-License-Identifier: MIT */
/*
 * engine.c - opens /dev/kvm, if guests can run on it.
 */
#include "cli/engine.h"

#include "lib/format.h"
#include "type2/process/process.h"

#define KVM_NODE "/dev/kvm"

const char *const engine_names[] = {"auto", "kvm", NULL};

int engine_open(enum engine_choice choice, struct os_kvm **system, struct error *why)
{
	struct os_kvm *kvm;
	char line[128];
	int error;

	error = process_kvm_open(KVM_NODE, &kvm, why);
	if (error < 0)
		return error;
	error = process_kvm_probe(kvm, KVM_NODE, why);
	if (error < 0) {
		os_kvm_close(kvm);
		return error;
	}
	format_text(line, sizeof(line), "engine kvm: %s",
		    choice == ENGINE_KVM ? "asked for, and " KVM_NODE " runs unmodified guests"
					 : KVM_NODE " runs unmodified guests");
	os_log(OS_LOG_INFO, line);
	*system = kvm;
	return 0;
}
