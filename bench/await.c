/* SPDX-License-Identifier: MIT */
/*
 * Times how long a command takes until it says something:
 *
 *   await SECONDS TEXT LOG COMMAND [ARGUMENT...]
 *
 * The command's standard output goes to LOG, through a pipe that is read here.  As soon as TEXT has
 * come out of it, the nanoseconds since just before the command's process was made are written to
 * standard output.  Then the command may run to its end; it is killed when SECONDS are over.  Exit
 * status 0 if the text came and the command ended by itself, else 1, and 2 for what went wrong
 * here.
 *
 * It is a program, not a script, because a shell reads a pipe byte by byte: under the lab's counted
 * instructions that would be part of what is measured.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_MS 1000000
#define NS_PER_S 1000000000

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * NS_PER_S + time.tv_nsec;
}

static void give_up(const char *what) __attribute__((noreturn));

static void give_up(const char *what)
{
	perror(what);
	exit(2);
}

static pid_t start(char **command, int *output)
{
	int ends[2];
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) != 0)
		give_up("pipe");
	child = vfork();
	if (child < 0)
		give_up("vfork");
	if (child == 0) {
		dup2(ends[1], STDOUT_FILENO);
		execvp(command[0], command);
		_exit(127);
	}
	close(ends[1]);
	*output = ends[0];
	return child;
}

/* Whether the text ends with one of the new bytes.  Of what came before, matched is how far it
 * agrees. */
static bool find(const char *text, size_t *matched, const char *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (bytes[i] != text[*matched])
			*matched = 0;
		/* Not a full search: the text's first byte must not come again in it. */
		if (bytes[i] == text[*matched])
			(*matched)++;
		if (!text[*matched])
			return true;
	}
	return false;
}

/* Until the end of the output: true.  When the time is over: false. */
static bool follow(int output, int log, const char *text, int64_t started, int64_t deadline,
		   bool *found)
{
	struct pollfd wait = {.fd = output, .events = POLLIN};
	size_t matched = 0;
	char buffer[4096];

	for (;;) {
		int64_t left = (deadline - now()) / NS_PER_MS;
		ssize_t count;

		if (left <= 0 || poll(&wait, 1, (int)left) < 0)
			return false;
		if (!wait.revents)
			continue;
		count = read(output, buffer, sizeof(buffer));
		if (count <= 0)
			return true;
		if (!*found && find(text, &matched, buffer, (size_t)count)) {
			*found = true;
			printf("%lld\n", (long long)(now() - started));
			fflush(stdout);
		}
		if (write(log, buffer, (size_t)count) != count)
			give_up("write");
	}
}

int main(int argc, char **argv)
{
	int64_t started, deadline;
	bool found = false;
	int log, output;
	pid_t child;

	if (argc < 5 || !argv[2][0] || strchr(argv[2] + 1, argv[2][0])) {
		fprintf(stderr, "usage: await SECONDS TEXT LOG COMMAND [ARGUMENT...]\n");
		return 2;
	}
	log = open(argv[3], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (log < 0)
		give_up(argv[3]);
	started = now();
	deadline = started + (int64_t)atoi(argv[1]) * NS_PER_S;
	child = start(argv + 4, &output);
	if (!follow(output, log, argv[2], started, deadline, &found)) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		return 1;
	}
	waitpid(child, NULL, 0);
	return found ? 0 : 1;
}
