/* SPDX-License-Identifier: MIT */
/*
 * start.c - starts the image's processes: modules whose arguments begin with the word "process"
 * (docs/type1.md, The image); and services again, when they end.  The boot loader's configuration
 * is trusted; what's wrong in it is said, and that process not started.
 */
#include "type1/runtime/start.h"

#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/host/kvm_object.h"
#include "type1/runtime/boot.h"
#include "type1/runtime/interrupt.h"
#include "type1/runtime/pci.h"
#include "type1/runtime/process_list.h"
#include "type1/runtime/words.h"

#define MEMORY_DEFAULT (16 * MIB)
#define WEIGHT_DEFAULT 100
#define MILLISECOND UINT64_C(1000000) /* ns */
#define WEIGHT_MAX 10000
#define RESTART_DELAY (20 * MILLISECOND)
#define RESTART_DELAY_MAX (10000 * MILLISECOND)
#define RESTART_STEADY                                                                             \
	(30000 * MILLISECOND) /* a process that lived for so long has a new start                  \
			       */

struct mutex image_mutex;
struct image_process image_processes[BOOT_MODULES_MAX];
unsigned image_process_count;
static struct waiter starter;

/* --- Beginning and end ------------------------------------------------------------------------ */

void start_request(struct image_process *image, uint64_t delay)
{
	image->wanted = true;
	image->start_at = clock_now() + delay;
	waiter_wake(&starter);
}

/* A service that ended other than by its own will, or wasn't to be started: again, after a while
 * that doubles each time that it has lived for a short time. */
static void restart(struct image_process *image)
{
	if (clock_now() - image->started_at > RESTART_STEADY || !image->delay)
		image->delay = RESTART_DELAY;
	else
		image->delay = MIN(2 * image->delay, RESTART_DELAY_MAX);
	log_line(LOG_WARNING, "service %s is started again in %llu ms", image->options.name,
		 (unsigned long long)(image->delay / MILLISECOND));
	start_request(image, image->delay);
}

static void ended(struct process *process, int status)
{
	struct image_process *image = image_processes;

	log_line(status ? LOG_WARNING : LOG_INFO, "process %s ended: %d, after %llu ms of CPU time",
		 process->name, status,
		 (unsigned long long)(scheduler_time_of(process) / MILLISECOND));
	mutex_lock(&image_mutex);
	while (image->process != process)
		image++;
	image->process = NULL;
	image->status = status;
	if (image->options.service && status)
		restart(image);
	else if (image->options.service)
		service_set_ended(&image->service, true);
	mutex_unlock(&image_mutex);
	process_list_tell();
}

/* With the mutex, so that it can't have ended before it is known. */
static void start(struct image_process *image)
{
	int err;

	image->wanted = false;
	image->started_at = clock_now();
	if (image->options.service)
		service_set_ended(&image->service, false);
	err = process_start(&image->options, ended, &image->process);
	if (!err) {
		image->starts++;
		return;
	}
	image->process = NULL;
	image->status = err;
	if (image->options.service)
		restart(image);
}

/* --- The image -------------------------------------------------------------------------------- */

/* Of a word behind "process"; false: it is none that is known. */
static bool take_word(const struct word *word, struct image_process *image)
{
	struct process_options *options = &image->options;
	uint64_t number;

	if (word_is(word, "kvm"))
		options->kvm = true;
	else if (word_is(word, "screen"))
		options->screen = true;
	else if (word_is(word, "power"))
		options->power = true;
	else if (word_is(word, "devices"))
		options->devices = true;
	else if (word_is(word, "processes"))
		options->processes = true;
	else if (word_is(word, "service"))
		options->service = &image->service;
	else if (word_is(word, "stopped"))
		image->wanted = false;
	else if (word_is(word, "use"))
		return (image->uses = word->value);
	else if (word_is(word, "memory"))
		return word_number(word, &options->memory);
	else if (word_is(word, "cpus"))
		return word_set(word, &options->shares.cpus);
	else if (word_is(word, "module"))
		return (options->module = boot_module_find(word->value, word->value_size));
	else if (word_is(word, "weight") && word_number(word, &number) && number - 1 < WEIGHT_MAX)
		options->shares.weight = (uint32_t)number;
	else if (word_is(word, "cap") && word_number(word, &number) && number <= UINT32_MAX)
		options->shares.cap = (uint32_t)number;
	else
		return false;
	return true;
}

/* The service of that name, or NULL. */
static struct service *find_service(const char *name)
{
	for (unsigned i = 0; i < image_process_count; i++) {
		if (image_processes[i].options.service &&
		    text_equal(image_processes[i].options.name, name))
			return image_processes[i].options.service;
	}
	log_line(LOG_WARNING, "the image has no service %s", name);
	return NULL;
}

/* The names of services between commas, all of which are known now. */
static void find_services(struct image_process *image)
{
	struct process_options *options = &image->options;
	const struct {
		const char *use, *service;
		struct service **found;
	} names[] = {
		{"store", "store", &options->store},
		{"network", "switch", &options->network},
		{"console", "console", &options->console},
	};
	const char *at = image->uses, *end;

	for (; at; at = *end == ',' ? end + 1 : NULL) {
		unsigned i = 0;

		for (end = at; *end && *end != ' ' && *end != ','; end++)
			;
		while (i < ARRAY_COUNT(names) &&
		       (text_length(names[i].use) != (size_t)(end - at) ||
			memcmp(names[i].use, at, (size_t)(end - at)) != 0))
			i++;
		if (i < ARRAY_COUNT(names))
			*names[i].found = find_service(names[i].service);
		else
			log_line(LOG_WARNING, "process %s can't use what it says", options->name);
	}
}

static void add(const struct boot_module *module, const char *line)
{
	struct image_process *image = &image_processes[image_process_count];
	char text[WORD_TEXT];
	struct word word;

	image->options = (struct process_options){
		.name = module->name,
		.elf = physical_at(module->physical),
		.elf_size = module->size,
		.memory = MEMORY_DEFAULT,
		.shares = {.weight = WEIGHT_DEFAULT, .cpus = UINT64_MAX},
	};
	image->wanted = true;
	service_init(&image->service);
	while (word_next(&line, &word)) {
		if (!take_word(&word, image)) {
			log_line(LOG_ERROR, "process %s is not started: it can't have %s",
				 module->name, word_text(&word, text));
			*image = (struct image_process){0};
			return;
		}
	}
	image_process_count++;
}

static void add_processes(void)
{
	for (unsigned i = 0; i < boot_module_count; i++) {
		const char *line = boot_modules[i].arguments;
		struct word word;

		if (word_next(&line, &word) && word_is(&word, "process"))
			add(&boot_modules[i], line);
	}
	for (unsigned i = 0; i < image_process_count; i++)
		find_services(&image_processes[i]);
	if (!image_process_count)
		log_line(LOG_WARNING, "the image has no process");
}

/* Starts what is due; when there is more to start: 0: not without being woken. */
static uint64_t start_due(void)
{
	uint64_t next = 0;

	mutex_lock(&image_mutex);
	for (unsigned i = 0; i < image_process_count; i++) {
		struct image_process *image = &image_processes[i];

		if (image->wanted && clock_now() >= image->start_at)
			start(image);
		if (image->wanted && (!next || image->start_at < next))
			next = image->start_at;
	}
	mutex_unlock(&image_mutex);
	return next;
}

void start_processes(void *unused)
{
	(void)unused;
	kvm_object_init();
	interrupt_init();
	pci_init();
	add_processes();
	for (;;) {
		uint64_t next = start_due();

		process_list_tell();
		waiter_wait(&starter, next);
	}
}
