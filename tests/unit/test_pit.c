/* SPDX-License-Identifier: MIT */
/* The 8254: its six modes' waveforms, latches, BCD, gates; ticks at GSI 0, late ones made up for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hypervisor/irqchip/chips.h"
#include "tests/support/chips.h"

#define CONTROL(channel, access, mode)                                                             \
	((uint8_t)((channel) << PIT_CONTROL_CHANNEL_SHIFT | (access) << PIT_CONTROL_ACCESS_SHIFT | \
		   (mode) << PIT_CONTROL_MODE_SHIFT))
#define CHANNEL2 (PIT_PORT + 2)
#define MS UINT64_C(1000000)

static uint64_t began; /* when the count was written, or the gate rose */

/* To the middle of the clock pulse n after that. */
static void to_pulse(uint64_t n)
{
	uint64_t at = began + (n * 2 + 1) * 1000000000 / PIT_FREQUENCY / 2;

	assert_true(at >= fake_host_monotonic);
	fake_host_advance(at - fake_host_monotonic);
}

static void mark(void)
{
	began = fake_host_monotonic;
}

static bool out2(struct chips *chips)
{
	return chips_in(chips, PIT_SPEAKER_PORT) & PIT_SPEAKER_OUT;
}

static void set(struct chips *chips, unsigned channel, unsigned mode, uint16_t count)
{
	chips_out(chips, PIT_CONTROL_PORT, CONTROL(channel, PIT_ACCESS_WORD, mode));
	chips_out(chips, PIT_PORT + channel, (uint8_t)count);
	chips_out(chips, PIT_PORT + channel, (uint8_t)(count >> 8));
	mark();
}

static void gate(struct chips *chips, bool level)
{
	chips_out(chips, PIT_SPEAKER_PORT, level ? PIT_SPEAKER_GATE : 0);
}

static uint16_t count(struct chips *chips, unsigned channel)
{
	uint8_t low = (uint8_t)chips_in(chips, PIT_PORT + channel);

	return (uint16_t)(low | chips_in(chips, PIT_PORT + channel) << 8);
}

/* OUT of channel 2 at the pulses from first on, as '0' and '1'. */
static void expect_wave(struct chips *chips, uint64_t first, const char *wave)
{
	for (; *wave; wave++, first++) {
		to_pulse(first);
		if (out2(chips) != (*wave == '1'))
			fail_msg("OUT is not %c at pulse %u", *wave, (unsigned)first);
	}
}

static struct chips *create(void)
{
	struct chips *chips = chips_create(1, NULL);

	apic_enable(chips, 0);
	apic_out(chips, 0, APIC_LVT_LINT0, APIC_LVT_MASKED); /* the PICs have no say */
	chips_out(chips, PIC_MASTER_PORT + 1, 0xff);
	gate(chips, true);
	return chips;
}

/* --- Waveforms, data sheet figures 15 to 20 --------------------------------------------------- */

static void mode_0_rises_after_the_count(void **state)
{
	struct chips *chips = create();

	(void)state;
	set(chips, 2, PIT_MODE_TERMINAL_COUNT, 4);
	expect_wave(chips, 0, "00000111");
	set(chips, 2, PIT_MODE_TERMINAL_COUNT, 6);
	expect_wave(chips, 0, "000");
	gate(chips, false); /* holds the count, here at 4 */
	to_pulse(20);
	assert_int_equal(count(chips, 2), 5);
	assert_false(out2(chips));
	gate(chips, true);
	mark();
	expect_wave(chips, 0, "00000111");
	/* The first byte of another count takes OUT low; the second begins it. */
	chips_out(chips, CHANNEL2, 3);
	mark();
	expect_wave(chips, 0, "00000000");
	chips_out(chips, CHANNEL2, 0);
	mark();
	expect_wave(chips, 0, "0000111");
	chips_destroy(chips);
}

