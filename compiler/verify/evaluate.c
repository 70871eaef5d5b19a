/* One node of the reference. */
#include "compiler/verify/verify.h"
#include <kiln/element.h>

#include <string.h>

/* Casts from and to the types that only inputs and outputs have. */
static kiln_status evaluate_boundary_cast(graph *g, node *n) {
    tensor *x = n->inputs[0], *y = n->outputs[0];
    kiln_status status = tensor_allocate(g, y);
    for (int64_t k = 0; status == KILN_OK && k < tensor_elements(y); k++) {
        kiln_element_convert(x->dtype, x->data, y->dtype, y->owned, (size_t)k);
    }
    return status;
}

static bool is_boundary_cast(const node *n) {
    return strcmp(n->op->name, "Cast") == 0 && node_int(n, "boundary", 0) != 0;
}

kiln_status evaluate_reference_node(graph *g, node *n) {
    kiln_status status = graph_infer_node(g, n);
    if (status != KILN_OK) {
        return status;
    }
    return is_boundary_cast(n) ? evaluate_boundary_cast(g, n) : graph_evaluate_node(g, n);
}
