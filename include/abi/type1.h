/* SPDX-License-Identifier: MIT */
/*
 * type1.h - what Dyad's bare-metal runtime offers its processes: the system calls, and what a
 * process finds when it starts.
 *
 * A call is SYSCALL with its number in RAX and arguments in RDI, RSI, RDX, R10, R8, R9; RAX is the
 * result: 0 or more, or a negative errno of <linux/errno.h>.  RCX and R11 are lost, vector state
 * and all else is kept.
 *
 * What a process may name is in its table of handles: small numbers from 1 on, given to it when it
 * starts or made by its own calls.  A call on a handle of another kind is -EBADF.  Addresses are
 * the process's own; what it can't reach itself is -EFAULT.  Memory that the runtime needs for what
 * a process asks is charged to that process's account: -ENOMEM when that is used up.
 *
 * Times are nanoseconds of the monotonic clock, which begins when the runtime does.
 */
#ifndef DYAD_ABI_TYPE1_H
#define DYAD_ABI_TYPE1_H

#include <stdint.h>

enum type1_call {
	/* (status): ends the process; all that it has goes. */
	TYPE1_EXIT,
	/* (level, text, size): one line for the runtime's log; level as in os.h, at most
	 * TYPE1_LOG_LINE bytes. */
	TYPE1_LOG,
	/* (handle) */
	TYPE1_CLOSE,

	/* --- Memory
	 * (size, TYPE1_MEMORY_* flags) -> address of zeroed memory; -ENOMEM.  A service's, and what
	 * is LARGE, is there from the start.  Other pages come when they are touched, as discarded
	 * ones do; a process that then finds none ends. */
	TYPE1_MEMORY_MAP,
	/* (address, size): a whole mapping, or whole pages of one */
	TYPE1_MEMORY_UNMAP,
	/* (address, size): the pages are given back; zeroed ones come when they are touched again
	 */
	TYPE1_MEMORY_DISCARD,
	/* (size) -> handle of memory that several processes can map */
	TYPE1_MEMORY_CREATE,
	/* (handle, offset, size, flags) -> address; no more rights than the handle has */
	TYPE1_MEMORY_ATTACH,
	/* (handle) -> its size */
	TYPE1_MEMORY_SIZE,

	/* --- Threads
	 * (entry, stack pointer, argument in RDI, FS base) -> handle.  The thread begins with
	 * RSP = stack pointer; it ends by TYPE1_THREAD_EXIT. */
	TYPE1_THREAD_START,
	TYPE1_THREAD_EXIT,
	/* (handle): the KVM_RUN, or the wait in one, that the thread is in ends with -EINTR */
	TYPE1_THREAD_KICK,
	/* (handle): returns when the thread has ended */
	TYPE1_THREAD_JOIN,
	/* (address of a uint32_t, value, deadline or 0): sleeps while it has that value; 0 when
	 * woken, -EAGAIN: it had another, -ETIMEDOUT */
	TYPE1_FUTEX_WAIT,
	/* (address, count) -> how many were woken */
	TYPE1_FUTEX_WAKE,

	/* --- Events: a count that signals raise and a taker sets to 0
	 * () -> handle */
	TYPE1_EVENT_CREATE,
	/* (handle) */
	TYPE1_EVENT_SIGNAL,
	/* Ports: where a thread waits for many events. () -> handle */
	TYPE1_PORT_CREATE,
	/* (port, event, key): from now on signals of the event are told at the port; one port an
	 * event, -EBUSY */
	TYPE1_PORT_WATCH,
	/* (port, event) */
	TYPE1_PORT_UNWATCH,
	/* (port, deadline or 0 for ever, uint64_t keys[], room) -> how many keys; their events are
	 * taken.  0: the deadline has passed.  A deadline in the past only looks. */
	TYPE1_PORT_WAIT,

	/* --- The KVM ABI
	 * (handle of the system, a VM or a vCPU; command of <linux/kvm.h>; argument) -> as the
	 * command; KVM_CREATE_VM and KVM_CREATE_VCPU return a handle */
	TYPE1_KVM,
	/* (handle of a vCPU) -> the address of its struct kvm_run, mapped until the process ends */
	TYPE1_KVM_MAP_RUN,

	/* --- What came with the image
	 * (name, size of the name) -> handle of memory with the module, to be read only; -ENOENT */
	TYPE1_MODULE_OPEN,

