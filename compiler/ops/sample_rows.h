/* Integers that a run computes from the batch's size alone, in equal steps from sample to sample.
 */
#ifndef KILN_COMPILER_OPS_SAMPLE_ROWS_H
#define KILN_COMPILER_OPS_SAMPLE_ROWS_H

#include "compiler/graph/graph.h"

/* t[b, ..] = base[0, ..] + b * step. base has data in the graph's memory, and is not the graph's.
 */
typedef struct sample_rows {
    tensor base;
    int64_t step;
} sample_rows;

/* False: t is not so, or not known to be. */
bool find_sample_rows(graph *g, const tensor *t, sample_rows *out);

#endif
