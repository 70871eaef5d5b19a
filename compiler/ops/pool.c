/* MaxPool, AveragePool, GlobalAveragePool, GlobalMaxPool. */
#include "compiler/graph/parallel.h"
#include "compiler/ops/support.h"

#include <math.h>
#include <string.h>

static bool is_max(const node *n) {
    return strcmp(n->op->name, "MaxPool") == 0 || strcmp(n->op->name, "GlobalMaxPool") == 0;
}

static tensor *indices_of(const node *n) {
    return n->output_count > 1 ? n->outputs[1] : NULL;
}

/* ---- Inference ----------------------------------------------------------------------------- */

static kiln_status infer_pool(graph *g, node *n) {
    const tensor *x = n->inputs[0];
    window w;
    int64_t dims[KILN_MAX_RANK];
    kiln_status status = require_dtype(g, n, 0, MASK_F32);
    if (status == KILN_OK) {
        status = window_of_node(g, n, NULL, false, &w);
    }
    if (status != KILN_OK) {
        return status;
    }
    dims[0] = x->dims[0];
    dims[1] = x->dims[1];
    memcpy(dims + 2, w.output, w.spatial * sizeof *dims);
    for (size_t k = 0; k < n->output_count && status == KILN_OK; k++) {
        if (n->outputs[k] != NULL) {
            n->outputs[k]->dtype = k == 0 ? KILN_F32 : KILN_I64;
            status = tensor_set_shape(g, n, n->outputs[k], x->rank, dims);
        }
    }
    return status;
}

static kiln_status infer_global(graph *g, node *n) {
    const tensor *x = n->inputs[0];
    int64_t dims[KILN_MAX_RANK];
    kiln_status status = require_dtype(g, n, 0, MASK_F32);
    if (status == KILN_OK && x->rank < 3) {
        status = node_fail(g, n, KILN_ERROR_UNSUPPORTED,
                           "an input of rank %u; supported: 3 and more", x->rank);
    }
    for (uint32_t k = 0; k < x->rank; k++) {
        dims[k] = k < 2 ? x->dims[k] : 1;
    }
    n->outputs[0]->dtype = KILN_F32;
    return status == KILN_OK ? tensor_set_shape(g, n, n->outputs[0], x->rank, dims) : status;
}

/* ---- Evaluation ---------------------------------------------------------------------------- */

typedef struct pool_result {
    double value;
    int64_t best[3]; /* position of a maximum */
} pool_result;

/* The part of a window that lies in the image; of three spatial dims. */
typedef struct pool_part {
    int64_t begin[3], end[3]; /* taps */
    int64_t counted;          /* of an average's divisor */
} pool_part;

static pool_part part_inside(const window *v, bool include_pad, const int64_t o[3]) {
    pool_part part = {.counted = 1};
    for (uint32_t s = 0; s < 3; s++) {
        int64_t origin = o[s] * v->stride[s] - v->pad_begin[s], padded;
        window_inside(origin, v->dilation[s], v->kernel[s], v->input[s], &part.begin[s],
                      &part.end[s]);
        window_inside(origin + v->pad_begin[s], v->dilation[s], v->kernel[s],
                      v->pad_begin[s] + v->input[s] + v->pad_end[s], &(int64_t){0}, &padded);
        part.counted *= include_pad ? padded : part.end[s] - part.begin[s];
    }
    return part;
}

static void take_tap(bool max, const window *v, const float *x, const int64_t at[3],
                     pool_result *result) {
    double value = (double)x[(at[0] * v->input[1] + at[1]) * v->input[2] + at[2]];
    if (!max) {
        result->value += value;
    } else if (value > result->value || isnan(value) || result->best[0] < 0) {
        result->value = value;
        memcpy(result->best, at, sizeof result->best);
    }
}

