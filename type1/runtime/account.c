/* SPDX-License-Identifier: MIT */
/*
 * account.c - accounts: how many bytes somebody may have the runtime use for them.
 */
#include "type1/runtime/memory.h"

struct account runtime_account = {.limit = UINT64_MAX};

bool account_charge(struct account *account, uint64_t size)
{
	uint64_t used = __atomic_load_n(&account->used, __ATOMIC_RELAXED);

	do {
		if (used > account->limit || size > account->limit - used)
			return false;
	} while (!__atomic_compare_exchange_n(&account->used, &used, used + size, true,
					      __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return true;
}

void account_credit(struct account *account, uint64_t size)
{
	__atomic_sub_fetch(&account->used, size, __ATOMIC_RELAXED);
}
