/* SPDX-License-Identifier: MIT */
/*
 * terminal_style.h - how a terminal's characters look: its 16 colours, and what makes others of
 * them.
 */
#ifndef DYAD_TYPE1_CONSOLE_TERMINAL_STYLE_H
#define DYAD_TYPE1_CONSOLE_TERMINAL_STYLE_H

#include "type1/services/console/terminal.h"

/* By the numbers of a sequence SGR (ECMA-48, 8.3.117, and 38 and 48 as xterm has them). */
void terminal_style_set(struct terminal_style *style, const unsigned *numbers, unsigned count);
/* As surface.h has them. */
uint8_t terminal_style_colours(const struct terminal_style *style);
/* Ink and paper change places. */
uint8_t terminal_style_swap(uint8_t colours);

#endif
