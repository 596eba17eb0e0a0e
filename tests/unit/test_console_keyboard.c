/* SPDX-License-Identifier: MIT */
/*
 * The console service's keyboard (type1/services/console/keyboard.c): codes in, bytes out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "type1/services/console/keyboard.c"

static struct keyboard keyboard;

static int begin(void **state)
{
	(void)state;
	keyboard = (struct keyboard){0};
	return 0;
}

/* What the codes make, of a keyboard as it is; the codes are ended by a zero. */
static const char *typed(const char *codes)
{
	static char text[256];
	size_t used = 0;

	for (; *codes; codes++)
		used += keyboard_take(&keyboard, (uint8_t)*codes, text + used);
	text[used] = '\0';
	return text;
}

struct keys {
	const char *codes, *bytes;
};

static void expect_keys(const struct keys *tests, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		begin(NULL);
		assert_string_equal(typed(tests[i].codes), tests[i].bytes);
	}
}
#define EXPECT_KEYS(...)                                                                           \
	do {                                                                                       \
		static const struct keys tests[] = {__VA_ARGS__};                                  \
                                                                                                   \
		expect_keys(tests, ARRAY_COUNT(tests));                                            \
	} while (0)

static void characters(void **state)
{
	(void)state;
	EXPECT_KEYS({"\x23\xa3\x12\x92\x26\xa6\x26\xa6\x18\x98", "hello"},
		    {"\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d", "1234567890-="},
		    {"\x1a\x1b\x27\x28\x29\x2b\x33\x34\x35\x39", "[];'`\\,./ "},
		    {"\x1c\x0f\x0e\x01", "\r\t\x7f\x1b"},
		    /* A key that is held down. */
		    {"\x1e\x1e\x1e\x9e", "aaa"});
}

static void shift(void **state)
{
	(void)state;
	EXPECT_KEYS({"\x2a\x1e\x9e\xaa\x1e", "Aa"}, {"\x36\x1e\x9e\xb6\x1e", "Aa"},
		    /* Of both one is let go. */
		    {"\x2a\x36\xaa\x1e\xb6\x1e", "Aa"},
		    {"\x2a\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d", "!@#$%^&*()_+"},
		    {"\x2a\x1a\x1b\x27\x28\x29\x2b\x33\x34\x35", "{}:\"~|<>?"},
		    {"\x2a\x0f", "\x1b[Z"});
}

static void caps_lock(void **state)
{
	(void)state;
	EXPECT_KEYS({"\x3a\xba\x1e\x02\x2a\x1e\x02\xaa\x3a\xba\x1e", "A1a!a"},
		    /* Held down it is pressed once. */
		    {"\x3a\x3a\x3a\xba\x1e", "A"});
}

static void control_and_alt(void **state)
{
	(void)state;
	EXPECT_KEYS({"\x1d\x2e\x1e\x9d\x2e", "\x03\x01"
					     "c"},
		    {"\xe0\x1d\x2e\xe0\x9d\x2e", "\x03"
						 "c"},
		    {"\x1d\x1a\x2b", "\x1b\x1c"},
		    {"\x38\x30\xb8", "\x1b"
				     "b"},
		    {"\x1d\x2a\x1e", "\x01"});
	/* Control and space are a zero. */
	begin(NULL);
	assert_int_equal(keyboard_take(&keyboard, 0x1d, (char[KEYBOARD_BYTES]){0}), 0);
	assert_int_equal(keyboard_take(&keyboard, 0x39, (char[KEYBOARD_BYTES]){1}), 1);
}

static void keys_without_a_character(void **state)
{
	(void)state;
	EXPECT_KEYS({"\xe0\x48\xe0\xc8\xe0\x50\xe0\x4d\xe0\x4b", "\x1b[A\x1b[B\x1b[C\x1b[D"},
		    {"\xe0\x47\xe0\x4f\xe0\x52\xe0\x53", "\x1b[H\x1b[F\x1b[2~\x1b[3~"},
		    {"\xe0\x49\xe0\x51", "\x1b[5~\x1b[6~"},
		    {"\x3b\x44\x57\x58", "\x1bOP\x1b[21~\x1b[23~\x1b[24~"},
		    /* With number lock those say a shift of their own. */
		    {"\xe0\x2a\xe0\x48\xe0\xc8\xe0\xaa\x1e", "\x1b[A"
							     "a"});
}

static void keypad(void **state)
{
	(void)state;
	EXPECT_KEYS({"\x47\x48\x49\x4a\x4b\x4c\x4d\x4e\x4f\x50\x51\x52\x53", "789-456+1230."},
		    {"\x45\xc5\x47\x48\x4c\x4a\x53", "\x1b[H\x1b[A-\x1b[3~"},
		    {"\xe0\x1c\xe0\x35\x37", "\r/*"});
}

static void others_make_nothing(void **state)
{
	(void)state;
	/* Pause; print screen, which is of some; what no keyboard says. */
	EXPECT_KEYS({"\xe1\x1d\x45\xe1\x9d\xc5\x1e", "a"}, {"\xe0\x2a\xe0\x37\xe0\xb7\xe0\xaa", ""},
		    {"\xfa\xfe\xff\x80\x7f\x59\x54\xe0\x5b\xe0\x1e\x1e", "a"});
	/* No code makes more than there is room for, whatever came before. */
	for (unsigned held = 0; held < 64; held++) {
		for (unsigned code = 0; code < 512; code++) {
			char bytes[KEYBOARD_BYTES];

			keyboard = (struct keyboard){.held = held, .extended = code >= 256};
			assert_in_range(keyboard_take(&keyboard, (uint8_t)code, bytes), 0,
					KEYBOARD_BYTES);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(characters, begin),
		cmocka_unit_test_setup(shift, begin),
		cmocka_unit_test_setup(caps_lock, begin),
		cmocka_unit_test_setup(control_and_alt, begin),
		cmocka_unit_test_setup(keys_without_a_character, begin),
		cmocka_unit_test_setup(keypad, begin),
		cmocka_unit_test_setup(others_make_nothing, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
