/* SPDX-License-Identifier: MIT */
/*
 * pit_channel.c - one counter of the 8254 (Intel 82C54 data sheet, "Mode definitions").
 *
 * Nothing happens by itself: a counter's value and output follow from the time since it began.  A
 * count is loaded by the clock pulse after it is written, or after the gate's rising edge.  All
 * times are nanoseconds of host_clock_monotonic().
 */
#include "hypervisor/irqchip/chips.h"

uint64_t pit_ticks_to_ns(uint64_t ticks)
{
	return mul_div(ticks, NS_PER_SECOND, PIT_FREQUENCY) + (ticks != 0);
}

static uint64_t ns_to_ticks(uint64_t ns)
{
	return mul_div(ns, PIT_FREQUENCY, NS_PER_SECOND);
}

/* The gate of these stops the counter while it is low; of modes 1 and 5 only its edge counts. */
static bool gate_is_level(const struct pit_channel *channel)
{
	return channel->mode != PIT_MODE_ONE_SHOT && channel->mode != PIT_MODE_HARDWARE_STROBE;
}

static bool is_periodic(const struct pit_channel *channel)
{
	return channel->mode == PIT_MODE_RATE || channel->mode == PIT_MODE_SQUARE;
}

static void start(struct pit_channel *channel, uint64_t now)
{
	if (channel->next_count)
		channel->count = channel->next_count;
	channel->next_count = 0;
	channel->next_at = 0;
	channel->start = now + pit_ticks_to_ns(1);
	channel->held = 0;
	channel->is_held = !channel->gate && gate_is_level(channel);
	channel->running = true;
}

/* A count that was written while the counter ran takes over at the end of the cycle. */
static void catch_up(struct pit_channel *channel, uint64_t now)
{
	if (!channel->next_at || now < channel->next_at)
		return;
	channel->count = channel->next_count;
	channel->start = channel->next_at;
	channel->next_count = 0;
	channel->next_at = 0;
}

/* Ticks that it has counted. */
static uint64_t elapsed(const struct pit_channel *channel, uint64_t now)
{
	if (!channel->running)
		return 0;
	if (channel->is_held)
		return channel->held;
	return now > channel->start ? ns_to_ticks(now - channel->start) : 0;
}

/* In the square wave each half takes a count by two; of an odd count the high half is the longer.
 */
static uint32_t square_value(uint32_t count, uint32_t phase)
{
	uint32_t high = (count + 1) / 2;

	if (phase >= high)
		phase -= high;
	return (count & ~1u) - 2 * phase;
}

static uint32_t value(const struct pit_channel *channel, uint64_t now)
{
	uint32_t counts = channel->bcd ? PIT_COUNTS_BCD : PIT_COUNTS;
	uint64_t ticks = elapsed(channel, now);

	if (!channel->running)
		return channel->count % counts;
	if (channel->mode == PIT_MODE_RATE)
		return (uint32_t)(channel->count - ticks % channel->count) % counts;
	if (channel->mode == PIT_MODE_SQUARE)
		return square_value(channel->count, (uint32_t)(ticks % channel->count)) % counts;
	/* It goes on from all ones (nines) when it has come to 0. */
	return (uint32_t)(channel->count + counts - ticks % counts) % counts;
}

/* The counter as the ports show it. */
static uint16_t shown(const struct pit_channel *channel, uint64_t now)
{
	uint32_t binary = value(channel, now);

	if (!channel->bcd)
		return (uint16_t)binary;
	return (uint16_t)(binary / 1000 % 10 << 12 | binary / 100 % 10 << 8 |
			  binary / 10 % 10 << 4 | binary % 10);
}

