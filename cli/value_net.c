/* SPDX-License-Identifier: MIT */
/*
 * value_net.c - the notation of network values: interfaces, MACs and port forwards.
 */
#include "cli/value.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MAC_GROUP_BIT 0x01 /* of the first byte: addressed to many stations */

int value_check_interface(const char *text, struct error *why)
{
	size_t length = strlen(text);
	bool good = length >= 1 && length <= VALUE_INTERFACE_MAX;

	for (size_t i = 0; good && i < length; i++)
		good = text[i] > ' ' && text[i] <= '~' && text[i] != '/' && text[i] != ':';
	if (!good)
		return error_set(why, -EINVAL,
				 "\"%.40s\" can't be a network interface's name; give a tap "
				 "device's name of 1 to %d characters",
				 text, VALUE_INTERFACE_MAX);
	return 0;
}

int value_rate(const char *text, uint64_t *rate, struct error *why)
{
	uint64_t units;
	int error = value_number(text, 1, VALUE_RATE_MAX, "a rate in Mbit/s", &units, why);

	if (error == 0)
		*rate = units * VALUE_RATE_UNIT;
	return error;
}

int value_mac(const char *text, uint8_t mac[6], struct error *why)
{
	unsigned any = 0;

	if (strlen(text) != 17)
		goto bad;
	for (unsigned i = 0; i < 6; i++) {
		char digits[3] = {text[3 * i], text[3 * i + 1], '\0'};
		unsigned byte;

		if (!isxdigit((unsigned char)digits[0]) || !isxdigit((unsigned char)digits[1]) ||
		    (i < 5 && text[3 * i + 2] != ':'))
			goto bad;
		sscanf(digits, "%x", &byte);
		mac[i] = (uint8_t)byte;
		any |= byte;
	}
	if (any == 0 || (mac[0] & MAC_GROUP_BIT))
		goto bad;
	return 0;
bad:
	return error_set(why, -EINVAL,
			 "\"%.40s\" is no MAC address of a single station; give six bytes in hex, "
			 "the first one even, such as 02:00:00:00:00:01",
			 text);
}

void value_format_mac(const uint8_t mac[6], char text[VALUE_TEXT_MAX])
{
	snprintf(text, VALUE_TEXT_MAX, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
}

/* "[ADDRESS]:PORT", ended by end, which may be NUL; *text is advanced behind it. */
static bool read_endpoint(const char **text, char end, uint32_t *address, uint16_t *port)
{
	const char *colon = strchr(*text, ':');
	const char *stop = end == '\0' ? *text + strlen(*text) : strchr(*text, end);
	char copy[INET_ADDRSTRLEN];
	struct in_addr in = {0};
	uint32_t number = 0;
	size_t length;

	if (colon == NULL || stop == NULL || stop < colon)
		return false;
	length = (size_t)(colon - *text);
	if (length >= sizeof(copy))
		return false;
	memcpy(copy, *text, length);
	copy[length] = '\0';
	if (length > 0 && inet_pton(AF_INET, copy, &in) != 1)
		return false;
	if (stop - colon < 2 || stop - colon > 6)
		return false;
	for (const char *digit = colon + 1; digit < stop; digit++) {
		if (!isdigit((unsigned char)*digit))
			return false;
		number = 10 * number + (uint32_t)(*digit - '0');
	}
	if (number < 1 || number > UINT16_MAX)
		return false;
	*address = ntohl(in.s_addr);
	*port = (uint16_t)number;
	*text = end == '\0' ? stop : stop + 1;
	return true;
}

int value_forward(const char *text, struct os_net_forward *forward, struct error *why)
{
	const char *at = text;

	forward->protocol = OS_NET_TCP;
	if (strncmp(at, "tcp:", 4) == 0) {
		at += 4;
	} else if (strncmp(at, "udp:", 4) == 0) {
		forward->protocol = OS_NET_UDP;
		at += 4;
	} else if (*at++ != ':') {
		goto bad;
	}
	if (read_endpoint(&at, '-', &forward->host_address, &forward->host_port) &&
	    read_endpoint(&at, '\0', &forward->guest_address, &forward->guest_port))
		return 0;
bad:
	return error_set(
		why, -EINVAL,
		"\"%.80s\" is no port forward; give tcp or udp, an IPv4 address and port of "
		"the host, and those of the guest, such as tcp:127.0.0.1:2222-:22",
		text);
}

static void format_address(uint32_t address, char text[INET_ADDRSTRLEN])
{
	struct in_addr in = {.s_addr = htonl(address)};

	text[0] = '\0';
	if (address != 0)
		inet_ntop(AF_INET, &in, text, INET_ADDRSTRLEN);
}

void value_format_forward(const struct os_net_forward *forward, char text[VALUE_TEXT_MAX])
{
	char host[INET_ADDRSTRLEN], guest[INET_ADDRSTRLEN];

	format_address(forward->host_address, host);
	format_address(forward->guest_address, guest);
	snprintf(text, VALUE_TEXT_MAX, "%s:%s:%u-%s:%u",
		 forward->protocol == OS_NET_UDP ? "udp" : "tcp", host, forward->host_port, guest,
		 forward->guest_port);
}
