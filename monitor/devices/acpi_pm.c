/* SPDX-License-Identifier: MIT */
/*
 * acpi_pm.c - ACPI's fixed hardware (ACPI 6.4 section 4.8): the power button, the way to S5, the
 * power management timer and the reset register.
 */
#include "hw/acpi.h"

#include "lib/bits.h"
#include "monitor/devices/devices.h"

#define NS_A_SECOND UINT64_C(1000000000)
#define TIMER_CARRY_BIT 31 /* TMR_STS is set when this bit of the timer changes */

#define PM1_ENABLE_BITS                                                                            \
	(ACPI_PM1_TIMER | ACPI_PM1_GLOBAL | ACPI_PM1_POWER_BUTTON | ACPI_PM1_SLEEP_BUTTON |        \
	 ACPI_PM1_RTC)

/* The PM timer without its upper end: ticks since the machine was made. */
static uint64_t timer_ticks(const struct acpi_pm *pm)
{
	uint64_t ns = os_clock_monotonic() - pm->timer_start;

	return ns / NS_A_SECOND * ACPI_PM_TIMER_HZ +
	       ns % NS_A_SECOND * ACPI_PM_TIMER_HZ / NS_A_SECOND;
}

/* The SCI is a level: up as long as an enabled event has its status bit set (4.8.3.1). */
static void update_sci(struct acpi_pm *pm)
{
	bool level = pm->pm1_status & pm->pm1_enable;

	if (pm->line == level)
		return;
	pm->line = level;
	irq_pin_set(&pm->sci, level);
}

static void look_for_carry(struct acpi_pm *pm)
{
	uint64_t carries = timer_ticks(pm) >> TIMER_CARRY_BIT;

	if (carries == pm->timer_carries)
		return;
	pm->timer_carries = carries;
	pm->pm1_status |= ACPI_PM1_TIMER;
	update_sci(pm);
}

/* --- PM1 event block: status in the first half, enable in the second, any width and place --- */

static uint64_t event_read(void *device, uint64_t offset, unsigned size)
{
	struct acpi_pm *pm = device;
	uint32_t both;

	look_for_carry(pm);
	both = pm->pm1_status | (uint32_t)pm->pm1_enable << 16;
	return (both >> (8 * offset)) & size_mask(size);
}

static void event_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	struct acpi_pm *pm = device;
	uint32_t written = (uint32_t)(size_mask(size) << (8 * offset));
	uint32_t bits = (uint32_t)(value << (8 * offset)) & written;
	uint16_t enable_mask = (uint16_t)(written >> 16);

	look_for_carry(pm);
	pm->pm1_status &= (uint16_t)~bits; /* 1 clears */
	pm->pm1_enable &= (uint16_t)~enable_mask;
	pm->pm1_enable |= (uint16_t)(bits >> 16) & PM1_ENABLE_BITS;
	update_sci(pm);
}

/* --- PM1 control ----------------------------------------------------------------------------- */

static uint64_t control_read(void *device, uint64_t offset, unsigned size)
{
	struct acpi_pm *pm = device;

	return (uint64_t)(pm->pm1_control >> (8 * offset)) & size_mask(size);
}

static void control_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	struct acpi_pm *pm = device;
	uint16_t written = (uint16_t)(size_mask(size) << (8 * offset));
	uint16_t bits = (uint16_t)(value << (8 * offset)) & written;
	uint16_t kept = ACPI_PM1_BUS_MASTER_RELOAD | ACPI_PM1_SLEEP_TYPE;

	pm->pm1_control &= (uint16_t) ~(written & kept);
	pm->pm1_control |= bits & kept;
	if ((bits & ACPI_PM1_SLEEP_ENABLE) &&
	    (pm->pm1_control & ACPI_PM1_SLEEP_TYPE) >> ACPI_PM1_SLEEP_TYPE_SHIFT ==
		    ACPI_SLEEP_TYPE_S5)
		pm->requests->power_off(pm->requests->context);
}

/* --- PM timer and reset ---------------------------------------------------------------------- */

static uint64_t timer_read(void *device, uint64_t offset, unsigned size)
{
	struct acpi_pm *pm = device;

	look_for_carry(pm);
	return ((uint32_t)timer_ticks(pm) >> (8 * offset)) & size_mask(size);
}

/* The timer can't be written. */
static void timer_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	(void)device;
	(void)offset;
	(void)size;
	(void)value;
}

static uint64_t reset_read(void *device, uint64_t offset, unsigned size)
{
	(void)device;
	(void)offset;
	(void)size;
	return 0;
}

static void reset_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	struct acpi_pm *pm = device;

	(void)offset;
	(void)size;
	if (value == ACPI_RESET_VALUE)
		pm->requests->reset(pm->requests->context);
}

/* --- Making it ------------------------------------------------------------------------------- */

static const struct bus_ops event_ops = {.read = event_read, .write = event_write};
static const struct bus_ops control_ops = {.read = control_read, .write = control_write};
static const struct bus_ops timer_ops = {.read = timer_read, .write = timer_write};
static const struct bus_ops reset_ops = {.read = reset_read, .write = reset_write};

static const struct {
	uint16_t port;
	uint8_t length;
	const struct bus_ops *ops;
} blocks[] = {
	{ACPI_PM1_EVENT_PORT, ACPI_PM1_EVENT_LENGTH, &event_ops},
	{ACPI_PM1_CONTROL_PORT, ACPI_PM1_CONTROL_LENGTH, &control_ops},
	{ACPI_PM_TIMER_PORT, ACPI_PM_TIMER_LENGTH, &timer_ops},
	{ACPI_RESET_PORT, 1, &reset_ops},
};

int acpi_pm_init(struct acpi_pm *pm, struct bus *ports, const struct irq_pin *sci,
		 const struct machine_requests *requests)
{
	int err = 0;

	*pm = (struct acpi_pm){.sci = *sci,
			       .requests = requests,
			       .timer_start = os_clock_monotonic(),
			       .pm1_control = ACPI_PM1_SCI_ENABLE};
	os_mutex_init(&pm->lock);
	for (unsigned i = 0; !err && i < ARRAY_COUNT(blocks); i++) {
		struct bus_range range = {.base = blocks[i].port,
					  .length = blocks[i].length,
					  .ops = blocks[i].ops,
					  .device = pm,
					  .lock = &pm->lock};

		err = bus_add(ports, &range);
	}
	return err;
}

void acpi_pm_power_button(struct acpi_pm *pm)
{
	os_mutex_lock(&pm->lock);
	pm->pm1_status |= ACPI_PM1_POWER_BUTTON;
	update_sci(pm);
	os_mutex_unlock(&pm->lock);
}
