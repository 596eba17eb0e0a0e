/* SPDX-License-Identifier: MIT */
/*
 * pci.h - the functions on the PCI buses, as they were found during boot, and their configuration
 * space.
 */
#ifndef DYAD_TYPE1_PCI_H
#define DYAD_TYPE1_PCI_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/pci.h"

#define PCI_FUNCTIONS_MAX 128
#define PCI_BARS 6u

/* A register that makes a controller forget what it has under way. */
struct pci_stop {
	volatile void *written, *read; /* NULL: there is none that is known */
	uint32_t value;                /* that is written */
	uint32_t busy;                 /* bits of what is read, which are 0 when it has stopped */
	bool bytes;                    /* both are a byte, not 4 */
};

struct pci_function {
	uint16_t location; /* as in struct type1_device */
	uint16_t vendor, device;
	uint8_t revision;
	uint32_t class_code;
	struct {
		uint64_t physical, size; /* 0: none, or one of I/O ports */
	} bars[PCI_BARS];
	uint8_t msi, msix; /* where these capabilities are; 0: nowhere */
	/* The MSI-X table: count is 0 if there is none that can be used. */
	uint8_t msix_bar;
	uint16_t msix_count;
	uint32_t msix_offset; /* in that BAR */
	volatile struct pci_msix_entry *msix_table;
	struct pci_stop stop;
	bool open; /* [atomic] a process has it */
};
extern struct pci_function
	pci_functions[PCI_FUNCTIONS_MAX]; /* [const] after pci_init(), but open */
extern unsigned pci_function_count;

/* Once, on a thread: finds them, and turns off what they do on their own (bus mastering, INTx). */
void pci_init(void);

/* size: 1, 2 or 4, to which offset is aligned, below PCI_CONFIG_SIZE.  Any context. */
#define PCI_CONFIG_SIZE 256u
uint32_t pci_read(const struct pci_function *function, unsigned offset, unsigned size);
void pci_write(const struct pci_function *function, unsigned offset, unsigned size, uint32_t value);
/* The next capability of that kind behind one, or behind 0: the first.  0: there is none. */
unsigned pci_capability(const struct pci_function *function, uint8_t id, unsigned behind);
/* Whether who has the function may write there: not to the header, nor to what says where BARs are
 * and where interrupts go. */
bool pci_may_write(const struct pci_function *function, unsigned offset, unsigned size);

/* pci_stop.c: finds out how a function is stopped; stops it, while it answers at its BARs. */
void pci_stop_find(struct pci_function *function);
void pci_stop(const struct pci_function *function);

#endif
