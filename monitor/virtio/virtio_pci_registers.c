/* SPDX-License-Identifier: MIT */
/*
 * The registers of the PCI transport (virtio 1.2 section 4.1.4): common configuration, ISR, device
 * configuration, doorbells, and the window onto them in configuration space.  All of this runs on
 * vCPU threads with the device's lock held; what concerns the device model is handed to the loop
 * thread through pci->control.
 */
#include "lib/bits.h"
#include "lib/bytes.h"
#include "monitor/virtio/virtio_pci_internal.h"

#define OFFERED_BY_TRANSPORT                                                                       \
	(BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_EVENT_IDX) | BIT(VIRTIO_F_INDIRECT_DESC))

#define STATUS_BITS                                                                                \
	(VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_DRIVER_OK |              \
	 VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_FAILED)

static uint64_t offered_features(const struct virtio_pci *pci)
{
	return pci->virtio->offered | OFFERED_BY_TRANSPORT;
}

/* Says once in a while what a driver does wrong; it is not worth failing the device for. */
static void ignore(struct virtio_pci *pci, const char *what)
{
	log_guest(&pci->virtio->budget, OS_LOG_DEBUG, pci->virtio->ops->name, "ignored %s", what);
}

/* --- Device status ---------------------------------------------------------------------------- */

void virtio_pci_reset_registers(struct virtio_pci *pci)
{
	struct virtio_device *virtio = pci->virtio;

	for (unsigned i = 0; i < virtio->queue_count; i++) {
		virtqueue_reset(&virtio->queues[i]);
		virtio->queues[i].memory = virtio->memory;
		virtio->queues[i].size = virtio->queue_max[i];
		pci->queue_enabled[i] = false;
		pci->queue_vector[i] = VIRTIO_MSI_NO_VECTOR;
	}
	virtio->negotiated = 0;
	virtio->failed = false;
	pci->config_vector = VIRTIO_MSI_NO_VECTOR;
	pci->device_feature_select = 0;
	pci->driver_feature_select = 0;
	pci->driver_features = 0;
	pci->queue_select = 0;
	pci->isr = 0;
	virtio_pci_update_intx(pci);
	pci->status = 0;
	pci->activate_pending = false;
	pci->reset_pending = false;
}

static void reset_requested(struct virtio_pci *pci)
{
	/* Only a device that was activated has anything on the loop thread to wait for. */
	if (!pci->virtio->active) {
		virtio_pci_reset_registers(pci);
		return;
	}
	pci->reset_pending = true;
	os_event_signal(pci->control);
}

static bool features_acceptable(struct virtio_pci *pci)
{
	if (pci->driver_features & ~offered_features(pci)) {
		ignore(pci, "FEATURES_OK with features that were not offered");
		return false;
	}
	if (!(pci->driver_features & BIT(VIRTIO_F_VERSION_1))) {
		ignore(pci, "FEATURES_OK without VERSION_1");
		return false;
	}
	return true;
}

static void status_write(struct virtio_pci *pci, uint8_t value)
{
	uint8_t set = value & STATUS_BITS & (uint8_t)~pci->status;

	if (value == 0) {
		reset_requested(pci);
		return;
	}
	/* 2.1.1: a driver clears no bit but by a reset. */
	if (pci->status & ~value)
		ignore(pci, "an attempt to clear status bits");
	if ((set & VIRTIO_STATUS_FEATURES_OK) && !features_acceptable(pci))
		set &= (uint8_t)~VIRTIO_STATUS_FEATURES_OK;
	if ((set & VIRTIO_STATUS_DRIVER_OK) && !((pci->status | set) & VIRTIO_STATUS_FEATURES_OK)) {
		ignore(pci, "DRIVER_OK without FEATURES_OK");
		set &= (uint8_t)~VIRTIO_STATUS_DRIVER_OK;
	}
	pci->status |= set;
	if (set & VIRTIO_STATUS_DRIVER_OK) {
		pci->activate_pending = true;
		os_event_signal(pci->control);
	}
}

