/* SPDX-License-Identifier: MIT */
/*
 * net_user.c - a network without any rights on the host: libslirp plays router, DHCP and DNS server
 * at 10.0.2.0/24 (and fec0::/64), and turns the guest's connections into the process's own sockets.
 *
 * libslirp names the descriptors that it waits for anew each time something has happened.  They are
 * kept in an epoll set of the port's own, which is changed only where the new list differs from the
 * last one, and at most once for each round of the loop.
 *
 * Frames for the guest wait in a bounded queue; what comes when that is full is lost, as on any
 * network, and libslirp's TCP sends it again.
 */
#include <errno.h>
#include <slirp/libslirp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "lib/bits.h"
#include "lib/format.h"
#include "type2/process/frame_ring.h"
#include "type2/process/net.h"

/*
 * The link is memory, so the longer a packet, the fewer there are.  A little below libslirp's
 * limit, and what rootless containers use.
 */
#define USER_MTU 65520
#define USER_QUEUE_SIZE (1 * MIB)
#define USER_EPOLL_BATCH 64
#define USER_TIMEOUT_IDLE 1000 /* milliseconds; libslirp's way to say that it waits for nothing */
#define USER_ERRORS_MAX 16     /* complaints about the guest that are logged */

#define NANOSECONDS_PER_MILLISECOND 1000000

/* What the epoll set holds of a descriptor, found by its number. */
struct user_fd {
	uint32_t registered; /* events in the epoll set; 0: it is not in there */
	uint32_t round;      /* the last list that it was on */
	int index;           /* its place on that list */
};

struct user_poll {
	int fd;
	uint32_t ready; /* events, between epoll_wait() and libslirp's asking for them */
};

struct user_timer {
	struct net_user *user;
	SlirpTimerId id;
	void *opaque;
	struct os_timer *timer;
};

struct net_user {
	struct os_net net;
	struct os_loop *loop;
	Slirp *slirp;
	bool changed; /* libslirp's list of descriptors may have changed */
	bool arrived; /* frames came that the receiver was not told of */
	struct loop_hook hook;

	int epoll;
	struct process_watch *watch;
	struct user_fd *fds; /* by number */
	int fd_capacity;
	struct user_poll *list, *last_list;
	int list_count, list_capacity;
	uint32_t round;

	struct os_timer *timer; /* when libslirp wants to be called at the latest */
	uint64_t deadline;

	struct frame_ring received;
	uint8_t *frame; /* a frame of the guest's in one piece, NET_FRAME_MAX bytes */
	unsigned errors;
};

/* --- libslirp's list of descriptors
 * ---------------------------------------------------------------- */

static uint32_t user_epoll_events(int events)
{
	return (events & SLIRP_POLL_IN ? EPOLLIN : 0) | (events & SLIRP_POLL_OUT ? EPOLLOUT : 0) |
	       (events & SLIRP_POLL_PRI ? EPOLLPRI : 0) | (events & SLIRP_POLL_ERR ? EPOLLERR : 0) |
	       (events & SLIRP_POLL_HUP ? EPOLLHUP : 0);
}

static int user_slirp_events(uint32_t events)
{
	return (events & EPOLLIN ? SLIRP_POLL_IN : 0) | (events & EPOLLOUT ? SLIRP_POLL_OUT : 0) |
	       (events & EPOLLPRI ? SLIRP_POLL_PRI : 0) | (events & EPOLLERR ? SLIRP_POLL_ERR : 0) |
	       (events & EPOLLHUP ? SLIRP_POLL_HUP : 0);
}

static bool user_reserve_fd(struct net_user *user, int fd)
{
	int capacity = user->fd_capacity;
	struct user_fd *fds;

	if (fd < capacity)
		return true;
	while (capacity <= fd)
		capacity = capacity ? 2 * capacity : 64;
	fds = realloc(user->fds, (size_t)capacity * sizeof(*fds));
	if (!fds)
		return false;
	memset(fds + user->fd_capacity, 0, (size_t)(capacity - user->fd_capacity) * sizeof(*fds));
	user->fds = fds;
	user->fd_capacity = capacity;
	return true;
}

static bool user_reserve_list(struct net_user *user)
{
	int capacity = user->list_capacity ? 2 * user->list_capacity : 32;
	struct user_poll *list;

	if (user->list_count < user->list_capacity)
		return true;
	list = realloc(user->list, (size_t)capacity * sizeof(*list));
	if (!list)
		return false;
	user->list = list;
	list = realloc(user->last_list, (size_t)capacity * sizeof(*list));
	if (!list)
		return false;
	user->last_list = list;
	user->list_capacity = capacity;
	return true;
}

