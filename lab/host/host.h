/* What the two halves of the emulated host's init share: init.c sets up, command.c runs the
 * command. */
#ifndef LAB_HOST_H
#define LAB_HOST_H

#define STATUS_LAB_FAILED 125

enum connection_kind {
	CONNECTION_PIPES,    /* virtio-serial ports, for stdout and stderr */
	CONNECTION_TERMINAL, /* virtio-serial ports, for a terminal and its size */
	CONNECTION_PARALLEL, /* the PC's parallel ports, for stdout and stderr */
};

/* How the command is connected, as lab/run says it. */
struct connection {
	enum connection_kind kind;
	unsigned short rows, columns; /* of the terminal, at first */
};

/* Ends with a sentence on the host's console and a host that powers off without results. */
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Runs it to its end, with all that it wrote on its way out of this host, and gives its exit
 * status: 128 + N if signal N ended it, 127 or 126 if it could not be started. */
int command_run(const struct connection *connection, char **command);

#endif
