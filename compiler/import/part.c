/* A part of a model: the tensors that the caller names become the graph's outputs and inputs. */
#include "compiler/graph/settle.h"
#include "compiler/import/importing.h"
#include "runtime/base/text.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- Names --------------------------------------------------------------------------------- */

static bool is_computed(const tensor *t) {
    return t->producer != NULL || t->is_input;
}

/* Levenshtein's distance of names of up to 63 characters; others are far from any. */
static size_t distance(const char *a, const char *b) {
    size_t n = strlen(a), k = strlen(b), row[64];
    if (n >= 64 || k >= 64) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= k; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= k; j++) {
            size_t change = diagonal + (a[i - 1] != b[j - 1]);
            size_t step = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = change < step ? change : step;
        }
    }
    return row[k];
}

static bool is_near(const char *name, const char *wanted) {
    size_t length = strlen(wanted);
    return strcasecmp(name, wanted) == 0 || (length >= 3 && strstr(name, wanted) != NULL) ||
           distance(name, wanted) <= 1 + length / 8;
}

static kiln_status no_such_tensor(importing *im, const char *option, const char *wanted) {
    const graph *g = im->g;
    char names[400] = "";
    for (size_t k = 0; k < g->tensor_count && strlen(names) < 300; k++) {
        const tensor *t = g->tensors[k];
        if (is_computed(t) && is_near(t->name, wanted)) {
            text_list_add(names, sizeof names, t->name);
        }
    }
    if (names[0] != '\0') {
        return graph_fail(g, KILN_ERROR_ARGUMENT, "%s: no tensor '%s'; near it: %s", option, wanted,
                          names);
    }
    for (size_t k = g->node_count; k-- > 0 && strlen(names) < 200;) {
        const tensor *t = g->nodes[k]->output_count > 0 ? g->nodes[k]->outputs[0] : NULL;
        if (t != NULL) {
            text_list_add(names, sizeof names, t->name);
        }
    }
    return graph_fail(g, KILN_ERROR_ARGUMENT, "%s: no tensor '%s'; the last ones are %s", option,
                      wanted, names);
}

static kiln_status find_tensor(importing *im, const char *option, const char *name,
                               tensor **out_tensor) {
    *out_tensor = name != NULL ? graph_find_tensor(im->g, name) : NULL;
    if (*out_tensor != NULL && (*out_tensor)->data != NULL) {
        return graph_fail(im->g, KILN_ERROR_ARGUMENT, "%s: '%s' is a constant", option, name);
    }
    return *out_tensor != NULL && is_computed(*out_tensor)
               ? KILN_OK
               : no_such_tensor(im, option, name != NULL ? name : "");
}

/* ---- Outputs ------------------------------------------------------------------------------- */

static kiln_status keep_named_output(importing *im, kiln_span message) {
    Onnx__ValueInfoProto *p =
        onnx__value_info_proto__unpack(&im->memory, message.size, message.data);
    bool named = p != NULL && p->name != NULL && strcmp(p->name, im->looked_for) == 0;
    if (p != NULL) {
        onnx__value_info_proto__free_unpacked(p, NULL);
    }
    /* The model may list it twice. */
    return named && !graph_find_tensor(im->g, im->looked_for)->is_output
               ? import_output(im, message)
               : KILN_OK;
}

kiln_status import_part_outputs(importing *im) {
    const kiln_compile_options *options = im->options;
    graph *g = im->g;
    g->outputs = graph_allocate(g, options->part_output_count * sizeof(tensor *));
    kiln_status status = g->outputs != NULL ? KILN_OK : KILN_ERROR_MEMORY;
    for (size_t k = 0; k < options->part_output_count && status == KILN_OK; k++) {
        tensor *t;
        im->looked_for = options->part_outputs[k];
        status = find_tensor(im, "--outputs", im->looked_for, &t);
        if (status == KILN_OK && t->is_output) {
            status = graph_fail(g, KILN_ERROR_ARGUMENT, "--outputs: '%s' is named twice", t->name);
        }
        if (status == KILN_OK) { /* one of the model's has its type there */
            status = each_part(im, GRAPH_OUTPUT, keep_named_output);
        }
        if (status == KILN_OK && !graph_find_tensor(g, im->looked_for)->is_output) {
            t->is_output = true;
            g->outputs[g->output_count++] = t;
        }
    }
    return status;
}

