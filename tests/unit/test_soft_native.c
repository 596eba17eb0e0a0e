/* SPDX-License-Identifier: MIT */
/*
 * The native part of the soft CPU, where the differential test (tests/differential) can't go: what
 * control registers forbid, deferred and unmasked exceptions, supervisor's instructions, devices as
 * operands, and the host's own floating point state.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hw/x86.h"
#include "hypervisor/x86/soft/blocks.h"
#include "hypervisor/x86/soft/run.h"
#include "hypervisor/x86/soft/soft.h"
#include "lib/bytes.h"
#include "tests/support/core_machine.h"

#define PML4 0x1000
#define PDPT 0x2000
#define PD 0x3000
#define PT 0x4000
#define CODE 0x10000
#define DATA 0x20000
#define DATA_READ_ONLY 0x21000 /* right behind it */
#define DEVICE 0x100000        /* behind RAM */
#define NOTHING 0x400000       /* not mapped */

#define DONE (-1)
#define EXITED (-2)

static struct core_machine machine;
static struct soft_vcpu *c;
static struct cpu_state *s;
static struct exit last_exit;

static void put64(uint64_t address, uint64_t value)
{
	memcpy(machine.ram + address, &value, sizeof(value));
}

static uint64_t get64(uint64_t address)
{
	uint64_t value;

	memcpy(&value, machine.ram + address, sizeof(value));
	return value;
}

static struct cpu_segment flat(uint8_t type, bool code)
{
	return (struct cpu_segment){.limit = UINT32_MAX,
				    .selector = code ? 8 : 16,
				    .type = type,
				    .s = true,
				    .present = true,
				    .l = code,
				    .db = !code,
				    .g = true};
}

/* 64-bit code at CPL 0, everything enabled. */
static int set_up(void **state)
{
	(void)state;
	core_machine_create(&machine, &soft_backend, false, 1);
	c = soft_of(machine.vcpus[0]);
	s = &c->vcpu.state;
	put64(PML4, PDPT | PTE_P | PTE_RW | PTE_US);
	put64(PDPT, PD | PTE_P | PTE_RW | PTE_US);
	put64(PD, PT | PTE_P | PTE_RW | PTE_US);
	for (uint64_t page = 0; page <= DEVICE; page += PAGE_SIZE)
		put64(PT + (page >> PAGE_SHIFT) * 8,
		      page | PTE_P | (page == DATA_READ_ONLY ? 0 : PTE_RW));
	for (unsigned i = 0; i < CPU_SEGMENTS; i++)
		s->segment[i] = flat(SEGMENT_TYPE_DATA_WRITABLE, false);
	s->segment[CPU_CS] = flat(SEGMENT_TYPE_CODE_READABLE, true);
	s->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
	s->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE;
	s->efer = EFER_LME | EFER_LMA;
	s->cr3 = PML4;
	s->xcr0 = XCR0_X87 | XCR0_SSE | XCR0_AVX;
	s->cpl = 0;
	s->gpr[CPU_RBX] = DATA;
	s->rflags = RFLAGS_RESERVED_ONE;
	c->state_changed = false;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	core_machine_destroy(&machine);
	return 0;
}

/* Runs the instruction at rip: DONE, EXITED, or the vector that it raised. */
static int step(void)
{
	const struct soft_op *op;

	c->exit = &last_exit;
	c->stop = SOFT_RUNNING;
	c->pending = NULL;
	c->access_next = 0;
	soft_flags_load(c);
	soft_native_enter(c);
	soft_changed(c);
	op = soft_block_find(c, true);
	if (op)
		op->run(c, op);
	soft_native_leave(c);
	soft_flags_sync(c);
	if (c->stop == SOFT_RUNNING)
		c->accesses = 0;
	return c->stop == SOFT_RUNNING ? DONE : c->stop == SOFT_EXIT ? EXITED : c->fault.vector;
}

static int run_bytes(const uint8_t *bytes, size_t size)
{
	memcpy(machine.ram + CODE, bytes, size);
	soft_blocks_flush(c);
	s->rip = CODE;
	return step();
}

#define RUN(...) run_bytes((const uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}))

