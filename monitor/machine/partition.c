/* SPDX-License-Identifier: MIT */
#include "monitor/machine/partition.h"

#include <linux/errno.h>

#include "lib/bits.h"
#include "lib/bytes.h"
#include "lib/error.h"
#include "monitor/log.h"

/*
 * Three pages below the BIOS's last 256 KiB, for hypervisors that run real mode inside a task of
 * the guest's (Intel without unrestricted guest): nothing else of ours stands there.
 */
#define IDENTITY_MAP_ADDRESS UINT64_C(0xfffbc000)
#define TSS_ADDRESS UINT64_C(0xfffbd000)

#define FIRST_MSI_GSI PARTITION_IOAPIC_PINS

static const struct capability {
	uint32_t number;
	const char *name;
} needed[] = {
	{KVM_CAP_USER_MEMORY, "user memory"},
	{KVM_CAP_SET_TSS_ADDR, "TSS address"},
	{KVM_CAP_EXT_CPUID, "CPUID tables"},
	{KVM_CAP_MP_STATE, "multiprocessor state"},
	{KVM_CAP_IRQCHIP, "an in-kernel interrupt controller"},
	{KVM_CAP_PIT2, "an in-kernel timer"},
	{KVM_CAP_IRQ_ROUTING, "interrupt routing"},
	{KVM_CAP_IRQFD, "irqfd"},
	{KVM_CAP_IOEVENTFD, "ioeventfd"},
	{KVM_CAP_IMMEDIATE_EXIT, "immediate exit"},
};

static int check_capabilities(struct os_kvm *system, struct error *why)
{
	for (unsigned i = 0; i < ARRAY_COUNT(needed); i++)
		if (os_kvm_command(system, KVM_CHECK_EXTENSION, needed[i].number) <= 0)
			return error_set(
				why, -EOPNOTSUPP,
				"the hypervisor offers no %s, which Dyad needs (KVM extension %u)",
				needed[i].name, needed[i].number);
	return 0;
}

static int add_memory(struct partition *partition, const struct guest_memory *memory,
		      struct error *why)
{
	for (unsigned i = 0; i < memory->range_count; i++) {
		const struct guest_ram_range *range = &memory->ranges[i];
		struct kvm_userspace_memory_region region = {
			.slot = i,
			.guest_phys_addr = range->start,
			.memory_size = range->size,
			.userspace_addr = (uint64_t)(uintptr_t)range->host,
		};
		int64_t err = os_kvm_pass(partition->vm, KVM_SET_USER_MEMORY_REGION, &region);

		if (err < 0)
			return error_set(why, (int)err,
					 "the hypervisor refused %llu MiB of guest memory at "
					 "0x%llx (error %d)",
					 (unsigned long long)(range->size / MIB),
					 (unsigned long long)range->start, (int)-err);
	}
	return 0;
}

/* --- Interrupt routes ------------------------------------------------------------------------- */

static struct kvm_irq_routing_entry pin_route(uint32_t gsi, uint32_t chip, uint32_t pin)
{
	return (struct kvm_irq_routing_entry){.gsi = gsi,
					      .type = KVM_IRQ_ROUTING_IRQCHIP,
					      .u.irqchip = {.irqchip = chip, .pin = pin}};
}

/*
 * Gives the hypervisor the whole table anew, as the ABI wants it.  Legacy lines reach a PIC and the
 * I/O APIC; the timer's GSI 0 is pin 2 of the I/O APIC, as the MADT's override says.
 */
static int routes_commit(struct partition *partition)
{
	struct kvm_irq_routing_entry *entries = partition->routes->entries;
	unsigned count = 0;

	for (uint32_t gsi = 0; gsi < PARTITION_PIC_PINS; gsi++)
		if (gsi != 2)
			entries[count++] = pin_route(
				gsi, gsi < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE,
				gsi % 8);
	for (uint32_t gsi = 0; gsi < PARTITION_IOAPIC_PINS; gsi++)
		if (gsi != 2)
			entries[count++] = pin_route(gsi, KVM_IRQCHIP_IOAPIC, gsi ? gsi : 2);
	for (unsigned i = 0; i < partition->vector_count; i++) {
		const struct partition_vector *vector = &partition->vectors[i];

		if (vector->enabled)
			entries[count++] = (struct kvm_irq_routing_entry){
				.gsi = FIRST_MSI_GSI + i,
				.type = KVM_IRQ_ROUTING_MSI,
				.u.msi = {.address_lo = (uint32_t)vector->address,
					  .address_hi = (uint32_t)(vector->address >> 32),
					  .data = vector->data}};
	}
	partition->routes->nr = count;
	return (int)os_kvm_pass(partition->vm, KVM_SET_GSI_ROUTING, partition->routes);
}

static int msi_claim(void *context, unsigned count, uint32_t *first)
{
	struct partition *partition = context;
	int err = 0;

	os_mutex_lock(&partition->route_lock);
	if (count > PARTITION_MSI_VECTORS - partition->vector_count) {
		err = -ENOSPC;
	} else {
		*first = partition->vector_count;
		partition->vector_count += count;
	}
	os_mutex_unlock(&partition->route_lock);
	return err;
}

/* Gives a vector its event and has the hypervisor raise the vector's GSI with it.  route_lock held.
 */
static int vector_connect(struct partition *partition, uint32_t number)
{
	struct partition_vector *vector = &partition->vectors[number];
	struct kvm_irqfd irqfd = {.gsi = FIRST_MSI_GSI + number};
	struct os_event *event;
	int err;

	if (vector->event)
		return 0;
	err = os_event_create(&event);
	if (err < 0)
		return err;
	irqfd.fd = (uint32_t)os_event_handle(event);
	err = (int)os_kvm_pass(partition->vm, KVM_IRQFD, &irqfd);
	if (err < 0) {
		os_event_destroy(event);
		return err;
	}
	__atomic_store_n(&vector->event, event, __ATOMIC_RELEASE);
	return 0;
}

