/* SPDX-License-Identifier: MIT */
/*
 * services.c - processes of the bare-metal runtime that try what services are made of.  By name:
 *
 *   store     a service that does what its clients ask: answers, holds their memory, dies
 *   client    has it do so, and makes calls that it may not
 *   echo      asks it a hundred times for an answer, and to hold memory
 *   device    the emulator's edu device (QEMU, docs/specs/edu.rst): registers, DMA, interrupts
 *   list      the image's processes and their log: starts and kills "idle", which is stopped first
 */
#include <linux/errno.h>

#include "hw/pci.h"
#include "lib/bits.h"
#include "lib/bytes.h"
#include "tests/type1/processes/check.h"
#include "type1/process/channel.h"

#define PAGE (4 * KIB)
#define LARGE (2 * MIB)
#define SECOND UINT64_C(1000000000)
#define MILLISECOND (SECOND / 1000)
#define PAST 1
#define KERNEL_ADDRESS UINT64_C(0xffff800000000000)
#define EXTENTS 16

enum command { NONE, ECHO, BEGIN, END, CRASH, LEAVE };

struct shared {
	_Atomic uint32_t command; /* NONE: it is done */
	uint32_t write;
	uint64_t address, size, room;
	int64_t result;
	struct type1_extent extents[EXTENTS];
};

static void sleep_until(uint64_t deadline)
{
	uint32_t word = 0;

	call3(TYPE1_FUTEX_WAIT, call_address(&word), 0, deadline);
}

static void sleep_for(uint64_t time)
{
	sleep_until(os_clock_monotonic() + time);
}

/* --- The service ------------------------------------------------------------------------------ */

static struct os_loop *loop;
static struct channel_listener listener;

struct client {
	struct channel channel;
};

static int64_t begin(const struct client *client, struct shared *shared)
{
	return call6(TYPE1_DMA_BEGIN, client->channel.handle, shared->address, shared->size,
		     shared->write ? TYPE1_DMA_FROM_DEVICE : TYPE1_DMA_TO_DEVICE,
		     call_address(shared->extents), shared->room);
}

static void serve(void *arg)
{
	struct client *client = arg;
	struct shared *shared = client->channel.memory;
	uint32_t command = shared->command;

	switch (command) {
	case ECHO:
		shared->result = (int64_t)shared->address;
		break;
	case BEGIN:
		shared->result = begin(client, shared);
		break;
	case END:
		shared->result =
			call3(TYPE1_DMA_END, client->channel.handle, shared->address, shared->size);
		break;
	case CRASH:
		*(volatile uint8_t *)PAGE = 1;
		break;
	case LEAVE:
		process_exit(0);
	default:
		if (channel_gone(&client->channel)) {
			channel_close(&client->channel);
			os_free(client);
		}
		return;
	}
	shared->command = NONE;
	channel_signal(&client->channel);
}

static void accept(void *unused)
{
	struct type1_client from;
	struct client *client;
	int err;

	(void)unused;
	do {
		client = os_alloc(sizeof(*client));
		err = channel_accept(&client->channel, &listener, sizeof(struct shared), &from);
		if (!err)
			err = channel_watch(&client->channel, loop, serve, client);
		if (err)
			os_free(client);
	} while (err != -EAGAIN);
}

static int service_main(void)
{
	if (os_loop_create(&loop) || channel_listen(&listener, loop, accept, NULL))
		return 1;
	os_loop_run(loop);
	return 1;
}

/* --- Its client ------------------------------------------------------------------------------- */

static struct channel channel;

static void reconnect(void)
{
	channel_close(&channel);
	EXPECT(channel_connect(&channel, process_info->handles.store, sizeof(struct shared)), 0);
}

/* -EPIPE: the service is gone. */
static int64_t ask(enum command command, const void *address, uint64_t size, bool write)
{
	struct shared *shared = channel.memory;

	shared->address = call_address(address);
	shared->size = size;
	shared->write = write;
	shared->room = EXTENTS;
	shared->command = command;
	channel_signal(&channel);
	while (shared->command != NONE) {
		EXPECT(channel_wait(&channel, os_clock_monotonic() + 10 * SECOND), 0);
		if (shared->command != NONE && channel_gone(&channel))
			return -EPIPE;
	}
	return shared->result;
}

