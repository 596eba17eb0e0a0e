/* SPDX-License-Identifier: MIT */
/*
 * The differential test: random instructions on the host's CPU and on the soft one, and whether
 * registers, flags, vector and x87 state, memory and exceptions are the same.
 *
 *   differential [-n CASES] [-s SEED] [-b BATCH] [-j PROCESSES] [-m 16|32|64] [OP]
 *
 * Cases come in batches of 1024, each of which depends on seed and number alone: what a failure
 * prints runs that batch again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hw/x86.h"
#include "hypervisor/x86/cpu.h"
#include "lib/bits.h"
#include "tests/differential/generate.h"

#define BATCH_CASES 1024
#define FAILURES_MAX 20
#define SLOT_SIZE 256
#define AGAIN_MAX 16         /* times for one batch; then nothing is doubtful any more */
#define LONG_CASES 100000000 /* from so many on it says how far it is */

#define XSAVE_FSW 2
#define XSAVE_MXCSR 24
#define XSAVE_ST 32
#define XSAVE_XMM 160
#define XSAVE_XMM_SIZE 256
#define XSAVE_YMM 576
#define XSAVE_HEADER 512
/* AMD's CPUs have it (APM1 section 4.2.2), but the soft one does not: reserved there. */
#define MXCSR_MISALIGNED (1u << 17)

#define FLAGS_COMPARED UINT64_C(0xcd5) /* OF DF SF ZF AF PF CF */

struct options {
	uint64_t cases, seed, batch;
	unsigned processes;
	int mode; /* 16, 32, 64, or 0: all */
	bool one_batch;
	const char *only;
};

struct run {
	const struct options *options;
	struct areas areas[2]; /* native, soft */
	struct forms forms[3]; /* by enum decode_mode */
	uint64_t cases, faults;
	unsigned failures;
	uint64_t again;        /* batches begun again, for one that was doubtful */
	bool failed[OP_COUNT]; /* one difference of each is shown */
};

enum outcome {
	OUTCOME_SAME,
	OUTCOME_DIFFERENT,
	OUTCOME_DOUBTFUL, /* it has to come a second time to count */
};

/* --- Comparing ----------------------------------------------------------------------------- */

/* Where x87's last instruction was is seen in AMD's CPUs with a pending exception alone. */
static void forget_pointers(struct machine *machine)
{
	memset(machine->xsave + 6, 0, XSAVE_MXCSR - 6);
	memset(machine->xsave + XSAVE_MXCSR + 4, 0, 4);
	memset(machine->xsave + 416, 0, XSAVE_YMM - 416);
	/* What is empty has no value that counts. */
	for (unsigned i = 0; i < 8; i++)
		memset(machine->xsave + XSAVE_ST + i * 16u + 10, 0, 6);
}

/* Which of several pages faults isn't told for those that access many bytes. */
static bool touches_much(const struct decode_insn *insn)
{
	for (unsigned i = 0; i < insn->operand_count; i++)
		if (insn->operand[i].kind == DECODE_MEMORY && !insn->operand[i].size)
			return true;
	return false;
}

static void forget_undefined(const struct decode_insn *insn, bool single, struct machine *machine)
{
	uint64_t flags = FLAGS_COMPARED;

	if (machine->vector == NO_VECTOR)
		flags &= ~(uint64_t)insn->flags_undefined;
	else if (!single) /* which of them were undefined there isn't known */
		flags = RFLAGS_DF;
	machine->rflags &= flags;
	/* What the kernel has mapped there says protection, not absence. */
	if (machine->address >> 47)
		machine->error &= ~1u;
	if (touches_much(insn)) {
		machine->address = 0;
		machine->error &= ~1u;
	}
	/* Whether an unmasked overflow or underflow is inexact, too, isn't found out. */
	if (machine->vector == CPU_VECTOR_XM && machine->xsave[XSAVE_MXCSR] & 0x18)
		machine->xsave[XSAVE_MXCSR] |= 0x20;
	forget_pointers(machine);
}

static bool saves_area(const struct decode_insn *insn)
{
	return insn->op == OP_FXSAVE || insn->op == OP_XSAVE || insn->op == OP_XSAVEC ||
	       insn->op == OP_XSAVEOPT;
}

