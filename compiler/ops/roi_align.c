/* RoiAlign: regions that a run computes, each brought to one size. */
#include "compiler/ops/support.h"

#include <math.h>
#include <string.h>

/* coordinate_transformation_mode is of opset 16; before, coordinates were pixels' middles. */
static kiln_status read_params(const graph *g, const node *n, kiln_roi_align_params *out) {
    const char *mode = node_string(n, "mode", "avg");
    const char *coordinates = node_string(n, "coordinate_transformation_mode", "half_pixel");
    int64_t ratio = node_int(n, "sampling_ratio", 0);
    *out = (kiln_roi_align_params){
        .mode = strcmp(mode, "max") == 0 ? KILN_ROI_MAX : KILN_ROI_AVERAGE,
        .half_pixel = g->opset >= 16 && strcmp(coordinates, "half_pixel") == 0,
        .sampling_ratio = (uint32_t)ratio,
        .spatial_scale = node_float(n, "spatial_scale", 1.0f)};
    if (ratio < 0 || ratio > KILN_ROI_SAMPLES || !isfinite(out->spatial_scale)) {
        return node_fail(g, n, KILN_ERROR_UNSUPPORTED,
                         "sampling_ratio %lld, spatial_scale %g; supported: a ratio of 0 to %u",
                         (long long)ratio, (double)out->spatial_scale, KILN_ROI_SAMPLES);
    }
    return KILN_OK;
}

static kiln_status infer_roi_align(graph *g, node *n) {
    const tensor *x = n->inputs[0], *regions = n->inputs[1], *images = n->inputs[2];
    kiln_roi_align_params params;
    kiln_status status = read_params(g, n, &params);
    for (size_t k = 0; k < 3 && status == KILN_OK; k++) {
        status = require_dtype(g, n, k, k < 2 ? MASK_F32 : 1u << KILN_I64);
        if (status == KILN_OK && n->inputs[k]->rank > 0) {
            status = refuse_batch(g, n, n->inputs[k], 0);
        }
    }
    if (status == KILN_OK && (x->rank != 4 || regions->rank != 2 || regions->dims[1] != 4 ||
                              images->rank != 1 || images->dims[0] != regions->dims[0])) {
        status = node_fail(g, n, KILN_ERROR_FORMAT,
                           "inputs of other shapes than [N, C, H, W], "
                           "[regions, 4] and [regions]");
    }
    if (status != KILN_OK) {
        return status;
    }
    int64_t dims[4] = {regions->dims[0], x->dims[1], node_int(n, "output_height", 1),
                       node_int(n, "output_width", 1)};
    n->outputs[0]->dtype = KILN_F32;
    return tensor_set_shape(g, n, n->outputs[0], 4, dims);
}

/* ---- Evaluation ---------------------------------------------------------------------------- */

/* A region along one axis. */
typedef struct extent {
    float start, bin;
    int64_t samples, size;
} extent;

static extent extent_of(const kiln_roi_align_params *p, float from, float to, int64_t bins,
                        int64_t size) {
    float offset = p->half_pixel != 0 ? 0.5f : 0;
    extent e = {.start = from * p->spatial_scale - offset, .size = size};
    float length = to * p->spatial_scale - offset - e.start;
    length = p->half_pixel == 0 && length < 1 ? 1 : length;
    e.bin = length / (float)bins;
    float wanted = ceilf(e.bin);
    e.samples = p->sampling_ratio;
    if (p->sampling_ratio == 0) { /* see plan_format.h */
        float most = ceilf(4 * (float)(size + 2) / (float)bins);
        e.samples = !(wanted > 0) ? 0 : (int64_t)(wanted > most ? most : wanted);
    }
    return e;
}

/* Sample k of a bin: the pixel before it, and how far it is from that; -1: outside. */
static int64_t sample_at(const extent *e, int64_t bin, int64_t k, double *out_past) {
    float at = e->start + (float)bin * e->bin + ((float)k + 0.5f) * e->bin / (float)e->samples;
    if (!(at >= -1 && at <= (float)e->size)) {
        return -1;
    }
    at = at > 0 ? at : 0;
    int64_t low = (int64_t)at;
    *out_past = low < e->size - 1 ? (double)at - (double)low : 0;
    return low < e->size - 1 ? low : e->size - 1;
}

