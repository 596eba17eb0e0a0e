/* SPDX-License-Identifier: MIT */
/*
 * engine.c - opens the first that unmodified guests can run on: Dyad's driver, Linux's KVM, the
 * core in this process.
 *
 * The driver comes before KVM: only one of them can have virtual machines at a time, and nobody
 * loads the driver but to use it.
 */
#include "cli/engine.h"

#include <errno.h>
#include <string.h>

#include "monitor/log.h"
#include "type2/process/process.h"

const char *const engine_names[] = {"auto", "dyad", "kvm", "soft", NULL};

const char *engine_node(enum engine_choice choice)
{
	switch (choice) {
	case ENGINE_DYAD:
		return PROCESS_DYAD_NODE;
	case ENGINE_KVM:
		return PROCESS_KVM_NODE;
	default:
		return NULL;
	}
}

int engine_try(enum engine_choice choice, struct os_kvm **system, struct error *why)
{
	const char *node = engine_node(choice);
	struct os_kvm *kvm;
	int error;

	if (node == NULL)
		return process_soft_open(system, why);
	error = process_kvm_open(node, &kvm, why);
	if (error < 0)
		return error;
	error = process_kvm_probe(kvm, node, why);
	if (error < 0) {
		os_kvm_close(kvm);
		return error;
	}
	*system = kvm;
	return 0;
}

/* The sentence up to its advice, which is for those who wanted that engine. */
static void engine_keep_reason(struct error *why)
{
	char *advice = strchr(why->text, ';');

	if (advice != NULL)
		*advice = '\0';
}

static void engine_log_choice(enum engine_choice choice, const char *asked)
{
	const char *node = engine_node(choice);

	if (node != NULL)
		log_print(OS_LOG_INFO, "engine %s: %s%s runs unmodified guests",
			  engine_names[choice], asked, node);
	else
		log_print(OS_LOG_INFO, "engine %s: a CPU in software, as asked for",
			  engine_names[choice]);
}

/* The driver is missing on most machines: that is no reason to tell, but why it can't be used is.
 */
static void engine_log_soft(const struct error *dyad_why, int dyad_error,
			    const struct error *kvm_why)
{
	if (dyad_error == -ENOENT)
		log_print(OS_LOG_INFO, "engine soft: a CPU in software, because %s", kvm_why->text);
	else
		log_print(OS_LOG_INFO, "engine soft: a CPU in software, because %s; and %s",
			  dyad_why->text, kvm_why->text);
}

static int engine_open_best(struct os_kvm **system, struct error *why)
{
	struct error whys[ENGINE_SOFT];
	int errors[ENGINE_SOFT];
	int error;

	for (enum engine_choice choice = ENGINE_DYAD; choice < ENGINE_SOFT; choice++) {
		errors[choice] = engine_try(choice, system, &whys[choice]);
		if (errors[choice] == 0) {
			engine_log_choice(choice, "");
			return 0;
		}
		engine_keep_reason(&whys[choice]);
	}
	error = engine_try(ENGINE_SOFT, system, why);
	if (error == 0)
		engine_log_soft(&whys[ENGINE_DYAD], errors[ENGINE_DYAD], &whys[ENGINE_KVM]);
	return error;
}

int engine_open(enum engine_choice choice, struct os_kvm **system, struct error *why)
{
	int error;

	if (choice == ENGINE_AUTO)
		return engine_open_best(system, why);
	error = engine_try(choice, system, why);
	if (error == 0)
		engine_log_choice(choice, "asked for, and ");
	return error;
}
