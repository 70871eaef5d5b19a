/* FULLY_CONNECTED on loops of ours. A dense layer of few rows costs what its weights cost to read,
 * so they are read where they lie in the plan, once, in order, as f32 or f16: nothing is packed and
 * nothing is held but the plan's pages. With more rows arithmetic counts: then a panel of weights
 * at a time is transposed for the matrix product, which is paid back by all rows that meet it. */
#include "runtime/kernels/fully_connected.h"

#include <math.h>
#include <string.h>

#define FEW_ROWS ((size_t)20) /* with fewer rows, transposing a panel does not pay */
/* A task reads so many weights, which takes longer than to wake a thread. */
#define TASK_BYTES ((size_t)64 << 10)
#define PANEL_DEPTH ((size_t)128) /* a panel of so many k stays in the L1 cache */
#define PANEL_ROWS ((size_t)128)  /* and so do the sums of so many rows */

/* What all tasks of a run share. */
typedef struct layer {
    const ukernels *ukernels;
    dense_weights stored;
    dense_piece whole;
    finish finish;
} layer;

static const char *check(const kernel_call *call) {
    const kiln_fully_connected_params *p = call->params;
    const operand *x = &call->inputs[0], *w = &call->inputs[1], *y = &call->outputs[0];
    if (!finish_is_sound(call, p->min, p->max)) {
        return "parameters out of range";
    }
    if (x->rank == 0 || y->rank == 0 || x->batched != y->batched || x->outer != y->outer ||
        (x->batched && (x->rank < 2 || y->rank < 2))) {
        return "input and output have different rows";
    }
    if (w->dims[0] != y->inner || w->dims[1] != x->inner ||
        (has_input(call, 2) && call->inputs[2].dims[0] != y->inner)) {
        return "weights and bias do not fit input and output";
    }
    return NULL;
}

static size_t weight_size(const layer *l) {
    return l->stored == DENSE_F16 ? sizeof(uint16_t) : sizeof(float);
}

/* The part of the layer that begins at (row, output). */
static dense_piece piece_of(const layer *l, size_t row, size_t rows, size_t output,
                            size_t outputs) {
    dense_piece piece = l->whole;
    piece.m = rows;
    piece.n = outputs;
    piece.x += row * piece.x_stride;
    piece.weights = (const char *)piece.weights + output * piece.k * weight_size(l);
    piece.bias = piece.bias == NULL ? NULL : piece.bias + output;
    piece.y += row * piece.y_stride + output;
    return piece;
}

/* ---- Few rows ------------------------------------------------------------------------------ */

static void run_outputs(void *context, size_t begin, size_t count) {
    const layer *l = context;
    dense_piece piece = piece_of(l, 0, l->whole.m, begin, count);
    ukernels_dense(l->ukernels)->dot[l->stored](&piece);
    finish_rows(&l->finish, piece.y, piece.m, piece.y_stride, count);
}

/* ---- Many rows ----------------------------------------------------------------------------- */

/* sums[m][nr] += x weights, over one depth of the panel, by as many rows at a time as the
 * processor takes. The last depth ends with bias and clamp. */
static void add_product(const layer *l, const dense_piece *p, size_t from, size_t depth,
                        const float *weights, const float *bias, float *sums) {
    static const float zeros[GEMM_MAX_NR];
    size_t nr = l->ukernels->nr;
    bool last = from + depth == p->k;
    gemm_epilogue finish = {.bias = last ? bias : zeros,
                            .add = from > 0 ? sums : NULL,
                            .add_stride = nr,
                            .min = last ? p->min : -INFINITY,
                            .max = last ? p->max : INFINITY};
    l->ukernels->gemm(p->m, nr, depth, p->x + from, p->x_stride, weights, sums, nr, &finish);
}

static void run_panel(void *context, size_t strip, size_t index) {
    const layer *l = context;
    size_t nr = l->ukernels->nr, row = strip * PANEL_ROWS, output = index * nr;
    size_t rows = l->whole.m - row < PANEL_ROWS ? l->whole.m - row : PANEL_ROWS;
    size_t outputs = l->whole.n - output < nr ? l->whole.n - output : nr;
    dense_piece p = piece_of(l, row, rows, output, outputs);
    float weights[PANEL_DEPTH * GEMM_MAX_NR], sums[PANEL_ROWS * GEMM_MAX_NR];
    float bias[GEMM_MAX_NR] = {0};
    if (p.bias != NULL) {
        memcpy(bias, p.bias, outputs * sizeof(float));
    }
    for (size_t from = 0; from < p.k; from += PANEL_DEPTH) {
        size_t depth = p.k - from < PANEL_DEPTH ? p.k - from : PANEL_DEPTH;
        ukernels_pack(l->ukernels)
            ->weights[l->stored](outputs, depth, (const char *)p.weights + from * weight_size(l),
                                 p.k, weights);
        add_product(l, &p, from, depth, weights, bias, sums);
    }
    for (size_t r = 0; r < rows; r++) {
        memcpy(p.y + r * p.y_stride, sums + r * nr, outputs * sizeof(float));
    }
    finish_rows(&l->finish, p.y, rows, p.y_stride, outputs);
}

/* ---- Running ------------------------------------------------------------------------------- */

void dense_run(const kernel_call *call, const dense_piece *whole, const operand *weights,
               const finish *finish) {
    bool half = weights->record->stored_dtype == KILN_F16;
    layer l = {ukernels_best(), half ? DENSE_F16 : DENSE_F32, *whole, *finish};
    l.whole.weights = weights->data;
    l.whole.min = finish->min;
    l.whole.max = finish->max;
    if (l.whole.m < FEW_ROWS) {
        /* Neighbouring outputs go to one thread, so that each thread reads one stretch of the plan.
         */
        size_t outputs = TASK_BYTES / (l.whole.k * weight_size(&l)) / VECTOR_MAX * VECTOR_MAX;
        thread_pool_ranges(call->host->pool, run_outputs, &l, l.whole.n,
                           outputs == 0 ? VECTOR_MAX : outputs);
    } else {
        size_t nr = l.ukernels->nr;
        thread_pool_grid(call->host->pool, run_panel, &l, (l.whole.m + PANEL_ROWS - 1) / PANEL_ROWS,
                         (l.whole.n + nr - 1) / nr);
    }
}

static kiln_status run(kernel_call *call, kiln_error *error) {
    const kiln_fully_connected_params *params = call->params;
    const operand *x = &call->inputs[0], *y = &call->outputs[0];
    finish finish = finish_of(call, params->min, params->max);
    const dense_piece whole = {.m = operand_outer(x, call->run.batch),
                               .n = y->inner,
                               .k = x->inner,
                               .x = x->data,
                               .x_stride = x->row_stride,
                               .bias = optional_input(call, 2),
                               .y = y->data,
                               .y_stride = y->row_stride};
    (void)error;
    dense_run(call, &whole, &call->inputs[1], &finish);
    return KILN_OK;
}

const kernel kernel_fully_connected = {
    KERNEL("fully_connected", kiln_fully_connected_params, product_macs,
           KERNEL_INPUTS(2, 3, IS_F32, IS_F32 | IS_CONSTANT | HAS_RANK(2),
                         IS_F32 | IS_CONSTANT | HAS_RANK(1)),
           KERNEL_OUTPUTS(1, 1, IS_F32), KERNEL_STRIDED(1, 1)),
    .check = check,
    .run = run,
    .finishes = true,
    .reads_f16 = 1 << 1,
};
