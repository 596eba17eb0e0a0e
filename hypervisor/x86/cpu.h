/* SPDX-License-Identifier: MIT */
/*
 * cpu.h - the architectural state of an x86-64 CPU, as every backend and the KVM ABI see it.
 *
 * It is whole and current whenever its backend is not in the guest.  Guarded by the vCPU's mutex;
 * while the vCPU runs it belongs to the thread that runs it.
 */
#ifndef DYAD_HYPERVISOR_X86_CPU_H
#define DYAD_HYPERVISOR_X86_CPU_H

#include <stdbool.h>
#include <stdint.h>

enum cpu_register {
	CPU_RAX,
	CPU_RCX,
	CPU_RDX,
	CPU_RBX,
	CPU_RSP,
	CPU_RBP,
	CPU_RSI,
	CPU_RDI,
	CPU_R8,
	CPU_R9,
	CPU_R10,
	CPU_R11,
	CPU_R12,
	CPU_R13,
	CPU_R14,
	CPU_R15,
	CPU_REGISTERS
};

/* In the order in which instructions number them. */
enum cpu_segment_register { CPU_ES, CPU_CS, CPU_SS, CPU_DS, CPU_FS, CPU_GS, CPU_SEGMENTS };

/* A segment register with what it hides. */
struct cpu_segment {
	uint64_t base;
	uint32_t limit; /* in bytes, as the granularity bit has scaled it; the last valid offset */
	uint16_t selector;
	uint8_t type; /* the descriptor's 4 bits */
	uint8_t dpl;
	bool s, present, avl, l, db, g;
	bool unusable; /* loaded with a null selector */
};

struct cpu_table { /* GDTR, IDTR */
	uint64_t base;
	uint16_t limit;
};

/*
 * The XSAVE area in its standard form (Intel SDM volume 1, section 13.4): x87 and SSE in the first
 * 512 bytes, the header, then the components at the offsets that the core's CPUID leaf 0xd tells.
 */
#define CPU_XSAVE_SIZE 4096
#define CPU_XSAVE_FCW 0
#define CPU_XSAVE_FSW 2
#define CPU_XSAVE_FTW 4 /* abridged: a bit for each physical register, set if it is not empty */
#define CPU_XSAVE_FOP 6 /* of the last x87 instruction, with its address and its operand's */
#define CPU_XSAVE_FIP 8
#define CPU_XSAVE_FDP 16
#define CPU_XSAVE_MXCSR 24
#define CPU_XSAVE_ST 32
#define CPU_XSAVE_XMM 160
#define CPU_XSAVE_HEADER 512 /* XSTATE_BV, then XCOMP_BV (0 here) */
#define CPU_XSAVE_YMM 576    /* the upper halves: component 2 */
#define CPU_XSAVE_PKRU                                                                             \
	2688 /* component 9; its offset on the CPUs that have it, and ours always                  \
	      */

struct cpu_state {
	uint64_t gpr[CPU_REGISTERS];
	uint64_t rip;
	uint64_t rflags;

	struct cpu_segment segment[CPU_SEGMENTS];
	struct cpu_segment tr, ldtr;
	struct cpu_table gdtr, idtr;

	uint64_t cr0, cr2, cr3, cr4; /* CR8 is the local APIC's */
	uint64_t efer, xcr0;
	uint32_t pkru; /* the only copy: the XSAVE area's is filled in by who reads that */
	uint64_t dr[4], dr6, dr7;

	/* MSRs that the CPU itself uses */
	uint64_t star, lstar, cstar, sfmask, kernel_gs_base;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
	uint64_t tsc_aux, pat, xss;
	/* The guest's TSC is cpu_scale_tsc(tsc_ratio, host_tsc()) + tsc_offset, modulo 2^64. */
	uint64_t tsc_offset;
	uint64_t tsc_ratio; /* of its rate to the host's, in units of 2^-32; 0: they are equal */

	uint8_t cpl; /* the current privilege level; the DPL of SS but in virtual-8086 mode (3) */

	/* Interruptibility (Intel SDM volume 3, table 24-3). */
	bool sti_shadow, mov_ss_shadow, nmi_masked;

	/*
	 * The soft backend's, here to be near: an address that one operation computes for the next;
	 * and what an address form without a base or an index reads, always 0.
	 */
	uint64_t address, zero;

	_Alignas(64) uint8_t xsave[CPU_XSAVE_SIZE];
};

/* Ticks of the host's TSC as a guest's with such a tsc_ratio counts them (APM2 section 15.30.5). */
static inline uint64_t cpu_scale_tsc(uint64_t ratio, uint64_t ticks)
{
	return ratio ? (uint64_t)(((unsigned __int128)ticks * ratio) >> 32) : ticks;
}

/* The guest's TSC when the host's is tsc. */
static inline uint64_t cpu_tsc_at(const struct cpu_state *s, uint64_t tsc)
{
	return cpu_scale_tsc(s->tsc_ratio, tsc) + s->tsc_offset;
}

#define CPU_VECTOR_DE 0
#define CPU_VECTOR_DB 1
#define CPU_VECTOR_NMI 2
#define CPU_VECTOR_BP 3
#define CPU_VECTOR_OF 4
#define CPU_VECTOR_BR 5
#define CPU_VECTOR_UD 6
#define CPU_VECTOR_NM 7
#define CPU_VECTOR_DF 8
#define CPU_VECTOR_TS 10
#define CPU_VECTOR_NP 11
#define CPU_VECTOR_SS 12
#define CPU_VECTOR_GP 13
#define CPU_VECTOR_PF 14
#define CPU_VECTOR_MF 16
#define CPU_VECTOR_AC 17
#define CPU_VECTOR_MC 18
#define CPU_VECTOR_XM 19

enum cpu_event_kind {
	CPU_EVENT_NONE,
	CPU_EVENT_INTERRUPT,
	CPU_EVENT_NMI,
	CPU_EVENT_EXCEPTION,
	CPU_EVENT_SOFTWARE
};

/* Something that goes to the guest through its IDT before its next instruction. */
struct cpu_event {
	enum cpu_event_kind kind;
	uint8_t vector;
	bool has_error;
	uint32_t error;
};

/* Whether what the exception's handler returns to runs again, without its breakpoint: RF is in what
 * is pushed.  APM2 section 8.2. */
static inline bool cpu_is_fault(uint8_t vector)
{
	return vector != CPU_VECTOR_DB && vector != CPU_VECTOR_BP && vector != CPU_VECTOR_OF &&
	       vector != CPU_VECTOR_DF && vector != CPU_VECTOR_MC;
}

#endif
