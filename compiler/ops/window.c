/* Window geometry of convolutions and pools: ONNX's auto_pad, ceil_mode, output_shape and defaults
 * resolved to explicit kernel, stride, dilation, padding and output sizes. */
#include "compiler/ops/ops.h"

#include <string.h>

/* No image is larger, so that sums of products of two sizes cannot overflow an int64_t. */
#define WINDOW_LIMIT ((int64_t)1 << 30)

typedef enum auto_pad {
    AUTO_PAD_NOTSET,
    AUTO_PAD_SAME_UPPER,
    AUTO_PAD_SAME_LOWER,
    AUTO_PAD_VALID
} auto_pad;

static kiln_status read_auto_pad(const graph *g, const node *n, auto_pad *out_mode) {
    static const char *const names[] = {"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"};
    const char *text = node_string(n, "auto_pad", "NOTSET");
    for (int k = 0; k < 4; k++) {
        if (strcmp(text, names[k]) == 0 || (k == 0 && *text == '\0')) {
            *out_mode = (auto_pad)k;
            return KILN_OK;
        }
    }
    return node_fail(g, n, KILN_ERROR_FORMAT,
                     "auto_pad \"%s\"; expected NOTSET, SAME_UPPER, SAME_LOWER or VALID", text);
}

/* `count` integers of at least `low`, or all `fallback` when the attribute is absent. */
static kiln_status read_sizes(const graph *g, const node *n, const char *name, uint32_t count,
                              int64_t fallback, int64_t low, int64_t *out) {
    int64_t values[KILN_MAX_RANK];
    int found = node_ints(n, name, values, KILN_MAX_RANK);
    if (found >= 0 && (uint32_t)found != count) {
        return node_fail(g, n, KILN_ERROR_FORMAT, "%s has %d values; expected %u", name, found,
                         count);
    }
    for (uint32_t k = 0; k < count; k++) {
        out[k] = found >= 0 ? values[k] : fallback;
        if (out[k] < low || out[k] > WINDOW_MOST) {
            return node_fail(g, n, KILN_ERROR_UNSUPPORTED, "%s of %lld; supported: %lld to %lld",
                             name, (long long)out[k], (long long)low, (long long)WINDOW_MOST);
        }
    }
    return KILN_OK;
}

static kiln_status read_kernel(const graph *g, const node *n, const int64_t *kernel_dims,
                               window *w) {
    if (kernel_dims == NULL && node_attribute(n, "kernel_shape") == NULL) {
        return node_fail(g, n, KILN_ERROR_FORMAT, "kernel_shape is missing");
    }
    kiln_status status = read_sizes(g, n, "kernel_shape", w->spatial, 1, 1, w->kernel);
    bool from_weight = kernel_dims != NULL && status == KILN_OK;
    for (uint32_t s = 0; from_weight && s < w->spatial; s++) {
        if (node_attribute(n, "kernel_shape") != NULL && kernel_dims[s] != w->kernel[s]) {
            return node_fail(g, n, KILN_ERROR_FORMAT, "kernel_shape %lld; the weight's is %lld",
                             (long long)w->kernel[s], (long long)kernel_dims[s]);
        }
        if (kernel_dims[s] < 1 || kernel_dims[s] > WINDOW_MOST) {
            return node_fail(g, n, KILN_ERROR_UNSUPPORTED, "a kernel of %lld; supported: 1 to %lld",
                             (long long)kernel_dims[s], (long long)WINDOW_MOST);
        }
        w->kernel[s] = kernel_dims[s];
    }
    return status;
}

