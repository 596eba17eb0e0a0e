/* SPDX-License-Identifier: MIT */
/*
 * virtio.h - numbers and structures of virtio 1.2 (OASIS Committee Specification 01): device
 * status, feature bits, the split virtqueue, the PCI transport, and the devices that Dyad models.
 * All fields are little-endian, as is every machine that this runs on.
 */
#ifndef DYAD_HW_VIRTIO_H
#define DYAD_HW_VIRTIO_H

#include <stddef.h>
#include <stdint.h>

/* Device types, section 5. */
#define VIRTIO_ID_NET 1
#define VIRTIO_ID_BLOCK 2
#define VIRTIO_ID_CONSOLE 3
#define VIRTIO_ID_ENTROPY 4
#define VIRTIO_ID_BALLOON 5

/* Device status, section 2.1. */
#define VIRTIO_STATUS_ACKNOWLEDGE 0x01
#define VIRTIO_STATUS_DRIVER 0x02
#define VIRTIO_STATUS_DRIVER_OK 0x04
#define VIRTIO_STATUS_FEATURES_OK 0x08
#define VIRTIO_STATUS_DEVICE_NEEDS_RESET 0x40
#define VIRTIO_STATUS_FAILED 0x80

/* Feature bits that belong to no device type (bit numbers), section 6. */
#define VIRTIO_F_INDIRECT_DESC 28
#define VIRTIO_F_EVENT_IDX 29
#define VIRTIO_F_VERSION_1 32
#define VIRTIO_F_ACCESS_PLATFORM 33
#define VIRTIO_F_RING_PACKED 34
#define VIRTIO_F_IN_ORDER 35
#define VIRTIO_F_ORDER_PLATFORM 36
#define VIRTIO_F_SR_IOV 37
#define VIRTIO_F_NOTIFICATION_DATA 38
#define VIRTIO_F_NOTIF_CONFIG_DATA 39
#define VIRTIO_F_RING_RESET 40

/* --- Split virtqueue (section 2.7) ----------------------------------------------------------- */

#define VIRTQ_DESCRIPTOR_ALIGNMENT 16
#define VIRTQ_AVAILABLE_ALIGNMENT 2
#define VIRTQ_USED_ALIGNMENT 4

#define VIRTQ_DESC_F_NEXT 0x1
#define VIRTQ_DESC_F_WRITE 0x2 /* the device writes this buffer */
#define VIRTQ_DESC_F_INDIRECT 0x4

/* Section 2.7.5. */
struct virtq_desc {
	uint64_t address;
	uint32_t length;
	uint16_t flags;
	uint16_t next;
};
_Static_assert(sizeof(struct virtq_desc) == 16, "virtq_desc");
_Static_assert(offsetof(struct virtq_desc, flags) == 12, "virtq_desc.flags");

#define VIRTQ_AVAIL_F_NO_INTERRUPT 0x1

/* Section 2.7.6; a uint16_t used_event stands behind the ring. */
struct virtq_avail {
	uint16_t flags;
	uint16_t index;
	uint16_t ring[];
};
_Static_assert(offsetof(struct virtq_avail, ring) == 4, "virtq_avail.ring");

#define VIRTQ_USED_F_NO_NOTIFY 0x1

/* Section 2.7.8. */
struct virtq_used_element {
	uint32_t id;     /* the head of the chain */
	uint32_t length; /* bytes that the device wrote */
};
_Static_assert(sizeof(struct virtq_used_element) == 8, "virtq_used_element");

/* A uint16_t avail_event stands behind the ring. */
struct virtq_used {
	uint16_t flags;
	uint16_t index;
	struct virtq_used_element ring[];
};
_Static_assert(offsetof(struct virtq_used, ring) == 4, "virtq_used.ring");

/* Bytes of each part, with the event index behind the rings. */
static inline uint64_t virtq_descriptors_size(uint32_t queue_size)
{
	return sizeof(struct virtq_desc) * (uint64_t)queue_size;
}

static inline uint64_t virtq_available_size(uint32_t queue_size)
{
	return sizeof(struct virtq_avail) + sizeof(uint16_t) * ((uint64_t)queue_size + 1);
}

static inline uint64_t virtq_used_size(uint32_t queue_size)
{
	return sizeof(struct virtq_used) +
	       sizeof(struct virtq_used_element) * (uint64_t)queue_size + sizeof(uint16_t);
}

/* --- PCI transport (section 4.1) ------------------------------------------------------------- */

#define VIRTIO_PCI_VENDOR 0x1af4
#define VIRTIO_PCI_DEVICE_BASE 0x1040 /* plus the device type */
#define VIRTIO_PCI_REVISION 1
#define VIRTIO_MSI_NO_VECTOR 0xffff

