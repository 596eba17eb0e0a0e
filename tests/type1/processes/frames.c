/* SPDX-License-Identifier: MIT */
/*
 * frames.c - two processes at the switch: "answer" answers what the other one sends it, and ends
 * when it is told; the other one sees that frames go where they should and nowhere else, whole to
 * who takes long ones and else cut up, that a port keeps to its address and its rate, that one
 * which breaks the rings' rules ends alone, and that the switch is joined again after it was
 * killed.
 *
 * "outside" is that other one with a network card: it finds QEMU's user network behind it.
 * "inside" has none.
 */
#include <linux/errno.h>

#include "abi/switch.h"
#include "lib/bits.h"
#include "lib/bytes.h"
#include "tests/support/tcp_frame.h"
#include "tests/type1/processes/check.h"
#include "type1/process/channel.h"
#include "type1/process/frame_queue.h"

#define SECOND UINT64_C(1000000000)
#define MILLISECOND (SECOND / 1000)
#define PATIENCE (30 * SECOND)
#define RESEND (200 * MILLISECOND)

#define MAC 6
#define HEADER ((uint32_t)sizeof(struct virtio_net_hdr_v1))
#define FRAME_MAX 1514
#define FILL 0x5a
#define PROCESSES_MAX 16

static const uint8_t mac_asking[MAC] = {2, 0, 0, 0, 0, 1}, mac_answer[MAC] = {2, 0, 0, 0, 0, 2},
		     mac_other[MAC] = {2, 0, 0, 0, 0, 3}, mac_group[MAC] = {3, 0, 0, 0, 0, 4},
		     mac_all[MAC] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

enum kind { PING, PONG, PLAIN, END };

/* As on the wire: its type is the first local experimental one (IEEE 802, section 9.2.4). */
static const uint8_t type_test[2] = {0x88, 0xb5}, type_arp[2] = {0x08, 0x06};
struct frame {
	uint8_t to[MAC], from[MAC], type[2];
	uint8_t kind, reserved;
	uint32_t serial, pings; /* pings: that were answered until now */
	uint8_t fill[FRAME_MAX - 24];
} __attribute__((packed));
_Static_assert(sizeof(struct frame) == FRAME_MAX, "a whole frame");
#define FRAME_LEAST __builtin_offsetof(struct frame, fill)

/* RFC 826, of IPv4 on Ethernet; and the router of QEMU's user network. */
#define ARP_OPERATION 20
#define ARP_SENDER 28
#define ARP_SIZE 42
static const uint8_t arp_reply[2] = {0, 2}, router[4] = {10, 0, 2, 2};

/* What came, last of each kind. */
static struct {
	uint32_t serial, pings, size; /* of the last PONG */
	uint32_t plain_serial;
	unsigned pongs, plain, wrong, arp, ends, too_long;
} seen;

static struct os_loop *loop;
static struct os_timer *timer;
static struct os_net *net;
static uint32_t answered;

/* --- Sending and receiving -------------------------------------------------------------------- */

static int send_bytes(const void *bytes, size_t size)
{
	static uint8_t header[HEADER];
	struct os_iov iov[] = {{header, sizeof(header)}, {(void *)(uintptr_t)bytes, size}};

	return os_net_send(net, iov, ARRAY_COUNT(iov));
}

static void make_frame(struct frame *frame, enum kind kind, const uint8_t *from, const uint8_t *to,
		       uint32_t serial)
{
	memset(frame, FILL, sizeof(*frame));
	memcpy(frame->to, to, MAC);
	memcpy(frame->from, from, MAC);
	memcpy(frame->type, type_test, sizeof(frame->type));
	frame->kind = kind;
	frame->serial = serial;
	frame->pings = answered;
}

static int send_frame(enum kind kind, const uint8_t *from, const uint8_t *to, uint32_t serial,
		      size_t size)
{
	struct frame frame;

	make_frame(&frame, kind, from, to, serial);
	return send_bytes(&frame, size);
}

