/* SPDX-License-Identifier: MIT */
/*
 * decode_attributes.h - what an instruction is like, for who builds blocks, checks rights or runs
 * it natively: bits of decode_insn.attributes, and of an operand's access.
 */
#ifndef DYAD_LIB_DECODE_ATTRIBUTES_H
#define DYAD_LIB_DECODE_ATTRIBUTES_H

#include <stdbool.h>
#include <stdint.h>

/* Near jumps, calls, returns: ends a block. */
#define DECODE_BRANCH 0x0001
/* Far jumps, calls, returns, INT, IRET, SYSCALL, SYSENTER...: ends a block. */
#define DECODE_FAR_TRANSFER 0x0002
/* #GP unless CPL is 0; CLAC, STAC, MONITOR, MWAIT and RSM #UD. */
#define DECODE_PRIVILEGED 0x0004
/* IN, OUT, INS, OUTS. */
#define DECODE_IO 0x0008
/* Jcc, SETcc, CMOVcc: the condition is in the opcode's low 4 bits. */
#define DECODE_CONDITIONAL 0x0010
/* Takes a LOCK prefix with a memory destination. */
#define DECODE_LOCKABLE 0x0020
/* #NM by CR0.EM or TS, then #MF. */
#define DECODE_X87_INSN 0x0040
/* #UD by CR0.EM, #NM by TS, #MF pending; sets the tag word (not EMMS). */
#define DECODE_MMX_INSN 0x0080
/* #UD unless CR4.OSFXSR and not CR0.EM; #NM by CR0.TS. */
#define DECODE_SSE_INSN 0x0100
/* VEX-encoded vector: #UD unless CR4.OSXSAVE and XCR0 has it; #NM by TS. */
#define DECODE_AVX_INSN 0x0200
/* Its memory operand must be aligned to its size, else #GP(0). */
#define DECODE_ALIGNED 0x0400
/* May raise #XM (reads and writes MXCSR). */
#define DECODE_SIMD_FP 0x0800
#define DECODE_SERIALIZING 0x1000
/* A string instruction: rep says which prefix it has. */
#define DECODE_REPEATABLE 0x2000
/* #UD in real and virtual-8086 mode (VEX, LLDT, ARPL...). */
#define DECODE_PROTECTED_ONLY 0x4000
/* Has an implicit access at SS:RSP. */
#define DECODE_STACK 0x8000

#define DECODE_READ 1
#define DECODE_WRITE 2

enum decode_kind {
	DECODE_NONE,
	DECODE_REGISTER,
	DECODE_MEMORY,     /* insn.memory */
	DECODE_IMMEDIATE,  /* insn.immediate, sign-extended as the instruction does */
	DECODE_IMMEDIATE2, /* ENTER's, EXTRQ's second: insn.immediate2 */
	DECODE_RELATIVE,   /* a branch: immediate is added to the RIP of the next instruction */
	DECODE_FAR,    /* ptr16:16, ptr16:32: immediate is the offset, immediate2 the selector */
	DECODE_STRING, /* memory at seg:[RSI] or ES:[RDI] (reg: 6 or 7), of the string instructions;
			  also at seg:[RBX + AL] of XLAT (reg 3), seg:[RDI] of MASKMOV (reg 7),
			  seg:[RAX] of MONITOR (reg 0). The segment with an override is in
			  insn.memory. */
};

enum decode_class {
	DECODE_GPR,      /* of size 1: AL, CL, DL, BL, and with REX also SPL and so on */
	DECODE_GPR_HIGH, /* AH CH DH BH as 0 to 3, size 1 */
	DECODE_SEGMENT,
	DECODE_CONTROL,
	DECODE_DEBUG,
	DECODE_X87,
	DECODE_MMX,
	DECODE_XMM,
	DECODE_YMM,
};

struct decode_operand {
	uint8_t kind;  /* enum decode_kind */
	uint8_t class; /* enum decode_class, of a register */
	uint8_t reg;
	uint8_t access; /* DECODE_READ, DECODE_WRITE; of a conditional write both */
	uint16_t size;  /* bytes; of memory what is accessed (0: none, as LEA, or no fixed size:
			   FXSAVE) */
	bool implicit;  /* not encoded: RAX of MUL, RCX of a shift by CL, ... */
};

#endif
