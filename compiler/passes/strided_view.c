#include "compiler/passes/strided_view.h"
#include "compiler/ops/ops.h"
#include "compiler/passes/cut.h"
#include "compiler/passes/passes.h"

#include <math.h>
#include <string.h>

#define CHAIN 16 /* operators between a tensor and its base, at most */

void view_identity(tensor *t, strided_view *out_view) {
    strided_view v = {.base = t, .scale = 1, .rank = t->rank};
    int64_t stride = tensor_elements(t);
    uint32_t count = 0;
    for (uint32_t k = 0; k < t->rank; k++) {
        v.dims[k] = t->dims[k];
        v.first[k] = count;
        stride /= t->dims[k] > 0 ? t->dims[k] : 1;
        if (t->dims[k] != 1) {
            v.factors[count++] = (view_factor){t->dims[k], stride};
        }
    }
    v.first[t->rank] = count;
    *out_view = v;
}

/* Shares the loops out to axes of other sizes, in the same order; loops are split where need be. */
static bool regroup(strided_view *v, uint32_t rank, const int64_t *dims) {
    strided_view from = *v;
    uint32_t at = 0, end = from.first[from.rank], count = 0;
    for (uint32_t k = 0; k < rank; k++) {
        int64_t left = dims[k];
        v->dims[k] = dims[k];
        v->first[k] = count;
        while (left > 1) {
            view_factor *f = at < end ? &from.factors[at] : NULL;
            if (f == NULL || count == VIEW_FACTORS ||
                (left % f->size != 0 && f->size % left != 0)) {
                return false;
            }
            if (f->size <= left) {
                left /= f->size;
                v->factors[count++] = *f;
                at++;
            } else {
                f->size /= left;
                v->factors[count++] = (view_factor){left, f->stride * f->size};
                left = 1;
            }
        }
    }
    v->rank = rank;
    v->first[rank] = count;
    return at == end;
}

static bool permute(strided_view *v, const node *transpose) {
    const strided_view from = *v;
    int64_t perm[KILN_MAX_RANK];
    int given = node_ints(transpose, "perm", perm, KILN_MAX_RANK);
    uint32_t count = 0;
    for (uint32_t k = 0; k < from.rank; k++) {
        int64_t axis = given < 0 ? (int64_t)from.rank - 1 - k : perm[k];
        uint32_t size = from.first[axis + 1] - from.first[axis];
        v->dims[k] = from.dims[axis];
        v->first[k] = count;
        memcpy(v->factors + count, from.factors + from.first[axis], size * sizeof *v->factors);
        count += size;
    }
    v->first[from.rank] = count;
    return true;
}

/* Takes part of an axis: some of its outermost loop, and all of the others. */
static bool narrow(strided_view *v, const cut *c) {
    const strided_view from = *v;
    uint32_t begin = from.first[c->axis], end = from.first[c->axis + 1];
    if (begin == end) {
        return c->start == 0 && c->size == 1;
    }
    int64_t inner = from.dims[c->axis] / from.factors[begin].size;
    if (c->size < 1 || c->start % inner != 0 || c->size % inner != 0) {
        return false;
    }
    v->start += c->start / inner * from.factors[begin].stride;
    v->factors[begin].size = c->size / inner;
    v->dims[c->axis] = c->size;
    if (v->factors[begin].size == 1) {
        memmove(v->factors + begin, v->factors + begin + 1,
                (from.first[from.rank] - begin - 1) * sizeof *v->factors);
        for (uint32_t k = c->axis + 1; k <= from.rank; k++) {
            v->first[k]--;
        }
    }
    return true;
}

/* Repeats axes of one element; y has the same rank, or more. */
static bool expand(strided_view *v, const tensor *y) {
    const strided_view from = *v;
    uint32_t missing = y->rank - from.rank, count = 0;
    for (uint32_t k = 0; k < y->rank; k++) {
        uint32_t axis = k - missing;
        v->dims[k] = y->dims[k];
        v->first[k] = count;
        if (k >= missing && from.dims[axis] == y->dims[k]) {
            uint32_t size = from.first[axis + 1] - from.first[axis];
            memcpy(v->factors + count, from.factors + from.first[axis], size * sizeof *v->factors);
            count += size;
        } else if (count < VIEW_FACTORS) {
            v->factors[count++] = (view_factor){y->dims[k], 0};
        } else {
            return false;
        }
    }
    v->rank = y->rank;
    v->first[y->rank] = count;
    return true;
}

/* The number by which n multiplies its other operand; false: it does something else. */
static bool read_scale(const node *n, tensor **out_x, float *out_scale) {
    tensor *constant;
    bool product = node_is(n, "Mul") || (node_is(n, "Div") && tensor_is_constant(n->inputs[1]));
    if (!product || !is_unclamped(n) || !split_constant(n, &constant, out_x) ||
        !scalar_value(constant, out_scale) || !tensor_same_shape(*out_x, n->outputs[0])) {
        return false;
    }
    *out_scale = node_is(n, "Div") ? 1 / *out_scale : *out_scale;
    return isfinite(*out_scale);
}