static void set_mxcsr(uint32_t value)
{
	memcpy(s->xsave + CPU_XSAVE_MXCSR, &value, sizeof(value));
}

static uint32_t get_mxcsr(void)
{
	uint32_t value;

	memcpy(&value, s->xsave + CPU_XSAVE_MXCSR, sizeof(value));
	return value;
}

static void set_xmm(unsigned reg, uint64_t low, uint64_t high)
{
	memcpy(s->xsave + CPU_XSAVE_XMM + reg * 16u, &low, 8);
	memcpy(s->xsave + CPU_XSAVE_XMM + reg * 16u + 8, &high, 8);
}

static uint64_t xmm_low(unsigned reg)
{
	uint64_t value;

	memcpy(&value, s->xsave + CPU_XSAVE_XMM + reg * 16u, 8);
	return value;
}

/* --- Classes ------------------------------------------------------------------------------- */

/* Clears or sets control bits, runs it, and puts all back. */
static int with(uint64_t cr0_set, uint64_t cr4_clear, uint64_t xcr0_clear, const uint8_t *bytes,
		size_t size)
{
	struct cpu_state saved = *s;
	int result;

	s->cr0 |= cr0_set;
	s->cr4 &= ~cr4_clear;
	s->xcr0 &= ~xcr0_clear;
	result = run_bytes(bytes, size);
	*s = saved;
	return result;
}

#define WITH(cr0, cr4, xcr0, ...)                                                                  \
	with(cr0, cr4, xcr0, (const uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}))

#define FLD1 0xd9, 0xe8
#define FWAIT 0x9b
#define MOVD_MM0_EAX 0x0f, 0x6e, 0xc0
#define ADDPS_XMM0_XMM1 0x0f, 0x58, 0xc1
#define VADDPS 0xc5, 0xf0, 0x58, 0xc2
#define FXSAVE_RBX 0x0f, 0xae, 0x03
#define XSAVE_RBX 0x0f, 0xae, 0x23
#define LDMXCSR_RBX 0x0f, 0xae, 0x13
#define MOVNTI_RBX_EAX 0x0f, 0xc3, 0x03

static void test_control_bits_forbid_each_class(void **state)
{
	(void)state;
	memcpy(machine.ram + DATA, &(uint32_t){0x1f80}, 4);
	assert_int_equal(WITH(0, 0, 0, FLD1), DONE);
	assert_int_equal(WITH(CR0_EM, 0, 0, FLD1), CPU_VECTOR_NM);
	assert_int_equal(WITH(CR0_TS, 0, 0, FLD1), CPU_VECTOR_NM);
	assert_int_equal(WITH(0, CR4_OSFXSR, 0, FLD1), DONE);
	assert_int_equal(WITH(CR0_EM, 0, 0, FWAIT), DONE);
	assert_int_equal(WITH(CR0_TS, 0, 0, FWAIT), CPU_VECTOR_NM);
	s->cr0 &= ~CR0_MP;
	assert_int_equal(WITH(CR0_TS, 0, 0, FWAIT), DONE);
	assert_int_equal(WITH(0, 0, 0, MOVD_MM0_EAX), DONE);
	assert_int_equal(WITH(CR0_EM, 0, 0, MOVD_MM0_EAX), CPU_VECTOR_UD);
	assert_int_equal(WITH(CR0_TS, 0, 0, MOVD_MM0_EAX), CPU_VECTOR_NM);
	assert_int_equal(WITH(CR0_EM | CR0_TS, 0, 0, MOVD_MM0_EAX), CPU_VECTOR_UD);
	assert_int_equal(WITH(0, 0, 0, ADDPS_XMM0_XMM1), DONE);
	assert_int_equal(WITH(CR0_EM, 0, 0, ADDPS_XMM0_XMM1), CPU_VECTOR_UD);
	assert_int_equal(WITH(CR0_TS, 0, 0, ADDPS_XMM0_XMM1), CPU_VECTOR_NM);
	assert_int_equal(WITH(CR0_TS, CR4_OSFXSR, 0, ADDPS_XMM0_XMM1), CPU_VECTOR_UD);
	assert_int_equal(WITH(0, CR4_OSXSAVE, 0, ADDPS_XMM0_XMM1), DONE);
	assert_int_equal(WITH(CR0_TS, 0, 0, LDMXCSR_RBX), CPU_VECTOR_NM);
	assert_int_equal(WITH(CR0_EM, 0, 0, LDMXCSR_RBX), CPU_VECTOR_UD);
	assert_int_equal(WITH(CR0_EM, 0, 0, FXSAVE_RBX), CPU_VECTOR_NM);
	assert_int_equal(WITH(CR0_TS, 0, 0, FXSAVE_RBX), CPU_VECTOR_NM);
	assert_int_equal(WITH(0, CR4_OSFXSR, 0, FXSAVE_RBX), DONE);
	assert_int_equal(WITH(0, 0, 0, XSAVE_RBX), DONE);
	assert_int_equal(WITH(CR0_TS, 0, 0, XSAVE_RBX), CPU_VECTOR_NM);
	assert_int_equal(WITH(CR0_TS, CR4_OSXSAVE, 0, XSAVE_RBX), CPU_VECTOR_UD);
	assert_int_equal(WITH(CR0_EM | CR0_TS, CR4_OSFXSR, 0, MOVNTI_RBX_EAX), DONE);
}

