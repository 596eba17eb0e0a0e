/* SPDX-License-Identifier: MIT */
/*
 * host_lock.c - the core's locks.
 */
#include "type1/host/private.h"
#include "type1/runtime/thread.h"

void host_mutex_init(struct host_mutex *mutex)
{
	mutex_init(HOST_PRIVATE(mutex, struct mutex));
}

void host_mutex_lock(struct host_mutex *mutex)
{
	mutex_lock(HOST_PRIVATE(mutex, struct mutex));
}

int host_mutex_lock_killable(struct host_mutex *mutex)
{
	return mutex_lock_killable(HOST_PRIVATE(mutex, struct mutex));
}

void host_mutex_unlock(struct host_mutex *mutex)
{
	mutex_unlock(HOST_PRIVATE(mutex, struct mutex));
}

void host_spin_init(struct host_spin *spin)
{
	*HOST_PRIVATE(spin, struct spin) = (struct spin)SPIN_INIT;
}

void host_spin_lock(struct host_spin *spin)
{
	spin_lock(HOST_PRIVATE(spin, struct spin));
}

void host_spin_unlock(struct host_spin *spin)
{
	spin_unlock(HOST_PRIVATE(spin, struct spin));
}