static void test_calls(void)
{
	uint64_t store = process_info->handles.store, port = (uint64_t)call0(TYPE1_PORT_CREATE);
	struct type1_extent extents[1];

	EXPECT_THAT(store > 0);
	EXPECT(process_info->handles.network, 0);
	EXPECT(process_info->handles.devices, 0);
	EXPECT(call2(TYPE1_CONNECT, store, 0), -EINVAL);
	EXPECT(call2(TYPE1_CONNECT, store, TYPE1_CHANNEL_MAX + 1), -EINVAL);
	EXPECT(call2(TYPE1_CONNECT, store, UINT64_MAX), -EINVAL);
	EXPECT(call2(TYPE1_CONNECT, port, PAGE), -EBADF);
	EXPECT(call2(TYPE1_LISTEN, port, 1), -EPERM);
	EXPECT(call2(TYPE1_ACCEPT, store, call_address(extents)), -EBADF);
	EXPECT(call1(TYPE1_CHANNEL_MAP, store), -EBADF);
	EXPECT(call1(TYPE1_CHANNEL_SIGNAL, store), -EBADF);
	EXPECT(call1(TYPE1_CHANNEL_EVENT, store), -EBADF);
	EXPECT(call6(TYPE1_DMA_BEGIN, channel.handle, call_address(extents), PAGE, 0,
		     call_address(extents), 1),
	       -EBADF);
	EXPECT(call3(TYPE1_DMA_END, channel.handle, call_address(extents), PAGE), -EBADF);
	EXPECT(call3(TYPE1_DMA_ALLOC, store, PAGE, call_address(extents)), -EBADF);
	for (enum type1_call call = TYPE1_DEVICE_LIST; call <= TYPE1_PROCESS_EVENT; call++) {
		EXPECT(call4(call, 0, 0, 1, 16), -EBADF);
		EXPECT(call4(call, store, 0, 1, 16), -EBADF);
	}
	EXPECT(call1(TYPE1_CLOSE, port), 0);
}

/* As many channels as there can be, often: what they had comes back. */
static void test_many_channels(void)
{
	static int64_t handles[64];

	for (int i = 0; i < 30; i++) {
		unsigned count = 0;
		int64_t handle;

		while ((handle = call2(TYPE1_CONNECT, process_info->handles.store, MIB)) > 0)
			handles[count++] = handle;
		EXPECT(handle, -ENOMEM);
		EXPECT_THAT(count >= 4 && count < ARRAY_COUNT(handles));
		EXPECT_THAT(call1(TYPE1_CHANNEL_MAP, (uint64_t)handles[0]) > 0);
		while (count--)
			EXPECT(call1(TYPE1_CLOSE, (uint64_t)handles[count]), 0);
	}
}

static uint8_t *memory; /* LARGE */
static _Atomic bool unmapped;

static void unmap(void *arg)
{
	EXPECT(call2(TYPE1_MEMORY_UNMAP, call_address(arg), PAGE), 0);
	unmapped = true;
}

