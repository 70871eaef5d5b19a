/* Given values that operators need when compiling become constants. The inputs that are left get
 * the casts from their types to the graph's. */
#include "compiler/import/importing.h"
#include "compiler/ops/ops.h"
#include <kiln/element.h>

#include <string.h>

/* ---- Constants ----------------------------------------------------------------------------- */

/* Marks (tensor->mark = 1) what operators must know when compiling, traced back to the inputs. */
static void mark_needed(graph *g) {
    graph_clear_marks(g);
    for (size_t k = g->node_count; k-- > 0;) {
        const node *n = g->nodes[k];
        bool needed = false;
        for (size_t o = 0; o < n->output_count; o++) {
            needed = needed || (n->outputs[o] != NULL && n->outputs[o]->mark != 0);
        }
        needed = needed && (n->op->flags & OP_SHAPE_ONLY) == 0;
        for (size_t i = 0; i < n->input_count; i++) {
            bool slot = i < 32 && (n->op->constant_inputs >> i & 1) != 0;
            if (n->inputs[i] != NULL && (slot || needed)) {
                n->inputs[i]->mark = 1;
            }
        }
    }
}

static bool is_bindable(kiln_dtype given, kiln_dtype wanted) {
    bool logical = given == KILN_BOOL || wanted == KILN_BOOL;
    return given == wanted ||
           (!logical && kiln_dtype_is_float(given) == kiln_dtype_is_float(wanted));
}

static kiln_status bind_value(importing *im, tensor *t, const kiln_value *value) {
    if (!is_bindable(value->dtype, t->dtype)) {
        return graph_fail(im->g, KILN_ERROR_ARGUMENT, "input '%s' is of type %s; %s was given",
                          t->name, kiln_dtype_name(t->dtype), kiln_dtype_name(value->dtype));
    }
    set_inner_type(t, t->dtype);
    t->is_input = false;
    kiln_status status = tensor_allocate(im->g, t);
    for (size_t k = 0; status == KILN_OK && k < (size_t)tensor_elements(t); k++) {
        kiln_element_convert(value->dtype, value->data, t->dtype, t->owned, k);
    }
    return status;
}

kiln_status bind_initializer(importing *im, tensor *t) {
    const kiln_value *value = given_value(im, t->name, SIZE_MAX);
    if (value == NULL || value->data == NULL) {
        return KILN_OK;
    }
    kiln_status status = shape_from_value(im, value, NULL, t);
    return status == KILN_OK ? bind_value(im, t, value) : status;
}

/* ---- Inputs -------------------------------------------------------------------------------- */

/* Who reads an input of a type that only the boundary has reads its cast instead. */
static kiln_status cast_input(importing *im, tensor *t) {
    if (t->dtype == inner_dtype(t->dtype)) {
        return KILN_OK;
    }
    tensor *inner = graph_add_tensor(im->g, t->name, t->dtype);
    if (inner == NULL) {
        return KILN_ERROR_MEMORY;
    }
    set_inner_type(inner, t->dtype);
    kiln_status status = graph_replace_uses(im->g, t, inner);
    return status == KILN_OK ? add_boundary_cast(im, t, inner) : status;
}

/* The nodes from `first` on move to the front, where inputs are read. */
static kiln_status move_to_front(graph *g, size_t first) {
    size_t moved = g->node_count - first;
    node **copy = graph_allocate(g, g->node_count * sizeof(node *));
    if (copy == NULL) {
        return KILN_ERROR_MEMORY;
    }
    if (moved > 0) {
        memcpy(copy, g->nodes + first, moved * sizeof(node *));
        memcpy(copy + moved, g->nodes, first * sizeof(node *));
        memcpy(g->nodes, copy, g->node_count * sizeof(node *));
    }
    return KILN_OK;
}

kiln_status bind_inputs(importing *im) {
    graph *g = im->g;
    kiln_status status = check_given_names(im);
    size_t kept = 0, computing = g->node_count;
    mark_needed(g);
    for (size_t k = 0; k < g->input_count && status == KILN_OK; k++) {
        tensor *t = g->inputs[k];
        const kiln_value *value = given_value(im, t->name, k);
        bool binds = !im->options->sample_inputs || t->mark != 0;
        if (binds && value != NULL && value->data != NULL) {
            status = bind_value(im, t, value);
        } else {
            status = cast_input(im, t);
            g->inputs[kept++] = t;
        }
    }
    g->input_count = kept;
    return status == KILN_OK ? move_to_front(g, computing) : status;
}
