/* Unique, of what is known when compiling: the different elements, or slices along an axis. */
#include "compiler/ops/axes.h"
#include "compiler/ops/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A slice: its elements in order, as integers that compare as they do. */
typedef struct item {
    const int64_t *keys;
    int64_t length, index;
    int64_t first; /* that is equal to it */
    int64_t group; /* of equal ones, in the order of the result */
} item;

typedef struct groups {
    int64_t *keys;
    item *items;  /* in their own order, in the end */
    item *firsts; /* of each group, in the order of the result */
    int64_t count, group_count;
} groups;

static int compare_items(const void *left, const void *right) {
    const item *a = left, *b = right;
    for (int64_t k = 0; k < a->length; k++) {
        if (a->keys[k] != b->keys[k]) {
            return a->keys[k] < b->keys[k] ? -1 : 1;
        }
    }
    return a->index < b->index ? -1 : a->index > b->index;
}

static int compare_indices(const void *left, const void *right) {
    const item *a = left, *b = right;
    return a->index < b->index ? -1 : a->index > b->index;
}

/* Floats by their bits: sign and magnitude. */
static int64_t key_of(const tensor *t, int64_t k) {
    int32_t bits;
    if (t->dtype != KILN_F32) {
        return t->dtype == KILN_I64 ? tensor_i64(t)[k] : tensor_bytes(t)[k] != 0;
    }
    float value = tensor_f32_at(t, k);
    memcpy(&bits, &value, sizeof bits);
    return value == 0 ? 0 : bits < 0 ? -(int64_t)(bits & INT32_MAX) : bits;
}

static void groups_free(groups *u) {
    free(u->keys);
    free(u->items);
    free(u->firsts);
}

/* Without an axis, each element is a slice. */
static kiln_status unique_span(const graph *g, const node *n, axis_span *out) {
    const tensor *x = n->inputs[0];
    uint32_t axis;
    if (node_attribute(n, "axis") == NULL) {
        *out = (axis_span){1, tensor_elements(x), 1};
        return KILN_OK;
    }
    kiln_status status = node_axis(g, n, node_int(n, "axis", 0), x->rank, &axis);
    if (status == KILN_OK) {
        *out = axis_span_of(x, axis);
    }
    return status;
}

/* Items in order of value: one that equals the one before it is of its group, whose first it is
 * known by until the groups are in order. */
static void number_groups(groups *u, bool sorted) {
    qsort(u->items, (size_t)u->count, sizeof *u->items, compare_items);
    for (int64_t k = 0; k < u->count; k++) {
        item *i = &u->items[k];
        size_t bytes = (size_t)i->length * sizeof *i->keys;
        if (k == 0 || memcmp(i->keys, u->items[k - 1].keys, bytes) != 0) {
            u->firsts[u->group_count++] = *i;
        }
        i->first = u->firsts[u->group_count - 1].index;
    }
    if (!sorted) {
        qsort(u->firsts, (size_t)u->group_count, sizeof *u->firsts, compare_indices);
    }
    qsort(u->items, (size_t)u->count, sizeof *u->items, compare_indices);
    for (int64_t k = 0; k < u->group_count; k++) {
        u->items[u->firsts[k].index].group = k;
    }
    for (int64_t k = 0; k < u->count; k++) {
        u->items[k].group = u->items[u->items[k].first].group;
    }
}

static kiln_status find_groups(const graph *g, const node *n, groups *out) {
    const tensor *x = n->inputs[0];
    axis_span v;
    kiln_status status = unique_span(g, n, &v);
    if (status != KILN_OK) {
        return status;
    }
    size_t elements = (size_t)tensor_elements(x), count = (size_t)v.size;
    *out = (groups){.keys = malloc(elements * sizeof *out->keys + 1),
                    .items = malloc(count * sizeof *out->items + 1),
                    .firsts = malloc(count * sizeof *out->firsts + 1),
                    .count = v.size};
    if (out->keys == NULL || out->items == NULL || out->firsts == NULL) {
        groups_free(out);
        return graph_fail(g, KILN_ERROR_MEMORY, "out of memory");
    }
    int64_t length = v.outer * v.inner;
    for (int64_t k = 0; k < v.size * length; k++) {
        int64_t slice = k / length, at = k % length;
        out->keys[k] = key_of(x, (at / v.inner * v.size + slice) * v.inner + at % v.inner);
    }
    for (int64_t k = 0; k < v.size; k++) {
        out->items[k] = (item){.keys = out->keys + k * length, .length = length, .index = k};
    }
    number_groups(out, node_int(n, "sorted", 1) != 0);
    return KILN_OK;
}

static kiln_status infer_unique(graph *g, node *n) {
    const tensor *x = n->inputs[0];
    int64_t dims[KILN_MAX_RANK], axis = node_int(n, "axis", 0);
    bool flat = node_attribute(n, "axis") == NULL;
    groups u;
    if (!tensor_is_constant(x)) {
        return node_fail(g, n, KILN_ERROR_UNSUPPORTED, "as many results as a run finds");
    }
    kiln_status status = refuse_batch_values(g, n, 0);
    if (status == KILN_OK) {
        status = find_groups(g, n, &u);
    }
    if (status != KILN_OK) {
        return status;
    }
    memcpy(dims, x->dims, sizeof dims);
    dims[flat ? 0 : axis < 0 ? axis + x->rank : axis] = u.group_count;
    for (size_t k = 0; k < n->output_count && status == KILN_OK; k++) {
        if (n->outputs[k] != NULL) {
            n->outputs[k]->dtype = k == 0 ? x->dtype : KILN_I64;
            status = k == 0 ? tensor_set_shape(g, n, n->outputs[k], flat ? 1 : x->rank, dims)
                            : tensor_set_shape(g, n, n->outputs[k], 1,
                                               k == 2 ? &u.count : &u.group_count);
        }
    }
    groups_free(&u);
    return status;
}

static kiln_status evaluate_unique(graph *g, node *n) {
    const tensor *x = n->inputs[0];
    size_t size = kiln_dtype_size(x->dtype);
    axis_span v;
    groups u;
    kiln_status status = unique_span(g, n, &v);
    if (status == KILN_OK) {
        status = find_groups(g, n, &u);
    }
    if (status != KILN_OK) {
        return status;
    }
    int64_t *results[4] = {NULL};
    for (size_t k = 1; k < n->output_count; k++) {
        results[k] = n->outputs[k] != NULL ? n->outputs[k]->owned : NULL;
    }
    for (int64_t k = 0; k < u.group_count; k++) {
        for (int64_t o = 0; o < v.outer; o++) {
            memcpy((uint8_t *)n->outputs[0]->owned +
                       (size_t)((o * u.group_count + k) * v.inner) * size,
                   tensor_bytes(x) + (size_t)((o * v.size + u.firsts[k].index) * v.inner) * size,
                   (size_t)v.inner * size);
        }
        if (results[1] != NULL) {
            results[1][k] = u.firsts[k].index;
        }
    }
    for (int64_t k = 0; k < u.count; k++) {
        if (results[2] != NULL) {
            results[2][k] = u.items[k].group;
        }
        if (results[3] != NULL) {
            results[3][u.items[k].group]++;
        }
    }
    groups_free(&u);
    return KILN_OK;
}

const op ops_unique[] = {
    {"Unique", 11, OP_INPUTS(1, 1), OP_OUTPUTS(1, 4), .constant_inputs = 1, .infer = infer_unique,
     .evaluate = evaluate_unique, .lower = lower_unfoldable},
    {.name = NULL},
};
