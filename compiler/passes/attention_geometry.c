/* From views of single operands to loops that all of them share. */
#include "compiler/passes/attention_match.h"

#define MOST_LOOPS 40

typedef struct loops {
    size_t count;
    view_factor items[MOST_LOOPS];
} loops;

/* A loop that all operands share, each with a stride of its own. */
typedef struct joint_loop {
    int64_t size, strides[ATTENTION_OPERANDS];
} joint_loop;

typedef struct joint {
    size_t count;
    joint_loop loops[MOST_LOOPS]; /* the innermost first */
} joint;

/* Adds an axis of v, which is broadcast to `dim`, where it is there at all. */
static bool add_axis(const strided_view *v, uint32_t missing, uint32_t axis, int64_t dim,
                     loops *to) {
    if (dim == 1) {
        return true;
    }
    if (axis < missing || v->dims[axis - missing] == 1) {
        if (to->count == MOST_LOOPS) {
            return false;
        }
        to->items[to->count++] = (view_factor){dim, 0};
        return true;
    }
    axis -= missing;
    for (uint32_t k = v->first[axis]; k < v->first[axis + 1]; k++) {
        if (to->count == MOST_LOOPS) {
            return false;
        }
        to->items[to->count++] = v->factors[k];
    }
    return v->dims[axis] == dim;
}

/* All axes of v but the last two, broadcast to those of a result. */
static bool lead_of(const strided_view *v, const tensor *result, loops *out) {
    *out = (loops){0};
    for (uint32_t k = 0; k + 2 < result->rank; k++) {
        if (!add_axis(v, result->rank - v->rank, k, result->dims[k], out)) {
            return false;
        }
    }
    return v->rank <= result->rank;
}

