/* SPDX-License-Identifier: MIT */
#include "monitor/acpi/aml.h"

#include "lib/bits.h"
#include "lib/bytes.h"

enum aml_opcode { /* 20.3 */
		  AML_ZERO = 0x00,
		  AML_ONE = 0x01,
		  AML_NAME = 0x08,
		  AML_BYTE = 0x0a,
		  AML_WORD = 0x0b,
		  AML_DWORD = 0x0c,
		  AML_QWORD = 0x0e,
		  AML_SCOPE = 0x10,
		  AML_BUFFER = 0x11,
		  AML_PACKAGE = 0x12,
		  AML_EXTENDED = 0x5b,
		  AML_EXTENDED_DEVICE = 0x82,
};

#define AML_NAME_LENGTH 4

void aml_init(struct aml *aml, void *bytes, size_t capacity)
{
	*aml = (struct aml){.bytes = bytes, .capacity = capacity};
}

static void put(struct aml *aml, const void *bytes, size_t count)
{
	if (count > aml->capacity - aml->length) {
		aml->overflow = true;
		return;
	}
	memcpy(aml->bytes + aml->length, bytes, count);
	aml->length += count;
}

/* The low size bytes of value, low byte first. */
static void put_number(struct aml *aml, uint64_t value, unsigned size)
{
	uint8_t bytes[sizeof(value)];

	store_le64(bytes, value);
	put(aml, bytes, size);
}

/* Puts count bytes before what stands from place on. */
static void insert(struct aml *aml, size_t place, const uint8_t *bytes, size_t count)
{
	if (aml->overflow || count > aml->capacity - aml->length) {
		aml->overflow = true;
		return;
	}
	memmove(aml->bytes + place + count, aml->bytes + place, aml->length - place);
	memcpy(aml->bytes + place, bytes, count);
	aml->length += count;
}

/* PkgLength (20.2.4): counts itself; the first byte says how many follow. */
static void insert_package_length(struct aml *aml, size_t place)
{
	size_t length = aml->length - place;
	uint8_t bytes[4];
	unsigned extra = 0;

	if (length + 1 < BIT(6)) {
		bytes[0] = (uint8_t)(length + 1);
	} else {
		extra = length + 2 < BIT(12) ? 1 : length + 3 < BIT(20) ? 2 : 3;
		length += 1 + extra;
		bytes[0] = (uint8_t)(extra << 6 | (length & 0xf));
		for (unsigned i = 0; i < extra; i++)
			bytes[1 + i] = (uint8_t)(length >> (4 + 8 * i));
	}
	insert(aml, place, bytes, 1 + extra);
}

/* --- Terms ----------------------------------------------------------------------------------- */

size_t aml_scope_begin(struct aml *aml, const char *name)
{
	size_t place;

	put_number(aml, AML_SCOPE, 1);
	place = aml->length;
	put(aml, name, AML_NAME_LENGTH);
	return place;
}

size_t aml_device_begin(struct aml *aml, const char *name)
{
	size_t place;

	put_number(aml, AML_EXTENDED | AML_EXTENDED_DEVICE << 8, 2);
	place = aml->length;
	put(aml, name, AML_NAME_LENGTH);
	return place;
}

size_t aml_package_begin(struct aml *aml, uint8_t elements)
{
	size_t place;

	put_number(aml, AML_PACKAGE, 1);
	place = aml->length;
	put_number(aml, elements, 1);
	return place;
}

void aml_end(struct aml *aml, size_t place)
{
	insert_package_length(aml, place);
}

void aml_name(struct aml *aml, const char *name)
{
	put_number(aml, AML_NAME, 1);
	put(aml, name, AML_NAME_LENGTH);
}

/* Writes the shortest form of value (20.2.3), and returns its length. */
static size_t encode_integer(uint8_t bytes[9], uint64_t value)
{
	static const struct {
		uint8_t opcode, size;
	} forms[] = {{AML_BYTE, 1}, {AML_WORD, 2}, {AML_DWORD, 4}, {AML_QWORD, 8}};
	unsigned form = 0;

	if (value <= 1) {
		bytes[0] = value ? AML_ONE : AML_ZERO;
		return 1;
	}
	while (value > size_mask(forms[form].size))
		form++;
	bytes[0] = forms[form].opcode;
	store_le64(bytes + 1, value);
	return 1 + forms[form].size;
}

void aml_integer(struct aml *aml, uint64_t value)
{
	uint8_t bytes[9];

	put(aml, bytes, encode_integer(bytes, value));
}

static uint32_t hex_digit(char digit)
{
	return (uint32_t)(digit <= '9' ? digit - '0' : digit - 'A' + 10);
}