static void mode_1_is_a_pulse_for_each_trigger(void **state)
{
	struct chips *chips = create();

	(void)state;
	gate(chips, false);
	set(chips, 2, PIT_MODE_ONE_SHOT, 3);
	expect_wave(chips, 0, "1111111");
	gate(chips, true);
	mark();
	expect_wave(chips, 0, "1000111");
	gate(chips, false);
	expect_wave(chips, 7, "111");
	gate(chips, true);
	mark();
	expect_wave(chips, 0, "100");
	gate(chips, false);
	gate(chips, true); /* a trigger within it makes it longer */
	mark();
	expect_wave(chips, 1, "00011");
	/* A new count is for the next one. */
	gate(chips, false);
	gate(chips, true);
	mark();
	chips_out(chips, CHANNEL2, 5);
	chips_out(chips, CHANNEL2, 0);
	expect_wave(chips, 0, "100011");
	gate(chips, false);
	gate(chips, true);
	mark();
	expect_wave(chips, 0, "10000011");
	chips_destroy(chips);
}

static void mode_2_is_low_for_one_clock(void **state)
{
	struct chips *chips = create();

	(void)state;
	set(chips, 2, PIT_MODE_RATE, 3);
	expect_wave(chips, 0, "1110110110110");
	/* A new count takes over at the end of the cycle. */
	set(chips, 2, PIT_MODE_RATE, 4);
	expect_wave(chips, 0, "11");
	chips_out(chips, CHANNEL2, 5);
	chips_out(chips, CHANNEL2, 0);
	expect_wave(chips, 2, "110111101111");
	/* Its gate holds OUT high, and begins anew. */
	gate(chips, false);
	expect_wave(chips, 14, "1111111111");
	gate(chips, true);
	mark();
	expect_wave(chips, 0, "111110111101");
	chips_destroy(chips);
}

static void mode_3_is_a_square_wave(void **state)
{
	struct chips *chips = create();

	(void)state;
	set(chips, 2, PIT_MODE_SQUARE, 4);
	expect_wave(chips, 1, "110011001100");
	set(chips, 2, PIT_MODE_SQUARE, 5); /* high for one more */
	expect_wave(chips, 1, "11100111001110");
	set(chips, 2, 7, 4); /* 7 is 3 */
	expect_wave(chips, 1, "11001100");
	/* The value goes by two. */
	set(chips, 2, PIT_MODE_SQUARE, 10);
	to_pulse(1);
	assert_int_equal(count(chips, 2), 10);
	to_pulse(2);
	assert_int_equal(count(chips, 2), 8);
	to_pulse(6);
	assert_int_equal(count(chips, 2), 10);
	gate(chips, false);
	assert_true(out2(chips));
	gate(chips, true);
	mark();
	expect_wave(chips, 1, "1111100000");
	chips_destroy(chips);
}

static void mode_4_strobes_once(void **state)
{
	struct chips *chips = create();

	(void)state;
	set(chips, 2, PIT_MODE_SOFTWARE_STROBE, 3);
	expect_wave(chips, 0, "1111011111");
	chips_out(chips, CHANNEL2, 2);
	chips_out(chips, CHANNEL2, 0);
	mark();
	expect_wave(chips, 0, "111011");
	chips_destroy(chips);
}

static void mode_5_strobes_for_each_trigger(void **state)
{
	struct chips *chips = create();

	(void)state;
	gate(chips, false);
	set(chips, 2, PIT_MODE_HARDWARE_STROBE, 3);
	expect_wave(chips, 0, "1111111");
	gate(chips, true);
	mark();
	expect_wave(chips, 0, "11110111");
	gate(chips, false);
	gate(chips, true);
	mark();
	expect_wave(chips, 0, "11110111");
	chips_destroy(chips);
}

/* --- Reading ---------------------------------------------------------------------------------- */

