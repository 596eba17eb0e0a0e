/* SPDX-License-Identifier: MIT */
/*
 * decode.h - the x86 instruction decoder: bytes in, one struct decode_insn out.  Freestanding,
 * without state, and of bounded work.  Its tables are generated from lib/decode/instructions.txt.
 *
 * It knows every encoding of the 16, 32 and 64-bit modes up to AVX2, BMI, AES, SHA, ADX and
 * FSGSBASE. Which of them a guest's CPUID offers is for who executes to look at (feature).
 */
#ifndef DYAD_LIB_DECODE_H
#define DYAD_LIB_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Generated: enum decode_op and enum decode_feature (FEATURE_SSE2...; FEATURE_BASE: every CPU).
 *
 * An op is one operation, whatever its operand size and encoding: the VEX form of ADDPD is
 * OP_ADDPD, too, and only what has no legacy form has a V in its name (OP_VPERMQ). Sizes are in
 * operand_size, address_size and the operands': OP_MOVS (with all sizes; OP_MOVSD is the vector's),
 * OP_CBW (also CWDE, CDQE), OP_CWD (CDQ, CQO), OP_MOVD (also MOVQ with a general register),
 * OP_PINSRD, OP_PEXTRD (and Q), OP_FXSAVE (operand_size 8: FXSAVE64), OP_JCXZ. Conditions are the
 * opcode's: OP_JCC, OP_SETCC, OP_CMOVCC. What differs in meaning is apart: OP_MOV, OP_MOV_SREG,
 * OP_MOV_CR, OP_MOV_DR; OP_PUSH, OP_PUSH_SREG; OP_JMP_NEAR, OP_JMP_FAR, OP_CALL_..., OP_RET_...
 */
#include "lib/decode_attributes.h"
#include "lib/decode_op.h"

#define DECODE_LENGTH_MAX 15
#define DECODE_OPERANDS_MAX 6

/*
 * DECODE_64 is as AMD's CPUs do it: prefix 66 makes near branches 16 bits wide, and far pointers in
 * memory have offsets of at most 32 bits. With DECODE_64_INTEL the prefix does nothing there, and
 * REX.W makes offsets of 64 bits; insn.mode is DECODE_64 then, too.
 */
enum decode_mode { DECODE_16, DECODE_32, DECODE_64, DECODE_64_INTEL };

enum decode_result {
	DECODE_OK,
	DECODE_SHORT,    /* goes on behind the bytes given: fetch more (or fault on the fetch) */
	DECODE_INVALID,  /* #UD; length is how many bytes had to be looked at */
	DECODE_TOO_LONG, /* more than 15 bytes: #GP(0) */
};

#define DECODE_NO_REG 0xff
#define DECODE_RIP 0x10 /* as a base: relative to the next instruction's address */

/* segment[base + index * scale + displacement], computed at address_size. */
struct decode_memory {
	uint8_t segment;     /* ES CS SS DS FS GS as 0 to 5: the override, else DS or SS */
	uint8_t base, index; /* general registers, or DECODE_NO_REG; base also DECODE_RIP */
	uint8_t index_class; /* DECODE_GPR; of gathers DECODE_XMM or DECODE_YMM */
	uint8_t scale;       /* 1, 2, 4, 8 */
	int64_t displacement;
};

enum decode_encoding { DECODE_LEGACY, DECODE_VEX };

struct decode_insn {
	uint16_t op; /* enum decode_op */
	uint8_t length;
	uint8_t mode;     /* enum decode_mode */
	uint8_t encoding; /* enum decode_encoding */
	uint8_t map;      /* 0: one byte, 1: 0F, 2: 0F38, 3: 0F3A; also VEX's */
	uint8_t opcode;   /* the last byte of it */
	uint8_t feature;  /* enum decode_feature */
	uint32_t attributes;

	/* Prefixes */
	bool lock, operand_override, address_override;
	uint8_t rep;              /* 0, 0xf2 or 0xf3: the last of them, mandatory prefix or not */
	uint8_t segment_override; /* 0 to 5, or DECODE_NO_REG; in 64-bit mode only FS and GS count
				   */
	uint8_t rex; /* 0x40 to 0x4f, or 0; for VEX the bits of the same meaning, 0x40 set */
	uint8_t vex_l, vex_vvvv; /* vvvv not inverted */
	uint8_t vex_pp;          /* 1, 2, 3: as the prefixes 66, F3, F2 */
	bool has_modrm;
	uint8_t modrm, sib;

	uint8_t operand_size; /* 1, 2, 4, 8: of the integer operation */
	uint8_t address_size; /* 2, 4, 8 */
	uint8_t stack_size;   /* 2, 4, 8: of a push or pop by that instruction (DECODE_STACK) */
	/* Explicit ones first, in Intel's order, then implicit ones; without RSP of the stack's and
	 * the counts and addresses of string instructions. A shift by 1 has it as an immediate. */
	uint8_t operand_count;
	struct decode_operand operand[DECODE_OPERANDS_MAX];
	struct decode_memory memory;
	int64_t immediate, immediate2;

	/* Where in the bytes its parts stand, for who re-encodes it; 0: it has none. */
	uint8_t opcode_at, modrm_at, displacement_at, immediate_at;
	uint8_t displacement_size, immediate_size;

	/*
	 * Bits of RFLAGS: the arithmetic ones and DF, also IF and others where it has them. What
	 * may stay as it is, by a shift by CL or by repeated CMPS and SCAS, counts as read, too; a
	 * shift by an immediate that is 0 has none.
	 */
	uint32_t flags_read, flags_written,
		flags_undefined; /* undefined ones are in written, too */
};

/*
 * Decodes the instruction that begins at bytes, of which size (at least 1) can be read.  insn is
 * filled in on DECODE_OK alone, but for its length.
 */
enum decode_result decode(enum decode_mode mode, const uint8_t *bytes, size_t size,
			  struct decode_insn *insn);

/* The mnemonic, in lower case ("add"). */
const char *decode_op_name(enum decode_op op);

#endif
