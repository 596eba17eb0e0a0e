/* SPDX-License-Identifier: MIT */
/*
 * report.c - tables of processes, CPUs and memory (report.h).
 */
#include "type1/services/console/report.h"

#include "lib/bits.h"
#include "lib/bytes.h"
#include "lib/format.h"
#include "type1/services/console/table.h"

#define SECOND UINT64_C(1000000000) /* ns */
#define HUNDREDTH (SECOND / 100)
#define THOUSAND 1000

typedef unsigned long long ull;

static struct table table; /* too large for a stack; what is shown last */

void sample_take(struct sample *sample)
{
	machine_statistics(&sample->machine);
	sample->count = 0;
	while (sample->count < MACHINE_PROCESSES &&
	       machine_process(sample->count, &sample->process[sample->count]))
		sample->count++;
}

/* --- Texts */

const char *report_size(char text[REPORT_TEXT], uint64_t bytes)
{
	static const char units[] = "KMGT";
	uint64_t unit = KIB;
	unsigned i = 0;

	while (bytes / KIB >= unit && units[i + 1]) {
		unit *= KIB;
		i++;
	}
	/* One decimal for what has few digits, and is not whole. */
	if (bytes / unit < 10 && bytes % unit)
		format_text(text, REPORT_TEXT, "%llu.%llu%c", (ull)(bytes / unit),
			    (ull)(bytes % unit * 10 / unit), units[i]);
	else
		format_text(text, REPORT_TEXT, "%llu%c", (ull)(bytes / unit), units[i]);
	return text;
}

const char *report_time(char text[REPORT_TEXT], uint64_t nanoseconds)
{
	uint64_t seconds = nanoseconds / SECOND;

	format_text(text, REPORT_TEXT, "%llu:%02u.%02u", (ull)(seconds / 60),
		    (unsigned)(seconds % 60), (unsigned)(nanoseconds % SECOND / HUNDREDTH));
	return text;
}

const char *report_set(char text[REPORT_TEXT], uint64_t set, unsigned cpus)
{
	uint64_t all = cpus < 64 ? BIT(cpus) - 1 : UINT64_MAX;
	size_t used = 0;

	if ((set & all) == all)
		return "all";
	text[0] = '\0';
	for (unsigned first = 0, last; first < cpus; first = last + 1) {
		last = first;
		if (!(set & BIT(first)))
			continue;
		while (last + 1 < cpus && (set & BIT(last + 1)))
			last++;
		used += format_text(text + used, REPORT_TEXT - used, "%s%u", used ? "," : "",
				    first);
		if (last > first)
			used += format_text(text + used, REPORT_TEXT - used, "-%u", last);
	}
	return text;
}

/* Parts of a whole in percent, with a decimal. */
static void add_percent(uint64_t part, uint64_t whole)
{
	uint64_t unit = whole / THOUSAND, permille = unit ? part / unit : 0;

	table_add(&table, "%llu.%llu", (ull)(permille / 10), (ull)(permille % 10));
}

static void add_size(uint64_t bytes)
{
	char text[REPORT_TEXT];

	table_add(&table, "%s", report_size(text, bytes));
}

static void add_time(uint64_t nanoseconds)
{
	char text[REPORT_TEXT];

	table_add(&table, "%s", report_time(text, nanoseconds));
}

static void add_state(const struct type1_process *process)
{
	if (process->state == TYPE1_PROCESS_RUNNING)
		table_add(&table, "running");
	else if (process->state == TYPE1_PROCESS_ENDING)
		table_add(&table, "ending");
	else if (!process->starts)
		table_add(&table, "stopped");
	else
		table_add(&table, "ended (%d)", process->status);
}

/* --- Tables */

void report_processes(const struct output *out, const struct sample *sample)
{
	table_begin(&table, "<NAME <KIND <STATE THREADS TIME MEMORY LIMIT STARTS");
	for (unsigned i = 0; i < sample->count; i++) {
		const struct type1_process *process = &sample->process[i];

		table_add(&table, "%s", process->name);
		table_add(&table, "%s", process->is_vm ? "VM" : "service");
		add_state(process);
		table_add(&table, "%u", process->threads);
		add_time(process->cpu_time);
		add_size(process->memory_used);
		add_size(process->memory_limit);
		table_add(&table, "%u", process->starts);
	}
	table_print(&table, out);
}

/* Since it was started, if that was in between. */
static uint64_t time_between(const struct type1_process *before, const struct type1_process *after)
{
	return after->cpu_time - (before->starts == after->starts ? before->cpu_time : 0);
}

void report_statistics(const struct output *out, const struct sample *before,
		       const struct sample *after)
{
	const struct type1_machine *machine = &after->machine;
	uint64_t passed = machine->uptime - before->machine.uptime;
	char text[REPORT_TEXT], total[REPORT_TEXT], free[REPORT_TEXT];

	output_print(out, "up %s, %u CPUs, %s of memory, %s free\n",
		     report_time(text, machine->uptime), machine->cpus,
		     report_size(total, machine->memory_total),
		     report_size(free, machine->memory_free));
	table_begin(&table, "<NAME %CPU TIME MEMORY WEIGHT CAP <CPUS");
	for (unsigned i = 0; i < MIN(before->count, after->count); i++) {
		const struct type1_process *process = &after->process[i];

		if (process->state == TYPE1_PROCESS_ENDED)
			continue;
		table_add(&table, "%s", process->name);
		add_percent(time_between(&before->process[i], process), passed);
		add_time(process->cpu_time);
		add_size(process->memory_used);
		table_add(&table, "%u", process->weight);
		if (process->cap)
			table_add(&table, "%u", process->cap);
		else
			table_add(&table, "-");
		table_add(&table, "%s", report_set(text, process->cpus, machine->cpus));
	}
	table_print(&table, out);
}

void report_cores(const struct output *out, const struct sample *before, const struct sample *after)
{
	uint64_t passed = after->machine.uptime - before->machine.uptime;

	table_begin(&table, "CPU APIC %BUSY TIME");
	for (unsigned i = 0; i < after->machine.cpus; i++) {
		table_add(&table, "%u", i);
		table_add(&table, "%u", after->machine.cpu[i].apic_id);
		add_percent(after->machine.cpu[i].busy - before->machine.cpu[i].busy, passed);
		add_time(after->machine.cpu[i].busy);
	}
	table_print(&table, out);
}

void report_memory(const struct output *out, const struct sample *sample)
{
	uint64_t total = sample->machine.memory_total, free = sample->machine.memory_free;
	char text[3][REPORT_TEXT];

	output_print(out, "%s in all, %s in use, %s free\n", report_size(text[0], total),
		     report_size(text[1], total - free), report_size(text[2], free));
	table_begin(&table, "<NAME MEMORY LIMIT %USED");
	for (unsigned i = 0; i < sample->count; i++) {
		const struct type1_process *process = &sample->process[i];

		if (process->state == TYPE1_PROCESS_ENDED)
			continue;
		table_add(&table, "%s", process->name);
		add_size(process->memory_used);
		add_size(process->memory_limit);
		add_percent(process->memory_used, process->memory_limit);
	}
	table_print(&table, out);
}
