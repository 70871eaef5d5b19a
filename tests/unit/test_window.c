/* Depthwise convolution and pooling against sums in double precision: for each set of vector
 * instructions, whole pictures and bands of rows. Inputs hold no more rows than a band needs, so
 * that AddressSanitizer sees what reads too far; between rows' channels lie NaNs, which show when
 * they get into a result, and outputs must not be written there. */
#include "runtime/base/allocator.h"
#include "runtime/kernels/depthwise.h"
#include "runtime/kernels/sliding.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static kiln_error error;

typedef struct picture {
    size_t samples, height, width, channels, gap; /* floats after a pixel's channels */
    size_t first_row, rows;                       /* that are there */
    float *data;
} picture;

typedef struct scene {
    sliding_shape shape;
    size_t padding_bottom, padding_right;
    size_t outputs; /* of each channel */
    picture in, out;
    float *weights; /* [channels][outputs][taps], as in a plan */
} scene;

static uint32_t state = 1;

static float next_value(void) {
    state = state * 1664525u + 1013904223u;
    return (float)(state >> 8) / (float)(1u << 23) - 1.0f;
}

/* `rows` from first_row on; reading some floats past the end is allowed. */
static void fill(picture *p, size_t first_row, size_t rows, size_t margin) {
    size_t row = p->width * (p->channels + p->gap);
    size_t floats = p->samples * rows * row;
    p->first_row = first_row;
    p->rows = rows;
    p->data = malloc((floats + margin) * sizeof(float));
    ck_assert_ptr_nonnull(p->data);
    for (size_t k = 0; k < floats + margin; k++) {
        size_t in_pixel = k % (p->channels + p->gap);
        p->data[k] = in_pixel < p->channels && k < floats ? next_value() : NAN;
    }
}

static float *pixel(const picture *p, size_t sample, size_t y, size_t x) {
    size_t row = sample * p->rows + y - p->first_row;
    return p->data + (row * p->width + x) * (p->channels + p->gap);
}

static operand describe(const picture *p, const kiln_plan_tensor_record *record) {
    return (operand){.data = p->data,
                     .dtype = KILN_F32,
                     .rank = 4,
                     .dims = {1, p->height, p->width, p->channels},
                     .inner = p->channels,
                     .outer = p->height * p->width,
                     .row_stride = p->channels + p->gap,
                     .elements = p->height * p->width * p->channels,
                     .batched = true,
                     .layout = KILN_CHANNELS_LAST,
                     .first_row = p->first_row,
                     .record = record};
}

/* The input row under kernel row k of output y, or SIZE_MAX. */
static size_t source(size_t y, size_t k, size_t stride, size_t dilation, size_t padding,
                     size_t size) {
    size_t at = y * stride + k * dilation;
    return at < padding || at - padding >= size ? SIZE_MAX : at - padding;
}

static double result(const scene *s, size_t sample, size_t y, size_t x, size_t c) {
    const sliding_shape *w = &s->shape;
    double sum = w->op == SLIDING_MAX_POOL ? -INFINITY
                 : w->weights != NULL
                     ? (double)w->bias[c % s->outputs * w->tap_stride + c / s->outputs]
                     : 0;
    size_t count = 0, taps = w->kernel_height * w->kernel_width;
    for (size_t k = 0; k < taps; k++) {
        size_t row = source(y, k / w->kernel_width, w->stride_height, w->dilation_height,
                            w->padding_top, s->in.height);
        size_t column = source(x, k % w->kernel_width, w->stride_width, w->dilation_width,
                               w->padding_left, s->in.width);
        if (row != SIZE_MAX && column != SIZE_MAX) {
            double value = (double)pixel(&s->in, sample, row, column)[c / s->outputs];
            count++;
            sum = w->op == SLIDING_MAX_POOL ? fmax(sum, value)
                  : w->weights != NULL      ? sum + value * (double)s->weights[c * taps + k]
                                            : sum + value;
        }
    }
    sum = w->op == SLIDING_AVERAGE_POOL ? sum / (double)count : sum;
    return fmin(fmax(sum, (double)w->finish.min), (double)w->finish.max);
}

/* Likewise of an output, which may be the largest of 2x2 results. */
static double expected(const scene *s, size_t sample, size_t y, size_t x, size_t c) {
    size_t pool = s->shape.pool;
    double largest = -INFINITY;
    for (size_t k = 0; k < pool * pool; k++) {
        largest = fmax(largest, result(s, sample, pool * y + k / pool, pool * x + k % pool, c));
    }
    return largest;
}

