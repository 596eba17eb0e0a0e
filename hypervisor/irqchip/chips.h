/* SPDX-License-Identifier: MIT */
/*
 * chips.h - what the files of irqchip/ know of each other: the chips' state, and how an interrupt
 * goes from one to the next:
 *
 *     line (routing.c) -> PIC (pic.c) -> LINT0 of the local APICs
 *                      -> I/O APIC (ioapic.c) -> message (apic_map.c) -> local APICs (lapic.c)
 *     MSI  (routing.c) ------------------------> message
 *
 * and the end of an interrupt back: lapic_eoi.c -> ioapic_eoi() -> irqchip_acknowledged().
 *
 * Fields are tagged: [const] set when made; [own] by the thread that owns the vCPU; [any] by any
 * thread, atomically; [name] guarded by that lock.
 */
#ifndef DYAD_HYPERVISOR_IRQCHIP_CHIPS_H
#define DYAD_HYPERVISOR_IRQCHIP_CHIPS_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

#include "host.h"
#include "hw/apic.h"
#include "hw/ioapic.h"
#include "hw/pic.h"
#include "hw/pit.h"
#include "hypervisor/irqchip/irqchip.h"
#include "hypervisor/vm.h"

#define NS_PER_SECOND 1000000000u

/* Who pulls a line; it is high while any does. */
enum line_source {
	LINE_SOURCE_CALLER = 1, /* KVM_IRQ_LINE and irqfds */
	LINE_SOURCE_RESAMPLE = 2,
	LINE_SOURCE_PIT = 4,
};

/* What became of an interrupt, besides the count of CPUs that took it. */
#define INTERRUPT_COALESCED 0
#define INTERRUPT_IGNORED (-1)

/* --- Local APIC ------------------------------------------------------------------------------- */

struct lapic_timer {
	struct host_spin lock;
	struct host_timer timer;
	uint64_t target;   /* [lock] host_clock_monotonic() when it is due; 0: it stands */
	uint64_t period;   /* [lock] ns from start to end of a count */
	uint64_t deadline; /* [lock] in TSC-deadline mode: the guest's TSC, 0: none */
	/* [lock] The guest's TSC, when the deadline was set: as in struct cpu_state; kHz. */
	uint64_t tsc_offset, tsc_ratio;
	uint32_t tsc_khz;
};

struct lapic {
	struct vcpu *vcpu;    /* [const] */
	struct irqchip *chip; /* [const] */

	/* As the manual places them; those that messages set (IRR, TMR, ESR) are [any], the others
	 * [own] to write and [any] to read. */
	uint32_t regs[KVM_APIC_REG_SIZE / sizeof(uint32_t)];
	uint64_t base;       /* IA32_APIC_BASE: [own] to write, [any] to read */
	bool irr_any;        /* [any] false: no bit of IRR is set */
	uint32_t in_service; /* bits of ISR that are set: [own] to write, [any] to read */
	uint32_t signals;    /* [any] LAPIC_SIGNAL_* */
	uint8_t sipi_vector; /* [any] set before its signal */
	uint32_t errors;     /* [any] for ESR, at the next write to it */
	struct lapic_timer timer;

	/* [own] Under which numbers it stands in the map. */
	bool placed;
	uint32_t placed_id, placed_ldr;
	bool placed_flat;

	/* [own] What the guest's CPUID offers. */
	bool has_x2apic, has_deadline;
	uint8_t physical_bits;

	/* [own] pv EOI: where its flag is (0: off), and whether it was set for the guest to clear.
	 */
	uint64_t pv_eoi_gpa;
	bool pv_eoi_set;
};

static inline uint32_t lapic_reg(const struct lapic *lapic, unsigned offset)
{
	return __atomic_load_n(&lapic->regs[offset / 4], __ATOMIC_RELAXED);
}

static inline void lapic_set_reg(struct lapic *lapic, unsigned offset, uint32_t value)
{
	__atomic_store_n(&lapic->regs[offset / 4], value, __ATOMIC_RELAXED);
}

static inline bool lapic_is_enabled(const struct lapic *lapic)
{
	return __atomic_load_n(&lapic->base, __ATOMIC_RELAXED) & APIC_BASE_ENABLE;
}

static inline bool lapic_is_x2apic(const struct lapic *lapic)
{
	return __atomic_load_n(&lapic->base, __ATOMIC_RELAXED) & APIC_BASE_X2APIC;
}

static inline bool lapic_is_software_enabled(const struct lapic *lapic)
{
	return lapic_reg(lapic, APIC_SVR) & APIC_SVR_ENABLE;
}

