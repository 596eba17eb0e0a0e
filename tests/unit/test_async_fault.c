/* SPDX-License-Identifier: MIT */
/* Asynchronous page faults: what the guest is told, when, and what it may write to ask for it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <linux/kvm_para.h>

#include "hw/x86.h"
#include "hypervisor/async_fault.h"
#include "hypervisor/irqchip/irqchip.h"
#include "hypervisor/memory.h"
#include "tests/support/core_machine.h"
#include "tests/support/fake_backend.h"
#include "tests/support/fake_host.h"

#define AREA 0x5000u
#define VECTOR 0xf3u
#define ON (KVM_ASYNC_PF_ENABLED | KVM_ASYNC_PF_DELIVERY_AS_INT)
#define PAGE_AT(i) (0x10000u + (i)*4096u)
#define ALL UINT32_MAX

static struct core_machine machine;
static struct host_memory memory;
static struct vcpu *vcpu;

struct one_msr {
	struct kvm_msrs head;
	struct kvm_msr_entry entry;
};

static bool set_msr(uint32_t index, uint64_t value)
{
	struct one_msr msrs = {{.nmsrs = 1}, {.index = index, .data = value}};

	return core_vcpu(&machine, 0, KVM_SET_MSRS, &msrs) == 1;
}

static uint64_t get_msr(uint32_t index)
{
	struct one_msr msrs = {{.nmsrs = 1}, {.index = index}};

	assert_int_equal(core_vcpu(&machine, 0, KVM_GET_MSRS, &msrs), 1);
	return msrs.entry.data;
}

static uint32_t word(unsigned offset)
{
	uint32_t value;

	memcpy(&value, machine.ram + AREA + offset, sizeof(value));
	return value;
}

static void set_word(unsigned offset, uint32_t value)
{
	memcpy(machine.ram + AREA + offset, &value, sizeof(value));
}

/* As if its next instruction were reached; the interrupt that it takes is -1 for none. */
static int run(void)
{
	fake_backend_injected.kind = CPU_EVENT_NONE;
	fake_host_interrupted = false;
	assert_int_equal(core_vcpu(&machine, 0, KVM_RUN, NULL), -EINTR);
	return fake_backend_injected.kind == CPU_EVENT_NONE ? -1 : fake_backend_injected.vector;
}

/* The guest's handler, but for its EOI. */
static uint32_t take_token(void)
{
	uint32_t token = word(4);

	set_word(4, 0);
	assert_true(set_msr(MSR_KVM_ASYNC_PF_ACK, 1));
	return token;
}

static void end_interrupt(void)
{
	struct kvm_lapic_state state;

	assert_int_equal(core_vcpu(&machine, 0, KVM_GET_LAPIC, &state), 0);
	memset(state.regs + 0x100, 0, 0x80); /* ISR */
	assert_int_equal(core_vcpu(&machine, 0, KVM_SET_LAPIC, &state), 0);
}

static int set_up(void **state)
{
	struct kvm_lapic_state lapic;

	(void)state;
	core_machine_create(&machine, &fake_backend, true, 1);
	vcpu = machine.vcpus[0];
	assert_int_equal(core_vcpu(&machine, 0, KVM_GET_LAPIC, &lapic), 0);
	lapic.regs[0xf1] |= 1; /* SVR: it is on */
	assert_int_equal(core_vcpu(&machine, 0, KVM_SET_LAPIC, &lapic), 0);
	vcpu->state.rflags |= RFLAGS_IF;
	vcpu->state.cpl = 3;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	core_machine_destroy(&machine);
	assert_int_equal(fake_host_fetches, 0);
	return 0;
}

/* On, with what it is told at first taken. */
static void turn_on(uint64_t flags)
{
	assert_true(set_msr(MSR_KVM_ASYNC_PF_INT, VECTOR));
	assert_true(set_msr(MSR_KVM_ASYNC_PF_EN, AREA | ON | flags));
	assert_int_equal(run(), VECTOR);
	assert_int_equal(take_token(), ALL);
	end_interrupt();
}

