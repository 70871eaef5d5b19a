/* The options of commands, a row each. Reading them, help, and completion in shells come from the
 * rows and from nothing else. */
#ifndef KILN_COMPILER_CLI_OPTIONS_H
#define KILN_COMPILER_CLI_OPTIONS_H

#include "compiler/cli/data/packed_cache.h"
#include <kiln/kiln.h>
#include <stddef.h>

typedef struct command command;

/* Where a value goes: to `place` in the struct of the command's call. */
typedef enum option_kind {
    OPTION_HEADING, /* no option: `help` stands above the rows that follow */
    OPTION_TEXT,    /* const char *: the argument itself */
    OPTION_NUMBER,  /* uint32_t: a whole number from low to high */
    OPTION_REAL,    /* double: finite, and from low to high where low < high */
    OPTION_SINGLE,  /* float, likewise */
    OPTION_SIZE,    /* uint64_t: bytes, as 8M, 512K, 1G (units of 1024) or a plain number */
    OPTION_CHOICE,  /* an enumeration: the place among the words */
    OPTION_SET,     /* bool = true */
    OPTION_CLEAR,   /* bool = false */
    OPTION_CALL     /* anything: by `take` */
} option_kind;

typedef struct option_row {
    option_kind kind;
    char letter;       /* 'o' for -o; 0: none */
    const char *name;  /* "output" for --output; NULL: the letter alone */
    const char *value; /* what help calls the value: FILE, DIR, N; NULL: the option takes none */
    size_t place;
    double low, high;
    /* Word number k, NULL after the last: the only values there are. */
    const char *(*word)(unsigned k);
    /* What a wrong value is told to be, "a number from 1 on"; NULL: what the kind says. */
    const char *expected;
    /* Gets what lies at `place`; value: one of the words, where there are any; NULL where the
     * option takes none. Returns 0, or the exit status when it has told what is wrong. */
    int (*take)(const command *self, void *at, const char *value);
    const char *help; /* after the words, where there are any */
} option_row;

/* The row after the last: one without help. */
#define OPTIONS_END                                                                                \
    { .help = NULL }

enum { OPTIONS_READ = -1 };
/* Takes the options of `self` out of argv, whose first word is the command's name: the words that
 * are left, in their order, are at *inout_argv. OPTIONS_READ, or the exit status with which to end:
 * help was asked for, or something is wrong and has been told. */
int options_read(const command *self, void *call, int *inout_argc, char ***inout_argv);

/* The options that every command has, or (opens_plan) every one that opens plans. */
const option_row *options_common(const command *self);

/* "-o, --output FILE". */
void option_label(const option_row *row, char *out, size_t size);
/* "a, b or c", of a row that has words. */
void option_words(const option_row *row, char *out, size_t size);

/* Its words, where there are any, and its help. */
void option_description(const option_row *row, char *out, size_t size);

/* "kiln COMMAND: --NAME VALUE: expected ..."; returns EXIT_USAGE. */
int option_wrong(const command *self, const char *name, const char *value, const char *expected);

/* ---- Rows of several commands -------------------------------------------------------------- */

enum { MOST_THREADS = 256, MOST_SAMPLES = 65536 };

#define THREADS_ROW(at)                                                                            \
    {                                                                                              \
        .kind = OPTION_NUMBER, .name = "threads", .value = "N", .place = (at), .low = 1,           \
        .high = MOST_THREADS, .help = "compute threads (default 1)"                                \
    }
/* Where packed weights are kept for the next start. */
typedef enum packed_place { PACKED_NOWHERE, PACKED_BESIDE, PACKED_IN_CACHE } packed_place;

/* Into a packed_place, which is PACKED_IN_CACHE to begin with. */
#define PREPACKED_ROWS(at)                                                                         \
    {.kind = OPTION_CALL,                                                                          \
     .name = "prepacked",                                                                          \
     .place = (at),                                                                                \
     .take = take_prepacked,                                                                       \
     .help =                                                                                       \
         "keep packed weights, which make the next start faster, in PLAN.packed (default: in "     \
         "your cache folder, where those not used for longest go beyond " PACKED_CACHE_TEXT ")"},  \
    {                                                                                              \
        .kind = OPTION_CALL, .name = "no-prepacked", .place = (at), .take = take_no_prepacked,     \
        .help = "do not keep them"                                                                 \
    }
int take_prepacked(const command *self, void *at, const char *value);
int take_no_prepacked(const command *self, void *at, const char *value);

/* Into a text. */
#define PRESET_ROW(at)                                                                             \
    {                                                                                              \
        .kind = OPTION_TEXT, .name = "preprocess", .value = "PRESET", .place = (at),               \
        .word = preset_word, .help = PRESET_HELP                                                   \
    }
#define PRESET_HELP "instead of what the plan says"

/* --preprocess: into a kiln_preprocess. */
const char *preset_word(unsigned k);
int take_preset(const command *self, void *at, const char *value);

/* ---- Numbers ------------------------------------------------------------------------------- */

/* A whole number from low to high; false when text is none. */
bool parse_number(const char *text, unsigned long low, unsigned long high, unsigned long *out);
/* A finite number. */
bool parse_real(const char *text, double *out);
bool parse_size(const char *text, uint64_t *out);

#endif
