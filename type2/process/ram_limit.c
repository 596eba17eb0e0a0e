/* SPDX-License-Identifier: MIT */
/*
 * ram_limit.c - reads /proc/meminfo (proc(5)) and the limits of the cgroups that the process is in,
 * version 2 (memory.max) and version 1 (memory.limit_in_bytes), from its own up to the root.
 */
#include "type2/process/ram_limit.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/bits.h"

#define TEXT_MAX 4096

/* The beginning of a small file as text, empty when there is none. */
static void read_text(const char *root, const char *path, char *text)
{
	char name[TEXT_MAX];
	ssize_t length = -1;
	int fd;

	text[0] = '\0';
	if (snprintf(name, sizeof(name), "%s%s", root, path) >= (int)sizeof(name))
		return;
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	length = read(fd, text, TEXT_MAX - 1);
	close(fd);
	text[length < 0 ? 0 : length] = '\0';
}

/* "Name:   123 kB" in bytes, 0 when it isn't there. */
static uint64_t meminfo_field(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? strtoull(at + strlen(name), NULL, 10) * KIB : 0;
}

/* Looks into the group's directory and all above it; path is cut on the way. */
static uint64_t cgroup_walk(const char *root, const char *mount, char *path, const char *file)
{
	uint64_t least = UINT64_MAX, limit;
	char name[TEXT_MAX], text[TEXT_MAX];

	for (;;) {
		char *slash = strrchr(path, '/');

		if (snprintf(name, sizeof(name), "%s%s/%s", mount, path, file) <
		    (int)sizeof(name)) {
			read_text(root, name, text);
			limit = strtoull(text, NULL, 10);
			if (text[0] >= '0' && text[0] <= '9')
				least = MIN(least, limit);
		}
		if (!slash)
			break;
		*slash = '\0';
	}
	return least;
}

/* Whether the list of version 1's controllers in a line of /proc/self/cgroup names memory. */
static bool names_memory(const char *controllers, const char *end)
{
	static const char memory[] = "memory";

	while (controllers < end) {
		size_t length = strcspn(controllers, ",:");

		if (length == strlen(memory) && !strncmp(controllers, memory, length))
			return true;
		controllers += length + 1;
	}
	return false;
}

static uint64_t cgroup_limit(const char *root)
{
	uint64_t least = UINT64_MAX;
	char text[TEXT_MAX], *line, *rest = text;

	read_text(root, "/proc/self/cgroup", text);
	/* Each line is "number:controllers:path". */
	while ((line = strsep(&rest, "\n"))) {
		char *controllers = strchr(line, ':');
		char *path = controllers ? strchr(controllers + 1, ':') : NULL;
		uint64_t limit = UINT64_MAX;

		if (!path)
			continue;
		controllers++;
		path++;
		if (path == controllers + 1)
			limit = cgroup_walk(root, "/sys/fs/cgroup", path, "memory.max");
		else if (names_memory(controllers, path - 1))
			limit = cgroup_walk(root, "/sys/fs/cgroup/memory", path,
					    "memory.limit_in_bytes");
		least = MIN(least, limit);
	}
	return least;
}

void ram_limit_read(const char *root, struct ram_limit *limit)
{
	char text[TEXT_MAX];

	read_text(root, "/proc/meminfo", text);
	limit->host = meminfo_field(text, "MemTotal:") + meminfo_field(text, "SwapTotal:");
	limit->available = meminfo_field(text, "MemAvailable:") + meminfo_field(text, "SwapFree:");
	if (!limit->host)
		limit->host = limit->available = UINT64_MAX;
	limit->cgroup = cgroup_limit(root);
	/* Version 1 says "no limit" with a number just below 2^63. */
	if (limit->cgroup >= UINT64_C(1) << 60)
		limit->cgroup = UINT64_MAX;
}
