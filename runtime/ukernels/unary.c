/* Functions of one element. Nothing is read past an operand's end: it may be that of a file. */
#include "runtime/ukernels/functions.h"

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
    vector low = alpha * choose(at > all(0), called_exp(at) - all(1), negative_expm1(at));
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

/* Rows of whole vectors. */
typedef void whole_row(const float *x, size_t count, float alpha, float beta, float *y);

/* The same for any row: its last part goes through a vector of its own. */
static __attribute__((noinline)) void in_parts(const float *x, size_t count, float alpha,
                                               float beta, float *y, whole_row *function) {
    size_t whole = count / WIDTH * WIDTH;
    function(x, whole, alpha, beta, y);
    if (whole < count) {
        vector last = load_some(x + whole, count - whole);
        function((const float *)&last, WIDTH, alpha, beta, (float *)&last);
        store_some(y + whole, last, count - whole);
    }
}

/* The function is known when this is compiled. */
#define ROW(name, result)                                                                          \
    static void name##_row(const float *from, size_t count, float a, float b, float *to) {         \
        const vector alpha = all(a), beta = all(b);                                                \
        (void)alpha, (void)beta;                                                                   \
        for (size_t k = 0; k < count; k += WIDTH) {                                                \
            vector x = load(from + k);                                                             \
            store(to + k, result);                                                                 \
        }                                                                                          \
    }
#define FUNCTION(name, result)                                                                     \
    ROW(name, result)                                                                              \
    void UKERNEL(unary_##name)(const float *x, size_t count, float alpha, float beta, float *y) {  \
        in_parts(x, count, alpha, beta, y, name##_row);                                            \
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
FUNCTION(square, x *x)
FUNCTION(star_relu, star_relu(x, alpha, beta))
FUNCTION(rsqrt, all(1) / v_sqrt(x))
FUNCTION(thresholded_relu, thresholded(x, alpha))
FUNCTION(shrink, shrink(x, alpha, beta))

ROW(silu, v_silu(x))
ROW(any_swish, v_swish(x, alpha))

void UKERNEL(unary_swish)(const float *x, size_t count, float alpha, float beta, float *y) {
    in_parts(x, count, alpha, beta, y, alpha == 1 ? silu_row : any_swish_row);
}

#ifdef OWN_PICK
APART vector far_gelu(vector x, vector near) {
    return choose(x < all(-GELU_PICKED), v_gelu(x), near);
}

/* Networks have next to no floats that far below 0. */
INLINE vector gelu(vector x) {
    vector near = picked_gelu(x);
    return any_below(x, all(-GELU_PICKED)) ? far_gelu(x, near) : near;
}
#else
#define gelu v_gelu
#endif
FUNCTION(gelu_erf, gelu(x))
