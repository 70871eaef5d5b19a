#include "compiler/passes/attention_match.h"
#include "compiler/ops/ops.h"
#include "compiler/passes/passes.h"

/* ---- Scores -------------------------------------------------------------------------------- */

/* Softmax along the last axis. */
static bool is_of_rows(const graph *g, const node *n) {
    const tensor *x = n->inputs[0];
    int64_t axis = node_int(n, "axis", g->opset < 13 ? 1 : -1);
    return is_unclamped(n) && x->rank >= 2 && x->dtype == KILN_F32 &&
           (axis == -1 || axis == (int64_t)x->rank - 1);
}

static bool same_matrices(const tensor *a, const tensor *b) {
    return a->rank >= 2 && b->rank >= 2 && a->dims[a->rank - 1] == b->dims[b->rank - 1] &&
           a->dims[a->rank - 2] == b->dims[b->rank - 2];
}

static node *sole_maker(const tensor *t) {
    return t->consumer_count == 1 && !t->is_output && t->producer != NULL && !t->producer->dead &&
                   is_unclamped(t->producer)
               ? t->producer
               : NULL;
}

/* The last dim's elements follow each other, and so do a matrix's rows at any distance. */
static bool fits_sum(const strided_view *v) {
    view_factor f;
    return v->scale == 1 && (v->rank < 2 || view_axis(v, v->rank - 2, &f)) && v->rank > 0 &&
           view_axis(v, v->rank - 1, &f) && f.stride == 1;
}

static bool read_scores(attention_match *m, tensor *t);

static bool read_sum(attention_match *m, const node *add) {
    const tensor *y = add->outputs[0];
    if (m->sums[1] != NULL || m->scale != 1) { /* no scale after a sum */
        return false;
    }
    for (size_t side = 0; side < 2; side++) {
        attention_match tried = *m;
        size_t at = tried.sums[0] == NULL ? 0 : 1;
        tensor *other = add->inputs[1 - side];
        tried.sums[at] = y;
        view_trace(other, fits_sum, &tried.views[ATTENTION_BIAS + at]);
        if (tensor_same_shape(add->inputs[side], y) && other->rank > 0 && other->rank <= y->rank &&
            fits_sum(&tried.views[ATTENTION_BIAS + at]) && read_scores(&tried, add->inputs[side])) {
            *m = tried;
            return true;
        }
    }
    return false;
}

/* Follows scores back to the product that makes them. */
static bool read_scores(attention_match *m, tensor *t) {
    for (node *n = sole_maker(t); n != NULL; n = sole_maker(t)) {
        tensor *constant, *x;
        float scale;
        if (node_is(n, "MatMul")) {
            m->first = n;
            return true;
        }
        if (node_is(n, "Add")) {
            return read_sum(m, n);
        }
        if (n->op->layout == OP_VIEW && same_matrices(n->inputs[0], t)) {
            t = n->inputs[0];
            continue;
        }
        bool divides = node_is(n, "Div") && tensor_is_constant(n->inputs[1]);
        if ((!divides && !node_is(n, "Mul")) || !split_constant(n, &constant, &x) ||
            !scalar_value(constant, &scale) || !tensor_same_shape(x, t)) {
            return false;
        }
        m->scale *= divides ? 1 / scale : scale;
        t = x;
    }
    return false;
}

/* ---- Weights, and the result --------------------------------------------------------------- */

/* Are the weights, as second reads them, the softmax's matrices or these transposed, in order? */
static bool reads_weights(const attention_match *m, tensor *t) {
    strided_view v;
    view_factor rows, columns;
    const tensor *s = m->softmax->outputs[0];
    int64_t stride = tensor_elements(s);
    if (!view_on(t, m->softmax->outputs[0], &v) || v.rank < 2 || v.start != 0) {
        return false;
    }
    uint32_t row = v.rank - 2 + m->weights, column = v.rank - 1 - m->weights;
    for (uint32_t k = 0; k < v.first[v.rank - 2]; k++) {
        stride /= v.factors[k].size;
        if (v.factors[k].stride != stride) {
            return false;
        }
    }
    int64_t keys = s->dims[s->rank - 1];
    return view_axis(&v, row, &rows) && view_axis(&v, column, &columns) &&
           rows.size == s->dims[s->rank - 2] && columns.size == keys &&
           (rows.size == 1 || rows.stride == keys) && (keys == 1 || columns.stride == 1);
}

