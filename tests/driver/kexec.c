/* SPDX-License-Identifier: MIT */
/* Starts another kernel in this one's place, without the firmware: kexec_file_load(2). */
#include "tests/driver/machine.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Does not return if all goes well. */
int start_kernel(const char *kernel, const char *initrd, const char *words)
{
	int kernel_fd = open(kernel, O_RDONLY | O_CLOEXEC);
	int initrd_fd = open(initrd, O_RDONLY | O_CLOEXEC);

	if (kernel_fd < 0 || initrd_fd < 0 ||
	    syscall(SYS_kexec_file_load, kernel_fd, initrd_fd, strlen(words) + 1, words, 0UL) < 0) {
		printf("not ok %s can't be loaded: %s\n", kernel, strerror(errno));
		return 1;
	}
	sync();
	reboot(RB_KEXEC);
	printf("not ok %s can't be started: %s\n", kernel, strerror(errno));
	return 1;
}
