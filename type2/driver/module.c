// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * module.c - dyad.ko: Dyad's core in the Linux kernel.  Its parameters, its beginning and its end.
 */
#include <linux/cpu.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/smp.h>

#include <asm/msr.h>
#include <asm/processor.h>
#include <asm/tlbflush.h>

#include "hypervisor/hypervisor.h"
#include "type2/driver/driver.h"

static unsigned int mode = 0600;
module_param(mode, uint, 0444);
MODULE_PARM_DESC(mode, "permissions of /dev/dyad (0600)");

static int group = -1;
module_param(group, int, 0444);
MODULE_PARM_DESC(group, "number of the group that /dev/dyad belongs to (root's); with mode=0660");

static bool vnmi;
module_param(vnmi, bool, 0444);
MODULE_PARM_DESC(vnmi, "virtual NMIs, where the CPU has them (0)");

static bool avic;
module_param(avic, bool, 0444);
MODULE_PARM_DESC(avic, "AMD's virtual interrupt controller, where the CPU has it for x2APIC (0)");

const struct backend *const host_backends[] = {&svm_backend, &vmx_backend, NULL};

static void __init look_for_owner(void *owned)
{
	u64 efer;

	if (boot_cpu_has(X86_FEATURE_SVM) && !rdmsrl_safe(MSR_EFER, &efer) && (efer & EFER_SVME))
		WRITE_ONCE(*(bool *)owned, true);
	if (cr4_read_shadow() & X86_CR4_VMXE)
		WRITE_ONCE(*(bool *)owned, true);
}

/* Linux's KVM switches the hardware on while it has VMs. */
static bool __init another_owns_hardware(void)
{
	bool owned = false;

	on_each_cpu(look_for_owner, &owned, 1);
	return owned;
}

static int __init dyad_begin(void)
{
	const struct backend *backend;
	int err;

	if (mode & ~0777) {
		pr_err("mode=%o is none: it takes permissions, such as 0660\n", mode);
		return -EINVAL;
	}
	if (another_owns_hardware()) {
		pr_err("another hypervisor, such as Linux's KVM, owns the CPU's virtualization: "
		       "stop its virtual machines and unload it (modprobe -r kvm_amd, or "
		       "kvm_intel)\n");
		return -EBUSY;
	}
	preempt_notifier_inc();
	host_cpus_begin();
	backend = hypervisor_probe((vnmi ? BACKEND_VIRTUAL_NMI : 0) |
				   (avic ? BACKEND_VIRTUAL_APIC : 0));
	if (!backend) {
		pr_err("no backend for this CPU: it needs AMD SVM with nested paging, or Intel VMX "
		       "with "
		       "EPT and unrestricted guest, not switched off by the firmware\n");
		err = -EOPNOTSUPP;
		goto out;
	}
	err = node_begin(backend, mode, group);
	if (err) {
		pr_err("cannot make /dev/dyad: error %d\n", err);
		goto out;
	}
	pr_info("version " DYAD_VERSION ", backend %s\n", backend->name);
	return 0;
out:
	host_cpus_disable();
	host_cpus_end();
	preempt_notifier_dec();
	return err;
}

static void __exit dyad_end(void)
{
	node_end();
	host_cpus_disable();
	host_cpus_end();
	preempt_notifier_dec();
}

module_init(dyad_begin);
module_exit(dyad_end);

MODULE_DESCRIPTION("Dyad, a virtual machine monitor: its core");
MODULE_AUTHOR("The Dyad project");
MODULE_VERSION(DYAD_VERSION);
MODULE_LICENSE("Dual MIT/GPL");
