/* SPDX-License-Identifier: MIT */
/*
 * panic.c - the end: what, where and why, on the serial line and the screen, and no CPU goes on.
 * Takes no locks: whoever holds one will never let go.
 */
#include "type1/runtime/panic.h"

#include "hw/apic.h"
#include "lib/bits.h"
#include "lib/format.h"
#include "type1/runtime/apic.h"
#include "type1/runtime/cpu.h"
#include "type1/runtime/image.h"
#include "type1/runtime/instructions.h"
#include "type1/runtime/log.h"
#include "type1/runtime/memory.h"
#include "type1/runtime/serial.h"
#include "type1/runtime/thread.h"

#define LINE_MAX 256
#define CALLERS_MAX 24

static bool panicking; /* [atomic] */

void panic_take_nmi(void)
{
	if (__atomic_load_n(&panicking, __ATOMIC_ACQUIRE))
		cpu_stop();
}

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
	char line[LINE_MAX];
	va_list args;
	size_t used;

	va_start(args, format);
	used = log_format(line, sizeof(line), format, args);
	va_end(args);
	serial_write(line, used);
	screen_write_line(line, used - 1);
}

static void say_registers(const struct trap_frame *f)
{
#define U(value) (unsigned long long)(value)
	say("vector %llu error %llx cr2 %016llx cr3 %llx", U(f->vector), U(f->error), U(read_cr2()),
	    U(read_cr3()));
	say("rip %llx:%016llx rsp %llx:%016llx rflags %llx", U(f->cs), U(f->rip), U(f->ss),
	    U(f->rsp), U(f->rflags));
	say("rax %016llx rbx %016llx rcx %016llx rdx %016llx", U(f->rax), U(f->rbx), U(f->rcx),
	    U(f->rdx));
	say("rsi %016llx rdi %016llx rbp %016llx r8  %016llx", U(f->rsi), U(f->rdi), U(f->rbp),
	    U(f->r8));
	say("r9  %016llx r10 %016llx r11 %016llx r12 %016llx", U(f->r9), U(f->r10), U(f->r11),
	    U(f->r12));
	say("r13 %016llx r14 %016llx r15 %016llx", U(f->r13), U(f->r14), U(f->r15));
#undef U
}

/* What on the stack may be a return address: words that point into the text.  Frames have no
 * pointers here; so some that are said were none, and none that was is missing. */
static void say_callers(uint64_t at)
{
	uint64_t root = read_cr3() & ~(uint64_t)(PAGE_SIZE - 1), end;
	struct table_entry entry;

	/* Of a stack that overran its guard page, what's above. */
	if (!table_find(root, at, &entry))
		at = align_up(at, PAGE_SIZE);
	at = align_up(at, sizeof(at));
	end = at + KERNEL_STACK;
	for (unsigned said = 0; at < end && said < CALLERS_MAX; at += sizeof(at)) {
		uint64_t word;

		if (!table_find(root, at, &entry))
			return;
		word = *(const uint64_t *)at;
		if (word > (uint64_t)image_start && word < (uint64_t)image_text_end) {
			say("  maybe called from %016llx", (unsigned long long)word);
			said++;
		}
	}
}

static void stop_others(void)
{
	for (unsigned i = 0; i < cpu_count; i++) {
		if (cpus[i] && cpus[i]->online && cpus[i] != this_cpu())
			apic_send_mode(cpus[i]->apic_id, APIC_MODE_NMI, 0);
	}
}

_Noreturn void panic(const struct trap_frame *frame, const char *format, ...)
{
	char what[LINE_MAX / 2];
	va_list args;

	__asm__ volatile("cli" : : : "memory");
	/* One tells; others who panic meanwhile, and this one if telling does, stop. */
	if (__atomic_exchange_n(&panicking, true, __ATOMIC_ACQ_REL))
		cpu_stop();
	va_start(args, format);
	format_text_args(what, sizeof(what), format, args);
	va_end(args);
	if (cpu_count) {
		stop_others();
		say("panic on CPU %u, thread %p: %s", this_cpu()->number,
		    (void *)this_cpu()->current, what);
	} else {
		say("panic: %s", what);
	}
	if (frame)
		say_registers(frame);
	say_callers(frame ? frame->rsp : (uint64_t)__builtin_frame_address(0));
	cpu_stop();
}

/* --- The compiler's stack protector (-mstack-protector-guard=global) */

extern uintptr_t __stack_chk_guard;
uintptr_t __stack_chk_guard; /* [const] after boot: main.c chooses it */
_Noreturn void __stack_chk_fail(void);
_Noreturn void __stack_chk_fail(void)
{
	panic(NULL, "a stack frame was overrun");
}
