/* ROI_ALIGN (He et al. 2017): regions that a run computes, each brought to one size. */
#include "runtime/kernels/kernel.h"

#include <math.h>
#include <string.h>

/* What is known of a region along one axis. */
typedef struct region_axis {
    float start, bin; /* where it begins in x, and how long the bin of an output pixel is */
    size_t samples;   /* samples in a bin */
    size_t size;      /* x's size */
} region_axis;

/* A sample along one axis: between two pixels. */
typedef struct between {
    size_t low, high;
    float to_high; /* the weight of `high` */
    bool inside;
} between;

static const char *check(const kernel_call *call) {
    const kiln_roi_align_params *p = call->params;
    const size_t *r = call->inputs[1].dims, *y = call->outputs[0].dims;
    if (p->mode > KILN_ROI_MAX || p->half_pixel > 1 || p->sampling_ratio > KILN_ROI_SAMPLES ||
        !isfinite(p->spatial_scale)) {
        return "parameters out of range";
    }
    return r[1] == 4 && r[0] == y[0] && call->inputs[2].dims[0] == y[0] &&
                   call->inputs[0].inner == y[3]
               ? NULL
               : "the operands do not fit";
}

/* Every pixel is sampled of regions up to four times as long as the image; longer ones take no
 * more samples than that. */
static region_axis region_of(const kiln_roi_align_params *p, float from, float to, size_t bins,
                             size_t size) {
    float offset = p->half_pixel != 0 ? 0.5f : 0.0f;
    region_axis a = {.start = from * p->spatial_scale - offset, .size = size};
    float extent = to * p->spatial_scale - offset - a.start;
    if (p->half_pixel == 0) {
        extent = extent > 1.0f ? extent : 1.0f;
    }
    a.bin = extent / (float)bins;
    float wanted = ceilf(a.bin), most = ceilf(4.0f * (float)(size + 2) / (float)bins);
    wanted = wanted > 0.0f ? wanted : 0.0f;
    a.samples = p->sampling_ratio > 0 ? p->sampling_ratio : (size_t)(wanted < most ? wanted : most);
    return a;
}

static between sample_of(const region_axis *a, size_t bin, size_t k) {
    float at = a->start + (float)bin * a->bin + ((float)k + 0.5f) * a->bin / (float)a->samples;
    between b = {.inside = at >= -1.0f && at <= (float)a->size};
    if (!b.inside) {
        return b;
    }
    at = at > 0.0f ? at : 0.0f;
    b.low = (size_t)at;
    if (b.low >= a->size - 1) {
        b.low = b.high = a->size - 1;
        return b;
    }
    b.high = b.low + 1;
    b.to_high = at - (float)b.low;
    return b;
}

/* Adds a sample to an output pixel, or keeps the largest of its four weighted terms. */
static void take_sample(const kernel_call *call, const float *x, const between *row,
                        const between *column, float *y) {
    const kiln_roi_align_params *p = call->params;
    size_t channels = call->inputs[0].dims[3], width = call->inputs[0].dims[2];
    const size_t at[4] = {row->low * width + column->low, row->low * width + column->high,
                          row->high * width + column->low, row->high * width + column->high};
    const float down = row->to_high, across = column->to_high;
    const float weights[4] = {(1.0f - down) * (1.0f - across), (1.0f - down) * across,
                              down * (1.0f - across), down * across};
    bool inside = row->inside && column->inside;
    for (uint32_t k = 0; k < 4; k++) {
        const float *from = x + at[k] * channels;
        float weight = inside ? weights[k] : 0.0f;
        for (size_t c = 0; c < channels; c++) {
            float term = inside ? weight * from[c] : 0.0f;
            y[c] = p->mode == KILN_ROI_AVERAGE ? y[c] + term : y[c] > term ? y[c] : term;
        }
    }
}

static void fill(float *y, size_t count, float value) {
    for (size_t c = 0; c < count; c++) {
        y[c] = value;
    }
}

static void align_pixel(const kernel_call *call, const float *x, const region_axis *rows,
                        const region_axis *columns, size_t pixel, float *y) {
    const kiln_roi_align_params *p = call->params;
    size_t channels = call->outputs[0].dims[3], width = call->outputs[0].dims[2];
    size_t samples = rows->samples * columns->samples;
    fill(y, channels, p->mode == KILN_ROI_MAX && samples > 0 ? -INFINITY : 0.0f);
    for (size_t k = 0; k < samples; k++) {
        between row = sample_of(rows, pixel / width, k / columns->samples);
        between column = sample_of(columns, pixel % width, k % columns->samples);
        take_sample(call, x, &row, &column, y);
    }
    for (size_t c = 0; c < channels && p->mode == KILN_ROI_AVERAGE && samples > 0; c++) {
        y[c] /= (float)samples;
    }
}

/* Computes the output pixels [begin, end), counted through all regions. */
static void align_pixels(void *context, size_t begin, size_t end) {
    const kernel_call *call = context;
    const operand *x = &call->inputs[0], *y = &call->outputs[0];
    size_t pixels = y->dims[1] * y->dims[2], channels = y->dims[3];
    size_t image = x->dims[1] * x->dims[2] * channels;
    for (size_t k = begin; k < end; k++) {
        size_t region = k / pixels;
        const float *corners = (const float *)call->inputs[1].data + region * 4;
        int64_t sample = ((const int64_t *)call->inputs[2].data)[region];
        float *to = (float *)y->data + k * channels;
        if (sample < 0 || sample >= (int64_t)x->dims[0]) {
            fill(to, channels, 0.0f);
            continue;
        }
        const kiln_roi_align_params *p = call->params;
        region_axis rows = region_of(p, corners[1], corners[3], y->dims[1], x->dims[1]);
        region_axis columns = region_of(p, corners[0], corners[2], y->dims[2], x->dims[2]);
        align_pixel(call, (const float *)x->data + (size_t)sample * image, &rows, &columns,
                    k % pixels, to);
    }
}

static kiln_status run(kernel_call *call, kiln_error *error) {
    (void)error;
    const operand *y = &call->outputs[0];
    kernel_parallel(call, y->dims[0] * y->dims[1] * y->dims[2], 1 + 256 / y->dims[3], call,
                    align_pixels);
    return KILN_OK;
}

const kernel kernel_roi_align = {
    KERNEL("roi_align", kiln_roi_align_params, NULL,
           KERNEL_INPUTS(3, 3, IS_F32 | IS_IMAGE | IS_UNBATCHED | HAS_RANK(4),
                         IS_F32 | IS_UNBATCHED | HAS_RANK(2), IS_I64 | IS_UNBATCHED | HAS_RANK(1)),
           KERNEL_OUTPUTS(1, 1, IS_F32 | IS_IMAGE | IS_UNBATCHED | HAS_RANK(4))),
    .check = check,
    .run = run,
};
