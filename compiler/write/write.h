/* Program to plan file (schemas/plan.md). */
#ifndef KILN_COMPILER_WRITE_H
#define KILN_COMPILER_WRITE_H

#include "compiler/lower/lower.h"
#include <kiln/compile.h>

/* Writes beside `path` and renames, so that `path` is untouched unless everything was written. Sets
 * plan_bytes and weights_bytes of the report. */
kiln_status write_plan(program *p, const char *path, const kiln_compile_options *options,
                       kiln_compile_report *inout_report, kiln_error *error);

#endif
