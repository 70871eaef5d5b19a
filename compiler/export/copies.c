/* COPY to ONNX: what it does is followed element by element, then said as simply as possible: the
 * same elements, a transposition, or else a Gather of any order. */
#include "compiler/export/exporting.h"
#include "runtime/plan/layout.h"

#include <stdlib.h>
#include <string.h>

/* Elements of a copy that are followed, 8 bytes each. */
#define MOST_FOLLOWED ((size_t)1 << 26)

/* How dense positions in physical order become those in ONNX's order, for one sample. */
typedef struct positions {
    size_t strides[KILN_MAX_RANK]; /* of physical dims, in ONNX's order */
    size_t dims[KILN_MAX_RANK];    /* physical */
    uint32_t rank;
} positions;

static positions positions_of(const kiln_plan_tensor_record *t) {
    positions p = {.rank = t->rank};
    int64_t physical[KILN_MAX_RANK];
    size_t stride = 1;
    record_dims(t, physical);
    for (uint32_t k = t->rank; k-- > 0;) {
        p.strides[layout_physical_axis(t->layout, t->rank, k)] = stride;
        p.dims[k] = (size_t)physical[k];
        stride *= t->dims[k];
    }
    return p;
}

static size_t logical_position(const positions *p, size_t physical) {
    size_t at = 0;
    for (uint32_t d = p->rank; d-- > 0;) {
        at += physical % p->dims[d] * p->strides[d];
        physical /= p->dims[d];
    }
    return at;
}

/* map[i]: which element of x, in ONNX's order, becomes element i of y. NULL: memory, too many,
 * or a copy that leaves elements of y alone. */
static int64_t *follow(const exporting *x, const kiln_copy_params *p) {
    const kiln_plan_tensor_record *from = step_tensor(x, 0), *to = step_tensor(x, 1);
    size_t count = elements_of(to), room = elements_of(from);
    const positions read = positions_of(from), write = positions_of(to);
    int64_t *map = count <= MOST_FOLLOWED ? malloc(count * sizeof *map + 1) : NULL;
    bool good = map != NULL;
    uint32_t index[KILN_MAX_RANK] = {0};
    size_t done = 0;
    for (size_t k = 0; good && k < count; k++) {
        map[k] = -1;
    }
    for (bool more = good; more; done++) {
        int64_t a = p->input_start, b = p->output_start;
        for (uint32_t d = 0; d < p->rank; d++) {
            a += (int64_t)index[d] * p->input_strides[d];
            b += (int64_t)index[d] * p->output_strides[d];
        }
        good = good && a >= 0 && (size_t)a < room && b >= 0 && (size_t)b < count;
        if (!good) {
            break;
        }
        map[logical_position(&write, (size_t)b)] = (int64_t)logical_position(&read, (size_t)a);
        more = false;
        for (uint32_t d = p->rank; d-- > 0 && !more;) {
            more = ++index[d] < p->dims[d];
            index[d] = more ? index[d] : 0;
        }
    }
    if (!good || done < count) {
        free(map);
        return NULL;
    }
    return map;
}

static bool is_identity(const int64_t *map, size_t count) {
    for (size_t k = 0; k < count; k++) {
        if (map[k] != (int64_t)k) {
            return false;
        }
    }
    return true;
}

/* Does y[i] = x transposed by `order` say the same? */
static bool is_transposed(const kiln_plan_tensor_record *from, const kiln_plan_tensor_record *to,
                          const int64_t *order, const int64_t *map) {
    size_t strides[KILN_MAX_RANK], stride = 1;
    for (uint32_t k = from->rank; k-- > 0;) {
        strides[k] = stride;
        stride *= from->dims[k];
    }
    for (uint32_t k = 0; k < to->rank; k++) {
        if (to->dims[k] != from->dims[order[k]]) {
            return false;
        }
    }
    for (size_t i = 0, count = elements_of(to); i < count; i++) {
        size_t left = i, at = 0;
        for (uint32_t k = to->rank; k-- > 0;) {
            at += left % to->dims[k] * strides[order[k]];
            left /= to->dims[k];
        }
        if (map[i] != (int64_t)at) {
            return false;
        }
    }
    return true;
}

