/* SPDX-License-Identifier: MIT */
/*
 * nvme.c - disks of NVM Express controllers (block.h): one queue pair for all of a controller's
 * namespaces, one interrupt.  Sections are those of the base specification 1.4.
 *
 * A command has a slot: its identifier, and its part of the memory for PRP lists.
 */
#include <linux/errno.h>

#include "hw/nvme.h"
#include "lib/bits.h"
#include "lib/bytes.h"
#include "lib/format.h"
#include "type1/drivers/block.h"

#define SLOTS 64
#define QUEUE_ENTRIES 128 /* more than slots: never full */
#define ADMIN_ENTRIES 4
#define IO_QUEUE 1
#define INTERRUPT 0
#define NAMESPACES_MAX 8
#define TRANSFER_MAX MIB
/* Of a slot, behind the first page of a command: for TRANSFER_MAX that begins within a page. */
#define PRP_ENTRIES (TRANSFER_MAX / NVME_PAGE)
#define PRP_SIZE (PRP_ENTRIES * sizeof(uint64_t))
_Static_assert(NVME_PAGE % PRP_SIZE == 0, "a list doesn't go over a page's end (4.3)");
#define TIMEOUT_UNIT (500 * DEVICE_MILLISECOND)
#define COMMAND_TIME (10000 * DEVICE_MILLISECOND) /* of one while the controller is set up */

struct nvme_queue {
	struct nvme_command *commands;
	const struct nvme_completion *completions;
	uint64_t commands_physical, completions_physical;
	volatile uint32_t *submission_doorbell, *completion_doorbell;
	uint16_t size, tail, head;
	uint16_t phase; /* that the next completion has */
};

struct nvme;
struct nvme_disk {
	struct block_device block;
	struct nvme *nvme;
	uint32_t namespace_id;
	unsigned block_shift;
	bool zeroes_deallocate;
};

struct nvme {
	struct device *device;
	volatile struct nvme_registers *registers;
	struct nvme_queue admin, io;
	struct nvme_identify_controller identify;
	uint8_t *lists; /* PRP_SIZE each slot */
	uint64_t lists_physical;
	struct block_request *requests[SLOTS]; /* NULL: the slot is free */
	uint64_t busy;                         /* slots that aren't, a bit each */
	struct nvme_disk *disks[NAMESPACES_MAX];
	unsigned disk_count;
};

/* --- Queues */

static int make_queue(struct nvme *nvme, struct nvme_queue *queue, unsigned id, uint16_t size)
{
	volatile uint8_t *doorbells = (volatile uint8_t *)nvme->registers + NVME_DOORBELLS;
	unsigned stride = 4u << NVME_CAP_DOORBELL_STRIDE(nvme->registers->capabilities_high);

	queue->commands = device_dma(nvme->device, size * sizeof(struct nvme_command),
				     &queue->commands_physical);
	queue->completions = device_dma(nvme->device, size * sizeof(struct nvme_completion),
					&queue->completions_physical);
	if (!queue->commands || !queue->completions)
		return -ENOMEM;
	queue->submission_doorbell = (volatile uint32_t *)(doorbells + (size_t)2 * id * stride);
	queue->completion_doorbell =
		(volatile uint32_t *)(doorbells + (size_t)(2 * id + 1) * stride);
	queue->size = size;
	queue->phase = NVME_COMPLETION_PHASE;
	return 0;
}

static void put_command(struct nvme_queue *queue, const struct nvme_command *command)
{
	queue->commands[queue->tail] = *command;
	queue->tail = (uint16_t)((queue->tail + 1) % queue->size);
}

static void ring_doorbell(struct nvme_queue *queue)
{
	device_publish(); /* the commands before the doorbell */
	*queue->submission_doorbell = queue->tail;
}

static bool take_completion(struct nvme_queue *queue, struct nvme_completion *completion)
{
	const volatile struct nvme_completion *next = &queue->completions[queue->head];

	if ((next->status & NVME_COMPLETION_PHASE) != queue->phase)
		return false;
	device_observe(); /* the phase before the rest (4.6) */
	completion->result = next->result;
	completion->id = next->id;
	completion->status = next->status;
	queue->head = (uint16_t)(queue->head + 1);
	if (queue->head == queue->size) {
		queue->head = 0;
		queue->phase ^= NVME_COMPLETION_PHASE;
	}
	return true;
}

