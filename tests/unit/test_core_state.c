/* SPDX-License-Identifier: MIT */
/* A vCPU's state through the ABI: what is set is got, and what no CPU could have is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <linux/kvm_para.h>

#include "hw/msr.h"
#include "hw/x86.h"
#include "hypervisor/memory.h"
#include "hypervisor/msr_table.h"
#include "tests/support/core_machine.h"
#include "tests/support/fake_backend.h"
#include "tests/support/fake_host.h"

static struct core_machine machine;

static int set_up(void **state)
{
	(void)state;
	core_machine_create(&machine, &fake_backend, true, 2);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	core_machine_destroy(&machine);
	return 0;
}

static int64_t command(uint32_t number, const void *argument)
{
	return core_vcpu(&machine, 0, number, argument);
}

/* --- Registers -------------------------------------------------------------------------------- */

static void test_reset(void **state)
{
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_debugregs debug;

	(void)state;
	assert_int_equal(command(KVM_GET_REGS, &regs), 0);
	assert_int_equal(regs.rip, 0xfff0);
	assert_int_equal(regs.rflags, 2);
	assert_int_equal(regs.rdx, 0x600); /* made before it had its CPUID */
	assert_int_equal(command(KVM_GET_SREGS, &sregs), 0);
	assert_int_equal(sregs.cs.base, 0xffff0000);
	assert_int_equal(sregs.cs.selector, 0xf000);
	assert_int_equal(sregs.cs.limit, 0xffff);
	assert_int_equal(sregs.cr0, 0x60000010);
	assert_int_equal(sregs.idt.limit, 0xffff);
	assert_int_equal(sregs.apic_base, 0xfee00900);
	assert_int_equal(command(KVM_GET_DEBUGREGS, &debug), 0);
	assert_int_equal(debug.dr6, 0xffff0ff0);
	assert_int_equal(debug.dr7, 0x400);
}

static void test_registers(void **state)
{
	struct kvm_regs regs = {.rax = 1,
				.rbx = 2,
				.rcx = 3,
				.rdx = 4,
				.rsi = 5,
				.rdi = 6,
				.rsp = 7,
				.rbp = 8,
				.r8 = 9,
				.r15 = 16,
				.rip = 17,
				.rflags = RFLAGS_IF | RFLAGS_RESERVED_ONE};
	struct kvm_regs read;

	(void)state;
	assert_int_equal(command(KVM_SET_REGS, &regs), 0);
	assert_int_equal(command(KVM_GET_REGS, &read), 0);
	assert_memory_equal(&read, &regs, sizeof(regs));
	assert_int_equal(machine.vcpus[0]->state.gpr[CPU_RSP], 7);
	regs.rflags = UINT64_MAX;
	assert_int_equal(command(KVM_SET_REGS, &regs), 0);
	assert_int_equal(command(KVM_GET_REGS, &read), 0);
	assert_int_equal(read.rflags, 0x3f7fd7);
	assert_int_equal(command(KVM_SET_REGS, NULL), -EFAULT);
	assert_int_equal(command(KVM_GET_REGS, NULL), -EFAULT);
}

static struct kvm_sregs long_mode(void)
{
	struct kvm_sregs sregs;

	assert_int_equal(command(KVM_GET_SREGS, &sregs), 0);
	sregs.cr0 = CR0_PE | CR0_PG | CR0_ET | CR0_NE;
	sregs.cr4 = CR4_PAE;
	sregs.cr3 = 0x1000;
	sregs.efer = EFER_LME | EFER_LMA;
	sregs.cs.l = 1;
	sregs.cs.db = 0;
	return sregs;
}

