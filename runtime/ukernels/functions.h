/* Functions of vectors: exp, log and what is made of them. NaN gives NaN, an infinity what the
 * formula has there. tests/unit/test_unary.c holds each to its error over all floats, which is less
 * than 2 units in the last place. Below 1e-35 they may be 0.
 *
 * Polynomials have the least largest relative error over their range (Remez), coefficients rounded
 * to f32. exp and log split their arguments as Cody and Waite do; erf far from 0 is 1 - e^p(x).
 *
 * What networks compute often is made whole of one piece; others call what they have in common. */
#ifndef KILN_UKERNELS_FUNCTIONS_H
#define KILN_UKERNELS_FUNCTIONS_H

#include "runtime/ukernels/gelu.h"
#include "runtime/ukernels/vector.h"

/* |x| with the sign of `sign`. */
INLINE vector with_sign(vector x, vector sign) {
    return (vector)((mask)x | ((mask)sign & INT32_MIN));
}

/* Rounds to whole numbers, halves to even. From 2^23 on floats are whole already. */
INLINE vector v_round(vector x) {
    const vector whole = all(0x1p23f);
    vector a = absolute(x);
    return choose(a < whole, with_sign((a + whole) - whole, x), x);
}

INLINE vector v_floor(vector x) {
    vector r = v_round(x);
    return choose(r > x, r - all(1), r);
}

INLINE vector v_sqrt(vector x) {
    vector y;
    UNROLL for (size_t l = 0; l < VECTOR_WIDTH; l++) {
        y[l] = __builtin_sqrtf(x[l]);
    }
    return y;
}

/* coefficients[0] + coefficients[1] x + ... */
#define POLYNOMIAL(x, ...)                                                                         \
    polynomial(x, (const float[]){__VA_ARGS__},                                                    \
               sizeof((const float[]){__VA_ARGS__}) / sizeof(float))
INLINE vector polynomial(vector x, const float *coefficients, size_t count) {
    vector sum = all(coefficients[count - 1]);
    UNROLL for (size_t k = count - 1; k > 0; k--) {
        sum = sum * x + all(coefficients[k - 1]);
    }
    return sum;
}

/* x = n ln 2 + rest, |rest| at most half of ln 2. The sum with 1.5 * 2^23 rounds to a whole number,
 * and the product with the high part of ln 2, of 15 bits, is exact. */
typedef struct reduced {
    vector n, rest;
} reduced;

INLINE reduced reduce(vector x) {
    const vector magic = all(0x1.8p23f);
    vector n = (x * all(0x1.715476p0f) + magic) - magic;
    return (reduced){n, (x - n * all(0x1.62e4p-1f)) - n * all(0x1.7f7d1cp-20f)};
}

/* -x = rest - n ln 2 */
INLINE reduced reduce_minus(vector x) {
    const vector magic = all(0x1.8p23f);
    vector n = (x * all(0x1.715476p0f) + magic) - magic;
    return (reduced){n, (n * all(0x1.62e4p-1f) - x) + n * all(0x1.7f7d1cp-20f)};
}

/* e^rest - 1 of |rest| <= ln 2 / 2. */
INLINE vector small_expm1(vector rest) {
    vector q = POLYNOMIAL(rest, 0x1p-1f, 0x1.55552cp-3f, 0x1.555502p-5f, 0x1.1155aap-7f,
                          0x1.6d2e48p-10f, 0x1.3b8392p-13f);
    return rest + rest * rest * q;
}

/* The same where it is added to more than itself: its error is 2^-26 of it. */
INLINE vector added_expm1(vector rest) {
    vector q = POLYNOMIAL(rest, 0x1.fffffep-2f, 0x1.5554b0p-3f, 0x1.555674p-5f, 0x1.1227b0p-7f,
                          0x1.6bebf6p-10f);
    return rest + rest * rest * q;
}

/* e^(n ln 2 + rest), of n from -250 to 250. */
INLINE vector exp_of_reduced(reduced r) {
    return scale(POLYNOMIAL(r.rest, 1, 1, 0x1.fffffap-2f, 0x1.55540ap-3f, 0x1.55589ep-5f,
                            0x1.126dbep-7f, 0x1.6ab8cep-10f),
                 r.n);
}

/* 0 for x below -104, infinite above 89. */
INLINE vector v_exp(vector x) {
    return exp_of_reduced(reduce(clamp(x, all(-104), all(89))));
}

APART vector called_exp(vector x) {
    return v_exp(x);
}

