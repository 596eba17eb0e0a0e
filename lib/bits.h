/* SPDX-License-Identifier: MIT */
/*
 * bits.h - alignment, fields, and little-endian loads and stores of any alignment.
 */
#ifndef DYAD_LIB_BITS_H
#define DYAD_LIB_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BIT(n) (UINT64_C(1) << (n))

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The object of the given type whose member stands at pointer. */
#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* alignment is a power of two; align_up wraps for values within alignment of 2^64. */
static inline uint64_t align_down(uint64_t value, uint64_t alignment)
{
	return value & ~(alignment - 1);
}

static inline uint64_t align_up(uint64_t value, uint64_t alignment)
{
	return (value + alignment - 1) & ~(alignment - 1);
}

static inline bool is_aligned(uint64_t value, uint64_t alignment)
{
	return (value & (alignment - 1)) == 0;
}

static inline bool is_power_of_two(uint64_t value)
{
	return value != 0 && (value & (value - 1)) == 0;
}

static inline uint16_t load_le16(const void *at)
{
	uint16_t value;

	__builtin_memcpy(&value, at, sizeof(value));
	return value;
}

static inline uint32_t load_le32(const void *at)
{
	uint32_t value;

	__builtin_memcpy(&value, at, sizeof(value));
	return value;
}

static inline uint64_t load_le64(const void *at)
{
	uint64_t value;

	__builtin_memcpy(&value, at, sizeof(value));
	return value;
}

static inline void store_le16(void *at, uint16_t value)
{
	__builtin_memcpy(at, &value, sizeof(value));
}

static inline void store_le32(void *at, uint32_t value)
{
	__builtin_memcpy(at, &value, sizeof(value));
}

static inline void store_le64(void *at, uint64_t value)
{
	__builtin_memcpy(at, &value, sizeof(value));
}

/* Of size bytes (1 to 8), the common sizes each in one piece; every byte is read or written once.
 */
static inline uint64_t load_sized(const void *at, unsigned size)
{
	uint64_t value = 0;

	if (size == 1)
		return *(const uint8_t *)at;
	if (size == 2)
		return load_le16(at);
	if (size == 4)
		return load_le32(at);
	if (size == 8)
		return load_le64(at);
	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)((const uint8_t *)at)[i] << 8 * i;
	return value;
}

static inline void store_sized(void *at, unsigned size, uint64_t value)
{
	if (size == 1)
		*(uint8_t *)at = (uint8_t)value;
	else if (size == 2)
		store_le16(at, (uint16_t)value);
	else if (size == 4)
		store_le32(at, (uint32_t)value);
	else if (size == 8)
		store_le64(at, value);
	else
		for (unsigned i = 0; i < size; i++)
			((uint8_t *)at)[i] = (uint8_t)(value >> 8 * i);
}

/* All ones in the low size bytes (1 to 8): what an access that nobody claims reads. */
static inline uint64_t size_mask(unsigned size)
{
	return size >= 8 ? UINT64_MAX : (UINT64_C(1) << (8 * size)) - 1;
}

/* A signed number of size bytes (1 to 8) as one of 8. */
static inline uint64_t sign_extend(uint64_t value, unsigned size)
{
	unsigned unused = 64 - 8 * size;

	return (uint64_t)((int64_t)(value << unused) >> unused);
}

#endif