static void test_special_registers(void **state)
{
	struct kvm_sregs sregs = long_mode(), read;
	struct kvm_sregs2 sregs2;

	(void)state;
	sregs.fs.base = 0x123456789a;
	sregs.gs.limit = 0x12345;
	sregs.ss.dpl = 3;
	sregs.gdt = (struct kvm_dtable){.base = 0x5000, .limit = 0x7f};
	sregs.cr8 = 4;
	sregs.cr2 = 0xdead;
	assert_int_equal(command(KVM_SET_SREGS, &sregs), 0);
	assert_int_equal(machine.vcpus[0]->state.cpl, 3);
	assert_int_equal(command(KVM_GET_SREGS, &read), 0);
	assert_memory_equal(&read, &sregs, sizeof(read));
	assert_int_equal(command(KVM_GET_SREGS2, &sregs2), 0);
	assert_memory_equal(&sregs2, &sregs, offsetof(struct kvm_sregs2, flags));
	sregs2.cr2 = 0xbeef;
	assert_int_equal(command(KVM_SET_SREGS2, &sregs2), 0);
	assert_int_equal(machine.vcpus[0]->state.cr2, 0xbeef);
	sregs2.flags = 4;
	assert_int_equal(command(KVM_SET_SREGS2, &sregs2), -EINVAL);
}

static void refuse(struct kvm_sregs sregs)
{
	struct kvm_sregs before, after;

	assert_int_equal(command(KVM_GET_SREGS, &before), 0);
	assert_int_equal(command(KVM_SET_SREGS, &sregs), -EINVAL);
	assert_int_equal(command(KVM_GET_SREGS, &after), 0);
	assert_memory_equal(&after, &before, sizeof(after));
}

static void test_control_registers_that_cannot_be(void **state)
{
	struct kvm_sregs sregs = long_mode();

	(void)state;
	sregs.cr4 = 0;
	refuse(sregs);
	sregs = long_mode();
	sregs.efer = EFER_LME;
	refuse(sregs);
	sregs = long_mode();
	sregs.cr0 &= ~CR0_PE;
	refuse(sregs);
	sregs = long_mode();
	sregs.cr0 &= ~CR0_PG; /* LMA stays */
	refuse(sregs);
	sregs = long_mode();
	sregs.cr0 |= CR0_NW;
	refuse(sregs);
	sregs = long_mode();
	sregs.cr0 |= UINT64_C(1) << 40;
	refuse(sregs);
	sregs = long_mode();
	sregs.cr4 |= UINT64_C(1) << 23;
	refuse(sregs);
	sregs = long_mode();
	sregs.efer |= EFER_SVME;
	refuse(sregs);
	sregs = long_mode();
	sregs.cr3 = UINT64_C(1) << 60;
	refuse(sregs);
	sregs = long_mode();
	sregs.cr8 = 16;
	refuse(sregs);
	sregs = long_mode();
	sregs.apic_base = UINT64_C(1) << 60 | 0xfee00900;
	refuse(sregs);
}

static void test_virtual_8086_is_user_mode(void **state)
{
	struct kvm_sregs sregs = long_mode();
	struct kvm_regs regs = {.rflags = RFLAGS_VM};

	(void)state;
	sregs.cr0 = CR0_PE;
	sregs.efer = 0;
	assert_int_equal(command(KVM_SET_SREGS, &sregs), 0);
	assert_int_equal(machine.vcpus[0]->state.cpl, 0);
	assert_int_equal(command(KVM_SET_REGS, &regs), 0);
	assert_int_equal(machine.vcpus[0]->state.cpl, 3);
}

static void test_debug_registers(void **state)
{
	struct kvm_debugregs debug = {.db = {1, 2, 3, 4}, .dr6 = 0xffff0ff1, .dr7 = 0x401}, read;

	(void)state;
	assert_int_equal(command(KVM_SET_DEBUGREGS, &debug), 0);
	assert_int_equal(command(KVM_GET_DEBUGREGS, &read), 0);
	assert_memory_equal(&read, &debug, sizeof(read));
	debug.dr7 = UINT64_C(1) << 32;
	assert_int_equal(command(KVM_SET_DEBUGREGS, &debug), -EINVAL);
	debug.dr7 = 0;
	debug.flags = 1;
	assert_int_equal(command(KVM_SET_DEBUGREGS, &debug), -EINVAL);
}

