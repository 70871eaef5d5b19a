/* Windows at their edges: transposed convolutions of every geometry, and kernels far larger than
 * the picture, of which only the taps inside may cost time. */
#include "tests/unit/operator_case.h"
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

static void compare(const operator_case *c, case_values given, uint64_t seed) {
    network_values expected = case_evaluated(c, given), found = case_ran(c, given);
    ck_assert_msg(case_agree(&found, &expected, 1e-4f), "%s, %s, seed %llu", c->op, c->attributes,
                  (unsigned long long)seed);
    network_free_values(&expected);
    network_free_values(&found);
}

/* "name=1,2," of an attribute, at the end of a text. */
static void add_list(char *text, size_t room, const char *name, const int64_t *values,
                     size_t count) {
    size_t at = strlen(text);
    at += (size_t)snprintf(text + at, room - at, " %s=", name);
    for (size_t k = 0; k < count; k++) {
        at += (size_t)snprintf(text + at, room - at, "%lld,", (long long)values[k]);
    }
}

/* "f FIRST SECOND SIZES... END" */
static void write_feed(char *text, size_t room, const char *first, int64_t second,
                       const int64_t *sizes, size_t count, const char *end) {
    size_t at = (size_t)snprintf(text, room, "f %s %lld", first, (long long)second);
    for (size_t k = 0; k < count; k++) {
        at += (size_t)snprintf(text + at, room - at, " %lld", (long long)sizes[k]);
    }
    (void)snprintf(text + at, room - at, " %s", end);
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
        char attributes[256], feeds[3][64], first[8];
        size_t spatial = 1 + random_below(&state, SPATIAL);
        int64_t groups = 1 + random_below(&state, 3),
                inputs = groups * (1 + random_below(&state, 3));
        int64_t each = 1 + random_below(&state, 3);
        bool open = random_below(&state, 2) == 0;
        uint32_t threads = 1 + random_below(&state, 2), batch = 1 + random_below(&state, 3);
        bool clamp = random_below(&state, 2) == 0;
        fill(x, MAX_VALUES, &state);
        fill(w, MAX_VALUES, &state);
        fill(bias, 16, &state);
        for (size_t s = 0; s < spatial; s++) {
            choose(&g, s, spatial, &state);
        }
        snprintf(attributes, sizeof attributes, "@batch=%u @threads=%u%s group=%lld",
                 open ? batch : 1, threads, clamp ? " @min=0 @max=6" : "", (long long)groups);
        add_list(attributes, sizeof attributes, "strides", g.strides, spatial);
        add_list(attributes, sizeof attributes, "dilations", g.dilations, spatial);
        add_list(attributes, sizeof attributes, "pads", g.pads, 2 * spatial);
        add_list(attributes, sizeof attributes, "output_padding", g.padding, spatial);
        snprintf(first, sizeof first, "%u", batch);
        write_feed(feeds[0], sizeof feeds[0], open ? "N" : first, inputs, g.size, spatial, "given");
        snprintf(first, sizeof first, "%u", (uint32_t)inputs);
        write_feed(feeds[1], sizeof feeds[1], first, each, g.kernel, spatial, "constant");
        snprintf(feeds[2], sizeof feeds[2], "f %lld constant", (long long)each * groups);
        const operator_case c = {"ConvTranspose", attributes, {feeds[0], feeds[1], feeds[2]}};
        compare(&c, (case_values){x, w, bias}, round);
    }
}
END_TEST

/* What SAME keeps of windows that do not meet is all of it. */
START_TEST(same_padding_of_sparse_windows) {
    static const float x[2] = {1, 2};
    const operator_case c = {
        "ConvTranspose", "strides=3, auto_pad=SAME_UPPER", {"f 1 1 2 given", "f 1 1 1 = 3"}};
    case_values given = {x};
    network_values found = case_evaluated(&c, given);
    ck_assert_uint_eq(found.count[0], 4);
    ck_assert(found.data[0][0] == 3 && found.data[0][1] == 0 && found.data[0][3] == 6);
    network_free_values(&found);
    compare(&c, given, 0);
}
END_TEST

static case_values four_pixels = {(const float[]){1, 2, 3, 4}};

#define HUGE "kernel_shape=65535,65535 pads=32767,32767,32767,32767"

/* Taps in the padding: 4 thousand million for each of the outputs. */
static const struct {
    operator_case c;
    float first;
} huge[] = {
    {{"MaxPool", HUGE, {"f 1 1 2 2 given"}}, 4},
    {{"AveragePool", HUGE " count_include_pad=0", {"f 1 1 2 2 given"}}, 2.5f},
    {{"AveragePool", HUGE " count_include_pad=1", {"f 1 1 2 2 given"}}, 0},
};

START_TEST(huge_kernels_cost_what_is_inside) {
    const operator_case *c = &huge[_i].c;
    compare(c, four_pixels, 0);
    network_values found = case_evaluated(c, four_pixels);
    ck_assert_uint_eq(found.count[0], 4);
    ck_assert_float_eq_tol(found.data[0][0], huge[_i].first, 1e-5f);
    network_free_values(&found);
}
END_TEST

/* 65536 channels are summed, of which there are 3. */
START_TEST(wide_neighbourhoods_cost_what_is_inside) {
    static float x[3 * 64 * 64];
    uint64_t state = 5;
    fill(x, sizeof x / sizeof *x, &state);
    const operator_case c = {"LRN", "size=65536 alpha=1000.0", {"f 1 3 64 64 given"}};
    compare(&c, (case_values){x}, 0);
}
END_TEST

START_TEST(larger_kernels_are_refused) {
    static const operator_case c = {"MaxPool",
                                    "kernel_shape=1048576,1048576 pads=524288,524288,524288,524288",
                                    {"f 1 1 2 2 given"}};
    network n;
    node *made = case_begin_given(&n, &c, four_pixels, 1, true);
    ck_assert_int_eq(graph_infer_node(n.g, made), KILN_ERROR_UNSUPPORTED);
    ck_assert_ptr_nonnull(
        strstr(network_error.message, "kernel_shape of 1048576; supported: 1 to 65535"));
    graph_free(n.g);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        LOOP("transposed", transposed_convolutions_of_every_geometry, 0, 2),
        TEST("padding", same_padding_of_sparse_windows),
        EACH("large", huge_kernels_cost_what_is_inside, huge),
        TEST("large", wide_neighbourhoods_cost_what_is_inside),
        TEST("large", larger_kernels_are_refused),
    };
    return SUITE("windows", tests);
}