/* One window; v has three spatial dims. */
static pool_result pool_window(const node *n, const window *v, const float *x, const int64_t o[3]) {
    bool max = is_max(n);
    pool_result result = {.value = max ? -INFINITY : 0, .best = {-1, -1, -1}};
    pool_part part = part_inside(v, node_int(n, "count_include_pad", 0) != 0, o);
    int64_t at[3], origin[3];
    for (int s = 0; s < 3; s++) {
        origin[s] = o[s] * v->stride[s] - v->pad_begin[s];
    }
    for (int64_t d = part.begin[0]; d < part.end[0]; d++) {
        at[0] = origin[0] + d * v->dilation[0];
        for (int64_t h = part.begin[1]; h < part.end[1]; h++) {
            at[1] = origin[1] + h * v->dilation[1];
            for (int64_t w = part.begin[2]; w < part.end[2]; w++) {
                at[2] = origin[2] + w * v->dilation[2];
                take_tap(max, v, x, at, &result);
            }
        }
    }
    if (!max) {
        result.value = part.counted > 0 ? result.value / (double)part.counted : 0;
    }
    return result;
}

typedef struct pool_work {
    const node *n;
    const window *v;
    const float *x;
    float *y;
    int64_t *indices; /* NULL: not wanted */
    bool column_major;
} pool_work;

static void pool_pixels(const void *context, int64_t begin, int64_t end) {
    const pool_work *work = context;
    const window *v = work->v;
    int64_t in = v->input[0] * v->input[1] * v->input[2];
    int64_t out = v->output[0] * v->output[1] * v->output[2];
    for (int64_t k = begin; k < end; k++) {
        int64_t plane = k / out, p = k % out;
        int64_t o[3] = {p / (v->output[1] * v->output[2]), p / v->output[2] % v->output[1],
                        p % v->output[2]};
        pool_result r = pool_window(work->n, v, work->x + plane * in, o);
        work->y[k] = (float)r.value;
        if (work->indices != NULL) {
            int64_t row_major = (r.best[0] * v->input[1] + r.best[1]) * v->input[2] + r.best[2];
            int64_t column_major = (r.best[2] * v->input[1] + r.best[1]) * v->input[0] + r.best[0];
            work->indices[k] = plane * in + (work->column_major ? column_major : row_major);
        }
    }
}

static kiln_status evaluate_pool(graph *g, node *n) {
    window w;
    kiln_status status = window_of_node(g, n, NULL, false, &w);
    if (status != KILN_OK) {
        return status;
    }
    window v = window_volume(&w);
    pool_work work = {.n = n,
                      .v = &v,
                      .x = tensor_f32(n->inputs[0]),
                      .y = n->outputs[0]->owned,
                      .indices = indices_of(n) != NULL ? indices_of(n)->owned : NULL,
                      .column_major = node_int(n, "storage_order", 0) != 0};
    int64_t cost = 16; /* the taps inside, but a window may be far larger than the image */
    for (int s = 0; s < 3; s++) {
        cost *= v.kernel[s] < v.input[s] ? v.kernel[s] : v.input[s];
    }
    graph_parallel(g, tensor_elements(n->outputs[0]), cost, pool_pixels, &work);
    return KILN_OK;
}

static kiln_status evaluate_global(graph *g, node *n) {
    (void)g;
    tensor *x = n->inputs[0];
    int64_t planes = x->dims[0] * x->dims[1], pixels = tensor_elements(x) / planes;
    for (int64_t k = 0; k < planes; k++) {
        const float *from = tensor_f32(x) + k * pixels;
        double sum = 0, maximum = -INFINITY;
        for (int64_t p = 0; p < pixels; p++) {
            sum += (double)from[p];
            maximum = (double)from[p] > maximum || isnan(from[p]) ? (double)from[p] : maximum;
        }
        ((float *)n->outputs[0]->owned)[k] = (float)(is_max(n) ? maximum : sum / (double)pixels);
    }
    return KILN_OK;
}

/* ---- Lowering ------------------------------------------------------------------------------ */

static int64_t extent(const window *w, uint32_t s) {
    return (w->kernel[s] - 1) * w->dilation[s] + 1;
}

/* Padding at the end such that the output's size follows from it: ceil_mode may need more than pads
 * say, floor mode less. */
static int64_t exact_end(const window *w, uint32_t s) {
    return (w->output[s] - 1) * w->stride[s] + extent(w, s) - w->input[s] - w->pad_begin[s];
}

/* Can the kernels for images do it? Padding must be smaller than the window; an average's divisor
 * counts no padding. */
