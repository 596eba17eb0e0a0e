/* SPDX-License-Identifier: MIT */
/*
 * image.h - where the parts of the runtime's image are (type1/boot/runtime.ld, start.S).
 */
#ifndef DYAD_TYPE1_IMAGE_H
#define DYAD_TYPE1_IMAGE_H

extern char image_start[], image_text_end[], image_rodata_end[], image_end[];
extern char boot_stack_guard[], boot_stack_top[];

#endif
