/* Resize and Upsample. Every mode is a weighted sum of a few input positions along each axis; they
 * are computed here once, as tables, for evaluation and for the plan. */
#include "compiler/ops/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TAPS 4

typedef enum resize_kind { RESIZE_NEAREST, RESIZE_LINEAR, RESIZE_CUBIC } resize_kind;

typedef struct resize_parameters {
    resize_kind kind;
    const char *coordinates, *nearest;
    double cubic_a, extrapolation;
    bool exclude_outside, crops;
    double scale[KILN_MAX_RANK], start[KILN_MAX_RANK], end[KILN_MAX_RANK];
    int64_t size[KILN_MAX_RANK];
} resize_parameters;

typedef struct resize_tap {
    int64_t index[MAX_TAPS]; /* index[0] = -1: outside, the extrapolation value */
    double weight[MAX_TAPS];
} resize_tap;

/* ---- Parameters ---------------------------------------------------------------------------- */

static tensor *given(const node *n, size_t k) {
    tensor *t = k < n->input_count ? n->inputs[k] : NULL;
    return t != NULL && tensor_elements(t) > 0 ? t : NULL;
}

static kiln_status read_kind(const graph *g, const node *n, resize_parameters *p) {
    static const char *const names[] = {"nearest", "linear", "cubic"};
    const char *mode = node_string(n, "mode", "nearest");
    for (int k = 0; k < 3; k++) {
        if (strcmp(mode, names[k]) == 0) {
            p->kind = (resize_kind)k;
            return KILN_OK;
        }
    }
    return node_fail(g, n, KILN_ERROR_UNSUPPORTED, "mode '%s'; supported: nearest, linear, cubic",
                     mode);
}

static kiln_status read_modes(const graph *g, const node *n, resize_parameters *p) {
    static const char *const known[] = {
        "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel",  "align_corners",
        "asymmetric", "tf_crop_and_resize",   "tf_half_pixel_for_nn"};
    bool old = strcmp(n->op->name, "Upsample") == 0 || g->opset < 11;
    p->coordinates =
        old ? "asymmetric" : node_string(n, "coordinate_transformation_mode", "half_pixel");
    p->nearest = old ? "floor" : node_string(n, "nearest_mode", "round_prefer_floor");
    p->cubic_a = (double)node_float(n, "cubic_coeff_a", -0.75f);
    p->extrapolation = (double)node_float(n, "extrapolation_value", 0.0f);
    p->exclude_outside = node_int(n, "exclude_outside", 0) != 0;
    p->crops = strcmp(p->coordinates, "tf_crop_and_resize") == 0;
    if (node_int(n, "antialias", 0) != 0) {
        return node_fail(g, n, KILN_ERROR_UNSUPPORTED, "antialias=1");
    }
    for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
        if (strcmp(p->coordinates, known[k]) == 0) {
            return read_kind(g, n, p);
        }
    }
    return node_fail(g, n, KILN_ERROR_UNSUPPORTED, "coordinate_transformation_mode '%s'",
                     p->coordinates);
}

/* Opset 18: scales and sizes are for these axes only. */
static kiln_status read_axes(const graph *g, const node *n, uint32_t axes[KILN_MAX_RANK],
                             uint32_t *out_count) {
    int64_t values[KILN_MAX_RANK];
    uint32_t rank = n->inputs[0]->rank;
    int count = node_ints(n, "axes", values, KILN_MAX_RANK);
    *out_count = count < 0 ? rank : (uint32_t)count;
    for (uint32_t k = 0; k < *out_count; k++) {
        kiln_status status = node_axis(g, n, count < 0 ? k : values[k], rank, &axes[k]);
        if (status != KILN_OK) {
            return status;
        }
    }
    return KILN_OK;
}

static kiln_status set_scale(const graph *g, const node *n, resize_parameters *p, uint32_t axis,
                             double scale) {
    int64_t dim = n->inputs[0]->dims[axis];
    if (!(scale > 0 && scale * (double)dim < 1e12)) {
        return node_fail(g, n, KILN_ERROR_FORMAT, "a scale of %g", scale);
    }
    p->scale[axis] = scale;
    p->size[axis] = (int64_t)floor(scale * (double)dim);
    return KILN_OK;
}

