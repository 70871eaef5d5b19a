/* ONNX to graph: map the file, walk over the model, import its parts one at a time. */
#include "compiler/import/importing.h"
#include "compiler/ops/ops.h"

#include <libgen.h>
#include <stdlib.h>
#include <string.h>

#define OPSET_MIN 7
#define OPSET_MAX 21

/* Field numbers of the standard's onnx.proto that are walked, not unpacked. */
enum { MODEL_PRODUCER = 2, MODEL_PRODUCER_VERSION = 3, MODEL_GRAPH = 7, MODEL_OPSET = 8 };
enum {
    GRAPH_NODE = 1,
    GRAPH_INITIALIZER = 5,
    GRAPH_INPUT = 11,
    GRAPH_OUTPUT = 12,
    GRAPH_SPARSE_INITIALIZER = 15
};

/* ---- The model ----------------------------------------------------------------------------- */

static kiln_status read_opset(importing *im, kiln_span message) {
    Onnx__OperatorSetIdProto *p =
        onnx__operator_set_id_proto__unpack(NULL, message.size, message.data);
    if (p == NULL) {
        return graph_fail(im->g, KILN_ERROR_FORMAT, "an opset import is damaged");
    }
    bool own = p->domain == NULL || p->domain[0] == '\0' || strcmp(p->domain, "ai.onnx") == 0;
    if (own && p->version > im->g->opset) {
        im->g->opset = p->version;
    }
    onnx__operator_set_id_proto__free_unpacked(p, NULL);
    return KILN_OK;
}

static const char *text_of(importing *im, kiln_span bytes) {
    char *text = graph_allocate(im->g, bytes.size + 1);
    if (text != NULL && bytes.size > 0) {
        memcpy(text, bytes.data, bytes.size);
    }
    return text;
}

/* What a model says besides its graph; the graph's bytes are returned. */
static kiln_status read_model(importing *im, kiln_span rest, kiln_span *out_graph) {
    wire_field field;
    bool sound = true;
    const char *producer = "", *version = "";
    kiln_status status = KILN_OK;
    *out_graph = (kiln_span){NULL, 0};
    while (status == KILN_OK && wire_next(&rest, &field, &sound)) {
        if (field.type != WIRE_BYTES) {
            continue;
        }
        if (field.number == MODEL_GRAPH) {
            *out_graph = field.bytes;
        } else if (field.number == MODEL_OPSET) {
            status = read_opset(im, field.bytes);
        } else if (field.number == MODEL_PRODUCER) {
            producer = text_of(im, field.bytes);
        } else if (field.number == MODEL_PRODUCER_VERSION) {
            version = text_of(im, field.bytes);
        }
    }
    if (status != KILN_OK) {
        return status;
    }
    if (!sound || out_graph->data == NULL) {
        return graph_fail(im->g, KILN_ERROR_FORMAT, "not an ONNX model, or cut short");
    }
    if (producer == NULL || version == NULL) {
        return KILN_ERROR_MEMORY;
    }
    im->g->producer =
        graph_printf(im->g, "%s%s%s", producer, version[0] != '\0' ? " " : "", version);
    return im->g->producer != NULL ? KILN_OK : KILN_ERROR_MEMORY;
}

static kiln_status check_opset(importing *im) {
    graph *g = im->g;
    if (g->opset < 1) {
        return graph_fail(g, KILN_ERROR_FORMAT, "the model names no version of the ONNX operators");
    }
    if (g->opset < OPSET_MIN || g->opset > OPSET_MAX) {
        snprintf(g->note, sizeof g->note, "opset %lld is %s than %d: tried", (long long)g->opset,
                 g->opset < OPSET_MIN ? "older" : "newer",
                 g->opset < OPSET_MIN ? OPSET_MIN : OPSET_MAX);
    }
    return KILN_OK;
}

/* ---- Nodes --------------------------------------------------------------------------------- */

/* The tensor of a name, made when it is first met. "" is an operand left out. */
static kiln_status tensor_of_name(importing *im, const char *name, tensor **out_tensor) {
    *out_tensor = NULL;
    if (name[0] == '\0') {
        return KILN_OK;
    }
    *out_tensor = graph_find_tensor(im->g, name);
    if (*out_tensor == NULL) {
        *out_tensor = graph_add_tensor(im->g, name, KILN_F32);
    }
    return *out_tensor != NULL ? KILN_OK : KILN_ERROR_MEMORY;
}

