/* SPDX-License-Identifier: MIT */
/*
 * tables.c - writes the ACPI tables into the BIOS area.
 *
 * They are built in guest memory itself, before any vCPU runs: nothing that is read back is the
 * guest's.  The RSDP comes first; each table is put behind the one before, and those that point at
 * others after them.
 */
#include <linux/errno.h>

#include "hw/acpi.h"
#include "hw/rtc.h"
#include "lib/bits.h"
#include "lib/bytes.h"
#include "lib/error.h"
#include "monitor/acpi/acpi.h"
#include "monitor/acpi/aml.h"
#include "monitor/acpi/dsdt.h"
#include "monitor/devices/devices.h"

#define TABLE_ALIGNMENT 16
#define TIMER_IRQ 0
#define TIMER_GSI                                                                                  \
	2 /* where the PIT is wired to the I/O APIC since the first multiprocessor PCs             \
	   */
#define ISA_IRQS 16
#define APIC_ID_MAX 254 /* 255 addresses all local APICs */
#define NMI_LINT 1

struct area {
	uint8_t *bytes;
	uint64_t used;
};

static gpa_t address_of(const struct area *area, const void *table)
{
	return ACPI_AREA_START + (uint64_t)((const uint8_t *)table - area->bytes);
}

static uint8_t checksum(const void *table, size_t length)
{
	const uint8_t *bytes = table;
	uint8_t sum = 0;

	for (size_t i = 0; i < length; i++)
		sum += bytes[i];
	return (uint8_t)-sum;
}

/* length zeroed bytes, or NULL. */
static void *allocate(struct area *area, uint64_t length, uint64_t alignment)
{
	uint64_t start = align_up(area->used, alignment);

	if (start > ACPI_AREA_SIZE || length > ACPI_AREA_SIZE - start)
		return NULL;
	area->used = start + length;
	memset(area->bytes + start, 0, length);
	return area->bytes + start;
}

/* To be called when the table is complete. */
static void finish(struct acpi_header *header, const char signature[4], uint8_t revision,
		   size_t length)
{
	memcpy(header->signature, signature, sizeof(header->signature));
	header->length = (uint32_t)length;
	header->revision = revision;
	memcpy(header->oem_id, "DYAD  ", sizeof(header->oem_id));
	memcpy(header->oem_table_id, "DYAD    ", sizeof(header->oem_table_id));
	header->oem_revision = 1;
	memcpy(header->creator_id, "DYAD", sizeof(header->creator_id));
	header->creator_revision = 1;
	header->checksum = 0;
	header->checksum = checksum(header, length);
}

/* --- MADT ------------------------------------------------------------------------------------ */

/* The next entry, zeroed but for its type and length, or NULL. */
static void *madt_entry(struct area *area, enum acpi_madt_type type, uint8_t length)
{
	struct acpi_madt_entry *entry = allocate(area, length, 1);

	if (entry)
		*entry = (struct acpi_madt_entry){.type = (uint8_t)type, .length = length};
	return entry;
}

static int madt_processor(struct area *area, uint32_t uid, uint32_t apic_id)
{
	struct acpi_madt_local_x2apic *x2apic;
	struct acpi_madt_local_apic *apic;

	if (apic_id <= APIC_ID_MAX && uid < ACPI_MADT_ALL_PROCESSORS) {
		apic = madt_entry(area, ACPI_MADT_LOCAL_APIC, sizeof(*apic));
		if (!apic)
			return -ENOSPC;
		apic->processor_uid = (uint8_t)uid;
		apic->apic_id = (uint8_t)apic_id;
		apic->flags = ACPI_MADT_ENABLED;
		return 0;
	}
	x2apic = madt_entry(area, ACPI_MADT_LOCAL_X2APIC, sizeof(*x2apic));
	if (!x2apic)
		return -ENOSPC;
	x2apic->processor_uid = uid;
	x2apic->apic_id = apic_id;
	x2apic->flags = ACPI_MADT_ENABLED;
	return 0;
}

