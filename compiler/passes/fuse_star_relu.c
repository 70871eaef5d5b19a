/* scale relu(x)^2 + bias (StarReLU: Yu et al., "MetaFormer Baselines for Vision", 2022; without
 * scale and bias, squared ReLU: So et al., "Primer", 2021) becomes one operator. */
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/terms.h"

/* The only reader of n's result, where it is that operator with a scalar constant. */
static node *scalar_reader(const node *n, const char *op_name, float *out_value) {
    tensor *y = n->outputs[0], *constant = NULL, *other = NULL;
    node *reader = tensor_single_consumer(y);
    bool fits = node_is(reader, op_name) && is_unclamped(reader) &&
                split_constant(reader, &constant, &other) && scalar_value(constant, out_value) &&
                tensor_same_shape(y, reader->outputs[0]);
    return fits ? reader : NULL;
}

kiln_status pass_fuse_star_relu(graph *g, size_t *inout_rewrites) {
    size_t found = 0;
    kiln_status status = KILN_OK;
    for (size_t k = 0; k < g->node_count && status == KILN_OK; k++) {
        node *last = g->nodes[k];
        node *relu = node_is(last, "Square") ? sole_producer(last->inputs[0], "Relu") : NULL;
        if (relu == NULL) {
            continue;
        }
        float scale = 1, bias = 0;
        const char *origin = graph_printf(g, "%s + %s", relu->origin, last->origin);
        node *reader = scalar_reader(last, "Mul", &scale);
        last = reader != NULL ? reader : last;
        reader = scalar_reader(last, "Add", &bias);
        last = reader != NULL ? reader : last;
        status = become_function(g, last, "StarRelu", relu->inputs[0], origin);
        status = status == KILN_OK ? node_set_float(g, last, "alpha", scale) : status;
        status = status == KILN_OK ? node_set_float(g, last, "beta", bias) : status;
        found++;
    }
    return status == KILN_OK ? sweep_formulas(g, found, inout_rewrites) : status;
}
