/* SPDX-License-Identifier: MIT */
/*
 * image_kernel.c - a kernel on its way into an image: a Linux bzImage (Linux documentation,
 * arch/x86/boot.rst) is written anew with its payload unpacked, since nothing on bare metal
 * unpacks.
 *
 * The new file has the old one's setup sectors, with the header's fields on the payload changed,
 * and as its protected-mode part only the unpacked payload with its size behind it: the monitor
 * enters the payload itself.  So with kaslr, where the kernel's own decompressor is entered, it
 * stays as it is.  What can't be a kernel at all is found by the monitor, as with `dyad run`.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "cli/image.h"
#include "hw/linux_boot.h"
#include "lib/bits.h"
#include "monitor/payload.h"
#include "os.h"

#define SYSSIZE_UNIT 16
#define UNPACKED_MAX GIB /* a larger payload is none */
#define GZIP_MODE "wb1"  /* the fastest: it makes a fourth of most kernels, and the best a fifth */

struct kernel {
	const char *name;
	struct os_file *file;
	uint64_t size;
	struct linux_setup_header header;
	uint64_t setup_size;
	uint8_t *packed, *unpacked;
	uint32_t unpacked_size;
};

static int kernel_damaged(const struct kernel *kernel, const char *what, struct error *why)
{
	return error_set(why, -EINVAL, "%.200s is damaged: its %s; copy or build it again",
			 kernel->name, what);
}

static int kernel_read(const struct kernel *kernel, uint64_t offset, void *buffer, size_t size,
		       struct error *why)
{
	int error = os_file_read(kernel->file, offset, buffer, size);

	if (error < 0)
		return error_set(why, error, "can't read %.200s: %s", kernel->name,
				 strerror(-error));
	return 0;
}

/* Whether the file is a bzImage that says where its payload stands (protocol 2.08; 2.12 is wanted).
 */
static bool kernel_is_bzimage(struct kernel *kernel)
{
	return kernel->size >= LINUX_SETUP_HEADER + sizeof(kernel->header) &&
	       os_file_read(kernel->file, LINUX_SETUP_HEADER, &kernel->header,
			    sizeof(kernel->header)) == 0 &&
	       kernel->header.header == LINUX_HEADER_MAGIC &&
	       kernel->header.version >= LINUX_PROTOCOL_2_12;
}

static int kernel_unpack(struct kernel *kernel, const struct payload_codec *codec,
			 struct error *why)
{
	uint32_t packed_size = kernel->header.payload_length;
	int64_t got;

	kernel->unpacked_size = load_le32(kernel->packed + packed_size - PAYLOAD_TRAILER);
	if (kernel->unpacked_size == 0 || kernel->unpacked_size > UNPACKED_MAX)
		return kernel_damaged(kernel, "payload promises a size that cannot be its own",
				      why);
	kernel->unpacked = malloc(kernel->unpacked_size);
	if (kernel->unpacked == NULL)
		return error_set(why, -ENOMEM, "there is no memory left to unpack %.200s",
				 kernel->name);
	got = os_decompress(codec->codec, kernel->packed, packed_size - codec->trailer,
			    kernel->unpacked, kernel->unpacked_size);
	if (got == -EOPNOTSUPP || got == -ENOMEM)
		return error_set(why, (int)got, "can't unpack the %s payload of %.200s: %s",
				 codec->name, kernel->name, strerror((int)-got));
	if (got != kernel->unpacked_size)
		return kernel_damaged(kernel, "payload can't be unpacked", why);
	return 0;
}

/* Reads the payload, and unpacks it if it is packed in a known way. */
static int kernel_read_payload(struct kernel *kernel, struct error *why)
{
	const struct linux_setup_header *header = &kernel->header;
	const struct payload_codec *codec;
	unsigned sectors = header->setup_sects ? header->setup_sects : LINUX_SETUP_SECTS_DEFAULT;
	uint64_t start;
	int error;

	kernel->setup_size = (1 + (uint64_t)sectors) * LINUX_SECTOR;
	start = kernel->setup_size + header->payload_offset;
	if (header->payload_length <= PAYLOAD_TRAILER || start > kernel->size ||
	    header->payload_length > kernel->size - start)
		return kernel_damaged(kernel, "payload does not lie within the file", why);
	kernel->packed = malloc(header->payload_length);
	if (kernel->packed == NULL)
		return error_set(why, -ENOMEM, "there is no memory left to read %.200s",
				 kernel->name);
	error = kernel_read(kernel, start, kernel->packed, header->payload_length, why);
	if (error < 0)
		return error;
	codec = payload_codec_find(kernel->packed, header->payload_length);
	return codec != NULL ? kernel_unpack(kernel, codec, why) : 0;
}

static int kernel_write(struct kernel *kernel, struct image_folder *folder, const char *path,
			struct error *why)
{
	static const uint8_t zeros[SYSSIZE_UNIT];
	uint8_t *setup = malloc(kernel->setup_size);
	uint64_t length = kernel->unpacked_size + PAYLOAD_TRAILER;
	uint8_t trailer[PAYLOAD_TRAILER];
	gzFile packed;
	bool failed;
	FILE *file = NULL;
	int error;

	if (setup == NULL)
		return error_set(why, -ENOMEM, "there is no memory left to write %.200s",
				 kernel->name);
	error = kernel_read(kernel, 0, setup, kernel->setup_size, why);
	if (error == 0)
		error = image_create(folder, path, &file, why);
	if (file == NULL)
		goto out;
	kernel->header.payload_offset = 0;
	kernel->header.payload_length = (uint32_t)length;
	kernel->header.syssize = (uint32_t)(align_up(length, SYSSIZE_UNIT) / SYSSIZE_UNIT);
	memcpy(setup + LINUX_SETUP_HEADER, &kernel->header, sizeof(kernel->header));
	store_le32(trailer, kernel->unpacked_size);
	errno = 0;
	packed = gzdopen(dup(fileno(file)), GZIP_MODE);
	gzwrite(packed, setup, (unsigned)kernel->setup_size);
	gzwrite(packed, kernel->unpacked, kernel->unpacked_size);
	gzwrite(packed, trailer, sizeof(trailer));
	gzwrite(packed, zeros, (unsigned)(align_up(length, SYSSIZE_UNIT) - length));
	failed = gzclose(packed) != Z_OK;
	error = image_finish(folder, file, why);
	if (error == 0 && failed)
		error = error_set(why, -EIO, "can't write %.200s into the image", kernel->name);
out:
	free(setup);
	return error;
}

int image_add_kernel(struct image_folder *folder, const char *source, const char *path,
		     bool *gzipped, struct error *why)
{
	struct kernel kernel = {.name = source};
	int error = os_file_open(source, &kernel.file, why);

	if (error < 0)
		return error;
	kernel.size = os_file_size(kernel.file);
	if (kernel_is_bzimage(&kernel))
		error = kernel_read_payload(&kernel, why);
	*gzipped = kernel.unpacked != NULL;
	if (error == 0 && *gzipped)
		error = kernel_write(&kernel, folder, path, why);
	else if (error == 0)
		error = image_add_file(folder, source, path, why);
	free(kernel.packed);
	free(kernel.unpacked);
	os_file_close(kernel.file);
	return error;
}
