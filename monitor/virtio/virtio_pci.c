/* SPDX-License-Identifier: MIT */
/*
 * The PCI transport: its life, what is done on the loop thread on behalf of the guest's writes, and
 * interrupts.  virtio_pci_registers.c has the registers.
 */
#include "monitor/virtio/virtio_pci.h"

#include <linux/errno.h>

#include "lib/bits.h"
#include "monitor/virtio/virtio_pci_internal.h"

/* --- On the loop thread ----------------------------------------------------------------------- */

static void notify(struct virtio_pci *pci, unsigned queue)
{
	struct virtio_device *virtio = pci->virtio;

	if (virtio->active && !virtio->failed && pci->bus_master && virtio->queues[queue].live)
		virtio->ops->notify(virtio, queue);
}

static void activate(struct virtio_pci *pci)
{
	struct virtio_device *virtio = pci->virtio;

	pci->activate_pending = false;
	virtio->negotiated = pci->driver_features;
	for (unsigned i = 0; i < virtio->queue_count; i++) {
		if (!pci->queue_enabled[i] ||
		    virtqueue_start(&virtio->queues[i], virtio->queue_max[i],
				    virtio_has_feature(virtio, VIRTIO_F_EVENT_IDX),
				    virtio_has_feature(virtio, VIRTIO_F_INDIRECT_DESC)) == 0)
			continue;
		virtio_fail(virtio, "queue %u has a bad size or rings outside memory", i);
		return;
	}
	virtio->active = true;
	virtio->ops->activate(virtio);
	/* A doorbell that came before this was not heard. */
	for (unsigned i = 0; i < virtio->queue_count; i++)
		notify(pci, i);
}

/*
 * The lock is dropped while the device model stops.  Meanwhile reset_pending keeps the guest's
 * writes out, and active keeps doorbells out.
 */
static void reset(struct virtio_pci *pci)
{
	struct virtio_device *virtio = pci->virtio;

	virtio->active = false;
	os_mutex_unlock(&virtio->lock);
	virtio->ops->reset(virtio);
	os_mutex_lock(&virtio->lock);
	virtio_pci_reset_registers(pci);
}

static void control_fired(void *arg)
{
	struct virtio_pci *pci = arg;

	os_mutex_lock(&pci->virtio->lock);
	if (pci->reset_pending)
		reset(pci);
	else if (pci->activate_pending)
		activate(pci);
	os_mutex_unlock(&pci->virtio->lock);
}

static void doorbell_fired(void *arg)
{
	struct virtio_pci_doorbell *doorbell = arg;
	struct virtio_pci *pci = doorbell->pci;

	os_mutex_lock(&pci->virtio->lock);
	notify(pci, doorbell->queue);
	os_mutex_unlock(&pci->virtio->lock);
}

/* --- Interrupts ------------------------------------------------------------------------------- */

void virtio_pci_update_intx(struct virtio_pci *pci)
{
	pci_function_set_intx(&pci->function, pci->isr && !pci->msix_enabled);
}

static void queue_interrupt(struct virtio_device *virtio, unsigned queue)
{
	struct virtio_pci *pci = virtio->transport_context;

	if (pci->reset_pending || !pci->bus_master)
		return;
	if (pci->msix_enabled) {
		/* VIRTIO_MSI_NO_VECTOR is above all that pci_msix_signal() takes. */
		pci_msix_signal(&pci->msix, pci->queue_vector[queue]);
		return;
	}
	pci->isr |= VIRTIO_PCI_ISR_QUEUE;
	virtio_pci_update_intx(pci);
}

static void config_interrupt(struct virtio_device *virtio)
{
	struct virtio_pci *pci = virtio->transport_context;

	pci->generation++;
	if (pci->reset_pending || !pci->bus_master || !(pci->status & VIRTIO_STATUS_DRIVER_OK))
		return;
	/* The ISR says so with MSI-X too (4.1.4.5.1). */
	pci->isr |= VIRTIO_PCI_ISR_CONFIG;
	if (pci->msix_enabled)
		pci_msix_signal(&pci->msix, pci->config_vector);
	else
		virtio_pci_update_intx(pci);
}

static void notify_again(struct virtio_device *virtio, unsigned queue)
{
	struct virtio_pci *pci = virtio->transport_context;

	os_event_signal(pci->doorbell[queue].event);
}

static const struct virtio_transport_ops transport_ops = {
	.queue_interrupt = queue_interrupt,
	.config_interrupt = config_interrupt,
	.notify_again = notify_again,
};

/* --- The PCI function ------------------------------------------------------------------------- */

static void doorbell_assign(struct virtio_pci *pci, struct virtio_pci_doorbell *doorbell,
			    enum doorbell_space space, uint64_t first, bool assign)
{
	uint64_t address = first + doorbell->queue * VIRTIO_PCI_NOTIFY_MULTIPLIER;
	int err;

