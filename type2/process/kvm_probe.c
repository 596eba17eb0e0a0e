/* SPDX-License-Identifier: MIT */
/*
 * kvm_probe.c - whether a node that answers the KVM ABI can run unmodified guests.
 *
 * A node alone says little: a KVM for paravirtual guests answers every command, runs real-mode
 * toys, and interprets an unmodified kernel so slowly that it hangs in effect.  So the processor's
 * flags count, and what the kernel's module says it is.
 */
#include <cpuid.h>
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <unistd.h>

#include "lib/bits.h"
#include "type2/process/kvm.h"
#include "type2/process/process.h"

#define CPUID_1_ECX_VMX (1u << 5)        /* Intel SDM volume 2, CPUID, table 3-10 */
#define CPUID_80000001_ECX_SVM (1u << 2) /* AMD APM volume 3, appendix E.4.2 */

static const struct {
	uint32_t number;
	const char *name;
} kvm_needs[] = {
	{KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY"},
	{KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP"},
	{KVM_CAP_IRQFD, "KVM_CAP_IRQFD"},
	{KVM_CAP_IOEVENTFD, "KVM_CAP_IOEVENTFD"},
	{KVM_CAP_SIGNAL_MSI, "KVM_CAP_SIGNAL_MSI"},
	{KVM_CAP_IRQ_ROUTING, "KVM_CAP_IRQ_ROUTING"},
	{KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID"},
	{KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT"},
};

static void kvm_read_flags(struct kvm_facts *facts)
{
	unsigned eax, ebx, ecx, edx;

	if (__get_cpuid(1, &eax, &ebx, &ecx, &edx))
		facts->vmx = ecx & CPUID_1_ECX_VMX;
	if (__get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx))
		facts->svm = ecx & CPUID_80000001_ECX_SVM;
}

int kvm_judge(const struct kvm_facts *facts, const char *path, struct error *why)
{
	static const char advice[] = "use a machine with AMD SVM or Intel VMX, switched on in its "
				     "firmware (in a virtual "
				     "machine: ask for nested virtualization)";

	if (facts->paravirtual)
		return error_set(
			why, -ENOTSUP,
			"%s can't run unmodified guests: this kernel's KVM is the kvm_pvm module, "
			"which runs paravirtual guests only; %s",
			path, advice);
	if (!facts->svm && !facts->vmx)
		return error_set(
			why, -ENOTSUP,
			"%s can't run unmodified guests: the processor shows neither svm nor vmx "
			"in its flags; %s",
			path, advice);
	if (facts->api_version != KVM_API_VERSION)
		return error_set(why, -ENOTSUP,
				 "%s speaks version %d of the KVM interface and not %d", path,
				 facts->api_version, KVM_API_VERSION);
	if (facts->missing)
		return error_set(
			why, -ENOTSUP,
			"%s is too old to run guests with: it has no %s; update the host's kernel",
			path, facts->missing);
	return 0;
}

int process_kvm_probe(struct os_kvm *kvm, const char *path, struct error *why)
{
	struct kvm_facts facts = {0};

	kvm_read_flags(&facts);
	/* Beside svm or vmx that module is loaded but not what serves the node. */
	facts.paravirtual = !facts.svm && !facts.vmx && access("/sys/module/kvm_pvm", F_OK) == 0;
	facts.api_version = (int)os_kvm_command(kvm, KVM_GET_API_VERSION, 0);
	for (size_t i = 0; i < ARRAY_COUNT(kvm_needs) && !facts.missing; i++)
		if (os_kvm_command(kvm, KVM_CHECK_EXTENSION, kvm_needs[i].number) <= 0)
			facts.missing = kvm_needs[i].name;
	return kvm_judge(&facts, path, why);
}
