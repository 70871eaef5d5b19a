/* Memory to values. A plan's tensors are places in storages: several tensors may name one place in
 * different shapes, and a wide one may be written slice by slice. Here each read is traced to what
 * was written there, and said in ONNX's terms. */
#include "compiler/export/exporting.h"
#include "runtime/plan/layout.h"

#include <stdlib.h>
#include <string.h>

size_t elements_of(const kiln_plan_tensor_record *t) {
    return (size_t)kiln_plan_tensor_elements(t);
}

void record_dims(const kiln_plan_tensor_record *t, int64_t out[KILN_MAX_RANK]) {
    for (uint32_t k = 0; k < t->rank; k++) {
        out[k] = t->dims[layout_logical_axis(t->layout, t->rank, k)];
    }
}

static size_t inner_of(const kiln_plan_tensor_record *t) {
    return layout_inner(t->layout, t->rank, t->dims);
}

/* In which column of the storage the tensor begins, seen as [outer][row_stride]. */
static size_t column_of(const kiln_plan_tensor_record *t) {
    return t->row_stride == 0
               ? 0
               : (size_t)(t->offset / kiln_dtype_size((kiln_dtype)t->dtype)) % t->row_stride;
}

const char *value_name(exporting *x, uint32_t tensor) {
    const char *wanted = x->v.strings + x->v.tensors[tensor].name;
    bool free_name = wanted[0] != '\0' && strncmp(wanted, "kiln_", 5) != 0;
    for (size_t k = 0; k < x->taken_count && free_name; k++) {
        free_name = strcmp(x->taken[k], wanted) != 0;
    }
    const char *name = free_name ? wanted : model_text(&x->model, "kiln_%zu", x->model.names++);
    if (x->taken_count == x->taken_capacity) {
        size_t capacity = x->taken_capacity * 2 + 64;
        const char **grown = realloc((void *)x->taken, capacity * sizeof *grown);
        if (grown == NULL) {
            x->model.failed = true;
            return name;
        }
        x->taken = grown;
        x->taken_capacity = capacity;
    }
    x->taken[x->taken_count++] = name;
    return name;
}

/* ---- Shapes -------------------------------------------------------------------------------- */

const char *reshaped(exporting *x, const char *value, size_t rank, const int64_t *dims,
                     bool batched) {
    int64_t shape[KILN_MAX_RANK];
    for (size_t k = 0; k < rank; k++) {
        shape[k] = k == 0 && batched ? -1 : dims[k]; /* -1: what is left */
    }
    const char *inputs[2] = {value, model_integers(&x->model, rank, shape)};
    return model_node(&x->model, "Reshape", NULL, 2, inputs, NULL);
}

const char *transposed(exporting *x, const char *value, size_t rank, const int64_t *order,
                       const char *name) {
    Onnx__NodeProto *node;
    const char *y = model_node(&x->model, "Transpose", name, 1, &value, &node);
    model_ints(&x->model, node, "perm", rank, order);
    return y;
}

static const char *to_physical(exporting *x, const char *value, const kiln_plan_tensor_record *t) {
    int64_t order[KILN_MAX_RANK] = {0};
    if (t->layout != KILN_CHANNELS_LAST) {
        return value;
    }
    for (uint32_t k = 0; k < t->rank; k++) {
        order[k] = layout_logical_axis(t->layout, t->rank, k);
    }
    return transposed(x, value, t->rank, order, NULL);
}

static const char *to_logical(exporting *x, const char *value, uint32_t rank) {
    int64_t order[KILN_MAX_RANK] = {0};
    for (uint32_t k = 0; k < rank; k++) {
        order[k] = layout_physical_axis(KILN_CHANNELS_LAST, rank, k);
    }
    return transposed(x, value, rank, order, NULL);
}

/* Views the same memory in another shape. */
static const char *as_view(exporting *x, const char *value, const kiln_plan_tensor_record *from,
                           const kiln_plan_tensor_record *to) {
    int64_t dims[KILN_MAX_RANK];
    bool same = from->rank == to->rank && from->layout == to->layout &&
                memcmp(from->dims, to->dims, sizeof from->dims) == 0;
    if (same) {
        return value;
    }
    record_dims(to, dims);
    value = reshaped(x, to_physical(x, value, from), to->rank, dims, to->batched);
    return to->layout == KILN_CHANNELS_LAST ? to_logical(x, value, to->rank) : value;
}

