/* What the subcommands share. */
#ifndef KILN_COMPILER_CLI_H
#define KILN_COMPILER_CLI_H

#include "runtime/base/files.h"
#include "runtime/base/shape.h"
#include "runtime/base/text.h"
#include <kiln/compile.h>
#include <kiln/plan_format.h>
#include <stdio.h>

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_MISMATCH = 3 };

typedef struct command {
    const char *name, *summary, *help;
    int (*run)(int argc, char **argv); /* argv[0] is the command's name */
    bool opens_plan;                   /* with open_plan: takes --no-mmap */
} command;

extern const command command_compile, command_inspect, command_run, command_verify, command_bench,
    command_tune, command_train, command_evaluate, command_classify, command_embed, command_compare,
    command_export, command_view;

/* "kiln: MESSAGE" on stderr; returns EXIT_FAILED. */
int fail(const kiln_error *error);
/* "kiln: MESSAGE", and where to read more; returns EXIT_USAGE. */
int usage(const command *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Help on stdout; returns 0. */
int show_help(const command *c);
/* What getopt_long could not place. */
int usage_of_option(const command *c, int option, char **argv);

/* "12.3 MiB". buffer is returned. */
const char *human_bytes(uint64_t bytes, char *buffer, size_t size);
/* Names, labels and paths may hold anything: people see them through text_print and text_column,
 * programs through these. */
/* A text as a JSON string, quotes included. */
void json_string(FILE *out, const char *text);
/* A double as JSON: null where it is not finite. */
void json_number(FILE *out, double value);
/* The same for text in HTML. */
void html_text(FILE *out, const char *text);

/* Refuses, before any work, outputs that cannot be written, that are read as well (an input), or
 * that are one file. NULL in the lists is allowed. */
kiln_status check_outputs(const char *const *outputs, size_t output_count,
                          const char *const *inputs, size_t input_count, kiln_error *error);

/* The part of it about one input. */
kiln_status outputs_keep(const char *const *outputs, size_t output_count, const char *input,
                         kiln_error *error);

/* Opens a plan; prepacked: packed weights are kept in PATH.packed, for the next start. After
 * read_plans() it is read into memory instead of mapped. */
void read_plans(void);
kiln_status open_plan(const char *path, bool prepacked, kiln_plan **out_plan, kiln_error *error);

/* A line that is rewritten while long work goes on, when stderr is a terminal. */
void progress_show(const char *what, size_t done, size_t total);
void progress_clear(void);

/* --input NAME=1x3x224x224, NAME=Nx3x224x224, NAME=@FILE. Values live until given_free. */
#define MAX_GIVEN 64
typedef struct given_inputs {
    kiln_value values[MAX_GIVEN];
    kiln_value *loaded[MAX_GIVEN];
    char *names[MAX_GIVEN];
    const char *paths[MAX_GIVEN]; /* where values come from; NULL: only a shape was given */
    size_t count;
} given_inputs;
/* `files`: what stands behind the sign is a file with or without the @. */
kiln_status given_add(given_inputs *given, const char *argument, bool files, kiln_error *error);
void given_free(given_inputs *given);

/* --outputs NAME,... and --inputs NAME[=SHAPE],... (part.c); shapes are added to the given ones. */
typedef struct model_part {
    const char *inputs[MAX_GIVEN], *outputs[MAX_GIVEN];
    size_t input_count, output_count;
    char *texts[MAX_GIVEN]; /* what the names point into */
    size_t text_count;
} model_part;
kiln_status part_add(model_part *part, given_inputs *given, bool inputs, const char *argument,
                     kiln_error *error);
void part_apply(const model_part *part, kiln_compile_options *options);
void part_free(model_part *part);

/* A whole number from low to high; false when text is none. */
bool parse_number(const char *text, unsigned long low, unsigned long high, unsigned long *out);
bool parse_real(const char *text, double *out);
/* Bytes: 8M, 512K, 1G (units of 1024) or a plain number. */
bool parse_size(const char *text, uint64_t *out);

#endif
