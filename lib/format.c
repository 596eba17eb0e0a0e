/* SPDX-License-Identifier: MIT */
#include "lib/format.h"

#include <stdbool.h>
#include <stdint.h>

struct output {
	char *buffer;
	size_t size; /* with the closing NUL */
	size_t used;
};

struct conversion {
	bool zero_pad;
	bool left;
	size_t width;
	size_t precision; /* SIZE_MAX: none */
	int length;       /* -2 hh, -1 h, 0 int, 1 long, 2 long long, 3 size_t */
};

static void put(struct output *out, char c)
{
	if (out->used + 1 < out->size)
		out->buffer[out->used++] = c;
}

static void put_padded(struct output *out, const char *text, size_t count,
		       const struct conversion *how, char pad)
{
	size_t gap = how->width > count ? how->width - count : 0;

	for (; gap && !how->left; gap--)
		put(out, pad);
	for (size_t i = 0; i < count; i++)
		put(out, text[i]);
	for (; gap; gap--)
		put(out, ' ');
}

static void put_number(struct output *out, uint64_t value, bool negative, unsigned base,
		       const char *digits, const struct conversion *how)
{
	char text[24];
	size_t at = sizeof(text);

	do {
		text[--at] = digits[value % base];
		value /= base;
	} while (value);
	if (negative && how->zero_pad && !how->left) {
		struct conversion rest = *how;

		put(out, '-');
		rest.width = how->width ? how->width - 1 : 0;
		put_padded(out, text + at, sizeof(text) - at, &rest, '0');
		return;
	}
	if (negative)
		text[--at] = '-';
	put_padded(out, text + at, sizeof(text) - at, how, how->zero_pad ? '0' : ' ');
}

static uint64_t next_unsigned(va_list *args, int length)
{
	switch (length) {
	case -2:
		return (unsigned char)va_arg(*args, unsigned);
	case -1:
		return (unsigned short)va_arg(*args, unsigned);
	case 0:
		return va_arg(*args, unsigned);
	case 1:
		return va_arg(*args, unsigned long);
	case 2:
		return va_arg(*args, unsigned long long);
	default:
		return va_arg(*args, size_t);
	}
}

static int64_t next_signed(va_list *args, int length)
{
	switch (length) {
	case -2:
		return (signed char)va_arg(*args, int);
	case -1:
		return (short)va_arg(*args, int);
	case 0:
		return va_arg(*args, int);
	case 1:
		return va_arg(*args, long);
	case 2:
		return va_arg(*args, long long);
	default:
		return (int64_t)va_arg(*args, size_t);
	}
}

static size_t parse_count(const char **format)
{
	size_t count = 0;

	while (**format >= '0' && **format <= '9')
		count = count * 10 + (size_t)(*(*format)++ - '0');
	return count;
}

static struct conversion parse_conversion(const char **format)
{
	struct conversion how = {.precision = SIZE_MAX};

	for (;; (*format)++) {
		if (**format == '0')
			how.zero_pad = true;
		else if (**format == '-')
			how.left = true;
		else
			break;
	}
	how.width = parse_count(format);
	if (**format == '.') {
		(*format)++;
		how.precision = parse_count(format);
	}
	for (;; (*format)++) {
		if (**format == 'h')
			how.length--;
		else if (**format == 'l')
			how.length++;
		else if (**format == 'z')
			how.length = 3;
		else
			return how;
	}
}

static void put_text(struct output *out, const char *text, const struct conversion *how)
{
	size_t count = 0;

	if (!text)
		text = "(null)";
	while (count < how->precision && text[count])
		count++;
	put_padded(out, text, count, how, ' ');
}

size_t format_text_args(char *buffer, size_t size, const char *format, va_list list)
{
	static const char lower[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";
	struct output out = {.buffer = buffer, .size = size};
	va_list args;

	/* A va_list parameter may be an array; a copy has an address that can be passed on. */
	va_copy(args, list);
	while (*format) {
		struct conversion how;
		int64_t value;
		char c;

		if (*format != '%') {
			put(&out, *format++);
			continue;
		}
		format++;
		how = parse_conversion(&format);
		switch (*format) {
		case 's':
			put_text(&out, va_arg(args, const char *), &how);
			break;
		case 'c':
			c = (char)va_arg(args, int);
			put_padded(&out, &c, 1, &how, ' ');
			break;
		case 'd':
		case 'i':
			value = next_signed(&args, how.length);
			put_number(&out, value < 0 ? 0 - (uint64_t)value : (uint64_t)value,
				   value < 0, 10, lower, &how);
			break;
		case 'u':
			put_number(&out, next_unsigned(&args, how.length), false, 10, lower, &how);
			break;
		case 'x':
			put_number(&out, next_unsigned(&args, how.length), false, 16, lower, &how);
			break;
		case 'X':
			put_number(&out, next_unsigned(&args, how.length), false, 16, upper, &how);
			break;
		case 'p':
			put(&out, '0');
			put(&out, 'x');
			put_number(&out, (uint64_t)(uintptr_t)va_arg(args, void *), false, 16,
				   lower, &how);
			break;
		case '\0':
			goto done;
		default: /* %%, and what is not known is shown as it stands */
			put(&out, *format);
			break;
		}
		format++;
	}
done:
	va_end(args);
	buffer[out.used] = '\0';
	return out.used;
}

size_t format_text(char *buffer, size_t size, const char *format, ...)
{
	va_list args;
	size_t used;

	va_start(args, format);
	used = format_text_args(buffer, size, format, args);
	va_end(args);
	return used;
}
