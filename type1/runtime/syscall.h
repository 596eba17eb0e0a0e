/* SPDX-License-Identifier: MIT */
/*
 * syscall.h - what stands behind the system calls of abi/type1.h: a function each, by subject.
 *
 * Each gets who calls and the call's arguments, of which it believes nothing, and returns what the
 * call does.  A handle that is the first one is looked up before (syscall.c has the
 * kinds). Task, interrupts on.
 */
#ifndef DYAD_TYPE1_SYSCALL_H
#define DYAD_TYPE1_SYSCALL_H

#include "type1/runtime/process.h"

#define SYSCALL_ARGUMENTS 6

/* As syscall_entry.S has it on the stack. */
struct call {
	struct process *process; /* the caller */
	struct object *object;   /* of the first argument's handle, with a reference for the call */
	uint64_t args[SYSCALL_ARGUMENTS];
};

typedef int64_t syscall_function(const struct call *call);

/* syscall_process.c */
syscall_function syscall_exit, syscall_log, syscall_close, syscall_module_open;
/* syscall_memory.c */
syscall_function syscall_memory_map, syscall_memory_unmap, syscall_memory_discard;
syscall_function syscall_memory_create, syscall_memory_attach, syscall_memory_size;
/* syscall_thread.c */
syscall_function syscall_thread_start, syscall_thread_exit, syscall_thread_kick;
syscall_function syscall_thread_join, syscall_futex_wait, syscall_futex_wake;
/* syscall_event.c */
syscall_function syscall_event_create, syscall_event_signal, syscall_port_create;
syscall_function syscall_port_watch, syscall_port_unwatch, syscall_port_wait;
/* type1/host/kvm_object.c: as the command; -EIO: the object is another process's; -EOPNOTSUPP: this
 * machine runs no guests; -ENOTTY, -EINVAL: the object takes no such command */
syscall_function syscall_kvm, syscall_kvm_map_run;
/* syscall_machine.c */
syscall_function syscall_power;
/* channel.c, dma.c */
syscall_function syscall_listen, syscall_accept, syscall_connect;
syscall_function syscall_channel_map, syscall_channel_signal, syscall_channel_event;
syscall_function syscall_dma_begin, syscall_dma_end;
/* device.c */
syscall_function syscall_dma_alloc, syscall_device_list, syscall_device_open, syscall_device_map;
syscall_function syscall_device_read, syscall_device_write, syscall_device_interrupt;
/* process_list.c */
syscall_function syscall_process_list, syscall_process_control, syscall_machine;
syscall_function syscall_log_read, syscall_process_event;

#endif