static kiln_status tensors_of_names(importing *im, char *const *names, size_t count,
                                    tensor ***out_tensors) {
    *out_tensors = graph_allocate(im->g, (count + 1) * sizeof **out_tensors);
    kiln_status status = *out_tensors != NULL ? KILN_OK : KILN_ERROR_MEMORY;
    for (size_t k = 0; k < count && status == KILN_OK; k++) {
        status = tensor_of_name(im, names[k], &(*out_tensors)[k]);
    }
    return status;
}

static size_t trimmed(char *const *names, size_t count) {
    while (count > 0 && names[count - 1][0] == '\0') {
        count--;
    }
    return count;
}

static kiln_status fail_proto(importing *im, const Onnx__NodeProto *p, kiln_status status,
                              const char *what) {
    const char *name = p->name != NULL && p->name[0] != '\0' ? p->name
                       : p->n_output > 0                     ? p->output[0]
                                                             : "?";
    return graph_fail(im->g, status, "node '%s' (%s): %s", name, p->op_type, what);
}

/* A constant made by a node: its attribute is the value. */
static kiln_status import_constant(importing *im, const Onnx__NodeProto *p, node *carrier) {
    tensor *y = carrier->outputs[0];
    const attribute *a = carrier->attribute_count == 1 ? &carrier->attributes[0] : NULL;
    if (a == NULL || y == NULL) {
        return fail_proto(im, p, KILN_ERROR_FORMAT, "a constant has one value and one output");
    }
    int64_t count = (int64_t)a->count;
    bool list = a->type == ATTRIBUTE_INTS || a->type == ATTRIBUTE_FLOATS;
    bool integer = a->type == ATTRIBUTE_INT || a->type == ATTRIBUTE_INTS;
    kiln_status status;
    if (a->type == ATTRIBUTE_TENSOR) {
        y->dtype = a->t->dtype;
        y->data = a->t->data;
        return tensor_set_shape(im->g, carrier, y, a->t->rank, a->t->dims);
    }
    if (!list && !integer && a->type != ATTRIBUTE_FLOAT) {
        return fail_proto(im, p, KILN_ERROR_UNSUPPORTED,
                          "a constant that is no number, list of numbers or dense tensor");
    }
    y->dtype = integer ? KILN_I64 : KILN_F32;
    status = tensor_set_shape(im->g, carrier, y, list ? 1 : 0, &count);
    y->data = list ? (integer ? (const void *)a->ints : (const void *)a->floats)
                   : (integer ? (const void *)&a->i : (const void *)&a->f);
    return status;
}

static kiln_status check_counts(importing *im, const Onnx__NodeProto *p, const op *row,
                                size_t inputs, size_t outputs) {
    char text[160];
    if (inputs < row->min_inputs || (row->max_inputs != 255 && inputs > row->max_inputs) ||
        outputs < row->min_outputs || (row->max_outputs != 255 && outputs > row->max_outputs)) {
        snprintf(text, sizeof text, "%zu inputs and %zu outputs; expected %u to %u and %u to %u",
                 inputs, outputs, row->min_inputs, row->max_inputs, row->min_outputs,
                 row->max_outputs);
        return fail_proto(im, p, KILN_ERROR_FORMAT, text);
    }
    return KILN_OK;
}

/* Unknown operators are collected, to be named all at once. */
static void note_unknown(importing *im, const char *name) {
    size_t used = strlen(im->unknown), length = strlen(name);
    char *found = strstr(im->unknown, name);
    while (found != NULL && found[length] != '\0' && found[length] != ',') {
        found = strstr(found + 1, name);
    }
    if (found == NULL && used + length + 3 < sizeof im->unknown) {
        snprintf(im->unknown + used, sizeof im->unknown - used, "%s%s", used > 0 ? ", " : "", name);
    }
}

static kiln_status claim_outputs(importing *im, const Onnx__NodeProto *p, tensor *const *outputs,
                                 size_t count) {
    for (size_t k = 0; k < count; k++) {
        const tensor *t = outputs[k];
        if (t != NULL && (t->producer != NULL || t->is_input || t->data != NULL)) {
            char text[160];
            snprintf(text, sizeof text, "tensor '%.100s' is defined twice", t->name);
            return fail_proto(im, p, KILN_ERROR_FORMAT, text);
        }
    }
    return KILN_OK;
}