static void msi_route(void *context, uint32_t number, bool enabled, uint64_t address, uint32_t data)
{
	struct partition *partition = context;
	struct partition_vector *vector = &partition->vectors[number];
	int err = 0;

	os_mutex_lock(&partition->route_lock);
	if (vector->enabled != enabled ||
	    (enabled && (vector->address != address || vector->data != data))) {
		vector->enabled = enabled;
		vector->address = address;
		vector->data = data;
		err = routes_commit(partition);
		if (!err && enabled)
			err = vector_connect(partition, number);
	}
	os_mutex_unlock(&partition->route_lock);
	if (err < 0) /* a guest can only cause it by a message that the hypervisor refuses */
		log_print(OS_LOG_DEBUG, "interrupt vector %u can't be routed (error %d)", number,
			  -err);
}

static void msi_signal(void *context, uint32_t number)
{
	struct partition *partition = context;
	/* Pairs with the release in vector_connect(): an event that is seen is connected. */
	struct os_event *event =
		__atomic_load_n(&partition->vectors[number].event, __ATOMIC_ACQUIRE);

	if (event)
		os_event_signal(event);
}

struct msi_sink partition_msi_sink(struct partition *partition)
{
	static const struct msi_sink_ops ops = {
		.claim = msi_claim, .route = msi_route, .signal = msi_signal};

	return (struct msi_sink){.ops = &ops, .context = partition};
}

void partition_irq_set(void *context, uint32_t gsi, bool level)
{
	struct partition *partition = context;
	struct kvm_irq_level line = {.irq = gsi, .level = level};

	os_kvm_pass(partition->vm, KVM_IRQ_LINE, &line);
}

/* --- Doorbells -------------------------------------------------------------------------------- */

static int doorbell_set(void *context, enum doorbell_space space, uint64_t address,
			struct os_event *event, bool assign)
{
	struct partition *partition = context;
	struct kvm_ioeventfd doorbell = {
		.addr = address,
		.len = 0, /* any width, any value */
		.fd = os_event_handle(event),
		.flags = (assign ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN) |
			 (space == DOORBELL_PORT ? KVM_IOEVENTFD_FLAG_PIO : 0),
	};

	return (int)os_kvm_pass(partition->vm, KVM_IOEVENTFD, &doorbell);
}

struct doorbell_sink partition_doorbell_sink(struct partition *partition)
{
	return (struct doorbell_sink){.set = doorbell_set, .context = partition};
}

/* --- Lifetime --------------------------------------------------------------------------------- */

static int create_chips(struct partition *partition, struct error *why)
{
	uint64_t identity_map = IDENTITY_MAP_ADDRESS;
	struct kvm_pit_config pit = {.flags = KVM_PIT_SPEAKER_DUMMY};
	int64_t err;

	err = os_kvm_command(partition->vm, KVM_SET_TSS_ADDR, TSS_ADDRESS);
	if (!err)
		err = os_kvm_pass(partition->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity_map);
	if (!err)
		err = os_kvm_command(partition->vm, KVM_CREATE_IRQCHIP, 0);
	if (!err)
		err = os_kvm_pass(partition->vm, KVM_CREATE_PIT2, &pit);
	if (!err)
		err = routes_commit(partition);
	if (err < 0)
		return error_set(
			why, (int)err,
			"the hypervisor could not make the interrupt controllers (error %d)",
			(int)-err);
	return 0;
}

static int create_vm(struct partition *partition, struct error *why)
{
	struct os_kvm *system = partition->system;
	int64_t number;
	int err;

	number = os_kvm_command(system, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (number < (int64_t)sizeof(struct kvm_run))
		return error_set(why, -EOPNOTSUPP,
				 "the hypervisor's shared vCPU state is too small (%d bytes)",
				 (int)number);
	partition->run_size = (size_t)number;
	number = os_kvm_command(system, KVM_CREATE_VM, 0);
	if (number < 0)
		return error_set(why, (int)number, "the hypervisor refused to make a VM (error %d)",
				 (int)-number);
	err = os_kvm_adopt(system, number, &partition->vm);
	if (err < 0)
		return error_set(why, err, "there is no memory for another VM");
	return 0;
}

int partition_create(struct partition *partition, struct os_kvm *system,
		     const struct guest_memory *memory, struct error *why)
{
	int err;

	memset(partition, 0, sizeof(*partition));
	partition->system = system;
	os_mutex_init(&partition->route_lock);
	err = check_capabilities(system, why);
	if (err < 0)
		return err;
	partition->routes = os_alloc(sizeof(*partition->routes) +
				     PARTITION_ROUTES_MAX * sizeof(struct kvm_irq_routing_entry));
	if (!partition->routes)
		return error_set(why, -ENOMEM, "there is no memory for another VM");
	err = create_vm(partition, why);
	if (!err)
		err = create_chips(partition, why);
	if (!err)
		err = add_memory(partition, memory, why);
	if (err < 0)
		partition_destroy(partition);
	return err;
}

void partition_destroy(struct partition *partition)
{
	os_kvm_close(partition->vm);
	partition->vm = NULL;
	for (unsigned i = 0; i < partition->vector_count; i++)
		os_event_destroy(partition->vectors[i].event);
	partition->vector_count = 0;
	os_free(partition->routes);
	partition->routes = NULL;
}