static void take_frame(const struct frame *frame, uint32_t size)
{
	if (!memcmp(frame->type, type_arp, sizeof(type_arp))) {
		seen.arp += size >= ARP_SIZE &&
			    !memcmp((const uint8_t *)frame + ARP_OPERATION, arp_reply,
				    sizeof(arp_reply)) &&
			    !memcmp((const uint8_t *)frame + ARP_SENDER, router, sizeof(router));
		return;
	}
	if (memcmp(frame->type, type_test, sizeof(type_test)) != 0)
		return;
	for (uint32_t i = FRAME_LEAST; i < size; i++)
		seen.wrong += ((const uint8_t *)frame)[i] != FILL;
	switch (frame->kind) {
	case PING:
		answered++;
		send_frame(PONG, mac_answer, frame->from, frame->serial, size);
		break;
	case PONG:
		seen.pongs++;
		seen.serial = frame->serial;
		seen.pings = frame->pings;
		seen.size = size;
		break;
	case PLAIN:
		seen.plain++;
		seen.plain_serial = frame->serial;
		break;
	default:
		seen.ends++;
	}
}

static void readable(void *unused)
{
	static uint8_t bytes[HEADER + FRAME_MAX + 4];
	static struct frame frame;
	struct os_iov iov = {bytes, sizeof(bytes)};
	int64_t size;

	(void)unused;
	while ((size = os_net_receive(net, &iov, 1)) > 0 || size == -EMSGSIZE) {
		seen.too_long += size == -EMSGSIZE;
		if (size < (int64_t)(HEADER + 14))
			continue;
		memcpy(&frame, bytes + HEADER, MIN((size_t)size - HEADER, sizeof(frame)));
		take_frame(&frame, (uint32_t)size - HEADER);
	}
	os_loop_stop(loop);
}

static void timer_over(void *unused)
{
	(void)unused;
	os_loop_stop(loop);
}

/* Until something came, or the time is over. */
static void wait_until(uint64_t deadline)
{
	os_timer_set(timer, deadline);
	os_loop_run(loop);
}

static void begin(const uint8_t *mac)
{
	struct os_net_options options = {.kind = OS_NET_USER, .mac = mac};
	struct error why;
	int error;

	EXPECT(os_loop_create(&loop), 0);
	EXPECT(os_timer_create(loop, timer_over, NULL, &timer), 0);
	error = os_net_open(loop, &options, &net, &why);
	EXPECT(error, 0);
	if (error)
		process_abort(why.text);
	os_net_set_receiver(net, readable, NULL);
}

/* --- Who answers ------------------------------------------------------------------------------ */

static int answer(void)
{
	begin(mac_answer);
	while (!seen.ends)
		wait_until(0);
	EXPECT(seen.wrong, 0);
	return check_end();
}

/* --- Frames between the two ------------------------------------------------------------------- */

/* Sends a PING until there is an answer. */
static bool ping(const uint8_t *to, size_t size)
{
	static uint32_t serial = 1000000;
	uint64_t end = os_clock_monotonic() + PATIENCE, now;

	serial++;
	while (seen.serial != serial && (now = os_clock_monotonic()) < end) {
		uint64_t resend = now + RESEND;

		send_frame(PING, mac_asking, to, serial, size);
		while (seen.serial != serial && os_clock_monotonic() < resend)
			wait_until(resend);
	}
	return seen.serial == serial && seen.size == size;
}

static void test_between(void)
{
	unsigned before;

	EXPECT_THAT(ping(mac_all, FRAME_LEAST));
	EXPECT_THAT(ping(mac_answer, FRAME_LEAST));
	EXPECT_THAT(ping(mac_answer, FRAME_MAX));
	/* Many at once, in order; fewer than any ring on the way has room for. */
	for (uint32_t round = 0; round < 20; round++) {
		uint64_t end = os_clock_monotonic() + PATIENCE;

		before = seen.pongs;
		for (uint32_t i = 0; i < 50; i++)
			EXPECT(send_frame(PING, mac_asking, mac_answer, i, FRAME_LEAST + 20 * i),
			       0);
		while (seen.pongs < before + 50 && os_clock_monotonic() < end)
			wait_until(end);
		EXPECT(seen.pongs, before + 50);
		EXPECT(seen.serial, 49);
	}
	EXPECT(seen.wrong, 0);
	EXPECT(send_frame(PING, mac_asking, mac_answer, 0, 13), -EINVAL);
}

