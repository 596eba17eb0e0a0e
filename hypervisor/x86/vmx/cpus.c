/* SPDX-License-Identifier: MIT */
/*
 * cpus.c - VMX on each physical CPU: turned on while there is a VM.
 */
#include "hw/msr.h"
#include "hypervisor/x86/privileged.h"
#include "hypervisor/x86/vmx/vmx.h"

/* Guards users, and the array while it is made. */
static struct host_mutex mutex;
static unsigned users;
static unsigned cpu_count;
struct vmx_cpu *vmx_cpus; /* of cpu_count; [const] while there are users */

void vmx_cpus_init(void)
{
	host_mutex_init(&mutex);
}

/* Firmware that leaves it unlocked leaves the choice to who comes first. */
static void allow(void)
{
	uint64_t control = read_msr(MSR_FEATURE_CONTROL);

	if (!(control & FEATURE_CONTROL_LOCKED))
		write_msr(MSR_FEATURE_CONTROL,
			  control | FEATURE_CONTROL_VMX | FEATURE_CONTROL_LOCKED);
}

static void note_host(struct vmx_cpu *cpu)
{
	cpu->host_tsc_aux = vmx_features.rdtscp ? read_msr(MSR_TSC_AUX) : 0;
	cpu->host_xss = vmx_features.vector.supervisor_state ? read_msr(MSR_XSS) : 0;
	cpu->host_star = read_msr(MSR_STAR);
	cpu->host_lstar = read_msr(MSR_LSTAR);
	cpu->host_cstar = read_msr(MSR_CSTAR);
	cpu->host_sfmask = read_msr(MSR_SFMASK);
}

/* On the CPU itself. */
static int enable(unsigned number)
{
	struct vmx_cpu *cpu = &vmx_cpus[number];

	if (read_cr4() & CR4_VMXE) {
		host_log(HOST_LOG_ERROR, "vmx: another hypervisor uses Intel VMX on this machine: "
					 "end its guests, or "
					 "unload it (modprobe -r kvm_intel)");
		return -EBUSY;
	}
	if (vmx_features.cr0_fixed0 & ~read_cr0()) {
		host_log(HOST_LOG_ERROR, "vmx: the host's CR0 lacks a bit that VMX needs");
		return -EOPNOTSUPP;
	}
	allow();
	host_cr4_change(CR4_VMXE, 0);
	if (!vmxon(cpu->region_physical)) {
		host_cr4_change(0, CR4_VMXE);
		host_log(HOST_LOG_ERROR, "vmx: VMXON has failed");
		return -EIO;
	}
	note_host(cpu);
	/*
	 * The TLB may hold entries of guests from before: a vCPU flushes those of its EPT when it
	 * finds another epoch.
	 */
	cpu->epoch++;
	cpu->next_vpid = 1;
	cpu->vpid_generation++;
	cpu->last_vm = 0;
	cpu->trained = false;
	cpu->enabled = true;
	return 0;
}

static void disable(unsigned number)
{
	struct vmx_cpu *cpu = &vmx_cpus[number];

	if (!cpu->enabled)
		return;
	cpu->enabled = false;
	vmxoff();
	host_cr4_change(0, CR4_VMXE);
}

static void free_cpus(void)
{
	for (unsigned i = 0; vmx_cpus && i < cpu_count; i++)
		if (vmx_cpus[i].region)
			host_pages_free(vmx_cpus[i].region, 0);
	host_free(vmx_cpus);
	vmx_cpus = NULL;
}

static int make_cpus(void)
{
	cpu_count = host_cpu_limit();
	vmx_cpus = host_alloc(cpu_count * sizeof(*vmx_cpus));
	if (!vmx_cpus)
		return -ENOMEM;
	for (unsigned i = 0; i < cpu_count; i++) {
		struct vmx_cpu *cpu = &vmx_cpus[i];

		cpu->vpid_generation = 1;
		cpu->region = host_pages_alloc(0, &cpu->region_physical);
		if (!cpu->region)
			return -ENOMEM;
		*(uint32_t *)cpu->region = vmx_features.revision;
	}
	return 0;
}

static int start(void)
{
	int err = make_cpus();

	if (!err)
		err = vmx_maps_create();
	if (!err)
		err = host_cpus_enable(enable, disable);
	if (err < 0) {
		vmx_maps_destroy();
		free_cpus();
	}
	return err;
}

int vmx_cpus_get(void)
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

void vmx_cpus_put(void)
{
	host_mutex_lock(&mutex);
	if (!--users) {
		host_cpus_disable();
		vmx_maps_destroy();
		free_cpus();
	}
	host_mutex_unlock(&mutex);
}
