/* SPDX-License-Identifier: MIT */
/*
 * The ACPI tables as a guest finds them: by following the pointers from the RSDP, by their
 * checksums, and through ACPICA's own compiler, iasl (Debian's acpica-tools).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "hw/acpi.h"
#include "lib/bits.h"
#include "lib/error.h"
#include "monitor/acpi/acpi.h"
#include "monitor/acpi/aml.h"
#include "monitor/devices/devices.h"
#include "tests/support/fake_os.h"

#define CPUS_MAX 64
/* Where a test of the longest tables stops to add CPUs. */
#define CPUS_TOO_MANY 20000

struct fixture {
	struct guest_memory memory;
	struct pci_windows windows;
	struct pci_host host;
	struct pci_function function; /* what stands in every slot */
	struct acpi_platform platform;
	uint32_t apic_ids[CPUS_TOO_MANY];
	gpa_t rsdp;
	struct error why;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(guest_memory_create(&f->memory, 2 * MIB, 3 * GIB, &f->why), 0);
	f->windows = (struct pci_windows){
		.ecam = 0xe8000000,
		.memory32_base = 0xc0000000,
		.memory32_end = 0xe0000000,
		.memory64_base = 8 * GIB,
		.memory64_end = 12 * GIB,
		.ports_base = 0xc000,
		.ports_end = 0xd000,
		.intx_gsi = {16, 17, 18, 19},
	};
	f->host.slots[0] = &f->function;
	f->host.slots[3] = &f->function;
	for (uint32_t i = 0; i < CPUS_TOO_MANY; i++)
		f->apic_ids[i] = i;
	f->platform = (struct acpi_platform){
		.cpus = 2,
		.local_apic_address = 0xfee00000,
		.io_apic_address = 0xfec00000,
		.apic_ids = f->apic_ids,
		.pci = &f->windows,
		.pci_host = &f->host,
		.serial = true,
		.rtc = true,
	};
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	guest_memory_destroy(&f->memory);
	free(f);
	return 0;
}

static void write_tables(struct fixture *f)
{
	assert_int_equal(acpi_write_tables(&f->memory, &f->platform, &f->rsdp, &f->why), 0);
}

static uint8_t sum(const void *table, size_t length)
{
	const uint8_t *bytes = table;
	uint8_t total = 0;

	while (length--)
		total += *bytes++;
	return total;
}

static const void *at(struct fixture *f, gpa_t address, size_t length)
{
	const void *found = guest_memory_range(&f->memory, address, length);

	assert_non_null(found);
	assert_in_range(address, ACPI_AREA_START, ACPI_AREA_START + ACPI_AREA_SIZE - length);
	return found;
}

/* A table whose length and checksum have been looked at. */
static const struct acpi_header *table_at(struct fixture *f, gpa_t address)
{
	const struct acpi_header *header = at(f, address, sizeof(*header));

	at(f, address, header->length);
	assert_int_equal(sum(header, header->length), 0);
	return header;
}

static const struct acpi_rsdp *rsdp_of(struct fixture *f)
{
	return at(f, f->rsdp, sizeof(struct acpi_rsdp));
}

/* The table of that signature that the XSDT names. */
static const void *find_table(struct fixture *f, const char *signature)
{
	const struct acpi_header *xsdt = table_at(f, rsdp_of(f)->xsdt_address);
	const uint8_t *entry = (const uint8_t *)(xsdt + 1);
	const uint8_t *end = (const uint8_t *)xsdt + xsdt->length;

	for (; entry < end; entry += sizeof(uint64_t)) {
		const struct acpi_header *table = table_at(f, load_le64(entry));

		if (!memcmp(table->signature, signature, 4))
			return table;
	}
	fail_msg("there is no %s", signature);
	return NULL;
}

