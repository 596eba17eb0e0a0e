/* SPDX-License-Identifier: MIT */
/*
 * switch.h - the switch as its parts see it: what is behind each port, and which ports have work.
 * All on the loop thread.
 *
 *   main.c     the process: network cards, and the switch's own events
 *   ports.c    clients: their channels from connecting to the end
 *   relay.c    frames from port to port
 *   forward.c  decides where a frame goes; port.c has a client's rings
 *   frame.c    a frame on its way; segment.c cuts up, checksum.c completes what is left open
 */
#ifndef DYAD_TYPE1_SERVICES_SWITCH_SWITCH_H
#define DYAD_TYPE1_SERVICES_SWITCH_SWITCH_H

#include "type1/drivers/nic.h"
#include "type1/process/channel.h"
#include "type1/services/switch/forward.h"
#include "type1/services/switch/port.h"

#define SWITCH_PORTS_OF_CLIENT 8 /* a VM has no more network cards */
#define SWITCH_UPLINKS 8

struct network;

struct client {
	struct network *network;
	struct channel channel; /* handle 0: this place is free */
	struct port port;
	unsigned number; /* of its port, FORWARD_PORTS: it has none yet */
	bool refused;
	char name[TYPE1_NAME];
};

struct uplink {
	struct network *network;
	struct nic *nic;
	unsigned number;
	uint64_t sent, full; /* frames; not sent, since all buffers wait */
};

/* What is behind a port: one of both, or neither. */
struct member {
	struct client *client;
	struct uplink *uplink;
};

struct network {
	struct os_loop *loop;
	struct os_event *again;   /* there is still work, behind others' events */
	struct os_timer *delayed; /* a port may send again */
	struct os_timer *age;     /* addresses are forgotten */
	struct channel_listener listener;
	bool accepting;   /* more clients may wait */
	uint64_t log_due; /* when all lines until now were due, at one a while */
	/* Sets of ports: those that may have frames, were put some into, wait for their rate. */
	uint64_t ready, touched, waiting;
	uint64_t waiting_until;
	struct forward forward;
	struct member members[FORWARD_PORTS];
	struct client clients[FORWARD_PORTS];
	struct uplink uplinks[SWITCH_UPLINKS];
	unsigned uplink_count;
};

/* --- relay.c */

/*
 * Moves what the ready ports have, in turns of a bounded number of frames; signals `again` when it
 * stops with work left.  The set of ports whose clients broke the rings' rules.
 */
uint64_t relay_run(struct network *network);
/* Ports that waited for their rate may send again. */
void relay_resume(struct network *network);

/* --- ports.c */

/* The service of this process's name; -errno. */
int ports_listen(struct network *network);
/* Takes clients that wait to be accepted, some at a time. */
void ports_accept(struct network *network);
/* relay_run(), and the end of clients that broke the rules. */
void ports_run(struct network *network);

/* --- main.c */

/* A line of the log, if there were not many of late: clients decide how often. */
__attribute__((format(printf, 3, 4))) void network_log(struct network *network,
						       enum os_log_level level, const char *format,
						       ...);

#endif
