/* SPDX-License-Identifier: MIT */
/* The store's table of volumes: what is valid, where space is given out, and names. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "type1/services/store/checksum.c"
#include "type1/services/store/config.c"
#include "type1/services/store/metadata.c"

#define UNITS 100

static struct metadata table;

static int begin(void **state)
{
	(void)state;
	metadata_init(&table);
	return 0;
}

static int create(const char *text, uint64_t units)
{
	char name[STORE_NAME] = {0};

	memcpy(name, text, strlen(text));
	return metadata_create(&table, UNITS, name, units * METADATA_UNIT);
}

static unsigned find(const char *text)
{
	char name[STORE_NAME] = {0};

	memcpy(name, text, strlen(text));
	return metadata_find(&table, name);
}

static bool sealed(void)
{
	metadata_seal(&table);
	return metadata_valid(&table, UNITS);
}

static uint64_t place(const char *name, uint64_t offset)
{
	uint64_t length;

	return metadata_map(&table, find(name), offset, &length) / METADATA_UNIT;
}

static void space_is_given_out_first_fit(void **state)
{
	(void)state;
	assert_int_equal(create("a", 10), 0);
	assert_int_equal(create("b", 20), 0);
	assert_int_equal(create("c", 10), 0);
	assert_int_equal(place("a", 0), 1);
	assert_int_equal(place("b", 0), 11);
	assert_int_equal(place("c", 0), 31);
	metadata_delete(&table, find("b"));
	assert_int_equal(create("d", 25), 0); /* doesn't fit the gap */
	assert_int_equal(place("d", 0), 41);
	assert_int_equal(create("e", 20), 0);
	assert_int_equal(place("e", 0), 11);
	assert_true(sealed());
}

static void volumes_can_be_scattered(void **state)
{
	uint64_t length;

	(void)state;
	assert_int_equal(create("a", 30), 0);
	assert_int_equal(create("b", 30), 0);
	assert_int_equal(create("c", 39), 0);
	assert_int_equal(create("d", 1), -ENOSPC);
	metadata_init(&table);
	assert_int_equal(create("a", 30), 0);
	assert_int_equal(create("b", 30), 0);
	assert_int_equal(create("c", 19), 0);
	metadata_delete(&table, find("a"));
	assert_int_equal(create("e", 40), 0); /* the largest gap first */
	assert_int_equal(place("e", 0), 1);
	assert_int_equal(place("e", 30 * METADATA_UNIT), 80);
	metadata_map(&table, find("e"), 30 * METADATA_UNIT - 512, &length);
	assert_int_equal(length, 512);
	metadata_map(&table, find("e"), 40 * METADATA_UNIT, &length);
	assert_int_equal(length, 0);
	assert_true(sealed());
}

static void volumes_grow(void **state)
{
	(void)state;
	assert_int_equal(create("a", 2), 0);
	assert_int_equal(create("b", 2), 0);
	assert_int_equal(metadata_grow(&table, UNITS, find("a"), METADATA_UNIT), -EINVAL);
	assert_int_equal(metadata_grow(&table, UNITS, find("a"), 200 * METADATA_UNIT), -ENOSPC);
	assert_int_equal(metadata_grow(&table, UNITS, find("a"), 5 * METADATA_UNIT), 0);
	assert_int_equal(place("a", 0), 1);
	assert_int_equal(place("a", 2 * METADATA_UNIT), 5);
	assert_int_equal(place("b", 0), 3);
	assert_true(sealed());
}

static void names_have_rules(void **state)
{
	(void)state;
	assert_int_equal(create("", 1), -EINVAL);
	assert_int_equal(create("a b", 1), -EINVAL);
	assert_int_equal(create("a/b", 1), -EINVAL);
	assert_int_equal(create("web.root_1-x", 1), 0);
	assert_int_equal(create("web.root_1-x", 1), -EEXIST);
	assert_int_equal(create("x", 0), -EINVAL);
	for (unsigned i = 1; i < METADATA_VOLUMES; i++) {
		char name[STORE_NAME] = {0};

		snprintf(name, sizeof(name), "v%u", i);
		assert_int_equal(metadata_create(&table, 1000, name, METADATA_UNIT), 0);
	}
	assert_int_equal(create("onemore", 1), -ENOSPC);
}

static void damage_is_found(void **state)
{
	struct metadata good;
	uint8_t *bytes = (uint8_t *)&table;

	(void)state;
	assert_int_equal(create("a", 10), 0);
	assert_true(sealed());
	good = table;
	srand(1);
	for (unsigned i = 0; i < 200; i++) {
		bytes[(unsigned)rand() % sizeof(table)] ^= (uint8_t)(1 << i % 8);
		assert_false(metadata_valid(&table, UNITS));
		table = good;
	}
	assert_false(metadata_valid(&table, 10)); /* of a larger partition */
}

static void a_sum_alone_makes_no_table(void **state)
{
	struct metadata good;

	(void)state;
	assert_int_equal(create("a", 10), 0);
	assert_int_equal(create("b", 10), 0);
	good = table;
#define WRONG(change)                                                                              \
	do {                                                                                       \
		table = good;                                                                      \
		change;                                                                            \
		assert_false(sealed());                                                            \
	} while (0)
	WRONG(table.extents[1].start = 10);
	WRONG(table.extents[1].start = 0);
	WRONG(table.extents[1].count = 0);
	WRONG(table.extents[1].count = UINT32_MAX);
	WRONG(table.extents[1].volume = 2);
	WRONG(table.extents[1].volume = UINT32_MAX);
	WRONG(table.extent_count = METADATA_EXTENTS + 1);
	WRONG(table.extent_count = 1);
	WRONG(table.volumes[1].name[0] = 'a');
	WRONG(table.volumes[1].name[0] = '/');
	WRONG(memset(table.volumes[1].name, 'x', STORE_NAME));
	WRONG(table.volumes[1].size += METADATA_BLOCK);
	WRONG(table.volumes[1].size = 0);
	WRONG(table.volumes[1].size -= 1);
	WRONG(table.version++);
	table = good;
	assert_true(sealed());
}

static void the_module_is_read(void **state)
{
	static const char text[] = "format\n\n import root  root.img\r\nimport a b 3G\ncreate c 8K";
	static const char *const wrong[] = {
		"format now",  "import a",       "import a/b c",
		"create a",    "create a 1",     "create a 4k",
		"create a 0G", "create a K",     "create a 8K more",
		"make a 8K",   "import a b c d", "create a 99999999999999999999G",
	};
	static struct config config;
	struct error why;

	(void)state;
	assert_int_equal(config_read(text, sizeof(text) - 1, &config, &why), 0);
	assert_true(config.format);
	assert_int_equal(config.volume_count, 3);
	assert_string_equal(config.volumes[0].name, "root");
	assert_string_equal(config.volumes[0].file, "root.img");
	assert_int_equal(config.volumes[1].size, 3 * GIB);
	assert_string_equal(config.volumes[2].file, "");
	assert_int_equal(config.volumes[2].size, 8192);
	for (unsigned i = 0; i < ARRAY_COUNT(wrong); i++)
		assert_int_equal(config_read(wrong[i], strlen(wrong[i]), &config, &why), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(space_is_given_out_first_fit, begin),
		cmocka_unit_test_setup(volumes_can_be_scattered, begin),
		cmocka_unit_test_setup(volumes_grow, begin),
		cmocka_unit_test_setup(names_have_rules, begin),
		cmocka_unit_test_setup(damage_is_found, begin),
		cmocka_unit_test_setup(a_sum_alone_makes_no_table, begin),
		cmocka_unit_test(the_module_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
