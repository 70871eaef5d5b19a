/* Elements of any type, one at a time, as numbers. What a conversion does to values that do not fit
 * is what CAST steps do (plan_format.h). */
#ifndef KILN_ELEMENT_H
#define KILN_ELEMENT_H

#include <kiln/half.h>
#include <kiln/kiln.h>

#ifdef __cplusplus
extern "C" {
#endif

static inline bool kiln_dtype_is_float(kiln_dtype dtype) {
    return dtype == KILN_F32 || dtype == KILN_F16 || dtype == KILN_F64 || dtype == KILN_BF16;
}

/* Elements of a tensor, for a batch of one. */
static inline size_t kiln_element_count(const kiln_tensor_info *info) {
    return info->bytes / kiln_dtype_size(info->dtype);
}

/* Element k of integers or bools, exactly; u64 as the i64 of the same bits. 0 for floats. */
KILN_API int64_t kiln_element_integer(kiln_dtype dtype, const void *data, size_t k);

/* Element k of any type. */
KILN_API double kiln_element_number(kiln_dtype dtype, const void *data, size_t k);

/* Truncated; NaN gives 0, what does not fit the nearest that does. */
KILN_API int64_t kiln_truncate(double value, int64_t low, int64_t high);

/* Stores an integer as element k of any type; integers take its lower bits. */
KILN_API void kiln_element_put_integer(kiln_dtype dtype, void *data, size_t k, int64_t value);

/* Stores a number as element k of any type. */
KILN_API void kiln_element_put_number(kiln_dtype dtype, void *data, size_t k, double value);

/* Stores a number as element k of any type, as near as that type comes to it: integers are
 * truncated and saturated, NaN gives 0; f16 rounds once. */
KILN_API void kiln_element_put_nearest(kiln_dtype dtype, void *data, size_t k, double value);

/* Element k of one type from that of another. */
KILN_API void kiln_element_convert(kiln_dtype from, const void *x, kiln_dtype to, void *y,
                                   size_t k);

#ifdef __cplusplus
}
#endif
#endif
