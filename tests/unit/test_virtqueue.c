/* SPDX-License-Identifier: MIT */
/* The split virtqueue against drivers that follow virtio 1.2 section 2.7, and drivers that do not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "lib/bits.h"
#include "monitor/virtio/virtqueue.h"
#include "tests/support/driver.h"

#define RAM_SIZE (64 * MIB)
#define SIZE 8
#define IOV_MAX 16

struct fixture {
	struct driver_memory ram;
	struct driver_queue driver;
	struct virtqueue queue;
	struct os_iov iov[IOV_MAX];
	struct virtqueue_chain chain;
	gpa_t buffer; /* a page */
};

static int start(struct fixture *f, bool event_index, bool indirect)
{
	f->queue.size = f->driver.size;
	f->queue.descriptors_gpa = f->driver.descriptors_gpa;
	f->queue.available_gpa = f->driver.available_gpa;
	f->queue.used_gpa = f->driver.used_gpa;
	return virtqueue_start(&f->queue, VIRTQUEUE_SIZE_MAX, event_index, indirect);
}

static int setup(void **state)
{
	static struct fixture fixture;
	struct fixture *f = &fixture;

	memset(f, 0, sizeof(*f));
	driver_memory_create(&f->ram, RAM_SIZE);
	driver_queue_init(&f->driver, &f->ram, SIZE);
	f->buffer = driver_alloc(&f->ram, 4096, 4096);
	f->queue.memory = &f->ram.memory;
	f->chain.iov = f->iov;
	*state = f;
	return start(f, false, true);
}

static int setup_event_index(void **state)
{
	int err = setup(state);
	struct fixture *f = *state;

	if (err)
		return err;
	virtqueue_reset(&f->queue);
	return start(f, true, true);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	driver_memory_destroy(&f->ram);
	return 0;
}

/* A fresh fixture, for another case of the same test. */
static struct fixture *renew(void **state)
{
	teardown(state);
	setup(state);
	return *state;
}

static int pop(struct fixture *f)
{
	return virtqueue_pop(&f->queue, &f->chain, IOV_MAX);
}

/* A chain of one buffer that the device may read. */
static uint16_t add_one(struct fixture *f)
{
	const struct driver_buffer buffer = {f->buffer, 64, false};

	return driver_add(&f->driver, &buffer, 1);
}

/* Broken, and quiet about it from then on, whatever the driver offers. */
static void assert_broken(struct fixture *f)
{
	assert_int_equal(pop(f), -EINVAL);
	assert_true(f->queue.broken);
	add_one(f);
	assert_int_equal(pop(f), 0);
	assert_false(virtqueue_enable_doorbell(&f->queue));
}

/* --- Starting -------------------------------------------------------------------------------- */

static void test_start_refuses_sizes(void **state)
{
	static const uint16_t bad[] = {0, 3, 6, 7, 9, 1023, 2048, 0x8000, 0xffff};
	struct fixture *f = *state;

	for (unsigned i = 0; i < ARRAY_COUNT(bad); i++) {
		virtqueue_reset(&f->queue);
		f->driver.size = bad[i];
		assert_int_equal(start(f, false, false), -EINVAL);
		assert_false(f->queue.live);
	}
}

static void test_start_refuses_misaligned_rings(void **state)
{
	struct fixture *f = *state;
	gpa_t *fields[] = {&f->driver.descriptors_gpa, &f->driver.available_gpa,
			   &f->driver.used_gpa};
	static const unsigned offsets[] = {8, 1, 2};

	for (unsigned i = 0; i < ARRAY_COUNT(fields); i++) {
		virtqueue_reset(&f->queue);
		*fields[i] += offsets[i];
		assert_int_equal(start(f, false, false), -EINVAL);
		*fields[i] -= offsets[i];
	}
	virtqueue_reset(&f->queue);
	assert_int_equal(start(f, false, false), 0);
}

