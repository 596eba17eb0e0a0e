/*
 * The first process of the emulated host. It is all there is in the host's initial RAM disk, but
 * for the modules that some host needs before it has a root; it goes over to the root file system
 * in host.img, sets up what a command may expect of a host, runs the job that lab/run laid on the
 * second drive, leaves the results on the third, and powers off.  Drives are known by the numbers
 * of their NVMe name spaces, or by a number in an IDE drive's model: Linux names them in the order
 * in which it comes upon them, which need not be that of the numbers.
 *
 * It is a program and not a script because a process is dear in an emulated machine: a shell that
 * starts a dozen of them takes longer than the kernel needs to boot.
 *
 * The job's drive is mounted on /lab:
 *   argv env outs   words, each ended by a NUL: the command, what to add to its environment, what
 *                   is to be brought back
 *   puts            such words, in pairs: a name in put/, and where it is to go
 *   modules         lines: the kernel modules to load, in order
 *   lib/            if it is there: /lib/modules of a kernel that the root has none for
 *   settings        'pipe', 'tty' or 'parallel', rows, columns, number of disks
 *   in/             the files that were handed in; the command starts here
 *
 * The results are a plain tar: the file 'status' first, then what was asked for.
 */
#define _GNU_SOURCE
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/module.h>
#include <net/if.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Drives, as lab/run adds them; disks follow. */
enum {
	DRIVE_ROOT = 1,
	DRIVE_JOB,
	DRIVE_RESULTS,
};

#define WAIT_STEP_US 1000
#define WAIT_STEPS 20000

static void power_off(void) __attribute__((noreturn));