static bool fits_2d(const node *n, const window *w) {
    int64_t taps = 1;
    bool fits = w->spatial <= 2 && indices_of(n) == NULL, padded = false;
    for (uint32_t s = 0; s < w->spatial; s++) {
        int64_t end = exact_end(w, s);
        taps *= w->kernel[s];
        padded = padded || w->pad_begin[s] > 0 || end > 0;
        fits = fits && w->pad_begin[s] < extent(w, s) && end < extent(w, s);
        /* A window wholly in the padding has no maximum and no divisor. */
        fits = fits && (w->output[s] - 1) * w->stride[s] < w->input[s] + w->pad_begin[s];
        fits = fits && (is_max(n) || w->dilation[s] == 1);
    }
    bool plain = is_max(n) || !padded || node_int(n, "count_include_pad", 0) == 0;
    return fits && plain && taps > 1;
}

static kiln_status lower_2d(lowering *l, node *n, const window *w) {
    bool line = w->spatial == 1;
    uint32_t x = line ? 0 : 1;
    kiln_pool_params params = {.kernel_height = line ? 1 : (uint32_t)w->kernel[0],
                               .kernel_width = (uint32_t)w->kernel[x],
                               .stride_height = line ? 1 : (uint32_t)w->stride[0],
                               .stride_width = (uint32_t)w->stride[x],
                               .dilation_height = line ? 1 : (uint32_t)w->dilation[0],
                               .dilation_width = (uint32_t)w->dilation[x],
                               .padding_top = line ? 0 : (uint32_t)w->pad_begin[0],
                               .padding_left = (uint32_t)w->pad_begin[x],
                               .min = n->min,
                               .max = n->max};
    int64_t bottom = line ? 0 : exact_end(w, 0), right = exact_end(w, x);
    params.padding_bottom = bottom > 0 ? (uint32_t)bottom : 0;
    params.padding_right = right > 0 ? (uint32_t)right : 0;
    uint32_t from = lower_input(l, n, 0), to = lower_output(l, n, 0);
    return lower_step(l, n, is_max(n) ? KILN_KERNEL_MAX_POOL_2D : KILN_KERNEL_AVERAGE_POOL_2D,
                      &params, sizeof params, 1, &from, 1, &to);
}

static kiln_status lower_nd(lowering *l, node *n, const window *w) {
    kiln_pool_nd_params params = {
        .kind = is_max(n) ? KILN_POOL_MAX : KILN_POOL_AVERAGE,
        .count_include_pad = !is_max(n) && node_int(n, "count_include_pad", 0) != 0,
        .storage_order = is_max(n) && node_int(n, "storage_order", 0) != 0,
        .min = n->min,
        .max = n->max};
    for (uint32_t s = 0; s < w->spatial; s++) {
        params.kernel[s] = (uint32_t)w->kernel[s];
        params.stride[s] = (uint32_t)w->stride[s];
        params.dilation[s] = (uint32_t)w->dilation[s];
        params.padding_begin[s] = (uint32_t)w->pad_begin[s];
        params.padding_end[s] = (uint32_t)w->pad_end[s];
    }
    uint32_t from = lower_input(l, n, 0);
    uint32_t to[2] = {lower_output(l, n, 0), lower_output(l, n, 1)};
    return lower_step(l, n, KILN_KERNEL_POOL_ND, &params, sizeof params, 1, &from,
                      to[1] != KILN_PLAN_NONE ? 2 : 1, to);
}

/* An average that counts padding, with all windows inside it, has one divisor: it is a depthwise
 * convolution of equal weights. */
static bool is_convolution(const node *n, const window *w) {
    bool fits = !is_max(n) && w->spatial == 2 && node_int(n, "count_include_pad", 0) != 0 &&
                n->inputs[0]->rank == 4 && n->inputs[0]->data == NULL;
    for (uint32_t s = 0; s < w->spatial && fits; s++) {
        fits = exact_end(w, s) <= w->pad_end[s] && w->kernel[s] <= 64 && w->pad_begin[s] <= 64;
    }
    return fits;
}

