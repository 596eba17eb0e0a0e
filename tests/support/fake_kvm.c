/* SPDX-License-Identifier: MIT */
#include "tests/support/fake_kvm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COUNTED_MAX 64
#define ROUTES_MAX 1024

enum kind { SYSTEM, VM, VCPU };

struct os_kvm {
	enum kind kind;
	struct os_kvm *system;
	struct kvm_run *run; /* VCPU */
	/* SYSTEM: */
	const struct fake_exit *script;
	const struct fake_exit *last;
	uint32_t withheld;
	uint32_t failing;
	int error;
	struct {
		uint32_t command;
		unsigned count;
	} counted[COUNTED_MAX];
	struct kvm_irq_routing_entry routes[ROUTES_MAX];
	unsigned route_count;
	unsigned open_objects;
	struct kvm_regs regs;
	struct kvm_sregs sregs;
};

struct os_thread {
	int unused;
};

int os_thread_start(struct os_thread **thread, const char *name, void (*run)(void *), void *arg)
{
	(void)name;
	*thread = calloc(1, sizeof(**thread));
	if (!*thread)
		return -ENOMEM;
	run(arg);
	return 0;
}

void os_thread_kick(struct os_thread *thread)
{
	(void)thread;
}

void os_thread_join(struct os_thread *thread)
{
	free(thread);
}

struct os_kvm *fake_kvm_create(void)
{
	struct os_kvm *system = calloc(1, sizeof(*system));

	system->system = system;
	system->withheld = UINT32_MAX;
	return system;
}

void fake_kvm_destroy(struct os_kvm *system)
{
	free(system);
}

void fake_kvm_set_script(struct os_kvm *system, const struct fake_exit *script)
{
	system->script = script;
	system->last = NULL;
}

void fake_kvm_withhold(struct os_kvm *system, uint32_t capability)
{
	system->withheld = capability;
}

void fake_kvm_fail(struct os_kvm *system, uint32_t command, int error)
{
	system->failing = command;
	system->error = error;
}

static void count(struct os_kvm *system, uint32_t command)
{
	for (unsigned i = 0; i < COUNTED_MAX; i++) {
		if (system->counted[i].command && system->counted[i].command != command)
			continue;
		system->counted[i].command = command;
		system->counted[i].count++;
		return;
	}
}

unsigned fake_kvm_count(const struct os_kvm *system, uint32_t command)
{
	for (unsigned i = 0; i < COUNTED_MAX; i++)
		if (system->counted[i].command == command)
			return system->counted[i].count;
	return 0;
}

const struct kvm_irq_routing_entry *fake_kvm_route(const struct os_kvm *system, uint32_t gsi,
						   uint32_t type, uint32_t chip)
{
	for (unsigned i = 0; i < system->route_count; i++) {
		const struct kvm_irq_routing_entry *route = &system->routes[i];

		if (route->gsi == gsi && route->type == type &&
		    (type != KVM_IRQ_ROUTING_IRQCHIP || route->u.irqchip.irqchip == chip))
			return route;
	}
	return NULL;
}

unsigned fake_kvm_open_objects(const struct os_kvm *system)
{
	return system->open_objects;
}

const struct kvm_sregs *fake_kvm_sregs(const struct os_kvm *system)
{
	return &system->sregs;
}

const struct kvm_regs *fake_kvm_regs(const struct os_kvm *system)
{
	return &system->regs;
}

void fake_kvm_set_state(struct os_kvm *system, const struct kvm_regs *regs,
			const struct kvm_sregs *sregs)
{
	system->regs = *regs;
	system->sregs = *sregs;
}

static int64_t run(struct os_kvm *vcpu)
{
	struct os_kvm *system = vcpu->system;
	const struct fake_exit *exit = system->script;

	if (system->last && system->last->check)
		system->last->check(vcpu->run);
	system->last = exit;
	if (!exit || (!exit->fill && !exit->result)) {
		vcpu->run->exit_reason = KVM_EXIT_SHUTDOWN;
		return 0;
	}
	system->script++;
	if (exit->fill)
		exit->fill(vcpu->run);
	return exit->result;
}

static int64_t supported_cpuid(struct kvm_cpuid2 *cpuid)
{
	static const struct kvm_cpuid_entry2 entries[] = {
		{.function = 0x0, .eax = 0x10},
		{.function = 0x1, .ebx = 0xff000800, .ecx = 1u << 5},
		{.function = 0xb, .index = 0, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX},
		{.function = 0x80000001, .ecx = 1u << 2},
		{.function = 0x80000008, .eax = 40},
		{.function = 0x8000001d, .index = 0, .eax = 0x1 | 1 << 5},
		{.function = 0x8000001d, .index = 3, .eax = 0x3 | 3 << 5},
		{.function = 0x8000001e, .eax = 99},
	};

	if (cpuid->nent < sizeof(entries) / sizeof(entries[0]))
		return -E2BIG;
	cpuid->nent = sizeof(entries) / sizeof(entries[0]);
	memcpy(cpuid->entries, entries, sizeof(entries));
	return 0;
}

static int64_t set_routes(struct os_kvm *system, const struct kvm_irq_routing *routes)
{
	if (routes->nr > ROUTES_MAX)
		return -EINVAL;
	system->route_count = routes->nr;
	memcpy(system->routes, routes->entries, routes->nr * sizeof(routes->entries[0]));
	return 0;
}

int64_t os_kvm_command(struct os_kvm *object, uint32_t command, uint64_t arg)
{
	struct os_kvm *system = object->system;
	void *pointer = (void *)(uintptr_t)arg;

	count(system, command);
	if (system->error && system->failing == command)
		return system->error;
	switch (command) {
	case KVM_CHECK_EXTENSION:
		return arg == system->withheld ? 0 : arg == KVM_CAP_MAX_VCPUS ? 64 : 1;
	case KVM_GET_VCPU_MMAP_SIZE:
		return FAKE_KVM_RUN_SIZE;
	case KVM_GET_SUPPORTED_CPUID:
		return supported_cpuid(pointer);
	case KVM_SET_GSI_ROUTING:
		return set_routes(system, pointer);
	case KVM_GET_REGS:
		memcpy(pointer, &system->regs, sizeof(system->regs));
		return 0;
	case KVM_SET_REGS:
		memcpy(&system->regs, pointer, sizeof(system->regs));
		return 0;
	case KVM_GET_SREGS:
		memcpy(pointer, &system->sregs, sizeof(system->sregs));
		return 0;
	case KVM_SET_SREGS:
		memcpy(&system->sregs, pointer, sizeof(system->sregs));
		return 0;
	case KVM_RUN:
		return run(object);
	default:
		return 0;
	}
}

int os_kvm_adopt(struct os_kvm *parent, int64_t number, struct os_kvm **object)
{
	struct os_kvm *made = calloc(1, sizeof(*made));

	(void)number;
	if (!made)
		return -ENOMEM;
	made->kind = parent->kind == SYSTEM ? VM : VCPU;
	made->system = parent->system;
	made->system->open_objects++;
	*object = made;
	return 0;
}

void os_kvm_close(struct os_kvm *object)
{
	if (!object)
		return;
	object->system->open_objects--;
	free(object->run);
	free(object);
}

int os_kvm_map_run(struct os_kvm *vcpu, size_t size, void **shared)
{
	vcpu->run = calloc(1, size);
	*shared = vcpu->run;
	return vcpu->run ? 0 : -ENOMEM;
}
