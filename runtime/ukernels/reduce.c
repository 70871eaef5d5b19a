/* Reductions of rows, along them and across. Sums are of blocks first, so that rounding grows with
 * a block's length and with their number, not with the product of both. */
#include "runtime/ukernels/vector.h"

#include <math.h>

#define WIDTH ((size_t)VECTOR_WIDTH)
#define BLOCK ((size_t)4096)    /* block along a row, in floats */
#define BLOCK_ROWS ((size_t)64) /* block across rows, in rows */

/* What is known of a reduction when it is compiled: the least is the largest of what has other
 * signs, and absolute values are what has none. */
typedef enum kind { SUM = 0, SQUARES, LARGEST } kind;

typedef struct signs {
    uint32_t kept, changed; /* bits of each element; the result's are changed back */
} signs;
static const signs own = {UINT32_MAX, 0}, none = {INT32_MAX, 0}, other = {UINT32_MAX, 1u << 31};

INLINE vector change(signs s, vector x) {
    return (vector)((bits)x ^ s.changed);
}

INLINE vector first_of(kind k) {
    return all(k == LARGEST ? -INFINITY : 0);
}

INLINE vector join(kind k, vector sum, vector v) {
    if (k == LARGEST) {
        return maximum(v, sum);
    }
    return sum + v;
}

INLINE vector term(kind k, signs s, vector x, vector shift) {
    if (k == LARGEST) {
        return change(s, x);
    }
    vector v = x - shift;
    if (k == SQUARES) {
        return v * v;
    }
    return (vector)((bits)v & s.kept);
}

/* Reduces a vector to one element. */
INLINE float across(kind k, vector v) {
    float lanes[VECTOR_WIDTH];
    if (k != LARGEST) {
        return sum_of(v);
    }
    store(lanes, v);
    ROLLED for (size_t l = 1; l < WIDTH; l++) {
        bool next = !(lanes[l] <= lanes[0]) && lanes[0] == lanes[0];
        lanes[0] = next ? lanes[l] : lanes[0];
    }
    return lanes[0];
}

/* Takes the part of a vector that is left, so that what is missing does not count. */
INLINE vector tail_of(kind k, signs s, const float *x, size_t count, vector shift) {
    vector missing = k == LARGEST ? change(s, first_of(k)) : shift;
    return term(k, s, load_over(missing, x, count), shift);
}

INLINE float block(kind k, signs s, const float *x, size_t count, vector shift) {
    vector sums[4] = {first_of(k), first_of(k), first_of(k), first_of(k)};
    size_t at = 0;
    for (; at + 4 * WIDTH <= count; at += 4 * WIDTH) {
        UNROLL for (size_t i = 0; i < 4; i++) {
            sums[i] = join(k, sums[i], term(k, s, load(x + at + i * WIDTH), shift));
        }
    }
    for (; at + WIDTH <= count; at += WIDTH) {
        sums[0] = join(k, sums[0], term(k, s, load(x + at), shift));
    }
    if (at < count) {
        sums[1] = join(k, sums[1], tail_of(k, s, x + at, count - at, shift));
    }
    return across(k, join(k, join(k, sums[0], sums[1]), join(k, sums[2], sums[3])));
}

INLINE double along(kind k, signs s, const float *x, size_t count, float shift) {
    double sum = (double)first_of(k)[0];
    for (size_t at = 0; at < count; at += BLOCK) {
        size_t some = count - at < BLOCK ? count - at : BLOCK;
        double v = (double)block(k, s, x + at, some, all(shift));
        if (k != LARGEST) {
            sum += v;
        } else if (sum == sum) {
            sum = v <= sum ? sum : v;
        }
    }
    return s.changed != 0 ? -sum : sum;
}

INLINE void across_rows(kind k, signs s, const float *x, size_t rows, size_t stride, size_t count,
                        const float *shift, float *y) {
    for (size_t c = 0; c < count; c += WIDTH) {
        size_t left = count - c;
        vector less = shift != NULL ? load_some(shift + c, left) : all(0);
        for (size_t first = 0; first < rows; first += BLOCK_ROWS) {
            size_t end = rows - first < BLOCK_ROWS ? rows : first + BLOCK_ROWS;
            vector sum = first_of(k);
            for (size_t r = first; r < end; r++) {
                sum = join(k, sum, term(k, s, load_some(x + r * stride + c, left), less));
            }
            sum = join(k, change(s, load_some(y + c, left)), sum);
            store_some(y + c, change(s, sum), left);
        }
    }
}

#define KIND(name, kind)                                                                           \
    APART double name##_along(signs s, const float *x, size_t count, float shift) {                \
        return along(kind, s, x, count, shift);                                                    \
    }                                                                                              \
    APART void name##_across(signs s, const float *x, size_t rows, size_t stride, size_t count,    \
                             const float *shift, float *y) {                                       \
        across_rows(kind, s, x, rows, stride, count, shift, y);                                    \
    }
KIND(adding, SUM)
KIND(squaring, SQUARES)
KIND(comparing, LARGEST)

#define REDUCTION(name, by, signs)                                                                 \
    static double name##_along(const float *x, size_t count, float shift) {                        \
        double result = by##_along(signs, x, count, shift);                                        \
        leave();                                                                                   \
        return result;                                                                             \
    }                                                                                              \
    static void name##_across(const float *x, size_t rows, size_t stride, size_t count,            \
                              const float *shift, float *y) {                                      \
        by##_across(signs, x, rows, stride, count, shift, y);                                      \
        leave();                                                                                   \
    }
REDUCTION(sum, adding, own)
REDUCTION(sum_abs, adding, none)
REDUCTION(sum_squares, squaring, own)
REDUCTION(max, comparing, own)
REDUCTION(min, comparing, other)

/* The variance is that of what is left when the mean is taken out, so that nothing cancels. */
void UKERNEL(layer_norm)(const layer_norm_rows *r) {
    const double share = 1 / (double)r->count;
    for (size_t row = 0; row < r->rows; row++) {
        const float *x = r->x + row * r->count;
        float *y = r->y + row * r->count;
        float mean = r->about_zero ? 0 : (float)(adding_along(own, x, r->count, 0) * share);
        double squares = squaring_along(own, x, r->count, mean);
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
    leave();
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
    leave();
}

const reduce_ukernels UKERNEL(reduce) = {
    .along = {sum_along, sum_abs_along, sum_squares_along, max_along, min_along},
    .across = {sum_across, sum_abs_across, sum_squares_across, max_across, min_across},
};
