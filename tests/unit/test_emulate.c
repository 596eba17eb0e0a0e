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
#define FSW_TOP 0x3800u
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
	{2, {0xd3, 0x03}},                               /* rol dword [rbx], cl */
	{2, {0xd2, 0x0b}},                               /* ror byte [rbx], cl */
	{3, {0x66, 0xd3, 0x13}},                         /* rcl word [rbx], cl */
	{3, {0x48, 0xd3, 0x1b}},                         /* rcr qword [rbx], cl */
	{3, {0xc1, 0x23, 0x05}},                         /* shl dword [rbx], 5 */
	{2, {0xd0, 0x2b}},                               /* shr byte [rbx], 1 */
	{3, {0x48, 0xd1, 0x3b}},                         /* sar qword [rbx], 1 */
	{4, {0x0f, 0xa4, 0x03, 0x07}},                   /* shld [rbx], eax, 7 */
	{4, {0x48, 0x0f, 0xad, 0x13}},                   /* shrd [rbx], rdx, cl */
	{3, {0x0f, 0xaf, 0x03}},                         /* imul eax, [rbx] */
	{5, {0x66, 0x69, 0x13, 0x34, 0x12}},             /* imul dx, [rbx], imm */
	{4, {0x48, 0x6b, 0x03, 0xfb}},                   /* imul rax, [rbx], -5 */
	{2, {0xf6, 0x23}},                               /* mul byte [rbx] */
	{3, {0x66, 0xf7, 0x23}},                         /* mul word [rbx] */
	{3, {0x48, 0xf7, 0x23}},                         /* mul qword [rbx] */
	{2, {0xf6, 0x2b}},                               /* imul byte [rbx] */
	{2, {0xf7, 0x2b}},                               /* imul dword [rbx] */
	{3, {0x0f, 0xbc, 0x03}},                         /* bsf eax, [rbx] */
	{4, {0x48, 0x0f, 0xbd, 0x03}},                   /* bsr rax, [rbx] */
	{5, {0xf3, 0x48, 0x0f, 0xb8, 0x03}},             /* popcnt rax, [rbx] */
	{3, {0x0f, 0x94, 0x03}},                         /* sete [rbx] */
	{3, {0x0f, 0x9e, 0x03}},                         /* setle [rbx] */
	{3, {0x0f, 0x47, 0x03}},                         /* cmova eax, [rbx] */
	{4, {0x48, 0x0f, 0x4c, 0x13}},                   /* cmovl rdx, [rbx] */
	{2, {0xff, 0x33}},                               /* push qword [rbx] */
	{2, {0x8f, 0x03}},                               /* pop qword [rbx] */
	{3, {0x66, 0x8f, 0x03}},                         /* pop word [rbx] */
	{3, {0x8f, 0x04, 0x24}},                         /* pop qword [rsp] */
	{1, {0x52}},                                     /* push rdx */
	{2, {0x6a, 0xf9}},                               /* push -7 */
	{1, {0x58}},                                     /* pop rax */
	{4, {0xc8, 0x18, 0x00, 0x00}},                   /* enter 24, 0 */
	{5, {0xf0, 0x0f, 0xc7, 0x0c, 0xcb}},             /* lock cmpxchg8b [rbx + rcx * 8] */
	{3, {0x0f, 0x10, 0x03}},                         /* movups xmm0, [rbx] */
	{4, {0x66, 0x0f, 0x11, 0x0b}},                   /* movupd [rbx], xmm1 */
	{4, {0xf3, 0x0f, 0x6f, 0x13}},                   /* movdqu xmm2, [rbx] */
	{5, {0xf3, 0x44, 0x0f, 0x7f, 0x0b}},             /* movdqu [rbx], xmm9 */
	{4, {0xf3, 0x0f, 0x10, 0x03}},                   /* movss xmm0, [rbx] */
	{4, {0xf2, 0x0f, 0x11, 0x03}},                   /* movsd [rbx], xmm0 */
	{4, {0x66, 0x0f, 0x6e, 0x03}},                   /* movd xmm0, [rbx] */
	{5, {0x66, 0x48, 0x0f, 0x7e, 0x03}},             /* movq [rbx], xmm0 */
	{4, {0xf3, 0x0f, 0x7e, 0x1b}},                   /* movq xmm3, [rbx] */
	{4, {0x66, 0x0f, 0xd6, 0x1b}},                   /* movq [rbx], xmm3 */
	{3, {0x0f, 0x12, 0x03}},                         /* movlps xmm0, [rbx] */
	{3, {0x0f, 0x16, 0x03}},                         /* movhps xmm0, [rbx] */
	{4, {0x66, 0x0f, 0x17, 0x03}},                   /* movhpd [rbx], xmm0 */
	{4, {0xf2, 0x0f, 0xf0, 0x03}},                   /* lddqu xmm0, [rbx] */
	{3, {0x0f, 0x6f, 0x03}},                         /* movq mm0, [rbx] */
	{3, {0x0f, 0x7f, 0x2b}},                         /* movq [rbx], mm5 */
	{3, {0x0f, 0x6e, 0x0b}},                         /* movd mm1, [rbx] */
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
	s->gpr[CPU_RSP] = SOFT_MACHINE_DATA + 0x2800 + random_number() % 64 * 8;
	s->gpr[CPU_RCX] = random_number() % 9;
	s->gpr[CPU_RBX] = SOFT_MACHINE_DATA + random_number() % 4096;
	s->gpr[CPU_RSI] = SOFT_MACHINE_DATA + 0x200 + random_number() % 4096;
	s->gpr[CPU_RDI] = SOFT_MACHINE_DATA + 0x800 + random_number() % 4096;
	if (random_number() & 1) /* that the two are sometimes equal */
		s->gpr[CPU_RAX] = 0;
	s->rflags = RFLAGS_RESERVED_ONE | (random_number() & ARITHMETIC);
	for (unsigned at = CPU_XSAVE_ST; at < CPU_XSAVE_HEADER; at++)
		s->xsave[at] = (uint8_t)random_number();
	for (unsigned at = CPU_XSAVE_ST; at < CPU_XSAVE_XMM; at += 16)
		memset(s->xsave + at + 10, 0, 6); /* of x87 registers there are 10 bytes */
	store_le16(s->xsave + CPU_XSAVE_FSW, (uint16_t)(random_number() & FSW_TOP));
	store_le64(s->xsave + CPU_XSAVE_HEADER, XCR0_X87 | XCR0_SSE);
}