/* virtio_pci_cap.type, section 4.1.4. */
#define VIRTIO_PCI_CAP_COMMON_CFG 1
#define VIRTIO_PCI_CAP_NOTIFY_CFG 2
#define VIRTIO_PCI_CAP_ISR_CFG 3
#define VIRTIO_PCI_CAP_DEVICE_CFG 4
#define VIRTIO_PCI_CAP_PCI_CFG 5

struct virtio_pci_cap {
	uint8_t id; /* PCI_CAP_ID_VENDOR */
	uint8_t next;
	uint8_t size; /* of the whole capability */
	uint8_t type;
	uint8_t bar;
	uint8_t identifier;
	uint8_t reserved_06[2];
	uint32_t offset;
	uint32_t length;
};
_Static_assert(sizeof(struct virtio_pci_cap) == 16, "virtio_pci_cap");
_Static_assert(offsetof(struct virtio_pci_cap, offset) == 8, "virtio_pci_cap.offset");

/* Section 4.1.4.4. */
struct virtio_pci_notify_cap {
	struct virtio_pci_cap cap;
	uint32_t notify_off_multiplier;
};
_Static_assert(sizeof(struct virtio_pci_notify_cap) == 20, "virtio_pci_notify_cap");

/* Section 4.1.4.9. */
struct virtio_pci_cfg_cap {
	struct virtio_pci_cap cap;
	uint8_t data[4];
};
_Static_assert(sizeof(struct virtio_pci_cfg_cap) == 20, "virtio_pci_cfg_cap");

/* Section 4.1.4.3. */
struct virtio_pci_common_cfg {
	uint32_t device_feature_select;
	uint32_t device_feature;
	uint32_t driver_feature_select;
	uint32_t driver_feature;
	uint16_t config_msix_vector;
	uint16_t num_queues;
	uint8_t device_status;
	uint8_t config_generation;
	uint16_t queue_select;
	uint16_t queue_size;
	uint16_t queue_msix_vector;
	uint16_t queue_enable;
	uint16_t queue_notify_off;
	uint64_t queue_desc;
	uint64_t queue_driver;
	uint64_t queue_device;
	uint16_t queue_notify_data; /* VIRTIO_F_NOTIF_CONFIG_DATA */
	uint16_t queue_reset;       /* VIRTIO_F_RING_RESET */
};
_Static_assert(sizeof(struct virtio_pci_common_cfg) == 64, "virtio_pci_common_cfg");
_Static_assert(offsetof(struct virtio_pci_common_cfg, device_status) == 20, "device_status");
_Static_assert(offsetof(struct virtio_pci_common_cfg, queue_desc) == 32, "queue_desc");
_Static_assert(offsetof(struct virtio_pci_common_cfg, queue_reset) == 58, "queue_reset");

/* Section 4.1.4.5. */
#define VIRTIO_PCI_ISR_QUEUE 0x1
#define VIRTIO_PCI_ISR_CONFIG 0x2

/* --- Network device (section 5.1) ------------------------------------------------------------ */

/* Bit numbers. */
#define VIRTIO_NET_F_CSUM 0
#define VIRTIO_NET_F_GUEST_CSUM 1
#define VIRTIO_NET_F_CTRL_GUEST_OFFLOADS 2
#define VIRTIO_NET_F_MTU 3
#define VIRTIO_NET_F_MAC 5
#define VIRTIO_NET_F_GUEST_TSO4 7
#define VIRTIO_NET_F_GUEST_TSO6 8
#define VIRTIO_NET_F_GUEST_ECN 9
#define VIRTIO_NET_F_GUEST_UFO 10
#define VIRTIO_NET_F_HOST_TSO4 11
#define VIRTIO_NET_F_HOST_TSO6 12
#define VIRTIO_NET_F_HOST_ECN 13
#define VIRTIO_NET_F_HOST_UFO 14
#define VIRTIO_NET_F_MRG_RXBUF 15
#define VIRTIO_NET_F_STATUS 16
#define VIRTIO_NET_F_CTRL_VQ 17
#define VIRTIO_NET_F_CTRL_RX 18
#define VIRTIO_NET_F_CTRL_VLAN 19
#define VIRTIO_NET_F_GUEST_ANNOUNCE 21
#define VIRTIO_NET_F_MQ 22
#define VIRTIO_NET_F_CTRL_MAC_ADDR 23
#define VIRTIO_NET_F_HOST_USO 56
#define VIRTIO_NET_F_HASH_REPORT 57
#define VIRTIO_NET_F_GUEST_HDRLEN 59
#define VIRTIO_NET_F_RSS 60
#define VIRTIO_NET_F_RSC_EXT 61
#define VIRTIO_NET_F_STANDBY 62
#define VIRTIO_NET_F_SPEED_DUPLEX 63