static void user_register(struct net_user *user, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};
	struct user_fd *entry = &user->fds[fd];
	int operation = entry->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (entry->registered == events)
		return;
	if (!events)
		operation = EPOLL_CTL_DEL;
	entry->registered = events;
	if (epoll_ctl(user->epoll, operation, fd, &event) == 0 || !events)
		return;
	/* The number was closed and given out again without our being told. */
	if (errno == EEXIST)
		epoll_ctl(user->epoll, EPOLL_CTL_MOD, fd, &event);
	else if (errno == ENOENT)
		epoll_ctl(user->epoll, EPOLL_CTL_ADD, fd, &event);
}

static int user_add_poll(int fd, int events, void *opaque)
{
	struct net_user *user = opaque;

	/* Without memory the socket is not watched this time: its connection waits. */
	if (fd < 0 || !user_reserve_fd(user, fd) || !user_reserve_list(user))
		return -1;
	user->list[user->list_count] = (struct user_poll){.fd = fd};
	user->fds[fd].index = user->list_count;
	user->fds[fd].round = user->round;
	user_register(user, fd, user_epoll_events(events));
	return user->list_count++;
}

static void user_set_deadline(struct net_user *user, uint32_t timeout)
{
	uint64_t now, deadline;

	if (timeout >= USER_TIMEOUT_IDLE)
		return;
	now = os_clock_monotonic();
	deadline = now + (uint64_t)timeout * NANOSECONDS_PER_MILLISECOND;
	/* A timer that goes off too early costs less than setting it each time. */
	if (user->deadline > now && user->deadline <= deadline)
		return;
	user->deadline = deadline;
	os_timer_set(user->timer, deadline);
}

static void user_update_list(struct net_user *user)
{
	struct user_poll *list = user->last_list;
	int last_count = user->list_count;
	uint32_t timeout = UINT32_MAX;

	user->last_list = user->list;
	user->list = list;
	user->list_count = 0;
	user->round++;
	slirp_pollfds_fill(user->slirp, &timeout, user_add_poll, user);
	for (int i = 0; i < last_count; i++)
		if (user->fds[user->last_list[i].fd].round != user->round)
			user_register(user, user->last_list[i].fd, 0);
	user_set_deadline(user, timeout);
}

static int user_get_ready(int index, void *opaque)
{
	struct net_user *user = opaque;

	if (index < 0 || index >= user->list_count)
		return 0;
	return user_slirp_events(user->list[index].ready);
}

static void user_poll(struct net_user *user)
{
	struct epoll_event events[USER_EPOLL_BATCH];
	int count = epoll_wait(user->epoll, events, USER_EPOLL_BATCH, 0);

	for (int i = 0; i < count; i++) {
		int index = user->fds[events[i].data.fd].index;

		if (index < user->list_count)
			user->list[index].ready = events[i].events;
	}
	slirp_pollfds_poll(user->slirp, 0, user_get_ready, user);
	for (int i = 0; i < user->list_count; i++)
		user->list[i].ready = 0;
	user->changed = true;
}

static void user_ready(void *arg, unsigned events)
{
	(void)events;
	user_poll(arg);
}

static void user_timer_fired(void *arg)
{
	struct net_user *user = arg;

	user->deadline = 0;
	user_poll(user);
}

static void user_before_wait(void *arg)
{
	struct net_user *user = arg;

	while (user->arrived && user->net.readable) {
		user->arrived = false;
		user->net.readable(user->net.arg);
	}
	if (!user->changed)
		return;
	user->changed = false;
	user_update_list(user);
}

/* --- What libslirp calls
 * --------------------------------------------------------------------------- */

/* Always "sent": it would log each frame that was not, and the guest decides how many these are. */
static ssize_t user_send_packet(const void *frame, size_t length, void *opaque)
{
	struct net_user *user = opaque;

	if (length <= NET_FRAME_MAX && frame_ring_push(&user->received, frame, (uint32_t)length))
		user->arrived = true;
	return (ssize_t)length;
}