/* x87 and vector registers, the tag word, and where the stack's top is. */
static void compare_vectors(const struct cpu_state *a, const struct cpu_state *b)
{
	assert_memory_equal(a->xsave + CPU_XSAVE_XMM, b->xsave + CPU_XSAVE_XMM, 16 * 16);
	assert_memory_equal(a->xsave + CPU_XSAVE_ST, b->xsave + CPU_XSAVE_ST, 8 * 16);
	assert_int_equal(a->xsave[CPU_XSAVE_FTW], b->xsave[CPU_XSAVE_FTW]);
	assert_int_equal(load_le16(a->xsave + CPU_XSAVE_FSW), load_le16(b->xsave + CPU_XSAVE_FSW));
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
		compare_vectors(s, soft);
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

/* 16 bytes by parts that a bus has, and 32 that clear or keep what is above. */
static void moves_vectors(void **state)
{
	struct cpu_state *s = &vcpu_of(&one)->state;
	uint8_t *xmm = s->xsave + CPU_XSAVE_XMM, *ymm = s->xsave + CPU_XSAVE_YMM;

	(void)state;
	store_le64(s->xsave + CPU_XSAVE_HEADER, XCR0_SSE | XCR0_AVX);
	memset(xmm, 0x11, 32);
	memset(ymm, 0x22, 32);
	s->gpr[CPU_RBX] = DEVICE + 0x20;
	BEGIN(0x66, 0x0f, 0x6f, 0x03) /* movdqa xmm0, [rbx] */
	expect_access(false, DEVICE + 0x20, 8, 0);
	emulate_answer(&e, 1);
	expect_access(false, DEVICE + 0x28, 8, 0);
	emulate_answer(&e, 2);
	assert_int_equal(go(), EMULATE_DONE);
	assert_int_equal(load_le64(xmm), 1);
	assert_int_equal(load_le64(xmm + 8), 2);
	assert_int_equal(ymm[0], 0x22);
	BEGIN(0xc5, 0xfa, 0x7e, 0x03) /* vmovq xmm0, [rbx] */
	expect_access(false, DEVICE + 0x20, 8, 0);
	emulate_answer(&e, 3);
	assert_int_equal(go(), EMULATE_DONE);
	assert_int_equal(load_le64(xmm), 3);
	assert_int_equal(load_le64(xmm + 8), 0);
	assert_int_equal(ymm[0], 0);
	BEGIN(0xc5, 0xfe, 0x7f, 0x0b) /* vmovdqu [rbx], ymm1 */
	for (unsigned i = 0; i < 4; i++) {
		expect_access(true, DEVICE + 0x20 + 8 * i, 8,
			      i < 2 ? UINT64_C(0x1111111111111111) : UINT64_C(0x2222222222222222));
		emulate_answer(&e, 0);
	}
	assert_int_equal(go(), EMULATE_DONE);
	s->gpr[CPU_RBX] = DEVICE + 0x28;
	BEGIN(0x66, 0x0f, 0x7f, 0x03) /* movdqa [rbx], xmm0: not aligned */
	assert_int_equal(go(), EMULATE_FAULT);
	assert_int_equal(vcpu_of(&one)->exception.vector, CPU_VECTOR_GP);
	vcpu_of(&one)->exception.kind = CPU_EVENT_NONE;
}

/* A call through a device's memory, a quotient that is too large, and one that isn't. */
static void branches_and_divides(void **state)
{
	struct cpu_state *s = &vcpu_of(&one)->state;

	(void)state;
	s->gpr[CPU_RBX] = DEVICE;
	s->gpr[CPU_RSP] = SOFT_MACHINE_STACK;
	BEGIN(0xff, 0x13) /* call [rbx] */
	expect_access(false, DEVICE, 8, 0);
	emulate_answer(&e, 0x123450);
	assert_int_equal(go(), EMULATE_DONE);
	assert_int_equal(s->rip, 0x123450);
	assert_int_equal(s->gpr[CPU_RSP], SOFT_MACHINE_STACK - 8);
	assert_int_equal(load_le64(one.ram + SOFT_MACHINE_STACK - 8), SOFT_MACHINE_CODE + 2);
	BEGIN(0xff, 0x23) /* jmp [rbx] */
	expect_access(false, DEVICE, 8, 0);
	emulate_answer(&e, UINT64_C(1) << 60);
	assert_int_equal(go(), EMULATE_FAULT);
	assert_int_equal(vcpu_of(&one)->exception.vector, CPU_VECTOR_GP);
	vcpu_of(&one)->exception.kind = CPU_EVENT_NONE;

	s->gpr[CPU_RDX] = 5;
	s->gpr[CPU_RAX] = 7;
	BEGIN(0x48, 0xf7, 0x33) /* div qword [rbx] */
	expect_access(false, DEVICE, 8, 0);
	emulate_answer(&e, 5);
	assert_int_equal(go(), EMULATE_FAULT);
	assert_int_equal(vcpu_of(&one)->exception.vector, CPU_VECTOR_DE);
	vcpu_of(&one)->exception.kind = CPU_EVENT_NONE;
	s->gpr[CPU_RDX] = UINT64_MAX;
	s->gpr[CPU_RAX] = -UINT64_C(100);
	BEGIN(0x48, 0xf7, 0x3b) /* idiv qword [rbx] */
	expect_access(false, DEVICE, 8, 0);
	emulate_answer(&e, 7);
	assert_int_equal(go(), EMULATE_DONE);
	assert_int_equal(s->gpr[CPU_RAX], -UINT64_C(14));
	assert_int_equal(s->gpr[CPU_RDX], -UINT64_C(2));
	s->gpr[CPU_RAX] = 0x8000;
	BEGIN(0xf6, 0x3b) /* idiv byte [rbx]: -128 is the least quotient */
	expect_access(false, DEVICE, 1, 0);
	emulate_answer(&e, 0xff);
	assert_int_equal(go(), EMULATE_FAULT);
	vcpu_of(&one)->exception.kind = CPU_EVENT_NONE;
	s->gpr[CPU_RAX] = 0xc000; /* -16384 / 128 */
	BEGIN(0xf6, 0x3b)
	expect_access(false, DEVICE, 1, 0);
	emulate_answer(&e, 0x80);
	assert_int_equal(go(), EMULATE_FAULT);
	vcpu_of(&one)->exception.kind = CPU_EVENT_NONE;
	s->gpr[CPU_RAX] = 0xc080; /* -16256 / 127 */
	BEGIN(0xf6, 0x3b)
	expect_access(false, DEVICE, 1, 0);
	emulate_answer(&e, 0x7f);
	assert_int_equal(go(), EMULATE_DONE);
	assert_int_equal(s->gpr[CPU_RAX] & 0xffff, 0x80);
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

/* The page table says what was read and written. */
static void marks_pages(void **state)
{
	uint8_t *pde = one.ram + SOFT_MACHINE_PD, *pml4e = one.ram + SOFT_MACHINE_PML4;
	uint64_t *gpr = vcpu_of(&one)->state.gpr;

	(void)state;
	store_le64(pde, load_le64(pde) & ~(PTE_A | PTE_D));
	store_le64(pml4e, load_le64(pml4e) & ~PTE_A);
	gpr[CPU_RBX] = SOFT_MACHINE_DATA;
	BEGIN(0x8b, 0x03) /* mov eax, [rbx] */
	assert_int_equal(go(), EMULATE_DONE);
	assert_int_equal(load_le64(pde) & (PTE_A | PTE_D), PTE_A);
	assert_int_equal(load_le64(pml4e) & PTE_A, PTE_A);
	gpr[CPU_RSP] = SOFT_MACHINE_STACK;
	BEGIN(0x53) /* push rbx */
	assert_int_equal(go(), EMULATE_DONE);
	assert_int_equal(load_le64(pde) & (PTE_A | PTE_D), PTE_A | PTE_D);
	/* A write that is refused marks nothing. */
	store_le64(pde, load_le64(pde) & ~(PTE_A | PTE_D | PTE_RW));
	BEGIN(0x53)
	assert_int_equal(go(), EMULATE_FAULT);
	assert_int_equal(load_le64(pde) & (PTE_A | PTE_D), 0);
	vcpu_of(&one)->exception.kind = CPU_EVENT_NONE;
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
	BEGIN(0x0f, 0x58, 0x03) /* addps xmm0, [rbx] */
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
	s->gpr[CPU_RAX] = s->cr0 | UINT64_C(1) << 40;
	BEGIN(0x0f, 0x22, 0xc0)
	expect_gp(vcpu);
	BEGIN(0x0f, 0x20, 0xc2) /* mov rdx, cr0 */
	assert_int_equal(go(), EMULATE_DONE);
	assert_int_equal(s->gpr[CPU_RDX], s->cr0);
	BEGIN(0x0f, 0x01, 0xe1) /* smsw ecx */
	assert_int_equal(go(), EMULATE_DONE);
	assert_int_equal(s->gpr[CPU_RCX], s->cr0);
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
		TEST(moves_vectors),
		TEST(branches_and_divides),
		TEST(repeats),
		TEST(uses_ports),
		TEST(marks_pages),
		TEST(faults),
		TEST(checks_control_registers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
