/* SPDX-License-Identifier: MIT */
/* The table of commands: which object takes which, what must hold before, and what is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hypervisor/memory.h"
#include "hypervisor/run.h"
#include "tests/support/core_machine.h"
#include "tests/support/fake_backend.h"
#include "tests/support/fake_host.h"

static struct core_machine machine;

static int set_up(void **state)
{
	(void)state;
	core_machine_create(&machine, &fake_backend, true, 1);
	return 0;
}

static int set_up_empty(void **state)
{
	(void)state;
	core_machine_create(&machine, &fake_backend, false, 0);
	return 0;
}

static int set_up_without_irqchip(void **state)
{
	(void)state;
	core_machine_create(&machine, &fake_backend, false, 1);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	core_machine_destroy(&machine);
	return 0;
}

static int64_t system_command(uint32_t number, uint64_t arg)
{
	return hypervisor_system_command(&fake_backend, number, arg);
}

static void test_system(void **state)
{
	(void)state;
	assert_int_equal(system_command(KVM_GET_API_VERSION, 0), 12);
	assert_int_equal(system_command(KVM_GET_VCPU_MMAP_SIZE, 0), RUN_SIZE);
	assert_true(RUN_SIZE >= sizeof(struct kvm_run));
	assert_int_equal(system_command(KVM_CHECK_EXTENSION, KVM_CAP_IRQCHIP), 1);
	assert_int_equal(system_command(KVM_CHECK_EXTENSION, KVM_CAP_XSAVE2), 4096);
	assert_int_equal(system_command(KVM_CHECK_EXTENSION, KVM_CAP_X86_SMM), 0);
	assert_int_equal(system_command(KVM_CHECK_EXTENSION, KVM_CAP_NESTED_STATE), 0);
	assert_int_equal(system_command(KVM_CHECK_EXTENSION, UINT64_C(1) << 32), 0);
}

/* What the monitor can't do without (monitor/machine/partition.c). */
static void test_the_monitor_finds_what_it_needs(void **state)
{
	static const uint32_t needed[] = {
		KVM_CAP_USER_MEMORY, KVM_CAP_SET_TSS_ADDR,  KVM_CAP_EXT_CPUID,   KVM_CAP_MP_STATE,
		KVM_CAP_IRQCHIP,     KVM_CAP_PIT2,          KVM_CAP_IRQ_ROUTING, KVM_CAP_IRQFD,
		KVM_CAP_IOEVENTFD,   KVM_CAP_IMMEDIATE_EXIT};

	(void)state;
	for (unsigned i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		assert_true(system_command(KVM_CHECK_EXTENSION, needed[i]) > 0);
}

static void test_a_command_belongs_to_one_object(void **state)
{
	uint64_t buffer[128] = {0};

	(void)state;
	assert_int_equal(system_command(KVM_RUN, 0), -ENOTTY);
	assert_int_equal(system_command(KVM_IRQ_LINE, (uintptr_t)buffer), -ENOTTY);
	assert_int_equal(core_vm(&machine, KVM_GET_REGS, buffer), -ENOTTY);
	assert_int_equal(core_vm(&machine, KVM_GET_API_VERSION, NULL), -ENOTTY);
	assert_int_equal(core_vcpu(&machine, 0, KVM_IRQ_LINE, buffer), -ENOTTY);
	assert_int_equal(core_vcpu(&machine, 0, KVM_SMI, NULL), -ENOTTY);
	assert_int_equal(core_vcpu(&machine, 0, KVM_TPR_ACCESS_REPORTING, buffer), -ENOTTY);
	/* The same number with another size is another command. */
	assert_int_equal(core_vcpu(&machine, 0, KVM_GET_REGS + (8u << 16), buffer), -ENOTTY);
}

static void test_what_needs_an_irqchip(void **state)
{
	static const uint32_t vm_commands[] = {
		KVM_GET_IRQCHIP, KVM_SET_IRQCHIP,     KVM_CREATE_PIT2,     KVM_GET_PIT2,
		KVM_SET_PIT2,    KVM_IRQ_LINE,        KVM_IRQ_LINE_STATUS, KVM_SIGNAL_MSI,
		KVM_IRQFD,       KVM_SET_GSI_ROUTING, KVM_REINJECT_CONTROL};
	uint64_t buffer[128] = {0};

	(void)state;
	for (unsigned i = 0; i < sizeof(vm_commands) / sizeof(vm_commands[0]); i++)
		assert_int_equal(core_vm(&machine, vm_commands[i], buffer), -ENXIO);
	assert_int_equal(core_vcpu(&machine, 0, KVM_GET_LAPIC, buffer), -ENXIO);
	assert_int_equal(core_vcpu(&machine, 0, KVM_SET_LAPIC, buffer), -ENXIO);
	/* It is too late for one. */
	assert_int_equal(core_vm(&machine, KVM_CREATE_IRQCHIP, NULL), -EINVAL);
	buffer[0] = KVM_MP_STATE_HALTED;
	assert_int_equal(core_vcpu(&machine, 0, KVM_SET_MP_STATE, buffer), -EINVAL);
}

static void test_with_an_irqchip_interrupts_are_its_own(void **state)
{
	struct kvm_interrupt interrupt = {.irq = 0x20};

	(void)state;
	assert_int_equal(core_vcpu(&machine, 0, KVM_INTERRUPT, &interrupt), -ENXIO);
}

static void test_what_comes_before_vcpus(void **state)
{
	uint64_t address = 0xfffbc000;
	struct vcpu *vcpu, *other;

	(void)state;
	assert_int_equal(core_vm(&machine, KVM_SET_IDENTITY_MAP_ADDR, &address), 0);
	assert_int_equal(core_vm(&machine, KVM_SET_BOOT_CPU_ID, (void *)3), 0);
	assert_int_equal(core_vm(&machine, KVM_CREATE_IRQCHIP, NULL), 0);
	assert_int_equal(core_vm(&machine, KVM_CREATE_IRQCHIP, NULL), -EEXIST);
	assert_int_equal(hypervisor_create_vcpu(machine.vm, 3, &vcpu), 0);
	assert_int_equal(hypervisor_create_vcpu(machine.vm, 3, &other), -EEXIST);
	assert_int_equal(hypervisor_create_vcpu(machine.vm, 4096, &other), -EINVAL);
	assert_int_equal(core_vm(&machine, KVM_SET_IDENTITY_MAP_ADDR, &address), -EINVAL);
	assert_int_equal(core_vm(&machine, KVM_SET_BOOT_CPU_ID, (void *)3), -EBUSY);
	assert_int_equal(vcpu->mp_state, KVM_MP_STATE_RUNNABLE);
	hypervisor_put_vcpu(vcpu);
}

static void test_no_more_vcpus_than_there_may_be(void **state)
{
	struct vcpu *vcpus[VM_VCPUS_MAX + 1];

	(void)state;
	for (unsigned i = 0; i < VM_VCPUS_MAX; i++)
		assert_int_equal(hypervisor_create_vcpu(machine.vm, i, &vcpus[i]), 0);
	assert_int_equal(hypervisor_create_vcpu(machine.vm, 100, &vcpus[VM_VCPUS_MAX]), -EINVAL);
	for (unsigned i = 0; i < VM_VCPUS_MAX; i++)
		hypervisor_put_vcpu(vcpus[i]);
}

static void test_no_memory_for_a_vm_or_a_vcpu(void **state)
{
	size_t before = fake_host_allocated;
	struct vcpu *vcpu;
	struct vm *vm;

	(void)state;
	for (int left = 0; left < 3; left++) {
		fake_host_allocations_left = left;
		assert_int_equal(hypervisor_create_vm(&fake_backend, 0, &vm), -ENOMEM);
		assert_int_equal(fake_host_allocated, before);
	}
	for (int left = 0; left < 3; left++) {
		fake_host_allocations_left = left;
		assert_int_equal(hypervisor_create_vcpu(machine.vm, 9, &vcpu), -ENOMEM);
		assert_int_equal(fake_host_allocated, before);
	}
	fake_host_allocations_left = -1;
	assert_int_equal(hypervisor_create_vm(&fake_backend, 1, &vm), -EINVAL);
}

static void test_a_vm_lasts_as_long_as_its_vcpus(void **state)
{
	struct vcpu *vcpu;
	struct vm *vm;
	struct kvm_regs regs;

	(void)state;
	assert_int_equal(hypervisor_create_vm(&fake_backend, 0, &vm), 0);
	assert_int_equal(hypervisor_create_vcpu(vm, 0, &vcpu), 0);
	hypervisor_put_vm(vm);
	assert_int_equal(hypervisor_vcpu_command(vcpu, KVM_GET_REGS, (uint64_t)(uintptr_t)&regs),
			 0);
	hypervisor_put_vcpu(vcpu);
}

static void test_arguments_that_cannot_be_reached(void **state)
{
	(void)state;
	assert_int_equal(core_vm(&machine, KVM_SET_USER_MEMORY_REGION, NULL), -EFAULT);
	assert_int_equal(core_vm(&machine, KVM_SET_GSI_ROUTING, NULL), -EFAULT);
	assert_int_equal(core_vcpu(&machine, 0, KVM_GET_XSAVE, NULL), -EFAULT);
	assert_int_equal(core_vcpu(&machine, 0, KVM_SET_CPUID2, NULL), -EFAULT);
	assert_int_equal(core_vcpu(&machine, 0, KVM_SET_MSRS, NULL), -EFAULT);
	fake_host_allocations_left = 0;
	assert_int_equal(core_vcpu(&machine, 0, KVM_GET_XSAVE, NULL), -ENOMEM);
	fake_host_allocations_left = -1;
}

static void test_tsc_rate(void **state)
{
	const uintptr_t khz = FAKE_HOST_TSC_KHZ;

	(void)state;
	assert_int_equal(core_vcpu(&machine, 0, KVM_GET_TSC_KHZ, NULL), FAKE_HOST_TSC_KHZ);
	assert_int_equal(core_vcpu(&machine, 0, KVM_SET_TSC_KHZ, (void *)(khz + 400)), 0);
	assert_int_equal(core_vcpu(&machine, 0, KVM_SET_TSC_KHZ, (void *)(khz - 400)), 0);
	assert_int_equal(core_vcpu(&machine, 0, KVM_GET_TSC_KHZ, NULL), FAKE_HOST_TSC_KHZ);
	assert_int_equal(core_vcpu(&machine, 0, KVM_SET_TSC_KHZ, (void *)(khz / 2)), 0);
	assert_int_equal(core_vcpu(&machine, 0, KVM_GET_TSC_KHZ, NULL), FAKE_HOST_TSC_KHZ / 2);
	assert_int_equal(core_vcpu(&machine, 0, KVM_SET_TSC_KHZ, NULL), 0);
	assert_int_equal(core_vcpu(&machine, 0, KVM_GET_TSC_KHZ, NULL), FAKE_HOST_TSC_KHZ);
	assert_int_equal(core_vcpu(&machine, 0, KVM_SET_TSC_KHZ, (void *)(khz * 256)), -EINVAL);
	assert_int_equal(core_vcpu(&machine, 0, KVM_SET_TSC_KHZ, (void *)UINTPTR_MAX), -EINVAL);
	assert_int_equal(core_vm(&machine, KVM_SET_TSC_KHZ, (void *)khz), -EINVAL);
}

static void test_machine_checks(void **state)
{
	uint64_t supported = 0, some;

	(void)state;
	assert_int_equal(
		system_command(KVM_X86_GET_MCE_CAP_SUPPORTED, (uint64_t)(uintptr_t)&supported), 0);
	some = (supported & ~UINT64_C(0xff)) | 10;
	assert_int_equal(core_vcpu(&machine, 0, KVM_X86_SETUP_MCE, &some), 0);
	some = (supported & ~UINT64_C(0xff)) | 200;
	assert_int_equal(core_vcpu(&machine, 0, KVM_X86_SETUP_MCE, &some), -EINVAL);
	some = UINT64_C(1) << 40 | 10;
	assert_int_equal(core_vcpu(&machine, 0, KVM_X86_SETUP_MCE, &some), -EINVAL);
}

#define TEST(function, before) cmocka_unit_test_setup_teardown(function, before, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_system, set_up),
		TEST(test_the_monitor_finds_what_it_needs, set_up),
		TEST(test_a_command_belongs_to_one_object, set_up),
		TEST(test_what_needs_an_irqchip, set_up_without_irqchip),
		TEST(test_with_an_irqchip_interrupts_are_its_own, set_up),
		TEST(test_what_comes_before_vcpus, set_up_empty),
		TEST(test_no_more_vcpus_than_there_may_be, set_up_empty),
		TEST(test_no_memory_for_a_vm_or_a_vcpu, set_up),
		TEST(test_a_vm_lasts_as_long_as_its_vcpus, set_up),
		TEST(test_arguments_that_cannot_be_reached, set_up),
		TEST(test_tsc_rate, set_up),
		TEST(test_machine_checks, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