static kiln_status lower_convolution(lowering *l, node *n, const window *w) {
    int64_t channels = n->inputs[0]->dims[1], taps = w->kernel[0] * w->kernel[1];
    int64_t dims[4] = {channels, w->kernel[0], w->kernel[1], 1};
    int64_t bottom = exact_end(w, 0), right = exact_end(w, 1);
    float *weights = graph_allocate(lower_graph(l), (size_t)(channels * taps) * sizeof *weights);
    if (weights == NULL) {
        return KILN_ERROR_MEMORY;
    }
    for (int64_t k = 0; k < channels * taps; k++) {
        weights[k] = 1.0f / (float)taps;
    }
    kiln_conv_params params = {.stride_height = (uint32_t)w->stride[0],
                               .stride_width = (uint32_t)w->stride[1],
                               .dilation_height = (uint32_t)w->dilation[0],
                               .dilation_width = (uint32_t)w->dilation[1],
                               .padding_top = (uint32_t)w->pad_begin[0],
                               .padding_left = (uint32_t)w->pad_begin[1],
                               .padding_bottom = bottom > 0 ? (uint32_t)bottom : 0,
                               .padding_right = right > 0 ? (uint32_t)right : 0,
                               .groups = (uint32_t)channels,
                               .min = n->min,
                               .max = n->max};
    uint32_t to = lower_output(l, n, 0);
    uint32_t inputs[2] = {lower_input(l, n, 0),
                          lower_constant_data(l, NULL, KILN_F32, 4, dims, weights)};
    return lower_step(l, n, KILN_KERNEL_CONV_2D, &params, sizeof params, 2, inputs, 1, &to);
}

static kiln_status lower_pool(lowering *l, node *n) {
    window w;
    kiln_status status = window_of_node(lower_graph(l), n, NULL, false, &w);
    if (status != KILN_OK) {
        return status;
    }
    if (fits_2d(n, &w)) {
        return lower_2d(l, n, &w);
    }
    return is_convolution(n, &w) ? lower_convolution(l, n, &w) : lower_nd(l, n, &w);
}

static kiln_status lower_global(lowering *l, node *n) {
    tensor *x = n->inputs[0];
    uint32_t from = lower_tensor(l, x), to = lower_output(l, n, 0);
    if (!is_max(n)) {
        kiln_global_pool_params params = {n->min, n->max};
        return lower_step(l, n, KILN_KERNEL_GLOBAL_AVERAGE_POOL, &params, sizeof params, 1, &from,
                          1, &to);
    }
    kiln_reduce_params params = {.op = KILN_REDUCE_MAX, .min = n->min, .max = n->max};
    for (uint32_t axis = 2; axis < x->rank; axis++) {
        params.mask |= 1u << physical_axis(x, axis);
    }
    return lower_step(l, n, KILN_KERNEL_REDUCE, &params, sizeof params, 1, &from, 1, &to);
}

/* Taps that lie inside the image. */
static double work_of_pool(const node *n) {
    const tensor *x = n->inputs[0];
    int64_t kernel[KILN_MAX_RANK];
    int spatial = node_ints(n, "kernel_shape", kernel, KILN_MAX_RANK);
    double taps = 1;
    for (int k = 0; k < spatial && k + 2 < (int)x->rank; k++) {
        taps *= (double)(kernel[k] < x->dims[k + 2] ? kernel[k] : x->dims[k + 2]);
    }
    return (double)tensor_elements(n->outputs[0]) * taps;
}

#define ROW(op_name, outputs, suffix)                                                              \
    {                                                                                              \
        .name = op_name, .min_opset = 1, .min_inputs = 1, .max_inputs = 1, .min_outputs = 1,       \
        .max_outputs = outputs, .layout = OP_CHANNELS_LAST, .flags = OP_CLAMPS,                    \
        .infer = infer_##suffix, .evaluate = evaluate_##suffix, .lower = lower_##suffix,           \
        .work = work_of_pool                                                                       \
    }

const op ops_pool[] = {
    ROW("MaxPool", 2, pool),
    ROW("AveragePool", 1, pool),
    ROW("GlobalAveragePool", 1, global),
    ROW("GlobalMaxPool", 1, global),
    {.name = NULL},
};