/* ---- Memory -------------------------------------------------------------------------------- */

/* Is it of one sample and without gaps: elements [begin_of, end_of) of its storage? */
static bool is_run(const kiln_plan_tensor_record *t) {
    return t->place == KILN_PLACE_ARENA && t->batched == 0 && t->row_stride == inner_of(t);
}

static size_t begin_of(const kiln_plan_tensor_record *t) {
    return (size_t)(t->offset / kiln_dtype_size((kiln_dtype)t->dtype));
}

static size_t end_of(const kiln_plan_tensor_record *t) {
    return begin_of(t) + elements_of(t);
}

static bool is_run_like(const kiln_plan_tensor_record *a, const kiln_plan_tensor_record *b) {
    return is_run(a) && is_run(b) && a->dtype == b->dtype && a->storage == b->storage;
}

/* Do the tensors share memory? Those of one stride do where their columns of the storage meet; a
 * tensor of another stride lies in all columns. */
static bool overlap(const kiln_plan_tensor_record *a, const kiln_plan_tensor_record *b) {
    if (a->place != KILN_PLACE_ARENA || a->storage != b->storage || b->place != KILN_PLACE_ARENA) {
        return false;
    }
    if (is_run_like(a, b)) {
        return begin_of(a) < end_of(b) && begin_of(b) < end_of(a);
    }
    if (a->row_stride != b->row_stride) {
        return true;
    }
    size_t a_column = column_of(a), b_column = column_of(b);
    return a_column < b_column + inner_of(b) && b_column < a_column + inner_of(a);
}

/* Is something of `old` left after t is written? Of a run that is written over in part, the rest
 * can still be read. */
static bool is_left(const kiln_plan_tensor_record *old, const kiln_plan_tensor_record *t) {
    bool covered = begin_of(t) <= begin_of(old) && end_of(old) <= end_of(t);
    return !overlap(old, t) || (is_run_like(old, t) && !covered);
}

/* Has nothing been written over it since? */
static bool is_whole(const exporting *x, size_t entry) {
    const kiln_plan_tensor_record *t = &x->v.tensors[x->memory[entry].tensor];
    for (size_t k = entry + 1; k < x->memory_count; k++) {
        if (overlap(t, &x->v.tensors[x->memory[k].tensor])) {
            return false;
        }
    }
    return true;
}

void value_written(exporting *x, uint32_t tensor, const char *value) {
    size_t kept = 0;
    for (size_t k = 0; k < x->memory_count; k++) {
        if (is_left(&x->v.tensors[x->memory[k].tensor], &x->v.tensors[tensor])) {
            x->memory[kept++] = x->memory[k];
        }
    }
    x->memory_count = kept;
    if (kept == x->memory_capacity) {
        size_t capacity = kept * 2 + 64;
        written *grown = realloc(x->memory, capacity * sizeof *grown);
        if (grown == NULL) {
            x->model.failed = true;
            return;
        }
        x->memory = grown;
        x->memory_capacity = capacity;
    }
    x->memory[x->memory_count++] = (written){tensor, value};
}

/* Takes channels [begin, end) of a value. */
static const char *sliced(exporting *x, const char *value, const kiln_plan_tensor_record *of,
                          size_t begin, size_t count) {
    int64_t axis = layout_logical_axis(of->layout, of->rank, of->rank - 1u);
    int64_t first = (int64_t)begin, last = (int64_t)(begin + count);
    const char *inputs[4] = {value, model_integers(&x->model, 1, &first),
                             model_integers(&x->model, 1, &last),
                             model_integers(&x->model, 1, &axis)};
    return model_node(&x->model, "Slice", NULL, 4, inputs, NULL);
}

/* The written tensor that holds a column of t's storage, in the same rows as t. */
static const written *holder(const exporting *x, const kiln_plan_tensor_record *t, size_t column) {
    for (size_t k = 0; k < x->memory_count; k++) {
        const kiln_plan_tensor_record *w = &x->v.tensors[x->memory[k].tensor];
        bool same_rows = w->row_stride == t->row_stride && w->row_stride != 0 &&
                         begin_of(w) / w->row_stride == begin_of(t) / t->row_stride &&
                         elements_of(w) / inner_of(w) == elements_of(t) / inner_of(t);
        if (w->place == KILN_PLACE_ARENA && w->storage == t->storage && same_rows &&
            column >= column_of(w) && column < column_of(w) + inner_of(w) && is_whole(x, k)) {
            return &x->memory[k];
        }
    }
    return NULL;
}

