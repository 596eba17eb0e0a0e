/* SPDX-License-Identifier: MIT */
/*
 * string.c - MOVS, STOS, LODS, SCAS, CMPS, INS, OUTS, with and without a repeat prefix.
 *
 * A repeated one goes by runs: as many elements as lie within the pages that the TLB knows are done
 * by the host's own repeated instruction (overlaps included), and registers are then set.  What
 * lies otherwise is done one element at a time.  Between them, who wants the vCPU out gets it: RIP
 * is still at the instruction.
 */
#include "hypervisor/x86/soft/integer.h"

/* op->size: the element; op->b: the address size; op->segment: of rSI; spare[0]: the prefix. */
enum { REPEAT_NONE, REPEAT_EQUAL = 0xf3, REPEAT_NOT_EQUAL = 0xf2 };

#define RUN_ELEMENTS_MAX 4096

struct string {
	struct soft_vcpu *c;
	const struct soft_op *op;
	unsigned size, address_size, segment;
	bool down;
};

static uint64_t get_address(const struct string *s, unsigned reg)
{
	return soft_get(s->c, reg * 8, s->address_size);
}

/* None: nothing is written, not even the upper half of a 32-bit address. */
static void move_address(const struct string *s, unsigned reg, uint64_t elements)
{
	uint64_t bytes = elements * s->size;

	if (!elements)
		return;
	soft_put(s->c, reg * 8, get_address(s, reg) + (s->down ? -bytes : bytes), s->address_size);
}

static void count_down(const struct string *s, uint64_t elements)
{
	soft_put(s->c, CPU_RCX * 8, get_address(s, CPU_RCX) - elements, s->address_size);
}

/* Elements from offset on that lie in one page the TLB has, up to count; at: where. */
static uint64_t run_length(const struct string *s, unsigned segment, uint64_t offset,
			   uint64_t count, bool write, void **at)
{
	struct soft_vcpu *c = s->c;
	const struct soft_segment *derived = &c->segment[segment];
	uint64_t linear = derived->base + offset;
	uint64_t elements = MIN(count, (PAGE_SIZE - (linear & PAGE_MASK)) / s->size);
	uint64_t bytes = elements * s->size;
	const struct soft_tlb_entry *entry;

	if (s->down || !elements)
		return 0;
	if (!c->long64)
		linear = (uint32_t)linear;
	if (!c->long64 && offset + bytes > (write ? derived->write_end : derived->read_end))
		return 0;
	if (s->address_size < 8 && offset + bytes - 1 > size_mask(s->address_size))
		return 0;
	entry = soft_tlb_at(c->tlb, linear);
	if ((linear | PAGE_MASK) != (write ? entry->write : entry->read))
		return 0;
	*at = (void *)(uintptr_t)(linear + entry->addend);
	return elements;
}

/* --- One element, and a run of them; how each goes on
 * -------------------------------------------- */

/* false: it stops.  *go_on is set to false where the flags end the repetition. */
typedef bool element(const struct string *s, bool *go_on);
/* How many were done; 0: none can be this way. */
typedef uint64_t run(const struct string *s, uint64_t count, bool *go_on);

static bool movs_element(const struct string *s, bool *go_on)
{
	const void *at = soft_read_at(s->c, s->segment, get_address(s, CPU_RSI), s->size);
	uint64_t value;

	(void)go_on;
	if (!at)
		return false;
	value = soft_load(at, s->size);
	if (!soft_write(s->c, CPU_ES, get_address(s, CPU_RDI), &value, s->size))
		return false;
	move_address(s, CPU_RSI, 1);
	move_address(s, CPU_RDI, 1);
	return true;
}

static uint64_t movs_run(const struct string *s, uint64_t count, bool *go_on)
{
	void *from = NULL, *to = NULL;
	uint64_t n, left;

	(void)go_on;
	count = run_length(s, s->segment, get_address(s, CPU_RSI), count, false, &from);
	count = run_length(s, CPU_ES, get_address(s, CPU_RDI), count, true, &to);
	n = left = count;
	switch (s->size) {
	case 1:
		__asm__ volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(left) : : "memory");
		break;
	case 2:
		__asm__ volatile("rep movsw" : "+S"(from), "+D"(to), "+c"(left) : : "memory");
		break;
	case 4:
		__asm__ volatile("rep movsl" : "+S"(from), "+D"(to), "+c"(left) : : "memory");
		break;
	default:
		__asm__ volatile("rep movsq" : "+S"(from), "+D"(to), "+c"(left) : : "memory");
		break;
	}
	move_address(s, CPU_RSI, n);
	move_address(s, CPU_RDI, n);
	return n;
}

static bool stos_element(const struct string *s, bool *go_on)
{
	uint64_t value = s->c->vcpu.state.gpr[CPU_RAX];

	(void)go_on;
	if (!soft_write(s->c, CPU_ES, get_address(s, CPU_RDI), &value, s->size))
		return false;
	move_address(s, CPU_RDI, 1);
	return true;
}