static int madt_override(struct area *area, uint8_t irq, uint32_t gsi, uint16_t flags)
{
	struct acpi_madt_override *override =
		madt_entry(area, ACPI_MADT_OVERRIDE, sizeof(*override));

	if (!override)
		return -ENOSPC;
	override->source = irq;
	override->gsi = gsi;
	override->flags = flags;
	return 0;
}

/*
 * ISA interrupts that are not what an I/O APIC pin of the same number, edge and active high, would
 * be: the timer, the SCI, and INTx lines if they are on pins of the ISA's.
 */
static int madt_overrides(struct area *area, const struct pci_windows *pci)
{
	int err = madt_override(area, TIMER_IRQ, TIMER_GSI, ACPI_INTI_BUS_DEFAULT);

	if (!err)
		err = madt_override(area, ACPI_SCI_GSI, ACPI_SCI_GSI,
				    ACPI_INTI_ACTIVE_HIGH | ACPI_INTI_LEVEL);
	for (unsigned i = 0; !err && i < ARRAY_COUNT(pci->intx_gsi); i++) {
		uint32_t gsi = pci->intx_gsi[i];
		bool again = gsi == ACPI_SCI_GSI;

		for (unsigned before = 0; before < i; before++)
			again |= pci->intx_gsi[before] == gsi;
		if (gsi < ISA_IRQS && !again)
			err = madt_override(area, (uint8_t)gsi, gsi,
					    ACPI_INTI_ACTIVE_LOW | ACPI_INTI_LEVEL);
	}
	return err;
}

/* LINT1 is the NMI on all processors. */
static int madt_nmi(struct area *area, bool any_x2apic)
{
	struct acpi_madt_local_apic_nmi *nmi =
		madt_entry(area, ACPI_MADT_LOCAL_APIC_NMI, sizeof(*nmi));
	struct acpi_madt_local_x2apic_nmi *x2apic_nmi;

	if (!nmi)
		return -ENOSPC;
	nmi->processor_uid = ACPI_MADT_ALL_PROCESSORS;
	nmi->lint = NMI_LINT;
	if (!any_x2apic)
		return 0;
	x2apic_nmi = madt_entry(area, ACPI_MADT_LOCAL_X2APIC_NMI, sizeof(*x2apic_nmi));
	if (!x2apic_nmi)
		return -ENOSPC;
	x2apic_nmi->processor_uid = ACPI_MADT_ALL_X2APIC_PROCESSORS;
	x2apic_nmi->lint = NMI_LINT;
	return 0;
}

static int write_madt(struct area *area, const struct acpi_platform *platform, gpa_t *at)
{
	struct acpi_madt *madt = allocate(area, sizeof(*madt), TABLE_ALIGNMENT);
	struct acpi_madt_io_apic *io_apic;
	bool any_x2apic = false;
	int err = 0;

	if (!madt)
		return -ENOSPC;
	madt->local_apic_address = platform->local_apic_address;
	madt->flags = ACPI_MADT_PCAT_COMPAT;
	for (uint32_t i = 0; !err && i < platform->cpus; i++) {
		err = madt_processor(area, i, platform->apic_ids[i]);
		any_x2apic |= platform->apic_ids[i] > APIC_ID_MAX;
	}
	if (err < 0)
		return err;
	io_apic = madt_entry(area, ACPI_MADT_IO_APIC, sizeof(*io_apic));
	if (!io_apic)
		return -ENOSPC;
	io_apic->address = platform->io_apic_address;
	err = madt_overrides(area, platform->pci);
	if (!err)
		err = madt_nmi(area, any_x2apic);
	if (err < 0)
		return err;
	*at = address_of(area, madt);
	finish(&madt->header, "APIC", ACPI_MADT_REVISION, ACPI_AREA_START + area->used - *at);
	return 0;
}

/* --- The other tables ------------------------------------------------------------------------ */

