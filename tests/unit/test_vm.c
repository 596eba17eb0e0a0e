/* SPDX-License-Identifier: MIT */
/*
 * A VM from its definition to its end, on a hypervisor that runs a script of exits in place of a
 * guest: every way to end, reboots, and nothing left behind by a VM that could not be made.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "monitor/devices/devices.h"
#include "monitor/vm.h"
#include "tests/support/fake_kvm.h"
#include "tests/support/fake_os.h"
#include "tests/support/kernels.h"

#define DEBUG_EXIT_PORT 0xf4
#define SLEEP_ENABLE (1u << 13)

struct fixture {
	struct os_kvm *system;
	struct os_loop *loop;
	struct os_console *console;
	struct image kernel;
	struct vm_config config;
	struct vm *vm;
	struct vm_outcome outcome;
	struct error why;
};

static struct fixture fixture;

static int set_up(void **state)
{
	static const struct kernel_segment segment = {.offset = 0x1000,
						      .address = KERNEL_ADDRESS,
						      .virtual_address = KERNEL_ADDRESS,
						      .file_size = 0x1000,
						      .memory_size = 0x1000};
	struct fixture *f = &fixture;

	memset(f, 0, sizeof(*f));
	f->system = fake_kvm_create();
	os_loop_create(&f->loop);
	f->console = fake_console_create();
	f->kernel = kernel_elf64(KERNEL_ADDRESS, 0, &segment, 1);
	fake_file_publish("kernel", f->kernel.bytes, f->kernel.size);
	f->config = (struct vm_config){
		.name = "test",
		.kernel = "kernel",
		.append = "",
		.cpus = 1,
		.memory = 64 * MIB,
		.disks = {{.path = "disk"}},
		.disk_count = 1,
		.nets = {{.kind = OS_NET_USER}},
		.net_count = 1,
		.rng = true,
		.balloon = true,
		.test_device = true,
	};
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	vm_destroy(f->vm);
	assert_int_equal(fake_kvm_open_objects(f->system), 0);
	fake_console_destroy(f->console);
	os_loop_destroy(f->loop);
	fake_kvm_destroy(f->system);
	image_free(&f->kernel);
	fake_file_publish(NULL, NULL, 0);
	return 0;
}

static int create(struct fixture *f)
{
	return vm_create(&f->config, f->system, f->loop, f->console, &f->vm, &f->why);
}

static void run_script(struct fixture *f, const struct fake_exit *script)
{
	assert_int_equal(create(f), 0);
	fake_kvm_set_script(f->system, script);
	vm_run(f->vm, &f->outcome);
}

static void write_port(struct kvm_run *run, uint16_t port, uint8_t size, uint32_t value)
{
	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = KVM_EXIT_IO_OUT;
	run->io.port = port;
	run->io.size = size;
	run->io.count = 1;
	run->io.data_offset = 4096;
	memcpy((uint8_t *)run + 4096, &value, sizeof(value));
}

static void say_a(struct kvm_run *run)
{
	write_port(run, 0x3f8, 1, 'a');
}

static void power_off(struct kvm_run *run)
{
	write_port(run, ACPI_PM1_CONTROL_PORT, 2, SLEEP_ENABLE | ACPI_SLEEP_TYPE_S5 << 10);
}

static void reset_by_acpi(struct kvm_run *run)
{
	write_port(run, ACPI_RESET_PORT, 1, ACPI_RESET_VALUE);
}

static void reset_by_i8042(struct kvm_run *run)
{
	write_port(run, 0x64, 1, 0xfe);
}

static void debug_exit(struct kvm_run *run)
{
	write_port(run, DEBUG_EXIT_PORT, 4, 17);
}

static void ask_to_stop(struct kvm_run *run)
{
	vm_stop(fixture.vm);
	say_a(run);
}

/* As Linux does after its last words: interrupts off, for ever. */
#define HALTED                                                                                     \
	{                                                                                          \
		-EINTR, NULL, NULL                                                                 \
	}
#define SCRIPT_END                                                                                 \
	{                                                                                          \
		0, NULL, NULL                                                                      \
	}

static void the_guest_powers_off(void **state)
{
	static const struct fake_exit script[] = {
		{0, say_a, NULL}, {0, power_off, NULL}, SCRIPT_END};
	struct fixture *f = *state;

	run_script(f, script);
	assert_int_equal(f->outcome.end, VM_END_POWER_OFF);
	assert_int_equal(f->outcome.reboots, 0);
	assert_string_equal(fake_console_output(f->console), "a");
}

static void the_guest_reboots_on_the_same_disks(void **state)
{
	static const struct fake_exit script[] = {{0, reset_by_acpi, NULL},
						  SCRIPT_END,
						  {0, say_a, NULL},
						  {0, power_off, NULL},
						  SCRIPT_END};
	struct fixture *f = *state;

	run_script(f, script);
	/* The first machine ran into its script's end after the reset: that is its own business. */
	assert_int_equal(f->outcome.reboots, 1);
	assert_int_equal(fake_kvm_count(f->system, KVM_CREATE_VM), 2);
}

static void the_keyboard_controller_resets(void **state)
{
	static const struct fake_exit script[] = {{0, reset_by_i8042, NULL}, SCRIPT_END};
	struct fixture *f = *state;

	run_script(f, script);
	assert_int_equal(f->outcome.reboots, 1);
	assert_int_equal(f->outcome.end, VM_END_CRASHED);
}

