/* Work of the naive evaluators spread over threads. */
#ifndef KILN_COMPILER_PARALLEL_H
#define KILN_COMPILER_PARALLEL_H

#include "compiler/graph/graph.h"

/* Calls task for ranges that cover 0 .. count-1 once each, on up to g->threads threads, the
 * caller's among them. `cost`: simple operations that one element takes, about; little work stays
 * on the caller's thread, as does what other threads cannot be started for. A task must not fail
 * and writes nothing that another range reads or writes; the results then do not depend on the
 * threads. */
typedef void (*parallel_task)(const void *context, int64_t begin, int64_t end);
void graph_parallel(const graph *g, int64_t count, int64_t cost, parallel_task task,
                    const void *context);

#endif
