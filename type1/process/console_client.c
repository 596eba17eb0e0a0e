/* SPDX-License-Identifier: MIT */
/*
 * console_client.c - a guest's terminal at the console service (console_client.h).
 */
#include "type1/process/console_client.h"

#include "abi/console.h"
#include "lib/bits.h"

static struct console_channel *shared(struct console_client *client)
{
	return client->channel.memory;
}

static void client_signalled(void *arg);

/* With the lock held.  What was closed is connected anew, or stays closed. */
static int client_connect(struct console_client *client)
{
	int error;

	channel_close(&client->channel);
	client->pressed = client->stopped = 0;
	error = channel_connect(&client->channel, client->service, sizeof(struct console_channel));
	if (!error)
		error = channel_watch(&client->channel, client->loop, client_signalled, client);
	if (error) {
		channel_close(&client->channel);
		return error;
	}
	ring_init(&client->output, &shared(client)->output, CONSOLE_OUTPUT);
	ring_init(&client->input, &shared(client)->input, CONSOLE_INPUT);
	return 0;
}

/* Whether the word has changed since it was seen last. */
static bool is_raised(const uint32_t *word, uint32_t *seen)
{
	uint32_t now = __atomic_load_n(word, __ATOMIC_ACQUIRE), before = *seen;

	*seen = now;
	return now != before;
}

/* Nothing is asked before there is somebody to follow: the words stay as they were. */
static void client_look_at_words(struct console_client *client)
{
	const struct process_console_control *control = &client->control;

	if (!client->channel.handle || !control->stop)
		return;
	if (is_raised(&shared(client)->power_button, &client->pressed))
		control->power_button(control->context);
	if (is_raised(&shared(client)->stop, &client->stopped))
		control->stop(control->context);
}

static void client_signalled(void *arg)
{
	struct console_client *client = arg;

	client_look_at_words(client);
	os_mutex_lock(&client->lock);
	if (channel_gone(&client->channel) || ring_broken(&client->output) ||
	    ring_broken(&client->input))
		client_connect(client);
	os_mutex_unlock(&client->lock);
	client->changed(client->arg);
}

int console_client_begin(struct console_client *client, struct os_loop *loop, uint32_t service,
			 void (*changed)(void *), void *arg)
{
	client->loop = loop;
	client->service = service;
	client->changed = changed;
	client->arg = arg;
	os_mutex_init(&client->lock);
	return client_connect(client);
}

void console_client_end(struct console_client *client)
{
	channel_close(&client->channel);
}

void console_client_set_control(struct console_client *client,
				const struct process_console_control *control)
{
	client->control = *control;
	client_look_at_words(client);
}

/* With the lock held. */
static size_t client_put(struct console_client *client, const uint8_t *bytes, size_t count)
{
	count = MIN(count, ring_room(&client->output));
	for (uint32_t i = 0; i < count; i++)
		shared(client)->written[ring_place(&client->output, i)] = bytes[i];
	if (count && ring_produce(&client->output, (uint32_t)count))
		channel_signal(&client->channel);
	return count;
}

size_t console_client_write(struct console_client *client, const uint8_t *bytes, size_t count)
{
	os_mutex_lock(&client->lock);
	if (client->channel.handle)
		count = client_put(client, bytes, count);
	os_mutex_unlock(&client->lock);
	return count;
}

/* With the lock held.  Who is given less than there was room for is told of what comes. */
static size_t client_take(struct console_client *client, uint8_t *bytes, size_t count)
{
	size_t got = 0;

	do {
		uint32_t piece = (uint32_t)MIN(count - got, ring_filled(&client->input));

		for (uint32_t i = 0; i < piece; i++)
			bytes[got++] = shared(client)->typed[ring_place(&client->input, i)];
		/* The service doesn't wait for room. */
		ring_consume(&client->input, piece);
	} while (got < count && !ring_wait(&client->input, 0));
	return got;
}

size_t console_client_read(struct console_client *client, uint8_t *bytes, size_t count)
{
	size_t got = 0;

	os_mutex_lock(&client->lock);
	if (client->channel.handle)
		got = client_take(client, bytes, count);
	os_mutex_unlock(&client->lock);
	return got;
}