/* --- Vector state ----------------------------------------------------------------------------- */

static void test_fpu_and_xsave_are_one_state(void **state)
{
	struct kvm_fpu fpu = {.fcw = 0x27f, .fsw = 0x3800, .ftwx = 0xff, .mxcsr = 0x1fa0};
	static struct kvm_xsave xsave;
	struct kvm_fpu read;
	uint8_t *area = (uint8_t *)xsave.region;

	(void)state;
	memset(fpu.fpr, 0x5a, sizeof(fpu.fpr));
	memset(fpu.xmm, 0xa5, sizeof(fpu.xmm));
	assert_int_equal(command(KVM_SET_FPU, &fpu), 0);
	assert_int_equal(command(KVM_GET_FPU, &read), 0);
	assert_memory_equal(&read, &fpu, sizeof(read));
	assert_int_equal(command(KVM_GET_XSAVE, &xsave), 0);
	assert_memory_equal(area + CPU_XSAVE_XMM, fpu.xmm, sizeof(fpu.xmm));
	assert_int_equal(area[CPU_XSAVE_HEADER], 7);
	memset(area + CPU_XSAVE_YMM, 0x77, 256);
	assert_int_equal(command(KVM_SET_XSAVE, &xsave), 0);
	assert_int_equal(machine.vcpus[0]->state.xsave[CPU_XSAVE_YMM + 255], 0x77);
	area[CPU_XSAVE_HEADER] = 1; /* XMM and YMM are in their initial state */
	assert_int_equal(command(KVM_SET_XSAVE, &xsave), 0);
	assert_int_equal(machine.vcpus[0]->state.xsave[CPU_XSAVE_YMM], 0);
	assert_int_equal(command(KVM_GET_FPU, &read), 0);
	assert_int_equal(read.xmm[3][3], 0);
	assert_int_equal(read.fpr[3][3], 0x5a);
	area[CPU_XSAVE_HEADER] = 0xe1; /* AVX-512 */
	assert_int_equal(command(KVM_SET_XSAVE, &xsave), -EINVAL);
	area[CPU_XSAVE_HEADER] = 1;
	area[CPU_XSAVE_MXCSR + 2] = 1;
	assert_int_equal(command(KVM_SET_XSAVE, &xsave), -EINVAL);
	fpu.mxcsr = 0x10000;
	assert_int_equal(command(KVM_SET_FPU, &fpu), -EINVAL);
}

static void test_xcrs(void **state)
{
	struct kvm_xcrs xcrs = {.nr_xcrs = 1, .xcrs = {{.xcr = 0, .value = 7}}}, read;

	(void)state;
	assert_int_equal(command(KVM_SET_XCRS, &xcrs), 0);
	assert_int_equal(command(KVM_GET_XCRS, &read), 0);
	assert_memory_equal(&read, &xcrs, sizeof(read));
	xcrs.xcrs[0].value = 6;
	assert_int_equal(command(KVM_SET_XCRS, &xcrs), -EINVAL);
	xcrs.xcrs[0].value = 0xe7;
	assert_int_equal(command(KVM_SET_XCRS, &xcrs), -EINVAL);
	xcrs.nr_xcrs = KVM_MAX_XCRS + 1;
	assert_int_equal(command(KVM_SET_XCRS, &xcrs), -EINVAL);
	assert_int_equal(machine.vcpus[0]->state.xcr0, 7);
}

/* --- Events ----------------------------------------------------------------------------------- */

