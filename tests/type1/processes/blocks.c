/* SPDX-License-Identifier: MIT */
/*
 * blocks.c - a client of the store: writes a volume in all shapes of memory and verifies it; finds
 * what it wrote in the boot before; and what it may not do is refused.
 *
 * The volume is `test`, of 16 MiB, which the store's module makes.
 */
#include "tests/type1/processes/batch.h"
#include "tests/type1/processes/store_client.h"

#define VOLUME "test"
#define VOLUME_SIZE (16 * MIB)
/* The pattern that the next boot looks for; behind it is room for the rest. */
#define AREA (8 * MIB)
#define MARK UINT64_C(0x6b636f6c62647964)
#define REQUESTS 32
#define PIECES 128
#define SHARE (256 * KIB)

static struct batch batch;
static uint8_t *memory; /* AREA */

/* In many requests at once. */
static int whole(enum os_block_op op)
{
	static struct batch_request requests[REQUESTS];
	static struct os_iov iov[REQUESTS];

	for (unsigned i = 0; i < REQUESTS; i++) {
		iov[i] = (struct os_iov){memory + i * SHARE, SHARE};
		batch_submit(&batch, &requests[i], op, i * SHARE, SHARE, &iov[i], 1);
	}
	return batch_finish(&batch);
}
_Static_assert(REQUESTS *SHARE == AREA, "all of it");

/* What the boot before has left: a mark behind the pattern says that there is one. */
static void test_earlier(void)
{
	uint64_t mark[64] = {0};

	EXPECT(batch_plain(&batch, OS_BLOCK_READ, AREA, sizeof(mark), mark), 0);
	if (mark[0] != MARK) {
		check_say("the volume is new");
		EXPECT_THAT(pattern_zeros((uint8_t *)mark, sizeof(mark)));
		return;
	}
	EXPECT(whole(OS_BLOCK_READ), 0);
	EXPECT_THAT(pattern_filled(memory, AREA, mark[1]));
	check_say("what the boot before has flushed is there");
}

static void test_whole(void)
{
	uint64_t seed = os_clock_monotonic(), mark[64] = {MARK, seed}, start, end;

	pattern_fill(memory, AREA, seed);
	start = os_clock_monotonic();
	EXPECT(whole(OS_BLOCK_WRITE), 0);
	end = os_clock_monotonic();
	check_say("written: %llu MiB/s", (unsigned long long)(AREA * 1000 / (end - start + 1)));
	EXPECT(batch_flush(&batch), 0);
	EXPECT(batch_plain(&batch, OS_BLOCK_WRITE, AREA, sizeof(mark), mark), 0);
	EXPECT(batch_flush(&batch), 0);
	memset(memory, 0, AREA);
	start = os_clock_monotonic();
	EXPECT(whole(OS_BLOCK_READ), 0);
	end = os_clock_monotonic();
	check_say("read: %llu MiB/s", (unsigned long long)(AREA * 1000 / (end - start + 1)));
	EXPECT_THAT(pattern_filled(memory, AREA, seed));
}

/* Pieces of that size, each so far behind the one before. */
static void test_pieces(uint64_t size, uint64_t step, uint64_t skew)
{
	uint64_t place = AREA + MIB, total = size * PIECES;
	static struct os_iov iov[PIECES];

	for (unsigned i = 0; i < PIECES; i++) {
		iov[i] = (struct os_iov){memory + skew + i * step, size};
		pattern_fill(iov[i].base, size, i);
	}
	EXPECT(batch_one(&batch, OS_BLOCK_WRITE, place, total, iov, PIECES), 0);
	EXPECT(batch_plain(&batch, OS_BLOCK_READ, place, total, memory + 4 * MIB), 0);
	for (unsigned i = 0; i < PIECES; i++)
		EXPECT_THAT(pattern_filled(memory + 4 * MIB + i * size, size, i));
	memset(memory, 0, 4 * MIB);
	EXPECT(batch_one(&batch, OS_BLOCK_READ, place, total, iov, PIECES), 0);
	for (unsigned i = 0; i < PIECES; i++)
		EXPECT_THAT(pattern_filled(iov[i].base, size, i));
}

/* From the middle of a page, in one large piece that is longer than a request of the store's. */
static void test_large(void)
{
	uint64_t place = AREA + 2 * MIB, size = 2 * MIB + 512;

	pattern_fill(memory + 1024, size, place);
	EXPECT(batch_plain(&batch, OS_BLOCK_WRITE, place, size, memory + 1024), 0);
	EXPECT(batch_plain(&batch, OS_BLOCK_READ, place, size, memory + 4 * MIB + 512), 0);
	EXPECT_THAT(pattern_filled(memory + 4 * MIB + 512, size, place));
}

