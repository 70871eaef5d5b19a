/* Operators whose results have as many elements as a run finds: no plan has room for them. */
#include "compiler/ops/support.h"

static kiln_status infer_suppression(graph *g, node *n) {
    return node_fail(g, n, KILN_ERROR_UNSUPPORTED,
                     "its result has as many boxes as a run finds; cut the graph at its inputs, "
                     "'%.60s' and '%.60s', and select boxes from those",
                     n->inputs[0] != NULL ? n->inputs[0]->name : "",
                     n->inputs[1] != NULL ? n->inputs[1]->name : "");
}

const op ops_refused[] = {
    {"NonMaxSuppression", 10, OP_INPUTS(2, 5), OP_OUTPUTS(1, 1), .infer = infer_suppression,
     .lower = lower_unfoldable},
    {.name = NULL},
};