#define VIRTIO_NET_QUEUE_RECEIVE 0
#define VIRTIO_NET_QUEUE_TRANSMIT 1

#define VIRTIO_NET_S_LINK_UP 1
#define VIRTIO_NET_S_ANNOUNCE 2

/* Section 5.1.4. */
struct virtio_net_config {
	uint8_t mac[6];
	uint16_t status;
	uint16_t max_virtqueue_pairs;
	uint16_t mtu;
	uint32_t speed; /* Mbit/s; UINT32_MAX: unknown */
	uint8_t duplex; /* 0 half, 1 full, 0xff unknown */
	uint8_t rss_max_key_size;
	uint16_t rss_max_indirection_table_length;
	uint32_t supported_hash_types;
};
_Static_assert(sizeof(struct virtio_net_config) == 24, "virtio_net_config");
_Static_assert(offsetof(struct virtio_net_config, mtu) == 10, "virtio_net_config.mtu");

#define VIRTIO_NET_HDR_F_NEEDS_CSUM 0x1
#define VIRTIO_NET_HDR_F_DATA_VALID 0x2
#define VIRTIO_NET_HDR_F_RSC_INFO 0x4

#define VIRTIO_NET_HDR_GSO_NONE 0
#define VIRTIO_NET_HDR_GSO_TCPV4 1
#define VIRTIO_NET_HDR_GSO_UDP 3
#define VIRTIO_NET_HDR_GSO_TCPV6 4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#define VIRTIO_NET_HDR_GSO_ECN 0x80

/* Section 5.1.6. */
struct virtio_net_hdr_v1 {
	uint8_t flags;
	uint8_t gso_type;
	uint16_t header_length;
	uint16_t gso_size;
	uint16_t checksum_start;
	uint16_t checksum_offset;
	uint16_t num_buffers;
};
_Static_assert(sizeof(struct virtio_net_hdr_v1) == 12, "virtio_net_hdr_v1");
_Static_assert(offsetof(struct virtio_net_hdr_v1, num_buffers) == 10, "num_buffers");

/* --- Block device (section 5.2) -------------------------------------------------------------- */

#define VIRTIO_BLK_F_SIZE_MAX 1
#define VIRTIO_BLK_F_SEG_MAX 2
#define VIRTIO_BLK_F_GEOMETRY 4
#define VIRTIO_BLK_F_RO 5
#define VIRTIO_BLK_F_BLK_SIZE 6
#define VIRTIO_BLK_F_FLUSH 9
#define VIRTIO_BLK_F_TOPOLOGY 10
#define VIRTIO_BLK_F_CONFIG_WCE 11
#define VIRTIO_BLK_F_MQ 12
#define VIRTIO_BLK_F_DISCARD 13
#define VIRTIO_BLK_F_WRITE_ZEROES 14
#define VIRTIO_BLK_F_LIFETIME 15
#define VIRTIO_BLK_F_SECURE_ERASE 16

#define VIRTIO_BLK_SECTOR_SIZE 512
#define VIRTIO_BLK_ID_SIZE 20

/* Section 5.2.4. */
struct virtio_blk_config {
	uint64_t capacity; /* sectors */
	uint32_t size_max;
	uint32_t seg_max;
	struct {
		uint16_t cylinders;
		uint8_t heads;
		uint8_t sectors;
	} geometry;
	uint32_t blk_size;
	struct {
		uint8_t physical_block_exp;
		uint8_t alignment_offset;
		uint16_t min_io_size;
		uint32_t opt_io_size;
	} topology;
	uint8_t writeback;
	uint8_t reserved_21;
	uint16_t num_queues;
	uint32_t max_discard_sectors;
	uint32_t max_discard_seg;
	uint32_t discard_sector_alignment;
	uint32_t max_write_zeroes_sectors;
	uint32_t max_write_zeroes_seg;
	uint8_t write_zeroes_may_unmap;
	uint8_t reserved_39[3];
	uint32_t max_secure_erase_sectors;
	uint32_t max_secure_erase_seg;
	uint32_t secure_erase_sector_alignment;
};
_Static_assert(sizeof(struct virtio_blk_config) == 72, "virtio_blk_config");
_Static_assert(offsetof(struct virtio_blk_config, blk_size) == 20, "virtio_blk_config.blk_size");
_Static_assert(offsetof(struct virtio_blk_config, writeback) == 32, "virtio_blk_config.writeback");
_Static_assert(offsetof(struct virtio_blk_config, write_zeroes_may_unmap) == 56, "may_unmap");

