/* Reshape [N,C,...] -> [N,G,...], InstanceNormalization, Reshape back: a group norm (Wu and He,
 * "Group Normalization", 2018), as PyTorch writes it. As one operator it needs no copy in
 * channels-last layout. */
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"

/* [N,C,...] as [N,G,...]. */
static bool is_grouped(const tensor *x, const tensor *grouped) {
    return x->rank >= 3 && grouped->rank >= 3 && x->dims[0] == grouped->dims[0] &&
           x->dims[1] % grouped->dims[1] == 0;
}

/* A group's value for each of its channels; NULL: no memory. */
static tensor *of_channels(graph *g, tensor *of_groups, int64_t channels) {
    int64_t size = channels / tensor_elements(of_groups);
    tensor *result = graph_add_constant(g, NULL, KILN_F32, 1, &channels);
    for (int64_t c = 0; result != NULL && c < channels; c++) {
        ((float *)result->owned)[c] = tensor_f32_at(of_groups, c / size);
    }
    return result;
}

static kiln_status fuse(graph *g, node *first, node *norm, node *last) {
    tensor *x = first->inputs[0];
    float epsilon = node_float(norm, "epsilon", 1e-5f);
    tensor **inputs = graph_allocate(g, 3 * sizeof *inputs);
    const char *origin = graph_printf(g, "%s + %s + %s", first->origin, norm->origin, last->origin);
    if (inputs == NULL || origin == NULL) {
        return KILN_ERROR_MEMORY;
    }
    inputs[0] = x;
    inputs[1] = of_channels(g, norm->inputs[1], x->dims[1]);
    inputs[2] = of_channels(g, norm->inputs[2], x->dims[1]);
    if (inputs[1] == NULL || inputs[2] == NULL) {
        return KILN_ERROR_MEMORY;
    }
    int64_t groups = first->outputs[0]->dims[1];
    last->inputs = inputs;
    last->input_count = 3;
    last->attribute_count = 0;
    last->op = op_find("GroupNorm");
    last->origin = origin;
    first->dead = norm->dead = true;
    kiln_status status = node_set_int(g, last, "groups", groups);
    return status == KILN_OK ? node_set_float(g, last, "epsilon", epsilon) : status;
}

kiln_status pass_fuse_group_norm(graph *g, size_t *inout_rewrites) {
    for (size_t k = 0; k < g->node_count; k++) {
        node *last = g->nodes[k];
        node *norm = node_is(last, "Reshape")
                         ? sole_producer(last->inputs[0], "InstanceNormalization")
                         : NULL;
        node *first = norm != NULL ? sole_producer(norm->inputs[0], "Reshape") : NULL;
        if (first == NULL || !is_unclamped(norm) || !tensor_is_constant(norm->inputs[1]) ||
            !tensor_is_constant(norm->inputs[2]) ||
            !is_grouped(first->inputs[0], first->outputs[0]) ||
            !tensor_same_shape(first->inputs[0], last->outputs[0])) {
            continue;
        }
        kiln_status status = fuse(g, first, norm, last);
        if (status != KILN_OK) {
            return status;
        }
        ++*inout_rewrites;
    }
    return KILN_OK;
}
