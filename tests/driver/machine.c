/* SPDX-License-Identifier: MIT */
/* A machine of one vCPU, as the tests of the driver's node have it. */
#include "tests/driver/machine.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

const char *node_path;
bool test_ok;
const char *skipped;
bool large_pages;

void complain(const char *what, int line, long got)
{
	printf("# line %d: %s: %ld, errno %d (%s)\n", line, what, got, errno, strerror(errno));
	test_ok = false;
}

void skip(const char *why)
{
	skipped = why;
}

const uint8_t code_port[7] = {0xba, PORT & 0xff, PORT >> 8, 0xb0, 0x5a, 0xee, 0xf4};
/* incl COUNTER; jmp back */
const uint8_t code_count[7] = {0x66, 0xff, 0x06, COUNTER & 0xff, COUNTER >> 8, 0xeb, 0xf9};

int add_slot(int vm, unsigned id, unsigned flags, uint64_t gpa, uint64_t size, uint64_t user)
{
	struct kvm_userspace_memory_region region = {id, flags, gpa, size, user};

	return ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region);
}

int machine_begin(struct machine *m, bool irqchip, const uint8_t *code, size_t size)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs = {.rip = CODE, .rflags = 2};

	m->run = MAP_FAILED;
	m->vm = m->vcpu = -1;
	m->system = open(node_path, O_RDWR | O_CLOEXEC);
	m->mapping = mmap(NULL, MAPPING_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m->system < 0 || m->mapping == MAP_FAILED)
		return -1;
	m->ram = m->mapping + LARGE - (uintptr_t)m->mapping % LARGE;
	madvise(m->ram, RAM_SIZE, large_pages ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	m->vm = ioctl(m->system, KVM_CREATE_VM, 0);
	if (m->vm < 0)
		return -1;
	memcpy(m->ram + CODE, code, size);
	if (add_slot(m->vm, 0, 0, 0, RAM_SIZE, (uintptr_t)m->ram) < 0)
		return -1;
	if (irqchip && ioctl(m->vm, KVM_CREATE_IRQCHIP, 0) < 0)
		return -1;
	m->vcpu = ioctl(m->vm, KVM_CREATE_VCPU, 0);
	if (m->vcpu < 0)
		return -1;
	m->run_size = ioctl(m->system, KVM_GET_VCPU_MMAP_SIZE, 0);
	m->run = mmap(NULL, m->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, m->vcpu, 0);
	if (m->run == MAP_FAILED || ioctl(m->vcpu, KVM_GET_SREGS, &sregs) < 0)
		return -1;
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	if (ioctl(m->vcpu, KVM_SET_SREGS, &sregs) < 0)
		return -1;
	return ioctl(m->vcpu, KVM_SET_REGS, &regs);
}

void machine_end(struct machine *m)
{
	if (m->run != MAP_FAILED)
		munmap(m->run, m->run_size);
	if (m->vcpu >= 0)
		close(m->vcpu);
	if (m->vm >= 0)
		close(m->vm);
	if (m->system >= 0)
		close(m->system);
	munmap(m->mapping, MAPPING_SIZE);
}

volatile uint32_t *counter_of(const struct machine *m)
{
	return (volatile uint32_t *)(m->ram + COUNTER);
}

void sleep_ms(long ms)
{
	struct timespec time = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&time, NULL);
}

bool counts(const struct machine *m)
{
	uint32_t before = *counter_of(m);

	for (unsigned i = 0; i < 20000; i++) {
		if (*counter_of(m) != before)
			return true;
		sleep_ms(1);
	}
	return false;
}

/* --- A thread that runs it -------------------------------------------------------------------- */

static void *run_machine(void *arg)
{
	struct runner *r = arg;

	do {
		r->result = ioctl(r->m->vcpu, KVM_RUN, 0);
		r->error = errno;
	} while (r->result < 0 && r->error == EINTR && !atomic_load(&r->stop));
	return NULL;
}

void runner_begin(struct runner *r, struct machine *m)
{
	r->m = m;
	atomic_store(&r->stop, false);
	pthread_create(&r->thread, NULL, run_machine, r);
}

void runner_end(struct runner *r)
{
	atomic_store(&r->stop, true);
	r->m->run->immediate_exit = 1;
	pthread_kill(r->thread, SIGUSR1);
	pthread_join(r->thread, NULL);
	r->m->run->immediate_exit = 0;
}
