/* Subgraphs and functions for models of onnx_model.h, built of nodes of their own. */
#ifndef KILN_TESTS_PARTS_H
#define KILN_TESTS_PARTS_H

#include "tests/unit/compiled_model.h"

enum { PART_NODES = 32, PART_ATTRIBUTES = 4, PART_FUNCTIONS = 32 };

/* Static, so that they outlive what a test packs. make_folder does not clear them. */
static struct {
    Onnx__NodeProto nodes[PART_NODES], *lists[PART_FUNCTIONS][4];
    names inputs[PART_NODES], outputs[PART_NODES];
    Onnx__AttributeProto attributes[PART_NODES][PART_ATTRIBUTES];
    Onnx__AttributeProto *attribute_lists[PART_NODES][PART_ATTRIBUTES];
    size_t node_count;
    Onnx__FunctionProto functions[PART_FUNCTIONS], *function_list[PART_FUNCTIONS];
    names function_inputs[PART_FUNCTIONS], function_outputs[PART_FUNCTIONS];
    Onnx__AttributeProto *defaults[PART_FUNCTIONS][PART_ATTRIBUTES];
    char *given[PART_FUNCTIONS][PART_ATTRIBUTES];
    uint8_t packed[PART_NODES][1024];
    size_t packed_count;
} parts;

static inline Onnx__NodeProto *part_node(char *op, const char *inputs, const char *outputs) {
    size_t k = parts.node_count++;
    Onnx__NodeProto *n = &parts.nodes[k];
    onnx__node_proto__init(n);
    n->op_type = op;
    split(inputs, &parts.inputs[k]);
    split(outputs, &parts.outputs[k]);
    n->input = parts.inputs[k].each;
    n->n_input = parts.inputs[k].count;
    n->output = parts.outputs[k].each;
    n->n_output = parts.outputs[k].count;
    n->attribute = parts.attribute_lists[k];
    return n;
}

/* One more attribute of a part_node. */
static inline Onnx__AttributeProto *part_attribute(Onnx__NodeProto *n, char *name, int type) {
    size_t k = (size_t)(n - parts.nodes);
    Onnx__AttributeProto *a = &parts.attributes[k][n->n_attribute];
    parts.attribute_lists[k][n->n_attribute++] = a;
    onnx__attribute_proto__init(a);
    a->name = name;
    a->has_type = true;
    a->type = (Onnx__AttributeProto__AttributeType)type;
    return a;
}

static inline void part_float(Onnx__NodeProto *n, char *name, float value) {
    Onnx__AttributeProto *a = part_attribute(n, name, 1);
    a->has_f = true;
    a->f = value;
}

static inline void part_int(Onnx__NodeProto *n, char *name, int64_t value) {
    Onnx__AttributeProto *a = part_attribute(n, name, 2);
    a->has_i = true;
    a->i = value;
}

/* A part_node in the model's own graph. */
static inline Onnx__NodeProto *in_graph(Onnx__NodeProto *n) {
    return m.node_list[m.graph.n_node++] = n;
}

/* A graph attribute: a subgraph of one node, whose outputs are the subgraph's. */
static inline void part_branch(Onnx__NodeProto *n, char *name, Onnx__NodeProto *body) {
    Onnx__GraphProto graph;
    Onnx__ValueInfoProto ends[4], *end_list[4];
    uint8_t *bytes = parts.packed[parts.packed_count++];
    onnx__graph_proto__init(&graph);
    graph.node = &body;
    graph.n_node = 1;
    graph.output = end_list;
    for (; graph.n_output < body->n_output; graph.n_output++) {
        end_list[graph.n_output] = &ends[graph.n_output];
        onnx__value_info_proto__init(&ends[graph.n_output]);
        ends[graph.n_output].name = body->output[graph.n_output];
    }
    size_t size = onnx__graph_proto__get_packed_size(&graph);
    ck_assert_uint_le(size, sizeof parts.packed[0]);
    onnx__graph_proto__pack(&graph, bytes);
    Onnx__AttributeProto *a = part_attribute(n, name, 5);
    a->has_g = true;
    a->g = (ProtobufCBinaryData){size, bytes};
}

/* A function of up to four nodes, in the domain "local". */
static inline Onnx__FunctionProto *part_function(char *name, const char *inputs,
                                                 const char *outputs, size_t count,
                                                 Onnx__NodeProto *const *nodes) {
    size_t k = m.model.n_functions++;
    Onnx__FunctionProto *f = parts.function_list[k] = &parts.functions[k];
    onnx__function_proto__init(f);
    f->name = name;
    f->domain = (char *)(uintptr_t) "local";
    split(inputs, &parts.function_inputs[k]);
    split(outputs, &parts.function_outputs[k]);
    f->input = parts.function_inputs[k].each;
    f->n_input = parts.function_inputs[k].count;
    f->output = parts.function_outputs[k].each;
    f->n_output = parts.function_outputs[k].count;
    memcpy(parts.lists[k], nodes, count * sizeof *nodes);
    f->node = parts.lists[k];
    f->n_node = count;
    f->attribute = parts.given[k];
    f->attribute_proto = parts.defaults[k];
    m.model.functions = parts.function_list;
    return f;
}

static inline Onnx__NodeProto *call(const char *function, const char *inputs, const char *outputs) {
    Onnx__NodeProto *n = part_node((char *)(uintptr_t)function, inputs, outputs);
    n->domain = (char *)(uintptr_t) "local";
    return n;
}

static inline void parts_begin(const char *dims) {
    memset(&parts, 0, sizeof parts);
    model_begin(17);
    model_input((char *)(uintptr_t) "x", FLOAT, dims);
    model_output((char *)(uintptr_t) "y", FLOAT);
}

/* Compiles, and compares y[k] at batch 2 with what `expected` makes of x[k]. */
static inline void check_elements(float (*expected)(float x)) {
    static model_run run;
    COMPILED(NULL, NULL);
    model_run_at(2, &run);
    ck_assert_uint_gt(run.count[0], 0);
    for (size_t k = 0; k < run.count[0]; k++) {
        ck_assert_float_eq_tol(run.out[0][k], expected(model_input_value(k)), 1e-6f);
    }
    ck_assert_msg(kiln_verify(m.path, NULL, NULL, &m.error) == KILN_OK, "%s", m.error.message);
}

#endif
