/* SPDX-License-Identifier: MIT */
/*
 * os.h - what the monitor needs of its operating system, and all that it may use of it.
 *
 * The monitor is linked against exactly one implementation: type2/process (a Linux process) or, on
 * bare metal, the type-1 process library.  Neither the monitor nor the device models see libc.
 *
 * Conventions
 *   - Functions that can fail return 0 (or a count) or a negative errno of <linux/errno.h>.  Where
 * a person must be told, they also fill a struct error with one sentence (lib/error.h).
 *   - Objects are made by *_create/_open, owned by the caller, and ended by *_destroy/_close, which
 *     take NULL.  No callback of an object is called once that returns.
 *   - "The loop thread" is the thread inside os_loop_run().  All callbacks run on it, one at a
 * time, never from within a function that registers them (os_block_kick and os_block_drain apart).
 *   - Unless a line says "any thread", a function is called on the loop thread, or before it runs,
 *     or after it has ended.
 */
#ifndef DYAD_OS_H
#define DYAD_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

/* --- Log ------------------------------------------------------------------------------------- */

enum os_log_level { OS_LOG_ERROR, OS_LOG_WARNING, OS_LOG_INFO, OS_LOG_DEBUG };

/* Writes one line; text has no newline.  Any thread.  The caller bounds how often (monitor/log.h).
 */
void os_log(enum os_log_level level, const char *text);

/* --- Memory, randomness ---------------------------------------------------------------------- */

/* Zeroed memory aligned to 16 bytes, or NULL.  Any thread; never on a path that a guest drives. */
void *os_alloc(size_t size);
void os_free(void *memory);

/*
 * Guest RAM: size bytes (a multiple of 4096) of demand-zero, page-aligned memory, in the largest
 * pages that fit.  -ENOMEM when the host has not that much; why then says how much there is.
 */
int os_ram_map(uint64_t size, void **ram, struct error *why);
void os_ram_unmap(void *ram, uint64_t size);
/* Gives pages back: they read as zero when touched again.  Page-aligned.  Any thread. */
void os_ram_discard(void *start, uint64_t size);
/*
 * The monitor itself has written to guest RAM, by a pointer of its own: an engine that keeps code
 * which it has decoded must know.  What os.h's own functions wrote (os_block_submit(),
 * os_net_receive(), os_console_read(), os_random(), os_ram_discard()) they tell themselves.  Costs
 * next to nothing where no engine wants to know.  Any thread.
 */
void os_memory_written(const void *start, size_t size);

/* Fills buffer from the host's random source.  Any thread. */
void os_random(void *buffer, size_t size);

/* --- Time ------------------------------------------------------------------------------------ */

/* Nanoseconds, monotonic, from an unspecified start.  Any thread. */
uint64_t os_clock_monotonic(void);
/* Nanoseconds since 1970-01-01 00:00 UTC.  Any thread. */
int64_t os_clock_wall(void);

/* --- Locks, threads -------------------------------------------------------------------------- */

/* A mutual exclusion lock; not recursive.  Needs no destruction. */
struct os_mutex {
	uint64_t opaque[5];
};
void os_mutex_init(struct os_mutex *mutex);
void os_mutex_lock(struct os_mutex *mutex);   /* any thread */
void os_mutex_unlock(struct os_mutex *mutex); /* any thread, the owner */

struct os_thread;
int os_thread_start(struct os_thread **thread, const char *name, void (*run)(void *), void *arg);
/*
 * Makes a KVM_RUN under way in that thread return -EINTR; does nothing to a thread that is not in
 * one (a caller that must not lose the kick sets kvm_run.immediate_exit first).  Any thread.
 */
void os_thread_kick(struct os_thread *thread);
/* Waits until run() has returned, and frees the thread. */
void os_thread_join(struct os_thread *thread);

/* --- Loop, events, timers -------------------------------------------------------------------- */

struct os_loop;
int os_loop_create(struct os_loop **loop);
void os_loop_destroy(struct os_loop *loop);
/* Dispatches callbacks until os_loop_stop(); a stop asked for before it began ends it at once. */
void os_loop_run(struct os_loop *loop);
void os_loop_stop(struct os_loop *loop); /* any thread; also in a signal handler */

