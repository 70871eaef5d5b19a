/* Identity, Dropout at inference, and reshapes, transposes, casts, pools of one element that change
 * nothing; and Expand before what broadcasts by itself, as exporters write a norm that a map is
 * divided by. Their readers read the input instead. */
#include "compiler/graph/element_type.h"
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"

#include <string.h>

static const char *const removable[] = {"Identity",  "Dropout",   "Reshape", "Flatten", "Squeeze",
                                        "Unsqueeze", "Transpose", "Cast",    "Expand",  "Tile"};

/* A pool whose windows are single elements, where the shape stays, too. */
static bool is_pool_of_one(const node *n) {
    int64_t kernel[KILN_MAX_RANK], pads[2 * KILN_MAX_RANK];
    bool single = (node_is(n, "AveragePool") || node_is(n, "MaxPool")) && is_unclamped(n);
    int count = single ? node_ints(n, "kernel_shape", kernel, KILN_MAX_RANK) : 0;
    for (int k = 0; k < count; k++) {
        single = single && kernel[k] == 1;
    }
    int padded = single ? node_ints(n, "pads", pads, 2 * KILN_MAX_RANK) : 0;
    for (int k = 0; k < padded; k++) {
        single = single && pads[k] == 0;
    }
    return single && count > 0;
}

static bool is_removable_kind(const node *n) {
    for (size_t k = 0; k < sizeof removable / sizeof *removable; k++) {
        if (node_is(n, removable[k])) {
            return true;
        }
    }
    return ((node_is(n, "Concat") || node_is(n, "Sum") || node_is(n, "Mean") || node_is(n, "Max") ||
             node_is(n, "Min")) &&
            n->input_count == 1) ||
           is_pool_of_one(n);
}

/* A cast to an integer type that is narrower than what holds it wraps. */
static bool keeps_values(const node *n) {
    kiln_dtype target;
    return !node_is(n, "Cast") ||
           (dtype_of_onnx_type(node_int(n, "to", 0), &target) && !is_narrow_integer(target));
}

/* A transpose that keeps the shape may still move elements. */
static bool keeps_order(const node *n) {
    int64_t perm[KILN_MAX_RANK];
    const tensor *x = n->inputs[0];
    if (!node_is(n, "Transpose")) {
        return true;
    }
    int count = node_ints(n, "perm", perm, KILN_MAX_RANK);
    int64_t last = -1;
    for (uint32_t k = 0; k < x->rank; k++) {
        int64_t axis = count < 0 ? (int64_t)x->rank - 1 - k : perm[k];
        if (axis < 0 || axis >= x->rank) {
            return false;
        }
        if (x->dims[axis] != 1) {
            if (axis < last) {
                return false;
            }
            last = axis;
        }
    }
    return true;
}

/* Does n broadcast its input k to the shape of the other one, which is that of `expanded`? */
static bool broadcasts(const node *n, size_t k, const tensor *expanded) {
    static const char *const names[] = {"Add", "Sub", "Mul", "Div", "Max", "Min"};
    bool known = false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        known = known || node_is(n, names[i]);
    }
    return known && n->input_count == 2 && n->inputs[k] == expanded &&
           n->inputs[1 - k] != expanded && tensor_same_shape(n->inputs[1 - k], expanded) &&
           node_int(n, "broadcast", 0) == 0;
}

/* Whoever broadcasts by itself reads what is expanded. */
static kiln_status pass_by(graph *g, node *expand, size_t *inout_rewrites) {
    tensor *x = expand->inputs[0], *y = expand->outputs[0];
    kiln_status status = KILN_OK;
    for (size_t k = y->consumer_count; k-- > 0 && status == KILN_OK;) {
        node *n = y->consumers[k];
        for (size_t i = 0; i < 2 && status == KILN_OK; i++) {
            if (broadcasts(n, i, y)) {
                status = node_set_input(g, n, i, x);
                ++*inout_rewrites;
            }
        }
    }
    expand->dead = y->consumer_count == 0 && !y->is_output;
    return status;
}

static bool changes_nothing(const node *n) {
    const tensor *x = n->inputs[0], *y = n->outputs[0];
    bool mask_wanted = n->output_count > 1 && n->outputs[1] != NULL &&
                       (n->outputs[1]->consumer_count > 0 || n->outputs[1]->is_output);
    return !y->is_output && !mask_wanted && x->dtype == y->dtype && tensor_same_shape(x, y) &&
           keeps_order(n) && keeps_values(n);
}

kiln_status pass_remove_no_ops(graph *g, size_t *inout_rewrites) {
    kiln_status status = KILN_OK;
    for (size_t k = 0; k < g->node_count && status == KILN_OK; k++) {
        node *n = g->nodes[k];
        if (n->dead || !is_removable_kind(n) || n->inputs[0] == NULL || n->outputs[0] == NULL) {
            continue;
        }
        if (changes_nothing(n)) {
            status = graph_replace_uses(g, n->outputs[0], n->inputs[0]);
            n->dead = true;
            ++*inout_rewrites;
        } else if (node_is(n, "Expand")) {
            status = pass_by(g, n, inout_rewrites);
        }
    }
    return status;
}
