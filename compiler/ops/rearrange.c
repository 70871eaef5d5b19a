/* Transpose, Expand, Tile, DepthToSpace, SpaceToDepth, ChannelShuffle put the same elements
 * elsewhere. */
#include "compiler/ops/support.h"

#include <string.h>

/* y[index] = x[sum of index * strides] for all of y's elements, strides by y's ONNX axes. */
static void copy_strided(tensor *x, tensor *y, const int64_t strides[KILN_MAX_RANK]) {
    int64_t index[KILN_MAX_RANK];
    size_t size = kiln_dtype_size(x->dtype);
    const uint8_t *from = tensor_bytes(x);
    for (int64_t k = 0; k < tensor_elements(y); k++) {
        index_of(y, k, index);
        memcpy((uint8_t *)y->owned + (size_t)k * size,
               from + (size_t)dot_index(y->rank, index, strides) * size, size);
    }
}

/* ---- Transpose ----------------------------------------------------------------------------- */

static kiln_status read_permutation(const graph *g, const node *n, int64_t perm[KILN_MAX_RANK]) {
    uint32_t rank = n->inputs[0]->rank, seen = 0;
    int count = node_ints(n, "perm", perm, KILN_MAX_RANK);
    for (uint32_t k = 0; count < 0 && k < rank; k++) {
        perm[k] = (int64_t)rank - 1 - k;
    }
    for (uint32_t k = 0; k < rank && (count < 0 || (uint32_t)count == rank); k++) {
        seen |= perm[k] >= 0 && perm[k] < rank ? 1u << perm[k] : 0;
    }
    return seen == (1u << rank) - 1
               ? KILN_OK
               : node_fail(g, n, KILN_ERROR_FORMAT, "'perm' is no permutation of %u axes", rank);
}

static kiln_status infer_transpose(graph *g, node *n) {
    const tensor *x = n->inputs[0];
    int64_t perm[KILN_MAX_RANK], dims[KILN_MAX_RANK];
    kiln_status status = read_permutation(g, n, perm);
    for (uint32_t k = 0; k < x->rank && status == KILN_OK; k++) {
        dims[k] = x->dims[perm[k]];
    }
    n->outputs[0]->dtype = x->dtype;
    return status == KILN_OK ? tensor_set_shape(g, n, n->outputs[0], x->rank, dims) : status;
}

static kiln_status evaluate_transpose(graph *g, node *n) {
    int64_t perm[KILN_MAX_RANK], dense[KILN_MAX_RANK], strides[KILN_MAX_RANK];
    kiln_status status = read_permutation(g, n, perm);
    if (status == KILN_OK) {
        dense_strides(n->inputs[0]->rank, n->inputs[0]->dims, dense);
        for (uint32_t k = 0; k < n->inputs[0]->rank; k++) {
            strides[k] = dense[perm[k]];
        }
        copy_strided(n->inputs[0], n->outputs[0], strides);
    }
    return status;
}

static kiln_status lower_transpose(lowering *l, node *n) {
    tensor *x = n->inputs[0], *y = n->outputs[0];
    int64_t by_axis[KILN_MAX_RANK], strides[KILN_MAX_RANK], start = 0;
    if (transpose_keeps_order(l, n)) {
        return lower_alias(l, n, y, x);
    }
    tensor *source = strided_source(l, x, by_axis, &start);
    transpose_strides(n, by_axis, strides);
    return lower_by_axes(l, n, source, y, strides, start);
}

/* ---- Expand -------------------------------------------------------------------------------- */

static kiln_status infer_expand(graph *g, node *n) {
    const tensor *x = n->inputs[0];
    int64_t shape[KILN_MAX_RANK], dims[KILN_MAX_RANK];
    int count = node_input_ints(n, 1, shape, KILN_MAX_RANK);
    if (count < 0) {
        return node_fail(g, n, KILN_ERROR_UNSUPPORTED, "the shape is not known");
    }
    uint32_t rank = (uint32_t)count > x->rank ? (uint32_t)count : x->rank;
    for (uint32_t k = 0; k < rank; k++) {
        int64_t a = k + x->rank < rank ? 1 : x->dims[k + x->rank - rank];
        int64_t b = k + (uint32_t)count < rank ? 1 : shape[k + (uint32_t)count - rank];
        if (a != b && a != 1 && b != 1) {
            return node_fail(g, n, KILN_ERROR_FORMAT, "dimension %u: %lld does not expand to %lld",
                             k, (long long)a, (long long)b);
        }
        dims[k] = a == 1 ? b : a;
    }
    n->outputs[0]->dtype = x->dtype;
    return tensor_set_shape(g, n, n->outputs[0], rank, dims);
}