/* The entry number n (from 0) of that type in the MADT, or NULL. */
static const void *find_entry(struct fixture *f, enum acpi_madt_type type, unsigned n)
{
	const struct acpi_madt *madt = find_table(f, "APIC");
	const uint8_t *entry = (const uint8_t *)(madt + 1);
	const uint8_t *end = (const uint8_t *)madt + madt->header.length;

	while (entry < end) {
		const struct acpi_madt_entry *head = (const void *)entry;

		assert_in_range(head->length, 2, end - entry);
		if (head->type == type && n-- == 0)
			return entry;
		entry += head->length;
	}
	return NULL;
}

static void rsdp_leads_to_an_xsdt_with_right_checksums(void **state)
{
	struct fixture *f = *state;
	const struct acpi_rsdp *rsdp;

	write_tables(f);
	rsdp = rsdp_of(f);
	assert_int_equal(f->rsdp % 16, 0);
	assert_memory_equal(rsdp->signature, "RSD PTR ", 8);
	assert_int_equal(rsdp->revision, 2);
	assert_int_equal(rsdp->length, sizeof(*rsdp));
	assert_int_equal(sum(rsdp, 20), 0);
	assert_int_equal(sum(rsdp, sizeof(*rsdp)), 0);
	assert_memory_equal(table_at(f, rsdp->xsdt_address)->signature, "XSDT", 4);
	find_table(f, "FACP");
	find_table(f, "APIC");
	find_table(f, "MCFG");
}

static void fadt_describes_the_fixed_hardware(void **state)
{
	struct fixture *f = *state;
	const struct acpi_fadt *fadt;
	const struct acpi_facs *facs;

	write_tables(f);
	fadt = find_table(f, "FACP");
	assert_int_equal(fadt->header.revision, 6);
	assert_int_equal(fadt->header.length, 276);
	assert_int_equal(fadt->sci_int, ACPI_SCI_GSI);
	assert_int_equal(fadt->smi_cmd, 0);
	assert_int_equal(fadt->pm1a_evt_blk, ACPI_PM1_EVENT_PORT);
	assert_int_equal(fadt->x_pm1a_evt_blk.address, ACPI_PM1_EVENT_PORT);
	assert_int_equal(fadt->x_pm1a_evt_blk.space, ACPI_SPACE_IO);
	assert_int_equal(fadt->x_pm1a_evt_blk.bit_width, 32);
	assert_int_equal(fadt->x_pm1a_cnt_blk.address, ACPI_PM1_CONTROL_PORT);
	assert_int_equal(fadt->x_pm1a_cnt_blk.bit_width, 16);
	assert_int_equal(fadt->x_pm_tmr_blk.address, ACPI_PM_TIMER_PORT);
	assert_int_equal(fadt->reset_reg.address, ACPI_RESET_PORT);
	assert_int_equal(fadt->reset_reg.bit_width, 8);
	assert_int_equal(fadt->reset_value, ACPI_RESET_VALUE);
	assert_true(fadt->flags & ACPI_FADT_RESET_REGISTER);
	assert_true(fadt->flags & ACPI_FADT_TIMER_32_BIT);
	assert_true(fadt->flags & ACPI_FADT_WBINVD);
	assert_int_equal(fadt->flags & 1 << 4, 0);  /* PWR_BUTTON: it is fixed hardware */
	assert_int_equal(fadt->flags & 1 << 20, 0); /* HW_REDUCED_ACPI */
	assert_int_equal(fadt->iapc_boot_arch & ACPI_BOOT_8042, 0);
	assert_true(fadt->iapc_boot_arch & ACPI_BOOT_NO_VGA);
	assert_int_equal(fadt->iapc_boot_arch & ACPI_BOOT_NO_MSI, 0);
	assert_int_equal(fadt->century, RTC_CENTURY);
	assert_int_equal(fadt->dsdt, fadt->x_dsdt);
	assert_memory_equal(table_at(f, fadt->x_dsdt)->signature, "DSDT", 4);
	facs = at(f, fadt->firmware_ctrl, sizeof(*facs));
	assert_int_equal(fadt->firmware_ctrl % 64, 0);
	assert_memory_equal(facs->signature, "FACS", 4);
	assert_int_equal(facs->length, 64);
}

