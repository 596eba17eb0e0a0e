/* SPDX-License-Identifier: MIT */
/*
 * test_os_kvm.c - the KVM ABI by ioctl, and the choice of a node.  What needs a node that answers
 * is skipped where there is none; a guest in real mode runs even on a paravirtual one.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "type2/process/kvm.h"
#include "type2/process/process.h"

static void expect_open_error(const char *path, int error, const char *words)
{
	struct os_kvm *kvm;
	struct error why;

	assert_int_equal(process_kvm_open(path, &kvm, &why), error);
	assert_non_null(strstr(why.text, path));
	assert_non_null(strstr(why.text, words));
}

static void test_missing_node_says_what_to_load(void **state)
{
	(void)state;
	expect_open_error("/nowhere/kvm", -ENOENT, "modprobe kvm-intel or kvm-amd");
}

static void test_missing_driver_says_how_to_load_it(void **state)
{
	(void)state;
	if (access(PROCESS_DYAD_NODE, F_OK) == 0)
		skip();
	expect_open_error(PROCESS_DYAD_NODE, -ENOENT, "modprobe dyad");
}

static void test_node_that_is_no_hypervisor_is_refused(void **state)
{
	(void)state;
	expect_open_error("/dev/null", -ENOTTY, "is no hypervisor");
}

static void become(unsigned id)
{
	if (!id)
		assert_int_equal(seteuid(id), 0);
	assert_int_equal(setegid(id), 0);
	if (id)
		assert_int_equal(seteuid(id), 0);
}

static void test_no_right_to_open_names_the_group(void **state)
{
	char path[] = "/tmp/dyad-test-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	/* Root may open everything, so not as root. */
	if (getuid() == 0) {
		become(65534);
		expect_open_error(path, -EACCES, "for root alone");
		become(0);
		assert_int_equal(chmod(path, 0660), 0);
		become(65534);
		expect_open_error(path, -EACCES, "members of the group root");
		become(0);
	} else {
		assert_int_equal(chmod(path, 0), 0);
		expect_open_error(path, -EACCES, "for root alone");
	}
	unlink(path);
}

static void expect_verdict(const struct kvm_facts *facts, int verdict, const char *words)
{
	struct error why = {""};

	assert_int_equal(kvm_judge(facts, "/dev/kvm", &why), verdict);
	if (verdict) {
		assert_non_null(strstr(why.text, "/dev/kvm"));
		assert_non_null(strstr(why.text, words));
	}
}

static void test_verdict_on_nodes(void **state)
{
	struct kvm_facts facts = {.svm = true, .api_version = KVM_API_VERSION};

	(void)state;
	expect_verdict(&facts, 0, NULL);
	facts = (struct kvm_facts){.vmx = true, .api_version = KVM_API_VERSION};
	expect_verdict(&facts, 0, NULL);
	facts.missing = "KVM_CAP_IRQFD";
	expect_verdict(&facts, -ENOTSUP, "KVM_CAP_IRQFD");
	facts = (struct kvm_facts){.vmx = true, .api_version = 11};
	expect_verdict(&facts, -ENOTSUP, "version 11");
	facts = (struct kvm_facts){.api_version = KVM_API_VERSION};
	expect_verdict(&facts, -ENOTSUP, "neither svm nor vmx");
	facts.paravirtual = true;
	expect_verdict(&facts, -ENOTSUP, "paravirtual guests only");
	expect_verdict(&facts, -ENOTSUP, "nested virtualization");
}

/* --- On a node that answers
 * --------------------------------------------------------------------------- */

static struct os_kvm *open_or_skip(void)
{
	struct os_kvm *kvm;
	struct error why;

	if (process_kvm_open("/dev/kvm", &kvm, &why) != 0)
		skip();
	return kvm;
}

static void test_probe_agrees_with_the_processor(void **state)
{
	struct os_kvm *kvm = open_or_skip();
	struct error why;
	int verdict = process_kvm_probe(kvm, "/dev/kvm", &why);

	(void)state;
	if (access("/sys/module/kvm_pvm", F_OK) == 0)
		assert_int_equal(verdict, -ENOTSUP);
	else
		assert_true(verdict == 0 || verdict == -ENOTSUP);
	os_kvm_close(kvm);
}

static void test_errors_of_commands_are_negative_errnos(void **state)
{
	struct os_kvm *kvm = open_or_skip();

	(void)state;
	assert_int_equal(os_kvm_command(kvm, KVM_GET_API_VERSION, 0), KVM_API_VERSION);
	assert_int_equal(os_kvm_command(kvm, KVM_GET_API_VERSION, 1), -EINVAL);
	assert_int_equal(os_kvm_command(kvm, KVM_GET_SUPPORTED_CPUID, 8), -EFAULT);
	os_kvm_close(kvm);
	os_kvm_close(NULL);
}

