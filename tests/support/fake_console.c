/* SPDX-License-Identifier: MIT */
/*
 * fake_console.c - os.h's console with a scripted input and a recorded output.  The listener is
 * called from fake_console_type(), and from fake_console_set_room() after a short write, as if the
 * loop did.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/fake_os.h"

struct os_console {
	void (*changed)(void *);
	void *arg;
	char *input; /* typed and not read yet */
	size_t input_size;
	char *output; /* ends with a NUL that is not counted */
	size_t output_size;
	size_t room;
	bool was_short;
};

struct os_console *fake_console_create(void)
{
	struct os_console *console = calloc(1, sizeof(*console));

	assert(console);
	console->output = calloc(1, 1);
	assert(console->output);
	console->room = SIZE_MAX;
	return console;
}

void fake_console_destroy(struct os_console *console)
{
	if (!console)
		return;
	free(console->input);
	free(console->output);
	free(console);
}

static void console_tell(struct os_console *console)
{
	if (console->changed)
		console->changed(console->arg);
}

void fake_console_type(struct os_console *console, const char *bytes, size_t count)
{
	if (count == 0)
		return;
	console->input = realloc(console->input, console->input_size + count);
	assert(console->input);
	memcpy(console->input + console->input_size, bytes, count);
	console->input_size += count;
	console_tell(console);
}

const char *fake_console_output(const struct os_console *console)
{
	return console->output;
}

size_t fake_console_output_size(const struct os_console *console)
{
	return console->output_size;
}

void fake_console_set_room(struct os_console *console, size_t room)
{
	console->room = room;
	if (room == 0 || !console->was_short)
		return;
	console->was_short = false;
	console_tell(console);
}

void os_console_set_listener(struct os_console *console, void (*changed)(void *), void *arg)
{
	console->changed = changed;
	console->arg = arg;
}

size_t os_console_write(struct os_console *console, const void *bytes, size_t count)
{
	size_t taken = count < console->room ? count : console->room;

	if (taken < count)
		console->was_short = true;
	if (taken == 0)
		return 0;
	if (console->room != SIZE_MAX)
		console->room -= taken;
	console->output = realloc(console->output, console->output_size + taken + 1);
	assert(console->output);
	memcpy(console->output + console->output_size, bytes, taken);
	console->output_size += taken;
	console->output[console->output_size] = '\0';
	return taken;
}

size_t os_console_read(struct os_console *console, void *bytes, size_t count)
{
	size_t taken = count < console->input_size ? count : console->input_size;

	if (taken == 0)
		return 0;
	memcpy(bytes, console->input, taken);
	console->input_size -= taken;
	memmove(console->input, console->input + taken, console->input_size);
	return taken;
}
