/* GRID_SAMPLE: pixels at places that a run computes. Each is a weighted sum of 1, 2 x 2 or 4 x 4
 * pixels; coordinates are computed in f32, as elsewhere, so that nearest pixels are the same. */
#include "runtime/kernels/kernel.h"

#include <math.h>
#include <string.h>

enum { MOST_TAPS = 4 };

/* The pixels along one axis that a sample is made of, -1 for one outside, and their weights. */
typedef struct taps {
    uint32_t count;
    int64_t index[MOST_TAPS];
    float weight[MOST_TAPS];
} taps;

static const char *check(const kernel_call *call) {
    const kiln_grid_sample_params *p = call->params;
    const operand *x = &call->inputs[0], *g = &call->inputs[1], *y = &call->outputs[0];
    if (p->mode >= KILN_GRID_MODE_COUNT || p->padding >= KILN_GRID_PADDING_COUNT ||
        p->align_corners > 1) {
        return "parameters out of range";
    }
    return g->dims[3] == 2 && g->dims[1] == y->dims[1] && g->dims[2] == y->dims[2] &&
                   x->inner == y->inner
               ? NULL
               : "the operands do not fit";
}

/* ---- Coordinates --------------------------------------------------------------------------- */

/* Clamps a coordinate to a range in which integers hold it: far outside, everything is alike, and
 * what is no number lies far to the left. */
static float bounded(float x) {
    x = x > -1e9f ? x : -1e9f;
    return x < 1e9f ? x : 1e9f;
}

static float pixel_of(float at, size_t size, bool align) {
    float n = (float)size;
    return bounded(align ? (at + 1.0f) / 2.0f * (n - 1.0f) : ((at + 1.0f) * n - 1.0f) / 2.0f);
}

/* Mirrors a coordinate at the ends until it lies between them. */
static float reflected(float x, float low, float high) {
    float range = high - low, over = x < low ? low - x : x - high;
    if (over <= 0.0f || range <= 0.0f) {
        return range > 0.0f ? x : low;
    }
    int64_t times = (int64_t)(over / range);
    float rest = over - (float)times * range;
    bool from_low = (x < low) == (times % 2 == 0);
    return from_low ? low + rest : high - rest;
}

typedef struct axis_range {
    size_t size;
    float low, high; /* the range of coordinates that lie inside */
} axis_range;

static axis_range range_of(size_t size, bool align) {
    return (axis_range){size, align ? 0.0f : -0.5f,
                        align ? (float)size - 1.0f : (float)size - 0.5f};
}

static int64_t padded_index(int64_t at, const axis_range *r, uint32_t padding) {
    int64_t last = (int64_t)r->size - 1;
    if (padding == KILN_GRID_REFLECTION) {
        at = (int64_t)reflected((float)at, r->low, r->high);
    }
    if (padding == KILN_GRID_ZEROS) {
        return at >= 0 && at <= last ? at : -1;
    }
    return at < 0 ? 0 : at > last ? last : at;
}

/* ---- Weights ------------------------------------------------------------------------------- */

/* The weights of cubic convolution (Keys 1981), with a = -3/4. */
static void cubic_weights(float t, float *out) {
    const float a = -0.75f;
    out[0] = ((a * (t + 1.0f) - 5.0f * a) * (t + 1.0f) + 8.0f * a) * (t + 1.0f) - 4.0f * a;
    out[1] = ((a + 2.0f) * t - (a + 3.0f)) * t * t + 1.0f;
    float u = 1.0f - t;
    out[2] = ((a + 2.0f) * u - (a + 3.0f)) * u * u + 1.0f;
    out[3] = ((a * (u + 1.0f) - 5.0f * a) * (u + 1.0f) + 8.0f * a) * (u + 1.0f) - 4.0f * a;
}

static taps taps_at(float x, const axis_range *r, const kiln_grid_sample_params *p) {
    taps t = {.count = p->mode == KILN_GRID_NEAREST ? 1 : p->mode == KILN_GRID_LINEAR ? 2 : 4};
    float start = floorf(x);
    int64_t first = (int64_t)start - (t.count == 4);
    t.weight[0] = t.count == 1 ? 1.0f : start + 1.0f - x;
    t.weight[1] = x - start;
    if (t.count == 4) {
        cubic_weights(x - start, t.weight);
    }
    for (uint32_t k = 0; k < t.count; k++) {
        t.index[k] = padded_index(first + k, r, p->padding);
    }
    return t;
}

/* ---- All pixels ---------------------------------------------------------------------------- */

static void add_pixel(float *y, const float *x, float weight, size_t channels) {
    for (size_t c = 0; c < channels; c++) {
        y[c] += weight * x[c];
    }
}

/* Computes the rows [begin, end) of y, counted through all samples. */
static void sample_rows(void *context, size_t begin, size_t end) {
    const kernel_call *call = context;
    const kiln_grid_sample_params *p = call->params;
    const operand *x = &call->inputs[0], *y = &call->outputs[0];
    size_t height = y->dims[1], width = y->dims[2], channels = y->dims[3];
    axis_range rows = range_of(x->dims[1], p->align_corners != 0);
    axis_range columns = range_of(x->dims[2], p->align_corners != 0);
    for (size_t pixel = begin * width; pixel < end * width; pixel++) {
        const float *at = (const float *)call->inputs[1].data + pixel * 2;
        float *to = (float *)y->data + pixel * channels;
        const float *sample =
            (const float *)x->data + pixel / (height * width) * rows.size * columns.size * channels;
        float column = pixel_of(at[0], columns.size, p->align_corners != 0);
        float row = pixel_of(at[1], rows.size, p->align_corners != 0);
        if (p->mode == KILN_GRID_NEAREST) {
            column = rintf(column);
            row = rintf(row);
        }
        if (p->padding == KILN_GRID_REFLECTION) {
            column = reflected(column, columns.low, columns.high);
            row = reflected(row, rows.low, rows.high);
        }
        taps across = taps_at(column, &columns, p), down = taps_at(row, &rows, p);
        memset(to, 0, channels * sizeof *to);
        for (uint32_t k = 0; k < down.count * across.count; k++) {
            uint32_t i = k / across.count, j = k % across.count;
            if (down.index[i] >= 0 && across.index[j] >= 0) {
                size_t from = (size_t)down.index[i] * columns.size + (size_t)across.index[j];
                add_pixel(to, sample + from * channels, down.weight[i] * across.weight[j],
                          channels);
            }
        }
    }
}

static kiln_status run(kernel_call *call, kiln_error *error) {
    (void)error;
    const operand *y = &call->outputs[0];
    size_t rows = operand_dim(y, 0, call->run.batch) * y->dims[1];
    kernel_parallel(call, rows, 1 + 1024 / (y->dims[2] * y->dims[3]), call, sample_rows);
    return KILN_OK;
}

const kernel kernel_grid_sample = {
    KERNEL("grid_sample", kiln_grid_sample_params, NULL,
           KERNEL_INPUTS(2, 2, IS_F32 | IS_IMAGE | HAS_RANK(4),
                         IS_F32 | IS_ROW_MAJOR | IS_BATCHED_LIKE_X | HAS_RANK(4)),
           KERNEL_OUTPUTS(1, 1, IS_F32 | IS_IMAGE | IS_BATCHED_LIKE_X | HAS_RANK(4))),
    .check = check,
    .run = run,
};
