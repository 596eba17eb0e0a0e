/* SPDX-License-Identifier: MIT */
/*
 * node.c - gives Dyad's driver, through its node, what a monitor may give it and what no monitor
 * would: a line a test, 'N passed, N failed' at the end.
 *
 *   node NODE test [NAME]      all tests, or one
 *   node NODE churn COUNT      makes, runs and closes so many VMs
 *   node NODE fuzz SECONDS SEED
 *   node NODE walk SECONDS     runs a guest that changes all of its memory, and looks whether it is
 * right node NODE spin             prints a line once a guest runs, and runs it until it is killed
 *   node NODE kexec KERNEL INITRD WORDS   starts that kernel in this one's place
 *   node NODE refused          exit status 0 if no VM can be made, since another has the hardware
 */
#include "tests/driver/machine.h"

#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static unsigned passed, failed;

/* --- What needs no guest ---------------------------------------------------------------------- */

static void test_system(void)
{
	int system = open(node_path, O_RDWR | O_CLOEXEC), vm;

	WORKS(system);
	HOLDS(ioctl(system, KVM_GET_API_VERSION, 0) == KVM_API_VERSION);
	HOLDS(ioctl(system, KVM_GET_VCPU_MMAP_SIZE, 0) >= (int)sizeof(struct kvm_run));
	HOLDS(ioctl(system, KVM_CHECK_EXTENSION, KVM_CAP_IRQCHIP) == 1);
	FAILS(ENOTTY, ioctl(system, 0, 0));
	FAILS(ENOTTY, ioctl(system, KVM_RUN, 0));
	FAILS(EINVAL, ioctl(system, KVM_CREATE_VM, 77));
	FAILS(EFAULT, ioctl(system, KVM_GET_SUPPORTED_CPUID, NULL));
	FAILS(EFAULT, ioctl(system, KVM_GET_SUPPORTED_CPUID, 0xffff888000000000));
	FAILS(ENODEV, (long)mmap(NULL, PAGE, PROT_READ, MAP_SHARED, system, 0));
	vm = ioctl(system, KVM_CREATE_VM, 0);
	WORKS(vm);
	HOLDS(fcntl(vm, F_GETFD) & FD_CLOEXEC);
	FAILS(ENOTTY, ioctl(vm, KVM_RUN, 0));
	FAILS(ENODEV, (long)mmap(NULL, PAGE, PROT_READ, MAP_SHARED, vm, 0));
	close(vm);
	close(system);
}

static void test_slots(void)
{
	int system = open(node_path, O_RDWR | O_CLOEXEC), vm = ioctl(system, KVM_CREATE_VM, 0);
	uint8_t *ram =
		mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t user = (uintptr_t)ram, log[1] = {0};
	struct kvm_dirty_log dirty = {.slot = 1, .dirty_bitmap = log};

	WORKS(add_slot(vm, 0, 0, 0, 2 * PAGE, user));
	WORKS(add_slot(vm, 1, KVM_MEM_LOG_DIRTY_PAGES, 2 * PAGE, PAGE, user + 2 * PAGE));
	FAILS(EEXIST, add_slot(vm, 2, 0, PAGE, PAGE, user));
	FAILS(EINVAL, add_slot(vm, 2, 0x80, 16 * PAGE, PAGE, user));
	FAILS(EINVAL, add_slot(vm, 2, 0, 16 * PAGE + 1, PAGE, user));
	FAILS(EINVAL, add_slot(vm, 2, 0, 16 * PAGE, PAGE, user + 1));
	FAILS(EINVAL, add_slot(vm, 100000, 0, 16 * PAGE, PAGE, user));
	FAILS(EINVAL, add_slot(vm, 2, 0, UINT64_MAX - PAGE + 1, 2 * PAGE, user));
	WORKS(ioctl(vm, KVM_GET_DIRTY_LOG, &dirty));
	dirty.dirty_bitmap = (void *)0xffff888000000000;
	FAILS(EFAULT, ioctl(vm, KVM_GET_DIRTY_LOG, &dirty));
	WORKS(add_slot(vm, 1, 0, 2 * PAGE, 0, user));
	/* The memory goes before the slot does. */
	munmap(ram, 4 * PAGE);
	WORKS(add_slot(vm, 0, 0, 0, 0, user));
	close(vm);
	close(system);
}

