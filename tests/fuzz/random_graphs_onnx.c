/* A graph as an ONNX file: a random network goes through import like any other. */
#include "compiler/export/model.h"
#include "tests/fuzz/random_graphs.h"

#include <kiln/element.h>
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
    static const char domain[] = "com.microsoft.";
    const char *inputs[16];
    Onnx__NodeProto *to;
    bool own = strncmp(n->op->name, domain, sizeof domain - 1) != 0;
    for (size_t k = 0; k < n->input_count; k++) {
        inputs[k] = n->inputs[k] != NULL ? n->inputs[k]->name : "";
    }
    (void)model_node(m, own ? n->op->name : n->op->name + sizeof domain - 1, n->outputs[0]->name,
                     n->input_count, inputs, &to);
    to->domain = plain(own ? "" : "com.microsoft");
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

/* In the graph narrow integers are f32, or i64. */
static void write_constant(onnx_model *m, const tensor *t) {
    size_t count = (size_t)tensor_elements(t);
    uint8_t *bytes = t->narrow != 0 ? model_allocate(m, count * kiln_dtype_size(t->narrow)) : NULL;
    for (size_t k = 0; k < count && bytes != NULL; k++) {
        kiln_element_put_number(t->narrow, bytes, k, kiln_element_number(t->dtype, t->data, k));
    }
    (void)model_elements(m, t->name, bytes != NULL ? t->narrow : t->dtype, t->rank, t->dims,
                         bytes != NULL ? bytes : t->data);
}

bool write_onnx(const generator *r, const char *path) {
    onnx_model m;
    model_init(&m);
    for (size_t k = 0; k < r->g->tensor_count; k++) {
        const tensor *t = r->g->tensors[k];
        if (tensor_is_constant(t) && t->consumer_count > 0) {
            write_constant(&m, t);
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
