/* Einsum: shapes, evaluation, its row. */
#include "compiler/ops/einsum.h"
#include "compiler/ops/support.h"

static kiln_status infer_einsum(graph *g, node *n) {
    equation q;
    int64_t dims[KILN_MAX_RANK];
    kiln_status status = require_floats(g, n);
    if (status == KILN_OK && !einsum_read(n, &q)) {
        status = node_fail(g, n, KILN_ERROR_UNSUPPORTED,
                           "the equation '%.80s' for these shapes; supported: sums of products, "
                           "each label of one size, or 1",
                           node_string(n, "equation", ""));
    }
    for (uint32_t t = 0; status == KILN_OK && t < q.count; t++) {
        if (q.terms[t].rank > 0 && !has_label(&q.output, q.terms[t].labels[0])) {
            status = refuse_batch(g, n, n->inputs[t], 0);
        }
    }
    if (status != KILN_OK) {
        return status;
    }
    for (uint32_t d = 0; d < q.output.rank; d++) {
        dims[d] = q.sizes[q.output.labels[d]];
    }
    n->outputs[0]->dtype = KILN_F32;
    return tensor_set_shape(g, n, n->outputs[0], q.output.rank, dims);
}

/* ---- Evaluation ---------------------------------------------------------------------------- */

/* The product of all operands' elements at these label values. */
static double product_at(const node *n, const equation *q, const int64_t *at) {
    double product = 1;
    for (uint32_t t = 0; t < q->count; t++) {
        int64_t element = 0;
        for (uint32_t d = 0; d < q->terms[t].rank; d++) {
            int64_t dim = n->inputs[t]->dims[d];
            element = element * dim + (dim == 1 ? 0 : at[q->terms[t].labels[d]]);
        }
        product *= (double)tensor_f32(n->inputs[t])[element];
    }
    return product;
}

static double work_of_einsum(const node *n) {
    equation q;
    double work = einsum_read(n, &q) ? 1 : 0;
    for (uint32_t label = 0; label < LABELS; label++) {
        work *= q.sizes[label] != 0 ? (double)q.sizes[label] : 1;
    }
    return work;
}

static kiln_status evaluate_einsum(graph *g, node *n) {
    equation q;
    uint8_t summed[LABELS];
    uint32_t sums = 0;
    int64_t count = 1, at[LABELS] = {0};
    if (!einsum_read(n, &q)) {
        return node_fail(g, n, KILN_ERROR_INTERNAL, "the equation changed");
    }
    for (uint32_t label = 0; label < LABELS; label++) {
        if (q.sizes[label] != 0 && !has_label(&q.output, (uint8_t)label)) {
            summed[sums++] = (uint8_t)label;
            count *= q.sizes[label];
        }
    }
    for (int64_t k = 0; k < tensor_elements(n->outputs[0]); k++) {
        double sum = 0;
        int64_t rest = k;
        for (uint32_t d = q.output.rank; d-- > 0;) {
            at[q.output.labels[d]] = rest % q.sizes[q.output.labels[d]];
            rest /= q.sizes[q.output.labels[d]];
        }
        for (int64_t s = 0; s < count; s++) {
            rest = s;
            for (uint32_t d = 0; d < sums; d++) {
                at[summed[d]] = rest % q.sizes[summed[d]];
                rest /= q.sizes[summed[d]];
            }
            sum += product_at(n, &q, at);
        }
        ((float *)n->outputs[0]->owned)[k] = (float)sum;
    }
    return KILN_OK;
}

const op ops_einsum[] = {
    {"Einsum", 12, OP_INPUTS(1, TERMS), OP_OUTPUTS(1, 1), .infer = infer_einsum,
     .evaluate = evaluate_einsum, .work = work_of_einsum, .expand = einsum_expand},
    {.name = NULL},
};
