/*
 * The second part of the Intel host's boot loader: reads the kernel and its initial RAM disk from
 * where lab/bochs.sh has laid them behind the job's file system, and starts the kernel by PVH.  It
 * is there because the way by GRUB and the kernel's own decompressor takes the emulator longer than
 * all of the kernel's start.  The disk is the first IDE drive, read without DMA: that is a few
 * instructions a sector.
 */
#include <stdint.h>

#include "../../include/hw/pvh.h"
#include "layout.h"

#define ATA_DATA 0x1f0
#define ATA_COUNT 0x1f2
#define ATA_SECTOR 0x1f3
#define ATA_DEVICE 0x1f6
#define ATA_COMMAND 0x1f7 /* and status */
#define ATA_CONTROL 0x3f6
#define ATA_MASTER_LBA 0x40
#define ATA_READ_EXT 0x24
#define ATA_NO_INTERRUPTS 2
#define ATA_BUSY 0x80
#define ATA_DATA_READY 0x08
#define ATA_ERROR 0x01
#define SECTOR_WORDS 128
#define SECTORS_AT_ONCE 65536u /* 0 in the registers */

/* What is to be loaded; lab/bochs.sh writes it. */
struct task {
	uint64_t kernel_sector, kernel_sectors, kernel_address, kernel_entry;
	uint64_t initrd_sector, initrd_sectors, initrd_address, initrd_size;
};

/* The BIOS's form of an entry of the memory's map. */
struct bios_range {
	uint64_t address, size;
	uint32_t type;
} __attribute__((packed));

#define RANGES 64

static struct hvm_memmap_table_entry ranges[RANGES];
static struct hvm_modlist_entry initrd;
static struct hvm_start_info info;

void load(const struct bios_range *end);

static inline void out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t in8(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

/* There is no interrupt table: a triple fault. */
static void fail(void)
{
	__asm__ volatile("ud2");
	__builtin_unreachable();
}

static void wait_for_data(void)
{
	uint8_t status;

	do {
		status = in8(ATA_COMMAND);
		if (!(status & ATA_BUSY) && (status & ATA_ERROR))
			fail();
	} while ((status & (ATA_BUSY | ATA_DATA_READY)) != ATA_DATA_READY);
}

/* The registers take the high bytes first. */
static void start_read(uint32_t sector, uint32_t count)
{
	out8(ATA_DEVICE, ATA_MASTER_LBA);
	out8(ATA_COUNT, (uint8_t)(count >> 8));
	out8(ATA_SECTOR, (uint8_t)(sector >> 24));
	out8(ATA_SECTOR + 1, 0);
	out8(ATA_SECTOR + 2, 0);
	out8(ATA_COUNT, (uint8_t)count);
	out8(ATA_SECTOR, (uint8_t)sector);
	out8(ATA_SECTOR + 1, (uint8_t)(sector >> 8));
	out8(ATA_SECTOR + 2, (uint8_t)(sector >> 16));
	out8(ATA_COMMAND, ATA_READ_EXT);
}

static void read_sectors(uint32_t sector, uint32_t count, uint32_t address)
{
	while (count > 0) {
		uint32_t part = count < SECTORS_AT_ONCE ? count : SECTORS_AT_ONCE;

		start_read(sector, part);
		sector += part;
		count -= part;
		for (; part > 0; part--) {
			uint32_t words = SECTOR_WORDS;

			wait_for_data();
			__asm__ volatile("rep insl"
					 : "+D"(address), "+c"(words)
					 : "d"(ATA_DATA)
					 : "memory");
		}
	}
}

static uint32_t take_memory_map(const struct bios_range *end)
{
	const struct bios_range *range = (const struct bios_range *)MEMORY_MAP;
	uint32_t count;

	for (count = 0; range != end; range++, count++) {
		if (count == RANGES)
			fail();
		ranges[count].addr = range->address;
		ranges[count].size = range->size;
		ranges[count].type = range->type;
	}
	return count;
}

void load(const struct bios_range *end)
{
	const struct task *task = (const struct task *)LOADER_TASK;

	out8(ATA_CONTROL, ATA_NO_INTERRUPTS);
	read_sectors((uint32_t)task->kernel_sector, (uint32_t)task->kernel_sectors,
		     (uint32_t)task->kernel_address);
	read_sectors((uint32_t)task->initrd_sector, (uint32_t)task->initrd_sectors,
		     (uint32_t)task->initrd_address);
	out8(ATA_CONTROL, 0);

	initrd.paddr = task->initrd_address;
	initrd.size = task->initrd_size;
	info.magic = HVM_START_INFO_MAGIC;
	info.version = HVM_START_INFO_VERSION;
	info.nr_modules = 1;
	info.modlist_paddr = (uint32_t)&initrd;
	info.cmdline_paddr = COMMAND_LINE;
	info.memmap_paddr = (uint32_t)ranges;
	info.memmap_entries = take_memory_map(end);
	__asm__ volatile("jmp *%0" : : "r"((uint32_t)task->kernel_entry), "b"(&info) : "memory");
	__builtin_unreachable();
}
