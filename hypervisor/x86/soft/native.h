/* SPDX-License-Identifier: MIT */
/*
 * native.h - the native part of the soft CPU, within itself: x87, MMX, SSE and AVX instructions run
 * on the host's own CPU, on copies of the guest's operands.
 *
 *   native.c           compiles ops; what is loaded in the CPU and what in state; blocked classes
 *   native_stub.c      an instruction's form -> a stub of machine code, and the stubs found again
 *   native_encode.c    machine code
 *   native_memory.c    ops with a memory operand
 *   native_simd.c      unmasked SIMD exceptions
 *   native_mask.c      masked moves and gathers
 *   native_x87.c       x87 environments, control instructions
 *   native_xsave.c     FXSAVE, XSAVE and their kin, MXCSR
 *
 * XMM and YMM registers are always in state.xsave.  The x87 and MMX registers and MXCSR are loaded
 * in the CPU when the first instruction needs them, and stay there until run() ends or something
 * wants to see them in state; native->gate tells what is there.
 */
#ifndef DYAD_HYPERVISOR_X86_SOFT_NATIVE_H
#define DYAD_HYPERVISOR_X86_SOFT_NATIVE_H

#include "hypervisor/x86/soft/soft.h"
#include "lib/bytes.h"

/* Bits of soft_vcpu.native_gate: what an op that needs it has to have somebody look at first. */
#define GATE_X87 0x01u /* #NM */
#define GATE_MMX 0x02u /* #UD, #NM */
#define GATE_SSE 0x04u /* #UD, #NM */
#define GATE_AVX 0x08u /* #UD, #NM */
#define GATE_BLOCKED (GATE_X87 | GATE_MMX | GATE_SSE | GATE_AVX)
#define GATE_MXCSR 0x10u   /* the guest's isn't loaded, or has unmasked exceptions */
#define GATE_ST 0x20u      /* the x87 registers aren't loaded */
#define GATE_PENDING 0x40u /* the x87 registers are loaded, and an exception may be pending */

#define NATIVE_CODE_SIZE ((size_t)1 << 20)
#define NATIVE_FORMS_LOG 14
#define NATIVE_FORMS ((size_t)1 << NATIVE_FORMS_LOG)
#define NATIVE_SPECIAL_MAX (NATIVE_FORMS / 4)

#define FCW_INIT 0x37fu
#define FCW_MASKS 0x3fu
#define FSW_ES 0x80u
#define MXCSR_INIT 0x1f80u
#define MXCSR_VALID 0xffffu
#define MXCSR_FLAGS 0x3fu
#define MXCSR_MASKS_SHIFT 7
#define MXCSR_MASKS 0x1f80u

typedef void native_stub(struct soft_vcpu *c, const struct soft_op *op, void *memory);

/* The guest's registers, by where an instruction has their numbers. */
struct native_numbers {
	uint8_t reg, rm, vvvv, is4;
};

struct native_form {
	uint64_t key; /* 0: free */
	uint32_t code;
	uint8_t gate;
	bool waits;    /* raises a pending #MF */
	bool pointers; /* sets x87's last instruction and data pointers */
	uint8_t body;  /* from code: behind the look at the gate */
	uint8_t gprs;  /* bit 0: ModRM.reg is a general register; bit 1: ModRM.rm */
};

struct native {
	uint8_t *writable, *executable; /* NATIVE_CODE_SIZE bytes */
	size_t used;
	uint32_t form_count;
	uint32_t special_max;       /* stubs for one choice of registers are made up to here */
	bool reused;                /* there were other stubs before these */
	bool mxcsr_owned, st_owned; /* those in the CPU aren't the host's */
	uint32_t host_mxcsr;
	uint16_t host_fcw;
	uint64_t features;        /* bits by enum decode_feature: what the host has */
	struct soft_op single[2]; /* an op that is run alone, and what ends it */
	_Alignas(64) uint8_t memory[64];
	_Alignas(64) uint8_t fx[512];
	uint8_t saved[CPU_XSAVE_YMM + 256 - CPU_XSAVE_XMM];
	struct native_form form[NATIVE_FORMS];
};
_Static_assert(FEATURE_COUNT <= 64, "a bit for each");