bool pit_channel_out(struct pit_channel *channel, uint64_t now)
{
	uint64_t ticks;

	catch_up(channel, now);
	ticks = elapsed(channel, now);
	if (!channel->running)
		return channel->mode != PIT_MODE_TERMINAL_COUNT;
	switch (channel->mode) {
	case PIT_MODE_TERMINAL_COUNT:
		return ticks >= channel->count;
	case PIT_MODE_ONE_SHOT:
		return ticks >= channel->count || now < channel->start;
	case PIT_MODE_RATE:
		return channel->is_held || ticks % channel->count != channel->count - 1;
	case PIT_MODE_SQUARE:
		return channel->is_held || ticks % channel->count < (channel->count + 1) / 2;
	default:
		return ticks != channel->count;
	}
}

uint64_t pit_channel_next_rise(struct pit_channel *channel, uint64_t now, uint64_t *period)
{
	uint64_t rise;

	catch_up(channel, now);
	*period = 0;
	if (!channel->running || channel->is_held)
		return 0;
	switch (channel->mode) {
	case PIT_MODE_RATE:
	case PIT_MODE_SQUARE:
		*period = pit_ticks_to_ns(channel->count);
		rise = channel->start +
		       pit_ticks_to_ns((elapsed(channel, now) / channel->count + 1) *
				       channel->count);
		break;
	case PIT_MODE_TERMINAL_COUNT:
	case PIT_MODE_ONE_SHOT:
		rise = channel->start + pit_ticks_to_ns(channel->count);
		break;
	default: /* at the end of the strobe */
		rise = channel->start + pit_ticks_to_ns(channel->count + 1);
		break;
	}
	return rise > now ? rise : 0;
}

void pit_channel_reset(struct pit_channel *channel, bool gate)
{
	*channel = (struct pit_channel){
		.count = PIT_COUNTS,
		.gate = gate,
		.mode = PIT_MODE_SQUARE,
		.access = PIT_ACCESS_WORD,
		.read_state = PIT_ACCESS_WORD,
		.write_state = PIT_ACCESS_WORD,
	};
}

void pit_channel_control(struct pit_channel *channel, uint64_t now, uint8_t control)
{
	uint8_t access = control >> PIT_CONTROL_ACCESS_SHIFT & PIT_CONTROL_ACCESS_MASK;
	uint8_t mode = control >> PIT_CONTROL_MODE_SHIFT & PIT_CONTROL_MODE_MASK;

	if (access == PIT_ACCESS_LATCH) {
		pit_channel_latch_count(channel, now);
		return;
	}
	channel->access = channel->read_state = channel->write_state = access;
	/* 6 and 7 are 2 and 3: that bit is "don't care". */
	channel->mode = mode > PIT_MODE_HARDWARE_STROBE ? mode & 3 : mode;
	channel->bcd = control & PIT_CONTROL_BCD;
	channel->running = false;
	channel->written = false;
	channel->next_count = 0;
	channel->next_at = 0;
	channel->count_latched = 0;
	channel->status_latched = false;
}

static uint32_t count_of(const struct pit_channel *channel, uint32_t written)
{
	uint32_t count = written & 0xffff;

	if (channel->bcd)
		count = (count >> 12) * 1000 + (count >> 8 & 0xf) * 100 + (count >> 4 & 0xf) * 10 +
			(count & 0xf);
	if (count)
		return count;
	return channel->bcd ? PIT_COUNTS_BCD : PIT_COUNTS;
}

/* A new count: "Mode definitions", each mode's on a count written while the counter runs. */
static bool set_count(struct pit_channel *channel, uint64_t now, uint32_t written)
{
	uint64_t ticks;

	catch_up(channel, now);
	channel->written = true;
	channel->next_count = count_of(channel, written);
	channel->next_at = 0;
	if (!gate_is_level(channel)) {
		if (!channel->running)
			channel->count = channel->next_count;
		return false; /* at the next trigger */
	}
	if (is_periodic(channel) && channel->running && !channel->is_held) {
		ticks = elapsed(channel, now);
		ticks += channel->count - ticks % channel->count;
		channel->next_at = channel->start + pit_ticks_to_ns(ticks);
		return false;
	}
	start(channel, now);
	return true;
}