static kiln_status evaluate_expand(graph *g, node *n) {
    (void)g;
    int64_t strides[KILN_MAX_RANK];
    broadcast_strides(n->inputs[0], n->outputs[0], strides);
    copy_strided(n->inputs[0], n->outputs[0], strides);
    return KILN_OK;
}

static kiln_status lower_expand(lowering *l, node *n) {
    tensor *x = n->inputs[0], *y = n->outputs[0];
    int64_t by_axis[KILN_MAX_RANK], strides[KILN_MAX_RANK];
    uint32_t missing = y->rank - x->rank;
    physical_strides(l, x, by_axis);
    for (uint32_t k = 0; k < y->rank; k++) {
        strides[k] = k < missing || x->dims[k - missing] == 1 ? 0 : by_axis[k - missing];
    }
    return lower_by_axes(l, n, x, y, strides, 0);
}

/* ---- Tile ---------------------------------------------------------------------------------- */

static kiln_status infer_tile(graph *g, node *n) {
    const tensor *x = n->inputs[0];
    int64_t repeats[KILN_MAX_RANK], dims[KILN_MAX_RANK];
    if (node_input_ints(n, 1, repeats, KILN_MAX_RANK) != (int)x->rank) {
        return node_fail(g, n, KILN_ERROR_UNSUPPORTED, "repeats are not %u known numbers", x->rank);
    }
    for (uint32_t k = 0; k < x->rank; k++) {
        if (repeats[k] < 0 || repeats[k] > INT32_MAX) {
            return node_fail(g, n, KILN_ERROR_FORMAT, "%lld repeats", (long long)repeats[k]);
        }
        kiln_status status = repeats[k] != 1 ? refuse_batch(g, n, x, k) : KILN_OK;
        if (status != KILN_OK) {
            return status;
        }
        dims[k] = x->dims[k] * repeats[k];
    }
    n->outputs[0]->dtype = x->dtype;
    return tensor_set_shape(g, n, n->outputs[0], x->rank, dims);
}

static kiln_status evaluate_tile(graph *g, node *n) {
    (void)g;
    tensor *x = n->inputs[0], *y = n->outputs[0];
    int64_t index[KILN_MAX_RANK], strides[KILN_MAX_RANK];
    size_t size = kiln_dtype_size(x->dtype);
    const uint8_t *from = tensor_bytes(x);
    dense_strides(x->rank, x->dims, strides);
    for (int64_t k = 0; k < tensor_elements(y); k++) {
        index_of(y, k, index);
        for (uint32_t d = 0; d < x->rank; d++) {
            index[d] %= x->dims[d];
        }
        memcpy((uint8_t *)y->owned + (size_t)k * size,
               from + (size_t)dot_index(x->rank, index, strides) * size, size);
    }
    return KILN_OK;
}

/* Tables of indices, by physical dim. */
static kiln_status lower_tile(lowering *l, node *n) {
    graph *g = lower_graph(l);
    const tensor *x = n->inputs[0], *y = n->outputs[0];
    bool batched = tensor_is_batched(g, y);
    int64_t entries = 0, at = 0;
    for (uint32_t d = batched ? 1 : 0; d < y->rank; d++) {
        entries += y->dims[d];
    }
    int64_t *table = graph_allocate(g, ((size_t)entries + 1) * sizeof *table);
    if (table == NULL) {
        return KILN_ERROR_MEMORY;
    }
    for (uint32_t position = batched ? 1 : 0; position < y->rank; position++) {
        uint32_t axis = logical_axis(y, position);
        for (int64_t k = 0; k < y->dims[axis]; k++) {
            table[at++] = k % x->dims[axis];
        }
    }
    if (y->rank == 0 || tensor_same_shape(x, y)) {
        return lower_alias(l, n, n->outputs[0], n->inputs[0]);
    }
    kiln_remap_params params = {.rank = y->rank, .batched = batched};
    uint32_t inputs[2] = {lower_input(l, n, 0),
                          lower_constant_data(l, NULL, KILN_I64, 1, &entries, table)};
    uint32_t out = lower_output(l, n, 0);
    return lower_step(l, n, KILN_KERNEL_REMAP, &params, sizeof params, 2, inputs, 1, &out);
}

