/* Resize against ONNX Runtime 1.32 (and PyTorch), at the ties where roundings tell: the input holds
 * its own positions, so that outputs are the positions read. */
#include "runtime/ukernels/ukernels.h"
#include "tests/unit/operator_case.h"
#include "tests/unit/suite.h"

typedef struct resize_case {
    const char *mode, *coordinates, *nearest;
    int64_t in;
    float scale; /* 0: by size */
    int64_t size;
    size_t out;
    float last[8]; /* the last outputs, at most 8 */
} resize_case;

static const resize_case cases[] = {
    {"nearest", "asymmetric", "floor", 14, 0, 18, 18, {7, 8, 9, 10, 10, 11, 12, 13}},
    {"nearest", "asymmetric", "floor", 20, 0.6f, 0, 12, {6, 8, 10, 11, 13, 14, 16, 18}},
    {"nearest", "asymmetric", "floor", 56, 0, 72, 72, {49, 50, 51, 52, 52, 53, 54, 55}},
    {"nearest", "asymmetric", "floor", 10, 1.2f, 0, 12, {3, 4, 5, 5, 6, 7, 8, 9}},
    {"nearest",
     "half_pixel",
     "round_prefer_floor",
     18,
     1.3f,
     0,
     23,
     {11, 12, 13, 14, 14, 15, 16, 17}},
    {"nearest", "half_pixel", "round_prefer_ceil", 20, 0, 6, 6, {1, 5, 8, 11, 15, 18}},
    {"nearest", "pytorch_half_pixel", "ceil", 9, 0.7f, 0, 6, {1, 2, 4, 5, 6, 8}},
    {"nearest", "align_corners", "round_prefer_floor", 7, 0, 13, 13, {2, 3, 3, 4, 4, 5, 5, 6}},
    {"nearest", "tf_half_pixel_for_nn", "floor", 7, 0, 5, 5, {0, 2, 3, 4, 6}},
    {"linear",
     "half_pixel",
     "floor",
     10,
     0.7f,
     0,
     7,
     {0.214286f, 1.64286f, 3.07143f, 4.5f, 5.92857f, 7.35714f, 8.78571f}},
    {"linear", "align_corners", "floor", 10, 0.65f, 0, 6, {0, 1.8f, 3.6f, 5.4f, 7.2f, 9}},
    {"linear", "align_corners", "floor", 4, 1.4f, 0, 5, {0, 0.75f, 1.5f, 2.25f, 3}},
    {"linear", "pytorch_half_pixel", "floor", 7, 0.2f, 0, 1, {0}},
    {"linear", "asymmetric", "floor", 5, 1.1f, 0, 5, {0, 1, 2, 3, 4}},
    {"linear",
     "asymmetric",
     "floor",
     5,
     1.5f,
     0,
     7,
     {0, 0.666667f, 1.33333f, 2, 2.66667f, 3.33333f, 4}},
};

static void check_values(const operator_case *c, const float *positions, size_t count,
                         const float *last) {
    case_values given = {positions};
    network_values results[2] = {case_evaluated(c, given), case_ran(c, given)};
    size_t from = count > 8 ? count - 8 : 0;
    for (size_t k = 0; k < 2; k++) {
        ck_assert_uint_eq(results[k].count[0], count);
        for (size_t i = from; i < count; i++) {
            ck_assert_float_eq_tol(results[k].data[0][i], last[i - from], 2e-5f);
        }
        network_free_values(&results[k]);
    }
}

START_TEST(reads_where_onnx_runtime_does) {
    const resize_case *r = &cases[_i];
    float positions[64];
    char attributes[160], in[32], size[32];
    for (int64_t k = 0; k < r->in; k++) {
        positions[k] = (float)k;
    }
    snprintf(attributes, sizeof attributes,
             "@opset=%d mode=%s coordinate_transformation_mode=%s nearest_mode=%s",
             strcmp(r->coordinates, "tf_half_pixel_for_nn") == 0 ? 11 : 13, r->mode, r->coordinates,
             r->nearest);
    snprintf(in, sizeof in, "f 1 1 1 %lld given", (long long)r->in);
    if (r->size > 0) {
        snprintf(size, sizeof size, "i 4 = 1 1 1 %lld", (long long)r->size);
    } else {
        snprintf(size, sizeof size, "f 4 = 1 1 1 %.9g", (double)r->scale);
    }
    operator_case c = {"Resize", attributes, {in, "-", size}};
    if (r->size > 0) {
        c.feeds[2] = "-";
        c.feeds[3] = size;
    }
    check_values(&c, positions, r->out, r->last);
}
END_TEST

/* Before opset 11 a shrinking picture's positions are rounded up. */
START_TEST(old_resizes_round_up_when_they_shrink) {
    static const float values[8] = {0, 1, 2, 3, 4, 5, 6, 7}, expected[] = {0, 2, 4, 5};
    const operator_case c = {"Resize", "@opset=10", {"f 1 1 1 8 given", "f 4 = 1 1 1 0.6"}};
    check_values(&c, values, 4, expected);
}
END_TEST

/* Rows that end where their memory does, for AddressSanitizer; NaNs between pixels must not get
 * into a result, nor results between pixels. */
static void try_bilinear(const ukernels *u, size_t channels) {
    enum { PIXELS = 3, GAP = 2, OUTPUTS = 2 };
    size_t stride = channels + GAP, floats = (PIXELS - 1) * stride + channels;
    float *upper = malloc(floats * sizeof *upper), *lower = malloc(floats * sizeof *lower);
    float *to = malloc(OUTPUTS * stride * sizeof *to);
    ck_assert(upper != NULL && lower != NULL && to != NULL);
    for (size_t k = 0; k < floats; k++) {
        bool between = k % stride >= channels;
        upper[k] = between ? NAN : (float)k;
        lower[k] = between ? NAN : 100 - 3 * (float)k;
    }
    for (size_t k = 0; k < OUTPUTS * stride; k++) {
        to[k] = NAN;
    }
    const bilinear_column columns[OUTPUTS] = {{0, stride, 0.25f}, {stride, 2 * stride, 0.75f}};
    bilinear_row row = {.upper = upper,
                        .lower = lower,
                        .part = 0.125f,
                        .columns = columns,
                        .count = OUTPUTS,
                        .channels = channels,
                        .to = to,
                        .to_stride = stride};
    ukernels_bilinear(u)(&row);
    for (size_t k = 0; k < OUTPUTS * stride; k++) {
        const bilinear_column *c = &columns[k / stride];
        size_t channel = k % stride;
        float at = (float)(c->left + channel) + c->part * (float)stride;
        float wanted = 0.875f * at + 0.125f * (100 - 3 * at);
        ck_assert_msg(channel < channels ? fabsf(to[k] - wanted) < 1e-4f : isnan(to[k]),
                      "%s, %zu channels: %g at %zu", u->name, channels, (double)to[k], k);
    }
    free(upper);
    free(lower);
    free(to);
}

START_TEST(every_set_of_instructions_interpolates) {
    const ukernels *u = NULL;
    for (size_t k = 0; (u = ukernels_at(k)) != NULL; k++) {
        for (size_t channels = 1; channels <= 40; channels++) {
            try_bilinear(u, channels);
        }
    }
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        EACH("modes", reads_where_onnx_runtime_does, cases),
        TEST("sets", every_set_of_instructions_interpolates),
        TEST("old", old_resizes_round_up_when_they_shrink),
    };
    return SUITE("resize", tests);
}
