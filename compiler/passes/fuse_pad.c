/* A Pad with zeros before a convolution or an average pool, or with what is no larger than any
 * element before a maximum pool, becomes that operator's own padding. */
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"

#include <float.h>
#include <string.h>

typedef struct padding {
    int64_t begin[KILN_MAX_RANK], end[KILN_MAX_RANK];
    float value;
} padding;

/* The padding of a constant-mode Pad whose parameters are known. */
static bool read_pad(const node *n, padding *out_padding) {
    const tensor *x = n->inputs[0], *y = n->outputs[0];
    int64_t pads[2 * KILN_MAX_RANK], axes[KILN_MAX_RANK];
    int count = n->input_count > 1 ? node_input_ints(n, 1, pads, 2 * KILN_MAX_RANK)
                                   : node_ints(n, "pads", pads, 2 * KILN_MAX_RANK);
    if (strcmp(node_string(n, "mode", "constant"), "constant") != 0 || count < 0 ||
        x->dtype != KILN_F32) {
        return false;
    }
    int axis_count = -1;
    if (n->input_count > 3 && n->inputs[3] != NULL) {
        axis_count = node_input_ints(n, 3, axes, KILN_MAX_RANK);
    }
    *out_padding = (padding){.value = node_float(n, "value", 0.0f)};
    if (n->input_count > 2 && n->inputs[2] != NULL &&
        !scalar_value(n->inputs[2], &out_padding->value)) {
        return false;
    }
    int half = count / 2;
    for (int k = 0; k < half; k++) {
        int64_t axis = axis_count >= 0 && k < axis_count ? axes[k] : k;
        axis += axis < 0 ? x->rank : 0;
        if (axis < 0 || axis >= x->rank) {
            return false;
        }
        out_padding->begin[axis] = pads[k];
        out_padding->end[axis] = pads[half + k];
    }
    for (uint32_t k = 0; k < x->rank; k++) {
        bool plain = out_padding->begin[k] >= 0 && out_padding->end[k] >= 0 &&
                     y->dims[k] == x->dims[k] + out_padding->begin[k] + out_padding->end[k];
        if (!plain || (k < 2 && y->dims[k] != x->dims[k])) {
            return false;
        }
    }
    return true;
}

/* Makes VALID explicit. False where padding is not explicit: "SAME" would see another size of
 * input. */
static bool make_explicit(node *n) {
    for (size_t k = 0; k < n->attribute_count; k++) {
        attribute *a = &n->attributes[k];
        if (strcmp(a->name, "auto_pad") == 0) {
            if (strcmp(a->s, "NOTSET") != 0 && strcmp(a->s, "VALID") != 0) {
                return false;
            }
            a->s = "NOTSET";
        }
    }
    return true;
}

static bool all_zero(const int64_t *values, size_t count) {
    for (size_t k = 0; k < count; k++) {
        if (values[k] != 0) {
            return false;
        }
    }
    return true;
}

/* Is no element of t below 0? */
static bool is_not_negative(const tensor *t) {
    float least, most;
    return clamp_bounds(t->producer, &least, &most)
               ? least >= 0
               : node_is(t->producer, "Sigmoid") || node_is(t->producer, "HardSigmoid");
}

/* Has each window an element that is no padding? */
static bool covers_elements(const node *n, const int64_t *own, const padding *pad, size_t spatial) {
    int64_t kernel[KILN_MAX_RANK], dilations[KILN_MAX_RANK];
    bool covers = node_ints(n, "kernel_shape", kernel, KILN_MAX_RANK) == (int)spatial;
    int dilated = node_ints(n, "dilations", dilations, KILN_MAX_RANK);
    for (size_t s = 0; s < spatial && covers; s++) {
        covers = own[s] + pad->begin[s + 2] < kernel[s] &&
                 own[spatial + s] + pad->end[s + 2] < kernel[s] &&
                 (dilated < 0 || (s < (size_t)dilated && dilations[s] == 1));
    }
    return covers;
}

/* May `n` take this padding as its own? `own` are the pads that it has already. */
static bool accepts(const node *n, const tensor *x, const padding *pad, const int64_t *own,
                    size_t count) {
    if (node_is(n, "Conv")) {
        return pad->value == 0.0f;
    }
    if (node_is(n, "AveragePool")) {
        return pad->value == 0.0f && node_int(n, "ceil_mode", 0) == 0 &&
               (all_zero(own, count) || node_int(n, "count_include_pad", 0) != 0);
    }
    bool lowest = pad->value <= -FLT_MAX || (pad->value == 0.0f && is_not_negative(x) &&
                                             covers_elements(n, own, pad, count / 2));
    return node_is(n, "MaxPool") && lowest && node_int(n, "ceil_mode", 0) == 0 &&
           n->output_count == 1;
}

static kiln_status fuse(graph *g, node *pad_node, size_t *inout_rewrites) {
    padding pad;
    node *n = node_is(pad_node, "Pad") ? tensor_single_consumer(pad_node->outputs[0]) : NULL;
    if (n == NULL || n->inputs[0] != pad_node->outputs[0] || !read_pad(pad_node, &pad)) {
        return KILN_OK;
    }
    size_t spatial = (size_t)pad_node->inputs[0]->rank - 2;
    int64_t pads[2 * KILN_MAX_RANK] = {0};
    if (pad_node->inputs[0]->rank < 3) {
        return KILN_OK;
    }
    int count = node_ints(n, "pads", pads, 2 * KILN_MAX_RANK);
    bool accepted = accepts(n, pad_node->inputs[0], &pad, pads, 2 * spatial);
    for (size_t s = 0; s < spatial; s++) {
        pads[s] += pad.begin[s + 2];
        pads[spatial + s] += pad.end[s + 2];
        accepted = accepted && pads[s] <= WINDOW_MOST && pads[spatial + s] <= WINDOW_MOST;
    }
    if ((count >= 0 && count != (int)(2 * spatial)) || !accepted || !make_explicit(n)) {
        return KILN_OK;
    }
    kiln_status status = node_set_ints(g, n, "pads", pads, 2 * spatial);
    if (status == KILN_OK && node_is(n, "AveragePool")) {
        status = node_set_int(g, n, "count_include_pad", 1);
    }
    if (status == KILN_OK) {
        status = node_set_input(g, n, 0, pad_node->inputs[0]);
    }
    const char *origin = graph_printf(g, "%s + %s", pad_node->origin, n->origin);
    n->origin = origin != NULL ? origin : n->origin;
    pad_node->dead = true;
    ++*inout_rewrites;
    return status;
}

kiln_status pass_fuse_pad(graph *g, size_t *inout_rewrites) {
    for (size_t k = 0; k < g->node_count; k++) {
        kiln_status status = fuse(g, g->nodes[k], inout_rewrites);
        if (status != KILN_OK) {
            return status;
        }
    }
    return KILN_OK;
}
