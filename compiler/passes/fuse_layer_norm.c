/* (x - mean) / sqrt(mean((x - mean)^2) + epsilon), along the last axis or the channels, with scale
 * and bias: a layer normalisation, as exporters wrote it before ONNX had one (opset 17). Without
 * the mean it is that of the root mean square (opset 23). Where channels are first it brings
 * transposes. */
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/terms.h"

typedef struct norm {
    node *last; /* makes the result */
    tensor *x;
    uint32_t axis; /* 1, or the last */
    float epsilon;
    bool about_zero;
    tensor *scale, *bias; /* constants of one value for each element; NULL: none */
} norm;

/* d / sqrt(v) or d rsqrt(v): tells d and v. */
static bool read_division(const node *n, tensor **out_d, tensor **out_v) {
    if (node_is(n, "Div") && is_unclamped(n)) {
        node *root = sole_producer(n->inputs[1], "Sqrt");
        *out_d = n->inputs[0];
        *out_v = root != NULL ? root->inputs[0] : NULL;
        return root != NULL;
    }
    for (size_t k = 0; k < 2 && node_is(n, "Mul") && is_unclamped(n) && n->input_count == 2; k++) {
        node *root = sole_producer(n->inputs[k], "Rsqrt");
        if (root != NULL) {
            *out_d = n->inputs[1 - k];
            *out_v = root->inputs[0];
            return true;
        }
    }
    return false;
}

static bool reads_axis(const node *mean, uint32_t *out_axis) {
    uint32_t rank = mean != NULL ? mean->inputs[0]->rank : 0;
    uint32_t axes[] = {rank - 1, 1};
    for (size_t k = 0; k < (rank >= 3 ? 2u : rank == 2 ? 1u : 0u); k++) {
        if (reduces(mean, "ReduceMean", 1u << axes[k])) {
            *out_axis = axes[k];
            return true;
        }
    }
    return false;
}

/* mean(d^2) + epsilon, where d may be x less its mean. */
static bool read_variance(tensor *d, tensor *v, norm *out) {
    tensor *constant = NULL, *mean_of_squares = NULL;
    node *add = sole_producer(v, "Add");
    if (add == NULL || !is_unclamped(add) || !split_constant(add, &constant, &mean_of_squares) ||
        !scalar_value(constant, &out->epsilon)) {
        return false;
    }
    node *mean = sole_producer(mean_of_squares, "ReduceMean");
    node *square = mean != NULL ? sole_producer(mean->inputs[0], "Square") : NULL;
    if (square == NULL || square->inputs[0] != d || d->dtype != KILN_F32 ||
        !reads_axis(mean, &out->axis)) {
        return false;
    }
    node *less = d->producer;
    node *centre = node_is(less, "Sub") ? sole_producer(less->inputs[1], "ReduceMean") : NULL;
    out->about_zero = centre == NULL || !is_unclamped(less) ||
                      centre->inputs[0] != less->inputs[0] ||
                      !reduces(centre, "ReduceMean", 1u << out->axis);
    out->x = out->about_zero ? d : less->inputs[0];
    return true;
}

/* Has the constant one value for each element along the axis? */
static bool is_along(tensor *t, const tensor *x, uint32_t axis) {
    uint32_t missing = t->rank <= x->rank ? x->rank - t->rank : 0;
    bool sound = tensor_is_constant(t) && t->dtype == KILN_F32 && t->rank <= x->rank &&
                 tensor_elements(t) == x->dims[axis];
    for (uint32_t k = 0; k < t->rank && sound; k++) {
        sound = t->dims[k] == 1 || k + missing == axis;
    }
    return sound;
}

/* Takes in what reads the result alone. */
static tensor *take_reader(norm *n, const char *op_name) {
    tensor *y = n->last->outputs[0], *constant = NULL, *other = NULL;
    node *reader = tensor_single_consumer(y);
    if (!node_is(reader, op_name) || !is_unclamped(reader) ||
        !split_constant(reader, &constant, &other) || !is_along(constant, n->x, n->axis)) {
        return NULL;
    }
    n->last = reader;
    return constant;
}

static kiln_status rewrite(graph *g, size_t *inout_position, const norm *found) {
    node *last = found->last;
    bool first = found->axis + 1 != found->x->rank;
    int64_t count = found->x->dims[found->axis];
    tensor *y = last->outputs[0];
    tensor *inputs[3] = {found->x, as_vector(g, found->scale, count),
                         found->bias != NULL ? as_vector(g, found->bias, count) : NULL};
    while (g->nodes[*inout_position] != last) {
        ++*inout_position;
    }
    last->dead = true;
    if (first) {
        inputs[0] = move_channels(g, inout_position, last, found->x, NULL, false);
        y = graph_add_tensor(g, NULL, KILN_F32);
    }
    if (inputs[0] == NULL || inputs[1] == NULL || y == NULL ||
        (found->bias != NULL && inputs[2] == NULL)) {
        return KILN_ERROR_MEMORY;
    }
    const char *name = found->about_zero ? "RMSNormalization" : "LayerNormalization";
    node *n = graph_insert_node(g, *inout_position, op_find(name), last->name,
                                found->bias != NULL ? 3 : 2, inputs, 1, &y);
    if (n == NULL || node_set_float(g, n, "epsilon", found->epsilon) != KILN_OK) {
        return KILN_ERROR_MEMORY;
    }
    n->origin = found->about_zero ? "ReduceMean + Sqrt + Div" : "ReduceMean + Sub + Sqrt + Div";
    ++*inout_position;
    kiln_status status = graph_infer_node(g, n);
    if (status == KILN_OK && first &&
        move_channels(g, inout_position, last, y, last->outputs[0], true) == NULL) {
        status = KILN_ERROR_MEMORY;
    }
    return status;
}

kiln_status pass_fuse_layer_norm(graph *g, size_t *inout_rewrites) {
    size_t count = 0;
    kiln_status status = KILN_OK;
    for (size_t k = 0; k < g->node_count && status == KILN_OK; k++) {
        norm found = {.last = g->nodes[k]};
        tensor *d, *v;
        if (found.last->dead || !read_division(found.last, &d, &v) ||
            !read_variance(d, v, &found) || !tensor_same_shape(found.x, found.last->outputs[0])) {
            continue;
        }
        found.scale = take_reader(&found, "Mul");
        found.bias = found.about_zero ? NULL : take_reader(&found, "Add");
        size_t position = k;
        status = rewrite(g, &position, &found);
        count++;
    }
    return status == KILN_OK ? sweep_formulas(g, count, inout_rewrites) : status;
}
