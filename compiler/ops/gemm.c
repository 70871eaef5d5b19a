/* Gemm. */
#include "compiler/ops/dense.h"
#include "compiler/ops/product.h"

#include <math.h>
#include <string.h>

static kiln_status read_gemm(const graph *g, const node *n, gemm_shape *s) {
    const tensor *a = n->inputs[0], *b = n->inputs[1];
    if (a->rank != 2 || b->rank != 2) {
        return node_fail(g, n, KILN_ERROR_UNSUPPORTED, "operands of ranks %u and %u; supported: 2",
                         a->rank, b->rank);
    }
    *s = (gemm_shape){.trans_a = node_int(n, "transA", 0) != 0,
                      .trans_b = node_int(n, "transB", 0) != 0,
                      .alpha = node_float(n, "alpha", 1.0f),
                      .beta = node_float(n, "beta", 1.0f),
                      .c = n->input_count > 2 ? n->inputs[2] : NULL};
    s->m = a->dims[s->trans_a ? 1 : 0];
    s->k = a->dims[s->trans_a ? 0 : 1];
    s->n = b->dims[s->trans_b ? 0 : 1];
    if (b->dims[s->trans_b ? 1 : 0] != s->k) {
        return node_fail(g, n, KILN_ERROR_FORMAT, "the matrices' inner sizes are %lld and %lld",
                         (long long)s->k, (long long)b->dims[s->trans_b ? 1 : 0]);
    }
    const tensor *c = s->c;
    for (uint32_t d = 0; c != NULL && d < c->rank; d++) {
        int64_t wanted = d + 1 == c->rank ? s->n : s->m;
        if (c->rank > 2 || (c->dims[d] != 1 && c->dims[d] != wanted)) {
            return node_fail(g, n, KILN_ERROR_FORMAT, "C does not broadcast to %lld x %lld",
                             (long long)s->m, (long long)s->n);
        }
    }
    return KILN_OK;
}

static kiln_status infer_gemm(graph *g, node *n) {
    gemm_shape s;
    kiln_status status = require_floats(g, n);
    if (status == KILN_OK) {
        status = read_gemm(g, n, &s);
    }
    if (status != KILN_OK) {
        return status;
    }
    int64_t dims[2] = {s.m, s.n};
    n->outputs[0]->dtype = KILN_F32;
    return tensor_set_shape(g, n, n->outputs[0], 2, dims);
}

typedef struct gemm_work {
    right_side b;
    const gemm_shape *s;
    const float *c; /* NULL: none */
    int64_t c_strides[KILN_MAX_RANK];
    float *y;
} gemm_work;

static void put_gemm(const void *context, int64_t row, int64_t j_begin, int64_t j_end,
                     const double *sums) {
    const gemm_work *w = context;
    for (int64_t j = j_begin; j < j_end; j++) {
        double y = (double)w->s->alpha * sums[j - j_begin];
        if (w->c != NULL) {
            y += (double)w->s->beta * (double)w->c[row * w->c_strides[0] + j * w->c_strides[1]];
        }
        w->y[row * w->s->n + j] = (float)y;
    }
}

static kiln_status evaluate_gemm(graph *g, node *n) {
    gemm_shape s;
    kiln_status status = read_gemm(g, n, &s);
    if (status != KILN_OK) {
        return status;
    }
    gemm_work w = {.b = {tensor_f32(n->inputs[1]), s.trans_b ? 1 : s.n, s.trans_b ? s.k : 1},
                   .s = &s,
                   .c = s.c != NULL ? tensor_f32(s.c) : NULL,
                   .y = n->outputs[0]->owned};
    if (s.c != NULL) {
        broadcast_strides(s.c, n->outputs[0], w.c_strides);
    }
    product p = {.a = tensor_f32(n->inputs[0]),
                 .a_row = s.trans_a ? 1 : s.k,
                 .a_step = s.trans_a ? s.m : 1,
                 .rows = s.m,
                 .depth = s.k,
                 .columns = s.n,
                 .get = dense_columns,
                 .put = put_gemm,
                 .context = &w};
    product_compute(g, &p);
    return KILN_OK;
}

static bool is_column_bias(const tensor *c, const gemm_shape *s) {
    return c == NULL || (tensor_is_constant(c) && (c->rank < 2 || c->dims[0] == 1) &&
                         (tensor_elements(c) == s->n || tensor_elements(c) == 1));
}

/* ---- Lowering ------------------------------------------------------------------------------ */

