/* Reshape [N,C,H,W] -> [N,g,C/g,H,W], Transpose (0,2,1,3,4), Reshape back: a channel shuffle (Zhang
 * et al., "ShuffleNet", 2018). As one operator it needs one copy in channels-last layout, not
 * three. */
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/terms.h"

static bool is_split(const tensor *x, const tensor *y, int64_t *out_groups) {
    if (x->rank < 3 || y->rank != x->rank + 1 || x->dims[0] != y->dims[0] ||
        y->dims[1] * y->dims[2] != x->dims[1]) {
        return false;
    }
    for (uint32_t k = 2; k < x->rank; k++) {
        if (x->dims[k] != y->dims[k + 1]) {
            return false;
        }
    }
    *out_groups = y->dims[1];
    return true;
}

static bool swaps_groups(const node *transpose) {
    int64_t perm[KILN_MAX_RANK];
    int count = node_ints(transpose, "perm", perm, KILN_MAX_RANK);
    for (int k = 0; k < count; k++) {
        int64_t wanted = k == 1 ? 2 : k == 2 ? 1 : k;
        if (perm[k] != wanted) {
            return false;
        }
    }
    return count >= 4;
}

kiln_status pass_fuse_channel_shuffle(graph *g, size_t *inout_rewrites) {
    for (size_t k = 0; k < g->node_count; k++) {
        node *last = g->nodes[k];
        int64_t groups = 0;
        node *transpose =
            node_is(last, "Reshape") ? sole_producer(last->inputs[0], "Transpose") : NULL;
        node *first = transpose != NULL ? sole_producer(transpose->inputs[0], "Reshape") : NULL;
        if (first == NULL || !swaps_groups(transpose) ||
            !is_split(first->inputs[0], first->outputs[0], &groups) ||
            !tensor_same_shape(first->inputs[0], last->outputs[0])) {
            continue;
        }
        first->dead = transpose->dead = true;
        kiln_status status = become_function(g, last, "ChannelShuffle", first->inputs[0],
                                             "Reshape + Transpose + Reshape");
        status = status == KILN_OK ? node_set_int(g, last, "group", groups) : status;
        if (status != KILN_OK) {
            return status;
        }
        ++*inout_rewrites;
    }
    return KILN_OK;
}
