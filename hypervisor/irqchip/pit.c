/* SPDX-License-Identifier: MIT */
/*
 * pit.c - the 8254 as it stands in a PC (Intel 82C54 data sheet): three counters at ports 0x40 to
 * 0x43, the first one's output at GSI 0, the third's gate and output, and the speaker, at port
 * 0x61.
 *
 * The guest is told of each tick it should have had: one that comes while the last has not been
 * taken waits for that (reinjection), unless KVM_REINJECT_CONTROL says not to.
 */
#include <linux/errno.h>

#include "hypervisor/irqchip/chips.h"
#include "lib/bits.h"

/* The shortest period that a guest gets ticks in, so that it can't keep the host busy: KVM's. */
#define PERIOD_MIN 200000u
/* Ticks that are made up for at most. */
#define PENDING_MAX 1000000u

/* --- Ticks ------------------------------------------------------------------------------------ */

/* When channel 0 ticks next: after what may have changed that. [lock] */
static void schedule(struct pit *pit)
{
	uint64_t now = host_clock_monotonic();

	pit->due =
		pit->hpet_legacy ? 0 : pit_channel_next_rise(&pit->channel[0], now, &pit->period);
	if (pit->period && pit->period < PERIOD_MIN)
		pit->period = PERIOD_MIN;
	if (pit->due)
		host_timer_set(&pit->timer, pit->due);
	else
		host_timer_cancel(&pit->timer);
}

/* Counts the ticks that have come due. [lock] */
static void count_ticks(struct pit *pit, uint64_t now)
{
	uint64_t ticks = 1, period;

	if (!pit->due || now < pit->due)
		return;
	if (pit->period) {
		ticks += (now - pit->due) / pit->period;
		pit->due += ticks * pit->period;
		/* Rounding would add up; and a count written meanwhile begins now. */
		if (pit->period > PERIOD_MIN) {
			pit->due = pit_channel_next_rise(&pit->channel[0], now, &period);
			pit->period = MAX(period, PERIOD_MIN);
		}
	} else {
		pit->due = 0;
	}
	if (!pit->reinject)
		ticks = 1;
	pit->pending = (uint32_t)MIN(pit->pending + ticks, PENDING_MAX);
	if (pit->due)
		host_timer_set(&pit->timer, pit->due);
}

/* Gives the guest a tick, if one is due and it has taken the last.  Holding no lock. */
static void inject(struct pit *pit)
{
	bool tick;
	int taken;

	host_spin_lock(&pit->lock);
	tick = pit->pending && (pit->acknowledged || !pit->reinject);
	if (tick)
		pit->acknowledged = false;
	if (!pit->reinject)
		pit->pending = 0;
	host_spin_unlock(&pit->lock);
	if (!tick)
		return;
	/* Low first: the guest may have acknowledged a tick whose line another thread has yet to
	 * lower, and without an edge this one would never be acknowledged. */
	routing_set_line(pit->chip, PIT_GSI, LINE_SOURCE_PIT, false);
	taken = routing_set_line(pit->chip, PIT_GSI, LINE_SOURCE_PIT, true);
	routing_set_line(pit->chip, PIT_GSI, LINE_SOURCE_PIT, false);
	if (taken >= 0)
		return;
	/* Nobody listens: there will be no end of it, and nothing to make up for. */
	host_spin_lock(&pit->lock);
	pit->acknowledged = true;
	pit->pending = 0;
	host_spin_unlock(&pit->lock);
}

static void fired(struct host_timer *timer)
{
	struct pit *pit = CONTAINER_OF(timer, struct pit, timer);

	host_spin_lock(&pit->lock);
	count_ticks(pit, host_clock_monotonic());
	host_spin_unlock(&pit->lock);
	inject(pit);
}

void pit_acknowledged(struct pit *pit)
{
	host_spin_lock(&pit->lock);
	if (!pit->acknowledged && pit->pending)
		pit->pending--;
	pit->acknowledged = true;
	host_spin_unlock(&pit->lock);
	inject(pit);
}

