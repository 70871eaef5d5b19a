/* Settles what the graph's outputs need: every tensor's shape is inferred, and what depends on
 * constants and shapes alone is computed on the way. */
#include "compiler/graph/settle.h"
#include "compiler/passes/passes.h"

kiln_status pass_fold_constants(graph *g, size_t *inout_rewrites) {
    kiln_status status = graph_settle(g, g->outputs, g->output_count, inout_rewrites);
    for (size_t k = 0; k < g->output_count && status == KILN_OK; k++) {
        if (tensor_depends_on_batch(g->outputs[k])) {
            status = graph_fail(g, KILN_ERROR_UNSUPPORTED, "output '%s' depends on the batch size",
                                g->outputs[k]->name);
        }
    }
    return status;
}
