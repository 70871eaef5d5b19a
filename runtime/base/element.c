/* Elements of any type, as numbers. */
#include <kiln/element.h>

#include <math.h>

int64_t kiln_element_integer(kiln_dtype dtype, const void *data, size_t k) {
    switch (dtype) {
    case KILN_I64:
    case KILN_U64:
        return ((const int64_t *)data)[k];
    case KILN_I32:
        return ((const int32_t *)data)[k];
    case KILN_U32:
        return ((const uint32_t *)data)[k];
    case KILN_I16:
        return ((const int16_t *)data)[k];
    case KILN_U16:
        return ((const uint16_t *)data)[k];
    case KILN_I8:
        return ((const int8_t *)data)[k];
    case KILN_U8:
        return ((const uint8_t *)data)[k];
    case KILN_BOOL:
        return ((const uint8_t *)data)[k] != 0;
    default:
        return 0;
    }
}

double kiln_element_number(kiln_dtype dtype, const void *data, size_t k) {
    switch (dtype) {
    case KILN_F32:
        return (double)((const float *)data)[k];
    case KILN_F64:
        return ((const double *)data)[k];
    case KILN_F16:
        return (double)kiln_f32_from_f16(((const uint16_t *)data)[k]);
    case KILN_BF16:
        return (double)kiln_f32_from_bf16(((const uint16_t *)data)[k]);
    case KILN_U64:
        return (double)((const uint64_t *)data)[k];
    default:
        return (double)kiln_element_integer(dtype, data, k);
    }
}

int64_t kiln_truncate(double value, int64_t low, int64_t high) {
    return isnan(value)            ? 0
           : value <= (double)low  ? low
           : value >= (double)high ? high
                                   : (int64_t)value;
}

void kiln_element_put_integer(kiln_dtype dtype, void *data, size_t k, int64_t value) {
    switch (dtype) {
    case KILN_I64:
    case KILN_U64:
        ((int64_t *)data)[k] = value;
        break;
    case KILN_I32:
    case KILN_U32:
        ((uint32_t *)data)[k] = (uint32_t)(uint64_t)value;
        break;
    case KILN_I16:
    case KILN_U16:
        ((uint16_t *)data)[k] = (uint16_t)(uint64_t)value;
        break;
    case KILN_I8:
    case KILN_U8:
        ((uint8_t *)data)[k] = (uint8_t)(uint64_t)value;
        break;
    case KILN_BOOL:
        ((uint8_t *)data)[k] = value != 0;
        break;
    case KILN_F32:
        ((float *)data)[k] = (float)value;
        break;
    case KILN_F64:
        ((double *)data)[k] = (double)value;
        break;
    case KILN_F16:
        ((uint16_t *)data)[k] = kiln_f16_from_f32((float)value);
        break;
    case KILN_BF16:
        ((uint16_t *)data)[k] = kiln_bf16_from_f32((float)value);
        break;
    }
}

void kiln_element_put_number(kiln_dtype dtype, void *data, size_t k, double value) {
    switch (dtype) {
    case KILN_F32:
        ((float *)data)[k] = (float)value;
        break;
    case KILN_F64:
        ((double *)data)[k] = value;
        break;
    case KILN_F16:
        ((uint16_t *)data)[k] = kiln_f16_from_f32((float)value);
        break;
    case KILN_BF16:
        ((uint16_t *)data)[k] = kiln_bf16_from_f32((float)value);
        break;
    case KILN_BOOL:
        ((uint8_t *)data)[k] = value != 0;
        break;
    case KILN_I64:
    case KILN_U64:
    case KILN_U32:
        kiln_element_put_integer(dtype, data, k, kiln_truncate(value, INT64_MIN, INT64_MAX));
        break;
    case KILN_I32:
        ((int32_t *)data)[k] = (int32_t)kiln_truncate(value, INT32_MIN, INT32_MAX);
        break;
    default:
        kiln_element_put_integer(
            dtype, data, k,
            value > (double)INT32_MIN - 1 && value < (double)INT32_MAX + 1 ? (int64_t)value : 0);
        break;
    }
}

void kiln_element_put_nearest(kiln_dtype dtype, void *data, size_t k, double value) {
    bool is_signed =
        dtype == KILN_I64 || dtype == KILN_I32 || dtype == KILN_I16 || dtype == KILN_I8;
    if (dtype == KILN_F16) {
        ((uint16_t *)data)[k] = kiln_f16_from_f64(value);
    } else if (dtype == KILN_BOOL || kiln_dtype_is_float(dtype)) {
        kiln_element_put_number(dtype, data, k, value);
    } else {
        size_t bits = kiln_dtype_size(dtype) * 8 - (is_signed || dtype == KILN_U64);
        int64_t high = (int64_t)(UINT64_MAX >> (64 - bits)), low = is_signed ? -high - 1 : 0;
        kiln_element_put_integer(dtype, data, k, kiln_truncate(value, low, high));
    }
}

void kiln_element_convert(kiln_dtype from, const void *x, kiln_dtype to, void *y, size_t k) {
    if (kiln_dtype_is_float(from)) {
        kiln_element_put_number(to, y, k, kiln_element_number(from, x, k));
    } else {
        kiln_element_put_integer(to, y, k, kiln_element_integer(from, x, k));
    }
}
