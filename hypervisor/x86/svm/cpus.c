/* SPDX-License-Identifier: MIT */
/*
 * cpus.c - SVM on each physical CPU: turned on while there is a VM.
 */
#include "hw/cpuid.h"
#include "hw/msr.h"
#include "hypervisor/x86/privileged.h"
#include "hypervisor/x86/svm/svm.h"

/* Guards users, and the array while it is made. */
static struct host_mutex mutex;
static unsigned users;
static unsigned cpu_count;
struct svm_cpu *svm_cpus; /* of cpu_count; [const] while there are users */

void svm_cpus_init(void)
{
	host_mutex_init(&mutex);
}

void svm_cpu_set_tsc_ratio(struct svm_cpu *cpu, uint64_t ratio)
{
	write_msr(MSR_TSC_RATIO, ratio ? ratio : UINT64_C(1) << 32);
	cpu->tsc_ratio = ratio;
}

/* On the CPU itself: leaf 0xb has it in EDX (APM3 appendix E.3.7). */
static uint32_t find_apic_id(void)
{
	uint32_t r[4];

	host_cpuid(CPUID_LEAF_TOPOLOGY, 0, r);
	return r[3];
}

/* On the CPU itself. */
static int enable(unsigned number)
{
	struct svm_cpu *cpu = &svm_cpus[number];
	uint64_t efer = read_msr(MSR_EFER);

	if (efer & EFER_SVME) {
		host_log(HOST_LOG_ERROR,
			 "svm: another hypervisor uses AMD SVM on this machine: end its guests, or "
			 "unload it (modprobe -r kvm_amd)");
		return -EBUSY;
	}
	write_msr(MSR_EFER, efer | EFER_SVME);
	write_msr(MSR_VM_HSAVE_PA, cpu->save_physical);
	cpu->host_tsc_aux = svm_features.rdtscp ? read_msr(MSR_TSC_AUX) : 0;
	cpu->host_xss = svm_features.vector.supervisor_state ? read_msr(MSR_XSS) : 0;
	if (svm_features.tsc_ratio)
		svm_cpu_set_tsc_ratio(cpu, 0);
	if (svm_features.avic)
		cpu->apic_id = find_apic_id();
	/*
	 * The TLB may hold entries of guests from before: the first one here flushes all.  No vCPU
	 * has an ASID of this generation, nor may the CPU have kept anything of a VMCB.
	 */
	cpu->next_asid = svm_features.asids;
	cpu->asid_generation++;
	cpu->last_vm = 0;
	cpu->trained = false;
	cpu->enabled = true;
	return 0;
}

static void disable(unsigned number)
{
	struct svm_cpu *cpu = &svm_cpus[number];

	if (!cpu->enabled)
		return;
	cpu->enabled = false;
	if (svm_features.tsc_ratio)
		svm_cpu_set_tsc_ratio(cpu, 0);
	write_msr(MSR_VM_HSAVE_PA, 0);
	write_msr(MSR_EFER, read_msr(MSR_EFER) & ~EFER_SVME);
}

static void free_cpus(void)
{
	for (unsigned i = 0; svm_cpus && i < cpu_count; i++) {
		if (svm_cpus[i].save)
			host_pages_free(svm_cpus[i].save, 0);
		if (svm_cpus[i].host)
			host_pages_free(svm_cpus[i].host, 0);
	}
	host_free(svm_cpus);
	svm_cpus = NULL;
}

static int make_cpus(void)
{
	cpu_count = host_cpu_limit();
	svm_cpus = host_alloc(cpu_count * sizeof(*svm_cpus));
	if (!svm_cpus)
		return -ENOMEM;
	for (unsigned i = 0; i < cpu_count; i++) {
		svm_cpus[i].asid_generation = 1;
		svm_cpus[i].save = host_pages_alloc(0, &svm_cpus[i].save_physical);
		svm_cpus[i].host = host_pages_alloc(0, &svm_cpus[i].host_physical);
		if (!svm_cpus[i].save || !svm_cpus[i].host)
			return -ENOMEM;
	}
	return 0;
}

static int start(void)
{
	int err = make_cpus();

	if (!err)
		err = svm_maps_create();
	if (!err)
		err = host_cpus_enable(enable, disable);
	if (err < 0) {
		svm_maps_destroy();
		free_cpus();
	}
	return err;
}

int svm_cpus_get(void)
{
	int err = 0;

	host_mutex_lock(&mutex);
	if (!users)
		err = start();
	if (!err)
		users++;
	host_mutex_unlock(&mutex);
	return err;
}

void svm_cpus_put(void)
{
	host_mutex_lock(&mutex);
	if (!--users) {
		host_cpus_disable();
		svm_maps_destroy();
		free_cpus();
	}
	host_mutex_unlock(&mutex);
}
