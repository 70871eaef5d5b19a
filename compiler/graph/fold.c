/* Constants that are computed from others, and how much of that a file may ask for. */
#include "compiler/ops/ops.h"

#define DEFAULT_BYTES ((uint64_t)1 << 30) /* and so many for each byte of the model's files: */
#define BYTES_PER_BYTE 16
#define WORK_PER_BYTE 16 /* steps of evaluation for each byte of the limit */

static double elements_of(tensor *const *tensors, size_t count) {
    double elements = 0;
    for (size_t k = 0; k < count; k++) {
        elements += tensors[k] != NULL ? (double)tensor_elements(tensors[k]) : 0;
    }
    return elements;
}

static double work_of(const node *n) {
    bool shape_only = (n->op->flags & OP_SHAPE_ONLY) != 0;
    double read = shape_only ? 0 : elements_of(n->inputs, n->input_count);
    double work = n->op->work != NULL ? n->op->work(n) : 0;
    return read + elements_of(n->outputs, n->output_count) + work;
}

kiln_status graph_charge_fold(graph *g, const node *n, double more_bytes, double more_work) {
    uint64_t limit =
        g->fold_limit != 0 ? g->fold_limit : DEFAULT_BYTES + BYTES_PER_BYTE * g->source_bytes;
    double work = g->folded_work + more_work, bytes = g->folded_bytes + more_bytes;
    if (bytes > (double)limit || work > (double)limit * WORK_PER_BYTE) {
        return node_fail(g, n, KILN_ERROR_UNSUPPORTED,
                         "constants of %.0f bytes would be computed with %.3g steps; the limit is "
                         "%llu bytes and %u steps a byte (raise it with --fold-limit)",
                         bytes, work, (unsigned long long)limit, (unsigned)WORK_PER_BYTE);
    }
    g->folded_bytes = bytes;
    g->folded_work = work;
    return KILN_OK;
}

kiln_status graph_fold_node(graph *g, node *n) {
    double bytes = 0;
    for (size_t k = 0; k < n->output_count; k++) {
        const tensor *t = n->outputs[k];
        if (t != NULL) {
            bytes += (double)tensor_elements(t) * (double)kiln_dtype_size(t->dtype);
        }
    }
    kiln_status status = graph_charge_fold(g, n, bytes, work_of(n));
    return status == KILN_OK ? graph_evaluate_node(g, n) : status;
}
