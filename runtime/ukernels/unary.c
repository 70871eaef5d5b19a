/* Functions of one element. Nothing is read past an operand's end: it may be that of a file. */
#include "runtime/ukernels/functions.h"
#include "runtime/ukernels/wide.h"

#define WIDTH ((size_t)VECTOR_WIDTH)

INLINE vector elu(vector x, vector alpha) {
    return choose(x < all(0), alpha * negative_expm1(x), x);
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
FUNCTION(selu, beta *elu(x, alpha))
FUNCTION(celu, celu(x, alpha))
FUNCTION(sigmoid, v_sigmoid(x))
FUNCTION(hard_sigmoid, clamp(alpha *x + beta, all(0), all(1)))
FUNCTION(hard_swish, x *clamp(x *all(1.0f / 6) + all(0.5f), all(0), all(1)))
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
FUNCTION(silu, times_sigmoid(x, x))
FUNCTION(any_swish, times_sigmoid(x, alpha *x))
FUNCTION(square, x *x)
FUNCTION(thresholded_relu, thresholded(x, alpha))
FUNCTION(shrink, shrink(x, alpha, beta))
FUNCTION(sin, v_sin(x))
FUNCTION(cos, v_cos(x))
FUNCTION(tan, v_tan(x))
FUNCTION(asin, v_asin(x))
FUNCTION(acos, v_acos(x))
FUNCTION(atan, v_atan(x))
FUNCTION(sinh, v_sinh(x))
FUNCTION(cosh, v_cosh(x))
FUNCTION(asinh, v_asinh(x))
FUNCTION(acosh, v_acosh(x))
FUNCTION(atanh, v_atanh(x))

static void swish_row(const float *from, size_t count, float a, float b, float *to) {
    (a == 1 ? silu_row : any_swish_row)(from, count, a, b, to);
}

#define UKERNEL_UNARY(NAME, name)                                                                  \
    void UKERNEL(unary_##name)(const float *x, size_t count, float alpha, float beta, float *y) {  \
        in_parts(name##_row, x, count, alpha, beta, y);                                            \
    }
EACH_UNARY(UKERNEL_UNARY)