/*
 * Whether registers that are all zero count as in use may change from one time to the next (SDM 1
 * 13.6, XINUSE): the kernel has loaded them in between, or an instruction has cleared them.
 */
static void forget_initial(struct run *run, size_t offset, const struct machine *before)
{
	static const uint8_t initial[XSAVE_XMM_SIZE];
	uint8_t *from = run->areas[0].data + offset, *to = run->areas[1].data + offset;

	if (offset + XSAVE_HEADER >= AREA_WRITABLE ||
	    memcmp(before->xsave + XSAVE_XMM, initial, sizeof(initial)) != 0)
		return;
	to[XSAVE_HEADER] &= ~XCR0_SSE;
	to[XSAVE_HEADER] |= from[XSAVE_HEADER] & XCR0_SSE;
	memcpy(to + XSAVE_XMM, from + XSAVE_XMM, XSAVE_XMM_SIZE);
}

/* The parts of what is stored that aren't the same everywhere: they are copied. */
static void forget_memory(struct run *run, const struct test *test, const struct decode_insn *insn,
			  const struct machine *before)
{
	unsigned from = 0, size = 0;
	uint64_t at = operand_address(test, insn, before);
	size_t offset;

	if (saves_area(insn)) {
		from = 6;
		size = 26;
	} else if (insn->op == OP_FNSTENV || insn->op == OP_FNSAVE) {
		from = insn->operand_size == 2 ? 6 : 12;
		size = insn->operand_size == 2 ? 8 : 16;
	} else {
		return;
	}
	if (at < AREA_DATA || at + from + size > AREA_DATA + AREA_WRITABLE)
		return;
	offset = at + from - AREA_DATA;
	if (saves_area(insn)) { /* but MXCSR counts */
		memcpy(run->areas[1].data + offset + 22, run->areas[0].data + offset + 22, 4);
		size = 18;
	}
	memcpy(run->areas[1].data + offset, run->areas[0].data + offset, size);
	if (saves_area(insn) && insn->op != OP_FXSAVE)
		forget_initial(run, offset - from, before);
}

/* Of a sequence: the pointers that FXSAVE and FNSAVE have left where these may store, and which
 * components XSAVE says are in use. */
static void forget_saved(struct run *run)
{
	const uint8_t *from = run->areas[0].data + (SEQUENCE_BASE - AREA_DATA);
	uint8_t *to = run->areas[1].data + (SEQUENCE_BASE - AREA_DATA);

	memcpy(to + SEQUENCE_SAVE + 6, from + SEQUENCE_SAVE + 6, XSAVE_MXCSR - 6);
	memcpy(to + SEQUENCE_SAVE + 28, from + SEQUENCE_SAVE + 28, 4);
	memcpy(to + SEQUENCE_SAVE + XSAVE_HEADER, from + SEQUENCE_SAVE + XSAVE_HEADER, 8);
	memcpy(to + SEQUENCE_ENVIRONMENT + 6, from + SEQUENCE_ENVIRONMENT + 6, 22);
}

static bool same_memory(const struct run *run)
{
	return memcmp(run->areas[0].data, run->areas[1].data, AREA_WRITABLE) == 0 &&
	       memcmp(run->areas[0].stack, run->areas[1].stack, AREA_WRITABLE) == 0;
}

/* --- Reporting ----------------------------------------------------------------------------- */

static const char *const register_names[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp",
					     "rsi", "rdi", "r8",  "r9",  "r10", "r11",
					     "r12", "r13", "r14", "r15"};

static void print_row(const char *name, const void *before, const void *native, const void *soft,
		      unsigned size)
{
	const uint8_t *parts[3] = {before, native, soft};

	if (memcmp(native, soft, size) == 0 && memcmp(before, native, size) == 0)
		return;
	printf("  %c %-6s", memcmp(native, soft, size) == 0 ? ' ' : '*', name);
	for (unsigned p = 0; p < 3; p++) {
		printf(" ");
		for (unsigned i = size; i-- > 0;)
			printf("%02x", parts[p][i]);
	}
	printf("\n");
}