static void test_events(void **state)
{
	struct kvm_vcpu_events events = {
		.exception = {.injected = 1, .nr = 14, .has_error_code = 1, .error_code = 6},
		.interrupt = {.injected = 1, .nr = 0x55, .shadow = KVM_X86_SHADOW_INT_STI},
		.nmi = {.pending = 1, .masked = 1},
		.flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW |
			 KVM_VCPUEVENT_VALID_SMM,
	};
	struct kvm_vcpu_events read;

	(void)state;
	assert_int_equal(command(KVM_SET_VCPU_EVENTS, &events), 0);
	assert_int_equal(command(KVM_GET_VCPU_EVENTS, &read), 0);
	assert_memory_equal(&read, &events, sizeof(read));
	assert_int_equal(machine.vcpus[0]->inject.kind, CPU_EVENT_EXCEPTION);
	assert_true(machine.vcpus[0]->state.nmi_masked);
	/* An interrupt that is on its way stays on its way. */
	memset(&events, 0, sizeof(events));
	events.interrupt.injected = 1;
	events.interrupt.nr = 0x66;
	assert_int_equal(command(KVM_SET_VCPU_EVENTS, &events), 0);
	assert_int_equal(machine.vcpus[0]->inject.kind, CPU_EVENT_INTERRUPT);
	assert_int_equal(command(KVM_GET_VCPU_EVENTS, &read), 0);
	assert_int_equal(read.interrupt.nr, 0x66);
	assert_int_equal(read.interrupt.shadow, KVM_X86_SHADOW_INT_STI); /* flag was not set */
	events.exception.injected = 1;
	events.exception.nr = 2;
	assert_int_equal(command(KVM_SET_VCPU_EVENTS, &events), -EINVAL);
	events.exception.nr = 32;
	assert_int_equal(command(KVM_SET_VCPU_EVENTS, &events), -EINVAL);
	events.exception.injected = 0;
	events.flags = KVM_VCPUEVENT_VALID_SMM;
	events.smi.smm = 1;
	assert_int_equal(command(KVM_SET_VCPU_EVENTS, &events), -EINVAL);
	events.flags = 0x80;
	assert_int_equal(command(KVM_SET_VCPU_EVENTS, &events), -EINVAL);
}

static void test_mp_state(void **state)
{
	struct kvm_mp_state mp = {.mp_state = KVM_MP_STATE_HALTED}, read;

	(void)state;
	assert_int_equal(command(KVM_SET_MP_STATE, &mp), 0);
	assert_int_equal(command(KVM_GET_MP_STATE, &read), 0);
	assert_int_equal(read.mp_state, KVM_MP_STATE_HALTED);
	mp.mp_state = 77;
	assert_int_equal(command(KVM_SET_MP_STATE, &mp), -EINVAL);
}

static void test_guest_debug(void **state)
{
	struct kvm_guest_debug debug = {.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP,
					.arch = {.debugreg = {0x1000, 0, 0, 0, 0, 0, 0, 0x401}}};

	(void)state;
	assert_int_equal(command(KVM_SET_GUEST_DEBUG, &debug), 0);
	assert_true(machine.vcpus[0]->debug_hardware);
	assert_int_equal(machine.vcpus[0]->debug_dr[0], 0x1000);
	debug.control = 0;
	assert_int_equal(command(KVM_SET_GUEST_DEBUG, &debug), 0);
	assert_false(machine.vcpus[0]->debug_hardware);
	assert_int_equal(machine.vcpus[0]->debug_dr7, 0);
	debug.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_INJECT_BP;
	assert_int_equal(command(KVM_SET_GUEST_DEBUG, &debug), 0);
	assert_int_equal(command(KVM_SET_GUEST_DEBUG, &debug), -EBUSY);
	debug.control = 1u << 30;
	assert_int_equal(command(KVM_SET_GUEST_DEBUG, &debug), -EINVAL);
}

static void test_translate(void **state)
{
	struct kvm_translation translation = {.linear_address = 0x1234};

	(void)state;
	assert_int_equal(command(KVM_TRANSLATE, &translation), 0);
	assert_int_equal(translation.valid, 1);
	assert_int_equal(translation.physical_address, 0x1234);
	translation.linear_address = UINT64_C(1) << 40;
	assert_int_equal(command(KVM_TRANSLATE, &translation), 0);
	assert_int_equal(translation.valid, 0);
}

