/* SPDX-License-Identifier: MIT */
/*
 * aml.h - writes ACPI Machine Language (ACPI 6.4 chapter 20) and resource descriptors (section 6.4)
 * into a buffer.
 *
 * What does not fit is left out and remembered in overflow, so that a caller looks once, at the
 * end. Names are exactly four characters ("PCI0", "_SB_").
 */
#ifndef DYAD_MONITOR_ACPI_AML_H
#define DYAD_MONITOR_ACPI_AML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aml {
	uint8_t *bytes;
	size_t capacity, length;
	bool overflow;
};

void aml_init(struct aml *aml, void *bytes, size_t capacity);

/* --- Terms ----------------------------------------------------------------------------------- */

/*
 * Objects with content are opened and closed, innermost first; what was opened is closed with the
 * place that opening it gave.
 */
size_t aml_scope_begin(struct aml *aml, const char *name);
size_t aml_device_begin(struct aml *aml, const char *name);
size_t aml_package_begin(struct aml *aml, uint8_t elements);
void aml_end(struct aml *aml, size_t place);

/* The name of the object that comes next. */
void aml_name(struct aml *aml, const char *name);
void aml_integer(struct aml *aml, uint64_t value);
/* A compressed EISA id: "PNP0A08". */
void aml_eisa_id(struct aml *aml, const char *id);

/* --- Resource templates (6.4) ---------------------------------------------------------------- */

size_t aml_resources_begin(struct aml *aml);
void aml_resources_end(struct aml *aml, size_t place);

/* ISA interrupt line: edge, active high, not shared. */
void aml_resource_irq(struct aml *aml, unsigned line);
/* count ports from base, decoded with 16 bits, that can't be moved. */
void aml_resource_ports(struct aml *aml, uint16_t base, uint8_t count);
/* Memory that can't be moved; base + size lies within 4 GiB. */
void aml_resource_memory32_fixed(struct aml *aml, uint32_t base, uint32_t size);

/* Windows that a bridge passes on, [base, end): not empty. */
void aml_resource_bus_window(struct aml *aml, uint16_t base, uint32_t end);
void aml_resource_port_window(struct aml *aml, uint16_t base, uint32_t end);
void aml_resource_memory32_window(struct aml *aml, uint32_t base, uint64_t end);
void aml_resource_memory64_window(struct aml *aml, uint64_t base, uint64_t end);

#endif