/* e^x - 1 of x <= 0. */
APART vector negative_expm1(vector x) {
    reduced r = reduce(larger(all(-20), x));
    vector power = scale(all(1), r.n);
    return power * small_expm1(r.rest) + (power - all(1));
}

/* log(x) + low of a positive, finite and normal x; callers put right what it makes of others. */
APART vector log_of(vector x, vector low) {
    mask e = (mask)((bits)x - 0x3f3504f3u) >> 23; /* x = 2^e m, m from half of sqrt(2) on */
    vector f = (vector)((bits)x - ((bits)e << 23)) - all(1), s = f * f;
    vector n = __builtin_convertvector(e, vector);
    vector p = POLYNOMIAL(f, 0x1.555554p-2f, -0x1.000228p-2f, 0x1.99a036p-3f, -0x1.5470b6p-3f,
                          0x1.22d374p-3f, -0x1.0d9e5ap-3f, 0x1.059626p-3f, -0x1.385c48p-4f);
    vector tail = f * s * p + n * all(0x1.7f7d1cp-20f) - all(0.5f) * s + low;
    return n * all(0x1.62e4p-1f) + (f + tail);
}

INLINE vector v_log(vector x) {
    const vector infinity = all(__builtin_inff());
    mask tiny = x < all(0x1p-126f);
    vector y =
        log_of(choose(tiny, x * all(0x1p25f), x), choose(tiny, all(-25 * 0x1.62e43p-1f), all(0)));
    y = choose(x < infinity, y, x);
    y = choose(x == all(0), -infinity, y);
    return choose(x < all(0), all(__builtin_nanf("")), y);
}

/* log(1 + z) of z from 0 to 1: what 1 + z loses is given back. */
INLINE vector small_log1p(vector z) {
    vector u = all(1) + z;
    return log_of(u, (z - (u - all(1))) / u);
}

/* x / (1 + e^-(at + low)). Of e^-at = 2^-n (1 + m) the power is taken out of the fraction: x / (2^n
 * + m + 1) 2^n. Where m has an effect, its sum with 2^n rounds less than that with 1 does. */
INLINE vector times_sigmoid(vector x, vector at, vector low) {
    reduced r = reduce_minus(clamp(at, all(-104), all(87)));
    vector power = scale(all(1), r.n);
    return x / (all(1) + (power + added_expm1(r.rest - low))) * power;
}

APART vector called_times_sigmoid(vector x, vector at, vector low) {
    return times_sigmoid(x, at, low);
}

INLINE vector v_sigmoid(vector x) {
    return times_sigmoid(all(1), x, all(0));
}

INLINE vector v_silu(vector x) {
    return times_sigmoid(x, x, all(0));
}

INLINE vector v_swish(vector x, vector alpha) {
    vector at = alpha * x, low = residual(-at, alpha, x);
    return called_times_sigmoid(x, at, choose(absolute(at) < all(104), low, all(0)));
}

INLINE vector v_tanh(vector x) {
    vector a = absolute(x), s = x * x;
    vector near = x + x * s *
                          POLYNOMIAL(s, -0x1.555532p-2f, 0x1.1106f6p-3f, -0x1.b835a4p-5f,
                                     0x1.51f8cep-6f, -0x1.750ce4p-8f);
    vector far = all(1) - all(2) / (all(1) + called_exp(a + a));
    return choose(a < all(0.625f), near, with_sign(far, x));
}

INLINE vector v_softplus(vector x) {
    return larger(all(0), x) + small_log1p(called_exp(-absolute(x)));
}

/* x tanh(softplus(x)) = x over / (over + 2) with over = e^x (e^x + 2). That is x from 20 on. */
INLINE vector v_mish(vector x) {
    vector c = clamp(x, all(-104), all(20));
    reduced r = reduce(c);
    vector power = scale(all(1), r.n), m = small_expm1(r.rest);
    vector e = power + power * m, e_low = power * m - (e - power);
    vector over = all(2) * e + e * e;
    vector low = e * e - (over - all(2) * e) + all(2) * (e + all(1)) * e_low;
    vector below = over + all(2);
    vector below_low = smaller(over, all(2)) - (below - larger(over, all(2)));
    vector inverse = all(1) / below, part = c * inverse;
    vector off = residual(all(1), -below, inverse) - below_low * inverse;
    vector n = over + (over * off + low * (all(2) * inverse));
    return x * inverse * n + residual(-part, c, inverse) * n;
}

