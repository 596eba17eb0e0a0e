/* SPDX-License-Identifier: MIT */
/*
 * net.h - inside of network ports: net.c dispatches os.h's functions to a back end, net_user.c
 * (libslirp) or net_tap.c.
 */
#ifndef DYAD_TYPE2_PROCESS_NET_H
#define DYAD_TYPE2_PROCESS_NET_H

#include "type2/process/loop.h"

#define NET_HEADER_SIZE 12        /* struct virtio_net_hdr_v1, virtio 1.2 section 5.1.6 */
#define NET_HEADER_NUM_BUFFERS 10 /* where its le16 num_buffers stands */

#define NET_ETHERNET_HEADER 14
#define NET_FRAME_MAX (NET_ETHERNET_HEADER + 65535) /* an IP packet is no longer */

/* What os.h says of the function of the same name; all on the loop thread. */
struct net_ops {
	void (*close)(struct os_net *net);
	void (*receiver_changed)(struct os_net *net);
	void (*set_offloads)(struct os_net *net, uint64_t guest_features);
	int (*send)(struct os_net *net, const struct os_iov *iov, unsigned count);
	int64_t (*receive)(struct os_net *net, const struct os_iov *iov, unsigned count);
};

/* The beginning of every back end's port. */
struct os_net {
	const struct net_ops *ops;
	struct os_net_info info;
	void (*readable)(void *arg);
	void *arg;
};

int net_user_open(struct os_loop *loop, const struct os_net_options *options, struct os_net **net,
		  struct error *why);
int net_tap_open(struct os_loop *loop, const struct os_net_options *options, struct os_net **net,
		 struct error *why);

/* What libslirp complains about goes to the log, a few lines of it for the process.  Any thread. */
void net_bound_library_log(void);

size_t net_iov_size(const struct os_iov *iov, unsigned count);
/* Copies from or to position at of the segments, as far as they reach. */
void net_iov_read(const struct os_iov *iov, unsigned count, size_t at, void *bytes, size_t size);
void net_iov_write(const struct os_iov *iov, unsigned count, size_t at, const void *bytes,
		   size_t size);

#endif
