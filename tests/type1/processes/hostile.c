/* SPDX-License-Identifier: MIT */
/*
 * hostile.c - processes that make any calls with any arguments, and who watches them.  By name:
 *
 *   watch     starts the others and "echo" (services.c), again and again: those must get done what
 *             they want, and all memory come back
 *   others    hostile threads, each on the handles that all of them make, in a monitor's place or
 *             in a service's
 */
#include <linux/errno.h>
#include <linux/kvm.h>

#include "lib/bits.h"
#include "lib/bytes.h"
#include "tests/type1/processes/check.h"

#define PAGE (4 * KIB)
#define SECOND UINT64_C(1000000000)
#define MILLISECOND (SECOND / 1000)
#define PAST 1
#define CALLS 17000u /* of each process in each round */
#define THREADS 3u
#define HANDLES 96 /* of which one is chosen */
/* Of devices that the emulator keeps simple: others make it crash at odd settings. */
#define QEMU_VENDOR 0x1234

static void sleep_for(uint64_t time)
{
	uint32_t word = 0;

	call3(TYPE1_FUTEX_WAIT, call_address(&word), 0, os_clock_monotonic() + time);
}

/* --- Hostile ---------------------------------------------------------------------------------- */

static uint8_t scratch[64 * KIB] __attribute__((aligned(4096)));
static uint64_t addresses[32]; /* that the runtime gave; any of the threads' */
static uint16_t locations[32]; /* of devices */
static uint32_t start_handles; /* the last of those that it started with */
static _Atomic uint32_t done, running, gate;