/* Three letters of five bits and four digits, high byte first (19.3.4, EISAID). */
void aml_eisa_id(struct aml *aml, const char *id)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < 3; i++)
		value = value << 5 | (uint32_t)(id[i] - '@');
	for (unsigned i = 3; i < 7; i++)
		value = value << 4 | hex_digit(id[i]);
	aml_integer(aml, __builtin_bswap32(value));
}

/* --- Resource templates ---------------------------------------------------------------------- */

enum resource_tag {
	RESOURCE_IRQ_NO_FLAGS = 0x22, /* 6.4.2.1 */
	RESOURCE_PORTS = 0x47,        /* 6.4.2.5 */
	RESOURCE_END = 0x79,          /* 6.4.2.9 */
	RESOURCE_MEMORY32_FIXED = 0x86,
	RESOURCE_DWORD_SPACE = 0x87, /* 6.4.3.5.2 */
	RESOURCE_WORD_SPACE = 0x88,  /* 6.4.3.5.3 */
	RESOURCE_QWORD_SPACE = 0x8a, /* 6.4.3.5.1 */
};

enum resource_space { SPACE_MEMORY = 0, SPACE_PORTS = 1, SPACE_BUS = 2 };

/* General flags of a window (table 6.43): produced, decoded positively, neither end can move. */
#define WINDOW_FIXED (1 << 2 | 1 << 3)
#define WINDOW_PORTS_ENTIRE_RANGE 3 /* table 6.50: ISA and non-ISA ranges */
#define WINDOW_MEMORY_WRITABLE 1    /* table 6.49; not cacheable */
#define PORTS_DECODE_16 1
#define MEMORY_WRITABLE 1

size_t aml_resources_begin(struct aml *aml)
{
	put_number(aml, AML_BUFFER, 1);
	return aml->length;
}

void aml_resources_end(struct aml *aml, size_t place)
{
	uint8_t size[9];

	put_number(aml, RESOURCE_END, 2); /* with checksum 0: not to be checked */
	insert(aml, place, size, encode_integer(size, aml->length - place));
	insert_package_length(aml, place);
}

void aml_resource_irq(struct aml *aml, unsigned line)
{
	put_number(aml, RESOURCE_IRQ_NO_FLAGS, 1);
	put_number(aml, BIT(line), 2);
}

void aml_resource_ports(struct aml *aml, uint16_t base, uint8_t count)
{
	put_number(aml, RESOURCE_PORTS, 1);
	put_number(aml, PORTS_DECODE_16, 1);
	put_number(aml, base, 2); /* lowest and highest base */
	put_number(aml, base, 2);
	put_number(aml, 1, 1); /* alignment */
	put_number(aml, count, 1);
}

void aml_resource_memory32_fixed(struct aml *aml, uint32_t base, uint32_t size)
{
	put_number(aml, RESOURCE_MEMORY32_FIXED, 1);
	put_number(aml, 9, 2); /* bytes that follow */
	put_number(aml, MEMORY_WRITABLE, 1);
	put_number(aml, base, 4);
	put_number(aml, size, 4);
}

/* An address space descriptor with numbers of size bytes (6.4.3.5). */
static void window(struct aml *aml, uint8_t tag, unsigned size, enum resource_space space,
		   uint8_t space_flags, uint64_t base, uint64_t end)
{
	put_number(aml, tag, 1);
	put_number(aml, 3 + 5 * size, 2); /* bytes that follow */
	put_number(aml, space, 1);
	put_number(aml, WINDOW_FIXED, 1);
	put_number(aml, space_flags, 1);
	put_number(aml, 0, size); /* granularity */
	put_number(aml, base, size);
	put_number(aml, end - 1, size);
	put_number(aml, 0, size); /* translation */
	put_number(aml, end - base, size);
}

void aml_resource_bus_window(struct aml *aml, uint16_t base, uint32_t end)
{
	window(aml, RESOURCE_WORD_SPACE, 2, SPACE_BUS, 0, base, end);
}

void aml_resource_port_window(struct aml *aml, uint16_t base, uint32_t end)
{
	window(aml, RESOURCE_WORD_SPACE, 2, SPACE_PORTS, WINDOW_PORTS_ENTIRE_RANGE, base, end);
}

void aml_resource_memory32_window(struct aml *aml, uint32_t base, uint64_t end)
{
	window(aml, RESOURCE_DWORD_SPACE, 4, SPACE_MEMORY, WINDOW_MEMORY_WRITABLE, base, end);
}

void aml_resource_memory64_window(struct aml *aml, uint64_t base, uint64_t end)
{
	window(aml, RESOURCE_QWORD_SPACE, 8, SPACE_MEMORY, WINDOW_MEMORY_WRITABLE, base, end);
}