static int write_mcfg(struct area *area, const struct acpi_platform *platform, gpa_t *at)
{
	struct acpi_mcfg *mcfg = allocate(area, sizeof(*mcfg), TABLE_ALIGNMENT);

	if (!mcfg)
		return -ENOSPC;
	mcfg->base_address = platform->pci->ecam; /* segment 0, bus 0 to 0 */
	*at = address_of(area, mcfg);
	finish(&mcfg->header, "MCFG", ACPI_MCFG_REVISION, sizeof(*mcfg));
	return 0;
}

static int write_facs(struct area *area, gpa_t *at)
{
	struct acpi_facs *facs = allocate(area, sizeof(*facs), ACPI_FACS_ALIGNMENT);

	if (!facs)
		return -ENOSPC;
	memcpy(facs->signature, "FACS", sizeof(facs->signature));
	facs->length = sizeof(*facs);
	facs->version = ACPI_FACS_VERSION;
	*at = address_of(area, facs);
	return 0;
}

static int write_dsdt(struct area *area, const struct acpi_platform *platform, gpa_t *at)
{
	struct acpi_header *header = allocate(area, sizeof(*header), TABLE_ALIGNMENT);
	struct aml aml;

	if (!header)
		return -ENOSPC;
	aml_init(&aml, area->bytes + area->used, ACPI_AREA_SIZE - area->used);
	dsdt_write(&aml, platform);
	if (aml.overflow)
		return -ENOSPC;
	area->used += aml.length;
	*at = address_of(area, header);
	finish(header, "DSDT", ACPI_DSDT_REVISION, sizeof(*header) + aml.length);
	return 0;
}

static struct acpi_address port_address(uint16_t port, uint8_t bytes, enum acpi_access access)
{
	return (struct acpi_address){.space = ACPI_SPACE_IO,
				     .bit_width = (uint8_t)(8 * bytes),
				     .access_size = (uint8_t)access,
				     .address = port};
}

/* Fixed hardware (5.2.9): the numbers stand twice, in 32 bits and as generic addresses. */
static void fadt_fill_registers(struct acpi_fadt *fadt)
{
	fadt->pm1a_evt_blk = ACPI_PM1_EVENT_PORT;
	fadt->pm1_evt_len = ACPI_PM1_EVENT_LENGTH;
	fadt->x_pm1a_evt_blk =
		port_address(ACPI_PM1_EVENT_PORT, ACPI_PM1_EVENT_LENGTH, ACPI_ACCESS_WORD);
	fadt->pm1a_cnt_blk = ACPI_PM1_CONTROL_PORT;
	fadt->pm1_cnt_len = ACPI_PM1_CONTROL_LENGTH;
	fadt->x_pm1a_cnt_blk =
		port_address(ACPI_PM1_CONTROL_PORT, ACPI_PM1_CONTROL_LENGTH, ACPI_ACCESS_WORD);
	fadt->pm_tmr_blk = ACPI_PM_TIMER_PORT;
	fadt->pm_tmr_len = ACPI_PM_TIMER_LENGTH;
	fadt->x_pm_tmr_blk =
		port_address(ACPI_PM_TIMER_PORT, ACPI_PM_TIMER_LENGTH, ACPI_ACCESS_DWORD);
	fadt->reset_reg = port_address(ACPI_RESET_PORT, 1, ACPI_ACCESS_BYTE);
	fadt->reset_value = ACPI_RESET_VALUE;
}

