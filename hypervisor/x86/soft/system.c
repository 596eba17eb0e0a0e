/* SPDX-License-Identifier: MIT */
/* system.c - who of the system part executes an instruction. */
#include "hypervisor/x86/soft/system.h"

soft_system_op *soft_system_find(const struct decode_insn *insn)
{
	static soft_system_op *(*const find[])(const struct decode_insn *insn) = {
		segment_find, table_find,   interrupt_find, far_find,   return_find,
		syscall_find, control_find, debug_find,     exits_find,
	};
	soft_system_op *found = NULL;

	for (unsigned i = 0; i < ARRAY_COUNT(find) && !found; i++)
		found = find[i](insn);
	return found;
}
