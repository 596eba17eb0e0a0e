/* SPDX-License-Identifier: MIT */
/* Page walks in all paging modes, the TLB's flushes, and accesses across pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hypervisor/x86/soft/tlb.h"
#include "tests/support/soft_machine.h"

#define TABLES 0x40000u /* four pages, one for each level from the last */
#define TABLE(level) (TABLES + ((level)-1) * 0x1000u)
#define FRAME 0x50000u
#define LINEAR UINT64_C(0x123456689000) /* of 48 bits */
#define LEGACY_LINEAR UINT64_C(0xc0123000)
#define ALL (PTE_P | PTE_RW | PTE_US)

struct fixture {
	struct core_machine machine;
	struct soft_vcpu *c;
};

static int set_up(void **state)
{
	struct fixture *f = malloc(sizeof(*f));

	soft_machine_create(&f->machine, 1);
	f->c = soft_machine_vcpu(&f->machine, 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	core_machine_destroy(&f->machine);
	free(f);
	return 0;
}

static uint8_t *entry(struct fixture *f, unsigned level, uint64_t linear, unsigned bits,
		      unsigned size)
{
	uint64_t index = linear >> (12 + bits * (level - 1)) & ((1u << bits) - 1);

	return f->machine.ram + TABLE(level) + index * size;
}

static void set_entry(struct fixture *f, unsigned level, uint64_t value)
{
	memcpy(entry(f, level, LINEAR, 9, 8), &value, 8);
}

static uint64_t get_entry(struct fixture *f, unsigned level)
{
	return load_le64(entry(f, level, LINEAR, 9, 8));
}

/* Four levels that lead LINEAR to FRAME. */
static void map(struct fixture *f, uint64_t leaf)
{
	for (unsigned level = 2; level <= 4; level++)
		set_entry(f, level, TABLE(level - 1) | ALL);
	set_entry(f, 1, FRAME | leaf);
	f->c->vcpu.state.cr3 = TABLE(4);
	soft_changed(f->c);
	soft_tlb_flush_all(f->c);
}

/* The error code of an access, or 0 (which none has): it went well. */
#define WELL UINT32_MAX
static uint32_t walk(struct fixture *f, enum soft_view view, enum soft_intent intent)
{
	struct soft_walk walk;

	if (!soft_walk(f->c, view, LINEAR + 5, intent, &walk))
		return walk.error;
	assert_int_equal(walk.gpa, FRAME + 5);
	return WELL;
}

static void rights(void **state)
{
	struct fixture *f = *state;
	struct cpu_state *s = &f->c->vcpu.state;
	const enum soft_view S = SOFT_VIEW_SUPERVISOR, U = SOFT_VIEW_USER;

	map(f, ALL);
	assert_int_equal(walk(f, U, SOFT_WRITE), WELL);
	map(f, PTE_P | PTE_US);
	assert_int_equal(walk(f, U, SOFT_READ), WELL);
	assert_int_equal(walk(f, U, SOFT_WRITE), PAGE_FAULT_P | PAGE_FAULT_WRITE | PAGE_FAULT_USER);
	assert_int_equal(walk(f, S, SOFT_WRITE), PAGE_FAULT_P | PAGE_FAULT_WRITE);
	s->cr0 &= ~CR0_WP;
	assert_int_equal(walk(f, S, SOFT_WRITE), WELL);
	s->cr0 |= CR0_WP;
	map(f, PTE_P | PTE_RW);
	assert_int_equal(walk(f, U, SOFT_READ), PAGE_FAULT_P | PAGE_FAULT_USER);
	assert_int_equal(walk(f, S, SOFT_WRITE), WELL);
	map(f, ALL | PTE_NX);
	assert_int_equal(walk(f, U, SOFT_FETCH), PAGE_FAULT_P | PAGE_FAULT_USER | PAGE_FAULT_FETCH);
	assert_int_equal(walk(f, U, SOFT_READ), WELL);
	map(f, PTE_RW | PTE_US);
	assert_int_equal(walk(f, S, SOFT_READ), 0);
	assert_int_equal(walk(f, U, SOFT_FETCH), PAGE_FAULT_USER | PAGE_FAULT_FETCH);
	s->efer &= ~EFER_NXE;
	assert_int_equal(walk(f, U, SOFT_FETCH), PAGE_FAULT_USER);
	map(f, ALL | PTE_NX);
	assert_int_equal(walk(f, S, SOFT_READ), PAGE_FAULT_P | PAGE_FAULT_RESERVED);
}

static void supervisor_and_user_pages(void **state)
{
	struct fixture *f = *state;
	struct cpu_state *s = &f->c->vcpu.state;

	map(f, ALL);
	s->cr4 |= CR4_SMEP;
	assert_int_equal(walk(f, SOFT_VIEW_SUPERVISOR, SOFT_FETCH),
			 PAGE_FAULT_P | PAGE_FAULT_FETCH);
	assert_int_equal(walk(f, SOFT_VIEW_SUPERVISOR, SOFT_READ), WELL);
	s->cr4 |= CR4_SMAP;
	assert_int_equal(walk(f, SOFT_VIEW_SUPERVISOR, SOFT_READ), PAGE_FAULT_P);
	assert_int_equal(walk(f, SOFT_VIEW_SUPERVISOR, SOFT_WRITE),
			 PAGE_FAULT_P | PAGE_FAULT_WRITE);
	assert_int_equal(walk(f, SOFT_VIEW_AC, SOFT_WRITE), WELL);
	assert_int_equal(walk(f, SOFT_VIEW_USER, SOFT_WRITE), WELL);
}

static void protection_keys(void **state)
{
	struct fixture *f = *state;
	struct cpu_state *s = &f->c->vcpu.state;

	map(f, ALL | UINT64_C(3) << 59);
	s->cr4 |= CR4_PKE;
	s->pkru = 2u << 6;
	assert_int_equal(walk(f, SOFT_VIEW_USER, SOFT_READ), WELL);
	assert_int_equal(walk(f, SOFT_VIEW_USER, SOFT_WRITE),
			 PAGE_FAULT_P | PAGE_FAULT_WRITE | PAGE_FAULT_USER | PAGE_FAULT_PK);
	s->pkru = 1u << 6;
	assert_int_equal(walk(f, SOFT_VIEW_SUPERVISOR, SOFT_READ), PAGE_FAULT_P | PAGE_FAULT_PK);
	assert_int_equal(walk(f, SOFT_VIEW_USER, SOFT_FETCH), WELL);
	s->pkru = 1u << 8;
	assert_int_equal(walk(f, SOFT_VIEW_USER, SOFT_WRITE), WELL);
}

static void accessed_and_dirty(void **state)
{
	struct fixture *f = *state;

	map(f, ALL);
	assert_int_equal(walk(f, SOFT_VIEW_USER, SOFT_READ), WELL);
	assert_int_equal(get_entry(f, 1), FRAME | ALL | PTE_A);
	for (unsigned level = 2; level <= 4; level++)
		assert_int_equal(get_entry(f, level), TABLE(level - 1) | ALL | PTE_A);
	assert_int_equal(walk(f, SOFT_VIEW_USER, SOFT_WRITE), WELL);
	assert_int_equal(get_entry(f, 1), FRAME | ALL | PTE_A | PTE_D);
	/* An access that isn't allowed leaves no trace. */
	map(f, PTE_P);
	assert_int_equal(walk(f, SOFT_VIEW_USER, SOFT_READ), PAGE_FAULT_P | PAGE_FAULT_USER);
	assert_int_equal(get_entry(f, 1), FRAME | PTE_P);
}

static void large_pages(void **state)
{
	struct fixture *f = *state;
	struct soft_walk walk;

	map(f, ALL);
	set_entry(f, 2, UINT64_C(0x200000) | ALL | PTE_PS);
	assert_true(soft_walk(f->c, SOFT_VIEW_USER, LINEAR + 5, SOFT_READ, &walk));
	assert_int_equal(walk.gpa, 0x200000 + (LINEAR & 0x1fffff) + 5);
	assert_int_equal(walk.page_shift, 21);
	set_entry(f, 2, UINT64_C(0x202000) | ALL | PTE_PS);
	assert_false(soft_walk(f->c, SOFT_VIEW_USER, LINEAR + 5, SOFT_READ, &walk));
	assert_int_equal(walk.error, PAGE_FAULT_P | PAGE_FAULT_RESERVED | PAGE_FAULT_USER);
	set_entry(f, 3, UINT64_C(0x40000000) | ALL | PTE_PS);
	assert_true(soft_walk(f->c, SOFT_VIEW_USER, LINEAR + 5, SOFT_READ, &walk));
	assert_int_equal(walk.gpa, 0x40000000 + (LINEAR & 0x3fffffff) + 5);
	assert_int_equal(walk.page_shift, 30);
	set_entry(f, 4, TABLE(3) | ALL | PTE_PS);
	assert_false(soft_walk(f->c, SOFT_VIEW_USER, LINEAR, SOFT_READ, &walk));
}

static void enter_legacy(struct fixture *f, uint64_t cr4, uint32_t cr3)
{
	struct cpu_state *s = &f->c->vcpu.state;

	s->efer = 0;
	s->cr4 = cr4;
	s->cr3 = cr3;
	s->segment[CPU_CS].l = false;
	s->segment[CPU_CS].db = true;
	soft_changed(f->c);
}

static void two_levels(void **state)
{
	struct fixture *f = *state;
	struct soft_walk walk;
	uint32_t pde = TABLE(1) | ALL, pte = FRAME | ALL;

	memcpy(entry(f, 2, LEGACY_LINEAR, 10, 4), &pde, 4);
	memcpy(entry(f, 1, LEGACY_LINEAR, 10, 4), &pte, 4);
	enter_legacy(f, 0, TABLE(2));
	assert_true(soft_walk(f->c, SOFT_VIEW_USER, LEGACY_LINEAR + 7, SOFT_WRITE, &walk));
	assert_int_equal(walk.gpa, FRAME + 7);
	assert_int_equal(load_le32(entry(f, 1, LEGACY_LINEAR, 10, 4)), pte | PTE_A | PTE_D);
	/* Without PSE the bit means nothing; with it, bits 13 to 20 are the address's 32 to 39. */
	pde |= PTE_PS;
	memcpy(entry(f, 2, LEGACY_LINEAR, 10, 4), &pde, 4);
	assert_true(soft_walk(f->c, SOFT_VIEW_USER, LEGACY_LINEAR, SOFT_READ, &walk));
	assert_int_equal(walk.gpa, FRAME);
	enter_legacy(f, CR4_PSE, TABLE(2));
	pde = 0x00c00000 | 3u << 13 | ALL | PTE_PS;
	memcpy(entry(f, 2, LEGACY_LINEAR, 10, 4), &pde, 4);
	assert_true(soft_walk(f->c, SOFT_VIEW_USER, LEGACY_LINEAR, SOFT_READ, &walk));
	assert_int_equal(walk.gpa, UINT64_C(0x300c00000) + (LEGACY_LINEAR & 0x3fffff));
	pde |= 1u << 21;
	memcpy(entry(f, 2, LEGACY_LINEAR, 10, 4), &pde, 4);
	assert_false(soft_walk(f->c, SOFT_VIEW_USER, LEGACY_LINEAR, SOFT_READ, &walk));
	assert_int_equal(walk.error, PAGE_FAULT_P | PAGE_FAULT_RESERVED | PAGE_FAULT_USER);
}

static void pae(void **state)
{
	struct fixture *f = *state;
	struct soft_walk walk;
	uint64_t pdpte = TABLE(2) | PTE_P, pde = TABLE(1) | ALL, pte = FRAME | ALL;
	uint8_t *pdptes = f->machine.ram + TABLE(3) + 0x20;

	memcpy(pdptes + (LEGACY_LINEAR >> 30) * 8, &pdpte, 8);
	memcpy(entry(f, 2, LEGACY_LINEAR, 9, 8), &pde, 8);
	memcpy(entry(f, 1, LEGACY_LINEAR, 9, 8), &pte, 8);
	enter_legacy(f, CR4_PAE, TABLE(3) + 0x20);
	assert_true(soft_load_pdptes(f->c, TABLE(3) + 0x20));
	assert_true(soft_walk(f->c, SOFT_VIEW_USER, LEGACY_LINEAR + 7, SOFT_WRITE, &walk));
	assert_int_equal(walk.gpa, FRAME + 7);
	/* They are read when CR3 is loaded, and not again. */
	memset(pdptes, 0, 32);
	assert_true(soft_walk(f->c, SOFT_VIEW_USER, LEGACY_LINEAR, SOFT_READ, &walk));
	assert_false(soft_walk(f->c, SOFT_VIEW_USER, 0x1000, SOFT_READ, &walk));
	assert_int_equal(walk.error, PAGE_FAULT_USER);
	pdpte |= PTE_RW;
	memcpy(pdptes, &pdpte, 8);
	assert_false(soft_load_pdptes(f->c, TABLE(3) + 0x20));
	assert_true(soft_walk(f->c, SOFT_VIEW_USER, LEGACY_LINEAR, SOFT_READ, &walk));
}

static void five_levels(void **state)
{
	struct fixture *f = *state;
	uint64_t linear = UINT64_C(1) << 50 | LINEAR;
	struct soft_walk walk;

	map(f, ALL);
	store_le64(f->machine.ram + TABLE(5) + (linear >> 48) * 8, TABLE(4) | ALL);
	f->c->vcpu.state.cr3 = TABLE(5);
	assert_false(soft_canonical(f->c, linear));
	f->c->vcpu.state.cr4 |= CR4_LA57;
	soft_changed(f->c);
	assert_true(soft_canonical(f->c, linear));
	assert_true(soft_walk(f->c, SOFT_VIEW_USER, linear, SOFT_READ, &walk));
	assert_int_equal(walk.gpa, FRAME);
}

static void physical_address_too_wide(void **state)
{
	struct fixture *f = *state;

	map(f, ALL | UINT64_C(1) << f->c->physical_bits);
	assert_int_equal(walk(f, SOFT_VIEW_USER, SOFT_READ),
			 PAGE_FAULT_P | PAGE_FAULT_RESERVED | PAGE_FAULT_USER);
}

/* --- What is cached */

static bool reads(struct fixture *f, uint8_t *value)
{
	f->c->stop = SOFT_RUNNING;
	return soft_read_linear(f->c, SOFT_SUPERVISOR, LINEAR, value, 1);
}

static void flushes(void **state)
{
	struct fixture *f = *state;
	uint8_t value;

	f->machine.ram[FRAME] = 42;
	map(f, ALL);
	assert_true(reads(f, &value));
	assert_int_equal(value, 42);
	set_entry(f, 1, 0);
	assert_true(reads(f, &value)); /* still cached, as on a CPU */
	soft_tlb_flush_page(f->c, LINEAR + 0xfff);
	assert_false(reads(f, &value));
	assert_int_equal(f->c->fault.vector, CPU_VECTOR_PF);
	assert_int_equal(f->c->fault_address, LINEAR);

	/* Global pages stay when CR3 is written. */
	map(f, ALL | PTE_P | 0x100);
	assert_true(reads(f, &value));
	set_entry(f, 1, 0);
	soft_cr3_changed(f->c, false);
	assert_true(reads(f, &value));
	soft_tlb_flush_all(f->c);
	assert_false(reads(f, &value));
	map(f, ALL);
	assert_true(reads(f, &value));
	set_entry(f, 1, 0);
	soft_cr3_changed(f->c, false);
	assert_false(reads(f, &value));
}

static void flush_of_a_part_of_a_large_page(void **state)
{
	struct fixture *f = *state;
	uint8_t value;

	map(f, ALL);
	set_entry(f, 2, ALL | PTE_PS);
	assert_true(reads(f, &value));
	set_entry(f, 2, 0);
	soft_tlb_flush_page(f->c, (LINEAR & ~UINT64_C(0x1fffff)) + 0x3000);
	assert_false(reads(f, &value));
}

static void process_contexts(void **state)
{
	struct fixture *f = *state;
	struct cpu_state *s = &f->c->vcpu.state;
	uint8_t value;

	s->cr4 |= CR4_PCIDE;
	map(f, ALL);
	s->cr3 = TABLE(4) | 1;
	soft_cr3_changed(f->c, false);
	assert_true(reads(f, &value));
	set_entry(f, 1, 0);
	s->cr3 = TABLE(4) | 2;
	soft_cr3_changed(f->c, true);
	assert_false(reads(f, &value));
	s->cr3 = TABLE(4) | 1;
	soft_cr3_changed(f->c, true);
	assert_true(reads(f, &value));
	soft_tlb_flush_pcid(f->c, 1);
	assert_false(reads(f, &value));
	/* More contexts than there are spaces. */
	map(f, ALL);
	for (unsigned pcid = 1; pcid < 40; pcid++) {
		s->cr3 = TABLE(4) | pcid;
		soft_cr3_changed(f->c, false);
		assert_true(reads(f, &value));
	}
}

/* --- Accesses */

static void across_pages(void **state)
{
	struct fixture *f = *state;
	uint64_t value = 0;

	map(f, ALL);
	/* The next page is another frame, not the one behind. */
	store_le64(entry(f, 1, LINEAR + 0x1000, 9, 8), (FRAME - 0x1000) | ALL);
	store_le64(f->machine.ram + FRAME + 0xffc, UINT64_C(0x11111111));
	store_le64(f->machine.ram + FRAME - 0x1000, UINT64_C(0x22222222));
	assert_true(soft_read_linear(f->c, SOFT_USER, LINEAR + 0xffc, &value, 8));
	assert_int_equal(value, UINT64_C(0x2222222211111111));
	value = UINT64_C(0x4444444433333333);
	assert_true(soft_write_linear(f->c, SOFT_USER, LINEAR + 0xffc, &value, 8));
	assert_int_equal(load_le32(f->machine.ram + FRAME + 0xffc), 0x33333333);
	assert_int_equal(load_le32(f->machine.ram + FRAME - 0x1000), 0x44444444);
	/* The second page may not be written: nothing is. */
	store_le64(entry(f, 1, LINEAR + 0x1000, 9, 8), (FRAME - 0x1000) | PTE_P | PTE_US);
	soft_tlb_flush_all(f->c);
	value = 0;
	assert_false(soft_write_linear(f->c, SOFT_USER, LINEAR + 0xffc, &value, 8));
	assert_int_equal(f->c->fault_address, LINEAR + 0x1000);
	assert_int_equal(load_le32(f->machine.ram + FRAME + 0xffc), 0x33333333);
}

static void not_canonical(void **state)
{
	struct fixture *f = *state;
	uint64_t value = 0;

	soft_changed(f->c);
	assert_false(soft_read(f->c, CPU_DS, UINT64_C(1) << 47, &value, 8));
	assert_int_equal(f->c->fault.vector, CPU_VECTOR_GP);
	assert_false(soft_read(f->c, CPU_SS, UINT64_C(1) << 47, &value, 8));
	assert_int_equal(f->c->fault.vector, CPU_VECTOR_SS);
	assert_int_equal(f->c->fault.error, 0);
	/* The page in front of it isn't there, either, but that comes second. */
	assert_false(soft_read(f->c, CPU_DS, (UINT64_C(1) << 47) - 1, &value, 2));
	assert_int_equal(f->c->fault.vector, CPU_VECTOR_GP);
	f->c->stop = SOFT_RUNNING;
}

static void segment_limits(void **state)
{
	struct fixture *f = *state;
	struct cpu_segment *ds = &f->c->vcpu.state.segment[CPU_DS];

	enter_legacy(f, CR4_PAE, 0);
	f->c->vcpu.state.cr0 &= ~CR0_PG;
	ds->base = 0x100;
	ds->limit = 0xff;
	soft_changed(f->c);
	assert_true(soft_linear(f->c, CPU_DS, 0xfc, 4, true).ok);
	assert_int_equal(soft_linear(f->c, CPU_DS, 0xfc, 4, true).address, 0x1fc);
	assert_false(soft_linear(f->c, CPU_DS, 0xfd, 4, true).ok);
	ds->type = SEGMENT_TYPE_DATA_WRITABLE | SEGMENT_TYPE_EXPAND_DOWN;
	soft_changed(f->c);
	assert_false(soft_linear(f->c, CPU_DS, 0xff, 1, false).ok);
	assert_true(soft_linear(f->c, CPU_DS, 0x100, 4, false).ok);
	assert_true(soft_linear(f->c, CPU_DS, 0xfffffffc, 4, false).ok);
	assert_false(soft_linear(f->c, CPU_DS, 0xfffffffd, 4, false).ok);
	ds->db = false;
	soft_changed(f->c);
	assert_false(soft_linear(f->c, CPU_DS, 0x10000, 1, false).ok);
	ds->type = SEGMENT_TYPE_ACCESSED; /* read-only */
	soft_changed(f->c);
	assert_true(soft_linear(f->c, CPU_DS, 0, 4, false).ok);
	assert_false(soft_linear(f->c, CPU_DS, 0, 4, true).ok);
	ds->unusable = true;
	soft_changed(f->c);
	assert_false(soft_linear(f->c, CPU_DS, 0, 1, false).ok);
	f->c->stop = SOFT_RUNNING;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rights, set_up, tear_down),
		cmocka_unit_test_setup_teardown(supervisor_and_user_pages, set_up, tear_down),
		cmocka_unit_test_setup_teardown(protection_keys, set_up, tear_down),
		cmocka_unit_test_setup_teardown(accessed_and_dirty, set_up, tear_down),
		cmocka_unit_test_setup_teardown(large_pages, set_up, tear_down),
		cmocka_unit_test_setup_teardown(two_levels, set_up, tear_down),
		cmocka_unit_test_setup_teardown(pae, set_up, tear_down),
		cmocka_unit_test_setup_teardown(five_levels, set_up, tear_down),
		cmocka_unit_test_setup_teardown(physical_address_too_wide, set_up, tear_down),
		cmocka_unit_test_setup_teardown(flushes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(flush_of_a_part_of_a_large_page, set_up, tear_down),
		cmocka_unit_test_setup_teardown(process_contexts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(across_pages, set_up, tear_down),
		cmocka_unit_test_setup_teardown(not_canonical, set_up, tear_down),
		cmocka_unit_test_setup_teardown(segment_limits, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