static void counts_read_in_halves_and_latched(void **state)
{
	struct chips *chips = create();

	(void)state;
	set(chips, 2, PIT_MODE_RATE, 0x1234);
	to_pulse(1);
	assert_int_equal(count(chips, 2), 0x1234);
	to_pulse(0x35);
	assert_int_equal(count(chips, 2), 0x1200);
	chips_out(chips, PIT_CONTROL_PORT, CONTROL(2, PIT_ACCESS_LATCH, 0));
	to_pulse(0x100);
	chips_out(chips, PIT_CONTROL_PORT, CONTROL(2, PIT_ACCESS_LATCH, 0)); /* is latched */
	assert_int_equal(count(chips, 2), 0x1200);
	assert_int_equal(count(chips, 2), 0x1135);
	chips_out(chips, PIT_CONTROL_PORT, CONTROL(2, PIT_ACCESS_HIGH, PIT_MODE_RATE));
	chips_out(chips, CHANNEL2, 0x20);
	mark();
	to_pulse(1);
	assert_int_equal(chips_in(chips, CHANNEL2), 0x20);
	assert_int_equal(chips_in(chips, CHANNEL2), 0x20);
	chips_out(chips, PIT_CONTROL_PORT, CONTROL(2, PIT_ACCESS_LOW, PIT_MODE_RATE));
	chips_out(chips, CHANNEL2, 0x30);
	mark();
	to_pulse(1 + 0x10);
	assert_int_equal(chips_in(chips, CHANNEL2), 0x20);
	assert_int_equal(chips_in(chips, PIT_CONTROL_PORT), 0xff);
	chips_destroy(chips);
}

static void bcd_counts_in_tens(void **state)
{
	struct chips *chips = create();

	(void)state;
	chips_out(chips, PIT_CONTROL_PORT,
		  CONTROL(2, PIT_ACCESS_WORD, PIT_MODE_TERMINAL_COUNT) | PIT_CONTROL_BCD);
	chips_out(chips, CHANNEL2, 0x02);
	chips_out(chips, CHANNEL2, 0x10);
	mark();
	to_pulse(1);
	assert_int_equal(count(chips, 2), 0x1002);
	to_pulse(4);
	assert_int_equal(count(chips, 2), 0x0999);
	to_pulse(1003);
	assert_true(out2(chips));
	assert_int_equal(count(chips, 2), 0);
	to_pulse(1004);
	assert_int_equal(count(chips, 2), 0x9999);
	chips_out(chips, CHANNEL2, 0xff); /* no digits */
	chips_out(chips, CHANNEL2, 0xff);
	mark();
	to_pulse(20000);
	assert_true(out2(chips));
	chips_destroy(chips);
}

static void read_back_latches_status_and_counts(void **state)
{
	struct chips *chips = create();

	(void)state;
	set(chips, 2, PIT_MODE_RATE, 1000);
	chips_out(chips, PIT_CONTROL_PORT, 0xe8); /* status of 2: the count is not loaded yet */
	assert_int_equal(chips_in(chips, CHANNEL2), 0xf4);
	to_pulse(101);
	chips_out(chips, PIT_CONTROL_PORT, 0xc8); /* both */
	to_pulse(200);
	assert_int_equal(chips_in(chips, CHANNEL2), 0xb4);
	assert_int_equal(count(chips, 2), 900);
	assert_int_equal(count(chips, 2), 801);
	chips_out(chips, PIT_CONTROL_PORT, CONTROL(2, PIT_ACCESS_LOW, PIT_MODE_TERMINAL_COUNT));
	chips_out(chips, PIT_CONTROL_PORT, 0xe8);
	assert_int_equal(chips_in(chips, CHANNEL2), 0x50);
	chips_out(chips, PIT_CONTROL_PORT, 0xdc); /* counts of 1 and 2... of channels named */
	chips_in(chips, PIT_PORT + 1);
	chips_destroy(chips);
}

