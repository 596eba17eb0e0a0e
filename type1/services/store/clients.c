/* SPDX-License-Identifier: MIT */
/*
 * clients.c - accepting clients, their requests in turn, and their end.
 *
 * What can't be served at once (all transfers are under way, or volumes are being changed) is kept
 * by its client, which is not read any further; when something has ended, all that wait have
 * another try, beginning behind the one who was first the time before.
 */
#include "type1/services/store/clients.h"

#include <linux/errno.h>

#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/process/process.h"
#include "type1/process/ring.h"
#include "type1/services/store/transfer.h"

#define CLIENTS_MAX 256
/* Who may change volumes. */
static const char manager[] = "console";

struct client {
	struct channel channel;
	struct store_channel *shared;
	struct ring requests, answers;
	bool manages;
	bool told;               /* its event: it may be gone */
	bool closing;            /* when nothing of it is under way any more */
	struct volumes *volumes; /* NULL: it has none open */
	unsigned volume;
	bool read_only;     /* it reads the volume, as others may */
	unsigned under_way; /* transfers and changes */
	bool used[STORE_RING];
	bool waits; /* has a request that can't be served yet: */
	struct store_request request;
	uint32_t change_id;
	struct volumes_change change;
};

static struct {
	struct os_loop *loop;
	struct volumes *disks;
	struct channel_listener listener;
	struct client *clients[CLIENTS_MAX];
	unsigned places; /* of them that were ever taken: the others are NULL */
	unsigned first;  /* who is served first, the next time */
	/* Tells the loop that there is more to do, after all the other events; it was signalled. */
	struct os_event *again;
	bool signalled;
	bool waiting; /* some client is */
} store;

/* A request is served at once, or by and by; or waits. */
enum turn { SERVED, WAITS };

static void serve_again(void)
{
	if (!store.signalled)
		os_event_signal(store.again);
	store.signalled = true;
}

/* Something of the client has ended. */
static void ended(struct client *client)
{
	client->under_way--;
	if (store.waiting || client->closing)
		serve_again();
}

/* --- Answers */

static void answer(struct client *client, uint32_t id, int result)
{
	client->used[id] = false;
	/* There is room for as many as there are numbers; who doesn't take them reuses numbers. */
	if (!ring_room(&client->answers)) {
		client->closing = true;
		return;
	}
	client->shared->answer[ring_place(&client->answers, 0)] =
		(struct store_answer){.id = id, .result = result};
	if (ring_produce(&client->answers, 1) && channel_signal(&client->channel) < 0)
		client->closing = true;
}

static enum turn answered(struct client *client, const struct store_request *request, int result)
{
	answer(client, request->id, result);
	return SERVED;
}

/* --- Blocks */

static bool range_valid(const struct client *client, const struct store_request *request)
{
	uint64_t size = client->volumes->metadata->volumes[client->volume].size;
	uint32_t block = client->volumes->disk->info.block_size;

	return request->length && is_aligned(request->offset, block) &&
	       is_aligned(request->length, block) && request->offset < size &&
	       request->length <= size - request->offset;
}

/* Copies the segments and checks the copies. */
static bool take_segments(struct client *client, struct transfer *transfer)
{
	const struct store_request *request = &transfer->request;
	uint32_t block = client->volumes->disk->info.block_size;
	uint64_t sum = 0;

	if (!request->segments || request->segments > STORE_SEGMENTS ||
	    request->length > STORE_TRANSFER_MAX)
		return false;
	memcpy(transfer->segments, client->shared->segments[request->id],
	       request->segments * sizeof(transfer->segments[0]));
	/* The compiler must not look there again. */
	__asm__ volatile("" : : : "memory");
	for (unsigned i = 0; i < request->segments; i++) {
		const struct store_segment *segment = &transfer->segments[i];

		if (!segment->size || segment->size > request->length ||
		    !is_aligned(segment->size, block) ||
		    !is_aligned(segment->address, STORE_ALIGNMENT))
			return false;
		sum += segment->size;
	}
	return sum == request->length;
}

static enum turn serve_blocks(struct client *client, const struct store_request *request)
{
	bool moves = request->operation == STORE_READ || request->operation == STORE_WRITE;
	bool flush = request->operation == STORE_FLUSH;
	struct transfer *transfer;
	int error;

