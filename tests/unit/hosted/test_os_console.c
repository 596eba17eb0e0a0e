/* SPDX-License-Identifier: MIT */
/*
 * test_os_console.c - the console on pipes, files, sockets and pseudo terminals.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "tests/unit/hosted/signals.h"
#include "type2/process/process.h"

#define MILLISECOND UINT64_C(1000000)

struct bench {
	struct os_loop *loop;
	struct os_timer *timer;
	struct os_console *console;
	struct process_console_options options;
	unsigned changes;
	bool want_change; /* the loop stops when the console has changed */
	int last_command;
	unsigned commands;
};

static void stop_loop(void *arg)
{
	os_loop_stop(((struct bench *)arg)->loop);
}

static void console_changed(void *arg)
{
	struct bench *bench = arg;

	bench->changes++;
	if (bench->want_change)
		os_loop_stop(bench->loop);
}

static void console_command(void *arg, enum process_console_command command)
{
	struct bench *bench = arg;

	bench->last_command = (int)command;
	bench->commands++;
}

static int setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	bench->options = (struct process_console_options){.input = -1,
							  .output = -1,
							  .escape = PROCESS_CONSOLE_ESCAPE,
							  .command = console_command,
							  .arg = bench};
	*state = bench;
	return os_loop_create(&bench->loop) ||
	       os_timer_create(bench->loop, stop_loop, bench, &bench->timer);
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	process_console_close(bench->console);
	os_timer_destroy(bench->timer);
	os_loop_destroy(bench->loop);
	free(bench);
	return 0;
}

static void open_console(struct bench *bench, int input, int output)
{
	struct error why;

	bench->options.input = input;
	bench->options.output = output;
	assert_int_equal(process_console_open(bench->loop, &bench->options, &bench->console, &why),
			 0);
	os_console_set_listener(bench->console, console_changed, bench);
}

static void close_console(struct bench *bench)
{
	process_console_close(bench->console);
	bench->console = NULL;
}

static void run_for(struct bench *bench, uint64_t nanoseconds)
{
	os_timer_set(bench->timer, os_clock_monotonic() + nanoseconds);
	os_loop_run(bench->loop);
	os_timer_set(bench->timer, 0);
}

/* Runs the loop until count bytes have been typed, and no more are there. */
static void expect_input(struct bench *bench, const char *text)
{
	char typed[256] = "";
	size_t count = 0;
	uint64_t deadline = os_clock_monotonic() + 3000 * MILLISECOND;

	while (count < strlen(text) && os_clock_monotonic() < deadline) {
		run_for(bench, MILLISECOND);
		count += os_console_read(bench->console, typed + count, sizeof(typed) - 1 - count);
	}
	run_for(bench, 3 * MILLISECOND);
	assert_int_equal(os_console_read(bench->console, typed, 1), 0);
	assert_string_equal(typed, text);
}

static void type(int fd, const char *keys, size_t count)
{
	assert_int_equal(write(fd, keys, count), count);
}

/* --- Output
 * ------------------------------------------------------------------------------------------ */

static void test_bytes_are_written_in_pieces(void **state)
{
	struct bench *bench = *state;
	char text[4096];
	int fds[2];

	/* Packets: each read gives what one write wrote. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	open_console(bench, -1, fds[1]);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(os_console_write(bench->console, "x", 1), 1);
	run_for(bench, 5 * MILLISECOND);
	/* One, or two if we were interrupted for more than a millisecond. */
	assert_true(recv(fds[0], text, sizeof(text), MSG_DONTWAIT) >= 500);
	close_console(bench);
	close(fds[0]);
	close(fds[1]);
}

