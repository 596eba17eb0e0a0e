/* SPDX-License-Identifier: MIT */
/*
 * How long a port read takes that the monitor serves, in ticks of the time-stamp counter; under the
 * lab's --icount a tick is an instruction.  The port is the UART's line status, which every PC has.
 */
#include "tests/guest/guest.h"

#define READS 2000
#define WARM_UP 200
#define LINE_STATUS (GUEST_SERIAL + 5)

static uint32_t ticks_of(uint32_t reads)
{
	uint64_t start = read_tsc();

	for (uint32_t i = 0; i < reads; i++)
		in8(LINE_STATUS);
	return (uint32_t)(read_tsc() - start);
}

void guest_main(uint32_t magic, const void *multiboot_info)
{
	(void)magic;
	(void)multiboot_info;
	ticks_of(WARM_UP);
	guest_print("port_read: ");
	guest_print_number(ticks_of(READS) / READS);
	guest_print("\n");
	guest_exit(0);
}
