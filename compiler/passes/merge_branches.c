/* Convolutions of the same map that are only added up, as networks are trained with them (Ding et
 * al., "RepVGG: Making VGG-style ConvNets Great Again", 2021), become one: the smaller kernel is
 * added to the larger where it lies in it. The map itself, added to its depthwise convolution, is a
 * kernel with a one. So do dense layers, of which distilled networks average two (Touvron et al.,
 * "Training data-efficient image transformers & distillation through attention", 2021). */
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"

#include <string.h>

static bool is_plain(const tensor *t) {
    return tensor_is_constant(t) && t->dtype == KILN_F32 && t->quantized == NULL &&
           !tensor_depends_on_batch(t);
}

/* The convolution, or the dense layer, of constant weights that makes t alone; NULL: there is none.
 */
static node *branch_of(const tensor *t, const char *op_name) {
    node *n = sole_producer(t, op_name);
    bool fits = n != NULL && is_unclamped(n) && is_plain(n->inputs[1]) &&
                (n->input_count < 3 || n->inputs[2] == NULL || is_plain(n->inputs[2])) &&
                node_int(n, "exact", 0) == 0;
    return fits ? n : NULL;
}

/* Where the smaller kernel lies in the larger one; false: not at all. */
static bool find_place(const window *large, const window *small, int64_t place[KILN_MAX_RANK]) {
    for (uint32_t k = 0; k < large->spatial; k++) {
        place[k] = large->pad_begin[k] - small->pad_begin[k];
        bool dilated = large->dilation[k] != 1 || small->dilation[k] != 1;
        if (place[k] < 0 || place[k] + small->kernel[k] > large->kernel[k] || dilated ||
            large->stride[k] != small->stride[k]) {
            return false;
        }
    }
    return true;
}

/* A copy of n's input k, 1 for weights and 2 for biases, which may be written to. */
static tensor *copy_of(graph *g, const node *n, size_t k) {
    const tensor *from = k < n->input_count ? n->inputs[k] : NULL;
    const tensor *like = from != NULL ? from : n->inputs[1];
    tensor *to = graph_add_constant(g, NULL, KILN_F32, from != NULL ? from->rank : 1, like->dims);
    for (int64_t e = 0; to != NULL && e < tensor_elements(to); e++) {
        ((float *)to->owned)[e] = from != NULL ? tensor_f32_at(from, e) : 0;
    }
    return to;
}

/* Adds a kernel of the dims of `small` to that of each filter; `from` NULL: ones. */
static void add_kernel(tensor *to, const tensor *from, const int64_t *small, const int64_t *place) {
    uint32_t spatial = to->rank - 2;
    int64_t count = 1, within = 1, filters = to->dims[0] * to->dims[1];
    for (uint32_t k = 0; k < spatial; k++) {
        count *= small[k];
        within *= to->dims[2 + k];
    }
    for (int64_t e = 0; e < filters * count; e++) {
        int64_t left = e % count, at = 0, stride = 1;
        for (uint32_t k = spatial; k-- > 0;) {
            at += (left % small[k] + place[k]) * stride;
            left /= small[k];
            stride *= to->dims[2 + k];
        }
        ((float *)to->owned)[e / count * within + at] += from != NULL ? tensor_f32_at(from, e) : 1;
    }
}

/* `n` computes what `add` makes of it and of `other`, which is a convolution or, NULL, n's input.
 */
static kiln_status merge(graph *g, node *n, node *other, node *add, const int64_t *place) {
    static const int64_t one[KILN_MAX_RANK - 2] = {1, 1, 1, 1, 1, 1};
    tensor *weights = copy_of(g, n, 1), *bias = copy_of(g, n, 2);
    tensor **inputs = graph_allocate(g, 3 * sizeof *inputs);
    if (weights == NULL || bias == NULL || inputs == NULL) {
        return KILN_ERROR_MEMORY;
    }
    const tensor *more = other != NULL ? other->inputs[1] : NULL;
    add_kernel(weights, more, more != NULL ? more->dims + 2 : one, place);
    const tensor *shift = other != NULL && other->input_count > 2 ? other->inputs[2] : NULL;
    for (int64_t c = 0; shift != NULL && c < weights->dims[0]; c++) {
        ((float *)bias->owned)[c] += tensor_f32_at(shift, c);
    }
    inputs[0] = n->inputs[0];
    inputs[1] = weights;
    inputs[2] = bias;
    n->inputs = inputs;
    n->input_count = 3;
    if (other != NULL) {
        n->origin = graph_printf(g, "%s + %s", n->origin, other->origin);
        other->dead = true;
    }
    if (n->origin == NULL) {
        return KILN_ERROR_MEMORY;
    }
    absorb(g, n, add);
    return KILN_OK;
}

