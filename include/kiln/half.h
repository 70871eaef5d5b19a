/* IEEE 754 binary16 and bfloat16 to and from f32, for machines and compilers without them. */
#ifndef KILN_HALF_H
#define KILN_HALF_H

#include <stdint.h>
#include <string.h>

static inline float kiln_f32_from_f16(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16, exponent = half >> 10 & 0x1fu;
    uint32_t mantissa = half & 0x3ffu;
    if (exponent == 0) {
        float value = (float)mantissa / 16777216.0f /* 2^24 */;
        return sign != 0 ? -value : value;
    }
    uint32_t bits = sign | (exponent == 31 ? 0x7f800000u : (exponent + 112) << 23) | mantissa << 13;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Round to nearest even; IEEE overflow to infinity. */
static inline uint16_t kiln_f16_from_f32(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) {
        return (uint16_t)(sign | 0x7e00u);
    }
    if (magnitude >= 0x477ff000u) {
        return (uint16_t)(sign | 0x7c00u);
    }
    if (magnitude <= 0x33000000u) {
        return (uint16_t)sign;
    }
    uint32_t exponent = magnitude >> 23, mantissa = (magnitude & 0x7fffffu) | 0x800000u;
    uint32_t shift = exponent < 113 ? 126 - exponent : 13;
    uint32_t half = mantissa >> shift, rest = mantissa & ((1u << shift) - 1);
    uint32_t middle = 1u << (shift - 1);
    half += rest > middle || (rest == middle && (half & 1) != 0);
    return (uint16_t)(sign | (exponent < 113 ? half : half + ((exponent - 113) << 10)));
}

/* Rounds once. By way of an f32 that is rounded to odd, which has so many more bits that the
 * nearest f16 to it is the nearest to the value (Boldo and Melquiond, "Emulation of a FMA and
 * correctly rounded sums", 2008). */
static inline uint16_t kiln_f16_from_f64(double value) {
    float single = (float)value;
    uint32_t bits;
    memcpy(&bits, &single, sizeof bits);
    double found = (double)single;
    if (found != value && value == value) {
        bits -= (found < 0 ? -found : found) > (value < 0 ? -value : value);
        bits |= 1;
        memcpy(&single, &bits, sizeof single);
    }
    return kiln_f16_from_f32(single);
}

static inline float kiln_f32_from_bf16(uint16_t half) {
    uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Round to nearest even; a NaN stays one. */
static inline uint16_t kiln_bf16_from_f32(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) {
        return (uint16_t)(bits >> 16 | 0x40u);
    }
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

#endif