static void test_start_refuses_rings_outside_memory(void **state)
{
	/* Past the end, across the end, in the hole, wrapping around. */
	static const gpa_t bad[] = {RAM_SIZE, RAM_SIZE - 16, 0xfee00000, ~UINT64_C(15)};
	struct fixture *f = *state;

	for (unsigned i = 0; i < ARRAY_COUNT(bad); i++) {
		struct driver_queue good = f->driver;
		gpa_t *fields[] = {&f->driver.descriptors_gpa, &f->driver.available_gpa,
				   &f->driver.used_gpa};

		for (unsigned j = 0; j < ARRAY_COUNT(fields); j++) {
			virtqueue_reset(&f->queue);
			*fields[j] = bad[i];
			assert_int_equal(start(f, false, false), -EINVAL);
			assert_false(f->queue.live);
			f->driver = good;
		}
	}
}

static void test_queue_that_is_not_live_gives_and_takes_nothing(void **state)
{
	struct fixture *f = *state;

	add_one(f);
	virtqueue_reset(&f->queue);
	assert_int_equal(pop(f), 0);
	virtqueue_push(&f->queue, 0, 1);
	assert_int_equal(f->driver.used->index, 0);
	assert_false(virtqueue_should_interrupt(&f->queue));
	assert_false(virtqueue_enable_doorbell(&f->queue));
	virtqueue_disable_doorbell(&f->queue);
}

/* --- Chains ---------------------------------------------------------------------------------- */

static void assert_three_segments(struct fixture *f, uint16_t head)
{
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->chain.head, head);
	assert_int_equal(f->chain.readable_count, 1);
	assert_int_equal(f->chain.writable_count, 2);
	assert_int_equal(f->chain.readable_bytes, 16);
	assert_int_equal(f->chain.writable_bytes, 513);
	assert_ptr_equal(f->iov[0].base, driver_at(&f->ram, f->buffer, 16));
	assert_int_equal(f->iov[0].length, 16);
	assert_ptr_equal(f->iov[1].base, driver_at(&f->ram, f->buffer + 512, 512));
	assert_int_equal(f->iov[1].length, 512);
	assert_int_equal(f->iov[2].length, 1);
}

static void test_chain_comes_with_its_segments(void **state)
{
	struct fixture *f = *state;
	const struct driver_buffer buffers[] = {
		{f->buffer, 16, false}, {f->buffer + 512, 512, true}, {f->buffer + 1024, 1, true}};

	assert_int_equal(pop(f), 0);
	assert_three_segments(f, driver_add(&f->driver, buffers, 3));
	assert_int_equal(pop(f), 0);
	assert_three_segments(f, driver_add_indirect(&f->driver, buffers, 3));
	assert_int_equal(pop(f), 0);
}

static void test_direct_descriptors_may_end_in_an_indirect_table(void **state)
{
	struct fixture *f = *state;
	const struct driver_buffer direct = {f->buffer, 16, false};
	const struct driver_buffer indirect[] = {{f->buffer + 512, 512, true},
						 {f->buffer + 1024, 1, true}};
	uint16_t head = driver_put_chain(&f->driver, &direct, 1);
	uint16_t table = driver_add_indirect(&f->driver, indirect, 2);

	/* The write flag of the descriptor that points at the table means nothing. */
	f->driver.descriptors[table].flags |= VIRTQ_DESC_F_WRITE;
	f->driver.descriptors[head].flags |= VIRTQ_DESC_F_NEXT;
	f->driver.descriptors[head].next = table;
	f->driver.available->ring[0] = head;
	assert_three_segments(f, head);
}

static void test_indirect_table_may_stand_at_any_address(void **state)
{
	struct fixture *f = *state;
	const struct driver_buffer buffer = {f->buffer, 16, false};
	uint16_t head = driver_add_indirect(&f->driver, &buffer, 1);
	struct virtq_desc *descriptor = &f->driver.descriptors[head];
	gpa_t odd = driver_alloc(&f->ram, 64, 64) + 3;

	memcpy(driver_at(&f->ram, odd, 16), driver_at(&f->ram, descriptor->address, 16), 16);
	descriptor->address = odd;
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->chain.readable_bytes, 16);
}

