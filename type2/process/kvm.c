/* SPDX-License-Identifier: MIT */
/*
 * kvm.c - the KVM ABI by ioctl on a node: Linux's /dev/kvm, or our driver's /dev/dyad.
 */
#include "type2/process/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "type2/process/process.h"

struct kvm_node {
	struct os_kvm object;
	int fd;
	void *run; /* struct kvm_run, or NULL */
	size_t run_size;
};

int64_t os_kvm_command(struct os_kvm *object, uint32_t command, uint64_t arg)
{
	return object->ops->command(object, command, arg);
}

int os_kvm_adopt(struct os_kvm *parent, int64_t number, struct os_kvm **object)
{
	return parent->ops->adopt(parent, number, object);
}

void os_kvm_close(struct os_kvm *object)
{
	if (object)
		object->ops->close(object);
}

int os_kvm_map_run(struct os_kvm *vcpu, size_t size, void **run)
{
	return vcpu->ops->map_run(vcpu, size, run);
}

static struct kvm_node *kvm_node_of(struct os_kvm *object)
{
	return (struct kvm_node *)object;
}

/* The bare system call: the result is not to be split into -1 and errno and put together again. */
static int64_t kvm_node_command(struct os_kvm *object, uint32_t command, uint64_t arg)
{
	int64_t result = SYS_ioctl;

	__asm__ volatile("syscall"
			 : "+a"(result)
			 : "D"((long)kvm_node_of(object)->fd), "S"((unsigned long)command), "d"(arg)
			 : "rcx", "r11", "memory");
	return result;
}

static int kvm_node_make(int fd, struct os_kvm **object);

static int kvm_node_adopt(struct os_kvm *parent, int64_t number, struct os_kvm **object)
{
	int error = kvm_node_make((int)number, object);

	(void)parent;
	if (error)
		close((int)number);
	return error;
}

static void kvm_node_close(struct os_kvm *object)
{
	struct kvm_node *node = kvm_node_of(object);

	if (node->run)
		munmap(node->run, node->run_size);
	close(node->fd);
	free(node);
}

static int kvm_node_map_run(struct os_kvm *vcpu, size_t size, void **run)
{
	struct kvm_node *node = kvm_node_of(vcpu);

	if (node->run)
		return -EBUSY;
	*run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, node->fd, 0);
	if (*run == MAP_FAILED)
		return -errno;
	node->run = *run;
	node->run_size = size;
	return 0;
}

static const struct process_kvm_ops kvm_node_ops = {
	.command = kvm_node_command,
	.adopt = kvm_node_adopt,
	.close = kvm_node_close,
	.map_run = kvm_node_map_run,
};

static int kvm_node_make(int fd, struct os_kvm **object)
{
	struct kvm_node *node = calloc(1, sizeof(*node));

	if (!node)
		return -ENOMEM;
	node->object.ops = &kvm_node_ops;
	node->fd = fd;
	*object = &node->object;
	return 0;
}

/* What there is to do where nobody answers at a node. */
static const char *kvm_load_advice(const char *path)
{
	if (strcmp(path, PROCESS_DYAD_NODE) == 0)
		return "load Dyad's driver (modprobe dyad); where it refuses, the kernel's log "
		       "says "
		       "why (dmesg)";
	return "load the kernel's module for this processor (modprobe kvm-intel or kvm-amd), and "
	       "switch on virtualization in the firmware's setup";
}

static int kvm_right_error(const char *path, int error, struct error *why)
{
	struct stat status;
	struct group *group;

	if (stat(path, &status) == 0 && (status.st_mode & S_IRGRP) && (status.st_mode & S_IWGRP) &&
	    (group = getgrgid(status.st_gid)))
		return error_set(why, -error,
				 "no right to open %s: it is for members of the group %s; join it "
				 "(sudo usermod -aG %s $USER) and log in again",
				 path, group->gr_name, group->gr_name);
	if (strcmp(path, PROCESS_DYAD_NODE) == 0)
		return error_set(
			why, -error,
			"no right to open %s: it is for root alone; run as root, or load the "
			"driver with a group (modprobe dyad mode=0660 group=NUMBER)",
			path);
	return error_set(why, -error,
			 "no right to open %s: it is for root alone; run as root, or give it to "
			 "the group kvm (sudo chgrp kvm %s && sudo chmod g+rw %s)",
			 path, path, path);
}

/* Why it can't be opened, and what the person can do about that. */
static int kvm_open_error(const char *path, int error, struct error *why)
{
	switch (error) {
	case ENOENT:
		return error_set(why, -error, "there is no %s: %s", path, kvm_load_advice(path));
	case EACCES:
	case EPERM:
		return kvm_right_error(path, error, why);
	case ENODEV:
	case ENXIO:
		return error_set(why, -error, "nobody answers at %s: %s", path,
				 kvm_load_advice(path));
	case EBUSY:
		return error_set(
			why, -error,
			"%s is busy: another hypervisor owns the processor's virtualization; "
			"stop its virtual machines and unload it",
			path);
	default:
		return error_set(why, -error, "cannot open %s: %s", path, strerror(error));
	}
}

int process_kvm_open(const char *path, struct os_kvm **kvm, struct error *why)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	int version, error;

	if (fd < 0)
		return kvm_open_error(path, errno, why);
	version = ioctl(fd, KVM_GET_API_VERSION, 0);
	if (version < 0) {
		error = error_set(why, -ENOTTY,
				  "%s is no hypervisor: it does not answer the KVM interface; name "
				  "another node, such as /dev/kvm",
				  path);
		goto close_fd;
	}
	if (version != KVM_API_VERSION) {
		error = error_set(
			why, -ENOTSUP,
			"%s speaks version %d of the KVM interface and not %d: it can't be used",
			path, version, KVM_API_VERSION);
		goto close_fd;
	}
	error = kvm_node_make(fd, kvm);
	if (!error)
		return 0;
	error_set(why, error, "cannot open %s: out of memory", path);
close_fd:
	close(fd);
	return error;
}