static void test_holds(void)
{
	const struct shared *shared = channel.memory;
	struct os_thread *thread;
	uint64_t size = 0;
	int64_t count;

	count = ask(BEGIN, memory + 100, 3 * PAGE, true);
	EXPECT_THAT(count > 0 && count <= 4);
	for (int64_t i = 0; i < count; i++)
		size += shared->extents[i].size;
	EXPECT(size, 3 * PAGE);
	EXPECT(shared->extents[0].physical % PAGE, 100);
	EXPECT(ask(END, memory + 100, 2 * PAGE, true), -ENOENT);
	EXPECT(ask(END, memory + 100, 3 * PAGE, true), 0);
	EXPECT(ask(END, memory + 100, 3 * PAGE, true), -ENOENT);

	/* What isn't the client's, or not to be written. */
	EXPECT(ask(BEGIN, (void *)KERNEL_ADDRESS, PAGE, false), -EFAULT);
	EXPECT(ask(BEGIN, NULL, PAGE, false), -EFAULT);
	EXPECT(ask(BEGIN, memory, UINT64_MAX, false), -EINVAL);
	EXPECT(ask(BEGIN, memory + LARGE - PAGE, 2 * PAGE, false), -EFAULT);
	EXPECT(ask(BEGIN, memory, 0, false), -EINVAL);
	EXPECT_THAT(ask(BEGIN, process_info, 16, false) > 0);
	EXPECT(ask(END, process_info, 16, false), 0);
	EXPECT(ask(BEGIN, process_info, 16, true), -EFAULT);

	/* Discarded pages come again; what is held stays until it isn't. */
	EXPECT(call2(TYPE1_MEMORY_DISCARD, call_address(memory), LARGE), 0);
	EXPECT_THAT(ask(BEGIN, memory + PAGE, PAGE, true) > 0);
	EXPECT_THAT(ask(BEGIN, memory + PAGE, PAGE, true) > 0);
	EXPECT(call2(TYPE1_MEMORY_DISCARD, call_address(memory), PAGE), 0);
	EXPECT(os_thread_start(&thread, "unmap", unmap, memory + PAGE), 0);
	sleep_for(30 * MILLISECOND);
	EXPECT(ask(END, memory + PAGE, PAGE, true), 0);
	sleep_for(30 * MILLISECOND);
	EXPECT(unmapped, false);
	memory[PAGE] = 1;
	EXPECT(ask(END, memory + PAGE, PAGE, true), 0);
	os_thread_join(thread);
	EXPECT(unmapped, true);
	EXPECT(ask(BEGIN, memory + PAGE, PAGE, true), -EFAULT);
}

/* The service dies while it holds memory and owes an answer, and is there again. */
static void test_death(void)
{
	struct os_thread *thread;

	unmapped = false;
	EXPECT_THAT(ask(BEGIN, memory + 2 * PAGE, PAGE, true) > 0);
	EXPECT(os_thread_start(&thread, "unmap", unmap, memory + 2 * PAGE), 0);
	sleep_for(30 * MILLISECOND);
	EXPECT(unmapped, false);
	EXPECT(ask(CRASH, NULL, 0, false), -EPIPE);
	EXPECT(channel_signal(&channel), -EPIPE);
	os_thread_join(thread);
	for (int i = 0; i < 3; i++) {
		reconnect();
		EXPECT(ask(ECHO, memory, 0, false), (int64_t)call_address(memory));
		EXPECT(ask(CRASH, NULL, 0, false), -EPIPE);
	}
}

static int client_main(void)
{
	reconnect();
	EXPECT(ask(ECHO, (void *)12345, 0, false), 12345);
	memory = (uint8_t *)call2(TYPE1_MEMORY_MAP, LARGE, TYPE1_MEMORY_WRITE | TYPE1_MEMORY_LARGE);
	test_calls();
	test_holds();
	test_death();
	reconnect();
	test_many_channels();
	EXPECT(ask(ECHO, memory, 0, false), (int64_t)call_address(memory));
	EXPECT(ask(LEAVE, NULL, 0, false), -EPIPE);
	/* It isn't started again: as soon as that is known, nobody can connect. */
	while (channel_connect(&channel, process_info->handles.store, PAGE) != -EPIPE) {
		channel_wait(&channel, os_clock_monotonic() + 10 * SECOND);
		channel_close(&channel);
	}
	return check_end();
}

static int echo_main(void)
{
	reconnect();
	memory = (uint8_t *)call2(TYPE1_MEMORY_MAP, LARGE, TYPE1_MEMORY_WRITE);
	for (uint64_t i = 0; i < 100; i++) {
		EXPECT(ask(ECHO, memory + i, 0, false), (int64_t)call_address(memory + i));
		EXPECT_THAT(ask(BEGIN, memory + i * PAGE, 2 * PAGE, true) > 0);
		EXPECT(ask(END, memory + i * PAGE, 2 * PAGE, true), 0);
	}
	return check_end();
}

/* --- A device --------------------------------------------------------------------------------- */

#define EDU_VENDOR 0x1234
#define EDU_DEVICE 0x11e8
#define EDU_SIZE MIB
#define EDU_ID 0x010000edu
#define EDU_BUFFER 0x40000
#define EDU_DMA_START 1u
#define EDU_DMA_TO_MEMORY 2u
#define EDU_DMA_INTERRUPT 4u

