/* SPDX-License-Identifier: MIT */
#include "monitor/machine/machine.h"

#include <linux/errno.h>

#include "monitor/acpi/acpi.h"
#include "monitor/devices/devices.h"
#include "monitor/load/load.h"
#include "monitor/log.h"
#include "monitor/machine/bus.h"
#include "monitor/machine/cpuid.h"
#include "monitor/machine/layout.h"
#include "monitor/machine/memory.h"
#include "monitor/machine/partition.h"
#include "monitor/machine/vcpu.h"
#include "monitor/pci/pci.h"
#include "monitor/virtio/devices.h"
#include "monitor/virtio/virtio_pci.h"

#define VIRTIO_DEVICES_MAX (VM_DISKS_MAX + VM_NETS_MAX + 3)
#define MEMORY_MAP_MAX 8

/* A virtio device with its PCI function, and how to end the device. */
struct slot {
	struct virtio_device *virtio;
	struct virtio_pci *pci;
	void (*destroy)(struct virtio_device *virtio);
};

struct machine {
	const struct vm_config *config;
	const struct machine_backends *backends;
	struct os_loop *loop;
	struct machine_listener listener;
	struct machine_requests requests;

	struct guest_memory memory;
	struct partition partition;
	struct kvm_cpuid2 *cpuid; /* the last vCPU's */
	struct bus ports, registers;

	struct uart uart;
	struct rtc rtc;
	struct i8042 i8042;
	struct acpi_pm pm;
	struct test_device test;
	struct pci_windows windows;
	struct pci_host pci;
	struct slot slots[VIRTIO_DEVICES_MAX];
	unsigned slot_count;

	struct load_entry entry;
	struct vcpu vcpus[VM_CPUS_MAX];
	unsigned vcpu_count; /* that were created */

	/* How far platform_create() came, for the way back. */
	bool has_uart, has_rtc, has_test;
};

/* --- What ends a machine ---------------------------------------------------------------------- */

static void request_reset(void *context)
{
	struct machine *machine = context;

	machine->listener.ended(machine->listener.context, MACHINE_END_RESET, 0, NULL);
}

static void request_power_off(void *context)
{
	struct machine *machine = context;

	machine->listener.ended(machine->listener.context, MACHINE_END_POWER_OFF, 0, NULL);
}

static void request_debug_exit(void *context, uint32_t status)
{
	struct machine *machine = context;

	machine->listener.ended(machine->listener.context, MACHINE_END_DEBUG_EXIT, status, NULL);
}

static void vcpu_ended(void *context, enum vcpu_end end, const struct error *why)
{
	struct machine *machine = context;

	machine->listener.ended(machine->listener.context,
				end == VCPU_END_CRASH ? MACHINE_END_CRASHED : MACHINE_END_FAILED, 0,
				why);
}

/* --- Platform --------------------------------------------------------------------------------- */

static struct irq_pin pin(struct machine *machine, uint32_t gsi)
{
	return (struct irq_pin){
		.set = partition_irq_set, .context = &machine->partition, .gsi = gsi};
}

static struct os_console *console_of(const struct machine *machine, enum vm_console kind)
{
	return machine->config->console == kind ? machine->backends->console : NULL;
}

static int platform_create(struct machine *machine, struct error *why)
{
	uint64_t low = machine->memory.ranges[0].size;
	struct irq_pin serial_pin = pin(machine, LAYOUT_SERIAL_GSI);
	struct irq_pin rtc_pin = pin(machine, LAYOUT_RTC_GSI);
	struct irq_pin sci_pin = pin(machine, LAYOUT_SCI_GSI);
	int err;

	machine->requests = (struct machine_requests){.reset = request_reset,
						      .power_off = request_power_off,
						      .debug_exit = request_debug_exit,
						      .context = machine};
	err = uart_init(&machine->uart, &machine->ports, LAYOUT_SERIAL_PORT, &serial_pin,
			console_of(machine, VM_CONSOLE_SERIAL));
	machine->has_uart = !err;
	if (!err)
		err = rtc_init(&machine->rtc, machine->loop, &machine->ports, &rtc_pin, low,
			       machine->memory.size - low);
	machine->has_rtc = !err;
	if (!err)
		err = i8042_init(&machine->i8042, &machine->ports, &machine->requests);
	if (!err)
		err = acpi_pm_init(&machine->pm, &machine->ports, &sci_pin, &machine->requests);
	if (!err && machine->config->test_device) {
		err = test_device_init(&machine->test, &machine->ports, &machine->registers,
				       &machine->requests, machine->backends->console,
				       partition_irq_set, &machine->partition,
				       machine->config->cpus, machine->config->memory);
		machine->has_test = !err;
	}
	if (err < 0)
		return error_set(why, err, "the platform's devices could not be made (error %d)",
				 -err);
	return 0;
}

