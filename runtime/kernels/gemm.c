/* Rows are output pixels, each with the inputs under its kernel side by side (gathered into
 * scratch, but for kernels of 1x1 with stride 1, where the picture is that matrix already); columns
 * are output channels. XNNPACK goes through all weights for every few rows, which is slow once they
 * leave the cache; here a panel of weights meets all rows of a strip before the next one does. */
#include "runtime/kernels/gemm.h"
#include "runtime/lanes/lanes.h"

#include <string.h>

#define STRIP_BYTES ((size_t)512 << 10)     /* of gathered rows: half an L2 cache */
#define LARGE_STRIP_BYTES ((size_t)4 << 20) /* where weights are larger than that */
#define LARGE_WEIGHTS ((size_t)512 << 10)
#define CHUNK ((size_t)48) /* rows of a task, about, where weights are small */

typedef struct gemm {
    const lanes *lanes;
    size_t k, outputs, panels;
    size_t kernel_height, kernel_width, inputs;
    const float *weights; /* [panels][k][columns] */
    float *bias;          /* [panels * columns], then zeros for pixels outside the picture */
    size_t bias_bytes, weight_bytes;
    size_t strip; /* rows gathered at a time, at most */
    size_t row;   /* floats between them */
    bool gathers, by_panels;
} gemm;

/* Some rows of the product. */
typedef struct strip {
    const kernel_call *call;
    const gemm *g;
    size_t first, count; /* counted from the first output pixel of the run */
    const float *from;
    size_t from_stride;
} strip;

/* ---- Preparing ----------------------------------------------------------------------------- */

kiln_status gemm_check(const kernel_call *call, kiln_error *error) {
    const kiln_conv_params *p = call->params;
    if (p->groups != 1 || call->inputs[0].constant) {
        return kernel_fail(call, error, "a convolution as one matrix product has one group");
    }
    return KILN_OK;
}

typedef struct packing {
    const char *from; /* [outputs][k] */
    dense_weights stored;
    size_t size; /* of an element */
    const gemm *g;
    float *to;
} packing;

static void pack_panel(void *context, size_t panel) {
    const packing *job = context;
    const gemm *g = job->g;
    size_t columns = g->lanes->columns, first = panel * columns;
    size_t count = g->outputs - first < columns ? g->outputs - first : columns;
    float *to = job->to + panel * g->k * columns;
    g->lanes->dense->panel[job->stored](count, g->k, job->from + first * g->k * job->size, g->k,
                                        to);
}

static void pack(const kernel_call *call, float *to) {
    const gemm *g = call->state;
    bool half = call->inputs[1].record->stored_dtype == KILN_F16;
    packing job = {call->inputs[1].data, half ? DENSE_F16 : DENSE_F32,
                   half ? sizeof(uint16_t) : sizeof(float), g, to};
    pthreadpool_parallelize_1d(call->threadpool, pack_panel, &job, g->panels, 0);
}

static gemm describe(const kernel_call *call) {
    const kiln_conv_params *p = call->params;
    const operand *w = &call->inputs[1];
    const lanes *best = lanes_best();
    image_dims x, y;
    (void)operand_image(&call->inputs[0], &x);
    (void)operand_image(&call->outputs[0], &y);
    size_t k = w->dims[1] * w->dims[2] * w->dims[3];
    size_t panels = (y.c + best->columns - 1) / best->columns;
    size_t weight_bytes = panels * k * best->columns * sizeof(float);
    bool padded = p->padding_top + p->padding_right + p->padding_bottom + p->padding_left > 0;
    return (gemm){.lanes = best,
                  .k = k,
                  .outputs = y.c,
                  .panels = panels,
                  .row = k % 256 == 0 ? k + LANES_MAX : k, /* not all in the same sets of a cache */
                  .kernel_height = w->dims[1],
                  .kernel_width = w->dims[2],
                  .inputs = x.c,
                  .weight_bytes = weight_bytes,
                  .bias_bytes = (panels * best->columns + x.c) * sizeof(float),
                  .by_panels = weight_bytes > LARGE_WEIGHTS,
                  /* Rows 4 KB apart fall into one set of the L1 cache, which holds fewer than a
                   * product's tile has: worth a copy. */
                  .gathers = call->inputs[0].row_stride % 512 == 0 || w->dims[1] != 1 ||
                             w->dims[2] != 1 || p->stride_height != 1 || p->stride_width != 1 ||
                             padded};
}

