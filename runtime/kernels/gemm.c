/* Convolution as one matrix product: [rows][k] by [k][outputs]. Rows are output pixels, each with
 * the k inputs under its kernel side by side. They are gathered into scratch, but where they can be
 * read where they lie: for kernels of 1x1 with stride 1, where the image is that matrix already,
 * and a kernel row at a time (gemm_windows.h). Weights are packed in panels of nr outputs,
 * [panels][k][nr], which meet rows in tiles of up to mr. Each is read once for many rows; XNNPACK
 * goes through all weights for every few rows.
 *
 * There are two modes for the others. Which one a layer has follows from its sizes and the number
 * of threads, and is the same for every batch (describe):
 *
 *                     by chunk                          by panel
 *   when              otherwise                         weights are larger than LARGE_WEIGHTS, and
 *                                                       a sample has few rows a thread (FEW_ROWS)
 *   threads share     rows                              panels
 *   a task            a chunk of rows, which it         a group of panels by all rows of a strip,
 *                     gathers, by all panels            or by a piece of them (multiply_piece);
 *                     (run_chunk)                       threads gather the strip before
 *   weights are read  once a chunk                      once a strip
 *   scratch           [workers][most][row]: a task      [most][row]: of the run; no task writes to
 *                     owns the place of the worker      it once the strip is gathered
 *                     that it has marked busy */
#include "runtime/kernels/gemm.h"
#include "runtime/kernels/gemm_gather.h"
#include "runtime/kernels/gemm_scale.h"
#include "runtime/kernels/gemm_sharing.h"
#include "runtime/kernels/gemm_windows.h"

#include <stdatomic.h>
#include <string.h>

#define CHUNK ((size_t)96)                /* rows that meet a panel, about */
#define LONG_CHUNK ((size_t)384)          /* or so many of few inputs, whose tiles are soon done, */
#define NEAR_BYTES ((size_t)24 << 10)     /* as long as they take no more: a part of an L1 cache */
#define GATHERED ((size_t)48)             /* of a chunk, where they are gathered */
#define CHUNK_BYTES ((size_t)256 << 10)   /* gathered rows of a chunk: part of an L2 cache */
#define LARGE_WEIGHTS ((size_t)512 << 10) /* weights that an L2 cache does not hold */
#define FEW_ROWS ((size_t)256)            /* by panel: a sample has fewer rows for each thread */
#define STRIP_BYTES ((size_t)4 << 20)     /* by panel: gathered rows of a strip take no more */
#define GROUP_BYTES ((size_t)256 << 10)   /* by panel: a group of panels, part of an L2 cache */
#define FAR_BYTES ((size_t)384 << 10)     /* a larger output is in no near cache any more */

typedef struct gemm {
    const ukernels *ukernels;
    finish finish;
    size_t k, outputs, panels;
    size_t kernel_height, kernel_width, inputs;
    float *bias; /* [panels * nr], then zeros, which stand for pixels outside the image */
    size_t weight_bytes;
    size_t groups;     /* by panel: panels are shared out in so many groups */
    size_t row;        /* a gathered row takes so many floats in scratch */
    size_t most;       /* scratch holds so many gathered rows: a strip's, or a worker's chunk */
    size_t workers;    /* threads */
    atomic_flag *busy; /* by chunk, for each worker: a task uses its place in scratch */
    bool gathers;
    bool windows;   /* rows are read where they lie, and the modes do not matter */
    bool far;       /* what is added, and where results go, is in no near cache */
    bool by_panels; /* the mode */
} gemm;

/* Some rows of the product: `count` from `first` on, counted from the run's first output pixel. */
typedef struct strip {
    const kernel_call *call;
    const gemm *g;
    size_t first, count;
    const float *from, *add; /* add NULL: nothing */
    size_t from_stride;
    float *to;
    size_t pieces; /* its rows are cut in as many, which are tasks of their own */
} strip;

