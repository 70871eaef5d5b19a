/* One operator with values for its inputs, computed by its naive evaluator and by a plan. */
#ifndef KILN_TESTS_OPERATOR_H
#define KILN_TESTS_OPERATOR_H

#include "tests/unit/network.h"

#include <stdio.h>
#include <unistd.h>

enum { OPERATOR_INPUTS = 4, OPERATOR_ATTRIBUTES = 10 };

typedef struct operator_input {
    uint32_t rank;
    int64_t dims[KILN_MAX_RANK];
    float *values;     /* neither these nor integers: the input is left out */
    int64_t *integers; /* constant */
    bool constant;     /* in the plan, too */
} operator_input;

typedef struct operator_case {
    const char *op;
    int64_t opset;    /* 0: 13 */
    bool open;        /* dims[0] of inputs that are not constant is the batch */
    uint32_t threads; /* 0: 1 */
    float min, max;   /* of the fused clamp; both 0: none */
    operator_input inputs[OPERATOR_INPUTS];
    attribute attributes[OPERATOR_ATTRIBUTES]; /* ended by one without a name */
} operator_case;

typedef struct operator_result {
    float *values;
    size_t count;
} operator_result;

static inline attribute with_int(const char *name, int64_t value) {
    return (attribute){.name = name, .type = ATTRIBUTE_INT, .i = value};
}

static inline attribute with_float(const char *name, float value) {
    return (attribute){.name = name, .type = ATTRIBUTE_FLOAT, .f = value};
}

static inline attribute with_string(const char *name, const char *value) {
    return (attribute){.name = name, .type = ATTRIBUTE_STRING, .s = value};
}

static inline attribute with_ints(const char *name, int64_t *values, size_t count) {
    return (attribute){.name = name, .type = ATTRIBUTE_INTS, .ints = values, .count = count};
}

static inline size_t operator_elements(const operator_input *in) {
    size_t count = 1;
    for (uint32_t d = 0; d < in->rank; d++) {
        count *= (size_t)in->dims[d];
    }
    return count;
}

static inline tensor *operator_constant(network *n, const operator_input *in) {
    kiln_dtype dtype = in->integers != NULL ? KILN_I64 : KILN_F32;
    const void *from = in->integers != NULL ? (const void *)in->integers : in->values;
    tensor *t = graph_add_constant(n->g, NULL, dtype, in->rank, in->dims);
    memcpy(t->owned, from, operator_elements(in) * kiln_dtype_size(dtype));
    return t;
}

static inline tensor *operator_variable(network *n, const operator_input *in, bool open) {
    int64_t dims[KILN_MAX_RANK];
    memcpy(dims, in->dims, sizeof dims);
    dims[0] = open ? GRAPH_BATCH : dims[0];
    tensor *t = graph_add_tensor(n->g, NULL, KILN_F32);
    ck_assert_int_eq(tensor_set_shape(n->g, NULL, t, in->rank, dims), KILN_OK);
    t->is_input = true;
    n->inputs[n->input_count++] = t;
    return t;
}

/* The node, not yet inferred. */
static inline node *operator_build(network *n, const operator_case *c, bool all_constant) {
    tensor *inputs[OPERATOR_INPUTS] = {NULL};
    size_t count = 0, attributes = 0;
    network_begin(n, 1);
    n->g->opset = c->opset != 0 ? c->opset : 13;
    n->g->batch_symbolic = c->open && !all_constant;
    for (size_t k = 0; k < OPERATOR_INPUTS; k++) {
        const operator_input *in = &c->inputs[k];
        bool variable = in->values != NULL && !in->constant && !all_constant;
        if (in->values != NULL || in->integers != NULL) {
            count = k + 1;
            inputs[k] = variable ? operator_variable(n, in, c->open) : operator_constant(n, in);
        }
    }
    node *made;
    (void)network_apply(n, c->op, count, inputs, &made);
    while (attributes < OPERATOR_ATTRIBUTES && c->attributes[attributes].name != NULL) {
        attributes++;
    }
    made->attributes = graph_allocate(n->g, sizeof c->attributes);
    memcpy(made->attributes, c->attributes, sizeof c->attributes);
    made->attribute_count = attributes;
    made->min = c->min < c->max ? c->min : -INFINITY;
    made->max = c->min < c->max ? c->max : INFINITY;
    return made;
}

/* By the naive evaluator. */
static inline operator_result operator_evaluate(const operator_case *c) {
    network n;
    node *made = operator_build(&n, c, true);
    kiln_error error = {0};
    n.g->error = &error;
    ck_assert_msg(graph_infer_node(n.g, made) == KILN_OK, "%s", error.message);
    ck_assert_msg(graph_evaluate_node(n.g, made) == KILN_OK, "%s", error.message);
    tensor *y = made->outputs[0];
    operator_result r = {.count = (size_t)tensor_elements(y)};
    r.values = malloc(r.count * sizeof(float));
    memcpy(r.values, tensor_f32(y), r.count * sizeof(float));
    graph_free(n.g);
    return r;
}

/* By a plan. */
static inline operator_result operator_run(const operator_case *c) {
    char path[] = "/tmp/kiln-operator-XXXXXX";
    int file = mkstemp(path);
    ck_assert(file >= 0 && close(file) == 0);
    network n;
    node *made = operator_build(&n, c, false);
    kiln_error error = {0};
    kiln_compile_options options;
    kiln_plan *plan = NULL;
    n.g->error = &error;
    ck_assert_msg(graph_infer_node(n.g, made) == KILN_OK, "%s", error.message);
    network_output(&n, made->outputs[0]);
    kiln_compile_options_init(&options);
    ck_assert_msg(network_write(&n, &options, path) == KILN_OK, "%s: %s", error.message,
                  network_error.message);
    ck_assert_msg(kiln_plan_open(path, NULL, &plan, &network_error) == KILN_OK, "%s",
                  network_error.message);
    (void)unlink(path);
    network_values in = {0};
    uint32_t batch = 1;
    for (size_t k = 0, at = 0; k < OPERATOR_INPUTS; k++) {
        if (c->inputs[k].values != NULL && !c->inputs[k].constant) {
            in.data[at++] = c->inputs[k].values;
            batch = c->open ? (uint32_t)c->inputs[k].dims[0] : 1;
        }
    }
    kiln_session *session = network_session(plan, c->threads != 0 ? c->threads : 1, batch);
    network_values out = network_run(plan, session, batch, &in);
    kiln_session_destroy(session);
    kiln_plan_close(plan);
    return (operator_result){out.data[0], out.count[0]};
}

static inline void operator_free(operator_result *r) {
    free(r->values);
    *r = (operator_result){0};
}

/* Equal numbers: NaN and infinities at the same places, the others near. */
static inline bool operator_agree(const operator_result *a, const operator_result *b,
                                  float tolerance) {
    bool agree = a->count == b->count;
    for (size_t k = 0; k < a->count && agree; k++) {
        float x = a->values[k], y = b->values[k];
        agree = isnan(x) || isnan(y) ? isnan(x) && isnan(y)
                                     : x == y || fabsf(x - y) <= tolerance * (1 + fabsf(y));
    }
    return agree;
}

#endif