static void test_zero(const struct os_block_info *info)
{
	uint64_t place = AREA + 4 * MIB;

	pattern_fill(memory, MIB, 1);
	EXPECT(batch_plain(&batch, OS_BLOCK_WRITE, place, MIB, memory), 0);
	EXPECT(batch_one(&batch, OS_BLOCK_WRITE_ZEROES, place + 1536, MIB / 2, NULL, 0), 0);
	if (info->can_discard)
		EXPECT(batch_one(&batch, OS_BLOCK_DISCARD, place + 768 * KIB, 64 * KIB, NULL, 0),
		       0);
	EXPECT(batch_plain(&batch, OS_BLOCK_READ, place, MIB, memory + MIB), 0);
	EXPECT_THAT(!memcmp(memory, memory + MIB, 1536));
	EXPECT_THAT(pattern_zeros(memory + MIB + 1536, MIB / 2));
	EXPECT_THAT(!memcmp(memory + MIB / 2 + 1536, memory + MIB + MIB / 2 + 1536, 128 * KIB));
}

/* --- What a client may not do, on a channel of its own */

static struct store_client client;

static int ask_read(uint64_t address, uint64_t size, uint64_t offset, uint64_t length)
{
	return store_move(&client, STORE_READ, address, size, offset, length);
}

static void test_hostile(void)
{
	uint64_t at = call_address(memory);

	EXPECT(store_connect(&client), 0);
	EXPECT(ask_read(at, 4096, 0, 4096), -ENXIO);
	EXPECT(store_ask_named(&client, STORE_OPEN, "none", 0), -ENOENT);
	EXPECT(store_ask_named(&client, STORE_OPEN, "", 0), -ENOENT);
	EXPECT(store_ask_named(&client, STORE_OPEN, VOLUME, 0), -EBUSY);
	EXPECT(store_ask_named(&client, STORE_DELETE, VOLUME, 0), -EPERM);
	EXPECT(store_ask_named(&client, STORE_CREATE, "another", MIB), -EPERM);
	EXPECT(store_ask_named(&client, STORE_GROW, VOLUME, 64 * MIB), -EPERM);
	EXPECT(store_ask(&client, (struct store_request){.operation = UINT32_MAX}), -ENOSYS);
	EXPECT(store_ask(&client, (struct store_request){.operation = STORE_LIST, .offset = 1000}),
	       -ENOENT);
	EXPECT(store_ask_named(&client, STORE_OPEN, "other", 0), 0);
	EXPECT(client.shared->info.size, MIB);
	EXPECT(ask_read(at, 4096, 0, 4096), 0);
	EXPECT_THAT(pattern_zeros(memory, 4096));
	EXPECT(ask_read(at, 4096, MIB, 4096), -EINVAL);
	EXPECT(ask_read(at, 4096, UINT64_MAX - 4095, 4096), -EINVAL);
	EXPECT(ask_read(at, 4096, 0, 8192), -EINVAL);
	EXPECT(ask_read(at, 0, 0, 0), -EINVAL);
	EXPECT(ask_read(at + 1, 4096, 0, 4096), -EINVAL);
	EXPECT(ask_read(at, 100, 0, 100), -EINVAL);
	EXPECT(ask_read(0, 4096, 0, 4096), -EFAULT);
	EXPECT(ask_read(call_address(process_info), 4096, 0, 4096), -EFAULT);
	EXPECT(ask_read(UINT64_C(1) << 63, 4096, 0, 4096), -EFAULT);
	EXPECT(ask_read(call_address(test_hostile) & ~UINT64_C(4095), 4096, 0, 4096), -EFAULT);
	EXPECT(store_ask(&client, (struct store_request){.operation = STORE_READ,
							 .length = 4096,
							 .segments = STORE_SEGMENTS + 1}),
	       -EINVAL);
	/* What can't be a mistake ends the channel. */
	EXPECT(store_ask(&client,
			 (struct store_request){.operation = STORE_FLUSH, .id = STORE_RING}),
	       -EPIPE);
	EXPECT(store_connect(&client), 0);
	client.shared->requests.head = STORE_RING + 1;
	channel_signal(&client.channel);
	EXPECT(channel_wait(&client.channel, 0), 0);
	EXPECT_THAT(channel_gone(&client.channel));
	channel_close(&client.channel);
}

int main(const struct type1_info *info)
{
	struct os_block_info volume;
	int64_t mapped = call2(TYPE1_MEMORY_MAP, AREA, TYPE1_MEMORY_WRITE);

	(void)info;
	EXPECT_THAT(mapped > 0);
	memory = (uint8_t *)(uintptr_t)mapped;
	if (!batch_open(&batch, VOLUME))
		return check_end();
	os_block_get_info(batch.block, &volume);
	EXPECT(volume.size, VOLUME_SIZE);
	test_earlier();
	test_whole();
	test_pieces(4096, 8192, 0);
	test_pieces(512, 1536, 0);
	test_pieces(1024, 5000, 4);
	test_pieces(512, 1001, 3);
	test_pieces(1000, 2000, 8);
	test_large();
	test_zero(&volume);
	test_hostile();
	os_block_close(batch.block);
	return check_end();
}
