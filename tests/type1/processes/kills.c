/* SPDX-License-Identifier: MIT */
/*
 * kills.c - a client of the store that writes and verifies all the time, while the store is killed
 * under it: by itself if it may control processes, else by another one.  No request fails, and
 * nothing is lost: what has no answer is asked for again.
 *
 * The volume is of the process's name.
 */
#include "tests/type1/processes/batch.h"
#include "tests/type1/processes/store_client.h"

#define REQUESTS 48
#define SHARE (64 * KIB)
#define ROUNDS 60
#define ROUNDS_A_KILL 10
#define KILL_STEP UINT64_C(700000) /* ns: each kill comes so much later after the requests */

static struct batch batch;
static uint8_t *memory;
static struct batch_request requests[REQUESTS];
static struct os_iov iov[REQUESTS];

/* The store's place in the image, and how it does; -1: there is none. */
static int64_t find_store(struct type1_process *store)
{
	uint64_t handle = process_info->handles.processes;

	for (uint64_t i = 0; !call3(TYPE1_PROCESS_LIST, handle, i, call_address(store)); i++)
		if (text_equal(store->name, "store"))
			return (int64_t)i;
	return -1;
}

static void sleep_for(uint64_t nanoseconds)
{
	uint32_t word = 0;

	call3(TYPE1_FUTEX_WAIT, call_address(&word), word, os_clock_monotonic() + nanoseconds);
}

static void kill_store(void)
{
	static unsigned kills;
	struct type1_process store;
	int64_t place = find_store(&store);
	uint32_t starts = store.starts;

	sleep_for(++kills * KILL_STEP);

	EXPECT_THAT(place >= 0);
	EXPECT(call3(TYPE1_PROCESS_CONTROL, process_info->handles.processes, (uint64_t)place,
		     TYPE1_PROCESS_KILL),
	       0);
	EXPECT(batch_finish(&batch), 0);
	/* What was asked for may have been done before the end; what is asked for now is not. */
	EXPECT(batch_flush(&batch), 0);
	find_store(&store);
	EXPECT_THAT(store.starts == starts + 1);
}

static void submit_all(enum os_block_op op)
{
	for (unsigned i = 0; i < REQUESTS; i++) {
		iov[i] = (struct os_iov){memory + i * SHARE, SHARE};
		batch_submit(&batch, &requests[i], op, i * SHARE, SHARE, &iov[i], 1);
	}
	os_block_kick(batch.block);
}

static void round_of(uint64_t seed, bool kill_writes, bool kill_reads)
{
	pattern_fill(memory, REQUESTS * SHARE, seed);
	submit_all(OS_BLOCK_WRITE);
	if (kill_writes)
		kill_store();
	EXPECT(batch_finish(&batch), 0);
	EXPECT(batch_flush(&batch), 0);
	memset(memory, 0, REQUESTS * SHARE);
	submit_all(OS_BLOCK_READ);
	if (kill_reads)
		kill_store();
	EXPECT(batch_finish(&batch), 0);
	EXPECT_THAT(pattern_filled(memory, REQUESTS * SHARE, seed));
}

int main(const struct type1_info *info)
{
	int64_t mapped = call2(TYPE1_MEMORY_MAP, REQUESTS * SHARE, TYPE1_MEMORY_WRITE);
	bool kills = info->handles.processes;

	EXPECT_THAT(mapped > 0);
	memory = (uint8_t *)(uintptr_t)mapped;
	if (!batch_open(&batch, info->name))
		return check_end();
	for (unsigned i = 0; i < ROUNDS; i++)
		round_of(i + 1, kills && i % (2 * ROUNDS_A_KILL) == 1,
			 kills && i % (2 * ROUNDS_A_KILL) == ROUNDS_A_KILL);
	os_block_close(batch.block);
	return check_end();
}