struct edu {
	uint32_t id, inverse, factorial, reserved_0c[5], status, interrupt_status;
	uint32_t reserved_28[14], raise, acknowledge;
	uint32_t reserved_68[6];
	uint64_t source, target, count, command;
};
_Static_assert(offsetof(struct edu, raise) == 0x60, "edu");
_Static_assert(offsetof(struct edu, source) == 0x80, "edu");

static int64_t config_write(uint64_t device, unsigned offset, unsigned size, uint32_t value)
{
	return call4(TYPE1_DEVICE_WRITE, device, offset, size, value);
}

static bool find_edu(struct type1_device *found)
{
	uint64_t devices = process_info->handles.devices;

	for (unsigned i = 0; !call3(TYPE1_DEVICE_LIST, devices, i, call_address(found)); i++) {
		if (found->vendor == EDU_VENDOR && found->device == EDU_DEVICE)
			return true;
		EXPECT_THAT(i < 256);
	}
	return false;
}

static uint64_t port;

static void wait_interrupt(volatile struct edu *edu)
{
	uint64_t key = 0;

	EXPECT(call4(TYPE1_PORT_WAIT, port, os_clock_monotonic() + 5 * SECOND, call_address(&key),
		     1),
	       1);
	EXPECT(key, 77);
	edu->acknowledge = edu->interrupt_status;
}

/* What the device was given comes back from it, told by interrupts. */
static void test_edu(uint64_t device, volatile struct edu *edu)
{
	struct type1_extent extent;
	int64_t address = call3(TYPE1_DMA_ALLOC, device, 100, call_address(&extent));
	uint8_t *bytes = (uint8_t *)address;
	unsigned wrong = 0;

	EXPECT(edu->id, EDU_ID);
	edu->inverse = 5;
	EXPECT(edu->inverse, ~5u);
	edu->raise = 1;
	wait_interrupt(edu);
	EXPECT_THAT(address > 0 && extent.size >= 100);
	for (unsigned i = 0; i < 100; i++)
		bytes[i] = (uint8_t)(i * 3);
	edu->source = extent.physical;
	edu->target = EDU_BUFFER;
	edu->count = 100;
	edu->command = EDU_DMA_START | EDU_DMA_INTERRUPT;
	wait_interrupt(edu);
	memset(bytes, 0, 100);
	edu->source = EDU_BUFFER;
	edu->target = extent.physical;
	edu->command = EDU_DMA_START | EDU_DMA_TO_MEMORY | EDU_DMA_INTERRUPT;
	wait_interrupt(edu);
	for (unsigned i = 0; i < 100; i++)
		wrong += bytes[i] != (uint8_t)(i * 3);
	EXPECT(wrong, 0);
}

static void test_refusals(uint64_t device, const struct type1_device *info)
{
	uint64_t devices = process_info->handles.devices;
	struct type1_extent extent;

	EXPECT(call2(TYPE1_DEVICE_OPEN, devices, info->location), -EBUSY);
	EXPECT(call2(TYPE1_DEVICE_OPEN, devices, UINT64_MAX), -ENOENT);
	EXPECT(call2(TYPE1_DEVICE_OPEN, devices, 0), -ENOENT); /* the host's bridge */
	EXPECT(call3(TYPE1_DEVICE_LIST, devices, UINT64_MAX, call_address(&extent)), -ENOENT);
	EXPECT(call3(TYPE1_DEVICE_LIST, devices, 0, KERNEL_ADDRESS), -EFAULT);
	EXPECT(call3(TYPE1_DEVICE_READ, device, 0, 2), EDU_VENDOR);
	EXPECT(call3(TYPE1_DEVICE_READ, device, 1, 2), -EINVAL);
	EXPECT(call3(TYPE1_DEVICE_READ, device, 0, 3), -EINVAL);
	EXPECT(call3(TYPE1_DEVICE_READ, device, 256, 1), -EINVAL);
	EXPECT(call3(TYPE1_DEVICE_READ, device, 0, UINT64_MAX), -EINVAL);
	EXPECT(config_write(device, offsetof(struct pci_header, bars), 4, 0xfee00000), -EACCES);
	EXPECT(config_write(device, offsetof(struct pci_header, command), 4, 7), -EACCES);
	for (unsigned at = PCI_CAPABILITIES_START; at < 256; at += 4) {
		if (call3(TYPE1_DEVICE_READ, device, at, 1) == PCI_CAP_ID_MSI) {
			EXPECT(config_write(device, at, 4, 1), -EACCES);
			EXPECT(config_write(device, at + PCI_MSI_ADDRESS, 4, 0), -EACCES);
			EXPECT(config_write(device, at + PCI_MSI_DATA, 1, 0), -EACCES);
		}
	}
	EXPECT(call2(TYPE1_DEVICE_MAP, device, 1), -EINVAL);
	EXPECT(call2(TYPE1_DEVICE_MAP, device, 6), -EINVAL);
	EXPECT(call2(TYPE1_DEVICE_MAP, device, UINT64_MAX), -EINVAL);
	EXPECT(call3(TYPE1_DEVICE_INTERRUPT, device, 1, port), -EINVAL);
	EXPECT(call3(TYPE1_DEVICE_INTERRUPT, device, 0, port), -EBADF);
	EXPECT(call3(TYPE1_DMA_ALLOC, device, 0, call_address(&extent)), -EINVAL);
	EXPECT(call3(TYPE1_DMA_ALLOC, device, UINT64_MAX, call_address(&extent)), -EINVAL);
	EXPECT(call3(TYPE1_DMA_ALLOC, device, PAGE, KERNEL_ADDRESS), -EFAULT);
}

