/* Steps on pictures (and on lines and volumes): convolutions, poolings, padding, resizing, blocks.
 */
#include "tests/fuzz/random_graphs.h"

#include <math.h>

typedef struct window_shape {
    size_t spatial;
    int64_t kernel[3], stride[3], dilation[3], pads[6];
    const char *auto_pad; /* NULL: pads */
} window_shape;

/* A window that may well not fit: inference tells. Few are larger than x with its padding. */
static window_shape some_window(generator *r, const tensor *x, bool dilates) {
    static const char *const padding[] = {"SAME_UPPER", "SAME_LOWER", "VALID"};
    static const int64_t strides[] = {1, 1, 1, 2, 2, 3}, dilations[] = {1, 1, 1, 2, 3};
    window_shape w = {.spatial = x->rank - 2};
    bool square = chance(r, 40), plain = chance(r, 40), dilated = dilates && chance(r, 30);
    for (size_t k = 0; k < w.spatial; k++) {
        w.kernel[k] = square ? 3 : between(r, 1, x->dims[k + 2] < 5 ? x->dims[k + 2] + 1 : 5);
        w.stride[k] = plain ? 1 : CHOOSE(r, strides);
        w.dilation[k] = dilated ? CHOOSE(r, dilations) : 1;
        int64_t most = (w.kernel[k] - 1) * w.dilation[k];
        most = most < 3 ? most : 3;
        w.pads[k] = plain ? w.kernel[k] / 2 : between(r, 0, most);
        w.pads[k + w.spatial] = plain ? w.kernel[k] / 2 : between(r, 0, most);
    }
    w.auto_pad = chance(r, 15) && !dilated ? CHOOSE(r, padding) : NULL;
    return w;
}

static void set_window(generator *r, node *n, const window_shape *w, bool kernel, bool dilation) {
    if (kernel) {
        set_ints(r, n, "kernel_shape", w->kernel, w->spatial);
    }
    set_ints(r, n, "strides", w->stride, w->spatial);
    if (dilation) {
        set_ints(r, n, "dilations", w->dilation, w->spatial);
    }
    if (w->auto_pad != NULL) {
        set_string(r, n, "auto_pad", w->auto_pad);
    } else {
        set_ints(r, n, "pads", w->pads, 2 * w->spatial);
    }
}

static int64_t some_divisor(generator *r, int64_t value) {
    int64_t divisor = between(r, 1, value);
    while (value % divisor != 0) {
        divisor--;
    }
    return divisor;
}

static int64_t some_groups(generator *r, int64_t channels) {
    return chance(r, 50) ? 1 : chance(r, 50) ? channels : some_divisor(r, channels);
}

static bool conv(generator *r) {
    static const int64_t some_channels[] = {1, 2, 3, 4, 5, 7, 8, 12, 16, 17};
    tensor *x = pick(r, 3, 5);
    if (x == NULL) {
        return false;
    }
    window_shape w = some_window(r, x, true);
    int64_t groups = some_groups(r, x->dims[1]);
    int64_t outputs = groups > 1 ? groups * between(r, 1, 3) : CHOOSE(r, some_channels);
    int64_t dims[KILN_MAX_RANK] = {outputs, x->dims[1] / groups};
    for (size_t k = 0; k < w.spatial; k++) {
        dims[k + 2] = w.kernel[k];
    }
    tensor *inputs[3] = {x, constant_of(r, x->rank, dims, OF_WEIGHTS),
                         chance(r, 60) ? constant_of(r, 1, dims, OF_UNIT) : NULL};
    node *n = begin_node(r, "Conv", inputs[2] != NULL ? 3 : 2, inputs, 1);
    set_int(r, n, "group", groups);
    set_window(r, n, &w, chance(r, 80), true);
    return end_node(r, n) != NULL;
}

