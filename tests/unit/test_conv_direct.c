/* The direct algorithm of convolutions, transposed ones too, against sums in double precision.
 * Builds with XNNPACK may never choose it, so it is called here as a session calls it. Between
 * pixels lie NaNs, which show when they get into a result, and outputs must not be written there.
 */
#include "runtime/base/allocator.h"
#include "runtime/kernels/conv_direct.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GAP 3 /* floats after a pixel's channels */

static kiln_error error;
static uint32_t state = 1;

static float next_value(void) {
    state = state * 1664525u + 1013904223u;
    return (float)(state >> 8) / (float)(1u << 23) - 1.0f;
}

typedef struct scene {
    bool transposed;
    kiln_conv_params params;
    size_t samples, x[3], y[3], kernel[2]; /* height, width, channels */
    float *in, *out, *weights, *bias;
} scene;

static float *make(size_t count) {
    float *values = malloc(count * sizeof *values);
    ck_assert_ptr_nonnull(values);
    for (size_t k = 0; k < count; k++) {
        values[k] = next_value();
    }
    return values;
}

static float *make_image(size_t samples, const size_t dims[3], bool filled) {
    size_t pixel = dims[2] + GAP, count = samples * dims[0] * dims[1] * pixel;
    float *values = make(count);
    for (size_t k = 0; k < count; k++) {
        values[k] = filled && k % pixel < dims[2] ? values[k] : NAN;
    }
    return values;
}

static operand describe(float *data, const size_t dims[3], const kiln_plan_tensor_record *record) {
    return (operand){.data = data,
                     .dtype = KILN_F32,
                     .rank = 4,
                     .dims = {1, dims[0], dims[1], dims[2]},
                     .inner = dims[2],
                     .outer = dims[0] * dims[1],
                     .row_stride = dims[2] + GAP,
                     .elements = dims[0] * dims[1] * dims[2],
                     .batched = true,
                     .layout = KILN_CHANNELS_LAST,
                     .record = record};
}

/* The input under a tap, or SIZE_MAX. */
static size_t source(const scene *s, size_t axis, size_t out, size_t tap) {
    const kiln_conv_params *p = &s->params;
    size_t stride = axis == 0 ? p->stride_height : p->stride_width;
    size_t ahead = tap * (axis == 0 ? p->dilation_height : p->dilation_width);
    size_t padding = axis == 0 ? p->padding_top : p->padding_left, at;
    if (s->transposed) {
        if (out + padding < ahead || (out + padding - ahead) % stride != 0) {
            return SIZE_MAX;
        }
        at = (out + padding - ahead) / stride;
    } else {
        if (out * stride + ahead < padding) {
            return SIZE_MAX;
        }
        at = out * stride + ahead - padding;
    }
    return at < s->x[axis] ? at : SIZE_MAX;
}

static double expected(const scene *s, size_t sample, size_t row, size_t column, size_t channel) {
    size_t depth = s->x[2] / s->params.groups, outputs = s->y[2] / s->params.groups;
    double sum = (double)s->bias[channel];
    for (size_t k = 0; k < s->kernel[0] * s->kernel[1] * depth; k++) {
        size_t tap = k / depth, i = k % depth;
        size_t y = source(s, 0, row, tap / s->kernel[1]);
        size_t x = source(s, 1, column, tap % s->kernel[1]);
        if (y != SIZE_MAX && x != SIZE_MAX) {
            const float *pixel = s->in + ((sample * s->x[0] + y) * s->x[1] + x) * (s->x[2] + GAP);
            float weight = s->weights[(channel * s->kernel[0] * s->kernel[1] + tap) * depth + i];
            sum += (double)pixel[channel / outputs * depth + i] * (double)weight;
        }
    }
    return fmin(fmax(sum, (double)s->params.min), (double)s->params.max);
}

static void compare(const scene *s) {
    size_t pixel = s->y[2] + GAP;
    for (size_t k = 0; k < s->samples * s->y[0] * s->y[1] * pixel; k++) {
        size_t at = k / pixel, channel = k % pixel;
        if (channel >= s->y[2]) {
            ck_assert_msg(isnan(s->out[k]), "written between pixels");
            continue;
        }
        double wanted =
            expected(s, at / s->y[1] / s->y[0], at / s->y[1] % s->y[0], at % s->y[1], channel);
        ck_assert_double_eq_tol((double)s->out[k], wanted, 1e-4);
    }
}