/* An event: signals are counted, not queued; several before a wake-up are one call back. */
struct os_event;
int os_event_create(struct os_event **event);
void os_event_destroy(struct os_event *event);
void os_event_signal(struct os_event *event); /* any thread; also in a signal handler */
/* The number that KVM_IRQFD and KVM_IOEVENTFD take as their fd. */
int32_t os_event_handle(const struct os_event *event);
/* From now on each signal leads to fired(arg) on the loop thread; the event is consumed first. */
int os_loop_watch(struct os_loop *loop, struct os_event *event, void (*fired)(void *), void *arg);
void os_loop_unwatch(struct os_loop *loop, struct os_event *event);

struct os_timer;
int os_timer_create(struct os_loop *loop, void (*fired)(void *), void *arg,
		    struct os_timer **timer);
void os_timer_destroy(struct os_timer *timer);
/* Fires once at deadline (os_clock_monotonic()); 0 disarms; a new call replaces.  Any thread. */
void os_timer_set(struct os_timer *timer, uint64_t deadline);

/* --- Files (kernels, initrds) ---------------------------------------------------------------- */

struct os_file;
int os_file_open(const char *name, struct os_file **file, struct error *why);
void os_file_close(struct os_file *file);
uint64_t os_file_size(const struct os_file *file);
/* Reads exactly size bytes at offset; -EIO when the file ends before (it may have been cut since).
 */
int os_file_read(struct os_file *file, uint64_t offset, void *buffer, size_t size);

enum os_codec { OS_CODEC_GZIP, OS_CODEC_XZ, OS_CODEC_LZMA, OS_CODEC_ZSTD, OS_CODEC_LZ4 };
/*
 * Unpacks a Linux kernel payload (LZ4 in its legacy frame) into buffer.  Returns the bytes written,
 * or -EINVAL (damaged or cut), -ENOSPC (longer than capacity), -EOPNOTSUPP, -ENOMEM.  Bytes of
 * input behind the packed stream are ignored.
 */
int64_t os_decompress(enum os_codec codec, const void *input, size_t size, void *buffer,
		      size_t capacity);

/* --- Block storage --------------------------------------------------------------------------- */

struct os_iov { /* laid out as struct iovec */
	void *base;
	size_t length;
};

enum os_block_cache { OS_BLOCK_WRITEBACK, OS_BLOCK_NONE };

struct os_block_options {
	const char *name; /* a file or block device; on bare metal a volume */
	bool read_only;
	enum os_block_cache cache;
};

struct os_block_info {
	uint64_t size;       /* bytes; a multiple of 512 */
	uint32_t block_size; /* what is read and written without read-modify-write: 512 or 4096 */
	bool read_only;
	bool can_discard;
};

enum os_block_op {
	OS_BLOCK_READ,
	OS_BLOCK_WRITE,
	OS_BLOCK_FLUSH,        /* on success all writes done before it was submitted are durable */
	OS_BLOCK_DISCARD,      /* content becomes unspecified */
	OS_BLOCK_WRITE_ZEROES, /* reads as zero afterwards; may free the space */
};

/* Owned by the caller, and with its iov and buffers left alone, until done() is called. */
struct os_block_request {
	enum os_block_op op;
	uint32_t iov_count;
	const struct os_iov *iov; /* READ, WRITE */
	uint64_t offset;          /* bytes, a multiple of 512; the request lies within the device */
	uint64_t length;          /* bytes; for READ and WRITE the sum of the iov */
	void (*done)(struct os_block_request *request, int result); /* 0 or -errno */
	uint64_t os_private[8];                                     /* the implementation's */
};

struct os_block;
int os_block_open(struct os_loop *loop, const struct os_block_options *options,
		  struct os_block **block, struct error *why);
/* Drains, flushes, closes. */
void os_block_close(struct os_block *block);
void os_block_get_info(const struct os_block *block, struct os_block_info *info);
/* Queues a request; any number may be outstanding.  done() is never called from within. */
void os_block_submit(struct os_block *block, struct os_block_request *request);
/* Starts what was queued.  done() of requests may be called from within. */
void os_block_kick(struct os_block *block);
/* Kicks, and returns when every request's done() has been called (from within). */
void os_block_drain(struct os_block *block);

/* --- Network port ---------------------------------------------------------------------------- */

