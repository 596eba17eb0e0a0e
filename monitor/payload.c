/* SPDX-License-Identifier: MIT */
/*
 * payload.c - the ways of packing that Linux's build knows, by their first bytes.
 */
#include "monitor/payload.h"

#include "lib/bits.h"
#include "lib/bytes.h"

/* Linux's build puts the unpacked size behind the packed stream; gzip's own format ends in it. */
static const struct payload_codec codecs[] = {
	{{0x1f, 0x8b}, 2, OS_CODEC_GZIP, 0, "gzip"},
	{{0xfd, '7', 'z', 'X', 'Z', 0x00}, 6, OS_CODEC_XZ, PAYLOAD_TRAILER, "xz"},
	{{0x28, 0xb5, 0x2f, 0xfd}, 4, OS_CODEC_ZSTD, PAYLOAD_TRAILER, "zstd"},
	{{0x02, 0x21, 0x4c, 0x18}, 4, OS_CODEC_LZ4, PAYLOAD_TRAILER, "lz4"},
	{{0x5d, 0x00, 0x00}, 3, OS_CODEC_LZMA, PAYLOAD_TRAILER, "lzma"},
};

const struct payload_codec *payload_codec_find(const uint8_t *payload, uint64_t size)
{
	for (unsigned i = 0; i < ARRAY_COUNT(codecs); i++)
		if (size >= codecs[i].magic_size &&
		    memcmp(payload, codecs[i].magic, codecs[i].magic_size) == 0)
			return &codecs[i];
	return NULL;
}
