/* REDUCE over any set of dims: micro-kernels along a dim that goes, or across it where the last dim
 * is kept; products, log-sum-exp and integers (64 bits, wrapping) in plain C. */
#include "runtime/kernels/kernel.h"
#include "runtime/ukernels/ukernels.h"

#include <math.h>

/* The dims, innermost first. Neighbours that are both kept or both reduced are merged into one. */
typedef struct reduce_task {
    const kernel_call *call;
    uint32_t kept_rank, gone_rank;
    size_t kept_dims[KILN_MAX_RANK], kept_strides[KILN_MAX_RANK];
    size_t gone_dims[KILN_MAX_RANK], gone_strides[KILN_MAX_RANK];
    size_t gone_count;
} reduce_task;

static size_t split_dims(const kernel_call *call, reduce_task *task) {
    const kiln_reduce_params *p = call->params;
    const operand *x = &call->inputs[0];
    size_t stride = 1, kept = 1;
    int before = -1; /* of the dim inside this one: 1 if it is reduced, 0 if it is kept */
    *task = (reduce_task){.call = call, .gone_count = 1};
    for (uint32_t k = x->rank; k-- > 0;) {
        size_t dim = x->dims[k];
        if (dim == 1 && !(k == 0 && x->batched)) {
            continue;
        }
        int goes = (int)(p->mask >> k & 1);
        size_t *dims = goes ? task->gone_dims : task->kept_dims;
        size_t *strides = goes ? task->gone_strides : task->kept_strides;
        uint32_t *rank = goes ? &task->gone_rank : &task->kept_rank;
        if (goes == before) {
            dims[*rank - 1] *= dim;
        } else {
            dims[*rank] = dim;
            strides[(*rank)++] = stride;
        }
        *(goes ? &task->gone_count : &kept) *= dim;
        stride *= dim;
        before = goes;
    }
    return kept;
}

static const char *check(const kernel_call *call) {
    const kiln_reduce_params *p = call->params;
    const operand *x = &call->inputs[0], *y = &call->outputs[0];
    reduce_task task;
    if (p->op >= KILN_REDUCE_COUNT || !(p->min < p->max) || p->mask >> x->rank != 0 ||
        (x->batched && (p->mask & 1) != 0)) {
        return "parameters out of range";
    }
    bool floats = p->op == KILN_REDUCE_LOG_SUM || p->op == KILN_REDUCE_LOG_SUM_EXP;
    if ((floats && x->dtype != KILN_F32) || x->batched != y->batched ||
        split_dims(call, &task) != y->elements || (x->batched && y->dims[0] != x->dims[0])) {
        return "the output is not what the reduction leaves";
    }
    return NULL;
}

static double start_of(uint32_t op) {
    return op == KILN_REDUCE_MAX || op == KILN_REDUCE_LOG_SUM_EXP ? -INFINITY
           : op == KILN_REDUCE_MIN                                ? INFINITY
           : op == KILN_REDUCE_PROD                               ? 1.0
                                                                  : 0.0;
}

/* Joins two results of a product or an extreme; sums are the micro-kernels'. */
static double join(uint32_t op, double a, double b) {
    if (op == KILN_REDUCE_PROD) {
        return a * b;
    }
    bool better = op == KILN_REDUCE_MIN ? b < a : b > a;
    return better || isnan(b) ? b : a;
}

static int64_t step_integer(uint32_t op, int64_t sum, int64_t v) {
    uint64_t s = (uint64_t)sum, u = (uint64_t)v;
    switch (op) {
    case KILN_REDUCE_MAX:
        return v > sum ? v : sum;
    case KILN_REDUCE_MIN:
        return v < sum ? v : sum;
    case KILN_REDUCE_PROD:
        return (int64_t)(s * u);
    case KILN_REDUCE_L1:
        return (int64_t)(s + (v < 0 ? 0 - u : u));
    case KILN_REDUCE_L2:
    case KILN_REDUCE_SUM_SQUARE:
        return (int64_t)(s + u * u);
    default:
        return (int64_t)(s + u);
    }
}

