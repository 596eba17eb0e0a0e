/* SPDX-License-Identifier: MIT */
/*
 * A VM: its back ends, opened once, and one machine after another on them.
 */
#include "monitor/vm.h"

#include <linux/errno.h>

#include "lib/bytes.h"
#include "monitor/log.h"
#include "monitor/machine/machine.h"

struct vm {
	const struct vm_config *config;
	struct os_kvm *hypervisor;
	struct os_loop *loop;
	struct machine_backends backends;
	struct os_mutex lock;
	/* lock */
	struct machine *machine; /* NULL while there is none */
	bool ended;              /* the machine's story has an end, and this is it: */
	bool reset;
	struct vm_outcome outcome;
};

/* --- The end of a machine --------------------------------------------------------------------- */

static void note_end(struct vm *vm, bool reset, enum vm_end end, uint32_t debug_status,
		     const struct error *why)
{
	os_mutex_lock(&vm->lock);
	/*
	 * The first end counts (a guest that has asked for a reset may go on to triple fault), but
	 * a person who wants a stop has it, although a reset is under way.
	 */
	if (!vm->ended || (vm->reset && end == VM_END_STOPPED)) {
		vm->ended = true;
		vm->reset = reset;
		vm->outcome.end = end;
		vm->outcome.debug_status = debug_status;
		if (why)
			vm->outcome.text = *why;
	}
	os_mutex_unlock(&vm->lock);
	os_loop_stop(vm->loop);
}

static void machine_ended(void *context, enum machine_end end, uint32_t debug_status,
			  const struct error *why)
{
	static const enum vm_end ends[] = {
		[MACHINE_END_RESET] = VM_END_POWER_OFF, /* unused: the machine starts again */
		[MACHINE_END_POWER_OFF] = VM_END_POWER_OFF,
		[MACHINE_END_DEBUG_EXIT] = VM_END_DEBUG_EXIT,
		[MACHINE_END_CRASHED] = VM_END_CRASHED,
		[MACHINE_END_FAILED] = VM_END_ERROR,
	};

	note_end(context, end == MACHINE_END_RESET, ends[end], debug_status, why);
}

void vm_stop(struct vm *vm)
{
	note_end(vm, false, VM_END_STOPPED, 0, NULL);
}

void vm_power_button(struct vm *vm)
{
	os_mutex_lock(&vm->lock);
	if (vm->machine)
		machine_press_power_button(vm->machine);
	os_mutex_unlock(&vm->lock);
}

/* --- Back ends -------------------------------------------------------------------------------- */

static int open_files(struct vm *vm, struct error *why)
{
	const struct vm_config *config = vm->config;
	int err;

	err = os_file_open(config->kernel, &vm->backends.kernel, why);
	if (!err && config->initrd)
		err = os_file_open(config->initrd, &vm->backends.initrd, why);
	for (unsigned i = 0; !err && i < config->module_count; i++)
		err = os_file_open(config->modules[i].path, &vm->backends.modules[i], why);
	return err;
}

static int open_disks(struct vm *vm, struct error *why)
{
	int err = 0;

	for (unsigned i = 0; !err && i < vm->config->disk_count; i++) {
		const struct vm_disk_config *disk = &vm->config->disks[i];
		struct os_block_options options = {
			.name = disk->path, .read_only = disk->read_only, .cache = disk->cache};

		err = os_block_open(vm->loop, &options, &vm->backends.blocks[i], why);
	}
	return err;
}

static int open_nets(struct vm *vm, struct error *why)
{
	int err = 0;

	for (unsigned i = 0; !err && i < vm->config->net_count; i++) {
		const struct vm_net_config *net = &vm->config->nets[i];
		struct os_net_options options = {.kind = net->kind,
						 .name = net->tap,
						 .mac = net->mac,
						 .rate = net->rate,
						 .forwards = net->forwards,
						 .forward_count = net->forward_count};

		err = os_net_open(vm->loop, &options, &vm->backends.nets[i], why);
	}
	return err;
}

static void close_backends(struct machine_backends *backends)
{
	for (unsigned i = 0; i < VM_NETS_MAX; i++)
		os_net_close(backends->nets[i]);
	for (unsigned i = 0; i < VM_DISKS_MAX; i++)
		os_block_close(backends->blocks[i]);
	for (unsigned i = 0; i < VM_MODULES_MAX; i++)
		os_file_close(backends->modules[i]);
	os_file_close(backends->initrd);
	os_file_close(backends->kernel);
}

/* --- Machines --------------------------------------------------------------------------------- */

static int power_on(struct vm *vm, struct error *why)
{
	struct machine_listener listener = {.ended = machine_ended, .context = vm};
	struct machine *machine;
	int err;

	err = machine_create(vm->config, &vm->backends, vm->hypervisor, vm->loop, &listener,
			     &machine, why);
	if (err < 0)
		return err;
	os_mutex_lock(&vm->lock);
	vm->machine = machine;
	os_mutex_unlock(&vm->lock);
	return 0;
}

static void power_off(struct vm *vm)
{
	struct machine *machine = vm->machine;

	if (!machine)
		return;
	os_mutex_lock(&vm->lock);
	vm->machine = NULL;
	os_mutex_unlock(&vm->lock);
	machine_destroy(machine);
}

int vm_create(const struct vm_config *config, struct os_kvm *hypervisor, struct os_loop *loop,
	      struct os_console *console, struct vm **out, struct error *why)
{
	struct vm *vm = os_alloc(sizeof(*vm));
	int err;

	if (!vm)
		return error_set(why, -ENOMEM, "there is no memory for another VM");
	vm->config = config;
	vm->hypervisor = hypervisor;
	vm->loop = loop;
	vm->backends.console = console;
	os_mutex_init(&vm->lock);
	err = open_files(vm, why);
	if (!err)
		err = open_disks(vm, why);
	if (!err)
		err = open_nets(vm, why);
	if (!err)
		err = power_on(vm, why);
	if (err < 0) {
		vm_destroy(vm);
		return err;
	}
	*out = vm;
	return 0;
}

/* Runs the machine there is until it ends.  True: it is to start again. */
static bool run_machine(struct vm *vm)
{
	struct error why;
	bool ended, reset;

	if (machine_start(vm->machine, &why) < 0)
		note_end(vm, false, VM_END_ERROR, 0, &why);
	/* The loop may also have been stopped late, for the machine before this one. */
	do {
		os_loop_run(vm->loop);
		os_mutex_lock(&vm->lock);
		ended = vm->ended;
		os_mutex_unlock(&vm->lock);
	} while (!ended);
	machine_stop(vm->machine);
	os_mutex_lock(&vm->lock);
	reset = vm->reset;
	if (reset)
		vm->ended = vm->reset = false;
	os_mutex_unlock(&vm->lock);
	return reset;
}

void vm_run(struct vm *vm, struct vm_outcome *outcome)
{
	struct error why;

	while (run_machine(vm)) {
		vm->outcome.reboots++;
		power_off(vm);
		if (power_on(vm, &why) < 0) {
			note_end(vm, false, VM_END_ERROR, 0, &why);
			break;
		}
	}
	*outcome = vm->outcome;
}

void vm_destroy(struct vm *vm)
{
	if (!vm)
		return;
	power_off(vm);
	close_backends(&vm->backends);
	os_free(vm);
}