/* Everything that stands in attributes and the input's shape. */
static kiln_status read_window(const graph *g, const node *n, const int64_t *kernel_dims,
                               window *w) {
    const tensor *x = n->inputs[0];
    if (x->rank < 3 || x->rank > 5) {
        return node_fail(g, n, KILN_ERROR_UNSUPPORTED,
                         "an input of rank %u; supported: 3 to 5 (1 to 3 spatial dimensions)",
                         x->rank);
    }
    w->spatial = x->rank - 2;
    int64_t pads[6];
    kiln_status status = read_kernel(g, n, kernel_dims, w);
    if (status == KILN_OK) {
        status = read_sizes(g, n, "strides", w->spatial, 1, 1, w->stride);
    }
    if (status == KILN_OK) {
        status = read_sizes(g, n, "dilations", w->spatial, 1, 1, w->dilation);
    }
    if (status == KILN_OK) {
        status = read_sizes(g, n, "pads", 2 * w->spatial, 0, 0, pads);
    }
    for (uint32_t s = 0; status == KILN_OK && s < w->spatial; s++) {
        w->pad_begin[s] = pads[s];
        w->pad_end[s] = pads[w->spatial + s];
        w->input[s] = x->dims[2 + s];
        if (w->input[s] < 1 || w->input[s] > WINDOW_LIMIT ||
            w->dilation[s] * (w->kernel[s] - 1) >= WINDOW_LIMIT) {
            return node_fail(g, n, KILN_ERROR_UNSUPPORTED,
                             "an input of %lld under a window of %lld x dilation %lld",
                             (long long)w->input[s], (long long)w->kernel[s],
                             (long long)w->dilation[s]);
        }
    }
    return status;
}

/* Input positions a window spans. */
static int64_t extent(const window *w, uint32_t s) {
    return w->dilation[s] * (w->kernel[s] - 1) + 1;
}

/* ONNX Conv, MaxPool: the odd element of SAME padding goes to the end (UPPER) or the beginning. */
static void split_padding(window *w, uint32_t s, int64_t total, bool upper) {
    total = total > 0 ? total : 0;
    w->pad_begin[s] = upper ? total / 2 : total - total / 2;
    w->pad_end[s] = total - w->pad_begin[s];
}

static kiln_status resolve(const graph *g, const node *n, auto_pad mode, bool ceil_mode, window *w,
                           uint32_t s) {
    if (mode == AUTO_PAD_SAME_UPPER || mode == AUTO_PAD_SAME_LOWER) {
        w->output[s] = (w->input[s] + w->stride[s] - 1) / w->stride[s];
        int64_t reach = (w->output[s] - 1) * w->stride[s] + extent(w, s);
        split_padding(w, s, reach - w->input[s], mode == AUTO_PAD_SAME_UPPER);
        return KILN_OK;
    }
    if (mode == AUTO_PAD_VALID) {
        w->pad_begin[s] = w->pad_end[s] = 0;
    }
    int64_t padded = w->input[s] + w->pad_begin[s] + w->pad_end[s];
    int64_t room = padded - extent(w, s);
    if (room < 0) {
        return node_fail(g, n, KILN_ERROR_FORMAT,
                         "a window of %lld does not fit the padded input of %lld",
                         (long long)extent(w, s), (long long)padded);
    }
    w->output[s] = room / w->stride[s] + 1;
    /* The last window must begin in the input or the padding before it (onnx/onnx#5741). */
    if (ceil_mode && room % w->stride[s] != 0 &&
        w->output[s] * w->stride[s] < w->input[s] + w->pad_begin[s]) {
        w->output[s]++;
    }
    return KILN_OK;
}

/* ONNX ConvTranspose: with output_shape or SAME the padding follows from the output. */
static void resolve_transposed(auto_pad mode, const int64_t *output_shape, window *w, uint32_t s) {
    int64_t full = w->stride[s] * (w->input[s] - 1) + extent(w, s) + w->output_padding[s];
    bool same = mode == AUTO_PAD_SAME_UPPER || mode == AUTO_PAD_SAME_LOWER;
    if (output_shape != NULL || same) {
        int64_t wanted = w->input[s] * w->stride[s]; /* where windows overlap, else what there is */
        w->output[s] = output_shape != NULL ? output_shape[s] : wanted < full ? wanted : full;
        if (w->output[s] > full) { /* negative padding: rows of nothing but bias at the end */
            w->output_padding[s] += w->output[s] - full;
            full = w->output[s];
        }
        split_padding(w, s, full - w->output[s], mode == AUTO_PAD_SAME_UPPER);
        return;
    }
    if (mode == AUTO_PAD_VALID) {
        w->pad_begin[s] = w->pad_end[s] = 0;
    }
    w->output[s] = full - w->pad_begin[s] - w->pad_end[s];
}

