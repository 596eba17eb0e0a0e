/* SPDX-License-Identifier: MIT */
/*
 * syscall.c - the table of system calls, and the way to it.
 */
#include "type1/runtime/syscall.h"

#include <linux/errno.h>

#include "hw/msr.h"
#include "hw/x86.h"
#include "lib/bits.h"
#include "type1/runtime/instructions.h"
#include "type1/runtime/layout.h"

#define STATUS_BAD_RETURN (-1)
#define STAR_SYSCALL_SHIFT 32 /* the selectors of ring 0 */
#define STAR_SYSRET_SHIFT 48
#define FLAGS_CLEARED                                                                              \
	(RFLAGS_IF | RFLAGS_TF | RFLAGS_DF | RFLAGS_AC | RFLAGS_NT | RFLAGS_RF | RFLAGS_IOPL)

void syscall_entry(void);
int64_t syscall_dispatch(struct call *call, uint64_t number);
_Noreturn void syscall_bad_return(void);

/* By number: what the first argument must be a handle of, OBJECT_NONE: it is none. */
static const struct syscall {
	enum object_kind kind;
	syscall_function *function;
} calls[TYPE1_CALLS] = {
	[TYPE1_EXIT] = {OBJECT_NONE, syscall_exit},
	[TYPE1_LOG] = {OBJECT_NONE, syscall_log},
	[TYPE1_CLOSE] = {OBJECT_NONE, syscall_close},
	[TYPE1_MEMORY_MAP] = {OBJECT_NONE, syscall_memory_map},
	[TYPE1_MEMORY_UNMAP] = {OBJECT_NONE, syscall_memory_unmap},
	[TYPE1_MEMORY_DISCARD] = {OBJECT_NONE, syscall_memory_discard},
	[TYPE1_MEMORY_CREATE] = {OBJECT_NONE, syscall_memory_create},
	[TYPE1_MEMORY_ATTACH] = {OBJECT_MEMORY, syscall_memory_attach},
	[TYPE1_MEMORY_SIZE] = {OBJECT_MEMORY, syscall_memory_size},
	[TYPE1_THREAD_START] = {OBJECT_NONE, syscall_thread_start},
	[TYPE1_THREAD_EXIT] = {OBJECT_NONE, syscall_thread_exit},
	[TYPE1_THREAD_KICK] = {OBJECT_THREAD, syscall_thread_kick},
	[TYPE1_THREAD_JOIN] = {OBJECT_THREAD, syscall_thread_join},
	[TYPE1_FUTEX_WAIT] = {OBJECT_NONE, syscall_futex_wait},
	[TYPE1_FUTEX_WAKE] = {OBJECT_NONE, syscall_futex_wake},
	[TYPE1_EVENT_CREATE] = {OBJECT_NONE, syscall_event_create},
	[TYPE1_EVENT_SIGNAL] = {OBJECT_EVENT, syscall_event_signal},
	[TYPE1_PORT_CREATE] = {OBJECT_NONE, syscall_port_create},
	[TYPE1_PORT_WATCH] = {OBJECT_PORT, syscall_port_watch},
	[TYPE1_PORT_UNWATCH] = {OBJECT_PORT, syscall_port_unwatch},
	[TYPE1_PORT_WAIT] = {OBJECT_PORT, syscall_port_wait},
	[TYPE1_KVM] = {OBJECT_KVM, syscall_kvm},
	[TYPE1_KVM_MAP_RUN] = {OBJECT_KVM, syscall_kvm_map_run},
	[TYPE1_MODULE_OPEN] = {OBJECT_NONE, syscall_module_open},
	[TYPE1_POWER] = {OBJECT_POWER, syscall_power},
	[TYPE1_LISTEN] = {OBJECT_PORT, syscall_listen},
	[TYPE1_ACCEPT] = {OBJECT_LISTENER, syscall_accept},
	[TYPE1_CONNECT] = {OBJECT_SERVICE, syscall_connect},
	[TYPE1_CHANNEL_MAP] = {OBJECT_CHANNEL, syscall_channel_map},
	[TYPE1_CHANNEL_SIGNAL] = {OBJECT_CHANNEL, syscall_channel_signal},
	[TYPE1_CHANNEL_EVENT] = {OBJECT_CHANNEL, syscall_channel_event},
	[TYPE1_DMA_BEGIN] = {OBJECT_CHANNEL, syscall_dma_begin},
	[TYPE1_DMA_END] = {OBJECT_CHANNEL, syscall_dma_end},
	[TYPE1_DMA_ALLOC] = {OBJECT_DEVICE, syscall_dma_alloc},
	[TYPE1_DEVICE_LIST] = {OBJECT_DEVICES, syscall_device_list},
	[TYPE1_DEVICE_OPEN] = {OBJECT_DEVICES, syscall_device_open},
	[TYPE1_DEVICE_MAP] = {OBJECT_DEVICE, syscall_device_map},
	[TYPE1_DEVICE_READ] = {OBJECT_DEVICE, syscall_device_read},
	[TYPE1_DEVICE_WRITE] = {OBJECT_DEVICE, syscall_device_write},
	[TYPE1_DEVICE_INTERRUPT] = {OBJECT_DEVICE, syscall_device_interrupt},
	[TYPE1_PROCESS_LIST] = {OBJECT_PROCESSES, syscall_process_list},
	[TYPE1_PROCESS_CONTROL] = {OBJECT_PROCESSES, syscall_process_control},
	[TYPE1_MACHINE] = {OBJECT_PROCESSES, syscall_machine},
	[TYPE1_LOG_READ] = {OBJECT_PROCESSES, syscall_log_read},
	[TYPE1_PROCESS_EVENT] = {OBJECT_PROCESSES, syscall_process_event},
};

/* The number, so that a wrong guess of the comparison reads nothing beyond the table. */
static uint64_t bounded(uint64_t number)
{
	uint64_t mask;

	__asm__ volatile("cmp %2, %1; sbb %0, %0"
			 : "=r"(mask)
			 : "r"(number), "i"(TYPE1_CALLS)
			 : "cc");
	return number & mask;
}

static int64_t perform(const struct syscall *syscall, struct call *call)
{
	int64_t result;

	call->process = process_current();
	if (syscall->kind == OBJECT_NONE)
		return syscall->function(call);
	call->object = handle_find(call->process, call->args[0], syscall->kind);
	if (!call->object)
		return -EBADF;
	result = syscall->function(call);
	object_put(call->object);
	return result;
}

int64_t syscall_dispatch(struct call *call, uint64_t number)
{
	int64_t result = -ENOSYS;

	__asm__ volatile("sti" : : : "memory");
	if (number < TYPE1_CALLS)
		result = perform(&calls[bounded(number)], call);
	__asm__ volatile("cli" : : : "memory");
	thread_return_to_user();
	return result;
}

_Noreturn void syscall_bad_return(void)
{
	__asm__ volatile("sti" : : : "memory");
	process_exit(STATUS_BAD_RETURN);
}

void syscall_init_cpu(void)
{
	vector_init_cpu();
	write_msr(MSR_STAR, (uint64_t)SELECTOR_KERNEL_CODE << STAR_SYSCALL_SHIFT |
				    (uint64_t)SELECTOR_STAR_USER << STAR_SYSRET_SHIFT);
	write_msr(MSR_LSTAR, (uint64_t)syscall_entry);
	write_msr(MSR_SFMASK, FLAGS_CLEARED);
	write_msr(MSR_EFER, read_msr(MSR_EFER) | EFER_SCE);
}
