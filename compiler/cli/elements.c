#include "compiler/cli/elements.h"
#include <kiln/element.h>

#include <math.h>

static double half_to_double(uint16_t half) {
    int exponent = half >> 10 & 31;
    int mantissa = half & 1023;
    double magnitude = exponent == 31  ? (mantissa != 0 ? NAN : INFINITY)
                       : exponent == 0 ? ldexp(mantissa, -24)
                                       : ldexp(1024 + mantissa, exponent - 25);
    return half & 0x8000 ? -magnitude : magnitude;
}

static uint16_t double_to_half(double value) {
    uint16_t sign = signbit(value) ? 0x8000 : 0;
    double magnitude = fabs(value);
    if (isnan(value)) {
        return sign | 0x7e00;
    }
    if (magnitude >= 65520) { /* halfway to the next power of two: rounds to infinity */
        return sign | 0x7c00;
    }
    int exponent = 0;
    (void)frexp(magnitude, &exponent);
    exponent = exponent < -13 ? -13 : exponent; /* subnormal below 2^-14 */
    unsigned units = (unsigned)nearbyint(ldexp(magnitude, 11 - exponent));
    /* Normal units lie in 1024..2048; a carry into 2048 moves the exponent on as it should. */
    return (uint16_t)(sign | ((unsigned)(exponent + 13) * 1024u + units));
}

double element_get(const void *data, kiln_dtype dtype, size_t index) {
    return dtype == KILN_F16 ? half_to_double(((const uint16_t *)data)[index])
                             : kiln_element_number(dtype, data, index);
}

/* The least and the greatest integer of a type. */
static void integer_range(kiln_dtype dtype, int64_t *out_low, int64_t *out_high) {
    bool is_signed =
        dtype == KILN_I64 || dtype == KILN_I32 || dtype == KILN_I16 || dtype == KILN_I8;
    size_t bits = kiln_dtype_size(dtype) * 8 - (is_signed || dtype == KILN_U64);
    *out_high = bits == 63 ? INT64_MAX : ((int64_t)1 << bits) - 1;
    *out_low = is_signed ? -*out_high - 1 : 0;
}

void element_set(void *data, kiln_dtype dtype, size_t index, double value) {
    int64_t low, high;
    if (dtype == KILN_F16) {
        ((uint16_t *)data)[index] = double_to_half(value);
    } else if (dtype == KILN_BOOL || kiln_dtype_is_float(dtype)) {
        kiln_element_put_number(dtype, data, index, value);
    } else {
        integer_range(dtype, &low, &high);
        kiln_element_put_integer(dtype, data, index, kiln_truncate(value, low, high));
    }
}

size_t element_count(const kiln_tensor_info *info) {
    return info->bytes / kiln_dtype_size(info->dtype);
}