/* An interrupt message, as the I/O APIC, a device or a local APIC sends it. */
struct apic_message {
	uint32_t destination; /* 8 bits, or x2APIC's 32 */
	enum apic_mode mode;
	uint8_t vector;
	bool logical;  /* the destination is a set, not an ID */
	bool lowest;   /* one of the destinations takes it */
	bool level;    /* level-triggered: its EOI goes to the I/O APICs */
	bool from_cpu; /* an IPI */
};

/*
 * Sets of vCPUs (bit n: the vCPU of index n) by what messages call them, so that a destination is
 * found without asking each APIC.  An APIC only ever changes its own bit, in its owner's thread:
 * others' interrupts find their targets meanwhile.  [any]
 */
#define APIC_MAP_IDS 256
struct apic_map {
	uint64_t id[APIC_MAP_IDS]; /* of the mode the APIC is in; larger IDs are searched for */
	uint64_t flat[8];          /* by the bit of the logical ID */
	uint64_t cluster[16][4];   /* by xAPIC cluster, and bit in it */
	uint64_t enabled;          /* by IA32_APIC_BASE */
	uint64_t x2apic;
};
_Static_assert(VM_VCPUS_MAX <= 64, "a set of vCPUs is 64 bits");

/* Puts the APIC where its registers say, after any change of base, ID, LDR or DFR. [own] */
void apic_map_update(struct lapic *lapic);
void apic_map_remove(struct lapic *lapic);
/* The vCPUs whose APIC has this very ID: one, unless the guest gave it to several.  Any context. */
uint64_t apic_find(struct irqchip *chip, uint32_t id);
/* Sends the message on; the number of CPUs that took it, or INTERRUPT_*.  Any context. */
int apic_deliver(struct irqchip *chip, const struct apic_message *message);
int apic_deliver_to(struct irqchip *chip, uint64_t targets, const struct apic_message *message);
/* A vector for the one CPU that has the ID; false: nothing was done, it needs apic_deliver(). */
bool apic_deliver_vector(struct irqchip *chip, uint32_t id, uint8_t vector);

/* The message has come. Any context. */
int lapic_accept(struct lapic *lapic, const struct apic_message *message);
int lapic_accept_vector(struct lapic *lapic, uint8_t vector, bool level);
/* An event of the APIC's own: the LVT entry says what becomes of it. Any context. */
void lapic_local_event(struct lapic *lapic, unsigned lvt);
/* An error, for ESR. Any context. */
void lapic_error(struct lapic *lapic, uint32_t error);
/* The PIC's output rose: LINT0 of all APICs. Any context. */
void lapic_lint0_rose(struct lapic *lapic);
/* Its class (the upper four bits) is what an interrupt must be above; SDM 11.8.3.1. */
uint8_t lapic_ppr(const struct lapic *lapic);
int lapic_highest(const struct lapic *lapic, unsigned field); /* of IRR or ISR; -1 */
void lapic_count_in_service(struct lapic *lapic);             /* ISR has changed [own] */
/* How busy the CPU is, for lowest-priority arbitration (APR, SDM 11.6.2.4). Any context. */
uint8_t lapic_apr(const struct lapic *lapic);
/* Guest's accesses; offset is of a register, a multiple of 16. False: there is none. [own] */
bool lapic_read(struct lapic *lapic, unsigned offset, uint32_t *value);
void lapic_write(struct lapic *lapic, unsigned offset, uint32_t value);
void lapic_write_svr(struct lapic *lapic, uint32_t value);
uint32_t lapic_x2apic_ldr(uint32_t id);
/* An access to the xAPIC's page; false: it is elsewhere. [own] */
bool lapic_memory(struct lapic *lapic, uint64_t gpa, uint8_t size, bool write, uint64_t *data);

void lapic_send_icr(struct lapic *lapic, uint32_t low, uint32_t destination);
void lapic_send_self(struct lapic *lapic, uint8_t vector);

void lapic_eoi(struct lapic *lapic);
/* Finds out whether the guest has ended its interrupt by the flag.  Before ISR is looked at. */
void lapic_pv_eoi_sync(struct lapic *lapic, bool take_back);
/* Offers the flag for the interrupt in service, where nothing needs to know of its end. */
void lapic_pv_eoi_offer(struct lapic *lapic);

