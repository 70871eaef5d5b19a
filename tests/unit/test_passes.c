/* Each pass: the graph computes the same before and after it, and the rewrite did happen. */
#include "compiler/graph/graph.h"
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef tensor *(*network)(graph *g, tensor *x);

static uint64_t random_state;

static float next_value(void) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (float)(random_state >> 40) / (float)(1 << 24) * 2.0f - 1.0f;
}

static tensor *constant(graph *g, uint32_t rank, const int64_t *dims) {
    tensor *t = graph_add_constant(g, NULL, KILN_F32, rank, dims);
    for (int64_t k = 0; k < tensor_elements(t); k++) {
        ((float *)t->owned)[k] = next_value();
    }
    return t;
}

static tensor *scalar(graph *g, float value) {
    tensor *t = graph_add_constant(g, NULL, KILN_F32, 0, NULL);
    *(float *)t->owned = value;
    return t;
}

static tensor *integers(graph *g, int64_t count, const int64_t *values) {
    tensor *t = graph_add_constant(g, NULL, KILN_I64, 1, &count);
    memcpy(t->owned, values, (size_t)count * sizeof *values);
    return t;
}

static node *last_node(const graph *g) {
    return g->nodes[g->node_count - 1];
}

static tensor *apply(graph *g, const char *op_name, size_t count, tensor *const *inputs) {
    tensor *y = graph_add_tensor(g, NULL, KILN_F32);
    ck_assert_ptr_nonnull(op_find(op_name));
    ck_assert_ptr_nonnull(graph_add_node(g, op_find(op_name), NULL, count, inputs, 1, &y));
    return y;
}

#define APPLY(g, name, ...)                                                                        \
    apply(g, name, sizeof((tensor *[]){__VA_ARGS__}) / sizeof(tensor *), (tensor *[]){__VA_ARGS__})

static graph *make(network build, kiln_error *error, tensor **out_x) {
    graph *g = NULL;
    random_state = 7;
    ck_assert_int_eq(graph_create("test", op_find, error, &g), KILN_OK);
    g->opset = 13;
    tensor *x = graph_add_tensor(g, "x", KILN_F32);
    const int64_t dims[] = {2, 6, 7, 7};
    ck_assert_int_eq(tensor_set_shape(g, NULL, x, 4, dims), KILN_OK);
    x->is_input = true;
    g->inputs = graph_allocate(g, sizeof *g->inputs);
    g->inputs[0] = x;
    g->input_count = 1;
    tensor *y = build(g, x);
    y->is_output = true;
    g->outputs = graph_allocate(g, sizeof *g->outputs);
    g->outputs[0] = y;
    g->output_count = 1;
    ck_assert_int_eq(graph_refresh(g), KILN_OK);
    *out_x = x;
    return g;
}

static const float *evaluate(graph *g, tensor *x) {
    ck_assert_int_eq(tensor_allocate(g, x), KILN_OK);
    random_state = 99;
    for (int64_t k = 0; k < tensor_elements(x); k++) {
        ((float *)x->owned)[k] = next_value();
    }
    for (size_t k = 0; k < g->node_count; k++) {
        ck_assert_int_eq(graph_infer_node(g, g->nodes[k]), KILN_OK);
        ck_assert_int_eq(graph_evaluate_node(g, g->nodes[k]), KILN_OK);
    }
    return tensor_f32(g->outputs[0]);
}

/* Returns how many nodes are left. */
static size_t check_same(network build, kiln_status (*pass)(graph *, size_t *), size_t rewrites) {
    kiln_error error = {0};
    tensor *x, *z;
    graph *before = make(build, &error, &x), *after = make(build, &error, &z);
    size_t count = 0;
    ck_assert_msg(pass_fold_constants(after, &count) == KILN_OK, "%s", error.message);
    ck_assert_int_eq(graph_refresh(after), KILN_OK);
    count = 0;
    ck_assert_int_eq(pass(after, &count), KILN_OK);
    ck_assert_uint_eq(count, rewrites);
    ck_assert_int_eq(graph_refresh(after), KILN_OK);
    ck_assert_msg(graph_validate(after) == KILN_OK, "%s", error.message);
    ck_assert_int_eq(pass_remove_dead_code(after, &count), KILN_OK);
    size_t left = after->node_count;
    const float *a = evaluate(before, x), *b = evaluate(after, z);
    ck_assert_int_eq(tensor_elements(before->outputs[0]), tensor_elements(after->outputs[0]));
    for (int64_t k = 0; k < tensor_elements(before->outputs[0]); k++) {
        ck_assert_msg(fabsf(a[k] - b[k]) <= 1e-5f * (1.0f + fabsf(a[k])), "element %lld: %g, %g",
                      (long long)k, (double)a[k], (double)b[k]);
    }
    graph_free(before);
    graph_free(after);
    return left;
}

