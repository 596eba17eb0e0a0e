/* SPDX-License-Identifier: MIT */
#include "tests/support/fake_decompress.h"

#include <linux/errno.h>
#include <string.h>

static const struct {
	uint8_t bytes[6];
	uint8_t size;
} magics[] = {
	[OS_CODEC_GZIP] = {{0x1f, 0x8b}, 2},
	[OS_CODEC_XZ] = {{0xfd, '7', 'z', 'X', 'Z', 0x00}, 6},
	[OS_CODEC_LZMA] = {{0x5d, 0x00, 0x00}, 3},
	[OS_CODEC_ZSTD] = {{0x28, 0xb5, 0x2f, 0xfd}, 4},
	[OS_CODEC_LZ4] = {{0x02, 0x21, 0x4c, 0x18}, 4},
};

int64_t fake_decompress_result;

size_t fake_compress(enum os_codec codec, const void *content, size_t size, uint8_t *packed)
{
	uint32_t count = (uint32_t)size;
	size_t head = magics[codec].size;

	memcpy(packed, magics[codec].bytes, head);
	memcpy(packed + head, &count, sizeof(count));
	memcpy(packed + head + sizeof(count), content, size);
	return head + sizeof(count) + size;
}

int64_t os_decompress(enum os_codec codec, const void *input, size_t size, void *buffer,
		      size_t capacity)
{
	size_t head = magics[codec].size;
	const uint8_t *packed = input;
	uint32_t count;

	if (fake_decompress_result)
		return fake_decompress_result;
	if (size < head + sizeof(count) || memcmp(packed, magics[codec].bytes, head) != 0)
		return -EINVAL;
	memcpy(&count, packed + head, sizeof(count));
	if (count > size - head - sizeof(count))
		return -EINVAL;
	if (count > capacity)
		return -ENOSPC;
	memcpy(buffer, packed + head + sizeof(count), count);
	return count;
}
