/* SPDX-License-Identifier: MIT */
/*
 * fake_os.h - os.h for tests and fuzzers: one thread, a clock that stands still until it is set,
 * events and timers that fire when fake_os_run() is called, and a log that can be read.
 */
#ifndef DYAD_TESTS_FAKE_OS_H
#define DYAD_TESTS_FAKE_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "os.h"

extern uint64_t fake_os_monotonic; /* what the clocks say, ns */
extern int64_t fake_os_wall;
extern unsigned fake_os_log_lines; /* how many lines were logged */
extern char fake_os_last_log[512];

/* Delivers all due timers and signalled events of loop, until none is left. */
void fake_os_run(struct os_loop *loop);
/* How often event was signalled since it was last consumed. */
unsigned fake_os_event_count(const struct os_event *event);
bool fake_os_mutex_is_locked(const struct os_mutex *mutex);

/* A console with a scripted input and a recorded output. */
struct os_console *fake_console_create(void);
void fake_console_destroy(struct os_console *console);
void fake_console_type(struct os_console *console, const char *bytes, size_t count);
/* Output so far, NUL-terminated; room limits what a write takes (default: all). */
const char *fake_console_output(const struct os_console *console);
size_t fake_console_output_size(const struct os_console *console);
void fake_console_set_room(struct os_console *console, size_t room);

/* A file in memory; takes a copy. */
struct os_file *fake_file_create(const void *content, size_t size);
/* What os_file_open(name) opens from now on; the content stays the caller's. */
void fake_file_publish(const char *name, const void *content, size_t size);

/* A block device in memory: requests complete when it is kicked, or, with hold, when released. */
struct os_block *fake_block_create(uint64_t size);
uint8_t *fake_block_content(struct os_block *block);
void fake_block_hold(struct os_block *block, bool hold);
bool fake_block_complete_one(struct os_block *block); /* the oldest; false: there was none */
unsigned fake_block_outstanding(const struct os_block *block);
void fake_block_fail_next(struct os_block *block, int error); /* one request ends with error */
unsigned fake_block_flushes(const struct os_block *block);
void fake_block_set_info(struct os_block *block, const struct os_block_info *info);

/* A network port: what was sent is recorded, what is to be received is queued. */
struct os_net *fake_net_create(uint16_t mtu, bool offloads);
void fake_net_deliver(struct os_net *net, const void *frame, size_t size);  /* with its header */
size_t fake_net_sent(const struct os_net *net, const uint8_t **last_frame); /* count of frames */
size_t fake_net_last_size(const struct os_net *net);
size_t fake_net_waiting(const struct os_net *net); /* frames delivered and not received */
uint64_t fake_net_offloads(const struct os_net *net);
void fake_net_set_full(struct os_net *net, bool full); /* sending ends with -EAGAIN */

#endif
