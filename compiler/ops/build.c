/* Building in a node's place: see build.h. */
#include "compiler/ops/build.h"

#include <string.h>

tensor *build_input(const builder *b, size_t k) {
    return k < b->n->input_count ? b->n->inputs[k] : NULL;
}

tensor *build_node(builder *b, const char *name, size_t count, tensor *const *inputs, tensor *to) {
    while (count > 0 && inputs[count - 1] == NULL) {
        count--;
    }
    if (b->status == KILN_OK && to == NULL) {
        to = graph_add_tensor(b->g, NULL, KILN_F32);
    }
    b->made = b->status == KILN_OK && to != NULL
                  ? graph_add_node(b->g, b->g->find_op(name), b->n->name, count, inputs, 1, &to)
                  : NULL;
    if (b->made == NULL) {
        b->status = b->status == KILN_OK ? KILN_ERROR_MEMORY : b->status;
        return NULL;
    }
    b->made->origin = b->n->op->name;
    return to;
}

tensor *build_binary(builder *b, const char *name, tensor *x, tensor *y, tensor *to) {
    tensor *const inputs[2] = {x, y};
    return build_node(b, name, 2, inputs, to);
}

tensor *build_unary(builder *b, const char *name, tensor *x, tensor *to) {
    return build_node(b, name, 1, &x, to);
}

tensor *build_transpose(builder *b, tensor *x, size_t rank, const int64_t *order, tensor *to) {
    tensor *y = build_unary(b, "Transpose", x, to);
    if (b->status == KILN_OK) {
        b->status = node_set_ints(b->g, b->made, "perm", order, rank);
    }
    return y;
}

void build_int(builder *b, const char *name, int64_t value) {
    if (b->status == KILN_OK) {
        b->status = node_set_int(b->g, b->made, name, value);
    }
}

void build_float(builder *b, const char *name, float value) {
    if (b->status == KILN_OK) {
        b->status = node_set_float(b->g, b->made, name, value);
    }
}

void build_string(builder *b, const char *name, const char *value) {
    if (b->status == KILN_OK) {
        b->status = node_set_string(b->g, b->made, name, value);
    }
}

void build_attributes(builder *b) {
    if (b->status == KILN_OK) {
        b->made->attributes = b->n->attributes;
        b->made->attribute_count = b->n->attribute_count;
    }
}

void build_refusal(builder *b, const char *what) {
    if (b->status == KILN_OK) {
        b->status = node_fail(b->g, b->n, KILN_ERROR_UNSUPPORTED, "%s", what);
    }
}

static tensor *build_constant(builder *b, kiln_dtype dtype, uint32_t rank, int64_t count,
                              const void *data) {
    tensor *t = b->status == KILN_OK ? graph_add_constant(b->g, NULL, dtype, rank, &count) : NULL;
    if (t != NULL) {
        memcpy(t->owned, data, (size_t)count * kiln_dtype_size(dtype));
    } else if (b->status == KILN_OK) {
        b->status = KILN_ERROR_MEMORY;
    }
    return t;
}

tensor *build_number(builder *b, float value) {
    return build_constant(b, KILN_F32, 0, 1, &value);
}

tensor *build_integers(builder *b, size_t count, const int64_t *values) {
    return build_constant(b, KILN_I64, 1, (int64_t)count, values);
}
