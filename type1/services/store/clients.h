/* SPDX-License-Identifier: MIT */
/*
 * clients.h - the store's clients: their channels (abi/store.h), and requests that are checked once
 * they are copied.
 *
 * A client is hostile: it is answered with errors for what it may not ask, and its channel is
 * closed for what can't be a mistake.  It can make the store hold its own memory, and take its turn
 * of the transfers; nothing else.
 */
#ifndef DYAD_STORE_CLIENTS_H
#define DYAD_STORE_CLIENTS_H

#include "type1/services/store/volumes.h"

/* From now on this process is the store; disks: those with volumes. */
int clients_listen(struct os_loop *loop, struct volumes *disks);

#endif