/* ---- Inputs -------------------------------------------------------------------------------- */

/* Infers the tensor's shape from what stands upstream of it, where that can be compiled. */
static kiln_status infer_from_model(importing *im, model_importer import, tensor *t) {
    kiln_compile_options options = *im->options;
    kiln_error error = {0};
    graph *g = NULL;
    size_t folded = 0;
    options.part_input_count = 0;
    options.part_outputs = &t->name;
    options.part_output_count = 1;
    kiln_status status = import(im->g->file, &options, im->symbolic_batch, &error, &g);
    if (status == KILN_OK) {
        status = graph_settle(g, g->outputs, 1, &folded);
    }
    if (status == KILN_OK) {
        const tensor *found = g->outputs[0];
        set_inner_type(t, found->dtype);
        status = tensor_set_shape(im->g, NULL, t, found->rank, found->dims);
    }
    graph_free(g);
    return status;
}

/* Takes the model's own word on the tensor, where it has one. */
static kiln_status take_value_info(importing *im, kiln_span message) {
    Onnx__ValueInfoProto *p =
        onnx__value_info_proto__unpack(&im->memory, message.size, message.data);
    kiln_status status = KILN_OK;
    if (p != NULL && p->name != NULL && strcmp(p->name, im->looked_for) == 0 && p->type != NULL &&
        p->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE) {
        status = shape_from_value_info(im, p, graph_find_tensor(im->g, im->looked_for));
    }
    if (p != NULL) {
        onnx__value_info_proto__free_unpacked(p, NULL);
    }
    return status;
}

/* Settles an input's type and shape: as they are given, else as what stands before it tells, else
 * as the file says. */
static kiln_status settle_input(importing *im, model_importer import, tensor *t) {
    enum { GRAPH_VALUE_INFO = 13 };
    const kiln_value *value = given_value(im, t->name, SIZE_MAX);
    kiln_status status = infer_from_model(im, import, t);
    im->looked_for = t->name;
    if (status != KILN_OK && status != KILN_ERROR_MEMORY) {
        status = each_part(im, GRAPH_VALUE_INFO, take_value_info);
    }
    if (status == KILN_OK && value != NULL) {
        t->shape_known = true;
        return shape_from_value(im, value, NULL, t);
    }
    return status != KILN_OK || t->shape_known
               ? status
               : graph_fail(im->g, KILN_ERROR_ARGUMENT,
                            "the shape of '%s' is not known; give one: --inputs %s=1x64x56x56",
                            t->name, t->name);
}

static kiln_status cut_before(importing *im, model_importer import, tensor *t) {
    kiln_status status = settle_input(im, import, t);
    node *n = t->producer;
    for (size_t k = 0; k < n->output_count; k++) {
        n->outputs[k] = n->outputs[k] == t ? NULL : n->outputs[k];
    }
    t->producer = NULL;
    t->is_input = true;
    return status;
}

kiln_status import_part_inputs(importing *im, model_importer import) {
    const kiln_compile_options *options = im->options;
    graph *g = im->g;
    size_t own = g->input_count;
    tensor **inputs = graph_allocate(g, (options->part_input_count + own) * sizeof(tensor *));
    kiln_status status = inputs != NULL ? KILN_OK : KILN_ERROR_MEMORY;
    for (size_t k = 0; k < own && status == KILN_OK; k++) {
        g->inputs[k]->left_out = true;
    }
    size_t count = 0;
    for (size_t k = 0; k < options->part_input_count && status == KILN_OK; k++) {
        tensor *t;
        status = find_tensor(im, "--inputs", options->part_inputs[k], &t);
        if (status == KILN_OK && t->is_input && !t->left_out) {
            status = graph_fail(g, KILN_ERROR_ARGUMENT, "--inputs: '%s' is named twice", t->name);
        } else if (status == KILN_OK && !t->is_input) {
            status = cut_before(im, import, t);
        }
        if (status == KILN_OK) {
            t->left_out = false;
            inputs[count++] = t;
        }
    }
    for (size_t k = 0; k < own && status == KILN_OK; k++) {
        if (g->inputs[k]->left_out) {
            inputs[count++] = g->inputs[k];
        }
    }
    if (status == KILN_OK) {
        g->inputs = inputs;
        g->input_count = count;
    }
    return status;
}
