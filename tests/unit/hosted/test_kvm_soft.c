/* SPDX-License-Identifier: MIT */
/*
 * test_kvm_soft.c - the KVM ABI on the core in this process: numbers and objects, small guests in
 * real mode, kicks, events, and code that a device changes.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "type2/process/process.h"

#define RAM_SIZE (64 * 1024)
#define CODE_START 0x1000
#define PORT 0x3f8

struct guest {
	struct os_kvm *system, *vm, *vcpu;
	struct kvm_run *run;
	uint8_t *ram;
	struct os_thread *thread;
	int64_t result;
	atomic_uint runs;
};

static struct os_kvm *adopt(struct os_kvm *parent, uint32_t command, uint64_t arg)
{
	int64_t number = os_kvm_command(parent, command, arg);
	struct os_kvm *object = NULL;

	assert_true(number >= 0);
	assert_int_equal(os_kvm_adopt(parent, number, &object), 0);
	assert_non_null(object);
	return object;
}

static void guest_begin(struct guest *guest, bool chips, const uint8_t *code, size_t size)
{
	struct kvm_userspace_memory_region region = {.memory_size = RAM_SIZE};
	struct kvm_regs regs = {.rip = CODE_START, .rflags = 2, .rsp = 0x8000, .rdx = PORT};
	struct kvm_sregs sregs;
	struct error why;
	void *memory;

	memset(guest, 0, sizeof(*guest));
	assert_int_equal(process_soft_open(&guest->system, &why), 0);
	guest->vm = adopt(guest->system, KVM_CREATE_VM, 0);
	if (chips)
		assert_int_equal(os_kvm_command(guest->vm, KVM_CREATE_IRQCHIP, 0), 0);
	assert_int_equal(os_ram_map(RAM_SIZE, &memory, &why), 0);
	guest->ram = memory;
	memcpy(guest->ram + CODE_START, code, size);
	region.userspace_addr = (uintptr_t)memory;
	assert_int_equal(os_kvm_pass(guest->vm, KVM_SET_USER_MEMORY_REGION, &region), 0);
	guest->vcpu = adopt(guest->vm, KVM_CREATE_VCPU, 0);
	assert_int_equal(
		os_kvm_map_run(guest->vcpu,
			       (size_t)os_kvm_command(guest->system, KVM_GET_VCPU_MMAP_SIZE, 0),
			       &memory),
		0);
	guest->run = memory;
	assert_int_equal(os_kvm_pass(guest->vcpu, KVM_GET_SREGS, &sregs), 0);
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	assert_int_equal(os_kvm_pass(guest->vcpu, KVM_SET_SREGS, &sregs), 0);
	assert_int_equal(os_kvm_pass(guest->vcpu, KVM_SET_REGS, &regs), 0);
}

static void guest_end(struct guest *guest)
{
	os_kvm_close(guest->vcpu);
	os_kvm_close(guest->vm);
	os_kvm_close(guest->system);
	os_ram_unmap(guest->ram, RAM_SIZE);
}

/* --- Objects ---------------------------------------------------------------------------------- */

static void test_numbers_name_objects_once(void **state)
{
	struct os_kvm *system, *vm, *vcpu, *none;
	struct error why;
	int64_t number;

	(void)state;
	assert_int_equal(process_soft_open(&system, &why), 0);
	assert_int_equal(os_kvm_command(system, KVM_GET_API_VERSION, 0), KVM_API_VERSION);
	assert_true(os_kvm_command(system, KVM_CHECK_EXTENSION, KVM_CAP_IMMEDIATE_EXIT) > 0);
	number = os_kvm_command(system, KVM_CREATE_VM, 0);
	assert_true(number >= 0);
	assert_int_equal(os_kvm_adopt(system, number + 1, &none), -EBADF);
	assert_int_equal(os_kvm_adopt(system, -1, &none), -EBADF);
	assert_int_equal(os_kvm_adopt(system, number, &vm), 0);
	assert_int_equal(os_kvm_adopt(system, number, &none), -EBADF);
	number = os_kvm_command(vm, KVM_CREATE_VCPU, 3);
	assert_int_equal(os_kvm_adopt(system, number, &none), -EBADF);
	assert_int_equal(os_kvm_adopt(vm, number, &vcpu), 0);
	assert_int_equal(os_kvm_command(vm, KVM_CREATE_VCPU, 3), -EEXIST);
	/* Parents may go first; what nobody adopted goes with its parent. */
	assert_true(os_kvm_command(vm, KVM_CREATE_VCPU, 4) >= 0);
	assert_true(os_kvm_command(system, KVM_CREATE_VM, 0) >= 0);
	os_kvm_close(system);
	os_kvm_close(vm);
	os_kvm_close(vcpu);
}

static void test_run_is_mapped_once(void **state)
{
	static const uint8_t code[] = {0xf4};
	struct guest guest;
	void *run;

	(void)state;
	guest_begin(&guest, false, code, sizeof(code));
	assert_int_equal(os_kvm_map_run(guest.vcpu, 4096, &run), -EBUSY);
	assert_int_equal(os_kvm_map_run(guest.vcpu, SIZE_MAX, &run), -EINVAL);
	assert_int_equal(os_kvm_map_run(guest.vm, 4096, &run), -EINVAL);
	guest_end(&guest);
}

