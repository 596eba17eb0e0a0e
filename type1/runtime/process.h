/* SPDX-License-Identifier: MIT */
/*
 * process.h - processes of ring 3: an address space, threads, a table of handles, an account; and
 * the objects that handles name.
 */
#ifndef DYAD_TYPE1_PROCESS_H
#define DYAD_TYPE1_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/type1.h"
#include "type1/runtime/boot.h"
#include "type1/runtime/memory.h"
#include "type1/runtime/thread.h"

/* --- Objects: counted references; the last one ends it. */

enum object_kind {
	OBJECT_NONE,
	OBJECT_MEMORY,
	OBJECT_THREAD,
	OBJECT_EVENT,
	OBJECT_PORT,
	OBJECT_KVM, /* type1/host/kvm.c: the system, a VM, a vCPU */
	OBJECT_POWER,
	OBJECT_SERVICE,
	OBJECT_LISTENER,
	OBJECT_CHANNEL, /* one end of it */
	OBJECT_DEVICES, /* those of the machine */
	OBJECT_DEVICE,
	OBJECT_PROCESSES, /* those of the image */
};

struct object {
	enum object_kind kind;              /* [const] */
	uint32_t references;                /* [atomic] */
	void (*end)(struct object *object); /* [const] frees it; task context */
};
void object_init(struct object *object, enum object_kind kind, void (*end)(struct object *object));
void object_get(struct object *object);
void object_put(struct object *object);

/* --- Handles.  At most HANDLES_MAX a process; each charged to its account. */

#define HANDLES_MAX 4096
/* Takes over the caller's reference.  The handle, or -EMFILE, -ENOMEM: then the reference is put.
 */
int64_t handle_add(struct process *process, struct object *object);
/* A reference to the object, if it is of that kind; or NULL. */
struct object *handle_find(struct process *process, uint64_t handle, enum object_kind kind);
int handle_close(struct process *process, uint64_t handle);

/* --- Address spaces */

struct mapping; /* space.c */

/* Who follows what becomes of a space's memory: host_memory (type1/host/pages.c). */
struct space_watch {
	/* The pages go: nothing of them may be used once it returns.  With the space's lock held.
	 */
	void (*gone)(struct space_watch *watch, uint64_t address, uint64_t size);
	struct space_watch *next;
};

struct space {
	uint64_t root; /* [const] physical */
	struct mutex lock;
	struct mapping *mappings;    /* [lock] by address */
	struct space_watch *watches; /* [lock] */
	uint64_t sequence; /* [atomic] odd while something goes; raised by each such change */
	uint64_t cpus;     /* [atomic] those that have its tables loaded, a bit each */
	struct account *account;
	bool on_demand; /* [const] memory comes when it is touched, but for large pages */
	struct spin hold_lock;
	struct hold *holds; /* [hold_lock] ranges that a device may use: hold.h */
};

int64_t space_map(struct space *space, uint64_t size, unsigned flags); /* TYPE1_MEMORY_*; address */
int space_unmap(struct space *space, uint64_t address, uint64_t size);
int space_discard(struct space *space, uint64_t address, uint64_t size);
/* The page there, faulted in if it is one that was discarded.  -EFAULT. */
int space_find(struct space *space, uint64_t address, bool write, struct table_entry *entry);

/* Copies from and to the current process's memory; -EFAULT.  Task, SMAP obeyed. */
int user_copy_in(void *to, uint64_t from, size_t size);
int user_copy_out(uint64_t to, const void *from, size_t size);

/* --- Processes */

struct process {
	char name[32];
	struct account account;
	struct space space;
	struct shares shares;
	struct type1_start_handles start;
	struct service *service; /* [const] that it is; NULL: none */
	bool has_console;        /* [const] of type1_info */
	/* the rest is process.c's, handle.c's and scheduler.c's: see there */
	struct process_private *private;
};

struct process *process_current(void); /* NULL in the runtime's own threads */

struct process_options {
	const char *name;
	const void *elf; /* of 64 bits, static; its segments obey W^X or it is refused */
	size_t elf_size;
	uint64_t memory; /* bytes of its account */
	struct shares shares;
	bool kvm, screen, power, devices, processes; /* which of the handles it gets */
	const struct boot_module *module;            /* that it gets as its own, or NULL */
	struct service *service;                     /* that it is, or NULL */
	struct service *store, *network, *console;   /* that it may connect to, or NULL */
};
/* Starts its first thread.  Who is told how it ended: ended(), in task context, or NULL. */
int process_start(const struct process_options *options,
		  void (*ended)(struct process *process, int status), struct process **process);
_Noreturn void process_exit(int status);                /* the current one */
void process_kill(struct process *process, int status); /* any; it ends soon */

/* --- Memory objects */

/* A module's, to be read only. */
int memory_object_of_module(const struct boot_module *module, struct account *account,
			    struct object **object);
/*
 * Of memory that is there already, whole pages in one piece: it can be attached with at most these
 * rights (TYPE1_MEMORY_*), and owner, of which it takes over a reference, is put when it ends.
 * Mappings hold a reference to the object; the last put is with no lock of the space held.
 */
int memory_object_of_frames(uint64_t physical, uint64_t size, unsigned flags, struct object *owner,
			    struct account *account, struct object **object);
/* TYPE1_MEMORY_ATTACH: the address.  The mapping takes a reference of its own. */
int64_t space_attach(struct space *space, struct object *memory, uint64_t offset, uint64_t size,
		     unsigned flags);
/* All mappings of the object go. */
void space_detach(struct space *space, const struct object *memory);

/* --- Events: what KVM_IRQFD and KVM_IOEVENTFD name, and ports wait for */

struct event {
	struct object object; /* first */
	struct spin lock;
	uint64_t count;               /* [lock] */
	struct event_port_link *link; /* [lock] the port that watches it */
	void (*watch)(void *arg);     /* [lock] host_event_watch: takes each signal; any context */
	void *watch_arg;
};
void event_signal(struct event *event); /* any context */
/* A reference to the one that a handle names; NULL: it names none. */
struct event *event_find(struct process *process, uint64_t handle);

#endif
