/* TOP_K along one dim. A binary heap of the k best, the worst on top, then sorted; equal values
 * keep the lower index first. There is one heap, in the state: columns are worked one after the
 * other. */
#include "runtime/kernels/axis.h"

#include <math.h>

typedef struct candidate {
    double value; /* the value of f32; values of i64 are compared by `integer` */
    int64_t integer;
    size_t index;
} candidate;

static const char *check(const kernel_call *call) {
    const kiln_top_k_params *p = call->params;
    const operand *x = &call->inputs[0], *y = &call->outputs[0];
    if (!axis_is_sound(x, p->axis) || p->largest > 1 || p->k == 0 || p->k > x->dims[p->axis]) {
        return "parameters out of range";
    }
    bool sound = operand_same_dims_but(x, y, p->axis) && y->dims[p->axis] == p->k &&
                 (!has_output(call, 1) || operand_same_dims(y, &call->outputs[1]));
    return sound ? NULL : "the outputs do not fit the input";
}

static kiln_status prepare(kernel_call *call, kiln_error *error) {
    const kiln_top_k_params *p = call->params;
    call->state = kernel_allocate(call, p->k * sizeof(candidate), error);
    return call->state != NULL ? KILN_OK : KILN_ERROR_MEMORY;
}

/* Does a come before b in the result? NaN comes last. */
static bool precedes(const candidate *a, const candidate *b, bool largest, bool integer) {
    if (integer && a->integer != b->integer) {
        return largest ? a->integer > b->integer : a->integer < b->integer;
    }
    if (!integer && isnan(a->value) != isnan(b->value)) {
        return isnan(b->value);
    }
    if (!integer && !isnan(a->value) && a->value != b->value) {
        return largest ? a->value > b->value : a->value < b->value;
    }
    return a->index < b->index;
}

/* Restores the heap from `at` down: no parent precedes its children. */
static void sift_down(candidate *heap, size_t count, size_t at, bool largest, bool integer) {
    for (;;) {
        size_t worst = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++) {
            if (precedes(&heap[worst], &heap[child], largest, integer)) {
                worst = child;
            }
        }
        if (worst == at) {
            return;
        }
        candidate moved = heap[at];
        heap[at] = heap[worst];
        heap[worst] = moved;
        at = worst;
    }
}

static candidate candidate_at(const operand *x, size_t at, size_t index) {
    if (x->dtype == KILN_I64) {
        return (candidate){0.0, ((const int64_t *)x->data)[at], index};
    }
    return (candidate){(double)((const float *)x->data)[at], 0, index};
}

static void select_column(const kernel_call *call, axis_view v, size_t column) {
    const kiln_top_k_params *p = call->params;
    const operand *x = &call->inputs[0];
    bool largest = p->largest != 0, integer = x->dtype == KILN_I64;
    candidate *heap = call->state;
    size_t start = column / v.inner * v.size * v.inner + column % v.inner;
    for (size_t k = 0; k < p->k; k++) {
        heap[k] = candidate_at(x, start + k * v.inner, k);
    }
    for (size_t k = p->k / 2; k-- > 0;) {
        sift_down(heap, p->k, k, largest, integer);
    }
    for (size_t k = p->k; k < v.size; k++) {
        candidate next = candidate_at(x, start + k * v.inner, k);
        if (precedes(&next, &heap[0], largest, integer)) {
            heap[0] = next;
            sift_down(heap, p->k, 0, largest, integer);
        }
    }
    size_t out = column / v.inner * p->k * v.inner + column % v.inner;
    for (size_t k = p->k; k-- > 0;) {
        candidate worst = heap[0];
        heap[0] = heap[k];
        sift_down(heap, k, 0, largest, integer);
        size_t at = out + k * v.inner;
        if (integer) {
            ((int64_t *)call->outputs[0].data)[at] = worst.integer;
        } else {
            ((float *)call->outputs[0].data)[at] = (float)worst.value;
        }
        if (has_output(call, 1)) {
            ((int64_t *)call->outputs[1].data)[at] = (int64_t)worst.index;
        }
    }
}

static kiln_status run(kernel_call *call, kiln_error *error) {
    (void)error;
    const kiln_top_k_params *p = call->params;
    axis_view v = axis_of(&call->inputs[0], p->axis, call->run.batch);
    for (size_t column = 0; column < v.outer * v.inner; column++) {
        select_column(call, v, column);
    }
    return KILN_OK;
}

const kernel kernel_top_k = {
    KERNEL("top_k", kiln_top_k_params, NULL, KERNEL_INPUTS(1, 1, IS_F32 | IS_I64),
           KERNEL_OUTPUTS(1, 2, IS_TYPED_LIKE_X, IS_I64)),
    .check = check,
    .prepare = prepare,
    .run = run,
};
