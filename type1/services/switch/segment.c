/* SPDX-License-Identifier: MIT */
/*
 * segment.c - TCP packets cut up (segment.h).  Formats: RFC 791 (IPv4), 8200 (IPv6), 9293 (TCP),
 * 3168 (ECN), IEEE 802.1Q.
 */
#include "type1/services/switch/segment.h"

#include "abi/switch.h"
#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/services/switch/forward.h"
#include "type1/services/switch/offload.h"

#define TYPE_OFFSET 12
#define TYPE_IPV4 0x0800
#define TYPE_IPV6 0x86dd
#define TYPE_VLAN 0x8100
#define VLAN_TAG 4
#define PROTOCOL_TCP 6

#define IPV4_HEADER 20
#define IPV4_LENGTH 2
#define IPV4_ID 4
#define IPV4_FRAGMENT 6
#define IPV4_FRAGMENT_MASK 0x3fff /* More Fragments, and the offset */
#define IPV4_PROTOCOL 9
#define IPV4_CHECKSUM 10
#define IPV4_ADDRESSES 12
#define IPV4_ADDRESSES_SIZE 8

#define IPV6_HEADER 40
#define IPV6_LENGTH 4
#define IPV6_NEXT 6
#define IPV6_ADDRESSES 8
#define IPV6_ADDRESSES_SIZE 32

#define TCP_HEADER 20
#define TCP_SEQUENCE 4
#define TCP_DATA_OFFSET 12
#define TCP_FLAGS 13
#define TCP_FIN 0x01
#define TCP_PSH 0x08
#define TCP_CWR 0x80
#define TCP_CHECKSUM 16

static uint16_t get16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static void put16(uint8_t *bytes, uint32_t value)
{
	bytes[0] = (uint8_t)(value >> 8);
	bytes[1] = (uint8_t)value;
}

static uint32_t get32(const uint8_t *bytes)
{
	return (uint32_t)get16(bytes) << 16 | get16(bytes + 2);
}

static void put32(uint8_t *bytes, uint32_t value)
{
	put16(bytes, value >> 16);
	put16(bytes + 2, value);
}

/* --- What is where */

/* Where the TCP header is; 0: the packet is none of TCP in that version of IP. */
static uint32_t find_transport(const uint8_t *ip, uint32_t have, bool ipv6)
{
	uint32_t size;

	if (ipv6)
		return have >= IPV6_HEADER && ip[0] >> 4 == 6 && ip[IPV6_NEXT] == PROTOCOL_TCP
			       ? IPV6_HEADER
			       : 0;
	if (have < IPV4_HEADER || ip[0] >> 4 != 4 || ip[IPV4_PROTOCOL] != PROTOCOL_TCP ||
	    get16(ip + IPV4_FRAGMENT) & IPV4_FRAGMENT_MASK)
		return 0;
	size = (ip[0] & 0xfu) * sizeof(uint32_t);
	return size >= IPV4_HEADER ? size : 0;
}

bool segments_find(struct segments *s, const struct virtio_net_hdr_v1 *header, const uint8_t *start,
		   uint32_t have, uint32_t size)
{
	uint8_t type = header->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;
	uint32_t network = ETHERNET_HEADER, transport;

	if ((type != VIRTIO_NET_HDR_GSO_TCPV4 && type != VIRTIO_NET_HDR_GSO_TCPV6) ||
	    !(header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) || !header->gso_size)
		return false;
	*s = (struct segments){.size = size, .most = header->gso_size};
	s->ipv6 = type == VIRTIO_NET_HDR_GSO_TCPV6;
	if (have < ETHERNET_HEADER + VLAN_TAG)
		return false;
	if (get16(start + TYPE_OFFSET) == TYPE_VLAN)
		network += VLAN_TAG;
	if (get16(start + network - sizeof(uint16_t)) != (s->ipv6 ? TYPE_IPV6 : TYPE_IPV4))
		return false;
	transport = find_transport(start + network, have - network, s->ipv6);
	s->network = network;
	s->transport = network + transport;
	if (!transport || s->transport + TCP_HEADER > have ||
	    header->checksum_start != s->transport || header->checksum_offset != TCP_CHECKSUM)
		return false;
	s->payload = s->transport + (start[s->transport + TCP_DATA_OFFSET] >> 4) * sizeof(uint32_t);
	return s->payload >= s->transport + TCP_HEADER && s->payload <= have &&
	       s->payload + s->most <= ETHERNET_FRAME_MAX && segments_count(s) <= SEGMENTS_MAX;
}

bool segments_accepted(const struct virtio_net_hdr_v1 *header, uint32_t accepts)
{
	uint8_t type = header->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;
	uint32_t needs =
		SWITCH_ACCEPTS_CHECKSUM |
		(type == VIRTIO_NET_HDR_GSO_TCPV6 ? SWITCH_ACCEPTS_TCP6 : SWITCH_ACCEPTS_TCP4) |
		(header->gso_type & VIRTIO_NET_HDR_GSO_ECN ? SWITCH_ACCEPTS_ECN : 0);

	return (accepts & needs) == needs;
}

/* --- Segments */

/* A packet without data is one, too. */
uint32_t segments_count(const struct segments *s)
{
	uint32_t data = s->size - s->payload;

	return data ? (data + s->most - 1) / s->most : 1;
}

static void finish_ip(const struct segments *s, uint8_t *ip, uint32_t number, uint32_t size)
{
	if (s->ipv6) {
		put16(ip + IPV6_LENGTH, size - IPV6_HEADER);
		return;
	}
	put16(ip + IPV4_LENGTH, size);
	put16(ip + IPV4_ID, get16(ip + IPV4_ID) + number);
	store_le16(ip + IPV4_CHECKSUM, 0);
	store_le16(ip + IPV4_CHECKSUM, (uint16_t)~offload_sum(0, ip, s->transport - s->network));
}

static void finish_tcp(const struct segments *s, const uint8_t *ip, uint8_t *tcp, uint32_t size)
{
	uint8_t pseudo[sizeof(uint32_t)] = {0, PROTOCOL_TCP};
	uint16_t sum;

	put16(pseudo + 2, size);
	store_le16(tcp + TCP_CHECKSUM, 0);
	sum = offload_sum(0, pseudo, sizeof(pseudo));
	sum = s->ipv6 ? offload_sum(sum, ip + IPV6_ADDRESSES, IPV6_ADDRESSES_SIZE)
		      : offload_sum(sum, ip + IPV4_ADDRESSES, IPV4_ADDRESSES_SIZE);
	store_le16(tcp + TCP_CHECKSUM, (uint16_t)~offload_sum(sum, tcp, size));
}

uint32_t segment_write(const struct segments *s, const uint8_t *packet, uint32_t number,
		       uint8_t *to)
{
	uint32_t done = number * s->most, left = s->size - s->payload - done;
	uint32_t data = MIN(left, s->most), size = s->payload + data;
	uint8_t *ip = to + s->network, *tcp = to + s->transport;

	memcpy(to, packet, s->payload);
	memcpy(to + s->payload, packet + s->payload + done, data);
	put32(tcp + TCP_SEQUENCE, get32(tcp + TCP_SEQUENCE) + done);
	if (data < left)
		tcp[TCP_FLAGS] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	if (number)
		tcp[TCP_FLAGS] &= (uint8_t)~TCP_CWR;
	finish_ip(s, ip, number, size - s->network);
	finish_tcp(s, ip, tcp, size - s->transport);
	return size;
}