static uint64_t stos_run(const struct string *s, uint64_t count, bool *go_on)
{
	uint64_t value = s->c->vcpu.state.gpr[CPU_RAX];
	uint64_t n, left;
	void *to = NULL;

	(void)go_on;
	n = left = run_length(s, CPU_ES, get_address(s, CPU_RDI), count, true, &to);
	switch (s->size) {
	case 1:
		__asm__ volatile("rep stosb" : "+D"(to), "+c"(left) : "a"(value) : "memory");
		break;
	case 2:
		__asm__ volatile("rep stosw" : "+D"(to), "+c"(left) : "a"(value) : "memory");
		break;
	case 4:
		__asm__ volatile("rep stosl" : "+D"(to), "+c"(left) : "a"(value) : "memory");
		break;
	default:
		__asm__ volatile("rep stosq" : "+D"(to), "+c"(left) : "a"(value) : "memory");
		break;
	}
	move_address(s, CPU_RDI, n);
	return n;
}

static bool lods_element(const struct string *s, bool *go_on)
{
	const void *at = soft_read_at(s->c, s->segment, get_address(s, CPU_RSI), s->size);

	(void)go_on;
	if (!at)
		return false;
	soft_put(s->c, CPU_RAX * 8, soft_load(at, s->size), s->size);
	move_address(s, CPU_RSI, 1);
	return true;
}

/* Flags of a - b. */
static void compare(const struct string *s, uint64_t a, uint64_t b, bool *go_on)
{
	unsigned shift = 64 - s->size * 8;
	uint16_t ax;
	uint64_t high = a << shift;
	uint16_t adjust = ((a ^ b ^ (a - b)) & 0x10) ? SOFT_FLAG_AF : 0;

	/* At the top of a register all flags come out right but AF and PF, which are of the low
	 * bits. */
	__asm__("cmpq %[b], %[a]\n\t" SOFT_FLAGS_TO_AX
		: "=&a"(ax)
		: [a] "r"(high), [b] "r"(b << shift)
		: "cc");
	ax &= (uint16_t) ~(SOFT_FLAG_AF | SOFT_FLAG_PF);
	ax |= adjust;
	ax |= __builtin_parity((uint8_t)(a - b)) ? 0 : SOFT_FLAG_PF;
	s->c->flags = ax;
	*go_on = (a == b) == (s->op->spare[0] == REPEAT_EQUAL);
}

static bool scas_element(const struct string *s, bool *go_on)
{
	const void *at = soft_read_at(s->c, CPU_ES, get_address(s, CPU_RDI), s->size);

	if (!at)
		return false;
	compare(s, soft_get(s->c, CPU_RAX * 8, s->size), soft_load(at, s->size), go_on);
	move_address(s, CPU_RDI, 1);
	return true;
}

static uint64_t scas_run(const struct string *s, uint64_t count, bool *go_on)
{
	uint64_t a = soft_get(s->c, CPU_RAX * 8, s->size), n, done = 0, b = 0;
	const uint8_t *at = NULL;
	void *from = NULL;
	bool equal = s->op->spare[0] == REPEAT_EQUAL;

	n = run_length(s, CPU_ES, get_address(s, CPU_RDI), count, false, &from);
	at = from;
	while (done < n) {
		b = soft_load(at + done * s->size, s->size);
		done++;
		if ((a == b) != equal)
			break;
	}
	if (done)
		compare(s, a, b, go_on);
	move_address(s, CPU_RDI, done);
	return done;
}

static bool cmps_element(const struct string *s, bool *go_on)
{
	const void *at = soft_read_at(s->c, s->segment, get_address(s, CPU_RSI), s->size);
	uint64_t a;

	if (!at)
		return false;
	a = soft_load(at, s->size);
	at = soft_read_at(s->c, CPU_ES, get_address(s, CPU_RDI), s->size);
	if (!at)
		return false;
	compare(s, a, soft_load(at, s->size), go_on);
	move_address(s, CPU_RSI, 1);
	move_address(s, CPU_RDI, 1);
	return true;
}

static uint64_t cmps_run(const struct string *s, uint64_t count, bool *go_on)
{
	void *first = NULL, *second = NULL;
	uint64_t n, done = 0, a = 0, b = 0;
	bool equal = s->op->spare[0] == REPEAT_EQUAL;

	n = run_length(s, s->segment, get_address(s, CPU_RSI), count, false, &first);
	n = run_length(s, CPU_ES, get_address(s, CPU_RDI), n, false, &second);
	while (done < n) {
		a = soft_load((const uint8_t *)first + done * s->size, s->size);
		b = soft_load((const uint8_t *)second + done * s->size, s->size);
		done++;
		if ((a == b) != equal)
			break;
	}
	if (done)
		compare(s, a, b, go_on);
	move_address(s, CPU_RSI, done);
	move_address(s, CPU_RDI, done);
	return done;
}