	if (!pci->doorbells.set || doorbell->assigned[space] == assign)
		return;
	err = pci->doorbells.set(pci->doorbells.context, space, address, doorbell->event, assign);
	/* Without it the write arrives here, and rings all the same. */
	if (err < 0)
		log_guest(&pci->virtio->budget, OS_LOG_DEBUG, pci->virtio->ops->name,
			  "doorbell %u stays slow (error %d)", doorbell->queue, err);
	doorbell->assigned[space] = assign && err >= 0;
}

static void bar_moved(void *device, unsigned bar, bool mapped, uint64_t address)
{
	struct virtio_pci *pci = device;
	bool ports = bar == VIRTIO_PCI_PORT_BAR;

	for (unsigned i = 0; i < pci->virtio->queue_count; i++)
		doorbell_assign(pci, &pci->doorbell[i], ports ? DOORBELL_PORT : DOORBELL_MEMORY,
				ports ? address : address + VIRTIO_PCI_NOTIFY, mapped);
}

/* Without bus mastering the queues rest; what came meanwhile is looked at when it is back. */
static void bus_master_changed(struct virtio_pci *pci, bool bus_master)
{
	struct virtio_device *virtio = pci->virtio;

	pci->bus_master = bus_master;
	for (unsigned i = 0; i < virtio->queue_count; i++) {
		virtqueue_suspend(&virtio->queues[i], !bus_master);
		if (bus_master)
			os_event_signal(pci->doorbell[i].event);
	}
}

static void config_written(void *device, unsigned offset, unsigned size)
{
	struct virtio_pci *pci = device;
	bool bus_master = pci_function_is_bus_master(&pci->function);
	bool msix_enabled = pci_msix_is_enabled(&pci->msix);

	if (pci->bus_master != bus_master)
		bus_master_changed(pci, bus_master);
	if (pci->msix_enabled != msix_enabled) {
		pci->msix_enabled = msix_enabled;
		virtio_pci_update_intx(pci);
	}
	virtio_pci_config_access(pci, offset, size);
}

static const struct pci_function_ops function_ops = {
	.bar_moved = bar_moved,
	.config_read = virtio_pci_config_read,
	.config_written = config_written,
};

static void add_capability(struct virtio_pci *pci, uint8_t type, uint32_t offset, uint32_t length)
{
	const struct virtio_pci_cap cap = {
		.size = sizeof(cap),
		.type = type,
		.bar = VIRTIO_PCI_BAR,
		.offset = offset,
		.length = length,
	};

	pci_function_add_capability(&pci->function, PCI_CAP_ID_VENDOR, &cap.size, sizeof(cap));
}

static void add_notify_capability(struct virtio_pci *pci, uint8_t bar, uint32_t offset)
{
	const struct virtio_pci_notify_cap cap = {
		.cap = {.size = sizeof(cap),
			.type = VIRTIO_PCI_CAP_NOTIFY_CFG,
			.bar = bar,
			.offset = offset,
			.length = pci->virtio->queue_count * VIRTIO_PCI_NOTIFY_MULTIPLIER},
		.notify_off_multiplier = VIRTIO_PCI_NOTIFY_MULTIPLIER,
	};

	/* Whole structures are copied: id and link, which stand in front, are the function's. */
	pci_function_add_capability(&pci->function, PCI_CAP_ID_VENDOR,
				    (const uint8_t *)&cap + sizeof(struct pci_capability),
				    sizeof(cap));
}

static void add_capabilities(struct virtio_pci *pci)
{
	const struct virtio_device *virtio = pci->virtio;
	const struct virtio_pci_cfg_cap cfg_cap = {
		.cap = {.size = sizeof(cfg_cap), .type = VIRTIO_PCI_CAP_PCI_CFG},
	};
	const uint32_t ones = UINT32_MAX;
	uint8_t *writable;

	add_capability(pci, VIRTIO_PCI_CAP_COMMON_CFG, VIRTIO_PCI_COMMON,
		       sizeof(struct virtio_pci_common_cfg));
	add_capability(pci, VIRTIO_PCI_CAP_ISR_CFG, VIRTIO_PCI_ISR, sizeof(uint8_t));
	if (virtio->config_size)
		add_capability(pci, VIRTIO_PCI_CAP_DEVICE_CFG, VIRTIO_PCI_DEVICE,
			       virtio->config_size);
	/* 4.1.4: a driver takes the first that it can use. */
	add_notify_capability(pci, VIRTIO_PCI_PORT_BAR, 0);
	add_notify_capability(pci, VIRTIO_PCI_BAR, VIRTIO_PCI_NOTIFY);
	pci->pci_cfg = pci_function_add_capability(
		&pci->function, PCI_CAP_ID_VENDOR,
		(const uint8_t *)&cfg_cap + sizeof(struct pci_capability), sizeof(cfg_cap));
	writable = &pci->function.writable[pci->pci_cfg];
	writable[offsetof(struct virtio_pci_cap, bar)] = UINT8_MAX;
	store_le32(&writable[offsetof(struct virtio_pci_cap, offset)], ones);
	store_le32(&writable[offsetof(struct virtio_pci_cap, length)], ones);
	store_le32(&writable[offsetof(struct virtio_pci_cfg_cap, data)], ones);
}

