/* INSTANCE_NORM, GROUP_NORM and RESPONSE_NORM, channels-last. Sums over the image are taken for
 * each channel, its neighbours side by side in a vector, then joined to those of groups; the image
 * is read three times: for the mean, for the variance of what is left without it, for the result.
 * Responses know no mean. */
#include "runtime/kernels/kernel.h"
#include "runtime/ukernels/ukernels.h"

#include <math.h>
#include <string.h>

#define BLOCK ((size_t)16) /* channels that a task sums up: a cache line of each pixel */

/* What is known of one sample. */
typedef struct norm_task {
    const float *x;
    float *y;
    size_t pixels, channels, group;
    float *sums, *mean, *factor; /* for each channel */
    const float *bias;
    bool squares; /* adds up squares of what is left without the mean, not the numbers themselves */
} norm_task;

static size_t group_channels(const kernel_call *call) {
    return call->kernel == &kernel_group_norm
               ? ((const kiln_group_norm_params *)call->params)->group_channels
               : 1;
}

static float epsilon_of(const kernel_call *call) {
    if (call->kernel == &kernel_response_norm) {
        return ((const kiln_response_norm_params *)call->params)->epsilon;
    }
    return call->kernel == &kernel_group_norm
               ? ((const kiln_group_norm_params *)call->params)->epsilon
               : ((const kiln_instance_norm_params *)call->params)->epsilon;
}

static const char *check(const kernel_call *call) {
    size_t channels = call->inputs[0].inner, group = group_channels(call);
    if (!isfinite(epsilon_of(call)) || group == 0 || channels % group != 0) {
        return "parameters out of range";
    }
    return call->inputs[1].elements == channels && call->inputs[2].elements == channels
               ? NULL
               : "the operands do not fit";
}

static size_t scratch(const kernel_call *call) {
    return 3 * call->inputs[0].inner * sizeof(float);
}

static void sum_blocks(void *context, size_t begin, size_t end) {
    const norm_task *t = context;
    size_t first = begin * BLOCK, last = end * BLOCK < t->channels ? end * BLOCK : t->channels;
    memset(t->sums + first, 0, (last - first) * sizeof *t->sums);
    ukernels_reduce(ukernels_best())
        ->across[t->squares ? REDUCE_SUM_SQUARES : REDUCE_SUM](
            t->x + first, t->pixels, t->channels, last - first, t->squares ? t->mean + first : NULL,
            t->sums + first);
}

/* The mean over a group of what has been summed up; the group's channels share it. */
static double mean_of_group(const norm_task *t, size_t first) {
    double sum = 0;
    for (size_t c = first; c < first + t->group; c++) {
        sum += (double)t->sums[c];
    }
    return sum / ((double)t->group * (double)t->pixels);
}

static void set_means(norm_task *t) {
    for (size_t first = 0; first < t->channels; first += t->group) {
        float mean = (float)mean_of_group(t, first);
        for (size_t c = first; c < first + t->group; c++) {
            t->mean[c] = mean;
        }
    }
}

static void set_factors(norm_task *t, const float *scale, double epsilon) {
    for (size_t first = 0; first < t->channels; first += t->group) {
        double inverse = 1 / sqrt(mean_of_group(t, first) + epsilon);
        for (size_t c = first; c < first + t->group; c++) {
            t->factor[c] = (float)((double)scale[c] * inverse);
        }
    }
}

/* Factors by the norms of channels over the mean of these norms. */
static void set_responses(norm_task *t, const float *scale, double epsilon) {
    double sum = 0;
    for (size_t c = 0; c < t->channels; c++) {
        t->factor[c] = sqrtf(t->sums[c]);
        sum += (double)t->factor[c];
    }
    double inverse = 1 / (sum / (double)t->channels + epsilon);
    for (size_t c = 0; c < t->channels; c++) {
        t->factor[c] = (float)(1 + (double)scale[c] * (double)t->factor[c] * inverse);
    }
}

static void apply(void *context, size_t begin, size_t end) {
    const norm_task *t = context;
    ukernels_scale_shift(ukernels_best())(t->x + begin * t->channels, end - begin, t->channels,
                                          t->mean, t->factor, t->bias, t->y + begin * t->channels);
}

/* Adds up each channel, or the squares of what it has left without its mean. */
static void sum_up(const kernel_call *call, norm_task *t, bool squares) {
    t->squares = squares;
    kernel_parallel(call, (t->channels + BLOCK - 1) / BLOCK, 1 + 1024 / t->pixels, t, sum_blocks);
}

static kiln_status run(kernel_call *call, kiln_error *error) {
    (void)error;
    const operand *x = &call->inputs[0];
    const float *scale = call->inputs[1].data;
    double epsilon = (double)epsilon_of(call);
    size_t channels = x->inner;
    norm_task t = {.pixels = x->outer / x->dims[0],
                   .channels = channels,
                   .group = group_channels(call),
                   .sums = call->run.scratch,
                   .bias = call->inputs[2].data};
    t.mean = t.sums + channels;
    t.factor = t.mean + channels;
    for (size_t sample = 0; sample < operand_dim(x, 0, call->run.batch); sample++) {
        size_t at = sample * t.pixels * channels;
        t.x = (const float *)x->data + at;
        t.y = (float *)call->outputs[0].data + at;
        if (call->kernel == &kernel_response_norm) {
            memset(t.mean, 0, channels * sizeof *t.mean);
            sum_up(call, &t, true);
            set_responses(&t, scale, epsilon);
        } else {
            sum_up(call, &t, false);
            set_means(&t);
            sum_up(call, &t, true);
            set_factors(&t, scale, epsilon);
        }
        kernel_parallel(call, t.pixels, 1 + 16384 / channels, &t, apply);
    }
    return KILN_OK;
}

const kernel kernel_instance_norm = {
    KERNEL("instance_norm", kiln_instance_norm_params, NULL,
           KERNEL_INPUTS(3, 3, IS_F32 | IS_CHANNELS_LAST, IS_F32 | IS_UNBATCHED,
                         IS_F32 | IS_UNBATCHED),
           KERNEL_OUTPUTS(1, 1, IS_F32 | IS_CHANNELS_LAST | IS_SHAPED_LIKE_X)),
    .check = check,
    .scratch = scratch,
    .run = run,
};

const kernel kernel_group_norm = {
    KERNEL("group_norm", kiln_group_norm_params, NULL,
           KERNEL_INPUTS(3, 3, IS_F32 | IS_CHANNELS_LAST, IS_F32 | IS_UNBATCHED,
                         IS_F32 | IS_UNBATCHED),
           KERNEL_OUTPUTS(1, 1, IS_F32 | IS_CHANNELS_LAST | IS_SHAPED_LIKE_X)),
    .check = check,
    .scratch = scratch,
    .run = run,
};

const kernel kernel_response_norm = {
    KERNEL("response_norm", kiln_response_norm_params, NULL,
           KERNEL_INPUTS(3, 3, IS_F32 | IS_CHANNELS_LAST, IS_F32 | IS_UNBATCHED,
                         IS_F32 | IS_UNBATCHED),
           KERNEL_OUTPUTS(1, 1, IS_F32 | IS_CHANNELS_LAST | IS_SHAPED_LIKE_X), KERNEL_IN_PLACE(1)),
    .check = check,
    .scratch = scratch,
    .run = run,
};