static void user_guest_error(const char *message, void *opaque)
{
	struct net_user *user = opaque;
	char text[256];

	if (user->errors >= USER_ERRORS_MAX)
		return;
	user->errors++;
	format_text(text, sizeof(text), "user network: the guest: %s%s", message,
		    user->errors == USER_ERRORS_MAX ? " (no more of these will be shown)" : "");
	os_log(OS_LOG_DEBUG, text);
}

static int64_t user_clock(void *opaque)
{
	(void)opaque;
	return (int64_t)os_clock_monotonic();
}

static void user_slirp_timer_fired(void *arg)
{
	struct user_timer *timer = arg;

	timer->user->changed = true;
	slirp_handle_timer(timer->user->slirp, timer->id, timer->opaque);
}

static void *user_timer_new(SlirpTimerId id, void *timer_opaque, void *opaque)
{
	struct user_timer *timer = calloc(1, sizeof(*timer));

	if (!timer)
		return NULL;
	timer->user = opaque;
	timer->id = id;
	timer->opaque = timer_opaque;
	if (os_timer_create(timer->user->loop, user_slirp_timer_fired, timer, &timer->timer)) {
		free(timer);
		return NULL;
	}
	return timer;
}

static void user_timer_free(void *arg, void *opaque)
{
	struct user_timer *timer = arg;

	(void)opaque;
	if (!timer)
		return;
	os_timer_destroy(timer->timer);
	free(timer);
}

static void user_timer_mod(void *arg, int64_t expire, void *opaque)
{
	struct user_timer *timer = arg;

	(void)opaque;
	if (timer && expire > 0)
		os_timer_set(timer->timer, (uint64_t)expire * NANOSECONDS_PER_MILLISECOND);
}

/* A new socket, or one that is about to be closed: either way the epoll set does not hold it. */
static void user_forget_fd(int fd, void *opaque)
{
	struct net_user *user = opaque;

	user->changed = true;
	if (fd >= 0 && fd < user->fd_capacity)
		user_register(user, fd, 0);
}

static void user_notify(void *opaque)
{
	struct net_user *user = opaque;

	user->changed = true;
}

static const SlirpCb user_callbacks = {
	.send_packet = user_send_packet,
	.guest_error = user_guest_error,
	.clock_get_ns = user_clock,
	.timer_free = user_timer_free,
	.timer_mod = user_timer_mod,
	.timer_new_opaque = user_timer_new,
	.register_poll_fd = user_forget_fd,
	.unregister_poll_fd = user_forget_fd,
	.notify = user_notify,
};

/* --- The port
 * -------------------------------------------------------------------------------------- */

static struct net_user *user_of(struct os_net *net)
{
	return (struct net_user *)net;
}

static void user_close(struct os_net *net)
{
	struct net_user *user = user_of(net);

	loop_remove_hook(user->loop, &user->hook);
	if (user->slirp)
		slirp_cleanup(user->slirp);
	os_timer_destroy(user->timer);
	process_loop_unwatch_fd(user->watch);
	if (user->epoll >= 0)
		close(user->epoll);
	if (user->received.memory)
		frame_ring_destroy(&user->received);
	free(user->fds);
	free(user->list);
	free(user->last_list);
	free(user->frame);
	free(user);
}

static void user_receiver_changed(struct os_net *net)
{
	/* What is queued already is told of before the loop waits. */
	user_of(net)->arrived = user_of(net)->received.count > 0;
}

static void user_set_offloads(struct os_net *net, uint64_t guest_features)
{
	/* Frames to the guest are always whole and their checksums right. */
	(void)net;
	(void)guest_features;
}

static int user_send(struct os_net *net, const struct os_iov *iov, unsigned count)
{
	struct net_user *user = user_of(net);
	size_t size = net_iov_size(iov, count);

	if (size < NET_HEADER_SIZE + NET_ETHERNET_HEADER || size > NET_HEADER_SIZE + NET_FRAME_MAX)
		return -EINVAL;
	size -= NET_HEADER_SIZE;
	/* Copied, for libslirp reads headers more than once and the guest may change its memory. */
	net_iov_read(iov, count, NET_HEADER_SIZE, user->frame, size);
	slirp_input(user->slirp, user->frame, (int)size);
	user->changed = true;
	return 0;
}