	/* (TYPE1_POWER_*): for who has the handle TYPE1_HANDLE_POWER.  (handle, operation) */
	TYPE1_POWER,

	/* --- Services.  A channel is memory that both ends map, and a signal in each direction.
	 * (port, key) -> listener: this process is the service of its name from now on; the key is
	 * told at the port when somebody has connected. -EBUSY: there is one */
	TYPE1_LISTEN,
	/* (listener, struct type1_client *) -> the service's end of the next channel; -EAGAIN */
	TYPE1_ACCEPT,
	/* (handle of a service, bytes of shared memory, at most TYPE1_CHANNEL_MAX) -> the client's
	 * end, at once: a service that is being started (again) accepts it when it is there;
	 * -EPIPE: it has ended for good */
	TYPE1_CONNECT,
	/* (channel) -> the address of the shared memory, mapped at this end until it is closed,
	 * zeroed at first; the same each time.  -EPIPE: the other end is gone */
	TYPE1_CHANNEL_MAP,
	/* (channel): the other end's event is signalled; -EPIPE: it is gone */
	TYPE1_CHANNEL_SIGNAL,
	/* (channel) -> a handle of this end's event, which is also signalled when the other is gone
	 */
	TYPE1_CHANNEL_EVENT,

	/* --- DMA.  Between begin and end the pages of a client stay where they are, whatever the
	 * client does meanwhile: what would take them away waits.
	 * (service's end of a channel, client's address, size, TYPE1_DMA_*, struct type1_extent[],
	 * room) -> how many extents; -EFAULT: not the client's memory, or not writable; -ENOSPC:
	 * too little room */
	TYPE1_DMA_BEGIN,
	/* (channel, client's address, size): ends one that began with the same */
	TYPE1_DMA_END,
	/* (device, size, struct type1_extent *) -> the address of zeroed memory in one piece, for
	 * rings and the like; it lives as long as the handle of the device */
	TYPE1_DMA_ALLOC,

	/* --- Devices, for who has the handle of the machine's devices
	 * (devices, index, struct type1_device *): what is at PCI; -ENOENT behind the last */
	TYPE1_DEVICE_LIST,
	/* (devices, location) -> device; one process at a time, -EBUSY.  When its handle is closed,
	 * or its process ends, the device's bus mastering is off, and a disk's controller reset,
	 * before any DMA of it ends. */
	TYPE1_DEVICE_OPEN,
	/* (device, BAR) -> the address of its registers */
	TYPE1_DEVICE_MAP,
	/* (device, offset, size 1, 2 or 4) -> from configuration space */
	TYPE1_DEVICE_READ,
	/* (device, offset, size, value): -EACCES for BARs, MSI and MSI-X, which are the runtime's
	 */
	TYPE1_DEVICE_WRITE,
	/* (device, number, event): interrupt number (of MSI-X; of MSI only 0) signals the event */
	TYPE1_DEVICE_INTERRUPT,

	/* --- Processes, for who has the handle of the image's processes (the console service)
	 * (processes, index, struct type1_process *): what the image has and how it does; -ENOENT
	 */
	TYPE1_PROCESS_LIST,
	/* (processes, index, TYPE1_PROCESS_START or _KILL); -EBUSY, -ESRCH */
	TYPE1_PROCESS_CONTROL,
	/* (processes, struct type1_machine *) */
	TYPE1_MACHINE,
	/* (processes, sequence number, buffer, size) -> bytes of the log's next line from that
	 * number on, behind a uint64_t with its own number; 0: there is none yet.  From the first
	 * call on, for as long as that process lives, it is the one that shows lines: the runtime
	 * itself writes none to the serial line and the screen, but for a panic */
	TYPE1_LOG_READ,
	/* (processes, event): is signalled when a process has begun or ended, or the log has
	 * another line */
	TYPE1_PROCESS_EVENT,

	TYPE1_CALLS,
};

#define TYPE1_LOG_LINE 256
#define TYPE1_CHANNEL_MAX (UINT64_C(4) << 20)
#define TYPE1_NAME 32 /* of a process, ended by a zero */

struct type1_client {
	char name[TYPE1_NAME];
	uint64_t size; /* bytes of shared memory */
};