static void test_stuck_reader_stops_nobody_and_nothing_is_lost(void **state)
{
	struct bench *bench = *state;
	uint32_t sent = 0, received = 0;
	uint8_t bytes[1000];
	int fds[2];
	ssize_t count;

	assert_int_equal(pipe(fds), 0);
	open_console(bench, -1, fds[1]);
	assert_int_equal(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
	/* More than the ring and the pipe together take. */
	for (int i = 0; i < 300; i++) {
		size_t taken;

		for (size_t j = 0; j < sizeof(bytes); j++)
			bytes[j] = (uint8_t)((sent + j) % 251);
		taken = os_console_write(bench->console, bytes, sizeof(bytes));
		sent += (uint32_t)taken;
		run_for(bench, MILLISECOND / 10);
	}
	/* The ring's 64 KiB, and what the pipe holds. */
	assert_true(sent > 64 * KIB && sent < 160 * KIB);
	assert_int_equal(os_console_write(bench->console, bytes, 1), 0);
	assert_int_equal(bench->changes, 0);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	while (received < sent) {
		count = read(fds[0], bytes, sizeof(bytes));
		for (ssize_t j = 0; j < count; j++)
			assert_int_equal(bytes[j], (received + (uint32_t)j) % 251);
		received += count > 0 ? (uint32_t)count : 0;
		if (count < 0)
			run_for(bench, MILLISECOND);
	}
	/* The short write is made good by a call. */
	assert_true(bench->changes > 0);
	assert_int_equal(os_console_write(bench->console, bytes, 1), 1);
	close_console(bench);
	close(fds[0]);
	close(fds[1]);
}

static void test_output_to_nobody_is_dropped(void **state)
{
	struct bench *bench = *state;
	uint8_t bytes[1000] = {0};
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	open_console(bench, -1, fds[1]);
	close(fds[0]);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(os_console_write(bench->console, bytes, sizeof(bytes)),
				 sizeof(bytes));
		run_for(bench, 2 * MILLISECOND);
	}
	close_console(bench);
	close(fds[1]);
	open_console(bench, -1, -1);
	assert_int_equal(os_console_write(bench->console, bytes, sizeof(bytes)), sizeof(bytes));
}

static void test_close_writes_what_is_left(void **state)
{
	struct bench *bench = *state;
	char name[] = "/tmp/dyad-test-XXXXXX", text[16] = "";
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	unlink(name);
	open_console(bench, -1, fd);
	assert_int_equal(os_console_write(bench->console, "last words", 10), 10);
	close_console(bench);
	assert_int_equal(pread(fd, text, sizeof(text), 0), 10);
	assert_string_equal(text, "last words");
	close(fd);
}

#define WRITES 3000

static void write_many(void *arg)
{
	struct bench *bench = arg;

	for (int i = 0; i < WRITES; i++)
		while (os_console_write(bench->console, "y", 1) == 0)
			;
}

static void test_several_threads_write(void **state)
{
	struct bench *bench = *state;
	struct os_thread *threads[2];
	char bytes[4096];
	int fds[2], received = 0;

	assert_int_equal(pipe(fds), 0);
	open_console(bench, -1, fds[1]);
	for (int i = 0; i < 2; i++)
		assert_int_equal(os_thread_start(&threads[i], "write", write_many, bench), 0);
	while (received < 2 * WRITES) {
		struct pollfd readable = {.fd = fds[0], .events = POLLIN};

		run_for(bench, MILLISECOND);
		if (poll(&readable, 1, 0) == 1)
			received += (int)read(fds[0], bytes, sizeof(bytes));
	}
	for (int i = 0; i < 2; i++)
		os_thread_join(threads[i]);
	assert_int_equal(received, 2 * WRITES);
	close_console(bench);
	close(fds[0]);
	close(fds[1]);
}

/* --- Input
 * -------------------------------------------------------------------------------------------- */

static void test_pipe_has_no_commands_and_may_end(void **state)
{
	struct bench *bench = *state;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	open_console(bench, fds[0], -1);
	assert_int_equal(fcntl(fds[0], F_GETFL) & O_NONBLOCK, 0);
	type(fds[1], "a\001x\001", 4);
	expect_input(bench, "a\001x\001");
	assert_int_equal(bench->commands, 0);
	close(fds[1]);
	run_for(bench, 3 * MILLISECOND);
	expect_input(bench, "");
	close_console(bench);
	close(fds[0]);
}

static void test_file_is_read_to_its_end(void **state)
{
	struct bench *bench = *state;
	char name[] = "/tmp/dyad-test-XXXXXX";
	uint8_t bytes[10000], back[10000];
	size_t count = 0;
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	unlink(name);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i % 253);
	assert_int_equal(pwrite(fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	open_console(bench, fd, -1);
	bench->want_change = true;
	while (count < sizeof(back)) {
		size_t taken;

		os_loop_run(bench->loop);
		/* Until there is nothing, as a listener is to. */
		do {
			taken = os_console_read(bench->console, back + count,
						MIN(sizeof(back) - count, 100));
			count += taken;
		} while (taken);
	}
	assert_memory_equal(bytes, back, sizeof(bytes));
	bench->want_change = false;
	expect_input(bench, "");
	close_console(bench);
	close(fd);
	fd = open("/dev/null", O_RDONLY);
	open_console(bench, fd, -1);
	expect_input(bench, "");
	close(fd);
}

static void test_input_waits_until_it_is_taken(void **state)
{
	struct bench *bench = *state;
	uint8_t bytes[20000], back[20000];
	size_t count = 0;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i % 253);
	open_console(bench, fds[0], -1);
	assert_int_equal(send(fds[1], bytes, sizeof(bytes), 0), sizeof(bytes));
	run_for(bench, 10 * MILLISECOND);
	while (count < sizeof(back)) {
		count += os_console_read(bench->console, back + count, sizeof(back) - count);
		/* Never more than it holds. */
		assert_true(count <= 4096 || bench->changes > 8);
		run_for(bench, MILLISECOND);
	}
	assert_memory_equal(bytes, back, sizeof(bytes));
	close_console(bench);
	close(fds[0]);
	close(fds[1]);
}

