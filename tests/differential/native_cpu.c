/* SPDX-License-Identifier: MIT */
/*
 * native_cpu.c - one instruction on the host's CPU.  It is followed by a jump out; what else may
 * happen (an exception, a branch into the INT3s around) comes as a signal.  Signals are slow.
 */
#include <asm/ldt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "lib/bits.h"
#include "tests/differential/machine.h"

#define XSAVE_HEADER 512
#define XSAVE_XMM 160
#define XSAVE_YMM 576
#define TRAP_BREAKPOINT 3
#define TRAP_PAGE_FAULT 14

void native_enter64(void);
void native_enter32(void);
extern const char native_exit[], native_resume[];

static struct {
	uint8_t *code; /* AREA_CODE's bytes, to write: what runs there can't */
	bool running, stopped;
	struct machine *state;
} native;

static uint64_t *control(uint32_t address)
{
	return (uint64_t *)(uintptr_t)address;
}

static void *low(uint32_t address)
{
	return (void *)(uintptr_t)address;
}

/* The kernel may leave out what is as after reset. */
static void copy_vectors(struct machine *state, const uint8_t *frame)
{
	uint64_t present = load_le64(frame + XSAVE_HEADER);

	memcpy(state->xsave, frame, XSAVE_HEADER);
	memset(state->xsave + XSAVE_HEADER, 0, XSAVE_YMM - XSAVE_HEADER);
	memcpy(state->xsave + XSAVE_YMM, frame + XSAVE_YMM, 256);
	if (!(present & 1)) {
		memset(state->xsave, 0, 24);
		store_le16(state->xsave, 0x37f);
		memset(state->xsave + 32, 0, 128);
	}
	if (!(present & 2))
		memset(state->xsave + XSAVE_XMM, 0, 256);
	if (!(present & 4))
		memset(state->xsave + XSAVE_YMM, 0, 256);
}

static void on_signal(int number, siginfo_t *info, void *context)
{
	static const int registers[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
					  REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
					  REG_R12, REG_R13, REG_R14, REG_R15};
	ucontext_t *uc = context;
	greg_t *gregs = uc->uc_mcontext.gregs;
	struct machine *state = native.state;

	(void)info;
	if (!native.running) { /* not ours: a bug of the test itself */
		signal(number, SIG_DFL);
		return;
	}
	for (unsigned i = 0; i < 16; i++)
		state->gpr[i] = (uint64_t)gregs[registers[i]];
	state->rip = (uint64_t)gregs[REG_RIP];
	state->rflags = (uint64_t)gregs[REG_EFL];
	state->vector = (uint8_t)gregs[REG_TRAPNO];
	state->error = (uint32_t)gregs[REG_ERR];
	state->address = state->vector == TRAP_PAGE_FAULT ? (uint64_t)gregs[REG_CR2] : 0;
	copy_vectors(state, (const uint8_t *)uc->uc_mcontext.fpregs);
	native.stopped = true;
	gregs[REG_RIP] = (greg_t)(uintptr_t)native_resume;
	gregs[REG_RSP] = (greg_t)*control(CONTROL_HOST_RSP);
	gregs[REG_EFL] = 0x202;
	gregs[REG_CSGSFS] = (gregs[REG_CSGSFS] & ~(greg_t)0xffff) | SELECTOR_CODE64;
}

