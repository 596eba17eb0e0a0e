/* SPDX-License-Identifier: MIT */
/*
 * test_os_net_user.c - the user network end to end on the host's loopback: the test is the guest,
 * and makes its frames by hand.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/ethernet.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "type2/process/frame_ring.h"
#include "type2/process/net.h"
#include "type2/process/process.h"

#define GUEST_ADDRESS 0x0a00020fu
#define HOST_ADDRESS 0x0a000202u
#define PATIENCE UINT64_C(5000000000) /* longer than any step takes */

static const uint8_t guest_mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
/* libslirp's own addresses: 52:55 and the IPv4 address. */
static const uint8_t host_mac[6] = {0x52, 0x55, 10, 0, 2, 2};

struct frame {
	uint8_t virtio_header[NET_HEADER_SIZE];
	struct ether_header ethernet;
	uint8_t payload[2048];
} __attribute__((packed));

struct bench {
	struct os_loop *loop;
	struct os_net *net;
	struct os_timer *patience;
	bool impatient;
	uint16_t tcp_port, udp_port;         /* on the host, forwarded to 80 and 53 of the guest */
	bool (*wanted)(struct bench *bench); /* looks at frame */
	bool found;
	struct frame frame; /* the last one that came */
	size_t length;      /* of its payload */
};

static void patience_ended(void *arg)
{
	struct bench *bench = arg;

	bench->impatient = true;
	os_loop_stop(bench->loop);
}

/* --- Frames
 * ------------------------------------------------------------------------------------------ */

