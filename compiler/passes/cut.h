/* Parts of tensors along one axis. */
#ifndef KILN_COMPILER_CUT_H
#define KILN_COMPILER_CUT_H

#include "compiler/graph/graph.h"

/* Elements [start, start + size) along an axis. */
typedef struct cut {
    uint32_t axis;
    int64_t start, size;
} cut;

/* What makes output k of n, if it is a cut of its input. */
bool read_cut(const node *n, size_t output, cut *out);

#endif
