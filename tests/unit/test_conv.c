/* Convolutions by each algorithm against sums in double precision: odd channels, sizes that are no
 * multiples of tiles, uneven padding, strides, dilation, clamps, functions, additions, batches,
 * threads.
 * Inputs have variance 1, and weights such that outputs have about that, too. */
#include "tests/unit/network.h"
#include "tests/unit/suite.h"

#include <stdio.h>
#include <unistd.h>

static char path[] = "/tmp/kiln-conv-XXXXXX";

/* Bounds of |output - exact|, relative to the largest |exact|. */
typedef struct way {
    const char *name;
    kiln_convolution option;
    uint32_t algorithm; /* of the plan, where the layer allows it */
    double bound;
} way;

static const way ways[] = {
    {"direct", KILN_CONVOLUTION_DIRECT, KILN_CONV_DIRECT, 1e-5},
    {"gemm", KILN_CONVOLUTION_EXACT, KILN_CONV_GEMM, 1e-5},
    {"winograd 2", KILN_CONVOLUTION_WINOGRAD_2, KILN_CONV_WINOGRAD_2, 1e-5},
    {"winograd 4", KILN_CONVOLUTION_WINOGRAD_4, KILN_CONV_WINOGRAD_4, 1e-4},
    {"winograd 6", KILN_CONVOLUTION_WINOGRAD_6, KILN_CONV_WINOGRAD_6, 1e-3},
};

/* What is added to the results: nothing; a picture that is not needed afterwards, whose memory the
 * output may take; one that is. */
typedef enum addition { ADD_NOTHING, ADD_IN_PLACE, ADD_KEPT, ADD_OWN_INPUT } addition;

/* What results go through, if anything. */
static const struct {
    const char *operator; /* NULL: nothing */
    uint32_t function;    /* of the step */
} activations[] = {{NULL, KILN_UNARY_CLAMP},
                   {"Relu", KILN_UNARY_CLAMP},
                   {"Swish", KILN_UNARY_SWISH},
                   {"Tanh", KILN_UNARY_TANH}};
enum { PLAIN, RELU, SILU, TANH };

typedef struct layer {
    int64_t inputs, height, width;
    network_conv c;
    addition add;
    uint32_t activation;
    /* What the plan is made of, for the reference. */
    float *weights, *bias;
    int64_t out_height, out_width;
} layer;

static float *copy_of(const tensor *t) {
    size_t bytes = (size_t)tensor_elements(t) * sizeof(float);
    float *copy = malloc(bytes);
    memcpy(copy, t->data, bytes);
    return copy;
}

static kiln_plan *compile_layer(layer *l, const way *w, uint64_t seed) {
    network n;
    kiln_plan *plan = NULL;
    kiln_compile_options options;
    kiln_compile_options_init(&options);
    options.convolution = w->option;
    options.memory = KILN_MEMORY_SPEED;
    network_begin(&n, seed);
    tensor *x = network_input(&n, l->inputs, l->height, l->width);
    tensor *y = network_convolve(&n, x, &l->c), *z = NULL;
    const node *convolution = n.g->nodes[0];
    l->weights = copy_of(convolution->inputs[1]);
    l->bias = l->c.bias ? copy_of(convolution->inputs[2]) : NULL;
    l->out_height = y->dims[2];
    l->out_width = y->dims[3];
    if (l->add != ADD_NOTHING) {
        z = l->add == ADD_OWN_INPUT ? x : network_input(&n, y->dims[1], y->dims[2], y->dims[3]);
        y = network_apply(&n, "Add", 2, (tensor *[]){y, z}, NULL);
    }
    if (l->activation != PLAIN) {
        y = network_apply(&n, activations[l->activation].operator, 1, &y, NULL);
    }
    network_output(&n, y);
    if (l->add == ADD_KEPT) {
        network_output(&n, network_apply(&n, "Neg", 1, &z, NULL));
    }
    ck_assert_msg(network_write(&n, &options, path) == KILN_OK, "%s", network_error.message);
    ck_assert_msg(kiln_plan_open(path, NULL, &plan, &network_error) == KILN_OK, "%s",
                  network_error.message);
    return plan;
}

