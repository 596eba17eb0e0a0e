/* SPDX-License-Identifier: MIT */
/*
 * soft.h - a CPU in software: what its parts know of each other.
 *
 *   backend.c, run.c         the backend's table, the run loop
 *   mmu.c, tlb.c, memory.c   page walks, the software TLB, accesses to guest memory
 *   blocks.c, code_pages.c   decoded blocks, and what makes them void
 *   compile.c, integer_*.c   an instruction -> struct soft_op; the integer instructions
 *   (system part)            segments, events through the IDT, far transfers, tasks, CRs and DRs
 *   (native part)            x87, MMX, SSE, AVX...: run natively on copies
 *
 * How it works as a whole: docs/soft.md.
 *
 * An instruction is decoded once, into a struct soft_op of a block; a block's operations run one
 * after another, each calling the next.  While a block runs, state.rip is the address of the
 * block's start (each op knows its distance from there), and the arithmetic flags are in
 * c->flags, not in state.rflags.  Handlers of soft_system_find() see both as they architecturally
 * are.
 *
 * An instruction either completes or changes nothing: it may be run again from its start after a
 * fault's handler, or after a device has answered (soft_access()).  So a handler does all that
 * can fault or exit first, and commits then.
 *
 * All of this belongs to the thread that runs the vCPU, unless a line says otherwise.
 */
#ifndef DYAD_SOFT_H
#define DYAD_SOFT_H

#include <linux/errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host.h"
#include "hw/x86.h"
#include "hypervisor/memory.h"
#include "hypervisor/vcpu.h"
#include "hypervisor/vm.h"
#include "hypervisor/x86/backend.h"
#include "lib/bits.h"
#include "lib/decode.h"

struct soft_vcpu;
struct soft_op;
struct soft_link;
struct soft_blocks;
struct soft_tlbs;
struct soft_tlb_entry;
struct soft_code;
struct soft_requests;
struct soft_jump;

#define SOFT_LIKELY(condition) __builtin_expect(!!(condition), 1)
#define SOFT_UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/* --- Operations
 * --------------------------------------------------------------------------------- */

/*
 * Runs one operation.  It ends in one of these ways:
 *   return soft_next(c, op)   retired; go on behind it (nothing changed that blocks depend on:
 *                             not CS, CPL, paging, segments, IF, TF, AC, ...)
 *   return soft_done(c, op)   retired, RIP behind it; the run loop looks at everything anew
 *   return soft_stop(c, op)   not retired: a fault was raised, or an exit; RIP at it
 */
typedef void soft_handler(struct soft_vcpu *c, const struct soft_op *op);

struct soft_op {
	soft_handler *run;
	union {
		int64_t immediate;
		const struct decode_insn *insn; /* lives as long as the op */
		const void *data;
		struct soft_link *link;
	};
	/*
	 * The memory operand: segment:[base + (index << scale) + displacement].  base and index
	 * are offsets in struct cpu_state in units of 8 bytes, an absent one that of state.zero;
	 * RIP-relative is base rip (the block's start) with the op's place in displacement.
	 * Forms that this can't say (16-bit, 32-bit in 64-bit mode) have an operation before them
	 * that computes state.address, which is the base then.
	 */
	int32_t displacement;
	uint16_t at;    /* from the block's start */
	uint8_t length; /* of the instruction */
	uint8_t segment;
	uint8_t a, b; /* register operands: byte offsets in struct cpu_state (so AH is 1) */
	uint8_t base, index, scale;
	uint8_t size; /* of the operation, where the handler isn't of one size */
	uint8_t spare[2];
};
_Static_assert(sizeof(struct soft_op) == 32, "operations are of half a cache line");

#define SOFT_OFFSET(member) ((uint8_t)(offsetof(struct cpu_state, member) / 8))

/* How a system instruction went. */
enum soft_result {
	SOFT_RETIRED, /* RIP is still at it: the caller adds its length */
	SOFT_JUMPED,  /* retired, RIP set by it */
	SOFT_STOPPED, /* not retired: a fault was raised, or an exit */
};

/* RIP and RFLAGS are current in state; the block ends behind it in any case. */
typedef enum soft_result soft_system_op(struct soft_vcpu *c, const struct decode_insn *insn);