/* ---- Networks ------------------------------------------------------------------------------ */

static tensor *conv(graph *g, tensor *x) {
    return APPLY(g, "Conv", x, constant(g, 4, (int64_t[]){4, 6, 3, 3}));
}

static tensor *batch_norm(graph *g, tensor *x, int64_t channels) {
    tensor *variance = constant(g, 1, &channels);
    for (int64_t c = 0; c < channels; c++) {
        ((float *)variance->owned)[c] += 1.5f;
    }
    return APPLY(g, "BatchNormalization", x, constant(g, 1, &channels), constant(g, 1, &channels),
                 constant(g, 1, &channels), variance);
}

static tensor *conv_batch_norm(graph *g, tensor *x) {
    return batch_norm(g, conv(g, x), 4);
}

static tensor *transposed_batch_norm(graph *g, tensor *x) {
    tensor *y = APPLY(g, "ConvTranspose", x, constant(g, 4, (int64_t[]){6, 2, 3, 3}));
    ck_assert_int_eq(node_set_int(g, last_node(g), "group", 3), KILN_OK);
    return batch_norm(g, y, 6);
}

static tensor *shared_batch_norm(graph *g, tensor *x) {
    tensor *y = conv(g, x);
    return APPLY(g, "Add", batch_norm(g, y, 4), y);
}

static tensor *conv_scale_bias(graph *g, tensor *x) {
    tensor *y = conv(g, x);
    y = APPLY(g, "Mul", y, constant(g, 3, (int64_t[]){4, 1, 1}));
    y = APPLY(g, "Sub", constant(g, 4, (int64_t[]){1, 4, 1, 1}), y);
    return APPLY(g, "Div", y, scalar(g, 4.0f));
}

static tensor *conv_scale_by_width(graph *g, tensor *x) {
    return APPLY(g, "Mul", conv(g, x), constant(g, 1, (int64_t[]){5}));
}

static tensor *conv_clip_relu(graph *g, tensor *x) {
    tensor *y = APPLY(g, "Clip", conv(g, x), scalar(g, -0.5f), scalar(g, 0.5f));
    return APPLY(g, "Relu", y);
}

static tensor *residual(graph *g, tensor *x) {
    return APPLY(g, "Relu", APPLY(g, "Add", APPLY(g, "Tanh", x), x));
}

static tensor *pad_conv(graph *g, tensor *x) {
    tensor *pads = integers(g, 8, (int64_t[]){0, 0, 1, 2, 0, 0, 0, 1});
    return conv(g, APPLY(g, "Pad", x, pads));
}

static tensor *pad_with_one(graph *g, tensor *x) {
    tensor *pads = integers(g, 8, (int64_t[]){0, 0, 1, 2, 0, 0, 0, 1});
    return conv(g, APPLY(g, "Pad", x, pads, scalar(g, 1.0f)));
}

static tensor *pad_average(graph *g, tensor *x) {
    tensor *pads = integers(g, 8, (int64_t[]){0, 0, 1, 1, 0, 0, 1, 1});
    tensor *y = APPLY(g, "AveragePool", APPLY(g, "Pad", x, pads));
    ck_assert_int_eq(node_set_ints(g, last_node(g), "kernel_shape", (int64_t[]){3, 3}, 2), KILN_OK);
    return y;
}

static tensor *pool(graph *g, const char *op, tensor *x, const int64_t *kernel) {
    tensor *y = APPLY(g, op, x);
    ck_assert_int_eq(node_set_ints(g, last_node(g), "kernel_shape", kernel, 2), KILN_OK);
    return y;
}

static tensor *pad_maximum(graph *g, tensor *x) {
    tensor *pads = integers(g, 8, (int64_t[]){0, 0, 1, 1, 0, 0, 0, 2});
    return pool(g, "MaxPool", APPLY(g, "Pad", APPLY(g, "Relu", x), pads), (int64_t[]){3, 3});
}

/* Elements may be below the padding; a window may have no other. */
static tensor *pad_maximum_of_any(graph *g, tensor *x) {
    tensor *pads = integers(g, 8, (int64_t[]){0, 0, 1, 1, 0, 0, 0, 2});
    return pool(g, "MaxPool", APPLY(g, "Pad", x, pads), (int64_t[]){3, 3});
}

