/* SPDX-License-Identifier: MIT */
/*
 * payload.h - how a bzImage's payload is packed (Linux documentation, arch/x86/boot.rst,
 * payload_offset), for who unpacks it: the loader, and who makes bare-metal images.
 */
#ifndef DYAD_MONITOR_PAYLOAD_H
#define DYAD_MONITOR_PAYLOAD_H

#include <stddef.h>
#include <stdint.h>

#include "os.h"

/* Behind every payload, or at its end, stands the size that it has unpacked. */
#define PAYLOAD_TRAILER sizeof(uint32_t)

struct payload_codec {
	uint8_t magic[6];
	uint8_t magic_size;
	enum os_codec codec;
	uint8_t trailer; /* how much of the payload's end is no part of the packed stream */
	const char *name;
};

/* By the payload's first bytes; NULL: none that is known. */
const struct payload_codec *payload_codec_find(const uint8_t *payload, uint64_t size);

#endif
