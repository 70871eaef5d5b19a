/* The micro-kernels of functions of one element, each set of instructions that runs here: their
 * error in units in the last place over all floats (one in STEP), infinities, rows of every length.
 */
#include "tests/unit/flushed.h"
#include "tests/unit/suite.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* Primes. With AddressSanitizer, which looks for reads past an end, few of the floats will do; all
 * of them take an hour. */
#ifdef __SANITIZE_ADDRESS__
#define STEP 655373
#else
#define STEP 2003
#endif
#define BLOCK 4096
#define BETA 0.75f

static double alpha; /* the row's */

static double sigmoid(double x) {
    return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}

static double swish(double x) {
    return x * sigmoid(alpha * x);
}

static double softplus(double x) {
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}

static double mish(double x) {
    return x * tanh(softplus(x));
}

static double gelu_erf(double x) {
    return 0.5 * x * erfc(-x * 0.70710678118654752440);
}

static double gelu_tanh(double x) {
    return x * sigmoid(2 * 0.79788456080286535588 * (x + 0.044715 * x * x * x));
}

static double hard_swish(double x) {
    return x * fmin(fmax((x + 3) / 6, 0), 1);
}

static double elu(double x) {
    return x < 0 ? alpha * expm1(x) : x;
}

static double selu(double x) {
    return (double)BETA * elu(x);
}

static double celu(double x) {
    return x > 0 ? x : alpha * expm1(x / alpha);
}

static double softsign(double x) {
    return x / (1 + fabs(x));
}

static double square(double x) {
    return x * x;
}

static double rsqrt(double x) {
    return 1 / sqrt(x);
}

static double star_relu(double x) {
    double positive = x < 0 ? 0 : x;
    return alpha * positive * positive + (double)BETA;
}

static double reciprocal(double x) {
    return 1 / x;
}

static double leaky_relu(double x) {
    return x < 0 ? alpha * x : x;
}

static double thresholded(double x) {
    return x <= alpha ? 0 : x;
}

static double shrink(double x) {
    if (fabs(x) <= alpha) {
        return 0;
    }
    return x < 0 ? x + (double)BETA : x - (double)BETA;
}

static const struct {
    unary_function function;
    const char *name;
    double (*exactly)(double x);
    double units;
    float alpha;
} rows[] = {
    {UNARY_EXP, "exp", exp, 1.4, 1.25f},
    {UNARY_LOG, "log", log, 1, 1.25f},
    {UNARY_SIGMOID, "sigmoid", sigmoid, 2, 1.25f},
    {UNARY_TANH, "tanh", tanh, 1.5, 1.25f},
    {UNARY_SOFTPLUS, "softplus", softplus, 2, 1.25f},
    {UNARY_ERF, "erf", erf, 1.5, 1.25f},
    {UNARY_SWISH, "silu", swish, 2, 1},
    {UNARY_SWISH, "swish", swish, 2, 1.702f},
    {UNARY_MISH, "mish", mish, 2, 1.25f},
    {UNARY_GELU_ERF, "gelu_erf", gelu_erf, 2, 1.25f},
    {UNARY_GELU_TANH, "gelu_tanh", gelu_tanh, 2, 1.25f},
    {UNARY_ELU, "elu", elu, 2, 1.25f},
    {UNARY_SELU, "selu", selu, 2, 1.25f},
    {UNARY_CELU, "celu", celu, 2, 1.25f},
    {UNARY_HARD_SWISH, "hard_swish", hard_swish, 2, 1.25f},
    {UNARY_SOFTSIGN, "softsign", softsign, 1.5, 1.25f},
    {UNARY_RSQRT, "rsqrt", rsqrt, 1.5, 1.25f},
    {UNARY_STAR_RELU, "star_relu", star_relu, 2, 1.25f},
    {UNARY_SQRT, "sqrt", sqrt, 0.5, 1.25f},
    {UNARY_SQUARE, "square", square, 0.5, 1.25f},
    {UNARY_RECIPROCAL, "reciprocal", reciprocal, 0.5, 1.25f},
    {UNARY_FLOOR, "floor", floor, 0, 1.25f},
    {UNARY_CEIL, "ceil", ceil, 0, 1.25f},
    {UNARY_ROUND, "round", rint, 0, 1.25f},
    {UNARY_ABS, "abs", fabs, 0, 1.25f},
    {UNARY_LEAKY_RELU, "leaky_relu", leaky_relu, 0.5, 1.25f},
    {UNARY_THRESHOLDED_RELU, "thresholded_relu", thresholded, 0, 1.25f},
    {UNARY_SHRINK, "shrink", shrink, 0.5, 1.25f},
    /* Of large angles these three are the C library's. */
    {UNARY_SIN, "sin", sin, 0.6, 1.25f},
    {UNARY_COS, "cos", cos, 0.6, 1.25f},
    {UNARY_TAN, "tan", tan, 1.5, 1.25f},
    {UNARY_ASIN, "asin", asin, 0.51, 1.25f},
    {UNARY_ACOS, "acos", acos, 0.51, 1.25f},
    {UNARY_ATAN, "atan", atan, 0.51, 1.25f},
    {UNARY_SINH, "sinh", sinh, 0.51, 1.25f},
    {UNARY_COSH, "cosh", cosh, 0.51, 1.25f},
    {UNARY_ASINH, "asinh", asinh, 0.51, 1.25f},
    {UNARY_ACOSH, "acosh", acosh, 0.51, 1.25f},
    {UNARY_ATANH, "atanh", atanh, 0.51, 1.25f},
};