static void power_off(void)
{
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

void fail(const char *format, ...)
{
	int error = errno;
	va_list args;

	va_start(args, format);
	fprintf(stderr, "lab: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, ": %s\n", strerror(error));
	va_end(args);
	power_off();
}

/* A driver may bring its node a moment after it was loaded. */
static void wait_for_node(const char *path)
{
	struct stat found;
	int step;

	for (step = 0; stat(path, &found) != 0; step++) {
		if (step == WAIT_STEPS)
			fail("%s did not appear", path);
		usleep(WAIT_STEP_US);
	}
}

/* What the file says in this format; 0 if it is no number. */
static unsigned read_number(const char *path, const char *format)
{
	FILE *file = fopen(path, "r");
	unsigned number = 0;

	if (!file || fscanf(file, format, &number) != 1)
		number = 0;
	if (file)
		fclose(file);
	return number;
}

/* Where Linux tells the numbers of drives, the file's name after the drive's. */
static const struct drive_numbers {
	const char *pattern, *format;
} drive_numbers[] = {
	{"/sys/block/nvme0n*/nsid", "%u"},
	{"/sys/block/sd*/device/model", "lab-drive-%u"},
};

/* The node of the drive with this number, if there is one of this kind. */
static char *find_drive_of(const struct drive_numbers *kind, unsigned number)
{
	char *node = NULL;
	const char *name;
	glob_t files;
	size_t i;

	if (glob(kind->pattern, GLOB_NOSORT, NULL, &files) != 0)
		return NULL;
	for (i = 0; i < files.gl_pathc && !node; i++) {
		name = files.gl_pathv[i] + strlen("/sys/block/");
		if (read_number(files.gl_pathv[i], kind->format) == number &&
		    asprintf(&node, "/dev/%.*s", (int)strcspn(name, "/"), name) < 0)
			fail("can't name drive %u", number);
	}
	globfree(&files);
	return node;
}

static char *find_drive(unsigned number)
{
	char *node = NULL;
	size_t i;

	for (i = 0; i < sizeof(drive_numbers) / sizeof(drive_numbers[0]) && !node; i++)
		node = find_drive_of(&drive_numbers[i], number);
	return node;
}

/* Linux may come upon a drive after it has started this process, and tells its number a moment
 * before it can be opened. What is returned lives as long as this process. */
static char *wait_for_drive(unsigned number)
{
	int step, fd;
	char *node;

	for (step = 0; step < WAIT_STEPS; step++) {
		node = find_drive(number);
		fd = node ? open(node, O_RDONLY | O_CLOEXEC) : -1;
		if (fd >= 0) {
			close(fd);
			return node;
		}
		free(node);
		usleep(WAIT_STEP_US);
	}
	fail("drive %u did not appear", number);
}

static void mount_on(const char *source, const char *target, const char *type, const char *options)
{
	mkdir(target, 0755);
	if (mount(source, target, type, 0, options) != 0)
		fail("can't mount %s on %s", source, target);
}

static void load_module(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int flags = strcmp(strrchr(path, '.'), ".ko") ? MODULE_INIT_COMPRESSED_FILE : 0;

	if (fd < 0 || syscall(SYS_finit_module, fd, "", flags) != 0)
		fail("can't load %s", path);
	close(fd);
}

/* Those that the drives need, where the kernel has none for them: in the order of their names. */
static void load_first_modules(void)
{
	glob_t modules;
	size_t i;

	if (glob("/modules/*", 0, NULL, &modules) != 0)
		return;
	for (i = 0; i < modules.gl_pathc; i++)
		load_module(modules.gl_pathv[i]);
	globfree(&modules);
}

static void enter_root(void)
{
	mount_on("dev", "/dev", "devtmpfs", NULL);
	mount_on("sys", "/sys", "sysfs", NULL);
	load_first_modules();
	mount_on(wait_for_drive(DRIVE_ROOT), "/root", "ext4", NULL);
	if (mount("/dev", "/root/dev", NULL, MS_MOVE, NULL) != 0 ||
	    mount("/sys", "/root/sys", NULL, MS_MOVE, NULL) != 0 || chdir("/root") != 0 ||
	    mount(".", "/", NULL, MS_MOVE, NULL) != 0 || chroot(".") != 0)
		fail("can't go over to the root file system");
}

static void mount_all(void)
{
	mount_on(wait_for_drive(DRIVE_JOB), "/lab", "ext4", NULL);
	if (mount("/lab/lib", "/lib/modules", NULL, MS_BIND, NULL) != 0 && errno != ENOENT)
		fail("can't mount the modules");
	mount_on("proc", "/proc", "proc", NULL);
	mount_on("cgroup2", "/sys/fs/cgroup", "cgroup2", NULL);
	mount_on("devpts", "/dev/pts", "devpts", "mode=620,ptmxmode=666");
	mount_on("tmpfs", "/dev/shm", "tmpfs", "mode=1777");
	mount_on("tmpfs", "/run", "tmpfs", "mode=755");
	mount_on("tmpfs", "/tmp", "tmpfs", "mode=1777");
	if (symlink("/proc/self/fd", "/dev/fd") != 0 || symlink("fd/0", "/dev/stdin") != 0 ||
	    symlink("fd/1", "/dev/stdout") != 0 || symlink("fd/2", "/dev/stderr") != 0)
		fail("can't make the links in /dev");
}

static void load_modules(void)
{
	FILE *list = fopen("/lab/modules", "r");
	char path[512];

	if (!list)
		fail("can't read the list of modules");
	while (fscanf(list, " %511s", path) == 1)
		load_module(path);
	fclose(list);
}

static void name_host(void)
{
	struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &loopback) != 0 || sethostname("lab", 3) != 0)
		fail("can't set up the host's name and loopback");
	close(fd);
}

/* The words of a file, each ended by a NUL, as a list that a NULL ends. They live as long as this
 * process. */
static char **read_words(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat file;
	size_t offset = 0, count = 0;
	char *text, **words;

	if (fd < 0 || fstat(fd, &file) != 0)
		fail("can't read %s", path);
	text = calloc(1, (size_t)file.st_size + 1);
	/* No word is shorter than its NUL. */
	words = calloc((size_t)file.st_size + 1, sizeof(*words));
	if (!text || !words || read(fd, text, (size_t)file.st_size) != file.st_size)
		fail("can't read %s", path);
	close(fd);
	for (; offset < (size_t)file.st_size; offset += strlen(text + offset) + 1)
		words[count++] = text + offset;
	return words;
}

static void run_tool(char **words)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		execvp(words[0], words);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		fail("can't run %s", words[0]);
	if (status != 0)
		fprintf(stderr, "lab: %s ended with status %#x\n", words[0], (unsigned)status);
}

