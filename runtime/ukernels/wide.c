/* Functions that networks seldom have, and powers: computed in double precision, by halves of a
 * vector, so that plain series are near enough: results are at most 0.51 units in the last place of
 * an f32 off. NaN gives NaN, an infinity what the function has there; tests/unit/test_unary.c and
 * test_powers.c hold them to that. What several are made of is compiled once, and called. */
#include "runtime/ukernels/wide.h"

#include <math.h>

#define WIDE_LANES (VECTOR_WIDTH / 2)
#define WIDE_MAGIC                                                                                 \
    0x1.8p52 /* sums with it are rounded to whole numbers, which are their low bits */

typedef double wide
    __attribute__((vector_size(WIDE_LANES * sizeof(double)), aligned(4), may_alias));
typedef int64_t wide_mask __attribute__((vector_size(WIDE_LANES * sizeof(double))));
typedef uint64_t wide_bits __attribute__((vector_size(WIDE_LANES * sizeof(double))));
typedef float half_vector
    __attribute__((vector_size(WIDE_LANES * sizeof(float)), aligned(4), may_alias));

INLINE wide wide_all(double value) {
    return value - (wide){0};
}

INLINE wide wide_choose(wide_mask m, wide yes, wide no) {
    return (wide)((m & (wide_mask)yes) | (~m & (wide_mask)no));
}

INLINE wide_mask wide_is_number(wide x) {
    return x == x; /* NOLINT(misc-redundant-expression): not of NaN */
}

INLINE wide wide_absolute(wide x) {
    return (wide)((wide_mask)x & INT64_MAX);
}

INLINE wide wide_with_sign(wide x, wide sign) {
    return (wide)((wide_mask)x | ((wide_mask)sign & INT64_MIN));
}

INLINE wide wide_sqrt(wide x) {
    wide y;
    UNROLL for (size_t l = 0; l < WIDE_LANES; l++) {
        y[l] = __builtin_sqrt(x[l]);
    }
    return y;
}

INLINE wide widen(const float *from) {
    return __builtin_convertvector(*(const half_vector *)from, wide);
}

INLINE void narrow(wide x, float *to) {
    *(half_vector *)to = __builtin_convertvector(x, half_vector);
}

#define WIDE_SERIES(x, ...)                                                                        \
    wide_series(x, (const double[]){__VA_ARGS__},                                                  \
                sizeof((const double[]){__VA_ARGS__}) / sizeof(double))
INLINE wide wide_series(wide x, const double *coefficients, size_t count) {
    wide sum = wide_all(coefficients[count - 1]);
    UNROLL for (size_t k = count - 1; k > 0; k--) {
        sum = sum * x + coefficients[k - 1];
    }
    return sum;
}

/* ---- Exponential and logarithm ------------------------------------------------------------- */

/* e^x, of x from -700 to 700; others are taken for the nearest of these. */
APART wide wide_exp(wide x) {
    x = wide_choose(x < wide_all(-700), wide_all(-700), x);
    x = wide_choose(x > wide_all(700), wide_all(700), x);
    wide shifted = x * 1.4426950408889634 + WIDE_MAGIC, n = shifted - WIDE_MAGIC;
    wide r = (x - n * 0x1.62e42fefap-1) - n * 0x1.cf79abc9e3b3ap-40;
    wide power = (wide)(((wide_bits)shifted + 1023) << 52);
    return power * WIDE_SERIES(r, 1, 1, 1.0 / 2, 1.0 / 6, 1.0 / 24, 1.0 / 120, 1.0 / 720,
                               1.0 / 5040, 1.0 / 40320, 1.0 / 362880, 1.0 / 3628800);
}

/* The logarithm, of what is not negative and 0 or normal in double precision, as all of f32 is. */
APART wide wide_log(wide x) {
    const uint64_t bias = 1024;
    wide_bits above = (wide_bits)x - 0x3fe6a09e667f3bcdull + (bias << 52);
    wide_bits e = (above >> 52) - bias; /* x = 2^e m, m from half of sqrt(2) on */
    wide m = (wide)((wide_bits)x - (e << 52));
    wide n = (wide)(e + (wide_bits)wide_all(WIDE_MAGIC)) - WIDE_MAGIC;
    wide s = (m - 1) / (m + 1), z = s * s;
    wide y =
        n * 0.6931471805599453 +
        2 * s * WIDE_SERIES(z, 1, 1.0 / 3, 1.0 / 5, 1.0 / 7, 1.0 / 9, 1.0 / 11, 1.0 / 13, 1.0 / 15);
    y = wide_choose(x == wide_all(0), wide_all(-INFINITY), y);
    y = wide_choose(x < wide_all(INFINITY), y, x);
    return wide_choose(x >= wide_all(0), y, wide_all(NAN));
}

/* ---- Angles -------------------------------------------------------------------------------- */

