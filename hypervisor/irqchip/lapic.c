/* SPDX-License-Identifier: MIT */
/*
 * lapic.c - a vCPU's local APIC: its life, what reaches it, and which interrupt comes next (Intel
 * SDM volume 3, chapter 11).
 *
 * Messages come in any context: they set a bit of IRR and kick the vCPU.  All else is done by the
 * thread that owns the vCPU.
 */
#include <linux/errno.h>

#include "hypervisor/irqchip/chips.h"
#include "hypervisor/vcpu.h"

/* --- Life ------------------------------------------------------------------------------------- */

uint32_t lapic_x2apic_ldr(uint32_t id)
{
	return id / X2APIC_CLUSTER_CPUS << X2APIC_CLUSTER_SHIFT | 1u << id % X2APIC_CLUSTER_CPUS;
}

/* What SDM 11.4.7.1 says; an INIT leaves the mode, and with it the ID (11.4.7.3, 11.12.5.1). */
static void reset_registers(struct lapic *lapic)
{
	bool x2apic = lapic_is_x2apic(lapic);
	uint32_t id = lapic->vcpu->id;

	for (unsigned offset = 0; offset < KVM_APIC_REG_SIZE; offset += 4)
		lapic_set_reg(lapic, offset, 0);
	__atomic_store_n(&lapic->irr_any, false, __ATOMIC_SEQ_CST);
	__atomic_store_n(&lapic->in_service, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&lapic->errors, 0, __ATOMIC_RELAXED);
	lapic_set_reg(lapic, APIC_ID, x2apic ? id : id << APIC_ID_SHIFT);
	lapic_set_reg(lapic, APIC_VERSION, APIC_VERSION_VALUE);
	lapic_set_reg(lapic, APIC_LDR, x2apic ? lapic_x2apic_ldr(id) : 0);
	lapic_set_reg(lapic, APIC_DFR, APIC_DFR_FLAT);
	lapic_set_reg(lapic, APIC_SVR, APIC_SVR_VECTOR);
	for (unsigned lvt = APIC_LVT_TIMER; lvt <= APIC_LVT_ERROR; lvt += 16)
		lapic_set_reg(lapic, lvt, APIC_LVT_MASKED);
	/* As firmware would leave it: the boot CPU takes the PICs' interrupts. */
	if (lapic->base & APIC_BASE_BOOT_CPU)
		lapic_set_reg(lapic, APIC_LVT_LINT0, APIC_MODE_EXTINT << APIC_MODE_SHIFT);
	lapic->pv_eoi_set = false;
	apic_map_update(lapic);
}

void lapic_init(struct lapic *lapic)
{
	uint32_t id = lapic_reg(lapic, APIC_ID);

	lapic_timer_stop(lapic);
	reset_registers(lapic);
	lapic_set_reg(lapic, APIC_ID, id);
	apic_map_update(lapic);
}

void lapic_reset(struct lapic *lapic)
{
	uint64_t base = APIC_BASE_DEFAULT | APIC_BASE_ENABLE;

	if (lapic->vcpu->id == lapic->vcpu->vm->boot_cpu)
		base |= APIC_BASE_BOOT_CPU;
	__atomic_store_n(&lapic->base, base, __ATOMIC_RELAXED);
	__atomic_store_n(&lapic->signals, 0, __ATOMIC_RELAXED);
	lapic->pv_eoi_gpa = 0;
	lapic_timer_stop(lapic);
	reset_registers(lapic);
}

int lapic_create(struct vcpu *vcpu, struct lapic **lapic)
{
	struct irqchip *chip = vcpu->vm->irqchip;
	struct lapic *made;

	if (!chip || vcpu->index >= VM_VCPUS_MAX)
		return -EINVAL;
	made = host_alloc(sizeof(*made));
	if (!made)
		return -ENOMEM;
	made->vcpu = vcpu;
	made->chip = chip;
	made->has_x2apic = true;
	made->has_deadline = true;
	made->physical_bits = 52;
	lapic_timer_init(made);
	__atomic_store_n(&chip->lapics[vcpu->index], made, __ATOMIC_RELEASE);
	lapic_reset(made);
	*lapic = made;
	return 0;
}

void lapic_destroy(struct lapic *lapic)
{
	apic_map_remove(lapic);
	__atomic_store_n(&lapic->chip->lapics[lapic->vcpu->index], NULL, __ATOMIC_RELEASE);
	lapic_timer_destroy(lapic);
	host_free(lapic);
}