/* --- MSRs ------------------------------------------------------------------------------------- */

struct msrs {
	struct kvm_msrs head;
	struct kvm_msr_entry entries[4];
};

static bool set_msr_of(unsigned vcpu, uint32_t index, uint64_t value)
{
	struct msrs msrs = {.head = {.nmsrs = 1}, .entries = {{.index = index, .data = value}}};

	return core_vcpu(&machine, vcpu, KVM_SET_MSRS, &msrs) == 1;
}

static bool set_msr(uint32_t index, uint64_t value)
{
	return set_msr_of(0, index, value);
}

static uint64_t get_msr_of(unsigned vcpu, uint32_t index)
{
	struct msrs msrs = {.head = {.nmsrs = 1}, .entries = {{.index = index}}};

	assert_int_equal(core_vcpu(&machine, vcpu, KVM_GET_MSRS, &msrs), 1);
	return msrs.entries[0].data;
}

static uint64_t get_msr(uint32_t index)
{
	return get_msr_of(0, index);
}

static void test_the_table_of_msrs_is_sorted(void **state)
{
	(void)state;
	for (unsigned i = 1; i < msr_table_count; i++)
		assert_true(msr_table[i - 1].first + msr_table[i - 1].count <= msr_table[i].first);
}

static void test_every_listed_msr_can_be_got_and_set(void **state)
{
	static struct {
		struct kvm_msr_list head;
		uint32_t room[256];
	} list;

	(void)state;
	list.head.nmsrs = 0;
	assert_int_equal(
		hypervisor_system_command(&fake_backend, KVM_GET_MSR_INDEX_LIST, (uintptr_t)&list),
		-E2BIG);
	assert_in_range(list.head.nmsrs, 10, 256);
	assert_int_equal(
		hypervisor_system_command(&fake_backend, KVM_GET_MSR_INDEX_LIST, (uintptr_t)&list),
		0);
	for (uint32_t i = 0; i < list.head.nmsrs; i++)
		assert_true(set_msr(list.head.indices[i], get_msr(list.head.indices[i])));
}

static void test_a_list_ends_where_one_is_refused(void **state)
{
	struct msrs msrs = {.head = {.nmsrs = 3},
			    .entries = {{.index = MSR_STAR, .data = 5},
					{.index = MSR_PAT, .data = 2},
					{.index = MSR_STAR, .data = 6}}};

	(void)state;
	assert_int_equal(command(KVM_SET_MSRS, &msrs), 1);
	assert_int_equal(get_msr(MSR_STAR), 5);
	msrs.head.nmsrs = 100000;
	assert_int_equal(command(KVM_SET_MSRS, &msrs), -E2BIG);
}

static void test_reserved_bits_of_msrs(void **state)
{
	static const struct {
		uint32_t index;
		uint64_t good, bad;
	} cases[] = {
		{MSR_PAT, 0x0007040600070406, 0x0307040600070406},
		{MSR_EFER, EFER_SCE | EFER_NXE, UINT64_C(1) << 20},
		{MSR_LSTAR, 0xffffffff81000000, 0x0000f00000000000},
		{MSR_KERNEL_GS_BASE, 0xffff888000000000, 0x8000000000000000},
		{MSR_MTRR_DEF_TYPE, 0xc06, 0xc07},
		{MSR_MTRR_FIX64K, 0x0606060606060606, 0x0606060606060602},
		{MSR_MTRR_PHYSICAL_BASE0, 0x80000006, 0x80000906},
		{MSR_MTRR_PHYSICAL_BASE0 + 1, 0xff80000800, 0xff80000801},
		{MSR_SYSENTER_CS, 0x10, UINT64_C(1) << 32},
		{MSR_TSC_AUX, 7, UINT64_C(1) << 32},
		{MSR_HWCR, HWCR_TSC_FREQUENCY_SELECT, 1 << 1},
		{MSR_KVM_PV_EOI_EN, 0x2001, 0x2003},
		{MSR_KVM_POLL_CONTROL, 0, 2},
		{MSR_XSS, 0, 1},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(set_msr(cases[i].index, cases[i].good));
		assert_false(set_msr(cases[i].index, cases[i].bad));
		assert_int_equal(get_msr(cases[i].index), cases[i].good);
	}
}

