/* The micro-kernels of reductions, normalisation and softmax, each set of instructions that runs
 * here, against sums in f64: rows of every length, in place, with NaN and infinities. */
#include "runtime/ukernels/ukernels.h"
#include "tests/unit/network.h"
#include "tests/unit/suite.h"

#include <math.h>

#define MOST ((size_t)70)
#define ROWS ((size_t)150)
#define STRIDE ((size_t)80)
#define NEAR 1e-6

static double exactly(reduce_op op, const float *x, size_t count, size_t stride, double shift) {
    double sum = op == REDUCE_MAX ? -INFINITY : op == REDUCE_MIN ? INFINITY : 0;
    for (size_t k = 0; k < count; k++) {
        double v = (double)x[k * stride], d = v - shift;
        if (op == REDUCE_MAX) {
            sum = v > sum || isnan(v) ? v : sum;
        } else if (op == REDUCE_MIN) {
            sum = v < sum || isnan(v) ? v : sum;
        } else {
            sum += op == REDUCE_SUM ? d : op == REDUCE_SUM_ABS ? fabs(d) : d * d;
        }
    }
    return sum;
}

static void fill(float *x, size_t count, uint64_t seed) {
    for (size_t k = 0; k < count; k++) {
        x[k] = random_normal(&seed);
    }
}

static void ck_near(const char *name, double found, double exact, double size) {
    bool same = isnan(exact) ? isnan(found) : found == exact || fabs(found - exact) <= NEAR * size;
    ck_assert_msg(same, "%s: %.9g, exactly %.9g", name, found, exact);
}

START_TEST(rows_are_reduced) {
    static float x[20000];
    fill(x, 20000, 5);
    for (size_t set = 0; ukernels_at(set) != NULL; set++) {
        const reduce_ukernels *r = ukernels_reduce(ukernels_at(set));
        for (int op = 0; op < REDUCE_OPS; op++) {
            for (size_t count = 0; count < 20000; count = count < 200 ? count + 1 : 2 * count + 1) {
                double found = r->along[op](x, count, 0.25f);
                ck_near(ukernels_at(set)->name, found, exactly((reduce_op)op, x, count, 1, 0.25),
                        10 + (double)count);
            }
        }
    }
}
END_TEST

START_TEST(rows_are_joined) {
    static float x[ROWS * STRIDE], y[STRIDE];
    fill(x, (size_t)ROWS * STRIDE, 7);
    for (size_t set = 0; ukernels_at(set) != NULL; set++) {
        const reduce_ukernels *r = ukernels_reduce(ukernels_at(set));
        for (int op = 0; op < REDUCE_OPS; op++) {
            for (size_t count = 1; count < MOST; count++) {
                size_t rows = count * 2 + 3;
                for (size_t k = 0; k < STRIDE; k++) {
                    y[k] = k < count ? x[k] : 9;
                }
                r->across[op](x + STRIDE, rows, STRIDE, count, NULL, y);
                for (size_t k = 0; k < count; k++) {
                    double rest = exactly((reduce_op)op, x + STRIDE + k, rows, STRIDE, 0);
                    double first = (double)x[k];
                    double exact = op == REDUCE_MAX   ? fmax(first, rest)
                                   : op == REDUCE_MIN ? fmin(first, rest)
                                                      : first + rest;
                    ck_near(ukernels_at(set)->name, (double)y[k], exact, (double)rows);
                }
                ck_assert(y[count] == 9);
            }
        }
    }
}
END_TEST

START_TEST(nan_is_kept) {
    float x[MOST], y[MOST];
    for (size_t set = 0; ukernels_at(set) != NULL; set++) {
        const ukernels *u = ukernels_at(set);
        for (size_t at = 0; at < MOST; at++) {
            fill(x, MOST, at);
            x[at] = NAN;
            for (int op = 0; op < REDUCE_OPS; op++) {
                ck_assert(isnan(ukernels_reduce(u)->along[op](x, MOST, 0)));
                fill(y, MOST, 3);
                ukernels_reduce(u)->across[op](x, 1, MOST, MOST, NULL, y);
                ck_assert(isnan(y[at]));
                ukernels_reduce(u)->across[op](y, 1, MOST, MOST, NULL, x);
                ck_assert(isnan(x[at]));
            }
            for (int logarithm = 0; logarithm < 2; logarithm++) {
                ukernels_softmax(u)->row[logarithm](x, MOST, y);
                ck_assert(isnan(y[0]) && isnan(y[MOST - 1]));
            }
        }
    }
}
END_TEST

