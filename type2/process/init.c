/* SPDX-License-Identifier: MIT */
/*
 * init.c - what a process sets up once before it runs VMs.
 */
#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>

#include "lib/bits.h"
#include "type2/process/process.h"
#include "type2/process/thread.h"

void process_init(void)
{
	struct rlimit files;

	/*
	 * One arena for all threads, and large blocks by mmap so that freeing gives them back: the
	 * process lives as long as its guest, and what it used to start up must not stay.  Setting
	 * the threshold also keeps the library from raising it on its own.
	 */
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, (int)(128 * KIB));
	mallopt(M_TRIM_THRESHOLD, (int)(64 * KIB));
	mallopt(M_TOP_PAD, 0);

	/* A reader that went away is an error of write(), not our end. */
	signal(SIGPIPE, SIG_IGN);
	thread_install_kick();

	/* Every vCPU, queue and connection of the guest's network is a descriptor. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}
