/* The graph: names, memory, rewiring, shapes, attributes, evaluation, validation. */
#include "compiler/graph/graph.h"
#include "compiler/ops/ops.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <math.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static graph *g;
static kiln_error error;

static void make_graph(void) {
    ck_assert_int_eq(graph_create("net.onnx", op_find, &error, &g), KILN_OK);
    g->opset = 13;
}

static void free_graph(void) {
    graph_free(g);
}

static tensor *input(const char *name, uint32_t rank, const int64_t *dims) {
    tensor *t = graph_add_tensor(g, name, KILN_F32);
    ck_assert_int_eq(tensor_set_shape(g, NULL, t, rank, dims), KILN_OK);
    t->is_input = true;
    g->inputs = graph_allocate(g, sizeof(tensor *));
    g->inputs[0] = t;
    g->input_count = 1;
    return t;
}

static void set_output(tensor *t) {
    g->outputs = graph_allocate(g, sizeof(tensor *));
    g->outputs[0] = t;
    g->output_count = 1;
    t->is_output = true;
}

static node *apply(const char *op_name, tensor *x, tensor *y) {
    node *n = graph_add_node(g, op_find(op_name), NULL, 1, &x, 1, &y);
    ck_assert_ptr_nonnull(n);
    ck_assert_int_eq(graph_infer_node(g, n), KILN_OK);
    return n;
}

/* x -> Relu -> Abs -> y */
static void make_chain(tensor **x, tensor **a, tensor **y) {
    const int64_t dims[] = {2, 3};
    *x = input("x", 2, dims);
    *a = graph_add_tensor(g, "a", KILN_F32);
    *y = graph_add_tensor(g, "y", KILN_F32);
    apply("Relu", *x, *a);
    apply("Abs", *a, *y);
    set_output(*y);
}

START_TEST(keeps_names_unique) {
    tensor *a = graph_add_tensor(g, "a", KILN_F32), *again = graph_add_tensor(g, "a", KILN_F32);
    tensor *none = graph_add_tensor(g, NULL, KILN_I64);
    ck_assert_ptr_eq(graph_find_tensor(g, "a"), a);
    ck_assert_str_ne(again->name, "a");
    ck_assert_ptr_eq(graph_find_tensor(g, again->name), again);
    ck_assert_ptr_eq(graph_find_tensor(g, none->name), none);
    ck_assert_ptr_null(graph_find_tensor(g, "b"));
}
END_TEST

/* Quadratic work would take minutes. */
START_TEST(is_quick_when_large) {
    tensor *t = graph_add_constant(g, "t", KILN_F32, 0, NULL);
    for (int k = 0; k < 100000; k++) {
        tensor *y = graph_add_tensor(g, "t", KILN_F32);
        ck_assert_ptr_nonnull(graph_add_node(g, op_find("Relu"), NULL, 1, &t, 1, &y));
        ck_assert_ptr_eq(graph_find_tensor(g, y->name), y);
    }
    ck_assert_uint_eq(t->consumer_count, 100000);
    ck_assert_int_eq(graph_refresh(g), KILN_OK);
}
END_TEST

START_TEST(gives_zeroed_aligned_memory) {
    const size_t sizes[] = {0, 1, 7, 100, 20000, 100000, 3};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        uint8_t *memory = graph_allocate(g, sizes[k]);
        ck_assert_ptr_nonnull(memory);
        ck_assert_uint_eq((uintptr_t)memory % alignof(max_align_t), 0);
        for (size_t i = 0; i < sizes[k]; i++) {
            ck_assert_uint_eq(memory[i], 0);
        }
        memset(memory, 0xff, sizes[k]);
    }
    ck_assert_str_eq(graph_printf(g, "%d-%s", 7, "x"), "7-x");
    ck_assert_ptr_null(graph_allocate(g, SIZE_MAX));
    ck_assert_int_eq(error.status, KILN_ERROR_MEMORY);
}
END_TEST