static void test_features_are_the_systems(void **state)
{
	struct msrs msrs = {
		.head = {.nmsrs = 2},
		.entries = {{.index = MSR_DECODE_CONFIG}, {.index = MSR_STAR}},
	};

	(void)state;
	assert_int_equal(hypervisor_system_command(&fake_backend, KVM_GET_MSRS, (uintptr_t)&msrs),
			 1);
	assert_int_equal(msrs.entries[0].data, DECODE_CONFIG_LFENCE_SERIALIZES);
}

/* --- Time ------------------------------------------------------------------------------------- */

static void test_tscs_that_are_set_one_after_another_are_equal(void **state)
{
	(void)state;
	assert_int_equal(get_msr(MSR_TSC), 0);
	fake_host_advance(1000000);
	assert_int_equal(get_msr(MSR_TSC), 2000000);
	assert_int_equal(get_msr_of(1, MSR_TSC), 2000000);
	assert_true(set_msr_of(0, MSR_TSC, UINT64_C(1) << 50));
	fake_host_advance(1000000);
	assert_true(set_msr_of(1, MSR_TSC, UINT64_C(1) << 50));
	assert_int_equal(get_msr_of(0, MSR_TSC), get_msr_of(1, MSR_TSC));
	assert_true(set_msr_of(1, MSR_TSC, UINT64_C(1) << 40));
	assert_int_equal(get_msr_of(1, MSR_TSC), UINT64_C(1) << 40);
}

static void set_rate(unsigned vcpu, uintptr_t khz)
{
	assert_int_equal(core_vcpu(&machine, vcpu, KVM_SET_TSC_KHZ, (void *)khz), 0);
}

static void test_tscs_at_another_rate(void **state)
{
	(void)state;
	fake_host_advance(1000000);
	set_rate(0, FAKE_HOST_TSC_KHZ / 2);
	assert_in_range(get_msr_of(0, MSR_TSC), 999999, 1000001); /* as if always */
	assert_int_equal(get_msr_of(1, MSR_TSC), 2000000);
	set_rate(1, FAKE_HOST_TSC_KHZ / 2);
	fake_host_advance(1000000);
	assert_in_range(get_msr_of(0, MSR_TSC), 1999999, 2000001);
	assert_int_equal(get_msr_of(0, MSR_TSC), get_msr_of(1, MSR_TSC));
	/* Set one after another, as above. */
	assert_true(set_msr_of(0, MSR_TSC, UINT64_C(1) << 50));
	fake_host_advance(1000000);
	assert_true(set_msr_of(1, MSR_TSC, UINT64_C(1) << 50));
	assert_int_equal(get_msr_of(0, MSR_TSC), get_msr_of(1, MSR_TSC));
	assert_in_range(get_msr_of(0, MSR_TSC), (UINT64_C(1) << 50) + 999999,
			(UINT64_C(1) << 50) + 1000001);
	/* Faster than the host's, by a ratio that is no binary fraction. */
	set_rate(0, FAKE_HOST_TSC_KHZ / 3 * 5);
	assert_true(set_msr_of(0, MSR_TSC, 0));
	fake_host_advance(UINT64_C(3000000000));
	assert_in_range(get_msr_of(0, MSR_TSC), UINT64_C(9999990000), UINT64_C(10000000001));
	set_rate(0, 0);
	set_rate(1, 0);
	assert_int_equal(get_msr_of(0, MSR_TSC), get_msr_of(1, MSR_TSC));
}