static strip strip_of(kernel_call *call, size_t first, size_t count) {
    const operand *x = &call->inputs[0], *y = &call->outputs[0], *add = conv_addend(call);
    strip s = {.call = call, .g = call->state, .first = first, .count = count, .pieces = 1};
    if (!s.g->gathers) { /* gathered rows lie elsewhere, and in a band a row may not be there yet */
        s.from = operand_image_row(x, 0, call->run.begin_row) + first * x->row_stride;
        s.from_stride = x->row_stride;
    }
    s.to = operand_image_row(y, 0, call->run.begin_row) + first * y->row_stride;
    if (add != NULL) {
        s.add = operand_image_row(add, 0, call->run.begin_row) + first * add->row_stride;
    }
    return s;
}

/* ---- Preparing ----------------------------------------------------------------------------- */

const char *gemm_check(const kernel_call *call) {
    const kiln_conv_params *p = call->params;
    if (p->groups != 1 || call->inputs[0].constant) {
        return "a convolution as one matrix product has one group";
    }
    return NULL;
}

typedef struct packing {
    const char *from; /* [outputs][k] */
    dense_weights stored;
    size_t size; /* bytes of an element */
    const gemm *g;
    float *to;
} packing;

static void pack_panel(void *context, size_t panel) {
    const packing *job = context;
    const gemm *g = job->g;
    size_t nr = g->ukernels->nr, first = panel * nr;
    size_t count = g->outputs - first < nr ? g->outputs - first : nr;
    float *to = job->to + panel * g->k * nr;
    ukernels_pack(g->ukernels)
        ->weights[job->stored](count, g->k, job->from + first * g->k * job->size, g->k, to);
}

static void pack(const kernel_call *call, float *to) {
    const gemm *g = call->state;
    bool half = call->inputs[1].record->stored_dtype == KILN_F16;
    packing job = {call->inputs[1].data, half ? DENSE_F16 : DENSE_F32,
                   half ? sizeof(uint16_t) : sizeof(float), g, to};
    thread_pool_each(call->host->pool, pack_panel, &job, g->panels);
}

/* The number of output pixels of a run. */
static size_t count_rows(const kernel_call *call) {
    image_dims y;
    (void)operand_image(&call->outputs[0], &y);
    return operand_dim(&call->outputs[0], 0, call->run.batch) *
           (call->run.end_row - call->run.begin_row) * y.w;
}

/* The largest number of rows in a chunk. */
static size_t chunk_limit(const gemm *g) {
    if (!g->gathers) {
        size_t most = g->finish.function == NULL ? LONG_CHUNK : CHUNK; /* which it reads again */
        size_t near = size_min(NEAR_BYTES / (g->k * sizeof(float)), most);
        return near < CHUNK ? CHUNK : near;
    }
    size_t room = CHUNK_BYTES / (g->row * sizeof(float));
    return size_min(room < g->ukernels->mr ? g->ukernels->mr : room, GATHERED);
}

/* Each worker gets as many chunks, and they are of about equal size. */
static size_t chunk_rows(const gemm *g, size_t rows) {
    size_t wanted = chunk_limit(g) * g->workers;
    size_t rounds = (rows + wanted - 1) / wanted;
    return (rows + g->workers * rounds - 1) / (g->workers * rounds);
}

static size_t most_gathered(const gemm *g, size_t rows) {
    size_t room = STRIP_BYTES / (g->row * sizeof(float)), strip = room < GATHERED ? GATHERED : room;
    return size_min(rows, g->by_panels ? strip : chunk_limit(g));
}

