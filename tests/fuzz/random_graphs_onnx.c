/* A graph as an ONNX file: a random network goes through import like any other. */
#include "compiler/export/model.h"
#include "tests/fuzz/random_graphs.h"

#include <string.h>

static char *plain(const char *text) {
    return (char *)(uintptr_t)text;
}

static void write_attribute(onnx_model *m, Onnx__NodeProto *to, const attribute *a) {
    switch (a->type) {
    case ATTRIBUTE_INT:
        model_int(m, to, a->name, a->i);
        break;
    case ATTRIBUTE_FLOAT:
        model_float(m, to, a->name, a->f);
        break;
    case ATTRIBUTE_INTS:
        model_ints(m, to, a->name, a->count, a->ints);
        break;
    default: /* the only other one that steps set */
        model_string(m, to, a->name, a->s);
        break;
    }
}

static void write_node(onnx_model *m, const node *n) {
    const char *inputs[16];
    Onnx__NodeProto *to;
    for (size_t k = 0; k < n->input_count; k++) {
        inputs[k] = n->inputs[k] != NULL ? n->inputs[k]->name : "";
    }
    (void)model_node(m, n->op->name, n->outputs[0]->name, n->input_count, inputs, &to);
    to->n_output = n->output_count;
    to->output = model_allocate(m, n->output_count * sizeof *to->output);
    for (size_t k = 0; k < n->output_count; k++) {
        to->output[k] = plain(n->outputs[k]->name);
    }
    for (size_t k = 0; k < n->attribute_count; k++) {
        write_attribute(m, to, &n->attributes[k]);
    }
}

static void write_end(onnx_model *m, const graph *g, const tensor *t, bool input) {
    uint32_t dims[KILN_MAX_RANK];
    for (uint32_t k = 0; k < t->rank; k++) {
        dims[k] = (uint32_t)sample_size(t, k);
    }
    bool batched = tensor_is_batched(g, t);
    model_end(m, input, t->name, t->dtype, t->rank, dims, batched);
    if (batched && dims[0] != 1) { /* a multiple of the batch: no name for it */
        m->graph.output[m->graph.n_output - 1]->type->tensor_type->shape = NULL;
    }
}

bool write_onnx(const generator *r, const char *path) {
    onnx_model m;
    model_init(&m);
    for (size_t k = 0; k < r->g->tensor_count; k++) {
        const tensor *t = r->g->tensors[k];
        if (tensor_is_constant(t) && t->consumer_count > 0) {
            (void)model_elements(&m, t->name, t->dtype, t->rank, t->dims, t->data);
        }
    }
    for (size_t k = 0; k < r->g->node_count; k++) {
        write_node(&m, r->g->nodes[k]);
    }
    for (size_t k = 0; k < r->input_count; k++) {
        write_end(&m, r->g, r->inputs[k], true);
    }
    for (size_t k = 0; k < r->output_count; k++) {
        write_end(&m, r->g, r->outputs[k], false);
    }
    m.opset = r->g->opset;
    kiln_error error;
    bool good = model_write(&m, path, &error) == KILN_OK;
    if (!good) {
        fprintf(stderr, "%s\n", error.message);
    }
    model_free(&m);
    return good;
}
