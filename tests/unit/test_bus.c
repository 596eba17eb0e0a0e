/* SPDX-License-Identifier: MIT */
/* The bus: who answers an address, and that nobody answers for another. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "monitor/machine/bus.h"
#include "tests/support/bus_access.h"
#include "tests/support/fake_os.h"

struct probe {
	struct os_mutex lock;
	uint64_t offset, value;
	unsigned size, reads, writes;
	bool locked;
};

static uint64_t probe_read(void *device, uint64_t offset, unsigned size)
{
	struct probe *probe = device;

	probe->reads++;
	probe->offset = offset;
	probe->size = size;
	probe->locked = fake_os_mutex_is_locked(&probe->lock);
	return 0x1122334455667788 >> (8 * (offset & 7));
}

static void probe_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	struct probe *probe = device;

	probe->writes++;
	probe->offset = offset;
	probe->size = size;
	probe->value = value;
	probe->locked = fake_os_mutex_is_locked(&probe->lock);
}

static const struct bus_ops probe_ops = {.read = probe_read, .write = probe_write};

static struct bus_range range_of(struct probe *probe, uint64_t base, uint64_t length)
{
	os_mutex_init(&probe->lock);
	return (struct bus_range){.base = base,
				  .length = length,
				  .ops = &probe_ops,
				  .device = probe,
				  .lock = &probe->lock};
}

static void accesses_reach_their_device_with_its_lock_held(void **state)
{
	struct probe a = {0}, b = {0};
	struct bus_range ra = range_of(&a, 0x100, 8), rb = range_of(&b, 0x108, 8);
	struct bus bus;

	(void)state;
	bus_init(&bus);
	assert_int_equal(bus_add(&bus, &rb), 0);
	assert_int_equal(bus_add(&bus, &ra), 0);
	assert_int_equal((uint8_t)access_read(&bus, 0x103, 1), 0x55);
	assert_int_equal(a.offset, 3);
	assert_true(a.locked);
	access_write(&bus, 0x10c, 4, 0xffffffffdeadbeef);
	assert_int_equal(b.offset, 4);
	assert_int_equal(b.value, 0xdeadbeef);
	assert_true(b.locked);
	assert_false(fake_os_mutex_is_locked(&b.lock));
	assert_int_equal(a.writes, 0);
}

static void nobody_reads_as_ones_of_the_access_size(void **state)
{
	struct bus bus;

	(void)state;
	bus_init(&bus);
	assert_int_equal(access_read(&bus, 0x5000, 1), 0xff);
	assert_int_equal(access_read(&bus, 0x5000, 4), 0xffffffff);
	assert_true(access_read(&bus, UINT64_MAX - 3, 8) == UINT64_MAX);
	access_write(&bus, UINT64_MAX, 8, 1);
}

static void access_across_an_end_reaches_nobody(void **state)
{
	struct probe a = {0}, b = {0};
	struct bus_range ra = range_of(&a, 0x100, 8), rb = range_of(&b, 0x108, 8);
	struct bus bus;

	(void)state;
	bus_init(&bus);
	bus_add(&bus, &ra);
	bus_add(&bus, &rb);
	assert_int_equal(access_read(&bus, 0x106, 4), 0xffffffff);
	access_write(&bus, 0xfe, 4, 0);
	assert_int_equal(a.reads + a.writes + b.reads + b.writes, 0);
}

static void odd_sizes_are_split_into_bytes(void **state)
{
	struct probe a = {0};
	struct bus_range ra = range_of(&a, 0x100, 8);
	struct bus bus;

	(void)state;
	bus_init(&bus);
	bus_add(&bus, &ra);
	assert_int_equal(access_read(&bus, 0x100, 3), 0x667788);
	assert_int_equal(a.reads, 3);
	assert_int_equal(a.size, 1);
}

static void overlap_is_refused(void **state)
{
	struct probe a = {0};
	static const struct {
		uint64_t base, length;
		int err;
	} cases[] = {
		{0x100, 0x10, -EEXIST}, {0xff, 2, -EEXIST},
		{0x10f, 1, -EEXIST},    {0x80, 0x100, -EEXIST},
		{0x110, 1, 0},          {0xf0, 0x10, 0},
		{0x500, 0, -EINVAL},    {UINT64_MAX, 2, -EINVAL},
		{UINT64_MAX, 1, 0},
	};
	struct bus_range range = range_of(&a, 0x100, 0x10);
	struct bus bus;

	(void)state;
	bus_init(&bus);
	assert_int_equal(bus_add(&bus, &range), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		range.base = cases[i].base;
		range.length = cases[i].length;
		assert_int_equal(bus_add(&bus, &range), cases[i].err);
	}
}

static void removed_range_is_free_again_and_only_its_owner_removes_it(void **state)
{
	struct probe a = {0}, b = {0};
	struct bus_range ra = range_of(&a, 0x100, 8), rb = range_of(&b, 0x100, 8);
	struct bus bus;

	(void)state;
	bus_init(&bus);
	bus_add(&bus, &ra);
	bus_remove(&bus, 0x100, &b);
	bus_remove(&bus, 0x101, &a);
	assert_int_equal(bus_add(&bus, &rb), -EEXIST);
	bus_remove(&bus, 0x100, &a);
	assert_int_equal(access_read(&bus, 0x100, 1), 0xff);
	assert_int_equal(bus_add(&bus, &rb), 0);
	access_read(&bus, 0x100, 1);
	assert_int_equal(b.reads, 1);
}

static void ranges_are_bounded(void **state)
{
	struct probe a = {0};
	struct bus bus;

	(void)state;
	bus_init(&bus);
	for (unsigned i = 0; i < BUS_RANGES_MAX; i++) {
		struct bus_range range = range_of(&a, (uint64_t)(BUS_RANGES_MAX - i) * 0x10, 8);

		assert_int_equal(bus_add(&bus, &range), 0);
	}
	struct bus_range one_more = range_of(&a, 0x100000, 8);

	assert_int_equal(bus_add(&bus, &one_more), -ENOSPC);
	for (unsigned i = 1; i <= BUS_RANGES_MAX; i++)
		access_read(&bus, (uint64_t)i * 0x10 + 7, 1);
	assert_int_equal(a.reads, BUS_RANGES_MAX);
}

static void a_cursor_follows_changes_of_the_bus(void **state)
{
	struct probe a = {0}, b = {0};
	struct bus_range ra = range_of(&a, 0x100, 8), rb = range_of(&b, 0x200, 8);
	struct bus_cursor cursor = {0};
	struct bus bus;

	(void)state;
	bus_init(&bus);
	bus_add(&bus, &ra);
	bus_add(&bus, &rb);
	for (unsigned i = 0; i < 3; i++) {
		bus_read(&bus, &cursor, 0x100 + i, 1);
		bus_write(&bus, &cursor, 0x200 + i, 1, i);
		bus_write(&bus, &cursor, 0x204 + i, 1, i);
	}
	assert_int_equal(a.reads, 3);
	assert_int_equal(b.writes, 6);
	assert_int_equal(b.offset, 6);
	/* What was removed is not reached by way of the cursor. */
	bus_remove(&bus, 0x200, &b);
	assert_int_equal(bus_read(&bus, &cursor, 0x200, 2), 0xffff);
	assert_int_equal(b.reads, 0);
	rb.base = 0x300;
	bus_add(&bus, &rb);
	assert_int_equal(bus_read(&bus, &cursor, 0x200, 1), 0xff);
	bus_read(&bus, &cursor, 0x301, 1);
	assert_int_equal(b.reads, 1);
	/* A cursor that found nothing finds what comes later. */
	assert_int_equal(bus_read(&bus, &cursor, 0x10, 1), 0xff);
	ra.base = 0x10;
	bus_add(&bus, &ra);
	bus_read(&bus, &cursor, 0x10, 1);
	assert_int_equal(a.reads, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accesses_reach_their_device_with_its_lock_held),
		cmocka_unit_test(nobody_reads_as_ones_of_the_access_size),
		cmocka_unit_test(access_across_an_end_reaches_nobody),
		cmocka_unit_test(odd_sizes_are_split_into_bytes),
		cmocka_unit_test(overlap_is_refused),
		cmocka_unit_test(removed_range_is_free_again_and_only_its_owner_removes_it),
		cmocka_unit_test(ranges_are_bounded),
		cmocka_unit_test(a_cursor_follows_changes_of_the_bus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
