/* LpPool, GlobalLpPool: the p-th root of the sum of |x|^p, said in other operators. */
#include "compiler/ops/expand.h"
#include "compiler/ops/support.h"

#include <math.h>
#include <string.h>

static bool is_global(const node *n) {
    return strcmp(n->op->name, "GlobalLpPool") == 0;
}

/* Global: one window as large as the image. */
static kiln_status read_window(graph *g, node *n, window *out) {
    const tensor *x = n->inputs[0];
    if (!is_global(n)) {
        return window_of_node(g, n, NULL, false, out);
    }
    if (x->rank < 3 || x->rank > 5) {
        return node_fail(g, n, KILN_ERROR_UNSUPPORTED, "an input of rank %u; supported: 3 to 5",
                         x->rank);
    }
    *out = (window){.spatial = x->rank - 2};
    for (uint32_t s = 0; s < out->spatial; s++) {
        out->kernel[s] = out->input[s] = x->dims[s + 2];
        out->stride[s] = out->dilation[s] = out->output[s] = 1;
    }
    return KILN_OK;
}

static kiln_status infer_lp_pool(graph *g, node *n) {
    const tensor *x = n->inputs[0];
    window w;
    int64_t dims[KILN_MAX_RANK], p = node_int(n, "p", 2);
    kiln_status status = require_dtype(g, n, 0, MASK_F32);
    if (status == KILN_OK && p < 1) {
        status = node_fail(g, n, KILN_ERROR_FORMAT, "p is %lld; it is 1 and more", (long long)p);
    }
    if (status == KILN_OK) {
        status = read_window(g, n, &w);
    }
    if (status != KILN_OK) {
        return status;
    }
    dims[0] = x->dims[0];
    dims[1] = x->dims[1];
    memcpy(dims + 2, w.output, w.spatial * sizeof *dims);
    n->outputs[0]->dtype = KILN_F32;
    return tensor_set_shape(g, n, n->outputs[0], x->rank, dims);
}

/* ---- Evaluation ---------------------------------------------------------------------------- */

static double norm_of_window(const window *v, const float *x, const int64_t o[3], double p) {
    int64_t begin[3], end[3], origin[3];
    double sum = 0;
    for (int s = 0; s < 3; s++) {
        origin[s] = o[s] * v->stride[s] - v->pad_begin[s];
        window_inside(origin[s], v->dilation[s], v->kernel[s], v->input[s], &begin[s], &end[s]);
    }
    for (int64_t d = begin[0]; d < end[0]; d++) {
        for (int64_t h = begin[1]; h < end[1]; h++) {
            for (int64_t w = begin[2]; w < end[2]; w++) {
                int64_t row =
                    (origin[0] + d * v->dilation[0]) * v->input[1] + origin[1] + h * v->dilation[1];
                double value = (double)x[row * v->input[2] + origin[2] + w * v->dilation[2]];
                sum += pow(fabs(value), p);
            }
        }
    }
    return pow(sum, 1 / p);
}

static kiln_status evaluate_lp_pool(graph *g, node *n) {
    window w;
    kiln_status status = read_window(g, n, &w);
    if (status != KILN_OK) {
        return status;
    }
    window v = window_volume(&w);
    int64_t in = v.input[0] * v.input[1] * v.input[2];
    int64_t out = v.output[0] * v.output[1] * v.output[2];
    for (int64_t k = 0; k < tensor_elements(n->outputs[0]); k++) {
        int64_t pixel = k % out;
        int64_t o[3] = {pixel / (v.output[1] * v.output[2]), pixel / v.output[2] % v.output[1],
                        pixel % v.output[2]};
        const float *plane = tensor_f32(n->inputs[0]) + k / out * in;
        ((float *)n->outputs[0]->owned)[k] =
            (float)norm_of_window(&v, plane, o, (double)node_int(n, "p", 2));
    }
    return KILN_OK;
}

