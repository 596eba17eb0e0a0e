/* SPDX-License-Identifier: MIT */
/*
 * decompress.c - there are no codecs on bare metal: `dyad image` unpacks kernels on the way.
 */
#include <linux/errno.h>

#include "os.h"

int64_t os_decompress(enum os_codec codec, const void *input, size_t size, void *buffer,
		      size_t capacity)
{
	(void)codec;
	(void)input;
	(void)size;
	(void)buffer;
	(void)capacity;
	return -EOPNOTSUPP;
}
