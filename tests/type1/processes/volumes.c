/* SPDX-License-Identifier: MIT */
/*
 * volumes.c - who may change the store's volumes, which is the process of the name `console`:
 * makes, grows and deletes some, is refused what can't be, and finds the next time what it left.
 *
 * The store's module has made `imported`, of the file image.bin and larger than that.
 */
#include "tests/type1/processes/batch.h"
#include "tests/type1/processes/store_client.h"

#define KEPT "kept"
#define KEPT_SIZE (3 * MIB)
#define PIECE (64 * KIB)

static struct store_client manager, user;
static uint8_t *memory; /* MIB */

static int change(enum store_operation operation, const char *name, uint64_t size)
{
	return store_ask_named(&manager, operation, name, size);
}

/* Bytes of the volume of that name, by the list; -1: it has none. */
static int64_t listed(const char *name)
{
	for (uint64_t i = 0;; i++) {
		if (store_ask(&manager,
			      (struct store_request){.operation = STORE_LIST, .offset = i}))
			return -1;
		if (text_equal(manager.shared->name, name))
			return (int64_t)manager.shared->info.size;
	}
}

/* Connects the user anew, to that volume. */
static int use(const char *name)
{
	EXPECT(store_connect(&user), 0);
	return store_ask_named(&user, STORE_OPEN, name, 0);
}

static int move(enum store_operation operation, uint64_t offset, uint64_t size)
{
	return store_move(&user, operation, call_address(memory), size, offset, size);
}

static int flush(void)
{
	return store_ask(&user, (struct store_request){.operation = STORE_FLUSH});
}

static void write_at(uint64_t offset, uint64_t seed)
{
	pattern_fill(memory, PIECE, seed);
	EXPECT(move(STORE_WRITE, offset, PIECE), 0);
}

static void expect_at(uint64_t offset, uint64_t seed)
{
	memset(memory, 0, PIECE);
	EXPECT(move(STORE_READ, offset, PIECE), 0);
	EXPECT_THAT(pattern_filled(memory, PIECE, seed));
}

static void expect_zeros(uint64_t offset)
{
	memset(memory, 1, PIECE);
	EXPECT(move(STORE_READ, offset, PIECE), 0);
	EXPECT_THAT(pattern_zeros(memory, PIECE));
}

static void test_refused(void)
{
	EXPECT(change(STORE_CREATE, "", MIB), -EINVAL);
	EXPECT(change(STORE_CREATE, "a b", MIB), -EINVAL);
	EXPECT(change(STORE_CREATE, "none", 0), -EINVAL);
	EXPECT(change(STORE_CREATE, "none", MIB + 1), -EINVAL);
	EXPECT(change(STORE_CREATE, "none", UINT64_C(1) << 40), -ENOSPC);
	EXPECT(change(STORE_CREATE, "none", UINT64_MAX - 4095), -ENOSPC);
	EXPECT(change(STORE_GROW, "none", MIB), -ENOENT);
	EXPECT(change(STORE_DELETE, "none", 0), -ENOENT);
	EXPECT(listed("none"), -1);
}

