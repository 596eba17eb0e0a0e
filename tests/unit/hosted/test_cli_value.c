/* SPDX-License-Identifier: MIT */
/*
 * The notation of values: what is read, what is refused, and that what is written reads back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/value.h"

#define MIB (UINT64_C(1) << 20)

static struct error why;

static void memory_sizes_are_read_in_all_units(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{"512M", 512 * MIB}, {"512m", 512 * MIB},    {"512MiB", 512 * MIB},
		{"2G", 2048 * MIB},  {"1T", MIB * MIB},      {"512", 512 * MIB},
		{"4096K", 4 * MIB},  {"2", 2 * MIB},         {"16T", 16 * MIB * MIB},
		{"0003M", 3 * MIB},  {"2052k", 2052 * 1024},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		uint64_t bytes = 0;

		assert_int_equal(value_memory(good[i].text, &bytes, &why), 0);
		assert_true(bytes == good[i].bytes);
	}
}

static void memory_sizes_that_make_no_sense_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"M",
		"1.5G",
		"-1G",
		" 1G",
		"1G ",
		"1GB",
		"1X",
		"0",
		"1",
		"1M",
		"17T",
		"2049K",
		"0x10",
		"+2G",
		"99999999999999999999G",
		"18446744073709551615",
		"18014398509481984K",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t bytes;

		assert_true(value_memory(bad[i], &bytes, &why) < 0);
		assert_non_null(strstr(why.text, bad[i]));
	}
}

static void written_memory_sizes_read_back(void **state)
{
	static const uint64_t sizes[] = {
		2 * MIB,   2 * MIB + 4096, 1024 * MIB,        1025 * MIB,
		MIB * MIB, 16 * MIB * MIB, 3 * MIB * MIB / 2, 512 * MIB + 12 * 1024};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char text[VALUE_TEXT_MAX];
		uint64_t bytes = 0;

		value_format_memory(sizes[i], text);
		assert_int_equal(value_memory(text, &bytes, &why), 0);
		assert_true(bytes == sizes[i]);
	}
}

static void memory_is_written_in_the_largest_unit(void **state)
{
	char text[VALUE_TEXT_MAX];

	(void)state;
	value_format_memory(512 * MIB, text);
	assert_string_equal(text, "512M");
	value_format_memory(2048 * MIB, text);
	assert_string_equal(text, "2G");
	value_format_memory(2 * MIB + 4096, text);
	assert_string_equal(text, "2052K");
}

static void numbers_keep_to_their_range(void **state)
{
	static const char *const bad[] = {"",    "0",  "65", "-1",
					  "1.0", "4x", " 4", "99999999999999999999"};
	uint64_t number;

	(void)state;
	assert_int_equal(value_number("1", 1, 64, "a number", &number, &why), 0);
	assert_int_equal(number, 1);
	assert_int_equal(value_number("64", 1, 64, "a number", &number, &why), 0);
	assert_int_equal(number, 64);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_true(value_number(bad[i], 1, 64, "a number", &number, &why) < 0);
}

static void switches_are_on_or_off_and_nothing_else(void **state)
{
	bool on = false;

	(void)state;
	assert_int_equal(value_switch("on", &on, &why), 0);
	assert_true(on);
	assert_int_equal(value_switch("off", &on, &why), 0);
	assert_false(on);
	assert_true(value_switch("yes", &on, &why) < 0);
	assert_true(value_switch("", &on, &why) < 0);
	assert_true(value_switch("ON", &on, &why) < 0);
}

static void names_are_plain_words(void **state)
{
	char longest[65];

	(void)state;
	memset(longest, 'a', sizeof(longest));
	longest[63] = '\0';
	assert_int_equal(value_check_name(longest, &why), 0);
	longest[63] = 'a';
	longest[64] = '\0';
	assert_true(value_check_name(longest, &why) < 0);
	assert_int_equal(value_check_name("web-1.example_2", &why), 0);
	assert_true(value_check_name("", &why) < 0);
	assert_true(value_check_name("-web", &why) < 0);
	assert_true(value_check_name("../web", &why) < 0);
	assert_true(value_check_name("a b", &why) < 0);
	assert_true(value_check_name("a\033[2J", &why) < 0);
}

static void serial_numbers_are_short_and_printable(void **state)
{
	(void)state;
	assert_int_equal(value_check_serial("A 12345678901234567!", &why), 0);
	assert_true(value_check_serial("A 12345678901234567!!", &why) < 0);
	assert_true(value_check_serial("", &why) < 0);
	assert_true(value_check_serial("a\nb", &why) < 0);
	assert_true(value_check_serial("\xc3\xa4", &why) < 0);
}

static void interfaces_have_names_that_linux_takes(void **state)
{
	(void)state;
	assert_int_equal(value_check_interface("tap0", &why), 0);
	assert_int_equal(value_check_interface("123456789012345", &why), 0);
	assert_true(value_check_interface("1234567890123456", &why) < 0);
	assert_true(value_check_interface("", &why) < 0);
	assert_true(value_check_interface("a/b", &why) < 0);
	assert_true(value_check_interface("a b", &why) < 0);
}

static void macs_of_one_station_are_read_and_written(void **state)
{
	static const uint8_t want[6] = {0x52, 0x54, 0x00, 0xab, 0xcd, 0xef};
	char text[VALUE_TEXT_MAX];
	uint8_t mac[6];

	(void)state;
	assert_int_equal(value_mac("52:54:00:AB:cd:ef", mac, &why), 0);
	assert_memory_equal(mac, want, sizeof(want));
	value_format_mac(mac, text);
	assert_string_equal(text, "52:54:00:ab:cd:ef");
}

static void other_macs_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"00:00:00:00:00:00",
		"01:00:5e:00:00:01",
		"ff:ff:ff:ff:ff:ff",
		"52:54:00:ab:cd",
		"52:54:00:ab:cd:ef:01",
		"52-54-00-ab-cd-ef",
		"52:54:00:ab:cd:eg",
		"525400abcdef",
		"52:54:00:ab:cd: f",
		"52:54:00:ab:cd:-f",
	};
	uint8_t mac[6];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_true(value_mac(bad[i], mac, &why) < 0);
}

static void forwards_are_read_as_qemu_writes_them(void **state)
{
	struct os_net_forward forward;

	(void)state;
	assert_int_equal(value_forward("tcp:127.0.0.1:2222-10.0.2.15:22", &forward, &why), 0);
	assert_int_equal(forward.protocol, OS_NET_TCP);
	assert_true(forward.host_address == 0x7f000001);
	assert_int_equal(forward.host_port, 2222);
	assert_true(forward.guest_address == 0x0a00020f);
	assert_int_equal(forward.guest_port, 22);
	assert_int_equal(value_forward("udp::65535-:1", &forward, &why), 0);
	assert_int_equal(forward.protocol, OS_NET_UDP);
	assert_true(forward.host_address == 0);
	assert_int_equal(forward.host_port, 65535);
	assert_int_equal(value_forward("::80-:80", &forward, &why), 0);
	assert_int_equal(forward.protocol, OS_NET_TCP);
}

static void forwards_that_lack_or_break_a_part_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"tcp",
		"tcp:",
		"tcp::",
		"tcp::80",
		"tcp::80-",
		"tcp::80-:",
		"tcp::80-80",
		"tcp::-:80",
		"tcp::0-:80",
		"tcp::80-:0",
		"tcp::65536-:80",
		"tcp::80-:65536",
		"tcp::999999-:80",
		"tcp::80-:80x",
		"tcp:localhost:80-:80",
		"tcp:1.2.3:80-:80",
		"tcp:1.2.3.4.5:80-:80",
		"tcp:[::1]:80-:80",
		"sctp::80-:80",
		"tcp::80-:80-:80",
		"tcp::-80-:80",
		"tcp:255.255.255.255.255.255.255:1-:1",
	};
	struct os_net_forward forward;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_true(value_forward(bad[i], &forward, &why) < 0);
}

static void written_forwards_read_back(void **state)
{
	static const char *const texts[] = {"tcp:127.0.0.1:2222-10.0.2.15:22", "udp::53-:53",
					    "tcp::1-:65535", "udp:192.168.100.200:65535-:1"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct os_net_forward forward;
		char text[VALUE_TEXT_MAX];

		assert_int_equal(value_forward(texts[i], &forward, &why), 0);
		value_format_forward(&forward, text);
		assert_string_equal(text, texts[i]);
	}
}

static void pieces_end_at_commas_that_are_not_doubled(void **state)
{
	char text[] = "a,,b,ro,,,x,,,";
	char *rest = text;

	(void)state;
	assert_string_equal(value_next_piece(&rest), "a,b");
	assert_string_equal(value_next_piece(&rest), "ro,");
	assert_string_equal(value_next_piece(&rest), "x,");
	assert_string_equal(value_next_piece(&rest), "");
	assert_null(rest);
}

static void a_long_value_does_not_push_out_what_was_expected(void **state)
{
	char text[2000];
	uint64_t bytes;

	(void)state;
	memset(text, '9', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_true(value_memory(text, &bytes, &why) < 0);
	assert_non_null(strstr(why.text, "512M"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_sizes_are_read_in_all_units),
		cmocka_unit_test(memory_sizes_that_make_no_sense_are_refused),
		cmocka_unit_test(written_memory_sizes_read_back),
		cmocka_unit_test(memory_is_written_in_the_largest_unit),
		cmocka_unit_test(numbers_keep_to_their_range),
		cmocka_unit_test(switches_are_on_or_off_and_nothing_else),
		cmocka_unit_test(names_are_plain_words),
		cmocka_unit_test(serial_numbers_are_short_and_printable),
		cmocka_unit_test(interfaces_have_names_that_linux_takes),
		cmocka_unit_test(macs_of_one_station_are_read_and_written),
		cmocka_unit_test(other_macs_are_refused),
		cmocka_unit_test(forwards_are_read_as_qemu_writes_them),
		cmocka_unit_test(forwards_that_lack_or_break_a_part_are_refused),
		cmocka_unit_test(written_forwards_read_back),
		cmocka_unit_test(pieces_end_at_commas_that_are_not_doubled),
		cmocka_unit_test(a_long_value_does_not_push_out_what_was_expected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
