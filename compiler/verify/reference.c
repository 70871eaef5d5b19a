/* The reference: the model's nodes in order, each computed naively from the plan's own values where
 * the plan has them, and compared with what the plan made of them. */
#include "compiler/verify/verify.h"

#include <string.h>
#include <unistd.h>

/* Gives a graph input the data that the plan got. */
static kiln_status set_input(graph *g, tensor *t, const kiln_value *value) {
    size_t bytes = (size_t)tensor_elements(t) * kiln_dtype_size(t->dtype);
    kiln_status status = tensor_allocate(g, t);
    if (status == KILN_OK && bytes > 0) {
        memcpy(t->owned, value->data, bytes);
    }
    t->mark |= MARK_VARIES;
    return status;
}

/* Compares all that the plan has under the tensor's name; what comes after is computed from it. */
static kiln_status judge_tensor(comparison *c, tensor *t) {
    kiln_status status = KILN_OK;
    for (size_t k = first_record(t); k != 0 && status == KILN_OK; k = c->records[k - 1].next) {
        status = compare_layer(c, &c->records[k - 1]);
    }
    recorded *first = first_record(t) != 0 ? &c->records[first_record(t) - 1] : NULL;
    if (status == KILN_OK && first != NULL && first->dtype == t->dtype &&
        first->count == (size_t)tensor_elements(t)) {
        tensor_release(t);
        t->data = t->owned = first->data;
        first->data = NULL;
    }
    return status;
}

static bool is_last_use(const node *n, const tensor *t) {
    return t->consumers[t->consumer_count - 1] == n;
}

/* Releases what is used for the last time. What the plan has stays, for condition.c. */
static void release_inputs(node *n) {
    for (size_t k = 0; k < n->input_count; k++) {
        tensor *t = n->inputs[k];
        bool kept = t == NULL || t->is_output || t->is_input || t->producer == NULL ||
                    t->consumer_count == 0 || !is_last_use(n, t) || first_record(t) != 0;
        if (!kept) {
            tensor_release(t);
        }
    }
}

static bool varies(const node *n) {
    bool result = false;
    for (size_t k = 0; k < n->input_count; k++) {
        result = result || (n->inputs[k] != NULL && (n->inputs[k]->mark & MARK_VARIES) != 0);
    }
    return result && (n->op->flags & OP_SHAPE_ONLY) == 0;
}

static kiln_status judge_node(comparison *c, node *n) {
    kiln_status status = evaluate_reference_node(c->reference, n);
    bool variable = varies(n);
    for (size_t k = 0; k < n->output_count; k++) {
        if (n->outputs[k] != NULL && variable) {
            n->outputs[k]->mark |= MARK_VARIES;
        }
    }
    for (size_t k = 0; k < n->output_count && status == KILN_OK; k++) {
        if (n->outputs[k] != NULL) {
            status = judge_tensor(c, n->outputs[k]);
        }
    }
    return status;
}

kiln_status judge_layers(comparison *c) {
    verification *v = c->v;
    graph *g = c->reference;
    kiln_status status = KILN_OK;
    for (size_t k = 0; k < g->input_count && status == KILN_OK; k++) {
        const kiln_value *value = find_value(c->inputs, c->input_count, g->inputs[k]->name);
        status = value != NULL ? set_input(g, g->inputs[k], value)
                               : kiln_fail(v->error, KILN_ERROR_ARGUMENT, "no data for input '%s'",
                                           g->inputs[k]->name);
        if (status == KILN_OK) {
            status = judge_tensor(c, g->inputs[k]);
        }
    }
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    g->threads = processors > 1 ? (uint32_t)processors : 1;
    for (size_t k = 0; k < g->node_count && status == KILN_OK; k++) {
        status = judge_node(c, g->nodes[k]);
        release_inputs(g->nodes[k]);
        if (v->options->on_progress != NULL) {
            v->options->on_progress(v->options->context, c->batch, k + 1, g->node_count);
        }
    }
    return status;
}