struct guest {
	struct os_kvm *kvm, *vm, *vcpu;
	struct kvm_run *run;
	void *ram;
	atomic_bool running;
	int64_t result;
};

static int64_t command_pointer(struct os_kvm *object, uint32_t command, void *arg)
{
	return os_kvm_command(object, command, (uintptr_t)arg);
}

/* A VM with one vCPU that executes code in real mode at 0x1000. */
static void guest_create(struct guest *guest, const void *code, size_t size)
{
	struct kvm_userspace_memory_region region = {.guest_phys_addr = 0x1000,
						     .memory_size = 4096};
	struct kvm_regs registers = {.rip = 0x1000, .rflags = 2};
	struct kvm_sregs segments;
	struct error why;
	void *run;

	guest->kvm = open_or_skip();
	assert_int_equal(
		os_kvm_adopt(guest->kvm, os_kvm_command(guest->kvm, KVM_CREATE_VM, 0), &guest->vm),
		0);
	assert_int_equal(os_kvm_adopt(guest->vm, os_kvm_command(guest->vm, KVM_CREATE_VCPU, 0),
				      &guest->vcpu),
			 0);
	assert_int_equal(
		os_kvm_map_run(guest->vcpu,
			       (size_t)os_kvm_command(guest->kvm, KVM_GET_VCPU_MMAP_SIZE, 0), &run),
		0);
	guest->run = run;
	assert_int_equal(os_ram_map(4096, &guest->ram, &why), 0);
	memcpy(guest->ram, code, size);
	region.userspace_addr = (uintptr_t)guest->ram;
	assert_int_equal(command_pointer(guest->vm, KVM_SET_USER_MEMORY_REGION, &region), 0);
	assert_int_equal(command_pointer(guest->vcpu, KVM_GET_SREGS, &segments), 0);
	segments.cs.base = segments.cs.selector = 0;
	assert_int_equal(command_pointer(guest->vcpu, KVM_SET_SREGS, &segments), 0);
	assert_int_equal(command_pointer(guest->vcpu, KVM_SET_REGS, &registers), 0);
}

static void guest_destroy(struct guest *guest)
{
	os_kvm_close(guest->vcpu);
	os_kvm_close(guest->vm);
	os_kvm_close(guest->kvm);
	os_ram_unmap(guest->ram, 4096);
}

static void test_guest_runs_and_exits(void **state)
{
	static const uint8_t code[] = {0xb0, 0x42, 0xe6, 0xf4}; /* mov $0x42,%al; out %al,$0xf4 */
	struct guest guest = {0};
	void *run;

	(void)state;
	guest_create(&guest, code, sizeof(code));
	assert_int_equal(os_kvm_map_run(guest.vcpu, 4096, &run), -EBUSY);
	assert_int_equal(os_kvm_command(guest.vcpu, KVM_RUN, 0), 0);
	assert_int_equal(guest.run->exit_reason, KVM_EXIT_IO);
	assert_int_equal(guest.run->io.port, 0xf4);
	assert_int_equal(*((uint8_t *)guest.run + guest.run->io.data_offset), 0x42);
	guest_destroy(&guest);
}

static void guest_loop(void *arg)
{
	struct guest *guest = arg;

	atomic_store(&guest->running, true);
	guest->result = os_kvm_command(guest->vcpu, KVM_RUN, 0);
}

static void test_kick_ends_a_run_under_way(void **state)
{
	static const uint8_t code[] = {0xeb, 0xfe}; /* jmp . */
	struct guest guest = {0};
	struct os_thread *thread;

	(void)state;
	guest_create(&guest, code, sizeof(code));
	assert_int_equal(os_thread_start(&thread, "vcpu", guest_loop, &guest), 0);
	while (!atomic_load(&guest.running))
		;
	/* As the monitor does: what comes before KVM_RUN is covered by immediate_exit. */
	__atomic_store_n(&guest.run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	os_thread_kick(thread);
	os_thread_join(thread);
	assert_int_equal(guest.result, -EINTR);
	guest_destroy(&guest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_missing_node_says_what_to_load),
		cmocka_unit_test(test_missing_driver_says_how_to_load_it),
		cmocka_unit_test(test_node_that_is_no_hypervisor_is_refused),
		cmocka_unit_test(test_no_right_to_open_names_the_group),
		cmocka_unit_test(test_verdict_on_nodes),
		cmocka_unit_test(test_probe_agrees_with_the_processor),
		cmocka_unit_test(test_errors_of_commands_are_negative_errnos),
		cmocka_unit_test(test_guest_runs_and_exits),
		cmocka_unit_test(test_kick_ends_a_run_under_way),
	};

	process_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
