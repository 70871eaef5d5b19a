/* Memory planning: an offset in the arena for each storage, whose lifetime is known. */
#ifndef KILN_COMPILER_PLACE_H
#define KILN_COMPILER_PLACE_H

#include "compiler/lower/lower.h"

/* Sets every storage's offset and the program's arena_bytes, lower_bound_bytes, no_reuse_bytes and
 * placement (the heuristic that won). It is deterministic. */
kiln_status place_program(program *p);

#endif
