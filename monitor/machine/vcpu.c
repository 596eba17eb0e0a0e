/* SPDX-License-Identifier: MIT */
#include "monitor/machine/vcpu.h"

#include <linux/errno.h>

#include "hw/msr.h"
#include "hw/x86.h"
#include "lib/bits.h"
#include "lib/bytes.h"
#include "lib/format.h"

/* --- State at the start ----------------------------------------------------------------------- */

static int set_msrs(struct vcpu *vcpu)
{
	static const struct kvm_msr_entry entries[] = {
		{.index = MSR_MISC_ENABLE, .data = MISC_ENABLE_FAST_STRINGS},
		/* write back unless page tables say otherwise: what firmware leaves */
		{.index = MSR_MTRR_DEF_TYPE, .data = MTRR_DEF_TYPE_ENABLE | MTRR_TYPE_WRITE_BACK},
	};
	/* The ABI's list: a header with the entries behind it. */
	uint64_t buffer[(sizeof(struct kvm_msrs) + sizeof(entries)) / sizeof(uint64_t)] = {0};
	struct kvm_msrs *msrs = (struct kvm_msrs *)buffer;
	int64_t set;

	msrs->nmsrs = ARRAY_COUNT(entries);
	memcpy(msrs->entries, entries, sizeof(entries));
	set = os_kvm_pass(vcpu->kvm, KVM_SET_MSRS, msrs);
	return set < 0 ? (int)set : 0;
}

int vcpu_create(struct vcpu *vcpu, const struct partition *partition, struct kvm_cpuid2 *cpuid,
		struct error *why)
{
	int64_t number = os_kvm_command(partition->vm, KVM_CREATE_VCPU, vcpu->number);
	void *run;
	int64_t err;

	if (number < 0)
		return error_set(
			why, (int)number,
			"the hypervisor refused to make vCPU %u (error %d); fewer --cpus may do",
			vcpu->number, (int)-number);
	err = os_kvm_adopt(partition->vm, number, &vcpu->kvm);
	if (err < 0)
		return error_set(why, (int)err, "there is no memory for vCPU %u", vcpu->number);
	err = os_kvm_map_run(vcpu->kvm, partition->run_size, &run);
	if (!err) {
		vcpu->run = run;
		err = os_kvm_pass(vcpu->kvm, KVM_SET_CPUID2, cpuid);
	}
	if (!err)
		err = set_msrs(vcpu);
	if (err < 0) {
		vcpu_destroy(vcpu);
		return error_set(why, (int)err, "vCPU %u could not be set up (error %d)",
				 vcpu->number, (int)-err);
	}
	return 0;
}

void vcpu_destroy(struct vcpu *vcpu)
{
	os_kvm_close(vcpu->kvm);
	vcpu->kvm = NULL;
	vcpu->run = NULL;
}

static struct kvm_segment flat_segment(uint16_t selector, uint8_t type, bool long_mode)
{
	return (struct kvm_segment){
		.base = 0,
		.limit = 0xffffffff,
		.selector = selector,
		.type = type,
		.present = 1,
		.s = 1,
		.g = 1,
		.db = !long_mode,
		.l = long_mode,
	};
}

static void set_segments(struct kvm_sregs *sregs, const struct load_entry *entry)
{
	struct kvm_segment data =
		flat_segment(LOAD_DATA_SELECTOR, SEGMENT_TYPE_DATA_WRITABLE, false);

	sregs->cs = flat_segment(LOAD_CODE_SELECTOR, SEGMENT_TYPE_CODE_READABLE,
				 entry->mode == LOAD_MODE_LONG64);
	sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = data;
	sregs->tr =
		(struct kvm_segment){.limit = 0x67, .type = SEGMENT_TYPE_TSS32_BUSY, .present = 1};
	sregs->gdt.base = entry->gdt;
	sregs->gdt.limit = entry->gdt_limit;
	sregs->idt.base = 0;
	sregs->idt.limit = 0;
}