static double bin_of(const float *x, const kiln_roi_align_params *p, const extent *rows,
                     const extent *columns, int64_t row_bin, int64_t column_bin) {
    int64_t count = rows->samples * columns->samples;
    double sum = 0, most = count > 0 ? -INFINITY : 0;
    for (int64_t k = 0; k < count; k++) {
        double down = 0, across = 0;
        int64_t row = sample_at(rows, row_bin, k / columns->samples, &down);
        int64_t column = sample_at(columns, column_bin, k % columns->samples, &across);
        for (int64_t corner = 0; corner < 4; corner++) {
            int64_t i = row + corner / 2, j = column + corner % 2;
            double weight =
                (corner / 2 == 1 ? down : 1 - down) * (corner % 2 == 1 ? across : 1 - across);
            i = i < rows->size ? i : rows->size - 1;
            j = j < columns->size ? j : columns->size - 1;
            double term = row < 0 || column < 0 ? 0 : weight * (double)x[i * columns->size + j];
            sum += term;
            most = term > most ? term : most;
        }
    }
    return p->mode == KILN_ROI_MAX ? most : count > 0 ? sum / (double)count : 0;
}

static kiln_status evaluate_roi_align(graph *g, node *n) {
    const tensor *x = n->inputs[0], *y = n->outputs[0];
    int64_t channels = x->dims[1], height = y->dims[2], width = y->dims[3];
    kiln_roi_align_params params;
    kiln_status status = read_params(g, n, &params);
    for (int64_t k = 0; status == KILN_OK && k < y->dims[0] * channels; k++) {
        const float *corners = tensor_f32(n->inputs[1]) + k / channels * 4;
        int64_t image = tensor_i64(n->inputs[2])[k / channels];
        if (image < 0 || image >= x->dims[0]) {
            return node_fail(g, n, KILN_ERROR_FORMAT, "image %lld of %lld", (long long)image,
                             (long long)x->dims[0]);
        }
        extent rows = extent_of(&params, corners[1], corners[3], height, x->dims[2]);
        extent columns = extent_of(&params, corners[0], corners[2], width, x->dims[3]);
        const float *plane =
            tensor_f32(x) + (image * channels + k % channels) * x->dims[2] * x->dims[3];
        for (int64_t bin = 0; bin < height * width; bin++) {
            ((float *)y->owned)[k * height * width + bin] =
                (float)bin_of(plane, &params, &rows, &columns, bin / width, bin % width);
        }
    }
    return status;
}

/* Four terms a sample. */
static double work_of_roi_align(const node *n) {
    const tensor *x = n->inputs[0], *y = n->outputs[0];
    double ratio = (double)node_int(n, "sampling_ratio", 0), samples = ratio * ratio;
    if (ratio == 0) {
        samples = (4 * (double)(x->dims[2] + 2) / (double)y->dims[2] + 1) *
                  (4 * (double)(x->dims[3] + 2) / (double)y->dims[3] + 1);
    }
    return 4 * samples * (double)tensor_elements(y);
}

static kiln_status lower_roi_align(lowering *l, node *n) {
    kiln_roi_align_params params;
    kiln_status status = read_params(lower_graph(l), n, &params);
    uint32_t inputs[3] = {lower_input(l, n, 0), lower_input(l, n, 1), lower_input(l, n, 2)};
    uint32_t y = lower_output(l, n, 0);
    return status == KILN_OK
               ? lower_step(l, n, KILN_KERNEL_ROI_ALIGN, &params, sizeof params, 3, inputs, 1, &y)
               : status;
}

const op ops_roi_align[] = {
    {"RoiAlign", 10, OP_INPUTS(3, 3), OP_OUTPUTS(1, 1), .layout = OP_CHANNELS_LAST,
     .infer = infer_roi_align, .evaluate = evaluate_roi_align, .work = work_of_roi_align,
     .lower = lower_roi_align},
    {.name = NULL},
};
