/* SqueezeExcite's functions. */
#ifndef KILN_COMPILER_OPS_SQUEEZE_EXCITE_H
#define KILN_COMPILER_OPS_SQUEEZE_EXCITE_H

#include "compiler/graph/graph.h"
#include <kiln/plan_format.h>

/* Sets what follows the products; hidden: the first of two. */
kiln_status squeeze_excite_set(graph *g, node *n, const kiln_unary_params *hidden,
                               const kiln_unary_params *gate);

#endif