/* One output, without clamp. */
static double exact_at(const layer *l, const float *x, int64_t o, int64_t row, int64_t column) {
    int64_t channels = l->inputs / l->c.groups, group = o / (l->c.outputs / l->c.groups);
    double sum = l->bias != NULL ? (double)l->bias[o] : 0;
    for (int64_t c = 0; c < channels; c++) {
        for (int64_t i = 0; i < l->c.height; i++) {
            for (int64_t j = 0; j < l->c.width; j++) {
                int64_t y = row * l->c.strides[0] - l->c.pads[0] + i * l->c.dilations[0];
                int64_t at = column * l->c.strides[1] - l->c.pads[1] + j * l->c.dilations[1];
                if (y >= 0 && y < l->height && at >= 0 && at < l->width) {
                    double pixel =
                        (double)x[((group * channels + c) * l->height + y) * l->width + at];
                    sum +=
                        pixel *
                        (double)l->weights[((o * channels + c) * l->c.height + i) * l->c.width + j];
                }
            }
        }
    }
    return sum;
}

/* z: what is added, or NULL. */
static float *exact_outputs(const layer *l, const float *x, const float *z, uint32_t batch) {
    size_t pixels = (size_t)(l->out_height * l->out_width), count = (size_t)l->c.outputs * pixels;
    float *y = malloc(batch * count * sizeof *y);
    for (size_t k = 0; k < batch * count; k++) {
        size_t sample = k / count, pixel = k % pixels;
        const float *from = x + sample * (size_t)(l->inputs * l->height * l->width);
        double sum = exact_at(l, from, (int64_t)(k % count / pixels), (int64_t)pixel / l->out_width,
                              (int64_t)pixel % l->out_width) +
                     (z != NULL ? (double)z[k] : 0);
        y[k] = (float)(l->activation == RELU   ? fmax(sum, 0)
                       : l->activation == SILU ? sum / (1 + exp(-sum))
                       : l->activation == TANH ? tanh(sum)
                                               : sum);
    }
    return y;
}

static void check_algorithm(const kiln_plan *plan, const layer *l, const way *w) {
    kiln_plan_view v;
    kiln_plan_inspect(plan, &v);
    bool three = l->c.height == 3 && l->c.width == 3 && l->c.strides[0] == l->c.strides[1] &&
                 l->c.strides[0] <= (w->algorithm == KILN_CONV_WINOGRAD_6 ? 1 : 2) &&
                 l->c.dilations[0] == 1 && l->c.dilations[1] == 1;
    bool direct = w->option == KILN_CONVOLUTION_DIRECT;
    for (size_t k = 0; k < v.step_count; k++) {
        const kiln_conv_params *p = (const void *)(v.params + v.steps[k].params_offset);
        if (v.steps[k].kernel == KILN_KERNEL_CONV_2D && l->c.groups == 1) {
            ck_assert_uint_eq(p->algorithm, three || direct ? w->algorithm : KILN_CONV_GEMM);
            ck_assert_int_eq(v.steps[k].input_count == 4, l->add != ADD_NOTHING && !direct);
        }
        if (v.steps[k].kernel == KILN_KERNEL_CONV_2D) {
            bool adds = p->algorithm != KILN_CONV_DEPTHWISE && p->algorithm != KILN_CONV_DIRECT;
            bool here = adds || l->add == ADD_NOTHING;
            ck_assert_uint_eq(KILN_STEP_FUNCTION(v.steps[k].flags),
                              here ? activations[l->activation].function : KILN_UNARY_CLAMP);
        }
    }
}

/* The worst difference at batches 3 and 1, on 1, 2 and 3 threads. */
static double measure_layer(layer *l, const way *w, uint64_t seed) {
    kiln_plan *plan = compile_layer(l, w, seed);
    check_algorithm(plan, l, w);
    network_values in = network_noise(plan, 3, seed + 1);
    const float *z = l->add == ADD_NOTHING     ? NULL
                     : l->add == ADD_OWN_INPUT ? in.data[0]
                                               : in.data[1];
    float *exact = exact_outputs(l, in.data[0], z, 3);
    double worst = 0;
    for (uint32_t threads = 1; threads <= 3; threads++) {
        kiln_session *session = network_session(plan, threads, 3);
        for (uint32_t round = 0; round < 2; round++) {
            uint32_t batch = round == 0 ? 3 : 1;
            network_values out = network_run(plan, session, batch, &in);
            worst = fmax(worst, network_difference(out.data[0], exact, out.count[0]));
            network_free_values(&out);
        }
        kiln_session_destroy(session);
    }
    free(exact);
    free(l->weights);
    free(l->bias);
    network_free_values(&in);
    kiln_plan_close(plan);
    return worst;
}