static int64_t common_divisor(int64_t a, int64_t b) {
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Splits all operands' loops so that they have the same sizes. */
static bool join(loops all[ATTENTION_OPERANDS], joint *out) {
    out->count = 0;
    for (;;) {
        int64_t size = 0;
        size_t ended = 0;
        for (size_t k = 0; k < ATTENTION_OPERANDS; k++) {
            ended += all[k].count == 0;
            size =
                all[k].count == 0 ? 1 : common_divisor(all[k].items[all[k].count - 1].size, size);
        }
        if (ended > 0 || size == 1 || out->count == MOST_LOOPS) {
            return ended == ATTENTION_OPERANDS;
        }
        joint_loop *loop = &out->loops[out->count++];
        loop->size = size;
        for (size_t k = 0; k < ATTENTION_OPERANDS; k++) {
            view_factor *f = &all[k].items[all[k].count - 1];
            loop->strides[k] = f->stride;
            f->size /= size;
            f->stride *= size;
            all[k].count -= f->size == 1;
        }
    }
}

/* Takes the batch, which is the outermost loop, out of the joint ones. */
static bool take_batch(joint *j, joint_loop *out_batch) {
    *out_batch = (joint_loop){.size = 1};
    if (j->count > 0 && j->loops[j->count - 1].size % GRAPH_BATCH == 0) {
        joint_loop *last = &j->loops[j->count - 1];
        last->size /= GRAPH_BATCH;
        *out_batch = *last;
        for (size_t k = 0; k < ATTENTION_OPERANDS; k++) {
            out_batch->strides[k] = last->strides[k] * last->size;
        }
        out_batch->size = GRAPH_BATCH;
        j->count -= last->size == 1;
    }
    for (size_t k = 0; k < j->count; k++) {
        if (j->loops[k].size % GRAPH_BATCH == 0) {
            return false;
        }
    }
    return true;
}

/* Makes one of neighbouring loops that follow each other in all operands. */
static void merge(joint *j) {
    size_t kept = 0;
    for (size_t k = 1; k < j->count; k++) {
        const joint_loop *outer = &j->loops[k];
        joint_loop *inner = &j->loops[kept];
        bool follows = true;
        for (size_t o = 0; o < ATTENTION_OPERANDS; o++) {
            follows = follows && outer->strides[o] == inner->strides[o] * inner->size;
        }
        if (follows) {
            inner->size *= outer->size;
        } else {
            j->loops[++kept] = *outer;
        }
    }
    j->count = j->count > 0 ? kept + 1 : 0;
}

static bool has_operand(const attention_match *m, size_t k) {
    return k < ATTENTION_BIAS || k == ATTENTION_Y || m->sums[k - ATTENTION_BIAS] != NULL;
}

/* Loops over heads, windows and what else there is, and over samples. */
static bool set_leads(const graph *g, attention_match *m) {
    const tensor *scores = m->first->outputs[0], *result = m->second->outputs[0];
    const tensor *const likes[] = {scores, scores, result, m->sums[0], m->sums[1], result};
    attention_geometry *a = &m->geometry;
    loops all[ATTENTION_OPERANDS];
    joint j;
    joint_loop batch;
    int64_t count =
        tensor_elements(scores) / scores->dims[scores->rank - 1] / scores->dims[scores->rank - 2];
    for (size_t k = 0; k < ATTENTION_OPERANDS; k++) {
        all[k] = (loops){.count = count > 1, .items = {{count, 0}}};
        if (has_operand(m, k) && !lead_of(&m->views[k], likes[k], &all[k])) {
            return false;
        }
    }
    if (!join(all, &j) || !take_batch(&j, &batch)) {
        return false;
    }
    merge(&j);
    if (j.count > KILN_ATTENTION_LEADS) {
        return false;
    }
    for (size_t d = 0; d < KILN_ATTENTION_LEADS; d++) {
        const joint_loop *loop = d < j.count ? &j.loops[d] : NULL;
        size_t at = KILN_ATTENTION_LEADS - 1 - d;
        a->lead[at] = loop != NULL ? loop->size : 1;
        for (size_t k = 0; k < ATTENTION_OPERANDS; k++) {
            a->views[k].lead[at] = loop != NULL ? loop->strides[k] : 0;
        }
    }
    for (size_t k = 0; k < ATTENTION_OPERANDS; k++) {
        const tensor *base = m->views[k].base;
        bool batched = has_operand(m, k) && tensor_is_batched(g, base);
        int64_t sample = batched ? tensor_elements(base) / GRAPH_BATCH : 0;
        if (has_operand(m, k) && (batch.strides[k] != sample || (batched && batch.size == 1))) {
            return false;
        }
        a->views[k].sample = sample;
    }
    return true;
}

/* A matrix's rows and columns, or where `swapped` its columns and rows. */
static bool set_matrix(attention_match *m, size_t k, bool swapped, int64_t rows, int64_t columns) {
    const strided_view *v = &m->views[k];
    attention_view *to = &m->geometry.views[k];
    view_factor row = {1, 0}, column = {1, 0};
    if ((v->rank >= 2 && !view_axis(v, v->rank - 2 + swapped, &row)) ||
        !view_axis(v, v->rank - 1 - swapped, &column)) {
        return false;
    }
    bool sums = k == ATTENTION_BIAS || k == ATTENTION_MASK;
    to->start = v->start;
    to->row = row.stride;
    to->column = column.size == 1 ? 1 : column.stride;
    return column.size == columns && (row.size == rows || (sums && row.size == 1)) &&
           (column.stride != 0 || columns == 1) && (row.stride != 0 || rows == 1 || sums);
}

static bool is_small(const graph *g, const tensor *t) {
    int64_t elements = tensor_elements(t) / (tensor_is_batched(g, t) ? GRAPH_BATCH : 1);
    return elements > 0 && elements < (int64_t)UINT32_MAX / 4;
}

bool attention_match_geometry(const graph *g, attention_match *m) {
    const tensor *scores = m->first->outputs[0], *result = m->second->outputs[0];
    const tensor *q = m->first->inputs[0];
    attention_geometry *a = &m->geometry;
    *a = (attention_geometry){.rows = scores->dims[scores->rank - 2],
                              .depth = q->dims[q->rank - 1],
                              .keys = scores->dims[scores->rank - 1],
                              .width = result->dims[result->rank - 1 - m->weights],
                              .rank = m->y->rank};
    for (size_t k = 0; k < ATTENTION_OPERANDS; k++) {
        if (has_operand(m, k) && !is_small(g, m->views[k].base)) {
            return false;
        }
    }
    if (a->rows % GRAPH_BATCH == 0 || a->keys % GRAPH_BATCH == 0 || scores->rank < 2 ||
        !set_leads(g, m) || !set_matrix(m, ATTENTION_Q, false, a->rows, a->depth) ||
        !set_matrix(m, ATTENTION_K, true, a->keys, a->depth) ||
        !set_matrix(m, ATTENTION_V, m->weights, a->keys, a->width) ||
        !set_matrix(m, ATTENTION_Y, m->weights, a->rows, a->width)) {
        return false;
    }
    for (size_t k = ATTENTION_BIAS; k <= ATTENTION_MASK; k++) {
        if (has_operand(m, k) && !set_matrix(m, k, false, a->rows, a->keys)) {
            return false;
        }
    }
    for (uint32_t k = 0; k < m->y->rank; k++) {
        uint32_t axis = !m->channels_last[ATTENTION_Y] || k == 0 ? k
                        : k + 1 == m->y->rank                    ? 1
                                                                 : k + 1;
        a->dims[k] = m->y->dims[axis];
    }
    a->dims[0] /= tensor_is_batched(g, m->y) ? GRAPH_BATCH : 1;
    return m->y->rank > 0;
}