static void test_indices_wrap(void **state)
{
	struct fixture *f = *state;
	uint32_t head, written;

	for (unsigned i = 0; i < 3 * 65536 / SIZE; i++) {
		uint16_t heads[SIZE];

		for (unsigned j = 0; j < SIZE; j++)
			heads[j] = add_one(f);
		for (unsigned j = 0; j < SIZE; j++) {
			assert_int_equal(pop(f), 1);
			assert_int_equal(f->chain.head, heads[j]);
			virtqueue_push(&f->queue, f->chain.head, i);
		}
		assert_int_equal(pop(f), 0);
		for (unsigned j = 0; j < SIZE; j++) {
			assert_true(driver_take_used(&f->driver, &head, &written));
			assert_int_equal(head, heads[j]);
			assert_int_equal(written, i);
		}
		assert_false(driver_take_used(&f->driver, &head, &written));
	}
}

static void test_unpop_gives_the_same_chain_again(void **state)
{
	struct fixture *f = *state;
	uint16_t first = add_one(f);

	add_one(f);
	assert_int_equal(pop(f), 1);
	virtqueue_unpop(&f->queue);
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->chain.head, first);
	assert_int_equal(pop(f), 1);
	assert_int_equal(pop(f), 0);
}

static void test_batch_shows_only_once_published(void **state)
{
	struct fixture *f = *state;
	uint32_t head, written;

	for (unsigned i = 0; i < 3; i++) {
		add_one(f);
		assert_int_equal(pop(f), 1);
		virtqueue_fill(&f->queue, (uint16_t)i, f->chain.head, 100 + i);
	}
	assert_false(driver_take_used(&f->driver, &head, &written));
	virtqueue_publish(&f->queue, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_true(driver_take_used(&f->driver, &head, &written));
		assert_int_equal(head, i);
		assert_int_equal(written, 100 + i);
	}
}

static void test_suspended_queue_keeps_its_chains(void **state)
{
	struct fixture *f = *state;

	add_one(f);
	add_one(f);
	assert_int_equal(pop(f), 1);
	virtqueue_suspend(&f->queue, true);
	assert_int_equal(pop(f), 0);
	virtqueue_unpop(&f->queue);
	assert_int_equal(pop(f), 0);
	virtqueue_suspend(&f->queue, false);
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->chain.head, 0);
	assert_int_equal(pop(f), 1);
	assert_int_equal(pop(f), 0);
}

/* --- Hostile chains -------------------------------------------------------------------------- */

static void test_index_too_far_ahead_breaks(void **state)
{
	struct fixture *f = *state;

	f->driver.available->index = SIZE + 1;
	assert_broken(f);
}

static void test_index_that_went_back_breaks(void **state)
{
	struct fixture *f = *state;

	add_one(f);
	assert_int_equal(pop(f), 1);
	f->driver.available->index = 0;
	assert_broken(f);
}

static void test_head_out_of_range_breaks(void **state)
{
	struct fixture *f = *state;

	driver_offer(&f->driver, SIZE);
	assert_broken(f);
}

static void test_next_out_of_range_breaks(void **state)
{
	struct fixture *f = *state;
	uint16_t head = add_one(f);

	f->driver.descriptors[head].flags = VIRTQ_DESC_F_NEXT;
	f->driver.descriptors[head].next = SIZE;
	assert_broken(f);
}

static void test_loop_breaks(void **state)
{
	struct fixture *f = *state;
	uint16_t head = add_one(f);

	f->driver.descriptors[head].flags = VIRTQ_DESC_F_NEXT;
	f->driver.descriptors[head].next = head;
	assert_broken(f);
}

