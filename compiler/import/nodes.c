/* NodeProto to node. Constant nodes become constants. */
#include "compiler/import/importing.h"
#include "compiler/ops/ops.h"

#include <stdlib.h>
#include <string.h>

enum { NODE_ATTRIBUTE = 5 };

/* ---- Operands ------------------------------------------------------------------------------ */

/* Finds the tensors of names; "" is an operand left out. */
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

/* The count without operands left out at the end, which are as good as not there. */
static size_t trimmed(tensor *const *operands, size_t count) {
    while (count > 0 && operands[count - 1] == NULL) {
        count--;
    }
    return count;
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

/* Makes the node without its attributes, which stay in the file until they are wanted. */
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
    return called != NULL ? import_call(im, message, called, &draft, import_node)
           : strcmp(draft.op->name, "Constant") == 0 ? add_constant(im, message, &draft)
           : strcmp(draft.op->name, "If") == 0
               ? import_if(im, message, &draft, p->n_output, import_node)
               : add_node(im, message, &draft);
}

kiln_status import_node(importing *im, kiln_span message) {
    size_t size = 0;
    kiln_span attributes;
    uint8_t *bare = wire_without(&im->memory, message, NODE_ATTRIBUTE, &size, &attributes);
    Onnx__NodeProto *p = bare != NULL ? onnx__node_proto__unpack(&im->memory, size, bare) : NULL;
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