int vcpu_set_entry(struct vcpu *vcpu, const struct load_entry *entry, struct error *why)
{
	struct kvm_regs regs = {
		.rip = entry->rip,
		.rsp = entry->rsp,
		.rsi = entry->rsi,
		.rax = entry->rax,
		.rbx = entry->rbx,
		.rflags = RFLAGS_RESERVED_ONE,
	};
	struct kvm_sregs sregs;
	int64_t err = os_kvm_pass(vcpu->kvm, KVM_GET_SREGS, &sregs);

	if (!err) {
		set_segments(&sregs, entry);
		sregs.cr0 = CR0_PE | CR0_ET | CR0_NE;
		if (entry->mode == LOAD_MODE_LONG64) {
			sregs.cr0 |= CR0_PG | CR0_WP;
			sregs.cr3 = entry->cr3;
			sregs.cr4 = CR4_PAE;
			sregs.efer = EFER_LME | EFER_LMA;
		}
		err = os_kvm_pass(vcpu->kvm, KVM_SET_SREGS, &sregs);
	}
	if (!err)
		err = os_kvm_pass(vcpu->kvm, KVM_SET_REGS, &regs);
	if (err < 0)
		return error_set(why, (int)err,
				 "the boot CPU's state for %s was refused (error %d)",
				 entry->protocol, (int)-err);
	return 0;
}

/* --- Exits ------------------------------------------------------------------------------------ */

/* A string instruction leaves count items of size bytes, one behind the other, in the shared page.
 */
static void handle_port(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	unsigned size = run->io.size;
	uint16_t port = run->io.port;

	vcpu->exits[VCPU_EXIT_PORT]++;
	vcpu->last_port = port;
	for (uint32_t left = run->io.count; left; left--, data += size) {
		if (run->io.direction == KVM_EXIT_IO_OUT)
			bus_write(vcpu->ports, &vcpu->port_cursor, port, size,
				  load_sized(data, size));
		else
			store_sized(data, size,
				    bus_read(vcpu->ports, &vcpu->port_cursor, port, size));
	}
}

static void handle_memory(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	unsigned size = MIN(run->mmio.len, 8);

	vcpu->exits[VCPU_EXIT_MEMORY]++;
	if (run->mmio.is_write) {
		bus_write(vcpu->memory, &vcpu->memory_cursor, run->mmio.phys_addr, size,
			  load_sized(run->mmio.data, size));
	} else {
		store_sized(
			run->mmio.data, size,
			bus_read(vcpu->memory, &vcpu->memory_cursor, run->mmio.phys_addr, size));
	}
}

static const char *mode_name(const struct kvm_sregs *sregs)
{
	if (!(sregs->cr0 & CR0_PE))
		return "real mode";
	if (!(sregs->efer & EFER_LMA))
		return sregs->cr0 & CR0_PG ? "protected mode with paging" : "protected mode";
	return sregs->cs.l ? "64-bit mode" : "compatibility mode";
}

/* Where the vCPU is, as a person can use it. */
static void describe_place(struct vcpu *vcpu, char *text, size_t size)
{
	struct kvm_regs regs;
	struct kvm_sregs sregs;

	if (os_kvm_pass(vcpu->kvm, KVM_GET_REGS, &regs) < 0 ||
	    os_kvm_pass(vcpu->kvm, KVM_GET_SREGS, &sregs) < 0) {
		format_text(text, size, "at an unknown place");
		return;
	}
	/*
	 * Linux's KVM on AMD resets a vCPU before it reports the shutdown (the VMCB is undefined
	 * after it, APM volume 2, 15.14.3): the place is lost, but not what it did before.
	 */
	if (regs.rip == RESET_RIP && sregs.cs.base == RESET_CS_BASE) {
		if (vcpu->exits[VCPU_EXIT_PORT])
			format_text(text, size,
				    "(this hypervisor does not keep where; its last port access "
				    "was to 0x%x)",
				    vcpu->last_port);
		else
			format_text(text, size,
				    "(this hypervisor does not keep where; it had touched no port "
				    "yet)");
		return;
	}
	format_text(text, size,
		    "at rip 0x%llx (%s, cs base 0x%llx, rsp 0x%llx, cr2 0x%llx, cr3 0x%llx)",
		    regs.rip, mode_name(&sregs), sregs.cs.base, regs.rsp, sregs.cr2, sregs.cr3);
}