/* The logarithm of the sum of exps, with the largest element taken out unless it is infinite, when
 * it is the result. */
static double log_sum_exp(const reduce_task *task, const float *x, double largest) {
    double sum = 0.0;
    largest = isinf(largest) ? 0.0 : largest;
    for (size_t k = 0; k < task->gone_count; k++) {
        size_t at = strided_offset(task->gone_rank, task->gone_dims, task->gone_strides, k);
        sum += exp((double)x[at] - largest);
    }
    return largest + log(sum);
}

static float finish(const reduce_task *task, double sum) {
    const kiln_reduce_params *p = task->call->params;
    if (p->op == KILN_REDUCE_MEAN) {
        sum /= (double)task->gone_count;
    } else if (p->op == KILN_REDUCE_L2) {
        sum = sqrt(sum);
    } else if (p->op == KILN_REDUCE_LOG_SUM) {
        sum = log(sum);
    }
    float value = (float)sum;
    return value < p->min ? p->min : value > p->max ? p->max : value;
}

static float reduce_plainly(const reduce_task *task, const float *x) {
    const kiln_reduce_params *p = task->call->params;
    double sum = start_of(p->op);
    for (size_t k = 0; k < task->gone_count; k++) {
        sum = join(
            p->op, sum,
            (double)x[strided_offset(task->gone_rank, task->gone_dims, task->gone_strides, k)]);
    }
    return finish(task, p->op == KILN_REDUCE_LOG_SUM_EXP ? log_sum_exp(task, x, sum) : sum);
}

/* An entry is 1 + the micro-kernels' number, or 0 where there is none. */
static const uint8_t in_ukernels[KILN_REDUCE_COUNT] = {
    [KILN_REDUCE_SUM] = 1 + REDUCE_SUM,
    [KILN_REDUCE_MEAN] = 1 + REDUCE_SUM,
    [KILN_REDUCE_MAX] = 1 + REDUCE_MAX,
    [KILN_REDUCE_MIN] = 1 + REDUCE_MIN,
    [KILN_REDUCE_L1] = 1 + REDUCE_SUM_ABS,
    [KILN_REDUCE_L2] = 1 + REDUCE_SUM_SQUARES,
    [KILN_REDUCE_SUM_SQUARE] = 1 + REDUCE_SUM_SQUARES,
    [KILN_REDUCE_LOG_SUM] = 1 + REDUCE_SUM,
};

/* Where the k-th of the runs, or stacks of rows, begins that a result is made of. */
static size_t outer_offset(const reduce_task *task, size_t k) {
    return task->gone_rank == 0 ? 0
                                : strided_offset(task->gone_rank - 1, task->gone_dims + 1,
                                                 task->gone_strides + 1, k);
}

/* Computes results whose elements lie in runs, `apart` from those of the next. */
static void reduce_runs(const reduce_task *task, size_t in_ukernel, const float *x, size_t apart,
                        float *y, size_t count) {
    const kiln_reduce_params *p = task->call->params;
    size_t length = task->gone_dims[0], runs = task->gone_count / length;
    bool extreme = in_ukernel == REDUCE_MAX || in_ukernel == REDUCE_MIN;
    const reduce_ukernels *ukernels = ukernels_reduce(ukernels_best());
    for (size_t c = 0; c < count; c++, x += apart) {
        double sum = ukernels->along[in_ukernel](x, length, 0);
        for (size_t k = 1; k < runs; k++) {
            double part = ukernels->along[in_ukernel](x + outer_offset(task, k), length, 0);
            sum = extreme ? join(p->op, sum, part) : sum + part;
        }
        y[c] = finish(task, sum);
    }
}

