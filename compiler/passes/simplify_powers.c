/* Powers of a constant become multiplications and roots, as the C library's pow is many times as
 * slow; products of a tensor with itself become squares, so that other passes know one form. */
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/terms.h"

/* x^exponent = outer(inner(x)); a Mul is that of the inner one with x. */
static const struct {
    double exponent;
    const char *inner, *outer;
} powers[] = {
    {1, NULL, "Identity"},   {2, NULL, "Square"},      {3, "Square", "Mul"},
    {4, "Square", "Square"}, {0.5, NULL, "Sqrt"},      {0.25, "Sqrt", "Sqrt"},
    {-0.5, NULL, "Rsqrt"},   {-1, NULL, "Reciprocal"}, {-2, "Square", "Reciprocal"},
};

/* The only element of a constant of either type of numbers. */
static bool constant_number(tensor *t, double *out) {
    if (!tensor_is_constant(t) || tensor_elements(t) != 1 || t->dtype == KILN_BOOL) {
        return false;
    }
    *out = t->dtype == KILN_F32 ? (double)tensor_f32_at(t, 0) : (double)tensor_i64(t)[0];
    return true;
}

/* A node of the same shape before n, which is at the position, that then is one further. */
static tensor *insert_function(graph *g, size_t *inout_position, const char *op_name, tensor *x) {
    const node *n = g->nodes[*inout_position];
    tensor *y = graph_add_tensor(g, NULL, KILN_F32);
    node *inner =
        y != NULL ? graph_insert_node(g, *inout_position, op_find(op_name), n->name, 1, &x, 1, &y)
                  : NULL;
    if (inner == NULL || graph_infer_node(g, inner) != KILN_OK) {
        return NULL;
    }
    inner->origin = n->origin;
    ++*inout_position;
    return y;
}

static kiln_status simplify_power(graph *g, size_t *inout_position, size_t *inout_found) {
    node *n = g->nodes[*inout_position];
    tensor *x = n->inputs[0];
    double exponent;
    size_t k = 0, count = sizeof powers / sizeof *powers;
    if (x->dtype != KILN_F32 || !constant_number(n->inputs[1], &exponent) ||
        !tensor_same_shape(x, n->outputs[0])) {
        return KILN_OK;
    }
    while (k < count && powers[k].exponent != exponent) {
        k++;
    }
    if (k == count) {
        return KILN_OK;
    }
    tensor *inner =
        powers[k].inner != NULL ? insert_function(g, inout_position, powers[k].inner, x) : x;
    if (inner == NULL) {
        return KILN_ERROR_MEMORY;
    }
    ++*inout_found;
    if (exponent != 3) {
        return become_function(g, n, powers[k].outer, inner, n->origin);
    }
    n->op = op_find("Mul");
    n->inputs[0] = inner;
    n->inputs[1] = x;
    return KILN_OK;
}

/* 1 / sqrt(x) */
static bool is_inverse_root(const node *n, tensor **out_x) {
    float one = 0;
    bool div = node_is(n, "Div") && is_unclamped(n) && scalar_value(n->inputs[0], &one) && one == 1;
    const tensor *root = div ? n->inputs[1] : node_is(n, "Reciprocal") ? n->inputs[0] : NULL;
    const node *sqrt = root != NULL ? sole_producer(root, "Sqrt") : NULL;
    *out_x = sqrt != NULL ? sqrt->inputs[0] : NULL;
    return sqrt != NULL && tensor_same_shape(*out_x, n->outputs[0]);
}

kiln_status pass_simplify_powers(graph *g, size_t *inout_rewrites) {
    size_t found = 0;
    kiln_status status = KILN_OK;
    for (size_t k = 0; k < g->node_count && status == KILN_OK; k++) {
        node *n = g->nodes[k];
        tensor *x = n->inputs[0];
        if (node_is(n, "Pow")) {
            status = simplify_power(g, &k, &found);
        } else if (node_is(n, "Mul") && n->input_count == 2 && x == n->inputs[1] &&
                   x->dtype == KILN_F32 && is_unclamped(n)) {
            status = become_function(g, n, "Square", x, n->origin);
            found++;
        } else if (is_inverse_root(n, &x)) {
            status = become_function(g, n, "Rsqrt", x, graph_printf(g, "Sqrt + %s", n->origin));
            found++;
        }
    }
    return status == KILN_OK ? sweep_formulas(g, found, inout_rewrites) : status;
}
