/* SPDX-License-Identifier: MIT */
/*
 * vm.c - a process of the bare-metal runtime that makes VMs by the system call of the KVM ABI:
 * small guests in real mode, their exits, memory that is taken from under them, events, kicks, the
 * end in any order; and, told apart from the rest by its name, how many instructions a port read
 * takes.
 *
 * Its last line in the log is `NAME: N passed, N failed`.  It ends with a guest still running.
 */
#include <linux/errno.h>
#include <linux/kvm.h>

#include "lib/bits.h"
#include "lib/bytes.h"
#include "lib/format.h"
#include "type1/process/call.h"
#include "type1/process/process.h"

#define PAGE (4 * KIB)
#define GUEST_MEMORY (2 * MIB)
#define GUEST_CODE 0x1000u
#define GUEST_DATA 0x3000u
#define GUEST_PORT_IN 0x10
#define GUEST_PORT_OUT 0x11
#define RFLAGS_RESERVED 2u
#define READS 4096u
#define DISCARDS 50u
#define SECOND UINT64_C(1000000000)

static unsigned passed, failed;
static uint64_t system_handle;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
	char text[TYPE1_LOG_LINE];
	va_list args;
	size_t size;

	va_start(args, format);
	size = format_text_args(text, sizeof(text), format, args);
	va_end(args);
	call3(TYPE1_LOG, OS_LOG_INFO, call_address(text), size);
}

static void expect(bool held, const char *what, int64_t value)
{
	if (held) {
		passed++;
		return;
	}
	failed++;
	say("%s: FAILED: %s (%lld)", process_info->name, what, (long long)value);
}