/* The elements of a result that may be too small without being inexact. */
enum native_tiny { TINY_NONE, TINY_HALF, TINY_SINGLE, TINY_DOUBLE };

/* What op->data points to. */
struct native_op {
	native_stub *stub; /* all but the look at the gate */
	uint16_t fop;
	uint8_t gate, size, align; /* align: bits that must be clear in the operand's address */
	bool waits, pointers, x87;
	uint8_t tiny, tiny_size; /* enum native_tiny, and in how many bytes of the destination */
};

/* An instruction that a C function runs. */
typedef bool native_execute(struct soft_vcpu *c, const struct soft_op *op,
			    const struct decode_insn *insn);
struct native_rare {
	native_execute *execute; /* false: a fault was raised, or an exit */
	struct decode_insn insn;
};

static inline struct native *native_of(struct soft_vcpu *c)
{
	return c->native;
}

static inline uint8_t *native_area(struct soft_vcpu *c)
{
	return c->vcpu.state.xsave;
}

/* native.c */

enum native_ready { NATIVE_STOP, NATIVE_GO, NATIVE_UNMASKED };
/* Makes what gate asks for ready; NATIVE_STOP: an exception was raised. */
enum native_ready native_prepare(struct soft_vcpu *c, unsigned gate);
/* Brings state up to date; what is loaded stays so. */
void native_save_st(struct soft_vcpu *c);
void native_save_mxcsr(struct soft_vcpu *c);
/* state has changed (or will): what is loaded is void. */
void native_drop_st(struct soft_vcpu *c);
void native_drop_mxcsr(struct soft_vcpu *c);
/* Whether an x87 exception is pending in what is loaded. */
bool native_pending(void);
/* What is loaded has got this control word. */
void native_fcw_changed(struct soft_vcpu *c, uint16_t fcw);
/* Runs an op's stub alone, not what follows the op. */
void native_run(struct soft_vcpu *c, const struct soft_op *op, void *memory);
/* The guest's MXCSR is in state, and the CPU has another for a moment. */
void native_mxcsr_set(struct soft_vcpu *c, uint32_t mxcsr);
uint32_t native_mxcsr_get(void);

/* native_features.c: bits by enum decode_feature, what this host can run. */
uint64_t native_features(void);

/* native_stub.c */

/* false: #UD in this mode. */
bool native_stub_valid(const struct decode_insn *insn);
bool native_stub_room(const struct native *native);
/* NULL: no room for another form, or none that can be. */
const struct native_form *native_stub_get(struct soft_vcpu *c, const struct decode_insn *insn);
void native_stub_fields(const struct native_form *form, const struct decode_insn *insn,
			struct soft_op *op);

/* native_memory.c */
void native_load(struct soft_vcpu *c, const struct soft_op *op);
void native_store(struct soft_vcpu *c, const struct soft_op *op);
/* Notes where x87's last instruction was, and its operand. */
void native_pointers(struct soft_vcpu *c, uint64_t rip, unsigned segment, uint64_t offset);

/* native_simd.c: runs it although some exceptions are unmasked.  false: one was raised. */
bool native_run_unmasked(struct soft_vcpu *c, const struct soft_op *op, void *memory);
/* Fills in tiny and tiny_size. */
void native_simd_results(const struct decode_insn *insn, struct native_op *n);

/* native_x87.c, native_xsave.c: what is loaded is void then. */
void native_control_put(struct soft_vcpu *c, uint16_t fcw, uint16_t fsw);
void native_x87_init(struct soft_vcpu *c);
/* What an MMX instruction does to the unit: top is 0, no register is empty. */
void native_mmx_enter(struct soft_vcpu *c);

/* Those of a C function, or NULL; native_mask.c, native_x87.c, native_xsave.c */
native_execute *native_mask_find(const struct decode_insn *insn);
native_execute *native_x87_find(const struct decode_insn *insn);
native_execute *native_xsave_find(const struct decode_insn *insn);

#endif
