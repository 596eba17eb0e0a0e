/* SPDX-License-Identifier: MIT */
/*
 * engine.c - opens /dev/kvm if unmodified guests can run on it, else the core in this process.
 */
#include "cli/engine.h"

#include <string.h>

#include "monitor/log.h"
#include "type2/process/process.h"

#define KVM_NODE "/dev/kvm"

const char *const engine_names[] = {"auto", "kvm", "soft", NULL};

static int engine_open_kvm(struct os_kvm **system, struct error *why)
{
	struct os_kvm *kvm;
	int error;

	error = process_kvm_open(KVM_NODE, &kvm, why);
	if (error < 0)
		return error;
	error = process_kvm_probe(kvm, KVM_NODE, why);
	if (error < 0) {
		os_kvm_close(kvm);
		return error;
	}
	*system = kvm;
	return 0;
}

/* The sentence up to its advice, which is for those who wanted KVM. */
static void engine_keep_reason(struct error *why)
{
	char *advice = strchr(why->text, ';');

	if (advice != NULL)
		*advice = '\0';
}

int engine_open(enum engine_choice choice, struct os_kvm **system, struct error *why)
{
	const char *asked = choice == ENGINE_AUTO ? "" : "asked for, and ";
	struct error kvm_why;
	int error;

	if (choice != ENGINE_SOFT) {
		error = engine_open_kvm(system, &kvm_why);
		if (error == 0) {
			log_print(OS_LOG_INFO, "engine kvm: %s%s runs unmodified guests", asked,
				  KVM_NODE);
			return 0;
		}
		if (choice == ENGINE_KVM) {
			*why = kvm_why;
			return error;
		}
	}
	error = process_soft_open(system, why);
	if (error < 0)
		return error;
	if (choice == ENGINE_AUTO) {
		engine_keep_reason(&kvm_why);
		log_print(OS_LOG_INFO, "engine soft: a CPU in software, because %s", kvm_why.text);
	} else {
		log_print(OS_LOG_INFO, "engine soft: a CPU in software, as asked for");
	}
	return 0;
}
