/* Softmax, of a row or of columns side by side. The largest element is taken out, so that no exp
 * overflows; a NaN or +infinity makes NaN of all, as the formula does. */
#include "runtime/ukernels/functions.h"

#include <math.h>

#define WIDTH ((size_t)VECTOR_WIDTH)

INLINE float sum_of(vector v) {
    float lanes[VECTOR_WIDTH];
    store(lanes, v);
    UNROLL for (size_t half = WIDTH / 2; half > 0; half /= 2) {
        UNROLL for (size_t l = 0; l < half; l++) {
            lanes[l] += lanes[l + half];
        }
    }
    return lanes[0];
}

/* Returns the sum of e^(x - largest), and stores each of these to y unless that is NULL. */
INLINE float exponentials(const float *x, size_t count, vector largest, float *y) {
    vector sum = all(0);
    size_t k = 0;
    for (; k + WIDTH <= count; k += WIDTH) {
        vector e = v_exp(load(x + k) - largest);
        sum += e;
        if (y != NULL) {
            store(y + k, e);
        }
    }
    float total = sum_of(sum), last[VECTOR_WIDTH];
    store(last, v_exp(load_some(x + k, count - k) - largest));
    for (size_t l = 0; l < count - k; l++) {
        total += last[l];
        if (y != NULL) {
            y[k + l] = last[l];
        }
    }
    return total;
}

static void softmax_row(const float *x, size_t count, float *y) {
    vector largest = all((float)UKERNEL(reduce).along[REDUCE_MAX](x, count, 0));
    vector factor = all(1 / exponentials(x, count, largest, y));
    for (size_t k = 0; k < count; k += WIDTH) {
        store_some(y + k, load_some(y + k, count - k) * factor, count - k);
    }
}

static void log_softmax_row(const float *x, size_t count, float *y) {
    vector largest = all((float)UKERNEL(reduce).along[REDUCE_MAX](x, count, 0));
    vector lost = v_log(all(exponentials(x, count, largest, NULL)));
    for (size_t k = 0; k < count; k += WIDTH) {
        store_some(y + k, load_some(x + k, count - k) - largest - lost, count - k);
    }
}

/* Computes a vector of columns. */
INLINE void softmax_some(bool logarithm, const float *x, size_t size, size_t stride, size_t columns,
                         float *y) {
    vector largest = all(-INFINITY), sum = all(0);
    for (size_t k = 0; k < size; k++) {
        largest = maximum(load_some(x + k * stride, columns), largest);
    }
    for (size_t k = 0; k < size; k++) {
        vector e = v_exp(load_some(x + k * stride, columns) - largest);
        sum += e;
        if (!logarithm) {
            store_some(y + k * stride, e, columns);
        }
    }
    vector factor = all(1) / sum, lost = logarithm ? v_log(sum) : sum;
    for (size_t k = 0; k < size; k++) {
        vector v = logarithm ? load_some(x + k * stride, columns) - largest - lost
                             : load_some(y + k * stride, columns) * factor;
        store_some(y + k * stride, v, columns);
    }
}

static void softmax_columns(const float *x, size_t size, size_t stride, size_t columns, float *y) {
    for (size_t c = 0; c < columns; c += WIDTH) {
        softmax_some(false, x + c, size, stride, columns - c, y + c);
    }
}

static void log_softmax_columns(const float *x, size_t size, size_t stride, size_t columns,
                                float *y) {
    for (size_t c = 0; c < columns; c += WIDTH) {
        softmax_some(true, x + c, size, stride, columns - c, y + c);
    }
}

const softmax_ukernels UKERNEL(softmax) = {.row = {softmax_row, log_softmax_row},
                                           .columns = {softmax_columns, log_softmax_columns}};
