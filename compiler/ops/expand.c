/* Building what an operator is said in. */
#include "compiler/ops/expand.h"
#include "compiler/ops/ops.h"

#include <string.h>

static void *failed(expansion *e, kiln_status status) {
    e->status = e->status == KILN_OK ? status : e->status;
    return NULL;
}

static bool all_present(const expansion *e, size_t count, tensor *const *inputs) {
    bool present = e->status == KILN_OK;
    for (size_t k = 0; k < count && present; k++) {
        present = inputs[k] != NULL;
    }
    return present;
}

/* Computed now where that is possible. */
static kiln_status settle(expansion *e, node *made) {
    bool known = made->op->evaluate != NULL;
    for (size_t k = 0; k < made->input_count; k++) {
        known = known && tensor_is_constant(made->inputs[k]);
    }
    kiln_status status = graph_infer_node(e->g, made);
    if (status == KILN_OK && known && !tensor_is_batched(e->g, made->outputs[0])) {
        status = graph_fold_node(e->g, made);
        made->dead = true;
    }
    return status;
}

static tensor *add_node(expansion *e, const char *op, size_t count, tensor *const *inputs,
                        tensor *y, size_t attribute_count, const attribute *attributes) {
    node *made = graph_add_node(e->g, e->g->find_op(op), e->n->name, count, inputs, 1, &y);
    if (made == NULL) {
        return failed(e, KILN_ERROR_MEMORY);
    }
    made->origin = e->n->origin;
    if (attribute_count > 0) {
        made->attributes = graph_allocate(e->g, attribute_count * sizeof *attributes);
        if (made->attributes == NULL) {
            return failed(e, KILN_ERROR_MEMORY);
        }
        memcpy(made->attributes, attributes, attribute_count * sizeof *attributes);
        made->attribute_count = attribute_count;
    }
    kiln_status status = settle(e, made);
    return status == KILN_OK ? y : failed(e, status);
}

tensor *expand_node(expansion *e, const char *op, size_t count, tensor *const *inputs,
                    size_t attribute_count, const attribute *attributes) {
    if (!all_present(e, count, inputs)) {
        return failed(e, KILN_ERROR_MEMORY);
    }
    tensor *y = graph_add_tensor(e->g, NULL, KILN_F32);
    return y != NULL ? add_node(e, op, count, inputs, y, attribute_count, attributes)
                     : failed(e, KILN_ERROR_MEMORY);
}

tensor *expand_apply(expansion *e, const char *op, size_t count, tensor *const *inputs,
                     const attribute *with) {
    return expand_node(e, op, count, inputs, with != NULL, with);
}

tensor *expand_unary(expansion *e, const char *op, tensor *x) {
    return expand_apply(e, op, 1, &x, NULL);
}

tensor *expand_binary(expansion *e, const char *op, tensor *a, tensor *b) {
    tensor *inputs[2] = {a, b};
    return expand_apply(e, op, 2, inputs, NULL);
}

tensor *expand_where(expansion *e, tensor *condition, tensor *yes, tensor *no) {
    tensor *inputs[3] = {condition, yes, no};
    return expand_apply(e, "Where", 3, inputs, NULL);
}

tensor *expand_reshape(expansion *e, tensor *x, uint32_t rank, const int64_t *dims) {
    const int64_t count = rank;
    tensor *shape = expand_constant(e, KILN_I64, 1, &count);
    if (shape != NULL) {
        memcpy(shape->owned, dims, rank * sizeof *dims);
    }
    tensor *inputs[2] = {x, shape};
    return expand_apply(e, "Reshape", 2, inputs, NULL);
}

static int64_t *copied(expansion *e, size_t count, const int64_t *values) {
    int64_t *copy = graph_allocate(e->g, count * sizeof *copy);
    if (copy != NULL && count > 0) {
        memcpy(copy, values, count * sizeof *copy);
    }
    return copy != NULL ? copy : failed(e, KILN_ERROR_MEMORY);
}

tensor *expand_transpose(expansion *e, tensor *x, const int64_t *order) {
    size_t rank = x != NULL ? x->rank : 0;
    const attribute perm = {
        .name = "perm", .type = ATTRIBUTE_INTS, .count = rank, .ints = copied(e, rank, order)};
    return expand_apply(e, "Transpose", 1, &x, &perm);
}

tensor *expand_cast(expansion *e, tensor *x, kiln_dtype dtype) {
    static const int64_t types[] = {[KILN_F32] = 1, [KILN_I64] = 7, [KILN_BOOL] = 9};
    const attribute to = {.name = "to", .type = ATTRIBUTE_INT, .i = types[dtype]};
    return x != NULL && x->dtype == dtype ? x : expand_apply(e, "Cast", 1, &x, &to);
}

tensor *expand_constant(expansion *e, kiln_dtype dtype, uint32_t rank, const int64_t *dims) {
    double bytes = (double)kiln_dtype_size(dtype);
    for (uint32_t k = 0; k < rank; k++) {
        bytes *= (double)dims[k];
    }
    kiln_status status = graph_charge_fold(e->g, e->n, bytes, 0);
    if (status != KILN_OK) {
        return failed(e, status);
    }
    tensor *t = e->status == KILN_OK ? graph_add_constant(e->g, NULL, dtype, rank, dims) : NULL;
    return t != NULL ? t : failed(e, KILN_ERROR_MEMORY);
}

tensor *expand_number(expansion *e, kiln_dtype dtype, double value) {
    tensor *t = expand_constant(e, dtype, 0, NULL);
    if (t != NULL && dtype == KILN_F32) {
        *(float *)t->owned = (float)value;
    } else if (t != NULL && dtype == KILN_I64) {
        *(int64_t *)t->owned = (int64_t)value;
    } else if (t != NULL) {
        *(uint8_t *)t->owned = value != 0;
    }
    return t;
}

tensor *expand_range(expansion *e, uint32_t rank, uint32_t axis, int64_t count) {
    int64_t dims[KILN_MAX_RANK];
    for (uint32_t k = 0; k < rank; k++) {
        dims[k] = k == axis ? count : 1;
    }
    tensor *t = expand_constant(e, KILN_I64, rank, dims);
    for (int64_t k = 0; k < count && t != NULL; k++) {
        ((int64_t *)t->owned)[k] = k;
    }
    return t;
}

/* Was t made here, and is it free to take another's name? */
static bool is_own(const expansion *e, const tensor *t) {
    for (size_t k = e->first; k < e->g->node_count; k++) {
        if (e->g->nodes[k] == t->producer) {
            return !t->producer->dead && t->consumer_count == 0;
        }
    }
    return false;
}

void expand_result(expansion *e, size_t k, tensor *t) {
    tensor *y = e->n->outputs[k];
    if (t == NULL || e->status != KILN_OK) {
        (void)failed(e, KILN_ERROR_MEMORY);
    } else if (is_own(e, t)) {
        t->producer->outputs[0] = y;
        y->producer = t->producer;
    } else {
        (void)add_node(e, "Identity", 1, &t, y, 0, NULL);
    }
}
