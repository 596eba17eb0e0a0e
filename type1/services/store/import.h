/* SPDX-License-Identifier: MIT */
/*
 * import.h - volumes that are made when the store starts, empty or of a file of the image.
 */
#ifndef DYAD_STORE_IMPORT_H
#define DYAD_STORE_IMPORT_H

#include "type1/services/store/config.h"
#include "type1/services/store/volumes.h"

/* Makes the volume on a disk that has none of the name, while no loop runs; the size that it got.
 */
int import_volume(struct volumes *volumes, const struct config_volume *config, struct os_loop *loop,
		  uint64_t *size, struct error *why);

#endif