static void compare(const scene *s, size_t begin, size_t end) {
    double taps = (double)(s->shape.kernel_height * s->shape.kernel_width);
    for (size_t sample = 0; sample < s->out.samples; sample++) {
        for (size_t at = begin * s->out.width; at < end * s->out.width; at++) {
            size_t y = at / s->out.width, x = at % s->out.width;
            const float *found = pixel(&s->out, sample, y, x);
            for (size_t c = 0; c < s->out.channels; c++) {
                double wanted = expected(s, sample, y, x, c);
                /* An assertion that holds costs, too. */
                if (!(fabs((double)found[c] - wanted) <= 4 * taps * (double)FLT_EPSILON)) {
                    ck_abort_msg("row %zu column %zu channel %zu: %g, not %g", y, x, c,
                                 (double)found[c], wanted);
                }
            }
            for (size_t c = 0; c < s->out.gap; c++) {
                if (!isnan(found[s->out.channels + c])) {
                    ck_abort_msg("row %zu column %zu: written past its channels", y, x);
                }
            }
        }
    }
}

/* Weights and bias as the micro-kernels want them, padded with NaN up to whole vectors. */
static void make_weights(scene *s) {
    sliding_shape *w = &s->shape;
    size_t taps = w->kernel_height * w->kernel_width, channels = s->in.channels;
    w->tap_stride = (channels + VECTOR_MAX - 1) / VECTOR_MAX * VECTOR_MAX;
    size_t tap = s->outputs * w->tap_stride;
    float *packed = malloc((taps + 1) * tap * sizeof(float));
    s->weights = malloc(taps * s->outputs * channels * sizeof(float));
    ck_assert(packed != NULL && s->weights != NULL);
    for (size_t k = 0; k < (taps + 1) * tap; k++) {
        packed[k] = k % w->tap_stride < channels ? next_value() : NAN;
    }
    for (size_t k = 0; k < taps * s->outputs * channels; k++) {
        size_t output = k / taps;
        s->weights[k] =
            packed[k % taps * tap + output % s->outputs * w->tap_stride + output / s->outputs];
    }
    w->weights = packed;
    w->bias = packed + taps * tap;
}

static size_t output_size(size_t input, size_t padding, size_t kernel, size_t dilation,
                          size_t stride) {
    size_t extent = (kernel - 1) * dilation + 1;
    return input + padding < extent ? 0 : (input + padding - extent) / stride + 1;
}

/* Output rows begin .. end, of an input that has only the rows which these need. */
static void try_rows(scene *s, const ukernels *ukernels, thread_pool *pool, size_t begin,
                     size_t end) {
    const sliding_shape *w = &s->shape;
    bool band = end - begin < s->out.height;
    size_t last =
        (end * w->pool - 1) * w->stride_height + (w->kernel_height - 1) * w->dilation_height + 1;
    size_t first = begin * w->pool * w->stride_height, height = s->in.height;
    first = first < w->padding_top ? 0 : first - w->padding_top;
    last = last < w->padding_top ? 0 : last - w->padding_top;
    last = last < height ? last : height;
    if (!band) {
        first = 0;
        last = height;
    } else if (first >= last) { /* nothing but padding */
        first = last = 0;
    }
    fill(&s->in, first, last - first, VECTOR_MAX - 1);
    fill(&s->out, begin, end - begin, 0);
    kiln_plan_tensor_record record = {0};
    operand x = describe(&s->in, &record), y = describe(&s->out, &record);
    const kernel_host host = {.pool = pool};
    kernel_call call = {.inputs = &x,
                        .input_count = 1,
                        .outputs = &y,
                        .output_count = 1,
                        .host = &host,
                        .run = {(uint32_t)s->in.samples, begin, end, NULL}};
    sliding_ukernel *const of[SLIDING_OPS] = {
        ukernels_depthwise(ukernels), ukernels_max_pool(ukernels), ukernels_average_pool(ukernels),
        ukernels_depthwise_multiplier(ukernels)};
    sliding_shape shape = *w;
    shape.ukernel = of[w->op];
    sliding_run(&call, ukernels, &shape);
    compare(s, begin, end);
    free(s->in.data);
    free(s->out.data);
}

