/* Program to plan file (schemas/plan.md). */
#ifndef KILN_COMPILER_WRITE_H
#define KILN_COMPILER_WRITE_H

#include "compiler/lower/lower.h"
#include "runtime/base/files.h"
#include <kiln/compile.h>

/* Writes the plan in place of what the file holds. Sets plan_bytes and weights_bytes of the report.
 */
kiln_status write_plan(program *p, file_writer *out, const kiln_compile_options *options,
                       kiln_compile_report *inout_report, kiln_error *error);

#endif