static void without_an_rtc_the_fadt_says_so(void **state)
{
	struct fixture *f = *state;
	const struct acpi_fadt *fadt;

	f->platform.rtc = false;
	write_tables(f);
	fadt = find_table(f, "FACP");
	assert_true(fadt->iapc_boot_arch & ACPI_BOOT_NO_CMOS_RTC);
	assert_int_equal(fadt->century, 0);
}

static void madt_has_an_entry_for_each_cpu(void **state)
{
	struct fixture *f = *state;
	const struct acpi_madt_local_apic *apic;

	f->platform.cpus = CPUS_MAX;
	write_tables(f);
	for (unsigned i = 0; i < CPUS_MAX; i++) {
		apic = find_entry(f, ACPI_MADT_LOCAL_APIC, i);
		assert_non_null(apic);
		assert_int_equal(apic->processor_uid, i);
		assert_int_equal(apic->apic_id, i);
		assert_int_equal(apic->flags, ACPI_MADT_ENABLED);
	}
	assert_null(find_entry(f, ACPI_MADT_LOCAL_APIC, CPUS_MAX));
	assert_null(find_entry(f, ACPI_MADT_LOCAL_X2APIC, 0));
	assert_null(find_entry(f, ACPI_MADT_LOCAL_X2APIC_NMI, 0));
}

static void madt_uses_x2apic_entries_for_large_apic_ids(void **state)
{
	struct fixture *f = *state;
	const struct acpi_madt_local_x2apic *x2apic;

	f->platform.cpus = 3;
	f->apic_ids[1] = 254;
	f->apic_ids[2] = 255;
	write_tables(f);
	assert_non_null(find_entry(f, ACPI_MADT_LOCAL_APIC, 1));
	assert_null(find_entry(f, ACPI_MADT_LOCAL_APIC, 2));
	x2apic = find_entry(f, ACPI_MADT_LOCAL_X2APIC, 0);
	assert_non_null(x2apic);
	assert_int_equal(x2apic->apic_id, 255);
	assert_int_equal(x2apic->processor_uid, 2);
	assert_non_null(find_entry(f, ACPI_MADT_LOCAL_X2APIC_NMI, 0));
}

static void madt_routes_the_timer_and_the_sci(void **state)
{
	struct fixture *f = *state;
	const struct acpi_madt_io_apic *io_apic;
	const struct acpi_madt_override *override;

	write_tables(f);
	io_apic = find_entry(f, ACPI_MADT_IO_APIC, 0);
	assert_non_null(io_apic);
	assert_int_equal(io_apic->id, 0);
	assert_int_equal(io_apic->address, 0xfec00000);
	assert_int_equal(io_apic->gsi_base, 0);
	override = find_entry(f, ACPI_MADT_OVERRIDE, 0);
	assert_non_null(override);
	assert_int_equal(override->source, 0);
	assert_int_equal(override->gsi, 2);
	override = find_entry(f, ACPI_MADT_OVERRIDE, 1);
	assert_non_null(override);
	assert_int_equal(override->source, ACPI_SCI_GSI);
	assert_int_equal(override->gsi, ACPI_SCI_GSI);
	assert_int_equal(override->flags, 0x000d);
	assert_null(find_entry(f, ACPI_MADT_OVERRIDE, 2));
}

static void madt_overrides_isa_lines_that_pci_uses_once_each(void **state)
{
	static const uint32_t gsis[] = {10, 11, 10, ACPI_SCI_GSI};
	struct fixture *f = *state;
	const struct acpi_madt_override *override;

	memcpy(f->windows.intx_gsi, gsis, sizeof(gsis));
	write_tables(f);
	override = find_entry(f, ACPI_MADT_OVERRIDE, 2);
	assert_non_null(override);
	assert_int_equal(override->gsi, 10);
	assert_int_equal(override->flags, 0x000f);
	override = find_entry(f, ACPI_MADT_OVERRIDE, 3);
	assert_non_null(override);
	assert_int_equal(override->gsi, 11);
	assert_null(find_entry(f, ACPI_MADT_OVERRIDE, 4));
}