static uint16_t checksum_add(uint32_t sum, const void *bytes, size_t size)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < size; i++)
		sum += i % 2 ? at[i] : (uint32_t)at[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void send_frame(struct bench *bench, uint16_t type, const void *payload, size_t size)
{
	struct frame frame = {.ethernet.ether_type = htons(type)};
	/* In several segments, as guests do. */
	struct os_iov iov[] = {
		{frame.virtio_header, sizeof(frame.virtio_header)},
		{&frame.ethernet, 20},
		{frame.payload + 6, size > 6 ? size - 6 : 0},
	};

	memcpy(frame.ethernet.ether_dhost, host_mac, 6);
	memcpy(frame.ethernet.ether_shost, guest_mac, 6);
	memcpy(frame.payload, payload, size);
	assert_int_equal(os_net_send(bench->net, iov, ARRAY_COUNT(iov)), 0);
}

struct packet {
	struct iphdr ip;
	union {
		struct tcphdr tcp;
		struct udphdr udp;
		uint8_t bytes[1500];
	};
} __attribute__((packed));

static void send_packet(struct bench *bench, struct packet *packet, uint8_t protocol,
			uint32_t source, uint32_t destination, size_t size)
{
	uint8_t pseudo[12];
	uint16_t sum;

	packet->ip = (struct iphdr){.version = 4, .ihl = 5, .ttl = 64, .protocol = protocol};
	packet->ip.tot_len = htons((uint16_t)(sizeof(packet->ip) + size));
	packet->ip.saddr = htonl(source);
	packet->ip.daddr = htonl(destination);
	packet->ip.check = htons((uint16_t)~checksum_add(0, &packet->ip, sizeof(packet->ip)));
	memcpy(pseudo, &packet->ip.saddr, 8);
	pseudo[8] = 0;
	pseudo[9] = protocol;
	pseudo[10] = (uint8_t)(size >> 8);
	pseudo[11] = (uint8_t)size;
	sum = (uint16_t)~checksum_add(checksum_add(0, pseudo, sizeof(pseudo)), packet->bytes, size);
	if (protocol == IPPROTO_TCP)
		packet->tcp.check = htons(sum);
	else
		packet->udp.check = htons(sum);
	send_frame(bench, ETHERTYPE_IP, packet, sizeof(packet->ip) + size);
}

static void send_udp(struct bench *bench, uint32_t source, uint16_t source_port,
		     uint32_t destination, uint16_t port, const void *data, size_t size)
{
	struct packet packet = {.bytes = {0}};
	size_t total = sizeof(packet.udp) + size;

	packet.udp.source = htons(source_port);
	packet.udp.dest = htons(port);
	packet.udp.len = htons((uint16_t)total);
	memcpy(packet.bytes + sizeof(packet.udp), data, size);
	send_packet(bench, &packet, IPPROTO_UDP, source, destination, total);
}

struct connection {
	uint16_t guest_port, host_port;
	uint32_t host_address;
	uint32_t sent, received; /* sequence numbers: our next, and the other side's next */
};

enum { FIN = 1, SYN = 2, PSH = 8, ACK = 16 };

static void send_tcp(struct bench *bench, struct connection *connection, uint8_t flags,
		     const void *data, size_t size)
{
	struct packet packet = {.bytes = {0}};

	packet.tcp.source = htons(connection->guest_port);
	packet.tcp.dest = htons(connection->host_port);
	packet.tcp.seq = htonl(connection->sent);
	packet.tcp.ack_seq = htonl(connection->received);
	packet.tcp.doff = 5;
	packet.tcp.window = htons(65535);
	packet.bytes[13] = flags;
	if (size)
		memcpy(packet.bytes + sizeof(packet.tcp), data, size);
	send_packet(bench, &packet, IPPROTO_TCP, GUEST_ADDRESS, connection->host_address,
		    sizeof(packet.tcp) + size);
	connection->sent += (uint32_t)size + (flags & SYN ? 1 : 0);
}

/* --- Frames that come
 * ----------------------------------------------------------------------------------- */

static struct packet *packet_of(struct bench *bench)
{
	return (struct packet *)(void *)bench->frame.payload;
}

static bool is_ip(struct bench *bench, uint8_t protocol)
{
	return bench->frame.ethernet.ether_type == htons(ETHERTYPE_IP) &&
	       packet_of(bench)->ip.protocol == protocol;
}

static bool is_tcp(struct bench *bench)
{
	return is_ip(bench, IPPROTO_TCP);
}

static bool is_udp(struct bench *bench)
{
	return is_ip(bench, IPPROTO_UDP);
}

static bool is_tcp_data(struct bench *bench)
{
	return is_tcp(bench) && ntohs(packet_of(bench)->ip.tot_len) > 40;
}

/* Who has 10.0.2.15?  We do. */
static void answer_arp(struct bench *bench)
{
	struct ether_arp arp;

	memcpy(&arp, bench->frame.payload, sizeof(arp));
	if (arp.arp_op != htons(ARPOP_REQUEST))
		return;
	arp.arp_op = htons(ARPOP_REPLY);
	memcpy(arp.arp_tha, arp.arp_sha, 6);
	memcpy(arp.arp_sha, guest_mac, 6);
	for (int i = 0; i < 4; i++) {
		uint8_t target = arp.arp_tpa[i];

		arp.arp_tpa[i] = arp.arp_spa[i];
		arp.arp_spa[i] = target;
	}
	send_frame(bench, ETHERTYPE_ARP, &arp, sizeof(arp));
}

static void receive_frames(void *arg)
{
	struct bench *bench = arg;
	struct os_iov iov[] = {{&bench->frame, 30},
			       {(uint8_t *)&bench->frame + 30, sizeof(bench->frame) - 30}};
	int64_t length;

	while (!bench->found && (length = os_net_receive(bench->net, iov, 2)) != -EAGAIN) {
		assert_true(length > NET_HEADER_SIZE + NET_ETHERNET_HEADER);
		assert_int_equal(bench->frame.virtio_header[0], 0);
		assert_int_equal(bench->frame.virtio_header[NET_HEADER_NUM_BUFFERS], 1);
		bench->length = (size_t)length - NET_HEADER_SIZE - NET_ETHERNET_HEADER;
		if (bench->frame.ethernet.ether_type == htons(ETHERTYPE_ARP))
			answer_arp(bench);
		if (bench->wanted && bench->wanted(bench)) {
			bench->found = true;
			os_loop_stop(bench->loop);
		}
	}
}

/* Runs the loop until a frame comes that is wanted. */
static void await_frame(struct bench *bench, bool (*wanted)(struct bench *bench))
{
	bench->wanted = wanted;
	bench->found = false;
	/* What is queued already. */
	receive_frames(bench);
	os_timer_set(bench->patience, os_clock_monotonic() + PATIENCE);
	os_loop_run(bench->loop);
	os_timer_set(bench->patience, 0);
	bench->wanted = NULL;
	assert_false(bench->impatient);
}

static void stop_when_ready(void *arg, unsigned events)
{
	(void)events;
	os_loop_stop(((struct bench *)arg)->loop);
}

/* Runs the loop until a socket of the test's is ready. */
static void await_socket(struct bench *bench, int fd, unsigned events)
{
	struct process_watch *watch;

	assert_int_equal(
		process_loop_watch_fd(bench->loop, fd, events, stop_when_ready, bench, &watch), 0);
	os_timer_set(bench->patience, os_clock_monotonic() + PATIENCE);
	os_loop_run(bench->loop);
	os_timer_set(bench->patience, 0);
	process_loop_unwatch_fd(watch);
	assert_false(bench->impatient);
}

/* --- The host's side
 * -------------------------------------------------------------------------------------- */

static int loopback_socket(int type, uint16_t *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	*port = ntohs(address.sin_port);
	return fd;
}

static struct sockaddr_in loopback_address(uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons(port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	struct os_net_forward forwards[2];
	struct os_net_options options = {
		.kind = OS_NET_USER, .forwards = forwards, .forward_count = 2};
	int tcp = loopback_socket(SOCK_STREAM, &bench->tcp_port);
	int udp = loopback_socket(SOCK_DGRAM, &bench->udp_port);
	struct error why;

	close(tcp);
	close(udp);
	forwards[0] = (struct os_net_forward){.protocol = OS_NET_TCP,
					      .host_address = INADDR_LOOPBACK,
					      .host_port = bench->tcp_port,
					      .guest_port = 80};
	forwards[1] = (struct os_net_forward){.protocol = OS_NET_UDP,
					      .host_address = INADDR_LOOPBACK,
					      .host_port = bench->udp_port,
					      .guest_address = GUEST_ADDRESS,
					      .guest_port = 53};
	if (os_loop_create(&bench->loop) ||
	    os_timer_create(bench->loop, patience_ended, bench, &bench->patience) ||
	    os_net_open(bench->loop, &options, &bench->net, &why))
		return -1;
	os_net_set_receiver(bench->net, receive_frames, bench);
	*state = bench;
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	os_net_close(bench->net);
	os_timer_destroy(bench->patience);
	os_loop_destroy(bench->loop);
	free(bench);
	return 0;
}

/* --- Tests
 * ------------------------------------------------------------------------------------------------
 */

static void test_port_offers_a_large_mtu_and_no_offloads(void **state)
{
	struct bench *bench = *state;
	struct os_net_info info;

	os_net_get_info(bench->net, &info);
	assert_int_equal(info.mtu, 65520);
	assert_false(info.offloads);
	os_net_set_offloads(bench->net, UINT64_MAX);
}

static void test_dhcp_gives_the_usual_address(void **state)
{
	struct bench *bench = *state;
	uint8_t request[300] = {1, 1, 6, 0, 0x11, 0x22, 0x33, 0x44}, *reply;
	static const uint8_t options[] = {0x63, 0x82, 0x53, 0x63, 53, 1, 1, 255}; /* DISCOVER */

	memcpy(request + 28, guest_mac, 6);
	memcpy(request + 236, options, sizeof(options));
	send_udp(bench, 0, 68, 0xffffffff, 67, request, sizeof(request));
	await_frame(bench, is_udp);
	assert_int_equal(packet_of(bench)->udp.dest, htons(68));
	reply = packet_of(bench)->bytes + sizeof(struct udphdr);
	assert_int_equal(reply[0], 2);
	assert_memory_equal(reply + 4, request + 4, 4);
	assert_memory_equal(reply + 16, "\x0a\x00\x02\x0f", 4);
	assert_memory_equal(reply + 236, "\x63\x82\x53\x63", 4);
}

static void test_forwarded_connection_carries_data_both_ways(void **state)
{
	struct bench *bench = *state;
	struct sockaddr_in address = loopback_address(bench->tcp_port);
	struct connection connection = {.sent = 1000};
	int client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct packet *packet = packet_of(bench);
	char text[16] = "";

	assert_true(connect(client, (struct sockaddr *)&address, sizeof(address)) == 0 ||
		    errno == EINPROGRESS);
	await_frame(bench, is_tcp);
	assert_int_equal(packet->bytes[13], SYN);
	assert_int_equal(packet->tcp.dest, htons(80));
	assert_int_equal(packet->ip.daddr, htonl(GUEST_ADDRESS));
	connection.guest_port = 80;
	connection.host_port = ntohs(packet->tcp.source);
	connection.host_address = ntohl(packet->ip.saddr);
	connection.received = ntohl(packet->tcp.seq) + 1;
	send_tcp(bench, &connection, SYN | ACK, NULL, 0);
	await_frame(bench, is_tcp);
	assert_true(packet->bytes[13] & ACK);

	assert_int_equal(send(client, "hello", 5, 0), 5);
	await_frame(bench, is_tcp_data);
	assert_memory_equal(packet->bytes + packet->tcp.doff * 4, "hello", 5);
	connection.received += 5;
	send_tcp(bench, &connection, ACK | PSH, "world", 5);
	await_socket(bench, client, PROCESS_READABLE);
	assert_int_equal(recv(client, text, sizeof(text), 0), 5);
	assert_string_equal(text, "world");
	close(client);
	await_frame(bench, is_tcp);
	assert_true(packet->bytes[13] & FIN);
}

static void test_guest_connects_to_the_host(void **state)
{
	struct bench *bench = *state;
	struct connection connection = {
		.sent = 5000, .guest_port = 40000, .host_address = HOST_ADDRESS};
	int listener = loopback_socket(SOCK_STREAM, &connection.host_port), server;
	struct packet *packet = packet_of(bench);
	char text[16] = "";

	assert_int_equal(listen(listener, 1), 0);
	send_tcp(bench, &connection, SYN, NULL, 0);
	await_frame(bench, is_tcp);
	assert_int_equal(packet->bytes[13], SYN | ACK);
	connection.received = ntohl(packet->tcp.seq) + 1;
	send_tcp(bench, &connection, ACK | PSH, "question", 8);
	server = accept(listener, NULL, NULL);
	assert_true(server >= 0);
	await_socket(bench, server, PROCESS_READABLE);
	assert_int_equal(recv(server, text, sizeof(text), 0), 8);
	assert_string_equal(text, "question");
	assert_int_equal(send(server, "answer", 6, 0), 6);
	await_frame(bench, is_tcp_data);
	assert_memory_equal(packet->bytes + packet->tcp.doff * 4, "answer", 6);
	close(server);
	close(listener);
}

static void test_datagrams_go_both_ways(void **state)
{
	struct bench *bench = *state;
	struct sockaddr_in from;
	socklen_t length = sizeof(from);
	struct packet *packet = packet_of(bench);
	uint16_t port;
	int server = loopback_socket(SOCK_DGRAM, &port);
	char text[16] = "";

	send_udp(bench, GUEST_ADDRESS, 5000, HOST_ADDRESS, port, "ping", 4);
	await_socket(bench, server, PROCESS_READABLE);
	assert_int_equal(recvfrom(server, text, sizeof(text), 0, (struct sockaddr *)&from, &length),
			 4);
	assert_string_equal(text, "ping");
	assert_int_equal(sendto(server, "pong", 4, 0, (struct sockaddr *)&from, length), 4);
	await_frame(bench, is_udp);
	assert_int_equal(packet->udp.dest, htons(5000));
	assert_memory_equal(packet->bytes + sizeof(packet->udp), "pong", 4);
	close(server);
}

static void test_forwarded_datagram_reaches_the_guest(void **state)
{
	struct bench *bench = *state;
	struct sockaddr_in address = loopback_address(bench->udp_port);
	int client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct packet *packet = packet_of(bench);

	assert_int_equal(
		sendto(client, "query", 5, 0, (struct sockaddr *)&address, sizeof(address)), 5);
	await_frame(bench, is_udp);
	assert_int_equal(packet->udp.dest, htons(53));
	assert_memory_equal(packet->bytes + sizeof(packet->udp), "query", 5);
	close(client);
}

static void test_guest_that_does_not_receive_costs_bounded_memory(void **state)
{
	struct bench *bench = *state;
	struct sockaddr_in from;
	socklen_t length = sizeof(from);
	static uint8_t bytes[32 * KIB], frame[64 * KIB];
	struct os_iov iov = {frame, sizeof(frame)};
	uint64_t queued = 0;
	uint16_t port;
	int server = loopback_socket(SOCK_DGRAM, &port);
	int64_t received;

	/* Learn of the guest, and be known. */
	send_udp(bench, GUEST_ADDRESS, 5000, HOST_ADDRESS, port, "ping", 4);
	await_socket(bench, server, PROCESS_READABLE);
	assert_int_equal(
		recvfrom(server, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &length), 4);
	sendto(server, "pong", 4, 0, (struct sockaddr *)&from, length);
	await_frame(bench, is_udp);
	os_net_set_receiver(bench->net, NULL, NULL);
	for (int i = 0; i < 200; i++) {
		sendto(server, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, length);
		os_timer_set(bench->patience, os_clock_monotonic() + 200000);
		os_loop_run(bench->loop);
	}
	bench->impatient = false;
	while ((received = os_net_receive(bench->net, &iov, 1)) > 0)
		queued += (uint64_t)received;
	assert_int_equal(received, -EAGAIN);
	assert_true(queued > 512 * KIB && queued <= 1 * MIB);
	/* And it works on. */
	os_net_set_receiver(bench->net, receive_frames, bench);
	sendto(server, "pong", 4, 0, (struct sockaddr *)&from, length);
	await_frame(bench, is_udp);
	close(server);
}

static void test_what_is_no_frame_is_refused(void **state)
{
	struct bench *bench = *state;
	static uint8_t bytes[NET_HEADER_SIZE + NET_FRAME_MAX + 1];
	struct os_iov iov = {bytes, 0};

	assert_int_equal(os_net_send(bench->net, &iov, 0), -EINVAL);
	for (size_t size = 0; size < NET_HEADER_SIZE + NET_ETHERNET_HEADER; size++) {
		iov.length = size;
		assert_int_equal(os_net_send(bench->net, &iov, 1), -EINVAL);
	}
	iov.length = sizeof(bytes);
	assert_int_equal(os_net_send(bench->net, &iov, 1), -EINVAL);
	iov.length = sizeof(bytes) - 1;
	assert_int_equal(os_net_send(bench->net, &iov, 1), 0);
}

static void test_frame_longer_than_the_buffers_is_dropped(void **state)
{
	struct bench *bench = *state;
	struct sockaddr_in address = loopback_address(bench->udp_port);
	int client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint8_t small[30];
	struct os_iov iov = {small, sizeof(small)};

	/* An ARP request comes first. */
	os_net_set_receiver(bench->net, NULL, NULL);
	sendto(client, "query", 5, 0, (struct sockaddr *)&address, sizeof(address));
	while (os_net_receive(bench->net, &iov, 1) == -EAGAIN) {
		os_timer_set(bench->patience, os_clock_monotonic() + 1000000);
		os_loop_run(bench->loop);
	}
	assert_int_equal(os_net_receive(bench->net, &iov, 1), -EAGAIN);
	close(client);
}

static void test_nonsense_frames_do_no_harm(void **state)
{
	struct bench *bench = *state;
	static const uint16_t types[] = {ETHERTYPE_IP, ETHERTYPE_IPV6, ETHERTYPE_ARP, 0x88f8, 0};
	uint8_t bytes[200];
	uint32_t random = 3;

	for (int i = 0; i < 3000; i++) {
		size_t size = (size_t)(random >> 8) % sizeof(bytes);

		if (size < 6)
			size = 6;
		for (size_t j = 0; j < sizeof(bytes); j++) {
			random = random * 1664525 + 1013904223;
			bytes[j] = (uint8_t)(random >> 24);
		}
		if (i % 2)
			bytes[0] = i % 4 == 1 ? 0x45 : 0x60;
		send_frame(bench, types[i % 5], bytes, size);
	}
	test_dhcp_gives_the_usual_address(state);
}

static void test_port_in_use_is_said(void **state)
{
	struct bench *bench = *state;
	struct os_net_forward forward = {.protocol = OS_NET_TCP,
					 .host_address = INADDR_LOOPBACK,
					 .host_port = bench->tcp_port,
					 .guest_port = 22};
	struct os_net_options options = {
		.kind = OS_NET_USER, .forwards = &forward, .forward_count = 1};
	struct os_net *net;
	struct error why;

	assert_int_equal(os_net_open(bench->loop, &options, &net, &why), -EADDRINUSE);
	assert_non_null(strstr(why.text, "cannot forward TCP port"));
	assert_non_null(strstr(why.text, "127.0.0.1"));
	assert_non_null(strstr(why.text, "choose another port"));
	os_net_close(NULL);
}

/* GLib's, by which libslirp logs. */
void g_log(const char *domain, int level, const char *format, ...);
#define GLIB_WARNING (1 << 4)

static void test_what_the_library_logs_is_bounded(void **state)
{
	char text[8192];
	unsigned lines = 0;
	ssize_t length;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	process_log_configure(fds[1], OS_LOG_WARNING);
	for (int i = 0; i < 100; i++)
		g_log("Slirp", GLIB_WARNING, "frame %d is odd", i);
	process_log_configure(STDERR_FILENO, OS_LOG_INFO);
	close(fds[1]);
	length = read(fds[0], text, sizeof(text) - 1);
	close(fds[0]);
	assert_true(length > 0);
	text[length] = 0;
	for (const char *at = text; (at = strchr(at, '\n')); at++)
		lines++;
	assert_in_range(lines, 1, 16);
	assert_non_null(strstr(text, "dyad: warning: user network: frame "));
	assert_non_null(strstr(text, "no more of these will be shown"));
}

/* Frames of random lengths, in and out, against what was put in. */
static void test_ring_keeps_frames_whole_and_in_order(void **state)
{
	enum { PENDING_MAX = 1024 };
	struct frame_ring ring;
	static uint8_t frame[3000];
	uint32_t lengths[PENDING_MAX], random = 1, in = 0, out = 0, refused = 0;

	(void)state;
	assert_int_equal(frame_ring_init(&ring, 16384), 0);
	for (int i = 0; i < 200000; i++) {
		uint32_t length;
		const uint8_t *oldest;

		random = random * 1664525 + 1013904223;
		if (random >> 31) {
			length = (random >> 8) % (i % 3 ? 200 : sizeof(frame));
			memset(frame, (int)(in & 0xff), length);
			if (in - out == PENDING_MAX || !frame_ring_push(&ring, frame, length)) {
				refused++;
				continue;
			}
			lengths[in++ % PENDING_MAX] = length;
			continue;
		}
		oldest = frame_ring_peek(&ring, &length);
		if (in == out) {
			assert_null(oldest);
			continue;
		}
		assert_non_null(oldest);
		assert_int_equal(length, lengths[out % PENDING_MAX]);
		for (uint32_t j = 0; j < length; j++)
			assert_int_equal(oldest[j], out & 0xff);
		frame_ring_drop(&ring);
		out++;
	}
	assert_true(refused > 0 && out > 1000);
	frame_ring_destroy(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_port_offers_a_large_mtu_and_no_offloads, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_dhcp_gives_the_usual_address, setup, teardown),
		cmocka_unit_test_setup_teardown(test_forwarded_connection_carries_data_both_ways,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_guest_connects_to_the_host, setup, teardown),
		cmocka_unit_test_setup_teardown(test_datagrams_go_both_ways, setup, teardown),
		cmocka_unit_test_setup_teardown(test_forwarded_datagram_reaches_the_guest, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			test_guest_that_does_not_receive_costs_bounded_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_no_frame_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_frame_longer_than_the_buffers_is_dropped,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_nonsense_frames_do_no_harm, setup, teardown),
		cmocka_unit_test_setup_teardown(test_port_in_use_is_said, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_the_library_logs_is_bounded, setup,
						teardown),
		cmocka_unit_test(test_ring_keeps_frames_whole_and_in_order),
	};

	process_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
