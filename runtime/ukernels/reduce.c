/* Reductions of rows, along them and across. Sums are of blocks first, so that rounding grows with
 * a block's length and with their number, not with the product of both. */
#include "runtime/ukernels/vector.h"

#include <math.h>

#define WIDTH ((size_t)VECTOR_WIDTH)
#define BLOCK ((size_t)4096)    /* block along a row, in floats */
#define BLOCK_ROWS ((size_t)64) /* block across rows, in rows */

INLINE vector first_of(reduce_op op) {
    return op == REDUCE_MAX ? all(-INFINITY) : op == REDUCE_MIN ? all(INFINITY) : all(0);
}

INLINE vector join(reduce_op op, vector sum, vector v) {
    switch (op) {
    case REDUCE_MAX:
        return maximum(v, sum);
    case REDUCE_MIN:
        return minimum(v, sum);
    default:
        return sum + v;
    }
}

INLINE vector term(reduce_op op, vector x, vector shift) {
    vector v = x - shift;
    switch (op) {
    case REDUCE_SUM:
        return v;
    case REDUCE_SUM_ABS:
        return absolute(v);
    case REDUCE_SUM_SQUARES:
        return v * v;
    default:
        return x;
    }
}

/* Reduces a vector to one element. */
INLINE float across(reduce_op op, vector v) {
    float lanes[VECTOR_WIDTH];
    if (op <= REDUCE_SUM_SQUARES) {
        return sum_of(v);
    }
    store(lanes, v);
    ROLLED for (size_t l = 1; l < WIDTH; l++) {
        bool second = op == REDUCE_MAX ? !(lanes[l] <= lanes[0]) : !(lanes[l] >= lanes[0]);
        lanes[0] = second && lanes[0] == lanes[0] ? lanes[l] : lanes[0];
    }
    return lanes[0];
}

/* Takes the part of a vector that is left, so that what is missing does not count. */
INLINE vector tail_of(reduce_op op, const float *x, size_t count, vector shift) {
    return term(op, load_over(op <= REDUCE_SUM_SQUARES ? shift : first_of(op), x, count), shift);
}

INLINE float block(reduce_op op, const float *x, size_t count, vector shift) {
    vector sums[4] = {first_of(op), first_of(op), first_of(op), first_of(op)};
    size_t k = 0;
    for (; k + 4 * WIDTH <= count; k += 4 * WIDTH) {
        UNROLL for (size_t s = 0; s < 4; s++) {
            sums[s] = join(op, sums[s], term(op, load(x + k + s * WIDTH), shift));
        }
    }
    for (; k + WIDTH <= count; k += WIDTH) {
        sums[0] = join(op, sums[0], term(op, load(x + k), shift));
    }
    if (k < count) {
        sums[1] = join(op, sums[1], tail_of(op, x + k, count - k, shift));
    }
    return across(op, join(op, join(op, sums[0], sums[1]), join(op, sums[2], sums[3])));
}

INLINE double along(reduce_op op, const float *x, size_t count, float shift) {
    double sum = (double)first_of(op)[0];
    for (size_t k = 0; k < count; k += BLOCK) {
        size_t some = count - k < BLOCK ? count - k : BLOCK;
        double v = (double)block(op, x + k, some, all(shift));
        if (op <= REDUCE_SUM_SQUARES) {
            sum += v;
        } else if (sum == sum) {
            bool stays = op == REDUCE_MAX ? v <= sum : v >= sum;
            sum = stays ? sum : v;
        }
    }
    return sum;
}

INLINE void across_rows(reduce_op op, const float *x, size_t rows, size_t stride, size_t count,
                        const float *shift, float *y) {
    for (size_t c = 0; c < count; c += WIDTH) {
        size_t left = count - c;
        vector less = shift != NULL ? load_some(shift + c, left) : all(0);
        for (size_t first = 0; first < rows; first += BLOCK_ROWS) {
            size_t end = rows - first < BLOCK_ROWS ? rows : first + BLOCK_ROWS;
            vector sum = first_of(op);
            for (size_t r = first; r < end; r++) {
                sum = join(op, sum, term(op, load_some(x + r * stride + c, left), less));
            }
            store_some(y + c, join(op, load_some(y + c, left), sum), left);
        }
    }
}

#define REDUCTION(name, op)                                                                        \
    APART double name##_along(const float *x, size_t count, float shift) {                         \
        return along(op, x, count, shift);                                                         \
    }                                                                                              \
    static void name##_across(const float *x, size_t rows, size_t stride, size_t count,            \
                              const float *shift, float *y) {                                      \
        across_rows(op, x, rows, stride, count, shift, y);                                         \
    }
REDUCTION(sum, REDUCE_SUM)
REDUCTION(sum_abs, REDUCE_SUM_ABS)
REDUCTION(sum_squares, REDUCE_SUM_SQUARES)
REDUCTION(max, REDUCE_MAX)
REDUCTION(min, REDUCE_MIN)

/* The variance is that of what is left when the mean is taken out, so that nothing cancels. */
void UKERNEL(layer_norm)(const layer_norm_rows *r) {
    const double share = 1 / (double)r->count;
    for (size_t row = 0; row < r->rows; row++) {
        const float *x = r->x + row * r->count;
        float *y = r->y + row * r->count;
        float mean = r->about_zero ? 0 : (float)(along(REDUCE_SUM, x, r->count, 0) * share);
        double squares = along(REDUCE_SUM_SQUARES, x, r->count, mean);
        float inverse = (float)(1 / sqrt(squares * share + (double)r->epsilon));
        const vector m = all(mean), f = all(inverse);
        for (size_t k = 0; k < r->count; k += WIDTH) {
            size_t left = r->count - k;
            vector v = (load_some(x + k, left) - m) * f * load_some(r->scale + k, left);
            v += r->bias != NULL ? load_some(r->bias + k, left) : all(0);
            store_some(y + k, v, left);
        }
        if (r->mean != NULL) {
            r->mean[row] = mean;
        }
        if (r->inverse != NULL) {
            r->inverse[row] = inverse;
        }
    }
}

void UKERNEL(scale_shift)(const float *x, size_t rows, size_t count, const float *mean,
                          const float *factor, const float *bias, float *y) {
    for (size_t r = 0; r < rows; r++) {
        for (size_t k = 0; k < count; k += WIDTH) {
            size_t left = count - k, at = r * count + k;
            vector v = load_some(x + at, left) - load_some(mean + k, left);
            v = v * load_some(factor + k, left) + load_some(bias + k, left);
            store_some(y + at, v, left);
        }
    }
}

const reduce_ukernels UKERNEL(reduce) = {
    .along = {sum_along, sum_abs_along, sum_squares_along, max_along, min_along},
    .across = {sum_across, sum_abs_across, sum_squares_across, max_across, min_across},
};
