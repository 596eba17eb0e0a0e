/* SPDX-License-Identifier: MIT */
/* A vCPU's exits: what reaches the buses, what comes back, and how an end is explained. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hw/x86.h"
#include "monitor/machine/vcpu.h"
#include "tests/support/fake_kvm.h"
#include "tests/support/fake_os.h"

struct fixture {
	struct os_kvm *system;
	struct partition partition;
	struct kvm_cpuid2 *cpuid;
	struct bus ports, memory;
	struct vcpu vcpu;
	struct os_mutex device_lock;
	uint64_t written[8];
	unsigned writes;
	enum vcpu_end end;
	char story[ERROR_TEXT_MAX];
};

static struct fixture fixture;

static uint64_t device_read(void *device, uint64_t offset, unsigned size)
{
	(void)device;
	(void)size;
	return 0xa0 + offset;
}

static void device_write(void *device, uint64_t offset, unsigned size, uint64_t value)
{
	struct fixture *f = device;

	(void)offset;
	(void)size;
	f->written[f->writes++ % 8] = value;
}

static const struct bus_ops device_ops = {.read = device_read, .write = device_write};

static void ended(void *context, enum vcpu_end end, const struct error *why)
{
	struct fixture *f = context;

	f->end = end;
	strcpy(f->story, why->text);
}

static int set_up(void **state)
{
	struct fixture *f = &fixture;
	struct bus_range range = {.base = 0x40,
				  .length = 0x10,
				  .ops = &device_ops,
				  .device = f,
				  .lock = &f->device_lock};
	struct error why;

	memset(f, 0, sizeof(*f));
	f->system = fake_kvm_create();
	f->partition.run_size = FAKE_KVM_RUN_SIZE;
	os_kvm_adopt(f->system, 3, &f->partition.vm);
	os_mutex_init(&f->device_lock);
	bus_init(&f->ports);
	bus_init(&f->memory);
	bus_add(&f->ports, &range);
	range.base = 0xc0000000;
	bus_add(&f->memory, &range);
	f->vcpu = (struct vcpu){
		.ports = &f->ports, .memory = &f->memory, .ended = ended, .context = f};
	f->cpuid = calloc(1, sizeof(*f->cpuid));
	*state = f;
	return vcpu_create(&f->vcpu, &f->partition, f->cpuid, &why);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	vcpu_join(&f->vcpu);
	vcpu_destroy(&f->vcpu);
	os_kvm_close(f->partition.vm);
	free(f->cpuid);
	fake_kvm_destroy(f->system);
	return 0;
}

static void run_script(struct fixture *f, const struct fake_exit *script)
{
	struct error why;

	fake_kvm_set_script(f->system, script);
	assert_int_equal(vcpu_start(&f->vcpu, &why), 0);
}

static void set_io(struct kvm_run *run, uint8_t direction, uint16_t port, uint8_t size,
		   uint32_t count)
{
	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = direction;
	run->io.port = port;
	run->io.size = size;
	run->io.count = count;
	run->io.data_offset = 4096;
}

static void read_port(struct kvm_run *run)
{
	set_io(run, KVM_EXIT_IO_IN, 0x43, 1, 1);
}

static void port_was_read(const struct kvm_run *run)
{
	assert_int_equal(((const uint8_t *)run)[4096], 0xa3);
	assert_int_equal(((const uint8_t *)run)[4097], 0);
}

static void write_string(struct kvm_run *run)
{
	uint16_t items[3] = {0x1111, 0x2222, 0x3333};

	set_io(run, KVM_EXIT_IO_OUT, 0x44, 2, 3);
	memcpy((uint8_t *)run + 4096, items, sizeof(items));
}

static void port_accesses_reach_the_port_bus(void **state)
{
	static const struct fake_exit script[] = {
		{0, read_port, port_was_read}, {0, write_string, NULL}, {0, NULL, NULL}};
	struct fixture *f = *state;

	run_script(f, script);
	assert_int_equal(f->writes, 3);
	assert_int_equal(f->written[0], 0x1111);
	assert_int_equal(f->written[2], 0x3333);
	assert_int_equal(f->vcpu.exits[VCPU_EXIT_PORT], 2);
}

static void read_register(struct kvm_run *run)
{
	run->exit_reason = KVM_EXIT_MMIO;
	run->mmio.phys_addr = 0xc0000008;
	run->mmio.len = 4;
	run->mmio.is_write = 0;
	memset(run->mmio.data, 0xee, sizeof(run->mmio.data));
}

static void register_was_read(const struct kvm_run *run)
{
	static const uint8_t expected[8] = {0xa8, 0, 0, 0, 0xee, 0xee, 0xee, 0xee};

	assert_memory_equal(run->mmio.data, expected, 8);
}

static void write_register(struct kvm_run *run)
{
	run->exit_reason = KVM_EXIT_MMIO;
	run->mmio.phys_addr = 0xc0000000;
	run->mmio.len = 0xffffffff; /* no hypervisor says so, but the page is shared */
	run->mmio.is_write = 1;
	memset(run->mmio.data, 0x5a, sizeof(run->mmio.data));
}