/* One admin command, waited for: only while the controller is set up. */
static int admin(struct nvme *nvme, struct nvme_command *command)
{
	uint64_t end = os_clock_monotonic() + COMMAND_TIME;
	struct nvme_completion completion;

	put_command(&nvme->admin, command);
	ring_doorbell(&nvme->admin);
	while (!take_completion(&nvme->admin, &completion)) {
		if (os_clock_monotonic() > end || nvme->registers->status & NVME_CSTS_FATAL)
			return -EIO;
		__builtin_ia32_pause();
	}
	*nvme->admin.completion_doorbell = nvme->admin.head;
	return NVME_COMPLETION_STATUS(completion.status) ? -EIO : 0;
}

/* --- Commands */

/* Physical Region Page entries (4.3): the first with its offset, then whole pages, by a list if
 * there are more than two. */
static void fill_prp(struct nvme *nvme, unsigned slot, const struct block_piece *piece,
		     struct nvme_command *command)
{
	uint64_t *list = (uint64_t *)(nvme->lists + slot * PRP_SIZE);
	struct block_memory memory = block_memory(piece);
	struct type1_extent extent;
	unsigned pages = 0;

	while (block_memory_next(&memory, UINT64_MAX, &extent)) {
		uint64_t end = extent.physical + extent.size;

		for (uint64_t page = extent.physical; page < end;
		     page = align_down(page, NVME_PAGE) + NVME_PAGE) {
			if (pages)
				list[pages - 1] = page;
			else
				command->prp[0] = page;
			pages++;
		}
	}
	if (pages > 2)
		command->prp[1] = nvme->lists_physical + slot * PRP_SIZE;
	else if (pages == 2)
		command->prp[1] = list[0];
}

static void fill_range(struct nvme *nvme, unsigned slot, uint64_t start, uint64_t blocks,
		       struct nvme_command *command)
{
	struct nvme_dataset_range *range =
		(struct nvme_dataset_range *)(nvme->lists + slot * PRP_SIZE);

	*range = (struct nvme_dataset_range){.blocks = (uint32_t)blocks, .start = start};
	command->prp[0] = nvme->lists_physical + slot * PRP_SIZE;
	command->dword11 = NVME_DATASET_DEALLOCATE;
}

static unsigned free_slot(const struct nvme *nvme)
{
	return ~nvme->busy ? (unsigned)__builtin_ctzll(~nvme->busy) : SLOTS;
}
_Static_assert(SLOTS == 64, "bits of nvme.busy");

static bool nvme_start(struct block_device *block, const struct block_piece *piece)
{
	struct nvme_disk *disk = CONTAINER_OF(block, struct nvme_disk, block);
	struct nvme *nvme = disk->nvme;
	unsigned slot = free_slot(nvme);
	uint64_t start = piece->offset >> disk->block_shift;
	uint64_t blocks = piece->length >> disk->block_shift;
	struct nvme_command command = {
		.id = (uint16_t)slot,
		.namespace_id = disk->namespace_id,
	};

	if (slot == SLOTS)
		return false;
	if (piece->operation == BLOCK_DISCARD) {
		command.opcode = NVME_DATASET_MANAGEMENT;
		fill_range(nvme, slot, start, blocks, &command);
	} else if (piece->operation == BLOCK_FLUSH) {
		command.opcode = NVME_FLUSH;
	} else {
		command.dword10 = (uint32_t)start;
		command.dword11 = (uint32_t)(start >> 32);
		command.dword12 = (uint32_t)(blocks - 1);
		command.opcode = piece->operation == BLOCK_READ ? NVME_READ : NVME_WRITE;
		if (piece->operation == BLOCK_ZERO) {
			command.opcode = NVME_WRITE_ZEROES;
			if (disk->zeroes_deallocate)
				command.dword12 |= NVME_WRITE_ZEROES_DEALLOCATE;
		} else {
			fill_prp(nvme, slot, piece, &command);
		}
	}
	nvme->requests[slot] = piece->request;
	nvme->busy |= BIT(slot);
	put_command(&nvme->io, &command);
	return true;
}

static void nvme_kick(struct block_device *block)
{
	ring_doorbell(&CONTAINER_OF(block, struct nvme_disk, block)->nvme->io);
}

static void nvme_interrupt(void *arg)
{
	struct nvme *nvme = arg;
	struct nvme_completion completion;
	bool any = false;

	if (!nvme->disk_count) /* it failed to be set up */
		return;
	while (take_completion(&nvme->io, &completion)) {
		struct block_request *request =
			completion.id < SLOTS ? nvme->requests[completion.id] : NULL;

		any = true;
		if (!request)
			continue;
		nvme->requests[completion.id] = NULL;
		nvme->busy &= ~BIT(completion.id);
		block_finish(request, NVME_COMPLETION_STATUS(completion.status) ? -EIO : 0);
	}
	if (!any)
		return;
	*nvme->io.completion_doorbell = nvme->io.head;
	for (unsigned i = 0; i < nvme->disk_count; i++)
		block_kick(&nvme->disks[i]->block);
}

