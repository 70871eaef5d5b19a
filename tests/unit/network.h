/* Small networks made with the graph's own functions, compiled and run: for tests that compare
 * plans with each other or with sums in double precision. */
#ifndef KILN_TESTS_NETWORK_H
#define KILN_TESTS_NETWORK_H

#include "compiler/graph/graph.h"
#include "compiler/lower/lower.h"
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"
#include "compiler/place/place.h"
#include "tests/unit/plan_file.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NETWORK_ENDS 4

typedef struct network {
    graph *g;
    int64_t batch; /* GRAPH_BATCH: open */
    tensor *inputs[NETWORK_ENDS], *outputs[NETWORK_ENDS];
    size_t input_count, output_count;
    uint64_t state;
} network;

typedef struct network_conv {
    int64_t outputs, height, width;
    int64_t strides[2], dilations[2], pads[4]; /* pads: top, left, bottom, right */
    int64_t groups;
    bool bias;
} network_conv;

static kiln_error network_error;

static inline uint32_t random_below(uint64_t *state, uint32_t bound) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33) % bound;
}

/* Of mean 0 and variance 1: the sum of four uniform numbers. */
static inline float random_normal(uint64_t *state) {
    double sum = 0;
    for (int k = 0; k < 4; k++) {
        sum += (double)random_below(state, 1u << 24) / (1 << 24) - 0.5;
    }
    return (float)(sum * sqrt(3));
}

/* With the batch open, or of so many samples. */
static inline void network_begin_at(network *n, uint64_t seed, int64_t batch) {
    *n = (network){.state = seed, .batch = batch};
    ck_assert_int_eq(graph_create("test", op_find, &network_error, &n->g), KILN_OK);
    n->g->opset = 13;
    n->g->producer = "test";
    n->g->batch_symbolic = batch == GRAPH_BATCH;
}

static inline void network_begin(network *n, uint64_t seed) {
    network_begin_at(n, seed, GRAPH_BATCH);
}

/* Of any rank; sample: the dims but the batch. */
static inline tensor *network_input_of(network *n, uint32_t rank, const int64_t *sample) {
    tensor *x = graph_add_tensor(n->g, NULL, KILN_F32);
    int64_t dims[KILN_MAX_RANK] = {n->batch};
    memcpy(dims + 1, sample, (rank - 1) * sizeof *dims);
    ck_assert_int_eq(tensor_set_shape(n->g, NULL, x, rank, dims), KILN_OK);
    x->is_input = true;
    n->inputs[n->input_count++] = x;
    return x;
}

static inline tensor *network_input(network *n, int64_t channels, int64_t height, int64_t width) {
    return network_input_of(n, 4, (int64_t[]){channels, height, width});
}

static inline void network_output(network *n, tensor *y) {
    y->is_output = true;
    n->outputs[n->output_count++] = y;
}

/* A node of one output, its shape inferred; name and out_node may be NULL. */
static inline tensor *network_apply_named(network *n, const char *op, const char *name,
                                          size_t count, tensor *const *inputs, node **out_node) {
    tensor *y = graph_add_tensor(n->g, name, KILN_F32);
    node *made = graph_add_node(n->g, op_find(op), NULL, count, inputs, 1, &y);
    ck_assert_ptr_nonnull(made);
    if (out_node != NULL) {
        *out_node = made;
    } else {
        ck_assert_msg(graph_infer_node(n->g, made) == KILN_OK, "%s", network_error.message);
    }
    return y;
}

static inline tensor *network_apply(network *n, const char *op, size_t count, tensor *const *inputs,
                                    node **out_node) {
    return network_apply_named(n, op, NULL, count, inputs, out_node);
}

static inline tensor *network_constant_of(network *n, uint32_t rank, const int64_t *dims,
                                          const float *values) {
    tensor *t = graph_add_constant(n->g, NULL, KILN_F32, rank, dims);
    memcpy(t->owned, values, (size_t)tensor_elements(t) * sizeof *values);
    return t;
}

static inline tensor *network_constant(network *n, uint32_t rank, const int64_t *dims,
                                       float scale) {
    tensor *t = graph_add_constant(n->g, NULL, KILN_F32, rank, dims);
    for (int64_t k = 0; k < tensor_elements(t); k++) {
        ((float *)t->owned)[k] = random_normal(&n->state) * scale;
    }
    return t;
}

static inline void network_window(network *n, node *made, int64_t height, int64_t width,
                                  const int64_t *strides, const int64_t *pads) {
    (void)node_set_ints(n->g, made, "kernel_shape", (int64_t[]){height, width}, 2);
    (void)node_set_ints(n->g, made, "strides", strides, 2);
    (void)node_set_ints(n->g, made, "pads", pads, 4);
}

/* Weights of such a variance that outputs have about that of the inputs. */
static inline tensor *network_convolve(network *n, tensor *x, const network_conv *c) {
    const int64_t dims[] = {c->outputs, x->dims[1] / c->groups, c->height, c->width};
    float scale = 1 / sqrtf((float)(dims[1] * dims[2] * dims[3]));
    tensor *w = network_constant(n, 4, dims, scale);
    tensor *b = c->bias ? network_constant(n, 1, dims, 1) : NULL;
    node *made;
    tensor *y = network_apply(n, "Conv", c->bias ? 3 : 2, (tensor *[]){x, w, b}, &made);
    network_window(n, made, c->height, c->width, c->strides, c->pads);
    (void)node_set_ints(n->g, made, "dilations", c->dilations, 2);
    (void)node_set_int(n->g, made, "group", c->groups);
    ck_assert_msg(graph_infer_node(n->g, made) == KILN_OK, "%s", network_error.message);
    return y;
}

