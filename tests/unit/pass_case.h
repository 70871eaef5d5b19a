/* A pass on a network that the test draws: the graph computes the same before and after it, and the
 * rewrites did happen. */
#ifndef KILN_TESTS_PASS_CASE_H
#define KILN_TESTS_PASS_CASE_H

#include "tests/unit/network.h"
#include "tests/unit/suite.h"

typedef tensor *drawing(network *n, tensor *x);

static inline tensor *constant(network *n, uint32_t rank, const int64_t *dims) {
    return network_constant(n, rank, dims, 0.5f);
}

static inline tensor *scalar(network *n, float value) {
    return network_constant_of(n, 0, NULL, &value);
}

static inline tensor *integers(network *n, int64_t count, const int64_t *values) {
    tensor *t = graph_add_constant(n->g, NULL, KILN_I64, 1, &count);
    memcpy(t->owned, values, (size_t)count * sizeof *values);
    return t;
}

static inline node *last_node(const network *n) {
    return n->g->nodes[n->g->node_count - 1];
}

/* Shapes are inferred later: some nodes get their attributes afterwards. */
static inline tensor *apply(network *n, const char *op, size_t count, tensor *const *inputs) {
    node *made;
    return network_apply(n, op, count, inputs, &made);
}

#define APPLY(n, name, ...)                                                                        \
    apply(n, name, sizeof((tensor *[]){__VA_ARGS__}) / sizeof(tensor *), (tensor *[]){__VA_ARGS__})

static inline void make(network *n, drawing *draw) {
    network_begin_at(n, 7, 2);
    network_output(n, draw(n, network_input(n, 6, 7, 7)));
    network_close(n);
    ck_assert_int_eq(graph_refresh(n->g), KILN_OK);
}

/* Returns how many nodes are left. */
static inline size_t check_same(drawing *draw, kiln_status (*pass)(graph *, size_t *),
                                size_t rewrites) {
    float data[2 * 6 * 7 * 7];
    const network_values x = {.data = {data}, .count = {sizeof data / sizeof *data}};
    network before, after;
    uint64_t state = 99;
    size_t count = 0;
    make(&before, draw);
    make(&after, draw);
    for (size_t k = 0; k < x.count[0]; k++) {
        data[k] = random_normal(&state);
    }
    ck_assert_msg(pass_fold_constants(after.g, &count) == KILN_OK, "%s", network_error.message);
    ck_assert_int_eq(graph_refresh(after.g), KILN_OK);
    count = 0;
    ck_assert_int_eq(pass(after.g, &count), KILN_OK);
    ck_assert_uint_eq(count, rewrites);
    ck_assert_int_eq(graph_refresh(after.g), KILN_OK);
    ck_assert_msg(graph_validate(after.g) == KILN_OK, "%s", network_error.message);
    ck_assert_int_eq(pass_remove_dead_code(after.g, &count), KILN_OK);
    size_t left = after.g->node_count;
    network_values a = network_evaluate(&before, &x), b = network_evaluate(&after, &x);
    ck_assert_uint_eq(a.count[0], b.count[0]);
    for (size_t k = 0; k < a.count[0]; k++) {
        float from = a.data[0][k], to = b.data[0][k];
        ck_assert_msg(fabsf(from - to) <= 1e-5f * (1.0f + fabsf(from)), "element %zu: %g, %g", k,
                      (double)from, (double)to);
    }
    network_free_values(&a);
    network_free_values(&b);
    return left;
}

static inline tensor *batch_norm(network *n, tensor *x, int64_t channels) {
    tensor *variance = constant(n, 1, &channels);
    for (int64_t c = 0; c < channels; c++) {
        float *value = &((float *)variance->owned)[c];
        *value = 0.5f + fabsf(*value);
    }
    return APPLY(n, "BatchNormalization", x, constant(n, 1, &channels), constant(n, 1, &channels),
                 constant(n, 1, &channels), variance);
}

#define PASS_TEST(name, build, pass, rewrites, nodes)                                              \
    START_TEST(name) {                                                                             \
        ck_assert_uint_eq(check_same(build, pass, rewrites), nodes);                               \
    }                                                                                              \
    END_TEST

#endif
