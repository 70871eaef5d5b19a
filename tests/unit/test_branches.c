/* Passes on what lies side by side: branches, groups, heads, and what is repeated for others. */
#include "tests/unit/pass_case.h"

/* x / (its norm along the channels, expanded), as exporters write it, and the norm by itself. */
static tensor *expanded(network *n, tensor *x, bool read) {
    const int64_t axis = 1, four = 4, dims[] = {2, 6, 7, 7};
    tensor *norm = APPLY(n, "ReduceL2", x);
    ck_assert_int_eq(node_set_ints(n->g, last_node(n), "axes", &axis, 1), KILN_OK);
    tensor *wide = APPLY(n, "Expand", norm, integers(n, four, dims));
    tensor *y = APPLY(n, "Div", x, wide);
    return read ? APPLY(n, "Concat", y, wide) : y;
}

static tensor *divided_by_expanded(network *n, tensor *x) {
    return expanded(n, x, false);
}

static tensor *read_expanded(network *n, tensor *x) {
    tensor *y = expanded(n, x, true);
    ck_assert_int_eq(node_set_int(n->g, last_node(n), "axis", 1), KILN_OK);
    return y;
}

/* Convolutions of two groups: of 32 inputs and 33 outputs each, or narrower, or strided. */
static tensor *groups_of(network *n, tensor *x, int64_t channels, int64_t stride) {
    const network_conv wide = {channels, 1, 1, {1, 1}, {1, 1}, {0}, 1, false};
    const network_conv grouped = {66, 3, 3, {stride, 1}, {1, 1}, {1, 0, 1, 1}, 2, true};
    return network_convolve(n, network_convolve(n, x, &wide), &grouped);
}

static tensor *wide_groups(network *n, tensor *x) {
    return groups_of(n, x, 64, 1);
}

static tensor *narrow_groups(network *n, tensor *x) {
    return groups_of(n, x, 62, 1);
}

static tensor *strided_groups(network *n, tensor *x) {
    return groups_of(n, x, 64, 2);
}

static tensor *moved(network *n, tensor *x, const int64_t *perm) {
    tensor *y = APPLY(n, "Transpose", x);
    ck_assert_int_eq(node_set_ints(n->g, last_node(n), "perm", perm, 4), KILN_OK);
    ck_assert_int_eq(graph_infer_node(n->g, last_node(n)), KILN_OK);
    return y;
}

static tensor *viewed(network *n, tensor *x, const int64_t *dims) {
    tensor *y = APPLY(n, "Reshape", x, integers(n, 4, dims));
    ck_assert_int_eq(graph_infer_node(n->g, last_node(n)), KILN_OK);
    return y;
}

/* Three heads of a map of 12 channels, as matrices [2,3,49,4] or [2,4,3,49], which are multiplied
 * and put back where another convolution reads them. */
static tensor *heads_of(network *n, tensor *x, const int64_t *perm, int64_t inner) {
    static const network_conv c = {12, 1, 1, {1, 1}, {1, 1}, {0}, 1, false};
    const int64_t apart[] = {2, 3, 4, 49}, together[] = {2, 12, 7, 7}, dims[] = {inner, inner};
    tensor *y = moved(n, viewed(n, network_convolve(n, x, &c), apart), perm);
    y = APPLY(n, "MatMul", y, constant(n, 2, dims));
    ck_assert_int_eq(graph_infer_node(n->g, last_node(n)), KILN_OK);
    return network_convolve(n, viewed(n, moved(n, y, perm), together), &c);
}

static tensor *heads_of_channels(network *n, tensor *x) {
    return heads_of(n, x, (int64_t[]){0, 1, 3, 2}, 4);
}

static tensor *heads_of_pixels(network *n, tensor *x) {
    return heads_of(n, x, (int64_t[]){0, 2, 1, 3}, 49);
}

/* Patches of 2x2 pixels, the like pixels of all as samples of their own: [8,9,12] of [2,12,6,6];
 * and back. */
static tensor *patches_of_map(network *n, tensor *x) {
    static const network_conv smaller = {12, 2, 2, {1, 1}, {1, 1}, {0}, 1, false};
    static const network_conv last = {12, 1, 1, {1, 1}, {1, 1}, {0}, 1, false};
    static const int64_t rows[] = {72, 2, 3, 2}, columns[] = {72, 3, 2, 2}, apart[] = {2, 12, 9, 4},
                         samples[] = {8, 9, 1, 12}, back[] = {2, 4, 9, 12}, map[] = {2, 12, 6, 6};
    static const int64_t swapped[] = {0, 2, 1, 3}, turned[] = {0, 3, 2, 1};
    const int64_t dims[] = {12, 12};
    tensor *y = viewed(n, network_convolve(n, x, &smaller), rows);
    y = viewed(n, moved(n, viewed(n, moved(n, y, swapped), apart), turned), samples);
    y = APPLY(n, "MatMul", y, constant(n, 2, dims));
    ck_assert_int_eq(graph_infer_node(n->g, last_node(n)), KILN_OK);
    y = moved(n, viewed(n, moved(n, viewed(n, y, back), turned), columns), swapped);
    return network_convolve(n, viewed(n, y, map), &last);
}

/* Of padding that keeps the map's size. */
static tensor *branch(network *n, tensor *x, int64_t size, int64_t groups) {
    const int64_t pad = size / 2;
    const network_conv c = {6, size, size, {1, 1}, {1, 1}, {pad, pad, pad, pad}, groups, true};
    return network_convolve(n, x, &c);
}