/* Goes on to the next permutation in lexical order; false after the last. */
static bool next_order(int64_t *order, uint32_t rank) {
    uint32_t k = rank - 1, other = rank - 1;
    while (k > 0 && order[k - 1] >= order[k]) {
        k--;
    }
    if (k == 0) {
        return false;
    }
    while (order[other] <= order[k - 1]) {
        other--;
    }
    int64_t kept = order[k - 1];
    order[k - 1] = order[other];
    order[other] = kept;
    for (uint32_t a = k, b = rank - 1; a < b; a++, b--) {
        kept = order[a];
        order[a] = order[b];
        order[b] = kept;
    }
    return true;
}

static const char *as_transpose(exporting *x, const char *value, const int64_t *map) {
    const kiln_plan_tensor_record *from = step_tensor(x, 0), *to = step_tensor(x, 1);
    int64_t order[KILN_MAX_RANK];
    for (uint32_t k = 0; k < from->rank; k++) {
        order[k] = k;
    }
    if (from->rank != to->rank || from->rank < 2 || from->rank > 6) {
        return NULL;
    }
    do {
        bool batch_stays = order[0] == 0 || !to->batched;
        if (batch_stays && is_transposed(from, to, order, map)) {
            return transposed(x, value, from->rank, order, NULL);
        }
    } while (next_order(order, from->rank));
    return NULL;
}

/* Says any order as a Gather from the sample as one line. */
static const char *as_gather(exporting *x, const char *value, const int64_t *map) {
    const kiln_plan_tensor_record *from = step_tensor(x, 0), *to = step_tensor(x, 1);
    int64_t flat[2] = {1, (int64_t)elements_of(from)};
    Onnx__NodeProto *node;
    const char *inputs[2] = {reshaped(x, value, 2, flat, from->batched),
                             model_integers(&x->model, elements_of(to), map)};
    const char *y = model_node(&x->model, "Gather", NULL, 2, inputs, &node);
    model_int(&x->model, node, "axis", 1);
    return y;
}

kiln_status export_copy(exporting *x) {
    const kiln_plan_tensor_record *from = step_tensor(x, 0), *to = step_tensor(x, 1);
    kiln_copy_params p;
    int64_t dims[KILN_MAX_RANK];
    memcpy(&p, x->v.params + x->step->params_offset, sizeof p);
    const char *value = value_of(x, step_operand(x, 0));
    if (value == NULL) {
        return KILN_ERROR_UNSUPPORTED;
    }
    int64_t *map = from->batched == to->batched ? follow(x, &p) : NULL;
    if (map == NULL) {
        return export_fail(x, "a copy over samples, of a part, or of very many elements");
    }
    bool same_shape = from->rank == to->rank && memcmp(from->dims, to->dims, sizeof to->dims) == 0;
    bool identity = elements_of(from) == elements_of(to) && is_identity(map, elements_of(to));
    const char *moved = identity ? value : as_transpose(x, value, map);
    if (moved == NULL) {
        moved = as_gather(x, value, map);
        same_shape = false;
    } else if (!identity) {
        same_shape = true;
    }
    free(map);
    for (uint32_t k = 0; k < to->rank; k++) {
        dims[k] = to->dims[k];
    }
    if (!same_shape) {
        moved = reshaped(x, moved, to->rank, dims, to->batched);
    }
    /* An output of the plan has a name to keep. */
    if (to->place == KILN_PLACE_OUTPUT) {
        moved = model_node(&x->model, "Identity", x->v.strings + to->name, 1, &moved, NULL);
    }
    value_written(x, step_operand(x, 1), moved);
    return KILN_OK;
}