static kiln_status add_node(importing *im, const Onnx__NodeProto *p, const op *row) {
    bool constant = strcmp(p->op_type, "Constant") == 0;
    static const op constant_row = {.name = "Constant"};
    size_t inputs = trimmed(p->input, p->n_input), outputs = trimmed(p->output, p->n_output);
    tensor **from = NULL, **to = NULL;
    kiln_status status = constant ? KILN_OK : check_counts(im, p, row, inputs, outputs);
    if (constant && (inputs != 0 || outputs != 1)) {
        status = fail_proto(im, p, KILN_ERROR_FORMAT, "a constant has no inputs and one output");
    }
    if (status == KILN_OK) {
        status = tensors_of_names(im, p->input, inputs, &from);
    }
    if (status == KILN_OK) {
        status = tensors_of_names(im, p->output, outputs, &to);
    }
    if (status == KILN_OK) {
        status = claim_outputs(im, p, to, outputs);
    }
    if (status != KILN_OK) {
        return status;
    }
    node *n =
        graph_add_node(im->g, constant ? &constant_row : row, p->name, inputs, from, outputs, to);
    status = n != NULL ? import_attributes(im, p, n) : KILN_ERROR_MEMORY;
    if (status == KILN_OK && constant) {
        status = import_constant(im, p, n);
        n->dead = true;
        to[0]->producer = NULL;
    }
    return status;
}

static kiln_status import_node(importing *im, kiln_span message) {
    Onnx__NodeProto *p = onnx__node_proto__unpack(NULL, message.size, message.data);
    kiln_status status = KILN_OK;
    if (p == NULL || p->op_type == NULL) {
        status = graph_fail(im->g, KILN_ERROR_FORMAT, "a node is damaged or has no operator");
    } else if (p->domain != NULL && p->domain[0] != '\0' && strcmp(p->domain, "ai.onnx") != 0) {
        char text[160];
        snprintf(text, sizeof text, "%.60s.%.60s", p->domain, p->op_type);
        note_unknown(im, text);
    } else {
        const op *row = op_find(p->op_type);
        bool known = row != NULL && (row->flags & OP_NOT_ONNX) == 0;
        if (known || strcmp(p->op_type, "Constant") == 0) {
            status = add_node(im, p, row);
        } else {
            note_unknown(im, p->op_type);
        }
    }
    if (p != NULL) {
        onnx__node_proto__free_unpacked(p, NULL);
    }
    return status;
}

/* ---- The graph ----------------------------------------------------------------------------- */

static kiln_status each_field(importing *im, kiln_span rest, uint32_t number,
                              kiln_status (*take)(importing *im, kiln_span message)) {
    wire_field field;
    bool sound = true;
    kiln_status status = KILN_OK;
    while (status == KILN_OK && wire_next(&rest, &field, &sound)) {
        if (field.number == number && field.type == WIRE_BYTES) {
            status = take(im, field.bytes);
        }
    }
    return status == KILN_OK && !sound
               ? graph_fail(im->g, KILN_ERROR_FORMAT, "the graph is damaged or cut short")
               : status;
}

static kiln_status refuse_sparse(importing *im, kiln_span message) {
    (void)message;
    return graph_fail(im->g, KILN_ERROR_UNSUPPORTED, "sparse initializers are not supported");
}

static kiln_status collect_outputs(importing *im, kiln_span rest) {
    size_t count = 0;
    wire_field field;
    bool sound = true;
    for (kiln_span walk = rest; wire_next(&walk, &field, &sound);) {
        count += field.number == GRAPH_OUTPUT && field.type == WIRE_BYTES;
    }
    kiln_span *messages = graph_allocate(im->g, (count + 1) * sizeof *messages);
    if (messages == NULL) {
        return KILN_ERROR_MEMORY;
    }
    for (count = 0; wire_next(&rest, &field, &sound);) {
        if (field.number == GRAPH_OUTPUT && field.type == WIRE_BYTES) {
            messages[count++] = field.bytes;
        }
    }
    return import_outputs(im, messages, count);
}

/* Orders nodes so that each follows what it reads (Kahn). Most files are in order already, and stay
 * as they are. */