/* --- Terminals
 * ------------------------------------------------------------------------------------------ */

static bool is_raw(int terminal)
{
	struct termios how;

	assert_int_equal(tcgetattr(terminal, &how), 0);
	return !(how.c_lflag & (ICANON | ECHO | ISIG)) && !(how.c_oflag & OPOST);
}

static void test_terminal_is_raw_while_the_console_is_open(void **state)
{
	struct bench *bench = *state;
	struct process_console_options options = bench->options;
	struct termios before = {0}, after = {0};
	struct os_console *other;
	struct error why;
	int master, slave;

	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	assert_int_equal(tcgetattr(slave, &before), 0);
	assert_false(is_raw(slave));
	open_console(bench, slave, slave);
	assert_true(is_raw(slave));
	assert_int_equal(fcntl(slave, F_GETFL) & O_NONBLOCK, 0);
	options.input = slave;
	assert_int_equal(process_console_open(bench->loop, &options, &other, &why), -EBUSY);
	assert_non_null(strstr(why.text, "another console"));
	assert_true(is_raw(slave));
	close_console(bench);
	assert_int_equal(tcgetattr(slave, &after), 0);
	assert_memory_equal(&before, &after, sizeof(before));
	close(master);
	close(slave);
}

static void test_escape_key_gives_commands(void **state)
{
	struct bench *bench = *state;
	char help[512] = "";
	int master, slave;

	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	open_console(bench, slave, slave);
	/* Ctrl-C, Ctrl-Z and Ctrl-D are the guest's; an unknown command is nothing. */
	type(master, "a\003\032\004\r", 5);
	type(master, "\001q\001\001b", 5);
	expect_input(bench, "a\003\032\004\r\001b");
	assert_int_equal(bench->commands, 0);
	type(master, "\001p", 2);
	expect_input(bench, "");
	assert_int_equal(bench->commands, 1);
	assert_int_equal(bench->last_command, PROCESS_CONSOLE_POWER_BUTTON);
	/* In two parts. */
	type(master, "\001", 1);
	expect_input(bench, "");
	type(master, "xc", 2);
	expect_input(bench, "c");
	assert_int_equal(bench->commands, 2);
	assert_int_equal(bench->last_command, PROCESS_CONSOLE_STOP);
	type(master, "\001?", 2);
	expect_input(bench, "");
	run_for(bench, 5 * MILLISECOND);
	assert_true(read(master, help, sizeof(help) - 1) > 0);
	assert_non_null(strstr(help, "C-A x"));
	close_console(bench);
	close(master);
	close(slave);
}

static void test_terminal_that_is_stopped_does_not_stop_the_loop(void **state)
{
	struct bench *bench = *state;
	uint8_t bytes[1000] = {0};
	int master, slave;

	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	open_console(bench, slave, slave);
	assert_int_equal(tcflow(slave, TCOOFF), 0);
	for (int i = 0; i < 100; i++) {
		os_console_write(bench->console, bytes, sizeof(bytes));
		run_for(bench, MILLISECOND);
	}
	type(master, "\001p", 2);
	expect_input(bench, "");
	assert_int_equal(bench->commands, 1);
	assert_int_equal(tcflow(slave, TCOON), 0);
	close(master);
	close_console(bench);
	close(slave);
}

static void test_closed_terminal_is_the_end_of_input(void **state)
{
	struct bench *bench = *state;
	int master, slave;

	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	open_console(bench, slave, slave);
	close(master);
	run_for(bench, 3 * MILLISECOND);
	assert_int_equal(os_console_write(bench->console, "x", 1), 1);
	run_for(bench, 3 * MILLISECOND);
	expect_input(bench, "");
	close_console(bench);
	close(slave);
}

