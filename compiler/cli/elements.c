#include "compiler/cli/elements.h"

#include <math.h>
#include <string.h>

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

static int64_t saturate(double value, double least, double most) {
    return isnan(value)     ? 0
           : value <= least ? (int64_t)least
           : value >= most  ? (most > 1e18 ? INT64_MAX : (int64_t)most)
                            : (int64_t)value;
}

double element_get(const void *data, kiln_dtype dtype, size_t index) {
    const uint8_t *at = (const uint8_t *)data + index * kiln_dtype_size(dtype);
    float f32;
    int64_t i64;
    int32_t i32;
    uint16_t f16;
    switch (dtype) {
    case KILN_F32:
        memcpy(&f32, at, sizeof f32);
        return f32;
    case KILN_I64:
        memcpy(&i64, at, sizeof i64);
        return (double)i64;
    case KILN_BOOL:
        return *at != 0;
    case KILN_F16:
        memcpy(&f16, at, sizeof f16);
        return half_to_double(f16);
    case KILN_I32:
        memcpy(&i32, at, sizeof i32);
        return i32;
    }
    return 0;
}

void element_set(void *data, kiln_dtype dtype, size_t index, double value) {
    uint8_t *at = (uint8_t *)data + index * kiln_dtype_size(dtype);
    float f32;
    int64_t i64;
    int32_t i32;
    uint16_t f16;
    switch (dtype) { /* each converted in its case only: pictures set millions */
    case KILN_F32:
        f32 = (float)value;
        memcpy(at, &f32, sizeof f32);
        break;
    case KILN_I64:
        i64 = saturate(value, -0x1p63, 0x1p63);
        memcpy(at, &i64, sizeof i64);
        break;
    case KILN_BOOL:
        *at = value != 0;
        break;
    case KILN_F16:
        f16 = double_to_half(value);
        memcpy(at, &f16, sizeof f16);
        break;
    case KILN_I32:
        i32 = (int32_t)saturate(value, INT32_MIN, INT32_MAX);
        memcpy(at, &i32, sizeof i32);
        break;
    }
}

size_t element_count(const kiln_tensor_info *info) {
    return info->bytes / kiln_dtype_size(info->dtype);
}
