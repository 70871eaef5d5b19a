/* Convolutions of any number of groups, and transposed ones, as products of gathered inputs.
 *
 * In a transposed convolution of stride s, an output meets only those taps of the kernel that fall
 * on an input: which they are follows from its position modulo s, its phase. So the output is cut
 * into planes, one for each phase of rows and of columns; all pixels of a plane meet the same taps.
 * A convolution has one plane, of all taps.
 *
 * For each plane and group: [pixels][k] by [k][outputs], where k goes over the plane's taps and
 * the group's inputs. Weights are packed in panels of nr outputs, [planes][groups][panels][k][nr].
 * A task gathers the inputs of some pixels of a row into its part of scratch, but where a plane has
 * one tap, whose inputs lie side by side already. */
#include "runtime/kernels/conv_direct.h"
#include "runtime/kernels/finish.h"
#include "runtime/kernels/window.h"

#include <string.h>

#define CHUNK ((size_t)48)             /* pixels of a product, at most */
#define CHUNK_BYTES ((size_t)64 << 10) /* of gathered inputs: part of an L2 cache */
#define TASKS ((size_t)4)              /* for each thread, to even out what they take */

/* Where the outputs of an axis take their inputs. The phases of a convolution are one. */
typedef struct axis {
    size_t in, out, kernel, stride, dilation, padding;
    size_t phases, step; /* from one tap of a phase to its next */
    bool transposed;
} axis;

/* All outputs that meet the same taps. */
typedef struct plane {
    size_t phase[3];
    size_t first_tap[3], taps[3];
    size_t first[3], count[3]; /* the first output, and how many there are, `phases` apart */
    size_t k;                  /* taps times inputs of a group */
    size_t before;             /* k of the planes before it */
} plane;

typedef struct direct {
    const ukernels *ukernels;
    finish finish;
    axis axes[3];                  /* slices, rows, columns */
    size_t groups, depth, outputs; /* inputs and outputs of a group */
    size_t panels;
    size_t most;         /* pixels of a chunk */
    size_t chunk_floats; /* of a task's gathered inputs */
    size_t tasks;
    size_t weight_floats, bias_floats;
    float *weights;
    float *bias; /* [groups][panels * nr], then zeros, which stand for pixels outside the image */
} direct;

/* ---- Planes -------------------------------------------------------------------------------- */