static void try_scene(scene *s, const ukernels *ukernels, thread_pool *pool) {
    const sliding_shape *w = &s->shape;
    s->out =
        (picture){.samples = 2,
                  .height = output_size(s->in.height, w->padding_top + s->padding_bottom,
                                        w->kernel_height, w->dilation_height, w->stride_height),
                  .width = output_size(s->in.width, w->padding_left + s->padding_right,
                                       w->kernel_width, w->dilation_width, w->stride_width),
                  .channels = s->in.channels * s->outputs,
                  .gap = s->in.gap == 0 ? 0 : 3};
    s->out.height /= w->pool;
    s->out.width /= w->pool;
    s->in.samples = 2;
    if (s->out.height == 0 || s->out.width == 0) {
        return;
    }
    if (w->op == SLIDING_DEPTHWISE || w->op == SLIDING_MULTIPLIER) {
        make_weights(s);
    }
    try_rows(s, ukernels, pool, 0, s->out.height);
    s->in.samples = s->out.samples = 1;
    for (size_t begin = 0; begin < s->out.height && s->out.height > 1; begin += 2) {
        try_rows(s, ukernels, pool, begin, begin + 2 < s->out.height ? begin + 2 : s->out.height);
    }
    free((void *)(uintptr_t)w->weights);
    free(s->weights);
}

static const size_t channel_counts[] = {1, 3, 8, 17, 24, 64, 100};
/* Height, width, stride, dilation; paddings at top, right, bottom, left. */
static const size_t windows[][8] = {
    {3, 3, 1, 1, 1, 1, 1, 1}, {3, 3, 2, 1, 1, 1, 1, 1}, {3, 3, 2, 1, 0, 1, 1, 0},
    {2, 2, 2, 1, 0, 0, 0, 0}, {3, 3, 1, 1, 0, 0, 0, 0}, {3, 3, 1, 2, 2, 2, 2, 2},
    {1, 3, 1, 1, 0, 1, 0, 1}, {3, 1, 1, 1, 1, 0, 1, 0}, {5, 5, 1, 1, 2, 2, 2, 2},
    {5, 5, 2, 1, 1, 2, 2, 1}, {7, 7, 1, 1, 3, 3, 3, 3}, {7, 7, 1, 1, 0, 0, 0, 0},
    {4, 3, 3, 1, 2, 0, 1, 2}, {2, 3, 1, 2, 1, 3, 0, 2}, {3, 3, 3, 1, 1, 1, 1, 1},
    {6, 6, 1, 1, 5, 5, 5, 5}, {3, 3, 2, 1, 2, 2, 2, 2}, {1, 1, 1, 1, 0, 0, 0, 0}};
static const size_t sizes[][2] = {{7, 7}, {8, 23}, {1, 9}, {13, 2}, {10, 36}};

static scene make_scene(sliding_op op, const size_t *window, const size_t *size, size_t channels,
                        bool strided) {
    size_t dilation = op == SLIDING_AVERAGE_POOL ? 1 : window[3];
    return (scene){
        .shape = {.op = op,
                  .kernel_height = window[0],
                  .kernel_width = window[1],
                  .stride_height = window[2],
                  .stride_width = window[2],
                  .dilation_height = dilation,
                  .dilation_width = dilation,
                  .padding_top = window[4],
                  .padding_left = window[7],
                  .pool = 1,
                  .finish = {.min = strided ? -0.5f : -INFINITY,
                             .max = strided ? 0.25f : INFINITY}},
        .outputs = op == SLIDING_MULTIPLIER ? 2 + channels % 3 : 1,
        .padding_bottom = window[6],
        .padding_right = window[5],
        .in = {.height = size[0], .width = size[1], .channels = channels, .gap = strided ? 5 : 0}};
}

static bool pool_allows(const size_t *w) {
    return w[4] < w[0] && w[6] < w[0] && w[5] < w[1] && w[7] < w[1];
}

static void try_windows(sliding_op op, const ukernels *ukernels, thread_pool *pool) {
    size_t window_count = sizeof windows / sizeof *windows,
           size_count = sizeof sizes / sizeof *sizes;
    size_t channel_count = sizeof channel_counts / sizeof *channel_counts;
    for (size_t k = 0; k < window_count * size_count * channel_count * 2; k++) {
        const size_t *window = windows[k % window_count];
        const size_t *size = sizes[k / window_count % size_count];
        size_t channels = channel_counts[k / window_count / size_count % channel_count];
        bool weighted = op == SLIDING_DEPTHWISE || op == SLIDING_MULTIPLIER;
        if (weighted || pool_allows(window)) {
            scene s = make_scene(op, window, size, channels,
                                 k >= window_count * size_count * channel_count);
            try_scene(&s, ukernels, pool);
        }
    }
}

