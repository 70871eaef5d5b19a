/* How large tensors are, and how f32 constants lie in a plan: as they are, as f16, or as integers
 * with scales and zeros. */
#include "runtime/plan/plan.h"
#include <kiln/element.h>

#include <string.h>

bool stored_as_integers(const kiln_plan_tensor_record *t) {
    return t->dtype == KILN_F32 && (t->stored_dtype == KILN_U8 || t->stored_dtype == KILN_I8);
}

uint64_t stored_scales(const kiln_plan_tensor_record *t) {
    return !stored_as_integers(t) ? 0 : t->stored_axis == 0 ? 1 : t->dims[t->stored_axis - 1];
}

bool stored_soundly(const kiln_plan_tensor_record *t) {
    bool constant = t->place == KILN_PLACE_CONSTANT && t->dtype == KILN_F32;
    if (constant && stored_as_integers(t)) {
        return t->stored_axis <= t->rank;
    }
    return t->stored_axis == 0 &&
           (t->stored_dtype == t->dtype || (constant && t->stored_dtype == KILN_F16));
}

uint64_t kiln_plan_tensor_elements(const kiln_plan_tensor_record *tensor) {
    uint64_t elements = 1;
    for (uint32_t k = 0; k < tensor->rank; k++) {
        elements *= tensor->dims[k];
    }
    return elements;
}

uint64_t kiln_plan_tensor_bytes(const kiln_plan_tensor_record *tensor) {
    uint64_t stored = kiln_dtype_size((kiln_dtype)tensor->stored_dtype);
    return stored_scales(tensor) * 2 * sizeof(float) + kiln_plan_tensor_elements(tensor) * stored;
}

static void widen_integers(const kiln_plan_tensor_record *t, const uint8_t *stored, size_t begin,
                           size_t count, float *out) {
    size_t scales = (size_t)stored_scales(t), inner = 1;
    const float *scale = (const void *)stored, *zero = scale + scales;
    const uint8_t *integers = stored + 2 * scales * sizeof *scale;
    for (uint32_t k = t->stored_axis; k < t->rank; k++) {
        inner *= t->dims[k];
    }
    for (size_t k = begin; k < begin + count; k++) {
        size_t c = scales == 1 ? 0 : k / inner % scales;
        float integer =
            t->stored_dtype == KILN_I8 ? (float)(int8_t)integers[k] : (float)integers[k];
        out[k - begin] = (integer - zero[c]) * scale[c];
    }
}

void kiln_plan_widen(const kiln_plan_view *view, const kiln_plan_tensor_record *tensor,
                     size_t begin, size_t count, float *out) {
    const uint8_t *stored = view->weights + tensor->offset;
    if (stored_as_integers(tensor)) {
        widen_integers(tensor, stored, begin, count, out);
    } else if (tensor->stored_dtype == KILN_F32 && count > 0) {
        memcpy(out, (const float *)(const void *)stored + begin, count * sizeof *out);
    } else {
        for (size_t k = 0; k < count; k++) {
            out[k] =
                (float)kiln_element_number((kiln_dtype)tensor->stored_dtype, stored, begin + k);
        }
    }
}