static void *allocate(void *context, size_t size, size_t alignment) {
    (void)context;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void release(void *context, void *pointer, size_t size) {
    (void)context;
    (void)size;
    free(pointer);
}

static void run(scene *s, thread_pool *pool, size_t threads) {
    static const kiln_allocator allocator = {NULL, allocate, release};
    const kiln_plan_step step = {.kernel =
                                     s->transposed ? KILN_KERNEL_DECONV_2D : KILN_KERNEL_CONV_2D};
    kiln_plan_tensor_record record = {0};
    operand y = describe(s->out, s->y, &record);
    operand inputs[3] = {describe(s->in, s->x, &record),
                         {.data = s->weights,
                          .rank = 4,
                          .dims = {s->y[2], s->kernel[0], s->kernel[1], s->x[2] / s->params.groups},
                          .inner = s->x[2] / s->params.groups,
                          .constant = true,
                          .record = &record},
                         {.data = s->bias, .record = &record}};
    const kernel_host host = {.threads = threads, .pool = pool, .allocator = &allocator};
    kernel_call call = {.kernel = kernel_find(step.kernel),
                        .step = &step,
                        .name = "layer",
                        .params = &s->params,
                        .inputs = inputs,
                        .input_count = 3,
                        .outputs = &y,
                        .output_count = 1,
                        .host = &host,
                        .run = {.batch = (uint32_t)s->samples, .end_row = s->y[0]}};
    ck_assert_ptr_null(conv_direct_check(&call));
    ck_assert_int_eq(conv_direct_prepare(&call, &error), KILN_OK);
    call.run.scratch = malloc(conv_direct_scratch(&call));
    ck_assert_ptr_nonnull(call.run.scratch);
    ck_assert_int_eq(conv_direct_run(&call, &error), KILN_OK);
    free(call.run.scratch);
    kernel_free_all(&call);
    ck_assert_ptr_null(call.state);
}

/* Kernel height, width; stride, dilation of height, then width; padding at top, left, then bottom
 * and right alike; adjustment (transposed). */
static const uint32_t windows[][9] = {
    {1, 1, 1, 1, 1, 1, 0, 0, 0}, {1, 1, 2, 1, 2, 1, 0, 0, 0}, {1, 1, 2, 1, 1, 1, 0, 0, 1},
    {3, 3, 1, 1, 1, 1, 1, 1, 0}, {3, 3, 2, 1, 2, 1, 1, 1, 1}, {2, 2, 2, 1, 2, 1, 0, 0, 0},
    {4, 4, 2, 1, 2, 1, 1, 1, 0}, {3, 2, 3, 1, 2, 2, 0, 1, 1}, {5, 3, 1, 2, 3, 1, 2, 1, 0},
    {3, 3, 2, 2, 4, 2, 1, 0, 1}, {1, 3, 4, 1, 3, 3, 0, 2, 0}, {7, 7, 2, 1, 2, 1, 3, 3, 1}};
static const size_t channels[][3] = {/* in, out, groups */
                                     {1, 1, 1},   {3, 20, 1},  {8, 8, 2},   {6, 9, 3},  {5, 5, 5},
                                     {64, 66, 2}, {24, 96, 4}, {40, 40, 8}, {16, 3, 1}, {4, 8, 4}};
static const size_t sizes[][2] = {{1, 1}, {5, 7}, {9, 8}, {6, 30}};

static bool output_sizes(scene *s, const uint32_t *w) {
    for (size_t axis = 0; axis < 2; axis++) {
        size_t stride = w[2 + 2 * axis], extent = (w[axis] - 1) * (size_t)w[3 + 2 * axis] + 1;
        size_t padding = 2 * (size_t)w[6 + axis];
        if (s->transposed) {
            size_t full = stride * (s->x[axis] - 1) + extent + (w[8] < stride ? w[8] : 0);
            s->y[axis] = full > padding ? full - padding : 0;
        } else {
            size_t padded = s->x[axis] + padding;
            s->y[axis] = padded < extent ? 0 : (padded - extent) / stride + 1;
        }
    }
    return s->y[0] > 0 && s->y[1] > 0;
}

static void try_scene(bool transposed, const uint32_t *w, const size_t *c, const size_t *size,
                      thread_pool *pool, size_t threads) {
    scene s = {.transposed = transposed,
               .params = {.padding_top = w[6],
                          .padding_bottom = w[6],
                          .padding_left = w[7],
                          .padding_right = w[7],
                          .stride_height = w[2],
                          .dilation_height = w[3],
                          .stride_width = w[4],
                          .dilation_width = w[5],
                          .groups = (uint32_t)c[2],
                          .min = -1,
                          .max = 2},
               .samples = 2,
               .x = {size[0], size[1], c[0]},
               .y = {0, 0, c[1]},
               .kernel = {w[0], w[1]}};
    if (!output_sizes(&s, w)) {
        return;
    }
    s.in = make_image(s.samples, s.x, true);
    s.out = make_image(s.samples, s.y, false);
    s.weights = make(c[1] * w[0] * w[1] * (c[0] / c[2]));
    s.bias = make(c[1]);
    run(&s, pool, threads);
    compare(&s);
    free(s.in);
    free(s.out);
    free(s.weights);
    free(s.bias);
}

/* Every so many of all combinations, which have no divisor in common with what there are of each.
 */
static void try_every(size_t step, bool transposed, thread_pool *pool, size_t threads) {
    size_t window_count = sizeof windows / sizeof *windows;
    size_t channel_count = sizeof channels / sizeof *channels;
    size_t size_count = sizeof sizes / sizeof *sizes;
    for (size_t k = 0; k < window_count * channel_count * size_count; k += step) {
        try_scene(transposed, windows[k % window_count], channels[k / window_count % channel_count],
                  sizes[k / window_count / channel_count], pool, threads);
    }
}

START_TEST(matches_sums_in_double_precision) {
    try_every(7, _i == 1, NULL, 1);
}
END_TEST

START_TEST(threads_share_pixels_and_groups) {
    thread_pool *pool = NULL;
    ck_assert_int_eq(thread_pool_create(default_allocator(), 2, &pool, NULL), KILN_OK);
    ck_assert_ptr_nonnull(pool);
    try_every(47, _i == 1, pool, 2);
    thread_pool_destroy(pool);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        LOOP("sums", matches_sums_in_double_precision, 0, 2),
        LOOP("threads", threads_share_pixels_and_groups, 0, 2),
    };
    return SUITE("conv_direct", tests);
}