static bool begin(unsigned page)
{
	return async_fault_can_take(vcpu) &&
	       async_fault_begin(vcpu, &memory, PAGE_AT(page) + 0x123, true);
}

/* A page that isn't there, and the #PF that the guest takes for it: the token. */
static uint32_t miss(unsigned page)
{
	assert_true(begin(page));
	assert_int_equal(word(0), KVM_PV_REASON_PAGE_NOT_PRESENT);
	assert_int_equal(vcpu->exception.kind, CPU_EVENT_EXCEPTION);
	assert_int_equal(vcpu->exception.error, 0);
	assert_int_equal(vcpu->state.cr2, vcpu->exception_address);
	assert_false(async_fault_can_take(vcpu)); /* one at a time */
	assert_int_equal(run(), CPU_VECTOR_PF);
	set_word(0, 0);
	return (uint32_t)vcpu->exception_address;
}

static void refuses_what_the_registers_have_not(void **state)
{
	static const uint64_t bad[] = {
		AREA | ON | 0x10,
		AREA | ON | 0x20,
		AREA | ON | KVM_ASYNC_PF_DELIVERY_AS_PF_VMEXIT,
		CORE_MACHINE_RAM | ON,
		(UINT64_C(1) << 63) | ON,
		(UINT64_MAX & ~UINT64_C(0x3f)) | ON,
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(set_msr(MSR_KVM_ASYNC_PF_EN, bad[i]));
	assert_int_equal(get_msr(MSR_KVM_ASYNC_PF_EN), 0);
	assert_true(set_msr(MSR_KVM_ASYNC_PF_EN, CORE_MACHINE_RAM)); /* off: it is not looked at */
	assert_false(set_msr(MSR_KVM_ASYNC_PF_INT, 0x100));
	assert_true(set_msr(MSR_KVM_ASYNC_PF_INT, 0xff));
	assert_int_equal(get_msr(MSR_KVM_ASYNC_PF_INT), 0xff);
	assert_true(set_msr(MSR_KVM_ASYNC_PF_ACK, 1));
	assert_int_equal(get_msr(MSR_KVM_ASYNC_PF_ACK), 0);
	fake_host_allocations_left = 0;
	assert_false(set_msr(MSR_KVM_ASYNC_PF_EN, AREA | ON));
	fake_host_allocations_left = -1;
}

static void tells_of_a_page_twice(void **state)
{
	uint32_t token;

	(void)state;
	turn_on(0);
	token = miss(0);
	assert_int_equal(fake_host_fetches, 1);
	assert_int_equal(fake_host_fetch_user[0], (uintptr_t)machine.ram + PAGE_AT(0));
	assert_int_equal(run(), -1);
	assert_int_equal(word(4), 0);
	fake_host_fetch_done(0);
	assert_int_equal(run(), VECTOR);
	assert_int_equal(take_token(), token);
	end_interrupt();
	assert_int_equal(run(), -1);
}

/* The next is told when the one before is taken, whatever order they come in. */
static void tells_of_one_at_a_time(void **state)
{
	uint32_t first, second, told;

	(void)state;
	turn_on(0);
	first = miss(0);
	second = miss(1);
	assert_int_not_equal(first, second);
	fake_host_fetch_done(1);
	assert_int_equal(run(), VECTOR);
	fake_host_fetch_done(0);
	end_interrupt();
	assert_int_equal(run(), -1);
	assert_int_equal(word(4), second);
	assert_int_equal(take_token(), second);
	assert_int_equal(run(), VECTOR);
	told = take_token();
	assert_int_equal(told, first);
}

/* It ends the guest's halt. */
static void wakes_a_guest_that_halts(void **state)
{
	struct kvm_mp_state mp = {KVM_MP_STATE_HALTED};

	(void)state;
	turn_on(0);
	miss(0);
	assert_int_equal(core_vcpu(&machine, 0, KVM_SET_MP_STATE, &mp), 0);
	fake_host_fetch_done(0);
	assert_int_equal(run(), VECTOR);
}

static void asks_whether_the_guest_can_take_it(void **state)
{
	(void)state;
	assert_false(async_fault_can_take(vcpu)); /* not on */
	turn_on(0);
	assert_true(async_fault_can_take(vcpu));
	vcpu->state.cpl = 0;
	assert_false(async_fault_can_take(vcpu));
	assert_true(set_msr(MSR_KVM_ASYNC_PF_EN, AREA | ON | KVM_ASYNC_PF_SEND_ALWAYS));
	assert_true(async_fault_can_take(vcpu));
	vcpu->state.rflags &= ~RFLAGS_IF;
	assert_false(async_fault_can_take(vcpu));
	vcpu->state.rflags |= RFLAGS_IF;
	vcpu->state.sti_shadow = true;
	assert_false(async_fault_can_take(vcpu));
	vcpu->state.sti_shadow = false;
	vcpu->inject.kind = CPU_EVENT_NMI;
	assert_false(async_fault_can_take(vcpu));
	vcpu->inject.kind = CPU_EVENT_NONE;
	vcpu->debug_step = true;
	assert_false(async_fault_can_take(vcpu));
	vcpu->debug_step = false;
	set_word(0, KVM_PV_REASON_PAGE_NOT_PRESENT); /* it has not taken the one before */
	assert_false(begin(0));
	set_word(0, 0);
	fake_host_fetch_error = -EFAULT;
	assert_false(begin(0));
	fake_host_fetch_error = 0;
	assert_int_equal(vcpu->exception.kind, CPU_EVENT_NONE);
	assert_int_equal(fake_host_fetches, 0);
	/* Without the interrupt it is not on, as KVM has it. */
	assert_true(set_msr(MSR_KVM_ASYNC_PF_EN, AREA | KVM_ASYNC_PF_ENABLED));
	assert_false(async_fault_can_take(vcpu));
}

static void fetches_a_page_once(void **state)
{
	(void)state;
	turn_on(0);
	miss(0);
	assert_false(begin(0));
	assert_int_equal(fake_host_fetches, 1);
}

static void has_a_bound(void **state)
{
	(void)state;
	turn_on(0);
	for (unsigned i = 0; i < ASYNC_FAULTS_MAX; i++)
		miss(i);
	assert_false(async_fault_can_take(vcpu));
	assert_int_equal(fake_host_fetches, ASYNC_FAULTS_MAX);
	fake_host_fetch_done(5);
	assert_int_equal(run(), VECTOR);
	assert_true(async_fault_can_take(vcpu));
}

/* What is under way is forgotten, and a guest that turns it on anew is told to look at all. */
static void forgets_when_it_is_turned_off(void **state)
{
	(void)state;
	turn_on(0);
	miss(0);
	miss(1);
	assert_true(set_msr(MSR_KVM_ASYNC_PF_EN, 0));
	fake_host_fetch_done(0);
	assert_int_equal(run(), -1);
	turn_on(0);
	fake_host_fetch_done(0);
	assert_int_equal(run(), -1);
	for (unsigned i = 0; i < ASYNC_FAULTS_MAX; i++)
		miss(i); /* no place was lost */
	vcpu_reset(vcpu, true);
	assert_int_equal(get_msr(MSR_KVM_ASYNC_PF_EN), 0);
	assert_int_equal(get_msr(MSR_KVM_ASYNC_PF_INT), 0);
	fake_host_fetch_done(0);
	assert_int_equal(run(), -1);
}

/* The guest's area goes while it is in use. */
static void stands_an_area_that_goes(void **state)
{
	(void)state;
	turn_on(0);
	miss(0);
	assert_int_equal(core_set_slot(&machine, 0, 0, 0, 0, machine.ram), 0);
	fake_host_fetch_done(0);
	assert_int_equal(run(), -1);
	assert_false(begin(1));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(refuses_what_the_registers_have_not),
		TEST(tells_of_a_page_twice),
		TEST(tells_of_one_at_a_time),
		TEST(wakes_a_guest_that_halts),
		TEST(asks_whether_the_guest_can_take_it),
		TEST(fetches_a_page_once),
		TEST(has_a_bound),
		TEST(forgets_when_it_is_turned_off),
		TEST(stands_an_area_that_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