/* --- PCI -------------------------------------------------------------------------------------- */

static int pci_create(struct machine *machine, struct error *why)
{
	const struct guest_ram_range *last =
		&machine->memory.ranges[machine->memory.range_count - 1];
	uint64_t window = align_up(MAX(last->start + last->size, 4 * GIB), GIB);
	unsigned bits = cpuid_physical_address_bits(machine->cpuid);
	int err;

	if (window + LAYOUT_PCI_MEMORY64_SIZE > BIT(bits))
		return error_set(
			why, -EINVAL,
			"%llu MiB of memory is more than this CPU's %u address bits can reach; "
			"give the VM less --memory",
			(unsigned long long)(machine->memory.size / MIB), bits);
	machine->windows = (struct pci_windows){
		.ecam = LAYOUT_PCI_ECAM,
		.memory32_base = LAYOUT_PCI_MEMORY32,
		.memory32_end = LAYOUT_PCI_MEMORY32_END,
		.memory64_base = window,
		.memory64_end = window + LAYOUT_PCI_MEMORY64_SIZE,
		.ports_base = LAYOUT_PCI_PORTS,
		.ports_end = LAYOUT_PCI_PORTS_END,
	};
	for (unsigned i = 0; i < ARRAY_COUNT(machine->windows.intx_gsi); i++)
		machine->windows.intx_gsi[i] = LAYOUT_FIRST_INTX_GSI + i;
	err = pci_host_init(&machine->pci, &machine->ports, &machine->registers, &machine->windows,
			    partition_irq_set, &machine->partition);
	if (err < 0)
		return error_set(why, err, "the PCI host bridge could not be made (error %d)",
				 -err);
	return 0;
}

/* Puts a virtio device that *_create() has just made (err, virtio) into the next slot. */
static int plug(struct machine *machine, int err, struct virtio_device *virtio,
		void (*destroy)(struct virtio_device *virtio), const char *what, struct error *why)
{
	struct msi_sink msi = partition_msi_sink(&machine->partition);
	struct doorbell_sink doorbells = partition_doorbell_sink(&machine->partition);
	struct slot *slot = &machine->slots[machine->slot_count];

	if (!err) {
		*slot = (struct slot){.virtio = virtio, .destroy = destroy};
		machine->slot_count++;
		err = virtio_pci_create(virtio, &machine->pci, machine->loop, &msi, &doorbells,
					&slot->pci);
	}
	if (err < 0)
		return error_set(why, err, "%s could not be made (error %d)", what, -err);
	return 0;
}

static int plug_disks(struct machine *machine, struct error *why)
{
	for (unsigned i = 0; i < machine->config->disk_count; i++) {
		const struct vm_disk_config *disk = &machine->config->disks[i];
		struct virtio_blk_options options = {.block = machine->backends->blocks[i],
						     .serial = disk->serial,
						     .discard = disk->discard};
		struct virtio_device *virtio;
		int err = virtio_blk_create(&machine->memory, &options, &virtio);

		err = plug(machine, err, virtio, virtio_blk_destroy, disk->path, why);
		if (err < 0)
			return err;
	}
	return 0;
}

static int plug_nets(struct machine *machine, struct error *why)
{
	for (unsigned i = 0; i < machine->config->net_count; i++) {
		const struct vm_net_config *net = &machine->config->nets[i];
		struct virtio_net_options options = {.net = machine->backends->nets[i],
						     .loop = machine->loop,
						     .mac = net->mac,
						     .rate = net->rate};
		struct virtio_device *virtio;
		int err = virtio_net_create(&machine->memory, &options, &virtio);

		err = plug(machine, err, virtio, virtio_net_destroy, "a network device", why);
		if (err < 0)
			return err;
	}
	return 0;
}

