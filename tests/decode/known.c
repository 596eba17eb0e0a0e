/* SPDX-License-Identifier: MIT */
/*
 * Where the decoder and Zydis 4.0 differ, and why the decoder is right as it is. Each line has been
 * looked at; where hardware was asked, an AMD CPU of family 17h or later was.
 */
#include <string.h>

#include "lib/bits.h"
#include "tests/decode/compare.h"

/* Extensions that the decoder does not know, so that they are #UD (or hints). */
static bool foreign(const struct compared *compared)
{
	static const ZydisISAExt extensions[] = {
		ZYDIS_ISA_EXT_AMD3DNOW,  ZYDIS_ISA_EXT_AMD_INVLPGB, ZYDIS_ISA_EXT_AMX_BF16,
		ZYDIS_ISA_EXT_AMX_INT8,  ZYDIS_ISA_EXT_AMX_TILE,    ZYDIS_ISA_EXT_AVX512EVEX,
		ZYDIS_ISA_EXT_AVX512VEX, ZYDIS_ISA_EXT_AVX_VNNI,    ZYDIS_ISA_EXT_CET,
		ZYDIS_ISA_EXT_ENQCMD,    ZYDIS_ISA_EXT_FMA4,        ZYDIS_ISA_EXT_GFNI,
		ZYDIS_ISA_EXT_HRESET,    ZYDIS_ISA_EXT_KEYLOCKER,   ZYDIS_ISA_EXT_KEYLOCKER_WIDE,
		ZYDIS_ISA_EXT_KNC,       ZYDIS_ISA_EXT_KNCE,        ZYDIS_ISA_EXT_KNCV,
		ZYDIS_ISA_EXT_MCOMMIT,   ZYDIS_ISA_EXT_MOVDIR,      ZYDIS_ISA_EXT_PADLOCK,
		ZYDIS_ISA_EXT_PCONFIG,   ZYDIS_ISA_EXT_PT,          ZYDIS_ISA_EXT_RTM,
		ZYDIS_ISA_EXT_SERIALIZE, ZYDIS_ISA_EXT_SGX,         ZYDIS_ISA_EXT_SGX_ENCLV,
		ZYDIS_ISA_EXT_SMX,       ZYDIS_ISA_EXT_SNP,         ZYDIS_ISA_EXT_TBM,
		ZYDIS_ISA_EXT_TDX,       ZYDIS_ISA_EXT_TSX_LDTRK,   ZYDIS_ISA_EXT_UINTR,
		ZYDIS_ISA_EXT_WAITPKG,   ZYDIS_ISA_EXT_XOP,
	};
	unsigned i;

	for (i = 0; i < ARRAY_COUNT(extensions); i++)
		if (compared->theirs.meta.isa_ext == extensions[i])
			return true;
	return false;
}

static bool alternative_cr8(const struct compared *compared)
{
	return compared->ours.feature == FEATURE_ALTMOVCR8;
}

/* REX.W and a far pointer in memory. */
static bool amd_far_pointer(const struct compared *compared)
{
	switch (compared->ours.op) {
	case OP_LSS:
	case OP_LFS:
	case OP_LGS:
	case OP_JMP_FAR:
	case OP_CALL_FAR:
		return compared->mode == DECODE_64 && compared->ours.rex & 8;
	}
	return false;
}

static bool selector_source(const struct compared *compared)
{
	return compared->ours.op == OP_LAR || compared->ours.op == OP_LSL;
}

/* A register of 64 or 16 bits for a branch with prefix 66. */
static bool amd_near_branch(const struct compared *compared)
{
	return compared->mode == DECODE_64 && compared->ours.operand_override &&
	       (compared->ours.op == OP_CALL_NEAR || compared->ours.op == OP_JMP_NEAR);
}

static bool movsxd16(const struct compared *compared)
{
	return compared->ours.op == OP_MOVSXD && compared->ours.operand_size == 2;
}

static bool prefetch_register(const struct compared *compared)
{
	return compared->theirs.opcode_map == ZYDIS_OPCODE_MAP_0F &&
	       compared->theirs.opcode == 0x0d;
}

static bool rdpru(const struct compared *compared)
{
	return compared->theirs.mnemonic == ZYDIS_MNEMONIC_RDPRU;
}

static bool cache_line(const struct compared *compared)
{
	return compared->ours.op == OP_CLFLUSH || compared->ours.op == OP_CLFLUSHOPT ||
	       compared->ours.op == OP_CLWB;
}

static bool sign_mask(const struct compared *compared)
{
	return compared->ours.op == OP_MOVMSKPS || compared->ours.op == OP_MOVMSKPD;
}

static bool endbr(const struct compared *compared)
{
	return compared->ours.op == OP_ENDBR32 || compared->ours.op == OP_ENDBR64;
}

/* No base register but REX.B: a displacement of 32 bits stands for it. */
static bool no_base(const struct compared *compared)
{
	return (compared->ours.sib & 7) == 5 && compared->ours.modrm < 0x40 &&
	       compared->ours.memory.base == DECODE_NO_REG && compared->ours.address_size == 4;
}

static bool repeated(const struct compared *compared)
{
	return compared->ours.attributes & DECODE_REPEATABLE && compared->ours.rep;
}

static bool vector_test(const struct compared *compared)
{
	return compared->ours.op == OP_PTEST || compared->ours.op == OP_VTESTPS ||
	       compared->ours.op == OP_VTESTPD;
}

static bool svm(const struct compared *compared)
{
	return compared->ours.feature == FEATURE_SVM;
}

