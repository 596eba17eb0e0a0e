/* SPDX-License-Identifier: MIT */
/* Which CPU a guest sees, and what that allows it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <linux/kvm_para.h>

#include "hw/cpuid.h"
#include "hw/msr.h"
#include "hw/x86.h"
#include "hypervisor/cpuid.h"
#include "hypervisor/cpuid_table.h"
#include "tests/support/core_machine.h"
#include "tests/support/fake_backend.h"
#include "tests/support/fake_host.h"

struct table {
	struct kvm_cpuid2 head;
	struct kvm_cpuid_entry2 entries[CPUID_ENTRIES_LIMIT + 1];
};

static struct core_machine machine;

static int set_up(void **state)
{
	(void)state;
	core_machine_create(&machine, &fake_backend, true, 1);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	core_machine_destroy(&machine);
	return 0;
}

static int64_t get_supported(struct table *table)
{
	memset(table, 0, sizeof(*table));
	table->head.nent = CPUID_ENTRIES_LIMIT;
	return hypervisor_system_command(&fake_backend, KVM_GET_SUPPORTED_CPUID, (uintptr_t)table);
}

static struct kvm_cpuid_entry2 *find(struct table *table, uint32_t leaf, uint32_t index)
{
	for (uint32_t i = 0; i < table->head.nent; i++)
		if (table->entries[i].function == leaf && table->entries[i].index == index)
			return &table->entries[i];
	fail_msg("no leaf 0x%x", leaf);
	return NULL;
}

static void test_supported(void **state)
{
	struct kvm_cpuid_entry2 *entry;
	struct table table;

	(void)state;
	assert_int_equal(get_supported(&table), 0);
	entry = find(&table, CPUID_LEAF_FEATURES, 0);
	assert_true(entry->ecx & CPUID_1_ECX_X2APIC);
	assert_true(entry->ecx & CPUID_1_ECX_HYPERVISOR);
	assert_true(entry->ecx & CPUID_1_ECX_AVX);
	assert_false(entry->ecx & CPUID_1_ECX_OSXSAVE); /* the guest's CR4 says it */
	assert_false(entry->ecx & (CPUID_1_ECX_VMX | 1u << 3 | 1u << 15)); /* MONITOR, PDCM */
	assert_int_equal(entry->ebx >> 16, 0);
	entry = find(&table, CPUID_LEAF_EXTENDED_FEATURES, 0);
	assert_false(entry->ecx & CPUID_80000001_ECX_SVM);
	assert_true(entry->edx & CPUID_80000001_EDX_LM);
	entry = find(&table, CPUID_LEAF_STRUCTURED, 0);
	assert_true(entry->ebx & CPUID_7_EBX_TSC_ADJUST);
	assert_false(entry->ebx & (1u << 14 | 1u << 16)); /* MPX, AVX-512 */
	entry = find(&table, CPUID_LEAF_XSAVE, 0);
	assert_int_equal(entry->eax, XCR0_X87 | XCR0_SSE | XCR0_AVX);
	assert_int_equal(entry->ecx, 832);
	entry = find(&table, KVM_CPUID_SIGNATURE, 0);
	assert_memory_equal(&entry->ebx, "KVMKVMKVM\0\0\0", 12);
	entry = find(&table, KVM_CPUID_FEATURES, 0);
	assert_true(entry->eax & 1u << KVM_FEATURE_CLOCKSOURCE2);
	assert_true(entry->eax & 1u << KVM_FEATURE_CLOCKSOURCE_STABLE_BIT);
	assert_false(entry->eax & 1u << KVM_FEATURE_PV_UNHALT);
}

static void test_list_needs_room(void **state)
{
	struct table table = {.head = {.nent = 3}};

	(void)state;
	assert_int_equal(hypervisor_system_command(&fake_backend, KVM_GET_SUPPORTED_CPUID,
						   (uintptr_t)&table),
			 -E2BIG);
	assert_int_equal(hypervisor_system_command(&fake_backend, KVM_GET_SUPPORTED_CPUID, 0),
			 -EFAULT);
	assert_int_equal(
		hypervisor_system_command(&fake_backend, KVM_GET_EMULATED_CPUID, (uintptr_t)&table),
		0);
	assert_int_equal(table.head.nent, 0);
}

static void with_pku(uint32_t leaf, uint32_t subleaf, uint32_t registers[4])
{
	memset(registers, 0, 16);
	if (leaf == 0)
		registers[0] = 0xd;
	else if (leaf == 1)
		registers[2] = CPUID_1_ECX_XSAVE | CPUID_1_ECX_AVX;
	else if (leaf == 7)
		registers[2] = CPUID_7_ECX_PKU;
	else if (leaf == 0xd && subleaf == 0)
		registers[0] = 0xe7; /* AVX-512, too */
}

