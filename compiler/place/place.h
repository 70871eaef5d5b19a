/* Placement: an arena offset for each storage, its lifetime known. */
#ifndef KILN_COMPILER_PLACE_H
#define KILN_COMPILER_PLACE_H

#include "compiler/lower/lower.h"

/* Sets every storage's offset and the program's arena_bytes, lower_bound_bytes, no_reuse_bytes and
 * placement (the heuristic that won). Deterministic. */
kiln_status place_program(program *p);

#endif
