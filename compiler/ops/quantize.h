/* How quantised integers and real numbers become each other: what the rows of quantize.c share with
 * the operators that expand to them, and with the pass that joins them. */
#ifndef KILN_COMPILER_OPS_QUANTIZE_H
#define KILN_COMPILER_OPS_QUANTIZE_H

#include "compiler/graph/graph.h"

/* Names of ours. Inputs: x, scale, optional zero point; attributes: axis, output_dtype. */
#define OP_QUANTIZE_CENTRED "QuantizeCentred"      /* integers less their zero point */
#define OP_QUANTIZE_ROUND_TRIP "QuantizeRoundTrip" /* and back to real numbers */
#define OP_REQUANTIZE "Requantize"                 /* from sums of products: multiplies */
#define OP_REQUANTIZE_CENTRED "RequantizeCentred"

/* The integer type of what a node (QuantizeLinear, or of ours) rounds to. */
kiln_status quantized_dtype(const graph *g, const node *n, kiln_dtype *out_dtype);

#endif
