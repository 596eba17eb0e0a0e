/* SPDX-License-Identifier: MIT */
/*
 * crashes.c - a client of the store that ends in the middle of its writes, and is started again as
 * services are: the volume is its own again, and the disk writes to nobody's memory meanwhile.
 *
 * The volume is of the process's name; its first block counts.
 */
#include "tests/type1/processes/batch.h"
#include "tests/type1/processes/store_client.h"

#define REQUESTS 48
#define SHARE (64 * KIB)
#define BLOCK 512
#define CRASHES 6
#define CRASHED 1 /* the status */

static struct batch batch;
static uint8_t *memory;
static struct batch_request requests[REQUESTS];
static struct os_iov iov[REQUESTS];

static void submit_all(enum os_block_op op)
{
	for (unsigned i = 0; i < REQUESTS; i++) {
		iov[i] = (struct os_iov){memory + i * SHARE, SHARE};
		batch_submit(&batch, &requests[i], op, MIB + i * SHARE, SHARE, &iov[i], 1);
	}
	os_block_kick(batch.block);
}

int main(const struct type1_info *info)
{
	int64_t mapped = call2(TYPE1_MEMORY_MAP, REQUESTS * SHARE, TYPE1_MEMORY_WRITE);
	static uint64_t count[BLOCK / sizeof(uint64_t)];

	EXPECT_THAT(mapped > 0);
	memory = (uint8_t *)(uintptr_t)mapped;
	if (!batch_open(&batch, info->name))
		return check_end();
	EXPECT(batch_plain(&batch, OS_BLOCK_READ, 0, BLOCK, count), 0);
	if (count[0] < CRASHES && !check_failed) {
		count[0]++;
		EXPECT(batch_plain(&batch, OS_BLOCK_WRITE, 0, BLOCK, count), 0);
		pattern_fill(memory, REQUESTS * SHARE, count[0]);
		/* Every other time it is the disk that writes to memory. */
		submit_all(count[0] % 2 ? OS_BLOCK_WRITE : OS_BLOCK_READ);
		process_exit(CRASHED);
	}
	pattern_fill(memory, REQUESTS * SHARE, 0);
	submit_all(OS_BLOCK_WRITE);
	EXPECT(batch_finish(&batch), 0);
	memset(memory, 0, REQUESTS * SHARE);
	submit_all(OS_BLOCK_READ);
	EXPECT(batch_finish(&batch), 0);
	EXPECT_THAT(pattern_filled(memory, REQUESTS * SHARE, 0));
	os_block_close(batch.block);
	return check_end();
}
