/* SPDX-License-Identifier: MIT */
/*
 * value.h - the notation of single values: what stands behind an option, and in a definition's
 * strings.
 *
 * Each value_NAME() turns text into a value and returns 0, or returns -EINVAL and leaves in why
 * what is wrong and what was expected; the caller puts in front where the text stood
 * (value_error_at). Each value_format_NAME() writes the notation that value_NAME() reads back as
 * the same value.
 */
#ifndef DYAD_CLI_VALUE_H
#define DYAD_CLI_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"
#include "os.h"

#define VALUE_TEXT_MAX 64 /* room that every value_format_NAME() finds enough */
#define VALUE_MEMORY_MAX (UINT64_C(16) << 40)
#define VALUE_INTERFACE_MAX 15 /* a network interface's name: IFNAMSIZ - 1 */

/* Puts "where: " in front of the sentence; returns code. */
int value_error_at(struct error *why, int code, const char *where);

/* Digits only, min to max. what names it: "a number of CPUs". */
int value_number(const char *text, uint64_t min, uint64_t max, const char *what, uint64_t *number,
		 struct error *why);
/* A number with K, M, G or T (or KiB...) behind it, powers of 1024; by itself, of MiB. */
int value_size(const char *text, uint64_t *bytes, struct error *why);
/* The same, that can be a guest's memory. */
int value_memory(const char *text, uint64_t *bytes, struct error *why);
int value_check_memory(uint64_t bytes, struct error *why);
int value_switch(const char *text, bool *on, struct error *why);
/* One of names, which ends with NULL: its place. */
int value_choice(const char *text, const char *const *names, unsigned *place, struct error *why);
/* A VM's name: letters, digits, '.', '_', '-'; starts with a letter or digit. */
int value_check_name(const char *text, struct error *why);
/* A disk's serial number: printable ASCII. */
int value_check_serial(const char *text, struct error *why);
int value_check_interface(const char *text, struct error *why);
/* The MAC of one station: 02:00:5e:10:00:01. */
int value_mac(const char *text, uint8_t mac[6], struct error *why);
/* What a network card sends at the most, in bits a second: a number of Mbit/s, 1 to 1000000. */
int value_rate(const char *text, uint64_t *rate, struct error *why);
#define VALUE_RATE_UNIT 1000000 /* bits a second */
#define VALUE_RATE_MAX 1000000  /* of those units */
/* [tcp|udp]:[ADDRESS]:PORT-[ADDRESS]:PORT, the host's side first. */
int value_forward(const char *text, struct os_net_forward *forward, struct error *why);

void value_format_memory(uint64_t bytes, char text[VALUE_TEXT_MAX]);
void value_format_mac(const uint8_t mac[6], char text[VALUE_TEXT_MAX]);
void value_format_forward(const struct os_net_forward *forward, char text[VALUE_TEXT_MAX]);

/*
 * Takes the next piece of a comma-separated list, in place; ",," stands for a comma within a piece.
 * *rest is advanced, and NULL behind the last piece.
 */
char *value_next_piece(char **rest);

#endif