/* --- Set-up (7.6.1) */

static bool is_ready(struct nvme *nvme, bool ready)
{
	uint64_t time = NVME_CAP_TIMEOUT(nvme->registers->capabilities) + 1;

	return device_wait(&nvme->registers->status, NVME_CSTS_READY, ready ? NVME_CSTS_READY : 0,
			   time * TIMEOUT_UNIT);
}

static int enable(struct nvme *nvme, struct error *why)
{
	volatile struct nvme_registers *registers = nvme->registers;

	registers->configuration = 0;
	if (!is_ready(nvme, false))
		return error_set(why, -EIO, "it can't be reset");
	if (NVME_CAP_PAGE_MIN(registers->capabilities_high) ||
	    NVME_CAP_QUEUE_ENTRIES(registers->capabilities) < QUEUE_ENTRIES)
		return error_set(why, -ENODEV, "it has no pages of 4 KiB, or too short queues");
	if (make_queue(nvme, &nvme->admin, 0, ADMIN_ENTRIES) < 0)
		return error_set(why, -ENOMEM, "out of memory");
	registers->admin_queue_attributes = (ADMIN_ENTRIES - 1) | (ADMIN_ENTRIES - 1) << 16;
	registers->admin_submission[0] = (uint32_t)nvme->admin.commands_physical;
	registers->admin_submission[1] = (uint32_t)(nvme->admin.commands_physical >> 32);
	registers->admin_completion[0] = (uint32_t)nvme->admin.completions_physical;
	registers->admin_completion[1] = (uint32_t)(nvme->admin.completions_physical >> 32);
	registers->configuration =
		NVME_CC_ENABLE | NVME_CC_SUBMISSION_ENTRY | NVME_CC_COMPLETION_ENTRY;
	if (!is_ready(nvme, true))
		return error_set(why, -EIO, "it doesn't become ready");
	return 0;
}

/* The interrupt is there first: emulated controllers look for it when the queue is made. */
static int make_io_queue(struct nvme *nvme, struct os_loop *loop, struct error *why)
{
	struct nvme_command queues = {
		.opcode = NVME_ADMIN_SET_FEATURES,
		.dword10 = NVME_FEATURE_QUEUES,
		.dword11 = 0, /* one of each */
	};
	struct nvme_command completion = {
		.opcode = NVME_ADMIN_CREATE_COMPLETION,
		.dword10 = NVME_QUEUE_SIZE(IO_QUEUE, (uint32_t)QUEUE_ENTRIES),
		.dword11 = NVME_QUEUE_CONTIGUOUS | NVME_QUEUE_INTERRUPTS | INTERRUPT << 16,
	};
	struct nvme_command submission = {
		.opcode = NVME_ADMIN_CREATE_SUBMISSION,
		.dword10 = NVME_QUEUE_SIZE(IO_QUEUE, (uint32_t)QUEUE_ENTRIES),
		.dword11 = NVME_QUEUE_CONTIGUOUS | NVME_QUEUE_COMPLETION(IO_QUEUE),
	};

	nvme->lists = device_dma(nvme->device, SLOTS * PRP_SIZE, &nvme->lists_physical);
	if (!nvme->lists || make_queue(nvme, &nvme->io, IO_QUEUE, QUEUE_ENTRIES) < 0)
		return error_set(why, -ENOMEM, "out of memory");
	if (device_interrupt(nvme->device, INTERRUPT, loop, nvme_interrupt, nvme) < 0)
		return error_set(why, -ENODEV, "it has no message signalled interrupts");
	completion.prp[0] = nvme->io.completions_physical;
	submission.prp[0] = nvme->io.commands_physical;
	if (admin(nvme, &queues) < 0 || admin(nvme, &completion) < 0 ||
	    admin(nvme, &submission) < 0)
		return error_set(why, -EIO, "it doesn't make a queue");
	return 0;
}

/* The answer stands in the memory of the PRP lists, while no command is under way. */
static int identify(struct nvme *nvme, uint32_t what, uint32_t namespace_id)
{
	struct nvme_command command = {
		.opcode = NVME_ADMIN_IDENTIFY,
		.namespace_id = namespace_id,
		.prp = {nvme->lists_physical},
		.dword10 = what,
	};

	return admin(nvme, &command);
}