/* Of a result below this, only the size is looked at: it may be 0. */
#define SMALL 1e-35

/* Units in the last place of an f32 between what is found and what is exact; infinite where one is
 * no number, or infinite, and the other is not. */
static double units_off(double exact, float found) {
    float nearest = (float)exact;
    if (isnan(exact) || isnan(found)) {
        return isnan(exact) && isnan(found) ? 0 : INFINITY;
    }
    if (isinf(nearest) || isinf(found)) {
        return nearest == found ? 0 : INFINITY;
    }
    if (fabs(exact) < SMALL) {
        return fabs((double)found) <= 1.001 * SMALL ? 0 : INFINITY;
    }
    int exponent;
    (void)frexp(exact, &exponent);
    return fabs((double)found - exact) / ldexp(1, exponent - 24);
}

static void check_block(size_t row, const ukernels *set, const float *x, size_t count) {
    static float y[BLOCK];
    alpha = (double)rows[row].alpha;
    ukernels_unary(set, rows[row].function)(x, count, rows[row].alpha, BETA, y);
    for (size_t k = 0; k < count; k++) {
        double (*exactly)(double) = rows[row].exactly, in = (double)x[k], zero = flushed(set, in);
        double off = units_off(exactly(in), y[k]);
        if (zero != in) { /* but roots and divisions, which go one by one there */
            off = fmin(off, units_off(exactly(zero), y[k]));
        }
        if (!(off <= rows[row].units + 0.001)) { /* an assertion for each would take minutes */
            ck_abort_msg("%s, %s of %a: %a, which is %.2f units off", set->name, rows[row].name,
                         (double)x[k], (double)y[k], off);
        }
    }
}

START_TEST(is_near_the_exact_value) {
    size_t row = (size_t)_i;
    static float x[BLOCK];
    for (size_t k = 0; ukernels_at(k) != NULL; k++) {
        for (uint64_t bits = 0; bits <= UINT32_MAX;) {
            size_t count = 0;
            for (; count < BLOCK && bits <= UINT32_MAX; bits += STEP, count++) {
                uint32_t pattern = (uint32_t)bits;
                memcpy(&x[count], &pattern, sizeof pattern);
            }
            check_block(row, ukernels_at(k), x, count);
        }
        const float specials[] = {0, -0.0f, INFINITY, -INFINITY, NAN, 1, -1, 0.5f, 1.5f, -2.5f};
        check_block(row, ukernels_at(k), specials, sizeof specials / sizeof *specials);
    }
}
END_TEST

/* A function computes an element alike wherever it lies, in place too, and writes no other. */
START_TEST(place_does_not_matter) {
    float x[80], y[80], whole[80];
    for (size_t k = 0; k < 80; k++) {
        x[k] = ((float)k - 40) / 7;
    }
    for (size_t set = 0; ukernels_at(set) != NULL; set++) {
        for (size_t f = 0; f < UNARY_FUNCTIONS; f++) {
            unary_ukernel *function = ukernels_unary(ukernels_at(set), f);
            function(x, 80, 1.25f, BETA, whole);
            for (size_t count = 0; count < 40; count++) {
                memcpy(y, x, sizeof y);
                function(y + 3, count, 1.25f, BETA, y + 3);
                ck_assert_mem_eq(y, x, 3 * sizeof *y);
                for (size_t k = 3; k < 3 + count; k++) {
                    ck_assert_msg(y[k] == whole[k] || (isnan(y[k]) && isnan(whole[k])), "%s, %zu",
                                  ukernels_at(set)->name, f);
                }
                ck_assert_mem_eq(y + 3 + count, x + 3 + count, (77 - count) * sizeof *y);
            }
        }
    }
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        EACH("error", is_near_the_exact_value, rows),
        TEST("rows", place_does_not_matter),
    };
    return SUITE("unary", tests);
}