START_TEST(windows_match_sums_in_double_precision) {
    const ukernels *ukernels = NULL;
    for (size_t k = 0; (ukernels = ukernels_at(k)) != NULL; k++) {
        try_windows((sliding_op)_i, ukernels, NULL);
    }
}
END_TEST

/* From the narrowest on, at whose sides all blocks lie, and of two rows, which are top and bottom.
 */
START_TEST(results_are_pooled) {
    static const size_t pooled[][2] = {{2, 8}, {4, 10}, {6, 16}, {10, 38}};
    const ukernels *ukernels = NULL;
    for (size_t k = 0; (ukernels = ukernels_at(k)) != NULL; k++) {
        for (size_t i = 0; i < 4 * sizeof channel_counts / sizeof *channel_counts; i++) {
            scene s = make_scene(SLIDING_DEPTHWISE, windows[0], pooled[i % 4],
                                 channel_counts[i / 4], i % 3 == 1);
            s.shape.pool = 2;
            try_scene(&s, ukernels, NULL);
        }
    }
}
END_TEST

START_TEST(threads_share_rows_and_channels) {
    thread_pool *pool = NULL;
    ck_assert_int_eq(thread_pool_create(default_allocator(), 3, &pool, NULL), KILN_OK);
    ck_assert_ptr_nonnull(pool);
    for (int op = 0; op < SLIDING_OPS; op++) {
        /* Windows 0: rows, and channels that fit the first level; 1: rows, or of few rows channels
         * (stride 2). */
        static const size_t sizes[][2] = {{30, 40}, {7, 7}};
        for (int k = 0; k < 4; k++) {
            scene s = make_scene((sliding_op)op, windows[k % 2], sizes[k / 2], 1000, true);
            try_scene(&s, ukernels_best(), pool);
        }
    }
    thread_pool_destroy(pool);
}
END_TEST

/* An infinity is a value like others; padding is not. */
START_TEST(infinities_win_or_lose) {
    const ukernels *ukernels = NULL;
    for (size_t k = 0; (ukernels = ukernels_at(k)) != NULL; k++) {
        float in[3 * VECTOR_MAX], out[3];
        for (size_t c = 0; c < sizeof in / sizeof *in; c++) {
            in[c] = c % 3 == 0 ? -INFINITY : c % 3 == 1 ? INFINITY : -3;
        }
        sliding_row row = {.from = in,
                           .width = 2,
                           .pixel_stride = 3,
                           .row_stride = 6,
                           .kernel_rows = 2,
                           .kernel_columns = 3,
                           .stride = 1,
                           .dilation = 1,
                           .padding = 1,
                           .min = -INFINITY,
                           .max = INFINITY,
                           .to = out,
                           .to_stride = 3,
                           .to_width = 1,
                           .channels = 3};
        ukernels_max_pool(ukernels)(&row);
        ck_assert(out[0] == -INFINITY && out[1] == INFINITY && out[2] == -3);
        ukernels_average_pool(ukernels)(&row);
        ck_assert(out[0] == -INFINITY && out[1] == INFINITY && out[2] == -3);
    }
}
END_TEST

START_TEST(means_of_all_pixels) {
    static const size_t cases[][2] = {{1, 1}, {7, 3}, {49, 17}, {64, 64}, {169, 1000}, {100, 530}};
    const ukernels *ukernels = NULL;
    for (size_t k = 0; (ukernels = ukernels_at(k)) != NULL; k++) {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            picture in = {.samples = 1,
                          .height = 1,
                          .width = cases[i][0],
                          .channels = cases[i][1],
                          .gap = i % 2 * 5};
            fill(&in, 0, 1, VECTOR_MAX - 1);
            float *out = malloc(in.channels * sizeof(float));
            ck_assert_ptr_nonnull(out);
            ukernels_global_average_pool(ukernels)(in.data, in.width, in.channels + in.gap,
                                                   in.channels, -0.1f, INFINITY, out);
            for (size_t c = 0; c < in.channels; c++) {
                double sum = 0;
                for (size_t x = 0; x < in.width; x++) {
                    sum += (double)pixel(&in, 0, 0, x)[c];
                }
                double wanted = fmax(sum / (double)in.width, (double)-0.1f);
                ck_assert_double_eq_tol((double)out[c], wanted, 1e-5);
            }
            free(out);
            free(in.data);
        }
    }
}
END_TEST

/* ---- The kernel around them ---------------------------------------------------------------- */

