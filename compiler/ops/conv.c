/* Conv and ConvTranspose over one to three spatial dims. */
#include "compiler/ops/product.h"
#include "compiler/ops/support.h"

#include <stdlib.h>
#include <string.h>

static int64_t groups_of(const node *n) {
    return node_int(n, "group", 1);
}

static tensor *bias_of(const node *n) {
    return n->input_count > 2 ? n->inputs[2] : NULL;
}

/* ---- Inference ----------------------------------------------------------------------------- */

static kiln_status check_operands(graph *g, node *n, bool transposed, int64_t *out_channels) {
    kiln_status status = KILN_OK;
    for (size_t k = 0; k < n->input_count && status == KILN_OK; k++) {
        status = require_dtype(g, n, k, MASK_F32);
    }
    if (status != KILN_OK) {
        return status;
    }
    const tensor *x = n->inputs[0], *w = n->inputs[1];
    int64_t groups = groups_of(n);
    if (w == NULL || x->rank < 3 || x->rank != w->rank || groups < 1 || x->dims[1] % groups != 0 ||
        w->dims[0] % groups != 0) {
        return node_fail(g, n, KILN_ERROR_UNSUPPORTED,
                         "an input of rank %u with a weight of rank %u and %lld groups; supported: "
                         "equal ranks of 3 to 5, channels divisible by the groups",
                         x->rank, w == NULL ? 0 : w->rank, (long long)groups);
    }
    int64_t wanted = transposed ? w->dims[0] : w->dims[1] * groups;
    if (x->dims[1] != wanted) {
        return node_fail(g, n, KILN_ERROR_FORMAT, "%lld input channels where the weight has %lld",
                         (long long)x->dims[1], (long long)wanted);
    }
    *out_channels = transposed ? w->dims[1] * groups : w->dims[0];
    const tensor *bias = bias_of(n);
    if (bias != NULL && (bias->rank != 1 || bias->dims[0] != *out_channels)) {
        return node_fail(g, n, KILN_ERROR_FORMAT, "the bias has not one value an output channel");
    }
    return KILN_OK;
}

static kiln_status infer(graph *g, node *n, bool transposed) {
    const tensor *x = n->inputs[0], *w = n->inputs[1];
    int64_t channels = 0, dims[KILN_MAX_RANK];
    window win;
    kiln_status status = check_operands(g, n, transposed, &channels);
    if (status == KILN_OK) {
        status = window_of_node(g, n, w->dims + 2, transposed, &win);
    }
    if (status != KILN_OK) {
        return status;
    }
    dims[0] = x->dims[0];
    dims[1] = channels;
    memcpy(dims + 2, win.output, win.spatial * sizeof *dims);
    n->outputs[0]->dtype = KILN_F32;
    return tensor_set_shape(g, n, n->outputs[0], x->rank, dims);
}

static kiln_status infer_conv(graph *g, node *n) {
    return infer(g, n, false);
}

static kiln_status infer_transposed(graph *g, node *n) {
    return infer(g, n, true);
}

/* ---- Evaluation ---------------------------------------------------------------------------- */

/* One group of one sample as a product: the weights times, for each output pixel, a column of the
 * inputs that the weights' taps meet there, in all of the group's channels. */
typedef struct conv_work {
    const window *v; /* of three spatial dims */
    bool transposed;
    const float *x;
    const float *bias; /* NULL: none */
    float *y;
    int64_t pixels; /* of the output */
} conv_work;

/* Position, along dim s, of the input that a tap meets at an output; -1: none, or padding. */
static int64_t met_input(const conv_work *work, int s, int64_t output, int64_t tap) {
    const window *v = work->v;
    int64_t at = work->transposed ? output + v->pad_begin[s] - tap * v->dilation[s]
                                  : output * v->stride[s] - v->pad_begin[s] + tap * v->dilation[s];
    if (work->transposed) {
        at = at >= 0 && at % v->stride[s] == 0 ? at / v->stride[s] : -1;
    }
    return at >= 0 && at < v->input[s] ? at : -1;
}

