// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * node.c - /dev/dyad, and the descriptors of VMs and vCPUs: the KVM ABI by ioctl and mmap.
 *
 * Descriptors may be closed in any order: each holds its own reference to what it stands for.  A VM
 * and its vCPUs take commands from the process that made the VM alone, since its memory is the
 * guest's.
 */
#include <linux/anon_inodes.h>
#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kvm.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uidgid.h>

#include "hypervisor/hypervisor.h"
#include "type2/driver/driver.h"

/* What a descriptor stands for. */
struct handle {
	struct vm *vm; /* one of the two */
	struct vcpu *vcpu;
	struct mm_struct
		*mm; /* of the process that it belongs to; referenced, but not its memory */
};

/* The module's; all set by node_begin(). */
static struct {
	const struct backend *backend;
	unsigned long run_size; /* of what a vCPU shares with its caller */
	umode_t mode;
	int group;
	dev_t number;
	struct cdev cdev;
	struct device *device;
} node;

static bool handle_is_callers(const struct handle *handle)
{
	return handle->mm == current->mm;
}

/* --- Making descriptors ----------------------------------------------------------------------- */

static void handle_free(struct handle *handle)
{
	if (handle->vcpu)
		hypervisor_put_vcpu(handle->vcpu);
	if (handle->vm)
		hypervisor_put_vm(handle->vm);
	mmdrop(handle->mm);
	kfree(handle);
}

static int handle_release(struct inode *inode, struct file *file)
{
	handle_free(file->private_data);
	return 0;
}

static const struct file_operations vm_operations, vcpu_operations;

/*
 * A new VM, or a new vCPU of parent, and its descriptor.  What can fail besides comes first: a vCPU
 * can't be taken back.
 */
static long handle_create(const struct handle *parent, unsigned long arg)
{
	struct handle *handle = kzalloc(sizeof(*handle), GFP_KERNEL_ACCOUNT);
	struct file *file;
	int fd, err;

	if (!handle)
		return -ENOMEM;
	handle->mm = current->mm;
	mmgrab(handle->mm);
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		handle_free(handle);
		return fd;
	}
	file = anon_inode_getfile(parent ? "dyad-vcpu" : "dyad-vm",
				  parent ? &vcpu_operations : &vm_operations, handle, O_RDWR);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		handle_free(handle);
		return PTR_ERR(file);
	}
	if (parent)
		err = hypervisor_create_vcpu(parent->vm, arg, &handle->vcpu);
	else
		err = hypervisor_create_vm(node.backend, arg, &handle->vm);
	if (err) {
		put_unused_fd(fd);
		fput(file);
		/* A signal came before anything was made: the call is begun anew behind it. */
		return err == -EINTR ? -ERESTARTNOINTR : err;
	}
	fd_install(fd, file);
	return fd;
}

/* A command's result, at its end. */
static long finished(long result)
{
	driver_expect_task();
	return result;
}

/* --- vCPUs ------------------------------------------------------------------------------------ */

/*
 * KVM_RUN ends for the kernel's own work, too (driver_thread_has_work()), but only signals are what
 * its caller may see it end for: else it is begun anew behind the work, as if it had gone on.  A
 * signal that comes meanwhile and has a handler ends it; the flag is what makes the kernel look at
 * the result.
 */
static long begun_anew(long result)
{
	if (result != -EINTR || signal_pending(current) || !task_work_pending(current))
		return result;
	set_tsk_thread_flag(current, TIF_SIGPENDING);
	return -ERESTARTNOHAND;
}

static long vcpu_ioctl(struct file *file, unsigned int command, unsigned long arg)
{
	const struct handle *handle = file->private_data;

	if (!handle_is_callers(handle))
		return -EIO;
	return begun_anew(finished(hypervisor_vcpu_command(handle->vcpu, command, arg)));
}