static void test_bad_pointers_and_commands(void **state)
{
	static const uint8_t code[] = {0xf4};
	struct guest guest;

	(void)state;
	guest_begin(&guest, false, code, sizeof(code));
	assert_int_equal(os_kvm_command(guest.vcpu, KVM_GET_REGS, 8), -EFAULT);
	assert_int_equal(os_kvm_command(guest.vcpu, KVM_SET_SREGS, UINT64_MAX), -EFAULT);
	assert_int_equal(os_kvm_command(guest.vm, KVM_SET_USER_MEMORY_REGION, 0), -EFAULT);
	assert_true(os_kvm_command(guest.system, KVM_RUN, 0) < 0);
	assert_true(os_kvm_command(guest.vcpu, 0x12345678, 0) < 0);
	guest_end(&guest);
}

/* --- Guests ----------------------------------------------------------------------------------- */

static void test_port_and_halt(void **state)
{
	static const uint8_t code[] = {
		0xb0, 'A',  /* mov $'A', %al */
		0xee,       /* out %al, (%dx) */
		0xec,       /* in (%dx), %al */
		0x88, 0xc3, /* mov %al, %bl */
		0xf4,       /* hlt */
	};
	struct guest guest;
	struct kvm_regs regs;
	uint8_t *data;

	(void)state;
	guest_begin(&guest, false, code, sizeof(code));
	data = (uint8_t *)guest.run;
	assert_int_equal(os_kvm_command(guest.vcpu, KVM_RUN, 0), 0);
	assert_int_equal(guest.run->exit_reason, KVM_EXIT_IO);
	assert_int_equal(guest.run->io.direction, KVM_EXIT_IO_OUT);
	assert_int_equal(guest.run->io.port, PORT);
	assert_int_equal(data[guest.run->io.data_offset], 'A');
	assert_int_equal(os_kvm_command(guest.vcpu, KVM_RUN, 0), 0);
	assert_int_equal(guest.run->exit_reason, KVM_EXIT_IO);
	assert_int_equal(guest.run->io.direction, KVM_EXIT_IO_IN);
	data[guest.run->io.data_offset] = 'z';
	assert_int_equal(os_kvm_command(guest.vcpu, KVM_RUN, 0), 0);
	assert_int_equal(guest.run->exit_reason, KVM_EXIT_HLT);
	assert_int_equal(os_kvm_pass(guest.vcpu, KVM_GET_REGS, &regs), 0);
	assert_int_equal(regs.rbx & 0xff, 'z');
	assert_int_equal(regs.rip, CODE_START + sizeof(code));
	guest_end(&guest);
}

static void run_in_thread(void *arg)
{
	struct guest *guest = arg;

	guest->result = os_kvm_command(guest->vcpu, KVM_RUN, 0);
	atomic_fetch_add(&guest->runs, 1);
}

/* A kick that comes too early is none, so it is given again until it has an effect. */
static void guest_kick_out(struct guest *guest)
{
	uint64_t wait;

	assert_int_equal(os_thread_start(&guest->thread, "vcpu", run_in_thread, guest), 0);
	while (!atomic_load(&guest->runs)) {
		os_thread_kick(guest->thread);
		wait = os_clock_monotonic() + 100000;
		while (os_clock_monotonic() < wait)
			;
	}
	os_thread_join(guest->thread);
	assert_int_equal(guest->result, -EINTR);
}

static void test_kick_ends_an_endless_loop(void **state)
{
	static const uint8_t code[] = {0xeb, 0xfe}; /* jmp . */
	struct guest guest;

	(void)state;
	guest_begin(&guest, true, code, sizeof(code));
	guest_kick_out(&guest);
	guest_end(&guest);
}

static void test_kick_ends_a_halt(void **state)
{
	static const uint8_t code[] = {0xf4, 0xeb, 0xfd}; /* hlt; jmp .-1 */
	struct guest guest;

	(void)state;
	guest_begin(&guest, true, code, sizeof(code));
	guest_kick_out(&guest);
	guest_end(&guest);
}

static void test_immediate_exit(void **state)
{
	static const uint8_t code[] = {0xeb, 0xfe};
	struct guest guest;

	(void)state;
	guest_begin(&guest, true, code, sizeof(code));
	guest.run->immediate_exit = 1;
	assert_int_equal(os_kvm_command(guest.vcpu, KVM_RUN, 0), -EINTR);
	guest_end(&guest);
}

