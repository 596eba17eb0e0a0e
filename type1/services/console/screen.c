/* SPDX-License-Identifier: MIT */
/*
 * screen.c - serial line, screen and keyboard as one (screen.h).  A guest may write faster than a
 * screen can be drawn: it is drawn some time after the first change, with all that came meanwhile.
 */
#include "type1/services/console/screen.h"

#include <linux/errno.h>

#include "hw/vga.h"
#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/process/ports.h"
#include "type1/process/process.h"
#include "type1/services/console/i8042.h"
#include "type1/services/console/machine.h"

#define DRAW_DELAY UINT64_C(10000000) /* ns */
#define KEYS_MAX 32                   /* codes at a time */
#define LINE_END "\r\n"

static void draw_time(void *arg)
{
	screen_draw(arg);
}

static void look_time(void *arg)
{
	struct screen *screen = arg;

	if (serial_ready(&screen->serial) || (screen->has_keyboard && i8042_ready()))
		os_event_signal(screen->typed);
	os_timer_set(screen->looks, os_clock_monotonic() + SERIAL_PERIOD);
}

/* Where it is of text, its own cursor is in the way: the terminal has one. */
static void hide_hardware_cursor(void)
{
	port_out(VGA_CRTC_PORT, VGA_CRTC_CURSOR_START);
	port_out(VGA_CRTC_PORT + 1, VGA_CURSOR_OFF);
}

static void begin_display(struct screen *screen)
{
	const struct type1_screen *told = &process_info->screen;
	void *memory = machine_map_screen();
	int error = memory ? display_create(&screen->display, told, memory) : -ENODEV;

	screen->has_display = !error;
	if (error == -ENODEV)
		process_log(OS_LOG_INFO, "the machine has no screen: the serial line is all");
	else if (error)
		process_log(OS_LOG_WARNING,
			    "the screen of %u by %u is none that can be drawn on (error %d)",
			    told->width, told->height, -error);
	else if (told->kind == TYPE1_SCREEN_TEXT)
		hide_hardware_cursor();
}

int screen_begin(struct screen *screen, struct os_loop *loop, struct os_event *typed)
{
	int error = os_timer_create(loop, draw_time, screen, &screen->draws);

	if (!error)
		error = os_timer_create(loop, look_time, screen, &screen->looks);
	if (error)
		return error;
	screen->typed = typed;
	serial_begin(&screen->serial);
	begin_display(screen);
	screen->has_keyboard = !i8042_begin();
	if (!screen->has_keyboard)
		process_log(OS_LOG_INFO, "there is no keyboard's controller (i8042): what is typed "
					 "comes by the serial line");
	look_time(screen);
	return 0;
}

static void take(struct screen *screen, const char *bytes, size_t count)
{
	if (!screen->has_display || !count)
		return;
	terminal_write(&screen->display.terminal, bytes, count);
	if (!screen->changed)
		os_timer_set(screen->draws, os_clock_monotonic() + DRAW_DELAY);
	screen->changed = true;
}

void screen_write_raw(struct screen *screen, const char *bytes, size_t count)
{
	take(screen, bytes, count);
	serial_write(&screen->serial, bytes, count);
}

void screen_write(void *arg, const char *bytes, size_t count)
{
	size_t done = 0;

	for (size_t i = 0; i < count; i++) {
		if (bytes[i] != '\n')
			continue;
		screen_write_raw(arg, bytes + done, i - done);
		screen_write_raw(arg, LINE_END, sizeof(LINE_END) - 1);
		done = i + 1;
	}
	screen_write_raw(arg, bytes + done, count - done);
}

void screen_show_line(struct screen *screen, const char *line)
{
	take(screen, line, text_length(line));
	take(screen, LINE_END, sizeof(LINE_END) - 1);
}

size_t screen_read(struct screen *screen, uint8_t *bytes, size_t size)
{
	size_t count = serial_read(&screen->serial, bytes, size), keys = 0;
	uint8_t codes[KEYS_MAX];
	char made[KEYBOARD_BYTES];

	do {
		if (screen->has_keyboard)
			keys = i8042_read(codes,
					  MIN((size - count) / KEYBOARD_BYTES, ARRAY_COUNT(codes)));
		for (size_t i = 0; i < keys; i++) {
			size_t more = keyboard_take(&screen->keyboard, codes[i], made);

			memcpy(bytes + count, made, more);
			count += more;
		}
		/* Codes that make nothing must not look like the end of what was typed. */
	} while (keys && !count);
	return count;
}

void screen_draw(struct screen *screen)
{
	if (screen->changed)
		display_draw(&screen->display);
	screen->changed = false;
}

void screen_reset_modes(struct screen *screen)
{
	if (screen->has_display)
		terminal_reset_modes(&screen->display.terminal);
}