/* Joins t, or as much as the storage is wide, from the slices that were written. */
static const char *joined(exporting *x, const kiln_plan_tensor_record *t) {
    const char *parts[512];
    size_t count = 0, column = column_of(t), end = column + inner_of(t);
    kiln_plan_tensor_record whole = {0};
    while (column < end && count < sizeof parts / sizeof *parts) {
        const written *w = holder(x, t, column);
        const kiln_plan_tensor_record *from = w != NULL ? &x->v.tensors[w->tensor] : NULL;
        if (from == NULL ||
            (count > 0 && (from->layout != whole.layout || from->rank != whole.rank))) {
            return NULL;
        }
        size_t begin = column - column_of(from), stop = column_of(from) + inner_of(from);
        size_t width = (stop < end ? stop : end) - column;
        whole = *from;
        parts[count++] = begin == 0 && width == inner_of(from)
                             ? w->value
                             : sliced(x, w->value, from, begin, width);
        column += width;
    }
    if (column < end || whole.layout != t->layout || whole.rank != t->rank) {
        return NULL;
    }
    uint32_t axis = layout_logical_axis(whole.layout, whole.rank, whole.rank - 1u);
    const char *y = parts[0];
    if (count > 1) {
        Onnx__NodeProto *node;
        y = model_node(&x->model, "Concat", NULL, count, parts, &node);
        model_int(&x->model, node, "axis", axis);
    }
    whole.dims[axis] = t->dims[axis];
    return as_view(x, y, &whole, t); /* t may have other outer dims, of the same product */
}

/* Joins the widest tensor on this storage that has the slices' shape, and views it as t. */
static const char *joined_whole(exporting *x, const kiln_plan_tensor_record *t) {
    for (size_t k = 0; k < x->memory_count; k++) {
        const kiln_plan_tensor_record *w = &x->v.tensors[x->memory[k].tensor];
        if (w->place != KILN_PLACE_ARENA || w->storage != t->storage || w->rank < 2) {
            continue;
        }
        kiln_plan_tensor_record whole = *w;
        whole.dims[layout_logical_axis(w->layout, w->rank, w->rank - 1u)] = w->row_stride;
        whole.offset = 0;
        if (elements_of(&whole) == elements_of(t) && t->offset == 0) {
            const char *value = joined(x, &whole);
            return value != NULL ? as_view(x, value, &whole, t) : NULL;
        }
    }
    return NULL;
}

/* The last that wrote element `at` of t's storage, among runs like t; *inout_end is brought to
 * where another follows. NULL: nobody. */
static const written *writer_of(const exporting *x, const kiln_plan_tensor_record *t, size_t at,
                                size_t *inout_end) {
    for (size_t k = x->memory_count; k-- > 0;) {
        const kiln_plan_tensor_record *w = &x->v.tensors[x->memory[k].tensor];
        if (!is_run_like(w, t)) {
            continue;
        }
        bool here = begin_of(w) <= at && at < end_of(w);
        size_t end = here ? end_of(w) : begin_of(w);
        *inout_end = end > at && end < *inout_end ? end : *inout_end;
        if (here) {
            return &x->memory[k];
        }
    }
    return NULL;
}

/* Puts a run together from parts of others, each flat. */
static const char *joined_runs(exporting *x, const kiln_plan_tensor_record *t) {
    const char *parts[64];
    size_t count = 0, at = begin_of(t);
    const int64_t flat = -1;
    while (is_run(t) && at < end_of(t)) {
        size_t end = end_of(t);
        const written *w = writer_of(x, t, at, &end);
        if (w == NULL || count == sizeof parts / sizeof *parts) {
            return NULL;
        }
        const kiln_plan_tensor_record *from = &x->v.tensors[w->tensor], line = {.rank = 1};
        const char *value = reshaped(x, to_physical(x, w->value, from), 1, &flat, false);
        parts[count++] = sliced(x, value, &line, at - begin_of(from), end - at);
        at = end;
    }
    if (count == 0) {
        return NULL;
    }
    Onnx__NodeProto *node;
    int64_t dims[KILN_MAX_RANK];
    const char *y = model_node(&x->model, "Concat", NULL, count, parts, &node);
    model_int(&x->model, node, "axis", 0);
    record_dims(t, dims);
    y = reshaped(x, y, t->rank, dims, false);
    return t->layout == KILN_CHANNELS_LAST ? to_logical(x, y, t->rank) : y;
}

