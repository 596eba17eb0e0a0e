/* SPDX-License-Identifier: MIT */
/*
 * forward.c - the switch's decisions (forward.h).
 */
#include "type1/services/switch/forward.h"

#include <linux/errno.h>

#include "lib/bits.h"
#include "lib/bytes.h"

#define NO_ENTRY UINT16_MAX
#define SECOND UINT64_C(1000000000)
#define MILLISECOND UINT64_C(1000000)

/* Addresses are numbers whose first byte on the wire is the lowest. */
#define ADDRESS_GROUP UINT64_C(1) /* IEEE 802, section 8.2 */
/* 01-80-C2-00-00-0x: of the link itself; bridges don't forward them (IEEE 802.1Q, table 8-1). */
#define ADDRESS_RESERVED UINT64_C(0x00000000c28001)
#define ADDRESS_RESERVED_MASK UINT64_C(0xf0ffffffffff)
#define SOURCE_OFFSET ETHERNET_ADDRESS

#define BITS_PER_BYTE 8
/* What a port may send at once after a pause. */
#define RATE_BURST (10 * MILLISECOND)
/* 100,000 copies a second of frames for several ports, about 1,000 at once. */
#define COPY_TIME (SECOND / 100000)
#define COPY_BURST (10 * MILLISECOND)

static uint64_t address_read(const uint8_t *bytes)
{
	return load_le32(bytes) | (uint64_t)load_le16(bytes + sizeof(uint32_t)) << 32;
}

/* --- Buckets */

static bool bucket_ready(const struct forward_bucket *bucket, uint64_t now)
{
	return bucket->due <= now;
}

static void bucket_take(struct forward_bucket *bucket, uint64_t cost, uint64_t now)
{
	if (now > bucket->burst && bucket->due < now - bucket->burst)
		bucket->due = now - bucket->burst;
	bucket->due += cost;
}

/* --- The table */

static uint16_t *forward_head(struct forward *forward, uint64_t address)
{
	return &forward->heads[address * forward->multiplier >> (64 - FORWARD_HEADS_SHIFT)];
}

static struct forward_entry *forward_find(struct forward *forward, uint64_t address)
{
	uint16_t at = *forward_head(forward, address);

	while (at != NO_ENTRY && forward->entries[at].address != address)
		at = forward->entries[at].next;
	return at == NO_ENTRY ? NULL : &forward->entries[at];
}

static struct forward_entry *forward_insert(struct forward *forward, uint64_t address,
					    unsigned port)
{
	uint16_t *head = forward_head(forward, address), at = forward->free;
	struct forward_entry *entry;

	if (at == NO_ENTRY)
		return NULL;
	entry = &forward->entries[at];
	forward->free = entry->next;
	*entry = (struct forward_entry){.address = address, .next = *head, .port = (uint8_t)port};
	*head = at;
	forward->ports[port].learned++;
	forward->used++;
	return entry;
}

static void forward_delete(struct forward *forward, struct forward_entry *entry)
{
	uint16_t *at = forward_head(forward, entry->address);
	uint16_t index = (uint16_t)(entry - forward->entries);

	while (*at != index)
		at = &forward->entries[*at].next;
	*at = entry->next;
	forward->ports[entry->port].learned--;
	forward->used--;
	*entry = (struct forward_entry){.next = forward->free};
	forward->free = index;
}

/* Whether the entry is in use and not a client's. */
static bool entry_learned(const struct forward_entry *entry)
{
	return entry->address && !entry->fixed;
}

void forward_age(struct forward *forward, uint64_t now)
{
	for (unsigned i = 0; i < FORWARD_ENTRIES; i++) {
		struct forward_entry *entry = &forward->entries[i];

		if (entry_learned(entry) && now - entry->heard > FORWARD_AGE)
			forward_delete(forward, entry);
	}
}

/* An uplink's frame came from that address.  False: it can't have. */
static bool forward_learn(struct forward *forward, unsigned port, uint64_t address, uint64_t now)
{
	struct forward_entry *entry = forward_find(forward, address);

	if (address & ADDRESS_GROUP || !address)
		return false;
	/* A client's own address from outside: another's lie, or our own frame on its way back. */
	if (entry && entry->fixed)
		return false;
	if (entry && entry->port != port) {
		forward_delete(forward, entry);
		entry = NULL;
	}
	/* Who finds no room stays unknown, which works as well with one uplink. */
	if (!entry && forward->ports[port].learned < FORWARD_LEARNED_MAX &&
	    forward->used < FORWARD_ENTRIES - FORWARD_PORTS)
		entry = forward_insert(forward, address, port);
	if (entry)
		entry->heard = now;
	return true;
}

/* --- Ports */

void forward_init(struct forward *forward, uint64_t seed)
{
	memset(forward, 0, sizeof(*forward));
	forward->multiplier = seed | 1;
	for (unsigned i = 0; i < ARRAY_COUNT(forward->heads); i++)
		forward->heads[i] = NO_ENTRY;
	for (unsigned i = 0; i < FORWARD_ENTRIES; i++)
		forward->entries[i].next = (uint16_t)(i + 1);
	forward->entries[FORWARD_ENTRIES - 1].next = NO_ENTRY;
}

/* A free port, or FORWARD_PORTS. */
static unsigned forward_free_port(const struct forward *forward)
{
	unsigned port = 0;

	while (port < FORWARD_PORTS && forward->ports[port].kind != FORWARD_NONE)
		port++;
	return port;
}

