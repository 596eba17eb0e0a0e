/* SPDX-License-Identifier: MIT */
/*
 * layout.h - what assembly and C share: selectors, and places in struct cpu and struct trap_frame.
 * cpu.c and trap.c assert that C has them so.
 */
#ifndef DYAD_TYPE1_LAYOUT_H
#define DYAD_TYPE1_LAYOUT_H

/* The GDT, in the order that SYSCALL and SYSRET want (APM2 section 6.1.1): STAR has KERNEL_CODE and
 * STAR_USER. */
#define SELECTOR_KERNEL_CODE 0x08
#define SELECTOR_KERNEL_DATA 0x10
#define SELECTOR_USER_DATA 0x1b
#define SELECTOR_USER_CODE 0x23
#define SELECTOR_TSS 0x28
#define SELECTOR_STAR_USER (SELECTOR_KERNEL_DATA | 3)

/* struct cpu, relative to GS */
#define CPU_SELF 0
#define CPU_KERNEL_STACK 8
#define CPU_USER_STACK 16
#define CPU_PREEMPT_OFF 24
#define CPU_RESCHEDULE 28

/* struct trap_frame */
#define TRAP_FRAME_CS 144
#define TRAP_FRAME_SIZE 176

/* Where the image stands in virtual memory: IMAGE_MAP of memory.h, + the physical address. */
#define LAYOUT_IMAGE_MAP 0xffffffff80000000
#define LAYOUT_IMAGE_PHYSICAL 0x200000

#endif