/* output_shape may hold the batch and channels too; its last values are the spatial ones. Returns
 * them in `shape`, or *out_present = false. */
static kiln_status read_output_shape(const graph *g, const node *n, uint32_t spatial,
                                     int64_t shape[KILN_MAX_RANK], bool *out_present) {
    int64_t values[KILN_MAX_RANK];
    int found = node_ints(n, "output_shape", values, KILN_MAX_RANK);
    *out_present = found > 0;
    if (found <= 0) {
        return KILN_OK;
    }
    if (found != (int)spatial && found != (int)spatial + 2) {
        return node_fail(g, n, KILN_ERROR_FORMAT, "output_shape has %d values; expected %u", found,
                         spatial);
    }
    for (uint32_t s = 0; s < spatial; s++) {
        shape[s] = values[(uint32_t)found - spatial + s];
        if (shape[s] < 1 || shape[s] > WINDOW_LIMIT) {
            return node_fail(g, n, KILN_ERROR_FORMAT, "output_shape %lld", (long long)shape[s]);
        }
    }
    return KILN_OK;
}

static kiln_status check_window(const graph *g, const node *n, const window *w) {
    for (uint32_t s = 0; s < w->spatial; s++) {
        if (w->output[s] < 1 || w->output[s] > WINDOW_LIMIT || w->pad_begin[s] > WINDOW_MOST ||
            w->pad_end[s] > WINDOW_MOST) {
            return node_fail(g, n, KILN_ERROR_FORMAT,
                             "an output of %lld along spatial dimension %u (padding %lld and %lld)",
                             (long long)w->output[s], s, (long long)w->pad_begin[s],
                             (long long)w->pad_end[s]);
        }
    }
    return KILN_OK;
}

kiln_status window_of_node(graph *g, node *n, const int64_t *kernel_dims, bool transposed,
                           window *out_window) {
    auto_pad mode = AUTO_PAD_NOTSET;
    window w = {0};
    bool has_output_shape = false;
    int64_t output_shape[KILN_MAX_RANK];
    kiln_status status = read_auto_pad(g, n, &mode);
    if (status == KILN_OK) {
        status = read_window(g, n, kernel_dims, &w);
    }
    if (status == KILN_OK && transposed) {
        status = read_sizes(g, n, "output_padding", w.spatial, 0, 0, w.output_padding);
    }
    if (status == KILN_OK && transposed) {
        status = read_output_shape(g, n, w.spatial, output_shape, &has_output_shape);
    }
    bool ceil_mode = kernel_dims == NULL && node_int(n, "ceil_mode", 0) != 0;
    for (uint32_t s = 0; status == KILN_OK && s < w.spatial; s++) {
        if (transposed) {
            resolve_transposed(mode, has_output_shape ? output_shape : NULL, &w, s);
        } else {
            status = resolve(g, n, mode, ceil_mode, &w, s);
        }
    }
    if (status == KILN_OK) {
        status = check_window(g, n, &w);
    }
    if (status == KILN_OK) {
        *out_window = w;
    }
    return status;
}

void window_inside(int64_t origin, int64_t step, int64_t count, int64_t size, int64_t *out_begin,
                   int64_t *out_end) {
    int64_t begin = origin < 0 ? (step - 1 - origin) / step : 0;
    int64_t end = origin < size ? (size - 1 - origin) / step + 1 : 0;
    *out_end = end < count ? end : count;
    *out_begin = begin < *out_end ? begin : *out_end;
}

window window_volume(const window *w) {
    window v = {.spatial = 3};
    uint32_t missing = 3 - w->spatial;
    for (uint32_t s = 0; s < 3; s++) {
        bool present = s >= missing;
        uint32_t from = present ? s - missing : 0;
        v.kernel[s] = present ? w->kernel[from] : 1;
        v.stride[s] = present ? w->stride[from] : 1;
        v.dilation[s] = present ? w->dilation[from] : 1;
        v.pad_begin[s] = present ? w->pad_begin[from] : 0;
        v.pad_end[s] = present ? w->pad_end[from] : 0;
        v.output_padding[s] = present ? w->output_padding[from] : 0;
        v.input[s] = present ? w->input[from] : 1;
        v.output[s] = present ? w->output[from] : 1;
    }
    return v;
}
