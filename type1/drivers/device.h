/* SPDX-License-Identifier: MIT */
/*
 * device.h - a PCI device that a service has: its configuration space, registers, interrupts, and
 * memory for its rings (abi/type1.h, DMA and Devices).
 *
 * Memory that a device reads and writes is coherent on x86, and stores are seen in order: what a
 * driver orders against its device's registers are the compiler's accesses alone, by
 * device_publish() and device_observe().
 */
#ifndef DYAD_TYPE1_DRIVERS_DEVICE_H
#define DYAD_TYPE1_DRIVERS_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/type1.h"
#include "os.h"

struct device {
	uint64_t handle;
	struct type1_device info;
};

/* One of TYPE1_DEVICE_LIST.  devices: the handle that the process was started with.  Makes it
 * answer at its BARs, and a bus master. */
int device_open(struct device *device, uint32_t devices, const struct type1_device *info);
/* Ends its DMA; its memory and registers must not be touched any more. */
void device_close(struct device *device);

/* size: 1, 2 or 4. */
uint32_t device_config_read(const struct device *device, unsigned offset, unsigned size);
/* The offset of the next capability of the kind behind another, or behind 0 the first; 0: none. */
unsigned device_capability(const struct device *device, uint8_t id, unsigned behind);
/* The registers of a BAR that has at least size bytes; NULL. */
volatile void *device_map(const struct device *device, unsigned bar, uint64_t size);
/* fired(arg) on the loop thread for the device's interrupt of that number. */
int device_interrupt(const struct device *device, unsigned number, struct os_loop *loop,
		     void (*fired)(void *), void *arg);
/* Zeroed memory in one piece, for as long as the device is open; NULL. */
void *device_dma(const struct device *device, uint64_t size, uint64_t *physical);

/* What was written before is in memory before the register that is written next. */
static inline void device_publish(void)
{
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

/* What is read next was written by the device before what was read last. */
static inline void device_observe(void)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
}

/* Waits, a moment at a time, until (register & mask) is value.  False: not within that time. */
bool device_wait(const volatile uint32_t *where, uint32_t mask, uint32_t value,
		 uint64_t nanoseconds);

#define DEVICE_MILLISECOND UINT64_C(1000000)

#endif