static uint32_t transposed(lowering *l, const node *n, uint32_t x, const int64_t dims[2]) {
    int64_t swapped[2] = {dims[1], dims[0]};
    int64_t strides[2] = {1, sample_dim(l, dims[1])};
    uint32_t y = lower_temporary(l, KILN_F32, 2, swapped, KILN_ROW_MAJOR);
    if (y == KILN_PLAN_NONE || lower_copy(l, n, x, y, strides, 0) != KILN_OK) {
        return KILN_PLAN_NONE;
    }
    return y;
}

static kiln_status emit_binary(lowering *l, node *n, kiln_binary_op op, uint32_t a, uint32_t b,
                               uint32_t y, bool last) {
    kiln_binary_params params = {
        .op = op, .min = last ? n->min : -INFINITY, .max = last ? n->max : INFINITY};
    uint32_t inputs[2] = {a, b};
    return lower_step(l, n, KILN_KERNEL_BINARY, &params, sizeof params, 2, inputs, 1, &y);
}

/* y = alpha (a b), b known only at run time; clamped, if it is the last step. */
static kiln_status lower_product(lowering *l, node *n, uint32_t a, const gemm_shape *s, uint32_t y,
                                 bool last) {
    bool scales = s->alpha != 1.0f;
    uint32_t b = lower_input(l, n, 1);
    b = s->trans_b ? transposed(l, n, b, n->inputs[1]->dims) : b;
    kiln_matmul_params params = {scales || !last ? -INFINITY : n->min,
                                 scales || !last ? INFINITY : n->max};
    uint32_t inputs[2] = {a, b};
    uint32_t product =
        scales ? lower_temporary(l, KILN_F32, 2, n->outputs[0]->dims, KILN_ROW_MAJOR) : y;
    kiln_status status =
        lower_step(l, n, KILN_KERNEL_MATMUL, &params, sizeof params, 2, inputs, 1, &product);
    if (status != KILN_OK || !scales) {
        return status;
    }
    uint32_t alpha = lower_constant_data(l, NULL, KILN_F32, 0, NULL, &s->alpha);
    return emit_binary(l, n, KILN_BINARY_MUL, product, alpha, y, last);
}

/* y = product + beta C. */
static kiln_status lower_addition(lowering *l, node *n, uint32_t product, const gemm_shape *s,
                                  uint32_t y) {
    bool constant = tensor_is_constant(s->c);
    tensor *addend = constant ? dense_scaled(l, s->c, s->beta) : s->c;
    if (addend == NULL) {
        return KILN_ERROR_MEMORY;
    }
    uint32_t c = lower_tensor(l, addend);
    if (!constant && s->beta != 1.0f) {
        uint32_t beta = lower_constant_data(l, NULL, KILN_F32, 0, NULL, &s->beta);
        uint32_t to = lower_temporary(l, KILN_F32, s->c->rank, s->c->dims, KILN_ROW_MAJOR);
        kiln_status status = emit_binary(l, n, KILN_BINARY_MUL, c, beta, to, false);
        if (status != KILN_OK) {
            return status;
        }
        c = to;
    }
    return emit_binary(l, n, KILN_BINARY_ADD, product, c, y, true);
}

static kiln_status lower_gemm(lowering *l, node *n) {
    gemm_shape s;
    kiln_status status = read_gemm(lower_graph(l), n, &s);
    if (status != KILN_OK) {
        return status;
    }
    uint32_t a = lower_input(l, n, 0), out = lower_output(l, n, 0), to = out;
    if (s.trans_a) {
        a = transposed(l, n, a, n->inputs[0]->dims);
    }
    bool constant = tensor_is_constant(n->inputs[1]);
    bool adds = s.c != NULL && !(constant && is_column_bias(s.c, &s));
    gemm_shape product = s;
    if (adds) {
        product.c = NULL;
        to = lower_temporary(l, KILN_F32, 2, n->outputs[0]->dims, KILN_ROW_MAJOR);
    }
    status = constant ? lower_fully_connected(l, n, a, &product, to, !adds)
                      : lower_product(l, n, a, &product, to, !adds);
    return status == KILN_OK && adds ? lower_addition(l, n, to, &s, out) : status;
}

const op ops_gemm[] = {
    {"Gemm", 6, OP_INPUTS(2, 3), OP_OUTPUTS(1, 1), .layout = OP_ROW_MAJOR, .flags = OP_CLAMPS,
     .infer = infer_gemm, .evaluate = evaluate_gemm, .work = work_of_product, .lower = lower_gemm},
    {.name = NULL},
};
