/* SPDX-License-Identifier: MIT */
/*
 * process_list.c - system calls: the image's processes, the machine they run on, and the log; for
 * the console.
 */
#include <linux/errno.h>

#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/runtime/log.h"
#include "type1/runtime/process_list.h"
#include "type1/runtime/process_private.h"
#include "type1/runtime/start.h"
#include "type1/runtime/syscall.h"

#define STATUS_KILLED (-2)
#define LOOK_PERIOD UINT64_C(10000000) /* ns */

struct process_list {
	struct object object; /* first */
	struct event *event;  /* [list_lock] a reference, or NULL */
};

static struct spin list_lock = SPIN_INIT;
static struct process_list *listener; /* [list_lock] who asked for an event last, one at a time */
static const struct object *shower;   /* [list_lock] who shows the log */

static struct process_list *of_object(struct object *object)
{
	return CONTAINER_OF(object, struct process_list, object);
}

/* --- What is told by an event ------------------------------------------------------------------
 */

static void process_list_end(struct object *object)
{
	struct process_list *list = of_object(object);

	spin_lock(&list_lock);
	if (listener == list)
		listener = NULL;
	if (shower == object) {
		shower = NULL;
		log_set_shown(true);
	}
	spin_unlock(&list_lock);
	if (list->event)
		object_put(&list->event->object);
	heap_free(list);
}

int process_list_create(struct account *account, struct object **object)
{
	struct process_list *list = heap_alloc(sizeof(*list), account);

	if (!list)
		return -ENOMEM;
	object_init(&list->object, OBJECT_PROCESSES, process_list_end);
	*object = &list->object;
	return 0;
}

void process_list_tell(void)
{
	spin_lock(&list_lock);
	if (listener)
		event_signal(listener->event);
	spin_unlock(&list_lock);
}

/* A timer looks for the log's next line, which may come where no event can be signalled. */
static void look(struct timer *timer)
{
	static uint64_t seen; /* of the log's numbers */

	if (seen != log_next())
		process_list_tell();
	seen = log_next();
	timer_set(timer, clock_now() + LOOK_PERIOD);
}

int64_t syscall_process_event(const struct call *call)
{
	static struct timer timer; /* goes on for as long as the machine does */
	struct event *event = event_find(call->process, call->args[1]), *before;
	struct process_list *list = of_object(call->object);

	if (!event)
		return -EBADF;
	spin_lock(&list_lock);
	before = list->event;
	list->event = event;
	listener = list;
	if (!timer.fired) {
		timer_init(&timer, look);
		timer_set(&timer, clock_now() + LOOK_PERIOD);
	}
	spin_unlock(&list_lock);
	if (before)
		object_put(&before->object);
	return 0;
}

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
	spin_lock(&list_lock);
	if (shower != call->object) {
		shower = call->object;
		log_set_shown(false);
	}
	spin_unlock(&list_lock);
	size = log_read(&line.number, line.text,
			MIN(sizeof(line.text), call->args[3] - sizeof(line.number)));
	err = size ? user_copy_out(call->args[2], &line, sizeof(line.number) + size) : 0;
	return err ? err : (int64_t)size;
}
