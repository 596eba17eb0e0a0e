/* SPDX-License-Identifier: MIT */
/*
 * The console service's tables (type1/services/console/report.c, table.c) of a machine that is made
 * up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "type1/services/console/output.c"
#include "type1/services/console/table.c"

#include "type1/services/console/report.c"

#define MS UINT64_C(1000000)

static char written[8192];
static size_t written_size;

static void take(void *context, const char *bytes, size_t count)
{
	(void)context;
	assert_true(written_size + count < sizeof(written));
	memcpy(written + written_size, bytes, count);
	written_size += count;
	written[written_size] = '\0';
}

static const struct output output = {.write = take};

/* --- The machine */

static struct type1_process processes[3];
static unsigned process_count;
static struct type1_machine the_machine;

bool machine_process(unsigned index, struct type1_process *process)
{
	if (index >= process_count)
		return false;
	*process = processes[index];
	return true;
}

void machine_statistics(struct type1_machine *machine)
{
	*machine = the_machine;
}

static int begin(void **state)
{
	(void)state;
	written_size = 0;
	written[0] = '\0';
	process_count = 3;
	processes[0] = (struct type1_process){
		.name = "store",
		.state = TYPE1_PROCESS_RUNNING,
		.starts = 2,
		.threads = 1,
		.weight = 200,
		.cpus = 3,
		.cpu_time = 62030 * MS,
		.memory_limit = 4 * MIB,
		.memory_used = 3 * MIB + 512 * KIB,
	};
	processes[1] = (struct type1_process){
		.name = "web",
		.state = TYPE1_PROCESS_RUNNING,
		.is_vm = 1,
		.starts = 1,
		.threads = 3,
		.weight = 100,
		.cap = 50,
		.cpus = 2,
		.cpu_time = 1500 * MS,
		.memory_limit = 600 * MIB,
		.memory_used = 512 * MIB,
	};
	processes[2] = (struct type1_process){
		.name = "a-longer-name",
		.state = TYPE1_PROCESS_ENDED,
		.is_vm = 1,
		.starts = 1,
		.status = 3,
	};
	the_machine = (struct type1_machine){
		.cpus = 2,
		.memory_total = 2 * GIB,
		.memory_free = 1 * GIB + 512 * MIB,
		.uptime = 100000 * MS,
		.cpu = {{.apic_id = 0, .busy = 1000 * MS}, {.apic_id = 4, .busy = 500 * MS}},
	};
	return 0;
}

static void tables_are_aligned(void **state)
{
	static struct table small;

	(void)state;
	table_begin(&small, "<NAME N <REST");
	table_add(&small, "a");
	table_add(&small, "%d", 12345);
	table_add(&small, "x");
	table_add(&small, "longer");
	table_add(&small, "1");
	table_add(&small, "%s", "");
	table_print(&small, &output);
	assert_string_equal(written, "NAME        N  REST\n"
				     "a       12345  x\n"
				     "longer      1\n");
}

static void tables_are_bounded(void **state)
{
	static struct table large;

	(void)state;
	table_begin(&large, "<A B C D E F G H I J K");
	assert_int_equal(large.columns, TABLE_COLUMNS);
	for (unsigned i = 0; i < 2 * TABLE_ROWS * TABLE_COLUMNS; i++)
		table_add(&large, "%0200d", 1);
	assert_int_equal(large.cells, TABLE_ROWS * TABLE_COLUMNS);
	assert_int_equal(strlen(large.cell[TABLE_COLUMNS]), TABLE_CELL - 1);
}

static void texts(void **state)
{
	char text[REPORT_TEXT];

	(void)state;
	assert_string_equal(report_size(text, 0), "0K");
	assert_string_equal(report_size(text, 512), "0.5K");
	assert_string_equal(report_size(text, 640 * KIB), "640K");
	assert_string_equal(report_size(text, MIB), "1M");
	assert_string_equal(report_size(text, 1536 * MIB), "1.5G");
	assert_string_equal(report_size(text, 64 * GIB + MIB), "64G");
	assert_string_equal(report_size(text, UINT64_MAX), "16777215T");
	assert_string_equal(report_time(text, 0), "0:00.00");
	assert_string_equal(report_time(text, 62030 * MS), "1:02.03");
	assert_string_equal(report_time(text, UINT64_MAX), "307445734:33.70");
	assert_string_equal(report_set(text, UINT64_MAX, 2), "all");
	assert_string_equal(report_set(text, UINT64_MAX, 64), "all");
	assert_string_equal(report_set(text, 0xd, 8), "0,2-3");
	assert_string_equal(report_set(text, 1, 2), "0");
	assert_string_equal(report_set(text, BIT(62) | BIT(63), 64), "62-63");
	/* Cut, but whole. */
	assert_true(strlen(report_set(text, UINT64_C(0x5555555555555555), 64)) < REPORT_TEXT);
}

static void processes_are_told(void **state)
{
	static struct sample sample;

	(void)state;
	sample_take(&sample);
	assert_int_equal(sample.count, 3);
	report_processes(&output, &sample);
	assert_string_equal(
		written,
		"NAME           KIND     STATE      THREADS     TIME  MEMORY  LIMIT  STARTS\n"
		"store          service  running          1  1:02.03    3.5M     4M       2\n"
		"web            VM       running          3  0:01.50    512M   600M       1\n"
		"a-longer-name  VM       ended (3)        0  0:00.00      0K     0K       1\n");
}

static void statistics_are_of_a_time(void **state)
{
	static struct sample before, after;

	(void)state;
	sample_take(&before);
	the_machine.uptime += 1000 * MS;
	processes[0].cpu_time += 10 * MS;
	processes[1].cpu_time += 1995 * MS;
	sample_take(&after);
	report_statistics(&output, &before, &after);
	assert_string_equal(written, "up 1:41.00, 2 CPUs, 2G of memory, 1.5G free\n"
				     "NAME    %CPU     TIME  MEMORY  WEIGHT  CAP  CPUS\n"
				     "store    1.0  1:02.04    3.5M     200    -  all\n"
				     "web    199.5  0:03.49    512M     100   50  1\n");
	/* One that was started again has what it had since. */
	processes[1].starts++;
	processes[1].cpu_time = 100 * MS;
	sample_take(&after);
	begin(NULL);
	report_statistics(&output, &before, &after);
	assert_non_null(strstr(written, "web    10.0"));
}

static void cores_are_of_a_time(void **state)
{
	static struct sample before, after;

	(void)state;
	sample_take(&before);
	the_machine.uptime += 1000 * MS;
	the_machine.cpu[1].busy += 1000 * MS;
	sample_take(&after);
	report_cores(&output, &before, &after);
	assert_string_equal(written, "CPU  APIC  %BUSY     TIME\n"
				     "  0     0    0.0  0:01.00\n"
				     "  1     4  100.0  0:01.50\n");
}

static void memory_is_told(void **state)
{
	static struct sample sample;

	(void)state;
	sample_take(&sample);
	report_memory(&output, &sample);
	assert_string_equal(written, "2G in all, 512M in use, 1.5G free\n"
				     "NAME   MEMORY  LIMIT  %USED\n"
				     "store    3.5M     4M   87.5\n"
				     "web      512M   600M   85.3\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(tables_are_aligned, begin),
		cmocka_unit_test_setup(tables_are_bounded, begin),
		cmocka_unit_test_setup(texts, begin),
		cmocka_unit_test_setup(processes_are_told, begin),
		cmocka_unit_test_setup(statistics_are_of_a_time, begin),
		cmocka_unit_test_setup(cores_are_of_a_time, begin),
		cmocka_unit_test_setup(memory_is_told, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
