/* SPDX-License-Identifier: MIT */
/*
 * forward.h - where the switch sends a frame: ports, the table of addresses, and what a port may
 * send.  Knows of no memory of frames and makes no system call.
 *
 * A client's port has one address, which nobody else may use.  An uplink, a network card, has what
 * is heard there: its addresses are learned, and forgotten when they are not heard for a while.
 * Frames go between clients, and between a client and the uplinks, but never from uplink to uplink:
 * what is cabled there is no business of the switch, and no loop can arise.  So an address that is
 * not known is that of nobody but somebody behind an uplink.
 *
 * What one port can cost: its own addresses in the table, and a bounded number of copies a second
 * of frames that go to more than one port.
 */
#ifndef DYAD_TYPE1_SERVICES_SWITCH_FORWARD_H
#define DYAD_TYPE1_SERVICES_SWITCH_FORWARD_H

#include <stdbool.h>
#include <stdint.h>

#define FORWARD_PORTS 64        /* a set of ports is a word, bit n for port n */
#define FORWARD_LEARNED_MAX 512 /* addresses of one uplink */
#define FORWARD_ENTRIES 1024    /* of all ports */
#define FORWARD_HEADS_SHIFT 10

#define ETHERNET_ADDRESS 6
#define ETHERNET_HEADER 14
#define ETHERNET_FRAME_MAX                                                                         \
	1518 /* 1500 bytes with a VLAN tag, without the FCS (IEEE 802.3, 3.2.7) */

/* A token bucket, as the time at which it is empty no more: what is sent moves that time on, and
 * what is saved up is no longer than a burst (ITU-T I.371, annex A, virtual scheduling). */
struct forward_bucket {
	uint64_t due, burst; /* ns */
};

struct forward_counts {
	uint64_t frames, bytes; /* on the wire: sent by the port and forwarded to one at least */
	uint64_t bad_size, bad_source, reserved, flood, nobody; /* sent by it and dropped */
};

enum forward_kind { FORWARD_NONE, FORWARD_CLIENT, FORWARD_UPLINK };

struct forward_port {
	enum forward_kind kind;
	uint64_t address;           /* a client's */
	uint64_t rate;              /* bits a second, 0: no limit */
	struct forward_bucket sent; /* by rate */
	struct forward_bucket copies;
	unsigned learned;
	struct forward_counts counts;
};

struct forward_entry {
	uint64_t address;
	uint64_t heard; /* ns */
	uint16_t next;  /* in the chain of its hash, or in the list of free ones */
	uint8_t port;
	bool fixed; /* a client's */
};

struct forward {
	struct forward_port ports[FORWARD_PORTS];
	uint64_t clients, uplinks; /* sets */
	uint64_t multiplier;       /* of the hash: nobody outside knows which addresses collide */
	uint16_t used;             /* entries; the last FORWARD_PORTS are for clients */
	uint16_t free;
	uint16_t heads[1 << FORWARD_HEADS_SHIFT];
	struct forward_entry entries[FORWARD_ENTRIES];
};

/* seed: random. */
void forward_init(struct forward *forward, uint64_t seed);
/* A client's port.  -EINVAL: the address is no station's; -EADDRINUSE: another's; -ENOSPC. */
int forward_add_client(struct forward *forward, const uint8_t address[ETHERNET_ADDRESS],
		       uint64_t rate, unsigned *port);
/* -ENOSPC */
int forward_add_uplink(struct forward *forward, unsigned *port);
void forward_remove(struct forward *forward, unsigned port);

/* Of a frame, or of those that one is cut up into on the wire. */
struct forward_size {
	uint32_t longest; /* bytes */
	uint32_t frames;
	uint32_t bytes; /* of all */
};

/* Nanoseconds until the port may send again; 0: now. */
uint64_t forward_wait(const struct forward *forward, unsigned port, uint64_t now);
/*
 * The set of ports that get a frame which came in by port: never that one, and none when it breaks
 * a rule.  header: its first ETHERNET_HEADER bytes, in memory that nobody else writes to, if it is
 * that long.
 */
uint64_t forward_frame(struct forward *forward, unsigned port, const uint8_t *header,
		       const struct forward_size *size, uint64_t now);

/* To be called every FORWARD_AGE_PERIOD or so: forgets what was not heard for FORWARD_AGE. */
#define FORWARD_AGE (UINT64_C(300) * 1000000000) /* IEEE 802.1Q, table 8-6 */
#define FORWARD_AGE_PERIOD (UINT64_C(30) * 1000000000)
void forward_age(struct forward *forward, uint64_t now);

#endif