static gemm describe(const kernel_call *call) {
    const kiln_conv_params *p = call->params;
    const operand *w = &call->inputs[1];
    const ukernels *best = ukernels_best();
    image_dims x, y;
    (void)operand_image(&call->inputs[0], &x);
    (void)operand_image(&call->outputs[0], &y);
    size_t k = w->dims[1] * w->dims[2] * w->dims[3];
    size_t panels = (y.c + best->nr - 1) / best->nr;
    size_t weight_bytes = panels * k * best->nr * sizeof(float);
    /* These are the rows of one sample, since the mode must not depend on the batch. */
    size_t rows = (call->run.end_row - call->run.begin_row) * y.w;
    bool padded = p->padding_top + p->padding_right + p->padding_bottom + p->padding_left > 0;
    gemm g = {.ukernels = best,
              .finish = finish_of(call, p->min, p->max),
              .k = k,
              .outputs = y.c,
              .panels = panels,
              /* Rows must not all fall into the same sets of a cache. */
              .row = k % 256 == 0 ? k + VECTOR_MAX : k,
              .kernel_height = w->dims[1],
              .kernel_width = w->dims[2],
              .inputs = x.c,
              .workers = call->host->threads,
              .weight_bytes = weight_bytes,
              .far = y.h * y.w * y.c * sizeof(float) > FAR_BYTES,
              .by_panels = weight_bytes > LARGE_WEIGHTS && rows < FEW_ROWS * call->host->threads,
              /* Rows that lie 4 KB apart fall into one set of the L1 cache, which holds fewer of
               * them than a product's tile has. It pays to copy them. */
              .gathers = call->inputs[0].row_stride % 512 == 0 || w->dims[1] != 1 ||
                         w->dims[2] != 1 || p->stride_height != 1 || p->stride_width != 1 ||
                         padded};
    g.windows = g.gathers && !g.by_panels && gemm_windows_pay(call);
    g.gathers = g.gathers && !g.windows;
    g.most = most_gathered(&g, count_rows(call));
    size_t room = GROUP_BYTES / (k * best->nr * sizeof(float));
    g.groups = room < 2 ? panels : (panels + room - 1) / room;
    g.groups = gemm_groups((gemm_sharing){panels, rows, best->mr, g.workers}, g.groups);
    return g;
}

kiln_status gemm_prepare(kernel_call *call, kiln_error *error) {
    gemm *g = call->state = kernel_allocate(call, sizeof *g, error);
    if (g == NULL) {
        return KILN_ERROR_MEMORY;
    }
    *g = describe(call);
    g->bias = conv_bias(call, g->panels * g->ukernels->nr + g->inputs, error);
    g->busy = kernel_allocate(call, g->workers * sizeof *g->busy, error);
    if (g->bias == NULL || g->busy == NULL) {
        return KILN_ERROR_MEMORY;
    }
    for (size_t k = 0; k < g->workers; k++) {
        atomic_flag_clear(&g->busy[k]);
    }
    return KILN_OK;
}

bool gemm_packs(const kernel_call *call, packed_form *out_form) {
    *out_form = (packed_form){"panels", describe(call).weight_bytes, pack, true};
    return true;
}

size_t gemm_scratch(const kernel_call *call) {
    gemm g = describe(call);
    size_t rows = g.by_panels ? g.most : g.workers * g.most;
    size_t weights = conv_scale(call) != NULL ? gemm_scaled_bytes(g.weight_bytes) : 0;
    return weights + (g.gathers ? rows * g.row * sizeof(float) : 0);
}

kiln_status gemm_bind(kernel_call *call, kiln_error *error) {
    gemm *g = call->state;
    (void)error;
    g->most = most_gathered(g, count_rows(call));
    return KILN_OK;
}

static void gather(const kernel_call *call, const gemm *g, size_t first, size_t count, float *to) {
    gemm_gather(call, g->row, g->bias + g->panels * g->ukernels->nr, first, count, to);
}

/* ---- Multiplying --------------------------------------------------------------------------- */

/* How many floats behind a panel's weights those are that are fetched meanwhile: the next panel's,
 * so that their first tile does not wait for the third level's cache or for memory. Two panels of
 * more than LARGE_WEIGHTS would push each other out. */
static size_t ahead_of(const gemm *g, size_t panel) {
    size_t floats = g->k * g->ukernels->nr;
    return panel + 1 < g->panels && floats * sizeof(float) <= LARGE_WEIGHTS ? floats : 0;
}

/* Multiplies the rows [begin, end) of the strip by one panel. */
static void multiply_panel(const strip *s, size_t panel, size_t begin, size_t end) {
    const gemm *g = s->g;
    const operand *y = &s->call->outputs[0], *add = conv_addend(s->call);
    size_t nr = g->ukernels->nr, first = panel * nr;
    gemm_epilogue last = {.bias = g->bias + first,
                          .min = g->finish.min,
                          .max = g->finish.max,
                          .far = g->far,
                          .ahead = ahead_of(g, panel)};
    if (add != NULL) {
        last.add = s->add + begin * add->row_stride + first;
        last.add_stride = add->row_stride;
    }
    g->ukernels->gemm(end - begin, size_min(nr, g->outputs - first), g->k,
                      s->from + begin * s->from_stride, s->from_stride,
                      s->call->packed + panel * g->k * nr, s->to + begin * y->row_stride + first,
                      y->row_stride, &last);
}