/*
 * System part: who executes it, or NULL: not one of its own.  Asked last, so what the integer part
 * has for speed need not be there: PUSHF, POPF, CLI, STI, CLAC, STAC, LAHF, SAHF, CLC..STD, IN,
 * OUT, INS, OUTS, RDTSC(P), RDRAND, RDSEED, PAUSE, UD0..2, fences, prefetches, CLFLUSH and its kin.
 * The native part has x87, MMX and on, the MXCSR's and the (F)XSAVE family's.  All the rest that
 * isn't plain integer code is the system part's: MOV/PUSH/POP/Lxx of segment registers, descriptor
 * tables and their look-ups, far transfers, INT..IRET, SYSCALL.., CRs, DRs, INVxxx, MSRs, CPUID,
 * HLT, VMCALL, XGETBV, XSETBV, SWAPGS, FSGSBASE, RDPID, RDPMC, MONITOR (its checks and exits).
 * Checks of privilege (DECODE_PRIVILEGED, DECODE_PROTECTED_ONLY) and of a LOCK that isn't allowed
 * are the caller's before it runs.
 */
soft_system_op *soft_system_find(const struct decode_insn *insn);

/*
 * Native part: fills in op->run, and op->data or others but at and length (all have been set for
 * the memory operand, if any, a and b for no operand).  insn is the caller's and gone afterwards;
 * soft_block_alloc() gives memory that lives as long as op.  false: not one of its own, or not to
 * be had on this host: #UD.  true with op->run NULL: there is no room before a flush.
 */
bool soft_native_compile(struct soft_vcpu *c, const struct decode_insn *insn, struct soft_op *op);
/* NULL when there is no room: the caller gives up, and is called again after a flush. */
void *soft_block_alloc(struct soft_vcpu *c, size_t size);
int soft_native_vcpu_create(struct soft_vcpu *c);
void soft_native_vcpu_destroy(struct soft_vcpu *c);
/* All ops of the vCPU are void: so are the stubs that they use. */
void soft_native_flush(struct soft_vcpu *c);
/*
 * Around all that runs operations: first thing in run(), and last.  In between the guest's x87
 * state and MXCSR may be loaded in the CPU; state.xsave is as it should be afterwards.
 */
void soft_native_enter(struct soft_vcpu *c);
void soft_native_leave(struct soft_vcpu *c);
/* CR0, CR4 or XCR0 have changed: of soft_changed(). */
void soft_native_changed(struct soft_vcpu *c);
/* Takes away from a CPUID leaf of the host what is not done here: of mask_cpuid(). */
void soft_native_mask_cpuid(uint32_t leaf, uint32_t registers[4]);

/* --- The vCPU
 * ----------------------------------------------------------------------------------- */

enum soft_stop_kind {
	SOFT_RUNNING,
	SOFT_FAULT, /* c->fault: an exception with RIP at the instruction */
	SOFT_TRAP,  /* c->fault: an exception with RIP behind it (INTO, a data breakpoint) */
	SOFT_EXIT,  /* c->exit is filled in */
};

/* An address's segment, as accesses check it: the offset + size must not exceed the end. */
struct soft_segment {
	uint64_t base, read_end, write_end; /* end 0: not by the short way */
};

#define SOFT_ACCESS_LOG 16

struct soft_vcpu {
	struct vcpu vcpu;

	uint16_t flags; /* low byte: OF, 0 or 1; high byte: as LAHF has them */

	/* What goes from one block to the next; kick() replaces them.  [any] */
	void (*enter)(struct soft_vcpu *c, struct soft_link *link); /* within a page */
	void (*enter_far)(struct soft_vcpu *c, struct soft_link *link);
	void (*enter_indirect)(struct soft_vcpu *c);

	struct soft_tlb_entry *tlb; /* for accesses as CPL, SMAP and AC are now */
	uint64_t stamp;             /* of the mode and address space: what blocks were found by */
	struct soft_segment segment[CPU_SEGMENTS];
	bool long64;         /* CS is a 64-bit code segment, in long mode */
	uint8_t mode;        /* enum decode_mode */
	uint64_t stack_mask; /* of RSP: 0xffff, 0xffffffff or all */

	enum soft_stop_kind stop;
	struct cpu_event fault;
	uint64_t fault_address; /* CR2 of a page fault */
	struct exit *exit;      /* of the run() under way */

