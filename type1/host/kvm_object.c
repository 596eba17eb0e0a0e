/* SPDX-License-Identifier: MIT */
/*
 * kvm_object.c - the KVM ABI's objects as what handles name: the runtime's counterpart of the
 * driver's node.
 *
 * A VM and its vCPUs take commands from the process that made the VM alone, since its memory is the
 * guest's.  A process's handles and threads end before its address space and its account do, and so
 * its VMs.
 */
#include "type1/host/kvm_object.h"

#include <linux/errno.h>
#include <linux/kvm.h>

#include "hypervisor/hypervisor.h"
#include "lib/bits.h"
#include "type1/host/private.h"
#include "type1/runtime/syscall.h"

const struct backend *const host_backends[] = {&svm_backend, &vmx_backend, NULL};

struct kvm_object {
	struct object object;          /* [const] */
	const struct process *process; /* [const] whose memory is the guest's */
	struct vm *vm;                 /* [const] one of the two; none: it is the system */
	struct vcpu *vcpu;             /* [const] */
};

static const struct backend *backend; /* [const] after boot; NULL: this machine runs no guests */
static struct kvm_object system_object;

static struct kvm_object *kvm_object_of(struct object *object)
{
	return CONTAINER_OF(object, struct kvm_object, object);
}

/* --- Making handles --------------------------------------------------------------------------- */

static void kvm_object_end(struct object *object)
{
	struct kvm_object *ended = kvm_object_of(object);

	if (ended->vcpu)
		hypervisor_put_vcpu(ended->vcpu);
	if (ended->vm)
		hypervisor_put_vm(ended->vm);
	heap_free(ended);
}

/*
 * A new VM, or a new vCPU of parent, and its handle.  A vCPU can't be taken back: one whose handle
 * can't be made stays in its VM, and its number is taken.
 */
static int64_t create(struct kvm_object *parent, uint64_t argument)
{
	struct process *process = process_current();
	struct kvm_object *made = heap_alloc(sizeof(*made), &process->account);
	int err;

	if (!made)
		return -ENOMEM;
	object_init(&made->object, OBJECT_KVM, kvm_object_end);
	made->process = process;
	if (parent)
		err = hypervisor_create_vcpu(parent->vm, argument, &made->vcpu);
	else
		err = hypervisor_create_vm(backend, argument, &made->vm);
	if (err < 0) {
		object_put(&made->object);
		return err;
	}
	return handle_add(process, &made->object);
}

/* --- Commands --------------------------------------------------------------------------------- */

static int64_t system_command(uint32_t command, uint64_t argument)
{
	if (!backend)
		return -EOPNOTSUPP;
	if (command == KVM_CREATE_VM)
		return create(NULL, argument);
	return hypervisor_system_command(backend, command, argument);
}

static int64_t vcpu_command(struct vcpu *vcpu, uint32_t command, uint64_t argument)
{
	int64_t result = hypervisor_vcpu_command(vcpu, command, argument);

	/* A kick is for the run that it finds; who must not lose it has set immediate_exit. */
	if (command == KVM_RUN)
		thread_take_interrupt(thread_current());
	return result;
}

int64_t syscall_kvm(const struct call *call)
{
	struct kvm_object *of = kvm_object_of(call->object);
	uint64_t argument = call->args[2];
	uint32_t command = (uint32_t)call->args[1];

	if (call->args[1] > UINT32_MAX)
		return -EINVAL;
	if (of == &system_object)
		return system_command(command, argument);
	if (of->process != call->process)
		return -EIO;
	if (of->vcpu)
		return vcpu_command(of->vcpu, command, argument);
	if (command == KVM_CREATE_VCPU)
		return create(of, argument);
	return hypervisor_vm_command(of->vm, command, argument);
}

/* --- What a vCPU shares with its caller ------------------------------------------------------- */

/* Keeps the pages as long as they are mapped; the vCPU may end before. */
struct run_pages {
	struct object object;
	void *run; /* [const] */
};

static void run_pages_end(struct object *object)
{
	struct run_pages *pages = CONTAINER_OF(object, struct run_pages, object);

	host_block_put(pages->run);
	heap_free(pages);
}

int64_t syscall_kvm_map_run(const struct call *call)
{
	struct kvm_object *of = kvm_object_of(call->object);
	struct process *process = call->process;
	struct run_pages *pages;
	struct object *memory;
	uint64_t size;
	int64_t result;

	if (!of->vcpu)
		return -EINVAL;
	if (of->process != process)
		return -EIO;
	pages = heap_alloc(sizeof(*pages), &process->account);
	if (!pages)
		return -ENOMEM;
	object_init(&pages->object, OBJECT_NONE, run_pages_end);
	pages->run = hypervisor_vcpu_run(of->vcpu);
	host_block_get(pages->run);
	size = (uint64_t)hypervisor_system_command(backend, KVM_GET_VCPU_MMAP_SIZE, 0);
	result = memory_object_of_frames(physical_of(pages->run), size, TYPE1_MEMORY_WRITE,
					 &pages->object, &process->account, &memory);
	if (result < 0) {
		object_put(&pages->object);
		return result;
	}
	result = space_attach(&process->space, memory, 0, size, TYPE1_MEMORY_WRITE);
	object_put(memory);
	return result;
}

/* --- The system ------------------------------------------------------------------------------- */

struct object *kvm_object_system(void)
{
	object_get(&system_object.object);
	return &system_object.object;
}

/*
 * A VM of the runtime's own, which never runs, keeps what all VMs share: no process pays for it,
 * and the CPUs' virtualization is on for good.
 */
void kvm_object_init(void)
{
	const struct backend *found;
	struct vm *kept;
	int err = host_blocks_init();

	object_init(&system_object.object, OBJECT_KVM, NULL);
	host_mitigations_init();
	found = hypervisor_probe(0);
	if (!found) {
		log_line(LOG_WARNING,
			 "no guests can run: they need AMD SVM with nested paging, or Intel VMX "
			 "with EPT and unrestricted guest, not switched off by the firmware");
		return;
	}
	if (!err)
		err = hypervisor_create_vm(found, 0, &kept);
	if (err < 0) {
		log_line(LOG_ERROR, "no guests can run: %s can't be turned on, error %d",
			 found->name, -err);
		return;
	}
	backend = found;
	log_line(LOG_INFO, "guests run by %s", backend->name);
}