#define EXPECT(value, wanted)                                                                      \
	do {                                                                                       \
		int64_t value_ = (int64_t)(value);                                                 \
                                                                                                   \
		expect(value_ == (int64_t)(wanted), #value " is " #wanted, value_);                \
	} while (0)

/* --- A guest ---------------------------------------------------------------------------------- */

struct guest {
	uint64_t vm, vcpu;
	uint8_t *memory; /* GUEST_MEMORY bytes, at 0 of the guest's */
	struct kvm_run *run;
};

static int64_t kvm(uint64_t handle, uint32_t command, uint64_t argument)
{
	return call3(TYPE1_KVM, handle, command, argument);
}

static void guest_begin(struct guest *guest, const void *code, size_t size, bool irqchip)
{
	struct kvm_userspace_memory_region region = {.memory_size = GUEST_MEMORY};
	struct kvm_regs registers = {.rip = GUEST_CODE, .rflags = RFLAGS_RESERVED};
	struct kvm_sregs system;
	int64_t result;

	result = kvm(system_handle, KVM_CREATE_VM, 0);
	expect(result > 0, "KVM_CREATE_VM gives a handle", result);
	guest->vm = (uint64_t)result;
	if (irqchip)
		EXPECT(kvm(guest->vm, KVM_CREATE_IRQCHIP, 0), 0);
	result = call2(TYPE1_MEMORY_MAP, GUEST_MEMORY, TYPE1_MEMORY_WRITE | TYPE1_MEMORY_LARGE);
	expect(result > 0, "there is memory for a guest", result);
	guest->memory = (uint8_t *)result;
	memcpy(guest->memory + GUEST_CODE, code, size);
	region.userspace_addr = (uint64_t)result;
	EXPECT(kvm(guest->vm, KVM_SET_USER_MEMORY_REGION, call_address(&region)), 0);
	result = kvm(guest->vm, KVM_CREATE_VCPU, 0);
	expect(result > 0, "KVM_CREATE_VCPU gives a handle", result);
	guest->vcpu = (uint64_t)result;
	result = call1(TYPE1_KVM_MAP_RUN, guest->vcpu);
	expect(result > 0, "kvm_run is mapped", result);
	guest->run = (struct kvm_run *)result;
	EXPECT(kvm(guest->vcpu, KVM_GET_SREGS, call_address(&system)), 0);
	system.cs.base = 0;
	system.cs.selector = 0;
	EXPECT(kvm(guest->vcpu, KVM_SET_SREGS, call_address(&system)), 0);
	EXPECT(kvm(guest->vcpu, KVM_SET_REGS, call_address(&registers)), 0);
}

static void guest_end(struct guest *guest)
{
	EXPECT(call1(TYPE1_CLOSE, guest->vm), 0);
	EXPECT(call1(TYPE1_CLOSE, guest->vcpu), 0);
	EXPECT(call2(TYPE1_MEMORY_UNMAP, call_address(guest->memory), GUEST_MEMORY), 0);
}

static void expect_exit(struct guest *guest, uint32_t reason)
{
	EXPECT(kvm(guest->vcpu, KVM_RUN, 0), 0);
	EXPECT(guest->run->exit_reason, reason);
}

static uint8_t *port_data(struct guest *guest)
{
	return (uint8_t *)guest->run + guest->run->io.data_offset;
}

/* The guest tells a byte by GUEST_PORT_OUT. */
static void expect_byte(struct guest *guest, uint8_t byte)
{
	expect_exit(guest, KVM_EXIT_IO);
	EXPECT(guest->run->io.direction, KVM_EXIT_IO_OUT);
	EXPECT(guest->run->io.port, GUEST_PORT_OUT);
	EXPECT(*port_data(guest), byte);
}

/* --- Exits ------------------------------------------------------------------------------------ */

static void test_exits(void)
{
	static const uint8_t code[] = {
		0xe4, GUEST_PORT_IN,  /* in al, GUEST_PORT_IN */
		0xfe, 0xc0,           /* inc al */
		0xe6, GUEST_PORT_OUT, /* out GUEST_PORT_OUT, al */
		0xf4,                 /* hlt */
	};
	struct guest guest;

	guest_begin(&guest, code, sizeof(code), false);
	expect_exit(&guest, KVM_EXIT_IO);
	EXPECT(guest.run->io.direction, KVM_EXIT_IO_IN);
	EXPECT(guest.run->io.port, GUEST_PORT_IN);
	*port_data(&guest) = 41;
	expect_byte(&guest, 42);
	expect_exit(&guest, KVM_EXIT_HLT);
	EXPECT(kvm(guest.vcpu, KVM_CREATE_VCPU, 1), -ENOTTY);
	EXPECT(kvm(guest.vm, KVM_CREATE_VCPU, 0), -EEXIST);
	EXPECT(call1(TYPE1_KVM_MAP_RUN, guest.vm), -EINVAL);
	guest_end(&guest);
	EXPECT(kvm(guest.vcpu, KVM_RUN, 0), -EBADF);
	/* What was mapped stays. */
	EXPECT(guest.run->exit_reason, KVM_EXIT_HLT);
}

/* --- Memory that goes ------------------------------------------------------------------------- */

static void test_memory(void)
{
	static const uint8_t code[] = {
		0xa0,
		GUEST_DATA & 0xff,
		GUEST_DATA >> 8, /* mov al, [GUEST_DATA] */
		0xe6,
		GUEST_PORT_OUT, /* out GUEST_PORT_OUT, al */
		0xeb,
		0xf9, /* jmp to the first */
	};
	struct guest guest;

	guest_begin(&guest, code, sizeof(code), false);
	guest.memory[GUEST_DATA] = 7;
	expect_byte(&guest, 7);
	EXPECT(call2(TYPE1_MEMORY_DISCARD, call_address(guest.memory + GUEST_DATA), PAGE), 0);
	expect_byte(&guest, 0);
	guest.memory[GUEST_DATA] = 9;
	expect_byte(&guest, 9);
	guest_end(&guest);
}

/* --- Events ----------------------------------------------------------------------------------- */

static void test_events(void)
{
	static const uint8_t code[] = {
		0xe6, GUEST_PORT_IN,  /* out GUEST_PORT_IN, al: the event's */
		0xe6, GUEST_PORT_OUT, /* out GUEST_PORT_OUT, al */
	};
	int64_t event = call0(TYPE1_EVENT_CREATE), port = call0(TYPE1_PORT_CREATE);
	struct kvm_ioeventfd doorbell = {.addr = GUEST_PORT_IN,
					 .len = 1,
					 .fd = (int32_t)event,
					 .flags = KVM_IOEVENTFD_FLAG_PIO};
	struct kvm_irqfd irq = {.fd = (uint32_t)event, .gsi = 4};
	struct guest guest;
	uint64_t key = 0;

	guest_begin(&guest, code, sizeof(code), true);
	EXPECT(call3(TYPE1_PORT_WATCH, (uint64_t)port, (uint64_t)event, 5), 0);
	EXPECT(kvm(guest.vm, KVM_IOEVENTFD, call_address(&doorbell)), 0);
	expect_byte(&guest, 0);
	EXPECT(call4(TYPE1_PORT_WAIT, (uint64_t)port, 1, call_address(&key), 1), 1);
	EXPECT(key, 5);
	doorbell.flags |= KVM_IOEVENTFD_FLAG_DEASSIGN;
	EXPECT(kvm(guest.vm, KVM_IOEVENTFD, call_address(&doorbell)), 0);
	EXPECT(kvm(guest.vm, KVM_IRQFD, call_address(&irq)), 0);
	EXPECT(kvm(guest.vm, KVM_IRQFD, call_address(&irq)), -EBUSY);
	EXPECT(call1(TYPE1_EVENT_SIGNAL, (uint64_t)event), 0); /* the VM's now */
	EXPECT(call4(TYPE1_PORT_WAIT, (uint64_t)port, 1, call_address(&key), 1), 0);
	EXPECT(call1(TYPE1_CLOSE, (uint64_t)event), 0);
	EXPECT(call1(TYPE1_CLOSE, (uint64_t)port), 0);
	guest_end(&guest);
}

/* --- Kicks ------------------------------------------------------------------------------------ */

static const uint8_t spin_code[] = {
	0xe6, GUEST_PORT_OUT, /* out GUEST_PORT_OUT, al */
	0xeb, 0xfe,           /* jmp to itself */
};
static const uint8_t halt_code[] = {
	0xe6, GUEST_PORT_OUT, /* out GUEST_PORT_OUT, al */
	0xf4,                 /* hlt */
};

struct runner {
	struct guest *guest;
	uint32_t begun; /* [atomic] */
	int64_t result;
};

static void run_guest(void *arg)
{
	struct runner *runner = arg;

	__atomic_store_n(&runner->begun, 1, __ATOMIC_SEQ_CST);
	call2(TYPE1_FUTEX_WAKE, call_address(&runner->begun), 1);
	runner->result = kvm(runner->guest->vcpu, KVM_RUN, 0);
}

static void sleep_for(uint64_t time)
{
	static uint32_t word;

	call3(TYPE1_FUTEX_WAIT, call_address(&word), 0, os_clock_monotonic() + time);
}

static void test_kick(const uint8_t *code, size_t size, bool irqchip)
{
	struct guest guest;
	struct runner runner = {.guest = &guest};
	struct os_thread *thread;

	guest_begin(&guest, code, size, irqchip);
	expect_byte(&guest, 0);
	EXPECT(os_thread_start(&thread, "vcpu", run_guest, &runner), 0);
	while (!__atomic_load_n(&runner.begun, __ATOMIC_SEQ_CST))
		call3(TYPE1_FUTEX_WAIT, call_address(&runner.begun), 0, 0);
	sleep_for(SECOND / 50);
	__atomic_store_n(&guest.run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	os_thread_kick(thread);
	os_thread_join(thread);
	EXPECT(runner.result, -EINTR);
	EXPECT(guest.run->exit_reason, KVM_EXIT_INTR);
	guest_end(&guest);
}

/* Memory goes, and handles are closed, while the guest runs. */
static void test_taking_away(void)
{
	static const uint8_t code[] = {
		0xe6,
		GUEST_PORT_OUT, /* out GUEST_PORT_OUT, al */
		0xfe,
		0x06,
		GUEST_DATA & 0xff,
		GUEST_DATA >> 8, /* inc byte [GUEST_DATA] */
		0xeb,
		0xfa, /* jmp to it */
	};
	struct guest guest;
	struct runner runner = {.guest = &guest};
	struct os_thread *thread;

	guest_begin(&guest, code, sizeof(code), false);
	expect_byte(&guest, 0);
	EXPECT(os_thread_start(&thread, "vcpu", run_guest, &runner), 0);
	sleep_for(SECOND / 50);
	for (unsigned i = 0; i < DISCARDS; i++)
		EXPECT(call2(TYPE1_MEMORY_DISCARD, call_address(guest.memory + GUEST_DATA), PAGE),
		       0);
	for (unsigned i = 0;
	     i < 250 && !__atomic_load_n(guest.memory + GUEST_DATA, __ATOMIC_RELAXED); i++)
		sleep_for(SECOND / 50);
	expect(__atomic_load_n(guest.memory + GUEST_DATA, __ATOMIC_RELAXED),
	       "the guest goes on in the new page", 0);
	EXPECT(call1(TYPE1_CLOSE, guest.vcpu), 0);
	EXPECT(call1(TYPE1_CLOSE, guest.vm), 0);
	__atomic_store_n(&guest.run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	os_thread_kick(thread);
	os_thread_join(thread);
	EXPECT(runner.result, -EINTR);
	EXPECT(call2(TYPE1_MEMORY_UNMAP, call_address(guest.memory), GUEST_MEMORY), 0);
}

/* --- What a port read takes ------------------------------------------------------------------- */

static void measure_reads(void)
{
	static const uint8_t code[] = {
		0xe4, GUEST_PORT_IN, /* in al, GUEST_PORT_IN */
		0xeb, 0xfc,          /* jmp to it */
	};
	struct guest guest;
	uint64_t begin;

	guest_begin(&guest, code, sizeof(code), true);
	expect_exit(&guest, KVM_EXIT_IO);
	begin = __builtin_ia32_rdtsc();
	for (unsigned i = 0; i < READS; i++) {
		kvm(guest.vcpu, KVM_RUN, 0);
		*port_data(&guest) = (uint8_t)i;
	}
	say("%s: a port read served takes %llu of the TSC", process_info->name,
	    (unsigned long long)((__builtin_ia32_rdtsc() - begin) / READS));
	EXPECT(guest.run->exit_reason, KVM_EXIT_IO);
	guest_end(&guest);
}

/* --- All -------------------------------------------------------------------------------------- */

/* The process ends while these two run. */
static void leave_running(void)
{
	static struct guest spins, halts;
	static struct runner runners[] = {{.guest = &spins}, {.guest = &halts}};
	struct os_thread *thread;

	guest_begin(&spins, spin_code, sizeof(spin_code), false);
	expect_byte(&spins, 0);
	guest_begin(&halts, halt_code, sizeof(halt_code), true);
	expect_byte(&halts, 0);
	EXPECT(os_thread_start(&thread, "spins", run_guest, &runners[0]), 0);
	EXPECT(os_thread_start(&thread, "halts", run_guest, &runners[1]), 0);
	sleep_for(SECOND / 50);
}

int main(const struct type1_info *info)
{
	system_handle = info->handles.kvm;
	EXPECT(kvm(system_handle, KVM_GET_API_VERSION, 0), KVM_API_VERSION);
	test_exits();
	test_memory();
	test_events();
	test_kick(spin_code, sizeof(spin_code), false);
	test_kick(halt_code, sizeof(halt_code), true);
	test_taking_away();
	measure_reads();
	leave_running();
	say("%s: %u passed, %u failed", info->name, passed, failed);
	return failed != 0;
}
