/* SPDX-License-Identifier: MIT */
/* Code that changes: by itself, through another mapping, by another vCPU, by a device. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hypervisor/x86/soft/code_pages.h"
#include "tests/support/soft_machine.h"

#define CODE SOFT_MACHINE_CODE
#define ALIAS UINT64_C(0x40000000) /* CODE's page, once more */
#define ALIAS_PD 0x7000u
#define ALIAS_PT 0x8000u

static int set_up(void **state)
{
	struct core_machine *machine = malloc(sizeof(*machine));

	soft_machine_create(machine, 2);
	*state = machine;
	return 0;
}

static int tear_down(void **state)
{
	core_machine_destroy(*state);
	free(*state);
	return 0;
}

static uint64_t rax(struct core_machine *m, unsigned i)
{
	return m->vcpus[i]->state.gpr[CPU_RAX];
}

static void map_alias(struct core_machine *m)
{
	uint64_t pdpt = ALIAS_PD | PTE_P | PTE_RW, pd = ALIAS_PT | PTE_P | PTE_RW,
		 pt = CODE | PTE_P | PTE_RW;

	memcpy(m->ram + SOFT_MACHINE_PDPT + 8, &pdpt, 8);
	memcpy(m->ram + ALIAS_PD, &pd, 8);
	memcpy(m->ram + ALIAS_PT, &pt, 8);
}

/* mov byte [rip + 1], 7; mov eax, 5; hlt: the store changes the next instruction of its block. */
static void next_instruction_is_seen(void **state)
{
	struct core_machine *m = *state;

	SOFT_CODE(m, CODE, 0xc6, 0x05, 1, 0, 0, 0, 7, 0xb8, 5, 0, 0, 0, 0xf4);
	assert_int_equal(soft_machine_run(m, 0, CODE), 0);
	assert_int_equal(rax(m, 0), 7);
}

/* A loop counts with an immediate that it changes each time round. */
static void loop_that_changes_itself(void **state)
{
	struct core_machine *m = *state;

	/* add eax, 1; inc byte [rip - 7]; dec ecx; jnz; hlt */
	SOFT_CODE(m, CODE, 0x83, 0xc0, 1, 0xfe, 0x05, 0xf9, 0xff, 0xff, 0xff, 0xff, 0xc9, 0x75,
		  0xf3, 0xf4);
	m->vcpus[0]->state.gpr[CPU_RAX] = 0;
	m->vcpus[0]->state.gpr[CPU_RCX] = 10;
	assert_int_equal(soft_machine_run(m, 0, CODE), 0);
	assert_int_equal(rax(m, 0), 55);
	assert_int_equal(m->ram[CODE + 2], 11);
}

static void write_through_another_mapping(void **state)
{
	struct core_machine *m = *state;

	map_alias(m);
	/* mov [rbx], cl; mov eax, 5; hlt, with RBX at the alias of the 5 */
	SOFT_CODE(m, CODE, 0x88, 0x0b, 0xb8, 5, 0, 0, 0, 0xf4);
	m->vcpus[0]->state.gpr[CPU_RBX] = ALIAS + 3;
	m->vcpus[0]->state.gpr[CPU_RCX] = 9;
	assert_int_equal(soft_machine_run(m, 0, CODE), 0);
	assert_int_equal(rax(m, 0), 9);
	/* And the other way round: code is run by the alias, written by the first. */
	m->vcpus[0]->state.gpr[CPU_RBX] = CODE + 3;
	m->vcpus[0]->state.gpr[CPU_RCX] = 11;
	assert_int_equal(soft_machine_run(m, 0, ALIAS), 0);
	assert_int_equal(rax(m, 0), 11);
}

/* Data beside code: writes leave the code's blocks alone, and what is written is there. */
static void data_beside_code(void **state)
{
	struct core_machine *m = *state;

	/* add [rip + 0x200], eax; loop: dec ecx; jnz; hlt */
	SOFT_CODE(m, CODE, 0x01, 0x05, 0, 2, 0, 0, 0xff, 0xc9, 0x75, 0xf6, 0xf4);
	m->vcpus[0]->state.gpr[CPU_RAX] = 3;
	m->vcpus[0]->state.gpr[CPU_RCX] = 100;
	assert_int_equal(soft_machine_run(m, 0, CODE), 0);
	assert_int_equal(m->ram[CODE + 0x206] | m->ram[CODE + 0x207] << 8, 300);
}

static void other_vcpu_writes(void **state)
{
	struct core_machine *m = *state;

	SOFT_CODE(m, CODE, 0xb8, 5, 0, 0, 0, 0xf4);
	SOFT_CODE(m, CODE + 0x1000, 0xc6, 0x03, 8, 0xf4); /* mov byte [rbx], 8; hlt */
	assert_int_equal(soft_machine_run(m, 0, CODE), 0);
	assert_int_equal(rax(m, 0), 5);
	m->vcpus[1]->state.gpr[CPU_RBX] = CODE + 1;
	assert_int_equal(soft_machine_run(m, 1, CODE + 0x1000), 0);
	assert_int_equal(soft_machine_run(m, 0, CODE), 0);
	assert_int_equal(rax(m, 0), 8);
}