/* Two convolutions of the same map. */
static kiln_status merge_pair(graph *g, node *add, bool *out_merged) {
    for (size_t k = 0; k < 2; k++) {
        node *n = branch_of(add->inputs[k], "Conv");
        node *other = branch_of(add->inputs[1 - k], "Conv");
        window large, small;
        int64_t place[KILN_MAX_RANK];
        if (n == NULL || other == NULL || n == other || n->inputs[0] != other->inputs[0] ||
            node_int(n, "group", 1) != node_int(other, "group", 1) ||
            window_of_node(g, n, n->inputs[1]->dims + 2, false, &large) != KILN_OK ||
            window_of_node(g, other, other->inputs[1]->dims + 2, false, &small) != KILN_OK ||
            !find_place(&large, &small, place)) {
            continue;
        }
        *out_merged = true;
        return merge(g, n, other, add, place);
    }
    return KILN_OK;
}

/* A map and its depthwise convolution. */
static kiln_status merge_identity(graph *g, node *add, bool *out_merged) {
    for (size_t k = 0; k < 2; k++) {
        node *n = branch_of(add->inputs[k], "Conv");
        window w;
        window self = {0};
        int64_t place[KILN_MAX_RANK];
        if (n == NULL || n->inputs[0] != add->inputs[1 - k] ||
            node_int(n, "group", 1) != n->inputs[0]->dims[1] ||
            n->inputs[1]->dims[0] != n->inputs[0]->dims[1] ||
            window_of_node(g, n, n->inputs[1]->dims + 2, false, &w) != KILN_OK) {
            continue;
        }
        for (uint32_t s = 0; s < w.spatial; s++) {
            self.kernel[s] = self.stride[s] = self.dilation[s] = 1;
        }
        if (find_place(&w, &self, place)) {
            *out_merged = true;
            return merge(g, n, NULL, add, place);
        }
    }
    return KILN_OK;
}

/* Is it a product with rows of weights, and a bias or none? */
static bool is_dense(const node *n) {
    const tensor *bias = n->input_count > 2 ? n->inputs[2] : NULL;
    return (bias == NULL || (bias->rank == 1 && bias->dims[0] == n->inputs[1]->dims[0])) &&
           node_float(n, "alpha", 1) == 1 && node_float(n, "beta", 1) == 1 &&
           node_int(n, "transA", 0) == 0 && node_int(n, "transB", 0) == 1;
}

/* Two dense layers of the same rows. */
static kiln_status merge_dense(graph *g, node *add, bool *out_merged) {
    node *n = branch_of(add->inputs[0], "Gemm"), *other = branch_of(add->inputs[1], "Gemm");
    if (n == NULL || other == NULL || n->inputs[0] != other->inputs[0] || !is_dense(n) ||
        !is_dense(other) || !tensor_same_shape(n->inputs[1], other->inputs[1])) {
        return KILN_OK;
    }
    *out_merged = true;
    return merge(g, n, other, add, NULL);
}

kiln_status pass_merge_branches(graph *g, size_t *inout_rewrites) {
    size_t before = *inout_rewrites, norms = 0;
    kiln_status status = KILN_OK;
    for (size_t k = 0; k < g->node_count && status == KILN_OK; k++) {
        node *add = g->nodes[k];
        bool merged = false;
        if (!node_is(add, "Add") || !is_unclamped(add) ||
            !tensor_same_shape(add->inputs[0], add->inputs[1])) {
            continue;
        }
        status = merge_pair(g, add, &merged);
        if (status == KILN_OK && !merged) {
            status = merge_identity(g, add, &merged);
        }
        if (status == KILN_OK && !merged) {
            status = merge_dense(g, add, &merged);
        }
        *inout_rewrites += merged;
    }
    if (status != KILN_OK || *inout_rewrites == before) {
        return status;
    }
    status = graph_refresh(g); /* a norm of the sum follows a convolution now */
    return status == KILN_OK ? pass_fold_batch_norm(g, &norms) : status;
}