static layer random_layer(uint64_t *state, bool three) {
    static const int64_t channels[] = {1, 3, 17, 24, 33, 64};
    layer l = {.inputs = channels[random_below(state, 6)],
               .height = 7 + random_below(state, 12),
               .width = 7 + random_below(state, 12),
               .c = {channels[random_below(state, 6)],
                     3,
                     3,
                     {1, 1},
                     {1, 1},
                     {0},
                     1,
                     random_below(state, 2) == 0},
               .add = (addition)random_below(state, 3),
               .activation = random_below(state, 4)};
    if (three) {
        l.c.strides[0] = l.c.strides[1] = 1 + random_below(state, 2);
    } else {
        l.c.height = 1 + random_below(state, 5);
        l.c.width = 1 + random_below(state, 5);
        for (int k = 0; k < 2; k++) {
            l.c.strides[k] = 1 + random_below(state, 3);
            l.c.dilations[k] = 1 + (random_below(state, 4) == 0);
        }
    }
    for (int k = 0; k < 4; k++) {
        l.c.pads[k] = random_below(state, 3);
    }
    int64_t reach = 1 + (l.c.height - 1) * l.c.dilations[0];
    int64_t across = 1 + (l.c.width - 1) * l.c.dilations[1];
    l.height = l.height < reach ? reach : l.height;
    l.width = l.width < across ? across : l.width;
    return l;
}

START_TEST(algorithms_agree_with_doubles) {
    const way *w = &ways[_i];
    uint64_t state = (uint64_t)_i;
    for (uint64_t k = 0; k < 16; k++) {
        layer l = random_layer(&state, k % 2 == 0);
        if (k % 5 == 4) { /* depthwise: exact by any */
            l.c.groups = l.inputs = 17;
            l.c.outputs = 17 * (1 + (int64_t)k / 5);
        }
        double worst = measure_layer(&l, w, k);
        ck_assert_msg(worst < w->bound, "%s, layer %llu: %g", w->name, (unsigned long long)k,
                      worst);
    }
}
END_TEST

/* x + f(x): the output may not take the place of x. */
START_TEST(adds_its_own_input) {
    for (int side = 1; side <= 3; side += 2) {
        layer l = {.inputs = 17,
                   .height = 13,
                   .width = 11,
                   .c = {17, side, side, {1, 1}, {1, 1}, {0}, 1, true},
                   .add = ADD_OWN_INPUT};
        for (int k = 0; k < 4; k++) {
            l.c.pads[k] = side / 2;
        }
        ck_assert_double_lt(measure_layer(&l, &ways[_i], 3), ways[_i].bound);
    }
}
END_TEST

/* Rounding grows with the channels: the most that networks have. */
START_TEST(many_channels_stay_within_bounds) {
    for (int64_t stride = 1; stride <= 2; stride++) {
        layer l = {.inputs = 512,
                   .height = 14,
                   .width = 13,
                   .c = {17, 3, 3, {stride, stride}, {1, 1}, {1, 1, 1, 1}, 1, true}};
        double worst = measure_layer(&l, &ways[_i], 7);
        printf("%s, 512 channels, stride %d: %.2e of %.0e\n", ways[_i].name, (int)stride, worst,
               ways[_i].bound);
        ck_assert_double_lt(worst, ways[_i].bound);
    }
}
END_TEST

/* Threads share panels of outputs where weights are large and rows few, rows of each panel where
 * panels cannot be shared evenly; the last panel is half of one, or less. */
START_TEST(large_weights_meet_few_rows) {
    static const int64_t outputs[] = {400, 403, 408, 412};
    for (size_t k = 0; k < sizeof outputs / sizeof *outputs; k++) {
        for (int64_t side = 1; side <= 3; side += 2) {
            layer l = {.inputs = 340,
                       .height = 9,
                       .width = 7,
                       .c = {outputs[k], side, side, {2, 1}, {1, 1}, {0}, 1, true},
                       .add = side == 1 ? ADD_KEPT : ADD_NOTHING};
            double worst = measure_layer(&l, &ways[_i], 11);
            ck_assert_msg(worst < ways[_i].bound, "%lld outputs, %lldx%lld: %g",
                          (long long)outputs[k], (long long)side, (long long)side, worst);
        }
    }
}
END_TEST

/* Weights that would be many once they are transformed are packed as they are, and transformed by
 * each run, 64 inputs at a time: here two such chunks and a part of one. */