static int device_main(void)
{
	uint64_t event = (uint64_t)call0(TYPE1_EVENT_CREATE);
	struct type1_device info;
	int64_t device, registers;

	port = (uint64_t)call0(TYPE1_PORT_CREATE);
	EXPECT(call3(TYPE1_PORT_WATCH, port, event, 77), 0);
	EXPECT_THAT(find_edu(&info));
	EXPECT(info.bar_size[0], EDU_SIZE);
	for (int i = 0; i < 3; i++) {
		device = call2(TYPE1_DEVICE_OPEN, process_info->handles.devices, info.location);
		EXPECT_THAT(device > 0);
		registers = call2(TYPE1_DEVICE_MAP, (uint64_t)device, 0);
		EXPECT_THAT(registers > 0);
		EXPECT(call2(TYPE1_DEVICE_MAP, (uint64_t)device, 0), registers);
		EXPECT(config_write((uint64_t)device, offsetof(struct pci_header, command), 2,
				    PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_IO),
		       0);
		EXPECT(call3(TYPE1_DEVICE_READ, (uint64_t)device,
			     offsetof(struct pci_header, command), 2),
		       PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE);
		EXPECT(call3(TYPE1_DEVICE_INTERRUPT, (uint64_t)device, 0, event), 0);
		test_refusals((uint64_t)device, &info);
		test_edu((uint64_t)device, (volatile struct edu *)registers);
		EXPECT(call1(TYPE1_CLOSE, (uint64_t)device), 0);
		EXPECT(call2(TYPE1_MEMORY_UNMAP, (uint64_t)registers, EDU_SIZE), -EINVAL);
	}
	/* It ends with the device open. */
	device = call2(TYPE1_DEVICE_OPEN, process_info->handles.devices, info.location);
	EXPECT_THAT(call2(TYPE1_DEVICE_MAP, (uint64_t)device, 0) > 0);
	return check_end();
}

/* --- The list of processes -------------------------------------------------------------------- */

static bool find_process(const char *name, unsigned *index, struct type1_process *process)
{
	for (*index = 0; !call3(TYPE1_PROCESS_LIST, process_info->handles.processes, *index,
				call_address(process));
	     ++*index) {
		if (text_equal(process->name, name))
			return true;
	}
	return false;
}

/* Until idle has the state. */
static void wait_state(uint32_t state, struct type1_process *process)
{
	uint64_t end = os_clock_monotonic() + 10 * SECOND, key;
	unsigned index;

	while (find_process("idle", &index, process) && process->state != state &&
	       os_clock_monotonic() < end)
		call4(TYPE1_PORT_WAIT, port, end, call_address(&key), 1);
	EXPECT(process->state, state);
}

