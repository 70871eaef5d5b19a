/* Each pass: the graph computes the same before and after it, and the rewrite did happen. */
#include "tests/unit/pass_case.h"

/* ---- Networks ------------------------------------------------------------------------------ */

static tensor *conv(network *n, tensor *x) {
    return APPLY(n, "Conv", x, constant(n, 4, (int64_t[]){4, 6, 3, 3}));
}

static tensor *conv_batch_norm(network *n, tensor *x) {
    return batch_norm(n, conv(n, x), 4);
}

static tensor *transposed_batch_norm(network *n, tensor *x) {
    tensor *y = APPLY(n, "ConvTranspose", x, constant(n, 4, (int64_t[]){6, 2, 3, 3}));
    ck_assert_int_eq(node_set_int(n->g, last_node(n), "group", 3), KILN_OK);
    return batch_norm(n, y, 6);
}

static tensor *shared_batch_norm(network *n, tensor *x) {
    tensor *y = conv(n, x);
    return APPLY(n, "Add", batch_norm(n, y, 4), y);
}

static tensor *conv_scale_bias(network *n, tensor *x) {
    tensor *y = conv(n, x);
    y = APPLY(n, "Mul", y, constant(n, 3, (int64_t[]){4, 1, 1}));
    y = APPLY(n, "Sub", constant(n, 4, (int64_t[]){1, 4, 1, 1}), y);
    return APPLY(n, "Div", y, scalar(n, 4.0f));
}

static tensor *conv_scale_by_width(network *n, tensor *x) {
    return APPLY(n, "Mul", conv(n, x), constant(n, 1, (int64_t[]){5}));
}

static tensor *conv_clip_relu(network *n, tensor *x) {
    tensor *y = APPLY(n, "Clip", conv(n, x), scalar(n, -0.5f), scalar(n, 0.5f));
    return APPLY(n, "Relu", y);
}

/* What a learnable affine block makes of an activation; a negative scale turns bounds round. */
static tensor *scaled_behind(network *n, tensor *y, float scale) {
    y = APPLY(n, "Mul", scalar(n, scale), APPLY(n, "Relu", y));
    return APPLY(n, "Add", y, scalar(n, 0.25f));
}

static tensor *scaled_activation(network *n, tensor *x) {
    return scaled_behind(n, conv(n, x), 0.75f);
}

static tensor *turned_activation(network *n, tensor *x) {
    tensor *y = scaled_behind(n, conv(n, x), -0.75f);
    return APPLY(n, "Clip", y, scalar(n, -0.5f), scalar(n, 0.125f));
}

static tensor *scaled_sum(network *n, tensor *x) {
    return scaled_behind(n, APPLY(n, "Add", APPLY(n, "Tanh", x), x), 0.75f);
}

static tensor *residual(network *n, tensor *x) {
    return APPLY(n, "Relu", APPLY(n, "Add", APPLY(n, "Tanh", x), x));
}

static tensor *pad_conv(network *n, tensor *x) {
    tensor *pads = integers(n, 8, (int64_t[]){0, 0, 1, 2, 0, 0, 0, 1});
    return conv(n, APPLY(n, "Pad", x, pads));
}

static tensor *pad_with_one(network *n, tensor *x) {
    tensor *pads = integers(n, 8, (int64_t[]){0, 0, 1, 2, 0, 0, 0, 1});
    return conv(n, APPLY(n, "Pad", x, pads, scalar(n, 1.0f)));
}

static tensor *pad_average(network *n, tensor *x) {
    tensor *pads = integers(n, 8, (int64_t[]){0, 0, 1, 1, 0, 0, 1, 1});
    tensor *y = APPLY(n, "AveragePool", APPLY(n, "Pad", x, pads));
    ck_assert_int_eq(node_set_ints(n->g, last_node(n), "kernel_shape", (int64_t[]){3, 3}, 2),
                     KILN_OK);
    return y;
}

static tensor *pool(network *n, const char *op, tensor *x, const int64_t *kernel) {
    tensor *y = APPLY(n, op, x);
    ck_assert_int_eq(node_set_ints(n->g, last_node(n), "kernel_shape", kernel, 2), KILN_OK);
    return y;
}

