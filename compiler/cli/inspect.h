/* What inspect's forms share. */
#ifndef KILN_COMPILER_CLI_INSPECT_H
#define KILN_COMPILER_CLI_INSPECT_H

#include "compiler/cli/cli.h"

uint64_t step_parameters(const kiln_plan_view *v, const kiln_plan_step *s);
const kiln_plan_tensor_record *step_output(const kiln_plan_view *v, const kiln_plan_step *s);
/* From the arena's start, for a batch of one. */
uint64_t arena_offset(const kiln_plan_view *v, const kiln_plan_tensor_record *t);
kiln_status inspect_html(const kiln_plan *plan, const kiln_plan_view *v, const char *name,
                         const char *path, kiln_error *error);

#endif
