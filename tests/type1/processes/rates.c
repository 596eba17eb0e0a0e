/* SPDX-License-Identifier: MIT */
/*
 * rates.c - what a request of 4 KiB costs: CPU time of the client and of the store, and time from
 * the first to the last, with one and with many under way.  With an emulator that counts
 * instructions as time (QEMU's -icount shift=0), a nanosecond is an instruction.
 *
 * The volume is `test`; the process may list processes.
 */
#include "tests/type1/processes/batch.h"
#include "tests/type1/processes/store_client.h"

#define SIZE (4 * KIB)
#define DEPTH_MAX 32
#define REQUESTS 4096
#define VOLUME_SIZE (16 * MIB)

static struct os_loop *loop;
static struct os_block *block;
static uint8_t *memory; /* SIZE each request under way */
static struct slot {
	struct os_block_request request;
	struct os_iov iov;
} slots[DEPTH_MAX];
static enum os_block_op op;
static unsigned asked, done;

static uint64_t time_of(const char *name)
{
	struct type1_process process;
	uint64_t handle = process_info->handles.processes;

	for (uint64_t i = 0; !call3(TYPE1_PROCESS_LIST, handle, i, call_address(&process)); i++)
		if (text_equal(process.name, name))
			return process.cpu_time;
	return 0;
}

static void answered(struct os_block_request *request, int error);

static void ask(struct slot *slot)
{
	slot->request = (struct os_block_request){
		.op = op,
		.iov_count = 1,
		.iov = &slot->iov,
		.offset = pattern_word(1, asked++) % (VOLUME_SIZE / SIZE) * SIZE,
		.length = SIZE,
		.done = answered,
	};
	os_block_submit(block, &slot->request);
}

static void answered(struct os_block_request *request, int error)
{
	EXPECT(error, 0);
	if (++done == REQUESTS)
		os_loop_stop(loop);
	if (asked == REQUESTS)
		return;
	ask(CONTAINER_OF(request, struct slot, request));
	os_block_kick(block);
}

static void measure(enum os_block_op operation, unsigned depth)
{
	uint64_t start = os_clock_monotonic(), own = time_of("rates"), store = time_of("store");

	op = operation;
	asked = done = 0;
	for (unsigned i = 0; i < depth; i++) {
		slots[i].iov = (struct os_iov){memory + i * SIZE, SIZE};
		ask(&slots[i]);
	}
	os_block_kick(block);
	os_loop_run(loop);
	start = os_clock_monotonic() - start;
	own = time_of("rates") - own;
	store = time_of("store") - store;
	check_say("%s, %u under way: each %llu ns; %llu ns of the client, %llu ns of the store",
		  op == OS_BLOCK_READ ? "reads" : "writes", depth,
		  (unsigned long long)(start / REQUESTS), (unsigned long long)(own / REQUESTS),
		  (unsigned long long)(store / REQUESTS));
}

int main(const struct type1_info *info)
{
	int64_t mapped = call2(TYPE1_MEMORY_MAP, DEPTH_MAX * SIZE, TYPE1_MEMORY_WRITE);
	struct batch batch;

	(void)info;
	EXPECT_THAT(mapped > 0);
	memory = (uint8_t *)(uintptr_t)mapped;
	if (!batch_open(&batch, "test"))
		return check_end();
	loop = batch.loop;
	block = batch.block;
	/* So that the disk has all of the blocks. */
	for (uint64_t at = 0; at < VOLUME_SIZE; at += DEPTH_MAX * SIZE)
		EXPECT(batch_plain(&batch, OS_BLOCK_WRITE, at, DEPTH_MAX * SIZE, memory), 0);
	measure(OS_BLOCK_READ, 1);
	measure(OS_BLOCK_READ, DEPTH_MAX);
	measure(OS_BLOCK_WRITE, 1);
	measure(OS_BLOCK_WRITE, DEPTH_MAX);
	os_block_close(block);
	return check_end();
}