#define WIDE_ANGLE                                                                                 \
    0x1p20f /* beyond, the C library reduces angles, by all bits of pi that count                  \
             */

/* x = n pi/2 + rest, with n in the low bits of `quarters`. */
typedef struct wide_angle {
    wide_bits quarters;
    wide rest;
} wide_angle;

INLINE wide_angle wide_reduce(wide x) {
    wide shifted = x * 0.6366197723675814 + WIDE_MAGIC, n = shifted - WIDE_MAGIC;
    return (wide_angle){(wide_bits)shifted, (x - n * 0x1.921fb544p+0) - n * 0x1.0b4611a626331p-34};
}

INLINE wide wide_small_sin(wide r) {
    wide z = r * r;
    return r + r * z *
                   WIDE_SERIES(z, -1.0 / 6, 1.0 / 120, -1.0 / 5040, 1.0 / 362880, -1.0 / 39916800,
                               1.0 / 6227020800);
}

INLINE wide wide_small_cos(wide r) {
    return WIDE_SERIES(r * r, 1, -1.0 / 2, 1.0 / 24, -1.0 / 720, 1.0 / 40320, -1.0 / 3628800,
                       1.0 / 479001600, -1.0 / 87178291200);
}

/* The sine of an angle that is so many quarters further. */
APART wide wide_sine(wide x, uint64_t further) {
    wide_angle a = wide_reduce(x);
    wide_bits n = a.quarters + further;
    wide_mask odd = (wide_mask)(0 - (n & 1));
    wide y = wide_choose(odd, wide_small_cos(a.rest), wide_small_sin(a.rest));
    return (wide)((wide_bits)y ^ (n >> 1 << 63));
}

static wide wide_sin(wide x) {
    return wide_choose(x == 0, x, wide_sine(x, 0)); /* -0 stays */
}

static wide wide_cos(wide x) {
    return wide_sine(x, 1);
}

static wide wide_tan(wide x) {
    return wide_choose(x == 0, x, wide_sine(x, 0) / wide_sine(x, 1));
}

/* Of x >= 0: by the angle's distance from 0, from pi/4 or from pi/2. */
APART wide wide_positive_atan(wide x) {
    wide_mask far = x > 2.414213562373095, near = x <= 0.41421356237309503;
    wide u = wide_choose(far, -1 / x, wide_choose(near, x, (x - 1) / (x + 1)));
    wide from = wide_choose(far, wide_all(1.5707963267948966),
                            wide_choose(near, wide_all(0), wide_all(0.7853981633974483)));
    wide z = u * u;
    wide tail = u * z *
                WIDE_SERIES(z, -1.0 / 3, 1.0 / 5, -1.0 / 7, 1.0 / 9, -1.0 / 11, 1.0 / 13, -1.0 / 15,
                            1.0 / 17, -1.0 / 19, 1.0 / 21, -1.0 / 23, 1.0 / 25, -1.0 / 27);
    return from + (u + tail);
}

static wide wide_atan(wide x) {
    return wide_with_sign(wide_positive_atan(wide_absolute(x)), x);
}

static wide wide_asin(wide x) {
    return wide_atan(x / wide_sqrt((1 - x) * (1 + x)));
}

static wide wide_acos(wide x) {
    return 2 * wide_positive_atan(wide_sqrt((1 - x) / (1 + x)));
}

/* ---- Hyperbolic functions ------------------------------------------------------------------ */

/* Below this, two terms of a series are all of an f32; above, differences keep its bits. */
#define WIDE_SMALL 0x1p-12

static wide wide_sinh(wide x) {
    wide a = wide_absolute(x), e = wide_exp(a);
    wide y = wide_choose(a < WIDE_SMALL, a + a * a * a * (1.0 / 6), 0.5 * (e - 1 / e));
    return wide_with_sign(y, x);
}

static wide wide_cosh(wide x) {
    wide e = wide_exp(wide_absolute(x));
    return 0.5 * (e + 1 / e);
}

static wide wide_asinh(wide x) {
    wide a = wide_absolute(x), y = wide_log(a + wide_sqrt(a * a + 1));
    y = wide_choose(a < WIDE_SMALL, a - a * a * a * (1.0 / 6), y);
    return wide_with_sign(y, x);
}

static wide wide_acosh(wide x) {
    return wide_choose(x >= 1, wide_log(x + wide_sqrt((x - 1) * (x + 1))), wide_all(NAN));
}

static wide wide_atanh(wide x) {
    wide a = wide_absolute(x), y = 0.5 * wide_log((1 + a) / (1 - a));
    y = wide_choose(a < WIDE_SMALL, a + a * a * a * (1.0 / 3), y);
    return wide_with_sign(y, x);
}

/* ---- Of two elements ----------------------------------------------------------------------- */

