/* The answers of a command, one a picture: lines for people, JSON, JSON lines, or CSV. */
#ifndef KILN_COMPILER_CLI_ANSWERS_H
#define KILN_COMPILER_CLI_ANSWERS_H

#include "compiler/cli/options.h"

#include <stdio.h>

typedef enum answer_format {
    ANSWERS_TEXT,
    ANSWERS_JSON,  /* one array */
    ANSWERS_JSONL, /* an object a line */
    ANSWERS_CSV    /* RFC 4180 but for \n as the line's end, a header first */
} answer_format;

typedef struct answers {
    FILE *out;
    answer_format format;
    size_t count; /* of answers begun */
} answers;

/* Around all, and before and after each: brackets, commas and line ends. header: the names of CSV's
 * columns, as they are to be written. */
void answers_begin(answers *a, FILE *out, answer_format format, const char *header);
void answers_next(answers *a);
void answers_close(const answers *a); /* one answer */
void answers_end(const answers *a);
/* Whether an answer is a JSON object. */
bool answers_are_objects(const answers *a);

/* A text as a field of CSV, in quotes where it needs them, and in one line: escaped as for people
 * (runtime/base/text.h). */
void csv_string(FILE *out, const char *text);

/* Into an answer_format. */
const char *answer_format_word(unsigned k);
int take_json(const command *self, void *at, const char *value);
#define FORMAT_ROW(at)                                                                             \
    {                                                                                              \
        .kind = OPTION_CHOICE, .name = "format", .value = "FORMAT", .place = (at),                 \
        .word = answer_format_word, .help = "of the answers (default text)"                        \
    }
#define JSON_ROW(at)                                                                               \
    {                                                                                              \
        .kind = OPTION_CALL, .name = "json", .place = (at), .take = take_json,                     \
        .help = "the same as --format json"                                                        \
    }

#endif