/* ---- Blocks -------------------------------------------------------------------------------- */

/* Both block operators and the shuffle are a transpose of split dims: y's axes (n, c, h, w) as
 * loops over (n, c1, c2, h1, h2, w1, w2), each with a stride in x and in y. */
typedef struct block_loop {
    int64_t count;
    int64_t c, h, w;    /* step of x's index */
    int64_t yc, yh, yw; /* step of y's index */
} block_loop;

static uint32_t block_loops(const node *n, block_loop loops[5]) {
    const tensor *x = n->inputs[0];
    int64_t b = node_int(n, "blocksize", 1), channels = x->dims[1];
    if (strcmp(n->op->name, "ChannelShuffle") == 0) {
        int64_t groups = node_int(n, "group", 1), each = channels / groups;
        loops[0] = (block_loop){groups, each, 0, 0, 1, 0, 0};
        loops[1] = (block_loop){each, 1, 0, 0, groups, 0, 0};
        return 2;
    }
    if (strcmp(n->op->name, "SpaceToDepth") == 0) {
        loops[0] = (block_loop){channels, 1, 0, 0, 1, 0, 0};
        loops[1] = (block_loop){b, 0, 1, 0, b * channels, 0, 0};
        loops[2] = (block_loop){b, 0, 0, 1, channels, 0, 0};
        loops[3] = (block_loop){x->dims[2] / b, 0, b, 0, 0, 1, 0};
        loops[4] = (block_loop){x->dims[3] / b, 0, 0, b, 0, 0, 1};
        return 5;
    }
    bool crd = strcmp(node_string(n, "mode", "DCR"), "CRD") == 0;
    int64_t depth = channels / (b * b);
    loops[0] = (block_loop){depth, crd ? b * b : 1, 0, 0, 1, 0, 0};
    loops[1] = (block_loop){b, crd ? b : b * depth, 0, 0, 0, 1, 0};
    loops[2] = (block_loop){b, crd ? 1 : depth, 0, 0, 0, 0, 1};
    loops[3] = (block_loop){x->dims[2], 0, 1, 0, 0, b, 0};
    loops[4] = (block_loop){x->dims[3], 0, 0, 1, 0, 0, b};
    return 5;
}

static kiln_status infer_blocks(graph *g, node *n) {
    const tensor *x = n->inputs[0];
    int64_t b = node_int(n, "blocksize", 0), dims[KILN_MAX_RANK];
    bool depth = strcmp(n->op->name, "DepthToSpace") == 0;
    memcpy(dims, x->dims, sizeof dims);
    if (strcmp(n->op->name, "ChannelShuffle") != 0) {
        bool fits =
            x->rank == 4 && b >= 1 && b <= 65536 &&
            (depth ? x->dims[1] % (b * b) == 0 : x->dims[2] % b == 0 && x->dims[3] % b == 0);
        if (!fits) {
            return node_fail(g, n, KILN_ERROR_FORMAT, "blocks of %lld do not divide the input",
                             (long long)b);
        }
        dims[1] = depth ? x->dims[1] / (b * b) : x->dims[1] * b * b;
        dims[2] = depth ? x->dims[2] * b : x->dims[2] / b;
        dims[3] = depth ? x->dims[3] * b : x->dims[3] / b;
    } else if (x->rank < 3 || x->dims[1] % node_int(n, "group", 1) != 0) {
        return node_fail(g, n, KILN_ERROR_FORMAT, "groups do not divide the channels");
    }
    n->outputs[0]->dtype = x->dtype;
    return tensor_set_shape(g, n, n->outputs[0], x->rank, dims);
}

/* Strides of all loops in x and y, given each tensor's strides by axis; what a shuffle leaves alone
 * (samples, pixels) are loops too. */
