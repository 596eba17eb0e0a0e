/* SPDX-License-Identifier: MIT */
/*
 * pic.c - the two 8259A interrupt controllers of a PC, the second at the first one's input 2 (Intel
 * 8259A data sheet; 82371SB for the edge/level registers).
 *
 * INTR, the master's output, is LINT0 of the local APICs.  What a CPU acknowledges goes the same
 * way backwards.
 */
#include "hypervisor/irqchip/chips.h"

#define MASTER 0
#define SLAVE 1
#define NO_PRIORITY 8u

static uint8_t pin_bit(unsigned pin)
{
	return (uint8_t)(1u << pin);
}

/* How many places after the one of highest priority the first of the pins comes; 8: none. */
static unsigned priority(const struct pic *pic, uint8_t pins)
{
	unsigned rotated = (pins | (unsigned)pins << 8) >> (pic->state.priority_add & 7) & 0xff;

	return rotated ? (unsigned)__builtin_ctz(rotated) : NO_PRIORITY;
}

/* The input whose request would be answered now, above all that are in service; -1. */
static int request(const struct pic *pic, bool master)
{
	const struct kvm_pic_state *state = &pic->state;
	uint8_t in_service = state->isr;
	unsigned requested = priority(pic, state->irr & (uint8_t)~state->imr);

	/* Special mask mode: those that are masked hold nobody back. */
	if (state->special_mask)
		in_service &= (uint8_t)~state->imr;
	/* Special fully nested mode: the slave may ask again while it is served. */
	if (master && state->special_fully_nested_mode)
		in_service &= (uint8_t)~pin_bit(PIC_CASCADE);
	if (requested >= priority(pic, in_service))
		return -1;
	return (int)((requested + state->priority_add) & 7);
}

/* After any change: the cascade, then INTR.  True if that rose. [lock] */
static bool update(struct pics *pics)
{
	struct pic *master = &pics->chip[MASTER];
	bool was = __atomic_load_n(&pics->output, __ATOMIC_RELAXED), output;

	if (request(&pics->chip[SLAVE], false) >= 0)
		master->state.irr |= pin_bit(PIC_CASCADE);
	else
		master->state.irr &= (uint8_t)~pin_bit(PIC_CASCADE);
	output = request(master, true) >= 0;
	__atomic_store_n(&pics->output, output, __ATOMIC_SEQ_CST);
	return output && !was;
}

/* INTR rose. Without the lock. */
static void tell_cpus(struct irqchip *chip)
{
	for (unsigned i = 0; i < VM_VCPUS_MAX; i++) {
		struct lapic *lapic = __atomic_load_n(&chip->lapics[i], __ATOMIC_ACQUIRE);

		if (lapic)
			lapic_lint0_rose(lapic);
	}
}

/* Pins of both chips, from bit 0. Without the lock. */
static void tell_devices(struct irqchip *chip, unsigned acknowledged)
{
	for (; acknowledged; acknowledged &= acknowledged - 1) {
		unsigned pin = (unsigned)__builtin_ctz(acknowledged);

		irqchip_acknowledged(chip, pin / PIC_PINS, pin % PIC_PINS);
	}
}

/* --- Lines ------------------------------------------------------------------------------------ */

/* [lock] */
static int set_pin(struct pic *pic, unsigned pin, bool level)
{
	struct kvm_pic_state *state = &pic->state;
	uint8_t bit = pin_bit(pin);
	int taken = 1;

	if (!level) {
		state->last_irr &= (uint8_t)~bit;
		if (state->elcr & bit)
			state->irr &= (uint8_t)~bit;
	} else if (state->elcr & bit || !(state->last_irr & bit)) {
		taken = state->irr & bit ? INTERRUPT_COALESCED : 1;
		state->irr |= bit;
		state->last_irr |= bit;
	}
	return state->imr & bit ? INTERRUPT_IGNORED : taken;
}

int pic_set_line(struct irqchip *chip, unsigned pin, enum line_source source, bool level)
{
	struct pics *pics = &chip->pics;
	struct pic *pic = &pics->chip[pin / PIC_PINS];
	uint8_t *sources = &pic->sources[pin % PIC_PINS];
	bool rose;
	int taken;

	host_spin_lock(&pics->lock);
	*sources = level ? *sources | (uint8_t)source : *sources & (uint8_t)~source;
	/* The cascade is the slave's. */
	taken = pin == PIC_CASCADE ? INTERRUPT_IGNORED : set_pin(pic, pin % PIC_PINS, *sources);
	rose = update(pics);
	host_spin_unlock(&pics->lock);
	if (rose)
		tell_cpus(chip);
	return taken;
}

/* --- The acknowledge cycle -------------------------------------------------------------------- */

/* The chip's part of it: returns the pins that have ended with it. [lock] */
static uint8_t acknowledge(struct pic *pic, unsigned pin)
{
	struct kvm_pic_state *state = &pic->state;
	uint8_t bit = pin_bit(pin);

	if (!(state->elcr & bit))
		state->irr &= (uint8_t)~bit;
	if (!state->auto_eoi) {
		state->isr |= bit;
		return 0;
	}
	if (state->rotate_on_auto_eoi)
		state->priority_add = (pin + 1) & 7;
	return bit;
}

