/* SPDX-License-Identifier: MIT */
/*
 * keyboard.c - keys into bytes (keyboard.h).  A code is a key that goes down, or, with its highest
 * bit, up; some keys have a prefix, by which they differ from those of the keypad.
 */
#include "type1/services/console/keyboard.h"

#include "lib/bits.h"
#include "lib/bytes.h"

#define RELEASED 0x80u
#define PREFIX 0xe0u
#define PREFIX_PAUSE 0xe1u
#define PAUSE_CODES 2 /* behind each of its prefixes */
#define CONTROL(letter) ((letter)&0x1f)
#define ESCAPE "\033"

enum key {
	KEY_TAB = 0x0f,
	KEY_ENTER = 0x1c,
	KEY_CONTROL = 0x1d,
	KEY_LEFT_SHIFT = 0x2a,
	KEY_SLASH = 0x35,
	KEY_RIGHT_SHIFT = 0x36,
	KEY_ALT = 0x38,
	KEY_CAPS_LOCK = 0x3a,
	KEY_F1 = 0x3b,
	KEY_NUMBER_LOCK = 0x45,
	KEY_PAD_FIRST = 0x47,
	KEY_PAD_LAST = 0x53,
	KEY_F11 = 0x57,
};

enum modifier {
	LEFT_SHIFT = 1 << 0,
	RIGHT_SHIFT = 1 << 1,
	LEFT_CONTROL = 1 << 2,
	RIGHT_CONTROL = 1 << 3,
	LEFT_ALT = 1 << 4,
	RIGHT_ALT = 1 << 5,
	ANY_SHIFT = LEFT_SHIFT | RIGHT_SHIFT,
	ANY_CONTROL = LEFT_CONTROL | RIGHT_CONTROL,
	ANY_ALT = LEFT_ALT | RIGHT_ALT,
};

/* By code; 0: no character. */
static const char plain[] = "\0\033"
			    "1234567890-=\177\tqwertyuiop[]\r\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
static const char shifted[] = "\0\033"
			      "!@#$%^&*()_+\177\tQWERTYUIOP{}\r\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";
/* From KEY_PAD_FIRST on: with number lock, and what the keys are without it. */
static const char pad_numbers[] = "789-456+1230.";
static const char *const pad_keys[] = {
	ESCAPE "[H", ESCAPE "[A", ESCAPE "[5~", "-",          ESCAPE "[D",  "", ESCAPE "[C", "+",
	ESCAPE "[F", ESCAPE "[B", ESCAPE "[6~", ESCAPE "[2~", ESCAPE "[3~",
};
static const char *const function_keys[] = {
	ESCAPE "OP",   ESCAPE "OQ",   ESCAPE "OR",   ESCAPE "OS",   ESCAPE "[15~",
	ESCAPE "[17~", ESCAPE "[18~", ESCAPE "[19~", ESCAPE "[20~", ESCAPE "[21~",
};
static const char *const late_function_keys[] = {ESCAPE "[23~", ESCAPE "[24~"};

_Static_assert(sizeof(plain) == sizeof(shifted), "the same keys");
_Static_assert(ARRAY_COUNT(pad_keys) == KEY_PAD_LAST - KEY_PAD_FIRST + 1, "the keypad");

static size_t say(char *bytes, const char *text)
{
	size_t count = text_length(text);

	memcpy(bytes, text, count);
	return count;
}

static unsigned modifier_of(unsigned key, bool extended)
{
	switch (key) {
	case KEY_LEFT_SHIFT:
		/* With the prefix it only tells what number lock makes of a key. */
		return extended ? 0 : LEFT_SHIFT;
	case KEY_RIGHT_SHIFT:
		return extended ? 0 : RIGHT_SHIFT;
	case KEY_CONTROL:
		return extended ? RIGHT_CONTROL : LEFT_CONTROL;
	case KEY_ALT:
		return extended ? RIGHT_ALT : LEFT_ALT;
	default:
		return 0;
	}
}

/* A lock that is held down says so again and again. */
static void lock_take(bool *state, bool *down, bool pressed)
{
	*state ^= pressed && !*down;
	*down = pressed;
}

/* Control makes what stands in columns 04 to 07 of the code table what stands in 00 and 01. */
static char with_control(char character)
{
	if (character == ' ')
		return 0;
	if (character == '\177')
		return '\b';
	return character >= '@' ? (char)CONTROL(character) : character;
}

static size_t character_take(const struct keyboard *keyboard, unsigned key, char *bytes)
{
	bool shift = keyboard->held & ANY_SHIFT;
	char character = plain[key];
	size_t count = 0;

	if (!character)
		return 0;
	if (key == KEY_TAB && shift)
		return say(bytes, ESCAPE "[Z");
	if (character >= 'a' && character <= 'z')
		shift ^= keyboard->caps_lock;
	if (shift)
		character = shifted[key];
	if (keyboard->held & ANY_CONTROL)
		character = with_control(character);
	if (keyboard->held & ANY_ALT)
		bytes[count++] = *ESCAPE;
	bytes[count++] = character;
	return count;
}

static size_t pressed_take(const struct keyboard *keyboard, unsigned key, bool extended,
			   char *bytes)
{
	if (key >= KEY_PAD_FIRST && key <= KEY_PAD_LAST) {
		unsigned number = key - KEY_PAD_FIRST;

		if (extended || keyboard->number_lock_off)
			return say(bytes, pad_keys[number]);
		bytes[0] = pad_numbers[number];
		return 1;
	}
	if (key >= KEY_F1 && key - KEY_F1 < ARRAY_COUNT(function_keys))
		return say(bytes, function_keys[key - KEY_F1]);
	if (key >= KEY_F11 && key - KEY_F11 < ARRAY_COUNT(late_function_keys))
		return say(bytes, late_function_keys[key - KEY_F11]);
	/* Of the others two of the keypad have the prefix, and are what they look like. */
	if (key >= sizeof(plain) - 1 || (extended && key != KEY_ENTER && key != KEY_SLASH))
		return 0;
	return character_take(keyboard, key, bytes);
}

size_t keyboard_take(struct keyboard *keyboard, uint8_t code, char bytes[KEYBOARD_BYTES])
{
	unsigned key = code & ~RELEASED, modifier;
	bool pressed = !(code & RELEASED), extended = keyboard->extended;

	if (keyboard->skipped) {
		keyboard->skipped--;
		return 0;
	}
	keyboard->extended = code == PREFIX;
	if (code == PREFIX)
		return 0;
	if (code == PREFIX_PAUSE) {
		keyboard->skipped = PAUSE_CODES;
		return 0;
	}
	modifier = modifier_of(key, extended);
	if (modifier) {
		keyboard->held = pressed ? keyboard->held | modifier : keyboard->held & ~modifier;
		return 0;
	}
	if (key == KEY_CAPS_LOCK)
		lock_take(&keyboard->caps_lock, &keyboard->caps_down, pressed);
	else if (key == KEY_NUMBER_LOCK && !extended)
		lock_take(&keyboard->number_lock_off, &keyboard->number_down, pressed);
	else if (pressed)
		return pressed_take(keyboard, key, extended, bytes);
	return 0;
}