static bool in_registers(const struct compared *compared)
{
	return compared->ours.op == OP_VMFUNC || compared->ours.op == OP_MWAITX ||
	       compared->ours.op == OP_XLAT;
}

/* A vector register of which a part stays, or a memory operand of a masked store. */
static bool merges(const struct compared *compared)
{
	const struct decode_operand *first = &compared->ours.operand[0];

	return first->access == (DECODE_READ | DECODE_WRITE) &&
	       ((first->kind == DECODE_REGISTER && first->class >= DECODE_XMM &&
		 compared->ours.encoding == DECODE_LEGACY) ||
		(first->kind == DECODE_MEMORY && compared->ours.encoding == DECODE_VEX));
}

static bool bit_scan(const struct compared *compared)
{
	return compared->ours.op == OP_BSF || compared->ours.op == OP_BSR;
}

static bool shift(const struct compared *compared)
{
	switch (compared->ours.op) {
	case OP_ROL:
	case OP_ROR:
	case OP_RCL:
	case OP_RCR:
	case OP_SHL:
	case OP_SHR:
	case OP_SAR:
	case OP_SHLD:
	case OP_SHRD:
		return true;
	}
	return false;
}

static bool all_registers(const struct compared *compared)
{
	return compared->ours.op == OP_PUSHA || compared->ours.op == OP_POPA;
}

static bool is_lgdt(const struct compared *compared)
{
	return compared->ours.op == OP_LGDT;
}

static bool is_fstp_alias(const struct compared *compared)
{
	return compared->ours.op == OP_FSTP && compared->theirs.mnemonic == ZYDIS_MNEMONIC_FSTPNCE;
}

static bool xchg_r8(const struct compared *compared)
{
	return compared->ours.op == OP_XCHG && compared->ours.opcode == 0x90;
}

static bool wbinvd(const struct compared *compared)
{
	return compared->ours.op == OP_WBNOINVD;
}

static bool is_bextr(const struct compared *compared)
{
	return compared->ours.op == OP_BEXTR;
}

static bool is_sbb(const struct compared *compared)
{
	return compared->ours.op == OP_SBB;
}

static bool system_flags(const struct compared *compared)
{
	return compared->ours.op == OP_SYSCALL || compared->ours.op == OP_INT1 ||
	       compared->ours.op == OP_VMCALL;
}

static const struct {
	const char *what;
	bool (*is)(const struct compared *compared);
	const char *why;
} list[] = {
	{"valid for Zydis alone", foreign, "an extension that the decoder does not know"},
	{"valid for us alone", alternative_cr8, "LOCK MOV CR0 is CR8 on AMD"},
	{"memory: size", amd_far_pointer, "on AMD far pointers have offsets of at most 32 bits"},
	{"operand: register", amd_far_pointer, "so has the register"},
	{"operand: register", selector_source, "Zydis names 32 bits of which 16 are the selector"},
	{"operand: register", amd_near_branch, "on AMD prefix 66 makes it 16 bits wide (tried)"},
	{"memory: size", amd_near_branch, "on AMD prefix 66 makes it 16 bits wide (tried)"},
	{"operand: register", movsxd16, "on AMD it reads 32 bits, of which it takes 16"},
	{"valid for Zydis alone", prefetch_register,
	 "PREFETCH of a register is #UD (tried on AMD)"},
	{"valid for Zydis alone", rdpru, "RDPRU takes no prefixes, as MONITORX"},
	{"memory: size", cache_line, "a cache line; like the access to one byte of it"},
	{"operand: register", sign_mask, "REX.W or not, the upper half is cleared"},
	{"mnemonic", endbr, "Zydis' switch for it would bring shadow stacks, too"},
	{"memory: base", no_base, "Zydis has a base with REX.B where there is none"},
	{"flags: read", repeated, "repeated no times it leaves them"},
	{"flags: written", vector_test, "OF, SF, AF and PF are cleared"},
	{"privileged", svm, "but VMMCALL, SVM's are"},
	{"implicit registers", in_registers, "VMFUNC's leaf, MWAITX's timeout, XLAT's AL"},
	{"operand: access", merges, "what stays of the destination counts as read"},
	{"operand: access", bit_scan, "of 0 the destination stays"},
	{"flags: read", shift, "by CL, which may be 0: the flags stay"},
	{"flags: written", shift, "not by an immediate of 0"},
	{"flags: undefined", shift, "OF is defined for a shift by 1"},
	{"implicit registers", all_registers, "PUSHA and POPA: those of their name"},
	{"privileged", is_lgdt, "LGDT is"},
	{"mnemonic", is_fstp_alias, "an alias of FSTP"},
	{"mnemonic", xchg_r8, "F3 with REX.B and 90 is XCHG r8 (tried on AMD), no PAUSE"},
	{"mnemonic", wbinvd, "F2 and F3: the last one counts, as with all others"},
	{"flags: undefined", is_bextr, "CF and OF are cleared"},
	{"flags: undefined", is_sbb, "AF of SBB is defined"},
	{"flags: read", system_flags, "SYSCALL saves all flags"},
	{"flags: written", system_flags, "INT1 is like INT; VMCALL's are those of its failure"},
};

const char *known_difference(const struct compared *compared, const char *what)
{
	unsigned i;

	for (i = 0; i < ARRAY_COUNT(list); i++)
		if (!strcmp(list[i].what, what) && list[i].is(compared))
			return list[i].why;
	return NULL;
}