/* The guest goes round in code that it has run before when a device writes there. */
static void test_code_that_a_device_wrote(void **state)
{
	static const uint8_t code[] = {
		0xb0, 'A',  /* mov $'A', %al */
		0xee,       /* out %al, (%dx) */
		0xeb, 0xfb, /* jmp .-3 */
	};
	struct guest guest;
	uint8_t *data;

	(void)state;
	guest_begin(&guest, false, code, sizeof(code));
	data = (uint8_t *)guest.run;
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(os_kvm_command(guest.vcpu, KVM_RUN, 0), 0);
		assert_int_equal(guest.run->exit_reason, KVM_EXIT_IO);
		assert_int_equal(data[guest.run->io.data_offset], 'A' + i);
		guest.ram[CODE_START + 1]++;
		os_memory_written(guest.ram + CODE_START + 1, 1);
	}
	guest_end(&guest);
}

struct bell {
	struct os_loop *loop;
	unsigned rung;
};

static void bell_rung(void *arg)
{
	struct bell *bell = arg;

	bell->rung++;
	os_loop_stop(bell->loop);
}

static void test_doorbell(void **state)
{
	static const uint8_t code[] = {0xee, 0x42, 0xee, 0xf4}; /* out; inc %dx; out; hlt */
	struct kvm_ioeventfd doorbell = {.addr = PORT, .len = 0, .flags = KVM_IOEVENTFD_FLAG_PIO};
	struct bell bell = {.rung = 0};
	struct os_event *event;
	struct guest guest;

	(void)state;
	guest_begin(&guest, true, code, sizeof(code));
	assert_int_equal(os_loop_create(&bell.loop), 0);
	assert_int_equal(os_event_create(&event), 0);
	assert_int_equal(os_loop_watch(bell.loop, event, bell_rung, &bell), 0);
	doorbell.fd = os_event_handle(event);
	assert_int_equal(os_kvm_pass(guest.vm, KVM_IOEVENTFD, &doorbell), 0);
	assert_int_equal(os_kvm_command(guest.vcpu, KVM_RUN, 0), 0);
	assert_int_equal(guest.run->exit_reason, KVM_EXIT_IO);
	assert_int_equal(guest.run->io.port, PORT + 1);
	os_loop_run(bell.loop);
	assert_int_equal(bell.rung, 1);
	doorbell.fd = -1;
	doorbell.addr++;
	assert_true(os_kvm_pass(guest.vm, KVM_IOEVENTFD, &doorbell) < 0);
	guest_end(&guest);
	os_event_destroy(event);
	os_loop_destroy(bell.loop);
}

/* --- Time --------------------------------------------------------------------------------------
 */

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* What the guest's RDTSC says: it halts behind each. */
static uint64_t guest_tsc(struct guest *guest)
{
	struct kvm_regs regs;

	assert_int_equal(os_kvm_command(guest->vcpu, KVM_RUN, 0), 0);
	assert_int_equal(guest->run->exit_reason, KVM_EXIT_HLT);
	assert_int_equal(os_kvm_pass(guest->vcpu, KVM_GET_REGS, &regs), 0);
	return regs.rdx << 32 | (uint32_t)regs.rax;
}

/* A guest whose TSC counts a hundredth of what the host's does, and then three times as much. */
static void test_tsc_at_another_rate(void **state)
{
	static const uint8_t code[] = {0x0f, 0x31, 0xf4, 0xeb, 0xfb}; /* rdtsc; hlt; jmp */
	static const unsigned percents[] = {1, 300};
	struct guest guest;

	(void)state;
	guest_begin(&guest, false, code, sizeof(code));
	assert_int_equal(os_kvm_command(guest.system, KVM_CHECK_EXTENSION, KVM_CAP_TSC_CONTROL), 1);
	for (unsigned i = 0; i < 2; i++) {
		uint64_t khz, ticks, outer, inner;

		assert_int_equal(os_kvm_command(guest.vcpu, KVM_SET_TSC_KHZ, 0), 0);
		khz = (uint64_t)os_kvm_command(guest.vcpu, KVM_GET_TSC_KHZ, 0) * percents[i] / 100;
		assert_int_equal(os_kvm_command(guest.vcpu, KVM_SET_TSC_KHZ, khz), 0);
		assert_int_equal(os_kvm_command(guest.vcpu, KVM_GET_TSC_KHZ, 0), khz);
		outer = now_ns();
		ticks = guest_tsc(&guest);
		inner = now_ns();
		usleep(50000);
		inner = now_ns() - inner;
		ticks = guest_tsc(&guest) - ticks;
		outer = now_ns() - outer;
		/* The host's rate is known to a thousandth. */
		assert_in_range(ticks, inner * khz / 1000000 * 99 / 100,
				outer * khz / 1000000 * 101 / 100);
	}
	guest_end(&guest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_name_objects_once),
		cmocka_unit_test(test_run_is_mapped_once),
		cmocka_unit_test(test_bad_pointers_and_commands),
		cmocka_unit_test(test_port_and_halt),
		cmocka_unit_test(test_kick_ends_an_endless_loop),
		cmocka_unit_test(test_kick_ends_a_halt),
		cmocka_unit_test(test_immediate_exit),
		cmocka_unit_test(test_code_that_a_device_wrote),
		cmocka_unit_test(test_tsc_at_another_rate),
		cmocka_unit_test(test_doorbell),
	};

	process_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
