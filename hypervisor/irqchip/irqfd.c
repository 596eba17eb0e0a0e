/* SPDX-License-Identifier: MIT */
/*
 * irqfd.c - events that are interrupts (KVM_IRQFD).
 *
 * A plain one pulses its GSI at each signal.  With KVM_IRQFD_FLAG_RESAMPLE the line stays high
 * until the guest has ended the interrupt; then it is let go and a second event tells the device,
 * which signals again if it still wants one.
 */
#include <linux/errno.h>

#include "hypervisor/irqchip/chips.h"
#include "lib/bits.h"

/* They are gone through with interrupts off; more than a VM has interrupts makes no sense. */
#define IRQFDS_MAX 1024

struct irqfd {
	struct irqfd *next; /* [irqfd_lock] */
	struct irqchip *chip;
	uint32_t gsi;
	struct host_event *event;
	struct host_event *resample; /* NULL: a plain one */
	struct host_event_watch watch;
};

static void signalled(struct host_event_watch *watch)
{
	struct irqfd *irqfd = CONTAINER_OF(watch, struct irqfd, watch);

	if (irqfd->resample) {
		routing_set_line(irqfd->chip, irqfd->gsi, LINE_SOURCE_RESAMPLE, true);
		return;
	}
	routing_set_line(irqfd->chip, irqfd->gsi, LINE_SOURCE_CALLER, true);
	routing_set_line(irqfd->chip, irqfd->gsi, LINE_SOURCE_CALLER, false);
}

/* It is in no list. Task. */
static void end(struct irqfd *irqfd)
{
	host_event_unwatch(&irqfd->watch);
	host_event_put(irqfd->event);
	if (irqfd->resample)
		host_event_put(irqfd->resample);
	host_free(irqfd);
}

static void count_resampler(struct irqchip *chip, const struct irqfd *irqfd, int by)
{
	if (irqfd->resample)
		__atomic_fetch_add(&chip->resamplers, (uint32_t)by, __ATOMIC_SEQ_CST);
}

/* With the mutex. */
static int add(struct irqchip *chip, struct irqfd *irqfd)
{
	if (chip->irqfd_count == IRQFDS_MAX)
		return -ENOSPC;
	chip->irqfd_count++;
	host_spin_lock(&chip->irqfd_lock);
	irqfd->next = chip->irqfds;
	chip->irqfds = irqfd;
	count_resampler(chip, irqfd, 1);
	host_spin_unlock(&chip->irqfd_lock);
	return 0;
}

/* With the mutex, or when nobody else is left. */
static void drop(struct irqchip *chip, struct irqfd *irqfd)
{
	struct irqfd **at;

	chip->irqfd_count--;
	host_spin_lock(&chip->irqfd_lock);
	for (at = &chip->irqfds; *at != irqfd; at = &(*at)->next)
		;
	*at = irqfd->next;
	count_resampler(chip, irqfd, -1);
	host_spin_unlock(&chip->irqfd_lock);
}

/* NULL: there is none of this event and GSI. */
static struct irqfd *find(struct irqchip *chip, const struct host_event *event, uint32_t gsi)
{
	struct irqfd *each;

	host_spin_lock(&chip->irqfd_lock);
	for (each = chip->irqfds; each && (each->event != event || each->gsi != gsi);)
		each = each->next;
	host_spin_unlock(&chip->irqfd_lock);
	return each;
}

static int assign(struct irqchip *chip, const struct kvm_irqfd *args)
{
	struct irqfd *irqfd = host_alloc(sizeof(*irqfd));
	int err;

	if (!irqfd)
		return -ENOMEM;
	irqfd->chip = chip;
	irqfd->gsi = args->gsi;
	err = host_event_get((int32_t)args->fd, &irqfd->event);
	if (err < 0)
		goto out;
	if (args->flags & KVM_IRQFD_FLAG_RESAMPLE)
		err = host_event_get((int32_t)args->resamplefd, &irqfd->resample);
	if (err < 0)
		goto out_event;
	/* In the list first: what was signalled before may come, and end, at once. */
	host_mutex_lock(&chip->irqfd_mutex);
	err = add(chip, irqfd);
	if (!err) {
		err = host_event_watch(irqfd->event, &irqfd->watch, signalled);
		if (err < 0)
			drop(chip, irqfd);
	}
	host_mutex_unlock(&chip->irqfd_mutex);
	if (!err)
		return 0;
	if (irqfd->resample)
		host_event_put(irqfd->resample);
out_event:
	host_event_put(irqfd->event);
out:
	host_free(irqfd);
	return err;
}

static int deassign(struct irqchip *chip, const struct kvm_irqfd *args)
{
	struct host_event *event;
	struct irqfd *irqfd;
	int err;

	err = host_event_get((int32_t)args->fd, &event);
	if (err < 0)
		return err;
	host_mutex_lock(&chip->irqfd_mutex);
	irqfd = find(chip, event, args->gsi);
	if (irqfd)
		drop(chip, irqfd);
	host_mutex_unlock(&chip->irqfd_mutex);
	if (irqfd)
		end(irqfd);
	host_event_put(event);
	return 0;
}

int irqchip_irqfd(struct irqchip *chip, const struct kvm_irqfd *irqfd)
{
	if (irqfd->flags & ~(uint32_t)(KVM_IRQFD_FLAG_DEASSIGN | KVM_IRQFD_FLAG_RESAMPLE) ||
	    irqfd->gsi >= GSI_COUNT)
		return -EINVAL;
	return irqfd->flags & KVM_IRQFD_FLAG_DEASSIGN ? deassign(chip, irqfd) : assign(chip, irqfd);
}

void irqfd_resample(struct irqchip *chip, uint32_t gsi)
{
	bool any = false;

	host_spin_lock(&chip->irqfd_lock);
	for (struct irqfd *each = chip->irqfds; each; each = each->next)
		any |= each->resample && each->gsi == gsi;
	host_spin_unlock(&chip->irqfd_lock);
	if (!any)
		return;
	/* First the line: who signals after being told raises it again. */
	routing_set_line(chip, gsi, LINE_SOURCE_RESAMPLE, false);
	host_spin_lock(&chip->irqfd_lock);
	for (struct irqfd *each = chip->irqfds; each; each = each->next) {
		if (each->resample && each->gsi == gsi)
			host_event_signal(each->resample);
	}
	host_spin_unlock(&chip->irqfd_lock);
}

void irqfd_destroy_all(struct irqchip *chip)
{
	while (chip->irqfds) {
		struct irqfd *irqfd = chip->irqfds;

		drop(chip, irqfd);
		end(irqfd);
	}
}
