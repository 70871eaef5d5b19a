/* Types of tensors inside the graph, and the casts to those that exist at its boundary alone. */
#include "compiler/import/importing.h"
#include "compiler/ops/ops.h"

void set_inner_type(tensor *t, kiln_dtype dtype) {
    t->dtype = inner_dtype(dtype);
    t->narrow = is_narrow_integer(dtype) ? dtype : 0;
}

kiln_status add_boundary_cast(importing *im, tensor *from, tensor *to) {
    graph *g = im->g;
    node *cast = graph_add_node(g, op_find("Cast"), NULL, 1, &from, 1, &to);
    if (cast == NULL) {
        return KILN_ERROR_MEMORY;
    }
    kiln_status status = node_set_int(g, cast, "to", onnx_type_of_dtype(to->dtype));
    return status == KILN_OK ? node_set_int(g, cast, "boundary", 1) : status;
}
