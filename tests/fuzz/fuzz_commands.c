/* SPDX-License-Identifier: MIT */
/*
 * All commands of the core's ABI, in any order, with any bytes, between guests' exits of any kind
 * (the fake backend's), or guests that run what stands in their memory, instruction by instruction
 * (the soft one's): nothing breaks, and nothing is left when the VM has ended.
 */
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

#include "hypervisor/hypervisor.h"
#include "hypervisor/run.h"
#include "hypervisor/vm.h"
#include "tests/support/abi_commands.h"
#include "tests/support/fake_backend.h"
#include "tests/support/fake_host.h"
#include "tests/support/fuzz_input.h"

#define VCPUS 4
#define EVENTS 4
#define ARENA 0x40000
#define STEPS 400
#define EXITS_A_RUN 24

static uint8_t arena[ARENA] __attribute__((aligned(4096)));

struct machine {
	struct fuzz_input *input;
	struct vm *vm;
	struct vcpu *vcpus[VCPUS];
	unsigned vcpu_count;
	int32_t events[EVENTS];
	unsigned exits; /* left in this run */
};

static struct machine *current;

static uint32_t take_number(struct fuzz_input *input)
{
	uint32_t i = (uint32_t)fuzz_take(input, 1);

	if (i == 0xff)
		return (uint32_t)fuzz_take(input, 4);
	return abi_commands[i % ABI_COMMANDS];
}

/* A value, or an address in the arena, which then has new bytes from the input. */
static uint64_t take_argument(struct fuzz_input *input)
{
	uint8_t how = (uint8_t)fuzz_take(input, 1);
	size_t at, size;

	if (how == 0)
		return fuzz_take(input, 8);
	if (how < 8)
		return fuzz_take(input, 1);
	at = (size_t)fuzz_take(input, 2) * 4 % ARENA;
	size = how % 64;
	for (size_t i = 0; i < size && at + i < ARENA; i++)
		arena[at + i] = (uint8_t)fuzz_take(input, 1);
	if (how & 0x80) /* an address of the caller's within, as slots and logs have */
		for (size_t field = 0; field < 4; field++) {
			uint64_t user = (uintptr_t)arena + fuzz_take(input, 1) * 4096 % ARENA;

			if (at + 8 * field + 8 <= ARENA && (how & (1u << field)))
				memcpy(arena + at + 8 * field, &user, sizeof(user));
		}
	return (uintptr_t)arena + at;
}

static uint64_t take_address(struct fuzz_input *input, enum exit_space space)
{
	static const uint64_t interesting[] = {0xfee00000, 0xfec00000, 0xfee00300, 0xfee000b0};
	uint8_t how = (uint8_t)fuzz_take(input, 1);

	if (space == EXIT_SPACE_PORT)
		return how < 0x80 ? how : fuzz_take(input, 2);
	if (how < 0x80)
		return interesting[how % 4] + 16 * fuzz_take(input, 1);
	return fuzz_take(input, 8);
}

static void guest(struct vcpu *vcpu, struct exit *exit)
{
	struct fuzz_input *input = current->input;
	enum exit_kind kind = (enum exit_kind)(fuzz_take(input, 1) % (EXIT_FAILED + 1));

	if (!current->exits-- || !input->left) {
		current->exits = 0;
		fake_host_interrupted = true;
		exit->kind = EXIT_NONE;
		return;
	}
	memset(exit, 0, sizeof(*exit));
	exit->kind = kind;
	exit->length = (uint8_t)(fuzz_take(input, 1) % 16);
	switch (kind) {
	case EXIT_ACCESS:
		exit->access.space = (enum exit_space)(fuzz_take(input, 1) & 1);
		exit->access.write = fuzz_take(input, 1) & 1;
		exit->access.size = (uint8_t)(1u << (fuzz_take(input, 1) % 4));
		if (exit->access.space == EXIT_SPACE_PORT && exit->access.size == 8)
			exit->access.size = 4;
		exit->access.address = take_address(input, exit->access.space);
		exit->access.data = fuzz_take(input, 8);
		break;
	case EXIT_CR8_READ:
	case EXIT_CR8_WRITE:
		exit->reg = (uint8_t)(fuzz_take(input, 1) % CPU_REGISTERS);
		break;
	case EXIT_MSR_READ:
	case EXIT_MSR_WRITE:
	case EXIT_HYPERCALL:
	case EXIT_CPUID:
	case EXIT_XSETBV:
		vcpu->state.gpr[CPU_RCX] = fuzz_take(input, 4);
		vcpu->state.gpr[CPU_RAX] = fuzz_take(input, 4);
		vcpu->state.gpr[CPU_RDX] = fuzz_take(input, 2);
		break;
	case EXIT_FAILED:
		exit->failure.text = "as the fuzzer wants";
		break;
	default:
		break;
	}
	vcpu->state.rflags ^= fuzz_take(input, 1) & 1 ? UINT64_C(0x200) : 0;
}

