// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * host_lock.c - the core's locks.
 *
 * Timers fire in hard interrupts, also on kernels whose other interrupts are threads, and take the
 * core's spin locks: so these are raw, and keep interrupts away.
 */
#include <linux/mutex.h>
#include <linux/spinlock.h>

#include "type2/driver/driver.h"

struct spin_private {
	raw_spinlock_t lock;
	unsigned long flags; /* of who holds it */
};

void host_mutex_init(struct host_mutex *mutex)
{
	mutex_init(DRIVER_PRIVATE(mutex, struct mutex));
}

void host_mutex_lock(struct host_mutex *mutex)
{
	driver_expect_task();
	mutex_lock(DRIVER_PRIVATE(mutex, struct mutex));
}

int host_mutex_lock_killable(struct host_mutex *mutex)
{
	driver_expect_task();
	return mutex_lock_killable(DRIVER_PRIVATE(mutex, struct mutex));
}

void host_mutex_unlock(struct host_mutex *mutex)
{
	mutex_unlock(DRIVER_PRIVATE(mutex, struct mutex));
}

void host_spin_init(struct host_spin *spin)
{
	raw_spin_lock_init(&DRIVER_PRIVATE(spin, struct spin_private)->lock);
}

void host_spin_lock(struct host_spin *spin)
{
	struct spin_private *private = DRIVER_PRIVATE(spin, struct spin_private);
	unsigned long flags;

	raw_spin_lock_irqsave(&private->lock, flags);
	private->flags = flags;
}

void host_spin_unlock(struct host_spin *spin)
{
	struct spin_private *private = DRIVER_PRIVATE(spin, struct spin_private);

	raw_spin_unlock_irqrestore(&private->lock, private->flags);
}
