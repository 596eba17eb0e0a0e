/* SPDX-License-Identifier: MIT */
/*
 * What a guest does while types are compared (bench/compare): a static program in the guest's
 * initrd.
 *
 *   compare_guest spin SECONDS
 *       the share of the CPU that a loop gets, in percent: of each second, the instructions that it
 *       executed, and of these the median.  Right where a tick of the TSC is an instruction.
 *   compare_guest read FILE SIZE DEPTH SECONDS
 *       reads of SIZE bytes past the page cache, DEPTH under way: one behind the other if SIZE is 1
 * MiB or more, else at random.  MiB and reads a second. compare_guest receive PORT one TCP stream,
 * from its first byte to its end: Mbit/s compare_guest send ADDRESS PORT SECONDS a stream of zeros
 * to it, as soon as someone listens
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SPIN_SECONDS_MAX 100
#define SPIN_LOOPS 10000
#define DEPTH_MAX 64
#define SEQUENTIAL (1024 * 1024) /* bytes, and more */
#define STREAM_BYTES (128 * 1024)

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int fail(const char *what)
{
	perror(what);
	return 1;
}

/* --- The CPU */

static uint64_t read_tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

/* Two instructions each. */
static void spin_loops(uint64_t loops)
{
	__asm__ volatile("1: dec %0\n\tjnz 1b" : "+r"(loops));
}

static int compare_shares(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int spin(unsigned seconds)
{
	const uint64_t second =
		1000000000; /* ticks: the emulator's TSC, where instructions are counted */
	double shares[SPIN_SECONDS_MAX];

	for (unsigned i = 0; i < seconds; i++) {
		uint64_t start = read_tsc(), end, instructions = 0;

		do {
			spin_loops(SPIN_LOOPS);
			instructions += (uint64_t)SPIN_LOOPS * 2;
			end = read_tsc();
		} while (end - start < second);
		shares[i] = 100.0 * (double)instructions / (double)(end - start);
	}
	qsort(shares, seconds, sizeof(shares[0]), compare_shares);
	printf("bench-value spin %.2f\n", shares[seconds / 2]);
	return 0;
}

/* --- The disk */

static uint64_t next_offset(uint64_t blocks, size_t size)
{
	static uint64_t random = UINT64_C(0x9e3779b97f4a7c15), next;
	uint64_t block;

	if (size >= SEQUENTIAL) {
		block = next++ % blocks;
	} else {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		block = random % blocks;
	}
	return block * size;
}

static int read_disk(const char *name, size_t size, unsigned depth, double seconds)
{
	int file = open(name, O_RDONLY | O_DIRECT);
	aio_context_t context = 0;
	uint64_t bytes, done = 0;
	struct iocb requests[DEPTH_MAX], *list[DEPTH_MAX];
	struct io_event events[DEPTH_MAX];
	uint8_t *memory = aligned_alloc(4096, size * depth);
	double start, end;

	if (file < 0 || ioctl(file, BLKGETSIZE64, &bytes) || !memory)
		return fail(name);
	if (syscall(SYS_io_setup, depth, &context))
		return fail("io_setup");
	memset(memory, 0, size * depth);
	for (unsigned i = 0; i < depth; i++) {
		requests[i] = (struct iocb){
			.aio_data = i,
			.aio_lio_opcode = IOCB_CMD_PREAD,
			.aio_fildes = (uint32_t)file,
			.aio_buf = (uintptr_t)(memory + i * size),
			.aio_nbytes = size,
			.aio_offset = (int64_t)next_offset(bytes / size, size),
		};
		list[i] = &requests[i];
	}
	start = now();
	if (syscall(SYS_io_submit, context, (long)depth, list) != (long)depth)
		return fail("io_submit");
	do {
		long count = syscall(SYS_io_getevents, context, 1L, (long)depth, events, NULL);

		if (count <= 0)
			return fail("io_getevents");
		for (long i = 0; i < count; i++) {
			struct iocb *request = &requests[events[i].data];

			if (events[i].res != (int64_t)size)
				return fail("a read was short");
			request->aio_offset = (int64_t)next_offset(bytes / size, size);
			list[i] = request;
		}
		done += (uint64_t)count;
		end = now();
		if (syscall(SYS_io_submit, context, count, list) != count)
			return fail("io_submit");
	} while (end - start < seconds);
	printf("bench-value read_%zuk_%u %.1f\n", size / 1024, depth, (double)done / (end - start));
	return 0;
}

/* --- The network */

static struct sockaddr_in address_of(const char *address, const char *port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};

	to.sin_addr.s_addr = address ? inet_addr(address) : htonl(INADDR_ANY);
	return to;
}

static int receive(const char *port)
{
	static char buffer[STREAM_BYTES];
	struct sockaddr_in own = address_of(NULL, port);
	int door = socket(AF_INET, SOCK_STREAM, 0), peer;
	uint64_t received = 0;
	double start = 0;
	ssize_t size;

	if (door < 0 || bind(door, (struct sockaddr *)&own, sizeof(own)) || listen(door, 1))
		return fail("listen");
	peer = accept(door, NULL, NULL);
	while ((size = read(peer, buffer, sizeof(buffer))) > 0) {
		if (!received)
			start = now();
		received += (uint64_t)size;
	}
	if (size < 0 || !received)
		return fail("receive");
	printf("bench-value stream %.1f\n", (double)received * 8 / (now() - start) / 1e6);
	return 0;
}

static int send_stream(const char *address, const char *port, double seconds)
{
	static char buffer[STREAM_BYTES];
	struct sockaddr_in to = address_of(address, port);
	double start;
	int peer;

	for (;;) {
		peer = socket(AF_INET, SOCK_STREAM, 0);
		if (peer < 0)
			return fail("socket");
		if (!connect(peer, (struct sockaddr *)&to, sizeof(to)))
			break;
		close(peer);
		sleep(1);
	}
	for (start = now(); now() - start < seconds;)
		if (write(peer, buffer, sizeof(buffer)) < 0)
			return fail("send");
	close(peer);
	return 0;
}

int main(int count, char **words)
{
	const char *what = count > 1 ? words[1] : "";

	if (!strcmp(what, "spin") && count == 3 && atoi(words[2]) > 0 &&
	    atoi(words[2]) <= SPIN_SECONDS_MAX)
		return spin((unsigned)atoi(words[2]));
	if (!strcmp(what, "read") && count == 6 && atoi(words[4]) > 0 &&
	    atoi(words[4]) <= DEPTH_MAX)
		return read_disk(words[2], (size_t)atol(words[3]), (unsigned)atoi(words[4]),
				 atof(words[5]));
	if (!strcmp(what, "receive") && count == 3)
		return receive(words[2]);
	if (!strcmp(what, "send") && count == 5)
		return send_stream(words[2], words[3], atof(words[4]));
	fputs("usage: compare_guest spin SECONDS | read FILE SIZE DEPTH SECONDS | receive PORT | "
	      "send ADDRESS PORT SECONDS\n",
	      stderr);
	return 2;
}