/* What has another's address as its source goes nowhere. */
static void test_source(void)
{
	uint32_t before;

	EXPECT_THAT(ping(mac_answer, FRAME_LEAST));
	before = seen.pings;
	for (uint32_t i = 0; i < 10; i++)
		EXPECT(send_frame(PING, i % 2 ? mac_other : mac_answer, mac_answer, i, FRAME_LEAST),
		       0);
	EXPECT_THAT(ping(mac_answer, FRAME_LEAST));
	/* Frames that were sent again, since the answer was slow, count too: forged ones would be
	 * ten at least. */
	EXPECT_THAT(seen.pings > before && seen.pings < before + 10);
}

/* --- Ports of our own making ------------------------------------------------------------------ */

struct own_port {
	struct channel channel;
	struct switch_channel *shared;
	struct frame_queue transmit, receive;
};

/* Its state, when the switch has judged. */
static int own_open(struct own_port *port, const uint8_t *mac, uint64_t rate)
{
	uint64_t end = os_clock_monotonic() + PATIENCE;
	int state = 0;

	EXPECT(channel_connect(&port->channel, process_info->handles.network,
			       sizeof(struct switch_channel)),
	       0);
	if (!port->channel.handle)
		return -EPIPE;
	port->shared = port->channel.memory;
	frame_queue_init(&port->transmit, &port->shared->transmit, port->shared->sent);
	frame_queue_init(&port->receive, &port->shared->receive, port->shared->received);
	memcpy(port->shared->port.mac, mac, MAC);
	port->shared->port.rate = rate;
	__atomic_store_n(&port->shared->port.ready, 1, __ATOMIC_RELEASE);
	channel_signal(&port->channel);
	while (!(state = (int)__atomic_load_n(&port->shared->state, __ATOMIC_ACQUIRE)) &&
	       os_clock_monotonic() < end)
		channel_wait(&port->channel, end);
	return state;
}

static bool own_send(struct own_port *port, const uint8_t *from, uint32_t serial, size_t size)
{
	uint8_t *bytes = frame_queue_add(&port->transmit, (uint32_t)(HEADER + size));
	struct frame frame;

	if (!bytes)
		return false;
	make_frame(&frame, PLAIN, from, mac_asking, serial);
	memset(bytes, 0, HEADER);
	memcpy(bytes + HEADER, &frame, size);
	if (frame_queue_publish(&port->transmit))
		channel_signal(&port->channel);
	return true;
}

/* The next frame that came; NULL: none did. */
static const uint8_t *own_receive(struct own_port *port, uint32_t *size)
{
	uint64_t end = os_clock_monotonic() + PATIENCE;
	const uint8_t *bytes;

	frame_queue_release(&port->receive);
	while (!(bytes = frame_queue_next(&port->receive, size)) && os_clock_monotonic() < end)
		if (frame_queue_wait(&port->receive))
			channel_wait(&port->channel, end);
	return bytes;
}

/* --- Long segments ---------------------------------------------------------------------------- */

#define LONG_PAYLOAD 45000
#define LONG_FRAME (LONG_PAYLOAD + 100)
static const struct tcp_shape long_segment = {.payload = LONG_PAYLOAD, .each = 1400, .flags = 0x19};

