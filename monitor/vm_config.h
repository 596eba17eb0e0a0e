/* SPDX-License-Identifier: MIT */
/*
 * vm_config.h - what a VM is: all that its definition says, checked, with every default filled in.
 * The command makes it from options and JSON; a bare-metal image carries it compiled.
 */
#ifndef DYAD_MONITOR_VM_CONFIG_H
#define DYAD_MONITOR_VM_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "os.h"

#define VM_NAME_MAX 63
#define VM_CPUS_MAX 64
#define VM_DISKS_MAX 16
#define VM_NETS_MAX 8
#define VM_FORWARDS_MAX 16
#define VM_MODULES_MAX 16
#define VM_SERIAL_MAX 20
#define VM_MEMORY_MIN (UINT64_C(2) << 20)

enum vm_console { VM_CONSOLE_SERIAL, VM_CONSOLE_VIRTIO, VM_CONSOLE_NONE };

struct vm_module_config { /* Multiboot module */
	const char *path;
	const char *arguments; /* or NULL */
};

struct vm_disk_config {
	const char *path;
	bool read_only;
	enum os_block_cache cache;
	bool discard;
	const char *serial; /* or NULL */
};

struct vm_net_config {
	enum os_net_kind kind;
	const char *tap; /* OS_NET_TAP: the interface */
	uint8_t mac[6];
	uint64_t rate; /* bits a second that the guest may send; 0: no limit */
	struct os_net_forward forwards[VM_FORWARDS_MAX];
	uint32_t forward_count;
};

/* All strings are the caller's and outlive the VM. */
struct vm_config {
	const char *name;
	const char *kernel;
	const char *initrd; /* or NULL */
	const char *append; /* the kernel's command line, never NULL */
	bool kaslr;
	struct vm_module_config modules[VM_MODULES_MAX];
	unsigned module_count;
	uint32_t cpus;
	uint64_t memory; /* bytes, a multiple of 4096 */
	struct vm_disk_config disks[VM_DISKS_MAX];
	unsigned disk_count;
	struct vm_net_config nets[VM_NETS_MAX];
	unsigned net_count;
	enum vm_console console; /* where the guest's terminal is attached */
	bool rng;
	bool balloon;
	bool test_device;
};

#endif