static tensor *pad_maximum(network *n, tensor *x) {
    tensor *pads = integers(n, 8, (int64_t[]){0, 0, 1, 1, 0, 0, 0, 2});
    return pool(n, "MaxPool", APPLY(n, "Pad", APPLY(n, "Relu", x), pads), (int64_t[]){3, 3});
}

/* Elements may be below the padding; a window may have no other. */
static tensor *pad_maximum_of_any(network *n, tensor *x) {
    tensor *pads = integers(n, 8, (int64_t[]){0, 0, 1, 1, 0, 0, 0, 2});
    return pool(n, "MaxPool", APPLY(n, "Pad", x, pads), (int64_t[]){3, 3});
}

static tensor *pad_maximum_alone(network *n, tensor *x) {
    tensor *pads = integers(n, 8, (int64_t[]){0, 0, 0, 0, 0, 0, 0, 2});
    return pool(n, "MaxPool", APPLY(n, "Pad", APPLY(n, "Relu", x), pads), (int64_t[]){1, 2});
}

/* Bounds in the wrong order: all elements are the upper one. */
static tensor *pad_maximum_of_ones(network *n, tensor *x) {
    tensor *pads = integers(n, 8, (int64_t[]){0, 0, 1, 1, 0, 0, 0, 2});
    tensor *y = APPLY(n, "Clip", x, scalar(n, 1), scalar(n, -1));
    return pool(n, "MaxPool", APPLY(n, "Pad", y, pads), (int64_t[]){3, 3});
}

static tensor *pools_of_one(network *n, tensor *x) {
    tensor *y = pool(n, "AveragePool", APPLY(n, "Tanh", x), (int64_t[]){1, 1});
    return APPLY(n, "Relu", pool(n, "MaxPool", y, (int64_t[]){1, 1}));
}

static tensor *shuffle(network *n, tensor *x) {
    tensor *y = APPLY(n, "Reshape", x, integers(n, 5, (int64_t[]){2, 3, 2, 7, 7}));
    y = APPLY(n, "Transpose", y);
    ck_assert_int_eq(node_set_ints(n->g, last_node(n), "perm", (int64_t[]){0, 2, 1, 3, 4}, 5),
                     KILN_OK);
    return APPLY(n, "Reshape", y, integers(n, 4, (int64_t[]){2, -1, 7, 7}));
}

static tensor *transposes(network *n, tensor *x) {
    tensor *y = APPLY(n, "Transpose", x);
    ck_assert_int_eq(node_set_ints(n->g, last_node(n), "perm", (int64_t[]){0, 2, 3, 1}, 4),
                     KILN_OK);
    y = APPLY(n, "Transpose", y);
    ck_assert_int_eq(node_set_ints(n->g, last_node(n), "perm", (int64_t[]){0, 3, 1, 2}, 4),
                     KILN_OK);
    y = APPLY(n, "Transpose", y);
    ck_assert_int_eq(node_set_ints(n->g, last_node(n), "perm", (int64_t[]){3, 1, 0, 2}, 4),
                     KILN_OK);
    return APPLY(n, "Relu", y);
}

static tensor *matmul_bias(network *n, tensor *x) {
    tensor *y = APPLY(n, "Flatten", x);
    y = APPLY(n, "MatMul", y, constant(n, 2, (int64_t[]){294, 5}));
    return APPLY(n, "Add", constant(n, 1, (int64_t[]){5}), y);
}

/* 49 rows of 6: without the transposes that both bring, a convolution with a bias. */
static tensor *dense_of_map(network *n, tensor *x) {
    tensor *y = APPLY(n, "Transpose", x);
    ck_assert_int_eq(node_set_ints(n->g, last_node(n), "perm", (int64_t[]){0, 2, 3, 1}, 4),
                     KILN_OK);
    y = APPLY(n, "MatMul", y, constant(n, 2, (int64_t[]){6, 5}));
    return APPLY(n, "Add", constant(n, 1, (int64_t[]){5}), y);
}