static bool map(uint32_t address, size_t size, int protection)
{
	void *at = mmap(low(address), size, protection,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	return at == low(address);
}

static bool map_code(void)
{
	int memory = memfd_create("differential-code", MFD_CLOEXEC);
	void *at;

	if (memory < 0 || ftruncate(memory, AREA_CODE_SIZE) != 0)
		return false;
	at = mmap(low(AREA_CODE), AREA_CODE_SIZE, PROT_READ | PROT_EXEC,
		  MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_POPULATE, memory, 0);
	native.code = mmap(NULL, AREA_CODE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	close(memory);
	return at == low(AREA_CODE) && native.code != MAP_FAILED;
}

static bool handle_signals(void)
{
	static const int numbers[] = {SIGSEGV, SIGILL, SIGFPE, SIGBUS, SIGTRAP};
	static uint8_t stack[65536];
	stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	if (sigaltstack(&alternate, NULL) != 0)
		return false;
	for (unsigned i = 0; i < ARRAY_COUNT(numbers); i++)
		if (sigaction(numbers[i], &action, NULL) != 0)
			return false;
	return true;
}

/* The whole state is loaded and stored by XSAVE's instructions. */
static bool has_avx(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("avx");
}

/* Whether a load of the selector would find a segment (VERR, SDM 2, APM 3). */
static bool is_there(uint16_t selector)
{
	bool there;

	__asm__ volatile("verr %1" : "=@ccz"(there) : "r"(selector));
	return there;
}

/* A kernel that is itself a guest without hardware's help may take segments and not give them to
 * the CPU. */
static bool make_segments(void)
{
	struct user_desc code = {.entry_number = SELECTOR_CODE16 >> 3,
				 .limit = 0xfffff,
				 .limit_in_pages = 1,
				 .contents = MODIFY_LDT_CONTENTS_CODE,
				 .useable = 1};
	struct user_desc data = {.entry_number = SELECTOR_DATA16 >> 3,
				 .base_addr = DATA16_BASE,
				 .limit = DATA16_LIMIT,
				 .contents = MODIFY_LDT_CONTENTS_DATA,
				 .useable = 1};

	return syscall(SYS_modify_ldt, 1, &code, sizeof(code)) == 0 &&
	       syscall(SYS_modify_ldt, 1, &data, sizeof(data)) == 0 && is_there(SELECTOR_CODE16) &&
	       is_there(SELECTOR_DATA16);
}

static void set_data_segments(uint16_t selector)
{
	__asm__ volatile("mov %0, %%ds\n\tmov %0, %%es" : : "r"(selector));
}

bool native_runs(bool code16)
{
	struct test nop = {.bytes = {0x90},
			   .length = 1,
			   .single = true,
			   .code32 = true,
			   .code16 = code16,
			   .rip = AREA_CODE};
	struct machine state = {.rip = AREA_CODE, .rflags = 0x202};

	if (code16 && !make_segments())
		return false;
	store_le16(state.xsave, 0x37f);
	store_le32(state.xsave + 24, 0x1f80);
	native_run_test(&nop, &state);
	return state.vector == NO_VECTOR && state.rip == AREA_CODE + 1;
}

bool native_open(struct areas *areas)
{
	static const uint8_t back[] = {0xff, 0x24, 0x25}; /* jmp [CONTROL_EXIT] */
	uint8_t *code = low(CONTROL_RETURN);
	if (!has_avx()) {
		fprintf(stderr, "differential: needs a CPU with AVX\n");
		return false;
	}
	if (!map_code() || !map(CONTROL, CONTROL_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC) ||
	    !map(AREA_DATA, AREA_WRITABLE + AREA_PAGE, PROT_READ | PROT_WRITE) ||
	    !map(AREA_STACK, AREA_WRITABLE, PROT_READ | PROT_WRITE) || !handle_signals()) {
		perror("differential: can't prepare native execution");
		return false;
	}
	memset(native.code, CODE_BYTE, AREA_CODE_SIZE);
	*control(CONTROL_EXIT) = (uintptr_t)native_exit;
	memcpy(code, back, sizeof(back));
	store_le32(code + sizeof(back), CONTROL_EXIT);
	memset(low(AREA_DATA), AREA_READ_ONLY_BYTE, AREA_READABLE);
	mprotect(low(AREA_DATA + AREA_WRITABLE), AREA_PAGE, PROT_READ);
	areas->data = low(AREA_DATA);
	areas->stack = low(AREA_STACK);
	/* 32-bit code can't use the null selectors that 64-bit processes begin with. */
	set_data_segments(SELECTOR_DATA);
	return true;
}

void write_code(const struct test *test, uint8_t *at)
{
	static const uint8_t exit64[] = {0xff, 0x24, 0x25}; /* jmp [CONTROL_EXIT] */

	memcpy(at, test->bytes, test->length);
	at += test->length;
	if (test->code32) {
		if (test->code16)
			*at++ = 0x66;
		*at = 0xea; /* jmp SELECTOR_CODE64:CONTROL_RETURN */
		store_le32(at + 1, CONTROL_RETURN);
		store_le16(at + 5, SELECTOR_CODE64);
	} else {
		memcpy(at, exit64, sizeof(exit64));
		store_le32(at + sizeof(exit64), CONTROL_EXIT);
	}
}

void erase_code(const struct test *test, uint8_t *at)
{
	memset(at, CODE_BYTE, test->length + 8u);
}

void native_run_test(const struct test *test, struct machine *state)
{
	uint8_t *at = native.code + (test->rip - AREA_CODE);

	write_code(test, at);
	*control(CONTROL_RIP) = test->rip;
	*control(CONTROL_FAR) =
		test->rip | (uint64_t)(test->code16 ? SELECTOR_CODE16 : SELECTOR_CODE32) << 32;
	native.state = state;
	native.stopped = false;
	memcpy(low(CONTROL_GPR), state->gpr, sizeof(state->gpr));
	*control(CONTROL_RFLAGS) = state->rflags;
	memcpy(low(CONTROL_XSAVE), state->xsave, sizeof(state->xsave));
	if (test->code16)
		set_data_segments(SELECTOR_DATA16);
	native.running = true;
	if (test->code32)
		native_enter32();
	else
		native_enter64();
	native.running = false;
	if (test->code16)
		set_data_segments(SELECTOR_DATA);
	if (!native.stopped) {
		memcpy(state->gpr, low(CONTROL_GPR), sizeof(state->gpr));
		state->rflags = *control(CONTROL_RFLAGS);
		memcpy(state->xsave, low(CONTROL_XSAVE), sizeof(state->xsave));
		state->rip = test->rip + test->length;
		state->vector = NO_VECTOR;
		state->error = 0;
		state->address = 0;
	}
	erase_code(test, at);
	/* A branch has gone somewhere: that is no exception of the instruction's own. */
	if (native.stopped && test->single && state->rip != test->rip) {
		if (state->vector == TRAP_BREAKPOINT)
			state->rip--;
		state->vector = NO_VECTOR;
		state->error = 0;
		state->address = 0;
	}
}
