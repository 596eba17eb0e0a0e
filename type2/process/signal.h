/* SPDX-License-Identifier: MIT */
/*
 * signal.h - what must happen when a signal ends the process.
 */
#ifndef DYAD_TYPE2_PROCESS_SIGNAL_H
#define DYAD_TYPE2_PROCESS_SIGNAL_H

/*
 * From now on hook() is called before a signal that would end the process does so, and resumed()
 * when the process goes on after it was stopped; both in a signal handler.  Signals that someone
 * else handles or ignores stay theirs.  NULLs end that.  There is one pair in a process.
 */
void signal_set_hooks(void (*hook)(void), void (*resumed)(void));

#endif
