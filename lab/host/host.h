/* What the two halves of the emulated host's init share: init.c sets up, command.c runs the
 * command. */
#ifndef LAB_HOST_H
#define LAB_HOST_H

#define STATUS_LAB_FAILED 125

/* How the command is connected, as lab/run says it. */
struct connection {
	int is_terminal;
	unsigned short rows, columns; /* of the terminal, at first */
};

/* Ends with a sentence on the host's console and a host that powers off without results. */
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Runs it to its end, with all that it wrote on its way out of this host, and gives its exit
 * status: 128 + N if signal N ended it, 127 or 126 if it could not be started. */
int command_run(const struct connection *connection, char **command);

#endif
