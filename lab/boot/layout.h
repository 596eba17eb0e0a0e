/* Where things lie that the two parts of the Intel host's boot loader, and lab/bochs.sh, share. */
#ifndef LAB_BOOT_LAYOUT_H
#define LAB_BOOT_LAYOUT_H

#define MEMORY_MAP 0x5000 /* the BIOS's, entries of 20 bytes */
#define MEMORY_MAP_ENTRY 20
#define BOOT_SECTOR 0x7c00
#define LOADER 0x8000       /* the second part, of 8 sectors */
#define LOADER_TASK 0x8fc0  /* struct task */
#define COMMAND_LINE 0x9000 /* behind it on the disk, 4 sectors: the kernel's, ended by a NUL */
#define LOADER_SECTORS 12

#endif
