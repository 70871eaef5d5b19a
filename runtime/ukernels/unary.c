/* Functions of one element. Nothing is read past an operand's end: it may be that of a file. */
#include "runtime/ukernels/functions.h"
#include "runtime/ukernels/wide.h"

#define WIDTH ((size_t)VECTOR_WIDTH)

INLINE vector elu(vector x, vector alpha) {
    return choose(x < all(0), alpha * negative_expm1(x), x);
}

/* The product of the parameters is taken in twice the bits of an f32. */
INLINE vector selu(vector x, vector alpha, vector beta) {
    vector both = alpha * beta, low = residual(-both, alpha, beta), m = negative_expm1(x);
    return choose(x < all(0), both * m + low * m, beta * x);
}

/* alpha may be negative, and x / alpha is positive then. */
INLINE vector celu(vector x, vector alpha) {
    vector at = x / alpha;
    vector low = alpha * choose(at > all(0), v_exp(at) - all(1), negative_expm1(at));
    return choose(x > all(0), x, low);
}

/* NaN is not above alpha, and stays. */
INLINE vector thresholded(vector x, vector alpha) {
    return choose(x <= alpha, all(0), x);
}

INLINE vector shrink(vector x, vector alpha, vector beta) {
    vector low = choose(x < -alpha, x + beta, choose(x <= alpha, all(0), x));
    return choose((x > alpha) & ~(x < -alpha), x - beta, low);
}

/* x + 3 is exact near -3, where it is 0. */
INLINE vector hard_swish(vector x) {
    const vector sixth = all(1.0f / 6);
    vector part = choose(x < all(-1.5f), (x + all(3)) * sixth, x * sixth + all(0.5f));
    return x * clamp(part, all(0), all(1));
}

INLINE vector star_relu(vector x, vector alpha, vector beta) {
    vector positive = larger(all(0), x);
    return alpha * positive * positive + beta;
}

/* Rows of whole vectors: x, count, alpha, beta, y. */
typedef void whole_row(const float *, size_t, float, float, float *);

/* The same for any row: its last part goes through a vector of its own. */
static __attribute__((noinline)) void in_parts(whole_row *function, const float *x, size_t count,
                                               float alpha, float beta, float *y) {
    size_t whole = count / WIDTH * WIDTH;
    function(x, whole, alpha, beta, y);
    if (whole < count) {
        vector last = load_some(x + whole, count - whole);
        function((const float *)&last, WIDTH, alpha, beta, (float *)&last);
        store_some(y + whole, last, count - whole);
    }
}

/* The function is known when this is compiled. */
#define FUNCTION(name, result)                                                                     \
    static void name##_row(const float *from, size_t count, float a, float b, float *to) {         \
        const vector alpha = all(a), beta = all(b);                                                \
        (void)alpha, (void)beta;                                                                   \
        for (size_t k = 0; k < count; k += WIDTH) {                                                \
            vector x = load(from + k);                                                             \
            store(to + k, result);                                                                 \
        }                                                                                          \
    }
FUNCTION(clamp, clamp(x, alpha, beta))
FUNCTION(leaky_relu, choose(x < all(0), x *alpha, x))
FUNCTION(elu, elu(x, alpha))
FUNCTION(selu, selu(x, alpha, beta))
FUNCTION(celu, celu(x, alpha))
FUNCTION(sigmoid, v_sigmoid(x))
FUNCTION(hard_sigmoid, clamp(alpha *x + beta, all(0), all(1)))
FUNCTION(hard_swish, hard_swish(x))
FUNCTION(mish, v_mish(x))
FUNCTION(gelu_erf, v_gelu(x))
FUNCTION(gelu_tanh, v_gelu_tanh(x))
FUNCTION(tanh, v_tanh(x))
FUNCTION(softplus, v_softplus(x))
FUNCTION(softsign, x / (all(1) + absolute(x)))
FUNCTION(erf, v_erf(x))
FUNCTION(sqrt, v_sqrt(x))
FUNCTION(exp, v_exp(x))
FUNCTION(log, v_log(x))
FUNCTION(abs, absolute(x))
FUNCTION(neg, -x)
FUNCTION(reciprocal, all(1) / x)
FUNCTION(floor, v_floor(x))
FUNCTION(ceil, -v_floor(-x))
FUNCTION(round, v_round(x))
FUNCTION(sign, choose(x > all(0), all(1), choose(x < all(0), all(-1), x)))
FUNCTION(silu, v_silu(x))
FUNCTION(any_swish, v_swish(x, alpha))
FUNCTION(square, x *x)
FUNCTION(star_relu, star_relu(x, alpha, beta))
FUNCTION(rsqrt, all(1) / v_sqrt(x))
FUNCTION(thresholded_relu, thresholded(x, alpha))
FUNCTION(shrink, shrink(x, alpha, beta))

/* Those of wide.h, by halves of a vector. */
#define WIDE(name)                                                                                 \
    static void name##_row(const float *from, size_t count, float a, float b, float *to) {         \
        (void)a, (void)b;                                                                          \
        for (size_t k = 0; k < count; k += WIDE_LANES) {                                           \
            narrow(wide_##name(widen(from + k)), to + k);                                          \
        }                                                                                          \
    }
WIDE(asin)
WIDE(acos)
WIDE(atan)
WIDE(sinh)
WIDE(cosh)
WIDE(asinh)
WIDE(acosh)
WIDE(atanh)

/* Angles that no network has are left to the C library, one by one. */
SELDOM void far_angles(float (*function)(float), const float *x, float *y) {
    for (size_t l = 0; l < WIDE_LANES; l++) {
        y[l] = __builtin_fabsf(x[l]) > WIDE_ANGLE ? function(x[l]) : y[l];
    }
}

INLINE bool has_far_angle(const float *x) {
    float most = 0;
    UNROLL for (size_t l = 0; l < WIDE_LANES; l++) {
        most = __builtin_fabsf(x[l]) > most ? __builtin_fabsf(x[l]) : most;
    }
    return most > WIDE_ANGLE;
}

#define WIDE_OF_ANGLE(name)                                                                        \
    static void name##_row(const float *from, size_t count, float a, float b, float *to) {         \
        (void)a, (void)b;                                                                          \
        for (size_t k = 0; k < count; k += WIDE_LANES) {                                           \
            half_vector x = *(const half_vector *)(from + k);                                      \
            narrow(wide_##name(widen(from + k)), to + k);                                          \
            if (has_far_angle((const float *)&x)) {                                                \
                far_angles(name##f, (const float *)&x, to + k);                                    \
            }                                                                                      \
        }                                                                                          \
    }
WIDE_OF_ANGLE(sin)
WIDE_OF_ANGLE(cos)
WIDE_OF_ANGLE(tan)

static void swish_row(const float *from, size_t count, float a, float b, float *to) {
    (a == 1 ? silu_row : any_swish_row)(from, count, a, b, to);
}

#define UKERNEL_UNARY(NAME, name)                                                                  \
    void UKERNEL(unary_##name)(const float *x, size_t count, float alpha, float beta, float *y) {  \
        in_parts(name##_row, x, count, alpha, beta, y);                                            \
    }
EACH_UNARY(UKERNEL_UNARY)
