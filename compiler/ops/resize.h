/* Resize and Upsample: every mode is a weighted sum of a few input positions along each axis; they
 * are computed once, as tables, for evaluation and for the plan (resize_tables.c). */
#ifndef KILN_COMPILER_RESIZE_H
#define KILN_COMPILER_RESIZE_H

#include "compiler/ops/support.h"

#define RESIZE_MAX_TAPS 4

typedef enum resize_kind { RESIZE_NEAREST, RESIZE_LINEAR, RESIZE_CUBIC } resize_kind;

typedef struct resize_parameters {
    resize_kind kind;
    const char *coordinates, *nearest;
    double cubic_a, extrapolation;
    bool exclude_outside, crops;
    float scale[KILN_MAX_RANK], start[KILN_MAX_RANK], end[KILN_MAX_RANK];
    int64_t size[KILN_MAX_RANK];
} resize_parameters;

typedef struct resize_tap {
    int64_t index[RESIZE_MAX_TAPS]; /* index[0] = -1: outside, the extrapolation value */
    double weight[RESIZE_MAX_TAPS];
} resize_tap;

/* What a node's attributes and constant inputs say; checked. */
kiln_status resize_read(const graph *g, const node *n, resize_parameters *out_parameters);
/* Taps of a position: 1, 2 or 4. */
uint32_t resize_taps(resize_kind kind);
/* False: every position of the axis stays as it is. */
bool resize_changes(const resize_parameters *p, const tensor *x, uint32_t axis);
/* An entry for each output position of each axis that changes; NULL for the other axes. */
kiln_status resize_tables(graph *g, const resize_parameters *p, const tensor *x,
                          resize_tap *out_tables[KILN_MAX_RANK]);

#endif
