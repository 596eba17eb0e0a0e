/* SPDX-License-Identifier: MIT */
/* Many machines, and random commands to them. */
#include "tests/driver/machine.h"
#include "tests/support/abi_commands.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

int churn(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct machine m;

		if (machine_begin(&m, i & 1, code_port, sizeof(code_port)) < 0 ||
		    ioctl(m.vcpu, KVM_RUN, 0) < 0) {
			printf("not ok cycle %u: %s\n", i, strerror(errno));
			return 1;
		}
		machine_end(&m);
	}
	printf("ok %u cycles\n", count);
	return 0;
}

static uint64_t random_state;

static uint64_t random_next(void)
{
	/* xorshift64*, by its published constants */
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 0x2545f4914f6cdd1d;
}

static uint64_t random_argument(uint8_t *buffer, size_t size)
{
	static const uint64_t addresses[] = {0,
					     1,
					     PAGE,
					     0x7ffffffff000,
					     0x800000000000,
					     0xffff888000000000,
					     0xffffffff81000000,
					     UINT64_MAX};

	switch (random_next() % 8) {
	case 0:
		return random_next();
	case 1:
		return random_next() % 16;
	case 2:
		return addresses[random_next() % (sizeof(addresses) / sizeof(addresses[0]))];
	case 3:
		return (uintptr_t)buffer + size - random_next() % 64; /* into what isn't mapped */
	default:
		for (size_t i = 0; i < 512; i++)
			buffer[i] = random_next() & 1 ? (uint8_t)random_next() : 0;
		return (uintptr_t)buffer;
	}
}

/* Commands that exist, mostly; to any of the descriptors. */
static uint32_t random_command(void)
{
	switch (random_next() % 16) {
	case 0:
		return (uint32_t)random_next();
	case 1:
		return KVM_RUN;
	default:
		return abi_commands[random_next() % ABI_COMMANDS];
	}
}

/* Interrupts whatever waits, so that a guest that only halts doesn't end it. */
static void *fuzz_interrupt(void *arg)
{
	struct runner *r = arg;

	while (!atomic_load(&r->stop)) {
		sleep_ms(2);
		pthread_kill(r->thread, SIGUSR1);
	}
	return NULL;
}

int fuzz(unsigned seconds, uint64_t seed)
{
	struct runner self = {.thread = pthread_self()};
	size_t size = 64 << 10;
	uint8_t *buffer =
		mmap(NULL, size + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	time_t end = time(NULL) + seconds;
	unsigned long calls = 0, good = 0;
	pthread_t interrupter;

	mprotect(buffer + size, PAGE, PROT_NONE);
	random_state = seed | 1;
	pthread_create(&interrupter, NULL, fuzz_interrupt, &self);
	while (time(NULL) < end) {
		struct machine m;

		if (machine_begin(&m, random_next() & 1, code_count, sizeof(code_count)) < 0) {
			printf("not ok no machine: %s\n", strerror(errno));
			atomic_store(&self.stop, true);
			pthread_join(interrupter, NULL);
			return 1;
		}
		for (unsigned i = 0; i < 400; i++) {
			int objects[] = {m.system, m.vm, m.vm, m.vcpu, m.vcpu, m.vcpu};
			uint32_t command = random_command();
			uint64_t arg = random_argument(buffer, size);
			int got;

			if (random_next() % 8 == 0)
				((uint8_t *)m.run)[random_next() % m.run_size] =
					(uint8_t)random_next();
			if (command == KVM_RUN)
				arg = 0;
			got = ioctl(objects[random_next() % 6], command, arg);
			calls++;
			good += got >= 0;
			if (command == KVM_CREATE_VCPU && got >= 0)
				close(got);
		}
		machine_end(&m);
	}
	atomic_store(&self.stop, true);
	pthread_join(interrupter, NULL);
	printf("ok %lu commands, %lu of them served\n", calls, good);
	return 0;
}