/* Splits it at its last slash: 'a/b' into 'a' and './b', and 'b' into '.' and './b'. */
static void split_path(const char *path, char **folder, char **name)
{
	const char *slash;
	char *copy = strdup(path);
	size_t end = strlen(copy);

	while (end > 1 && copy[end - 1] == '/')
		copy[--end] = '\0';
	slash = strrchr(copy, '/');
	if (asprintf(name, "./%s", slash ? slash + 1 : copy) < 0 ||
	    asprintf(folder, "%.*s", slash ? (int)(slash - copy) + 1 : 1, slash ? copy : ".") < 0)
		fail("can't read the name %s", path);
	free(copy);
}

static void put_files(void)
{
	char **puts = read_words("/lab/puts"), *folder, *name, *from;

	for (; puts[0] && puts[1]; puts += 2) {
		split_path(puts[1], &folder, &name);
		if (asprintf(&from, "/lab/put/%s", puts[0]) < 0)
			fail("can't put %s", puts[1]);
		run_tool((char *[]){"mkdir", "-p", folder, NULL});
		run_tool((char *[]){"cp", "-aT", from, puts[1], NULL});
	}
}

/* Tells the command of its disks: LAB_DISK1, LAB_DISK2... */
static void name_disks(unsigned count)
{
	unsigned disk;
	char *node, *word;

	for (disk = 1; disk <= count; disk++) {
		node = wait_for_drive(DRIVE_RESULTS + disk);
		if (asprintf(&word, "LAB_DISK%u=%s", disk, node) < 0)
			fail("can't name disk %u", disk);
		putenv(word);
	}
}

static enum connection_kind read_kind(const char *mode)
{
	if (strcmp(mode, "tty") == 0)
		return CONNECTION_TERMINAL;
	return strcmp(mode, "parallel") == 0 ? CONNECTION_PARALLEL : CONNECTION_PIPES;
}

static int run_job(void)
{
	char **argv = read_words("/lab/argv"), **env = read_words("/lab/env");
	FILE *settings = fopen("/lab/settings", "r");
	struct connection connection;
	unsigned disks;
	char mode[16];

	if (!settings || fscanf(settings, "%15s %hu %hu %u", mode, &connection.rows,
				&connection.columns, &disks) != 4)
		fail("can't read the job's settings");
	fclose(settings);
	connection.kind = read_kind(mode);
	for (; *env; env++)
		putenv(*env);
	name_disks(disks);
	if (chdir("/lab/in") != 0)
		fail("can't enter /lab/in");
	if (connection.kind != CONNECTION_PARALLEL) {
		wait_for_node("/dev/vport0p1");
		wait_for_node("/dev/vport0p2");
	}
	return command_run(&connection, argv);
}

/* Each file goes into the archive as './NAME', which no other member begins like. */
static void save_results(int status)
{
	char **outs = read_words("/lab/outs"), *drive = wait_for_drive(DRIVE_RESULTS), **words;
	size_t count = 0, used = 0;
	struct stat found;
	FILE *file;

	file = fopen("/lab/status", "w");
	if (!file || fprintf(file, "%d\n", status) < 0 || fclose(file) != 0)
		fail("can't write the status");
	while (outs[count])
		count++;
	words = calloc(7 + 3 * count, sizeof(*words));
	for (const char **first =
		     (const char *[]){"tar", "-cf", drive, "-C", "/lab", "status", NULL};
	     *first; first++)
		words[used++] = (char *)*first;
	for (; *outs; outs++) {
		if (lstat(*outs, &found) != 0)
			continue; /* lab/run finds it missing */
		words[used++] = "-C";
		split_path(*outs, &words[used], &words[used + 1]);
		/* tar takes each -C from the one before it. */
		if (words[used][0] != '/' && asprintf(&words[used], "/lab/in/%s", words[used]) < 0)
			fail("can't bring back %s", *outs);
		used += 2;
	}
	run_tool(words);
}

int main(void)
{
	int status;

	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/root", 1);
	setenv("LANG", "C.UTF-8", 1);
	enter_root();
	mount_all();
	name_host();
	load_modules();
	put_files();
	status = run_job();
	save_results(status);
	power_off();
}
