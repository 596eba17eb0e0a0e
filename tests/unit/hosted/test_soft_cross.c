/* SPDX-License-Identifier: MIT */
/*
 * Code that another CPU changes while it runs, as the manuals allow: written, told by a flag,
 * serialized, run.  And locked operations that cross a page, by several CPUs at once.
 */
#include <linux/kvm.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hw/x86.h"
#include "hypervisor/hypervisor.h"
#include "hypervisor/vm.h"

#define RAM 0x100000u
#define PML4 0x1000u
#define PDPT 0x2000u
#define PD 0x3000u
#define CODE 0x10000u /* a page for each vCPU */
#define STACKS 0x30000u
#define VCPUS 2
#define ROUNDS 300

/* Shared between the two: their addresses are in the code below. */
#define TARGET 0x20000u
#define ASKED 0x21000u
#define DONE 0x21040u
#define WRONG 0x21080u
#define COUNTER 0x22ffeu

/*
 * The writer changes the operand of TARGET's instruction and asks; the runner runs it and compares.
 * EBX: the round.  adder: adds 1 to a counter in two pages, ROUNDS times 100.
 */
__asm__(".pushsection .rodata\n"
	"writer: xor %ebx, %ebx\n"
	"1: inc %ebx\n"
	"   mov %ebx, 0x20001\n"
	"   mov %ebx, 0x21000\n"
	"2: pause\n"
	"   cmp %ebx, 0x21040\n"
	"   jne 2b\n"
	"   cmp $300, %ebx\n"
	"   jne 1b\n"
	"   hlt\n"
	"writer_end:\n"
	"runner: xor %ebx, %ebx\n"
	"1: pause\n"
	"   mov 0x21000, %eax\n"
	"   cmp %eax, %ebx\n"
	"   je 1b\n"
	"   mov %eax, %ebx\n"
	"   mov %rax, %cr2\n"
	"   mov $0x20000, %eax\n"
	"   call *%rax\n"
	"   cmp %ecx, %ebx\n"
	"   je 2f\n"
	"   incl 0x21080\n"
	"2: mov %ebx, 0x21040\n"
	"   cmp $300, %ebx\n"
	"   jne 1b\n"
	"   hlt\n"
	"runner_end:\n"
	"target: mov $0, %ecx\n"
	"   ret\n"
	"target_end:\n"
	"adder: mov $30000, %ecx\n"
	"1: lock incl 0x22ffe\n"
	"   dec %ecx\n"
	"   jne 1b\n"
	"   hlt\n"
	"adder_end:\n"
	".popsection\n");
extern const uint8_t writer[], writer_end[], runner[], runner_end[], target[], target_end[],
	adder[], adder_end[];

struct fixture {
	struct vm *vm;
	struct vcpu *vcpu[VCPUS];
	uint8_t *ram;
};

static void put64(struct fixture *f, uint64_t gpa, uint64_t value)
{
	memcpy(f->ram + gpa, &value, sizeof(value));
}

static void set_registers(struct vcpu *vcpu, unsigned i)
{
	struct cpu_state *s = &vcpu->state;

	for (unsigned n = 0; n < CPU_SEGMENTS; n++)
		s->segment[n] = (struct cpu_segment){.limit = UINT32_MAX,
						     .type = SEGMENT_TYPE_DATA_WRITABLE,
						     .s = true,
						     .present = true,
						     .db = true,
						     .g = true};
	s->segment[CPU_CS].type = SEGMENT_TYPE_CODE_READABLE;
	s->segment[CPU_CS].l = true;
	s->segment[CPU_CS].db = false;
	s->cr0 = CR0_PE | CR0_PG | CR0_WP | CR0_ET | CR0_NE;
	s->cr4 = CR4_PAE;
	s->cr3 = PML4;
	s->efer = EFER_LME | EFER_LMA;
	s->gpr[CPU_RSP] = STACKS + 0x1000 * (i + 1);
	s->rip = CODE + 0x1000 * i;
	soft_backend.state_changed(vcpu);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct kvm_userspace_memory_region region = {.memory_size = RAM};

	f->ram = aligned_alloc(4096, RAM);
	memset(f->ram, 0, RAM);
	put64(f, PML4, PDPT | PTE_P | PTE_RW);
	put64(f, PDPT, PD | PTE_P | PTE_RW);
	put64(f, PD, PTE_PS | PTE_P | PTE_RW);
	assert_int_equal(hypervisor_create_vm(&soft_backend, 0, &f->vm), 0);
	region.userspace_addr = (uintptr_t)f->ram;
	assert_int_equal(
		hypervisor_vm_command(f->vm, KVM_SET_USER_MEMORY_REGION, (uintptr_t)&region), 0);
	for (unsigned i = 0; i < VCPUS; i++) {
		assert_int_equal(hypervisor_create_vcpu(f->vm, i, &f->vcpu[i]), 0);
		set_registers(f->vcpu[i], i);
	}
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < VCPUS; i++)
		hypervisor_put_vcpu(f->vcpu[i]);
	hypervisor_put_vm(f->vm);
	free(f->ram);
	free(f);
	return 0;
}

static void put_code(struct fixture *f, uint64_t gpa, const uint8_t *code, const uint8_t *end)
{
	memcpy(f->ram + gpa, code, (size_t)(end - code));
}

static void *run_vcpu(void *argument)
{
	struct vcpu *vcpu = argument;
	struct kvm_run *run = hypervisor_vcpu_run(vcpu);

	if (hypervisor_vcpu_command(vcpu, KVM_RUN, 0) < 0)
		return NULL;
	return run->exit_reason == KVM_EXIT_HLT ? run : NULL;
}

/* Until each has come to its HLT. */
static void run_all(struct fixture *f)
{
	pthread_t thread[VCPUS];
	void *result;

	for (unsigned i = 0; i < VCPUS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, run_vcpu, f->vcpu[i]), 0);
	for (unsigned i = 0; i < VCPUS; i++) {
		assert_int_equal(pthread_join(thread[i], &result), 0);
		assert_non_null(result);
	}
}

static uint32_t get32(struct fixture *f, uint64_t gpa)
{
	uint32_t value;

	memcpy(&value, f->ram + gpa, sizeof(value));
	return value;
}

static void another_vcpu_changes_code(void **state)
{
	struct fixture *f = *state;

	put_code(f, CODE, runner, runner_end);
	put_code(f, CODE + 0x1000, writer, writer_end);
	put_code(f, TARGET, target, target_end);
	run_all(f);
	assert_int_equal(get32(f, DONE), ROUNDS);
	assert_int_equal(get32(f, ASKED), ROUNDS);
	assert_int_equal(get32(f, WRONG), 0);
}

static void locked_across_pages(void **state)
{
	struct fixture *f = *state;

	put_code(f, CODE, adder, adder_end);
	put_code(f, CODE + 0x1000, adder, adder_end);
	run_all(f);
	assert_int_equal(get32(f, COUNTER), VCPUS * 30000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(another_vcpu_changes_code, set_up, tear_down),
		cmocka_unit_test_setup_teardown(locked_across_pages, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