static void test_chips(void)
{
	int system = open(node_path, O_RDWR | O_CLOEXEC), vm = ioctl(system, KVM_CREATE_VM, 0);
	struct kvm_pit_config pit = {0};
	struct kvm_irq_level level = {.irq = 4, .level = 1};
	struct kvm_irqfd irqfd = {.gsi = 4};
	struct kvm_ioeventfd io = {.addr = PORT, .len = 1, .flags = KVM_IOEVENTFD_FLAG_PIO};
	int event = eventfd(0, EFD_NONBLOCK);

	FAILS(ENXIO, ioctl(vm, KVM_CREATE_PIT2, &pit));
	FAILS(ENXIO, ioctl(vm, KVM_IRQ_LINE, &level));
	WORKS(ioctl(vm, KVM_CREATE_IRQCHIP, 0));
	FAILS(EEXIST, ioctl(vm, KVM_CREATE_IRQCHIP, 0));
	WORKS(ioctl(vm, KVM_CREATE_PIT2, &pit));
	WORKS(ioctl(vm, KVM_IRQ_LINE, &level));

	irqfd.fd = (uint32_t)system;
	FAILS(EBADF, ioctl(vm, KVM_IRQFD, &irqfd));
	irqfd.fd = 1000000;
	FAILS(EBADF, ioctl(vm, KVM_IRQFD, &irqfd));
	irqfd.fd = (uint32_t)event;
	eventfd_write(event, 1); /* what was signalled before comes too */
	WORKS(ioctl(vm, KVM_IRQFD, &irqfd));
	HOLDS(eventfd_read(event, &(eventfd_t){0}) < 0);
	eventfd_write(event, 1);
	HOLDS(eventfd_read(event, &(eventfd_t){0}) < 0); /* it is consumed */
	irqfd.gsi = 5;
	FAILS(EBUSY, ioctl(vm, KVM_IRQFD, &irqfd));
	irqfd.gsi = 4;
	irqfd.flags = KVM_IRQFD_FLAG_DEASSIGN;
	WORKS(ioctl(vm, KVM_IRQFD, &irqfd));
	eventfd_write(event, 1);
	HOLDS(eventfd_read(event, &(eventfd_t){0}) == 0);

	/* An irqfd whose end signals itself: a circle that must not go round. */
	irqfd.flags = KVM_IRQFD_FLAG_RESAMPLE;
	irqfd.resamplefd = (uint32_t)event;
	WORKS(ioctl(vm, KVM_IRQFD, &irqfd));
	for (unsigned i = 0; i < 100; i++)
		eventfd_write(event, 1);

	io.fd = event;
	WORKS(ioctl(vm, KVM_IOEVENTFD, &io));
	FAILS(EEXIST, ioctl(vm, KVM_IOEVENTFD, &io));
	/* All of it is left to the end of the VM, the event's descriptor closed before. */
	close(event);
	close(vm);
	close(system);
}

static void test_vcpus(void)
{
	int system = open(node_path, O_RDWR | O_CLOEXEC), vm = ioctl(system, KVM_CREATE_VM, 0);
	int vcpu = ioctl(vm, KVM_CREATE_VCPU, 3);
	struct kvm_regs regs;

	WORKS(vcpu);
	FAILS(EEXIST, ioctl(vm, KVM_CREATE_VCPU, 3));
	FAILS(EINVAL, ioctl(vm, KVM_CREATE_VCPU, 255));
	FAILS(EINVAL, ioctl(vm, KVM_CREATE_VCPU, -1L));
	FAILS(EINVAL, ioctl(vm, KVM_CREATE_IRQCHIP, 0));
	FAILS(EINVAL, ioctl(vcpu, KVM_RUN, 1));
	FAILS(EFAULT, ioctl(vcpu, KVM_GET_REGS, NULL));
	FAILS(EFAULT, ioctl(vcpu, KVM_GET_REGS, 0xffffffff81000000));
	WORKS(ioctl(vcpu, KVM_GET_REGS, &regs));
	close(vcpu);
	/* It is its VM's until that ends. */
	FAILS(EEXIST, ioctl(vm, KVM_CREATE_VCPU, 3));
	close(vm);
	close(system);
}