static vm_fault_t vcpu_fault(struct vm_fault *fault)
{
	const struct handle *handle = fault->vma->vm_file->private_data;
	char *at;

	if (fault->pgoff >= node.run_size >> PAGE_SHIFT)
		return VM_FAULT_SIGBUS;
	at = (char *)hypervisor_vcpu_run(handle->vcpu) + (fault->pgoff << PAGE_SHIFT);
	fault->page = is_vmalloc_addr(at) ? vmalloc_to_page(at) : virt_to_page(at);
	get_page(fault->page);
	return 0;
}

static const struct vm_operations_struct vcpu_vm_operations = {
	.fault = vcpu_fault,
};

static int vcpu_mmap(struct file *file, struct vm_area_struct *area)
{
	area->vm_ops = &vcpu_vm_operations;
	return 0;
}

static const struct file_operations vcpu_operations = {
	.owner = THIS_MODULE,
	.release = handle_release,
	.unlocked_ioctl = vcpu_ioctl,
	.mmap = vcpu_mmap,
	.llseek = noop_llseek,
};

/* --- VMs and the system ----------------------------------------------------------------------- */

static long vm_ioctl(struct file *file, unsigned int command, unsigned long arg)
{
	const struct handle *handle = file->private_data;

	if (!handle_is_callers(handle))
		return -EIO;
	if (command == KVM_CREATE_VCPU)
		return finished(handle_create(handle, arg));
	return finished(hypervisor_vm_command(handle->vm, command, arg));
}

static const struct file_operations vm_operations = {
	.owner = THIS_MODULE,
	.release = handle_release,
	.unlocked_ioctl = vm_ioctl,
	.llseek = noop_llseek,
};

static long node_ioctl(struct file *file, unsigned int command, unsigned long arg)
{
	if (command == KVM_CREATE_VM)
		return finished(handle_create(NULL, arg));
	return finished(hypervisor_system_command(node.backend, command, arg));
}

static const struct file_operations node_operations = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = node_ioctl,
	.llseek = noop_llseek,
};

/* --- The node --------------------------------------------------------------------------------- */

static struct class node_class = {
	.name = "dyad",
};

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
static char *node_devnode(const struct device *device, umode_t *mode, kuid_t *user, kgid_t *group)
#else
static char *node_devnode(struct device *device, umode_t *mode, kuid_t *user, kgid_t *group)
#endif
{
	kgid_t wish = make_kgid(&init_user_ns, node.group);

	/* Only the name is asked for when the node goes, or another one looks. */
	if (mode)
		*mode = node.mode;
	if (group && node.group >= 0 && gid_valid(wish))
		*group = wish;
	return NULL;
}

static const struct device_type node_type = {
	.name = "dyad",
	.devnode = node_devnode,
};

static void node_release_device(struct device *device)
{
	kfree(device);
}

static int __init node_add_device(void)
{
	struct device *device = kzalloc(sizeof(*device), GFP_KERNEL);
	int err;

	if (!device)
		return -ENOMEM;
	device_initialize(device);
	device->class = &node_class;
	device->type = &node_type;
	device->devt = node.number;
	device->release = node_release_device;
	err = dev_set_name(device, "dyad");
	if (!err)
		err = cdev_device_add(&node.cdev, device);
	if (err) {
		put_device(device);
		return err;
	}
	node.device = device;
	return 0;
}

int __init node_begin(const struct backend *backend, unsigned mode, int group)
{
	int err;

	node.backend = backend;
	node.run_size = hypervisor_system_command(backend, KVM_GET_VCPU_MMAP_SIZE, 0);
	node.mode = mode;
	node.group = group;
	err = alloc_chrdev_region(&node.number, 0, 1, "dyad");
	if (err)
		return err;
	err = class_register(&node_class);
	if (err)
		goto out_number;
	cdev_init(&node.cdev, &node_operations);
	node.cdev.owner = THIS_MODULE;
	err = node_add_device();
	if (!err)
		return 0;
	class_unregister(&node_class);
out_number:
	unregister_chrdev_region(node.number, 1);
	return err;
}

void node_end(void)
{
	cdev_device_del(&node.cdev, node.device);
	put_device(node.device);
	class_unregister(&node_class);
	unregister_chrdev_region(node.number, 1);
}
