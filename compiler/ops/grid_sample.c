/* GridSample: pixels at places that a run computes. Coordinates are computed in f32, as ONNX
 * Runtime does: which pixel is nearest depends on it. */
#include "compiler/ops/support.h"

#include <math.h>
#include <string.h>

/* Opset 20 renamed the modes. */
static kiln_status read_params(const graph *g, const node *n, kiln_grid_sample_params *out) {
    static const struct {
        const char *name;
        kiln_grid_mode mode;
    } modes[] = {{"bilinear", KILN_GRID_LINEAR},
                 {"linear", KILN_GRID_LINEAR},
                 {"nearest", KILN_GRID_NEAREST},
                 {"bicubic", KILN_GRID_CUBIC},
                 {"cubic", KILN_GRID_CUBIC}};
    static const char *const paddings[] = {"zeros", "border", "reflection"};
    const char *mode = node_string(n, "mode", "bilinear");
    const char *padding = node_string(n, "padding_mode", "zeros");
    *out = (kiln_grid_sample_params){.mode = KILN_GRID_MODE_COUNT,
                                     .align_corners = node_int(n, "align_corners", 0) != 0};
    for (size_t k = 0; k < sizeof modes / sizeof *modes; k++) {
        out->mode = strcmp(modes[k].name, mode) == 0 ? modes[k].mode : out->mode;
    }
    while (out->padding < KILN_GRID_PADDING_COUNT && strcmp(paddings[out->padding], padding) != 0) {
        out->padding++;
    }
    return out->mode < KILN_GRID_MODE_COUNT && out->padding < KILN_GRID_PADDING_COUNT
               ? KILN_OK
               : node_fail(g, n, KILN_ERROR_FORMAT, "mode '%.20s', padding '%.20s'", mode, padding);
}

static kiln_status infer_grid_sample(graph *g, node *n) {
    const tensor *x = n->inputs[0], *grid = n->inputs[1];
    kiln_grid_sample_params params;
    kiln_status status = require_floats(g, n);
    if (status == KILN_OK) {
        status = read_params(g, n, &params);
    }
    if (status == KILN_OK && x->rank != 4) {
        status =
            node_fail(g, n, KILN_ERROR_UNSUPPORTED, "an input of rank %u; supported: 4", x->rank);
    }
    if (status == KILN_OK && (grid->rank != 4 || grid->dims[3] != 2)) {
        status = node_fail(g, n, KILN_ERROR_FORMAT, "the grid is not [N, height, width, 2]");
    }
    if (status == KILN_OK && grid->dims[0] != x->dims[0]) {
        status = node_fail(g, n, g->batch_symbolic ? KILN_ERROR_UNSUPPORTED : KILN_ERROR_FORMAT,
                           "a grid of another batch than the input");
    }
    if (status != KILN_OK) {
        return status;
    }
    int64_t dims[4] = {x->dims[0], x->dims[1], grid->dims[1], grid->dims[2]};
    n->outputs[0]->dtype = KILN_F32;
    return tensor_set_shape(g, n, n->outputs[0], 4, dims);
}

/* ---- Evaluation ---------------------------------------------------------------------------- */

/* A channel of the input, and how it goes on outside. */
typedef struct plane {
    const float *pixels;
    int64_t height, width;
    const kiln_grid_sample_params *params;
} plane;

/* Mirrored at both ends until it lies between them. */
static float mirror(float x, float low, float high) {
    if (high <= low) {
        return low;
    }
    x = fmodf(x - low, 2 * (high - low));
    x += x < 0 ? 2 * (high - low) : 0;
    return low + (x > high - low ? 2 * (high - low) - x : x);
}

static float low_end(const kiln_grid_sample_params *p) {
    return p->align_corners != 0 ? 0 : -0.5f;
}

static float high_end(const kiln_grid_sample_params *p, int64_t size) {
    return (float)size - (p->align_corners != 0 ? 1.0f : 0.5f);
}