/* a^b, as the C library defines it where there is no number. */
INLINE wide wide_pow(wide a, wide b) {
    wide size = wide_absolute(b), whole = (size + 0x1p52) - 0x1p52;
    wide halved = 0.5 * size, whole_half = (halved + 0x1p52) - 0x1p52;
    wide_mask integer = whole == size, odd = integer & (whole_half != halved);
    wide y = wide_exp(b * wide_log(wide_absolute(a)));
    wide_mask negative = (wide_mask)a < 0;
    y = (wide)((wide_bits)y ^ ((wide_bits)(negative & odd) << 63));
    y = wide_choose((a < 0) & ~integer & (size < INFINITY) & (a > -INFINITY), wide_all(NAN), y);
    wide_mask grows = ((wide_absolute(a) > 1) == (b > 0));
    wide at_infinity = wide_choose(grows, wide_all(INFINITY), wide_all(0));
    at_infinity = wide_choose(wide_absolute(a) == 1, wide_all(1), at_infinity);
    y = wide_choose((size == INFINITY) & wide_is_number(a), at_infinity, y);
    return wide_choose((b == 0) | (a == 1), wide_all(1), y);
}

/* a less as many times b as leaves a's sign; of quotients below 2^28, where all is exact. */
INLINE wide wide_remainder(wide a, wide b) {
    wide x = wide_absolute(a), y = wide_absolute(b);
    wide quotient = x / y, whole = (quotient + 0x1p52) - 0x1p52;
    wide rest = x - whole * y;
    rest = wide_choose(rest < 0, rest + y, rest);
    rest = wide_choose((y == INFINITY) & (x < INFINITY), x, rest);
    return wide_with_sign(rest, a);
}

/* ---- Vectors ------------------------------------------------------------------------------- */

/* Both halves are computed by one piece of code, in turn. */
vector UKERNEL(power)(vector a, vector b) {
    float lanes[2][VECTOR_WIDTH];
    store(lanes[0], a);
    store(lanes[1], b);
    ROLLED for (size_t at = 0; at < VECTOR_WIDTH; at += WIDE_LANES) {
        narrow(wide_pow(widen(lanes[0] + at), widen(lanes[1] + at)), lanes[0] + at);
    }
    return load(lanes[0]);
}

/* Quotients of more bits than a double's product holds are left to the C library, one by one. */
vector UKERNEL(remainder)(vector a, vector b) {
    float lanes[2][VECTOR_WIDTH];
    store(lanes[0], a);
    store(lanes[1], b);
    ROLLED for (size_t at = 0; at < VECTOR_WIDTH; at += WIDE_LANES) {
        narrow(wide_remainder(widen(lanes[0] + at), widen(lanes[1] + at)), lanes[0] + at);
    }
    ROLLED for (size_t l = 0; l < VECTOR_WIDTH; l++) {
        if (!(__builtin_fabsf(a[l]) < __builtin_fabsf(b[l]) * 0x1p27f)) {
            lanes[0][l] = fmodf(a[l], b[l]);
        }
    }
    return load(lanes[0]);
}

/* ---- Rows ---------------------------------------------------------------------------------- */

/* Half a vector of a row. Angles that no network has are left to the C library, one by one. */
INLINE void wide_part(const float *x, float *y, wide (*function)(wide), float (*far)(float)) {
    half_vector in = *(const half_vector *)x;
    narrow(function(widen(x)), y);
    if (far == NULL) {
        return;
    }
    ROLLED for (size_t l = 0; l < WIDE_LANES; l++) {
        if (__builtin_fabsf(in[l]) > WIDE_ANGLE) {
            y[l] = far(in[l]);
        }
    }
}

APART void wide_row(const float *x, size_t count, float *y, wide (*function)(wide),
                    float (*far)(float)) {
    for (; count >= WIDE_LANES; count -= WIDE_LANES, x += WIDE_LANES, y += WIDE_LANES) {
        wide_part(x, y, function, far);
    }
    if (count > 0) {
        float last[WIDE_LANES] = {0};
        memcpy(last, x, count * sizeof *x);
        wide_part(last, last, function, far);
        memcpy(y, last, count * sizeof *y);
    }
}

#define WIDE(name, far)                                                                            \
    void UKERNEL(unary_##name)(const float *x, size_t count, float alpha, float beta, float *y) {  \
        (void)alpha, (void)beta;                                                                   \
        wide_row(x, count, y, wide_##name, far);                                                   \
    }
WIDE(sin, sinf)
WIDE(cos, cosf)
WIDE(tan, tanf)
WIDE(asin, NULL)
WIDE(acos, NULL)
WIDE(atan, NULL)
WIDE(sinh, NULL)
WIDE(cosh, NULL)
WIDE(asinh, NULL)
WIDE(acosh, NULL)
WIDE(atanh, NULL)