static void test_many_vcpus(void)
{
	int system = open(node_path, O_RDWR | O_CLOEXEC), vm = ioctl(system, KVM_CREATE_VM, 0);
	int vcpus[64];

	for (int i = 0; i < 64; i++)
		WORKS(vcpus[i] = ioctl(vm, KVM_CREATE_VCPU, i));
	FAILS(EINVAL, ioctl(vm, KVM_CREATE_VCPU, 64));
	for (int i = 0; i < 64; i++)
		close(vcpus[i]);
	close(vm);
	close(system);
}

/* Whatever order they are closed in. */
static void test_order(void)
{
	struct machine m;
	struct kvm_regs regs;

	WORKS(machine_begin(&m, true, code_port, sizeof(code_port)));
	close(m.system);
	close(m.vm);
	WORKS(ioctl(m.vcpu, KVM_GET_REGS, &regs));
	close(m.vcpu);
	m.run->immediate_exit = 1; /* the mapping holds it */
	HOLDS(m.run->immediate_exit == 1);
	m.system = m.vm = m.vcpu = -1;
	machine_end(&m);
}

static sigjmp_buf bus_error;

static void on_bus_error(int number)
{
	(void)number;
	siglongjmp(bus_error, 1);
}

static void test_mapping(void)
{
	struct machine m;
	volatile uint8_t *beyond;
	volatile bool caught = false;
	void *mapped;

	WORKS(machine_begin(&m, false, code_port, sizeof(code_port)));
	mapped = mmap(NULL, m.run_size + PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, m.vcpu, 0);
	HOLDS(mapped != MAP_FAILED);
	beyond = mapped;
	HOLDS(beyond[m.run_size - 1] == 0);
	m.run->request_interrupt_window = 1;
	HOLDS(((volatile struct kvm_run *)beyond)->request_interrupt_window == 1);
	signal(SIGBUS, on_bus_error);
	if (sigsetjmp(bus_error, 1) == 0)
		(void)beyond[m.run_size];
	else
		caught = true;
	signal(SIGBUS, SIG_DFL);
	HOLDS(caught);
	munmap(mapped, m.run_size + PAGE);
	machine_end(&m);
}

/* A VM takes commands from its own process alone. */
static void test_other_process(void)
{
	struct machine m;
	struct kvm_regs regs;
	int status = -1;
	pid_t child;

	WORKS(machine_begin(&m, false, code_port, sizeof(code_port)));
	child = fork();
	if (child == 0) {
		bool refused = ioctl(m.vcpu, KVM_GET_REGS, &regs) < 0 && errno == EIO;

		refused &= ioctl(m.vcpu, KVM_RUN, 0) < 0 && errno == EIO;
		refused &= ioctl(m.vm, KVM_CREATE_VCPU, 9) < 0 && errno == EIO;
		refused &=
			add_slot(m.vm, 3, 0, 1 << 30, PAGE, (uintptr_t)m.ram) < 0 && errno == EIO;
		refused &= ioctl(m.system, KVM_GET_API_VERSION, 0) == KVM_API_VERSION;
		_exit(refused ? 0 : 1);
	}
	waitpid(child, &status, 0);
	HOLDS(status == 0);
	WORKS(ioctl(m.vcpu, KVM_GET_REGS, &regs));
	machine_end(&m);
}

/* --- What needs a guest ----------------------------------------------------------------------- */

static void test_exits(void)
{
	struct machine m;

	WORKS(machine_begin(&m, false, code_port, sizeof(code_port)));
	WORKS(ioctl(m.vcpu, KVM_RUN, 0));
	HOLDS(m.run->exit_reason == KVM_EXIT_IO);
	HOLDS(m.run->io.port == PORT && m.run->io.direction == KVM_EXIT_IO_OUT);
	HOLDS(((uint8_t *)m.run)[m.run->io.data_offset] == 0x5a);
	m.run->immediate_exit = 1;
	FAILS(EINTR, ioctl(m.vcpu, KVM_RUN, 0));
	m.run->immediate_exit = 0;
	WORKS(ioctl(m.vcpu, KVM_RUN, 0));
	HOLDS(m.run->exit_reason == KVM_EXIT_HLT);
	machine_end(&m);
}