static void mcfg_names_ecam_of_bus_0_only(void **state)
{
	struct fixture *f = *state;
	const struct acpi_mcfg *mcfg;

	write_tables(f);
	mcfg = find_table(f, "MCFG");
	assert_int_equal(mcfg->header.length, sizeof(*mcfg));
	assert_int_equal(mcfg->base_address, 0xe8000000);
	assert_int_equal(mcfg->segment, 0);
	assert_int_equal(mcfg->start_bus, 0);
	assert_int_equal(mcfg->end_bus, 0);
}

/* INTA# of slot 3 is the fourth line, INTB# the first, and so on. */
static void dsdt_turns_the_interrupt_lines_from_slot_to_slot(void **state)
{
	static const uint8_t pins[4][9] = {
		{0x0c, 0xff, 0xff, 0x03, 0x00, 0x00, 0x00, 0x0a, 19},
		{0x0c, 0xff, 0xff, 0x03, 0x00, 0x01, 0x00, 0x0a, 16},
		{0x0c, 0xff, 0xff, 0x03, 0x00, 0x0a, 0x02, 0x00, 0x0a},
		{0x0c, 0xff, 0xff, 0x03, 0x00, 0x0a, 0x03, 0x00, 0x0a},
	};
	struct fixture *f = *state;
	const struct acpi_header *dsdt;

	write_tables(f);
	dsdt = table_at(f, ((const struct acpi_fadt *)find_table(f, "FACP"))->x_dsdt);
	for (unsigned pin = 0; pin < 4; pin++) {
		const uint8_t *entry = memmem(dsdt, dsdt->length, pins[pin], sizeof(pins[pin]));

		assert_non_null(entry);
		if (pin >= 2) /* the GSI stands behind what was searched for */
			assert_int_equal(entry[sizeof(pins[pin])], 16 + (3 + pin) % 4);
	}
}

/* PkgLength (20.2.4), at the lengths where it grows. */
static void aml_counts_the_length_of_its_packages(void **state)
{
	static const size_t contents[] = {0, 61, 62, 4092, 4093, 100000};
	static const size_t prefixes[] = {1, 1, 2, 2, 3, 3};
	size_t capacity = 1 << 17;
	uint8_t *bytes = calloc(1, capacity);

	(void)state;
	assert_non_null(bytes);
	for (unsigned i = 0; i < ARRAY_COUNT(contents); i++) {
		struct aml aml;
		size_t package, length;

		aml_init(&aml, bytes, capacity);
		package = aml_package_begin(&aml, 0); /* its count is a byte of the content */
		for (size_t byte = 0; byte < contents[i]; byte++)
			aml_integer(&aml, 1);
		aml_end(&aml, package);
		assert_false(aml.overflow);
		assert_int_equal(aml.length, 1 + prefixes[i] + 1 + contents[i]);
		assert_int_equal(bytes[1] >> 6, prefixes[i] - 1);
		length = bytes[1] & (prefixes[i] == 1 ? 0x3f : 0x0f);
		for (unsigned byte = 1; byte < prefixes[i]; byte++)
			length |= (size_t)bytes[1 + byte] << (8 * byte - 4);
		assert_int_equal(length, aml.length - 1);
		assert_int_equal(bytes[1 + prefixes[i]], 0);
	}
	free(bytes);
}

static void aml_that_does_not_fit_is_noticed(void **state)
{
	uint8_t bytes[16];

	(void)state;
	for (size_t capacity = 0; capacity < sizeof(bytes); capacity++) {
		struct aml aml;
		size_t device;

		memset(bytes, 0x55, sizeof(bytes));
		aml_init(&aml, bytes, capacity);
		device = aml_device_begin(&aml, "DEV0");
		aml_name(&aml, "_ADR");
		aml_integer(&aml, 0x1234);
		aml_end(&aml, device);
		assert_int_equal(aml.overflow, capacity < 15);
		for (size_t i = capacity; i < sizeof(bytes); i++)
			assert_int_equal(bytes[i], 0x55);
	}
}