static int64_t user_receive(struct os_net *net, const struct os_iov *iov, unsigned count)
{
	static const uint8_t header[NET_HEADER_SIZE] = {[NET_HEADER_NUM_BUFFERS] = 1};
	struct net_user *user = user_of(net);
	uint32_t length;
	const uint8_t *frame = frame_ring_peek(&user->received, &length);
	int64_t result;

	if (!frame)
		return -EAGAIN;
	result = NET_HEADER_SIZE + (int64_t)length;
	if (net_iov_size(iov, count) < (size_t)result) {
		result = -EMSGSIZE;
	} else {
		net_iov_write(iov, count, 0, header, sizeof(header));
		net_iov_write(iov, count, sizeof(header), frame, length);
	}
	frame_ring_drop(&user->received);
	return result;
}

static const struct net_ops user_ops = {
	.close = user_close,
	.receiver_changed = user_receiver_changed,
	.set_offloads = user_set_offloads,
	.send = user_send,
	.receive = user_receive,
};

/* Numbers that people know from QEMU's user network. */
static Slirp *user_new_slirp(struct net_user *user)
{
	SlirpConfig config = {.version = 4, .in_enabled = true, .in6_enabled = true};

	config.vnetwork.s_addr = htonl(0x0a000200); /* 10.0.2.0 */
	config.vnetmask.s_addr = htonl(0xffffff00);
	config.vhost.s_addr = htonl(0x0a000202);       /* 10.0.2.2 */
	config.vnameserver.s_addr = htonl(0x0a000203); /* 10.0.2.3 */
	config.vdhcp_start.s_addr = htonl(0x0a00020f); /* 10.0.2.15 */
	inet_pton(AF_INET6, "fec0::", &config.vprefix_addr6);
	config.vprefix_len = 64;
	inet_pton(AF_INET6, "fec0::2", &config.vhost6);
	inet_pton(AF_INET6, "fec0::3", &config.vnameserver6);
	config.if_mtu = USER_MTU;
	config.if_mru = USER_MTU;
	net_bound_library_log();
	return slirp_new(&config, &user_callbacks, user);
}

static int user_add_forward(struct net_user *user, const struct os_net_forward *forward,
			    struct error *why)
{
	struct in_addr host = {htonl(forward->host_address)};
	struct in_addr guest = {htonl(forward->guest_address)};
	bool udp = forward->protocol == OS_NET_UDP;
	char address[INET_ADDRSTRLEN];
	int error;

	if (slirp_add_hostfwd(user->slirp, udp, host, forward->host_port, guest,
			      forward->guest_port) == 0)
		return 0;
	error = errno ? errno : EINVAL;
	inet_ntop(AF_INET, &host, address, sizeof(address));
	return error_set(why, -error, "cannot forward %s port %u of %s to the guest: %s%s",
			 udp ? "UDP" : "TCP", forward->host_port, address, strerror(error),
			 error == EADDRINUSE
				 ? "; another program listens there, choose another port"
			 : error == EACCES ? "; ports below 1024 are for root, choose another port"
					   : "");
}

int net_user_open(struct os_loop *loop, const struct os_net_options *options, struct os_net **out,
		  struct error *why)
{
	struct net_user *user = calloc(1, sizeof(*user));
	int error;

	if (!user)
		return error_set(why, -ENOMEM, "cannot set up the user network: out of memory");
	user->net = (struct os_net){.ops = &user_ops, .info = {.mtu = USER_MTU}};
	user->loop = loop;
	user->hook = (struct loop_hook){.before_wait = user_before_wait, .arg = user};
	loop_add_hook(loop, &user->hook);
	user->changed = true;
	user->epoll = epoll_create1(EPOLL_CLOEXEC);
	error = user->epoll < 0 ? -errno : 0;
	if (!error)
		error = process_loop_watch_fd(loop, user->epoll, PROCESS_READABLE, user_ready, user,
					      &user->watch);
	if (!error)
		error = os_timer_create(loop, user_timer_fired, user, &user->timer);
	if (!error)
		error = frame_ring_init(&user->received, USER_QUEUE_SIZE);
	if (!error && !(user->frame = malloc(NET_FRAME_MAX)))
		error = -ENOMEM;
	if (!error && !(user->slirp = user_new_slirp(user)))
		error = -ENOMEM;
	if (error) {
		error_set(why, error, "cannot set up the user network: %s", strerror(-error));
		goto close_user;
	}
	for (uint32_t i = 0; i < options->forward_count; i++) {
		errno = 0;
		error = user_add_forward(user, &options->forwards[i], why);
		if (error)
			goto close_user;
	}
	*out = &user->net;
	return 0;
close_user:
	user_close(&user->net);
	return error;
}
