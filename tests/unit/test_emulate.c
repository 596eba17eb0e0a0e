/* SPDX-License-Identifier: MIT */
/* The emulator of single instructions: beside the soft CPU on memory, and what devices see. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hw/x86.h"
#include "hypervisor/x86/emulate.h"
#include "tests/support/fake_host.h"
#include "tests/support/soft_machine.h"

#define DEVICE 0x180000u /* behind the RAM, and mapped */
#define UNMAPPED 0x7f00000000u
#define ROUNDS 40
#define ARITHMETIC                                                                                 \
	(RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF | RFLAGS_DF)

static struct core_machine one;

static int set_up(void **state)
{
	(void)state;
	soft_machine_create(&one, 1);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	core_machine_destroy(&one);
	return 0;
}

static struct vcpu *vcpu_of(struct core_machine *m)
{
	return m->vcpus[0];
}

/* --- Beside the soft CPU ---------------------------------------------------------------------- */

/* Their memory operand is [rbx], or [rsi] and es:[rdi]; rcx is a small count. */
static const struct {
	uint8_t size, bytes[9];
} instructions[] = {
	{2, {0x89, 0x03}},                               /* mov [rbx], eax */
	{3, {0x48, 0x89, 0x13}},                         /* mov [rbx], rdx */
	{3, {0x66, 0x89, 0x03}},                         /* mov [rbx], ax */
	{2, {0x88, 0x23}},                               /* mov [rbx], ah */
	{2, {0x8b, 0x03}},                               /* mov eax, [rbx] */
	{3, {0x8a, 0x63, 0x05}},                         /* mov ah, [rbx + 5] */
	{4, {0x44, 0x8a, 0x3c, 0xcb}},                   /* mov r15b, [rbx + rcx * 8] */
	{6, {0xc7, 0x03, 0x78, 0x56, 0x34, 0x92}},       /* mov dword [rbx], imm */
	{7, {0x48, 0xc7, 0x03, 0x78, 0x56, 0x34, 0x92}}, /* mov qword [rbx], simm */
	{3, {0x0f, 0xb6, 0x03}},                         /* movzx eax, byte [rbx] */
	{4, {0x48, 0x0f, 0xb7, 0x03}},                   /* movzx rax, word [rbx] */
	{3, {0x0f, 0xbe, 0x03}},                         /* movsx eax, byte [rbx] */
	{3, {0x48, 0x63, 0x03}},                         /* movsxd rax, [rbx] */
	{4, {0x0f, 0x38, 0xf0, 0x03}},                   /* movbe eax, [rbx] */
	{3, {0x0f, 0xc3, 0x03}},                         /* movnti [rbx], eax */
	{2, {0x01, 0x03}},                               /* add [rbx], eax */
	{3, {0x48, 0x13, 0x03}},                         /* adc rax, [rbx] */
	{3, {0x80, 0x13, 0x7f}},                         /* adc byte [rbx], imm */
	{2, {0x29, 0x03}},                               /* sub [rbx], eax */
	{3, {0x66, 0x19, 0x03}},                         /* sbb [rbx], ax */
	{2, {0x21, 0x03}},                               /* and [rbx], eax */
	{2, {0x0a, 0x03}},                               /* or al, [rbx] */
	{3, {0x48, 0x33, 0x03}},                         /* xor rax, [rbx] */
	{2, {0x39, 0x03}},                               /* cmp [rbx], eax */
	{3, {0x83, 0x3b, 0xff}},                         /* cmp dword [rbx], -1 */
	{2, {0x84, 0x03}},                               /* test [rbx], al */
	{6, {0xf7, 0x03, 1, 0, 0, 0x80}},                /* test dword [rbx], imm */
	{2, {0xff, 0x03}},                               /* inc dword [rbx] */
	{2, {0xfe, 0x0b}},                               /* dec byte [rbx] */
	{2, {0xf7, 0x1b}},                               /* neg dword [rbx] */
	{3, {0x48, 0xf7, 0x13}},                         /* not qword [rbx] */
	{2, {0x87, 0x03}},                               /* xchg [rbx], eax */
	{3, {0x0f, 0xc1, 0x03}},                         /* xadd [rbx], eax */
	{4, {0xf0, 0x0f, 0xb1, 0x13}},                   /* lock cmpxchg [rbx], edx */
	{3, {0x0f, 0xb0, 0x13}},                         /* cmpxchg [rbx], dl */
	{4, {0x0f, 0xba, 0x23, 0x05}},                   /* bt dword [rbx], 5 */
	{4, {0x0f, 0xba, 0x2b, 0x1f}},                   /* bts dword [rbx], 31 */
	{3, {0x0f, 0xab, 0x0b}},                         /* bts [rbx], ecx */
	{4, {0x48, 0x0f, 0xb3, 0x0b}},                   /* btr [rbx], rcx */
	{4, {0x66, 0x0f, 0xbb, 0x0b}},                   /* btc [rbx], cx */
	{1, {0xaa}},                                     /* stosb */
	{3, {0xf3, 0x48, 0xab}},                         /* rep stosq */
	{1, {0xa5}},                                     /* movsd */
	{2, {0xf3, 0xa4}},                               /* rep movsb */
	{3, {0xf3, 0x66, 0xa5}},                         /* rep movsw */
	{2, {0xf3, 0xad}},                               /* rep lodsd */
	{2, {0xf3, 0xa6}},                               /* repe cmpsb */
	{2, {0xf2, 0xae}},                               /* repne scasb */
	{3, {0x67, 0xf3, 0xaa}},                         /* rep stosb by ecx and edi */
};

