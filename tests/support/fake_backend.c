/* SPDX-License-Identifier: MIT */
#include "tests/support/fake_backend.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/fake_host.h"

#define EXITS_MAX 64
#define TRANSLATED_BELOW UINT64_C(0x100000000)

struct cpu_event fake_backend_injected;
unsigned fake_backend_runs, fake_backend_kicks;
bool fake_backend_wanted_window, fake_backend_wanted_nmi_window;
unsigned fake_backend_completions;
uint64_t fake_backend_completed_data;
unsigned fake_backend_changes, fake_backend_writes;
uint64_t fake_backend_range_gpa, fake_backend_range_size;
unsigned fake_backend_state_changes;
unsigned fake_backend_stops, fake_backend_ended_vcpus;

static struct exit exits[EXITS_MAX];
static unsigned exit_count, exit_next;

void fake_backend_exit(const struct exit *exit)
{
	if (exit_count == EXITS_MAX)
		abort();
	exits[exit_count++] = *exit;
}

static void run_script(struct vcpu *vcpu, struct exit *exit)
{
	(void)vcpu;
	if (exit_next < exit_count) {
		*exit = exits[exit_next++];
		return;
	}
	exit->kind = EXIT_NONE;
	fake_host_interrupted = true;
}

void (*fake_backend_run)(struct vcpu *vcpu, struct exit *exit) = run_script;

static void run(struct vcpu *vcpu, struct exit *exit)
{
	fake_backend_runs++;
	fake_backend_wanted_window = vcpu->want_window;
	fake_backend_wanted_nmi_window = vcpu->want_nmi_window;
	fake_backend_injected = vcpu->inject;
	if (vcpu->inject.kind == CPU_EVENT_NMI)
		vcpu->state.nmi_masked = true;
	vcpu->inject.kind = CPU_EVENT_NONE;
	fake_backend_run(vcpu, exit);
}

static int probe(uint32_t wanted)
{
	(void)wanted;
	return 0;
}

static int vm_create(struct vm *vm)
{
	(void)vm;
	return 0;
}

static void vm_stop(struct vm *vm)
{
	(void)vm;
	/* While the vCPUs are all there. */
	fake_backend_stops += !fake_backend_ended_vcpus;
}

static void vm_destroy(struct vm *vm)
{
	(void)vm;
}

static int vcpu_create(struct vcpu *vcpu)
{
	(void)vcpu;
	return 0;
}

static void vcpu_destroy(struct vcpu *vcpu)
{
	(void)vcpu;
	fake_backend_ended_vcpus++;
}

static void kick(struct vcpu *vcpu)
{
	(void)vcpu;
	fake_backend_kicks++;
}

static void complete_access(struct vcpu *vcpu, uint64_t data)
{
	(void)vcpu;
	fake_backend_completions++;
	fake_backend_completed_data = data;
}

static void state_changed(struct vcpu *vcpu)
{
	(void)vcpu;
	fake_backend_state_changes++;
}

static void memory_changed(struct vm *vm, uint64_t gpa, uint64_t size)
{
	(void)vm;
	fake_backend_changes++;
	fake_backend_range_gpa = gpa;
	fake_backend_range_size = size;
}

static void memory_written(struct vm *vm, uint64_t gpa, uint64_t size)
{
	(void)vm;
	fake_backend_writes++;
	fake_backend_range_gpa = gpa;
	fake_backend_range_size = size;
}

static bool translate(struct vcpu *vcpu, uint64_t gva, uint64_t *gpa)
{
	(void)vcpu;
	*gpa = gva;
	return gva < TRANSLATED_BELOW;
}

static void mask_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t registers[4])
{
	(void)leaf;
	(void)subleaf;
	(void)registers;
}

static bool scales_tsc(void)
{
	return true;
}

const struct backend fake_backend = {
	.name = "fake",
	.vcpu_size = sizeof(struct vcpu),
	.vm_size = sizeof(struct vm),
	.scales_tsc = scales_tsc,
	.probe = probe,
	.vm_create = vm_create,
	.vm_stop = vm_stop,
	.vm_destroy = vm_destroy,
	.vcpu_create = vcpu_create,
	.vcpu_destroy = vcpu_destroy,
	.run = run,
	.kick = kick,
	.complete_access = complete_access,
	.state_changed = state_changed,
	.memory_changed = memory_changed,
	.memory_written = memory_written,
	.translate = translate,
	.mask_cpuid = mask_cpuid,
};

void fake_backend_reset(void)
{
	fake_backend_run = run_script;
	memset(&fake_backend_injected, 0, sizeof(fake_backend_injected));
	fake_backend_runs = fake_backend_kicks = 0;
	fake_backend_completions = fake_backend_changes = fake_backend_writes = 0;
	fake_backend_state_changes = 0;
	fake_backend_stops = fake_backend_ended_vcpus = 0;
	exit_count = exit_next = 0;
}