static void register_accesses_reach_the_memory_bus(void **state)
{
	static const struct fake_exit script[] = {
		{0, read_register, register_was_read}, {0, write_register, NULL}, {0, NULL, NULL}};
	struct fixture *f = *state;

	run_script(f, script);
	assert_int_equal(f->writes, 1);
	assert_true(f->written[0] == 0x5a5a5a5a5a5a5a5a);
}

static void interruptions_are_no_end(void **state)
{
	static const struct fake_exit script[] = {{-EINTR, NULL, NULL},
						  {-EAGAIN, NULL, NULL},
						  {0, write_string, NULL},
						  {0, NULL, NULL}};
	struct fixture *f = *state;

	run_script(f, script);
	assert_int_equal(f->writes, 3);
	assert_int_equal(f->vcpu.exits[VCPU_EXIT_INTERRUPTED], 2);
}

static void a_triple_fault_says_where(void **state)
{
	static const struct fake_exit script[] = {{0, NULL, NULL}};
	struct fixture *f = *state;
	struct kvm_regs regs = {.rip = 0xffffffff81000123};
	struct kvm_sregs sregs = {.cr0 = CR0_PE | CR0_PG, .efer = EFER_LMA, .cs.l = 1};

	fake_kvm_set_state(f->system, &regs, &sregs);
	run_script(f, script);
	assert_int_equal(f->end, VCPU_END_CRASH);
	assert_non_null(strstr(f->story, "triple fault"));
	assert_non_null(strstr(f->story, "0xffffffff81000123"));
	assert_non_null(strstr(f->story, "64-bit mode"));
}

static void where_the_hypervisor_lost_the_place_the_last_port_is_told(void **state)
{
	static const struct fake_exit script[] = {{0, write_string, NULL}, {0, NULL, NULL}};
	struct fixture *f = *state;
	struct kvm_regs regs = {.rip = RESET_RIP};
	struct kvm_sregs sregs = {.cs.base = RESET_CS_BASE};

	fake_kvm_set_state(f->system, &regs, &sregs);
	run_script(f, script);
	assert_int_equal(f->end, VCPU_END_CRASH);
	assert_non_null(strstr(f->story, "0x44"));
}

static void an_error_of_the_hypervisor_is_not_the_guests(void **state)
{
	static const struct fake_exit script[] = {{-ENODEV, NULL, NULL}, {0, NULL, NULL}};
	struct fixture *f = *state;

	run_script(f, script);
	assert_int_equal(f->end, VCPU_END_FAILED);
}

static void long_mode_entry_is_flat_with_paging(void **state)
{
	struct load_entry entry = {.mode = LOAD_MODE_LONG64,
				   .rip = 0x1000000,
				   .rsi = 0x7000,
				   .cr3 = 0x9000,
				   .gdt = 0x500,
				   .gdt_limit = 31,
				   .protocol = "Linux 64-bit"};
	struct fixture *f = *state;
	struct error why;

	assert_int_equal(vcpu_set_entry(&f->vcpu, &entry, &why), 0);
	assert_int_equal(fake_kvm_regs(f->system)->rip, 0x1000000);
	assert_int_equal(fake_kvm_regs(f->system)->rsi, 0x7000);
	assert_int_equal(fake_kvm_regs(f->system)->rflags, 2);
	assert_int_equal(fake_kvm_sregs(f->system)->cr3, 0x9000);
	assert_int_equal(fake_kvm_sregs(f->system)->efer, EFER_LME | EFER_LMA);
	assert_int_equal(fake_kvm_sregs(f->system)->cs.l, 1);
	assert_int_equal(fake_kvm_sregs(f->system)->cs.db, 0);
	assert_true(fake_kvm_sregs(f->system)->cr0 & CR0_PG);
}

static void protected_mode_entry_has_no_paging(void **state)
{
	struct load_entry entry = {.mode = LOAD_MODE_PROTECTED32,
				   .rip = 0x100000,
				   .rax = 0x2badb002,
				   .rbx = 0x9500,
				   .protocol = "Multiboot"};
	struct fixture *f = *state;
	struct error why;

	assert_int_equal(vcpu_set_entry(&f->vcpu, &entry, &why), 0);
	assert_int_equal(fake_kvm_regs(f->system)->rax, 0x2badb002);
	assert_int_equal(fake_kvm_regs(f->system)->rbx, 0x9500);
	assert_false(fake_kvm_sregs(f->system)->cr0 & CR0_PG);
	assert_int_equal(fake_kvm_sregs(f->system)->cs.db, 1);
	assert_int_equal(fake_kvm_sregs(f->system)->efer, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(port_accesses_reach_the_port_bus),
		TEST(register_accesses_reach_the_memory_bus),
		TEST(interruptions_are_no_end),
		TEST(a_triple_fault_says_where),
		TEST(where_the_hypervisor_lost_the_place_the_last_port_is_told),
		TEST(an_error_of_the_hypervisor_is_not_the_guests),
		TEST(long_mode_entry_is_flat_with_paging),
		TEST(protected_mode_entry_has_no_paging),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
