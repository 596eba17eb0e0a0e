/* SPDX-License-Identifier: MIT */
/*
 * place.c - where in guest RAM things go: the kernel, initrd and modules, and the boot structures
 * that every protocol hands over.
 */
#include <linux/errno.h>

#include "hw/x86.h"
#include "lib/bits.h"
#include "lib/bytes.h"
#include "lib/error.h"
#include "monitor/load/parts.h"

/* --- Guest RAM -------------------------------------------------------------------------------- */

bool load_is_ram(const struct load_context *context, gpa_t start, uint64_t length)
{
	const struct load_request *request = context->request;

	if (!guest_memory_range(context->memory, start, length))
		return false;
	for (unsigned i = 0; i < request->map_count; i++) {
		const struct memory_map_entry *entry = &request->map[i];

		if (entry->type == MEMORY_MAP_RAM && start >= entry->start &&
		    start - entry->start < entry->size &&
		    length <= entry->size - (start - entry->start))
			return true;
	}
	return false;
}

static gpa_t ram_end(const struct load_context *context)
{
	const struct load_request *request = context->request;
	gpa_t end = 0;

	for (unsigned i = 0; i < request->map_count; i++)
		if (request->map[i].type == MEMORY_MAP_RAM)
			end = MAX(end, request->map[i].start + request->map[i].size);
	return end;
}

int load_check_kernel_range(struct load_context *context, gpa_t start, uint64_t length)
{
	gpa_t last = start + length - 1;

	if (last < start)
		return error_set(context->why, -EINVAL,
				 "%s is damaged: it claims 0x%llx bytes of memory at 0x%llx",
				 context->kernel, (unsigned long long)length,
				 (unsigned long long)start);
	if (last >= ram_end(context))
		return error_set(
			context->why, -ENOMEM,
			"%s needs memory up to %llu MiB and the guest has %llu MiB: give it "
			"more with --memory",
			context->kernel, load_mebibytes(last) + (last % MIB == 0),
			load_mebibytes(context->memory->size));
	if (!load_is_ram(context, start, length))
		return error_set(context->why, -EINVAL,
				 "%s wants to be loaded at 0x%llx to 0x%llx, where the machine has "
				 "something else than memory: link it to another address",
				 context->kernel, (unsigned long long)start,
				 (unsigned long long)last);
	if (start < BOOT_AREA_END && last >= BOOT_AREA_START)
		return error_set(
			context->why, -EINVAL,
			"%s wants to be loaded at 0x%llx to 0x%llx, over what it is handed at "
			"0x%llx to 0x%llx: link it to another address",
			context->kernel, (unsigned long long)start, (unsigned long long)last,
			(unsigned long long)BOOT_AREA_START, (unsigned long long)BOOT_AREA_END - 1);
	return 0;
}

void load_claim(struct load_context *context, gpa_t start, uint64_t length)
{
	if (context->kernel_start == context->kernel_end) {
		context->kernel_start = start;
		context->kernel_end = start + length;
		return;
	}
	context->kernel_start = MIN(context->kernel_start, start);
	context->kernel_end = MAX(context->kernel_end, start + length);
}

struct room {
	uint64_t length;
	uint64_t alignment;
	gpa_t floor;
	gpa_t ceiling;
	enum load_direction direction;
	bool found;
	gpa_t best;
};

/* Takes the place in [start, end) for the best one if it is better. */
static void consider(struct room *room, gpa_t start, gpa_t end)
{
	gpa_t at;

	start = MAX(MAX(start, room->floor), LOAD_HIGH_START);
	end = MIN(end, room->ceiling);
	if (start >= end || end - start < room->length)
		return;
	if (room->direction == LOAD_HIGHEST) {
		at = align_down(end - room->length, room->alignment);
		if (at < start || (room->found && at <= room->best))
			return;
	} else {
		at = align_up(start, room->alignment);
		if (at < start || at > end - room->length || (room->found && at >= room->best))
			return;
	}
	room->found = true;
	room->best = at;
}

bool load_find_room(const struct load_context *context, uint64_t length, uint64_t alignment,
		    gpa_t floor, gpa_t ceiling, enum load_direction direction, gpa_t *found)
{
	const struct load_request *request = context->request;
	struct room room = {.length = length,
			    .alignment = alignment,
			    .floor = floor,
			    .ceiling = ceiling,
			    .direction = direction};

	for (unsigned i = 0; i < request->map_count; i++) {
		gpa_t start = request->map[i].start, end = start + request->map[i].size;

		if (request->map[i].type != MEMORY_MAP_RAM)
			continue;
		if (context->kernel_start == context->kernel_end) {
			consider(&room, start, end);
			continue;
		}
		consider(&room, start, MIN(end, context->kernel_start));
		consider(&room, MAX(start, context->kernel_end), end);
	}
	*found = room.best;
	return room.found && guest_memory_range(context->memory, room.best, length);
}