	/* Device accesses of the instruction under way that were answered. */
	struct {
		enum exit_space space;
		bool write;
		uint8_t size;
		uint64_t address, data;
	} access[SOFT_ACCESS_LOG];
	uint8_t accesses, access_next;

	/* Page directory pointers as MOV CR3 loaded them, with PAE but no long mode. */
	uint64_t pdpte[4];

	/* System part: DR6 bits of data breakpoints that the instruction under way has hit. */
	uint64_t debug_hits;
	bool watching;      /* DR7, or the debugger's, has data breakpoints */
	bool fetching;      /* there are instruction breakpoints */
	bool delivering;    /* accesses are of an event's delivery, not of an instruction */
	bool state_changed; /* by the core: what was cached is void */
	bool stepping;      /* blocks have one instruction, one iteration of a repeated one */
	bool traced;   /* the instruction under way has taken its own single-step trap (INT n) */
	bool external; /* an event is being delivered that sets EXT in error codes */

	_Alignas(32) uint8_t bounce[64]; /* of an access that isn't one to a page of RAM */
	struct {
		uint64_t linear;
		uint8_t size;
		bool locked; /* with the VM's split lock */
	} bounced;
	bool amd;              /* of which maker the guest's CPUID says it is, where they differ */
	uint8_t physical_bits; /* [const] width of guest-physical addresses */

	struct soft_tlbs *tlbs;     /* tlb.c */
	struct soft_blocks *blocks; /* blocks.c */
	void *native;               /* native part */
	soft_handler *native_slow;  /* what stubs branch to, when a bit that they need ... */
	uint8_t native_gate;        /* ... is set here (native.h) */

	uint64_t *
		writers; /* hashed: pages that the TLB may have rights to write to; [any] to read */
	struct soft_requests *requests; /* of other threads: requests.c */
	struct soft_jump *jump;         /* blocks by address: blocks.h */
	struct soft_link *pending;      /* the link that the last block left by, to be set */

	uint64_t instructions; /* retired in blocks: for statistics, not exact */
};

static inline struct soft_vcpu *soft_of(struct vcpu *vcpu)
{
	return (struct soft_vcpu *)vcpu;
}

struct soft_vm {
	struct vm vm;
	struct host_mutex split_lock; /* locked operations that cross a page */
	struct soft_code *code;       /* code_pages.c */
	void *native;                 /* native part; [any] by its own rules */
};

static inline struct soft_vm *soft_vm_of(struct soft_vcpu *c)
{
	return (struct soft_vm *)c->vcpu.vm;
}

static inline void soft_next(struct soft_vcpu *c, const struct soft_op *op)
{
	op[1].run(c, op + 1);
}

/* From the end of a block to the next one, or out of run() when another thread wants that. */
static inline void soft_go(struct soft_vcpu *c, struct soft_link *link)
{
	__atomic_load_n(&c->enter, __ATOMIC_RELAXED)(c, link);
}

static inline void soft_go_far(struct soft_vcpu *c, struct soft_link *link)
{
	__atomic_load_n(&c->enter_far, __ATOMIC_RELAXED)(c, link);
}

static inline void soft_go_indirect(struct soft_vcpu *c)
{
	__atomic_load_n(&c->enter_indirect, __ATOMIC_RELAXED)(c);
}

/* RIP from the block's start to where the instruction, or the next one, stands. */
static inline void soft_rip_advance(struct soft_vcpu *c, uint32_t bytes)
{
	uint64_t rip = c->vcpu.state.rip + bytes;

	c->vcpu.state.rip = c->long64 ? rip : (uint32_t)rip;
}

static inline void soft_done(struct soft_vcpu *c, const struct soft_op *op)
{
	soft_rip_advance(c, op->at + op->length);
}

static inline void soft_stop(struct soft_vcpu *c, const struct soft_op *op)
{
	soft_rip_advance(c, op->at);
}

/* Between a block and who sees state.rflags: sets that from c->flags, and the other way round. */
void soft_flags_sync(struct soft_vcpu *c);
void soft_flags_load(struct soft_vcpu *c);
/*
 * Goes on behind it if it was done.  Work that gives others the addresses of its locals must be
 * apart, or its handler would keep its frame while the next ones run in theirs: frames would pile
 * up without end.
 */
