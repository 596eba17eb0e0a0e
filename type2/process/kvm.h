/* SPDX-License-Identifier: MIT */
/*
 * kvm.h - what is behind a struct os_kvm: a Linux node (kvm.c), or an engine in this process.
 */
#ifndef DYAD_TYPE2_PROCESS_KVM_H
#define DYAD_TYPE2_PROCESS_KVM_H

#include <stdbool.h>

#include "os.h"

struct process_kvm_ops {
	/* os_kvm_command(), on the path of every exit. */
	int64_t (*command)(struct os_kvm *object, uint32_t command, uint64_t arg);
	/* os_kvm_adopt(): number is ended too if this fails. */
	int (*adopt)(struct os_kvm *parent, int64_t number, struct os_kvm **object);
	void (*close)(struct os_kvm *object);
	int (*map_run)(struct os_kvm *vcpu, size_t size, void **run);
};

/* The beginning of every engine's objects. */
struct os_kvm {
	const struct process_kvm_ops *ops;
};

/* What decides whether unmodified guests can run. */
struct kvm_facts {
	bool svm, vmx;       /* CPUID's flags */
	bool paravirtual;    /* the kernel's KVM is one that runs paravirtual guests only */
	int api_version;     /* KVM_GET_API_VERSION */
	const char *missing; /* a capability that the monitor needs and the node has not, or NULL */
};

/* 0 or -ENOTSUP and the sentence. */
int kvm_judge(const struct kvm_facts *facts, const char *path, struct error *why);

#endif
