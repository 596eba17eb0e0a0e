/* SPDX-License-Identifier: MIT */
/*
 * avic.c - AMD's virtual interrupt controller, for guests in x2APIC mode: TPR, the ends of
 * edge-triggered interrupts and fixed messages between vCPUs need no exit.  APM2 sections 15.29 and
 * 15.29.10.
 *
 * Outside the guest the core's local APIC is the one that counts.  Each entry lends it to the
 * vCPU's backing page (apic_page.h), each exit takes it back.  Between the two the VM's table says
 * that the vCPU runs: only then does a sender's CPU leave an interrupt to the target's; else it
 * sets the bit in the target's page all the same, and exits.  The sender's exit moves such bits to
 * the core, which wakes the target.
 *
 * None is lost.  A sender's CPU sets the bit, then looks whether the target runs.  The target says
 * that it runs before VMRUN looks at the page, and that it doesn't before the page is emptied.
 * Under the page's lock the sender's exit takes bits only from a vCPU that doesn't run, so that
 * nothing is taken from under the hands of a CPU that is delivering it, and lent twice.
 *
 * An entry goes without AVIC, and all is as on CPUs that have none, where the core must see when an
 * interrupt can be taken, as the CPU ignores V_IRQ with AVIC (15.29.4.1); while somebody debugs the
 * guest; or where the core can't lend the APIC.  xAPIC mode is never AVIC's: the APIC's page would
 * be mapped in the nested tables that all of the VM's vCPUs share, also those that go without.
 */
#include "hw/msr.h"
#include "hypervisor/apic_page.h"
#include "hypervisor/msr.h"
#include "hypervisor/x86/svm/svm.h"

#define ENABLED (SVM_AVIC_ENABLE | SVM_X2AVIC_ENABLE)
#define CR8_ACCESSES (SVM_INTERCEPT_CR_READ(8) | SVM_INTERCEPT_CR_WRITE(8))
#define TABLES_ORDER 1u /* of physical IDs, and of logical ones, which x2AVIC has no use for */
#define MSR_OF(offset) (MSR_X2APIC_FIRST + (offset) / 16)
#define ICR_AS_WRITTEN (~UINT64_C(0xffffffff) | APIC_ICR_WRITABLE) /* the rest is the CPU's */

_Static_assert(VCPU_ID_LIMIT <= 512, "one page of the table, APM2 section 15.29.5.2");

/* In the VM's table. */
static uint64_t *entry_of(const struct svm_vcpu *c)
{
	return &svm_vm_of(c->vcpu.vm)->avic_ids[c->vcpu.id];
}

static bool is_on(const struct svm_vcpu *c)
{
	return c->vmcb->control.virtual_interrupt & SVM_AVIC_ENABLE;
}

/* --- Life ------------------------------------------------------------------------------------- */

int svm_avic_create_vm(struct svm_vm *vm)
{
	if (!svm_features.avic)
		return 0;
	vm->avic_ids = host_pages_alloc(TABLES_ORDER, &vm->avic_ids_physical);
	return vm->avic_ids ? 0 : -ENOMEM;
}

void svm_avic_destroy_vm(struct svm_vm *vm)
{
	if (vm->avic_ids)
		host_pages_free(vm->avic_ids, TABLES_ORDER);
	vm->avic_ids = NULL;
}

int svm_avic_create(struct svm_vcpu *c)
{
	struct vmcb_control *control = &c->vmcb->control;
	struct svm_vm *vm = svm_vm_of(c->vcpu.vm);
	struct svm_avic *avic = &c->avic;
	uint64_t physical;

	if (!svm_features.avic || !vm->vm.irqchip)
		return 0;
	avic->page = host_pages_alloc(0, &physical);
	if (!avic->page)
		return -ENOMEM;
	host_spin_init(&avic->lock);
	control->avic_base = APIC_BASE_DEFAULT;
	control->avic_page = physical;
	control->avic_logical_ids = vm->avic_ids_physical + PAGE_SIZE;
	control->avic_physical_ids = vm->avic_ids_physical | (VCPU_ID_LIMIT - 1);
	c->entry_work |= SVM_WORK_AVIC;
	c->exit_work |= SVM_WORK_AVIC;
	/* From here on others' messages to all reach it. */
	__atomic_store_n(entry_of(c), SVM_AVIC_VALID | physical, __ATOMIC_RELEASE);
	return 0;
}

void svm_avic_destroy(struct svm_vcpu *c)
{
	if (!c->avic.page)
		return;
	__atomic_store_n(entry_of(c), 0, __ATOMIC_RELEASE);
	host_pages_free(c->avic.page, 0);
	c->avic.page = NULL;
}

/* --- Entry and exit --------------------------------------------------------------------------- */

static bool is_debugged(const struct vcpu *vcpu)
{
	return vcpu->debug_step || vcpu->debug_hardware || vcpu->debug_software ||
	       vcpu->debug_block_interrupts;
}

static bool is_fit(const struct svm_vcpu *c)
{
	const struct vcpu *vcpu = &c->vcpu;

	return !vcpu->want_window && !is_debugged(vcpu) &&
	       svm_cpus[c->cpu].apic_id <= SVM_AVIC_HOST_ID && apic_page_can_lend(vcpu);
}

static void turn_on(struct svm_vcpu *c)
{
	struct vmcb_control *control = &c->vmcb->control;

	control->virtual_interrupt |= ENABLED;
	control->intercept_cr &= ~CR8_ACCESSES;
	control->msr_map = svm_maps.x2avic_msr_physical;
	c->clean = 0;
}