static void test_log(uint64_t processes)
{
	struct {
		uint64_t number;
		char text[TYPE1_LOG_LINE];
	} line = {0};
	uint64_t next = 0, lines = 0;
	bool found = false;
	int64_t size;

	check_say("this line is read again");
	while ((size = call4(TYPE1_LOG_READ, processes, next, call_address(&line), sizeof(line))) >
	       0) {
		EXPECT_THAT(line.number >= next && (size_t)size <= sizeof(line.text));
		next = line.number + 1;
		lines++;
		for (int64_t i = 0; i + 5 < size; i++)
			found = found || !memcmp(line.text + i, "again", 5);
	}
	EXPECT(size, 0);
	EXPECT_THAT(found && lines > 5);
	EXPECT(call4(TYPE1_LOG_READ, processes, UINT64_MAX, call_address(&line), sizeof(line)), 0);
	EXPECT(call4(TYPE1_LOG_READ, processes, 0, call_address(&line), 7), -EINVAL);
	EXPECT(call4(TYPE1_LOG_READ, processes, 0, KERNEL_ADDRESS, sizeof(line)), -EFAULT);
	EXPECT(call4(TYPE1_LOG_READ, processes, 0, call_address(&line), 18), 10);
}

static int list_main(void)
{
	uint64_t processes = process_info->handles.processes;
	uint64_t event = (uint64_t)call0(TYPE1_EVENT_CREATE);
	struct type1_process process;
	struct type1_machine machine;
	unsigned index;

	port = (uint64_t)call0(TYPE1_PORT_CREATE);
	EXPECT(call3(TYPE1_PORT_WATCH, port, event, 1), 0);
	EXPECT(call2(TYPE1_PROCESS_EVENT, processes, event), 0);
	EXPECT(call2(TYPE1_PROCESS_EVENT, processes, port), -EBADF);
	EXPECT_THAT(find_process("list", &index, &process));
	EXPECT(process.state, TYPE1_PROCESS_RUNNING);
	EXPECT(process.threads, 1);
	EXPECT(process.memory_limit, process_info->memory);
	EXPECT_THAT(process.memory_used > PAGE && process.memory_used <= process.memory_limit);
	EXPECT_THAT(find_process("idle", &index, &process));
	EXPECT(process.state, TYPE1_PROCESS_ENDED);
	EXPECT(process.starts, 0);
	EXPECT(call3(TYPE1_PROCESS_LIST, processes, index, KERNEL_ADDRESS), -EFAULT);
	EXPECT(call3(TYPE1_PROCESS_CONTROL, processes, UINT64_MAX, 0), -ENOENT);
	EXPECT(call3(TYPE1_PROCESS_CONTROL, processes, index, 2), -EINVAL);
	for (uint32_t i = 1; i <= 3; i++) {
		EXPECT(call3(TYPE1_PROCESS_CONTROL, processes, index, TYPE1_PROCESS_KILL), -ESRCH);
		EXPECT(call3(TYPE1_PROCESS_CONTROL, processes, index, TYPE1_PROCESS_START), 0);
		wait_state(TYPE1_PROCESS_RUNNING, &process);
		EXPECT(process.starts, i);
		EXPECT(call3(TYPE1_PROCESS_CONTROL, processes, index, TYPE1_PROCESS_START), -EBUSY);
		EXPECT(call3(TYPE1_PROCESS_CONTROL, processes, index, TYPE1_PROCESS_KILL), 0);
		wait_state(TYPE1_PROCESS_ENDED, &process);
		EXPECT_THAT(process.status < 0);
	}
	EXPECT(call2(TYPE1_MACHINE, processes, call_address(&machine)), 0);
	EXPECT(call2(TYPE1_MACHINE, processes, KERNEL_ADDRESS), -EFAULT);
	EXPECT(machine.cpus, process_info->cpus);
	EXPECT_THAT(machine.memory_free && machine.memory_free < machine.memory_total);
	EXPECT_THAT(machine.cpu[0].busy && machine.cpu[0].busy < machine.uptime);
	test_log(processes);
	/* From here on it shows the log, until its handle is closed. */
	EXPECT(call1(TYPE1_CLOSE, processes), 0);
	return check_end();
}

int main(const struct type1_info *info)
{
	if (text_equal(info->name, "store"))
		return service_main();
	if (text_equal(info->name, "echo"))
		return echo_main();
	if (text_equal(info->name, "device"))
		return device_main();
	if (text_equal(info->name, "list"))
		return list_main();
	if (text_equal(info->name, "idle"))
		sleep_until(0);
	return client_main();
}
