/* SPDX-License-Identifier: MIT */
/*
 * acpi.c - what the firmware's tables tell, without interpreting AML: CPUs, power off and
 * reset (ACPI 6.4, sections 4.8 and 5.2).  Tables above 4 GiB are not seen.
 */
#include "hw/acpi.h"
#include "hw/apic.h"
#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/runtime/boot.h"
#include "type1/runtime/cpu.h"
#include "type1/runtime/instructions.h"
#include "type1/runtime/memory.h"

#define TABLE_MAX (4 * MIB)
#define MAPPED_END (4 * GIB) /* by start.S's tables */

struct acpi_machine acpi_machine = {.apic_base = APIC_BASE_DEFAULT};

/* What it takes to have the fixed registers: section 4.8.2.5. */
static struct {
	uint16_t command_port;
	uint8_t enable;
} acpi_mode;

static bool sums_up(const void *at, size_t size)
{
	const uint8_t *bytes = at;
	uint8_t sum = 0;

	while (size--)
		sum = (uint8_t)(sum + *bytes++);
	return sum == 0;
}

/* The table at physical, whole and right; NULL. */
static const struct acpi_header *table_at(uint64_t physical, size_t least)
{
	const struct acpi_header *table;

	if (!physical || physical > MAPPED_END - TABLE_MAX)
		return NULL;
	table = physical_at(physical);
	if (table->length < least || table->length > TABLE_MAX || !sums_up(table, table->length))
		return NULL;
	return table;
}

static void add_cpu(uint32_t apic_id, uint32_t flags)
{
	struct acpi_machine *machine = &acpi_machine;

	if (!(flags & ACPI_MADT_ENABLED))
		return;
	for (unsigned i = 0; i < machine->cpu_count; i++) {
		if (machine->apic_ids[i] == apic_id)
			return;
	}
	if (machine->cpu_count == ARRAY_COUNT(machine->apic_ids))
		log_line(LOG_WARNING, "acpi: more than %u CPUs", machine->cpu_count);
	else
		machine->apic_ids[machine->cpu_count++] = apic_id;
}

static void read_madt(const struct acpi_header *table)
{
	const struct acpi_madt *madt = (const struct acpi_madt *)table;
	const uint8_t *at = (const uint8_t *)(madt + 1),
		      *end = (const uint8_t *)table + table->length;

	acpi_machine.apic_base = madt->local_apic_address;
	while ((size_t)(end - at) >= sizeof(struct acpi_madt_entry)) {
		const struct acpi_madt_entry *entry = (const void *)at;
		const struct acpi_madt_local_apic *apic = (const void *)at;
		const struct acpi_madt_local_x2apic *x2apic = (const void *)at;

		if (entry->length < sizeof(*entry) || entry->length > end - at)
			break;
		if (entry->type == ACPI_MADT_LOCAL_APIC && entry->length >= sizeof(*apic))
			add_cpu(apic->apic_id, apic->flags);
		else if (entry->type == ACPI_MADT_LOCAL_X2APIC && entry->length >= sizeof(*x2apic))
			add_cpu(x2apic->apic_id, x2apic->flags);
		at += entry->length;
	}
}

/* AML, section 20.2: what a definition of \_S5 is made of. */
enum aml {
	AML_ZERO = 0x00,
	AML_ONE = 0x01,
	AML_NAME = 0x08,
	AML_BYTE = 0x0a,
	AML_PACKAGE = 0x12,
	AML_ROOT = '\\',
};
#define AML_LENGTH_EXTRA_SHIFT 6 /* of PkgLength's first byte: how many more there are */

/* The integer at *at, which moves on; false: another term, or the end. */
static bool read_integer(const uint8_t **at, const uint8_t *end, uint8_t *value)
{
	if (end - *at < 2)
		return false;
	switch (**at) {
	case AML_ZERO:
	case AML_ONE:
		*value = *(*at)++;
		return true;
	case AML_BYTE:
		*value = (*at)[1];
		*at += 2;
		return true;
	default:
		return false;
	}
}

/* Name (\_S5, Package () {a, b, ...}): the sleep types of PM1a and PM1b (section 7.4.2). */
static void read_dsdt(const struct acpi_header *table)
{
	const uint8_t *code = (const uint8_t *)(table + 1),
		      *end = (const uint8_t *)table + table->length;
	struct acpi_machine *machine = &acpi_machine;

	for (const uint8_t *at = code + 2; end - at > 8; at++) {
		const uint8_t *term;

		if (memcmp(at, "_S5_", 4) != 0 || at[4] != AML_PACKAGE)
			continue;
		if (at[-1] != AML_NAME && !(at[-1] == AML_ROOT && at[-2] == AML_NAME))
			continue;
		/* PkgLength, then the number of elements. */
		term = at + 5 + 1 + (at[5] >> AML_LENGTH_EXTRA_SHIFT) + 1;
		if (term < end && read_integer(&term, end, &machine->sleep_type_a) &&
		    read_integer(&term, end, &machine->sleep_type_b)) {
			machine->can_power_off = machine->pm1a_control != 0;
			return;
		}
	}
}

