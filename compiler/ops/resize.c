/* Resize and Upsample: shapes, evaluation and lowering of the tables of resize_tables.c. */
#include "compiler/ops/resize.h"

#include <math.h>
#include <string.h>

static kiln_status infer_resize(graph *g, node *n) {
    resize_parameters p;
    kiln_status status = require_dtype(g, n, 0, MASK_F32);
    if (status == KILN_OK) {
        status = resize_read(g, n, &p);
    }
    const tensor *x = n->inputs[0];
    if (status == KILN_OK && x->rank > 0 && p.size[0] != x->dims[0]) {
        status = refuse_batch(g, n, x, 0);
    }
    if (status != KILN_OK) {
        return status;
    }
    n->outputs[0]->dtype = x->dtype;
    return tensor_set_shape(g, n, n->outputs[0], x->rank, p.size);
}

/* ---- Evaluation ---------------------------------------------------------------------------- */

typedef struct interpolation {
    const float *x;
    uint32_t rank, taps;
    resize_tap *tables[KILN_MAX_RANK];
    int64_t strides[KILN_MAX_RANK], index[KILN_MAX_RANK];
    bool outside;
} interpolation;

/* Sum over all combinations of taps of the axes from `axis` on. */
static double interpolate(interpolation *i, uint32_t axis, int64_t at) {
    if (axis == i->rank) {
        return (double)i->x[at];
    }
    if (i->tables[axis] == NULL) {
        return interpolate(i, axis + 1, at + i->index[axis] * i->strides[axis]);
    }
    const resize_tap *tap = &i->tables[axis][i->index[axis]];
    double sum = 0;
    if (tap->index[0] < 0) {
        i->outside = true;
        return 0;
    }
    for (uint32_t t = 0; t < i->taps; t++) {
        sum += tap->weight[t] * interpolate(i, axis + 1, at + tap->index[t] * i->strides[axis]);
    }
    return sum;
}

static kiln_status evaluate_resize(graph *g, node *n) {
    tensor *x = n->inputs[0], *y = n->outputs[0];
    resize_parameters p;
    kiln_status status = resize_read(g, n, &p);
    interpolation i = {.x = tensor_f32(x), .rank = x->rank, .taps = resize_taps(p.kind)};
    if (status == KILN_OK) {
        status = resize_tables(g, &p, x, i.tables);
    }
    dense_strides(x->rank, x->dims, i.strides);
    for (int64_t k = 0; k < tensor_elements(y) && status == KILN_OK; k++) {
        i.outside = false;
        index_of(y, k, i.index);
        double value = interpolate(&i, 0, 0);
        ((float *)y->owned)[k] = (float)(i.outside ? p.extrapolation : value);
    }
    return status;
}

/* ---- Lowering ------------------------------------------------------------------------------ */

/* Nearest, all axes at once: a table of indices an axis. */
static kiln_status lower_nearest(lowering *l, node *n, const resize_parameters *p) {
    graph *g = lower_graph(l);
    const tensor *x = n->inputs[0], *y = n->outputs[0];
    bool batched = tensor_is_batched(g, y);
    int64_t entries = 0, at = 0;
    for (uint32_t d = batched ? 1 : 0; d < y->rank; d++) {
        entries += y->dims[d];
    }
    int64_t *table = graph_allocate(g, ((size_t)entries + 1) * sizeof *table);
    resize_tap *tables[KILN_MAX_RANK];
    if (table == NULL || resize_tables(g, p, x, tables) != KILN_OK) {
        return KILN_ERROR_MEMORY;
    }
    for (uint32_t position = batched ? 1 : 0; position < y->rank; position++) {
        uint32_t axis = logical_axis(y, position);
        for (int64_t k = 0; k < y->dims[axis]; k++) {
            table[at++] = tables[axis] != NULL ? tables[axis][k].index[0] : k;
        }
    }
    kiln_remap_params params = {.rank = y->rank, .batched = batched, .fill = p->extrapolation};
    uint32_t inputs[2] = {lower_input(l, n, 0),
                          lower_constant_data(l, NULL, KILN_I64, 1, &entries, table)};
    uint32_t out = lower_output(l, n, 0);
    return lower_step(l, n, KILN_KERNEL_REMAP, &params, sizeof params, 2, inputs, 1, &out);
}

