/* SPDX-License-Identifier: MIT */
/*
 * backend.c - the vmx backend's table, and the lives of its VMs and vCPUs.
 */
#include "hypervisor/x86/vmx/vmx.h"
#include "hypervisor/x86/walk.h"

static int probe(uint32_t wanted)
{
	int err = vmx_features_probe();

	(void)wanted;
	if (!err)
		vmx_cpus_init();
	return err;
}

static int vm_create(struct vm *vm)
{
	static uint64_t last_id;
	struct vmx_vm *vmx = vmx_vm_of(vm);
	int err = vmx_cpus_get();

	if (err < 0)
		return err;
	vmx->id = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
	err = stage2_create(&vmx->stage2, &vmx_features.ept, vmx_features.ept_levels, vm,
			    inside_flush);
	if (err < 0)
		vmx_cpus_put();
	return err;
}

static void vm_stop(struct vm *vm)
{
	stage2_stop(&vmx_vm_of(vm)->stage2);
}

static void vm_destroy(struct vm *vm)
{
	stage2_destroy(&vmx_vm_of(vm)->stage2);
	vmx_cpus_put();
}

/* The VMCS's beginning: no CPU keeps anything of it yet. */
static bool init_vmcs(struct vmx_vcpu *c)
{
	bool done;

	*c->vmcs = vmx_features.revision;
	host_preempt_off();
	done = vmx_cpus[host_cpu()].enabled && vmclear(c->vmcs_physical) && vmx_vmcs_activate(c);
	if (done) {
		vmx_vmcs_init(c);
		vmx_vmcs_clear(c);
	}
	host_preempt_on();
	return done;
}

static int vcpu_create(struct vcpu *vcpu)
{
	struct vmx_vcpu *c = vmx_of(vcpu);

	c->vmcs = host_pages_alloc(0, &c->vmcs_physical);
	if (!c->vmcs)
		return -ENOMEM;
	if (!init_vmcs(c)) {
		host_pages_free(c->vmcs, 0);
		c->vmcs = NULL;
		return -EBUSY;
	}
	vcpu->run_state.scheduled_out = vmx_scheduled_out;
	return 0;
}

static void vcpu_destroy(struct vcpu *vcpu)
{
	struct vmx_vcpu *c = vmx_of(vcpu);

	stage2_spare_free(&c->spare);
	if (c->vmcs)
		host_pages_free(c->vmcs, 0);
	c->vmcs = NULL;
}

static void state_changed(struct vcpu *vcpu)
{
	struct vmx_vcpu *c = vmx_of(vcpu);

	c->load = c->load_pdptes = true;
	c->vpid_generation = 0; /* what the TLB has may be of another mode, or other tables */
	c->access.step_done = false;
	/* A caller may read and set all of the state while it works on an access. */
	if (vcpu->state.rip != c->access.rip)
		device_access_forget(&c->access);
}

static void memory_changed(struct vm *vm, uint64_t gpa, uint64_t size)
{
	stage2_memory_changed(&vmx_vm_of(vm)->stage2, gpa, size);
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
	return vmx_features.secondary & VMX_SECONDARY_TSC_SCALING;
}

const struct backend vmx_backend = {
	.name = "vmx",
	.vcpu_size = sizeof(struct vmx_vcpu),
	.vm_size = sizeof(struct vmx_vm),
	.fast = true,
	.scales_tsc = scales_tsc,
	.probe = probe,
	.vm_create = vm_create,
	.vm_stop = vm_stop,
	.vm_destroy = vm_destroy,
	.vcpu_create = vcpu_create,
	.vcpu_destroy = vcpu_destroy,
	.run = vmx_run,
	.left = vmx_left,
	.kick = inside_kick,
	.complete_access = vmx_complete_access,
	.sync_state = vmx_sync_state,
	.state_changed = state_changed,
	.memory_changed = memory_changed,
	.memory_written = memory_written,
	.translate = translate,
	.mask_cpuid = vmx_mask_cpuid,
};
