/* SPDX-License-Identifier: MIT */
/*
 * main.c - a monitor as a process of the runtime: the VM that the process's own module defines,
 * from its beginning to its end.
 *
 * The status, and the sentence in the log that goes with it, are those of `dyad run`.
 */
#include <linux/errno.h>

#include "monitor/log.h"
#include "monitor/vm.h"
#include "monitor/vm_definition.h"
#include "type1/process/process.h"

enum monitor_status {
	MONITOR_POWERED_OFF = 0,
	MONITOR_FAILED = 1,    /* the runtime, the hypervisor or the monitor itself */
	MONITOR_BAD_INPUT = 2, /* what the image has can't be run */
	MONITOR_CRASHED = 3,   /* the guest */
};

/* As isa-debug-exit of other monitors: always odd, so that it is never taken for success. */
static int debug_exit_status(uint32_t value)
{
	return (int)(((value << 1) | 1) & 0xff);
}

static int fail(enum monitor_status status, const struct error *why)
{
	log_print(OS_LOG_ERROR, "%s", why->text);
	return status;
}

static int report(const struct vm_config *config, const struct vm_outcome *outcome)
{
	int status;

	switch (outcome->end) {
	case VM_END_POWER_OFF:
		log_print(OS_LOG_INFO, "%s powered off", config->name);
		return MONITOR_POWERED_OFF;
	case VM_END_STOPPED:
		log_print(OS_LOG_INFO, "%s was stopped", config->name);
		return MONITOR_FAILED;
	case VM_END_DEBUG_EXIT:
		status = debug_exit_status(outcome->debug_status);
		log_print(OS_LOG_INFO, "%s ended by its debug exit with 0x%x: exit status %d",
			  config->name, outcome->debug_status, status);
		return status;
	case VM_END_CRASHED:
		return fail(MONITOR_CRASHED, &outcome->text);
	case VM_END_ERROR:
		break;
	}
	return fail(MONITOR_FAILED, &outcome->text);
}

static int read_config(const struct type1_info *info, struct vm_config *config, struct error *why)
{
	const void *bytes;
	uint64_t size;
	int error;

	if (!info->handles.module)
		return error_set(why, -ENOENT,
				 "there is no VM to run: the process's line of the image lacks the "
				 "word module=NAME");
	/* Never unmapped: the strings of the configuration lie there. */
	error = process_map(info->handles.module, &bytes, &size);
	if (error)
		return error_set(why, error, "the VM's definition can't be mapped (error %d)",
				 -error);
	return vm_definition_read(bytes, size, config, why);
}

static void press_power_button(void *vm)
{
	vm_power_button(vm);
}

static void stop(void *vm)
{
	vm_stop(vm);
}

static int run(const struct type1_info *info, const struct vm_config *config)
{
	struct os_console *console = NULL;
	struct os_kvm *hypervisor = NULL;
	struct os_loop *loop = NULL;
	struct vm_outcome outcome;
	struct vm *vm = NULL;
	struct error why;
	int status = MONITOR_FAILED, error;

	error = os_loop_create(&loop);
	if (error < 0) {
		error_set(&why, error, "can't make the event loop (error %d)", -error);
		goto out;
	}
	status = MONITOR_BAD_INPUT;
	error = process_kvm_open(info->handles.kvm, &hypervisor, &why);
	/* Also of a VM without a terminal: the person can stop it there. */
	if (!error)
		error = process_console_open(loop, &console, &why);
	if (!error)
		error = vm_create(config, hypervisor, loop,
				  config->console == VM_CONSOLE_NONE ? NULL : console, &vm, &why);
	if (error < 0)
		goto out;
	process_console_set_control(console, &(struct process_console_control){
						     .power_button = press_power_button,
						     .stop = stop,
						     .context = vm,
					     });
	vm_run(vm, &outcome);
out:
	vm_destroy(vm);
	process_console_close(console);
	os_kvm_close(hypervisor);
	os_loop_destroy(loop);
	return error < 0 ? fail((enum monitor_status)status, &why) : report(config, &outcome);
}

int main(const struct type1_info *info)
{
	static struct vm_config config;
	struct error why;

	if (info->version != TYPE1_VERSION) {
		error_set(&why, -EINVAL,
			  "the runtime has version %u of its interface, and the monitor %u: make "
			  "the image again",
			  info->version, TYPE1_VERSION);
		return fail(MONITOR_BAD_INPUT, &why);
	}
	if (read_config(info, &config, &why) < 0)
		return fail(MONITOR_BAD_INPUT, &why);
	return run(info, &config);
}