static inline void soft_next_if(struct soft_vcpu *c, const struct soft_op *op, bool done)
{
	if (SOFT_UNLIKELY(!done)) {
		soft_stop(c, op);
		return;
	}
	soft_next(c, op);
}
#define SOFT_APART __attribute__((noinline))
/* The other way round: of the short ways, which must not call anything. */
#define SOFT_INLINE inline __attribute__((always_inline))

/* RFLAGS as they are, whether state.rflags or c->flags has the arithmetic ones. */
uint64_t soft_flags_get(const struct soft_vcpu *c);
/* All of RFLAGS, reserved bits included; IF, TF, AC... take effect when the block ends. */
void soft_flags_put(struct soft_vcpu *c, uint64_t rflags);

/* --- Faults and exits: the caller then stops the instruction
 * ------------------------------------ */

void soft_fault(struct soft_vcpu *c, uint8_t vector);
void soft_fault_error(struct soft_vcpu *c, uint8_t vector, uint32_t error);
void soft_fault_page(struct soft_vcpu *c, uint64_t linear, uint32_t error);
/* An exit; the caller fills in the rest of c->exit. */
void soft_exit(struct soft_vcpu *c, enum exit_kind kind, uint8_t length);

/*
 * A device access: true when it is done, *data being what was read; false when the core must do
 * it: then the instruction stops (the exit is raised) and is run again, with the answer there.
 */
bool soft_access(struct soft_vcpu *c, enum exit_space space, bool write, uint64_t address,
		 uint8_t size, uint64_t *data);

/* --- Memory
 * ------------------------------------------------------------------------------------- */

/* The memory operand's offset in its segment. */
static inline uint64_t soft_offset(struct soft_vcpu *c, const struct soft_op *op)
{
	const uint64_t *registers = (const uint64_t *)(const void *)&c->vcpu.state;
	uint64_t offset = registers[op->base] + (registers[op->index] << op->scale) +
			  (uint64_t)(int64_t)op->displacement;

	return c->long64 ? offset : (uint32_t)offset;
}

/*
 * segment:offset as the current CPL may access it, 1 to 4096 bytes, in all modes: segment limit
 * and rights or canonical form, paging, devices, code pages, dirty log, breakpoints.  false: the
 * instruction stops.  A write that fails has written nothing (but a device's first part).
 */
bool soft_read(struct soft_vcpu *c, unsigned segment, uint64_t offset, void *to, size_t size);
bool soft_write(struct soft_vcpu *c, unsigned segment, uint64_t offset, const void *from,
		size_t size);
/* Only looks whether it could be written, or read: raises the fault if not. */
bool soft_probe(struct soft_vcpu *c, unsigned segment, uint64_t offset, size_t size, bool write);

/*
 * For an operation on memory, of up to 64 bytes: a pointer to the bytes themselves or to a copy;
 * NULL: stop.  After an update the caller must call soft_update_end() before it commits anything
 * else, and stop if that is false.
 */
const void *soft_read_at(struct soft_vcpu *c, unsigned segment, uint64_t offset, size_t size);
void *soft_update_at(struct soft_vcpu *c, unsigned segment, uint64_t offset, size_t size);
bool soft_update_end_slow(struct soft_vcpu *c);
static inline bool soft_update_end(struct soft_vcpu *c, const void *at)
{
	return SOFT_LIKELY(at != c->bounce) || soft_update_end_slow(c);
}

/*
 * segment:offset to a linear address, with the segment's checks (#GP(0), or #SS(0) for SS).
 * ok is false when a fault was raised.
 */
struct soft_linear {
	uint64_t address;
	bool ok;
};
struct soft_linear soft_linear(struct soft_vcpu *c, unsigned segment, uint64_t offset, size_t size,
			       bool write);

/* By linear address, 1 to 4096 bytes.  user and supervisor: explicit accesses as CPL 3 or 0, with
 * SMAP as RFLAGS.AC says; system: implicit ones (GDT, IDT, TSS...), always supervisor's. */
enum soft_privilege { SOFT_SUPERVISOR, SOFT_USER, SOFT_SYSTEM };
bool soft_read_linear(struct soft_vcpu *c, enum soft_privilege privilege, uint64_t linear, void *to,
		      size_t size);
bool soft_write_linear(struct soft_vcpu *c, enum soft_privilege privilege, uint64_t linear,
		       const void *from, size_t size);