static void test_avx_needs_its_state_enabled(void **state)
{
	(void)state;
	if (!__builtin_cpu_supports("avx"))
		skip();
	assert_int_equal(WITH(0, 0, 0, VADDPS), DONE);
	assert_int_equal(WITH(0, CR4_OSXSAVE, 0, VADDPS), CPU_VECTOR_UD);
	assert_int_equal(WITH(0, 0, XCR0_AVX, VADDPS), CPU_VECTOR_UD);
	assert_int_equal(WITH(CR0_TS, 0, 0, VADDPS), CPU_VECTOR_NM);
	assert_int_equal(WITH(CR0_TS, 0, XCR0_AVX, VADDPS), CPU_VECTOR_UD);
}

/* addps xmm0, [rbx] */
static void test_a_forbidden_class_comes_before_its_operands_faults(void **state)
{
	(void)state;
	s->gpr[CPU_RBX] = NOTHING;
	assert_int_equal(WITH(CR0_TS, 0, 0, 0x0f, 0x58, 0x03), CPU_VECTOR_NM);
	assert_int_equal(WITH(0, 0, 0, 0x0f, 0x58, 0x03), CPU_VECTOR_PF);
	s->gpr[CPU_RBX] = NOTHING + 4;
	assert_int_equal(WITH(0, 0, 0, 0x0f, 0x58, 0x03), CPU_VECTOR_GP);
	/* movups needs no alignment */
	assert_int_equal(WITH(0, 0, 0, 0x0f, 0x10, 0x03), CPU_VECTOR_PF);
}

/* --- Exceptions of numbers ----------------------------------------------------------------- */

static void test_an_unmasked_division_by_zero_is_precise(void **state)
{
	(void)state;
	set_mxcsr(0x1f80 & ~0x200u); /* ZM */
	set_xmm(0, 0x3ff0000000000000, 5);
	set_xmm(1, 0, 0);
	/* divsd xmm0, xmm1 */
	assert_int_equal(RUN(0xf2, 0x0f, 0x5e, 0xc1), CPU_VECTOR_XM);
	assert_int_equal(s->rip, CODE);
	assert_int_equal(xmm_low(0), 0x3ff0000000000000);
	assert_int_equal(get_mxcsr(), (0x1f80 & ~0x200u) | 4);
	s->cr4 &= ~CR4_OSXMMEXCPT;
	assert_int_equal(RUN(0xf2, 0x0f, 0x5e, 0xc1), CPU_VECTOR_UD);
	set_mxcsr(0x1f80);
	assert_int_equal(RUN(0xf2, 0x0f, 0x5e, 0xc1), DONE);
	assert_int_equal(xmm_low(0), 0x7ff0000000000000);
	assert_int_equal(get_mxcsr(), 0x1f84);
}

