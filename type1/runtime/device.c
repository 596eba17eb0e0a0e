/* SPDX-License-Identifier: MIT */
/*
 * device.c - PCI devices in the hands of processes: system calls.
 *
 * Whoever has a device can have it read and write all of memory, as there is no IOMMU in this: so
 * the right to open devices is the image's to give.  What it can't do is to make a device interrupt
 * as another one, or answer at another's addresses.
 */
#include "type1/runtime/device.h"

#include <linux/errno.h>

#include "lib/bits.h"
#include "type1/runtime/event_port.h"
#include "type1/runtime/interrupt.h"
#include "type1/runtime/memory_object.h"
#include "type1/runtime/pci.h"
#include "type1/runtime/syscall.h"

#define COMMAND offsetof(struct pci_header, command)
/* What a process may choose of the command register; I/O ports are out of its reach. */
#define COMMAND_CHOICE                                                                             \
	(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY | PCI_COMMAND_SERR)
#define DMA_ALLOC_MAX (4 * MIB)

static struct object all_devices = {.kind = OBJECT_DEVICES, .references = 1};

struct device_interrupt {
	uint64_t number;            /* [const] */
	struct interrupt interrupt; /* [const] */
	struct event *event;        /* a reference */
	struct device_interrupt *next;
};

struct device_memory {
	struct object *object;
	struct device_memory *next;
};

struct device {
	struct object object;          /* first */
	struct process *process;       /* [const] whose it is, and who ends it */
	struct pci_function *function; /* [const] */
	struct mutex mutex;            /* of what follows */
	struct object *bars[PCI_BARS]; /* mapped ones, a reference each */
	uint64_t bar_addresses[PCI_BARS];
	struct device_interrupt *interrupts;
	struct device_memory *memory;
};

struct object *devices_object(void)
{
	object_get(&all_devices);
	return &all_devices;
}

static struct device *device_of(struct object *object)
{
	return CONTAINER_OF(object, struct device, object);
}

static void set_command(const struct pci_function *function, uint32_t command)
{
	pci_write(function, COMMAND, sizeof(uint16_t), command | PCI_COMMAND_INTX_DISABLE);
}

static void change_control(const struct pci_function *function, unsigned at, uint32_t clear,
			   uint32_t set)
{
	uint32_t control = pci_read(function, at, sizeof(uint16_t));

	pci_write(function, at, sizeof(uint16_t), (control & ~clear) | set);
}

/* --- Interrupts ------------------------------------------------------------------------------- */

#define MSIX_CONTROL offsetof(struct pci_msix_capability, control)

/* Neither is any more.  The function answers at its BARs.  MSI-X is masked but not turned off:
 * QEMU's 82574 ends the emulator when it is while the device puts an interrupt off. */
static void stop_interrupts(const struct pci_function *function)
{
	for (unsigned i = 0; i < function->msix_count; i++)
		function->msix_table[i].control = PCI_MSIX_ENTRY_MASKED;
	if (function->msix)
		change_control(function, function->msix + MSIX_CONTROL, 0,
			       PCI_MSIX_CONTROL_MASK_ALL);
	if (function->msi)
		change_control(function, function->msi + PCI_MSI_CONTROL, PCI_MSI_CONTROL_ENABLE,
			       0);
}

static void set_msix(const struct pci_function *function, uint64_t number, uint32_t address,
		     uint32_t data)
{
	volatile struct pci_msix_entry *entry = &function->msix_table[number];

	entry->control = PCI_MSIX_ENTRY_MASKED;
	entry->address = address;
	entry->data = data;
	change_control(function, function->msix + MSIX_CONTROL, PCI_MSIX_CONTROL_MASK_ALL,
		       PCI_MSIX_CONTROL_ENABLE);
	entry->control = 0;
}

static void set_msi(const struct pci_function *function, uint32_t address, uint32_t data)
{
	unsigned at = function->msi;
	uint32_t control = pci_read(function, at + PCI_MSI_CONTROL, sizeof(uint16_t));
	unsigned high = control & PCI_MSI_CONTROL_64 ? 1u << 2 : 0;

	pci_write(function, at + PCI_MSI_ADDRESS, sizeof(uint32_t), address);
	if (high)
		pci_write(function, at + PCI_MSI_ADDRESS_HIGH, sizeof(uint32_t), 0);
	pci_write(function, at + PCI_MSI_DATA + high, sizeof(uint16_t), data);
	if (control & PCI_MSI_CONTROL_MASKS)
		pci_write(function, at + PCI_MSI_MASK + high, sizeof(uint32_t), 0);
	change_control(function, at + PCI_MSI_CONTROL, PCI_MSI_CONTROL_VECTORS,
		       PCI_MSI_CONTROL_ENABLE);
}