static void the_guest_says_how_it_went(void **state)
{
	static const struct fake_exit script[] = {{0, debug_exit, NULL}, SCRIPT_END};
	struct fixture *f = *state;

	run_script(f, script);
	assert_int_equal(f->outcome.end, VM_END_DEBUG_EXIT);
	assert_int_equal(f->outcome.debug_status, 17);
}

static void without_a_test_device_there_is_no_debug_exit(void **state)
{
	static const struct fake_exit script[] = {
		{0, debug_exit, NULL}, {0, power_off, NULL}, SCRIPT_END};
	struct fixture *f = *state;

	f->config.test_device = false;
	run_script(f, script);
	assert_int_equal(f->outcome.end, VM_END_POWER_OFF);
}

static void a_crash_is_told(void **state)
{
	static const struct fake_exit script[] = {SCRIPT_END};
	struct fixture *f = *state;

	run_script(f, script);
	assert_int_equal(f->outcome.end, VM_END_CRASHED);
	assert_non_null(strstr(f->outcome.text.text, "triple fault"));
}

static void a_hypervisor_that_fails_is_no_crash(void **state)
{
	static const struct fake_exit script[] = {{-EIO, NULL, NULL}, SCRIPT_END};
	struct fixture *f = *state;

	run_script(f, script);
	assert_int_equal(f->outcome.end, VM_END_ERROR);
}

static void a_stop_ends_it(void **state)
{
	static const struct fake_exit script[] = {{0, ask_to_stop, NULL}, SCRIPT_END};
	struct fixture *f = *state;

	run_script(f, script);
	assert_int_equal(f->outcome.end, VM_END_STOPPED);
}

static void a_stop_before_the_start_counts(void **state)
{
	static const struct fake_exit script[] = {HALTED, {0, power_off, NULL}, SCRIPT_END};
	struct fixture *f = *state;

	assert_int_equal(create(f), 0);
	fake_kvm_set_script(f->system, script);
	vm_stop(f->vm);
	vm_run(f->vm, &f->outcome);
	assert_int_equal(f->outcome.end, VM_END_STOPPED);
}

static void reset_then_stop(struct kvm_run *run)
{
	vm_stop(fixture.vm);
	say_a(run);
}

static void a_stop_wins_over_a_reset(void **state)
{
	static const struct fake_exit script[] = {
		{0, reset_by_acpi, NULL}, {0, reset_then_stop, NULL}, SCRIPT_END};
	struct fixture *f = *state;

	run_script(f, script);
	assert_int_equal(f->outcome.end, VM_END_STOPPED);
	assert_int_equal(f->outcome.reboots, 0);
}

static void what_cannot_be_made_leaves_nothing(void **state)
{
	static const uint32_t commands[] = {
		KVM_GET_SUPPORTED_CPUID, KVM_CREATE_VM, KVM_CREATE_IRQCHIP, KVM_CREATE_VCPU,
		KVM_SET_CPUID2,          KVM_SET_MSRS,  KVM_SET_SREGS,      KVM_SET_REGS};
	struct fixture *f = *state;

	for (unsigned i = 0; i < ARRAY_COUNT(commands); i++) {
		f->vm = NULL;
		fake_kvm_fail(f->system, commands[i], -EINVAL);
		assert_true(create(f) < 0);
		assert_int_not_equal(f->why.text[0], '\0');
		assert_int_equal(fake_kvm_open_objects(f->system), 0);
	}
}

static void missing_files_are_named(void **state)
{
	struct fixture *f = *state;

	f->config.initrd = "missing";
	assert_int_equal(create(f), -ENOENT);
	assert_non_null(strstr(f->why.text, "missing"));
}

static void more_memory_than_address_bits_is_refused(void **state)
{
	struct fixture *f = *state;

	f->config.memory = UINT64_C(1) << 40;
	assert_int_equal(create(f), -EINVAL);
	assert_non_null(strstr(f->why.text, "--memory"));
}

static void more_cpus_than_the_hypervisor_runs_are_refused(void **state)
{
	struct fixture *f = *state;

	f->config.cpus = 65;
	assert_true(create(f) < 0);
}

static void every_slot_can_be_filled(void **state)
{
	static const struct fake_exit script[] = {{0, power_off, NULL}, SCRIPT_END};
	struct fixture *f = *state;

	for (unsigned i = 0; i < VM_DISKS_MAX; i++)
		f->config.disks[i].path = "disk";
	f->config.disk_count = VM_DISKS_MAX;
	for (unsigned i = 0; i < VM_NETS_MAX; i++)
		f->config.nets[i].kind = OS_NET_USER;
	f->config.net_count = VM_NETS_MAX;
	f->config.console = VM_CONSOLE_VIRTIO;
	f->config.cpus = VM_CPUS_MAX;
	run_script(f, script);
	assert_int_equal(f->outcome.end, VM_END_POWER_OFF);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(the_guest_powers_off),
		TEST(the_guest_reboots_on_the_same_disks),
		TEST(the_keyboard_controller_resets),
		TEST(the_guest_says_how_it_went),
		TEST(without_a_test_device_there_is_no_debug_exit),
		TEST(a_crash_is_told),
		TEST(a_hypervisor_that_fails_is_no_crash),
		TEST(a_stop_ends_it),
		TEST(a_stop_before_the_start_counts),
		TEST(a_stop_wins_over_a_reset),
		TEST(what_cannot_be_made_leaves_nothing),
		TEST(missing_files_are_named),
		TEST(more_memory_than_address_bits_is_refused),
		TEST(more_cpus_than_the_hypervisor_runs_are_refused),
		TEST(every_slot_can_be_filled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
