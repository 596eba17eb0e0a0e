/* SPDX-License-Identifier: MIT */
/*
 * A guest to be sat at: says on its serial line what was typed there, key by key, and does what
 * some keys mean; powers off when its power button is pressed, as long as it minds that.
 *
 *   f  writes lines without end, until the next key       c  crashes: a triple fault
 *   i  minds the power button no more                     q  ends by the test device
 *   p  paints: colours, characters that aren't ASCII, rows that scroll
 */
#include "tests/guest/guest.h"

#define MODEM_CONTROL (GUEST_SERIAL + 4)
#define MODEM_CONTROL_RTS 0x02
#define LINE_STATUS (GUEST_SERIAL + 5)
#define LINE_STATUS_DATA 0x01
#define LINE_STATUS_ROOM 0x20
/* ACPI 6.4, 4.8.3; where the FADT of Dyad's machine says that they are. */
#define PM1_STATUS 0x600
#define PM1_CONTROL 0x604
#define PM1_POWER_BUTTON 0x0100
#define PM1_SLEEP_S5 (5 << 10 | 1 << 13)

/* Unlike guest_print(): nothing is lost when nobody reads for a while. */
static void say(const char *text)
{
	for (; *text; text++) {
		while (!(in8(LINE_STATUS) & LINE_STATUS_ROOM))
			;
		out8(GUEST_SERIAL, (uint8_t)*text);
	}
}

static void say_number(uint32_t number)
{
	char text[11];
	char *at = text + sizeof(text) - 1;

	*at = '\0';
	do {
		*--at = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	say(at);
}

static int key_pressed(void)
{
	return in8(LINE_STATUS) & LINE_STATUS_DATA;
}

static void flood(void)
{
	for (uint32_t line = 0; !key_pressed(); line++) {
		say("flood ");
		say_number(line);
		say(" of the lines that this guest writes without end\r\n");
	}
}

static void crash(void)
{
	static const struct {
		uint16_t limit;
		uint32_t base;
	} __attribute__((packed)) none = {0, 0};

	__asm__ volatile("lidt %0; ud2" : : "m"(none));
}

/* Rows 3 and 5, and of rows 7 to 9 what is left when they have scrolled by one. */
static void paint(void)
{
	say("\033[2J\033[3;5Hhere \033[1;31mred\033[0;42mX\033[m"
	    "\033[5;1H\xc3\xa9\xe2\x94\x80\xe2\x95\x97 abcde\033[3D\033[K\033[4h*\033[4l"
	    "\033[7;9r\033[7;1Hone\r\ntwo\r\nthree\nfour\033[r\033[12;1Hpainted\r\n");
}

static void take_key(uint8_t key, int *minds)
{
	say("key ");
	say_number(key);
	say("\r\n");
	switch (key) {
	case 'f':
		flood();
		break;
	case 'c':
		crash();
		break;
	case 'p':
		paint();
		break;
	case 'i':
		*minds = 0;
		break;
	case 'q':
		guest_exit(1);
	default:
		break;
	}
}

void guest_main(uint32_t magic, const void *multiboot_info)
{
	int minds = 1;

	(void)magic;
	(void)multiboot_info;
	/* Nothing is sent to who isn't ready for it. */
	out8(MODEM_CONTROL, MODEM_CONTROL_RTS);
	say("the guest is there\r\n");
	for (;;) {
		if (key_pressed())
			take_key(in8(GUEST_SERIAL), &minds);
		if (minds && (in32(PM1_STATUS) & PM1_POWER_BUTTON)) {
			say("the guest powers off\r\n");
			out16(PM1_CONTROL, PM1_SLEEP_S5);
		}
	}
}
