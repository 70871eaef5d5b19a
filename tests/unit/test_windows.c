/* Windows at their edges: transposed convolutions of every geometry, and kernels far larger than
 * the picture, of which only the taps inside may cost time. */
#include "tests/unit/operator.h"
#include "tests/unit/suite.h"

enum { SPATIAL = 3, MAX_VALUES = 1 << 14 };

typedef struct geometry {
    int64_t kernel[SPATIAL], strides[SPATIAL], dilations[SPATIAL], pads[2 * SPATIAL];
    int64_t padding[SPATIAL], size[SPATIAL];
} geometry;

static void fill(float *values, size_t count, uint64_t *state) {
    for (size_t k = 0; k < count; k++) {
        values[k] = random_normal(state);
    }
}

static void compare(const operator_case *c, const char *what, uint64_t seed) {
    operator_result expected = operator_evaluate(c), found = operator_run(c);
    ck_assert_msg(operator_agree(&found, &expected, 1e-4f), "%s, seed %llu", what,
                  (unsigned long long)seed);
    operator_free(&expected);
    operator_free(&found);
}

/* Sizes of a dimension, of which at least one pixel is left. */
static void choose(geometry *g, size_t s, size_t spatial, uint64_t *state) {
    int64_t out;
    do {
        g->kernel[s] = 1 + random_below(state, 5);
        g->strides[s] = 1 + random_below(state, 6);
        g->dilations[s] = random_below(state, 3) == 0 ? 1 + random_below(state, 3) : 1;
        g->pads[s] = random_below(state, 4);
        g->pads[spatial + s] = random_below(state, 4);
        g->padding[s] = random_below(state, 2) == 0 ? random_below(state, 8) : 0;
        g->size[s] = 1 + random_below(state, 5);
        out = g->strides[s] * (g->size[s] - 1) + g->dilations[s] * (g->kernel[s] - 1) + 1 +
              g->padding[s] - g->pads[s] - g->pads[spatial + s];
    } while (out < 1);
}

START_TEST(transposed_convolutions_of_every_geometry) {
    static float x[MAX_VALUES], w[MAX_VALUES], bias[16];
    uint64_t state = (uint64_t)_i + 1;
    for (uint64_t round = 0; round < 60; round++) {
        geometry g;
        size_t spatial = 1 + random_below(&state, SPATIAL);
        int64_t groups = 1 + random_below(&state, 3),
                inputs = groups * (1 + random_below(&state, 3));
        int64_t each = 1 + random_below(&state, 3);
        fill(x, MAX_VALUES, &state);
        fill(w, MAX_VALUES, &state);
        fill(bias, 16, &state);
        operator_case c = {
            .op = "ConvTranspose",
            .open = random_below(&state, 2) == 0,
            .threads = 1 + random_below(&state, 2),
            .max = random_below(&state, 2) == 0 ? 6.0f : 0,
            .inputs = {{.rank = (uint32_t)spatial + 2,
                        .dims = {1 + random_below(&state, 3), inputs},
                        .values = x},
                       {.rank = (uint32_t)spatial + 2,
                        .dims = {inputs, each},
                        .values = w,
                        .constant = true},
                       {.rank = 1, .dims = {each * groups}, .values = bias, .constant = true}},
            .attributes = {with_ints("strides", g.strides, spatial),
                           with_ints("dilations", g.dilations, spatial),
                           with_ints("pads", g.pads, 2 * spatial),
                           with_ints("output_padding", g.padding, spatial),
                           with_int("group", groups)}};
        for (size_t s = 0; s < spatial; s++) {
            choose(&g, s, spatial, &state);
            c.inputs[0].dims[2 + s] = g.size[s];
            c.inputs[1].dims[2 + s] = g.kernel[s];
        }
        compare(&c, "ConvTranspose", round);
    }
}
END_TEST

/* What SAME keeps of windows that do not meet is all of it. */
START_TEST(same_padding_of_sparse_windows) {
    float x[2] = {1, 2}, w[1] = {3};
    int64_t strides[] = {3};
    operator_case c = {
        .op = "ConvTranspose",
        .inputs = {{.rank = 3, .dims = {1, 1, 2}, .values = x},
                   {.rank = 3, .dims = {1, 1, 1}, .values = w, .constant = true}},
        .attributes = {with_ints("strides", strides, 1), with_string("auto_pad", "SAME_UPPER")}};
    operator_result found = operator_evaluate(&c);
    ck_assert_uint_eq(found.count, 4);
    ck_assert(found.values[0] == 3 && found.values[1] == 0 && found.values[3] == 6);
    operator_free(&found);
    compare(&c, "SAME", 0);
}
END_TEST

/* Taps in the padding: 4 thousand million for each of the outputs. */
START_TEST(huge_kernels_cost_what_is_inside) {
    static const char *const names[] = {"MaxPool", "AveragePool", "AveragePool"};
    float x[4] = {1, 2, 3, 4};
    int64_t kernel[] = {65535, 65535}, pads[] = {32767, 32767, 32767, 32767};
    operator_case c = {.op = names[_i],
                       .inputs = {{.rank = 4, .dims = {1, 1, 2, 2}, .values = x}},
                       .attributes = {with_ints("kernel_shape", kernel, 2),
                                      with_ints("pads", pads, 4),
                                      with_int("count_include_pad", _i == 2)}};
    compare(&c, names[_i], 0);
    operator_result found = operator_evaluate(&c);
    ck_assert_uint_eq(found.count, 4);
    ck_assert_float_eq_tol(found.values[0], ((float[]){4, 2.5f, 0})[_i], 1e-5f);
    operator_free(&found);
}
END_TEST

/* 65536 channels are summed, of which there are 3. */
START_TEST(wide_neighbourhoods_cost_what_is_inside) {
    static float x[3 * 64 * 64];
    uint64_t state = 5;
    fill(x, sizeof x / sizeof *x, &state);
    operator_case c = {.op = "LRN",
                       .inputs = {{.rank = 4, .dims = {1, 3, 64, 64}, .values = x}},
                       .attributes = {with_int("size", 65536), with_float("alpha", 1000)}};
    compare(&c, "LRN", 0);
}
END_TEST

START_TEST(larger_kernels_are_refused) {
    float x[4] = {1, 2, 3, 4};
    int64_t kernel[] = {1 << 20, 1 << 20}, pads[] = {1 << 19, 1 << 19, 1 << 19, 1 << 19};
    operator_case c = {
        .op = "MaxPool",
        .inputs = {{.rank = 4, .dims = {1, 1, 2, 2}, .values = x}},
        .attributes = {with_ints("kernel_shape", kernel, 2), with_ints("pads", pads, 4)}};
    network n;
    node *made = operator_build(&n, &c, true);
    kiln_error error = {0};
    n.g->error = &error;
    ck_assert_int_eq(graph_infer_node(n.g, made), KILN_ERROR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(error.message, "kernel_shape of 1048576; supported: 1 to 65535"));
    graph_free(n.g);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        LOOP("transposed", transposed_convolutions_of_every_geometry, 0, 2),
        TEST("padding", same_padding_of_sparse_windows),
        LOOP("large", huge_kernels_cost_what_is_inside, 0, 3),
        TEST("large", wide_neighbourhoods_cost_what_is_inside),
        TEST("large", larger_kernels_are_refused),
    };
    return SUITE("windows", tests);
}
