/*
 * Prints the frequency of this machine's TSC in kHz. The emulated host's TSC is this machine's; its
 * kernel would measure it against timers that the emulator serves late on a busy machine, and then
 * live with a clock that runs several times too fast. lab/run tells it instead.
 *
 * A reading of the clock lies between two of the TSC; where these are close together nobody was
 * scheduled out between them, so the pair is exact however busy the machine is.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

#define TRIES 64
#define SPAN_NS 50000000

struct moment {
	uint64_t ticks;
	int64_t ns;
};

static struct moment moment_now(void)
{
	struct moment best = {0};
	uint64_t before, after, closest = UINT64_MAX;
	struct timespec now;
	int try;

	for (try = 0; try < TRIES; try++) {
		before = __rdtsc();
		clock_gettime(CLOCK_MONOTONIC_RAW, &now);
		after = __rdtsc();
		if (after - before < closest) {
			closest = after - before;
			best.ticks = before + closest / 2;
			best.ns = now.tv_sec * 1000000000LL + now.tv_nsec;
		}
	}
	return best;
}

int main(void)
{
	struct moment first = moment_now(), last;

	nanosleep(&(struct timespec){.tv_nsec = SPAN_NS}, NULL);
	last = moment_now();
	printf("%.0f\n", (double)(last.ticks - first.ticks) * 1e6 / (double)(last.ns - first.ns));
	return 0;
}