/* --- Common configuration (4.1.4.3) ----------------------------------------------------------- */

static void common_snapshot(const struct virtio_pci *pci, struct virtio_pci_common_cfg *common)
{
	const struct virtio_device *virtio = pci->virtio;

	*common = (struct virtio_pci_common_cfg){
		.device_feature_select = pci->device_feature_select,
		.driver_feature_select = pci->driver_feature_select,
		.config_msix_vector = pci->config_vector,
		.num_queues = (uint16_t)virtio->queue_count,
		.device_status = pci->status,
		.config_generation = pci->generation,
		.queue_select = pci->queue_select,
		.queue_msix_vector = VIRTIO_MSI_NO_VECTOR,
	};
	if (virtio->failed)
		common->device_status |= VIRTIO_STATUS_DEVICE_NEEDS_RESET;
	if (pci->device_feature_select < 2)
		common->device_feature =
			(uint32_t)(offered_features(pci) >> (32 * pci->device_feature_select));
	if (pci->driver_feature_select < 2)
		common->driver_feature =
			(uint32_t)(pci->driver_features >> (32 * pci->driver_feature_select));
	/* A queue that does not exist has size 0. */
	if (pci->queue_select < virtio->queue_count) {
		const struct virtqueue *queue = &virtio->queues[pci->queue_select];

		common->queue_size = queue->size;
		common->queue_msix_vector = pci->queue_vector[pci->queue_select];
		common->queue_enable = pci->queue_enabled[pci->queue_select];
		common->queue_notify_off = pci->queue_select;
		common->queue_desc = queue->descriptors_gpa;
		common->queue_driver = queue->available_gpa;
		common->queue_device = queue->used_gpa;
	}
}

static uint64_t common_read(const struct virtio_pci *pci, uint64_t offset, unsigned size)
{
	struct virtio_pci_common_cfg common;
	uint64_t value = 0;

	if (offset + size > sizeof(common))
		return 0;
	common_snapshot(pci, &common);
	memcpy(&value, (const uint8_t *)&common + offset, size);
	return value;
}

static void driver_feature_write(struct virtio_pci *pci, uint32_t value)
{
	unsigned shift = 32 * (pci->driver_feature_select & 1);

	if (pci->driver_feature_select > 1)
		return;
	if (pci->status & VIRTIO_STATUS_FEATURES_OK) {
		ignore(pci, "a change of features after FEATURES_OK");
		return;
	}
	pci->driver_features &= ~((uint64_t)UINT32_MAX << shift);
	pci->driver_features |= (uint64_t)value << shift;
}

/* 4.1.5.1.2: a vector that can't be had reads back as none. */
static uint16_t vector_or_none(const struct virtio_pci *pci, uint16_t vector)
{
	return vector < pci->msix.vectors ? vector : VIRTIO_MSI_NO_VECTOR;
}

/* The selected queue while its settings may change, else NULL. */
static struct virtqueue *queue_in_setup(struct virtio_pci *pci)
{
	if (pci->queue_select >= pci->virtio->queue_count)
		return NULL;
	if (pci->queue_enabled[pci->queue_select]) {
		ignore(pci, "a change to a queue that is enabled");
		return NULL;
	}
	return &pci->virtio->queues[pci->queue_select];
}

static void queue_enable_write(struct virtio_pci *pci, uint16_t value)
{
	struct virtqueue *queue = queue_in_setup(pci);

	if (!queue || value != 1)
		return;
	if (pci->status & VIRTIO_STATUS_DRIVER_OK) {
		ignore(pci, "a queue enabled after DRIVER_OK");
		return;
	}
	pci->queue_enabled[pci->queue_select] = true;
}

/* size is 4 (half says which: 0 low, 4 high) or 8 (half 0). */
static void address_write(gpa_t *address, unsigned half, unsigned size, uint64_t value)
{
	memcpy((uint8_t *)address + half, &value, size);
}

