/* SPDX-License-Identifier: MIT */
/*
 * cut_disk.c - a disk after a cut of power, made of the disk as it was and of the emulator's log of
 * all that was written to it since (QEMU's blklogwrites, in the format of Linux' dm-log-writes):
 * what was flushed is there, and of what was written since then any sectors.
 *
 *   cut_disk DISK LOG SEED
 *
 * Exit status 3: the log has a hole, where something was still being logged; the disk is as it was.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR 512
#define MAGIC UINT64_C(0x6a736677736872)
#define FLAG_FLUSH 1u
#define FLAG_FUA 2u
#define FLAG_DISCARD 4u
#define STATUS_HOLE 3

struct super {
	uint64_t magic, version, entries;
	uint32_t sector_size;
};

struct entry {
	uint64_t sector, sectors, flags, data_length;
};

static uint8_t *read_file(const char *name, size_t *size)
{
	FILE *file = fopen(name, "rb");
	uint8_t *bytes = NULL;
	long length;

	if (!file || fseek(file, 0, SEEK_END) || (length = ftell(file)) < 0)
		goto out;
	rewind(file);
	*size = (size_t)length;
	bytes = malloc(*size + 1);
	if (bytes && fread(bytes, 1, *size, file) != *size) {
		free(bytes);
		bytes = NULL;
	}
out:
	if (file)
		fclose(file);
	return bytes;
}

struct log {
	const uint8_t *bytes;
	size_t size, at;
};

/* The next entry and its data; NULL: there is none that is complete. */
static const uint8_t *next(struct log *log, struct entry *entry)
{
	const uint8_t *data = log->bytes + log->at + SECTOR;
	size_t left = log->size - log->at, length;

	if (left < SECTOR)
		return NULL;
	memcpy(entry, log->bytes + log->at, sizeof(*entry));
	if (!entry->sectors && !entry->flags)
		return NULL;
	length = entry->flags & FLAG_DISCARD ? 0 : entry->sectors * SECTOR;
	if (left - SECTOR < length)
		return NULL;
	log->at += SECTOR + length;
	return data;
}

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* kept: of so many sectors out of 4. */
static void apply(uint8_t *disk, size_t size, const struct entry *entry, const uint8_t *data,
		  unsigned kept, uint64_t *state)
{
	if (entry->flags & FLAG_DISCARD)
		return;
	for (uint64_t i = 0; i < entry->sectors; i++)
		if ((entry->sector + i + 1) * SECTOR <= size && random_next(state) % 4 < kept)
			memcpy(disk + (entry->sector + i) * SECTOR, data + i * SECTOR, SECTOR);
}

static int cut(uint8_t *disk, size_t size, struct log *log, uint64_t state)
{
	unsigned kept = random_next(&state) % 5, entries = 0, flushed = 0, index = 0;
	const uint8_t *data;
	struct entry entry;

	while (next(log, &entry)) {
		entries++;
		if (entry.flags & FLAG_FLUSH)
			flushed = entries;
	}
	for (size_t at = log->at; at < log->size; at++)
		if (log->bytes[at])
			return STATUS_HOLE;
	for (log->at = SECTOR; (data = next(log, &entry)); index++)
		apply(disk, size, &entry, data,
		      index < flushed || (entry.flags & FLAG_FUA) ? 4 : kept, &state);
	printf("%u writes and flushes, %u behind the last flush, of which %u%% is kept\n", entries,
	       entries - flushed, kept * 25);
	return 0;
}

int main(int argc, char **argv)
{
	struct super super = {0};
	struct log log = {.at = SECTOR};
	uint8_t *disk, *bytes;
	size_t size;
	FILE *file;
	int status = 1;

	if (argc != 4)
		return 2;
	disk = read_file(argv[1], &size);
	bytes = read_file(argv[2], &log.size);
	if (!disk || !bytes) {
		fprintf(stderr, "cut_disk: the disk or the log can't be read\n");
		goto out;
	}
	log.bytes = bytes;
	/* The head may have been written before any entry, or not at all. */
	if (log.size >= SECTOR)
		memcpy(&super, bytes, sizeof(super));
	if (super.magic && (super.magic != MAGIC || super.sector_size != SECTOR)) {
		fprintf(stderr, "cut_disk: %s is no log of sectors of %d bytes\n", argv[2], SECTOR);
		goto out;
	}
	status = cut(disk, size, &log, strtoull(argv[3], NULL, 10) * 2 + 1);
	if (status)
		goto out;
	file = fopen(argv[1], "wb");
	if (!file || fwrite(disk, 1, size, file) != size)
		status = 1;
	if (file && fclose(file))
		status = 1;
out:
	free(disk);
	free(bytes);
	return status;
}
