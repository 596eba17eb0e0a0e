/* SPDX-License-Identifier: MIT */
/*
 * virtio_blk.c - virtio's disks (block.h; virtio 1.2 section 5.2), with one queue.
 *
 * A command has a slot: a table of descriptors of its own, which is an indirect one where the
 * device knows those (2.7.5.3), else its part of the queue's.
 */
#include <linux/errno.h>

#include "lib/bits.h"
#include "type1/drivers/block.h"
#include "type1/drivers/virtio_pci.h"

#define QUEUE 0
#define QUEUE_SIZE 256
#define INTERRUPT 0
#define SLOTS_MAX 64
#define TRANSFER_MAX MIB
#define TABLE_ENTRIES 64
#define TABLE_OWN 2 /* header and status */
#define TABLE_LEAST (TABLE_OWN + 2)

/* What the device reads and writes of a command besides its data. */
struct slot {
	struct virtq_desc table[TABLE_ENTRIES]; /* the indirect one */
	struct virtio_blk_request header;
	struct virtio_blk_range range;
	uint8_t status;
	uint8_t unused[15];
};
_Static_assert(sizeof(struct slot) % VIRTQ_DESCRIPTOR_ALIGNMENT == 0, "tables are aligned");

struct disk {
	struct block_device block;
	struct virtio_pci virtio;
	struct virtio_queue queue;
	struct slot *slots;
	uint64_t slots_physical;
	unsigned slot_count, entries; /* of a table */
	struct block_request *requests[SLOTS_MAX];
};

static struct disk *to_disk(struct block_device *block)
{
	return CONTAINER_OF(block, struct disk, block);
}

/* --- Commands */

struct table {
	struct virtq_desc *entries;
	uint16_t first; /* number of the first in its table */
	uint16_t count;
};

static void put(struct table *table, uint64_t address, uint64_t length, uint16_t flags)
{
	table->entries[table->count] = (struct virtq_desc){
		.address = address,
		.length = (uint32_t)length,
		.flags = flags | VIRTQ_DESC_F_NEXT,
		.next = (uint16_t)(table->first + table->count + 1),
	};
	table->count++;
}

static uint32_t fill_type(struct slot *slot, const struct block_piece *piece)
{
	slot->range = (struct virtio_blk_range){
		.sector = piece->offset / VIRTIO_BLK_SECTOR_SIZE,
		.sector_count = (uint32_t)(piece->length / VIRTIO_BLK_SECTOR_SIZE),
	};
	switch (piece->operation) {
	case BLOCK_READ:
		return VIRTIO_BLK_T_IN;
	case BLOCK_WRITE:
		return VIRTIO_BLK_T_OUT;
	case BLOCK_FLUSH:
		break;
	case BLOCK_DISCARD:
		return VIRTIO_BLK_T_DISCARD;
	case BLOCK_ZERO:
		slot->range.flags = VIRTIO_BLK_WRITE_ZEROES_F_UNMAP;
		return VIRTIO_BLK_T_WRITE_ZEROES;
	}
	return VIRTIO_BLK_T_FLUSH;
}

/* The chain's head in the queue. */
static uint16_t fill_table(struct disk *disk, unsigned number, const struct block_piece *piece)
{
	bool indirect = virtio_pci_has(&disk->virtio, VIRTIO_F_INDIRECT_DESC);
	uint64_t physical = disk->slots_physical + number * sizeof(struct slot);
	uint16_t head = (uint16_t)(indirect ? number : number * disk->entries);
	struct block_memory memory = block_memory(piece);
	struct slot *slot = &disk->slots[number];
	struct table table = {
		.entries = indirect ? slot->table : &disk->queue.descriptors[head],
		.first = indirect ? 0 : head,
	};
	struct type1_extent extent;

	slot->header = (struct virtio_blk_request){.type = fill_type(slot, piece)};
	put(&table, physical + offsetof(struct slot, header), sizeof(slot->header), 0);
	if (piece->extents) {
		slot->header.sector = slot->range.sector;
		while (block_memory_next(&memory, UINT32_MAX, &extent))
			put(&table, extent.physical, extent.size,
			    piece->operation == BLOCK_READ ? VIRTQ_DESC_F_WRITE : 0);
	} else if (piece->operation != BLOCK_FLUSH) {
		put(&table, physical + offsetof(struct slot, range), sizeof(slot->range), 0);
	}
	put(&table, physical + offsetof(struct slot, status), sizeof(slot->status),
	    VIRTQ_DESC_F_WRITE);
	table.entries[table.count - 1].flags &= (uint16_t)~VIRTQ_DESC_F_NEXT;
	if (indirect)
		disk->queue.descriptors[head] = (struct virtq_desc){
			.address = physical + offsetof(struct slot, table),
			.length = (uint32_t)(table.count * sizeof(struct virtq_desc)),
			.flags = VIRTQ_DESC_F_INDIRECT,
		};
	return head;
}

static bool virtio_blk_start(struct block_device *block, const struct block_piece *piece)
{
	struct disk *disk = to_disk(block);
	unsigned slot = 0;

	while (slot < disk->slot_count && disk->requests[slot])
		slot++;
	if (slot == disk->slot_count)
		return false;
	disk->requests[slot] = piece->request;
	virtio_queue_put(&disk->queue, fill_table(disk, slot, piece));
	return true;
}

static void virtio_blk_kick(struct block_device *block)
{
	virtio_queue_kick(&to_disk(block)->queue);
}