static bool conv_transpose(generator *r) {
    tensor *x = pick(r, 3, 4);
    if (x == NULL || x->dims[1] > 20) {
        return false;
    }
    window_shape w = some_window(r, x, true);
    int64_t groups = some_groups(r, x->dims[1]), each = between(r, 1, 4), all = each * groups;
    int64_t dims[KILN_MAX_RANK] = {x->dims[1], each}, padding[3];
    for (size_t k = 0; k < w.spatial; k++) {
        dims[k + 2] = w.kernel[k];
        padding[k] = between(r, 0, w.stride[k] - 1);
    }
    tensor *inputs[3] = {x, constant_of(r, x->rank, dims, OF_WEIGHTS),
                         chance(r, 50) ? constant_of(r, 1, &all, OF_UNIT) : NULL};
    node *n = begin_node(r, "ConvTranspose", inputs[2] != NULL ? 3 : 2, inputs, 1);
    set_int(r, n, "group", groups);
    set_window(r, n, &w, chance(r, 80), true);
    if (chance(r, 30)) {
        set_ints(r, n, "output_padding", padding, w.spatial);
    }
    return end_node(r, n) != NULL;
}

/* The standard wants less padding than the kernel. */
static window_shape some_pool_window(generator *r, const tensor *x, bool dilates) {
    window_shape w = some_window(r, x, dilates);
    for (size_t k = 0; k < 2 * w.spatial; k++) {
        int64_t most = w.kernel[k % w.spatial] - 1;
        w.pads[k] = w.pads[k] < most ? w.pads[k] : most;
    }
    return w;
}

static bool pool(generator *r) {
    tensor *x = pick(r, 3, 5);
    if (x == NULL) {
        return false;
    }
    bool maximum = chance(r, 50);
    window_shape w = some_pool_window(r, x, maximum);
    node *n = begin_node(r, maximum ? "MaxPool" : "AveragePool", 1, &x, 1);
    set_window(r, n, &w, true, maximum);
    if (chance(r, 30)) {
        set_int(r, n, "ceil_mode", 1);
    }
    if (!maximum && chance(r, 50)) {
        set_int(r, n, "count_include_pad", 1);
    }
    return end_node(r, n) != NULL;
}

static bool lp_pool(generator *r) {
    tensor *x = pick(r, 3, 5);
    if (x == NULL) {
        return false;
    }
    bool global = chance(r, 30), newer = r->g->opset >= 18;
    node *n = begin_node(r, global ? "GlobalLpPool" : "LpPool", 1, &x, 1);
    set_int(r, n, "p", between(r, 1, 3));
    if (!global) {
        window_shape w = some_pool_window(r, x, newer);
        set_window(r, n, &w, true, newer);
    }
    if (!global && newer && chance(r, 30)) {
        set_int(r, n, "ceil_mode", 1);
    }
    return end_node(r, n) != NULL;
}

static bool global_pool(generator *r) {
    tensor *x = pick(r, 3, 5);
    return APPLY(r, chance(r, 70) ? "GlobalAveragePool" : "GlobalMaxPool", x) != NULL;
}

/* Pads for all axes, or those given; the batch is left alone. */
static tensor *some_padding(generator *r, tensor *x, const char *mode, float value) {
    int64_t pads[2 * KILN_MAX_RANK] = {0};
    for (uint32_t k = 1; k < x->rank; k++) {
        int64_t most = mode != NULL && x->dims[k] - 1 < 3 ? x->dims[k] - 1 : 3;
        if (k > 1 || (value > -2 && chance(r, 20))) { /* infinities beside every value only */
            pads[k] = between(r, mode == NULL && chance(r, 10) ? -1 : 0, most);
            pads[k + x->rank] = between(r, mode == NULL && chance(r, 10) ? -1 : 0, most);
        }
    }
    tensor *inputs[3] = {x, integers_of(r, (size_t)2 * x->rank, pads), scalar_of(r, value)};
    node *n = begin_node(r, "Pad", mode == NULL && chance(r, 80) ? 3 : 2, inputs, 1);
    if (mode != NULL) {
        set_string(r, n, "mode", mode);
    }
    return end_node(r, n);
}

