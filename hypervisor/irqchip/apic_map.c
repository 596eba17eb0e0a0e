/* SPDX-License-Identifier: MIT */
/*
 * apic_map.c - who a message's destination means, and its way there (Intel SDM volume 3, section
 * 11.6.2).
 *
 * Destinations are taken as the target's mode reads them: an APIC in xAPIC mode has 8-bit IDs and
 * LDR with DFR, one in x2APIC mode 32-bit IDs and the logical ID that follows from that.  Two
 * things are as KVM has them, which guests without interrupt remapping rely on: a device's message
 * to 0xff reaches everyone, those in x2APIC mode too; one to a larger ID reaches an APIC in xAPIC
 * mode whose ID that is.
 */
#include "hypervisor/irqchip/chips.h"
#include "hypervisor/vcpu.h"

static uint64_t load(const uint64_t *set)
{
	return __atomic_load_n(set, __ATOMIC_ACQUIRE);
}

static void put(uint64_t *set, uint64_t bit, bool in)
{
	uint64_t old = load(set);

	while (!__atomic_compare_exchange_n(set, &old, in ? old | bit : old & ~bit, true,
					    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		;
}

static uint64_t bit_of(const struct lapic *lapic)
{
	return UINT64_C(1) << lapic->vcpu->index;
}

/* In or out of the sets that placed_id, placed_ldr and placed_flat name. */
static void place(struct lapic *lapic, bool in)
{
	struct apic_map *map = &lapic->chip->map;
	uint32_t logical = lapic->placed_ldr >> APIC_LDR_SHIFT;

	if (lapic->placed_id < APIC_MAP_IDS)
		put(&map->id[lapic->placed_id], bit_of(lapic), in);
	for (unsigned bit = 0; bit < 8; bit++) {
		if (!(logical >> bit & 1))
			continue;
		if (lapic->placed_flat)
			put(&map->flat[bit], bit_of(lapic), in);
		else if (bit < 4)
			put(&map->cluster[logical >> 4][bit], bit_of(lapic), in);
	}
	lapic->placed = in;
}

void apic_map_remove(struct lapic *lapic)
{
	struct apic_map *map = &lapic->chip->map;

	put(&map->enabled, bit_of(lapic), false);
	put(&map->x2apic, bit_of(lapic), false);
	if (lapic->placed)
		place(lapic, false);
}

void apic_map_update(struct lapic *lapic)
{
	struct apic_map *map = &lapic->chip->map;
	bool x2apic = lapic_is_x2apic(lapic);
	uint32_t id = x2apic ? lapic->vcpu->id : lapic_reg(lapic, APIC_ID) >> APIC_ID_SHIFT;
	uint32_t ldr = x2apic ? 0 : lapic_reg(lapic, APIC_LDR);
	bool flat = lapic_reg(lapic, APIC_DFR) == APIC_DFR_FLAT;

	if (!lapic_is_enabled(lapic)) {
		apic_map_remove(lapic);
		return;
	}
	if (lapic->placed &&
	    (id != lapic->placed_id || ldr != lapic->placed_ldr || flat != lapic->placed_flat))
		place(lapic, false);
	lapic->placed_id = id;
	lapic->placed_ldr = ldr;
	lapic->placed_flat = flat;
	if (!lapic->placed)
		place(lapic, true);
	put(&map->x2apic, bit_of(lapic), x2apic);
	put(&map->enabled, bit_of(lapic), true);
}

/* The APIC of an ID that is too large for the map. */
static uint64_t find_large_id(struct irqchip *chip, uint64_t among, uint32_t id)
{
	for (; among; among &= among - 1) {
		unsigned index = (unsigned)__builtin_ctzll(among);
		struct lapic *lapic = __atomic_load_n(&chip->lapics[index], __ATOMIC_ACQUIRE);

		if (lapic && lapic->vcpu->id == id)
			return UINT64_C(1) << index;
	}
	return 0;
}

uint64_t apic_find(struct irqchip *chip, uint32_t id)
{
	uint64_t enabled = load(&chip->map.enabled);

	if (id < APIC_MAP_IDS)
		return load(&chip->map.id[id]) & enabled;
	return find_large_id(chip, enabled, id);
}

/* x2APIC's logical ID is made of the ID: SDM 11.12.10.2. */
static uint64_t by_x2apic_set(struct irqchip *chip, uint32_t destination)
{
	uint32_t first = (destination >> X2APIC_CLUSTER_SHIFT) * X2APIC_CLUSTER_CPUS;
	uint64_t x2apic = load(&chip->map.x2apic), targets = 0;

	if (!x2apic)
		return 0;
	for (uint32_t set = destination & 0xffff; set; set &= set - 1)
		targets |= apic_find(chip, first + (uint32_t)__builtin_ctz(set));
	return targets & x2apic;
}

static uint64_t by_xapic_set(struct irqchip *chip, uint32_t destination)
{
	struct apic_map *map = &chip->map;
	uint64_t among = load(&map->enabled) & ~load(&map->x2apic), targets = 0;

	if (destination > APIC_BROADCAST || !among)
		return 0;
	for (uint32_t set = destination; set; set &= set - 1) {
		unsigned bit = (unsigned)__builtin_ctz(set);

		targets |= load(&map->flat[bit]);
		if (bit < 4)
			targets |= load(&map->cluster[destination >> 4][bit]);
	}
	return targets & among;
}

static uint64_t find_targets(struct irqchip *chip, const struct apic_message *message)
{
	uint64_t enabled = load(&chip->map.enabled), x2apic = load(&chip->map.x2apic);
	uint32_t destination = message->destination;
	uint64_t targets = 0;

	if (destination == X2APIC_BROADCAST)
		return enabled;
	if (destination == APIC_BROADCAST) {
		if (!message->from_cpu)
			return enabled;
		targets = enabled & ~x2apic;
	}
	if (message->logical)
		return targets | by_xapic_set(chip, destination) | by_x2apic_set(chip, destination);
	return targets | apic_find(chip, destination);
}

/*
 * Lowest priority, SDM 11.6.2.4: the CPU that does the least important thing; CPUs that are alike
 * take turns.
 */
static uint64_t arbitrate(struct irqchip *chip, uint64_t targets)
{
	unsigned turn = __atomic_load_n(&chip->arbitration, __ATOMIC_RELAXED) % 64;
	uint64_t rotated = turn ? targets >> turn | targets << (64 - turn) : targets;
	unsigned best = 256;
	uint64_t winner = 0;

	for (; rotated; rotated &= rotated - 1) {
		unsigned index = ((unsigned)__builtin_ctzll(rotated) + turn) % 64;
		struct lapic *lapic = __atomic_load_n(&chip->lapics[index], __ATOMIC_ACQUIRE);

		if (!lapic || !lapic_is_software_enabled(lapic))
			continue;
		if (lapic_apr(lapic) < best) {
			best = lapic_apr(lapic);
			winner = UINT64_C(1) << index;
			__atomic_store_n(&chip->arbitration, index + 1, __ATOMIC_RELAXED);
		}
	}
	return winner;
}

int apic_deliver_to(struct irqchip *chip, uint64_t targets, const struct apic_message *message)
{
	int result = INTERRUPT_IGNORED;

	if (message->lowest && targets & (targets - 1))
		targets = arbitrate(chip, targets);
	for (; targets; targets &= targets - 1) {
		unsigned index = (unsigned)__builtin_ctzll(targets);
		struct lapic *lapic = __atomic_load_n(&chip->lapics[index], __ATOMIC_ACQUIRE);
		int taken = lapic ? lapic_accept(lapic, message) : INTERRUPT_IGNORED;

		if (taken >= 0)
			result = taken + (result < 0 ? 0 : result);
	}
	return result;
}

bool apic_deliver_vector(struct irqchip *chip, uint32_t id, uint8_t vector)
{
	uint64_t targets = 0;
	struct lapic *lapic;

	if (id < APIC_BROADCAST)
		targets = load(&chip->map.id[id]) & load(&chip->map.enabled);
	if (!targets || targets & (targets - 1))
		return false;
	lapic = __atomic_load_n(&chip->lapics[__builtin_ctzll(targets)], __ATOMIC_ACQUIRE);
	if (!lapic)
		return false;
	lapic_accept_vector(lapic, vector, false);
	return true;
}

int apic_deliver(struct irqchip *chip, const struct apic_message *message)
{
	return apic_deliver_to(chip, find_targets(chip, message), message);
}