static void test_an_x87_exception_waits_for_the_next_instruction(void **state)
{
	uint16_t fcw = 0x37f & ~4; /* ZM */

	(void)state;
	memcpy(machine.ram + DATA, &fcw, 2);
	assert_int_equal(RUN(0xdb, 0xe3), DONE);          /* fninit */
	assert_int_equal(RUN(0xd9, 0x2b), DONE);          /* fldcw [rbx] */
	assert_int_equal(RUN(0xd9, 0xe8), DONE);          /* fld1 */
	assert_int_equal(RUN(0xd9, 0xee), DONE);          /* fldz */
	assert_int_equal(RUN(0xde, 0xf9), DONE);          /* fdivp */
	assert_int_equal(RUN(0xd9, 0xe8), CPU_VECTOR_MF); /* fld1 */
	assert_int_equal(s->rip, CODE);
	assert_int_equal(RUN(0x9b), CPU_VECTOR_MF);             /* fwait */
	assert_int_equal(RUN(0x0f, 0x6e, 0xc0), CPU_VECTOR_MF); /* movd mm0, eax */
	assert_int_equal(RUN(0x0f, 0xae, 0x03), DONE);          /* fxsave [rbx] */
	assert_int_equal(RUN(0xdf, 0xe0), DONE);                /* fnstsw ax */
	assert_int_equal(s->gpr[CPU_RAX] & 0x80ff, 0x8084);     /* ES, B, ZE */
	s->gpr[CPU_RBX] = NOTHING;
	assert_int_equal(RUN(0xdd, 0x03), CPU_VECTOR_MF); /* fld qword [rbx] */
	assert_int_equal(RUN(0xdb, 0xe2), DONE);          /* fnclex */
	assert_int_equal(RUN(0x9b), DONE);
}

static void test_a_store_that_faults_pops_nothing(void **state)
{
	(void)state;
	assert_int_equal(RUN(0xdb, 0xe3), DONE);
	assert_int_equal(RUN(0xd9, 0xe8), DONE); /* fld1 */
	put64(DATA + PAGE_SIZE - 4, 0);
	s->gpr[CPU_RBX] = DATA + PAGE_SIZE - 4;
	assert_int_equal(RUN(0xdd, 0x1b), CPU_VECTOR_PF); /* fstp qword [rbx] */
	assert_int_equal(c->fault_address, DATA_READ_ONLY);
	assert_int_equal(get64(DATA + PAGE_SIZE - 4), 0);
	s->gpr[CPU_RBX] = DATA;
	assert_int_equal(RUN(0xdd, 0x1b), DONE);
	assert_int_equal(get64(DATA), 0x3ff0000000000000);
	assert_int_equal(s->xsave[CPU_XSAVE_FTW], 0);
}

/* 16-bit code in real mode has the address of the instruction in another form. */
static void test_environments_of_real_mode(void **state)
{
	uint16_t environment[7];

	(void)state;
	s->cr0 &= ~(CR0_PE | CR0_PG);
	s->efer = 0;
	s->segment[CPU_CS] = flat(SEGMENT_TYPE_CODE_READABLE, false);
	s->segment[CPU_CS].db = false;
	s->segment[CPU_CS].selector = 0x0f00;
	s->segment[CPU_CS].base = 0xf000;
	s->segment[CPU_CS].limit = 0xffff;
	s->segment[CPU_DS].selector = 0x2000;
	s->segment[CPU_DS].base = DATA;
	memcpy(machine.ram + CODE, (const uint8_t[]){0xd9, 0x07, 0xd9, 0x37}, 4);
	soft_blocks_flush(c);
	s->gpr[CPU_RBX] = 0x10;
	s->rip = 0x1000;
	assert_int_equal(step(), DONE); /* fld dword [bx] */
	assert_int_equal(step(), DONE); /* fnstenv [bx] */
	memcpy(environment, machine.ram + DATA + 0x10, sizeof(environment));
	assert_int_equal(environment[0], 0x37f);
	assert_int_equal(environment[3], 0x0000);         /* 0x10000: its low half ... */
	assert_int_equal(environment[4], 0x1000 | 0x107); /* ... high part and opcode */
	assert_int_equal(environment[5], 0x0010);
	assert_int_equal(environment[6], 0x2000);
}

/* --- Devices ------------------------------------------------------------------------------- */

