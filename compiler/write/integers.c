/* Constants that were integers in the model are stored as those, with their scales and zero points:
 * where every element is what a reader will make of them, to the last bit. */
#include "compiler/write/writing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Which of the constant's dims runs along the integers' axis, counted from 1; 0: none does. */
static uint16_t stored_axis_of(const program_constant *c) {
    const quantized_constant *q = c->source->quantized;
    int64_t stride = 1;
    for (uint32_t k = q->axis + 1; k < c->source->rank; k++) {
        stride *= c->source->dims[k];
    }
    for (uint32_t k = 0; k < c->rank; k++) {
        if (c->strides[k] == stride && c->dims[k] == (int64_t)q->count) {
            return (uint16_t)(k + 1);
        }
    }
    return 0;
}

/* The constant has dims of its own only where the tensor was reshaped. */
static bool has_own_dims(const program_tensor *t) {
    bool same = t->rank == t->constant.rank;
    for (uint32_t k = 0; same && k < t->rank; k++) {
        same = (int64_t)t->dims[k] == t->constant.dims[k];
    }
    return same;
}

static float value_of(const quantized_constant *q, size_t at, size_t c) {
    float integer = q->dtype == KILN_I8 ? (float)(int8_t)q->integers[at] : (float)q->integers[at];
    return (integer - q->zeros[c]) * q->scales[c];
}

/* Moves index to the next element; returns where that lies in the source. */
static size_t advance(const program_constant *c, int64_t index[KILN_MAX_RANK], size_t offset) {
    for (uint32_t k = c->rank; k-- > 0;) {
        offset += (size_t)c->strides[k];
        if (++index[k] < c->dims[k]) {
            return offset;
        }
        offset -= (size_t)(c->strides[k] * c->dims[k]);
        index[k] = 0;
    }
    return offset;
}

/* False: an element is not exactly what its integer says. */
static bool gather_integers(const program_tensor *t, uint16_t stored_axis, uint8_t *out) {
    const program_constant *c = &t->constant;
    const quantized_constant *q = c->source->quantized;
    int64_t index[KILN_MAX_RANK] = {0};
    size_t offset = 0;
    for (uint64_t k = 0; k < program_elements(t); k++) {
        float wanted = tensor_f32_at(c->source, (int64_t)offset);
        float found = value_of(q, offset, stored_axis == 0 ? 0 : (size_t)index[stored_axis - 1]);
        if (found != wanted || (found != 0 && !isnormal(found))) {
            return false;
        }
        out[k] = q->integers[offset];
        offset = advance(c, index, offset);
    }
    return true;
}

bool integers_of_constant(const program_tensor *t, stored_integers *out) {
    const quantized_constant *q = t->constant.source != NULL ? t->constant.source->quantized : NULL;
    *out = (stored_integers){0};
    if (q == NULL || t->dtype != KILN_F32 || t->constant.source->data == NULL) {
        return false;
    }
    uint16_t axis = q->count == 1 ? 0 : stored_axis_of(&t->constant);
    if (q->count != 1 && (axis == 0 || !has_own_dims(t))) {
        return false;
    }
    size_t parameters = q->count * sizeof(float), elements = (size_t)program_elements(t);
    uint8_t *bytes = malloc(2 * parameters + elements + 1);
    if (bytes == NULL) {
        return false; /* stored as f32, then, or out of memory soon */
    }
    memcpy(bytes, q->scales, parameters);
    memcpy(bytes + parameters, q->zeros, parameters);
    if (!gather_integers(t, axis, bytes + 2 * parameters)) {
        free(bytes);
        return false;
    }
    *out = (stored_integers){q->dtype, axis, bytes, 2 * parameters + elements};
    return true;
}
