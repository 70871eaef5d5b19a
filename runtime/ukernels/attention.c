/* What attention does between its two products: scores become weights, and results are divided by
 * the sums of these. */
#include "runtime/ukernels/functions.h"

#include <math.h>

#define WIDTH ((size_t)VECTOR_WIDTH)

/* scale x + bias + mask, where there are those. */
INLINE vector score(const attention_rows *r, size_t row, size_t k) {
    size_t left = r->count - k;
    vector x = load(r->scores + row * r->stride + k) * all(r->scale);
    if (r->bias != NULL) {
        x += load_some(r->bias + row * r->bias_step + k, left);
    }
    if (r->mask != NULL) {
        x += load_some(r->mask + row * r->mask_step + k, left);
    }
    return x;
}

/* What a row lacks of a whole vector counts neither for the maximum nor for the sum. */
INLINE vector without_rest(vector x, size_t left) {
    float lanes[2 * VECTOR_WIDTH];
    if (left >= WIDTH) {
        return x;
    }
    store(lanes, x);
    return load_over(all(-INFINITY), lanes, left);
}

APART vector largest_of(vector v) {
    float lanes[VECTOR_WIDTH];
    store(lanes, v);
    UNROLL for (size_t half = WIDTH / 2; half > 0; half /= 2) {
        UNROLL for (size_t l = 0; l < half; l++) {
            lanes[l] = lanes[l] > lanes[l + half] ? lanes[l] : lanes[l + half];
        }
    }
    return all(lanes[0]);
}

/* Computes the scores of a row, and returns the largest. */
INLINE vector score_row(const attention_rows *shared, size_t row) {
    const attention_rows copy = *shared, *r = &copy; /* which no store can change */
    float *x = r->scores + row * r->stride;
    vector most = all(-INFINITY);
    for (size_t k = 0; k < r->count; k += WIDTH) {
        vector v = without_rest(score(r, row, k), r->count - k);
        store(x + k, v);
        most = larger(most, v);
    }
    return largest_of(most);
}

/* The largest element is taken out, so that no exponential overflows. Where it is NaN, or not
 * finite, so is the sum, as the formula's. */
static void weights(const attention_rows *r) {
    for (size_t row = 0; row < r->rows; row++) {
        float *x = r->scores + row * r->stride;
        vector sum = all(0), most = score_row(r, row);
        for (size_t k = 0; k < r->count; k += WIDTH) {
            vector e = v_exp(load(x + k) - most);
            store(x + k, e);
            sum += e;
        }
        r->sums[row] = sum_of(sum);
    }
}

static void divide(float *y, size_t rows, size_t count, size_t stride, const float *sums) {
    for (size_t row = 0; row < rows; row++) {
        float *to = y + row * stride;
        vector factor = all(1 / sums[row]);
        size_t k = 0;
        for (; k + WIDTH <= count; k += WIDTH) {
            store(to + k, load(to + k) * factor);
        }
        if (k < count) {
            store_some(to + k, load_some(to + k, count - k) * factor, count - k);
        }
    }
}

const attention_ukernels UKERNEL(attention) = {.weights = weights, .divide = divide};
