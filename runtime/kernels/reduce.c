/* REDUCE over any set of dims, plain C, accumulating in double (integers in 64 bits, wrapping). */
#include "runtime/kernels/kernel.h"

#include <math.h>

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
    *task = (reduce_task){.call = call, .gone_count = 1};
    for (uint32_t k = x->rank; k-- > 0;) {
        if ((p->mask >> k & 1) != 0) {
            task->gone_dims[task->gone_rank] = x->dims[k];
            task->gone_strides[task->gone_rank++] = stride;
            task->gone_count *= x->dims[k];
        } else {
            task->kept_dims[task->kept_rank] = x->dims[k];
            task->kept_strides[task->kept_rank++] = stride;
            kept *= x->dims[k];
        }
        stride *= x->dims[k];
    }
    return kept;
}

static kiln_status check(const kernel_call *call, kiln_error *error) {
    const kiln_reduce_params *p = call->params;
    const operand *x = &call->inputs[0], *y = &call->outputs[0];
    reduce_task task;
    if (p->op >= KILN_REDUCE_COUNT || !(p->min < p->max) || p->mask >> x->rank != 0 ||
        (x->batched && (p->mask & 1) != 0)) {
        return kernel_fail(call, error, "parameters out of range");
    }
    bool floats = p->op == KILN_REDUCE_LOG_SUM || p->op == KILN_REDUCE_LOG_SUM_EXP;
    if (x->dtype != y->dtype || (x->dtype != KILN_F32 && (floats || x->dtype != KILN_I64)) ||
        x->batched != y->batched || split_dims(call, &task) != y->elements ||
        (x->batched && y->dims[0] != x->dims[0])) {
        return kernel_fail(call, error, "the output is not what the reduction leaves");
    }
    return KILN_OK;
}

static double start_of(uint32_t op) {
    return op == KILN_REDUCE_MAX || op == KILN_REDUCE_LOG_SUM_EXP ? -INFINITY
           : op == KILN_REDUCE_MIN                                ? INFINITY
           : op == KILN_REDUCE_PROD                               ? 1.0
                                                                  : 0.0;
}

static double step_double(uint32_t op, double sum, double v) {
    switch (op) {
    case KILN_REDUCE_MAX:
    case KILN_REDUCE_LOG_SUM_EXP:
        return v > sum || isnan(v) ? v : sum;
    case KILN_REDUCE_MIN:
        return v < sum || isnan(v) ? v : sum;
    case KILN_REDUCE_PROD:
        return sum * v;
    case KILN_REDUCE_L1:
        return sum + fabs(v);
    case KILN_REDUCE_L2:
    case KILN_REDUCE_SUM_SQUARE:
        return sum + v * v;
    default:
        return sum + v;
    }
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

static size_t offset_of(const size_t *dims, const size_t *strides, uint32_t rank, size_t index,
                        bool open_ended) {
    size_t offset = 0;
    for (uint32_t k = 0; k < rank; k++) {
        size_t dim = open_ended && k + 1 == rank ? SIZE_MAX : dims[k];
        offset += index % dim * strides[k];
        index /= dim;
    }
    return offset;
}

/* log(sum of exp) with the largest taken out, which is finite or all there is. */
static double log_sum_exp(const reduce_task *task, const float *x, double largest) {
    double sum = 0.0;
    largest = isinf(largest) ? 0.0 : largest;
    for (size_t k = 0; k < task->gone_count; k++) {
        size_t at = offset_of(task->gone_dims, task->gone_strides, task->gone_rank, k, false);
        sum += exp((double)x[at] - largest);
    }
    return largest + log(sum);
}

static float reduce_floats(const reduce_task *task, const float *x) {
    const kiln_reduce_params *p = task->call->params;
    double sum = start_of(p->op);
    for (size_t k = 0; k < task->gone_count; k++) {
        sum = step_double(
            p->op, sum,
            (double)x[offset_of(task->gone_dims, task->gone_strides, task->gone_rank, k, false)]);
    }
    if (p->op == KILN_REDUCE_MEAN) {
        sum /= (double)task->gone_count;
    } else if (p->op == KILN_REDUCE_L2) {
        sum = sqrt(sum);
    } else if (p->op == KILN_REDUCE_LOG_SUM) {
        sum = log(sum);
    } else if (p->op == KILN_REDUCE_LOG_SUM_EXP) {
        sum = log_sum_exp(task, x, sum);
    }
    float value = (float)sum;
    return value < p->min ? p->min : value > p->max ? p->max : value;
}

static int64_t reduce_integers(const reduce_task *task, const int64_t *x) {
    const kiln_reduce_params *p = task->call->params;
    int64_t sum = p->op == KILN_REDUCE_MAX   ? INT64_MIN
                  : p->op == KILN_REDUCE_MIN ? INT64_MAX
                                             : p->op == KILN_REDUCE_PROD;
    for (size_t k = 0; k < task->gone_count; k++) {
        sum = step_integer(
            p->op, sum,
            x[offset_of(task->gone_dims, task->gone_strides, task->gone_rank, k, false)]);
    }
    if (p->op == KILN_REDUCE_MEAN) {
        return sum / (int64_t)task->gone_count;
    }
    return p->op == KILN_REDUCE_L2 ? (int64_t)sqrt((double)sum) : sum;
}

static void reduce_range(void *context, size_t begin, size_t end) {
    const reduce_task *task = context;
    const operand *x = &task->call->inputs[0], *y = &task->call->outputs[0];
    bool batched = x->batched;
    for (size_t k = begin; k < end; k++) {
        size_t at = offset_of(task->kept_dims, task->kept_strides, task->kept_rank, k, batched);
        if (x->dtype == KILN_F32) {
            ((float *)y->data)[k] = reduce_floats(task, (const float *)x->data + at);
        } else {
            ((int64_t *)y->data)[k] = reduce_integers(task, (const int64_t *)x->data + at);
        }
    }
}

static kiln_status run(kernel_call *call, kiln_error *error) {
    (void)error;
    reduce_task task;
    size_t kept = split_dims(call, &task) * (call->inputs[0].batched ? call->run.batch : 1);
    kernel_parallel(call, kept, 1 + 4096 / task.gone_count, &task, reduce_range);
    return KILN_OK;
}

const kernel kernel_reduce = {
    .traits = {.name = "reduce", .runs_on = "Kiln", .params_bytes = sizeof(kiln_reduce_params)},
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .check = check,
    .run = run,
};