static void check_vcpu(const struct vcpu *vcpu)
{
	fuzz_check(vcpu->state.cpl <= 3);
	fuzz_check(vcpu->state.rflags & 2);
	fuzz_check(vcpu->nmi_pending <= NMI_PENDING_MAX);
	fuzz_check(vcpu->queued_interrupt >= -1 && vcpu->queued_interrupt <= 255);
	fuzz_check(!vcpu->in_guest && !vcpu->blocked);
	fuzz_check(vcpu->state.xcr0 & 1);
}

/* A guest in software would run for ever: it is stopped after each instruction. */
static void run(struct machine *machine, struct vcpu *vcpu)
{
	bool soft = machine->vm->backend == &soft_backend;
	int64_t result;

	machine->exits = EXITS_A_RUN;
	do {
		if (soft)
			vcpu->debug_step = true;
		result = hypervisor_vcpu_command(vcpu, KVM_RUN, 0);
		fake_host_interrupted = false;
	} while (soft && machine->exits-- && !result);
}

static void command_vcpu(struct machine *machine, struct fuzz_input *input)
{
	struct vcpu *vcpu;

	if (!machine->vcpu_count)
		return;
	vcpu = machine->vcpus[fuzz_take(input, 1) % machine->vcpu_count];
	if (fuzz_take(input, 1) & 1) {
		run(machine, vcpu);
	} else {
		uint32_t number = take_number(input);
		uint64_t argument = take_argument(input);

		if (number == KVM_RUN)
			run(machine, vcpu);
		else
			hypervisor_vcpu_command(vcpu, number, argument);
	}
	check_vcpu(vcpu);
}

static void step(struct machine *machine, struct fuzz_input *input)
{
	switch (fuzz_take(input, 1) % 12) {
	case 0: {
		uint32_t number = take_number(input);

		hypervisor_system_command(machine->vm->backend, number, take_argument(input));
		break;
	}
	case 1:
	case 2:
	case 3: {
		uint32_t number = take_number(input);

		hypervisor_vm_command(machine->vm, number, take_argument(input));
		break;
	}
	case 4:
		if (machine->vcpu_count < VCPUS &&
		    hypervisor_create_vcpu(machine->vm, fuzz_take(input, 1),
					   &machine->vcpus[machine->vcpu_count]) == 0)
			machine->vcpu_count++;
		break;
	case 5:
		fake_host_advance(fuzz_take(input, 4));
		break;
	case 6:
		fake_host_event_signal(machine->events[fuzz_take(input, 1) % EVENTS]);
		break;
	case 7:
		if (machine->vcpu_count) {
			struct vcpu *vcpu =
				machine->vcpus[fuzz_take(input, 1) % machine->vcpu_count];

			((uint8_t *)hypervisor_vcpu_run(vcpu))[fuzz_take(input, 2) % RUN_SIZE] =
				(uint8_t)fuzz_take(input, 1);
		}
		break;
	case 8: {
		uint64_t user = (uintptr_t)arena + fuzz_take(input, 2) * 16 % ARENA;

		hypervisor_memory_written(machine->vm, user, fuzz_take(input, 2));
		break;
	}
	default:
		command_vcpu(machine, input);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {.at = data, .left = size};
	struct machine machine = {.input = &input};
	const struct backend *backend;

	fake_host_reset();
	fake_backend_reset();
	fake_backend_run = guest;
	fake_host_set_user_range(arena, sizeof(arena));
	memset(arena, 0, sizeof(arena));
	current = &machine;
	for (unsigned i = 0; i < EVENTS; i++)
		machine.events[i] = fake_host_event_create();
	backend = fuzz_take(&input, 1) & 1 ? &soft_backend : &fake_backend;
	fuzz_check(hypervisor_create_vm(backend, 0, &machine.vm) == 0);
	for (unsigned i = 0; i < STEPS && input.left; i++)
		step(&machine, &input);
	for (unsigned i = 0; i < machine.vcpu_count; i++)
		hypervisor_put_vcpu(machine.vcpus[i]);
	hypervisor_put_vm(machine.vm);
	fuzz_check(fake_host_allocated == 0);
	fuzz_check(fake_host_next_timer() == UINT64_MAX);
	return 0;
}
