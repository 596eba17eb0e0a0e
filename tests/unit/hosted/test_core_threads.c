/* SPDX-License-Identifier: MIT */
/*
 * test_core_threads.c - what commands change while vCPUs run on threads of their own: memory slots,
 * dirty logs, ioeventfds.  A guest that uses all of them must go on, and no write may be missed.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "type2/process/process.h"

#define VCPUS 3
#define RAM_SIZE 0x8000
#define CODE 0x1000
#define COUNTERS 0x2000 /* a byte of each vCPU, a page apart */
#define COUNTER_PAGE(vcpu) (COUNTERS / 4096 + (vcpu))
#define WINDOW 0x8000 /* a slot that comes and goes */
#define PORT 0x80
#define ROUNDS 30

/* DI has the vCPU's counter. */
static const uint8_t code[] = {
	0xfe, 0x05,       /* again: inc byte [di] */
	0xe6, PORT,       /*        out PORT, al */
	0xa0, 0x00, 0x80, /*        mov al, [WINDOW] */
	0xa2, 0x04, 0x80, /*        mov [WINDOW + 4], al */
	0xeb, 0xf4,       /*        jmp again */
};

struct machine;

struct cpu {
	struct machine *machine;
	struct os_kvm *kvm;
	struct kvm_run *run;
	struct os_thread *thread;
	int64_t failure;
};

struct machine {
	struct os_kvm *system, *vm;
	struct cpu cpus[VCPUS];
	uint8_t *ram, *window;
	struct os_event *event;
	atomic_bool stop;
};

static struct os_kvm *adopt(struct os_kvm *parent, uint32_t command, uint64_t arg)
{
	int64_t number = os_kvm_command(parent, command, arg);
	struct os_kvm *object = NULL;

	assert_true(number >= 0);
	assert_int_equal(os_kvm_adopt(parent, number, &object), 0);
	return object;
}

static int64_t set_slot(struct machine *m, uint32_t slot, uint32_t flags, uint64_t gpa,
			uint64_t size, const void *user)
{
	struct kvm_userspace_memory_region region = {.slot = slot,
						     .flags = flags,
						     .guest_phys_addr = gpa,
						     .memory_size = size,
						     .userspace_addr = (uintptr_t)user};

	return os_kvm_pass(m->vm, KVM_SET_USER_MEMORY_REGION, &region);
}

static void create_cpu(struct machine *m, unsigned i)
{
	struct kvm_regs regs = {.rip = CODE, .rflags = 2, .rdi = COUNTERS + 4096 * i};
	struct kvm_sregs sregs;
	void *run;

	m->cpus[i].machine = m;
	m->cpus[i].kvm = adopt(m->vm, KVM_CREATE_VCPU, i);
	assert_int_equal(
		os_kvm_map_run(m->cpus[i].kvm,
			       (size_t)os_kvm_command(m->system, KVM_GET_VCPU_MMAP_SIZE, 0), &run),
		0);
	m->cpus[i].run = run;
	assert_int_equal(os_kvm_pass(m->cpus[i].kvm, KVM_GET_SREGS, &sregs), 0);
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	assert_int_equal(os_kvm_pass(m->cpus[i].kvm, KVM_SET_SREGS, &sregs), 0);
	assert_int_equal(os_kvm_pass(m->cpus[i].kvm, KVM_SET_REGS, &regs), 0);
}

static void run_cpu(void *arg)
{
	struct cpu *cpu = arg;

	while (!atomic_load(&cpu->machine->stop)) {
		int64_t result = os_kvm_command(cpu->kvm, KVM_RUN, 0);
		uint32_t reason = cpu->run->exit_reason;

		if (result == -EINTR)
			continue;
		/* The port while it has no event, the window while it has no slot. */
		if (result || (reason != KVM_EXIT_IO && reason != KVM_EXIT_MMIO)) {
			cpu->failure = result ? result : reason;
			break;
		}
	}
}

static void begin(struct machine *m)
{
	struct error why;
	void *memory;

	memset(m, 0, sizeof(*m));
	assert_int_equal(process_soft_open(&m->system, &why), 0);
	m->vm = adopt(m->system, KVM_CREATE_VM, 0);
	assert_int_equal(os_ram_map(RAM_SIZE, &memory, &why), 0);
	m->ram = memory;
	assert_int_equal(os_ram_map(4096, &memory, &why), 0);
	m->window = memory;
	memcpy(m->ram + CODE, code, sizeof(code));
	assert_int_equal(set_slot(m, 0, 0, 0, RAM_SIZE, m->ram), 0);
	assert_int_equal(os_event_create(&m->event), 0);
	for (unsigned i = 0; i < VCPUS; i++)
		create_cpu(m, i);
	for (unsigned i = 0; i < VCPUS; i++)
		assert_int_equal(os_thread_start(&m->cpus[i].thread, "vcpu", run_cpu, &m->cpus[i]),
				 0);
}

