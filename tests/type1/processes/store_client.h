/* SPDX-License-Identifier: MIT */
/*
 * store_client.h - a client of the store that asks for one thing at a time, on a channel of its
 * own, so that tests can ask for what the library never would; and patterns that volumes are filled
 * with.
 */
#ifndef DYAD_TESTS_TYPE1_STORE_CLIENT_H
#define DYAD_TESTS_TYPE1_STORE_CLIENT_H

#include <linux/errno.h>

#include "abi/store.h"
#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/process/channel.h"
#include "type1/process/process.h"
#include "type1/process/ring.h"

struct store_client {
	struct channel channel;
	struct store_channel *shared;
	struct ring requests, answers;
};

/* Anew, if it is connected already. */
static inline int store_connect(struct store_client *client)
{
	int error;

	channel_close(&client->channel);
	error = channel_connect(&client->channel, process_info->handles.store,
				sizeof(*client->shared));
	if (error < 0)
		return error;
	client->shared = client->channel.memory;
	ring_init(&client->requests, &client->shared->requests, STORE_RING);
	ring_init(&client->answers, &client->shared->answers, STORE_RING);
	return 0;
}

/* The answer to one request; -EPIPE: the store has closed the channel. */
static inline int store_ask(struct store_client *client, struct store_request request)
{
	struct store_answer answer;

	client->shared->request[ring_place(&client->requests, 0)] = request;
	if (ring_produce(&client->requests, 1))
		channel_signal(&client->channel);
	while (!ring_filled(&client->answers)) {
		if (ring_wait(&client->answers, 0))
			channel_wait(&client->channel, 0);
		if (channel_gone(&client->channel))
			return -EPIPE;
	}
	answer = client->shared->answer[ring_place(&client->answers, 0)];
	ring_consume(&client->answers, 1);
	return answer.result;
}

static inline int store_ask_named(struct store_client *client, enum store_operation operation,
				  const char *name, uint64_t size)
{
	memset(client->shared->name, 0, STORE_NAME);
	memcpy(client->shared->name, name, text_length(name));
	return store_ask(client, (struct store_request){.operation = operation, .offset = size});
}

/* One segment of memory at that address. */
static inline int store_move(struct store_client *client, enum store_operation operation,
			     uint64_t address, uint64_t size, uint64_t offset, uint64_t length)
{
	client->shared->segments[0][0] = (struct store_segment){address, size};
	return store_ask(client, (struct store_request){.operation = operation,
							.offset = offset,
							.length = length,
							.segments = 1});
}

/* --- Patterns: each seed has another one, and so has each place */

static inline uint64_t pattern_word(uint64_t seed, uint64_t i)
{
	uint64_t x = (seed + i) * UINT64_C(0x9e3779b97f4a7c15);

	return x ^ x >> 29;
}

static inline void pattern_fill(uint8_t *at, uint64_t size, uint64_t seed)
{
	for (uint64_t i = 0; i < size / 8; i++)
		store_le64(at + 8 * i, pattern_word(seed, i));
}

static inline bool pattern_filled(const uint8_t *at, uint64_t size, uint64_t seed)
{
	for (uint64_t i = 0; i < size / 8; i++)
		if (load_le64(at + 8 * i) != pattern_word(seed, i))
			return false;
	return true;
}

static inline bool pattern_zeros(const uint8_t *at, uint64_t size)
{
	for (uint64_t i = 0; i < size; i++)
		if (at[i])
			return false;
	return true;
}

#endif
