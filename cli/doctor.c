/* SPDX-License-Identifier: MIT */
/*
 * doctor.c - 'dyad doctor': what this machine offers to virtual machines, which engine they would
 * be run on and why, and what there is to do for a better one.
 */
#include <cpuid.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/engine.h"
#include "cli/message.h"
#include "lib/bits.h"
#include "type2/process/process.h"
#include "type2/process/ram_limit.h"

/* AMD APM volume 3, appendix E.3.1, E.4.2 and E.4.9; Intel SDM volume 2, CPUID. */
#define LEAF_EXTENDED 0x80000000u
#define LEAF_FEATURES 0x80000001u
#define LEAF_BRAND 0x80000002u /* and the two behind it */
#define LEAF_SVM 0x8000000au
#define FEATURE_ECX_SVM (1u << 2)
#define FEATURE_1_ECX_VMX (1u << 5)
#define FEATURE_1_ECX_HYPERVISOR (1u << 31)
#define SVM_EDX_NESTED_PAGING (1u << 0)

#define BRAND_SIZE 48

struct doctor_cpu {
	char brand[BRAND_SIZE + 1];
	bool svm, nested_paging, vmx;
	bool virtual; /* this machine is itself a guest */
};

/* One engine as it was found. */
struct doctor_engine {
	int error; /* 0: it runs unmodified guests */
	struct error why;
};

static void doctor_read_cpu(struct doctor_cpu *cpu)
{
	unsigned eax, ebx, ecx, edx, words[BRAND_SIZE / sizeof(unsigned)] = {0};

	memset(cpu, 0, sizeof(*cpu));
	if (__get_cpuid(1, &eax, &ebx, &ecx, &edx)) {
		cpu->vmx = ecx & FEATURE_1_ECX_VMX;
		cpu->virtual = ecx & FEATURE_1_ECX_HYPERVISOR;
	}
	if (__get_cpuid(LEAF_FEATURES, &eax, &ebx, &ecx, &edx))
		cpu->svm = ecx & FEATURE_ECX_SVM;
	if (cpu->svm && __get_cpuid(LEAF_SVM, &eax, &ebx, &ecx, &edx))
		cpu->nested_paging = edx & SVM_EDX_NESTED_PAGING;
	for (unsigned i = 0; i < 3; i++)
		__get_cpuid(LEAF_BRAND + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2],
			    &words[4 * i + 3]);
	memcpy(cpu->brand, words, BRAND_SIZE);
}

