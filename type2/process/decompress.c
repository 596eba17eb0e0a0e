/* SPDX-License-Identifier: MIT */
/*
 * decompress.c - unpacks kernel payloads with the libraries that are kept for that.
 *
 * A stream decoder tells a buffer that is too small from a stream that ends exactly with it by
 * being offered one byte more.  What the decoders allocate (up to the size of a dictionary) is
 * given back to the system before the guest runs.
 */
#include <errno.h>
#include <limits.h>
#include <lz4.h>
#include <lzma.h>
#include <malloc.h>
#include <string.h>
#define ZLIB_CONST /* next_in points to const */
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "lib/bits.h"
#include "os.h"

/* A dictionary of 128 MiB, more than any kernel is packed with, and what goes with it. */
#define LZMA_MEMORY_MAX (144 * MIB)

/* Linux's lib/decompress_unlz4.c and the lz4 tool's legacy frame: this, then chunks with their
 * sizes. */
#define LZ4_LEGACY_MAGIC 0x184c2102u
#define LZ4_LEGACY_CHUNK (8 * (int)MIB)

/* --- gzip ----------------------------------------------------------------------------------------
 */

static int64_t decompress_gzip(const uint8_t *input, size_t size, uint8_t *buffer, size_t capacity)
{
	enum { GZIP_ONLY = 16 };
	z_stream stream = {0};
	uint8_t beyond;
	size_t room = capacity;
	int64_t result;
	int status;

	if (inflateInit2(&stream, MAX_WBITS + GZIP_ONLY) != Z_OK)
		return -ENOMEM;
	stream.next_in = input;
	stream.next_out = buffer;
	do {
		/* zlib counts in unsigned int. */
		if (!stream.avail_in) {
			stream.avail_in = (uInt)MIN(size, UINT_MAX);
			size -= stream.avail_in;
		}
		if (!stream.avail_out) {
			if (!room)
				stream.next_out = &beyond;
			stream.avail_out = room ? (uInt)MIN(room, UINT_MAX) : 1;
			room -= room ? stream.avail_out : 0;
		}
		status = inflate(&stream, Z_NO_FLUSH);
	} while (status == Z_OK && stream.total_out <= capacity &&
		 (stream.avail_in || size || !stream.avail_out));
	if (stream.total_out > capacity)
		result = -ENOSPC;
	else if (status == Z_STREAM_END)
		result = (int64_t)stream.total_out;
	else
		result = status == Z_MEM_ERROR ? -ENOMEM : -EINVAL;
	inflateEnd(&stream);
	return result;
}

/* --- xz and lzma ---------------------------------------------------------------------------------
 */

static int64_t decompress_lzma(bool alone, const uint8_t *input, size_t size, uint8_t *buffer,
			       size_t capacity)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	uint8_t beyond;
	int64_t result;
	lzma_ret status = alone ? lzma_alone_decoder(&stream, LZMA_MEMORY_MAX)
				: lzma_stream_decoder(&stream, LZMA_MEMORY_MAX, 0);

	if (status != LZMA_OK)
		return -ENOMEM;
	stream.next_in = input;
	stream.avail_in = size;
	stream.next_out = buffer;
	stream.avail_out = capacity;
	do {
		if (!stream.avail_out) {
			stream.next_out = &beyond;
			stream.avail_out = 1;
		}
		/* LZMA_FINISH: no more input will come, so a cut stream is told from a hungry one.
		 */
		status = lzma_code(&stream, LZMA_FINISH);
	} while (status == LZMA_OK && stream.total_out <= capacity);
	if (stream.total_out > capacity)
		result = -ENOSPC;
	else if (status == LZMA_STREAM_END)
		result = (int64_t)stream.total_out;
	else if (status == LZMA_MEM_ERROR || status == LZMA_MEMLIMIT_ERROR)
		result = -ENOMEM;
	else
		result = status == LZMA_OPTIONS_ERROR ? -ENOTSUP : -EINVAL;
	lzma_end(&stream);
	return result;
}

/* --- zstd ----------------------------------------------------------------------------------------
 */

/* In one piece, with the output as the window: its size needs neither memory nor a limit. */
static int64_t decompress_zstd(const uint8_t *input, size_t size, uint8_t *buffer, size_t capacity)
{
	size_t frame = ZSTD_findFrameCompressedSize(input, size), result;

	if (ZSTD_isError(frame))
		return -EINVAL;
	result = ZSTD_decompress(buffer, capacity, input, frame);
	if (!ZSTD_isError(result))
		return (int64_t)result;
	switch (ZSTD_getErrorCode(result)) {
	case ZSTD_error_dstSize_tooSmall:
		return -ENOSPC;
	case ZSTD_error_memory_allocation:
		return -ENOMEM;
	case ZSTD_error_version_unsupported:
	case ZSTD_error_frameParameter_unsupported:
		return -ENOTSUP;
	default:
		return -EINVAL;
	}
}

/* --- lz4 -----------------------------------------------------------------------------------------
 */

/* One chunk; the bytes written, -EINVAL, or -ENOSPC when it is sound but longer than room. */
static int decompress_lz4_chunk(const uint8_t *chunk, int length, uint8_t *buffer, size_t room)
{
	int limit = (int)MIN(room, (size_t)LZ4_LEGACY_CHUNK);
	int count = LZ4_decompress_safe((const char *)chunk, (char *)buffer, length, limit);

	if (count >= 0)
		return count;
	if (limit < LZ4_LEGACY_CHUNK &&
	    LZ4_decompress_safe_partial((const char *)chunk, (char *)buffer, length, limit,
					limit) == limit)
		return -ENOSPC;
	return -EINVAL;
}

/*
 * The format has no end of its own: a chunk that is not full is the last, and so is one behind
 * which no sound chunk's length stands (Linux appends the unpacked size there).
 */
static int64_t decompress_lz4(const uint8_t *input, size_t size, uint8_t *buffer, size_t capacity)
{
	size_t at = 4, done = 0;
	int count;

	if (size < 4 || load_le32(input) != LZ4_LEGACY_MAGIC)
		return -EINVAL;
	do {
		uint32_t length;

		if (size - at < 4)
			return at == 4 ? -EINVAL : (int64_t)done;
		length = load_le32(input + at);
		if (length == 0 || length > (uint32_t)LZ4_compressBound(LZ4_LEGACY_CHUNK))
			return at == 4 ? -EINVAL : (int64_t)done;
		at += 4;
		if (length > size - at)
			return -EINVAL;
		count = decompress_lz4_chunk(input + at, (int)length, buffer + done,
					     capacity - done);
		if (count < 0)
			return count;
		at += length;
		done += (size_t)count;
	} while (count == LZ4_LEGACY_CHUNK);
	return (int64_t)done;
}

int64_t os_decompress(enum os_codec codec, const void *input, size_t size, void *buffer,
		      size_t capacity)
{
	int64_t result;

	switch (codec) {
	case OS_CODEC_GZIP:
		result = decompress_gzip(input, size, buffer, capacity);
		break;
	case OS_CODEC_XZ:
		result = decompress_lzma(false, input, size, buffer, capacity);
		break;
	case OS_CODEC_LZMA:
		result = decompress_lzma(true, input, size, buffer, capacity);
		break;
	case OS_CODEC_ZSTD:
		result = decompress_zstd(input, size, buffer, capacity);
		break;
	case OS_CODEC_LZ4:
		result = decompress_lz4(input, size, buffer, capacity);
		break;
	default:
		return -ENOTSUP;
	}
	malloc_trim(0);
	return result;
}