static size_t common_divisor(size_t a, size_t b) {
    while (b != 0) {
        size_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static axis axis_of(const window_axis *a, bool transposed) {
    return (axis){.in = a->in,
                  .out = a->out,
                  .kernel = a->kernel,
                  .stride = a->stride,
                  .dilation = a->dilation,
                  .padding = a->pad_begin,
                  .phases = transposed ? a->stride : 1,
                  .step = transposed ? a->stride / common_divisor(a->stride, a->dilation) : 1,
                  .transposed = transposed};
}

/* The input under a tap of an output; SIZE_MAX or more than there are: none. */
static size_t position(const axis *a, size_t out, size_t tap) {
    size_t ahead = tap * a->dilation;
    if (!a->transposed) { /* wraps around to a large number before the first input */
        return out * a->stride + ahead - a->padding;
    }
    return out + a->padding < ahead ? SIZE_MAX : (out + a->padding - ahead) / a->stride;
}

/* The phase's taps fall on an input: tap * dilation = phase modulo stride. */
static void find_taps(const axis *a, plane *p, size_t which) {
    size_t phase = p->phase[which], tap = 0;
    while (a->transposed && tap < a->step && tap * a->dilation % a->stride != phase) {
        tap++;
    }
    p->first_tap[which] = tap;
    p->taps[which] = tap < a->step && tap < a->kernel ? (a->kernel - tap - 1) / a->step + 1 : 0;
    p->first[which] = (phase + a->phases - a->padding % a->phases) % a->phases;
    p->count[which] = p->first[which] < a->out ? (a->out - p->first[which] - 1) / a->phases + 1 : 0;
}

/* Goes through the planes: from a plane of zeros, with `begun` false, to the last. */
static bool next_plane(const direct *d, plane *p, bool *begun) {
    size_t before = *begun ? p->before + p->k : 0, which = 3;
    while (*begun && which-- > 0 && ++p->phase[which] == d->axes[which].phases && which > 0) {
        p->phase[which] = 0;
    }
    *begun = true;
    if (p->phase[0] == d->axes[0].phases) {
        return false;
    }
    p->k = d->depth;
    p->before = before;
    for (which = 0; which < 3; which++) {
        find_taps(&d->axes[which], p, which);
        p->k *= p->taps[which];
    }
    return true;
}

/* ---- Describing ---------------------------------------------------------------------------- */

static direct describe(const kernel_call *call) {
    const kiln_conv_params *p = call->params;
    const kiln_conv_nd_params *nd = call->params;
    const operand *w = &call->inputs[1];
    bool of_nd = call->step->kernel == KILN_KERNEL_CONV_ND;
    bool transposed = of_nd ? nd->transposed != 0 : call->step->kernel == KILN_KERNEL_DECONV_2D;
    const ukernels *best = ukernels_best();
    window_axis axes[3];
    window_axes_of(call, axes);
    direct d = {.ukernels = best,
                .finish = finish_of(call, of_nd ? nd->min : p->min, of_nd ? nd->max : p->max),
                .groups = of_nd ? nd->groups : p->groups,
                .depth = w->inner,
                .tasks = TASKS * call->host->threads};
    size_t taps = 1;
    d.outputs = w->dims[0] / d.groups;
    d.panels = (d.outputs + best->nr - 1) / best->nr;
    d.weight_floats = d.groups * d.panels * best->nr * d.depth;
    d.bias_floats = d.groups * d.panels * best->nr + d.depth;
    for (size_t k = 0; k < 3; k++) {
        d.axes[k] = axis_of(&axes[k], transposed);
        d.weight_floats *= axes[k].kernel;
        taps *= (axes[k].kernel - 1) / d.axes[k].step + 1;
    }
    size_t row = taps * d.depth, room = CHUNK_BYTES / (row * sizeof(float));
    d.most = size_min(room < best->mr ? best->mr : room, CHUNK);
    d.chunk_floats = d.most * row;
    return d;
}

const char *conv_direct_check(const kernel_call *call) {
    return conv_addend(call) == NULL ? NULL : "the direct algorithm does not add";
}

size_t conv_direct_scratch(const kernel_call *call) {
    direct d = describe(call);
    return d.tasks * d.chunk_floats * sizeof(float);
}

/* ---- Packing ------------------------------------------------------------------------------- */

/* A group's weights of one plane take k * panels * nr floats. */
static size_t panels_floats(const direct *d) {
    return d->panels * d->ukernels->nr;
}

/* The inputs of one tap, for all outputs of a group, into rows of panels. */
static void pack_tap(const direct *d, const float *from, size_t output_step, size_t k, float *to) {
    size_t nr = d->ukernels->nr;
    for (size_t o = 0; o < d->outputs; o++) {
        float *column = to + o / nr * k * nr + o % nr;
        for (size_t i = 0; i < d->depth; i++) {
            column[i * nr] = from[o * output_step + i];
        }
    }
}

typedef struct packing {
    const kernel_call *call;
    const plane *plane;
    float *to;
} packing;

static void pack_groups(void *context, size_t begin, size_t end) {
    const packing *job = context;
    const direct *d = job->call->state;
    const plane *p = job->plane;
    const axis *a = d->axes;
    const float *weights = job->call->inputs[1].data; /* [outputs][slices][rows][columns][depth] */
    size_t output_step = a[0].kernel * a[1].kernel * a[2].kernel * d->depth;
    for (size_t g = begin; g < end; g++) {
        float *to = job->to + g * p->k * panels_floats(d);
        for (size_t tap = 0; tap < p->k / d->depth; tap++) {
            size_t slice = p->first_tap[0] + tap / p->taps[2] / p->taps[1] * a[0].step;
            size_t row = p->first_tap[1] + tap / p->taps[2] % p->taps[1] * a[1].step;
            size_t column = p->first_tap[2] + tap % p->taps[2] * a[2].step;
            size_t from = (slice * a[1].kernel + row) * a[2].kernel + column;
            pack_tap(d, weights + g * d->outputs * output_step + from * d->depth, output_step, p->k,
                     to + tap * d->depth * d->ukernels->nr);
        }
    }
}

static void pack(const kernel_call *call, float *to) {
    const direct *d = call->state;
    plane p = {0};
    for (bool begun = false; next_plane(d, &p, &begun);) {
        packing job = {call, &p, to + p.before * d->groups * panels_floats(d)};
        kernel_parallel(call, d->groups, 1, &job, pack_groups);
    }
}

/* ---- Preparing ----------------------------------------------------------------------------- */

kiln_status conv_direct_prepare(kernel_call *call, kiln_error *error) {
    direct *d = call->state = kernel_allocate(call, sizeof *d, error);
    if (d == NULL) {
        return KILN_ERROR_MEMORY;
    }
    *d = describe(call);
    d->weights = kernel_allocate(call, d->weight_floats * sizeof(float), error);
    d->bias = kernel_allocate(call, d->bias_floats * sizeof(float), error);
    if (d->weights == NULL || d->bias == NULL) {
        return KILN_ERROR_MEMORY;
    }
    pack(call, d->weights);
    const float *bias = optional_input(call, 2);
    for (size_t g = 0; bias != NULL && g < d->groups; g++) {
        memcpy(d->bias + g * d->panels * d->ukernels->nr, bias + g * d->outputs,
               d->outputs * sizeof(float));
    }
    return KILN_OK;
}

/* ---- Running ------------------------------------------------------------------------------- */

/* What all tasks of a plane share. A line is a run of outputs of one distance: a row of the plane,
 * or where a plane is the whole image, all of it. */
typedef struct job {
    const kernel_call *call;
    plane plane;
    size_t samples, lines, line_pixels;
    size_t chunks; /* of a line */
} job;

/* Some pixels of a line, of one group. */
typedef struct piece {
    size_t sample, slice, row, column; /* of the plane: its first pixel */
    size_t pixels, group;
} piece;

static piece piece_of(const job *j, size_t unit) {
    const direct *d = j->call->state;
    size_t chunk = unit / d->groups % j->chunks, line = unit / d->groups / j->chunks;
    size_t first = chunk * d->most, columns = j->plane.count[2];
    size_t row = line % j->lines + first / columns;
    return (piece){.sample = line / j->lines,
                   .slice = row / j->plane.count[1],
                   .row = row % j->plane.count[1],
                   .column = first % columns,
                   .pixels = size_min(j->line_pixels - first, d->most),
                   .group = unit % d->groups};
}

static size_t output_of(const direct *d, const plane *p, size_t which, size_t k) {
    return p->first[which] + k * d->axes[which].phases;
}

static void copy_floats(float *to, const float *from, size_t count) {
    if (count >= 8) {
        memcpy(to, from, count * sizeof *to);
        return;
    }
    for (size_t k = 0; k < count; k++) {
        to[k] = from[k];
    }
}

/* The piece's group of a row of the input; NULL: it lies outside. */
static const float *input_row(const job *j, const piece *at, size_t slice, size_t row) {
    const direct *d = j->call->state;
    const axis *a = d->axes;
    const operand *x = &j->call->inputs[0];
    if (slice >= a[0].in || row >= a[1].in) {
        return NULL;
    }
    size_t first = ((at->sample * a[0].in + slice) * a[1].in + row) * a[2].in;
    return (const float *)x->data + first * x->row_stride + at->group * d->depth;
}

/* The input under the n-th tap of the plane's k-th output, along one axis. */
static size_t met(const job *j, size_t which, size_t k, size_t n) {
    const direct *d = j->call->state;
    const plane *p = &j->plane;
    const axis *a = &d->axes[which];
    return position(a, output_of(d, p, which, k), p->first_tap[which] + n * a->step);
}

/* Gathers what one output meets. */
static void gather_pixel(const job *j, const piece *at, float *to) {
    const direct *d = j->call->state;
    const plane *p = &j->plane;
    const operand *x = &j->call->inputs[0];
    const float *zeros = d->bias + d->bias_floats - d->depth;
    for (size_t h = 0; h < p->taps[0]; h++) {
        size_t slice = met(j, 0, at->slice, h);
        for (size_t i = 0; i < p->taps[1]; i++) {
            const float *line = input_row(j, at, slice, met(j, 1, at->row, i));
            for (size_t k = 0; k < p->taps[2]; k++, to += d->depth) {
                size_t c = met(j, 2, at->column, k);
                bool inside = line != NULL && c < d->axes[2].in;
                copy_floats(to, inside ? line + c * x->row_stride : zeros, d->depth);
            }
        }
    }
}

/* Where one tap is met, inputs lie in the image as the product wants them, unless some lie outside
 * of it. Returns NULL then, else the first one and the floats to the next. */
static const float *in_place(const job *j, const piece *at, size_t *out_stride) {
    const direct *d = j->call->state;
    const plane *p = &j->plane;
    const operand *x = &j->call->inputs[0];
    const axis *columns = &d->axes[2];
    size_t last = at->column + at->pixels - 1;
    bool same = columns->out == columns->in; /* pixel by pixel */
    for (size_t k = 0; k < 3; k++) {
        same = same && !d->axes[k].transposed && d->axes[k].stride == 1 && d->axes[k].padding == 0;
    }
    if (p->k != d->depth || (last >= p->count[2] && !same)) {
        return NULL;
    }
    const float *line = input_row(j, at, met(j, 0, at->slice, 0), met(j, 1, at->row, 0));
    size_t from = met(j, 2, at->column, 0), to = met(j, 2, last, 0);
    if (line == NULL || from >= columns->in || (to >= columns->in && !same)) {
        return NULL;
    }
    *out_stride = (columns->transposed ? 1 : columns->stride) * x->row_stride;
    return line + from * x->row_stride;
}

static const float *gather(const job *j, const piece *at, float *to, size_t *out_stride) {
    const float *from = in_place(j, at, out_stride);
    if (from != NULL) {
        return from;
    }
    piece pixel = *at;
    for (size_t k = 0; k < at->pixels; k++) {
        gather_pixel(j, &pixel, to + k * j->plane.k);
        if (++pixel.column == j->plane.count[2]) {
            pixel.column = 0;
            pixel.row++;
        }
        if (pixel.row == j->plane.count[1]) {
            pixel.row = 0;
            pixel.slice++;
        }
    }
    *out_stride = j->plane.k;
    return to;
}

static void compute(const job *j, const piece *at, float *room) {
    const direct *d = j->call->state;
    const plane *p = &j->plane;
    const axis *a = d->axes;
    const operand *y = &j->call->outputs[0];
    size_t stride, nr = d->ukernels->nr, to_stride = a[2].phases * y->row_stride;
    const float *from = gather(j, at, room, &stride);
    const float *weights =
        d->weights + (p->before * d->groups + at->group * p->k) * panels_floats(d);
    size_t row = (at->sample * a[0].out + output_of(d, p, 0, at->slice)) * a[1].out +
                 output_of(d, p, 1, at->row);
    float *to = (float *)y->data +
                (row * a[2].out + output_of(d, p, 2, at->column)) * y->row_stride +
                at->group * d->outputs;
    for (size_t panel = 0; panel < d->panels; panel++) {
        gemm_epilogue last = {.bias = d->bias + (at->group * d->panels + panel) * nr,
                              .min = d->finish.min,
                              .max = d->finish.max};
        d->ukernels->gemm(at->pixels, size_min(d->outputs - panel * nr, nr), p->k, from, stride,
                          weights + panel * p->k * nr, to + panel * nr, to_stride, &last);
    }
    finish_rows(&d->finish, to, at->pixels, to_stride, d->outputs);
}

static void run_task(void *context, size_t index) {
    const job *j = context;
    const direct *d = j->call->state;
    size_t units = j->samples * j->lines * j->chunks * d->groups;
    float *room = (float *)j->call->run.scratch + index * d->chunk_floats;
    for (size_t unit = units * index / d->tasks; unit < units * (index + 1) / d->tasks; unit++) {
        piece at = piece_of(j, unit);
        compute(j, &at, room);
    }
}

kiln_status conv_direct_run(kernel_call *call, kiln_error *error) {
    const direct *d = call->state;
    bool whole = d->axes[0].phases * d->axes[1].phases * d->axes[2].phases == 1;
    job j = {.call = call, .samples = operand_dim(&call->outputs[0], 0, call->run.batch)};
    (void)error;
    for (bool begun = false; next_plane(d, &j.plane, &begun);) {
        size_t rows = j.plane.count[0] * j.plane.count[1];
        j.lines = whole ? 1 : rows;
        j.line_pixels = (whole ? rows : 1) * j.plane.count[2];
        j.chunks = (j.line_pixels + d->most - 1) / d->most;
        thread_pool_each(call->host->pool, run_task, &j, d->tasks);
    }
    return KILN_OK;
}
