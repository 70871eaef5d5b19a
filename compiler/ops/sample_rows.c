/* Integers that follow the batch, as PyTorch's as_strided reckons with them: every sample's are
 * those of the sample before, and a step. */
#include "compiler/ops/sample_rows.h"
#include "compiler/ops/support.h"

#include <string.h>

enum { MOST_NODES = 64, MOST_ELEMENTS = 1 << 24 };
#define MOST_VALUE                                                                                 \
    ((int64_t)1 << 40) /* sums and products of two stay within 63 bits but for these */

typedef struct search {
    graph *g;
    uint32_t nodes; /* may still be looked at: a tensor is looked at once a reader */
} search;

static bool find(search *s, const tensor *t, sample_rows *out);

static bool is_small(int64_t value) {
    return value > -MOST_VALUE && value < MOST_VALUE;
}

static bool find_range(const node *n, sample_rows *out, int64_t *base) {
    const tensor *start = n->inputs[0], *step = n->inputs[2];
    if (!tensor_is_constant(start) || !tensor_is_constant(step) || start->dtype != KILN_I64 ||
        tensor_depends_on_batch(start) || tensor_depends_on_batch(step)) {
        return false;
    }
    *base = tensor_i64(start)[0];
    out->step = tensor_i64(step)[0];
    return is_small(*base) && is_small(out->step);
}

static bool find_view(search *s, const node *n, sample_rows *out, int64_t *base) {
    sample_rows x;
    if (!find(s, n->inputs[0], &x) || tensor_is_constant(n->inputs[0]) ||
        tensor_elements(&x.base) != tensor_elements(&out->base)) {
        return false;
    }
    memcpy(base, x.base.data, (size_t)tensor_elements(&x.base) * sizeof *base);
    out->step = x.step;
    return true;
}

/* The step of what `op` ('A'dd, 'S'ub, 'M'ul) makes of both; false: it is not the same for all. */
static bool combine_steps(char op, const sample_rows *a, const sample_rows *b, int64_t *out) {
    if (op != 'M') {
        *out = op == 'A' ? a->step + b->step : a->step - b->step;
        return is_small(*out);
    }
    const sample_rows *moving = a->step != 0 ? a : b, *factor = a->step != 0 ? b : a;
    bool single = factor->step == 0 && (moving->step == 0 || tensor_elements(&factor->base) == 1);
    return single &&
           !__builtin_mul_overflow(moving->step,
                                   moving->step == 0 ? 0 : tensor_i64(&factor->base)[0], out) &&
           is_small(*out);
}

static bool broadcasts(const tensor *from, const tensor *to) {
    bool fits = from->rank <= to->rank;
    for (uint32_t k = 0; k < from->rank && fits; k++) {
        fits = from->dims[k] == 1 || from->dims[k] == to->dims[k + to->rank - from->rank];
    }
    return fits;
}

static bool find_sum(search *s, const node *n, sample_rows *out, int64_t *base) {
    sample_rows a, b;
    char op = n->op->name[0];
    if (!find(s, n->inputs[0], &a) || !find(s, n->inputs[1], &b) ||
        !combine_steps(op, &a, &b, &out->step) || !broadcasts(&a.base, &out->base) ||
        !broadcasts(&b.base, &out->base)) {
        return false;
    }
    int64_t a_strides[KILN_MAX_RANK], b_strides[KILN_MAX_RANK], index[KILN_MAX_RANK];
    bool small = true;
    broadcast_strides(&a.base, &out->base, a_strides);
    broadcast_strides(&b.base, &out->base, b_strides);
    for (int64_t k = 0; k < tensor_elements(&out->base) && small; k++) {
        index_of(&out->base, k, index);
        int64_t x = tensor_i64(&a.base)[dot_index(out->base.rank, index, a_strides)];
        int64_t y = tensor_i64(&b.base)[dot_index(out->base.rank, index, b_strides)];
        small = op == 'M' ? !__builtin_mul_overflow(x, y, &base[k]) : true;
        base[k] = op == 'A' ? x + y : op == 'S' ? x - y : base[k];
        small = small && is_small(base[k]);
    }
    return small;
}

static bool find(search *s, const tensor *t, sample_rows *out) {
    *out = (sample_rows){.base = *t};
    if (tensor_is_constant(t)) {
        bool small = t->dtype == KILN_I64 && !tensor_depends_on_batch(t);
        for (int64_t k = 0; k < tensor_elements(t) && small; k++) {
            small = is_small(tensor_i64(t)[k]);
        }
        return small;
    }
    const node *n = t->producer;
    bool sound = n != NULL && t->dtype == KILN_I64 && t->rank > 0 && t->dims[0] == GRAPH_BATCH &&
                 s->nodes > 0;
    for (uint32_t k = 1; k < t->rank && sound; k++) {
        sound = t->dims[k] % GRAPH_BATCH != 0;
    }
    if (!sound) {
        return false;
    }
    s->nodes--;
    out->base.dims[0] = 1; /* the first sample's */
    int64_t count = tensor_elements(&out->base);
    int64_t *base =
        count <= MOST_ELEMENTS ? graph_allocate(s->g, (size_t)count * sizeof *base) : NULL;
    out->base.data = base;
    const char *name = n->op->name;
    bool keeps =
        n->op->layout == OP_VIEW || strcmp(name, "Identity") == 0 || strcmp(name, "Cast") == 0;
    bool sums = strcmp(name, "Add") == 0 || strcmp(name, "Sub") == 0 || strcmp(name, "Mul") == 0;
    return base != NULL && (strcmp(name, "Range") == 0 ? find_range(n, out, base)
                            : keeps                    ? find_view(s, n, out, base)
                                                       : sums && find_sum(s, n, out, base));
}

bool find_sample_rows(graph *g, const tensor *t, sample_rows *out) {
    search s = {g, MOST_NODES};
    return g->batch_symbolic && !tensor_is_constant(t) && find(&s, t, out);
}