START_TEST(limits_shapes) {
    tensor *t = graph_add_tensor(g, "t", KILN_F32);
    const int64_t many[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1}, negative[] = {2, -1};
    const int64_t large[] = {INT64_C(1) << 21, INT64_C(1) << 20}, most[] = {INT64_MAX, INT64_MAX};
    const int64_t batched[] = {GRAPH_BATCH, INT64_C(1) << 39}, empty[] = {0, 5};
    ck_assert_int_ne(tensor_set_shape(g, NULL, t, 9, many), KILN_OK);
    ck_assert_int_ne(tensor_set_shape(g, NULL, t, 2, negative), KILN_OK);
    ck_assert_int_ne(tensor_set_shape(g, NULL, t, 2, large), KILN_OK);
    ck_assert_int_ne(tensor_set_shape(g, NULL, t, 2, most), KILN_OK);
    ck_assert_int_ne(tensor_set_shape(g, NULL, t, 2, batched), KILN_OK);
    ck_assert(!t->shape_known);
    g->batch_symbolic = true;
    ck_assert_int_eq(tensor_set_shape(g, NULL, t, 2, batched), KILN_OK);
    ck_assert(tensor_is_batched(g, t));
    ck_assert_int_eq(tensor_elements(t), GRAPH_BATCH << 39);
    ck_assert_int_eq(tensor_set_shape(g, NULL, t, 2, empty), KILN_OK);
    ck_assert_int_eq(tensor_elements(t), 0);
    ck_assert_int_eq(tensor_set_shape(g, NULL, t, 0, NULL), KILN_OK);
    ck_assert_int_eq(tensor_elements(t), 1);
}
END_TEST

START_TEST(shows_shapes) {
    tensor *t = graph_add_tensor(g, "t", KILN_F32);
    const int64_t dims[] = {GRAPH_BATCH, 3, 4 * GRAPH_BATCH};
    char text[64], tiny[4];
    ck_assert_str_eq(tensor_shape_text(t, text, sizeof text), "?");
    t->shape_known = true;
    t->rank = 3;
    memcpy(t->dims, dims, sizeof dims);
    ck_assert_str_eq(tensor_shape_text(t, text, sizeof text), "Nx3x4N");
    ck_assert_str_eq(tensor_shape_text(t, tiny, sizeof tiny), "Nx3");
}
END_TEST

START_TEST(aligns_constants) {
    static uint8_t file[17];
    const int64_t two = 2;
    const float values[] = {1, 2};
    tensor *t = graph_add_tensor(g, "t", KILN_F32);
    ck_assert_int_eq(tensor_set_shape(g, NULL, t, 1, &two), KILN_OK);
    size_t at = (uintptr_t)file % 4 == 3 ? 2 : 1;
    memcpy(file + at, values, sizeof values);
    t->data = file + at;
    ck_assert_float_eq(tensor_f32_at(t, 1), 2);
    ck_assert_int_eq(tensor_align(g, t), KILN_OK);
    const float *aligned = tensor_f32(t);
    ck_assert_uint_eq((uintptr_t)aligned % 4, 0);
    ck_assert(aligned[0] == 1 && aligned[1] == 2);
    ck_assert_ptr_eq(tensor_f32(t), aligned);
    tensor_release(t);
    ck_assert(!tensor_is_constant(t));
}
END_TEST

START_TEST(rewires) {
    tensor *x, *a, *y;
    make_chain(&x, &a, &y);
    node *abs = g->nodes[1];
    ck_assert_ptr_eq(tensor_single_consumer(a), abs);
    ck_assert_ptr_null(tensor_single_consumer(y));
    ck_assert_int_eq(graph_validate(g), KILN_OK);
    ck_assert_int_eq(node_set_input(g, abs, 0, x), KILN_OK);
    ck_assert_uint_eq(x->consumer_count, 2);
    ck_assert_uint_eq(a->consumer_count, 0);
    ck_assert_int_eq(graph_replace_uses(g, x, a), KILN_OK);
    ck_assert_uint_eq(a->consumer_count, 2);
    ck_assert_uint_eq(x->consumer_count, 0);
    ck_assert_int_eq(graph_validate(g), KILN_ERROR_INTERNAL);
}
END_TEST