START_TEST(many_weights_are_kept_once) {
    static const struct {
        int way;
        int64_t stride;
    } cases[] = {{3, 1}, {4, 1}, {3, 2}};
    int64_t stride = cases[_i].stride;
    layer l = {.inputs = 150,
               .height = 11,
               .width = 9,
               .c = {200, 3, 3, {stride, stride}, {1, 1}, {1, 1, 1, 1}, 1, true},
               .add = ADD_KEPT,
               .activation = RELU};
    const way *w = &ways[cases[_i].way];
    ck_assert_double_lt(measure_layer(&l, w, 17), w->bound);
    kiln_plan *plan = compile_layer(&l, w, 17);
    kiln_session *session = network_session(plan, 1, 1);
    size_t raw = (size_t)150 * 200 * 9 * sizeof(float), packed = kiln_plan_packed_bytes(plan);
    ck_assert_msg(packed >= raw && packed < raw * 9 / 8, "%zu bytes of %zu", packed, raw);
    free(l.weights);
    free(l.bias);
    kiln_session_destroy(session);
    kiln_plan_close(plan);
}
END_TEST

/* Windows that are read where they lie: rows long enough for that, of one kernel row or more, with
 * more padding than a kernel is wide, on few rows and on many. */
START_TEST(windows_lie_in_the_image) {
    static const int64_t sizes[][3] = {
        {3, 40, 79}, {3, 23, 90}, {5, 9, 47}, {4, 6, 41}, {17, 3, 130}};
    static const network_conv convolutions[] = {
        {16, 3, 3, {2, 2}, {1, 1}, {1, 1, 1, 1}, 1, true},
        {33, 7, 7, {2, 2}, {1, 1}, {3, 3, 2, 3}, 1, true},
        {64, 3, 5, {1, 1}, {2, 1}, {4, 6, 4, 7}, 1, true},
        {7, 4, 1, {1, 1}, {1, 3}, {5, 2, 0, 0}, 1, false},
        {20, 2, 2, {1, 3}, {1, 1}, {0, 1, 1, 0}, 1, true},
    };
    layer l = {.inputs = sizes[_i][0],
               .height = sizes[_i][1],
               .width = sizes[_i][2],
               .c = convolutions[_i],
               .add = (addition)(_i % 3),
               .activation = _i % 2 == 0 ? RELU : SILU};
    double worst = measure_layer(&l, &ways[1], 13);
    ck_assert_msg(worst < ways[1].bound, "layer %d: %g", _i, worst);
}
END_TEST

/* So do additions of what no convolution makes. */
START_TEST(additions_take_functions) {
    network n;
    kiln_plan *plan = NULL;
    kiln_compile_options options;
    kiln_plan_view v;
    kiln_compile_options_init(&options);
    network_begin(&n, 5);
    tensor *sides[2] = {network_input(&n, 3, 5, 7), network_input(&n, 3, 5, 7)};
    tensor *y = network_apply(&n, "Add", 2, sides, NULL);
    network_output(&n, network_apply(&n, "Sigmoid", 1, &y, NULL));
    ck_assert_int_eq(network_write(&n, &options, path), KILN_OK);
    ck_assert_int_eq(kiln_plan_open(path, NULL, &plan, &network_error), KILN_OK);
    kiln_plan_inspect(plan, &v);
    for (size_t s = 0; s < v.step_count; s++) {
        ck_assert_uint_ne(v.steps[s].kernel, KILN_KERNEL_UNARY);
    }
    network_values in = network_noise(plan, 2, 6);
    kiln_session *session = network_session(plan, 2, 2);
    network_values out = network_run(plan, session, 2, &in);
    for (size_t k = 0; k < out.count[0]; k++) {
        double sum = (double)in.data[0][k] + (double)in.data[1][k];
        ck_assert_double_eq_tol((double)out.data[0][k], 1 / (1 + exp(-sum)), 1e-6);
    }
    network_free_values(&out);
    network_free_values(&in);
    kiln_session_destroy(session);
    kiln_plan_close(plan);
}
END_TEST

int main(void) {
    int file = mkstemp(path);
    if (file < 0 || close(file) != 0) {
        return EXIT_FAILURE;
    }
    const suite_test tests[] = {
        EACH("algorithms", algorithms_agree_with_doubles, ways),
        EACH("residual", adds_its_own_input, ways),
        EACH("many_channels", many_channels_stay_within_bounds, ways),
        LOOP("windows", windows_lie_in_the_image, 0, 5),
        TEST("residual", additions_take_functions),
        LOOP("many_weights", many_weights_are_kept_once, 0, 3),   /* F(4), F(6), F(4) by 2 */
        LOOP("large_weights", large_weights_meet_few_rows, 1, 2), /* gemm */
    };
    int failed = SUITE("conv", tests);
    (void)unlink(path);
    return failed;
}
