/* The micro-kernels of powers and remainders, each set of instructions that runs here: error in
 * units in the last place, and what the C library says where there is no number. */
#include "tests/unit/flushed.h"
#include "tests/unit/suite.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

enum { COUNT = 1021, ROUNDS = 300 };

static float a[COUNT], b[COUNT], found[COUNT];

static uint32_t random_bits(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 32);
}

/* Any float there is. */
static float any_float(uint64_t *state) {
    uint32_t bits = random_bits(state);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Of a size from 2^-span to 2^span. */
static float some_float(uint64_t *state, double span) {
    double part = (double)random_bits(state) / 0x1p31 - 1;
    return (float)(exp2(part * span) * ((random_bits(state) & 1) != 0 ? 1 : -1));
}

static void compute(const ukernels *set, elementwise_binary op, size_t count) {
    for (size_t k = 0; k < count; k++) {
        a[k] = (float)flushed(set, (double)a[k]);
        b[k] = (float)flushed(set, (double)b[k]);
    }
    const elementwise_rows rows = {
        .a = a, .b = b, .min = -INFINITY, .max = INFINITY, .y = found, .rows = 1, .count = count};
    ukernels_elementwise(set)->binary[op](&rows);
}

static bool is_near(double exact, float value) {
    float nearest = (float)exact;
    int exponent;
    if (isnan(exact) || isinf(nearest) || nearest == 0) {
        return isnan(exact) ? isnan(value) : nearest == value && signbit(nearest) == signbit(value);
    }
    (void)frexp(exact, &exponent);
    exponent = exponent < -125 ? -125 : exponent; /* denormal numbers have fewer bits */
    return fabs((double)value - exact) <= 0.51 * ldexp(1, exponent - 24);
}

static void check_powers(const ukernels *set, size_t count) {
    compute(set, ELEMENTWISE_POW, count);
    for (size_t k = 0; k < count; k++) {
        double exact = flushed(set, pow((double)a[k], (double)b[k]));
        ck_assert_msg(is_near(exact, found[k]), "%s: %a to the power of %a is %a, not %a",
                      set->name, (double)a[k], (double)b[k], exact, (double)found[k]);
    }
}

static void check_remainders(const ukernels *set, size_t count) {
    compute(set, ELEMENTWISE_REMAINDER, count);
    for (size_t k = 0; k < count; k++) {
        float exact = (float)flushed(set, (double)fmodf(a[k], b[k]));
        bool same = isnan(exact) ? isnan(found[k])
                                 : exact == found[k] && signbit(exact) == signbit(found[k]);
        ck_assert_msg(same, "%s: %a less %a leaves %a, not %a", set->name, (double)a[k],
                      (double)b[k], (double)exact, (double)found[k]);
    }
}

static void (*const checks[])(const ukernels *set, size_t count) = {check_powers, check_remainders};

START_TEST(is_near_the_exact_value) {
    const ukernels *set;
    for (size_t at = 0; (set = ukernels_at(at)) != NULL; at++) {
        uint64_t state = 1;
        for (size_t round = 0; round < ROUNDS; round++) {
            double span = (double)(round % 30 + 1);
            for (size_t k = 0; k < COUNT; k++) {
                a[k] = round % 2 == 0 ? any_float(&state) : some_float(&state, span);
                b[k] = round % 4 == 0 ? any_float(&state) : some_float(&state, 160 / span);
                b[k] = round % 8 == 1 ? rintf(b[k]) : b[k];
            }
            checks[_i](set, COUNT - round % 40);
        }
    }
}
END_TEST

START_TEST(knows_what_is_no_number) {
    static const float specials[] = {
        0,  -0.0f, 1,        -1,        0.5f,  -0.5f,     2,
        -3, 3,     -2.5f,    1e-40f,    1e38f, -1e38f,    16777216,
        -4, NAN,   INFINITY, -INFINITY, 1.5f,  0x1p-126f, 0x1.fffffep-1f};
    const size_t kinds = sizeof specials / sizeof *specials;
    const ukernels *set;
    for (size_t at = 0; (set = ukernels_at(at)) != NULL; at++) {
        for (size_t k = 0; k < kinds * kinds; k++) {
            a[k] = specials[k / kinds];
            b[k] = specials[k % kinds];
        }
        checks[_i](set, kinds * kinds);
    }
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        EACH("error", is_near_the_exact_value, checks),
        EACH("specials", knows_what_is_no_number, checks),
    };
    return SUITE("powers", tests);
}
