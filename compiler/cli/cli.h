/* What the subcommands share. */
#ifndef KILN_COMPILER_CLI_H
#define KILN_COMPILER_CLI_H

#include "compiler/cli/format.h"
#include "compiler/cli/options.h"
#include "runtime/base/files.h"
#include "runtime/base/shape.h"
#include "runtime/base/text.h"
#include <kiln/compile.h>
#include <kiln/plan_format.h>
#include <stdint.h>
#include <stdio.h>

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_MISMATCH = 3 };

/* A subcommand. Its definition, `const command command_NAME = {` in any file below compiler/cli, is
 * all there is to it: the table is made of those definitions (runtime/rows.cmake). */
struct command {
    const char *name, *summary;
    /* Where `kiln help` lists it. Each hundred is a group: plans from 100 on, classifiers from 200
     * on, faces and people from 300 on. */
    unsigned order;
    const char *synopsis; /* lines of words after "kiln NAME" */
    const char *about;    /* before the options; a line is a paragraph, which help wraps */
    const char *notes;    /* after them, likewise; NULL: none */
    const char *examples; /* lines, as they are to be typed; NULL: none */
    const option_row *options;
    bool opens_plan; /* takes --no-mmap */
    /* argv[0] is the command's name. Returns the exit status. */
    int (*run)(const command *self, int argc, char **argv);
};

/* "kiln: MESSAGE" on stderr; returns EXIT_FAILED. */
int fail(const kiln_error *error);
/* "kiln: MESSAGE", and where to read more; returns EXIT_USAGE. */
int usage(const command *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Help on stdout; returns 0. */
int show_help(const command *c);

/* Refuses, before any work, outputs that cannot be written, that are read as well (an input), or
 * that are one file. NULL in the lists is allowed. */
kiln_status check_outputs(const char *const *outputs, size_t output_count,
                          const char *const *inputs, size_t input_count, kiln_error *error);

/* The part of it about one input. */
kiln_status outputs_keep(const char *const *outputs, size_t output_count, const char *input,
                         kiln_error *error);

/* Makes the folder unless it is there, and refuses it where files cannot be written into it. */
kiln_status check_output_folder(const char *folder, kiln_error *error);

/* Tells on stderr how many files of the folders that were given are no pictures; nothing for 0. */
void tell_passed_over(size_t count);

/* Opens a plan, whose packed weights are kept for the next start, or not. After read_plans() it is
 * read into memory instead of mapped. */
void read_plans(void);
bool plans_are_read(void); /* for what opens plans itself */
kiln_status open_plan(const char *path, packed_place prepacked, kiln_plan **out_plan,
                      kiln_error *error);

/* Who computes a step (kiln_plan_step_computation): "XNNPACK 2022-02 direct", "Kiln"; and as
 * members of a JSON object. */
const char *computation_text(const kiln_plan *plan, size_t step, char *text, size_t size);
void json_computation(FILE *out, const kiln_plan *plan, size_t step);

/* A line that is rewritten while long work goes on, when stderr is a terminal. */
void progress_show(const char *what, uint64_t done, uint64_t total);
void progress_clear(void);

#endif
