/* The branches of If: both become nodes of the graph, and If itself chooses between their outputs
 * (ops/structure.c). What is chosen is settled later; the other branch is then dropped unseen. */
#include "compiler/import/importing.h"
#include "compiler/ops/ops.h"

#include <stdlib.h>
#include <string.h>

enum { NODE_ATTRIBUTE = 5, ATTRIBUTE_GRAPH_FIELD = 6 };

/* The GraphProto under an attribute's name; data NULL: there is none. */
static kiln_span graph_attribute(importing *im, kiln_span node_message, const char *name) {
    wire_field field;
    bool sound = true;
    kiln_span found = {NULL, 0};
    while (found.data == NULL && wire_next(&node_message, &field, &sound)) {
        if (field.number != NODE_ATTRIBUTE || field.type != WIRE_BYTES) {
            continue;
        }
        kiln_span content;
        size_t size = 0;
        uint8_t *bare =
            wire_without(&im->memory, field.bytes, ATTRIBUTE_GRAPH_FIELD, &size, &content);
        Onnx__AttributeProto *p =
            bare != NULL ? onnx__attribute_proto__unpack(&im->memory, size, bare) : NULL;
        if (p != NULL && p->name != NULL && strcmp(p->name, name) == 0) {
            found = content;
        }
        if (p != NULL) {
            onnx__attribute_proto__free_unpacked(p, NULL);
        }
        free(bare);
    }
    return found;
}

static kiln_status take_output(importing *im, kiln_span message) {
    scope *s = im->scope;
    Onnx__ValueInfoProto *p =
        onnx__value_info_proto__unpack(&im->memory, message.size, message.data);
    bool sound = p != NULL && p->name != NULL && p->name[0] != '\0' && s->output_count < s->room;
    kiln_status status =
        sound ? scope_tensor(im, p->name, &s->outputs[s->output_count++])
              : graph_fail(im->g, KILN_ERROR_FORMAT, "a branch's outputs are damaged, or too many");
    if (p != NULL) {
        onnx__value_info_proto__free_unpacked(p, NULL);
    }
    return status;
}

static kiln_status import_graph_parts(importing *im, kiln_span message, part_importer import_node) {
    kiln_status status =
        each_field(im, message, GRAPH_SPARSE_INITIALIZER, refuse_sparse_initializer);
    if (status == KILN_OK) {
        status = each_field(im, message, GRAPH_INITIALIZER, import_initializer);
    }
    return status == KILN_OK ? scope_import_nodes(im, message, GRAPH_NODE, import_node) : status;
}

static kiln_status import_branch(importing *im, kiln_span node_message, const node *draft,
                                 const char *name, part_importer import_node, tensor **outputs,
                                 size_t output_count) {
    kiln_span subgraph = graph_attribute(im, node_message, name);
    const char *prefix = graph_printf(im->g, "%s/%s", draft->name, name);
    if (prefix == NULL) {
        return KILN_ERROR_MEMORY;
    }
    scope s;
    kiln_status status = scope_open(im, &s, prefix);
    s.outputs = outputs;
    s.room = output_count;
    if (status == KILN_OK && subgraph.data != NULL) {
        status = import_graph_parts(im, subgraph, import_node);
    }
    if (status == KILN_OK && subgraph.data != NULL) {
        status = each_field(im, subgraph, GRAPH_OUTPUT, take_output);
    }
    scope_close(im, &s);
    return status != KILN_OK || s.output_count == output_count
               ? status
               : node_fail(im->g, draft, KILN_ERROR_FORMAT, "%s has %zu outputs, not %zu", name,
                           s.output_count, output_count);
}

kiln_status import_if(importing *im, kiln_span message, const node *draft, size_t output_count,
                      part_importer import_node) {
    static const char *const names[2] = {"then_branch", "else_branch"};
    tensor **inputs = graph_allocate(im->g, (1 + 2 * output_count) * sizeof(tensor *));
    if (inputs == NULL) {
        return KILN_ERROR_MEMORY;
    }
    if (draft->input_count != 1) {
        return node_fail(im->g, draft, KILN_ERROR_FORMAT, "expected one condition");
    }
    inputs[0] = draft->inputs[0];
    for (size_t k = 0; k < 2; k++) {
        kiln_status status = import_branch(im, message, draft, names[k], import_node,
                                           inputs + 1 + k * output_count, output_count);
        if (status != KILN_OK) {
            return status;
        }
    }
    node whole = *draft;
    whole.inputs = inputs;
    whole.input_count = 1 + 2 * output_count;
    node *n;
    return add_imported_node(im, &whole, &n);
}
