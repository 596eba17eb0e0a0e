/* SPDX-License-Identifier: MIT */
/*
 * dsdt.h - the DSDT's definition block: what there is besides what the other tables say.
 */
#ifndef DYAD_MONITOR_ACPI_DSDT_H
#define DYAD_MONITOR_ACPI_DSDT_H

#include "monitor/acpi/acpi.h"
#include "monitor/acpi/aml.h"

/* Writes the AML that stands behind the DSDT's header. */
void dsdt_write(struct aml *aml, const struct acpi_platform *platform);

#endif
