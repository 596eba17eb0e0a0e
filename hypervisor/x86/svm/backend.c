/* SPDX-License-Identifier: MIT */
/*
 * backend.c - the svm backend's table, and the lives of its VMs and vCPUs.
 */
#include "hypervisor/x86/privileged.h"
#include "hypervisor/x86/svm/svm.h"
#include "hypervisor/x86/walk.h"

static int probe(uint32_t wanted)
{
	int err = svm_features_probe(wanted);

	if (!err)
		svm_cpus_init();
	return err;
}

static int vm_create(struct vm *vm)
{
	static uint64_t last_id;
	struct svm_vm *svm = svm_vm_of(vm);
	/* Nested paging is done in the mode of the host's own (APM2 section 15.25.3). */
	unsigned levels = read_cr4() & CR4_LA57 ? 5 : 4;
	int err = svm_cpus_get();

	if (err < 0)
		return err;
	svm->id = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
	err = svm_avic_create_vm(svm);
	if (!err)
		err = stage2_create(&svm->stage2, &stage2_nested_paging, levels, vm, inside_flush);
	if (err < 0) {
		svm_avic_destroy_vm(svm);
		svm_cpus_put();
	}
	return err;
}

static void vm_stop(struct vm *vm)
{
	stage2_stop(&svm_vm_of(vm)->stage2);
}

static void vm_destroy(struct vm *vm)
{
	stage2_destroy(&svm_vm_of(vm)->stage2);
	svm_avic_destroy_vm(svm_vm_of(vm));
	svm_cpus_put();
}

static int vcpu_create(struct vcpu *vcpu)
{
	struct svm_vcpu *c = svm_of(vcpu);

	c->vmcb = host_pages_alloc(0, &c->vmcb_physical);
	if (!c->vmcb)
		return -ENOMEM;
	svm_vmcb_init(c);
	if (svm_avic_create(c) < 0) {
		host_pages_free(c->vmcb, 0);
		return -ENOMEM;
	}
	if (svm_features.ibpb)
		vcpu->run_state.scheduled_out = svm_mitigations_scheduled_out;
	return 0;
}

static void vcpu_destroy(struct vcpu *vcpu)
{
	struct svm_vcpu *c = svm_of(vcpu);

	stage2_spare_free(&c->spare);
	svm_avic_destroy(c);
	if (c->vmcb)
		host_pages_free(c->vmcb, 0);
	c->vmcb = NULL;
}

static void state_changed(struct vcpu *vcpu)
{
	struct svm_vcpu *c = svm_of(vcpu);

	c->entry_work |= SVM_WORK_LOAD;
	c->asid_generation = 0; /* what the TLB has may be of another mode, or other tables */
	c->exit_work &= (uint8_t)~SVM_WORK_IRET;
	c->access.step_done = false;
	/* A caller may read and set all of the state while it works on an access. */
	if (vcpu->state.rip != c->access.rip)
		device_access_forget(&c->access);
}

static void memory_changed(struct vm *vm, uint64_t gpa, uint64_t size)
{
	stage2_memory_changed(&svm_vm_of(vm)->stage2, gpa, size);
}

/* The CPU sees what others write by itself. */
static void memory_written(struct vm *vm, uint64_t gpa, uint64_t size)
{
	(void)vm;
	(void)gpa;
	(void)size;
}

static bool translate(struct vcpu *vcpu, uint64_t gva, uint64_t *gpa)
{
	uint32_t error;

	return walk(vcpu, gva, WALK_QUIET, gpa, &error);
}

static bool scales_tsc(void)
{
	return svm_features.tsc_ratio;
}

const struct backend svm_backend = {
	.name = "svm",
	.vcpu_size = sizeof(struct svm_vcpu),
	.vm_size = sizeof(struct svm_vm),
	.fast = true,
	.scales_tsc = scales_tsc,
	.probe = probe,
	.vm_create = vm_create,
	.vm_stop = vm_stop,
	.vm_destroy = vm_destroy,
	.vcpu_create = vcpu_create,
	.vcpu_destroy = vcpu_destroy,
	.run = svm_run,
	.left = svm_left,
	.kick = inside_kick,
	.complete_access = svm_complete_access,
	.sync_state = svm_sync_state,
	.state_changed = state_changed,
	.memory_changed = memory_changed,
	.apic_moved = svm_avic_apic_moved,
	.memory_written = memory_written,
	.translate = translate,
	.mask_cpuid = svm_mask_cpuid,
};
