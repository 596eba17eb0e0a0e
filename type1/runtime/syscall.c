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
int64_t syscall_dispatch(const uint64_t *arguments, uint64_t number);
_Noreturn void syscall_bad_return(void);

static syscall_function *const calls[TYPE1_CALLS] = {
	[TYPE1_EXIT] = syscall_exit,
	[TYPE1_LOG] = syscall_log,
	[TYPE1_CLOSE] = syscall_close,
	[TYPE1_MEMORY_MAP] = syscall_memory_map,
	[TYPE1_MEMORY_UNMAP] = syscall_memory_unmap,
	[TYPE1_MEMORY_DISCARD] = syscall_memory_discard,
	[TYPE1_MEMORY_CREATE] = syscall_memory_create,
	[TYPE1_MEMORY_ATTACH] = syscall_memory_attach,
	[TYPE1_MEMORY_SIZE] = syscall_memory_size,
	[TYPE1_THREAD_START] = syscall_thread_start,
	[TYPE1_THREAD_EXIT] = syscall_thread_exit,
	[TYPE1_THREAD_KICK] = syscall_thread_kick,
	[TYPE1_THREAD_JOIN] = syscall_thread_join,
	[TYPE1_FUTEX_WAIT] = syscall_futex_wait,
	[TYPE1_FUTEX_WAKE] = syscall_futex_wake,
	[TYPE1_EVENT_CREATE] = syscall_event_create,
	[TYPE1_EVENT_SIGNAL] = syscall_event_signal,
	[TYPE1_PORT_CREATE] = syscall_port_create,
	[TYPE1_PORT_WATCH] = syscall_port_watch,
	[TYPE1_PORT_UNWATCH] = syscall_port_unwatch,
	[TYPE1_PORT_WAIT] = syscall_port_wait,
	[TYPE1_KVM] = syscall_kvm,
	[TYPE1_KVM_MAP_RUN] = syscall_kvm_map_run,
	[TYPE1_MODULE_OPEN] = syscall_module_open,
	[TYPE1_RANDOM] = syscall_random,
	[TYPE1_POWER] = syscall_power,
	[TYPE1_SCREEN_WRITE] = syscall_screen_write,
	[TYPE1_SCREEN_READ] = syscall_screen_read,
	[TYPE1_SCREEN_EVENT] = syscall_screen_event,
	[TYPE1_LISTEN] = syscall_listen,
	[TYPE1_ACCEPT] = syscall_accept,
	[TYPE1_CONNECT] = syscall_connect,
	[TYPE1_CHANNEL_MAP] = syscall_channel_map,
	[TYPE1_CHANNEL_SIGNAL] = syscall_channel_signal,
	[TYPE1_CHANNEL_EVENT] = syscall_channel_event,
	[TYPE1_DMA_BEGIN] = syscall_dma_begin,
	[TYPE1_DMA_END] = syscall_dma_end,
	[TYPE1_DMA_ALLOC] = syscall_dma_alloc,
	[TYPE1_DEVICE_LIST] = syscall_device_list,
	[TYPE1_DEVICE_OPEN] = syscall_device_open,
	[TYPE1_DEVICE_MAP] = syscall_device_map,
	[TYPE1_DEVICE_READ] = syscall_device_read,
	[TYPE1_DEVICE_WRITE] = syscall_device_write,
	[TYPE1_DEVICE_INTERRUPT] = syscall_device_interrupt,
	[TYPE1_PROCESS_LIST] = syscall_process_list,
	[TYPE1_PROCESS_CONTROL] = syscall_process_control,
	[TYPE1_MACHINE] = syscall_machine,
	[TYPE1_LOG_READ] = syscall_log_read,
	[TYPE1_PROCESS_EVENT] = syscall_process_event,
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

int64_t syscall_dispatch(const uint64_t *arguments, uint64_t number)
{
	int64_t result = -ENOSYS;

	__asm__ volatile("sti" : : : "memory");
	if (number < TYPE1_CALLS)
		result = calls[bounded(number)](process_current(), arguments);
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
