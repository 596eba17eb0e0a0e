/* SPDX-License-Identifier: MIT */
/*
 * definition.h - a VM's definition as a bare-metal image carries it: compiled by `dyad image`, read
 * by the monitor (monitor/vm_definition.h).
 *
 *   struct definition_header
 *   struct definition_vm
 *   struct definition_module [modules]
 *   struct definition_disk   [disks]
 *   struct definition_net    [nets]
 *   the table of strings, to the end
 *
 * Numbers are little-endian.  A string is named by where it stands in the table and how long it is,
 * and ends there with a zero, which does not count.  What is reserved is zero.  What the fields
 * mean, and their limits, is as in monitor/vm_config.h; names of files are those of the image's
 * modules.
 */
#ifndef DYAD_ABI_DEFINITION_H
#define DYAD_ABI_DEFINITION_H

#include <stddef.h>
#include <stdint.h>

#define DEFINITION_MAGIC UINT64_C(0x31004d5664617944) /* "DyadVM\0" "1" */
#define DEFINITION_VERSION 2
#define DEFINITION_SIZE_LIMIT (1u << 20)

struct definition_header {
	uint64_t magic;
	uint32_t version;
	uint32_t size;     /* of everything, this header included */
	uint64_t checksum; /* definition_checksum() of all behind this header */
};
_Static_assert(sizeof(struct definition_header) == 24, "definition_header");

#define DEFINITION_NO_TEXT UINT32_MAX /* as offset: there is none; its length is 0 */

struct definition_text {
	uint32_t offset, length;
};

enum definition_flags {
	DEFINITION_KASLR = 1 << 0,
	DEFINITION_RNG = 1 << 1,
	DEFINITION_BALLOON = 1 << 2,
	DEFINITION_TEST_DEVICE = 1 << 3,
	DEFINITION_FLAGS = (1 << 4) - 1,
};

enum definition_console {
	DEFINITION_CONSOLE_SERIAL,
	DEFINITION_CONSOLE_VIRTIO,
	DEFINITION_CONSOLE_NONE,
	DEFINITION_CONSOLES,
};

struct definition_vm {
	struct definition_text name, kernel, append;
	struct definition_text initrd; /* or none */
	uint64_t memory;               /* bytes */
	uint32_t cpus;
	uint32_t flags;   /* DEFINITION_* */
	uint32_t console; /* enum definition_console */
	uint32_t modules, disks, nets;
};
_Static_assert(sizeof(struct definition_vm) == 64, "definition_vm");

struct definition_module {
	struct definition_text path;
	struct definition_text arguments; /* or none */
};
_Static_assert(sizeof(struct definition_module) == 16, "definition_module");

enum definition_disk_flags {
	DEFINITION_DISK_READ_ONLY = 1 << 0,
	DEFINITION_DISK_DISCARD = 1 << 1,
	DEFINITION_DISK_UNCACHED = 1 << 2,
	DEFINITION_DISK_FLAGS = (1 << 3) - 1,
};

struct definition_disk {
	struct definition_text path;
	struct definition_text serial; /* or none */
	uint32_t flags;
	uint32_t reserved;
};
_Static_assert(sizeof(struct definition_disk) == 24, "definition_disk");

enum definition_net_kind { DEFINITION_NET_USER, DEFINITION_NET_TAP };
enum definition_protocol { DEFINITION_TCP, DEFINITION_UDP };

struct definition_forward {
	uint32_t host_address, guest_address;
	uint16_t host_port, guest_port;
	uint32_t protocol; /* enum definition_protocol */
};
_Static_assert(sizeof(struct definition_forward) == 16, "definition_forward");

#define DEFINITION_FORWARDS 16

struct definition_net {
	struct definition_text tap; /* DEFINITION_NET_TAP, else none */
	uint32_t kind;              /* enum definition_net_kind */
	uint32_t forwards;
	uint8_t mac[6];
	uint8_t reserved[2];
	uint64_t rate;                                          /* bits a second, or 0 */
	struct definition_forward forward[DEFINITION_FORWARDS]; /* those behind the last are zero */
};
_Static_assert(sizeof(struct definition_net) == 288, "definition_net");

/* FNV-1a of 64 bits: against what was cut or mixed up on the way, not against an attacker. */
static inline uint64_t definition_checksum(const void *bytes, size_t size)
{
	const uint8_t *at = bytes;
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
	return hash;
}

#endif