void load_zero(const struct load_context *context, gpa_t start, uint64_t length)
{
	gpa_t end = start + length;
	gpa_t first_page = MIN(align_up(start, X86_PAGE_SIZE), end);
	gpa_t last_page = MAX(align_down(end, X86_PAGE_SIZE), first_page);

	if (last_page > first_page)
		os_ram_discard(
			guest_memory_range(context->memory, first_page, last_page - first_page),
			last_page - first_page);
	if (first_page > start)
		guest_memory_fill(context->memory, start, 0, first_page - start);
	if (end > last_page)
		guest_memory_fill(context->memory, last_page, 0, end - last_page);
}

/* --- What every protocol hands over ----------------------------------------------------------- */

void load_put(const struct load_context *context, gpa_t where, const void *what, uint64_t size)
{
	/* load_guest() has seen that the area is RAM. */
	guest_memory_write(context->memory, where, what, size);
}

int load_put_string(struct load_context *context, const char *first, const char *second,
		    gpa_t *where)
{
	uint64_t first_length = text_length(first);
	uint64_t second_length = second ? text_length(second) + 1 : 0; /* with the space */
	uint64_t room = BOOT_STRINGS_END - context->strings_end;
	gpa_t at = context->strings_end;

	if (first_length >= room || second_length >= room - first_length)
		return error_set(context->why, -E2BIG,
				 "the command lines of %s and its modules are longer than %llu "
				 "characters together: shorten them",
				 context->kernel,
				 (unsigned long long)(BOOT_STRINGS_END - BOOT_STRINGS - 1));
	*where = at;
	load_put(context, at, first, first_length);
	at += first_length;
	if (second) {
		load_put(context, at, " ", 1);
		load_put(context, at + 1, second, second_length - 1);
		at += second_length;
	}
	load_put(context, at, "", 1);
	context->strings_end = at + 1;
	return 0;
}

int load_put_initrd(struct load_context *context, gpa_t ceiling, bool above_4g, gpa_t *where,
		    uint64_t *size)
{
	const struct load_file *initrd = &context->request->initrd;

	*where = 0;
	*size = 0;
	if (!initrd->file)
		return 0;
	*size = os_file_size(initrd->file);
	if (!*size)
		return error_set(context->why, -EINVAL, "%s is empty: name an initrd, or none",
				 initrd->name);
	if (!load_find_room(context, *size, X86_PAGE_SIZE, 0, MIN(ceiling, 4 * GIB), LOAD_HIGHEST,
			    where) &&
	    !(above_4g && load_find_room(context, *size, X86_PAGE_SIZE, 4 * GIB, UINT64_MAX,
					 LOAD_HIGHEST, where)))
		return error_set(
			context->why, -ENOMEM,
			"the initrd %s, %llu MiB, does not fit beside %s, which takes %llu MiB, "
			"in the guest's %llu MiB: give it more with --memory",
			initrd->name, load_mebibytes(*size), context->kernel,
			load_mebibytes(context->kernel_end - context->kernel_start),
			load_mebibytes(context->memory->size));
	return load_read_file(context, initrd, *where);
}

#define FLAT_SEGMENT(type)                                                                         \
	(DESCRIPTOR_LIMIT_MAX | (uint64_t)(type) << DESCRIPTOR_TYPE_SHIFT | DESCRIPTOR_S |         \
	 DESCRIPTOR_P | DESCRIPTOR_G)

void load_put_gdt(const struct load_context *context, struct load_entry *entry)
{
	/* In long mode a TSS descriptor is two entries long. */
	const uint64_t gdt[] = {
		[LOAD_CODE_SELECTOR / 8] =
			FLAT_SEGMENT(SEGMENT_TYPE_CODE_READABLE) |
			(entry->mode == LOAD_MODE_LONG64 ? DESCRIPTOR_L : DESCRIPTOR_DB),
		[LOAD_DATA_SELECTOR / 8] = FLAT_SEGMENT(SEGMENT_TYPE_DATA_WRITABLE) | DESCRIPTOR_DB,
		[LOAD_TASK_SELECTOR / 8] = TSS_LIMIT | DESCRIPTOR_P |
					   (uint64_t)SEGMENT_TYPE_TSS32_BUSY
						   << DESCRIPTOR_TYPE_SHIFT,
		[LOAD_TASK_SELECTOR / 8 + 1] = 0,
	};

	load_put(context, BOOT_GDT, gdt, sizeof(gdt));
	entry->gdt = BOOT_GDT;
	entry->gdt_limit = sizeof(gdt) - 1;
}
