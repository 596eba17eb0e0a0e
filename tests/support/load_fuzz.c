/* SPDX-License-Identifier: MIT */
#include "tests/support/load_fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "lib/bits.h"
#include "tests/support/load_guest.h"

#define GUEST_SIZE (32 * MIB)

/* The first byte of the input. */
#define OPTION_RAW 0x01
#define OPTION_KASLR 0x02
#define OPTION_INITRD 0x04
#define OPTION_MODULE 0x08
#define VARIANT_SHIFT 4

struct change {
	uint16_t offset;
	uint8_t size; /* 1 to 8 */
	uint64_t value;
};

static const uint8_t *take_change(const uint8_t *data, const uint8_t *end, struct change *change)
{
	if (end - data < 3)
		return NULL;
	change->offset = load_le16(data);
	change->size = 1 + data[2] % 8;
	change->value = 0;
	data += 3;
	if (end - data < change->size)
		return NULL;
	memcpy(&change->value, data, change->size);
	return data + change->size;
}

static struct image make_kernel(const uint8_t *data, size_t size, uint8_t options,
				struct image (*seed)(unsigned variant))
{
	const uint8_t *end = data + size;
	struct image image = {0};
	struct change change;

	if (options & OPTION_RAW) {
		image_resize(&image, size);
		if (size)
			memcpy(image.bytes, data, size);
		return image;
	}
	image = seed(options >> VARIANT_SHIFT);
	while (data && (data = take_change(data, end, &change)) != NULL)
		if (change.offset + (size_t)change.size <= image.size)
			memcpy(image.bytes + change.offset, &change.value, change.size);
	return image;
}

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* What is promised of every guest that was loaded. */
static void check_guest(const struct guest *guest)
{
	const struct load_entry *entry = &guest->entry;
	gpa_t info = entry->mode == LOAD_MODE_LONG64 ? entry->rsi : entry->rbx;

	check(entry->protocol != NULL);
	check(guest_memory_range(&guest->memory, entry->rip, 1) != NULL);
	check(entry->rip < 0x80000 || entry->rip >= 0x9c000);
	check(info >= 0x80000 && info < 0x9c000);
	check(entry->gdt >= 0x80000 && entry->gdt < 0x9c000);
	if (entry->mode == LOAD_MODE_LONG64) {
		struct linux_boot_params params;
		gpa_t start;

		guest_read(guest, info, &params, sizeof(params));
		start = params.hdr.ramdisk_image | (gpa_t)params.ext_ramdisk_image << 32;
		if (params.hdr.ramdisk_size)
			check(guest_holds(guest, start, 0x77, params.hdr.ramdisk_size));
		check(entry->rip < start || entry->rip >= start + params.hdr.ramdisk_size);
	}
}

void load_fuzz(const uint8_t *data, size_t size, struct image (*seed)(unsigned variant))
{
	static uint8_t initrd[5000];
	uint8_t options = size ? data[0] : 0;
	struct image kernel;
	struct guest guest;
	int err;

	guest_create(&guest, GUEST_SIZE);
	memset(initrd, 0x77, sizeof(initrd));
	guest.request.kaslr = options & OPTION_KASLR;
	if (options & OPTION_INITRD)
		guest.request.initrd = (struct load_file){
			.name = "initrd", .file = fake_file_create(initrd, sizeof(initrd))};
	if (options & OPTION_MODULE) {
		guest.request.modules[0] =
			(struct load_file){.name = "module",
					   .arguments = "with arguments",
					   .file = fake_file_create(initrd, 100)};
		guest.request.module_count = 1;
	}
	kernel = make_kernel(data + (size ? 1 : 0), size ? size - 1 : 0, options, seed);
	err = guest_load(&guest, &kernel);
	check(err <= 0);
	if (err)
		check(guest.why.text[0] != '\0');
	else
		check_guest(&guest);
	image_free(&kernel);
	os_file_close(guest.request.initrd.file);
	os_file_close(guest.request.modules[0].file);
	guest_destroy(&guest);
}