static void test_loop_in_an_indirect_table_breaks(void **state)
{
	struct fixture *f = *state;
	const struct driver_buffer buffers[] = {{f->buffer, 16, false}, {f->buffer, 16, false}};
	uint16_t head = driver_add_indirect(&f->driver, buffers, 2);
	struct virtq_desc *table =
		driver_at(&f->ram, f->driver.descriptors[head].address, 2 * sizeof(*table));

	table[1].flags = VIRTQ_DESC_F_NEXT;
	table[1].next = 0;
	assert_broken(f);
}

static void test_segments_outside_memory_break(void **state)
{
	static const struct {
		gpa_t address;
		uint32_t length;
	} bad[] = {
		{RAM_SIZE, 1},           /* behind the end */
		{RAM_SIZE - 1, 2},       /* across it */
		{0, UINT32_MAX},         /* longer than memory */
		{UINT64_MAX, 1},         /* the last byte there is */
		{UINT64_MAX - 7, 16},    /* wrapping around to 0 */
		{0xb0000000, 4},         /* registers: the ECAM window */
		{0x8000003000, 4},       /* registers: a doorbell */
		{UINT64_C(1) << 63, 64}, /* far away */
	};

	for (unsigned i = 0; i < ARRAY_COUNT(bad); i++) {
		const struct driver_buffer buffer = {bad[i].address, bad[i].length, i & 1};
		struct fixture *f = renew(state);

		driver_add(&f->driver, &buffer, 1);
		assert_broken(f);
		f = renew(state);
		driver_add_indirect(&f->driver, &buffer, 1);
		assert_broken(f);
	}
}

static void test_empty_segment_breaks(void **state)
{
	struct fixture *f = *state;
	const struct driver_buffer buffer = {f->buffer, 0, true};

	driver_add(&f->driver, &buffer, 1);
	assert_broken(f);
}

static void test_readable_after_writable_breaks(void **state)
{
	struct fixture *f = *state;
	const struct driver_buffer buffers[] = {{f->buffer, 16, true}, {f->buffer, 16, false}};

	driver_add(&f->driver, buffers, 2);
	assert_broken(f);
}

static void test_more_segments_than_the_device_takes_break(void **state)
{
	struct fixture *f = *state;
	struct driver_buffer buffers[IOV_MAX + 1];

	for (unsigned i = 0; i < ARRAY_COUNT(buffers); i++)
		buffers[i] = (struct driver_buffer){f->buffer, 8, false};
	driver_add_indirect(&f->driver, buffers, IOV_MAX);
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->chain.readable_count, IOV_MAX);
	driver_add_indirect(&f->driver, buffers, IOV_MAX + 1);
	assert_broken(f);
}

static void test_bytes_beyond_32_bits_break(void **state)
{
	struct fixture *f = *state;
	struct driver_memory big;
	struct driver_buffer buffers[5];

	driver_memory_create(&big, 2 * GIB);
	f->queue.memory = &big.memory;
	driver_queue_init(&f->driver, &big, SIZE);
	virtqueue_reset(&f->queue);
	assert_int_equal(start(f, false, true), 0);
	for (unsigned i = 0; i < 5; i++)
		buffers[i] = (struct driver_buffer){4096, 1 * GIB - 1, true};
	/* Below 2^32 in all. */
	driver_add(&f->driver, buffers, 4);
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->chain.writable_bytes, 4 * (1 * GIB - 1));
	buffers[4].length = 4;
	driver_add_indirect(&f->driver, buffers, 5);
	assert_int_equal(pop(f), -EINVAL);
	driver_memory_destroy(&big);
}