static void *allocate(void *context, size_t size, size_t alignment) {
    (void)context;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void release(void *context, void *pointer, size_t size) {
    (void)context;
    (void)size;
    free(pointer);
}

static const kiln_allocator allocator = {NULL, allocate, release};

/* One 3x3 convolution of 5 channels and so many outputs of each, prepared as a session does it;
 * then with a band of its rows. */
START_TEST(depthwise_packs_and_runs) {
    static const kiln_plan_step step = {.kernel = KILN_KERNEL_CONV_2D};
    kiln_plan_tensor_record record = {0};
    size_t outputs = (size_t)_i, floats = 5 * outputs;
    scene s = make_scene(outputs > 1 ? SLIDING_MULTIPLIER : SLIDING_DEPTHWISE, windows[0],
                         (size_t[]){6, 6}, 5, false);
    s.outputs = outputs;
    s.in.samples = 1;
    s.out = s.in;
    s.out.channels = floats;
    make_weights(&s);
    fill(&s.in, 0, 6, VECTOR_MAX - 1);
    fill(&s.out, 0, 6, 0);
    float bias[5 * KILN_DEPTHWISE_OUTPUTS];
    for (size_t k = 0; k < floats; k++) {
        bias[k] = s.shape.bias[k % outputs * s.shape.tap_stride + k / outputs];
    }
    operand inputs[3] = {describe(&s.in, &record),
                         {.data = s.weights, .dims = {floats, 3, 3, 1}, .constant = true},
                         {.data = bias, .record = &record}};
    operand y = describe(&s.out, &record);
    kiln_conv_params params = {.stride_height = 1,
                               .stride_width = 1,
                               .dilation_height = 1,
                               .dilation_width = 1,
                               .padding_top = 1,
                               .padding_left = 1,
                               .groups = 5,
                               .algorithm = KILN_CONV_DEPTHWISE,
                               .min = -INFINITY,
                               .max = INFINITY};
    const kernel_host host = {.allocator = &allocator};
    kernel_call call = {.kernel = kernel_find(KILN_KERNEL_CONV_2D),
                        .step = &step,
                        .name = "dw",
                        .params = &params,
                        .inputs = inputs,
                        .input_count = 3,
                        .outputs = &y,
                        .output_count = 1,
                        .host = &host,
                        .run = {.batch = 1, .end_row = 6}};
    ck_assert_ptr_null(depthwise_check(&call));
    ck_assert_int_eq(depthwise_prepare(&call, &error), KILN_OK);
    ck_assert_int_eq(depthwise_run(&call, &error), KILN_OK);
    compare(&s, 0, 6);
    call.run.begin_row = 2; /* rows outside the band stay as they are */
    call.run.end_row = 4;
    memset(s.out.data, 0xff, (size_t)6 * 6 * floats * sizeof(float));
    ck_assert_int_eq(depthwise_run(&call, &error), KILN_OK);
    compare(&s, 2, 4);
    ck_assert(isnan(pixel(&s.out, 0, 1, 5)[4]) && isnan(pixel(&s.out, 0, 4, 0)[0]));
    kernel_free_all(&call);
    ck_assert_ptr_null(call.state);
    free((void *)(uintptr_t)s.shape.weights);
    free(s.weights);
    free(s.in.data);
    free(s.out.data);
}
END_TEST

START_TEST(other_groups_are_refused) {
    static const kiln_plan_step step = {.kernel = KILN_KERNEL_CONV_2D};
    kiln_conv_params params = {.groups = 5};
    operand x = {.inner = 5}, y = {.inner = 20};
    kernel_call call = {.name = "dw",
                        .kernel = kernel_find(KILN_KERNEL_CONV_2D),
                        .step = &step,
                        .params = &params,
                        .inputs = &x,
                        .outputs = &y};
    ck_assert_ptr_null(depthwise_check(&call));
    y.inner = 25;
    ck_assert_ptr_nonnull(depthwise_check(&call));
    y.inner = 12;
    ck_assert_ptr_nonnull(depthwise_check(&call));
    y.inner = params.groups = 1;
    ck_assert_ptr_nonnull(depthwise_check(&call));
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        LOOP("sums", windows_match_sums_in_double_precision, 0, SLIDING_OPS),
        TEST("sums", results_are_pooled),
        TEST("threads", threads_share_rows_and_channels),
        TEST("edges", infinities_win_or_lose),
        TEST("edges", means_of_all_pixels),
        LOOP("kernel", depthwise_packs_and_runs, 1, KILN_DEPTHWISE_OUTPUTS + 1),
        TEST("kernel", other_groups_are_refused),
    };
    return SUITE("window", tests);
}
