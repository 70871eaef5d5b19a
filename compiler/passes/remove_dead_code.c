/* Drops nodes none of whose outputs is read, and forgets outputs that nobody reads. */
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"

static bool is_wanted(const tensor *t) {
    return t != NULL && (t->mark > 0 || t->is_output);
}

/* Goes from the last node to the first: when one is looked at, all that would read its outputs has
 * been; a tensor's mark counts its readers that are wanted. */
kiln_status pass_remove_dead_code(graph *g, size_t *inout_rewrites) {
    graph_clear_marks(g);
    for (size_t k = g->node_count; k-- > 0;) {
        node *n = g->nodes[k];
        bool wanted = false;
        for (size_t o = 0; o < n->output_count; o++) {
            wanted = wanted || is_wanted(n->outputs[o]);
            if (o > 0 && n->outputs[o] != NULL && !is_wanted(n->outputs[o])) {
                n->outputs[o] = NULL;
            }
        }
        for (size_t i = 0; i < n->input_count && wanted; i++) {
            if (n->inputs[i] != NULL) {
                n->inputs[i]->mark++;
            }
        }
        n->dead = !wanted;
        *inout_rewrites += !wanted;
    }
    return KILN_OK;
}
