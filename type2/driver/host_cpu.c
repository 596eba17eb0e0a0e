// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * host_cpu.c - CPUs: preemption, interrupts, kicks, vector registers; CPUs that come and go, the
 * machine's sleep and its end; and the log.
 */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/cpumask.h>
#include <linux/interrupt.h>
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/preempt.h>
#include <linux/printk.h>
#include <linux/reboot.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/syscore_ops.h>
#include <linux/workqueue.h>

#include <asm/fpu/api.h>
#include <asm/processor.h>

#include "type2/driver/driver.h"

unsigned host_cpu(void)
{
	return smp_processor_id();
}

unsigned host_cpu_limit(void)
{
	return nr_cpu_ids;
}

void host_preempt_off(void)
{
	preempt_disable();
}

void host_preempt_on(void)
{
	preempt_enable();
}

/* A kernel that preempts at chosen points only would never do so in the loop around a guest. */
void host_reschedule(void)
{
	driver_expect_task();
	cond_resched();
}

void host_irq_off(void)
{
	local_irq_disable();
}

void host_irq_on(void)
{
	local_irq_enable();
}

void host_kick_cpu(unsigned cpu)
{
	driver_send_reschedule(cpu);
}

/*
 * Soft interrupts don't run between host_fpu_begin() and host_fpu_end(), and nobody is woken for
 * them: a guest that exits for interrupts alone would hold up its CPU's timers, network and RCU.
 */
bool host_irq_pending_or_resched(void)
{
	return local_softirq_pending() || driver_thread_has_work(_TIF_NEED_RESCHED);
}

/* Saves the thread's registers, and sets none: what the core loads are all. */
void host_fpu_begin(void)
{
	kernel_fpu_begin_mask(0);
}

void host_fpu_end(void)
{
	kernel_fpu_end();
}

/* --- CPUs that come and go -------------------------------------------------------------------- */

/* Guards that virtualization is turned on or off on all CPUs, and that the machine reboots. */
static DEFINE_MUTEX(cpus_mutex);

/* Written while no callback can run: before the state is set up, and after it is removed. */
static struct {
	int (*enable)(unsigned cpu);
	void (*disable)(unsigned cpu);
	int state;      /* of the kernel's hotplug machine; 0: none */
	bool rebooting; /* from now on it stays off */
} cpus;

static int cpus_online(unsigned cpu)
{
	int err = 0;

	preempt_disable();
	if (!READ_ONCE(cpus.rebooting))
		err = cpus.enable(cpu);
	preempt_enable();
	return err;
}

static int cpus_offline(unsigned cpu)
{
	preempt_disable();
	cpus.disable(cpu);
	preempt_enable();
	return 0;
}

int host_cpus_enable(int (*enable)(unsigned cpu), void (*disable)(unsigned cpu))
{
	int state = -EBUSY;

	driver_expect_task();
	mutex_lock(&cpus_mutex);
	if (cpus.state || cpus.rebooting)
		goto out;
	cpus.enable = enable;
	cpus.disable = disable;
	/* These states come before a CPU gets threads, and when it goes after it has lost them. */
	state = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "virt/dyad:online", cpus_online,
				  cpus_offline);
	if (state >= 0)
		cpus.state = state;
out:
	mutex_unlock(&cpus_mutex);
	return min(state, 0);
}

void host_cpus_disable(void)
{
	driver_expect_task();
	mutex_lock(&cpus_mutex);
	if (cpus.state)
		cpuhp_remove_state(cpus.state);
	cpus.state = 0;
	mutex_unlock(&cpus_mutex);
}

/* --- The machine's end, and its sleep --------------------------------------------------------- */

/* As a thread of its CPU: no other one is around a guest then, where interrupts are let in. */
static long cpus_end_here(void *unused)
{
	preempt_disable();
	cpus.disable(smp_processor_id());
	preempt_enable();
	return 0;
}

/*
 * The firmware, or the kernel that kexec starts, must find virtualization off.  Processes still
 * run: a vCPU of theirs ends with an error.
 */
static int cpus_reboot(struct notifier_block *notifier, unsigned long action, void *data)
{
	unsigned cpu;

	mutex_lock(&cpus_mutex);
	WRITE_ONCE(cpus.rebooting, true);
	cpus_read_lock();
	if (cpus.state)
		for_each_online_cpu(cpu) work_on_cpu(cpu, cpus_end_here, NULL);
	cpus_read_unlock();
	mutex_unlock(&cpus_mutex);
	return NOTIFY_OK;
}

static struct notifier_block cpus_reboot_notifier = {
	.notifier_call = cpus_reboot,
};

/* The last CPU, with interrupts off; all others have gone one by one. */
static int cpus_suspend(void)
{
	if (cpus.state)
		cpus.disable(smp_processor_id());
	return 0;
}

static void cpus_resume(void)
{
	if (cpus.state && !cpus.rebooting && cpus.enable(smp_processor_id()) < 0)
		host_log(HOST_LOG_ERROR, "the CPU's virtualization is not what it was before the "
					 "machine slept: guests can't go on");
}

#ifdef DYAD_SYSCORE_HAS_DATA /* Kbuild looks */
static int cpus_suspend_data(void *data)
{
	return cpus_suspend();
}

static void cpus_resume_data(void *data)
{
	cpus_resume();
}

static const struct syscore_ops cpus_syscore_ops = {
	.suspend = cpus_suspend_data,
	.resume = cpus_resume_data,
};

static struct syscore cpus_syscore = {
	.ops = &cpus_syscore_ops,
};

static void cpus_watch_sleep(void)
{
	register_syscore(&cpus_syscore);
}

static void cpus_ignore_sleep(void)
{
	unregister_syscore(&cpus_syscore);
}
#else
static struct syscore_ops cpus_syscore_ops = {
	.suspend = cpus_suspend,
	.resume = cpus_resume,
};

static void cpus_watch_sleep(void)
{
	register_syscore_ops(&cpus_syscore_ops);
}

static void cpus_ignore_sleep(void)
{
	unregister_syscore_ops(&cpus_syscore_ops);
}
#endif

void host_cpus_begin(void)
{
	cpus_watch_sleep();
	register_reboot_notifier(&cpus_reboot_notifier);
}

void host_cpus_end(void)
{
	unregister_reboot_notifier(&cpus_reboot_notifier);
	cpus_ignore_sleep();
}

/* --- CPUID, log ------------------------------------------------------------------------------- */

void host_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t registers[4])
{
	cpuid_count(leaf, subleaf, &registers[0], &registers[1], &registers[2], &registers[3]);
}

/* A caller may make VMs without end, each with some lines to log. */
void host_log(enum host_log_level level, const char *text)
{
	switch (level) {
	case HOST_LOG_ERROR:
		pr_err_ratelimited("%s\n", text);
		break;
	case HOST_LOG_WARNING:
		pr_warn_ratelimited("%s\n", text);
		break;
	case HOST_LOG_INFO:
		pr_info_ratelimited("%s\n", text);
		break;
	case HOST_LOG_DEBUG:
		pr_debug_ratelimited("%s\n", text);
		break;
	}
}
