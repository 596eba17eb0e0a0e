/* SPDX-License-Identifier: MIT */
/*
 * trap.c - the IDT, and who gets what arrives: interrupts by their handlers, exceptions of ring 3
 * by fault.c; one of ring 0 is a panic, but for those at places that expect it (.fixups: pairs of
 * the address that may fault and where it goes on then).
 */
#include "type1/runtime/trap.h"

#include "hw/x86.h"
#include "type1/runtime/cpu.h"
#include "type1/runtime/instructions.h"
#include "type1/runtime/layout.h"
#include "type1/runtime/panic.h"
#include "type1/runtime/thread.h"

#define VECTORS 256
#define ENTRY_SIZE 16 /* of trap_entry.S */

/* APM2 section 4.8.4 */
struct gate {
	uint16_t offset_low, selector;
	uint8_t stack, type;
	uint16_t offset_middle;
	uint32_t offset_high, reserved_c;
};
_Static_assert(sizeof(struct gate) == 16, "gate");
#define GATE_PRESENT 0x80u

_Static_assert(offsetof(struct trap_frame, cs) == TRAP_FRAME_CS, "TRAP_FRAME_CS");
_Static_assert(sizeof(struct trap_frame) == TRAP_FRAME_SIZE, "TRAP_FRAME_SIZE");

struct fixup {
	uint64_t fault, go_on;
};
extern const struct fixup fixups_start[], fixups_end[];
extern const char trap_entries[];
void trap_handle(struct trap_frame *frame); /* of trap_entry.S */

static struct gate idt[VECTORS]; /* [const] after trap_init() */
static void (*handlers[VECTORS])(struct trap_frame *frame);

void trap_set_handler(uint8_t vector, void (*handler)(struct trap_frame *frame))
{
	__atomic_store_n(&handlers[vector], handler, __ATOMIC_RELEASE);
}

void trap_init(void)
{
	for (unsigned i = 0; i < VECTORS; i++) {
		uint64_t at = (uint64_t)&trap_entries[i * ENTRY_SIZE];

		idt[i] = (struct gate){.offset_low = (uint16_t)at,
				       .selector = SELECTOR_KERNEL_CODE,
				       .type = GATE_PRESENT | SYSTEM_TYPE_INTERRUPT_GATE32,
				       .offset_middle = (uint16_t)(at >> 16),
				       .offset_high = (uint32_t)(at >> 32)};
	}
	idt[TRAP_NMI].stack = TRAP_STACK_NMI + 1;
	idt[TRAP_DOUBLE_FAULT].stack = TRAP_STACK_DOUBLE_FAULT + 1;
	idt[TRAP_MACHINE_CHECK].stack = TRAP_STACK_MACHINE_CHECK + 1;
}

void trap_init_cpu(void)
{
	const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) pointer = {sizeof(idt) - 1, (uint64_t)idt};

	__asm__ volatile("lidt %0" : : "m"(pointer));
}

static bool fix_up(struct trap_frame *frame)
{
	for (const struct fixup *fixup = fixups_start; fixup < fixups_end; fixup++) {
		if (fixup->fault == frame->rip) {
			frame->rip = fixup->go_on;
			return true;
		}
	}
	return false;
}

/* Those that have a stack of their own: they leave it as they came. */
static bool handle_anywhere(struct trap_frame *frame)
{
	switch (frame->vector) {
	case TRAP_NMI:
		panic_take_nmi(); /* else nobody's */
		return true;
	case TRAP_MACHINE_CHECK:
	case TRAP_DOUBLE_FAULT:
		panic(frame, "exception %llu", (unsigned long long)frame->vector);
	default:
		return false;
	}
}

static void handle_exception(struct trap_frame *frame)
{
	if (frame->cs & SELECTOR_RPL) {
		process_fault(frame);
		__asm__ volatile("cli" : : : "memory");
	} else if (!fix_up(frame)) {
		panic(frame, "exception %llu in ring 0", (unsigned long long)frame->vector);
	}
}

void trap_handle(struct trap_frame *frame)
{
	void (*handler)(struct trap_frame *);

	if (handle_anywhere(frame))
		return;
	if (frame->vector < TRAP_EXCEPTIONS) {
		handle_exception(frame);
	} else {
		handler = __atomic_load_n(&handlers[frame->vector], __ATOMIC_ACQUIRE);
		if (handler)
			handler(frame);
	}
	/* With interrupts off here, so that no trap nests in this. */
	if (frame->cs & SELECTOR_RPL)
		thread_return_to_user();
	else if ((frame->rflags & RFLAGS_IF) && this_cpu()->reschedule &&
		 this_cpu()->preempt_off == 0)
		schedule();
}