void lapic_set_features(struct lapic *lapic, bool x2apic, bool deadline, uint8_t physical_bits)
{
	lapic->has_x2apic = x2apic;
	lapic->has_deadline = deadline;
	lapic->physical_bits = physical_bits;
}

/* --- What comes ------------------------------------------------------------------------------- */

/* field: APIC_IRR and so on; returns what the bit was. */
static bool put_bit(struct lapic *lapic, unsigned field, uint8_t vector, bool set)
{
	uint32_t *word = &lapic->regs[(field + vector / 32 * 16) / 4];
	uint32_t bit = 1u << vector % 32;
	uint32_t old = set ? __atomic_fetch_or(word, bit, __ATOMIC_SEQ_CST)
			   : __atomic_fetch_and(word, ~bit, __ATOMIC_SEQ_CST);

	return old & bit;
}

static uint32_t with_signal(uint32_t signals, uint32_t signal)
{
	if (signal == LAPIC_SIGNAL_NMI && signals & LAPIC_SIGNAL_NMI)
		signal = LAPIC_SIGNAL_NMI_SECOND;
	if (signal == LAPIC_SIGNAL_INIT)
		signals &= ~LAPIC_SIGNAL_SIPI; /* one from before is void */
	return signals | signal;
}

static void raise(struct lapic *lapic, uint32_t signal)
{
	uint32_t old = __atomic_load_n(&lapic->signals, __ATOMIC_RELAXED);

	while (!__atomic_compare_exchange_n(&lapic->signals, &old, with_signal(old, signal), true,
					    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		;
	vcpu_kick(lapic->vcpu);
}

int lapic_accept_vector(struct lapic *lapic, uint8_t vector, bool level)
{
	if (!lapic_is_software_enabled(lapic))
		return INTERRUPT_IGNORED;
	if (vector < APIC_VECTOR_FIRST) {
		lapic_error(lapic, APIC_ESR_RECEIVE_ILLEGAL);
		return INTERRUPT_IGNORED;
	}
	put_bit(lapic, APIC_TMR, vector, level);
	if (put_bit(lapic, APIC_IRR, vector, true))
		return INTERRUPT_COALESCED;
	/* After the bit: whoever sees no bits and clears this looks again (next_vector()). */
	__atomic_store_n(&lapic->irr_any, true, __ATOMIC_SEQ_CST);
	vcpu_kick(lapic->vcpu);
	return 1;
}

int lapic_accept(struct lapic *lapic, const struct apic_message *message)
{
	switch (message->mode) {
	case APIC_MODE_FIXED:
	case APIC_MODE_LOWEST:
		return lapic_accept_vector(lapic, message->vector, message->level);
	case APIC_MODE_SMI:
		raise(lapic, LAPIC_SIGNAL_SMI);
		return 1;
	case APIC_MODE_NMI:
		raise(lapic, LAPIC_SIGNAL_NMI);
		return 1;
	case APIC_MODE_INIT:
		raise(lapic, LAPIC_SIGNAL_INIT);
		return 1;
	case APIC_MODE_STARTUP:
		__atomic_store_n(&lapic->sipi_vector, message->vector, __ATOMIC_RELAXED);
		raise(lapic, LAPIC_SIGNAL_SIPI);
		return 1;
	case APIC_MODE_EXTINT: /* the PICs' INTR has no message */
		break;
	}
	return INTERRUPT_IGNORED;
}

void lapic_raise_nmi(struct lapic *lapic)
{
	raise(lapic, LAPIC_SIGNAL_NMI);
}

void lapic_raise_vector(struct lapic *lapic, uint8_t vector)
{
	lapic_accept_vector(lapic, vector, false);
}

void lapic_local_event(struct lapic *lapic, unsigned lvt)
{
	uint32_t entry = lapic_reg(lapic, lvt);
	struct apic_message message = {
		.vector = entry & APIC_VECTOR_MASK,
		.mode = (entry & APIC_MODE_MASK) >> APIC_MODE_SHIFT,
	};

	if (entry & APIC_LVT_MASKED || !lapic_is_enabled(lapic))
		return;
	if (lvt == APIC_LVT_TIMER || lvt == APIC_LVT_ERROR)
		message.mode = APIC_MODE_FIXED;
	/* SDM 11.5.1: the other modes don't exist here. */
	if (message.mode == APIC_MODE_LOWEST || message.mode == APIC_MODE_STARTUP)
		return;
	lapic_accept(lapic, &message);
}

void lapic_error(struct lapic *lapic, uint32_t error)
{
	uint32_t old = __atomic_fetch_or(&lapic->errors, error, __ATOMIC_RELAXED);

	/* No interrupt for an error that is noted already; nor of an LVT that is in error itself.
	 */
	if (old & error)
		return;
	if ((lapic_reg(lapic, APIC_LVT_ERROR) & APIC_VECTOR_MASK) >= APIC_VECTOR_FIRST)
		lapic_local_event(lapic, APIC_LVT_ERROR);
}

static bool takes_extint(const struct lapic *lapic)
{
	uint32_t entry = lapic_reg(lapic, APIC_LVT_LINT0);

	/* Without its local APIC, LINT0 is the CPU's INTR: SDM 11.4.3. */
	if (!lapic_is_enabled(lapic))
		return true;
	return (entry & (APIC_LVT_MASKED | APIC_MODE_MASK)) == APIC_MODE_EXTINT << APIC_MODE_SHIFT;
}

void lapic_lint0_rose(struct lapic *lapic)
{
	if (takes_extint(lapic))
		vcpu_kick(lapic->vcpu);
	else
		lapic_local_event(lapic, APIC_LVT_LINT0);
}

/* --- What comes next -------------------------------------------------------------------------- */

int lapic_highest(const struct lapic *lapic, unsigned field)
{
	const uint32_t *first = &lapic->regs[field / 4], *at = first + APIC_VECTORS / 32 * 4;

	do {
		uint32_t bits;

		at -= 4;
		bits = __atomic_load_n(at, __ATOMIC_SEQ_CST);
		if (bits)
			return (int)(at - first) * 8 + 31 - __builtin_clz(bits);
	} while (at != first);
	return -1;
}

uint8_t lapic_ppr(const struct lapic *lapic)
{
	uint8_t tpr = (uint8_t)lapic_reg(lapic, APIC_TPR);
	int in_service = -1;
	uint8_t class;

	if (__atomic_load_n(&lapic->in_service, __ATOMIC_RELAXED))
		in_service = lapic_highest(lapic, APIC_ISR);
	class = in_service < 0 ? 0 : (uint8_t)in_service & 0xf0;

	return (tpr & 0xf0) >= class ? tpr : class;
}

uint8_t lapic_apr(const struct lapic *lapic)
{
	uint8_t ppr = lapic_ppr(lapic);
	int requested = lapic_highest(lapic, APIC_IRR);

	return requested > ppr ? (uint8_t)requested & 0xf0 : ppr;
}

/* The highest request, if its class is above the CPU's priority; -1. */
static int next_vector(struct lapic *lapic)
{
	int vector;

	if (!__atomic_load_n(&lapic->irr_any, __ATOMIC_SEQ_CST) || !lapic_is_enabled(lapic))
		return -1;
	vector = lapic_highest(lapic, APIC_IRR);
	if (vector < 0) {
		__atomic_store_n(&lapic->irr_any, false, __ATOMIC_SEQ_CST);
		/* One that came in between set its bit before irr_any. */
		vector = lapic_highest(lapic, APIC_IRR);
		if (vector < 0)
			return -1;
		__atomic_store_n(&lapic->irr_any, true, __ATOMIC_SEQ_CST);
	}
	return vector >> 4 > lapic_ppr(lapic) >> 4 ? vector : -1;
}

static bool has_extint(const struct lapic *lapic)
{
	return __atomic_load_n(&lapic->chip->pics.output, __ATOMIC_SEQ_CST) && takes_extint(lapic);
}

int lapic_pending(struct lapic *lapic)
{
	int vector;

	if (lapic->pv_eoi_set)
		lapic_pv_eoi_sync(lapic, __atomic_load_n(&lapic->irr_any, __ATOMIC_SEQ_CST));
	if (has_extint(lapic)) {
		vector = pic_pending(lapic->chip);
		if (vector >= 0)
			return vector;
	}
	return next_vector(lapic);
}

struct lapic_taken lapic_acknowledge(struct lapic *lapic, bool offer)
{
	int vector;

	if (has_extint(lapic)) {
		vector = pic_acknowledge(lapic->chip);
		if (vector >= 0)
			return (struct lapic_taken){vector, true};
	}
	if (lapic->pv_eoi_set)
		lapic_pv_eoi_sync(lapic, __atomic_load_n(&lapic->irr_any, __ATOMIC_SEQ_CST));
	vector = next_vector(lapic);
	if (vector < 0)
		return (struct lapic_taken){-1, true};
	put_bit(lapic, APIC_IRR, (uint8_t)vector, false);
	put_bit(lapic, APIC_ISR, (uint8_t)vector, true);
	__atomic_store_n(&lapic->in_service, lapic->in_service + 1, __ATOMIC_RELAXED);
	if (lapic->pv_eoi_gpa && offer)
		lapic_pv_eoi_offer(lapic);
	return (struct lapic_taken){vector, false};
}

uint32_t lapic_take_signals(struct lapic *lapic, uint8_t *sipi_vector)
{
	uint32_t signals;

	if (!__atomic_load_n(&lapic->signals, __ATOMIC_RELAXED))
		return 0;
	signals = __atomic_exchange_n(&lapic->signals, 0, __ATOMIC_SEQ_CST);
	*sipi_vector = __atomic_load_n(&lapic->sipi_vector, __ATOMIC_RELAXED);
	return signals;
}

bool lapic_has_signals(const struct lapic *lapic)
{
	return __atomic_load_n(&lapic->signals, __ATOMIC_SEQ_CST);
}

bool lapic_has_work(const struct lapic *lapic)
{
	if (lapic_has_signals(lapic) || has_extint(lapic))
		return true;
	return __atomic_load_n(&lapic->irr_any, __ATOMIC_SEQ_CST) && lapic_is_enabled(lapic) &&
	       lapic_highest(lapic, APIC_IRR) >> 4 > lapic_ppr(lapic) >> 4;
}

/* --- IA32_APIC_BASE and CR8 ------------------------------------------------------------------- */

uint64_t lapic_get_base(const struct lapic *lapic)
{
	return __atomic_load_n(&lapic->base, __ATOMIC_RELAXED);
}

/* SDM 11.12.1, table 11-5, and figure 11-27 with the transitions a guest may make. */
static bool base_is_allowed(const struct lapic *lapic, uint64_t base, bool by_guest)
{
	const uint64_t mode = APIC_BASE_ENABLE | APIC_BASE_X2APIC;
	uint64_t flags = APIC_BASE_BOOT_CPU | APIC_BASE_ENABLE;
	uint64_t old = lapic->base & mode, new = base &mode;

	if (lapic->has_x2apic)
		flags |= APIC_BASE_X2APIC;
	if (base & ~APIC_BASE_ADDRESS & ~flags || new == APIC_BASE_X2APIC)
		return false;
	if (lapic->physical_bits < 64 && base >> lapic->physical_bits)
		return false;
	if (!by_guest)
		return true;
	return !(old == mode && new == APIC_BASE_ENABLE) && !(old == 0 && new == mode);
}

bool lapic_set_base(struct lapic *lapic, uint64_t base, bool by_guest)
{
	const struct backend *backend = lapic->vcpu->vm->backend;
	uint64_t changed = lapic->base ^ base;
	uint32_t id = lapic->vcpu->id;

	if (!base_is_allowed(lapic, base, by_guest))
		return false;
	lapic_pv_eoi_sync(lapic, true);
	__atomic_store_n(&lapic->base, base, __ATOMIC_RELAXED);
	if (changed & (APIC_BASE_ENABLE | APIC_BASE_X2APIC)) {
		/* The ID begins anew in either mode, and x2APIC's logical ID follows from it. */
		if (base & APIC_BASE_X2APIC) {
			lapic_set_reg(lapic, APIC_ID, id);
			lapic_set_reg(lapic, APIC_LDR, lapic_x2apic_ldr(id));
		} else if (base & APIC_BASE_ENABLE) {
			lapic_set_reg(lapic, APIC_ID, id << APIC_ID_SHIFT);
			if (changed & APIC_BASE_X2APIC)
				lapic_set_reg(lapic, APIC_LDR, 0);
		} else {
			lapic_timer_stop(lapic);
		}
	}
	apic_map_update(lapic);
	if (changed & (APIC_BASE_ENABLE | APIC_BASE_X2APIC) && backend->apic_moved)
		backend->apic_moved(lapic->vcpu);
	return true;
}

uint64_t lapic_get_tpr(const struct lapic *lapic)
{
	return lapic_reg(lapic, APIC_TPR) >> 4 & 0xf;
}

bool lapic_set_tpr(struct lapic *lapic, uint64_t cr8)
{
	if (cr8 > 0xf)
		return false;
	lapic_set_reg(lapic, APIC_TPR, (uint32_t)cr8 << 4);
	return true;
}
