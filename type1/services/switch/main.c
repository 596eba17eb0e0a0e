/* SPDX-License-Identifier: MIT */
/*
 * main.c - the switch: the service that has the machine's network cards, and joins them and its
 * clients' ports at layer 2 (switch.h).
 */
#include <linux/errno.h>
#include <stdarg.h>

#include "hw/pci.h"
#include "lib/bits.h"
#include "lib/format.h"
#include "type1/process/call.h"
#include "type1/process/process.h"
#include "type1/services/switch/switch.h"

#define LOG_PERIOD UINT64_C(1000000000) /* a line a second, */
#define LOG_BURST (32 * LOG_PERIOD)     /* or so many at once */

enum switch_status { SWITCH_FAILED = 1 };

void network_log(struct network *network, enum os_log_level level, const char *format, ...)
{
	uint64_t now = os_clock_monotonic();
	char text[TYPE1_LOG_LINE];
	va_list args;

	if (network->log_due > now + LOG_BURST)
		return;
	network->log_due = MAX(network->log_due, now) + LOG_PERIOD;
	va_start(args, format);
	format_text_args(text, sizeof(text), format, args);
	va_end(args);
	os_log(level, text);
}

/* --- The switch's own events */

static void again(void *arg)
{
	struct network *network = arg;

	if (network->accepting)
		ports_accept(network);
	ports_run(network);
}

static void delayed(void *arg)
{
	relay_resume(arg);
	ports_run(arg);
}

static void age(void *arg)
{
	struct network *network = arg;
	uint64_t now = os_clock_monotonic();

	forward_age(&network->forward, now);
	os_timer_set(network->age, now + FORWARD_AGE_PERIOD);
}

/* --- Network cards */

static void uplink_received(void *arg)
{
	struct uplink *uplink = arg;

	uplink->network->ready |= BIT(uplink->number);
	ports_run(uplink->network);
}

static void uplink_link_changed(void *arg)
{
	struct uplink *uplink = arg;

	network_log(uplink->network, OS_LOG_INFO, "the network card %s has %s link",
		    uplink->nic->ops->name, uplink->nic->ops->link(uplink->nic) ? "a" : "no");
}

static void open_uplink(struct network *network, const struct type1_info *info,
			const struct type1_device *device)
{
	struct uplink *uplink = &network->uplinks[network->uplink_count];
	const struct nic_options options = {
		.loop = network->loop,
		.devices = info->handles.devices,
		.received = uplink_received,
		.link_changed = uplink_link_changed,
		.arg = uplink,
	};
	const uint8_t *mac;
	struct error why;

	uplink->network = network;
	if (nic_open(&options, device, &uplink->nic, &why) < 0) {
		process_log(OS_LOG_WARNING, "%s", why.text);
		return;
	}
	if (forward_add_uplink(&network->forward, &uplink->number) < 0) {
		uplink->nic->ops->close(uplink->nic);
		return;
	}
	network->members[uplink->number].uplink = uplink;
	network->uplink_count++;
	/* Its first turn asks it for interrupts. */
	network->ready |= BIT(uplink->number);
	mac = uplink->nic->address;
	process_log(OS_LOG_INFO,
		    "the network card %s with the address "
		    "%02x:%02x:%02x:%02x:%02x:%02x has port %u",
		    uplink->nic->ops->name, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5],
		    uplink->number);
}

static void open_uplinks(struct network *network, const struct type1_info *info)
{
	struct type1_device device = {0};

	for (uint64_t i = 0;
	     info->handles.devices &&
	     !call3(TYPE1_DEVICE_LIST, info->handles.devices, i, call_address(&device));
	     i++)
		if (device.class_code == PCI_CLASS_ETHERNET)
			open_uplink(network, info, &device);
	if (!network->uplink_count)
		process_log(OS_LOG_INFO, "no network card: guests reach each other only");
}

/* --- The process */

static int network_create(struct network *network)
{
	uint64_t seed;
	int error = os_loop_create(&network->loop);

	if (!error)
		error = os_event_create(&network->again);
	if (!error)
		error = os_loop_watch(network->loop, network->again, again, network);
	if (!error)
		error = os_timer_create(network->loop, delayed, network, &network->delayed);
	if (!error)
		error = os_timer_create(network->loop, age, network, &network->age);
	os_random(&seed, sizeof(seed));
	forward_init(&network->forward, seed);
	return error;
}

int main(const struct type1_info *info)
{
	/* Zero at first, and too large for a stack. */
	static struct network network;
	int error;

	if (info->version != TYPE1_VERSION) {
		os_log(OS_LOG_ERROR, "the runtime has another version of its interface: "
				     "make the image again");
		return SWITCH_FAILED;
	}
	error = network_create(&network);
	if (!error) {
		open_uplinks(&network, info);
		error = ports_listen(&network);
	}
	if (error < 0) {
		process_log(OS_LOG_ERROR, "it can't be set up (error %d)", -error);
		return SWITCH_FAILED;
	}
	age(&network);
	ports_accept(&network);
	ports_run(&network);
	os_loop_run(network.loop);
	return SWITCH_FAILED;
}
