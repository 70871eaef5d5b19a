/* Gemm and MatMul. */
#include "compiler/ops/product.h"
#include "compiler/ops/support.h"

#include <math.h>
#include <string.h>

/* ---- Gemm ---------------------------------------------------------------------------------- */

typedef struct gemm_shape {
    int64_t m, n, k;
    bool trans_a, trans_b;
    float alpha, beta;
    tensor *c; /* NULL: none */
} gemm_shape;

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

/* A product's right side, whose element (k, j) is at k * by_k + j * by_j: the contexts' first
 * member. */
typedef struct right_side {
    const float *b;
    int64_t by_k, by_j;
} right_side;

static void get_columns(const void *context, int64_t k_begin, int64_t k_end, int64_t j_begin,
                        int64_t j_end, double *out) {
    const right_side *r = context;
    for (int64_t k = k_begin; k < k_end; k++, out += PRODUCT_COLUMNS) {
        const float *from = r->b + k * r->by_k;
        for (int64_t j = j_begin; j < j_end; j++) {
            out[j - j_begin] = (double)from[j * r->by_j];
        }
    }
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
                 .get = get_columns,
                 .put = put_gemm,
                 .context = &w};
    product_compute(g, &p);
    return KILN_OK;
}

/* ---- Lowering to a fully-connected layer --------------------------------------------------- */

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

/* A copy of the constant t times factor; t itself when the factor is 1. NULL: memory. */
static tensor *scaled(lowering *l, tensor *t, float factor) {
    if (factor == 1.0f) {
        return t;
    }
    tensor *result = graph_add_constant(lower_graph(l), NULL, KILN_F32, t->rank, t->dims);
    for (int64_t k = 0; result != NULL && k < tensor_elements(t); k++) {
        ((float *)result->owned)[k] = tensor_f32_at(t, k) * factor;
    }
    return result;
}

static bool is_column_bias(const tensor *c, const gemm_shape *s) {
    return c == NULL || (tensor_is_constant(c) && (c->rank < 2 || c->dims[0] == 1) &&
                         (tensor_elements(c) == s->n || tensor_elements(c) == 1));
}

static uint32_t lower_bias(lowering *l, const gemm_shape *s) {
    if (s->c == NULL) {
        return KILN_PLAN_NONE;
    }
    tensor *c = scaled(l, s->c, s->beta);
    int64_t dims = s->n, stride = tensor_elements(s->c) == 1 ? 0 : 1;
    return c == NULL ? lower_fail(l, KILN_ERROR_MEMORY)
                     : lower_constant_view(l, c, 1, &dims, &stride);
}

/* y = alpha (x b) + beta C; clamped, if it is the last step. */
static kiln_status lower_fully_connected(lowering *l, node *n, uint32_t x, const gemm_shape *s,
                                         uint32_t y, bool last) {
    tensor *b = scaled(l, n->inputs[1], s->alpha);
    if (b == NULL) {
        return KILN_ERROR_MEMORY;
    }
    kiln_fully_connected_params params = {last ? n->min : -INFINITY, last ? n->max : INFINITY};
    uint32_t inputs[3] = {x, lower_weight(l, n, b, s), lower_bias(l, s)};
    return lower_step(l, n, KILN_KERNEL_FULLY_CONNECTED, &params, sizeof params, 3, inputs, 1, &y);
}

/* ---- Lowering in general ------------------------------------------------------------------- */

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
    tensor *addend = constant ? scaled(l, s->c, s->beta) : s->c;
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

/* ---- MatMul -------------------------------------------------------------------------------- */

/* Both operands as matrices: [K] is [1][K] on the left and [K][1] on the right. */
static uint32_t as_matrix(const tensor *t, bool right, int64_t dims[KILN_MAX_RANK]) {
    if (t->rank > 1) {
        memcpy(dims, t->dims, t->rank * sizeof *dims);
        return t->rank;
    }
    dims[0] = right ? t->dims[0] : 1;
    dims[1] = right ? 1 : t->dims[0];
    return 2;
}

typedef struct matmul_shape {
    uint32_t a_rank, b_rank, rank;
    int64_t a[KILN_MAX_RANK], b[KILN_MAX_RANK], y[KILN_MAX_RANK]; /* as matrices */
} matmul_shape;

static kiln_status read_matmul(const graph *g, const node *n, matmul_shape *s) {
    const tensor *a = n->inputs[0], *b = n->inputs[1];
    if (a->rank == 0 || b->rank == 0) {
        return node_fail(g, n, KILN_ERROR_FORMAT, "an operand is a scalar");
    }
    s->a_rank = as_matrix(a, false, s->a);
    s->b_rank = as_matrix(b, true, s->b);
    s->rank = s->a_rank > s->b_rank ? s->a_rank : s->b_rank;
    if (s->a[s->a_rank - 1] != s->b[s->b_rank - 2]) {
        return node_fail(g, n, KILN_ERROR_FORMAT, "the matrices' inner sizes are %lld and %lld",
                         (long long)s->a[s->a_rank - 1], (long long)s->b[s->b_rank - 2]);
    }
    for (uint32_t k = 0; k + 2 < s->rank; k++) {
        int64_t u = k + s->a_rank < s->rank ? 1 : s->a[k + s->a_rank - s->rank];
        int64_t v = k + s->b_rank < s->rank ? 1 : s->b[k + s->b_rank - s->rank];
        if (u != v && u != 1 && v != 1) {
            return node_fail(g, n, KILN_ERROR_FORMAT, "leading dimensions %lld and %lld",
                             (long long)u, (long long)v);
        }
        s->y[k] = u == 1 ? v : u;
    }
    s->y[s->rank - 2] = s->a[s->a_rank - 2];
    s->y[s->rank - 1] = s->b[s->b_rank - 1];
    return KILN_OK;
}

