/* NodeProto to node. Constant nodes become constants. */
#include "compiler/import/importing.h"
#include "compiler/ops/ops.h"

#include <stdlib.h>
#include <string.h>

enum { NODE_ATTRIBUTE = 5 };

/* ---- Operands ------------------------------------------------------------------------------ */

/* The tensors of names; "" is an operand left out. */
static kiln_status tensors_of_names(importing *im, char *const *names, size_t count,
                                    tensor ***out_tensors) {
    tensor **tensors = graph_allocate(im->g, count * sizeof(tensor *));
    kiln_status status = tensors != NULL ? KILN_OK : KILN_ERROR_MEMORY;
    for (size_t k = 0; status == KILN_OK && k < count; k++) {
        if (names[k][0] != '\0') {
            status = scope_tensor(im, names[k], &tensors[k]);
        }
    }
    *out_tensors = tensors;
    return status;
}

/* Operands left out at the end are as good as not there. */
static size_t trimmed(tensor *const *operands, size_t count) {
    while (count > 0 && operands[count - 1] == NULL) {
        count--;
    }
    return count;
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

/* Nobody else may have made an output. Marks those seen, for one that stands twice in the list. */
static kiln_status claim_outputs(importing *im, const node *n) {
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

/* ---- Nodes --------------------------------------------------------------------------------- */

/* A row of its own for an operator that the table does not have: whether it stands in the way shows
 * when all that is constant has been folded. */
static const op *unknown_operator(importing *im, const char *name) {
    op *row = graph_allocate(im->g, sizeof *row);
    name = graph_strdup(im->g, name);
    if (row == NULL || name == NULL) {
        return NULL;
    }
    *row = (op){.name = name, .max_inputs = 255, .max_outputs = 255, .flags = OP_UNKNOWN};
    return row;
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

static kiln_status add_node(importing *im, kiln_span message, const node *draft) {
    node *n;
    kiln_status status = add_imported_node(im, draft, &n);
    bool known = (draft->op->flags & OP_UNKNOWN) == 0;
    return status == KILN_OK && known ? import_attributes(im, message, n) : status;
}

static kiln_status add_constant(importing *im, kiln_span message, const node *draft) {
    if (draft->input_count != 0 || draft->output_count != 1) {
        return node_fail(im->g, draft, KILN_ERROR_FORMAT, "expected no inputs and one output");
    }
    kiln_status status = claim_outputs(im, draft);
    return status == KILN_OK ? import_constant_value(im, message, draft, draft->outputs[0])
                             : status;
}

bool is_onnx_domain(const char *domain) {
    return domain == NULL || domain[0] == '\0' || strcmp(domain, "ai.onnx") == 0;
}

/* The row of a node's operator, or one of its own; NULL: out of memory. */
static const op *find_operator(importing *im, const Onnx__NodeProto *p) {
    static const op constant = {.name = "Constant"};
    char name[160];
    bool own = is_onnx_domain(p->domain);
    if (own && strcmp(p->op_type, constant.name) == 0) {
        return &constant;
    }
    im->needs_version = im->needs_version || own;
    snprintf(name, sizeof name, "%.64s%s%.64s", own ? "" : p->domain, own ? "" : ".", p->op_type);
    const op *row = op_find(name);
    bool old = row != NULL && own && im->g->opset > 0 && im->g->opset < row->min_opset;
    if (old) { /* a model without a version is refused later */
        snprintf(name, sizeof name, "%.64s before opset %d", p->op_type, row->min_opset);
    }
    return row == NULL || old || (row->flags & OP_NOT_ONNX) != 0 ? unknown_operator(im, name) : row;
}

/* The node without its attributes, which stay in the file until they are wanted. */
static kiln_status make_draft(importing *im, const Onnx__NodeProto *p, node *out_draft) {
    *out_draft = (node){.op = find_operator(im, p)};
    if (out_draft->op == NULL) {
        return KILN_ERROR_MEMORY;
    }
    const char *name = p->name != NULL && p->name[0] != '\0' ? p->name
                       : p->n_output > 0                     ? p->output[0]
                                                             : "";
    out_draft->name = im->scope == NULL ? graph_strdup(im->g, name)
                                        : graph_printf(im->g, "%.200s/%s", im->scope->prefix, name);
    kiln_status status = tensors_of_names(im, p->input, p->n_input, &out_draft->inputs);
    if (status == KILN_OK) {
        status = tensors_of_names(im, p->output, p->n_output, &out_draft->outputs);
    }
    out_draft->input_count = trimmed(out_draft->inputs, p->n_input);
    out_draft->output_count = trimmed(out_draft->outputs, p->n_output);
    return out_draft->name != NULL ? status : KILN_ERROR_MEMORY;
}

static kiln_status import_known(importing *im, kiln_span message, const Onnx__NodeProto *p) {
    node draft;
    kiln_status status = count_inlined(im, message);
    if (status == KILN_OK) {
        status = make_draft(im, p, &draft);
    }
    if (status != KILN_OK) {
        return status;
    }
    bool unknown = (draft.op->flags & OP_UNKNOWN) != 0;
    struct function *called = unknown ? find_function(im, p) : NULL;
    return called != NULL                            ? import_call(im, message, called, &draft)
           : strcmp(draft.op->name, "Constant") == 0 ? add_constant(im, message, &draft)
           : strcmp(draft.op->name, "If") == 0       ? import_if(im, message, &draft, p->n_output)
                                                     : add_node(im, message, &draft);
}

kiln_status import_node(importing *im, kiln_span message) {
    size_t size = 0;
    kiln_span attributes;
    uint8_t *bare = wire_without(message, NODE_ATTRIBUTE, &size, &attributes);
    Onnx__NodeProto *p = bare != NULL ? onnx__node_proto__unpack(NULL, size, bare) : NULL;
    bool sound = p != NULL && p->op_type != NULL && p->op_type[0] != '\0';
    kiln_status status =
        sound ? import_known(im, message, p)
              : graph_fail(im->g, KILN_ERROR_FORMAT, "a node is damaged or has no operator");
    free(bare);
    if (p != NULL) {
        onnx__node_proto__free_unpacked(p, NULL);
    }
    return status;
}