/* Computes results that lie side by side, as do the elements that they are made of. */
static void reduce_columns(const reduce_task *task, size_t in_ukernel, const float *x, float *y,
                           size_t count) {
    const kiln_reduce_params *p = task->call->params;
    size_t rows = task->gone_rank > 0 ? task->gone_dims[0] : 1;
    size_t stride = task->gone_rank > 0 ? task->gone_strides[0] : 0;
    for (size_t c = 0; c < count; c++) {
        y[c] = (float)start_of(p->op);
    }
    for (size_t k = 0; k < task->gone_count / rows; k++) {
        ukernels_reduce(ukernels_best())
            ->across[in_ukernel](x + outer_offset(task, k), rows, stride, count, NULL, y);
    }
    for (size_t c = 0; c < count; c++) {
        y[c] = finish(task, (double)y[c]);
    }
}

static int64_t reduce_integers(const reduce_task *task, const int64_t *x) {
    const kiln_reduce_params *p = task->call->params;
    int64_t sum = p->op == KILN_REDUCE_MAX   ? INT64_MIN
                  : p->op == KILN_REDUCE_MIN ? INT64_MAX
                                             : p->op == KILN_REDUCE_PROD;
    for (size_t k = 0; k < task->gone_count; k++) {
        sum = step_integer(
            p->op, sum, x[strided_offset(task->gone_rank, task->gone_dims, task->gone_strides, k)]);
    }
    if (p->op == KILN_REDUCE_MEAN) {
        return sum / (int64_t)task->gone_count;
    }
    return p->op == KILN_REDUCE_L2 ? (int64_t)sqrt((double)sum) : sum;
}

static size_t start_of_result(const reduce_task *task, size_t k) {
    return strided_offset(task->kept_rank, task->kept_dims, task->kept_strides, k);
}

static void reduce_range(void *context, size_t begin, size_t end) {
    const reduce_task *task = context;
    const operand *x = &task->call->inputs[0], *y = &task->call->outputs[0];
    for (size_t k = begin; k < end; k++) {
        size_t at = start_of_result(task, k);
        if (x->dtype == KILN_F32) {
            ((float *)y->data)[k] = reduce_plainly(task, (const float *)x->data + at);
        } else {
            ((int64_t *)y->data)[k] = reduce_integers(task, (const int64_t *)x->data + at);
        }
    }
}

static void reduce_in_ukernels(void *context, size_t begin, size_t end) {
    const reduce_task *task = context;
    const kiln_reduce_params *p = task->call->params;
    const operand *x = &task->call->inputs[0];
    size_t in_ukernel = (size_t)in_ukernels[p->op] - 1, count;
    bool runs = task->gone_rank > 0 && task->gone_strides[0] == 1;
    size_t inner = task->kept_rank > 0 ? task->kept_dims[0] : 1;
    for (size_t k = begin; k < end; k += count) {
        const float *from = (const float *)x->data + start_of_result(task, k);
        float *to = (float *)task->call->outputs[0].data + k;
        count = inner - k % inner;
        count = count < end - k ? count : end - k;
        if (runs) {
            size_t apart = task->kept_rank > 0 ? task->kept_strides[0] : 0;
            reduce_runs(task, in_ukernel, from, apart, to, count);
        } else {
            reduce_columns(task, in_ukernel, from, to, count);
        }
    }
}

static kiln_status run(kernel_call *call, kiln_error *error) {
    (void)error;
    reduce_task task;
    size_t kept = split_dims(call, &task) * (call->inputs[0].batched ? call->run.batch : 1);
    const kiln_reduce_params *p = call->params;
    if (call->inputs[0].batched) { /* samples follow each other, however many there are */
        task.kept_dims[task.kept_rank - 1] = SIZE_MAX;
    }
    bool vectors = call->inputs[0].dtype == KILN_F32 && in_ukernels[p->op] != 0;
    size_t grain = 1 + 4096 / task.gone_count;
    kernel_parallel(call, kept, vectors && grain < 64 ? 64 : grain, &task,
                    vectors ? reduce_in_ukernels : reduce_range);
    return KILN_OK;
}

const kernel kernel_reduce = {
    KERNEL("reduce", kiln_reduce_params, NULL, KERNEL_INPUTS(1, 1, IS_F32 | IS_I64),
           KERNEL_OUTPUTS(1, 1, IS_TYPED_LIKE_X)),
    .check = check,
    .run = run,
};