static double pixel_at(const plane *p, int64_t row, int64_t column) {
    bool outside = row < 0 || row >= p->height || column < 0 || column >= p->width;
    if (outside && p->params->padding == KILN_GRID_ZEROS) {
        return 0;
    }
    if (outside && p->params->padding == KILN_GRID_REFLECTION) {
        row = (int64_t)mirror((float)row, low_end(p->params), high_end(p->params, p->height));
        column = (int64_t)mirror((float)column, low_end(p->params), high_end(p->params, p->width));
    }
    row = row < 0 ? 0 : row >= p->height ? p->height - 1 : row;
    column = column < 0 ? 0 : column >= p->width ? p->width - 1 : column;
    return (double)p->pixels[row * p->width + column];
}

static float place_of(float at, int64_t size, const kiln_grid_sample_params *p) {
    float n = (float)size;
    float x = p->align_corners != 0 ? (at + 1) / 2 * (n - 1) : ((at + 1) * n - 1) / 2;
    x = x > -1e9f ? x : -1e9f;
    x = x < 1e9f ? x : 1e9f;
    return p->mode == KILN_GRID_NEAREST ? rintf(x) : x;
}

/* Weight of the pixel at distance d (Keys 1981, a = -3/4; a triangle; the pixel itself). */
static double weight_at(kiln_grid_mode mode, double d) {
    const double a = -0.75;
    d = fabs(d);
    if (mode == KILN_GRID_NEAREST) {
        return d < 0.5;
    }
    if (mode == KILN_GRID_LINEAR) {
        return fmax(0, 1 - d);
    }
    return d <= 1  ? ((a + 2) * d - (a + 3)) * d * d + 1
           : d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
                   : 0;
}

static double sample(const plane *p, float grid_x, float grid_y) {
    const kiln_grid_sample_params *params = p->params;
    float x = place_of(grid_x, p->width, params), y = place_of(grid_y, p->height, params);
    float low = low_end(params);
    float right = high_end(params, p->width), bottom = high_end(params, p->height);
    if (params->padding == KILN_GRID_REFLECTION) {
        x = mirror(x, low, right);
        y = mirror(y, low, bottom);
    }
    double sum = 0;
    int64_t row = (int64_t)floorf(y), column = (int64_t)floorf(x);
    for (int64_t i = row - 1; i <= row + 2; i++) {
        for (int64_t j = column - 1; j <= column + 2; j++) {
            double weight = weight_at(params->mode, (double)i - (double)y) *
                            weight_at(params->mode, (double)j - (double)x);
            sum += weight != 0 ? weight * pixel_at(p, i, j) : 0;
        }
    }
    return sum;
}

static kiln_status evaluate_grid_sample(graph *g, node *n) {
    const tensor *x = n->inputs[0], *y = n->outputs[0];
    kiln_grid_sample_params params;
    kiln_status status = read_params(g, n, &params);
    int64_t pixels = y->dims[2] * y->dims[3], planes = x->dims[0] * x->dims[1];
    for (int64_t k = 0; status == KILN_OK && k < planes; k++) {
        plane p = {tensor_f32(x) + k * x->dims[2] * x->dims[3], x->dims[2], x->dims[3], &params};
        const float *grid = tensor_f32(n->inputs[1]) + k / x->dims[1] * pixels * 2;
        for (int64_t i = 0; i < pixels; i++) {
            ((float *)y->owned)[k * pixels + i] = (float)sample(&p, grid[2 * i], grid[2 * i + 1]);
        }
    }
    return status;
}

static kiln_status lower_grid_sample(lowering *l, node *n) {
    kiln_grid_sample_params params;
    kiln_status status = read_params(lower_graph(l), n, &params);
    uint32_t inputs[2] = {lower_input(l, n, 0), lower_input(l, n, 1)}, y = lower_output(l, n, 0);
    return status == KILN_OK
               ? lower_step(l, n, KILN_KERNEL_GRID_SAMPLE, &params, sizeof params, 2, inputs, 1, &y)
               : status;
}

const op ops_grid_sample[] = {
    {"GridSample", 16, OP_INPUTS(2, 2), OP_OUTPUTS(1, 1), .layout = OP_CHANNELS_LAST,
     .infer = infer_grid_sample, .evaluate = evaluate_grid_sample, .lower = lower_grid_sample},
    {.name = NULL},
};