START_TEST(drops_dead_nodes) {
    tensor *x, *a, *y;
    make_chain(&x, &a, &y);
    const int64_t two = 2;
    tensor *folded = graph_add_constant(g, "folded", KILN_F32, 1, &two);
    tensor *fresh = graph_add_constant(g, "fresh", KILN_F32, 1, &two);
    node *n = apply("Relu", folded, graph_add_tensor(g, "z", KILN_F32));
    n->dead = true;
    ck_assert_int_eq(graph_refresh(g), KILN_OK);
    ck_assert_uint_eq(g->node_count, 2);
    ck_assert_ptr_null(graph_find_tensor(g, "z")->producer);
    ck_assert(!tensor_is_constant(folded));
    ck_assert(tensor_is_constant(fresh));
    ck_assert_int_eq(graph_validate(g), KILN_OK);
}
END_TEST

START_TEST(inserts_in_order) {
    tensor *x, *a, *y;
    make_chain(&x, &a, &y);
    tensor *b = graph_add_tensor(g, "b", KILN_F32);
    node *n = graph_insert_node(g, 1, op_find("Neg"), "neg", 1, &a, 1, &b);
    ck_assert_ptr_eq(g->nodes[1], n);
    ck_assert_str_eq(n->origin, "Neg");
    ck_assert(n->min == -INFINITY && n->max == INFINITY);
    ck_assert_int_eq(graph_infer_node(g, n), KILN_OK);
    ck_assert_int_eq(node_set_input(g, g->nodes[2], 0, b), KILN_OK);
    ck_assert_int_eq(graph_validate(g), KILN_OK);
}
END_TEST

START_TEST(finds_broken_graphs) {
    tensor *x, *a, *y;
    make_chain(&x, &a, &y);
    node *swap = g->nodes[0];
    g->nodes[0] = g->nodes[1];
    g->nodes[1] = swap;
    ck_assert_int_eq(graph_validate(g), KILN_ERROR_INTERNAL);
    g->nodes[1] = g->nodes[0];
    g->nodes[0] = swap;
    ck_assert_int_eq(graph_validate(g), KILN_OK);
    a->dims[0] = -3;
    ck_assert_int_eq(graph_validate(g), KILN_ERROR_INTERNAL);
    a->dims[0] = 2;
    a->producer = NULL;
    ck_assert_int_eq(graph_validate(g), KILN_ERROR_INTERNAL);
    ck_assert_int_eq(graph_refresh(g), KILN_OK);
    y->is_output = false;
    ck_assert_int_eq(graph_validate(g), KILN_ERROR_INTERNAL);
}
END_TEST

START_TEST(reads_and_sets_attributes) {
    tensor *x, *a, *y;
    make_chain(&x, &a, &y);
    node *n = g->nodes[0];
    const int64_t values[] = {4, 5, 6};
    int64_t read[2];
    uint32_t axis;
    ck_assert_int_eq(node_int(n, "k", 9), 9);
    ck_assert_int_eq(node_set_int(g, n, "k", 3), KILN_OK);
    ck_assert_int_eq(node_set_int(g, n, "k", 4), KILN_OK);
    ck_assert_int_eq(node_set_float(g, n, "f", 0.5f), KILN_OK);
    ck_assert_int_eq(node_set_ints(g, n, "v", values, 3), KILN_OK);
    ck_assert_uint_eq(n->attribute_count, 3);
    ck_assert_int_eq(node_int(n, "k", 9), 4);
    ck_assert(node_float(n, "f", 0) == 0.5f);
    ck_assert(node_float(n, "k", 2) == 2.0f);
    ck_assert_int_eq(node_ints(n, "v", read, 2), 2);
    ck_assert_int_eq(read[1], 5);
    ck_assert_int_eq(node_ints(n, "k", read, 2), -1);
    ck_assert_str_eq(node_string(n, "s", "none"), "none");
    ck_assert_int_eq(node_axis(g, n, -1, 4, &axis), KILN_OK);
    ck_assert_uint_eq(axis, 3);
    ck_assert_int_eq(node_axis(g, n, 4, 4, &axis), KILN_ERROR_FORMAT);
    ck_assert_int_eq(node_axis(g, n, INT64_MIN, 4, &axis), KILN_ERROR_FORMAT);
}
END_TEST