static void test_protection_keys_make_the_area_larger(void **state)
{
	struct table table;

	(void)state;
	fake_host_cpuid = with_pku;
	assert_int_equal(get_supported(&table), 0);
	assert_int_equal(find(&table, CPUID_LEAF_XSAVE, 0)->eax, 0x207);
	assert_int_equal(find(&table, CPUID_LEAF_XSAVE, 0)->ecx, 2696);
	assert_int_equal(find(&table, CPUID_LEAF_XSAVE, 9)->ebx, 2688);
}

static void test_set_and_get(void **state)
{
	static struct table table, read;

	(void)state;
	assert_int_equal(get_supported(&table), 0);
	assert_int_equal(core_vcpu(&machine, 0, KVM_SET_CPUID2, &table), 0);
	read.head.nent = 1;
	assert_int_equal(core_vcpu(&machine, 0, KVM_GET_CPUID2, &read), -E2BIG);
	assert_int_equal(read.head.nent, table.head.nent);
	assert_int_equal(core_vcpu(&machine, 0, KVM_GET_CPUID2, &read), 0);
	assert_memory_equal(read.entries, table.entries,
			    table.head.nent * sizeof(table.entries[0]));
	table.head.nent = CPUID_ENTRIES_LIMIT + 1;
	assert_int_equal(core_vcpu(&machine, 0, KVM_SET_CPUID2, &table), -E2BIG);
}

static void test_limits_follow_the_table(void **state)
{
	struct vcpu *vcpu = machine.vcpus[0];
	static struct table table;

	(void)state;
	assert_int_equal(get_supported(&table), 0);
	assert_true(vcpu->limits.cr4 & CR4_SMEP);
	assert_int_equal(vcpu->limits.physical_bits, 48);
	find(&table, CPUID_LEAF_STRUCTURED, 0)->ebx &= ~CPUID_7_EBX_SMEP;
	find(&table, CPUID_LEAF_ADDRESS_SIZES, 0)->eax = 0x3028;
	find(&table, CPUID_LEAF_XSAVE, 0)->eax = 0x3 | 0xe0;
	assert_int_equal(core_vcpu(&machine, 0, KVM_SET_CPUID2, &table), 0);
	assert_false(vcpu->limits.cr4 & CR4_SMEP);
	assert_int_equal(vcpu->limits.physical_bits, 40);
	assert_int_equal(vcpu->limits.xcr0, 3); /* no more than the core keeps */
	assert_true(vcpu->limits.efer & EFER_NXE);
	table.head.nent = 0;
	assert_int_equal(core_vcpu(&machine, 0, KVM_SET_CPUID2, &table), 0);
	assert_int_equal(vcpu->limits.efer, 0);
}

static void test_instruction(void **state)
{
	struct vcpu *vcpu = machine.vcpus[0];
	uint32_t values[4];

	(void)state;
	cpuid_execute(vcpu, CPUID_LEAF_FEATURES, 0, values);
	assert_false(values[CPUID_ECX] & CPUID_1_ECX_OSXSAVE);
	vcpu->state.cr4 |= CR4_OSXSAVE;
	cpuid_execute(vcpu, CPUID_LEAF_FEATURES, 0, values);
	assert_true(values[CPUID_ECX] & CPUID_1_ECX_OSXSAVE);
	vcpu->state.xcr0 = XCR0_X87;
	cpuid_execute(vcpu, CPUID_LEAF_XSAVE, 0, values);
	assert_int_equal(values[CPUID_EBX], 576);
	vcpu->state.xcr0 = XCR0_X87 | XCR0_SSE | XCR0_AVX;
	cpuid_execute(vcpu, CPUID_LEAF_XSAVE, 0, values);
	assert_int_equal(values[CPUID_EBX], 832);
	/* An AMD CPU answers nothing for what isn't. */
	cpuid_execute(vcpu, 0x12345, 0, values);
	assert_int_equal(values[0] | values[1] | values[2] | values[3], 0);
	cpuid_execute(vcpu, CPUID_LEAF_XSAVE, 40, values);
	assert_int_equal(values[0] | values[1] | values[2] | values[3], 0);
}

static void test_intel_repeats_its_last_leaf(void **state)
{
	static struct table table = {
		.head = {.nent = 2},
		.entries = {{.function = 0, .eax = 1, .ebx = CPUID_VENDOR_INTEL_EBX},
			    {.function = 1, .eax = 0x123}},
	};
	uint32_t values[4];

	(void)state;
	assert_int_equal(core_vcpu(&machine, 0, KVM_SET_CPUID2, &table), 0);
	cpuid_execute(machine.vcpus[0], 0x55, 0, values);
	assert_int_equal(values[CPUID_EAX], 0x123);
	cpuid_execute(machine.vcpus[0], 0x80000000, 0, values);
	assert_int_equal(values[CPUID_EAX], 0x123);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_supported),
		TEST(test_list_needs_room),
		TEST(test_protection_keys_make_the_area_larger),
		TEST(test_set_and_get),
		TEST(test_limits_follow_the_table),
		TEST(test_instruction),
		TEST(test_intel_repeats_its_last_leaf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