static void test_a_vector_is_read_from_a_device_in_parts(void **state)
{
	(void)state;
	s->gpr[CPU_RBX] = DEVICE;
	assert_int_equal(RUN(0x66, 0x0f, 0x6f, 0x03), EXITED); /* movdqa xmm0, [rbx] */
	assert_int_equal(last_exit.kind, EXIT_ACCESS);
	assert_int_equal(last_exit.access.address, DEVICE);
	assert_int_equal(last_exit.access.size, 8);
	assert_false(last_exit.access.write);
	soft_backend.complete_access(&c->vcpu, 0x1111);
	assert_int_equal(step(), EXITED);
	assert_int_equal(last_exit.access.address, DEVICE + 8);
	soft_backend.complete_access(&c->vcpu, 0x2222);
	assert_int_equal(step(), DONE);
	assert_int_equal(xmm_low(0), 0x1111);
	assert_int_equal(s->rip, CODE + 4);
}

static void test_x87_is_stored_to_a_device_once(void **state)
{
	(void)state;
	assert_int_equal(RUN(0xdb, 0xe3), DONE);
	assert_int_equal(RUN(0xd9, 0xe8), DONE); /* fld1 */
	assert_int_equal(RUN(0xd9, 0xee), DONE); /* fldz */
	s->gpr[CPU_RBX] = DEVICE;
	assert_int_equal(RUN(0xdb, 0x3b), EXITED); /* fstp tbyte [rbx] */
	assert_true(last_exit.access.write);
	assert_int_equal(last_exit.access.size, 8);
	soft_backend.complete_access(&c->vcpu, 0);
	assert_int_equal(step(), EXITED);
	assert_int_equal(last_exit.access.address, DEVICE + 8);
	assert_int_equal(last_exit.access.size, 2);
	soft_backend.complete_access(&c->vcpu, 0);
	assert_int_equal(step(), DONE);
	assert_int_equal(s->xsave[CPU_XSAVE_FTW], 0x80); /* fld1's is left */
}

/* --- Supervisor's state -------------------------------------------------------------------- */

static void test_xsaves_has_the_compact_form_and_pkru(void **state)
{
	(void)state;
	s->xcr0 |= XCR0_PKRU;
	s->pkru = 0x12345678;
	set_xmm(3, 0x33, 0x44);
	s->gpr[CPU_RAX] = XCR0_SSE | XCR0_PKRU;
	s->gpr[CPU_RDX] = 0;
	assert_int_equal(RUN(0x48, 0x0f, 0xc7, 0x2b), DONE); /* xsaves64 [rbx] */
	assert_int_equal(get64(DATA + 512), XCR0_SSE | XCR0_PKRU);
	assert_int_equal(get64(DATA + 520), BIT(63) | XCR0_SSE | XCR0_PKRU);
	assert_int_equal(get64(DATA + 576), 0x12345678); /* right behind the header */
	s->pkru = 0;
	set_xmm(3, 0, 0);
	assert_int_equal(RUN(0x48, 0x0f, 0xc7, 0x1b), DONE); /* xrstors64 [rbx] */
	assert_int_equal(s->pkru, 0x12345678);
	assert_int_equal(xmm_low(3), 0x33);
	put64(DATA + 520, 0); /* it takes no other form */
	assert_int_equal(RUN(0x48, 0x0f, 0xc7, 0x1b), CPU_VECTOR_GP);
	put64(DATA + 512, BIT(40));
	assert_int_equal(RUN(0x48, 0x0f, 0xae, 0x2b), CPU_VECTOR_GP); /* xrstor64 [rbx] */
	s->gpr[CPU_RBX] = DATA + 32;
	assert_int_equal(RUN(0x48, 0x0f, 0xc7, 0x2b), CPU_VECTOR_GP);
}

static void test_reserved_bits_of_mxcsr_are_refused(void **state)
{
	(void)state;
	put64(DATA, 0x11f80);
	set_mxcsr(0x1f80);
	assert_int_equal(RUN(LDMXCSR_RBX), CPU_VECTOR_GP);
	assert_int_equal(get_mxcsr(), 0x1f80);
	/* The caller of the core may set them: they are dropped. */
	set_mxcsr(UINT32_MAX);
	assert_int_equal(RUN(ADDPS_XMM0_XMM1), DONE);
	assert_int_equal(get_mxcsr() & 0xffff0000, 0);
}