/* Raises the fault that the access would, without it. */
bool soft_probe_linear(struct soft_vcpu *c, enum soft_privilege privilege, uint64_t linear,
		       size_t size, bool write);

/* The current stack: SS:RSP.  size is 2, 4 or 8.  RSP changes when all went well. */
bool soft_push(struct soft_vcpu *c, uint64_t value, uint8_t size);
bool soft_pop(struct soft_vcpu *c, uint64_t *value, uint8_t size);
/* What stands offset bytes above the top, without popping. */
bool soft_peek(struct soft_vcpu *c, uint64_t offset, uint64_t *value, uint8_t size);
void soft_stack_move(struct soft_vcpu *c, int64_t bytes);

/* --- What others must say when they change something (from within system operations)
 * ------------ */

/*
 * CS, SS or another segment, CPL, CR0, CR4, EFER, RFLAGS.VM or AC, DR7 have changed: all that is
 * derived from state is derived anew.  A change of what paging depends on (CR0.PG, WP, CR4.PSE,
 * PAE, PGE, SMEP, SMAP, LA57, PKE, EFER.NXE, LMA) flushes the TLB by itself.  Called by the run
 * loop after each system operation; by the system part itself only if it goes on in between.
 */
void soft_changed(struct soft_vcpu *c);

/* CR3 has been written (state.cr3 is new, without bit 63): keep is that bit, with PCIDs. */
void soft_cr3_changed(struct soft_vcpu *c, bool keep);
/* Loads c->pdpte from CR3 (PAE paging): false: a reserved bit is set, nothing changed. */
bool soft_load_pdptes(struct soft_vcpu *c, uint64_t cr3);
void soft_tlb_flush_page(struct soft_vcpu *c, uint64_t linear); /* INVLPG: all PCIDs, globals */
void soft_tlb_flush_pcid(struct soft_vcpu *c, unsigned pcid);   /* but globals */
void soft_tlb_flush_all(struct soft_vcpu *c);                   /* globals, too */
/* Whether the address can be a linear one now: 48 or 57 bits. */
bool soft_canonical(const struct soft_vcpu *c, uint64_t linear);

/* --- What the system part provides to the others
 * ------------------------------------------------ */

/*
 * Delivers an event through the IDT: with RIP as it is to be pushed.  Faults on the way become
 * contributory, double and triple faults in here.  false: it exited on its way (c->exit is filled
 * in), and is to be tried again from its start, or the machine has shut down.
 */
bool soft_deliver(struct soft_vcpu *c, const struct cpu_event *event, uint64_t fault_address);

/* IOPL and the TSS's I/O map: raises #GP(0) and is false if size bytes at port are not allowed. */
bool soft_port_allowed(struct soft_vcpu *c, uint16_t port, uint8_t size);
/* I/O breakpoints (CR4.DE); data breakpoints: note what was hit, in c->debug_hits. */
void soft_debug_port(struct soft_vcpu *c, uint16_t port, uint8_t size);
void soft_debug_data(struct soft_vcpu *c, uint64_t linear, size_t size, bool write);
/* Whether a data breakpoint lies in the page of linear: then no access goes past the TLB's slow
 * way. */
bool soft_debug_watched(const struct soft_vcpu *c, uint64_t linear);
/* Whether there are data breakpoints: for c->watching, whenever soft_changed() is called. */
bool soft_debug_watching(const struct soft_vcpu *c);
/* Whether an instruction breakpoint is set: then each instruction is asked for. */
bool soft_debug_fetching(const struct soft_vcpu *c);
/* Before an instruction at state.rip, RF clear: true if a breakpoint's #DB was raised, or an exit
 * to the debugger outside. */
bool soft_debug_fetch(struct soft_vcpu *c);
/*
 * After an instruction retired with TF set at its start (trace), or debug_hits, or the debugger's
 * step: raises #DB (as a trap: c->stop is SOFT_TRAP) or exits.  Returns whether it did.
 */
bool soft_debug_retired(struct soft_vcpu *c, bool trace);

/* The exceptions of an instruction's class before its operands are looked at (CR0.EM, TS,
 * CR4.OSFXSR, OSXSAVE, XCR0...), by its attributes: true if one was raised.  Native part. */
bool soft_native_blocked(struct soft_vcpu *c, const struct decode_insn *insn);

#endif