/* With the mutex: takes over the reference to the event. */
static int set_interrupt(struct device *device, uint64_t number, struct event *event)
{
	const struct pci_function *function = device->function;
	struct device_interrupt *each = device->interrupts;
	uint32_t address, data;
	int err;

	while (each && each->number != number)
		each = each->next;
	if (each) {
		interrupt_set_event(&each->interrupt, event);
		object_put(&each->event->object);
		each->event = event;
		return 0;
	}
	each = heap_alloc(sizeof(*each), &device->process->account);
	err = each ? interrupt_alloc(&each->interrupt) : -ENOMEM;
	if (err) {
		heap_free(each);
		object_put(&event->object);
		return err;
	}
	each->number = number;
	each->event = event;
	each->next = device->interrupts;
	device->interrupts = each;
	interrupt_set_event(&each->interrupt, event);
	address = interrupt_message(&each->interrupt, &data);
	if (function->msix_count)
		set_msix(function, number, address, data);
	else
		set_msi(function, address, data);
	return 0;
}

/* --- The object ------------------------------------------------------------------------------- */

static void put_memory(struct device *device, struct object *object)
{
	if (object)
		space_detach(&device->process->space, object);
	object_put(object);
}

/*
 * First the device stops to read and write memory.  A read of it waits for what it has still under
 * way (PCI Express Base, section 2.4.1: completions push posted writes).
 */
static void device_end(struct object *object)
{
	struct device *device = device_of(object);
	struct device_interrupt *interrupt;
	struct device_memory *memory;

	set_command(device->function, PCI_COMMAND_MEMORY);
	pci_read(device->function, COMMAND, sizeof(uint16_t));
	pci_stop(device->function);
	stop_interrupts(device->function);
	set_command(device->function, 0);
	while ((interrupt = device->interrupts)) {
		device->interrupts = interrupt->next;
		interrupt_free(&interrupt->interrupt);
		object_put(&interrupt->event->object);
		heap_free(interrupt);
	}
	for (unsigned i = 0; i < PCI_BARS; i++)
		put_memory(device, device->bars[i]);
	while ((memory = device->memory)) {
		device->memory = memory->next;
		put_memory(device, memory->object);
		heap_free(memory);
	}
	__atomic_store_n(&device->function->open, false, __ATOMIC_RELEASE);
	heap_free(device);
}

int64_t syscall_device_list(const struct call *call)
{
	const struct pci_function *function;
	struct type1_device told = {0};

	if (call->args[1] >= pci_function_count)
		return -ENOENT;
	function = &pci_functions[call->args[1]];
	told.location = function->location;
	told.vendor = function->vendor;
	told.device = function->device;
	told.revision = function->revision;
	told.open = __atomic_load_n(&function->open, __ATOMIC_RELAXED);
	told.class_code = function->class_code;
	for (unsigned i = 0; i < PCI_BARS; i++)
		told.bar_size[i] = function->bars[i].size;
	return user_copy_out(call->args[2], &told, sizeof(told));
}

/* Bridges have what is behind them in their hands. */
static struct pci_function *find_function(uint64_t location)
{
	for (unsigned i = 0; i < pci_function_count; i++) {
		if (pci_functions[i].location == location &&
		    PCI_CLASS_BASE(pci_functions[i].class_code) != PCI_CLASS_BASE_BRIDGE)
			return &pci_functions[i];
	}
	return NULL;
}

int64_t syscall_device_open(const struct call *call)
{
	struct pci_function *function = find_function(call->args[1]);
	struct device *device;

	if (!function)
		return -ENOENT;
	device = heap_alloc(sizeof(*device), &call->process->account);
	if (!device)
		return -ENOMEM;
	if (__atomic_exchange_n(&function->open, true, __ATOMIC_ACQUIRE)) {
		heap_free(device);
		return -EBUSY;
	}
	object_init(&device->object, OBJECT_DEVICE, device_end);
	device->process = call->process;
	device->function = function;
	mutex_init(&device->mutex);
	set_command(function, PCI_COMMAND_MEMORY);
	stop_interrupts(function);
	return handle_add(call->process, &device->object);
}

/* --- Calls on one ----------------------------------------------------------------------------- */

