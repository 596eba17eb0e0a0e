/* SPDX-License-Identifier: MIT */
/*
 * ahci.c - disks on serial ATA controllers (block.h).  Sections are those of AHCI 1.3.1.
 *
 * Commands aren't queued in the disk (no NCQ): the controller sends those of its slots one after
 * the other.  So at an error it says which one failed (5.5.3), and the others are sent again.
 */
#include <linux/errno.h>

#include "hw/ahci.h"
#include "lib/bits.h"
#include "type1/drivers/block.h"

#define INTERRUPT 0
#define TRANSFER_MAX MIB
#define SECTOR_SIZE_DEFAULT 512
#define STOP_TIME (500 * DEVICE_MILLISECOND)   /* 10.1.2 */
#define RESET_TIME (1000 * DEVICE_MILLISECOND) /* 10.4.3 */
#define LINK_TIME (50 * DEVICE_MILLISECOND)    /* far more than serial ATA's 10 ms */
#define READY_TIME (10000 * DEVICE_MILLISECOND)
#define HANDOFF_TIME (2000 * DEVICE_MILLISECOND) /* 10.6.3 */
#define RESET_HOLD DEVICE_MILLISECOND            /* 10.4.2 */
#define SLOT_IDENTIFY 0

struct ahci;
struct ahci_disk {
	struct block_device block;
	volatile struct ahci_port *port;
	struct ahci_command_header *headers;
	struct ahci_table *tables;
	uint64_t headers_physical, tables_physical, fis_physical;
	uint8_t *trim; /* ATA_TRIM_BLOCK each slot */
	uint64_t trim_physical;
	unsigned slots;
	uint32_t issued, filled; /* slots that the controller has, and is to be given: a bit each */
	struct block_request *requests[AHCI_SLOTS_MAX];
};

struct ahci {
	struct device *device;
	volatile struct ahci_registers *registers;
	struct ahci_disk *disks[AHCI_PORTS_MAX]; /* by port */
};

/* --- Commands */

static void fill_fis(struct ahci_fis *fis, uint8_t command, uint64_t sector, uint64_t count)
{
	*fis = (struct ahci_fis){
		.type = AHCI_FIS_HOST_TO_DEVICE,
		.flags = AHCI_FIS_COMMAND,
		.command = command,
		.device = ATA_DEVICE_LBA,
		.count = (uint16_t)count,
	};
	for (unsigned i = 0; i < sizeof(fis->lba_low); i++) {
		fis->lba_low[i] = (uint8_t)(sector >> (8 * i));
		fis->lba_high[i] = (uint8_t)(sector >> (8 * (i + sizeof(fis->lba_low))));
	}
}

static void fill_header(struct ahci_disk *disk, unsigned slot, unsigned extents, bool write)
{
	disk->headers[slot] = (struct ahci_command_header){
		.flags = (uint16_t)(sizeof(struct ahci_fis) / sizeof(uint32_t) |
				    (write ? AHCI_HEADER_WRITE : 0)),
		.extents = (uint16_t)extents,
		.table = disk->tables_physical + slot * sizeof(struct ahci_table),
	};
}

static unsigned fill_memory(struct ahci_table *table, const struct block_piece *piece)
{
	struct block_memory memory = block_memory(piece);
	struct type1_extent extent;
	unsigned count = 0;

	/* block.c counts extents, which are no larger than TRANSFER_MAX here. */
	while (block_memory_next(&memory, AHCI_EXTENT_MAX, &extent))
		table->extents[count++] = (struct ahci_extent){
			.address = extent.physical,
			.size = (uint32_t)extent.size - 1,
		};
	return count;
}

/* ACS-3 section 7.5.3: one block of ranges. */
static void fill_trim(struct ahci_disk *disk, unsigned slot, uint64_t sector, uint64_t count)
{
	uint64_t *ranges = (uint64_t *)(disk->trim + (size_t)slot * ATA_TRIM_BLOCK);
	struct ahci_table *table = &disk->tables[slot];

	for (unsigned i = 0; i < ATA_TRIM_RANGES; i++) {
		uint64_t part = MIN(count, ATA_TRIM_SECTORS_MAX);

		ranges[i] = ATA_TRIM_RANGE(sector, part);
		sector += part;
		count -= part;
	}
	fill_fis(&table->fis, ATA_DATA_SET_MANAGEMENT, 0, 1);
	table->fis.features = ATA_FEATURE_TRIM;
	table->extents[0] = (struct ahci_extent){
		.address = disk->trim_physical + (size_t)slot * ATA_TRIM_BLOCK,
		.size = ATA_TRIM_BLOCK - 1,
	};
	fill_header(disk, slot, 1, true);
}

