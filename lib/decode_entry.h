/* SPDX-License-Identifier: MIT */
/*
 * decode_entry.h - what the decoder's tables are made of: known to tools/decode_tables.c, which
 * writes them, and to lib/decode.c, which reads them.
 */
#ifndef DYAD_LIB_DECODE_ENTRY_H
#define DYAD_LIB_DECODE_ENTRY_H

#include <stdint.h>

#include "lib/decode_attributes.h"

/* One byte, 0F, 0F38, 0F3A; then VEX's 0F, 0F38, 0F3A. */
#define DECODE_MAPS 7
#define DECODE_MAP_VEX 3 /* added to the number of a map for VEX */

/*
 * An opcode leads to a node. 0: invalid; with DECODE_NODE_SPLIT the place in decode_nodes[] of what
 * it depends on, followed by a node for each value; else an entry.
 */
#define DECODE_NODE_SPLIT 0x8000

enum decode_split {
	DECODE_SPLIT_MODE64,
	DECODE_SPLIT_PREFIX, /* none, 66, F3, F2 as VEX.pp has them */
	DECODE_SPLIT_REG,    /* ModRM.reg */
	DECODE_SPLIT_MOD3,
	DECODE_SPLIT_RM,
	DECODE_SPLIT_W,
	DECODE_SPLIT_L,
	DECODE_SPLIT_B,
	DECODE_SPLIT_LOCK,
	DECODE_SPLITS
};

/* How operand_size comes about. */
enum decode_size_rule {
	DECODE_RULE_V, /* 66 and REX.W */
	DECODE_RULE_Z, /* the same, at most 4 */
	DECODE_RULE_B, /* 1 */
	DECODE_RULE_Y, /* REX.W */
	DECODE_RULE_N64,
	DECODE_RULE_D64,
	DECODE_RULE_F64,
	DECODE_RULE_FARM,
};

/* What to do for an operand, beside filling in its size and register. */
enum decode_type {
	DECODE_TYPE_REGISTER,
	DECODE_TYPE_RM, /* the same, but memory if ModRM says so */
	DECODE_TYPE_SEGMENT,
	DECODE_TYPE_CONTROL,
	DECODE_TYPE_DEBUG,
	DECODE_TYPE_STRING,
	DECODE_TYPE_MX,
	DECODE_TYPE_MH,
	DECODE_TYPE_L,
	DECODE_TYPE_IMMEDIATE_SIGNED,
	DECODE_TYPE_IMMEDIATE_UNSIGNED,
	DECODE_TYPE_ONE,
	DECODE_TYPE_RELATIVE,
	DECODE_TYPE_FAR,
	DECODE_TYPE_OFFSET,
};

/* Where its register's number comes from. */
enum decode_source {
	DECODE_SOURCE_FIXED,
	DECODE_SOURCE_REG,
	DECODE_SOURCE_RM,
	DECODE_SOURCE_OPCODE,
	DECODE_SOURCE_VVVV,
	DECODE_SOURCE_REG8, /* of those with eight registers */
	DECODE_SOURCE_RM8,
};

/* Codes of sizes: fixed ones, then by what they depend on. */
enum decode_size {
	DECODE_SIZE_0,
	DECODE_SIZE_B,
	DECODE_SIZE_W,
	DECODE_SIZE_D,
	DECODE_SIZE_Q,
	DECODE_SIZE_T,
	DECODE_SIZE_O,
	DECODE_SIZE_U,
	DECODE_SIZE_V,
	DECODE_SIZE_Z,
	DECODE_SIZE_A,
	DECODE_SIZE_P,
	DECODE_SIZE_Y,
	DECODE_SIZE_N,
	DECODE_SIZE_S,
	DECODE_SIZE_M,
	DECODE_SIZE_X,
	DECODE_SIZE_H,
	DECODE_SIZE_K,
	DECODE_SIZE_E,
	DECODE_SIZES
};

struct decode_form_operand {
	struct decode_operand operand; /* as it is without size and register, and if not memory */
	uint8_t type, size, source;
};

struct decode_form {
	struct decode_form_operand operand[6];
	uint8_t count;
	bool memory; /* if ModRM.mod is not 3 */
	bool vector; /* ... with a vector of indices */
};

struct decode_flags {
	uint32_t read, written, undefined;
};

/* Attributes of entries that the decoder keeps to itself. */
#define DECODE_ENTRY_VVVV 0x80000000  /* VEX.vvvv is an operand; else it must be 1111 */
#define DECODE_ENTRY_SHIFT 0x40000000 /* has no flags if the immediate is 0 */

struct decode_entry {
	uint16_t op;
	uint16_t form;
	uint8_t flags;
	uint8_t feature;
	uint8_t rule; /* enum decode_size_rule */
	uint32_t attributes;
};

#endif