/* The BIOS area may hold what an earlier guest left there. */
static void tables_do_not_depend_on_what_memory_held(void **state)
{
	struct fixture *f = *state;

	memset(guest_memory_range(&f->memory, ACPI_AREA_START, ACPI_AREA_SIZE), 0xff,
	       ACPI_AREA_SIZE);
	rsdp_leads_to_an_xsdt_with_right_checksums(state);
	fadt_describes_the_fixed_hardware(state);
	assert_int_equal(((const struct acpi_fadt *)find_table(f, "FACP"))->x_firmware_ctrl, 0);
}

static void the_largest_machine_fits(void **state)
{
	struct fixture *f = *state;

	f->platform.cpus = CPUS_MAX;
	for (unsigned i = 0; i < PCI_SLOTS; i++)
		f->host.slots[i] = &f->function;
	for (unsigned i = 0; i < CPUS_MAX; i++)
		f->apic_ids[i] = 1000 + i;
	write_tables(f);
	rsdp_leads_to_an_xsdt_with_right_checksums(state);
}

static void tables_that_do_not_fit_are_an_error(void **state)
{
	struct fixture *f = *state;

	f->platform.cpus = CPUS_TOO_MANY;
	assert_int_equal(acpi_write_tables(&f->memory, &f->platform, &f->rsdp, &f->why), -ENOSPC);
	assert_non_null(strstr(f->why.text, "do not fit"));
}

static void memory_without_a_bios_area_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct guest_memory small;

	assert_int_equal(guest_memory_create(&small, 64 * KIB, 3 * GIB, &f->why), 0);
	assert_int_equal(acpi_write_tables(&small, &f->platform, &f->rsdp, &f->why), -EFAULT);
	guest_memory_destroy(&small);
}

/* --- iasl ------------------------------------------------------------------------------------ */

#define FOLDER_MAX 64
#define SOURCE_MAX (1 << 20)

/* Runs a command in folder, which must succeed; what it said is shown if it did not. */
static void run(const char *folder, const char *command)
{
	char line[256];
	int status;

	snprintf(line, sizeof(line), "cd %s && %s >said 2>&1", folder, command);
	status = system(line);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	snprintf(line, sizeof(line), "cat %s/said", folder);
	if (system(line) != 0)
		print_error("cat has failed too\n");
	fail_msg("'%s' failed (is acpica-tools installed?)", command);
}

static void dump(const char *folder, const char *name, const void *table, size_t length)
{
	char path[FOLDER_MAX + 16];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s.dat", folder, name);
	file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(table, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
}

/* For the caller to free; ends with a NUL that size does not count. */
static char *read_file(const char *folder, const char *name, size_t *size)
{
	char path[FOLDER_MAX + 16];
	char *text = calloc(1, SOURCE_MAX);
	FILE *file;

	assert_non_null(text);
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "rb");
	assert_non_null(file);
	*size = fread(text, 1, SOURCE_MAX - 1, file);
	assert_true(*size > 0);
	fclose(file);
	return text;
}

static void assert_says(const char *text, const char *what)
{
	if (!strstr(text, what))
		fail_msg("iasl does not say '%s'", what);
}

/*
 * Takes a table apart and puts it together again with iasl: the same must come out, but for the
 * header, into which iasl writes its own name.  Returns the source, for the caller to free.
 */
static char *round_trip(const char *folder, const char *name, const struct acpi_header *table)
{
	char command[FOLDER_MAX];
	char *source, *again;
	size_t size;

	dump(folder, name, table, table->length);
	snprintf(command, sizeof(command), "iasl -d %s.dat", name);
	run(folder, command);
	source = read_file(folder, "said", &size);
	assert_null(strstr(source, "Warning"));
	assert_null(strstr(source, "Error"));
	free(source);
	snprintf(command, sizeof(command), "iasl -we -p again %s.dsl", name); /* warnings fail */
	run(folder, command);
	again = read_file(folder, "again.aml", &size);
	assert_int_equal(size, table->length);
	assert_memory_equal(again + sizeof(*table), table + 1, size - sizeof(*table));
	free(again);
	snprintf(command, sizeof(command), "%s.dsl", name);
	return read_file(folder, command, &size);
}