/* Of 3x3 and 1x1, whole and depthwise; the map itself; a norm behind all. */
static tensor *added_branches(network *n, tensor *x) {
    tensor *y = APPLY(n, "Add", branch(n, x, 1, 1), branch(n, x, 3, 1));
    return batch_norm(n, y, 6);
}

static tensor *added_depthwise(network *n, tensor *x) {
    tensor *y = APPLY(n, "Add", branch(n, x, 3, 6), branch(n, x, 1, 6));
    return batch_norm(n, APPLY(n, "Add", x, y), 6);
}

/* A norm that cannot go back, as x is read elsewhere, but into a convolution of x without padding.
 */
static tensor *norm_before(network *n, tensor *x, int64_t padding) {
    const network_conv c = {6, 3, 3, {2, 2}, {1, 1}, {padding, 0, 0, 0}, 2, true};
    tensor *y = batch_norm(n, x, 6);
    ck_assert_int_eq(graph_infer_node(n->g, last_node(n)), KILN_OK);
    return network_convolve(n, y, &c);
}

static tensor *norm_before_conv(network *n, tensor *x) {
    return norm_before(n, x, 0);
}

static tensor *norm_before_padding(network *n, tensor *x) {
    return norm_before(n, x, 1);
}

/* Groups differ. */
static tensor *unlike_branches(network *n, tensor *x) {
    return APPLY(n, "Add", branch(n, x, 3, 6), branch(n, x, 1, 1));
}

/* A kernel of all channels has no ones for each. */
static tensor *added_map(network *n, tensor *x) {
    return APPLY(n, "Add", branch(n, x, 3, 1), x);
}

/* One of them is read elsewhere. */
static tensor *read_branch(network *n, tensor *x) {
    tensor *y = branch(n, x, 1, 1);
    return APPLY(n, "Mul", y, APPLY(n, "Add", y, branch(n, x, 3, 1)));
}

/* A dense layer of six inputs and as many outputs. */
static tensor *layer(network *n, tensor *x, int64_t transposed) {
    const int64_t dims[] = {6, 6};
    tensor *y = APPLY(n, "Gemm", x, constant(n, 2, dims), constant(n, 1, dims));
    ck_assert_int_eq(node_set_int(n->g, last_node(n), "transB", transposed), KILN_OK);
    return y;
}

static tensor *added_layers(network *n, tensor *x) {
    x = APPLY(n, "Flatten", APPLY(n, "GlobalAveragePool", x));
    return APPLY(n, "Add", layer(n, x, 1), layer(n, x, 1));
}

static tensor *unlike_layers(network *n, tensor *x) {
    x = APPLY(n, "Flatten", APPLY(n, "GlobalAveragePool", x));
    return APPLY(n, "Add", layer(n, x, 1), layer(n, x, 0));
}

PASS_TEST(orders_heads, heads_of_channels, pass_order_views, 2, 11)
PASS_TEST(orders_patches, patches_of_map, pass_order_views, 2, 11)
PASS_TEST(keeps_heads_of_pixels, heads_of_pixels, pass_order_views, 0, 7)
PASS_TEST(passes_by_expand, divided_by_expanded, pass_remove_no_ops, 1, 2)
PASS_TEST(keeps_expand_that_is_read, read_expanded, pass_remove_no_ops, 1, 4)
PASS_TEST(splits_wide_groups, wide_groups, pass_split_groups, 1, 5)
PASS_TEST(keeps_narrow_groups, narrow_groups, pass_split_groups, 0, 2)
PASS_TEST(keeps_strided_groups, strided_groups, pass_split_groups, 0, 2)
PASS_TEST(merges_branches, added_branches, pass_merge_branches, 1, 1)
PASS_TEST(merges_depthwise_branches, added_depthwise, pass_merge_branches, 2, 1)
PASS_TEST(folds_norm_forward, norm_before_conv, pass_fold_batch_norm, 1, 1)
PASS_TEST(keeps_norm_before_padding, norm_before_padding, pass_fold_batch_norm, 0, 2)
PASS_TEST(keeps_unlike_branches, unlike_branches, pass_merge_branches, 0, 3)
PASS_TEST(keeps_added_map, added_map, pass_merge_branches, 0, 2)
PASS_TEST(merges_layers, added_layers, pass_merge_branches, 1, 3)
PASS_TEST(keeps_unlike_layers, unlike_layers, pass_merge_branches, 0, 5)
PASS_TEST(keeps_branch_that_is_read, read_branch, pass_merge_branches, 0, 4)

int main(void) {
    const suite_test tests[] = {
        TEST("heads", orders_heads),
        TEST("heads", keeps_heads_of_pixels),
        TEST("heads", orders_patches),
        TEST("groups", splits_wide_groups),
        TEST("groups", keeps_narrow_groups),
        TEST("groups", keeps_strided_groups),
        TEST("branches", merges_branches),
        TEST("branches", merges_depthwise_branches),
        TEST("branches", keeps_unlike_branches),
        TEST("branches", merges_layers),
        TEST("branches", keeps_unlike_layers),
        TEST("branches", keeps_added_map),
        TEST("branches", keeps_branch_that_is_read),
        TEST("norms", folds_norm_forward),
        TEST("norms", keeps_norm_before_padding),
        TEST("repetition", passes_by_expand),
        TEST("repetition", keeps_expand_that_is_read),
    };
    return SUITE("branches", tests);
}
