// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * host_pages.c - pages for tables that the CPU walks, and the pages of the caller's memory.
 *
 * The caller's memory stays the kernel's to swap, move, split and join: a page is looked up or
 * faulted in, its address handed out, and its reference given back at once.  That the address may
 * still be used is what the MMU notifier is for: before a page goes, invalidate() has taken back
 * all that was made of it.
 */
#include <linux/mem_encrypt.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/pgtable.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include <asm/io.h>

#include "type2/driver/driver.h"

struct memory_private {
	struct mmu_notifier notifier;
	struct host_memory *memory;
	/* Any thread, atomically.  A change counts as under way until its end has been counted. */
	atomic64_t changes; /* that have ended */
	atomic_t under_way;
};

struct page_private {
	struct page *page;
};

struct fetch_private {
	struct work_struct work;
	struct mm_struct *mm; /* while the work is under way: a reference to the structure */
	unsigned long user;
	unsigned int flags; /* FOLL_* */
};

/* --- Tables ----------------------------------------------------------------------------------- */

/* Physical addresses are as the CPU's tables hold them: with the memory encryption's bit, if that
 * is on. */
void *host_pages_alloc(unsigned order, uint64_t *physical)
{
	void *pages;

	driver_expect_task();
	pages = (void *)__get_free_pages(GFP_KERNEL_ACCOUNT | __GFP_ZERO, order);
	if (pages)
		*physical = __sme_pa(pages);
	return pages;
}

void host_pages_free(void *pages, unsigned order)
{
	free_pages((unsigned long)pages, order);
}

void *host_pages_at(uint64_t physical)
{
	return __va(__sme_clr(physical));
}

/* --- Changes of the address space ------------------------------------------------------------- */

static struct memory_private *private_of(struct host_memory *memory)
{
	return DRIVER_PRIVATE(memory, struct memory_private);
}

static struct memory_private *private_of_notifier(struct mmu_notifier *notifier)
{
	return container_of(notifier, struct memory_private, notifier);
}

/*
 * A range's change begins, is made to the kernel's page tables, and ends.  Who looks a page up
 * meanwhile may have seen it as it was, so it finds host_memory_changed() either by the change's
 * being under way or by the count of those that have ended: the first is raised before
 * invalidate() takes its lock, and lowered after the second was raised.
 */
static int memory_change_begins(struct mmu_notifier *notifier,
				const struct mmu_notifier_range *range)
{
	struct memory_private *private = private_of_notifier(notifier);

	atomic_inc(&private->under_way);
	smp_mb__after_atomic();
	private->memory->invalidate(private->memory, range->start, range->end - range->start);
	return 0;
}

static void memory_change_ends(struct mmu_notifier *notifier,
			       const struct mmu_notifier_range *range)
{
	struct memory_private *private = private_of_notifier(notifier);

	atomic64_inc(&private->changes);
	smp_mb__after_atomic();
	atomic_dec(&private->under_way);
}

static int memory_clear_young(struct mmu_notifier *notifier, struct mm_struct *mm,
			      unsigned long start, unsigned long end)
{
	struct host_memory *memory = private_of_notifier(notifier)->memory;

	return memory->accessed && memory->accessed(memory, start, end - start);
}

/* The process has ended, or another program runs in it. */
static void memory_release(struct mmu_notifier *notifier, struct mm_struct *mm)
{
	struct memory_private *private = private_of_notifier(notifier);

	atomic_inc(&private->under_way); /* for ever: there is nothing to look up any more */
	smp_mb__after_atomic();
	private->memory->invalidate(private->memory, 0, TASK_SIZE_MAX);
}

static const struct mmu_notifier_ops memory_notifier_ops = {
	.invalidate_range_start = memory_change_begins,
	.invalidate_range_end = memory_change_ends,
	.clear_flush_young = memory_clear_young,
	.clear_young = memory_clear_young,
	.release = memory_release,
};

int host_memory_begin(struct host_memory *memory)
{
	struct memory_private *private = private_of(memory);

	driver_expect_task();
	private->memory = memory;
	atomic64_set(&private->changes, 0);
	atomic_set(&private->under_way, 0);
	private->notifier.ops = &memory_notifier_ops;
	if (!current->mm)
		return -EINVAL;
	return mmu_notifier_register(&private->notifier, current->mm);
}

void host_memory_end(struct host_memory *memory)
{
	struct memory_private *private = private_of(memory);

	driver_expect_task();
	mmu_notifier_unregister(&private->notifier, private->notifier.mm);
}

uint64_t host_memory_sequence(struct host_memory *memory)
{
	uint64_t sequence = atomic64_read(&private_of(memory)->changes);

	smp_rmb(); /* before the look at the page tables */
	return sequence;
}

bool host_memory_changed(struct host_memory *memory, uint64_t sequence)
{
	struct memory_private *private = private_of(memory);

	if (atomic_read(&private->under_way))
		return true;
	smp_rmb(); /* who sees that a change is no more under way sees it counted */
	return atomic64_read(&private->changes) != sequence;
}

/* --- Pages of the caller's -------------------------------------------------------------------- */