static void speaker_port_shows_gate_data_and_refresh(void **state)
{
	struct chips *chips = create();
	unsigned toggles = 0;

	(void)state;
	chips_out(chips, PIT_SPEAKER_PORT, 0xff);
	assert_int_equal(chips_in(chips, PIT_SPEAKER_PORT) & 0xcf, 3);
	chips_out(chips, PIT_SPEAKER_PORT, 2);
	assert_int_equal(chips_in(chips, PIT_SPEAKER_PORT) & 0xcf, 2);
	for (unsigned i = 0; i < 100; i++) {
		uint64_t before = chips_in(chips, PIT_SPEAKER_PORT);

		fake_host_advance(16384);
		toggles +=
			((before ^ chips_in(chips, PIT_SPEAKER_PORT)) & PIT_SPEAKER_REFRESH) != 0;
	}
	assert_int_equal(toggles, 100);
	chips_destroy(chips);
}

/* --- Ticks ------------------------------------------------------------------------------------ */

#define TICK_VECTOR 0x31

static struct chips *create_ticking(uint16_t reload)
{
	struct chips *chips = create();

	ioapic_route(chips, 0, TICK_VECTOR);
	set(chips, 0, PIT_MODE_RATE, reload);
	return chips;
}

static unsigned take_ticks(struct chips *chips)
{
	unsigned ticks = 0;

	while (chips_take(chips, 0) == TICK_VECTOR) {
		ticks++;
		chips_eoi(chips, 0);
	}
	return ticks;
}

static void ticks_keep_their_rate(void **state)
{
	struct chips *chips = create_ticking(11932); /* 100 Hz: 10.0001 ms */
	unsigned ticks = 0;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		fake_host_advance(10 * MS);
		ticks += take_ticks(chips);
	}
	assert_in_range(ticks, 999, 1000);
	/* Ten minutes later there is no drift. */
	for (unsigned i = 0; i < 6000; i++) {
		fake_host_advance(100 * MS);
		ticks += take_ticks(chips);
	}
	assert_in_range(ticks, 60998, 61000);
	chips_destroy(chips);
}

static void late_ticks_are_made_up_for(void **state)
{
	struct chips *chips = create_ticking(11932);
	struct kvm_reinject_control control = {0};

	(void)state;
	fake_host_advance(105 * MS);
	assert_int_equal(take_ticks(chips), 10);
	/* Unless that is not wanted. */
	assert_int_equal(irqchip_reinject_control(chips->vm.irqchip, &control), 0);
	fake_host_advance(100 * MS);
	assert_int_equal(take_ticks(chips), 1);
	fake_host_advance(10 * MS);
	assert_int_equal(take_ticks(chips), 1);
	chips_destroy(chips);
}

static void ticks_that_nobody_takes_are_not_kept(void **state)
{
	struct chips *chips = create_ticking(11932);

	(void)state;
	ioapic_route(chips, 0, IOAPIC_RTE_MASKED | TICK_VECTOR);
	fake_host_advance(1000 * MS);
	ioapic_route(chips, 0, TICK_VECTOR);
	assert_int_equal(take_ticks(chips), 0);
	fake_host_advance(25 * MS);
	assert_in_range(take_ticks(chips), 2, 3);
	/* One whose end got lost does not stop the clock for good. */
	fake_host_advance(10 * MS);
	assert_int_equal(chips_take(chips, 0), TICK_VECTOR);
	lapic_reset(chips_lapic(chips, 0));
	apic_enable(chips, 0);
	ioapic_route(chips, 0, IOAPIC_RTE_MASKED | TICK_VECTOR);
	ioapic_route(chips, 0, TICK_VECTOR);
	fake_host_advance(10 * MS);
	assert_in_range(take_ticks(chips), 1, 2);
	chips_destroy(chips);
}

/* As a thread leaves the line that is interrupted within its pulse, while the guest takes the tick.
 */
static void a_tick_comes_while_the_last_one_s_line_is_up(void **state)
{
	struct chips *chips = create_ticking(11932);

	(void)state;
	routing_set_line(chips->vm.irqchip, PIT_GSI, LINE_SOURCE_PIT, true);
	assert_int_equal(take_ticks(chips), 1);
	fake_host_advance(11 * MS);
	assert_int_equal(take_ticks(chips), 1);
	chips_destroy(chips);
}

