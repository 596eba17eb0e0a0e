/* SPDX-License-Identifier: MIT */
/* The VM as the hypervisor sees it: what is asked for, what is missed, which interrupt goes where.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "lib/error.h"
#include "monitor/machine/cpuid.h"
#include "monitor/machine/partition.h"
#include "tests/support/fake_kvm.h"
#include "tests/support/fake_os.h"

struct fixture {
	struct os_kvm *system;
	struct guest_memory memory;
	struct partition partition;
	struct error why;
};

static struct fixture fixture;

static int set_up(void **state)
{
	memset(&fixture, 0, sizeof(fixture));
	fixture.system = fake_kvm_create();
	*state = &fixture;
	return guest_memory_create(&fixture.memory, 5 * GIB, 3 * GIB, &fixture.why);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	partition_destroy(&f->partition);
	guest_memory_destroy(&f->memory);
	assert_int_equal(fake_kvm_open_objects(f->system), 0);
	fake_kvm_destroy(f->system);
	return 0;
}

static int create(struct fixture *f)
{
	return partition_create(&f->partition, f->system, &f->memory, &f->why);
}

static void both_ranges_of_memory_are_given_to_the_hypervisor(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(create(f), 0);
	assert_int_equal(fake_kvm_count(f->system, KVM_SET_USER_MEMORY_REGION), 2);
	assert_int_equal(fake_kvm_count(f->system, KVM_CREATE_IRQCHIP), 1);
}

static void what_the_hypervisor_lacks_is_named(void **state)
{
	struct fixture *f = *state;

	fake_kvm_withhold(f->system, KVM_CAP_IRQFD);
	assert_int_equal(create(f), -EOPNOTSUPP);
	assert_non_null(strstr(f->why.text, "irqfd"));
}

static void a_refused_command_leaves_nothing_behind(void **state)
{
	static const uint32_t commands[] = {KVM_CREATE_VM,       KVM_SET_TSS_ADDR,
					    KVM_CREATE_IRQCHIP,  KVM_CREATE_PIT2,
					    KVM_SET_GSI_ROUTING, KVM_SET_USER_MEMORY_REGION};
	struct fixture *f = *state;

	for (unsigned i = 0; i < ARRAY_COUNT(commands); i++) {
		fake_kvm_fail(f->system, commands[i], -EPERM);
		assert_int_equal(create(f), -EPERM);
		assert_int_not_equal(f->why.text[0], '\0');
		assert_int_equal(fake_kvm_open_objects(f->system), 0);
	}
}

static void legacy_lines_reach_both_controllers_and_the_timer_pin_2(void **state)
{
	struct fixture *f = *state;
	const struct kvm_irq_routing_entry *route;

	assert_int_equal(create(f), 0);
	route = fake_kvm_route(f->system, 4, KVM_IRQ_ROUTING_IRQCHIP, KVM_IRQCHIP_IOAPIC);
	assert_non_null(route);
	assert_int_equal(route->u.irqchip.pin, 4);
	route = fake_kvm_route(f->system, 12, KVM_IRQ_ROUTING_IRQCHIP, KVM_IRQCHIP_PIC_SLAVE);
	assert_non_null(route);
	assert_int_equal(route->u.irqchip.pin, 4);
	route = fake_kvm_route(f->system, 0, KVM_IRQ_ROUTING_IRQCHIP, KVM_IRQCHIP_IOAPIC);
	assert_non_null(route);
	assert_int_equal(route->u.irqchip.pin, 2);
	assert_null(fake_kvm_route(f->system, 2, KVM_IRQ_ROUTING_IRQCHIP, KVM_IRQCHIP_IOAPIC));
	assert_non_null(fake_kvm_route(f->system, 23, KVM_IRQ_ROUTING_IRQCHIP, KVM_IRQCHIP_IOAPIC));
}

static void a_message_becomes_a_route_with_an_irqfd(void **state)
{
	struct fixture *f = *state;
	const struct kvm_irq_routing_entry *route;
	struct msi_sink sink;
	uint32_t first;

	assert_int_equal(create(f), 0);
	sink = partition_msi_sink(&f->partition);
	assert_int_equal(sink.ops->claim(sink.context, 3, &first), 0);
	sink.ops->signal(sink.context, first + 1); /* nowhere yet */
	assert_int_equal(fake_kvm_count(f->system, KVM_IRQFD), 0);
	sink.ops->route(sink.context, first + 1, true, 0x1fee00000, 0x41);
	route = fake_kvm_route(f->system, 24 + first + 1, KVM_IRQ_ROUTING_MSI, 0);
	assert_non_null(route);
	assert_int_equal(route->u.msi.address_lo, 0xfee00000);
	assert_int_equal(route->u.msi.address_hi, 1);
	assert_int_equal(route->u.msi.data, 0x41);
	assert_int_equal(fake_kvm_count(f->system, KVM_IRQFD), 1);
	sink.ops->signal(sink.context, first + 1);
	assert_int_equal(fake_os_event_count(f->partition.vectors[first + 1].event), 1);
}