static void queue_address_write(struct virtio_pci *pci, uint64_t offset, unsigned size,
				uint64_t value)
{
	struct virtqueue *queue = queue_in_setup(pci);
	unsigned half = offset & sizeof(uint32_t);

	if (!queue)
		return;
	switch (offset - half) {
	case offsetof(struct virtio_pci_common_cfg, queue_desc):
		address_write(&queue->descriptors_gpa, half, size, value);
		break;
	case offsetof(struct virtio_pci_common_cfg, queue_driver):
		address_write(&queue->available_gpa, half, size, value);
		break;
	default:
		address_write(&queue->used_gpa, half, size, value);
		break;
	}
}

/* 4.1.3.1: fields are written whole; the 64-bit ones also by halves. */
static bool is_address_field(uint64_t offset, unsigned size)
{
	return offset >= offsetof(struct virtio_pci_common_cfg, queue_desc) &&
	       offset < offsetof(struct virtio_pci_common_cfg, queue_notify_data) &&
	       size >= sizeof(uint32_t) && is_aligned(offset, size);
}

#define ACCESS(offset, size) ((offset) << 4 | (size))
#define FIELD(name)                                                                                \
	ACCESS(offsetof(struct virtio_pci_common_cfg, name),                                       \
	       sizeof(((struct virtio_pci_common_cfg *)0)->name))

static void common_write(struct virtio_pci *pci, uint64_t offset, unsigned size, uint64_t value)
{
	struct virtqueue *queue;

	if (pci->reset_pending) {
		ignore(pci, "a write during a reset");
		return;
	}
	if (is_address_field(offset, size)) {
		queue_address_write(pci, offset, size, value);
		return;
	}
	switch (ACCESS(offset, size)) {
	case FIELD(device_feature_select):
		pci->device_feature_select = (uint32_t)value;
		break;
	case FIELD(driver_feature_select):
		pci->driver_feature_select = (uint32_t)value;
		break;
	case FIELD(driver_feature):
		driver_feature_write(pci, (uint32_t)value);
		break;
	case FIELD(config_msix_vector):
		pci->config_vector = vector_or_none(pci, (uint16_t)value);
		break;
	case FIELD(device_status):
		status_write(pci, (uint8_t)value);
		break;
	case FIELD(queue_select):
		pci->queue_select = (uint16_t)value;
		break;
	case FIELD(queue_size):
		/* Whether it is one that works is found out when the queue starts. */
		queue = queue_in_setup(pci);
		if (queue)
			queue->size = (uint16_t)value;
		break;
	case FIELD(queue_msix_vector):
		if (pci->queue_select < pci->virtio->queue_count)
			pci->queue_vector[pci->queue_select] = vector_or_none(pci, (uint16_t)value);
		break;
	case FIELD(queue_enable):
		queue_enable_write(pci, (uint16_t)value);
		break;
	default:
		ignore(pci, "a write to no register of the common configuration");
		break;
	}
}

/* --- The other structures --------------------------------------------------------------------- */

/* 4.1.4.5: reading clears, and takes the interrupt line back. */
static uint64_t isr_read(struct virtio_pci *pci, uint64_t offset)
{
	uint8_t isr = pci->isr;

	if (offset != 0)
		return 0;
	pci->isr = 0;
	virtio_pci_update_intx(pci);
	return isr;
}

static uint64_t device_read(struct virtio_pci *pci, uint64_t offset, unsigned size)
{
	struct virtio_device *virtio = pci->virtio;
	uint64_t value = 0;

	/* While it resets, nobody may call the device model. */
	if (offset < virtio->config_size && !pci->reset_pending)
		virtio->ops->config_read(virtio, (uint32_t)offset, &value,
					 (uint32_t)MIN(size, virtio->config_size - offset));
	return value;
}

static void device_write(struct virtio_pci *pci, uint64_t offset, unsigned size, uint64_t value)
{
	struct virtio_device *virtio = pci->virtio;

	if (!virtio->ops->config_write || pci->reset_pending || offset >= virtio->config_size ||
	    size > virtio->config_size - offset)
		ignore(pci, "a write to no register of the device configuration");
	else
		virtio->ops->config_write(virtio, (uint32_t)offset, &value, size);
}