static unsigned free_slot(const struct ahci_disk *disk)
{
	unsigned slot = 0;

	while (slot < disk->slots && disk->requests[slot])
		slot++;
	return slot;
}

static bool ahci_start(struct block_device *block, const struct block_piece *piece)
{
	struct ahci_disk *disk = CONTAINER_OF(block, struct ahci_disk, block);
	unsigned slot = free_slot(disk);
	uint64_t sector = piece->offset / block->info.block_size;
	uint64_t count = piece->length / block->info.block_size;
	bool write = piece->operation == BLOCK_WRITE;
	struct ahci_table *table;

	if (slot == disk->slots)
		return false;
	table = &disk->tables[slot];
	switch (piece->operation) {
	case BLOCK_READ:
	case BLOCK_WRITE:
		fill_fis(&table->fis, write ? ATA_WRITE_DMA : ATA_READ_DMA, sector, count);
		fill_header(disk, slot, fill_memory(table, piece), write);
		break;
	case BLOCK_FLUSH:
		fill_fis(&table->fis, ATA_FLUSH_CACHE, 0, 0);
		fill_header(disk, slot, 0, false);
		break;
	case BLOCK_DISCARD:
	case BLOCK_ZERO: /* of disks that read zeros then */
		fill_trim(disk, slot, sector, count);
		break;
	}
	disk->requests[slot] = piece->request;
	disk->filled |= (uint32_t)BIT(slot);
	return true;
}

static void issue(struct ahci_disk *disk)
{
	device_publish(); /* the tables before the bit */
	disk->issued |= disk->filled;
	disk->port->command_issue = disk->filled;
	disk->filled = 0;
}

static void ahci_kick(struct block_device *block)
{
	issue(CONTAINER_OF(block, struct ahci_disk, block));
}

/* --- Ports */

/* 10.1.2 */
static bool stop_port(volatile struct ahci_port *port)
{
	port->command &= ~AHCI_CMD_START;
	return device_wait(&port->command, AHCI_CMD_RUNNING, 0, STOP_TIME);
}

static bool wait_ready(volatile struct ahci_port *port)
{
	return device_wait(&port->task_file, AHCI_TASK_BUSY | AHCI_TASK_REQUEST, 0, READY_TIME);
}

/* 10.4.2: COMRESET */
static void reset_port(volatile struct ahci_port *port)
{
	uint64_t end = os_clock_monotonic() + RESET_HOLD;

	port->sata_control = (port->sata_control & ~AHCI_DETECT_MASK) | AHCI_DETECT_RESET;
	while (os_clock_monotonic() < end)
		__builtin_ia32_pause();
	port->sata_control &= ~AHCI_DETECT_MASK;
	device_wait(&port->sata_status, AHCI_DETECT_MASK, AHCI_DETECT_PRESENT, LINK_TIME);
}

static void finish_slots(struct ahci_disk *disk, uint32_t slots, int result)
{
	for (unsigned slot = 0; slot < disk->slots; slot++) {
		struct block_request *request = disk->requests[slot];

		if (!(slots & BIT(slot)) || !request)
			continue;
		disk->issued &= ~(uint32_t)BIT(slot);
		disk->requests[slot] = NULL;
		block_finish(request, result);
	}
}

/* 6.2.2: the command that failed ends, the others are sent again. */
static void recover(struct ahci_disk *disk)
{
	volatile struct ahci_port *port = disk->port;
	uint32_t ended = disk->issued & ~port->command_issue;
	uint32_t failed = (uint32_t)BIT(AHCI_CMD_SLOT(port->command)) & disk->issued;
	bool stopped = stop_port(port);

	if (!stopped || port->task_file & (AHCI_TASK_BUSY | AHCI_TASK_REQUEST))
		reset_port(port);
	port->sata_error = UINT32_MAX;
	port->interrupt_status = UINT32_MAX;
	finish_slots(disk, ended & ~failed, 0);
	finish_slots(disk, failed, -EIO);
	if (!stopped || !wait_ready(port)) {
		finish_slots(disk, disk->issued, -EIO);
		return;
	}
	port->command |= AHCI_CMD_START;
	disk->filled |= disk->issued;
	issue(disk);
}

static void port_interrupt(struct ahci_disk *disk)
{
	uint32_t status = disk->port->interrupt_status;

	disk->port->interrupt_status = status;
	if (status & AHCI_INTERRUPT_ERRORS)
		recover(disk);
	else
		finish_slots(disk, disk->issued & ~disk->port->command_issue, 0);
	block_kick(&disk->block);
}