static tensor *pad_maximum_alone(graph *g, tensor *x) {
    tensor *pads = integers(g, 8, (int64_t[]){0, 0, 0, 0, 0, 0, 0, 2});
    return pool(g, "MaxPool", APPLY(g, "Pad", APPLY(g, "Relu", x), pads), (int64_t[]){1, 2});
}

static tensor *pools_of_one(graph *g, tensor *x) {
    tensor *y = pool(g, "AveragePool", APPLY(g, "Tanh", x), (int64_t[]){1, 1});
    return APPLY(g, "Relu", pool(g, "MaxPool", y, (int64_t[]){1, 1}));
}

static tensor *shuffle(graph *g, tensor *x) {
    tensor *y = APPLY(g, "Reshape", x, integers(g, 5, (int64_t[]){2, 3, 2, 7, 7}));
    y = APPLY(g, "Transpose", y);
    ck_assert_int_eq(node_set_ints(g, last_node(g), "perm", (int64_t[]){0, 2, 1, 3, 4}, 5),
                     KILN_OK);
    return APPLY(g, "Reshape", y, integers(g, 4, (int64_t[]){2, -1, 7, 7}));
}

static tensor *transposes(graph *g, tensor *x) {
    tensor *y = APPLY(g, "Transpose", x);
    ck_assert_int_eq(node_set_ints(g, last_node(g), "perm", (int64_t[]){0, 2, 3, 1}, 4), KILN_OK);
    y = APPLY(g, "Transpose", y);
    ck_assert_int_eq(node_set_ints(g, last_node(g), "perm", (int64_t[]){0, 3, 1, 2}, 4), KILN_OK);
    y = APPLY(g, "Transpose", y);
    ck_assert_int_eq(node_set_ints(g, last_node(g), "perm", (int64_t[]){3, 1, 0, 2}, 4), KILN_OK);
    return APPLY(g, "Relu", y);
}

static tensor *matmul_bias(graph *g, tensor *x) {
    tensor *y = APPLY(g, "Flatten", x);
    y = APPLY(g, "MatMul", y, constant(g, 2, (int64_t[]){294, 5}));
    return APPLY(g, "Add", constant(g, 1, (int64_t[]){5}), y);
}

/* 49 rows of 6: without the transposes that both bring, a convolution with a bias. */
static tensor *dense_of_map(graph *g, tensor *x) {
    tensor *y = APPLY(g, "Transpose", x);
    ck_assert_int_eq(node_set_ints(g, last_node(g), "perm", (int64_t[]){0, 2, 3, 1}, 4), KILN_OK);
    y = APPLY(g, "MatMul", y, constant(g, 2, (int64_t[]){6, 5}));
    return APPLY(g, "Add", constant(g, 1, (int64_t[]){5}), y);
}

/* PyTorch's GroupNorm of three groups. */
static tensor *group_norm(graph *g, tensor *x) {
    tensor *y = APPLY(g, "Reshape", x, integers(g, 3, (int64_t[]){0, 3, -1}));
    y = APPLY(g, "InstanceNormalization", y, constant(g, 1, (int64_t[]){3}),
              constant(g, 1, (int64_t[]){3}));
    return APPLY(g, "Reshape", y, integers(g, 4, (int64_t[]){2, 6, 7, 7}));
}

static tensor *swish(graph *g, tensor *x) {
    return APPLY(g, "Mul", APPLY(g, "Sigmoid", x), x);
}

static tensor *hard_swish(graph *g, tensor *x) {
    tensor *clip =
        APPLY(g, "Clip", APPLY(g, "Add", x, scalar(g, 3.0f)), scalar(g, 0.0f), scalar(g, 6.0f));
    return APPLY(g, "Div", APPLY(g, "Mul", x, clip), scalar(g, 6.0f));
}

static tensor *hard_swish_of_sigmoid(graph *g, tensor *x) {
    tensor *clip =
        APPLY(g, "Clip", APPLY(g, "Add", x, scalar(g, 3.0f)), scalar(g, 0.0f), scalar(g, 6.0f));
    return APPLY(g, "Mul", x, APPLY(g, "Div", clip, scalar(g, 6.0f)));
}

static tensor *no_ops(graph *g, tensor *x) {
    tensor *y = APPLY(g, "Relu", APPLY(g, "Identity", x));
    y = APPLY(g, "Reshape", y, integers(g, 4, (int64_t[]){0, 0, 7, 7}));
    return APPLY(g, "Tanh", APPLY(g, "Dropout", y));
}

