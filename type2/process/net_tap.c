/* SPDX-License-Identifier: MIT */
/*
 * net_tap.c - a TAP interface of the host's: frames with their virtio header go as they are between
 * the guest's memory and the kernel, which finishes checksums and segmentation.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/bits.h"
#include "type2/process/net.h"

#define TUN_PATH "/dev/net/tun"

struct net_tap {
	struct os_net net;
	struct os_loop *loop;
	int fd;
	struct process_watch *watch; /* while there is a receiver */
};

static struct net_tap *tap_of(struct os_net *net)
{
	return (struct net_tap *)net;
}

static void tap_ready(void *arg, unsigned events)
{
	struct net_tap *tap = arg;

	(void)events;
	if (tap->net.readable)
		tap->net.readable(tap->net.arg);
}

static void tap_close(struct os_net *net)
{
	struct net_tap *tap = tap_of(net);

	process_loop_unwatch_fd(tap->watch);
	close(tap->fd);
	free(tap);
}

/*
 * Edge-triggered: a guest that offers no buffers leaves frames in the kernel's queue, and the loop
 * must not spin meanwhile.
 */
static void tap_receiver_changed(struct os_net *net)
{
	struct net_tap *tap = tap_of(net);

	process_loop_unwatch_fd(tap->watch);
	tap->watch = NULL;
	if (net->readable)
		(void)process_loop_watch_fd(tap->loop, tap->fd, PROCESS_READABLE | PROCESS_EDGE,
					    tap_ready, tap, &tap->watch);
}

static void tap_set_offloads(struct os_net *net, uint64_t guest_features)
{
	static const struct {
		unsigned feature, flag;
	} offloads[] = {
		{VIRTIO_NET_F_GUEST_CSUM, TUN_F_CSUM}, {VIRTIO_NET_F_GUEST_TSO4, TUN_F_TSO4},
		{VIRTIO_NET_F_GUEST_TSO6, TUN_F_TSO6}, {VIRTIO_NET_F_GUEST_ECN, TUN_F_TSO_ECN},
		{VIRTIO_NET_F_GUEST_UFO, TUN_F_UFO},
	};
	unsigned flags = 0;

	/* All others build on checksums (virtio 1.2 section 5.1.3.1). */
	if (guest_features & BIT(VIRTIO_NET_F_GUEST_CSUM))
		for (size_t i = 0; i < ARRAY_COUNT(offloads); i++)
			if (guest_features & BIT(offloads[i].feature))
				flags |= offloads[i].flag;
	if (!(flags & (TUN_F_TSO4 | TUN_F_TSO6)))
		flags &= ~(unsigned)TUN_F_TSO_ECN;
	/* Some kernels have no UFO. */
	if (ioctl(tap_of(net)->fd, TUNSETOFFLOAD, flags) < 0)
		(void)ioctl(tap_of(net)->fd, TUNSETOFFLOAD, flags & ~(unsigned)TUN_F_UFO);
}

static int tap_send(struct os_net *net, const struct os_iov *iov, unsigned count)
{
	ssize_t written;

	if (net_iov_size(iov, count) < NET_HEADER_SIZE + NET_ETHERNET_HEADER || count > IOV_MAX)
		return -EINVAL;
	do {
		written = writev(tap_of(net)->fd, (const struct iovec *)(const void *)iov,
				 (int)count);
	} while (written < 0 && errno == EINTR);
	if (written >= 0)
		return 0;
	/* An interface that is down loses what is sent to it, as a cable that is pulled does. */
	return errno == EAGAIN || errno == EINVAL ? -errno : 0;
}

/*
 * The kernel cuts a frame that is too long without saying so, so short buffers are given one byte
 * more than the guest has.
 */
static ssize_t tap_read_checked(int fd, const struct os_iov *iov, unsigned count, size_t size)
{
	struct iovec all[IOV_MAX];
	uint8_t beyond;
	ssize_t length;

	if (count >= IOV_MAX)
		return -EINVAL;
	memcpy(all, iov, count * sizeof(*iov));
	all[count] = (struct iovec){&beyond, sizeof(beyond)};
	length = readv(fd, all, (int)count + 1);
	if (length < 0)
		return -errno;
	return (size_t)length > size ? -EMSGSIZE : length;
}

