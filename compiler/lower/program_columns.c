/* Concatenation, and slices, along any axis: what lies before the axis are rows, and a part of the
 * axis is some columns of them. */
#include "compiler/lower/lowering.h"

/* The columns of `whole` from index `start` of the axis on. */
static lower_columns columns_of(const program_tensor *whole, uint32_t axis, uint64_t start) {
    uint32_t dims[KILN_MAX_RANK] = {0};
    lower_columns columns = {.outer = 1, .start = start, .last_axis = axis + 1 == whole->rank};
    program_physical_dims(whole, dims);
    for (uint32_t k = 0; k < axis; k++) {
        columns.outer *= dims[k];
    }
    columns.inner = program_elements(whole) / columns.outer;
    columns.start *= columns.inner / dims[axis];
    return columns;
}

static kiln_status add_columns(lowering *l, const node *n, int kernel, size_t input_count,
                               uint32_t *operands, lower_columns *columns) {
    return lowering_add_step(l, &(program_step){.kernel = (kiln_kernel)kernel,
                                                .name = n->name,
                                                .origin = n->origin,
                                                .operands = operands,
                                                .input_count = (uint32_t)input_count,
                                                .output_count = 1,
                                                .params = columns});
}

/* Refuses a part that does not lie as `whole` does: all physical dims but the axis must be the
 * same. */
static kiln_status check_part(lowering *l, const node *n, uint32_t part, uint32_t whole,
                              uint32_t axis) {
    const program_tensor *a = &l->p->tensors[part], *b = &l->p->tensors[whole];
    uint32_t part_dims[KILN_MAX_RANK], whole_dims[KILN_MAX_RANK];
    program_physical_dims(a, part_dims);
    program_physical_dims(b, whole_dims);
    bool same = a->rank == b->rank && a->batched == b->batched;
    for (uint32_t k = 0; k < b->rank && same; k++) {
        same = k == axis || part_dims[k] == whole_dims[k];
    }
    return same ? KILN_OK
                : node_fail(l->g, n, KILN_ERROR_INTERNAL, "'%s' lies in another order than '%s'",
                            a->name != NULL ? a->name : "", b->name != NULL ? b->name : "");
}

kiln_status lower_concat(lowering *l, const node *n, size_t input_count, const uint32_t *inputs,
                         tensor *output, uint32_t axis) {
    if (input_count > KILN_PLAN_NONE / 2 || input_count > 100000) {
        return node_fail(l->g, n, KILN_ERROR_UNSUPPORTED, "a concatenation of %zu tensors",
                         input_count);
    }
    uint32_t *operands = graph_allocate(l->g, (input_count + 1) * sizeof *operands);
    lower_columns *columns = graph_allocate(l->g, sizeof *columns);
    if (operands == NULL || columns == NULL) {
        return l->status = KILN_ERROR_MEMORY;
    }
    uint32_t whole = operands[input_count] = lower_tensor(l, output);
    kiln_status status = l->status;
    for (size_t k = 0; k < input_count && status == KILN_OK; k++) {
        operands[k] = inputs[k];
        status = check_part(l, n, inputs[k], whole, axis);
    }
    if (status != KILN_OK) {
        return status;
    }
    *columns = columns_of(&l->p->tensors[whole], axis, 0);
    return add_columns(l, n, LOWER_CONCAT, input_count, operands, columns);
}

kiln_status lower_slice(lowering *l, const node *n, tensor *x, tensor *output, uint32_t axis,
                        int64_t start) {
    uint32_t *operands = graph_allocate(l->g, 2 * sizeof *operands);
    lower_columns *columns = graph_allocate(l->g, sizeof *columns);
    if (operands == NULL || columns == NULL) {
        return l->status = KILN_ERROR_MEMORY;
    }
    operands[0] = lower_tensor(l, x);
    operands[1] = lower_tensor(l, output);
    kiln_status status =
        l->status == KILN_OK ? check_part(l, n, operands[1], operands[0], axis) : l->status;
    if (status != KILN_OK) {
        return status;
    }
    *columns = columns_of(&l->p->tensors[operands[0]], axis, (uint64_t)start);
    return add_columns(l, n, LOWER_SLICE, 1, operands, columns);
}
