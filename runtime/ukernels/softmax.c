/* Softmax, of a row or of columns side by side. The largest element is taken out, so that no exp
 * overflows; a NaN or +infinity makes NaN of all, as the formula does. */
#include "runtime/ukernels/functions.h"

#include <math.h>

#define WIDTH ((size_t)VECTOR_WIDTH)

/* A vector of a row of `count`; what is missing counts neither for the maximum nor for the sum. */
INLINE vector part_of(const float *x, size_t count) {
    return load_over(all(-INFINITY), x, count);
}

/* The largest of a row. A NaN may be lost here: its own exponential then makes the sum one. */
APART vector largest_of(const float *x, size_t count) {
    vector most[2] = {part_of(x, count), all(-INFINITY)};
    float lanes[VECTOR_WIDTH];
    size_t k = WIDTH;
    for (; k + 2 * WIDTH <= count; k += 2 * WIDTH) {
        UNROLL for (size_t s = 0; s < 2; s++) {
            most[s] = larger(most[s], load(x + k + s * WIDTH));
        }
    }
    for (; k < count; k += WIDTH) {
        most[1] = larger(most[1], part_of(x + k, count - k));
    }
    store(lanes, larger(most[0], most[1]));
    UNROLL for (size_t half = WIDTH / 2; half > 0; half /= 2) {
        UNROLL for (size_t l = 0; l < half; l++) {
            lanes[l] = lanes[l] > lanes[l + half] ? lanes[l] : lanes[l + half];
        }
    }
    return all(lanes[0]);
}

/* Returns sums of e^(x - largest), a lane for each of a vector's columns, and stores each of these
 * to y unless that is NULL. */
APART vector exponentials(const float *x, size_t count, vector largest, float *y) {
    vector sum = all(0);
    for (size_t k = 0; k < count; k += WIDTH) {
        vector e = v_exp(part_of(x + k, count - k) - largest);
        sum += e;
        if (y != NULL) {
            store_some(y + k, e, count - k);
        }
    }
    return sum;
}

static void softmax_row(const float *x, size_t count, float *y) {
    vector factor = all(1 / sum_of(exponentials(x, count, largest_of(x, count), y)));
    for (size_t k = 0; k < count; k += WIDTH) {
        store_some(y + k, load_some(y + k, count - k) * factor, count - k);
    }
    leave();
}

static void log_softmax_row(const float *x, size_t count, float *y) {
    vector largest = largest_of(x, count);
    vector lost = v_log(all(sum_of(exponentials(x, count, largest, NULL))));
    for (size_t k = 0; k < count; k += WIDTH) {
        store_some(y + k, load_some(x + k, count - k) - largest - lost, count - k);
    }
    leave();
}

/* Computes a vector of columns. */
APART void softmax_some(bool logarithm, const float *x, size_t size, size_t stride, size_t columns,
                        float *y) {
    vector largest = all(-INFINITY), sum = all(0);
    for (size_t k = 0; k < size; k++) {
        largest = larger(largest, load_some(x + k * stride, columns));
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

/* Lanes that are a multiple of `width` apart become what they are together. */
INLINE vector gathered(bool sum, vector v, size_t width) {
    for (size_t half = WIDTH / 2; half >= width; half /= 2) {
        float lanes[VECTOR_WIDTH];
        vector other;
        store(lanes, v);
        UNROLL for (size_t l = 0; l < WIDTH; l++) {
            other[l] = lanes[l ^ half];
        }
        if (sum) {
            v += other;
        } else {
            v = larger(v, other);
        }
    }
    return v;
}

/* Computes all columns of a matrix so narrow that a vector holds some of its rows. */
static void softmax_narrow(const float *x, size_t size, size_t width, float *y) {
    vector largest = all(-INFINITY);
    size_t count = size * width;
    for (size_t k = 0; k < count; k += WIDTH) {
        largest = larger(largest, part_of(x + k, count - k));
    }
    largest = gathered(false, largest, width);
    vector factor = all(1) / gathered(true, exponentials(x, count, largest, y), width);
    for (size_t k = 0; k < count; k += WIDTH) {
        store_some(y + k, load_some(y + k, count - k) * factor, count - k);
    }
    leave();
}

static void softmax_columns(const float *x, size_t size, size_t stride, size_t columns, float *y) {
    if (columns == stride && columns <= WIDTH / 2 && WIDTH % columns == 0) {
        softmax_narrow(x, size, columns, y);
        return;
    }
    for (size_t c = 0; c < columns; c += WIDTH) {
        softmax_some(false, x + c, size, stride, columns - c, y + c);
    }
    leave();
}

static void log_softmax_columns(const float *x, size_t size, size_t stride, size_t columns,
                                float *y) {
    for (size_t c = 0; c < columns; c += WIDTH) {
        softmax_some(true, x + c, size, stride, columns - c, y + c);
    }
    leave();
}

const softmax_ukernels UKERNEL(softmax) = {.row = {softmax_row, log_softmax_row},
                                           .columns = {softmax_columns, log_softmax_columns}};
