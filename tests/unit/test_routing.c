/* SPDX-License-Identifier: MIT */
/* GSI routes, messages, irqfds, and how many CPUs took an interrupt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "tests/support/chips.h"

static struct chips *create(void)
{
	struct chips *chips = chips_create(2, NULL);

	for (unsigned i = 0; i < 2; i++)
		apic_enable(chips, i);
	apic_out(chips, 0, APIC_LVT_LINT0, APIC_LVT_MASKED);
	return chips;
}

static struct kvm_irq_routing_entry pin_route(uint32_t gsi, uint32_t chip, uint32_t pin)
{
	return (struct kvm_irq_routing_entry){
		.gsi = gsi, .type = KVM_IRQ_ROUTING_IRQCHIP, .u.irqchip = {chip, pin}};
}

static struct kvm_irq_routing_entry msi_route(uint32_t gsi, uint32_t address, uint32_t data)
{
	struct kvm_irq_routing_entry entry = {.gsi = gsi, .type = KVM_IRQ_ROUTING_MSI};

	entry.u.msi.address_lo = address;
	entry.u.msi.data = data;
	return entry;
}

static int route(struct chips *chips, const struct kvm_irq_routing_entry *entries, uint32_t count)
{
	return irqchip_set_routing(chips->vm.irqchip, entries, count);
}

static int take(struct chips *chips, unsigned cpu)
{
	int vector = chips_take(chips, cpu);

	if (vector >= 0)
		chips_eoi(chips, cpu);
	return vector;
}

/* --- Routes ----------------------------------------------------------------------------------- */

static void by_default_a_gsi_is_its_pin(void **state)
{
	struct chips *chips = create();

	(void)state;
	for (unsigned gsi = 0; gsi < 24; gsi++) {
		ioapic_route(chips, gsi, 0x40 + gsi);
		/* 2 is the cascade's; the PICs take all else. */
		assert_int_equal(chips_line(chips, gsi, true), gsi < 16 && gsi != 2 ? 2 : 1);
		assert_int_equal(take(chips, 0), 0x40 + gsi);
		chips_line(chips, gsi, false);
	}
	assert_int_equal(chips_line(chips, 24, true), -1);
	assert_int_equal(chips_line(chips, UINT32_MAX, true), -1);
	chips_destroy(chips);
}

static void lines_report_who_took_them(void **state)
{
	struct chips *chips = create();
	struct kvm_irq_routing_entry one = pin_route(30, KVM_IRQCHIP_IOAPIC, 7);

	(void)state;
	assert_int_equal(route(chips, &one, 1), 0);
	assert_int_equal(chips_line(chips, 30, true), -1); /* masked */
	chips_line(chips, 30, false);
	ioapic_route(chips, 7, 0x55);
	assert_int_equal(chips_line(chips, 30, true), 1);
	chips_line(chips, 30, false);
	assert_int_equal(chips_line(chips, 30, true), 0); /* the first waits still */
	chips_line(chips, 30, false);
	assert_int_equal(take(chips, 0), 0x55);
	assert_int_equal(take(chips, 0), -1);
	assert_int_equal(chips_line(chips, 7, true), -1); /* no route any more */
	chips_destroy(chips);
}