static int plug_others(struct machine *machine, struct error *why)
{
	struct os_console *console = console_of(machine, VM_CONSOLE_VIRTIO);
	struct virtio_device *virtio;
	int err = 0;

	if (console) {
		err = virtio_console_create(&machine->memory, console, &virtio);
		err = plug(machine, err, virtio, virtio_console_destroy, "the virtio console", why);
	}
	if (!err && machine->config->rng) {
		err = virtio_rng_create(&machine->memory, &virtio);
		err = plug(machine, err, virtio, virtio_rng_destroy, "the entropy device", why);
	}
	if (!err && machine->config->balloon) {
		err = virtio_balloon_create(&machine->memory, &virtio);
		err = plug(machine, err, virtio, virtio_balloon_destroy, "the balloon", why);
	}
	return err;
}

/* --- What the guest is told, and its start -----------------------------------------------------
 */

static unsigned memory_map(const struct machine *machine, struct memory_map_entry *map)
{
	const struct guest_ram_range *low = &machine->memory.ranges[0];
	unsigned count = 0;

	map[count++] = (struct memory_map_entry){0, LAYOUT_EBDA, MEMORY_MAP_RAM};
	map[count++] = (struct memory_map_entry){LAYOUT_EBDA, LAYOUT_LOW_RAM_END - LAYOUT_EBDA,
						 MEMORY_MAP_RESERVED};
	map[count++] =
		(struct memory_map_entry){ACPI_AREA_START, ACPI_AREA_SIZE, MEMORY_MAP_RESERVED};
	map[count++] = (struct memory_map_entry){LAYOUT_HIGH_RAM_START,
						 low->size - LAYOUT_HIGH_RAM_START, MEMORY_MAP_RAM};
	map[count++] = (struct memory_map_entry){LAYOUT_PCI_ECAM, MIB, MEMORY_MAP_RESERVED};
	if (machine->memory.range_count > 1)
		map[count++] =
			(struct memory_map_entry){machine->memory.ranges[1].start,
						  machine->memory.ranges[1].size, MEMORY_MAP_RAM};
	return count;
}

static int write_tables(struct machine *machine, gpa_t *rsdp, struct error *why)
{
	uint32_t apic_ids[VM_CPUS_MAX];
	struct acpi_platform platform = {
		.cpus = machine->config->cpus,
		.local_apic_address = LAYOUT_LOCAL_APIC,
		.io_apic_address = LAYOUT_IO_APIC,
		.apic_ids = apic_ids,
		.pci = &machine->windows,
		.pci_host = &machine->pci,
		.serial = true,
		.rtc = true,
	};

	for (uint32_t i = 0; i < machine->config->cpus; i++)
		apic_ids[i] = i;
	return acpi_write_tables(&machine->memory, &platform, rsdp, why);
}

static int load(struct machine *machine, struct error *why)
{
	const struct vm_config *config = machine->config;
	const struct machine_backends *backends = machine->backends;
	struct memory_map_entry map[MEMORY_MAP_MAX];
	struct load_request request = {
		.kernel = {.file = backends->kernel, .name = config->kernel},
		.initrd = {.file = backends->initrd, .name = config->initrd},
		.module_count = config->module_count,
		.command_line = config->append,
		.kaslr = config->kaslr,
		.map = map,
		.map_count = memory_map(machine, map),
	};
	int err;

	for (unsigned i = 0; i < config->module_count; i++)
		request.modules[i] = (struct load_file){.file = backends->modules[i],
							.name = config->modules[i].path,
							.arguments = config->modules[i].arguments};
	err = write_tables(machine, &request.rsdp, why);
	if (!err)
		err = load_guest(&machine->memory, &request, &machine->entry, why);
	return err;
}

/* --- CPUs ------------------------------------------------------------------------------------- */

