/* Dense layers: what Gemm and MatMul with constant weights become. */
#include "compiler/ops/dense.h"
#include "compiler/ops/product.h"

#include <math.h>

void dense_columns(const void *context, int64_t k_begin, int64_t k_end, int64_t j_begin,
                   int64_t j_end, double *out) {
    const right_side *r = context;
    for (int64_t k = k_begin; k < k_end; k++, out += PRODUCT_COLUMNS) {
        const float *from = r->b + k * r->by_k;
        for (int64_t j = j_begin; j < j_end; j++) {
            out[j - j_begin] = (double)from[j * r->by_j];
        }
    }
}

/* B as [N][K]. Where x is flattened channels last, its columns are pixels of so many channels, and
 * B's are channels of so many pixels. */
static uint32_t lower_weight(lowering *l, const node *n, tensor *b, const gemm_shape *s) {
    int64_t by_n = s->trans_b ? s->k : 1, by_k = s->trans_b ? 1 : s->n;
    int64_t merged[2] = {s->n, s->k}, channels = n->flattened_channels;
    if (channels != 0) {
        int64_t pixels = s->k / channels, dims[3] = {s->n, pixels, channels};
        int64_t strides[3] = {by_n, by_k, pixels * by_k};
        uint32_t view = lower_constant_view(l, b, 3, dims, strides);
        return view == KILN_PLAN_NONE ? view : lower_reshaped(l, view, 2, merged);
    }
    int64_t strides[2] = {by_n, by_k};
    return lower_constant_view(l, b, 2, merged, strides);
}

tensor *dense_scaled(lowering *l, tensor *t, float factor) {
    if (factor == 1.0f) {
        return t;
    }
    tensor *result = graph_add_constant(lower_graph(l), NULL, KILN_F32, t->rank, t->dims);
    for (int64_t k = 0; result != NULL && k < tensor_elements(t); k++) {
        ((float *)result->owned)[k] = tensor_f32_at(t, k) * factor;
    }
    return result;
}

static uint32_t lower_bias(lowering *l, const gemm_shape *s) {
    if (s->c == NULL) {
        return KILN_PLAN_NONE;
    }
    tensor *c = dense_scaled(l, s->c, s->beta);
    int64_t dims = s->n, stride = tensor_elements(s->c) == 1 ? 0 : 1;
    return c == NULL ? lower_fail(l, KILN_ERROR_MEMORY)
                     : lower_constant_view(l, c, 1, &dims, &stride);
}

kiln_status lower_fully_connected(lowering *l, node *n, uint32_t x, const gemm_shape *s, uint32_t y,
                                  bool last) {
    tensor *b = dense_scaled(l, n->inputs[1], s->alpha);
    if (b == NULL) {
        return KILN_ERROR_MEMORY;
    }
    kiln_fully_connected_params params = {last ? n->min : -INFINITY, last ? n->max : INFINITY};
    uint32_t inputs[3] = {x, lower_weight(l, n, b, s), lower_bias(l, s)};
    return lower_step(l, n, KILN_KERNEL_FULLY_CONNECTED, &params, sizeof params, 3, inputs, 1, &y);
}

double work_of_product(const node *n) {
    const tensor *a = n->inputs[0];
    bool transposed = a->rank > 1 && node_int(n, "transA", 0) != 0;
    int64_t depth = a->rank == 0 ? 1 : a->dims[transposed ? a->rank - 2 : a->rank - 1];
    return (double)tensor_elements(n->outputs[0]) * (double)depth;
}
