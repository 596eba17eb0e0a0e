/* SPDX-License-Identifier: MIT */
/*
 * machine.c - the system calls that are the console's (machine.h).
 */
#include "type1/services/console/machine.h"

#include "lib/bits.h"
#include "lib/bytes.h"
#include "type1/process/call.h"
#include "type1/process/process.h"

bool machine_process(unsigned index, struct type1_process *process)
{
	bool found = call3(TYPE1_PROCESS_LIST, process_info->handles.processes, index,
			   call_address(process)) >= 0;

	if (found)
		process->name[TYPE1_NAME - 1] = '\0';
	return found;
}

int machine_start(unsigned index)
{
	return (int)call3(TYPE1_PROCESS_CONTROL, process_info->handles.processes, index,
			  TYPE1_PROCESS_START);
}

int machine_kill(unsigned index)
{
	return (int)call3(TYPE1_PROCESS_CONTROL, process_info->handles.processes, index,
			  TYPE1_PROCESS_KILL);
}

void machine_statistics(struct type1_machine *machine)
{
	*machine = (struct type1_machine){0};
	call2(TYPE1_MACHINE, process_info->handles.processes, call_address(machine));
	machine->cpus = MIN(machine->cpus, (uint32_t)ARRAY_COUNT(machine->cpu));
}

bool machine_log_line(uint64_t *number, char line[TYPE1_LOG_LINE + 1])
{
	struct {
		uint64_t number;
		char text[TYPE1_LOG_LINE];
	} entry = {0};
	int64_t size = call4(TYPE1_LOG_READ, process_info->handles.processes, *number,
			     call_address(&entry), sizeof(entry));

	if (size <= 0)
		return false;
	size = MIN(size, (int64_t)sizeof(entry.text));
	while (size && entry.text[size - 1] == '\n')
		size--;
	memcpy(line, entry.text, (size_t)size);
	line[size] = '\0';
	*number = entry.number;
	return true;
}

int machine_watch(struct os_event *event)
{
	return (int)call2(TYPE1_PROCESS_EVENT, process_info->handles.processes,
			  (uint64_t)os_event_handle(event));
}

void machine_power(enum type1_power operation)
{
	call2(TYPE1_POWER, process_info->handles.power, operation);
}

void *machine_map_screen(void)
{
	uint64_t screen = process_info->handles.screen;
	int64_t size, address;

	if (!screen)
		return NULL;
	size = call1(TYPE1_MEMORY_SIZE, screen);
	address = call4(TYPE1_MEMORY_ATTACH, screen, 0, (uint64_t)size, TYPE1_MEMORY_WRITE);
	return address < 0 ? NULL : (uint8_t *)address + process_info->screen.offset;
}