/* xorshift64: Marsaglia 2003 */
static uint64_t some_number(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static const uint64_t numbers[] = {
	0,
	1,
	2,
	3,
	PAGE,
	PAGE - 1,
	16 * PAGE,
	2 * MIB,
	GIB,
	UINT32_MAX,
	UINT64_C(0x00007fffffffe000), /* the last page of a process's */
	UINT64_C(1) << 47,
	UINT64_C(0x8000000000000000),
	UINT64_C(0xffff800000000000),
	UINT64_C(0xffffffff80200000),
	UINT64_MAX - PAGE + 1,
	UINT64_MAX,
	(uint64_t)INT64_MAX,
};

static const uint32_t commands[] = {
	KVM_CREATE_VM,
	KVM_CREATE_VM,
	KVM_CREATE_VCPU,
	KVM_CREATE_VCPU,
	KVM_GET_API_VERSION,
	KVM_CHECK_EXTENSION,
	KVM_GET_VCPU_MMAP_SIZE,
	KVM_GET_SUPPORTED_CPUID,
	KVM_GET_MSR_INDEX_LIST,
	KVM_SET_USER_MEMORY_REGION,
	KVM_SET_USER_MEMORY_REGION,
	KVM_GET_DIRTY_LOG,
	KVM_CREATE_IRQCHIP,
	KVM_CREATE_PIT2,
	KVM_SET_GSI_ROUTING,
	KVM_IRQ_LINE,
	KVM_IRQFD,
	KVM_IOEVENTFD,
	KVM_SIGNAL_MSI,
	KVM_GET_IRQCHIP,
	KVM_SET_IRQCHIP,
	KVM_GET_PIT2,
	KVM_SET_PIT2,
	KVM_GET_CLOCK,
	KVM_SET_CLOCK,
	KVM_ENABLE_CAP,
	KVM_SET_TSS_ADDR,
	KVM_SET_IDENTITY_MAP_ADDR,
	KVM_RUN,
	KVM_RUN,
	KVM_RUN,
	KVM_GET_REGS,
	KVM_SET_REGS,
	KVM_GET_SREGS,
	KVM_SET_SREGS,
	KVM_GET_FPU,
	KVM_SET_FPU,
	KVM_GET_MSRS,
	KVM_SET_MSRS,
	KVM_SET_CPUID2,
	KVM_GET_CPUID2,
	KVM_GET_LAPIC,
	KVM_SET_LAPIC,
	KVM_INTERRUPT,
	KVM_NMI,
	KVM_GET_MP_STATE,
	KVM_SET_MP_STATE,
	KVM_GET_VCPU_EVENTS,
	KVM_SET_VCPU_EVENTS,
	KVM_GET_DEBUGREGS,
	KVM_SET_DEBUGREGS,
	KVM_GET_XSAVE,
	KVM_SET_XSAVE,
	KVM_GET_XCRS,
	KVM_SET_XCRS,
	KVM_TRANSLATE,
	KVM_SET_GUEST_DEBUG,
	KVM_SET_SIGNAL_MASK,
	KVM_KVMCLOCK_CTRL,
	KVM_SET_TSC_KHZ,
};

/* All but those that end the thread or wait for what may never come. */
static const enum type1_call calls[] = {
	TYPE1_MEMORY_MAP,
	TYPE1_MEMORY_UNMAP,
	TYPE1_MEMORY_DISCARD,
	TYPE1_MEMORY_CREATE,
	TYPE1_MEMORY_ATTACH,
	TYPE1_MEMORY_SIZE,
	TYPE1_THREAD_START,
	TYPE1_THREAD_KICK,
	TYPE1_FUTEX_WAIT,
	TYPE1_FUTEX_WAKE,
	TYPE1_EVENT_CREATE,
	TYPE1_EVENT_SIGNAL,
	TYPE1_PORT_CREATE,
	TYPE1_PORT_WATCH,
	TYPE1_PORT_UNWATCH,
	TYPE1_PORT_WAIT,
	TYPE1_KVM,
	TYPE1_KVM,
	TYPE1_KVM,
	TYPE1_KVM,
	TYPE1_KVM_MAP_RUN,
	TYPE1_MODULE_OPEN,
	TYPE1_POWER,
	TYPE1_LISTEN,
	TYPE1_ACCEPT,
	TYPE1_CONNECT,
	TYPE1_CHANNEL_MAP,
	TYPE1_CHANNEL_SIGNAL,
	TYPE1_CHANNEL_EVENT,
	TYPE1_DMA_BEGIN,
	TYPE1_DMA_END,
	TYPE1_DMA_ALLOC,
	TYPE1_DEVICE_LIST,
	TYPE1_DEVICE_OPEN,
	TYPE1_DEVICE_MAP,
	TYPE1_DEVICE_READ,
	TYPE1_DEVICE_WRITE,
	TYPE1_DEVICE_WRITE,
	TYPE1_DEVICE_INTERRUPT,
	TYPE1_PROCESS_LIST,
	TYPE1_PROCESS_CONTROL,
	TYPE1_MACHINE,
	TYPE1_LOG_READ,
	TYPE1_PROCESS_EVENT,
	TYPE1_CLOSE,
	TYPE1_CLOSE,
	TYPE1_CLOSE,
	TYPE1_CLOSE,
	TYPE1_CLOSE,
	TYPE1_CLOSE,
	TYPE1_CALLS,
};

static uint64_t some_address(uint64_t *state)
{
	uint64_t number = some_number(state), at;

	at = number % 3 ? addresses[(number >> 8) % ARRAY_COUNT(addresses)]
			: call_address(scratch + (number >> 8) % (sizeof(scratch) / 2));
	return number >> 32 & 1 ? align_down(at, PAGE) : at;
}

static uint64_t some_argument(uint64_t *state)
{
	uint64_t number = some_number(state);

	switch (number % 4) {
	case 0:
		return numbers[(number >> 8) % ARRAY_COUNT(numbers)];
	case 1:
		return some_address(state);
	case 2:
		return (number >> 8) % HANDLES;
	default:
		return (number >> 8) % (64 * PAGE);
	}
}

__asm__("thread_leaves:\n"
	"	mov	%edi, %eax\n"
	"1:	syscall\n"
	"	jmp	1b\n");
void thread_leaves(void);

/* Whatever else could end the process by its own doing is made harmless. */
static void choose(enum type1_call call, uint64_t a[6], uint64_t *state)
{
	for (unsigned i = 0; i < 6; i++)
		a[i] = some_argument(state);
	switch (call) {
	case TYPE1_CLOSE:
		a[0] = start_handles + 1 + a[0] % HANDLES;
		break;
	case TYPE1_THREAD_START:
		a[0] = call_address(thread_leaves);
		a[2] = TYPE1_THREAD_EXIT;
		break;
	case TYPE1_FUTEX_WAIT:
		a[2] = PAST;
		break;
	case TYPE1_PORT_WAIT:
		a[1] = PAST;
		break;
	case TYPE1_KVM:
		a[1] = commands[a[1] % ARRAY_COUNT(commands)];
		break;
	case TYPE1_MEMORY_UNMAP:
	case TYPE1_MEMORY_DISCARD:
		/* Its own text and stacks are elsewhere. */
		if (a[0] - call_address(scratch) < sizeof(scratch))
			a[0] = numbers[a[1] % ARRAY_COUNT(numbers)];
		a[1] = a[1] % 2 ? a[2] : PAGE * (a[2] % 32);
		break;
	case TYPE1_DEVICE_OPEN:
		a[1] = locations[a[1] % ARRAY_COUNT(locations)];
		break;
	case TYPE1_MEMORY_MAP:
	case TYPE1_MEMORY_CREATE:
	case TYPE1_CONNECT:
		if (a[3] % 4)
			a[call == TYPE1_CONNECT] = PAGE * (a[2] % 32);
		break;
	default:
		break;
	}
	/* Half of all calls have a handle of the right kind more likely. */
	if (some_number(state) % 2 && call == TYPE1_CONNECT)
		a[0] = a[4] % 2 ? process_info->handles.store : process_info->handles.network;
	if (some_number(state) % 4 == 0 && call == TYPE1_KVM)
		a[0] = process_info->handles.kvm;
	if (some_number(state) % 2 && call >= TYPE1_DEVICE_LIST && call <= TYPE1_DEVICE_OPEN)
		a[0] = process_info->handles.devices;
}

static bool gives_address(enum type1_call call)
{
	return call == TYPE1_MEMORY_MAP || call == TYPE1_MEMORY_ATTACH ||
	       call == TYPE1_CHANNEL_MAP || call == TYPE1_KVM_MAP_RUN || call == TYPE1_DMA_ALLOC;
}

static void attack(void *arg)
{
	uint64_t state = os_clock_monotonic() * 2654435761 + call_address(arg);

	while (!gate)
		sleep_for(MILLISECOND);
	while (done++ < CALLS) {
		enum type1_call call = calls[some_number(&state) % ARRAY_COUNT(calls)];
		uint64_t a[6], at;
		int64_t result;

		choose(call, a, &state);
		at = some_number(&state) % sizeof(scratch);
		scratch[at] = (uint8_t)some_argument(&state);
		result = call6(call, a[0], a[1], a[2], a[3], a[4], a[5]);
		if (result > 0 && gives_address(call))
			addresses[some_number(&state) % ARRAY_COUNT(addresses)] = (uint64_t)result;
	}
	running--;
}

static int hostile_main(const struct type1_start_handles *handles)
{
	struct os_thread *threads[THREADS];
	struct type1_device device;

	start_handles =
		MAX(MAX(handles->kvm, handles->devices), MAX(handles->store, handles->network));
	for (unsigned i = 0; i < ARRAY_COUNT(locations); i++) {
		if (!call3(TYPE1_DEVICE_LIST, handles->devices, i, call_address(&device)) &&
		    device.vendor == QEMU_VENDOR)
			locations[i] = device.location;
	}
	running = THREADS;
	for (unsigned i = 0; i < THREADS; i++) {
		EXPECT(os_thread_start(&threads[i], "attack", attack, &threads[i]), 0);
		/* The handle isn't to be closed: it is below those that are made later. */
		start_handles++;
	}
	gate = 1;
	/* Out of guests that do not end. */
	while (running) {
		sleep_for(MILLISECOND);
		for (unsigned i = 0; i < THREADS; i++)
			os_thread_kick(threads[i]);
	}
	return check_end();
}

/* --- Who watches ------------------------------------------------------------------------------ */

#define ROUNDS 3
#define KEPT_BY_CORE (8 * PAGE)
/* Pages of the runtime's heap, one for each size of objects, may have one of what came later. */
#define SHARED (4 * PAGE)
static uint64_t port;

static unsigned find_process(const char *name, struct type1_process *process)
{
	unsigned index = 0;

	while (!call3(TYPE1_PROCESS_LIST, process_info->handles.processes, index,
		      call_address(process)) &&
	       !text_equal(process->name, name))
		index++;
	return index;
}

static void control(const char *name, enum type1_process_control what)
{
	struct type1_process process;
	unsigned index = find_process(name, &process);

	EXPECT(call3(TYPE1_PROCESS_CONTROL, process_info->handles.processes, index, what), 0);
}

static void wait_end(const char *name, uint32_t starts)
{
	uint64_t end = os_clock_monotonic() + 300 * SECOND, key;
	struct type1_process process;

	for (;;) {
		find_process(name, &process);
		if ((process.state == TYPE1_PROCESS_ENDED && process.starts == starts) ||
		    os_clock_monotonic() > end)
			break;
		call4(TYPE1_PORT_WAIT, port, os_clock_monotonic() + SECOND, call_address(&key), 1);
	}
	EXPECT(process.state, TYPE1_PROCESS_ENDED);
	EXPECT(process.status, 0);
}

static uint64_t memory_free(void)
{
	static struct type1_machine machine;

	EXPECT(call2(TYPE1_MACHINE, process_info->handles.processes, call_address(&machine)), 0);
	return machine.memory_free;
}

static int watch_main(void)
{
	static const char *const hostile[] = {"monitor", "switch"};
	uint64_t event = (uint64_t)call0(TYPE1_EVENT_CREATE), before = 0, end;
	uint32_t echoes = 0;

	port = (uint64_t)call0(TYPE1_PORT_CREATE);
	EXPECT(call3(TYPE1_PORT_WATCH, port, event, 1), 0);
	EXPECT(call2(TYPE1_PROCESS_EVENT, process_info->handles.processes, event), 0);
	for (uint32_t round = 0; round <= ROUNDS; round++) {
		for (unsigned i = 0; round && i < ARRAY_COUNT(hostile); i++)
			control(hostile[i], TYPE1_PROCESS_START);
		control("echo", TYPE1_PROCESS_START);
		wait_end("echo", ++echoes);
		for (unsigned i = 0; round && i < ARRAY_COUNT(hostile); i++)
			wait_end(hostile[i], round);
		/* What the service has grown to goes; it is there again. */
		control("store", TYPE1_PROCESS_KILL);
		control("echo", TYPE1_PROCESS_START);
		wait_end("echo", ++echoes);
		/* The first round is without them; the core keeps some of what its first VM needs.
		 */
		sleep_for(SECOND);
		if (round == 1)
			EXPECT_THAT(memory_free() + KEPT_BY_CORE >= before);
		if (round < 2)
			before = memory_free();
		end = os_clock_monotonic() + 5 * SECOND;
		while (memory_free() + SHARED < before && os_clock_monotonic() < end)
			sleep_for(10 * MILLISECOND);
		EXPECT_THAT(memory_free() + SHARED >= before);
	}
	return check_end();
}

int main(const struct type1_info *info)
{
	return text_equal(info->name, "watch") ? watch_main() : hostile_main(&info->handles);
}