enum os_net_kind { OS_NET_USER, OS_NET_TAP };
enum os_net_protocol { OS_NET_TCP, OS_NET_UDP };

struct os_net_forward { /* host address:port is passed on to guest address:port (IPv4, host order)
			 */
	enum os_net_protocol protocol;
	uint32_t host_address; /* 0: any */
	uint16_t host_port;
	uint32_t guest_address; /* 0: the first address that the built-in DHCP hands out */
	uint16_t guest_port;
};

struct os_net_options {
	enum os_net_kind kind;
	const char *name;   /* OS_NET_TAP: the interface */
	const uint8_t *mac; /* 6 bytes, of the guest's card: on bare metal the only source that its
			       frames may have; elsewhere not looked at */
	uint64_t rate;      /* bits a second that the guest is to send at the most, 0: any.  On
			       bare metal the switch sees to it as well */
	const struct os_net_forward *forwards;
	uint32_t forward_count;
};

struct os_net_info {
	uint16_t mtu;  /* what the device should offer as its MTU */
	bool offloads; /* takes and gives frames with checksum and segmentation left to the other
			  side */
};

/*
 * A frame is preceded by a struct virtio_net_hdr_v1 (12 bytes, virtio 1.2 section 5.1.6) in both
 * directions; without offloads it is ignored on sending, and zero (num_buffers 1) on receiving.
 */
struct os_net;
int os_net_open(struct os_loop *loop, const struct os_net_options *options, struct os_net **net,
		struct error *why);
void os_net_close(struct os_net *net);
void os_net_get_info(const struct os_net *net, struct os_net_info *info);
/* readable(arg) is called when a frame has come; then receive until -EAGAIN.  NULL ends that. */
void os_net_set_receiver(struct os_net *net, void (*readable)(void *), void *arg);
/* Which of VIRTIO_NET_F_GUEST_* (bit numbers as bits) the guest takes in frames it receives. */
void os_net_set_offloads(struct os_net *net, uint64_t guest_features);
/* 0, or -EAGAIN when the port is full (the frame may be dropped), or -EINVAL for no frame at all.
 */
int os_net_send(struct os_net *net, const struct os_iov *iov, unsigned count);
/*
 * The length of the frame with its header, written over the iov; -EAGAIN: none waits; -EMSGSIZE:
 * the frame was longer than the iov and is dropped.
 */
int64_t os_net_receive(struct os_net *net, const struct os_iov *iov, unsigned count);

/* --- Console: the person's side of the guest's terminal -------------------------------------- */

struct os_console;
/* changed(arg) is called when there is something to read, or space again after a short write. */
void os_console_set_listener(struct os_console *console, void (*changed)(void *), void *arg);
/* Takes what fits its buffer without waiting, and returns how much that was.  Any thread. */
size_t os_console_write(struct os_console *console, const void *bytes, size_t count);
/* What was typed: up to count bytes; 0 when there is nothing.  Any thread. */
size_t os_console_read(struct os_console *console, void *bytes, size_t count);

/* --- The KVM ABI ----------------------------------------------------------------------------- */

/*
 * An object that takes commands of <linux/kvm.h>: the system (/dev/kvm itself), a VM, a vCPU.  On
 * Linux's KVM a command is an ioctl, on bare metal a system call, with the soft engine a call.
 */
struct os_kvm;
/* The result of the command (0 or more), or -errno.  arg is a value or a pointer, as the command
 * says. */
int64_t os_kvm_command(struct os_kvm *object, uint32_t command, uint64_t arg);
/* The same for a command that takes the address of a structure. */
static inline int64_t os_kvm_pass(struct os_kvm *object, uint32_t command, void *argument)
{
	return os_kvm_command(object, command, (uint64_t)(uintptr_t)argument);
}
/* Makes an object of the number that KVM_CREATE_VM or KVM_CREATE_VCPU on parent returned; owns it.
 */
int os_kvm_adopt(struct os_kvm *parent, int64_t number, struct os_kvm **object);
void os_kvm_close(struct os_kvm *object);
/* Maps a vCPU's struct kvm_run (size from KVM_GET_VCPU_MMAP_SIZE) for as long as the object lives.
 */
int os_kvm_map_run(struct os_kvm *vcpu, size_t size, void **run);

#endif
