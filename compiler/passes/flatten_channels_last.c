/* A feature map flattened before a dense layer (VGG, AlexNet) would have to be copied from N,H,W,C
 * back to N,C,H,W. Instead it is flattened as it lies, and the dense layer is told so: its weights
 * are permuted while they are written to the plan. */
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"

/* Goes back through elementwise operators to the flattening Reshape or Flatten; NULL when there is
 * none. */
static node *find_flatten(const node *gemm) {
    const tensor *t = gemm->inputs[0];
    while (t->producer != NULL && t->consumer_count == 1 && !t->is_output) {
        node *n = t->producer;
        if (node_is(n, "Reshape") || node_is(n, "Flatten") || node_is(n, "Squeeze")) {
            return n;
        }
        if ((n->op->flags & OP_ELEMENTWISE) == 0) {
            return NULL;
        }
        t = n->inputs[0];
    }
    return NULL;
}

/* Will the map lie channels-last? It does when a spatial operator makes it, with elementwise ones
 * between. */
static bool is_spatial(const tensor *t) {
    while (t->producer != NULL) {
        const op *o = t->producer->op;
        if (o->layout == OP_CHANNELS_LAST) {
            return true;
        }
        if (o->layout != OP_ANY || t->producer->inputs[0]->rank != t->rank) {
            return false;
        }
        t = t->producer->inputs[0];
    }
    return false;
}

kiln_status pass_flatten_channels_last(graph *g, size_t *inout_rewrites) {
    const op *flatten_op = op_find("FlattenChannelsLast");
    for (size_t k = 0; k < g->node_count && flatten_op != NULL; k++) {
        node *gemm = g->nodes[k];
        bool plain = node_is(gemm, "Gemm") && tensor_is_constant(gemm->inputs[1]) &&
                     node_int(gemm, "transA", 0) == 0 && gemm->flattened_channels == 0;
        node *flatten = plain ? find_flatten(gemm) : NULL;
        if (flatten == NULL) {
            continue;
        }
        const tensor *x = flatten->inputs[0], *y = flatten->outputs[0];
        if (x->rank < 3 || x->rank > 5 || y->rank != 2 || x->dims[0] != y->dims[0] ||
            tensor_elements(x) == x->dims[0] * x->dims[1] || x->dims[1] == 1 || !is_spatial(x)) {
            continue;
        }
        gemm->flattened_channels = x->dims[1];
        flatten->op = flatten_op;
        flatten->input_count = 1;
        flatten->attribute_count = 0;
        ++*inout_rewrites;
    }
    return KILN_OK;
}