static void test_long(bool ipv6)
{
	static uint8_t bytes[HEADER + LONG_FRAME];
	struct tcp_shape shape = long_segment;
	struct virtio_net_hdr_v1 header;
	struct own_port port = {0};
	struct os_iov iov = {bytes, 0};
	const uint8_t *came;
	uint32_t size, n;

	shape.ipv6 = ipv6;
	memcpy(bytes + HEADER, mac_other, MAC);
	memcpy(bytes + HEADER + MAC, mac_asking, MAC);
	iov.length = HEADER + tcp_make(&shape, &header, bytes + HEADER);
	memcpy(bytes, &header, HEADER);
	EXPECT(own_open(&port, mac_other, 0), 1);
	EXPECT(os_net_send(net, &iov, 1), 0);
	for (n = 0; n * shape.each < shape.payload && (came = own_receive(&port, &size)); n++) {
		EXPECT(came[0] | came[1], 0);
		EXPECT_THAT(tcp_is_part(&shape, bytes + HEADER, n, came + HEADER, size - HEADER));
	}
	EXPECT(n, (shape.payload + shape.each - 1) / shape.each);
	__atomic_store_n(&port.shared->offloads,
			 BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4) |
				 BIT(VIRTIO_NET_F_GUEST_TSO6),
			 __ATOMIC_RELAXED);
	EXPECT(os_net_send(net, &iov, 1), 0);
	came = own_receive(&port, &size);
	EXPECT_THAT(came && size == iov.length);
	bytes[10] = 1; /* num_buffers */
	EXPECT_THAT(came && !memcmp(came, bytes, size));
	channel_close(&port.channel);
}

/* What came before its receiver took such no more is not given to it, and what is behind it is. */
static void test_offloads_end(void)
{
	static uint8_t bytes[HEADER + LONG_FRAME];
	struct tcp_shape shape = long_segment;
	struct virtio_net_hdr_v1 header;
	struct own_port port = {0};
	uint64_t end = os_clock_monotonic() + PATIENCE;
	uint32_t size;
	uint8_t *to;

	memcpy(bytes + HEADER, mac_asking, MAC);
	memcpy(bytes + HEADER + MAC, mac_other, MAC);
	size = HEADER + tcp_make(&shape, &header, bytes + HEADER);
	memcpy(bytes, &header, HEADER);
	EXPECT(own_open(&port, mac_other, 0), 1);
	os_net_set_receiver(net, NULL, NULL);
	os_net_set_offloads(net, BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4));
	to = frame_queue_add(&port.transmit, size);
	EXPECT_THAT(to);
	if (to)
		memcpy(to, bytes, size);
	frame_queue_publish(&port.transmit);
	EXPECT_THAT(own_send(&port, mac_other, 2, FRAME_LEAST));
	channel_signal(&port.channel);
	/* The switch has passed both on when it has given their memory back. */
	while (__atomic_load_n(&port.shared->transmit.tail, __ATOMIC_ACQUIRE) !=
		       port.shared->transmit.head &&
	       os_clock_monotonic() < end)
		wait_until(os_clock_monotonic() + MILLISECOND);
	os_net_set_offloads(net, 0);
	seen.too_long = 0;
	os_net_set_receiver(net, readable, NULL);
	while (seen.plain_serial != 2 && os_clock_monotonic() < end)
		wait_until(end);
	EXPECT(seen.plain_serial, 2);
	EXPECT(seen.too_long, 0);
	channel_close(&port.channel);
}

static void test_addresses(void)
{
	struct own_port port = {0};

	EXPECT(own_open(&port, mac_answer, 0), -EADDRINUSE);
	channel_close(&port.channel);
	EXPECT(own_open(&port, mac_group, 0), -EINVAL);
	channel_close(&port.channel);
	/* An address is free again when its port is closed. */
	for (unsigned i = 0; i < 3; i++) {
		EXPECT(own_open(&port, mac_other, 0), 1);
		channel_close(&port.channel);
	}
}

/* 1 MB a second, and a burst of 10 ms. */
static void test_rate(void)
{
	const uint64_t rate = 8000000, size = 1000, passes = 600 * MILLISECOND;
	struct own_port port = {0};
	uint64_t start, now, most;
	unsigned before = seen.plain, came;

	EXPECT(own_open(&port, mac_other, rate), 1);
	start = os_clock_monotonic();
	while ((now = os_clock_monotonic()) < start + passes)
		if (!own_send(&port, mac_other, 0, size))
			wait_until(now + MILLISECOND);
	/* What was under way: the rest of it waits in the ring. */
	wait_until(now + 20 * MILLISECOND);
	wait_until(os_clock_monotonic() + MILLISECOND);
	came = seen.plain - before;
	most = (os_clock_monotonic() - start + 10 * MILLISECOND) * (rate / 8) / SECOND / size + 2;
	check_say("%u frames of %llu at the most", came, (unsigned long long)most);
	EXPECT_THAT(came <= most);
	/* A machine that is busy with other things may have had less time to send. */
	EXPECT_THAT(came >= passes / MILLISECOND / 4);
	channel_close(&port.channel);
}

