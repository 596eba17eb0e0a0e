/* SPDX-License-Identifier: MIT */
/*
 * thread.c - threads with small stacks, the kick, and a mutex that costs one atomic operation when
 * nobody contends.
 */
#include "type2/process/thread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bits.h"
#include "os.h"
#include "type2/process/futex.h"
#include "type2/process/host_process.h"

/*
 * What a vCPU or worker thread needs at the most, below the size at which the kernel would back it
 * with a huge page.  Instrumented code needs more.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define THREAD_STACK_SIZE (MIB)
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define THREAD_STACK_SIZE (MIB)
#endif
#endif
#ifndef THREAD_STACK_SIZE
#define THREAD_STACK_SIZE (128 * KIB)
#endif

#define THREAD_NAME_MAX 16 /* with its NUL; the kernel's TASK_COMM_LEN */

struct os_thread {
	pthread_t handle;
	void (*run)(void *);
	void *arg;
	char name[THREAD_NAME_MAX];
};

static int thread_kick_signal(void)
{
	return SIGRTMIN;
}

static void thread_kicked(int signal)
{
	(void)signal;
	host_run_kicked();
}

void thread_install_kick(void)
{
	struct sigaction action = {.sa_handler = thread_kicked};

	/* No SA_RESTART: KVM_RUN is to end.  Elsewhere in our code EINTR is always tried again. */
	sigemptyset(&action.sa_mask);
	sigaction(thread_kick_signal(), &action, NULL);
}

static void *thread_main(void *arg)
{
	struct os_thread *thread = arg;

	pthread_setname_np(pthread_self(), thread->name);
	thread->run(thread->arg);
	return NULL;
}

/*
 * Signals to the process are the main thread's business.  A fault and the kick are the thread's
 * own.
 */
static void thread_signal_mask(sigset_t *mask)
{
	static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};

	sigfillset(mask);
	for (size_t i = 0; i < ARRAY_COUNT(own); i++)
		sigdelset(mask, own[i]);
	sigdelset(mask, thread_kick_signal());
}

int os_thread_start(struct os_thread **out, const char *name, void (*run)(void *), void *arg)
{
	struct os_thread *thread = calloc(1, sizeof(*thread));
	pthread_attr_t attributes;
	sigset_t mask;
	int error;

	if (!thread)
		return -ENOMEM;
	thread->run = run;
	thread->arg = arg;
	memcpy(thread->name, name, strnlen(name, THREAD_NAME_MAX - 1));
	error = pthread_attr_init(&attributes);
	if (error)
		goto free_thread;
	thread_install_kick(); /* again, for a process that never called process_init() */
	thread_signal_mask(&mask);
	error = pthread_attr_setsigmask_np(&attributes, &mask);
	if (!error)
		error = pthread_attr_setstacksize(&attributes, THREAD_STACK_SIZE);
	if (!error)
		error = pthread_create(&thread->handle, &attributes, thread_main, thread);
	pthread_attr_destroy(&attributes);
	if (error)
		goto free_thread;
	*out = thread;
	return 0;
free_thread:
	free(thread);
	return -error;
}

void os_thread_kick(struct os_thread *thread)
{
	pthread_kill(thread->handle, thread_kick_signal());
}

void os_thread_join(struct os_thread *thread)
{
	if (!thread)
		return;
	pthread_join(thread->handle, NULL);
	free(thread);
}

/* --- Mutex -------------------------------------------------------------------------------------
 */

_Static_assert(sizeof(futex_word) <= sizeof(struct os_mutex), "fits the opaque part");

static futex_word *mutex_word(struct os_mutex *mutex)
{
	return (futex_word *)mutex;
}

void os_mutex_init(struct os_mutex *mutex)
{
	*mutex = (struct os_mutex){{0}};
}

void os_mutex_lock(struct os_mutex *mutex)
{
	futex_lock(mutex_word(mutex));
}

void os_mutex_unlock(struct os_mutex *mutex)
{
	futex_unlock(mutex_word(mutex));
}
