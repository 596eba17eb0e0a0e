/* SPDX-License-Identifier: MIT */
/*
 * Configuration space through both mechanisms, BARs of all kinds, and a function with MSI-X:
 * whatever is written, BARs stay within the windows and apart from each other, and interrupts have
 * routes.
 */
#include <string.h>

#include "lib/bits.h"
#include "tests/support/bus_access.h"
#include "tests/support/fuzz_input.h"
#include "tests/support/pci_machine.h"

#define TOYS 3
#define VECTORS 5
#define MSIX_TABLE 0
#define MSIX_PBA 0x800

struct toy {
	struct pci_function function;
	struct pci_msix msix;
	struct os_mutex lock;
};

static uint64_t toy_read(void *device, uint64_t offset, unsigned size)
{
	struct toy *toy = device;

	return toy->function.msix ? pci_msix_read(&toy->msix, offset, size) : offset;
}

static void toy_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	struct toy *toy = device;

	if (toy->function.msix)
		pci_msix_write(&toy->msix, offset, size, value);
}

static const struct bus_ops toy_bar_ops = {.read = toy_read, .write = toy_write};

static void toy_create(struct pci_machine *machine, struct toy *toy, bool msix)
{
	static const struct pci_function_ops ops = {0};
	static const struct pci_identity identity = {.vendor = 0x1234, .interrupt_pin = true};
	struct msi_sink sink = pci_machine_msi(machine);

	os_mutex_init(&toy->lock);
	pci_function_init(&toy->function, &identity, &ops, toy, &toy->lock);
	pci_function_set_bar(&toy->function, 0, PCI_BAR_MEMORY32, false, 0x1000, &toy_bar_ops);
	pci_function_set_bar(&toy->function, 1, PCI_BAR_PORTS, false, 0x10, &toy_bar_ops);
	pci_function_set_bar(&toy->function, 2, PCI_BAR_MEMORY64, true, 0x4000, &toy_bar_ops);
	if (msix)
		fuzz_check(pci_msix_init(&toy->msix, &toy->function, &sink, VECTORS, 0, MSIX_TABLE,
					 MSIX_PBA) == 0);
	fuzz_check(pci_host_attach(&machine->host, &toy->function) == 0);
}

static void check_bars(const struct pci_machine *machine, const struct toy *toy)
{
	for (unsigned i = 0; i < PCI_BARS; i++) {
		const struct pci_bar *bar = &toy->function.bars[i];
		uint64_t last = bar->mapped_at + bar->size - 1;

		if (!bar->mapped)
			continue;
		if (bar->kind == PCI_BAR_PORTS)
			fuzz_check(bar->mapped_at >= PCI_MACHINE_PORTS &&
				   last < PCI_MACHINE_PORTS_END);
		else
			fuzz_check((bar->mapped_at >= PCI_MACHINE_MEMORY32 &&
				    last < PCI_MACHINE_MEMORY32_END) ||
				   (bar->kind == PCI_BAR_MEMORY64 &&
				    bar->mapped_at >= PCI_MACHINE_MEMORY64 &&
				    last < PCI_MACHINE_MEMORY64_END));
	}
	for (unsigned i = 1; i < machine->memory.count; i++)
		fuzz_check(machine->memory.ranges[i - 1].base +
				   machine->memory.ranges[i - 1].length <=
			   machine->memory.ranges[i].base);
}

static void step(struct pci_machine *machine, struct toy *toys, struct fuzz_input *input)
{
	struct toy *toy = &toys[fuzz_take(input, 1) % TOYS];
	uint8_t operation = (uint8_t)fuzz_take(input, 1);
	unsigned size = (operation >> 4) % 8 + 1;
	uint64_t address;

	switch (operation % 8) {
	case 0:
		access_write(&machine->ports, PCI_PORT_ADDRESS + fuzz_take(input, 1) % 8, size,
			     fuzz_take(input, size));
		break;
	case 1:
		access_read(&machine->ports, PCI_PORT_ADDRESS + fuzz_take(input, 1) % 8, size);
		break;
	case 2:
		/* A slot that is there more often than not. */
		address = fuzz_take(input, 3) % (TOYS * 2 << 15);
		access_write(&machine->memory, PCI_MACHINE_ECAM + address, size,
			     fuzz_take(input, size));
		break;
	case 3:
		access_read(&machine->memory, PCI_MACHINE_ECAM + fuzz_take(input, 3) % (1 << 20),
			    size);
		break;
	case 4:
		address = toy->function.bars[0].mapped_at + fuzz_take(input, 2) % 0x1000;
		access_write(&machine->memory, address, size, fuzz_take(input, size));
		break;
	case 5:
		address = toy->function.bars[2].mapped_at + fuzz_take(input, 2) % 0x4000;
		access_read(&machine->memory, address, size);
		break;
	case 6:
		/* The header's registers, aligned: commands and BARs. */
		pci_machine_config_write(machine, toy->function.slot,
					 (fuzz_take(input, 1) % 12) * 4, 4,
					 (uint32_t)fuzz_take(input, 4));
		break;
	default:
		os_mutex_lock(&toy->lock);
		if (toy->function.msix)
			pci_msix_signal(&toy->msix, (unsigned)fuzz_take(input, 1));
		pci_function_set_intx(&toy->function, operation & 0x80);
		os_mutex_unlock(&toy->lock);
		break;
	}
	check_bars(machine, toy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {.at = data, .left = size};
	struct pci_machine *machine = calloc(1, sizeof(*machine));
	struct toy *toys = calloc(TOYS, sizeof(*toys));

	fuzz_check(machine && toys);
	pci_machine_init(machine);
	for (unsigned i = 0; i < TOYS; i++)
		toy_create(machine, &toys[i], i != 2);
	while (input.left)
		step(machine, toys, &input);
	for (unsigned i = 0; i < TOYS; i++)
		pci_host_detach(&machine->host, &toys[i].function);
	fuzz_check(machine->memory.count == 1 && machine->ports.count == 1);
	free(toys);
	free(machine);
	return 0;
}