static uint64_t transfer_max(const struct nvme *nvme)
{
	unsigned shift = nvme->identify.transfer_max;

	if (!shift || shift >= 32)
		return TRANSFER_MAX;
	return MIN(TRANSFER_MAX, (uint64_t)NVME_PAGE << shift);
}

static int add_namespace(struct nvme *nvme, uint32_t id, struct block_device **disks,
			 struct error *why)
{
	const struct nvme_identify_namespace *info =
		(const struct nvme_identify_namespace *)nvme->lists;
	uint16_t optional = nvme->identify.optional_commands;
	struct nvme_disk *disk;
	unsigned format, shift;

	if (identify(nvme, NVME_IDENTIFY_NAMESPACE, id) < 0)
		return error_set(why, -EIO, "it doesn't identify namespace %u", id);
	format = info->format & NVME_FLBAS_FORMAT;
	shift = info->formats[format].block_shift;
	if (!info->size || info->formats[format].metadata_size || shift < 9 ||
	    (UINT64_C(1) << shift) > BLOCK_SIZE_MAX || info->size > (UINT64_MAX >> 1) >> shift)
		return 0; /* nothing that holds volumes */
	disk = os_alloc(sizeof(*disk));
	if (!disk)
		return error_set(why, -ENOMEM, "out of memory");
	disk->nvme = nvme;
	disk->namespace_id = id;
	disk->block_shift = shift;
	disk->zeroes_deallocate =
		(info->deallocated & NVME_DLFEAT_WRITE_ZEROES) &&
		(info->deallocated & NVME_DLFEAT_VALUE) == NVME_DLFEAT_VALUE_ZEROS;
	disk->block = (struct block_device){
		.driver = &nvme_driver,
		.controller = nvme->device,
		.info =
			{
				.size = info->size << shift,
				.block_size = 1u << shift,
				.transfer_max = transfer_max(nvme),
				.extents_max = (unsigned)PRP_ENTRIES,
				.whole_pages = true,
			},
	};
	if (optional & NVME_ONCS_DATASET_MANAGEMENT)
		disk->block.info.discard_max = align_down(UINT32_MAX, NVME_PAGE) << shift;
	if (optional & NVME_ONCS_WRITE_ZEROES)
		disk->block.info.zero_max = (uint64_t)NVME_BLOCKS_MAX << shift;
	if (block_add(&disk->block, disks) < 0)
		return error_set(why, -ENOMEM, "out of memory");
	nvme->disks[nvme->disk_count++] = disk;
	return 0;
}

static int add_namespaces(struct nvme *nvme, struct block_device **disks, struct error *why)
{
	uint32_t ids[NAMESPACES_MAX];
	int error = identify(nvme, NVME_IDENTIFY_CONTROLLER, 0);

	if (!error)
		memcpy(&nvme->identify, nvme->lists, sizeof(nvme->identify));
	if (!error)
		error = identify(nvme, NVME_IDENTIFY_NAMESPACES, 0);
	if (error)
		return error_set(why, error, "it doesn't identify itself");
	memcpy(ids, nvme->lists, sizeof(ids));
	for (unsigned i = 0; i < NAMESPACES_MAX && ids[i] && !error; i++)
		error = add_namespace(nvme, ids[i], disks, why);
	return error;
}

static int nvme_open(struct device *device, struct os_loop *loop, struct block_device **disks,
		     struct error *why)
{
	struct nvme *nvme = os_alloc(sizeof(*nvme));
	int error;

	if (!nvme)
		return error_set(why, -ENOMEM, "out of memory");
	nvme->device = device;
	nvme->registers = device_map(device, 0, NVME_DOORBELLS + NVME_PAGE);
	if (!nvme->registers) {
		os_free(nvme);
		return error_set(why, -ENODEV, "it has no registers");
	}
	error = enable(nvme, why);
	if (!error)
		error = make_io_queue(nvme, loop, why);
	if (!error)
		error = add_namespaces(nvme, disks, why);
	/* Its interrupt, and disks that were found before, have it. */
	return nvme->disk_count ? 0 : error;
}

static bool nvme_matches(const struct type1_device *info)
{
	return info->class_code == NVME_CLASS;
}

const struct block_driver nvme_driver = {
	.name = "NVMe",
	.matches = nvme_matches,
	.open = nvme_open,
	.start = nvme_start,
	.kick = nvme_kick,
};
