/* SPDX-License-Identifier: MIT */
/*
 * host_memory.c - memory for the core: its own, its caller's, and for generated code.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "host.h"
#include "lib/bits.h"

#define HOST_ALIGNMENT 64
#define HOST_PAGE_SIZE (4 * KIB)

/* What can be an address of a process: the lower half of 57 bits, without its first page. */
#define HOST_USER_END (UINT64_C(1) << 56)

/*
 * calloc() does not touch what it has fresh from the kernel, which keeps large and sparse tables
 * small.  So it is asked for more, and what it gave stands in front of the aligned part.
 */
void *host_alloc(size_t size)
{
	const size_t more = HOST_ALIGNMENT + sizeof(void *);
	uint8_t *start, *aligned;

	if (size > SIZE_MAX - more)
		return NULL;
	start = calloc(1, size + more);
	if (!start)
		return NULL;
	aligned = start + more - ((uintptr_t)start + more) % HOST_ALIGNMENT;
	memcpy(aligned - sizeof(start), &start, sizeof(start));
	return aligned;
}

void host_free(void *memory)
{
	void *start;

	if (!memory)
		return;
	memcpy(&start, (uint8_t *)memory - sizeof(start), sizeof(start));
	free(start);
}

/*
 * The kernel copies, and so finds out what is mapped.  A sandbox may forbid the call: then the
 * bytes go through a pipe, whose system calls check their buffer just as well.
 */
static int copy_by_pipe(void *to, const void *from, size_t size)
{
	size_t chunk;
	int pipes[2], error = 0;

	if (pipe(pipes) < 0)
		return -ENOMEM;
	for (; size && !error; size -= chunk) {
		chunk = MIN(size, (size_t)HOST_PAGE_SIZE);
		if (write(pipes[1], from, chunk) != (ssize_t)chunk ||
		    read(pipes[0], to, chunk) != (ssize_t)chunk)
			error = -EFAULT;
		from = (const uint8_t *)from + chunk;
		to = (uint8_t *)to + chunk;
	}
	close(pipes[0]);
	close(pipes[1]);
	return error;
}

static bool user_range(uint64_t user, size_t size)
{
	return user >= HOST_PAGE_SIZE && user < HOST_USER_END && size <= HOST_USER_END - user;
}

int host_copy_in(void *to, uint64_t user, size_t size)
{
	struct iovec local = {to, size}, remote = {(void *)(uintptr_t)user, size};
	ssize_t copied;

	if (!size)
		return 0;
	if (!user_range(user, size))
		return -EFAULT;
	copied = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
	if (copied < 0 && (errno == EPERM || errno == ENOSYS))
		return copy_by_pipe(to, remote.iov_base, size);
	return copied == (ssize_t)size ? 0 : -EFAULT;
}

int host_copy_out(uint64_t user, const void *from, size_t size)
{
	struct iovec local = {(void *)(uintptr_t)from, size};
	struct iovec remote = {(void *)(uintptr_t)user, size};
	ssize_t copied;

	if (!size)
		return 0;
	if (!user_range(user, size))
		return -EFAULT;
	copied = process_vm_writev(getpid(), &local, 1, &remote, 1, 0);
	if (copied < 0 && (errno == EPERM || errno == ENOSYS))
		return copy_by_pipe(remote.iov_base, from, size);
	return copied == (ssize_t)size ? 0 : -EFAULT;
}

int host_compare_exchange(uint64_t user, unsigned size, uint64_t *expected, uint64_t value)
{
	void *pointer = host_user_pointer(user);
	uint32_t low = (uint32_t)*expected;

	if (!pointer)
		return -EFAULT;
	if (size == sizeof(uint64_t)) {
		__atomic_compare_exchange_n((uint64_t *)pointer, expected, value, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
		return 0;
	}
	__atomic_compare_exchange_n((uint32_t *)pointer, &low, (uint32_t)value, false,
				    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	*expected = low;
	return 0;
}

void *host_user_pointer(uint64_t user)
{
	void *pointer = (void *)(uintptr_t)user;
	unsigned char resident;

	/* Says -ENOMEM of what is not mapped. */
	if (!user_range(user, 1) ||
	    mincore((uint8_t *)pointer - user % HOST_PAGE_SIZE, 1, &resident) < 0)
		return NULL;
	return pointer;
}

int host_code_map(size_t size, void **writable, void **executable)
{
	int fd = memfd_create("dyad-code", MFD_CLOEXEC);
	int error = -EOPNOTSUPP;

	if (fd < 0)
		return -EOPNOTSUPP;
	if (ftruncate(fd, (off_t)size) < 0)
		goto close_fd;
	*writable = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (*writable == MAP_FAILED)
		goto close_fd;
	*executable = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	if (*executable == MAP_FAILED)
		munmap(*writable, size);
	else
		error = 0;
close_fd:
	close(fd);
	return error;
}

void host_code_unmap(void *writable, void *executable, size_t size)
{
	munmap(writable, size);
	munmap(executable, size);
}
