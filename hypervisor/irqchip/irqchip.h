/* SPDX-License-Identifier: MIT */
/*
 * irqchip.h - the interrupt controllers and the PIT, as the rest of the core sees them.
 *
 * Relies on host.h, vcpu_kick() and, for what a device's registers do, nothing else.  Locking: each
 * chip has a spin lock of its own (docs/locking.md); a local APIC's IRR is atomic, so that an
 * interrupt reaches a vCPU without its owner.
 */
#ifndef DYAD_HYPERVISOR_IRQCHIP_H
#define DYAD_HYPERVISOR_IRQCHIP_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

struct irqchip;
struct lapic;
struct vcpu;
struct vm;

/* --- the VM's chips: both PICs, I/O APIC, GSI routing (KVM_CREATE_IRQCHIP), PIT (KVM_CREATE_PIT2)
 * ---- */

int irqchip_create(struct vm *vm, struct irqchip **chip);
/*
 * At the VM's end: irqchip_stop() first, after which no event or timer of the chips' reaches a vCPU
 * any more; then the vCPUs go, then irqchip_destroy().
 */
void irqchip_stop(struct irqchip *chip);
void irqchip_destroy(struct irqchip *chip);
int irqchip_create_pit(struct irqchip *chip, const struct kvm_pit_config *config);

/*
 * Sets the line of a GSI, as its routes say; returns what KVM_IRQ_LINE_STATUS tells: how many CPUs
 * took it, 0 if it was coalesced with one that waits, -1 if nobody did.  Any context.
 */
int irqchip_set_line(struct irqchip *chip, uint32_t gsi, bool level);
/* KVM_SIGNAL_MSI: the same, and -EINVAL.  Any context. */
int irqchip_signal_msi(struct irqchip *chip, const struct kvm_msi *msi);
/* Replaces all routes; -EINVAL leaves them as they were. */
int irqchip_set_routing(struct irqchip *chip, const struct kvm_irq_routing_entry *entries,
			uint32_t count);
int irqchip_irqfd(struct irqchip *chip, const struct kvm_irqfd *irqfd);
/* KVM_GET/SET_IRQCHIP, PIT2, and KVM_REINJECT_CONTROL; -ENXIO without a PIT. */
int irqchip_get(struct irqchip *chip, struct kvm_irqchip *state);
int irqchip_set(struct irqchip *chip, const struct kvm_irqchip *state);
int irqchip_get_pit(struct irqchip *chip, struct kvm_pit_state2 *state);
int irqchip_set_pit(struct irqchip *chip, const struct kvm_pit_state2 *state);
int irqchip_reinject_control(struct irqchip *chip, const struct kvm_reinject_control *control);

/* A guest's access to the chips' ports and registers: true when it was theirs.  By a vCPU's thread.
 */
bool irqchip_port(struct vcpu *vcpu, uint16_t port, uint8_t size, bool write, uint64_t *data);
bool irqchip_memory(struct vcpu *vcpu, uint64_t gpa, uint8_t size, bool write, uint64_t *data);

/* --- a vCPU's local APIC
 * -------------------------------------------------------------------------- */

/*
 * Interrupts may come, and kick the vCPU, from here on: its id, index and waiter are set before,
 * and its vm's irqchip.
 */
int lapic_create(struct vcpu *vcpu, struct lapic **lapic);
void lapic_destroy(struct lapic *lapic);
/* RESET: by the thread that owns the vCPU; so are all below that don't say "any context". */
void lapic_reset(struct lapic *lapic);
/* INIT: the mode and the ID stay (Intel SDM volume 3, sections 11.4.7.3 and 11.12.5.1). */
void lapic_init(struct lapic *lapic);
/* What the guest's CPUID offers; until then everything, and 52 bits. */
void lapic_set_features(struct lapic *lapic, bool x2apic, bool deadline, uint8_t physical_bits);

/* The vector that the CPU would take now, were its interrupts on (local APIC, else the PIC's by
 * LVT0 or ExtINT): -1 for none. */
int lapic_pending(struct lapic *lapic);
struct lapic_taken {
	int vector;  /* -1: there was none */
	bool others; /* whether one that was there before could be taken on top of it */
};
/*
 * Takes it: the acknowledge cycle.  It may offer the guest to end it by its flag in memory, unless
 * offer is false; in atomic context it is, and no flag may be offered yet.
 */
struct lapic_taken lapic_acknowledge(struct lapic *lapic, bool offer);
/* NMI, INIT and start-up IPI that came; each call takes them. Bits below. */
uint32_t lapic_take_signals(struct lapic *lapic, uint8_t *sipi_vector);
#define LAPIC_SIGNAL_NMI 1u
#define LAPIC_SIGNAL_INIT 2u
#define LAPIC_SIGNAL_SIPI 4u
#define LAPIC_SIGNAL_SMI 8u
#define LAPIC_SIGNAL_NMI_SECOND 16u /* another NMI came before the first was taken */
/* Whether any waits. Any context. */
bool lapic_has_signals(const struct lapic *lapic);
/* An NMI, as KVM_NMI asks for. Any context. */
void lapic_raise_nmi(struct lapic *lapic);
/* An interrupt of this vector, as a message to this APIC alone. Any context. */
void lapic_raise_vector(struct lapic *lapic, uint8_t vector);
/* Whether a halted CPU has a reason to look. Any context. */
bool lapic_has_work(const struct lapic *lapic);

uint64_t lapic_get_base(const struct lapic *lapic);                     /* IA32_APIC_BASE */
bool lapic_set_base(struct lapic *lapic, uint64_t base, bool by_guest); /* false: #GP */
uint64_t lapic_get_tpr(const struct lapic *lapic);                      /* CR8 */
bool lapic_set_tpr(struct lapic *lapic, uint64_t cr8);                  /* false: #GP */
/* x2APIC's MSRs 0x800 to 0x8ff, and IA32_TSC_DEADLINE; false: #GP. */
bool lapic_msr_read(struct lapic *lapic, uint32_t msr, uint64_t *value);
bool lapic_msr_write(struct lapic *lapic, uint32_t msr, uint64_t value);
/* Whether the guest may end its interrupt by its flag in memory, so that all that depends on that
 * reads guest memory; without, MSRs don't. */
bool lapic_has_flag(const struct lapic *lapic);
/* The TSC offset of the vCPU has changed. */
void lapic_tsc_changed(struct lapic *lapic);
/* Where the guest's pv EOI flag stands (KVM_MSR 0x4b564d04), or 0. */
void lapic_set_pv_eoi(struct lapic *lapic, uint64_t gpa);
/* KVM_HC_SEND_IPI: returns how many were sent to, or -KVM_EINVAL. */
int64_t lapic_send_pv_ipi(struct lapic *lapic, uint64_t low, uint64_t high, uint64_t base,
			  uint64_t icr, bool wide);

int lapic_get(struct lapic *lapic, struct kvm_lapic_state *state);
int lapic_set(struct lapic *lapic, const struct kvm_lapic_state *state);

#endif