static void ahci_interrupt(void *arg)
{
	struct ahci *ahci = arg;
	uint32_t status;

	/* Until nothing is left: messages are for what is new. */
	while ((status = ahci->registers->interrupt_status)) {
		/* The ports' first: theirs would raise the controller's again (3.1.3). */
		for (unsigned i = 0; i < AHCI_PORTS_MAX; i++) {
			if (!(status & BIT(i)))
				continue;
			if (ahci->disks[i])
				port_interrupt(ahci->disks[i]);
			else
				ahci->registers->ports[i].interrupt_status = UINT32_MAX;
		}
		ahci->registers->interrupt_status = status;
	}
}

/* --- Disks */

static uint64_t identify_number(const uint16_t *words, unsigned count)
{
	uint64_t number = 0;

	for (unsigned i = 0; i < count; i++)
		number |= (uint64_t)words[i] << (16 * i);
	return number;
}

static bool fill_info(struct block_info *info, const uint16_t *identify)
{
	uint64_t sectors = identify_number(&identify[ATA_WORD_SECTORS], 4);
	uint16_t kind = identify[ATA_WORD_SECTOR_SIZE];
	uint64_t size = SECTOR_SIZE_DEFAULT;
	uint64_t trim;

	if (ATA_SECTOR_SIZE_VALID(kind) && kind & ATA_SECTOR_SIZE_LONG)
		size = 2 * identify_number(&identify[ATA_WORD_LOGICAL_SECTOR], 2);
	if (!(identify[ATA_WORD_COMMANDS] & ATA_COMMANDS_48_BIT) || !is_power_of_two(size) ||
	    size < SECTOR_SIZE_DEFAULT || size > BLOCK_SIZE_MAX || !sectors ||
	    sectors > (UINT64_MAX >> 1) / size)
		return false;
	*info = (struct block_info){
		.size = sectors * size,
		.block_size = (uint32_t)size,
		.transfer_max = MIN(TRANSFER_MAX, ATA_SECTORS_MAX * size),
		.extents_max = AHCI_TABLE_EXTENTS,
	};
	trim = (uint64_t)ATA_TRIM_RANGES * ATA_TRIM_SECTORS_MAX * size;
	if (identify[ATA_WORD_DATA_SET_MANAGEMENT] & ATA_DATA_SET_MANAGEMENT_TRIM)
		info->discard_max = trim;
	if (info->discard_max && (identify[ATA_WORD_ADDITIONAL] & ATA_ADDITIONAL_TRIM_ZEROS) ==
					 ATA_ADDITIONAL_TRIM_ZEROS)
		info->zero_max = trim;
	return true;
}

/* While the port gives no interrupts.  The answer goes where trimmed ranges stand later. */
static bool identify(struct ahci_disk *disk)
{
	struct ahci_table *table = &disk->tables[SLOT_IDENTIFY];

	fill_fis(&table->fis, ATA_IDENTIFY, 0, 0);
	table->extents[0] = (struct ahci_extent){
		.address = disk->trim_physical,
		.size = ATA_IDENTIFY_WORDS * sizeof(uint16_t) - 1,
	};
	fill_header(disk, SLOT_IDENTIFY, 1, false);
	device_publish();
	disk->port->command_issue = BIT(SLOT_IDENTIFY);
	return device_wait(&disk->port->command_issue, BIT(SLOT_IDENTIFY), 0, READY_TIME) &&
	       !(disk->port->task_file & AHCI_TASK_ERROR) &&
	       fill_info(&disk->block.info, (const uint16_t *)disk->trim);
}

static struct ahci_disk *make_disk(struct ahci *ahci, volatile struct ahci_port *port)
{
	struct ahci_disk *disk = os_alloc(sizeof(*disk));
	uint64_t physical;
	uint8_t *memory;

	if (!disk)
		return NULL;
	disk->block.driver = &ahci_driver;
	disk->block.controller = ahci->device;
	disk->port = port;
	disk->slots = AHCI_CAP_SLOTS(ahci->registers->capabilities);
	/* In the order of their alignment: 1 KiB, 1 KiB, 512 and 256 bytes. */
	memory = device_dma(ahci->device,
			    AHCI_SLOTS_MAX * (sizeof(struct ahci_command_header) +
					      sizeof(struct ahci_table) + ATA_TRIM_BLOCK) +
				    AHCI_FIS_SIZE,
			    &physical);
	if (!memory) {
		os_free(disk);
		return NULL;
	}
	disk->headers = (struct ahci_command_header *)memory;
	disk->headers_physical = physical;
	disk->tables = (struct ahci_table *)(disk->headers + AHCI_SLOTS_MAX);
	disk->tables_physical = physical + AHCI_SLOTS_MAX * sizeof(struct ahci_command_header);
	disk->trim = (uint8_t *)(disk->tables + AHCI_SLOTS_MAX);
	disk->trim_physical = disk->tables_physical + AHCI_SLOTS_MAX * sizeof(struct ahci_table);
	disk->fis_physical = disk->trim_physical + (uint64_t)AHCI_SLOTS_MAX * ATA_TRIM_BLOCK;
	return disk;
}