static void messages_go_where_their_address_says(void **state)
{
	struct chips *chips = create();
	struct kvm_irq_routing_entry routes[] = {
		msi_route(40, 0xfee01000, 0x51), /* physical 1 */
		msi_route(41, 0xfee03004, 0x52), /* logical 3 */
		msi_route(42, 0xfee0300c, 0x53), /* and only one of them */
		msi_route(43, 0xfee01000, 0x400), msi_route(44, 0xfee01000, 0x8054),
	};
	uint8_t vector;

	(void)state;
	apic_out(chips, 0, APIC_LDR, 1u << 24);
	apic_out(chips, 1, APIC_LDR, 2u << 24);
	assert_int_equal(route(chips, routes, ARRAY_COUNT(routes)), 0);
	assert_int_equal(chips_line(chips, 40, true), 1);
	assert_int_equal(chips_line(chips, 40, false), -1);
	assert_int_equal(take(chips, 1), 0x51);
	assert_int_equal(chips_line(chips, 41, true), 2);
	assert_int_equal(take(chips, 0), 0x52);
	assert_int_equal(take(chips, 1), 0x52);
	assert_int_equal(chips_line(chips, 42, true), 1);
	assert_int_equal(chips_line(chips, 42, true), 1); /* the other, which is idler now */
	assert_int_equal(take(chips, 0), 0x53);
	assert_int_equal(take(chips, 1), 0x53);
	assert_int_equal(chips_line(chips, 43, true), 1);
	assert_int_equal(lapic_take_signals(chips_lapic(chips, 1), &vector), LAPIC_SIGNAL_NMI);
	assert_int_equal(chips_line(chips, 44, true), 1);
	assert_int_equal(apic_in(chips, 1, APIC_TMR + 0x20), 1u << 0x14);
	assert_int_equal(take(chips, 1), 0x54);
	chips_destroy(chips);
}

static void bad_tables_leave_the_old_one(void **state)
{
	struct chips *chips = create();
	struct kvm_irq_routing_entry bad[] = {
		pin_route(4096, KVM_IRQCHIP_IOAPIC, 0),
		pin_route(5, 3, 0),
		pin_route(5, KVM_IRQCHIP_IOAPIC, 24),
		pin_route(5, KVM_IRQCHIP_PIC_MASTER, 8),
		pin_route(5, KVM_IRQCHIP_PIC_SLAVE, UINT32_MAX),
		msi_route(5, 0, 0),
		{.gsi = 5, .type = KVM_IRQ_ROUTING_HV_SINT},
		{.gsi = 5, .type = 0},
	};
	struct kvm_irq_routing_entry pair[2];
	struct kvm_irq_routing_entry *many = calloc(4097, sizeof(*many));
	struct kvm_msi msi = {.flags = 1};

	(void)state;
	bad[5].flags = 2;
	ioapic_route(chips, 20, 0x50);
	for (unsigned i = 0; i < ARRAY_COUNT(bad); i++)
		assert_int_equal(route(chips, &bad[i], 1), -EINVAL);
	/* A GSI is one pin of each chip, or one message. */
	pair[0] = pin_route(5, KVM_IRQCHIP_IOAPIC, 1);
	pair[1] = pin_route(5, KVM_IRQCHIP_IOAPIC, 2);
	assert_int_equal(route(chips, pair, 2), -EINVAL);
	pair[1] = msi_route(5, 0, 0x50);
	assert_int_equal(route(chips, pair, 2), -EINVAL);
	pair[0] = pair[1];
	assert_int_equal(route(chips, pair, 2), -EINVAL);
	for (unsigned i = 0; i < 4097; i++)
		many[i] = msi_route(i, 0xfee00000, 0x41);
	assert_int_equal(route(chips, many, 4097), -EINVAL);
	assert_int_equal(chips_line(chips, 20, true), 1);
	fake_host_allocations_left = 0;
	assert_int_equal(route(chips, many, 4096), -ENOMEM);
	fake_host_allocations_left = -1;
	assert_int_equal(route(chips, many, 4096), 0);
	assert_int_equal(chips_line(chips, 4095, true), 1);
	assert_int_equal(route(chips, NULL, 0), 0); /* none at all */
	assert_int_equal(chips_line(chips, 0, true), -1);
	assert_int_equal(irqchip_signal_msi(chips->vm.irqchip, &msi), -EINVAL);
	free(many);
	chips_destroy(chips);
}