/* PyTorch's GroupNorm of three groups. */
static tensor *group_norm(network *n, tensor *x) {
    tensor *y = APPLY(n, "Reshape", x, integers(n, 3, (int64_t[]){0, 3, -1}));
    y = APPLY(n, "InstanceNormalization", y, constant(n, 1, (int64_t[]){3}),
              constant(n, 1, (int64_t[]){3}));
    return APPLY(n, "Reshape", y, integers(n, 4, (int64_t[]){2, 6, 7, 7}));
}

static tensor *add_branches(network *n, tensor *stack) {
    tensor *sum = APPLY(n, "ReduceSum", stack, integers(n, 1, (int64_t[]){1}));
    ck_assert_int_eq(node_set_int(n->g, last_node(n), "keepdims", 0), KILN_OK);
    return sum;
}

/* Branches of three channels, added up, and added up by weights that depend on their sum. */
static tensor *attend(network *n, tensor *stack) {
    tensor *sum = add_branches(n, stack), *mean = APPLY(n, "GlobalAveragePool", sum);
    tensor *both = APPLY(n, "Concat", mean, APPLY(n, "Neg", mean));
    ck_assert_int_eq(node_set_int(n->g, last_node(n), "axis", 1), KILN_OK);
    tensor *weights = APPLY(n, "Reshape", both, integers(n, 5, (int64_t[]){0, 2, 3, 1, 1}));
    return add_branches(n, APPLY(n, "Mul", stack, APPLY(n, "Sigmoid", weights)));
}

static tensor *split_attention(network *n, tensor *x) {
    return attend(n, APPLY(n, "Reshape", x, integers(n, 5, (int64_t[]){0, 2, 3, 7, 7})));
}

static tensor *stacked_branches(network *n, tensor *x) {
    tensor *parts[2];
    for (size_t k = 0; k < 2; k++) {
        tensor *y = APPLY(n, "Conv", x, constant(n, 4, (int64_t[]){3, 6, 1, 1}));
        parts[k] = APPLY(n, "Unsqueeze", y, integers(n, 1, (int64_t[]){1}));
    }
    tensor *stack = APPLY(n, "Concat", parts[0], parts[1]);
    ck_assert_int_eq(node_set_int(n->g, last_node(n), "axis", 1), KILN_OK);
    return attend(n, stack);
}

/* The stack itself is needed, too. */
static tensor *read_stack(network *n, tensor *x) {
    tensor *stack = APPLY(n, "Reshape", x, integers(n, 5, (int64_t[]){0, 2, 3, 7, 7}));
    tensor *all = APPLY(n, "ReduceMax", APPLY(n, "Tanh", stack));
    return APPLY(n, "Add", attend(n, stack), all);
}

static tensor *swish(network *n, tensor *x) {
    return APPLY(n, "Mul", APPLY(n, "Sigmoid", x), x);
}

static tensor *hard_swish(network *n, tensor *x) {
    tensor *clip =
        APPLY(n, "Clip", APPLY(n, "Add", x, scalar(n, 3.0f)), scalar(n, 0.0f), scalar(n, 6.0f));
    return APPLY(n, "Div", APPLY(n, "Mul", x, clip), scalar(n, 6.0f));
}

static tensor *hard_swish_of_sigmoid(network *n, tensor *x) {
    tensor *clip =
        APPLY(n, "Clip", APPLY(n, "Add", x, scalar(n, 3.0f)), scalar(n, 0.0f), scalar(n, 6.0f));
    return APPLY(n, "Mul", x, APPLY(n, "Div", clip, scalar(n, 6.0f)));
}

static tensor *no_ops(network *n, tensor *x) {
    tensor *y = APPLY(n, "Relu", APPLY(n, "Identity", x));
    y = APPLY(n, "Reshape", y, integers(n, 4, (int64_t[]){0, 0, 7, 7}));
    return APPLY(n, "Tanh", APPLY(n, "Dropout", y));
}

