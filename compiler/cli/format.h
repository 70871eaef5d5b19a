/* Texts and numbers as people, JSON and HTML take them. Names, labels and paths may hold anything:
 * people see them through text_print and text_column (runtime/base/text.h), programs through
 * these. */
#ifndef KILN_COMPILER_CLI_FORMAT_H
#define KILN_COMPILER_CLI_FORMAT_H

#include <stdint.h>
#include <stdio.h>

/* "12.3 MiB". buffer is returned. */
const char *human_bytes(uint64_t bytes, char *buffer, size_t size);
/* Nine digits, which tell every f32 from its neighbours; `missing` where value is not finite. */
void number_text(FILE *out, double value, const char *missing);
/* A text as a JSON string, quotes included. */
void json_string(FILE *out, const char *text);
/* A number as JSON: null where it is not finite. */
void json_number(FILE *out, double value);
/* Closes a stream of open_memstream. Returns its text, from malloc; NULL: memory was out. */
char *close_text(FILE *out, char *const *text);
/* Text in HTML. */
void html_text(FILE *out, const char *text);

#endif
