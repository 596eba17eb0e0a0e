/* SPDX-License-Identifier: MIT */
/*
 * terminal.h - a terminal in raw mode, and back on every way out of the process.
 */
#ifndef DYAD_TYPE2_PROCESS_TERMINAL_H
#define DYAD_TYPE2_PROCESS_TERMINAL_H

/*
 * Takes the terminal on fd to raw mode: each key comes at once and as it is (so Ctrl-C and Ctrl-Z
 * are the guest's), and output is passed on unchanged.  fd stays open until terminal_restore().
 * -EBUSY: another one is raw.
 */
int terminal_set_raw(int fd);
/* Back to what it was; nothing if it isn't raw. */
void terminal_restore(void);

#endif