/* What one tap meets at some pixels of an output row. plane: of one channel. */
static void get_row(const conv_work *work, const float *plane, const int64_t tap[3],
                    const int64_t o[3], int64_t count, double *out) {
    const window *v = work->v;
    int64_t d = met_input(work, 0, o[0], tap[0]), h = met_input(work, 1, o[1], tap[1]);
    memset(out, 0, (size_t)count * sizeof *out);
    if (d < 0 || h < 0) {
        return;
    }
    const float *row = plane + (d * v->input[1] + h) * v->input[2];
    if (work->transposed) {
        for (int64_t j = 0; j < count; j++) {
            int64_t at = met_input(work, 2, o[2] + j, tap[2]);
            out[j] = at >= 0 ? (double)row[at] : 0;
        }
        return;
    }
    int64_t first = o[2] * v->stride[2] - v->pad_begin[2] + tap[2] * v->dilation[2], begin, end;
    window_inside(first, v->stride[2], count, v->input[2], &begin, &end);
    for (int64_t j = begin; j < end; j++) {
        out[j] = (double)row[first + j * v->stride[2]];
    }
}

static void get_pixels(const void *context, int64_t k_begin, int64_t k_end, int64_t j_begin,
                       int64_t j_end, double *out) {
    const conv_work *work = context;
    const window *v = work->v;
    int64_t volume = v->input[0] * v->input[1] * v->input[2];
    int64_t taps = v->kernel[0] * v->kernel[1] * v->kernel[2];
    for (int64_t j = j_begin, count; j < j_end; j += count) {
        int64_t o[3] = {j / (v->output[1] * v->output[2]), j / v->output[2] % v->output[1],
                        j % v->output[2]};
        count = v->output[2] - o[2] < j_end - j ? v->output[2] - o[2] : j_end - j;
        for (int64_t k = k_begin; k < k_end; k++) {
            int64_t t = k % taps;
            int64_t tap[3] = {t / (v->kernel[1] * v->kernel[2]), t / v->kernel[2] % v->kernel[1],
                              t % v->kernel[2]};
            get_row(work, work->x + k / taps * volume, tap, o, count,
                    out + (k - k_begin) * PRODUCT_COLUMNS + j - j_begin);
        }
    }
}

static void put_pixels(const void *context, int64_t channel, int64_t j_begin, int64_t j_end,
                       const double *sums) {
    const conv_work *work = context;
    double bias = work->bias != NULL ? (double)work->bias[channel] : 0;
    for (int64_t j = j_begin; j < j_end; j++) {
        work->y[channel * work->pixels + j] = (float)(sums[j - j_begin] + bias);
    }
}

/* [C][O/g][taps] as [O][C/g][taps]; to be freed. */
static float *transpose_weights(tensor *w, int64_t groups, int64_t taps) {
    int64_t channels = w->dims[0] / groups, each = w->dims[1];
    float *swapped = malloc((size_t)tensor_elements(w) * sizeof *swapped + 1);
    for (int64_t k = 0; swapped != NULL && k < groups * each * channels; k++) {
        int64_t o = k / channels, c = o / each * channels + k % channels;
        memcpy(swapped + k * taps, tensor_f32(w) + (c * each + o % each) * taps,
               (size_t)taps * sizeof *swapped);
    }
    return swapped;
}

static kiln_status evaluate(graph *g, node *n, bool transposed) {
    tensor *x = n->inputs[0], *w = n->inputs[1], *y = n->outputs[0], *bias = bias_of(n);
    window win;
    kiln_status status = window_of_node(g, n, w->dims + 2, transposed, &win);
    if (status != KILN_OK) {
        return status;
    }
    window v = window_volume(&win);
    int64_t groups = groups_of(n), channels = x->dims[1] / groups, each = y->dims[1] / groups;
    int64_t volume = v.input[0] * v.input[1] * v.input[2];
    int64_t taps = v.kernel[0] * v.kernel[1] * v.kernel[2];
    float *swapped = transposed ? transpose_weights(w, groups, taps) : NULL;
    if (transposed && swapped == NULL) {
        return KILN_ERROR_MEMORY;
    }
    product p = {.a_row = channels * taps,
                 .a_step = 1,
                 .rows = each,
                 .depth = channels * taps,
                 .columns = v.output[0] * v.output[1] * v.output[2],
                 .get = get_pixels,
                 .put = put_pixels};
    for (int64_t k = 0; k < x->dims[0] * groups; k++) { /* samples, and groups within */
        int64_t first = k % groups * each;              /* output channel */
        conv_work work = {.v = &v,
                          .transposed = transposed,
                          .x = tensor_f32(x) + k * channels * volume,
                          .bias = bias != NULL ? tensor_f32(bias) + first : NULL,
                          .y = (float *)y->owned + k * each * p.columns,
                          .pixels = p.columns};
        p.a = (transposed ? swapped : tensor_f32(w)) + first * p.depth;
        p.context = &work;
        product_compute(g, &p);
    }
    free(swapped);
    return KILN_OK;
}

