/* Concatenations and slices as views of shared memory.
 *
 * Along any axis a tensor is a matrix of `outer` times `inner` elements, and the parts of a
 * concatenation or split are columns of it. Parts that lie along the last physical dim can be
 * written and read in place through a stride of that dim; where `outer` is one, parts are
 * contiguous. The rest is copied.
 *
 * Pseudo-steps are resolved last to first: where concatenations contain each other (DenseNet), the
 * widest takes its parts first, and the narrower ones turn out to be columns of it. */
#include "compiler/lower/lowering.h"

#include <string.h>

/* ---- Sharing memory ------------------------------------------------------------------------ */

/* Moves everything that lies in `part`'s memory to `offset` bytes into root's. Unless it is
 * contiguous there, every tensor concerned must follow by its outer dim and be used by kernels that
 * take a stride. */
static bool move_memory(lowering *l, use_table *table, uint32_t part, uint32_t root,
                        uint64_t offset, uint32_t row_stride, bool contiguous) {
    uint32_t next;
    for (uint32_t t = table->tenant[part]; t != KILN_PLAN_NONE && !contiguous;
         t = table->next_tenant[t]) {
        if (!l->memories[t].same_outer || !uses_allow_strides(l, table, t)) {
            return false;
        }
    }
    for (uint32_t t = table->tenant[part]; t != KILN_PLAN_NONE; t = next) {
        memory *m = &l->memories[t];
        next = table->next_tenant[t];
        m->offset += offset;
        m->same_outer = m->same_outer && !contiguous;
        m->row_stride = contiguous ? m->row_stride : row_stride;
        use_table_add_tenant(l, table, t, root);
    }
    table->tenant[part] = KILN_PLAN_NONE;
    return true;
}

static bool is_free_root(const lowering *l, uint32_t t) {
    return l->p->tensors[t].place == KILN_PLACE_ARENA && l->memories[t].root == t;
}

/* Lets one part share the whole's memory as columns of it; false when it cannot. */
static bool share_columns(lowering *l, use_table *table, uint32_t whole, uint32_t part,
                          const lower_columns *columns, uint64_t start) {
    const memory *w = &l->memories[whole];
    const program_tensor *t = &l->p->tensors[whole];
    uint64_t offset = w->offset + start * kiln_dtype_size(t->dtype);
    bool single = columns->outer == 1 && !t->batched;
    bool dense = w->row_stride == program_inner(t);
    uint32_t part_root = l->memories[part].root;
    if (t->place != KILN_PLACE_ARENA || !is_free_root(l, part_root) || part_root == w->root ||
        l->memories[part].offset != 0 ||
        program_elements(&l->p->tensors[part]) != program_elements(&l->p->tensors[part_root])) {
        return false;
    }
    if (single && dense) {
        return move_memory(l, table, part_root, w->root, offset, 0, true);
    }
    bool strided = columns->last_axis && w->same_outer && l->memories[part].same_outer;
    return strided && move_memory(l, table, part_root, w->root, offset, w->row_stride, false);
}

/* Makes columns [start, start + width) of a whole a tensor of its own, for a copy to or from it. */
static uint32_t column_view(lowering *l, uint32_t whole, const lower_columns *columns,
                            uint64_t start, uint64_t width) {
    const program_tensor *t = &l->p->tensors[whole];
    memory w = l->memories[whole];
    size_t element = kiln_dtype_size(t->dtype);
    bool batched = t->batched;
    int64_t dims[2] = {(int64_t)columns->outer * (batched ? GRAPH_BATCH : 1), (int64_t)width};
    uint32_t view = lower_temporary(l, t->dtype, 2, dims, KILN_ROW_MAJOR);
    if (view != KILN_PLAN_NONE) {
        uint32_t stride = columns->last_axis ? w.row_stride : (uint32_t)columns->inner;
        l->memories[view] = (memory){.root = w.root,
                                     .offset = w.offset + start * element,
                                     .row_stride = stride,
                                     .same_outer = columns->last_axis && w.same_outer};
    }
    return view;
}

/* Adds a COPY of `width` columns of x, from column `start` on, to y, which is dense or has a
 * stride. */
static kiln_status copy_columns(lowering *l, const program_step *origin, uint32_t x, uint32_t y,
                                const lower_columns *columns, uint64_t start, uint64_t width) {
    bool from_whole =
        l->p->tensors[x].place != KILN_PLACE_ARENA && (int)origin->kernel == LOWER_SLICE;
    kiln_copy_params *params = graph_allocate(l->g, sizeof *params);
    uint32_t *operands = graph_allocate(l->g, 2 * sizeof *operands);
    if (params == NULL || operands == NULL) {
        return KILN_ERROR_MEMORY;
    }
    params->rank = 2;
    params->batched = l->p->tensors[y].batched;
    params->dims[0] = (uint32_t)columns->outer;
    params->dims[1] = (uint32_t)width;
    params->input_start = (int64_t)start;
    params->input_strides[0] = (int64_t)(from_whole ? columns->inner : width);
    params->output_strides[0] = (int64_t)width;
    params->input_strides[1] = params->output_strides[1] = 1;
    operands[0] = x;
    operands[1] = y;
    program_step step = {.kernel = KILN_KERNEL_COPY,
                         .name = origin->name,
                         .origin = origin->origin,
                         .input_count = 1,
                         .output_count = 1,
                         .operands = operands,
                         .params = params,
                         .params_bytes = sizeof *params};
    return lowering_add_step(l, &step);
}