int forward_add_client(struct forward *forward, const uint8_t bytes[ETHERNET_ADDRESS],
		       uint64_t rate, unsigned *out)
{
	uint64_t address = address_read(bytes);
	unsigned port = forward_free_port(forward);
	struct forward_entry *entry;

	if (!address || address & ADDRESS_GROUP)
		return -EINVAL;
	if (port == FORWARD_PORTS)
		return -ENOSPC;
	entry = forward_find(forward, address);
	if (entry && entry->fixed)
		return -EADDRINUSE;
	/* It was heard outside: a VM that has come from another machine. */
	if (entry)
		forward_delete(forward, entry);
	entry = forward_insert(forward, address, port);
	if (!entry)
		return -ENOSPC;
	entry->fixed = true;
	forward->ports[port] = (struct forward_port){
		.kind = FORWARD_CLIENT,
		.address = address,
		.rate = rate,
		.sent = {.burst = RATE_BURST},
		.copies = {.burst = COPY_BURST},
		.learned = 1,
	};
	forward->clients |= BIT(port);
	*out = port;
	return 0;
}

int forward_add_uplink(struct forward *forward, unsigned *out)
{
	unsigned port = forward_free_port(forward);

	if (port == FORWARD_PORTS)
		return -ENOSPC;
	forward->ports[port] = (struct forward_port){
		.kind = FORWARD_UPLINK,
		.copies = {.burst = COPY_BURST},
	};
	forward->uplinks |= BIT(port);
	*out = port;
	return 0;
}

void forward_remove(struct forward *forward, unsigned port)
{
	for (unsigned i = 0; i < FORWARD_ENTRIES; i++)
		if (forward->entries[i].address && forward->entries[i].port == port)
			forward_delete(forward, &forward->entries[i]);
	forward->ports[port].kind = FORWARD_NONE;
	forward->clients &= ~BIT(port);
	forward->uplinks &= ~BIT(port);
}

/* --- Frames */

uint64_t forward_wait(const struct forward *forward, unsigned port, uint64_t now)
{
	const struct forward_bucket *sent = &forward->ports[port].sent;

	return bucket_ready(sent, now) ? 0 : sent->due - now;
}

/* What a frame costs of a rate's time, rounded up. */
static uint64_t rate_cost(uint64_t rate, uint64_t size)
{
	uint64_t bits_of_a_second = size * BITS_PER_BYTE * SECOND;

	return bits_of_a_second / rate + (bits_of_a_second % rate != 0);
}

static bool forward_source_allowed(struct forward *forward, unsigned port, uint64_t source,
				   uint64_t now)
{
	if (forward->ports[port].kind == FORWARD_CLIENT)
		return source == forward->ports[port].address;
	return forward_learn(forward, port, source, now);
}

static uint64_t set_size(uint64_t set)
{
	uint64_t size = 0;

	for (; set; set &= set - 1)
		size++;
	return size;
}

/* Those that get what is for several, or for somebody who is not known. */
static uint64_t forward_flood(struct forward *forward, unsigned index, bool group, uint32_t frames,
			      uint64_t now)
{
	struct forward_port *port = &forward->ports[index];
	uint64_t to = group ? forward->clients : 0;

	if (port->kind == FORWARD_CLIENT)
		to |= forward->uplinks;
	to &= ~BIT(index);
	if (!to) {
		port->counts.nobody++;
		return 0;
	}
	if (!bucket_ready(&port->copies, now)) {
		port->counts.flood++;
		return 0;
	}
	bucket_take(&port->copies, COPY_TIME * set_size(to) * frames, now);
	return to;
}

/* Where its destination is. */
static uint64_t forward_known(struct forward *forward, unsigned index,
			      const struct forward_entry *entry)
{
	struct forward_port *port = &forward->ports[index];

	if (entry->port == index || (port->kind == FORWARD_UPLINK && !entry->fixed)) {
		port->counts.nobody++;
		return 0;
	}
	return BIT(entry->port);
}

uint64_t forward_frame(struct forward *forward, unsigned index, const uint8_t *header,
		       const struct forward_size *size, uint64_t now)
{
	struct forward_port *port = &forward->ports[index];
	const struct forward_entry *entry;
	uint64_t destination, to;

	/* Also what is dropped has cost the switch its time. */
	if (port->rate)
		bucket_take(&port->sent, rate_cost(port->rate, size->bytes), now);
	if (size->longest < ETHERNET_HEADER || size->longest > ETHERNET_FRAME_MAX) {
		port->counts.bad_size++;
		return 0;
	}
	if (!forward_source_allowed(forward, index, address_read(header + SOURCE_OFFSET), now)) {
		port->counts.bad_source++;
		return 0;
	}
	destination = address_read(header);
	if ((destination & ADDRESS_RESERVED_MASK) == ADDRESS_RESERVED) {
		port->counts.reserved++;
		return 0;
	}
	entry = destination & ADDRESS_GROUP ? NULL : forward_find(forward, destination);
	to = entry ? forward_known(forward, index, entry)
		   : forward_flood(forward, index, destination & ADDRESS_GROUP, size->frames, now);
	if (to) {
		port->counts.frames += size->frames;
		port->counts.bytes += size->bytes;
	}
	return to;
}
