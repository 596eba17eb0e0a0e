/* SPDX-License-Identifier: MIT */
/*
 * The virtio device models before hostile drivers.  The input is a device, the features that are
 * negotiated, and a series of operations: chains of any shape at any address, bytes written
 * anywhere into the rings, doorbells, back ends that complete or bring something in any order,
 * accesses to the configuration, resets.
 *
 * Guest memory stands between two pages that may not be touched, so that an access outside it ends
 * the run, as does a lock taken twice, a request that os.h forbids, or a log without bound.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/bits.h"
#include "monitor/virtio/devices.h"
#include "tests/support/driver.h"
#include "tests/support/fake_os.h"

#define RAM_SIZE (256 * KIB)
#define GUARD_SIZE (64 * KIB)
#define RINGS_SIZE                                                                                 \
	(24 * KIB) /* more than the rings of any device; what is behind is for buffers             \
		    */
#define DISK_SIZE (64 * KIB)
#define OPERATIONS_MAX 300
#define CHAIN_MAX 24

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *data;
	size_t left;
};

static uint8_t next8(struct input *input)
{
	if (input->left == 0)
		return 0;
	input->left--;
	return *input->data++;
}

static uint16_t next16(struct input *input)
{
	uint16_t low = next8(input);

	return (uint16_t)(low | next8(input) << 8);
}

static uint64_t next64(struct input *input)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < 4; i++)
		value = value << 16 | next16(input);
	return value;
}

enum kind { KIND_BLK, KIND_NET, KIND_CONSOLE, KIND_RNG, KIND_BALLOON, KINDS };

struct scene {
	struct input input;
	enum kind kind;
	struct driver_memory ram;
	struct driver_device device;
	struct virtio_device *virtio;
	struct os_block *block;
	struct os_net *net;
	struct os_console *console;
};