INLINE vector v_erf(vector x) {
    vector a = absolute(x), s = x * x;
    vector near = x + x * POLYNOMIAL(s, 0x1.06eba6p-3f, -0x1.8126eap-2f, 0x1.ce1b0ep-4f,
                                     -0x1.b69390p-6f, 0x1.476886p-8f, -0x1.3ac5bcp-11f);
    vector c = smaller(all(4), a);
    vector far = all(1) - called_exp(POLYNOMIAL(c, -0x1.5d1570p-13f, -0x1.20b752p+0f,
                                                -0x1.4621b8p-1f, -0x1.aa7342p-4f, 0x1.6d9d4ap-6f,
                                                -0x1.91ce82p-9f, 0x1.9fb7b6p-13f));
    return choose(a < all(0.92f), near, with_sign(far, x));
}

/* x times the normal distribution's part below x. Near 0 that is x (1/2 + x p(x^2)). Farther, the
 * part below -u is e^(-u^2 / 2) R(u), and x is less by u R(u) e^(...) where x > 0. As u R(u) is
 * 0.3087 at 1.5 and never far from it, the sum of that constant and of what is small, of which
 * roundings matter less, begins with the least: (0.3087 + h)(1 + m) 2^n = (0.3087 + (h + (0.3087 +
 * h) m)) 2^n. h is a polynomial of (u - 1.5) / (u + 3), in which u - 1.5 is exact nearby. m is e^(r
 * / 2) - 1 with r = -u^2 - 2 n ln 2, to which the square's rounding is given back; n is in the last
 * bits of its sum with 1.5 * 2^23, and no result is so small that a sum with the exponent's bits
 * would not do. The last product makes no number of -infinity, as the formula does. */
INLINE vector v_gelu(vector x) {
    const vector middle = all(0x1.3c1440p-2f), magic = all(0x1.8p23f);
    vector u = smaller(all(12.75f), absolute(x)), s = u * u, negative = smaller(all(0), x);
    vector near = all(0.5f) * x + s * POLYNOMIAL(s, 0x1.98844ap-2f, -0x1.1053b4p-4f, 0x1.45ac4ap-7f,
                                                 -0x1.1b22b4p-10f);
    vector h = POLYNOMIAL((u - all(1.5f)) / (u + all(3)), 0x1.5ff1a8p-28f, 0x1.44483cp-2f,
                          -0x1.c52194p-2f, 0x1.2fa432p-2f, -0x1.000894p-4f, -0x1.2a0722p-5f,
                          0x1.b7d770p-7f, 0x1.52d7dep-7f, -0x1.5c52ecp-8f);
    vector sum = s * all(-0x1.715476p-1f) + magic, n = sum - magic;
    vector r = (n * all(-0x1.62e4p0f) - s) + (n * all(-0x1.7f7d1cp-19f) - residual(-s, u, u));
    vector m = r * POLYNOMIAL(r, 0.5f, 0x1.fffffep-4f, 0x1.5554b0p-6f, 0x1.555674p-9f,
                              0x1.1227b0p-12f, 0x1.6bebf6p-16f);
    vector part = middle + (h + (middle + h) * m);
    part = (vector)((bits)part + ((bits)sum << 23));
    vector far = (larger(all(0), x) + all(0) * negative) - part;
    return choose(u < all(0.65f), near, far);
}

#ifdef OWN_PICK
#define GELU_PICKED 6.12f

/* The same of x from -GELU_PICKED on, in half the time: x less by u P(u) where x > 0, else -u P(u),
 * from a table (gelu.h). */
INLINE vector picked_gelu(vector x) {
    vector u = smaller(all(GELU_PICKED), absolute(x));
    bits piece = (bits)(u * (u * all(0.25f) + all(1)) + all(0x1.8p23f));
    vector r = u - pick(gelu_pieces[0], piece), sum = pick(gelu_pieces[8], piece);
    UNROLL for (size_t k = 7; k > 0; k--) {
        sum = sum * r + pick(gelu_pieces[k], piece);
    }
    return larger(all(0), x) - sum;
}
#endif

/* x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2 = x sigmoid(x (a + b x^2)), the argument in
 * twice the bits of an f32. The first part of a has 12, so that sums with it lose nothing. */
INLINE vector v_gelu_tanh(vector x) {
    const vector a = all(1.595703125f), a_low = all(6.59966057e-5f);
    const vector b = all(0x1.2444f2p-4f), b_low = all(2.39883e-9f);
    vector c = clamp(x, all(-10.7f), all(9.8f)), s = c * c, p = b * s, q = a + p;
    vector q_low =
        p - (q - a) + (residual(-p, b, s) + (b * residual(-s, c, c) + (b_low * s + a_low)));
    vector at = c * q;
    return called_times_sigmoid(x, at, residual(-at, c, q) + c * q_low);
}
#endif
