/* How tensors lie in memory, and how large they are: the graph's and the program's. */
#include "compiler/lower/lowering.h"
#include "runtime/plan/layout.h"

#include <string.h>

uint32_t physical_axis(const tensor *t, uint32_t axis) {
    return layout_physical_axis(t->layout, t->rank, axis);
}

uint32_t logical_axis(const tensor *t, uint32_t position) {
    return layout_logical_axis(t->layout, t->rank, position);
}

void physical_dims(const tensor *t, int64_t out_dims[KILN_MAX_RANK]) {
    for (uint32_t k = 0; k < t->rank; k++) {
        out_dims[k] = t->dims[logical_axis(t, k)];
    }
}

void program_physical_dims(const program_tensor *t, uint32_t out_dims[KILN_MAX_RANK]) {
    for (uint32_t k = 0; k < t->rank; k++) {
        out_dims[k] = t->dims[layout_logical_axis(t->layout, t->rank, k)];
    }
}

uint32_t program_inner(const program_tensor *t) {
    return layout_inner(t->layout, t->rank, t->dims);
}

uint64_t program_elements(const program_tensor *t) {
    uint64_t elements = 1;
    for (uint32_t k = 0; k < t->rank; k++) {
        elements *= t->dims[k];
    }
    return elements;
}

kiln_plan_tensor_record program_record(const program_tensor *t) {
    kiln_plan_tensor_record record = {.dtype = (uint8_t)t->dtype,
                                      .stored_dtype = (uint8_t)t->dtype,
                                      .rank = t->rank,
                                      .layout = t->layout,
                                      .place = t->place,
                                      .batched = t->batched,
                                      .storage = KILN_PLAN_NONE,
                                      .row_stride = t->row_stride,
                                      .rolling_rows = t->rolling_rows};
    memcpy(record.dims, t->dims, sizeof record.dims);
    return record;
}

uint64_t program_bytes(const program_tensor *t) {
    return program_elements(t) * kiln_dtype_size(t->dtype);
}

bool program_same_physical(const program_tensor *a, const program_tensor *b) {
    uint32_t a_dims[KILN_MAX_RANK], b_dims[KILN_MAX_RANK];
    if (a->rank != b->rank || a->dtype != b->dtype || a->batched != b->batched) {
        return false;
    }
    program_physical_dims(a, a_dims);
    program_physical_dims(b, b_dims);
    return memcmp(a_dims, b_dims, a->rank * sizeof *a_dims) == 0;
}