int pic_pending(struct irqchip *chip)
{
	struct pics *pics = &chip->pics;
	int pin, vector = -1;

	host_spin_lock(&pics->lock);
	pin = request(&pics->chip[MASTER], true);
	if (pin == PIC_CASCADE) {
		pin = request(&pics->chip[SLAVE], false);
		vector = pics->chip[SLAVE].state.irq_base + (pin < 0 ? PIC_SPURIOUS : pin);
	} else if (pin >= 0) {
		vector = pics->chip[MASTER].state.irq_base + pin;
	}
	host_spin_unlock(&pics->lock);
	return vector;
}

int pic_acknowledge(struct irqchip *chip)
{
	struct pics *pics = &chip->pics;
	struct pic *master = &pics->chip[MASTER], *slave = &pics->chip[SLAVE];
	unsigned ended = 0;
	int pin, vector = -1;
	bool rose;

	host_spin_lock(&pics->lock);
	pin = request(master, true);
	if (pin == PIC_CASCADE) {
		int slave_pin = request(slave, false);

		acknowledge(master, PIC_CASCADE);
		if (slave_pin >= 0)
			ended = (unsigned)acknowledge(slave, (unsigned)slave_pin) << PIC_PINS;
		vector = slave->state.irq_base + (slave_pin < 0 ? PIC_SPURIOUS : slave_pin);
	} else if (pin >= 0) {
		ended = acknowledge(master, (unsigned)pin);
		vector = master->state.irq_base + pin;
	}
	rose = update(pics);
	host_spin_unlock(&pics->lock);
	tell_devices(chip, ended);
	if (rose)
		tell_cpus(chip);
	return vector;
}

/* --- Commands --------------------------------------------------------------------------------- */

/* ICW1: data sheet, "Initialization command words". [lock] */
static void initialize(struct pic *pic, uint8_t value)
{
	struct kvm_pic_state *state = &pic->state;

	state->last_irr = 0;
	state->irr &= state->elcr;
	state->imr = 0;
	state->isr = 0;
	state->priority_add = 0;
	state->special_mask = 0;
	state->read_reg_select = 0;
	state->poll = 0;
	state->rotate_on_auto_eoi = 0;
	state->init4 = value & PIC_ICW1_ICW4;
	if (!state->init4) {
		state->auto_eoi = 0;
		state->special_fully_nested_mode = 0;
	}
	pic->single = value & PIC_ICW1_SINGLE;
	state->init_state = 1;
}

/* The input in service of the highest priority, as a bit; in special mask mode, that isn't masked.
 */
static uint8_t highest_in_service(const struct pic *pic)
{
	uint8_t in_service = pic->state.isr;
	unsigned first;

	if (pic->state.special_mask)
		in_service &= (uint8_t)~pic->state.imr;
	first = priority(pic, in_service);
	return first == NO_PRIORITY ? 0 : pin_bit((first + pic->state.priority_add) & 7);
}

/* OCW2; returns the pins that have ended. [lock] */
static uint8_t end_or_rotate(struct pic *pic, uint8_t value)
{
	struct kvm_pic_state *state = &pic->state;
	unsigned level = value & PIC_OCW2_LEVEL;
	uint8_t ended = 0;

	switch ((enum pic_ocw2)(value >> PIC_OCW2_COMMAND_SHIFT)) {
	case PIC_ROTATE_AEOI_CLEAR:
		state->rotate_on_auto_eoi = 0;
		break;
	case PIC_ROTATE_AEOI_SET:
		state->rotate_on_auto_eoi = 1;
		break;
	case PIC_EOI:
		ended = highest_in_service(pic);
		break;
	case PIC_EOI_ROTATE:
		ended = highest_in_service(pic);
		if (ended)
			state->priority_add = ((unsigned)__builtin_ctz(ended) + 1) & 7;
		break;
	case PIC_EOI_SPECIFIC_ROTATE:
		state->priority_add = (level + 1) & 7;
		ended = state->isr & pin_bit(level);
		break;
	case PIC_EOI_SPECIFIC:
		ended = state->isr & pin_bit(level);
		break;
	case PIC_SET_PRIORITY:
		state->priority_add = (level + 1) & 7;
		break;
	case PIC_NOP:
		break;
	}
	state->isr &= (uint8_t)~ended;
	return ended;
}

/* [lock] */
static uint8_t write_command(struct pic *pic, uint8_t value)
{
	struct kvm_pic_state *state = &pic->state;

	if (value & PIC_ICW1) {
		initialize(pic, value);
		return 0;
	}
	if (!(value & PIC_OCW3))
		return end_or_rotate(pic, value);
	state->poll = (value & PIC_OCW3_POLL) != 0;
	if (value & PIC_OCW3_READ)
		state->read_reg_select = value & PIC_OCW3_READ_ISR;
	if (value & PIC_OCW3_SMM)
		state->special_mask = (value & PIC_OCW3_SMM_SET) != 0;
	return 0;
}

