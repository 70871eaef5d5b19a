/* Einsum, as sums, transposes and matrix products: operands, without what broadcasts and with
 * their diagonals taken, are contracted from left to right. */
#include "compiler/ops/expand.h"
#include "compiler/ops/support.h"

#include <ctype.h>
#include <string.h>

enum { LETTERS = 128, LABELS = LETTERS + KILN_MAX_RANK, TERMS = 8 };

/* Labels are letters, and from LETTERS on the dims of an ellipsis. */
typedef struct term {
    uint32_t rank;
    uint8_t labels[KILN_MAX_RANK];
} term;

typedef struct equation {
    uint32_t count;
    term terms[TERMS], output;
    int64_t sizes[LABELS]; /* 0: not used */
} equation;

static bool has_label(const term *t, uint8_t label) {
    return memchr(t->labels, label, t->rank) != NULL;
}

static uint32_t uses_of_label(const term *t, uint8_t label) {
    uint32_t uses = 0;
    for (uint32_t d = 0; d < t->rank; d++) {
        uses += t->labels[d] == label;
    }
    return uses;
}

/* Once more, where it stands there already: a diagonal. */
static bool append_label(term *t, uint8_t label) {
    if (t->rank == KILN_MAX_RANK) {
        return false;
    }
    t->labels[t->rank++] = label;
    return true;
}

static bool add_label(term *t, uint8_t label) {
    return !has_label(t, label) && append_label(t, label);
}

/* ---- Reading ------------------------------------------------------------------------------- */

/* One term from *inout_text on, up to what ends it; its ellipsis has so many dims, the last of the
 * longest one. */
static bool read_term(const char **inout_text, uint32_t ellipsis, bool repeats, term *out) {
    const char *c = *inout_text;
    bool (*add)(term * t, uint8_t label) = repeats ? append_label : add_label;
    *out = (term){0};
    for (; *c != '\0' && *c != ',' && *c != '-'; c++) {
        if (strncmp(c, "...", 3) == 0) {
            for (uint32_t k = KILN_MAX_RANK - ellipsis; k < KILN_MAX_RANK; k++) {
                if (!add_label(out, (uint8_t)(LETTERS + k))) {
                    return false;
                }
            }
            c += 2;
        } else if (*c != ' ' && (!isalpha((unsigned char)*c) || !add(out, (uint8_t)*c))) {
            return false;
        }
    }
    *inout_text = c;
    return true;
}

static uint32_t letters_until_end(const char *c) {
    uint32_t letters = 0;
    for (; *c != '\0' && *c != ',' && *c != '-'; c++) {
        letters += isalpha((unsigned char)*c) != 0;
    }
    return letters;
}

/* Without "->" the output has the ellipsis and each label that occurs once, in alphabetical
 * order. */
static bool implied_output(equation *q) {
    bool fits = true;
    for (uint32_t k = 0; k < LABELS; k++) {
        uint8_t label = (uint8_t)(k < KILN_MAX_RANK ? LETTERS + k : k - KILN_MAX_RANK);
        uint32_t uses = 0;
        for (uint32_t t = 0; t < q->count; t++) {
            uses += uses_of_label(&q->terms[t], label);
        }
        if (uses == 1 || (uses > 0 && label >= LETTERS)) {
            fits = fits && add_label(&q->output, label);
        }
    }
    return fits;
}

static bool read_terms(const node *n, equation *q, uint32_t *out_ellipsis,
                       const char **inout_text) {
    const char *c = *inout_text;
    for (size_t k = 0; k < n->input_count; k++) {
        uint32_t rank = n->inputs[k]->rank, letters = letters_until_end(c);
        uint32_t ellipsis = letters < rank ? rank - letters : 0;
        if (!read_term(&c, ellipsis, true, &q->terms[k]) || q->terms[k].rank != rank) {
            return false;
        }
        *out_ellipsis = ellipsis > *out_ellipsis ? ellipsis : *out_ellipsis;
        bool more = k + 1 < n->input_count;
        if (more != (*c == ',')) {
            return false;
        }
        c += more;
    }
    *inout_text = c;
    return true;
}

/* A diagonal has one size: dims of 1 broadcast between operands only. */
static bool is_square(const term *t, const tensor *x, uint32_t d) {
    uint32_t first = 0;
    while (t->labels[first] != t->labels[d]) {
        first++;
    }
    return x->dims[first] == x->dims[d];
}

static bool read_sizes(const node *n, equation *q) {
    for (uint32_t t = 0; t < q->count; t++) {
        for (uint32_t d = 0; d < q->terms[t].rank; d++) {
            int64_t *size = &q->sizes[q->terms[t].labels[d]], dim = n->inputs[t]->dims[d];
            bool fits = *size <= 1 || dim == 1 || *size == dim;
            if (!fits || !is_square(&q->terms[t], n->inputs[t], d)) {
                return false;
            }
            *size = *size > dim ? *size : dim;
        }
    }
    double products = 1;
    for (uint32_t label = 0; label < LABELS; label++) {
        products *= q->sizes[label] != 0 ? (double)q->sizes[label] : 1;
    }
    for (uint32_t d = 0; d < q->output.rank; d++) {
        if (q->sizes[q->output.labels[d]] == 0) {
            return false;
        }
    }
    return products < 0x1p62;
}

static bool read_equation(const node *n, equation *out) {
    const char *c = node_string(n, "equation", "");
    uint32_t ellipsis = 0;
    *out = (equation){.count = (uint32_t)n->input_count};
    if (n->input_count > TERMS || !read_terms(n, out, &ellipsis, &c)) {
        return false;
    }
    bool given = strncmp(c, "->", 2) == 0;
    c += given ? 2 : 0;
    bool fits = given ? read_term(&c, ellipsis, false, &out->output) : implied_output(out);
    return fits && *c == '\0' && read_sizes(n, out);
}

static kiln_status infer_einsum(graph *g, node *n) {
    equation q;
    int64_t dims[KILN_MAX_RANK];
    kiln_status status = require_floats(g, n);
    if (status == KILN_OK && !read_equation(n, &q)) {
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
    double work = read_equation(n, &q) ? 1 : 0;
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
    if (!read_equation(n, &q)) {
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

/* ---- Expansion ----------------------------------------------------------------------------- */

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

static kiln_status expand_einsum(expansion *e, node *n) {
    equation q;
    bool keep[LABELS];
    if (!read_equation(n, &q)) {
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

const op ops_einsum[] = {
    {"Einsum", 12, OP_INPUTS(1, TERMS), OP_OUTPUTS(1, 1), .infer = infer_einsum,
     .evaluate = evaluate_einsum, .work = work_of_einsum, .expand = expand_einsum},
    {.name = NULL},
};