/* The product that alone reads the weights. */
static bool find_second(attention_match *m) {
    tensor *t = m->softmax->outputs[0];
    for (node *n = tensor_single_consumer(t); n != NULL; n = tensor_single_consumer(t)) {
        if (node_is(n, "MatMul")) {
            m->second = n;
            m->weights = n->inputs[1] == t;
            return is_unclamped(n) && n->inputs[0] != n->inputs[1] && reads_weights(m, t);
        }
        if ((n->op->layout != OP_VIEW && !node_is(n, "Transpose")) || n->inputs[0] != t) {
            return false;
        }
        t = n->outputs[0];
    }
    return false;
}

static bool fits_matrix(const strided_view *v) {
    view_factor row, column;
    return v->rank >= 2 && view_axis(v, v->rank - 2, &row) && view_axis(v, v->rank - 1, &column);
}

/* The farthest view of the result that one step can write. */
static void find_result(attention_match *m) {
    tensor *result = m->second->outputs[0], *t = result;
    m->y = result;
    view_identity(result, &m->views[ATTENTION_Y]);
    for (node *n = tensor_single_consumer(t);
         n != NULL && n->inputs[0] == t && (n->op->layout == OP_VIEW || node_is(n, "Transpose"));
         n = tensor_single_consumer(t)) {
        strided_view on_result, v;
        t = n->outputs[0];
        if (!view_on(t, result, &on_result)) {
            break;
        }
        if (view_invert(&on_result, t, result, &v) && fits_matrix(&v)) {
            m->y = t;
            m->views[ATTENTION_Y] = v;
        }
    }
}

/* Elements of a matrix's row are best neighbours; of maps they are where channels are last. */
static void bring_channels_last(attention_match *m, size_t k, uint32_t column_axis) {
    strided_view v = m->views[k];
    view_factor f;
    if (!tensor_is_constant(v.base) && view_axis(&v, column_axis, &f) && f.stride > 1 &&
        view_channels_last(&v) && view_axis(&v, column_axis, &f) && f.stride == 1) {
        m->views[k] = v;
        m->channels_last[k] = true;
    }
}

bool attention_match_softmax(graph *g, node *softmax, attention_match *out_match) {
    attention_match *m = out_match;
    *m = (attention_match){.softmax = softmax, .scale = 1};
    if (!is_of_rows(g, softmax) || !read_scores(m, softmax->inputs[0]) || !find_second(m)) {
        return false;
    }
    tensor *const operands[3] = {m->first->inputs[0], m->first->inputs[1],
                                 m->second->inputs[1 - m->weights]};
    for (size_t k = 0; k < 3; k++) {
        if (operands[k]->rank < 2) {
            return false;
        }
        view_trace(operands[k], fits_matrix, &m->views[k]);
        m->scale *= k < 2 ? m->views[k].scale : 1;
    }
    if (m->views[ATTENTION_V].scale != 1) {
        view_identity(operands[ATTENTION_V], &m->views[ATTENTION_V]);
    }
    find_result(m);
    const uint32_t ranks[] = {m->views[0].rank, m->views[1].rank, m->views[2].rank};
    uint32_t swapped = m->weights;
    bring_channels_last(m, ATTENTION_Q, ranks[0] - 1);
    bring_channels_last(m, ATTENTION_K, ranks[1] - 2);
    bring_channels_last(m, ATTENTION_V, ranks[2] - 1 - swapped);
    bring_channels_last(m, ATTENTION_Y, m->views[ATTENTION_Y].rank - 1 - swapped);
    return attention_match_geometry(g, m);
}