/* Multiplies them by the panels [panel, next). A function then goes over long rows, which are in
 * the L2 cache at least. */
static void multiply(const strip *s, size_t panel, size_t next, size_t begin, size_t end) {
    const gemm *g = s->g;
    size_t first = panel * g->ukernels->nr, stride = s->call->outputs[0].row_stride;
    for (size_t k = panel; k < next; k++) {
        multiply_panel(s, k, begin, end);
    }
    finish_rows(&g->finish, s->to + begin * stride + first, end - begin, stride,
                size_min(next * g->ukernels->nr, g->outputs) - first);
}

/* ---- Running ------------------------------------------------------------------------------- */

static void gather_piece(void *context, size_t begin, size_t count) {
    const strip *s = context;
    float *to = s->call->run.scratch;
    gather(s->call, s->g, s->first + begin, count, to + begin * s->g->row);
}

/* Multiplies some rows of the strip by a group of panels. */
static void multiply_piece(void *context, size_t index) {
    const strip *s = context;
    const gemm *g = s->g;
    size_t group = index / s->pieces, piece = index % s->pieces;
    size_t panel = g->panels * group / g->groups, next = g->panels * (group + 1) / g->groups;
    size_t row = s->count * piece / s->pieces, end = s->count * (piece + 1) / s->pieces;
    for (size_t rows = 0; row < end; row += rows) {
        rows = gemm_tile_rows(end - row, CHUNK);
        multiply(s, panel, next, row, row + rows);
    }
}

/* A panel's weights are read from memory once. */
static void run_by_panels(kernel_call *call, size_t rows) {
    const gemm *g = call->state;
    size_t most = g->gathers ? g->most : rows;
    for (size_t first = 0; first < rows; first += most) {
        size_t count = size_min(rows - first, most);
        strip s = strip_of(call, first, count);
        gemm_sharing sharing = {g->panels, count, g->ukernels->mr, g->workers};
        s.pieces = gemm_pieces(sharing, g->groups);
        if (g->gathers) {
            s.from = call->run.scratch;
            s.from_stride = g->row;
            thread_pool_ranges(call->host->pool, gather_piece, &s, count, chunk_rows(g, count));
        }
        thread_pool_each(call->host->pool, multiply_piece, &s, g->groups * s.pieces);
    }
}

/* There are as many places as threads, so that one is free. */
static size_t take_place(const gemm *g) {
    size_t worker = 0;
    while (atomic_flag_test_and_set(&g->busy[worker])) {
        worker = (worker + 1) % g->workers;
    }
    return worker;
}

/* Multiplies a chunk of rows by all panels. */
static void run_chunk(void *context, size_t first, size_t count) {
    kernel_call *call = context;
    const gemm *g = call->state;
    strip s = strip_of(call, first, count);
    size_t worker = 0;
    if (g->gathers) {
        worker = take_place(g);
        float *to = (float *)call->run.scratch + worker * g->most * g->row;
        gather(call, g, first, count, to);
        s.from = to;
        s.from_stride = g->row;
    }
    multiply(&s, 0, g->panels, 0, count);
    if (g->gathers) {
        atomic_flag_clear(&g->busy[worker]);
    }
}

static void run_all(kernel_call *call) {
    const gemm *g = call->state;
    size_t rows = count_rows(call);
    if (g->windows) {
        gemm_panels panels = {g->ukernels, &g->finish, g->bias, g->panels, g->outputs, g->far};
        gemm_windows_run(call, &panels);
    } else if (g->by_panels) {
        run_by_panels(call, rows);
    } else {
        thread_pool_ranges(call->host->pool, run_chunk, call, rows, chunk_rows(g, rows));
    }
}

kiln_status gemm_run(kernel_call *call, kiln_error *error) {
    const gemm *g = call->state;
    (void)error;
    if (conv_scale(call) != NULL) {
        gemm_run_scaled(call, (gemm_weights){g->panels, g->k, g->ukernels->nr, g->weight_bytes},
                        run_all);
    } else {
        run_all(call);
    }
    return KILN_OK;
}