static kiln_status infer_matmul(graph *g, node *n) {
    matmul_shape s;
    kiln_status status = require_floats(g, n);
    if (status == KILN_OK) {
        status = read_matmul(g, n, &s);
    }
    if (status != KILN_OK) {
        return status;
    }
    int64_t dims[KILN_MAX_RANK];
    uint32_t rank = 0;
    for (uint32_t k = 0; k < s.rank; k++) {
        bool dropped = (k + 2 == s.rank && n->inputs[0]->rank == 1) ||
                       (k + 1 == s.rank && n->inputs[1]->rank == 1);
        if (!dropped) {
            dims[rank++] = s.y[k];
        }
    }
    n->outputs[0]->dtype = KILN_F32;
    return tensor_set_shape(g, n, n->outputs[0], rank, dims);
}

/* Start of the matrix of an operand that belongs to the index-th matrix of the result. */
static int64_t matrix_start(const matmul_shape *s, const int64_t *dims, uint32_t rank,
                            int64_t index) {
    int64_t stride = dims[rank - 2] * dims[rank - 1], start = 0;
    for (uint32_t k = s->rank - 2; k-- > 0;) {
        int64_t at = index % s->y[k];
        index /= s->y[k];
        if (k + rank >= s->rank) {
            int64_t dim = dims[k + rank - s->rank];
            start += dim == 1 ? 0 : at * stride;
            stride *= dim;
        }
    }
    return start;
}

typedef struct matmul_work {
    right_side b;
    int64_t columns;
    float *y;
} matmul_work;

static void put_matmul(const void *context, int64_t row, int64_t j_begin, int64_t j_end,
                       const double *sums) {
    const matmul_work *w = context;
    for (int64_t j = j_begin; j < j_end; j++) {
        w->y[row * w->columns + j] = (float)sums[j - j_begin];
    }
}

static kiln_status evaluate_matmul(graph *g, node *n) {
    matmul_shape s;
    kiln_status status = read_matmul(g, n, &s);
    if (status != KILN_OK) {
        return status;
    }
    int64_t rows = s.y[s.rank - 2], columns = s.y[s.rank - 1], depth = s.a[s.a_rank - 1];
    int64_t matrices = 1;
    for (uint32_t k = 0; k + 2 < s.rank; k++) {
        matrices *= s.y[k];
    }
    for (int64_t k = 0; k < matrices; k++) {
        const float *b = tensor_f32(n->inputs[1]) + matrix_start(&s, s.b, s.b_rank, k);
        matmul_work w = {{b, columns, 1}, columns, (float *)n->outputs[0]->owned};
        w.y += k * rows * columns;
        product p = {.a = tensor_f32(n->inputs[0]) + matrix_start(&s, s.a, s.a_rank, k),
                     .a_row = depth,
                     .a_step = 1,
                     .rows = rows,
                     .depth = depth,
                     .columns = columns,
                     .get = get_columns,
                     .put = put_matmul,
                     .context = &w};
        product_compute(g, &p);
    }
    return KILN_OK;
}

static uint32_t lower_matrix(lowering *l, tensor *t, uint32_t rank, const int64_t *dims) {
    uint32_t id = lower_tensor(l, t);
    return t->rank == rank || id == KILN_PLAN_NONE ? id : lower_reshaped(l, id, rank, dims);
}

static kiln_status lower_matmul(lowering *l, node *n) {
    matmul_shape s;
    tensor *a = n->inputs[0], *b = n->inputs[1], *y = n->outputs[0];
    kiln_status status = read_matmul(lower_graph(l), n, &s);
    if (status != KILN_OK) {
        return status;
    }
    if (tensor_is_constant(b) && b->rank == 2 && a->rank >= 2 && !tensor_is_constant(a)) {
        gemm_shape shape = {.n = b->dims[1], .k = b->dims[0], .alpha = 1.0f, .beta = 1.0f};
        return lower_fully_connected(l, n, lower_tensor(l, a), &shape, lower_tensor(l, y), true);
    }
    kiln_matmul_params params = {n->min, n->max};
    uint32_t inputs[2] = {lower_matrix(l, a, s.a_rank, s.a), lower_matrix(l, b, s.b_rank, s.b)};
    uint32_t out = lower_matrix(l, y, s.rank, s.y);
    return lower_step(l, n, KILN_KERNEL_MATMUL, &params, sizeof params, 2, inputs, 1, &out);
}

/* Multiplications. */
static double work_of_product(const node *n) {
    const tensor *a = n->inputs[0];
    bool transposed = a->rank > 1 && node_int(n, "transA", 0) != 0;
    int64_t depth = a->rank == 0 ? 1 : a->dims[transposed ? a->rank - 2 : a->rank - 1];
    return (double)tensor_elements(n->outputs[0]) * (double)depth;
}

const op ops_dense[] = {
    {"Gemm", 6, OP_INPUTS(2, 3), OP_OUTPUTS(1, 1), .layout = OP_ROW_MAJOR, .flags = OP_CLAMPS,
     .infer = infer_gemm, .evaluate = evaluate_gemm, .work = work_of_product, .lower = lower_gemm},
    {"MatMul", 1, OP_INPUTS(2, 2), OP_OUTPUTS(1, 1), .layout = OP_ROW_MAJOR, .flags = OP_CLAMPS,
     .infer = infer_matmul, .evaluate = evaluate_matmul, .work = work_of_product,
     .lower = lower_matmul},
    {.name = NULL},
};