static void test_ioeventfd(void)
{
	struct kvm_ioeventfd io = {.addr = PORT, .len = 1, .flags = KVM_IOEVENTFD_FLAG_PIO};
	struct machine m;
	eventfd_t count = 0;

	WORKS(machine_begin(&m, false, code_port, sizeof(code_port)));
	io.fd = eventfd(0, EFD_NONBLOCK);
	WORKS(ioctl(m.vm, KVM_IOEVENTFD, &io));
	WORKS(ioctl(m.vcpu, KVM_RUN, 0));
	HOLDS(m.run->exit_reason == KVM_EXIT_HLT);
	WORKS(eventfd_read(io.fd, &count));
	HOLDS(count == 1);
	close(io.fd);
	machine_end(&m);
}

/* A halted vCPU waits inside; a signal ends that, and so does one for a guest that only counts. */
static void test_signals(void)
{
	struct machine m;
	struct runner r;

	WORKS(machine_begin(&m, true, code_port, sizeof(code_port)));
	WORKS(ioctl(m.vcpu, KVM_RUN, 0));
	runner_begin(&r, &m);
	sleep_ms(100);
	runner_end(&r);
	HOLDS(r.result < 0 && r.error == EINTR);
	HOLDS(m.run->exit_reason == KVM_EXIT_INTR);
	machine_end(&m);

	WORKS(machine_begin(&m, false, code_count, sizeof(code_count)));
	runner_begin(&r, &m);
	HOLDS(counts(&m));
	runner_end(&r);
	HOLDS(r.result < 0 && r.error == EINTR);
	machine_end(&m);
}

static volatile sig_atomic_t signals_seen;

static void on_signal(int number)
{
	(void)number;
	signals_seen++;
}

/* What the kernel has a thread do on its way to user mode is no end of KVM_RUN: here, to take its
 * child's session keyring. */
static void test_kernel_work(void)
{
	struct machine m;
	int status = -1;
	pid_t child;

	WORKS(machine_begin(&m, false, code_count, sizeof(code_count)));
	signals_seen = 0;
	child = fork();
	if (child == 0) {
		long err;

		sleep_ms(100);
		err = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 ||
		      syscall(SYS_keyctl, KEYCTL_SESSION_TO_PARENT) < 0;
		sleep_ms(100);
		kill(getppid(), SIGUSR1);
		_exit(err ? 1 : 0);
	}
	FAILS(EINTR, ioctl(m.vcpu, KVM_RUN, 0));
	HOLDS(signals_seen == 1);
	waitpid(child, &status, 0);
	HOLDS(status == 0);
	machine_end(&m);
}

/* The guest follows what happens to the caller's memory. */
static void test_memory_changes(void)
{
	struct machine m;
	struct runner r;
	uint32_t before;

	WORKS(machine_begin(&m, false, code_count, sizeof(code_count)));
	runner_begin(&r, &m);
	HOLDS(counts(&m));
	for (unsigned i = 0; i < 50; i++) {
		/* A fresh page, of zeros, takes the old one's place. */
		madvise(m.ram + COUNTER, PAGE, MADV_DONTNEED);
		HOLDS(counts(&m));
	}
	for (unsigned i = 0; i < 20; i++) {
		/* The child's copy is as it was; the parent's, and the guest's, goes on. */
		pid_t child = fork();

		if (child == 0) {
			before = *counter_of(&m);
			sleep_ms(5);
			_exit(before != *counter_of(&m));
		}
		int status = -1;

		HOLDS(counts(&m));
		waitpid(child, &status, 0);
		HOLDS(status == 0);
	}
	/* Nothing of the guest's writes arrives where it may not write. */
	mprotect(m.ram + COUNTER, PAGE, PROT_READ);
	before = *counter_of(&m);
	sleep_ms(50);
	HOLDS(before == *counter_of(&m));
	mprotect(m.ram + COUNTER, PAGE, PROT_READ | PROT_WRITE);
	runner_end(&r);
	machine_end(&m);
}

