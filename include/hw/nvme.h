/* SPDX-License-Identifier: MIT */
/*
 * nvme.h - registers, queues and commands of NVM Express (Base Specification 1.4).
 */
#ifndef DYAD_HW_NVME_H
#define DYAD_HW_NVME_H

#include <stddef.h>
#include <stdint.h>

#define NVME_CLASS 0x010802 /* PCI class code */

/* --- Registers (section 3.1) */

struct nvme_registers {
	uint32_t capabilities, capabilities_high;
	uint32_t version;
	uint32_t interrupt_mask_set, interrupt_mask_clear;
	uint32_t configuration;
	uint32_t reserved_18;
	uint32_t status;
	uint32_t subsystem_reset;
	uint32_t admin_queue_attributes;
	uint32_t admin_submission[2], admin_completion[2]; /* addresses, low half first */
};
_Static_assert(offsetof(struct nvme_registers, configuration) == 0x14, "CC");
_Static_assert(offsetof(struct nvme_registers, status) == 0x1c, "CSTS");
_Static_assert(offsetof(struct nvme_registers, admin_submission) == 0x28, "ASQ");
_Static_assert(sizeof(struct nvme_registers) == 0x38, "nvme_registers");

#define NVME_DOORBELLS 0x1000

#define NVME_CAP_QUEUE_ENTRIES(low) (((low)&0xffff) + 1) /* MQES */
#define NVME_CAP_TIMEOUT(low) (((low) >> 24) & 0xff)     /* TO, in units of 500 ms */
#define NVME_CAP_DOORBELL_STRIDE(high) ((high)&0xf)      /* DSTRD: 4 << it */
#define NVME_CAP_PAGE_MIN(high) (((high) >> 16) & 0xf)   /* MPSMIN: 4 KiB << it */

#define NVME_CC_ENABLE 0x1
#define NVME_CC_SUBMISSION_ENTRY (6u << 16) /* IOSQES: 1 << 6 bytes */
#define NVME_CC_COMPLETION_ENTRY (4u << 20) /* IOCQES: 1 << 4 bytes */

#define NVME_CSTS_READY 0x1
#define NVME_CSTS_FATAL 0x2

/* --- Queues (chapter 4) */

struct nvme_command {
	uint8_t opcode, flags;
	uint16_t id;
	uint32_t namespace_id;
	uint64_t reserved_08;
	uint64_t metadata;
	uint64_t prp[2];
	uint32_t dword10, dword11, dword12, dword13, dword14, dword15;
};
_Static_assert(sizeof(struct nvme_command) == 64, "nvme_command");
_Static_assert(offsetof(struct nvme_command, dword10) == 40, "nvme_command.dword10");

struct nvme_completion {
	uint32_t result;
	uint32_t reserved_4;
	uint16_t submission_head, submission_id;
	uint16_t id;
	uint16_t status; /* phase in bit 0, status from bit 1 on */
};
_Static_assert(sizeof(struct nvme_completion) == 16, "nvme_completion");

#define NVME_COMPLETION_PHASE 0x1
#define NVME_COMPLETION_STATUS(status) (((status) >> 1) & 0x7ff) /* code and type; 0: success */

#define NVME_PAGE 4096 /* with CC.MPS 0 */

/* --- Admin commands (chapter 5) */

#define NVME_ADMIN_CREATE_SUBMISSION 0x01
#define NVME_ADMIN_CREATE_COMPLETION 0x05
#define NVME_ADMIN_IDENTIFY 0x06
#define NVME_ADMIN_SET_FEATURES 0x09

#define NVME_QUEUE_SIZE(id, entries) ((id) | ((entries)-1) << 16) /* dword 10 */
#define NVME_QUEUE_CONTIGUOUS 0x1
#define NVME_QUEUE_INTERRUPTS 0x2
#define NVME_QUEUE_COMPLETION(id) ((uint32_t)(id) << 16)

#define NVME_FEATURE_QUEUES 0x07 /* dword 11: counts of each kind less one */

#define NVME_IDENTIFY_NAMESPACE 0x00
#define NVME_IDENTIFY_CONTROLLER 0x01
#define NVME_IDENTIFY_NAMESPACES 0x02 /* numbers of the active ones, ended by 0 */
#define NVME_IDENTIFY_SIZE 4096

/* Section 5.15.2.2 */
struct nvme_identify_controller {
	uint8_t reserved_000[77];
	uint8_t transfer_max; /* MDTS: pages, as a power of two; 0: no limit */
	uint8_t reserved_078[442];
	uint16_t optional_commands;
	uint8_t reserved_522[3574];
};
_Static_assert(offsetof(struct nvme_identify_controller, optional_commands) == 520, "ONCS");
_Static_assert(sizeof(struct nvme_identify_controller) == NVME_IDENTIFY_SIZE, "identify");

#define NVME_ONCS_DATASET_MANAGEMENT 0x4
#define NVME_ONCS_WRITE_ZEROES 0x8

/* Section 5.15.2.1 */
struct nvme_identify_namespace {
	uint64_t size; /* NSZE, blocks */
	uint8_t reserved_008[18];
	uint8_t format; /* FLBAS: which of formats */
	uint8_t reserved_027[6];
	uint8_t deallocated; /* DLFEAT */
	uint8_t reserved_034[94];
	struct {
		uint16_t metadata_size;
		uint8_t block_shift;
		uint8_t performance;
	} formats[16];
	uint8_t reserved_192[3904];
};
_Static_assert(offsetof(struct nvme_identify_namespace, format) == 26, "FLBAS");
_Static_assert(offsetof(struct nvme_identify_namespace, deallocated) == 33, "DLFEAT");
_Static_assert(offsetof(struct nvme_identify_namespace, formats) == 128, "LBAF0");
_Static_assert(sizeof(struct nvme_identify_namespace) == NVME_IDENTIFY_SIZE, "identify");

#define NVME_FLBAS_FORMAT 0xf
/* DLFEAT: deallocated blocks read as zeros, and Write Zeroes can deallocate. */
#define NVME_DLFEAT_VALUE 0x7
#define NVME_DLFEAT_VALUE_ZEROS 0x1
#define NVME_DLFEAT_WRITE_ZEROES 0x8

/* --- NVM commands (chapter 6) */

#define NVME_FLUSH 0x00
#define NVME_WRITE 0x01
#define NVME_READ 0x02
#define NVME_WRITE_ZEROES 0x08
#define NVME_DATASET_MANAGEMENT 0x09

#define NVME_BLOCKS_MAX 65536                   /* of one command; dword 12 has them less one */
#define NVME_WRITE_ZEROES_DEALLOCATE (1u << 25) /* dword 12 */
#define NVME_DATASET_DEALLOCATE 0x4             /* dword 11; dword 10: ranges less one */

/* Section 6.7 */
struct nvme_dataset_range {
	uint32_t attributes;
	uint32_t blocks;
	uint64_t start;
};
_Static_assert(sizeof(struct nvme_dataset_range) == 16, "nvme_dataset_range");

#endif