/* All but the pages with the MSI-X table. */
static int64_t map_bar(struct device *device, unsigned bar)
{
	const struct pci_function *function = device->function;
	uint64_t physical = function->bars[bar].physical, size = function->bars[bar].size;
	uint64_t hole = 0, end = 0;
	int64_t result;

	if (device->bar_addresses[bar])
		return (int64_t)device->bar_addresses[bar];
	/* What shares a page with it may be another device's. */
	if (!size || !is_aligned(physical | size, PAGE_SIZE))
		return -EINVAL;
	if (function->msix_count && function->msix_bar == bar) {
		hole = align_down(function->msix_offset, PAGE_SIZE);
		end = align_up(function->msix_offset +
				       function->msix_count * sizeof(struct pci_msix_entry),
			       PAGE_SIZE);
	}
	if (!device->bars[bar]) {
		result = memory_object_of_registers(physical, size, hole, end - hole,
						    &device->process->account, &device->bars[bar]);
		if (result < 0)
			return result;
	}
	result = space_attach(&device->process->space, device->bars[bar], 0, size,
			      TYPE1_MEMORY_WRITE);
	if (result > 0)
		device->bar_addresses[bar] = (uint64_t)result;
	return result;
}

int64_t syscall_device_map(const struct call *call)
{
	struct device *device = device_of(call->object);
	int64_t result;

	if (call->args[1] >= PCI_BARS)
		return -EINVAL;
	mutex_lock(&device->mutex);
	result = map_bar(device, (unsigned)call->args[1]);
	mutex_unlock(&device->mutex);
	return result;
}

/* Of configuration space. */
static bool access_is_sound(uint64_t offset, uint64_t size)
{
	return (size == sizeof(uint8_t) || size == sizeof(uint16_t) || size == sizeof(uint32_t)) &&
	       offset < PCI_CONFIG_SIZE && is_aligned(offset, size);
}

int64_t syscall_device_read(const struct call *call)
{
	if (!access_is_sound(call->args[1], call->args[2]))
		return -EINVAL;
	return pci_read(device_of(call->object)->function, (unsigned)call->args[1],
			(unsigned)call->args[2]);
}

int64_t syscall_device_write(const struct call *call)
{
	const struct pci_function *function = device_of(call->object)->function;
	unsigned offset = (unsigned)call->args[1], size = (unsigned)call->args[2];

	if (!access_is_sound(call->args[1], call->args[2]))
		return -EINVAL;
	if (offset == COMMAND && size == sizeof(uint16_t))
		set_command(function, (uint32_t)call->args[3] & COMMAND_CHOICE);
	else if (pci_may_write(function, offset, size))
		pci_write(function, offset, size, (uint32_t)call->args[3]);
	else
		return -EACCES;
	return 0;
}

int64_t syscall_device_interrupt(const struct call *call)
{
	struct device *device = device_of(call->object);
	const struct pci_function *function = device->function;
	uint64_t numbers = function->msix_count ? function->msix_count : function->msi != 0;
	struct event *event;
	int err;

	if (call->args[1] >= numbers)
		return numbers ? -EINVAL : -EOPNOTSUPP;
	event = event_find(call->process, call->args[2]);
	if (!event)
		return -EBADF;
	mutex_lock(&device->mutex);
	err = set_interrupt(device, call->args[1], event);
	mutex_unlock(&device->mutex);
	return err;
}

/* --- Memory of a device's own ----------------------------------------------------------------- */

/* In one piece, since it is one block. */
static int64_t alloc_memory(struct device *device, uint64_t size, struct type1_extent *extent)
{
	struct process *process = device->process;
	struct device_memory *memory = heap_alloc(sizeof(*memory), &process->account);
	int64_t result = -ENOMEM;

	if (!memory)
		return result;
	if (memory_object_create(size, &process->account, &memory->object))
		goto failed;
	extent->physical = memory_object_at(memory->object, 0, &extent->size);
	if (extent->size == size)
		result = space_attach(&process->space, memory->object, 0, size, TYPE1_MEMORY_WRITE);
	if (result < 0)
		goto failed;
	mutex_lock(&device->mutex);
	memory->next = device->memory;
	device->memory = memory;
	mutex_unlock(&device->mutex);
	return result;
failed:
	object_put(memory->object);
	heap_free(memory);
	return result;
}

int64_t syscall_dma_alloc(const struct call *call)
{
	uint64_t size = PAGE_SIZE;
	struct type1_extent extent;
	int64_t result;
	int err;

	if (!call->args[1] || call->args[1] > DMA_ALLOC_MAX)
		return -EINVAL;
	while (size < call->args[1])
		size *= 2;
	result = alloc_memory(device_of(call->object), size, &extent);
	if (result < 0)
		return result;
	err = user_copy_out(call->args[2], &extent, sizeof(extent));
	return err ? err : result;
}