/* What t is made of by one operator; NULL: no view. */
static tensor *source_of(const tensor *t) {
    const node *n = t->producer;
    tensor *x = NULL;
    float scale;
    cut c;
    if (n == NULL || n->dead || t->dtype != KILN_F32) {
        return NULL;
    }
    if (read_scale(n, &x, &scale)) {
        return x;
    }
    bool cuts = false;
    for (size_t k = 0; k < n->output_count; k++) {
        cuts = cuts || (n->outputs[k] == t && read_cut(n, k, &c));
    }
    return cuts || n->op->layout == OP_VIEW || node_is(n, "Transpose") || node_is(n, "Expand")
               ? n->inputs[0]
               : NULL;
}

/* Takes the view of an operator's input to that of its output t. */
static bool apply(strided_view *v, const tensor *t) {
    const node *n = t->producer;
    tensor *x;
    float scale;
    cut c;
    if (read_scale(n, &x, &scale)) {
        v->scale *= scale;
        return true;
    }
    if (node_is(n, "Transpose")) {
        return permute(v, n);
    }
    if (node_is(n, "Expand")) {
        return expand(v, t);
    }
    for (size_t k = 0; k < n->output_count; k++) {
        if (n->outputs[k] == t && read_cut(n, k, &c)) {
            return narrow(v, &c) && regroup(v, t->rank, t->dims);
        }
    }
    return regroup(v, t->rank, t->dims);
}

/* Fills chain with t, what that is made of, and so on, up to `last` if it is met. */
static size_t chain_of(tensor *t, const tensor *last, tensor *chain[CHAIN]) {
    size_t count = 0;
    for (; t != NULL && count < CHAIN; t = t == last ? NULL : source_of(t)) {
        chain[count++] = t;
    }
    return count;
}

static bool view_from(tensor *const *chain, size_t base, strided_view *out_view) {
    view_identity(chain[base], out_view);
    for (size_t k = base; k-- > 0;) {
        if (!apply(out_view, chain[k])) {
            return false;
        }
    }
    return true;
}

void view_trace(tensor *t, bool (*fits)(const strided_view *view), strided_view *out_view) {
    tensor *chain[CHAIN];
    size_t base = chain_of(t, NULL, chain) - 1;
    while (base > 0 && !(view_from(chain, base, out_view) && fits(out_view))) {
        base--;
    }
    if (base == 0) {
        view_identity(t, out_view);
    }
}

bool view_on(tensor *t, tensor *x, strided_view *out_view) {
    tensor *chain[CHAIN];
    size_t count = chain_of(t, x, chain);
    return count > 0 && chain[count - 1] == x && view_from(chain, count - 1, out_view) &&
           out_view->scale == 1 && tensor_elements(t) == tensor_elements(x);
}

bool view_invert(const strided_view *view, tensor *t, tensor *x, strided_view *out_view) {
    strided_view v = {.base = t, .scale = 1, .rank = 1};
    int64_t by_x[VIEW_FACTORS], stride = tensor_elements(t);
    uint32_t count = view->first[view->rank];
    for (uint32_t k = 0; k < count; k++) { /* sorted by the strides of x, as they are inserted */
        stride /= view->factors[k].size;
        uint32_t at = k;
        while (at > 0 && by_x[at - 1] < view->factors[k].stride) {
            by_x[at] = by_x[at - 1];
            v.factors[at] = v.factors[at - 1];
            at--;
        }
        by_x[at] = view->factors[k].stride;
        v.factors[at] = (view_factor){view->factors[k].size, stride};
    }
    v.first[1] = count;
    *out_view = v;
    return view->start == 0 && regroup(out_view, x->rank, x->dims);
}

bool view_axis(const strided_view *view, uint32_t axis, view_factor *out_factor) {
    view_factor f = {1, 0};
    for (uint32_t k = view->first[axis]; k < view->first[axis + 1]; k++) {
        const view_factor *inner = &view->factors[k];
        if (f.size > 1 && f.stride != inner->stride * inner->size) {
            return false;
        }
        f = (view_factor){f.size * inner->size, inner->stride};
    }
    *out_factor = f;
    return true;
}

bool view_channels_last(strided_view *inout_view) {
    strided_view v = *inout_view;
    const tensor *x = v.base;
    if (x->rank < 3) {
        return false;
    }
    int64_t channels = x->dims[1], pixels = tensor_elements(x) / x->dims[0] / channels;
    for (uint32_t k = 0; k < v.first[v.rank]; k++) {
        view_factor *f = &v.factors[k];
        bool samples = f->stride % (pixels * channels) == 0; /* 0, too */
        if (samples) {
            continue;
        }
        if (f->stride < pixels) {
            if (f->size > pixels / f->stride) {
                return false;
            }
            f->stride *= channels;
        } else {
            if (f->stride % pixels != 0 || f->size > channels / (f->stride / pixels)) {
                return false;
            }
            f->stride /= pixels;
        }
    }
    int64_t within = v.start % (pixels * channels);
    v.start += within % pixels * channels + within / pixels - within;
    *inout_view = v;
    return true;
}
