/* SPDX-License-Identifier: MIT */
/*
 * How fast the CPU is that this runs on: millions a second, to standard output.
 *
 * `speed integer` counts instructions, by hand: a loop of 64-bit loads, stores, arithmetic, shifts,
 * branches that go both ways, and a call.
 *
 * `speed float` counts floating-point operations in double precision: the product of two matrices,
 * as the compiler makes it with SSE2.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SECONDS 2.0
#define TABLE_BITS 12
#define INTEGER_LOOPS 1000000
#define MATRIX 64

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/*
 * Counts words of a random sequence (xorshift) in a table, and sums up every other one's count.
 * Every loop has 20 instructions, and one of two ways with 2 each: 22.
 */
#define INTEGER_INSTRUCTIONS 22

static uint64_t integer_loops(uint64_t loops, uint64_t *table)
{
	uint64_t random = UINT64_C(0x9e3779b97f4a7c15), sum = 0;

	__asm__ volatile("	sub $128, %%rsp\n" /* past the red zone, since there is a call */
			 "1:	mov %[random], %%rax\n" /* 1 to 9: the next of the sequence */
			 "	shl $13, %%rax\n"
			 "	xor %%rax, %[random]\n"
			 "	mov %[random], %%rax\n"
			 "	shr $7, %%rax\n"
			 "	xor %%rax, %[random]\n"
			 "	mov %[random], %%rax\n"
			 "	shl $17, %%rax\n"
			 "	xor %%rax, %[random]\n"
			 "	mov %[random], %%rcx\n" /* 10 to 15: its place's count */
			 "	and %[mask], %%ecx\n"
			 "	mov (%[table],%%rcx,8), %%rdx\n"
			 "	add $1, %%rdx\n"
			 "	mov %%rdx, (%[table],%%rcx,8)\n"
			 "	test $1, %%dl\n"
			 "	jz 2f\n" /* 16 */
			 "	add %%rdx, %[sum]\n"
			 "	jmp 3f\n"
			 "2:	sub $3, %[sum]\n"
			 "	nop\n"
			 "3:	call 4f\n" /* 17 to 20 */
			 "	dec %[loops]\n"
			 "	jnz 1b\n"
			 "	jmp 5f\n"
			 "4:	ret\n"
			 "5:	add $128, %%rsp\n"
			 : [random] "+r"(random), [sum] "+r"(sum), [loops] "+r"(loops)
			 : [table] "r"(table), [mask] "i"((1 << TABLE_BITS) - 1)
			 : "rax", "rcx", "rdx", "cc", "memory");
	return sum;
}

static double measure_integer(void)
{
	static uint64_t table[1 << TABLE_BITS];
	double start = now(), end;
	uint64_t loops = 0;

	do {
		integer_loops(INTEGER_LOOPS, table);
		loops += INTEGER_LOOPS;
		end = now();
	} while (end - start < SECONDS);
	return (double)loops * INTEGER_INSTRUCTIONS / (end - start);
}

static double a[MATRIX][MATRIX], b[MATRIX][MATRIX], product[MATRIX][MATRIX];

static void __attribute__((noinline)) multiply(void)
{
	memset(product, 0, sizeof(product));
	for (unsigned i = 0; i < MATRIX; i++) {
		for (unsigned k = 0; k < MATRIX; k++) {
			for (unsigned j = 0; j < MATRIX; j++)
				product[i][j] += a[i][k] * b[k][j];
		}
	}
}

static double measure_float(void)
{
	double start, end, operations = 0;

	for (unsigned i = 0; i < MATRIX; i++) {
		for (unsigned j = 0; j < MATRIX; j++) {
			a[i][j] = 1.0 / (i + j + 1);
			b[i][j] = (double)i - j;
		}
	}
	start = now();
	do {
		for (unsigned i = 0; i < 10; i++)
			multiply();
		operations += 10.0 * 2 * MATRIX * MATRIX * MATRIX;
		end = now();
	} while (end - start < SECONDS);
	return operations / (end - start);
}

int main(int argc, char **argv)
{
	double rate;

	if (argc == 2 && strcmp(argv[1], "integer") == 0) {
		rate = measure_integer();
	} else if (argc == 2 && strcmp(argv[1], "float") == 0) {
		rate = measure_float();
	} else {
		fputs("usage: speed integer|float\n", stderr);
		return 2;
	}
	printf("%.1f\n", rate / 1e6);
	return 0;
}
