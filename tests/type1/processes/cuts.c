/* SPDX-License-Identifier: MIT */
/*
 * cuts.c - clients of the store for cuts of power at any moment: each first verifies what the boot
 * before has left, then works until the power is cut, and says what is durable.
 *
 * The process `console` makes a volume after the other and deletes the one before.  Any other
 * writes a volume of its name, in rounds: some blocks anywhere, a flush, and then the round's
 * number in the volume's first block.  So a block has to be as new as the last round, up to that
 * number, which wrote it.
 */
#include "tests/type1/processes/batch.h"
#include "tests/type1/processes/store_client.h"

#define BLOCK 512   /* bytes: what a cut of power may not tear */
#define BLOCKS 8192 /* of a volume; the first has the number */
#define RUNS 16     /* of blocks, in a round */
#define RUN_MAX 64
#define MAGIC UINT64_C(0x73747563)

/* --- Rounds */

struct mark {
	uint64_t magic;
	uint64_t base;  /* the round that wrote all blocks */
	uint64_t round; /* the last that was flushed */
};

static struct batch batch;
static uint8_t *memory;

struct run {
	uint64_t first, count;
};

static struct run run_of(uint64_t round, unsigned i)
{
	uint64_t random = pattern_word(round * RUNS, i) >> 16;
	struct run run = {.count = 1 + random % RUN_MAX};

	run.first = 1 + random / RUN_MAX % (BLOCKS - run.count);
	return run;
}

static void fill(uint64_t block, uint64_t round)
{
	uint8_t *at = memory + block * BLOCK;

	store_le64(at, round);
	pattern_fill(at + 8, BLOCK - 8, round * BLOCKS + block);
}

/* The round that has written the block as it is; 0: none has. */
static uint64_t round_of(uint64_t block)
{
	const uint8_t *at = memory + block * BLOCK;
	uint64_t round = load_le64(at);

	return pattern_filled(at + 8, BLOCK - 8, round * BLOCKS + block) ? round : 0;
}

static int write_mark(uint64_t base, uint64_t round)
{
	*(struct mark *)memory = (struct mark){MAGIC, base, round};
	return batch_plain(&batch, OS_BLOCK_WRITE, 0, BLOCK, memory);
}

/* What there is of the boot before; the newest round that has left anything. */
static uint64_t verify(void)
{
	static uint64_t wanted[BLOCKS];
	struct mark mark;
	uint64_t newest, bad = 0;

	EXPECT(batch_plain(&batch, OS_BLOCK_READ, 0, BLOCKS * BLOCK, memory), 0);
	mark = *(const struct mark *)memory;
	if (!mark.magic) {
		check_say("round 0 was the last");
		return 0;
	}
	EXPECT(mark.magic, MAGIC);
	for (unsigned block = 0; block < BLOCKS; block++)
		wanted[block] = mark.base;
	for (uint64_t round = mark.base + 1; round <= mark.round; round++)
		for (unsigned i = 0; i < RUNS; i++)
			for (uint64_t j = 0; j < run_of(round, i).count; j++)
				wanted[run_of(round, i).first + j] = round;
	newest = mark.round;
	for (unsigned block = 1; block < BLOCKS; block++) {
		uint64_t round = round_of(block);

		newest = MAX(newest, round);
		bad += !round || round < wanted[block];
	}
	EXPECT(bad, 0);
	check_say("round %llu was the last", (unsigned long long)mark.round);
	return newest;
}

static int write_round(uint64_t round)
{
	static struct batch_request requests[RUNS];
	static struct os_iov iov[RUNS];

	for (unsigned i = 0; i < RUNS; i++) {
		struct run run = run_of(round, i);

		for (uint64_t j = 0; j < run.count; j++)
			fill(run.first + j, round);
		iov[i] = (struct os_iov){memory + run.first * BLOCK, run.count * BLOCK};
		batch_submit(&batch, &requests[i], OS_BLOCK_WRITE, run.first * BLOCK,
			     run.count * BLOCK, &iov[i], 1);
	}
	return batch_finish(&batch);
}

static void write_rounds(const char *volume)
{
	uint64_t base;

	if (!batch_open(&batch, volume))
		return;
	base = verify() + 1;
	for (unsigned block = 1; block < BLOCKS; block++)
		fill(block, base);
	EXPECT(batch_plain(&batch, OS_BLOCK_WRITE, BLOCK, (BLOCKS - 1) * BLOCK, memory + BLOCK), 0);
	EXPECT(batch_flush(&batch), 0);
	EXPECT(write_mark(base, base), 0);
	check_say("begun");
	for (uint64_t round = base + 1; !check_failed; round++) {
		EXPECT(write_round(round), 0);
		EXPECT(batch_flush(&batch), 0);
		/* The mark is durable by the next round's flush. */
		check_say("round %llu is flushed", (unsigned long long)round - 1);
		EXPECT(write_mark(base, round), 0);
	}
}

/* --- Changes */

static struct store_client manager;

static int change(enum store_operation operation, uint64_t number)
{
	char name[STORE_NAME];

	format_text(name, sizeof(name), "v%llu", (unsigned long long)number);
	return store_ask_named(&manager, operation, name, MIB);
}

/* The numbers of the volumes that there are: how many, and the smallest of them. */
static unsigned list(uint64_t *first)
{
	unsigned count = 0;

	*first = 0;
	for (uint64_t i = 0;
	     !store_ask(&manager, (struct store_request){.operation = STORE_LIST, .offset = i});
	     i++) {
		const char *name = manager.shared->name;
		uint64_t number = 0;

		if (*name++ != 'v')
			continue;
		for (; *name; name++)
			number = number * 10 + (uint64_t)(*name - '0');
		if (!count++ || number < *first)
			*first = number;
	}
	return count;
}

static void change_volumes(void)
{
	uint64_t number;
	unsigned count;

	EXPECT(store_connect(&manager), 0);
	count = list(&number);
	EXPECT_THAT(count <= 2);
	check_say("volume %llu was the last", (unsigned long long)(count ? number + count - 1 : 0));
	if (count == 2)
		EXPECT(change(STORE_DELETE, number++), 0);
	if (!count)
		EXPECT(change(STORE_CREATE, number), 0);
	for (; !check_failed; number++) {
		EXPECT(change(STORE_CREATE, number + 1), 0);
		check_say("volume %llu is made", (unsigned long long)number + 1);
		EXPECT(change(STORE_DELETE, number), 0);
	}
}

int main(const struct type1_info *info)
{
	int64_t mapped = call2(TYPE1_MEMORY_MAP, BLOCKS * BLOCK, TYPE1_MEMORY_WRITE);

	EXPECT_THAT(mapped > 0);
	memory = (uint8_t *)(uintptr_t)mapped;
	if (text_equal(info->name, "console"))
		change_volumes();
	else
		write_rounds(info->name);
	return check_end();
}