/* --- Life ------------------------------------------------------------------------------------- */

static int function_create(struct virtio_pci *pci, const struct msi_sink *msi)
{
	const struct virtio_device *virtio = pci->virtio;
	uint16_t device_id = (uint16_t)(VIRTIO_PCI_DEVICE_BASE + virtio->ops->id);
	const struct pci_identity identity = {
		.vendor = VIRTIO_PCI_VENDOR,
		.device = device_id,
		.revision = VIRTIO_PCI_REVISION,
		.class_code = virtio->ops->class_code,
		.subsystem_vendor = VIRTIO_PCI_VENDOR,
		.subsystem = device_id,
		.interrupt_pin = true,
	};
	unsigned vectors = MIN(virtio->queue_count + 1, PCI_MSIX_VECTORS_MAX);

	pci_function_init(&pci->function, &identity, &function_ops, pci, &pci->virtio->lock);
	/* Not prefetchable: reading the ISR has an effect. */
	pci_function_set_bar(&pci->function, VIRTIO_PCI_BAR, PCI_BAR_MEMORY64, false,
			     VIRTIO_PCI_BAR_SIZE, &virtio_pci_bar_ops);
	pci_function_set_bar(&pci->function, VIRTIO_PCI_PORT_BAR, PCI_BAR_PORTS, false,
			     VIRTIO_PCI_PORT_BAR_SIZE, &virtio_pci_port_ops);
	add_capabilities(pci);
	return pci_msix_init(&pci->msix, &pci->function, msi, vectors, VIRTIO_PCI_BAR,
			     VIRTIO_PCI_MSIX_TABLE, VIRTIO_PCI_MSIX_PBA);
}

static int watch(struct virtio_pci *pci, struct os_event **event, void (*fired)(void *), void *arg)
{
	int err = os_event_create(event);

	if (err < 0)
		return err;
	err = os_loop_watch(pci->loop, *event, fired, arg);
	if (err < 0) {
		os_event_destroy(*event);
		*event = NULL;
	}
	return err;
}

static void unwatch(struct virtio_pci *pci, struct os_event *event)
{
	if (!event)
		return;
	os_loop_unwatch(pci->loop, event);
	os_event_destroy(event);
}

static int events_create(struct virtio_pci *pci)
{
	int err = watch(pci, &pci->control, control_fired, pci);

	for (unsigned i = 0; !err && i < pci->virtio->queue_count; i++) {
		pci->doorbell[i] = (struct virtio_pci_doorbell){.pci = pci, .queue = i};
		err = watch(pci, &pci->doorbell[i].event, doorbell_fired, &pci->doorbell[i]);
	}
	return err;
}

static void events_destroy(struct virtio_pci *pci)
{
	for (unsigned i = 0; i < pci->virtio->queue_count; i++)
		unwatch(pci, pci->doorbell[i].event);
	unwatch(pci, pci->control);
}

int virtio_pci_create(struct virtio_device *virtio, struct pci_host *host, struct os_loop *loop,
		      const struct msi_sink *msi, const struct doorbell_sink *doorbells,
		      struct virtio_pci **out)
{
	struct virtio_pci *pci;
	int err;

	if (virtio->queue_count == 0 || virtio->queue_count > VIRTIO_QUEUES_MAX ||
	    virtio->config_size > VIRTIO_PCI_PAGE)
		return -EINVAL;
	pci = os_alloc(sizeof(*pci));
	if (!pci)
		return -ENOMEM;
	pci->virtio = virtio;
	pci->host = host;
	pci->loop = loop;
	if (doorbells)
		pci->doorbells = *doorbells;
	err = events_create(pci);
	if (err < 0)
		goto out_events;
	err = function_create(pci, msi);
	if (err < 0)
		goto out_events;
	virtio->transport = &transport_ops;
	virtio->transport_context = pci;
	virtio_pci_reset_registers(pci);
	/* The function is not a bus master yet. */
	bus_master_changed(pci, false);
	err = pci_host_attach(host, &pci->function);
	if (err < 0)
		goto out_events;
	*out = pci;
	return 0;

out_events:
	virtio->transport = NULL;
	events_destroy(pci);
	os_free(pci);
	return err;
}

void virtio_pci_destroy(struct virtio_pci *pci)
{
	struct virtio_device *virtio = pci->virtio;

	os_mutex_lock(&virtio->lock);
	if (virtio->active)
		reset(pci);
	os_mutex_unlock(&virtio->lock);
	pci_host_detach(pci->host, &pci->function);
	pci_msix_release(&pci->msix);
	events_destroy(pci);
	virtio->transport = NULL;
	os_free(pci);
}