/* --- The host ------------------------------------------------------------------------------ */

static void test_the_hosts_own_state_is_as_it_was(void **state)
{
	uint32_t mine = 0x1f80 | 0x6000, after, saved;
	uint16_t fcw = 0x27f, fcw_after, fcw_saved, tags[14];

	(void)state;
	__asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(saved), "=m"(fcw_saved));
	__asm__ volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(mine), "m"(fcw));
	set_mxcsr(0x1f80 | 0x2000);
	assert_int_equal(RUN(ADDPS_XMM0_XMM1), DONE);
	assert_int_equal(RUN(FLD1), DONE);
	__asm__ volatile("stmxcsr %0\n\tfnstcw %1\n\tfnstenv %2\n\tfldenv %2"
			 : "=m"(after), "=m"(fcw_after), "=m"(tags));
	__asm__ volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(saved), "m"(fcw_saved));
	assert_int_equal(after & ~0x3fu, mine);
	assert_int_equal(fcw_after, fcw);
	assert_int_equal(tags[4], 0xffff); /* all empty */
}

/* One with each immediate; prefix 0: none. */
static void run_forms(uint8_t prefix, bool wide, uint8_t map, uint8_t opcode)
{
	for (unsigned immediate = 0; immediate < 256; immediate++) {
		uint8_t bytes[8], at = 0;

		if (prefix)
			bytes[at++] = prefix;
		if (wide)
			bytes[at++] = 0x48;
		bytes[at++] = 0x0f;
		if (map)
			bytes[at++] = map;
		bytes[at++] = opcode;
		bytes[at++] = 0xc1;
		bytes[at++] = (uint8_t)immediate;
		memcpy(machine.ram + CODE, bytes, at);
		soft_blocks_void(c, CODE, PAGE_SIZE);
		s->rip = CODE;
		assert_int_equal(step(), DONE);
	}
}

/* More forms than there is room for. */
static void test_stubs_are_made_anew_when_their_memory_is_full(void **state)
{
	static const uint8_t prefixes[] = {0x66, 0xf2, 0xf3};
	static const uint8_t opcodes[] = {0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f,
					  0x21, 0x40, 0x41, 0x42, 0x60, 0x61, 0x62, 0x63};

	(void)state;
	if (!__builtin_cpu_supports("sse4.2"))
		skip();
	set_mxcsr(0x1f80);
	for (unsigned wide = 0; wide < 2; wide++) {
		for (unsigned i = 0; i < ARRAY_COUNT(opcodes); i++)
			run_forms(0x66, wide, 0x3a, opcodes[i]);
		for (unsigned i = 0; i < ARRAY_COUNT(prefixes); i++) {
			run_forms(prefixes[i], wide, 0, 0x70);
			run_forms(prefixes[i], wide, 0, 0xc2);
		}
		run_forms(0x66, wide, 0, 0xc6);
		run_forms(0, wide, 0, 0xc6);
	}
	set_xmm(1, 0x1111111122222222, 0x3333333344444444);
	assert_int_equal(RUN(0x66, 0x0f, 0x70, 0xc1, 0x00), DONE);
	assert_int_equal(xmm_low(0), 0x2222222222222222);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(test_control_bits_forbid_each_class),
		TEST(test_avx_needs_its_state_enabled),
		TEST(test_a_forbidden_class_comes_before_its_operands_faults),
		TEST(test_an_unmasked_division_by_zero_is_precise),
		TEST(test_an_x87_exception_waits_for_the_next_instruction),
		TEST(test_a_store_that_faults_pops_nothing),
		TEST(test_environments_of_real_mode),
		TEST(test_a_vector_is_read_from_a_device_in_parts),
		TEST(test_x87_is_stored_to_a_device_once),
		TEST(test_xsaves_has_the_compact_form_and_pkru),
		TEST(test_reserved_bits_of_mxcsr_are_refused),
		TEST(test_the_hosts_own_state_is_as_it_was),
		TEST(test_stubs_are_made_anew_when_their_memory_is_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
