/* SPDX-License-Identifier: MIT */
/*
 * process.c - processes: how they start, and how they end from any state.
 *
 * A process that is to end is marked so, and its threads leave ring 0 as soon as they come to its
 * edge or to a wait that can end.  The last one closes the handles and frees the memory, on the
 * process's own time; what is left then, its stack and the process itself, the reaper frees.
 */
#include <linux/errno.h>

#include "lib/bits.h"
#include "lib/bytes.h"
#include "lib/format.h"
#include "type1/host/kvm_object.h"
#include "type1/runtime/channel.h"
#include "type1/runtime/device.h"
#include "type1/runtime/machine_object.h"
#include "type1/runtime/memory_object.h"
#include "type1/runtime/process_list.h"
#include "type1/runtime/process_private.h"

/* --- What others ask of it -------------------------------------------------------------------- */

struct share *process_share(const struct process *process)
{
	return &process->private->share;
}

void process_get(struct process *process)
{
	__atomic_add_fetch(&process->private->references, 1, __ATOMIC_RELAXED);
}

void process_look(struct process *process, bool *ending, unsigned *threads)
{
	struct process_private *p = process->private;

	spin_lock(&p->lock);
	*ending = p->dying;
	*threads = p->thread_count;
	spin_unlock(&p->lock);
}

void process_put(struct process *process)
{
	struct process_private *p = process->private;

	if (__atomic_sub_fetch(&p->references, 1, __ATOMIC_ACQ_REL))
		return;
	if (process->account.used)
		log_line(LOG_ERROR, "%s: %llu bytes of memory did not come back", process->name,
			 (unsigned long long)process->account.used);
	if (p->ended)
		p->ended(process, p->status);
	heap_free(p);
}

/* --- Threads ---------------------------------------------------------------------------------- */

int process_add_thread(struct process *process, struct thread *thread)
{
	struct process_private *p = process->private;
	int err = 0;

	spin_lock(&p->lock);
	if (p->dying) {
		err = -EINTR;
	} else if (p->thread_count == PROCESS_THREADS_MAX) {
		err = -EAGAIN;
	} else {
		thread->next_of_process = p->threads;
		p->threads = thread;
		p->thread_count++;
	}
	spin_unlock(&p->lock);
	return err;
}

static void process_end(struct process *process)
{
	handles_end(process);
	space_end(&process->space);
	process_put(process);
}

void process_remove_thread(struct thread *thread)
{
	struct process *process = thread->process;
	struct process_private *p = process->private;
	struct thread **each;
	bool last;

	spin_lock(&p->lock);
	for (each = &p->threads; *each != thread; each = &(*each)->next_of_process)
		;
	*each = thread->next_of_process;
	last = --p->thread_count == 0;
	/* No more threads: none could be left to end them. */
	if (last)
		p->dying = true;
	spin_unlock(&p->lock);
	if (last)
		process_end(process);
}

void process_kill(struct process *process, int status)
{
	struct process_private *p = process->private;

	spin_lock(&p->lock);
	if (!p->dying) {
		p->status = status;
		__atomic_store_n(&p->dying, true, __ATOMIC_SEQ_CST);
		for (struct thread *each = p->threads; each; each = each->next_of_process)
			thread_kill(each);
	}
	spin_unlock(&p->lock);
}

_Noreturn void process_exit(int status)
{
	process_kill(process_current(), status);
	thread_exit();
}

/* --- Starting --------------------------------------------------------------------------------- */

static int give(struct process *process, struct object *object, uint32_t *handle)
{
	int64_t added = handle_add(process, object);

	if (added < 0)
		return (int)added;
	*handle = (uint32_t)added;
	return 0;
}

static int give_service(struct process *process, struct service *service, uint32_t *handle)
{
	if (!service)
		return 0;
	object_get(&service->object);
	return give(process, &service->object, handle);
}

static int give_handles(struct process *process, const struct process_options *options)
{
	struct object *object;
	int err = 0;

	if (options->kvm)
		err = give(process, kvm_object_system(), &process->start.kvm);
	if (!err && options->screen && boot_screen.kind) {
		err = memory_object_of_registers(boot_screen_at, boot_screen_size, 0, 0,
						 &process->account, &object);
		if (!err)
			err = give(process, object, &process->start.screen);
	}
	if (!err && options->power)
		err = give(process, power_object(), &process->start.power);
	if (!err && options->module) {
		err = memory_object_of_module(options->module, &process->account, &object);
		if (!err)
			err = give(process, object, &process->start.module);
	}
	if (!err && options->devices)
		err = give(process, devices_object(), &process->start.devices);
	if (!err && options->processes) {
		err = process_list_create(&process->account, &object);
		if (!err)
			err = give(process, object, &process->start.processes);
	}
	if (!err)
		err = give_service(process, options->store, &process->start.store);
	if (!err)
		err = give_service(process, options->network, &process->start.network);
	if (!err)
		err = give_service(process, options->console, &process->start.console);
	return err;
}

static int64_t make_info(struct process *process)
{
	struct type1_info info = {
		.version = TYPE1_VERSION,
		.cpus = cpu_count,
		.tsc_base = clock_tsc_base,
		.tsc_to_ns = clock_tsc_to_ns,
		.wall_base = clock_wall_base(),
		.memory = process->account.limit,
		.handles = process->start,
		.has_console = process->has_console,
		.screen = process->has_console ? boot_screen : (struct type1_screen){0},
	};
	int64_t address = space_map_at(&process->space, 0, PAGE_SIZE, 0);
	int err;

	memcpy(info.name, process->name, sizeof(info.name));
	if (address < 0)
		return address;
	err = space_fill(&process->space, (uint64_t)address, &info, sizeof(info));
	return err ? err : address;
}

static int start_thread(struct process *process, uint64_t entry)
{
	int64_t stack = space_map_at(&process->space, 0, TYPE1_STACK, TYPE1_MEMORY_WRITE);
	int64_t info = stack < 0 ? stack : make_info(process);
	struct thread *thread;
	int err;

	if (info < 0)
		return (int)info;
	err = thread_start_user(process, entry, (uint64_t)stack + TYPE1_STACK, (uint64_t)info, 0,
				&thread);
	if (!err)
		thread_put(thread);
	return err;
}

int process_start(const struct process_options *options,
		  void (*ended)(struct process *process, int status), struct process **out)
{
	struct process_private *p = heap_alloc(sizeof(*p), &runtime_account);
	struct process *process = p ? &p->process : NULL;
	const char *why = "no memory";
	uint64_t entry;
	int err = -ENOMEM;

	if (!p)
		goto failed;
	process->private = p;
	process->account.limit = options->memory;
	process->shares = options->shares;
	process->service = options->service;
	process->has_console = options->screen;
	format_text(process->name, sizeof(process->name), "%s", options->name);
	p->references = 1;
	share_init(&p->share, &options->shares);
	handles_init(process);
	/* Others rely on services: what they need is there from the start. */
	err = space_init(&process->space, &process->account, !options->service);
	if (err)
		goto failed;
	err = process_load_elf(process, options->elf, options->elf_size, &entry, &why);
	if (!err)
		err = give_handles(process, options);
	p->ended = ended;
	*out = process;
	if (!err)
		err = start_thread(process, entry);
	if (!err)
		return 0;
	p->ended = NULL;
	process_end(process);
	p = NULL;
failed:
	log_line(LOG_ERROR, "%s can't be started: %s (error %d)", options->name, why, -err);
	heap_free(p);
	return err;
}