/* The memory goes away under a guest that runs in it: the guest ends, the host doesn't. */
static void test_memory_gone(void)
{
	struct machine m;
	struct runner r;

	WORKS(machine_begin(&m, false, code_count, sizeof(code_count)));
	runner_begin(&r, &m);
	HOLDS(counts(&m));
	munmap(m.mapping, MAPPING_SIZE);
	pthread_join(r.thread, NULL);
	HOLDS(r.result < 0 || m.run->exit_reason != KVM_EXIT_INTR);
	m.mapping = mmap(m.mapping, MAPPING_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	machine_end(&m);
}

/* A slot goes away and comes back while the guest counts in it. */
static void test_slot_changes(void)
{
	struct machine m;
	struct runner r;

	WORKS(machine_begin(&m, false, code_count, sizeof(code_count)));
	runner_begin(&r, &m);
	HOLDS(counts(&m));
	for (unsigned i = 0; i < 20; i++) {
		WORKS(add_slot(m.vm, 0, i & 1 ? 0 : KVM_MEM_LOG_DIRTY_PAGES, 0, RAM_SIZE,
			       (uintptr_t)m.ram));
		HOLDS(counts(&m));
	}
	runner_end(&r);
	machine_end(&m);
}

/* --- A guest that walks over pages ------------------------------------------------------------ */

/* Adds 1 to the first word of each page of WALK, again and again:
 *	mov $0x1000, %ax; 1: mov %ax, %ds; incl 0; add $0x100, %ax; cmp $0x9000, %ax; jb 1b; jmp 0
 */
static const uint8_t code_walk[] = {0xb8, 0x00, 0x10, 0x8e, 0xd8, 0x66, 0xff, 0x06, 0x00, 0x00,
				    0x05, 0x00, 0x01, 0x3d, 0x00, 0x90, 0x72, 0xf1, 0xeb, 0xec};
#define WALK 0x10000u
#define WALK_PAGES 128u

static volatile uint32_t *walk_counter(const struct machine *m, unsigned page)
{
	return (volatile uint32_t *)(m->ram + WALK + page * PAGE);
}

static bool walks(const struct machine *m)
{
	uint32_t before = *walk_counter(m, WALK_PAGES - 1);

	for (unsigned i = 0; i < 20000; i++) {
		if (*walk_counter(m, WALK_PAGES - 1) != before)
			return true;
		sleep_ms(1);
	}
	return false;
}

/* While it does not run: no page has lost or won a step. */
static bool walked_evenly(const struct machine *m)
{
	uint32_t first = *walk_counter(m, 0), last = first;

	for (unsigned i = 1; i < WALK_PAGES; i++) {
		uint32_t count = *walk_counter(m, i);

		if (count != last && (last != first || count != first - 1)) {
			printf("# page %u counts %u, the one before %u, the first %u\n", i, count,
			       last, first);
			return false;
		}
		last = count;
	}
	return true;
}

/* What is written is in this log, or was after it was taken and is in the next. */
static void test_dirty_log(void)
{
	static uint32_t before[WALK_PAGES];
	uint64_t logs[2][RAM_SIZE / PAGE / 64];
	struct machine m;
	struct runner r;

	WORKS(machine_begin(&m, false, code_walk, sizeof(code_walk)));
	WORKS(add_slot(m.vm, 0, KVM_MEM_LOG_DIRTY_PAGES, 0, RAM_SIZE, (uintptr_t)m.ram));
	runner_begin(&r, &m);
	for (unsigned i = 0; i < 30; i++) {
		struct kvm_dirty_log log = {.dirty_bitmap = logs[0]};
		unsigned lost = 0;

		for (unsigned j = 0; j < WALK_PAGES; j++)
			before[j] = *walk_counter(&m, j);
		HOLDS(i % 3 || walks(&m));
		WORKS(ioctl(m.vm, KVM_GET_DIRTY_LOG, &log));
		for (unsigned j = 0; j < WALK_PAGES; j++)
			before[j] = before[j] != *walk_counter(&m, j);
		log.dirty_bitmap = logs[1];
		WORKS(ioctl(m.vm, KVM_GET_DIRTY_LOG, &log));
		for (unsigned j = 0; j < WALK_PAGES; j++) {
			unsigned page = WALK / PAGE + j;

			lost += before[j] &&
				!((logs[0][page / 64] | logs[1][page / 64]) >> page % 64 & 1);
		}
		HOLDS(lost == 0);
	}
	runner_end(&r);
	HOLDS(walked_evenly(&m));
	machine_end(&m);
}

static void test_large_pages(void)
{
	struct machine m;
	struct runner r;

	large_pages = true;
	WORKS(machine_begin(&m, false, code_walk, sizeof(code_walk)));
	runner_begin(&r, &m);
	HOLDS(walks(&m));
	for (unsigned i = 0; i < 10; i++) {
		/* A part of the large page goes, so that it is split; then it may be joined again.
		 */
		madvise(m.ram + LARGE - PAGE, PAGE, MADV_DONTNEED);
		HOLDS(walks(&m));
		add_slot(m.vm, 0, i & 1 ? 0 : KVM_MEM_LOG_DIRTY_PAGES, 0, RAM_SIZE,
			 (uintptr_t)m.ram);
		HOLDS(walks(&m));
		madvise(m.ram, LARGE, 25 /* MADV_COLLAPSE */);
		HOLDS(walks(&m));
	}
	runner_end(&r);
	HOLDS(walked_evenly(&m));
	machine_end(&m);
	large_pages = false;
}

static unsigned long swapped_kib(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	unsigned long kib = 0;
	char line[128];

	while (status && fgets(line, sizeof(line), status))
		sscanf(line, "VmSwap: %lu", &kib);
	if (status)
		fclose(status);
	return kib;
}

static bool has_swap(void)
{
	FILE *swaps = fopen("/proc/swaps", "re");
	unsigned lines = 0;
	char line[256];

	while (swaps && fgets(line, sizeof(line), swaps))
		lines++;
	if (swaps)
		fclose(swaps);
	return lines > 1; /* the first is a heading */
}

/* Swapped out under the guest, which gets each page back as it was. */
static void test_swap(void)
{
	unsigned long most = 0;
	struct machine m;
	struct runner r;

	WORKS(machine_begin(&m, false, code_walk, sizeof(code_walk)));
	runner_begin(&r, &m);
	HOLDS(walks(&m));
	for (unsigned i = 0; i < 20; i++) {
		unsigned long now;

		/*
		 * Under it at first, then while it stands still, when more of it can go: what was
		 * accessed a moment ago is kept once, and goes the next time.
		 */
		if (i >= 10)
			runner_end(&r);
		for (unsigned j = 0; j < 3; j++)
			madvise(m.ram, RAM_SIZE, MADV_PAGEOUT);
		now = swapped_kib();
		most = now > most ? now : most;
		if (i >= 10)
			runner_begin(&r, &m);
		HOLDS(walks(&m));
	}
	runner_end(&r);
	madvise(m.ram, RAM_SIZE, MADV_PAGEOUT);
	HOLDS(walked_evenly(&m));
	printf("# up to %lu KiB were swapped out at once\n", most);
	if (has_swap())
		HOLDS(most >= WALK_PAGES * PAGE / 1024);
	machine_end(&m);
}

static void test_migration(void)
{
	struct machine m;
	struct runner r;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	WORKS(machine_begin(&m, false, code_count, sizeof(code_count)));
	runner_begin(&r, &m);
	for (unsigned i = 0; i < 40; i++) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET(i % cpus, &set);
		pthread_setaffinity_np(r.thread, sizeof(set), &set);
		HOLDS(counts(&m));
	}
	runner_end(&r);
	machine_end(&m);
}

