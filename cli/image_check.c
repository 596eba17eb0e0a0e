/* SPDX-License-Identifier: MIT */
/*
 * image_check.c - what VMs that share an image must not have in common: a name, also with a
 * service, or a volume that one of them writes.  A disk's volume has the name of its file without
 * the folder, so files of one name are one volume.
 */
#include <errno.h>
#include <string.h>

#include "cli/image.h"

static int image_check_names(const struct image_vm *a, const struct image_vm *b, struct error *why)
{
	if (strcmp(a->config->name, b->config->name) != 0)
		return 0;
	return error_set(why, -EINVAL,
			 "%.150s and %.150s both define a VM that is called %s; give one another "
			 "\"name\"",
			 a->path, b->path, b->config->name);
}

/* Of two different disks. */
static int image_check_share(const struct image_vm *a, const struct vm_disk_config *disk_a,
			     const struct image_vm *b, const struct vm_disk_config *disk_b,
			     struct error *why)
{
	const char *volume = image_volume_of(disk_b->path);

	if (strcmp(image_volume_of(disk_a->path), volume) != 0)
		return 0;
	if (strcmp(disk_a->path, disk_b->path) != 0)
		return error_set(why, -EINVAL,
				 "%.100s of %.100s and %.100s of %.100s would both be the volume "
				 "%.70s; give one file another name",
				 disk_a->path, a->path, disk_b->path, b->path, volume);
	if (disk_a->read_only && disk_b->read_only)
		return 0;
	return error_set(why, -EINVAL,
			 "%.150s and %.150s both have the volume %.70s, and one would not see what "
			 "the other writes; give each a file of its own, or have both \"ro\"",
			 a->path, b->path, volume);
}

static int image_check_volumes(const struct image_vm *a, const struct image_vm *b,
			       struct error *why)
{
	int error = 0;

	for (unsigned i = 0; error == 0 && i < b->config->disk_count; i++)
		for (unsigned j = 0; error == 0 && j < a->config->disk_count; j++)
			if (a != b || j < i)
				error = image_check_share(a, &a->config->disks[j], b,
							  &b->config->disks[i], why);
	return error;
}

static int image_check_volume_names(const struct image_vm *vm, struct error *why)
{
	int error = 0;

	for (unsigned i = 0; error == 0 && i < vm->config->disk_count; i++)
		error = image_check_volume(image_volume_of(vm->config->disks[i].path), vm->path,
					   why);
	return error;
}

int image_check(const struct image_vm *vms, unsigned count, struct error *why)
{
	int error = 0;

	for (unsigned i = 0; error == 0 && i < count; i++) {
		if (image_is_service(vms[i].config->name))
			return error_set(why, -EINVAL,
					 "%.150s: a service of type 1 is called %s; give the VM "
					 "another \"name\"",
					 vms[i].path, vms[i].config->name);
		error = image_check_volume_names(&vms[i], why);
		for (unsigned j = 0; error == 0 && j <= i; j++) {
			if (j < i)
				error = image_check_names(&vms[j], &vms[i], why);
			if (error == 0)
				error = image_check_volumes(&vms[j], &vms[i], why);
		}
	}
	return error;
}