static void test_bad_indirect_descriptors_break(void **state)
{
	enum { NESTED, WITH_NEXT, NO_LENGTH, ODD_LENGTH, OUTSIDE, ACROSS_END, OWN_TABLE, CASES };

	for (unsigned i = 0; i < CASES; i++) {
		struct driver_buffer buffer;
		struct virtq_desc *descriptor, *table;
		struct fixture *f = renew(state);

		buffer = (struct driver_buffer){f->buffer, 16, false};
		descriptor = &f->driver.descriptors[driver_add_indirect(&f->driver, &buffer, 1)];
		table = driver_at(&f->ram, descriptor->address, sizeof(*table));
		switch (i) {
		case NESTED:
			table->flags = VIRTQ_DESC_F_INDIRECT;
			break;
		case WITH_NEXT:
			descriptor->flags |= VIRTQ_DESC_F_NEXT;
			break;
		case NO_LENGTH:
			descriptor->length = 0;
			break;
		case ODD_LENGTH:
			descriptor->length = 17;
			break;
		case OUTSIDE:
			descriptor->address = RAM_SIZE;
			break;
		case ACROSS_END:
			descriptor->length = 0xfffffff0;
			break;
		default: /* the queue's own table, of which entry 0 is indirect again */
			descriptor->address = f->driver.descriptors_gpa;
			descriptor->length = SIZE * sizeof(*descriptor);
			break;
		}
		assert_broken(f);
	}
}

static void test_indirect_without_the_feature_breaks(void **state)
{
	struct fixture *f = *state;
	const struct driver_buffer buffer = {f->buffer, 16, false};

	virtqueue_reset(&f->queue);
	assert_int_equal(start(f, false, false), 0);
	driver_add_indirect(&f->driver, &buffer, 1);
	assert_broken(f);
}

static void test_unpop_of_a_broken_queue_revives_nothing(void **state)
{
	struct fixture *f = *state;

	add_one(f);
	driver_offer(&f->driver, 0xffff);
	assert_int_equal(pop(f), 1);
	assert_int_equal(pop(f), -EINVAL);
	virtqueue_unpop(&f->queue);
	assert_int_equal(pop(f), 0);
}

static void test_used_ring_over_the_other_rings_harms_only_the_driver(void **state)
{
	struct fixture *f = *state;

	virtqueue_reset(&f->queue);
	f->driver.used_gpa = f->driver.descriptors_gpa;
	assert_int_equal(start(f, true, true), 0);
	add_one(f);
	for (unsigned i = 0; i < 100; i++) {
		int got = pop(f);

		if (got == 1)
			virtqueue_push(&f->queue, f->chain.head, UINT32_MAX);
		virtqueue_should_interrupt(&f->queue);
		virtqueue_enable_doorbell(&f->queue);
	}
}

/* --- Interrupts and doorbells ---------------------------------------------------------------- */

static void push_one(struct fixture *f)
{
	add_one(f);
	assert_int_equal(pop(f), 1);
	virtqueue_push(&f->queue, f->chain.head, 0);
}

static void test_interrupt_flag(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(f->driver.available->flags, 0);
	push_one(f);
	assert_true(virtqueue_should_interrupt(&f->queue));
	/* Nothing new: no interrupt. */
	assert_false(virtqueue_should_interrupt(&f->queue));
	f->driver.available->flags = VIRTQ_AVAIL_F_NO_INTERRUPT;
	push_one(f);
	assert_false(virtqueue_should_interrupt(&f->queue));
}

static void test_event_index_interrupts(void **state)
{
	struct fixture *f = *state;

	push_one(f); /* used index 0 -> 1, used_event 0: passed */
	assert_true(virtqueue_should_interrupt(&f->queue));
	*driver_used_event(&f->driver) = 3;
	push_one(f);
	push_one(f);
	assert_false(
		virtqueue_should_interrupt(&f->queue)); /* 3 entries, the wish is for the 4th */
	push_one(f);
	assert_true(virtqueue_should_interrupt(&f->queue));
	push_one(f);
	assert_false(virtqueue_should_interrupt(&f->queue));
	/* A batch that passes it. */
	*driver_used_event(&f->driver) = 6;
	push_one(f);
	push_one(f);
	push_one(f);
	assert_true(virtqueue_should_interrupt(&f->queue));
}

