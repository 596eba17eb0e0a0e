/* SPDX-License-Identifier: MIT */
/*
 * What the console service keeps of what VMs wrote (type1/services/console/tails.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "type1/services/console/tails.c"

static struct tails tails;

static int end(void **state)
{
	(void)state;
	while (tails.first) {
		struct tail *next = tails.first->next;

		os_free(tails.first);
		tails.first = next;
	}
	return 0;
}

static const char *read_all(const struct tail *tail, uint64_t at)
{
	static char text[TAIL_BYTES + 1];
	size_t used = 0, count;

	while ((count = tail_read(tail, &at, text + used, 7)))
		used += count;
	text[used] = '\0';
	return text;
}

static void each_name_has_one(void **state)
{
	struct tail *one = tails_begin(&tails, "one"), *two = tails_begin(&tails, "two");

	(void)state;
	tail_add(one, "from one", 8);
	tail_add(two, "from two", 8);
	assert_ptr_equal(tails_find(&tails, "one"), one);
	assert_ptr_equal(tails_find(&tails, "two"), two);
	assert_null(tails_find(&tails, "on"));
	assert_string_equal(read_all(one, 0), "from one");
	assert_string_equal(read_all(two, 5), "two");
	/* One that begins again has written nothing yet. */
	assert_ptr_equal(tails_begin(&tails, "one"), one);
	assert_string_equal(read_all(one, 0), "");
	assert_string_equal(read_all(two, 0), "from two");
}

static void the_latest_is_kept(void **state)
{
	struct tail *tail = tails_begin(&tails, "one");
	char line[32];

	(void)state;
	for (unsigned i = 0; i < 10000; i++)
		tail_add(tail, line, (size_t)snprintf(line, sizeof(line), "line %u\n", i));
	assert_int_equal(strlen(read_all(tail, 0)), TAIL_BYTES);
	/* From a line's beginning on, to the end. */
	assert_memory_equal(read_all(tail, tail_start(tail)), "line ", 5);
	assert_true(strlen(read_all(tail, tail_start(tail))) > TAIL_BYTES - 10);
	assert_string_equal(read_all(tail, tail->written - 10), "line 9999\n");
	/* Without lines all of it. */
	memset(line, 'x', sizeof(line));
	for (unsigned i = 0; i < TAIL_BYTES; i += sizeof(line))
		tail_add(tail, line, sizeof(line));
	assert_int_equal(strlen(read_all(tail, tail_start(tail))), TAIL_BYTES);
}

static void none_is_empty(void **state)
{
	uint64_t at = 0;
	char byte;

	(void)state;
	tail_add(NULL, "x", 1);
	assert_int_equal(tail_read(NULL, &at, &byte, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(each_name_has_one, end),
		cmocka_unit_test_teardown(the_latest_is_kept, end),
		cmocka_unit_test_teardown(none_is_empty, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