static void print_vectors(const struct machine *before, const struct machine *native,
			  const struct machine *soft)
{
	char name[16];

	for (unsigned i = 0; i < 8; i++) {
		size_t at = XSAVE_ST + i * 16u;

		snprintf(name, sizeof(name), "st%u", i);
		print_row(name, before->xsave + at, native->xsave + at, soft->xsave + at, 10);
	}
	for (unsigned i = 0; i < 16; i++) {
		size_t low = XSAVE_XMM + i * 16u, high = XSAVE_YMM + i * 16u;

		snprintf(name, sizeof(name), "xmm%u", i);
		print_row(name, before->xsave + low, native->xsave + low, soft->xsave + low, 16);
		snprintf(name, sizeof(name), "ymm%u", i);
		print_row(name, before->xsave + high, native->xsave + high, soft->xsave + high, 16);
	}
}

static void print_memory(const struct run *run)
{
	for (unsigned area = 0; area < 2; area++) {
		const uint8_t *a = area ? run->areas[0].stack : run->areas[0].data;
		const uint8_t *b = area ? run->areas[1].stack : run->areas[1].data;

		for (unsigned i = 0, shown = 0; i < AREA_WRITABLE && shown < 32; i++)
			if (a[i] != b[i]) {
				printf("  * [%x] native %02x soft %02x\n",
				       (area ? AREA_STACK : AREA_DATA) + i, a[i], b[i]);
				shown++;
			}
	}
}

static int mode_bits(const struct test *test)
{
	return test->code16 ? 16 : test->code32 ? 32 : 64;
}

static void print_failure(const struct run *run, uint64_t batch, unsigned number,
			  const struct test *test, const struct decode_insn *insn,
			  const struct machine *before, const struct machine *native,
			  const struct machine *soft)
{
	printf("FAIL %s (%d-bit):", test->single ? decode_op_name(insn->op) : "sequence",
	       mode_bits(test));
	for (unsigned i = 0; i < test->length; i++)
		printf(" %02x", test->bytes[i]);
	printf("\n  again: -s %llu -b %llu -m %d%s%s, case %u\n",
	       (unsigned long long)run->options->seed, (unsigned long long)batch, mode_bits(test),
	       run->options->only ? " " : "", run->options->only ? run->options->only : "", number);
	printf("  vector, error, cr2: native %d %x %llx, soft %d %x %llx\n",
	       native->vector == NO_VECTOR ? -1 : native->vector, native->error,
	       (unsigned long long)native->address, soft->vector == NO_VECTOR ? -1 : soft->vector,
	       soft->error, (unsigned long long)soft->address);
	printf("  before, native, soft:\n");
	for (unsigned i = 0; i < 16; i++)
		print_row(register_names[i], &before->gpr[i], &native->gpr[i], &soft->gpr[i], 8);
	print_row("rip", &before->rip, &native->rip, &soft->rip, 8);
	print_row("flags", &before->rflags, &native->rflags, &soft->rflags, 4);
	print_row("mxcsr", before->xsave + XSAVE_MXCSR, native->xsave + XSAVE_MXCSR,
		  soft->xsave + XSAVE_MXCSR, 4);
	print_row("fcw", before->xsave, native->xsave, soft->xsave, 2);
	print_row("fsw", before->xsave + 2, native->xsave + 2, soft->xsave + 2, 2);
	print_row("ftw", before->xsave + 4, native->xsave + 4, soft->xsave + 4, 1);
	print_vectors(before, native, soft);
	print_memory(run);
	fflush(stdout);
}

/* --- Running ------------------------------------------------------------------------------- */

static void fill_memory(struct run *run, struct random *r)
{
	for (unsigned i = 0; i < AREA_WRITABLE; i += 16) {
		random_vector(r, run->areas[0].data + i);
		random_vector(r, run->areas[0].stack + i);
	}
	memcpy(run->areas[1].data, run->areas[0].data, AREA_WRITABLE);
	memcpy(run->areas[1].stack, run->areas[0].stack, AREA_WRITABLE);
}

/* What the native side alone has mapped, and needs. */
static bool touches_control(const struct machine *soft)
{
	return soft->vector == CPU_VECTOR_PF && soft->address >= CONTROL &&
	       soft->address < CONTROL + CONTROL_SIZE;
}