float *constant_floats(exporting *x, uint32_t tensor) {
    const kiln_plan_tensor_record *t = &x->v.tensors[tensor];
    size_t count = elements_of(t);
    float *out = malloc(count * sizeof *out + 1);
    if (out != NULL) {
        kiln_plan_widen(&x->v, t, 0, count, out);
    }
    x->model.failed = x->model.failed || out == NULL;
    return out;
}

static const char *constant_value(exporting *x, uint32_t tensor) {
    const kiln_plan_tensor_record *t = &x->v.tensors[tensor];
    int64_t dims[KILN_MAX_RANK];
    bool floats = t->dtype == KILN_F32;
    if (!floats && t->stored_dtype != t->dtype) {
        (void)export_fail(x, "a constant of type %s", kiln_dtype_name((kiln_dtype)t->stored_dtype));
        return NULL;
    }
    float *copy = floats ? constant_floats(x, tensor) : NULL;
    const void *data = floats ? (const void *)copy : x->v.weights + t->offset;
    record_dims(t, dims);
    const char *value = data != NULL ? model_elements(&x->model, value_name(x, tensor),
                                                      (kiln_dtype)t->dtype, t->rank, dims, data)
                                     : NULL;
    free(copy);
    if (value == NULL) {
        (void)export_fail(x, "out of memory");
        return NULL;
    }
    return t->layout == KILN_CHANNELS_LAST ? to_logical(x, value, t->rank) : value;
}

const char *value_of(exporting *x, uint32_t tensor) {
    const kiln_plan_tensor_record *t = &x->v.tensors[tensor];
    if (t->place == KILN_PLACE_CONSTANT) {
        return constant_value(x, tensor);
    }
    for (size_t k = 0; k < x->memory_count; k++) {
        if (x->memory[k].tensor == tensor && is_whole(x, k)) {
            return x->memory[k].value;
        }
    }
    const written *same = NULL;
    for (size_t k = 0; k < x->memory_count && t->place == KILN_PLACE_ARENA; k++) {
        const kiln_plan_tensor_record *w = &x->v.tensors[x->memory[k].tensor];
        if (w->place == KILN_PLACE_ARENA && w->storage == t->storage && w->offset == t->offset &&
            elements_of(w) == elements_of(t) && w->dtype == t->dtype &&
            (w->row_stride == inner_of(w)) == (t->row_stride == inner_of(t)) && is_whole(x, k)) {
            same = &x->memory[k];
        }
    }
    const char *value =
        same != NULL ? as_view(x, same->value, &x->v.tensors[same->tensor], t) : NULL;
    value = value == NULL && t->place == KILN_PLACE_ARENA ? joined(x, t) : value;
    value = value == NULL && t->place == KILN_PLACE_ARENA ? joined_whole(x, t) : value;
    value = value == NULL ? joined_runs(x, t) : value;
    if (value == NULL) {
        (void)export_fail(x, "what made '%s' cannot be told", x->v.strings + t->name);
    }
    return value;
}

/* ---- Broadcasting -------------------------------------------------------------------------- */

/* Physical dims aligned at the end, as a view of `rank` dims. */
static void widened_dims(const kiln_plan_tensor_record *t, uint32_t rank, int64_t *out) {
    int64_t own[KILN_MAX_RANK];
    record_dims(t, own);
    for (uint32_t k = 0; k < rank; k++) {
        uint32_t missing = rank - t->rank;
        out[k] = k < missing ? 1 : own[k - missing];
    }
}

const char *broadcast_value(exporting *x, uint32_t tensor, const kiln_plan_tensor_record *out) {
    const kiln_plan_tensor_record *t = &x->v.tensors[tensor];
    const char *value = value_of(x, tensor);
    int64_t dims[KILN_MAX_RANK];
    bool plain = out->layout == KILN_ROW_MAJOR ? t->layout == KILN_ROW_MAJOR
                                               : t->layout == KILN_CHANNELS_LAST;
    if (value == NULL || (plain && (out->layout == KILN_ROW_MAJOR || t->rank == out->rank))) {
        return value;
    }
    widened_dims(t, out->rank, dims);
    value = reshaped(x, to_physical(x, value, t), out->rank, dims, t->batched);
    return out->layout == KILN_CHANNELS_LAST ? to_logical(x, value, out->rank) : value;
}
