/* SPDX-License-Identifier: MIT */
/*
 * e1000e.h - registers and descriptors of Intel's 82574 Gigabit Ethernet controller ("Intel 82574
 * GbE Controller Family Datasheet"): what a driver without offloads needs.  Sections are those with
 * the descriptions of a group of registers.
 */
#ifndef DYAD_HW_E1000E_H
#define DYAD_HW_E1000E_H

#include <stddef.h>
#include <stdint.h>

#define E1000E_VENDOR 0x8086
#define E1000E_DEVICE_82574L 0x10d3
#define E1000E_DEVICE_82574LA 0x10f6

/* --- Registers, of 32 bits, in BAR 0 (section 10.1) */

#define E1000E_BAR 0
#define E1000E_BAR_SIZE 0x20000

#define E1000E_CTRL 0x00000
#define E1000E_STATUS 0x00008
#define E1000E_CTRL_EXT 0x00018
#define E1000E_ICR 0x000c0
#define E1000E_IMS 0x000d0
#define E1000E_IMC 0x000d8
#define E1000E_EIAC 0x000dc
#define E1000E_IAM 0x000e0
#define E1000E_IVAR 0x000e4
#define E1000E_EITR(n) (0x000e8 + 4 * (n))
#define E1000E_RCTL 0x00100
#define E1000E_TCTL 0x00400
#define E1000E_RDBAL 0x02800
#define E1000E_RDBAH 0x02804
#define E1000E_RDLEN 0x02808
#define E1000E_RDH 0x02810
#define E1000E_RDT 0x02818
#define E1000E_TDBAL 0x03800
#define E1000E_TDBAH 0x03804
#define E1000E_TDLEN 0x03808
#define E1000E_TDH 0x03810
#define E1000E_TDT 0x03818
#define E1000E_TXDCTL 0x03828
#define E1000E_RFCTL 0x05008
#define E1000E_MTA(n) (0x05200 + 4 * (n))
#define E1000E_MTA_COUNT 128
#define E1000E_RAL0 0x05400
#define E1000E_RAH0 0x05404

/* Device control (10.2.2). */
#define E1000E_CTRL_FULL_DUPLEX 0x00000001u
#define E1000E_CTRL_GIO_MASTER_DISABLE 0x00000004u
#define E1000E_CTRL_AUTO_SPEED 0x00000020u
#define E1000E_CTRL_SET_LINK_UP 0x00000040u
#define E1000E_CTRL_RESET 0x04000000u

/* Device status (10.2.2). */
#define E1000E_STATUS_LINK_UP 0x00000002u
#define E1000E_STATUS_GIO_MASTER_ENABLED 0x00080000u

/* Extended device control (10.2.2). */
#define E1000E_CTRL_EXT_EIAME 0x01000000u /* a message masks the causes of IAM */
#define E1000E_CTRL_EXT_DRIVER_LOADED 0x10000000u

/* Interrupt causes (10.2.4). */
#define E1000E_CAUSE_LINK_CHANGED 0x00000004u
#define E1000E_CAUSE_RECEIVE_QUEUE_0 0x00100000u
#define E1000E_CAUSE_OTHER 0x01000000u
#define E1000E_CAUSE_ALL 0xffffffffu

/* Vectors of causes (10.2.4): fields of three bits of number and one of validity. */
#define E1000E_IVAR_RECEIVE_QUEUE_0(vector) ((vector) | 0x8u)
#define E1000E_IVAR_OTHER(vector) (((vector) | 0x8u) << 16)

/* Receive control (10.2.5).  A buffer size of 2,048 bytes is zero. */
#define E1000E_RCTL_ENABLE 0x00000002u
#define E1000E_RCTL_UNICAST_PROMISCUOUS 0x00000008u
#define E1000E_RCTL_MULTICAST_PROMISCUOUS 0x00000010u
#define E1000E_RCTL_BROADCAST 0x00008000u
#define E1000E_RCTL_STRIP_CRC 0x04000000u
#define E1000E_RECEIVE_BUFFER 2048

/* Transmit control (10.2.6), with the thresholds that the datasheet advises for full duplex. */
#define E1000E_TCTL_ENABLE 0x00000002u
#define E1000E_TCTL_PAD_SHORT 0x00000008u
#define E1000E_TCTL_COLLISION_THRESHOLD (0x0fu << 4)
#define E1000E_TCTL_COLLISION_DISTANCE (0x3fu << 12)

/* Transmit descriptor control (10.2.6): thresholds in descriptors; bit 22 must be set. */
#define E1000E_TXDCTL_DESCRIPTORS 0x01000000u
#define E1000E_TXDCTL_BIT_22 0x00400000u

/* Receive address, high (10.2.5). */
#define E1000E_RAH_VALID 0x80000000u

/* Rings are aligned to 16 bytes, and a multiple of 128 bytes long (10.2.5, 10.2.6). */
#define E1000E_RING_ALIGNMENT 16

/* Legacy receive descriptor (section 7.1), which RFCTL.EXSTEN = 0 chooses. */
struct e1000e_receive_descriptor {
	uint64_t address;
	uint16_t length;
	uint16_t checksum;
	uint8_t status;
	uint8_t errors;
	uint16_t special;
};
_Static_assert(sizeof(struct e1000e_receive_descriptor) == 16, "e1000e_receive_descriptor");
_Static_assert(offsetof(struct e1000e_receive_descriptor, status) == 12, "receive status");

#define E1000E_RECEIVE_DONE 0x01
#define E1000E_RECEIVE_END 0x02 /* of the packet */

/* Legacy transmit descriptor (section 7.2). */
struct e1000e_transmit_descriptor {
	uint64_t address;
	uint16_t length;
	uint8_t checksum_offset;
	uint8_t command;
	uint8_t status;
	uint8_t checksum_start;
	uint16_t special;
};
_Static_assert(sizeof(struct e1000e_transmit_descriptor) == 16, "e1000e_transmit_descriptor");
_Static_assert(offsetof(struct e1000e_transmit_descriptor, status) == 12, "transmit status");

#define E1000E_TRANSMIT_END 0x01
#define E1000E_TRANSMIT_INSERT_FCS 0x02
#define E1000E_TRANSMIT_REPORT 0x08
#define E1000E_TRANSMIT_DONE 0x01

#endif