void lapic_timer_init(struct lapic *lapic);
void lapic_timer_destroy(struct lapic *lapic);
void lapic_timer_stop(struct lapic *lapic);
void lapic_timer_start(struct lapic *lapic, uint32_t count); /* from count, or the initial one */
void lapic_timer_set_divide(struct lapic *lapic, uint32_t value);
void lapic_timer_set_lvt(struct lapic *lapic, uint32_t value);
uint32_t lapic_timer_count(struct lapic *lapic);
uint64_t lapic_timer_deadline(struct lapic *lapic);
void lapic_timer_set_deadline(struct lapic *lapic, uint64_t tsc);

/* --- I/O APIC --------------------------------------------------------------------------------- */

struct ioapic {
	struct host_spin lock;
	uint64_t base;                /* [any] guest physical */
	uint8_t select, id;           /* [lock] */
	uint32_t irr;                 /* [lock] lines that are high */
	uint32_t delivered;           /* [lock] those of them, edge-triggered, that were sent on */
	uint64_t rte[IOAPIC_PINS];    /* [lock] */
	uint8_t sources[IOAPIC_PINS]; /* [lock] of each line: enum line_source */
	uint64_t vectors[APIC_VECTORS / 64]; /* [any] those of unmasked entries */
};

void ioapic_init(struct irqchip *chip);
int ioapic_set_line(struct irqchip *chip, unsigned pin, enum line_source source, bool level);
/* A local APIC has ended the vector.  Holding no lock. */
void ioapic_eoi(struct irqchip *chip, uint8_t vector, bool level);
bool ioapic_handles(const struct irqchip *chip, uint8_t vector);
uint32_t ioapic_read(struct irqchip *chip, unsigned offset);
void ioapic_write(struct irqchip *chip, unsigned offset, uint32_t value);
void ioapic_get(struct irqchip *chip, struct kvm_ioapic_state *state);
void ioapic_set(struct irqchip *chip, const struct kvm_ioapic_state *state);

/* --- PICs ------------------------------------------------------------------------------------- */

struct pic {
	struct kvm_pic_state state;
	bool single;               /* ICW1 said that there is no ICW3 */
	uint8_t sources[PIC_PINS]; /* enum line_source */
};

struct pics {
	struct host_spin lock;
	struct pic chip[2]; /* [lock] the master, the slave */
	bool output;        /* [any] INTR */
};

void pic_init(struct irqchip *chip);
/* pin: 0 to 7 the master's, 8 to 15 the slave's */
int pic_set_line(struct irqchip *chip, unsigned pin, enum line_source source, bool level);
/* The vector that pic_acknowledge() would give; -1. */
int pic_pending(struct irqchip *chip);
int pic_acknowledge(struct irqchip *chip);
bool pic_owns(uint16_t port);
uint8_t pic_read(struct irqchip *chip, uint16_t port);
void pic_write(struct irqchip *chip, uint16_t port, uint8_t value);
void pic_get(struct irqchip *chip, unsigned which, struct kvm_pic_state *state);
void pic_set(struct irqchip *chip, unsigned which, const struct kvm_pic_state *state);

/* --- PIT -------------------------------------------------------------------------------------- */

/* A counter.  Times are of host_clock_monotonic(), ticks of PIT_FREQUENCY. [pit.lock] */
struct pit_channel {
	uint32_t count;      /* 1 to 65536: what the counter counts down from */
	uint32_t next_count; /* 0, or what takes count's place at the end of the cycle or trigger */
	uint64_t next_at;    /* when; 0: at a trigger only */
	uint64_t start;      /* when it had count, if it runs */
	uint64_t held;       /* ticks it had counted when its gate went low, if it is held */
	bool running, is_held;
	bool written; /* a count was, since the control word */
	bool gate;
	uint8_t mode, access, bcd;
	uint8_t read_state, write_state, write_latch; /* enum pit_access */
	uint8_t count_latched;                        /* enum pit_access, 0: not */
	uint16_t latched_count;
	bool status_latched;
	uint8_t status;
};

struct pit {
	struct irqchip *chip; /* [const] */
	struct host_spin lock;
	struct host_timer timer;
	struct pit_channel channel[PIT_CHANNELS]; /* [lock] */
	bool speaker_data, hpet_legacy;           /* [lock] */
	bool has_speaker;                         /* [const] */
	uint64_t due;      /* [lock] when channel 0's output rises next; 0: not */
	uint64_t period;   /* [lock] ns from then to the next; 0: it rises once */
	bool reinject;     /* [lock] ticks that the guest was late for are made up for */
	bool acknowledged; /* [lock] the last tick has been taken */
	uint32_t pending;  /* [lock] ticks due, with the one that is not acknowledged */
};