static void turn_off(struct svm_vcpu *c)
{
	struct vmcb_control *control = &c->vmcb->control;

	control->virtual_interrupt &= ~(ENABLED | SVM_V_TPR);
	control->intercept_cr |= CR8_ACCESSES;
	control->msr_map = svm_maps.msr_physical;
	c->clean = 0;
	/* The core has left what waits to the CPU: it looks, unless it has just done so. */
	if (!c->vcpu.want_window)
		vcpu_kick(&c->vcpu);
}

static void set_running(struct svm_vcpu *c, uint64_t running)
{
	uint64_t entry = __atomic_load_n(entry_of(c), __ATOMIC_RELAXED);

	entry &= ~(SVM_AVIC_RUNNING | SVM_AVIC_HOST_ID);
	__atomic_store_n(entry_of(c), entry | running, __ATOMIC_SEQ_CST);
}

/* MOV to CR8 and the register change both, VMRUN need not (APM2 section 15.29.3.1). */
static void set_virtual_tpr(struct svm_vcpu *c)
{
	uint64_t *control = &c->vmcb->control.virtual_interrupt;
	uint64_t tpr = c->avic.page[APIC_TPR / 4] >> 4;

	if ((*control & SVM_V_TPR) == tpr)
		return;
	*control = (*control & ~SVM_V_TPR) | tpr;
	c->clean &= ~SVM_CLEAN_VIRTUAL_INTERRUPT;
}

void svm_avic_enter(struct svm_vcpu *c)
{
	struct svm_avic *avic = &c->avic;
	bool fit = is_fit(c);

	if (fit && !is_on(c))
		turn_on(c);
	else if (!fit && is_on(c))
		turn_off(c);
	if (!fit)
		return;
	host_spin_lock(&avic->lock);
	apic_page_lend(&c->vcpu, avic->page);
	set_running(c, SVM_AVIC_RUNNING | svm_cpus[c->cpu].apic_id);
	host_spin_unlock(&avic->lock);
	set_virtual_tpr(c);
}

/* Whether the exit is of the end of an interrupt that the core wants to hear of. */
static bool is_eoi(const struct vmcb_control *control)
{
	return (uint32_t)control->exit_code == SVM_EXIT_AVIC_NOACCEL &&
	       (control->exit_info1 & SVM_AVIC_WRITE) &&
	       (control->exit_info1 & SVM_AVIC_OFFSET) == APIC_EOI;
}

void svm_avic_leave(struct svm_vcpu *c)
{
	const struct vmcb_control *control = &c->vmcb->control;
	struct svm_avic *avic = &c->avic;
	unsigned vector = control->exit_info2 & SVM_AVIC_VECTOR;

	if (!is_on(c))
		return;
	/* Table 15-22 and section 15.29.9.2 leave open whether the CPU has ended it already. */
	if (is_eoi(control))
		*apic_page_word(avic->page, APIC_ISR, vector / 32) |= 1u << vector % 32;
	host_spin_lock(&avic->lock);
	/* Before IRR is taken: a sender that sets a bit after that sees that this one doesn't run.
	 */
	set_running(c, 0);
	apic_page_take_back(&c->vcpu, avic->page);
	host_spin_unlock(&avic->lock);
}

/* --- AVIC's own exits ------------------------------------------------------------------------- */

/* Moves what has come to the page of a vCPU that doesn't run to the core. */
static void collect(struct svm_vcpu *c)
{
	uint32_t irr[APIC_PAGE_WORDS] = {0};
	struct svm_avic *avic = &c->avic;

	host_spin_lock(&avic->lock);
	if (!(__atomic_load_n(entry_of(c), __ATOMIC_SEQ_CST) & SVM_AVIC_RUNNING))
		for (unsigned i = 0; i < APIC_PAGE_WORDS; i++)
			irr[i] = __atomic_exchange_n(apic_page_word(avic->page, APIC_IRR, i), 0,
						     __ATOMIC_SEQ_CST);
	host_spin_unlock(&avic->lock);
	apic_page_accept(&c->vcpu, irr);
}

static void collect_all(struct vm *vm)
{
	uint32_t count = __atomic_load_n(&vm->vcpu_count, __ATOMIC_ACQUIRE);

	for (uint32_t i = 0; i < count; i++)
		collect(svm_of(vm->vcpus[i]));
}

/* Both exits come after the instruction: its write stands in the page, RIP behind it. */
enum svm_next svm_avic_exit(struct svm_vcpu *c)
{
	const struct vmcb_control *control = &c->vmcb->control;

	if (is_eoi(control)) {
		msr_write(&c->vcpu, MSR_OF(APIC_EOI), 0, true);
		return SVM_AGAIN;
	}
	if ((uint32_t)control->exit_code != SVM_EXIT_AVIC_INCOMPLETE_IPI)
		return SVM_OUTSIDE; /* no other access that AVIC sees leads here */
	if (control->exit_info2 >> SVM_AVIC_REASON_SHIFT == SVM_AVIC_NOT_RUNNING)
		collect_all(c->vcpu.vm);
	else /* one that AVIC doesn't know, or to nobody: nothing is delivered yet */
		msr_write(&c->vcpu, MSR_OF(APIC_ICR), control->exit_info1 & ICR_AS_WRITTEN, true);
	return SVM_AGAIN;
}

void svm_avic_apic_moved(struct vcpu *vcpu)
{
	if (!svm_features.avic)
		return;
	/* The map as it is now, before the look at who is inside. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	inside_flush(vcpu->vm);
}