static int cpus_create(struct machine *machine, struct error *why)
{
	struct os_kvm *system = machine->partition.system;
	uint32_t count = machine->config->cpus;
	bool deadline = os_kvm_command(system, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0;

	for (uint32_t i = 0; i < count; i++) {
		struct vcpu *vcpu = &machine->vcpus[i];
		int err;

		*vcpu = (struct vcpu){.number = i,
				      .ports = &machine->ports,
				      .memory = &machine->registers,
				      .ended = vcpu_ended,
				      .context = machine};
		cpuid_set_vcpu(machine->cpuid, deadline, i, count);
		err = vcpu_create(vcpu, &machine->partition, machine->cpuid, why);
		if (err < 0)
			return err;
		machine->vcpu_count++;
	}
	return vcpu_set_entry(&machine->vcpus[0], &machine->entry, why);
}

static int cpus_check(const struct machine *machine, struct os_kvm *system, struct error *why)
{
	int64_t most = os_kvm_command(system, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);
	uint32_t count = machine->config->cpus;

	if (most <= 0 || most > VM_CPUS_MAX)
		most = VM_CPUS_MAX;
	if (count < 1 || count > most)
		return error_set(why, -EINVAL, "this hypervisor runs 1 to %d CPUs a VM, not %u",
				 (int)most, count);
	return 0;
}

/* --- Lifetime --------------------------------------------------------------------------------- */

static int build(struct machine *machine, struct os_kvm *system, struct error *why)
{
	int err;

	err = cpus_check(machine, system, why);
	if (!err)
		err = cpuid_get_supported(system, &machine->cpuid, why);
	if (!err)
		err = guest_memory_create(&machine->memory, machine->config->memory,
					  LAYOUT_HOLE_START, why);
	if (!err)
		err = partition_create(&machine->partition, system, &machine->memory, why);
	if (!err)
		err = platform_create(machine, why);
	if (!err)
		err = pci_create(machine, why);
	if (!err)
		err = plug_disks(machine, why);
	if (!err)
		err = plug_nets(machine, why);
	if (!err)
		err = plug_others(machine, why);
	if (!err)
		err = load(machine, why);
	if (!err)
		err = cpus_create(machine, why);
	return err;
}

int machine_create(const struct vm_config *config, const struct machine_backends *backends,
		   struct os_kvm *system, struct os_loop *loop,
		   const struct machine_listener *listener, struct machine **out, struct error *why)
{
	struct machine *machine = os_alloc(sizeof(*machine));
	int err;

	if (!machine)
		return error_set(why, -ENOMEM, "there is no memory for another VM");
	machine->config = config;
	machine->backends = backends;
	machine->loop = loop;
	machine->listener = *listener;
	bus_init(&machine->ports);
	bus_init(&machine->registers);
	err = build(machine, system, why);
	if (err < 0) {
		machine_destroy(machine);
		return err;
	}
	*out = machine;
	return 0;
}

int machine_start(struct machine *machine, struct error *why)
{
	log_print(OS_LOG_DEBUG, "guest starts by the %s protocol at 0x%llx",
		  machine->entry.protocol, (unsigned long long)machine->entry.rip);
	for (unsigned i = 0; i < machine->vcpu_count; i++) {
		int err = vcpu_start(&machine->vcpus[i], why);

		if (err < 0) {
			machine_stop(machine);
			return err;
		}
	}
	return 0;
}

static void log_exits(const struct vcpu *vcpu)
{
	log_print(OS_LOG_DEBUG,
		  "vCPU %u: %llu port accesses, %llu register accesses, %llu interruptions",
		  vcpu->number, (unsigned long long)vcpu->exits[VCPU_EXIT_PORT],
		  (unsigned long long)vcpu->exits[VCPU_EXIT_MEMORY],
		  (unsigned long long)vcpu->exits[VCPU_EXIT_INTERRUPTED]);
}

void machine_stop(struct machine *machine)
{
	for (unsigned i = 0; i < machine->vcpu_count; i++)
		vcpu_ask_to_stop(&machine->vcpus[i]);
	for (unsigned i = 0; i < machine->vcpu_count; i++) {
		if (!machine->vcpus[i].thread)
			continue;
		vcpu_join(&machine->vcpus[i]);
		log_exits(&machine->vcpus[i]);
	}
}

void machine_destroy(struct machine *machine)
{
	machine_stop(machine);
	while (machine->slot_count) {
		struct slot *slot = &machine->slots[--machine->slot_count];

		if (slot->pci)
			virtio_pci_destroy(slot->pci);
		slot->destroy(slot->virtio);
	}
	if (machine->has_test)
		test_device_destroy(&machine->test);
	if (machine->has_rtc)
		rtc_destroy(&machine->rtc);
	if (machine->has_uart)
		uart_destroy(&machine->uart);
	while (machine->vcpu_count)
		vcpu_destroy(&machine->vcpus[--machine->vcpu_count]);
	partition_destroy(&machine->partition);
	guest_memory_destroy(&machine->memory);
	os_free(machine->cpuid);
	os_free(machine);
}

void machine_press_power_button(struct machine *machine)
{
	acpi_pm_power_button(&machine->pm);
}