struct clock_page {
	uint32_t version, padding;
	uint64_t tsc, time;
	uint32_t mul;
	int8_t shift;
	uint8_t flags, padding2[2];
};

static uint64_t guest_time(const struct clock_page *page, uint64_t tsc)
{
	uint64_t ticks = tsc - page->tsc;

	ticks = page->shift < 0 ? ticks >> -page->shift : ticks << page->shift;
	return page->time + (uint64_t)(((unsigned __int128)ticks * page->mul) >> 32);
}

static void test_kvmclock(void **state)
{
	const struct clock_page *page = (void *)(machine.ram + 0x4000);
	struct kvm_clock_data data;

	(void)state;
	fake_host_advance(5000000000);
	assert_true(set_msr(MSR_KVM_SYSTEM_TIME_NEW, 0x4001));
	assert_int_equal(page->version % 2, 0);
	assert_int_equal(page->flags & 1, 1);
	fake_host_advance(1234567);
	assert_in_range(guest_time(page, get_msr(MSR_TSC)), 5001234567 - 2, 5001234567 + 2);
	assert_int_equal(core_vm(&machine, KVM_GET_CLOCK, &data), 0);
	assert_in_range(data.clock, 5001234567 - 2, 5001234567 + 2);
	assert_true(data.flags & KVM_CLOCK_TSC_STABLE);
	/* Set for all, seen when the vCPU next runs. */
	data = (struct kvm_clock_data){.clock = 1000};
	assert_int_equal(core_vm(&machine, KVM_SET_CLOCK, &data), 0);
	assert_int_equal(command(KVM_RUN, NULL), -EINTR);
	fake_host_interrupted = false;
	assert_int_equal(guest_time(page, get_msr(MSR_TSC)), 1000);
	/* The time doesn't depend on the TSC's rate. */
	fake_host_advance(500000);
	set_rate(0, FAKE_HOST_TSC_KHZ / 4 * 3);
	set_rate(1, FAKE_HOST_TSC_KHZ / 4 * 3);
	assert_int_equal(command(KVM_RUN, NULL), -EINTR);
	fake_host_interrupted = false;
	fake_host_advance(500000);
	assert_in_range(guest_time(page, get_msr(MSR_TSC)), 1001000 - 3, 1001000 + 3);
	assert_int_equal(page->flags & 1, 1);
	/* TSCs that differ are told. */
	assert_true(set_msr_of(1, MSR_TSC, UINT64_C(1) << 40));
	assert_int_equal(command(KVM_RUN, NULL), -EINTR);
	assert_int_equal(page->flags & 1, 0);
	assert_int_equal(command(KVM_KVMCLOCK_CTRL, NULL), 0);
	assert_int_equal(page->flags & 2, 2);
	data.flags = 1;
	assert_int_equal(core_vm(&machine, KVM_SET_CLOCK, &data), -EINVAL);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_reset),
		TEST(test_registers),
		TEST(test_special_registers),
		TEST(test_control_registers_that_cannot_be),
		TEST(test_virtual_8086_is_user_mode),
		TEST(test_debug_registers),
		TEST(test_fpu_and_xsave_are_one_state),
		TEST(test_xcrs),
		TEST(test_events),
		TEST(test_mp_state),
		TEST(test_guest_debug),
		TEST(test_translate),
		TEST(test_the_table_of_msrs_is_sorted),
		TEST(test_every_listed_msr_can_be_got_and_set),
		TEST(test_a_list_ends_where_one_is_refused),
		TEST(test_reserved_bits_of_msrs),
		TEST(test_features_are_the_systems),
		TEST(test_tscs_that_are_set_one_after_another_are_equal),
		TEST(test_tscs_at_another_rate),
		TEST(test_kvmclock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