enum type1_dma { TYPE1_DMA_TO_DEVICE, TYPE1_DMA_FROM_DEVICE };
struct type1_extent {
	uint64_t physical, size;
};

struct type1_device {
	uint16_t location; /* bus << 8 | device << 3 | function */
	uint16_t vendor, device;
	uint8_t revision, open; /* open: somebody has it */
	uint32_t class_code;    /* 24 bits */
	uint64_t bar_size[6];   /* 0: none, or an I/O BAR */
};

/* The machine's screen, as the boot loader has left it. */
enum type1_screen_kind {
	TYPE1_SCREEN_NONE,
	TYPE1_SCREEN_TEXT, /* cells of EGA: a character and its colours, a byte each */
	TYPE1_SCREEN_PIXELS,
};
struct type1_screen {
	uint32_t kind;
	uint32_t width, height; /* in cells or pixels, of cell_bytes each */
	uint32_t pitch;         /* bytes from a row to the next */
	uint32_t cell_bytes;
	uint32_t offset; /* of the first one in the memory that is mapped */
	/* Of pixels: the first bit of each colour, and how many it has. */
	uint8_t red, red_size, green, green_size, blue, blue_size, reserved[2];
};

enum type1_process_control { TYPE1_PROCESS_START, TYPE1_PROCESS_KILL };
enum type1_process_state { TYPE1_PROCESS_ENDED, TYPE1_PROCESS_RUNNING, TYPE1_PROCESS_ENDING };
struct type1_process {
	char name[TYPE1_NAME];
	uint32_t state, is_vm; /* is_vm: it has the KVM ABI */
	int32_t status;        /* of its last end */
	uint32_t starts;       /* how often it was started */
	uint32_t threads, weight, cap;
	uint64_t cpus;                      /* those it may use, a bit each */
	uint64_t cpu_time;                  /* ns, since it was started */
	uint64_t memory_limit, memory_used; /* bytes of its account */
};

struct type1_machine {
	uint32_t cpus, reserved;
	uint64_t memory_total, memory_free; /* bytes */
	uint64_t uptime;                    /* ns */
	struct {
		uint32_t apic_id, reserved;
		uint64_t busy; /* ns that it ran threads */
	} cpu[64];
};

enum type1_memory_flags {
	TYPE1_MEMORY_WRITE = 1 << 0,   /* it can always be read */
	TYPE1_MEMORY_EXECUTE = 1 << 1, /* never with WRITE: -EINVAL */
	TYPE1_MEMORY_LARGE = 1 << 2,   /* in the largest pages that fit */
};

enum type1_power { TYPE1_POWER_OFF, TYPE1_POWER_RESET };

/* The handles that a process starts with; 0 is none. */
struct type1_start_handles {
	uint32_t kvm;    /* the KVM ABI's system object: monitors */
	uint32_t screen; /* memory of the machine's: the console service, if there is one */
	uint32_t power;  /* the console service */
	uint32_t
		module; /* the process's own module: a monitor's VM definition (abi/definition.h) */
	uint32_t devices;   /* store and switch */
	uint32_t processes; /* the console service */
	/* Services that the process may connect to, by name in its line of the image. */
	uint32_t store, network, console;
};

/*
 * The page that each process has mapped, read-only, and whose address is in RDI when its first
 * thread begins: what doesn't change, or changes by itself.  Its first thread has a stack of
 * TYPE1_STACK bytes with a guard page below.
 */
#define TYPE1_STACK (64 * 1024)
struct type1_info {
	uint32_t version; /* TYPE1_VERSION */
	uint32_t cpus;
	/* monotonic = ((rdtsc - tsc_base) * tsc_to_ns) >> 32, in 128 bits */
	uint64_t tsc_base, tsc_to_ns;
	int64_t wall_base; /* ns since 1970 UTC when the monotonic clock was 0 */
	uint64_t memory;   /* bytes of the process's account */
	struct type1_start_handles handles;
	char name[TYPE1_NAME];
	/* It has the machine's own console: its instructions reach the ports of the first serial
	 * line, of the keyboard's controller and of VGA's CRT controller (IN and OUT of others, as
	 * of processes without it, are faults); and this is its screen.  The runtime itself writes
	 * there only how it panics, and to the serial line the log, while nobody shows that. */
	uint32_t has_console;
	struct type1_screen screen;
};
#define TYPE1_VERSION 3

#endif