/* virtio_blk_request.type, section 5.2.6. */
#define VIRTIO_BLK_T_IN 0
#define VIRTIO_BLK_T_OUT 1
#define VIRTIO_BLK_T_FLUSH 4
#define VIRTIO_BLK_T_GET_ID 8
#define VIRTIO_BLK_T_GET_LIFETIME 10
#define VIRTIO_BLK_T_DISCARD 11
#define VIRTIO_BLK_T_WRITE_ZEROES 13
#define VIRTIO_BLK_T_SECURE_ERASE 14

#define VIRTIO_BLK_S_OK 0
#define VIRTIO_BLK_S_IOERR 1
#define VIRTIO_BLK_S_UNSUPP 2

/* What a request begins with; data follow, and one byte of status ends it. */
struct virtio_blk_request {
	uint32_t type;
	uint32_t reserved_04;
	uint64_t sector;
};
_Static_assert(sizeof(struct virtio_blk_request) == 16, "virtio_blk_request");

#define VIRTIO_BLK_WRITE_ZEROES_F_UNMAP 0x1

/* The data of DISCARD, SECURE_ERASE and WRITE_ZEROES. */
struct virtio_blk_range {
	uint64_t sector;
	uint32_t sector_count;
	uint32_t flags;
};
_Static_assert(sizeof(struct virtio_blk_range) == 16, "virtio_blk_range");

/* --- Console device (section 5.3) ------------------------------------------------------------ */

#define VIRTIO_CONSOLE_F_SIZE 0
#define VIRTIO_CONSOLE_F_MULTIPORT 1
#define VIRTIO_CONSOLE_F_EMERG_WRITE 2

#define VIRTIO_CONSOLE_QUEUE_RECEIVE 0
#define VIRTIO_CONSOLE_QUEUE_TRANSMIT 1

/* Section 5.3.4. */
struct virtio_console_config {
	uint16_t columns;
	uint16_t rows;
	uint32_t max_ports;
	uint32_t emergency_write;
};
_Static_assert(sizeof(struct virtio_console_config) == 12, "virtio_console_config");

/* --- Entropy device (section 5.4) ------------------------------------------------------------ */

#define VIRTIO_RNG_QUEUE_REQUEST 0

/* --- Traditional memory balloon device (section 5.5) ----------------------------------------- */

#define VIRTIO_BALLOON_F_MUST_TELL_HOST 0
#define VIRTIO_BALLOON_F_STATS_VQ 1
#define VIRTIO_BALLOON_F_DEFLATE_ON_OOM 2
#define VIRTIO_BALLOON_F_FREE_PAGE_HINT 3
#define VIRTIO_BALLOON_F_PAGE_POISON 4
#define VIRTIO_BALLOON_F_PAGE_REPORTING 5

/* What a page number in the inflate and deflate queues counts, whatever the guest's page size. */
#define VIRTIO_BALLOON_PAGE_SHIFT 12

/*
 * Section 5.5.2: of the queues behind the first two only those exist whose feature was negotiated,
 * and they are numbered without gaps (as drivers do it).
 */
#define VIRTIO_BALLOON_QUEUE_INFLATE 0
#define VIRTIO_BALLOON_QUEUE_DEFLATE 1

/* Section 5.5.4. */
struct virtio_balloon_config {
	uint32_t num_pages;
	uint32_t actual;
	uint32_t free_page_hint_cmd_id;
	uint32_t poison_val;
};
_Static_assert(sizeof(struct virtio_balloon_config) == 16, "virtio_balloon_config");

#define VIRTIO_BALLOON_S_SWAP_IN 0
#define VIRTIO_BALLOON_S_SWAP_OUT 1
#define VIRTIO_BALLOON_S_MAJFLT 2
#define VIRTIO_BALLOON_S_MINFLT 3
#define VIRTIO_BALLOON_S_MEMFREE 4
#define VIRTIO_BALLOON_S_MEMTOT 5
#define VIRTIO_BALLOON_S_AVAIL 6
#define VIRTIO_BALLOON_S_CACHES 7
#define VIRTIO_BALLOON_S_HTLB_PGALLOC 8
#define VIRTIO_BALLOON_S_HTLB_PGFAIL 9

/* Section 5.5.6.3: an element of the statistics buffer. */
struct virtio_balloon_stat {
	uint16_t tag;
	uint64_t value;
} __attribute__((packed));
_Static_assert(sizeof(struct virtio_balloon_stat) == 10, "virtio_balloon_stat");

#endif