static int64_t tap_receive(struct os_net *net, const struct os_iov *iov, unsigned count)
{
	static const uint8_t one_buffer[2] = {1, 0};
	size_t size = net_iov_size(iov, count);
	int fd = tap_of(net)->fd;
	ssize_t length;

	do {
		if (size >= NET_HEADER_SIZE + NET_FRAME_MAX && count <= IOV_MAX) {
			length = readv(fd, (const struct iovec *)(const void *)iov, (int)count);
			if (length < 0)
				length = -errno;
		} else {
			length = tap_read_checked(fd, iov, count, size);
		}
	} while (length == -EINTR);
	if (length == -EMSGSIZE)
		return length;
	/* Whatever else is wrong (the interface is gone), there is no frame. */
	if (length < NET_HEADER_SIZE)
		return -EAGAIN;
	net_iov_write(iov, count, NET_HEADER_NUM_BUFFERS, one_buffer, sizeof(one_buffer));
	return length;
}

static const struct net_ops tap_ops = {
	.close = tap_close,
	.receiver_changed = tap_receiver_changed,
	.set_offloads = tap_set_offloads,
	.send = tap_send,
	.receive = tap_receive,
};

static int tap_open_error(int error, struct error *why)
{
	switch (error) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return error_set(
			why, -error,
			"cannot use a TAP interface: there is no %s; load the kernel's module "
			"(sudo modprobe tun)",
			TUN_PATH);
	case EACCES:
	case EPERM:
		return error_set(
			why, -error,
			"cannot use a TAP interface: no right to open %s; let all open it, which "
			"gives no rights by itself (sudo chmod 666 %s)",
			TUN_PATH, TUN_PATH);
	default:
		return error_set(why, -error, "cannot use a TAP interface: %s: %s", TUN_PATH,
				 strerror(error));
	}
}

static int tap_attach_error(const char *name, int error, struct error *why)
{
	switch (error) {
	case EPERM:
		return error_set(
			why, -error,
			"no right to use the interface %s: give it to your user (sudo ip tuntap "
			"del %s mode tap; sudo ip tuntap add %s mode tap user $USER)",
			name, name, name);
	case EBUSY:
		return error_set(why, -error,
				 "the interface %s is in use by another virtual machine or program",
				 name);
	case EINVAL:
		return error_set(
			why, -error,
			"the interface %s is no TAP interface: make one (sudo ip tuntap add tap0 "
			"mode tap user $USER)",
			name);
	default:
		return error_set(why, -error, "cannot use the interface %s: %s", name,
				 strerror(error));
	}
}

static int tap_attach(struct net_tap *tap, const char *name, struct error *why)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	int header_size = NET_HEADER_SIZE, socket_fd;

	if (strlen(name) >= IFNAMSIZ)
		return error_set(
			why, -EINVAL,
			"%s is no name of a network interface: it is longer than %d characters",
			name, IFNAMSIZ - 1);
	/* TUNSETIFF would make one for as long as we live, on no bridge and without an address. */
	if (!if_nametoindex(name))
		return error_set(
			why, -ENODEV,
			"there is no network interface %s: make it (sudo ip tuntap add %s mode "
			"tap user $USER; sudo ip link set %s up)",
			name, name, name);
	memcpy(request.ifr_name, name, strlen(name) + 1);
	if (ioctl(tap->fd, TUNSETIFF, &request) < 0) {
		/* One that was made for several queues serves with one of them. */
		request.ifr_flags |= IFF_MULTI_QUEUE;
		if (errno != EINVAL || ioctl(tap->fd, TUNSETIFF, &request) < 0)
			return tap_attach_error(name, errno, why);
	}
	if (ioctl(tap->fd, TUNSETVNETHDRSZ, &header_size) < 0)
		return tap_attach_error(name, errno, why);
	tap->net.info = (struct os_net_info){.mtu = 1500, .offloads = true};
	socket_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (socket_fd >= 0) {
		if (ioctl(socket_fd, SIOCGIFMTU, &request) == 0 && request.ifr_mtu > 0)
			tap->net.info.mtu = (uint16_t)MIN(request.ifr_mtu, UINT16_MAX);
		close(socket_fd);
	}
	/* Until the guest has said what it takes. */
	tap_set_offloads(&tap->net, 0);
	return 0;
}

int net_tap_open(struct os_loop *loop, const struct os_net_options *options, struct os_net **out,
		 struct error *why)
{
	struct net_tap *tap = calloc(1, sizeof(*tap));
	int error;

	if (!tap)
		return error_set(why, -ENOMEM, "cannot use a TAP interface: out of memory");
	tap->net.ops = &tap_ops;
	tap->loop = loop;
	tap->fd = open(TUN_PATH, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (tap->fd < 0) {
		error = tap_open_error(errno, why);
		goto free_tap;
	}
	error = tap_attach(tap, options->name, why);
	if (error)
		goto close_fd;
	*out = &tap->net;
	return 0;
close_fd:
	close(tap->fd);
free_tap:
	free(tap);
	return error;
}
