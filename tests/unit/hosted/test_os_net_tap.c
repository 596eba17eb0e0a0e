/* SPDX-License-Identifier: MIT */
/*
 * test_os_net_tap.c - a TAP interface in a network namespace of the test's own.  Skipped, but for
 * the sentences, where no namespace or /dev/net/tun is to be had.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/if_ether.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "type2/process/net.h"
#include "type2/process/process.h"

#define TAP "dyadtest0"
#define PATIENCE UINT64_C(3000000000)

static bool have_tap; /* the interface could be made */

struct bench {
	struct os_loop *loop;
	struct os_timer *patience;
	bool impatient;
	struct os_net *net;
	int socket;
	uint16_t wanted; /* ethertype */
	bool found;
	int64_t length;
	struct {
		struct virtio_net_hdr_v1 header;
		struct ether_header ethernet;
		uint8_t payload[4096];
	} __attribute__((packed)) frame;
};

static void control_interface(unsigned long command, struct ifreq *request)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(request->ifr_name, TAP, sizeof(TAP));
	assert_int_equal(ioctl(fd, command, request), 0);
	close(fd);
}

static void set_up(bool up)
{
	struct ifreq request = {.ifr_flags = (short)(up ? IFF_UP | IFF_RUNNING : 0)};

	control_interface(SIOCSIFFLAGS, &request);
}

/* 10.9.0.1/8, up, with an MTU of 3000. */
static void configure(void)
{
	struct ifreq request = {.ifr_flags = 0};
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a090001)};

	memcpy(&request.ifr_addr, &address, sizeof(address));
	control_interface(SIOCSIFADDR, &request);
	request = (struct ifreq){.ifr_mtu = 3000};
	control_interface(SIOCSIFMTU, &request);
	set_up(true);
}

static bool make_tap(void)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	int fd;

	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return false;
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return false;
	memcpy(request.ifr_name, TAP, sizeof(TAP));
	if (ioctl(fd, TUNSETIFF, &request) < 0 || ioctl(fd, TUNSETPERSIST, 1) < 0) {
		close(fd);
		return false;
	}
	close(fd);
	return true;
}

static void patience_ended(void *arg)
{
	struct bench *bench = arg;

	bench->impatient = true;
	os_loop_stop(bench->loop);
}

static int setup(void **state)
{
	struct os_net_options options = {.kind = OS_NET_TAP, .name = TAP};
	struct bench *bench = calloc(1, sizeof(*bench));
	struct error why;

	*state = bench;
	if (os_loop_create(&bench->loop) ||
	    os_timer_create(bench->loop, patience_ended, bench, &bench->patience))
		return -1;
	if (!have_tap)
		return 0;
	bench->socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return os_net_open(bench->loop, &options, &bench->net, &why);
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	os_net_close(bench->net);
	if (bench->socket > 0)
		close(bench->socket);
	os_timer_destroy(bench->patience);
	os_loop_destroy(bench->loop);
	free(bench);
	return 0;
}

static void receive_frames(void *arg)
{
	struct bench *bench = arg;
	struct os_iov iov = {&bench->frame, sizeof(bench->frame)};

	while (!bench->found && (bench->length = os_net_receive(bench->net, &iov, 1)) != -EAGAIN)
		if (bench->frame.ethernet.ether_type == htons(bench->wanted)) {
			bench->found = true;
			os_loop_stop(bench->loop);
		}
}

static void await_frame(struct bench *bench, uint16_t type)
{
	bench->wanted = type;
	bench->found = false;
	os_net_set_receiver(bench->net, receive_frames, bench);
	os_timer_set(bench->patience, os_clock_monotonic() + PATIENCE);
	os_loop_run(bench->loop);
	os_timer_set(bench->patience, 0);
	os_net_set_receiver(bench->net, NULL, NULL);
	assert_false(bench->impatient);
	assert_int_equal(bench->frame.header.num_buffers, 1);
}

static void send_to_guest(struct bench *bench, const void *bytes, size_t size)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(0x0a090002)};

	assert_int_equal(
		sendto(bench->socket, bytes, size, 0, (struct sockaddr *)&address, sizeof(address)),
		size);
}

/* The kernel asks who has 10.9.0.2: 52:54:00:00:00:01. */
static void answer_arp(struct bench *bench)
{
	static const uint8_t mac[6] = {0x52, 0x54, 0, 0, 0, 1};
	struct ether_arp arp;
	struct os_iov iov[2];

	await_frame(bench, ETHERTYPE_ARP);
	memcpy(&arp, bench->frame.payload, sizeof(arp));
	arp.arp_op = htons(ARPOP_REPLY);
	memcpy(arp.arp_tpa, arp.arp_spa, 4);
	memcpy(arp.arp_tha, arp.arp_sha, 6);
	memcpy(arp.arp_spa, "\x0a\x09\x00\x02", 4);
	memcpy(arp.arp_sha, mac, 6);
	memcpy(bench->frame.ethernet.ether_dhost, bench->frame.ethernet.ether_shost, 6);
	memcpy(bench->frame.ethernet.ether_shost, mac, 6);
	memset(&bench->frame.header, 0, sizeof(bench->frame.header));
	iov[0] = (struct os_iov){&bench->frame, 26};
	iov[1] = (struct os_iov){&arp, sizeof(arp)};
	assert_int_equal(os_net_send(bench->net, iov, 2), 0);
}