/* pit_channel.c: one counter, with the lock. */
void pit_channel_reset(struct pit_channel *channel, bool gate);
void pit_channel_control(struct pit_channel *channel, uint64_t now, uint8_t control);
/* True when counting began anew. */
bool pit_channel_write(struct pit_channel *channel, uint64_t now, uint8_t value);
uint8_t pit_channel_read(struct pit_channel *channel, uint64_t now);
void pit_channel_latch_count(struct pit_channel *channel, uint64_t now);
void pit_channel_latch_status(struct pit_channel *channel, uint64_t now);
void pit_channel_set_gate(struct pit_channel *channel, uint64_t now, bool gate);
bool pit_channel_out(struct pit_channel *channel, uint64_t now);
/* Counts from count, 1 to 65536, from now on. */
void pit_channel_load(struct pit_channel *channel, uint64_t now, uint32_t count);
/* When OUT rises next after now, and how long after that again (0: never); 0: it doesn't. */
uint64_t pit_channel_next_rise(struct pit_channel *channel, uint64_t now, uint64_t *period);
uint64_t pit_ticks_to_ns(uint64_t ticks); /* rounded up */

bool pit_owns(const struct pit *pit, uint16_t port);
uint8_t pit_read(struct pit *pit, uint16_t port);
void pit_write(struct pit *pit, uint16_t port, uint8_t value);
void pit_stop(struct pit *pit); /* its timer fires no more */
/* The guest has taken, or can't have taken, the last tick.  Holding no lock. */
void pit_acknowledged(struct pit *pit);
void pit_unmasked(struct pit *pit);

/* --- Routing ---------------------------------------------------------------------------------- */

#define GSI_COUNT 4096
#define ROUTES_PER_GSI 3
#define PIT_GSI 0

#define ROUTE_MSI 0xffu

struct route {
	uint8_t chip; /* KVM_IRQCHIP_*, or ROUTE_MSI */
	uint8_t pin;
	struct apic_message message;
};

struct gsi_routes {
	uint8_t count;
	struct route route[ROUTES_PER_GSI];
};

struct routes {
	uint32_t count; /* of GSIs */
	struct gsi_routes gsi[];
};

int routing_create(struct irqchip *chip);
void routing_destroy(struct irqchip *chip);
int routing_set_line(struct irqchip *chip, uint32_t gsi, enum line_source source, bool level);

/* --- irqfd ------------------------------------------------------------------------------------ */

struct irqfd;
void irqfd_destroy_all(struct irqchip *chip);
/* Those of the GSI that asked to be told. */
void irqfd_resample(struct irqchip *chip, uint32_t gsi);

/* --- All of them ------------------------------------------------------------------------------ */

struct irqchip {
	struct vm *vm; /* [const] */
	struct apic_map map;
	struct lapic *lapics[VM_VCPUS_MAX]; /* [any] by the vCPU's index; before it is in the map */
	uint32_t arbitration;               /* [any] who is next among CPUs of one priority */

	struct pics pics;
	struct ioapic ioapic;
	struct pit *pit; /* [any] set once */

	struct host_spin routes_lock;
	struct routes *routes;                            /* [routes_lock] */
	int16_t gsi_of_pin[KVM_NR_IRQCHIPS][IOAPIC_PINS]; /* [any] -1: none */

	struct host_mutex irqfd_mutex; /* who adds and removes irqfds; before all other locks */
	struct host_spin irqfd_lock;
	struct irqfd *irqfds; /* [irqfd_lock], and changed with the mutex */
	uint32_t irqfd_count; /* with the mutex */
	uint32_t resamplers;  /* [any] how many of them want to be told of EOIs */
};

/* The interrupt of a chip's input has ended, or was unmasked.  Holding no lock. */
void irqchip_acknowledged(struct irqchip *chip, unsigned which, unsigned pin);
void irqchip_unmasked(struct irqchip *chip, unsigned which, unsigned pin);

static inline struct pit *irqchip_pit(struct irqchip *chip)
{
	return __atomic_load_n(&chip->pit, __ATOMIC_ACQUIRE);
}

/* value * mul / div, of 96 bits in between; all ones if it has more than 64. */
static inline uint64_t mul_div(uint64_t value, uint32_t mul, uint32_t div)
{
	uint64_t whole = value / div, rest = value % div * mul / div;

	if (whole > (UINT64_MAX - rest) / mul)
		return UINT64_MAX;
	return whole * mul + rest;
}

#endif