static uint32_t all_loops(const node *n, const int64_t *xs, const int64_t *ys, int64_t samples,
                          int64_t counts[KILN_MAX_RANK], int64_t in[KILN_MAX_RANK],
                          int64_t out[KILN_MAX_RANK]) {
    const tensor *x = n->inputs[0];
    block_loop loops[5];
    uint32_t count = block_loops(n, loops), rank = 0;
    counts[rank] = samples;
    in[rank] = xs[0];
    out[rank++] = ys[0];
    for (uint32_t k = 2; count == 2 && k < x->rank; k++) {
        counts[rank] = x->dims[k];
        in[rank] = xs[k];
        out[rank++] = ys[k];
    }
    for (uint32_t k = 0; k < count; k++) {
        const block_loop *loop = &loops[k];
        bool image = count == 5;
        counts[rank] = loop->count;
        in[rank] = loop->c * xs[1] + (image ? loop->h * xs[2] + loop->w * xs[3] : 0);
        out[rank++] = loop->yc * ys[1] + (image ? loop->yh * ys[2] + loop->yw * ys[3] : 0);
    }
    return rank;
}

static kiln_status evaluate_blocks(graph *g, node *n) {
    (void)g;
    tensor *x = n->inputs[0], *y = n->outputs[0];
    int64_t xs[KILN_MAX_RANK], ys[KILN_MAX_RANK], counts[KILN_MAX_RANK], in[KILN_MAX_RANK],
        out[KILN_MAX_RANK];
    dense_strides(x->rank, x->dims, xs);
    dense_strides(y->rank, y->dims, ys);
    uint32_t rank = all_loops(n, xs, ys, x->dims[0], counts, in, out);
    size_t size = kiln_dtype_size(x->dtype);
    const uint8_t *from = tensor_bytes(x);
    for (int64_t k = 0; k < tensor_elements(y); k++) {
        int64_t rest = k, at = 0, to = 0;
        for (uint32_t d = rank; d-- > 0;) {
            at += rest % counts[d] * in[d];
            to += rest % counts[d] * out[d];
            rest /= counts[d];
        }
        memcpy((uint8_t *)y->owned + (size_t)to * size, from + (size_t)at * size, size);
    }
    return KILN_OK;
}

static kiln_status lower_blocks(lowering *l, node *n) {
    tensor *x = n->inputs[0], *y = n->outputs[0];
    int64_t xs[KILN_MAX_RANK], ys[KILN_MAX_RANK], counts[KILN_MAX_RANK];
    kiln_copy_params params = {.batched = tensor_is_batched(lower_graph(l), y)};
    physical_strides(l, x, xs);
    physical_strides(l, y, ys);
    params.rank = all_loops(n, xs, ys, sample_dim(l, x->dims[0]), counts, params.input_strides,
                            params.output_strides);
    for (uint32_t k = 0; k < params.rank; k++) {
        params.dims[k] = (uint32_t)counts[k];
    }
    uint32_t from = lower_tensor(l, x), to = lower_tensor(l, y);
    return lower_step(l, n, KILN_KERNEL_COPY, &params, sizeof params, 1, &from, 1, &to);
}

#define ROW(op_name, opset, inputs, constants, how, extra, suffix)                                 \
    {                                                                                              \
        .name = op_name, .min_opset = opset, .min_inputs = inputs, .max_inputs = inputs,           \
        .min_outputs = 1, .max_outputs = 1, .constant_inputs = constants, .layout = how,           \
        .flags = extra, .infer = infer_##suffix, .evaluate = evaluate_##suffix,                    \
        .lower = lower_##suffix                                                                    \
    }

const op ops_rearrange[] = {
    ROW("Transpose", 1, 1, 0, OP_ANY, 0, transpose),
    ROW("Expand", 8, 2, 2, OP_ANY, 0, expand),
    ROW("Tile", 6, 2, 2, OP_ANY, 0, tile),
    ROW("DepthToSpace", 1, 1, 0, OP_CHANNELS_LAST, 0, blocks),
    ROW("SpaceToDepth", 1, 1, 0, OP_CHANNELS_LAST, 0, blocks),
    ROW("ChannelShuffle", 1, 1, 0, OP_CHANNELS_LAST, OP_NOT_ONNX, blocks),
    {.name = NULL},
};
