/* Transpose after Transpose becomes one, or none when they cancel. */
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"

static bool read_permutation(const node *n, int64_t perm[KILN_MAX_RANK]) {
    uint32_t rank = n->inputs[0]->rank;
    int count = node_ints(n, "perm", perm, KILN_MAX_RANK);
    for (uint32_t k = 0; count < 0 && k < rank; k++) {
        perm[k] = (int64_t)rank - 1 - k;
    }
    return count < 0 || (uint32_t)count == rank;
}

kiln_status pass_merge_transposes(graph *g, size_t *inout_rewrites) {
    for (size_t k = 0; k < g->node_count; k++) {
        node *second = g->nodes[k];
        node *first = node_is(second, "Transpose") ? second->inputs[0]->producer : NULL;
        int64_t inner[KILN_MAX_RANK], outer[KILN_MAX_RANK], merged[KILN_MAX_RANK];
        if (first == NULL || !node_is(first, "Transpose") || !read_permutation(first, inner) ||
            !read_permutation(second, outer)) {
            continue;
        }
        uint32_t rank = second->inputs[0]->rank;
        bool identity = true;
        for (uint32_t d = 0; d < rank; d++) {
            merged[d] = inner[outer[d]];
            identity = identity && merged[d] == d;
        }
        tensor *x = first->inputs[0], *y = second->outputs[0];
        kiln_status status;
        if (identity && !y->is_output) {
            status = graph_replace_uses(g, y, x);
            second->dead = true;
        } else {
            status = node_set_input(g, second, 0, x);
            if (status == KILN_OK) {
                status = node_set_ints(g, second, "perm", merged, rank);
            }
        }
        if (status != KILN_OK) {
            return status;
        }
        ++*inout_rewrites;
    }
    return pass_remove_dead_code(g, &(size_t){0});
}