static void virtio_blk_interrupt(void *arg)
{
	struct disk *disk = arg;
	struct virtq_used_element element;

	while (virtio_queue_take(&disk->queue, &element)) {
		bool indirect = virtio_pci_has(&disk->virtio, VIRTIO_F_INDIRECT_DESC);
		uint32_t slot = indirect ? element.id : element.id / disk->entries;
		struct block_request *request;

		if (slot >= disk->slot_count || !disk->requests[slot])
			continue;
		request = disk->requests[slot];
		disk->requests[slot] = NULL;
		block_finish(request, disk->slots[slot].status == VIRTIO_BLK_S_OK ? 0 : -EIO);
	}
	block_kick(&disk->block);
}

/* --- Set-up */

static int fill_info(struct disk *disk)
{
	struct virtio_blk_config config;
	struct virtio_pci *virtio = &disk->virtio;
	struct block_info *info = &disk->block.info;

	virtio_pci_config(virtio, 0, &config, sizeof(config));
	info->size = config.capacity * VIRTIO_BLK_SECTOR_SIZE;
	info->block_size = VIRTIO_BLK_SECTOR_SIZE;
	if (virtio_pci_has(virtio, VIRTIO_BLK_F_BLK_SIZE))
		info->block_size = config.blk_size;
	if (!is_power_of_two(info->block_size) || info->block_size < VIRTIO_BLK_SECTOR_SIZE ||
	    info->block_size > BLOCK_SIZE_MAX ||
	    config.capacity > (UINT64_MAX >> 1) / VIRTIO_BLK_SECTOR_SIZE)
		return -ENODEV;
	info->read_only = virtio_pci_has(virtio, VIRTIO_BLK_F_RO);
	/* Section 5.2.6.2: who can't flush has no cache. */
	info->write_through = !virtio_pci_has(virtio, VIRTIO_BLK_F_FLUSH);
	info->transfer_max = TRANSFER_MAX;
	/* A segment is no longer than a command: a limit of theirs is kept by shorter ones. */
	if (virtio_pci_has(virtio, VIRTIO_BLK_F_SIZE_MAX))
		info->transfer_max =
			align_down(MIN(info->transfer_max, config.size_max), info->block_size);
	info->extents_max = disk->entries - TABLE_OWN;
	if (virtio_pci_has(virtio, VIRTIO_BLK_F_SEG_MAX))
		info->extents_max = MIN(info->extents_max, config.seg_max);
	if (virtio_pci_has(virtio, VIRTIO_BLK_F_DISCARD))
		info->discard_max = (uint64_t)config.max_discard_sectors * VIRTIO_BLK_SECTOR_SIZE;
	if (virtio_pci_has(virtio, VIRTIO_BLK_F_WRITE_ZEROES))
		info->zero_max = (uint64_t)config.max_write_zeroes_sectors * VIRTIO_BLK_SECTOR_SIZE;
	info->discard_max = align_down(info->discard_max, info->block_size);
	info->zero_max = align_down(info->zero_max, info->block_size);
	return info->transfer_max && info->extents_max >= 2 ? 0 : -ENODEV;
}

static int make_slots(struct disk *disk)
{
	unsigned size = disk->queue.size;

	disk->entries = MIN(TABLE_ENTRIES, size); /* also of an indirect one, 2.7.5.3.1 */
	if (disk->entries < TABLE_LEAST)
		return -ENODEV;
	if (virtio_pci_has(&disk->virtio, VIRTIO_F_INDIRECT_DESC))
		disk->slot_count = MIN(SLOTS_MAX, size);
	else
		disk->slot_count = size / disk->entries;
	disk->slots = device_dma(disk->block.controller, disk->slot_count * sizeof(struct slot),
				 &disk->slots_physical);
	return disk->slots ? 0 : -ENOMEM;
}

static int virtio_blk_open(struct device *device, struct os_loop *loop, struct block_device **disks,
			   struct error *why)
{
	uint64_t wanted = BIT(VIRTIO_F_INDIRECT_DESC) | BIT(VIRTIO_BLK_F_SIZE_MAX) |
			  BIT(VIRTIO_BLK_F_SEG_MAX) | BIT(VIRTIO_BLK_F_RO) |
			  BIT(VIRTIO_BLK_F_BLK_SIZE) | BIT(VIRTIO_BLK_F_FLUSH) |
			  BIT(VIRTIO_BLK_F_DISCARD) | BIT(VIRTIO_BLK_F_WRITE_ZEROES);
	struct disk *disk = os_alloc(sizeof(*disk));
	int error;

	if (!disk)
		return error_set(why, -ENOMEM, "out of memory");
	disk->block.driver = &virtio_blk_driver;
	disk->block.controller = device;
	error = virtio_pci_open(&disk->virtio, device, wanted, why);
	if (error < 0)
		goto free_disk;
	error = virtio_pci_queue(&disk->virtio, &disk->queue, QUEUE, QUEUE_SIZE, INTERRUPT);
	if (!error)
		error = make_slots(disk);
	if (!error)
		error = fill_info(disk);
	if (!error)
		error = device_interrupt(device, INTERRUPT, loop, virtio_blk_interrupt, disk);
	if (!error)
		error = block_add(&disk->block, disks);
	if (error < 0) {
		error_set(why, error, "its queue or its data are none that we can use (error %d)",
			  -error);
		goto free_disk;
	}
	virtio_pci_start(&disk->virtio);
	return 0;
free_disk:
	virtio_pci_reset(&disk->virtio);
	os_free(disk);
	return error;
}

static bool virtio_blk_matches(const struct type1_device *info)
{
	return virtio_pci_matches(info, VIRTIO_ID_BLOCK);
}

const struct block_driver virtio_blk_driver = {
	.name = "virtio",
	.matches = virtio_blk_matches,
	.open = virtio_blk_open,
	.start = virtio_blk_start,
	.kick = virtio_blk_kick,
};