	if (!client->volumes)
		return answered(client, request, -ENXIO);
	if (!flush && !range_valid(client, request))
		return answered(client, request, -EINVAL);
	if ((client->volumes->disk->info.read_only || client->read_only) &&
	    request->operation != STORE_READ && !flush)
		return answered(client, request, -EROFS);
	if (request->operation == STORE_DISCARD && !client->volumes->disk->info.discard_max)
		return answered(client, request, 0);
	transfer = transfer_take();
	if (!transfer)
		return WAITS;
	transfer->client = client;
	transfer->channel = &client->channel;
	transfer->volumes = client->volumes;
	transfer->volume = client->volume;
	transfer->request = *request;
	if (flush)
		transfer->request.length = 0;
	if (!moves)
		transfer->request.segments = 0;
	client->under_way++;
	error = moves && !take_segments(client, transfer) ? -EINVAL : transfer_start(transfer);
	if (error < 0) {
		client->under_way--;
		transfer_give(transfer);
		return answered(client, request, error);
	}
	return SERVED;
}

/* --- Volumes */

static void take_name(const struct client *client, char name[STORE_NAME])
{
	memcpy(name, client->shared->name, STORE_NAME);
	__asm__ volatile("" : : : "memory");
}

static void fill_info(const struct volumes *volumes, unsigned volume, struct store_info *info)
{
	*info = (struct store_info){
		.size = volumes->metadata->volumes[volume].size,
		.block_size = volumes->disk->info.block_size,
		.flags = (volumes->disk->info.read_only ? STORE_READ_ONLY : 0) |
			 (volumes->disk->info.discard_max ? STORE_CAN_DISCARD : 0),
	};
}

/* The disk that has a volume of the name; NULL. */
static struct volumes *find_volume(const char name[STORE_NAME], unsigned *volume)
{
	struct volumes *volumes = metadata_name_valid(name) ? store.disks : NULL;

	for (; volumes; volumes = volumes->next) {
		*volume = metadata_find(volumes->metadata, name);
		if (*volume != METADATA_NO_VOLUME)
			break;
	}
	return volumes;
}

/* Who has it open: anybody, or one that may write. */
static struct client *find_user(const struct volumes *volumes, unsigned volume, bool writes)
{
	for (unsigned i = 0; i < store.places; i++)
		if (store.clients[i] && store.clients[i]->volumes == volumes &&
		    store.clients[i]->volume == volume && !(writes && store.clients[i]->read_only))
			return store.clients[i];
	return NULL;
}

static enum turn serve_open(struct client *client, const struct store_request *request)
{
	bool read_only = request->offset & STORE_READ_ONLY;
	struct volumes *volumes;
	char name[STORE_NAME];
	struct client *user;
	unsigned volume;

	take_name(client, name);
	volumes = find_volume(name, &volume);
	if (client->volumes || !volumes)
		return answered(client, request, client->volumes ? -EBUSY : -ENOENT);
	/* It must not be deleted meanwhile. */
	if (volumes_busy(volumes))
		return WAITS;
	user = find_user(volumes, volume, read_only);
	if (user && !channel_gone(&user->channel))
		return answered(client, request, -EBUSY);
	/* The one before is gone, and what it had asked for isn't done yet. */
	if (user)
		return WAITS;
	client->volumes = volumes;
	client->volume = volume;
	client->read_only = read_only;
	fill_info(volumes, volume, &client->shared->info);
	return answered(client, request, 0);
}

static enum turn serve_list(struct client *client, const struct store_request *request)
{
	uint64_t index = request->offset;

	for (struct volumes *volumes = store.disks; volumes; volumes = volumes->next) {
		for (unsigned i = 0; i < METADATA_VOLUMES; i++) {
			const struct metadata_volume *volume = &volumes->metadata->volumes[i];

			if (!volume->name[0] || index--)
				continue;
			fill_info(volumes, i, &client->shared->info);
			memcpy(client->shared->name, volume->name, STORE_NAME);
			return answered(client, request, 0);
		}
	}
	return answered(client, request, -ENOENT);
}

static void changed(struct volumes_change *change, int result)
{
	struct client *client = CONTAINER_OF(change, struct client, change);

	answer(client, client->change_id, result);
	ended(client);
}

/* The disk that has most space. */
static struct volumes *emptiest(void)
{
	struct volumes *best = store.disks;

	for (struct volumes *volumes = best; volumes; volumes = volumes->next)
		if (volumes_free(volumes) > volumes_free(best))
			best = volumes;
	return best;
}

static enum turn serve_change(struct client *client, const struct store_request *request)
{
	struct volumes *volumes;
	char name[STORE_NAME];
	struct client *user;
	unsigned volume;