static void the_same_message_again_costs_nothing(void **state)
{
	struct fixture *f = *state;
	struct msi_sink sink;
	uint32_t first;
	unsigned before;

	assert_int_equal(create(f), 0);
	sink = partition_msi_sink(&f->partition);
	assert_int_equal(sink.ops->claim(sink.context, 1, &first), 0);
	sink.ops->route(sink.context, first, true, 0xfee00000, 0x41);
	before = fake_kvm_count(f->system, KVM_SET_GSI_ROUTING);
	sink.ops->route(sink.context, first, true, 0xfee00000, 0x41);
	assert_int_equal(fake_kvm_count(f->system, KVM_SET_GSI_ROUTING), before);
	sink.ops->route(sink.context, first, true, 0xfee00000, 0x42);
	assert_int_equal(fake_kvm_count(f->system, KVM_SET_GSI_ROUTING), before + 1);
	sink.ops->route(sink.context, first, false, 0, 0);
	assert_null(fake_kvm_route(f->system, 24 + first, KVM_IRQ_ROUTING_MSI, 0));
}

static void vectors_are_bounded(void **state)
{
	struct fixture *f = *state;
	struct msi_sink sink;
	uint32_t first;

	assert_int_equal(create(f), 0);
	sink = partition_msi_sink(&f->partition);
	assert_int_equal(sink.ops->claim(sink.context, PARTITION_MSI_VECTORS, &first), 0);
	assert_int_equal(sink.ops->claim(sink.context, 1, &first), -ENOSPC);
	assert_int_equal(sink.ops->claim(sink.context, UINT32_MAX, &first), -ENOSPC);
}

static const struct kvm_cpuid_entry2 *entry(const struct kvm_cpuid2 *table, uint32_t leaf,
					    uint32_t index)
{
	for (uint32_t i = 0; i < table->nent; i++)
		if (table->entries[i].function == leaf && table->entries[i].index == index)
			return &table->entries[i];
	return NULL;
}

static void cpuid_tells_the_topology_and_hides_nesting(void **state)
{
	struct fixture *f = *state;
	struct kvm_cpuid2 *table;

	assert_int_equal(cpuid_get_supported(f->system, &table, &f->why), 0);
	assert_int_equal(cpuid_physical_address_bits(table), 40);
	cpuid_set_vcpu(table, true, 3, 4);
	assert_int_equal(entry(table, 1, 0)->ebx, 3 << 24 | 4 << 16 | 0x800);
	assert_int_equal(entry(table, 1, 0)->ecx, 1u << 31 | 1u << 24);
	assert_int_equal(entry(table, 1, 0)->edx, 1u << 28);
	assert_int_equal(entry(table, 0x80000001, 0)->ecx, 1u << 1);
	assert_int_equal(entry(table, 0x80000008, 0)->ecx, 2 << 12 | 3);
	assert_int_equal(entry(table, 0x8000001e, 0)->eax, 3);
	assert_int_equal(entry(table, 0xb, 0)->edx, 3);
	assert_int_equal(entry(table, 0xb, 0)->ebx, 1);
	assert_int_equal(entry(table, 0xb, 1)->eax, 2);
	assert_int_equal(entry(table, 0xb, 1)->ebx, 4);
	assert_int_equal(entry(table, 0xb, 2)->ebx, 0);
	assert_int_equal(entry(table, 0x8000001d, 0)->eax >> 14, 0);
	assert_int_equal(entry(table, 0x8000001d, 3)->eax >> 14, 3);
	/* The table serves one vCPU after another. */
	cpuid_set_vcpu(table, false, 0, 1);
	assert_int_equal(entry(table, 1, 0)->ebx, 1 << 16 | 0x800);
	assert_int_equal(entry(table, 1, 0)->edx, 0);
	assert_int_equal(entry(table, 0xb, 1)->ebx, 1);
	os_free(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(both_ranges_of_memory_are_given_to_the_hypervisor,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_the_hypervisor_lacks_is_named, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_refused_command_leaves_nothing_behind, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			legacy_lines_reach_both_controllers_and_the_timer_pin_2, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_message_becomes_a_route_with_an_irqfd, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(the_same_message_again_costs_nothing, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(vectors_are_bounded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(cpuid_tells_the_topology_and_hides_nesting, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
