/* Einsum as sums, transposes and matrix products: operands, without what broadcasts and with their
 * diagonals taken, are contracted from left to right. */
#include "compiler/ops/einsum.h"
#include "compiler/ops/support.h"

/* A tensor and the labels of its dims. */
typedef struct labelled {
    tensor *t;
    term labels;
} labelled;

/* In another order of the same labels. */
static labelled reordered(expansion *e, labelled x, const term *order) {
    int64_t perm[KILN_MAX_RANK];
    bool moves = false;
    for (uint32_t d = 0; d < order->rank; d++) {
        uint32_t from = 0;
        while (x.labels.labels[from] != order->labels[d]) {
            from++;
        }
        perm[d] = from;
        moves = moves || from != d;
    }
    return (labelled){moves ? expand_transpose(e, x.t, perm) : x.t, *order};
}

/* Without dims of 1 that broadcast. */
static labelled without_broadcast(expansion *e, const equation *q, labelled x) {
    int64_t dims[KILN_MAX_RANK];
    labelled y = {NULL, {0}};
    for (uint32_t d = 0; d < x.labels.rank; d++) {
        uint8_t label = x.labels.labels[d];
        if (x.t->dims[d] == q->sizes[label]) {
            dims[y.labels.rank] = x.t->dims[d];
            (void)append_label(&y.labels, label);
        }
    }
    y.t = y.labels.rank == x.labels.rank ? x.t : expand_reshape(e, x.t, y.labels.rank, dims);
    return y;
}

/* The diagonal of dims a and b, as the last one: elements 0, size + 1, ... of both as one. */
static labelled diagonal(expansion *e, labelled x, uint32_t a, uint32_t b) {
    int64_t perm[KILN_MAX_RANK], dims[KILN_MAX_RANK], size = x.t->dims[a];
    uint32_t last = x.labels.rank - 2, d = 0;
    uint8_t label = x.labels.labels[a];
    labelled y = {NULL, {0}};
    for (uint32_t from = 0; from < x.labels.rank; from++) {
        if (from != a && from != b) {
            dims[d] = x.t->dims[from];
            perm[d++] = from;
            (void)append_label(&y.labels, x.labels.labels[from]);
        }
    }
    perm[last] = a;
    perm[last + 1] = b;
    dims[last] = size * size;
    (void)append_label(&y.labels, label);
    tensor *places = expand_constant(e, KILN_I64, 1, &size);
    for (int64_t k = 0; places != NULL && k < size; k++) {
        ((int64_t *)places->owned)[k] = k * (size + 1);
    }
    const attribute axis = {.name = "axis", .type = ATTRIBUTE_INT, .i = last};
    tensor *square = expand_reshape(e, expand_transpose(e, x.t, perm), last + 1, dims);
    y.t = expand_apply(e, "Gather", 2, (tensor *[]){square, places}, &axis);
    return y;
}

/* Operand k, each label of its size and once. */
static labelled operand_of(expansion *e, const equation *q, uint32_t k) {
    labelled x = without_broadcast(e, q, (labelled){e->n->inputs[k], q->terms[k]});
    for (uint32_t b = 1; b < x.labels.rank && x.t != NULL; b++) {
        for (uint32_t a = 0; a < b && x.t != NULL; a++) {
            if (x.labels.labels[a] == x.labels.labels[b]) {
                x = diagonal(e, x, a, b);
                b = 0;
                break;
            }
        }
    }
    return x;
}

/* Summed over what is not wanted. */
static labelled summed(expansion *e, const equation *q, labelled x, const bool wanted[LABELS]) {
    int64_t dims[KILN_MAX_RANK];
    attribute axes = {.name = "axes", .type = ATTRIBUTE_INTS};
    axes.ints = graph_allocate(e->g, KILN_MAX_RANK * sizeof *axes.ints);
    labelled y = {NULL, {0}};
    for (uint32_t d = 0; d < x.labels.rank && axes.ints != NULL; d++) {
        uint8_t label = x.labels.labels[d];
        if (wanted[label]) {
            dims[y.labels.rank] = q->sizes[label];
            y.labels.labels[y.labels.rank++] = label;
        } else {
            axes.ints[axes.count++] = d;
        }
    }
    if (axes.ints == NULL || axes.count == 0) {
        return axes.ints != NULL ? x : y;
    }
    y.t = expand_reshape(e, expand_apply(e, "ReduceSum", 1, &x.t, &axes), y.labels.rank, dims);
    return y;
}

/* a's labels that are, or are not, in b and in keep; in the order of a. */
static void select_labels(const term *a, const term *b, bool in_b, const bool keep[LABELS],
                          bool kept, term *inout) {
    for (uint32_t d = 0; d < a->rank; d++) {
        uint8_t label = a->labels[d];
        if (has_label(b, label) == in_b && keep[label] == kept) {
            (void)add_label(inout, label);
        }
    }
}

