// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * host_memory.c - memory for the core: its own, and its caller's.
 *
 * A command runs in the process that made its VM (node.c sees to it), so the caller's memory is
 * that of the current one.
 */
#include <linux/gfp.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "type2/driver/driver.h"

#define HOST_ALIGNMENT 64

/* Above this physically contiguous memory is not asked for. */
#define HOST_CONTIGUOUS_MAX (8 * PAGE_SIZE)

/*
 * Sizes that are powers of two are aligned to themselves by the kernel.  From a page on it is whole
 * pages, compound ones, since some of it (struct kvm_run) is mapped by its caller, which slabs
 * can't be.
 */
void *host_alloc(size_t size)
{
	struct page *pages;

	driver_expect_task();
	if (size <= PAGE_SIZE / 2)
		return kzalloc(roundup_pow_of_two(max_t(size_t, size, HOST_ALIGNMENT)),
			       GFP_KERNEL_ACCOUNT);
	if (size <= HOST_CONTIGUOUS_MAX) {
		pages = alloc_pages(GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_COMP | __GFP_NOWARN |
					    __GFP_NORETRY,
				    get_order(size));
		if (pages)
			return page_address(pages);
	}
	return __vmalloc(size, GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN);
}

void host_free(void *memory)
{
	struct page *head;

	driver_expect_task();
	if (is_vmalloc_addr(memory)) {
		vfree(memory);
		return;
	}
	if (ZERO_OR_NULL_PTR(memory))
		return;
	head = virt_to_head_page(memory);
	if (PageSlab(head))
		kfree(memory);
	else
		__free_pages(head, compound_order(head));
}

int host_copy_in(void *to, uint64_t user, size_t size)
{
	driver_expect_task();
	if (!current->mm)
		return -EFAULT;
	return copy_from_user(to, (const void __user *)user, size) ? -EFAULT : 0;
}

int host_copy_out(uint64_t user, const void *from, size_t size)
{
	driver_expect_task();
	if (!current->mm)
		return -EFAULT;
	return copy_to_user((void __user *)user, from, size) ? -EFAULT : 0;
}

int host_compare_exchange(uint64_t user, unsigned size, uint64_t *expected, uint64_t value)
{
	u32 low = *expected;
	int result;

	driver_expect_task();
	if (!current->mm || !access_ok((void __user *)user, size))
		return -EFAULT;
	if (size == sizeof(u64)) {
		result = __try_cmpxchg_user((u64 __user *)user, expected, value, wide_fault);
	} else {
		result = __try_cmpxchg_user((u32 __user *)user, &low, (u32)value, fault);
		*expected = low;
	}
	return result < 0 ? -EFAULT : 0;
}

/* The caller's memory may be swapped or moved at any time. */
void *host_user_pointer(uint64_t user)
{
	return NULL;
}

/* There is no CPU in software in here. */
int host_code_map(size_t size, void **writable, void **executable)
{
	return -EOPNOTSUPP;
}

void host_code_unmap(void *writable, void *executable, size_t size)
{
}