/* ICW2 to ICW4 in their turn, else the mask; returns the pins that it lets through anew. [lock] */
static uint8_t write_data(struct pic *pic, uint8_t value)
{
	struct kvm_pic_state *state = &pic->state;
	uint8_t unmasked = 0;

	switch (state->init_state) {
	case 1:
		state->irq_base = value & PIC_ICW2_BASE;
		state->init_state = !pic->single ? 2 : state->init4 ? 3 : 0;
		break;
	case 2: /* ICW3: who is where is wired */
		state->init_state = state->init4 ? 3 : 0;
		break;
	case 3:
		state->auto_eoi = (value & PIC_ICW4_AEOI) != 0;
		state->special_fully_nested_mode = (value & PIC_ICW4_SFNM) != 0;
		state->init_state = 0;
		break;
	default:
		unmasked = state->imr & (uint8_t)~value;
		state->imr = value;
		break;
	}
	return unmasked;
}

void pic_write(struct irqchip *chip, uint16_t port, uint8_t value)
{
	struct pics *pics = &chip->pics;
	unsigned which = port >= PIC_ELCR_PORT ? port & 1u : port >= PIC_SLAVE_PORT;
	struct pic *pic = &pics->chip[which];
	unsigned ended = 0, unmasked = 0;
	bool rose;

	host_spin_lock(&pics->lock);
	if (port >= PIC_ELCR_PORT)
		pic->state.elcr = value & pic->state.elcr_mask;
	else if (port & 1)
		unmasked = (unsigned)write_data(pic, value) << which * PIC_PINS;
	else
		ended = (unsigned)write_command(pic, value) << which * PIC_PINS;
	rose = update(pics);
	host_spin_unlock(&pics->lock);

	tell_devices(chip, ended);
	for (; unmasked; unmasked &= unmasked - 1) {
		unsigned pin = (unsigned)__builtin_ctz(unmasked);

		irqchip_unmasked(chip, pin / PIC_PINS, pin % PIC_PINS);
	}
	if (rose)
		tell_cpus(chip);
}

/* The poll command makes the next read an acknowledge cycle of this chip. [lock] */
static uint8_t poll(struct pic *pic, bool master, uint8_t *ended)
{
	int pin = request(pic, master);

	pic->state.poll = 0;
	if (pin < 0)
		return PIC_SPURIOUS;
	*ended = acknowledge(pic, (unsigned)pin);
	return (uint8_t)(PIC_POLL_REQUEST | (unsigned)pin);
}

uint8_t pic_read(struct irqchip *chip, uint16_t port)
{
	struct pics *pics = &chip->pics;
	unsigned which = port >= PIC_ELCR_PORT ? port & 1u : port >= PIC_SLAVE_PORT;
	struct pic *pic = &pics->chip[which];
	uint8_t value, ended = 0;
	bool rose;

	host_spin_lock(&pics->lock);
	if (port >= PIC_ELCR_PORT)
		value = pic->state.elcr;
	else if (pic->state.poll)
		value = poll(pic, which == MASTER, &ended);
	else if (port & 1)
		value = pic->state.imr;
	else
		value = pic->state.read_reg_select ? pic->state.isr : pic->state.irr;
	rose = update(pics);
	host_spin_unlock(&pics->lock);
	tell_devices(chip, (unsigned)ended << which * PIC_PINS);
	if (rose)
		tell_cpus(chip);
	return value;
}

bool pic_owns(uint16_t port)
{
	return (port & ~1u) == PIC_MASTER_PORT || (port & ~1u) == PIC_SLAVE_PORT ||
	       (port & ~1u) == PIC_ELCR_PORT;
}

/* --- State ------------------------------------------------------------------------------------ */

void pic_init(struct irqchip *chip)
{
	host_spin_init(&chip->pics.lock);
	chip->pics.chip[MASTER].state.elcr_mask = PIC_ELCR_MASTER;
	chip->pics.chip[SLAVE].state.elcr_mask = PIC_ELCR_SLAVE;
}

void pic_get(struct irqchip *chip, unsigned which, struct kvm_pic_state *state)
{
	host_spin_lock(&chip->pics.lock);
	*state = chip->pics.chip[which].state;
	host_spin_unlock(&chip->pics.lock);
}

void pic_set(struct irqchip *chip, unsigned which, const struct kvm_pic_state *state)
{
	struct pics *pics = &chip->pics;
	struct kvm_pic_state *own = &pics->chip[which].state;
	uint8_t elcr_mask;
	bool rose;

	host_spin_lock(&pics->lock);
	elcr_mask = own->elcr_mask;
	*own = *state;
	own->elcr_mask = elcr_mask;
	own->elcr &= elcr_mask;
	own->priority_add &= 7;
	own->irq_base &= PIC_ICW2_BASE;
	own->init_state &= 3;
	rose = update(pics);
	host_spin_unlock(&pics->lock);
	if (rose)
		tell_cpus(chip);
}
