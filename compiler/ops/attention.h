/* The geometry of a DotProductAttention node, as its attributes have it. */
#ifndef KILN_COMPILER_OPS_ATTENTION_H
#define KILN_COMPILER_OPS_ATTENTION_H

#include "compiler/graph/graph.h"

/* Operands, as kiln_attention_params has them; Y is the output, the others are inputs. */
enum {
    ATTENTION_Q,
    ATTENTION_K,
    ATTENTION_V,
    ATTENTION_BIAS,
    ATTENTION_MASK,
    ATTENTION_Y,
    ATTENTION_OPERANDS
};

/* Where the matrices lie in a tensor, in elements: see ATTENTION in kernels_arithmetic.h. */
typedef struct attention_view {
    int64_t start, lead[KILN_ATTENTION_LEADS], row, column;
    int64_t sample; /* from one sample to the next; 0: shared by all */
} attention_view;

typedef struct attention_geometry {
    int64_t lead[KILN_ATTENTION_LEADS]; /* of one sample */
    int64_t rows, depth, keys, width;
    attention_view views[ATTENTION_OPERANDS];
    int64_t rank, dims[KILN_MAX_RANK]; /* of the output; the first one without the batch */
} attention_geometry;

kiln_status attention_set(graph *g, node *n, const attention_geometry *geometry);
/* False: the node does not have it. */
bool attention_get(const node *n, attention_geometry *out_geometry);

#endif