/*
 * A difference with a #UD of the native side.  A machine that is a guest without hardware's help
 * may have had its instruction emulated by a hypervisor that does not know it (and a sequence ends
 * with one that is undefined, so the other side has a #UD as well, at another place); where it is
 * looked at again, the CPU executes it.
 */
static bool is_doubtful(const struct machine *native)
{
	return native->vector == CPU_VECTOR_UD;
}

/* sure: a difference counts, whatever it is. */
static enum outcome run_case(struct run *run, struct random *r, struct machine *state,
			     uint64_t batch, unsigned number, enum decode_mode mode, bool sure)
{
	struct test test = {.code32 = mode != DECODE_64, .code16 = mode == DECODE_16};
	struct decode_insn insn;
	struct machine before, native, soft;

	test.rip = AREA_CODE + number * (uint64_t)SLOT_SIZE + random_below(r, 100);
	if (run->options->only || random_percent(r, 80))
		generate(r, &run->forms[mode], &test, &insn, state, run->areas);
	else
		generate_sequence(r, &run->forms[mode], &test, &insn, state, run->areas);
	before = native = soft = *state;
	soft_run_test(&test, &soft);
	if (touches_control(&soft)) { /* soft_run_test has changed memory, too */
		memcpy(run->areas[0].data, run->areas[1].data, AREA_WRITABLE);
		memcpy(run->areas[0].stack, run->areas[1].stack, AREA_WRITABLE);
		return OUTCOME_SAME;
	}
	native_run_test(&test, &native);
	if (load_le32(native.xsave + XSAVE_MXCSR) & MXCSR_MISALIGNED) { /* it comes from memory */
		random_machine(r, state, mode != DECODE_64);
		fill_memory(run, r);
		return OUTCOME_SAME;
	}
	run->cases++;
	run->faults += native.vector != NO_VECTOR;
	forget_undefined(&insn, test.single, &native);
	forget_undefined(&insn, test.single, &soft);
	if (test.single)
		forget_memory(run, &test, &insn, &before);
	else
		forget_saved(run);
	if (memcmp(&native, &soft, sizeof(native)) == 0 && same_memory(run)) {
		*state = native;
		store_le32(state->xsave + XSAVE_MXCSR + 4, 0xffff);
		store_le64(state->xsave + 512, 7);
		return OUTCOME_SAME;
	}
	if (!sure && is_doubtful(&native))
		return OUTCOME_DOUBTFUL;
	forget_pointers(&before);
	if (!run->failed[insn.op] || !test.single)
		print_failure(run, batch, number, &test, &insn, &before, &native, &soft);
	run->failures += !run->failed[insn.op] || !test.single;
	run->failed[insn.op] = true;
	return OUTCOME_DIFFERENT;
}

static enum decode_mode mode_of(const struct options *options, uint64_t batch)
{
	static const enum decode_mode modes[] = {DECODE_64, DECODE_64, DECODE_64, DECODE_32,
						 DECODE_64, DECODE_64, DECODE_16, DECODE_32};

	if (options->mode)
		return options->mode == 16   ? DECODE_16
		       : options->mode == 32 ? DECODE_32
					     : DECODE_64;
	return modes[batch & 7];
}

/*
 * Cases of a batch from its beginning, as far as one that is doubtful, whose number is returned, or
 * all of them: BATCH_CASES.  Case number sure isn't doubtful, nor is any if all_sure.
 */
static unsigned run_cases(struct run *run, uint64_t batch, enum decode_mode mode, unsigned sure,
			  bool all_sure)
{
	struct random r = {.state = run->options->seed ^ batch * UINT64_C(0xd1342543de82ef95)};
	struct machine state;
	bool code32 = mode != DECODE_64;

	random_next(&r);
	random_machine(&r, &state, code32);
	fill_memory(run, &r);
	for (unsigned i = 0; i < BATCH_CASES && run->failures < FAILURES_MAX; i++) {
		enum outcome outcome =
			run_case(run, &r, &state, batch, i, mode, all_sure || i == sure);

		if (outcome == OUTCOME_DOUBTFUL)
			return i;
		if (outcome == OUTCOME_DIFFERENT) {
			random_machine(&r, &state, code32);
			fill_memory(run, &r);
		}
	}
	return BATCH_CASES;
}