static bool pad(generator *r) {
    static const char *const modes[] = {NULL, NULL, "reflect", "edge"};
    static const float values[] = {0, 0, 0.5f, -1.25f};
    tensor *x = pick(r, 2, 5);
    return x != NULL && some_padding(r, x, CHOOSE(r, modes), CHOOSE(r, values)) != NULL;
}

/* In front of what may take the padding over. */
static bool padded_window(generator *r) {
    static const float values[] = {0, 0, 0, -INFINITY, -3.402823466e38f, 1};
    tensor *x = pick(r, 3, 4);
    float value = CHOOSE(r, values);
    tensor *y = x != NULL ? some_padding(r, x, NULL, value) : NULL;
    if (y == NULL) {
        return false;
    }
    if (value > -2) {
        r->pool[r->pool_count - 1] = y;
        return chance(r, 60) ? conv(r) : pool(r);
    }
    r->pool_count--; /* nobody else is to read infinities */
    window_shape w = {.spatial = x->rank - 2};
    for (size_t k = 0; k < w.spatial; k++) {
        w.kernel[k] = between(r, 4, 5);
        w.stride[k] = between(r, 1, 2);
    }
    node *n = begin_node(r, "MaxPool", 1, &y, 1);
    set_window(r, n, &w, true, false);
    return end_node(r, n) != NULL;
}

static bool resize(generator *r) {
    static const char *const modes[] = {"nearest", "nearest", "linear", "linear", "cubic"};
    static const char *const coordinates[] = {"half_pixel", "pytorch_half_pixel", "align_corners",
                                              "asymmetric"};
    static const char *const roundings[] = {"round_prefer_floor", "round_prefer_ceil", "floor",
                                            "ceil"};
    static const float factors[] = {1, 2, 2, 3, 1.5f, 0.5f, 0.7f, 1.3f, 2.6f, 0.25f};
    tensor *x = pick(r, 3, 5);
    if (x == NULL || r->g->opset < 13) { /* where the region may be left out */
        return false;
    }
    const char *mode = CHOOSE(r, modes);
    int64_t rank = x->rank;
    tensor *scales = graph_add_constant(r->g, NULL, KILN_F32, 1, &rank);
    for (int64_t k = 0; k < rank; k++) {
        ((float *)scales->owned)[k] = k < 2 ? 1 : CHOOSE(r, factors);
    }
    node *n = begin_node(r, "Resize", 3, (tensor *[]){x, NULL, scales}, 1);
    set_string(r, n, "mode", mode);
    set_string(r, n, "coordinate_transformation_mode", CHOOSE(r, coordinates));
    if (mode[0] == 'n') {
        set_string(r, n, "nearest_mode", CHOOSE(r, roundings));
    }
    return end_node(r, n) != NULL;
}

static bool blocks(generator *r) {
    tensor *x = pick(r, 4, 4);
    if (x == NULL) {
        return false;
    }
    bool depth = x->dims[1] % 4 == 0 && chance(r, 60);
    node *n = begin_node(r, depth ? "DepthToSpace" : "SpaceToDepth", 1, &x, 1);
    set_int(r, n, "blocksize", 2);
    if (depth && chance(r, 50)) {
        set_string(r, n, "mode", "CRD");
    }
    return end_node(r, n) != NULL;
}

static bool local_response(generator *r) {
    tensor *x = pick(r, 4, 4);
    if (x == NULL) {
        return false;
    }
    node *n = begin_node(r, "LRN", 1, &x, 1);
    set_int(r, n, "size", 1 + 2 * below(r, 4));
    set_float(r, n, "alpha", chance(r, 50) ? 1e-4f : 0.5f);
    set_float(r, n, "bias", chance(r, 50) ? 1 : 2);
    return end_node(r, n) != NULL;
}

const weighted_step window_steps[] = {
    {conv, 16}, {conv_transpose, 5}, {lp_pool, 1}, {pool, 8},   {global_pool, 2},
    {pad, 4},   {padded_window, 4},  {resize, 5},  {blocks, 3}, {local_response, 1},
    {NULL, 0},
};