void pit_channel_load(struct pit_channel *channel, uint64_t now, uint32_t count)
{
	channel->running = false;
	channel->written = true;
	channel->next_count = count <= PIT_COUNTS ? count : PIT_COUNTS;
	if (gate_is_level(channel))
		start(channel, now);
	else
		channel->count = channel->next_count;
}

bool pit_channel_write(struct pit_channel *channel, uint64_t now, uint8_t byte)
{
	switch (channel->write_state) {
	case PIT_ACCESS_LOW:
		return set_count(channel, now, byte);
	case PIT_ACCESS_HIGH:
		return set_count(channel, now, (uint32_t)byte << 8);
	case PIT_ACCESS_WORD_HIGH:
		channel->write_state = PIT_ACCESS_WORD;
		return set_count(channel, now, (uint32_t)byte << 8 | channel->write_latch);
	default:
		channel->write_latch = byte;
		channel->write_state = PIT_ACCESS_WORD_HIGH;
		/* In mode 0 the first byte stops the counter and takes OUT low. */
		if (channel->mode == PIT_MODE_TERMINAL_COUNT)
			channel->running = false;
		return channel->mode == PIT_MODE_TERMINAL_COUNT;
	}
}

void pit_channel_latch_count(struct pit_channel *channel, uint64_t now)
{
	if (channel->count_latched)
		return;
	catch_up(channel, now);
	channel->latched_count = shown(channel, now);
	channel->count_latched = channel->access;
}

void pit_channel_latch_status(struct pit_channel *channel, uint64_t now)
{
	bool out = pit_channel_out(channel, now);
	bool null = !channel->written || channel->next_count ||
		    (channel->running && now < channel->start);

	if (channel->status_latched)
		return;
	channel->status_latched = true;
	channel->status = (uint8_t)((out ? PIT_STATUS_OUT : 0) | (null ? PIT_STATUS_NULL : 0) |
				    channel->access << PIT_CONTROL_ACCESS_SHIFT |
				    channel->mode << PIT_CONTROL_MODE_SHIFT | channel->bcd);
}

/* The byte that is due of a count, and which comes next. */
static uint8_t take_byte(uint16_t count, uint8_t *state, uint8_t after_word)
{
	switch (*state) {
	case PIT_ACCESS_LOW:
		return (uint8_t)count;
	case PIT_ACCESS_HIGH:
		return (uint8_t)(count >> 8);
	case PIT_ACCESS_WORD_HIGH:
		*state = after_word;
		return (uint8_t)(count >> 8);
	default:
		*state = PIT_ACCESS_WORD_HIGH;
		return (uint8_t)count;
	}
}

uint8_t pit_channel_read(struct pit_channel *channel, uint64_t now)
{
	uint8_t byte, state;

	if (channel->status_latched) {
		channel->status_latched = false;
		return channel->status;
	}
	if (channel->count_latched) {
		state = channel->count_latched;
		byte = take_byte(channel->latched_count, &state, 0);
		channel->count_latched = state == PIT_ACCESS_WORD_HIGH ? state : 0;
		return byte;
	}
	catch_up(channel, now);
	return take_byte(shown(channel, now), &channel->read_state, PIT_ACCESS_WORD);
}

void pit_channel_set_gate(struct pit_channel *channel, uint64_t now, bool gate)
{
	bool rises = gate && !channel->gate, falls = !gate && channel->gate;

	catch_up(channel, now);
	if (falls && channel->running && gate_is_level(channel)) {
		channel->held = elapsed(channel, now);
		channel->is_held = true;
		channel->next_at = 0;
	}
	channel->gate = gate;
	if (!rises)
		return;
	if (!gate_is_level(channel)) {
		if (channel->written)
			start(channel, now);
	} else if (channel->running && is_periodic(channel)) {
		start(channel, now);
	} else if (channel->running && channel->is_held) {
		channel->start = now - pit_ticks_to_ns(channel->held);
		channel->is_held = false;
	}
}
