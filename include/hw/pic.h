/* SPDX-License-Identifier: MIT */
/*
 * pic.h - the pair of 8259A interrupt controllers of a PC (Intel 8259A data sheet, "Programming the
 * 8259A"), and their edge/level control registers (Intel 82371SB data sheet, section 2.5.4.5).
 */
#ifndef DYAD_HW_PIC_H
#define DYAD_HW_PIC_H

#define PIC_MASTER_PORT 0x20
#define PIC_SLAVE_PORT 0xa0
#define PIC_ELCR_PORT 0x4d0 /* the master's; the slave's is the next */

#define PIC_PINS 8            /* of each */
#define PIC_CASCADE 2         /* the master's input that the slave is at */
#define PIC_SPURIOUS 7        /* what an acknowledge cycle without a request gives */
#define PIC_ELCR_MASTER 0xf8u /* inputs that may be level-triggered */
#define PIC_ELCR_SLAVE 0xdeu

/* Offset 0, written. */
#define PIC_ICW1 0x10u
#define PIC_ICW1_ICW4 0x01u
#define PIC_ICW1_SINGLE 0x02u
#define PIC_OCW3 0x08u /* without ICW1's bit; neither: OCW2 */
#define PIC_OCW3_READ 0x02u
#define PIC_OCW3_READ_ISR 0x01u
#define PIC_OCW3_POLL 0x04u
#define PIC_OCW3_SMM_SET 0x20u
#define PIC_OCW3_SMM 0x40u
#define PIC_OCW2_LEVEL 0x07u
#define PIC_OCW2_COMMAND_SHIFT 5
enum pic_ocw2 {
	PIC_ROTATE_AEOI_CLEAR = 0,
	PIC_EOI = 1,
	PIC_NOP = 2,
	PIC_EOI_SPECIFIC = 3,
	PIC_ROTATE_AEOI_SET = 4,
	PIC_EOI_ROTATE = 5,
	PIC_SET_PRIORITY = 6,
	PIC_EOI_SPECIFIC_ROTATE = 7,
};

/* Offset 1, written after ICW1; else the mask. */
#define PIC_ICW2_BASE 0xf8u
#define PIC_ICW4_AEOI 0x02u
#define PIC_ICW4_SFNM 0x10u

#define PIC_POLL_REQUEST 0x80u

#endif