/* --- Ports
 * -------------------------------------------------------------------------------------- */

static uint16_t get_port(const struct string *s)
{
	return (uint16_t)s->c->vcpu.state.gpr[CPU_RDX];
}

static bool ins_element(const struct string *s, bool *go_on)
{
	uint64_t offset = get_address(s, CPU_RDI), value = 0;

	(void)go_on;
	if (!soft_port_allowed(s->c, get_port(s), (uint8_t)s->size) ||
	    !soft_probe(s->c, CPU_ES, offset, s->size, true) ||
	    !soft_access(s->c, EXIT_SPACE_PORT, false, get_port(s), (uint8_t)s->size, &value) ||
	    !soft_write(s->c, CPU_ES, offset, &value, s->size))
		return false;
	soft_debug_port(s->c, get_port(s), (uint8_t)s->size);
	move_address(s, CPU_RDI, 1);
	return true;
}

static bool outs_element(const struct string *s, bool *go_on)
{
	uint64_t value = 0;

	(void)go_on;
	if (!soft_port_allowed(s->c, get_port(s), (uint8_t)s->size) ||
	    !soft_read(s->c, s->segment, get_address(s, CPU_RSI), &value, s->size) ||
	    !soft_access(s->c, EXIT_SPACE_PORT, true, get_port(s), (uint8_t)s->size, &value))
		return false;
	soft_debug_port(s->c, get_port(s), (uint8_t)s->size);
	move_address(s, CPU_RSI, 1);
	return true;
}

/* --- Repeating
 * ---------------------------------------------------------------------------------- */

static bool is_wanted_out(const struct soft_vcpu *c)
{
	return c->stepping || c->debug_hits ||
	       __atomic_load_n(&c->enter, __ATOMIC_RELAXED) != soft_enter;
}

/* true: all is done.  false: it stops here, with a fault, an exit, or for somebody to look. */
static bool repeat(const struct string *s, element *one, run *many)
{
	bool go_on = true;

	for (;;) {
		uint64_t count = get_address(s, CPU_RCX), n = 0;

		if (!count)
			return true;
		if (many && !s->c->stepping)
			n = many(s, MIN(count, RUN_ELEMENTS_MAX), &go_on);
		if (!n) {
			if (!one(s, &go_on))
				return false;
			n = 1;
			s->c->accesses = s->c->access_next = 0;
		}
		count_down(s, n);
		if (!go_on || count == n)
			return true;
		if (is_wanted_out(s->c))
			return false;
	}
}

static SOFT_APART bool string_work(struct soft_vcpu *c, const struct soft_op *op, element *one,
				   run *many)
{
	struct string s = {
		.c = c,
		.op = op,
		.size = op->size,
		.address_size = op->b,
		.segment = op->segment,
		.down = c->vcpu.state.rflags & RFLAGS_DF,
	};

	return op->spare[0] == REPEAT_NONE ? one(&s, &(bool){true}) : repeat(&s, one, many);
}

static inline void run_string(struct soft_vcpu *c, const struct soft_op *op, element *one,
			      run *many)
{
	soft_next_if(c, op, string_work(c, op, one, many));
}

#define HANDLER(name, many)                                                                        \
	static void name(struct soft_vcpu *c, const struct soft_op *op)                            \
	{                                                                                          \
		run_string(c, op, name##_element, many);                                           \
	}

HANDLER(movs, movs_run)
HANDLER(stos, stos_run)
HANDLER(lods, NULL)
HANDLER(scas, scas_run)
HANDLER(cmps, cmps_run)
HANDLER(ins, NULL)
HANDLER(outs, NULL)

static soft_handler *handler_of(uint16_t op)
{
	switch (op) {
	case OP_MOVS:
		return movs;
	case OP_STOS:
		return stos;
	case OP_LODS:
		return lods;
	case OP_SCAS:
		return scas;
	case OP_CMPS:
		return cmps;
	case OP_INS:
		return ins;
	case OP_OUTS:
		return outs;
	default:
		return NULL;
	}
}

bool soft_compile_string(struct soft_compile *k, const struct decode_insn *insn)
{
	soft_handler *handler = handler_of(insn->op);
	struct soft_op *op = soft_compile_op(k);

	if (!handler)
		return false;
	for (unsigned i = 0; i < insn->operand_count; i++)
		if (insn->operand[i].kind == DECODE_STRING)
			op->size = (uint8_t)insn->operand[i].size;
	op->b = insn->address_size;
	op->segment = insn->segment_override == DECODE_NO_REG ? CPU_DS : insn->segment_override;
	op->spare[0] = insn->rep;
	soft_compile_emit(k, handler);
	return true;
}