/* The kernel forgets its neighbours when the other side of the interface is closed. */
static void meet(struct bench *bench)
{
	send_to_guest(bench, "hello", 5);
	answer_arp(bench);
	await_frame(bench, ETHERTYPE_IP);
}

static void test_frames_go_both_ways_with_the_interface_mtu(void **state)
{
	struct bench *bench = *state;
	struct os_net_info info;
	char text[3000];

	if (!have_tap)
		skip();
	os_net_get_info(bench->net, &info);
	assert_int_equal(info.mtu, 3000);
	assert_true(info.offloads);
	meet(bench);
	assert_int_equal(bench->frame.header.flags, 0);
	assert_memory_equal(bench->frame.payload + 28, "hello", 5);
	assert_int_equal(bench->length, 12 + 14 + 28 + 5);
	memset(text, 'x', sizeof(text));
	send_to_guest(bench, text, 2900);
	await_frame(bench, ETHERTYPE_IP);
	assert_int_equal(bench->length, 12 + 14 + 28 + 2900);
}

static void test_checksum_is_left_to_a_guest_that_takes_that(void **state)
{
	struct bench *bench = *state;

	if (!have_tap)
		skip();
	meet(bench);
	os_net_set_offloads(bench->net, BIT(VIRTIO_NET_F_GUEST_CSUM) |
						BIT(VIRTIO_NET_F_GUEST_TSO4) |
						BIT(VIRTIO_NET_F_GUEST_ECN));
	send_to_guest(bench, "hello", 5);
	await_frame(bench, ETHERTYPE_IP);
	assert_int_equal(bench->frame.header.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	os_net_set_offloads(bench->net, BIT(VIRTIO_NET_F_GUEST_TSO4));
	send_to_guest(bench, "hello", 5);
	await_frame(bench, ETHERTYPE_IP);
	assert_int_equal(bench->frame.header.flags, 0);
}

static void test_frame_longer_than_the_buffers_is_dropped(void **state)
{
	struct bench *bench = *state;
	struct os_iov iov[] = {{&bench->frame, 40}, {bench->frame.payload, 20}};
	int64_t length;

	if (!have_tap)
		skip();
	meet(bench);
	do {
		send_to_guest(bench, "0123456789", 10);
		length = os_net_receive(bench->net, iov, 2);
	} while (length == -EAGAIN);
	assert_int_equal(length, -EMSGSIZE);
	/* Exactly as long as they are. */
	iov[1].length = 12 + 14 + 28 + 10 - 40;
	do {
		send_to_guest(bench, "0123456789", 10);
		length = os_net_receive(bench->net, iov, 2);
	} while (length == -EAGAIN);
	assert_int_equal(length, 12 + 14 + 28 + 10);
}

static void test_nonsense_is_refused_and_a_pulled_cable_loses_frames(void **state)
{
	struct bench *bench = *state;
	uint8_t bytes[100] = {0};
	struct os_iov iov = {bytes, 20};

	if (!have_tap)
		skip();
	assert_int_equal(os_net_send(bench->net, &iov, 1), -EINVAL);
	iov.length = sizeof(bytes);
	bytes[0] = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	bytes[6] = bytes[7] = 0xff; /* csum_start */
	assert_int_equal(os_net_send(bench->net, &iov, 1), -EINVAL);
	bytes[0] = 0;
	set_up(false);
	assert_int_equal(os_net_send(bench->net, &iov, 1), 0);
	assert_int_equal(os_net_receive(bench->net, &iov, 1), -EAGAIN);
	set_up(true);
}

static void expect_open_error(struct bench *bench, const char *name, int error, const char *words)
{
	struct os_net_options options = {.kind = OS_NET_TAP, .name = name};
	struct os_net *net;
	struct error why;

	assert_int_equal(os_net_open(bench->loop, &options, &net, &why), error);
	assert_non_null(strstr(why.text, words));
}

static void test_interface_that_cannot_be_used_is_said(void **state)
{
	struct bench *bench = *state;

	if (!have_tap)
		skip();
	expect_open_error(bench, TAP, -EBUSY, "in use by another");
	expect_open_error(bench, "missing0", -ENODEV, "ip tuntap add missing0");
	assert_int_equal(if_nametoindex("missing0"), 0);
	expect_open_error(bench, "lo", -EINVAL, "is no TAP interface");
	expect_open_error(bench, "a-name-that-is-too-long", -EINVAL, "longer than 15");
}

static void test_no_right_to_use_tap_is_said(void **state)
{
	struct bench *bench = *state;

	if (access("/dev/net/tun", F_OK) != 0) {
		expect_open_error(bench, TAP, -ENOENT, "modprobe tun");
		return;
	}
	if (getuid() != 0)
		skip();
	assert_int_equal(seteuid(65534), 0);
	if (access("/dev/net/tun", W_OK) != 0 || open("/dev/net/tun", O_RDWR) < 0)
		expect_open_error(bench, TAP, -EACCES, "no right to open /dev/net/tun");
	assert_int_equal(seteuid(0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_frames_go_both_ways_with_the_interface_mtu,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_checksum_is_left_to_a_guest_that_takes_that,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_frame_longer_than_the_buffers_is_dropped,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_nonsense_is_refused_and_a_pulled_cable_loses_frames, setup, teardown),
		cmocka_unit_test_setup_teardown(test_interface_that_cannot_be_used_is_said, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_no_right_to_use_tap_is_said, setup, teardown),
	};

	process_init();
	have_tap = make_tap();
	if (have_tap)
		configure();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