static tensor *shape_arithmetic(graph *g, tensor *x) {
    tensor *shape = APPLY(g, "Shape", x);
    tensor *batch = APPLY(g, "Gather", shape, integers(g, 1, (int64_t[]){0}));
    ck_assert_ptr_nonnull(batch);
    tensor *target = APPLY(g, "Concat", batch, integers(g, 1, (int64_t[]){-1}));
    ck_assert_int_eq(node_set_int(g, last_node(g), "axis", 0), KILN_OK);
    return APPLY(g, "Reshape", x, target);
}

#define PASS_TEST(name, build, pass, rewrites, nodes)                                              \
    START_TEST(name) {                                                                             \
        ck_assert_uint_eq(check_same(build, pass, rewrites), nodes);                               \
    }                                                                                              \
    END_TEST

PASS_TEST(folds_batch_norm, conv_batch_norm, pass_fold_batch_norm, 1, 1)
PASS_TEST(folds_batch_norm_of_groups, transposed_batch_norm, pass_fold_batch_norm, 1, 1)
PASS_TEST(keeps_shared_batch_norm, shared_batch_norm, pass_fold_batch_norm, 0, 3)
PASS_TEST(folds_scale_and_bias, conv_scale_bias, pass_fold_scale_bias, 3, 1)
PASS_TEST(keeps_scale_by_width, conv_scale_by_width, pass_fold_scale_bias, 0, 2)
PASS_TEST(fuses_activation, conv_clip_relu, pass_fuse_activation, 2, 1)
PASS_TEST(fuses_residual, residual, pass_fuse_activation, 1, 2)
PASS_TEST(fuses_pad, pad_conv, pass_fuse_pad, 1, 1)
PASS_TEST(keeps_pad_with_value, pad_with_one, pass_fuse_pad, 0, 2)
PASS_TEST(fuses_pad_into_average, pad_average, pass_fuse_pad, 1, 1)
PASS_TEST(fuses_pad_into_maximum, pad_maximum, pass_fuse_pad, 1, 2)
PASS_TEST(keeps_pad_above_elements, pad_maximum_of_any, pass_fuse_pad, 0, 2)
PASS_TEST(keeps_pad_of_whole_windows, pad_maximum_alone, pass_fuse_pad, 0, 3)
PASS_TEST(removes_pools_of_one, pools_of_one, pass_remove_no_ops, 2, 2)
PASS_TEST(fuses_shuffle, shuffle, pass_fuse_channel_shuffle, 1, 1)
PASS_TEST(merges_transposes, transposes, pass_merge_transposes, 1, 2)
PASS_TEST(fuses_matmul_bias, matmul_bias, pass_fuse_matmul_bias, 2, 2)
PASS_TEST(convolves_dense, dense_of_map, pass_convolve_dense, 1, 4)
PASS_TEST(fuses_group_norm, group_norm, pass_fuse_group_norm, 1, 1)
PASS_TEST(fuses_swish, swish, pass_fuse_swish, 1, 1)
PASS_TEST(fuses_hard_swish, hard_swish, pass_fuse_hard_swish, 1, 1)
PASS_TEST(fuses_hard_swish_of_sigmoid, hard_swish_of_sigmoid, pass_fuse_hard_swish, 2, 1)
PASS_TEST(removes_no_ops, no_ops, pass_remove_no_ops, 3, 2)
PASS_TEST(folds_shapes, shape_arithmetic, pass_remove_dead_code, 0, 1)

int main(void) {
    const suite_test tests[] = {
        TEST("batch_norm", folds_batch_norm),
        TEST("batch_norm", folds_batch_norm_of_groups),
        TEST("batch_norm", keeps_shared_batch_norm),
        TEST("batch_norm", folds_scale_and_bias),
        TEST("batch_norm", keeps_scale_by_width),
        TEST("activations", fuses_activation),
        TEST("activations", fuses_swish),
        TEST("activations", fuses_hard_swish),
        TEST("activations", fuses_hard_swish_of_sigmoid),
        TEST("residual", fuses_residual),
        TEST("pad", fuses_pad),
        TEST("pad", keeps_pad_with_value),
        TEST("pad", fuses_pad_into_average),
        TEST("pad", fuses_pad_into_maximum),
        TEST("pad", keeps_pad_above_elements),
        TEST("pad", keeps_pad_of_whole_windows),
        TEST("movement", fuses_shuffle),
        TEST("movement", merges_transposes),
        TEST("products", fuses_matmul_bias),
        TEST("products", convolves_dense),
        TEST("norms", fuses_group_norm),
        TEST("cleaning", removes_no_ops),
        TEST("cleaning", removes_pools_of_one),
        TEST("cleaning", folds_shapes),
    };
    return SUITE("passes", tests);
}
