/* SPDX-License-Identifier: MIT */
/*
 * What the vmx backend makes of a vCPU's state and of the CPU's capabilities, where no VMX is
 * needed for it: segments, which must be ones that an entry's rules take; events; controls;
 * mitigations.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hw/cpuid.h"
#include "hw/msr.h"
#include "hypervisor/x86/vmx/layout.h"
#include "hypervisor/x86/vmx/vmx.h"

static struct cpu_segment segment(uint8_t type, bool s, uint8_t dpl, uint32_t limit)
{
	return (struct cpu_segment){.base = 0x10000,
				    .limit = limit,
				    .selector = (uint16_t)(0x1000 | dpl),
				    .type = type,
				    .s = s,
				    .dpl = dpl,
				    .present = true};
}

/* As vcpu_reset() leaves it. */
static void set_up_reset(struct cpu_state *s)
{
	memset(s, 0, sizeof(*s));
	for (unsigned i = 0; i < CPU_SEGMENTS; i++)
		s->segment[i] = segment(SEGMENT_TYPE_DATA_WRITABLE, true, 0, 0xffff);
	s->segment[CPU_CS].type = SEGMENT_TYPE_CODE_READABLE;
	s->tr = segment(SYSTEM_TYPE_TSS32_BUSY, false, 0, 0xffff);
	s->ldtr = segment(SYSTEM_TYPE_LDT, false, 0, 0xffff);
	s->tr.selector = s->ldtr.selector = 0;
	s->rflags = RFLAGS_RESERVED_ONE;
	s->cr0 = CR0_ET | CR0_NE;
}

static void set_up_protected(struct cpu_state *s, uint8_t cpl)
{
	set_up_reset(s);
	s->cr0 |= CR0_PE;
	s->cpl = cpl;
	for (unsigned i = 0; i < CPU_SEGMENTS; i++) {
		s->segment[i] = segment(SEGMENT_TYPE_DATA_WRITABLE, true, cpl, UINT32_MAX);
		s->segment[i].g = s->segment[i].db = true;
	}
	s->segment[CPU_CS].type = SEGMENT_TYPE_CODE_READABLE;
}

static void set_up_long(struct cpu_state *s, uint8_t cpl)
{
	set_up_protected(s, cpl);
	s->cr0 |= CR0_PG;
	s->cr4 = CR4_PAE;
	s->efer = EFER_LME | EFER_LMA;
	s->segment[CPU_CS].l = true;
	s->segment[CPU_CS].db = false;
	s->segment[CPU_SS].unusable = cpl == 0; /* as SYSCALL's target may have it: null */
}

/* An entry's rules, on a CPU without anything beside what is needed. */
static void expect_valid(const struct cpu_state *s, const char *what)
{
	struct vmx_check check = {
		.guest = {.cr0 = s->cr0,
			  .cr4 = s->cr4 | CR4_VMXE,
			  .rip = 0x1000,
			  .rflags = s->rflags,
			  .efer = s->efer,
			  .link_pointer = VMX_LINK_POINTER_NONE},
		.controls = {.secondary = VMX_SECONDARY_EPT | VMX_SECONDARY_UNRESTRICTED_GUEST,
			     .entry = VMX_ENTRY_LOAD_EFER |
				      (s->efer & EFER_LMA ? VMX_ENTRY_IA32E_GUEST : 0)},
		.cpu = {.cr0_fixed0 = CR0_PE | CR0_NE | CR0_PG,
			.cr0_fixed1 = UINT32_MAX,
			.cr4_fixed0 = CR4_VMXE,
			.cr4_fixed1 = UINT32_MAX,
			.physical_bits = 46,
			.linear_bits = 48},
	};
	struct vmx_violation violation;

	for (unsigned n = 0; n < VMX_SEGMENTS; n++)
		check.guest.segment[n] = vmx_segment_pack(s, n);
	if (vmx_check_guest_state(&check, &violation))
		fail_msg("%s: %s is 0x%llx: %s", what, violation.field,
			 (unsigned long long)violation.value, violation.rule);
}

static void segments_are_valid(void **state)
{
	struct cpu_state *s = aligned_alloc(64, sizeof(*s));

	(void)state;
	set_up_reset(s);
	expect_valid(s, "after RESET");
	s->tr.type = SYSTEM_TYPE_TSS32; /* a caller may leave it so */
	s->tr.unusable = true;
	s->tr.present = false;
	expect_valid(s, "without a TSS");
	set_up_reset(s);
	s->segment[CPU_DS].limit = UINT32_MAX; /* as code that was in protected mode leaves it */
	expect_valid(s, "big real mode");
	for (uint8_t cpl = 0; cpl < 4; cpl++) {
		set_up_protected(s, cpl);
		expect_valid(s, "protected mode");
		s->segment[CPU_DS].type &= (uint8_t)~SEGMENT_TYPE_ACCESSED;
		s->segment[CPU_ES].unusable = true;
		s->segment[CPU_FS].limit = 0x12345678; /* no limit that granularity could give */
		s->segment[CPU_GS].limit = 0x1234;
		s->segment[CPU_GS].g = true;
		expect_valid(s, "protected mode, a caller's segments");
		set_up_long(s, cpl);
		expect_valid(s, "64-bit mode");
	}
	set_up_protected(s, 0);
	s->tr.type = SYSTEM_TYPE_TSS16_BUSY;
	expect_valid(s, "a 16-bit task");
	set_up_protected(s, 3);
	s->rflags |= RFLAGS_VM;
	expect_valid(s, "virtual-8086 mode");
	free(s);
}