/* All tables pass through iasl; the DSDT's source, for the caller to free. */
static char *disassemble(struct fixture *f)
{
	static const char *const names[] = {"FACP", "APIC", "MCFG"};
	const struct acpi_fadt *fadt = find_table(f, "FACP");
	char folder[FOLDER_MAX] = "/tmp/dyad-acpi-XXXXXX";
	char command[FOLDER_MAX + 16];
	char *source;

	assert_non_null(mkdtemp(folder));
	source = round_trip(folder, "DSDT", table_at(f, fadt->x_dsdt));
	for (unsigned i = 0; i < ARRAY_COUNT(names); i++)
		free(round_trip(folder, names[i], find_table(f, names[i])));
	snprintf(command, sizeof(command), "rm -r %s", folder);
	assert_int_equal(system(command), 0);
	return source;
}

static void iasl_reads_all_tables_and_what_the_dsdt_says(void **state)
{
	struct fixture *f = *state;
	char *source;

	write_tables(f);
	source = disassemble(f);
	assert_says(source, "Name (_S5, Package (0x04)");
	assert_says(source, "EisaId (\"PNP0A08\")");
	assert_says(source, "Name (_CID, EisaId (\"PNP0A03\")");
	assert_says(source, "0x0CF8,             // Range Minimum");
	assert_says(source, "0xC0000000,         // Range Minimum");
	assert_says(source, "0xDFFFFFFF,         // Range Maximum");
	assert_says(source, "0x0000000200000000, // Range Minimum");
	assert_says(source, "0x00000002FFFFFFFF, // Range Maximum");
	assert_says(source, "0x0003FFFF"); /* slot 3 */
	assert_null(strstr(source, "0x0004FFFF"));
	assert_says(source, "EisaId (\"PNP0501\")");
	assert_says(source, "EisaId (\"PNP0B00\")");
	assert_says(source, "0xE8000000,         // Address Base");
	free(source);
}

static void iasl_reads_the_smallest_machine(void **state)
{
	struct fixture *f = *state;
	char *source;

	f->platform.cpus = 1;
	f->platform.serial = false;
	f->platform.rtc = false;
	f->host.slots[3] = NULL;
	f->windows.memory64_end = f->windows.memory64_base;
	write_tables(f);
	source = disassemble(f);
	assert_null(strstr(source, "PNP0501"));
	assert_null(strstr(source, "PNP0B00"));
	assert_null(strstr(source, "QWordMemory"));
	free(source);
}

static void iasl_reads_the_largest_machine(void **state)
{
	struct fixture *f = *state;
	char *source;

	the_largest_machine_fits(state);
	source = disassemble(f);
	assert_says(source, "0x001FFFFF"); /* slot 31 */
	free(source);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rsdp_leads_to_an_xsdt_with_right_checksums),
		TEST(fadt_describes_the_fixed_hardware),
		TEST(without_an_rtc_the_fadt_says_so),
		TEST(madt_has_an_entry_for_each_cpu),
		TEST(madt_uses_x2apic_entries_for_large_apic_ids),
		TEST(madt_routes_the_timer_and_the_sci),
		TEST(madt_overrides_isa_lines_that_pci_uses_once_each),
		TEST(mcfg_names_ecam_of_bus_0_only),
		TEST(dsdt_turns_the_interrupt_lines_from_slot_to_slot),
		TEST(aml_counts_the_length_of_its_packages),
		TEST(aml_that_does_not_fit_is_noticed),
		TEST(tables_do_not_depend_on_what_memory_held),
		TEST(the_largest_machine_fits),
		TEST(tables_that_do_not_fit_are_an_error),
		TEST(memory_without_a_bios_area_is_an_error),
		TEST(iasl_reads_all_tables_and_what_the_dsdt_says),
		TEST(iasl_reads_the_smallest_machine),
		TEST(iasl_reads_the_largest_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