/* The guest's vector registers and the caller's are not each other's. */
static void test_vector_registers(void)
{
	struct machine m;
	uint64_t value = 0x0123456789abcdef, after = 0;

	WORKS(machine_begin(&m, false, code_port, sizeof(code_port)));
	__asm__ volatile("movq %0, %%xmm7" : : "r"(value) : "xmm7");
	/* The bare call: what is between must not use them. */
	__asm__ volatile("syscall"
			 : "=a"(after)
			 : "a"(16L /* ioctl */), "D"((long)m.vcpu), "S"((long)KVM_RUN), "d"(0L)
			 : "rcx", "r11", "memory");
	HOLDS(after == 0);
	__asm__ volatile("movq %%xmm7, %0" : "=r"(after));
	HOLDS(after == value);
	machine_end(&m);
}

/* --- For scripts --------------------------------------------------------------------------------
 */

/*
 * Counts with interrupts on, of which none comes: in a guest that is entered with them off, and
 * leaves them so, Bochs takes none of the host's either, and KVM's guest would have its CPU for
 * good.
 */
static const uint8_t code_spin[] = {0xfb,           0x66,         0xff, 0x06,
				    COUNTER & 0xff, COUNTER >> 8, 0xeb, 0xf9};

static int spin(void)
{
	struct machine m;
	struct runner r;

	if (machine_begin(&m, true, code_spin, sizeof(code_spin)) < 0)
		return 1;
	runner_begin(&r, &m);
	if (!counts(&m))
		return 1;
	puts("running");
	fflush(stdout);
	for (;;) {
		if (!counts(&m)) {
			puts("stuck");
			return 1;
		}
		sleep_ms(20);
	}
}