static void sources_share_a_line(void **state)
{
	struct chips *chips = create();
	struct kvm_irqfd irqfd = {.gsi = 20, .flags = KVM_IRQFD_FLAG_RESAMPLE};

	(void)state;
	ioapic_route(chips, 20, IOAPIC_RTE_LEVEL | 0x50);
	irqfd.fd = (uint32_t)fake_host_event_create();
	irqfd.resamplefd = (uint32_t)fake_host_event_create();
	assert_int_equal(irqchip_irqfd(chips->vm.irqchip, &irqfd), 0);
	chips_line(chips, 20, true);
	fake_host_event_signal((int32_t)irqfd.fd);
	assert_int_equal(take(chips, 0), 0x50); /* its end lets the irqfd's go, not the caller's */
	assert_int_equal(fake_host_event_count((int32_t)irqfd.resamplefd), 1);
	assert_int_equal(take(chips, 0), 0x50);
	chips_line(chips, 20, false);
	assert_int_equal(take(chips, 0), 0x50);
	assert_int_equal(take(chips, 0), -1);
	chips_destroy(chips);
	fake_host_event_close((int32_t)irqfd.fd);
	fake_host_event_close((int32_t)irqfd.resamplefd);
}

/* --- irqfd ------------------------------------------------------------------------------------ */

static void an_event_is_an_interrupt(void **state)
{
	struct chips *chips = create();
	struct kvm_irq_routing_entry routes[] = {msi_route(40, 0xfee01000, 0x51),
						 pin_route(20, KVM_IRQCHIP_IOAPIC, 20)};
	struct kvm_irqfd message = {.gsi = 40}, line = {.gsi = 20};

	(void)state;
	message.fd = (uint32_t)fake_host_event_create();
	line.fd = (uint32_t)fake_host_event_create();
	assert_int_equal(route(chips, routes, 2), 0);
	ioapic_route(chips, 20, 0x41);
	fake_host_event_signal((int32_t)message.fd); /* before it is one: it waits */
	assert_int_equal(irqchip_irqfd(chips->vm.irqchip, &message), 0);
	assert_int_equal(take(chips, 1), 0x51);
	assert_int_equal(irqchip_irqfd(chips->vm.irqchip, &line), 0);
	for (unsigned i = 0; i < 3; i++) {
		fake_host_event_signal((int32_t)line.fd);
		fake_host_event_signal((int32_t)message.fd);
		assert_int_equal(take(chips, 0), 0x41);
		assert_int_equal(take(chips, 1), 0x51);
	}
	/* It follows its GSI's route. */
	routes[0] = msi_route(40, 0xfee00000, 0x61);
	assert_int_equal(route(chips, routes, 2), 0);
	fake_host_event_signal((int32_t)message.fd);
	assert_int_equal(take(chips, 0), 0x61);
	/* Only the one that is named ends. */
	message.flags = KVM_IRQFD_FLAG_DEASSIGN;
	message.gsi = 41;
	assert_int_equal(irqchip_irqfd(chips->vm.irqchip, &message), 0);
	fake_host_event_signal((int32_t)message.fd);
	assert_int_equal(take(chips, 0), 0x61);
	message.gsi = 40;
	assert_int_equal(irqchip_irqfd(chips->vm.irqchip, &message), 0);
	fake_host_event_signal((int32_t)message.fd);
	assert_int_equal(take(chips, 0), -1);
	assert_int_equal(fake_host_event_count((int32_t)message.fd), 1);
	chips_destroy(chips);
	fake_host_event_close((int32_t)message.fd);
	fake_host_event_close((int32_t)line.fd);
	assert_int_equal(fake_host_allocated, 0);
}

static void resampling_waits_for_the_end(void **state)
{
	struct chips *chips = create();
	struct kvm_irqfd irqfd = {.gsi = 20, .flags = KVM_IRQFD_FLAG_RESAMPLE};

	(void)state;
	ioapic_route(chips, 20, IOAPIC_RTE_LEVEL | 0x50);
	irqfd.fd = (uint32_t)fake_host_event_create();
	irqfd.resamplefd = (uint32_t)fake_host_event_create();
	assert_int_equal(irqchip_irqfd(chips->vm.irqchip, &irqfd), 0);
	fake_host_event_signal((int32_t)irqfd.fd);
	assert_int_equal(fake_host_event_count((int32_t)irqfd.resamplefd), 0);
	assert_int_equal(chips_take(chips, 0), 0x50);
	assert_int_equal(fake_host_event_count((int32_t)irqfd.resamplefd), 0);
	chips_eoi(chips, 0);
	assert_int_equal(fake_host_event_count((int32_t)irqfd.resamplefd), 1);
	assert_int_equal(take(chips, 0), -1);
	/* A device that still wants one signals again. */
	fake_host_event_signal((int32_t)irqfd.fd);
	assert_int_equal(take(chips, 0), 0x50);
	assert_int_equal(fake_host_event_count((int32_t)irqfd.resamplefd), 1);
	irqfd.flags |= KVM_IRQFD_FLAG_DEASSIGN;
	assert_int_equal(irqchip_irqfd(chips->vm.irqchip, &irqfd), 0);
	chips_line(chips, 20, true);
	chips_line(chips, 20, false);
	assert_int_equal(take(chips, 0), 0x50);
	assert_int_equal(fake_host_event_count((int32_t)irqfd.resamplefd), 0);
	chips_destroy(chips);
	fake_host_event_close((int32_t)irqfd.fd);
	fake_host_event_close((int32_t)irqfd.resamplefd);
}

