/* SPDX-License-Identifier: MIT */
/*
 * decode_attributes.h - what an instruction is like, for who builds blocks, checks rights or runs
 * it natively: bits of decode_insn.attributes, and of an operand's access.
 */
#ifndef DYAD_LIB_DECODE_ATTRIBUTES_H
#define DYAD_LIB_DECODE_ATTRIBUTES_H

/* Near jumps, calls, returns: ends a block. */
#define DECODE_BRANCH 0x0001
/* Far jumps, calls, returns, INT, IRET, SYSCALL, SYSENTER...: ends a block. */
#define DECODE_FAR_TRANSFER 0x0002
/* #GP unless CPL is 0. */
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

#endif