/* XNNPACK interpolates height and width together, with scales that are the ratios of the sizes. */
static bool fits_bilinear(const resize_parameters *p, const tensor *x, kiln_resize_mode *out_mode) {
    if (p->kind != RESIZE_LINEAR || x->rank != 4 || x->layout != KILN_CHANNELS_LAST ||
        resize_changes(p, x, 0) || resize_changes(p, x, 1) || p->exclude_outside) {
        return false;
    }
    bool several = true;
    for (uint32_t axis = 2; axis < 4; axis++) {
        several = several && p->size[axis] > 1;
        if (p->scale[axis] != (float)p->size[axis] / (float)x->dims[axis] ||
            x->dims[axis] > 1 << 20 || p->size[axis] > 1 << 20) {
            return false;
        }
    }
    bool half = strcmp(p->coordinates, "half_pixel") == 0 ||
                strcmp(p->coordinates, "half_pixel_symmetric") == 0 ||
                (several && strcmp(p->coordinates, "pytorch_half_pixel") == 0);
    bool corners = several && strcmp(p->coordinates, "align_corners") == 0;
    bool asymmetric = strcmp(p->coordinates, "asymmetric") == 0;
    *out_mode = half      ? KILN_RESIZE_HALF_PIXEL
                : corners ? KILN_RESIZE_ALIGN_CORNERS
                          : KILN_RESIZE_ASYMMETRIC;
    return half || corners || asymmetric;
}

static kiln_status resample(lowering *l, node *n, const resize_parameters *p,
                            const resize_tap *table, uint32_t axis, uint32_t from, uint32_t to) {
    const tensor *x = n->inputs[0];
    uint32_t taps = resize_taps(p->kind);
    int64_t count = p->size[axis], dims[2] = {count, taps};
    int64_t *index = graph_allocate(lower_graph(l), (size_t)(count * taps) * sizeof *index);
    float *weight = graph_allocate(lower_graph(l), (size_t)(count * taps) * sizeof *weight);
    if (index == NULL || weight == NULL) {
        return KILN_ERROR_MEMORY;
    }
    for (int64_t k = 0; k < count; k++) {
        for (uint32_t t = 0; t < taps; t++) {
            index[k * taps + t] = table[k].index[t];
            weight[k * taps + t] = (float)table[k].weight[t];
        }
    }
    kiln_resample_params params = {
        .axis = physical_axis(x, axis), .taps = taps, .extrapolation = (float)p->extrapolation};
    uint32_t inputs[3] = {from, lower_constant_data(l, NULL, KILN_I64, 2, dims, index),
                          lower_constant_data(l, NULL, KILN_F32, 2, dims, weight)};
    return lower_step(l, n, KILN_KERNEL_RESAMPLE, &params, sizeof params, 3, inputs, 1, &to);
}

/* One axis after the other. */
static kiln_status lower_separable(lowering *l, node *n, const resize_parameters *p) {
    const tensor *x = n->inputs[0], *y = n->outputs[0];
    int64_t dims[KILN_MAX_RANK];
    resize_tap *tables[KILN_MAX_RANK];
    uint32_t left = 0, from = lower_input(l, n, 0);
    memcpy(dims, x->dims, sizeof dims);
    kiln_status status = resize_tables(lower_graph(l), p, x, tables);
    for (uint32_t axis = 0; axis < x->rank && status == KILN_OK; axis++) {
        left += tables[axis] != NULL;
    }
    for (uint32_t axis = 0; axis < x->rank && status == KILN_OK; axis++) {
        if (tables[axis] == NULL) {
            continue;
        }
        left--;
        dims[axis] = p->size[axis];
        uint32_t to = left == 0 ? lower_output(l, n, 0)
                                : lower_temporary(l, KILN_F32, x->rank, dims, y->layout);
        status = resample(l, n, p, tables[axis], axis, from, to);
        from = to;
    }
    return status;
}

static kiln_status lower_resize(lowering *l, node *n) {
    tensor *x = n->inputs[0];
    resize_parameters p;
    kiln_resize_mode mode;
    kiln_status status = resize_read(lower_graph(l), n, &p);
    bool any = false;
    for (uint32_t axis = 0; axis < x->rank && status == KILN_OK; axis++) {
        any = any || resize_changes(&p, x, axis);
    }
    if (status != KILN_OK || !any) {
        return status != KILN_OK ? status : lower_alias(l, n, n->outputs[0], x);
    }
    if (p.kind == RESIZE_NEAREST) {
        return lower_nearest(l, n, &p);
    }
    if (fits_bilinear(&p, x, &mode)) {
        kiln_resize_bilinear_params params = {.mode = mode};
        uint32_t from = lower_input(l, n, 0), to = lower_output(l, n, 0);
        return lower_step(l, n, KILN_KERNEL_RESIZE_BILINEAR, &params, sizeof params, 1, &from, 1,
                          &to);
    }
    return lower_separable(l, n, &p);
}

const op ops_resize[] = {
    {"Resize", 10, OP_INPUTS(1, 4), OP_OUTPUTS(1, 1), .constant_inputs = 14,
     .layout = OP_CHANNELS_LAST, .infer = infer_resize, .evaluate = evaluate_resize,
     .lower = lower_resize},
    {"Upsample", 7, OP_INPUTS(1, 2), OP_OUTPUTS(1, 1), .constant_inputs = 2,
     .layout = OP_CHANNELS_LAST, .infer = infer_resize, .evaluate = evaluate_resize,
     .lower = lower_resize},
    {.name = NULL},
};