	if (!client->manages)
		return answered(client, request, -EPERM);
	take_name(client, name);
	volumes = find_volume(name, &volume);
	if (request->operation == STORE_CREATE) {
		if (volumes)
			return answered(client, request, -EEXIST);
		volumes = emptiest();
	}
	if (!volumes)
		return answered(client, request, -ENOENT);
	if (volumes_busy(volumes) || client->under_way)
		return WAITS;
	user = request->operation == STORE_DELETE ? find_user(volumes, volume, false) : NULL;
	/* One that is gone has yet to be taken note of. */
	if (user && channel_gone(&user->channel))
		return WAITS;
	if (user)
		return answered(client, request, -EBUSY);
	client->change = (struct volumes_change){
		.operation = request->operation == STORE_CREATE   ? VOLUMES_CREATE
			     : request->operation == STORE_DELETE ? VOLUMES_DELETE
								  : VOLUMES_GROW,
		.size = request->offset,
		.done = changed,
	};
	memcpy(client->change.name, name, STORE_NAME);
	client->change_id = request->id;
	client->under_way++;
	volumes_change(volumes, &client->change);
	return SERVED;
}

/* --- Turns */

static enum turn serve(struct client *client, const struct store_request *request)
{
	switch (request->operation) {
	case STORE_OPEN:
		return serve_open(client, request);
	case STORE_READ:
	case STORE_WRITE:
	case STORE_FLUSH:
	case STORE_DISCARD:
	case STORE_ZERO:
		return serve_blocks(client, request);
	case STORE_CREATE:
	case STORE_DELETE:
	case STORE_GROW:
		return serve_change(client, request);
	case STORE_LIST:
		return serve_list(client, request);
	default:
		return answered(client, request, -ENOSYS);
	}
}

/* The next request, into client->request.  False: there is none, or the client is at fault. */
static bool take_request(struct client *client)
{
	while (!ring_filled(&client->requests))
		if (ring_wait(&client->requests, 0))
			return false;
	memcpy(&client->request, &client->shared->request[ring_place(&client->requests, 0)],
	       sizeof(client->request));
	if (ring_consume(&client->requests, 1))
		channel_signal(&client->channel);
	if (client->request.id >= STORE_RING || client->used[client->request.id]) {
		client->closing = true;
		return false;
	}
	client->used[client->request.id] = true;
	return true;
}

static void serve_client(struct client *client)
{
	for (unsigned i = 0; i < STORE_RING && !client->closing; i++) {
		if (!client->waits && !take_request(client))
			return;
		client->waits = serve(client, &client->request) == WAITS;
		store.waiting = store.waiting || client->waits;
		if (client->waits)
			return;
	}
	serve_again();
}

static bool end_client(struct client *client)
{
	if (ring_broken(&client->requests) || ring_broken(&client->answers) ||
	    (client->told && channel_gone(&client->channel)))
		client->closing = true;
	client->told = false;
	if (!client->closing || client->under_way)
		return false;
	channel_close(&client->channel);
	os_free(client);
	return true;
}

static void serve_all(void)
{
	unsigned first = store.first++;

	store.waiting = false;
	for (unsigned i = 0; i < store.places; i++) {
		struct client **client = &store.clients[(first + i) % store.places];

		if (!*client)
			continue;
		serve_client(*client);
		if (end_client(*client)) {
			*client = NULL;
			if (store.waiting) /* maybe for its volume */
				serve_again();
		}
	}
}

void clients_transferred(struct transfer *transfer, int result)
{
	struct client *client = transfer->client;

	answer(client, transfer->request.id, result);
	transfer_give(transfer);
	ended(client);
}

/* --- Channels */

static void told(void *arg)
{
	struct client *client = arg;

	client->told = true;
	serve_all();
}

static void told_again(void *arg)
{
	(void)arg;
	store.signalled = false;
	serve_all();
}

static int add_client(struct client **place)
{
	struct client *client = os_alloc(sizeof(*client));
	struct type1_client info;
	int error;

	if (!client)
		return -ENOMEM;
	error = channel_accept(&client->channel, &store.listener, sizeof(struct store_channel),
			       &info);
	if (!error)
		error = channel_watch(&client->channel, store.loop, told, client);
	if (error < 0) {
		channel_close(&client->channel);
		os_free(client);
		return error;
	}
	client->shared = client->channel.memory;
	ring_init(&client->requests, &client->shared->requests, STORE_RING);
	ring_init(&client->answers, &client->shared->answers, STORE_RING);
	info.name[TYPE1_NAME - 1] = 0;
	client->manages = text_equal(info.name, manager);
	*place = client;
	store.places = MAX(store.places, (unsigned)(place - store.clients) + 1);
	return 0;
}

static void connected(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		if (!store.clients[i] && add_client(&store.clients[i]) == -EAGAIN)
			break;
	serve_all();
}

int clients_listen(struct os_loop *loop, struct volumes *disks)
{
	int error;

	store.loop = loop;
	store.disks = disks;
	transfer_init();
	error = os_event_create(&store.again);
	if (!error)
		error = os_loop_watch(loop, store.again, told_again, NULL);
	if (!error)
		error = channel_listen(&store.listener, loop, connected, NULL);
	return error;
}