kiln_status gemm_prepare(kernel_call *call, kiln_error *error) {
    gemm *g = kernel_allocate(call, sizeof *g);
    if (g == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    *g = describe(call);
    call->state = g;
    g->bias = kernel_allocate(call, g->bias_bytes);
    if (g->bias == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    memset(g->bias, 0, g->bias_bytes);
    if (call->input_count > 2 && operand_present(&call->inputs[2])) {
        memcpy(g->bias, call->inputs[2].data, g->outputs * sizeof(float));
    }
    packed_form form = {"panels", g->weight_bytes, pack, true};
    return kernel_pack(call, &form, &g->weights, error);
}

void gemm_release(kernel_call *call) {
    gemm *g = call->state;
    if (g != NULL) {
        kernel_free(call, g->bias, g->bias_bytes);
        kernel_free(call, g, sizeof *g);
        call->state = NULL;
    }
}

/* Output pixels of a run. */
static size_t count_rows(const kernel_call *call) {
    image_dims y;
    (void)operand_image(&call->outputs[0], &y);
    return operand_dim(&call->outputs[0], 0, call->batch) * (call->end_row - call->begin_row) * y.w;
}

/* Rows gathered at a time, at most. */
static size_t strip_rows(const kernel_call *call, const gemm *g) {
    size_t rows = count_rows(call);
    size_t room = (g->by_panels ? LARGE_STRIP_BYTES : STRIP_BYTES) / (g->row * sizeof(float));
    room = room < CHUNK ? CHUNK : room;
    return g->gathers && room < rows ? room : rows;
}

size_t gemm_scratch(const kernel_call *call) {
    gemm g = describe(call);
    return g.gathers ? strip_rows(call, &g) * g.row * sizeof(float) : 0;
}

kiln_status gemm_bind(kernel_call *call, kiln_error *error) {
    gemm *g = call->state;
    (void)error;
    g->strip = strip_rows(call, g);
    return KILN_OK;
}

/* ---- Running ------------------------------------------------------------------------------- */

/* The inputs under one output pixel, kernel row by kernel row. */
static void gather_row(void *context, size_t index) {
    const strip *s = context;
    const gemm *g = s->g;
    const kiln_conv_params *p = s->call->params;
    const operand *x = &s->call->inputs[0];
    const float *zeros = g->bias + g->panels * g->lanes->columns;
    image_dims in, out;
    (void)operand_image(x, &in);
    (void)operand_image(&s->call->outputs[0], &out);
    size_t row = s->first + index, height = s->call->end_row - s->call->begin_row;
    size_t sample = row / (height * out.w), pixel = row % (height * out.w);
    /* Above and left of the picture these wrap around to large numbers. */
    size_t top = (s->call->begin_row + pixel / out.w) * p->stride_height - p->padding_top;
    size_t left = pixel % out.w * p->stride_width - p->padding_left;
    bool together = p->dilation_width == 1 && x->row_stride == g->inputs && left < in.w &&
                    left + g->kernel_width <= in.w; /* a kernel row is one piece */
    float *to = (float *)s->call->scratch + index * g->row;
    for (size_t y = 0; y < g->kernel_height; y++) {
        size_t from_y = top + y * p->dilation_height;
        const float *from_row = from_y < in.h ? operand_image_row(x, sample, from_y) : NULL;
        if (together && from_row != NULL) {
            size_t floats = g->kernel_width * g->inputs;
            memcpy(to, from_row + left * g->inputs, floats * sizeof(float));
            to += floats;
            continue;
        }
        for (size_t c = 0; c < g->kernel_width; c++, to += g->inputs) {
            size_t from_x = left + c * p->dilation_width;
            const float *from =
                from_row != NULL && from_x < in.w ? from_row + from_x * x->row_stride : zeros;
            memcpy(to, from, g->inputs * sizeof(float));
        }
    }
}

/* A block of rows by the last panel, of which only `count` columns are outputs. */
static void multiply_edge(const strip *s, size_t rows, const float *from, const float *weights,
                          lanes_finish last, size_t count, float *to, size_t to_stride) {
    const gemm *g = s->g;
    size_t columns = g->lanes->columns;
    float sums[LANES_MAX_ROWS * LANES_MAX_COLUMNS];
    g->lanes->product(rows, g->k, from, s->from_stride, weights, sums, columns, &last);
    for (size_t row = 0; row < rows; row++) {
        memcpy(to + row * to_stride, sums + row * columns, count * sizeof(float));
    }
}

/* Rows begin .. end of the strip by one panel, in blocks of about equal size. */
static void multiply(const strip *s, size_t panel, size_t begin, size_t end) {
    const gemm *g = s->g;
    const kiln_conv_params *p = s->call->params;
    const operand *y = &s->call->outputs[0], *add = conv_addend(s->call);
    size_t columns = g->lanes->columns, first = panel * columns, rows = end - begin;
    size_t blocks = (rows + g->lanes->rows - 1) / g->lanes->rows;
    const float *weights = g->weights + panel * g->k * columns;
    lanes_finish last = {.bias = g->bias + first, .min = p->min, .max = p->max};
    float *results = operand_image_row(y, 0, s->call->begin_row) + s->first * y->row_stride + first;
    const float *added = NULL;
    if (add != NULL) {
        added = operand_image_row(add, 0, s->call->begin_row) + s->first * add->row_stride + first;
        last.add_stride = add->row_stride;
    }
    for (size_t block = 0; block < blocks; block++) {
        size_t row = begin + rows * block / blocks, next = begin + rows * (block + 1) / blocks;
        const float *from = s->from + row * s->from_stride;
        float *to = results + row * y->row_stride;
        last.add = add != NULL ? added + row * add->row_stride : NULL;
        if (first + columns > g->outputs) {
            multiply_edge(s, next - row, from, weights, last, g->outputs - first, to,
                          y->row_stride);
        } else {
            g->lanes->product(next - row, g->k, from, s->from_stride, weights, to, y->row_stride,
                              &last);
        }
    }
}

/* A panel by all rows of the strip: its weights are read from memory once. */
static void multiply_panel(void *context, size_t panel) {
    const strip *s = context;
    multiply(s, panel, 0, s->count);
}

/* All panels by some rows: those stay in the cache. */
static void multiply_chunk(void *context, size_t begin, size_t count) {
    const strip *s = context;
    for (size_t panel = 0; panel < s->g->panels; panel++) {
        multiply(s, panel, begin, begin + count);
    }
}

/* Rows of a task: as many tasks for each thread, each of whole tiles. */
static size_t chunk_rows(const strip *s, size_t threads) {
    size_t tile = s->g->lanes->rows;
    size_t rounds = (s->count + threads * CHUNK - 1) / (threads * CHUNK);
    size_t rows = (s->count + threads * rounds - 1) / (threads * rounds);
    return (rows + tile - 1) / tile * tile;
}

kiln_status gemm_run(kernel_call *call, kiln_error *error) {
    const gemm *g = call->state;
    const operand *x = &call->inputs[0];
    size_t rows = count_rows(call), threads = pthreadpool_get_threads_count(call->threadpool);
    (void)error;
    for (size_t first = 0; first < rows; first += g->strip) {
        size_t count = rows - first < g->strip ? rows - first : g->strip;
        strip s = {call, g, first, count, NULL, x->row_stride};
        if (g->gathers) {
            s.from = call->scratch;
            s.from_stride = g->row;
            pthreadpool_parallelize_1d(call->threadpool, gather_row, &s, count, 0);
        } else {
            s.from = operand_image_row(x, 0, call->begin_row) + first * x->row_stride;
        }
        if (g->by_panels && g->panels >= threads) {
            pthreadpool_parallelize_1d(call->threadpool, multiply_panel, &s, g->panels, 0);
        } else {
            pthreadpool_parallelize_1d_tile_1d(call->threadpool, multiply_chunk, &s, count,
                                               chunk_rows(&s, threads), 0);
        }
    }
    return KILN_OK;
}
