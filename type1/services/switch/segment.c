/* SPDX-License-Identifier: MIT */
/*
 * segment.c - TCP segments that are to be cut up (segment.h).
 */
#include "type1/services/switch/segment.h"

#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/services/switch/checksum.h"

/* IEEE 802.3 and 802.1Q. */
#define TYPE_OFFSET 12
#define TYPE_IPV4 0x0800
#define TYPE_IPV6 0x86dd
#define TYPE_VLAN 0x8100
#define TYPE_SERVICE_VLAN 0x88a8
#define VLAN_TAG 4
#define VLAN_TAGS_MAX 2

/* RFC 791, section 3.1. */
#define IPV4_SIZE 20
#define IPV4_TOTAL_LENGTH 2
#define IPV4_ID 4
#define IPV4_FRAGMENT 6
#define IPV4_FRAGMENT_MASK 0x3fff /* more fragments, and the offset */
#define IPV4_PROTOCOL 9
#define IPV4_CHECKSUM 10
#define IPV4_ADDRESSES 12
#define IPV4_ADDRESSES_SIZE 8

/* RFC 8200, sections 3 and 4. */
#define IPV6_SIZE 40
#define IPV6_PAYLOAD_LENGTH 4
#define IPV6_NEXT 6
#define IPV6_ADDRESSES 8
#define IPV6_ADDRESSES_SIZE 32
#define IPV6_HOP_BY_HOP 0
#define IPV6_DESTINATION 60
#define IPV6_EXTENSION_UNIT 8

/* RFC 9293, section 3.1. */
#define PROTOCOL_TCP 6
#define TCP_SIZE 20
#define TCP_SEQUENCE 4
#define TCP_DATA_OFFSET 12
#define TCP_FLAGS 13
#define TCP_FLAG_FIN 0x01
#define TCP_FLAG_PSH 0x08
#define TCP_FLAG_CWR 0x80 /* RFC 3168, section 6.1 */
#define TCP_CHECKSUM 16

/* Headers' lengths are words of four bytes, in one half of a byte. */
#define WORD 4
#define LOW(byte) ((byte)&0xf)
#define HIGH(byte) ((byte) >> 4)

static uint16_t load_be16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void store_be16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint32_t load_be32(const uint8_t *at)
{
	return (uint32_t)load_be16(at) << 16 | load_be16(at + 2);
}

static void store_be32(uint8_t *at, uint32_t value)
{
	store_be16(at, value >> 16);
	store_be16(at + 2, value);
}

/* --- What there is */

/* Where Ethernet's type stands that is none of a VLAN, if that is in the first size bytes. */
static uint32_t type_offset(const uint8_t *head, uint32_t size)
{
	uint32_t at = TYPE_OFFSET;

	for (unsigned i = 0; i < VLAN_TAGS_MAX && at + sizeof(uint16_t) <= size; i++) {
		uint16_t type = load_be16(head + at);

		if (type != TYPE_VLAN && type != TYPE_SERVICE_VLAN)
			break;
		at += VLAN_TAG;
	}
	return at;
}

/* Whether TCP, and no fragment, begins at the offset tcp from the header. */
static bool ipv4_carries_tcp(const uint8_t *ip, uint32_t tcp)
{
	return tcp >= IPV4_SIZE && HIGH(ip[0]) == 4 && LOW(ip[0]) * WORD == tcp &&
	       ip[IPV4_PROTOCOL] == PROTOCOL_TCP &&
	       !(load_be16(ip + IPV4_FRAGMENT) & IPV4_FRAGMENT_MASK);
}

/* The same; options, but no routing header, whose last address would be in the checksum. */
static bool ipv6_carries_tcp(const uint8_t *ip, uint32_t tcp)
{
	uint32_t at = IPV6_SIZE;
	uint8_t next;

	if (tcp < IPV6_SIZE || HIGH(ip[0]) != 6)
		return false;
	next = ip[IPV6_NEXT];
	while (at < tcp && (next == IPV6_HOP_BY_HOP || next == IPV6_DESTINATION)) {
		next = ip[at];
		at += IPV6_EXTENSION_UNIT * (1u + ip[at + 1]);
	}
	return at == tcp && next == PROTOCOL_TCP;
}

