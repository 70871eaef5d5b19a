/* Conv and ConvTranspose over one to three spatial dims. */
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

/* One kernel element's contribution to a row of the output: acc[o] += w * x[o * stride + offset].
 */
static void add_row(double *acc, const float *x, double w, int64_t stride, int64_t offset,
                    int64_t begin, int64_t end) {
    if (stride == 1) {
        for (int64_t o = begin; o < end; o++) {
            acc[o] += w * (double)x[o + offset];
        }
    } else {
        for (int64_t o = begin; o < end; o++) {
            acc[o] += w * (double)x[o * stride + offset];
        }
    }
}

/* All input channels of one group, all kernel elements: one output row. */
static void conv_row(const window *v, const float *x, const float *w, int64_t channels, int64_t d,
                     int64_t h, double *acc) {
    int64_t plane = v->input[1] * v->input[2], volume = v->input[0] * plane;
    int64_t top = h * v->stride[1] - v->pad_begin[1], front = d * v->stride[0] - v->pad_begin[0];
    int64_t d_begin, d_end, h_begin, h_end, w_begin, w_end, begin, end;
    int64_t reach = (v->output[2] - 1) * v->stride[2]; /* from the first window to the last */
    window_inside(front, v->dilation[0], v->kernel[0], v->input[0], &d_begin, &d_end);
    window_inside(top, v->dilation[1], v->kernel[1], v->input[1], &h_begin, &h_end);
    window_inside(reach - v->pad_begin[2], v->dilation[2], v->kernel[2], v->input[2] + reach,
                  &w_begin, &w_end);
    for (int64_t c = 0; c < channels; c++) {
        for (int64_t kd = d_begin; kd < d_end; kd++) {
            const float *slice = x + c * volume + (front + kd * v->dilation[0]) * plane;
            for (int64_t kh = h_begin; kh < h_end; kh++) {
                const float *row = slice + (top + kh * v->dilation[1]) * v->input[2];
                const float *taps =
                    w + ((c * v->kernel[0] + kd) * v->kernel[1] + kh) * v->kernel[2];
                for (int64_t kw = w_begin; kw < w_end; kw++) {
                    int64_t offset = kw * v->dilation[2] - v->pad_begin[2];
                    window_inside(offset, v->stride[2], v->output[2], v->input[2], &begin, &end);
                    add_row(acc, row, (double)taps[kw], v->stride[2], offset, begin, end);
                }
            }
        }
    }
}

static kiln_status evaluate_conv(graph *g, node *n) {
    tensor *x = n->inputs[0], *w = n->inputs[1], *y = n->outputs[0], *bias = bias_of(n);
    window win;
    kiln_status status = window_of_node(g, n, w->dims + 2, false, &win);
    if (status != KILN_OK) {
        return status;
    }
    window v = window_volume(&win);
    int64_t groups = groups_of(n), depth = w->dims[1], each = w->dims[0] / groups;
    int64_t volume = v.input[0] * v.input[1] * v.input[2], rows = v.output[0] * v.output[1];
    int64_t taps = v.kernel[0] * v.kernel[1] * v.kernel[2];
    const float *from = tensor_f32(x), *weights = tensor_f32(w);
    const float *biases = bias != NULL ? tensor_f32(bias) : NULL;
    float *to = y->owned;
    double *acc = malloc((size_t)v.output[2] * sizeof *acc);
    if (acc == NULL) {
        return KILN_ERROR_MEMORY;
    }
    for (int64_t k = 0; k < y->dims[0] * y->dims[1] * rows; k++) {
        int64_t row = k % rows, o = k / rows % y->dims[1], sample = k / rows / y->dims[1];
        for (int64_t i = 0; i < v.output[2]; i++) {
            acc[i] = biases != NULL ? (double)biases[o] : 0;
        }
        conv_row(&v, from + (sample * x->dims[1] + o / each * depth) * volume,
                 weights + o * depth * taps, depth, row / v.output[1], row % v.output[1], acc);
        for (int64_t i = 0; i < v.output[2]; i++) {
            to[k * v.output[2] + i] = (float)acc[i];
        }
    }
    free(acc);
    return KILN_OK;
}