/* The first `leading` dims as they are, the rest as a matrix of `rows` of them by all others. */
static tensor *as_matrices(expansion *e, const equation *q, labelled x, uint32_t leading,
                           uint32_t rows) {
    int64_t dims[KILN_MAX_RANK];
    dims[leading] = dims[leading + 1] = 1;
    for (uint32_t d = 0; d < x.labels.rank; d++) {
        int64_t size = q->sizes[x.labels.labels[d]];
        if (d < leading) {
            dims[d] = size;
        } else {
            dims[d < leading + rows ? leading : leading + 1] *= size;
        }
    }
    return expand_reshape(e, x.t, leading + 2, dims);
}

/* Do products of a and b fit into tensors, as matrices of leading dims and as a result? */
static bool has_room(expansion *e, const term *a, const term *b, const bool keep[LABELS]) {
    uint32_t leading = 1, kept = 0;
    for (uint32_t label = 0; label < LABELS; label++) {
        bool in_a = has_label(a, (uint8_t)label), in_b = has_label(b, (uint8_t)label);
        leading += in_a && in_b && keep[label];
        kept += (in_a || in_b) && keep[label];
    }
    bool fits = leading + 2 <= KILN_MAX_RANK && kept <= KILN_MAX_RANK;
    if (!fits && e->status == KILN_OK) {
        e->status = node_fail(e->g, e->n, KILN_ERROR_UNSUPPORTED, "too many labels in a product");
    }
    return fits;
}

/* [batch, shared and kept, a's own, b's own] = [batch, .., a's own, K] x [.., K, b's own]. */
static labelled contracted(expansion *e, const equation *q, labelled a, labelled b,
                           const bool keep[LABELS]) {
    int64_t dims[KILN_MAX_RANK];
    bool first[LABELS], second[LABELS];
    for (uint32_t label = 0; label < LABELS; label++) {
        first[label] = keep[label] || has_label(&b.labels, (uint8_t)label);
        second[label] = keep[label] || has_label(&a.labels, (uint8_t)label);
    }
    if (!has_room(e, &a.labels, &b.labels, keep)) {
        return (labelled){NULL, {0}};
    }
    a = summed(e, q, a, first);
    b = summed(e, q, b, second);
    term front = {0}, shared = {0}, order_a, order_b;
    if (a.t != NULL && tensor_is_batched(e->g, a.t) && !has_label(&b.labels, a.labels.labels[0])) {
        (void)add_label(&front, a.labels.labels[0]); /* an open batch stays in front */
    }
    select_labels(&a.labels, &b.labels, true, keep, true, &front);
    select_labels(&a.labels, &b.labels, true, keep, true, &shared);
    labelled y = {NULL, front};
    select_labels(&a.labels, &b.labels, false, keep, true, &y.labels);
    uint32_t rows = y.labels.rank - front.rank;
    order_a = y.labels;
    order_b = shared;
    select_labels(&a.labels, &b.labels, true, keep, false, &order_a);
    select_labels(&a.labels, &b.labels, true, keep, false, &order_b);
    uint32_t products = order_b.rank - shared.rank;
    select_labels(&b.labels, &a.labels, false, keep, true, &order_b);
    select_labels(&b.labels, &a.labels, false, keep, true, &y.labels);
    if (a.t == NULL || b.t == NULL) {
        return y;
    }
    tensor *left = as_matrices(e, q, reordered(e, a, &order_a), front.rank, rows);
    tensor *right = as_matrices(e, q, reordered(e, b, &order_b), shared.rank, products);
    for (uint32_t d = 0; d < y.labels.rank; d++) {
        dims[d] = q->sizes[y.labels.labels[d]];
    }
    y.t = expand_reshape(e, expand_binary(e, "MatMul", left, right), y.labels.rank, dims);
    return y;
}

kiln_status einsum_expand(expansion *e, node *n) {
    equation q;
    bool keep[LABELS];
    if (!einsum_read(n, &q)) {
        return node_fail(e->g, n, KILN_ERROR_INTERNAL, "the equation changed");
    }
    labelled x = operand_of(e, &q, 0);
    for (uint32_t t = 1; t < q.count; t++) {
        for (uint32_t label = 0; label < LABELS; label++) {
            keep[label] = has_label(&q.output, (uint8_t)label);
            for (uint32_t later = t + 1; later < q.count; later++) {
                keep[label] = keep[label] || has_label(&q.terms[later], (uint8_t)label);
            }
        }
        labelled next = operand_of(e, &q, t);
        bool swap = x.t != NULL && !tensor_is_batched(e->g, x.t) &&
                    tensor_is_batched(e->g, next.t); /* the batch comes first */
        x = swap ? contracted(e, &q, next, x, keep) : contracted(e, &q, x, next, keep);
    }
    for (uint32_t label = 0; label < LABELS; label++) {
        keep[label] = has_label(&q.output, (uint8_t)label);
    }
    x = summed(e, &q, x, keep);
    expand_result(e, 0, x.t != NULL ? reordered(e, x, &q.output).t : NULL);
    return KILN_OK;
}