static void read_fadt(const struct acpi_header *table)
{
	struct acpi_fadt fadt = {0};
	const struct acpi_header *dsdt;
	struct acpi_machine *machine = &acpi_machine;

	/* Older ones are shorter; a field that isn't there is 0. */
	memcpy(&fadt, table, MIN(table->length, sizeof(fadt)));
	machine->pm1a_control = (uint16_t)fadt.pm1a_cnt_blk;
	machine->pm1b_control = (uint16_t)fadt.pm1b_cnt_blk;
	machine->pm_timer = (uint16_t)fadt.pm_tmr_blk;
	acpi_mode.command_port = (uint16_t)fadt.smi_cmd;
	acpi_mode.enable = fadt.acpi_enable;
	if (fadt.flags & ACPI_FADT_RESET_REGISTER) {
		machine->reset_space = fadt.reset_reg.space;
		machine->reset_address = fadt.reset_reg.address;
		machine->reset_value = fadt.reset_value;
	}
	dsdt = table_at(fadt.x_dsdt ? fadt.x_dsdt : fadt.dsdt, sizeof(*dsdt));
	if (dsdt)
		read_dsdt(dsdt);
}

static void read_table(uint64_t physical)
{
	const struct acpi_header *table = table_at(physical, sizeof(*table));

	if (!table)
		log_line(LOG_WARNING, "acpi: no whole table at 0x%llx",
			 (unsigned long long)physical);
	else if (!memcmp(table->signature, "APIC", 4) && table->length >= sizeof(struct acpi_madt))
		read_madt(table);
	else if (!memcmp(table->signature, "FACP", 4))
		read_fadt(table);
}

void acpi_init(void)
{
	const struct acpi_rsdp *rsdp = (const struct acpi_rsdp *)boot_rsdp;
	bool extended = rsdp->revision >= ACPI_RSDP_REVISION && rsdp->xsdt_address;
	const struct acpi_header *list;
	size_t width = extended ? sizeof(uint64_t) : sizeof(uint32_t);

	if (memcmp(rsdp->signature, "RSD PTR ", sizeof(rsdp->signature)) != 0 ||
	    !sums_up(rsdp, ACPI_RSDP_CHECKSUMMED)) {
		log_line(LOG_WARNING, "acpi: the boot loader found no tables");
		return;
	}
	list = table_at(extended ? rsdp->xsdt_address : rsdp->rsdt_address, sizeof(*list));
	if (!list) {
		log_line(LOG_WARNING, "acpi: the list of tables is damaged, or above 4 GiB");
		return;
	}
	for (size_t at = sizeof(*list); at + width <= list->length; at += width) {
		const char *entry = (const char *)list + at;

		read_table(extended ? load_le64(entry) : load_le32(entry));
	}
}

/* --- Power */

#define ENABLE_POLLS 1000000u
#define KEYBOARD_COMMAND_PORT 0x64
#define KEYBOARD_PULSE_RESET 0xfe

_Noreturn void machine_power_off(void)
{
	const struct acpi_machine *machine = &acpi_machine;

	if (machine->can_power_off) {
		if (!(in16(machine->pm1a_control) & ACPI_PM1_SCI_ENABLE) &&
		    acpi_mode.command_port) {
			out8(acpi_mode.command_port, acpi_mode.enable);
			for (unsigned i = 0; i < ENABLE_POLLS; i++) {
				if (in16(machine->pm1a_control) & ACPI_PM1_SCI_ENABLE)
					break;
			}
		}
		/* Section 4.8.3.2.1 */
		out16(machine->pm1a_control,
		      (uint16_t)(machine->sleep_type_a << ACPI_PM1_SLEEP_TYPE_SHIFT |
				 ACPI_PM1_SLEEP_ENABLE));
		if (machine->pm1b_control)
			out16(machine->pm1b_control,
			      (uint16_t)(machine->sleep_type_b << ACPI_PM1_SLEEP_TYPE_SHIFT |
					 ACPI_PM1_SLEEP_ENABLE));
	}
	log_line(LOG_ERROR, "the machine can't be powered off: it stands still");
	cpu_stop();
}

_Noreturn void machine_reset(void)
{
	const struct acpi_machine *machine = &acpi_machine;

	if (machine->reset_address && machine->reset_space == ACPI_SPACE_IO)
		out8((uint16_t)machine->reset_address, machine->reset_value);
	out8(KEYBOARD_COMMAND_PORT, KEYBOARD_PULSE_RESET);
	log_line(LOG_ERROR, "the machine can't be reset: it stands still");
	cpu_stop();
}