bool segments_find(struct segments *segments, const struct virtio_net_hdr_v1 *header,
		   const uint8_t *head, uint32_t size)
{
	uint8_t type = header->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;
	uint32_t head_size = MIN(size, SEGMENT_HEADERS_MAX), tcp = header->checksum_start;
	uint32_t at = type_offset(head, head_size), ip = at + sizeof(uint16_t), headers;
	bool ipv6 = type == VIRTIO_NET_HDR_GSO_TCPV6;

	/* Section 5.1.6.2.1: a driver that leaves this open leaves the checksum open, too. */
	if ((type != VIRTIO_NET_HDR_GSO_TCPV4 && !ipv6) || !header->gso_size ||
	    !(header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) ||
	    header->checksum_offset != TCP_CHECKSUM)
		return false;
	if (tcp < ip || tcp + TCP_SIZE > head_size ||
	    load_be16(head + at) != (ipv6 ? TYPE_IPV6 : TYPE_IPV4))
		return false;
	if (ipv6 ? !ipv6_carries_tcp(head + ip, tcp - ip) : !ipv4_carries_tcp(head + ip, tcp - ip))
		return false;
	headers = tcp + HIGH(head[tcp + TCP_DATA_OFFSET]) * WORD;
	if (headers < tcp + TCP_SIZE || headers > head_size || headers == size)
		return false;
	*segments = (struct segments){
		.count = (size - headers + header->gso_size - 1) / header->gso_size,
		.payload = size - headers,
		.each = header->gso_size,
		.headers = (uint16_t)headers,
		.ip = (uint16_t)ip,
		.tcp = (uint16_t)tcp,
		.ipv6 = ipv6,
	};
	return true;
}

/* --- Each of them */

static uint32_t segment_payload(const struct segments *segments, uint32_t n)
{
	return MIN(segments->each, segments->payload - n * segments->each);
}

uint32_t segment_size(const struct segments *segments, uint32_t n)
{
	return segments->headers + segment_payload(segments, n);
}

/* RFC 6864: an identification of its own for each, since fragments of theirs may be mixed up. */
static void write_ipv4(uint8_t *ip, uint32_t size, uint32_t n)
{
	store_be16(ip + IPV4_TOTAL_LENGTH, size);
	store_be16(ip + IPV4_ID, load_be16(ip + IPV4_ID) + n);
	store_le16(ip + IPV4_CHECKSUM, 0);
	store_le16(ip + IPV4_CHECKSUM, checksum_end(checksum_add(0, ip, LOW(ip[0]) * WORD)));
}

static void write_ipv6(uint8_t *ip, uint32_t size)
{
	store_be16(ip + IPV6_PAYLOAD_LENGTH, size - IPV6_SIZE);
}

/* The checksum but for the payload's; the field itself is 0 meanwhile. */
static uint64_t sum_headers(const struct segments *segments, const uint8_t *headers, uint32_t size)
{
	const uint8_t *ip = headers + segments->ip;
	uint8_t rest[4] = {0, PROTOCOL_TCP};
	uint64_t total;

	/* The pseudo header: addresses, protocol, length. */
	store_be16(rest + 2, size);
	total = checksum_add(0, rest, sizeof(rest));
	total = segments->ipv6 ? checksum_add(total, ip + IPV6_ADDRESSES, IPV6_ADDRESSES_SIZE)
			       : checksum_add(total, ip + IPV4_ADDRESSES, IPV4_ADDRESSES_SIZE);
	return checksum_add(total, headers + segments->tcp, segments->headers - segments->tcp);
}

void segment_write(const struct segments *segments, uint32_t n, const uint8_t *head,
		   const uint8_t *payload, uint8_t *to)
{
	uint32_t size = segment_payload(segments, n), start = n * segments->each;
	uint8_t headers[SEGMENT_HEADERS_MAX], *ip = headers + segments->ip,
					      *tcp = headers + segments->tcp;
	uint32_t ip_size = segments->headers - segments->ip + size;
	uint64_t total;

	memcpy(headers, head, segments->headers);
	if (segments->ipv6)
		write_ipv6(ip, ip_size);
	else
		write_ipv4(ip, ip_size, n);
	store_be32(tcp + TCP_SEQUENCE, load_be32(tcp + TCP_SEQUENCE) + start);
	if (n > 0)
		tcp[TCP_FLAGS] &= (uint8_t)~TCP_FLAG_CWR;
	if (n + 1 < segments->count)
		tcp[TCP_FLAGS] &= (uint8_t) ~(TCP_FLAG_FIN | TCP_FLAG_PSH);
	memcpy(to + segments->headers, payload + start, size);
	store_le16(tcp + TCP_CHECKSUM, 0);
	total = sum_headers(segments, headers, segments->headers - segments->tcp + size);
	store_le16(tcp + TCP_CHECKSUM,
		   checksum_end(checksum_add(total, to + segments->headers, size)));
	memcpy(to, headers, segments->headers);
}
