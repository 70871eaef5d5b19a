/* Branches of an image, stacked as [N,R,C,H,W], that are only added up, as they are or each channel
 * times a number of its own (Li et al., "Selective Kernel Networks", 2019; Zhang et al., "ResNeSt",
 * 2020). The stack is a Reshape of R * C channels or a Concat. Its branches are images themselves:
 * they are read where they lie, channels last, and added. */
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"

#include <string.h>

#define MOST_BRANCHES 4

typedef struct stack {
    tensor *t;                       /* [N,R,C,H,W] */
    size_t count;                    /* R */
    tensor *branches[MOST_BRANCHES]; /* [N,C,H,W] */
} stack;

/* Does the node add up dim 1 of [N,R,C,H,W], which then is gone? */
static bool adds_branches(const node *n) {
    int64_t axes[2];
    if (!node_is(n, "ReduceSum") || n->inputs[0]->rank != 5 || node_int(n, "keepdims", 1) != 0) {
        return false;
    }
    bool input = n->input_count > 1 && n->inputs[1] != NULL;
    int count = input ? node_input_ints(n, 1, axes, 2) : node_ints(n, "axes", axes, 2);
    return count == 1 && (axes[0] == 1 || axes[0] == -4);
}

/* The other operand of a Mul, when it is [N,R,C,1,1]. */
static tensor *weights_of(const node *mul, const tensor *t) {
    for (size_t side = 0; node_is(mul, "Mul") && mul->input_count == 2 && side < 2; side++) {
        tensor *w = mul->inputs[side];
        if (mul->inputs[1 - side] == t && w != t && w->rank == 5 && w->dims[0] == t->dims[0] &&
            w->dims[1] == t->dims[1] && w->dims[2] == t->dims[2] && w->dims[3] == 1 &&
            w->dims[4] == 1 && w->dtype == KILN_F32) {
            return w;
        }
    }
    return NULL;
}

static bool is_only_added(const tensor *t) {
    bool fits = t->rank == 5 && t->dtype == KILN_F32 && !t->is_output && t->consumer_count > 0 &&
                t->dims[1] >= 2 && t->dims[1] <= MOST_BRANCHES;
    for (size_t k = 0; k < t->consumer_count && fits; k++) {
        const node *n = t->consumers[k];
        bool weighted = weights_of(n, t) != NULL && is_unclamped(n) &&
                        adds_branches(tensor_single_consumer(n->outputs[0]));
        fits = adds_branches(n) || weighted;
    }
    return fits;
}

/* Is y [N,R,C,H,W] of the same elements as x [N,R*C,H,W], in the same order? */
static bool is_view(const tensor *x, const tensor *y) {
    return x->rank == 4 && x->dims[0] == y->dims[0] && x->dims[1] == y->dims[1] * y->dims[2] &&
           x->dims[2] == y->dims[3] && x->dims[3] == y->dims[4];
}

/* The images that a Concat stacks. */
static bool find_stacked(const node *concat, stack *s) {
    int64_t axis = node_int(concat, "axis", 0);
    if ((axis != 1 && axis != -4) || concat->input_count != s->count) {
        return false;
    }
    for (size_t k = 0; k < s->count; k++) {
        const tensor *part = concat->inputs[k];
        const node *view = part->producer;
        bool fits = part->dims[1] == 1 &&
                    (node_is(view, "Unsqueeze") || node_is(view, "Reshape")) &&
                    is_view(view->inputs[0], part);
        if (!fits) {
            return false;
        }
        s->branches[k] = view->inputs[0];
    }
    return true;
}

static size_t position_of(const graph *g, const node *n) {
    size_t k = 0;
    while (g->nodes[k] != n) {
        k++;
    }
    return k;
}

/* Adds a node in front of `before`. NULL: there is no memory, or it cannot be. */
static node *insert(graph *g, const node *before, const char *op_name, size_t count,
                    tensor *const *inputs, size_t output_count, tensor **out_outputs) {
    for (size_t k = 0; k < output_count; k++) {
        out_outputs[k] = graph_add_tensor(g, NULL, KILN_F32);
        if (out_outputs[k] == NULL) {
            return NULL;
        }
    }
    node *n = graph_insert_node(g, position_of(g, before), op_find(op_name), before->name, count,
                                inputs, output_count, out_outputs);
    if (n != NULL) {
        n->origin = before->origin;
    }
    return n;
}

