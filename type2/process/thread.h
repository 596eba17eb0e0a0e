/* SPDX-License-Identifier: MIT */
/*
 * thread.h - threads of the process host, as its own files see them.
 */
#ifndef DYAD_TYPE2_PROCESS_THREAD_H
#define DYAD_TYPE2_PROCESS_THREAD_H

/* Installs the handler of the signal that os_thread_kick() sends. */
void thread_install_kick(void);

#endif