void pit_unmasked(struct pit *pit)
{
	host_spin_lock(&pit->lock);
	pit->acknowledged = true;
	pit->pending = 0;
	host_spin_unlock(&pit->lock);
}

/* --- Ports ------------------------------------------------------------------------------------ */

bool pit_owns(const struct pit *pit, uint16_t port)
{
	return (port >= PIT_PORT && port <= PIT_CONTROL_PORT) ||
	       (port == PIT_SPEAKER_PORT && pit->has_speaker);
}

/* [lock] */
static uint8_t read_speaker(struct pit *pit, uint64_t now)
{
	struct pit_channel *channel = &pit->channel[2];

	return (uint8_t)((channel->gate ? PIT_SPEAKER_GATE : 0) |
			 (pit->speaker_data ? PIT_SPEAKER_DATA : 0) |
			 (now >> PIT_REFRESH_SHIFT & 1 ? PIT_SPEAKER_REFRESH : 0) |
			 (pit_channel_out(channel, now) ? PIT_SPEAKER_OUT : 0));
}

uint8_t pit_read(struct pit *pit, uint16_t port)
{
	uint64_t now = host_clock_monotonic();
	uint8_t value = 0xff;

	host_spin_lock(&pit->lock);
	if (port == PIT_SPEAKER_PORT)
		value = read_speaker(pit, now);
	else if (port < PIT_CONTROL_PORT)
		value = pit_channel_read(&pit->channel[port - PIT_PORT], now);
	host_spin_unlock(&pit->lock);
	return value;
}

/* [lock] */
static void write_control(struct pit *pit, uint64_t now, uint8_t value)
{
	unsigned which = value >> PIT_CONTROL_CHANNEL_SHIFT;

	if (which != PIT_CONTROL_READ_BACK) {
		pit_channel_control(&pit->channel[which], now, value);
		if (which == 0 && value >> PIT_CONTROL_ACCESS_SHIFT & PIT_CONTROL_ACCESS_MASK)
			schedule(pit);
		return;
	}
	for (unsigned i = 0; i < PIT_CHANNELS; i++) {
		if (!(value >> PIT_READ_BACK_CHANNEL_SHIFT & 1u << i))
			continue;
		if (!(value & PIT_READ_BACK_NO_COUNT))
			pit_channel_latch_count(&pit->channel[i], now);
		if (!(value & PIT_READ_BACK_NO_STATUS))
			pit_channel_latch_status(&pit->channel[i], now);
	}
}

void pit_write(struct pit *pit, uint16_t port, uint8_t value)
{
	uint64_t now = host_clock_monotonic();

	host_spin_lock(&pit->lock);
	if (port == PIT_SPEAKER_PORT) {
		pit->speaker_data = value & PIT_SPEAKER_DATA;
		pit_channel_set_gate(&pit->channel[2], now, value & PIT_SPEAKER_GATE);
	} else if (port == PIT_CONTROL_PORT) {
		write_control(pit, now, value);
	} else if (pit_channel_write(&pit->channel[port - PIT_PORT], now, value) &&
		   port == PIT_PORT) {
		pit->pending = 0;
		pit->acknowledged = true;
		schedule(pit);
	}
	host_spin_unlock(&pit->lock);
}

/* --- Life and state --------------------------------------------------------------------------- */

int irqchip_create_pit(struct irqchip *chip, const struct kvm_pit_config *config)
{
	struct pit *pit;

	if (irqchip_pit(chip))
		return -EEXIST;
	pit = host_alloc(sizeof(*pit));
	if (!pit)
		return -ENOMEM;
	pit->chip = chip;
	pit->has_speaker = config->flags & KVM_PIT_SPEAKER_DUMMY;
	pit->reinject = true;
	pit->acknowledged = true;
	host_spin_init(&pit->lock);
	host_timer_init(&pit->timer, fired);
	for (unsigned i = 0; i < PIT_CHANNELS; i++)
		pit_channel_reset(&pit->channel[i], i != 2);
	/* Published whole. */
	__atomic_store_n(&chip->pit, pit, __ATOMIC_RELEASE);
	return 0;
}

void pit_stop(struct pit *pit)
{
	host_timer_destroy(&pit->timer);
}

