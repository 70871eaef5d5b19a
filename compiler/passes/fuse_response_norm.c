/* x + gamma x g / (mean(g) + epsilon) + beta, with g the 2-norms of x's channels: global response
 * normalization (Woo et al., "ConvNeXt V2", 2023) becomes one operator, whether channels are first
 * or last. */
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/terms.h"

#include <string.h>

typedef struct response {
    tensor *x;
    uint32_t channel_axis;
    float epsilon;
    float *gamma, *beta; /* [channels] */
} response;

/* g / (mean(g) + epsilon) of x's channels. */
static bool is_response(const tensor *t, response *r) {
    tensor *constant, *mean;
    const node *div = t->producer;
    if (!node_is(div, "Div") || !is_unclamped(div)) {
        return false;
    }
    const node *norm = div->inputs[0]->producer, *add = div->inputs[1]->producer;
    if (norm == NULL || norm->dead || !node_is(add, "Add") ||
        !split_constant(add, &constant, &mean) || !scalar_value(constant, &r->epsilon) ||
        mean->producer == NULL || mean->producer->inputs[0] != div->inputs[0]) {
        return false;
    }
    r->x = norm->inputs[0];
    uint32_t rank = r->x->rank, all = (1u << rank) - 2; /* but the samples */
    const uint32_t axes[] = {1, rank - 1};
    for (size_t k = 0; k < 2 && rank >= 3 && rank <= KILN_MAX_RANK; k++) {
        uint32_t channels = 1u << axes[k];
        if (reduces(norm, "ReduceL2", all & ~channels) &&
            reduces(mean->producer, "ReduceMean", channels)) {
            r->channel_axis = axes[k];
            return true;
        }
    }
    return false;
}

/* Joins a constant of one value, or of one a channel, to what there is. */
static bool join(const response *r, tensor *t, bool multiply, float *inout) {
    int64_t channels = r->x->dims[r->channel_axis], count = tensor_elements(t);
    uint32_t missing = r->x->rank - t->rank;
    if (t->dtype != KILN_F32 || t->rank > r->x->rank || (count != 1 && count != channels)) {
        return false;
    }
    for (uint32_t k = 0; k < t->rank; k++) {
        if (t->dims[k] != 1 && k + missing != r->channel_axis) {
            return false;
        }
    }
    for (int64_t c = 0; c < channels; c++) {
        float value = tensor_f32_at(t, count == 1 ? 0 : c);
        inout[c] = multiply ? inout[c] * value : inout[c] + value;
    }
    return true;
}

/* gamma x g / (mean(g) + epsilon) */
static bool read_product(graph *g, const node *mul, response *r) {
    terms factors = {0};
    size_t response_at = TERMS, x_count = 0;
    if (!is_unclamped(mul) || mul->input_count != 2 || !collect_terms(mul, "Mul", &factors)) {
        return false;
    }
    for (size_t k = 0; k < factors.count && response_at == TERMS; k++) {
        response_at = is_response(factors.each[k], r) ? k : TERMS;
    }
    if (response_at == TERMS || r->x->dtype != KILN_F32) {
        return false;
    }
    size_t channels = (size_t)r->x->dims[r->channel_axis];
    r->gamma = graph_allocate(g, channels * sizeof(float));
    r->beta = graph_allocate(g, channels * sizeof(float));
    if (r->gamma == NULL || r->beta == NULL) {
        return false;
    }
    for (size_t c = 0; c < channels; c++) {
        r->gamma[c] = 1;
    }
    for (size_t k = 0; k < factors.count; k++) {
        x_count += factors.each[k] == r->x;
        if (k != response_at && factors.each[k] != r->x &&
            !(tensor_is_constant(factors.each[k]) && join(r, factors.each[k], true, r->gamma))) {
            return false;
        }
    }
    return x_count == 1;
}

static bool read_sum(graph *g, const node *add, response *r) {
    terms sum = {0};
    size_t product = TERMS, x_count = 0;
    if (!is_unclamped(add) || !collect_terms(add, "Add", &sum)) {
        return false;
    }
    for (size_t k = 0; k < sum.count && product == TERMS; k++) {
        node *mul = sole_producer(sum.each[k], "Mul");
        product = mul != NULL && read_product(g, mul, r) ? k : TERMS;
    }
    if (product == TERMS || !tensor_same_shape(add->outputs[0], r->x)) {
        return false;
    }
    for (size_t k = 0; k < sum.count; k++) {
        x_count += sum.each[k] == r->x;
        if (k != product && sum.each[k] != r->x &&
            !(tensor_is_constant(sum.each[k]) && join(r, sum.each[k], false, r->beta))) {
            return false;
        }
    }
    return x_count == 1;
}

static kiln_status rewrite(graph *g, size_t *inout_position, const response *r) {
    node *add = g->nodes[*inout_position];
    int64_t channels = r->x->dims[r->channel_axis];
    bool last = r->channel_axis != 1;
    tensor *y = add->outputs[0], *inputs[3] = {r->x};
    add->dead = true;
    for (size_t k = 1; k < 3; k++) {
        inputs[k] = graph_add_constant(g, NULL, KILN_F32, 1, &channels);
        if (inputs[k] == NULL) {
            return KILN_ERROR_MEMORY;
        }
        memcpy(inputs[k]->owned, k == 1 ? r->gamma : r->beta, (size_t)channels * sizeof(float));
    }
    if (last) {
        inputs[0] = move_channels(g, inout_position, add, r->x, NULL, true);
        y = graph_add_tensor(g, NULL, KILN_F32);
    }
    node *n = inputs[0] != NULL && y != NULL
                  ? graph_insert_node(g, *inout_position, op_find("ResponseNorm"), add->name, 3,
                                      inputs, 1, &y)
                  : NULL;
    if (n == NULL || node_set_float(g, n, "epsilon", r->epsilon) != KILN_OK) {
        return KILN_ERROR_MEMORY;
    }
    n->origin = "ReduceL2 + ReduceMean + Add + Div + Mul + Add";
    ++*inout_position;
    kiln_status status = graph_infer_node(g, n);
    if (status == KILN_OK && last &&
        move_channels(g, inout_position, add, y, add->outputs[0], false) == NULL) {
        status = KILN_ERROR_MEMORY;
    }
    return status;
}

kiln_status pass_fuse_response_norm(graph *g, size_t *inout_rewrites) {
    size_t found = 0;
    for (size_t k = 0; k < g->node_count; k++) {
        response r = {0};
        if (!node_is(g->nodes[k], "Add") || !read_sum(g, g->nodes[k], &r)) {
            continue;
        }
        kiln_status status = rewrite(g, &k, &r);
        if (status != KILN_OK) {
            return status;
        }
        found++;
    }
    return sweep_formulas(g, found, inout_rewrites);
}
