/* What a processor can do at most: multiply-adds that wait for nothing, and reading in order. */
#include "runtime/ukernels/vector.h"

/* Independent sums hide the latency of a multiply-add (about five cycles, on two units or four); as
 * many as registers hold. */
#define VECTORS 2

static float total(vector v) {
    float sum = 0;
    for (size_t k = 0; k < VECTOR_WIDTH; k++) {
        sum += v[k];
    }
    return sum;
}

static float multiply_add(size_t rounds, float factor) {
    vector sums[PEAK_ROWS][VECTORS], times = all(factor), sum = {0};
    /* All differ, so that the compiler does not find them to be one and the same. */
    UNROLL for (size_t row = 0; row < PEAK_ROWS; row++) {
        UNROLL for (size_t v = 0; v < VECTORS; v++) {
            sums[row][v] = all((float)(row * VECTORS + v));
        }
    }
    for (size_t k = 0; k < rounds; k++) {
        UNROLL for (size_t row = 0; row < PEAK_ROWS; row++) {
            UNROLL for (size_t v = 0; v < VECTORS; v++) {
                sums[row][v] = accumulate(sums[row][v], sums[row][v], times);
            }
        }
    }
    UNROLL for (size_t row = 0; row < PEAK_ROWS; row++) {
        UNROLL for (size_t v = 0; v < VECTORS; v++) {
            sum += sums[row][v];
        }
    }
    return total(sum);
}

static float read_in_order(const float *from, size_t count) {
    enum { AT_ONCE = 8 };
    const size_t step = (size_t)AT_ONCE * VECTOR_WIDTH;
    vector sums[AT_ONCE] = {0}, sum = {0};
    for (size_t k = 0; k + step <= count; k += step) {
        UNROLL for (size_t v = 0; v < AT_ONCE; v++) {
            sums[v] += load(from + k + v * VECTOR_WIDTH);
        }
    }
    UNROLL for (size_t v = 0; v < AT_ONCE; v++) {
        sum += sums[v];
    }
    return total(sum);
}

const peak_ukernels UKERNEL(peak) = {
    .operations = (size_t)2 * PEAK_ROWS * VECTORS * VECTOR_WIDTH,
    .multiply_add = multiply_add,
    .read = read_in_order,
};
