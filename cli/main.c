/* SPDX-License-Identifier: MIT */
/*
 * main.c - the dyad command's entry; everything else of it is in command.h and behind, where tests
 * can reach it.
 */
#include "cli/command.h"

int main(int argc, char **argv)
{
	return command_main(argc, argv);
}