static void ticks_come_through_the_pic(void **state)
{
	struct chips *chips = create();
	unsigned ticks = 0;

	(void)state;
	chips_out(chips, PIC_MASTER_PORT, 0x11);
	chips_out(chips, PIC_MASTER_PORT + 1, 0x20);
	chips_out(chips, PIC_MASTER_PORT + 1, 0x04);
	chips_out(chips, PIC_MASTER_PORT + 1, 0x01);
	apic_out(chips, 0, APIC_LVT_LINT0, APIC_MODE_EXTINT << APIC_MODE_SHIFT);
	set(chips, 0, PIT_MODE_SQUARE, 11932);
	fake_host_advance(105 * MS);
	while (chips_take(chips, 0) == 0x20) {
		chips_out(chips, PIC_MASTER_PORT, 0x20);
		ticks++;
	}
	assert_int_equal(ticks, 10);
	chips_destroy(chips);
}

static void one_shots_tick_once(void **state)
{
	struct chips *chips = create();

	(void)state;
	ioapic_route(chips, 0, TICK_VECTOR);
	set(chips, 0, PIT_MODE_TERMINAL_COUNT, 11932);
	fake_host_advance(9 * MS);
	assert_int_equal(take_ticks(chips), 0);
	fake_host_advance(2 * MS);
	assert_int_equal(take_ticks(chips), 1);
	fake_host_advance(1000 * MS);
	assert_int_equal(take_ticks(chips), 0);
	chips_out(chips, PIT_PORT, 0x10); /* again, by a count alone */
	chips_out(chips, PIT_PORT, 0x10);
	fake_host_advance(10 * MS);
	assert_int_equal(take_ticks(chips), 1);
	set(chips, 0, PIT_MODE_SOFTWARE_STROBE, 100);
	fake_host_advance(10 * MS);
	assert_int_equal(take_ticks(chips), 1);
	/* As Linux stops it: mode 0 without a count. */
	set(chips, 0, PIT_MODE_RATE, 11932);
	chips_out(chips, PIT_CONTROL_PORT, CONTROL(0, PIT_ACCESS_WORD, PIT_MODE_TERMINAL_COUNT));
	fake_host_advance(100 * MS);
	assert_int_equal(take_ticks(chips), 0);
	assert_true(fake_host_next_timer() == UINT64_MAX);
	chips_destroy(chips);
}

static void a_new_rate_begins_at_the_end_of_a_cycle(void **state)
{
	struct chips *chips = create_ticking(11932);

	(void)state;
	fake_host_advance(5 * MS);
	chips_out(chips, PIT_PORT, 0x96); /* 1 ms, 1193 counts, less a few */
	chips_out(chips, PIT_PORT, 0x04);
	fake_host_advance(4 * MS);
	assert_int_equal(take_ticks(chips), 0);
	fake_host_advance(1500000);
	assert_int_equal(take_ticks(chips), 1);
	fake_host_advance(10 * MS);
	assert_in_range(take_ticks(chips), 9, 11);
	chips_destroy(chips);
}

static void a_tiny_count_does_not_keep_the_host_busy(void **state)
{
	struct chips *chips = create_ticking(1);

	(void)state;
	for (unsigned i = 0; i < 50; i++) {
		assert_true(fake_host_next_timer() != UINT64_MAX);
		fake_host_advance(fake_host_next_timer() - fake_host_monotonic);
		if (i)
			assert_true(fake_host_next_timer() - fake_host_monotonic >= 150000);
	}
	chips_destroy(chips);
}

/* --- State ------------------------------------------------------------------------------------ */