static kiln_status sort_nodes(importing *im) {
    graph *g = im->g;
    node **sorted = graph_allocate(g, (g->node_count + 1) * sizeof *sorted);
    node **stack = graph_allocate(g, (g->node_count + 1) * sizeof *stack);
    size_t count = 0, waiting = 0;
    if (sorted == NULL || stack == NULL) {
        return KILN_ERROR_MEMORY;
    }
    for (size_t k = 0; k < g->node_count; k++) {
        node *n = g->nodes[k];
        n->mark = 0;
        for (size_t i = 0; i < n->input_count; i++) {
            n->mark += n->inputs[i] != NULL && n->inputs[i]->producer != NULL;
        }
    }
    for (size_t k = g->node_count; k-- > 0;) {
        if (g->nodes[k]->mark == 0) {
            stack[waiting++] = g->nodes[k];
        }
    }
    while (waiting > 0) {
        node *n = stack[--waiting];
        sorted[count++] = n;
        for (size_t o = 0; o < n->output_count; o++) {
            const tensor *t = n->outputs[o];
            for (size_t c = 0; t != NULL && c < t->consumer_count; c++) {
                if (--t->consumers[c]->mark == 0) {
                    stack[waiting++] = t->consumers[c];
                }
            }
        }
    }
    if (count < g->node_count) {
        return graph_fail(g, KILN_ERROR_FORMAT, "the graph has a cycle");
    }
    memcpy(g->nodes, sorted, count * sizeof *sorted);
    return KILN_OK;
}

static kiln_status check_order(importing *im) {
    graph *g = im->g;
    bool ordered = true;
    for (size_t k = 0; k < g->node_count; k++) {
        g->nodes[k]->mark = 0;
    }
    for (size_t k = 0; k < g->node_count; k++) {
        const node *n = g->nodes[k];
        for (size_t i = 0; i < n->input_count; i++) {
            const tensor *t = n->inputs[i];
            if (t != NULL && t->producer == NULL && !t->is_input && t->data == NULL) {
                return node_fail(g, n, KILN_ERROR_FORMAT, "input '%s' is not defined anywhere",
                                 t->name);
            }
            ordered = ordered && (t == NULL || t->producer == NULL || t->producer->mark != 0);
        }
        g->nodes[k]->mark = 1;
    }
    return ordered ? KILN_OK : sort_nodes(im);
}

static kiln_status import_graph(importing *im, kiln_span bytes) {
    kiln_status status = each_field(im, bytes, GRAPH_SPARSE_INITIALIZER, refuse_sparse);
    if (status == KILN_OK) {
        status = each_field(im, bytes, GRAPH_NODE, import_node);
    }
    return status;
}

static kiln_status finish_graph(importing *im, kiln_span bytes) {
    if (im->unknown[0] != '\0') {
        return graph_fail(im->g, KILN_ERROR_UNSUPPORTED, "operators that are not supported: %s",
                          im->unknown);
    }
    kiln_status status = check_opset(im);
    if (status == KILN_OK) {
        status = graph_refresh(im->g);
    }
    if (status == KILN_OK) {
        status = check_order(im);
    }
    if (status == KILN_OK) {
        status = collect_outputs(im, bytes);
    }
    if (status == KILN_OK) {
        status = bind_values(im);
    }
    return status == KILN_OK ? graph_refresh(im->g) : status;
}

kiln_status import_model(const char *path, const kiln_value *inputs, size_t input_count,
                         bool symbolic_batch, kiln_error *error, graph **out_graph) {
    importing im = {.inputs = inputs, .input_count = input_count, .symbolic_batch = symbolic_batch};
    kiln_span model, bytes;
    *out_graph = NULL;
    kiln_status status = graph_create(path, error, &im.g);
    if (status != KILN_OK) {
        return status;
    }
    im.g->release_file = files_unmap;
    char *copy = strdup(path);
    im.folder = copy != NULL ? dirname(copy) : ".";
    status = files_map(&im.files, path, error, &model);
    im.g->file_context = im.files;
    if (status == KILN_OK) {
        status = read_model(&im, model, &bytes);
    }
    if (status == KILN_OK) {
        status = each_field(&im, bytes, GRAPH_INITIALIZER, import_initializer);
    }
    if (status == KILN_OK) {
        status = each_field(&im, bytes, GRAPH_INPUT, import_input);
    }
    if (status == KILN_OK) {
        status = import_graph(&im, bytes);
    }
    if (status == KILN_OK) {
        status = finish_graph(&im, bytes);
    }
    free(copy);
    if (status != KILN_OK) {
        graph_free(im.g);
        return status;
    }
    *out_graph = im.g;
    return KILN_OK;
}
