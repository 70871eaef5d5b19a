/* Drops graph inputs that nobody reads, or only the shape of, and says so. Where a part of a model
 * is compiled, the model's own inputs have to be such, unless they were named. */
#include "compiler/passes/passes.h"

kiln_status pass_drop_unread_inputs(graph *g, size_t *inout_rewrites) {
    size_t kept = 0;
    for (size_t k = 0; k < g->input_count; k++) {
        tensor *t = g->inputs[k];
        if (t->consumer_count > 0 || t->is_output) {
            if (t->left_out) {
                return graph_fail(g, KILN_ERROR_ARGUMENT,
                                  "the outputs need input '%s', too: name it in --inputs, or cut "
                                  "after it",
                                  t->name);
            }
            g->inputs[kept++] = t;
            continue;
        }
        t->is_input = false;
        ++*inout_rewrites;
        if (t->left_out) {
            continue;
        }
        graph_note(g, "input '%.100s' is left out: nothing reads it", t->name);
    }
    g->input_count = kept;
    return KILN_OK;
}