/* What is doubtful is run once more, with all that led to it: a batch depends on nothing else. */
static void run_batch(struct run *run, uint64_t batch)
{
	enum decode_mode mode = mode_of(run->options, batch);
	uint64_t cases = run->cases, faults = run->faults;
	unsigned doubtful = BATCH_CASES, tries = 0;

	/* What this host's CPU can't run is done in 64-bit code instead. */
	if (!run->forms[mode].ops && !run->options->mode)
		mode = DECODE_64;
	if (!run->forms[mode].ops)
		return;
	while ((doubtful = run_cases(run, batch, mode, doubtful, tries == AGAIN_MAX)) !=
	       BATCH_CASES) {
		run->cases = cases;
		run->faults = faults;
		run->again++;
		tries++;
	}
}

/* A line for each percent that batches number from up to to passes. */
static void tell_progress(uint64_t from, uint64_t to, uint64_t batches)
{
	if (from * 100 / batches != to * 100 / batches && to < batches)
		fprintf(stderr, "differential: %llu%%\n", (unsigned long long)(to * 100 / batches));
}

static int worker(const struct options *options, unsigned index)
{
	struct run run = {.options = options};
	uint64_t batches = (options->cases + BATCH_CASES - 1) / BATCH_CASES;

	for (unsigned mode = DECODE_16; mode <= DECODE_64; mode++)
		if (!forms_list(&run.forms[mode], mode, options->only)) {
			fprintf(stderr, "differential: no memory for the forms\n");
			return 1;
		}
	if (!native_open(&run.areas[0]) || !soft_open(&run.areas[1]))
		return 1;
	for (unsigned mode = DECODE_16; mode < DECODE_64; mode++)
		if (!native_runs(mode == DECODE_16)) {
			printf("differential: no %d-bit code on this host\n",
			       mode == DECODE_16 ? 16 : 32);
			forms_free(&run.forms[mode]);
		}
	if (options->one_batch)
		run_batch(&run, options->batch);
	for (uint64_t i = index; !options->one_batch && i < batches && run.failures < FAILURES_MAX;
	     i += options->processes) {
		run_batch(&run, i);
		if (index == 0 && options->cases >= LONG_CASES)
			tell_progress(i, i + options->processes, batches);
	}
	printf("differential: %llu cases of %zu instructions, %llu of them with exceptions; "
	       "%u instructions differ\n",
	       (unsigned long long)run.cases, run.forms[DECODE_64].ops,
	       (unsigned long long)run.faults, run.failures);
	if (run.again)
		printf("differential: %llu exceptions of this machine's looked at once more\n",
		       (unsigned long long)run.again);
	fflush(stdout);
	return run.failures != 0;
}

static bool read_options(int count, char **arguments, struct options *options)
{
	int letter;

	while ((letter = getopt(count, arguments, "n:s:b:j:m:")) != -1) {
		unsigned long long value = optarg ? strtoull(optarg, NULL, 0) : 0;

		if (letter == 'n')
			options->cases = value;
		else if (letter == 's')
			options->seed = value;
		else if (letter == 'j')
			options->processes = value ? (unsigned)value : 1;
		else if (letter == 'm' && (value == 16 || value == 32 || value == 64))
			options->mode = (int)value;
		else if (letter == 'b')
			options->batch = value, options->one_batch = true;
		else
			return false;
	}
	options->only = optind < count ? arguments[optind] : NULL;
	return true;
}

int main(int count, char **arguments)
{
	struct options options = {
		.cases = 1000000, .seed = 1, .processes = (unsigned)sysconf(_SC_NPROCESSORS_ONLN)};
	int failed = 0, status;

	if (!read_options(count, arguments, &options)) {
		fprintf(stderr, "usage: differential [-n CASES] [-s SEED] [-b BATCH] "
				"[-j PROCESSES] [-m 16|32|64] [OP]\n");
		return 2;
	}
	if (options.one_batch || options.processes == 1)
		return worker(&options, 0);
	for (unsigned i = 0; i < options.processes; i++)
		if (fork() == 0)
			_exit(worker(&options, i));
	while (wait(&status) > 0)
		failed |= !WIFEXITED(status) || WEXITSTATUS(status) != 0;
	return failed;
}