static tensor *shape_arithmetic(network *n, tensor *x) {
    tensor *shape = APPLY(n, "Shape", x);
    tensor *batch = APPLY(n, "Gather", shape, integers(n, 1, (int64_t[]){0}));
    ck_assert_ptr_nonnull(batch);
    tensor *target = APPLY(n, "Concat", batch, integers(n, 1, (int64_t[]){-1}));
    ck_assert_int_eq(node_set_int(n->g, last_node(n), "axis", 0), KILN_OK);
    return APPLY(n, "Reshape", x, target);
}

/* Convolutions of x, whose outputs another convolution each reads, depthwise where `apart`. */
static tensor *siblings(network *n, tensor *x, size_t count, const network_conv *each, bool apart) {
    tensor *y = NULL;
    for (size_t k = 0; k < count; k++) {
        int64_t outputs = each[k].outputs;
        tensor *part = network_convolve(n, x, &each[k]);
        network_conv c = {outputs, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, apart ? outputs : 1, k == 1};
        part = network_convolve(n, part, &c);
        y = y == NULL ? part : APPLY(n, "Concat", y, part);
        if (k > 0) {
            ck_assert_int_eq(node_set_int(n->g, last_node(n), "axis", 1), KILN_OK);
        }
    }
    return y;
}

static tensor *heads(network *n, tensor *x) {
    static const network_conv each[] = {{4, 1, 1, {1, 1}, {1, 1}, {0}, 1, true},
                                        {1, 1, 1, {1, 1}, {1, 1}, {0}, 1, false},
                                        {10, 1, 1, {1, 1}, {1, 1}, {0}, 1, true}};
    return siblings(n, x, 3, each, true);
}

static tensor *strided_siblings(network *n, tensor *x) {
    static const network_conv each[] = {{40, 3, 3, {2, 1}, {1, 1}, {1, 0, 1, 1}, 1, true},
                                        {17, 3, 3, {2, 1}, {1, 1}, {1, 0, 1, 1}, 1, true}};
    return siblings(n, x, 2, each, false);
}

static tensor *unlike_siblings(network *n, tensor *x) {
    static const network_conv each[] = {{4, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1, true},
                                        {4, 3, 3, {1, 1}, {2, 2}, {2, 2, 2, 2}, 1, true},
                                        {4, 1, 1, {1, 1}, {1, 1}, {0}, 1, true},
                                        {6, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 2, true}};
    return siblings(n, x, 4, each, false);
}

static tensor *full_siblings(network *n, tensor *x) {
    static const network_conv each[] = {{32, 1, 1, {1, 1}, {1, 1}, {0}, 1, true},
                                        {64, 1, 1, {1, 1}, {1, 1}, {0}, 1, true}};
    return siblings(n, x, 2, each, false);
}

/* Slices would be copied. */
static tensor *summed_siblings(network *n, tensor *x) {
    static const network_conv each = {10, 1, 1, {1, 1}, {1, 1}, {0}, 1, true};
    tensor *y = network_convolve(n, x, &each), *z = network_convolve(n, x, &each);
    return APPLY(n, "Add", y, z);
}