/* A variance far smaller than the mean's square is not lost. */
START_TEST(rows_are_normalized) {
    static float x[1000], y[1000], scale[1000], bias[1000];
    float found_mean, found_inverse;
    fill(scale, 1000, 1);
    fill(bias, 1000, 2);
    for (size_t set = 0; ukernels_at(set) != NULL; set++) {
        layer_norm_ukernel *layer_norm = ukernels_layer_norm(ukernels_at(set));
        for (size_t count = 1; count <= 1000; count = count < 50 ? count + 1 : count * 2) {
            fill(x, count, count);
            for (size_t k = 0; k < count; k++) {
                x[k] += 100;
            }
            double mean = exactly(REDUCE_SUM, x, count, 1, 0) / (double)count;
            double variance = exactly(REDUCE_SUM_SQUARES, x, count, 1, mean) / (double)count;
            double inverse = 1 / sqrt(variance + 0.5);
            const layer_norm_rows rows = {.x = x,
                                          .rows = 1,
                                          .count = count,
                                          .epsilon = 0.5f,
                                          .scale = scale,
                                          .bias = count % 2 == 0 ? bias : NULL,
                                          .y = y,
                                          .mean = &found_mean,
                                          .inverse = &found_inverse};
            layer_norm(&rows);
            ck_near("mean", (double)found_mean, mean, 100);
            ck_near("inverse", (double)found_inverse, inverse, 100);
            for (size_t k = 0; k < count; k++) {
                double b = count % 2 == 0 ? (double)bias[k] : 0;
                ck_near("y", (double)y[k], ((double)x[k] - mean) * inverse * (double)scale[k] + b,
                        100);
            }
        }
    }
}
END_TEST

static double softmax_of(const float *x, size_t size, size_t stride, size_t at, bool logarithm) {
    double largest = exactly(REDUCE_MAX, x, size, stride, 0), sum = 0;
    for (size_t k = 0; k < size; k++) {
        sum += exp((double)x[k * stride] - largest);
    }
    double of = (double)x[at * stride] - largest;
    return logarithm ? of - log(sum) : exp(of) / sum;
}

START_TEST(softmax_is_that_of_doubles) {
    static float x[ROWS * STRIDE], y[ROWS * STRIDE];
    fill(x, (size_t)ROWS * STRIDE, 11);
    x[3] = -INFINITY;
    x[5 * STRIDE] = 90;
    for (size_t set = 0; ukernels_at(set) != NULL; set++) {
        const softmax_ukernels *s = ukernels_softmax(ukernels_at(set));
        for (int logarithm = 0; logarithm < 2; logarithm++) {
            for (size_t count = 1; count < MOST; count++) {
                s->row[logarithm](x, count, y);
                for (size_t k = 0; k < count; k++) {
                    ck_near("row", (double)y[k], softmax_of(x, count, 1, k, logarithm), 8);
                }
                size_t size = count + 7;
                memcpy(y, x, sizeof x);
                s->columns[logarithm](y, size, STRIDE, count, y);
                for (size_t k = 0; k < count * size; k++) {
                    size_t column = k % count, row = k / count;
                    ck_near("column", (double)y[row * STRIDE + column],
                            softmax_of(x + column, size, STRIDE, row, logarithm), 100);
                }
                ck_assert(y[count] == x[count]);
                memcpy(y, x, sizeof x);
                s->columns[logarithm](y, size, count, count, y);
                for (size_t k = 0; k < count * size; k++) {
                    ck_near("narrow", (double)y[k],
                            softmax_of(x + k % count, size, count, k / count, logarithm), 100);
                }
                ck_assert(y[count * size] == x[count * size]);
            }
        }
    }
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("reductions", rows_are_reduced),
        TEST("reductions", rows_are_joined),
        TEST("nan", nan_is_kept),
        TEST("normalisation", rows_are_normalized),
        TEST("softmax", softmax_is_that_of_doubles),
    };
    return SUITE("reduce", tests);
}