/* Taps that lie inside the image. */
static double work_of_lp_pool(const node *n) {
    const tensor *x = n->inputs[0];
    int64_t kernel[KILN_MAX_RANK];
    int spatial = node_ints(n, "kernel_shape", kernel, KILN_MAX_RANK);
    double taps = 1;
    for (int k = 0; k + 2 < (int)x->rank; k++) {
        bool whole = is_global(n) || k >= spatial || kernel[k] > x->dims[k + 2];
        taps *= (double)(whole ? x->dims[k + 2] : kernel[k]);
    }
    return (double)tensor_elements(n->outputs[0]) * taps;
}

/* ---- Expansion ----------------------------------------------------------------------------- */

static attribute list(expansion *e, const char *name, size_t count, const int64_t *values) {
    attribute a = {.name = name, .type = ATTRIBUTE_INTS, .count = count};
    a.ints = graph_allocate(e->g, count * sizeof *a.ints);
    if (a.ints != NULL) {
        memcpy(a.ints, values, count * sizeof *values);
    } else {
        a.count = 0; /* the graph's error is set */
        e->status = KILN_ERROR_MEMORY;
    }
    return a;
}

/* A depthwise convolution with ones. */
static tensor *sums_of_windows(expansion *e, const window *w, tensor *x) {
    int64_t dims[KILN_MAX_RANK] = {e->n->inputs[0]->dims[1], 1}, pads[6];
    for (uint32_t s = 0; s < w->spatial; s++) {
        int64_t end = (w->output[s] - 1) * w->stride[s] + (w->kernel[s] - 1) * w->dilation[s] + 1 -
                      w->input[s] - w->pad_begin[s];
        dims[s + 2] = w->kernel[s];
        pads[s] = w->pad_begin[s];
        pads[s + w->spatial] = end > 0 ? end : 0; /* more than pads say, in ceil_mode */
    }
    tensor *ones = expand_constant(e, KILN_F32, w->spatial + 2, dims);
    for (int64_t k = 0; ones != NULL && k < tensor_elements(ones); k++) {
        ((float *)ones->owned)[k] = 1;
    }
    const attribute attributes[] = {{.name = "group", .type = ATTRIBUTE_INT, .i = dims[0]},
                                    list(e, "strides", w->spatial, w->stride),
                                    list(e, "dilations", w->spatial, w->dilation),
                                    list(e, "pads", (size_t)2 * w->spatial, pads)};
    return expand_node(e, "Conv", 2, (tensor *[]){x, ones}, sizeof attributes / sizeof *attributes,
                       attributes);
}

static kiln_status expand_lp_pool(expansion *e, node *n) {
    window w;
    tensor *x = n->inputs[0];
    int64_t p = node_int(n, "p", 2), axes[3] = {2, 3, 4};
    kiln_status status = read_window(e->g, n, &w);
    if (status != KILN_OK) {
        return status;
    }
    tensor *y = p == 2 ? expand_binary(e, "Mul", x, x) : expand_unary(e, "Abs", x);
    if (p > 2) {
        y = expand_binary(e, "Pow", y, expand_number(e, KILN_F32, (double)p));
    }
    if (is_global(n)) {
        const attribute spatial = list(e, "axes", w.spatial, axes);
        y = expand_apply(e, "ReduceSum", 1, &y, &spatial);
    } else {
        y = sums_of_windows(e, &w, y);
    }
    if (p > 1) {
        y = p == 2 ? expand_unary(e, "Sqrt", y)
                   : expand_binary(e, "Pow", y, expand_number(e, KILN_F32, 1 / (double)p));
    }
    expand_result(e, 0, y);
    return KILN_OK;
}

#define ROW(op_name)                                                                               \
    {                                                                                              \
        op_name, 2, OP_INPUTS(1, 1), OP_OUTPUTS(1, 1),                                             \
            .infer = infer_lp_pool, .evaluate = evaluate_lp_pool, .expand = expand_lp_pool,        \
            .work = work_of_lp_pool                                                                \
    }

const op ops_lp_pool[] = {ROW("LpPool"), ROW("GlobalLpPool"), {.name = NULL}};
