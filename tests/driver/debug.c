/* SPDX-License-Identifier: MIT */
/* What a caller's debugger asks of the driver: KVM_SET_GUEST_DEBUG. */
#include "tests/driver/machine.h"

#include <string.h>

#define DR6_BS (1u << 14)
#define DR7_L0 1u
#define DR7_L1 (1u << 2)
#define DR7_WRITE_4_BYTES_1 (0xdu << 20) /* of DR1's address */

/* At CODE: each instruction's place is that of the one before and its length. */
static const uint8_t code_debug[] = {
	0x90,                                                       /* 0: nop */
	0x40,                                                       /* 1: inc %ax */
	0x66, 0xff,        0x06,      COUNTER & 0xff, COUNTER >> 8, /* 2: incl COUNTER */
	0x0f, 0xa2,                   /* 7: cpuid, which exits by itself */
	0xba, PORT & 0xff, PORT >> 8, /* 9: mov $PORT, %dx */
	0xee,                         /* 12: out %al, (%dx), which the caller serves */
	0x43,                         /* 13: inc %bx */
	0xf4,                         /* 14: hlt */
};

static int set_debug(struct machine *m, uint32_t control, const uint64_t registers[8])
{
	struct kvm_guest_debug debug = {.control = control};

	if (registers)
		memcpy(debug.arch.debugreg, registers, sizeof(debug.arch.debugreg));
	return ioctl(m->vcpu, KVM_SET_GUEST_DEBUG, &debug);
}

static bool stopped_at(const struct machine *m, uint32_t vector, uint64_t at)
{
	const struct kvm_debug_exit_arch *arch = &m->run->debug.arch;

	return m->run->exit_reason == KVM_EXIT_DEBUG && arch->exception == vector &&
	       arch->pc == CODE + at;
}

static uint64_t rip_of(const struct machine *m)
{
	struct kvm_regs regs = {0};

	ioctl(m->vcpu, KVM_GET_REGS, &regs);
	return regs.rip;
}

/* After each instruction, whoever has executed it: the CPU, the core, or the caller. */
void test_single_steps(void)
{
	static const uint64_t ends[] = {1, 2, 7, 9, 12, 13, 14};
	struct kvm_regs regs;
	unsigned ports = 0;
	struct machine m;

	WORKS(machine_begin(&m, false, code_debug, sizeof(code_debug)));
	WORKS(set_debug(&m, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP, NULL));
	for (unsigned i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		WORKS(ioctl(m.vcpu, KVM_RUN, 0));
		if (m.run->exit_reason == KVM_EXIT_IO) {
			ports++;
			WORKS(ioctl(m.vcpu, KVM_RUN, 0));
		}
		HOLDS(stopped_at(&m, 1, ends[i]));
		HOLDS(m.run->debug.arch.dr6 & DR6_BS);
		HOLDS(rip_of(&m) == CODE + ends[i]);
	}
	HOLDS(ports == 1);
	HOLDS(*counter_of(&m) == 1);
	/* The guest has no trace of it: neither the flag nor the register. */
	WORKS(ioctl(m.vcpu, KVM_GET_REGS, &regs));
	HOLDS(!(regs.rflags & 0x100));
	WORKS(set_debug(&m, 0, NULL));
	WORKS(ioctl(m.vcpu, KVM_RUN, 0));
	HOLDS(m.run->exit_reason == KVM_EXIT_HLT);
	machine_end(&m);
}

/*
 * QEMU's CPU in software gives INT3 to the guest whatever is intercepted, and doesn't look at the
 * DR7 that VMRUN loads.
 */
static bool has_breakpoints(void)
{
	uint32_t a = 0x40000000, b, c, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
	if (b != 0x54474354 /* "TCGT" */)
		return true;
	skip("an emulated CPU has no breakpoints for its guests' debuggers");
	return false;
}

void test_software_breakpoints(void)
{
	struct machine m;

	if (!has_breakpoints())
		return;

	WORKS(machine_begin(&m, false, code_debug, sizeof(code_debug)));
	m.ram[CODE + 2] = 0xcc;
	WORKS(set_debug(&m, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP, NULL));
	WORKS(ioctl(m.vcpu, KVM_RUN, 0));
	HOLDS(stopped_at(&m, 3, 2));
	HOLDS(*counter_of(&m) == 0);
	/* What stood there goes back, and the guest goes on with it. */
	m.ram[CODE + 2] = code_debug[2];
	WORKS(ioctl(m.vcpu, KVM_RUN, 0));
	HOLDS(m.run->exit_reason == KVM_EXIT_IO);
	HOLDS(*counter_of(&m) == 1);
	machine_end(&m);

	/* One that is the guest's own goes to its handler (of vector 3: a HLT). */
	WORKS(machine_begin(&m, false, code_debug, sizeof(code_debug)));
	m.ram[CODE + 2] = 0xcc;
	m.ram[CODE + 0x100] = 0xf4;
	memcpy(m.ram + (size_t)3 * 4, &(uint32_t){CODE + 0x100}, 4);
	WORKS(set_debug(&m, KVM_GUESTDBG_ENABLE, NULL));
	WORKS(ioctl(m.vcpu, KVM_RUN, 0));
	HOLDS(m.run->exit_reason == KVM_EXIT_HLT);
	HOLDS(rip_of(&m) == CODE + 0x101);
	machine_end(&m);
}

void test_hardware_breakpoints(void)
{
	uint64_t registers[8] = {CODE + 7, COUNTER, 0, 0, 0, 0, 0, DR7_L0};
	struct kvm_debugregs guests = {0};
	struct machine m;

	if (!has_breakpoints())
		return;
	WORKS(machine_begin(&m, false, code_debug, sizeof(code_debug)));
	WORKS(set_debug(&m, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP, registers));
	WORKS(ioctl(m.vcpu, KVM_RUN, 0));
	HOLDS(stopped_at(&m, 1, 7)); /* in front of it */
	HOLDS(m.run->debug.arch.dr6 & 1);
	/* The guest's own are as they were. */
	WORKS(ioctl(m.vcpu, KVM_GET_DEBUGREGS, &guests));
	HOLDS(guests.db[0] == 0 && !(guests.dr7 & 0xff) && !(guests.dr6 & 0xf));
	machine_end(&m);

	registers[7] = DR7_L1 | DR7_WRITE_4_BYTES_1;
	WORKS(machine_begin(&m, false, code_debug, sizeof(code_debug)));
	WORKS(set_debug(&m, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP, registers));
	WORKS(ioctl(m.vcpu, KVM_RUN, 0));
	HOLDS(stopped_at(&m, 1, 7)); /* behind the write */
	HOLDS(m.run->debug.arch.dr6 & 2);
	HOLDS(*counter_of(&m) == 1);
	WORKS(ioctl(m.vcpu, KVM_RUN, 0));
	HOLDS(m.run->exit_reason == KVM_EXIT_IO);
	machine_end(&m);
}