/* Sizes, perhaps to be reached by one scale for all axes. */
static kiln_status set_sizes(const graph *g, const node *n, resize_parameters *p,
                             const int64_t *sizes, const uint32_t *axes, uint32_t count) {
    const char *policy = node_string(n, "keep_aspect_ratio_policy", "stretch");
    bool larger = strcmp(policy, "not_smaller") == 0, smaller = strcmp(policy, "not_larger") == 0;
    double common = 0;
    for (uint32_t k = 0; k < count; k++) {
        double scale = (double)sizes[k] / (double)n->inputs[0]->dims[axes[k]];
        bool first = k == 0, better = larger ? scale > common : scale < common;
        common = first || better ? scale : common;
        p->size[axes[k]] = sizes[k];
        p->scale[axes[k]] = scale;
        if (sizes[k] < 1 || sizes[k] > INT32_MAX) {
            return node_fail(g, n, KILN_ERROR_FORMAT, "a size of %lld", (long long)sizes[k]);
        }
    }
    for (uint32_t k = 0; k < count && (larger || smaller); k++) {
        int64_t dim = n->inputs[0]->dims[axes[k]];
        p->scale[axes[k]] = common;
        p->size[axes[k]] = (int64_t)floor(common * (double)dim + 0.5);
    }
    return KILN_OK;
}

static kiln_status read_scales(const graph *g, const node *n, resize_parameters *p,
                               const uint32_t *axes, uint32_t count) {
    bool upsample = strcmp(n->op->name, "Upsample") == 0 || g->opset < 11;
    tensor *scales = given(n, upsample ? 1 : 2), *sizes = upsample ? NULL : given(n, 3);
    const attribute *list = node_attribute(n, "scales");
    int64_t values[KILN_MAX_RANK];
    if (sizes != NULL) {
        return node_input_ints(n, 3, values, KILN_MAX_RANK) == (int)count
                   ? set_sizes(g, n, p, values, axes, count)
                   : node_fail(g, n, KILN_ERROR_FORMAT, "sizes are not %u numbers", count);
    }
    bool from_input = scales != NULL && scales->dtype == KILN_F32 && tensor_is_constant(scales) &&
                      tensor_elements(scales) == count;
    bool from_list =
        scales == NULL && list != NULL && list->type == ATTRIBUTE_FLOATS && list->count == count;
    if (!from_input && !from_list) {
        return node_fail(g, n, KILN_ERROR_UNSUPPORTED, "scales are not %u known numbers", count);
    }
    kiln_status status = KILN_OK;
    for (uint32_t k = 0; k < count && status == KILN_OK; k++) {
        float scale = from_input ? tensor_f32(scales)[k] : list->floats[k];
        status = set_scale(g, n, p, axes[k], (double)scale);
    }
    return status;
}

static kiln_status read_roi(const graph *g, const node *n, resize_parameters *p,
                            const uint32_t *axes, uint32_t count) {
    tensor *roi = given(n, 1);
    if (!p->crops) {
        return KILN_OK;
    }
    if (roi == NULL || roi->dtype != KILN_F32 || tensor_elements(roi) != 2 * (int64_t)count) {
        return node_fail(g, n, KILN_ERROR_FORMAT, "roi is not %u numbers", 2 * count);
    }
    for (uint32_t k = 0; k < count; k++) {
        p->start[axes[k]] = (double)tensor_f32(roi)[k];
        p->end[axes[k]] = (double)tensor_f32(roi)[count + k];
    }
    return KILN_OK;
}

static kiln_status read_resize(const graph *g, const node *n, resize_parameters *p) {
    uint32_t axes[KILN_MAX_RANK], count;
    const tensor *x = n->inputs[0];
    *p = (resize_parameters){.kind = RESIZE_NEAREST};
    for (uint32_t k = 0; k < x->rank; k++) {
        p->size[k] = x->dims[k];
        p->scale[k] = p->end[k] = 1;
    }
    kiln_status status = read_modes(g, n, p);
    if (status == KILN_OK) {
        status = read_axes(g, n, axes, &count);
    }
    if (status == KILN_OK) {
        status = read_scales(g, n, p, axes, count);
    }
    return status == KILN_OK ? read_roi(g, n, p, axes, count) : status;
}

