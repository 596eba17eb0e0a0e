/* SPDX-License-Identifier: MIT */
/*
 * check.h - what a test process counts and says: EXPECT(), and its last line `N passed, N failed`.
 */
#ifndef DYAD_TESTS_TYPE1_CHECK_H
#define DYAD_TESTS_TYPE1_CHECK_H

#include <stdarg.h>
#include <stdbool.h>

#include "lib/format.h"
#include "type1/process/call.h"
#include "type1/process/process.h"

static unsigned check_passed, check_failed;

__attribute__((format(printf, 1, 2))) static inline void check_say(const char *format, ...)
{
	char text[TYPE1_LOG_LINE];
	va_list args;
	size_t size;

	va_start(args, format);
	size = format_text_args(text, sizeof(text), format, args);
	va_end(args);
	call3(TYPE1_LOG, OS_LOG_INFO, call_address(text), size);
}

static inline void check_expect(bool held, const char *what, int64_t value)
{
	__atomic_add_fetch(held ? &check_passed : &check_failed, 1, __ATOMIC_RELAXED);
	if (!held)
		check_say("FAILED: %s (%lld)", what, (long long)value);
}

#define EXPECT(value, wanted)                                                                      \
	do {                                                                                       \
		int64_t value_ = (int64_t)(value);                                                 \
                                                                                                   \
		check_expect(value_ == (int64_t)(wanted), #value " is " #wanted, value_);          \
	} while (0)
#define EXPECT_THAT(condition) check_expect(condition, #condition, 0)

/* The status of the process. */
static inline int check_end(void)
{
	check_say("%u passed, %u failed", check_passed, check_failed);
	return check_failed != 0;
}

#endif
