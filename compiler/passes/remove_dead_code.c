/* Drops nodes none of whose outputs is read, and forgets outputs that nobody reads. */
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"

static bool is_wanted(const tensor *t) {
    return t != NULL && (t->consumer_count > 0 || t->is_output);
}

kiln_status pass_remove_dead_code(graph *g, size_t *inout_rewrites) {
    size_t dropped = 1;
    while (dropped > 0) {
        dropped = 0;
        for (size_t k = g->node_count; k-- > 0;) {
            node *n = g->nodes[k];
            bool wanted = false;
            for (size_t o = 0; o < n->output_count; o++) {
                wanted = wanted || is_wanted(n->outputs[o]);
                if (o > 0 && n->outputs[o] != NULL && !is_wanted(n->outputs[o])) {
                    n->outputs[o] = NULL;
                }
            }
            if (!wanted) {
                n->dead = true;
                dropped++;
            }
        }
        *inout_rewrites += dropped;
        kiln_status status = graph_refresh(g);
        if (status != KILN_OK) {
            return status;
        }
    }
    return KILN_OK;
}
