/* Attention as exporters write it: two products, softmax and what is added to the scores between
 * them, and where the matrices lie. */
#ifndef KILN_COMPILER_ATTENTION_MATCH_H
#define KILN_COMPILER_ATTENTION_MATCH_H

#include "compiler/ops/attention.h"
#include "compiler/passes/strided_view.h"

typedef struct attention_match {
    node *softmax, *first, *second; /* second reads the weights */
    uint32_t weights;               /* as this input of it */
    tensor *y;                      /* the last view of the result, which replaces all before */
    /* By ATTENTION_Q and so on; those of the bias and the mask have the shape of `sums`. */
    strided_view views[ATTENTION_OPERANDS];
    bool channels_last[ATTENTION_OPERANDS]; /* the view is of the base channels-last */
    const tensor *sums[2]; /* what the bias, and the mask, are added to; NULL: none */
    float scale;
    attention_geometry geometry;
} attention_match;

/* Is the softmax part of attention that one step can compute? */
bool attention_match_softmax(graph *g, node *softmax, attention_match *out_match);

/* Fills the geometry from all else (attention_geometry.c); false: the matrices do not lie as one
 * step can read them. */
bool attention_match_geometry(const graph *g, attention_match *m);

#endif