START_TEST(evaluates_with_clamp) {
    const int64_t four = 4;
    tensor *x = graph_add_constant(g, "x", KILN_F32, 1, &four);
    const float values[] = {-1, 0.5f, 9, NAN};
    memcpy(x->owned, values, sizeof values);
    tensor *y = graph_add_tensor(g, "y", KILN_F32);
    node *n = apply("Neg", x, y);
    n->min = -2;
    n->max = 0.75f;
    ck_assert_int_eq(graph_evaluate_node(g, n), KILN_OK);
    const float *result = tensor_f32(y);
    ck_assert(result[0] == 0.75f && result[1] == -0.5f && result[2] == -2.0f);
    ck_assert(isnan(result[3]));
    tensor_release(x);
    ck_assert_int_eq(graph_evaluate_node(g, n), KILN_ERROR_INTERNAL);
}
END_TEST

START_TEST(tells_what_depends_on_the_batch) {
    const int64_t dims[] = {GRAPH_BATCH, 3};
    g->batch_symbolic = true;
    tensor *x = input("x", 2, dims), *s = graph_add_tensor(g, "s", KILN_I64);
    node *shape = apply("Shape", x, s);
    ck_assert_int_eq(graph_evaluate_node(g, shape), KILN_OK);
    ck_assert(tensor_depends_on_batch(s));
    ck_assert_int_eq(tensor_i64(s)[0], GRAPH_BATCH);
    tensor *t = graph_add_tensor(g, "t", KILN_I64);
    ck_assert_int_eq(graph_evaluate_node(g, apply("Identity", s, t)), KILN_OK);
    ck_assert(tensor_depends_on_batch(t));
}
END_TEST

START_TEST(names_the_culprit) {
    tensor *x, *a, *y;
    make_chain(&x, &a, &y);
    node *n = graph_add_node(g, op_find("Abs"), "two\nlines", 1, &x, 1, &a);
    ck_assert_int_eq(node_fail(g, n, KILN_ERROR_UNSUPPORTED, "found %d", 3),
                     KILN_ERROR_UNSUPPORTED);
    ck_assert_str_eq(error.message, "net.onnx: node 'two\\nlines' (Abs): found 3");
}
END_TEST

START_TEST(dumps) {
    tensor *x, *a, *y;
    make_chain(&x, &a, &y);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(out);
    graph_dump(g, out);
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_ptr_nonnull(strstr(text, "Relu (x:f32[2x3]) -> a:f32[2x3]"));
    free(text);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("names", keeps_names_unique),
        TEST("names", is_quick_when_large),
        TEST("memory", gives_zeroed_aligned_memory),
        TEST("memory", aligns_constants),
        TEST("shapes", limits_shapes),
        TEST("shapes", shows_shapes),
        TEST("shapes", tells_what_depends_on_the_batch),
        TEST("rewriting", rewires),
        TEST("rewriting", drops_dead_nodes),
        TEST("rewriting", inserts_in_order),
        TEST("rewriting", finds_broken_graphs),
        TEST("attributes", reads_and_sets_attributes),
        TEST("evaluation", evaluates_with_clamp),
        TEST("texts", names_the_culprit),
        TEST("texts", dumps),
    };
    return SUITE("graph", tests, .begin = make_graph, .end = free_graph);
}