static void end(struct machine *m)
{
	atomic_store(&m->stop, true);
	for (unsigned i = 0; i < VCPUS; i++) {
		__atomic_store_n(&m->cpus[i].run->immediate_exit, 1, __ATOMIC_SEQ_CST);
		os_thread_kick(m->cpus[i].thread);
		os_thread_join(m->cpus[i].thread);
		assert_int_equal(m->cpus[i].failure, 0);
		os_kvm_close(m->cpus[i].kvm);
	}
	os_kvm_close(m->vm);
	os_kvm_close(m->system);
	os_event_destroy(m->event);
	os_ram_unmap(m->ram, RAM_SIZE);
	os_ram_unmap(m->window, 4096);
}

static uint8_t counter(struct machine *m, unsigned i)
{
	return __atomic_load_n(&m->ram[COUNTERS + 4096 * i], __ATOMIC_RELAXED);
}

/* Until each vCPU has counted on. */
static void wait_for_all(struct machine *m)
{
	for (unsigned i = 0; i < VCPUS; i++) {
		uint8_t before = counter(m, i);

		while (counter(m, i) == before && !m->cpus[i].failure)
			sched_yield();
	}
}

static void test_slots_come_and_go(void **state)
{
	struct machine m;

	(void)state;
	begin(&m);
	for (unsigned round = 0; round < ROUNDS; round++) {
		assert_int_equal(set_slot(&m, 1, 0, WINDOW, 4096, m.window), 0);
		wait_for_all(&m);
		if (round % 2) /* away from there, so that the guest meets no device for it */
			assert_int_equal(set_slot(&m, 1, 0, 2 * WINDOW, 4096, m.window), 0);
		assert_int_equal(set_slot(&m, 1, 0, 0, 0, NULL), 0);
		/* From here on nothing of it is in use: it may be another's. */
		m.window[0] = 0;
		m.window[4] = (uint8_t)round;
		wait_for_all(&m);
		assert_int_equal(m.window[4], (uint8_t)round);
	}
	end(&m);
}

static uint64_t take_log(struct machine *m)
{
	uint64_t bitmap = 0;
	struct kvm_dirty_log log = {.slot = 0, .dirty_bitmap = &bitmap};

	assert_int_equal(os_kvm_pass(m->vm, KVM_GET_DIRTY_LOG, &log), 0);
	return bitmap;
}

static void test_no_write_is_missed_by_the_log(void **state)
{
	uint64_t all = 0;
	struct machine m;

	(void)state;
	for (unsigned i = 0; i < VCPUS; i++)
		all |= UINT64_C(1) << COUNTER_PAGE(i);
	begin(&m);
	for (unsigned round = 0; round < ROUNDS; round++) {
		assert_int_equal(set_slot(&m, 0, KVM_MEM_LOG_DIRTY_PAGES, 0, RAM_SIZE, m.ram), 0);
		for (unsigned i = 0; i < 4; i++) {
			wait_for_all(&m);
			assert_int_equal(take_log(&m), all);
		}
		assert_int_equal(set_slot(&m, 0, 0, 0, RAM_SIZE, m.ram), 0);
	}
	end(&m);
}

static void test_doorbells_come_and_go(void **state)
{
	struct machine m;
	struct kvm_ioeventfd bell = {.addr = PORT, .len = 0};

	(void)state;
	begin(&m);
	for (unsigned round = 0; round < ROUNDS; round++) {
		bell.fd = os_event_handle(m.event);
		bell.flags = KVM_IOEVENTFD_FLAG_PIO;
		assert_int_equal(os_kvm_pass(m.vm, KVM_IOEVENTFD, &bell), 0);
		wait_for_all(&m);
		bell.flags |= KVM_IOEVENTFD_FLAG_DEASSIGN;
		assert_int_equal(os_kvm_pass(m.vm, KVM_IOEVENTFD, &bell), 0);
		wait_for_all(&m);
	}
	end(&m);
}

/* Code that is replaced under a guest that runs it. */
static void test_code_that_the_caller_changes(void **state)
{
	struct machine m;

	(void)state;
	begin(&m);
	for (unsigned round = 0; round < ROUNDS; round++) {
		wait_for_all(&m);
		m.ram[CODE + 3] = (uint8_t)(PORT + round % 2);
		os_memory_written(m.ram + CODE + 3, 1);
	}
	wait_for_all(&m);
	end(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slots_come_and_go),
		cmocka_unit_test(test_no_write_is_missed_by_the_log),
		cmocka_unit_test(test_doorbells_come_and_go),
		cmocka_unit_test(test_code_that_the_caller_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
