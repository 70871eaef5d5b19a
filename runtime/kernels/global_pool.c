/* GLOBAL_AVERAGE_POOL: samples and ranges of channels are shared by the threads. */
#include "runtime/kernels/global_pool.h"
#include "runtime/ukernels/ukernels.h"

static const char *check(const kernel_call *call) {
    const kiln_global_pool_params *p = call->params;
    const operand *x = &call->inputs[0], *y = &call->outputs[0];
    return p->min < p->max && y->rank >= 2 && y->elements == x->dims[0] * x->inner
               ? NULL
               : "the output is not one value a channel of the input";
}

typedef struct means {
    const ukernels *ukernels;
    const operand *x;
    float min, max;
    float *to;
} means;

/* Averages some channels of one sample. */
static void mean_channels(void *context, size_t sample, size_t channel, size_t channels) {
    const means *m = context;
    const operand *x = m->x;
    size_t pixels = x->outer / x->dims[0];
    const float *from = (const float *)x->data + sample * pixels * x->row_stride + channel;
    float *to = m->to + sample * x->inner + channel;
    ukernels_global_average_pool(m->ukernels)(from, pixels, x->row_stride, channels, m->min, m->max,
                                              to);
}

void global_means(const kernel_call *call, const operand *x, float min, float max, float *to) {
    means m = {ukernels_best(), x, min, max, to};
    size_t samples = operand_dim(x, 0, call->run.batch);
    size_t threads = thread_pool_threads(call->host->pool);
    size_t channels = samples < threads ? (x->inner + threads - 1) / threads : x->inner;
    /* A task takes whole cache lines. */
    channels = whole_vectors(channels);
    thread_pool_grid_ranges(call->host->pool, mean_channels, &m, samples, x->inner, channels);
}

static kiln_status run(kernel_call *call, kiln_error *error) {
    const kiln_global_pool_params *p = call->params;
    (void)error;
    global_means(call, &call->inputs[0], p->min, p->max, call->outputs[0].data);
    return KILN_OK;
}

const kernel kernel_global_average_pool = {
    KERNEL("global_average_pool", kiln_global_pool_params, NULL,
           KERNEL_INPUTS(1, 1, IS_F32 | IS_CHANNELS_LAST | IS_VARIABLE),
           KERNEL_OUTPUTS(1, 1, IS_F32 | IS_BATCHED_LIKE_X), KERNEL_STRIDED(1, 0)),
    .check = check,
    .run = run,
};
