/* Attributes of nodes. An attribute of another type than the one asked for counts as absent. */
#include "compiler/graph/graph.h"

#include <string.h>

const attribute *node_attribute(const node *n, const char *name) {
    for (size_t k = 0; k < n->attribute_count; k++) {
        if (strcmp(n->attributes[k].name, name) == 0) {
            return &n->attributes[k];
        }
    }
    return NULL;
}

static const attribute *find_typed(const node *n, const char *name, attribute_type type) {
    const attribute *a = node_attribute(n, name);
    return a != NULL && a->type == type ? a : NULL;
}

int64_t node_int(const node *n, const char *name, int64_t fallback) {
    const attribute *a = find_typed(n, name, ATTRIBUTE_INT);
    return a == NULL ? fallback : a->i;
}

float node_float(const node *n, const char *name, float fallback) {
    const attribute *a = find_typed(n, name, ATTRIBUTE_FLOAT);
    return a == NULL ? fallback : a->f;
}

const char *node_string(const node *n, const char *name, const char *fallback) {
    const attribute *a = find_typed(n, name, ATTRIBUTE_STRING);
    return a == NULL ? fallback : a->s;
}

static int copy_ints(const int64_t *values, size_t count, int64_t *out, int capacity) {
    int copied = count < (size_t)capacity ? (int)count : capacity;
    if (copied > 0) {
        memcpy(out, values, (size_t)copied * sizeof *out);
    }
    return copied;
}

int node_ints(const node *n, const char *name, int64_t *out, int capacity) {
    const attribute *a = find_typed(n, name, ATTRIBUTE_INTS);
    return a == NULL ? -1 : copy_ints(a->ints, a->count, out, capacity);
}

int node_input_ints(const node *n, size_t k, int64_t *out, int capacity) {
    const tensor *t = k < n->input_count ? n->inputs[k] : NULL;
    const int64_t *values = tensor_is_constant(t) && t->dtype == KILN_I64 ? tensor_i64(t) : NULL;
    return values == NULL ? -1 : copy_ints(values, (size_t)tensor_elements(t), out, capacity);
}

/* ---- Setting ------------------------------------------------------------------------------- */

/* Replaces the attribute of that name, or adds it. */
static kiln_status set_attribute(graph *g, node *n, attribute value) {
    attribute *all = n->attributes;
    size_t at = 0;
    while (at < n->attribute_count && strcmp(all[at].name, value.name) != 0) {
        at++;
    }
    if (at == n->attribute_count) {
        all = graph_allocate(g, (at + 1) * sizeof *all);
        value.name = graph_strdup(g, value.name);
        if (all == NULL || value.name == NULL) {
            return KILN_ERROR_MEMORY;
        }
        if (at > 0) {
            memcpy(all, n->attributes, at * sizeof *all);
        }
        n->attributes = all;
        n->attribute_count = at + 1;
    } else {
        value.name = all[at].name;
    }
    all[at] = value;
    return KILN_OK;
}

kiln_status node_set_int(graph *g, node *n, const char *name, int64_t value) {
    return set_attribute(g, n, (attribute){.name = name, .type = ATTRIBUTE_INT, .i = value});
}

kiln_status node_set_float(graph *g, node *n, const char *name, float value) {
    return set_attribute(g, n, (attribute){.name = name, .type = ATTRIBUTE_FLOAT, .f = value});
}

kiln_status node_set_string(graph *g, node *n, const char *name, const char *value) {
    value = graph_strdup(g, value);
    return value == NULL
               ? KILN_ERROR_MEMORY
               : set_attribute(g, n,
                               (attribute){.name = name, .type = ATTRIBUTE_STRING, .s = value});
}

kiln_status node_set_ints(graph *g, node *n, const char *name, const int64_t *values,
                          size_t count) {
    int64_t *copy = graph_allocate(g, count * sizeof *copy);
    if (copy == NULL) {
        return KILN_ERROR_MEMORY;
    }
    if (count > 0) {
        memcpy(copy, values, count * sizeof *copy);
    }
    return set_attribute(
        g, n, (attribute){.name = name, .type = ATTRIBUTE_INTS, .count = count, .ints = copy});
}

kiln_status node_axis(const graph *g, const node *n, int64_t axis, uint32_t rank,
                      uint32_t *out_axis) {
    if (axis < -(int64_t)rank || axis >= (int64_t)rank) {
        return node_fail(g, n, KILN_ERROR_FORMAT, "axis %lld of a tensor with %u dimensions",
                         (long long)axis, rank);
    }
    *out_axis = (uint32_t)(axis < 0 ? axis + (int64_t)rank : axis);
    return KILN_OK;
}
