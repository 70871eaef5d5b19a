/* MatMul. */
#include "compiler/ops/dense.h"
#include "compiler/ops/product.h"

#include <string.h>

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
                     .get = dense_columns,
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

const op ops_matmul[] = {
    {"MatMul", 1, OP_INPUTS(2, 2), OP_OUTPUTS(1, 1), .layout = OP_ROW_MAJOR, .flags = OP_CLAMPS,
     .infer = infer_matmul, .evaluate = evaluate_matmul, .work = work_of_product,
     .lower = lower_matmul},
    {.name = NULL},
};
