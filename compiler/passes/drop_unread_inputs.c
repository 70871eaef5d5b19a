/* Drops graph inputs that nobody reads, or only the shape of, and says so. */
#include "compiler/passes/passes.h"

kiln_status pass_drop_unread_inputs(graph *g, size_t *inout_rewrites) {
    size_t kept = 0;
    for (size_t k = 0; k < g->input_count; k++) {
        tensor *t = g->inputs[k];
        if (t->consumer_count > 0 || t->is_output) {
            g->inputs[kept++] = t;
            continue;
        }
        t->is_input = false;
        graph_note(g, "input '%.100s' is left out: nothing reads it", t->name);
        ++*inout_rewrites;
    }
    g->input_count = kept;
    return KILN_OK;
}