/* Splits x along dim 1. */
static kiln_status split(graph *g, const node *before, tensor *x, size_t count, tensor **out) {
    node *n = insert(g, before, "Split", 1, &x, count, out);
    kiln_status status = n != NULL ? node_set_int(g, n, "axis", 1) : KILN_ERROR_MEMORY;
    return status == KILN_OK ? graph_infer_node(g, n) : status;
}

/* Multiplies each branch by its part of the weights. */
static kiln_status weigh(graph *g, const node *before, const stack *s, tensor *weights,
                         tensor **out) {
    const int64_t four = 4, dims[4] = {0, s->t->dims[2], 1, 1};
    tensor *parts[MOST_BRANCHES], *shape = graph_add_constant(g, NULL, KILN_I64, 1, &four);
    kiln_status status =
        shape != NULL ? split(g, before, weights, s->count, parts) : KILN_ERROR_MEMORY;
    for (size_t k = 0; k < s->count && status == KILN_OK; k++) {
        tensor *flat = NULL;
        memcpy(shape->owned, dims, sizeof dims);
        node *view = insert(g, before, "Reshape", 2, (tensor *[]){parts[k], shape}, 1, &flat);
        status = view != NULL ? graph_infer_node(g, view) : KILN_ERROR_MEMORY;
        node *mul = status != KILN_OK ? NULL
                                      : insert(g, before, "Mul", 2,
                                               (tensor *[]){s->branches[k], flat}, 1, &out[k]);
        status = mul != NULL ? graph_infer_node(g, mul) : status;
        status = mul == NULL && status == KILN_OK ? KILN_ERROR_MEMORY : status;
    }
    return status;
}

/* The reduction becomes a sum of what is added up. */
static kiln_status add_up(graph *g, node *reduce, size_t count, tensor *const *terms) {
    tensor **inputs = graph_allocate(g, count * sizeof(tensor *));
    if (inputs == NULL) {
        return KILN_ERROR_MEMORY;
    }
    memcpy(inputs, terms, count * sizeof(tensor *));
    reduce->op = op_find("Sum");
    reduce->inputs = inputs;
    reduce->input_count = count;
    reduce->attribute_count = 0;
    return KILN_OK;
}

static kiln_status rewrite(graph *g, stack *s) {
    node *producer = s->t->producer;
    kiln_status status = KILN_OK;
    if (node_is(producer, "Reshape")) {
        status = split(g, producer, producer->inputs[0], s->count, s->branches);
    }
    for (size_t k = 0; k < s->t->consumer_count && status == KILN_OK; k++) {
        node *n = s->t->consumers[k];
        if (adds_branches(n)) {
            status = add_up(g, n, s->count, s->branches);
            continue;
        }
        tensor *terms[MOST_BRANCHES];
        node *reduce = tensor_single_consumer(n->outputs[0]);
        status = weigh(g, reduce, s, weights_of(n, s->t), terms);
        status = status == KILN_OK ? add_up(g, reduce, s->count, terms) : status;
        n->dead = true;
    }
    for (size_t k = 0; k < producer->input_count; k++) {
        node *view = node_is(producer, "Concat") ? producer->inputs[k]->producer : NULL;
        if (view != NULL && tensor_single_consumer(view->outputs[0]) == producer) {
            view->dead = true;
        }
    }
    producer->dead = true;
    return status == KILN_OK ? graph_refresh(g) : status;
}

kiln_status pass_sum_branches(graph *g, size_t *inout_rewrites) {
    for (size_t k = 0; k < g->node_count; k++) {
        node *n = g->nodes[k];
        tensor *t = n->output_count == 1 ? n->outputs[0] : NULL;
        if (t == NULL || !is_only_added(t)) {
            continue;
        }
        stack s = {.t = t, .count = (size_t)t->dims[1]};
        bool found = (node_is(n, "Reshape") && is_view(n->inputs[0], t)) ||
                     (node_is(n, "Concat") && find_stacked(n, &s));
        if (found) {
            kiln_status status = rewrite(g, &s);
            if (status != KILN_OK) {
                return status;
            }
            ++*inout_rewrites;
            k = 0; /* the order has changed */
        }
    }
    return KILN_OK;
}