/*
 * How much around user the process's own tables map as one.  They may be freed meanwhile, but not
 * while interrupts are off on a CPU that reads them: who frees them waits for that.  What is
 * found counts only if host_memory_changed() says so later.
 */
static uint64_t mapped_size(struct mm_struct *mm, unsigned long user)
{
	uint64_t size = PAGE_SIZE;
	unsigned long flags;
	pgd_t pgd;
	p4d_t p4d;
	pud_t pud;
	pmd_t pmd;

	local_irq_save(flags);
	pgd = READ_ONCE(*pgd_offset(mm, user));
	if (pgd_none(pgd))
		goto out;
	p4d = READ_ONCE(*p4d_offset(&pgd, user));
	if (p4d_none(p4d) || !p4d_present(p4d))
		goto out;
	pud = READ_ONCE(*pud_offset(&p4d, user));
	if (pud_none(pud) || !pud_present(pud))
		goto out;
	if (pud_leaf(pud)) {
		size = PUD_SIZE;
		goto out;
	}
	pmd = READ_ONCE(*pmd_offset(&pud, user));
	if (pmd_present(pmd) && pmd_leaf(pmd))
		size = PMD_SIZE;
out:
	local_irq_restore(flags);
	return size;
}

static int page_found(struct host_page *page, uint64_t user, struct page *found, bool writable)
{
	DRIVER_PRIVATE(page, struct page_private)->page = found;
	page->physical = __sme_set(page_to_phys(found));
	page->writable = writable;
	page->size = mapped_size(current->mm, user);
	return 0;
}

int host_page_get(struct host_memory *memory, uint64_t user, bool write, bool wait,
		  struct host_page *page)
{
	unsigned int flags = FOLL_HWPOISON | (write ? FOLL_WRITE : 0) | (wait ? 0 : FOLL_NOWAIT);
	struct page *found;
	long count;

	driver_expect_task();
	if (current->mm != private_of(memory)->notifier.mm)
		return -EFAULT;
	user &= PAGE_MASK;
	if (!access_ok((const void __user *)user, PAGE_SIZE))
		return -EFAULT;
	/* As the tables have it; a page that is read may well be writable already. */
	if (get_user_page_fast_only(user, FOLL_WRITE, &found))
		return page_found(page, user, found, true);
	if (fatal_signal_pending(current))
		return -EINTR;
	count = get_user_pages_unlocked(user, 1, &found, flags);
	if (count == 1)
		return page_found(page, user, found, write);
	if (!count && !wait)
		return -EAGAIN;
	return count == -EINTR || count == -ERESTARTSYS ? -EINTR : -EFAULT;
}

/*
 * A page that can be written through a mapping of the core's may become dirty without a sign of it
 * in the process's tables, so it is marked here; what cleans it later invalidates it first.
 */
void host_page_put(struct host_page *page, bool dirtied)
{
	struct page *found = DRIVER_PRIVATE(page, struct page_private)->page;

	if ((dirtied || page->writable) && !PageReserved(found) && !PageDirty(found))
		SetPageDirty(found);
	put_page(found);
}

/* --- Pages that are fetched meanwhile --------------------------------------------------------- */

static struct host_fetch *fetch_of(struct fetch_private *private)
{
	return container_of((uint64_t(*)[24]) private, struct host_fetch, opaque);
}

/* In one of the kernel's threads.  That the page comes is all that is wanted: no reference is kept.
 * The process may have ended meanwhile: then so much the sooner. */
static void fetch_work(struct work_struct *work)
{
	struct fetch_private *private = container_of(work, struct fetch_private, work);
	struct host_fetch *fetch = fetch_of(private);
	struct mm_struct *mm = private->mm;

	if (mmget_not_zero(mm)) {
		driver_fault_in(mm, private->user, private->flags);
		mmput(mm);
	}
	mmdrop(mm);
	fetch->done(fetch); /* it may be begun again from here on */
}

static void fetch_init(struct host_fetch *fetch, void (*done)(struct host_fetch *fetch))
{
	fetch->done = done;
	INIT_WORK(&DRIVER_PRIVATE(fetch, struct fetch_private)->work, fetch_work);
}

static int fetch_begin(struct host_fetch *fetch, struct host_memory *memory, uint64_t user,
		       bool write)
{
	struct fetch_private *private = DRIVER_PRIVATE(fetch, struct fetch_private);

	driver_expect_task();
	if (current->mm != private_of(memory)->notifier.mm)
		return -EFAULT;
	private->mm = current->mm;
	private->user = user & PAGE_MASK;
	private->flags = write ? FOLL_WRITE : 0;
	mmgrab(private->mm);
	queue_work(system_unbound_wq, &private->work);
	return 0;
}

static void fetch_end(struct host_fetch *fetch)
{
	struct fetch_private *private = DRIVER_PRIVATE(fetch, struct fetch_private);

	driver_expect_task();
	if (cancel_work_sync(&private->work))
		mmdrop(private->mm); /* it hadn't begun */
}

static const struct host_fetcher fetcher = {
	.init = fetch_init,
	.begin = fetch_begin,
	.end = fetch_end,
};
const struct host_fetcher *const host_fetcher = &fetcher;
