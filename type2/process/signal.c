/* SPDX-License-Identifier: MIT */
/*
 * signal.c - signals as call backs of a loop, and a last act before a signal ends the process.
 *
 * Signals are a process's, so what is known of them is the process's too: one slot per signal.  A
 * watched signal's handler only signals the slot's event.  Slots change on the loop thread alone; a
 * handler reads the few atomic fields.
 */
#include "type2/process/signal.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "lib/bits.h"
#include "type2/process/process.h"

#define SIGNAL_COUNT 65

struct signal_slot {
	struct os_event *_Atomic event; /* NULL: not watched */
	bool handled;                   /* our handler is installed, in the place of previous */
	struct sigaction previous;
	/* Loop thread. */
	struct os_loop *loop;
	void (*received)(void *arg, int signal);
	void *arg;
};

static struct signal_slot signal_slots[SIGNAL_COUNT];
static void (*_Atomic signal_hook)(void);
static void (*_Atomic signal_resumed)(void);

/* Those whose default is to end the process and that a person, the system or a fault may send. */
static const int signal_fatal[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM, SIGABRT,   SIGSEGV,
				   SIGBUS,  SIGFPE,  SIGILL,  SIGSYS,  SIGTRAP,   SIGUSR1,
				   SIGUSR2, SIGALRM, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF};

static bool signal_is_fatal(int signal)
{
	for (size_t i = 0; i < ARRAY_COUNT(signal_fatal); i++)
		if (signal_fatal[i] == signal)
			return true;
	return false;
}

static void signal_handler(int signal)
{
	struct os_event *event = atomic_load(&signal_slots[signal].event);
	void (*act)(void);

	if (event) {
		os_event_signal(event);
		return;
	}
	if (signal == SIGCONT) {
		act = atomic_load(&signal_resumed);
		if (act)
			act();
		return;
	}
	act = atomic_load(&signal_hook);
	if (act)
		act();
	/* Blocked while we are in here; on return it comes again, and ends us as it would have. */
	(void)sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
	(void)raise(signal);
}

/* Has our handler installed exactly when it is wanted. */
static void signal_update(int signal, bool wanted)
{
	struct signal_slot *slot = &signal_slots[signal];
	struct sigaction action = {.sa_handler = signal_handler, .sa_flags = SA_RESTART};

	if (wanted == slot->handled)
		return;
	slot->handled = wanted;
	sigemptyset(&action.sa_mask);
	if (wanted)
		(void)sigaction(signal, &action, &slot->previous);
	else
		(void)sigaction(signal, &slot->previous, NULL);
}

static bool signal_is_default(int signal)
{
	struct sigaction action;

	return sigaction(signal, NULL, &action) == 0 && !(action.sa_flags & SA_SIGINFO) &&
	       action.sa_handler == SIG_DFL;
}

static bool signal_has_hook(int signal)
{
	if (signal == SIGCONT)
		return atomic_load(&signal_resumed) != NULL;
	return signal_is_fatal(signal) && atomic_load(&signal_hook) != NULL;
}

void signal_set_hooks(void (*hook)(void), void (*resumed)(void))
{
	atomic_store(&signal_hook, hook);
	atomic_store(&signal_resumed, resumed);
	for (int signal = 1; signal < SIGNAL_COUNT; signal++) {
		struct signal_slot *slot = &signal_slots[signal];
		bool watched = atomic_load(&slot->event) != NULL;

		if (signal_has_hook(signal) && !slot->handled && signal_is_default(signal))
			signal_update(signal, true);
		else if (!signal_has_hook(signal) && !watched)
			signal_update(signal, false);
	}
}

static void signal_fired(void *arg)
{
	struct signal_slot *slot = arg;

	slot->received(slot->arg, (int)(slot - signal_slots));
}

int process_loop_watch_signal(struct os_loop *loop, int signal,
			      void (*received)(void *arg, int signal), void *arg)
{
	struct signal_slot *slot;
	struct os_event *event;
	int error;

	if (signal <= 0 || signal >= SIGNAL_COUNT)
		return -EINVAL;
	slot = &signal_slots[signal];
	if (atomic_load(&slot->event))
		return -EBUSY;
	slot->loop = loop;
	slot->received = received;
	slot->arg = arg;
	error = os_event_create(&event);
	if (error)
		return error;
	error = os_loop_watch(loop, event, signal_fired, slot);
	if (error) {
		os_event_destroy(event);
		return error;
	}
	atomic_store(&slot->event, event);
	signal_update(signal, true);
	return 0;
}

void process_loop_unwatch_signal(struct os_loop *loop, int signal)
{
	struct signal_slot *slot = &signal_slots[signal];
	struct os_event *event = atomic_load(&slot->event);
	sigset_t blocked, before;

	if (!event || slot->loop != loop)
		return;
	/* Threads of ours block all signals, so once blocked here no handler uses the event. */
	sigemptyset(&blocked);
	sigaddset(&blocked, signal);
	pthread_sigmask(SIG_BLOCK, &blocked, &before);
	atomic_store(&slot->event, NULL);
	signal_update(signal, signal_has_hook(signal) && slot->previous.sa_handler == SIG_DFL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	os_event_destroy(event);
}