static void state_goes_to_another_and_on(void **state)
{
	struct chips *from = create_ticking(11932), *to = create();
	struct kvm_pit_state2 saved;

	(void)state;
	set(from, 2, PIT_MODE_SQUARE, 1000);
	chips_out(from, PIT_SPEAKER_PORT, 3);
	assert_int_equal(irqchip_get_pit(from->vm.irqchip, &saved), 0);
	assert_int_equal(saved.channels[0].count, 11932);
	assert_int_equal(saved.channels[0].mode, 2);
	assert_int_equal(saved.channels[2].gate, 1);
	assert_int_equal(saved.flags, KVM_PIT_FLAGS_SPEAKER_DATA_ON);
	assert_int_equal(irqchip_set_pit(to->vm.irqchip, &saved), 0);
	ioapic_route(to, 0, TICK_VECTOR);
	fake_host_advance(105 * MS);
	assert_int_equal(take_ticks(to), 10);
	assert_int_equal(chips_in(to, PIT_SPEAKER_PORT) & 3, 3);
	saved.flags = KVM_PIT_FLAGS_HPET_LEGACY; /* the HPET ticks instead */
	assert_int_equal(irqchip_set_pit(to->vm.irqchip, &saved), 0);
	fake_host_advance(105 * MS);
	assert_int_equal(take_ticks(to), 0);
	chips_destroy(from);
	chips_destroy(to);
}

/* QEMU divides by what it reads. */
static void no_count_is_told_as_zero(void **state)
{
	struct chips *chips = create();
	struct kvm_pit_state2 saved;

	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		assert_int_equal(irqchip_get_pit(chips->vm.irqchip, &saved), 0);
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(saved.channels[i].count, 65536);
		/* As it was: no tick comes of it. */
		assert_int_equal(irqchip_set_pit(chips->vm.irqchip, &saved), 0);
	}
	fake_host_advance(200 * MS);
	assert_int_equal(take_ticks(chips), 0);
	chips_destroy(chips);
}

static void hostile_state_is_tamed(void **state)
{
	struct chips *chips = create();
	struct kvm_pit_config config = {0};
	struct kvm_pit_state2 saved;

	(void)state;
	assert_int_equal(irqchip_create_pit(chips->vm.irqchip, &config), -EEXIST);
	for (unsigned byte = 0; byte < 256; byte += 17) {
		memset(&saved, (int)byte, sizeof(saved));
		assert_int_equal(irqchip_set_pit(chips->vm.irqchip, &saved), 0);
		for (unsigned i = 0; i < 12; i++) {
			chips_in(chips, (uint16_t)(PIT_PORT + i % 3));
			chips_out(chips, (uint16_t)(PIT_PORT + i % 3), (uint8_t)i);
			chips_in(chips, PIT_SPEAKER_PORT);
			fake_host_advance(MS);
		}
		assert_int_equal(irqchip_get_pit(chips->vm.irqchip, &saved), 0);
	}
	chips_destroy(chips);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mode_0_rises_after_the_count),
		cmocka_unit_test(mode_1_is_a_pulse_for_each_trigger),
		cmocka_unit_test(mode_2_is_low_for_one_clock),
		cmocka_unit_test(mode_3_is_a_square_wave),
		cmocka_unit_test(mode_4_strobes_once),
		cmocka_unit_test(mode_5_strobes_for_each_trigger),
		cmocka_unit_test(counts_read_in_halves_and_latched),
		cmocka_unit_test(bcd_counts_in_tens),
		cmocka_unit_test(read_back_latches_status_and_counts),
		cmocka_unit_test(speaker_port_shows_gate_data_and_refresh),
		cmocka_unit_test(ticks_keep_their_rate),
		cmocka_unit_test(late_ticks_are_made_up_for),
		cmocka_unit_test(ticks_that_nobody_takes_are_not_kept),
		cmocka_unit_test(a_tick_comes_while_the_last_one_s_line_is_up),
		cmocka_unit_test(ticks_come_through_the_pic),
		cmocka_unit_test(one_shots_tick_once),
		cmocka_unit_test(a_new_rate_begins_at_the_end_of_a_cycle),
		cmocka_unit_test(a_tiny_count_does_not_keep_the_host_busy),
		cmocka_unit_test(state_goes_to_another_and_on),
		cmocka_unit_test(no_count_is_told_as_zero),
		cmocka_unit_test(hostile_state_is_tamed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
