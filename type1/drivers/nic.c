/* SPDX-License-Identifier: MIT */
/*
 * nic.c - which driver a network card has.
 */
#include "type1/drivers/nic.h"

#include <linux/errno.h>

#include "lib/bits.h"

static const struct {
	bool (*matches)(const struct type1_device *info);
	int (*open)(const struct nic_options *options, const struct type1_device *info,
		    struct nic **nic, struct error *why);
} drivers[] = {
	{virtio_net_matches, virtio_net_open},
	{e1000e_matches, e1000e_open},
};

int nic_open(const struct nic_options *options, const struct type1_device *info, struct nic **nic,
	     struct error *why)
{
	for (unsigned i = 0; i < ARRAY_COUNT(drivers); i++)
		if (drivers[i].matches(info))
			return drivers[i].open(options, info, nic, why);
	return error_set(why, -ENODEV, "there is no driver for a network card %04x:%04x",
			 info->vendor, info->device);
}
