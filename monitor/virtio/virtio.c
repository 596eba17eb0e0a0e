/* SPDX-License-Identifier: MIT */
/* What a virtio device says to its driver, whatever the transport. */
#include "monitor/virtio/virtio.h"

#include <stdarg.h>

#include "lib/format.h"

#define REASON_MAX 160

void virtio_queue_interrupt(struct virtio_device *virtio, unsigned queue)
{
	if (virtqueue_should_interrupt(&virtio->queues[queue]))
		virtio->transport->queue_interrupt(virtio, queue);
}

void virtio_config_changed(struct virtio_device *virtio)
{
	virtio->transport->config_interrupt(virtio);
}

void virtio_fail(struct virtio_device *virtio, const char *format, ...)
{
	char reason[REASON_MAX];
	va_list args;

	va_start(args, format);
	format_text_args(reason, sizeof(reason), format, args);
	va_end(args);
	log_guest(&virtio->budget, OS_LOG_WARNING, virtio->ops->name,
		  "the driver broke a rule, stopped until it resets the device: %s", reason);
	for (unsigned i = 0; i < virtio->queue_count; i++)
		virtqueue_break(&virtio->queues[i]);
	if (virtio->failed)
		return;
	virtio->failed = true;
	virtio->transport->config_interrupt(virtio);
}
