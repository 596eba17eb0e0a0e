/* SPDX-License-Identifier: MIT */
/*
 * boot.c - copies what the boot loader told, and checks it (Multiboot2 2.0, section 3.6); says
 * which memory is free.  The information is in the low 4 GiB, which start.S's tables map.
 */
#include "type1/runtime/boot.h"

#include "hw/acpi.h"
#include "hw/multiboot2.h"
#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/runtime/image.h"
#include "type1/runtime/memory.h"

#define INFO_MAX MIB
#define LOW_MEMORY_END MIB
#define SCREEN_SIDE_MAX 16384u /* in characters or pixels */
#define CELL_SIZE 2u

struct boot_module boot_modules[BOOT_MODULES_MAX];
unsigned boot_module_count;
char boot_arguments[256];
struct boot_range boot_memory[BOOT_RANGES_MAX];
unsigned boot_memory_count;
uint64_t boot_rsdp[BOOT_RSDP_SIZE / 8];
struct type1_screen boot_screen;
uint64_t boot_screen_at, boot_screen_size;

const struct boot_module *boot_module_find(const char *name, size_t size)
{
	for (unsigned i = 0; i < boot_module_count; i++) {
		const struct boot_module *module = &boot_modules[i];

		if (text_length(module->name) == size && memcmp(module->name, name, size) == 0)
			return module;
	}
	return NULL;
}

/* Of the string that ends a tag, as much as there is room for. */
static void copy_text(char *to, size_t room, const char *from, size_t size)
{
	size_t length = MIN(text_length_max(from, size), room - 1);

	memcpy(to, from, length);
	to[length] = 0;
}

static void copy_module(const struct multiboot2_module *tag)
{
	const char *line = (const char *)(tag + 1);
	size_t size = text_length_max(line, tag->tag.size - sizeof(*tag)), name = 0, rest;
	struct boot_module *module;

	while (name < size && line[name] != ' ')
		name++;
	rest = name;
	while (rest < size && line[rest] == ' ')
		rest++;
	if (boot_module_count == BOOT_MODULES_MAX)
		panic(NULL, "boot: more than %u modules", BOOT_MODULES_MAX);
	if (name == 0 || name >= BOOT_NAME_MAX)
		panic(NULL, "boot: the name of module %u has %zu bytes, not 1 to %u",
		      boot_module_count, name, BOOT_NAME_MAX - 1);
	if (size - rest >= sizeof(module->arguments))
		panic(NULL, "boot: the arguments of module %u are too long", boot_module_count);
	if (!is_aligned(tag->start, PAGE_SIZE) || tag->end < tag->start)
		panic(NULL, "boot: module %u doesn't begin on a page", boot_module_count);
	module = &boot_modules[boot_module_count++];
	copy_text(module->name, sizeof(module->name), line, name);
	copy_text(module->arguments, sizeof(module->arguments), line + rest, size - rest);
	module->physical = tag->start;
	module->size = tag->end - tag->start;
}

static void copy_memory_map(const struct multiboot2_memory_map *tag)
{
	const char *at = (const char *)(tag + 1), *end = (const char *)tag + tag->tag.size;

	if (tag->entry_size < sizeof(struct multiboot2_memory_entry))
		panic(NULL, "boot: entries of the memory map are too small");
	for (; (size_t)(end - at) >= tag->entry_size; at += tag->entry_size) {
		const struct multiboot2_memory_entry *entry = (const void *)at;
		uint64_t start = align_up(entry->address, PAGE_SIZE);
		uint64_t stop = align_down(entry->address + entry->length, PAGE_SIZE);

		if (entry->type != MULTIBOOT2_MEMORY_AVAILABLE || start >= stop)
			continue;
		if (boot_memory_count && boot_memory[boot_memory_count - 1].end == start) {
			boot_memory[boot_memory_count - 1].end = stop;
			continue;
		}
		if (boot_memory_count == BOOT_RANGES_MAX)
			panic(NULL, "boot: more than %u ranges of memory", BOOT_RANGES_MAX);
		boot_memory[boot_memory_count++] = (struct boot_range){start, stop};
	}
}

static void copy_screen(const struct multiboot2_framebuffer *tag)
{
	bool text = tag->type == MULTIBOOT2_FRAMEBUFFER_TEXT;
	struct type1_screen screen = {
		.kind = text ? TYPE1_SCREEN_TEXT : TYPE1_SCREEN_PIXELS,
		.width = tag->width,
		.height = tag->height,
		.pitch = tag->pitch,
		.cell_bytes = text ? CELL_SIZE : tag->bits / 8,
		.offset = tag->address % PAGE_SIZE,
	};

	if (tag->type == MULTIBOOT2_FRAMEBUFFER_RGB &&
	    tag->tag.size >= sizeof(*tag) + MULTIBOOT2_FRAMEBUFFER_COLOURS)
		memcpy(&screen.red, tag + 1, MULTIBOOT2_FRAMEBUFFER_COLOURS);
	else if (!text)
		return;
	if (!screen.width || !screen.height || !screen.cell_bytes ||
	    screen.width > SCREEN_SIDE_MAX || screen.height > SCREEN_SIDE_MAX ||
	    screen.pitch < screen.width * screen.cell_bytes)
		return;
	boot_screen = screen;
	boot_screen_at = tag->address - screen.offset;
	boot_screen_size =
		align_up(screen.offset + (uint64_t)screen.pitch * screen.height, PAGE_SIZE);
}

