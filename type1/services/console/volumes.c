/* SPDX-License-Identifier: MIT */
/*
 * volumes.c - the store's volumes, by a channel for as long as a command lasts (abi/store.h).
 *
 * The console waits for the answer, for a bounded time: nothing else is to be done meanwhile.
 */
#include <linux/errno.h>

#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/process/process.h"
#include "type1/services/console/console.h"
#include "type1/services/console/table.h"

#define PATIENCE UINT64_C(5000000000) /* ns */
#define REQUEST_ID 0                  /* one at a time */

struct session {
	struct channel channel;
	struct store_channel *shared;
	struct ring requests, answers;
};

static int session_begin(struct session *session)
{
	uint32_t store = process_info->handles.store;
	int error = -ENOENT;

	if (store)
		error = channel_connect(&session->channel, store, sizeof(struct store_channel));
	if (error)
		return error;
	session->shared = session->channel.memory;
	ring_init(&session->requests, &session->shared->requests, STORE_RING);
	ring_init(&session->answers, &session->shared->answers, STORE_RING);
	return 0;
}

static int session_wait(struct session *session)
{
	uint64_t deadline = os_clock_monotonic() + PATIENCE;

	while (!ring_filled(&session->answers)) {
		int error = 0;

		if (channel_gone(&session->channel) || ring_broken(&session->answers))
			return -EPIPE;
		if (ring_wait(&session->answers, 0))
			error = channel_wait(&session->channel, deadline);
		if (error)
			return error;
	}
	return 0;
}

/* The answer's result, or why there is none. */
static int session_ask(struct session *session, enum store_operation operation, uint64_t offset)
{
	struct store_request *request =
		&session->shared->request[ring_place(&session->requests, 0)];
	struct store_answer answer;
	int error;

	*request =
		(struct store_request){.operation = operation, .id = REQUEST_ID, .offset = offset};
	if (ring_produce(&session->requests, 1))
		channel_signal(&session->channel);
	error = session_wait(session);
	if (error)
		return error;
	answer = session->shared->answer[ring_place(&session->answers, 0)];
	ring_consume(&session->answers, 1);
	return answer.result;
}

/* The volume of that index. */
static int session_list(struct session *session, unsigned index, char name[STORE_NAME],
			struct store_info *info)
{
	int error = session_ask(session, STORE_LIST, index);

	if (error)
		return error;
	memcpy(name, session->shared->name, STORE_NAME);
	name[STORE_NAME - 1] = '\0';
	*info = session->shared->info;
	return 0;
}

static void say_error(struct console *console, const char *what, int error)
{
	const char *why = error == -EEXIST                         ? "there is one of that name"
			  : error == -ENOSPC                       ? "the disk has no room for it"
			  : error == -EBUSY                        ? "somebody uses it"
			  : error == -EPIPE || error == -ETIMEDOUT ? "the store gives no answer"
			  : error == -EINVAL                       ? "the store refuses that"
								   : NULL;

	if (error == -ENOENT)
		output_print(&console->out, "%s: %s\n", what,
			     process_info->handles.store ? "there is no such volume"
							 : "the image has no store");
	else if (why)
		output_print(&console->out, "%s: %s\n", what, why);
	else
		output_print(&console->out, "%s: error %d\n", what, -error);
}

void volumes_list(struct console *console)
{
	static struct table table; /* too large for a stack */
	struct session session = {0};
	struct store_info info;
	char name[STORE_NAME], size[REPORT_TEXT];
	unsigned count = 0;
	int error = session_begin(&session);

	table_begin(&table, "<NAME SIZE BLOCK <FLAGS");
	while (!error && !(error = session_list(&session, count, name, &info))) {
		count++;
		table_add(&table, "%s", name);
		table_add(&table, "%s", report_size(size, info.size));
		table_add(&table, "%u", info.block_size);
		table_add(&table, "%s%s", info.flags & STORE_READ_ONLY ? "read-only " : "",
			  info.flags & STORE_CAN_DISCARD ? "discard" : "");
	}
	channel_close(&session.channel);
	if (count)
		table_print(&table, &console->out);
	else if (error == -ENOENT && process_info->handles.store)
		output_text(&console->out, "there are no volumes\n");
	else
		say_error(console, "volumes", error);
}

bool volumes_name(unsigned index, char name[STORE_NAME])
{
	struct session session = {0};
	struct store_info info;
	int error = session_begin(&session);

	if (!error)
		error = session_list(&session, index, name, &info);
	channel_close(&session.channel);
	return !error;
}

static void change(struct console *console, enum store_operation operation, const char *name,
		   uint64_t size)
{
	size_t length = text_length(name);
	struct session session = {0};
	int error;

	if (length >= STORE_NAME) {
		output_print(&console->out, "a volume's name has at most %d bytes\n",
			     STORE_NAME - 1);
		return;
	}
	error = session_begin(&session);
	if (!error) {
		memcpy(session.shared->name, name, length + 1);
		error = session_ask(&session, operation, size);
	}
	channel_close(&session.channel);
	if (error)
		say_error(console, name, error);
}

void volumes_create(struct console *console, const char *name, uint64_t size)
{
	change(console, STORE_CREATE, name, size);
}

void volumes_delete(struct console *console, const char *name)
{
	change(console, STORE_DELETE, name, 0);
}

void volumes_grow(struct console *console, const char *name, uint64_t size)
{
	change(console, STORE_GROW, name, size);
}