/* The privilege level goes by SS, and comes back as the state had it. */
static void segments_come_back(void **state)
{
	struct cpu_state *s = aligned_alloc(64, sizeof(*s));
	struct vmx_segment packed;
	struct cpu_segment back;

	(void)state;
	set_up_protected(s, 3);
	s->segment[CPU_DS].avl = true;
	packed = vmx_segment_pack(s, VMX_DS);
	vmx_segment_unpack(&back, &packed);
	assert_memory_equal(&back.base, &s->segment[CPU_DS].base, sizeof(back.base));
	assert_int_equal(back.limit, s->segment[CPU_DS].limit);
	assert_int_equal(back.selector, s->segment[CPU_DS].selector);
	assert_int_equal(back.type, s->segment[CPU_DS].type);
	assert_int_equal(back.dpl, 3);
	assert_true(back.s && back.present && back.avl && back.db && back.g);
	assert_false(back.l || back.unusable);
	set_up_long(s, 0);
	s->cpl = 3;
	packed = vmx_segment_pack(s, VMX_SS);
	assert_int_equal(VMX_AR_DPL(packed.access_rights), 3);
	vmx_segment_unpack(&back, &packed);
	assert_true(back.unusable);
	free(s);
}

static void events(void **state)
{
	struct cpu_event event = {.kind = CPU_EVENT_INTERRUPT, .vector = 0x30};

	(void)state;
	assert_int_equal(vmx_event_encode(&event, true), 0x80000030u);
	event = (struct cpu_event){.kind = CPU_EVENT_NMI, .vector = CPU_VECTOR_NMI};
	assert_int_equal(vmx_event_encode(&event, true), 0x80000202u);
	event = (struct cpu_event){.kind = CPU_EVENT_EXCEPTION, .vector = CPU_VECTOR_GP};
	/* With an error code in protected mode, whoever raised it, never in real mode. */
	assert_int_equal(vmx_event_encode(&event, true), 0x80000b0du);
	event.has_error = true;
	assert_int_equal(vmx_event_encode(&event, false), 0x8000030du);
	event = (struct cpu_event){
		.kind = CPU_EVENT_EXCEPTION, .vector = CPU_VECTOR_UD, .has_error = true};
	assert_int_equal(vmx_event_encode(&event, true), 0x80000306u);
	event = (struct cpu_event){.kind = CPU_EVENT_SOFTWARE, .vector = 0x80};
	assert_int_equal(vmx_event_encode(&event, true), 0x80000480u);
}

static void controls(void **state)
{
	uint64_t capability = UINT64_C(0x000000ff00000003);
	uint32_t word = 0;

	(void)state;
	assert_true(vmx_choose_controls(capability, 0x10, 0x120, 0x8, &word));
	assert_int_equal(word, 0x33); /* of what is wanted only what may be; what must be, too */
	assert_false(vmx_choose_controls(capability, 0x100, 0, 0, &word));
	assert_false(vmx_choose_controls(capability, 0, 0, 0x2, &word));
}

static uint32_t choose(uint32_t ebx, uint32_t edx, uint64_t arch, bool *l1d_flush)
{
	struct vmx_vulnerable cpu = {.structured = {0, ebx, 0, edx}, .arch_capabilities = arch};

	return vmx_mitigations_choose(&cpu, l1d_flush);
}

static void mitigations(void **state)
{
	const uint32_t fill = VMX_SWITCH_FILL_RETURNS;
	const uint32_t edx = CPUID_7_EDX_MD_CLEAR | CPUID_7_EDX_L1D_FLUSH;
	struct vmx_vulnerable cpu = {.spec_ctrl = SPEC_CTRL_IBRS};
	bool flush;

	(void)state;
	/* One of before all that was known, with the microcode of after. */
	assert_int_equal(choose(0, edx, 0, &flush), fill | VMX_SWITCH_CLEAR_BUFFERS);
	assert_true(flush);
	assert_int_equal(
		choose(0, edx, ARCH_CAPABILITIES_RDCL_NO | ARCH_CAPABILITIES_MDS_NO, &flush), fill);
	assert_false(flush);
	choose(0, edx, ARCH_CAPABILITIES_SKIP_L1D_FLUSH, &flush); /* its own hypervisor does it */
	assert_false(flush);
	/* Transactions have an attack of their own. */
	assert_int_equal(choose(CPUID_7_EBX_RTM, edx, ARCH_CAPABILITIES_MDS_NO, &flush),
			 fill | VMX_SWITCH_CLEAR_BUFFERS);
	assert_int_equal(choose(CPUID_7_EBX_RTM, edx,
				ARCH_CAPABILITIES_MDS_NO | ARCH_CAPABILITIES_TAA_NO, &flush),
			 fill);
	assert_int_equal(
		choose(0, 0, ARCH_CAPABILITIES_MDS_NO | ARCH_CAPABILITIES_RFDS_CLEAR, &flush),
		fill | VMX_SWITCH_CLEAR_BUFFERS);
	assert_int_equal(choose(0, 0, ARCH_CAPABILITIES_IBRS_ALL, &flush),
			 fill | VMX_SWITCH_CLEAR_HISTORY);
	assert_int_equal(
		choose(0, 0, ARCH_CAPABILITIES_IBRS_ALL | ARCH_CAPABILITIES_BHI_NO, &flush), fill);
	assert_int_equal(vmx_mitigations_choose(&cpu, &flush), fill | VMX_SWITCH_RENEW_IBRS);
	cpu.arch_capabilities = ARCH_CAPABILITIES_IBRS_ALL;
	cpu.history_off = true;
	assert_int_equal(vmx_mitigations_choose(&cpu, &flush), fill);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(segments_are_valid),
		cmocka_unit_test(segments_come_back),
		cmocka_unit_test(events),
		cmocka_unit_test(controls),
		cmocka_unit_test(mitigations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
