/* SPDX-License-Identifier: MIT */
/*
 * device_access.h - an instruction of the guest's that reaches a device, from its exit until the
 * core has the device's answer: for backends on hardware.
 *
 * A port's access needs the answer and no more.  Anything else is emulated, access by access.  The
 * vCPU's state must be whole where it is emulated.  By the vCPU's thread.
 */
#ifndef DYAD_HYPERVISOR_X86_DEVICE_ACCESS_H
#define DYAD_HYPERVISOR_X86_DEVICE_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "hypervisor/vcpu.h"
#include "hypervisor/x86/backend.h"
#include "hypervisor/x86/emulate.h"
#include "lib/bits.h"

enum device_access_kind { DEVICE_ACCESS_NONE, DEVICE_ACCESS_PORT, DEVICE_ACCESS_EMULATION };

struct device_access {
	enum device_access_kind kind;
	uint64_t rip; /* of the instruction */
	/* Of a port. */
	uint16_t port;
	uint8_t size, length; /* of the access, of the instruction */
	bool write;
	bool step_done; /* the debugger waits for an instruction that has ended */
	struct emulate emulate;
};

/* Of QEMU's option ROM, which finds RIP behind an OUT to it: part of the KVM ABI, as a quirk. */
#define DEVICE_ACCESS_VAPIC_PORT 0x7eu

/*
 * An exit at IN or OUT, whose port, size, length and write are in a: exit is what the core is
 * asked. True: the instruction is to be ended at once by device_access_complete(), before the core
 * sees it.
 */
static inline bool device_access_port(struct device_access *a, const struct vcpu *vcpu,
				      struct exit *exit)
{
	const struct cpu_state *s = &vcpu->state;

	a->kind = DEVICE_ACCESS_PORT;
	a->rip = s->rip;
	exit->kind = EXIT_ACCESS;
	exit->access.space = EXIT_SPACE_PORT;
	exit->access.refused = false;
	exit->access.write = a->write;
	exit->access.size = a->size;
	exit->access.address = a->port;
	exit->access.data = a->write ? s->gpr[CPU_RAX] & size_mask(a->size) : 0;
	return a->write && a->port == DEVICE_ACCESS_VAPIC_PORT;
}

/*
 * Emulates the instruction at RIP from its begin, or goes on with it.  True: exit is for the core,
 * or there is something for it to look at; false: on into the guest.  *why: NULL, or a sentence why
 * it can't be done, and then exit is as it was.
 */
bool device_access_emulate(struct device_access *a, struct vcpu *vcpu, struct exit *exit,
			   const char **why);
bool device_access_go_on(struct device_access *a, struct vcpu *vcpu, struct exit *exit,
			 const char **why);

/* backend.h's complete_access().  live: DR0 to DR3 are the guest's own in the CPU. */
void device_access_complete(struct device_access *a, struct vcpu *vcpu, uint64_t data, bool live);

void device_access_forget(struct device_access *a);

/* An instruction was finished by other means than the guest's CPU: whether the core is to look. */
static inline bool device_access_finished(struct device_access *a, const struct vcpu *vcpu)
{
	a->step_done = vcpu->debug_step;
	return a->step_done || vcpu->exception.kind != CPU_EVENT_NONE;
}

#endif