static void copy_tag(const struct multiboot2_tag *tag)
{
	size_t room = tag->size - sizeof(*tag);

	switch (tag->type) {
	case MULTIBOOT2_TAG_COMMAND_LINE:
		copy_text(boot_arguments, sizeof(boot_arguments), (const char *)(tag + 1), room);
		break;
	case MULTIBOOT2_TAG_MODULE:
		if (tag->size >= sizeof(struct multiboot2_module))
			copy_module((const struct multiboot2_module *)tag);
		break;
	case MULTIBOOT2_TAG_MEMORY_MAP:
		if (tag->size >= sizeof(struct multiboot2_memory_map))
			copy_memory_map((const struct multiboot2_memory_map *)tag);
		break;
	case MULTIBOOT2_TAG_FRAMEBUFFER:
		if (tag->size >= sizeof(struct multiboot2_framebuffer))
			copy_screen((const struct multiboot2_framebuffer *)tag);
		break;
	case MULTIBOOT2_TAG_ACPI_OLD:
		if (boot_rsdp[0]) /* the newer one counts */
			break;
		__attribute__((fallthrough));
	case MULTIBOOT2_TAG_ACPI_NEW:
		memset(boot_rsdp, 0, sizeof(boot_rsdp));
		memcpy(boot_rsdp, tag + 1, MIN(room, sizeof(boot_rsdp)));
		break;
	default:
		break;
	}
}

void boot_init(uint32_t physical)
{
	const struct multiboot2_info *info = physical_at(physical);
	uint32_t size = info->total_size, at = sizeof(*info);

	if (size > INFO_MAX)
		panic(NULL, "boot: the boot information has %u bytes", size);
	while (at + sizeof(struct multiboot2_tag) <= size) {
		const struct multiboot2_tag *tag = (const void *)((const char *)info + at);

		if (tag->type == MULTIBOOT2_TAG_END)
			break;
		if (tag->size < sizeof(*tag) || tag->size > size - at)
			panic(NULL, "boot: a tag of type %u has %u bytes", tag->type, tag->size);
		copy_tag(tag);
		at = (uint32_t)align_up(at + tag->size, MULTIBOOT2_TAG_ALIGN);
	}
	if (!boot_memory_count)
		panic(NULL, "boot: the boot loader tells of no memory");
}

/* The end of a module that has memory between start and end; 0: none has. */
static uint64_t module_in(uint64_t start, uint64_t end)
{
	for (unsigned i = 0; i < boot_module_count; i++) {
		uint64_t first = boot_modules[i].physical;
		uint64_t last = align_up(first + boot_modules[i].size, PAGE_SIZE);

		if (first < end && start < last)
			return last;
	}
	return 0;
}

/* Where something that is taken ends, if start is in it; else start.  *end becomes where the next
 * such begins, if that's before. */
static uint64_t skip_taken(uint64_t start, uint64_t *end)
{
	struct boot_range taken[BOOT_MODULES_MAX + 2] = {
		{0, LOW_MEMORY_END},
		{(uint64_t)image_start - IMAGE_MAP, (uint64_t)image_end - IMAGE_MAP},
	};
	unsigned count = 2;

	for (unsigned i = 0; i < boot_module_count; i++) {
		uint64_t first = boot_modules[i].physical;

		taken[count++] = (struct boot_range){
			first, align_up(first + boot_modules[i].size, PAGE_SIZE)};
	}
	for (unsigned i = 0; i < count; i++) {
		if (start >= taken[i].start && start < taken[i].end)
			return taken[i].end;
		if (taken[i].start > start)
			*end = MIN(*end, taken[i].start);
	}
	return start;
}

void boot_each_free(uint64_t from, uint64_t to, void (*each)(uint64_t start, uint64_t end))
{
	for (unsigned i = 0; i < boot_memory_count; i++) {
		uint64_t at = MAX(boot_memory[i].start, from), stop = MIN(boot_memory[i].end, to);

		while (at < stop) {
			uint64_t end = stop, start = skip_taken(at, &end);

			if (start == at) {
				each(at, end);
				at = end;
			} else {
				at = start;
			}
		}
	}
}

uint64_t boot_low_page(void)
{
	for (unsigned i = 0; i < boot_memory_count; i++) {
		uint64_t page = MAX(boot_memory[i].start, PAGE_SIZE);
		uint64_t end = MIN(boot_memory[i].end, LOW_MEMORY_END), next;

		for (; page + PAGE_SIZE <= end; page = next) {
			next = module_in(page, page + PAGE_SIZE);
			if (!next)
				return page;
		}
	}
	return 0;
}