/* In front of and behind the name there may be blanks. */
static const char *doctor_brand(struct doctor_cpu *cpu)
{
	char *start = cpu->brand + strspn(cpu->brand, " ");
	size_t length = strlen(start);

	while (length > 0 && start[length - 1] == ' ')
		start[--length] = '\0';
	for (char *c = start; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	return length > 0 ? start : "of no name";
}

static void doctor_print_cpu(struct doctor_cpu *cpu)
{
	const char *what = "neither AMD SVM nor Intel VMX";

	if (cpu->svm)
		what = cpu->nested_paging ? "AMD SVM with nested paging"
					  : "AMD SVM without nested paging";
	else if (cpu->vmx)
		what = "Intel VMX";
	printf("processor   %s, %ld CPUs: %s%s\n", doctor_brand(cpu), sysconf(_SC_NPROCESSORS_ONLN),
	       what, cpu->virtual ? " (in a virtual machine)" : "");
}

/* The first line of a small file; empty if there is none. */
static void doctor_read_line(const char *path, char *line, int size)
{
	FILE *file = fopen(path, "re");

	line[0] = '\0';
	if (file == NULL)
		return;
	if (fgets(line, size, file) == NULL)
		line[0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	fclose(file);
}

/* What stands in brackets is the choice: "always [madvise] never". */
static const char *doctor_chosen(char *line)
{
	char *start = strchr(line, '['), *end = strchr(line, ']');

	if (start == NULL || end == NULL || end < start)
		return "not known";
	*end = '\0';
	return start + 1;
}

static unsigned long doctor_reserved(const char *size)
{
	char path[128], line[32];

	snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-%s/free_hugepages", size);
	doctor_read_line(path, line, sizeof(line));
	return strtoul(line, NULL, 10);
}

static void doctor_print_memory(void)
{
	struct ram_limit limit;
	char line[128];

	ram_limit_read("", &limit);
	printf("memory      ");
	if (limit.host == UINT64_MAX)
		printf("not known");
	else
		printf("%.1f GiB with swap, %.1f GiB of it available", (double)limit.host / GIB,
		       (double)limit.available / GIB);
	if (limit.cgroup != UINT64_MAX)
		printf("; this process may have %.1f GiB (its control group's limit)",
		       (double)limit.cgroup / GIB);
	doctor_read_line("/sys/kernel/mm/transparent_hugepage/enabled", line, sizeof(line));
	printf("\nhuge pages  transparent: %s; reserved and free: %lu of 2 MiB, %lu of 1 GiB\n",
	       doctor_chosen(line), doctor_reserved("2048kB"), doctor_reserved("1048576kB"));
}

static void doctor_try(enum engine_choice choice, struct doctor_engine *engine)
{
	struct os_kvm *system;

	engine->error = engine_try(choice, &system, &engine->why);
	if (engine->error == 0)
		os_kvm_close(system);
}

static void doctor_print_node(const char *label, enum engine_choice choice,
			      const struct doctor_engine *engine)
{
	if (engine->error == 0)
		printf("%-11s %s runs unmodified guests\n", label, engine_node(choice));
	else
		printf("%-11s %s\n", label, engine->why.text);
}

/* As far as CPUID tells: of VMX more stands in MSRs alone. */
static bool doctor_can_run_driver(const struct doctor_cpu *cpu)
{
	return (cpu->svm && cpu->nested_paging) || cpu->vmx;
}

#define DRIVER_NEEDS "needs AMD SVM with nested paging, or Intel VMX with EPT"

/* Advice to load the driver would mislead where it can't run. */
static void doctor_print_driver(const struct doctor_cpu *cpu, const struct doctor_engine *engine)
{
	if (engine->error == -ENOENT && !doctor_can_run_driver(cpu))
		printf("driver      there is no %s: it " DRIVER_NEEDS "\n",
		       engine_node(ENGINE_DYAD));
	else
		doctor_print_node("driver", ENGINE_DYAD, engine);
}

/* What would bring a better engine than the one that was found. */
static void doctor_print_advice(const struct doctor_cpu *cpu, const struct doctor_engine *engines)
{
	if (engines[ENGINE_DYAD].error == 0) {
		puts("better      there is none: this is the fastest that Dyad has");
		return;
	}
	printf("better      ");
	if (doctor_can_run_driver(cpu))
		printf("dyad: %s\n", engines[ENGINE_DYAD].why.text);
	else if (engines[ENGINE_KVM].error == 0)
		puts("there is none on this processor: dyad " DRIVER_NEEDS);
	else if (cpu->virtual)
		puts("ask whoever runs this virtual machine for nested virtualization");
	else
		puts("switch on virtualization (SVM, VMX) in the firmware's setup, or use a "
		     "processor that has it");
}

static int doctor_examine(void)
{
	struct doctor_engine engines[ENGINE_SOFT + 1];
	enum engine_choice best = ENGINE_AUTO;
	struct doctor_cpu cpu;

	doctor_read_cpu(&cpu);
	doctor_print_cpu(&cpu);
	for (enum engine_choice choice = ENGINE_DYAD; choice <= ENGINE_SOFT; choice++) {
		doctor_try(choice, &engines[choice]);
		if (engines[choice].error == 0 && best == ENGINE_AUTO)
			best = choice;
	}
	doctor_print_driver(&cpu, &engines[ENGINE_DYAD]);
	doctor_print_node("KVM", ENGINE_KVM, &engines[ENGINE_KVM]);
	doctor_print_memory();
	if (best == ENGINE_AUTO)
		printf("engine      none: %s\n", engines[ENGINE_SOFT].why.text);
	else if (best == ENGINE_SOFT)
		puts("engine      soft: a CPU in software, in the process itself");
	else
		printf("engine      %s: %s runs unmodified guests\n", engine_names[best],
		       engine_node(best));
	doctor_print_advice(&cpu, engines);
	return message_finish_output();
}

static void doctor_help(FILE *out)
{
	fputs("usage: dyad doctor\n"
	      "\n"
	      "Tells what this machine offers to virtual machines: the processor's "
	      "virtualization,\n"
	      "Dyad's driver, Linux's KVM, memory and huge pages; which engine 'dyad run' would\n"
	      "take, and what there is to do for a better one.  Starts and changes nothing.\n"
	      "\n"
	      "  -h, --help     this help\n",
	      out);
}

static int doctor_main(int argc, char **argv)
{
	struct error why;

	if (argc == 1) {
		process_init();
		process_log_configure(STDERR_FILENO, OS_LOG_ERROR);
		return doctor_examine();
	}
	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		doctor_help(stdout);
		return message_finish_output();
	}
	error_set(&why, -EINVAL, "doctor takes no '%.80s'; it has no options but --help", argv[1]);
	return message_fail(EXIT_BAD_INPUT, &why);
}

const struct command doctor_command = {
	.name = "doctor",
	.summary = "tells what this machine offers to virtual machines",
	.run = doctor_main,
	.help = doctor_help,
};