#define MODE_NONE 0xff /* KVM's of a counter to which no count was written yet */

/* QEMU divides by the count, written or not. [lock] */
static void get_channel(const struct pit_channel *channel, struct kvm_pit_channel_state *state)
{
	uint32_t count = channel->next_count ? channel->next_count : channel->count;

	*state = (struct kvm_pit_channel_state){
		.count = channel->written ? count : PIT_COUNTS,
		.latched_count = channel->latched_count,
		.count_latched = channel->count_latched,
		.status_latched = channel->status_latched,
		.status = channel->status,
		.read_state = channel->read_state,
		.write_state = channel->write_state,
		.write_latch = channel->write_latch,
		.rw_mode = channel->access,
		.mode = channel->written ? channel->mode : MODE_NONE,
		.bcd = channel->bcd,
		.gate = channel->gate,
		.count_load_time = (int64_t)channel->start,
	};
}

static uint8_t valid_access(uint8_t access)
{
	return access >= PIT_ACCESS_LOW && access <= PIT_ACCESS_WORD_HIGH ? access
									  : PIT_ACCESS_WORD;
}

/* Its time of loading is the other host's: it begins anew, as KVM's does. [lock] */
static void set_channel(struct pit_channel *channel, const struct kvm_pit_channel_state *state)
{
	*channel = (struct pit_channel){
		.latched_count = state->latched_count,
		.count_latched =
			state->count_latched ? valid_access(state->count_latched) : (uint8_t)0,
		.status_latched = state->status_latched,
		.status = state->status,
		.read_state = valid_access(state->read_state),
		.write_state = valid_access(state->write_state),
		.write_latch = state->write_latch,
		.access = valid_access(state->rw_mode) & 3 ? valid_access(state->rw_mode) & 3
							   : PIT_ACCESS_WORD,
		.mode = state->mode <= PIT_MODE_HARDWARE_STROBE ? state->mode : state->mode & 3,
		.bcd = state->bcd != 0,
		.gate = state->gate,
	};
	channel->count = PIT_COUNTS;
	if (state->count && state->mode <= PIT_CONTROL_MODE_MASK)
		pit_channel_load(channel, host_clock_monotonic(), state->count);
}

int irqchip_get_pit(struct irqchip *chip, struct kvm_pit_state2 *state)
{
	struct pit *pit = irqchip_pit(chip);

	if (!pit)
		return -ENXIO;
	*state = (struct kvm_pit_state2){0};
	host_spin_lock(&pit->lock);
	for (unsigned i = 0; i < PIT_CHANNELS; i++)
		get_channel(&pit->channel[i], &state->channels[i]);
	state->flags = (pit->hpet_legacy ? KVM_PIT_FLAGS_HPET_LEGACY : 0) |
		       (pit->speaker_data ? KVM_PIT_FLAGS_SPEAKER_DATA_ON : 0);
	host_spin_unlock(&pit->lock);
	return 0;
}

int irqchip_set_pit(struct irqchip *chip, const struct kvm_pit_state2 *state)
{
	struct pit *pit = irqchip_pit(chip);

	if (!pit)
		return -ENXIO;
	host_spin_lock(&pit->lock);
	for (unsigned i = 0; i < PIT_CHANNELS; i++)
		set_channel(&pit->channel[i], &state->channels[i]);
	pit->hpet_legacy = state->flags & KVM_PIT_FLAGS_HPET_LEGACY;
	pit->speaker_data = state->flags & KVM_PIT_FLAGS_SPEAKER_DATA_ON;
	pit->pending = 0;
	pit->acknowledged = true;
	schedule(pit);
	host_spin_unlock(&pit->lock);
	return 0;
}

int irqchip_reinject_control(struct irqchip *chip, const struct kvm_reinject_control *control)
{
	struct pit *pit = irqchip_pit(chip);

	if (!pit)
		return -ENXIO;
	host_spin_lock(&pit->lock);
	pit->reinject = control->pit_reinject;
	pit->acknowledged = true;
	host_spin_unlock(&pit->lock);
	return 0;
}