/* ---- Resolving ----------------------------------------------------------------------------- */

static uint64_t part_width(const lowering *l, uint32_t part, const lower_columns *columns) {
    return program_elements(&l->p->tensors[part]) / columns->outer;
}

/* Do all parts already lie side by side in one memory? The whole is then a wider view of it. */
static bool already_adjacent(lowering *l, use_table *table, const program_step *step) {
    const lower_columns *columns = step->params;
    uint32_t whole = step->operands[step->input_count];
    const memory *first = &l->memories[step->operands[0]];
    size_t element = kiln_dtype_size(l->p->tensors[whole].dtype);
    uint64_t start = 0;
    if (!columns->last_axis || first->root == step->operands[0] || !is_free_root(l, whole)) {
        return false;
    }
    for (uint32_t k = 0; k < step->input_count; k++) {
        uint32_t part = step->operands[k];
        const memory *m = &l->memories[part];
        if (l->p->tensors[part].place != KILN_PLACE_ARENA || m->root != first->root ||
            !m->same_outer || m->row_stride != first->row_stride ||
            m->offset != first->offset + start * element) {
            return false;
        }
        start += program_inner(&l->p->tensors[part]);
    }
    return move_memory(l, table, whole, first->root, first->offset, first->row_stride, false);
}

/* Marks in `shared` which parts need no copy. */
static void share_parts(lowering *l, use_table *table, const program_step *step, bool *shared) {
    const lower_columns *columns = step->params;
    bool is_concat = (int)step->kernel == LOWER_CONCAT;
    uint32_t whole = step->operands[is_concat ? step->input_count : 0];
    if (is_concat && already_adjacent(l, table, step)) {
        memset(shared, true, step->input_count);
        return;
    }
    uint64_t start = columns->start;
    for (uint32_t k = 0; k < step->input_count; k++) {
        uint32_t part = step->operands[is_concat ? k : 1];
        shared[k] = share_columns(l, table, whole, part, columns, start);
        start += part_width(l, part, columns);
    }
}

/* Adds a COPY for each part that shares no memory. */
static kiln_status emit_copies(lowering *l, const program_step *step, const bool *shared) {
    const lower_columns *columns = step->params;
    bool is_concat = (int)step->kernel == LOWER_CONCAT;
    uint32_t whole = step->operands[is_concat ? step->input_count : 0];
    uint64_t start = columns->start;
    kiln_status status = KILN_OK;
    for (uint32_t k = 0; k < step->input_count && status == KILN_OK; k++) {
        uint32_t part = step->operands[is_concat ? k : 1];
        uint64_t width = part_width(l, part, columns);
        if (!shared[k] && l->p->tensors[whole].place != KILN_PLACE_ARENA) {
            status = copy_columns(l, step, whole, part, columns, start, width);
        } else if (!shared[k]) {
            uint32_t view = column_view(l, whole, columns, start, width);
            status = view == KILN_PLAN_NONE
                         ? l->status
                         : copy_columns(l, step, is_concat ? part : view, is_concat ? view : part,
                                        columns, 0, width);
        }
        start += width;
    }
    return status;
}

kiln_status lowering_share_concats(lowering *l) {
    program *p = l->p;
    use_table table;
    kiln_status status = use_table_build(l, &table);
    size_t flags = 0;
    for (size_t s = 0; s < p->step_count; s++) {
        flags += p->steps[s].input_count;
    }
    bool *shared = graph_allocate(l->g, flags + 1);
    if (status != KILN_OK || shared == NULL) {
        return KILN_ERROR_MEMORY;
    }
    size_t flag = flags;
    for (size_t s = p->step_count; s-- > 0;) {
        flag -= p->steps[s].input_count;
        if (step_is_pseudo(&p->steps[s])) {
            share_parts(l, &table, &p->steps[s], shared + flag);
        }
    }
    const program_step *old = p->steps;
    size_t old_count = p->step_count;
    p->steps = NULL;
    p->step_count = p->step_capacity = 0;
    for (size_t s = 0; s < old_count && status == KILN_OK; s++) {
        status = step_is_pseudo(&old[s]) ? emit_copies(l, &old[s], shared + flag)
                                         : lowering_add_step(l, &old[s]);
        flag += old[s].input_count;
    }
    return status;
}