/* 10.3.1.  NULL: there is no disk that can be used. */
static struct ahci_disk *start_disk(struct ahci *ahci, volatile struct ahci_port *port)
{
	struct ahci_disk *disk;

	if (!device_wait(&port->sata_status, AHCI_DETECT_MASK, AHCI_DETECT_PRESENT, LINK_TIME))
		return NULL;
	disk = make_disk(ahci, port);
	if (!disk)
		return NULL;
	port->command_list[0] = (uint32_t)disk->headers_physical;
	port->command_list[1] = (uint32_t)(disk->headers_physical >> 32);
	port->fis[0] = (uint32_t)disk->fis_physical;
	port->fis[1] = (uint32_t)(disk->fis_physical >> 32);
	port->sata_error = UINT32_MAX;
	port->command |= AHCI_CMD_FIS_ENABLE;
	if (wait_ready(port) && port->signature == AHCI_SIGNATURE_ATA) {
		port->command |= AHCI_CMD_START;
		if (identify(disk)) {
			port->interrupt_status = UINT32_MAX;
			port->interrupt_enable =
				AHCI_INTERRUPT_REGISTER_FIS | AHCI_INTERRUPT_ERRORS;
			return disk;
		}
	}
	/* The memory stays until the controller is closed. */
	stop_port(port);
	port->command &= ~AHCI_CMD_FIS_ENABLE;
	os_free(disk);
	return NULL;
}

/* --- Controllers */

/* 10.6, 10.4.3 */
static bool reset_controller(volatile struct ahci_registers *registers)
{
	if (registers->capabilities2 & AHCI_CAP2_HANDOFF) {
		registers->handoff |= AHCI_BOHC_OS;
		device_wait(&registers->handoff, AHCI_BOHC_BIOS, 0, HANDOFF_TIME);
	}
	registers->control |= AHCI_GHC_ENABLE;
	registers->control |= AHCI_GHC_RESET;
	if (!device_wait(&registers->control, AHCI_GHC_RESET, 0, RESET_TIME))
		return false;
	registers->control |= AHCI_GHC_ENABLE;
	return true;
}

static int find_disks(struct ahci *ahci, struct block_device **disks)
{
	volatile struct ahci_registers *registers = ahci->registers;
	uint64_t room =
		ahci->device->info.bar_size[AHCI_BAR] - offsetof(struct ahci_registers, ports);
	uint32_t ports = registers->ports_implemented;

	ports &= (uint32_t)(BIT(MIN(room / sizeof(struct ahci_port), AHCI_PORTS_MAX)) - 1);
	/* All at once, then one wait after the other. */
	for (unsigned i = 0; i < AHCI_PORTS_MAX; i++)
		if (ports & BIT(i))
			registers->ports[i].command |= AHCI_CMD_POWER_ON | AHCI_CMD_SPIN_UP;
	for (unsigned i = 0; i < AHCI_PORTS_MAX; i++) {
		if (!(ports & BIT(i)))
			continue;
		ahci->disks[i] = start_disk(ahci, &registers->ports[i]);
		if (ahci->disks[i] && block_add(&ahci->disks[i]->block, disks) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int ahci_open(struct device *device, struct os_loop *loop, struct block_device **disks,
		     struct error *why)
{
	struct ahci *ahci = os_alloc(sizeof(*ahci));

	if (!ahci)
		return error_set(why, -ENOMEM, "out of memory");
	ahci->device = device;
	ahci->registers = device_map(device, AHCI_BAR, offsetof(struct ahci_registers, ports));
	if (!ahci->registers || !reset_controller(ahci->registers))
		return error_set(why, -EIO, "it can't be reset");
	if (!(ahci->registers->capabilities & AHCI_CAP_64_BIT))
		return error_set(why, -ENODEV, "it can't reach memory above 4 GiB");
	if (device_interrupt(device, INTERRUPT, loop, ahci_interrupt, ahci) < 0)
		return error_set(why, -ENODEV, "it has no message signalled interrupts");
	if (find_disks(ahci, disks) < 0)
		return error_set(why, -ENOMEM, "out of memory");
	ahci->registers->interrupt_status = UINT32_MAX;
	ahci->registers->control |= AHCI_GHC_INTERRUPTS;
	return 0;
}

static bool ahci_matches(const struct type1_device *info)
{
	return info->class_code == AHCI_CLASS;
}

const struct block_driver ahci_driver = {
	.name = "AHCI",
	.matches = ahci_matches,
	.open = ahci_open,
	.start = ahci_start,
	.kick = ahci_kick,
};
