/* SPDX-License-Identifier: MIT */
/*
 * process.h - what the Linux process host offers to the command besides os.h: start-up, signals and
 * plain file descriptors on the loop, the terminal as a console, and the choice of a hypervisor.
 *
 * The conventions of os.h hold: negative errno, struct error for the person, loop thread only
 * unless a line says otherwise.
 */
#ifndef DYAD_TYPE2_PROCESS_PROCESS_H
#define DYAD_TYPE2_PROCESS_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"
#include "os.h"

/* --- Start-up and log ------------------------------------------------------------------------- */

/*
 * Once, first thing in main() and before any thread: sets the C library's allocator to give memory
 * back early, ignores SIGPIPE, prepares os_thread_kick(), and raises the limit of open files to the
 * hard one.
 */
void process_init(void);

/* Where os_log() writes (default: 2) and the least important level written (default: OS_LOG_INFO).
 */
void process_log_configure(int fd, enum os_log_level most);

/* --- The loop: file descriptors, signals ------------------------------------------------------ */

enum process_watch_events {
	PROCESS_READABLE = 1,
	PROCESS_WRITABLE = 2,
	PROCESS_HANGUP = 4, /* reported, never asked for: closed on the other side, or an error */
	PROCESS_EDGE = 8,   /* asked for: only when the state changes, not as long as it lasts */
};

struct process_watch;
/* Calls ready(arg, events) when fd is; -EPERM: a kind of file that cannot be waited for. */
int process_loop_watch_fd(struct os_loop *loop, int fd, unsigned events,
			  void (*ready)(void *arg, unsigned events), void *arg,
			  struct process_watch **watch);
/* events 0 pauses: not even a hang-up is reported. */
int process_watch_change(struct process_watch *watch, unsigned events);
/* Takes NULL.  The fd is the caller's, and still open. */
void process_loop_unwatch_fd(struct process_watch *watch);

/*
 * Calls received(arg, signal) on the loop thread instead of what the signal would do.  One watcher
 * per signal in a process (-EBUSY).  Unwatching restores what was before.
 */
int process_loop_watch_signal(struct os_loop *loop, int signal,
			      void (*received)(void *arg, int signal), void *arg);
void process_loop_unwatch_signal(struct os_loop *loop, int signal);

/* --- The console -------------------------------------------------------------------------------
 */

enum process_console_command {
	PROCESS_CONSOLE_STOP,         /* escape x */
	PROCESS_CONSOLE_POWER_BUTTON, /* escape p */
};

#define PROCESS_CONSOLE_ESCAPE 0x01 /* Ctrl-A */

struct process_console_options {
	int input;  /* a descriptor, or -1: nothing is ever typed */
	int output; /* a descriptor, or -1: output is dropped */
	/*
	 * The key that starts a command (a control character), typed twice to send itself; 0: none,
	 * and every byte goes to the guest.  Only a terminal has one: bytes from a pipe are never
	 * commands.
	 */
	uint8_t escape;
	/* Called on the loop thread for a command; may be NULL.  Must not close the console. */
	void (*command)(void *arg, enum process_console_command command);
	void *arg;
};

/*
 * Makes a console of two descriptors, which stay the caller's and keep their flags.  A terminal
 * goes to raw mode, and back to what it was on close, exit() and on every signal that ends the
 * process and can be caught.  At most one console in a process may be on a terminal (-EBUSY).
 */
int process_console_open(struct os_loop *loop, const struct process_console_options *options,
			 struct os_console **console, struct error *why);
/* Writes what is still buffered (waiting no longer than two seconds for a reader that is stuck). */
void process_console_close(struct os_console *console);

/* --- Hypervisors --------------------------------------------------------------------------------
 */

#define PROCESS_KVM_NODE "/dev/kvm"   /* Linux's */
#define PROCESS_DYAD_NODE "/dev/dyad" /* our driver's, type2/driver */

/* Opens a node that speaks the KVM ABI; why names the node and what to do. */
int process_kvm_open(const char *path, struct os_kvm **kvm, struct error *why);
/*
 * 0 when kvm, opened from path, can run unmodified guests on this machine; -ENOTSUP and a sentence
 * when it can't, though it answers (no hardware virtualization, a paravirtual-only KVM, too old).
 */
int process_kvm_probe(struct os_kvm *kvm, const char *path, struct error *why);
/* Dyad's own core in this process, on a CPU in software: needs no node and no right. */
int process_soft_open(struct os_kvm **kvm, struct error *why);

/* --- Block: choice of the engine -----------------------------------------------------------------
 */

enum process_block_engine {
	PROCESS_BLOCK_AUTO,    /* io_uring where the kernel has it and allows it, else threads */
	PROCESS_BLOCK_URING,   /* fails where there is none */
	PROCESS_BLOCK_THREADS, /* a few worker threads */
};

/* os_block_open() with a choice: it is this one with PROCESS_BLOCK_AUTO. */
int process_block_open(struct os_loop *loop, const struct os_block_options *options,
		       enum process_block_engine engine, struct os_block **block,
		       struct error *why);

#endif