PASS_TEST(folds_batch_norm, conv_batch_norm, pass_fold_batch_norm, 1, 1)
PASS_TEST(folds_batch_norm_of_groups, transposed_batch_norm, pass_fold_batch_norm, 1, 1)
PASS_TEST(keeps_shared_batch_norm, shared_batch_norm, pass_fold_batch_norm, 0, 3)
PASS_TEST(folds_scale_and_bias, conv_scale_bias, pass_fold_scale_bias, 3, 1)
PASS_TEST(keeps_scale_by_width, conv_scale_by_width, pass_fold_scale_bias, 0, 2)
PASS_TEST(fuses_activation, conv_clip_relu, pass_fuse_activation, 2, 1)
PASS_TEST(folds_scale_behind_activation, scaled_activation, pass_fuse_activation, 3, 1)
PASS_TEST(folds_negative_scale, turned_activation, pass_fuse_activation, 4, 1)
PASS_TEST(keeps_scale_behind_sum, scaled_sum, pass_fuse_activation, 1, 4)
PASS_TEST(fuses_residual, residual, pass_fuse_activation, 1, 2)
PASS_TEST(fuses_pad, pad_conv, pass_fuse_pad, 1, 1)
PASS_TEST(keeps_pad_with_value, pad_with_one, pass_fuse_pad, 0, 2)
PASS_TEST(fuses_pad_into_average, pad_average, pass_fuse_pad, 1, 1)
PASS_TEST(fuses_pad_into_maximum, pad_maximum, pass_fuse_pad, 1, 2)
PASS_TEST(keeps_pad_above_elements, pad_maximum_of_any, pass_fuse_pad, 0, 2)
PASS_TEST(keeps_pad_of_whole_windows, pad_maximum_alone, pass_fuse_pad, 0, 3)
PASS_TEST(keeps_pad_above_crossed_bounds, pad_maximum_of_ones, pass_fuse_pad, 0, 3)
PASS_TEST(removes_pools_of_one, pools_of_one, pass_remove_no_ops, 2, 2)
PASS_TEST(fuses_shuffle, shuffle, pass_fuse_channel_shuffle, 1, 1)
PASS_TEST(merges_transposes, transposes, pass_merge_transposes, 1, 2)
PASS_TEST(fuses_matmul_bias, matmul_bias, pass_fuse_matmul_bias, 2, 2)
PASS_TEST(convolves_dense, dense_of_map, pass_convolve_dense, 1, 4)
PASS_TEST(fuses_group_norm, group_norm, pass_fuse_group_norm, 1, 1)
PASS_TEST(sums_split_branches, split_attention, pass_sum_branches, 1, 13)
PASS_TEST(sums_stacked_branches, stacked_branches, pass_sum_branches, 1, 14)
PASS_TEST(keeps_stacks_that_are_read, read_stack, pass_sum_branches, 0, 12)
PASS_TEST(fuses_swish, swish, pass_fuse_swish, 1, 1)
PASS_TEST(fuses_hard_swish, hard_swish, pass_fuse_hard_swish, 1, 1)
PASS_TEST(fuses_hard_swish_of_sigmoid, hard_swish_of_sigmoid, pass_fuse_hard_swish, 2, 1)
PASS_TEST(removes_no_ops, no_ops, pass_remove_no_ops, 3, 2)
PASS_TEST(merges_heads, heads, pass_merge_convolutions, 2, 5)
PASS_TEST(merges_strided_siblings, strided_siblings, pass_merge_convolutions, 1, 5)
PASS_TEST(keeps_unlike_siblings, unlike_siblings, pass_merge_convolutions, 0, 11)
PASS_TEST(keeps_full_siblings, full_siblings, pass_merge_convolutions, 0, 5)
PASS_TEST(keeps_summed_siblings, summed_siblings, pass_merge_convolutions, 0, 3)
PASS_TEST(folds_shapes, shape_arithmetic, pass_remove_dead_code, 0, 1)

int main(void) {
    const suite_test tests[] = {
        TEST("batch_norm", folds_batch_norm),
        TEST("batch_norm", folds_batch_norm_of_groups),
        TEST("batch_norm", keeps_shared_batch_norm),
        TEST("batch_norm", folds_scale_and_bias),
        TEST("batch_norm", keeps_scale_by_width),
        TEST("activations", fuses_activation),
        TEST("activations", folds_scale_behind_activation),
        TEST("activations", folds_negative_scale),
        TEST("activations", keeps_scale_behind_sum),
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
        TEST("pad", keeps_pad_above_crossed_bounds),
        TEST("movement", fuses_shuffle),
        TEST("movement", merges_transposes),
        TEST("products", fuses_matmul_bias),
        TEST("products", convolves_dense),
        TEST("siblings", merges_heads),
        TEST("siblings", merges_strided_siblings),
        TEST("siblings", keeps_unlike_siblings),
        TEST("siblings", keeps_full_siblings),
        TEST("siblings", keeps_summed_siblings),
        TEST("norms", fuses_group_norm),
        TEST("branches", sums_split_branches),
        TEST("branches", sums_stacked_branches),
        TEST("branches", keeps_stacks_that_are_read),
        TEST("cleaning", removes_no_ops),
        TEST("cleaning", removes_pools_of_one),
        TEST("cleaning", folds_shapes),
    };
    return SUITE("passes", tests);
}
