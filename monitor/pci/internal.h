/* SPDX-License-Identifier: MIT */
/* internal.h - what the files of monitor/pci need of each other and nobody else does. */
#ifndef DYAD_MONITOR_PCI_INTERNAL_H
#define DYAD_MONITOR_PCI_INTERNAL_H

#include "monitor/pci/pci.h"

/* Whether an access of size bytes at offset touches [start, start + length). */
static inline bool pci_access_touches(unsigned offset, unsigned size, unsigned start,
				      unsigned length)
{
	return offset < start + length && start < offset + size;
}

/*
 * Puts the function's BARs where its configuration space says, and takes away those that are no
 * longer there.  One whose address lies outside the bridge's windows or on top of another's is not
 * mapped.  Lock held; takes the bus's.
 */
void pci_function_update_bars(struct pci_function *function);

/* The message control word or the command register was written.  Lock held. */
void pci_msix_control_changed(struct pci_msix *msix);

#endif
