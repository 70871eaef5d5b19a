/* Folding y = scale[c] * x + bias[c] into the operator that makes x, or into one that reads y. */
#ifndef KILN_COMPILER_SCALE_BIAS_H
#define KILN_COMPILER_SCALE_BIAS_H

#include "compiler/graph/graph.h"

/* The convolution, transposed convolution, dense layer or batch norm that makes t and whose weights
 * may be scaled: t has no other reader, no activation stands between, weights are constant. */
node *scalable_producer(const tensor *t);
/* The same, but an activation may have become the operator's bounds. */
node *scalable_bounded_producer(const tensor *t);
/* Reads y = scale * x + bias off an Add, Sub, Mul or Div and the values of its constant operand;
 * false: it is no such. */
bool linear_form(const node *n, const tensor *constant, const float *values, int64_t channels,
                 float *scale, float *bias);
/* Scales its weights and bias by output channel; values are per channel (dims[1] of its output). */
kiln_status scale_weights(graph *g, node *n, const float *scale, const float *bias);
/* Has a Gemm no factors, and one bias for all rows? */
bool is_plain_gemm(const node *n);
/* Does a convolution read no padding? */
bool is_unpadded(graph *g, node *conv);
/* The convolution that alone reads t, and no padding with it, and whose weights may be scaled. */
node *scalable_reader(graph *g, const tensor *t);
/* Scales its weights by input channel, and adds to its bias what the inputs' makes of them. */
kiln_status scale_inputs(graph *g, node *n, const float *scale, const float *bias);

#endif