static kiln_status evaluate_conv(graph *g, node *n) {
    return evaluate(g, n, false);
}

static kiln_status evaluate_transposed(graph *g, node *n) {
    return evaluate(g, n, true);
}

/* ---- Lowering ------------------------------------------------------------------------------ */

/* ONNX [O][C/g][kernel...] as [O][kernel...][C/g]; one spatial dim gets a height of 1. */
static uint32_t lower_weight(lowering *l, tensor *w, bool line) {
    int64_t dense[KILN_MAX_RANK], dims[KILN_MAX_RANK], strides[KILN_MAX_RANK];
    uint32_t rank = 0;
    dense_strides(w->rank, w->dims, dense);
    dims[rank] = w->dims[0];
    strides[rank++] = dense[0];
    if (line) {
        dims[rank] = 1;
        strides[rank++] = 1;
    }
    for (uint32_t k = 2; k < w->rank; k++) {
        dims[rank] = w->dims[k];
        strides[rank++] = dense[k];
    }
    dims[rank] = w->dims[1];
    strides[rank++] = dense[1];
    return lower_constant_view(l, w, rank, dims, strides);
}

/* ONNX [C][O/g][kernel...] as [g * O/g][kernel...][C/g]. Groups split the first dim, which a view
 * with as many dims cannot say: the constant has one more, reshaped away. */
static uint32_t lower_transposed_weight(lowering *l, const node *n, tensor *w, bool line) {
    int64_t dense[KILN_MAX_RANK], dims[KILN_MAX_RANK], strides[KILN_MAX_RANK];
    int64_t groups = groups_of(n), depth = w->dims[0] / groups;
    uint32_t rank = 0;
    dense_strides(w->rank, w->dims, dense);
    dims[rank] = groups;
    strides[rank++] = depth * dense[0];
    for (uint32_t k = 1; k < w->rank; k++) {
        dims[rank] = w->dims[k];
        strides[rank++] = dense[k];
        if (line && k == 1) {
            dims[rank] = strides[rank] = 1;
            rank++;
        }
    }
    dims[rank] = depth;
    strides[rank++] = dense[0];
    uint32_t view = lower_constant_view(l, w, rank, dims, strides);
    dims[1] *= groups;
    return view == KILN_PLAN_NONE ? view : lower_reshaped(l, view, rank - 1, dims + 1);
}

static kiln_status lower_2d(lowering *l, node *n, const window *win, bool transposed) {
    bool line = win->spatial == 1;
    uint32_t h = 0, w = line ? 0 : 1;
    kiln_conv_params params = {.groups = (uint32_t)groups_of(n), .min = n->min, .max = n->max};
    params.stride_height = line ? 1 : (uint32_t)win->stride[h];
    params.stride_width = (uint32_t)win->stride[w];
    params.dilation_height = line ? 1 : (uint32_t)win->dilation[h];
    params.dilation_width = (uint32_t)win->dilation[w];
    params.padding_top = line ? 0 : (uint32_t)win->pad_begin[h];
    params.padding_bottom = line ? 0 : (uint32_t)win->pad_end[h];
    params.padding_left = (uint32_t)win->pad_begin[w];
    params.padding_right = (uint32_t)win->pad_end[w];
    params.adjustment_height = line ? 0 : (uint32_t)win->output_padding[h];
    params.adjustment_width = (uint32_t)win->output_padding[w];
    uint32_t inputs[3] = {lower_input(l, n, 0),
                          transposed ? lower_transposed_weight(l, n, n->inputs[1], line)
                                     : lower_weight(l, n->inputs[1], line),
                          lower_tensor(l, bias_of(n))};
    uint32_t y = lower_output(l, n, 0);
    kiln_status status = lower_step(l, n, transposed ? KILN_KERNEL_DECONV_2D : KILN_KERNEL_CONV_2D,
                                    &params, sizeof params, 3, inputs, 1, &y);
    if (node_int(n, "exact", 0) != 0 || n->inputs[1]->quantized != NULL) {
        lower_flag_step(l, KILN_STEP_EXACT);
    }
    return status;
}

