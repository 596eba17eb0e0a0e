/* SPDX-License-Identifier: MIT */
/*
 * value.c - numbers, sizes, names and choices.  Network notation is in value_net.c.
 */
#include "cli/value.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "monitor/vm_config.h"

#define KIB UINT64_C(1024)

int value_error_at(struct error *why, int code, const char *where)
{
	struct error inner = *why;

	return error_set(why, code, "%s: %s", where, inner.text);
}

/* Reads digits; false if there is none or the number does not fit. */
static bool read_digits(const char **text, uint64_t *number)
{
	const char *at = *text;
	uint64_t n = 0;

	if (!isdigit((unsigned char)*at))
		return false;
	for (; isdigit((unsigned char)*at); at++)
		if (__builtin_mul_overflow(n, (uint64_t)10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*at - '0'), &n))
			return false;
	*text = at;
	*number = n;
	return true;
}

int value_number(const char *text, uint64_t min, uint64_t max, const char *what, uint64_t *number,
		 struct error *why)
{
	const char *at = text;

	if (!read_digits(&at, number) || *at != '\0' || *number < min || *number > max)
		return error_set(why, -EINVAL, "\"%.40s\" is not %s from %llu to %llu", text, what,
				 (unsigned long long)min, (unsigned long long)max);
	return 0;
}

int value_check_memory(uint64_t bytes, struct error *why)
{
	char min[VALUE_TEXT_MAX], max[VALUE_TEXT_MAX];

	value_format_memory(VM_MEMORY_MIN, min);
	value_format_memory(VALUE_MEMORY_MAX, max);
	if (bytes < VM_MEMORY_MIN || bytes > VALUE_MEMORY_MAX)
		return error_set(why, -EINVAL, "a guest can have %s to %s of memory", min, max);
	if (bytes % (4 * KIB) != 0)
		return error_set(why, -EINVAL, "memory comes in pages: give a multiple of 4K");
	return 0;
}

int value_size(const char *text, uint64_t *bytes, struct error *why)
{
	static const struct {
		const char *name;
		unsigned shift;
	} units[] = {{"", 20},    {"K", 10},   {"M", 20},   {"G", 30},  {"T", 40},
		     {"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}};
	const char *at = text;
	uint64_t number;

	if (!read_digits(&at, &number))
		goto bad;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcasecmp(at, units[i].name) == 0 &&
		    !__builtin_mul_overflow(number, UINT64_C(1) << units[i].shift, bytes))
			return 0;
	}
bad:
	return error_set(why, -EINVAL,
			 "\"%.40s\" is no size; give a whole number with K, M, G or T behind it, "
			 "or of MiB, such as 512M or 2G",
			 text);
}

int value_memory(const char *text, uint64_t *bytes, struct error *why)
{
	char where[48];

	if (value_size(text, bytes, why) < 0)
		return -EINVAL;
	if (value_check_memory(*bytes, why) == 0)
		return 0;
	snprintf(where, sizeof(where), "\"%.40s\"", text);
	return value_error_at(why, -EINVAL, where);
}

void value_format_memory(uint64_t bytes, char text[VALUE_TEXT_MAX])
{
	static const char units[] = "KMGT";
	uint64_t number = bytes / KIB;
	unsigned unit = 0;

	for (; unit < 3 && number != 0 && number % KIB == 0; unit++)
		number /= KIB;
	snprintf(text, VALUE_TEXT_MAX, "%llu%c", (unsigned long long)number, units[unit]);
}

int value_switch(const char *text, bool *on, struct error *why)
{
	static const char *const names[] = {"off", "on", NULL};
	unsigned place = 0;
	int error = value_choice(text, names, &place, why);

	if (error == 0)
		*on = place == 1;
	return error;
}

int value_choice(const char *text, const char *const *names, unsigned *place, struct error *why)
{
	char list[256] = "";
	size_t used = 0;

	for (unsigned i = 0; names[i] != NULL; i++) {
		const char *before = i == 0 ? "" : names[i + 1] == NULL ? " or " : ", ";

		if (strcmp(text, names[i]) == 0) {
			*place = i;
			return 0;
		}
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", before,
					 names[i]);
	}
	return error_set(why, -EINVAL, "\"%.40s\" is not known; give %s", text, list);
}

int value_check_name(const char *text, struct error *why)
{
	size_t length = strlen(text);
	bool good = length >= 1 && length <= VM_NAME_MAX && isalnum((unsigned char)text[0]);

	for (size_t i = 0; good && i < length; i++)
		good = isalnum((unsigned char)text[i]) || strchr("._-", text[i]) != NULL;
	if (!good)
		return error_set(why, -EINVAL,
				 "\"%.80s\" can't be a VM's name; give 1 to %d letters, digits, "
				 "dots, dashes or underscores, a letter or digit first",
				 text, VM_NAME_MAX);
	return 0;
}

int value_check_serial(const char *text, struct error *why)
{
	size_t length = strlen(text);
	bool good = length >= 1 && length <= VM_SERIAL_MAX;

	for (size_t i = 0; good && i < length; i++)
		good = text[i] >= ' ' && text[i] <= '~';
	if (!good)
		return error_set(why, -EINVAL,
				 "\"%.40s\" can't be a disk's serial number; give 1 to %d "
				 "printable ASCII characters",
				 text, VM_SERIAL_MAX);
	return 0;
}

char *value_next_piece(char **rest)
{
	char *piece = *rest, *from = piece, *to = piece;

	for (; *from != '\0'; *to++ = *from++) {
		if (*from != ',')
			continue;
		if (from[1] != ',')
			break;
		from++;
	}
	*rest = *from == ',' ? from + 1 : NULL;
	*to = '\0';
	return piece;
}
