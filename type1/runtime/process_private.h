/* SPDX-License-Identifier: MIT */
/*
 * process_private.h - what process.c, its threads and its tables keep of a process.
 */
#ifndef DYAD_TYPE1_PROCESS_PRIVATE_H
#define DYAD_TYPE1_PROCESS_PRIVATE_H

#include "type1/runtime/process.h"
#include "type1/runtime/thread_private.h"

#define PROCESS_THREADS_MAX 512 /* the scheduler's and the futexes' lists are as long */
#define FUTEX_BUCKETS 32

/* A slot of the table of handles: an object, or the next free one. */
union handle_slot {
	struct object *object;
	uint64_t next_free; /* odd: 1 + 2 * its number; 1: none */
};

struct process_private {
	struct process process;
	struct share share;
	void (*ended)(struct process *process, int status); /* [const] */

	struct spin lock;
	uint32_t references;    /* [atomic] its threads, and that it has some */
	struct thread *threads; /* [lock] those that have not ended */
	unsigned thread_count;  /* [lock] */
	bool dying;             /* [atomic] */
	int status;             /* [lock] */

	struct spin handle_lock;
	union handle_slot *handles; /* [handle_lock] */
	uint32_t handle_count;      /* [handle_lock] slots */
	uint64_t handle_free;       /* [handle_lock] the first free one, as in a slot */

	struct wait_list futexes[FUTEX_BUCKETS];
};

/* Adds a thread: -EINTR: the process ends; -EAGAIN: it has too many. */
int process_add_thread(struct process *process, struct thread *thread);
/* The current thread of a process ends: with the last one goes what the process has. */
void process_remove_thread(struct thread *thread);
void process_get(struct process *process);
/* How it does; in a moment in which it exists. */
void process_look(struct process *process, bool *ending, unsigned *threads);
void process_put(struct process *process); /* task */

void handles_init(struct process *process);
void handles_end(struct process *process); /* closes all; task */

/* Maps the segments of an ELF file.  -ENOEXEC: it is none that can run here; why says so. */
int process_load_elf(struct process *process, const void *elf, size_t size, uint64_t *entry,
		     const char **why);

/* --- space.c, for process.c and fault.c */

int space_init(struct space *space, struct account *account, bool on_demand);
/* Frees all that is mapped; nobody watches it, and the current thread is its last. */
void space_end(struct space *space);
/* As space_map(), at that address, or anywhere if it is 0. */
int64_t space_map_at(struct space *space, uint64_t address, uint64_t size, unsigned flags);
/* As space_attach(), likewise. */
int64_t space_attach_at(struct space *space, uint64_t address, struct object *memory,
			uint64_t offset, uint64_t size, unsigned flags);
/* Copies into memory that is mapped, whatever its rights.  -ENOMEM: it can't come. */
int space_fill(struct space *space, uint64_t address, const void *from, uint64_t size);
/* Loads the space's tables, or the runtime's own (NULL).  Preemption off. */
void space_load(struct space *space);

/* shootdown.c: what other CPUs may still have of the space's tables goes, of that range, or with
 * leave the space is loaded nowhere any more.  Task. */
void shootdown_init(void);
void shootdown(struct space *space, uint64_t address, uint64_t size);
void shootdown_leave(struct space *space);

#endif
