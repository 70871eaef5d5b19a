/* Text that comes from files: names of layers and tensors, labels, paths, metadata. It may hold
 * anything, escape sequences that a terminal obeys and bytes that are no UTF-8 included. */
#ifndef KILN_RUNTIME_BASE_TEXT_H
#define KILN_RUNTIME_BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define TEXT_INVALID UINT32_MAX

/* Takes one character off: its code point, or TEXT_INVALID for a byte that begins none (RFC 3629).
 * Returns its bytes; 0 at the end of the text. */
size_t text_next(const char *text, uint32_t *out_point);

/* Whether a terminal only draws it: no control character, no line or paragraph separator, nothing
 * that turns the direction of what follows. */
bool text_is_plain(uint32_t point);

/* The text in one line: what is not plain as \n, \t, \x1b, \u202e, bytes that begin no character as
 * \xff. What does not fit is cut between two words where that is possible and ends in "...".
 * Returns out. */
const char *text_escape(const char *text, char *out, size_t size);

/* Room for a column of so many characters. */
#define TEXT_COLUMN(width) ((width)*4 + 1)
/* The text escaped likewise in exactly `width` characters: padded with spaces, or cut. */
const char *text_column(const char *text, size_t width, char *out);

/* vsnprintf and fprintf whose result is escaped; only line breaks at the format's two ends stay, so
 * that an argument, whatever it holds, cannot begin a line. */
void text_format(char *out, size_t size, const char *format, va_list arguments);
void text_print(FILE *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Adds an item to a list "a, b, c"; when there is no room, ", ..." once instead, and then nothing
 * more. The list is empty or was made by this. */
void text_list_add(char *list, size_t size, const char *item);

#endif