static inline void network_close(network *n) {
    n->g->inputs = n->inputs;
    n->g->input_count = n->input_count;
    n->g->outputs = n->outputs;
    n->g->output_count = n->output_count;
}

/* Compiles to `path` and frees the graph. */
static inline kiln_status network_write(network *n, const kiln_compile_options *options,
                                        const char *path) {
    kiln_compile_report report = {0};
    program *p = NULL;
    network_close(n);
    kiln_status status = passes_run(n->g, options, &report);
    if (status == KILN_OK) {
        status = lower_graph_to_program(n->g, options, &p);
    }
    if (status == KILN_OK) {
        status = place_program(p);
    }
    if (status == KILN_OK) {
        status = write_plan_file(p, path, options, &report, &network_error);
    }
    graph_free(n->g);
    n->g = NULL;
    return status;
}

/* The same where nothing may fail; options may be NULL. */
static inline void network_save(network *n, const kiln_compile_options *options, const char *path) {
    kiln_compile_options defaults;
    kiln_compile_options_init(&defaults);
    kiln_status status = network_write(n, options != NULL ? options : &defaults, path);
    ck_assert_msg(status == KILN_OK, "%s", network_error.message);
}

/* ---- Running --------------------------------------------------------------------------------- */

typedef struct network_values {
    float *data[NETWORK_ENDS];
    size_t count[NETWORK_ENDS]; /* elements */
} network_values;

static inline void network_free_values(network_values *v) {
    for (size_t k = 0; k < NETWORK_ENDS; k++) {
        free(v->data[k]);
    }
    *v = (network_values){0};
}

/* Random numbers of the size of the plan's inputs. */
static inline network_values network_noise(const kiln_plan *plan, uint32_t batch, uint64_t seed) {
    network_values v = {0};
    for (size_t k = 0; k < kiln_plan_input_count(plan); k++) {
        kiln_tensor_info info;
        (void)kiln_plan_input(plan, k, &info);
        v.count[k] = info.bytes * batch / sizeof(float);
        v.data[k] = malloc(info.bytes * batch);
        for (size_t i = 0; i < v.count[k]; i++) {
            v.data[k][i] = random_normal(&seed);
        }
    }
    return v;
}

/* The f32 outputs as the operators' own evaluators compute them, of a network whose batch is fixed;
 * inputs may hold more samples. Frees the graph. */
static inline network_values network_evaluate(network *n, const network_values *inputs) {
    network_values v = {0};
    network_close(n);
    for (size_t k = 0; k < n->input_count; k++) {
        tensor *x = n->inputs[k];
        ck_assert_int_eq(tensor_allocate(n->g, x), KILN_OK);
        ck_assert_uint_ge(inputs->count[k], (size_t)tensor_elements(x));
        memcpy(x->owned, inputs->data[k], (size_t)tensor_elements(x) * sizeof(float));
    }
    for (size_t k = 0; k < n->g->node_count; k++) {
        kiln_status status = graph_infer_node(n->g, n->g->nodes[k]);
        status = status == KILN_OK ? graph_evaluate_node(n->g, n->g->nodes[k]) : status;
        ck_assert_msg(status == KILN_OK, "%s", network_error.message);
    }
    for (size_t k = 0; k < n->output_count; k++) {
        v.count[k] = (size_t)tensor_elements(n->outputs[k]);
        v.data[k] = malloc(v.count[k] * sizeof(float));
        memcpy(v.data[k], tensor_f32(n->outputs[k]), v.count[k] * sizeof(float));
    }
    graph_free(n->g);
    n->g = NULL;
    return v;
}

/* Runs the session on the first `batch` samples. */
static inline network_values network_run(const kiln_plan *plan, kiln_session *session,
                                         uint32_t batch, const network_values *inputs) {
    network_values v = {0};
    kiln_buffer in[NETWORK_ENDS], out[NETWORK_ENDS];
    size_t input_count = kiln_plan_input_count(plan), outputs = kiln_plan_output_count(plan);
    kiln_tensor_info info;
    for (size_t k = 0; k < input_count; k++) {
        (void)kiln_plan_input(plan, k, &info);
        in[k] = (kiln_buffer){inputs->data[k], info.bytes * batch};
    }
    for (size_t k = 0; k < outputs; k++) {
        (void)kiln_plan_output(plan, k, &info);
        v.count[k] = info.bytes * batch / sizeof(float);
        v.data[k] = malloc(info.bytes * batch);
        out[k] = (kiln_buffer){v.data[k], info.bytes * batch};
        for (size_t i = 0; i < v.count[k]; i++) {
            v.data[k][i] = NAN; /* what is not written shows */
        }
    }
    ck_assert_msg(kiln_session_run(session, batch, in, input_count, out, outputs, &network_error) ==
                      KILN_OK,
                  "%s", network_error.message);
    return v;
}

static inline kiln_session *network_session(const kiln_plan *plan, uint32_t threads,
                                            uint32_t max_batch) {
    kiln_session_options options;
    kiln_session *session = NULL;
    kiln_session_options_init(&options);
    options.threads = threads;
    options.max_batch = max_batch;
    ck_assert_msg(kiln_session_create(plan, &options, &session, &network_error) == KILN_OK, "%s",
                  network_error.message);
    return session;
}

/* The largest difference, relative to the largest |expected|; infinite where something is not a
 * number. */
static inline double network_difference(const float *found, const float *expected, size_t count) {
    double worst = 0, largest = 1e-30;
    for (size_t k = 0; k < count; k++) {
        double difference = fabs((double)found[k] - (double)expected[k]);
        worst = isnan(difference) ? INFINITY : fmax(worst, difference);
        largest = fmax(largest, fabs((double)expected[k]));
    }
    return worst / largest;
}

#endif