static uint64_t random_number(void)
{
	static uint64_t x = UINT64_C(0x9e3779b97f4a7c15);

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static void make_state(struct cpu_state *s)
{
	for (unsigned i = 0; i < CPU_REGISTERS; i++)
		if (i != CPU_RSP)
			s->gpr[i] = random_number();
	s->gpr[CPU_RCX] = random_number() % 9;
	s->gpr[CPU_RBX] = SOFT_MACHINE_DATA + random_number() % 4096;
	s->gpr[CPU_RSI] = SOFT_MACHINE_DATA + 0x200 + random_number() % 4096;
	s->gpr[CPU_RDI] = SOFT_MACHINE_DATA + 0x800 + random_number() % 4096;
	if (random_number() & 1) /* that the two are sometimes equal */
		s->gpr[CPU_RAX] = 0;
	s->rflags = RFLAGS_RESERVED_ONE | (random_number() & ARITHMETIC);
}

static void like_the_soft_cpu(void **state)
{
	uint8_t *data = one.ram + SOFT_MACHINE_DATA, *before = malloc(0x3000),
		*after = malloc(0x3000);
	struct vcpu *vcpu = vcpu_of(&one);
	struct cpu_state *s = &vcpu->state, *start = aligned_alloc(64, sizeof(*s)),
			 *soft = aligned_alloc(64, sizeof(*s));

	(void)state;
	for (unsigned n = 0; n < ROUNDS * ARRAY_COUNT(instructions); n++) {
		unsigned i = n % ARRAY_COUNT(instructions);
		struct emulate e = {0};
		struct decode_insn insn;
		struct exit exit;
		uint8_t code[32];
		uint64_t flags;

		memset(code, 0xf4, sizeof(code)); /* HLT */
		memcpy(code, instructions[i].bytes, instructions[i].size);
		soft_machine_code(&one, SOFT_MACHINE_CODE, code, sizeof(code));
		for (unsigned at = 0; at < 0x3000; at++)
			data[at] = random_number() & 3 ? (uint8_t)random_number() : 0;
		make_state(s);
		memcpy(before, data, 0x3000);
		memcpy(start, s, sizeof(*s));
		assert_int_equal(soft_machine_run(&one, 0, SOFT_MACHINE_CODE), 0);
		memcpy(soft, s, sizeof(*s));
		memcpy(after, data, 0x3000);

		memcpy(s, start, sizeof(*s));
		memcpy(data, before, 0x3000);
		s->rip = SOFT_MACHINE_CODE;
		assert_true(emulate_decode(vcpu, &insn));
		assert_int_equal(insn.length, instructions[i].size);
		flags = ARITHMETIC & ~(uint64_t)insn.flags_undefined;
		assert_int_equal(emulate_instruction(&e, vcpu, &exit), EMULATE_DONE);
		assert_int_equal(s->rip, SOFT_MACHINE_CODE + instructions[i].size);
		assert_memory_equal(s->gpr, soft->gpr, sizeof(s->gpr));
		assert_int_equal(s->rflags & flags, soft->rflags & flags);
		assert_memory_equal(data, after, 0x3000);
		vcpu->vm->backend->state_changed(vcpu);
	}
	free(before);
	free(after);
	free(start);
	free(soft);
}

/* --- Devices ---------------------------------------------------------------------------------- */

static struct emulate e;
static struct exit exit_;

static enum emulate_result go(void)
{
	return emulate_instruction(&e, vcpu_of(&one), &exit_);
}

static void expect_access(bool write, uint64_t address, unsigned size, uint64_t data)
{
	assert_int_equal(go(), EMULATE_ACCESS);
	assert_int_equal(exit_.kind, EXIT_ACCESS);
	assert_int_equal(exit_.access.space, EXIT_SPACE_MEMORY);
	assert_int_equal(exit_.access.write, write);
	assert_int_equal(exit_.access.address, address);
	assert_int_equal(exit_.access.size, size);
	assert_int_equal(exit_.access.data, data);
}

#define BEGIN(...)                                                                                 \
	SOFT_CODE(&one, SOFT_MACHINE_CODE, __VA_ARGS__);                                           \
	vcpu_of(&one)->state.rip = SOFT_MACHINE_CODE;                                              \
	vcpu_of(&one)->state.rflags = RFLAGS_RESERVED_ONE;                                         \
	memset(&e, 0, sizeof(e));

static void reads_and_writes_devices(void **state)
{
	uint64_t *gpr = vcpu_of(&one)->state.gpr;

	(void)state;
	gpr[CPU_RBX] = DEVICE + 0x10;
	gpr[CPU_RAX] = UINT64_C(0xffffffff00000003);
	BEGIN(0x8b, 0x0b) /* mov ecx, [rbx] */
	expect_access(false, DEVICE + 0x10, 4, 0);
	emulate_answer(&e, 0x12345678);
	assert_int_equal(go(), EMULATE_DONE);
	assert_int_equal(gpr[CPU_RCX], 0x12345678);
	assert_int_equal(vcpu_of(&one)->state.rip, SOFT_MACHINE_CODE + 2);

	BEGIN(0x08, 0x03) /* or [rbx], al */
	expect_access(false, DEVICE + 0x10, 1, 0);
	emulate_answer(&e, 0x80);
	expect_access(true, DEVICE + 0x10, 1, 0x83);
	emulate_answer(&e, 0);
	assert_int_equal(go(), EMULATE_DONE);
	assert_true(vcpu_of(&one)->state.rflags & RFLAGS_SF);
}

/* 8 bytes, of which 3 are in the first page. */
static void crosses_pages(void **state)
{
	uint64_t *gpr = vcpu_of(&one)->state.gpr;

	(void)state;
	gpr[CPU_RBX] = DEVICE + 0xffd;
	BEGIN(0x48, 0x8b, 0x03) /* mov rax, [rbx] */
	expect_access(false, DEVICE + 0xffd, 2, 0);
	emulate_answer(&e, 0x2211);
	expect_access(false, DEVICE + 0xfff, 1, 0);
	emulate_answer(&e, 0x33);
	expect_access(false, DEVICE + 0x1000, 4, 0);
	emulate_answer(&e, 0x77665544);
	expect_access(false, DEVICE + 0x1004, 1, 0);
	emulate_answer(&e, 0x88);
	assert_int_equal(go(), EMULATE_DONE);
	assert_int_equal(gpr[CPU_RAX], UINT64_C(0x8877665544332211));
}

static void repeats(void **state)
{
	uint64_t *gpr = vcpu_of(&one)->state.gpr;

	(void)state;
	memcpy(one.ram + SOFT_MACHINE_DATA, "abc", 3);
	gpr[CPU_RSI] = SOFT_MACHINE_DATA;
	gpr[CPU_RDI] = DEVICE;
	gpr[CPU_RCX] = 3;
	BEGIN(0xf3, 0xa4) /* rep movsb */
	for (unsigned i = 0; i < 3; i++) {
		expect_access(true, DEVICE + i, 1, "abc"[i]);
		emulate_answer(&e, 0);
	}
	assert_int_equal(go(), EMULATE_DONE);
	assert_int_equal(gpr[CPU_RCX], 0);
	assert_int_equal(gpr[CPU_RDI], DEVICE + 3);
	assert_int_equal(vcpu_of(&one)->state.rip, SOFT_MACHINE_CODE + 2);
}

static void uses_ports(void **state)
{
	uint64_t *gpr = vcpu_of(&one)->state.gpr;

	(void)state;
	gpr[CPU_RDI] = SOFT_MACHINE_DATA;
	gpr[CPU_RDX] = 0x1f0;
	gpr[CPU_RCX] = 1;
	BEGIN(0xf3, 0x66, 0x6d) /* rep insw */
	assert_int_equal(go(), EMULATE_ACCESS);
	assert_int_equal(exit_.access.space, EXIT_SPACE_PORT);
	assert_int_equal(exit_.access.address, 0x1f0);
	assert_int_equal(exit_.access.size, 2);
	emulate_answer(&e, 0xbeef);
	assert_int_equal(go(), EMULATE_DONE);
	assert_int_equal(one.ram[SOFT_MACHINE_DATA + 1], 0xbe);
}

static void faults(void **state)
{
	struct vcpu *vcpu = vcpu_of(&one);

	(void)state;
	vcpu->state.gpr[CPU_RBX] = UNMAPPED + 8;
	BEGIN(0x89, 0x03) /* mov [rbx], eax */
	assert_int_equal(go(), EMULATE_FAULT);
	assert_int_equal(vcpu->exception.vector, CPU_VECTOR_PF);
	assert_int_equal(vcpu->exception.error, PAGE_FAULT_WRITE);
	assert_int_equal(vcpu->exception_address, UNMAPPED + 8);
	assert_int_equal(vcpu->state.rip, SOFT_MACHINE_CODE);
	vcpu->state.gpr[CPU_RBX] = UINT64_C(1) << 60;
	BEGIN(0x89, 0x03)
	assert_int_equal(go(), EMULATE_FAULT);
	assert_int_equal(vcpu->exception.vector, CPU_VECTOR_GP);
	vcpu->exception.kind = CPU_EVENT_NONE;
	vcpu->state.gpr[CPU_RBX] = DEVICE;
	BEGIN(0x0f, 0x10, 0x03) /* movups xmm0, [rbx] */
	assert_int_equal(go(), EMULATE_UNKNOWN);
}

static void expect_gp(struct vcpu *vcpu)
{
	assert_int_equal(go(), EMULATE_FAULT);
	assert_int_equal(vcpu->exception.vector, CPU_VECTOR_GP);
	vcpu->exception.kind = CPU_EVENT_NONE;
}

static void checks_control_registers(void **state)
{
	struct vcpu *vcpu = vcpu_of(&one);
	struct cpu_state *s = &vcpu->state;

	(void)state;
	s->gpr[CPU_RAX] = s->cr0 & ~CR0_PG; /* not in 64-bit mode */
	BEGIN(0x0f, 0x22, 0xc0)             /* mov cr0, rax */
	expect_gp(vcpu);
	s->gpr[CPU_RAX] = s->cr0 | CR0_NW;
	BEGIN(0x0f, 0x22, 0xc0)
	expect_gp(vcpu);
	s->gpr[CPU_RAX] = (s->cr0 & ~CR0_WP) | CR0_TS;
	BEGIN(0x0f, 0x22, 0xc0)
	assert_int_equal(go(), EMULATE_DONE);
	assert_int_equal(s->cr0 & (CR0_WP | CR0_TS), CR0_TS);
	assert_int_equal(s->rip, SOFT_MACHINE_CODE + 3);
	s->gpr[CPU_RBX] = CR0_MP; /* LMSW neither clears PE nor changes what is above bit 3 */
	BEGIN(0x0f, 0x01, 0xf3)   /* lmsw bx */
	assert_int_equal(go(), EMULATE_DONE);
	assert_int_equal(s->cr0 & (CR0_PG | CR0_TS | CR0_MP | CR0_PE), CR0_PG | CR0_MP | CR0_PE);

	s->gpr[CPU_RAX] = s->cr4 & ~CR4_PAE;
	BEGIN(0x0f, 0x22, 0xe0) /* mov cr4, rax */
	expect_gp(vcpu);
	s->gpr[CPU_RAX] = s->cr4 | BIT(31);
	BEGIN(0x0f, 0x22, 0xe0)
	expect_gp(vcpu);
	s->gpr[CPU_RAX] = s->cr4 ^ CR4_PGE;
	BEGIN(0x0f, 0x22, 0xe0)
	assert_int_equal(go(), EMULATE_DONE);
	assert_int_equal(s->cr4, s->gpr[CPU_RAX]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(like_the_soft_cpu),
		TEST(reads_and_writes_devices),
		TEST(crosses_pages),
		TEST(repeats),
		TEST(uses_ports),
		TEST(faults),
		TEST(checks_control_registers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