static void a_resampler_may_be_signalled_by_its_own_end(void **state)
{
	struct chips *chips = create();
	struct kvm_irqfd irqfd = {.gsi = 20, .flags = KVM_IRQFD_FLAG_RESAMPLE};

	(void)state;
	ioapic_route(chips, 20, IOAPIC_RTE_LEVEL | 0x50);
	irqfd.fd = (uint32_t)fake_host_event_create();
	irqfd.resamplefd = irqfd.fd; /* hostile: an interrupt for each end */
	assert_int_equal(irqchip_irqfd(chips->vm.irqchip, &irqfd), 0);
	fake_host_event_signal((int32_t)irqfd.fd);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(take(chips, 0), 0x50);
	chips_destroy(chips);
	fake_host_event_close((int32_t)irqfd.fd);
}

static void bad_irqfds_leave_nothing_behind(void **state)
{
	struct chips *chips = create();
	struct kvm_irqfd irqfd = {.fd = 1000, .gsi = 20}, other;
	size_t allocated = fake_host_allocated;
	int32_t event = fake_host_event_create();

	(void)state;
	assert_int_equal(irqchip_irqfd(chips->vm.irqchip, &irqfd), -EBADF);
	irqfd.flags = KVM_IRQFD_FLAG_DEASSIGN;
	assert_int_equal(irqchip_irqfd(chips->vm.irqchip, &irqfd), -EBADF);
	irqfd.flags = 4;
	assert_int_equal(irqchip_irqfd(chips->vm.irqchip, &irqfd), -EINVAL);
	irqfd = (struct kvm_irqfd){.fd = (uint32_t)event, .gsi = 4096};
	assert_int_equal(irqchip_irqfd(chips->vm.irqchip, &irqfd), -EINVAL);
	irqfd.gsi = 20;
	irqfd.flags = KVM_IRQFD_FLAG_RESAMPLE;
	irqfd.resamplefd = 1000;
	assert_int_equal(irqchip_irqfd(chips->vm.irqchip, &irqfd), -EBADF);
	assert_int_equal(fake_host_allocated, allocated);
	irqfd.flags = 0;
	fake_host_allocations_left = 0;
	assert_int_equal(irqchip_irqfd(chips->vm.irqchip, &irqfd), -ENOMEM);
	fake_host_allocations_left = -1;
	assert_int_equal(irqchip_irqfd(chips->vm.irqchip, &irqfd), 0);
	other = irqfd;
	other.gsi = 21;
	assert_int_equal(irqchip_irqfd(chips->vm.irqchip, &other), -EBUSY);
	assert_int_equal(fake_host_allocated, allocated + 1);
	chips_destroy(chips);
	fake_host_event_close(event);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_default_a_gsi_is_its_pin),
		cmocka_unit_test(lines_report_who_took_them),
		cmocka_unit_test(messages_go_where_their_address_says),
		cmocka_unit_test(bad_tables_leave_the_old_one),
		cmocka_unit_test(sources_share_a_line),
		cmocka_unit_test(an_event_is_an_interrupt),
		cmocka_unit_test(resampling_waits_for_the_end),
		cmocka_unit_test(a_resampler_may_be_signalled_by_its_own_end),
		cmocka_unit_test(bad_irqfds_leave_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