/* Also from a hole, and while somebody uses it; what it grows by has nothing of what was there. */
static void test_grow(void)
{
	EXPECT(change(STORE_CREATE, KEPT, MIB), 0);
	EXPECT(change(STORE_CREATE, KEPT, MIB), -EEXIST);
	EXPECT(change(STORE_CREATE, "hole", MIB), 0);
	EXPECT(change(STORE_CREATE, "behind", MIB), 0);
	EXPECT(use("behind"), 0);
	write_at(MIB - PIECE, 3);
	EXPECT(change(STORE_DELETE, "behind", 0), -EBUSY);
	EXPECT(use("hole"), 0);
	write_at(0, 2);
	EXPECT(flush(), 0);
	EXPECT(use(KEPT), 0);
	write_at(MIB - PIECE, 1);
	EXPECT(move(STORE_READ, MIB, PIECE), -EINVAL);
	EXPECT(change(STORE_DELETE, "hole", 0), 0);
	EXPECT(listed("hole"), -1);
	EXPECT(use("hole"), -ENOENT);
	EXPECT(use(KEPT), 0);
	EXPECT(change(STORE_GROW, KEPT, KEPT_SIZE), 0);
	EXPECT(change(STORE_GROW, KEPT, MIB), -EINVAL);
	EXPECT(listed(KEPT), KEPT_SIZE);
	expect_at(MIB - PIECE, 1);
	expect_zeros(MIB);
	expect_zeros(2 * MIB);
	/* From one extent into the next. */
	write_at(MIB - PIECE / 2, 4);
	write_at(2 * MIB - PIECE / 2, 5);
	expect_at(MIB - PIECE / 2, 4);
	EXPECT(flush(), 0);
	EXPECT(use("behind"), 0);
	expect_at(MIB - PIECE, 3);
}

/* All the space that is left, twice. */
static void test_delete(void)
{
	uint64_t size = MIB;

	while (!change(STORE_CREATE, "all", size) && !change(STORE_DELETE, "all", 0))
		size += MIB;
	size -= MIB;
	check_say("%llu MiB are free", (unsigned long long)(size / MIB));
	EXPECT_THAT(size > 0);
	for (unsigned i = 0; i < 2; i++) {
		EXPECT(change(STORE_CREATE, "all", size), 0);
		EXPECT(change(STORE_CREATE, "more", MIB), -ENOSPC);
		EXPECT(change(STORE_GROW, KEPT, KEPT_SIZE + MIB), -ENOSPC);
		EXPECT(use("all"), 0);
		expect_zeros(size - PIECE);
		write_at(size - PIECE, 6);
		channel_close(&user.channel);
		EXPECT(change(STORE_DELETE, "all", 0), 0);
	}
}

/* The first time it is the file, and zeros behind; then what was written to it stays. */
static void test_imported(bool first)
{
	static uint8_t part[PIECE];
	struct os_file *file;
	struct error why;
	uint64_t size;

	EXPECT(os_file_open("image.bin", &file, &why), 0);
	size = os_file_size(file);
	EXPECT(use("imported"), 0);
	EXPECT_THAT(size < user.shared->info.size);
	for (uint64_t at = 0; at < user.shared->info.size; at += PIECE) {
		memset(part, 0, PIECE);
		if (at < size)
			EXPECT(os_file_read(file, at, part, MIN(PIECE, size - at)), 0);
		if (!first && !at)
			pattern_fill(part, PIECE, 7);
		EXPECT(move(STORE_READ, at, PIECE), 0);
		EXPECT_THAT(!memcmp(part, memory, PIECE));
	}
	os_file_close(file);
	write_at(0, 7);
	EXPECT(flush(), 0);
}

static void test_kept(void)
{
	EXPECT(listed(KEPT), KEPT_SIZE);
	EXPECT(listed("hole"), -1);
	EXPECT(listed("all"), -1);
	EXPECT(use(KEPT), 0);
	expect_at(2 * MIB - PIECE / 2, 5);
	EXPECT(use("behind"), 0);
	expect_at(MIB - PIECE, 3);
	channel_close(&user.channel);
	EXPECT(change(STORE_DELETE, KEPT, 0), 0);
	EXPECT(change(STORE_DELETE, "behind", 0), 0);
}

int main(const struct type1_info *info)
{
	int64_t mapped = call2(TYPE1_MEMORY_MAP, MIB, TYPE1_MEMORY_WRITE);
	bool first;

	(void)info;
	EXPECT_THAT(mapped > 0);
	memory = (uint8_t *)(uintptr_t)mapped;
	EXPECT(store_connect(&manager), 0);
	first = listed(KEPT) < 0;
	check_say(first ? "the volumes are new" : "volumes of the boot before are there");
	test_imported(first);
	if (!first)
		test_kept();
	test_refused();
	test_grow();
	test_delete();
	return check_end();
}
