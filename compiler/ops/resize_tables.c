/* Sizes and coordinates of Resize and Upsample, computed in f32, operation by operation as ONNX
 * Runtime and PyTorch do: at ties, which scales like 0.6 and 18/14 meet often, another rounding is
 * another pixel. */
#include "compiler/ops/resize.h"

#include <math.h>
#include <string.h>

#define TIE_TOLERANCE 1e-6f /* of coordinates midway between pixels: ONNX Runtime's */

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
    p->nearest = old ? "" : node_string(n, "nearest_mode", "round_prefer_floor");
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
                             float scale) {
    int64_t dim = n->inputs[0]->dims[axis];
    float size = scale * (float)dim;
    if (!(scale > 0 && size < 1e12f)) {
        return node_fail(g, n, KILN_ERROR_FORMAT, "a scale of %g", (double)scale);
    }
    p->scale[axis] = scale;
    p->size[axis] = scale == 1 ? dim : (int64_t)size;
    return KILN_OK;
}

/* Sizes, perhaps to be reached by one scale for all axes. */
static kiln_status set_sizes(const graph *g, const node *n, resize_parameters *p,
                             const int64_t *sizes, const uint32_t *axes, uint32_t count) {
    const char *policy = node_string(n, "keep_aspect_ratio_policy", "stretch");
    bool larger = strcmp(policy, "not_smaller") == 0, smaller = strcmp(policy, "not_larger") == 0;
    float common = 0;
    for (uint32_t k = 0; k < count; k++) {
        float scale = (float)sizes[k] / (float)n->inputs[0]->dims[axes[k]];
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
        p->size[axes[k]] = (int64_t)roundf(common * (float)dim);
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
        status = set_scale(g, n, p, axes[k], scale);
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
        p->start[axes[k]] = tensor_f32(roi)[k];
        p->end[axes[k]] = tensor_f32(roi)[count + k];
    }
    return KILN_OK;
}

kiln_status resize_read(const graph *g, const node *n, resize_parameters *p) {
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

/* ---- Coordinates (ONNX operator specification, Resize) ------------------------------------- */

static float source_coordinate(const resize_parameters *p, uint32_t axis, float in, float x) {
    float out = (float)p->size[axis], scale = p->scale[axis];
    const char *mode = p->coordinates;
    if (strcmp(mode, "align_corners") == 0) {
        return out == 1 ? 0 : x * (in - 1) / (out - 1);
    }
    if (strcmp(mode, "asymmetric") == 0) {
        return x / scale;
    }
    if (strcmp(mode, "tf_half_pixel_for_nn") == 0) {
        return (x + 0.5f) / scale;
    }
    if (strcmp(mode, "pytorch_half_pixel") == 0) {
        return out > 1 ? (x + 0.5f) / scale - 0.5f : 0;
    }
    if (p->crops) {
        float start = p->start[axis], end = p->end[axis], last = in - 1;
        return out > 1 ? start * last + x * (end - start) * last / (out - 1)
                       : 0.5f * (start + end) * last;
    }
    if (strcmp(mode, "half_pixel_symmetric") == 0) {
        float adjustment = out / (scale * in), offset = in / 2 * (1 - adjustment);
        return (float)((double)offset + ((double)x + 0.5) / (double)scale - 0.5);
    }
    return (x + 0.5f) / scale - 0.5f;
}

/* Before opset 11 there were no modes: what lies between pixels is cut off when an image grows,
 * and rounded up when it shrinks. */
static int64_t nearest_index(const resize_parameters *p, uint32_t axis, float x) {
    bool shrinks = *p->nearest == '\0' && p->scale[axis] < 1;
    if (shrinks || strcmp(p->nearest, "ceil") == 0) {
        return (int64_t)ceilf(x);
    }
    if (*p->nearest == '\0' || strcmp(p->nearest, "floor") == 0) {
        return (int64_t)floorf(x);
    }
    bool tie = fabsf(x - floorf(x) - 0.5f) <= TIE_TOLERANCE;
    bool ceils = strcmp(p->nearest, "round_prefer_ceil") == 0;
    return (int64_t)(tie ? (ceils ? ceilf(x) : floorf(x)) : roundf(x));
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

uint32_t resize_taps(resize_kind kind) {
    return kind == RESIZE_NEAREST ? 1 : kind == RESIZE_LINEAR ? 2 : 4;
}

static resize_tap tap_at(const resize_parameters *p, uint32_t axis, int64_t in, int64_t position) {
    resize_tap tap = {.weight = {1}};
    float x = source_coordinate(p, axis, (float)in, (float)position);
    if (p->crops && !(x >= 0 && x <= (float)(in - 1))) {
        tap.index[0] = -1;
        return tap;
    }
    if (p->kind == RESIZE_NEAREST) {
        tap.index[0] = bounded(nearest_index(p, axis, x), in);
        return tap;
    }
    int64_t base = (int64_t)floorf(x), first = p->kind == RESIZE_LINEAR ? 0 : -1;
    double part = (double)x - (double)base, sum = 0;
    for (uint32_t t = 0; t < resize_taps(p->kind); t++) {
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
    for (uint32_t t = 0; t < resize_taps(p->kind) && p->exclude_outside; t++) {
        tap.weight[t] /= sum;
    }
    return tap;
}

/* As in ONNX Runtime, an image that keeps its size stays as it is, whatever the scales are. */
static bool keeps_size(const resize_parameters *p, const tensor *x) {
    for (uint32_t axis = 0; axis < x->rank; axis++) {
        if (p->size[axis] != x->dims[axis]) {
            return false;
        }
    }
    return true;
}

bool resize_changes(const resize_parameters *p, const tensor *x, uint32_t axis) {
    bool crops = p->crops && (p->start[axis] != 0 || p->end[axis] != 1);
    return crops || p->size[axis] != x->dims[axis] || (p->scale[axis] != 1 && !keeps_size(p, x));
}

kiln_status resize_tables(graph *g, const resize_parameters *p, const tensor *x,
                          resize_tap *tables[KILN_MAX_RANK]) {
    for (uint32_t axis = 0; axis < x->rank; axis++) {
        tables[axis] = NULL;
        if (!resize_changes(p, x, axis)) {
            continue;
        }
        tables[axis] = graph_allocate(g, (size_t)p->size[axis] * sizeof **tables);
        if (tables[axis] == NULL) {
            return KILN_ERROR_MEMORY;
        }
        for (int64_t k = 0; k < p->size[axis]; k++) {
            tables[axis][k] = tap_at(p, axis, x->dims[axis], k);
        }
    }
    return KILN_OK;
}