static enum vcpu_end explain(struct vcpu *vcpu)
{
	const struct kvm_run *run = vcpu->run;
	char place[256];

	describe_place(vcpu, place, sizeof(place));
	switch (run->exit_reason) {
	case KVM_EXIT_SHUTDOWN:
		error_set(&vcpu->why, 0, "vCPU %u ended in a triple fault %s", vcpu->number, place);
		return VCPU_END_CRASH;
	case KVM_EXIT_INTERNAL_ERROR:
		error_set(
			&vcpu->why, 0,
			"vCPU %u ran into code that the hypervisor cannot emulate (suberror %u) %s",
			vcpu->number, run->internal.suberror, place);
		return VCPU_END_CRASH;
	case KVM_EXIT_FAIL_ENTRY:
		error_set(&vcpu->why, 0, "the CPU refused to enter vCPU %u (reason 0x%llx) %s",
			  vcpu->number, run->fail_entry.hardware_entry_failure_reason, place);
		return VCPU_END_FAILED;
	default:
		error_set(&vcpu->why, 0, "vCPU %u left the guest for an unknown reason %u %s",
			  vcpu->number, run->exit_reason, place);
		return VCPU_END_FAILED;
	}
}

static enum vcpu_end run_until_end(struct vcpu *vcpu)
{
	while (!__atomic_load_n(&vcpu->stop, __ATOMIC_RELAXED)) {
		int64_t err = os_kvm_command(vcpu->kvm, KVM_RUN, 0);

		if (err) {
			if (err == -EINTR || err == -EAGAIN) { /* kicked, or woken too early */
				vcpu->exits[VCPU_EXIT_INTERRUPTED]++;
				continue;
			}
			error_set(&vcpu->why, 0, "vCPU %u cannot be run (error %d)", vcpu->number,
				  (int)-err);
			return VCPU_END_FAILED;
		}
		switch (vcpu->run->exit_reason) {
		case KVM_EXIT_IO:
			handle_port(vcpu);
			break;
		case KVM_EXIT_MMIO:
			handle_memory(vcpu);
			break;
		case KVM_EXIT_INTR:
			vcpu->exits[VCPU_EXIT_INTERRUPTED]++;
			break;
		default:
			vcpu->exits[VCPU_EXIT_OTHER]++;
			return explain(vcpu);
		}
	}
	return VCPU_END_ASKED;
}

static void thread_main(void *arg)
{
	struct vcpu *vcpu = arg;
	enum vcpu_end end = run_until_end(vcpu);

	if (end != VCPU_END_ASKED)
		vcpu->ended(vcpu->context, end, &vcpu->why);
}

int vcpu_start(struct vcpu *vcpu, struct error *why)
{
	char name[16];
	int err;

	format_text(name, sizeof(name), "vcpu%u", vcpu->number);
	err = os_thread_start(&vcpu->thread, name, thread_main, vcpu);
	if (err < 0)
		return error_set(why, err, "there is no thread to be had for vCPU %u (error %d)",
				 vcpu->number, -err);
	return 0;
}

void vcpu_ask_to_stop(struct vcpu *vcpu)
{
	if (!vcpu->thread)
		return;
	__atomic_store_n(&vcpu->stop, true, __ATOMIC_RELAXED);
	/*
	 * A KVM_RUN that begins after this returns at once, and one that began before is ended by
	 * the kick: the signal's delivery orders the store before it.
	 */
	__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	os_thread_kick(vcpu->thread);
}

void vcpu_join(struct vcpu *vcpu)
{
	if (vcpu->thread)
		os_thread_join(vcpu->thread);
	vcpu->thread = NULL;
}