/* The other vCPU had the right to write to the page before there was code in it. */
static void other_vcpu_had_the_right(void **state)
{
	struct core_machine *m = *state;

	SOFT_CODE(m, CODE + 0x1000, 0xc6, 0x03, 0xb8, 0xf4); /* mov byte [rbx], 0xb8; hlt */
	SOFT_CODE(m, CODE, 0, 5, 0, 0, 0, 0xf4);
	m->vcpus[1]->state.gpr[CPU_RBX] = CODE;
	assert_int_equal(soft_machine_run(m, 1, CODE + 0x1000), 0);
	assert_int_equal(soft_machine_run(m, 0, CODE), 0);
	assert_int_equal(rax(m, 0), 5);
	m->vcpus[1]->state.gpr[CPU_RBX] = CODE + 1;
	SOFT_CODE(m, CODE + 0x1000, 0xc6, 0x03, 6, 0xf4);
	assert_int_equal(soft_machine_run(m, 1, CODE + 0x1000), 0);
	assert_int_equal(soft_machine_run(m, 0, CODE), 0);
	assert_int_equal(rax(m, 0), 6);
}

static void device_writes(void **state)
{
	struct core_machine *m = *state;

	for (uint8_t i = 1; i < 5; i++) {
		SOFT_CODE(m, CODE, 0xb8, i, 0, 0, 0, 0xf4);
		assert_int_equal(soft_machine_run(m, 0, CODE), 0);
		assert_int_equal(rax(m, 0), i);
	}
}

/* An instruction that begins in one page and ends in the next, each of which changes. */
static void instruction_in_two_pages(void **state)
{
	struct core_machine *m = *state;
	uint64_t at = CODE + 0x1000 - 3;

	SOFT_CODE(m, at, 0xb8, 1, 2, 3, 4, 0xf4);
	assert_int_equal(soft_machine_run(m, 0, at), 0);
	assert_int_equal(rax(m, 0), 0x04030201);
	SOFT_CODE(m, CODE + 0x1000, 5);
	assert_int_equal(soft_machine_run(m, 0, at), 0);
	assert_int_equal(rax(m, 0), 0x04050201);
	SOFT_CODE(m, CODE + 0x1000 - 1, 6);
	assert_int_equal(soft_machine_run(m, 0, at), 0);
	assert_int_equal(rax(m, 0), 0x04050601);
}

/* A branch within a page, to code that is replaced after it was linked. */
static void linked_block_is_replaced(void **state)
{
	struct core_machine *m = *state;

	SOFT_CODE(m, CODE, 0xeb, 0x0e);                    /* jmp +14 */
	SOFT_CODE(m, CODE + 0x10, 0xb8, 1, 0, 0, 0, 0xf4); /* mov eax, 1; hlt */
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(soft_machine_run(m, 0, CODE), 0);
	SOFT_CODE(m, CODE + 0x10, 0xb8, 2, 0, 0, 0, 0xf4);
	assert_int_equal(soft_machine_run(m, 0, CODE), 0);
	assert_int_equal(rax(m, 0), 2);
}

/* More code than there is room for: blocks are given up and made again. */
static void more_than_fits(void **state)
{
	struct core_machine *m = *state;
	uint8_t *page = m->ram + CODE;

	for (unsigned round = 0; round < 600; round++) {
		/* A page of different instructions, each with an operand of its own. */
		for (unsigned i = 0; i < 680; i++)
			memcpy(page + i * 6, (const uint8_t[]){0x81, 0xc0, (uint8_t)i, 0, 0, 0}, 6);
		page[4080] = 0xf4;
		hypervisor_memory_written(m->vm, (uintptr_t)page, 4096);
		m->vcpus[0]->state.gpr[CPU_RAX] = round;
		assert_int_equal(soft_machine_run(m, 0, CODE), 0);
	}
	assert_int_equal(rax(m, 0), 599 + 2 * 32640 + 168 * 167 / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(next_instruction_is_seen, set_up, tear_down),
		cmocka_unit_test_setup_teardown(loop_that_changes_itself, set_up, tear_down),
		cmocka_unit_test_setup_teardown(write_through_another_mapping, set_up, tear_down),
		cmocka_unit_test_setup_teardown(data_beside_code, set_up, tear_down),
		cmocka_unit_test_setup_teardown(other_vcpu_writes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(other_vcpu_had_the_right, set_up, tear_down),
		cmocka_unit_test_setup_teardown(device_writes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(instruction_in_two_pages, set_up, tear_down),
		cmocka_unit_test_setup_teardown(linked_block_is_replaced, set_up, tear_down),
		cmocka_unit_test_setup_teardown(more_than_fits, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