static kiln_status lower_nd(lowering *l, node *n, const window *win, bool transposed) {
    kiln_conv_nd_params params = {
        .groups = (uint32_t)groups_of(n), .transposed = transposed, .min = n->min, .max = n->max};
    for (uint32_t s = 0; s < win->spatial; s++) {
        params.stride[s] = (uint32_t)win->stride[s];
        params.dilation[s] = (uint32_t)win->dilation[s];
        params.padding_begin[s] = (uint32_t)win->pad_begin[s];
        params.padding_end[s] = (uint32_t)win->pad_end[s];
    }
    uint32_t inputs[3] = {lower_input(l, n, 0),
                          transposed ? lower_transposed_weight(l, n, n->inputs[1], false)
                                     : lower_weight(l, n->inputs[1], false),
                          lower_tensor(l, bias_of(n))};
    uint32_t y = lower_output(l, n, 0);
    return lower_step(l, n, KILN_KERNEL_CONV_ND, &params, sizeof params, 3, inputs, 1, &y);
}

static kiln_status lower_conv(lowering *l, node *n) {
    window win;
    kiln_status status = window_of_node(lower_graph(l), n, n->inputs[1]->dims + 2, false, &win);
    if (status != KILN_OK) {
        return status;
    }
    return win.spatial <= 2 ? lower_2d(l, n, &win, false) : lower_nd(l, n, &win, false);
}

/* Can DECONV_2D do it? */
static bool fits_deconv(const window *win) {
    bool fits = win->spatial <= 2;
    for (uint32_t s = 0; s < win->spatial; s++) {
        fits = fits && win->output_padding[s] < win->stride[s] && win->output[s] >= win->stride[s];
    }
    return fits;
}

static kiln_status lower_transposed(lowering *l, node *n) {
    window win;
    kiln_status status = window_of_node(lower_graph(l), n, n->inputs[1]->dims + 2, true, &win);
    if (status != KILN_OK) {
        return status;
    }
    return fits_deconv(&win) ? lower_2d(l, n, &win, true) : lower_nd(l, n, &win, true);
}

/* Multiplications; each output (transposed: input) meets a filter of all it reads (gives). */
static double work_of_conv(const node *n) {
    const tensor *w = n->inputs[1];
    return (double)tensor_elements(n->outputs[0]) * (double)tensor_elements(w) /
           (double)(w->dims[0] > 0 ? w->dims[0] : 1);
}

static double work_of_transposed(const node *n) {
    const tensor *w = n->inputs[1];
    return (double)tensor_elements(n->inputs[0]) * (double)tensor_elements(w) /
           (double)(w->dims[0] > 0 ? w->dims[0] : 1);
}

const op ops_convolution[] = {
    {"Conv", 1, OP_INPUTS(2, 3), OP_OUTPUTS(1, 1), .constant_inputs = 6, .layout = OP_CHANNELS_LAST,
     .flags = OP_CLAMPS, .infer = infer_conv, .evaluate = evaluate_conv, .work = work_of_conv,
     .lower = lower_conv},
    {"ConvTranspose", 1, OP_INPUTS(2, 3), OP_OUTPUTS(1, 1), .constant_inputs = 6,
     .layout = OP_CHANNELS_LAST, .flags = OP_CLAMPS, .infer = infer_transposed,
     .evaluate = evaluate_transposed, .work = work_of_transposed, .lower = lower_transposed},
    {.name = NULL},
};
