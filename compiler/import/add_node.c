/* Nodes of a model enter the graph. */
#include "compiler/import/importing.h"
#include "compiler/ops/ops.h"

#include <string.h>

bool is_onnx_domain(const char *domain) {
    return domain == NULL || domain[0] == '\0' || strcmp(domain, "ai.onnx") == 0;
}

static kiln_status check_counts(importing *im, const node *n) {
    const op *row = n->op;
    if (n->input_count < row->min_inputs ||
        (row->max_inputs != 255 && n->input_count > row->max_inputs) ||
        n->output_count < row->min_outputs ||
        (row->max_outputs != 255 && n->output_count > row->max_outputs)) {
        return node_fail(im->g, n, KILN_ERROR_FORMAT,
                         "%zu inputs and %zu outputs; expected %u to %u and %u to %u",
                         n->input_count, n->output_count, row->min_inputs, row->max_inputs,
                         row->min_outputs, row->max_outputs);
    }
    /* ONNX's own operators have what may be left out at the end. */
    bool own = strchr(row->name, '.') == NULL;
    for (size_t k = 0; own && k < row->min_inputs; k++) {
        if (n->inputs[k] == NULL) {
            return node_fail(im->g, n, KILN_ERROR_FORMAT, "input %zu is missing", k);
        }
    }
    return KILN_OK;
}

/* A first output that nobody wants gets a tensor: operators may rely on it. */
static kiln_status add_required_outputs(importing *im, const node *n) {
    for (size_t k = 0; k < n->op->min_outputs; k++) {
        if (n->outputs[k] == NULL) {
            n->outputs[k] = graph_add_tensor(im->g, NULL, KILN_F32);
        }
        if (n->outputs[k] == NULL) {
            return KILN_ERROR_MEMORY;
        }
    }
    return KILN_OK;
}

kiln_status claim_outputs(importing *im, const node *n) {
    for (size_t k = 0; k < n->output_count; k++) {
        tensor *t = n->outputs[k];
        if (t != NULL && (t->producer != NULL || t->is_input || t->data != NULL || t->mark != 0)) {
            return node_fail(im->g, n, KILN_ERROR_FORMAT, "tensor '%s' is defined twice", t->name);
        }
        if (t != NULL) {
            t->mark = 1;
        }
    }
    return KILN_OK;
}

kiln_status add_imported_node(importing *im, const node *draft, node **out_node) {
    kiln_status status = check_counts(im, draft);
    if (status == KILN_OK) {
        status = add_required_outputs(im, draft);
    }
    if (status == KILN_OK) {
        status = claim_outputs(im, draft);
    }
    if (status != KILN_OK) {
        return status;
    }
    *out_node = graph_add_node(im->g, draft->op, draft->name, draft->input_count, draft->inputs,
                               draft->output_count, draft->outputs);
    return *out_node != NULL ? KILN_OK : KILN_ERROR_MEMORY;
}