static uint8_t *ram_host(void)
{
	static uint8_t *host;

	if (!host) {
		uint8_t *at = mmap(NULL, RAM_SIZE + 2 * GUARD_SIZE, PROT_NONE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		assert(at != MAP_FAILED);
		host = at + GUARD_SIZE;
		assert(mprotect(host, RAM_SIZE, PROT_READ | PROT_WRITE) == 0);
	}
	return host;
}

/* Memory anew, for as many rings as a device starts again with. */
static void ram_clear(struct scene *scene)
{
	memset(ram_host(), 0, RAM_SIZE);
	scene->ram = (struct driver_memory){
		.next = 4096,
		.memory = {.size = RAM_SIZE,
			   .host = ram_host(),
			   .range_count = 1,
			   .ranges[0] = {.size = RAM_SIZE, .host = ram_host()}},
	};
}

static void scene_create(struct scene *scene)
{
	static const uint8_t mac[6] = {2};
	struct virtio_blk_options options = {.serial = "fuzz", .discard = true};
	uint8_t flags = next8(&scene->input);
	const struct guest_memory *memory = &scene->ram.memory;

	switch (scene->kind) {
	case KIND_BLK:
		scene->block = fake_block_create(DISK_SIZE);
		fake_block_set_info(scene->block, &(struct os_block_info){
							  .size = DISK_SIZE,
							  .block_size = flags & 1 ? 4096 : 512,
							  .read_only = flags & 2,
							  .can_discard = !(flags & 4),
						  });
		fake_block_hold(scene->block, flags & 8);
		options.block = scene->block;
		assert(virtio_blk_create(memory, &options, &scene->virtio) == 0);
		break;
	case KIND_NET:
		scene->net = fake_net_create(flags & 2 ? 9000 : 1500, flags & 1);
		assert(virtio_net_create(
			       memory, &(struct virtio_net_options){.net = scene->net, .mac = mac},
			       &scene->virtio) == 0);
		break;
	case KIND_CONSOLE:
		scene->console = fake_console_create();
		assert(virtio_console_create(memory, scene->console, &scene->virtio) == 0);
		break;
	case KIND_RNG:
		assert(virtio_rng_create(memory, &scene->virtio) == 0);
		break;
	default:
		assert(virtio_balloon_create(memory, &scene->virtio) == 0);
	}
	driver_attach(&scene->device, scene->virtio);
}

static void scene_destroy(struct scene *scene)
{
	driver_reset(&scene->device);
	switch (scene->kind) {
	case KIND_BLK:
		virtio_blk_destroy(scene->virtio);
		break;
	case KIND_NET:
		virtio_net_destroy(scene->virtio);
		break;
	case KIND_CONSOLE:
		virtio_console_destroy(scene->virtio);
		break;
	case KIND_RNG:
		virtio_rng_destroy(scene->virtio);
		break;
	default:
		virtio_balloon_destroy(scene->virtio);
	}
	os_block_close(scene->block);
	os_net_close(scene->net);
	fake_console_destroy(scene->console);
}

static void scene_start(struct scene *scene)
{
	uint8_t choice = next8(&scene->input);
	uint64_t features = choice & 0x80 ? next64(&scene->input) : ~BIT(choice % 64);
	uint16_t size = (uint16_t)(1 << (next8(&scene->input) % 9));

	ram_clear(scene);
	driver_start(&scene->device, &scene->ram, features, size);
	assert(scene->ram.next <= RINGS_SIZE);
}

static struct driver_queue *next_queue(struct scene *scene)
{
	return &scene->device.queues[next8(&scene->input) % scene->virtio->queue_count];
}

/* --- Chains ---------------------------------------------------------------------------------- */

static gpa_t next_address(struct scene *scene)
{
	uint8_t kind = next8(&scene->input);

	switch (kind & 7) {
	case 0:
		return next64(&scene->input);
	case 1:
		return RAM_SIZE - next8(&scene->input);
	case 2:
		return next16(&scene->input); /* the rings, mostly */
	default:
		return RINGS_SIZE + (uint64_t)next16(&scene->input) * 3;
	}
}

static uint32_t next_length(struct scene *scene)
{
	static const uint32_t lengths[] = {
		1,  2,   3,   4,   10,   11,   12,   13,   15,    16,    17,     20, 33,
		64, 511, 512, 513, 1024, 1536, 4096, 4097, 16384, 65536, 131072, 0,  UINT32_MAX};
	uint8_t kind = next8(&scene->input);

	return kind < 0xf0 ? lengths[kind % ARRAY_COUNT(lengths)] : next16(&scene->input);
}

/* Most chains keep the order of what is read and what is written; the rest need not. */
static void add_chain(struct scene *scene, bool indirect)
{
	struct driver_queue *queue = next_queue(scene);
	struct driver_buffer buffers[CHAIN_MAX];
	uint8_t shape = next8(&scene->input);
	unsigned count = 1 + shape % CHAIN_MAX, readable = next8(&scene->input) % (CHAIN_MAX + 1);

	for (unsigned i = 0; i < count; i++) {
		buffers[i].address = next_address(scene);
		buffers[i].length = next_length(scene);
		buffers[i].writable = shape & 0x80 ? next8(&scene->input) & 1 : i >= readable;
	}
	if (!indirect) {
		driver_add(queue, buffers, count);
		return;
	}
	/* Tables share a place, so that one in use may be overwritten. */
	scene->ram.next = RINGS_SIZE + next8(&scene->input) * UINT64_C(16);
	driver_add_indirect(queue, buffers, count);
}

/* A request, frame or list with a head that makes sense more often than random bytes. */
static void add_sensible(struct scene *scene)
{
	struct driver_queue *queue = next_queue(scene);
	gpa_t gpa = RINGS_SIZE + (uint64_t)next8(&scene->input) * 512;
	uint8_t *at = driver_at(&scene->ram, gpa, 64);
	uint32_t data = next_length(scene), split = next8(&scene->input) % 17;
	bool data_writable = next8(&scene->input) & 1;
	struct driver_buffer buffers[4];
	unsigned count = 0;

	if (scene->kind == KIND_BLK) {
		struct virtio_blk_request header = {.type = next8(&scene->input) % 16,
						    .sector = next8(&scene->input)};
		struct virtio_blk_range range = {.sector = next8(&scene->input),
						 .sector_count = next8(&scene->input)};

		memcpy(at, &header, sizeof(header));
		memcpy(at + sizeof(header), &range, sizeof(range));
	} else if (scene->kind == KIND_NET) {
		struct virtio_net_hdr_v1 header = {.flags = next8(&scene->input) & 3,
						   .gso_type = next8(&scene->input) & 0x87,
						   .gso_size = next8(&scene->input),
						   .checksum_start = next8(&scene->input)};

		memcpy(at, &header, sizeof(header));
	} else {
		for (unsigned i = 0; i < 16; i++)
			store_le32(at + 4 * i, next8(&scene->input));
	}
	if (split > 0 && split < 16) {
		buffers[count++] = (struct driver_buffer){gpa, split, false};
		buffers[count++] = (struct driver_buffer){gpa + split, 16 - split, false};
	} else {
		buffers[count++] = (struct driver_buffer){gpa, 16, false};
	}
	if (data > 0 && data <= 16 * KIB)
		buffers[count++] = (struct driver_buffer){gpa + 16, data, data_writable};
	buffers[count++] = (struct driver_buffer){gpa + 256, 1 + split % 2, true};
	if (scene->kind != KIND_BLK)
		count--;
	driver_add(queue, buffers, count);
}

static void add_writable(struct scene *scene)
{
	struct driver_queue *queue = next_queue(scene);
	uint8_t count = next8(&scene->input) % 64;

	for (unsigned i = 0; i < count; i++) {
		struct driver_buffer buffer = {RINGS_SIZE + i * 2048, next_length(scene), true};

		driver_add(queue, &buffer, 1);
	}
}

/* What a driver does that lives long: the chains that came back, or one of them, are offered again.
 */
static void offer_again(struct scene *scene)
{
	struct driver_queue *queue = next_queue(scene);
	uint8_t count = next8(&scene->input);
	uint32_t head = next8(&scene->input), written;

	for (unsigned i = 0; i < count; i++) {
		driver_take_used(queue, &head, &written);
		driver_offer(queue, (uint16_t)head);
	}
}

/* --- Operations ------------------------------------------------------------------------------ */

static void write_anywhere(struct scene *scene)
{
	gpa_t gpa = next16(&scene->input);
	uint8_t count = next8(&scene->input) % 16;

	for (unsigned i = 0; i < count; i++)
		*(uint8_t *)driver_at(&scene->ram, gpa + i, 1) = next8(&scene->input);
}

static void offer_anything(struct scene *scene)
{
	struct driver_queue *queue = next_queue(scene);
	uint8_t kind = next8(&scene->input);

	driver_offer(queue, kind & 1 ? next16(&scene->input) : next8(&scene->input));
	if (kind & 2)
		queue->available->index = next16(&scene->input);
	queue->available->flags = kind & 4 ? VIRTQ_AVAIL_F_NO_INTERRUPT : 0;
	*driver_used_event(queue) = next8(&scene->input);
}

/* One doorbell, or one of those that the device asked for. */
static void notify(struct scene *scene, unsigned queue)
{
	struct virtio_device *virtio = scene->virtio;

	scene->device.again[queue] = false;
	os_mutex_lock(&virtio->lock);
	if (virtio->active && !virtio->failed)
		virtio->ops->notify(virtio, queue);
	os_mutex_unlock(&virtio->lock);
}

static void notify_again(struct scene *scene)
{
	for (unsigned i = 0; i < scene->virtio->queue_count; i++)
		if (scene->device.again[i])
			notify(scene, i);
}

static void block_event(struct scene *scene)
{
	uint8_t what = next8(&scene->input);

	if (what < 0x80)
		fake_block_complete_one(scene->block);
	else if (what < 0xc0)
		fake_block_hold(scene->block, what & 1);
	else
		fake_block_fail_next(scene->block, what & 1 ? -EIO : -ENOSPC);
}

static void net_event(struct scene *scene)
{
	static uint8_t frame[70000];
	uint8_t what = next8(&scene->input);
	size_t size = sizeof(struct virtio_net_hdr_v1) + 1 +
		      (what & 1 ? next16(&scene->input) : next8(&scene->input) * 8);

	if (what < 0xe0) {
		for (unsigned i = 0; i <= what % 8; i++)
			fake_net_deliver(scene->net, frame, size);
	} else {
		fake_net_set_full(scene->net, what & 1);
	}
}

static void console_event(struct scene *scene)
{
	static const char typed[256];
	uint8_t what = next8(&scene->input);

	if (what < 0x80)
		fake_console_type(scene->console, typed, next8(&scene->input));
	else
		fake_console_set_room(scene->console, what == 0xff ? SIZE_MAX : what & 0x3f);
}

static void back_end_event(struct scene *scene)
{
	if (scene->block)
		block_event(scene);
	else if (scene->net)
		net_event(scene);
	else if (scene->console)
		console_event(scene);
	else if (scene->kind == KIND_BALLOON)
		virtio_balloon_set_target(scene->virtio,
					  virtio_balloon_get_actual(scene->virtio) + 1);
}

static void access_config(struct scene *scene)
{
	uint32_t config_size = scene->virtio->config_size;
	uint8_t bytes[256] = {0};
	uint32_t offset, size;

	if (config_size == 0)
		return;
	offset = next8(&scene->input) % config_size;
	size = next8(&scene->input) % (config_size - offset + 1);
	if (next8(&scene->input) & 1)
		driver_config_write(&scene->device, offset, bytes, size);
	else
		driver_config_read(&scene->device, offset, bytes, size);
}

static void suspend(struct scene *scene)
{
	bool suspended = next8(&scene->input) & 1;

	os_mutex_lock(&scene->virtio->lock);
	for (unsigned i = 0; i < scene->virtio->queue_count; i++)
		virtqueue_suspend(&scene->virtio->queues[i], suspended);
	os_mutex_unlock(&scene->virtio->lock);
	if (!suspended)
		for (unsigned i = 0; i < scene->virtio->queue_count; i++)
			notify(scene, i);
}

static void operate(struct scene *scene)
{
	switch (next8(&scene->input) % 16) {
	case 0:
		add_chain(scene, false);
		break;
	case 1:
		add_chain(scene, true);
		break;
	case 2:
	case 3:
		add_sensible(scene);
		break;
	case 4:
		add_writable(scene);
		break;
	case 5:
		write_anywhere(scene);
		break;
	case 6:
		offer_anything(scene);
		break;
	case 7:
	case 8:
		notify(scene, next8(&scene->input) % scene->virtio->queue_count);
		break;
	case 9:
		offer_again(scene);
		break;
	case 10:
		notify_again(scene);
		break;
	case 11:
	case 12:
		back_end_event(scene);
		break;
	case 13:
		access_config(scene);
		break;
	case 14:
		suspend(scene);
		break;
	default:
		driver_reset(&scene->device);
		scene_start(scene);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct scene scene = {.input = {data, size}};

	fake_os_log_lines = 0;
	scene.kind = next8(&scene.input) % KINDS;
	ram_clear(&scene);
	scene_create(&scene);
	scene_start(&scene);
	for (unsigned i = 0; i < OPERATIONS_MAX && scene.input.left > 0; i++) {
		operate(&scene);
		assert(!fake_os_mutex_is_locked(&scene.virtio->lock));
	}
	scene_destroy(&scene);
	/* The budget, the line that says that it is spent, and the statistics of the end. */
	assert(fake_os_log_lines <= LOG_BUDGET + 2);
	return 0;
}