/* --- Every way out
 * ---------------------------------------------------------------------------------------- */

enum way_out { WAY_EXIT, WAY_ABORT, WAY_SIGNAL };

/* A child that leaves with its console open; its wait status. */
static int leave(enum way_out way, int signal, int slave)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		struct process_console_options options = {.input = slave, .output = slave};
		struct os_console *console;
		struct os_loop *loop;
		struct error why;

		/* The sanitizers' own handlers would report what we mean to do. */
		for (int i = 1; i < 32; i++)
			(void)sigaction(i, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
		if (os_loop_create(&loop) || process_console_open(loop, &options, &console, &why) ||
		    !is_raw(slave))
			_exit(99);
		if (way == WAY_EXIT)
			exit(7);
		if (way == WAY_ABORT)
			abort();
		raise(signal);
		_exit(98);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void test_terminal_is_restored_on_every_way_out(void **state)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGSEGV, SIGBUS,
				      SIGFPE, SIGILL,  SIGSYS, SIGUSR1, SIGALRM};
	struct termios before = {0}, after = {0};
	int master, slave, status;

	(void)state;
	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	assert_int_equal(tcgetattr(slave, &before), 0);
	status = leave(WAY_EXIT, 0, slave);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	assert_false(is_raw(slave));
	status = leave(WAY_ABORT, 0, slave);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_false(is_raw(slave));
	for (size_t i = 0; i < ARRAY_COUNT(signals); i++) {
		status = leave(WAY_SIGNAL, signals[i], slave);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), signals[i]);
		assert_false(is_raw(slave));
	}
	assert_int_equal(tcgetattr(slave, &after), 0);
	assert_memory_equal(&before, &after, sizeof(before));
	close(master);
	close(slave);
}

static void note_signal(void *arg, int signal)
{
	struct bench *bench = arg;

	bench->last_command = signal;
	os_loop_stop(bench->loop);
}

static void test_watched_signal_neither_ends_us_nor_restores(void **state)
{
	struct bench *bench = *state;
	struct sigaction action;
	int master, slave;

	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	/* Whichever comes first, console or watch. */
	assert_int_equal(process_loop_watch_signal(bench->loop, SIGTERM, note_signal, bench), 0);
	open_console(bench, slave, slave);
	assert_int_equal(process_loop_watch_signal(bench->loop, SIGHUP, note_signal, bench), 0);
	raise(SIGHUP);
	os_loop_run(bench->loop);
	assert_int_equal(bench->last_command, SIGHUP);
	raise(SIGTERM);
	os_loop_run(bench->loop);
	assert_int_equal(bench->last_command, SIGTERM);
	assert_true(is_raw(slave));
	process_loop_unwatch_signal(bench->loop, SIGTERM);
	close_console(bench);
	process_loop_unwatch_signal(bench->loop, SIGHUP);
	assert_false(is_raw(slave));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(sigaction(i ? SIGHUP : SIGTERM, NULL, &action), 0);
		assert_true(action.sa_handler == SIG_DFL);
	}
	close(master);
	close(slave);
}

static void test_resumed_process_has_its_raw_terminal_again(void **state)
{
	struct bench *bench = *state;
	struct termios how;
	int master, slave;

	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	assert_int_equal(tcgetattr(slave, &how), 0);
	open_console(bench, slave, slave);
	assert_int_equal(tcsetattr(slave, TCSANOW, &how), 0);
	raise(SIGCONT);
	assert_true(is_raw(slave));
	close_console(bench);
	close(master);
	close(slave);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_bytes_are_written_in_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stuck_reader_stops_nobody_and_nothing_is_lost,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_output_to_nobody_is_dropped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_close_writes_what_is_left, setup, teardown),
		cmocka_unit_test_setup_teardown(test_several_threads_write, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pipe_has_no_commands_and_may_end, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_file_is_read_to_its_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_input_waits_until_it_is_taken, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_terminal_is_raw_while_the_console_is_open,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_escape_key_gives_commands, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_terminal_that_is_stopped_does_not_stop_the_loop, setup, teardown),
		cmocka_unit_test_setup_teardown(test_closed_terminal_is_the_end_of_input, setup,
						teardown),
		cmocka_unit_test(test_terminal_is_restored_on_every_way_out),
		cmocka_unit_test_setup_teardown(test_watched_signal_neither_ends_us_nor_restores,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_resumed_process_has_its_raw_terminal_again,
						setup, teardown),
	};

	process_init();
	signals_to_default();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