static int write_fadt(struct area *area, const struct acpi_platform *platform, gpa_t facs,
		      gpa_t dsdt, gpa_t *at)
{
	struct acpi_fadt *fadt = allocate(area, sizeof(*fadt), TABLE_ALIGNMENT);

	if (!fadt)
		return -ENOSPC;
	fadt->firmware_ctrl = (uint32_t)facs; /* then x_firmware_ctrl is 0 */
	fadt->dsdt = (uint32_t)dsdt;
	fadt->x_dsdt = dsdt;
	fadt->sci_int = ACPI_SCI_GSI;
	fadt->p_lvl2_lat = ACPI_NO_C2_LATENCY;
	fadt->p_lvl3_lat = ACPI_NO_C3_LATENCY;
	fadt->century = platform->rtc ? RTC_CENTURY : 0;
	fadt->iapc_boot_arch = ACPI_BOOT_LEGACY_DEVICES | ACPI_BOOT_NO_VGA | ACPI_BOOT_NO_ASPM |
			       (platform->rtc ? 0 : ACPI_BOOT_NO_CMOS_RTC);
	/* The power button is fixed hardware: its flag is 0. */
	fadt->flags = ACPI_FADT_WBINVD | ACPI_FADT_PROC_C1 | ACPI_FADT_NO_FIXED_SLEEP_BUTTON |
		      ACPI_FADT_NO_FIXED_RTC | ACPI_FADT_TIMER_32_BIT | ACPI_FADT_RESET_REGISTER;
	fadt->minor_version = ACPI_FADT_MINOR_REVISION;
	fadt_fill_registers(fadt);
	*at = address_of(area, fadt);
	finish(&fadt->header, "FACP", ACPI_FADT_REVISION, sizeof(*fadt));
	return 0;
}

static int write_xsdt(struct area *area, const gpa_t *tables, unsigned count, gpa_t *at)
{
	size_t length = sizeof(struct acpi_header) + count * sizeof(uint64_t);
	struct acpi_header *header = allocate(area, length, TABLE_ALIGNMENT);

	if (!header)
		return -ENOSPC;
	for (unsigned i = 0; i < count; i++)
		store_le64((uint8_t *)(header + 1) + i * sizeof(uint64_t), tables[i]);
	*at = address_of(area, header);
	finish(header, "XSDT", ACPI_XSDT_REVISION, length);
	return 0;
}

static void finish_rsdp(struct acpi_rsdp *rsdp, gpa_t xsdt)
{
	memcpy(rsdp->signature, "RSD PTR ", sizeof(rsdp->signature));
	memcpy(rsdp->oem_id, "DYAD  ", sizeof(rsdp->oem_id));
	rsdp->revision = ACPI_RSDP_REVISION;
	rsdp->length = sizeof(*rsdp);
	rsdp->xsdt_address = xsdt;
	rsdp->checksum = checksum(rsdp, ACPI_RSDP_CHECKSUMMED);
	rsdp->extended_checksum = checksum(rsdp, sizeof(*rsdp));
}

static int write_all(struct area *area, const struct acpi_platform *platform, gpa_t *rsdp_at)
{
	struct acpi_rsdp *rsdp = allocate(area, sizeof(*rsdp), TABLE_ALIGNMENT);
	gpa_t facs, dsdt, xsdt, tables[3];
	int err;

	if (!rsdp)
		return -ENOSPC;
	err = write_facs(area, &facs);
	if (!err)
		err = write_dsdt(area, platform, &dsdt);
	if (!err)
		err = write_fadt(area, platform, facs, dsdt, &tables[0]);
	if (!err)
		err = write_madt(area, platform, &tables[1]);
	if (!err)
		err = write_mcfg(area, platform, &tables[2]);
	if (!err)
		err = write_xsdt(area, tables, ARRAY_COUNT(tables), &xsdt);
	if (err)
		return err;
	finish_rsdp(rsdp, xsdt);
	*rsdp_at = address_of(area, rsdp);
	return 0;
}

int acpi_write_tables(const struct guest_memory *memory, const struct acpi_platform *platform,
		      gpa_t *rsdp, struct error *why)
{
	struct area area = {.bytes = guest_memory_range(memory, ACPI_AREA_START, ACPI_AREA_SIZE)};
	int err;

	if (!area.bytes)
		return error_set(why, -EFAULT,
				 "there is no memory for the ACPI tables below 1 MiB; give the VM "
				 "more --memory");
	err = write_all(&area, platform, rsdp);
	if (err < 0)
		return error_set(why, err,
				 "the ACPI tables of %u CPUs do not fit into their %u bytes",
				 platform->cpus, (unsigned)ACPI_AREA_SIZE);
	return 0;
}