/* A doorbell that the sink did not catch. */
static void notify_write(struct virtio_pci *pci, uint64_t offset)
{
	uint64_t queue = offset / VIRTIO_PCI_NOTIFY_MULTIPLIER;

	if (queue < pci->virtio->queue_count)
		os_event_signal(pci->doorbell[queue].event);
}

static uint64_t bar_read(void *device, uint64_t bar_offset, unsigned size)
{
	struct virtio_pci *pci = device;
	uint64_t offset = bar_offset % VIRTIO_PCI_PAGE;

	switch (bar_offset - offset) {
	case VIRTIO_PCI_COMMON:
		return common_read(pci, offset, size);
	case VIRTIO_PCI_ISR:
		return isr_read(pci, offset);
	case VIRTIO_PCI_DEVICE:
		return device_read(pci, offset, size);
	case VIRTIO_PCI_MSIX_TABLE:
	case VIRTIO_PCI_MSIX_PBA:
		return pci_msix_read(&pci->msix, bar_offset, size);
	default:
		return 0;
	}
}

static void bar_write(void *device, uint64_t bar_offset, unsigned size, uint64_t value)
{
	struct virtio_pci *pci = device;
	uint64_t offset = bar_offset % VIRTIO_PCI_PAGE;

	switch (bar_offset - offset) {
	case VIRTIO_PCI_COMMON:
		common_write(pci, offset, size, value);
		break;
	case VIRTIO_PCI_DEVICE:
		device_write(pci, offset, size, value);
		break;
	case VIRTIO_PCI_NOTIFY:
		notify_write(pci, offset);
		break;
	case VIRTIO_PCI_MSIX_TABLE:
		pci_msix_write(&pci->msix, bar_offset, size, value);
		break;
	default:
		break;
	}
}

const struct bus_ops virtio_pci_bar_ops = {.read = bar_read, .write = bar_write};

static uint64_t port_read(void *device, uint64_t bar_offset, unsigned size)
{
	(void)device;
	(void)bar_offset;
	(void)size;
	return 0;
}

static void port_write(void *device, uint64_t bar_offset, unsigned size, uint64_t value)
{
	(void)size;
	(void)value;
	notify_write(device, bar_offset);
}

const struct bus_ops virtio_pci_port_ops = {.read = port_read, .write = port_write};

/* --- Configuration access capability (4.1.4.9) ------------------------------------------------ */

/* Whether an access to configuration space is one to the window, and where the window leads. */
static bool window_opens(const struct virtio_pci *pci, unsigned offset, unsigned size,
			 struct virtio_pci_cfg_cap *window)
{
	unsigned data = pci->pci_cfg + offsetof(struct virtio_pci_cfg_cap, data);

	if (offset >= data + sizeof(window->data) || offset + size <= data)
		return false;
	memcpy(window, &pci->function.config[pci->pci_cfg], sizeof(*window));
	return window->cap.bar == VIRTIO_PCI_BAR && window->cap.length <= sizeof(window->data) &&
	       is_power_of_two(window->cap.length) &&
	       is_aligned(window->cap.offset, window->cap.length) &&
	       window->cap.offset < VIRTIO_PCI_BAR_SIZE;
}

void virtio_pci_config_read(void *device, unsigned offset, unsigned size)
{
	struct virtio_pci *pci = device;
	struct virtio_pci_cfg_cap window;
	uint64_t value;

	if (!window_opens(pci, offset, size, &window))
		return;
	value = bar_read(pci, window.cap.offset, window.cap.length);
	memcpy(&pci->function.config[pci->pci_cfg + offsetof(struct virtio_pci_cfg_cap, data)],
	       &value, window.cap.length);
}

void virtio_pci_config_access(struct virtio_pci *pci, unsigned offset, unsigned size)
{
	struct virtio_pci_cfg_cap window;
	uint64_t value = 0;

	if (!window_opens(pci, offset, size, &window))
		return;
	memcpy(&value, window.data, window.cap.length);
	bar_write(pci, window.cap.offset, window.cap.length, value);
}