static void test_nonsense(void)
{
	struct own_port port = {0};
	uint64_t end = os_clock_monotonic() + PATIENCE;

	EXPECT(own_open(&port, mac_other, 0), 1);
	/* Sizes that no frame has, in a ring that is sound: dropped, and what is behind them comes.
	 */
	for (uint32_t size = 1; size < 65000; size += 20000) {
		EXPECT_THAT(frame_queue_add(&port.transmit, size));
		if (frame_queue_publish(&port.transmit))
			channel_signal(&port.channel);
	}
	EXPECT_THAT(own_send(&port, mac_other, 1, FRAME_LEAST));
	while (seen.plain_serial != 1 && os_clock_monotonic() < end)
		wait_until(end);
	EXPECT(seen.plain_serial, 1);
	__atomic_store_n(&port.shared->transmit.head, port.transmit.ring.count + SWITCH_RING + 1,
			 __ATOMIC_RELEASE);
	channel_signal(&port.channel);
	while (!channel_gone(&port.channel) && os_clock_monotonic() < end)
		channel_wait(&port.channel, end);
	EXPECT_THAT(channel_gone(&port.channel));
	channel_close(&port.channel);
	EXPECT_THAT(ping(mac_answer, FRAME_LEAST));
}

/* --- The world outside ------------------------------------------------------------------------ */

/* The router of QEMU's user network answers who asks for its address (RFC 826). */
static void test_outside(void)
{
	/* To all: who has 10.0.2.2, tell 10.0.2.20. */
	static const uint8_t request[60] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0,  0, 0, 0,  1, 8, 6, 0, 1, 8, 0,  6, 4, 0,
		1,    2,    0,    0,    0,    0,    1, 10, 0, 2, 20, 0, 0, 0, 0, 0, 0, 10, 0, 2, 2,
	};
	uint64_t end = os_clock_monotonic() + PATIENCE;
	unsigned before = seen.arp;

	while (seen.arp == before && os_clock_monotonic() < end) {
		send_bytes(request, sizeof(request));
		wait_until(os_clock_monotonic() + RESEND);
	}
	EXPECT_THAT(seen.arp > before);
}

/* --- A switch that dies ----------------------------------------------------------------------- */

static unsigned find_switch(struct type1_process *process)
{
	unsigned i = 0;

	while (i < PROCESSES_MAX && call3(TYPE1_PROCESS_LIST, process_info->handles.processes, i,
					  call_address(process)) == 0) {
		if (text_equal(process->name, "switch"))
			return i;
		i++;
	}
	return PROCESSES_MAX;
}

static void test_restart(void)
{
	struct type1_process process;
	unsigned number = find_switch(&process), starts = process.starts;

	EXPECT_THAT(number < PROCESSES_MAX);
	EXPECT(call3(TYPE1_PROCESS_CONTROL, process_info->handles.processes, number,
		     TYPE1_PROCESS_KILL),
	       0);
	EXPECT_THAT(ping(mac_answer, FRAME_MAX));
	EXPECT(find_switch(&process), number);
	EXPECT(process.starts, starts + 1);
	EXPECT(process.state, TYPE1_PROCESS_RUNNING);
}

static int ask(bool outside)
{
	begin(mac_asking);
	test_between();
	test_source();
	test_addresses();
	test_long(false);
	test_long(true);
	test_offloads_end();
	test_rate();
	test_nonsense();
	if (outside)
		test_outside();
	for (unsigned i = 0; i < 3; i++) {
		test_restart();
		if (outside)
			test_outside();
	}
	test_addresses();
	EXPECT(send_frame(END, mac_asking, mac_answer, 0, FRAME_LEAST), 0);
	/* The port's frames go with it: not before it is read. */
	wait_until(os_clock_monotonic() + SECOND);
	EXPECT(seen.wrong, 0);
	return check_end();
}

int main(const struct type1_info *info)
{
	return text_equal(info->name, "answer") ? answer() : ask(text_equal(info->name, "outside"));
}