/* One input pixel is spread over the window it stands for, as far as that is kept. */
static void spread_pixel(const window *v, const int64_t at[3], double x, const float *w,
                         double *y) {
    int64_t origin[3], begin[3], end[3];
    for (int s = 0; s < 3; s++) {
        origin[s] = at[s] * v->stride[s] - v->pad_begin[s];
        window_inside(origin[s], v->dilation[s], v->kernel[s], v->output[s], &begin[s], &end[s]);
    }
    for (int64_t d = begin[0]; d < end[0]; d++) {
        int64_t slice = (origin[0] + d * v->dilation[0]) * v->output[1];
        for (int64_t h = begin[1]; h < end[1]; h++) {
            int64_t row = (slice + origin[1] + h * v->dilation[1]) * v->output[2];
            const float *taps = w + (d * v->kernel[1] + h) * v->kernel[2];
            for (int64_t k = begin[2]; k < end[2]; k++) {
                y[row + origin[2] + k * v->dilation[2]] += x * (double)taps[k];
            }
        }
    }
}

static void spread_channel(const window *v, const float *x, const float *w, double *y) {
    for (int64_t i = 0; i < v->input[0] * v->input[1] * v->input[2]; i++) {
        int64_t at[3] = {i / (v->input[1] * v->input[2]), i / v->input[2] % v->input[1],
                         i % v->input[2]};
        spread_pixel(v, at, (double)x[i], w, y);
    }
}

static kiln_status evaluate_transposed(graph *g, node *n) {
    tensor *x = n->inputs[0], *w = n->inputs[1], *y = n->outputs[0], *bias = bias_of(n);
    window win;
    kiln_status status = window_of_node(g, n, w->dims + 2, true, &win);
    if (status != KILN_OK) {
        return status;
    }
    window v = window_volume(&win);
    int64_t depth = x->dims[1] / groups_of(n), each = w->dims[1];
    int64_t in = v.input[0] * v.input[1] * v.input[2];
    int64_t out = v.output[0] * v.output[1] * v.output[2];
    int64_t taps = v.kernel[0] * v.kernel[1] * v.kernel[2];
    double *acc = malloc((size_t)out * sizeof *acc);
    if (acc == NULL) {
        return KILN_ERROR_MEMORY;
    }
    for (int64_t k = 0; k < y->dims[0] * y->dims[1]; k++) {
        int64_t o = k % y->dims[1], sample = k / y->dims[1], group = o / each;
        for (int64_t i = 0; i < out; i++) {
            acc[i] = bias != NULL ? (double)tensor_f32(bias)[o] : 0;
        }
        for (int64_t c = group * depth; c < (group + 1) * depth; c++) {
            spread_channel(&v, tensor_f32(x) + (sample * x->dims[1] + c) * in,
                           tensor_f32(w) + (c * each + o % each) * taps, acc);
        }
        for (int64_t i = 0; i < out; i++) {
            ((float *)y->owned)[k * out + i] = (float)acc[i];
        }
    }
    free(acc);
    return KILN_OK;
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
    return lower_step(l, n, transposed ? KILN_KERNEL_DECONV_2D : KILN_KERNEL_CONV_2D, &params,
                      sizeof params, 3, inputs, 1, &y);
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
    {.name = "Conv",
     .min_opset = 1,
     .min_inputs = 2,
     .max_inputs = 3,
     .min_outputs = 1,
     .max_outputs = 1,
     .constant_inputs = 6,
     .layout = OP_CHANNELS_LAST,
     .flags = OP_CLAMPS,
     .infer = infer_conv,
     .evaluate = evaluate_conv,
     .work = work_of_conv,
     .lower = lower_conv},
    {.name = "ConvTranspose",
     .min_opset = 1,
     .min_inputs = 2,
     .max_inputs = 3,
     .min_outputs = 1,
     .max_outputs = 1,
     .constant_inputs = 6,
     .layout = OP_CHANNELS_LAST,
     .flags = OP_CLAMPS,
     .infer = infer_transposed,
     .evaluate = evaluate_transposed,
     .work = work_of_transposed,
     .lower = lower_transposed},
    {.name = NULL},
};