static void test_event_index_across_the_wrap(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 65534; i++) {
		push_one(f);
		virtqueue_should_interrupt(&f->queue);
	}
	*driver_used_event(&f->driver) = 0; /* the first entry behind the wrap */
	push_one(f);
	push_one(f);
	assert_false(virtqueue_should_interrupt(&f->queue));
	push_one(f);
	assert_true(virtqueue_should_interrupt(&f->queue));
}

static void test_a_whole_round_of_pushes_still_interrupts(void **state)
{
	struct fixture *f = *state;

	push_one(f);
	assert_true(virtqueue_should_interrupt(&f->queue));
	for (unsigned i = 0; i < 65536; i++)
		push_one(f);
	assert_true(virtqueue_should_interrupt(&f->queue));
}

static void test_doorbell_flag(void **state)
{
	struct fixture *f = *state;

	virtqueue_disable_doorbell(&f->queue);
	assert_int_equal(f->driver.used->flags, VIRTQ_USED_F_NO_NOTIFY);
	assert_false(virtqueue_enable_doorbell(&f->queue));
	assert_int_equal(f->driver.used->flags, 0);
	add_one(f);
	assert_true(virtqueue_enable_doorbell(&f->queue));
	assert_int_equal(pop(f), 1);
	assert_false(virtqueue_enable_doorbell(&f->queue));
}

static void test_doorbell_event_index(void **state)
{
	struct fixture *f = *state;

	push_one(f);
	push_one(f);
	assert_false(virtqueue_enable_doorbell(&f->queue));
	assert_int_equal(*driver_available_event(&f->driver), 2);
	add_one(f);
	assert_true(virtqueue_enable_doorbell(&f->queue));
	virtqueue_disable_doorbell(&f->queue);
	assert_int_equal(f->driver.used->flags, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_EVENT_INDEX(name) cmocka_unit_test_setup_teardown(name, setup_event_index, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_start_refuses_sizes),
		TEST(test_start_refuses_misaligned_rings),
		TEST(test_start_refuses_rings_outside_memory),
		TEST(test_queue_that_is_not_live_gives_and_takes_nothing),
		TEST(test_chain_comes_with_its_segments),
		TEST(test_direct_descriptors_may_end_in_an_indirect_table),
		TEST(test_indirect_table_may_stand_at_any_address),
		TEST(test_indices_wrap),
		TEST(test_unpop_gives_the_same_chain_again),
		TEST(test_batch_shows_only_once_published),
		TEST(test_suspended_queue_keeps_its_chains),
		TEST(test_index_too_far_ahead_breaks),
		TEST(test_index_that_went_back_breaks),
		TEST(test_head_out_of_range_breaks),
		TEST(test_next_out_of_range_breaks),
		TEST(test_loop_breaks),
		TEST(test_loop_in_an_indirect_table_breaks),
		TEST(test_segments_outside_memory_break),
		TEST(test_empty_segment_breaks),
		TEST(test_readable_after_writable_breaks),
		TEST(test_more_segments_than_the_device_takes_break),
		TEST(test_bytes_beyond_32_bits_break),
		TEST(test_bad_indirect_descriptors_break),
		TEST(test_indirect_without_the_feature_breaks),
		TEST(test_unpop_of_a_broken_queue_revives_nothing),
		TEST(test_used_ring_over_the_other_rings_harms_only_the_driver),
		TEST(test_interrupt_flag),
		TEST_EVENT_INDEX(test_event_index_interrupts),
		TEST_EVENT_INDEX(test_event_index_across_the_wrap),
		TEST_EVENT_INDEX(test_a_whole_round_of_pushes_still_interrupts),
		TEST(test_doorbell_flag),
		TEST_EVENT_INDEX(test_doorbell_event_index),
	};

	return cmocka_run_group_tests_name("virtqueue", tests, NULL, NULL);
}