/* A guest that walks over its pages for so long: none may lose or win a step. */
static int walk(unsigned seconds)
{
	time_t end = time(NULL) + seconds;
	struct machine m;
	struct runner r;
	bool even;

	if (machine_begin(&m, true, code_walk, sizeof(code_walk)) < 0)
		return 1;
	runner_begin(&r, &m);
	while (time(NULL) < end && walks(&m)) {
		/* Some of its memory goes and comes, as memory does. */
		madvise(m.ram, RAM_SIZE, MADV_PAGEOUT);
		sleep_ms(100);
	}
	runner_end(&r);
	even = walked_evenly(&m) && *walk_counter(&m, 0) > 0;
	printf("%s %u walks\n", even ? "ok" : "not ok", *walk_counter(&m, 0));
	machine_end(&m);
	return even ? 0 : 1;
}

/* As of Linux 6.12, KVM says EIO. */
static int refused(void)
{
	int system = open(node_path, O_RDWR | O_CLOEXEC);
	bool is_kvm = strcmp(node_path, "/dev/kvm") == 0;

	if (system < 0 || ioctl(system, KVM_CREATE_VM, 0) >= 0)
		return 1;
	return errno == EBUSY || (is_kvm && errno == EIO) ? 0 : 1;
}

/* --- All -------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{"system", test_system},
	{"slots", test_slots},
	{"chips", test_chips},
	{"vcpus", test_vcpus},
	{"many-vcpus", test_many_vcpus},
	{"order", test_order},
	{"mapping", test_mapping},
	{"other-process", test_other_process},
	{"exits", test_exits},
	{"ioeventfd", test_ioeventfd},
	{"signals", test_signals},
	{"kernel-work", test_kernel_work},
	{"memory-changes", test_memory_changes},
	{"memory-gone", test_memory_gone},
	{"slot-changes", test_slot_changes},
	{"dirty-log", test_dirty_log},
	{"large-pages", test_large_pages},
	{"swap", test_swap},
	{"migration", test_migration},
	{"vector-registers", test_vector_registers},
	{"single-steps", test_single_steps},
	{"software-breakpoints", test_software_breakpoints},
	{"hardware-breakpoints", test_hardware_breakpoints},
};

static void tell_result(const char *name)
{
	if (test_ok && skipped)
		printf("# %s is left out: %s\n", name, skipped);
	else
		printf("%s %s\n", test_ok ? "ok" : "not ok", name);
	fflush(stdout);
	passed += test_ok && !skipped;
	failed += !test_ok;
}

static int run_tests(const char *only)
{
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		if (only && strcmp(only, tests[i].name) != 0)
			continue;
		test_ok = true;
		skipped = NULL;
		tests[i].run();
		tell_result(tests[i].name);
	}
	printf("%u passed, %u failed\n", passed, failed);
	return failed ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_signal}; /* system calls are not restarted */
	const char *what = argc > 2 ? argv[2] : "";

	sigaction(SIGUSR1, &action, NULL);
	node_path = argc > 1 ? argv[1] : "";
	if (strcmp(what, "test") == 0)
		return run_tests(argc > 3 ? argv[3] : NULL);
	if (strcmp(what, "churn") == 0 && argc == 4)
		return churn((unsigned)atoi(argv[3]));
	if (strcmp(what, "fuzz") == 0 && argc == 5)
		return fuzz((unsigned)atoi(argv[3]), strtoull(argv[4], NULL, 0));
	if (strcmp(what, "walk") == 0 && argc == 4)
		return walk((unsigned)atoi(argv[3]));
	if (strcmp(what, "spin") == 0)
		return spin();
	if (strcmp(what, "kexec") == 0 && argc == 6)
		return start_kernel(argv[3], argv[4], argv[5]);
	if (strcmp(what, "refused") == 0)
		return refused();
	fprintf(stderr,
		"usage: node NODE test [NAME] | churn COUNT | fuzz SECONDS SEED | walk SECONDS | "
		"spin | kexec KERNEL INITRD WORDS | refused\n");
	return 2;
}
