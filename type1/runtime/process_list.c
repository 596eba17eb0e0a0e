/* SPDX-License-Identifier: MIT */
/*
 * process_list.c - system calls: the image's processes, the machine they run on, and the log; for
 * the console.
 */
#include <linux/errno.h>

#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/runtime/log.h"
#include "type1/runtime/notice.h"
#include "type1/runtime/process_private.h"
#include "type1/runtime/start.h"
#include "type1/runtime/syscall.h"

#define STATUS_KILLED (-2)

static const struct object *shower; /* [process_notice.lock] who shows the log */

static bool log_has_more(void)
{
	static uint64_t seen; /* [process_notice.lock] of the log's numbers */
	bool more = seen != log_next();

	seen = log_next();
	return more;
}

static void processes_ended(const struct object *processes)
{
	if (shower == processes) {
		shower = NULL;
		log_set_shown(true);
	}
}

/* The log has another line, or a process has begun or ended. */
struct notice process_notice = {
	.lock = SPIN_INIT,
	.look = log_has_more,
	.ended = processes_ended,
};

/* --- Processes -------------------------------------------------------------------------------- */

/* With the mutex. */
static void tell(struct image_process *image, struct type1_process *told)
{
	const struct process_options *options = &image->options;
	struct process *process = image->process;
	unsigned threads = 0;
	bool ending;

	memcpy(told->name, options->name, MIN(text_length(options->name), sizeof(told->name) - 1));
	told->is_vm = options->kvm;
	told->status = image->status;
	told->starts = image->starts;
	told->weight = options->shares.weight;
	told->cap = options->shares.cap;
	told->cpus =
		options->shares.cpus & (cpu_count < CPUS_MAX ? BIT(cpu_count) - 1 : UINT64_MAX);
	told->memory_limit = options->memory;
	told->state = TYPE1_PROCESS_ENDED;
	if (!process)
		return;
	process_look(process, &ending, &threads);
	told->state = ending ? TYPE1_PROCESS_ENDING : TYPE1_PROCESS_RUNNING;
	told->threads = threads;
	told->cpu_time = scheduler_time_of(process);
	told->memory_used = __atomic_load_n(&process->account.used, __ATOMIC_RELAXED);
}

int64_t syscall_process_list(const struct call *call)
{
	struct type1_process told = {0};

	if (call->args[1] >= image_process_count)
		return -ENOENT;
	mutex_lock(&image_mutex);
	tell(&image_processes[call->args[1]], &told);
	mutex_unlock(&image_mutex);
	return user_copy_out(call->args[2], &told, sizeof(told));
}

int64_t syscall_process_control(const struct call *call)
{
	struct image_process *image;
	int err;

	if (call->args[1] >= image_process_count)
		return -ENOENT;
	image = &image_processes[call->args[1]];
	mutex_lock(&image_mutex);
	if (call->args[2] == TYPE1_PROCESS_START)
		err = image->process ? -EBUSY : 0;
	else if (call->args[2] == TYPE1_PROCESS_KILL)
		err = image->process ? 0 : -ESRCH;
	else
		err = -EINVAL;
	if (!err && image->process)
		process_kill(image->process, STATUS_KILLED);
	else if (!err)
		start_request(image, 0);
	mutex_unlock(&image_mutex);
	return err;
}

/* --- The machine and its log ------------------------------------------------------------------ */

int64_t syscall_machine(const struct call *call)
{
	struct type1_machine *machine = heap_alloc(sizeof(*machine), &call->process->account);
	int err;

	if (!machine)
		return -ENOMEM;
	machine->cpus = cpu_count;
	machine->uptime = clock_now();
	frames_statistics(&machine->memory_total, &machine->memory_free);
	for (unsigned i = 0; i < cpu_count; i++) {
		machine->cpu[i].apic_id = cpus[i]->apic_id;
		machine->cpu[i].busy = scheduler_busy(i);
	}
	err = user_copy_out(call->args[1], machine, sizeof(*machine));
	heap_free(machine);
	return err;
}

int64_t syscall_log_read(const struct call *call)
{
	struct {
		uint64_t number;
		char text[TYPE1_LOG_LINE];
	} line = {.number = call->args[1]};
	size_t size;
	int err;

	if (call->args[3] < sizeof(line.number))
		return -EINVAL;
	spin_lock(&process_notice.lock);
	if (shower != call->object) {
		shower = call->object;
		log_set_shown(false);
	}
	spin_unlock(&process_notice.lock);
	size = log_read(&line.number, line.text,
			MIN(sizeof(line.text), call->args[3] - sizeof(line.number)));
	err = size ? user_copy_out(call->args[2], &line, sizeof(line.number) + size) : 0;
	return err ? err : (int64_t)size;
}