static kiln_status infer_resize(graph *g, node *n) {
    resize_parameters p;
    kiln_status status = require_dtype(g, n, 0, MASK_F32);
    if (status == KILN_OK) {
        status = read_resize(g, n, &p);
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

/* ---- Coordinates (ONNX operator specification, Resize) ------------------------------------- */

static double source_coordinate(const resize_parameters *p, uint32_t axis, int64_t in, double x) {
    int64_t out = p->size[axis];
    double scale = p->scale[axis];
    const char *mode = p->coordinates;
    if (strcmp(mode, "align_corners") == 0) {
        /* The resized length counts the fraction that is cut off. */
        double length = scale * (double)in;
        return out == 1 || length == 1 ? 0 : x * (double)(in - 1) / (length - 1);
    }
    if (strcmp(mode, "asymmetric") == 0) {
        return x / scale;
    }
    if (strcmp(mode, "tf_half_pixel_for_nn") == 0) {
        return (x + 0.5) / scale;
    }
    if (strcmp(mode, "pytorch_half_pixel") == 0) {
        return out > 1 ? (x + 0.5) / scale - 0.5 : 0;
    }
    if (p->crops) {
        double start = p->start[axis], end = p->end[axis], last = (double)(in - 1);
        return out > 1 ? start * last + x * (end - start) * last / (double)(out - 1)
                       : 0.5 * (start + end) * last;
    }
    double half = (x + 0.5) / scale - 0.5;
    if (strcmp(mode, "half_pixel_symmetric") == 0) {
        double adjustment = (double)out / (scale * (double)in);
        return half + (double)in / 2 * (1 - adjustment);
    }
    return half;
}

static int64_t nearest_index(const resize_parameters *p, double x) {
    if (strcmp(p->nearest, "floor") == 0) {
        return (int64_t)floor(x);
    }
    if (strcmp(p->nearest, "ceil") == 0) {
        return (int64_t)ceil(x);
    }
    return (int64_t)(strcmp(p->nearest, "round_prefer_ceil") == 0 ? floor(x + 0.5) : ceil(x - 0.5));
}

static int64_t bounded(int64_t index, int64_t in) {
    return index < 0 ? 0 : index >= in ? in - 1 : index;
}

/* Keys, "Cubic convolution interpolation", 1981. */
static double cubic_weight(double a, double distance) {
    double d = fabs(distance);
    if (d <= 1) {
        return ((a + 2) * d - (a + 3)) * d * d + 1;
    }
    return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

static uint32_t taps_of(resize_kind kind) {
    return kind == RESIZE_NEAREST ? 1 : kind == RESIZE_LINEAR ? 2 : 4;
}

static resize_tap tap_at(const resize_parameters *p, uint32_t axis, int64_t in, int64_t position) {
    resize_tap tap = {.weight = {1}};
    double x = source_coordinate(p, axis, in, (double)position), sum = 0;
    if (p->crops && (x < 0 || x > (double)(in - 1))) {
        tap.index[0] = -1;
        return tap;
    }
    if (p->kind == RESIZE_NEAREST) {
        tap.index[0] = bounded(nearest_index(p, x), in);
        return tap;
    }
    int64_t base = (int64_t)floor(x), first = p->kind == RESIZE_LINEAR ? 0 : -1;
    double part = x - (double)base;
    for (uint32_t t = 0; t < taps_of(p->kind); t++) {
        int64_t index = base + first + t;
        double distance = part - (double)(first + t);
        tap.weight[t] =
            p->kind == RESIZE_LINEAR ? 1 - fabs(distance) : cubic_weight(p->cubic_a, distance);
        if (p->exclude_outside && (index < 0 || index >= in)) {
            tap.weight[t] = 0;
        }
        tap.index[t] = bounded(index, in);
        sum += tap.weight[t];
    }
    for (uint32_t t = 0; t < taps_of(p->kind) && p->exclude_outside; t++) {
        tap.weight[t] /= sum;
    }
    return tap;
}

/* ---- Evaluation ---------------------------------------------------------------------------- */

static bool changes(const resize_parameters *p, const tensor *x, uint32_t axis) {
    return p->crops ? p->start[axis] != 0 || p->end[axis] != 1 || p->size[axis] != x->dims[axis]
                    : p->size[axis] != x->dims[axis] || p->scale[axis] != 1;
}

/* Sum over all combinations of taps of the axes from `axis` on. */
static double interpolate(const resize_parameters *p, tensor *x, const int64_t *strides,
                          const int64_t *index, uint32_t axis, int64_t at, bool *outside) {
    if (axis == x->rank) {
        return (double)tensor_f32(x)[at];
    }
    if (!changes(p, x, axis)) {
        return interpolate(p, x, strides, index, axis + 1, at + index[axis] * strides[axis],
                           outside);
    }
    resize_tap tap = tap_at(p, axis, x->dims[axis], index[axis]);
    double sum = 0;
    if (tap.index[0] < 0) {
        *outside = true;
        return 0;
    }
    for (uint32_t t = 0; t < taps_of(p->kind); t++) {
        sum += tap.weight[t] * interpolate(p, x, strides, index, axis + 1,
                                           at + tap.index[t] * strides[axis], outside);
    }
    return sum;
}

static kiln_status evaluate_resize(graph *g, node *n) {
    tensor *x = n->inputs[0], *y = n->outputs[0];
    resize_parameters p;
    int64_t strides[KILN_MAX_RANK], index[KILN_MAX_RANK];
    kiln_status status = read_resize(g, n, &p);
    dense_strides(x->rank, x->dims, strides);
    for (int64_t k = 0; k < tensor_elements(y) && status == KILN_OK; k++) {
        bool outside = false;
        index_of(y, k, index);
        double value = interpolate(&p, x, strides, index, 0, 0, &outside);
        ((float *)y->owned)[k] = (float)(outside ? p.extrapolation : value);
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
    if (table == NULL) {
        return KILN_ERROR_MEMORY;
    }
    for (uint32_t position = batched ? 1 : 0; position < y->rank; position++) {
        uint32_t axis = logical_axis(y, position);
        for (int64_t k = 0; k < y->dims[axis]; k++) {
            table[at++] = changes(p, x, axis) ? tap_at(p, axis, x->dims[axis], k).index[0] : k;
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
        changes(p, x, 0) || changes(p, x, 1) || p->exclude_outside) {
        return false;
    }
    bool several = true;
    for (uint32_t axis = 2; axis < 4; axis++) {
        double ratio = (double)p->size[axis] / (double)x->dims[axis];
        several = several && p->size[axis] > 1;
        if (fabs(p->scale[axis] - ratio) > 1e-6 * ratio || x->dims[axis] > 1 << 20 ||
            p->size[axis] > 1 << 20) {
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

static kiln_status resample(lowering *l, node *n, const resize_parameters *p, uint32_t axis,
                            uint32_t from, uint32_t to) {
    const tensor *x = n->inputs[0];
    uint32_t taps = taps_of(p->kind);
    int64_t count = p->size[axis], dims[2] = {count, taps};
    int64_t *index = graph_allocate(lower_graph(l), (size_t)(count * taps) * sizeof *index);
    float *weight = graph_allocate(lower_graph(l), (size_t)(count * taps) * sizeof *weight);
    if (index == NULL || weight == NULL) {
        return KILN_ERROR_MEMORY;
    }
    for (int64_t k = 0; k < count; k++) {
        resize_tap tap = tap_at(p, axis, x->dims[axis], k);
        for (uint32_t t = 0; t < taps; t++) {
            index[k * taps + t] = tap.index[t];
            weight[k * taps + t] = (float)tap.weight[t];
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
    uint32_t left = 0, from = lower_input(l, n, 0);
    memcpy(dims, x->dims, sizeof dims);
    for (uint32_t axis = 0; axis < x->rank; axis++) {
        left += changes(p, x, axis);
    }
    for (uint32_t axis = 0; axis < x->rank && left > 0; axis++) {
        if (!changes(p, x, axis)) {
            continue;
        }
        left--;
        dims[axis] = p->size[axis];
        uint32_t to = left == 0 ? lower_output(l, n, 0)
                                : lower_temporary(l, KILN_F32, x->rank, dims, y->layout);
        kiln_status status = resample(l, n, p, axis, from, to);
        if (status != KILN_OK) {
            return status;
        }
        from = to;
    }
    return KILN_OK;
}

static kiln_status lower_resize(lowering *l, node *n) {
    tensor *x = n->inputs[0];
    resize_parameters p;
    kiln_resize_mode mode;
    kiln_status status = read_resize(lower_graph(l), n, &p);
    bool any = false;
    for (uint32_t axis = 0; axis < x->rank && status == KILN_OK; axis++) {
        any = any || changes(&p, x, axis);
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
    {.name = "Resize",
     .min_opset = 10,
     .min_inputs = 1,
     .max_inputs = 4,
     .min_outputs = 1,
     .max_outputs = 1,
     .constant_inputs = 14,
     .layout = OP_CHANNELS_LAST,
     .infer = infer_resize,
     .evaluate = evaluate_resize,
     .lower = lower_resize},
    {.name = "Upsample",
     .min_opset = 7,
     .min_inputs = 1,
     .max_inputs = 2,
     .min_outputs = 1,
     .max_outputs = 1,
     .constant_inputs = 2,
     .layout = OP_CHANNELS_LAST,
     .infer = infer_resize,
     .evaluate = evaluate_resize,
     .lower = lower_resize},
    {.name = NULL},
};
