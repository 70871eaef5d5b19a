/* A 3x3 convolution of a few wide groups becomes a convolution a group, which read slices of its
 * input's channels and write those of its output: Winograd's algorithm computes each of them with a
 * fraction of the multiplications, and knows no groups. */
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"

#include <string.h>

#define MOST_GROUPS 16
#define LEAST_CHANNELS 32 /* of a group, on either side: fewer are not worth their transforms */

static bool is_plain(const tensor *t) {
    return tensor_is_constant(t) && t->dtype == KILN_F32 && t->quantized == NULL &&
           !tensor_depends_on_batch(t);
}

/* Is it a convolution that Winograd's algorithm could compute but for its groups? */
static bool is_candidate(graph *g, node *n, int64_t groups) {
    window w;
    if (!node_is(n, "Conv") || groups < 2 || groups > MOST_GROUPS || n->inputs[0]->rank != 4 ||
        tensor_is_constant(n->inputs[0]) || !is_plain(n->inputs[1]) ||
        (n->input_count > 2 && n->inputs[2] != NULL && !is_plain(n->inputs[2])) ||
        node_int(n, "exact", 0) != 0 ||
        window_of_node(g, n, n->inputs[1]->dims + 2, false, &w) != KILN_OK) {
        return false;
    }
    bool fits =
        n->inputs[1]->dims[0] / groups >= LEAST_CHANNELS && n->inputs[1]->dims[1] >= LEAST_CHANNELS;
    for (uint32_t k = 0; k < w.spatial; k++) {
        fits = fits && w.kernel[k] == 3 && w.stride[k] == 1 && w.dilation[k] == 1;
    }
    return fits;
}

/* The part of weights or biases that is of one group; NULL: there is none, or no memory. */
static tensor *part_of(graph *g, const node *n, size_t input, int64_t group, int64_t groups) {
    const tensor *whole = input < n->input_count ? n->inputs[input] : NULL;
    int64_t dims[KILN_MAX_RANK];
    if (whole == NULL) {
        return NULL;
    }
    memcpy(dims, whole->dims, sizeof dims);
    dims[0] /= groups;
    tensor *part = graph_add_constant(g, NULL, KILN_F32, whole->rank, dims);
    int64_t count = tensor_elements(whole) / groups;
    for (int64_t k = 0; part != NULL && k < count; k++) {
        ((float *)part->owned)[k] = tensor_f32_at(whole, group * count + k);
    }
    return part;
}

static kiln_status add_group(graph *g, size_t position, const node *like, int64_t group,
                             int64_t groups, tensor *x, tensor *y) {
    tensor *inputs[3] = {x, part_of(g, like, 1, group, groups), part_of(g, like, 2, group, groups)};
    bool biased = like->input_count > 2 && like->inputs[2] != NULL;
    if (inputs[1] == NULL || (biased && inputs[2] == NULL)) {
        return KILN_ERROR_MEMORY;
    }
    node *n = graph_insert_node(g, position, like->op, like->name, biased ? 3 : 2, inputs, 1, &y);
    if (n == NULL) {
        return KILN_ERROR_MEMORY;
    }
    n->origin = like->origin;
    n->attributes = like->attributes;
    n->attribute_count = like->attribute_count;
    n->min = like->min;
    n->max = like->max;
    kiln_status status = node_set_int(g, n, "group", 1);
    return status == KILN_OK ? graph_infer_node(g, n) : status;
}

/* Adds a Split of the first of `tensors` into the others, or a Concat of the others into it. */
static kiln_status add_channels(graph *g, size_t position, const node *like, bool splits,
                                size_t count, tensor *tensors[1 + MOST_GROUPS]) {
    node *n = splits ? graph_insert_node(g, position, op_find("Split"), like->name, 1, tensors,
                                         count, tensors + 1)
                     : graph_insert_node(g, position, op_find("Concat"), like->name, count,
                                         tensors + 1, 1, tensors);
    kiln_status status = n != NULL ? node_set_int(g, n, "axis", 1) : KILN_ERROR_MEMORY;
    return status == KILN_OK ? graph_infer_node(g, n) : status;
}

static kiln_status split_at(graph *g, size_t position, size_t groups) {
    node *n = g->nodes[position];
    tensor *inputs[1 + MOST_GROUPS] = {n->inputs[0]}, *outputs[1 + MOST_GROUPS] = {n->outputs[0]};
    for (size_t k = 1; k <= groups; k++) {
        inputs[k] = graph_add_tensor(g, NULL, KILN_F32);
        outputs[k] = graph_add_tensor(g, NULL, KILN_F32);
        if (inputs[k] == NULL || outputs[k] == NULL) {
            return KILN_ERROR_MEMORY;
        }
    }
    n->dead = true;
    kiln_status status = add_channels(g, ++position, n, true, groups, inputs);
    for (size_t k = 0; k < groups && status == KILN_OK; k++) {
        status =
            add_group(g, ++position, n, (int64_t)k, (int64_t)groups, inputs[k + 1], outputs[k + 1]);
    }
    return status == KILN_OK ? add_channels(g, ++position, n, false, groups, outputs) : status;
}

kiln_status pass_split_groups(graph *g, size_t *inout_rewrites) {
    for (size_t k = 0; k < g->node_count; k++) {
        node *n = g->nodes[k];
        int64_t groups = n->dead ? 1 : node_int(n, "group", 1);
        if (is_candidate(g, n, groups)) {
            kiln_status status = split_at(g, k, (size_t)groups);
            if (status != KILN_OK) {
                return status;
            }
            ++*inout_rewrites;
        }
    }
    return graph_refresh(g);
}
